"""Read CSV: every cell is the number that was meant, or one sentence says why it isn't."""

from __future__ import annotations

import contextlib
import csv
import difflib
import io
import itertools
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NoReturn, TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError
from ..files import check_regular, printable, quote, quote_names, refuse

Result = TypeVar("Result")

MAX_LINE = 2**24  # characters: a file without line ends must not fill the memory
CELLS_AT_ONCE = 2**14  # cells held as Python strings before they are packed; at least 64 rows

# Within this alphabet `float` accepts exactly [+-]digits[.digits][e[+-]digits] between blanks:
# underscores, other scripts' digits, nan and inf need characters that are not in it.
NUMERIC = re.compile(rb"[-+.0-9eE \t\0]*")

COMMAS = "separate cells with commas and write decimals with a point"
FILL = "fill it in, or remove the line"
MISSING = r"[+-]?(nan|na|n/a|null|none|nil|missing|\?|-+|inf|infinity|#.*)"
COMMA = r"[+-]?\d*,\d+(e[+-]?\d+)?"
SEPARATED = r"[+-]?\d[\d., '\u2019\xa0\u202f]*"
DATE = r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?|\d{1,2}:\d\d.*"
DIAGNOSES = {  # what may stand in a number's place, what it is called, what to do
    r"\s*": ("an empty cell", FILL),
    MISSING: ("a missing or infinite value", FILL),
    r"true|false|yes|no|t|f|y|n": ("a truth value", "write 1 or 0"),
    DATE: ("a date or a time", "write it as a number, such as days since a start"),
    COMMA: ("a comma inside a number", "write decimals with a point"),
    SEPARATED: ("separators inside a number", "write 1234.5"),
    r".*[;\t|].*": ("several cells in one", "separate cells with commas"),
}


@dataclass(frozen=True, eq=False)
class Table:
    """A CSV file that was read: its column names, and the text of the columns that were kept.

    `lines[i]` is the line of the file (from 1) where row i begins. `text[name]` holds a column as
    UTF-8 blocks of cells that are separated by NUL, which no cell contains.
    """

    path: str
    names: tuple[str, ...]
    rows: int
    lines: NDArray[np.int64] = field(repr=False)
    text: dict[str, tuple[bytes, ...]] = field(repr=False)

    def cells(self, name: str) -> list[str]:
        """Return the text of the column, as it is in the file.

        Raises `DataFileError` for an unknown column, `ArgumentError` for one that was not kept.
        """
        return [cell.decode() for block in self._blocks(name) for cell in block.split(b"\0")]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return the column as float64, every cell a finite decimal number in ASCII digits.

        Raises `DataFileError` with line and column for any other cell, and for an unknown column;
        `ArgumentError` for a column that was not kept.
        """
        out = np.empty(self.rows)
        start = 0
        for block in self._blocks(name):
            cells = block.split(b"\0")
            end = start + len(cells)
            values = _floats(block, cells)
            if values is None:
                index = next(i for i, cell in enumerate(cells) if _floats(cell, [cell]) is None)
                _refuse_cell(self.path, int(self.lines[start + index]), name, cells[index].decode())
            out[start:end] = values
            start = end
        return out

    def matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the columns side by side, (rows, len(names)). Raises what `numbers` raises."""
        out = np.empty((self.rows, len(names)))
        for index, name in enumerate(names):
            out[:, index] = self.numbers(name)
        return out

    def _blocks(self, name: str) -> tuple[bytes, ...]:
        if name not in self.names:
            _refuse_column(self.path, name, self.names)
        if name not in self.text:
            kept = quote_names(tuple(self.text))
            raise ArgumentError(
                f"Table: the column must be one that read_table kept, {kept}, got {quote(name)}"
            )
        return self.text[name]


def _floats(block: bytes, cells: list[bytes]) -> NDArray[np.float64] | None:
    """Return the cells of a block as finite numbers, or None if one of them isn't."""
    if not NUMERIC.fullmatch(block):
        return None
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _refuse_cell(path: str, line: int, column: str, cell: str) -> NoReturn:
    wrong, cure = _diagnosis(cell)
    at, expected = f"line {line}, column {quote(column)}", "a number such as -3.5 or 2e-3"
    given = quote(cell) if cell.strip() else "nothing"
    refuse(f"{printable(path)}, {at}", wrong, expected, given, cure)


def _diagnosis(cell: str) -> tuple[str, str]:
    """Return what a cell holds instead of a number, and what to do about it."""
    with contextlib.suppress(ValueError):
        if NUMERIC.fullmatch(cell.encode()) and math.isinf(float(cell)):
            return "a number too large for a float64", "rescale the column"
    for pattern, diagnosis in DIAGNOSES.items():
        if re.fullmatch(pattern, cell.strip()[:60], re.IGNORECASE | re.ASCII | re.DOTALL):
            return diagnosis
    with contextlib.suppress(ValueError):
        float(cell)  # Python reads it, this module does not
        return "a number in another notation", "use the digits 0 to 9, '-', '.' and 'e' only"
    return "text in a number's place", "correct the cell, or leave the column out"


def _refuse_column(path: str, name: str, names: Sequence[str]) -> NoReturn:
    folded = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    cure = f"did you mean {quote(folded[near[0]])}?" if near else "choose a column of the header"
    wrong = f"no column {quote(name)} in the header"
    refuse(path, wrong, f"one of {quote_names(names)}", quote(name), cure)


def column_notes(table: Table, columns: Sequence[str]) -> tuple[str, ...]:
    """Return notes on these columns, a sentence each, for what is odd but not wrong.

    Constant columns, columns equal to an earlier one, integers that a float64 cannot hold.
    Raises what `Table.numbers` raises.
    """
    notes: list[str] = []
    seen: dict[int, str] = {}
    for name in dict.fromkeys(columns):
        values = table.numbers(name) + 0.0  # -0.0 equals 0.0
        where = f"{printable(table.path)}, column {quote(name)}:"
        if table.rows > 1 and (values == values[0]).all():
            notes.append(f"{where} every row holds {float(values[0])!r}, so it explains nothing")
        elif table.rows > 1:
            twin = seen.setdefault(hash(values.tobytes()), name)
            if twin != name:
                notes.append(f"{where} equal to column {quote(twin)} in every row")
        large = np.flatnonzero(np.abs(values) >= 2**53)
        cells = table.cells(name) if len(large) else []
        for row in large:
            digits, number = cells[row].strip(), float(values[row])
            if digits.lstrip("+-").isdigit() and Decimal(digits) != Decimal(number):
                line = f"line {table.lines[row]} loses digits"
                notes.append(f"{where} {line}: {digits[:60]} is read as {number:.0f}, beyond 2^53")
                break
    return tuple(notes)


def read_table(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> Table:
    r"""Read a CSV file: one header line of names, then rows of as many cells, commas between.

    UTF-8 with or without a byte order mark; line ends of any system; quoted cells; blank lines
    are passed over; blanks around names and cells do not count. Only `columns` are kept (all, if
    None) and only the columns that are asked for as numbers need be numeric.

    Memory: the UTF-8 text of the kept columns and 8 bytes a row, besides the 2^14 cells, or 64
    rows if that is more, being read. A line is at most 2^24 characters, a cell 128 KB.

    Raises `DataFileError`, in one line, for whatever is not such a file.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "scores.csv")
    >>> _ = file.write_text("name,sat_sum,gpa\nAda,127,3.18\nAlan,122,n/a\n")
    >>> table = read_table(file, columns=["sat_sum", "gpa"])
    >>> table.rows, table.numbers("sat_sum")
    (2, array([127., 122.]))
    >>> table.numbers("gpa")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_lr.errors.DataFileError: ...scores.csv, line 3, column 'gpa': a missing or ...
    """
    return _opened(path, lambda name, records: _read(name, records, columns))


def read_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    r"""Return the names in the header line of a CSV file; the rows are not read.

    Raises `DataFileError` for a file that cannot be read or that begins with no such line.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "scores.csv")
    >>> _ = file.write_text("name,sat_sum,gpa\nAda,127,3.18\n")
    >>> read_names(file)
    ('name', 'sat_sum', 'gpa')
    """
    return _opened(path, lambda name, records: _header(name, records)[1])


def _opened(
    path: str | os.PathLike[str], read: Callable[[str, Iterator[tuple[int, list[str]]]], Result]
) -> Result:
    """Return the result of a reader of the file's records."""
    name = os.fspath(path)
    try:
        check_regular(name)
        # Wrong bytes become surrogates, so that the line they stand on is known.
        with open(name, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            return read(name, _records(name, file))
    except OSError as error:
        reason, cure = str(error.strerror or error), "check the path and its permissions"
        refuse(name, "cannot be read", "a readable CSV file", reason, cure)


def _records(path: str, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the line where it begins."""
    recent: list[str] = []  # the lines of the record being read

    def lines() -> Iterator[str]:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), ""), start=1):
            if not line.isascii() or "\0" in line or len(line) == MAX_LINE:
                _check_line(path, number, line)
            recent.append(line)
            yield line

    reader = csv.reader(lines(), skipinitialspace=True, strict=True)
    begin = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            _refuse_record(path, begin, recent, str(error))
        if cells is None:
            return
        if cells and not (len(cells) == 1 and recent[0].isspace()):
            yield begin, cells
        begin = reader.line_num + 1
        recent.clear()


def _check_line(path: str, number: int, line: str) -> None:
    expected, cure = "UTF-8 text", "save it as CSV in UTF-8"
    wrong_byte = re.search("[\udc80-\udcff]", line)
    if wrong_byte:
        byte = ord(wrong_byte[0]) - 0xDC00
        guess = "UTF-16" if byte >= 0xFE else "latin-1 (Windows-1252)"
        refuse(path, "not UTF-8", expected, f"byte 0x{byte:02x}, perhaps {guess}", cure, number)
    if "\0" in line:
        given = "UTF-16, a spreadsheet or other binary data"
        refuse(path, "a NUL byte", expected, given, cure, number)
    if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
        given = f"{MAX_LINE} characters without a line end"
        refuse(path, "the line is too long", expected, given, "check that it is CSV", number)


def _refuse_record(path: str, begin: int, recent: list[str], complaint: str) -> NoReturn:
    """Turn the csv module's complaint into a sentence with a cure."""
    record = "".join(recent).strip()
    separator = re.search('"[ ]*([;\t|])', record)
    wrong, cure = "a quotation mark inside a cell", "double the marks inside a quoted cell"
    if "limit" in complaint:
        wrong, cure = "a cell of more than 128 KB", "close its quotation mark, or shorten it"
    elif "end of data" in complaint:
        wrong, cure = "a quotation mark is never closed", "close it, or remove it"
        *_, cell = next(csv.reader([*recent, '"'], skipinitialspace=True, strict=True))
        begin += len(recent) - max(1, len(io.StringIO(cell, newline="").readlines()))
    elif separator:
        wrong, cure = f"the separator seems to be '{printable(separator[1])}'", COMMAS
    refuse(path, wrong, "cells between commas", quote(record), cure, begin)


def _read(
    path: str, records: Iterator[tuple[int, list[str]]], columns: Sequence[str] | None
) -> Table:
    head, names = _header(path, records)
    for name in columns or ():
        if name not in names:
            _refuse_column(path, name, names)
    kept = [i for i, name in enumerate(names) if columns is None or name in columns]
    blocks: dict[str, list[bytes]] = {names[i]: [] for i in kept}
    begins: list[NDArray[np.int64]] = []
    batch_size = max(64, CELLS_AT_ONCE // len(names))
    while batch := list(itertools.islice(records, batch_size)):
        lines, rows = zip(*batch, strict=True)
        if set(map(len, rows)) != {len(names)}:
            _refuse_width(path, names, batch)
        begins.append(np.array(lines, np.int64))
        by_column = list(zip(*rows, strict=True))
        for i in kept:
            blocks[names[i]].append("\0".join(by_column[i]).encode())
    if not begins:
        cure = "add a line of cells below the names"
        refuse(path, "the header has no rows below it", "rows", "none", cure, head)
    text = {name: tuple(parts) for name, parts in blocks.items()}
    line_numbers = np.concatenate(begins)
    return Table(path, names, len(line_numbers), line_numbers, text)


def _header(path: str, records: Iterator[tuple[int, list[str]]]) -> tuple[int, tuple[str, ...]]:
    """The line and the names of the header."""
    line, cells = next(records, (1, []))
    names = tuple(name.strip() for name in cells)
    _check_header(path, line, names)
    return line, names


def _check_header(path: str, line: int, names: tuple[str, ...]) -> None:
    expected, given = "a header line of column names", quote_names(names)
    if not names:
        refuse(path, "an empty file", expected, "nothing", "write names, then rows", line)
    mark = re.search(r"[;\t|]", names[0])
    if len(names) == 1 and mark:
        wrong = f"the separator seems to be '{printable(mark[0])}'"
        refuse(path, wrong, "names between commas", given, COMMAS, line)
    if all(is_number(name) for name in names):
        cure = "add a line of names above the rows"
        refuse(path, "the header consists of numbers", expected, given, cure, line)
    if "" in names:
        wrong = f"column {names.index('') + 1} of {len(names)} has no name"
        cure = "name it, or remove it (is there a comma at an end of the line?)"
        refuse(path, wrong, "a name for each column", given, cure, line)
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        cure = "rename or remove one of them"
        refuse(path, "two columns have one name", "different names", quote(twice), cure, line)


def _refuse_width(path: str, names: Sequence[str], batch: list[tuple[int, list[str]]]) -> NoReturn:
    line, cells = next((line, cells) for line, cells in batch if len(cells) != len(names))
    expected = f"{len(names)} cells, one for each of {quote_names(names)}"
    given = f"{len(cells)}: {quote_names(cells)}"
    if len(cells) < len(names):
        wrong = f"short row, without column {quote(names[len(cells)])}"
        refuse(path, wrong, expected, given, "fill it in, or remove the line", line)
    cure = "write decimals with a point, quote text with commas, end no line with a comma"
    refuse(path, f"long row, after column {quote(names[-1])}", expected, given, cure, line)


def is_number(text: str) -> bool:
    """Return True for a finite decimal number in ASCII digits."""
    cell = text.encode()
    return _floats(cell, [cell]) is not None


def is_meant_as_number(text: str) -> bool:
    """Return True for a number, or one with a decimal comma or thousands separators.

    >>> [is_meant_as_number(text) for text in ("3.18", "3,18", "1 234", "12b")]
    [True, True, True, False]
    """
    return is_number(text) or bool(re.fullmatch(f"{COMMA}|{SEPARATED}", text, re.I | re.A))
