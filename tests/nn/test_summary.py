"""Tables of what layers give and hold, and models watched at work."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, ShapeError
from tinygrad_lr.nn import Linear, Module, Sequential, observed, summary


class Restless(Module):
    """It draws, counts, and keeps what it gave, whatever its mode."""

    def __init__(self):
        self.random = np.random.default_rng(0)
        self.seen, self.count = np.zeros(2), 0
        self.inner = Linear(2, 2, generator=0)

    def forward(self, x):
        self.count += 1
        self.seen[:] = self.count
        self.mean = np.mean(tg.core.node.unwrap(x), axis=0)
        self.last = self.inner(x + self.random.normal(size=1))
        return self.last


# ---- observed


def watch(model, *inputs):
    seen = []
    with observed(model, lambda *told: seen.append(told)):
        out = model(*inputs)
    return seen, out


def test_each_module_is_seen_after_its_forward_with_inputs_and_output():
    model, x = Sequential(Linear(2, 3), nn.ReLU()), np.ones((4, 2))
    seen, out = watch(model, x)
    assert [name for name, *_ in seen] == ["layers.0", "layers.1", ""]
    assert [module for _, module, *_ in seen] == [model[0], model[1], model]
    assert seen[0][2][0] is x and seen[1][2][0] is seen[0][3] and seen[2][3] is out is seen[1][3]


def test_a_module_that_is_called_twice_is_seen_twice_under_its_first_name():
    shared = Linear(2, 2)
    seen, _ = watch(Sequential(shared, shared), np.ones((4, 2)))
    assert [name for name, *_ in seen] == ["layers.0", "layers.0", ""]


@pytest.mark.parametrize("failing", [False, True])
def test_nothing_stays_behind_however_the_block_ends(failing):
    model = nn.MLP(2, [3], 1)
    before = [dict(vars(module)) for module in model.modules()]
    x = np.ones((4, 3 if failing else 2))
    try:
        watch(model, x)
    except ShapeError:
        assert failing
    assert [vars(module) for module in model.modules()] == before


def test_what_see_raises_reaches_the_caller():
    def see(name, *_):
        raise RuntimeError(name)

    model = nn.MLP(2, [], 1)
    with pytest.raises(RuntimeError, match=r"layers\.0"), observed(model, see):
        model(np.ones((1, 2)))
    assert not any("forward" in vars(module) for module in model.modules())


def test_observers_may_be_nested_and_a_forward_of_the_instance_is_kept():
    model, calls = Linear(2, 2), []
    model.forward = own = lambda x: calls.append("own") or x
    with observed(model, lambda *_: calls.append("outer")):
        with observed(model, lambda *_: calls.append("inner")):
            model(1.0)
        model(1.0)
    assert calls == ["own", "outer", "inner", "own", "outer"] and model.forward is own


def test_parameters_and_results_are_the_same_under_observation():
    model, x = nn.MLP(2, [3], 1, generator=0), np.ones((4, 2), np.float32)
    with observed(model, lambda *_: None):
        names = [name for name, _ in model.named_parameters()]
        text, watched = repr(model), model(x).data
    assert (watched == model(x).data).all() and text == repr(model)
    assert names == [name for name, _ in model.named_parameters()]


def test_what_is_no_module_cannot_be_observed():
    with (
        pytest.raises(ArgumentError, match=r"observed: model must be a tg\.nn"),
        observed(np.tanh, 1),
    ):
        pass


# ---- summary


def test_the_table_shows_paths_kinds_shapes_parameters_and_totals():
    model = Sequential(Linear(3, 4), nn.Tanh(), nn.LSTM(4, 5, num_layers=2, bidirectional=True))
    model[0].bias.requires_grad = False
    found = summary(model, (2, 7, 3))
    rows = {row.name: (row.kind, row.output, row.parameters) for row in found.rows}
    assert rows["layers.0"] == ("Linear", "(2, 7, 4)", 16)
    assert rows["layers.1"] == ("Tanh", "(2, 7, 4)", 0)
    assert rows["layers.2"] == ("LSTM", "(2, 7, 10), (4, 2, 5), (4, 2, 5)", 0)
    assert rows["layers.2.cells.3"] == ("LSTMCell", "-", 340)
    assert found.parameters == sum(p.size for p in model.parameters()) == 1136
    assert (found.trainable, found.frozen, found.bytes) == (1132, 4, 4 * 1136)
    for line in ("layers.2.cells.0", "1,136", "1,132 trainable, 4 frozen; 4.5 kB"):
        assert line in str(found)


def test_the_columns_of_the_table_stand_below_each_other():
    lines = str(summary(nn.MLP(2, [16], 1), (32, 2))).splitlines()
    assert len({len(line) for line in lines[:-1]}) == 1 and lines[1] == lines[5]
    assert lines[0].split() == ["layer", "kind", "output", "parameters"]


def test_a_shared_layer_counts_once_and_tells_its_calls():
    shared = Linear(2, 2)
    found = summary(Sequential(shared, shared), (1, 2))
    assert found.parameters == 6 and [row.calls for row in found.rows] == [2]


def test_buffers_count_among_the_bytes_and_not_among_the_parameters():
    found = summary(Restless(), (1, 2))
    assert (found.parameters, found.buffers, found.bytes) == (6, 2, 40)
    assert "2 in buffers" in str(found)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(3, 2), (3, 5)])
def test_the_model_is_left_exactly_as_it_was(training, shape):
    model = Restless().train(training)
    model.inner.training = not training
    before, weights = dict(vars(model)), model.state_dict()
    try:
        summary(model, shape)
    except ShapeError:
        assert shape == (3, 5)
    after = vars(model)
    assert after.keys() == before.keys() and all(after[k] is before[k] for k in before)
    assert model.training is training and model.inner.training is not training
    assert all((weights[k] == v).all() for k, v in model.state_dict().items())
    assert model.random.random() == np.random.default_rng(0).random()
    assert all(p.grad is None for p in model.parameters())


def test_a_model_may_have_several_inputs_of_several_types():
    class Two(Module):
        def __init__(self):
            self.table, self.line = tg.Value(np.ones((5, 4))), Linear(3, 4)

        def forward(self, tokens, x):
            return {"sum": self.table[tokens] + self.line(x), "tokens": tokens}

    found = summary(Two(), [(2, 7), (2, 7, 3)], dtype=[int, np.float32])
    assert found.output == "(2, 7, 4), (2, 7)" and found.parameters == 36


def test_one_layer_is_a_model_too():
    found = summary(Linear(3, 4), [1, 3])
    assert [row.parameters for row in found.rows] == [16] and found.kind == "Linear"
    assert len(str(found).splitlines()) == 4


def test_an_embedding_takes_integers():
    found = summary(nn.Embedding(5, 4), (2, 7), dtype=int)
    assert found.output == "(2, 7, 4)" and found.parameters == 20


@pytest.mark.parametrize(
    ("bytes_", "text"), [(12, "12 bytes"), (1500, "1.5 kB"), (10**6, "1.0 MB"), (2e9, "2.0 GB")]
)
def test_sizes_are_written_to_be_read(bytes_, text):
    assert nn.summaries.format_bytes(int(bytes_)) == text


@pytest.mark.parametrize("shape", ["ab", (2, -1), (2, 1.5), None, {}])
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises(ArgumentError, match=r"summary: input_shape must be a shape with"):
        summary(Linear(3, 4), shape)


def test_bad_use_is_refused():
    with pytest.raises(ArgumentError, match=r"summary: model must be a tg\.nn\.Module"):
        summary(np.tanh, (2, 3))
    with pytest.raises(ArgumentError, match="one dtype for each of 2 inputs, got"):
        summary(Linear(3, 4), [(2, 3), (2, 3)], dtype=[int])
    with pytest.raises(ShapeError, match=r"^layers\.0: Linear\(3, 4\): x must have shape"):
        summary(Sequential(Linear(3, 4)), (1, 2))
