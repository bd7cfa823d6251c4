"""Formulas as small trees, which simplify as they are built and print as LaTeX."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...support.text_format import number_latex
from .plain_text import plain_text

CONNECTIVE, CONDITION, SIGNED, SUM, PRODUCT, PREFIX, POWER, ATOM = range(8)
"""The binding strength of a formula: one that binds less than its place requires gets brackets."""

AXES = {2: "nj", 3: "ntj", 4: "ncij", 5: "nctij"}
"""The letters of the axes of an array, by their number: n counts rows, j columns."""

HOLE = re.compile(r"<(\w+)>")
RELATION = re.compile(r"> (?:[<>=]|\\(?:le|ge|ne|text)) +<")
OPENERS = (r"\left[", "{cases}", "&", r"\\")
OPENERS_OF_NUMBERS = (r"\left(", r"\left|", r"\lVert", r"\lfloor", r"\lceil", ",", ";")
MAX_ROOT = 1000.0  # of an integer, that is written as a root
MATRIX_PRODUCT = "<x> <y>"  # a product of matrices: of several no brackets are needed
INVERSE = re.compile(r"\^\{(?:-1|\+)\} <")  # times a matrix
LARGE_OPERATORS = (r"\sum", r"\prod")
INDEX = re.compile(r"_\{(?:[^{}<>]|\{[^{}]*\})*\}$")


class Expression:
    """A formula, compared by its content."""

    __slots__ = ()
    binding: int = ATOM
    rank: int = 1  # axes: 0 of a number, 1 of a list, 2 of a matrix or more

    @property
    def matrix(self) -> bool:
        """Whether it is an array of two axes or more: ⊙ stands between two of them."""
        return self.rank > 1

    @property
    def latex(self) -> str:
        """The formula as LaTeX."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """The formula as plain text."""
        return plain_text(self.latex)

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Its direct subformulas."""
        return ()

    def within(self, least: int) -> str:
        """Return its LaTeX, in brackets if it binds less than `least`.

        A condition in the place of a number has square brackets: [a > b] is 1 where it holds, or 0.
        """
        if self.binding >= least:
            return self.latex
        number = self.binding <= CONDITION and least > CONDITION
        return rf"\left[{self.latex}\right]" if number else rf"\left({self.latex}\right)"

    def walk(self) -> Iterator[Expression]:
        """Yield the formula itself and all its subformulas."""
        waiting: list[Expression] = [self]
        while waiting:
            one = waiting.pop()
            yield one
            waiting.extend(one.parts)


@dataclass(frozen=True)
class Name(Expression):
    """A letter or a word, given as LaTeX.

    Equal numbers may replace different names: `instead_of` tells them apart.
    """

    spelt: str
    binding: int = ATOM
    instead_of: str = ""
    rank: int = field(default=1, compare=False)

    @property
    def latex(self) -> str:
        """The name."""
        return self.spelt


@dataclass(frozen=True)
class Count(Expression):
    """A number of entries, written N."""

    count: int
    rank = 0

    @property
    def latex(self) -> str:
        """The letter."""
        return "N"


@dataclass(frozen=True)
class Number(Expression):
    """A number."""

    value: float
    rank = 0

    @property
    def binding(self) -> int:  # type: ignore[override]
        """That of a sum for a negative number."""
        return SUM if self.value < 0 else ATOM

    @property
    def latex(self) -> str:
        """The number in few digits, or √n."""
        return _latex_of_number(self.value)


def _latex_of_number(number: float) -> str:
    r"""Return a number as LaTeX: exactly where it is π, or the root of an integer.

    >>> _latex_of_number(2**0.5), _latex_of_number(1.5)
    ('\\sqrt{2}', '1.5')
    """
    if number == math.pi:
        return r"\pi"
    if 1 < number < MAX_ROOT and number == math.sqrt(round(number * number)):
        return rf"\sqrt{{{round(number * number)}}}" if number % 1 else number_latex(number)
    return number_latex(number)


ZERO, ONE = Number(0.0), Number(1.0)


@dataclass(frozen=True)
class Product(Expression):
    r"""coefficient · over / under, flat: no factor is itself a product or a number.

    >>> u, n = Name("u"), Count(10)
    >>> quotient(product(Number(2.0), u), n).latex, product(u, u).latex
    ('\\frac{2u}{N}', 'u^{2}')
    """

    coefficient: float
    over: tuple[Expression, ...]
    under: tuple[Expression, ...]

    @property
    def binding(self) -> int:  # type: ignore[override]
        """That of a sum with a minus sign, of a power for a single power, else of a product."""
        if self.coefficient < 0:
            return SUM
        alone = self.coefficient == 1 and not self.under and len(set(self.over)) == 1
        return POWER if alone else PRODUCT

    @property
    def rank(self) -> int:  # type: ignore[override]
        """The largest rank of a factor."""
        return max((x.rank for x in self.parts), default=0)

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The factors."""
        return (*self.over, *self.under)

    @property
    def latex(self) -> str:
        """The factors with · or ⊙ in between, above and below a fraction bar."""
        sign = "-" if self.coefficient < 0 else ""
        size = abs(self.coefficient)
        if not self.under:
            return sign + _factors(size, self.over)
        inverse = 1 / size
        whole = size < 1 and abs(inverse - round(inverse)) < 1e-9 * inverse
        upper, lower = (1.0, float(round(inverse))) if whole else (size, 1.0)  # 1/(2h) for 0.5/h
        above, below = (
            as_number(part[0]).latex if factor == 1 and len(part) == 1 else _factors(factor, part)
            for factor, part in ((upper, self.over), (lower, self.under))
        )
        return rf"{sign}\frac{{{above}}}{{{below}}}"


def _factors(coefficient: float, factors: Sequence[Expression]) -> str:
    counted = Counter(factors)
    if coefficient == 1 and len(factors) == 1 and _template(factors[0]) == MATRIX_PRODUCT:
        return factors[0].latex  # after a minus, or above or below a line
    powers = [
        one.within(PREFIX + (count < len(counted)))
        if times == 1
        else f"{one.within(ATOM)}^{{{times}}}"
        for count, (one, times) in enumerate(counted.items(), 1)
    ]
    joined, matrix = "", False
    for one, factor in zip(counted, powers, strict=True):
        sign = r" \odot " if matrix and one.matrix else r" \cdot "
        joined += (sign if joined else "") + factor
        matrix = matrix or one.matrix
    if coefficient == 1 and powers:
        return joined
    number = _latex_of_number(coefficient)
    plain = "cdot" not in number and number != r"\pi"
    close = plain and bool(powers) and re.match(r"[a-zA-Z]|\\hat", powers[0])
    return number + ("" if close else r" \cdot " if powers else "") + joined


@dataclass(frozen=True)
class Sum(Expression):
    """Terms with their signs."""

    terms: tuple[Expression, ...]
    binding: int = SUM

    @property
    def rank(self) -> int:  # type: ignore[override]
        """The largest rank of a term."""
        return max((x.rank for x in self.terms), default=0)

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The terms."""
        return self.terms

    @property
    def latex(self) -> str:
        """The terms one after the other."""
        text = self.terms[0].within(SIGNED)
        for term in self.terms[1:]:
            written = term.within(SUM)
            negative = written.startswith("-")
            text += f" - {written[1:]}" if negative else f" + {written}"
        return text


@dataclass(frozen=True)
class Call(Expression):
    """An operation as a LaTeX template with formulas in its holes."""

    template: str
    holes: tuple[tuple[str, tuple[Expression, ...]], ...]
    count: int = 0  # the value of N in the template
    rank: int = field(default=1, compare=False)

    @property
    def binding(self) -> int:  # type: ignore[override]
        """That of the part of the template outside all brackets."""
        return binding_of(self.template)

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The formulas in the holes."""
        counted = (Count(self.count),) if self.count else ()
        return (*(x for _, filling in self.holes for x in filling), *counted)

    @property
    def latex(self) -> str:
        """The template with its holes filled."""
        fillings = dict(self.holes)

        def fill(hole: re.Match[str]) -> str:
            least = required_binding(self.template, hole)
            return ", ".join(
                x.latex if self.template == MATRIX_PRODUCT == _template(x) else x.within(least)
                for x in fillings[hole[1]]
            )

        return HOLE.sub(fill, self.template).replace("+ -", "- ")


def _template(x: Expression) -> str:
    return x.template if isinstance(x, Call) else ""


def derivative(of: Expression, by: Expression, rank: int = 1) -> Name:
    r"""Return the name d(of)/d(by): the derivative along all paths.

    >>> derivative(Name("L"), Name("w")).latex, derivative(Name("a/b"), Name("w")).text
    ('\\frac{dL}{dw}', 'd(a/b)/dw')
    """
    spelt = rf"\frac{{{differential(of).latex}}}{{{differential(by).latex}}}"
    return Name(spelt, POWER, rank=rank)


def differential(of: Expression) -> Name:
    """Return the name dx."""
    return Name(rf"d\left({of.latex}\right)" if "/" in of.latex else f"d{of.latex}")


def partial(of: Expression, by: Expression) -> Name:
    """Return ∂(of)/∂(by): the derivative of the formula of `of` alone, all else held fixed.

    >>> partial(Name("u"), Name("w")).text, partial(Name("u"), total(Name("v"), Name("w"))).text
    ('∂u/∂w', '∂u/∂(v + w)')
    """
    above, below = (
        x.latex if isinstance(x, Name) and "/" not in x.latex else rf"\left({x.latex}\right)"
        for x in (of, by)
    )
    spelt = rf"\frac{{\partial{{{above}}}}}{{\partial{{{below}}}}}"
    return Name(spelt, POWER, rank=max(of.rank, by.rank))


def call(template: str, fillings: Mapping[str, Any], count: int = 0) -> Call:
    """Return an operation on formulas: one for each hole, or several for a variadic one."""
    holes = (
        (name, (x,) if isinstance(x, Expression) else tuple(x)) for name, x in fillings.items()
    )
    return Call(template, tuple(holes), count)


def product(*factors: Expression) -> Expression:
    """Return the product of formulas, flattened: numbers multiply, 1 vanishes, 0 wins."""
    coefficient = 1.0
    over: list[Expression] = []
    under: list[Expression] = []
    for factor in factors:
        if isinstance(factor, Number):
            coefficient *= factor.value
        elif isinstance(factor, Product):
            coefficient *= factor.coefficient
            over.extend(factor.over)
            under.extend(factor.under)
        else:
            over.append(factor)
    return _cancel(coefficient, over, under)


def quotient(x: Expression, y: Expression) -> Expression:
    """Return x over y, flattened."""
    if isinstance(y, Number):
        return product(x, Number(1.0 / y.value)) if y.value in {1.0, -1.0} else _divide(x, y)
    if isinstance(y, Product):
        inverse = Product(1.0, y.under, y.over)
        return product(
            x, inverse if y.coefficient == 1 else _divide(inverse, Number(y.coefficient))
        )
    return product(x, Product(1.0, (), (y,)))


def _divide(x: Expression, number: Number) -> Expression:
    """Return x over a number, computed if the quotient is as short as the number."""
    if isinstance(x, Number) and number.value:
        quotient_ = x.value / number.value
        if len(number_latex(quotient_)) <= len(number_latex(number.value)):
            return Number(quotient_)
    return product(x, Product(1.0, (), (number,)))


def _cancel(
    coefficient: float, over: Iterable[Expression], under: Iterable[Expression]
) -> Expression:
    if coefficient == 0:
        return ZERO
    below = Counter(under)
    above = []
    for factor in over:  # what stands above and below the line cancels
        if below[factor] > 0:
            below[factor] -= 1
        else:
            above.append(factor)
    left = tuple(sorted(below.elements(), key=lambda x: not isinstance(x, Number)))
    if not above and not left:
        return Number(coefficient)
    if coefficient == 1 and len(above) == 1 and not left:
        return above[0]
    return Product(coefficient, tuple(above), left)


def negative(x: Expression) -> Expression:
    """Return the formula with the other sign."""
    return product(Number(-1.0), x)


def total(*terms: Expression) -> Expression:
    """Return the sum of formulas, flattened: numbers add up, 0 vanishes."""
    flat = [x for term in terms for x in (term.terms if isinstance(term, Sum) else (term,))]
    constant = sum(x.value for x in flat if isinstance(x, Number))
    kept = [x for x in flat if not isinstance(x, Number)]
    if constant:
        first = bool(flat) and isinstance(flat[0], Number)
        kept.insert(0 if first else len(kept), Number(constant))
    return kept[0] if len(kept) == 1 else Sum(tuple(kept)) if kept else ZERO


def power(x: Expression, exponent: Expression) -> Expression:
    """Return x to a power; a small integer power is a product."""
    whole = isinstance(exponent, Number) and exponent.value in {1.0, 2.0, 3.0, 4.0}
    if whole:
        return product(*[x] * int(exponent.value))  # type: ignore[attr-defined]
    if exponent == Number(-1.0):
        return quotient(ONE, x)
    return call("{<x>}^{<y>}", {"x": x, "y": exponent})


def axes_letters(ndim: int, axes: Iterable[int]) -> str:
    """Return the letters of some axes of an array, or "" if they are all of its axes.

    >>> axes_letters(2, (0,)), axes_letters(3, (0, 1)), axes_letters(2, (0, 1))
    ('n', 'n,t', '')
    """
    chosen = sorted({axis % ndim for axis in axes}) if ndim else []
    if len(chosen) == ndim:
        return ""
    letters = AXES.get(ndim) or [f"a{axis}" for axis in range(ndim)]
    return ",".join(letters[axis] for axis in chosen)


def summation(x: Expression, letters: str = "", rank: int = 0) -> Expression:
    """Return Σ of a formula, over all entries or along the axes with the letters."""
    if x == ZERO:
        return ZERO
    found = call(index_template(r"\sum <x>", letters), {"x": x})
    return replace(found, rank=rank)


INDEXED = re.compile(r"\\sum|\\prod|\\max|\\min|\\operatorname\{[^}]*\}")


def as_number(x: Expression) -> Expression:
    """Return a condition as the number [a > b], anything else as it is."""
    return call(r"\left[<x>\right]", {"x": x}) if x.binding <= CONDITION else x


def index_template(template: str, letters: str) -> str:
    r"""Return a template with the letters of axes as an index.

    >>> index_template(r"\ln \sum e^{<x>}", "n"), index_template(r"\sum <x>", "")
    ('\\ln \\sum_{n} e^{<x>}', '\\sum <x>')
    """
    return (
        INDEXED.sub(lambda found: f"{found[0]}_{{{letters}}}", template, 1) if letters else template
    )


def binding_of(template: str) -> int:
    r"""Return the binding strength of an operation's template.

    >>> [binding_of(t) for t in (r"<x> + <y>", r"\tanh\left(<x>\right)", r"\ln <x>", "{<x>}^2")]
    [3, 7, 5, 6]
    """
    outside = _outside_brackets(template)
    if outside == r"\frac":  # a line below and above closes it off
        return POWER
    if relation := RELATION.search(outside):
        return CONNECTIVE if "text" in relation[0] else CONDITION
    if re.search(r"^-| [-+] ", outside):
        return SUM
    if re.search(r"\\cdot|\\star|\\bmod|[>^] <|\\frac|\\sum|\\prod", outside):
        return PRODUCT
    if re.search(r"^[e2]\^|\^", outside):
        return POWER
    if outside.startswith(r"\ln\operatorname"):
        return PREFIX
    return PREFIX if re.search(r"<\w+>", outside) else ATOM


def required_binding(template: str, hole: re.Match[str]) -> int:
    """Return the binding strength that a formula needs in a hole to go without brackets."""
    before, after = template[: hole.start()].rstrip(), template[hole.end() :].lstrip()
    before = INDEX.sub("", before)
    if before.endswith("{"):
        return ATOM if after.startswith(("}^", "}_")) else 0
    if after.startswith("_"):
        return ATOM
    if before.endswith(OPENERS) or (not before and not after):
        return 0
    if before.endswith(OPENERS_OF_NUMBERS):
        return SIGNED
    if relation := RELATION.search(_outside_brackets(template)):
        return CONDITION if "text" in relation[0] else SIGNED
    if template == MATRIX_PRODUCT or INVERSE.search(template):
        return PREFIX if before else POWER
    if r"\star" in template or r"\bmod" in template:
        return PREFIX
    if before.endswith((">", "}")) or after.startswith(("<", r"\cdot")):
        return PRODUCT
    if before.endswith(("+", "-")) or re.match(r"[-+]", after):
        return SUM + (before.endswith("-") and len(before) > 1)
    if before.endswith((*LARGE_OPERATORS, r"\cdot")):
        return PRODUCT
    return ATOM


def _outside_brackets(template: str) -> str:
    """Return the part of a template outside all brackets."""
    depth, kept = 0, []
    pieces = re.findall(
        r"\\left\S|\\right\S|\\lfloor|\\rfloor|\\lceil|\\rceil|\\begin|\\end|[{}]|\\?.", template
    )
    for piece in pieces:
        if piece in {"}", r"\rfloor", r"\rceil", r"\end"} or piece.startswith(r"\right"):
            depth -= 1
            continue
        opens = piece in {"{", r"\lfloor", r"\lceil", r"\begin"} or piece.startswith(r"\left")
        if depth == 0 and not opens:
            kept.append(piece)
        depth += opens
    return "".join(kept)
