"""Numbers that an operation looks at before it computes: looked at when they come, at each call."""

from __future__ import annotations

import numpy as np
import pytest
from programs import backends

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError, LabelError

X = np.random.default_rng(0).normal(size=(5, 4))
LABELS = np.array([0, 1, 2, 1, 0])


def training(backend, change=lambda y: y):
    model = tg.nn.Linear(4, 3, dtype=np.float64, generator=0)
    optimizer = tg.optim.SGD(model.parameters(), 0.1)

    @tg.compile(backend=backend)
    def step(x, y):
        loss = tg.losses.cross_entropy(model(x), change(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model


@backends()
@pytest.mark.parametrize("change", [lambda y: y, lambda y: y + 1 - 1], ids=["given", "computed"])
def test_an_unknown_label_is_refused_and_nothing_is_updated(backend, change):
    step, model = training(backend, change)
    step(X, LABELS)
    before = model.state_dict()
    with pytest.raises(LabelError, match=r"labels must be from 0 to 2 .*got 3 in row 2"):
        step(X, LABELS + 1)
    after = model.state_dict()
    assert all((before[name] == after[name]).all() for name in before)
    step(X, LABELS)


@pytest.mark.slow
@backends()
def test_labels_are_looked_at_in_loops_and_epochs(backend):
    step, _ = training(backend)
    assert step.loop(X, LABELS, steps=3).shape == (3,)
    for run in (
        lambda y: step.loop(X, y, steps=2),
        lambda y: step.epochs(X, y, batch_size=2, epochs=1),
    ):
        run(LABELS)
        with pytest.raises(LabelError, match="labels must be from 0 to 2"):
            run(LABELS + 1)


@backends()
def test_labels_under_an_outer_name_are_looked_at_anew(backend):
    labels = LABELS.copy()
    model = tg.nn.Linear(4, 3, dtype=np.float64, generator=0)
    compiled = tg.compile(lambda: tg.losses.cross_entropy(model(X), labels), backend=backend)
    first = compiled().item()
    labels[0] = 7
    with pytest.raises(LabelError, match="got 7 in row 0"):
        compiled()
    labels[0] = 0
    assert compiled().item() == first


@backends()
def test_targets_that_are_not_probabilities_are_refused(backend):
    entropy = tg.compile(lambda x, y: tg.losses.binary_cross_entropy(x, y), backend=backend)
    x, y = X[:, 0], np.array([0.0, 1.0, 0.5, 1.0, 0.0])
    assert float(entropy(x, y)) == pytest.approx(float(tg.losses.binary_cross_entropy(x, y)))
    with pytest.raises(ArgumentError, match=r"target\[1\] must be from 0 to 1, got 3.0"):
        entropy(x, y * 3)


@backends()
def test_an_index_outside_the_table_is_refused(backend):
    table = tg.nn.Embedding(5, 3, generator=0)
    rows = tg.compile(table, backend=backend)
    np.testing.assert_array_equal(rows(LABELS).data, table(LABELS).data)
    with pytest.raises(ArgumentError, match="indices must be from 0 to 4, got 5"):
        rows(LABELS + 4)
