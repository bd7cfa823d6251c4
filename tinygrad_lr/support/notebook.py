"""Displays for notebooks: a class yields the parts of its display, one renderer makes them HTML.

    @notebook_display
    def _repr_html_(self) -> Iterator[DisplayPart]:
        yield Heading("Line", ["R² 0.29"])
        yield Table(["", "coefficient"], [("SAT", "0.0024")], numeric=[1])

The parts are plain data. `html`, which escapes and lays them out, is imported when a notebook asks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

T = TypeVar("T")

MAX_TABLE_ROWS = 8


class Heading(NamedTuple):
    """The first line: a name, and facts about it."""

    name: object
    facts: Sequence[object] = ()


class Table(NamedTuple):
    """A table whose middle rows are left out where there are more than `max_rows`.

    `numeric` columns are aligned to the right.
    """

    head: Sequence[object]
    rows: Sequence[Sequence[object]]
    caption: object = ""
    numeric: Sequence[int] = ()
    foot: Sequence[object] = ()
    max_rows: int = MAX_TABLE_ROWS


class FoldedCode(NamedTuple):
    """A text of many lines, folded under a summary."""

    summary: str
    text: str


class Bullets(NamedTuple):
    """A list of sentences."""

    sentences: Sequence[str]


DisplayPart: TypeAlias = "Heading | Table | FoldedCode | Bullets | str"
"""A part of a display. A `str` is a sentence, or a picture as `html.Html`."""


def notebook_display(parts: Callable[[T], Iterator[DisplayPart]]) -> Callable[[T], str]:
    """Turn a method that yields parts into a `_repr_html_`."""

    @functools.wraps(parts)
    def _repr_html_(self: T) -> str:
        from .html import join_parts  # here: only notebooks need it

        return join_parts(*map(_render, parts(self)))

    return _repr_html_


def _render(part: DisplayPart) -> object:
    """A part as HTML."""
    from .html import code, details, element, shown_positions, table, title

    match part:
        case Heading(name, facts):
            return title(name, *facts)
        case FoldedCode(summary, text):
            return details(summary, code(text))
        case Bullets(sentences):
            return element("ul", *(element("li", x) for x in sentences), style="margin: 0.3em 0")
        case Table(head, rows, caption, numeric, foot, max_rows):
            shown = [
                [f"… {len(rows) - max_rows + 1:,} more", *[""] * (len(rows[0]) - 1)]
                if i is None
                else rows[i]
                for i in shown_positions(len(rows), max_rows)
            ]
            return table(head, shown, caption=caption, numeric=numeric, foot=foot)
    return part
