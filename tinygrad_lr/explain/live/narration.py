"""Write one operation as formulas: its result, the shares its rules pass on, and its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.grad_mode import without_watcher
from ...core.node import Record
from ...core.primitive import Primitive
from ...support.errstate import ignore_float_errors
from ...support.text_format import MAX_ENTRIES, array_text, shape_text, summary_text
from ..formula.expression import ONE, Expression, Name, partial, summation
from ..formula.rewriting import substitute_numbers
from ..formula.rules import apply_rule, rules_of, sum_to_shape
from ..formula.symbol import Symbol, explicit_formula

MAX_NUMBERS_WIDTH = 48
"""Characters of numbers: longer ones are elided, and left out of the middle of an equation."""

MAX_ARRAY_WIDTH = 64
"""Characters of the ends of an array: a longer one is summarised by mean and range."""

VISIBLE_OPTIONS = frozenset({"index", "path", "shape"})
"""Options that the formula, the result or the lines before already show."""


class OperationFormulas:
    """The formulas of an operation that ran: its result and operands are Symbols or numbers.

    >>> from tinygrad_lr.explain.formula.symbol import Symbol
    >>> w, x, z = (Symbol(Name(letter), number) for letter, number in zip("wxz", (2.0, -3.0, -6.0)))
    >>> record = (Value(2.0) * Value(-3.0)).record
    >>> parts = OperationFormulas(record, z, [w, x])
    >>> parts.forward.text, parts.with_numbers(parts.forward), parts.local(0)[0].expression.text
    ('w · x', '2 · (−3)', 'x')
    """

    def __init__(self, record: Record, out: Symbol, operands: Sequence[Any]) -> None:
        self.record = record
        self.out = out
        self.operands = operands

    @property
    def forward(self) -> Expression:
        """The formula of the result."""
        record = self.record
        return explicit_formula(record.operation, self.operands, record.options, self.out.number)

    def with_numbers(self, formula: Expression) -> str:
        """Return the formula with numbers in place of names, or "" if some are arrays."""
        symbols = [x for x in (self.out, *self.operands) if isinstance(x, Symbol)]
        return numeric_text(formula, {x.expression: x.number for x in symbols})

    def local_name(self, position: int) -> Name:
        """Return the name of the derivative of the result with respect to an operand."""
        return partial(self.out.expression, self.operands[position].expression)

    def local(self, position: int) -> tuple[Symbol, int] | None:
        """Return the derivative by entries for an operand, and how often each entry is used.

        None for an operation that is not elementwise, unless its result is a single number.
        """
        single = np.size(self.out.number) == 1
        rules, entrywise = rules_of(self.record.operation, self.record.numbers)
        if not (single or entrywise) or rules[position % len(rules)] is None:
            return None
        out, like = self.out.number, self.operands[position].number
        found = self._apply_rule(position, ONE, np.ones_like(out) if np.ndim(out) else 1.0)
        if single:
            return sum_to_shape(found, like), 1
        return found, int(np.size(found.number) // max(np.size(like), 1))

    def share(self, position: int, name: Expression, g: Any) -> Expression:
        """Return the formula that the rule gives for the cotangent g."""
        found = self._apply_rule(position, name, g)
        spread = np.size(found.number) > np.size(self.operands[position].number)
        return summation(found.expression) if spread else found.expression

    @ignore_float_errors
    def _apply_rule(self, position: int, name: Expression, g: Any) -> Symbol:
        with without_watcher():
            local = self.local_name(position)
            return apply_rule(
                self.record, position, Symbol(name, g), self.out, self.operands, local
            )


def numeric_text(formula: Expression, numbers: Mapping[Expression, Any]) -> str:
    """Return a formula with numbers in place of names, or "" if one is an array or unknown."""
    known = all(x is not None and np.ndim(x) == 0 for x in numbers.values())
    return substitute_numbers(formula, numbers).text if known else ""


def options_text(operation: Primitive, options: Mapping[str, Any]) -> str:
    """Return the options that are not defaults, in brackets, unless they are visible anyway.

    >>> from tinygrad_lr.core.primitive import PRIMITIVES
    >>> options_text(PRIMITIVES["sum"], {"axis": 0, "keepdims": False})
    ' (axis=0)'
    """
    parts = [
        f"{k}={array_text(x) if isinstance(x, np.ndarray) else f'{x!r:.30}'}"
        for k, x in options.items()
        if k not in (*VISIBLE_OPTIONS, *operation.shown_options)
        and not _is_default(x, operation.defaults.get(k))
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _is_default(given: Any, default: Any) -> bool:
    """Return whether an option equals its default."""
    return given is default or (type(given) is type(default) and bool(np.all(given == default)))


def numbers_text(numbers: Any) -> str:
    """Return a number, or an array with its shape; a long one is summarised.

    >>> numbers_text(0.25), numbers_text(np.ones((2, 1)))
    ('0.25', '[[1], [1]] (2 × 1)')
    >>> numbers_text(np.arange(60.0).reshape(20, 3))
    '[[0, 1, 2], … [57, 58, 59]] (20 × 3)'
    >>> numbers_text(np.linspace(-1 / 3, 2 / 3, 200).reshape(20, 10))
    'mean 0.1667, from −0.3333 to 0.6667 (20 × 10)'
    """
    array = np.asarray(numbers)
    text = array_text(array)
    if array.ndim == 0 or (
        array.ndim == 1 and array.size <= MAX_ENTRIES and len(text) <= MAX_NUMBERS_WIDTH
    ):
        return text
    if len(text) > MAX_NUMBERS_WIDTH and len(array) > 2:
        text = f"[{array_text(array[0])}, … {array_text(array[-1])}]"
    if len(text) > MAX_ARRAY_WIDTH:
        text = summary_text(array)
    return f"{text} ({shape_text(array.shape)})"


def equation(name: str, formulas: Sequence[str], with_numbers: str, result: str) -> str:
    """Return name = formulas = with numbers = result, without repetition.

    >>> equation("z", ["w · x"], "2 · 3", "6"), equation("c", ["a"], "", "2")
    ('z = w · x = 2 · 3 = 6', 'c = a = 2')
    """
    middle = [with_numbers] if 0 < len(with_numbers) <= MAX_NUMBERS_WIDTH else []
    return " = ".join(dict.fromkeys([name, *formulas, *middle, result]))
