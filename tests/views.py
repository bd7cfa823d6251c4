"""Calls of NumPy that return views, and some that don't, for tests of writes that show there."""

from __future__ import annotations

import itertools

import numpy as np

import tinygrad_lr as tg
from tinygrad_lr import Value

LINES = """
a[1:-1, ::-1]
a[0]
a[0, ...]
a[None]
a[()]
a[[0]]
a[a.real > -99]
a.T
a.mT
a.real
a.conj()
np.conj(a)
a.copy()
a.flatten()
a.reshape(3, 3, 1)
a.diagonal(1)
a.squeeze()
a.swapaxes(0, 1)
a.astype(a.dtype, copy=False)
a.astype(a.dtype)
np.astype(a, a.dtype, copy=False)
np.array_split(a, 2)[0]
np.atleast_1d(a)
np.atleast_2d(a, a)[1]
np.atleast_3d(a)
np.block(a)
np.broadcast_to(a, (2, 3, 3))
np.choose(0, [a])
np.clip(a.real, None, None)
np.concatenate([a])
np.diag(a)
np.diff(a, 0)
np.einsum("ij->ji", a)
np.einsum("ii->i", a)
np.einsum(a, [0, 1], [1, 0])
np.einsum("ij,->ij", a, 1.0)
np.expand_dims(a, (0, -1))
np.flip(a)
np.fliplr(a)
np.hsplit(a, [1])[1]
np.lib.stride_tricks.sliding_window_view(a, 2, axis=0)
np.linalg.diagonal(a)
np.linalg.matrix_power(a, 1)
np.linalg.matrix_transpose(a)
np.meshgrid(a[0], a[1])[0]
np.moveaxis(a, 0, -1)
np.nan_to_num(a)
np.nan_to_num(a, copy=False)
np.polyint(a[0], 0)
np.positive(a)
np.real_if_close(a.real)
np.repeat(a, 1, axis=0)
np.roll(a, 0)
np.rollaxis(a, 1)
np.rot90(a)
np.rot90(a, 0)
np.split(a, 3)[1]
np.sum(a, axis=())
np.tile(a, 1)
np.transpose(a, (1, 0))
np.tril(a, 5)
np.unstack(a, axis=1)[0]
np.vsplit(a, [1])[1]
np.where(True, a, 0)
""".strip().splitlines()
if np.lib.NumpyVersion(np.__version__) < "2.1.0":  # which has the one and takes the other
    LINES = [x for x in LINES if "unstack" not in x and "None, None" not in x]


def write_whole(a, b):
    """Write to the array that the view may be one of, with what is in the view."""
    a[0, 0] = b.real.mean()
    a[1:, ::-1] *= 2.0


def write_view(a, b):
    """Write to the view."""
    b[-1:] = 7.0
    b *= 2.0


WRITES = [write_whole, write_view]
X = np.random.default_rng(1).normal(size=(3, 3)) + 3 * np.eye(3)
INPUTS = [X, X + 0.3j * X.T]


def program(line, write):
    """The function that takes a view of a copy, and writes to one of them."""
    view = eval(f"lambda a: {line}", {"np": np, "tg": tg})

    def f(x):
        a = x * 1.0
        b = view(a)
        write(a, b)
        return a, b

    return f


def check(line, wrap, as_input, refusals):
    """Compare with NumPy, for real and complex numbers; an error of a class may come instead."""
    for write, x in itertools.product(WRITES, INPUTS):
        f = program(line, write)
        try:
            expected, refused = f(x), False
        except ValueError:  # it is read-only
            refused = True
        try:
            found = wrap(f)(as_input(x))
        except refusals:
            continue
        assert not refused, f"{write.__name__}: NumPy refuses it"
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.data if isinstance(one, Value) else one, other)


def loss(line, write):
    """A loss of what a program returns, for derivatives."""
    f = program(line, write)
    return lambda x: sum(np.sum(np.sin(z.real) + np.cos(2 * z.imag)) for z in f(x))
