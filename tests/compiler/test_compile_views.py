"""Arrays that share memory in NumPy share it in compiled functions: what is written is seen."""

import numpy as np
import programs
import pytest

import tinygrad_lr as tg
from tinygrad_lr.errors import TraceError

backends = programs.backends
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


def written_to_a_reshape(x):
    b = (x * 2).reshape(-1)
    b += 1
    return b


def reshaped_before_a_change(x):
    a = x * 2
    b = a.reshape(-1)
    a += 1
    return b


def in_memory_order(x):
    return np.reshape(x * 2, (3, 2), order="A")


def into_an_array(x):
    return np.all(x > 0, axis=1, out=np.zeros(2, bool))


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (written_to_a_reshape, r"a reshaped or broadcast array is changed in place; .*\.copy\(\)"),
        (reshaped_before_a_change, r"while a reshape of it is still in use; .*\.copy\(\)"),
        (in_memory_order, "order must be 'C' or 'F', got 'A'"),
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
