"""Describe the steps of the chain rule in plain sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...core.primitive import PRIMITIVES
from ...core.value import Value
from ..formula.expression import Expression, Name, Number, derivative
from ..graphs.naming import Names
from .steps import Share, Step

CASES = re.compile(r"^\\begin\{cases\}")


MAX_SLOPE = 30  # characters of a formula that a sentence repeats
MAX_REPETITIONS = 2  # of a sentence that says the same of other Values


def describe_shares(steps: Sequence[Step], names: Names) -> dict[Share, str]:
    """Return the sentence on each share; "" for one that was said twice of other Values."""
    found: dict[Share, str] = {}
    said: Counter[str] = Counter()
    for step in steps:
        for share in step.shares:
            text = describe_share(share, step.value, names)
            words = {names.text(share.reader), names.text(step.value), names.text(names.loss)}
            longest_first = sorted(map(re.escape, words), key=len, reverse=True)
            kind = re.sub("|".join(longest_first), "_", text)
            said[kind] += 1
            found[share] = text if said[kind] <= MAX_REPETITIONS else ""
    return found


def describe_share(share: Share, value: Value, names: Names) -> str:
    """Describe how the reader changes when this Value changes, or "" if the formula says it all.

    >>> w = Value(0.5, name="w")
    >>> found = tg.derivation((w * 3.0 - 1.0) ** 2, wrt=w)
    >>> describe_share(found.steps[-1].shares[0], w, found.names)
    'ŷ changes 3 times as fast as w.'
    """
    pull, record = share.pull, share.reader.record
    v, x = (Name(names.latex(z)) for z in (share.reader, value))
    direct = (
        record is not None
        and record.operation.name == pull.operation
        and any(z is value for z in record.operands)
    )
    local = pull.local if pull.local != share.local_name else None  # a formula that says more
    operation = PRIMITIVES.get(pull.operation)
    if local is None or (direct and operation is not None and operation.selects):
        ndims = [np.ndim(z) for z in record.numbers] if direct and record else (2, value.ndim)
        above = derivative(Name(names.latex(names.loss)), v)
        weight = value.record is None
        if operation is not None and operation.identity and pull.spread > 1:
            return f"{_repeated(x, value.size, pull.spread, v)}."
        same = pull.formula == derivative(Name(names.latex(names.loss)), v)
        if direct and same and share.reader.size == value.size:
            return f"{v.text} has the numbers of {x.text}, and their gradients are the same."
        text = describe_operation(pull.operation, pull.position, v, x, above, ndims, direct, weight)
        return "" if "by the rule of" in text and pull.formula != share.chain else text
    sizes = np.size(share.reader._content), np.size(pull.number)
    return describe_entries(local, v, x, sizes, pull.spread)


def describe_entries(
    local: Expression, v: Expression, x: Expression, sizes: tuple[int, int], spread: int
) -> str:
    """Describe how v changes when x does, by the derivative of each entry with respect to its own.

    `sizes` are the numbers of entries of v and x; each entry of x is used in `spread` entries of v.

    >>> describe_entries(Number(-1.0), Name("v"), Name("x"), sizes=(3, 1), spread=3)
    'v falls by as much as x rises. The same x enters 3 entries of v, so its effects add up.'
    >>> describe_entries(Number(0.5), Name("v"), Name("x"), sizes=(1, 3), spread=1)
    'v changes 0.5 times as fast as each entry of x.'
    """
    text = _moves(local, v, x, sizes)
    if spread > 1:
        text += f" {_repeated(x, sizes[1], spread, v)}."
    return text.strip()


def _repeated(x: Expression, size: int, spread: int, v: Expression) -> str:
    same = f"Each entry of {x.text}" if size > 1 else f"The same {x.text}"
    return f"{same} enters {spread} entries of {v.text}, so its effects add up"


def _moves(local: Expression, v: Expression, x: Expression, sizes: tuple[int, int]) -> str:
    if isinstance(local, Number) and local.value in {-1.0, 0.0, 1.0}:
        return _moves_by_number(local.value, v.text, x.text, single=sizes[0] == 1 < sizes[1])
    slope = local.text
    if len(slope) > MAX_SLOPE or "scatter" in slope:
        return ""
    if CASES.search(getattr(local, "template", "")) and slope.count(" if ") == 1:
        value, _, condition = slope[1:-1].partition(" if ")
        holds, _, other = condition.partition(", else ")
        if (value, other) == ("1", "0"):
            return f"{v.text} follows {x.text} where {holds}; elsewhere nothing passes."
    if min(sizes) > 1:
        return f"Each entry of {v.text} changes {slope} times as fast as its entry of {x.text}."
    if sizes[0] > 1:
        return f"Each entry of {v.text} changes {slope} times as fast as {x.text}."
    entry = (
        "" if sizes[1] == 1 else "each entry of " if isinstance(local, Number) else "that entry of "
    )
    return f"{v.text} changes {slope} times as fast as {entry}{x.text}."


def _moves_by_number(number: float, v: str, x: str, single: bool) -> str:
    """With `single`, v is one number and x has several entries."""
    if number == 1:
        return f"{v} rises one for one with {'each entry of ' if single else ''}{x}."
    if number == -1:
        return f"{v} falls by as much as {'an entry of ' if single else ''}{x} rises."
    return f"{v} does not change when {x} does."


def describe_operation(
    operation: str,
    position: int,
    v: Expression,
    x: Expression,
    g: Expression,
    ndims: Sequence[int],
    direct: bool = True,
    weight: bool = True,
) -> str:
    """Describe an operation that is not elementwise; g is the gradient of v.

    `ndims` are the numbers of axes of its operands; `weight` is False for a computed x. If not
    `direct`, there are more operations between v and this one.
    """
    text = ""
    known = PRIMITIVES.get(operation)
    if known is not None and known.matrix_product and (position or direct):
        text = _describe_product(position, *ndims[:2])
        if not weight and position == 1:
            text = "The gradient of {x} is that of {v}, multiplied by the other factor."
    elif known is not None and direct:
        text = known.sentence
    if not text and direct:
        text = "The gradient of {v} reaches {x} by the rule of " + operation + "."
    return text.format(v=v.text, x=x.text, g=g.text)


def _describe_product(position: int, first: int, second: int) -> str:
    """Describe an operand of a matrix product, or its bias, by the axes of the two factors."""
    if position == 2:
        return "{x} is added" + " to every row" * (first > 1) + ", one for one."
    if position == 0 and second == 1:
        return (
            "A row of {x} gives an entry of {v}: the gradient of the row is the vector times that "
            "of the entry."
        )
    if position == 0:
        unit = "unit of {v}" if first == 1 else "unit of its row of {v}"
        return (
            f"Every entry of {{x}} reaches each {unit} through a weight; the gradient comes back "
            "through the same weights, added up."
        )
    if second == 1:
        return (
            "An entry of {x} multiplies a column of the matrix: its gradient is the column times "
            "that of {v}, added up over the rows."
        )
    text = "An entry of {x} connects one input to one unit: its gradient is the input times the "
    return text + "gradient of the unit" + (", added up over the rows." if first > 1 else ".")
