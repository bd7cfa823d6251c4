"""Every number of the lesson, beside the same number computed by plain NumPy."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import lesson
from tinygrad_lr.errors import ArgumentError, DataFileError, DivergenceError
from tinygrad_lr.lesson import condensed, rates, run_lesson, training
from tinygrad_lr.lesson.parts import Snapshot
from tinygrad_lr.lesson.predictor import Description

SETTINGS = lesson.Settings()


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """Try each learning rate for so many steps: most tests look at other parts."""
    assert rates.STEPS == SETTINGS.steps == 1000
    monkeypatch.setattr(rates, "STEPS", 60)


def problem_of(rows, features, seed=0, scale=1.0):
    random = np.random.default_rng(seed)
    x = random.normal(3.0, 2.0, (rows, features)) * scale
    y = x @ random.normal(size=features) + 7 + random.normal(size=rows)
    names = tuple("abcdefghij"[:features])
    return lesson.Problem("rows.csv", "rows.csv", names, "y", x, y, ("odd",), {"a": "the first"})


def classes_of(rows, features=2, classes=3, seed=0):
    random = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    x = random.normal(y[:, None] * 1.5, 1.0, (rows, features))
    labels = tuple(f"k{i}" for i in range(classes))
    return lesson.ClassProblem("rows.csv", tuple("abcd"[:features]), "y", x, y, labels, ())


def parts_of(problem, **settings):
    run = lesson.classify if isinstance(problem, lesson.ClassProblem) else lesson.run
    test = {"test": settings.pop("test")} if "test" in settings else {}
    save = {"save": settings.pop("save")} if "save" in settings else {}
    parts = run(problem, lesson.Settings(**settings), **test, **save)
    return {type(part).__name__: part for part in parts}


def design(x):
    return np.column_stack([np.ones(len(x)), x])


def descend(x, y, rate, steps):
    """Return intercept and slopes, and the loss, after so many steps from 0."""
    d, w = design(x), np.zeros(x.shape[1] + 1)
    for _ in range(steps):
        w = w - rate * 2 * d.T @ (d @ w - y) / len(y)
    return w, np.mean((d @ w - y) ** 2)


def standardised(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize("features", [1, 3])
def test_the_columns_and_the_closed_form_have_the_textbooks_numbers(features):
    problem = problem_of(40, features)
    parts = parts_of(problem, steps=2)
    columns = [*parts["Data"].features, parts["Data"].target]
    for column, values in zip(columns, [*problem.x.T, problem.y], strict=True):
        found = (column.mean, column.standard_deviation, column.minimum, column.maximum)
        assert found == pytest.approx((values.mean(), values.std(), values.min(), values.max()))
    assert [x.name for x in columns] == [*problem.x_names, "y"]
    assert [x.meaning for x in columns] == ["the first", *[""] * features]
    assert (parts["Data"].rows, parts["Data"].notes) == (40, ("odd",))
    form, d = parts["ClosedForm"], design(problem.x)
    w, (rss,), *_ = np.linalg.lstsq(d, problem.y)
    deviation = math.sqrt(rss / (40 - features - 1))
    errors = deviation * np.sqrt(np.diag(np.linalg.inv(d.T @ d)))
    assert [form.intercept, *form.slopes] == pytest.approx(w, rel=1e-10)
    assert [form.intercept_error, *form.slope_errors] == pytest.approx(errors, rel=1e-10)
    assert form.mse == pytest.approx(rss / 40) and form.names == problem.x_names
    assert form.residual_standard_deviation == pytest.approx(deviation)
    assert form.r_squared == pytest.approx(1 - rss / 40 / problem.y.var())


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("features", [1, 3])
def test_the_descent_is_the_loop_in_numpy(features, standardize):
    problem = problem_of(40, features)
    part = parts_of(problem, steps=21, standardize=standardize, learning_rate=0.01)["Descent"]
    x = standardised(problem.x) if standardize else problem.x
    for snapshot in part.course:
        w, loss = descend(x, problem.y, 0.01, snapshot.step)
        assert (snapshot.bias, *snapshot.weights) == pytest.approx(tuple(w))
        assert snapshot.loss == pytest.approx(loss)
    assert [x.step for x in part.course] == [0, 1, 2, 3, 5, 10, 20, 21]
    means, scales = problem.x.mean(axis=0), problem.x.std(axis=0)
    if not standardize:
        means, scales = 0 * means, scales / scales
    assert part.means == pytest.approx(means) and part.scales == pytest.approx(scales)
    assert part.slopes == pytest.approx(w[1:] / scales)
    assert part.intercept == pytest.approx(w[0] - np.sum(w[1:] * means / scales))
    assert part.loss == pytest.approx(loss)
    assert (part.steps, part.reason, part.standardized) == (21, "limit", standardize)
    assert (part.learning_rate, part.batch_size, part.agrees) == (0.01, None, False)
    assert part.learning_rate_limit == pytest.approx(limit_of(x))
    assert "limit of 21 steps" in part.message


def limit_of(x):
    return 2 / np.linalg.eigvalsh(2 * design(x).T @ design(x) / len(x))[-1]


def test_a_descent_that_converges_agrees_with_the_closed_form():
    part = parts_of(problem_of(40, 2))["Descent"]
    assert part.agrees and part.reason == "converged"
    assert part.slopes == pytest.approx(part.closed_form.slopes, rel=5e-7)


@pytest.mark.parametrize("last", [0, 1, 2, 4, 5, 6, 10, 11, 50, 1000, 1999])
def test_the_steps_shown_are_one_two_and_five_of_each_power_of_ten(last):
    several = [0, 1, 2, 3, 5, *(k * 10**n for n in (1, 2, 3) for k in (1, 2, 5))]
    expected = [step for step in several if step < last] + [last]
    history = tg.History(
        *([float(i) for i in range(last + 1)], {"layers.0.weight": np.zeros((1, 1))}),
        *([0], last, "limit", "", 0.1),
    )
    shown = run_lesson.select_snapshots(history, 2.0)
    assert shown == tuple(Snapshot(step, 2.0 * step) for step in expected)


def test_of_a_line_only_steps_whose_weights_were_kept_are_shown():
    weights = {
        "weight": np.array([[[1.0], [2.0]], [[3.0], [4.0]]]),
        "bias": np.array([[5.0], [6.0]]),
    }
    history = tg.History([9.0, 8.0, 7.0, 6.0], weights, [0, 3], 3, "limit", "", 0.1)
    shown = run_lesson.select_snapshots(history)
    assert shown == (Snapshot(0, 9.0, (1.0, 2.0), 5.0), Snapshot(3, 6.0, (3.0, 4.0), 6.0))


@pytest.mark.parametrize("scale", [1.0, 1e3])
@pytest.mark.parametrize("features", [1, 2])
def test_the_learning_rates_are_tried_by_the_loop_in_numpy(features, scale):
    problem = problem_of(40, features, scale=scale)
    part = parts_of(problem, steps=0)["LearningRates"]
    assert (part.names, part.rows) == (problem.x_names, 40)
    tables = [(standardised(problem.x), (0.001, 0.1, 0.9, 1.1)), (problem.x, (0.0001, 0.5))]
    for table, (x, shares) in zip(part.tables, tables, strict=True):
        limit, curvatures = limit_of(x), np.linalg.svd(design(x), compute_uv=False) ** 2
        assert table.standardized == (len(shares) == 4)
        assert table.limit == pytest.approx(limit, rel=1e-9)
        assert table.condition == pytest.approx(curvatures[0] / curvatures[-1])
        expected = [float(f"{share * limit:.1e}") for share in shares]
        if len(shares) == 2:
            expected += [0.001 if limit < 0.001 else float(f"{1.1 * limit:.1e}")]
        assert [trial.learning_rate for trial in table.trials] == expected
        for trial in table.trials:
            assert (trial.reason == "diverged") == (trial.learning_rate > limit)
            assert (trial.remark == "too large: the loss grows") == (trial.reason == "diverged")
            if trial.reason != "diverged":
                _, loss = descend(x, problem.y, trial.learning_rate, trial.steps)
                assert trial.loss == pytest.approx(loss, rel=1e-9)
                assert trial.reason == "converged" or trial.steps == 60


def test_features_beyond_any_rate_have_no_table_of_their_own():
    assert len(parts_of(problem_of(20, 1, scale=1e51), steps=0)["LearningRates"].tables) == 1
    assert len(parts_of(problem_of(20, 1, scale=1e48), steps=0)["LearningRates"].tables) == 2


REMARKS = {  # how far slope and intercept are from the closed form, loss above it, share -> remark
    (0.0, 0.0, 0.0, 0.5): "right",
    (0.0, 0.0, 0.0, 0.51): "overshoots, but gets there",
    (4e-7, 0.0, 1.0, 0.1): "right",
    (6e-7, 0.0, 1e-4, 0.1): "loss converged, intercept not yet",
    (9e-3, 1.0, 0.9e-4, 0.1): "loss converged, intercept not yet",
    (2e-2, 1.0, 0.9e-4, 0.9): "loss converged, line not yet",
    (2e-2, 1.0, 1.1e-4, 0.51): "overshoots, not there yet",
    (2e-2, 1.0, 1.1e-4, 0.5): "some weights are too slow",
    (2e-2, 1.0, 1.1e-4, 0.1): "some weights are too slow",
    (2e-2, 1.0, 1.1e-4, 0.09): "too small: not there yet",
}


@pytest.mark.parametrize("case", REMARKS)
def test_a_remark_is_on_how_far_the_descent_came(case):
    slope_off, intercept_off, loss_off, share = case
    problem = problem_of(30, 1)
    line = rates.least_squares(problem.x, problem.y, ("a",))
    slope, intercept = line.slope * (1 + slope_off), line.intercept * (1 + intercept_off)
    description = Description(("a",), "y", (), "tanh", (3.0,), (2.0,))
    weights = {
        "weight": np.array([[[9.9]], [[slope * 2]]]),
        "bias": [[9.9], [intercept + 3 * slope]],
    }
    losses = [9.0, line.mse * (1 + loss_off)]
    history = tg.History(losses, weights, [0, 1], 1, "limit", "", 0.1)
    assert rates._remark(history, description, line, share) == REMARKS[case]
    diverged = replace(history, reason="diverged")
    assert rates._remark(diverged, description, line, share) == "too large: the loss grows"


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(("rows", "features"), [(40, 1), (40, 3), (2, 1)])
def test_the_first_step_is_the_chain_rule_row_by_row(monkeypatch, rows, features, standardize):
    monkeypatch.setattr(run_lesson, "BLOCK_ROWS", 7)
    problem = problem_of(rows, features)
    part = parts_of(problem, steps=1, standardize=standardize, learning_rate=0.01)["Derivation"]
    x = standardised(problem.x) if standardize else problem.x
    assert (part.names, part.standardized, part.count) == (problem.x_names, standardize, rows)
    assert part.loss == pytest.approx(np.mean(problem.y**2)) and part.learning_rate == 0.01
    assert len(part.rows) == min(3, rows)
    for i, row in enumerate(part.rows):
        assert row.number == i + 1 and row.prediction == 0.0
        assert row.features == pytest.approx(x[i]) and row.target == problem.y[i]
        slope = -2 * problem.y[i] / rows
        assert (row.u, row.slope_of_u) == pytest.approx((-problem.y[i], slope))
        assert row.slope_of_prediction == pytest.approx(slope)
        assert row.shares == pytest.approx(slope * x[i])
    slopes = -2 * design(x).T @ problem.y / rows
    found = [part.bias, *part.weights]
    assert [x.slope for x in found] == pytest.approx(slopes)
    assert [x.new for x in found] == pytest.approx(-0.01 * slopes)
    names = ["w"] if features == 1 else [f"w{i + 1}" for i in range(features)]
    assert [x.name for x in found] == ["b", *names] and {x.old for x in found} == {0.0}


@pytest.mark.parametrize("at", [None, (4.0, 2.5), (1e3, 2.5), (4.0, -1e3)])
def test_a_prediction_has_the_spread_of_a_new_observation(at):
    problem = problem_of(41, 2)
    found = parts_of(problem, at=at)["Prediction"]
    point = np.median(problem.x, axis=0) if at is None else np.array(at)
    d = design(problem.x)
    w = np.linalg.lstsq(d, problem.y)[0]
    residual = problem.y - d @ w
    deviation = math.sqrt(residual @ residual / (41 - 3))
    row = np.array([1.0, *point])
    spread = deviation * math.sqrt(1 + row @ np.linalg.inv(d.T @ d) @ row)
    assert found.at == pytest.approx(point) and found.names == ("a", "b")
    assert (found.value, found.spread) == pytest.approx((row @ w, spread), rel=1e-6)
    assert found.typical == pytest.approx(deviation)
    assert (found.within, found.rows) == (np.sum(abs(residual) <= deviation), 41)
    assert found.target == "y" and found.outside == (max(map(abs, point)) == 1e3)


def test_the_corners_of_the_data_are_inside():
    problem = problem_of(20, 2)
    for corner in (problem.x.min(axis=0), problem.x.max(axis=0)):
        assert not parts_of(problem, at=tuple(corner), steps=0)["Prediction"].outside


@pytest.mark.parametrize("count", [1, 3])
def test_a_point_has_a_number_for_each_feature(count):
    words = rf"--at must have one number for each feature \(a, b\), got {count}"
    for problem in (problem_of(20, 2), classes_of(20)):
        with pytest.raises(ArgumentError, match=words):
            parts_of(problem, at=(1.0,) * count)


# ---- networks


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("standardize", [True, False])
def test_a_network_is_measured_beside_the_line_of_the_features_that_vary(
    tmp_path, standardize, batch_size
):
    problem = problem_of(40, 3)
    problem.x[:, 1] = 5.0
    file = tmp_path / "m.safetensors"
    options = {"learning_rate": 0.01, "batch_size": batch_size, "seed": 4, "save": str(file)}
    parts = parts_of(problem, hidden=(4, 2), steps=6, standardize=standardize, **options)
    part, predictor = parts["Network"], lesson.load_predictor(file)
    residual = problem.y - predictor.predict(problem.x)
    mse = np.mean(residual**2)
    assert (part.mse, part.r_squared) == pytest.approx((mse, 1 - mse / problem.y.var()))
    w, (rss,), *_ = np.linalg.lstsq(design(problem.x[:, [0, 2]]), problem.y)
    assert part.line.names == ("a", "c") and part.line.slopes == pytest.approx(w[1:])
    assert part.line.mse == pytest.approx(rss / 40)
    assert part.parameters == 3 * 4 + 4 + 4 * 2 + 2 + 2 + 1
    assert (part.names, part.target, part.hidden) == (("a", "b", "c"), "y", (4, 2))
    assert (part.activation, part.standardized, part.seed) == ("tanh", standardize, 4)
    assert (part.learning_rate, part.batch_size, part.steps) == (0.01, batch_size, 6)
    assert part.reason == "limit" and "limit of 6 steps" in part.message
    assert [x.step for x in part.course] == [0, 1, 2, 3, 5, 6]
    if batch_size is None:
        assert part.course[-1].loss == pytest.approx(mse)
    first = predictor.description.build_model(4)
    start = lesson.Predictor(predictor.description, first).predict(problem.x)
    if batch_size is None:
        assert part.course[0].loss == pytest.approx(np.mean((start - problem.y) ** 2))
    found = parts["Prediction"]
    assert found.spread == found.typical == pytest.approx(math.sqrt(mse))
    assert found.within == np.sum(abs(residual) <= math.sqrt(mse))
    point = np.median(problem.x, axis=0)[None]
    assert found.value == pytest.approx(predictor.predict(point)[0])


def test_a_network_stands_alone_where_columns_determine_no_line():
    problem = problem_of(20, 2)
    problem.x[:, 1] = 2 * problem.x[:, 0]
    assert parts_of(problem, hidden=(2,), steps=1)["Network"].line is None
    problem.x[:] = 1.0
    assert parts_of(problem, hidden=(2,), steps=1)["Network"].line is None


# ---- learning rates and memory by default


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 0.1),
        ({"standardize": False}, None),
        ({"hidden": (2,)}, 0.1),
        ({"hidden": (2,), "standardize": False}, 0.001),
        ({"learning_rate": 0.03}, 0.03),
    ],
)
def test_the_rate_by_default_is_a_tenth_or_half_the_stable_one(settings, expected):
    problem = problem_of(20, 1, scale=10.0)
    parts = parts_of(problem, steps=1, **settings)
    rate = (parts.get("Descent") or parts["Network"]).learning_rate
    assert rate == (expected or float(f"{limit_of(problem.x) / 2:.0e}"))


def test_half_the_stable_rate_is_taken_below_a_fifth():
    assert [training.default_rate(x) for x in (0.2, 0.199, 0.03)] == [0.1, 0.1, 0.01]
    assert training.default_rate(0.121) == 0.06


@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_memory_of_a_step_is_that_of_weights_and_activations(monkeypatch, batch_size):
    description = Description(("a", "b"), "y", (8, 16), "tanh", (0.0,) * 2, (1.0,) * 2)
    settings = lesson.Settings(batch_size=batch_size)
    weights = 2 * 8 + 8 + 8 * 16 + 16 + 16 + 1
    batch = batch_size or 100
    needed = 4 * 8 * (weights + batch * (2 + 8 + 16 + 1))
    monkeypatch.setattr(training, "memory_size", lambda: needed)
    training.check_memory("f.csv", 100, description, settings)
    monkeypatch.setattr(training, "memory_size", lambda: needed - 1)
    cure = "narrower --hidden" if batch_size else "a smaller --batch-size"
    sentence = f"{batch} rows and {weights} weights need about {needed / 1e9:.3g} GB; .*{cure}"
    with pytest.raises(ArgumentError, match=re.escape(sentence).replace(r"\.\*", ".*")):
        training.check_memory("f.csv", 100, description, settings)


@pytest.mark.parametrize("rows", [3, 4])
def test_a_batch_may_be_all_rows_and_no_more(rows):
    settings = lesson.Settings(batch_size=4)
    if rows == 4:
        training.check_batch("f.csv", rows, settings)
    else:
        with pytest.raises(ArgumentError, match=r"at most 3, .* rows in f\.csv, got 4"):
            training.check_batch("f.csv", rows, settings)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("hidden", [(), (2,)])
def test_a_divergence_names_the_losses_and_the_way_out(standardize, hidden):
    problem = problem_of(20, 1)
    with pytest.raises(DivergenceError) as caught:
        parts_of(problem, learning_rate=1e3, hidden=hidden, standardize=standardize)
    text = str(caught.value)
    assert re.match(r"the descent diverged after \d+ steps: the loss went from [\d.]+ to ", text)
    assert "lower --learning-rate, now 1000" in text and text.endswith("; no files were written")
    assert ("leave out --no-standardize" in text) != standardize
    if not hidden:
        x = standardised(problem.x) if standardize else problem.x
        printed = float(re.search(r"below (\S+), the largest stable rate", text)[1])
        assert limit_of(x) * (1 - 1e-4) < printed <= limit_of(x) * (1 + 1e-9)


def test_a_divergence_below_the_stable_rate_does_not_name_it():
    history = tg.History([1.0, math.inf], {}, [], 1, "diverged", "", 0.5)
    for limit in (0.5, math.inf, None):
        text = str(training.divergence_error(history, SETTINGS, limit))
        assert "stable" not in text and "after 1 step: the loss went from 1 to inf" in text
    history = replace(history, learning_rate_limit=0.25)
    assert "below 0.25" in str(training.divergence_error(history, SETTINGS, None))


@pytest.mark.parametrize("largest", [1e155, 1e160, 1e300])
def test_raw_features_beyond_every_rate_are_refused(largest):
    problem = problem_of(20, 1)
    problem.x[:] *= largest / abs(problem.x).max()
    told = f"--no-standardize needs features below about 1e153 in size, got up to {largest:.3g};"
    with pytest.raises(ArgumentError, match=re.escape(told)):
        parts_of(problem, standardize=False)


@pytest.mark.parametrize("largest", [9e152, 1e140, 1e-160, 1e-300])
def test_other_raw_features_have_a_stable_rate_of_at_most_one(largest):
    x = np.linspace(-1.0, 1.0, 20)[:, None] * largest
    assert 0 < training.stable_rate(x) <= 1


@pytest.mark.parametrize("save", [None, "m\n.safetensors"])
def test_an_interruption_says_where_the_model_was_saved(save):
    history = tg.History([1.0, 0.5], {}, [], 1, "interrupted", "", 0.5)
    sentence = "interrupted after 1 step"
    sentence += r"; the model was saved to m\n.safetensors" if save else ""
    with pytest.raises(lesson.Interrupted) as caught:
        run_lesson.raise_if_interrupted(history, save)
    assert str(caught.value) == sentence
    run_lesson.raise_if_interrupted(replace(history, reason="limit"), save)


def test_a_target_whose_squares_overflow_is_refused():
    problem = problem_of(20, 1)
    for size, fits in ((1e153, True), (1e154, False)):
        y = problem.y / abs(problem.y).max() * size
        if fits:
            run_lesson._check_squares(replace(problem, y=y))
        else:
            with pytest.raises(DataFileError, match=r"column 'y': .* got up to 1e\+154; rescale"):
                run_lesson._check_squares(replace(problem, y=y))


# ---- few rows in place of many


def test_problems_are_condensed_above_a_number_of_numbers(monkeypatch):
    monkeypatch.setattr(condensed, "MAX_NUMBERS", 100)
    assert condensed.condense(problem_of(25, 3)) is None
    assert condensed.condense(problem_of(26, 3)).rows == 26
    assert condensed.condense(problem_of(51, 1)).rows == 51


@pytest.mark.parametrize("block", [1, 100, 10**6])
@pytest.mark.parametrize("features", [1, 2])
def test_the_line_of_the_condensed_rows_is_that_of_all(monkeypatch, features, block):
    monkeypatch.setattr(condensed, "MAX_NUMBERS", 10)
    monkeypatch.setattr(condensed, "BLOCK_NUMBERS", block)
    problem = problem_of(60, features)
    few = condensed.condense(problem)
    z = standardised(problem.x)
    assert few.condition == pytest.approx(np.linalg.cond(z), rel=1e-9)
    assert few.x_mean == pytest.approx(problem.x.mean(axis=0))
    assert few.x_scale == pytest.approx(problem.x.std(axis=0))
    assert (few.y_mean, few.y_scale) == pytest.approx((problem.y.mean(), problem.y.std()))
    found = condensed.condensed_line(few, problem.x_names)
    line = rates.least_squares(problem.x, problem.y, problem.x_names)
    for name in (
        *("slope", "intercept", "mse", "r_squared", "residual_standard_deviation"),
        *("slope_error", "intercept_error", "degrees_of_freedom"),
    ):
        assert getattr(found, name) == pytest.approx(getattr(line, name), rel=1e-9), name
        assert np.shape(getattr(found, name)) == np.shape(getattr(line, name))
    at = problem.x[:3, 0] if features == 1 else problem.x[:3]
    for spread in ("prediction_spread", "confidence_interval"):
        if hasattr(line, spread):
            assert getattr(found, spread)(at) == pytest.approx(getattr(line, spread)(at), rel=1e-9)


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        *(({}, 4), ({"batch_size": 7}, 60)),
        ({"standardize": False, "learning_rate": 1e-3}, 4),
        ({"standardize": False, "learning_rate": 1e-3, "batch_size": 60}, 60),
    ],
    ids=str,
)
def test_a_descent_takes_the_condensed_rows_unless_it_has_batches(monkeypatch, settings, rows):
    monkeypatch.setattr(condensed, "MAX_NUMBERS", 10)
    seen, fit = [], training.fit
    monkeypatch.setattr(
        training, "fit", lambda *args, **options: (seen.append(args[1:]), fit(*args, **options))[1]
    )
    problem, chosen = problem_of(60, 2), lesson.Settings(**settings, steps=6)
    found = training.train(problem, chosen, condensed.condense(problem))
    every_row = training.train(problem, chosen)
    assert [len(x) for x in (*seen[0], *seen[1])] == [rows, rows, 60, 60]
    assert found.history.losses == pytest.approx(every_row.history.losses, rel=1e-9)
    for name, array in every_row.predictor.model.state_dict().items():
        assert found.predictor.model.state_dict()[name] == pytest.approx(array, rel=1e-9)


def test_badly_conditioned_rows_are_solved_from_all(monkeypatch):
    monkeypatch.setattr(condensed, "MAX_NUMBERS", 10)
    problem = problem_of(60, 2)
    few = condensed.condense(problem)
    odd = replace(few, y_mean=99.0)
    for condition, own in ((condensed.MAX_CONDITION, False), (2 * condensed.MAX_CONDITION, True)):
        line = run_lesson.fit_closed_form(problem, replace(odd, condition=condition))
        exact = rates.least_squares(problem.x, problem.y, problem.x_names)
        assert (line.intercept == pytest.approx(exact.intercept)) == own


# ---- classes


@pytest.mark.parametrize("hidden", [(), (3,)])
@pytest.mark.parametrize("test", [None, 0.0, 0.5])
def test_a_classifier_is_judged_on_the_rows_that_it_did_not_see(tmp_path, test, hidden):
    problem = classes_of(40)
    file = tmp_path / "m.safetensors"
    options = {"hidden": hidden, "steps": 12, "seed": 5, "save": str(file)}
    parts = parts_of(problem, **options, **({} if test is None else {"test": test}))
    train, held_out = lesson.classification.split_rows(problem, test, 5)
    count = {None: 8, 0.0: 0, 0.5: 20}[test]
    assert len(held_out) == count and sorted([*train, *held_out]) == list(range(40))
    p = lesson.load_predictor(file).probabilities(problem.x)
    right = p.argmax(axis=1) == problem.y
    part, rows = parts["Classification"], held_out if count else train
    assert part.accuracy == pytest.approx(right[train].mean())
    assert part.held_out_accuracy == (pytest.approx(right[held_out].mean()) if count else None)
    commonest = max(range(3), key=lambda k: sum(problem.y[train] == k))
    assert part.commonest == f"k{commonest}"
    assert part.baseline == pytest.approx(np.mean(problem.y[rows] == commonest))
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (problem.y[rows], p[rows].argmax(axis=1)), 1)
    assert np.array(part.confusion).tolist() == confusion.tolist()
    assert (part.trained_on, part.held_out) == (len(train), count)
    assert (part.labels, part.optimizer) == (("k0", "k1", "k2"), "Adam")
    assert part.learning_rate == (0.01 if hidden else 0.1) and part.steps == 12
    assert part.parameters == (2 * 3 + 3 + 3 * 3 + 3 if hidden else 2 * 3 + 3)
    assert {(x.weights, x.bias) for x in part.course} == {((), None)}
    seen = parts["Classes"]
    assert (seen.rows, seen.trained_on, seen.held_out) == (40, len(train), count)
    assert seen.counts == (14, 13, 13) and seen.source == "rows.csv" and seen.target == "y"
    for column, values in zip(seen.features, problem.x.T, strict=True):
        assert (column.mean, column.maximum) == pytest.approx((values.mean(), values.max()))


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("hidden", [(), (3,)])
def test_the_first_slopes_are_p_minus_t_over_n(hidden, standardize):
    problem = classes_of(30)
    parts = parts_of(problem, hidden=hidden, steps=3, seed=2, standardize=standardize)
    train, _ = lesson.classification.split_rows(problem, None, 2)
    part, x = parts["FirstSlopes"], problem.x[train]
    mean, scale = (x.mean(axis=0), x.std(axis=0)) if standardize else (0.0, 1.0)
    names = tuple("ab")
    model = Description(names, "y", hidden, "tanh", (0.0,) * 2, (1.0,) * 2, labels=problem.labels)
    with tg.no_grad():
        z = model.build_model(2)((x - mean) / scale).numpy()
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    t = np.eye(3)[problem.y[train]]
    assert part.count == len(train) == 24 and part.labels == problem.labels
    assert part.loss == pytest.approx(-np.mean(np.log((p * t).sum(axis=1))))
    places = {row: i for i, row in enumerate(train.tolist())}
    for row in part.rows:
        i = places[row.number - 1]
        assert row.label == problem.labels[problem.y[train[i]]]
        assert row.probabilities == pytest.approx(p[i])
        assert row.slopes == pytest.approx((p[i] - t[i]) / 24)
    assert sorted(row.label for row in part.rows) == ["k0", "k1", "k2"]
    firsts = [next(i for i in train if problem.y[i] == k) for k in range(3)]
    assert [row.number for row in part.rows] == sorted(int(i) + 1 for i in firsts)


def test_three_rows_are_shown_of_two_classes_and_of_four():
    for classes, numbers in ((2, [1, 2, 3]), (4, [1, 2, 3])):
        part = parts_of(classes_of(8, classes=classes), steps=0)["FirstSlopes"]
        assert [row.number for row in part.rows] == numbers


def test_a_class_is_predicted_at_a_point(tmp_path):
    problem, file = classes_of(30), tmp_path / "m.safetensors"
    found = parts_of(problem, steps=5, save=str(file))["ClassPrediction"]
    point = np.median(problem.x, axis=0)
    p = lesson.load_predictor(file).probabilities(point[None])[0]
    assert found.at == tuple(point) and found.probabilities == tuple(p)
    assert found.label == f"k{p.argmax()}" and found.labels == problem.labels
    assert (found.names, found.target, found.outside) == (("a", "b"), "y", False)
    low = problem.x.min(axis=0)
    for at, outside in ((low, False), (low - [1e-9, 0], True), (low + np.array([0, 1e3]), True)):
        assert parts_of(problem, steps=0, at=tuple(at))["ClassPrediction"].outside == outside


def test_rows_are_held_out_from_ten_on():
    for rows, count in ((9, 0), (10, 2)):
        _, held_out = lesson.classification.split_rows(classes_of(rows, classes=2), None, 0)
        assert len(held_out) == count
    assert len(lesson.classification.split_rows(classes_of(9, classes=2), 0.25, 0)[1]) == 2


def test_a_share_without_rows_is_refused():
    sentence = r"leaves rows on both sides, got 0\.001 of 12 rows; pass --test 0"
    with pytest.raises(ArgumentError, match=sentence):
        parts_of(classes_of(12), test=0.001)


def test_a_classifier_that_diverges_names_no_stable_rate():
    with pytest.raises(DivergenceError) as caught:
        parts_of(classes_of(12), learning_rate=1e300)
    assert "lower --learning-rate, now 1e+300" in str(caught.value)
    assert "stable" not in str(caught.value)
