"""Compiled code in every dtype: value, dtype and shape are those of NumPy, or it's refused."""

import operator
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from programs import backends

import tinygrad_lr as tg
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
        few = [
            x
            for x in (limits.min, limits.max, 0, 1, 3, -1, 2**53 + 1)
            if x in range(limits.min, limits.max + 1)
        ]
        entries = st.sampled_from(few)
    numbers = draw(st.lists(entries, min_size=size, max_size=size))
    return np.array(numbers, dtype).reshape(shape)


@st.composite
def programs(draw):
    """Inputs of integer or floating dtypes, and a function of a few operations on them."""
    dtypes = draw(st.sampled_from([["b1", *INTEGERS], ["b1", *FLOATS]]))
    scalar = arrays(dtypes).filter(lambda x: not x.shape).map(lambda x: x[()])
    number = st.sampled_from([-1.5, 0.0, 0.5, 2.0])
    inputs = draw(st.lists(arrays(dtypes) | number | scalar, min_size=1, max_size=3))
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
            return f(*[x.copy() if isinstance(x, np.ndarray) else x for x in inputs])
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
    assume(not isinstance(expected, Exception))
    assume(not np.iscomplexobj(expected))  # Python's (-1.5) ** 0.5, which is nan compiled
    found = evaluate(tg.compile(f, backend=backend), inputs)
    if not isinstance(found, TraceError):
        assert not isinstance(found, Exception), f"{label}: {found!r}"
        assert_same(found, expected, label)


U1 = np.array([200, 1, 255], np.uint8)
F4 = np.array([0.5, 1.0, 2.0], np.float32)


@backends()
@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x > 0) + (x > 1),
        lambda x: -(x > 0),
        lambda x: ~(x > 0),
        lambda x: (x > 0) * 3,
        lambda x: (x > 0) & (x > 2),
        lambda x: x * True,
        lambda x: np.exp(x) * F4,
        lambda x: np.where(x > 0, x, 1.0) * F4,
        lambda x: (2 * x + 1) * F4,
        lambda x: np.count_nonzero(F4 * x) * F4,
        lambda x: np.maximum(x, 0),
    ],
)
@pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")  # ~True, Python 3.12
def test_python_numbers_follow_python_in_operators_and_numpy_in_functions(f, backend):
    found, expected = tg.compile(f, backend=backend)(1.5), f(1.5)
    assert_same(found, expected)
    assert type(found) is type(expected)


@backends()
@pytest.mark.parametrize("number", [300, -1])
def test_python_integers_out_of_range_are_compared_exactly_and_else_refused(number, backend):
    for compare in (operator.lt, operator.ge, operator.eq, operator.ne):
        f = tg.compile(lambda x, compare=compare: compare(x, number), backend=backend)
        assert_same(f(U1), compare(U1, number))
    for use in (operator.add, np.minimum, np.left_shift):
        with pytest.raises(OverflowError, match="out of bounds for uint8"):
            tg.compile(lambda x, use=use: use(x, number), backend=backend)(U1)


@backends()
def test_a_scalar_taken_from_an_array_is_not_changed_with_it(backend):
    def f(x):
        x = x.copy()
        first, total = x[0], x.sum()
        kept = total
        total += 1
        x[0] = 5
        return first, kept, total, x

    found, expected = tg.compile(f, backend=backend)(F4), f(F4)
    for a, b in zip(found, expected, strict=True):
        assert_same(a, b)


@backends()
def test_entries_left_out_by_where_keep_the_number_of_out(backend):
    def f(x):
        y = x * 2
        np.sqrt(x, out=y, where=x > 0.5)
        return y

    assert_same(tg.compile(f, backend=backend)(F4), f(F4))
    with pytest.raises(TraceError, match=r"leaves entries without a number; use np\.where"):
        tg.compile(lambda x: np.sqrt(x, where=x > 0.5), backend=backend)(F4)


@backends()
def test_in_place_arithmetic_does_not_round_to_a_narrower_kind(backend):
    with pytest.raises(TypeError, match="same_kind"):
        tg.compile(lambda x: operator.iadd(x.copy(), 1.5), backend=backend)(U1)


@pytest.mark.parametrize(
    "array",
    [
        np.ma.masked_array([1.0, 2.0], [False, True]),
        np.ones(2).view(np.matrix),
        np.ones(2, np.longdouble),
        np.array(["2020"], "M8[D]"),
        np.zeros(2, [("a", "f8")]),
        np.array([None]),
    ],
)
def test_arrays_that_are_not_plain_numbers_are_refused(array):
    with pytest.raises(DtypeError, match="arrays must"):
        tg.compile(lambda x: np.sum(x))(array)
    with pytest.raises(TypeError, match=r"arrays? must"):
        tg.compile(lambda x: x * array)(1.5)


DEPENDENT = {
    "nonzero": lambda x: np.nonzero(x)[0],
    "flatnonzero": np.flatnonzero,
    "argwhere": np.argwhere,
    "where": lambda x: np.where(x > 0)[0],
    "extract": lambda x: np.extract(x > 0, x),
    "compress": lambda x: x.compress(x > 0),
    "unique": np.unique,
    "len of unique": lambda x: len(np.unique(x)) * x,
    "trim_zeros": np.trim_zeros,
    "union1d": lambda x: np.union1d(x, x[:2]),
    "intersect1d": lambda x: np.intersect1d(x, np.ones(1)),
    "setdiff1d": lambda x: np.setdiff1d(x, np.ones(1)),
    "bincount": lambda x: np.bincount(x.astype(int)),
    "roots": np.roots,
    "eigvals": lambda x: np.linalg.eigvals(np.outer(x, x) + np.diag(x)[::-1]),
    "lstsq": lambda x: np.linalg.lstsq(np.outer(x, x), x, rcond=None)[1],
    "delete": lambda x: np.delete(x, x > 0),
    "repeat": lambda x: np.repeat(x, x.astype(int)),
    "mask": lambda x: x[x > 0],
}


@pytest.mark.parametrize("name", DEPENDENT)
def test_shapes_and_dtypes_that_depend_on_numbers_are_refused_or_right(name):
    f = tg.compile(DEPENDENT[name], backend="numpy")
    for x in (np.array([1.0, 0.0, 3.0]), np.zeros(3), np.array([2.0, 2.0, 1.0])):
        found = evaluate(f, [x])
        if isinstance(found, TraceError):
            assert "; " in str(found)  # the cure
        else:
            assert_same(found, DEPENDENT[name](x))


@backends()
def test_a_call_that_returns_another_shape_than_in_its_trace_raises(backend):
    f = tg.compile(lambda x: np.array_equal(x, x) + count(x), backend=backend)

    @tg.primitive(whole=True)
    def count(x):
        return np.zeros(3 if float(np.max(x)) == 7 else 2)

    del tg.core.primitive.PRIMITIVES["count"]
    assert f(np.ones(2)).shape == (2,)
    with pytest.raises(TraceError, match=r"count must return .*\(2,\), got float64 \(3,\)"):
        f(np.full(2, 7.0))


LOGITS = np.array([[0.1, 0.2, 0.3], [1.0, -1.0, 2.0]])
CLASSES = np.array([0, 2])
ENTRIES = np.array([[0, 1, 1], [1, 0, 1]])


@backends()
@pytest.mark.parametrize(
    "weights", [np.array([1.0, 2.0, 0.5]), np.array([1, 2, 3]), np.array([1, 2, 3], np.float32)]
)
def test_weights_of_a_loss_may_come_from_outside_or_as_an_argument(weights, backend):
    def by_class(x, w):
        return tg.grad(lambda v: tg.losses.cross_entropy(v, CLASSES, weights=w))(x)

    def by_entry(x, w):
        loss = tg.losses.binary_cross_entropy
        return tg.grad(lambda v: loss(v, ENTRIES, weights=w, pos_weight=w))(x)

    for f in (by_class, by_entry):
        assert_same(tg.compile(f, backend=backend)(LOGITS, weights), f(LOGITS, weights))
        outside = tg.compile(lambda x, f=f: f(x, weights), backend=backend)
        assert_same(outside(LOGITS), f(LOGITS, weights))
        with pytest.raises(tg.errors.ArgumentError, match="must be finite numbers >= 0"):
            tg.compile(f, backend=backend)(LOGITS, -weights)


@backends()
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(2.0**x),
        lambda x: np.sum(2**x),
        lambda x: np.sum(x * True),
        lambda x: np.sum(np.clip(x, 0, None)),
        lambda x: np.sum(np.clip(x, None, 1)),
        lambda x: np.sum(x.clip(min=0)),
        lambda x: np.sum(x * np.argsort(x.data)),
        lambda x: np.sum(x) * np.linalg.norm(x.data, 2),
    ],
)
def test_what_eager_code_differentiates_is_differentiated_compiled(f, backend):
    gradient = tg.grad(f)
    x = np.array([0.5, -1.5, 2.0])
    assert_same(tg.compile(gradient, backend=backend)(x), gradient(x))


@backends("numpy", "llvm")
def test_a_square_of_booleans_has_the_dtype_that_it_has_in_numpy(backend):
    x = np.array([[True, False], [True, True]])
    for square in (lambda x: x**2, lambda x: (x[0] & x[1]) ** 2, lambda x: np.all(x) ** 2):
        found, expected = tg.compile(square, backend=backend)(x), square(x)
        np.testing.assert_array_equal(found, expected, strict=True)


@backends("numpy", "llvm")
def test_signed_and_unsigned_integers_are_compared_exactly(backend):
    x = np.array([2**62 + 1, -1, 2**53 + 1, 5], np.int64)
    y = np.array([2**62, 2**64 - 1, 2**53, 5], np.uint64)
    f = tg.compile(lambda x, y: (x > y, x == y, y >= x, np.where(x < y, 1, 2)), backend=backend)
    greater, equal, at_least, chosen = (found.tolist() for found in f(x, y))
    assert greater == [True, False, True, False] and equal == [False, False, False, True]
    assert at_least == [False, True, False, True] and chosen == [2, 1, 2, 2]
