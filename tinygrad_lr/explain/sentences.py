"""What happens at a step of the chain rule, in plain words."""

from __future__ import annotations

import numpy as np

from ..readable import number_text
from .derivation import Derivation
from .expression import Expression, Name, Number
from .steps import Share, Step

PRODUCTS = frozenset({"affine", "matmul"})
FACTORS = (
    "Every entry of {x} reaches each unit of {v} by a weight; the gradient comes back by the same "
    "weights, added up.",
    "An entry of {x} joins one input to one unit: its gradient is input times gradient of the "
    "unit, added up over the rows.",
    "{x} is added to every row, one for one.",
)
SPOKEN = {
    "sum": "Every entry of {x} is one term of {v}: each gets the whole of {g}.",
    "mean": "The entries of {x} count alike in their mean: each gets an equal part of {g}.",
    "max": "{v} moves with the largest entries of {x} alone: they share {g}.",
    "min": "{v} moves with the smallest entries of {x} alone: they share {g}.",
    "softmax": "The shares of {v} add up to 1: where one rises, the others fall.",
    "getitem_at": "{v} picks entries of {x}: the gradient goes back to where they were picked, "
    "and what was not picked gets 0.",
    "transpose_to": "{v} is {x} with its axes in another order, and so is its gradient.",
    "reshape_to": "{v} is {x} in another shape, and so is its gradient.",
    "concatenate_all": "{x} is a part of {v}: it gets its part of the gradient.",
    "cross_correlation": "Each window of the input is weighted by {x}'s partner; what a step "
    "carries is added up over all windows.",
}


def sentence(share: Share, step: Step, derivation: Derivation) -> str:
    """How the reader moves where this Value moves.

    >>> w = Value(0.5, name="w")
    >>> found = tg.derivation((w * 3.0 - 1.0) ** 2, wrt=w)
    >>> sentence(found.steps[-1].shares[0], found.steps[-1], found)
    'Where w grows by 1, ŷ grows by 3.'
    """
    pull, record = share.pull, share.reader._record
    v, x = (Name(derivation.names.latex(z)) for z in (share.reader, step.value))
    if pull.local is None:
        direct = record is not None and record[0].name == pull.operation
        return as_a_whole(pull.operation, pull.position, v, x, step.derivative, direct)
    several = np.size(share.reader._content) > 1 and np.size(pull.number) > 1
    return entry_by_entry(pull.local, v, x, several, pull.spread)


def entry_by_entry(
    local: Expression, v: Expression, x: Expression, several: bool, spread: int
) -> str:
    """How v moves where x does, by the derivative of each entry by its own.

    >>> entry_by_entry(Number(-1.0), Name("v"), Name("x"), several=False, spread=3)
    'v falls by as much as x rises. It is used 3 times, so its 3 shares are added up.'
    """
    told = _moves(local, v, x, several)
    if spread > 1:
        told += f" It is used {spread} times, so its {spread} shares are added up."
    return told


def _moves(local: Expression, v: Expression, x: Expression, several: bool) -> str:
    if isinstance(local, Number):
        return _by_a_number(local.value, v.text, x.text)
    said = local.text
    if said.startswith("(") and " if " in said:
        value, _, condition = said[1:-1].partition(" if ")
        holds, _, other = condition.partition(", else ")
        if (value, other) == ("1", "0"):
            return f"{v.text} follows {x.text} where {holds}; elsewhere nothing passes."
        return f"Where {x.text} grows by 1, {v.text} grows by {value} if {holds}, else by {other}."
    entry, its = ("an entry of ", "that of ") if several else ("", "")
    # a slope that itself depends on x holds for small changes only
    small = ", for small changes" if {v, x} & set(local.walk()) else ""
    return f"Where {entry}{x.text} grows by 1, {its}{v.text} grows by {said}{small}."


def _by_a_number(number: float, v: str, x: str) -> str:
    if number == 1:
        return f"{v} rises one for one with {x}."
    if number == -1:
        return f"{v} falls by as much as {x} rises."
    if number == 0:
        return f"{v} does not move where {x} does."
    way = "grows" if number > 0 else "falls"
    return f"Where {x} grows by 1, {v} {way} by {number_text(abs(number))}."


def as_a_whole(
    operation: str, position: int, v: Expression, x: Expression, g: Expression, direct: bool = True
) -> str:
    """The words for an operation that does not work entry by entry; g is the gradient of v.

    Not `direct` means that more operations lie between v and this one.
    """
    told = ""
    if operation in PRODUCTS and (position or direct):
        told = FACTORS[min(position, 2)]
    elif direct:
        told = SPOKEN.get(operation, "")
    if not told:
        by = f"the rule of {operation}" if direct else "the rules of what lies between, together"
        told = "{v} hands {x} its share by " + by + "."
    return told.format(v=v.text, x=x.text, g=g.text)
