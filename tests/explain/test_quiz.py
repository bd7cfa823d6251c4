"""Quizzes: what is left out is not shown, and answers are judged by the derivation's numbers."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value

X, Y = np.arange(8.0).reshape(4, 2) / 4, np.ones((4, 1))


def network():
    model = tg.nn.MLP(2, [3], 1, "tanh", dtype=np.float64, generator=0)
    return tg.derivation(tg.losses.mse(model(X), Y), model, learning_rate=0.5)


def everything():
    """A quiz of all derivatives of a network, and its gaps by name."""
    quiz = tg.quiz(network(), gaps=99)
    return quiz, {gap.name: gap.number for gap in quiz.gaps}


FORMULAS = {
    "dL/du": "2 * u / N",
    "dL/dŷ": "2u/N",
    "dL/dW₂": "h1.T @ (2 * u / N)",
    "dL/db₂": "sum(2 * u / N)",
    "dL/dh₁": "(2 * u / N) @ W₂.T",
    "dL/dz₁": "(2 * u / N) @ W2.T * (1 - h1^2)",
    "dL/dW₁": "X.T @ ((2 * u / N) @ W2.T * (1 - tanh(z1)**2))",
    "dL/db₁": "sum((2 * u / N) @ W2.T * (1 - h1**2), axis=0)",
}


@pytest.mark.parametrize("name", [name for name in FORMULAS if name != "dL/dŷ"])
def test_a_formula_is_right_if_its_numbers_are(name):
    quiz, number = everything()
    found = quiz.check(number[name], FORMULAS[name])
    assert found and repr(found) == f"Right: {name}."


def test_numbers_are_right_as_they_are_and_as_they_are_printed():
    quiz, number = everything()
    step = next(s for s in network().steps if s.derivative.text == "dL/dW₁")
    assert quiz.check(number["dL/dW₁"], step.gradient)
    assert quiz.check(number["dL/dW₁"], np.round(step.gradient, 4).tolist())
    assert quiz.check(number["dL/db₂"], -1.354)


def test_a_wrong_answer_is_told_what_is_wrong_but_not_the_numbers():
    quiz, number = everything()
    gap = number["dL/du"]
    assert repr(quiz.check(gap, "-2 * u / N")) == "Not yet: the size is right, the sign is not."
    assert repr(quiz.check(gap, "2 * u")) == "Not yet: it is 4 times what it should be."
    assert repr(quiz.check(gap, "sum(u)")) == "Not yet: dL/du is 4 × 1, got a number."
    near = np.array(next(s for s in network().steps if s.derivative.text == "dL/du").gradient)
    near[1] += 0.5
    assert repr(quiz.check(gap, near)) == "Not yet: 1 of 4 numbers are wrong."
    assert repr(quiz.check(gap, "u * u")) == "Not yet: that isn't dL/du."


def test_what_is_asked_for_is_not_shown_and_cannot_be_typed():
    derivation = network()
    quiz = tg.quiz(derivation, gaps=3, seed=1)
    full, text = derivation.text(), quiz.text()
    for gap in quiz.gaps:
        assert f"?{gap.number}".translate(str.maketrans("123", "₁₂₃")) in text
        shown = next(s for s in derivation.steps if s.derivative.text == gap.name).gradient
        first = tg.explain.derivations.render_text.number_text(float(np.ravel(shown)[0]))
        assert f"{gap.name} = " in full and first in full
        assert f"({gap.number}) {gap.name}" in text
        with pytest.raises(tg.errors.ArgumentError, match="formula in the names shown"):
            quiz.check(gap.number, gap.name)
        assert gap.formula in quiz.solution(gap.number)
    assert len(quiz.gaps) == 3 and text != tg.quiz(derivation, gaps=3, seed=2).text()


def test_the_answer_does_not_stand_in_the_update():
    w = Value(0.5, name="w")
    loss = np.mean((w * np.array([1.0, 2.0]) - 3.0) ** 2)
    quiz = tg.quiz(tg.derivation(loss, wrt=w, learning_rate=0.5), gaps=9)
    (number,) = [gap.number for gap in quiz.gaps if gap.name == "dL/dw"]
    assert "−6" not in quiz.text() and quiz.check(number, -6.5)
    pytest.importorskip("latex2mathml", reason="the extra `explain` is not installed")
    assert "-6.5" not in quiz._repr_html_() and "?" in quiz._repr_html_()


@pytest.mark.parametrize(
    "answer", ["__import__('os')", "x.__class__", "u[0]", "open('a')", "2 +", "9**9**9", "[u]", "é"]
)
def test_only_formulas_are_computed(answer):
    quiz, number = everything()
    with pytest.raises(tg.errors.ArgumentError, match="answer must be a formula"):
        quiz.check(number["dL/du"], answer)


def test_wrong_arguments_are_refused_in_a_sentence():
    derivation = network()
    with pytest.raises(tg.errors.ArgumentError, match=r"derivation must be a result of tg\.deriv"):
        tg.quiz(3.0)
    with pytest.raises(tg.errors.ArgumentError, match="gaps must be an integer >= 1, got 0"):
        tg.quiz(derivation, gaps=0)
    quiz = tg.quiz(derivation, gaps=2)
    with pytest.raises(tg.errors.ArgumentError, match="from 1 to 2, got 3"):
        quiz.check(3, 1.0)
    with pytest.raises(tg.errors.ArgumentError, match="answer must be numbers or a formula"):
        quiz.check(1, None)


def test_a_notebook_without_the_extra_gets_a_sentence_and_the_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    derivation = network()
    for shown in (derivation, tg.quiz(derivation, gaps=1)):
        page = shown._repr_html_()
        assert page.startswith("<p>") and "pip install" in page and "latex2mathml" in page
        assert "dL/dW₁" in page and "<pre>" in page
    with pytest.raises(tg.errors.MissingExtraError):
        derivation.html()
