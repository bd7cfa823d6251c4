"""A compiled function called on Values is one node of their graph, with compiled derivatives.

The trace of a function leaves a graph of its operations. Reverse and forward mode along that graph
give further programs of the same inputs, so the function is not run again, and nothing that it read
is read again. A call keeps the numbers of its inputs, with its random draws: they are the operands
of the node. A derivative that is itself differentiated is a node in the same way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...core.batching import Batched, Level
from ...core.chain_rule import pull_back, push_forward
from ...core.grad_mode import RECORDING, Watched
from ...core.graph import topological_order
from ...core.node import PackedRecord, unwrap
from ...core.primitive import LEVELS, Primitive, innermost_level
from ...core.value import Value, make_value, notify_watcher
from ...errors import TraceError
from ...support.abstract_array import AbstractArray
from ..ir.executable import Backend
from ..ir.instruction import Instruction, replace_operands
from ..ir.passes import run_passes
from ..ir.program import Program
from ..ir.sources import Argument, Source
from ..ir.stages import Stages
from ..tracing.trace_function import read_arrays_live
from ..tracing.traced_array import Traced, as_instruction, cast_to
from ..tracing.traced_graph import make_leaf, run_rules, runs_user_code, traced_instructions

Key = tuple[Any, ...]  # of a source


class OutputGraph:
    """The graph of one result, on traced arrays.

    - `keys`: the sources of the inputs that derivatives need, the arguments first
    - `leaves`: for each of them the Value in the graph that holds it, None for a constant
    - `operation`: the operation in the record of the result, whose operands are the inputs
    - `describe_change()`: what has changed outside since the function was traced, else None
    """

    def __init__(
        self,
        name: str,
        out: Value,
        leaves: Mapping[Key, Value | None],
        backend: Backend,
        describe_change: Callable[[], str | None],
    ) -> None:
        self.name, self.out, self.backend = name, out, backend
        self.describe_change = describe_change
        self.order = topological_order([out])
        inputs = Program(name, list(traced_instructions(self.order))).inputs()
        self.inputs = sorted(inputs, key=_argument_position)
        self.keys = [source.key() for source, _ in self.inputs]
        held = [leaves.get(key) for key in self.keys]
        reached = set(self.order)
        self.leaves = [None if x is None or x not in reached else x for x in held]
        self.operation = Primitive(_forward)
        self.operation.name = name
        self.operation.runs_user_code = runs_user_code(self.order)
        self.operation.rules[0] = self._pull
        self.operation.tangent_rules[0] = self._push
        self._derivatives: dict[tuple[int, ...], Derivative] = {}

    def make_result(self, number: Any, operands: Sequence[Any], numbers: Sequence[Any]) -> Value:
        """Return the Value of a result, with its record if an operand requires a gradient.

        `numbers` are what the operands hold, in arrays that nobody writes to.
        """
        held = zip(operands, numbers, self.leaves, strict=True)
        given = tuple(number if leaf is None else operand for operand, number, leaf in held)
        recording = RECORDING.get()
        recorded = any(isinstance(x, Value) and x.requires_grad for x in given)
        record: PackedRecord = (self.operation, given, numbers, {})
        if isinstance(recording, Watched):
            return notify_watcher(recording, number, recorded, record)
        return make_value(number, record if recorded and recording else None)

    def _require_unchanged(self) -> None:
        """Raise `TraceError` if a rule of the user's may read something that has changed.

        Derivatives are traced once, with what was outside in the trace.
        """
        change = self.describe_change() if self.operation.runs_user_code else None
        if change is not None:
            raise TraceError(
                f"{self.name}: the rule of a derivative may read {change}, which has changed since "
                "the function was called; call it again, or change it after the backward pass"
            )

    def _pull(self, g: Any, out: Any, *operands: Any, **_: Any) -> Callable[[int], Any]:
        """The rule of reverse mode: return a function of the operand's position."""
        self._require_unchanged()
        return self._derivative(()).evaluate(operands, [g])

    def _push(self, tangents: Sequence[Any], out: Any, *operands: Any, **_: Any) -> Any:
        """The rule of forward mode: `tangents` has None where one is zero."""
        self._require_unchanged()
        moving = [i for i, t in enumerate(tangents) if t is not None and self.leaves[i] is not None]
        found = self._derivative(tuple(moving)).evaluate(operands, [tangents[i] for i in moving])
        return found(0)

    def _derivative(self, moving: tuple[int, ...]) -> Derivative:
        """Return forward mode from the operands at these positions; reverse mode for none."""
        found = self._derivatives.get(moving)
        return found or self._derivatives.setdefault(moving, Derivative(self, moving))


class Derivative:
    """Reverse or forward mode along a graph: a function of the graph's inputs and of seeds.

    The seed of reverse mode is the cotangent of the result, those of forward mode are the tangents
    of the operands at some positions.
    """

    def __init__(self, graph: OutputGraph, moving: tuple[int, ...]) -> None:
        self.graph = graph
        held = [graph.leaves[i] for i in moving] or [graph.out]
        self.seeded = [x for x in held if x is not None]
        self.forward = bool(moving)
        self.name = f"{graph.name}_{'tangent' if self.forward else 'backward'}"
        self.seeds = [_make_seed(as_instruction(x._content)) for x in self.seeded]
        self.keys = [*graph.keys, *(x.options["source"].key() for x in self.seeds)]
        self._lock = threading.RLock()
        self._program: DerivativeProgram | None = None
        self._recorded: dict[int, Any] | None = None
        self._graphs: dict[int, OutputGraph | None] = {}
        self._leaves: dict[Key, Value | None] = {}

    def evaluate(self, operands: Sequence[Any], seeds: Sequence[Any]) -> Callable[[int], Any]:
        """Return a function of a result's position: that of an operand; 0 in forward mode.

        If there are Values among the operands or seeds, the results are Values.
        """
        given = [*operands, *seeds]
        level = innermost_level(map(unwrap, given)) if LEVELS else None
        if level is not None:
            return self._of_entries(level, given, len(operands))
        numbers = dict(zip(self.keys, map(unwrap, given), strict=True))
        with self._lock:
            if self._program is None:
                traced = run_rules(lambda: self._compute(list(map(Traced, self.seeds)), False))
                self._program = DerivativeProgram(self.name, traced, self.graph.backend)
            found = self._program.run(numbers)
        if not any(isinstance(x, Value) for x in given):
            return found.__getitem__
        operands_of = dict(zip(self.keys, given, strict=True))
        return lambda i: self._make_result(i, found[i], operands_of)

    def _of_entries(self, level: Level, given: Sequence[Any], count: int) -> Callable[[int], Any]:
        """Return the same function for the rows of a Jacobian, called for one after the other."""
        parts = [level.part(x if not isinstance(unwrap(x), Batched) else unwrap(x)) for x in given]
        rows = [[x[i] if varies else x for x, varies in parts] for i in range(level.size)]
        found = [self.evaluate(row[:count], row[count:]) for row in rows]
        return lambda i: Batched(np.stack([result(i) for result in found]), level)

    def _compute(self, seeds: Sequence[Any], recording: bool) -> dict[int, Any]:
        """Return the results by position, on traced arrays, or on Values if `recording`."""
        graph, given = self.graph, dict(zip(self.seeded, seeds, strict=True))
        if self.forward:
            return {0: push_forward(graph.order, given, recording)[graph.out]}
        cotangents = pull_back(given, recording=recording)
        return {i: cotangents[x] for i, x in enumerate(graph.leaves) if x is not None}

    def _make_result(self, i: int, number: Any, given: Mapping[Key, Any]) -> Any:
        """Return a result as a Value, the node of another graph."""
        with self._lock:
            if i not in self._graphs:
                self._graphs[i] = run_rules(lambda: self._result_graph(i))
            graph = self._graphs[i]
        if graph is None:
            return number
        operands = [given[key] for key in graph.keys]
        return graph.make_result(number, operands, [snapshot(x) for x in operands])

    def _result_graph(self, i: int) -> OutputGraph | None:
        """Return the graph of a result; None if it is a constant."""
        if self._recorded is None:
            leaves = [make_leaf(Traced(x)) for x in self.seeds]
            self._recorded = self._compute(leaves, True)
            self._leaves = dict(zip(self.keys, [*self.graph.leaves, *leaves], strict=True))
        out = self._recorded[i]
        if not isinstance(out, Value) or not out.requires_grad:
            return None
        graph = self.graph
        return OutputGraph(self.name, out, self._leaves, graph.backend, graph.describe_change)


class DerivativeProgram:
    """The program of a derivative, with its results by position."""

    def __init__(self, name: str, results: Mapping[int, Any], backend: Backend) -> None:
        self.positions = list(results)
        instructions = [as_instruction(x) for x in results.values()]
        program, _ = run_passes(read_arrays_live(Program(name, instructions)))
        self.program, self.sources = program, [source for source, _ in program.inputs()]
        self.keys = [source.key() for source in self.sources]
        self.executable = backend(program, [x for _, x in program.inputs()], [], Stages())

    def run(self, numbers: Mapping[Key, Any]) -> dict[int, Any]:
        """Return the results for inputs by the keys of their sources."""
        pairs = zip(self.keys, self.sources, strict=True)
        inputs = [numbers[key] if key in numbers else source.read() for key, source in pairs]
        if any(isinstance(x, AbstractArray) for x in inputs):
            found = self._inline(inputs)
        else:
            found = self.executable(inputs)
        return dict(zip(self.positions, found, strict=True))

    def _inline(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the results in the trace of another function."""
        given = dict(zip(self.keys, inputs, strict=True))

        def change(x: Instruction, operands: Sequence[Instruction]) -> Instruction:
            if x.operation != "input":
                return replace_operands(x, operands)
            return cast_to(as_instruction(given[x.options["source"].key()]), x.dtype, x.weak)

        return [Traced(x) for x in self.program.rewrite(change).results]


class Seed(Source):
    """The source of a cotangent or a tangent."""

    def key(self) -> Key:
        """Return its own identity."""
        return ("seed", id(self))


def _make_seed(like: Instruction) -> Instruction:
    """Return the input of a cotangent or tangent of a number or an array."""
    return Instruction("input", (), {"source": Seed()}, like.shape, like.dtype, like.weak, "g")


def _argument_position(x: tuple[Source, Instruction]) -> float:
    """Return the position of an argument; infinity for another input."""
    source = x[0]
    return source.position if isinstance(source, Argument) else float("inf")


def _forward(*operands: Any) -> Any:
    raise NotImplementedError("a compiled function evaluates itself")


def snapshot(x: Any) -> Any:
    """Return an operand's numbers for the graph: a copy of a Value's where others may write."""
    if not isinstance(x, Value):
        return x
    return x._content.copy(order="K") if x._data_shared else x._content
