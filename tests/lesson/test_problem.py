"""The columns of a problem: what is read as numbers, as classes, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import lesson
from tinygrad_lr.errors import DataFileError
from tinygrad_lr.lesson import problem as problems

PASS_CLASSES = "; or, if these are classes, pass --classes"


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_file(targets, header="a,b,y"):
        lines = [header, *(f"{i},{i * i % 7},{target}" for i, target in enumerate(targets))]
        Path("f.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return write_file


def read(**options):
    return lesson.read_data("f.csv", ["a", "b"], "y", **options)


def refusal(function=read, *arguments, **options):
    with pytest.raises(DataFileError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def test_numbers_are_a_quantity_in_the_order_of_the_file(write):
    write(["2.5", "-1", "4", "3"])
    for problem in (read(), lesson.read_problem("f.csv", ["a", "b"], "y")):
        assert problem.y.tolist() == [2.5, -1.0, 4.0, 3.0] and problem.rows == 4
        assert problem.x.tolist() == [[0, 0], [1, 1], [2, 4], [3, 2]]
        assert (problem.path, problem.source, problem.meanings) == ("f.csv", "f.csv", {})
        assert (problem.x_names, problem.y_name, problem.notes) == (("a", "b"), "y", ())


def test_words_are_classes_in_their_order(write):
    write(["pear", "apple", "pear", "fig"])
    problem = read()
    assert problem.labels == ("apple", "fig", "pear") and problem.y.tolist() == [2, 0, 2, 1]
    assert problem.x.tolist() == [[0, 0], [1, 1], [2, 4], [3, 2]]
    assert (problem.path, problem.x_names, problem.y_name) == ("f.csv", ("a", "b"), "y")
    assert problem.rows == 4 and problem.notes == ()


def test_numbers_are_classes_if_asked_in_the_order_of_their_values(write):
    write(["10", "9", "-1", "9", "10"])
    problem = read(classes=True)
    assert problem.labels == ("-1", "9", "10") and problem.y.tolist() == [2, 1, 0, 1, 2]


@pytest.mark.parametrize(
    ("targets", "line", "sentence", "cure"),
    [
        (["1", "2", "x", "3"], 4, "text, 'x'", PASS_CLASSES),
        (["1", "2", "", "3"], 4, "an empty cell", ""),
        (["1", "2", "NA", "3"], 4, "'NA'", ""),
        (["x", "y", "10 kg", "y"], 4, "'10 kg'", PASS_CLASSES),
        (["x", "y", "10", "y"], 2, "text, 'x'", PASS_CLASSES),
        (["1e400", "2", "3"], 2, "1e400", PASS_CLASSES),
        (["1", "inf", "3"], 3, "inf", PASS_CLASSES),
        (["1e400", "1e999", "1e400"], 2, "1e400", PASS_CLASSES),
        (["nan", "nan", "nan"], 2, "nan", ""),
        (["NA", "1", "2"], 2, "'NA'", ""),
        (["", "", ""], 2, "an empty cell", ""),
        (["NA", "1 kg", "2 kg"], 3, "'1 kg'", PASS_CLASSES),
    ],
)
def test_a_target_that_may_be_either_is_refused_at_its_line(write, targets, line, sentence, cure):
    write(targets)
    text = refusal()
    assert text.startswith(f"f.csv, line {line}, column 'y': must be a") and sentence in text
    assert text.endswith(PASS_CLASSES) == bool(cure)


@pytest.mark.parametrize("cell", ["", "NA", "nan", "-NaN", "n/a", "N.A.", "null", "?", "#REF!"])
def test_a_row_without_a_label_is_refused(write, cell):
    write(["x", "y", cell, "x"])
    given = "an empty cell" if not cell else repr(cell)
    text = f"f.csv, line 4, column 'y': each row must have a class label, got {given}; "
    assert refusal() == text + "fill it in, or remove the line"


@pytest.mark.parametrize("word", ["nano", "none", "nullify", "#hash", "nan5", "b?"])
def test_a_word_that_only_begins_like_a_missing_one_is_a_label(write, word):
    write(["x", word, "x", word])
    assert word in read(classes=True).labels


def test_two_classes_are_enough_and_one_is_not(write):
    write(["x", "y", "x"])
    assert read().labels == ("x", "y")
    write(["x", "x", "x"])
    sentence = "f.csv, column 'y': must have at least two classes, got 'x' in every row"
    assert refusal() == sentence


def test_classes_have_several_rows_each_unless_there_are_two_rows(write):
    write(["x", "y"])
    assert read().rows == 2
    write(["x", "y", "z"])
    assert "must have at most 1000 classes with several rows each, got 3 classes in 3" in refusal()
    write(["x", "y", "z", "z"])
    assert len(read().labels) == 3


@pytest.mark.parametrize("count", [4, 5])
def test_there_are_at_most_so_many_classes(write, monkeypatch, count):
    monkeypatch.setattr(problems, "MAX_LABELS", 4)
    write([f"k{i % count}" for i in range(12)])
    if count == 4:
        assert len(read().labels) == 4
    else:
        assert f"at most 4 classes with several rows each, got {count} classes in 12" in refusal()


NOTE = "'y' has {} different integers and is treated as a quantity; for classes, pass --classes"


@pytest.mark.parametrize(
    ("targets", "different"),
    [
        ([i % 2 for i in range(6)], 2),
        ([i % 2 for i in range(5)], None),
        ([i % 10 for i in range(30)], 10),
        ([i % 11 for i in range(40)], None),
        ([i % 2 + 0.5 for i in range(6)], None),
        ([*([0, 1] * 600), *range(2, 10)], 10),
        ([*([0, 1] * 600), *range(2, 12)], None),
    ],
)
def test_few_different_integers_get_a_note(write, targets, different):
    write(targets)
    assert read().notes == ((NOTE.format(different),) if different else ())


def test_two_spellings_of_a_class_get_a_note(write):
    write(["Pear", "fig", "pear", "fig"])
    note = "'y' has both 'Pear' and 'pear', treated as two classes; if they are the same class, "
    assert read().notes == (note + "give them one spelling",)


# ---- columns


def test_names_are_split_at_commas_unless_they_are_a_column(write):
    write(["1", "2", "3"], header='a,"b,c",y')
    for given in (["a", "b,c"], ["b,c", "a"]):
        assert lesson.read_problem("f.csv", given, "y").x_names == tuple(given)
    write(["1", "2", "3"])
    assert lesson.read_problem("f.csv", ["a, b"], "y").x_names == ("a", "b")


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        ((), "y", "f.csv: --x must name columns, got none; choose from 'a', 'b', 'y', for example"),
        (["a"], None, "f.csv: --y must name columns, got none"),
        ((), None, "f.csv: --x and --y must name columns, got none"),
        (["a", "y"], "y", "f.csv, column 'y': the target must not be a feature"),
        (["a", "b", "a"], "y", "f.csv, column 'a': --x must name each column once, got it twice"),
        (["a", "z"], "y", "'z'"),
        (["a"], "z", "'z'"),
    ],
)
def test_columns_that_cannot_be_are_refused(write, x, y, sentence):
    write(["1", "2", "4"])
    for function in (lesson.read_problem, lesson.read_data):
        assert sentence in refusal(function, "f.csv", x, y)
    if "none" in sentence:
        assert refusal(lesson.read_data, "f.csv", x, y).endswith("for example --x 'a' --y 'y'")


def test_the_students_columns_may_be_chosen():
    problem = lesson.read_problem(None, ["sat_v", "sat_m"], "hs_gpa")
    assert (problem.x_names, problem.y_name) == (("sat_v", "sat_m"), "hs_gpa")
    assert problem.source == problems.SOURCE and problem.meanings == problems.MEANINGS
    own = lesson.read_data()
    assert (own.x_names, own.y_name, own.source) == (("sat_sum",), "fy_gpa", problems.SOURCE)


@pytest.mark.parametrize("reader", [lesson.read_problem, lesson.read_data])
def test_what_does_not_vary_is_refused(write, reader):
    write(["1", "1", "1"])
    text = refusal(reader, "f.csv", ["a"], "y")
    assert text == "f.csv, column 'y': the target must vary, got 1.0 in every row"
    write(["1"])
    sentence = "f.csv: must have at least two rows, got one, on line 2"
    assert refusal(reader, "f.csv", ["a"], "y") == sentence
    Path("f.csv").write_text("a,b,y\n1,5,2\n2,5,3\n3,5,5\n", encoding="utf-8")
    text = refusal(reader, "f.csv", ["a", "b"], "y")
    assert text.startswith("f.csv, column 'b': a feature must vary, got 5.0 in every row; leave")
    problem = reader("f.csv", ["a", "b"], "y", constants=True)
    assert problem.constant_features() == ["b"] and problem.rows == 3
    assert np.array_equal(problem.x[:, 1], [5, 5, 5])


def test_progress_is_told_in_bytes(write):
    write(["1", "2", "4"])
    told = []
    read(progress=told.append)
    assert sum(told) == Path("f.csv").stat().st_size


def test_every_refusal_is_one_line(write):
    write(["x", "a\x1b[2J", "x"])
    assert re.fullmatch(r"[^\n\x1b]+", refusal(lesson.read_problem, "f.csv", ["a"], "y"))
