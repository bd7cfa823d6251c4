"""A training that was stopped goes on bit for bit as if it never had been."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn, optim
from tinygrad_lr.checkpoint import TRAINING, load_all, load_file, load_metadata
from tinygrad_lr.data import DataLoader
from tinygrad_lr.errors import ArgumentError, DataFileError
from tinygrad_lr.train import Checkpoints, EarlyStopping, fit
from tinygrad_lr.train.weight_history import WeightHistory

pytest.importorskip("safetensors")

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X @ [1.0, -2.0, 0.5] + 0.3)[:, None] + 0.1 * np.sin(9 * X[:, :1])


def mlp(seed=0, activation="tanh"):
    return nn.MLP(3, [8], 1, activation, dtype=np.float64, generator=seed)


def noisy(seed=0):
    """Layers that draw and layers that keep buffers."""
    return nn.Sequential(
        nn.Linear(3, 8, dtype=np.float64, generator=seed),
        nn.BatchNorm1d(8, dtype=np.float64),
        nn.ReLU(),
        nn.Dropout(0.3, generator=seed),
        nn.Linear(8, 1, dtype=np.float64, generator=seed + 1),
    )


def sgd(model):
    return optim.SGD(model.parameters(), 0.05, momentum=0.9)


def adam(model):
    return optim.Adam(model.parameters(), lambda step: 0.1 / (1 + step))


def plateau(model):
    return optim.SGD(model.parameters(), tg.schedules.ReduceOnPlateau(0.1, patience=1))


def outcome(model, history):
    """Everything that a training leaves behind, for comparison to the last bit."""
    return (
        {name: array.tolist() for name, array in model.state_dict().items()},
        {name: array.tolist() for name, array in history.weights.items()},
        (history.losses, history.learning_rates, history.weight_steps, history.steps),
        ([[*x.items()] for x in history.evaluations], history.reason, history.message),
        history.best_step,
    )


CASES = {
    "all rows": (mlp, sgd, {}),
    "batches": (mlp, sgd, {"batch_size": 16}),
    "Adam, a schedule, validation": (
        *(mlp, adam),
        {"batch_size": 7, "validation": 0.2, "metrics": ["mae"]},
    ),
    "dropout and batch-norm": (noisy, adam, {"batch_size": 8}),
    "accumulation": (mlp, sgd, {"batch_size": 7, "accumulate": 2, "clip_norm": 0.5}),
    "a schedule with a state": (mlp, plateau, {"batch_size": 10, "validation": (X[:9], Y[:9])}),
}


@pytest.mark.parametrize("stop", [1, 10, 23])
@pytest.mark.parametrize("case", CASES)
def test_a_resumed_training_is_one_that_never_stopped(case, stop, tmp_path):
    build, optimizer, options = CASES[case]
    path, whole, cut, resumed = tmp_path / "run.safetensors", build(), build(), build(7)
    straight = fit(whole, X, Y, optimizer=optimizer(whole), steps=40, **options)
    fit(cut, X, Y, optimizer=optimizer(cut), steps=stop, checkpoint=path, **options)
    history = fit(
        *(resumed, X, Y),
        optimizer=optimizer(resumed),
        **{"steps": 40, "checkpoint": path, "resume": True, **options},
    )
    assert outcome(resumed, history) == outcome(whole, straight)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_loader_goes_on_in_the_middle_of_an_epoch(prefetch, tmp_path):
    def trained(steps, seed=0, **options):
        model = mlp(seed)
        loader = DataLoader(X, Y, batch_size=6, shuffle=True, generator=3, prefetch=prefetch)
        return model, fit(model, loader, optimizer=sgd(model), steps=steps, **options)

    kept = {"checkpoint": tmp_path / "run.safetensors"}
    trained(10, **kept)
    assert outcome(*trained(25, 5, **kept, resume=True)) == outcome(*trained(25))


def test_early_stopping_counts_on_and_keeps_the_best_weights(tmp_path):
    def trained(seed=0, **options):
        model = mlp(seed)
        stopping = EarlyStopping(4)
        validation = (X[:10], Y[:10] + 1)  # what is learnt soon makes it worse
        common = {"validation": validation, "early_stopping": stopping, "batch_size": 10}
        return model, fit(model, X[10:], Y[10:], optimizer=sgd(model), **common, **options)

    straight = outcome(*trained(epochs=100))
    assert straight[3][1] == "early"
    stopped = straight[2][3]
    for stop in (stopped - 5, stopped - 4):
        kept = {"checkpoint": tmp_path / f"{stop}.safetensors"}
        trained(steps=stop, **kept)
        assert outcome(*trained(5, epochs=100, **kept, resume=True)) == straight


def test_an_evaluation_at_the_limit_only_leaves_no_trace_in_a_longer_run(tmp_path):
    def trained(seed=0, **options):
        model, stopping = mlp(seed), EarlyStopping(2, "loss", min_delta=10.0)
        options |= {"validate_every": 5, "early_stopping": stopping}
        return model, fit(model, X, Y, optimizer=sgd(model), **options)

    kept = {"checkpoint": tmp_path / "run.safetensors"}
    first = trained(steps=12, **kept)[1]
    assert (first.reason, first.evaluations[-1]["step"]) == ("early", 12)
    straight = outcome(*trained(steps=40))
    assert straight[2][3] == 15
    assert outcome(*trained(5, steps=40, **kept, resume=True)) == straight


def test_a_finished_training_resumes_to_the_same_end(tmp_path):
    path, results = tmp_path / "run.safetensors", []
    for seed in (0, 1):
        model = mlp(seed)
        options = {"learning_rate": 0.1, "tolerance": 1e-3, "checkpoint": path, "resume": True}
        results.append(outcome(model, fit(model, X, Y, **options)))
    assert results[0] == results[1] and results[0][3][1] == "converged"


def test_a_training_stopped_by_a_callback_goes_on(tmp_path):
    def stop_at_nine(moment):
        if moment.step == 9:
            moment.stop()

    path, whole, model = tmp_path / "run.safetensors", mlp(), mlp()
    history = fit(model, X, Y, steps=30, batch_size=9, checkpoint=path, callback=stop_at_nine)
    assert (history.reason, history.steps) == ("stopped", 10)
    straight = fit(whole, X, Y, steps=30, batch_size=9)
    history = fit(model, X, Y, steps=30, batch_size=9, checkpoint=path, resume=True)
    assert outcome(model, history) == outcome(whole, straight)


PROGRAM = """
import sys, numpy as np, tinygrad_lr as tg
from tinygrad_lr.train import Checkpoints, fit
x = np.random.default_rng(0).normal(size=(40, 3))
y = x[:, :1] - x[:, 1:2]
model = tg.nn.MLP(3, [8], 1, dtype=np.float64, generator=0)
def die(moment):
    if moment.step == int(sys.argv[2]):
        import os, signal
        os.kill(os.getpid(), getattr(signal, sys.argv[3]))
history = fit(model, x, y, learning_rate=0.01, steps=60, batch_size=7, callback=die,
    checkpoint=Checkpoints(sys.argv[1], steps=10), resume=True)
print(history.reason, sum(float(np.abs(p.data).sum()) for p in model.parameters()).hex())
"""


def run(*arguments):
    command = [sys.executable, "-W", "error", "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


@pytest.mark.slow
def test_a_killed_process_goes_on_from_its_last_checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"
    killed = run(path, 37, "SIGKILL")
    assert killed.returncode == -signal.SIGKILL and not killed.stdout
    assert json.loads(load_metadata(path)["training"])["began"] == 0
    assert int(load_file(path)["training/optimizer.steps"]) == 30
    straight = run(tmp_path / "other.safetensors", -1, "SIGKILL")
    assert run(path, -1, "SIGKILL").stdout == straight.stdout
    assert straight.stdout.startswith("limit")


@pytest.mark.slow
def test_ctrl_c_leaves_the_last_checkpoint_as_it_is(tmp_path):
    path = tmp_path / "run.safetensors"
    interrupted = run(path, 37, "SIGINT")
    assert interrupted.stdout.startswith("interrupted")
    assert int(load_file(path)["training/optimizer.steps"]) == 30
    assert run(path, -1, "SIGKILL").stdout == run(tmp_path / "b", -1, "SIGKILL").stdout


def test_ctrl_c_in_a_forward_pass_leaves_buffers_between_two_steps():
    model, before = noisy(), []

    def interrupt(x):
        if len(before) == 5:
            raise KeyboardInterrupt
        return x

    def keep(moment):
        before.append({k: v for k, v in moment.model.state_dict().items() if "running" in k})

    model.layers.append(nn.Sequential(interrupt))
    assert fit(model, X, Y, batch_size=8, callback=keep).reason == "interrupted"
    state = model.state_dict()
    # the callback of step 4 saw the buffers after that step's forward pass, which was kept
    assert all((state[name] == array).all() for name, array in before[4].items())


def test_nothing_to_resume_from_begins_at_the_beginning(tmp_path):
    model, other = mlp(), mlp()
    path = tmp_path / "run.safetensors"
    assert fit(model, X, Y, steps=5, checkpoint=path, resume=True).steps == 5
    fit(other, X, Y, steps=5)
    assert (model.layers[0].weight.data == other.layers[0].weight.data).all()


def test_the_weights_of_a_checkpoint_load_into_the_model(tmp_path):
    model, other = mlp(), mlp(1)
    fit(model, X, Y, steps=5, checkpoint=tmp_path / "run.safetensors")
    tg.checkpoint.load_model(other, tmp_path / "run.safetensors")
    assert (model.layers[0].weight.data == other.layers[0].weight.data).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"y": Y + 1}, "data "),
        ({"batch_size": 8}, "batch_size 5, not 8"),
        ({"loss": tg.losses.mae}, "loss mse, not mae"),
        ({"optimizer": lambda m: optim.Adam(m.parameters(), 0.1)}, "optimizer SGD, not Adam"),
        (
            {"model": lambda: nn.MLP(3, [9], 1, "tanh", dtype=np.float64)},
            r"layers\.0\.weight must be",
        ),
        ({"model": lambda: nn.Linear(3, 1, dtype=np.float64)}, r"model \(itself\) MLP, not Linear"),
        ({"model": lambda: mlp(activation="relu")}, r"model layers\.1 Tanh, not ReLU"),
        ({"validation": (X, Y)}, "validation None, not "),
        ({"accumulate": 2}, "accumulate 1, not 2"),
        ({"early_stopping": EarlyStopping(3, "loss")}, "early_stopping None, not loss"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_and_nothing_changes(change, told, tmp_path):
    path = tmp_path / "run.safetensors"
    first = mlp()
    fit(first, X, Y, optimizer=sgd(first), steps=5, batch_size=5, checkpoint=path)
    model = change.pop("model", mlp)()
    before = {name: array.tolist() for name, array in model.state_dict().items()}
    optimizer = change.pop("optimizer", sgd)(model)
    options = {"y": Y, "batch_size": 5, **change}
    with pytest.raises(ArgumentError, match=rf"run\.safetensors.*{told}"):
        fit(model, X, optimizer=optimizer, steps=9, checkpoint=path, resume=True, **options)
    assert before == {name: array.tolist() for name, array in model.state_dict().items()}


class Unwilling(nn.Linear):
    """A layer that refuses every state."""

    def load_state_dict(self, state):
        raise ArgumentError("no")


def test_a_model_that_refuses_its_state_leaves_the_optimizer_as_it_was(tmp_path):
    path = tmp_path / "run.safetensors"
    first, model = (Unwilling(3, 1, dtype=np.float64, generator=seed) for seed in (0, 1))
    fit(first, X, Y, optimizer=sgd(first), steps=5, checkpoint=path)
    optimizer = sgd(model)
    fit(model, X, Y, optimizer=optimizer, steps=2)
    before = {name: np.array(x) for name, x in optimizer.state_dict().items()}
    with pytest.raises(ArgumentError, match=": no"):
        fit(model, X, Y, optimizer=optimizer, steps=9, checkpoint=path, resume=True)
    after = optimizer.state_dict()
    assert after.keys() == before.keys()
    assert all((np.asarray(after[name]) == x).all() for name, x in before.items())


def test_other_files_are_no_checkpoints(tmp_path):
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"weights")
    with pytest.raises(DataFileError, match=r"run\.safetensors"):
        fit(mlp(), X, Y, checkpoint=path, resume=True)
    tg.checkpoint.save_file(mlp().state_dict(), path)
    with pytest.raises(ArgumentError, match=r"must be written by fit\(checkpoint=\.\.\.\)"):
        fit(mlp(), X, Y, checkpoint=path, resume=True)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"resume": True}, "checkpoint must be a path for resume=True, got None"),
        ({"checkpoint": 3}, "checkpoint must be a path or tg.train.Checkpoints, got 3"),
    ],
)
def test_checkpoints_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(ArgumentError, match=told):
        fit(mlp(), X, Y, **wrong)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"steps": 2.5}, {"minutes": -1}, {"minutes": np.inf}]
)
def test_checkpoints_are_as_often_as_can_be(wrong):
    with pytest.raises(ArgumentError, match=r"Checkpoints: (steps|minutes) "):
        Checkpoints("run.safetensors", **wrong)


def test_a_checkpoint_in_a_missing_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DataFileError, match="nowhere"):
        fit(mlp(), X, Y, steps=2, checkpoint=tmp_path / "nowhere" / "run.safetensors")


def test_checkpoints_by_time_are_written_when_it_has_passed(monkeypatch, tmp_path):
    clock = iter(range(0, 10**6, 30))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    saved = Checkpoints(tmp_path / "run.safetensors", minutes=1)
    assert [saved.due(step) for step in range(1, 5)] == [False, True, True, True]


@pytest.mark.parametrize(("often", "seconds"), [({"minutes": 2}, 120), ({}, 300)])
def test_the_minutes_between_checkpoints_begin_with_each_and_are_five_unless_chosen(
    monkeypatch, tmp_path, often, seconds
):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    saved = Checkpoints(tmp_path / "run.safetensors", **often)
    due = []
    for step in range(1, 13):
        now += seconds / 4
        due.append(saved.due(step))
        if due[-1]:
            saved.write({}, {}, {}, {})
    assert due == 3 * [False, False, False, True]


def test_steps_alone_have_no_minutes_and_both_save_at_whichever_comes_first(monkeypatch, tmp_path):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    path = tmp_path / "run.safetensors"
    alone, both = Checkpoints(path, steps=3), Checkpoints(path, steps=3, minutes=1)
    now = 1e6
    assert [alone.due(step) for step in range(1, 7)] == 2 * [False, False, True]
    both.write({}, {}, {}, {})
    assert [both.due(step) for step in range(1, 4)] == [False, False, True]
    now += 60
    assert both.due(4)


def test_a_checkpoint_has_the_names_that_version_0_2_reads(tmp_path):
    path, line = tmp_path / "run.safetensors", nn.Linear(3, 1, dtype=np.float64)
    options = {"validation": (X, Y), "early_stopping": 5, "metrics": "mae", "validate_every": 4}
    fit(line, X, Y, optimizer=sgd(line), steps=6, checkpoint=path, **options)
    tensors = {name.removeprefix(TRAINING) for name in load_all(path)[0]}
    assert {name for name in tensors if not name.startswith("optimizer.")} == {
        *("weight", "bias", "losses", "rates", "before.0", "before.1", "watch.0", "watch.1"),
        *("record.steps", "record.stride", "record.weights.weight", "record.weights.bias"),
        *("best.0", "best.1", "seen.predicted", "seen.wanted"),
    }
    text = json.loads(load_metadata(path)["training"])
    assert {key for key in text if key not in {"loader", "generators"}} == {
        *("format", "settings", "began", "still", "watch", "evaluations", "stopping", "rate")
    }
    assert text["format"] == 1 and text["settings"].keys() == {
        *("loss", "optimizer", "data", "batch_size", "accumulate", "clip_norm", "validate_every"),
        *("metrics", "early_stopping", "model", "rows", "validation"),
    }
    assert text["settings"]["early_stopping"] == "validation_loss" and len(text["stopping"]) == 3
    assert text["watch"].keys() == {
        *("best_loss", "best_step", "first", "previous", "floor", "rises", "above")
    }


# ---- before the first step


@pytest.mark.parametrize("case", ["missing folder", "pipe", "directory", "read-only", "NUL"])
def test_where_a_checkpoint_cannot_be_written_is_known_before_training(case, tmp_path):
    path = tmp_path / "run.safetensors"
    if case == "missing folder":
        path = tmp_path / "nowhere" / "run.safetensors"
    elif case == "pipe":
        os.mkfifo(path)
    elif case == "directory":
        path.mkdir()
    elif case == "NUL":
        path = f"{tmp_path}/a\0b"
    elif os.getuid() == 0:
        path = "/proc/run.safetensors"
    else:
        tmp_path.chmod(0o500)
    model, steps = mlp(), []
    before = {name: array.tolist() for name, array in model.state_dict().items()}
    for resume in (False, True):
        with pytest.raises(DataFileError):
            fit(model, X, Y, checkpoint=path, resume=resume, callback=steps.append)
    assert not steps and before == {k: x.tolist() for k, x in model.state_dict().items()}


def test_trying_a_path_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "run.safetensors"
    path.write_text("old")
    fit(mlp(), X, Y, steps=0, checkpoint=path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("limit", [{"steps": 0}, {"steps": 19}, {"epochs": 4}])
def test_a_limit_below_the_steps_of_the_checkpoint_is_refused(limit, tmp_path):
    path, model = tmp_path / "run.safetensors", mlp(1)
    fit(mlp(), X, Y, steps=20, batch_size=10, checkpoint=path)
    before = {name: array.tolist() for name, array in model.state_dict().items()}
    with pytest.raises(ArgumentError, match=r"at most (0|19|16) steps, .* got 20; pass more steps"):
        fit(model, X, Y, batch_size=10, checkpoint=path, resume=True, **limit)
    assert before == {name: array.tolist() for name, array in model.state_dict().items()}
    assert fit(model, X, Y, batch_size=10, steps=20, checkpoint=path, resume=True).steps == 20


@pytest.mark.parametrize(
    "wrong", [{"loss": 3}, {"steps": -1}, {"metrics": "none"}, {"checkpoint": "/nowhere/x"}]
)
def test_a_refused_run_has_drawn_nothing_and_forgets_no_evaluation(wrong):
    random, stopping = np.random.default_rng(5), EarlyStopping(2)
    stopping.improves({"validation_loss": 3.0})
    before = repr((random.bit_generator.state, stopping))
    with pytest.raises((ArgumentError, DataFileError)):
        fit(mlp(), X, Y, validation=0.2, generator=random, early_stopping=stopping, **wrong)
    assert repr((random.bit_generator.state, stopping)) == before


class Rows:
    """A data set object, whose rows are computed."""

    def __init__(self, y):
        self.y = y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, row):
        return X[row], self.y[row]


def on_disk(folder, y):
    path = folder / f"{abs(y).sum()}.npy"
    np.save(path, y)
    return np.load(path, mmap_mode="r")


SOURCES = {
    "arrays": lambda folder, y: (X, y),
    "files": lambda folder, y: (X, on_disk(folder, y)),
    "samples": lambda folder, y: ([(x, target) for x, target in zip(X, y, strict=True)],),
    "lists": lambda folder, y: (X.tolist(), y.tolist()),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("row", [0, 17, 39])
def test_other_data_behind_a_loader_are_refused(source, row, tmp_path):
    def run(y, **options):
        loader = DataLoader(*source(tmp_path, y), batch_size=10, generator=1, shuffle=True)
        return fit(mlp(), loader, checkpoint=tmp_path / "run.safetensors", **options)

    other = Y.copy()
    other[row] += 1e-9
    run(Y, steps=5)
    with pytest.raises(ArgumentError, match="rows DataLoader"):
        run(other, steps=9, resume=True)
    assert run(Y.copy(), steps=9, resume=True).steps == 9


def test_a_data_set_object_is_known_by_its_length(tmp_path):
    def run(y, **options):
        loader = DataLoader(Rows(y), batch_size=10)
        return fit(mlp(), loader, checkpoint=tmp_path / "run.safetensors", **options)

    run(Y, steps=5)
    assert run(Y + 1, steps=6, resume=True).steps == 6
    with pytest.raises(ArgumentError, match="data DataLoader"):
        run(Y[:30], steps=9, resume=True)


@pytest.mark.parametrize("other", [(X, Y + 1), (X[:9], Y[:9]), DataLoader(X, Y, batch_size=4)])
def test_other_validation_data_are_refused(other, tmp_path):
    path = tmp_path / "run.safetensors"
    fit(mlp(), X, Y, steps=4, validation=(X, Y), checkpoint=path)
    with pytest.raises(ArgumentError, match=r"validation [0-9a-f]+, not "):
        fit(mlp(), X, Y, steps=9, validation=other, checkpoint=path, resume=True)


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Sequential(nn.Linear(3, 1, dtype=np.float64), nn.Dropout(0.2)),
        lambda: nn.Sequential(nn.Linear(3, 1, dtype=np.float64), np.tanh),
        lambda: nn.Sequential(nn.Linear(3, 1, dtype=np.float64), nn.Tanh(), nn.Tanh()),
    ],
)
def test_other_layers_of_the_same_shapes_are_refused(build, tmp_path):
    path = tmp_path / "run.safetensors"
    first = nn.Sequential(nn.Linear(3, 1, dtype=np.float64), nn.Dropout(0.1))
    fit(first, X, Y, steps=4, checkpoint=path)
    with pytest.raises(ArgumentError, match=r"model layers\.[12] "):
        fit(build(), X, Y, steps=9, checkpoint=path, resume=True)


def test_another_argument_of_the_loss_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    huber = lambda delta: functools.partial(tg.losses.huber, delta=delta)
    fit(mlp(), X, Y, steps=4, loss=huber(1.0), checkpoint=path)
    with pytest.raises(ArgumentError, match=r"loss huber\(delta=1\.0\), not huber\(delta=2\.0\)"):
        fit(mlp(), X, Y, steps=9, loss=huber(2.0), checkpoint=path, resume=True)


def test_a_checkpoint_without_the_newer_settings_resumes(tmp_path):
    path = tmp_path / "run.safetensors"
    fit(mlp(), DataLoader(X, Y, batch_size=9), steps=5, checkpoint=path)
    tensors, texts = load_all(path)
    numbers = json.loads(texts["training"])
    for name in ("model", "rows", "validation"):
        del numbers["settings"][name]
    tg.checkpoint.save_file(tensors, path, {"training": json.dumps(numbers)})
    model, whole = mlp(), mlp()
    history = fit(model, DataLoader(X, Y, batch_size=9), steps=9, checkpoint=path, resume=True)
    straight = fit(whole, DataLoader(X, Y, batch_size=9), steps=9)
    assert outcome(model, history) == outcome(whole, straight)


@pytest.mark.parametrize("capacity", [4, 7, 400])
def test_the_steps_kept_follow_from_their_number(capacity):
    kept = WeightHistory(nn.Linear(1, 1))
    kept.capacity, kept.dense = capacity, capacity // 4
    for step in range(300):
        kept.add(step)
        assert kept.steps_at(step + 1) == (kept.steps, kept.stride)
