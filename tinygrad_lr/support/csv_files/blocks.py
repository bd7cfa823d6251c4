"""Read the bytes of a CSV file block by block: in bulk where they are plain, else by `csv`."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...errors import DataFileError
from ..files import place_in_file, printable, quote, quote_names
from .cells import NEWLINE_TO_COMMA, Parse, bulk_parser, parse_cells

BLOCK_SIZE = 2**20  # bytes read at a time
MAX_LINE = 2**24  # characters: a file without line ends must not fill the memory
MAX_RECORD_CELLS = 2**16  # parsed by `csv` and held as strings; at least 64 rows

MARK = b"\xef\xbb\xbf"  # a byte order mark
COMMA, NEWLINE = b",\n"

COMMAS = "separate cells with commas, and write decimals with a point"


class Block:
    """Rows of a CSV file, as the cells of records; `lines` are the lines where they begin."""

    def __init__(self, lines: Sequence[int], records: Sequence[Sequence[str]]) -> None:
        self.lines, self.records = lines, records

    def cells(self, column: int) -> list[str]:
        """Return the cells of a column."""
        return [record[column] for record in self.records]

    def numbers(self, columns: Sequence[int]) -> NDArray[np.float64] | None:
        """Return columns as numbers (columns, rows), or None if a cell isn't a finite number."""
        found = np.empty((len(columns), len(self.lines)))
        for i, column in enumerate(columns):
            values = parse_cells(self.cells(column))
            if values is None:
                return None
            found[i] = values
        return found

    def rows(self) -> Iterable[Sequence[str]]:
        """Return the cells of each row."""
        return self.records

    def texts(self) -> list[str] | None:
        """Return each row as it is in the file if its cells need no quotes, else None."""
        return None


class PlainBlock(Block):
    """Rows without quotation marks: a line for each, `ends` of the cells in bytes (rows, cells)."""

    def __init__(self, lines: range, data: bytes, ends: NDArray[np.intp], parse: Parse) -> None:
        self.lines, self.data, self.ends, self.parse = lines, data, ends, parse

    @cached_property
    def _cells(self) -> list[str]:
        cells = self.data.translate(NEWLINE_TO_COMMA).decode().split(",")
        cells.pop()  # after the last line end
        return [cell.lstrip(" ") for cell in cells] if b" " in self.data else cells

    def cells(self, column: int) -> list[str]:
        """Return the cells of a column."""
        return self._cells[column :: self.ends.shape[1]]

    def rows(self) -> Iterable[Sequence[str]]:
        """Return the cells of each row."""
        width = self.ends.shape[1]
        return zip(*(self.cells(column) for column in range(width)), strict=True)

    def numbers(self, columns: Sequence[int]) -> NDArray[np.float64] | None:
        """Return columns as numbers (columns, rows), or None if a cell isn't a finite number."""
        rows, width = self.ends.shape
        wanted = np.zeros(width, bool)
        wanted[list(columns)] = True
        data = self.data
        if not wanted.all():
            lengths = np.diff(self.ends.ravel(), prepend=-1)
            kept = np.repeat(np.broadcast_to(wanted, self.ends.shape), lengths)
            data = np.frombuffer(data, np.uint8)[kept].tobytes()
        values = self.parse(data[:-1])
        if values is None:
            return None
        order = np.cumsum(wanted)[list(columns)] - 1
        return np.ascontiguousarray(values.reshape(rows, -1).T[order])

    def texts(self) -> list[str] | None:
        """Return each row as it is in the file if its cells need no quotes, else None."""
        _, width = self.ends.shape
        if b" " in self.data or b"\t" in self.data or self.numbers(range(width)) is None:
            return None
        return self.data.decode().split("\n")[:-1]


class Blocks:
    """The contents of an open file: the header once, then the blocks."""

    def __init__(
        self, path: str, file: BinaryIO, progress: Callable[[int], object] | None = None
    ) -> None:
        self.path, self.file, self.progress = path, file, progress
        self.line = 1  # where the next record begins
        self.rest = b""  # of the last read, after its last line end
        self.text, self.size = io.StringIO(), 0  # what `_records` reads, and its length

    def header(self) -> tuple[int, list[str]]:
        """Return the first record and its line; an empty file gives (1, [])."""
        found, data = None, self._read().removeprefix(MARK)
        while data and found is None:
            found = next(self._records(data), None)
            data = b"" if found else self._read()
        self.rest = self.text.read().encode(errors="surrogateescape") + self.rest
        return found or (1, [])

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Yield the rows, each with a cell for each name."""
        parse = bulk_parser(self.size_of_file())
        while data := self._read():
            block = self._plain(data, len(names), parse)
            if block is not None:
                yield block
                continue
            lines, records = [], []
            for line, cells in self._records(data):
                if len(cells) != len(names):
                    raise _width_error(self.path, names, line, cells)
                lines.append(line)
                records.append(cells)
                if len(records) >= max(64, MAX_RECORD_CELLS // len(names)):
                    yield Block(lines, records)
                    lines, records = [], []
            if records:
                yield Block(lines, records)

    def share_read(self) -> float:
        """Return which share of the file has been read, in (0, 1]."""
        return min(1.0, self.file.tell() / max(1, self.size_of_file()))

    def size_of_file(self) -> int:
        """Return the number of bytes in the file."""
        return os.fstat(self.file.fileno()).st_size

    def _read(self) -> bytes:
        """Return the next bytes up to a line end, about a block; none at the end of the file."""
        parts, size = [self.rest], len(self.rest)
        self.rest = b""
        while size < 4 * MAX_LINE:  # beyond, the line is refused
            data = self.file.read(BLOCK_SIZE)
            if not data:
                break
            if self.progress is not None:
                self.progress(len(data))
            size += len(data)
            end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
            parts.append(data[:end] if end else data)
            if end:
                self.rest = data[end:]
                break
        return b"".join(parts)

    def _plain(self, data: bytes, width: int, parse: Parse) -> PlainBlock | None:
        """Return the bytes as a block, if each line is a record with `width` cells as they are."""
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        if b'"' in data or b"\0" in data or b"\r" in data or len(data) > MAX_LINE:
            return None
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                return None
        if not data.endswith(b"\n"):
            data += b"\n"
        codes = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero((codes == COMMA) | (codes == NEWLINE))
        if len(ends) % width or np.diff(ends, prepend=-1).max() > csv.field_size_limit():
            return None
        kinds = codes[ends].reshape(-1, width)
        if (kinds[:, :-1] != COMMA).any() or (kinds[:, -1] != NEWLINE).any():
            return None
        if width == 1 and not all(map(str.strip, data.decode().split("\n")[:-1])):
            return None  # a blank line is not a record
        lines = range(self.line, self.line + len(kinds))
        self.line = lines.stop
        return PlainBlock(lines, data, ends.reshape(-1, width), parse)

    def _records(self, data: bytes) -> Iterator[tuple[int, list[str]]]:
        """Yield each record that is not blank, with its line, until one ends with the data.

        A record that continues after the data makes more of the file be read.
        """
        recent: list[str] = []  # the lines of the record being read
        first = self.line

        def lines(data: bytes) -> Iterator[str]:
            number = first
            while data:
                # Wrong bytes become surrogates, so that an error can name their line.
                self.text = io.StringIO(data.decode(errors="surrogateescape"), newline="")
                self.size = len(self.text.getvalue())
                for line in iter(lambda: self.text.readline(MAX_LINE), ""):
                    if not line.isascii() or "\0" in line or len(line) == MAX_LINE:
                        _check_line(self.path, number, line)
                    number += 1
                    recent.append(line)
                    yield line
                data = self._read()

        reader = csv.reader(lines(data), skipinitialspace=True, strict=True)
        while True:
            begin = self.line
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise _record_error(self.path, begin, recent, str(error)) from error
            if cells is None:
                return
            self.line = first + reader.line_num
            if cells and not (len(cells) == 1 and recent[0].isspace()):
                yield begin, cells
            recent.clear()
            if self.text.tell() == self.size:
                return


def _width_error(path: str, names: Sequence[str], line: int, cells: list[str]) -> DataFileError:
    must = f"{place_in_file(path, line)}: must have {len(names)} cells, one for each of"
    given = f"{quote_names(names)}, got {len(cells)}: {quote_names(cells)}"
    cure = "write decimals with a point, quote text with commas, and end no line with a comma"
    if len(cells) < len(names):
        cure = f"add {quote(names[len(cells)])}, or remove the line"
    return DataFileError(f"{must} {given}; {cure}")


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
        return separator_error(path, begin, separator[1])
    return DataFileError(f"{place_in_file(path, begin)}: {must}, got {quote(record)}; {cure}")


def separator_error(path: str, line: int, found: str) -> DataFileError:
    """Return the error for cells that are separated by something else."""
    return DataFileError(
        f"{place_in_file(path, line)}: the separator must be a comma, got what seems to be "
        f"'{printable(found)}'; {COMMAS}"
    )
