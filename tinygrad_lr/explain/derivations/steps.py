"""The steps of a derivation: each Value on the path, with the shares from its readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ...core.chain_rule import match_shape
from ...core.value import Value
from ..formula.expression import ONE, Expression, Name, product
from ..graphs.layers import Layer
from ..graphs.replay import leaf_numbers
from .local_derivatives import GraphFormulas, Pull

MAX_INLINE_LATEX = 24  # characters of a formula that the next step repeats instead of naming it


@dataclass(frozen=True, eq=False)
class Share:
    """The share of a Value's gradient that one reader passes to it; see `Pull`.

    - `cotangent`: the reader's own gradient
    - `local_name`: ∂z/∂x, `chain`: dL/dz · ∂z/∂x
    """

    reader: Value
    cotangent: Any
    value: Value
    local_name: Expression
    chain: Expression
    pull: Pull


@dataclass(frozen=True, eq=False)
class Step:
    """One Value on the path from the loss to the weight.

    - `value`, `name`, `layer`: the Value, its name, and the layer it belongs to
    - `forward`: the formula that computed it; None for a leaf
    - `derivative`: the name dL/dv of its gradient
    - `shares`: one for each reader on the path; they add up to the gradient
    - `closed`: the gradient's formula, in which a short chain so far is written out
    - `data`: the numbers of the Value that the loss was computed from; a leaf may have others now
    - `gradient`: its numbers (along the chosen path only, where one is chosen)
    - `rounding`: how much of each may be rounding, since its terms cancel; see `shown`
    """

    value: Value
    data: Any
    name: Name
    layer: Layer | None
    forward: Expression | None
    derivative: Name
    shares: tuple[Share, ...]
    closed: Expression
    gradient: Any
    rounding: Any = 0.0

    @property
    def shown(self) -> Any:
        """The gradient as it is printed: 0 where nothing but rounding is left of its terms."""
        if isinstance(self.gradient, str) or not np.any(self.rounding):
            return self.gradient
        return np.where(np.abs(self.gradient) <= self.rounding, 0.0, self.gradient)


def build_steps(
    formulas: GraphFormulas,
    cotangents: Mapping[Value, Any],
    chosen: set[Value],
    followed: tuple[Value, ...] | None,
    before: Mapping[Value, Sequence[Value]],
) -> list[Step]:
    """Return the steps from the loss down, each one after all of its readers."""
    names, loss = formulas.names, formulas.loss
    leaves = leaf_numbers(names.order)
    reading = {x: layer for layer in reversed(names.layers) for x in layer.parameters}
    order = list(followed) if followed is not None else _order(names.order, chosen, before)
    after = dict(pairwise(order)) if followed is not None else None
    shares: dict[Value, list[Share]] = {x: [] for x in order}
    done: dict[Value, Step] = {}
    for value in order:
        along = _gradient_along(value, shares[value], cotangents, followed is not None, loss)
        closed = _closed_form(value, shares[value], done, loss)
        step = Step(
            value=value,
            data=leaves.get(value, value._content),
            name=Name(names.latex(value)),
            layer=names.layer_of(value) or reading.get(value),
            forward=formulas.forward(value) if value.record is not None else None,
            derivative=formulas.derivative(value),
            shares=tuple(shares[value]),
            closed=closed,
            gradient=copy_array(along),
            rounding=sum((_rounding(share) for share in shares[value]), start=0.0),
        )
        done[value] = step
        if value.record is None:
            continue
        for x, pull in formulas.pull(value, along).items():
            if x in shares and (after is None or after.get(value) is x):
                local = formulas.partial(x, of=value)
                above = step.derivative
                if pull.local is None or not pull.local.matrix:  # · for numbers, and for any rule
                    above = replace(above, rank=0)
                chain = local if value is loss else product(above, local)
                shares[x].append(Share(value, along, x, local, chain, pull))
    return list(done.values())


def _rounding(share: Share) -> Any:
    """Return the rounding that the sum of a share's terms may leave: some eps of their sizes."""
    pull, record = share.pull, share.reader.record
    sizes: Any = 0.0
    if pull.spread > 1:
        sizes = match_shape(np.abs(pull.terms), share.value._content)
    elif (
        record is not None
        and record.operation.name == pull.operation
        and record.operation.matrix_product
        and pull.position < 2
    ):
        rule = record.operation.rules[pull.position]
        numbers = (share.cotangent, share.reader._content, *record.numbers)
        sizes = rule(*map(np.abs, numbers))  # type: ignore[misc]
    if np.shape(sizes) not in {(), np.shape(pull.number)}:
        return 0.0
    return 4 * np.finfo(np.result_type(pull.number, np.float16)).eps * sizes


def _order(
    computed: Sequence[Value], chosen: Set[Value], before: Mapping[Value, Sequence[Value]]
) -> list[Value]:
    """Return readers before their operands; a leaf as soon as all its readers are there."""
    results = [x for x in reversed(computed) if x in chosen and x.record is not None]
    last = {x: value for value in results for x in before.get(value, ()) if x.record is None}
    following: dict[Value, list[Value]] = {}
    for leaf in (x for x in computed if x in last and x in chosen):
        following.setdefault(last[leaf], []).append(leaf)
    return [x for value in results for x in (value, *following.get(value, ()))]


def _gradient_along(
    value: Value,
    shares: Sequence[Share],
    cotangents: Mapping[Value, Any],
    single_path: bool,
    loss: Value,
) -> Any:
    """Return the gradient of a Value, or the share of the single path that is followed."""
    if not single_path or value is loss:
        return cotangents[value]
    return shares[0].pull.number


def _closed_form(
    value: Value, shares: Sequence[Share], done: Mapping[Value, Step], loss: Value
) -> Expression:
    """Return the gradient's formula: that of the step before, if short, times the local one."""
    if value is loss:
        return ONE
    if len(shares) != 1:
        return Name(r"\text{their sum}")
    pull, reader = shares[0].pull, shares[0].reader
    before = done[reader].closed
    unit = pull.local is not None and pull.local.latex in {"1", "-1"} and pull.spread <= 1
    if (
        unit
        and reader is not loss
        and len(before.latex) <= MAX_INLINE_LATEX
        and len(done[reader].shares) == 1
    ):
        return product(before, pull.local)  # type: ignore[arg-type]
    return pull.formula


def copy_array(x: Any) -> Any:
    """Return a copy of an array, so that a caller cannot change the graph's own."""
    return np.array(x) if isinstance(x, np.ndarray) else x
