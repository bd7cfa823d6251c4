"""The cells of a CSV file: which are numbers, which could be quantities, and what is wrong."""

from __future__ import annotations

import contextlib
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataFileError
from ..files import place_in_file, quote

# Within this alphabet `float` accepts exactly [+-]digits[.digits][e[+-]digits] between blanks:
# underscores, other scripts' digits, nan and inf need characters that are not in it.
NUMERIC = b"-+.0123456789eE \t"
COMMA_TO_NEWLINE, NEWLINE_TO_COMMA = bytes.maketrans(b",", b"\n"), bytes.maketrans(b"\n", b",")

Parse = Callable[[bytes], "NDArray[np.float64] | None"]
MIN_POLARS_SIZE = (
    2**26
)  # bytes of a file: its import takes 0.15 s and 30 MB, and saves 0.3 s in 20 MB

ALONE = "write the number alone, in one unit"
ASCII = "use the digits 0 to 9, '-', '.' and 'e' only"
FILL = "fill it in, or remove the line"
SIGNED = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
MISSING = r"[+-]?(nan|na|n/a|null|none|nil|missing|\?|-+|inf|infinity|∞|#.*)"
COMMA = r"[+-]?\d*,\d+(e[+-]?\d+)?"
SEPARATED = r"[+-]?\d[\d., '\u2019\xa0\u202f]*"
DATE = (
    r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?|\d{1,2}:\d\d.*|"
    r"(\d{1,4}[-/. ]*)?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-/., ]*\d.*"
)
DIAGNOSES = {  # a cell that is not a number -> what it is, what to do
    r"\s*": ("an empty cell", FILL),
    MISSING: ("a missing or infinite value", FILL),
    r"true|false|yes|no|t|f|y|n": ("a truth value", "write 1 or 0"),
    DATE: ("a date or a time", "write it as a number, such as days since a start"),
    COMMA: ("a comma inside a number", "write decimals with a point"),
    SEPARATED: ("separators inside a number", "write 1234.5"),
    r".*[;\t|].*": ("several cells in one", "separate cells with commas"),
    r"[-+]?\d*\.?\d*d[-+]?\d+": ("an exponent after 'd'", "write 1.5e3"),
    r"\(.*\d.*\)": ("a number in parentheses", "write a negative number with '-'"),
    r"(?=.*\d).*[%‰٪％].*": ("a percentage", ALONE),
    rf"{SIGNED}\s*[/⁄]\s*\d+|.*[¼-¾⅐-⅞].*": ("a fraction", "write 0.5"),
    r"[-+]?0[xob][0-9a-f]+|.*\d_\d.*": ("a number in another notation", ASCII),
    r"[<>=~≈≤≥±∼].*\d.*|.*\d\s*(±|\+/-).*": (
        "a bound or an approximate number",
        "write a number, or remove the line",
    ),
    rf"{SIGNED}\s*[a-zµμ°].*": ("a number with letters after it", ALONE),
}

OTHER_MINUS = dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0xFE63, 0xFF0D], "-")
APPROXIMATELY = r"\b(about|approx|around|ca|circa|over|under|above|below|min|max|plus|minus)\b"
MONTH = r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
DAY = r"\b(mon|tue|wed|thu|fri|sat|sun)"
CURRENCY = r"^([A-Z]{3}|Rs\.?|kr\.?|Fr\.?|[A-Z]{1,3}\$)\s*$"


def parse_numbers(text: bytes) -> NDArray[np.float64] | None:
    """Return the numbers in cells separated by commas or newlines; None if one isn't finite.

    >>> parse_numbers(b"1,-2.5e3, .5 "), parse_numbers(b"1,,2"), parse_numbers(b"1,nan")
    (array([ 1.0e+00, -2.5e+03,  5.0e-01]), None, None)
    """
    if not text.strip() or text.translate(None, NUMERIC + b",\n"):
        return None
    line = text.translate(NEWLINE_TO_COMMA).decode()
    try:
        values = np.loadtxt([line], np.float64, comments=None, delimiter=",", ndmin=1)
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def bulk_parser(size: int) -> Parse:
    """Return `parse_numbers`, or a quicker function of the same results for a file of this size.

    That is polars, if it is installed: both round each number to the nearest float64.
    """
    if size < MIN_POLARS_SIZE:
        return parse_numbers
    try:
        import polars
    except ImportError:
        return parse_numbers
    return lambda text: parse_with_polars(polars, text)


def parse_with_polars(polars: Any, text: bytes) -> NDArray[np.float64] | None:
    """Return what `parse_numbers` does; it is asked about all that polars doesn't read as finite.

    In this alphabet polars reads the same cells as NumPy, except that it knows no blanks at the
    end of one, and that an empty cell is null and a number too large is infinite.
    """
    if text.translate(None, NUMERIC + b",\n"):
        return None
    lines = text.translate(COMMA_TO_NEWLINE)
    try:
        frame = polars.read_csv(
            lines, has_header=False, quote_char=None, schema={"number": polars.Float64}
        )
        values: NDArray[np.float64] = frame["number"].to_numpy()  # null is nan
    except Exception:  # its classes of errors differ between versions
        return parse_numbers(text)
    if len(values) != lines.count(b"\n") + 1 or not np.isfinite(values).all():
        return parse_numbers(text)
    return values


def parse_cells(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """Return the cells as numbers, or None if one isn't a finite number."""
    text = ",".join(cells)
    if not text.isascii() or "\n" in text or text.count(",") != len(cells) - 1:
        return None
    return parse_numbers(text.encode())


def is_number(text: str) -> bool:
    """Return True if a cell is a finite decimal number in ASCII digits."""
    if not text.isascii() or text.encode().translate(None, NUMERIC):
        return False
    with contextlib.suppress(ValueError):
        return math.isfinite(float(text))
    return False


def could_be_quantity(text: str) -> bool:
    """Return True if a cell could be meant as a number, so that it isn't plainly a name.

    A name has no digit, or begins with a letter and has whole numbers only: A1, grade 1, R2D2. So
    what begins with a digit, a sign or a symbol could be a quantity, whatever follows, and so
    could letters with a decimal, a comparison, a currency or a month: EUR 10, p = 3, May 5.

    >>> [could_be_quantity(text) for text in ("10 kg", "$10", "−10", "１０", "<5", "½", "USD 10")]
    [True, True, True, True, True, True, True]
    >>> [could_be_quantity(text) for text in ("setosa", "A1", "grade 1", "Team 10b", "n/a")]
    [False, False, False, False, False]
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    digit = next((i for i, c in enumerate(plain) if unicodedata.category(c)[0] == "N"), None)
    if digit is None:
        return False
    before, number = plain[:digit], plain[digit:]
    return (
        not plain[0].isalpha()
        or bool(re.search(r"\d\W+\d", number))
        or bool(re.search(f"{APPROXIMATELY}|{MONTH}|{DAY}|=", before, re.IGNORECASE))
        or bool(re.search(CURRENCY, before))
        or any(unicodedata.category(c) in {"Sc", "Sm"} for c in plain)
    )


def cell_error(path: str, line: int, column: str, cell: str) -> DataFileError:
    """Return the error for a cell that is not a number: where it is, what it holds, what to do."""
    held, cure = diagnose(cell)
    given = f"{held}, {quote(cell)}" if cell.strip() else held
    return DataFileError(
        f"{place_in_file(path, line)}, column {quote(column)}: must be a number such as -3.5 or "
        f"2e-3, got {given}; {cure}"
    )


def diagnose(cell: str) -> tuple[str, str]:
    """Return what a cell contains instead of a number, and what to do about it."""
    with contextlib.suppress(ValueError):
        if not cell.encode().translate(None, NUMERIC) and math.isinf(float(cell)):
            return "a number too large for float64", "rescale the column"
    if is_number(cell.translate(OTHER_MINUS)):
        return "another minus sign", "write '-'"
    for pattern, diagnosis in DIAGNOSES.items():
        if re.fullmatch(pattern, cell.strip()[:60], re.IGNORECASE | re.ASCII | re.DOTALL):
            return diagnosis
    if any(unicodedata.category(c) == "Sc" for c in cell) and any(map(str.isdigit, cell)):
        return "an amount of money", ALONE
    with contextlib.suppress(ValueError):
        float(cell)  # Python reads it, this module does not
        return "a number in another notation", ASCII
    return "text", "correct the cell, or leave the column out"
