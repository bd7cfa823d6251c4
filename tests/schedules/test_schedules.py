"""Schedules: PyTorch's learning rates at every step, closed forms, and what is refused."""

from __future__ import annotations

import dataclasses
import math
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError
from tinygrad_lr.optim import SGD
from tinygrad_lr.schedules import (
    Constant,
    Cosine,
    Exponential,
    Joined,
    OneCycle,
    Polynomial,
    ReduceOnPlateau,
    Scaled,
    Schedule,
    StepDecay,
    Warmup,
)
from tinygrad_lr.schedules.schedule import monitoring_schedules

ALL = [
    Constant(0.1),
    StepDecay(0.1, 10),
    Exponential(0.1, 0.9),
    Cosine(0.1, 50, 0.01),
    Polynomial(0.1, 50, 2.0),
    OneCycle(0.1, 50),
    OneCycle(0.1, 50, warmup=0.0, shape="linear"),
    Warmup(Cosine(0.1, 40), 10),
    Joined([0.1, Exponential(0.1, 0.9)], [20]),
    0.5 * Cosine(0.1, 50),
]
rates = st.floats(1e-6, 10)
every = pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)


@every
def test_a_schedule_prints_itself_compares_and_is_pickled(schedule):
    again = eval(repr(schedule))
    assert again == schedule == pickle.loads(pickle.dumps(schedule)) and again != Constant(7.0)
    assert hash(again) == hash(schedule)
    assert [again(step) for step in range(70)] == [schedule(step) for step in range(70)]


@every
def test_a_schedule_is_a_learning_rate(schedule):
    w = tg.Value(0.0)
    optimizer = SGD([w], schedule)
    for step in range(60):
        w.grad = 1.0
        optimizer.step()
        assert optimizer.rate == schedule(step) >= 0
    assert repr(schedule) in repr(optimizer)


@every
def test_rates_are_python_floats(schedule):
    assert all(type(schedule(step)) is float for step in range(70))


def test_closed_forms():
    assert [Cosine(1.0, 4)(i) for i in (0, 2, 4, 5)] == pytest.approx([1, 0.5, 0, 0])
    assert [Polynomial(1.0, 4, final=0.5)(i) for i in (0, 2, 4, 5)] == [1, 0.75, 0.5, 0.5]
    assert [StepDecay(1.0, 2, 0.5)(i) for i in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    assert [Warmup(1.0, 4)(i) for i in range(6)] == [0, 0.25, 0.5, 0.75, 1, 1]
    assert [Joined([1.0, 2.0, 3.0], [1, 3])(i) for i in range(5)] == [1, 2, 2, 3, 3]
    assert Scaled(lambda step: step, 2)(3) == (2 * Constant(3.0))(0) == (Constant(3.0) * 2)(0) == 6


def test_a_warm_up_rises_to_the_first_rate_of_the_schedule_after_it():
    inner = Exponential(8.0, 0.5)
    rates = [Warmup(inner, 4, start_factor=0.5)(step) for step in range(7)]
    assert rates == [4, 5, 6, 7, 8, 4, 2]
    joined = Joined([inner, inner, Warmup(inner, 2)], [2, 3])
    assert [joined(step) for step in range(7)] == [8, 4, 8, 0, 4, 8, 4]


@quick
@given(rates, st.integers(1, 9), st.floats(0, 1e20), st.integers(0, 3))
def test_after_its_steps_a_schedule_is_exactly_what_it_leads_to(rate, steps, factor, past):
    inner = Exponential(rate, 0.9)
    assert Warmup(inner, steps, factor)(steps + past) == inner(past)
    assert Warmup(inner, steps, factor)(0) == inner(0) * factor
    assert Joined([1.0, inner], [steps])(steps + past) == inner(past)
    assert Joined([1.0, inner], [steps])(steps - 1) == 1.0
    for decay in (Cosine(rate, steps, factor), Polynomial(rate, steps, 2.0, factor)):
        assert decay(steps + past) == factor and decay(0) == pytest.approx(rate, abs=1e-9 * factor)


def test_one_cycle_on_lines_rises_and_falls_evenly():
    low, end = 1 / 25, 1 / 25e4
    rise = OneCycle(1.0, 10, 0.5, shape="linear")
    assert [rise(i) for i in range(5)] == pytest.approx(np.linspace(low, 1, 5))
    assert [rise(i) for i in range(4, 12)] == pytest.approx([*np.linspace(1, end, 6), end, end])
    for steps, warmup in ((5, 0.0), (5, 0.2), (1, 0.9)):  # no step to rise
        fall = [OneCycle(1.0, steps, warmup, shape="linear")(i) for i in range(steps)]
        assert fall == pytest.approx(np.linspace(1, end, steps) if steps > 1 else [end])


DEFAULTS = [
    (StepDecay(0.1, 10), StepDecay(0.1, 10, 0.1)),
    (Cosine(0.1, 10), Cosine(0.1, 10, 0.0)),
    (Polynomial(0.1, 10), Polynomial(0.1, 10, power=1.0, final=0.0)),
    (OneCycle(0.1, 10), OneCycle(0.1, 10, 0.3, 25.0, 1e4, "cosine")),
    (Warmup(0.1, 10), Warmup(0.1, 10, 0.0)),
]


@pytest.mark.parametrize(("short", "long"), DEFAULTS, ids=lambda s: type(s).__name__)
def test_arguments_left_out_are_the_documented_ones(short, long):
    assert short == long


@every
def test_arguments_are_kept_as_python_numbers(schedule):
    fields = {field.name: getattr(schedule, field.name) for field in dataclasses.fields(schedule)}
    wide = {float: np.float64, int: np.int64}
    given = {name: wide.get(type(x), lambda x: x)(x) for name, x in fields.items()}
    again = type(schedule)(**given)
    assert again == schedule and repr(again) == repr(schedule)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 0.5, 0.99])
def test_one_cycle_of_few_steps_stays_between_its_ends(steps, warmup):
    rates = [OneCycle(1.0, steps, warmup)(step) for step in range(5)]
    assert all(0 < rate <= 1 for rate in rates) and rates[-1] == pytest.approx(1 / 25e4)


def test_a_schedule_of_ones_own_defines_the_call_and_gets_the_rest():
    class Halving(Schedule):
        def __call__(self, step):
            return 0.5**step

    assert [(4 * Halving())(step) for step in range(3)] == [4, 2, 1]
    assert Halving().state_dict() == {}
    with pytest.raises(NotImplementedError, match="Schedule must define __call__"):
        Schedule()(0)


# ---- what is refused

REFUSED = [
    (lambda: Constant(0.0), "Constant: learning_rate"),
    (lambda: Constant("0.1"), "Constant: learning_rate must be a finite number > 0"),
    (lambda: StepDecay(0.1, 0), "StepDecay: every"),
    (lambda: StepDecay(0.1, 10, 0.0), "StepDecay: factor"),
    (lambda: Exponential(0.1, -1.0), "Exponential: factor"),
    (lambda: Cosine(0.1, 1.5), "Cosine: steps"),
    (lambda: Cosine(0.1, 10, -0.1), "Cosine: final"),
    (lambda: Polynomial(0.1, 10, 0.0), "Polynomial: power"),
    (lambda: OneCycle(0.1, 10, warmup=1.0), "OneCycle: warmup"),
    (
        lambda: OneCycle(0.1, 10, shape="cos"),
        "OneCycle: shape must be 'cosine' or 'linear', got 'cos'",
    ),
    (lambda: OneCycle(0.1, True), "OneCycle: steps"),
    (lambda: OneCycle(0.0, 10), "OneCycle: peak must be a finite number > 0"),
    (lambda: OneCycle(0.1, 10, start_factor=0.0), "OneCycle: start_factor"),
    (lambda: OneCycle(0.1, 10, final_factor=-1.0), "OneCycle: final_factor"),
    (lambda: Polynomial(0.1, 10, final=-0.1), "Polynomial: final"),
    (lambda: Warmup(0.1, 10, -0.1), "Warmup: start_factor"),
    (lambda: Joined([], []), "boundaries must be 0 increasing steps for 0 schedules"),
    (lambda: Joined([0.1], [3]), "boundaries must be 0 increasing steps for 1 schedules"),
    (lambda: Warmup(0.0, 10), "Constant: learning_rate"),
    (lambda: Warmup(0.1, 0), "Warmup: steps"),
    (
        lambda: Joined([0.1, 0.2], [5, 6]),
        r"boundaries must be 1 increasing steps for 2 schedules, got \[5, 6\]",
    ),
    (lambda: Joined([0.1, 0.2, 0.3], [5, 5]), "boundaries must be 2 increasing steps"),
    (lambda: Joined([0.1, 0.2], [0]), "Joined: boundaries must be an integer >= 1, got 0"),
    (lambda: -1 * Constant(0.1), "Scaled: factor"),
    (lambda: ReduceOnPlateau(0.0), "learning_rate must be a finite number > 0"),
    (lambda: ReduceOnPlateau(0.1, factor=1.0), "factor must be a number > 0 and < 1"),
    (lambda: ReduceOnPlateau(0.1, patience=-1), "patience"),
    (lambda: ReduceOnPlateau(0.1, mode="down"), "mode must be 'min' or 'max', got 'down'"),
]


@pytest.mark.parametrize(("build", "told"), REFUSED)
def test_arguments_out_of_range_are_refused_by_name(build, told):
    with pytest.raises(ArgumentError, match=told):
        build()


# ---- the plateau


def test_a_plateau_lowers_the_rate_after_the_patience_and_rests_after_that():
    schedule = ReduceOnPlateau(1.0, factor=0.5, patience=1, cooldown=2, minimum=0.3)
    rates = [schedule.see(loss) for loss in [5, 4, 4, 4, 4, 4, 4, 4, 4, 4]]
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3]


def test_a_plateau_has_the_defaults_of_its_signature():
    plain = ReduceOnPlateau(1.0)
    rates = [plain.see(loss) for loss in [1000.0, *[999.95] * 10, *[999.0] * 11, 999.0, 0.0]]
    assert rates == [1.0] * 22 + [0.1] * 2  # 999 improves on 1000 by more than 1e-4, 999.95 doesn't
    assert [plain.see(0.0) for _ in range(11)][-2:] == [0.1, pytest.approx(0.01)]
    hasty = ReduceOnPlateau(1.0, 0.5, patience=0)
    assert [hasty.see(1.0) for _ in range(4)] == [1, 0.5, 0.25, 0.125]  # no cooldown
    assert ReduceOnPlateau(1e-9, patience=0, factor=0.5).see(math.nan) == 5e-10  # no minimum


def test_only_more_than_the_threshold_improves_and_infinity_never_does():
    for mode, numbers in (("min", [5.0, 5.0]), ("max", [5.0, 5.0]), ("min", [0.0, 0.0])):
        schedule = ReduceOnPlateau(1.0, 0.5, 0, threshold=0.0, mode=mode)
        assert [schedule.see(number) for number in numbers] == [1.0, 0.5]
    for mode, worst in (("min", math.inf), ("max", -math.inf)):
        schedule = ReduceOnPlateau(1.0, 0.5, 0, mode=mode)
        assert [schedule.see(worst), schedule.see(0), schedule.see(worst)] == [0.5, 0.5, 0.25]


def test_nan_is_no_improvement_and_never_the_best():
    schedule = ReduceOnPlateau(1.0, patience=2)
    rates = [schedule.see(loss) for loss in (math.nan, math.nan, 3.0, math.nan, 2.9, math.nan)]
    assert rates == [1.0] * 6 and schedule.best == 2.9 and schedule.waited == 1


def test_a_negative_number_improves_by_more_than_the_threshold():
    schedule = ReduceOnPlateau(1.0, patience=0, threshold=0.1)
    assert [schedule.see(loss) for loss in (-10.0, -10.5, -11.5)] == [1.0, 0.1, 0.1]


def test_a_minimum_above_the_rate_does_not_raise_it():
    schedule = ReduceOnPlateau(0.1, patience=0, minimum=0.5)
    assert [schedule.see(1.0) for _ in range(3)] == [0.1, 0.1, 0.1]


def test_a_plateau_goes_on_from_its_state():
    numbers = np.random.default_rng(0).normal(size=60).cumsum()
    whole, first, second = (ReduceOnPlateau(1.0, 0.9, 2, cooldown=1) for _ in range(3))
    expected = [whole.see(x) for x in numbers]
    found = [first.see(x) for x in numbers[:25]]
    second.load_state_dict({name: np.array(x) for name, x in first.state_dict().items()})
    assert found + [second.see(x) for x in numbers[25:]] == expected
    with pytest.raises(
        ArgumentError, match="entries learning_rate, best, waited, resting, got best"
    ):
        second.load_state_dict({"best": 1.0})


# ---- PyTorch


def pytorch_rates(make, steps, rate=0.1):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def sequence(lib, optimizer):
    parts = [
        lib.LinearLR(optimizer, start_factor=0.2, total_iters=10),
        lib.CosineAnnealingLR(optimizer, 40),
        lib.ExponentialLR(optimizer, 0.9),
    ]
    return lib.SequentialLR(optimizer, parts, [10, 30])


SAME = {
    "constant": (Constant(0.1), lambda lib, o: lib.ConstantLR(o, 1.0)),
    "step": (StepDecay(0.1, 7, 0.3), lambda lib, o: lib.StepLR(o, 7, 0.3)),
    "exponential": (Exponential(0.1, 0.95), lambda lib, o: lib.ExponentialLR(o, 0.95)),
    "cosine": (Cosine(0.1, 60, 0.01), lambda lib, o: lib.CosineAnnealingLR(o, 60, 0.01)),
    "polynomial": (Polynomial(0.1, 40, 2.5), lambda lib, o: lib.PolynomialLR(o, 40, 2.5)),
    "one cycle": (OneCycle(0.5, 60), lambda lib, o: lib.OneCycleLR(o, 0.5, 60)),
    "one cycle on lines": (
        OneCycle(0.5, 60, 0.41, 10, 100, "linear"),
        lambda lib, o: lib.OneCycleLR(
            o, 0.5, 60, None, None, 0.41, "linear", div_factor=10, final_div_factor=100
        ),
    ),
    "warm-up": (
        Warmup(0.1, 20, 0.25),
        lambda lib, o: lib.LinearLR(o, start_factor=0.25, total_iters=20),
    ),
    "joined": (
        Joined([Warmup(0.1, 10, 0.2), Cosine(0.1, 40), Exponential(0.1, 0.9)], [10, 30]),
        sequence,
    ),
}


@pytest.mark.torch
@pytest.mark.parametrize(("schedule", "make"), SAME.values(), ids=SAME)
@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_every_rate_is_pytorchs(schedule, make):
    expected = pytorch_rates(make, 59)
    assert [schedule(step) for step in range(59)] == pytest.approx(expected, rel=1e-10, abs=1e-16)


@pytest.mark.torch
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("relative", [True, False])
def test_a_plateau_is_pytorchs(mode, relative):
    torch = pytest.importorskip("torch")
    numbers = 10 + np.random.default_rng(1).normal(size=200).cumsum() / 5
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode, 0.8, 3, 0.01, "rel" if relative else "abs", 2, 0.01
    )
    ours = ReduceOnPlateau(
        1.0, 0.8, 3, threshold=0.01, relative=relative, cooldown=2, minimum=0.01, mode=mode
    )
    for number in numbers:
        theirs.step(number)
        assert ours.see(number) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)


# ---- a plateau inside another schedule

NESTED = {
    "warm-up": lambda plateau: Warmup(plateau, 2),
    "scaled": lambda plateau: Scaled(plateau, 0.5),
    "joined": lambda plateau: Joined([0.1, plateau, Warmup(plateau, 3)], [2, 4]),
    "deep": lambda plateau: 0.5 * Warmup(Joined([plateau, 0.1], [50]), 2),
}


@pytest.mark.parametrize("build", NESTED.values(), ids=NESTED)
def test_a_plateau_inside_a_schedule_is_saved_with_it_and_seen_once(build):
    one, other = (ReduceOnPlateau(1.0, factor=0.5, patience=0) for _ in range(2))
    schedule, resumed = build(one), build(other)
    assert {id(x) for x in monitoring_schedules(schedule)} == {id(one)}
    for loss in (3.0, 3.0, 2.0, 2.5):
        one.see(loss)
    resumed.load_state_dict({k: np.array(x) for k, x in schedule.state_dict().items()})
    assert other.state_dict() == one.state_dict()
    assert [resumed(step) for step in range(9)] == [schedule(step) for step in range(9)]


@pytest.mark.parametrize("build", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *[("learning_rate", x) for x in (-1.0, math.nan, math.inf, "1", None, True, [0.1])],
        *[("best", x) for x in (math.nan, 1, None, "low")],
        *[("waited", x) for x in (-1, 0.5, math.nan, None, True)],
        *[("resting", x) for x in (-1, 0.5, math.inf, np.zeros(2, int))],
    ],
)
def test_a_state_with_a_wrong_number_is_refused_and_nothing_changes(build, name, wrong):
    plateau = ReduceOnPlateau(1.0)
    schedule = build(plateau)
    plateau.see(2.0)
    before = schedule.state_dict()
    last = [key for key in before if key.endswith(name)][-1]
    state = {key: x + 1 if key != last else wrong for key, x in before.items()}
    with pytest.raises(ArgumentError, match=f"{name} must be"):
        schedule.load_state_dict(state)
    assert schedule.state_dict() == before
    got = {
        "none": {},
        ", ".join([*before, "more"]): {**before, "more": 1},
        "NoneType": None,
        "str": "state",
    }
    for told, other in got.items():
        expected = f"state must have the entries {', '.join(before)}, got {told}"
        with pytest.raises(ArgumentError, match=re.escape(expected[:200])):
            schedule.load_state_dict(other)


def test_a_state_that_one_of_two_plateaus_refuses_changes_neither():
    schedule = Joined([ReduceOnPlateau(1.0), ReduceOnPlateau(2.0)], [5])
    before = schedule.state_dict()
    wrong = {**before, "schedules.0.waited": 7, "schedules.1.waited": -1}
    with pytest.raises(ArgumentError, match="waited must be an integer"):
        schedule.load_state_dict(wrong)
    assert schedule.state_dict() == before
    with pytest.raises(ArgumentError, match="state must have the entries none, got x"):
        Constant(0.1).load_state_dict({"x": 1})


def test_most_schedules_have_no_state():
    for schedule in ALL:
        assert schedule.state_dict() == {} and not monitoring_schedules(schedule)
        schedule.load_state_dict({})
