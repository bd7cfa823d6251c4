"""New arrays are NumPy's, whatever they are made of, with gradients where a Value is in them."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr import numpy as tnp

A = np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -0.75]])
MADE_OF = {
    "a number": lambda: 1.5,
    "an integer": lambda: 3,
    "a list": lambda: [1.0, [2.0, 3.0][0]],
    "a list of integers": lambda: [[1, 2], [3, 4]],
    "an array": lambda: A.copy(),
    "an array by columns": lambda: np.asfortranarray(A),
    "an array of float32": lambda: A.astype(np.float32),
    "an array of integers": lambda: np.arange(6).reshape(2, 3),
    "an array of booleans": lambda: A > 0,
    "a Value": lambda: Value(A),
    "a number's Value": lambda: Value(2.5),
    "a list of Values": lambda: [Value(1.0), Value(A[0, 0]), 2],
    "a list of float32 Values": lambda: [Value(np.float32(1.5)), Value(np.float32(-2.0))],
    "a nest of Values and arrays": lambda: [[Value(A[0]), A[1]], [np.ones(3), Value(-A[0])]],
}
OPTIONS = {
    "": {},
    "float32": {"dtype": np.float32},
    "float64": {"dtype": float},
    "complex": {"dtype": complex},
    "three axes": {"ndmin": 3},
    "rows": {"order": "C"},
    "columns": {"order": "F"},
    "a copy": {"copy": True},
    "a copy if needed": {"copy": None},
    "a copy where NumPy needs one": {"copy": False},
}


def plain(x):
    """The same numbers without Values."""
    if isinstance(x, (list, tuple)):
        return [plain(part) for part in x]
    return x.data if isinstance(x, Value) else x


def assert_like(found, expected):
    """The numbers, dtype and shape are NumPy's; floats are a Value."""
    assert isinstance(found, Value) == (expected.dtype.kind in "fc")
    np.testing.assert_array_equal(plain(found), expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("make", MADE_OF.values(), ids=MADE_OF)
def test_an_array_of_anything_is_numpys(make, options):
    given = make()
    found = tg.array(given, **options)
    assert_like(found, np.array(plain(make()), **{**options, "copy": True}))
    if options.get("copy", True) and isinstance(given, np.ndarray):
        assert not np.shares_memory(plain(found), given)
    if options.get("copy", True):
        assert found is not given


@pytest.mark.parametrize("dtype", [None, np.float32, float], ids=str)
@pytest.mark.parametrize("ndmin", [0, 3])
def test_each_value_in_an_array_gets_the_gradient_of_its_entry(dtype, ndmin):
    a, b = Value(1.5), Value(A[0])
    made = tg.array([[a, 2.0, a], b], dtype, ndmin=ndmin)
    (made * A).sum().backward()
    assert a.grad == A[0, 0] + A[0, 2] and b.grad.tolist() == A[1].tolist()


SHAPED = {
    "zeros": lambda np, **k: np.zeros((2, 3), **k),
    "ones": lambda np, **k: np.ones(4, **k),
    "full": lambda np, **k: np.full((2, 2), 1.5, **k),
    "full of a row": lambda np, **k: np.full((2, 3), A[1], **k),
    "full of integers": lambda np, **k: np.full(3, 2, **k),
    "zeros_like": lambda np, **k: np.zeros_like(A, **k),
    "ones_like": lambda np, **k: np.ones_like(A.astype("f4"), **k),
    "full_like": lambda np, **k: np.full_like(A, 2.5, **k),
    "full_like integers": lambda np, **k: np.full_like(A > 0, 3, **k),
    "empty": lambda np, **k: np.empty((2, 0), **k),
    "empty_like": lambda np, **k: np.empty_like(A[:0], **k),
}
KINDS = {"": {}, "float32": {"dtype": "f4"}, "int": {"dtype": int}, "columns": {"order": "F"}}
KINDS["rows of another shape"] = {"order": "C", "shape": (3, 2)}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", SHAPED)
def test_filled_arrays_are_numpys(name, options):
    if "shape" in options and ("_like" not in name or name == "empty_like"):
        options = {"order": "C"}
    found, expected = SHAPED[name](tnp, **options), SHAPED[name](np, **options)
    assert_like(found, expected)
    assert plain(found).strides == expected.strides


@pytest.mark.parametrize("make", [tg.full, tg.full_like])
def test_an_array_filled_with_a_value_hands_its_gradient_on_in_any_dtype(make):
    for dtype in (None, np.float32, complex):
        w = Value(2.0)
        made = make((2, 3), w, dtype) if make is tg.full else make(A, w, dtype)
        assert made.dtype == np.dtype(dtype or float) and made.shape == (2, 3)
        np.real(made * A).sum().backward()
        assert w.grad == A.sum()
    with pytest.raises(tg.errors.ArgumentError, match="dtype must be floating for a Value"):
        make((2, 3), Value(2.0), int) if make is tg.full else make(A, Value(2.0), int)


PARTS = {
    "rows": lambda np, v: np.r_[v, 0, 3:5],
    "columns": lambda np, v: np.c_[v, [1.0, 2.0, 3.0], v],
    "a list": lambda np, v: np.r_[[1.0, 2.0], v],
    "an axis": lambda np, v: np.r_["1,2", v, v],
    "a placed axis": lambda np, v: np.r_["0,2,0", v, v * 2],
    "integers beside": lambda np, v: np.r_[3:5, v, np.arange(2)],
}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", PARTS)
def test_rows_and_columns_are_numpys_and_hand_gradients_on(name, dtype):
    data = A[0].astype(dtype)
    value, expected = Value(data), PARTS[name](np, data)
    found = PARTS[name](tnp, value)
    assert_like(found, expected)
    weights = np.cos(np.arange(expected.size)).reshape(expected.shape)
    (found * weights).sum().backward()
    for i in range(3):
        unit = np.where(np.arange(3) == i, 1.0, 0.0)
        change = PARTS[name](np, A[0] + unit) - PARTS[name](np, A[0])
        assert np.isclose(value.grad[i], (change * weights).sum(), rtol=1e-6)


COMPLEX_FILLED = {
    "complex in complex": (A * 1j, 2j, None, True),
    "complex in a complex Value": (Value(1 + 2j), 1j, None, True),
    "complex by its dtype": (A, 1j, complex, True),
    "real in complex": (A * 1j, 2.5, None, True),
    "complex in real": (A, 1j, None, False),
    "complex in a real dtype": (A * 1j, 2j, float, False),
    "complex in a list": ([1.0, 2.0], 1j, None, False),
}


@pytest.mark.parametrize("case", COMPLEX_FILLED.values(), ids=COMPLEX_FILLED)
def test_a_complex_number_fills_complex_arrays_only(case):
    like, number, dtype, fits = case
    if not fits:
        with pytest.raises(tg.errors.DtypeError, match="must contain integers or floats"):
            tnp.full_like(like, number, dtype)
        return
    assert_like(tnp.full_like(like, number, dtype), np.full_like(plain(like), number, dtype))


LISTS = {
    "concatenate": lambda np, v: np.concatenate([[v[0], 1.0], v, [2.0, v[1] * 2]]),
    "concatenate lists": lambda np, v: np.concatenate([[v[0]], [2.0, v[1] * 2, 1.0]]),
    "stack": lambda np, v: np.stack([[v[0], 1.0], [2.0, v[1]]]),
    "mean": lambda np, v: np.mean([v[0], 2.0, v[1]]),
    "where": lambda np, v: np.where([True, False], [v[0], 1.0], [2.0, v[1]]),
    "dot": lambda np, v: np.dot([v[0], v[1]], [[1.0, 2.0], [3.0, v[0]]]),
    "sum of rows": lambda np, v: np.sum([[v[0], 1.0], [2.0, v[1]]], axis=0),
    "maximum": lambda np, v: np.maximum([v[0], v[1]], 0.0),
    "reshape": lambda np, v: np.reshape([v[0], 1.0], [2, 1]),
    "take": lambda np, v: np.take([v[0], 1.0, v[1]], [2, 0]),
    "average": lambda np, v: np.average([[1.0, 3.0]], axis=1, weights=[[v[0], v[1] ** 2]]),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_values_is_read_by_functions_as_an_array(name):
    value, data = Value(A[0, :2]), A[0, :2]
    found, expected = LISTS[name](tnp, value), LISTS[name](np, data)
    np.testing.assert_allclose(found.data, expected)
    np.sum(found * found).backward()
    for i in range(2):
        step = 1e-6 * (np.arange(2) == i)
        up, down = (np.sum(LISTS[name](np, data + s) ** 2) for s in (step, -step))
        assert np.isclose(value.grad[i], (up - down) / 2e-6, atol=1e-8)


def test_a_list_without_values_is_refused_as_numpy_refuses_it():
    with pytest.raises(TypeError, match="'bitwise_and' not supported"):
        tnp.bitwise_and([1.5], [2])


def test_what_a_function_makes_of_a_list_is_written_to_out():
    value, out = Value(2.0), tg.zeros(2)
    tnp.add([value, 1.0], 1.0, out=(out,))
    (out * out).sum().backward()
    assert out.data.tolist() == [3.0, 2.0] and value.grad == 6.0
