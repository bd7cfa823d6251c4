"""Dtypes, memory layouts, shapes, and what else may be handed to a Value."""

from __future__ import annotations

import datetime
import decimal
import fractions
import operator

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError, DtypeError

FLOATS = [np.float16, np.float32, np.float64, np.longdouble]
each_float = pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: np.dtype(d).name)


# ---- dtypes


@each_float
def test_a_floating_dtype_is_kept_in_value_result_and_gradient(dtype):
    x = Value(np.array([0.5, -1.5], dtype))
    out = (np.tanh(x) * 2 + x**2 / 3 - 1).mean()
    out.backward()
    assert x.dtype == out.dtype == x.grad.dtype == out.grad.dtype == dtype


@each_float
def test_a_numpy_number_keeps_its_dtype(dtype):
    x = Value(dtype(1.5))
    out = np.exp(x * 2) + 1
    out.backward()
    assert type(x.data) is type(out.data) is dtype
    assert x.grad.dtype == dtype and np.ndim(x.grad) == 0


@pytest.mark.parametrize("a", FLOATS[:3])
@pytest.mark.parametrize("b", FLOATS[:3])
@pytest.mark.parametrize("f", [np.add, np.multiply, np.matmul, np.hypot, np.maximum, np.power])
def test_the_wider_dtype_wins_and_each_gradient_keeps_its_own(a, b, f):
    x, y = Value(np.array([1.5, 0.5], a)), Value(np.array([0.5, 2.5], b))
    out = f(x, y)
    out.sum().backward()
    assert out.dtype == np.result_type(a, b)
    assert (x.grad.dtype, y.grad.dtype) == (a, b)


@pytest.mark.parametrize("number", [2, 2.0, True, np.bool_(True), np.int8(2)], ids=repr)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("f", [np.add, np.multiply, np.divide, np.power, np.maximum])
def test_a_plain_number_never_widens(number, dtype, f):
    x = Value(np.array([1.5, 0.5], dtype))
    for out in (f(x, number), f(number, x)):
        assert out.dtype == dtype
        x.grad = None
        out.sum().backward()
        assert x.grad.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("f", [lambda x: 1 - x, lambda x: 2 / x, lambda x: 2**x, lambda x: x - 1])
def test_operators_with_numbers_do_not_widen(f, dtype):
    for data in (np.array([0.5, 1.5], dtype), np.array(0.5, dtype), dtype(0.5)):
        assert f(Value(data)).dtype == dtype
        assert f(f(Value(data))).dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_second_derivatives_keep_the_dtype(dtype):
    x = np.array([0.5, 1.5], dtype)
    f = lambda x: (np.tanh(x) ** 2 / x).sum()
    assert tg.hvp(f, (x,), (x,))[0].dtype == tg.hessian(f)(x).dtype == dtype


def test_float16_adds_up_the_mean_in_float32():
    x = Value(np.ones(70_000, np.float16))
    assert x.mean().item() == 1.0
    with np.errstate(over="ignore"):
        assert x.sum().item() == np.inf


@pytest.mark.parametrize(
    "data",
    [[1, 2], np.arange(3), np.array([True, False]), np.uint8(3), 3, True, np.int64(2)],
    ids=repr,
)
def test_integers_and_booleans_become_float64(data):
    x = Value(data)
    (x * 2).sum().backward()
    assert x.dtype == np.float64 and np.asarray(x.grad).dtype == np.float64
    np.testing.assert_array_equal(x.data, np.asarray(data, float))


def test_python_numbers_stay_python_floats():
    x = Value(3)
    out = (x * 2 + 1) ** 2 / 7 - abs(-x)
    out.backward()
    assert [type(v) for v in (x.data, out.data, x.grad)] == [float] * 3


@pytest.mark.parametrize("c", [np.arange(1, 4), np.array([1, 2, 3], np.int8), [1, 2, 3]], ids=repr)
def test_integer_constants_divide_and_raise_as_floats(c):
    x = Value([-1.0, -2.0, -1.0])
    np.testing.assert_allclose((c**x).data, [1, 1 / 4, 1 / 3])
    np.testing.assert_allclose((1 / (x * 0 + c)).data, [1, 1 / 2, 1 / 3])
    np.testing.assert_allclose(
        tg.grad(lambda y: (y**c).sum())(np.array([2.0, 2.0, 2.0])), [1, 4, 12]
    )


@pytest.mark.parametrize("f", [tg.grad, tg.value_and_grad, tg.jacobian, tg.hessian])
def test_an_integer_argument_is_taken_as_a_float_never_as_an_integer(f):
    found = f(lambda x: x**2 / 2)(3)
    assert np.ravel(np.asarray(found, dtype=object).tolist())[-1] in {3.0, 1.0}
    assert tg.grad(lambda x: (x * 0.5).sum())(np.arange(3)).tolist() == [0.5, 0.5, 0.5]


# ---- what is not made of numbers

NOT_NUMBERS = {
    "None": None,
    "text": "abc",
    "a number as text": "1.5",
    "bytes": b"1",
    "long complex": np.array([1j], np.clongdouble),
    "dict": {"a": 1},
    "set": {1.0},
    "object": object(),
    "objects": np.array([1.0, None], dtype=object),
    "array of text": np.array(["a"]),
    "date": np.datetime64("2020-01-01"),
    "python date": datetime.date(2020, 1, 1),
    "durations": np.array([1], "m8[s]"),
    "record": np.zeros(2, [("a", float)]),
    "ragged": [[1.0], [2.0, 3.0]],
    "ragged and scalar": [1.0, [2.0]],
    "generator": (x for x in [1.0]),
    "list with None": [1.0, None],
    "list with text": [1.0, "2"],
    "function": len,
    "masked": np.ma.masked_array([1.0, 2.0], [True, False]),
    "a masked row": np.ma.masked_array(np.zeros((2, 2)), False),
    "decimal": decimal.Decimal("1.5"),
    "fraction": fractions.Fraction(1, 3),
}
each_not_number = pytest.mark.parametrize("data", NOT_NUMBERS.values(), ids=NOT_NUMBERS)


@each_not_number
def test_a_value_is_made_of_numbers_only(data):
    with pytest.raises((DtypeError, ArgumentError)):
        Value(data)


@pytest.mark.parametrize(
    "f", [np.add, np.multiply, np.maximum, np.matmul], ids=lambda f: f.__name__
)
@each_not_number
def test_an_operand_is_made_of_numbers_only(data, f):
    for call in (lambda: f(Value([1.0]), data), lambda: f(data, Value([1.0]))):
        with pytest.raises((TypeError, ValueError)):
            call()


@pytest.mark.parametrize(
    "operator", ["v + d", "d + v", "v * d", "d - v", "v ** d", "d @ v", "v / d"]
)
@each_not_number
def test_an_operator_takes_numbers_only(data, operator):
    with pytest.raises((TypeError, ValueError, RuntimeWarning)):
        eval(operator, {"v": Value([1.0]), "d": data})


def test_an_integer_too_large_for_a_float_is_an_error():
    for make in (Value, lambda d: Value(1.0) + d, lambda d: d * Value([1.0])):
        with pytest.raises((OverflowError, ValueError, TypeError)):
            make(10**400)


def test_a_value_of_a_value_is_refused_with_the_way_out():
    with pytest.raises(DtypeError, match="detach"):
        Value(Value(1.0))
    with pytest.raises(TypeError, match=r"np\.stack"):
        Value([Value(1.0), Value(2.0)])


def test_the_gradient_of_a_complex_result_is_refused():
    with pytest.raises((TypeError, ValueError)):
        tg.grad(lambda x: x * 1j)(1.0)


# ---- layouts

BASE = np.arange(12.0).reshape(3, 4)[::-1] / 7
UNALIGNED = np.frombuffer(b"\0" + BASE.tobytes(), np.uint8)[1:].view(np.float64).reshape(3, 4)
LAYOUTS = {
    "Fortran": np.asfortranarray(BASE),
    "transposed": BASE.T.copy().T,
    "reversed": BASE[::-1, ::-1].copy()[::-1, ::-1],
    "strided": np.repeat(np.repeat(BASE, 2, 0), 3, 1)[::2, ::3],
    "big-endian": BASE.astype(">f8"),
    "unaligned": UNALIGNED,
    "read-only": np.frombuffer(BASE.tobytes()).reshape(3, 4),
    "a list": BASE.tolist(),
    "tuples": tuple(map(tuple, BASE.tolist())),
    "a list of rows": list(BASE),
}
each_layout = pytest.mark.parametrize("data", LAYOUTS.values(), ids=LAYOUTS)


@each_layout
def test_a_value_of_any_layout_gives_the_same_gradient(data):
    f = lambda x: (np.tanh(x @ x.T) * x[:, :1]).sum()
    x = Value(data)
    f(x).backward()
    np.testing.assert_allclose(x.grad, tg.grad(f)(BASE.copy()), rtol=1e-14)
    assert x.grad.dtype.isnative and x.dtype.isnative and x.data.flags.aligned


@each_layout
@pytest.mark.parametrize("f", [np.add, np.multiply, np.maximum, lambda x, c: x @ np.transpose(c)])
def test_a_constant_of_any_layout_gives_the_same_gradient(data, f):
    x = Value(np.linspace(-1, 1, 12).reshape(3, 4))
    out = f(x, data)
    out.sum().backward()
    np.testing.assert_allclose(x.grad, tg.grad(lambda x: f(x, BASE).sum())(x.numpy()), rtol=1e-14)
    assert out.dtype.isnative and x.grad.dtype.isnative


def test_a_broadcast_view_is_an_ordinary_operand():
    view = np.broadcast_to(np.array([1.0, 2.0]), (3, 2))
    x = Value(view)
    (x * view).sum().backward()
    np.testing.assert_array_equal(x.grad, view)


def test_the_sign_of_zero_and_denormal_numbers_survive():
    x = Value([-0.0, 5e-324])
    assert np.signbit(x.data[0]) and (x * 1).data[1] == 5e-324


# ---- what stands on the left


@pytest.mark.parametrize(
    "left",
    [np.ones(2), np.float64(3), np.float32(3), np.array(3.0), np.int64(3), [1.0, 2.0], 3, 3.0],
    ids=repr,
)
@pytest.mark.parametrize("operator", ["l + v", "l - v", "l * v", "l / v", "l ** v"])
def test_whatever_stands_on_the_left_a_value_comes_back(left, operator):
    v = Value([1.0, 2.0])
    out = eval(operator, {"l": left, "v": v})
    assert type(out) is Value
    np.testing.assert_allclose(out.data, eval(operator, {"l": np.asarray(left), "v": v.data}))
    out.sum().backward()
    assert v.grad is not None


@pytest.mark.parametrize("compare", ["l < v", "v <= l", "l == v", "v != l", "v > l", "l >= v"])
@pytest.mark.parametrize(
    "left", [np.array([1.0, 5.0]), np.float64(1), 1, [1.0, 5.0], Value([1.0, 0.0])], ids=repr
)
def test_comparisons_give_plain_booleans(left, compare):
    v, plain = (
        Value([1.0, 2.0]),
        np.asarray(getattr(left, "data", left) if isinstance(left, Value) else left),
    )
    out = eval(compare, {"l": left, "v": v})
    assert type(out) is np.ndarray and out.dtype == bool
    np.testing.assert_array_equal(out, eval(compare, {"l": plain, "v": v.data}))


# ---- arrays of other kinds


def test_a_matrix_is_read_as_an_array():
    with pytest.warns(PendingDeprecationWarning):
        m = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    for out in (Value(m) * Value(m), Value(np.asarray(m)) * m, m * Value(np.asarray(m))):
        assert type(out) is Value and type(out.data) is np.ndarray
        np.testing.assert_array_equal(out.data, np.asarray(m) ** 2)


def test_a_memory_map_is_read(tmp_path):
    BASE.astype(np.float32).tofile(tmp_path / "x.bin")
    x = Value(np.memmap(tmp_path / "x.bin", np.float32, "r", shape=(3, 4)))
    (x * np.memmap(tmp_path / "x.bin", np.float32, "r", shape=(3, 4))).sum().backward()
    assert type(x.data) is np.ndarray and x.grad.dtype == np.float32


@pytest.mark.parametrize("operator", ["s + v", "v + s", "s * v", "v / s", "s - v", "v ** s"])
def test_a_pandas_series_on_either_side_gives_a_value(operator):
    pandas = pytest.importorskip("pandas")
    s, v = pandas.Series([1.0, 2.0], index=["a", "b"]), Value([3.0, 4.0])
    out = eval(operator, {"s": s, "v": v})
    assert type(out) is Value
    np.testing.assert_array_equal(out.data, eval(operator, {"s": s.to_numpy(), "v": v.data}))


def test_pandas_objects_are_read_as_their_numbers():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [3, 4]})
    assert Value(frame).data.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert Value(frame["b"]).dtype == np.float64
    with pytest.raises(TypeError):
        frame @ Value([1.0, 1.0])
    with pytest.raises(DtypeError):
        Value(pandas.Series([1.0, None], dtype=object))


@pytest.mark.slow
@pytest.mark.torch
def test_a_tensor_is_read_as_its_numbers_or_refused():
    torch = pytest.importorskip("torch")
    assert Value(torch.ones(2)).data.tolist() == [1.0, 1.0]
    with pytest.raises((TypeError, ValueError)):
        Value(torch.ones(2, requires_grad=True))


def test_operators_of_bits_are_refused():
    x = Value([1.0, 2.0])
    binary = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]
    for call in (operator.invert, *(lambda x, f=f: f(x, True) for f in binary)):
        with pytest.raises(DtypeError, match="operands must be integers or booleans, got a Value"):
            call(x)
