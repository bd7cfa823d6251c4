"""Rewrite the leaves of a formula: counts as numbers, numbers in place of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

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


def resolve_counts(formula: Expression, known: int) -> Expression:
    r"""Write N for the known count only, and any other count as a number.

    >>> resolve_counts(Product(1.0, (Name("u"),), (Count(3),)), 4).latex
    '\\frac{u}{3}'
    """

    def leaf(x: Expression) -> Expression:
        return Number(float(x.count)) if isinstance(x, Count) and x.count != known else x

    return map_leaves(formula, leaf)


def name_labels(formula: Expression, name: str) -> Expression:
    """Write the name of the labels in softmax_y and onehot(y)."""
    if name == "y" or not name:
        return formula

    def rename(latex: str) -> str:
        return latex.replace(r"\left(y\right)", rf"\left({name}\right)").replace(
            "}_y", f"}}_{{{name}}}"
        )

    def leaf(x: Expression) -> Expression:
        return replace(x, spelt=rename(x.spelt)) if isinstance(x, Name) else x

    return map_leaves(formula, leaf, rename)


def collect_terms(formula: Expression) -> Expression:
    """Collect the like terms of a sum.

    >>> h = Name("h")
    >>> collect_terms(Sum((h, Name("u"), h))).text, collect_terms(Sum((h, h))).text
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


def first_count(formula: Expression) -> int:
    """Return the count of the first N in a formula, or 0."""
    return next((x.count for x in formula.walk() if isinstance(x, Count)), 0)


def replace_parts(formula: Expression, known: Mapping[Expression, Expression]) -> Expression:
    r"""Write other formulas in place of those that are known.

    >>> whole, x = Name("x"), Name("s")
    >>> replace_parts(Sum((Product(1.0, (whole, whole), ()), x)), {whole: Name("y")}).text
    'y² + s'
    """
    return map_leaves(formula, lambda x: x, known=known)


def map_leaves(
    formula: Expression,
    leaf: Callable[[Expression], Expression],
    rename: Callable[[str], str] = str,
    known: Mapping[Expression, Expression] = MappingProxyType({}),
) -> Expression:
    """Replace each name, number and count of a formula, and keep its form.

    `rename` is applied to the templates of operations; `known` are whole parts that are replaced.
    """
    if formula in known:
        return known[formula]
    if isinstance(formula, Sum):
        return Sum(tuple(map_leaves(x, leaf, rename, known) for x in formula.terms))
    if isinstance(formula, Product):
        over = [map_leaves(x, leaf, rename, known) for x in formula.over]
        under = [map_leaves(x, leaf, rename, known) for x in formula.under]
        return Product(formula.coefficient, tuple(over), tuple(under))
    if isinstance(formula, Call):
        holes = tuple(
            (hole, tuple(map_leaves(x, leaf, rename, known) for x in xs))
            for hole, xs in formula.holes
        )
        if not formula.count or isinstance(leaf(Count(formula.count)), Count):
            return replace(formula, template=rename(formula.template), holes=holes)
        template = rename(formula.template).replace("{N}", f"{{{formula.count}}}")
        return replace(formula, template=template, holes=holes, count=0)
    return leaf(formula)


def substitute_numbers(formula: Expression, numbers: Mapping[Expression, float]) -> Expression:
    """Write numbers in place of names, without computing anything.

    >>> w, x = Name("w"), Name("x")
    >>> substitute_numbers(Sum((Product(1.0, (w, x), ()), x)), {w: 2.0, x: -3.0}).text
    '2 · (−3) + (−3)'
    """

    def leaf(x: Expression) -> Expression:
        if x not in numbers:
            return x
        text = number_text(numbers[x])
        binding = SIGNED if text.startswith("−") else POWER if "e" in text else ATOM
        return Name(text, binding, instead_of=x.latex)

    return map_leaves(formula, leaf)
