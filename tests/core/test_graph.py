"""The graph: long and wide ones, shared parts, what backward leaves behind, and memory."""

from __future__ import annotations

import pydoc
import re
import sys
import time

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.graph import topological_order
from tinygrad_lr.core.primitive import Primitive
from tinygrad_lr.errors import GraphError, NotDifferentiableError, ShapeError


def chain(length, start=1.0):
    """A leaf and the end of a chain of additions."""
    x = y = Value(start)
    for _ in range(length):
        y = y + 1.0
    return x, y


# ---- size


@pytest.mark.slow
def test_a_chain_of_a_million_operations_is_an_ordinary_graph():
    limit = sys.getrecursionlimit()
    started = time.perf_counter()
    try:
        sys.setrecursionlimit(150)  # this test's own frames need some
        x, y = chain(1_000_000)
        y.backward()
        del y
    finally:
        sys.setrecursionlimit(limit)
    assert x.grad == 1.0
    assert time.perf_counter() - started < 60


@pytest.mark.slow
def test_a_long_chain_dropped_without_backward_gives_its_memory_back():
    before = sys.getallocatedblocks()
    x, y = chain(200_000)
    held = sys.getallocatedblocks() - before
    del x, y
    assert sys.getallocatedblocks() - before < held / 100


@pytest.mark.slow
def test_a_long_chain_of_arrays_is_differentiated_in_both_modes():
    def f(x):
        for _ in range(20_000):
            x = x * 1.0
        return x

    _, tangent = tg.jvp(f, (np.ones(2),), (np.array([1.0, 2.0]),))
    assert tangent.tolist() == [1.0, 2.0]
    assert tg.grad(lambda x: f(x).sum())(np.ones(2)).tolist() == [1.0, 1.0]


@pytest.fixture(scope="module")
def deep():
    return chain(100_000)[1]


@pytest.mark.slow
@pytest.mark.parametrize("look", [repr, str, bool, hash, Value.item, lambda y: y == 3.0, id])
def test_looking_at_a_deep_value_does_not_walk_its_graph(look, deep):
    started = time.perf_counter()
    for _ in range(100):
        look(deep)
    assert time.perf_counter() - started < 1.0  # a hundred walks would take 8 s


def test_sixty_diamonds_in_a_row_take_linear_time():
    x = y = Value(1.0)
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60


def test_sixty_diamonds_of_two_branches_take_linear_time():
    def f(y):
        for _ in range(60):
            y = np.sin(y) + np.cos(y)
        return y

    assert tg.grad(f)(1.0) == pytest.approx(tg.jvp(f, (1.0,), (1.0,))[1])


@pytest.mark.slow
def test_the_sum_of_a_hundred_thousand_values_is_differentiated():
    values = [Value(float(i)) for i in range(100_000)]
    total = sum(values)
    total.backward()
    assert total.data == 4_999_950_000.0
    assert all(value.grad == 1.0 for value in values)


@pytest.mark.slow
def test_an_operation_of_thirty_thousand_operands_takes_linear_time():
    values = [Value(float(i)) for i in range(30_000)]
    started = time.perf_counter()
    np.stack(values).sum().backward()
    assert all(value.grad == 1.0 for value in values)
    assert time.perf_counter() - started < 10  # 17 s when each operand passes all the others on


# ---- shape of the graph


def test_an_operand_that_appears_three_times_gets_three_cotangents():
    x = Value(5.0)
    (x * x * x).backward()
    assert x.grad == 75.0


def test_a_value_used_at_two_depths_waits_for_all_its_readers():
    x = Value(2.0)
    a = x * x
    b = np.exp(a)
    (a * b + a).backward()
    e = np.exp(4.0)
    assert a.grad == pytest.approx(e + 4 * e + 1)
    assert x.grad == pytest.approx(4 * (5 * e + 1))


def test_every_reader_comes_before_its_operand():
    def tangled(x):
        values, rng = [x], np.random.default_rng(0)
        for _ in range(200):
            a, b = rng.integers(len(values), size=2)
            values.append(np.sin(values[a]) + values[b] * 0.3)
        return values[-1]

    tg.check_gradients(tangled, 0.5, order=2)


def test_two_graphs_over_one_leaf_add_their_gradients():
    x = Value(3.0)
    (x * 2).backward()
    (x * x).backward()
    assert x.grad == 8.0


def test_backward_twice_doubles_the_leaves_and_only_them():
    x = Value(np.array([1.0, 2.0]))
    inner = x * x
    out = (inner * inner).sum()
    out.backward()
    once, inside = x.grad.copy(), inner.grad.copy()
    out.backward()
    np.testing.assert_array_equal(x.grad, 2 * once)
    np.testing.assert_array_equal(inner.grad, inside)
    assert out.grad == 1.0


def test_backward_of_an_inner_value_after_the_outer_one_starts_afresh():
    x = Value(3.0)
    inner = x * x
    outer = inner * 2
    outer.backward()
    inner.backward()
    assert (inner.grad, x.grad) == (1.0, 12.0 + 6.0)


# ---- where a backward pass starts


@pytest.mark.parametrize("data", [np.zeros(3), np.zeros((2, 1)), np.zeros(0)], ids=str)
def test_a_value_of_many_entries_needs_its_cotangent(data):
    with pytest.raises(GraphError, match=r"must be a scalar.*cotangent"):
        (Value(data) * 2).backward()


@pytest.mark.parametrize("data", [2.0, np.array(2.0), np.ones(1), np.ones((1, 1))], ids=str)
def test_a_value_of_one_entry_starts_with_1(data):
    x = Value(data)
    (x * 3).backward()
    np.testing.assert_array_equal(x.grad, np.full(np.shape(data), 3.0))


@pytest.mark.parametrize(
    "cotangent", [np.ones(2), np.ones((3, 1)), 1.0, [[1.0, 1.0, 1.0]]], ids=str
)
def test_a_cotangent_of_another_shape_is_an_error_that_names_both(cotangent):
    with pytest.raises(ShapeError, match=r"shape of the output, \(3,\), got"):
        (Value(np.zeros(3)) * 2).backward(cotangent)


@pytest.mark.parametrize(
    "cotangent", ["abc", None, 1j, object(), {}, [[1], [2, 3]]], ids=lambda x: type(x).__name__
)
def test_a_cotangent_that_is_not_made_of_numbers_is_an_error(cotangent):
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        (Value(np.zeros(3)) * 2).backward(cotangent)


@pytest.mark.parametrize("cotangent", [[1, 2, 3], np.array([1, 2, 3], np.float32)], ids=str)
def test_a_cotangent_of_other_numbers_is_converted(cotangent):
    x = Value(np.zeros(3))
    (x * 2).backward(cotangent)
    assert x.grad.tolist() == [2.0, 4.0, 6.0] and x.grad.dtype == np.float64


def test_a_cotangent_may_be_a_value():
    x = Value(np.zeros(2))
    (x * 2).backward(Value([1.0, 2.0]))
    assert x.grad.tolist() == [2.0, 4.0] and type(x.grad) is np.ndarray


def test_backward_of_a_leaf_gives_1():
    x = Value(3.0)
    x.backward()
    assert x.grad == 1.0


def test_a_leaf_that_is_not_reached_keeps_no_gradient():
    x, y = Value(1.0), Value(2.0)
    unused = y * 3
    (x * 2).backward()
    assert (y.grad, unused.grad) == (None, None)


@pytest.mark.parametrize(
    "made",
    [
        lambda: Value(1.0, requires_grad=False) * 2,
        lambda: (Value(1.0) * 2).detach() * 3,
        lambda: tg.no_grad()(lambda: Value(1.0) * 2)(),
        lambda: Value(1.0, requires_grad=False),
    ],
    ids=["constants", "detached", "no_grad", "a constant"],
)
def test_backward_of_what_depends_on_no_leaf_is_an_error(made):
    with pytest.raises(GraphError, match="must depend on a leaf that requires a gradient"):
        made().backward()


def test_constants_in_a_graph_get_no_gradient():
    x, c = Value(2.0), Value(3.0, requires_grad=False)
    (x * c).backward()
    assert (x.grad, c.grad) == (3.0, None)


# ---- failure


@pytest.fixture
def failing():
    """An operation whose rule fails as long as `failing.on` is true."""

    def shaky(x):
        return 2 * x

    def rule(g, out, x):
        if operation.on:
            raise operation.on
        return 2 * g

    operation = Primitive(shaky)
    operation.vjp(x=rule)
    return operation


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), MemoryError()])
def test_an_exception_in_a_rule_leaves_every_gradient_as_it_was(failing, error):
    x, y = Value(1.0), Value(2.0)
    (x * 3).backward()
    inner = failing(x)
    out = inner * y
    failing.on = error
    with pytest.raises(type(error)):
        out.backward()
    assert (x.grad, y.grad, inner.grad, out.grad) == (3.0, None, None, None)
    failing.on = None
    out.backward()
    assert (x.grad, y.grad, inner.grad) == (3.0 + 4.0, 2.0, 2.0)


def test_an_operand_without_a_rule_is_an_error_that_names_it():
    condition = Value([1.0, 0.0])
    with pytest.raises(NotDifferentiableError, match=r"where.*condition"):
        np.where(condition, Value(1.0), 2.0).sum().backward()


def test_nothing_runs_for_operands_that_need_no_gradient(failing):
    failing.on = RuntimeError("asked for the gradient of a constant")
    x = Value(2.0)
    (failing(Value(1.0, requires_grad=False)) * x).backward()
    assert x.grad == 2.0


# ---- derivatives of derivatives


def test_the_product_with_the_hessian_is_that_of_the_whole_hessian():
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(2, 4))
    f = lambda x: np.sum(np.tanh(x) ** 3) + np.prod(x) * np.linalg.norm(x)
    np.testing.assert_allclose(tg.hvp(f, (x,), (t,))[0], tg.hessian(f)(x) @ t, rtol=1e-12)
    h = 1e-5
    rise = tg.grad(f)(x + h * t) - tg.grad(f)(x - h * t)
    np.testing.assert_allclose(tg.hvp(f, (x,), (t,))[0], rise / (2 * h), rtol=1e-6, atol=1e-8)


def test_the_inner_derivative_does_not_see_the_outer_perturbation():
    inner = lambda x: tg.grad(lambda y: x + y)(1.0)
    assert tg.grad(lambda x: x * inner(x))(1.0) == 1.0
    product = lambda x: tg.grad(lambda y: x * y)(2.0)
    assert tg.grad(lambda x: x * product(x))(3.0) == 6.0


@pytest.mark.parametrize("outer", [tg.grad, lambda f: lambda x: tg.jvp(f, (x,), (1.0,))[1]])
@pytest.mark.parametrize("inner", [tg.grad, lambda f: lambda x: tg.jvp(f, (x,), (1.0,))[1]])
def test_modes_nest_in_every_order_without_confusion(outer, inner):
    f = lambda x: x * inner(lambda y: np.sin(x * y) + x)(x)
    x = 0.7  # f = x² cos(x²)
    assert outer(f)(x) == pytest.approx(2 * x * np.cos(x * x) - 2 * x**3 * np.sin(x * x))


def test_help_lists_the_methods_with_numpys_arguments_before_the_operators():
    text = re.sub(r"[\s|]+", " ", pydoc.plain(pydoc.render_doc(Value))).replace("( ", "(")
    assert text.index(" backward(self") < text.index(" mean(self, axis") < text.index(" __add__ =")


def test_operands_of_what_is_older_are_not_looked_for():
    x = Value(2.0)
    y = x * x
    z = y * y
    found = topological_order([z], since=z._serial)
    assert [*map(id, found)] == [id(z), id(y)]
    assert [*map(id, topological_order([z]))] == [id(z), id(y), id(x)]
