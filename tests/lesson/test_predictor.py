"""A predictor in memory and in a file, and its predictions of a CSV file."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import lesson
from tinygrad_lr.errors import DataFileError
from tinygrad_lr.lesson import predictor as predictors
from tinygrad_lr.lesson.predictor import Description

LINE = Description(("a", "b"), "y", (), "tanh", (1.0, 2.0), (2.0, 4.0), 5.0, 10.0)
MLP = replace(LINE, hidden=(3, 2), activation="relu")
CLASSES = replace(LINE, y_mean=0.0, y_scale=1.0, labels=("no", "=yes", "a,b"))
KINDS = {
    "line": LINE,
    "mlp": MLP,
    "classes": CLASSES,
    "deep classes": replace(CLASSES, hidden=(4,)),
}
X = np.random.default_rng(0).normal(size=(7, 2))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    pytest.importorskip("safetensors")
    monkeypatch.chdir(tmp_path)


def predictor_of(description, seed=0):
    model = description.build_model(seed)
    random = np.random.default_rng(seed)
    state = {name: random.normal(size=x.shape) for name, x in model.state_dict().items()}
    model.load_state_dict(state)
    return lesson.Predictor(description, model)


def outputs_of(predictor, x):
    """The model's outputs in plain NumPy."""
    description, state = predictor.description, predictor.model.state_dict()
    z = (x - np.array(description.x_mean)) / np.array(description.x_scale)
    layers = len(description.hidden)
    for i in range(layers + 1):
        prefix = f"layers.{2 * i}." if layers else ""
        z = z @ state[f"{prefix}weight"] + state[f"{prefix}bias"]
        if i < layers:
            z = np.maximum(z, 0) if description.activation == "relu" else np.tanh(z)
    return z


@pytest.mark.parametrize("block", [1, 3, 2**20])
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_the_layers_by_hand(monkeypatch, kind, block):
    monkeypatch.setattr(predictors, "BLOCK_NUMBERS", block)
    description = KINDS[kind]
    predictor = predictor_of(description)
    z = outputs_of(predictor, X)
    assert predictor.predict(X) == pytest.approx(
        z[:, 0] * description.y_scale + description.y_mean, rel=1e-12
    )
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predictor.probabilities(X), p, rtol=1e-12)
    assert description.outputs == z.shape[1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_is_what_was_saved(kind):
    predictor = predictor_of(KINDS[kind])
    predictor.save("m.safetensors")
    loaded = lesson.load_predictor("m.safetensors")
    assert loaded.description == KINDS[kind]
    assert (loaded.predict(X) == predictor.predict(X)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_begins_at_zero_and_a_network_with_the_seed(kind):
    description = KINDS[kind]
    first, same, other = (description.build_model(seed).state_dict() for seed in (1, 1, 2))
    assert {name: x.shape for name, x in first.items()} == description.shapes()
    for name, x in first.items():
        assert x.dtype == np.float64 and (x == same[name]).all()
        if not description.hidden:
            assert not x.any()
    assert any((x != other[name]).any() for name, x in first.items()) == bool(description.hidden)


def rewritten(**entries):
    """Save a line with other entries in its description."""
    predictor_of(LINE).save("m.safetensors")
    told = json.loads(tg.checkpoint.load_metadata("m.safetensors")["tinygrad_lr"])
    weights = tg.checkpoint.load_file("m.safetensors")
    text = json.dumps(told | entries)
    tg.checkpoint.save_file(weights, "m.safetensors", {"tinygrad_lr": text})
    return lesson.load_predictor("m.safetensors")


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ({"x": []}, "'x'"),
        ({"x": ["a", "b", "c"]}, "'x_mean'"),
        ({"x_mean": [1.0]}, "'x_mean'"),
        ({"x_mean": [1.0, "2"]}, "'x_mean'"),
        ({"x_scale": [1.0, 2.0, 3.0]}, "'x_scale'"),
        ({"x_scale": [1.0, 0.0]}, "'x_scale'"),
        ({"x_scale": [1.0, -2.0]}, "'x_scale'"),
        ({"y_scale": 0}, "'y_scale'"),
        ({"y_mean": None}, "'y'"),
        ({"y_scale": True}, "'y'"),
        ({"y": 5}, "'y'"),
        ({"hidden": [0]}, "'architecture'"),
        ({"hidden": [0], "architecture": "mlp"}, "'hidden'"),
        ({"hidden": [2**20 + 1], "architecture": "mlp"}, "'hidden'"),
        ({"hidden": [1.0]}, "'hidden'"),
        ({"hidden": None}, "'hidden'"),
        ({"architecture": "mlp"}, "'architecture'"),
        ({"activation": "sigmoid"}, "'activation'"),
        ({"labels": ["a"]}, "'labels'"),
        ({"labels": ["a", "a"]}, "'labels'"),
        ({"labels": ["a", ""]}, "'labels'"),
        ({"labels": [str(i) for i in range(1001)]}, "'labels'"),
        ({"x": [str(i) for i in range(100_001)]}, "'x'"),
    ],
    ids=lambda x: f"{x!s:.30}",
)
def test_an_entry_outside_its_range_is_named(entries, named):
    with pytest.raises(DataFileError, match=rf"must have a valid entry {named}, got") as caught:
        rewritten(**entries)
    assert str(caught.value).endswith("; pass a file written by tinygrad-lr fit --save")


@pytest.mark.parametrize(
    "entries",
    [
        {"hidden": [2**20], "architecture": "mlp"},
        {"hidden": [1] * 100, "architecture": "mlp"},
        {"labels": ["a", "b"]},
        {"labels": [str(i) for i in range(1000)]},
        {"x": [*map(str, range(10**5))], "x_mean": [0] * 10**5, "x_scale": [1] * 10**5},
    ],
    ids=lambda x: f"{x!s:.30}",
)
def test_entries_in_range_are_compared_with_the_weights(entries):
    with pytest.raises(DataFileError, match="weights must match their description"):
        rewritten(**entries)


def test_integers_in_a_description_are_numbers_and_a_large_mean_is_one():
    found = rewritten(y_mean=0, y_scale=2, x_mean=[1e308, -5]).description
    assert (found.y_mean, found.y_scale, found.x_mean) == (0.0, 2.0, (1e308, -5.0))


def test_a_file_without_a_description_is_refused():
    tg.checkpoint.save_file({"w": np.ones(2)}, "m.safetensors")
    with pytest.raises(
        DataFileError, match=r"m\.safetensors: must have the metadata 'tinygrad_lr'"
    ):
        lesson.load_predictor("m.safetensors")


# ---- a CSV file


def predicted(predictor, text):
    Path("f.csv").write_text(text, encoding="utf-8")
    return "".join(lesson.predict_file(predictor, "f.csv"))


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_has_its_prediction_whatever_the_order_of_the_columns(kind):
    predictor = predictor_of(KINDS[kind])
    text = "b,name,a\n" + "".join(f"{b!r},r{i},{a!r}\n" for i, (a, b) in enumerate(X.tolist()))
    head, *rows = csv.reader(predicted(predictor, text).splitlines())
    labels, p = predictor.description.labels, predictor.probabilities(X)
    assert head == ["b", "name", "a", "predicted_y", *["probability_y"] * bool(labels)]
    assert [row[:3] for row in rows] == [
        [repr(b), f"r{i}", repr(a)] for i, (a, b) in enumerate(X.tolist())
    ]
    if labels:
        shown = [("'" * label.startswith("=")) + label for label in labels]
        assert [row[3] for row in rows] == [shown[i] for i in p.argmax(axis=1)]
        assert [float(row[4]) for row in rows] == pytest.approx(p.max(axis=1), rel=1e-12)
    else:
        assert [float(row[3]) for row in rows] == pytest.approx(predictor.predict(X), rel=1e-12)


@pytest.mark.parametrize(("kind", "name"), [("line", "predicted"), ("classes", "probability")])
def test_a_column_with_the_name_of_the_predictions_is_refused(kind, name):
    sentence = rf"f\.csv: columns must not have .* got '{name}_y'; rename that column"
    with pytest.raises(DataFileError, match=sentence):
        predicted(predictor_of(KINDS[kind]), f"a,b,{name}_y\n1,2,3\n")
    if name == "probability":
        assert predicted(predictor_of(LINE), f"a,b,{name}_y\n1,2,3\n").count("\n") == 2


def test_a_line_is_named_whose_prediction_is_not_finite():
    rows = "a,b\n1,2\n\n1e308,-1e308\n3,4\n"
    for kind in ("line", "classes"):
        description = replace(KINDS[kind], x_scale=(1e-5, 1e-5))
        with pytest.raises(DataFileError, match=r"f\.csv, line 4: the prediction must be finite"):
            predicted(predictor_of(description), rows)


def test_a_cell_that_is_no_number_is_named_and_a_file_without_rows():
    predictor = predictor_of(LINE)
    with pytest.raises(DataFileError, match=r"line 3, column 'b': must be a number .*'x'"):
        predicted(predictor, "a,c,b\n1,q,2\n1,q,x\n3,q,1\n")
    with pytest.raises(DataFileError, match="rows"):
        predicted(predictor, "a,b\n")
    with pytest.raises(DataFileError, match="'b'"):
        predicted(predictor, "a,c\n1,2\n")


def test_many_blocks_are_all_told():
    rows = 200_000
    text = "a,b\n" + "1,2\n" * rows
    told = []
    Path("f.csv").write_text(text, encoding="utf-8")
    predictor = predictor_of(LINE)
    found = "".join(lesson.predict_file(predictor, "f.csv", told.append)).splitlines()
    value = predictor.predict(np.array([[1.0, 2.0]]))[0]
    assert sum(told) == len(text) and len(found) == rows + 1
    assert set(found[1:]) == {f"1,2,{value!r}".replace("np.float64(", "").replace(")", "")}
