"""A derivation as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...support.errstate import silent
from ...support.text_format import ENDS, MOST, array_text, factor_text, number_text, shape_text
from ..formula.expression import Count, Expression
from ..formula.plain_text import plain_text
from .model import DerivationData
from .prose import sentence
from .steps import Share, Step
from .terms import Terms, terms_of

MARGIN = "   "
LONGEST = 80  # steps that are written out
MOST_LISTED = 30  # names in one sentence


@silent
def derivation_text(derivation: DerivationData, width: int = 80) -> str:
    """The derivation in lines of at most so many columns, but for formulas that are longer."""
    return "\n".join(_lines(derivation, width)).rstrip() + "\n"


def _lines(derivation: DerivationData, width: int) -> Iterator[str]:
    names = derivation.names
    loss, of = names.text(derivation.loss), listed([names.text(x) for x in derivation.wrt])
    yield f"How {loss} depends on {of}"
    yield from _paragraph(about(derivation), width)
    yield ""
    yield f"Forward, from the data to {loss}"
    yield from _forward(derivation, width)
    yield ""
    yield f"Back, from {loss} to {of}, by the chain rule"
    layered = len([layer for layer in names.layers if layer.parameters]) > 1
    heading = ""
    for step in shown_steps(derivation.steps[1:]):
        if step is None:
            yield ""
            yield f"{MARGIN}… {left_out(derivation.steps[1:])} …"
            continue
        if layered and step.layer is not None and step.layer.name != heading:
            heading = step.layer.name
            yield ""
            yield f"{MARGIN}{'the ' if heading == 'loss' else ''}{heading}"
        yield ""
        yield from _step(step, derivation, width)
    yield ""
    yield "The update: new = old − learning rate · slope"
    for i in shown_places(len(derivation.wrt)):
        if i is None:
            yield f"{MARGIN}… {len(derivation.wrt) - LONGEST} more …"
        else:
            yield from _update(derivation, derivation.wrt[i], derivation.gradients[i], width)


def listed(words: list[str]) -> str:
    """Words with commas and an and between; of very many the first ones, and how many there are.

    >>> listed(["w"]), listed(["w", "b"]), listed(["u", "v", "w"])
    ('w', 'w and b', 'u, v and w')
    """
    if len(words) > MOST_LISTED:
        left = len(words) - MOST_LISTED + 1
        words = [*words[: MOST_LISTED - 1], f"{left} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def about(derivation: DerivationData) -> str:
    """What letters stand for, and how many ways there are."""
    names = derivation.names
    legend = [f"{name} is {path}" for name, path in names.legend()]
    more = f"and {len(legend) - MOST_LISTED} more"
    told = [*legend[:MOST_LISTED], *([more] if len(legend) > MOST_LISTED else [])]
    counts = sorted({n for step in derivation.steps for n in counted(step)})
    told += [f"N = {n}" for n in counts[:3]]
    sentences = [", ".join(told) + "."] if told else []
    if derivation.apart:
        loss = names.text(derivation.loss)
        apart = listed(list(derivation.apart))
        why = "on it, or it is" if len(derivation.apart) == 1 else "on them, or they are"
        sentences.append(f"No gradient reaches {apart}: {loss} does not depend {why} frozen.")
    if derivation.path is not None:
        way = " ← ".join(names.text(x) for x in derivation.path)
        count = derivation.paths[0]
        which = f"One of {_count(count)} paths" if count > 1 else "The only path"
        sentences.append(f"{which} is followed: {way}.")
    else:
        many = [
            f"{_count(paths)} paths lead to {names.text(x)}; their shares add up."
            for x, paths in zip(derivation.wrt, derivation.paths, strict=True)
            if paths > 1
        ]
        sentences += many[:MOST_LISTED]
    if derivation.at:
        name = names.text(derivation.wrt[0])
        sentences.append(f"Followed: {name}{entry_text(derivation.at)}.")
    return " ".join(sentences)


def _count(paths: int) -> str:
    """How many, in full where that can be read."""
    return f"{paths:,}" if paths < 10**15 else f"about 10^{len(str(paths)) - 1}"


def counted(step: Step) -> Iterator[int]:
    """What N stands for in the formulas of a step."""
    formulas: list[Expression] = [x for x in (step.forward, step.closed) if x is not None]
    for formula in formulas:
        yield from (x.count for x in formula.walk() if isinstance(x, Count))


def _forward(derivation: DerivationData, width: int) -> Iterator[str]:
    names = derivation.names
    rows = []
    for step in shown_steps(forward_order(derivation)):
        if step is None:
            rows.append(("", None))
            continue
        formula = "" if step.forward is None else f" = {step.forward.text}"
        rows.append((f"{names.text(step.value)}{formula}", step.data))
    column = min(max(len(left) for left, _ in rows), 30)
    for left, data in rows:
        if not left:
            yield f"{MARGIN}… {left_out(derivation.steps)} …"
            continue
        yield from _valued(f"{MARGIN}{left:{column}} = ", data, width)


def forward_order(derivation: DerivationData) -> list[Step]:
    """The steps in the order in which they were computed, leaves first."""
    leaves = [step for step in derivation.steps if step.forward is None]
    leaves.sort(key=lambda step: step.value._serial)
    return [*leaves, *(step for step in reversed(derivation.steps) if step.forward is not None)]


def shown_steps(steps: Sequence[Step]) -> list[Step | None]:
    """All steps, or of very many the first and the last, with None between."""
    return [None if i is None else steps[i] for i in shown_places(len(steps))]


def shown_places(count: int) -> list[int | None]:
    """All places of a list, or of a very long one the first and the last, with None between."""
    if count <= LONGEST:
        return list(range(count))
    half = LONGEST // 2
    return [*range(half), None, *range(count - half, count)]


def left_out(steps: Sequence[Step]) -> str:
    """How many of the steps are not shown."""
    return f"{len(steps) - LONGEST} more steps, in .steps"


def _valued(start: str, data: Any, width: int) -> Iterator[str]:
    """A line with numbers at its end, and their shape where there are several."""
    shown = fitting(data, width - len(start) - 2)
    shape = f"   ({shape_text(np.shape(data))})" if np.ndim(data) else ""
    line = start + shown + shape
    if len(line) <= width:
        yield line
    elif start.strip() == "=":
        yield start + fitting(data, width - len(start) - len(shape)) + shape
    else:
        yield start.rstrip(" =")
        yield f"{MARGIN}   = {fitting(data, width - 8 - len(shape))}{shape}"


def fitting(data: Any, width: int) -> str:
    """Numbers in as many digits as there is room for; of a matrix its first row and its last.

    A matrix of one entry is that number, one of a single column the list of its entries.

    >>> fitting(np.ones((1, 1)), 20), fitting(np.ones((2, 1)), 20), fitting(np.ones((2, 2)), 20)
    ('1', '[1, 1]', '[[1, 1], [1, 1]]')
    """
    if np.size(data) == 1:
        return number_text(float(np.asarray(data).reshape(-1)[0]))
    if np.ndim(data) == 2 and np.shape(data)[1] == 1:
        data = np.asarray(data)[:, 0]
    for digits in (4, 3, 2):
        text = array_text(data, digits)
        if len(text) <= width:
            return text
    array = np.asarray(data)
    if not array.size:
        return "empty"
    if array.ndim < 2:
        first = [number_text(float(x), 3) for x in array.reshape(-1)[:2]]
        return f"[{', '.join(first)}, … {number_text(float(array.reshape(-1)[-1]), 3)}]"
    corner = array.reshape(-1)
    return f"[{number_text(float(corner[0]), 3)} … {number_text(float(corner[-1]), 3)}]"


def _step(step: Step, derivation: DerivationData, width: int) -> Iterator[str]:
    name = step.derivative.text
    several = len(step.shares) > 1
    for share in step.shares:
        local, pull = share.local_name.text, share.pull
        if share.reader is not derivation.loss and pull.local is not None:
            yield f"{MARGIN}{local} = {pull.local.text}"
        parts = [plain_text(part) for part in equal_parts(step, share, derivation)]
        if several:
            by = derivation.names.text(share.reader)
            yield from _chain(f"{MARGIN}through {by}: ", parts, width)
            yield from _valued(f"{MARGIN}   = ", pull.number, width)
        else:
            yield from _chain(f"{MARGIN}{name} = ", parts, width)
            if parts[-1] == array_text(step.gradient):
                pass  # it is but a number, which stands there already
            else:
                yield from _valued(f"{MARGIN}{' ' * len(name)} = ", step.gradient, width)
        yield from _paragraph(sentence(share, step, derivation), width)
    if several:
        yield from _valued(f"{MARGIN}{name} = their sum = ", step.gradient, width)
    if derivation.at is not None and step.value is derivation.wrt[0]:
        yield from _entry(step, derivation, width)


def equal_parts(step: Step, share: Share, derivation: DerivationData) -> list[str]:
    """The chain in LaTeX, and what it comes to: each formula once."""
    chain = [] if share.reader is derivation.loss else [share.chain.latex]
    found = share.pull.formula if len(step.shares) > 1 else step.closed
    return list(dict.fromkeys([*chain, found.latex]))


def _chain(start: str, parts: list[str], width: int) -> Iterator[str]:
    """Equal formulas on a line, or on several where they are long."""
    line = start + " = ".join(parts)
    if len(line) <= width:
        yield line
        return
    yield start + parts[0]
    for part in parts[1:]:
        yield f"{' ' * (len(start) - 2)}= {part}"


def _entry(step: Step, derivation: DerivationData, width: int) -> Iterator[str]:
    """The terms that the followed entry is the sum of."""
    at = derivation.at or ()
    name = f"{step.derivative.text}{entry_text(at)}"
    for share in step.shares:
        found = terms_of(share, at)
        if found is None:
            continue
        yield f"{MARGIN}{name} is a sum over {found.count} {found.over}:"
        yield from _table(found)
    yield f"{MARGIN}{name} = {number_text(float(np.asarray(step.gradient)[at]), 6)}"


def _table(found: Terms) -> Iterator[str]:
    rows = [["", *found.factors, "product"]]
    for i in shown_rows(found):
        if i is None:
            rows.append(["…"])
            continue
        numbers = [*(column[i] for column in found.columns), found.terms[i]]
        rows.append([f"{found.thing} {i}", *(number_text(float(x)) for x in numbers)])
    widths = [max(len(row[k]) for row in rows if k < len(row)) for k in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=False)]
        yield (MARGIN * 2 + "  ".join(cells)).rstrip()


def shown_rows(found: Terms) -> list[int | None]:
    """Which terms are shown: all of a few, else the first and the last with None between."""
    if found.count <= MOST:
        return list(range(found.count))
    return [*range(ENDS), None, found.count - 1]


def _update(derivation: DerivationData, x: Any, gradient: Any, width: int) -> Iterator[str]:
    """The descent's step for one Value."""
    name, rate = (
        derivation.names.text(x) + entry_text(derivation.at or ()),
        derivation.learning_rate,
    )
    data = derivation.step(x).data
    old, slope = of_entry(data, derivation.at), of_entry(gradient, derivation.at)
    step = "learning rate" if rate is None else number_text(rate)
    factor = fitting(slope, 24)
    if np.size(slope) == 1:
        number = float(np.asarray(slope).reshape(-1)[0])
        yield from _paragraph(direction(derivation, x, number), width)
        factor = factor_text(number)
        old = float(np.asarray(old).reshape(-1)[0])
        slope = number
    line = f"{MARGIN}{name} = {fitting(old, 24)} − {step} · {factor}"
    if rate is None:
        yield line
    else:
        yield from _valued(f"{line} = ", old - rate * np.asarray(slope), width)


def of_entry(numbers: Any, at: tuple[int, ...] | None) -> Any:
    """The followed entry, or all."""
    return numbers if at is None else np.asarray(numbers)[at]


def direction(derivation: DerivationData, x: Any, slope: float) -> str:
    """Which way the slope sends a number, in words."""
    loss = derivation.names.text(derivation.loss)
    name = derivation.names.text(x) + entry_text(derivation.at or ())
    if slope == 0:
        return f"d{loss}/d{name} is zero: {loss} is flat here, so {name} stays."
    if slope != slope:  # noqa: PLR0124 - nan
        return f"d{loss}/d{name} is nan: it does not say which way {loss} falls."
    if slope > 0:
        return f"d{loss}/d{name} is positive: {loss} grows as {name} grows, so {name} goes down."
    return f"d{loss}/d{name} is negative: {loss} falls as {name} grows, so {name} goes up."


def entry_text(at: tuple[int, ...]) -> str:
    """An entry's place.

    >>> entry_text((0, 2)), entry_text(())
    ('[0, 2]', '')
    """
    return f"[{', '.join(map(str, at))}]" if at else ""


def _paragraph(text: str, width: int) -> Iterator[str]:
    yield from textwrap.wrap(text, width, initial_indent=MARGIN, subsequent_indent=MARGIN)
