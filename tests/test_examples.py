"""Every example runs, checks itself, says how to run it, and fits on a screen."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

SAYS = {
    "01_scalar": ["24.7041", "138.8338", "645.5773"],
    "02_line_by_hand": ["61 of 61 steps agree", "GPA = 0.023866 · SAT + 0.001927"],
    "03_learning_rates": ["2/λmax is 9.18967e-05", "converged: right", "diverged: too large"],
    "04_first_network": ["The best line explains 5.4%", "99."],
    "05_earlier_weights": ["W3[1, 0]", "W2[0, 1]", "W1[0, 1]", "2 paths", "dz1/dw = x"],
    "06_moons": ["MLP: 337 parameters", "100  0.0000", "100%"],
    "07_digits": ["9,610 trainable", "stopped early after", "are right:", "true \\ predicted"],
    "08_mnist_cnn": ["11,306 trainable", "epoch 4: loss 0.", "images held out: 9"],
    "09_character_model": ["letters foreseen", "Er faßt ihn sicher, er hält ihn warm."],
    "10_autoencoder": ["eight principal components: 0.0247"],
}


def test_there_is_an_expectation_for_each_example():
    assert [path.stem for path in EXAMPLES] == sorted(SAYS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_prints_what_it_promises(path, tmp_path):
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    run = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"},
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    assert all(text in run.stdout for text in SAYS[path.stem]), run.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_on_a_screen_and_says_how_to_run_it(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert f"Run it: python examples/{path.name}" in (ast.get_docstring(ast.parse(text)) or "")
    assert "\nassert " in text or "\n    assert " in text
