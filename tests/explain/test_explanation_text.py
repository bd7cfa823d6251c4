"""The text of explanations: tables, roots, options, and sums of several ways."""

from __future__ import annotations

import re
import unicodedata
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.explain.formula.expression import (
    POWER,
    PRODUCT,
    SUM,
    Name,
    Number,
    product,
    quotient,
)
from tinygrad_lr.explain.formula.plain_text import plain_text
from tinygrad_lr.explain.influences.findings import gradient_trend
from tinygrad_lr.explain.influences.measure import check_influence
from tinygrad_lr.explain.influences.render import Table
from tinygrad_lr.explain.live.narration import options_text


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
    operation = SimpleNamespace(defaults={"alpha": 0.1, "axes": (0, 1), "flag": True, "eps": None})
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
    layers = [SimpleNamespace(cotangent_norm=norm) for norm in norms]
    assert gradient_trend(SimpleNamespace(layers=layers)) == trend


def test_a_product_binds_as_its_outermost_sign():
    u, v = Name("u"), Name("v")
    twice, square, minus = product(Number(2.0), u), product(u, u), product(Number(-1.0), u)
    assert [x.binding for x in (product(u, v), twice, quotient(u, v))] == [PRODUCT] * 3
    assert [x.binding for x in (quotient(square, v), product(Number(2.0), square))] == [PRODUCT] * 2
    assert (square.binding, minus.binding) == (POWER, SUM)
    assert [x.within(POWER) for x in (twice, square)] == [r"\left(2u\right)", "u^{2}"]


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
