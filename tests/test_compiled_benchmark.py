"""The benchmark of compiled steps runs and agrees with its peers; no test looks at the times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "compiled.py"
NETWORK, EXPRESSION = "2-16-16-1 tanh, 100 rows", "micrograd's README expression"
OURS = {"loop", "by call", "NumPy backend", "eager", "limit"}
PEERS = {"JAX scan": "jax", "JAX jit": "jax", "PyTorch": "torch"}


def run(*options):
    environment = {name: x for name, x in os.environ.items() if not name.endswith("_NUM_THREADS")}
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--quick", *options],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        timeout=120,
    )


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Return the output of a quick run, the figures that it writes, and the file of its plot."""
    folder = tmp_path_factory.mktemp("compiled")
    file, plot = folder / "figures.json", folder / "figures.png"
    drawn = ["--plot", str(plot)] if find_spec("matplotlib") else []
    done = run("--only", "2-16-16-1", "expression", "--json", str(file), *drawn)
    assert done.returncode == 0, done.stdout + done.stderr  # not 0 where the losses disagree
    return done.stdout, json.loads(file.read_text(encoding="utf-8")), plot


def test_the_step_is_measured_by_all_that_are_installed(quick):
    printed, figures, _ = quick
    (measured,) = figures["runs"]
    assert (measured["threads"], measured["dtype"]) == (1, "float32")
    expected = OURS | {peer for peer, package in PEERS.items() if find_spec(package)}
    assert set(measured["figures"][NETWORK]) == expected
    assert all(time > 0 for found in measured["figures"].values() for time in found.values())
    assert "all agree on the losses of the third step and of the last step of a loop" in printed
    assert sum(line.startswith(f"| {NETWORK} |") for line in printed.splitlines()) == 1


def test_what_is_not_measured_is_named_with_the_reason(quick):
    printed, figures, _ = quick
    missing = figures["runs"][0]["missing"][NETWORK]
    assert missing.pop("torch.compile") == "left out of this run"
    assert set(missing) == {peer for peer, package in PEERS.items() if not find_spec(package)}
    assert all(f"{peer}: {why}" in printed for peer, why in missing.items())


def test_first_losses_are_timed_cold_and_cached(quick):
    printed, figures, _ = quick
    assert "tinygrad_lr" in figures["start"]
    for found in figures["start"].values():
        assert set(found) == {"nothing cached", "cached"}
        for times in found.values():
            assert 0 < times["after"] < times["first"] and times["peak"] > 1
    assert "peak memory, MiB" in printed


def test_targets_are_met_or_missed(quick):
    printed, figures, _ = quick
    lines = figures["targets"]
    assert lines and all(line in printed and "(target " in line for line in lines)
    assert all(line.split()[0] in ("met", "MISSED", "-") for line in lines)
    assert any("eager / NumPy backend, 2-16-16-1" in line for line in lines)
    assert not any("nan" in line for line in lines)  # as it is where ours was not measured


def test_graphs_of_single_numbers_are_beside_micrograd(quick):
    pytest.importorskip("micrograd")
    _, figures, _ = quick
    found = figures["runs"][0]["figures"][EXPRESSION]
    assert set(found) == {"loop", "by call", "eager", "micrograd"}


def test_the_plot_is_drawn(quick):
    pytest.importorskip("matplotlib")
    assert quick[2].read_bytes().startswith(b"\x89PNG")


def test_a_name_that_no_workload_has_is_refused():
    refused = run("--only", "3-3-3")
    assert refused.returncode == 2 and "no workload name contains 3-3-3" in refused.stderr
