"""Read CSV files: a cell that isn't clearly a number raises an error that says why."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError, DataFileError
from ..files import check_regular, place_in_file, printable, quote, quote_names
from .blocks import Block, Blocks, separator_error
from .cells import cell_error, is_number, parse_cells

MAX_NEAR_NAMES = 10_000  # searched for the nearest one
MAX_LABELS = 2**17  # different cells kept of a column of text

Progress = Callable[[int], object]


@dataclass(frozen=True, eq=False)
class Labels:
    """The text of a column: its different cells, in order, and for each row which one it is.

    `lines[i]` is the line where cell i occurs first; `complete` is False if there were more than
    `MAX_LABELS` different cells: those are left out.
    """

    cells: tuple[str, ...]
    lines: tuple[int, ...]
    codes: NDArray[np.int64] = field(repr=False)
    complete: bool


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a CSV file, read as numbers or as text.

    `first_line` is the line of the first row; `labels` holds the columns of text, and `bad` the
    line and text of the first cell of each column that isn't a number.
    """

    path: str
    names: tuple[str, ...]
    rows: int
    first_line: int
    labels: dict[str, Labels] = field(repr=False)
    bad: dict[str, tuple[int, str]] = field(repr=False)
    _columns: dict[str, int] = field(repr=False)  # the row of `_values` that holds a column
    _values: NDArray[np.float64] = field(repr=False)  # (columns, rows)
    _inexact: dict[str, tuple[int, str]] = field(repr=False)  # a line, and digits that were lost

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as float64, read-only.

        Raises `DataFileError`, with line and column, for a cell that isn't a finite decimal number
        in ASCII digits, and for an unknown column; `ArgumentError` for a column that wasn't read
        as numbers.
        """
        values: NDArray[np.float64] = self._values[self._index(name)]
        return values

    def matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return columns side by side, (rows, len(names)), read-only. Raises as `numbers`."""
        indices = [self._index(name) for name in names]
        first = indices[0] if indices else 0
        if indices == list(range(first, first + len(indices))):
            return self._values[first : first + len(indices)].T
        values = self._values[indices].T
        values.flags.writeable = False
        return values

    def _index(self, name: str) -> int:
        if name not in self._columns:
            check_column(self.path, name, self.names)
            read = quote_names(tuple(self._columns))
            raise ArgumentError(
                f"Table: name must be a column that was read as numbers, {read}, got {quote(name)}"
            )
        if name in self.bad:
            line, cell = self.bad[name]
            raise cell_error(self.path, line, name, cell)
        return self._columns[name]


def check_column(path: str, name: str, names: Sequence[str]) -> None:
    """Raise `DataFileError`, with the nearest name, unless this is the name of a column."""
    if name in names:
        return
    folded = {known.casefold(): known for known in names[:MAX_NEAR_NAMES]}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    cure = f"did you mean {quote(folded[near[0]])}?" if near else "choose a column of the header"
    raise DataFileError(
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
        values = table.numbers(name)
        where = f"{printable(table.path)}, column {quote(name)}:"
        if table.rows > 1 and values[-1] == values[0] and (values == values[0]).all():
            value = float(values[0]) + 0.0  # -0.0 is 0.0
            notes.append(f"{where} every row holds {value!r}, so it explains nothing")
        elif table.rows > 1:
            twin = seen.setdefault(hash((values + 0.0).tobytes()), name)
            if twin != name:
                notes.append(f"{where} equal to column {quote(twin)} in every row")
        if name in table._inexact:
            line, digits = table._inexact[name]
            notes.append(
                f"{where} line {line} loses digits: {digits[:60]} is read as "
                f"{float(digits):.0f}, beyond 2^53"
            )
    return tuple(notes)


def read_table(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    *,
    text: Sequence[str] = (),
    progress: Progress | None = None,
) -> Table:
    r"""Read a CSV file: a header line of names, then rows with a cell for each name.

    The file is UTF-8, with or without a byte order mark, with the line ends of any system. Cells
    may be quoted. Blank lines, and blanks around names and cells, are ignored. `columns` (default:
    all) are read as numbers, and may contain other cells unless they are asked for. Those in `text`
    are read as text; a column that is in both is, unless it begins with numbers. `progress` is
    called with the number of bytes that were read.

    Time is linear in the size of the file; above 64 MB polars turns plain cells into numbers, where
    it is installed, with the same results. Memory: 8 bytes for each number and row of text, and as
    much again for one column, besides a block of the file. A line has at most 2^24 characters, a
    cell 128 KB.

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
    with open_blocks(path, progress) as (file, head, names):
        return _read_columns(file, head, names, names if columns is None else columns, text)


def read_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    r"""Return the names in the header line of a CSV file, without reading the rows.

    Raises `DataFileError` if the file can't be read or has no such line.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "scores.csv")
    >>> _ = file.write_text("name,sat_sum,gpa\nAda,127,3.18\n")
    >>> read_names(file)
    ('name', 'sat_sum', 'gpa')
    """
    with open_blocks(path) as (_, _, names):
        return names


@contextlib.contextmanager
def open_blocks(
    path: str | os.PathLike[str], progress: Progress | None = None
) -> Iterator[tuple[Blocks, int, tuple[str, ...]]]:
    """Open a CSV file and yield its blocks, with the line and the names of the header."""
    name = os.fspath(path)
    try:
        check_regular(name)
        with open(name, "rb") as file:
            blocks = Blocks(name, file, progress)
            line, cells = blocks.header()
            names = tuple(cell.strip() for cell in cells)
            _check_header(name, line, names)
            yield blocks, line, names
    except OSError as error:
        raise DataFileError(
            f"{place_in_file(name)}: cannot be read: {error.strerror or error}; "
            "check the path and its permissions"
        ) from error


def no_rows_error(path: str, head: int) -> DataFileError:
    """Return the error for a file with nothing below its header."""
    return DataFileError(
        f"{place_in_file(path, head)}: must be followed by rows, got a header alone; "
        "add a row below the names"
    )


def _read_columns(
    file: Blocks, head: int, names: tuple[str, ...], columns: Sequence[str], text: Sequence[str]
) -> Table:
    index = {name: i for i, name in enumerate(names)}
    for name in (*columns, *text):
        if name not in index:
            check_column(file.path, name, names)
    columns = list(dict.fromkeys(columns))
    numbers = _NumberColumns(columns, [index[name] for name in columns])
    words = {name: _TextColumn(index[name]) for name in text}
    first_line = head
    for block in file.blocks(names):
        numbers.add(block, file.share_read())
        if numbers.rows == len(block.lines):  # the first block
            first_line = block.lines[0]
            words = {k: v for k, v in words.items() if k not in columns or k in numbers.bad}
        for column in words.values():
            column.add(block)
    if not numbers.rows:
        raise no_rows_error(file.path, head)
    return Table(
        path=file.path,
        names=names,
        rows=numbers.rows,
        first_line=first_line,
        labels={name: column.labels() for name, column in words.items()},
        bad=numbers.bad,
        _columns={name: i for i, name in enumerate(columns)},
        _values=numbers.values(),
        _inexact=numbers.inexact,
    )


class _NumberColumns:
    """Columns that are read as numbers, each up to its first cell that isn't one."""

    def __init__(self, names: Sequence[str], columns: Sequence[int]) -> None:
        self.names, self.columns = names, columns
        self.good = list(range(len(names)))  # those without a bad cell
        self.space = np.empty((len(names), 0))  # (columns, rows and more): filled block by block
        self.rows = 0
        self.bad: dict[str, tuple[int, str]] = {}
        self.inexact: dict[str, tuple[int, str]] = {}

    def add(self, block: Block, share_read: float) -> None:
        """Read a block, and remember the first bad cell of each column."""
        begin, self.rows = self.rows, self.rows + len(block.lines)
        if self.rows > self.space.shape[1]:  # pages that are never written take no memory
            grown = np.empty((len(self.names), int(self.rows / share_read * 1.05) + 1))
            grown[:, :begin] = self.space[:, :begin]
            self.space = grown
        part = self.space[:, begin : self.rows]
        values = block.numbers([self.columns[i] for i in self.good])
        if values is None:
            self._add_each(block, part)
        else:
            part[self.good if self.bad else slice(None)] = values
        for i in self.good:
            largest = max(part[i].max(), -part[i].min())
            if self.names[i] not in self.inexact and largest >= 2**53:
                self._find_inexact(block, i, np.flatnonzero(np.abs(part[i]) >= 2**53).tolist())

    def _add_each(self, block: Block, part: NDArray[np.float64]) -> None:
        for i in self.good:
            cells = block.cells(self.columns[i])
            values = parse_cells(cells)
            if values is None:
                row = next(row for row, cell in enumerate(cells) if not is_number(cell))
                self.bad[self.names[i]] = block.lines[row], cells[row]
            else:
                part[i] = values
        self.good = [i for i in self.good if self.names[i] not in self.bad]

    def _find_inexact(self, block: Block, column: int, rows: Sequence[int]) -> None:
        """Remember the first of these rows with an integer whose digits float64 can't hold."""
        cells = block.cells(self.columns[column])
        for row in rows:
            digits = cells[row].strip()
            if digits.lstrip("+-").isdigit() and Decimal(digits) != Decimal(float(digits)):
                self.inexact[self.names[column]] = block.lines[row], digits
                return

    def values(self) -> NDArray[np.float64]:
        """Return the columns (columns, rows), read-only."""
        found = self.space[:, : self.rows]
        found.flags.writeable = False
        return found


class _TextColumn:
    """A column that is read as text."""

    def __init__(self, column: int) -> None:
        self.column = column
        self.codes: dict[str, int] = {}
        self.lines: list[int] = []
        self.parts: list[NDArray[np.int64]] = []
        self.complete = True

    def add(self, block: Block) -> None:
        """Read a block."""
        codes = []
        for line, cell in zip(block.lines, map(str.strip, block.cells(self.column)), strict=True):
            code = self.codes.get(cell, -1)
            if code < 0 and len(self.codes) < MAX_LABELS:
                code = self.codes[cell] = len(self.codes)
                self.lines.append(line)
            self.complete &= code >= 0
            codes.append(code)
        self.parts.append(np.array(codes, np.int64))

    def labels(self) -> Labels:
        """Return what was read."""
        codes = np.concatenate(self.parts)
        return Labels(tuple(self.codes), tuple(self.lines), codes, self.complete)


def _check_header(path: str, line: int, names: tuple[str, ...]) -> None:
    place = place_in_file(path, line)
    if not names:
        raise DataFileError(
            f"{place}: must be a header line of column names, got an empty file; "
            "write names, then rows"
        )
    mark = re.search(r"[;\t|]", names[0])
    if len(names) == 1 and mark:
        raise separator_error(path, line, mark[0])
    if parse_cells(names) is not None:
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
        seen: set[str] = set()
        for twice in names:
            if twice in seen:
                break
            seen.add(twice)
        raise DataFileError(
            f"{place}: column names must be unique, got {quote(twice)} twice; "
            "rename or remove one of the columns"
        )
