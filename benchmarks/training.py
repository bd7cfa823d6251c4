"""Training as programs do it, beside JAX and scikit-learn: Adam in a loop, `fit`, long programs.

    python benchmarks/training.py             # four minutes
    python benchmarks/training.py --quick     # rough

- a step of Adam of two networks, float32, by our loop and by JAX's scan: an embedding of three
  letters with 200 tanh and 27 classes, and an LSTM 16-64 on 16 steps of 32 rows;
- a step of SGD of the mean of 8 embedded words and 10 classes, 32 rows, float32, by our loop and by
  JAX's scan: tables of 10 000 and 100 000 words, 64 wide;
- `fit` on scikit-learn's digits, 20 epochs of 57 batches: eager, compiled with an empty cache and
  with the cache left behind, and scikit-learn's MLPClassifier, each in a new process;
- steps of SGD of six models that no other benchmark has (`models.py`): an attention block, batch
  normalisation, 50 residual layers, a loss of a second derivative, an unrolled Runge-Kutta method,
  odd sizes; eager, compiled, by JAX's jit and by PyTorch;
- the first call of programs of 1000 to 8000 operations, and of the gradient of a recurrence of
  1000 steps in Python: the time of a processor, and its growth;
- the gradient of a recurrence of 1000 steps by `scan`, 16 rows of 32, ours and JAX's: the first
  call, and those after it.

One thread. Both libraries must agree on the losses of the last steps. Rounds are interleaved, and
each figure is the median of its rounds; ratios are those to tinygrad_lr.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from eager import (
    ROOT,
    check_agreement,
    describe_machine,
    format_table,
    is_installed,
    restart_with_one_thread,
    time_steps,
)

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
if __name__ == "__main__":
    restart_with_one_thread()

import numpy as np

import tinygrad_lr as tg

STEPS, RATE = 50, 1e-3
LETTERS, DIM, HIDDEN, ROWS = 27, 10, 200, 32
INPUTS, STATE, TIMES, OUTPUTS = 16, 64, 16, 10
WORDS, WIDTH = 8, 64
OURS, SCAN = "tinygrad_lr, loop", "JAX scan"
FIT = """
import json, sys, time
import numpy as np
from sklearn.datasets import load_digits
x, y = load_digits(return_X_y=True)
x = (x / 16).astype("f4")
if sys.argv[1] == "scikit-learn":
    import warnings
    from sklearn.neural_network import MLPClassifier
    warnings.simplefilter("ignore")
    model = MLPClassifier((64,), batch_size=32, max_iter=20, tol=0, n_iter_no_change=100)
    run = lambda: model.fit(x, y)
else:
    import tinygrad_lr as tg
    model = tg.nn.MLP(64, [64], 10, generator=0)
    run = lambda: tg.fit(
        model, x, y, loss=tg.losses.cross_entropy, epochs=20, batch_size=32,
        optimizer=tg.optim.Adam(model.parameters(), 1e-3), compile=sys.argv[1] != "eager",
    )
began = time.perf_counter(), time.process_time()
run()
print(json.dumps([time.perf_counter() - began[0], time.process_time() - began[1]]))
"""


# ---- steps of Adam and SGD


def embedding() -> tuple[Any, ...]:
    """Return parameters, the loss of a step, and data of the network of letters."""
    table = tg.nn.Embedding(LETTERS, DIM, generator=0)
    hidden = tg.nn.Linear(3 * DIM, HIDDEN, generator=1)
    head = tg.nn.Linear(HIDDEN, LETTERS, generator=2)
    random = np.random.default_rng(0)
    x, y = random.integers(0, LETTERS, (ROWS, 3)), random.integers(0, LETTERS, ROWS)

    def loss(x: Any, y: Any) -> Any:
        h = np.tanh(hidden(table(x).reshape(ROWS, 3 * DIM)))
        return tg.losses.cross_entropy(head(h), y)

    def theirs(jax: Any, p: Any, x: Any, y: Any) -> Any:
        np = jax.numpy
        h = np.tanh(p[0][x].reshape(ROWS, -1) @ p[1] + p[2])
        return -np.mean(jax.nn.log_softmax(h @ p[3] + p[4])[np.arange(ROWS), y])

    return [*table.parameters(), *hidden.parameters(), *head.parameters()], loss, theirs, x, y


def lstm() -> tuple[Any, ...]:
    """Return parameters, the loss of a step, and data of the LSTM."""
    layer = tg.nn.LSTM(INPUTS, STATE, batch_first=True, generator=0)
    head = tg.nn.Linear(STATE, OUTPUTS, generator=1)
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, TIMES, INPUTS)).astype("f4")
    y = random.normal(size=(ROWS, TIMES, OUTPUTS)).astype("f4")

    def theirs(jax: Any, p: Any, x: Any, y: Any) -> Any:
        np, sigmoid = jax.numpy, jax.nn.sigmoid
        inputs = np.swapaxes(x, 0, 1) @ p[0] + p[2] + p[3]

        def step(carry: Any, z: Any) -> Any:
            h, c = carry
            i, f, g, o = np.split(z + h @ p[1], 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            return (h, c), h

        zeros = np.zeros((ROWS, STATE), x.dtype)
        _, states = jax.lax.scan(step, (zeros, zeros), inputs)
        return np.mean((np.swapaxes(states, 0, 1) @ p[4] + p[5] - y) ** 2)

    parameters = [*layer.parameters(), *head.parameters()]
    return parameters, lambda x, y: tg.losses.mse(head(layer(x)[0]), y), theirs, x, y


def words(count: int) -> tuple[Any, ...]:
    """Return parameters, the loss of a step, and data of the mean of embedded words."""
    table = tg.nn.Embedding(count, WIDTH, generator=0)
    head = tg.nn.Linear(WIDTH, OUTPUTS, generator=1)
    random = np.random.default_rng(0)
    x, y = random.integers(0, count, (ROWS, WORDS)), random.integers(0, OUTPUTS, ROWS)

    def theirs(jax: Any, p: Any, x: Any, y: Any) -> Any:
        np = jax.numpy
        scores = np.mean(p[0][x], axis=1) @ p[1] + p[2]
        return -np.mean(jax.nn.log_softmax(scores)[np.arange(ROWS), y])

    def loss(x: Any, y: Any) -> Any:
        return tg.losses.cross_entropy(head(table(x).mean(axis=1)), y)

    return [*table.parameters(), *head.parameters()], loss, theirs, x, y


def make_ours(
    parameters: Any, loss_of: Any, x: Any, y: Any, method: Any = tg.optim.Adam
) -> Callable[[], Any]:
    optimizer = method(parameters, RATE)

    @tg.compile
    def step(x: Any, y: Any) -> Any:
        loss = loss_of(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return lambda: step.loop(x, y, steps=STEPS)


def make_theirs(
    initial: Any, loss_of: Any, x: Any, y: Any, method: Any = tg.optim.Adam
) -> Callable[[], Any]:
    import jax

    x, y = map(jax.numpy.asarray, (x, y))

    def descend(p: Any, _: Any) -> Any:
        loss, g = jax.value_and_grad(lambda p: loss_of(jax, p, x, y))(p)
        return jax.tree.map(lambda p, g: p - RATE * g, p, g), loss

    def step(carry: Any, _: Any) -> Any:
        p, mean, square, count = carry
        loss, g = jax.value_and_grad(lambda p: loss_of(jax, p, x, y))(p)
        count = count + 1
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, g)
        square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, g)
        first, second = 1 - 0.9**count, 1 - 0.999**count

        def move(p: Any, m: Any, v: Any) -> Any:
            return p - RATE * (m / first) / (jax.numpy.sqrt(v / second) + 1e-8)

        return (jax.tree.map(move, p, mean, square), mean, square, count), loss

    p = list(map(jax.numpy.asarray, initial))
    mean, square = ([jax.numpy.zeros_like(x) for x in p] for _ in range(2))
    adam = method is tg.optim.Adam
    carry: Any = (p, mean, square, jax.numpy.float32(0)) if adam else p
    one = step if adam else descend
    steps = jax.jit(lambda carry: jax.lax.scan(one, carry, None, length=STEPS), donate_argnums=0)

    def run() -> Any:
        nonlocal carry
        carry, losses = steps(carry)
        return np.asarray(losses)

    return run


def compare_steps(
    made: tuple[Any, ...], rounds: int, seconds: float, method: Any = tg.optim.Adam
) -> dict[str, float]:
    """Return µs per step of both; they must agree on the losses."""
    parameters, ours, theirs, x, y = made
    initial = [p.numpy() for p in parameters]
    runs = {OURS: make_ours(parameters, ours, x, y, method)}
    if is_installed("jax"):
        runs[SCAN] = make_theirs(initial, theirs, x, y, method)
    losses = [run()[-1] for run in runs.values()]
    if not np.allclose(losses, losses[0], rtol=1e-2):
        raise SystemExit(f"a step of {method.__name__}: the losses are {losses}")
    return {peer: time / STEPS for peer, time in time_steps(runs, rounds, seconds).items()}


def compare_models(rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Return µs per step of each model and library; they must agree on the losses."""
    import models

    makers = {
        "tinygrad_lr": lambda model: models.make_ours(model, False),
        "compiled": lambda model: models.make_ours(model, True),
        **({"JAX jit": models.make_jax} if is_installed("jax") else {}),
        **({"PyTorch": models.make_torch} if is_installed("torch") else {}),
    }
    rows = {}
    for name, make in models.MODELS.items():
        steps = {peer: maker(make(np.random.default_rng(0))) for peer, maker in makers.items()}
        check_agreement(name, steps, 1e-3)
        rows[name] = time_steps(steps, rounds, seconds)
    return rows


# ---- fit


def time_fit(kind: str, cache: str) -> list[float]:
    """Return the seconds of a fit in a new process, on the clock and of the processor."""
    given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**given, "PYTHONPATH": path, "TINYGRAD_LR_CACHE": cache}
    command = [sys.executable, "-c", FIT, kind]
    run = subprocess.run(command, check=True, capture_output=True, env=environment)
    found: list[float] = json.loads(run.stdout)
    return found


def compare_fits(rounds: int) -> dict[str, list[float]]:
    """Return the median seconds of each kind of fit."""
    times: dict[str, list[list[float]]] = {}
    for turn in range(rounds + 1):
        with tempfile.TemporaryDirectory() as cache:
            for name in ("eager", "compiled, nothing cached", "compiled, cached", "scikit-learn"):
                found = time_fit(name.partition(",")[0], cache)
                if turn:  # the first round writes bytecode
                    times.setdefault(name, []).append(found)
    return {
        name: list(map(statistics.median, zip(*found, strict=True)))
        for name, found in times.items()
    }


# ---- long programs


def chain(count: int) -> tuple[Any, ...]:
    def f(x: Any) -> Any:
        for _ in range(count // 4):
            x = np.sin(x) * 0.5 + x * 1.01
        return x

    return f, np.linspace(0, 1, 64)


def layers(count: int) -> tuple[Any, ...]:
    def f(x: Any, weights: Any) -> Any:
        for w in weights:
            x = np.tanh(x @ w + 0.1)
        return x

    return f, np.ones((4, 8)), [np.eye(8) * (0.9 + i * 1e-5) for i in range(count // 3)]


def recurrence(count: int) -> tuple[Any, ...]:
    def loss(weight: Any, x: Any) -> Any:
        h = x
        for _ in range(count):
            h = np.tanh(h @ weight + x)
        return np.sum(h)

    return tg.grad(loss), np.eye(8) * 0.9, np.ones((4, 8))


def scanned(count: int) -> dict[str, tuple[Any, ...]]:
    """Return the gradient of a recurrence by the scan of each library, compiled, and its data."""

    def make(np: Any, scan: Any) -> Any:
        def loss(weight: Any, x: Any) -> Any:
            def step(h: Any, row: Any) -> Any:
                h = np.tanh(h @ weight + row)
                return h, np.sum(h)

            h, sums = scan(step, x[0] * 0, x)
            return np.sum(h * h) + np.sum(sums)

        return loss

    random = np.random.default_rng(0)
    given = (
        (random.normal(size=(32, 32)) / 6).astype("f4"),
        random.normal(size=(count, 16, 32)).astype("f4"),
    )
    found = {"tinygrad_lr": (tg.compile(tg.grad(make(np, tg.scan))), *given)}
    if is_installed("jax"):
        import jax

        gradient = jax.jit(jax.grad(make(jax.numpy, jax.lax.scan)))
        found["JAX"] = (lambda *x: np.asarray(gradient(*x)), *map(jax.numpy.asarray, given))
    return found


def compare_scans(rounds: int, seconds: float) -> dict[str, tuple[float, float]]:
    """Return ms of the first call and of later ones; both must agree on the gradient."""
    first, results = {}, {}
    programs = scanned(1000)
    for name, (function, *given) in programs.items():
        began = time.process_time()
        results[name] = function(*given)
        first[name] = 1e3 * (time.process_time() - began)
    expected = results["tinygrad_lr"]
    if not all(np.allclose(x, expected, rtol=1e-2, atol=1e-2) for x in results.values()):
        raise SystemExit("scan: the gradients differ")
    runs = {
        name: lambda function=function, given=given: function(*given)
        for name, (function, *given) in programs.items()
    }
    times = time_steps(runs, rounds, seconds)
    return {name: (first[name], times[name] / 1e3) for name in programs}


def time_first_call(program: tuple[Any, ...]) -> float:
    """Return the seconds of a processor of the first call, nothing cached."""
    function, *given = program
    compiled = tg.compile(function)
    began = time.process_time()
    compiled(*given)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds, rough figures")
    quick = parser.parse_args().quick
    rounds, seconds = (3, 0.02) if quick else (15, 0.1)
    tg.set_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TINYGRAD_LR_CACHE"] = cache  # read when the first program is compiled
        measure(rounds, seconds)


def measure(rounds: int, seconds: float) -> None:
    """Print the tables."""
    print(describe_machine(), "\n")
    print("| µs per step | tinygrad_lr, loop | JAX scan |\n| --- | ---: | ---: |")
    for name, made, method in (
        ("embedding of 3 letters, 200 tanh, 27 classes, 32 rows, Adam", embedding(), tg.optim.Adam),
        ("LSTM 16-64, 32 rows of 16 steps, Adam", lstm(), tg.optim.Adam),
        ("8 of 10 000 words, 32 rows, SGD", words(10_000), tg.optim.SGD),
        ("8 of 100 000 words, 32 rows, SGD", words(100_000), tg.optim.SGD),
    ):
        found = compare_steps(made, rounds, seconds, method)
        cells = [f"{found[OURS]:.3g}"]
        if SCAN in found:
            cells.append(f"{found[SCAN]:.3g} ({found[SCAN] / found[OURS]:.2f}×)")
        print(f"| {name} | {' | '.join(cells)} |")
    models = compare_models(rounds, seconds)
    print("\n" + format_table([*next(iter(models.values()))], models))
    if is_installed("sklearn"):
        print("\n| fit, digits, 20 epochs of 57 steps | s | of a processor |")
        print("| --- | ---: | ---: |")
        for name, (wall, cpu) in compare_fits(max(1, rounds // 3)).items():
            print(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    print("\n| first call, s of a processor | operations | s | ms per 1000 |")
    print("| --- | ---: | ---: | ---: |")
    time_first_call(chain(100))
    for name, program in {"chain": chain, "layers": layers}.items():
        for count in (1000, 2000, 4000, 8000):
            spent = time_first_call(program(count))
            print(f"| {name} | {count} | {spent:.2f} | {spent / count * 1e6:.0f} |")
    spent = time_first_call(recurrence(1000))
    print(f"| gradient of a recurrence of 1000 steps | 12000 | {spent:.2f} | {spent / 12e-3:.0f} |")
    print("\n| gradient of 1000 steps by scan, ms | first call | later |\n| --- | ---: | ---: |")
    for name, (begin, later) in compare_scans(rounds, seconds).items():
        print(f"| {name} | {begin:.0f} | {later:.2f} |")


if __name__ == "__main__":
    main()
