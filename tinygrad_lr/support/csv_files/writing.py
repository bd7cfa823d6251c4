"""Writing CSV: numbers that read back to the same bits, text that no spreadsheet runs."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TextIO

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError
from ..files import quote, quote_names, replace_file
from .reading import is_number


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
        _reject("names", "one distinct name for each column", quote_names(names))
    if len(set(map(len, columns))) > 1:
        _reject("columns", "of equal length", str([*map(len, columns)]))
    cells = [_cells(name, column) for name, column in zip(names, columns, strict=True)]
    rows = itertools.chain([map(_text_cell, names)], zip(*cells, strict=True))
    lines = (",".join(row) + "\n" for row in rows)
    if isinstance(target, str | os.PathLike):
        replace_file(target, (line.encode() for line in lines))
    else:
        target.writelines(lines)


def _reject(name: str, expected: str, given: str) -> NoReturn:
    raise ArgumentError(f"write_table: {name} must be {expected}, got {given}")


def _cells(name: str, column: Sequence[str] | Sequence[float] | NDArray[Any]) -> Iterable[str]:
    if all(isinstance(cell, str) for cell in column):
        return map(_text_cell, map(str, column))
    data = np.asarray(column)
    if data.ndim != 1 or data.dtype.kind not in "fiub" or not np.isfinite(data).all():
        expected, given = "finite numbers or text", f"{data.dtype} of shape {data.shape}"
        _reject(f"column {quote(name)}", expected, given)
    if data.dtype.kind == "f":
        return map(repr, data.tolist()) if data.dtype == np.float64 else map(str, data)
    return map(str, map(int, data))


def _text_cell(text: str) -> str:
    if text.lstrip(" ")[:1] in tuple("=+-@\t\r") and not is_number(text):
        text = "'" + text
    if not text or text != text.strip() or re.search(r'[,;|"\t\r\n]', text):
        return '"' + text.replace('"', '""') + '"'
    return text
