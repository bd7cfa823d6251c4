"""What is to be told apart: columns of a file, and the class of each row."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataFileError
from ..support.abstract_array import Array
from ..support.csv_files import Table, column_notes, is_meant_as_number, is_number, read_table
from ..support.files import listed, quoted, refuse
from .predictor import MOST_LABELS
from .problem import chosen_columns

MISSING = re.compile(r"(|nan|na|n/a|null|\?)", re.IGNORECASE)  # what stands for no label at all


@dataclass(frozen=True, eq=False)
class ClassProblem:
    """Tell the class `y_name` from the columns `x_names`.

    - `x` (rows, features), float64; `y` (rows,), which of the `labels` each row has
    - `notes`: what is odd but not wrong, a sentence each
    """

    path: str
    x_names: tuple[str, ...]
    y_name: str
    x: Array
    y: Array
    labels: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.y)


def read_classes(
    path: str | os.PathLike[str] | None,
    x_names: Sequence[str] = (),
    y_name: str | None = None,
    *,
    classify: bool = False,
) -> ClassProblem | None:
    """The columns of a CSV file, if its target is a class; None if it is a quantity.

    A column without a single number is a class. One of numbers is a quantity, unless `classify`
    says otherwise; so is one of numbers and words, in which a word is a fault, and one whose
    decimals have a comma. Labels that are all numbers stand in the order of the numbers, others
    in that of the alphabet.

    Raises `DataFileError` for what `read_problem` refuses, for a row without a label, for one
    class only, and for more classes than can be learnt.
    """
    name, features, target = chosen_columns(path, x_names, y_name)
    table = read_table(name, [*features, target])
    cells = [cell.strip() for cell in table.cells(target)]
    if not classify and any(map(is_meant_as_number, cells)):
        _check_numbers(table, target, cells)
        return None
    if not classify and all(map(MISSING.fullmatch, cells)):
        return None  # there is nothing: the reader of numbers tells where
    _check_cells(table, target, cells)
    labels = _in_order(set(cells))
    _check_labels(name, target, labels, len(cells))
    place = {label: i for i, label in enumerate(labels)}
    return ClassProblem(
        path=name,
        x_names=features,
        y_name=target,
        x=table.matrix(features),
        y=np.array([place[cell] for cell in cells]),
        labels=labels,
        notes=(*column_notes(table, features), *_spelling_note(target, labels)),
    )


def _in_order(labels: set[str]) -> tuple[str, ...]:
    """The labels by number if all are numbers, and by their letters; in every run the same."""
    numbers = all(map(is_number, labels))
    return tuple(sorted(labels, key=lambda label: (float(label) if numbers else 0.0, label)))


def _spelling_note(target: str, labels: Sequence[str]) -> list[str]:
    """What to say of two labels that are one word, or one number, in two spellings."""
    seen: dict[object, str] = {}
    for label in labels:
        meant = float(label) if is_number(label) else label.casefold()
        twin = seen.setdefault(meant, label)
        if twin != label:
            both = f"{quoted(twin)} and {quoted(label)}"
            cure = "if they are one, spell them alike"
            return [f"{quoted(target)} holds {both}, learnt as two classes; {cure}"]
    return []


def _check_numbers(table: Table, target: str, cells: Sequence[str]) -> None:
    """Raise `DataFileError` for a word among numbers, with the way to mean it."""
    try:
        table.numbers(target)
    except DataFileError as error:
        if all(is_number(cell) or MISSING.fullmatch(cell) for cell in cells):
            raise  # for one that is missing
        raise DataFileError(f"{error}; or, if these are classes, pass --classify") from error


def _check_cells(table: Table, target: str, cells: Sequence[str]) -> None:
    for place, cell in enumerate(cells):
        if MISSING.fullmatch(cell):
            where = f"{table.path}, line {table.lines[place]}, column {quoted(target)}"
            given, cure = quoted(cell) if cell else "nothing", "fill it in, or remove the line"
            refuse(where, "a row without a class", "a label", given, cure)


def _check_labels(path: str, target: str, labels: Sequence[str], rows: int) -> None:
    where = f"{path}, column {quoted(target)}"
    if len(labels) < 2:
        given = f"{listed(labels)} in every row"
        refuse(where, "one class only", "two classes or more", given, "add rows of another")
    if len(labels) > MOST_LABELS or (len(labels) == rows and rows > 2):
        expected, given = f"at most {MOST_LABELS}, with several rows each", f"{len(labels)}"
        cure = "name another column: this one looks like an identifier or a quantity"
        refuse(where, f"too many classes for {rows} rows", expected, given, cure)
