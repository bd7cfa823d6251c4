"""The arguments of `fit`: what each means by default, at its ends, and what is refused."""

from __future__ import annotations

import io
import json
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn, optim
from tinygrad_lr.data import DataLoader
from tinygrad_lr.errors import ArgumentError
from tinygrad_lr.train import Checkpoints, EarlyStopping, fit
from tinygrad_lr.train.checkpoints import differences, from_json, to_json
from tinygrad_lr.train.history import end_message

pytestmark = pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.TrainingWarning")

X = np.random.default_rng(0).normal(size=(10, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.3


def line(seed=0):
    return nn.Linear(3, 1, dtype=np.float64, generator=seed)


def sgd(model, rate=0.01, **options):
    return optim.SGD(model.parameters(), rate, **options)


REFUSED = {
    "y must be the targets, got None; pass them, or a tg.data.DataLoader of both as x": {"y": None},
    "a DataLoader as x must be passed alone, got y and batch_size too": {
        **{"x": DataLoader(X, Y, batch_size=5), "batch_size": 2},
    },
    "a DataLoader as x must be passed alone, got batch_size too": {
        **{"x": DataLoader(X, Y, batch_size=5), "y": None, "batch_size": 2},
    },
    "batch_size must be an integer from 1 to 10, the number of rows, got 11": {"batch_size": 11},
    "batch_size must be an integer >= 1, got 0": {"batch_size": 0},
    "accumulate must be an integer >= 1, got 0": {"accumulate": 0},
    "the limit must be steps or epochs, got both": {"steps": 1, "epochs": 1},
    "steps must be an integer >= 0, got -1": {"steps": -1},
    "epochs must be an integer >= 0, got -1": {"epochs": -1},
    "validate_every must be an integer >= 1, got 0": {"validate_every": 0, "validation": 0.5},
    "model must be a tg.nn.Module, got str": {"model": "line"},
    "optimizer must be one of tg.optim, such as": {"optimizer": optim.SGD},
    "the learning rate must be given once, got learning_rate and an": {
        **{"optimizer": sgd, "learning_rate": 0.1},
    },
    "optimizer must have parameters of this model": {"optimizer": lambda model: sgd(line())},
    "ReduceOnPlateau must have mode='min', since it sees the loss": {
        "learning_rate": tg.schedules.ReduceOnPlateau(0.1, mode="max"),
    },
    "loss must be a function such as tg.losses.mse, got 'mae'; pass tg.losses.mae": {"loss": "mae"},
    "loss must be a function such as tg.losses.mse, got 3": {"loss": 3},
    "clip_norm must be None for an optimizer with a line search (LBFGS), got 1.0": {
        **{"optimizer": lambda model: optim.LBFGS(model.parameters()), "clip_norm": 1.0},
    },
    "clip_norm must be a finite number > 0, got 0.0": {"clip_norm": 0.0},
    "callback must be a function of a Moment, or a list of them": {"callback": 3},
    "callback must be a function of a tg.train.Moment, or a list of them, got 3": {
        "callback": [print, 3],
    },
    "early_stopping monitors validation_loss, which needs validation data, got none; pass "
    'validation=0.2, or EarlyStopping(patience, "loss")': {"early_stopping": 3},
    "fraction such as 0.2, got 1.0": {"validation": 1.0},
    "fraction such as 0.2, got 0.0": {"validation": 0.0},
    "fraction such as 0.2, got 1": {"validation": 1},
    "got 0.5; x is a DataLoader: pass another one": {
        **{"x": DataLoader(X, Y, batch_size=5), "y": None, "validation": 0.5},
    },
    "progress must be": {"progress": 1},
    "resume must be": {"resume": None},
    "warn must be": {"warn": None},
    "compile must be": {"compile": "yes"},
    "tolerance must be": {"tolerance": -1.0},
}


@pytest.mark.parametrize("words", REFUSED)
def test_an_argument_that_cannot_be_is_refused(words):
    options = dict(REFUSED[words])
    model, x, y = options.pop("model", line()), options.pop("x", X), options.pop("y", Y)
    optimizer = options.pop("optimizer", None)
    if callable(optimizer) and optimizer is not optim.SGD:
        optimizer = optimizer(model)
    with pytest.raises(ArgumentError) as caught:
        fit(model, x, y, optimizer=optimizer, **options)
    assert words in str(caught.value)
    if words.endswith("got 3") or words.endswith("got 1"):
        assert str(caught.value).endswith(words)


def test_the_limit_is_a_thousand_steps_at_a_rate_of_a_thousandth():
    model = line()
    history = fit(model, X, Y)
    assert (history.steps, history.reason, history.learning_rate) == (1000, "limit", 0.001)
    d, w = np.column_stack([X, np.ones(10)]), np.append(*line().state_dict().values())
    for _ in range(1000):
        w = w - 0.001 * 2 * d.T @ (d @ w - Y) / 10
    assert np.append(*model.state_dict().values()) == pytest.approx(w)


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"epochs": 3}, 3),
        ({"epochs": 3, "batch_size": 4}, 9),
        ({"epochs": 3, "batch_size": 5}, 6),
        ({"epochs": 3, "batch_size": 4, "accumulate": 2}, 6),
        ({"epochs": 0}, 0),
        ({"steps": 0}, 0),
        ({"steps": 7, "batch_size": 10}, 7),
    ],
)
def test_epochs_are_passes_over_the_rows(options, steps):
    moments = []
    history = fit(line(), X, Y, **options, callback=moments.append)
    assert history.steps == steps == moments[-1].step
    if "epochs" in options:
        assert moments[-1].epoch == options["epochs"]
    assert math.isnan(moments[0].learning_rate) and [x.step for x in moments] == [*range(steps + 1)]


def test_the_rows_of_an_epoch_are_each_used_once_in_an_order_of_the_seed():
    class Seen(nn.Module):
        def __init__(self):
            self.line, self._rows = line(), []

        def forward(self, x):
            self._rows.append(x[:, 0].tolist())
            return self.line(x)

    def rows(**options):
        model = Seen()
        fit(model, X, Y, steps=5, **options)
        return model._rows

    whole = rows()
    assert all(part == X[:, 0].tolist() for part in whole)
    assert rows(batch_size=10) == whole
    for parts in (rows(batch_size=4), rows(batch_size=4, generator=1)):
        assert [len(part) for part in parts] == [4, 4, 2, 4, 4, 2]
        for epoch in (parts[:3], parts[3:]):
            assert sorted(x for part in epoch for x in part) == sorted(X[:, 0].tolist())
        assert parts[:3] != parts[3:]
    assert rows(batch_size=4) == rows(batch_size=4, generator=0) != rows(batch_size=4, generator=1)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_share_of_the_rows_is_held_out(share):
    model = line()
    history = fit(model, X, Y, validation=share, steps=3, validate_every=2)
    assert [x["step"] for x in history.evaluations] == [2, 3]
    assert {x.keys() >= {"validation_loss", "loss", "epoch"} for x in history.evaluations} == {True}
    seen = []

    def loss(predicted, target):
        seen.append(len(target))
        return tg.losses.mse(predicted, target)

    fit(line(), X, Y, validation=share, steps=1, loss=loss)
    assert set(seen) == {round(10 * share), 10 - round(10 * share)}


def test_a_metric_alone_asks_for_evaluations_and_so_does_a_schedule_that_sees_the_loss():
    assert fit(line(), X, Y, steps=2).evaluations == []
    for options in (
        {"metrics": "mae"},
        {"early_stopping": EarlyStopping(5, "loss")},
        {"learning_rate": tg.schedules.ReduceOnPlateau(0.01)},
    ):
        assert len(fit(line(), X, Y, steps=2, **options).evaluations) == 2


def test_an_evaluation_knows_its_epoch_also_within_one():
    history = fit(line(), X, Y, steps=7, batch_size=4, metrics="mae", validate_every=2)
    epochs = [x["epoch"] for x in history.evaluations]
    assert epochs == [2 / 3, 4 / 3, 2, 7 / 3] and type(epochs[2]) is int
    steps = fit(line(), X, Y, steps=6, batch_size=4, metrics="mae").evaluations
    assert [(x["step"], x["epoch"]) for x in steps] == [(3, 1), (6, 2)]


@pytest.mark.parametrize("clip", [None, 0.5, 1e9])
def test_a_clipped_gradient_has_at_most_that_norm(clip):
    model = line()
    fit(model, X, 100 * Y, steps=1, clip_norm=clip, learning_rate=1.0)
    moved = np.concatenate(
        [(model.state_dict()[name] - old).ravel() for name, old in line().state_dict().items()]
    )
    d, w = np.column_stack([X, np.ones(10)]), np.append(*line().state_dict().values())
    gradient = 2 * d.T @ (d @ w - 100 * Y) / 10
    size = np.linalg.norm(gradient)
    assert moved == pytest.approx(
        -gradient * min(1.0, (clip or math.inf) / (size + 1e-6)), rel=1e-9
    )


# ---- progress


class Bar:
    """A bar of tqdm that writes down what it is told."""

    def __init__(self, **options):
        self.options, self.steps, self.texts = options, 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self):
        self.steps += 1

    def set_postfix_str(self, text, refresh):
        assert refresh is False
        self.texts.append(text)


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize(
    ("progress", "terminal", "shown"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_progress_is_shown_on_a_terminal_or_if_asked(
    monkeypatch, progress, terminal, shown, compile
):
    pytest.importorskip("tqdm")
    bars = []
    monkeypatch.setattr("tqdm.tqdm", lambda **options: bars.append(Bar(**options)) or bars[-1])
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    history = fit(line(), X, Y, steps=5, progress=progress, metrics="mae", compile=compile)
    assert len(bars) == shown
    for bar in bars:
        assert bar.options == {"total": 5, "initial": 0, "unit": " steps", "file": stream}
        assert bar.steps == len(bar.texts) == 5
        assert bar.texts[0] == f"loss {history.losses[0]:.4g}"
        assert bar.texts[-1] == (
            f"loss {history.losses[4]:.4g}, mae {history.evaluations[3]['mae']:.4g}"
        )


# ---- sentences at the end


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"reason": "converged"},
            "converged after 2 steps: the weights no longer change; the largest entry of the "
            "gradient is 3",
        ),
        (
            {"reason": "interrupted"},
            "interrupted after 2 steps: the model keeps what it has learnt",
        ),
        (
            {"reason": "stopped"},
            "stopped after 2 steps by the callback: the model keeps what it has learnt",
        ),
        (
            {"reason": "stopped", "best_step": 1},
            "stopped after 2 steps by the callback; the model keeps the weights of step 1, the "
            "best evaluated",
        ),
        (
            {"reason": "early"},
            "stopped early after 2 steps: no evaluation gave a number; the model keeps the last "
            "weights",
        ),
        (
            {"reason": "early", "best_step": 1},
            "stopped early after 2 steps: no improvement since step 1, whose weights the model "
            "keeps",
        ),
        ({}, "stopped at the limit of 2 steps: the weights still change"),
        ({"best_step": 2}, "stopped at the limit of 2 steps: the weights still change"),
        (
            {"losses": [1.0, 1.5], "best_step": 0},
            "stopped at the limit of 2 steps: the weights still change; the loss is above the "
            "first one: lower the learning rate; the model keeps the weights of step 0, the best "
            "evaluated",
        ),
        (
            {"losses": [2.0], "steps": 0},
            "stopped at the limit of 0 steps: the model is unchanged",
        ),
        (
            {"reason": "diverged"},
            "diverged after 2 steps: the loss went from 2 to 1 (a hint); lower the learning rate "
            "(0.1), or scale the data; the model keeps the weights of step 7",
        ),
        (
            {"reason": "diverged", "learning_rate_limit": 0.1},
            "diverged after 2 steps: the loss went from 2 to 1 (a hint); lower the learning rate "
            "(0.1), or scale the data; the model keeps the weights of step 7",
        ),
        (
            {"reason": "diverged", "learning_rate_limit": 0.05},
            "diverged after 2 steps: the loss went from 2 to 1 (a hint); lower the learning rate "
            "(0.1) below 0.05, the largest stable one; the model keeps the weights of step 7",
        ),
        (
            {"reason": "diverged", "losses": [math.inf], "steps": 0},
            "diverged before the first step: the loss is inf: a hint; scale the data",
        ),
    ],
)
def test_the_end_is_told_in_a_sentence(options, sentence):
    given = {"losses": [2.0, 1.0], "weights": {}, "weight_steps": [], "steps": 2}
    given |= {"reason": "limit", "message": "", "learning_rate": 0.1}
    parameters = [SimpleNamespace(_gradient=g) for g in (np.array([1.0, -3.0]), None)]
    assert end_message(tg.History(**given | options), 7, parameters, "a hint") == sentence


# ---- what a checkpoint holds


def test_numbers_of_a_checkpoint_come_back_from_json():
    given = {
        "state": np.array([0, 2**32 - 1], np.uint32),
        "wide": np.array([2**64 - 1], np.uint64),
        "floats": [math.nan, math.inf, -math.inf, 0.5],
        "nested": {"a": (1, True, None, "x")},
        "number": np.float64(0.25),
    }
    text = json.dumps(to_json(given), allow_nan=False)
    found = from_json(json.loads(text))
    assert found["state"] == [0, 2**32 - 1] and found["wide"] == [2**64 - 1]
    assert repr(found["floats"]) == "[nan, inf, -inf, 0.5]"
    assert found["nested"] == {"a": [1, True, None, "x"]} and found["number"] == 0.25


@pytest.mark.parametrize(
    "wrong",
    [
        {"array": [2**32], "dtype": "uint32"},
        {"array": [-1], "dtype": "uint64"},
        {"array": [2**64], "dtype": "uint64"},
        {"array": [1.0], "dtype": "uint32"},
        {"array": [True], "dtype": "uint32"},
        {"array": 3, "dtype": "uint32"},
        {"array": [], "dtype": "int64"},
        {"array": [], "dtype": ["uint32"]},
        {"float": "1.0"},
        {"float": 1.0},
    ],
    ids=str,
)
def test_other_arrays_and_floats_are_not_read(wrong):
    with pytest.raises(ValueError, match=r"the float|an array of"):
        from_json({"x": [wrong]})
    assert from_json(wrong | {"other": 1}) == wrong | {"other": 1}


def test_differences_are_told_by_name():
    given = {"a": {"b": 1, "c": 2}, "d": 3}
    assert list(differences("x", given, {"a": {"b": 1, "e": 4}, "d": 5})) == [
        *("x a c 2, not None", "x a e None, not 4", "x d 3, not 5"),
    ]
    assert list(differences("x", given, given)) == [] and list(differences("x", 1, {})) == [
        "x 1, not {}"
    ]


def test_a_checkpoint_is_saved_at_its_steps_and_at_the_end(tmp_path, monkeypatch):
    pytest.importorskip("safetensors")
    written = []

    def save(every=None, **options):
        written.clear()
        checkpoint = Checkpoints(tmp_path / "run.safetensors", steps=every)
        monkeypatch.setattr(
            checkpoint, "write", lambda w, t, n, s: written.append(len(t["losses"]))
        )
        fit(line(), X, Y, checkpoint=checkpoint, **options)
        return list(written)

    assert save(3, steps=8) == [3, 6, 8]
    assert save(3, steps=9) == [3, 6, 9]
    assert save(steps=4) == [4]
    assert save(3, steps=8, compile=True) == [3, 6, 8]
    stop = {"callback": lambda moment: moment.stop() if moment.step == 4 else None}
    assert save(3, steps=8, **stop) == [3, 5]
    early = {"early_stopping": EarlyStopping(1, "loss", min_delta=1e9), "validate_every": 2}
    assert save(3, steps=8, **early) == [3, 4]
    assert save(3, steps=300, learning_rate=1e3) == [*range(3, written[-1] + 1, 3)]
