"""Pictures of a line's descent: what is drawn and told is the run's own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tinygrad_lr as tg

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")

from pictures import (
    DOWN,
    RAW,
    SCALING,
    STEP,
    TRUTH,
    UP,
    Y,
    Z,
    bold,
    descent,
    drawn,
    lines,
    saved,
    texts,
)

from tinygrad_lr.plot.descent import contours
from tinygrad_lr.plot.descent import loss_curve as hill
from tinygrad_lr.plot.descent.curves import Curve
from tinygrad_lr.plot.descent.loss_surface import choose_levels, fit_bowl
from tinygrad_lr.plot.descent.rates import _cut_above
from tinygrad_lr.plot.style import make_panels, spread_out


def test_the_last_line_of_the_fit_is_the_model_and_the_first_the_start():
    line, x, history = descent()
    panel = tg.plot.fit_course(line, x, Y, history, steps=[0, 60]).axes[0]
    last = bold(panel)
    np.testing.assert_allclose(last.get_ydata(), line(last.get_xdata()[:, None]).data[:, 0])
    first = panel.get_lines()[0]
    assert (first.get_ydata() == 0).all() and first.get_linewidth() < last.get_linewidth()


def test_each_line_of_the_fit_is_labelled_with_its_step():
    told = texts(drawn(tg.plot.fit_course, steps=[0, 2, 7, 60]))
    assert [text for text in told if text.startswith("step")] == [
        f"step {k}" for k in (0, 2, 7, 60)
    ]


def test_the_fit_in_original_units_is_the_closed_form_in_the_end():
    figure = drawn(tg.plot.fit_course, steps=[0, 60], x_scaling=SCALING)
    exact = tg.linear.closed_form(RAW, Y)
    thin, last = lines(figure.axes[0], TRUTH)[0], bold(figure.axes[0])
    np.testing.assert_allclose(thin.get_ydata(), exact.predict(thin.get_xdata()), rtol=1e-12)
    np.testing.assert_allclose(last.get_ydata(), thin.get_ydata(), rtol=1e-4)
    assert (last.get_xdata().min(), last.get_xdata().max()) == (RAW.min(), RAW.max())
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets()[:, 0], RAW)


def test_a_target_that_was_scaled_is_shown_in_its_units():
    scaling = tg.data.Standardizer().fit(Y)
    line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(line, Z, scaling.transform(Y), learning_rate=0.3)
    figure = tg.plot.fit_course(line, Z, scaling.transform(Y), history, y_scaling=scaling)
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets()[:, 1], Y)


def test_the_lines_shown_are_well_apart():
    figure = drawn(tg.plot.fit_course)
    heights = [
        line.get_ydata()[-1] for line in figure.axes[0].get_lines() if len(line.get_xdata()) > 9
    ]
    gaps = np.diff(sorted(set(heights)))
    assert len(gaps) >= 5 and gaps.max() < 4 * np.median(gaps)


def test_a_network_of_one_feature_is_a_curve_without_a_closed_form():
    x = np.linspace(-3, 3, 40)
    network = tg.nn.MLP(1, [8], 1, "tanh", generator=0)
    history = tg.fit(network, x, np.sin(x), learning_rate=0.1, steps=100)
    told = texts(tg.plot.fit_course(network, x, np.sin(x), history))
    assert "learnt: a curve" in told and not any("closed form" in text for text in told)


def test_the_closed_form_is_only_drawn_under_the_loss_that_it_is_the_least_of():
    told = texts(drawn(tg.plot.fit_course, loss=tg.losses.mae))
    assert not any("closed form" in text for text in told)


def test_the_slopes_are_the_gradients():
    figure = drawn(tg.plot.loss_over_weight)
    line, x, history = descent()
    track, b = history.weights["weight"].ravel(), line.bias.data[0]
    for tangent in lines(figure.axes[0], DOWN):
        (w0, w1), (l0, l1) = tangent.get_data()
        w = (w0 + w1) / 2
        assert np.abs(track - w).min() < 1e-9
        assert (l1 - l0) / (w1 - w0) == pytest.approx(2 * np.mean((w * x + b - Y) * x), rel=1e-6)
    assert len(lines(figure.axes[0], DOWN)) >= 3


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        (0.1, "no step jumps over the minimum; bias held at 2.468"),
        (0.9, "each step jumps over the minimum, nearer; bias held at 2.468"),
        (1.05, "each step jumps over the minimum, farther; bias held at 0, as at step 0"),
    ],
)
def test_whether_steps_jump_over_the_minimum_is_told_in_words(rate, told):
    written = "\n".join(texts(drawn(tg.plot.loss_over_weight, rate, 100)))
    assert told in written and "left of the minimum at 0.3408" in written
    assert "negative, so w moves right" in written


def test_a_positive_slope_sends_w_to_the_left():
    line = tg.nn.Linear(1, 1, dtype=np.float64)
    line.load_state_dict({"weight": [[1.0]], "bias": [0.0]})
    history = tg.fit(line, Z, Y, learning_rate=0.1, steps=60)
    figure = tg.plot.loss_over_weight(line, Z, Y, history)
    assert "right of the minimum at 0.3408" in "\n".join(texts(figure))
    assert "positive, so w moves left" in "\n".join(texts(figure))
    assert lines(figure.axes[0], UP) and not lines(figure.axes[0], DOWN)


def test_any_weight_can_be_chosen_by_the_name_that_is_shown():
    figure = drawn(tg.plot.loss_over_weight, weight="bias")
    assert figure.axes[0].get_xlabel() == "w = bias[0]"
    np.testing.assert_array_equal(
        lines(figure.axes[0], STEP)[0].get_xdata()[:12], descent()[2].weights["bias"][:12, 0]
    )
    assert "weight held at 0.3408" in "\n".join(texts(figure))


def test_the_minimum_of_the_contours_is_the_closed_form():
    for raw in (False, True):
        rate = 5e-5 if raw else 0.1
        figure = drawn(tg.plot.loss_contours, rate, raw=raw)
        exact = tg.linear.closed_form(RAW if raw else Z, Y)
        cross = next(x for x in figure.axes[0].get_lines() if x.get_marker() == "+")
        np.testing.assert_allclose(cross.get_xdata(), exact.slope, rtol=1e-6)
        np.testing.assert_allclose(cross.get_ydata(), exact.intercept, rtol=1e-3)
        assert f"minimum, loss {exact.mse:.4g}" in texts(figure)


def test_the_curvatures_told_are_the_eigenvalues_of_the_hessian():
    design = np.column_stack([RAW, np.ones(len(RAW))])
    small, large = np.linalg.eigvalsh(2 * design.T @ design / len(RAW))
    told = "\n".join(texts(drawn(tg.plot.loss_contours, 5e-5, raw=True)))
    assert f"a narrow valley: {large / small:,.0f}".replace(",", " ") in told
    assert f"as along ({small:.4g})" in told
    told = "\n".join(texts(drawn(tg.plot.loss_contours)))
    assert "a round bowl: it curves by 2 in every direction" in told


def test_the_curvatures_of_a_float32_line_are_as_exact():
    line = tg.nn.Linear(1, 1, generator=1)
    history = tg.fit(line, RAW, Y, learning_rate=5e-5, steps=100)
    told = "\n".join(texts(tg.plot.loss_contours(line, RAW, Y, history)))
    assert "a narrow valley: 580 672 times as curved" in told


def test_the_path_over_the_contours_is_that_of_the_run():
    _, _, history = descent()
    path = [
        line
        for line in drawn(tg.plot.loss_contours).axes[0].get_lines()
        if len(line.get_xdata()) > 9
    ]
    np.testing.assert_array_equal(path[0].get_xdata()[:12], history.weights["weight"][:12, 0, 0])
    np.testing.assert_array_equal(path[0].get_ydata()[:12], history.weights["bias"][:12, 0])


def test_a_narrow_valley_takes_as_much_of_the_picture_as_a_round_bowl():
    for raw in (False, True):
        panel = drawn(tg.plot.loss_contours, 5e-5 if raw else 0.1, raw=raw).axes[0]
        x = RAW if raw else Z
        wide, high = np.ptp(panel.get_xlim()), np.ptp(panel.get_ylim())
        assert wide * np.sqrt(np.mean(x * x)) == pytest.approx(high)


def test_contours_of_a_feature_that_does_not_vary_show_a_trough():
    line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    x, y = np.full(5, 2.0), np.arange(5.0)
    history = tg.fit(line, x, y, learning_rate=0.05, steps=30)
    told = "\n".join(texts(tg.plot.loss_contours(line, x, y, history)))
    assert "a trough: it curves by 10 across, and is flat along" in told  # 2 (x² + 1)
    assert "a minimum, one of many" in told


def test_a_quadratic_is_found_and_what_is_none_is_not():
    hessian = np.array([[3.0, 1.0], [1.0, 2.0]])

    def bowl(a, b):
        away = np.array([a - 5, b + 2])
        return 7 + away @ hessian @ away / 2

    found = fit_bowl(bowl, np.array([1.0, 1.0]), np.array([0.5, 2.0]))
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-9)
    np.testing.assert_allclose(found.bottom, [5, -2], rtol=1e-9)
    assert found.lowest == pytest.approx(7) and found.single
    assert fit_bowl(lambda a, b: a**4 + b**2, np.zeros(2), np.ones(2)) is None
    assert fit_bowl(lambda a, b: a * a - b * b, np.zeros(2), np.ones(2)) is None
    assert fit_bowl(lambda a, b: np.nan, np.zeros(2), np.ones(2)) is None


def test_the_rings_of_a_bowl_are_evenly_spaced():
    a, b = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(-1, 1, 201))
    radii = np.sqrt(choose_levels(a * a + b * b))[:8]
    assert np.diff(radii) == pytest.approx(np.diff(radii).mean(), rel=0.1)
    assert not len(choose_levels(np.ones((3, 3))))


def rates(*given, **options):
    runs = [descent(rate, 40) for rate in given]
    return tg.plot.learning_rates(runs[0][0], Z, Y, [run for *_, run in runs], **options)


def test_learning_rates_are_told_as_too_small_right_and_too_large():
    titles = [panel.get_title("left") for panel in rates(1.05, 0.01, 0.3).axes[:3]]
    assert titles == ["Too small: 0.01", "Right: 0.3", "Too large: 1.05"]


def test_each_learning_rate_tells_why_it_stopped():
    told = "\n".join(texts(rates(0.01, 0.3, 1.05)))
    assert "stopped at the limit of 40 steps\nno step jumps" in told
    assert "diverged after 40 steps\neach step jumps over the minimum, farther" in told


def test_all_learning_rates_are_on_one_scale():
    axes = rates(0.01, 0.3, 1.05).axes
    for row in (axes[:3], axes[3:6]):
        assert (
            len({panel.get_xlim() for panel in row})
            == len({panel.get_ylim() for panel in row})
            == 1
        )


def test_the_stable_limit_is_marked_where_the_hessian_says():
    axes = rates(0.01, 0.3, 1.05).axes
    (limit,) = lines(axes[-1], TRUTH)
    np.testing.assert_allclose(limit.get_xdata(), 1 / np.mean(Z * Z), rtol=1e-8)  # 2/λ, λ = 2 z²
    assert "2/λmax = 1:" in axes[-1].get_title("left")


@pytest.mark.slow
def test_a_divergence_alone_can_be_drawn_and_one_rate_alone():
    assert rates(1.2).axes[0].get_title("left") == "Too large: 1.2"
    assert len(saved(rates(1.2, 1.3))) > 10_000


def test_equal_descents_can_stand_side_by_side():
    line, x, history = descent(0.3, 40)
    again = dataclasses.replace(history, weights={n: w * 1 for n, w in history.weights.items()})
    titles = [
        p.get_title("left") for p in tg.plot.learning_rates(line, x, Y, [again, history]).axes
    ]
    assert titles[:2] == ["Right: 0.3", "Right: 0.3"]


def test_a_run_without_a_step_is_told_as_that():
    line, x, history = descent(0.1, 0)
    figure = tg.plot.learning_rates(line, x, Y, [history, descent(0.3, 40)[2]])
    titles = [panel.get_title("left") for panel in figure.axes[:2]]
    assert titles[0] == "Right: 0.3" and titles[1].startswith("No step")
    assert "no step was taken" in "\n".join(texts(tg.plot.loss_over_weight(line, x, Y, history)))


def test_labels_keep_apart_and_keep_their_order():
    rng = np.random.default_rng(0)
    for places in (rng.normal(size=8), np.zeros(5), np.arange(3.0) * 10):
        found = np.array(spread_out(places.tolist(), 1.0))
        order = np.argsort(places, kind="stable")
        assert (np.diff(found[order]) >= 1 - 1e-9).all()
        assert found.mean() == pytest.approx(places.mean())


def test_a_learning_rate_that_moves_nothing_is_drawn_beside_others():
    line, x, history = descent(rate=1e-300, count=3)
    assert tg.plot.learning_rates(line, x, Y, [history]).axes


def test_heights_of_a_loss_that_is_no_bowl_are_the_loss_at_their_w_and_b(monkeypatch):
    line, x, history = descent()
    seen = []
    draw = contours.draw_contours
    monkeypatch.setattr(contours, "draw_contours", lambda *a: (seen.append(a[1:]), draw(*a)))
    tg.plot.loss_contours(line, x, Y, history, loss=tg.losses.mae)
    ((a, b, heights),) = seen
    for i, j in ((0, 0), (3, 1), (1, 3)):
        predicted = a[i] * np.ravel(x) + b[j]
        np.testing.assert_allclose(heights[j, i], np.abs(predicted - Y).mean(), rtol=1e-12)


def test_an_arrow_is_drawn_for_single_steps_and_none_over_steps_that_were_left_out():
    _, (ax,) = make_panels(1)
    ax.set_xlim(0, 4)
    ax.set_ylim(0, 4)
    hill.draw_path(ax, np.array([0, 1, 5]), np.array([3.0, 2.0, 1.0]), np.array([3.0, 2.0, 1.0]))
    assert [(note.xyann, note.xy) for note in ax.texts] == [((3.0, 3.0), (2.0, 2.0))]


@pytest.mark.slow
def test_the_shade_begins_at_the_stable_limit():
    line, x, _ = descent()
    runs = [tg.fit(line, x, Y, learning_rate=r, steps=5, warn=False) for r in (0.01, 0.1, 1.1)]
    strip = tg.plot.learning_rates(line, x, Y, runs).axes[-1]
    (shade,) = strip.patches
    inputs = np.column_stack([np.ravel(x), np.ones(len(Y))])
    limit = 2 / np.linalg.eigvalsh(2 * inputs.T @ inputs / len(Y)).max()
    left, right = shade.get_bbox().intervalx
    assert left == pytest.approx(limit, rel=1e-6) and right == pytest.approx(strip.get_xlim()[1])


def test_a_curve_is_cut_where_it_first_rises_higher():
    curve = Curve(np.arange(4), np.array([1.0, 3.0, 9.0, 2.0]))
    assert _cut_above(curve, 5.0).values.tolist() == [1.0, 3.0]
    assert len(_cut_above(curve, 9.0).values) == 4
