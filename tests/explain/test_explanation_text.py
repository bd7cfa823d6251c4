"""The text of explanations: tables, roots, options, and sums of several ways."""

from __future__ import annotations

import re
import unicodedata
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.explain.derivations import render_markup, render_text
from tinygrad_lr.explain.formula.expression import (
    POWER,
    PRODUCT,
    SUM,
    Name,
    Number,
    product,
    quotient,
)
from tinygrad_lr.explain.formula.mathml import as_mathml
from tinygrad_lr.explain.formula.plain_text import plain_text
from tinygrad_lr.explain.influences import render
from tinygrad_lr.explain.influences.findings import gradient_trend
from tinygrad_lr.explain.influences.measure import check_influence
from tinygrad_lr.explain.influences.render import Table, share
from tinygrad_lr.explain.live.narration import options_text
from tinygrad_lr.support.text_format import number_text


def columns_of(text):
    """The columns that a text takes: marks stand above the letter before them."""
    return len([c for c in text if unicodedata.category(c) != "Mn"])


def test_a_table_has_text_to_the_left_and_numbers_to_the_right():
    rows = [("a", "1"), ("y\u0302\u0304", "-12.5"), ("longer name", "3")]
    text = Table("Title", "a note", ("name", "number"), rows, 1).text()
    title, note, empty, head, rule, *lines = text.splitlines()
    assert (title, note, empty) == ("Title", "a note", "")
    assert set(rule) == {"─"} and len(rule) == len("longer name") + 2 + len("number")
    assert [columns_of(line) for line in (head, *lines)] == [len(rule)] * 4
    for line, (name, number) in zip(lines, rows, strict=True):
        assert line.startswith(name) and line.endswith(" " + number)


def test_a_table_in_html_has_the_same_cells_on_the_same_sides():
    page = Table("<b>", "one\ntwo", ("name", "number"), [("<i>", "1"), ("b", "2")], 1).html()
    assert "<caption" in page and "&lt;b&gt;" in page and "<br>one<br>two" in page
    cells = re.findall(r'<t([hd]) style="text-align:(\w+);[^>]*>([^<]*)</t\1>', page)
    assert cells == [
        *[("h", "left", "name"), ("h", "right", "number")],
        *[("d", "left", "&lt;i&gt;"), ("d", "right", "1")],
        *[("d", "left", "b"), ("d", "right", "2")],
    ]
    assert page.count("<tr>") == page.count("</tr>") == 3


def test_cases_keep_what_belongs_together():
    cases = r"\begin{cases} %s & %s \\ %s & \text{otherwise} \end{cases}"
    for (value, text), (condition, if_text), (other, else_text) in (
        ((r"\frac{a}{b}", "a/b"), ("x > 0", "x > 0"), ("0", "0")),
        ((r"\sqrt{x}", "√x"), (r"\sqrt{x + 1} > 0", "√(x + 1) > 0"), (r"\hat{y}", "ŷ")),
        ((r"x^{2}", "x²"), (r"x_{1} \le 0", "x₁ ≤ 0"), (r"\frac{1}{2}", "1/2")),
        ((r"x^{2} y_{1} z", "x² y₁ z"), (r"\hat{y} u > 0", "ŷ u > 0"), (r"\mathsf{A} b", "A b")),
        ((r"\mathrm{a} b c", "a b c"), (r"\sqrt{x} u > 0", "√x u > 0"), (r"\text{no} b", "no b")),
    ):
        expected = f"({text} if {if_text}, else {else_text})"
        assert plain_text(cases % (value, condition, other)) == expected


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\sqrt{x}", "√x"),
        (r"\sqrt[3]{x}", "∛x"),
        (r"\sqrt[5]{x}", "5√x"),
        (r"\sqrt[12]{x + 1}", "12√(x + 1)"),
        (r"\sqrt{x + 1}", "√(x + 1)"),
    ],
)
def test_roots_are_written_with_their_degree(latex, text):
    assert plain_text(latex) == text


def test_options_are_told_where_they_are_not_the_default():
    defaults = {"alpha": 0.1, "axes": (0, 1), "flag": True, "eps": None}
    operation = SimpleNamespace(defaults=defaults, shown_options=[])
    same = {"alpha": float("0.1"), "axes": tuple(range(2)), "flag": True, "eps": None}
    assert options_text(operation, same) == ""
    assert options_text(operation, {**same, "alpha": 0.2}) == " (alpha=0.2)"
    assert options_text(operation, {**same, "axes": (0,), "flag": 1}) == " (axes=(0,), flag=1)"
    assert options_text(operation, {**same, "index": 3, "shape": (2,)}) == ""


@pytest.mark.parametrize("weight", [True, 1.0, "0", None, -1, 2])
def test_a_weight_of_an_influence_is_one_of_its_numbers(weight):
    model = tg.nn.MLP(2, [3], 1, dtype=np.float64, generator=0)
    found = tg.influence(model, tg.losses.mse(model(np.ones((2, 2))), np.ones((2, 1))))
    count = len(found.weights)
    for good in (0, count - 1, np.int64(0)):
        assert check_influence("plot", found, good) is found
    given = count if weight == 2 else weight
    with pytest.raises(tg.errors.ArgumentError, match="weight must be an integer from 0 to"):
        check_influence("plot", found, given)


def test_several_ways_are_told_one_by_one_and_then_as_their_sum():
    w = Value(2.0, name="w")
    two = tg.derivation(np.sin(w) + np.exp(w * 3.0), w)
    assert two.html().count("their&#x000A0;sum") == 1
    assert two.html().count("<p>through ") == 2
    one = tg.derivation(np.sin(w), w)
    assert "their&#x000A0;sum" not in one.html() and "through" not in one.html()


@pytest.mark.parametrize(
    ("norms", "trend"),
    [
        ([], ""),
        ([1.0], ""),
        ([0.0011, 5.0, 1.0], "stays"),
        ([0.0009, 1e-9, 1.0], "vanishes"),
        ([999.0, 1e9, 1.0], "stays"),
        ([1001.0, 1.0, 1.0], "explodes"),
        ([0.0, 1.0, 1.0], "is zero"),
        ([1.0, 1.0, 0.0], "is zero"),
        ([1.0, 0.0, 1.0], "stays"),
        ([1.0, np.nan, 1.0], "is not finite"),
        ([1.0, 1.0, np.inf], "is not finite"),
    ],
)
def test_the_trend_of_a_gradient_compares_the_first_layer_with_the_last(norms, trend):
    layers = [SimpleNamespace(delta_norm=norm) for norm in norms]
    assert gradient_trend(SimpleNamespace(layers=layers)) == trend


def test_a_product_binds_as_its_outermost_sign():
    u, v = Name("u"), Name("v")
    twice, square, minus = product(Number(2.0), u), product(u, u), product(Number(-1.0), u)
    assert [x.binding for x in (product(u, v), twice, quotient(u, v))] == [PRODUCT] * 3
    assert [x.binding for x in (quotient(square, v), product(Number(2.0), square))] == [PRODUCT] * 2
    assert (square.binding, minus.binding) == (POWER, SUM)
    assert [x.within(POWER) for x in (twice, square)] == [r"\left(2u\right)", "u^{2}"]
    assert quotient(u, Number(1.0)).latex == "u" and quotient(u, Number(-1.0)).latex == minus.latex


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (3.0, "is positive: L grows as {w} grows, so {w} goes down."),
        (-3.0, "is negative: L falls as {w} grows, so {w} goes up."),
        (0.0, "is zero: L is flat here, so {w} stays."),
    ],
)
def test_the_update_says_which_way_a_number_or_an_entry_moves(factor, said):
    w, v = Value(2.0, name="w"), Value(np.ones((2, 2)), name="w")
    one = tg.derivation((w * factor) * 1.0, w).text()
    entry = tg.derivation((v * factor).sum(), v, at=(1, 0)).text()
    assert "dL/dw " + said.format(w="w") in one
    assert "dL/dw[1, 0] " + said.format(w="w[1, 0]") in entry


# ---- what is too long to be shown


def test_long_derivations_show_their_ends(monkeypatch):
    for module in (render_text, render_markup):
        monkeypatch.setattr(module, "MAX_STEPS", 6)
    monkeypatch.setattr(render_text, "MAX_NAMES", 3)
    weights = [Value(1.0 + i / 10, name=f"w{i}") for i in range(8)]
    v = Value(0.3, requires_grad=False)
    for w in weights:
        v = np.sin(v * w)
    found = tg.derivation(v, wrt=weights)
    count, text = len(found.steps), found.text()
    assert text.startswith("How v depends on w₀, w₁ and 6 more\n")
    forward, back, update = re.split(r"\n\nBack, .*\n\n|\n\nThe update.*\n", text)
    forward = forward.split("to v\n")[1].splitlines()
    names = [line.split("=")[0].strip() for line in forward]
    assert names[:3] == ["w₀", "w₁", "w₂"] and names[-1] == "v" and len(names) == 7
    assert names[3] == f"… {count - 6} more steps, in .forward …"
    assert f"\n   … {count - 7} more steps, in .steps …\n" in back
    assert "\n   … 2 more …\n" in update and update.count("learning rate · ") == 6
    html = found.html()
    assert f"<p>… {count - 6} more steps, in .forward …</p>" in html
    assert f"<li>… {count - 7} more steps, in .steps …</li>" in html
    assert "<p>… 2 more …</p>" in html and html.count("<li>") == 7
    assert found.latex().count(r"\vdots") == 3


def test_long_influences_show_their_ends(monkeypatch):
    monkeypatch.setattr(render, "MAX_LAYERS", 4)
    monkeypatch.setattr(render, "MAX_UNITS_IN_PATH", 8)
    model = tg.nn.MLP(2, [5] * 8, 1, "tanh", dtype=np.float64, generator=0)
    found = tg.influence(model, tg.losses.mse(model(np.ones((3, 2))), np.ones((3, 1))))
    gradients, recursion, chain, _, paths, units, *_ = render.tables(found, detail=True)
    weight, left_out = found.weights[0], "5 layers in the middle are left out"
    assert gradients.note == left_out and chain.note.startswith(f"{left_out}; Jacobians J at rows ")
    names = [layer.name for layer in found.layers]
    assert [row[0] for row in gradients.rows if row[0]] == names[:2] + names[-2:]
    assert len(chain.rows) == len(recursion.rows) == 4 and recursion.note.endswith(left_out)
    labels = weight.paths[0].labels
    way = [weight.name, *labels[:4], "…", *labels[-4:], "L"]
    assert len(labels) == 9 and paths.rows[0][0] == " → ".join(way)
    assert paths.note.startswith("Too many") and len(paths.rows) == 5
    assert units.note == "Sums over all paths, in the last 4 layers"
    for part, (name, cells) in zip(weight.through[-4:], units.rows, strict=True):
        order = np.argsort(-np.abs(part.contributions))
        told = [f"{part.units[i]} {share(part.contributions[i], weight)}" for i in order[:4]]
        if len(order) > 4:
            told += [f"1 more {share(part.contributions[order[4]], weight)}"]
        assert (name, cells) == (part.layer, ", ".join(told))


def test_a_single_layer_may_be_left_out(monkeypatch):
    model = tg.nn.MLP(2, [3] * 4, 1, "tanh", dtype=np.float64, generator=0)
    found = tg.influence(model, tg.losses.mse(model(np.ones((3, 2))), np.ones((3, 1))))
    for room, note in ((4, "1 layer in the middle is left out"), (6, "")):
        monkeypatch.setattr(render, "MAX_LAYERS", room)
        assert len(found.layers) == 5 and next(iter(render.tables(found))).note == note


def test_each_name_in_a_formula_becomes_its_own_text():
    pytest.importorskip("latex2mathml")
    words = {rf"\mathrm{{{letter}}}": f"<{letter}>" for letter in "abc"}
    shown = as_mathml(" + ".join(words), words)
    assert re.findall("<mi>(.*?)</mi>", shown) == ["&lt;a&gt;", "&lt;b&gt;", "&lt;c&gt;"]


def test_the_paths_and_parameters_that_are_not_shown_are_added_up(monkeypatch):
    monkeypatch.setattr(render, "MAX_PARAMETERS", 2)
    rng = np.random.default_rng(0)

    class Shared(tg.nn.Module):
        def __init__(self):
            self.w, *self.others = (Value(x) for x in rng.normal(size=(5, 3, 3)))

        def forward(self, x):
            return np.tanh(np.tanh(x @ self.w) @ self.w + sum(x @ y for y in self.others))

    model = Shared()
    loss = (model(np.ones((2, 3))) ** 2).mean()
    found = tg.influence(model, loss)
    loss.backward()
    first, _, rest, again = next(render.tables(found)).rows
    parts = [y.grad for y in model.others[1:]]
    assert rest[1] == "… 3 more" and again[3] == "as above" and again[1] == first[1]
    assert rest[3] == number_text(np.sqrt(sum(np.sum(g * g) for g in parts)))
    assert abs(float(rest[4].replace("−", "-"))) == pytest.approx(np.max(np.abs(parts)), rel=1e-3)
    net = tg.nn.MLP(2, [2, 3, 3], 1, "tanh", dtype=np.float64, generator=0)
    found = tg.influence(net, tg.losses.mse(net(np.ones((3, 2))), np.ones((3, 1))))
    table, weight = list(render.tables(found))[3], found.weights[0]
    more = sum(path.contribution for path in weight.paths[4:])
    assert table.note == "" and table.rows[-2] == ("5 more", number_text(more), share(more, weight))
    assert table.rows[-1][1:] == (number_text(weight.gradient), "100 %")


@pytest.mark.parametrize(
    ("data", "width", "text"),
    [
        (np.arange(4.0), 12, "[0, 1, 2, 3]"),
        (np.arange(9.0), 12, "[0, 1, … 8]"),
        (np.arange(99.0).reshape(9, 11), 12, "[0 … 98]"),
        (np.arange(99.0).reshape(99, 1), 12, "[0, 1, … 98]"),
        (np.zeros((0, 3)), 1, "empty"),
        (np.array([1 / 3, 2 / 3]), 16, "[0.3333, 0.6667]"),
        (np.array([1 / 3, 2 / 3]), 15, "[0.333, 0.667]"),
        (np.array([1 / 3, 2 / 3]), 12, "[0.33, 0.67]"),
    ],
)
def test_numbers_are_written_in_as_many_digits_as_fit(data, width, text):
    assert render_text.fit_numbers(data, width) == text
