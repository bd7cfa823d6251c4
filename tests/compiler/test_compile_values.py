"""A compiled function of Values is a node of their graph, with gradients of every order."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from programs import assert_equal, backends

import tinygrad_lr as tg
from tinygrad_lr import Value, losses, nn
from tinygrad_lr.errors import GraphError

X = np.linspace(-1.0, 1.0, 6)
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def f(x, y):
    return np.tanh(x) * y + np.sum(x * x)


@backends()
def test_values_get_the_gradients_of_eager_code(backend):
    pairs = [(Value(X), Value(X + 2)) for _ in range(2)]
    for function, (x, y) in zip((f, tg.compile(f, backend=backend)), pairs, strict=True):
        out = function(np.exp(x), y)
        (out * out).sum().backward()
    assert_equal([v.grad for v in pairs[1]], [v.grad for v in pairs[0]], backend, CLOSE)


@backends()
def test_it_is_one_node_with_the_name_of_the_function(backend):
    x = Value(X)
    out = tg.compile(f, backend=backend)(x, 2.0)
    operation, operands, *_ = out._record
    assert operation.name == "f" and operands[0] is x and out.requires_grad
    assert_equal(out.data, f(X, 2.0), backend)


@backends()
def test_plain_arguments_among_values_stay_constants(backend):
    x = Value(X)
    compiled = tg.compile(f, backend=backend)
    for scale in (1.0, 3.0):
        x.grad = None
        compiled(x, scale).sum().backward()
        expected = tg.grad(lambda x, scale=scale: f(x, scale).sum())(X)
        assert_equal(x.grad, expected, backend, CLOSE)


@backends()
def test_captured_parameters_get_gradients(backend):
    models = [nn.MLP(3, [4], 2, "tanh", dtype=np.float64, generator=0) for _ in range(2)]
    batch = X.reshape(2, 3)
    for model, wrap in zip(models, (lambda f: f, tg.compile(backend=backend)), strict=True):
        predict = wrap(lambda x, model=model: model(x))
        for _ in range(2):  # added up
            (predict(batch) ** 2).sum().backward()
    gradients = [[x.grad for x in model.parameters()] for model in models]
    assert_equal(gradients[1], gradients[0], backend, CLOSE)


@backends()
def test_captured_parameters_that_move_are_seen_by_value_and_gradient(backend):
    w = Value(X.copy())
    compiled = tg.compile(lambda x: (w * w * x).sum(), backend=backend)
    for scale in (1.0, 2.0, 3.0):
        w.data, w.grad = X * scale, None
        out = compiled(X)
        out.backward()
        assert_equal([out.data, w.grad], [(w.data**2 * X).sum(), 2 * w.data * X], backend, CLOSE)


@backends()
def test_m1_numbers_changed_between_call_and_backward_do_not_change_the_gradient(backend):
    w, given = Value(X.copy()), X.copy()
    x = Value(given)
    out = tg.compile(lambda x, y: (w * w * x * x * y).sum(), backend=backend)(x, given)
    w.data[...] = 7.0
    x.data = x.data * 100
    given[...] = 5.0
    out.backward()
    assert_equal([w.grad, x.grad], [2 * X**4, 2 * X**4], backend, CLOSE)


@backends()
def test_second_derivatives_are_those_of_eager_code(backend):
    compiled = tg.compile(f, backend=backend)
    scalar = lambda g: lambda x: np.sum(g(x, X + 2) ** 2)
    assert_equal(tg.hessian(scalar(compiled))(X), tg.hessian(scalar(f))(X), backend, CLOSE)
    third = lambda g: tg.grad(lambda x: tg.hvp(scalar(g), (x,), (X,))[0].sum())(X)
    assert_equal(third(compiled), third(f), backend, CLOSE)


@backends()
def test_second_derivatives_reach_captured_parameters(backend):
    w = Value(X.copy())
    compiled = tg.compile(lambda x: np.sum(np.tanh(w * x) ** 2), backend=backend)
    gradient = tg.grad(compiled)(Value(X))
    gradient.sum().backward()
    found, w.grad = w.grad, None
    tg.grad(lambda x: np.sum(np.tanh(w * x) ** 2))(Value(X)).sum().backward()
    assert_equal(found, w.grad, backend, CLOSE)


@backends()
def test_each_of_several_outputs_has_its_gradient(backend):
    compiled = tg.compile(lambda x: {"a": x * 2, "b": (x * x, 3.0)}, backend=backend)
    x = Value(X)
    out = compiled(x)
    (out["a"].sum() + (out["b"][0] * X).sum()).backward()
    assert_equal(x.grad, 2 + 2 * X * X, backend, CLOSE)
    x.grad = None
    compiled(x)["b"][0].sum().backward()
    assert_equal(x.grad, 2 * X, backend, CLOSE)


@backends()
def test_the_same_value_twice_gets_both_parts(backend):
    x = Value(X)
    tg.compile(lambda a, b: (a * a * b).sum(), backend=backend)(x, x).backward()
    assert_equal(x.grad, 3 * X**2, backend, CLOSE)


@backends()
def test_without_recording_the_result_is_a_constant(backend):
    compiled = tg.compile(f, backend=backend)
    with tg.no_grad():
        out = compiled(Value(X), 2.0)
    assert not out.requires_grad and out._record is None
    with pytest.raises(GraphError):
        out.sum().backward()
    assert compiled(Value(X), 2.0).requires_grad  # with recording, the program is the same


@backends()
def test_a_program_traced_without_recording_records_afterwards(backend):
    w = Value(X.copy())
    compiled = tg.compile(lambda x: (w * x).sum(), backend=backend)
    with tg.no_grad():
        assert not compiled(X).requires_grad
    compiled(X).backward()
    assert_equal(w.grad, X, backend, CLOSE)
    with tg.no_grad():
        assert not compiled(X).requires_grad


@backends()
def test_values_that_require_no_gradient_get_none(backend):
    x, y = Value(X), Value(X, requires_grad=False)
    compiled = tg.compile(lambda x, y: (x * y).sum(), backend=backend)
    compiled(x, y).backward()
    assert y.grad is None
    assert_equal(x.grad, X, backend, CLOSE)
    y.requires_grad = True
    compiled(x, y).backward()
    assert_equal(y.grad, X, backend, CLOSE)


@backends()
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_kind_of_number_stays(dtype, backend):
    compiled = tg.compile(lambda x: x * 2.0, backend=backend)
    for number in (X.astype(dtype), dtype(1.5), 1.5):
        x = Value(number)
        out = compiled(x)
        out.sum().backward()
        assert type(out.data) is type(x.data) and out.dtype == x.dtype == np.asarray(x.grad).dtype
    assert (out * np.ones(2, np.float32)).dtype == np.float32  # a Python number widens nothing


@backends()
def test_gradients_agree_with_central_differences(backend):
    compiled = tg.compile(lambda x, y: tg.softmax(x * y, axis=-1), backend=backend)
    tg.check_gradients(compiled, X.reshape(2, 3), X.reshape(2, 3) + 2, order=2)


@backends()
def test_a_graph_dies_with_its_last_name(backend):
    model = nn.Linear(6, 3, dtype=np.float64, generator=0)
    compiled = tg.compile(lambda x: losses.mse(model(x), np.zeros((1, 3))), backend=backend)
    compiled(X[None]).backward()
    out = compiled(X[None])
    alive = weakref.ref(out)
    gc.disable()
    try:
        del out
        assert alive() is None
    finally:
        gc.enable()


@backends()
def test_a_compiled_function_and_its_model_can_be_forgotten(backend):
    model = nn.Linear(6, 3, dtype=np.float64, generator=0)
    compiled = tg.compile(lambda x, model=model: model(x).sum(), backend=backend)
    compiled(X[None]).backward()
    alive = weakref.ref(model.weight)
    del model, compiled
    gc.collect()
    assert alive() is None
