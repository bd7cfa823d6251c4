"""Arrays that share memory in NumPy share it in compiled functions: what is written is seen."""

import contextlib
import itertools

import machine
import numpy as np
import programs
import pytest
import views
from numpy_names import numpy_names

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.compiler.tracing.traced_array import VIEWING, WRITING, WRITING_WHILE_READING
from tinygrad_lr.errors import ArgumentError, DtypeError, TraceError
from tinygrad_lr.support import pytree as tree

backends = programs.backends
CLOSE = {"rtol": 1e-10, "atol": 1e-12}
X = np.arange(1.0, 7.0).reshape(2, 3)


def transposed(x):
    a = x * 2
    b = a.T
    b += 1
    return a


def of_a_transpose(x):
    a = x * 2
    row = a.T[0]
    row += 1
    return a


def of_a_slice(x):
    a = x * 2
    b = a[0][1:]
    b += 1
    return a


def with_a_new_axis(x):
    a = x * 2
    b = np.expand_dims(a, 1)
    b += 1
    return a


def read_after_the_whole_was_changed(x):
    a = x * 2
    row, turned, wide = a[0], a.T, np.broadcast_to(a, (2, 2, 3))
    a += 1
    return row * 1, turned * 1, wide * 1


def read_after_an_entry_was_changed(x):
    a = x * 2
    row, turned = a[0], np.swapaxes(a, 0, 1)
    a[0, 1] = 7
    return row * turned[:, 0]


def copied(x):
    a = x * 2
    b, c, d = a.copy(), a.reshape(-1).copy(), a.flatten()
    a += 1
    b += 2
    c += 3
    return a, b, c, d


def not_copied_again(x):
    a = x * 2
    b = a.astype(a.dtype, copy=False)
    b += 1
    return a


@pytest.mark.parametrize(
    "f",
    [
        transposed,
        of_a_transpose,
        of_a_slice,
        with_a_new_axis,
        read_after_the_whole_was_changed,
        read_after_an_entry_was_changed,
        copied,
        not_copied_again,
    ],
)
@backends("numpy", "llvm")
def test_what_is_written_is_seen_where_numpy_would_show_it(f, backend):
    expected, found = f(X), tg.compile(f, backend=backend)(X)
    if isinstance(expected, np.ndarray):
        expected, found = [expected], [found]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("line", views.LINES)
def test_a_write_shows_where_numpy_shows_it(line):
    views.check(line, tg.compile, lambda x: x, TraceError)
    views.check(line, tg.compile, Value, (TraceError, ArgumentError, DtypeError))


@pytest.mark.parametrize("line", ["a.real", "a.imag[1:]", "np.einsum('ii->i', a)", "np.flip(a)"])
@backends("numpy", "llvm")
def test_derivatives_go_through_views_that_are_written_to(line, backend):
    for write, x in zip(views.WRITES, views.INPUTS, strict=True):
        f = views.loss(line, write)
        expected = tg.value_and_grad(f)(x), tg.hvp(f, (x,), (x + 1,))
        for wrap in (f, tg.compile(f, backend=backend)):
            g = tg.compile(lambda x, wrap=wrap: tg.value_and_grad(wrap)(x), backend=backend)
            programs.assert_equal((g(x), tg.hvp(wrap, (x,), (x + 1,))), expected, backend, CLOSE)


def returns_view(function):
    """True if a function of NumPy returns a view of its first array for some arguments."""
    tries = itertools.product(
        [lambda a: (a,), lambda a: ([a, a],), lambda a: ("ij->ji", a)],
        [(), (0,), (1,), ((),), ((1, 9),), (np.dtype(float),)],
        [{}, {"copy": False}, {"axis": 0}, {"axis": ()}, {"axes": ()}],
    )
    for place, more, options in tries:
        a = np.arange(9.0).reshape(3, 3) + 0.5
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            found = tree.leaves([function(*place(a), *more, **options)])
            arrays = [x for x in found if isinstance(x, np.ndarray)]
            if any(np.shares_memory(a, x) for x in arrays):
                return True
    return False


def test_the_compiler_knows_all_functions_that_return_views():
    functions = {f for _, f in numpy_names() if isinstance(f, type(np.sum))}
    functions -= {*WRITING, np.save, np.savetxt, np.savez, np.savez_compressed, np.histogramdd}
    assert {f for f in functions if returns_view(f)} <= VIEWING | {np.nan_to_num}


def written_argument(v):
    view = v[1:]
    v *= 2.0
    return (v * view[0]).sum()


@backends("numpy", "llvm")
def test_a_write_to_a_value_that_is_an_argument_is_refused(backend):
    f = tg.compile(written_argument, backend=backend)
    for v in (Value(X[0]), Value(X[0]) * 1.0, Value(X[0], requires_grad=False)):
        with pytest.raises(TraceError, match="must not set the data of its argument 'v'"):
            f(v)


@backends("numpy", "llvm")
def test_values_that_were_written_to_are_results(backend):
    def f(x):
        v = x * 1.0
        row = v[0]
        v[0, 1] = x[1, 2]
        return v, row

    x = Value(X)
    v, row = tg.compile(f, backend=backend)(x)
    np.testing.assert_array_equal(row.data, [1.0, 6.0, 3.0])
    (v.sum() + row.sum()).backward()
    np.testing.assert_array_equal(x.grad, [[2, 0, 2], [1, 1, 3]])


WRITERS = {
    "np.add.at": lambda a, b: np.add.at(a, [0, 0], b),
    "np.subtract.at": lambda a, b: np.subtract.at(a, ([0, 0], 1), b[0, :2]),
    "np.multiply.at": lambda a, b: np.multiply.at(a, [1], b[0]),
    "np.put": lambda a, b: np.put(a, [0, -1], b),
    ".put": lambda a, b: a.put([0, -1], 2.0),
    "np.place": lambda a, b: np.place(a, [[True, False, True]] * 2, b),
    "np.putmask": lambda a, b: np.putmask(a, a > 3, b),
    "np.copyto": lambda a, b: np.copyto(a, b[None], where=a > 3),
    "np.fill_diagonal": lambda a, b: np.fill_diagonal(a, b[0, :2]),
    "np.put_along_axis": lambda a, b: np.put_along_axis(a, np.argsort(-a, axis=0), b, 0),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_numpys_functions_write_into_traced_arrays(write):
    def f(x):
        a = x * 2
        write(a[:, ::-1], np.sin(x))
        return a

    np.testing.assert_allclose(tg.compile(f, backend="numpy")(X), f(X), rtol=1e-14)


def write_where(x):
    a = x * 1.0
    a[a > 4] = x[0, 0] * x[1, 1]
    a[:, 1:][x[:, 1:] < 3] = 0.5
    np.clip(a, 0.7, 4.5, out=a)
    np.cumsum(x[1], out=a[0])
    return np.sum(np.sin(a) * x)


@backends("numpy", "llvm")
def test_one_number_is_written_where_a_mask_is_true(backend):
    np.testing.assert_allclose(tg.compile(write_where, backend=backend)(X), write_where(X))


def write_where_differentiably(x):
    a = x * 1.0
    a[a > 4.2] = x[0, 0] * x[1, 1]
    np.clip(a, 0.7, 4.5, out=a)
    return np.sum(np.sin(a) * x)


@backends("numpy", "llvm")
def test_derivatives_go_through_masks(backend):
    f = write_where_differentiably
    tg.check_gradients(f, X)
    g = tg.compile(tg.value_and_grad(f), backend=backend)
    programs.assert_equal(g(X), tg.value_and_grad(f)(X), backend, CLOSE)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda a: np.cumsum(a[0], out=a), "out must have the shape of the result"),
        (lambda a: np.mean(a * 1j, axis=0, out=a[0]), "cannot cast the result"),
        (lambda a: a.__setitem__(0, a[0] * 1j), "complex numbers must be written into a complex"),
        (lambda a: a[0, 0].__setitem__((), 1.0), "does not support item assignment"),
        (lambda a: setattr(a, "imag", 1.0), "does not have imaginary part"),
    ],
)
def test_what_does_not_fit_is_not_written(write, said):
    with pytest.raises((TypeError, ValueError, TraceError), match=said):
        tg.compile(lambda x: write(x * 1.0))(X)


@pytest.mark.parametrize("write", machine.OVERLAPPING.values(), ids=machine.OVERLAPPING)
@pytest.mark.parametrize("turn", [lambda y: y[..., ::-1], lambda y: y.T, lambda y: y * 1.0])
def test_what_is_read_from_the_array_that_is_written_to_is_what_numpy_reads(write, turn):
    """NumPy copies it first, or reads what it has just written; that is refused."""

    def f(x):
        y = x * 2.0
        write(y, turn(y))
        return y

    x = np.arange(16.0).reshape(4, 4)
    for given in (x, Value(x)):
        for g in (f, tg.compile(f, backend="numpy")):
            with contextlib.suppress(TraceError, ArgumentError):
                np.testing.assert_array_equal(tree.map_leaves(Value.numpy, g(Value(x))), f(x))
            if given is x:
                with contextlib.suppress(TraceError):
                    np.testing.assert_array_equal(g(x), f(x))


@pytest.mark.parametrize(
    "write",
    [
        lambda y: setattr(y, "flat", y[::-1]),
        lambda y: y.flat.__setitem__([2, 1, 0], y[:, 1]),
        lambda y: np.fill_diagonal(y, y[:, 0]),
        lambda y: np.place(y, y > 1, y.T),
    ],
)
def test_reading_what_has_just_been_written_is_refused_with_the_cure(write):
    x = np.arange(9.0).reshape(3, 3)
    with pytest.raises(ArgumentError, match=r"must not share memory .*; write new\.copy\(\)"):
        write(Value(x) * 1.0)
    with pytest.raises(TraceError, match=r"views.py, line .* must not share .*new\.copy\(\)"):
        tg.compile(lambda x: write(x * 1.0))(x)
    copied = tg.compile(lambda x: setattr(y := x * 1.0, "flat", y[::-1].copy()) or y)
    np.testing.assert_array_equal(copied(x), x[::-1])


def writes_while_it_reads(function):
    """True if a function of NumPy gives other numbers when `out` shares memory with an argument."""
    tries = itertools.product(
        [lambda a: (a,), lambda a: (a, a.T), lambda a: ([a[1:], a[:1]],), lambda a: ([*a[::-1]],)],
        [{}, {"axis": 0}, {"axis": -1}],
        [lambda a: a, lambda a: a.T, lambda a: a[::-1], lambda a: a[0], lambda a: a[:, 1]],
    )
    for place, options, turn in tries:
        one, other = (np.arange(9.0).reshape(3, 3) % 7 for _ in range(2))
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            function(*place(one), **options, out=turn(one))
            function(*place(other.copy()), **options, out=turn(other))
            if not np.array_equal(one, other, equal_nan=True):
                return True
    return False


def test_the_compiler_knows_all_functions_that_write_while_they_read():
    functions = {f for _, f in numpy_names() if callable(f) and not isinstance(f, type)}
    assert {f for f in functions if writes_while_it_reads(f)} <= WRITING_WHILE_READING
    assert all(map(writes_while_it_reads, WRITING_WHILE_READING))


def test_an_entry_that_is_written_twice_keeps_the_last_number():
    def f(x):
        y = x * 1.0
        np.put_along_axis(y, np.zeros_like(y, int), y[:, ::-1], axis=1)
        return y

    np.testing.assert_array_equal(tg.compile(f, backend="numpy")(X), [[1, 2, 3], [4, 5, 6]])


def test_a_plain_array_takes_up_no_traced_numbers():
    with pytest.raises(TraceError, match=r"np\.put must not write into an array from outside"):
        tg.compile(lambda x: np.put(np.zeros(3), [0], x[0, 0]))(X)


def written_to_a_reshape(x):
    b = (x * 2).reshape(-1)
    b += 1
    return b


def reshaped_before_a_change(x):
    a = x * 2
    b = a.reshape(-1)
    a += 1
    return b


def value_reshaped_before_a_write(x):
    a = tg.Value(x) * 2
    b = a.T.reshape(-1)
    a[0] = 1.0
    return b.sum()


def in_memory_order(x):
    return np.reshape(x * 2, (3, 2), order="A")


def windows_that_overlap(x):
    windows = np.lib.stride_tricks.sliding_window_view(x[0] * 2, 2, writeable=True)
    windows[0] = 1.0
    return windows


def into_an_array(x):
    return np.all(x > 0, axis=1, out=np.zeros(2, bool))


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (written_to_a_reshape, r"a reshaped or broadcast array is changed in place; .*\.copy\(\)"),
        (reshaped_before_a_change, r"while a reshape of it is still in use; .*\.copy\(\)"),
        (value_reshaped_before_a_write, r"while a reshape of it is still in use; .*\.copy\(\)"),
        (in_memory_order, "order must be 'C' or 'F', got 'A'"),
        (windows_that_overlap, "an entry is found at several places; write to array.copy"),
        (into_an_array, r"np\.all\(\.\.\., out=\.\.\.\) must not write into an array; drop out="),
    ],
)
def test_what_depends_on_where_numbers_lie_is_refused(f, said):
    with pytest.raises(TraceError, match=f"test_compile_views.py, line .*{said}"):
        tg.compile(f)(X)


@pytest.mark.parametrize("order", ["C", "F"])
@backends("numpy", "llvm")
def test_entries_along_one_axis_come_in_the_order_asked_for(order, backend):
    found = tg.compile(lambda x: (x * 2).ravel(order=order), backend=backend)(X)
    np.testing.assert_array_equal(found, (X * 2).ravel(order=order))


@backends("numpy", "llvm")
def test_whether_arrays_are_equal_is_found_from_their_numbers(backend):
    f = tg.compile(lambda x, y: np.array_equal(x * 1.0, y) * 1.0, backend=backend)
    assert f(X, X.copy()) == 1
    assert f(X, X + 1) == 0


@pytest.mark.parametrize("axes", [(0, 3), (0, 0)])
def test_axes_that_do_not_exist_raise_what_numpy_raises(axes):
    with pytest.raises(ValueError, match=r"axis|axes"):  # AxisError is one
        tg.compile(lambda x: np.transpose(x, axes))(X)


@pytest.mark.parametrize("c", [1e-39, 1e38, -1e-38, 3.0])
@backends("numpy", "llvm")
def test_division_by_the_smallest_and_largest_numbers_is_a_division(c, backend):
    x = np.array([1e-10, 1.0, 3e30], np.float32)
    with np.errstate(all="ignore"):
        expected = x / c
    np.testing.assert_allclose(tg.compile(lambda x: x / c, backend=backend)(x), expected, rtol=1e-6)
