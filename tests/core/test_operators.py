"""Python's operators on Values are those of arrays, on either side, with their gradients."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value

BINARY = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.pow),
    *(operator.mod, operator.floordiv, divmod, operator.matmul),
]
IN_PLACE = [
    *(operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow),
    *(operator.imod, operator.ifloordiv, operator.imatmul),
]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
UNARY = {"-x": operator.neg, "+x": operator.pos, "abs": abs, "round": round}
UNARY["round to 1"] = lambda x: round(x, 1)
EXPECTED = UNARY | {"round": np.round, "round to 1": lambda x: np.round(x, 1)}
A = np.array([[2.5, 0.75], [1.25, 3.5]])
B = np.array([[0.7, 2.3], [1.1, 0.45]])
PAIRS = {"arrays": (A, B), "rows": (A, B[0]), "numbers": (2.5, 0.75), "an array": (A, 1.5)}
PAIRS["a number and an array"] = (2.0, B)
NAMES = [f.__name__ for f in BINARY]


def numbers(x):
    return [y.data if isinstance(y, Value) else y for y in (x if isinstance(x, tuple) else (x,))]


def is_refused(f, a, b):
    return f is operator.matmul and not (np.ndim(a) and np.ndim(b))


@pytest.mark.parametrize("sides", ["left", "right", "both"])
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("f", BINARY, ids=NAMES)
def test_an_operator_is_that_of_arrays_with_the_value_on_either_side(f, pair, sides):
    a, b = pair
    if is_refused(f, a, b):
        return
    x = Value(a) if sides != "right" else a
    y = Value(b) if sides != "left" else b
    found = f(x, y)
    for got, expected in zip(numbers(found), numbers(f(a, b)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-14)
    assert all(isinstance(z, Value) for z in (found if isinstance(found, tuple) else [found]))
    if f in {divmod, operator.floordiv}:
        return
    leaves = [z for z in (x, y) if isinstance(z, Value)]
    if sides == "both":
        tg.check_gradients(f, a, b)
    else:
        alone = (lambda z: f(z, b)) if sides == "left" else (lambda z: f(a, z))
        tg.check_gradients(alone, leaves[0].data)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("f", IN_PLACE, ids=[f.__name__ for f in IN_PLACE])
def test_an_operator_in_place_gives_what_arrays_give(f, pair):
    a, b = pair
    if np.ndim(a) < np.ndim(b) or (f is operator.imatmul and np.ndim(b) < 2):
        return
    expected = f(np.array(a) if np.ndim(a) else a, b)
    for make in (Value, lambda x: Value(x) * 1.0, lambda x: Value(x, requires_grad=False)):
        for y in (b, Value(b)):
            np.testing.assert_allclose(f(make(a), y).data, expected, rtol=1e-14)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("f", COMPARISONS, ids=[f.__name__ for f in COMPARISONS])
def test_a_comparison_is_that_of_the_numbers_with_the_value_on_either_side(f, pair):
    for a, b in (pair, pair[::-1], (pair[0], pair[0])):
        if f in {operator.eq, operator.ne} and not np.ndim(a) + np.ndim(b):
            assert f(Value(a), b) == f(a, b) == f(a, Value(b))
            continue
        expected = f(np.asarray(a), np.asarray(b))
        for x, y in ((Value(a), b), (a, Value(b)), (Value(a), Value(b))):
            if x is not y or f not in {operator.eq, operator.ne}:
                np.testing.assert_array_equal(f(x, y), expected)


@pytest.mark.parametrize("data", [A - 1.5, -1.75], ids=["array", "number"])
@pytest.mark.parametrize("f", UNARY, ids=UNARY)
def test_an_operator_of_one_value_is_that_of_arrays(f, data):
    np.testing.assert_allclose(numbers(UNARY[f](Value(data)))[0], EXPECTED[f](data), rtol=1e-14)


@pytest.mark.parametrize("f", [math.floor, math.ceil, math.trunc])
def test_whole_numbers_of_a_value_are_those_of_its_number(f):
    value = Value(-1.75, requires_grad=False)
    assert float(f(value)) == f(-1.75)


EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 1e200, -1e200, 1e-320, 800.0, np.inf, -np.inf, np.nan]
FUNCTIONS = {
    **{"1/x": lambda x: 1 / x, "x**-1.5": lambda x: x**-1.5, "x**3": lambda x: x**3},
    **{"1/x²": lambda x: 1 / x**2, "x/x": lambda x: x / x, "2^x": lambda x: 2.0**x},
    **{"x^x": lambda x: x**x, "x mod 0": lambda x: x % 0.0, "log": np.log, "sqrt": np.sqrt},
    **{"exp": np.exp, "tan": np.tan, "log1p": np.log1p, "log2": np.log2, "sinh": np.sinh},
    **{"cbrt": np.cbrt, "arccos": np.arccos, "arctanh": np.arctanh, "expm1": np.expm1},
    **{"1/": np.reciprocal, "hypot": lambda x: np.hypot(x, x)},
    **{"logaddexp": lambda x: np.logaddexp(x, 1000.0)},
}


@np.errstate(all="ignore")
@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_derivatives_of_a_number_are_those_of_an_array_where_pythons_floats_raise(f):
    """Division by zero and overflow are errors of Python's numbers, and nan and inf of NumPy's."""
    whole = lambda x: f(x).sum()
    for edge in EDGES:
        x, v = Value(edge), Value(np.array([edge]))
        f(x).backward()
        whole(v).backward()
        one = np.array([1.0])
        found = [
            (f(x).data, f(v).data[0]),
            (x.grad, v.grad[0]),
            (tg.jvp(f, (edge,), (1.0,))[1], tg.jvp(f, (v.data,), (one,))[1][0]),
            (tg.hvp(f, (edge,), (1.0,))[0], tg.hvp(whole, (v.data,), (one,))[0][0]),
        ]
        for number, entry in found:
            np.testing.assert_allclose(number, entry, rtol=1e-12, atol=1e-200, err_msg=str(edge))
