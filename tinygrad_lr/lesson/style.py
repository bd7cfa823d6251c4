"""How text looks on a terminal: columns that line up, and colour where a terminal shows it."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from ..support.files import printable

WIDTH = 78  # columns of text
MARGIN = "   "
PLAIN = str.maketrans(
    {"ŷ": "yhat", "λ": "lambda_", "²": "^2", "Σ": "sum", "·": "*", "±": "+-", "→": "->", "≈": "~"}
)
"""For a terminal whose encoding has none of these."""


@dataclass(frozen=True)
class Ink:
    """Colours as ANSI codes, or none of them."""

    colored: bool = False

    def heading(self, text: str) -> str:
        """Bold."""
        return self._inked("1", text)

    def good(self, text: str) -> str:
        """Green."""
        return self._inked("32", text)

    def bad(self, text: str) -> str:
        """Red."""
        return self._inked("31", text)

    def warm(self, text: str) -> str:
        """Yellow."""
        return self._inked("33", text)

    def key(self, text: str) -> str:
        """Bold cyan."""
        return self._inked("1;36", text)

    def faint(self, text: str) -> str:
        """Dim."""
        return self._inked("2", text)

    def _inked(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colored else text


def wants_color(stream: TextIO) -> bool:
    """Whether a person with a terminal that shows colours watches the stream.

    NO_COLOR (https://no-color.org) and TERM=dumb turn colours off.
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in {"dumb", ""}
    return not plain and stream.isatty()


def spelt(text: str, encoding: str | None) -> str:
    """The text in characters that the encoding has."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        text = text.translate(PLAIN)
        return text.encode("ascii", "backslashreplace").decode()
    return text


def short(number: float, digits: int = 6) -> str:
    """A number in few digits, a dash for none.

    >>> short(0.0238657359403818), short(float("nan")), short(1000.0)
    ('0.0238657', '-', '1000')
    """
    return "-" if math.isnan(number) else f"{number + 0.0:.{digits}g}"


def label(name: str, longest: int = 24) -> str:
    """A column's name, on one line and not too long.

    >>> label("a" * 30, 8)
    'aaaaa...'
    """
    shown = printable(name)
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def aligned(rows: Sequence[Sequence[str]], left: int = 1, gap: int = 3) -> list[str]:
    """Rows of cells under each other: the first `left` columns to the left, the rest to the right.

    >>> aligned([["step", "loss"], ["0", "6.64"], ["10", "0.5"]])
    ['step   loss', '0      6.64', '10      0.5']
    """
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append((" " * gap).join(cells).rstrip())
    return lines


def paragraph(text: str) -> list[str]:
    """A sentence or more, within the width and the margin."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=MARGIN,
        subsequent_indent=MARGIN,
        break_on_hyphens=False,
    )
