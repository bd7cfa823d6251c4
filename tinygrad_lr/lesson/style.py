"""Text on a terminal: aligned columns, wrapped sentences, and colour where it is supported."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from ..support.files import printable
from ..support.text_format import group_digits, number_text

WIDTH = 78  # columns of text
MARGIN = "   "
ASCII = str.maketrans(
    {"ŷ": "yhat", "λ": "lambda_", "²": "^2", "Σ": "sum", "·": "*", "±": "+-", "→": "->", "≈": "~"}
    | {"∞": "inf"}
)
"""Replacements for a terminal whose encoding lacks these."""


@dataclass(frozen=True)
class Ink:
    """Colours as ANSI codes, or plain text."""

    colored: bool = False

    def heading(self, text: str) -> str:
        """Return the text in bold."""
        return self._color("1", text)

    def good(self, text: str) -> str:
        """Return the text in green."""
        return self._color("32", text)

    def bad(self, text: str) -> str:
        """Return the text in red."""
        return self._color("31", text)

    def warm(self, text: str) -> str:
        """Return the text in yellow."""
        return self._color("33", text)

    def key(self, text: str) -> str:
        """Return the text in bold cyan."""
        return self._color("1;36", text)

    def faint(self, text: str) -> str:
        """Return the text dimmed."""
        return self._color("2", text)

    def _color(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colored else text


def supports_color(stream: TextIO) -> bool:
    """Return True if the stream is a terminal that shows colours.

    NO_COLOR (https://no-color.org) and TERM=dumb turn colours off.
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in {"dumb", ""}
    return not plain and stream.isatty()


def to_encodable(text: str, encoding: str | None) -> str:
    """Return the text in characters that the encoding has."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        text = text.translate(ASCII)
        return text.encode("ascii", "backslashreplace").decode()
    return text


def format_number(number: float, digits: int = 6) -> str:
    """Return a number in few digits, with an ASCII minus sign, and a dash for nan.

    >>> format_number(0.0238657359403818), format_number(float("nan")), format_number(-1000.0)
    ('0.0238657', '-', '-1000')
    """
    return "-" if math.isnan(number) else number_text(number, digits).replace("−", "-")


def format_count(number: int) -> str:
    """Return an integer with a space between thousands, from 10 000 on.

    >>> format_count(1000), format_count(580672)
    ('1000', '580 672')
    """
    return str(number) if number < 10_000 else group_digits(number)


def shorten(name: str, width: int = 24) -> str:
    """Return a name on one line, in at most `width` characters.

    >>> shorten("a" * 30, 8)
    'aaaaa...'
    """
    shown = printable(name)
    return shown if len(shown) <= width else shown[: width - 3] + "..."


def align(rows: Sequence[Sequence[str]], left: int = 1, gap: int = 3) -> list[str]:
    """Align rows of cells: the first `left` columns to the left, the others to the right.

    >>> align([["step", "loss"], ["0", "6.64"], ["10", "0.5"]])
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


def wrap(text: str) -> list[str]:
    """Wrap sentences to the width, behind the margin."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=MARGIN,
        subsequent_indent=MARGIN,
        break_on_hyphens=False,
    )
