"""Columns of a CSV file, checked so that a model can be fitted to them.

`read_problem` reads a target that is a quantity, `read_data` one that may be a class.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..datasets import sat_gpa_path
from ..errors import DataFileError
from ..support.abstract_array import Array
from ..support.csv_files import (
    Labels,
    Table,
    cell_error,
    column_notes,
    could_be_quantity,
    is_number,
    read_names,
    read_table,
)
from ..support.files import printable, quote, quote_names
from .predictor import MAX_LABELS

MAX_INTEGER_CLASSES = 10  # different integers that may be meant as classes
SAMPLE = 1000  # rows looked at first
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
MISSING_LABEL = re.compile(
    r"(|[-+]?nan|<?na>?|n/a|n\.a\.|null|\?|#n/a|#div/0!|#[a-z]+[!?])", re.IGNORECASE
)


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
    name, features, target = resolve_columns(path, x_names, y_name)
    table = read_table(name, [*features, target])
    return _problem(path is None, table, features, target, constants)


def read_data(
    path: str | os.PathLike[str] | None = None,
    x_names: Sequence[str] = (),
    y_name: str | None = None,
    *,
    classes: bool = False,
    constants: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Problem | ClassProblem:
    """Read the columns of a CSV file, whose target is a quantity or a class.

    A column of numbers is a quantity, unless `classes`. A column of text is a class if no cell
    could be a quantity (see `could_be_quantity`): `10 kg`, `$10` and `10%` are refused, and so is a
    word among numbers, unless `classes` says that these are names. Labels are sorted by value if
    all are numbers, else alphabetically. The file is read once; `progress` is called with the
    number of bytes that were read.

    Raises `DataFileError` for what `read_problem` refuses, a target that may be either, a row
    without a label, a single class, and too many classes.
    """
    name, features, target = resolve_columns(path, x_names, y_name)
    numbers = features if classes else (*features, target)
    table = read_table(name, numbers, text=[target], progress=progress)
    if not classes and target in table.bad:
        _require_names(table, target)
    if classes or target in table.bad:
        return _class_problem(table, features, target)
    return _problem(path is None, table, features, target, constants)


def _problem(
    own: bool, table: Table, features: tuple[str, ...], target: str, constants: bool
) -> Problem:
    """Return the columns of a regression, from a table that has them as numbers."""
    x, y = table.matrix(features), table.numbers(target)
    problem = Problem(
        path=table.path,
        source=SOURCE if own else table.path,
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
    if len(np.unique(y[:SAMPLE])) > MAX_INTEGER_CLASSES or not (y == np.rint(y)).all():
        return []
    different = np.unique(y)
    if not 2 <= len(different) <= min(MAX_INTEGER_CLASSES, len(y) // 3):
        return []
    return [
        f"{quote(name)} has {len(different)} different integers and is treated as a quantity; "
        "for classes, pass --classes"
    ]


def _split_names(header: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns; an entry that is not itself a column is split at its commas."""
    parts: list[str] = []
    known = set(header)
    for entry in names:
        parts.extend([entry] if entry in known else (part.strip() for part in entry.split(",")))
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
    seen: set[str] = set()
    for name in features:
        if name in seen:
            raise DataFileError(
                f"{_column_place(path, name)}: --x must name each column once, got it twice"
            )
        seen.add(name)


def _check_rows(problem: Problem, table: Table, constants: bool) -> None:
    if problem.rows < 2:
        raise DataFileError(
            f"{printable(problem.path)}: must have at least two rows, "
            f"got one, on line {table.first_line}"
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


def _class_problem(table: Table, features: tuple[str, ...], target: str) -> ClassProblem:
    """Return the columns of a classification, from a table that has the target as text."""
    found = table.labels[target]
    _check_missing(table, target, found)
    labels = _sort_labels(found.cells)
    _check_labels(table, target, labels, found)
    index = {label: i for i, label in enumerate(labels)}
    return ClassProblem(
        path=table.path,
        x_names=features,
        y_name=target,
        x=table.matrix(features),
        y=np.array([index[cell] for cell in found.cells])[found.codes],
        labels=labels,
        notes=(*column_notes(table, features), *_spelling_note(target, labels)),
    )


def _require_names(table: Table, target: str) -> None:
    """Raise `DataFileError`, and mention --classes, unless each cell of the target is a name."""
    line, cell = table.bad[target]
    words = True
    if target in table.labels:  # else the column begins with numbers
        lines = dict(zip(table.labels[target].cells, table.labels[target].lines, strict=True))
        present = [word for word in lines if not MISSING_LABEL.fullmatch(word)]
        odd = [word for word in present if could_be_quantity(word)]
        if present and not odd:
            return
        others = [word for word in odd if not is_number(word)]
        if others:
            cell, line = others[0], lines[others[0]]
        words = not all(map(is_number, present))
    error = cell_error(table.path, line, target, cell)
    if words and not MISSING_LABEL.fullmatch(cell.strip()):
        raise DataFileError(f"{error}; or, if these are classes, pass --classes")
    raise error


def _sort_labels(labels: Sequence[str]) -> tuple[str, ...]:
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


def _check_missing(table: Table, target: str, found: Labels) -> None:
    for cell, line in zip(found.cells, found.lines, strict=True):
        if MISSING_LABEL.fullmatch(cell):
            place = f"{printable(table.path)}, line {line}, column {quote(target)}"
            given = quote(cell) if cell else "an empty cell"
            raise DataFileError(
                f"{place}: each row must have a class label, got {given}; "
                "fill it in, or remove the line"
            )


def _check_labels(table: Table, target: str, labels: Sequence[str], found: Labels) -> None:
    if len(labels) < 2:
        raise DataFileError(
            f"{_column_place(table.path, target)}: must have at least two classes, "
            f"got {quote_names(labels)} in every row"
        )
    if len(labels) > MAX_LABELS or (len(labels) == table.rows and table.rows > 2):
        count = len(labels) if found.complete else f"more than {len(labels)}"
        raise DataFileError(
            f"{_column_place(table.path, target)}: must have at most {MAX_LABELS} classes with "
            f"several rows each, got {count} classes in {table.rows} rows; name another column if "
            "this is an identifier or a quantity"
        )
