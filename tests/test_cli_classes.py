"""The command on a class: what it prints, saves and draws, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import lesson
from tinygrad_lr.cli import main

KINDS = ["iris <b>", "=A+B", "rose"]
CENTRES = [(0, 0), (2, 2), (3.2, -1)]
FIT = ["--x", "a,b", "--y", "kind"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    lines = ["a,b,number,kind"]
    for i in range(90):
        a, b = random.normal(CENTRES[i % 3], 0.5)
        lines.append(f"{a:.4f},{b:.4f},{i % 3 + 8},{KINDS[i % 3]}")
    Path("flowers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def write_many():
    """A file in which thirty classes are one like the other."""
    random = np.random.default_rng(0)
    lines = ["a,b,kind", *(f"{random.normal()},{random.normal()},k{i % 30}" for i in range(300))]
    Path("many.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def said(capsys, *arguments):
    """The exit status, what was printed, and the line of the error."""
    status = main(list(arguments))
    streams = capsys.readouterr()
    return status, streams.out, streams.err


def told(capsys, *arguments):
    """Return the JSON that the command prints for a program."""
    status, out, err = said(capsys, "fit", "flowers.csv", *arguments, "--json")
    assert (status, err) == (0, "")
    return json.loads(out)


# ---- what goes well


def test_words_are_classes_and_the_text_tells_how_often_it_is_right(capsys, folder):
    status, out, err = said(capsys, "fit", "flowers.csv", *FIT)
    assert (status, err) == (0, "")
    for words in [
        *("90 rows of 3 classes", "18 are held out", "72 rows are for training"),
        *("Softmax regression: 2 → 3", "dL/dz = (p - t)/N", "always '=A+B'"),
        *("held-out rows", "true \\ predicted", "kind = "),
    ]:
        assert words in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_numbers_of_the_first_step_are_those_of_the_formula(capsys, folder):
    part = told(capsys, *FIT)["first_slopes"]
    assert part["count"] == 72 and part["loss"] == pytest.approx(np.log(3), rel=1e-14)
    for row in part["rows"]:
        t = np.array([label == row["label"] for label in part["labels"]])
        assert row["probabilities"] == pytest.approx([1 / 3] * 3)
        assert row["slopes"] == pytest.approx(((1 / 3 - t) / 72).tolist(), rel=1e-13)


@pytest.mark.parametrize("hidden", [[], ["--hidden", "8"]])
def test_accuracy_baseline_and_confusion_agree_with_each_other(capsys, folder, hidden):
    part = told(capsys, *FIT, *hidden)["classification"]
    confusion = np.array(part["confusion"])
    assert confusion.sum() == part["held_out"] == 18
    assert np.trace(confusion) / 18 == part["held_out_accuracy"] > 0.9
    assert part["accuracy"] > 0.9 and part["baseline"] == pytest.approx(1 / 3)


def test_whole_numbers_are_classes_if_asked_and_in_their_order(capsys, folder):
    parts = told(capsys, "--x", "a,b", "--y", "number", "--classes")
    assert parts["classes"]["labels"] == ["8", "9", "10"]
    _, out, _ = said(capsys, "fit", "flowers.csv", "--x", "a,b", "--y", "number")
    assert "'number' has 3 different integers" in out and "pass --classes" in out


def test_what_is_saved_predicts_labels_and_their_probabilities(capsys, folder):
    said(capsys, "fit", "flowers.csv", *FIT, "--save", "kinds.safetensors")
    status, out, _ = said(capsys, "predict", "kinds.safetensors", "flowers.csv")
    rows = list(csv.DictReader(out.splitlines()))
    right = sum(row["kind"] == row["predicted_kind"] for row in rows)
    assert status == 0 and right > 80
    assert "'=A+B" in {row["predicted_kind"] for row in rows}  # no formula for a spreadsheet
    assert all(1 / 3 < float(row["probability_kind"]) <= 1 for row in rows)


def test_a_saved_classifier_is_the_one_that_was_judged(capsys, folder):
    part = told(capsys, *FIT, "--hidden", "4", "--save", "kinds.safetensors")["class_prediction"]
    predictor = lesson.load_predictor("kinds.safetensors")
    found = predictor.probabilities(np.array([part["at"]]))[0]
    assert found.tolist() == part["probabilities"]
    assert predictor.description.labels == tuple(sorted(KINDS))


def test_the_same_seed_gives_the_same_words(capsys, folder):
    first, second, other = (
        said(capsys, "fit", "flowers.csv", *FIT, "--seed", seed)[1] for seed in ("1", "1", "2")
    )
    assert first == second != other


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_picture_is_drawn(capsys, folder, ending):
    status, out, err = said(capsys, "fit", "flowers.csv", *FIT, "--plot", f"kinds.{ending}")
    assert (status, err) == (0, "") and f"kinds.{ending}" in out
    data = Path(f"kinds.{ending}").read_bytes()
    said(capsys, "fit", "flowers.csv", *FIT, "--plot", f"kinds.{ending}")
    assert Path(f"kinds.{ending}").read_bytes() == data and b"<b>" not in data


def test_other_than_two_features_are_drawn_without_borders():
    y, history = np.array([0, 1]), tg.History([0.7, 0.1], {}, [], 1, "limit", "", 0.1)
    figure = tg.plot.classification_figure(
        *(np.eye(2)[:, :1], y),
        **{"predict": None, "history": history, "confusion": np.eye(2, dtype=int)},
        **{"x_names": ["a"], "y_name": "y", "labels": ["$x$", "y"]},
    )
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        *("The loss, step by step", "The confusion matrix"),
    ]


def test_none_are_held_out_if_that_is_asked_or_there_are_few(capsys, folder):
    part = told(capsys, *FIT, "--test", "0")["classification"]
    assert part["held_out_accuracy"] is None and np.sum(part["confusion"]) == 90
    lines = Path("flowers.csv").read_text(encoding="utf-8").splitlines()
    Path("flowers.csv").write_text("\n".join(lines[:7]) + "\n", encoding="utf-8")
    assert told(capsys, *FIT)["classes"]["held_out"] == 0


def test_a_class_of_one_row_is_learnt_from(capsys, folder):
    with open("flowers.csv", "a", encoding="utf-8") as file:
        file.write("9,9,5,oak\n")
    classes = told(capsys, *FIT)["classes"]
    assert dict(zip(classes["labels"], classes["counts"], strict=True))["oak"] == 1


def test_many_classes_are_told_by_what_is_confused_most(capsys, folder):
    write_many()
    status, out, _ = said(capsys, "fit", "many.csv", *FIT, "--steps", "20")
    assert status == 0 and "most frequent confusions" in out and "and 18 more classes" in out
    assert max(map(len, out.splitlines())) <= 80


def test_zero_steps_leave_the_classifier_as_it_began(capsys, folder):
    part = told(capsys, *FIT, "--steps", "0")["classification"]
    assert part["steps"] == 0 and "unchanged" in part["message"]


def write_rows(labels):
    """A file with those labels, the rows far from each other where the labels differ."""
    places = {label: 10 * place for place, label in enumerate(dict.fromkeys(labels))}
    lines = ["a,b,kind", *(f"{places[x] + i % 2},{i % 5},{x}" for i, x in enumerate(labels))]
    Path("rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def fitted(capsys, *arguments):
    """Return the lines that the command prints about rows.csv."""
    status, out, err = said(capsys, "fit", "rows.csv", *FIT, *arguments)
    assert (status, err) == (0, "")
    return out


def test_ten_classes_are_a_matrix_in_eighty_columns(capsys, folder):
    write_rows([f"k{i % 10}" for i in range(100)])
    out = fitted(capsys, "--steps", "5")
    head = "true \\ predicted" + "".join(f"  k{i}" for i in range(10)) + "  recall"
    assert head in out and max(map(len, out.splitlines())) <= 80


def test_long_names_are_numbered_where_they_would_not_fit(capsys, folder):
    write_rows([f"a long name, {i % 8}".replace(",", "") for i in range(80)])
    out = fitted(capsys, "--steps", "5")
    assert "8  a long name 7" in out and max(map(len, out.splitlines())) <= 80


@pytest.mark.slow
def test_many_classes_that_are_all_told_apart_are_one_sentence(capsys, folder):
    write_rows([f"k{i % 30}" for i in range(150)])
    out = fitted(capsys, "--hidden", "64", "--lr", "0.03")
    assert "no class is confused with another" in out and "predicted  " not in out


def test_what_is_no_better_than_the_commonest_class_is_said_so(capsys, folder):
    none, all_steps = (
        said(capsys, "fit", "flowers.csv", *FIT, *n)[1] for n in (["--steps", "0"], [])
    )
    assert "no better than always predicting" in none
    assert "no better than always predicting" not in all_steps


def test_numbers_are_ordered_by_value_and_their_spellings_noted(capsys, folder):
    write_rows([["10.0", "2", "02", "1e0"][i % 4] for i in range(40)])
    classes = json.loads(fitted(capsys, "--classes", "--steps", "1", "--json"))["classes"]
    assert classes["labels"] == ["1e0", "02", "2", "10.0"]
    note = "'kind' has both '02' and '2', treated as two classes; "
    note += "if they are the same class, give them one spelling"
    assert classes["notes"] == [note]


@pytest.mark.parametrize("share", [None, 0.5, 0.9])
def test_every_class_is_learnt_from_and_no_row_is_lost(folder, share):
    write_rows([f"k{i % 25}" for i in range(50)] + ["common"] * 20)
    problem = lesson.read_data("rows.csv", ["a", "b"], "kind")
    train, held_out = lesson.classification.split_rows(problem, share, 0)
    assert set(problem.y[train]) == set(problem.y)
    assert sorted([*train, *held_out]) == list(range(70)) and len(held_out) > 0


@pytest.mark.slow
def test_eight_classes_leave_room_for_the_title_of_their_picture():
    y, history = np.arange(80) % 8, tg.History([0.7, 0.1], {}, [], 1, "limit", "", 0.1)
    figure = tg.plot.classification_figure(
        *(np.random.default_rng(0).normal(size=(80, 2)), y),
        predict=lambda x: np.full((len(x), 8), 1 / 8),
        history=history,
        confusion=np.eye(8, dtype=int),
        **{"x_names": ["a", "b"], "y_name": "y", "labels": [f"a long name {i}" for i in range(8)]},
    )
    figure.draw_without_rendering()
    ax = figure.axes[0]
    top = ax.get_legend().get_window_extent().y1
    assert top <= ax._left_title.get_window_extent().y0


# ---- what is refused


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        (["1a", "3", "1a"], "a number with letters after it"),
        (['"3,18"'] * 2, "a comma inside a number"),
    ],
)
def test_words_among_numbers_are_a_fault_that_names_the_way_to_mean_them(
    capsys, folder, cells, what
):
    write_rows(cells)
    status, _, err = said(capsys, "fit", "rows.csv", *FIT)
    assert status == 1 and "line 2, column 'kind': must be a number" in err and what in err
    assert err.endswith("or, if these are classes, pass --classes\n")


ODD_TARGETS = {  # a cell of a target -> what is said of it
    "10%": "a percentage, '10%'; write the number alone, in one unit",
    "$10": "an amount of money, '$10'",
    "10 kg": "a number with letters after it, '10 kg'",
    "−10": "another minus sign, '−10'; write '-'",
    "1.0D+00": "an exponent after 'd', '1.0D+00'",
    "(10)": "a number in parentheses, '(10)'",
    "2024-05-01": "a date or a time, '2024-05-01'",
    '"10,50 €"': "an amount of money, '10,50 €'",
    "１０": "a number in another notation, '１０'",
    '"1,234.5"': "separators inside a number, '1,234.5'",
    "1_000": "a number in another notation, '1_000'",
    "0x10": "a number in another notation, '0x10'",
    "1/2": "a fraction, '1/2'",
    "12:30": "a date or a time, '12:30'",
    "<5": "a bound or an approximate number, '<5'",
    "~3": "a bound or an approximate number, '~3'",
    "10k": "a number with letters after it, '10k'",
    "EUR 10": "text, 'EUR 10'",
}


@pytest.mark.parametrize("others", [["low"], ["7"], []], ids=["names", "numbers", "alone"])
@pytest.mark.parametrize("cell", ODD_TARGETS)
def test_text_that_could_be_a_quantity_is_a_class_only_with_the_option(
    capsys, folder, cell, others
):
    places = [f"{i},{i % 3}," for i in range(8)]
    other = cell.translate(str.maketrans("1235１", "2346２"))
    column = [*others, cell, *others, cell, other] * 2
    rows = zip(places, column, strict=False)
    Path("odd.csv").write_text("a,b,y\n" + "".join(f"{x}{y}\n" for x, y in rows), "utf-8")
    status, out, err = said(capsys, "fit", "odd.csv", "--x", "a,b", "--y", "y")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert f"line {2 + len(others)}, column 'y': must be a number" in err
    assert ODD_TARGETS[cell] in err
    assert err.endswith("; or, if these are classes, pass --classes\n")
    status, _, err = said(capsys, "fit", "odd.csv", "--x", "a,b", "--y", "y", "--classes")
    assert (status, err) == (0, "")


@pytest.mark.parametrize("names", [["A1", "A2"], ["grade 1", "grade 2"], ["low", "high"]], ids=str)
def test_names_are_classes_without_an_option(capsys, folder, names):
    write_rows(names * 4)
    assert "of 2 classes" in fitted(capsys, "--steps", "1")


@pytest.mark.parametrize("cell", ["", "n/a", "NaN", "?", "#N/A"])
def test_a_missing_number_is_not_a_class(capsys, folder, cell):
    write_rows(["1", cell, "2", "3"])
    status, _, err = said(capsys, "fit", "rows.csv", *FIT)
    assert status == 1 and "line 3, column 'kind': must be a number" in err
    assert "--classes" not in err


def test_few_different_integers_are_a_quantity_with_a_note(capsys, folder):
    write_rows(["0", "1", "1"] * 2)
    note = "'kind' has 2 different integers and is treated as a quantity"
    assert note in " ".join(fitted(capsys).split())
    write_rows(["0", "1", "2", "3"])
    assert "treated as a quantity" not in " ".join(fitted(capsys).split())


def test_the_former_name_of_the_option_is_read(capsys, folder):
    assert told(capsys, "--x", "a,b", "--y", "number", "--classify")["classes"]["labels"]


@pytest.mark.parametrize(
    ("rows", "arguments", "sentence"),
    [
        ("1,2,x\n3,4,\n", [], "line 3, column 'kind': each row must have a class label"),
        ("1,2,x\n3,4,NA\n", [], "line 3, column 'kind': each row must have a class label"),
        ("1,2,x\n3,4,x\n", [], "must have at least two classes, got 'x' in every row"),
        ("1,2,x\n3,4,y\n5,6,z\n", [], "got 3 classes in 3 rows"),
        ("1,2,x\n3,no,y\n5,6,y\n", [], "line 3, column 'b'"),
        ("1,2,x\n3,4,7\n5,6,7\n", [], "line 2, column 'kind'"),
        ("1,2,1\n3,4,2\n5,6,4\n", ["--test", "0.3"], "--test: --y must be a class, got numbers"),
        ("1,2,x\n3,4,y\n5,6,y\n", ["--batch-size", "9"], "--batch-size must be at most 3"),
        ("1,2,x\n3,4,y\n5,6,y\n", ["--test", "0.999"], "--test must be a share that leaves rows"),
        ("1,2,x\n3,4,y\n5,6,y\n", ["--at", "1"], "one number for each feature (a, b), got 1"),
    ],
)
def test_what_cannot_be_told_apart_is_one_line(capsys, folder, rows, arguments, sentence):
    Path("bad.csv").write_text(f"a,b,kind\n{rows}", encoding="utf-8")
    status, _, err = said(capsys, "fit", "bad.csv", *FIT, *arguments)
    assert status == 1 and sentence in err and err.count("\n") == 1


@pytest.mark.parametrize("share", ["1", "-0.1", "nan", "a"])
def test_a_share_that_is_none_is_wrong_usage(capsys, folder, share):
    assert said(capsys, "fit", "flowers.csv", *FIT, "--test", share)[0] == 2


def test_a_rate_that_is_too_large_writes_nothing(capsys, folder):
    write_many()
    arguments = [*FIT, "--learning-rate", "1e300", "--save", "kinds.safetensors"]
    status, _, err = said(capsys, "fit", "many.csv", *arguments)
    assert status == 1 and "diverged" in err and "lower --learning-rate" in err
    assert not Path("kinds.safetensors").exists()


def test_ctrl_c_saves_what_was_learnt(capsys, folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_lr.train.state.is_unchanged", interrupt)
    status, _, err = said(capsys, "fit", "flowers.csv", *FIT, "--save", "kinds.safetensors")
    sentence = "interrupted after 1 step; the model was saved to kinds.safetensors"
    assert status == 130 and sentence in err


@pytest.mark.parametrize("labels", [["x"], ["x", "x"], ["x", ""], [1, 2], "xy", None])
def test_a_file_with_other_labels_is_refused(folder, labels):
    lesson.Predictor(
        description := lesson.predictor.Description(("a",), "y", (), "tanh", (0.0,), (1.0,)),
        description.build_model(),
    ).save("line.safetensors")
    told = json.loads(tg.checkpoint.load_metadata("line.safetensors")["tinygrad_lr"])
    weights = tg.checkpoint.load_file("line.safetensors")
    text = json.dumps({**told, "labels": labels})
    tg.checkpoint.save_file(weights, "line.safetensors", {"tinygrad_lr": text})
    with pytest.raises(tg.errors.DataFileError, match="valid entry 'labels'"):
        lesson.load_predictor("line.safetensors")
