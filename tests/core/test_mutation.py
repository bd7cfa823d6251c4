"""Writing to arrays: what a graph owns, what a gradient shares, and what is refused."""

from __future__ import annotations

import array
import copy
import itertools
import math
import operator
import pickle

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError, GraphError, NotDifferentiableError, ShapeError

KINDS = {"number": 3.0, "0-d": np.array(3.0), "array": np.array([3.0, -1.0])}
each_kind = pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)


# ---- the numbers of a graph are its own


@each_kind
@pytest.mark.parametrize("touched", [False, True], ids=["unread", "read before"])
def test_assigning_data_after_the_forward_pass_does_not_change_the_gradient(data, touched):
    x = Value(data)
    if touched:
        x.data
    out = (x * x).sum()
    x.data = x.data + 100
    out.backward()
    np.testing.assert_array_equal(x.grad, 2 * data)


@pytest.mark.parametrize("read", ["before", "after"])
def test_writing_into_data_after_the_forward_pass_does_not_change_the_gradient(read):
    x = Value([3.0, -1.0])
    if read == "before":
        held = x.data
    out = (x * x).sum()
    if read == "after":
        held = x.data
    held[...] = 100
    assert x.data.tolist() == [100, 100]
    out.backward()
    assert x.grad.tolist() == [6.0, -2.0]


@pytest.mark.parametrize(
    "write", [lambda x: x.data.fill(7), lambda x: setattr(x, "data", [7.0, 7.0])]
)
def test_a_recorded_gradient_of_changed_data_is_an_error_not_a_wrong_number(write):
    x = Value([3.0, -1.0])
    out, pullback = tg.vjp(lambda y: (x * y).sum(), np.ones(2))
    write(x)
    with pytest.raises(GraphError, match="changed after the operation"):
        pullback(out)


def test_the_callers_array_may_be_changed_after_a_value_was_made_of_it():
    data = np.array([3.0, -1.0])
    x = Value(data)
    out = (x * x).sum()
    data[...] = 100
    out.backward()
    assert x.data.tolist() == [3.0, -1.0] and x.grad.tolist() == [6.0, -2.0]


@pytest.mark.parametrize(
    "f", [lambda x, c: x * c, lambda x, c: c @ x, lambda x, c: np.where(c, x, 0)]
)
def test_a_constant_array_may_be_changed_after_the_operation(f):
    x, c = Value([3.0, -1.0]), np.array([2.0, 5.0])
    out = f(x, c).sum()
    expected = tg.grad(lambda x: f(x, c).sum())(x.numpy())
    c[...] = 0
    out.backward()
    np.testing.assert_array_equal(x.grad, expected)


def test_a_read_only_constant_is_kept_itself_unless_it_is_a_view_of_what_may_change():
    array, whole = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    view = whole[:]
    array.flags.writeable = view.flags.writeable = False
    x = Value([3.0, 4.0])
    assert (x * array).record.numbers[1] is array
    y = x * view
    whole[...] = 9.0
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 2.0]
    with tg.no_grad():
        assert (x * whole).data.tolist() == [27.0, 36.0]


def test_an_index_may_be_changed_after_the_operation():
    x, rows = Value([1.0, 2.0, 3.0]), np.array([0, 2])
    out = (x[rows] ** 2).sum()
    rows[...] = 1
    out.backward()
    assert x.grad.tolist() == [2.0, 0.0, 6.0]


def test_an_option_may_be_changed_after_the_operation():
    x, mask, shifts = Value([1.0, 2.0, 3.0]), np.array([True, False, True]), [1]
    out = (np.sum(x, where=mask) + np.roll(x, shifts, axis=[0]) * np.arange(3.0)).sum()
    expected = [1 * 3 + 1.0, 2.0, 1 * 3 + 0.0]
    mask[...], shifts[0] = False, 2
    out.backward()
    assert x.grad.tolist() == expected


def test_the_result_of_an_operation_cannot_be_written_to():
    y = Value([3.0, -1.0]) * 2
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 1
    with pytest.raises(GraphError, match="multiply"):
        y.data = [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        np.broadcast_to(y, (3, 2)).data[0] = 1


def test_writing_to_a_leaf_made_of_a_broadcast_view_changes_one_entry():
    x = Value(np.broadcast_to(np.array([1.0, 2.0]), (3, 2)))
    x.data[0, 0] = 9
    assert x.data.tolist() == [[9.0, 2.0], [1.0, 2.0], [1.0, 2.0]]


def test_a_leaf_changed_in_place_is_seen_by_the_next_forward_pass():
    x = Value(np.arange(4.0))
    view = lambda: x[1:][::2]
    assert view().data.tolist() == [1.0, 3.0]
    x.data[1] = 9
    assert view().data.tolist() == [9.0, 3.0]
    x.data -= 1
    assert view().data.tolist() == [8.0, 2.0]


def test_data_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"must have shape \(2,\), got \(3,\)"):
        Value([1.0, 2.0]).data = np.zeros(3)


def test_data_assigned_to_a_leaf_keeps_its_dtype():
    x = Value(np.ones(2, np.float32))
    x.data = x.data - 0.5 * np.ones(2)
    assert x.dtype == np.float32


# ---- gradients share memory with nothing

SHARING = {
    "add": lambda x: x + x,
    "add two": lambda x: x + (x + 1.0),
    "reshape": lambda x: x.reshape(6),
    "transpose": lambda x: x.T,
    "alias of an alias": lambda x: (x.T).T,
    "broadcast": lambda x: np.broadcast_to(x, (2, 3)),
    "slice": lambda x: x[:, ::-1],
    "sum": lambda x: np.sum(x, axis=()),
    "subtract": lambda x: x - 1.0,
    "positive": lambda x: +x,
    "cast": lambda x: x.astype(np.float64),
    "where": lambda x: np.where(True, x, x),
    "concatenate": lambda x: np.concatenate([x, x]),
    "leaf": lambda x: x,
}
each_sharing = pytest.mark.parametrize("f", SHARING.values(), ids=SHARING)


@each_sharing
def test_gradients_share_memory_with_nothing(f):
    x = Value(np.ones((2, 3)))
    y = f(x)
    z = y + 0.0
    g = np.ones(z.shape)
    z.backward(g)
    arrays = [
        g,
        *(v.grad for v in {x, y, z}),
        *(v._content for v in {x, y, z} if v._record is None),
    ]
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(arrays, 2))


@each_sharing
def test_what_the_transforms_return_shares_memory_with_nothing(f):
    x, t = np.ones((2, 3)), np.ones((2, 3))
    out, pullback = tg.vjp(lambda x, y: f(x) + f(y), x, x)
    g = np.ones(out.shape)
    pushed = tg.jvp(f, (x,), (t,))
    arrays = [x, t, g, out, *pullback(g), *pullback(g), *pushed, tg.jacobian(f)(x)]
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(arrays, 2))


def test_a_gradient_saved_before_the_next_pass_keeps_its_numbers():
    x = Value([1.0, 2.0])
    (x * 3).sum().backward()
    saved = x.grad
    (x * 4).sum().backward()
    assert saved.tolist() == [3.0, 3.0] and x.grad.tolist() == [7.0, 7.0]


def test_a_gradient_may_be_scaled_in_place():
    x = Value([1.0, 2.0])
    (x * 3).sum().backward()
    x.grad *= 0.5
    x.grad[0] = 0
    assert x.grad.tolist() == [0.0, 1.5]


@pytest.mark.parametrize(
    ("data", "new", "expected"),
    [
        (3.0, 0, 0.0),
        (3.0, np.float64(2), 2.0),
        (np.ones(2), 0, [0.0, 0.0]),
        (np.ones(2), [1, 2], [1.0, 2.0]),
        (np.ones(2), None, None),
    ],
)
def test_a_gradient_can_be_assigned(data, new, expected):
    x = Value(data)
    x.grad = new
    assert (x.grad.tolist() if isinstance(x.grad, np.ndarray) else x.grad) == expected
    if new is not None:
        assert isinstance(x.grad, type(x.data))


def test_an_assigned_gradient_is_a_copy_in_the_dtype_of_the_data():
    x, g = Value(np.ones(2, np.float32)), np.array([1.0, 2.0])
    x.grad = g
    g[...] = 0
    assert x.grad.tolist() == [1.0, 2.0] and x.grad.dtype == np.float32


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"must have shape \(2,\), got \(3,\)"):
        Value([1.0, 2.0]).grad = np.zeros(3)


# ---- operators in place


def test_an_operator_in_place_rebinds_the_name():
    x = y = Value([1.0, 2.0])
    y += 1
    y *= 2
    assert x.data.tolist() == [1.0, 2.0] and y.data.tolist() == [4.0, 6.0]
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("operator", ["+=", "-=", "*=", "/=", "**=", "@="])
def test_an_array_cannot_take_up_a_value_in_place(operator):
    a, v = np.ones(2), Value([1.0, 2.0])
    with pytest.raises(TypeError):
        exec(f"a {operator} v", {"a": a, "v": v})
    assert a.tolist() == [1.0, 1.0]


def test_a_leaf_that_requires_a_gradient_cannot_be_written_by_index():
    x = Value([1.0, 2.0])
    with pytest.raises(NotDifferentiableError, match=r"value\.copy\(\)"):
        x[0] = 5.0
    with pytest.raises(NotDifferentiableError):
        x[0] += 5.0
    with pytest.raises(NotDifferentiableError):
        x[1:] *= 5.0
    assert x.data.tolist() == [1.0, 2.0]


# ---- leaving the graph is explicit

LOSING = {
    "asarray": np.asarray,
    "array": np.array,
    "array of a list": lambda v: np.array([v, v]),
    "asarray of a list": lambda v: np.asarray([v]),
    "array with a dtype": lambda v: np.array(v, dtype=float),
    "asarray of a list with a dtype": lambda v: np.asarray([v, 1.0], dtype=np.float64),
    "ascontiguousarray": np.ascontiguousarray,
    "a row of an array": lambda v: np.zeros((2, 2)).__setitem__(0, v),
    "fill": lambda v: np.zeros(2).fill(v),
    "full": lambda v: np.full(2, v),
    "copyto": lambda v: np.copyto(np.zeros(2), v),
    "put": lambda v: np.put(np.zeros(2), [0, 1], v),
    "out=": lambda v: np.exp(v, out=np.zeros(2)),
    "out= for a constant": lambda v: np.add(1.0, v, out=np.zeros(2)),
    "out= a value": lambda v: np.exp(np.ones(2), out=v),
    "where=": lambda v: np.exp(v, where=np.array([True, False])),
    "at": lambda v: np.add.at(np.zeros(2), [0, 1], v),
}


@pytest.mark.parametrize("lose", LOSING.values(), ids=LOSING)
@pytest.mark.parametrize("data", [[1.0, 2.0], np.array([1.0, 2.0], np.float32)], ids=["f8", "f4"])
def test_a_gradient_is_never_dropped_silently(lose, data):
    with pytest.raises((TypeError, ValueError)):
        lose(Value(data))


@pytest.mark.parametrize(
    "lose", [np.asarray, lambda v: np.array([v]), lambda v: np.array([v, 1.0])]
)
@pytest.mark.parametrize("data", [1.5, np.array(1.5), np.float32(1.5)], ids=["float", "0-d", "f4"])
def test_a_single_number_is_no_exception(lose, data):
    with pytest.raises(NotDifferentiableError, match=r"value\.numpy\(\)"):
        lose(Value(data))


NUMBERS = {"float": 1.5, "0-d": np.array(1.5), "f4": np.float32(1.5), "1x1": np.array([[1.5]])}
each_number = pytest.mark.parametrize("data", NUMBERS.values(), ids=NUMBERS)


CONVERSIONS = {
    "float": float,
    "int": int,
    "complex": complex,
    "np.float64": np.float64,
    "np.float32": np.float32,
    "math.exp": math.exp,
    "math.floor": math.floor,
    "math.ceil": math.ceil,
    "math.trunc": math.trunc,
    "math.fsum": lambda v: math.fsum([v, 1.0]),
    "an entry of an array": lambda v: np.zeros(2).__setitem__(0, v),
    "an entry of a float32 array": lambda v: np.zeros(2, np.float32).__setitem__(0, v),
    "an entry of an integer array": lambda v: np.zeros(2, int).__setitem__(0, v),
    "fill": lambda v: np.zeros(2).fill(v),
    "fromiter": lambda v: np.fromiter([v, v], float),
    "array.array": lambda v: array.array("d", [v]),
    "percent": lambda v: "%.3f" % v,  # noqa: UP031
}
each_conversion = pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)


def refuses(convert, value):
    with pytest.raises((TypeError, ValueError)) as caught:
        convert(value)
    reasons = f"{caught.value} {caught.value.__cause__}"
    return "tg.zeros" in reasons and ("value.item()" in reasons or "value.numpy()" in reasons)


@each_conversion
@each_number
def test_a_conversion_that_would_lose_a_gradient_names_the_cure(convert, data):
    assert refuses(convert, Value(data))
    assert refuses(convert, Value(data) * 2)


@each_conversion
@pytest.mark.parametrize(
    "transform",
    [
        lambda f: tg.grad(f)(1.5),
        lambda f: tg.vjp(f, 1.5),
        lambda f: tg.jvp(f, (1.5,), (1.0,)),
        lambda f: tg.hvp(f, (1.5,), (1.0,)),
        lambda f: tg.jacobian(f)(1.5),
        lambda f: tg.hessian(f)(1.5),
    ],
    ids=["grad", "vjp", "jvp", "hvp", "jacobian", "hessian"],
)
def test_inside_a_transform_no_conversion_loses_the_gradient(convert, transform):
    def f(x):
        assert refuses(convert, x)
        assert refuses(convert, x * x)
        (x * x).backward()  # the pass of somebody else is not the transform's
        assert refuses(convert, x)
        return x * x

    transform(f)


def test_writing_into_an_array_inside_a_transform_names_the_cure():
    def f(x):
        buffer = np.zeros(3)
        for i in range(3):
            buffer[i] = x[i] ** 2
        return np.sum(buffer)

    with pytest.raises(NotDifferentiableError, match=r"tg\.zeros"):
        tg.grad(f)(np.ones(3))


def test_a_value_of_an_outer_transform_is_not_converted_in_an_inner_one():
    def outer(y):
        assert refuses(float, y)
        inner = tg.grad(lambda x: x * x * y if refuses(float, y) else None)
        return inner(3.0) + tg.grad(lambda x: x * (x if refuses(float, y * 2) else None))(y)

    assert tg.grad(outer)(2.0) == 8.0


def test_a_leaf_from_outside_is_not_converted_inside_a_transform():
    w = Value(1.5)
    (w * w).backward()
    assert float(w) == 1.5
    tg.grad(lambda x: x * w if refuses(float, w) else None)(2.0)


def test_after_a_transform_conversions_are_as_before_also_if_it_fails():
    loss = Value(1.5) * 2
    loss.backward()
    with pytest.raises(ZeroDivisionError):
        tg.grad(lambda x: 1 // 0)(1.5)
    assert float(loss) == 3.0


@each_number
def test_once_backward_has_run_through_it_a_value_is_a_number_for_logs(data):
    x = Value(data)
    loss = np.sum(x * x)
    loss.backward()
    for value in (x, loss):
        assert [float(value), int(value), complex(value)] == [
            value.item(),
            int(value.item()),
            complex(value.item()),
        ]
    assert math.exp(loss) == math.exp(2.25)


@each_number
@pytest.mark.parametrize("convert", [float, int, complex, math.exp, math.trunc, math.floor])
def test_where_nothing_is_recorded_a_value_is_a_number(convert, data):
    assert convert(Value(data, requires_grad=False)) == convert(1.5)
    assert convert((Value(data) * 1).detach()) == convert(1.5)
    with tg.no_grad():
        assert convert(Value(data)) == convert(1.5)
        assert convert(Value(data) * 1) == convert(1.5)


def test_a_value_without_a_gradient_can_be_written_into_an_array():
    buffer = np.zeros(2)
    buffer[0] = Value(1.5, requires_grad=False)
    with tg.no_grad():
        buffer[1] = Value(2.5) * 2
    assert buffer.tolist() == [1.5, 5.0]


@pytest.mark.parametrize("use", [operator.index, range, lambda v: [1, 2][v], bytes])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_a_value_is_not_an_index(use, requires_grad):
    with pytest.raises(TypeError):
        use(Value([1.0], requires_grad=requires_grad))
    with pytest.raises(NotDifferentiableError, match=r"int\(value\.item\(\)\)"):
        operator.index(Value(1.0, requires_grad=requires_grad))


FREE = {
    "item": Value.item,
    "data": lambda v: float(np.ravel(v.data)[0]),
    "numpy": lambda v: float(np.ravel(v.numpy())[0]),
    "format": lambda v: float(f"{v:.3f}"),
    "comparison": lambda v: 1.5 if 1 < v < 2 and v == 1.5 else 0.0,
    "bool": lambda v: 1.5 if v else 0.0,
    "isclose": lambda v: 1.5 if np.isclose(v, 1.5).all() else 0.0,
}


@each_number
@pytest.mark.parametrize("leave", FREE.values(), ids=FREE)
def test_a_number_leaves_the_graph_where_that_is_said(leave, data):
    assert leave(Value(data)) == 1.5
    assert tg.grad(lambda x: x.sum() * leave(x))(np.array(data)).tolist() in (1.5, [[1.5]])
    assert "1.5" in repr(Value(data)) and "1.5" in str(Value(data))


@pytest.mark.parametrize("leave", [float, Value.item, int, complex, math.sin])
def test_many_entries_are_not_one_number(leave):
    with pytest.raises((TypeError, ArgumentError), match=r"one entry, got shape \(2,\)|lose its"):
        leave(Value([1.0, 2.0]))


def test_numpy_gives_a_copy_and_detach_a_constant():
    x = Value([1.0, 2.0], name="x")
    x.numpy()[0] = 9
    constant = x.detach()
    constant.data[0] = 9
    assert x.data.tolist() == [1.0, 2.0]
    assert not constant.requires_grad and constant.name == "x"


# ---- copies


@each_kind
@pytest.mark.parametrize(
    "twin",
    [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))],
    ids=["copy", "deep", "pickle"],
)
def test_a_leaf_can_be_copied_and_pickled(data, twin):
    x = Value(data, name="x")
    (x * 2).sum().backward()
    y = twin(x)
    np.testing.assert_array_equal(y.data, x.data)
    np.testing.assert_array_equal(y.grad, x.grad)
    assert (y.name, y.requires_grad, type(y.data)) == ("x", True, type(x.data))
    assert not np.shares_memory(y.data, x.data) and not np.shares_memory(y.grad, x.grad)


def test_a_gradient_is_one_array_that_may_be_changed_in_place():
    x = Value(np.array([[3.0, -4.0]]))
    (x * x).sum().backward()
    x.grad[0, 0] = 0.5
    assert x.grad is x.grad and x.grad.tolist() == [[0.5, -8.0]]


@pytest.mark.parametrize("number", [2.0, np.float32(2), np.array(2.0)])
def test_the_gradient_of_a_number_has_the_type_of_the_number(number):
    x = Value(number)
    (x * x + x).backward()
    assert type(x.grad) is type(x.data) and x.grad == 5.0


def test_a_structure_of_leaves_is_copied_with_its_sharing():
    x = Value([1.0])
    twin = copy.deepcopy({"a": x, "b": [x]})
    assert twin["a"] is twin["b"][0] and twin["a"] is not x


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_result_in_a_graph_cannot_be_copied_or_pickled(twin):
    with pytest.raises(GraphError, match=r"multiply.*detach"):
        twin(Value(2.0) * 3)


def test_a_constant_keeps_being_one_in_a_copy():
    assert not pickle.loads(pickle.dumps(Value(1.0, requires_grad=False))).requires_grad


def test_an_operation_is_pickled_by_name():
    from tinygrad_lr.ops.elementwise import tanh

    assert pickle.loads(pickle.dumps(tanh)) is tanh and copy.deepcopy(tanh) is tanh
