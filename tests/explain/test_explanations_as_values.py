"""Derivations and influences as values: frozen, hashable, and equal only to themselves."""

import copy
import dataclasses

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.explain.formula.expression import Expression


def explanations():
    model = tg.nn.MLP(2, [4, 3], 1, "relu", dtype=np.float64, generator=0)
    loss = tg.losses.mse(model(np.eye(2)), np.ones((2, 1)))
    weight = model.layers[0].weight
    return tg.influence(model, loss, weight=weight), tg.derivation(loss, weight)


def dataclasses_in(thing, found):
    """All dataclasses of explanations in a thing, one of each type."""
    if isinstance(thing, (list, tuple)):
        for inner in thing:
            dataclasses_in(inner, found)
    elif isinstance(thing, dict):
        dataclasses_in(list(thing.values()), found)
    elif type(thing).__module__.startswith("tinygrad_lr.explain") and type(thing) not in found:
        found[type(thing)] = thing
        own = vars(thing) if hasattr(thing, "__dict__") else {}
        dataclasses_in(list(own.values()), found)
    return found


def test_what_explains_is_frozen_hashable_and_equal_to_itself_only():
    found = {}
    for thing in explanations():
        thing.text()
        dataclasses_in(thing, found)
    kinds = [x for x in found.values() if dataclasses.is_dataclass(x)]
    assert len(kinds) > 8
    for one in kinds:
        hash(one)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, dataclasses.fields(one)[0].name, None)
        if not isinstance(one, Expression):  # formulas are equal if they are written alike
            assert (copy.copy(one) == one) is False
