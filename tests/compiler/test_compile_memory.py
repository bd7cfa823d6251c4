"""Compiled functions share no memory: not with arguments, parameters, other results or calls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from operands import quick
from programs import assert_equal, backends

import tinygrad_lr as tg
from tinygrad_lr import Value, losses, nn, optim

windows = np.lib.stride_tricks.sliding_window_view
SIDES = [3, 3, 17, 92]  # rows in registers, in loops; results whose memory is used again
many = settings(quick, suppress_health_check=list(HealthCheck))


@tg.primitive(whole=True)
def same(x):
    return x


@tg.primitive(whole=True)
def reversed_rows(x):
    return x[::-1]


same.vjp(x=lambda g, out, x: g)
reversed_rows.vjp(x=lambda g, out, x: g[::-1])


def plain(x):
    return x.data if isinstance(x, Value) else x


def widen(row):
    return np.broadcast_to(row, (len(row), len(row)))


def swap_where(x, y):
    mask = x > y
    return np.where(np.where(mask, mask.T, x > 0), x, y)


UNARY = [
    lambda x: x * 2,
    np.tanh,
    lambda x: x.T,
    lambda x: x[::-1],
    lambda x: x[:, ::-1].T,
    lambda x: x.reshape(-1).reshape(x.shape),
    lambda x: x.copy(),
    lambda x: x.astype(float, copy=False),
    lambda x: widen(x[0]),
    lambda x: widen(x[np.argmax(np.sum(x, axis=1))]),
    lambda x: x[:, np.argmin(x[0])].reshape(-1, 1) + x[:1],
    lambda x: np.einsum("ij->ji", x),
    lambda x: np.einsum("ij->ij", x),
    lambda x: widen(np.einsum("ii->i", x)),
    lambda x: widen(np.diagonal(x)),
    lambda x: np.rot90(x),
    lambda x: np.sort(x, axis=1),
    lambda x: np.cumsum(x, axis=0) * 0.5,
    lambda x: plain(same(x * 1)),
    lambda x: plain(same(x)),
    lambda x: plain(reversed_rows(x)),
    lambda x: x + np.mean(x, axis=0),
]
BINARY = [
    np.add,
    np.subtract,
    lambda x, y: np.tanh(x * y),
    np.maximum,
    lambda x, y: np.where(x > y, x, y.T),
    lambda x, y: np.where(x > 0, y, x),
    swap_where,
    lambda x, y: np.concatenate([x[:1], y[1:]]),
    lambda x, y: np.concatenate([x[:, :1], y[:, 1:]], axis=1),
    lambda x, y: np.tanh(x @ y),
]
steps_of_a_program = st.lists(
    st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0), st.integers(0)),
    min_size=1,
    max_size=8,
)
LAYOUTS = {
    "C": lambda x: x.copy(),
    "Fortran": np.asfortranarray,
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "strided": lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
    "repeated": lambda x: widen(x[0].copy()),
    "read-only": lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
    "unaligned": lambda x: np.frombuffer(b"." + x.tobytes(), offset=1).reshape(x.shape),
    "swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "overlapping": lambda x: windows(x.reshape(-1)[: 2 * len(x) - 1], len(x)),
}
ALIASES = {
    "first": lambda world: world.first.data,
    "first, transposed": lambda world: world.first.data.T,
    "first, windows": lambda world: windows(world.first.data, world.first.shape)[0, 0],
    "second, from its buffer": lambda world: np.frombuffer(world.second.data).reshape(world.second.shape),
    "second, reversed": lambda world: world.second.data[::-1],
    "state": lambda world: world.module.state,
    "a result": lambda world: world.results[-1],
    "a result, transposed": lambda world: world.results[-1].T,
    "the argument before": lambda world: world.arguments[-1],
}


class World:
    """A program's parameters and state, what was passed and returned, and the user's arrays."""

    def __init__(self, run, numbers):
        self.first, self.second = Value(numbers[0]), Value(numbers[1])
        self.module = nn.Module()
        self.module.state = numbers[2].copy()
        self.results, self.arguments = [numbers[3].copy()], [numbers[4].copy()]
        self.held = [self.module.state]
        self.call = run(self)

    def argument(self, kind, numbers):
        made = LAYOUTS[kind](numbers) if kind in LAYOUTS else ALIASES[kind](self)
        self.arguments.append(made)
        return made

    def hold(self):
        self.held += [self.first.data, self.second.data, self.module.state]

    def everything(self):
        return [*self.held, self.first.data, self.second.data, self.module.state]


def build(world, program, results, updates):
    """The function of a program: steps on earlier arrays, updates, and results in any order."""

    def function(a, b):
        module = world.module
        known = [a, b, world.first.data, world.second.data, module.state]
        known = [x.copy() for x in known]  # a name for the same numbers, in compiled code
        for number, i, j in program:
            x, y = known[i % len(known)], known[j % len(known)]
            one = number < len(UNARY)
            known.append(UNARY[number](x) if one else BINARY[number - len(UNARY)](x, y))
        if "first" in updates:
            world.first.data = np.tanh(known[updates["first"] % len(known)])
        if "second" in updates:
            world.second.data += known[updates["second"] % len(known)]
        if "state" in updates:
            module.state = known[updates["state"] % len(known)] * 1
        return tuple(known[i % len(known)] for i in results)

    return function


@pytest.mark.slow
@backends()
@settings(many, max_examples=80)
@given(
    program=steps_of_a_program,
    results=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    updates=st.dictionaries(st.sampled_from(["first", "second", "state"]), st.integers(0, 12)),
    kinds=st.lists(st.sampled_from([*LAYOUTS, *ALIASES]), min_size=6, max_size=6),
    exposed=st.booleans(),
    side=st.sampled_from(SIDES),
)
def test_whatever_shares_memory_each_call_gives_what_eager_code_gives(
    program, results, updates, kinds, exposed, side, backend
):
    note(f"{program} {results} {updates} {kinds}")
    rng = np.random.default_rng(len(program))
    start = rng.uniform(-1, 1, (5, side, side))
    eager = World(lambda world: build(world, program, results, updates), start)
    compiled = World(
        lambda world: tg.compile(build(world, program, results, updates), backend=backend), start
    )
    kept, copies = [], []
    for turn in range(3):
        if exposed or turn:
            eager.hold(), compiled.hold()
        numbers = rng.uniform(-1, 1, (2, side, side))
        kinds_now = kinds[2 * turn : 2 * turn + 2]
        given_eager = [eager.argument(*pair) for pair in zip(kinds_now, numbers, strict=True)]
        given = [compiled.argument(*pair) for pair in zip(kinds_now, numbers, strict=True)]
        expected = [np.array(x) for x in eager.call(*given_eager)]
        found = compiled.call(*given)
        pairs = [*zip(found, expected, strict=True)]
        for x, y in [*pairs, *zip(compiled.everything(), eager.everything(), strict=True)]:
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)
        for x, copy in zip(kept, copies, strict=True):  # earlier results are as they were
            np.testing.assert_array_equal(x, copy)
        for i, x in enumerate(found):
            shared = [*given, *compiled.everything(), *kept, *found[:i]]
            assert not any(np.may_share_memory(x, y) for y in shared)
        kept += found
        copies += [x.copy() for x in found]
        eager.results.append(expected[0])
        compiled.results.append(found[0])
