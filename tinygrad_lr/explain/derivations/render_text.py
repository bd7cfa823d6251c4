"""Render a derivation as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...support.errstate import ignore_float_errors
from ...support.text_format import (
    HEAD_ENTRIES,
    MAX_ENTRIES,
    array_text,
    factor_text,
    index_text,
    number_text,
    shape_text,
)
from ..formula.expression import Count, Expression
from ..formula.plain_text import plain_text
from .local_derivatives import Given
from .model import DerivationData
from .steps import Share, Step
from .terms import Terms, terms_of

MARGIN = "   "
MAX_STEPS = 80  # steps written out in full
MAX_NAMES = 30  # names in one sentence
MAX_MATRIX = 8  # rows and columns of a matrix that is written out


@ignore_float_errors
def derivation_text(derivation: DerivationData, width: int = 80) -> str:
    """Return the derivation in lines of at most `width` columns; a longer formula is not broken."""
    return "\n".join(_lines(derivation, width)).rstrip() + "\n"


def _lines(derivation: DerivationData, width: int) -> Iterator[str]:
    names = derivation.names
    loss, of = names.text(derivation.loss), join_names([names.text(x) for x in derivation.wrt])
    yield f"How {loss} depends on {of}"
    yield from _paragraph(introduction(derivation), width)
    if derivation.notation:
        yield from _paragraph(notation_text(derivation), width)
    yield ""
    yield f"Forward, from the data to {loss}"
    yield from _forward(derivation, width)
    yield ""
    yield f"Back, from {loss} to {of}, by the chain rule"
    layered = len([layer for layer in names.layers if layer.parameters]) > 1
    heading = ""
    for step in select_steps(derivation.steps[1:]):
        if step is None:
            yield ""
            yield f"{MARGIN}… {omission_text(derivation.steps[1:])} …"
            continue
        if layered and step.layer is not None and step.layer.name != heading:
            heading = step.layer.name
            yield ""
            yield f"{MARGIN}{'the ' if heading == 'loss' else ''}{heading}"
        yield ""
        yield from _step(step, derivation, width)
    yield ""
    yield "The update: new = old − learning rate · slope"
    for i in select_indices(len(derivation.wrt)):
        if i is None:
            yield f"{MARGIN}… {len(derivation.wrt) - MAX_STEPS} more …"
        else:
            yield from _update(derivation, derivation.wrt[i], derivation.gradients[i], width)


def join_names(words: list[str]) -> str:
    """Join words with commas and "and"; a very long list is cut, and the rest counted.

    >>> join_names(["w"]), join_names(["w", "b"]), join_names(["u", "v", "w"])
    ('w', 'w and b', 'u, v and w')
    """
    if len(words) > MAX_NAMES:
        left = len(words) - MAX_NAMES + 1
        words = [*words[: MAX_NAMES - 1], f"{left} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def introduction(derivation: DerivationData) -> str:
    """Return the legend of names, and sentences on the number of paths and what is followed."""
    names = derivation.names
    legend = [f"{name} is {path}" for name, path in names.legend()]
    more = f"and {len(legend) - MAX_NAMES} more"
    parts = [*legend[:MAX_NAMES], *([more] if len(legend) > MAX_NAMES else [])]
    counts = sorted({n for step in derivation.steps for n in counts_in(step)})
    parts += [f"N = {n}" for n in counts[:3]]
    sentences = [", ".join(parts) + "."] if parts else []
    if derivation.apart:
        loss = names.text(derivation.loss)
        apart = join_names(list(derivation.apart))
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
        sentences += many[:MAX_NAMES]
    if derivation.at:
        name = names.text(derivation.wrt[0])
        sentences.append(f"Followed: {name}{index_text(derivation.at)}.")
    return " ".join(sentences)


def notation_text(derivation: DerivationData) -> str:
    """Return what the signs in the formulas mean."""
    return f"Notation: {'; '.join(derivation.notation)}."


def _count(paths: int) -> str:
    """Return a number of paths in full if it is readable, else as a power of ten."""
    return f"{paths:,}" if paths < 10**15 else f"about 10^{len(str(paths)) - 1}"


def counts_in(step: Step) -> Iterator[int]:
    """Yield the counts written as N in the formulas of a step."""
    formulas: list[Expression] = [x for x in (step.forward, step.closed) if x is not None]
    for share in step.shares:
        formulas += [x for x in (share.pull.formula, share.pull.local) if x is not None]
    for formula in formulas:
        yield from (x.count for x in formula.walk() if isinstance(x, Count))


def _forward(derivation: DerivationData, width: int) -> Iterator[str]:
    rows = [
        ("", None)
        if i is None
        else (left_side(derivation.forward[i], "text"), derivation.forward[i].data)
        for i in select_indices(len(derivation.forward))
    ]
    column = min(max(len(left) for left, _ in rows), 30)
    for left, data in rows:
        if not left:
            yield f"{MARGIN}… {omission_text(derivation.forward)} …"
            continue
        yield from _equals_numbers(f"{MARGIN}{left:{column}} = ", data, width)


def left_side(given: Given, form: str) -> str:
    """Return the name of a line of the forward pass, and its formula, as "text" or "latex"."""
    formula = "" if given.formula is None else f" = {getattr(given.formula, form)}"
    return f"{getattr(given.name, form)}{formula}"


def select_steps(steps: Sequence[Step]) -> list[Step | None]:
    """Return all steps, or the first and last of a long list with None in between."""
    return [None if i is None else steps[i] for i in select_indices(len(steps))]


def select_indices(count: int) -> list[int | None]:
    """Return all indices, or the first and last of a long list with None in between."""
    if count <= MAX_STEPS:
        return list(range(count))
    half = MAX_STEPS // 2
    return [*range(half), None, *range(count - half, count)]


def omission_text(lines: Sequence[Step] | Sequence[Given]) -> str:
    """Return the note on the steps that are not shown."""
    left = len(lines) - MAX_STEPS
    where = "forward" if isinstance(lines[0], Given) else "steps"
    return f"{left} more step{'s' * (left != 1)}, in .{where}"


def _equals_numbers(start: str, data: Any, width: int) -> Iterator[str]:
    """Yield a line that ends in numbers, and in their shape if there are several."""
    shape = f"   ({shape_text(np.shape(data))})" if np.ndim(data) else ""
    below = f"{MARGIN}   = "
    if (rows := matrix_rows(data, width - len(below) - len(shape))) is not None:
        first = start if len(start) + len(rows[0]) + len(shape) <= width else below
        if first != start:
            yield start.rstrip(" =")
        yield first + rows[0]
        yield from (" " * len(first) + row for row in rows[1:-1])
        yield " " * len(first) + rows[-1] + shape
        return
    shown = fit_numbers(data, width - len(start) - 2)
    line = start + shown + shape
    if len(line) <= width:
        yield line
    elif start.strip() == "=":
        yield start + fit_numbers(data, width - len(start) - len(shape)) + shape
    else:
        yield start.rstrip(" =")
        yield f"{MARGIN}   = {fit_numbers(data, width - 8 - len(shape))}{shape}"


def matrix_rows(data: Any, width: int) -> list[str] | None:
    """Return the rows of a small matrix in columns, or None for another array.

    >>> matrix_rows(np.array([[1.0, -2.5], [0.25, 3.0]]), 40)
    ['[   1  −2.5]', '[0.25     3]']
    """
    array = np.asarray(data)
    small = array.ndim == 2 and min(array.shape) > 1 and max(array.shape) <= MAX_MATRIX
    if not small:
        return None
    for digits in (4, 3, 2):
        cells = [[number_text(float(x), digits) for x in row] for row in array]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        rows = [
            "[" + "  ".join(x.rjust(n) for x, n in zip(row, widths, strict=True)) + "]"
            for row in cells
        ]
        if len(rows[0]) <= width:
            return rows
    return None


def fit_numbers(data: Any, width: int) -> str:
    """Return numbers in as many digits as fit; an array that does not fit is abbreviated.

    An array with one entry is written as a number, one with a single row or column as a list.

    >>> [fit_numbers(np.ones(shape), 20) for shape in [(1, 1), (2, 1), (2, 2)]]
    ['1', '[1, 1]', '[[1, 1], [1, 1]]']
    """
    if isinstance(data, str):  # a gap
        return data
    if np.size(data) == 1:
        return number_text(float(np.asarray(data).reshape(-1)[0]))
    if sum(n > 1 for n in np.shape(data)) == 1:
        data = np.ravel(data)
    for digits in (4, 3, 2):
        text = array_text(data, digits)
        if np.ndim(data) == 1 and np.size(data) <= MAX_MATRIX:
            text = f"[{', '.join(number_text(float(x), digits) for x in data)}]"
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
            yield from _equals_numbers(f"{MARGIN}   = ", pull.number, width)
        else:
            yield from _chain(f"{MARGIN}{name} = ", parts, width)
            gap = isinstance(step.gradient, str)
            if gap or parts[-1] == array_text(step.shown):
                pass  # it is a single number, and already shown; or a gap
            else:
                yield from _equals_numbers(f"{MARGIN}{' ' * len(name)} = ", step.shown, width)
        yield from _paragraph(derivation.sentences[share], width)
    if several:
        yield from _equals_numbers(f"{MARGIN}{name} = their sum = ", step.shown, width)
    if derivation.at is not None and step.value is derivation.wrt[0]:
        yield from _entry(step, derivation, width)


def equal_parts(step: Step, share: Share, derivation: DerivationData) -> list[str]:
    """Return the chain in LaTeX and the formulas that it equals, without repetition."""
    chain = [] if share.reader is derivation.loss else [share.chain.latex]
    found = share.pull.formula if len(step.shares) > 1 else step.closed
    return list(dict.fromkeys([*chain, found.latex]))


def _chain(start: str, parts: list[str], width: int) -> Iterator[str]:
    """Yield equal formulas on one line, or on several if they are long."""
    line = start + " = ".join(parts)
    if len(line) <= width:
        yield line
        return
    yield start + parts[0]
    for part in parts[1:]:
        yield f"{' ' * (len(start) - 2)}= {part}"


def _entry(step: Step, derivation: DerivationData, width: int) -> Iterator[str]:
    """Yield the terms whose sum is the followed entry."""
    at = derivation.at or ()
    name = f"{step.derivative.text}{index_text(at)}"
    for share in step.shares:
        found = terms_of(share, at)
        if found is None:
            continue
        yield f"{MARGIN}{name} is a sum over {found.count} {found.over}:"
        yield from _table(found)
    yield f"{MARGIN}{name} = {number_text(float(np.asarray(step.gradient)[at]), 6)}"


def _table(found: Terms) -> Iterator[str]:
    rows = [["", *found.factors, "product"]]
    for i in select_rows(found):
        if i is None:
            rows.append(["…"])
            continue
        numbers = [*(column[i] for column in found.columns), found.terms[i]]
        rows.append([f"{found.thing} {i}", *(number_text(float(x)) for x in numbers)])
    widths = [max(len(row[k]) for row in rows if k < len(row)) for k in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=False)]
        yield (MARGIN * 2 + "  ".join(cells)).rstrip()


def select_rows(found: Terms) -> list[int | None]:
    """Return the indices of the terms to show: all, or the ends with None in between."""
    if found.count <= MAX_ENTRIES:
        return list(range(found.count))
    return [*range(HEAD_ENTRIES), None, found.count - 1]


def _update(derivation: DerivationData, x: Any, gradient: Any, width: int) -> Iterator[str]:
    """Yield the update of one Value by gradient descent."""
    name, rate = (
        derivation.names.text(x) + index_text(derivation.at or ()),
        derivation.learning_rate,
    )
    data = derivation.step(x).data
    old, slope = pick_entry(data, derivation.at), pick_entry(gradient, derivation.at)
    step = "learning rate" if rate is None else number_text(rate)
    if isinstance(gradient, str):  # a gap
        yield f"{MARGIN}new {name} = {name} − {step} · {gradient}"
        return
    factor = fit_numbers(slope, 24)
    if np.size(slope) == 1:
        number = float(np.asarray(slope).reshape(-1)[0])
        yield from _paragraph(describe_direction(derivation, x, number), width)
        factor = factor_text(number)
        old = float(np.asarray(old).reshape(-1)[0])
        slope = number
    if np.size(slope) > 1:
        line = f"{MARGIN}new {name} = {name} − {step} · {derivation.step(x).derivative.text}"
    else:
        line = f"{MARGIN}{name} = {fit_numbers(old, 24)} − {step} · {factor}"
    if rate is None:
        yield line
    else:
        yield from _equals_numbers(f"{line} = ", old - rate * np.asarray(slope), width)


def pick_entry(numbers: Any, at: tuple[int, ...] | None) -> Any:
    """Return the followed entry, or all numbers if `at` is None."""
    return numbers if at is None or isinstance(numbers, str) else np.asarray(numbers)[at]


def describe_direction(derivation: DerivationData, x: Any, slope: float) -> str:
    """Return a sentence on the direction in which the slope moves a number."""
    loss = derivation.names.text(derivation.loss)
    name = derivation.names.text(x) + index_text(derivation.at or ())
    if slope == 0:
        return f"d{loss}/d{name} is zero: {loss} is flat here, so {name} stays."
    if slope != slope:  # noqa: PLR0124 - nan
        return f"d{loss}/d{name} is nan: it does not say which way {loss} falls."
    if slope > 0:
        return f"d{loss}/d{name} is positive: {loss} grows as {name} grows, so {name} goes down."
    return f"d{loss}/d{name} is negative: {loss} falls as {name} grows, so {name} goes up."


def _paragraph(text: str, width: int) -> Iterator[str]:
    yield from textwrap.wrap(text, width, initial_indent=MARGIN, subsequent_indent=MARGIN)
