"""What a DataLoader refuses: data, settings and positions that are not its own."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.data import DataLoader
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError

REFUSED = {
    "nothing": ((), {}, ArgumentError, "no data"),
    "lengths": (([1, 2], [1]), {}, ShapeError, r"different lengths.*given lengths \[2, 1\]"),
    "empty": (([],), {}, ArgumentError, "argument 1 has no rows"),
    "number": ((3.0,), {}, ShapeError, r"argument 1 has no rows.*shape \(\)"),
    "text": (("abc",), {}, ShapeError, "argument 1 has no rows"),
    "ragged": (([1], [[1], [1, 2]]), {}, ShapeError, "argument 2 has rows of different lengths"),
    "objects": (([None],), {}, DtypeError, "not made of numbers or text"),
    "masked": ((np.ma.array([1, 2], mask=[0, 1]),), {}, DtypeError, r"filled\(\.\.\.\)"),
    "value": ((tg.Value([1.0]),), {}, DtypeError, r"a Value.*value\.data"),
    "larger": (([1, 2],), {"batch_size": 3}, ArgumentError, "larger than the data.*at most 2"),
    "zero": (([1, 2],), {"batch_size": 0}, ArgumentError, "whole number from 1, given 0"),
    "fraction": (([1, 2],), {"batch_size": 1.5}, ArgumentError, "batch_size is out of range"),
    "truth": (([1, 2],), {"batch_size": True}, ArgumentError, "given True"),
    "ahead": (([1, 2],), {"prefetch": -1}, ArgumentError, "prefetch is out of range"),
    "seed": (
        ([1, 2],),
        {"generator": -1},
        ArgumentError,
        "generator must be a numpy",
    ),
    "transform": (([1, 2],), {"transform": 3}, ArgumentError, "transform is no function"),
}


@pytest.mark.parametrize(("data", "settings", "kind", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_arguments_are_answered_in_one_sentence(data, settings, kind, told):
    with pytest.raises(kind, match=told) as caught:
        DataLoader(*data, **{"batch_size": 1, **settings})
    assert str(caught.value).startswith("DataLoader: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("samples", "kind", "told"),
    [
        ([(np.zeros(2), 1), (np.zeros(3), 1)], ShapeError, r"sample 1 .*given \[\(3,\), \(\)\]"),
        ([(1, 2), (1,)], ShapeError, "sample 1 does not stack"),
        ([({"x": 1}, 2)], DtypeError, "not made of numbers or text.*given dict"),
    ],
)
def test_samples_that_do_not_stack_are_told_by_their_number(samples, kind, told):
    with pytest.raises(kind, match=told):
        list(DataLoader(samples, batch_size=len(samples)))


def position(**changed):
    state = DataLoader(range(6), batch_size=2, shuffle=True).state_dict()
    return {k: v for k, v in {**state, **changed}.items() if v != "left out"}


STATES = {
    "rows": (position(rows=7), "another rows; expected 6, given 7"),
    "size": (position(batch_size=3), "another batch_size"),
    "order": (position(shuffle=False), "another shuffle"),
    "missing": (position(epoch="left out"), "lacks epoch"),
    "batch": (position(batch=1), "batch is out of range; expected 0 between epochs"),
    "epoch": (position(epoch=-1), "epoch is out of range"),
    "no state": (position(generator=3), "no state of a generator"),
    "other bits": (position(generator={"bit_generator": "os"}), "no state of a generator"),
    "kind": (position(generator=np.random.SFC64(1).state), "expected PCG64, given SFC64"),
}


@pytest.mark.parametrize(("state", "told"), STATES.values(), ids=STATES)
def test_the_position_of_another_loader_is_refused_and_changes_nothing(state, told):
    loader = DataLoader(range(6), batch_size=2, shuffle=True)
    before = loader.state_dict()
    with pytest.raises(ArgumentError, match=told):
        loader.load_state_dict(state)
    assert loader.state_dict() == before


def test_a_position_beyond_the_epoch_is_refused():
    loader = DataLoader(range(6), batch_size=2)
    with contextlib.closing(iter(loader)) as batches:
        next(batches)
        with pytest.raises(ArgumentError, match="expected from 0 to 3, given 4"):
            loader.load_state_dict({**loader.state_dict(), "batch": 4})
