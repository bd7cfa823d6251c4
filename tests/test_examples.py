"""Every example runs, checks itself, says how to run it, and fits on a screen."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from operands import THOROUGH

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

SAYS = {
    "01_scalar": ["24.7041", "138.8338", "645.5773"],
    "02_line_by_hand": ["61 of 61 steps agree", "GPA = 0.023866 · SAT + 0.001927"],
    "03_learning_rates": ["2/λmax is 9.18967e-05", "converged: right", "diverged: too large"],
    "04_first_network": ["The best line explains 5.4%", "99."],
    "05_earlier_weights": ["W3[1, 0]", "W2[0, 1]", "W1[0, 1]", "2 paths", "∂z1/∂w = x"],
    "06_moons": ["MLP: 337 parameters", "100  0.0000", "100%"],
    "07_digits": ["9,610 trainable", "stopped early after", "are right:", "true \\ predicted"],
    "08_mnist_cnn": ["11,306 trainable", "epoch 4: loss 0.", "images held out: 9"],
    "09_character_model": ["letters right", "Er faßt ihn sicher, er hält ihn warm."],
    "10_autoencoder": ["eight principal components: 0.0247"],
    "11_compiled": ["times as fast", "classified correctly", "layers_0_weight: float32[2"],
    "12_descent_pictures": ["rates.png", "Too small: 0.01", "landscape.png"],
    "13_graph_pictures": ["4 boxes for 2,044 Values", "24 × tanh(Σ w · x + b)", "▼ −22"],
    "15_per_sample_gradients": ["The 5 longest are those of [13, 57, 101, 128, 170]", "1/"],
    "16_pendulum": ["s, then ", "g / length 14.01, friction 0.350", "at rest after 32.6 s"],
    "14_traced": ["dL/dw = dL/dv₁ · ∂v₁/∂w", "w ← w − 0.1 · w.grad", "layers.0: Linear"],
}
EXTRAS = {"12_descent_pictures": "matplotlib"}
TRAINED = [path for path in EXAMPLES if "tg.fit(" in path.read_text(encoding="utf-8")]
SHORT = [path for path in TRAINED if path.stem[:2] not in {"08", "09", "12"}]
"""The examples that are compiled in every run: the others take longer."""
COMPILED = """
import runpy, sys
from tinygrad_lr.train import fit
fit.__kwdefaults__["compile"] = True
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def run_in(folder, *command):
    """Run Python there, warnings being errors."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    settings = {"PYTHONIOENCODING": "utf-8", "TINYGRAD_LR_CACHE": ""}
    run = subprocess.run(
        [sys.executable, "-W", "error", *command],
        capture_output=True,
        check=False,
        cwd=folder,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **settings},
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run


def test_there_is_an_expectation_for_each_example():
    assert [path.stem for path in EXAMPLES] == sorted(SAYS)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_prints_what_it_promises(path, tmp_path):
    pytest.importorskip(EXTRAS.get(path.stem, "numpy"))
    run = run_in(tmp_path, str(path))
    assert not run.stderr
    assert all(text in run.stdout for text in SAYS[path.stem]), run.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("path", TRAINED if THOROUGH else SHORT, ids=lambda path: path.stem)
def test_an_example_that_is_compiled_comes_to_the_same(path, tmp_path):
    pytest.importorskip(EXTRAS.get(path.stem, "numpy"))
    pytest.importorskip("llvmlite")  # each checks itself, and warns where it is not compiled
    assert not run_in(tmp_path, "-c", COMPILED, str(path)).stderr


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_on_a_screen_and_says_how_to_run_it(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert f"Run it: python examples/{path.name}" in (ast.get_docstring(ast.parse(text)) or "")
    assert "\nassert " in text or "\n    assert " in text
