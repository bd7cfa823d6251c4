"""`fit`: the lesson on real data, every way in which it stops, and what it refuses."""

from __future__ import annotations

import gc
import io
import math
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr import losses, nn
from tinygrad_lr.data import Standardizer, original_units
from tinygrad_lr.datasets import sat_gpa
from tinygrad_lr.errors import (
    ArgumentError,
    DtypeError,
    MissingExtraError,
    ShapeError,
)
from tinygrad_lr.optim import SGD
from tinygrad_lr.train import History, fit
from tinygrad_lr.train.weight_history import MAX_NUMBERS, MAX_SNAPSHOTS

pytestmark = pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.TrainingWarning")

STUDENTS = sat_gpa()
SCORES, GRADES = STUDENTS.sat_sum, STUDENTS.fy_gpa
SCALING = Standardizer().fit(SCORES)
STANDARD = SCALING.transform(SCORES)
LIMIT = 9.1897e-5


def line_from_zero(dtype=np.float64):
    line = nn.Linear(1, 1, dtype=dtype)
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    return line


def in_points(line):
    return original_units(line.weight.numpy()[0, 0], line.bias.numpy()[0], SCALING)


def curve(rows=64):
    x = np.linspace(-2, 2, rows)
    return x, np.sin(2 * x)


def network(seed=0, **options):
    return nn.MLP(1, [16], 1, "tanh", dtype=np.float64, generator=seed, **options)


def same(a, b):
    return all((a[name] == b[name]).all() for name in a)


# ---- the lesson


def test_standardised_scores_reach_the_line_in_sixty_steps():
    line = line_from_zero()
    history = fit(line, STANDARD, GRADES, learning_rate=0.1, steps=60)
    assert f"{in_points(line)[0]:.7f}" == "0.0238657"
    assert history.reason == "limit" and history.losses[-1] == pytest.approx(0.432093389, abs=1e-8)


@pytest.mark.slow
def test_it_stops_when_the_weights_no_longer_change():
    line = line_from_zero()
    history = fit(line, STANDARD, GRADES, learning_rate=0.1)
    assert history.reason == "converged" and history.steps < 200
    assert in_points(line) == pytest.approx((0.02386573594038181, 0.00192737101628743), rel=1e-9)
    assert history.message.startswith(f"converged after {history.steps} steps: the weights no")
    assert (history.weights["weight"][-1] == history.weights["weight"][-2]).all()


def test_a_tolerance_stops_it_sooner():
    line = line_from_zero()
    history = fit(line, STANDARD, GRADES, learning_rate=0.1, tolerance=1e-6)
    assert history.reason == "converged" and 40 < history.steps < 100
    changes = np.abs(np.diff(history.weights["weight"][:, 0, 0]))
    assert changes[-1] <= 1e-6


def test_raw_scores_diverge_at_the_usual_rate_and_the_largest_stable_one_is_named():
    line = line_from_zero()
    history = fit(line, SCORES, GRADES, learning_rate=0.001)
    assert history.reason == "diverged" and history.steps < 20
    assert history.learning_rate_limit == pytest.approx(LIMIT, rel=1e-4)
    assert "below 9.189e-05, the largest stable one" in history.message
    assert np.isfinite(history.losses).all() and np.isfinite(line.weight.data).all()


@pytest.mark.parametrize("rate", [1.0, 1e10, 1e300])
def test_however_fast_it_diverges_the_weights_stay_finite(rate):
    line = line_from_zero()
    history = fit(line, SCORES, GRADES, learning_rate=rate)
    assert history.reason == "diverged"
    assert np.isfinite([line.weight.data.item(), line.bias.data.item()]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "reason"), [(0.999, "limit"), (1.001, "diverged")])
def test_the_named_rate_is_the_border_of_divergence(factor, reason):
    assert fit(line_from_zero(), SCORES, GRADES, learning_rate=factor * LIMIT).reason == reason


@pytest.mark.slow
def test_a_rate_that_is_too_small_ends_at_the_limit_of_a_thousand_steps():
    history = fit(line_from_zero(), SCORES, GRADES, learning_rate=1e-9)
    assert (history.reason, history.steps, len(history.losses)) == ("limit", 1000, 1001)
    assert "limit of 1000 steps" in history.message


@pytest.mark.slow
def test_the_best_weights_before_the_blow_up_are_kept():
    model, (x, y) = network(), curve()
    fit(model, x, y, learning_rate=0.1, steps=300)
    before = losses.mse(model(x[:, None]), y[:, None]).data
    history = fit(model, x, y, optimizer=SGD(model.parameters(), 30.0), steps=500)
    assert history.reason == "diverged"
    assert losses.mse(model(x[:, None]), y[:, None]).data == min(history.losses) <= before


@pytest.mark.slow
def test_an_optimiser_goes_on_well_after_a_divergence():
    line = line_from_zero()
    optimizer = SGD(line.parameters(), 1.0, momentum=0.9)
    assert fit(line, SCORES, GRADES, optimizer=optimizer).reason == "diverged"
    optimizer.learning_rate = 0.01
    assert fit(line, STANDARD, GRADES, optimizer=optimizer, tolerance=1e-9).reason == "converged"


@pytest.mark.slow
def test_a_momentary_rise_is_no_divergence():
    line = line_from_zero()
    optimizer = SGD(line.parameters(), 0.15, momentum=0.95)
    history = fit(line, STANDARD, GRADES, optimizer=optimizer, steps=2000)
    assert history.reason == "converged" and (np.diff(history.losses) > 0).sum() > 20


def test_starting_at_the_minimum_is_no_divergence():
    x = np.array([-1.0, 1.0])
    line = nn.Linear(1, 1, dtype=np.float64)
    line.load_state_dict({"weight": [[2.0]], "bias": [0.0]})
    history = fit(line, x, 2 * x, learning_rate=0.5)
    assert (history.reason, history.steps, history.losses) == ("converged", 1, [0.0, 0.0])


def test_a_warm_up_that_begins_at_zero_is_no_convergence():
    line = line_from_zero()
    optimizer = SGD(line.parameters(), lambda step: min(0.1, 0.01 * step))
    history = fit(line, STANDARD, GRADES, optimizer=optimizer)
    assert history.reason == "converged" and history.steps > 100


# ---- the loop by hand


def test_fit_does_what_the_loop_by_hand_does():
    model, by_hand, (x, y) = network(), network(), curve()
    optimizer, course = SGD(by_hand.parameters(), 0.05), []
    for _ in range(20):
        optimizer.zero_grad()
        loss = losses.mse(by_hand(x[:, None]), y[:, None])
        course.append(loss.data)
        loss.backward()
        optimizer.step()
    assert fit(model, x, y, learning_rate=0.05, steps=20).losses[:-1] == course
    assert same(model.state_dict(), by_hand.state_dict())


class ScalarLine(nn.Module):
    """The lesson's line, of two Python numbers."""

    def __init__(self):
        self.w, self.b = tg.Value(0.0), tg.Value(0.0)

    def forward(self, x):
        return self.w * x + self.b


@pytest.mark.slow
def test_a_module_of_two_python_numbers_is_trained():
    line, limit = ScalarLine(), fit(line_from_zero(), SCORES, GRADES).learning_rate_limit
    assert fit(line, SCORES, GRADES).learning_rate_limit == pytest.approx(limit, rel=1e-12)
    assert fit(line, STANDARD, GRADES, learning_rate=0.1).reason == "converged"
    assert type(line.w.data) is float and line.w.data / SCALING.scale == pytest.approx(0.023865736)


def test_any_loss_of_prediction_and_target_serves():
    line, y = line_from_zero(), 3 * STANDARD + 1
    fit(line, STANDARD, y, loss=losses.huber, learning_rate=0.3, steps=2000)
    assert line.weight.data.item() == pytest.approx(3, abs=1e-6)
    fit(line, STANDARD, y, loss=lambda p, t: ((p - t) ** 4).mean(), learning_rate=1e-3, steps=2)


def test_batches_take_every_row_once_an_epoch_in_a_new_order():
    seen = []
    model = nn.Sequential(lambda x: (seen.append(x[:, 0].tolist()), x)[1], nn.Linear(1, 1))
    fit(model, np.arange(10.0), np.zeros(10), learning_rate=1e-3, epochs=2, batch_size=4)
    assert [len(rows) for rows in seen] == [4, 4, 2, 4, 4, 2, 4]  # the last one: the final loss
    first, second = np.hstack(seen[:3]).tolist(), np.hstack(seen[3:6]).tolist()
    assert sorted(first) == sorted(second) == list(range(10)) and first != second


def test_one_seed_gives_the_same_bits_and_another_one_others():
    x, y = curve()
    states = []
    for seed in (None, 0, 1):
        model = network()
        fit(model, x, y, learning_rate=0.05, epochs=3, batch_size=8, generator=seed)
        states.append(model.state_dict())
    assert same(states[0], states[1]) and not same(states[0], states[2])


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    fit(network(), *curve(), epochs=2, batch_size=8)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_batches_converge_when_an_epoch_changes_nothing():
    line, x = nn.Linear(1, 1, dtype=np.float64), np.linspace(-1, 1, 12)
    history = fit(line, x, 2 * x + 1, learning_rate=0.3, batch_size=5, steps=5000)
    assert history.reason == "converged" and history.steps > 30
    assert [line.weight.data.item(), line.bias.data.item()] == pytest.approx([2, 1], abs=1e-12)


@pytest.mark.slow
def test_noisy_batches_are_no_divergence_and_a_rate_too_large_is_one():
    model, (x, y) = network(), curve()
    assert fit(model, x, y, learning_rate=0.1, epochs=50, batch_size=1).reason == "limit"
    history = fit(line_from_zero(), SCORES, GRADES, learning_rate=0.001, batch_size=100)
    assert history.reason == "diverged"
    assert history.learning_rate_limit == pytest.approx(LIMIT, rel=1e-4)


# ---- what comes back, and when


def test_zero_steps_leave_the_model_as_it_was_and_say_so():
    line = nn.Linear(1, 1)
    before = line.state_dict()
    for limit in ({"steps": 0}, {"epochs": 0}):
        history = fit(line, SCORES, GRADES, **limit)
        assert (history.reason, history.steps, len(history.losses)) == ("limit", 0, 1)
        assert history.message == "stopped at the limit of 0 steps: the model is unchanged"
    assert same(before, line.state_dict())


def test_ctrl_c_returns_what_has_been_learnt_so_far():
    def stop_at_seven(moment):
        if moment.step == 7:
            raise KeyboardInterrupt

    line, other = line_from_zero(), line_from_zero()
    history = fit(line, STANDARD, GRADES, learning_rate=0.1, callback=stop_at_seven)
    fit(other, STANDARD, GRADES, learning_rate=0.1, steps=7)
    assert (history.reason, history.steps, len(history.losses)) == ("interrupted", 7, 8)
    assert same(line.state_dict(), other.state_dict())


def interrupting(function, at):
    """The function, except that Ctrl-C comes just before it runs for the `at`-th time."""
    calls = iter(range(1, 10**9))

    def call(*args):
        if next(calls) == at:
            raise KeyboardInterrupt
        return function(*args)

    return call


@pytest.mark.parametrize(
    ("owner", "name", "steps"),
    [(nn.Linear, "forward", 6), (tg.Value, "backward", 6), (SGD, "update", 3), (SGD, "step", 6)],
)
def test_ctrl_c_at_any_moment_leaves_the_model_between_two_steps(owner, name, steps, monkeypatch):
    line, other = line_from_zero(), line_from_zero()
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, interrupting(getattr(owner, name), at=7))
        history = fit(line, STANDARD, GRADES, learning_rate=0.1)
    fit(other, STANDARD, GRADES, learning_rate=0.1, steps=steps)
    assert (history.reason, history.steps) == ("interrupted", steps)
    assert same(line.state_dict(), other.state_dict())


def test_the_history_pairs_losses_with_weights():
    line = line_from_zero()
    history = fit(line, STANDARD, GRADES, learning_rate=0.1, steps=20)
    assert history.weight_steps == list(range(21)) and history.learning_rate == 0.1
    for step, (w, b) in enumerate(zip(*history.weights.values(), strict=True)):
        loss = np.mean((STANDARD * w[0, 0] + b[0] - GRADES) ** 2)
        assert history.losses[step] == pytest.approx(loss, rel=1e-13)


@pytest.mark.slow
def test_the_weights_of_many_steps_are_thinned_the_first_ones_dense():
    line = line_from_zero()
    history = fit(line, SCORES, GRADES, learning_rate=1e-9, steps=5000)
    assert history.weight_steps[:100] == list(range(100)) and history.weight_steps[-1] == 5000
    assert len(history.weight_steps) == len(history.weights["bias"]) <= MAX_SNAPSHOTS + 1
    assert np.diff(history.weight_steps).max() < 64 and len(history.losses) == 5001


@pytest.mark.slow
def test_the_weights_of_a_large_model_are_kept_but_rarely():
    model = nn.Linear(MAX_NUMBERS // 3, 1)
    history = fit(model, np.ones((1, MAX_NUMBERS // 3)), [0.0], learning_rate=1e-9, steps=12)
    assert len(history.weight_steps) <= 4 and history.weight_steps[-1] == 12


def test_histories_compare_as_objects_whatever_arrays_they_hold():
    first, second = (fit(line_from_zero(), STANDARD, GRADES, steps=2) for _ in range(2))
    assert first == first and first != second and {first, second} == {second, first}


def test_a_history_is_one_line():
    history = fit(line_from_zero(), STANDARD, GRADES, learning_rate=0.1, steps=60)
    assert repr(history) == "History(limit after 60 steps: loss 6.63902 -> 0.432093)"
    assert repr(History([], {}, [], 1, "interrupted", "", 0.1)).endswith("1 step: loss -)")


def test_the_callback_sees_every_loss():
    seen = []

    def see(moment):
        seen.append((moment.step, moment.loss))

    history = fit(line_from_zero(), STANDARD, GRADES, steps=5, callback=see)
    assert seen == list(enumerate(history.losses))


def test_a_model_trains_in_training_mode_and_gets_its_own_back():
    modes = []
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU()).eval()
    model.layers[1].train()
    fit(model, [1.0], [1.0], steps=1, callback=lambda _: modes.append(model.layers[0].training))
    assert modes == [True, True]
    assert [m.training for m in model.modules()] == [False, False, True]


# ---- data


def test_plain_columns_are_one_feature_and_one_output():
    column, flat = line_from_zero(), line_from_zero()
    fit(flat, list(STANDARD), list(GRADES), steps=5)
    fit(column, STANDARD[:, None], GRADES[:, None], steps=5)
    assert same(flat.state_dict(), column.state_dict())


def test_the_data_take_the_dtype_of_the_model_and_are_left_alone():
    line, x, y = line_from_zero(np.float32), SCORES.copy(), GRADES.copy()
    history = fit(line, x, y, learning_rate=1e-5, steps=3)
    assert history.weights["weight"].dtype == np.float32 == line.weight.grad.dtype
    assert x.flags.writeable and (x == SCORES).all() and (y == GRADES).all()


@pytest.mark.slow
def test_whole_numbers_and_booleans_are_data():
    line = line_from_zero()
    fit(line, [[0], [1], [2]], np.array([False, True, True]), learning_rate=0.2, steps=2000)
    assert line.weight.data.item() == pytest.approx(0.5)


@pytest.mark.parametrize("x", [[3.0, 3.0], [3.0], [0.0, 0.0]])
def test_a_constant_column_and_a_single_row_are_learnt_without_nan(x):
    line = nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = fit(line, x, [2.0] * len(x), learning_rate=0.05)
    assert history.reason == "converged" and history.losses[-1] < 1e-20


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_row_and_column(wrong):
    x, y, line = np.ones((5, 3)), np.ones(5), nn.Linear(3, 1)
    x[3, 1] = wrong
    told = r"fit: x must be finite in float32, got -?(nan|inf) in row 3, column 1"
    with pytest.raises(ArgumentError, match=told):
        fit(line, x, y)
    y[2] = wrong
    with pytest.raises(ArgumentError, match=r"y must be finite .* in row 2; leave that row out"):
        fit(line, np.ones((5, 3)), y)


def test_a_number_that_the_models_dtype_cannot_hold_is_refused():
    with pytest.raises(ArgumentError, match=r"float32, got 1e\+300 in row 1, column 0"):
        fit(nn.Linear(1, 1), [[1.0], [1e300]], [1.0, 1.0])


@pytest.mark.parametrize("x", [["a"], [None], [1j], np.ma.masked_array([1.0], [True])])
def test_what_is_not_real_numbers_is_refused(x):
    with pytest.raises(DtypeError, match="fit: x must be an array of real numbers"):
        fit(nn.Linear(1, 1), x, [1.0])


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        ([1.0, 2.0], [1.0], r"y must have as many rows as x \(2\), got 1"),
        ([], [], "x must have at least one row"),
        (1.0, [1.0], "x must have at least one row"),
        (np.ones((2, 3)), [1.0, 2.0], r"Linear\(1, 1\): x must have shape"),
        ([1.0, 2.0], np.ones((2, 2)), "target must have the shape of the prediction"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(x, y, told):
    with pytest.raises(ShapeError, match=told):
        fit(nn.Linear(1, 1), x, y)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"batch_size": size} for size in (0, -1, 4, 1.5, True)),
        *({"steps": -1}, {"steps": 1.5}, {"epochs": -1}, {"epochs": 1, "steps": 1}),
        *({"tolerance": -1}, {"tolerance": math.nan}, {"generator": -1}, {"generator": "x"}),
        *({"learning_rate": rate} for rate in (0, -1.0, math.nan)),
        *({"optimizer": "sgd"}, {"optimizer": SGD}),
        {"optimizer": SGD([tg.Value(1.0)], 0.1)},
    ],
)
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(ArgumentError, match=r"must (be|have) .*, got"):
        fit(nn.Linear(1, 1), [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], **wrong)


def test_two_learning_rates_are_refused():
    line = nn.Linear(1, 1)
    with pytest.raises(ArgumentError, match="learning rate must be given once"):
        fit(line, [1.0], [1.0], optimizer=SGD(line.parameters(), 0.1), learning_rate=0.1)


@pytest.mark.parametrize("model", [nn.ReLU(), lambda x: x, None])
def test_a_model_without_parameters_and_what_is_no_model_are_refused(model):
    with pytest.raises(
        ArgumentError,
        match=r"parameter|fit: model must be a tg\.nn\.Module, got (function|NoneType)",
    ):
        fit(model, [1.0], [1.0])


# ---- the bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_is_shown_when_a_person_watches(monkeypatch):
    pytest.importorskip("tqdm")
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        fit(line_from_zero(), STANDARD, GRADES, steps=5)
        assert ("5/5" in stream.getvalue() and "loss" in stream.getvalue()) == shown


def test_a_bar_is_shown_or_not_as_asked(monkeypatch):
    pytest.importorskip("tqdm")
    for stream, progress in ((Terminal(), False), (io.StringIO(), True)):
        monkeypatch.setattr(sys, "stderr", stream)
        fit(line_from_zero(), STANDARD, GRADES, steps=5, progress=progress)
        assert ("5/5" in stream.getvalue()) == progress


def test_without_tqdm_there_is_no_bar_unless_one_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert fit(line_from_zero(), STANDARD, GRADES, steps=5).steps == 5
    with pytest.raises(MissingExtraError, match=r"pip install 'tinygrad_lr\[cli\]'"):
        fit(line_from_zero(), STANDARD, GRADES, steps=5, progress=True)


# ---- cost


@pytest.mark.slow
def test_ten_thousand_steps_leave_the_memory_where_it_was():
    line = line_from_zero()
    tracemalloc.start()
    gc.disable()
    try:
        fit(line, SCORES, GRADES, learning_rate=1e-9, steps=10_000)
        left, peak = tracemalloc.get_traced_memory()
    finally:
        gc.enable()
        tracemalloc.stop()
    assert left < 50_000 and peak < 3_000_000


def test_numpy_set_to_raise_changes_nothing():
    with np.errstate(all="raise"):
        strict = fit(line_from_zero(), SCORES, GRADES, learning_rate=1.0)
    assert strict.losses == fit(line_from_zero(), SCORES, GRADES, learning_rate=1.0).losses


@pytest.mark.parametrize("size", [1e160, 1e308])
def test_numbers_beyond_all_squares_diverge_without_a_warning(size):
    x = np.array([-1.0, 0.0, 1.0]) * size
    assert fit(nn.Linear(1, 1, dtype=np.float64), x, x, steps=20).reason == "diverged"


@pytest.mark.parametrize("compile", [False, True])
def test_a_model_with_buffers_converges_as_any_other_does(compile):
    model = nn.Sequential(nn.Linear(1, 2, generator=0), nn.BatchNorm1d(2), nn.Linear(2, 1))
    x = np.linspace(0.0, 1.0, 8)[:, None]
    options = {"learning_rate": 1e-10, "tolerance": 1e-3, "steps": 20, "compile": compile}
    history = tg.fit(model, x, 2.0 * x, warn=False, **options)
    assert (history.reason, history.steps) == ("converged", 1)


# ---- the scale of the data


@pytest.mark.parametrize("compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("loader", [False, True])
@pytest.mark.parametrize(
    ("x_unit", "y_unit"), [(1.0, 1e-12), (1.0, 1.0), (1.0, 1e9), (1e3, 1e-9), (1e-3, 1e-12)]
)
def test_a_line_converges_to_the_closed_form_in_any_unit(x_unit, y_unit, loader, compile):
    x = np.linspace(-1, 1, 24) * x_unit
    y = (3 * np.linspace(-1, 1, 24) + 0.1 * np.cos(9 * x / x_unit)) * y_unit
    expected = tg.linear.closed_form(x, y)
    line = nn.Linear(1, 1, dtype=np.float64, generator=0)
    data = (tg.data.DataLoader(x, y, batch_size=24),) if loader else (x, y)
    optimizer = tg.optim.SGD(
        [
            {"parameters": [line.weight], "learning_rate": 0.5 / x_unit**2},
            {"parameters": [line.bias], "learning_rate": 0.3},
        ],
        0.1,
    )
    settings = {"tolerance": 1e-10, "steps": 3000, "compile": compile, "warn": False}
    history = fit(line, *data, optimizer=optimizer, **settings)
    assert history.reason == "converged"
    assert expected.agrees_with(line.weight.data[:, 0], line.bias.data.item())


@pytest.mark.slow
@quick
@given(
    st.integers(0, 40),
    st.sampled_from([0.3, 0.9, 1.001, 1.3, 3.0]),
    st.sampled_from([0.0, 0.9]),
    st.sampled_from([None, 5]),
)
def test_a_training_takes_the_same_course_in_any_unit_of_the_target(power, rate, momentum, size):
    x = np.linspace(-1, 1, 15)
    y = np.cos(7 * x)

    def course(unit):
        line = nn.Linear(1, 1, dtype=np.float64)
        line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
        optimizer = SGD(line.parameters(), rate, momentum)
        options = {"batch_size": size, "steps": 60, "tolerance": 1e-9, "warn": False}
        history = fit(line, x, y * unit, optimizer=optimizer, **options)
        losses = np.array(history.losses) / unit**2
        return history.reason, history.steps, losses.tolist(), (line.bias.data / unit).tolist()

    assert course(2.0**-power) == course(1.0)


def test_a_constant_target_of_zeros_still_converges():
    line = nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = fit(line, [-1.0, 1.0], [0.0, 0.0], learning_rate=0.3, tolerance=1e-9)
    assert history.reason == "converged" and abs(line.weight.data.item()) < 1e-8


@pytest.mark.parametrize("compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_batch_norm_trains_on_when_an_update_changes_nothing(
    optimizer, accumulate, batch_size, compile
):
    model = nn.Sequential(
        nn.Linear(2, 4, dtype=np.float64, generator=0),
        nn.BatchNorm1d(4, dtype=np.float64),
        nn.ReLU(),
        nn.Linear(4, 1, dtype=np.float64, generator=0),
    )
    rate = lambda step: 0.1 if step % 3 else 1e-300
    x = np.random.default_rng(0).normal(size=(24, 2))
    history = fit(
        *(model, x, x[:, :1]),
        optimizer=getattr(tg.optim, optimizer)(model.parameters(), rate),
        **{"steps": 12, "accumulate": accumulate, "batch_size": batch_size, "compile": compile},
    )
    assert history.reason in {"limit", "converged"}


def test_a_callback_that_makes_steps_of_its_own_passes_no_limit():
    line = nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = fit(
        *(line, [0.0, 1.0], [1.0, 2.0]),
        steps=5,
        learning_rate=0.1,
        callback=lambda moment: moment.optimizer.step() if moment.step == 4 else None,
    )
    assert history.reason == "limit" and history.steps == 6
