"""A derivation with gaps, which checks what a learner types against its own numbers: `quiz`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ...support.abstract_array import Array
from ...support.errstate import ignore_float_errors
from ...support.text_format import number_text, shape_text
from ...support.validation import check_instance, check_integer, float_array, short_repr
from ..formula.expression import Name
from .build import Derivation
from .render_markup import derivation_html, html_or_text
from .render_text import derivation_text, fit_numbers
from .steps import Share, Step

TOLERANCE = 5e-3  # of the largest number: what one copies from four digits is right
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "exp": np.exp, "ln": np.log, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "sin": np.sin,
    "cos": np.cos, "abs": np.abs, "sign": np.sign, "sum": np.sum, "mean": np.mean,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0),
}  # fmt: skip
OPERATORS: Mapping[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow, ast.MatMult: operator.matmul,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Gap:
    """A gap: its number from 1, the name of what is asked, and the shape of its numbers."""

    number: int
    name: str
    shape: tuple[int, ...]
    formula: str
    numbers: Array

    @property
    def question(self) -> str:
        """What is asked for, in a line."""
        of = f", {shape_text(self.shape)} numbers" if self.shape else ""
        return f"({self.number}) {self.name}{of}: a formula or numbers"


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and a sentence about it; it is true if the answer is right."""

    right: bool
    text: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.text


class Quiz:
    """The result of `quiz`: print it, answer with `check`, and look with `solution`."""

    def __init__(self, shown: Derivation, gaps: tuple[Gap, ...], names: Mapping[str, Any]) -> None:
        self._shown = shown
        self._names = names
        self.gaps = gaps

    def text(self, width: int = 80) -> str:
        """Return the derivation with its gaps, and what is asked for in each."""
        body = derivation_text(self._shown, check_integer("text", "width", width, low=1))
        asked = "\n".join(f"   {gap.question}" for gap in self.gaps)
        return f"{body}\nThe gaps\n{asked}\n"

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        asked = "".join(f"<li>{escape(gap.question)}</li>" for gap in self.gaps)
        gaps = f"<h4>The gaps</h4><ul>{asked}</ul>"
        return html_or_text(lambda: derivation_html(self._shown) + gaps, self.text)

    @ignore_float_errors
    def check(self, number: int, answer: Any) -> Verdict:
        """Compare an answer with the numbers of a gap.

        - `number`: that of the gap, from 1
        - `answer`: a number, an array, or a formula in the names of the derivation as text:
          "2 * u / N", "dL/dz @ W2.T", "sum(dL/dz, axis=0)", "dL/dh * (1 - h**2)"

        A formula is computed on the numbers that the derivation shows. Raises `ArgumentError` for
        a gap that doesn't exist, and for what is neither a formula nor numbers.
        """
        gap = self._gap(number)
        if answer is None or isinstance(answer, (bytes, dict)) or callable(answer):
            raise ArgumentError(
                f"check: answer must be numbers or a formula as text, got {short_repr(answer)}"
            )
        given = self._formula(answer) if isinstance(answer, str) else answer
        given = np.asarray(float_array("check", "answer", given))
        return Verdict(*_compare(gap, given))

    def solution(self, number: int) -> str:
        """Return the formula and the numbers of a gap."""
        gap = self._gap(number)
        return f"{gap.name} = {gap.formula} = {fit_numbers(gap.numbers, 60)}"

    def _gap(self, number: int) -> Gap:
        number = check_integer("quiz", "number", number, low=1)
        if number > len(self.gaps):
            raise ArgumentError(
                f"quiz: number must be that of a gap, from 1 to {len(self.gaps)}, got {number}"
            )
        return self.gaps[number - 1]

    def _formula(self, text: str) -> Any:
        """Return the numbers of a formula that a learner typed."""
        letters: dict[str, Any] = {}
        for gap in self.gaps:
            if re.search(rf"(?<!\w){re.escape(gap.name)}(?!\w)", text.replace("y_hat", "ŷ")):
                raise ArgumentError(
                    f"check: answer must be a formula in the names shown, got {text!r:.60}, in "
                    f"which {gap.name} is a gap itself"
                )
        typed = text.translate(SUBSCRIPTS).replace("ŷ", "y_hat").replace("^", "**")
        for i, name in enumerate(sorted(self._names, key=len, reverse=True)):
            pattern = rf"(?<![\w/]){re.escape(name)}(?!\w)"
            typed, count = re.subn(pattern, f"v_{i}_", typed)
            if count:
                letters[f"v_{i}_"] = self._names[name]
        try:
            tree = ast.parse(typed.strip(), mode="eval").body
            return _value(tree, letters)
        except (SyntaxError, ValueError, TypeError, RecursionError, OverflowError) as error:
            reason = str(error).partition("\n")[0][:80]
            raise ArgumentError(
                f"check: answer must be a formula in the names shown, got {text!r:.60} ({reason})"
            ) from None


def quiz(derivation: Derivation, *, gaps: int = 5, seed: int = 0) -> Quiz:
    """Make a quiz of a derivation: some of its derivatives are left out, to be filled in.

    - `derivation`: as `tg.derivation` returns it
    - `gaps`: how many derivatives to leave out, at most
    - `seed`: chooses which

    Answers are formulas or numbers; they are right if their numbers are those of the derivation.
    Raises `ArgumentError` unless the derivation has a derivative to leave out.

    >>> w, x, y = Value(0.5, name="w"), np.array([1.0, 2.0]), np.array([2.0, 4.0])
    >>> quiz = tg.quiz(tg.derivation(np.mean((w * x - y) ** 2), wrt=w), gaps=1, seed=2)
    >>> quiz.gaps[0].name
    'dL/dw'
    >>> quiz.check(1, "sum(dL/dŷ * x)"), quiz.check(1, 7.5)
    (Right: dL/dw., Not yet: the size is right, the sign is not.)
    """
    check_instance("quiz", "derivation", derivation, Derivation, "a result of tg.derivation")
    count = check_integer("quiz", "gaps", gaps, low=1)
    random = np.random.default_rng(check_integer("quiz", "seed", seed, low=0))
    steps = [step for step in derivation.steps[1:] if len(step.shares) == 1]
    if not steps:
        raise ArgumentError("quiz: derivation must have a step with one share, got none")
    chosen = sorted(random.permutation(len(steps))[:count].tolist())
    hidden: dict[Step, Step] = {}
    found: list[Gap] = []
    for number, i in enumerate(chosen, 1):
        step = steps[i]
        name, share = step.derivative.text, step.shares[0]
        numbers = np.asarray(step.gradient, float)
        found.append(Gap(number, name, numbers.shape, step.closed.text, numbers))
        blank = Name(rf"\text{{?}}_{{{number}}}")
        hidden[step] = replace(
            step, closed=blank, shares=(_without_formula(share),), gradient=blank.text
        )
    shown = replace(
        derivation,
        steps=tuple(hidden.get(step, step) for step in derivation.steps),
        gradients=tuple(
            hidden[step].gradient if (step := derivation.step(x)) in hidden else gradient
            for x, gradient in zip(derivation.wrt, derivation.gradients, strict=True)
        ),
    )
    return Quiz(shown, tuple(found), _known_names(derivation, found))


def _without_formula(share: Share) -> Share:
    """Return a share whose local derivative is not printed either."""
    return replace(share, pull=replace(share.pull, local=None, operation=""))


def _known_names(derivation: Derivation, gaps: list[Gap]) -> dict[str, Any]:
    """Return the numbers that a formula may use, by names as one types them."""
    counts = [line.formula for line in derivation.forward if line.formula is not None]
    found: dict[str, Any] = {
        line.name.text: np.asarray(line.data, float) for line in derivation.forward
    }
    asked = {gap.name for gap in gaps}
    for step in derivation.steps:
        found[step.derivative.text] = np.asarray(step.gradient, float)
    totals = {x.count for formula in counts for x in formula.walk() if hasattr(x, "count")} - {0}
    if totals:
        found["N"] = float(max(totals))
    return {
        name.translate(SUBSCRIPTS).replace("ŷ", "y_hat"): numbers
        for name, numbers in found.items()
        if name not in asked
    }


def _value(tree: ast.AST, names: Mapping[str, Any]) -> Any:
    """Compute a formula of names, numbers, + - * / ** @, .T, and elementary functions."""
    if isinstance(tree, ast.Constant) and isinstance(tree.value, (int, float)):
        return float(tree.value)
    if isinstance(tree, ast.Name) and tree.id in names:
        return names[tree.id]
    if isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
        return OPERATORS[type(tree.op)](_value(tree.left, names), _value(tree.right, names))
    if isinstance(tree, ast.UnaryOp) and type(tree.op) in OPERATORS:
        return OPERATORS[type(tree.op)](_value(tree.operand, names))
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1 and type(tree.ops[0]) in OPERATORS:
        left, right = _value(tree.left, names), _value(tree.comparators[0], names)
        return np.asarray(OPERATORS[type(tree.ops[0])](left, right), float)
    if isinstance(tree, ast.Attribute) and tree.attr == "T":
        return np.transpose(_value(tree.value, names))
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        axes = {str(word.arg): ast.literal_eval(word.value) for word in tree.keywords}
        sums = tree.func.id in {"sum", "mean"} and axes.keys() <= {"axis"}
        if tree.func.id in FUNCTIONS and len(tree.args) == 1 and (sums or not axes):
            return FUNCTIONS[tree.func.id](_value(tree.args[0], names), **axes)
    raise ValueError(f"{ast.unparse(tree)} is not known here")


def _compare(gap: Gap, given: Array) -> tuple[bool, str]:
    """Return whether numbers are right, and a sentence that helps without telling them."""
    expected = gap.numbers
    if given.shape != expected.shape:
        same = [n for n in given.shape if n != 1] == [n for n in expected.shape if n != 1]
        if not same:
            wanted = shape_text(expected.shape)
            return False, f"Not yet: {gap.name} is {wanted}, got {shape_text(given.shape)}."
        given = given.reshape(expected.shape)
    scale = float(np.max(np.abs(expected), initial=0.0)) or 1.0
    wrong = ~(np.abs(given - expected) <= TOLERANCE * scale)
    if not wrong.any():
        return True, f"Right: {gap.name}."
    if np.all(np.abs(given + expected) <= TOLERANCE * scale):
        return False, "Not yet: the size is right, the sign is not."
    total, own = float(np.sum(given * given)), float(np.sum(given * expected))
    factor = own / total if total else 0.0
    if factor and np.all(np.abs(factor * given - expected) <= TOLERANCE * scale):
        times = number_text(1 / factor, 3)
        return False, f"Not yet: it is {times} times what it should be."
    places = int(wrong.sum())
    if expected.ndim and places < expected.size:
        return False, f"Not yet: {places} of {expected.size} numbers are wrong."
    return False, f"Not yet: that isn't {gap.name}."
