"""A call of a compiled function is a node that remembers everything which its forward pass used."""

from __future__ import annotations

import threading
import types

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from operands import FIRST, cotangent, each_case_in_turn, quick
from programs import assert_equal, backends, derived, drawn, needs, numbers_of

import tinygrad_lr as tg
from tinygrad_lr import Value, losses, nn, optim
from tinygrad_lr.errors import GraphError, TraceError

X = np.linspace(-1.0, 1.0, 12).reshape(4, 3)
Y = np.cos(np.arange(8.0)).reshape(4, 2)
CLOSE = {"rtol": 1e-10, "atol": 1e-12}
KIND = {"dtype": np.float64}


def wrappers(backend):
    """Return two ways to wrap a function: as it is, for eager code, and compiled."""
    return (lambda f: f, tg.compile(backend=backend))


def gradients(model):
    return [x.grad for x in model.parameters()]


def buffers(model):
    return [np.array(x) for _, x in model.named_buffers()]


def make_model(*layers):
    first, last = nn.Linear(3, 4, generator=0, **KIND), nn.Linear(4, 2, generator=7, **KIND)
    return nn.Sequential(first, *layers, last)


def assert_same(run, backend):
    """Eager and compiled code give the same: `run` takes what the functions are wrapped in."""
    expected, found = (run(wrap) for wrap in wrappers(backend))
    assert_equal(found, expected, backend, CLOSE)


# ---- random draws and running statistics


@backends()
def test_the_backward_pass_of_dropout_has_the_mask_of_its_forward_pass(backend):
    def run(wrap):
        model = make_model(nn.Dropout(0.5, generator=1))
        predict = wrap(lambda x: model(x))
        results = []
        for _ in range(3):
            model.zero_grad()
            out = predict(X)
            (out * out).sum().backward()
            results += [out, gradients(model)]
        return results

    assert_same(run, backend)


@backends()
def test_two_masks_wait_for_their_backward_passes_in_either_order(backend):
    def run(wrap):
        model = make_model(nn.Dropout(0.5, generator=1))
        loss = wrap(lambda x: losses.mse(model(x), Y))
        results = []
        for order in (slice(None), slice(None, None, -1)):
            for out in [loss(X), loss(2 * X), loss(3 * X)][order]:
                model.zero_grad()
                out.backward()
                results += [out, gradients(model)]
        return results

    assert_same(run, backend)


@backends()
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_has_its_gradients_and_its_running_statistics(training, backend):
    def run(wrap):
        model = make_model(nn.BatchNorm1d(4, **KIND)).train(training)
        predict = wrap(lambda x: model(x))
        results = []
        for scale in (1.0, 2.0, 3.0):
            x = Value(X**3 * scale)
            (predict(x) ** 3).sum().backward()
            results += [x.grad, gradients(model), buffers(model)]
        return results

    assert_same(run, backend)


@backends()
def test_batch_norm_changes_its_mode_between_forward_and_backward(backend):
    def run(wrap):
        model = make_model(nn.BatchNorm1d(4, **KIND), nn.Dropout(0.3, generator=2))
        loss = wrap(lambda x: losses.mse(model(x), Y))
        results = []
        for training in (True, False, True, False):
            out = loss(X) if training else model.eval() and loss(X)
            model.train(not training)
            for _, buffer in model.named_buffers():
                buffer += 1.0
            out.backward()
            model.train()
            results += [out, gradients(model), buffers(model)]
        return results

    assert_same(run, backend)


@backends()
def test_a_training_loop_around_a_compiled_loss_is_the_eager_one(backend):
    def run(wrap):
        model = make_model(nn.BatchNorm1d(4, **KIND), nn.Tanh(), nn.Dropout(0.3, generator=2))
        optimizer = optim.SGD(model.parameters(), 0.05, momentum=0.9)
        loss = wrap(lambda x, y: losses.mse(model(x), y))
        results = []
        for _ in range(6):
            optimizer.zero_grad()
            out = loss(X, Y)
            out.backward()
            optimizer.step()
            results.append(out)
        return [*results, list(model.state_dict().values())]

    assert_same(run, backend)


# ---- what changes between forward and backward


@backends()
def test_a_number_of_a_closure_is_that_of_the_forward_pass(backend):
    def run(wrap):
        scale, w = 2.0, Value(X.copy())

        def f(x):
            return (scale * w * w * x).sum()

        f, results = wrap(f), []
        for new in (3.0, 4.0):
            out = f(X)
            scale = new
            out.backward()
            results += [out, w.grad]
        return results

    assert_same(run, backend)


@backends()
@pytest.mark.parametrize("place", ["argument", "closure", "Value argument", "parameter"])
def test_an_array_written_in_place_is_that_of_the_forward_pass(place, backend):
    def run(wrap):
        w, array = Value(X + 3), X.copy()
        held = Value(X.copy())
        written = {"closure": array, "argument": array}.get(place)
        written = held.data if written is None else written
        if place == "argument":
            f = wrap(lambda x: (w * w * np.exp(x)).sum())
            out = f(array)
        elif place == "closure":
            f = wrap(lambda: (w * w * np.exp(array)).sum())
            out = f()
        elif place == "Value argument":
            f = wrap(lambda x: (w * w * np.exp(x)).sum())
            out = f(held)
        else:
            f = wrap(lambda: (w * w * np.exp(held)).sum())
            out = f()
        written += 5.0
        out.backward()
        return [out, w.grad, held.grad if "argument" != place != "closure" else 0.0]

    assert_same(run, backend)


@backends()
def test_a_layer_that_is_replaced_stays_that_of_the_forward_pass(backend):
    def run(wrap):
        model = make_model(nn.Tanh())
        loss, old = wrap(lambda x: losses.mse(model(x), Y)), model.layers[0]
        out = loss(X)
        model.layers[0] = nn.Linear(3, 4, generator=5, **KIND)
        model.layers[1] = nn.ReLU()
        out.backward()
        results = [old.weight.grad, model.layers[2].weight.grad]
        assert model.layers[0].weight.grad is None
        loss(X).backward()
        return [*results, old.weight.grad, *gradients(model)]

    assert_same(run, backend)


@backends()
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_optimizer_steps_between_two_forward_passes_and_their_backward_passes(order, backend):
    def run(wrap):
        model = make_model(nn.Tanh())
        loss = wrap(lambda x: losses.mse(model(x), Y))
        optimizer = optim.Adam(model.parameters(), 0.1)
        outs = []
        for scale in (1.0, 2.0):
            loss(X).backward()
            optimizer.step()
            optimizer.zero_grad()
            outs.append(loss(X * scale))
        results = []
        for i in order:
            outs[i].backward()
            results.append(gradients(model))
            model.zero_grad()
        return results

    assert_same(run, backend)


@backends()
def test_a_compiled_step_updates_parameters_in_place_between_forward_and_backward(backend):
    def run(wrap):
        model = make_model(nn.Tanh())
        optimizer = optim.SGD(model.parameters(), 0.5)

        @wrap
        def step(x):
            optimizer.zero_grad()
            losses.mse(model(x), Y).backward()
            optimizer.step()

        loss, results = wrap(lambda x: losses.mse(model(x), Y)), []
        step(X)
        for _ in range(2):
            out = loss(X)
            step(X)
            step(X)
            optimizer.zero_grad()
            out.backward()
            results += [out, gradients(model)]
            optimizer.zero_grad()
        return results

    assert_same(run, backend)


@backends()
def test_a_running_array_that_the_function_moves_is_read_as_it_was(backend):
    class Average(nn.Module):
        def __init__(self):
            self.mean = np.zeros(3)

        def forward(self, x):
            out = x * x * self.mean
            self.mean = 0.5 * self.mean + np.ones(3)
            return out

    def run(wrap):
        model, x = Average(), Value(X)
        f = wrap(lambda x: model(x).sum())
        outs = [f(x) for _ in range(4)]
        results = []
        for out in outs[::-1]:
            x.grad = None
            out.backward()
            results += [out, x.grad]
        return [*results, model.mean]

    assert_same(run, backend)


@backends()
def test_results_are_not_parts_of_the_caller_s_arrays(backend):
    x, w = Value(X.copy()), Value(X.copy())
    shared, moved = x.data, w.data  # the caller may write to them
    f = tg.compile(lambda x: (x.reshape(3, 4), w.T, w), backend=backend)
    flat, turned, same = f(x)
    out = (flat * flat).sum() + (turned * turned).sum() + (same**3).sum()
    shared += 1.0
    moved += 1.0
    out.backward()
    assert_equal([x.grad, w.grad], [2 * X, 2 * X + 3 * X**2], backend, CLOSE)
    with tg.no_grad():
        results = f(x)
        before = [out.numpy() for out in results]
        shared += 1.0
        moved += 1.0
    assert_equal(results, before, backend)


@backends()
def test_a_value_returned_without_a_graph_is_no_part_of_a_value_from_outside(backend):
    w = Value(X.copy(), requires_grad=False)
    shared = w.data
    for function in (lambda: w.reshape(3, 4), lambda: {"turned": w.T}):
        compiled = tg.compile(function, backend=backend)
        for _ in range(3):
            out = compiled()
            before = [x.numpy() for x in tg.support.pytree.leaves(out)]
            shared += 1.0
            assert_equal(out, before, backend)


@backends()
def test_draws_and_arrays_that_the_trace_came_across_are_those_of_the_forward_pass(backend):
    def run(wrap):
        random, arrays, w = np.random.default_rng(0), [X.copy()], Value(X.copy())

        @wrap
        def f(x):
            rows = w[random.permutation(4)] * random.normal(size=(4, 3)) * random.random()
            return (rows * rows * (x * arrays[0])).sum()

        outs = []
        for _ in range(3):
            outs.append(f(X))
            arrays[0] += 1.0
        results = []
        for out in outs[::-1]:
            w.grad = None
            out.backward()
            results += [out, w.grad]
        return results

    assert_same(run, backend)


@backends()
def test_writing_to_a_plain_result_leaves_the_gradient_alone(backend):
    w, mask = Value(X.copy()), np.ones((4, 3))
    f = tg.compile(lambda x: ((w * x * mask).sum(), mask, x.reshape(3, 4)), backend=backend)
    out, same, flat = f(X)
    same += 5.0
    flat[...] = 7.0
    out.backward()
    assert_equal(w.grad, X, backend, CLOSE)


# ---- derivatives of every kind and order


def smooth(w):
    return lambda x, y: np.sum(np.tanh(w * x) ** 2 * y) + np.sum(np.exp(x * y) * w)


TRANSFORMS = {
    "jvp": lambda f: tg.jvp(f, (X, X + 1), (X, X)),
    "vjp": lambda f: tg.vjp(f, X, X + 1)[1](2.0),
    "grad": lambda f: tg.grad(f, argnums=(0, 1))(X, X + 1),
    "hvp": lambda f: tg.hvp(f, (X, X + 1), (X, X)),
    "jacobian": lambda f: tg.jacobian(f, argnums=(1, 0))(X, X + 1),
    "hessian": lambda f: tg.hessian(f, argnums=(0, 1))(X, X + 1),
    "jvp of jvp": lambda f: tg.jvp(lambda x: tg.jvp(f, (x, X), (X, x))[1], (X,), (X,)),
    "grad of jvp": lambda f: tg.grad(lambda x: tg.jvp(f, (x, X), (X, x))[1])(X),
    "third": lambda f: tg.grad(lambda x: tg.hvp(lambda x: f(x, X), (x,), (X,))[0].sum())(X),
    "compiled grad": lambda f: tg.compile(tg.grad(f))(X, X + 1),
    "compiled hvp": lambda f: tg.compile(lambda x: tg.hvp(lambda x: f(x, X), (x,), (X,)))(X),
    "grad of compiled grad": lambda f: tg.grad(lambda x: tg.compile(tg.grad(f))(x, X).sum())(X),
}


@backends()
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_of_a_compiled_function_are_those_of_eager_code(transform, backend):
    f = smooth(Value(X + 0.5))
    compiled = tg.compile(f, backend=backend)
    assert_equal(TRANSFORMS[transform](compiled), TRANSFORMS[transform](f), backend, CLOSE)


@backends()
def test_transforms_of_a_function_of_one_array_and_a_captured_value_agree(backend):
    w = Value(X.copy())  # the same numbers as the argument
    f = lambda x: np.sum(np.tanh(w * x) ** 2)
    g = tg.compile(f, backend=backend)
    for transform in (
        lambda f: tg.jvp(f, (X,), (X,)),
        lambda f: tg.hvp(f, (X,), (X,)),
        lambda f: tg.hessian(f)(X),
    ):
        assert_equal(transform(g), transform(f), backend, CLOSE)
    tg.check_gradients(g, X, order=2)


def every_derivative(case):
    """The function that gives an operation's value and its first and second derivatives."""

    def scalar(*inputs):
        out = case(*inputs)
        return np.sum(out * cotangent(0, out))

    def f(*inputs):
        out, pullback = tg.vjp(case, *inputs)
        tangents = tuple(cotangent(i + 1, x) for i, x in enumerate(inputs))
        products = tg.jvp(case, inputs, tangents), tg.hvp(scalar, inputs, tangents)
        return out, pullback(cotangent(0, out)), products

    return f


@pytest.mark.slow
@each_case_in_turn("backend", ["numpy", "numpy", "llvm"], needs, FIRST.values())
def test_every_operation_in_a_node_has_the_derivatives_of_eager_code(case, backend):
    expected = every_derivative(case)(*case.inputs)
    compiled = tg.compile(case.__call__, backend=backend)
    found = every_derivative(compiled)(*case.inputs)
    assert_equal(found, expected, backend, {"rtol": 1e-9, "atol": 1e-11})


@pytest.mark.slow
@backends()
@settings(quick, max_examples=20, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 8))
def test_a_random_program_in_nodes_has_the_derivatives_of_eager_code(seed, steps, backend):
    program, inputs = drawn(seed, steps, "float64")
    note(repr(program))
    weights = [np.cos(np.arange(out.size)).reshape(out.shape) for out in program(*inputs)]
    expected = derived(program, weights)(*inputs)
    assume(all(np.all(np.abs(x) < 1e6) for x in numbers_of(expected)))
    found = derived(tg.compile(program.__call__, backend=backend), weights)(*inputs)
    assert_equal(found, expected, backend, {"rtol": 1e-9, "atol": 1e-10})


@backends()
def test_a_gradient_penalty_reaches_the_parameters(backend):
    def run(wrap):
        model = make_model(nn.Tanh(), nn.Dropout(0.4, generator=3))
        score = wrap(lambda x: np.sum(model(x) ** 2))
        results = []
        for _ in range(2):
            slope = tg.grad(score)(Value(X))
            ((slope**2).sum() + score(X)).backward()
            results += [slope, gradients(model)]
        return results

    assert_same(run, backend)


@backends()
def test_second_derivatives_with_draws_and_running_statistics_agree(backend):
    def run(wrap):
        model = make_model(nn.BatchNorm1d(4, **KIND), nn.Tanh(), nn.Dropout(0.4, generator=3))
        score = wrap(lambda x: np.sum(model(x) ** 2))
        products = [tg.hvp(score, (X,), (X**2,))[0] for _ in range(2)]
        return [*products, tg.jvp(score, (X,), (X**2,)), buffers(model)]

    assert_same(run, backend)


@backends()
def test_a_second_derivative_of_numbers_that_have_changed_is_refused_as_in_eager_code(backend):
    for wrap in wrappers(backend):
        w = Value(X.copy())
        cube = wrap(lambda y, w=w: np.sum((w * y) ** 3))

        def change(y, w=w, cube=cube):
            out = cube(y)
            w.data = w.data + 1
            return out

        with pytest.raises(GraphError, match="changed after the operation ran"):
            tg.grad(change)(Value(2.0))


# ---- in larger graphs


@backends()
def test_a_node_is_used_twice_and_its_graph_goes_backward_twice(backend):
    def run(wrap):
        w, x = Value(X + 2), Value(X.copy())
        f = wrap(lambda x: np.tanh(w * x))
        out = f(np.exp(x))
        loss = (out * out + f(out)).sum() * np.max(out)
        results = []
        for _ in range(2):
            loss.backward()
            results += [loss, w.grad, x.grad, out.grad]
        return results

    assert_same(run, backend)


@backends()
def test_compiled_functions_within_compiled_functions_are_inlined(backend):
    def run(wrap):
        model = make_model(nn.Dropout(0.5, generator=1), nn.BatchNorm1d(4, **KIND))
        inner = wrap(lambda x: model(x))
        outer = wrap(lambda x, y: losses.mse(inner(x * 2), y) + inner(x).sum())
        results = []
        for _ in range(2):
            x = Value(X)
            outer(x, Y).backward()
            results += [x.grad, gradients(model), buffers(model)]
        return results

    assert_same(run, backend)


@backends()
def test_a_result_from_outside_is_an_operand(backend):
    def run(wrap):
        w = Value(X.copy())
        encode = wrap(lambda: np.exp(w))
        features = encode()
        f = wrap(lambda x: (features * features * x).sum())
        f(X).backward()
        return [w.grad, features.grad]

    assert_same(run, backend)


@backends()
def test_a_step_goes_backward_through_a_node_from_outside(backend):
    def run(wrap):
        w, v = Value(X.copy()), Value(X + 1)
        features = wrap(lambda: np.exp(w))()

        def step(x):
            loss = (features * v * x).sum()
            loss.backward()
            return loss

        step, results = wrap(step), []
        for scale in (1.0, 2.0):
            results += [step(X * scale).data, w.grad, v.grad, features.grad]
        return results

    assert_same(run, backend)


@backends()
def test_a_recurrent_cell_is_a_node_at_each_step(backend):
    def run(wrap):
        cell = nn.LSTMCell(3, 4, generator=0, **KIND)
        advance, state, total = wrap(lambda x, state: cell(x, state)), None, 0.0
        for scale in (1.0, -1.0, 2.0, 0.5):
            state = advance(X * scale, state)
            total = total + (state[0] ** 2).sum()
        total.backward()
        return gradients(cell)

    assert_same(run, backend)


@backends()
def test_a_compiled_function_differentiates_through_a_node_from_outside(backend):
    def run(wrap):
        w, v = Value(X.copy()), Value(X + 1)
        features = wrap(lambda: np.exp(w))()

        def slope(x):
            return tg.grad(lambda v: (features * v * v * x).sum())(v)

        slope = wrap(slope)
        results = [slope(X)]
        results[0].sum().backward()
        return [*results, w.grad, v.grad]

    assert_same(run, backend)


@backends()
def test_only_what_a_result_depends_on_gets_a_gradient(backend):
    first, second = Value(X.copy()), Value(X.copy())
    f = tg.compile(lambda x: (first * x, second * x, x.data * 1.0), backend=backend)
    x = Value(X)
    f(x)[0].sum().backward()
    assert second.grad is None
    unused, x = Value(X), Value(X)
    tg.compile(lambda x, unused: (x * 2).sum() + unused.data.sum(), backend=backend)(
        x, unused
    ).backward()
    assert unused.grad is None
    assert_equal([first.grad, x.grad], [X, np.full_like(X, 2.0)], backend, CLOSE)


@backends()
def test_a_function_may_return_its_argument_or_a_parameter(backend):
    def run(wrap):
        w, x = Value(X.copy()), Value(X + 1)
        f = wrap(lambda x: {"same": x, "twice": (x, w), "product": x * w})
        out = f(x)
        loss = (out["same"] ** 2 + out["twice"][0] ** 3 + out["twice"][1] + out["product"]).sum()
        loss.backward()
        return [x.grad, w.grad, *tg.jvp(lambda x: f(x)["same"], (X,), (X,))]

    assert_same(run, backend)


@backends()
@pytest.mark.parametrize("dtype", [np.float16, np.float32, float])
def test_each_kind_of_number_keeps_its_kind_in_every_derivative(dtype, backend):
    def run(wrap, number):
        f, x = wrap(lambda x: (x * x * 3.0).sum()), Value(number)
        f(x).backward()
        return [x.grad, *tg.hvp(f, (number,), (number,)), tg.jvp(f, (number,), (number,))[1]]

    for number in (X.astype(dtype), dtype(0.5), np.asarray(0.5, dtype)):
        expected, found = (run(wrap, number) for wrap in wrappers(backend))
        assert list(map(type, found)) == list(map(type, expected))
        assert_equal(found, expected, backend, {"rtol": 1e-2})


@backends()
def test_zero_grad_in_the_function_leaves_it_differentiable(backend):
    def run(wrap):
        model = make_model()
        optimizer, results = optim.SGD(model.parameters(), 0.1), []

        @wrap
        def loss(x):
            optimizer.zero_grad()
            return losses.mse(model(x), Y)

        for _ in range(3):
            loss(X).backward()
            results.append(gradients(model))
            optimizer.step()
        return results

    assert_same(run, backend)


@backends()
def test_changing_an_argument_is_refused(backend):
    def backward(v):
        loss = (v * v).sum()
        loss.backward()
        return loss

    def assign(v):
        v.data = v.data * 2
        return v.sum()

    for function, what in ((backward, "gradient"), (assign, "data")):
        with pytest.raises(TraceError, match=f"must not set the {what} of its argument 'v'"):
            tg.compile(function, backend=backend)(Value(X))


@backends()
@pytest.mark.slow
def test_threads_have_their_own_nodes(backend):
    model = make_model(nn.Tanh())
    predict = tg.compile(lambda x: (model(x) ** 2).sum(), backend=backend)
    expected = [tg.grad(lambda x: (model(x) ** 2).sum())(X * k) for k in range(4)]
    wrong = []

    def work(k):
        for _ in range(30):
            found = tg.grad(predict)(X * k)
            if not np.allclose(found, expected[k], rtol=1e-10):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# ---- rules of the user's, which read what is outside


RATE = [2.0]


def functions_with_rules(owner):
    """Functions whose derivatives depend on an object, an array and a global name."""
    scale = lambda: owner.k * owner.w * RATE[0]

    @tg.custom_vjp
    def by_vjp(x):
        return np.sin(x)

    by_vjp.defvjp(lambda x: (np.sin(x), x), lambda x, g: (g * np.cos(x) * scale(),))

    @tg.custom_jvp
    def by_jvp(x):
        return np.sin(x)

    by_jvp.defjvp(lambda x, t: (np.sin(*x), t[0] * np.cos(*x) * scale()))
    by_primitive = tg.primitive(lambda x: np.sin(x))
    by_primitive.vjp(x=lambda g, out, x: g * np.cos(x) * scale())
    return {
        "custom_vjp": by_vjp,
        "custom_jvp": by_jvp,
        "primitive": by_primitive,
        "remat": tg.remat(lambda x: np.sin(x) * scale()),
        "scan": lambda x: tg.scan(lambda c, r: (by_vjp(c) * r, c), x, np.arange(1.0, 3.0))[0],
        "cond": lambda x: tg.cond(np.sum(x) > 9.0, lambda y: y, by_jvp, x),
    }


RULES = list(functions_with_rules(None))


@pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.CompileWarning")
@pytest.mark.parametrize("transform", [tg.grad, lambda f: tg.jacobian(tg.grad(f))])
@pytest.mark.parametrize("name", RULES)
@backends()
def test_a_rule_reads_what_is_outside_at_the_call(name, transform, backend, monkeypatch):
    monkeypatch.setitem(globals(), "RATE", [2.0])
    owner = types.SimpleNamespace(k=2.0, w=np.arange(1.0, 4.0))
    function = functions_with_rules(owner)[name]
    f = lambda x: np.sum(function(x) ** 2)
    found, right = transform(tg.compile(f, backend=backend)), transform(f)
    x, before = np.array([0.5, -1.0, 2.0]), None
    changes = [
        lambda: None,
        lambda: setattr(owner, "k", 3.0),
        lambda: owner.w.__imul__(2.0),
        lambda: RATE.__setitem__(0, 5.0),
        lambda: setattr(owner, "w", np.ones(3)),
    ]
    for change in changes:
        change()
        expected = right(x)
        np.testing.assert_allclose(found(x), expected, **CLOSE)
        assert before is None or not np.array_equal(expected, before)
        before = expected


@pytest.mark.parametrize("name", ["custom_vjp", "custom_jvp", "primitive", "scan", "cond"])
@backends()
def test_what_a_rule_reads_must_not_change_between_the_call_and_backward(name, backend):
    owner = types.SimpleNamespace(k=2.0, w=np.ones(3))
    function = functions_with_rules(owner)[name]
    compiled = tg.compile(lambda x: np.sum(function(x)), backend=backend)
    for k in (3.0, 5.0):
        out = compiled(Value(np.ones(3)))
        owner.k = k
        with pytest.raises(TraceError, match=r"may read SimpleNamespace\.k, which has changed"):
            out.backward()


@backends()
def test_a_rule_may_be_declared_again(backend):
    functions = functions_with_rules(types.SimpleNamespace(k=2.0, w=np.ones(3)))
    by_vjp, by_jvp, by_primitive = list(functions.values())[:3]
    f = lambda x: np.sum(by_vjp(x) + 2 * by_jvp(x) + 4 * by_primitive(x))
    x = np.array([0.5, -1.0, 2.0])
    for found in (tg.grad(tg.compile(f, backend=backend)), tg.compile(tg.grad(f), backend=backend)):
        assert_equal(found(x), tg.grad(f)(x), backend)
        by_vjp.defvjp(lambda x: (np.sin(x), None), lambda _, g: (g * 7.0,))
        by_jvp.defjvp(lambda x, t: (np.sin(*x), t[0] * 11.0))
        assert_equal(found(x), tg.grad(f)(x), backend)
        by_primitive.vjp(x=lambda g, out, x: g * 13.0)
        assert_equal(found(x), tg.grad(f)(x), backend)
        by_vjp.defvjp(lambda x: (np.sin(x), None), lambda _, g: (g * 17.0,))
        by_primitive.vjp(x=lambda g, out, x: g * 19.0)
        assert_equal(found(x), tg.grad(f)(x), backend)


@pytest.mark.parametrize("inside", [False, True])
@backends()
def test_a_rule_that_draws_is_refused(inside, backend):
    rng = np.random.default_rng(0)

    def declare():
        f = tg.custom_vjp(lambda x: np.sin(x))
        f.defvjp(lambda x: (np.sin(x), None), lambda _, g: (g * rng.normal(size=3),))
        return f

    outer = declare()
    f = lambda x: np.sum((declare() if inside else outer)(x))
    with pytest.raises(TraceError, match="draw"):
        tg.compile(f, backend=backend)(Value(np.ones(3)))
