"""What happens at a step of the chain rule, in plain words."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ...core.primitive import PRIMITIVES
from ...support.text_format import number_text
from ..formula.expression import Expression, Name, Number, derivative
from .model import DerivationData
from .steps import Share, Step

CASES = re.compile(r"^\\begin\{cases\}")


def sentence(share: Share, step: Step, derivation: DerivationData) -> str:
    """How the reader moves where this Value moves.

    >>> w = Value(0.5, name="w")
    >>> found = tg.derivation((w * 3.0 - 1.0) ** 2, wrt=w)
    >>> sentence(found.steps[-1].shares[0], found.steps[-1], found)
    'When w grows by 1, ŷ grows by 3.'
    """
    pull, record = share.pull, share.reader.record
    v, x = (Name(derivation.names.latex(z)) for z in (share.reader, step.value))
    direct = record is not None and record.operation.name == pull.operation
    local = pull.local if pull.local != share.local_name else None  # a formula that says more
    operation = PRIMITIVES.get(pull.operation)
    if local is None or (direct and operation is not None and operation.selects):
        ndims = [np.ndim(z) for z in record.numbers] if direct and record else (2, step.value.ndim)
        above = derivative(Name(derivation.names.latex(derivation.loss)), v)
        return as_a_whole(pull.operation, pull.position, v, x, above, ndims, direct)
    sizes = np.size(share.reader._content), np.size(pull.number)
    return entry_by_entry(local, v, x, sizes, pull.spread)


def entry_by_entry(
    local: Expression, v: Expression, x: Expression, sizes: tuple[int, int], spread: int
) -> str:
    """How v moves where x does, by the derivative of each entry by its own.

    `sizes` says how many entries v and x have, `spread` in how many of v each of x is used.

    >>> entry_by_entry(Number(-1.0), Name("v"), Name("x"), sizes=(3, 1), spread=3)
    'v falls by as much as x rises. Since x is used 3 times, its 3 shares are added up.'
    >>> entry_by_entry(Number(0.5), Name("v"), Name("x"), sizes=(1, 3), spread=1)
    'When an entry of x grows by 1, v grows by 0.5.'
    """
    text = _moves(local, v, x, sizes)
    if spread > 1:
        of = "each entry of " if sizes[1] > 1 else ""
        text += f" Since {of}{x.text} is used {spread} times, its {spread} shares are added up."
    return text


def _moves(local: Expression, v: Expression, x: Expression, sizes: tuple[int, int]) -> str:
    if isinstance(local, Number):
        return _by_a_number(local.value, v.text, x.text, single=sizes[0] == 1 < sizes[1])
    said = local.text
    if CASES.search(getattr(local, "template", "")) and said.count(" if ") == 1:
        value, _, condition = said[1:-1].partition(" if ")
        holds, _, other = condition.partition(", else ")
        if (value, other) == ("1", "0"):
            return f"{v.text} follows {x.text} where {holds}; elsewhere nothing passes."
        return f"When {x.text} grows by 1, {v.text} grows by {value} if {holds}, else by {other}."
    entry = "an entry of " if sizes[1] > 1 else ""
    its = "that of " if min(sizes) > 1 else ""
    # a slope that itself depends on x holds for small changes only
    small = ", for small changes" if {v, x} & set(local.walk()) else ""
    return f"When {entry}{x.text} grows by 1, {its}{v.text} grows by {said}{small}."


def _by_a_number(number: float, v: str, x: str, single: bool) -> str:
    """With `single`, v is one number and x has several entries."""
    entry = f"an entry of {x}" if single else x
    if number == 1:
        return f"{v} rises one for one with {'each entry of ' if single else ''}{x}."
    if number == -1:
        return f"{v} falls by as much as {entry} rises."
    if number == 0:
        return f"{v} does not change when {x} does."
    way = "grows" if number > 0 else "falls"
    return f"When {entry} grows by 1, {v} {way} by {number_text(abs(number))}."


def as_a_whole(
    operation: str,
    position: int,
    v: Expression,
    x: Expression,
    g: Expression,
    ndims: Sequence[int],
    direct: bool = True,
) -> str:
    """The words for an operation that does not work entry by entry; g is the gradient of v.

    `ndims` says how many axes its operands have. Not `direct` means that more operations lie
    between v and this one.
    """
    told = ""
    known = PRIMITIVES.get(operation)
    if known is not None and known.matrix_product and (position or direct):
        told = _of_a_product(position, *ndims[:2])
    elif known is not None and direct:
        told = known.sentence
    if not told:
        by = f"rule of {operation}" if direct else "combined rules of the operations in between"
        told = "The gradient of {v} reaches {x} by the " + by + "."
    return told.format(v=v.text, x=x.text, g=g.text)


def _of_a_product(position: int, first: int, second: int) -> str:
    """What an operand of a matrix product does, or its bias; by the axes of the two factors."""
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
    told = "An entry of {x} connects one input to one unit: its gradient is the input times the "
    return told + "gradient of the unit" + (", added up over the rows." if first > 1 else ".")
