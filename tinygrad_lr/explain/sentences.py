"""What happens at a step of the chain rule, in plain words."""

from __future__ import annotations

import numpy as np

from .derivation import Derivation
from .expression import Expression, Number
from .numbers import number_text
from .plain_text import plain_text
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
    "softmax": "The shares of {v} add up to 1: where one rises, the others fall.",
    "getitem_at": "{v} picks entries of {x}: the gradient goes back to where they were picked.",
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
    names = derivation.names
    v, x = names.text(share.reader), names.text(step.value)
    told = _moves(share, v, x)
    pull = share.pull
    if pull.spread > 1:
        told += f" It is used {pull.spread} times, so its {pull.spread} shares are added up."
    return told


def _moves(share: Share, v: str, x: str) -> str:
    pull = share.pull
    if pull.local is None:
        return _as_a_whole(share).format(v=v, x=x, g=f"dL/d{v}")
    local = pull.local
    if isinstance(local, Number):
        return _by_a_number(local.value, v, x)
    said = plain_text(local.latex)
    if said.startswith("(") and " if " in said:
        value, _, condition = said[1:-1].partition(" if ")
        holds, _, other = condition.partition(", else ")
        if (value, other) == ("1", "0"):
            return f"{v} follows {x} where {holds}; elsewhere nothing passes."
        return f"Where {x} grows by 1, {v} grows by {value} if {holds}, else by {other}."
    several = (
        "an entry of " if np.size(share.reader._content) > 1 and np.size(pull.number) > 1 else ""
    )
    return f"Where {several}{x} grows by 1, {v} grows by {said}{_to_first_order(local, x)}."


def _by_a_number(number: float, v: str, x: str) -> str:
    if number == 1:
        return f"{v} rises one for one with {x}."
    if number == -1:
        return f"{v} falls by as much as {x} rises."
    if number == 0:
        return f"{v} does not move where {x} does."
    way = "grows" if number > 0 else "falls"
    return f"Where {x} grows by 1, {v} {way} by {number_text(abs(number))}."


def _as_a_whole(share: Share) -> str:
    """The words for an operation that does not work entry by entry."""
    pull, record = share.pull, share.reader._record
    direct = record is not None and record[0].name == pull.operation
    if pull.operation in PRODUCTS:
        if pull.position:
            return FACTORS[min(pull.position, 2)]
        if direct:
            return FACTORS[0]
    if direct and pull.operation in SPOKEN:
        return SPOKEN[pull.operation]
    by = f"the rule of {pull.operation}" if direct else "the rules of what lies between, together"
    return "{v} hands {x} its share by " + by + "."


def _to_first_order(local: Expression, x: str) -> str:
    """A slope that itself depends on x holds for small changes only."""
    letters = plain_text(local.latex)
    return ", for small changes" if x in letters else ""
