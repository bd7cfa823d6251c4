"""What a rule of the table hands on, as a formula: it is run on Symbols, and writes it down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.chain_rule import as_numpy_float, match_shape, no_derivative_error
from ...core.node import Record
from ...core.primitive import Primitive
from .expression import Expression, product, summed
from .symbol import Symbol, expression_of, number_of

LINE: Sequence[Callable[..., Any]] = (
    lambda g, out, x, w, *b: g * w,
    lambda g, out, x, w, *b: g * x,
    lambda g, out, x, w, *b: g,
)
"""The rules of x @ w + b where w is one number: those of the lesson's w·x + b."""


def rules_of(operation: Primitive, numbers: Sequence[Any]) -> tuple[Sequence[Any], bool]:
    """The rules by operand, and whether the operation works entry by entry."""
    line = operation.matrix_product and np.shape(numbers[1]) == (1, 1)
    if line and np.ndim(numbers[0]) == 2:
        return LINE, True
    return operation.rules, operation.entrywise


def handed(
    record: Record,
    position: int,
    g: Symbol,
    out: Symbol,
    operands: Sequence[Any],
    local: Expression,
) -> Symbol:
    """What a rule hands to an operand: its own formula, or where it has none g · `local`, a name.

    A rule that loops, branches on numbers or writes into arrays has no formula.
    """
    operation, _, numbers, options = record
    rule = rules_of(operation, numbers)[0][0 if operation.variadic else position]
    if rule is None:
        raise no_derivative_error(operation, position)
    try:
        c = rule(g, out, *operands, **options)
        c = c(position) if operation.variadic else c
        return c if isinstance(c, Symbol) else Symbol(expression_of(c), c)
    except Exception:
        c = rule(*map(as_numpy_float, (g.number, out.number, *numbers)), **options)
        c = c(position) if operation.variadic else c
    return Symbol(product(g.expression, local), number_of(c), g.length + 1)


def fit(c: Symbol, like: Any) -> Symbol:
    """A cotangent in the shape of its Value; what broadcasting spread is added up, as Σ."""
    number = match_shape(c.number, like)
    spread = np.size(c.number) > np.size(number)
    return Symbol(summed(c.expression) if spread else c.expression, number, c.length)
