"""The data sets that ship: whole, read-only, and with their provenance beside them."""

from __future__ import annotations

import csv
import hashlib
import importlib

import numpy as np
import pytest

from tinygrad_lr import datasets
from tinygrad_lr.errors import DataFileError

COLUMNS = ["sex", "sat_v", "sat_m", "sat_sum", "hs_gpa", "fy_gpa"]
SHA256 = "a399ac6ab7abb99f8e809ac75bcfdb22593596a96126065e8faffdfbe12ab92e"


def test_a_thousand_students_have_six_columns_of_float64():
    students = datasets.sat_gpa()
    assert len(students) == 1000
    assert {getattr(students, name).shape for name in COLUMNS} == {(1000,)}
    assert {getattr(students, name).dtype for name in COLUMNS} == {np.dtype(np.float64)}


def test_every_cell_is_the_one_in_the_file():
    students = datasets.sat_gpa()
    with datasets.sat_gpa_path().open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name in COLUMNS:
        assert getattr(students, name).tolist() == [float(row[name]) for row in rows]


def test_the_file_is_the_one_whose_provenance_is_told():
    text = datasets.sat_gpa_path().read_bytes()
    assert hashlib.sha256(text).hexdigest() == SHA256
    note = datasets.sat_gpa_path().with_suffix(".md").read_text(encoding="utf-8")
    assert "Educational Testing Service" in note and all(name in note for name in COLUMNS)


def test_the_sum_is_verbal_plus_mathematics():
    students = datasets.sat_gpa()
    np.testing.assert_array_equal(students.sat_sum, students.sat_v + students.sat_m)


def test_scores_and_grades_lie_within_their_scales():
    students = datasets.sat_gpa()
    assert set(students.sex) == {1, 2}
    assert all(x.min() >= 20 and x.max() <= 80 for x in (students.sat_v, students.sat_m))
    assert students.fy_gpa.min() >= 0 and students.fy_gpa.max() <= 4


def test_columns_cannot_be_altered():
    students = datasets.sat_gpa()
    with pytest.raises(ValueError, match="read-only"):
        students.fy_gpa[0] = 4
    with pytest.raises(AttributeError):
        students.fy_gpa = students.hs_gpa


def test_students_print_in_one_line():
    assert repr(datasets.sat_gpa()) == f"Students(1000 rows: {', '.join(COLUMNS)})"


def test_another_file_in_its_place_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "satgpa.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    module = importlib.import_module("tinygrad_lr.datasets.students")
    monkeypatch.setattr(module, "sat_gpa_path", lambda: other)
    with pytest.raises(DataFileError, match=r"given a,b; reinstall tinygrad_lr"):
        datasets.sat_gpa()
