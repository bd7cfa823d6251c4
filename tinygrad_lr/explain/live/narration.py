"""One operation in formulas: what it computed, and what its rules hand on; and numbers in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.grad_mode import unwatched
from ...core.node import Record
from ...core.primitive import Primitive
from ...support.errstate import silent
from ...support.text_format import MOST, array_text, shape_text, summary_text
from ..formula.expression import ONE, Expression, Name, derivative, summed
from ..formula.rewriting import figures
from ..formula.rules import fit, handed, rules_of
from ..formula.symbol import Symbol, stated

WIDE = 48
"""Numbers longer than this are elided, and left out of the middle of an equation."""

WIDEST = 64
"""Arrays whose ends are longer than this are said in a few figures."""

SEEN = frozenset({"index", "shape"})
"""Options that the formula or the result shows."""


class Telling:
    """An operation that ran, its result and operands as Symbols; plain numbers are themselves.

    >>> from tinygrad_lr.explain.formula.symbol import Symbol
    >>> w, x, z = (Symbol(Name(letter), number) for letter, number in zip("wxz", (2.0, -3.0, -6.0)))
    >>> record = (Value(2.0) * Value(-3.0)).record
    >>> told = Telling(record, z, [w, x])
    >>> told.forward.text, told.with_numbers(told.forward), told.local(0)[0].expression.text
    ('w · x', '2 · (−3)', 'x')
    """

    def __init__(self, record: Record, out: Symbol, operands: Sequence[Any]) -> None:
        self.record = record
        self.out = out
        self.operands = operands

    @property
    def forward(self) -> Expression:
        """What was computed."""
        record = self.record
        return stated(record.operation, self.operands, record.options, self.out.number)

    def with_numbers(self, formula: Expression) -> str:
        """The same formula with numbers in place of names, or "" where there are arrays."""
        symbols = [x for x in (self.out, *self.operands) if isinstance(x, Symbol)]
        return in_numbers(formula, {x.expression: x.number for x in symbols})

    def local_name(self, position: int) -> Name:
        """The derivative of the result by an operand, by name."""
        return derivative(self.out.expression, self.operands[position].expression)

    def local(self, position: int) -> tuple[Symbol, int] | None:
        """The derivative by an operand, entry by entry, and how often each entry is used.

        None for an operation that does not work entry by entry, unless it gives but one number.
        """
        single = np.size(self.out.number) == 1
        rules, entrywise = rules_of(self.record.operation, self.record.numbers)
        if not (single or entrywise) or rules[position % len(rules)] is None:
            return None
        out, like = self.out.number, self.operands[position].number
        found = self._handed(position, ONE, np.ones_like(out) if np.ndim(out) else 1.0)
        if single:
            return fit(found, like), 1
        return found, int(np.size(found.number) // max(np.size(like), 1))

    def share(self, position: int, name: Expression, g: Any) -> Expression:
        """What the rule makes of the cotangent g."""
        found = self._handed(position, name, g)
        spread = np.size(found.number) > np.size(self.operands[position].number)
        return summed(found.expression) if spread else found.expression

    @silent
    def _handed(self, position: int, name: Expression, g: Any) -> Symbol:
        with unwatched():
            local = self.local_name(position)
            return handed(self.record, position, Symbol(name, g), self.out, self.operands, local)


def in_numbers(formula: Expression, numbers: Mapping[Expression, Any]) -> str:
    """A formula with numbers in place of names, or "" where one is an array or not known."""
    known = all(x is not None and np.ndim(x) == 0 for x in numbers.values())
    return figures(formula, numbers).text if known else ""


def options_text(operation: Primitive, options: Mapping[str, Any]) -> str:
    """The options that are not the usual ones, in brackets, but for those that are seen anyway.

    >>> from tinygrad_lr.core.primitive import PRIMITIVES
    >>> options_text(PRIMITIVES["sum"], {"axis": 0, "keepdims": False})
    ' (axis=0)'
    """
    told = [
        f"{k}={array_text(x) if isinstance(x, np.ndarray) else f'{x!r:.30}'}"
        for k, x in options.items()
        if k not in SEEN and not _usual(x, operation.defaults.get(k))
    ]
    return f" ({', '.join(told)})" if told else ""


def _usual(given: Any, default: Any) -> bool:
    """Whether an option is what it is when nobody says anything."""
    return given is default or (type(given) is type(default) and bool(np.all(given == default)))


def numbers_text(numbers: Any) -> str:
    """A number, or an array with its shape; in a few figures where it is long.

    >>> numbers_text(0.25), numbers_text(np.ones((2, 1)))
    ('0.25', '[[1], [1]] (2 × 1)')
    >>> numbers_text(np.arange(60.0).reshape(20, 3))
    '[[0, 1, 2], … [57, 58, 59]] (20 × 3)'
    >>> numbers_text(np.linspace(-1 / 3, 2 / 3, 200).reshape(20, 10))
    'mean 0.1667, from −0.3333 to 0.6667 (20 × 10)'
    """
    array = np.asarray(numbers)
    text = array_text(array)
    if array.ndim == 0 or (array.ndim == 1 and array.size <= MOST and len(text) <= WIDE):
        return text
    if len(text) > WIDE and len(array) > 2:
        text = f"[{array_text(array[0])}, … {array_text(array[-1])}]"
    if len(text) > WIDEST:
        text = summary_text(array)
    return f"{text} ({shape_text(array.shape)})"


def equation(name: str, formulas: Sequence[str], with_numbers: str, result: str) -> str:
    """name = formulas = with numbers = result, where these say different things.

    >>> equation("z", ["w · x"], "2 · 3", "6"), equation("c", ["a"], "", "2")
    ('z = w · x = 2 · 3 = 6', 'c = a = 2')
    """
    middle = [with_numbers] if 0 < len(with_numbers) <= WIDE else []
    return " = ".join(dict.fromkeys([name, *formulas, *middle, result]))
