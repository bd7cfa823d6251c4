"""The judges of a training: validation, metrics, early stopping, and the history on disk."""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import math

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import losses, nn, optim
from tinygrad_lr.data import DataLoader
from tinygrad_lr.errors import ArgumentError, DataFileError, ShapeError
from tinygrad_lr.train import EarlyStopping, History, evaluate, fit, predict

X = np.random.default_rng(0).normal(size=(50, 2))
Y = (X @ [1.0, -2.0] + 0.5)[:, None]
LABELS = (X[:, 0] > X[:, 1]).astype(int) + (X[:, 0] > 1)


def mlp(outputs=1, seed=0, **options):
    return nn.MLP(2, [8], outputs, "tanh", dtype=np.float64, generator=seed, **options)


# ---- predict and evaluate


def test_a_prediction_is_that_of_the_model_in_evaluation_mode():
    model = nn.Sequential(mlp(), nn.Dropout(0.5, generator=0))
    expected = model[0](X).data
    assert (predict(model, X) == expected).all() and model.training and model[1].training
    assert predict(model, X, batch_size=7) == pytest.approx(expected, rel=1e-15)


def test_a_prediction_from_other_features_is_refused_with_the_layer():
    with pytest.raises(ShapeError, match=r"^layers\.0: Linear\(2, 8\): x must have shape"):
        predict(mlp(), np.ones((4, 3)))


def test_a_prediction_from_nan_is_refused_with_row_and_column():
    x = X.copy()
    x[3, 1] = np.nan
    with pytest.raises(ArgumentError, match=r"predict: x must be finite .* in row 3, column 1"):
        predict(mlp(), x)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_an_evaluation_is_of_all_rows_together(batch_size):
    model = mlp()
    predicted = model(X).data
    figures = evaluate(model, X, Y, metrics=["mae", "r2"], batch_size=batch_size)
    assert figures["loss"] == pytest.approx(np.mean((predicted - Y) ** 2), rel=1e-14)
    assert figures["mae"] == pytest.approx(np.abs(predicted - Y).mean(), rel=1e-14)
    assert figures["r2"] == pytest.approx(
        1 - ((predicted - Y) ** 2).sum() / ((Y - Y.mean()) ** 2).sum(), rel=1e-14
    )


def test_a_loader_can_be_evaluated():
    model = mlp()
    loader = DataLoader(X, Y, batch_size=8)
    assert evaluate(model, loader) == pytest.approx(evaluate(model, X, Y), rel=1e-14)


def test_an_evaluation_records_no_graph_and_leaves_gradients_alone():
    model = mlp()
    evaluate(model, X, Y)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("size", [0, -1, 1.5])
def test_rows_at_once_are_a_whole_number(size):
    with pytest.raises(ArgumentError, match="predict: batch_size must be an integer >= 1"):
        predict(mlp(), X, batch_size=size)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ArgumentError, match=r"must be one of accuracy, .*, got 'precission'"):
        evaluate(mlp(), X, Y, metrics="precission")


# ---- validation within fit


def test_validation_is_evaluated_each_epoch_and_at_the_end():
    history = fit(mlp(), X, Y, batch_size=20, steps=10, validation=(X[:5], Y[:5]))
    assert [figures["step"] for figures in history.evaluations] == [3, 6, 9, 10]
    assert [figures["epoch"] for figures in history.evaluations] == [1, 2, 3, 10 / 3]


def test_the_figures_are_those_of_the_weights_of_their_step():
    model = mlp()
    history = fit(model, X, Y, batch_size=20, epochs=4, validation=(X[:5], Y[:5]), metrics="mae")
    last = evaluate(model, X[:5], Y[:5], metrics="mae")
    assert history.evaluations[-1]["validation_loss"] == last["loss"]
    assert history.evaluations[-1]["validation_mae"] == last["mae"]


def test_the_loss_of_an_evaluation_is_the_mean_since_the_one_before():
    history = fit(mlp(), X, Y, batch_size=20, epochs=3, validation=(X[:5], Y[:5]))
    for epoch, figures in enumerate(history.evaluations):
        mean = np.mean(history.losses[3 * epoch : 3 * epoch + 3])
        assert figures["loss"] == pytest.approx(mean, rel=1e-15)


def test_the_metrics_of_training_are_of_the_predictions_that_were_made():
    seen = []

    def count(prediction, target):
        seen.append((len(prediction), len(target)))
        return 1.0

    history = fit(mlp(), X, Y, batch_size=20, epochs=2, metrics=count)
    assert seen == [(50, 50)] * 2 and history.evaluations[0]["count"] == 1.0


def test_a_share_is_held_out_and_never_trained_on():
    trained, judged = set(), set()

    def note(x):
        (trained if model.training else judged).update(map(tuple, np.asarray(x).tolist()))
        return x

    model = nn.Sequential(note, mlp())
    fit(model, X, Y, batch_size=9, epochs=2, validation=0.2, generator=1)
    assert (len(trained), len(judged)) == (40, 10) and not trained & judged


def test_validation_changes_nothing_of_the_training():
    first, second = mlp(), mlp()
    fit(first, X, Y, batch_size=9, epochs=3)
    fit(second, X, Y, batch_size=9, epochs=3, validation=(X[:5], Y[:5]), metrics=["mae", "r2"])
    assert (first.layers[0].weight.data == second.layers[0].weight.data).all()


def test_labels_are_classified_with_accuracy():
    model = mlp(3)
    history = fit(
        *(model, X, LABELS),
        loss=losses.cross_entropy,
        optimizer=optim.Adam(model.parameters(), 0.05),
        epochs=60,
        batch_size=10,
        metrics="accuracy",
        validation=(X, LABELS),
    )
    correct = (predict(model, X).argmax(axis=1) == LABELS).mean()
    assert history.evaluations[-1]["validation_accuracy"] == correct > 0.95


@pytest.mark.parametrize(
    ("validation", "told"),
    [
        (1.5, "validation must be .*, got 1.5"),
        (0, "validation must be .*, got 0"),
        ((X, Y[:3]), r"fit\(validation=\): y must have as many rows as x"),
        ((X * np.nan, Y), r"fit\(validation=\): x must be finite .* in row 0, column 0"),
    ],
)
def test_validation_data_are_checked_before_training(validation, told):
    with pytest.raises(ArgumentError, match=told):
        fit(mlp(), X, Y, validation=validation)


def test_a_loader_brings_its_own_targets_and_batches():
    loader = DataLoader(X, Y, batch_size=10)
    with pytest.raises(ArgumentError, match="must be passed alone, got y and batch_size"):
        fit(mlp(), loader, Y, batch_size=3)
    with pytest.raises(ArgumentError, match="y must be the targets, got None"):
        fit(mlp(), X)


def test_a_last_batch_too_small_for_batch_norm_is_refused_before_training():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    told = r"at least 2 rows for layers\.1 \(BatchNorm1d\), got .* 1 row .*drop_last=True"
    with pytest.raises(ArgumentError, match=told):
        fit(model, X, Y, batch_size=7)
    loader = DataLoader(X, Y, batch_size=7, drop_last=True)
    assert fit(model, loader, epochs=1, learning_rate=1e-3).steps == 7


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ((X, Y, Y), r"fit: batch 0 of epoch 0: the loader's batch must be a pair .*, got 3 arrays"),
        ((np.where(X[23] == X, np.nan, X), Y), "batch 2 of epoch 0: x must be finite .* in row 3"),
    ],
)
def test_the_batches_of_a_loader_are_checked_as_they_come(arrays, told):
    with pytest.raises(ArgumentError, match=told):
        fit(mlp(), DataLoader(*arrays, batch_size=10), epochs=1)


def test_the_batches_of_a_loader_take_the_dtype_of_the_model():
    model = nn.Linear(2, 1)
    fit(model, DataLoader(X, Y, batch_size=10), epochs=1)
    assert model.weight.grad.dtype == np.float32


def test_indices_stay_whole_for_a_model_that_embeds_them():
    model = nn.Sequential(
        nn.Embedding(5, 3, generator=0), nn.Flatten(), nn.Linear(6, 1, generator=1)
    )
    words = np.random.default_rng(0).integers(0, 5, (40, 2))
    history = fit(model, words, (words[:, 0] == words[:, 1]) * 1.0, learning_rate=0.1, steps=200)
    assert history.losses[-1] < history.losses[0] / 2


# ---- accumulation and clipping


def test_accumulated_batches_are_a_step_of_all_their_rows():
    whole, parts = mlp(), mlp()
    fit(whole, X, Y, steps=6)
    history = fit(parts, DataLoader(X, Y, batch_size=7), accumulate=8, steps=6)
    assert history.steps == 6
    for name, array in parts.state_dict().items():
        assert array == pytest.approx(whole.state_dict()[name], rel=1e-12)


def test_the_norm_of_the_gradient_is_bounded():
    model = mlp()
    before = model.state_dict()
    fit(model, X, 1e6 * Y, learning_rate=1.0, steps=1, clip_norm=0.25, warn=False)
    moved = [model.state_dict()[name] - array for name, array in before.items()]
    assert math.sqrt(sum((part**2).sum() for part in moved)) == pytest.approx(0.25, rel=1e-9)


def test_lbfgs_is_given_the_loss_as_a_function():
    model = nn.Linear(2, 1, dtype=np.float64, generator=0)
    history = fit(model, X, Y, optimizer=optim.LBFGS(model.parameters()), steps=3)
    assert history.losses[-1] < 1e-12 and model.bias.data[0] == pytest.approx(0.5, abs=1e-6)


class Several(nn.Module):
    """A model that gives more than one thing, as recurrent layers do."""

    def __init__(self):
        self.layer = nn.Linear(2, 1)

    def forward(self, x):
        return self.layer(x), x


@pytest.mark.parametrize(
    ("model", "loss", "told"),
    [
        (mlp(2), losses.mse, "for class labels, use cross_entropy"),
        (mlp(2), "cross_entropy", r"loss must be a function .*; pass tg\.losses\.cross_entropy"),
        (mlp(2), None, "loss must be a function such as tg.losses.mse, got None"),
        (Several(), losses.mse, "output must be one array, got tuple; wrap the model"),
    ],
)
def test_a_loss_that_does_not_fit_says_which_would(model, loss, told):
    with pytest.raises(ArgumentError, match=told):
        fit(model, X, LABELS, loss=loss)


def test_a_bound_beside_a_line_search_is_refused():
    model = mlp()
    with pytest.raises(ArgumentError, match=r"clip_norm must be None .* line search \(LBFGS\)"):
        fit(model, X, Y, optimizer=optim.LBFGS(model.parameters()), clip_norm=1.0)


# ---- early stopping


def stops_at(values, **options):
    stopping = EarlyStopping(**options)
    for place, value in enumerate(values):
        stopping.improves({stopping.monitor: value})
        if stopping.exhausted:
            return place
    return None


@pytest.mark.parametrize(
    ("values", "options", "place"),
    [
        ([3, 2, 1, 2, 2, 2], {"patience": 3}, 5),
        ([3, 2, 2, 2, 1], {"patience": 2}, 3),
        ([3, math.nan, math.nan], {"patience": 2}, 2),
        ([math.nan, 1, 2, 3], {"patience": 2}, 3),
        ([3, 2.9, 2.8, 2.7], {"patience": 2, "min_delta": 0.5}, 2),
        ([0.1, 0.3, 0.2, 0.3], {"patience": 2, "monitor": "validation_accuracy"}, 3),
        ([0.1, 0.3, 0.2, 0.1], {"patience": 2, "monitor": "x", "mode": "min"}, 2),
        ([3, 2, 1], {"patience": 1}, None),
    ],
)
def test_patience_is_counted_in_evaluations(values, options, place):
    assert stops_at(values, **options) == place


def test_the_best_weights_come_back():
    model, seen = mlp(), {}

    def keep(moment):
        seen[moment.step] = moment.model.state_dict()

    history = fit(
        *(model, X, Y),
        optimizer=optim.SGD(model.parameters(), 0.1),
        validation=(X, Y + 2),
        early_stopping=3,
        batch_size=10,
        epochs=100,
        callback=keep,
    )
    figures = {int(f["step"]): f["validation_loss"] for f in history.evaluations}
    assert history.reason == "early" and history.best_step == min(figures, key=figures.get)
    assert all((seen[history.best_step][k] == v).all() for k, v in model.state_dict().items())
    assert f"no improvement since step {history.best_step}" in history.message


def test_evaluations_without_a_number_stop_it_and_restore_nothing():
    def none(prediction, target):
        return math.nan

    stopping = EarlyStopping(3, "none", "min")
    history = fit(mlp(), X, Y, metrics=none, early_stopping=stopping, batch_size=10, epochs=9)
    assert (history.reason, history.steps, history.best_step) == ("early", 15, None)
    assert "no evaluation gave a number" in history.message


def test_early_stopping_needs_something_to_go_by():
    with pytest.raises(ArgumentError, match=r"needs validation data.*pass validation=0\.2"):
        fit(mlp(), X, Y, early_stopping=3)
    with pytest.raises(
        ArgumentError, match=r"monitor must be one of step, epoch, loss, got 'accuracy'"
    ):
        fit(mlp(), X, Y, early_stopping=EarlyStopping(3, "accuracy"), steps=5)
    assert fit(mlp(), X, Y, early_stopping=EarlyStopping(3, "loss"), steps=5).best_step == 5


@pytest.mark.parametrize(
    "wrong", [{"patience": 0}, {"patience": 1.5}, {"min_delta": -1}, {"mode": "most"}]
)
def test_patience_out_of_range_is_refused(wrong):
    with pytest.raises(ArgumentError, match="EarlyStopping"):
        EarlyStopping(**wrong)


def test_a_rule_for_stopping_can_be_copied_with_a_change():
    rule = dataclasses.replace(EarlyStopping(3, "loss", min_delta=0.5), patience=4)
    assert repr(rule) == repr(EarlyStopping(4, "loss", min_delta=0.5))


def test_the_former_names_of_early_stopping_work_for_a_release():
    with pytest.warns(DeprecationWarning, match="use (monitor|mode|min_delta)$") as told:
        old = EarlyStopping(2, figure="mae", highest=True, least_change=0.5)
    assert len(told) == 3 and {warning.filename for warning in told} == {__file__}
    assert repr(old) == repr(EarlyStopping(2, "mae", "max", 0.5))
    with pytest.warns(DeprecationWarning, match="figure is deprecated; use monitor"):
        assert old.figure == "mae"
    with pytest.warns(DeprecationWarning, match="use mode"):
        assert old.highest and EarlyStopping(2, "r2", None).mode == "max"
    with pytest.warns(DeprecationWarning, match="use min_delta"):
        assert old.least_change == 0.5
    with pytest.raises(TypeError, match="unexpected keyword argument 'patients'"):
        EarlyStopping(patients=2)


# ---- schedules and callbacks


def test_a_schedule_that_follows_the_loss_is_shown_it():
    model = nn.Linear(2, 1, dtype=np.float64)
    schedule = tg.schedules.ReduceOnPlateau(0.1, factor=0.5, patience=1)
    optimizer = optim.SGD(model.parameters(), schedule)
    history = fit(model, X, Y + X[:, :1] ** 2, optimizer=optimizer, steps=400)
    assert history.learning_rates[0] == 0.1 > history.learning_rates[-1]


def test_a_callback_is_told_of_evaluations_and_may_stop():
    told = []

    def stop_soon(moment):
        if moment.evaluation:
            told.append((moment.step, moment.epoch, moment.evaluation["loss"]))
        if moment.step == 8:
            moment.stop()

    history = fit(mlp(), X, Y, batch_size=20, metrics="mae", callback=[stop_soon])
    assert (history.reason, history.steps) == ("stopped", 9)
    assert [(step, epoch) for step, epoch, _ in told] == [(3, 1), (6, 2)]


def test_what_cannot_be_called_is_no_callback():
    with pytest.raises(ArgumentError, match=r"callback must be a function .*, got 'print'"):
        fit(mlp(), X, Y, callback=["print"])


# ---- the history on disk


def recorded():
    return fit(mlp(), X, Y, batch_size=20, steps=4, validation=(X, Y), metrics="mae")


def test_a_history_is_written_as_csv(tmp_path):
    history = recorded()
    history.to_csv(tmp_path / "history.csv")
    with open(tmp_path / "history.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == history.losses
    assert [row["validation_loss"] != "" for row in rows] == [False] * 3 + [True] * 2
    assert float(rows[3]["mean_loss"]) == history.evaluations[0]["loss"]


def test_a_history_is_written_as_json_lines(tmp_path):
    history = recorded()
    history.losses[1] = math.nan
    history.to_jsonl(tmp_path / "history.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert rows[1]["loss"] is None and rows[2]["loss"] == history.losses[2]
    assert rows[3]["validation_mae"] == history.evaluations[0]["validation_mae"]
    assert [row["step"] for row in rows] == [0, 1, 2, 3, 4]


def test_two_runs_write_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        recorded().to_csv(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_history_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(DataFileError, match="nowhere"):
        recorded().to_csv(tmp_path / "nowhere" / "history.csv")
    History([], {}, [], 0, "limit", "", 0.1).to_csv(tmp_path / "empty.csv")
    assert (tmp_path / "empty.csv").read_text() == "step\n"


# ---- which direction is better


def perplexity(prediction, target):
    return math.exp(float(np.mean((np.asarray(prediction) - np.asarray(target)) ** 2)))


@pytest.mark.parametrize("prefix", ["", "validation_"])
def test_the_direction_of_a_known_number_is_known_and_of_another_one_asked(prefix):
    better = {"min": {"loss", "mae", "mse", "rmse", "huber", "cross_entropy", "hinge"}}
    better["max"] = {"accuracy", "f1", "precision", "recall", "r2", "top_3", "top_5", "top_17"}
    assert set(tg.metrics.BY_NAME) <= better["min"] | better["max"]
    for mode, names in better.items():
        assert all(EarlyStopping(2, prefix + name).mode == mode for name in names)
    for name in ("perplexity", "mape", "neg_mean_squared_error", "top_", "negative_mse", "epoch"):
        with pytest.raises(ArgumentError, match=f"mode must be 'min' .* for '{prefix}{name}'"):
            EarlyStopping(2, prefix + name)
        assert EarlyStopping(2, prefix + name, "max").mode == "max"
    with pytest.raises(ArgumentError, match="monitor must be the name"):
        EarlyStopping(2, None)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_weights_kept_are_the_best_by_a_metric_of_ones_own(mode):
    model = mlp()
    history = fit(
        *(model, X, Y),
        learning_rate=0.1,
        batch_size=10,
        epochs=20,
        metrics=perplexity,
        validation=(X, Y + 1),
        early_stopping=EarlyStopping(30, "validation_perplexity", mode),
    )
    choose = {"min": min, "max": max}[mode]
    numbers = {x["step"]: x["validation_perplexity"] for x in history.evaluations}
    assert history.best_step == choose(numbers, key=numbers.get)
    assert perplexity(predict(model, X), Y + 1) == numbers[history.best_step]


def test_a_schedule_for_which_more_is_better_is_refused_beside_a_loss():
    model = mlp()
    plateau = tg.schedules.ReduceOnPlateau(0.1, mode="max")
    optimizer = optim.SGD(model.parameters(), tg.schedules.Warmup(plateau, 3))
    for validation in (None, (X, Y)):
        with pytest.raises(ArgumentError, match="ReduceOnPlateau must have mode='min'"):
            fit(model, X, Y, optimizer=optimizer, validation=validation)


class Counting(tg.schedules.ReduceOnPlateau):
    """Records what it is shown."""

    def __init__(self):
        super().__init__(0.1, factor=0.5, patience=0)
        self.shown = []

    def see(self, number):
        self.shown.append(number)
        return super().see(number)


PLACES = {
    "alone": lambda x: x,
    "warm-up": lambda x: tg.schedules.Warmup(x, 2),
    "scaled": lambda x: tg.schedules.Scaled(x, 2.0),
    "joined": lambda x: tg.schedules.Joined([0.1, x], [3]),
}


@pytest.mark.parametrize("compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("grouped", ["no", "shared", "one of two"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_plateau_sees_each_evaluation_once_wherever_it_is(place, grouped, compile, tmp_path):
    def run(steps, **options):
        line, schedule = nn.Linear(2, 1, dtype=np.float64, generator=0), Counting()
        weight, bias = [{"parameters": [x]} for x in line.parameters()]
        given = line.parameters() if grouped == "no" else [weight, bias]
        if grouped == "one of two":
            bias["learning_rate"] = place(schedule)
        optimizer = optim.SGD(given, 0.1 if grouped == "one of two" else place(schedule))
        history = fit(
            *(line, X, Y + X[:, :1] ** 2),
            **{"optimizer": optimizer, "steps": steps, "validate_every": 3, "compile": compile},
            **options,
        )
        return schedule, history

    schedule, history = run(40)
    assert schedule.shown == [x["loss"] for x in history.evaluations]
    assert len(schedule.shown) == 14 and schedule.learning_rate < 0.1
    path = tmp_path / "run.safetensors"
    run(20, checkpoint=path)
    resumed, again = run(40, checkpoint=path, resume=True)
    if not compile:
        assert again.losses == history.losses and resumed.state_dict() == schedule.state_dict()


# ---- metrics of decisions, and names


def test_the_accuracy_of_logits_needs_no_threshold_beside_their_loss():
    labels = (Y[:, 0] > 0).astype(int)
    model = nn.Linear(2, 1, dtype=np.float64)
    model.load_state_dict({"weight": np.zeros((2, 1)), "bias": np.array([0.25])})
    loss = functools.partial(tg.losses.binary_cross_entropy, pos_weight=2.0)
    given = {"loss": loss, "metrics": ["accuracy", "mae"]}
    found = evaluate(model, X, labels.astype(float), **given)
    assert found["accuracy"] == labels.mean() and set(found) == {"loss", "accuracy", "mae"}
    probable = nn.Sequential(model, nn.Sigmoid())
    probable.layers[0].bias.data = np.array([-0.25])
    with pytest.raises(ArgumentError, match=r"threshold=0\.5"):
        evaluate(probable, X, labels.astype(float), metrics="accuracy")
    at_half = functools.partial(tg.metrics.accuracy, threshold=0.5)
    assert evaluate(probable, X, labels, metrics=at_half)["accuracy"] == 1 - labels.mean()


def test_two_metrics_never_share_a_name_nor_take_that_of_another_number():
    def loss(prediction, target):
        return 0.0

    def validation_mae(prediction, target):
        return 0.0

    for metric in (loss, validation_mae):
        with pytest.raises(ArgumentError, match="must not be that of another number"):
            fit(mlp(), X, Y, metrics=metric)
    with pytest.raises(ArgumentError, match="different names, got 'mae' twice"):
        fit(mlp(), X, Y, metrics=["mae", tg.losses.mae])
    with pytest.raises(ArgumentError, match="a metric must be one of"):
        fit(mlp(), X, Y, metrics=[3])
    assert "mae" in evaluate(mlp(), X, Y, metrics=["mae", "mae"])
