"""Pickles: those that earlier versions wrote load and go on as today's; today's come back too."""

import base64
import copy
import importlib
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from pickled_objects import HERE, MAKERS, described, public_name, used

import tinygrad_lr as tg
from tinygrad_lr.support.moved_modules import FORMER_MODULES

FILES = {path.stem: json.loads(path.read_text()) for path in HERE.glob("pickles_*.json")}
OLD = [(file, name) for file, pickles in FILES.items() for name in pickles if name in MAKERS]


OF_FLOAT32 = {"train.History"}  # Python floats that float32 arithmetic gave


def assert_same(a, b, rtol=1e-9):
    """Equal plain data; floats may differ by the rounding of another machine's libraries."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y, rtol)
    elif isinstance(a, (float, np.ndarray, np.generic)):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.dtype.kind == "f":
            rtol = 1e-4 if a.dtype == np.float32 else rtol
            rounding = 4 * np.finfo(a.dtype).eps * np.max(np.abs(b), initial=0.0)
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rounding)
        else:
            np.testing.assert_array_equal(a, b)
    elif callable(a):
        assert a is b
    else:
        assert a == b


def assert_same_object(x, name):
    """The object equals a new one, and both go on in the same way."""
    expected = MAKERS[name]()
    if name == "train.Checkpoints":
        expected.saved = x.saved  # the time it was made
    assert type(x) is type(expected)
    rtol = 1e-6 if name in OF_FLOAT32 else 1e-9
    assert_same(described(x), described(expected), rtol)
    assert_same(used(name, x), used(name, expected), rtol)
    assert_same(described(x), described(expected), rtol)


@pytest.mark.parametrize(("file", "name"), OLD)
def test_a_pickle_of_an_earlier_version_equals_what_this_one_makes(file, name):
    assert_same_object(pickle.loads(base64.b64decode(FILES[file][name])), name)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("twin", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_an_object_comes_back_from_a_pickle_and_from_a_deep_copy(twin, name):
    assert_same_object(twin(MAKERS[name]()), name)


def test_the_file_of_0_1_0_is_complete():
    assert list(FILES["pickles_0_1_0"]) == ["made with", *MAKERS, "public names"]


@pytest.mark.parametrize("file", FILES)
def test_the_public_names_of_an_earlier_version_lead_to_those_of_this_one(file):
    found = pickle.loads(base64.b64decode(FILES[file]["public names"]))
    assert len(found) > 200
    assert [name for name, x in found.items() if x is not public_name(name)] == []


def test_every_public_class_of_0_1_0_that_can_be_pickled_is_among_the_objects():
    named = repr([pickle.dumps(make(), protocol=4) for make in MAKERS.values()])
    public = pickle.loads(base64.b64decode(FILES["pickles_0_1_0"]["public names"])).values()
    rooms = [tg, tg.nn, tg.optim, tg.schedules, tg.data, tg.datasets, tg.metrics, tg.train]
    rooms += [tg.linear, tg.errors]
    found = {x for room in rooms for n in dir(room) if isinstance(x := getattr(room, n), type)}
    classes = {x for x in public if x in found}  # a newer one is in no file of 0.1.0
    not_data = {tg.nn.Module, tg.optim.Optimizer, tg.schedules.Schedule}  # bases
    not_data |= {tg.no_grad, tg.trace, tg.data.BatchIterator}  # blocks, and an iterator
    assert [x.__name__ for x in classes - not_data if x.__name__ not in named] == []


@pytest.mark.parametrize("old", FORMER_MODULES)
def test_a_former_module_leads_to_one_that_exists(old):
    for place in FORMER_MODULES[old].split(", "):
        new = f"tinygrad_lr.{place}"
        assert importlib.import_module(new).__name__ == new


def test_no_former_module_takes_the_place_of_a_public_name():
    """Python binds an imported module in its package, whatever is there under that name."""
    for old in FORMER_MODULES:
        parent, _, leaf = f"tinygrad_lr.{old}".rpartition(".")
        module = importlib.import_module(parent)
        assert leaf not in getattr(module, "__all__", ()), old


def test_an_old_pickle_loads_first_thing_in_silence_and_unknown_modules_stay_unknown():
    code = (
        "import base64, pickle, sys\n"
        "value, = pickle.loads(base64.b64decode(sys.argv[1])),\n"
        "import tinygrad_lr as tg\n"
        "assert type(value) is tg.Value and value.data == 2.0 and 'node' not in dir(tg)\n"
        "for name in ('tinygrad_lr.nothing', 'tinygrad_lr.value.nothing'):\n"
        "    try: __import__(name)\n"
        "    except ModuleNotFoundError as error: assert name in str(error)\n"
        "    else: raise AssertionError(name)\n"
        "try: from tinygrad_lr.value import nothing\n"
        "except ImportError: print('done')\n"
    )
    text = FILES["pickles_0_1_0"]["Value of a float"]
    command = [sys.executable, "-W", "error", "-c", code, text]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("done\n", "")
