"""Optimisers: each follows its rule (PyTorch's), validates, keeps state, and spoils no graph."""

from __future__ import annotations

import functools
import inspect
import pickle

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import losses, nn, optim
from tinygrad_lr.errors import ArgumentError, DtypeError
from tinygrad_lr.optim import SGD, Optimizer, restore, snapshot

KINDS = {
    "SGD": (optim.SGD, {}),
    "SGD momentum": (optim.SGD, {"momentum": 0.9}),
    "SGD nesterov": (optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "SGD decay": (optim.SGD, {"weight_decay": 0.1}),
    "SGD all": (optim.SGD, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    "Adagrad": (optim.Adagrad, {}),
    "Adagrad all": (
        optim.Adagrad,
        {"learning_rate_decay": 0.1, "weight_decay": 0.01, "initial_accumulator_value": 0.5},
    ),
    "RMSprop": (optim.RMSprop, {}),
    "RMSprop centered": (optim.RMSprop, {"centered": True, "alpha": 0.9}),
    "RMSprop all": (
        optim.RMSprop,
        {"centered": True, "momentum": 0.5, "weight_decay": 0.01, "eps": 1e-3},
    ),
    "Adam": (optim.Adam, {}),
    "Adam decay": (optim.Adam, {"weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    "Adam amsgrad": (optim.Adam, {"amsgrad": True}),
    "AdamW": (optim.AdamW, {}),
    "AdamW amsgrad": (optim.AdamW, {"amsgrad": True, "weight_decay": 0.3}),
    "NAdam": (optim.NAdam, {}),
    "NAdam decay": (optim.NAdam, {"weight_decay": 0.1, "momentum_decay": 0.1}),
    "NAdam decoupled": (optim.NAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "Adadelta": (optim.Adadelta, {}),
    "Adadelta decay": (optim.Adadelta, {"weight_decay": 0.1, "rho": 0.7, "eps": 1e-3}),
    "Lion": (optim.Lion, {"weight_decay": 0.1}),
}
kinds = {name: functools.partial(kind, **options) for name, (kind, options) in KINDS.items()}
every_kind = pytest.mark.parametrize("kind", kinds.values(), ids=kinds)


def data(dtype=np.float64):
    random = np.random.default_rng(0)
    x = random.normal(size=(20, 3)).astype(dtype)
    return x, np.sin(x.sum(axis=1, keepdims=True))


def descend(model, optimizer, steps, x, y):
    for _ in range(steps):
        optimizer.zero_grad()
        losses.mse(model(x), y).backward()
        optimizer.step()
    return model.state_dict()


def model_of(dtype=np.float64):
    return nn.MLP(3, [4], 1, "tanh", dtype=dtype, generator=0)


def same(a, b):
    return all((a[name] == b[name]).all() for name in a)


def test_a_step_is_the_weight_minus_rate_times_gradient():
    w = tg.Value([1.0, -2.0])
    w.grad = [0.5, 0.25]
    SGD([w], learning_rate=0.1).step()
    assert w.tolist() == [1.0 - 0.1 * 0.5, -2.0 - 0.1 * 0.25]


@pytest.mark.parametrize("number", [2.0, np.float32(2), np.array(2.0), np.ones((2, 3), np.float32)])
@every_kind
def test_type_shape_and_dtype_of_the_data_are_kept(number, kind):
    w = tg.Value(number)
    optimizer = kind([w], 0.1)
    for _ in range(3):
        w.grad = np.float64(1.0) * np.ones(w.shape)
        optimizer.step()
    assert type(w.data) is type(number) and w.dtype == getattr(number, "dtype", np.float64)


@every_kind
def test_a_parameter_without_a_gradient_is_skipped(kind):
    used, unused = tg.Value(1.0), tg.Value(1.0)
    used.grad = 1.0
    kind([used, unused], 0.1).step()
    assert used.data != 1.0 and unused.data == 1.0


@every_kind
def test_a_live_graph_keeps_its_numbers_through_a_step(kind):
    w, x = tg.Value([2.0]), tg.Value([3.0])
    loss = (w * x).sum()
    w.grad = [1.0]
    kind([w], 0.5).step()
    loss.backward()
    assert x.grad.tolist() == [2.0]


def test_an_array_that_the_user_holds_follows_the_weights():
    w = tg.Value([2.0])
    held = w.data
    w.grad = [1.0]
    SGD([w], 0.5).step()
    assert held.tolist() == [1.5] and held is w.data


@every_kind
def test_gradients_and_old_weights_are_left_alone(kind):
    w = tg.Value([2.0])
    w.grad = [1.0]
    before, gradient = snapshot([w]), w.grad
    optimizer = kind([w], 0.5)
    for _ in range(3):
        optimizer.step()
    assert gradient.tolist() == [1.0] and before[0].tolist() == [2.0]
    restore([w], before)
    assert w.tolist() == [2.0]


def test_the_learning_rate_may_be_a_function_of_the_step():
    w = tg.Value(0.0)
    optimizer = SGD([w], lambda step: np.float64(1) / (step + 1))
    for expected in (-1.0, -1.5):
        w.grad = 1.0
        optimizer.step()
        assert w.data == expected
    assert optimizer.steps == 2 and optimizer.rate == 0.5


def test_a_rate_from_a_function_does_not_widen_the_weights():
    w = tg.Value(np.ones(2, np.float32))
    w.grad = [1.0, 1.0]
    SGD([w], lambda step: np.float64(0.1)).step()
    assert w.dtype == np.float32


def test_a_function_that_returns_no_rate_is_refused_and_nothing_moves():
    w = tg.Value(1.0)
    w.grad = 1.0
    optimizer = SGD([w], lambda step: float("nan"))
    with pytest.raises(ArgumentError, match=r"learning_rate\(0\)"):
        optimizer.step()
    assert w.data == 1.0 and optimizer.steps == 0


@pytest.mark.parametrize("rate", [0, -1.0, np.nan, np.inf, "0.1", None, True])
def test_a_learning_rate_is_a_finite_number_above_zero(rate):
    with pytest.raises(ArgumentError, match="must be a finite number > 0"):
        SGD([tg.Value(1.0)], rate)
    with pytest.raises(ArgumentError, match="must be a finite number > 0"):
        SGD([tg.Value(1.0)], 0.1).learning_rate = rate


@pytest.mark.parametrize("number", [-0.1, np.nan, np.inf, "0.1"])
@pytest.mark.parametrize("name", ["momentum", "weight_decay"])
def test_momentum_and_decay_are_finite_numbers_from_zero(name, number):
    with pytest.raises(ArgumentError, match=f"SGD: {name} must be a finite number >= 0"):
        SGD([tg.Value(1.0)], 0.1, **{name: number})


def test_nesterov_needs_momentum():
    with pytest.raises(ArgumentError, match="momentum must be > 0 with nesterov"):
        SGD([tg.Value(1.0)], 0.1, nesterov=True)


def test_no_parameters_are_refused():
    with pytest.raises(ArgumentError, match="parameters must have at least one Value"):
        SGD([], 0.1)


def test_a_parameter_that_is_listed_twice_is_refused():
    first, second = tg.Value(1.0), tg.Value(1.0)
    with pytest.raises(ArgumentError, match="the same Value at 0 and 2"):
        SGD([first, second, first], 0.1)


@pytest.mark.parametrize("given", [nn.ReLU(), tg.Value(1.0), {"w": tg.Value(1.0)}, [1.0]])
def test_parameters_are_a_list_of_values(given):
    with pytest.raises(DtypeError, match="parameters must be a list of Values"):
        SGD(given, 0.1)


def test_a_computed_value_is_no_parameter():
    with pytest.raises(ArgumentError, match=r"parameter 0 must be a leaf.*computed by multiply"):
        SGD([tg.Value(1.0) * 2], 0.1)


@every_kind
def test_a_run_continued_from_its_state_gives_the_same_bits(kind):
    x, y = data()
    whole, first, second = model_of(), model_of(), model_of()
    expected = descend(whole, kind(whole.parameters(), 0.1), 20, x, y)
    optimizer = kind(first.parameters(), 0.1)
    second.load_state_dict(descend(first, optimizer, 10, x, y))
    resumed = kind(second.parameters(), 0.7)
    resumed.load_state_dict(optimizer.state_dict())
    assert same(expected, descend(second, resumed, 10, x, y)) and resumed.steps == 20


def test_a_state_that_does_not_fit_is_refused_by_name_and_changes_nothing():
    w = tg.Value([1.0, 2.0])
    optimizer = SGD([w], 0.1, momentum=0.9)
    state = {"steps": 3, "other": 1, "0.velocity": np.ones(3)}
    with pytest.raises(ArgumentError) as error:
        optimizer.load_state_dict(state)
    told = ("learning_rate is missing", "'other' is unknown", "0.velocity is float64 of shape (3,)")
    assert all(text in str(error.value) for text in told) and optimizer.steps == 0


def wrong_entries(name, x):
    """Yield entries that no run could have saved in the place of this one."""
    yield from (None, "x", [[1.0, 2.0], [3.0]], {}, np.array(None), np.array("x"), x.astype(bool))
    yield from (x.astype(np.float16), x.astype(complex), x[None], np.empty((0, *x.shape), x.dtype))
    yield np.ma.array(x)
    kind = name.rpartition(".")[2]
    if kind in {"step", "steps", "iterations", "learning_rate"}:
        yield from (x - x - 1, np.full(x.shape, -(2.0**62)).astype(x.dtype))
    if kind in {"step", "steps", "iterations"}:
        yield from (x - x + 2**53, np.array(0.5), np.array(np.nan), np.array(np.inf))
    if kind == "learning_rate":
        yield from (np.array(np.nan), np.array(np.inf), np.array(0.0))
    if "square" in kind or kind in {"sum", "momenta"}:
        yield x - x - 1e-3


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(
    "kind", [*kinds.values(), functools.partial(optim.LBFGS, max_iter=3)], ids=[*kinds, "LBFGS"]
)
def test_a_state_with_any_wrong_entry_is_refused_and_changes_nothing(kind, grouped):
    w, b = tg.Value([1.0, 2.0]), tg.Value(3.0)
    parameters = [{"parameters": [w]}, {"parameters": [b], "learning_rate": 0.5}]
    needs_closure = kind.func is optim.LBFGS
    if needs_closure and grouped:
        return
    optimizer = kind(parameters if grouped else [w, b], 0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w**4).sum() + b**2
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    state = optimizer.state_dict()
    other = {name: x + 1 for name, x in state.items()}
    before = {name: x.tobytes() for name, x in state.items()}
    for name, x in state.items():
        for wrong in wrong_entries(name, x):
            with pytest.raises((ArgumentError, DtypeError), match="load_state_dict: "):
                optimizer.load_state_dict({**other, name: wrong})
            assert before == {k: v.tobytes() for k, v in optimizer.state_dict().items()}
    optimizer.load_state_dict({name: x.tolist() for name, x in state.items()})
    assert before == {k: v.tobytes() for k, v in optimizer.state_dict().items()}


def test_a_state_that_one_of_two_schedules_refuses_changes_neither():
    w, b = two()
    first, second = (tg.schedules.ReduceOnPlateau(0.1, patience=0) for _ in range(2))
    groups = [{"parameters": [w]}, {"parameters": [b], "learning_rate": second}]
    optimizer = SGD(groups, first)
    state = {name: x + 1 for name, x in optimizer.state_dict().items()}
    state["groups.1.learning_rate.waited"] = np.array(-1)
    with pytest.raises(ArgumentError, match="waited must be an integer >= 0, got -1"):
        optimizer.load_state_dict(state)
    assert (
        first.state_dict() == second.state_dict() == tg.schedules.ReduceOnPlateau(0.1).state_dict()
    )


def test_numpy_set_to_raise_changes_nothing():
    w = tg.Value(np.array([1e-300, 1e300]))
    w.grad = [1e-300, -1e300]
    with np.errstate(all="raise"):
        SGD([w], 1e300, momentum=1e-20).step()
        SGD([w], 1e-20, weight_decay=1e-20).step()
    assert w.tolist()[0] == -1.0


def interrupting(function, at):
    """The function, except that Ctrl-C comes just before it runs for the `at`-th time."""
    calls = iter(range(1, 10**9))

    def call(*args):
        if next(calls) == at:
            raise KeyboardInterrupt
        return function(*args)

    return call


def test_an_interrupted_step_moves_all_parameters(monkeypatch):
    parameters = [tg.Value(1.0), tg.Value(1.0), tg.Value(1.0)]
    for x in parameters:
        x.grad = 1.0
    optimizer = SGD(parameters, 0.5)
    monkeypatch.setattr(tg.Value, "_replace", interrupting(tg.Value._replace, at=2))
    with pytest.raises(KeyboardInterrupt):
        optimizer.step()
    assert [x.data for x in parameters] == [0.5, 0.5, 0.5] and optimizer.steps == 1


def test_an_algorithm_without_update_says_so():
    w = tg.Value(1.0)
    w.grad = 1.0
    with pytest.raises(NotImplementedError, match="Optimizer must define update"):
        Optimizer([w], 0.1).step()


@pytest.mark.parametrize("number", [2.0, np.array(-3.0), np.array([[1.0, -2.0, 0.0]])])
def test_lion_follows_the_formula_of_its_paper(number):
    w, x, m = tg.Value(number), np.array(number), 0.0
    optimizer = optim.Lion([w], 0.01, betas=(0.8, 0.9), weight_decay=0.1)
    for step in range(100):
        w.grad = g = np.sin(x + step)
        optimizer.step()
        c = 0.8 * m + (1 - 0.8) * g  # algorithm 2 of Chen et al., 2023, line by line
        x = x - 0.01 * (np.sign(c) + 0.1 * x)
        m = 0.9 * m + (1 - 0.9) * g
    np.testing.assert_allclose(w.data, x, rtol=1e-13)


def weights_by_hand(kind, o, w, gradient_at, rates):
    """Follow the rule that the docstring of an optimiser states, with its options, line by line."""
    m = v = u = top = np.zeros_like(w)
    total, product = np.full_like(w, o.get("initial_accumulator_value", 0.0)), 1.0
    decay = o.get("weight_decay", 0.01 if kind is optim.AdamW else 0.0)
    decoupled = kind in {optim.AdamW, optim.Lion} or o.get("decoupled_weight_decay")
    beta1, beta2 = o.get("betas", (0.9, 0.99 if kind is optim.Lion else 0.999))
    eps = o.get("eps", {optim.Adagrad: 1e-10, optim.Adadelta: 1e-6}.get(kind, 1e-8))
    momentum, alpha, rho = o.get("momentum", 0.0), o.get("alpha", 0.99), o.get("rho", 0.9)
    for t, rate in enumerate(rates, 1):
        g = gradient_at(w)
        if decoupled:
            w = w * (1 - rate * decay)
        else:
            g = g + decay * w
        if kind is SGD:
            v = momentum * v + g
            d = g + momentum * v if o.get("nesterov") else v
        elif kind is optim.Adagrad:
            total = total + g**2
            d = g / (1 + (t - 1) * o.get("learning_rate_decay", 0.0)) / (np.sqrt(total) + eps)
        elif kind is optim.RMSprop:
            v, m = alpha * v + (1 - alpha) * g**2, alpha * m + (1 - alpha) * g
            u = momentum * u + g / (np.sqrt(v - m**2 if o.get("centered") else v) + eps)
            d = u
        elif kind is optim.Adadelta:
            v = rho * v + (1 - rho) * g**2
            d = np.sqrt(u + eps) / np.sqrt(v + eps) * g
            u = rho * u + (1 - rho) * d**2
        elif kind is optim.Lion:
            d = np.sign(beta1 * m + (1 - beta1) * g)
            m = beta2 * m + (1 - beta2) * g
        else:
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
            top = np.maximum(top, v)
            largest = top if o.get("amsgrad") else v
            d = m / (1 - beta1**t) / (np.sqrt(largest / (1 - beta2**t)) + eps)
        if kind is optim.NAdam:
            now, after = (
                beta1 * (1 - 0.96 ** (n * o.get("momentum_decay", 0.004)) / 2) for n in (t, t + 1)
            )
            product *= now
            d = (1 - now) / (1 - product) * g + after / (1 - product * after) * m
            d = d / (np.sqrt(v / (1 - beta2**t)) + eps)
        w = w - rate * d
    return w


STRONG = {"weight_decay": 0.7, "eps": 0.05}  # so that neither is lost in the rounding
BY_HAND = KINDS | {
    "Adagrad strong": (optim.Adagrad, STRONG | {"learning_rate_decay": 0.5}),
    "RMSprop strong": (optim.RMSprop, STRONG | {"momentum": 0.5}),
    "RMSprop centered strong": (optim.RMSprop, STRONG | {"centered": True, "alpha": 0.7}),
    "Adam strong": (optim.Adam, STRONG | {"amsgrad": True, "betas": (0.5, 0.6)}),
    "AdamW strong": (optim.AdamW, STRONG | {"amsgrad": True, "betas": (0.5, 0.6)}),
    "NAdam strong": (optim.NAdam, STRONG | {"momentum_decay": 0.5}),
    "NAdam decoupled strong": (optim.NAdam, STRONG | {"decoupled_weight_decay": True}),
    "Adadelta strong": (optim.Adadelta, STRONG),
    "Lion strong": (optim.Lion, {"weight_decay": 0.7, "betas": (0.5, 0.6)}),
}


@pytest.mark.parametrize("rate", [0.1, tg.schedules.Exponential(0.3, 0.8)], ids=["0.1", "decay"])
@pytest.mark.parametrize(("kind", "options"), BY_HAND.values(), ids=BY_HAND)
def test_each_rule_is_that_of_its_docstring_with_all_options_and_a_schedule(kind, options, rate):
    w = tg.Value(START := np.array([1.0, -2.0, 0.25]))
    optimizer = kind([w], rate, **options)
    for _ in range(12):
        optimizer.zero_grad()
        np.sum(w**2 - np.sin(3 * w)).backward()
        optimizer.step()
    rates = [rate if isinstance(rate, float) else 0.3 * 0.8**t for t in range(12)]
    expected = weights_by_hand(kind, options, START, lambda x: 2 * x - 3 * np.cos(3 * x), rates)
    np.testing.assert_allclose(w.data, expected, rtol=1e-9)


# ---- groups


def two():
    w, b = tg.Value([1.0, 2.0]), tg.Value([3.0])
    w.grad, b.grad = [1.0, 1.0], [1.0]
    return w, b


def test_a_group_has_its_own_hyperparameters_and_the_others_of_the_optimizer():
    w, b = two()
    groups = [{"parameters": [w]}, {"parameters": (b,), "learning_rate": 0.5, "weight_decay": 0.0}]
    optimizer = SGD(groups, 0.25, weight_decay=1.0)
    optimizer.step()
    assert w.tolist() == [0.5, 1.25] and b.tolist() == [2.5]
    assert [group.weight_decay for group in optimizer.groups] == [1.0, 0.0]
    assert [optimizer.rate, *(group.rate for group in optimizer.groups)] == [0.5, 0.25, 0.5]


def test_groups_are_what_two_optimizers_would_do():
    (w, b), (v, c) = two(), two()
    kind = optim.Adam
    together = kind([{"parameters": [w]}, {"parameters": [b], "betas": (0.5, 0.6)}], 0.1)
    apart = [kind([v], 0.1), kind([c], 0.1, betas=(0.5, 0.6))]
    for _ in range(3):
        for optimizer in [together, *apart]:
            optimizer.step()
    assert w.tolist() == v.tolist() and b.tolist() == c.tolist()
    assert together.parameters == [w, b] and apart[0].groups == [apart[0]]


def test_groups_without_a_learning_rate_follow_the_optimizers():
    w, b = two()
    groups = [{"parameters": [w]}, {"parameters": [b], "learning_rate": lambda step: 0.5 + step}]
    optimizer = SGD(groups, 0.25)
    optimizer.learning_rate = 0.5
    optimizer.step()
    optimizer.step()
    assert w.tolist() == [0.0, 1.0] and b.tolist() == [1.0] and optimizer.steps == 2


@pytest.mark.parametrize("name", ["SGD momentum", "Adam amsgrad", "NAdam", "RMSprop all"])
def test_groups_go_on_from_their_state(name):
    (w, b), (v, c) = two(), two()
    first = kinds[name]([{"parameters": [w]}, {"parameters": [b], "learning_rate": 0.5}], 0.1)
    first.step()
    second = kinds[name]([{"parameters": [v]}, {"parameters": [c], "learning_rate": 0.7}], 0.9)
    second.load_state_dict(first.state_dict())
    assert [group.steps for group in (second, *second.groups)] == [1, 1, 1]
    v.data, c.data = w.data, b.data
    first.step()
    second.step()
    assert w.tolist() == v.tolist() and b.tolist() == c.tolist()
    assert second.learning_rate == 0.1 and second.groups[1].learning_rate == 0.5


def bad_groups():
    w, b = two()
    yield [{"parameters": [w]}, {"parameters": [w, b]}], "the same Value at 0 and 1"
    yield [{"parameters": [w], "weigth_decay": 0.1}], "did you mean 'weight_decay'"
    yield [{"params": [w]}], "SGD, group 0: a group must have a list 'parameters', got 'params'"
    yield [{"parameters": []}], "SGD, group 0: parameters must have at least one"
    yield [{"parameters": [w]}, {"parameters": [b], "momentum": -1}], "SGD, group 1: momentum"
    yield [{"parameters": [w], "learning_rate": 0.0}], "SGD, group 0: learning_rate must be"
    yield [{"parameters": [w]}, b], "SGD, group 1: a group must be a dict"


@pytest.mark.parametrize(("groups", "told"), list(bad_groups()))
def test_a_wrong_group_is_refused_with_its_position(groups, told):
    with pytest.raises((ArgumentError, DtypeError), match=told):
        SGD(groups, 0.1)


def test_an_own_algorithm_has_groups_too_where_it_keeps_its_arguments():
    class Scaled(Optimizer):
        def __init__(self, parameters, learning_rate, scale=1.0, keep=True):
            if keep:
                self.scale, self.keep = scale, keep
            super().__init__(parameters, learning_rate)

        def update(self, gradient, data, state, rate):
            return data - rate * self.scale * gradient, state

    w, b = two()
    Scaled([{"parameters": [w]}, {"parameters": [b], "scale": 2.0}], 0.5).step()
    assert w.tolist() == [0.5, 1.5] and b.tolist() == [2.0]
    with pytest.raises(ArgumentError, match=r"set self\.scale before super"):
        Scaled([{"parameters": [w]}], 0.5, keep=False)


def test_an_optimizer_with_groups_and_its_parameters_are_pickled_together():
    w, b = two()
    optimizer = optim.Adam([{"parameters": [w]}, {"parameters": [b], "learning_rate": 0.5}])
    twin = pickle.loads(pickle.dumps(optimizer))
    optimizer.step()
    twin.step()
    assert [x.tolist() for x in twin.parameters] == [w.tolist(), b.tolist()]


# ---- arguments, skipped parameters, closures

OUT_OF_RANGE = [
    *[
        (kind, "betas", betas)
        for kind in ("Adam", "AdamW", "NAdam", "Lion")
        for betas in [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, np.nan), 0.9, (0.9,), (0.9, "a")]
    ],
    *[
        (kind, "eps", eps)
        for kind in ("Adam", "NAdam", "RMSprop", "Adagrad", "Adadelta")
        for eps in (0.0, -1e-8, np.inf)
    ],
    *[(kind, "weight_decay", -0.1) for kind in ("Adam", "AdamW", "NAdam", "RMSprop", "Lion")],
    *[("RMSprop", "alpha", 1.0), ("Adadelta", "rho", 1.0), ("Adagrad", "learning_rate_decay", -1)],
    *[("RMSprop", "momentum", -1.0), ("NAdam", "momentum_decay", -1.0)],
]


@pytest.mark.parametrize(("kind", "name", "given"), OUT_OF_RANGE)
def test_hyperparameters_out_of_range_are_refused_by_name(kind, name, given):
    with pytest.raises(ArgumentError, match=rf"{kind}: {name}.* must be"):
        getattr(optim, kind)([tg.Value(1.0)], 0.1, **{name: given})


@every_kind
@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan])
def test_every_algorithm_wants_a_rate_above_zero_and_parameters(kind, rate):
    with pytest.raises(ArgumentError, match="learning_rate must be"):
        kind([tg.Value(1.0)], rate)
    with pytest.raises(ArgumentError, match="parameters must have at least one Value"):
        kind([], 0.1)


@every_kind
def test_a_frozen_parameter_stays_with_its_state(kind):
    w, b = two()
    optimizer = kind([w, b], 0.1)
    optimizer.step()
    b.requires_grad = False
    before, state = b.tolist(), {k: v for k, v in optimizer.state_dict().items() if k[0] == "1"}
    optimizer.step()
    assert b.tolist() == before and w.tolist() != [1.0, 2.0]
    assert all((optimizer.state_dict()[name] == kept).all() for name, kept in state.items())


@every_kind
def test_a_closure_is_evaluated_before_the_step_and_its_loss_returned(kind):
    w = tg.Value([1.0, -2.0])
    optimizer = kind([w], 0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 5.0 and optimizer.step(closure).item() < 5.0


@every_kind
def test_no_warning_where_gradients_are_zero_tiny_or_huge(kind):
    w = tg.Value(np.zeros(4))
    optimizer = kind([w], 0.1)
    for _ in range(3):
        w.grad = [0.0, 1e-300, 1e200, -1.0]
        optimizer.step()
    assert w.data[0] == 0.0 and np.isfinite(w.data[[0, 1, 3]]).all()


def test_a_plateau_is_remembered_in_the_state_of_the_optimizer():
    schedule, again = (tg.schedules.ReduceOnPlateau(0.5, patience=0) for _ in range(2))
    w, b = two()
    optimizer, other = SGD([w], schedule), SGD([b], again)
    for loss in (1.0, 2.0):
        schedule.see(loss)
    state = optimizer.state_dict()
    del state["learning_rate.waited"]
    with pytest.raises(ArgumentError, match=r"learning_rate\.waited is missing"):
        other.load_state_dict(state)
    other.load_state_dict(optimizer.state_dict())
    assert again.state_dict() == schedule.state_dict() and again(0) == 0.05


# ---- PyTorch

RENAMED = {"learning_rate_decay": "lr_decay"}
BOTH = {name: kind for name, kind in KINDS.items() if not name.startswith("Lion")}
both = pytest.mark.parametrize(("kind", "options"), BOTH.values(), ids=BOTH)


@pytest.fixture
def torch():
    """PyTorch in float64, in which it keeps NAdam's product of momenta then, too."""
    library = pytest.importorskip("torch")
    library.set_default_dtype(library.float64)
    yield library
    library.set_default_dtype(library.float32)


def theirs(torch, kind, options, parameters, rate):
    options = {RENAMED.get(name, name): given for name, given in options.items()}
    return getattr(torch.optim, kind.__name__)(parameters, lr=rate, **options)


@pytest.mark.slow
@pytest.mark.torch
@both
@pytest.mark.parametrize(
    ("steps", "dtype", "rtol"), [(100, np.float64, 1e-12), (10, np.float32, 1e-5)]
)
def test_a_hundred_steps_equal_pytorchs(torch, kind, options, steps, dtype, rtol):
    # of the same gradients: a network of each would show how one rounding grows over the steps
    (x, y), ours = data(dtype), model_of(dtype)
    theirs_too = [torch.tensor(p.data.copy(), requires_grad=True) for p in ours.parameters()]
    optimizer, other = (
        kind(ours.parameters(), 0.05, **options),
        theirs(torch, kind, options, theirs_too, 0.05),
    )
    for _ in range(steps):
        optimizer.zero_grad()
        losses.mse(ours(x), y).backward()
        for parameter, copy in zip(ours.parameters(), theirs_too, strict=True):
            copy.grad = torch.tensor(parameter.grad)
        optimizer.step()
        other.step()
    for parameter, copy in zip(ours.parameters(), theirs_too, strict=True):
        np.testing.assert_allclose(parameter.data, copy.detach().numpy(), rtol=rtol, atol=rtol)


@pytest.mark.torch
@both
def test_steps_without_a_gradient_are_not_counted_as_in_pytorch(torch, kind, options):
    ours = [tg.Value([-1.2, 1.0]), tg.Value([0.5])]
    other = [torch.tensor(x.data.copy(), requires_grad=True) for x in ours]
    rate = 1e-4 if kind is SGD else 0.01
    optimizers = kind(ours, rate, **options), theirs(torch, kind, options, other, rate)
    for step in range(100):
        for (w, b), optimizer in zip((ours, other), optimizers, strict=True):
            optimizer.zero_grad()
            loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
            loss = loss if step % 3 else loss + ((w * b) ** 2).sum()
            loss.backward()
            optimizer.step()
    for x, y in zip(ours, other, strict=True):
        np.testing.assert_allclose(x.data, y.detach().numpy(), rtol=1e-12)


@pytest.mark.torch
def test_groups_equal_pytorchs(torch):
    ours = [tg.Value([-1.2, 1.0]), tg.Value([0.5])]
    other = [torch.tensor(x.data.copy(), requires_grad=True) for x in ours]
    own = [("learning_rate", "lr"), ("weight_decay", "weight_decay")]
    groups = [
        [{name: [x]} | ({own[0][i]: 0.3, own[1][i]: 0.2} if x is xs[1] else {}) for x in xs]
        for i, (name, xs) in enumerate([("parameters", ours), ("params", other)])
    ]
    optimizers = optim.AdamW(groups[0], 0.02), torch.optim.AdamW(groups[1], 0.02)
    for (w, b), optimizer in zip((ours, other), optimizers, strict=True):
        for _ in range(100):
            optimizer.zero_grad()
            ((w * b) ** 2 - w * b).sum().backward()
            optimizer.step()
    for x, y in zip(ours, other, strict=True):
        np.testing.assert_allclose(x.data, y.detach().numpy(), rtol=1e-12)


def test_the_check_of_numbers_has_its_public_name_of_0_1_0():
    assert optim.checked_number("Own", "eps", 1, positive=True) == 1.0
    with pytest.raises(ArgumentError, match=r"Own: eps must be a finite number > 0, got 0"):
        optim.checked_number("Own", "eps", 0, positive=True)


@pytest.mark.torch
@pytest.mark.parametrize("name", [*sorted({kind.__name__ for kind, _ in KINDS.values()}), "LBFGS"])
def test_arguments_left_out_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    if name == "Lion":
        pytest.skip("PyTorch has no Lion")
    ours, theirs = (inspect.signature(getattr(x, name)).parameters for x in (optim, torch.optim))
    names = {
        "lr" if key == "learning_rate" else key.replace("learning_rate", "lr"): key for key in ours
    }
    left_out = {
        x: ours[key].default for x, key in names.items() if ours[key].default is not ours[key].empty
    }
    assert left_out == {key: theirs[key].default for key in left_out}
