"""Read CSV files: a cell that isn't clearly a number raises an error that says why."""

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
from typing import TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError, DataFileError
from ..files import check_regular, place_in_file, printable, quote, quote_names

Result = TypeVar("Result")

MAX_LINE = 2**24  # characters: a file without line ends must not fill the memory
MAX_UNPACKED_CELLS = 2**14  # cells held as Python strings before they are packed; at least 64 rows

# Within this alphabet `float` accepts exactly [+-]digits[.digits][e[+-]digits] between blanks:
# underscores, other scripts' digits, nan and inf need characters that are not in it.
NUMERIC = re.compile(rb"[-+.0-9eE \t\0]*")

COMMAS = "separate cells with commas, and write decimals with a point"
FILL = "fill it in, or remove the line"
MISSING = r"[+-]?(nan|na|n/a|null|none|nil|missing|\?|-+|inf|infinity|#.*)"
COMMA = r"[+-]?\d*,\d+(e[+-]?\d+)?"
SEPARATED = r"[+-]?\d[\d., '\u2019\xa0\u202f]*"
DATE = r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?|\d{1,2}:\d\d.*"
DIAGNOSES = {  # a cell that is not a number -> what it is, what to do
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
    """The contents of a CSV file: its column names, and the text of the columns that were kept.

    `lines[i]` is the line of the file (from 1) where row i begins. `text[name]` holds a column as
    UTF-8 blocks of cells that are separated by NUL, which no cell contains.
    """

    path: str
    names: tuple[str, ...]
    rows: int
    lines: NDArray[np.int64] = field(repr=False)
    text: dict[str, tuple[bytes, ...]] = field(repr=False)

    def cells(self, name: str) -> list[str]:
        """Return the cells of a column as text.

        Raises `DataFileError` for an unknown column, `ArgumentError` for one that was not kept.
        """
        return [cell.decode() for block in self._blocks(name) for cell in block.split(b"\0")]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as float64.

        Raises `DataFileError`, with line and column, for a cell that isn't a finite decimal number
        in ASCII digits, and for an unknown column;
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
                line, cell = int(self.lines[start + index]), cells[index].decode()
                raise _cell_error(self.path, line, name, cell)
            out[start:end] = values
            start = end
        return out

    def matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the columns side by side, (rows, len(names)). Raises the same as `numbers`."""
        out = np.empty((self.rows, len(names)))
        for index, name in enumerate(names):
            out[:, index] = self.numbers(name)
        return out

    def _blocks(self, name: str) -> tuple[bytes, ...]:
        if name not in self.names:
            raise _column_error(self.path, name, self.names)
        if name not in self.text:
            kept = quote_names(tuple(self.text))
            raise ArgumentError(
                f"Table: name must be a column that read_table kept, {kept}, got {quote(name)}"
            )
        return self.text[name]


def _floats(block: bytes, cells: list[bytes]) -> NDArray[np.float64] | None:
    """Return the cells of a block as finite numbers, or None if one isn't a finite number."""
    if not NUMERIC.fullmatch(block):
        return None
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _cell_error(path: str, line: int, column: str, cell: str) -> DataFileError:
    found, cure = _diagnose(cell)
    given = f"{found}, {quote(cell)}" if cell.strip() else found
    return DataFileError(
        f"{place_in_file(path, line)}, column {quote(column)}: must be a number such as -3.5 or "
        f"2e-3, got {given}; {cure}"
    )


def _diagnose(cell: str) -> tuple[str, str]:
    """Return what a cell contains instead of a number, and what to do about it."""
    with contextlib.suppress(ValueError):
        if NUMERIC.fullmatch(cell.encode()) and math.isinf(float(cell)):
            return "a number too large for float64", "rescale the column"
    for pattern, diagnosis in DIAGNOSES.items():
        if re.fullmatch(pattern, cell.strip()[:60], re.IGNORECASE | re.ASCII | re.DOTALL):
            return diagnosis
    with contextlib.suppress(ValueError):
        float(cell)  # Python reads it, this module does not
        return "a number in another notation", "use the digits 0 to 9, '-', '.' and 'e' only"
    return "text", "correct the cell, or leave the column out"


def _column_error(path: str, name: str, names: Sequence[str]) -> DataFileError:
    folded = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    cure = f"did you mean {quote(folded[near[0]])}?" if near else "choose a column of the header"
    return DataFileError(
        f"{place_in_file(path)}: column must be one of {quote_names(names)}, "
        f"got {quote(name)}; {cure}"
    )


def column_notes(table: Table, columns: Sequence[str]) -> tuple[str, ...]:
    """Return a note for each oddity in these columns that is not an error.

    Constant columns, columns equal to an earlier one, and integers that float64 can't represent.
    Raises the same as `Table.numbers`.
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
    r"""Read a CSV file: a header line of names, then rows with a cell for each name.

    The file is UTF-8, with or without a byte order mark, with the line ends of any system. Cells
    may be quoted. Blank lines, and blanks around names and cells, are ignored. Only `columns` are
    kept (default: all). Only columns that are read as numbers have to be numeric.

    Memory: the UTF-8 text of the kept columns and 8 bytes per row, besides the 2^14 cells, or 64
    rows if that is more, being read. A line has at most 2^24 characters, a cell 128 KB.

    Raises `DataFileError`, in one line, if the file can't be read or isn't such a file.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "scores.csv")
    >>> _ = file.write_text("name,sat_sum,gpa\nAda,127,3.18\nAlan,122,n/a\n")
    >>> table = read_table(file, columns=["sat_sum", "gpa"])
    >>> table.rows, table.numbers("sat_sum")
    (2, array([127., 122.]))
    >>> table.numbers("gpa")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_lr.errors.DataFileError: ...scores.csv, line 3, column 'gpa': must be a number ...
    """
    return _read_with(path, lambda name, records: _read(name, records, columns))


def read_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    r"""Return the names in the header line of a CSV file, without reading the rows.

    Raises `DataFileError` if the file can't be read or has no such line.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "scores.csv")
    >>> _ = file.write_text("name,sat_sum,gpa\nAda,127,3.18\n")
    >>> read_names(file)
    ('name', 'sat_sum', 'gpa')
    """
    return _read_with(path, lambda name, records: _header(name, records)[1])


def _read_with(
    path: str | os.PathLike[str], read: Callable[[str, Iterator[tuple[int, list[str]]]], Result]
) -> Result:
    """Open the file and return the result of `read`, called with its name and records."""
    name = os.fspath(path)
    try:
        check_regular(name)
        # Wrong bytes become surrogates, so that an error can name their line.
        with open(name, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            return read(name, _records(name, file))
    except OSError as error:
        raise DataFileError(
            f"{place_in_file(name)}: cannot be read: {error.strerror or error}; "
            "check the path and its permissions"
        ) from error


def _records(path: str, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not blank, with the line where it begins."""
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
            raise _record_error(path, begin, recent, str(error)) from error
        if cells is None:
            return
        if cells and not (len(cells) == 1 and recent[0].isspace()):
            yield begin, cells
        begin = reader.line_num + 1
        recent.clear()


def _check_line(path: str, number: int, line: str) -> None:
    must, cure = f"{place_in_file(path, number)}: must be UTF-8 text", "save it as CSV in UTF-8"
    wrong_byte = re.search("[\udc80-\udcff]", line)
    if wrong_byte:
        byte = ord(wrong_byte[0]) - 0xDC00
        guess = "UTF-16" if byte >= 0xFE else "latin-1 (Windows-1252)"
        raise DataFileError(f"{must}, got the byte 0x{byte:02x}, perhaps of {guess}; {cure}")
    if "\0" in line:
        raise DataFileError(
            f"{must}, got a NUL byte, perhaps of UTF-16, a spreadsheet or other binary data; {cure}"
        )
    if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
        raise DataFileError(
            f"{place_in_file(path, number)}: must be at most {MAX_LINE} characters long, got more; "
            "check that the file is CSV"
        )


def _record_error(path: str, begin: int, recent: list[str], complaint: str) -> DataFileError:
    """Return the error for a record that the csv module can't parse, with a cure."""
    record = "".join(recent).strip()
    separator = re.search('"[ ]*([;\t|])', record)
    must, cure = "quotation marks inside a quoted cell must be doubled", 'write "" for each'
    if "limit" in complaint:
        must, cure = "a cell must be at most 128 KB", "close its quotation mark, or shorten it"
    elif "end of data" in complaint:
        must, cure = "a quotation mark must be closed", "close it, or remove it"
        *_, cell = next(csv.reader([*recent, '"'], skipinitialspace=True, strict=True))
        begin += len(recent) - max(1, len(io.StringIO(cell, newline="").readlines()))
    elif separator:
        return _separator_error(path, begin, separator[1])
    return DataFileError(f"{place_in_file(path, begin)}: {must}, got {quote(record)}; {cure}")


def _separator_error(path: str, line: int, found: str) -> DataFileError:
    return DataFileError(
        f"{place_in_file(path, line)}: the separator must be a comma, got what seems to be "
        f"'{printable(found)}'; {COMMAS}"
    )


def _read(
    path: str, records: Iterator[tuple[int, list[str]]], columns: Sequence[str] | None
) -> Table:
    head, names = _header(path, records)
    for name in columns or ():
        if name not in names:
            raise _column_error(path, name, names)
    kept = [i for i, name in enumerate(names) if columns is None or name in columns]
    blocks: dict[str, list[bytes]] = {names[i]: [] for i in kept}
    begins: list[NDArray[np.int64]] = []
    batch_size = max(64, MAX_UNPACKED_CELLS // len(names))
    while batch := list(itertools.islice(records, batch_size)):
        lines, rows = zip(*batch, strict=True)
        if set(map(len, rows)) != {len(names)}:
            raise _width_error(path, names, batch)
        begins.append(np.array(lines, np.int64))
        by_column = list(zip(*rows, strict=True))
        for i in kept:
            blocks[names[i]].append("\0".join(by_column[i]).encode())
    if not begins:
        raise DataFileError(
            f"{place_in_file(path, head)}: must be followed by rows, got a header alone; "
            "add a row below the names"
        )
    text = {name: tuple(parts) for name, parts in blocks.items()}
    line_numbers = np.concatenate(begins)
    return Table(path, names, len(line_numbers), line_numbers, text)


def _header(path: str, records: Iterator[tuple[int, list[str]]]) -> tuple[int, tuple[str, ...]]:
    """Return the line and the names of the header."""
    line, cells = next(records, (1, []))
    names = tuple(name.strip() for name in cells)
    _check_header(path, line, names)
    return line, names


def _check_header(path: str, line: int, names: tuple[str, ...]) -> None:
    place = place_in_file(path, line)
    if not names:
        raise DataFileError(
            f"{place}: must be a header line of column names, got an empty file; "
            "write names, then rows"
        )
    mark = re.search(r"[;\t|]", names[0])
    if len(names) == 1 and mark:
        raise _separator_error(path, line, mark[0])
    if all(is_number(name) for name in names):
        raise DataFileError(
            f"{place}: must be a header line of column names, got numbers, {quote_names(names)}; "
            "add a line of names above the rows"
        )
    if "" in names:
        raise DataFileError(
            f"{place}: each column must have a name, got none for column "
            f"{names.index('') + 1} of {len(names)}; name it, or remove it "
            "(does the line begin or end with a comma?)"
        )
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise DataFileError(
            f"{place}: column names must be unique, got {quote(twice)} twice; "
            "rename or remove one of the columns"
        )


def _width_error(
    path: str, names: Sequence[str], batch: list[tuple[int, list[str]]]
) -> DataFileError:
    line, cells = next((line, cells) for line, cells in batch if len(cells) != len(names))
    must = f"{place_in_file(path, line)}: must have {len(names)} cells, one for each of"
    given = f"{quote_names(names)}, got {len(cells)}: {quote_names(cells)}"
    cure = "write decimals with a point, quote text with commas, and end no line with a comma"
    if len(cells) < len(names):
        cure = f"add {quote(names[len(cells)])}, or remove the line"
    return DataFileError(f"{must} {given}; {cure}")


def is_number(text: str) -> bool:
    """Return True if a cell is a finite decimal number in ASCII digits."""
    cell = text.encode()
    return _floats(cell, [cell]) is not None


def is_meant_as_number(text: str) -> bool:
    """Return True if a cell is a number, or would be one with a decimal point and no separators.

    >>> [is_meant_as_number(text) for text in ("3.18", "3,18", "1 234", "12b")]
    [True, True, True, False]
    """
    return is_number(text) or bool(re.fullmatch(f"{COMMA}|{SEPARATED}", text, re.I | re.A))
