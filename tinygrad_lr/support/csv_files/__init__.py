"""Read and write CSV files strictly.

    file ──blocks──> rows of cells ──cells──> float64, or labels ──reading──> Table
         (in bulk, or by csv)      (a bad cell: its line, column and cure)

A bad file raises `DataFileError` with a message of one line: the file, the line, the column, what
must be there, what was found, and what to do. Nothing is guessed, filled in or renamed.
"""

from __future__ import annotations

from ..files import printable as printable
from .blocks import Block as Block
from .cells import cell_error as cell_error
from .cells import could_be_quantity as could_be_quantity
from .cells import is_number as is_number
from .reading import Labels as Labels
from .reading import Table as Table
from .reading import check_column as check_column
from .reading import column_notes as column_notes
from .reading import no_rows_error as no_rows_error
from .reading import open_blocks as open_blocks
from .reading import read_names as read_names
from .reading import read_table as read_table
from .writing import csv_row as csv_row
from .writing import write_table as write_table

__all__ = [
    "Block",
    "Labels",
    "Table",
    "cell_error",
    "check_column",
    "column_notes",
    "could_be_quantity",
    "csv_row",
    "is_number",
    "no_rows_error",
    "open_blocks",
    "printable",
    "read_names",
    "read_table",
    "write_table",
]
