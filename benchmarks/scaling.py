"""Steps on one core and on two, by tinygrad_lr, JAX and PyTorch: µs per step, and the gain.

    python benchmarks/scaling.py                 # six minutes; needs two idle cores
    python benchmarks/scaling.py --quick         # a minute; rough

A network 784-256-128-10, convolutions on 50 images of 28 × 28, an attention block (steps of SGD,
float32) and a Gaussian process of 300 points (value and gradient, float64). Each library runs in a
process that may use that many cores, with as many threads; the processes of a round follow each
other, and each figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from eager import ROOT, THREADS, describe_machine, is_installed, time_steps

PEERS = {"tinygrad_lr": "numpy", "eager": "numpy", "JAX": "jax", "PyTorch": "torch"}
CORES = (1, 2)


def dense(random: Any) -> Any:
    import models

    shapes = ((784, 256), (256,), (256, 128), (128,), (128, 10), (10,))

    def loss(np: Any, p: Any, x: Any, y: Any) -> Any:
        for i in (0, 2):
            x = np.relu(np.matmul(x, p[i]) + p[i + 1])
        return np.mean((np.matmul(x, p[4]) + p[5] - y) ** 2)

    data = models.rows_of(random, (128, 784), (128, 10))
    return loss, models.drawn(random, *shapes), data


def convolutions(random: Any) -> Any:
    import models

    kernels = [random.normal(size=s).astype("f4") / 8 for s in ((16, 1, 3, 3), (32, 16, 3, 3))]

    def loss(np: Any, p: Any, x: Any, y: Any) -> Any:
        for kernel in p[:2]:
            x = np.max_pool2d(np.relu(np.conv2d(x, kernel)))
        return np.mean((np.matmul(x.reshape(50, 1568), p[2]) + p[3] - y) ** 2)

    parameters = [*kernels, *models.drawn(random, (1568, 10), (10,))]
    return loss, parameters, models.rows_of(random, (50, 1, 28, 28), (50, 10))


def make_steps(peer: str) -> dict[str, Any]:
    """Return the steps of a library, by name."""
    import models
    import numerics
    import numpy as np

    made = {
        "784-256-128-10 relu, 128 rows": dense,
        "convolutions, 50 images of 28 × 28": convolutions,
        "attention block, 8 × 32 × 64": models.attention_block,
    }
    make: Any = {
        "tinygrad_lr": lambda model: models.make_ours(model, True),
        "eager": lambda model: models.make_ours(model, False),
        "JAX": models.make_jax,
        "PyTorch": models.make_torch,
    }[peer]
    steps = {name: make(model(np.random.default_rng(0))) for name, model in made.items()}
    theta = np.array([-1.0, 0.0, -2.0])
    library = {"JAX": numerics.make_jax, "PyTorch": numerics.make_torch}.get(peer)
    if library:
        steps["Gaussian process, 300 points"] = library(numerics.gaussian_process, theta)
    else:
        tg = importlib.import_module("tinygrad_lr")
        names = numerics.Namespace(np)
        gradient = tg.value_and_grad(lambda t: numerics.gaussian_process(names, t))
        call = tg.compile(gradient) if peer == "tinygrad_lr" else gradient
        steps["Gaussian process, 300 points"] = lambda: call(theta)
    return steps


def work(peer: str, cores: int, seconds: float) -> None:
    """Print the µs per step of a library on a number of cores, as JSON."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    steps = make_steps(peer)
    if peer == "PyTorch":  # the models set one thread
        importlib.import_module("torch").set_num_threads(cores)
    if peer in {"tinygrad_lr", "eager"}:
        importlib.import_module("tinygrad_lr").set_threads(cores)
    found = {name: time_steps({name: step}, 3, seconds)[name] for name, step in steps.items()}
    print(json.dumps(found))


def run_worker(peer: str, cores: int, seconds: float) -> dict[str, float]:
    """Return what a worker prints."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    given = {**os.environ, **dict.fromkeys(THREADS, str(cores)), "PYTHONPATH": path}
    command = [sys.executable, str(Path(__file__)), "--worker", peer, str(cores), str(seconds)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=given)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round, rough figures")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        peer, cores, seconds = options.worker
        work(peer, int(cores), float(seconds))
        return
    rounds, seconds = (1, 0.02) if options.quick else (5, 0.2)
    peers = [peer for peer, package in PEERS.items() if is_installed(package)]
    times: dict[str, dict[str, dict[int, list[float]]]] = {}
    for _ in range(rounds):
        for peer in peers:
            for cores in CORES:
                for name, figure in run_worker(peer, cores, seconds).items():
                    by_cores = times.setdefault(name, {}).setdefault(peer, {})
                    by_cores.setdefault(cores, []).append(figure)
    machine = describe_machine().replace(" 1 thread used;", "")
    print(f"{machine}\nµs per step on one core and on two; medians of {rounds} rounds\n")
    print("| µs per step | " + " | ".join(peers) + " |\n| --- |" + " ---: |" * len(peers))
    for name, row in times.items():
        cells = []
        for peer in peers:
            one, two = (statistics.median(row[peer][cores]) for cores in CORES)
            cells.append(f"{one:.4g} → {two:.4g} ({one / two:.2f}×)")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
