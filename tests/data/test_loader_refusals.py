"""A DataLoader refuses data, settings and positions that are not its own."""

from __future__ import annotations

import contextlib
import copy
import math

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.data import DataLoader
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError

REFUSED = {
    "nothing": ((), {}, ArgumentError, "data must be at least one array, got none"),
    "lengths": (([1, 2], [1]), {}, ShapeError, r"the same number of rows, got \[2, 1\]"),
    "empty": (([],), {}, ArgumentError, "argument 1 must have at least one row"),
    "number": ((3.0,), {}, ShapeError, r"argument 1 must have rows, got shape \(\)"),
    "text": (("abc",), {}, ShapeError, "argument 1 must have rows"),
    "ragged": (([1], [[1], [1, 2]]), {}, ShapeError, "argument 2 must have rows of equal length"),
    "objects": (([None],), {}, DtypeError, "of numbers or text, got dtype object"),
    "masked": ((np.ma.array([1, 2], mask=[0, 1]),), {}, DtypeError, r"filled\(\.\.\.\)"),
    "value": ((tg.Value([1.0]),), {}, DtypeError, r"a Value.*value\.data"),
    "larger": (
        ([1, 2],),
        {"batch_size": 3},
        ArgumentError,
        "batch_size must be at most 2, .*, got 3",
    ),
    "zero": (
        ([1, 2],),
        {"batch_size": 0},
        ArgumentError,
        "batch_size must be an integer >= 1, got 0",
    ),
    "fraction": (
        ([1, 2],),
        {"batch_size": 1.5},
        ArgumentError,
        r"batch_size must be an integer >= 1, got 1\.5",
    ),
    "truth": (([1, 2],), {"batch_size": True}, ArgumentError, "got True"),
    "ahead": (
        ([1, 2],),
        {"prefetch": -1},
        ArgumentError,
        "prefetch must be an integer >= 0, got -1",
    ),
    "seed": (([1, 2],), {"generator": -1}, ArgumentError, "generator must be a numpy"),
    "transform": (
        ([1, 2],),
        {"transform": 3},
        ArgumentError,
        "transform must be a function .*, got int",
    ),
}


@pytest.mark.parametrize(("data", "settings", "kind", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_arguments_are_answered_in_one_sentence(data, settings, kind, told):
    with pytest.raises(kind, match=told) as caught:
        DataLoader(*data, **{"batch_size": 1, **settings})
    assert str(caught.value).startswith("DataLoader: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("samples", "kind", "told"),
    [
        ([(np.zeros(2), 1), (np.zeros(3), 1)], ShapeError, r"sample 1 .*got \[\(3,\), \(\)\]"),
        ([(1, 2), (1,)], ShapeError, "sample 1 must have the shapes of the others"),
        ([({"x": 1}, 2)], DtypeError, "must be an array, a number or text, .* got dict"),
    ],
)
def test_samples_that_do_not_stack_are_told_by_their_number(samples, kind, told):
    with pytest.raises(kind, match=told):
        list(DataLoader(samples, batch_size=len(samples)))


def position(**changed):
    state = DataLoader(range(6), batch_size=2, shuffle=True).state_dict()
    return {k: v for k, v in {**state, **changed}.items() if v != "left out"}


STATES = {
    "rows": (position(rows=7), "state must have rows 6, got 7"),
    "size": (position(batch_size=3), "must have batch_size 2, got 3"),
    "order": (position(shuffle=False), "must have shuffle True, got False"),
    "missing": (position(epoch="left out"), "got one without epoch"),
    "batch": (position(batch=1), "batch must be 0 between epochs, got 1"),
    "epoch": (position(epoch=-1), "epoch must be an integer >= 0, got -1"),
    "no state": (position(generator=3), "generator must be of a PCG64 generator, got int"),
    "other bits": (
        position(generator={"bit_generator": "os"}),
        "generator must be of a PCG64 generator, got os",
    ),
    "kind": (
        position(generator=np.random.SFC64(1).state),
        "must be of a PCG64 generator, got SFC64",
    ),
}


@pytest.mark.parametrize(("state", "told"), STATES.values(), ids=STATES)
def test_the_position_of_another_loader_is_refused_and_changes_nothing(state, told):
    loader = DataLoader(range(6), batch_size=2, shuffle=True)
    before = loader.state_dict()
    with pytest.raises(ArgumentError, match=told):
        loader.load_state_dict(state)
    assert loader.state_dict() == before


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_a_generator_with_any_wrong_number_is_refused_and_changes_nothing(kind):
    loader = DataLoader(
        *(range(6),),
        **{"batch_size": 2, "shuffle": True},
        generator=np.random.Generator(getattr(np.random, kind)(1)),
    )
    before = loader.state_dict()
    wrong = [None, True, -1, 0.5, 2.0**70, 10**60, "x", [], {}, math.nan, [1], np.zeros(3)]

    def leaves(tree, path=()):
        for key, x in tree.items():
            yield (*path, key)
            yield from leaves(x, (*path, key)) if isinstance(x, dict) else ()

    for path in leaves(before["generator"]):
        for x in wrong:
            state = copy.deepcopy(before)
            owner = state["generator"]
            for key in path[:-1]:
                owner = owner[key]
            owner[path[-1]] = x
            with pytest.raises(ArgumentError, match="generator must be "):
                loader.load_state_dict(state)
            assert loader.state_dict() == before
    loader.load_state_dict(before)
    assert loader.state_dict() == before
    for state in (None, [], "state", {**before, "more": 1}, {**before, "rows": 6.0}):
        with pytest.raises(ArgumentError, match="state must "):
            loader.load_state_dict(state)


def test_a_position_beyond_the_epoch_is_refused():
    loader = DataLoader(range(6), batch_size=2)
    with contextlib.closing(iter(loader)) as batches:
        next(batches)
        with pytest.raises(ArgumentError, match="batch must be from 0 to 3, got 4"):
            loader.load_state_dict({**loader.state_dict(), "batch": 4})
