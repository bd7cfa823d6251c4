"""The files of a lesson: the command on a page writes it again, and pictures show the model."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import cli, lesson
from tinygrad_lr.errors import DataFileError, MissingExtraError

ROWS = "a,b c,y,kind,code\n" + "".join(
    f"{i},{i * 7 % 5},{2 * i + i % 3},{'AB'[i % 2]},{10 * (i % 2)}%\n" for i in range(12)
)
OWN = lesson.problem.MEANINGS


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/rows.csv").write_text(ROWS, encoding="utf-8")


@pytest.fixture
def page(monkeypatch):
    """Return a function: run a command, return what the page was made of."""
    pytest.importorskip("latex2mathml")
    made = {}

    def report(*arguments, **options):
        made.update(options, arguments=arguments)

    monkeypatch.setattr("tinygrad_lr.report_page.report", report)

    def run(words):
        made.clear()
        assert cli.main(["fit", *words]) == 0
        return dict(made)

    return run


LINE = ["rows.csv", "--x", "a", "--x", "b c", "--y", "y"]
CLASSES = ["rows.csv", "--x", "a", "--y", "kind"]
COMMANDS = [
    "--steps 3 --report p.html",
    "--x sat_v --y fy_gpa --steps 3 --report p.html",
    "--x sat_sum --y hs_gpa --steps 3 --report p.html",
    "--hidden 4,2 --steps 3 --report p.html",
    f"{shlex.join(LINE)} --report p.html",
    f"{shlex.join(LINE)} --hidden 2 --activation relu --learning-rate 0.01 --steps 5"
    " --tolerance 0.001 --batch-size 4 --seed 9 --no-standardize --report p.html",
    f"{shlex.join(LINE)} --learning-rate 0.01 --steps 2 --no-standardize --report p.html",
    f"{shlex.join(CLASSES)} --steps 2 --report p.html",
    f"{shlex.join(CLASSES)} --test 0.5 --steps 2 --report p.html",
    f"{shlex.join(CLASSES)} --test 0 --hidden 3 --steps 2 --seed 4 --report p.html",
    "rows.csv --x a --y code --classes --steps 2 --report p.html",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_on_a_page_writes_the_same_page(page, command):
    words = shlex.split(command)
    given = page([f"data/{word}" if word == "rows.csv" else word for word in words])
    assert given["command"] == f"tinygrad-lr fit {command}"


def test_what_is_said_as_by_default_is_left_out_of_the_command(page):
    given = page(["--x", "sat_sum", "--y", "fy_gpa", "--activation", "tanh", "--report", "p.html"])
    assert given["command"] == "tinygrad-lr fit --report p.html"
    words = ["--seed", "0", "--steps", "1000", "--tolerance", "1e-12", "--test", "0.2"]
    given = page(["data/rows.csv", *CLASSES[1:], *words, "--report", "p.html"])
    assert given["command"] == f"tinygrad-lr fit {shlex.join(CLASSES)} --test 0.2 --report p.html"


def test_a_page_of_the_students_has_their_names_and_settings(page):
    given = page(["--steps", "1", "--report", "p.html"])
    assert given["settings"] == {"data": lesson.problem.SOURCE, "features": "standardised"}
    assert given["x_names"] == [f"sat_sum ({OWN['sat_sum']})"]
    assert given["y_name"] == f"fy_gpa ({OWN['fy_gpa']})"
    assert given["title"] == "fy_gpa, learnt from sat_sum"
    students = tg.datasets.sat_gpa()
    assert given["x_scaling"].mean == pytest.approx(students.sat_sum.mean())
    assert given["x_scaling"].scale == pytest.approx(students.sat_sum.std())
    assert given["y_scaling"] is None


@pytest.mark.parametrize("standardize", [True, False])
def test_a_page_of_a_network_is_of_the_rows_that_it_saw(page, standardize):
    more = [] if standardize else ["--no-standardize"]
    words = [*("--hidden", "2", "--batch-size", "5", "--seed", "3", "--steps", "2"), *more]
    given = page(["data/rows.csv", *LINE[1:], *words, "--report", "p.html"])
    assert given["settings"] == {
        "data": "rows.csv",
        "features": "standardised" if standardize else "as given",
        **{"batch size": 5, "seed": 3},
    }
    assert given["x_names"] == ["a", "b c"] and given["y_name"] == "y"
    assert given["title"] == "y, learnt from a and b c"
    problem = lesson.read_problem("data/rows.csv", ["a", "b c"], "y")
    _, _, x, y = given["arguments"]
    x = x * given["x_scaling"].scale + given["x_scaling"].mean
    y = y * given["y_scaling"].scale + given["y_scaling"].mean
    np.testing.assert_allclose(x, problem.x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(y, problem.y, rtol=1e-12, atol=1e-12)
    assert (given["y_scaling"].scale == 1) != standardize


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--seed", "3"], {}),
        (["--batch-size", "5", "--seed", "3"], {"batch size": 5, "seed": 3}),
        (["--hidden", "2", "--seed", "3"], {"seed": 3}),
    ],
)
def test_a_page_names_the_seed_where_it_matters(page, words, shown):
    given = page(["data/rows.csv", *LINE[1:], *words, "--steps", "1", "--report", "p.html"])
    assert given["settings"] == {"data": "rows.csv", "features": "standardised"} | shown


def test_a_line_of_four_features_has_no_title(page):
    header = "a,b,c,d,y\n"
    random = np.random.default_rng(0).normal(size=(9, 5)).tolist()
    rows = "".join(",".join(map(repr, row)) + "\n" for row in random)
    Path("wide.csv").write_text(header + rows, encoding="utf-8")
    words = ["wide.csv", "--y", "y", "--steps", "1", "--report", "p.html", "--x"]
    assert page([*words, "a,b,c,d"])["title"] is None
    assert page([*words, "a,b,c"])["title"] == "y, learnt from a and b and c"


@pytest.mark.parametrize("held_out", [0, 6])
def test_a_page_of_a_classifier_is_of_its_training_rows(page, held_out):
    words = ["--test", str(held_out / 12), "--steps", "40", "--report", "p.html"]
    given = page(["data/rows.csv", *CLASSES[1:], *words])
    history, _, x, y = given["arguments"]
    assert len(x) == len(y) == 12 - held_out
    assert given["loss"] is tg.losses.cross_entropy and given["labels"] == ("A", "B")
    rows = np.rint(x[:, 0] * given["x_scaling"].scale + given["x_scaling"].mean)
    assert len({*rows}) == len(rows) and (y == rows % 2).all()
    assert history.steps == 40 and given["y_name"] == "kind" and given["x_names"] == ("a",)
    names = ["data", "optimizer", "features", "accuracy on training rows"]
    names += [f"accuracy on {held_out} held-out rows"] * bool(held_out)
    assert list(given["settings"]) == names
    assert given["settings"]["optimizer"] == "Adam" and given["settings"]["data"] == "rows.csv"
    assert all(
        re.fullmatch(r"\d+\.\d%", text)
        for name, text in given["settings"].items()
        if name.startswith("accuracy")
    )


# ---- pictures


class Picture:
    """A figure that writes down how it is saved."""

    def savefig(self, stream, **options):
        import matplotlib

        self.options = options | {"salt": matplotlib.rcParams["svg.hashsalt"]}
        stream.write(b"a picture")


@pytest.fixture
def picture(monkeypatch):
    """Return the numbers that the figure was made of."""
    pytest.importorskip("matplotlib")
    made = {"figure": Picture()}

    def draw(*arguments, **options):
        made.update(options, arguments=arguments)
        return made["figure"]

    monkeypatch.setattr("tinygrad_lr.plot.descent_figure", draw)
    monkeypatch.setattr("tinygrad_lr.plot.classification_figure", draw)
    return made


@pytest.mark.parametrize("hidden", [(), (3,)])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("names", [["a"], ["a", "b c"]])
def test_a_picture_shows_the_model_over_the_rows(picture, names, standardize, hidden):
    problem = lesson.read_problem("data/rows.csv", names, "y")
    settings = lesson.Settings(hidden=hidden, standardize=standardize, steps=4, learning_rate=0.01)
    parts = list(lesson.run(problem, settings, plot="p.png", save="m.safetensors"))
    assert Path("p.png").read_bytes() == b"a picture"
    assert [part.what for part in parts[-2:]] == [
        "the network" if hidden else "the line",
        "the plot",
    ]
    x, y = picture["arguments"]
    assert (y == problem.y).all() and (x == np.squeeze(problem.x)).all()
    predictor = lesson.load_predictor("m.safetensors")
    assert (picture["predict"](x) == predictor.predict(problem.x)).all()
    assert picture["x_name"] == (names[0] if len(names) == 1 else tuple(names))
    assert picture["y_name"] == "y"
    last = {name: array[-1] for name, array in picture["history"].weights.items()}
    scale = predictor.description.y_scale
    mse = np.mean((predictor.predict(problem.x) - problem.y) ** 2) / scale**2
    assert picture["loss_at"](last) == pytest.approx(mse, rel=1e-9)
    assert (picture["closed_form"] is None) == bool(hidden)
    label = "w, per standard deviation of a" if standardize else "w"
    assert picture["w_label"] == (label if len(names) == 1 and not hidden else None)


def test_a_picture_of_a_classifier_has_its_probabilities_and_confusions(picture):
    problem = lesson.read_data("data/rows.csv", ["a", "b c"], "kind")
    settings = lesson.Settings(steps=3)
    *_, found, _, saved, drawn = lesson.classify(
        problem, settings, plot="p.png", save="m.safetensors"
    )
    assert (saved.what, drawn.what, drawn.path) == ("the classifier", "the plot", "p.png")
    x, y = picture["arguments"]
    assert (x == problem.x).all() and (y == problem.y).all()
    predictor = lesson.load_predictor("m.safetensors")
    assert (picture["predict"](x) == predictor.probabilities(x)).all()
    assert picture["confusion"].tolist() == [list(row) for row in found.confusion]
    assert picture["labels"] == ("A", "B") and picture["x_names"] == ("a", "b c")
    assert picture["history"].steps == 3 and picture["y_name"] == "kind"


@pytest.mark.parametrize(
    ("ending", "unwanted"), [("png", "Software"), ("svg", "Date"), ("pdf", "CreationDate")]
)
def test_a_picture_has_no_date_and_the_ending_chooses_its_format(picture, ending, unwanted):
    problem = lesson.read_problem("data/rows.csv", ["a"], "y")
    list(lesson.run(problem, lesson.Settings(steps=1), plot=f"p.{ending.upper()}"))
    options = {"format": ending, "metadata": {unwanted: None}, "salt": "tinygrad_lr"}
    assert picture["figure"].options == options


# ---- paths


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"save": "m.npz"}, r"m\.npz: extension must be \.safetensors, got '\.npz'"),
        ({"save": "m"}, r"m: extension must be \.safetensors, got none"),
        ({"plot": "p.gif"}, r"p\.gif: extension must be \.png or \.svg or \.pdf, got '\.gif'"),
        ({"report": "p.txt"}, r"p\.txt: extension must be \.html or \.htm, got '\.txt'"),
        ({"plot": "p.png", "report": "p.png"}, r"p\.png"),
        ({"save": "none/m.safetensors"}, "must be in an existing folder"),
        ({"plot": "data/rows.csv"}, r"rows\.csv"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_any_work(outputs, words):
    given = {"save": None, "plot": None, "report": None} | outputs
    with pytest.raises(DataFileError, match=words):
        lesson.check_paths("data/rows.csv", **given)
    problem = lesson.read_problem("data/rows.csv", ["a"], "y")
    for lessons in (lesson.run, lesson.classify):
        with pytest.raises(DataFileError, match=words):
            next(lessons(problem, **outputs))


def test_outputs_that_can_be_are_accepted():
    lesson.check_paths("data/rows.csv", None, None, None)
    lesson.check_paths("data/rows.csv", "m.SAFETENSORS", "p.PNG", "p.htm")


@pytest.mark.parametrize(
    ("module", "outputs"),
    [
        ("matplotlib", {"plot": "p.png"}),
        ("latex2mathml", {"report": "p.html"}),
        ("safetensors", {"save": "m.safetensors"}),
    ],
)
def test_a_missing_package_is_known_before_any_work(monkeypatch, module, outputs):
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match="pip install"):
        lesson.check_paths(
            "data/rows.csv", **{"save": None, "plot": None, "report": None} | outputs
        )
