"""The array API standard on `tinygrad_lr.numpy`, and constants that leave for other libraries."""

from __future__ import annotations

import inspect
import math

import numpy
import pytest

import tinygrad_lr as tg
import tinygrad_lr.numpy as np
from tinygrad_lr import Value
from tinygrad_lr.compiler import runtime  # noqa: F401 - the compiler is loaded
from tinygrad_lr.errors import ArgumentError, DtypeError, NotDifferentiableError, TraceError

ATTRIBUTES = ["T", "device", "dtype", "mT", "ndim", "shape", "size", "to_device"]
OPERATORS = [
    *("abs", "add", "and", "bool", "complex", "eq", "float", "floordiv", "ge", "getitem", "gt"),
    *("index", "int", "invert", "le", "lshift", "lt", "matmul", "mod", "mul", "ne", "neg", "or"),
    *("pos", "pow", "rshift", "setitem", "sub", "truediv", "xor", "array_namespace", "dlpack"),
    *("dlpack_device", "iadd", "isub", "imul", "itruediv", "ipow", "imatmul", "imod", "ifloordiv"),
    *("radd", "rsub", "rmul", "rtruediv", "rpow", "rmatmul", "rmod", "rfloordiv", "rand", "ror"),
    *("rxor", "rlshift", "rrshift"),
]
SIGNATURES = {
    "asarray": "dtype device copy",
    "empty": "shape dtype device",
    "empty_like": "dtype device",
    "full": "shape fill_value dtype device",
    "full_like": "fill_value dtype device",
    "from_dlpack": "device copy",
    "ones": "shape dtype device",
    "zeros_like": "dtype device",
    "sort": "axis descending stable",
    "argsort": "axis descending stable",
}


SINCE_2_1 = pytest.mark.skipif(
    numpy.lib.NumpyVersion(numpy.__version__) < "2.1.0", reason="NumPy has it since version 2.1"
)
SINCE_2_5 = pytest.mark.skipif(
    numpy.lib.NumpyVersion(numpy.__version__) < "2.5.0", reason="NumPy has it since version 2.5"
)


@SINCE_2_1
def test_arrays_have_the_names_of_the_standard():
    array = np.zeros((2, 2))
    names = ATTRIBUTES + [f"__{name}__" for name in OPERATORS]
    assert [name for name in names if not hasattr(array, name)] == []
    assert array.device in np.__array_namespace_info__().devices()
    assert np.__array_api_version__ >= "2024.12"


@pytest.mark.parametrize("name", SIGNATURES)
def test_functions_take_the_keywords_of_the_standard(name):
    try:
        parameters = inspect.signature(getattr(np, name)).parameters
    except ValueError:
        pytest.skip("NumPy doesn't say, of its functions in C, in older versions")
    assert SIGNATURES[name].split() == [x for x in SIGNATURES[name].split() if x in parameters]


@SINCE_2_1
def test_the_one_device_is_named_and_others_are_refused():
    x = np.zeros(2, device="cpu")
    assert x.to_device("cpu") is x and np.astype(x, "float32", device="cpu").dtype == "float32"
    made = (
        lambda: np.full(2, 1.0, device="gpu"),
        lambda: np.ones_like(x, device="gpu"),
        lambda: np.asarray(x, device="gpu"),
        lambda: x.to_device("gpu"),
    )
    for make in made:
        with pytest.raises(ArgumentError, match="device must be"):
            make()


def test_matrices_are_transposed_by_an_attribute():
    x = Value(numpy.arange(6.0).reshape(1, 2, 3))
    numpy.testing.assert_array_equal(x.mT.data, x.data.mT)
    with pytest.raises(ValueError, match="axis"):
        np.ones(2).mT


@pytest.mark.parametrize("sign", ["&", "|", "^", "<<", ">>"])
@pytest.mark.parametrize("line", ["x {} 1", "True {} x", "x {} x"])
def test_operators_of_bits_are_refused(sign, line):
    with pytest.raises(DtypeError, match="integers or booleans"):
        eval(line.format(sign), {"x": Value([1.0])})
    with pytest.raises(DtypeError, match="integers or booleans"):
        ~Value(1.0)


# ---- new arrays


@pytest.mark.parametrize("make", [np.asarray, np.asanyarray])
def test_a_copy_is_made_as_asked(make):
    x = np.ones(2)
    y = make(x, copy=True)
    y[0] = 5.0
    assert x.tolist() == [1.0, 1.0] and make(x) is x and make(x, copy=False) is x
    plain = numpy.ones(2)
    assert make(plain, copy=False) is plain
    assert isinstance(make(plain, copy=True), Value)
    for given, dtype in ((x, "float32"), ([1.0], None), (plain, "float32")):
        with pytest.raises(ValueError, match="copy"):
            make(given, dtype, copy=False)


def test_a_copy_of_an_array_without_axes_can_be_written_to():
    x = np.array(1.5)
    for y in (np.asarray(x, copy=True), np.copy(x), x.astype("float32")):
        y[...] = 2.0
        assert y.item() == 2.0
    assert x.item() == 1.5


@pytest.mark.parametrize("number", [1j, numpy.complex64(2 - 1j)])
def test_arrays_are_filled_with_complex_numbers(number):
    for made in (np.full(2, number), np.full_like(np.ones(2, complex), number)):
        assert made.tolist() == [number] * 2
    numpy.testing.assert_array_equal(np.round(np.full(2, 1.5 + 2.5j)).data, [2 + 2j] * 2)


MADE_OF_ARRAYS = [
    *("np.array(p)", "np.asarray(p, copy=True)", "np.copy(p)", "np.array(p * 1.0)"),
    *("np.array(p, ndmin=2)[0]", "np.array(p, dtype=float)", "np.asarray([p[0], p[1]])"),
    *("np.array([[p[0], 1.0], [2.0, p[1]]])[0]", "np.array((p[1], [p][0][0]))"),
]


@pytest.mark.parametrize("line", MADE_OF_ARRAYS)
def test_a_compiled_function_makes_arrays_of_arrays(line):
    make = eval(f"lambda p: {line}", {"np": np})

    def f(x, p):
        made = make(p)
        made[0] = x[0]
        made[1] *= x[1]
        return np.sum(made**2)

    x, p = numpy.array([2.0, 3.0]), numpy.array([1.0, 5.0])
    slope = tg.grad(f)
    numpy.testing.assert_allclose(tg.compile(slope)(x, p), slope(x, p), rtol=1e-14)


@pytest.mark.parametrize("options", [{}, {"copy": False}, {"copy": True}])
def test_writing_to_an_array_as_it_is_writes_to_it_in_compiled_functions_too(options):
    def f(x):
        first = x * 2
        second = np.asarray(first, **options)
        second[0] = 5.0
        return first.sum()

    x = numpy.ones(3)
    assert tg.compile(f)(x) == f(x) == (6.0 if options.get("copy") else 9.0)


@SINCE_2_1
@pytest.mark.parametrize("shape", [(4,), (2, 2), (4, 1)])
def test_a_reshape_is_a_copy_or_a_view_as_asked(shape):
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    view, own = np.reshape(x, shape, copy=False), np.reshape(x, shape, copy=True)
    x[0, 0] = 9.0
    assert view.data.ravel()[0] == 9.0 and own.data.ravel()[0] == 1.0
    if shape == (4,):
        with pytest.raises(ArgumentError, match="copy must be None or True"):
            np.reshape(x.T, shape, copy=False)


@SINCE_2_1
@pytest.mark.parametrize("reshape", [numpy.reshape, lambda x, *a, **o: x.reshape(*a, **o)])
def test_a_compiled_reshape_is_a_copy_or_refused_as_asked(reshape):
    def f(x, copy):
        x = x * 1.0
        found = reshape(x, (4,), copy=copy)
        found[0] = 9.0
        return x

    x, compiled = numpy.ones((2, 2)), tg.compile(f, static=("copy",))
    numpy.testing.assert_array_equal(compiled(x, True), f(x, True))
    with pytest.raises(TraceError, match="layout"):
        compiled(x, False)


def test_equal_entries_stay_in_order_where_they_are_sorted_falling():
    x, weights = numpy.array([1.0, 3.0, 3.0, 2.0]), numpy.arange(4.0)
    slope = tg.grad(lambda x: np.sum(np.sort(x, descending=True) * weights))
    expected = numpy.zeros(4)
    expected[np.argsort(x, descending=True)] = weights
    for f in (slope, tg.compile(slope)):
        numpy.testing.assert_array_equal(f(x), expected)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("wrap", [Value, numpy.asarray, list])
@pytest.mark.parametrize("last", [0.5, numpy.nan])
def test_entries_are_sorted_falling(axis, wrap, last):
    rows = [[2.0, 1.0, 2.0], [last, 1.0, 3.0]]
    given, plain = wrap(rows), numpy.array(rows)
    order = np.argsort(given, axis, descending=True)
    expected = numpy.argsort(-plain, axis, stable=True)  # equal entries stay in order
    numpy.testing.assert_array_equal(order, expected)
    found = np.sort(given, axis, descending=True)
    found = found.data if wrap is Value else found
    numpy.testing.assert_array_equal(found, -numpy.sort(-plain, axis))
    with pytest.raises(ArgumentError, match="descending must be True or False"):
        np.sort(given, descending="yes")


@pytest.mark.parametrize("dtype", ["b1", "u1", "i8", "f4", "f8", "c16"])
def test_every_dtype_is_sorted_falling(dtype):
    x = numpy.array([0, 1, 3, 1, 0, 2]).astype(dtype)
    smallest = numpy.iinfo(dtype).min if x.dtype.kind in "iu" else x[0]
    x[-1] = smallest  # -x overflows
    order = np.argsort(x, descending=True)
    expected = sorted(range(6), key=lambda i: (complex(x[i]).real, -i), reverse=True)
    assert order.tolist() == expected
    assert np.sort(x, descending=True).tolist() == x[expected].tolist()


@SINCE_2_5
def test_numpy_itself_sorts_values_falling():
    x = numpy.array([1.0, numpy.nan, 3.0, 1.0])
    for f in (numpy.sort, lambda x, **o: x[numpy.argsort(x, **o)]):
        found = tg.grad(lambda x, f=f: numpy.sum(f(x, descending=True)[:2] * [1.0, 2.0]))(x)
        assert found.tolist() == [2.0, 0.0, 1.0, 0.0]
    value = Value(x, requires_grad=False)
    assert value.argsort(stable=True, descending=True).tolist() == [2, 0, 3, 1]
    value.sort(descending=True)
    numpy.testing.assert_array_equal(value.data, [3.0, 1.0, 1.0, numpy.nan])


# ---- constants leave for other libraries


def test_a_constant_becomes_a_plain_array():
    x = np.array([1.0, 2.0])
    found = numpy.asarray(x)
    assert type(found) is numpy.ndarray and found.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 3.0
    numpy.array(x)[0] = 3.0
    assert numpy.asarray(x, "int8").dtype == "int8" and numpy.array([x, x]).shape == (2, 2)
    plain = numpy.zeros(2)
    plain[:] = x
    assert plain.tolist() == x.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="copy must be None or True"):
        numpy.asarray(x, copy=False)


def test_the_plain_array_of_a_constant_keeps_its_numbers():
    x = np.zeros(2)
    before = numpy.asarray(x)
    x[0] = 1.0
    x += 1.0
    assert before.tolist() == [0.0, 0.0] and numpy.asarray(x).tolist() == [2.0, 1.0]


GRADIENTS = {
    "a leaf": lambda: Value([1.0, 2.0]),
    "a result": lambda: Value([1.0, 2.0]) * 2,
    "written to": lambda: _written(np.zeros(2)),
    "a view": lambda: _written(np.zeros(2))[:1],
    "after backward": lambda: _after_backward(Value([1.0, 2.0])),
}


def _written(array):
    array[0] = Value(1.0)
    return array


def _after_backward(w):
    np.sum(w * w).backward()
    return w


@pytest.mark.parametrize("kind", GRADIENTS)
@pytest.mark.parametrize("leave", [numpy.asarray, numpy.array, numpy.from_dlpack, np.from_dlpack])
def test_what_requires_a_gradient_stays(kind, leave):
    with pytest.raises(NotDifferentiableError, match="would lose its gradient"):
        leave(GRADIENTS[kind]())


@pytest.mark.parametrize(
    "leave", [numpy.int64, numpy.bool_, lambda x: numpy.zeros(2, int).__setitem__(slice(2), x)]
)
def test_what_requires_a_gradient_is_not_read_as_integers(leave):
    x = Value([1.5, 2.0])
    with pytest.raises(NotDifferentiableError, match=r"read as .*; write value.astype\(int\)"):
        leave(x)
    leave(x.astype(int))


def test_a_constant_leaves_inside_a_transform_and_its_argument_does_not():
    weights = np.array([1.0, 2.0])
    f = lambda x: np.sum(x * numpy.asarray(weights))
    assert tg.grad(f)(numpy.ones(2)).tolist() == [1.0, 2.0]
    with pytest.raises(NotDifferentiableError, match="would lose its gradient"):
        tg.grad(lambda x: np.sum(numpy.asarray(x)))(numpy.ones(2))
    with tg.no_grad():
        assert numpy.asarray(Value([1.0]) * 2).tolist() == [2.0]


@pytest.mark.parametrize("leave", [numpy.asarray, numpy.array, numpy.from_dlpack])
@pytest.mark.parametrize("outside", [True, False])
def test_a_compiled_function_says_that_the_numbers_are_unknown(leave, outside):
    constant = np.array([1.0, 2.0])

    def f(x):
        inner = constant if outside else x[:1] * np.zeros(2)
        return np.sum(x * leave(inner))

    with pytest.raises(TraceError, match="unknown while tracing"):
        tg.compile(f)(numpy.ones(2))


def test_arrays_go_to_and_come_from_other_libraries():
    x = np.array([[1.0, 2.0]], dtype="float32")
    plain = numpy.from_dlpack(x)
    back = np.from_dlpack(plain.copy())  # NumPy 2.0 doesn't share what is read-only
    assert plain.dtype == back.dtype == "float32" and isinstance(back, Value)
    assert back.tolist() == [[1.0, 2.0]] and x.__dlpack_device__() == (1, 0)
    assert type(np.from_dlpack(numpy.arange(2))) is numpy.ndarray


@SINCE_2_1
def test_arrays_are_shared_read_only_with_other_libraries():
    x = np.array([[1.0, 2.0]], dtype="float32")
    shared = np.from_dlpack(x, copy=False)
    assert type(shared) is numpy.ndarray and not shared.flags.writeable
    x[0, 0] = 5.0
    assert shared.tolist() == [[1.0, 2.0]]


def test_functions_without_a_derivative_take_constants():
    x = np.array([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
    u, s, _ = np.linalg.svd(x)
    q = np.linalg.qr(x, mode="complete").Q
    assert isinstance(u, Value) and u.shape == q.shape == (3, 3) and s.tolist() == [4.0, 3.0]
    for refused in (np.linalg.svd, lambda a: np.linalg.qr(a, mode="complete")):
        with pytest.raises(NotDifferentiableError, match="have no derivative"):
            refused(Value(x.data))
    whole = x.astype(int)
    assert type(whole) is numpy.ndarray and whole.tolist() == [[3, 0], [0, 4], [0, 0]]
    assert np.asarray(x, bool).tolist() == [[True, False], [False, True], [False, False]]
    assert np.linalg.matrix_rank(x, rtol=np.array(0.1)) == 2


def test_whole_parts_are_plain_numbers_that_may_choose_entries():
    table, x = numpy.array([1.0, 3.0, 9.0]), numpy.array([0.25, 1.5])

    def between(x, table):
        k = np.floor(x).astype(int)
        return np.sum(table[k] + (x - k) * (table[k + 1] - table[k]))

    slopes = tg.grad(between, (0, 1))
    for f in (slopes, tg.compile(slopes)):
        of_x, of_table = f(x, table)
        assert of_x.tolist() == [2.0, 6.0] and of_table.tolist() == [0.75, 0.75, 0.5]
    assert Value(1.5).astype(int) == 1 and type(Value([0.5]).astype(bool)) is numpy.ndarray
    with pytest.raises(ArgumentError, match="must be complex for complex"):
        Value([1j]).astype(int)
    with pytest.raises(NotDifferentiableError, match="astype: dtype must be a dtype of numbers"):
        Value([1.0]).astype("U3")


def test_a_function_that_writes_is_no_function_of_constants():
    w, plain = Value([1.0, 2.0]), numpy.zeros(2)
    np.copyto(plain, np.array([3.0, 4.0]))
    assert plain.tolist() == [3.0, 4.0]
    with tg.no_grad():
        part = w[1:]
        for write in (lambda: np.copyto(part, 5.0), lambda: np.put(part, 0, 5.0)):
            with pytest.raises(NotDifferentiableError, match="cannot be written to"):
                write()
    assert w.tolist() == [1.0, 2.0]
    constant = np.array([1.0, 2.0])
    with pytest.raises(NotDifferentiableError, match="has no derivative"):
        numpy.frompyfunc(lambda a, b: a + b, 2, 1).at(constant, 0, 1.0)
    assert constant.tolist() == [1.0, 2.0]


def test_what_is_broadcast_beside_values_keeps_its_dtype():
    """Matplotlib broadcasts heights with colors and None."""
    x = Value([1.0, 2.0])
    for found, given in zip(
        np.broadcast_arrays(x, None, "red", 3, [[True], [False]]),
        (x, None, "red", 3, True),
        strict=True,
    ):
        assert (
            found.shape == (2, 2)
            and found.dtype == numpy.asarray(getattr(given, "data", given)).dtype
        )
    tg.check_gradients(lambda x: np.broadcast_arrays(x, [[1.0], [2.0]])[0], x.data)


def test_foreign_ufuncs_take_constants():
    add = numpy.frompyfunc(lambda a, b: a + b, 2, 1)
    assert add(np.ones(2), 1.0).tolist() == [2.0, 2.0]
    with pytest.raises(NotDifferentiableError, match="has no derivative"):
        add(Value([1.0]), 1.0)


def test_lists_of_constants_make_constants():
    for found in (np.mean([np.array(1.0), 2.0]), np.cumsum([np.array(1.0), 2.0])):
        assert isinstance(found, Value) and not found.requires_grad


# ---- array.flat

INDICES = ["0", "-1", "s[1:4]", "s[::-2]", "[0, 2, 2]", "m", "...", "n"]


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("layout", ["x", "x.T", "x[:, ::2]"])
def test_flat_reads_and_writes_as_numpy_does(index, layout):
    def run(np, x, new):
        x = x.copy()
        part = eval(layout)
        size = part.size
        key = eval(
            index, {"m": numpy.arange(size) % 2 == 0, "n": numpy.array([1, 0]), "s": numpy.s_}
        )
        read = part.flat[key]
        part.flat[key] = new
        part.flat[0] *= 3.0
        return np.concatenate([np.ravel(x), np.ravel(read)])

    x, new = numpy.arange(1.0, 7.0).reshape(2, 3), numpy.array([10.0, 20.0])
    new = new if index not in {"0", "-1"} else numpy.array(10.0)
    expected = run(numpy, x, new)
    numpy.testing.assert_array_equal(run(np, Value(x), Value(new)).data, expected)
    tg.check_gradients(lambda x, new: run(np, x, new), x, new)
    loss = lambda x: np.sum(run(np, x, new) ** 2)
    numpy.testing.assert_allclose(tg.compile(tg.grad(loss))(x), tg.grad(loss)(x), rtol=1e-14)
    compiled = tg.compile(lambda x, new: run(numpy, x, new))
    numpy.testing.assert_array_equal(compiled(x, new), expected)


def test_a_compiled_function_writes_all_entries_at_once():
    def f(x):
        x = x * 1.0
        x.T.flat = x[0] + 1.0
        return x

    x = numpy.arange(6.0).reshape(2, 3)
    numpy.testing.assert_array_equal(tg.compile(f)(x), f(x))


def test_flat_is_iterated_over_and_assigned():
    x = np.zeros((2, 2))
    x.flat = Value([1.0, 2.0])
    assert x.data.tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert len(x.flat) == 4 and [v.item() for v in x.flat] == [1.0, 2.0, 1.0, 2.0]
    assert x.flat.base is x and math.fsum(v.item() for v in x.flat.copy()) == 6.0
    with pytest.raises(NotDifferentiableError, match="a leaf that requires a gradient"):
        Value([1.0]).flat[0] = 2.0
