"""The benchmark runs, agrees with its peers, and writes its tables; no test looks at the times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
UTF8 = os.environ | {"PYTHONIOENCODING": "utf-8"}
NETWORKS = ["1-1", "2-16-16-1 tanh", "64-128-10 relu", "784-256-128-10 relu"]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Return the output of a quick run, and the figures that it writes."""
    file = tmp_path_factory.mktemp("benchmarks") / "figures.json"
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "eager.py"),
        "--quick",
        "--json",
        str(file),
    ]
    environment = {name: x for name, x in os.environ.items() if not name.endswith("_NUM_THREADS")}
    run = subprocess.run(
        command,
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr  # not 0 where the losses disagree
    return run.stdout, json.loads(file.read_text(encoding="utf-8"))


def test_the_table_has_a_row_for_each_network(quick):
    printed, figures = quick
    assert "all agree on the loss after a step" in printed
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    for name in NETWORKS:
        assert sum(row.startswith(f"| {name}, ") for row in rows) == 1
    assert len(figures["networks"]) == len(NETWORKS)


def test_every_figure_is_a_time(quick):
    _, figures = quick
    for peers in [*figures["networks"].values(), *figures["scalars"].values()]:
        assert "tinygrad_lr" in peers and all(time > 0 for time in peers.values())
    assert set(figures["import_ms"]) == {"numpy", "tinygrad_lr"}


def test_peers_that_are_missing_are_named(quick):
    printed, figures = quick
    measured = {"micrograd"} if figures["scalars"] else set()
    measured |= set(next(iter(figures["networks"].values())))
    everyone = {"tinygrad_lr", "NumPy by hand", "PyTorch", "autograd", "MyGrad", "micrograd"}
    assert measured | set(figures["missing"]) == everyone
    assert all(name in printed for name in figures["missing"])


def test_the_machine_is_described(quick):
    printed, figures = quick
    assert figures["machine"] in printed and "1 thread used" in figures["machine"]
    assert all(name in figures["machine"] for name in ("Python 3.", "numpy "))


def test_the_numerical_programs_agree_with_all_that_are_installed():
    command = [sys.executable, str(ROOT / "benchmarks" / "numerics.py"), "--quick"]
    run = subprocess.run(
        command, capture_output=True, check=False, encoding="utf-8", timeout=240, env=UTF8
    )
    assert run.returncode == 0, run.stdout + run.stderr  # not 0 where they disagree
    rows = [line for line in run.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 16 and "Kalman filter, 1000 steps" in run.stdout


def test_derivatives_agree_with_all_that_are_installed():
    command = [sys.executable, str(ROOT / "benchmarks" / "derivatives.py"), "--quick"]
    run = subprocess.run(
        command, capture_output=True, check=False, encoding="utf-8", timeout=240, env=UTF8
    )
    assert run.returncode == 0, run.stdout + run.stderr  # not 0 where they disagree
    rows = [line for line in run.stdout.splitlines() if line.startswith("| ")]
    assert sum(row.startswith(("| Hessian", "| Jacobian", "| per-sample")) for row in rows) == 9


def test_steps_on_one_core_and_on_two_are_timed():
    command = [sys.executable, str(ROOT / "benchmarks" / "scaling.py"), "--quick"]
    run = subprocess.run(
        command, capture_output=True, check=False, encoding="utf-8", timeout=600, env=UTF8
    )
    assert run.returncode == 0, run.stdout + run.stderr
    rows = [line for line in run.stdout.splitlines() if line.endswith("×) |")]
    assert len(rows) == 4 and all(row.count("→") == row.count("×)") for row in rows)


def test_one_command_runs_every_benchmark():
    folder = ROOT / "benchmarks"
    scripts = {path.stem for path in folder.glob("*.py") if "def main" in path.read_text("utf-8")}
    command = [sys.executable, str(folder / "all.py"), "no such name"]
    run = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", timeout=60)
    assert run.returncode == 2
    named = run.stderr.partition("must be one of ")[2].partition(", got")[0].split(", ")
    assert {*named} == scripts - {"all", "compiled_worker"}


@pytest.mark.slow
def test_training_agrees_with_jax_and_long_programs_are_timed():
    pytest.importorskip("llvmlite")
    command = [sys.executable, str(ROOT / "benchmarks" / "training.py"), "--quick"]
    run = subprocess.run(
        command, capture_output=True, check=False, encoding="utf-8", timeout=600, env=UTF8
    )
    assert run.returncode == 0, run.stdout + run.stderr  # not 0 where they disagree
    rows = [line for line in run.stdout.splitlines() if line.startswith("| ")]
    assert sum("LSTM" in row or "embedding" in row for row in rows) == 2
    assert sum(" words, 32 rows, SGD" in row for row in rows) == 2
    assert sum(row.startswith(("| chain", "| layers", "| gradient of")) for row in rows) == 10
    assert sum("attention block" in row or "Runge-Kutta" in row for row in rows) == 2


@pytest.mark.torch
def test_the_networks_of_the_examples_agree_with_pytorch_and_are_timed():
    pytest.importorskip("torch")
    command = [sys.executable, str(ROOT / "benchmarks" / "layers.py"), "--quick"]
    run = subprocess.run(command, capture_output=True, check=False, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("×)") == 4 and "LSTM 16-64" in run.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="os.wait4 measures the memory")
def test_the_command_is_measured():
    script = str(ROOT / "benchmarks" / "command.py")
    command = [sys.executable, script, "--rows", "2000", "--features", "3", "--rounds", "1"]
    out = subprocess.run(command, capture_output=True, check=True, encoding="utf-8", timeout=120)
    rows = [line for line in out.stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:4]] == ["| fit", "| predict"]
