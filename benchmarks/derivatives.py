"""Jacobians, Hessians and per-sample gradients compared with other libraries: µs per call.

    python benchmarks/derivatives.py             # three minutes; the table for the README
    python benchmarks/derivatives.py --quick     # seconds; rough

Each function is written once, for NumPy's names, in float64, and differentiated by tinygrad_lr,
eager and compiled, and by JAX (compiled by `jit`), torch.func and autograd where installed. All
must agree on every entry before anything is timed. One thread; rounds are interleaved, and each
figure is their median.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from eager import (
    OURS,
    ROOT,
    describe_machine,
    format_table,
    is_installed,
    restart_with_one_thread,
    time_steps,
)
from numerics import AUTOGRAD, JAX, Namespace

COMPILED = "compiled"
TORCH_FUNC = "torch.func"


class Library(NamedTuple):
    """What a program needs of a library: NumPy's names, and the transforms."""

    np: Any
    jacobian: Callable[..., Any]
    hessian: Callable[..., Any]
    gradients: Callable[..., Any] | None  # of each sample: a function of parameters, x and y
    array: Callable[[Any], Any]
    run: Callable[[Any], Any]  # the function as it is called: compiled, where the library does


# ---- the programs: a function to call, and what to call it with


def rosenbrock(size: int) -> Callable[[Library, Any], Any]:
    def program(library: Library, random: Any) -> Any:
        def f(x: Any) -> Any:
            return library.np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

        return library.hessian(f), (random.normal(size=size),)

    return program


def dense_hessian(library: Library, random: Any) -> Any:
    """Return the Hessian of a loss of logistic regression, which has no zeros."""
    np, rows = library.np, library.array(random.normal(size=(200, 100)))

    def f(w: Any) -> Any:
        return np.sum(np.log(1.0 + np.exp(-np.matmul(rows, w))))

    return library.hessian(f), (random.normal(size=100) / 10,)


def network_hessian(library: Library, random: Any) -> Any:
    """Return the Hessian of the loss of a network 4-16-3 in its 131 weights, on 150 rows."""
    np = library.np
    x, y = (library.array(random.normal(size=(150, width))) for width in (4, 3))

    def f(w: Any) -> Any:
        hidden = np.tanh(np.matmul(x, w[:64].reshape(4, 16)) + w[64:80])
        return np.mean((np.matmul(hidden, w[80:128].reshape(16, 3)) + w[128:] - y) ** 2)

    return library.hessian(f), (random.normal(size=131) / 3,)


def weights_jacobian(library: Library, random: Any) -> Any:
    """Return the Jacobian of a layer 20-5 of 50 rows in its weights."""
    np, rows = library.np, library.array(random.normal(size=(50, 20)))

    def f(w: Any) -> Any:
        return np.tanh(np.matmul(rows, w))

    return library.jacobian(f), (random.normal(size=(20, 5)),)


def network_jacobian(inputs: int, outputs: int) -> Callable[[Library, Any], Any]:
    def program(library: Library, random: Any) -> Any:
        np = library.np
        first = library.array(random.normal(size=(100, inputs)) / inputs**0.5)
        second = library.array(random.normal(size=(outputs, 100)) / 10)

        def f(x: Any) -> Any:
            return np.tanh(np.matmul(second, np.tanh(np.matmul(first, x))))

        return library.jacobian(f), (random.normal(size=inputs),)

    return program


def per_sample_gradients(library: Library, random: Any) -> Any:
    """Return the gradients of a network 64-32-10 for each of 128 rows."""
    if library.gradients is None:
        return None
    np = library.np

    def loss(weights: Any, x: Any, y: Any) -> Any:
        hidden = np.tanh(np.matmul(x, weights[0]) + weights[1])
        return np.sum((np.matmul(hidden, weights[2]) - y) ** 2)

    shapes = ((64, 32), (32,), (32, 10))
    weights = [library.array(random.normal(size=shape) / 8) for shape in shapes]
    data = random.normal(size=(128, 64)), random.normal(size=(128, 10))
    return library.gradients(loss), (weights, *data)


PROGRAMS: dict[str, Callable[[Library, Any], Any]] = {
    "Hessian of Rosenbrock, 100 variables": rosenbrock(100),
    "Hessian of Rosenbrock, 1000 variables": rosenbrock(1000),
    "Hessian, logistic regression, 100 variables": dense_hessian,
    "Hessian, network 4-16-3 in its weights": network_hessian,
    "Jacobian, 100 → 100": network_jacobian(100, 100),
    "Jacobian, 10 → 1000": network_jacobian(10, 1000),
    "Jacobian, 1000 → 10": network_jacobian(1000, 10),
    "Jacobian, 50 rows of a layer 20-5, in its weights": weights_jacobian,
    "per-sample gradients, 64-32-10, 128 rows": per_sample_gradients,
}

# ---- the libraries


def make_ours(compiled: bool) -> Library:
    import numpy as np

    tg = importlib.import_module(OURS)
    gradients: Any = lambda loss: tg.vmap(tg.grad(loss), in_axes=(None, 0, 0))
    run = tg.compile if compiled else lambda f: f
    return Library(np, tg.jacobian, tg.hessian, gradients, np.asarray, run)


def make_jax() -> Library:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    gradients: Any = lambda loss: jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))

    def run(f: Any) -> Any:
        compiled = jax.jit(f)
        return lambda *given: jax.block_until_ready(compiled(*given))

    def jacobian(f: Any) -> Any:
        """Return the Jacobian in the mode that is cheaper for its shape, as a user would choose."""

        def of(x: Any) -> Any:
            wide = jax.eval_shape(f, x).size < x.size
            return (jax.jacrev if wide else jax.jacfwd)(f)(x)

        return of

    return Library(jax.numpy, jacobian, jax.hessian, gradients, jax.numpy.asarray, run)


def make_torch() -> Library:
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    func = torch.func
    gradients: Any = lambda loss: func.vmap(func.grad(loss), in_dims=(None, 0, 0))

    def jacobian(f: Any) -> Any:
        def of(x: Any) -> Any:
            return (func.jacrev if f(x).numel() < x.numel() else func.jacfwd)(f)(x)

        return of

    return Library(torch, jacobian, func.hessian, gradients, torch.from_numpy, lambda f: f)


def make_autograd() -> Library:
    autograd = importlib.import_module("autograd")
    names = importlib.import_module("autograd.numpy")
    here = Namespace(names), autograd.jacobian, autograd.hessian
    return Library(*here, None, names.asarray, lambda f: f)


PEERS: dict[str, tuple[str, Callable[[], Library]]] = {
    OURS: ("numpy", lambda: make_ours(False)),
    COMPILED: ("numpy", lambda: make_ours(True)),
    JAX: ("jax", make_jax),
    TORCH_FUNC: ("torch", make_torch),
    AUTOGRAD: ("autograd", make_autograd),
}


def flatten(found: Any) -> list[Any]:
    """Return the arrays of a result, as NumPy's."""
    import numpy as np

    parts = found if isinstance(found, (list, tuple)) else [found]
    return [np.asarray(part) for part in parts]


def compare(name: str, libraries: dict[str, Library], rounds: int, seconds: float) -> Any:
    """Return µs per call of each library; all must agree."""
    import numpy as np

    calls, expected = {}, None
    for peer, library in libraries.items():
        made = PROGRAMS[name](library, np.random.default_rng(0))
        if made is None:
            continue
        function, given = library.run(made[0]), made[1]
        given = [x if isinstance(x, list) else library.array(x) for x in given]
        calls[peer] = lambda function=function, given=given: function(*given)
        found = flatten(calls[peer]())
        expected = expected or found
        for ours, theirs in zip(expected, found, strict=True):
            if not np.allclose(ours, theirs, rtol=1e-8, atol=1e-8):
                raise SystemExit(f"{name}: {peer} disagrees")
    return time_steps(calls, rounds, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds, rough figures")
    rounds, seconds = (3, 0.01) if parser.parse_args().quick else (15, 0.2)
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    restart_with_one_thread()
    sys.path.insert(0, str(ROOT))
    importlib.import_module(OURS).set_threads(1)
    libraries = {name: make() for name, (package, make) in PEERS.items() if is_installed(package)}
    rows = {name: compare(name, libraries, rounds, seconds) for name in PROGRAMS}
    print(f"{describe_machine()}\nall agree on every entry; medians of {rounds} rounds\n")
    print(format_table(list(libraries), rows))


if __name__ == "__main__":
    main()
