"""One configuration of `compiled.py`, in a process of its own.

    python benchmarks/compiled_worker.py '{"threads": 1, "dtype": "float32", ...}' FILE

The environment is set before the process starts: NumPy and JAX read it when they are imported.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import compiled_peers
import numpy as np
from compiled_figures import (
    CALL,
    EAGER,
    JAX_CALL,
    JAX_SCAN,
    LIMIT,
    LOOP,
    MICROGRAD,
    NUMPY_BACKEND,
    TORCH,
    TORCH_COMPILE,
)
from compiled_peers import WORKLOADS, Function, Peer, Run, Settings, Training
from eager import OURS, check_agreement, is_installed, time_steps
from peers import SCALARS

import tinygrad_lr as tg

# ---- graphs of scalars: micrograd's expression and its perceptron, as a step of descent


def make_scalar_step(name: str, value: Any) -> Callable[[], Any]:
    """Return a step of `peers.SCALARS` whose data change, so that it cannot be folded away."""
    nn = importlib.import_module("micrograd.nn")
    own, nn.Value = nn.Value, value
    try:
        model = nn.MLP(3, [4, 4, 1])
    finally:
        nn.Value = own
    generator = np.random.default_rng(0)
    for p in model.parameters():
        p.data = float(generator.uniform(-1, 1))
    rows = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    targets = [1.0, -1.0, -1.0, 1.0]
    first, second = value(-4.0), value(2.0)

    def perceptron() -> Any:
        return sum((model(row) - target) ** 2 for row, target in zip(rows, targets, strict=True))

    def expression() -> Any:
        a, b = first, second
        c = a + b
        d = a * b + b**3
        c += c + 1
        c += 1 + c + (-a)
        d += d * 2 + (b + a).relu()
        d += 3 * d + (b - a).relu()
        f = (c - d) ** 2
        g = f / 2.0
        g += 10.0 / f
        return g

    small = name == next(iter(SCALARS))
    forward, parameters = (
        (expression, [first, second]) if small else (perceptron, model.parameters())
    )
    rate = 1e-7 if small else 1e-4  # the expression is steep, and no loss should reach 0
    if value is not tg.Value:

        def step() -> Any:
            loss = forward()
            for p in parameters:
                p.grad = 0
            loss.backward()
            for p in parameters:
                p.data -= rate * p.grad
            return loss.data

        return step
    optimizer = tg.optim.SGD(parameters, rate)

    def ours() -> Any:
        loss = forward()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return ours


SCALAR_LOOP = 2000


def make_scalar_peers(name: str) -> dict[str, Callable[[], Peer]]:
    """Return our peers and micrograd; the graphs use Python floats in any configuration."""

    def in_a_loop() -> Peer:
        step = tg.compile(make_scalar_step(name, tg.Value))
        return (lambda: step.loop(steps=SCALAR_LOOP)), SCALAR_LOOP

    def theirs() -> Peer:
        return make_scalar_step(name, importlib.import_module("micrograd.engine").Value), 1

    return {
        LOOP: in_a_loop,
        CALL: lambda: (tg.compile(make_scalar_step(name, tg.Value)), 1),
        EAGER: lambda: (make_scalar_step(name, tg.Value), 1),
        MICROGRAD: theirs,
    }


# ---- a configuration

HERE = {
    LOOP: compiled_peers.by_loop,
    CALL: compiled_peers.by_call,
    NUMPY_BACKEND: compiled_peers.numpy_backend,
    EAGER: compiled_peers.eager,
    LIMIT: compiled_peers.limit,
}
ELSEWHERE = {  # peers in files of their own, imported only if the library is installed
    JAX_SCAN: ("jax", "compiled_jax", "by_scan"),
    JAX_CALL: ("jax", "compiled_jax", "by_call"),
    TORCH: ("torch", "compiled_torch", "eager"),
    TORCH_COMPILE: ("torch", "compiled_torch", "compiled"),
}


def make_peers(workload: Training | Function, settings: Settings) -> dict[str, Callable[[], Peer]]:
    """Return a function for each peer that makes it."""

    def imported(package: str, module: str, name: str) -> Callable[[], Peer]:
        def make() -> Peer:
            if not is_installed(package):
                raise ImportError(f"{package} is not installed")
            return getattr(importlib.import_module(module), name)(workload, settings)

        return make

    near = {name: lambda make=make: make(workload, settings) for name, make in HERE.items()}
    return near | {name: imported(*place) for name, place in ELSEWHERE.items()}


def iterate_losses(run: Run, steps: int, workload: Any, expected: Any) -> Iterator[float]:
    """Yield the loss of each step; for a function, 1 + the relative error of its result."""
    while True:
        found = run()
        if isinstance(workload, Function):
            length = float(np.linalg.norm(expected))
            yield 1 + float(np.linalg.norm(np.asarray(found) - expected)) / length
        else:
            yield from np.asarray(found).tolist() if steps > 1 else [float(found)]


def compare_peers(
    name: str, makers: dict[str, Callable[[], Peer]], workload: Any, settings: Settings
) -> tuple[dict[str, float], dict[str, str]]:
    """Return µs per step of each peer, and why others are missing.

    All peers must agree on the losses of the third step and of the last step of a loop.
    """
    made: dict[str, tuple[Run, int]] = {}
    missing: dict[str, str] = {}
    losses: dict[str, list[float]] = {}
    last = SCALAR_LOOP if workload is None else getattr(workload, "loop", 6)
    eager_peer = makers[EAGER]()
    expected = eager_peer[0]() if eager_peer and isinstance(workload, Function) else None
    for peer, make in makers.items():
        if peer in settings.without:
            missing[peer] = "left out of this run"
            continue
        try:
            if (found := make()) is None:
                continue
            if peer != LIMIT:
                some = iterate_losses(*found, workload, expected)
                losses[peer] = [next(islice(some, 2, None)), next(islice(some, last - 4, None))]
        except Exception as error:  # any failure of another library or its compiler
            first = next(iter(str(error).splitlines()), "")
            missing[peer] = f"not available: {type(error).__name__}: {first}"[:200]
            continue
        made[peer] = found
    named = {(OURS if peer == EAGER else peer): iter(two) for peer, two in losses.items()}
    tolerance = 1e-5 if settings.dtype == "float32" and workload else 1e-9
    check_agreement(name, {peer: two.__next__ for peer, two in named.items()}, tolerance)
    times = time_steps(
        {peer: run for peer, (run, _) in made.items()}, settings.rounds, settings.seconds
    )
    return {peer: time / made[peer][1] for peer, time in times.items()}, missing


def main() -> None:
    request = json.loads(sys.argv[1])
    settings = Settings(**{k: tuple(x) if isinstance(x, list) else x for k, x in request.items()})
    if hasattr(tg, "set_threads"):
        tg.set_threads(settings.threads)
    jobs: dict[str, Any] = {workload.name: workload for workload in WORKLOADS}
    jobs |= dict.fromkeys(SCALARS) if is_installed("micrograd") else {}
    result: dict[str, Any] = {"figures": {}, "missing": {}}
    for name in settings.names:
        if name in jobs:
            print(f"  {name}", file=sys.stderr, flush=True)
            workload = jobs[name]
            makers = make_peers(workload, settings) if workload else make_scalar_peers(name)
            figures, missing = compare_peers(name, makers, workload, settings)
            result["figures"][name], result["missing"][name] = figures, missing
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
