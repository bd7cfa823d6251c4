"""Columns of a CSV file, checked so that a model can be fitted to them.

`read_problem` reads a target that is a quantity, `read_classes` one that is a class.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..datasets import sat_gpa_path
from ..errors import DataFileError
from ..support.abstract_array import Array
from ..support.csv_files import (
    Table,
    column_notes,
    is_meant_as_number,
    is_number,
    read_names,
    read_table,
)
from ..support.files import printable, quote, quote_names
from .predictor import MAX_LABELS

MAX_INTEGER_CLASSES = 10  # different integers that may be meant as classes
X_NAMES, Y_NAME = ("sat_sum",), "fy_gpa"  # the lesson's own columns
SOURCE = "SAT scores and college GPAs of 1000 students (Educational Testing Service)"
MEANINGS = {
    "sex": "1 or 2",
    "sat_v": "SAT verbal score / 10",
    "sat_m": "SAT maths score / 10",
    "sat_sum": "SAT score / 10",
    "hs_gpa": "high-school GPA",
    "fy_gpa": "first-year GPA",
}
MISSING_LABEL = re.compile(r"(|nan|na|n/a|null|\?)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Problem:
    """A regression: predict the column `y_name` from the columns `x_names`.

    - `path`: the file; `source`: its description; `meanings`: of the columns, if known
    - `x` (rows, features) and `y` (rows,), float64
    - `notes`: what is unusual but not wrong, a sentence each
    """

    path: str
    source: str
    x_names: tuple[str, ...]
    y_name: str
    x: Array
    y: Array
    notes: tuple[str, ...]
    meanings: dict[str, str]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.y)

    def constant_features(self) -> list[str]:
        """Return the names of the features that are the same in every row."""
        varies = (self.x != self.x[0]).any(axis=0)
        return [name for name, moves in zip(self.x_names, varies, strict=True) if not moves]


def read_problem(
    path: str | os.PathLike[str] | None = None,
    x_names: Sequence[str] = (),
    y_name: str | None = None,
    *,
    constants: bool = False,
) -> Problem:
    """Read the columns of a CSV file, or of the students' file of the package if `path` is None.

    An entry of `x_names` is a column's name, or several separated by commas. Features that are the
    same in every row are refused unless `constants` (a network can ignore them; for a line, they
    can't be separated from the intercept).

    Raises `DataFileError`, one line with the file, line and column: for what `read_table` refuses,
    unknown columns, no columns, a column named twice, the target among the features, a constant
    column, and fewer than two rows.

    >>> problem = read_problem()
    >>> problem.rows, problem.x_names, problem.y_name
    (1000, ('sat_sum',), 'fy_gpa')
    """
    own = path is None
    name, features, target = resolve_columns(path, x_names, y_name)
    table = read_table(name, [*features, target])
    x, y = table.matrix(features), table.numbers(target)
    problem = Problem(
        path=name,
        source=SOURCE if own else name,
        x_names=features,
        y_name=target,
        x=x,
        y=y,
        notes=(*column_notes(table, [*features, target]), *_class_note(target, y)),
        meanings=MEANINGS if own else {},
    )
    _check_rows(problem, table, constants)
    return problem


def resolve_columns(
    path: str | os.PathLike[str] | None, x_names: Sequence[str], y_name: str | None
) -> tuple[str, tuple[str, ...], str]:
    """Return the file, its features and its target; raise if one is not a column of the file."""
    own = path is None
    name = os.fspath(sat_gpa_path() if path is None else path)
    header = read_names(name)
    features = _split_names(header, x_names or (X_NAMES if own else ()))
    target = y_name if y_name is not None else Y_NAME if own else ""
    _check_choice(name, header, features, target)
    return name, features, target


def _class_note(name: str, y: Array) -> list[str]:
    """Return a note if the numbers of the target may be meant as classes."""
    if len(y) < 3 * MAX_INTEGER_CLASSES or not (y == np.rint(y)).all():
        return []
    different = np.unique(y)
    if not 2 <= len(different) <= MAX_INTEGER_CLASSES:
        return []
    return [
        f"{quote(name)} has {len(different)} different integers and is treated as a quantity; "
        "for classes, pass --classify"
    ]


def _split_names(header: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns; an entry that is not itself a column is split at its commas."""
    parts: list[str] = []
    for entry in names:
        parts.extend([entry] if entry in header else (part.strip() for part in entry.split(",")))
    return tuple(parts)


def _check_choice(path: str, header: Sequence[str], features: Sequence[str], target: str) -> None:
    if not features or not target:
        missing = " and ".join([*["--x"] * (not features), *["--y"] * (not target)])
        example = f"--x {quote(header[0])} --y {quote(header[-1])}"
        raise DataFileError(
            f"{printable(path)}: {missing} must name columns, got none; choose from "
            f"{quote_names(header)}, for example {example}"
        )
    if target in features:
        raise DataFileError(
            f"{_column_place(path, target)}: the target must not be a feature, "
            "got the column in --x and in --y"
        )
    for name in features:
        if list(features).count(name) > 1:
            raise DataFileError(
                f"{_column_place(path, name)}: --x must name each column once, got it twice"
            )


def _check_rows(problem: Problem, table: Table, constants: bool) -> None:
    if problem.rows < 2:
        raise DataFileError(
            f"{printable(problem.path)}: must have at least two rows, "
            f"got one, on line {table.lines[0]}"
        )
    if (problem.y == problem.y[0]).all():
        raise DataFileError(
            f"{_column_place(problem.path, problem.y_name)}: the target must vary, "
            f"got {float(problem.y[0])!r} in every row"
        )
    for name in [] if constants else problem.constant_features():
        value = float(problem.x[0, problem.x_names.index(name)])
        raise DataFileError(
            f"{_column_place(problem.path, name)}: a feature must vary, got {value!r} in every "
            "row; leave it out of --x: it can't be separated from the intercept"
        )


def _column_place(path: str, column: str) -> str:
    return f"{printable(path)}, column {quote(column)}"


@dataclass(frozen=True, eq=False)
class ClassProblem:
    """A classification: predict the class in column `y_name` from the columns `x_names`.

    - `x` (rows, features), float64; `y` (rows,), the index of each row's label in `labels`
    - `notes`: what is unusual but not wrong, a sentence each
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
        """The number of rows."""
        return len(self.y)


def read_classes(
    path: str | os.PathLike[str] | None,
    x_names: Sequence[str] = (),
    y_name: str | None = None,
    *,
    classify: bool = False,
) -> ClassProblem | None:
    """Read the columns of a CSV file if its target is a class; return None if it is a quantity.

    A column without a single number is a class. A column of numbers is a quantity unless
    `classify`; so is a column of numbers and words, where a word is an error, and one with decimal
    commas. Labels are sorted by value if all are numbers, else alphabetically.

    Raises `DataFileError` for what `read_problem` refuses, for a row without a label, for a single
    class, and for too many classes.
    """
    name, features, target = resolve_columns(path, x_names, y_name)
    table = read_table(name, [*features, target])
    cells = [cell.strip() for cell in table.cells(target)]
    if not classify and any(map(is_meant_as_number, cells)):
        _check_numbers(table, target, cells)
        return None
    if not classify and all(map(MISSING_LABEL.fullmatch, cells)):
        return None  # all are missing: the reader of numbers says where
    _check_cells(table, target, cells)
    labels = _sort_labels(set(cells))
    _check_labels(name, target, labels, len(cells))
    index = {label: i for i, label in enumerate(labels)}
    return ClassProblem(
        path=name,
        x_names=features,
        y_name=target,
        x=table.matrix(features),
        y=np.array([index[cell] for cell in cells]),
        labels=labels,
        notes=(*column_notes(table, features), *_spelling_note(target, labels)),
    )


def _sort_labels(labels: set[str]) -> tuple[str, ...]:
    """Sort labels by value if all are numbers, else alphabetically."""
    numbers = all(map(is_number, labels))
    return tuple(sorted(labels, key=lambda label: (float(label) if numbers else 0.0, label)))


def _spelling_note(target: str, labels: Sequence[str]) -> list[str]:
    """Return a note if two labels are the same word, or number, in two spellings."""
    seen: dict[object, str] = {}
    for label in labels:
        meant = float(label) if is_number(label) else label.casefold()
        twin = seen.setdefault(meant, label)
        if twin != label:
            return [
                f"{quote(target)} has both {quote(twin)} and {quote(label)}, treated as two "
                "classes; if they are the same class, give them one spelling"
            ]
    return []


def _check_numbers(table: Table, target: str, cells: Sequence[str]) -> None:
    """Raise `DataFileError` for a word among numbers, and mention --classify."""
    try:
        table.numbers(target)
    except DataFileError as error:
        if all(is_number(cell) or MISSING_LABEL.fullmatch(cell) for cell in cells):
            raise  # a missing number
        raise DataFileError(f"{error}; or, if these are classes, pass --classify") from error


def _check_cells(table: Table, target: str, cells: Sequence[str]) -> None:
    for i, cell in enumerate(cells):
        if MISSING_LABEL.fullmatch(cell):
            place = f"{printable(table.path)}, line {table.lines[i]}, column {quote(target)}"
            given = quote(cell) if cell else "an empty cell"
            raise DataFileError(
                f"{place}: each row must have a class label, got {given}; "
                "fill it in, or remove the line"
            )


def _check_labels(path: str, target: str, labels: Sequence[str], rows: int) -> None:
    if len(labels) < 2:
        raise DataFileError(
            f"{_column_place(path, target)}: must have at least two classes, "
            f"got {quote_names(labels)} in every row"
        )
    if len(labels) > MAX_LABELS or (len(labels) == rows and rows > 2):
        raise DataFileError(
            f"{_column_place(path, target)}: must have at most {MAX_LABELS} classes with several "
            f"rows each, got {len(labels)} classes in {rows} rows; name another column if this is "
            "an identifier or a quantity"
        )
