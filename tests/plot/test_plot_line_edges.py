"""Pictures of a line's descent: any numbers and names, both schemes, nothing altered."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")

from pictures import Y, Z, descent, drawn, saved, texts

from tinygrad_lr.plot.style import DARK, PRINT, _find_wide_fonts

FUNCTIONS = [tg.plot.fit_course, tg.plot.loss_over_weight, tg.plot.loss_contours]


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


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("size", [1e308, 1e-308, 1e160, 1.0])
@pytest.mark.parametrize("steps", [0, 20])
def test_any_finite_numbers_can_be_drawn(function, size, steps):
    x = np.array([-1.0, 0.0, 1.0]) * size
    line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(line, x, x, learning_rate=0.1, steps=steps, warn=False)
    assert len(saved(function(line, x, x, history))) > 5_000


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_one_row_constant_data_and_numbers_that_are_none_can_be_drawn(function):
    for x, y in [([2.0], [5.0]), ([3.0, 3.0], [1.0, 1.0]), ([0.0, 0.0], [0.0, 0.0])]:
        line = tg.nn.Linear(1, 1, generator=0)
        history = tg.fit(line, x, y, learning_rate=0.1, steps=15, warn=False)
        assert len(saved(function(line, x, y, history))) > 5_000
    history.losses[3:5] = [np.nan, np.inf]
    history.weights["weight"][4:7] = [[[np.nan]], [[np.inf]], [[3e38]]]
    assert len(saved(function(line, x, y, history))) > 5_000


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph")  # where no font has them
def test_chinese_names_are_shown_in_a_font_that_has_them():
    figure = drawn(tg.plot.fit_course, x_name="点数", y_name="成绩")
    assert "点数" in texts(figure) and len(saved(figure, "svg")) > 5_000
    families = set(figure.axes[0].xaxis.label.get_fontfamily())
    assert set(_find_wide_fonts()) < families


@pytest.mark.slow
def test_the_same_figure_has_the_same_bytes():
    for function in FUNCTIONS:
        assert saved(drawn(function)) == saved(drawn(function))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_what_does_not_fit_together_is_refused(function):
    line, x, history = descent()
    with pytest.raises(ShapeError, match=f"{function.__name__}: x must have shape"):
        function(line, x, Y[:-1], history)
    with pytest.raises(DtypeError, match="y must contain integers or floats"):
        function(line, x, [str(y) for y in Y], history)
    with pytest.raises(ArgumentError, match="history must be of this model"):
        function(tg.nn.Linear(2, 1), np.zeros((len(Y), 2)), Y, history)
    with pytest.raises(ArgumentError, match="history must have the weights of a model"):
        function(line, x, Y, tg.History([], {}, [], 0, "limit", "", 0.1))
    with pytest.raises(ArgumentError, match=rf"{function.__name__}\(model, x, y, ...\): the model"):
        function(history, line, x, Y)


def test_a_picture_that_needs_one_feature_or_two_weights_says_so():
    plane = tg.nn.Linear(2, 1, dtype=np.float64, generator=0)
    x = np.column_stack([Z, Z**2])
    history = tg.fit(plane, x, Y, learning_rate=0.1, steps=20)
    with pytest.raises(ShapeError, match=r"x must have one feature.* shows predicted against"):
        tg.plot.fit_course(plane, x, Y, history)
    with pytest.raises(
        ArgumentError, match=r"weights must name two .*weights=\('weight\[0, 0\]', "
    ):
        tg.plot.loss_contours(plane, x, Y, history)
    with pytest.raises(
        ArgumentError, match=r"weight must be a single entry, .* got 'weight\[2, 0\]'"
    ):
        tg.plot.loss_over_weight(plane, x, Y, history, weight="weight[2, 0]")
    with pytest.raises(ArgumentError, match="weights must be two different entries"):
        tg.plot.loss_contours(plane, x, Y, history, weights=("bias", "bias"))
    with pytest.raises(ArgumentError, match=r"must be a single entry, .* got '3'"):
        tg.plot.loss_contours(plane, x, Y, history, weights=3)
    with pytest.raises(ArgumentError, match="loss must be a function such as"):
        tg.plot.loss_over_weight(plane, x, Y, history, loss="mse")
    for rates in (0.1, [0.1, 0.2], history):
        with pytest.raises(ArgumentError, match="fit once for each learning rate"):
            tg.plot.learning_rates(plane, x, Y, rates)
    with pytest.raises(ArgumentError, match="steps must be an integer"):
        tg.plot.fit_course(*descent()[:2], Y, descent()[2], steps=[-1])
    with pytest.raises(ArgumentError, match="histories must have 1 to 6 entries, got"):
        tg.plot.learning_rates(plane, x, Y, [])
    figure = tg.plot.loss_contours(plane, x, Y, history, weights=("weight[0, 0]", "weight[1, 0]"))
    assert "bias held at" in "\n".join(texts(figure))


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
