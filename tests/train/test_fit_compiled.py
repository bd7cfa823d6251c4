"""`fit(compile=True)`: what eager training does, step for step, in compiled code."""

from __future__ import annotations

import _thread
import math
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from operands import in_turn
from programs import BACKENDS

import tinygrad_lr as tg
from tinygrad_lr import losses, nn, optim
from tinygrad_lr.compiler.runtime import backends as writers
from tinygrad_lr.compiler.runtime import compiled as compiling
from tinygrad_lr.data import DataLoader
from tinygrad_lr.errors import TraceError
from tinygrad_lr.train import Checkpoints, EarlyStopping, compiled_steps, fit

pytestmark = pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.TrainingWarning")

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X @ [1.0, -2.0, 0.5] + 0.3)[:, None] + 0.1 * np.sin(9 * X[:, :1])
LABELS = (Y[:, 0] > 0).astype(int) + (Y[:, 0] > 1)


@pytest.fixture(autouse=True, scope="module")
def objects(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        place = tmp_path_factory.mktemp("objects")
        place.chmod(0o700)
        patched.setenv("TINYGRAD_LR_CACHE", str(place))
        yield


@pytest.fixture(params=BACKENDS)
def backend(request, monkeypatch):
    """The backend that runs the programs."""
    if request.param == "llvm":
        pytest.importorskip("llvmlite")
    monkeypatch.setattr(writers, "has_llvm", lambda: request.param == "llvm")
    return request.param


def mlp(seed=0, dtype=np.float64, outputs=1):
    return nn.MLP(3, [8], outputs, "tanh", dtype=dtype, generator=seed)


def noisy(seed=0):
    """Layers that draw and layers that keep buffers."""
    return nn.Sequential(
        nn.Linear(3, 8, bias=False, dtype=np.float64, generator=seed),
        nn.BatchNorm1d(8, dtype=np.float64),
        nn.ReLU(),
        nn.Dropout(0.3, generator=seed),
        nn.Linear(8, 1, dtype=np.float64, generator=seed + 1),
    )


def drawing(seed=0):
    """A layer that draws, and no buffers: steps of one program."""
    parts = [nn.Linear(3, 8, dtype=np.float64, generator=seed), nn.Dropout(0.3, generator=seed)]
    return nn.Sequential(*parts, nn.Linear(8, 1, dtype=np.float64, generator=seed + 1))


def sgd(model):
    return optim.SGD(model.parameters(), 0.05, momentum=0.9)


def adam(model):
    return optim.Adam(model.parameters(), lambda step: 0.1 / (1 + step))


def groups(model):
    first, *rest = model.parameters()
    own = {"parameters": [first], "learning_rate": 0.02}
    return optim.SGD([own, {"parameters": rest}], 0.05, momentum=0.9)


def plateau(model):
    return optim.SGD(model.parameters(), tg.schedules.ReduceOnPlateau(0.1, patience=1))


def trained(build=mlp, optimizer=sgd, *, seed=0, x=X, y=Y, **options):
    model = build(seed)
    return model, fit(model, x, y, optimizer=optimizer(model), **{"steps": 40, **options})


def outcome(model, history):
    """Everything that a training leaves behind."""
    return (
        {name: array.tolist() for name, array in model.state_dict().items()},
        {name: array.tolist() for name, array in history.weights.items()},
        (history.losses, history.learning_rates, history.weight_steps, history.steps),
        (history.evaluations, history.reason, history.best_step, history.warnings),
        [None if p.grad is None else np.asarray(p.grad).tolist() for p in model.parameters()],
    )


def assert_alike(one, other, rounding):
    """The same to rounding, or where that is 0 to the last bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_alike(a, b, rounding)
    elif isinstance(one, float) and rounding:
        assert other == pytest.approx(one, rel=rounding, abs=rounding, nan_ok=True)
    elif isinstance(one, float) and math.isnan(one):
        assert math.isnan(other)
    elif not (isinstance(one, str) and rounding):
        assert one == other


ROUNDING = {"numpy": 0, "llvm": 1e-8}

CASES = {
    "all rows": (mlp, sgd, {}),
    "many steps": (mlp, sgd, {"steps": 600}),
    "batches": (mlp, sgd, {"batch_size": 16, "steps": 150}),
    "batches without a rest": (mlp, adam, {"batch_size": 8, "steps": 150}),
    "Adam, a schedule, validation": (
        *(mlp, adam),
        {"batch_size": 7, "validation": 0.2, "metrics": ["mae", "r2"]},
    ),
    "dropout": (drawing, adam, {"batch_size": 8, "steps": 150}),
    "dropout and batch-norm": (noisy, adam, {"batch_size": 9}),
    "accumulation": (mlp, sgd, {"batch_size": 7, "accumulate": 2, "clip_norm": 0.5}),
    "clipped": (mlp, sgd, {"batch_size": 8, "clip_norm": 0.5}),
    "groups": (mlp, groups, {"batch_size": 8}),
    "a schedule with a state": (mlp, plateau, {"batch_size": 10, "validation": (X[:9], Y[:9])}),
    "early stopping": (
        *(mlp, sgd),
        {"validation": (X[:10], Y[:10] + 1), "early_stopping": 4, "batch_size": 10, "steps": 300},
    ),
    "a line search": (mlp, lambda m: optim.LBFGS(m.parameters(), max_iter=5), {"steps": 3}),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_compiled_training_is_eager_training(case, backend):
    build, optimizer, options = CASES[case]
    eager = outcome(*trained(build, optimizer, **options, compile=False))
    compiled = outcome(*trained(build, optimizer, **options, compile=True))
    assert_alike(eager, compiled, ROUNDING[backend])


@pytest.mark.parametrize(
    "case",
    [
        *("Adam, a schedule, validation", "dropout", "groups", "accumulation"),
        *("a schedule with a state", "batches without a rest", "early stopping"),
    ],
)
def test_steps_of_one_program_are_eager_steps(case, monkeypatch):
    monkeypatch.setattr(writers, "has_llvm", lambda: False)
    build, optimizer, options = CASES[case]
    eager = outcome(*trained(build, optimizer, **options, compile=False))
    assert_alike(eager, outcome(*trained(build, optimizer, **options, compile=True)), 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "stop", "backend"),
    [
        (case, stop, backend)
        for i, (case, stop) in enumerate([("batches", 1), *((case, 23) for case in CASES)])
        for backend in in_turn(BACKENDS, i)
    ],
    indirect=["backend"],
)
def test_a_resumed_compiled_training_is_one_that_never_stopped(case, stop, backend, tmp_path):
    pytest.importorskip("safetensors")
    build, optimizer, options = CASES[case]
    common = {"build": build, "optimizer": optimizer, **options, "compile": True}
    kept = {"checkpoint": Checkpoints(tmp_path / "run.safetensors", steps=9)}
    straight = trained(**common)
    trained(**{**common, **kept, "steps": min(stop, straight[1].steps - 1)})
    resumed = trained(**common, **kept, resume=True, seed=7)
    assert outcome(*resumed) == outcome(*straight)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "backend"),
    [(case, backend) for i, case in enumerate(CASES) for backend in in_turn(BACKENDS, i)],
    indirect=["backend"],
)
def test_a_callback_that_only_looks_changes_no_bit(case, backend):
    build, optimizer, options = CASES[case]
    seen = []
    common = {"build": build, "optimizer": optimizer, **options, "compile": True}
    watched = trained(**common, callback=lambda moment: seen.append(moment.loss))
    assert outcome(*watched) == outcome(*trained(**common))
    assert seen == watched[1].losses


def changing_rate(moment):
    moment.optimizer.learning_rate = 0.05 / (1 + moment.step // 5)


def falling(moment):
    moment.optimizer.learning_rate.scale = 1 / (1 + moment.step)


def pruning(moment):
    if moment.step == 6:
        moment.model.layers[0].weight.data[0] = 0


def freezing(moment):
    moment.model.layers[0].weight.requires_grad = moment.step < 6


def stopping(moment):
    if moment.step == 6:
        moment.stop()


def interrupting(moment):
    if moment.step == 6:
        raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("act", [changing_rate, pruning, freezing, stopping, interrupting])
def test_a_callback_may_act_on_the_training(act, backend):
    eager = outcome(*trained(steps=12, callback=act, compile=False))
    compiled = outcome(*trained(steps=12, callback=act, compile=True))
    assert_alike(eager, compiled, ROUNDING[backend])


class Scaled:
    """A schedule with a state of its own, which a callback sets."""

    scale = 1.0

    def __call__(self, step):
        return 0.05 * self.scale


def test_a_callback_may_act_on_a_schedule(backend):
    def run(compile):
        options = {"steps": 12, "callback": falling, "compile": compile}
        return outcome(*trained(mlp, lambda m: optim.SGD(m.parameters(), Scaled()), **options))

    assert_alike(run(False), run(True), ROUNDING[backend])


def test_a_callback_sees_the_weights_before_the_update(backend):
    def states(compile):
        seen = []

        def see(moment):
            velocity = [s.get("velocity", 0) for s in moment.optimizer.state]
            seen.append([np.array(x) for x in [*moment.model.state_dict().values(), *velocity]])

        trained(steps=5, callback=see, compile=compile)
        return [[x.tolist() for x in moment] for moment in seen]

    assert_alike(states(False), states(True), ROUNDING[backend])


# ---- the ways in which it ends


def line(seed=0):
    return nn.Linear(3, 1, dtype=np.float64, generator=seed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"learning_rate": 0.3, "tolerance": 1e-9, "steps": 3000}, "converged"),
        ({"learning_rate": 0.1, "tolerance": 1e-6, "steps": 3000}, "converged"),
        ({"learning_rate": 0.1, "tolerance": 1e-3, "batch_size": 7, "steps": 3000}, "limit"),
        ({"learning_rate": 2.0, "steps": 300}, "diverged"),
        ({"learning_rate": 1e200, "steps": 300}, "diverged"),
        ({"learning_rate": 0.9, "batch_size": 8, "steps": 300}, "diverged"),
        ({"learning_rate": 0.1, "steps": 0}, "limit"),
    ],
)
def test_it_ends_where_eager_training_ends(options, reason, backend):
    found = []
    for compile in (False, True):
        model = line()
        found.append(outcome(model, fit(model, X, Y, **options, compile=compile)))
    assert_alike(found[0], found[1], 1e-6)
    assert found[1][3][1] == reason


def test_messages_are_those_of_eager_training():
    told = []
    for compile in (False, True):
        model = line()
        told.append(fit(model, X, Y, learning_rate=2.0, compile=compile))
    assert told[0].message == told[1].message and told[0].warnings == told[1].warnings


@pytest.mark.slow
@pytest.mark.parametrize("build", [mlp, noisy])
def test_ctrl_c_at_any_moment_leaves_the_training_between_two_steps(build, backend):
    model = build()
    optimizer = sgd(model)

    done = threading.Event()

    def interrupt():
        while optimizer.steps < 100:
            time.sleep(0.001)
        _thread.interrupt_main()
        while not done.wait(5):  # Python drops an exception that comes inside a finalizer
            _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    history = fit(model, X, Y, optimizer=optimizer, steps=10**6, compile=True)
    done.set()
    other, straight = trained(build, steps=history.steps, compile=True)
    assert history.reason == "interrupted" and history.steps == optimizer.steps
    assert history.losses == straight.losses[: len(history.losses)]
    for name, array in model.state_dict().items():
        if "running" not in name:  # the last loss has moved those on
            assert (array == other.state_dict()[name]).all()


# ---- data, dtypes and models


@pytest.mark.slow
def test_a_loader_is_trained_on_batch_by_batch(backend):
    def through(compile):
        loader = DataLoader(X, Y, batch_size=6, shuffle=True, generator=3, prefetch=2)
        return outcome(*trained(x=loader, y=None, compile=compile))

    assert_alike(through(False), through(True), ROUNDING[backend])


@pytest.mark.slow
def test_labels_and_float32_are_trained_on(backend):
    def classes(compile):
        common = {"loss": losses.cross_entropy, "metrics": "accuracy", "batch_size": 7}
        return outcome(
            *trained(lambda seed: mlp(seed, np.float32, 3), y=LABELS, **common, compile=compile)
        )

    assert_alike(classes(False), classes(True), 1e-4)


class ScalarLine(nn.Module):
    """A line of two Python numbers."""

    def __init__(self, seed=0):
        self.w, self.b = tg.Value(0.0), tg.Value(0.0)

    def forward(self, x):
        return self.w * x + self.b


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [None, 9])
def test_a_module_of_two_python_numbers_is_trained(batch_size, backend):
    common = {"build": ScalarLine, "x": X[:, 0], "batch_size": batch_size, "steps": 100}
    eager, compiled = (trained(**common, compile=compile) for compile in (False, True))
    assert_alike(outcome(*eager), outcome(*compiled), ROUNDING[backend])
    assert type(compiled[0].w.data) is float


class Partly(nn.Module):
    """A model with a parameter that its loss does not depend on, and one that is not trained."""

    def __init__(self, seed=0):
        self.used, self.unused, self.fixed = line(seed), line(seed), line(seed)

    def forward(self, x):
        return self.used(x) + self.fixed(x)


@pytest.mark.slow
@pytest.mark.parametrize("all_of_them", [False, True])
def test_parameters_that_are_not_reached_or_not_trained_stay(all_of_them, backend):
    def run(compile):
        model = Partly()
        optimizer = sgd(model if all_of_them else nn.Sequential(model.used, model.unused))
        return outcome(model, fit(model, X, Y, optimizer=optimizer, steps=9, compile=compile))

    assert_alike(run(False), run(True), ROUNDING[backend])


@pytest.mark.parametrize("few", [0, 10**6])
def test_an_array_that_the_user_holds_is_trained_in_place(few, monkeypatch):
    monkeypatch.setattr(compiled_steps, "MAX_FUSED_NUMBERS", few)
    model, other = mlp(), mlp()
    held = model.layers[0].weight.data
    for each, compile in ((model, True), (other, False)):
        fit(each, X, Y, learning_rate=0.1, steps=40, compile=compile)
    assert held == pytest.approx(other.layers[0].weight.data, rel=1e-9)


# ---- what cannot be compiled


class Branching(nn.Module):
    """A model that looks at its numbers."""

    def __init__(self, seed=0):
        self.line, self.dropout = line(seed), nn.Dropout(0.5, generator=seed)

    def forward(self, x):
        y = self.dropout(self.line(x))
        return y if float(y.data.sum()) > 0 else y * 2.0


def test_what_cannot_be_compiled_is_an_error_with_its_line(backend):
    with pytest.raises(TraceError, match=r"test_fit_compiled\.py, line \d+, in forward"):
        trained(Branching, compile=True)


def test_an_error_of_the_data_is_the_same_error():
    for compile in (False, True):
        with pytest.raises(tg.errors.ShapeError, match=r"Linear\(3, 1\): x must have shape"):
            fit(line(), X[:, :2], Y, compile=compile)


def test_early_stopping_that_was_built_stops_it(backend):
    stopping = EarlyStopping(2, "loss", min_delta=10.0)
    _, history = trained(early_stopping=stopping, validate_every=5, steps=500, compile=True)
    assert (history.reason, history.best_step) == ("early", 5)


@pytest.mark.parametrize("build", [mlp, drawing, noisy])
def test_ctrl_c_waits_for_few_slow_steps_and_leaves_whole_ones(build, backend, monkeypatch):
    """However long a step takes, compiled code does two of them before it answers."""
    monkeypatch.setattr(compiled_steps, "MAX_CHUNK_SECONDS", 0.0)

    class InterruptingRate:
        def __init__(self, step):
            self.step = step

        def __call__(self, step):
            if step == self.step:
                self.step = None
                signal.raise_signal(signal.SIGINT)
            return 0.1 / (1 + step)

    def run(interrupted_at, steps, compile):
        model = build(0)
        optimizer = optim.Adam(model.parameters(), InterruptingRate(interrupted_at))
        history = fit(model, X, Y, optimizer=optimizer, steps=steps, compile=compile)
        weights = {name: x.data.tolist() for name, x in model.named_parameters()}
        moments = [[np.asarray(x).tolist() for x in s.values()] for s in optimizer.state]
        return history, (optimizer.steps, history.losses[:steps], weights, moments)

    history, found = run(20, 1000, compile=True)
    assert history.reason == "interrupted" and 19 <= history.steps <= 23
    _, expected = run(None, history.steps, compile=False)
    assert_alike(expected[1][: len(found[1])], found[1], ROUNDING[backend])
    assert_alike((expected[0], *expected[2:]), (found[0], *found[2:]), ROUNDING[backend])


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, (16 << 20) // (8 * 32 * 4 + 24 * 7 + 1)),
        ({"chunk": 8}, 8),
        ({"until_due": 7}, 7),
        ({"next_check": 25}, 5),
        ({"rows": 70}, 1),
        ({"rows": 70, "drop_last": True}, (16 << 20) // (8 * 35 * 4 + 24 * 7 + 1)),
        ({"callbacks": [print]}, 0),
        ({"repeatable": False}, 0),
        ({"single": 1}, 0),
        ({"unchanged": 2}, 0),
    ],
    ids=str,
)
def test_a_call_makes_as_many_steps_as_nothing_looks_at_and_as_fit_in_16_mb(changes, count):
    rows = changes.get("rows", 64)
    data = np.zeros((rows, 3)), np.zeros((rows, 1))
    loader = DataLoader(*data, batch_size=32, drop_last=changes.get("drop_last", False))
    next(iter(loader))
    state = SimpleNamespace(
        **{"step": 20, "steps_per_epoch": 2, "unchanged": changes.get("unchanged", 0)},
        **{"loader": loader, "arrays": data},
        diagnosis=SimpleNamespace(next_check=changes.get("next_check", 10**9)),
    )
    config = SimpleNamespace(
        callbacks=changes.get("callbacks", []),
        steps_until_due=lambda step: changes.get("until_due", 10**9),
    )
    stepper = SimpleNamespace(
        **{"state": state, "config": config, "chunk": changes.get("chunk", 10**9)},
        **{"repeatable": changes.get("repeatable", True), "single": changes.get("single", 0)},
        parameters=[tg.Value(np.zeros((3, 2))), tg.Value(np.zeros(1))],
    )
    assert compiled_steps.FusedStepper._steps_ahead(stepper) == count


@pytest.mark.parametrize("build", [mlp, lambda: nn.Linear(3, 1, dtype=np.float64)])
def test_a_small_model_makes_most_steps_many_in_a_call(build, monkeypatch):
    monkeypatch.setattr(writers, "has_llvm", lambda: False)
    run_ahead, ahead = compiled_steps.FusedStepper.run_ahead, []

    def watched(stepper, batches, show):
        before = stepper.state.step
        made = run_ahead(stepper, batches, show)
        ahead.append(stepper.state.step - before if made else 0)
        return made

    monkeypatch.setattr(compiled_steps.FusedStepper, "run_ahead", watched)
    assert fit(build(), X, Y, learning_rate=0.01, steps=300, compile=True).steps == 300
    assert sum(ahead) > 250 and len(ahead) < 50


def test_the_smaller_last_batch_needs_no_program_of_its_own(backend, monkeypatch):
    made = []
    monkeypatch.setattr(compiling, "Specialization", counting(made, compiling.Specialization))
    histories = [
        fit(mlp(), X, Y, epochs=4, batch_size=12, learning_rate=0.1, compile=flag)
        for flag in (False, True)
    ]
    assert len(made) == 1 and histories[0].steps == histories[1].steps == 16
    np.testing.assert_allclose(histories[1].losses, histories[0].losses, rtol=1e-9)


def counting(made, kind):
    def make(*args):
        made.append(args)
        return kind(*args)

    return make
