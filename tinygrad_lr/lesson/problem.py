"""What is to be learnt: columns of a file, checked so that a line or a network can follow them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from ..datasets import sat_gpa_path
from ..support.abstract_array import Array
from ..support.csv_files import Table, column_notes, read_names, read_table
from ..support.files import listed, quoted, refuse

FEW = 10  # different whole numbers that may be classes
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


@dataclass(frozen=True, eq=False)
class Problem:
    """Predict the column `y_name` from the columns `x_names`.

    - `path`: the file; `source`: what to call it; `meanings`: of columns, where they are known
    - `x` (rows, features) and `y` (rows,), float64
    - `notes`: what is odd but not wrong, a sentence each
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
        """How many rows there are to learn from."""
        return len(self.y)

    def constant(self) -> list[str]:
        """The features that are the same in every row."""
        varies = (self.x != self.x[0]).any(axis=0)
        return [name for name, moves in zip(self.x_names, varies, strict=True) if not moves]


def read_problem(
    path: str | os.PathLike[str] | None = None,
    x_names: Sequence[str] = (),
    y_name: str | None = None,
    *,
    constants: bool = False,
) -> Problem:
    """The columns of a CSV file, or of the students' file that ships where `path` is None.

    An entry of `x_names` is a column's name, or several with commas between. Features that are
    the same in every row are refused unless `constants` says otherwise (a network can leave them
    unused, a line cannot be told from them).

    Raises `DataFileError`, in one line with the file, and line and column where there are such:
    for whatever `read_table` refuses, unknown columns, no columns, one column twice, the target
    among the features, a constant column, and fewer than two rows.

    >>> problem = read_problem()
    >>> problem.rows, problem.x_names, problem.y_name
    (1000, ('sat_sum',), 'fy_gpa')
    """
    own = path is None
    name, features, target = chosen_columns(path, x_names, y_name)
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


def chosen_columns(
    path: str | os.PathLike[str] | None, x_names: Sequence[str], y_name: str | None
) -> tuple[str, tuple[str, ...], str]:
    """The file, its features and its target, each a column of it; or the error."""
    own = path is None
    name = os.fspath(sat_gpa_path() if path is None else path)
    header = read_names(name)
    features = _chosen(header, x_names or (X_NAMES if own else ()))
    target = y_name if y_name is not None else Y_NAME if own else ""
    _check_choice(name, header, features, target)
    return name, features, target


def _class_note(name: str, y: Array) -> list[str]:
    """What to say of a target that may be meant as classes."""
    few = len(y) >= 3 * FEW and (y == np.rint(y)).all() and len(different := np.unique(y)) <= FEW
    if not few or len(different) < 2:
        return []
    return [
        f"{quoted(name)} holds {len(different)} different whole numbers, learnt as a quantity; "
        "for classes, pass --classify"
    ]


def _chosen(header: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The names that are meant: an entry that is no column itself is split at its commas."""
    parts: list[str] = []
    for entry in names:
        parts.extend([entry] if entry in header else (part.strip() for part in entry.split(",")))
    return tuple(parts)


def _check_choice(path: str, header: Sequence[str], features: Sequence[str], target: str) -> None:
    if not features or not target:
        missing = " and ".join([*["--x"] * (not features), *["--y"] * (not target)])
        refuse(
            path,
            f"{missing} must name columns",
            f"--x and --y among {listed(header)}",
            "none",
            f"such as --x {quoted(header[0])} --y {quoted(header[-1])}",
        )
    if target in features:
        _refuse_column(path, target, "is in --x and in --y", "a target that is not known before")
    for name in features:
        if list(features).count(name) > 1:
            _refuse_column(path, name, "is in --x twice", "each feature once")


def _check_rows(problem: Problem, table: Table, constants: bool) -> None:
    if problem.rows < 2:
        place = f"on line {table.lines[0]}"
        expected, given = "two rows or more", f"one, {place}"
        refuse(problem.path, "too few rows to learn from", expected, given, "add rows")
    if (problem.y == problem.y[0]).all():
        wrong = f"holds {float(problem.y[0])!r} in every row"
        _refuse_column(problem.path, problem.y_name, wrong, "a target that varies")
    for name in [] if constants else problem.constant():
        value = float(problem.x[0, problem.x_names.index(name)])
        wrong = f"holds {value!r} in every row"
        cure = "leave it out of --x: it cannot be told from the intercept"
        _refuse_column(problem.path, name, wrong, "a feature that varies", cure)


def _refuse_column(path: str, column: str, wrong: str, expected: str, cure: str = "") -> NoReturn:
    refuse(f"{path}, column {quoted(column)}", wrong, expected, "this column", cure)
