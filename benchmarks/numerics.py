"""Gradients of numerical programs compared with other libraries: µs per value and gradient.

    python benchmarks/numerics.py                # two minutes; the table for the README
    python benchmarks/numerics.py --quick        # seconds; rough

Decompositions, solvers, transforms, sorting, interpolation, a Kalman filter of 1000 steps and a
Gaussian process of 300 points, float64, one thread: each function is written once, for NumPy's
names, and runs with tinygrad_lr (on NumPy itself), and with autograd, JAX (compiled by `jit`) and
PyTorch where installed. All must agree on value and gradient before anything is timed. Rounds are
interleaved; each figure is their median.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from eager import (
    OURS,
    ROOT,
    describe_machine,
    format_table,
    is_installed,
    restart_with_one_thread,
    time_steps,
)

AUTOGRAD, JAX, TORCH = "autograd", "JAX", "PyTorch"
Function = Callable[[Any, Any], Any]

# The functions: of a namespace with NumPy's names and a parameter ---------------------------------


def symmetric(np: Any, x: Any) -> Any:
    """Return a positive definite matrix."""
    return np.matmul(x, x.T) + len(x) * np.eye(len(x))


def log_determinant(np: Any, factor: Any) -> Any:
    """Return the logarithm of the determinant of a matrix, from its Cholesky factor."""
    i = np.arange(len(factor))
    return 2.0 * np.sum(np.log(factor[i, i]))  # autograd has no derivative of `diagonal` here


def cholesky(np: Any, x: Any) -> Any:
    return log_determinant(np, np.linalg.cholesky(symmetric(np, x)))


def solve(np: Any, x: Any) -> Any:
    return np.sum(np.linalg.solve(symmetric(np, x), x) ** 2)


def eigh(np: Any, x: Any) -> Any:
    numbers, vectors = np.linalg.eigh(symmetric(np, x))
    return np.sum(numbers * vectors[0] ** 2)


def svd(np: Any, x: Any) -> Any:
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    return np.sum(s * u[0] ** 2)


def fft(np: Any, x: Any) -> Any:
    return np.sum(np.abs(np.fft.fft(x)) ** 2)


def sort(np: Any, x: Any) -> Any:
    return np.sum(np.sort(x.reshape(-1)) * np.linspace(0.0, 1.0, x.shape[0] * x.shape[1]))


def interp(np: Any, x: Any) -> Any:
    knots = np.linspace(-1.0, 1.0, x.shape[0])
    return np.sum(np.interp(np.linspace(-0.9, 0.9, 1000), knots, x[0]) ** 2)


def kalman_filter(np: Any, theta: Any) -> Any:
    """Position and velocity from 1000 noisy positions: the negative log likelihood."""
    q, r = np.exp(theta[0]), np.exp(theta[1])
    F = np.asarray([[1.0, 1.0], [0.0, 1.0]])
    H = np.asarray([[1.0, 0.0]])
    one = np.eye(2)

    def step(state: Any, y: Any) -> Any:
        m, P, loss = state
        m, P = np.matmul(F, m), np.matmul(np.matmul(F, P), F.T) + q * one
        S = np.matmul(np.matmul(H, P), H.T) + r
        K = np.matmul(P, H.T) / S
        v = y - np.matmul(H, m)
        m, P = m + np.matmul(K, v), np.matmul(one - np.matmul(K, H), P)
        return m, P, loss + 0.5 * (np.log(S[0, 0]) + v[0] ** 2 / S[0, 0])

    series = np.sin(np.linspace(0.0, 30.0, 1000))
    return np.scan(step, (np.zeros(2), 10.0 * one, 0.0), series)[2]


def gaussian_process(np: Any, theta: Any) -> Any:
    """The negative log marginal likelihood of 300 points, from length, height and noise."""
    length, height, noise = np.exp(theta[0]), np.exp(theta[1]), np.exp(theta[2])
    t = np.linspace(0.0, 10.0, 300)
    y = np.sin(t)
    distance = t.reshape(-1, 1) - t.reshape(1, -1)
    K = height * np.exp(-0.5 * (distance / length) ** 2) + noise * np.eye(300)
    L = np.linalg.cholesky(K)
    return 0.5 * (np.sum(y * np.linalg.solve(K, y)) + log_determinant(np, L))


PROGRAMS: dict[str, tuple[Function, tuple[int, ...]]] = {
    "Cholesky, 8 × 8": (cholesky, (8, 8)),
    "Cholesky, 100 × 100": (cholesky, (100, 100)),
    "solve, 8 × 8": (solve, (8, 8)),
    "solve, 100 × 100": (solve, (100, 100)),
    "eigh, 8 × 8": (eigh, (8, 8)),
    "eigh, 100 × 100": (eigh, (100, 100)),
    "SVD, 8 × 5": (svd, (8, 5)),
    "SVD, 100 × 50": (svd, (100, 50)),
    "FFT, 16 × 64": (fft, (16, 64)),
    "FFT, 100 × 1024": (fft, (100, 1024)),
    "sort, 10 000": (sort, (100, 100)),
    "interp, 100 knots, 1000 points": (interp, (100, 100)),
    "Kalman filter, 1000 steps": (kalman_filter, (2,)),
    "Gaussian process, 300 points": (gaussian_process, (3,)),
}

# The libraries ------------------------------------------------------------------------------------


def scan(step: Callable[[Any, Any], Any], state: Any, series: Any) -> Any:
    """Return the state after all steps."""
    for y in series:
        state = step(state, y)
    return state


class Namespace:
    """A module with NumPy's names, some of which are replaced."""

    def __init__(self, module: Any, **own: Any) -> None:
        self._module = module
        self.__dict__ |= {"scan": scan, **own}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def make_ours(function: Function, x: Any) -> Callable[[], tuple[Any, Any]]:
    """Return value and gradient by tinygrad_lr, on plain NumPy."""
    import numpy as np

    call = importlib.import_module(OURS).value_and_grad(functools.partial(function, Namespace(np)))
    return lambda: call(x)


def make_autograd(function: Function, x: Any) -> Callable[[], tuple[Any, Any]]:
    """Return value and gradient by autograd."""
    names = Namespace(importlib.import_module("autograd.numpy"))
    call = importlib.import_module("autograd").value_and_grad(functools.partial(function, names))
    return lambda: call(x)


def make_jax(function: Function, x: Any) -> Callable[[], tuple[Any, Any]]:
    """Return value and gradient by JAX, compiled, with its own loop."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)

    def loop(step: Callable[[Any, Any], Any], state: Any, series: Any) -> Any:
        return jax.lax.scan(lambda s, y: (step(s, y), None), state, series)[0]

    names = Namespace(jax.numpy, scan=loop)
    call, given = jax.jit(jax.value_and_grad(functools.partial(function, names))), jax.device_put(x)
    return lambda: jax.block_until_ready(call(given))


def make_torch(function: Function, x: Any) -> Callable[[], tuple[Any, Any]]:
    """Return value and gradient by PyTorch, which has most names and no `interp`."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    names = Namespace(torch, sort=lambda v: torch.sort(v).values)

    def call() -> tuple[Any, Any]:
        given = torch.tensor(x, requires_grad=True)
        value = function(names, given)
        value.backward()
        return value.detach(), given.grad

    return call


LIBRARIES: dict[str, Callable[[Function, Any], Callable[[], tuple[Any, Any]]]] = {
    OURS: make_ours,
    AUTOGRAD: make_autograd,
    JAX: make_jax,
    TORCH: make_torch,
}
PACKAGES = SimpleNamespace(**{AUTOGRAD: "autograd", JAX: "jax", TORCH: "torch", OURS: OURS})
HAS_NOT = {("interp", AUTOGRAD), ("interp", TORCH)}
"""Functions without a derivative there."""


def make_calls(name: str, peers: list[str]) -> dict[str, Callable[[], tuple[Any, Any]]]:
    """Return the calls of a program by library; exit unless all agree."""
    import numpy as np

    function, shape = PROGRAMS[name]
    x = np.random.default_rng(0).normal(size=shape)
    calls = {
        peer: LIBRARIES[peer](function, x)
        for peer in peers
        if (function.__name__, peer) not in HAS_NOT
    }
    value, slope = calls[OURS]()
    for peer, call in calls.items():
        found, gradient = call()
        scale = float(np.abs(slope).max())
        same = np.allclose(found, value, rtol=1e-8) and np.allclose(
            np.asarray(gradient), slope, rtol=1e-6, atol=1e-8 * scale
        )
        if not same:
            raise SystemExit(f"{name}: {peer} computes {found}, {OURS} {value}; or the gradients")
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds, rough figures")
    rounds, seconds = (3, 0.005) if parser.parse_args().quick else (15, 0.05)

    restart_with_one_thread()
    sys.path.insert(0, str(ROOT))
    peers = [peer for peer in LIBRARIES if is_installed(getattr(PACKAGES, peer))]
    rows = {name: time_steps(make_calls(name, peers), rounds, seconds) for name in PROGRAMS}
    print(f"{describe_machine()}\nall agree on value and gradient; medians of {rounds} rounds\n")
    print(format_table(peers, rows))
    if AUTOGRAD in peers:
        slower = [name for name, row in rows.items() if row.get(AUTOGRAD, row[OURS]) < row[OURS]]
        print(f"\nslower than autograd: {', '.join(slower) or 'none'}")


if __name__ == "__main__":
    main()
