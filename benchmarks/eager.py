"""Eager training steps compared with other libraries: µs per step, all measured in one run.

    python benchmarks/eager.py                   # a minute; the table for the README
    python benchmarks/eager.py --quick           # seconds; rough
    python benchmarks/eager.py --json out.json

Four networks, float32, mean squared error, a full step (forward, backward, SGD) on the same data:
by tinygrad_lr, by handwritten NumPy, and by PyTorch, autograd and MyGrad where installed. Then
graphs of scalars, compared with micrograd, which runs the same code on both `Value`s; then the time
to import. Before anything is timed, all must agree on the loss after a step. Rounds are
interleaved, so that a busy machine affects all alike; each figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
OURS, HAND = "tinygrad_lr", "NumPy by hand"
Step = Callable[[], Any]


def restart_with_one_thread() -> None:
    """Restart with one BLAS thread: NumPy reads the environment when it is imported."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def is_installed(package: str) -> bool:
    """Return True if a package can be imported."""
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


def check_agreement(name: str, steps: dict[str, Step], tolerance: float) -> None:
    """Exit unless all compute the same loss before and after a step."""
    losses = {peer: [float(step()) for _ in range(2)] for peer, step in steps.items()}
    expected = losses[OURS]
    for peer, found in losses.items():
        pairs = zip(found, expected, strict=True)
        if not all(math.isclose(a, b, rel_tol=tolerance) for a, b in pairs):
            raise SystemExit(f"{name}: {peer} computes the losses {found}, {OURS} {expected}")


def time_steps(steps: dict[str, Step], rounds: int, seconds: float) -> dict[str, float]:
    """Return the median of µs per step over rounds; each peer runs for `seconds` in each round."""
    calls = {}
    for peer, step in steps.items():
        count, spent = 1, 0.0
        while spent < seconds / 4:  # warm up, and find how many steps fill the time
            count = count * 2 if spent else 1
            start = time.perf_counter()
            for _ in range(count):
                step()
            spent = time.perf_counter() - start
        calls[peer] = max(1, round(count * seconds / spent))
    times: dict[str, list[float]] = {peer: [] for peer in steps}
    for turn in range(rounds):
        order = list(steps.items())
        for peer, step in order[turn % len(order) :] + order[: turn % len(order)]:
            start = time.perf_counter()
            for _ in range(calls[peer]):
                step()
            times[peer].append((time.perf_counter() - start) / calls[peer] * 1e6)
    return {peer: statistics.median(found) for peer, found in times.items()}


def time_imports(rounds: int) -> dict[str, float]:
    """Return the milliseconds that imports take, each in a process of its own."""
    code = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    times: dict[str, list[float]] = {"numpy": [], OURS: []}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for turn in range(rounds + 1):
        for package, found in times.items():
            run = [sys.executable, "-c", code.format(package)]
            text = subprocess.run(
                run, capture_output=True, check=True, cwd=ROOT, env=environment
            ).stdout
            if turn:  # the first one compiles to bytecode and warms the disk's cache
                found.append(float(text) * 1e3)
    return {package: statistics.median(found) for package, found in times.items()}


def describe_machine() -> str:
    """Return the CPU, and the versions of what is measured."""
    cpu = platform.processor() or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        cpu = next(s.partition(":")[2].strip() for s in text.splitlines() if "model name" in s)
    except (OSError, StopIteration):
        pass
    found = []
    for package in ("numpy", "torch", "jax", "autograd", "mygrad", "micrograd"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return (
        f"{cpu}, {os.cpu_count()} cores, 1 thread used; Python {platform.python_version()}, "
        f"{', '.join(found)}"
    )


def format_table(head: list[str], rows: dict[str, dict[str, float]]) -> str:
    """Return a Markdown table: µs per step, and in brackets the ratio to ours."""
    lines = ["| µs per step | " + " | ".join(head) + " |", "| --- |" + " ---: |" * len(head)]
    for name, figures in rows.items():
        cells = []
        for peer in head:
            if peer not in figures:
                cells.append("")
                continue
            figure = figures[peer]
            times = "" if peer == OURS else f" ({figure / figures[OURS]:.2f}×)"
            cells.append(f"{figure:.3g}{times}" if figure < 1000 else f"{figure:.0f}{times}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def compare_with_targets(result: dict[str, Any]) -> list[str]:
    """Return a line for each performance target: what was measured, and if the target is met."""
    name, targets = "2-16-16-1 tanh, 100 rows", []
    small = result["networks"][name]
    ours = small[OURS]
    targets.append((f"{OURS} / NumPy by hand, {name}", ours / small[HAND], "<=", 2.0))
    for peer, least in (("PyTorch", 2.5), ("MyGrad", 2.0)):
        if peer in small:
            targets.append((f"{peer} / {OURS}, {name}", small[peer] / ours, ">=", least))
    for graph, figures in result["scalars"].items():
        targets.append(
            (f"micrograd / {OURS}, {graph}", figures["micrograd"] / figures[OURS], ">=", 1.5)
        )
    imports = result["import_ms"]
    targets.append((f"import {OURS} / import numpy", imports[OURS] / imports["numpy"], "<=", 1.2))
    lines = []
    for what, found, sign, bound in targets:
        met = found <= bound if sign == "<=" else found >= bound
        lines.append(
            f"{'met   ' if met else 'MISSED'}  {what}: {found:.2f} (target {sign} {bound})"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds, rough figures")
    parser.add_argument("--json", metavar="FILE", help="also write the figures to a JSON file")
    options = parser.parse_args()
    rounds, seconds, imports = (3, 0.004, 3) if options.quick else (25, 0.04, 15)

    restart_with_one_thread()
    sys.path.insert(0, str(ROOT))
    from peers import NETWORKS, PEERS, SCALARS  # these import NumPy, which must see one thread

    tg = importlib.import_module(OURS)
    peers = {name: make for name, (package, make) in PEERS.items() if is_installed(package)}
    missing = [name for name in PEERS if name not in peers]
    result: dict[str, Any] = {"machine": describe_machine(), "networks": {}, "scalars": {}}
    for network in NETWORKS:
        steps = {name: make(network) for name, make in peers.items()}
        check_agreement(network.name, steps, 1e-5)
        result["networks"][network.name] = time_steps(steps, rounds, seconds)
    if is_installed("micrograd"):
        values = {OURS: tg.Value, "micrograd": importlib.import_module("micrograd.engine").Value}
        for name, make in SCALARS.items():
            steps = {peer: make(value) for peer, value in values.items()}
            check_agreement(name, steps, 1e-12)
            result["scalars"][name] = time_steps(steps, rounds, seconds)
    else:
        missing.append("micrograd")
    result["import_ms"] = time_imports(imports)
    result["missing"] = missing

    print(f"{result['machine']}\nall agree on the loss after a step; medians of {rounds} rounds\n")
    print(format_table(list(peers), result["networks"]))
    if result["scalars"]:
        print("\n" + format_table([OURS, "micrograd"], result["scalars"]))
    took = result["import_ms"]
    print(f"\nimport numpy {took['numpy']:.0f} ms, import {OURS} {took[OURS]:.0f} ms\n")
    print("\n".join(compare_with_targets(result)))
    if missing:
        print(f"not installed, not measured: {', '.join(missing)}")
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
