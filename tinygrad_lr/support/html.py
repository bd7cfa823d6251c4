"""HTML for notebooks: escaped text, tables and parts that fold, in the colours of their page.

Nothing here has a script, an id, a class or an external resource, so that a piece can be shown
twice, in any notebook, on a light page and on a dark one.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .files import printable
from .text_format import array_text, number_text

MAX_ROWS, MAX_COLUMNS = 8, 8
"""Of a table of numbers, with its last row and column; what is between them is left out."""

MAX_TEXT = 400  # characters of a name or a sentence
MAX_COUNTED = 10**7  # entries of an array that are looked at for its range

RULE = "1px solid rgba(128, 128, 128, 0.4)"
CELL = "padding: 0.15em 0.6em; border: 0; background: none; color: inherit; vertical-align: top; "
WORDS, NUMBERS = f"{CELL}text-align: left", f"{CELL}text-align: right"
TABLE = (
    "border: 0; border-collapse: collapse; color: inherit; background: none; "
    "margin: 0.3em 1.5em 0.3em 0; font-variant-numeric: tabular-nums"
)
SIDE_BY_SIDE = "display: flex; flex-wrap: wrap; align-items: flex-start"


class Html(str):
    """Text that is HTML already: everything else is escaped."""

    __slots__ = ()


def escape(text: object) -> Html:
    """Text as HTML; what is HTML stays. The end of a long text is left out.

    >>> print(escape('<img src=x onerror=alert(1)> & "Ada"'), escape(Html("<b>")))
    &lt;img src=x onerror=alert(1)&gt; &amp; &quot;Ada&quot; <b>
    """
    if isinstance(text, Html):
        return text
    shown = printable(str(text))
    if len(shown) > MAX_TEXT:
        shown = f"{shown[:MAX_TEXT]}…"
    return Html(html.escape(shown, quote=True))


def element(tag: str, *inside: object, **attributes: object) -> Html:
    """An element with text or elements inside; - in the name of an attribute is written _.

    >>> print(element("td", "a < b", element("b", 3), colspan=2))
    <td colspan="2">a &lt; b<b>3</b></td>
    """
    told = "".join(
        f' {name.replace("_", "-")}="{html.escape(printable(str(x)), quote=True)}"'
        for name, x in attributes.items()
    )
    return Html(f"<{tag}{told}>{''.join(map(escape, inside))}</{tag}>")


def join_parts(*parts: object) -> Html:
    """Parts one after the other, in an element of their own that scrolls if it is wide."""
    return element("div", *parts, style="overflow-x: auto; line-height: 1.5")


def title(name: object, *about: object) -> Html:
    """The first line of a display: a name, and what it is."""
    rest = " · ".join(escape(x) for x in about if x)
    first = element("strong", name) if name else Html("")
    return element("div", first, Html(" · " if name and rest else ""), Html(rest))


def details(summary: object, *inside: object) -> Html:
    """A part that is folded until it is asked for."""
    head = element("summary", summary, style="cursor: pointer")
    return element("details", head, *inside)


def code(text: str, most_lines: int = 400) -> Html:
    """A text of many lines as it stands, its end left out where it is long."""
    lines = text.split("\n")
    kept = [html.escape(printable(line), quote=True) for line in lines[:most_lines]]
    if len(lines) > most_lines:
        kept.append(f"… {len(lines) - most_lines:,} more lines")
    style = "color: inherit; background: none; margin: 0.3em 0; overflow-x: auto; line-height: 1.35"
    return element("pre", Html("\n".join(kept)), style=style)


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    caption: object = "",
    numeric: Sequence[int] = (),
    foot: Sequence[object] = (),
) -> Html:
    """A table: a head (if it is not empty), rows whose first cell is their head, and a foot.

    `numeric` says which columns are set flush right.
    """

    def line(cells: Sequence[object], first: str, ruled: str = "", scope: str = "row") -> Html:
        made = []
        for i, x in enumerate(cells):
            style = (NUMBERS if i in numeric else WORDS) + ruled
            if i == 0 or first == "th":
                weight = "; font-weight: 600" if first == "th" else "; font-weight: 400"
                made.append(
                    element("th", x, scope="col" if first == "th" else scope, style=style + weight)
                )
            else:
                made.append(element("td", x, style=style))
        return element("tr", *made, style="background: none")

    parts = []
    if caption:
        above = "caption-side: top; text-align: left; color: inherit; padding: 0.2em 0.6em"
        parts.append(element("caption", caption, style=above))
    if head:
        parts.append(element("thead", line(head, "th", f"; border-bottom: {RULE}")))
    parts.append(element("tbody", *(line(row, "td") for row in rows)))
    if foot:
        parts.append(element("tfoot", line(foot, "td", f"; border-top: {RULE}")))
    return element("table", *parts, style=TABLE)


def shown_positions(count: int, most: int) -> list[int | None]:
    """Return the positions that are shown: all, or the first ones, None for a gap, and the last.

    >>> shown_positions(3, 8), shown_positions(100, 4)
    ([0, 1, 2], [0, 1, None, 99])
    """
    return [*range(count)] if count <= most else [*range(most - 2), None, count - 1]


def array_table(array: Any, caption: object = "") -> Html:
    """Numbers as a table with the positions of rows and columns; the ends of a large array.

    Of more than two axes the first matrix is shown. Below a table that leaves entries out stands
    the range of all of them, and how many are not finite.
    """
    whole = np.asarray(array)
    if not whole.ndim:
        return table([], [[caption or "", array_text(whole)]], numeric=[1])
    where = ""
    if not whole.size:
        return table([], [["empty"]], caption=f"{caption}" if caption else "")
    part = whole
    if whole.ndim > 2:
        part = whole[(0,) * (whole.ndim - 2)]
        where = f", entry [{', '.join('0' * (whole.ndim - 2))}]"
    matrix = part if part.ndim == 2 else part[None]
    rows, columns = (
        shown_positions(matrix.shape[0], MAX_ROWS),
        shown_positions(matrix.shape[1], MAX_COLUMNS),
    )

    def cell(i: int | None, j: int | None) -> str:
        return "…" if i is None or j is None else array_text(matrix[i, j])

    def head(i: int | None) -> str:
        return "…" if i is None else str(i)

    single = part.ndim == 1
    drawn = table(
        ["", *map(head, columns)],
        [["" if single else head(i), *(cell(i, j) for j in columns)] for i in rows],
        caption=f"{caption}{where}",
        numeric=range(len(columns) + 1),
    )
    shown = (len(rows) - (None in rows)) * (len(columns) - (None in columns))
    if shown == whole.size:
        return drawn
    return element("div", drawn, element("div", range_text(whole), style="padding: 0 0.6em"))


def range_text(array: Any) -> str:
    """The range of an array in words, and how many of its entries are not finite.

    >>> range_text(np.array([1.0, np.nan, 3.0])), range_text(np.ones(3))
    ('from 1 to 3; 1 of 3 is not finite', 'all 1')
    """
    if array.size > MAX_COUNTED or np.iscomplexobj(array):
        return f"{array.size:,} entries"
    finite = np.isfinite(array)
    count = array.size - int(np.count_nonzero(finite))
    told = []
    if count < array.size:
        kept = array if not count else array[finite]
        low, high = float(kept.min()), float(kept.max())
        least, most = number_text(low), number_text(high)
        told.append(f"from {least} to {most}" if low < high else f"all {least}")
    if count:
        told.append(f"{count:,} of {array.size:,} {'is' if count == 1 else 'are'} not finite")
    return "; ".join(told)
