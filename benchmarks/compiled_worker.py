"""One configuration of `compiled.py`, in a process of its own.

    python benchmarks/compiled_worker.py '{"threads": 1, "dtype": "float32", ...}' FILE

The environment is set before the process is there: NumPy and JAX read it when they are loaded.
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
from eager import OURS, check, installed, measured
from peers import SCALARS

import tinygrad_lr as tg

# ---- graphs of single numbers: micrograd's expression and its perceptron, as a step of descent


def scalar_steps(name: str, value: Any) -> Callable[[], Any]:
    """A step of `peers.SCALARS` whose numbers change, so that no compiler can compute it once."""
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
    rate = 1e-7 if small else 1e-4  # the expression is steep, and no loss should come to 0
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


def scalar_peers(name: str) -> dict[str, Callable[[], Peer]]:
    """Ours and micrograd's; the graphs are of Python's floats, whatever the configuration."""

    def in_a_loop() -> Peer:
        step = tg.compile(scalar_steps(name, tg.Value))
        return (lambda: step.loop(steps=SCALAR_LOOP)), SCALAR_LOOP

    def theirs() -> Peer:
        return scalar_steps(name, importlib.import_module("micrograd.engine").Value), 1

    return {
        LOOP: in_a_loop,
        CALL: lambda: (tg.compile(scalar_steps(name, tg.Value)), 1),
        EAGER: lambda: (scalar_steps(name, tg.Value), 1),
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
ELSEWHERE = {  # the peers in files of their own, which are imported only where they are installed
    JAX_SCAN: ("jax", "compiled_jax", "by_scan"),
    JAX_CALL: ("jax", "compiled_jax", "by_call"),
    TORCH: ("torch", "compiled_torch", "eager"),
    TORCH_COMPILE: ("torch", "compiled_torch", "compiled"),
}


def everyone(workload: Training | Function, settings: Settings) -> dict[str, Callable[[], Peer]]:
    """The peers by name, ready to be made."""

    def imported(package: str, module: str, name: str) -> Callable[[], Peer]:
        def make() -> Peer:
            if not installed(package):
                raise ImportError(f"{package} is not installed")
            return getattr(importlib.import_module(module), name)(workload, settings)

        return make

    near = {name: lambda make=make: make(workload, settings) for name, make in HERE.items()}
    return near | {name: imported(*place) for name, place in ELSEWHERE.items()}


def stream(run: Run, steps: int, workload: Any, expected: Any) -> Iterator[float]:
    """The losses, step after step; of a function, 1 + the distance of its result from eager's."""
    while True:
        found = run()
        if isinstance(workload, Function):
            length = float(np.linalg.norm(expected))
            yield 1 + float(np.linalg.norm(np.asarray(found) - expected)) / length
        else:
            yield from np.asarray(found).tolist() if steps > 1 else [float(found)]


def compared(
    name: str, makers: dict[str, Callable[[], Peer]], workload: Any, settings: Settings
) -> tuple[dict[str, float], dict[str, str]]:
    """µs a step by peer, after all agree on two losses; why others are not there.

    They are the losses of the third step and of the last step of a loop.
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
                some = stream(*found, workload, expected)
                losses[peer] = [next(islice(some, 2, None)), next(islice(some, last - 4, None))]
        except Exception as error:  # whatever another library, or its compiler, fails with
            first = next(iter(str(error).splitlines()), "")
            missing[peer] = f"not available: {type(error).__name__}: {first}"[:200]
            continue
        made[peer] = found
    named = {(OURS if peer == EAGER else peer): iter(two) for peer, two in losses.items()}
    tolerance = 1e-5 if settings.dtype == "float32" and workload else 1e-9
    check(name, {peer: two.__next__ for peer, two in named.items()}, tolerance)
    times = measured(
        {peer: run for peer, (run, _) in made.items()}, settings.rounds, settings.seconds
    )
    return {peer: time / made[peer][1] for peer, time in times.items()}, missing


def main() -> None:
    told = json.loads(sys.argv[1])
    settings = Settings(**{k: tuple(x) if isinstance(x, list) else x for k, x in told.items()})
    if hasattr(tg, "set_threads"):
        tg.set_threads(settings.threads)
    jobs: dict[str, Any] = {workload.name: workload for workload in WORKLOADS}
    jobs |= dict.fromkeys(SCALARS) if installed("micrograd") else {}
    result: dict[str, Any] = {"figures": {}, "missing": {}}
    for name in settings.names:
        if name in jobs:
            print(f"  {name}", file=sys.stderr, flush=True)
            workload = jobs[name]
            makers = everyone(workload, settings) if workload else scalar_peers(name)
            figures, missing = compared(name, makers, workload, settings)
            result["figures"][name], result["missing"][name] = figures, missing
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
