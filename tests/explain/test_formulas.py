"""Formulas: what a rule of the table writes down, run on symbols, is what it computes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import OPERATIONS, Case, quick

import tinygrad_lr as tg
from tinygrad_lr.core.primitive import PRIMITIVES
from tinygrad_lr.explain.formula.expression import Call, Count, Name, Number, Product, Sum
from tinygrad_lr.explain.formula.plain_text import plain_text
from tinygrad_lr.explain.formula.symbol import CONDITIONS, CONNECTIVES, Symbol, apply_symbolically

FORMULAS = {o.latex: o for o in reversed(PRIMITIVES.values()) if o.latex}
if "iv" in PRIMITIVES:  # written as NumPy's of integer orders
    FORMULAS[PRIMITIVES["iv"].latex] = PRIMITIVES["iv"]
FUNCTIONS = {"ln", "log", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "min", "max", "det"}
FUNCTIONS |= {"arcsin", "arccos", "arctan", "arg", "binom"}
"""LaTeX's commands for functions that are written as words."""
RELATIONS = {template: ufunc for ufunc, template in CONDITIONS.items()}
RELATIONS |= {
    template: lambda x, y, join=join: join(np.asarray(x, bool), np.asarray(y, bool))
    for join, template in CONNECTIVES.items()
}
ENTRYWISE = [o for o in OPERATIONS if o.kind == "elementwise" and not o.variadic]


def computed(formula, numbers):
    """The number of a formula: an evaluator that knows the table's forward functions only."""
    if isinstance(formula, Name):
        return numbers[formula.latex]
    if isinstance(formula, Number):
        return formula.value
    if isinstance(formula, Count):
        return formula.count
    parts = [computed(part, numbers) for part in formula.parts]
    if isinstance(formula, Sum):
        return sum(parts)
    if isinstance(formula, Product):
        over, under = parts[: len(formula.over)], parts[len(formula.over) :]
        return (
            formula.coefficient
            * np.prod(np.broadcast_arrays(1.0, *over), axis=0)
            / np.prod(np.broadcast_arrays(1.0, *under), axis=0)
        )
    holes = {name: computed(x[0], numbers) for name, x in formula.holes}
    if formula.template in RELATIONS:
        return RELATIONS[formula.template](holes["x"], holes["y"])
    if formula.template == r"{<x>}^{<y>}":
        return holes["x"] ** holes["y"]
    operation = FORMULAS[formula.template]
    options = {name: int(holes[name]) for name in operation.shown_options}
    numbers = tuple(holes[name] for name in operation.operands)
    return operation.evaluate(numbers, operation.defaults | options)


def symbols(case):
    operands = [
        Symbol(Name(n), x) for n, x in zip(case.operation.operands, case.arrays, strict=True)
    ]
    out = apply_symbolically(case.operation, operands, case.operation.defaults | case.options)
    return operands, Symbol(Name("out"), out.number)


COMPLEX_RESULTS = {"spherical_harmonic", "wofz"}
"""Their rules have complex constants, which derivations, of real numbers, don't write."""


def cases(operations):
    return [
        pytest.param(Case(o, example), id=f"{o.name}-{i}")
        for o in operations
        for i, example in enumerate(o.examples)
        if np.prod([np.prod(s) for s in example if isinstance(s, tuple)]) > 0
        and o.name not in COMPLEX_RESULTS
    ]


@pytest.mark.parametrize("case", cases(ENTRYWISE))
def test_the_formula_that_a_rule_writes_gives_the_numbers_of_the_rule(case):
    operation, options = case.operation, case.operation.defaults | case.options
    operands, out = symbols(case)
    g = Symbol(Name("cotangent"), np.random.default_rng(1).normal(size=np.shape(out.number)))
    names = {"cotangent": g.number, "out": out.number} | {
        x.expression.latex: x.number for x in operands
    }
    written, too_long = 0, False
    for position in case.varying:
        try:
            found = operation.rules[position](g, out, *operands, **options)
        except Exception as error:  # no formula: derivations name the rule, see test_derivation
            too_long |= "too long to read" in str(error)
            continue
        written += 1
        expected = operation.rules[position](g.number, out.number, *case.arrays, **options)
        np.testing.assert_allclose(np.broadcast_to(found.number, np.shape(expected)), expected)
        np.testing.assert_allclose(
            np.broadcast_to(computed(found.expression, names), np.shape(expected)), expected
        )
    assert written or too_long


@pytest.mark.parametrize("case", cases([o for o in OPERATIONS if not o.variadic]))
def test_the_formula_of_an_operation_is_text_without_a_command_left_over(case):
    operands, _ = symbols(case)
    found = apply_symbolically(case.operation, operands, case.operation.defaults | case.options)
    latex = found.expression.latex
    text = plain_text(latex)
    assert "\\" not in text and "{" not in text and text.count("(") == text.count(")")
    commands = set(re.findall(r"\\([a-zA-Z]+)", latex)) - FUNCTIONS
    assert not commands & set(re.findall(r"[a-zA-Z]+", text))


terms = st.recursive(
    st.sampled_from([Name("x"), Name("y"), Number(2.0), Number(-0.5), Number(1.0), Number(0.0)]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/", "neg", "tanh"]), inner, inner)
    ),
    max_leaves=8,
)


def built(tree, x, y):
    """A tree of Hypothesis as arithmetic on whatever x and y are."""
    if isinstance(tree, Name):
        return {"x": x, "y": y}[tree.latex]
    if isinstance(tree, Number):
        return tree.value
    kind, left, right = tree[0], built(tree[1], x, y), built(tree[2], x, y)
    if kind == "neg":
        return -left
    if kind == "tanh":
        return np.tanh(left)
    if kind == "/":
        return left / (right + 3.25)  # away from 0
    return {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right}[kind]()


@quick
@given(terms)
def test_simplification_keeps_the_value(tree):
    x, y = np.array([0.3, -1.2]), np.array([0.7, 0.4])
    found = built(tree, Symbol(Name("x"), x), Symbol(Name("y"), y))
    if isinstance(found, Symbol):
        with np.errstate(all="ignore"):
            expected = built(tree, x, y)
            number = computed(found.expression, {"x": x, "y": y})
        if np.isfinite(expected).all() and np.abs(expected).max() < 1e6:
            np.testing.assert_allclose(found.number, expected)
            np.testing.assert_allclose(np.broadcast_to(number, (2,)), expected, atol=1e-12)


@quick
@given(terms)
def test_the_text_of_arithmetic_reads_back_as_the_same_number(tree):
    x, y = np.array([0.3, -1.2]), np.array([0.7, 0.4])
    found = built(tree, Symbol(Name("x"), x), Symbol(Name("y"), y))
    if not isinstance(found, Symbol):
        return
    text = plain_text(found.expression.latex)
    for sign, code in {"·": "*", "−": "-", "²": "**2", "³": "**3", "⁴": "**4"}.items():
        text = text.replace(sign, code)
    text = text.replace("2x", "2*x").replace("2y", "2*y").replace("5x", "5*x").replace("5y", "5*y")
    if "⁻" in text or any(c in text for c in "⁰¹⁵⁶⁷⁸⁹"):
        return  # a power of ten
    read = eval(text, {"x": x, "y": y, "tanh": np.tanh, "__builtins__": {}})
    if np.isfinite(found.number).all() and np.abs(found.number).max() < 1e6:
        scale = max(np.abs(found.number).max(), 1e-3)
        np.testing.assert_allclose(np.broadcast_to(read, (2,)), found.number, atol=2e-2 * scale)


def test_the_mean_squared_error_is_written_as_in_the_lesson():
    u = tg.Value([1.0, 2.0], name="u")
    found = apply_symbolically(PRIMITIVES["mean_square"], [Symbol(Name("u"), u.data)], {})
    assert plain_text(found.expression.latex) == "(1/N) Σ u²"
    assert [x.count for x in found.expression.walk() if isinstance(x, Count)] == [2]
    assert isinstance(found.expression, Call)
