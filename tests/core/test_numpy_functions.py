"""NumPy's functions composed of operations: NumPy's own results, and derivatives, a line a case."""

from __future__ import annotations

import re

import numpy as np
import pytest
from operands import numbers

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.primitive import NUMPY_IMPLS, Primitive
from tinygrad_lr.errors import ArgumentError

MASK = np.array([[True, False, True], [True, True, False]])
ORDER = np.array([[2, 0, 1], [0, 0, 2]])

# Each line is run on arrays (what NumPy says) and on Values; x, y and z have the shapes behind it.
CASES = {
    "np.clip(x, -0.7, 0.7)": [(3, 4)],
    "np.clip(x, None, 0.7)": [(3, 4)],
    "np.clip(x, -0.7, None)": [(3, 4)],
    "np.clip(x, min=-0.7, max=0.7)": [(3, 4)],
    "np.clip(x, y, y + 1)": [(3, 4), (4,)],
    "np.take(x, [0, 2, 2])": [(2, 3)],
    "np.take(x, [[0, -1], [2, 2]], axis=1)": [(2, 3)],
    "np.take(x, 1, axis=-1)": [(2, 3)],
    "np.take_along_axis(x, ORDER, axis=1)": [(2, 3)],
    "np.take_along_axis(x, ORDER[:, :2], axis=-1)": [(2, 3)],
    "np.take_along_axis(x, ORDER[:1], axis=0)": [(3, 3)],
    "np.take_along_axis(x, np.array([5, 0]), axis=None)": [(2, 3)],
    "np.sort(x)": [(2, 3)],
    "np.sort(x, axis=0)": [(3, 2)],
    "np.sort(x, axis=None)": [(2, 3)],
    "np.cumsum(x)": [(2, 3)],
    "np.cumsum(x, axis=-2)": [(2, 3)],
    "np.cumsum(x, axis=1, dtype=np.float64)": [(2, 3)],
    "np.sum(x, axis=-1)": [(2, 3)],
    "np.sum(x, axis=(0, -1), keepdims=True)": [(2, 3, 2)],
    "np.sum(x, axis=())": [(2, 3)],
    "np.sum(x, where=MASK)": [(2, 3)],
    "np.sum(x, axis=1, where=MASK, initial=2.5)": [(2, 3)],
    "np.sum(x, axis=0, dtype=np.float64)": [(2, 3)],
    "np.sum(x, axis=0)": [(0, 3)],
    "np.sum(x, initial=3.0)": [(0,)],
    "np.prod(x, axis=-1)": [(2, 3)],
    "np.prod(x, axis=(0, 2))": [(2, 3, 2)],
    "np.prod(x, where=MASK, axis=0)": [(2, 3)],
    "np.prod(x, initial=2.5)": [(4,)],
    "np.prod(x, axis=0)": [(0, 3)],
    "np.max(x, axis=(0, -1))": [(2, 3, 2)],
    "np.max(x, axis=1, initial=0.3)": [(2, 3)],
    "np.max(x, axis=1, where=MASK, initial=-9.0)": [(2, 3)],
    "np.amax(x, axis=0)": [(2, 3)],
    "np.min(x, axis=(0, -1), keepdims=True)": [(2, 3, 2)],
    "np.min(x, initial=0.3)": [(2, 3)],
    "np.min(x, axis=0, where=MASK, initial=9.0)": [(2, 3)],
    "np.amin(x, axis=0)": [(2, 3)],
    "np.mean(x, axis=(0, -1))": [(2, 3, 2)],
    "np.mean(x, where=MASK)": [(2, 3)],
    "np.mean(x, axis=1, where=MASK, keepdims=True)": [(2, 3)],
    "np.mean(x, axis=1, dtype=np.float64)": [(2, 3)],
    "np.var(x, axis=-1, ddof=1)": [(2, 3)],
    "np.var(x, axis=(0, 2), keepdims=True)": [(2, 3, 2)],
    "np.var(x, correction=1)": [(2, 3)],
    "np.var(x, axis=1, where=MASK, ddof=1)": [(2, 3)],
    "np.std(x, axis=-1, ddof=1)": [(2, 3)],
    "np.std(x, where=MASK)": [(2, 3)],
    "np.std(x, axis=(0, 2), keepdims=True)": [(2, 3, 2)],
    "np.add.reduce(x)": [(2, 3)],
    "np.multiply.reduce(x, axis=1)": [(2, 3)],
    "np.maximum.reduce(x, axis=None)": [(2, 3)],
    "np.minimum.reduce(x, axis=(0, 1), keepdims=True)": [(2, 3)],
    "np.dot(x, y)": [(2, 3), (3, 4)],
    "np.dot(x, y) + np.dot(y, x)": [(3,), (3,)],
    "np.dot(x, y) * np.dot(y, x)": [(2, 2), ()],
    "np.dot(x, y) * 1.0": [(2, 3), (4, 3, 2)],
    "np.vdot(x, y)": [(2, 3), (2, 3)],
    "np.vdot(x, y) * 1.0": [(3,), (3,)],
    "np.inner(x, y)": [(2, 3), (4, 3)],
    "np.inner(x, y) + np.inner(x, x[0]).sum()": [(3,), (3,)],
    "np.outer(x, y)": [(2, 3), (2,)],
    "np.tensordot(x, y)": [(2, 3, 4), (3, 4, 2)],
    "np.tensordot(x, y, axes=0)": [(2,), (3,)],
    "np.tensordot(x, y, axes=1)": [(2, 3), (3, 4)],
    "np.tensordot(x, y, axes=((0, -1), (1, 0)))": [(2, 3, 4), (4, 2)],
    "np.tensordot(x, y, axes=(0, 1))": [(2, 3), (4, 2)],
    "np.einsum('ij,jk', x, y)": [(2, 3), (3, 2)],
    "np.einsum('ba', x)": [(2, 3)],
    "np.einsum('ii', x)": [(3, 3)],
    "np.einsum('iij->j', x)": [(2, 2, 3)],
    "np.einsum('iii->', x)": [(2, 2, 2)],
    "np.einsum('i,j->', x, y)": [(2,), (3,)],
    "np.einsum('...ij,...jk->...ik', x, y)": [(2, 2, 3), (3, 2)],
    "np.einsum('...ij,...jk', x, y)": [(3, 1, 2, 3), (2, 3, 2)],
    "np.einsum('i...->...', x)": [(2, 3, 2)],
    "np.einsum('...,...->...', x, y)": [(2, 3), (3,)],
    "np.einsum('ij, jk, kl -> il', x, y, z)": [(2, 3), (3, 2), (2, 3)],
    "np.einsum('i,i->i', x, x)": [(3,)],
    "np.einsum(',i->i', x, y)": [(), (3,)],
    "np.diagonal(x)": [(3, 4)],
    "np.diagonal(x, 1, axis1=2, axis2=0)": [(2, 3, 4)],
    "np.diagonal(x, -2)": [(3, 4)],
    "np.trace(x)": [(3, 4)],
    "np.trace(x, offset=1, axis1=0, axis2=2)": [(2, 3, 4)],
    "np.diag(x)": [(3,)],
    "np.diag(x, k=-1)": [(3,)],
    "np.diag(x, k=1)": [(3, 4)],
    "np.tril(x)": [(3, 4)],
    "np.tril(x, -1)": [(2, 3, 3)],
    "np.triu(x, 1)": [(3, 4)],
    "np.linalg.norm(x)": [(2, 3)],
    "np.linalg.norm(x, axis=1)": [(2, 3)],
    "np.linalg.norm(x, ord=2, axis=-1, keepdims=True)": [(2, 3)],
    "np.linalg.norm(x, ord=1, axis=0)": [(2, 3)],
    "np.linalg.norm(x, np.inf)": [(4,)],
    "np.linalg.norm(x, 'fro')": [(2, 3)],
    "np.linalg.vector_norm(x, axis=0)": [(2, 3)],
    "np.linalg.vector_norm(x)": [(2, 3)],
    "np.linalg.vector_norm(x, ord=1)": [(2, 3)],
    "np.reshape(x, (3, -1))": [(2, 3)],
    "np.reshape(x, 6)": [(2, 3)],
    "np.ravel(x)": [(2, 3)],
    "np.transpose(x)": [(2, 3, 4)],
    "np.transpose(x, [1, -1, 0])": [(2, 3, 4)],
    "np.permute_dims(x, (1, 0))": [(2, 3)],
    "np.matrix_transpose(x)": [(2, 3, 4)],
    "np.swapaxes(x, 0, -1)": [(2, 3, 4)],
    "np.moveaxis(x, 0, -1)": [(2, 3, 4)],
    "np.moveaxis(x, [0, 1], [-1, 0])": [(2, 3, 4)],
    "np.expand_dims(x, (0, -1))": [(2, 3)],
    "np.squeeze(x)": [(1, 3, 1)],
    "np.squeeze(x, axis=-1)": [(1, 3, 1)],
    "np.broadcast_to(x, (2, 4, 3))": [(4, 1)],
    "np.broadcast_to(x, 3)": [()],
    "np.broadcast_to(x, np.int64(3))": [()],
    "np.broadcast_to(x, ())": [()],
    "np.add(*np.broadcast_arrays(x, y))": [(3, 1), (4,)],
    "np.concatenate([x, y])": [(2, 3), (1, 3)],
    "np.concatenate((x, y, x), axis=-1)": [(2, 3), (2, 1)],
    "np.concatenate([x, y], axis=None)": [(2, 3), (2,)],
    "np.concat([x, np.ones((1, 3), x.dtype)])": [(2, 3)],
    "np.concatenate([x, y], 0)": [(0, 3), (2, 3)],
    "np.stack([x, y])": [(2, 3), (2, 3)],
    "np.stack((x, y, x), axis=-1)": [(2, 3), (2, 3)],
    "np.stack([x, x * y])": [(), ()],
    "np.hstack([x, y])": [(2, 3), (2, 1)],
    "np.hstack((x, y))": [(3,), ()],
    "np.vstack([x, y])": [(3,), (2, 3)],
    "np.atleast_1d(x) * 1.0": [()],
    "np.atleast_2d(x)": [(3,)],
    "np.multiply(*np.split(x, 2))": [(4, 3)],
    "np.multiply(*np.split(x, [3], axis=-1)[::-1])[..., :1]": [(2, 4)],
    "np.split(x, [1, 3])[1]": [(4,)],
    "np.concatenate(np.array_split(x, 3)[::-1])": [(5,)],
    "np.array_split(x, 2, axis=1)[0]": [(2, 3)],
    "np.pad(x, 2)": [(2, 3)],
    "np.pad(x, ((1, 0), (0, 2)), constant_values=1.5)": [(2, 3)],
    "np.pad(x, (1, 2), mode='edge')": [(2, 3)],
    "np.pad(x, 4, 'reflect')": [(3,)],
    "np.pad(x, ((0, 0), (3, 1)), mode='symmetric')": [(2, 2)],
    "np.pad(x, 3, mode='wrap')": [(2, 2)],
    "np.pad(x, {-1: (1, 2)})": [(2, 3)],
    "np.flip(x)": [(2, 3)],
    "np.flip(x, axis=-1)": [(2, 3)],
    "np.flip(x, (0, 2))": [(2, 3, 2)],
    "np.fliplr(x) + np.flipud(x)": [(2, 3)],
    "np.roll(x, 2)": [(2, 3)],
    "np.roll(x, [1, -2], axis=(0, 1))": [(2, 3)],
    "np.repeat(x, 2)": [(2, 3)],
    "np.repeat(x, [0, 3, 1], axis=-1)": [(2, 3)],
    "np.tile(x, 2)": [(2, 3)],
    "np.tile(x, (2, 1, 3))": [(2, 3)],
    "np.astype(x, np.float64)": [(2, 3)],
    "np.copy(x)": [(2, 3)],
    "np.zeros_like(x) + x": [(2, 3)],
    "np.ones_like(x) * x": [(2, 3)],
    "np.empty_like(x) * 0 + x": [(2, 3)],
    "np.full_like(x, 2.0) * x": [(2, 3)],
    "written(lambda v: np.copyto(v, y), x)": [(2, 3), (3,)],
    "written(lambda v: np.copyto(v, y, where=ORDER[:2] > 0), x)": [(2, 3), (3,)],
    "written(lambda v: np.put(v, [0, -1, 2], y), x)": [(2, 3), (2,)],
    "written(lambda v: np.place(v, x > 0, y), x)": [(2, 3), (2,)],
    "written(lambda v: np.putmask(v, x > 0, y), x)": [(2, 3), (2,)],
    "written(lambda v: np.put_along_axis(v, ORDER[:2, :1], y, 1), x)": [(2, 3), (2, 1)],
    "written(lambda v: np.put_along_axis(v, np.array([0, 2]), y, None), x)": [(2, 3), (2,)],
    "written(lambda v: np.fill_diagonal(v, y), x)": [(3, 3), (2,)],
    "written(lambda v: np.fill_diagonal(v, y, wrap=True), x)": [(5, 2), ()],
    "written(lambda v: np.fill_diagonal(v, 0.5), x)": [(3, 3, 3)],
    "written(lambda v: np.add.at(v, ([0, 0], [1, 1]), y), x)": [(2, 3), (2,)],
    "np.round(x) + np.around(x, 1) * x": [(2, 3)],
    "x % 0.7 + 3 % (2 + y * y)": [(2, 3), (3,)],
    "np.deg2rad(x) + np.rad2deg(y)": [(2, 3), (3,)],
    "np.radians(x) - np.degrees(x)": [(3,)],
    "np.diff(x)": [(2, 4)],
    "np.diff(x, 2, axis=0)": [(4, 2)],
    "np.cumprod(x)": [(2, 3)],
    "np.cumprod(x, axis=0)": [(3, 2)],
    "np.average(x)": [(2, 3)],
    "np.average(x, axis=1, weights=np.array([1.0, 2.0, 4.0], x.dtype))": [(2, 3)],
    "np.average(x, weights=np.exp(y), axis=0)": [(2, 3), (2, 3)],
    "np.ptp(x, axis=1)": [(2, 3)],
    "np.trapezoid(x, dx=0.5)": [(2, 3)],
    "np.trapezoid(x, np.array([0.0, 1.0, 4.0], x.dtype), axis=0)": [(3, 2)],
    "np.trapezoid(x, y)": [(2, 3), (2, 3)],
    "np.linalg.solve(x + 3 * np.eye(2, dtype=x.dtype), y)": [(2, 2), (2,)],
    "np.linalg.solve(x + 3 * np.eye(2, dtype=x.dtype), y)[..., ::-1]": [(3, 2, 2), (2, 2)],
    "np.column_stack([x, y])": [(3,), (3, 2)],
    "np.append(x, y)": [(2, 3), (2,)],
    "np.append(x, y, axis=0)": [(2, 3), (1, 3)],
    "np.multiply(*np.vsplit(x, 2)) + np.multiply(*np.hsplit(x, 2))[:1, :1]": [(4, 2)],
    "np.hsplit(x, [2])[1]": [(3,)],
    "np.rot90(x)": [(2, 3)],
    "np.rot90(x, 3, axes=(2, 0))": [(2, 3, 2)],
    "np.kron(x, y)": [(2, 2), (1, 3)],
    "np.cross(x, y)": [(2, 3), (3,)],
    "np.cross(x, y, axis=0)": [(3, 2), (3, 2)],
    "x.reshape(3, 2).T.sum(axis=0).clip(-1, 1)": [(2, 3)],
    "x.transpose(1, 0).flatten()": [(2, 3)],
    "x.swapaxes(0, 1).squeeze().mean()": [(2, 3)],
    "x.std() + x.var(axis=0) - x.min() * x.max(axis=0)": [(2, 3)],
    "x.prod(axis=0) @ x.cumsum(axis=1).diagonal(1, 0, 1)[:1].repeat(3)": [(2, 3)],
}
each_case = pytest.mark.parametrize(
    ("line", "shapes"), [*CASES.items()], ids=[line.replace(" ", "") for line in CASES]
)


def written(write, x):
    """A copy of x, after a function has written into it."""
    out = np.copy(x)
    write(out)
    return out


def function(line):
    names = {"np": np, "MASK": MASK, "ORDER": ORDER, "written": written}
    return lambda *xyz: eval(line, names | dict(zip("xyz", xyz, strict=False)))


@each_case
def test_values_compute_what_numpy_computes_on_arrays(line, shapes):
    f, arrays = function(line), numbers(0, *shapes)
    found, expected = f(*map(Value, arrays)), f(*arrays)
    if expected.size and any(shapes):
        assert isinstance(found, Value)
    data = found.data if isinstance(found, Value) else found
    assert np.shape(data) == np.shape(expected)
    np.testing.assert_allclose(data, expected, rtol=1e-14, atol=1e-15)


@each_case
def test_first_and_second_derivatives_agree_with_central_differences(line, shapes):
    tg.check_gradients(function(line), *numbers(0, *shapes), order=2)


@each_case
def test_the_dtype_is_the_one_that_numpy_gives(line, shapes):
    f, arrays = function(line), [x.astype(np.float32) for x in numbers(0, *shapes)]
    values = [*map(Value, arrays)]
    out = f(*values)
    assert out.dtype == f(*arrays).dtype
    if isinstance(out, Value):
        out.backward(np.ones(out.shape))
        assert all(value.grad.dtype == np.float32 for value in values)


COMPOSED = {
    function.__name__ for function, by in NUMPY_IMPLS.items() if not isinstance(by, Primitive)
}


@pytest.mark.parametrize("name", sorted(COMPOSED))
def test_every_composed_function_has_a_case(name):
    assert any(re.search(rf"\b{name}\(", line) for line in CASES)


REFUSED = {
    "np.reshape(x, (3, 2), order='F')": ArgumentError,
    "np.ravel(x, 'F')": ArgumentError,
    "np.sum(x, out=np.zeros(3))": ArgumentError,
    "np.max(x, where=MASK)": ValueError,
    "np.max(x[:0])": ValueError,
    "np.sum(x, axis=2)": np.exceptions.AxisError,
    "np.sum(x, axis=(0, 0))": ValueError,
    "np.flip(x, 2)": np.exceptions.AxisError,
    "np.expand_dims(x, 4)": np.exceptions.AxisError,
    "np.squeeze(x, 0)": ValueError,
    "np.reshape(x, (4, 2))": ValueError,
    "np.broadcast_to(x, (2, 2))": ValueError,
    "np.concatenate([x, x[:, :2]])": ValueError,
    "np.stack([x, x[0]])": ValueError,
    "np.split(x, 2, axis=1)": ValueError,
    "np.pad(x, 1, mode='mean')": ArgumentError,
    "np.pad(x, 1, mode='reflect', reflect_type='odd')": ArgumentError,
    "np.pad(x, 1, constant_values=((1, 2), (3, 4)))": ArgumentError,
    "np.linalg.norm(x, 'nuc')": ArgumentError,
    "np.linalg.norm(x, 2)": ArgumentError,
    "np.linalg.norm(x, 2, axis=(0, 1))": ArgumentError,
    "np.diag(np.stack([x]))": ArgumentError,
    "np.einsum('ij,jk', x)": ValueError,
    "np.einsum(x, [0, 1])": ArgumentError,
    "np.tensordot(x, x.T)": ValueError,
    "np.dot(x, x)": ValueError,
    "np.inner(x, x.T)": ValueError,
    "np.take(x, 9)": IndexError,
    "np.take(x, 9, mode='clip')": ArgumentError,
    "np.take(x, 1, out=np.zeros(()))": ArgumentError,
    "np.sort(x, order='a')": ValueError,
    "np.concatenate([x, x], dtype=np.float32)": ArgumentError,
    "np.astype(x, int)": ArgumentError,
    "np.outer(x, x, out=np.zeros((6, 6)))": ArgumentError,
    "np.dot(x, x.T, out=np.zeros((2, 2)))": ArgumentError,
    "np.transpose(x, (0, 0))": ValueError,
    "np.clip(x, 0, 1, out=np.zeros((2, 3)))": TypeError,
    "np.cumsum(x, out=np.zeros(6))": ArgumentError,
}


@pytest.mark.parametrize(("line", "error"), REFUSED.items(), ids=REFUSED)
def test_what_has_no_meaning_is_refused(line, error):
    with pytest.raises(error):
        function(line)(Value(numbers(0, (2, 3))[0]))
