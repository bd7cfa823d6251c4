"""The lesson's words: what is written of each part, with numbers that were chosen by hand."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tinygrad_lr.lesson.parts import (
    Classes,
    Classification,
    ClassPrediction,
    ClassRow,
    ClosedForm,
    Column,
    Data,
    Derivation,
    Descent,
    FirstSlopes,
    LearningRates,
    Network,
    Part,
    Prediction,
    Row,
    Slope,
    Snapshot,
    Trial,
    Trials,
    Written,
)
from tinygrad_lr.lesson.style import (
    Ink,
    format_count,
    format_number,
    shorten,
    supports_color,
    to_encodable,
    wrap,
)
from tinygrad_lr.lesson.text import Writer

X = Column("x", "hours, a day", 2.5, 0.5, -1.0, 12345.678)
Y = Column("y\n", "", -3.0, 1e-9, -4.0, 1e22)
LINE = ClosedForm(("x",), (0.5,), (0.125,), 1.0, 0.25, 0.77, 2.5, 1.75)
PLANE = ClosedForm(
    ("a", "b", "c"), (-1.0, 0.0, -2.5), (0.1, 0.2, 1 / 3), -4.0, 0.5, math.nan, 0.0, 0.0
)
COURSE = (Snapshot(0, 4.0, (0.0,), 0.0), Snapshot(20, 0.25, (1.5,), -2.0))
DESCENT = Descent(
    *(True, (2.0,), (0.5,), 0.1, 0.9999, None, 20, "converged", "converged after 20 steps"),
    *(COURSE, (0.5,), 1.0, 2.5, True, LINE),
)
WIDE = Descent(
    *(False, (0.0,) * 3, (1.0,) * 3, 1e-5, 0.02, 32, 7, "limit", "stopped at the limit"),
    course=(Snapshot(0, 4.0, (0.0, 1.0, 2.0), 0.0), Snapshot(7, 1e-7, (1.0, -1.0, 0.5), 3.0)),
    **{"slopes": (-1.0, 0.0, -2.0), "intercept": -3.0, "loss": 0.1, "agrees": False},
    closed_form=PLANE,
)
WIDER = replace(
    *(WIDE,),
    standardized=True,
    batch_size=None,
    course=(Snapshot(0, 4.0, (0.0,) * 4, 0.0), Snapshot(7, 1.0, (1.0,) * 4, 1.0)),
)
TRIED = (
    Trial(0.1, 60, 2.5, "converged", "right"),
    Trial(0.001, 12345, 2.123456789, "limit", "too small: not there yet"),
    Trial(1.1, 9, 123456.0, "diverged", "too large: the loss grows"),
)
RATES = LearningRates(
    *(("x",), 50),
    (Trials(True, 1.0000001, 1.499, TRIED), Trials(False, 9.1897e-5, 1.5, TRIED[1:])),
)
SEVERAL = LearningRates(
    *(("a", "b"), 50),
    tuple(
        Trials(scaled, 1.0, condition, TRIED[:1])
        for scaled, condition in [(True, 1e4), (False, 20000.4), (False, 1e12)]
    ),
)
FIRST = Derivation(
    *(("x",), True, 12345, 4.0, 0.25),
    (
        Row(1, (2.0,), 3.0, 0.0, -3.0, -0.5, -0.5, (-1.0,)),
        Row(2, (-1.0,), 3.14159, 0.0, -3.14159, -0.25, -0.25, (0.25,)),
    ),
    *((Slope("w", 0.0, -8.0, 2.0),), Slope("b", 0.0, 6.0, -1.5)),
)
MANY = Derivation(
    *(tuple("abcdefghi"), False, 1, 4.0, 0.5),
    (Row(1, (1.0,) * 9, 2.0, 0.0, -2.0, -4.0, -4.0, (-4.0,) * 9),),
    tuple(Slope(f"w{i}", 0.0, 0.0, 0.0) for i in range(1, 10)),
    Slope("b", 0.0, -4.0, 2.0),
)
FEW = replace(MANY, names=tuple("abcdefgh"), weights=MANY.weights[:8])
TRAINED = {
    **{"names": ("x", "z"), "target": "y", "hidden": (8, 4), "activation": "tanh"},
    **{"parameters": 12345, "standardized": True, "learning_rate": 0.1, "batch_size": None},
    **{"seed": 3, "steps": 2, "reason": "limit", "message": "stopped at the limit of 2 steps"},
    "course": (Snapshot(0, 1.0), Snapshot(2, 0.5)),
}
NETWORK = Network(**TRAINED, mse=0.5, r_squared=0.75, line=LINE)
OTHER = Network(
    **TRAINED | {"standardized": False, "batch_size": 16, "reason": "converged"},
    **{"mse": 0.5, "r_squared": 0.75, "line": None},
)
AT = Prediction(("x",), (2.0,), "y", 2.0, 0.125, 0.0625, 10000, 12345, False)
OUTSIDE = Prediction(tuple("abcdefghi"), (1.0,) * 9, "y", -2.0, 0.5, math.nan, 1, 2, True)
CLASSES = Classes(
    *("f.csv", "kind", 12345, 10000, 2345, (X,), ("no", "yes"), (345, 12000)), ("a note",)
)
CROWDED = Classes(
    *("f.csv", "kind", 14, 14, 0, (X,) * 5, tuple("abcdefghijklmn"), (1,) * 14, ()),
)
DOZEN = replace(CROWDED, rows=12, labels=tuple("abcdefghijkl"), counts=(1,) * 12, features=(X,) * 4)
SLOPES = FirstSlopes(
    *(("no", "yes"), 10000, 0.6931471805599453),
    (
        ClassRow(1, "no", (0.25, 0.75), (-0.75, 0.75)),
        ClassRow(7, "yes", (0.0625, 0.9375), (0.0625, -0.0625)),
    ),
)
SIX = FirstSlopes(
    *(tuple("abcdef"), 6, 1.5, (ClassRow(1, "a", (1 / 6,) * 6, (-5 / 6, *(1 / 6,) * 5)),)),
)
LONG = FirstSlopes(
    *(tuple(f"{i} a very long name" for i in range(5)), 6, 1.5),
    (ClassRow(100000, "4 a very long name", (-1.11e-100,) * 5, (-1.11e-100,) * 5),),
)
JUDGED = Classification(
    **TRAINED,
    **{"labels": ("no", "yes"), "optimizer": "Adam", "trained_on": 10000, "accuracy": 0.9},
    **{"held_out": 2000, "held_out_accuracy": 0.75, "commonest": "no", "baseline": 0.75},
    confusion=((3, 1), (0, 0)),
)
GOOD = replace(
    *(JUDGED,),
    **{"hidden": (), "held_out": 0, "held_out_accuracy": None, "baseline": 0.89},
    **{"parameters": 6, "confusion": ((4, 0), (1, 5))},
)


def confused(size, counts, name="k"):
    """A classifier of so many classes; `counts` are the rows that are confused, by pair."""
    matrix = [[5 * (i == j) + counts.get((i, j), 0) for j in range(size)] for i in range(size)]
    labels = tuple(f"{name}{i}" for i in range(size))
    return replace(GOOD, labels=labels, confusion=tuple(map(tuple, matrix)), commonest=labels[0])


PARTS = {
    "data": [Data("a file", 12345, (X,), Y, ("a note", "another")), AT],
    "many columns": [Data("f" * 90, 9999, (X, X, X, X, X), replace(Y, name="y"), ())],
    "line": [LINE],
    "plane": [PLANE],
    "descent": [DESCENT],
    "descent on raw features": [WIDE],
    "descent of many weights": [WIDER],
    "descent of one raw feature": [replace(DESCENT, standardized=False, agrees=False)],
    "learning rates": [RATES],
    "learning rates of several features": [SEVERAL],
    "first step": [FIRST],
    "first step of many weights": [MANY],
    "network": [NETWORK],
    "network without a line": [OTHER],
    "outside": [OUTSIDE],
    "written": [Written("the line", "a\nb.safetensors")],
    "classes": [CLASSES],
    "many classes": [CROWDED],
    "twelve classes": [DOZEN],
    "first slopes": [SLOPES],
    "first slopes of six classes": [SIX],
    "first slopes of long names": [LONG],
    "classifier": [JUDGED],
    "softmax regression": [GOOD],
    "long labels": [confused(4, {(0, 1): 2}, "a class with a long name ")],
    "confusions": [confused(40, {(i, i + 1): 10010 - i for i in range(13)})],
    "twelve confusions": [confused(40, {(i, 39): 2 + i for i in range(12)})],
    "no confusion": [confused(40, {})],
    "class": [ClassPrediction(("x",), (2.0,), "k", "b", ("a", "b"), (0.25, 0.75), False)],
    "class outside": [
        ClassPrediction(("x",), (2.0,), "k", "f", tuple("abcdef"), (0.1,) * 5 + (0.5,), True)
    ],
}


class Marks(Ink):
    """Ink that can be read: [31:text] in place of red text."""

    def _color(self, code, text):
        return f"[{code}:{text}]"


def written(parts, ink=None):
    writer = Writer(ink)
    return "".join(f"{line}\n" for part in parts for line in writer.lines(part))


FILE = Path(__file__).with_name("parts.txt").read_text(encoding="utf-8")
TEXTS = {name: text for name, _, text in (x.partition("\n") for x in FILE.split("===== ")[1:])}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_written_in_these_words_and_colours(name):
    assert written(PARTS[name], Marks(True)) == TEXTS[name]
    plain = re.sub(r"\[[0-9;]+:(.*?)\]", r"\1", TEXTS[name])
    assert written(PARTS[name]) == plain
    assert max(map(len, plain.splitlines())) <= 80


def test_all_weights_are_shown_where_there_are_eight():
    assert "more" not in written([FEW]) and "dL/dw8 = 0" in written([FEW])


def test_every_part_of_the_lesson_is_written():
    assert {type(part) for parts in PARTS.values() for part in parts} == set(Part.__args__)


def test_coloured_text_is_text_between_two_ansi_codes():
    ink = Ink(True)
    made = [ink.heading, ink.good, ink.bad, ink.warm, ink.key, ink.faint]
    found = [color("word") for color in made]
    assert found == [f"\x1b[{n}mword\x1b[0m" for n in ("1", "32", "31", "33", "1;36", "2")]
    assert {getattr(Ink(), color.__name__)("word") for color in made} == {"word"}


@pytest.mark.parametrize(
    ("environment", "terminal", "colored"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": ""}, True, False),
        ({}, True, False),
    ],
)
def test_colours_are_for_terminals_that_show_them(monkeypatch, environment, terminal, colored):
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    assert supports_color(stream) == Writer.for_stream(stream).ink.colored == colored
    assert not Writer.for_stream(None).ink.colored


def test_text_becomes_ascii_where_the_encoding_lacks_a_character():
    assert to_encodable("ŷ ≈ 2·λ²", "utf-8") == "ŷ ≈ 2·λ²"
    for encoding in ("ascii", None, "no such encoding"):
        assert to_encodable("ŷ ≈ 2·λ²→é", encoding) == "yhat ~ 2*lambda_^2->\\xe9"
        assert to_encodable("plain", encoding) == "plain"


def test_names_numbers_and_counts_take_little_room():
    assert shorten("a" * 24) == "a" * 24 and shorten("a" * 25) == "a" * 21 + "..."
    assert [format_count(n) for n in (9_999, 10_000)] == ["9999", "10 000"]
    assert [format_number(x, 3) for x in (-2.34567, math.nan)] == ["-2.35", "-"]


def test_sentences_are_wrapped_between_words_and_not_at_hyphens():
    assert wrap("x" * 66 + " well-known") == [f"   {'x' * 66}", "   well-known"]
    assert wrap("x" * 66 + " wellknown")[0] == f"   {'x' * 66}"
    assert wrap("x" * 64 + " wellknown") == [f"   {'x' * 64} wellknown"]


@pytest.mark.parametrize(("length", "shown"), [(13, 5), (14, 4)])
def test_as_many_classes_are_shown_as_fit_in_78_columns(length, shown):
    names = tuple(f"class {i:02}" for i in range(5))
    row = ClassRow(1, "x" * length, (0.2,) * 5, (0.2,) * 5)
    lines = written([FirstSlopes(names, 1, 1.0, (row,))]).splitlines()
    (table,) = [line for line in lines if "class 00" in line]
    assert table.count("class 0") == shown and len(table) == 78 - 9 * (5 - shown)
    assert (f"and {5 - shown} more class" in "".join(lines)) == (shown < 5)


def test_a_descent_without_steps_has_its_begin_alone():
    text = written([replace(DESCENT, course=COURSE[:1])])
    assert "step   w   b   loss\n      0   0   0      4\n\n" in text
