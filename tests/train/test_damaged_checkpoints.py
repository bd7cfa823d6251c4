"""A checkpoint with any part changed is refused in a sentence, and then nothing has changed."""

from __future__ import annotations

import copy
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr import nn, optim
from tinygrad_lr.checkpoint import TRAINING, load_all, save_file
from tinygrad_lr.errors import ArgumentError, DataFileError
from tinygrad_lr.train import EarlyStopping, fit

pytest.importorskip("safetensors")

X = np.random.default_rng(0).normal(size=(30, 3))
Y = (X @ [1.0, -2.0, 0.5] + 0.3)[:, None]
STOP, END = 7, 11


def noisy():
    """Layers that draw, and layers that keep buffers."""
    return nn.Sequential(
        nn.Linear(3, 4, dtype=np.float64, generator=1),
        nn.BatchNorm1d(4, dtype=np.float64),
        nn.Dropout(0.3, generator=np.random.Generator(np.random.Philox(1))),
        nn.Linear(4, 1, dtype=np.float64, generator=2),
    )


def line():
    return nn.Linear(3, 1, dtype=np.float64, generator=0)


def warm(model):
    plateau = tg.schedules.ReduceOnPlateau(0.1, factor=0.5, patience=0)
    return optim.Adam(model.parameters(), tg.schedules.Warmup(plateau, steps=2), amsgrad=True)


def groups(model):
    weight, bias = model.parameters()
    return optim.SGD([{"parameters": [weight]}, {"parameters": [bias], "momentum": 0.9}], 0.05)


CASES = {
    "everything": (
        noisy,
        warm,
        lambda: {
            "batch_size": 8,
            "validation": (X[:9], Y[:9]),
            "metrics": ["mae"],
            "early_stopping": EarlyStopping(5, "validation_mae"),
            "validate_every": 3,
        },
    ),
    "groups, all rows": (line, groups, dict),
    "line search": (line, lambda model: optim.LBFGS(model.parameters(), max_iter=2), dict),
}


class Run:
    """One of the trainings, from the beginning or from a file."""

    def __init__(self, case):
        self.build, self.optimizer, self.options = CASES[case]

    def fit(self, steps, path=None, resume=False):
        model = self.build()
        optimizer = self.optimizer(model)
        if resume:
            model.load_state_dict({k: x + 1 for k, x in model.state_dict().items()})
        self.state = lambda: [
            {k: x.tobytes() for k, x in model.state_dict().items()},
            {k: x.tobytes() for k, x in optimizer.state_dict().items()},
            [repr(x.bit_generator.state) for x in model.generators()],
            repr(optimizer.rate),
        ]
        self.before = self.state()
        history = fit(
            *(model, X, Y),
            optimizer=optimizer,
            steps=steps,
            checkpoint=path,
            resume=resume,
            warn=False,
            **self.options(),
        )
        return self.state(), history.losses, history.evaluations, history.message


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """For each case: its folder, the arrays and the numbers of a checkpoint, and how it ends."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)  # thousands of files: not to the disk
        for case in CASES:
            path = tmp_path_factory.mktemp("runs") / "run.safetensors"
            Run(case).fit(STOP, path)
            tensors, texts = load_all(path)
            found[case] = path, tensors, json.loads(texts["training"]), Run(case).fit(END)
        yield found


def attempt(case, path, tensors, numbers, whole):
    """Resume from these; return "refused", "exact" or "other", after which nothing is wrong."""
    save_file(tensors, path, {"training": json.dumps(numbers)})
    run = Run(case)
    try:
        with np.errstate(all="raise"):
            result = run.fit(END, path, resume=True)
    except (ArgumentError, DataFileError) as error:
        text = str(error)
        assert text.startswith("fit: ") and "run.safetensors" in text and text.isprintable(), text
        assert len(text) < 1500 and run.state() == run.before, text
        return "refused"
    return "exact" if result == whole else "other"


# ---- the numbers, which are JSON

WRONG = [
    *(None, True, -1, 1.5, 10**30, "\u202e\x1b", [], {}, {"float": "nan"}, {"float": "x"}),
    *({"array": [1, 2], "dtype": "uint32"}, {"array": ["x"], "dtype": "S1500000000"}),
]
NAN = float("nan")  # Python's json writes and reads it


def leaves(tree, path=()):
    """Yield the path of every value in nested dicts and lists, inner ones before outer ones."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, x in items if isinstance(tree, (dict, list)) else ():
        if isinstance(x, (dict, list)):
            yield from leaves(x, (*path, key))
        yield (*path, key)


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def with_value(tree, path, x):
    tree = copy.deepcopy(tree)
    at(tree, path[:-1])[path[-1]] = x
    return tree


def without(tree, path):
    tree = copy.deepcopy(tree)
    del at(tree, path[:-1])[path[-1]]
    return tree


def beside(tree, path):
    """The tree with one entry more beside this one."""
    tree = copy.deepcopy(tree)
    owner = at(tree, path[:-1])
    if isinstance(owner, dict):
        owner["another"] = copy.deepcopy(owner[path[-1]])
    else:
        owner.append(copy.deepcopy(owner[path[-1]]))
    return tree


FREE = {"evaluations", "still", "rate", "generators", "loader"}
"""Numbers that are what they are: another one of the right type and range is another run's."""


def sampled(paths):
    """The paths, of long lists (the words of a generator) the first and the last."""
    for path in paths:
        if not (isinstance(path[-1], int) and path[-1] not in {0, 3}):
            yield path


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_any_number_of_another_type_or_range_is_refused_and_nothing_changes(case, files):
    path, tensors, numbers, whole = files[case]
    assert attempt(case, path, tensors, numbers, whole) == "exact"
    for place in sampled(leaves(numbers)):
        changed = [with_value(numbers, place, x) for x in [*WRONG, NAN]]
        for other in [*changed, without(numbers, place), beside(numbers, place)]:
            if other != numbers:
                result = attempt(case, path, tensors, other, whole)
                assert result != "other" or place[0] in FREE, (place, at(other, place[:-1]))


@pytest.mark.parametrize("case", CASES)
def test_a_missing_entry_is_named(case, files):
    path, tensors, numbers, whole = files[case]
    for name in numbers:
        assert attempt(case, path, tensors, without(numbers, (name,)), whole) == "refused"
    save_file(tensors, path, {"training": json.dumps(without(numbers, ("rate",)))})
    with pytest.raises(ArgumentError, match=r"run\.safetensors: .*entries of this run: rate is m"):
        Run(case).fit(END, path, resume=True)


# ---- the arrays

ANOTHER_RUN = (".resting", ".waited", "optimizer.pairs", "optimizer.iterations")
"""Arrays with numbers or rows that follow from nothing else in the file."""


def changes(name, array):
    """Yield arrays that can't stand in the place of this one, by what is wrong with them."""
    for dtype in (np.float32, np.float64, np.int64, bool):
        if array.dtype != dtype:
            yield f"dtype {dtype.__name__}", np.zeros(array.shape, dtype)
    yield "an axis more", array[None]
    yield "empty", np.empty((0, *array.shape), array.dtype)
    if array.ndim:
        yield "a row more", np.concatenate([array, array[:1]])
        yield "no row", array[:0]
        yield "a row less", array[1:]
        yield "flat", np.append(array.reshape(-1), array.dtype.type(0))
    if array.dtype.kind in "iu" or name.endswith((".step", ".square", ".largest_square")):
        yield "negative", np.full(array.shape, -1, array.dtype)
    if array.dtype.kind == "i":
        yield "huge", np.full(array.shape, 2**62, array.dtype)
        yield "one more", array + 1
    if name.removeprefix(TRAINING) in {"losses", "rates"} or name.endswith("learning_rate"):
        yield "nan", np.full(array.shape, np.nan)
    if name.endswith(("learning_rate", ".step", "optimizer.learning_rate.schedule.best")):
        yield "nan", np.full(array.shape, np.nan)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_any_array_of_another_form_is_refused_and_nothing_changes(case, files):
    path, tensors, numbers, whole = files[case]
    for name, array in tensors.items():
        rest = {k: x for k, x in tensors.items() if k != name}
        others = {what: {**rest, name: x} for what, x in changes(name, array)}
        others |= {"missing": rest, "renamed": {**rest, f"{name}x": array}}
        others |= {"one more": {**tensors, f"{name}x": array}}
        for what, other in others.items():
            result = attempt(case, path, other, numbers, whole)
            assert result == "refused" or name.endswith(ANOTHER_RUN), (name, what)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_arrays_that_changed_places_are_refused_or_another_run(case, files):
    path, tensors, numbers, whole = files[case]
    names = sorted(tensors)
    for one, other in itertools.pairwise(names):
        swapped = {**tensors, one: tensors[other], other: tensors[one]}
        form = lambda x: (x.dtype, x.shape)
        result = attempt(case, path, swapped, numbers, whole)
        assert result == "refused" or form(tensors[one]) == form(tensors[other]), (one, other)


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_several_changes_at_once_are_refused_or_another_run(case, files, data):
    path, tensors, numbers, whole = files[case]
    tensors, places = dict(tensors), list(sampled(leaves(numbers)))
    text = st.text(st.characters(codec="utf-8"), max_size=3)
    anything = st.sampled_from(WRONG) | st.integers() | st.floats() | text
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            place = data.draw(st.sampled_from(places))
            try:
                numbers = with_value(numbers, place, data.draw(anything))
            except (LookupError, TypeError):
                continue  # its owner was replaced already
        else:
            name = data.draw(st.sampled_from(sorted(tensors)))
            tensors[name] = data.draw(st.sampled_from([x for _, x in changes(name, tensors[name])]))
    attempt(case, path, tensors, numbers, whole)
