"""CSV files in and out, strictly: every cell is a number that was meant, or one sentence says why.

    file ──records──> names + text of the wanted columns ──numbers──> float64
          (csv)        (one pass, errors with the line)     (errors with line and column)

A bad file raises `DataFileError` whose message is one line: the file, the line, the column, what
stood there, what was expected, and what to do. Nothing is guessed, filled in or renamed.
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import io
import itertools
import math
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn, TextIO

import numpy as np
from numpy.typing import NDArray

from tinygrad_lr.errors import ArgumentError, DataFileError, bad_argument

LONGEST_LINE = 2**24  # characters: a file without line ends must not fill the memory
CELLS_AT_ONCE = 2**14  # cells held as Python strings before they are packed; at least 64 rows

# Within this alphabet `float` accepts exactly [+-]digits[.digits][e[+-]digits] between blanks:
# underscores, other scripts' digits, nan and inf need characters that are not in it.
NUMERIC = re.compile(rb"[-+.0-9eE \t\0]*")

COMMAS = "separate cells with commas and write decimals with a point"
FILL = "fill it in, or remove the line"
MISSING = r"[+-]?(nan|na|n/a|null|none|nil|missing|\?|-+|inf|infinity|#.*)"
DATE = r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?|\d{1,2}:\d\d.*"
DIAGNOSES = {  # what may stand in a number's place, what it is called, what to do
    r"\s*": ("an empty cell", FILL),
    MISSING: ("a missing or infinite value", FILL),
    r"true|false|yes|no|t|f|y|n": ("a truth value", "write 1 or 0"),
    DATE: ("a date or a time", "write it as a number, such as days since a start"),
    r"[+-]?\d*,\d+(e[+-]?\d+)?": ("a comma inside a number", "write decimals with a point"),
    r"[+-]?\d[\d., '\u2019\xa0\u202f]*": ("separators inside a number", "write 1234.5"),
    r".*[;\t|].*": ("several cells in one", "separate cells with commas"),
}


def printable(text: str) -> str:
    r"""The text on one line, safe to show: control, bidirectional and invisible marks are escaped.

    >>> print(printable("score\n\x1b[31m"), printable("abc\u202edef"), printable("naïve"))
    score\n\x1b[31m abc\u202edef naïve
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _quoted(text: str) -> str:
    shown = printable(text[:60])
    return f"'{shown}...'" if len(text) > 60 else f"'{shown}'"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(_quoted, names[:12]))
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown


def _refuse(
    where: str, wrong: str, expected: str, given: str, cure: str, line: int | None = None
) -> NoReturn:
    at = (printable(where) or "''") + ("" if line is None else f", line {line}")
    raise DataFileError(bad_argument(at, wrong, expected=expected, given=given, cure=cure))


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
        """The column's text, as it stands in the file.

        Raises `DataFileError` for an unknown column, `ArgumentError` for one that was not kept.
        """
        return [cell.decode() for block in self._blocks(name) for cell in block.split(b"\0")]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The column as float64, every cell a finite decimal number in ASCII digits.

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
        """The columns side by side, (rows, len(names)); raises what `numbers` raises."""
        out = np.empty((self.rows, len(names)))
        for index, name in enumerate(names):
            out[:, index] = self.numbers(name)
        return out

    def _blocks(self, name: str) -> tuple[bytes, ...]:
        if name not in self.names:
            _refuse_column(self.path, name, self.names)
        if name not in self.text:
            kept = _listed(tuple(self.text))
            wrong = f"column {_quoted(name)} was not kept"
            raise ArgumentError(bad_argument("Table", wrong, expected=kept, given=_quoted(name)))
        return self.text[name]


def _floats(block: bytes, cells: list[bytes]) -> NDArray[np.float64] | None:
    """The cells of a block as finite numbers, or None where one of them is none."""
    if not NUMERIC.fullmatch(block):
        return None
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _refuse_cell(path: str, line: int, column: str, cell: str) -> NoReturn:
    wrong, cure = _diagnosis(cell)
    at, expected = f"line {line}, column {_quoted(column)}", "a number such as -3.5 or 2e-3"
    given = _quoted(cell) if cell.strip() else "nothing"
    _refuse(f"{printable(path)}, {at}", wrong, expected, given, cure)


def _diagnosis(cell: str) -> tuple[str, str]:
    """What stands in a number's place, and what to do about it."""
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
    cure = f"did you mean {_quoted(folded[near[0]])}?" if near else "choose a column of the header"
    wrong = f"no column {_quoted(name)} in the header"
    _refuse(path, wrong, f"one of {_listed(names)}", _quoted(name), cure)


def column_notes(table: Table, columns: Sequence[str]) -> tuple[str, ...]:
    """What is odd but not wrong in these columns, a sentence each, for the user to read.

    Constant columns, columns equal to an earlier one, integers that a float64 cannot hold.
    Raises what `Table.numbers` raises.
    """
    notes: list[str] = []
    seen: dict[int, str] = {}
    for name in dict.fromkeys(columns):
        values = table.numbers(name) + 0.0  # -0.0 equals 0.0
        where = f"{printable(table.path)}, column {_quoted(name)}:"
        if table.rows > 1 and (values == values[0]).all():
            notes.append(f"{where} every row holds {float(values[0])!r}, so it explains nothing")
        elif table.rows > 1:
            twin = seen.setdefault(hash(values.tobytes()), name)
            if twin != name:
                notes.append(f"{where} equal to column {_quoted(twin)} in every row")
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
    name = os.fspath(path)
    try:
        _check_regular(name)
        # Wrong bytes become surrogates, so that the line they stand on is known.
        with open(name, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            return _read(name, _records(name, file), columns)
    except OSError as error:
        reason, cure = str(error.strerror or error), "check the path and its permissions"
        _refuse(name, "cannot be read", "a readable CSV file", reason, cure)


def _check_regular(path: str) -> None:
    """Refuse what would block or never end, before it is opened."""
    wrong, expected, cure = "not a file", "a regular file", "save the data to a file first"
    if path == "-":
        _refuse(path, wrong, expected, "'-', standard input", cure)
    try:
        mode = os.stat(path).st_mode
    except ValueError:  # a NUL or a lone surrogate in the path
        _refuse(path, wrong, expected, "characters that no path can hold", "check the path")
    if stat.S_ISDIR(mode):
        _refuse(path, wrong, expected, "a directory", "name a file inside it")
    if not stat.S_ISREG(mode):
        _refuse(path, wrong, expected, "a pipe, a socket or a device", cure)


def _records(path: str, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the line where it begins."""
    recent: list[str] = []  # the lines of the record being read

    def lines() -> Iterator[str]:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), start=1):
            if not line.isascii() or "\0" in line or len(line) == LONGEST_LINE:
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
        _refuse(path, "not UTF-8", expected, f"byte 0x{byte:02x}, perhaps {guess}", cure, number)
    if "\0" in line:
        given = "UTF-16, a spreadsheet or other binary data"
        _refuse(path, "a NUL byte", expected, given, cure, number)
    if len(line) == LONGEST_LINE and not line.endswith(("\n", "\r")):
        given = f"{LONGEST_LINE} characters without a line end"
        _refuse(path, "the line is too long", expected, given, "check that it is CSV", number)


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
        wrong, cure = f"is the separator '{printable(separator[1])}'?", COMMAS
    _refuse(path, wrong, "cells between commas", _quoted(record), cure, begin)


def _read(
    path: str, records: Iterator[tuple[int, list[str]]], columns: Sequence[str] | None
) -> Table:
    head, header = next(records, (1, []))
    names = tuple(name.strip() for name in header)
    _check_header(path, head, names)
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
        _refuse(path, "a header without rows", "rows", "none", cure, head)
    text = {name: tuple(parts) for name, parts in blocks.items()}
    line_numbers = np.concatenate(begins)
    return Table(path, names, len(line_numbers), line_numbers, text)


def _check_header(path: str, line: int, names: tuple[str, ...]) -> None:
    expected, given = "a header line of column names", _listed(names)
    if not names:
        _refuse(path, "an empty file", expected, "nothing", "write names, then rows", line)
    mark = re.search(r"[;\t|]", names[0])
    if len(names) == 1 and mark:
        wrong = f"is the separator '{printable(mark[0])}'?"
        _refuse(path, wrong, "names between commas", given, COMMAS, line)
    if all(_is_number(name) for name in names):
        cure = "add a line of names above the rows"
        _refuse(path, "a header made of numbers", expected, given, cure, line)
    if "" in names:
        wrong = f"column {names.index('') + 1} of {len(names)} has no name"
        cure = "name it, or remove it (is there a comma at an end of the line?)"
        _refuse(path, wrong, "a name for each column", given, cure, line)
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        cure = "rename or remove one of them"
        _refuse(path, "two columns with one name", "different names", _quoted(twice), cure, line)


def _refuse_width(path: str, names: Sequence[str], batch: list[tuple[int, list[str]]]) -> NoReturn:
    line, cells = next((line, cells) for line, cells in batch if len(cells) != len(names))
    expected = f"{len(names)} cells, one for each of {_listed(names)}"
    given = f"{len(cells)}: {_listed(cells)}"
    if len(cells) < len(names):
        wrong = f"a short row, without column {_quoted(names[len(cells)])}"
        _refuse(path, wrong, expected, given, "fill it in, or remove the line", line)
    cure = "write decimals with a point, quote text with commas, end no line with a comma"
    _refuse(path, f"a long row, after column {_quoted(names[-1])}", expected, given, cure, line)


def _is_number(text: str) -> bool:
    cell = text.encode()
    return _floats(cell, [cell]) is not None


def write_table(
    target: str | os.PathLike[str] | TextIO,
    names: Sequence[str],
    columns: Sequence[Sequence[str] | Sequence[float] | NDArray[Any]],
) -> None:
    """Write columns of text or of numbers as CSV, to a path or to an open text stream.

    Numbers take the shortest digits that read back to the same bits. Text that a spreadsheet would
    run as a formula (= + - @ TAB CR first) gets a leading apostrophe. A file is replaced at once
    and whole, keeping its permissions: after any failure the old one stands as it was. The same
    table gives the same bytes.

    Raises `ArgumentError` for columns that are not a table of finite numbers and text,
    `DataFileError` where the file cannot be written; a stream's own errors pass through.

    >>> import sys
    >>> write_table(sys.stdout, ["name", "gpa"], [["Ada", "=1+1"], np.array([3.5, -0.1])])
    name,gpa
    Ada,3.5
    '=1+1,-0.1
    """
    if not names or "" in names or len({*names}) < len(names) or len(names) != len(columns):
        _reject("the names", "a different one for each column", _listed(names))
    if len(set(map(len, columns))) > 1:
        _reject("the columns", "as many cells in each", str([*map(len, columns)]))
    cells = [_cells(name, column) for name, column in zip(names, columns, strict=True)]
    rows = itertools.chain([map(_text_cell, names)], zip(*cells, strict=True))
    lines = (",".join(row) + "\n" for row in rows)
    if isinstance(target, str | os.PathLike):
        _replace(os.fspath(target), lines)
    else:
        target.writelines(lines)


def _reject(wrong: str, expected: str, given: str) -> NoReturn:
    raise ArgumentError(bad_argument("write_table", wrong, expected=expected, given=given))


def _cells(name: str, column: Sequence[str] | Sequence[float] | NDArray[Any]) -> Iterable[str]:
    if all(isinstance(cell, str) for cell in column):
        return map(_text_cell, map(str, column))
    data = np.asarray(column)
    if data.ndim != 1 or data.dtype.kind not in "fiub" or not np.isfinite(data).all():
        expected, given = "finite numbers or text", f"{data.dtype} of shape {data.shape}"
        _reject(f"column {_quoted(name)}", expected, given)
    if data.dtype.kind == "f":
        return map(repr, data.tolist()) if data.dtype == np.float64 else map(str, data)
    return map(str, map(int, data))


def _text_cell(text: str) -> str:
    if text.lstrip(" ")[:1] in tuple("=+-@\t\r") and not _is_number(text):
        text = "'" + text
    if not text or text != text.strip() or re.search(r'[,;|"\t\r\n]', text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _replace(path: str, lines: Iterable[str]) -> None:
    """Write beside the file, then rename over it; a symbolic link keeps pointing there."""
    final = os.path.realpath(path)
    temporary = os.path.join(os.path.dirname(final), f".tinygrad_lr-{secrets.token_hex(8)}.tmp")
    mode = os.stat(final).st_mode if os.path.exists(final) else None
    if mode is not None and not stat.S_ISREG(mode):
        given, cure = "a directory, a pipe or a device", "name another file"
        _refuse(path, "cannot be replaced", "a regular file", given, cure)
    try:
        with open(temporary, "x", encoding="utf-8", newline="") as file:
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, final)
    except (OSError, UnicodeError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        _refuse(path, "cannot be written", "a file that can be", reason, "write elsewhere")
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
