"""Read and write CSV files strictly.

    file ──records──> names + text of the wanted columns ──numbers──> float64
          (csv)        (one pass, errors with the line)     (errors with line and column)

A bad file raises `DataFileError` with a message of one line: the file, the line, the column, what
must be there, what was found, and what to do. Nothing is guessed, filled in or renamed.
"""

from __future__ import annotations

from ..files import printable as printable
from .reading import Table as Table
from .reading import column_notes as column_notes
from .reading import is_meant_as_number as is_meant_as_number
from .reading import is_number as is_number
from .reading import read_names as read_names
from .reading import read_table as read_table
from .writing import write_table as write_table

__all__ = [
    "Table",
    "column_notes",
    "is_meant_as_number",
    "is_number",
    "printable",
    "read_names",
    "read_table",
    "write_table",
]
