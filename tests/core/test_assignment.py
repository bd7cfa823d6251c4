"""Values in buffers: item assignment, arithmetic in place, views, and the arrays to write into."""

from __future__ import annotations

import copy
import gc
import pickle
import tracemalloc
import weakref

import numpy as np
import pytest
import views

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import (
    ArgumentError,
    DtypeError,
    GraphError,
    NotDifferentiableError,
)

X = np.array([0.5, -1.0, 2.0])


def constant(x):
    return Value(x, requires_grad=False)


# ---- versions


def test_a_result_computed_before_a_write_keeps_its_gradient():
    x = Value(X)
    v = x * 1.0
    before = np.sin(v)
    v[0] = 0.0
    after = np.sin(v)
    before.sum().backward()
    np.testing.assert_array_equal(x.grad, np.cos(X))
    x.grad = None
    after.sum().backward()
    np.testing.assert_array_equal(x.grad, np.cos(X) * [0, 1, 1])


def test_the_gradient_of_a_written_value_is_that_of_its_newest_version():
    x = Value(2.0)
    v = tg.zeros(2)
    v[1] = x * x
    (v * 3).sum().backward()
    assert v.grad.tolist() == [3.0, 3.0] and x.grad == 12.0


def test_the_last_of_two_writes_to_an_entry_gets_the_gradient():
    x = Value([1.0, 2.0])
    v = tg.zeros(3)
    v[[1, 1]] = x
    v.sum().backward()
    assert v.data.tolist() == [0.0, 2.0, 0.0] and x.grad.tolist() == [0.0, 1.0]


def test_the_input_of_a_transform_is_written_to_as_a_copy():
    def f(x):
        x[0] = x[1] ** 2
        x *= 2.0
        return x.sum()

    assert tg.grad(f)(X).tolist() == [0.0, -2.0, 2.0]
    assert X.tolist() == [0.5, -1.0, 2.0]


def test_a_parameter_is_rebound_by_arithmetic_in_place():
    w = same = Value(X)
    w += 1.0
    assert same.data.tolist() == X.tolist() and w.data.tolist() == (X + 1).tolist()


def test_a_parameter_used_inside_a_transform_cannot_be_written_to():
    w = Value(X)

    def f(x):
        w[0] = x
        return w.sum()

    with pytest.raises(NotDifferentiableError, match=r"write to y = value\.copy\(\)"):
        tg.grad(f)(1.0)


@pytest.mark.parametrize("make", [lambda v: np.broadcast_to(v, (2, 3)), lambda v: np.diag(v * v)])
def test_what_is_read_only_in_numpy_is_read_only(make):
    v = make(Value(X) * 1.0) if make(X).ndim == 2 else make(X)
    read_only = v if v.shape == (2, 3) else np.diagonal(v)
    with pytest.raises(ValueError, match="read-only"):
        read_only[0] = 1.0


def test_a_number_cannot_be_written_to_but_bound_again():
    total = loss = Value(2.0) * 1.0
    with pytest.raises(ArgumentError, match="must be an array"):
        total[...] = 1.0
    total += 1.0
    assert loss.data == 2.0 and total.data == 3.0


def test_no_gradient_is_lost_under_no_grad():
    v = Value(X) * 1.0
    with tg.no_grad(), pytest.raises(GraphError, match="no_grad"):
        v[0] = 1.0
    with tg.no_grad():
        free = v.copy()
        free[0] = 9.0
    assert free.data[0] == 9.0 and not free.requires_grad


def test_a_view_read_under_no_grad_keeps_its_gradient():
    x = Value(X)
    v = x * 1.0
    view = v[1:]
    v[0] = 0.0
    with tg.no_grad():
        view.data
    view.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("new", [[1.0, 2.0], np.zeros((2, 3))])
def test_entries_that_do_not_fit_are_refused_and_nothing_changes(new):
    v = tg.zeros(3)
    v[0] = Value(1.0)
    with pytest.raises(ValueError, match="shape"):
        v[...] = new
    assert v.data.tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(IndexError):
        v[5] = 1.0
    with pytest.raises(ArgumentError, match="got None"):
        v[0] = None
    with pytest.raises(ArgumentError, match="shape"):
        v += np.zeros((2, 3))


def test_a_float32_array_stays_one():
    v = tg.zeros(3, np.float32)
    v[1] = Value(1.5)
    v += np.ones(3)
    assert v.dtype == np.float32 and v.data.tolist() == [1.0, 2.5, 1.0]


def test_data_taken_earlier_keeps_its_numbers():
    v = tg.zeros(2)
    v[0] = 1.0
    before = v.data
    v[0] = 2.0
    assert before.tolist() == [1.0, 0.0] and v.data.tolist() == [2.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        v.data[0] = 3.0


def test_a_written_value_is_copied_and_pickled_as_a_constant_or_not_at_all():
    v = tg.zeros(2)
    v[0] = 1.0
    for twin in (copy.deepcopy(v), pickle.loads(pickle.dumps(v)), v.detach()):
        assert type(twin) is Value and twin.data.tolist() == [1.0, 0.0]
    v[1] = Value(2.0)
    with pytest.raises(GraphError, match="set_item"):
        copy.copy(v)


def test_an_index_may_be_changed_after_the_write():
    x, rows = Value([1.0, 2.0]), np.array([0, 2])
    v = tg.zeros(3)
    v[rows] = x
    rows[...] = 1
    v.sum().backward()
    assert v.data.tolist() == [1.0, 0.0, 2.0] and x.grad.tolist() == [1.0, 1.0]


def test_out_and_the_methods_write_into_a_value():
    def f(x):
        v = tg.zeros(3)
        np.multiply(x, 2.0, out=v)
        np.add(v, x, out=v, where=np.array([True, False, True]))
        w = v.copy()
        w.fill(v[0])
        v.sort()
        w.put([1, -1], v[:2])
        return (v * w).sum()

    def plain(x):
        v = np.zeros(3)
        np.multiply(x, 2.0, out=v)
        np.add(v, x, out=v, where=np.array([True, False, True]))
        w = v.copy()
        w.fill(v[0])
        v.sort()
        w.put([1, -1], v[:2])
        return (v * w).sum()

    assert tg.value_and_grad(f)(X)[0] == plain(X)
    tg.check_gradients(f, X, order=2)


@pytest.mark.parametrize(
    "line", ["a += v", "np.add(a, v, out=a)", "a[0] = v[0]", "np.array([v, v])", "np.full(3, v)"]
)
def test_a_plain_array_takes_up_no_value_and_the_error_names_what_does(line):
    names = {"np": np, "a": np.zeros(3), "v": Value(X)}
    with pytest.raises((TypeError, ValueError)) as caught:
        exec(line, names)
    assert "tg.zeros" in f"{caught.value} {caught.value.__cause__}"
    assert names["a"].tolist() == [0.0, 0.0, 0.0]


def test_forward_mode_through_writes_has_derivatives_of_its_own():
    def f(x):
        v = np.zeros_like(x)
        for i in range(len(x)):
            v[i] = x[i] ** 2 + v[i - 1]
        v[0] *= v[2]
        return (v * v).sum()

    t = np.array([0.3, -1.0, 2.0])
    along = tg.grad(lambda x: tg.jvp(f, (x,), (t,))[1])(X)
    np.testing.assert_allclose(along, tg.hvp(f, (X,), (t,))[0], rtol=1e-13)
    np.testing.assert_allclose(along, tg.hessian(f)(X) @ t, rtol=1e-13)


def test_a_write_changes_no_tangent_of_what_was_computed_before():
    def f(x):
        v = x * 2.0
        v[0] = x[1]
        before = v[1:2] + 1.0  # has a part of the tangent of v
        v[1] = x[0]
        v[2] = 0.0
        return before * x + v

    t = np.array([0.3, -1.0, 2.0])
    h = 1e-6 * t
    slope = (f(X + h) - f(X - h)) / 2e-6
    np.testing.assert_allclose(tg.jvp(f, (X,), (t,))[1], slope, rtol=1e-8)


# ---- views


@pytest.mark.parametrize("line", views.LINES)
def test_a_write_shows_where_numpy_shows_it(line):
    views.check(line, lambda f: f, Value, (ArgumentError, DtypeError))


@pytest.mark.parametrize("write", views.WRITES)
@pytest.mark.parametrize(
    "line", ["np.einsum('ii->i', a)", "a.real", "np.asarray(a)", "a.reshape(9, order='F')"]
)
def test_gradients_go_through_views_that_are_written_to(line, write):
    for x in views.INPUTS:
        tg.check_gradients(views.loss(line.replace("np.asarray", "tg.numpy.asarray"), write), x)


@pytest.mark.parametrize("kept", [1, 2, 7, 30])
def test_of_many_views_those_that_are_left_see_a_write(kept):
    array, value = np.arange(6.0), Value(np.arange(6.0)) * 1.0
    views = [(array[i % 5 :], value[i % 5 :]) for i in range(200)]
    views = [pair for i, pair in enumerate(views) if i % kept == 0]
    views += [(array[i % 4 :], value[i % 4 :]) for i in range(100)][::kept]
    array[1:] *= 2.0
    value[1:] *= 2.0
    for expected, found in views:
        np.testing.assert_array_equal(found.data, expected)


def test_an_array_asked_for_in_another_layout_or_as_a_copy_is_one():
    for options in ({"copy": True}, {"order": "F"}):
        v = Value(views.X) * 1.0
        other = tg.numpy.asarray(v, **options)
        other += 1.0
        np.testing.assert_array_equal(v.data, views.X)
    same = tg.numpy.asarray(v)
    same += 1.0
    np.testing.assert_array_equal(v.data, views.X + 1)


def test_differences_add_up_and_others_change_an_entry_once():
    v = tg.zeros(3)
    np.subtract.at(v, [0, 0, 2], Value([1.0, 2.0, 3.0]))
    np.multiply.at(v, [0, 2], 2.0)
    assert v.data.tolist() == [-6.0, 0.0, -6.0]
    with pytest.raises(NotDifferentiableError, match="must choose no entry twice"):
        np.multiply.at(v, [0, 0], 2.0)


# ---- memory


@pytest.mark.parametrize("transform", [tg.grad, lambda f: lambda x: tg.jvp(f, (x,), (x,))])
def test_filling_a_table_keeps_no_copy_for_each_write(transform):
    def fill(x):
        table = tg.zeros((200, 200))
        for i in range(1000):
            table[i % 200, i // 200] = x[i % 50] * 2.0 + table[0, 0]
        return (table * table).sum()

    tracemalloc.start()
    transform(fill)(np.ones(50))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6  # 1000 copies would be 320 MB


@pytest.mark.parametrize("transform", ["backward", "record"])
def test_a_graph_of_writes_is_freed_without_the_collector(transform):
    gc.disable()
    try:
        x = Value(X)
        v = x * 1.0
        view = v[1:]
        v[0] = v.sum() * view[0]
        view *= 2.0
        alive = [weakref.ref(y) for y in (v, view, x)]
        (v * v).sum().backward()
        del x, v, view
        assert [y() for y in alive] == [None] * 3
    finally:
        gc.enable()


def test_the_record_of_a_version_that_was_overwritten_has_its_numbers():
    v = tg.zeros(2)
    for i in range(2):
        v[i] = Value(float(i + 1))
    after, first = v.record, v.record.operands[0]
    assert after.operation.name == "set_item" and after.numbers[0].tolist() == [1.0, 0.0]
    assert first.data.tolist() == [1.0, 0.0]
    v.sum().backward()


def test_a_derivation_shows_the_versions():
    w = Value([1.0, 2.0], name="w")
    v = tg.zeros(2)
    v[0] = w[0] * w[1]
    v[1] = v[0] + w[1]
    text = tg.derivation((v * v).sum(), wrt=w).text()
    assert "[4, 16]" in text


# ---- arrays to write into


@pytest.mark.parametrize(
    "make", [tg.zeros, tg.ones, tg.empty, lambda n, dtype: tg.full(n, 2, dtype)]
)
def test_arrays_of_floats_are_constants_and_others_plain(make):
    assert isinstance(make(3, dtype=np.float32), Value)
    assert make(3, dtype=np.float32).dtype == np.float32
    assert not make(3, dtype=float).requires_grad
    assert type(make(3, dtype=int)) is np.ndarray


def test_an_array_of_nested_lists_has_the_gradients_of_its_values():
    w = Value(3.0)
    made = tg.array([[w, 1.0], [np.float64(2.0), w * w]])
    assert made.data.tolist() == [[3.0, 1.0], [2.0, 9.0]]
    made.sum().backward()
    assert w.grad == 7.0
    assert tg.array([[w, [1.0]][:1], [2.0]]).shape == (2, 1)
    with pytest.raises(ValueError, match="shape"):
        tg.array([[w, 1.0], [2.0]])


def test_an_array_like_a_value_can_be_written_into():
    f = lambda x: np.sum(written(np.zeros_like(x), x))

    def written(out, x):
        for i in range(len(x)):
            out[i] = x[i] ** 2
        return out

    assert tg.grad(f)(X).tolist() == (2 * X).tolist()


# ---- what NumPy's functions return to be written to


def tile_rows(x):
    table = np.tile(x, (2, 1))
    table[1, :-1] -= table[0, 1:]
    return (table**3).sum()


def write_grid(x):
    rows, columns = np.meshgrid(x, x)
    rows[0] = columns[1]
    return (rows**2 * columns).sum()


def clip_in_place(x):
    y = x.copy()
    np.clip(y, 0.0, 1.0, out=y)
    y -= y.mean()
    return (y**2 * x).sum()


def write_parts(x):
    z = np.zeros_like(x, dtype=complex)
    z.real = x**2
    z.imag[1:] = x[:-1]
    z.imag *= 2.0
    return (abs(z) ** 2).sum()


def write_through_real(x):
    y = x.copy()
    y.real[0] = x[1] ** 2
    np.real(y)[1] *= 3.0
    return (y * x).sum()


def write_lists(x):
    table = np.zeros_like(np.outer(x, x))
    table[:, 1] = [x[0], 2.0, x[2] ** 2]
    table[0] = (x[1], x[0], 0.0)
    return (table**2).sum()


@pytest.mark.parametrize(
    "f", [tile_rows, write_grid, clip_in_place, write_parts, write_through_real, write_lists]
)
def test_arrays_made_by_functions_are_written_to_as_in_numpy(f):
    x = np.array([0.5, 0.3, 2.0])
    tg.check_gradients(f, x)
    np.testing.assert_allclose(f(Value(x)).data, f(x), rtol=1e-14)
    compiled = tg.compile(tg.grad(f), backend="numpy")
    np.testing.assert_allclose(compiled(x), tg.grad(f)(x), rtol=1e-12)


def test_the_imaginary_part_of_a_real_value_is_not_written_to():
    with pytest.raises(DtypeError, match="imag: the array must be complex"):
        constant(X).imag = 1.0


NUMBERS_TAKEN = {
    "an entry": lambda v: v[0],
    "the last entry": lambda v: v[-1],
    "an entry of a view": lambda v: v[1:][0],
    "an entry of a row": lambda v: v.reshape(2, 2)[1, 0],
    "a view of an entry": lambda v: v[0, ...],
    "a squeezed part": lambda v: np.squeeze(v[:1]),
    "a reshaped part": lambda v: v[:1].reshape(()),
    "a sum": lambda v: v.sum(),
    "a largest entry": lambda v: np.max(v),
    "an entry taken": lambda v: np.take(v, 2),
}


@pytest.mark.parametrize("take", NUMBERS_TAKEN.values(), ids=NUMBERS_TAKEN)
def test_a_number_that_was_taken_changes_with_the_array_where_it_does_in_numpy(take):
    array, value = np.arange(1.0, 5.0), Value(np.arange(1.0, 5.0)) * 1.0
    expected, found = take(array), take(value)
    for new in (7.0, -2.0):
        array[:] = new
        value[:] = new
        assert found.data == expected


def test_a_table_written_from_a_table_keeps_the_numbers_of_both():
    w = Value(3.0)
    source, table = tg.zeros(3), tg.zeros(3)
    source[0] = w * w
    table[...] = source
    copied = table.record
    table[1] = w
    source[2] = 5.0
    table[2] = source[0] * 2.0
    assert [np.asarray(x).tolist() for x in copied.numbers[:2]] == [[0, 0, 0], [9, 0, 0]]
    (table * np.array([1.0, 10.0, 100.0])).sum().backward()
    assert table.data.tolist() == [9.0, 3.0, 18.0] and w.grad == 6.0 + 10.0 + 1200.0


@pytest.mark.parametrize("at", [0, slice(1, None), ..., [0, 2]], ids=str)
def test_infinite_entries_that_are_multiplied_by_zero_pass_nothing_on(at):
    """What is overwritten gets the gradient 0, whatever slope it would have."""
    x = Value(np.array([0.0, 1.0, 4.0]))
    y = np.sqrt(x) * 1.0
    y[at] = 2.0
    y.sum().backward()
    kept = np.ones(3)
    kept[at] = 0.0
    slope = np.where(kept > 0, 0.5 / np.sqrt(np.where(x.data > 0, x.data, np.inf)), 0.0)
    slope = np.where((x.data == 0) & (kept > 0), np.inf, slope)
    np.testing.assert_allclose(x.grad, slope)
