"""Apply the gradient rules of operations to Symbols, which record the formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...core.chain_rule import as_numpy_float, match_shape, no_derivative_error
from ...core.node import Record
from ...core.primitive import Primitive
from .expression import Expression, axes_letters, call, product, summation
from .symbol import (
    MAX_OPERATIONS,
    Symbol,
    expression_of,
    index_settings,
    number_of,
    rank_of,
    times,
    with_axes,
)

MAX_TEXTBOOK_OPERATIONS = 90
"""The most operations in a rule that is written to be read."""

LINE: Sequence[Callable[..., Any]] = (
    lambda g, out, x, w, *b: g * w,
    lambda g, out, x, w, *b: g * x,
    lambda g, out, x, w, *b: g,
)
"""The rules of x @ w + b if w is a single number: those of the lesson's w·x + b."""


def rules_of(operation: Primitive, numbers: Sequence[Any]) -> tuple[Sequence[Any], bool]:
    """Return the rules by operand, and whether the operation is elementwise."""
    line = operation.matrix_product and np.shape(numbers[1]) == (1, 1)
    if line and np.ndim(numbers[0]) == 2:
        return LINE, True
    return operation.rules, operation.entrywise


def apply_rule(
    record: Record,
    position: int,
    g: Symbol,
    out: Symbol,
    operands: Sequence[Any],
    local: Expression,
) -> Symbol:
    """Return the share that a rule passes to an operand, with its formula.

    A rule that loops, branches on numbers or writes into arrays has none: its formula is g times
    the name `local`.
    """
    operation, _, numbers, options = record
    rule = rules_of(operation, numbers)[0][0 if operation.variadic else position]
    if rule is None:
        raise no_derivative_error(operation, position)
    if (textbook := operation.textbook_rules.get(position)) is not None:
        longer = MAX_OPERATIONS.set(MAX_TEXTBOOK_OPERATIONS)
        try:
            shown: Symbol = textbook(g, out, *operands, **options)
            expected = rule(*map(as_numpy_float, (g.number, out.number, *numbers)), **options)
            if np.allclose(
                shown.number, expected, rtol=1e-5, atol=1e-7 * np.max(np.abs(expected), initial=0.0)
            ):
                return shown.with_number(expected)
        except Exception:  # the rule's own formula, or its name
            pass
        finally:
            MAX_OPERATIONS.reset(longer)
    try:
        c = rule(g, out, *operands, **options)
        c = c(position) if operation.variadic else c
        return c if isinstance(c, Symbol) else Symbol(expression_of(c), c)
    except Exception:
        c = rule(*map(as_numpy_float, (g.number, out.number, *numbers)), **options)
        c = c(position) if operation.variadic else c
    if operation.selects:
        holes = {"g": g.expression, "x": expression_of(operands[position])}
        template = r"\operatorname{to\,argmax}\left(<g>, <x>\right)"
        formula = call(index_settings(template, options), holes)
        return Symbol(replace(formula, rank=rank_of(c)), number_of(c), g.length + 1)
    return Symbol(product(g.expression, local), number_of(c), g.length + 1)


def sum_to_shape(c: Symbol, like: Any) -> Symbol:
    """Sum a cotangent to the shape of its Value: broadcast axes are added up, written Σ."""
    number = match_shape(c.number, like)
    if np.size(number) == np.size(c.number):
        return c.with_number(number)
    return Symbol(sum_spread(c, number), number, c.length)


def sum_spread(c: Symbol, total: Any) -> Expression:
    """Return Σ of terms along the axes that their total lacks; the formula itself if none.

    Terms that are written without these axes are the same along them: they are multiplied.
    """
    shape = np.shape(c.number)
    if np.size(c.number) <= np.size(total):
        return c.expression
    kept = (1,) * (len(shape) - np.ndim(total)) + np.shape(total)
    axes = [i for i, n in enumerate(shape) if n > 1 and kept[i] == 1]
    written = (1,) * (len(shape) - len(c.written_shape)) + tuple(c.written_shape)
    if not c.expression.rank or all(written[i] == 1 for i in axes):
        return times(c.expression, np.size(c.number), total)
    letters = axes_letters(len(shape), axes) if any(n > 1 for n in kept) else ""
    return summation(with_axes(c), letters, rank_of(total))
