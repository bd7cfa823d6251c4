"""Pictures of a line's descent: what is drawn and told is the run's own."""

from __future__ import annotations

import dataclasses
import functools
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")

from pictures import DOWN, STEP, TRUTH, UP, lines, saved, texts

from tinygrad_lr.plot.style import DARK, PRINT, _wide_fonts, apart
from tinygrad_lr.plot.surface import bowl_of, levels_of

STUDENTS = tg.datasets.sat_gpa()
SCALING = tg.data.Standardizer().fit(STUDENTS.sat_sum)
RAW, Z, Y = STUDENTS.sat_sum, SCALING.transform(STUDENTS.sat_sum), STUDENTS.fy_gpa


@functools.cache
def descent(rate=0.1, count=60, *, raw=False):
    """A line through the SAT data, from w = 0: the model, x and what fit returned."""
    line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    x = RAW if raw else Z
    return line, x, tg.fit(line, x, Y, learning_rate=rate, steps=count, warn=False)


def drawn(function, rate=0.1, count=60, *, raw=False, **options):
    """The figure of such a descent."""
    line, x, history = descent(rate, count, raw=raw)
    return function(line, x, Y, history, **options)


def bold(panel):
    """The line of what was learnt."""
    return max(panel.get_lines(), key=lambda line: line.get_linewidth())


FUNCTIONS = [tg.plot.fit_course, tg.plot.loss_over_weight, tg.plot.loss_contours]


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
    assert told in written and "left of the minimum 0.3408" in written
    assert "negative, so w moves right" in written


def test_a_positive_slope_sends_w_to_the_left():
    line = tg.nn.Linear(1, 1, dtype=np.float64)
    line.load_state_dict({"weight": [[1.0]], "bias": [0.0]})
    history = tg.fit(line, Z, Y, learning_rate=0.1, steps=60)
    figure = tg.plot.loss_over_weight(line, Z, Y, history)
    assert "right of the minimum 0.3408" in "\n".join(texts(figure))
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

    found = bowl_of(bowl, np.array([1.0, 1.0]), np.array([0.5, 2.0]))
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-9)
    np.testing.assert_allclose(found.bottom, [5, -2], rtol=1e-9)
    assert found.lowest == pytest.approx(7) and found.single
    assert bowl_of(lambda a, b: a**4 + b**2, np.zeros(2), np.ones(2)) is None
    assert bowl_of(lambda a, b: a * a - b * b, np.zeros(2), np.ones(2)) is None
    assert bowl_of(lambda a, b: np.nan, np.zeros(2), np.ones(2)) is None


def test_the_rings_of_a_bowl_are_evenly_spaced():
    a, b = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(-1, 1, 201))
    radii = np.sqrt(levels_of(a * a + b * b))[:8]
    assert np.diff(radii) == pytest.approx(np.diff(radii).mean(), rel=0.1)
    assert not len(levels_of(np.ones((3, 3))))


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
    assert "no step was made" in "\n".join(texts(tg.plot.loss_over_weight(line, x, Y, history)))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_dark_figure_differs_in_its_colours_alone(function):
    light, dark = drawn(function), drawn(function, dark=True)
    assert texts(light) == texts(dark)
    assert dark.get_facecolor()[:3] == pytest.approx(_rgb(DARK.paper))
    assert light.get_facecolor()[:3] == (1, 1, 1)
    assert saved(light) != saved(dark)


@pytest.mark.parametrize("colors", [PRINT, DARK], ids=["print", "dark"])
def test_text_and_curves_stand_out_from_their_paper(colors):
    for color, least in [
        (colors.ink, 7),
        (colors.truth, 7),
        (colors.model, 4.5),
        (colors.step, 3),
        (colors.up, 3),
    ]:
        assert _contrast(color, colors.paper) >= least


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_the_model_its_gradients_and_the_history_are_left_alone(function):
    line, x, history = descent()
    line(x[:, None]).mean().backward()
    before = line.state_dict(), line.weight.grad.copy(), list(history.losses)
    weights = {name: w.copy() for name, w in history.weights.items()}
    saved(function(line, x, Y, history))
    assert all((before[0][name] == w).all() for name, w in line.state_dict().items())
    assert (line.weight.grad == before[1]).all() and history.losses == before[2]
    assert all((weights[name] == w).all() for name, w in history.weights.items())


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("size", [1e308, 1e-308, 1e160, 1.0])
@pytest.mark.parametrize("steps", [0, 20])
def test_any_finite_numbers_can_be_drawn(function, size, steps):
    x = np.array([-1.0, 0.0, 1.0]) * size
    line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(line, x, x, learning_rate=0.1, steps=steps, warn=False)
    assert len(saved(function(line, x, x, history))) > 5_000


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_one_row_constant_data_and_numbers_that_are_none_can_be_drawn(function):
    for x, y in [([2.0], [5.0]), ([3.0, 3.0], [1.0, 1.0]), ([0.0, 0.0], [0.0, 0.0])]:
        line = tg.nn.Linear(1, 1, generator=0)
        history = tg.fit(line, x, y, learning_rate=0.1, steps=15, warn=False)
        assert len(saved(function(line, x, y, history))) > 5_000
    history.losses[3:5] = [np.nan, np.inf]
    history.weights["weight"][4:7] = [[[np.nan]], [[np.inf]], [[3e38]]]
    assert len(saved(function(line, x, y, history))) > 5_000


@pytest.mark.parametrize("name", ["$x^2$ in $", "<script>&amp;", r"\frac{a", "a\nb\tc", "a--b-->"])
@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_names_are_shown_literally(name, kind):
    line, x, history = descent(0.1, 5)
    shown = " ".join(name.split())
    for figure in (
        tg.plot.fit_course(line, x, Y, history, x_name=name, y_name=name),
        tg.plot.loss_over_weight(line, x, Y, history, x_name=name),
        tg.plot.loss_contours(line, x, Y, history, x_name=name, b_label=name),
        tg.plot.learning_rates(line, x, Y, [history], x_name=name),
    ):
        assert any(shown in text for text in texts(figure))
        content = saved(figure, kind)
        assert b"<script>" not in content and len(content) > 5_000
        if kind == "svg":
            ElementTree.fromstring(content)


@pytest.mark.filterwarnings("ignore:Glyph")  # where no font has them
def test_chinese_names_are_shown_in_a_font_that_has_them():
    figure = drawn(tg.plot.fit_course, x_name="点数", y_name="成绩")
    assert "点数" in texts(figure) and len(saved(figure, "svg")) > 5_000
    families = set(figure.axes[0].xaxis.label.get_fontfamily())
    assert set(_wide_fonts()) < families


def test_the_same_figure_has_the_same_bytes():
    for function in FUNCTIONS:
        assert saved(drawn(function)) == saved(drawn(function))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_what_does_not_fit_together_is_refused(function):
    line, x, history = descent()
    with pytest.raises(ShapeError, match=f"{function.__name__}: x and y do not fit together"):
        function(line, x, Y[:-1], history)
    with pytest.raises(DtypeError, match="y is not made of real numbers"):
        function(line, x, [str(y) for y in Y], history)
    with pytest.raises(ArgumentError, match="the history is of another model"):
        function(tg.nn.Linear(2, 1), np.zeros((len(Y), 2)), Y, history)
    with pytest.raises(ArgumentError, match="the history has no weights"):
        function(line, x, Y, tg.History([], {}, [], 0, "limit", "", 0.1))


def test_a_picture_that_needs_one_feature_or_two_weights_says_so():
    plane = tg.nn.Linear(2, 1, dtype=np.float64, generator=0)
    x = np.column_stack([Z, Z**2])
    history = tg.fit(plane, x, Y, learning_rate=0.1, steps=20)
    with pytest.raises(ShapeError, match=r"over one feature only; .* shows predicted against"):
        tg.plot.fit_course(plane, x, Y, history)
    with pytest.raises(ArgumentError, match=r"two weights; .*weights=\('weight\[0, 0\]', "):
        tg.plot.loss_contours(plane, x, Y, history)
    with pytest.raises(ArgumentError, match=r"'weight\[2, 0\]' is no single weight"):
        tg.plot.loss_over_weight(plane, x, Y, history, weight="weight[2, 0]")
    with pytest.raises(ArgumentError, match="weights are not two"):
        tg.plot.loss_contours(plane, x, Y, history, weights=("bias", "bias"))
    with pytest.raises(ArgumentError, match="steps are none"):
        tg.plot.fit_course(*descent()[:2], Y, descent()[2], steps=[-1])
    with pytest.raises(ArgumentError, match="histories are too many or none"):
        tg.plot.learning_rates(plane, x, Y, [])
    figure = tg.plot.loss_contours(plane, x, Y, history, weights=("weight[0, 0]", "weight[1, 0]"))
    assert "bias held at" in "\n".join(texts(figure))


def test_labels_keep_apart_and_keep_their_order():
    rng = np.random.default_rng(0)
    for places in (rng.normal(size=8), np.zeros(5), np.arange(3.0) * 10):
        found = np.array(apart(places.tolist(), 1.0))
        order = np.argsort(places, kind="stable")
        assert (np.diff(found[order]) >= 1 - 1e-9).all()
        assert found.mean() == pytest.approx(places.mean())


def _rgb(color):
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _contrast(one, other):
    """The contrast of two colours as WCAG defines it, from 1 to 21."""
    paper = "#ffffff" if other == "white" else other

    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _rgb(color)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(paper)])
    return (high + 0.05) / (low + 0.05)
