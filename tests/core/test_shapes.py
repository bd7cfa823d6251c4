"""Shapes: broadcasting, axes, indices, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ShapeError

BASE = np.arange(12.0).reshape(3, 4)[::-1] / 7


@pytest.mark.parametrize(
    "shape", [(), (0,), (0, 3), (3, 0), (1, 1, 1, 1), (1,), (2, 1, 3)], ids=str
)
@pytest.mark.parametrize("f", [np.exp, np.negative, np.transpose, np.ravel, lambda x: x * 2 + x])
def test_any_shape_is_kept_by_the_gradient(shape, f):
    x = Value(np.ones(shape))
    out = f(x)
    out.sum().backward()
    assert x.grad.shape == shape and out.grad.shape == out.shape


@pytest.mark.parametrize(
    ("a", "b"),
    [((), (3,)), ((1, 3), (2, 1)), ((3,), (4, 2, 3)), ((1,), ()), ((0, 1), (1, 3)), ((1, 1), (3,))],
)
@pytest.mark.parametrize("f", [np.add, np.subtract, np.multiply, np.divide, np.maximum])
def test_broadcasting_is_undone_in_the_gradient(a, b, f):
    x, y = Value(np.full(a, 2.0)), Value(np.full(b, 4.0))
    out = f(x, y)
    out.sum().backward()
    assert out.shape == np.broadcast_shapes(a, b)
    assert (x.grad.shape, y.grad.shape) == (a, b)
    assert tg.jvp(f, (x.data, y.data), (x.data, y.data))[1].shape == out.shape


@pytest.mark.parametrize(
    ("f", "a", "b"),
    [
        (np.add, (2,), (3,)),
        (np.multiply, (2, 3), (3, 2)),
        (np.maximum, (2, 3), (2,)),
        (np.matmul, (2, 3), (2, 3)),
        (np.matmul, (3,), (2,)),
        (np.matmul, (2, 2, 3), (3, 3, 2)),
        (np.dot, (3,), (2, 3)),
        (np.where, (2,), (3,)),
    ],
)
def test_shapes_that_do_not_fit_are_an_error_that_names_the_operation(f, a, b):
    with pytest.raises(ShapeError, match=r"\(\d, ?\d?"):
        f(Value(np.ones(a)), np.ones(b), *([1.0] if f is np.where else []))


@pytest.mark.parametrize("f", [lambda: Value(1.0) @ Value([1.0]), lambda: np.ones(2) @ Value(2.0)])
def test_a_product_of_matrices_takes_no_numbers(f):
    with pytest.raises((ShapeError, TypeError, ValueError)):
        f()


@pytest.mark.parametrize("f", [np.sum, np.mean, np.max, np.prod, np.var, np.std, np.cumsum])
def test_an_axis_that_is_not_there_is_an_axis_error(f):
    with pytest.raises(np.exceptions.AxisError):
        f(Value(np.ones((2, 3))), axis=2)


@pytest.mark.parametrize("f", [np.sum, np.mean, np.max, np.prod, np.var, np.std])
def test_a_repeated_axis_is_an_error(f):
    with pytest.raises(ValueError, match="duplicate"):
        f(Value(np.ones((2, 3))), axis=(0, -2))


def test_an_entry_that_is_read_twice_gets_both_cotangents():
    x = Value([1.0, 2.0, 3.0])
    (x[[0, 0, -3]] * np.array([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [111.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "index",
    [
        slice(None, None, -2),
        None,
        ...,
        (..., 1),
        (None, 0, ...),
        np.array([True, False, True]),
        (),
        np.int64(1),
    ],
    ids=repr,
)
def test_an_index_of_each_kind_is_that_of_numpy(index):
    x = Value(BASE)
    x[index].sum().backward()
    expected = np.zeros_like(BASE)
    expected[index] = 1
    np.testing.assert_array_equal(x[index].data, BASE[index])
    np.testing.assert_array_equal(x.grad, expected)


@pytest.mark.parametrize("index", [9, -4, (0, 4), [0, 3], (0, 0, 0), "a", 1.0, [[0.5]], Value(1.0)])
def test_an_index_that_is_not_there_is_an_index_error(index):
    with pytest.raises(IndexError):
        Value(BASE)[index]


def test_a_mask_of_another_length_is_an_index_error():
    with pytest.raises(IndexError, match="boolean"):
        Value(BASE)[np.array([True, False])]


def test_iteration_ends_and_keeps_the_graph():
    x = Value([1.0, 2.0, 3.0])
    first, *rest = x
    (first * sum(rest)).backward()
    assert x.grad.tolist() == [5.0, 1.0, 1.0] and len(x) == 3


@pytest.mark.parametrize("data", [1.0, np.array(1.0), np.float32(1)], ids=["float", "0-d", "f4"])
@pytest.mark.parametrize("f", [len, list, iter])
def test_a_number_has_no_length_and_no_entries(f, data):
    with pytest.raises(TypeError):
        f(Value(data))


def test_truth_is_that_of_one_entry():
    assert Value(2.0) and not Value(0.0) and Value([3.0])
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Value([1.0, 2.0]))


@pytest.mark.parametrize("shape", [(2**40, 2**40), (2**62,), (-1,), (2.5,)], ids=str)
@pytest.mark.parametrize("data", [1.0, np.array(1.0)], ids=["float", "0-d"])
def test_a_shape_beyond_all_memory_is_an_error_at_once(shape, data):
    with pytest.raises((ValueError, MemoryError, TypeError)):
        np.broadcast_to(Value(data), shape)


@pytest.mark.parametrize("data", [1.0, np.array(1.0)], ids=["float", "0-d"])
@pytest.mark.parametrize("f", [np.reshape, np.broadcast_to])
def test_a_number_does_not_take_any_shape(f, data):
    with pytest.raises(ValueError, match=f.__name__):
        f(Value(data), (2, 0) if f is np.reshape else (-1,))
