"""Displays of notebooks: true numbers, escaped names, bounded size, the colours of the page."""

from __future__ import annotations

import html
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import TraceError
from tinygrad_lr.support import html as markup
from tinygrad_lr.support.text_format import number_text
from tinygrad_lr.train import History
from tinygrad_lr.train.sparkline_svg import HEIGHT, MAX_POINTS, MODEL, WIDTH, draw_loss_curves

ATTACK = "<img src=x onerror=alert(1)>\"onmouseover='x'{{7*7}}</title>\n\u202e"
KB = 1000


def history(losses, **more):
    return History(losses, {}, [], len(losses) - 1, "limit", "stopped at the limit", 0.1, **more)


def line(names=("SAT", "GPA")):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2))
    return tg.linear.closed_form(x, x @ [2.0, -1.0] + 0.5 + 0.1 * rng.normal(size=20), names=names)


def compiled():
    @tg.compile
    def double(x):
        return x * 2.0

    double(np.arange(3.0))
    return double


def network():
    return tg.nn.MLP(2, [3], 1, generator=0)


def named(x):
    x.name = ATTACK
    return x


def evaluated(name="validation_loss"):
    rows = [{"step": i, "epoch": i, "loss": 1.0 / i, name: 2.0 / i} for i in range(1, 30)]
    return history([1.0, 0.5, 0.1, 1e-4], evaluations=rows, warnings=["gradients vanish"])


DISPLAYS = {
    "number": lambda: Value(2.0, name="w"),
    "array": lambda: Value(np.arange(6.0).reshape(2, 3)),
    "result": lambda: Value([1.0, 2.0], name="w") * Value(3.0, name="x"),
    "deep array": lambda: Value(np.ones((2, 3, 4, 5))),
    "empty": lambda: Value(np.ones((0, 3))),
    "module": network,
    "layer": lambda: tg.nn.Linear(1, 1),
    "layer without parameters": lambda: tg.nn.Dropout(0.5),
    "summary": lambda: tg.nn.summary(network(), (4, 2)),
    "history": evaluated,
    "history of nothing": lambda: history([]),
    "line": line,
    "compiled": compiled,
    "not yet compiled": lambda: tg.compile(lambda x: x),
    "optimiser": lambda: tg.optim.Adam(network().parameters(), 0.1),
    "groups": lambda: tg.optim.SGD([{"parameters": [Value(1.0)], "learning_rate": 1e-3}], 0.1),
    "scheduled": lambda: tg.optim.SGD([Value(1.0)], lambda step: 0.1),
}

each_display = pytest.mark.parametrize("make", DISPLAYS.values(), ids=list(DISPLAYS))


def parsed(shown):
    """The elements of a display, which must be well formed."""
    return ET.fromstring(shown)


def text_of(shown):
    return " ".join(" ".join(parsed(shown).itertext()).split())


def cells(shown, head="data"):
    """The rows of the table under a caption, as texts."""
    for table in parsed(shown).iter("table"):
        caption = table.find("caption")
        if caption is not None and caption.text.startswith(head):
            body = table.find("tbody")
            return [[x.text or "" for x in row][1:] for row in body]
    raise AssertionError(head)


# ---- every display


@each_display
def test_a_display_is_well_formed(make):
    assert text_of(make()._repr_html_())


@each_display
def test_a_display_has_no_script_id_class_or_resource(make):
    for x in parsed(make()._repr_html_()).iter():
        assert x.tag.rpartition("}")[2] not in {"script", "style", "link", "img", "iframe"}
        assert not {"id", "class", "href", "src"} & set(x.attrib)
        assert not [k for k in x.attrib if k.startswith("on")]
        assert "url(" not in x.attrib.get("style", "")


@each_display
def test_a_display_takes_the_colours_of_its_page(make):
    shown = make()._repr_html_()
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", shown)) <= {MODEL}
    styles = [x.attrib.get("style", "") for x in parsed(shown).iter()]
    grounds = [x for style in styles for x in re.findall(r"background[-a-z]*: ?([^;]+)", style)]
    assert set(grounds) <= {"none"}


@each_display
def test_a_display_is_the_same_each_time(make):
    assert make()._repr_html_() == make()._repr_html_()


@each_display
def test_a_display_alters_nothing(make):
    shown = make()
    before = repr(shown), vars(shown).copy() if hasattr(shown, "__dict__") else None
    shown._repr_html_()
    assert (repr(shown), vars(shown) if hasattr(shown, "__dict__") else None) == before


@each_display
def test_a_display_is_small(make):
    assert len(make()._repr_html_()) < 40 * KB


@pytest.mark.parametrize(
    "make",
    [
        lambda: named(Value(1.0)),
        lambda: named(Value(1.0)) * 2.0,
        lambda: line([ATTACK, "GPA"]),
        lambda: evaluated(ATTACK),
        lambda: history([1.0, 0.5], warnings=[ATTACK]),
        lambda: History([1.0], {}, [], 0, "limit", ATTACK, 0.1),
        lambda: type(ATTACK, (tg.nn.Module,), {"forward": lambda self, x: x})(),
    ],
    ids=["name", "operand", "column", "metric", "warning", "message", "class"],
)
def test_what_users_name_is_escaped(make):
    shown = make()._repr_html_()
    assert "<img" not in shown and "</title>" not in shown and "\u202e" not in shown
    assert "<img src=x onerror=alert(1)>" in text_of(shown)


def test_a_key_of_a_model_is_escaped():
    model = network()
    model.parts = {ATTACK: tg.nn.Linear(1, 1)}
    for shown in (model._repr_html_(), tg.nn.summary(model, (4, 2))._repr_html_()):
        assert "<img" not in shown
        parsed(shown)


# ---- in a notebook that isn't trusted

DROPPED = {"style", "script"}  # with their text; of other elements the text is kept
KEPT = {
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "p", "div", "span", "pre"),
    *("b", "strong", "ul", "ol", "li", "details", "summary", "code", "section", "h3", "h4", "br"),
}


class Sanitized(HTMLParser):
    """Return what a notebook keeps of a display that it doesn't trust: text without attributes."""

    def __init__(self, shown):
        super().__init__()
        self.inside, self.html, self.text = [], "", ""
        self.feed(shown)

    def handle_starttag(self, tag, attributes):
        self.inside += [tag] if tag in DROPPED else []
        self.html += f"<{tag}>" if tag in KEPT else ""

    def handle_endtag(self, tag):
        self.inside = self.inside[:-1] if tag in DROPPED else self.inside
        self.html += f"</{tag}>" if tag in KEPT else ""
        self.text += "\n" if tag in KEPT else ""

    def handle_data(self, data):
        if not self.inside:
            self.html += html.escape(data)
            self.text += data


@each_display
def test_an_untrusted_notebook_still_shows_a_table_or_text(make):
    shown = make()
    left = Sanitized(shown._repr_html_())
    assert left.text.strip() and "{" not in left.text
    for table in parsed(shown._repr_html_()).iter("table"):
        for cell in table.iter("td"):
            assert f"<td>{html.escape(''.join(cell.itertext()))}</td>" in left.html


def slope_of_a_line():
    x, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.5, 2.0, 5.5])
    w = Value(0.5, name="w")
    return tg.derivation(np.mean((w * x - y) ** 2), wrt=w, learning_rate=0.1)


def test_formulas_without_their_tags_read_as_on_one_line():
    pytest.importorskip("latex2mathml", reason="the extra `explain` is not installed")
    shown = slope_of_a_line()
    for found in (shown, tg.quiz(shown, gaps=1)):
        lines = Sanitized(found._repr_html_()).text.splitlines()
        assert {"y^ = w·x = [0, 0.5, 1, 1.5] (4)", "L = 1/N∑u^2 = 5.5"} <= set(lines)
    left = Sanitized(shown._repr_html_()).text.splitlines()
    assert "(dL)/(du) = (2u)/N = [−0.5, −1, −0.5, −2] (4)" in left


def test_each_formula_of_a_layer_reads_without_its_tags_as_in_the_text():
    pytest.importorskip("latex2mathml", reason="the extra `explain` is not installed")
    model, x = network(), np.random.default_rng(0).normal(size=(4, 2))
    shown = tg.derivation(tg.losses.mse(model(x), np.ones((4, 1))), wrt=model)
    left = Sanitized(shown._repr_html_()).text
    assert "z_1 = x W_1+b_1 = [" in left and "(dL)/(dW_2) = (dL)/(dy^)·" in left
    assert "{1, z_1>0; 0, otherwise\n" in left


@pytest.mark.slow
def test_a_graph_and_a_report_say_in_text_what_they_show():
    x = np.arange(6.0)[:, None]
    line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    run = tg.fit(line, x, x[:, 0], learning_rate=0.01, steps=3)
    picture = tg.plot.computation_graph(tg.losses.mse(line(x), x), model=line)
    left = Sanitized(picture._repr_html_())
    assert f"<pre>{html.escape(picture.tree(100))}</pre>" in left.html
    page = pytest.importorskip("latex2mathml") and tg.report(run, line, x, x[:, 0])
    assert ".save(path)\n writes this page" in Sanitized(page._repr_html_()).text


# ---- Values


@quick
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.integers(1, 8))
def test_the_numbers_in_a_table_are_the_numbers(row, rows):
    value = Value([row] * rows)
    (value * value).sum().backward()
    for head, numbers in [("data", value.data), ("gradient", value.grad)]:
        shown = cells(value._repr_html_(), head)
        assert shown == [[number_text(x) for x in line] for line in numbers.tolist()]


def test_a_number_and_its_gradient_are_shown():
    w = Value(2.0, name="w")
    (w * 3.0).backward()
    assert text_of(w._repr_html_()) == "w · Value · float64 · a leaf data 2 gradient 3"


def test_a_value_says_how_it_was_made():
    w, x = Value([1.0, 2.0], name="w"), Value(3.0, name="x")
    assert "2 · float64 · multiply of w and x" in text_of((w * x)._repr_html_())
    assert "a leaf, no gradient yet" in text_of(w._repr_html_())
    assert "requires no gradient" in text_of(w.detach()._repr_html_())


def test_a_large_array_is_elided_and_its_range_is_of_all_entries():
    shown = Value(np.arange(1e6).reshape(1000, 1000))._repr_html_()
    rows = cells(shown)
    assert len(rows) == markup.MAX_ROWS and len(rows[0]) == markup.MAX_COLUMNS
    assert rows[0] == ["0", "1", "2", "3", "4", "5", "…", "999"]
    assert rows[-1][-1] == "1e+06" and rows[-2] == ["…"] * 8
    assert "from 0 to 1e+06" in text_of(shown)
    assert len(shown) < 20 * KB


def test_numbers_that_are_not_finite_are_counted():
    data = np.ones((20, 20))
    data[3, 4], data[5, 6] = np.nan, np.inf
    assert "all 1; 2 of 400 are not finite" in text_of(Value(data)._repr_html_())


def test_of_many_axes_the_first_matrix_is_shown():
    data = np.arange(24.0).reshape(2, 3, 4)
    shown = Value(data)._repr_html_()
    assert "data, entry [0]" in text_of(shown)
    assert cells(shown) == [[f"{x:g}" for x in row] for row in data[0]]


def test_a_display_does_not_hand_out_the_array():
    value = Value(np.ones(3))
    value._repr_html_()
    assert not value._data_shared


def test_a_value_in_a_compiled_function_is_refused_as_its_text_is():
    for show in (repr, Value._repr_html_):
        with pytest.raises(TraceError, match="unknown while tracing"):
            tg.compile(lambda x, show=show: show(Value(x)))(np.ones(3))


# ---- models


def test_a_module_shows_its_layers_without_an_input():
    table = next(parsed(network()._repr_html_()).iter("table"))
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
    assert rows == [
        ["layer", "kind", "parameters", "count"],
        ["layers.0", "Linear", "weight 2 × 3, bias 3", "9"],
        ["layers.1", "ReLU", "", "0"],
        ["layers.2", "Linear", "weight 3 × 1, bias 1", "4"],
        ["all", "", "", "13"],
    ]


def test_a_shared_layer_counts_once_and_a_frozen_one_is_told():
    layer = tg.nn.Linear(2, 2)
    layer.bias.requires_grad = False
    shown = text_of(tg.nn.Sequential(layer, layer)._repr_html_())
    assert "6 parameters · 2 frozen" in shown


def test_a_model_of_ten_thousand_layers_is_shown_small():
    model = tg.nn.Sequential(*(tg.nn.ReLU() for _ in range(10_000)))
    shown = model._repr_html_()
    assert len(shown) < 20 * KB and "more" in shown and "9999" in shown


def test_a_summary_shows_the_same_rows_as_its_text():
    summary = tg.nn.summary(network(), (4, 2))
    shown = text_of(summary._repr_html_())
    for row in summary.rows:
        assert f"{row.name} {row.kind} {row.output} {row.parameters}" in shown


def test_an_optimiser_shows_its_settings():
    optimizer = tg.optim.SGD(network().parameters(), 0.25, momentum=0.9)
    assert "0 0.25 0.9" in text_of(optimizer._repr_html_())


# ---- histories


def polylines(shown):
    for x in parsed(shown).iter():
        if x.tag.endswith("polyline"):
            yield [tuple(map(float, pair.split(","))) for pair in x.attrib["points"].split()]


def test_a_history_shows_why_it_ended_and_its_figures():
    shown = text_of(evaluated()._repr_html_())
    assert "stopped at the limit" in shown and "gradients vanish" in shown
    assert "first loss 1 last loss 0.0001 learning rate 0.1" in shown
    assert "29 29 0.03448 0.06897" in shown


def test_the_curve_has_the_losses_at_their_steps():
    losses = [4.0, 3.0, 2.0, 1.0]
    (points,) = polylines(history(losses)._repr_html_())
    x, y = np.array(points).T
    assert np.allclose(np.diff(x), np.diff(x)[0], atol=0.11)
    assert np.allclose(np.diff(y), np.diff(y)[0], atol=0.11) and y[0] < y[-1]  # SVG's y goes down


def test_a_loss_that_falls_through_decades_is_drawn_in_powers_of_ten():
    (points,) = polylines(history([10.0**-k for k in range(7)])._repr_html_())
    assert np.allclose(np.diff(points, 2, axis=0), 0, atol=0.21)
    assert "powers of ten" in history([1.0, 1e-7])._repr_html_()


extreme = st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0, 1e-308])


@quick
@given(st.lists(extreme | st.floats(-1e3, 1e3), min_size=2, max_size=12))
def test_a_curve_of_any_numbers_stays_in_its_picture(losses):
    shown = history(losses)._repr_html_()
    assert "nan" not in shown.partition("<svg")[2].partition("</svg>")[0].partition(">")[2]
    for points in polylines(shown):
        for x, y in points:
            assert 0 <= x <= WIDTH and 0 <= y <= HEIGHT


def test_a_long_curve_keeps_its_ends_its_highest_and_its_lowest():
    rng = np.random.default_rng(0)
    losses = rng.uniform(1, 2, 100_000)
    losses[77], losses[50_000] = 9.0, -9.0
    shown = draw_loss_curves(list(enumerate(losses.tolist())), [])
    (points,) = polylines(shown)
    assert len(points) <= MAX_POINTS + 2
    (whole,) = polylines(draw_loss_curves([(0.0, 9.0), (100.0, -9.0)], []))
    assert {y for _, y in points} >= {y for _, y in whole}
    assert len(shown) < 10 * KB


def test_ten_thousand_metrics_are_shown_small():
    row = {"step": 1.0, **{f"m{i}": 1.0 for i in range(10_000)}}
    shown = history([1.0, 0.5], evaluations=[row] * 500)._repr_html_()
    assert len(shown) < 40 * KB and "9,993 more columns" in shown


def test_the_picture_says_its_finding():
    (svg,) = [x for x in parsed(evaluated()._repr_html_()).iter() if x.tag.endswith("svg")]
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-label"] == "The loss over 3 steps: from 1 to 0.0001."


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_the_curve_has_the_contrast_of_wcag_for_pictures(page):
    low, high = sorted([luminance(MODEL), luminance(page)])
    assert (high + 0.05) / (low + 0.05) >= 3


# ---- lines and compiled functions


def test_a_line_shows_its_coefficients_and_errors():
    fit = line()
    shown = text_of(fit._repr_html_())
    for name, slope, error in zip(fit.names, fit.slope, fit.slope_error, strict=True):
        assert f"{name} {number_text(slope, 6)} ± {number_text(error, 2)}" in shown
    assert f"R² {number_text(fit.r_squared)}" in shown


def test_a_line_through_every_point_has_no_errors():
    assert "slope" not in text_of(tg.linear.closed_form([0, 1], [1, 3])._repr_html_())
    assert "x 2 - intercept 1 -" in text_of(tg.linear.closed_form([0, 1], [1, 3])._repr_html_())


def test_a_compiled_function_shows_its_signature_and_its_source():
    function = compiled()
    shown = function._repr_html_()
    assert "x float64 3" in text_of(shown)
    (source,) = parsed(shown).iter("pre")
    assert source.text == function.source
    assert next(parsed(shown).iter("details")).find("summary") is not None


def test_a_long_source_is_cut():
    text = "\n".join(f"x{i} = 1 < 2" for i in range(5000))
    assert len(markup.code(text)) < 20 * KB and "4,600 more lines" in markup.code(text)


# ---- what it costs


@pytest.mark.slow
def test_importing_the_package_does_not_import_the_displays():
    late = "[x for x in sys.modules if x == 'tinygrad_lr.support.html' or 'explain' in x]"
    code = f"import sys, tinygrad_lr; print({late})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == "[]"


def test_attributes_and_sources_are_escaped():
    told = str(markup.element("td", markup.code("<b>&"), title='"><script>'))
    assert "<b>" not in told and "<script>" not in told and '"&quot;&gt;' in told
