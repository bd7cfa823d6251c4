"""Recurrent operations in machine code: the numbers of NumPy's steps in float64."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr import ops
from tinygrad_lr.ops import recurrent
from tinygrad_lr.support import machine_code

KINDS = {"lstm_states": (4, 2), "gru_states": (3, 1)}  # gates, and arrays of a state
LAYOUTS = {
    "as made": lambda x: x,
    "steps reversed": lambda x: np.flip(np.flip(x, 0).copy(), 0),
    "batch first": lambda x: np.swapaxes(np.swapaxes(x, 0, 1).copy(), 0, 1),
    "features first": lambda x: np.moveaxis(np.moveaxis(x, -1, 0).copy(), 0, -1),
}


@contextlib.contextmanager
def steps_in_machine_code():
    """Compute every step in machine code; yield the names of the functions as they are made."""
    kernels = pytest.importorskip("tinygrad_lr.compiler.llvm.cell_kernels")
    made, make = [], kernels.Steps

    def noted(name, *rest, **options):
        made.append(name)
        return make(name, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine_code, "MIN_WORK", 0)
        patch.setattr(kernels, "Steps", noted)
        yield made


def both(kind, operands, g, layout="as made"):
    """The states and the cotangents of the operands: in float64, and in machine code."""
    operation, lay = getattr(ops, kind), LAYOUTS[layout]
    expected, pull = tg.vjp(operation, *operands)
    slopes = pull(g)
    single = [x.astype(np.float32) for x in operands]
    with steps_in_machine_code() as made:
        out, pull = tg.vjp(operation, lay(single[0]), *single[1:])
        found = pull(lay(g.astype(np.float32)))
    assert made == [kind.replace("states", "forward"), kind.replace("states", "backward")]
    return (expected, *slopes), (out, *found)


@settings(max_examples=25)
@given(
    st.sampled_from(sorted(KINDS)),
    *(st.integers(1, n) for n in (4, 5, 40)),
    st.sampled_from(sorted(LAYOUTS)),
)
def test_gates_in_machine_code_are_those_of_numpy(kind, steps, rows, size, layout):
    gates, states = KINDS[kind]
    random = np.random.default_rng(steps * rows * size)
    shapes = [(steps, rows, gates * size), *[(rows, size)] * states]
    shapes += [(size, gates * size), (gates * size,)]
    operands = [random.normal(size=shape) / 2 for shape in shapes]
    g = random.normal(size=(steps, rows, states * size))
    for right, found in zip(*both(kind, operands, g, layout), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, right, atol=2e-6 * size * max(1, abs(right).max()))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("place", range(3))
def test_operands_in_another_byte_order_give_the_same(kind, place):
    gates, states = KINDS[kind]
    shapes = [(2, 3, gates * 4), *[(3, 4)] * states, (4, gates * 4), (gates * 4,)]
    random = np.random.default_rng(place)
    operands = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    other = list(operands)
    place = (0, 1, len(shapes) - 2)[place]
    other[place] = other[place].astype(other[place].dtype.newbyteorder())
    g = random.normal(size=(2, 3, states * 4)).astype(np.float32)
    found = []
    with steps_in_machine_code():
        for given in operands, other:
            out, pull = tg.vjp(getattr(ops, kind), *given)
            found.append([out, *pull(g)])
    for x, y in zip(*found, strict=True):
        np.testing.assert_allclose(y, x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_gates_in_machine_code_saturate_without_a_nan(kind):
    gates, states = KINDS[kind]
    signs = np.array(np.meshgrid(*[[-300.0, 300.0]] * gates)).reshape(1, gates, -1)
    size = signs.shape[-1]
    operands = [signs.reshape(1, 1, -1), *[np.full((1, size), 0.5)] * states]
    operands += [np.zeros((size, gates * size)), np.zeros(gates * size)]
    right, found = both(kind, operands, np.ones((1, 1, states * size)))
    for x, y in zip(right, found, strict=True):
        np.testing.assert_allclose(y, x, atol=1e-6)


def test_products_are_kept_for_the_backward_pass_and_no_longer(monkeypatch):
    kept, times = recurrent.STATE_PRODUCTS._kept, []
    monkeypatch.setattr(recurrent, "times", lambda *given: times.append(given))
    with steps_in_machine_code():
        before = len(kept)
        layer = tg.nn.LSTM(3, 5, generator=0)
        out, last = layer(np.ones((2, 4, 3), np.float32))
        assert len(kept) == before + 1
        np.sum(out).backward()
        del out, last
    assert len(kept) == before
    assert times == []
