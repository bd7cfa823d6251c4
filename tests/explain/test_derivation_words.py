"""The text of derivations beside their formulas: words, tables, what is left out, which entry."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.explain.derivations.render_text import fit_numbers
from tinygrad_lr.explain.derivations.terms import terms_of
from tinygrad_lr.explain.formula.symbol import expression_of
from tinygrad_lr.explain.graphs.naming import Names

DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_a_negative_index_counts_from_the_end_and_the_length_itself_is_beyond_it():
    w = Value(X, name="w")
    loss = (w * w).sum()
    assert tg.derivation(loss, w, at=(-1, -3)).at == (1, 0)
    for at in ((2, 0), (0, 3), (-3, 0)):
        with pytest.raises(tg.errors.ArgumentError, match="at must be an entry"):
            tg.derivation(loss, w, at=at)


@pytest.mark.parametrize(
    ("start", "words", "update", "latex"),
    [
        (2.0, "is positive: L grows as w grows, so w goes down", "2 − 0.5 · 4 = 0", r"\cdot 4 = 0"),
        (-2.0, "is negative: L falls as w grows, so w goes up", "(−4) = 0", r"\left(-4\right) = 0"),
        (0.0, "is zero: L is flat here, so w stays", "0 − 0.5 · 0 = 0", r"\cdot 0 = 0"),
    ],
)
def test_the_update_goes_against_the_slope_in_words_numbers_and_latex(start, words, update, latex):
    w = Value(start, name="w")
    L = w * w
    found = tg.derivation(L, w, learning_rate=0.5)
    assert words in " ".join(found.text().split()) and update in found.text()
    assert latex in found.latex()


def test_of_many_rows_the_first_three_and_the_last_stand_in_the_table():
    w, x = Value(np.ones((1, 1)), name="w"), np.arange(10.0, 18.0)[:, None]
    text = tg.derivation((x @ w).sum(), w, at=(0, 0)).text()
    rows = re.findall(r"row (\d) +(\d+) +1 +(\d+)", text)
    assert rows == [("0", "10", "10"), ("1", "11", "11"), ("2", "12", "12"), ("7", "17", "17")]


@pytest.mark.slow
def test_of_many_steps_the_first_and_last_forty_are_shown_and_the_others_counted():
    w = Value(0.5, name="w")
    y = w
    for i in range(199):
        y = np.tanh(y)
        y.name = f"r{i}"
    found = tg.derivation(y, w)
    back = found.text()[found.text().index("Back, from") :].translate(DIGITS)
    shown = re.findall(r"^   dr198/d(\w+) = dr", back, re.M)
    assert shown == [f"r{i}" for i in (*range(196, 157, -1), *range(38, -1, -1))] + ["w"]
    assert "… 119 more steps" in back and f"… {len(found.steps) - 80} more steps" in found.text()
    assert found.latex().count(r"\vdots") == 2  # on the way to the loss, and back


def sentences(value, wrt):
    return " ".join(tg.derivation(value, wrt).text().split())


def test_how_a_result_moves_is_said_with_its_sign():
    x = Value(2.0, name="x")
    h = x * -3.0
    h.name = "h"
    assert "h changes −3 times as fast as x." in sentences(h * h, x)
    e = np.exp(x)
    e.name = "e"
    assert "e changes e times as fast as x." in sentences(e * 3.0, x)


def test_the_largest_entries_move_a_maximum_and_the_smallest_a_minimum():
    x = Value([1.0, 2.0], name="x")
    for extreme, told in ((np.max(x), "largest"), (np.min(x), "smallest")):
        extreme.name = "m"
        assert f"m depends only on the {told} entries of x" in sentences(extreme**2, x)


def test_the_rule_of_a_maximum_does_not_say_that_nan_is_no_number():
    x = Value([1.0, 2.0], name="x")
    told = sentences(np.max(x) ** 2, x)
    assert "[x = max x]" in told and "≠" not in told


def test_a_gradient_of_several_shares_is_called_their_sum():
    x = Value(2.0, name="x")
    a, b = x * 2.0, x * 3.0
    a.name, b.name = "a", "b"
    assert tg.derivation(a * b, x).steps[-1].closed.text == "their sum"


@pytest.mark.slow
def test_very_many_paths_are_counted_by_their_power_of_ten():
    w = Value(1.0, name="w")
    y = w
    for i in range(60):
        y = y + y * 0.5
        y.name = f"y{i}"
        z = y * 1.0
        z.name = f"z{i}"
        y = y + z
        y.name = f"s{i}"
    paths = tg.derivation(y, w).paths[0]
    assert paths > 10**15 and f"about 10^{int(np.log10(float(paths)))} paths" in sentences(y, w)


def test_where_there_is_no_room_a_matrix_shows_its_first_and_its_last_number():
    assert fit_numbers(np.arange(400.0).reshape(20, 20), 12) == "[0 … 399]"


def test_leaves_without_a_name_are_numbered():
    a, b = Value(2.0), Value(3.0)
    names = Names(a * b + a)
    assert [names.text(x) for x in (a, b)] == ["p₁", "p₂"]


def test_the_terms_of_an_entry_are_the_gradient_above_times_the_local_derivative():
    w = Value([2.0, 3.0, 4.0], name="w")
    z = w * X
    z.name = "z"
    terms = terms_of(tg.derivation((z * z).sum(), w).steps[-1].shares[0], (1,))
    above, local = (dict(zip(terms.factors, terms.columns, strict=True))[name]
                    for name in ("gradient above", "local"))  # fmt: skip
    np.testing.assert_array_equal(above, 2 * 3.0 * X[:, 1])
    np.testing.assert_array_equal(local, X[:, 1])


def test_only_rows_with_a_single_one_are_called_onehot():
    assert "onehot" in expression_of(np.array([[0.0, 1.0], [1.0, 0.0]])).text
    assert "onehot" not in expression_of(np.array([[1.0, 1.0], [1.0, 0.0]])).text
