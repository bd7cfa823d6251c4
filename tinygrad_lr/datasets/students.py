"""SAT scores and first-year GPA of 1000 students: the lesson's data (see satgpa.md)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DataFileError

__all__ = ["Students", "sat_gpa", "sat_gpa_path"]

Column: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Students:
    """One array per column, each of shape (1000,), float64 and read-only."""

    sex: Column  # 1 or 2; the source does not say which is which
    sat_v: Column  # SAT verbal, in points / 10: 20 to 80
    sat_m: Column  # SAT mathematics, in points / 10: 20 to 80
    sat_sum: Column  # sat_v + sat_m
    hs_gpa: Column  # high-school GPA
    fy_gpa: Column  # first-year college GPA: 0 to 4

    def __len__(self) -> int:
        return len(self.sex)

    def __repr__(self) -> str:
        return f"Students({len(self)} rows: {', '.join(f.name for f in fields(self))})"


def sat_gpa() -> Students:
    """Return SAT scores and GPAs of 1000 students, to predict the first-year GPA.

    The least-squares line of `fy_gpa` on `sat_sum` has slope 0.023866 and intercept 0.001927, and
    explains 21 % of the variation.

    Raises `DataFileError` if the installed CSV is not the one that shipped.

    Source: Educational Testing Service, by way of the R package openintro; satgpa.md next to
    the CSV has the details.

    >>> students = sat_gpa()
    >>> students
    Students(1000 rows: sex, sat_v, sat_m, sat_sum, hs_gpa, fy_gpa)
    >>> float(students.sat_sum[0]), float(students.fy_gpa[0])
    (127.0, 3.18)
    """
    names = [column.name for column in fields(Students)]
    lines = sat_gpa_path().read_text(encoding="utf-8").splitlines()
    if not lines or lines[0].split(",") != names:
        given = f"{lines[0]:.60}" if lines else "an empty file"
        raise DataFileError(
            f"sat_gpa: {sat_gpa_path()} must have the columns {','.join(names)}, got {given}; "
            "reinstall tinygrad_lr"
        )
    columns = np.loadtxt(lines[1:], delimiter=",", dtype=np.float64, ndmin=2).T.copy()
    columns.flags.writeable = False
    return Students(*columns)


def sat_gpa_path() -> Path:
    """Return the path of the CSV, for a program that needs a file.

    >>> sat_gpa_path().name
    'satgpa.csv'
    """
    from pathlib import Path  # here: its import takes longer than reading the data

    return Path(__file__).with_name("satgpa.csv")
