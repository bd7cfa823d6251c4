"""Loops and branches: calls whose function is itself a compiled program.

The body of a loop is a `Body`, a closed program: it computes its results from its inputs alone. A
loop is one instruction, a call, of the arrays that it begins with, slices, and reads. A backend
compiles the body once, and calls it for each step (`bind_bodies`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .executable import Backend, Executable
from .instruction import Instruction
from .program import Program, topological_order
from .sources import Source
from .stages import Stages


class BodyInput(Source):
    """An input of a body: what it carries, a slice, or something from outside."""

    def key(self) -> tuple[Any, ...]:
        """Return its own identity."""
        return ("body", id(self))


def make_body_input(like: Instruction, name: str | None = None) -> Instruction:
    """Return an input of a body that holds something like an instruction's result."""
    options = {"source": BodyInput()}
    return Instruction("input", (), options, like.shape, like.dtype, like.weak, name or like.name)


@dataclass(frozen=True)
class Body:
    """A closed program: its inputs, its results, and checks of numbers in it."""

    name: str
    inputs: tuple[Instruction, ...]
    results: tuple[Instruction, ...]
    checks: tuple[tuple[Instruction, Callable[[Any], object]], ...] = ()

    def compile(
        self, backend: Backend, results: Sequence[Instruction], updates: dict[int, Instruction]
    ) -> Executable:
        """Return the program of some results, which updates some inputs."""
        program = Program(self.name, list(results), [], list(self.checks))
        return backend(program, list(self.inputs), list(updates.items()), Stages())


class BodyCall:
    """The function of a call that runs bodies. `used` are the results that the program reads."""

    name: str
    bodies: Sequence[Body]
    is_foreign = False
    expand = None
    returns_views = False

    def likes(self) -> list[Instruction]:
        """Return an instruction like each result."""
        raise NotImplementedError

    @property
    def arrays(self) -> list[bool]:
        """For each result, True: even one without axes is an array in memory."""
        return [bool(x.shape) for x in self.likes()]

    def bind(self, backend: Backend, used: set[int]) -> Callable[..., list[Any]]:
        """Return the function, compiled."""
        raise NotImplementedError

    def __call__(self, *arrays: Any) -> list[Any]:
        """Run it without a backend's code: where all operands are known while tracing."""
        raise NotImplementedError("a loop runs as the program that it is in is compiled")

    def __repr__(self) -> str:
        return self.name


def add_body_call(function: BodyCall, operands: Sequence[Instruction]) -> list[Instruction]:
    """Return the instructions of the results of a loop or a branch."""
    likes = function.likes()
    kinds = [(x.shape, x.dtype) for x in likes]
    shape, dtype = kinds[0] if kinds else ((), np.dtype(bool))
    whole = Instruction("call", operands, {"function": function, "likes": kinds}, shape, dtype)
    return [
        Instruction("part", (whole,), {"position": i}, x.shape, x.dtype)
        for i, x in enumerate(likes)
    ]


class LoopFamily:
    """A loop over slices, and the same loop with more results: what its gradient needs of it.

    - `body`: its inputs are what it carries, slices and the rest; its results the new carry and y
    - `residuals`: further results of each step, in the order in which they were asked for
    """

    def __init__(self, body: Body, carried: int, sliced: int, steps: int, reverse: bool) -> None:
        self.body, self.carried, self.sliced = body, carried, sliced
        self.steps, self.reverse = steps, reverse
        self.residuals: list[Instruction] = []
        self._calls: dict[int, LoopCall] = {}

    def call(self, extra: int = 0) -> LoopCall:
        """Return the loop that has the first residuals among its results."""
        return self._calls.setdefault(extra, LoopCall(self, extra))

    def keep(self, x: Instruction) -> int:
        """Return the position of a residual among all results."""
        if x not in self.residuals:
            self.residuals.append(x)
        return len(self.body.results) + self.residuals.index(x)


class LoopCall(BodyCall):
    """The function of a loop: from its operands to the last carry, and stacked results."""

    def __init__(self, family: LoopFamily, extra: int) -> None:
        self.family, self.extra = family, extra
        self.name, self.bodies = f"loop of {family.body.name}", (family.body,)

    @property
    def results(self) -> list[Instruction]:
        """What a step computes: the new carry, then what is stacked."""
        return [*self.family.body.results, *self.family.residuals[: self.extra]]

    def likes(self) -> list[Instruction]:
        """Return an instruction like each result."""
        family = self.family
        return [
            x if i < family.carried else _stacked(x, family.steps)
            for i, x in enumerate(self.results)
        ]

    def bind(self, backend: Backend, used: set[int]) -> Callable[..., list[Any]]:
        """Return the function, compiled, without the results that nothing reads."""
        return BoundLoop(self, backend, used)


def _stacked(x: Instruction, steps: int) -> Instruction:
    return Instruction(x.operation, x.inputs, x.options, (steps, *x.shape), x.dtype)


class BoundLoop:
    """A compiled loop. The body writes each new carry over the old one, in memory of its own."""

    def __init__(self, call: LoopCall, backend: Backend, used: set[int]) -> None:
        family, results = call.family, call.results
        self.name, self.is_foreign, self.expand = call.name, False, None
        self.family, self.count = family, len(results)
        self.carried = live_carries(family, results, used)
        self.kept = sorted(i for i in used if i >= family.carried)
        self.executable = family.body.compile(
            backend, [results[i] for i in self.kept], {i: results[i] for i in self.carried}
        )
        self.weak = [x.weak for x in family.body.inputs]
        assert not any(self.weak[: family.carried]), "a carry is written over, so it's an array"

    @property
    def is_native(self) -> bool:
        """True if machine code can call the body's machine code, without Python."""
        return bool(getattr(self.executable, "is_callable", False))

    def __call__(self, *arrays: Any) -> list[Any]:
        """Return the last carry and the stacked results; None for what nothing reads."""
        family, found = self.family, [None] * self.count
        inputs = list(arrays)
        for i in range(family.carried):
            inputs[i] = np.array(arrays[i], order="C")
        end = family.carried + family.sliced
        stacks = {i: np.asarray(arrays[i]) for i in range(family.carried, end)}
        for i, stack in stacks.items():
            inputs[i] = stack[0].item() if self.weak[i] else stack[0]
        rows, _ = self.executable.loop(inputs, family.steps, stacks, family.reverse)
        for i in self.carried:
            found[i] = inputs[i][()]  # a number without axes, as of other instructions
        for i, row in zip(self.kept, rows, strict=True):
            found[i] = row
        return found

    def __repr__(self) -> str:
        return self.name


def live_carries(family: LoopFamily, results: Sequence[Instruction], used: set[int]) -> list[int]:
    """Return the carries that something reads: the program, or another step."""
    live = {i for i in used if i < family.carried}
    looked = set(used)
    waiting = [results[i] for i in used]
    checked = [x for x, _ in family.body.checks]
    waiting += checked
    position = {x: i for i, x in enumerate(family.body.inputs[: family.carried])}
    while waiting:
        reached = {position[x] for x in topological_order(waiting) if x in position}
        new = reached - looked
        live |= reached
        looked |= reached
        waiting = [results[i] for i in new]
    return sorted(live)


@dataclass(frozen=True)
class BranchCall(BodyCall):
    """The function of a branch: the first operand chooses the body that computes the results."""

    bodies: tuple[Body, Body]
    name: str = "branch"

    def likes(self) -> list[Instruction]:
        """Return an instruction like each result."""
        return list(self.bodies[0].results)

    def bind(self, backend: Backend, used: set[int]) -> Callable[..., list[Any]]:
        """Return the function, compiled."""
        kept = sorted(used)
        compiled = [
            body.compile(backend, [body.results[i] for i in kept], {}) for body in self.bodies
        ]

        def call(chosen: Any, *arrays: Any) -> list[Any]:
            found: list[Any] = [None] * len(self.bodies[0].results)
            for i, x in zip(kept, compiled[0 if chosen else 1](list(arrays)), strict=True):
                found[i] = x
            return found

        return Bound(self.name, call)


@dataclass(frozen=True)
class WhileCall(BodyCall):
    """The function of a loop that goes on while its body's last result holds.

    Its first operand is whether it runs at all; its results are the last carry.
    """

    body: Body
    carried: int
    name: str = "while_loop"

    @property
    def bodies(self) -> Sequence[Body]:  # type: ignore[override]
        """The body."""
        return (self.body,)

    def likes(self) -> list[Instruction]:
        """Return an instruction like each result."""
        return list(self.body.results[: self.carried])

    def bind(self, backend: Backend, used: set[int]) -> Callable[..., list[Any]]:
        """Return the function, compiled."""
        *carry, goes_on = self.body.results
        executable = self.body.compile(backend, [goes_on], dict(enumerate(carry)))

        def call(starts: Any, *arrays: Any) -> list[Any]:
            inputs = [
                np.array(x, order="C") if i < self.carried else x for i, x in enumerate(arrays)
            ]
            if starts:
                executable.repeat(inputs)
            return [x[()] for x in inputs[: self.carried]]

        return Bound(self.name, call)


@dataclass(frozen=True)
class Bound:
    """A compiled function with the attributes of a call."""

    name: str
    call: Callable[..., list[Any]] = field(repr=False)
    is_foreign = False
    expand = None

    def __call__(self, *arrays: Any) -> list[Any]:
        """Return the results."""
        return self.call(*arrays)


def bind_bodies(program: Program, backend: Backend) -> Program:
    """Return the program with the bodies of its loops and branches compiled."""
    used: dict[Instruction, set[int]] = {}
    for x in program.instructions():
        if x.operation == "part":
            used.setdefault(x.inputs[0], set()).add(x.options["position"])
    bound: dict[Instruction, Any] = {}
    for x in program.instructions():
        if x.operation == "call" and isinstance(x.options["function"], BodyCall):
            bound[x] = x.options["function"].bind(backend, used.get(x, set()))
    if not bound:
        return program

    def change(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        options = {**x.options, "function": bound[x]} if x in bound else x.options
        if x not in bound and all(a is b for a, b in zip(inputs, x.inputs, strict=True)):
            return x
        return Instruction(x.operation, inputs, options, x.shape, x.dtype, x.weak, x.name)

    return program.rewrite(change)
