"""Compiled code in every dtype: value, dtype and shape are those of NumPy, or it's refused."""

import operator
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lr as tg
from programs import backends
from tinygrad_lr.errors import DtypeError, TraceError

INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
FLOATS = ["f2", "f4", "f8"]
SHAPES = [(), (1,), (3,), (2, 3), (2, 1)]
TOLERANCES = {"e": 2e-3, "f": 1e-5, "F": 1e-5, "d": 1e-12, "D": 1e-12}

CLOSED = {  # exact in all dtypes, for the floats that are drawn
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "where": lambda x, y: np.where(x > y, x, y),
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "bitwise_and": operator.and_,
    "bitwise_xor": operator.xor,
    "left_shift": operator.lshift,
    "right_shift": operator.rshift,
    "power": operator.pow,
    "logical_or": np.logical_or,
    "concatenate": lambda x, y: np.concatenate([np.ravel(x), np.ravel(y)]),
    "in place": lambda x, y: operator.iadd(x.copy(), y),
}
CLOSED_UNARY = {
    "negative": operator.neg,
    "absolute": abs,
    "invert": operator.invert,
    "square": lambda x: x**2,
    "sign": np.sign,
    "sum": lambda x: np.sum(x, axis=-1),
    "prod": np.prod,
    "max": np.max,
    "min": lambda x: x.min(axis=0, keepdims=True),
    "ptp": np.ptp,
    "cumsum": np.cumsum,
    "cumprod": np.cumprod,
    "all": np.all,
    "round": lambda x: np.round(x, -1),
    "clip": lambda x: np.clip(x, 0, 2),
    "flip": np.flip,
    "astype i1": lambda x: x.astype(np.int8),
    "astype f4": lambda x: x.astype(np.float32),
    "times a half": lambda x: x * 0.5,
    "times 300": lambda x: x * 300,
    "below 300": lambda x: x < 300,
    "equal to -1": lambda x: x == -1,
    "times 1j": lambda x: (x * 1j).imag,
}
LAST = {
    "divide": lambda x: x / 3,
    "mean": np.mean,
    "var": np.var,
    "average": np.average,
    "std": lambda x: np.std(x, axis=0),
    "sqrt": np.sqrt,
    "exp": np.exp,
    "norm": np.linalg.norm,
    "nothing": lambda x: x,
    "tensordot": lambda x: np.tensordot(np.ravel(x), np.ravel(x), 1),
    "float64 scalar": lambda x: x * np.float64(1.5),
}


@st.composite
def arrays(draw, dtypes):
    """An array of one of the dtypes: floats whose products are exact, integers of any size."""
    dtype, shape = np.dtype(draw(st.sampled_from(dtypes))), draw(st.sampled_from(SHAPES))
    size = int(np.prod(shape))
    if dtype.kind == "f":
        entries = st.sampled_from([-2.0, -1.5, -0.5, 0.0, 0.5, 1.0, 2.0])
    elif dtype.kind == "b":
        entries = st.booleans()
    else:
        limits = np.iinfo(dtype)
        few = [x for x in (limits.min, limits.max, 0, 1, 3, -1, 2**53 + 1) if x in range(limits.min, limits.max + 1)]
        entries = st.sampled_from(few)
    numbers = draw(st.lists(entries, min_size=size, max_size=size))
    return np.array(numbers, dtype).reshape(shape)


@st.composite
def programs(draw):
    """Inputs of integer or floating dtypes, and a function of a few operations on them."""
    dtypes = draw(st.sampled_from([["b1", *INTEGERS], ["b1", *FLOATS]]))
    inputs = draw(st.lists(arrays(dtypes), min_size=1, max_size=3))
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from([*CLOSED, *CLOSED_UNARY]), st.integers(0, 9), st.integers(0, 9)
            ),
            min_size=1,
            max_size=3,
        )
    )
    last = draw(st.sampled_from(list(LAST)))

    def f(*xs):
        known = list(xs)
        for name, i, j in steps:
            x, y = known[-1 - i % len(known)], known[-1 - j % len(known)]
            known.append(CLOSED[name](x, y) if name in CLOSED else CLOSED_UNARY[name](x))
        return LAST[last](known[-1])

    return f, inputs, f"{steps} {last}"


def evaluate(f, inputs):
    """The result of a function, or the error that it raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return f(*[x.copy() for x in inputs])
        except Exception as error:
            return error


def assert_same(found, expected, label=""):
    """Value, dtype and shape: exact for integers and booleans."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), label
    if expected.dtype.kind in "biu":
        np.testing.assert_array_equal(found, expected, err_msg=label)
    else:
        bound = TOLERANCES[expected.dtype.char]
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(found, expected, rtol=bound, atol=bound, err_msg=label)


@backends()
@settings(max_examples=60, deadline=None)
@given(program=programs())
def test_programs_of_every_dtype_give_what_numpy_gives(backend, program):
    f, inputs, label = program
    expected = evaluate(f, inputs)
    found = evaluate(tg.compile(f, backend=backend), inputs)
    if isinstance(expected, Exception):
        assert isinstance(found, Exception), f"{label}: eager code raises {expected!r}"
    elif not isinstance(found, TraceError):
        assert not isinstance(found, Exception), f"{label}: {found!r}"
        assert_same(found, expected, label)
