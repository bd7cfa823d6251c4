"""The picture of a loss curve: each point, line and label is where its number belongs."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.train import sparkline_svg
from tinygrad_lr.train.sparkline_svg import draw_loss_curves

LEFT, RIGHT, TOP, BOTTOM = 58.0, 448.0, 22.0, 156.0  # of the space for the curve
SVG = "{http://www.w3.org/2000/svg}"


class Picture:
    """A picture of losses by step, taken apart."""

    def __init__(self, losses, held=()):
        points = list(enumerate(losses)) if not isinstance(losses, dict) else list(losses.items())
        drawn = draw_loss_curves([(float(x), y) for x, y in points], list(held))
        self.root = ElementTree.fromstring(str(drawn))
        self.label = self.root.attrib["aria-label"]
        self.curves = [
            [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
            for line in self.root.iter(f"{SVG}polyline")
        ]
        self.dashes = [x.attrib.get("stroke-dasharray") for x in self.root.iter(f"{SVG}polyline")]
        self.colours = [x.attrib["stroke"] for x in self.root.iter(f"{SVG}polyline")]
        self.lines = [x.attrib for x in self.root.iter(f"{SVG}line")]
        self.texts = [(x.text, x.attrib) for x in self.root.iter(f"{SVG}text")]

    def labels(self, anchor):
        return [
            (text, float(at["x"]), float(at["y"]))
            for text, at in self.texts
            if at["text-anchor"] == anchor
        ]


def number(label):
    """Return the number that a label stands for."""
    power = re.fullmatch("10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", label)
    if power:
        return 10.0 ** int(power[1].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
    return float(label.replace("−", "-").replace(",", "").replace("\u202f", ""))


@pytest.mark.parametrize(
    ("losses", "powers"),
    [
        ([4.0, 3.0, 2.0, 1.0], False),
        ([99.0, 1.0], False),
        ([100.0, 10.0, 1.0], True),
        ([1e-8, 3e5, 1e-3], True),
        ([1000.0, 0.0], False),
        ([-5.0, 1e3, 1.0], False),
        ([1e6 + 3, 1e6 + 1, 1e6 + 2], False),
    ],
)
def test_points_and_labels_are_on_one_scale(losses, powers):
    picture = Picture(losses)
    scale = math.log10 if powers else float
    low, high = scale(min(losses)), scale(max(losses))

    def height(x):
        return BOTTOM - (BOTTOM - TOP) * (scale(x) - low) / (high - low)

    (curve,) = picture.curves
    for i, (loss, (x, y)) in enumerate(zip(losses, curve, strict=True)):
        assert x == pytest.approx(LEFT + (RIGHT - LEFT) * i / (len(losses) - 1), abs=0.06)
        assert y == pytest.approx(height(loss), abs=0.06)
    heights = picture.labels("end")
    assert 2 <= len(heights) <= 8 and len({text for text, _, _ in heights}) == len(heights)
    for (text, x, y), line in zip(heights, picture.lines, strict=True):
        assert y == pytest.approx(height(number(text)) + 4, abs=0.1) and x == LEFT - 6
        assert float(line["y1"]) == float(line["y2"]) == pytest.approx(y - 4, abs=0.01)
        assert (float(line["x1"]), float(line["x2"])) == (LEFT, RIGHT)
    for text, x, y in picture.labels("middle")[:-1]:
        at = LEFT + (RIGHT - LEFT) * number(text) / (len(losses) - 1)
        assert x == pytest.approx(at, abs=0.06) and y == BOTTOM + 16
    assert picture.labels("middle")[-1] == ("step", (LEFT + RIGHT) / 2, 187.0)
    name = "loss (powers of ten)" if powers else "loss"
    assert picture.labels("start") == [(name, 4.0, 12.0)]
    assert picture.dashes == [None] and picture.colours == ["#0072B2"]


@pytest.mark.parametrize("loss", [5.0, 0.0, -2.0, 1e300])
def test_a_loss_that_never_changes_is_a_line_in_the_middle(loss):
    picture = Picture([loss] * 3)
    assert {y for _, y in picture.curves[0]} == {(TOP + BOTTOM) / 2}
    room = abs(loss) / 2 or 1.0
    ends = [number(text) for text, _, _ in picture.labels("end")]
    assert loss - room <= min(ends) < loss < max(ends) <= loss + room


@pytest.mark.parametrize(("change", "flat"), [(0.9e-9, True), (1.1e-9, False)])
def test_what_only_rounding_changes_is_drawn_flat(change, flat):
    for size in (1e4, -1e-4, 1e-300):
        losses = [size, size * (1 + change)]
        heights = [y for _, y in Picture(losses).curves[0]]
        assert (heights[0] == pytest.approx(heights[1], abs=0.2)) == flat


def test_a_single_step_and_extreme_losses_are_drawn():
    assert Picture({0: 1.0}).curves == [[(LEFT, (TOP + BOTTOM) / 2)]]
    picture = Picture([1.7e308, -1.7e308])
    assert [y for _, y in picture.curves[0]] == [TOP, BOTTOM] and picture.lines == []


def test_a_curve_is_split_where_a_loss_is_not_finite():
    picture = Picture([math.nan, 3.0, 2.0, math.inf, math.inf, 1.0, 4.0, math.nan])
    assert [len(piece) for piece in picture.curves] == [2, 2]
    step = (RIGHT - LEFT) / 7
    found = [x for piece in picture.curves for x, _ in piece]
    assert found == pytest.approx([LEFT + step * i for i in (1, 2, 5, 6)], abs=0.06)


def test_validation_data_have_a_dashed_curve_on_the_same_scale():
    picture = Picture([4.0, 3.0, 1.0], held=[(1.0, 5.0), (2.0, 2.0)])
    training, validation = picture.curves
    assert [y for _, y in validation] == pytest.approx([TOP, BOTTOM - (BOTTOM - TOP) / 4], abs=0.06)
    assert training[-1] == (RIGHT, BOTTOM) and validation[0][0] == (LEFT + RIGHT) / 2
    assert picture.dashes == [None, "5 3"] and picture.colours == ["#0072B2", "currentColor"]
    key = ("solid: training, dashed: validation", RIGHT, 12.0)
    assert picture.labels("end")[-1] == key
    assert picture.label == "The loss over 2 steps: from 4 to 1."


@pytest.mark.parametrize("count", [200, 201, 1000, 12345])
def test_a_long_curve_keeps_its_ends_and_its_extremes(count):
    losses = np.random.default_rng(0).normal(size=count)
    losses[count // 3], losses[count // 2] = 50.0, -50.0
    (curve,) = Picture(losses.tolist()).curves
    assert len(curve) == 200 if count == 200 else 100 <= len(curve) <= 205
    heights = [y for _, y in curve]
    assert (min(heights), max(heights)) == (TOP, BOTTOM)
    assert (curve[0][0], curve[-1][0]) == (LEFT, RIGHT)
    assert curve == sorted(curve, key=lambda point: point[0])


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("width", [1e-3, 0.7, 1.0, 2.0, 3.0, 6.9, 7.0, 10.0, 99.0, 1e5, 1.4e7])
@pytest.mark.parametrize("low", [0.0, -0.35, 17.0])
def test_ticks_are_few_round_numbers_between_the_ends(low, width, whole):
    found = sparkline_svg.ticks(low, low + width, whole)
    steps = {float(f"{x:.6g}") for x in np.diff(found)}
    assert len(steps) <= 1 and all(low - 1e-9 <= x <= low + width + 1e-9 for x in found)
    for step in steps:
        assert f"{step:.6e}"[0] in "125" and step * 7 >= width * (1 - 1e-9)
        assert not whole or (step >= 1 and all(x == round(x) for x in found))
    if not whole:
        assert 2 <= len(found) <= 8
    assert found == [float(f"{x:.12g}") for x in found]


def test_ticks_are_at_most_seven_steps_apart():
    assert sparkline_svg.ticks(0.0, 7.0, False) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert sparkline_svg.ticks(0.0, 7.01, False) == [0.0, 2.0, 4.0, 6.0]


def test_labels_have_the_digits_that_tell_them_apart():
    assert sparkline_svg.digits_of([0.0]) == sparkline_svg.digits_of([0.0, 0.0]) == 4
    assert sparkline_svg.digits_of([99_999.0, 100_000.0]) == 6
    assert sparkline_svg.digits_of([-1000.5, -1000.0]) == 5
    assert sparkline_svg.digits_of([10.0, 20.0, 30.0]) == 4
    assert [sparkline_svg.power_of_ten(n) for n in (-4, -3, 3, 4)] == [
        *("10⁻⁴", "0.001", "1000", "10⁴"),
    ]


# ---- what a notebook shows of a history


def history(**options):
    given = {"losses": [1234.56789, 0.123456789], "weights": {}, "weight_steps": []}
    given |= {"steps": 1, "reason": "limit", "message": "", "learning_rate": 0.01234567}
    return tg.History(**given | options)


def test_a_history_shows_its_numbers():
    assert list(history()._settings()) == [
        ("first loss", "1234.57"),
        ("last loss", "0.123457"),
        ("learning rate", "0.0123457"),
    ]
    more = history(losses=[], learning_rate_limit=0.7654321, best_step=12345)
    assert list(more._settings()) == [
        ("learning rate", "0.0123457"),
        ("largest stable rate", "0.765432"),
        ("best step", "12,345"),
    ]
    assert repr(history()) == "History(limit after 1 step: loss 1234.57 -> 0.123457)"
    assert repr(history(losses=[2.0], steps=0)) == "History(limit after 0 steps: loss 2)"
    assert repr(history(losses=[], steps=0)) == "History(limit after 0 steps: loss -)"


def test_a_history_in_a_notebook_has_curve_evaluations_and_warnings():
    evaluations = [
        {"step": 1000, "epoch": 1, "loss": 2.0, "validation_loss": 3.0},
        {"step": 2000, "epoch": 2, "loss": 1.0},
    ]
    shown = history(evaluations=evaluations, warnings=["be careful", "the end"], message="the end")
    text = re.sub("<style>.*?</style>", "", shown._repr_html_(), flags=re.DOTALL)
    assert text.count("<svg") == 1 and "2 evaluations" in text and text.count("the end") == 1
    for word in ("be careful", "1,000", "2,000", "validation loss", "1234.57", "<polyline"):
        assert word in text
    assert "more columns" not in text
    few = history(losses=[1.0, math.inf], evaluations=[])._repr_html_()
    assert "<svg" not in few and "1 step" in few and "evaluation" not in few
