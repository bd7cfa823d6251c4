"""Write CSV files: numbers read back exactly, and no spreadsheet runs text as a formula."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError
from ..files import quote, quote_names, replace_file
from .cells import is_number


def write_table(
    target: str | os.PathLike[str] | TextIO,
    names: Sequence[str],
    columns: Sequence[Sequence[str] | Sequence[float] | NDArray[Any]],
) -> None:
    """Write columns of text or numbers as CSV, to a path or an open text stream.

    Numbers are written with the fewest digits that read back to the same bits. Text that a
    spreadsheet would run as a formula (it begins with = + - @ TAB or CR) gets a leading
    apostrophe. A file is replaced atomically and keeps its permissions: after an error, the old
    file is unchanged. The same table gives the same bytes.

    Raises `ArgumentError` unless the columns are finite numbers or text, of one length and with
    distinct names, and `DataFileError` if the file can't be written. Errors of a stream are not
    caught.

    >>> import sys
    >>> write_table(sys.stdout, ["name", "gpa"], [["Ada", "=1+1"], np.array([3.5, -0.1])])
    name,gpa
    Ada,3.5
    '=1+1,-0.1
    """
    if not names or "" in names or len({*names}) < len(names) or len(names) != len(columns):
        raise ArgumentError(
            "write_table: names must be one distinct name for each column, "
            f"got {quote_names(names)}"
        )
    lengths = [*map(len, columns)]
    if len(set(lengths)) > 1:
        raise ArgumentError(f"write_table: columns must have equal lengths, got {lengths}")
    cells = [_cells(name, column) for name, column in zip(names, columns, strict=True)]
    rows = (",".join(row) for row in zip(*cells, strict=True))
    lines = (row + "\n" for row in itertools.chain([csv_row(names)], rows))
    if isinstance(target, str | os.PathLike):
        replace_file(target, (line.encode() for line in lines))
    else:
        target.writelines(lines)


def csv_row(cells: Iterable[str]) -> str:
    r"""Return cells of text as a row, without its line end, as `write_table` writes them.

    >>> print(csv_row(["Ada", "-1.5", "=1+1", ""]))
    Ada,-1.5,'=1+1,""
    """
    return ",".join(map(_text_cell, cells))


def _cells(name: str, column: Sequence[str] | Sequence[float] | NDArray[Any]) -> Iterable[str]:
    if all(isinstance(cell, str) for cell in column):
        return map(_text_cell, map(str, column))
    data = np.asarray(column)
    if data.ndim != 1 or data.dtype.kind not in "fiub" or not np.isfinite(data).all():
        raise ArgumentError(
            f"write_table: column {quote(name)} must be finite numbers or text, "
            f"got {data.dtype} of shape {data.shape}"
        )
    if data.dtype.kind == "f":
        return map(repr, data.tolist()) if data.dtype == np.float64 else map(str, data)
    return map(str, map(int, data))


def _text_cell(text: str) -> str:
    if text.lstrip(" ")[:1] in tuple("=+-@\t\r") and not is_number(text):
        text = "'" + text
    if not text or text != text.strip() or re.search(r'[,;|"\t\r\n]', text):
        return '"' + text.replace('"', '""') + '"'
    return text
