"""The same formula with other letters: counts as numbers, numbers in place of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...support.text_format import number_text
from .expression import (
    ATOM,
    POWER,
    SIGNED,
    Call,
    Count,
    Expression,
    Name,
    Number,
    Product,
    Sum,
    product,
    total,
)


def counting(formula: Expression, known: int) -> Expression:
    r"""The formula with N for this count only: any other count is written as a number.

    >>> counting(Product(1.0, (Name("u"),), (Count(3),)), 4).latex
    '\\frac{u}{3}'
    """

    def leaf(x: Expression) -> Expression:
        return Number(float(x.count)) if isinstance(x, Count) and x.count != known else x

    return rewritten(formula, leaf)


def gathered(formula: Expression) -> Expression:
    """A sum whose like terms are added up.

    >>> h = Name("h")
    >>> gathered(Sum((h, Name("u"), h))).text, gathered(Sum((h, h))).text
    ('2h + u', '2h')
    """
    if not isinstance(formula, Sum):
        return formula
    times: dict[Expression, float] = {}
    for term in formula.terms:
        factor, rest = 1.0, term
        if isinstance(term, Product):
            factor, rest = term.coefficient, product(Product(1.0, term.over, term.under))
        times[rest] = times.get(rest, 0.0) + factor
    return total(*(product(Number(factor), rest) for rest, factor in times.items()))


def count_of(formula: Expression) -> int:
    """What the first N of a formula stands for, or 0."""
    return next((x.count for x in formula.walk() if isinstance(x, Count)), 0)


def rewritten(formula: Expression, leaf: Callable[[Expression], Expression]) -> Expression:
    """The formula in the same form, with another leaf for each name, number and count."""
    if isinstance(formula, Sum):
        return Sum(tuple(rewritten(x, leaf) for x in formula.terms))
    if isinstance(formula, Product):
        over = [rewritten(x, leaf) for x in formula.over]
        under = [rewritten(x, leaf) for x in formula.under]
        return Product(formula.coefficient, tuple(over), tuple(under))
    if isinstance(formula, Call):
        holes = tuple((hole, tuple(rewritten(x, leaf) for x in xs)) for hole, xs in formula.holes)
        if not formula.count or isinstance(leaf(Count(formula.count)), Count):
            return Call(formula.template, holes, formula.count)
        return Call(formula.template.replace("{N}", f"{{{formula.count}}}"), holes)
    return leaf(formula)


def figures(formula: Expression, numbers: Mapping[Expression, float]) -> Expression:
    """The formula with numbers in place of names, as it is written: nothing is computed.

    >>> w, x = Name("w"), Name("x")
    >>> figures(Sum((Product(1.0, (w, x), ()), x)), {w: 2.0, x: -3.0}).text
    '2 · (−3) + (−3)'
    """

    def leaf(x: Expression) -> Expression:
        if x not in numbers:
            return x
        text = number_text(numbers[x])
        binding = SIGNED if text.startswith("−") else POWER if "e" in text else ATOM
        return Name(text, binding, instead_of=x.latex)

    return rewritten(formula, leaf)
