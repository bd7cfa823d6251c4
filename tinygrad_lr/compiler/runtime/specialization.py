"""A compiled form of a function: for one signature, and for the outer objects that it found."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ...core.grad_mode import RECORDING
from ...core.node import unwrap
from ...core.value import Value, make_value
from ...errors import GraphError
from ...optim import Optimizer
from ...support import pytree as tree
from ...support.deferred_interrupt import MAX_CHUNK_SECONDS, DeferredInterrupt
from ..ir.checks import BoundCheck
from ..ir.executable import Backend, Executable
from ..ir.instruction import UFUNCS, Instruction
from ..ir.passes import PassResult, run_passes
from ..ir.program import Program, topological_order
from ..ir.sources import (
    Argument,
    Attribute,
    Gradient,
    HostInput,
    Source,
    StaleProgram,
    ValueData,
)
from ..ir.stages import Stages
from ..llvm.threads import THREADS
from ..numpy_backend.source import SourceWriter, view_owner
from ..tracing.guards import SameForm, is_same
from ..tracing.interception import run_isolated
from ..tracing.trace_errors import overlap, trace_error
from ..tracing.trace_function import (
    ResultSlot,
    TracedFunction,
    read_arrays_live,
    trace_function,
)
from ..tracing.traced_array import broadcast, cast_to
from ..tracing.traced_graph import TracedGraph
from .differentiable import OutputGraph, snapshot

UNSHARED_REFERENCES = 3  # of an array that nobody else holds: its source's, known's, getrefcount's
MAX_DRAWN_BYTES = 64 << 20  # of random draws that are made before the steps that use them
UNKNOWN = type("Unknown", (), {})()


class Specialization:
    """A function traced once: its program, how to run it, and what must not change.

    - `traced`, `program`: before and after the passes of every backend, listed in `done`
    - `graphs`: for each result that requires a gradient its graph, None for the others
    - `operands`: for each graph the positions of its operands among the inputs
    - `kept`: the positions of all these inputs, whose numbers a node keeps
    - `inputs`, `input_sources`: the program's inputs, and where their numbers come from
    - `argument_kinds`: for each argument `float`, the shape and dtype of an array, or None
    - `hosts`: what Python computes for each step, with the position of its input (-1: none): what
      may call for another program first, then draws, in the order of the trace
    - `known`: for each input, the array that is passed to the executable, or `UNKNOWN`
    - `fast_call`: the fast path of a call, if there is one; `Compiled` sets it
    - `stages`: how long it took to trace and compile it
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        parameters: Sequence[str],
        args: Sequence[Any],
        backend: Backend,
    ) -> None:
        self.stages = Stages()
        self.fast_call: Callable[..., Any] | None = None
        self.lock = threading.RLock()
        self._repeats = False  # True once a step has left the guards as they were
        self._chunk = 1  # steps that the executable makes in a fraction of a second
        self.thread = 0  # that runs it now
        settings = [(THREADS, "count", THREADS.count)]
        with self.stages.measure("trace"):
            traced = run_isolated(trace_function, function, name, parameters, args, settings)
            traced.require_released()
        self.traced, self.guards = traced.program, traced.guards
        self.identities, self._late = traced.identities, traced.late
        self.structure = traced.structure
        self.returns_one = isinstance(traced.structure, ResultSlot)
        self.has_nested_arguments = bool(args[-1]) or any(
            isinstance(x, (list, tuple, dict)) for x in args[:-1]
        )
        self.argument_kinds = [
            float if type(x) is float else (x.shape, x.dtype) if type(x) is np.ndarray else None
            for x in args[:-1]
        ]
        self.counters, self.generators = traced.counters, traced.generators
        self.done: list[PassResult]
        with self.stages.measure("passes"):
            self.program, self.done = run_passes(self._read_arrays_live(traced.graph))
        slots = [x for x in tree.leaves([self.structure]) if isinstance(x, ResultSlot)]
        for slot, x in zip(slots, self.program.results, strict=True):
            slot.is_view = slot.is_value and bool(x.shape) and view_owner(x).operation == "input"
        self.graphs = self._make_graphs(traced, backend)
        self.is_differentiable = any(self.graphs)
        inputs = self.program.inputs()
        known = {source.key() for source, _ in inputs}
        for graph in filter(None, self.graphs):
            for source, x in graph.inputs:
                if source.key() not in known:
                    known.add(source.key())
                    inputs.append((source, x))
        self.input_sources = [source for source, _ in inputs]
        keys = [source.key() for source in self.input_sources]
        self._guard_forms(traced.sources, keys)
        self.operands = [[keys.index(key) for key in x.keys] if x else [] for x in self.graphs]
        self.kept = sorted(set().union(*self.operands))
        self.hosts = [
            (keys.index(host.key()) if host.key() in keys else -1, host)
            for host in sorted(traced.hosts, key=lambda host: host.changes)
        ]
        self.inputs = [x for _, x in inputs]
        self.executable = self._build_executable(backend)

    def _guard_forms(self, sources: Sequence[Source], keys: Sequence[Any]) -> None:
        """Guard the shapes of arrays that the program doesn't read: calls look at no others."""
        unread = [
            source
            for source in sources
            if source.key() not in keys and not isinstance(source, (Argument, Gradient, HostInput))
        ]
        for source in unread:
            self.guards.add(SameForm(source), source.key())
        if unread:
            self.guards.compile()

    def _read_arrays_live(self, graph: TracedGraph) -> Program:
        """Return the program, and change the graph, with arrays that others may write to as inputs.

        The graph must know the same inputs as the program.
        """
        results = self.traced.results
        whole = replace(self.traced, results=[*results, *graph.instructions])
        live = read_arrays_live(whole)
        graph.replace(live.results[len(results) :])
        return replace(live, results=live.results[: len(results)])

    def _make_graphs(self, traced: TracedFunction, backend: Backend) -> list[OutputGraph | None]:
        """Return the graph of each result; the same one for a Value that is returned twice."""
        name, leaves = self.traced.name, traced.graph.leaves
        changed = self.guards.describe_change
        made = {x: OutputGraph(name, x, leaves, backend, changed) for x in traced.graph.outputs}
        outputs = iter(traced.graph.outputs)
        return [made[next(outputs)] if needed else None for needed in traced.requires_grad]

    def _build_executable(self, backend: Backend) -> Executable:
        """Compile the program, with its updates sorted into those of inputs and the others."""
        positions = {source.key(): i for i, source in enumerate(self.input_sources)}
        self.updated: list[int] = []  # inputs that the program updates
        self.reassigned: set[int] = set()  # the data of Values among them that isn't in place
        self.returned_updates: list[tuple[Source, bool]] = []  # of sources that it doesn't read
        self.cleared: list[Source] = []
        updates: list[tuple[int, Instruction]] = []
        results = list(self.program.results)
        for source, new in self.program.updates:
            position = positions.get(source.key())
            if new is None:
                self.cleared.append(source)
            elif position is not None:
                like = self.inputs[position]
                final = broadcast(cast_to(new, like.dtype, like.weak), like.shape)
                updates.append((position, final))
                self.updated.append(position)
                if isinstance(source, ValueData) and source.reassigned:
                    self.reassigned.add(position)
            else:
                self.returned_updates.append((source, new.weak))
                results.append(new)
        self.updated_numbers = [
            i for i in self.updated if not isinstance(self.input_sources[i].read(), np.ndarray)
        ]
        self.known: list[Any] = [UNKNOWN] * len(self.input_sources)
        updates_data = any(isinstance(self.input_sources[i], ValueData) for i in self.updated)
        self.late = {
            position: self._late[key]
            for key, position in positions.items()
            if updates_data and key in self._late and position not in self.updated
        }
        self.input_checks = [
            (self.input_sources.index(x.options["source"]), look)
            for x, look in self.program.checks
            if x.operation == "input"
        ]
        self.number_checks = [
            NumberCheck(x, look, positions)
            for x, look in self.program.checks
            if x.operation != "input" and depends_on_numbers(x)
        ]
        checks = [
            (x, look)
            for x, look in self.program.checks
            if x.operation != "input" and not depends_on_numbers(x)
        ]
        program = Program(self.program.name, results, [], checks)
        self._parts = (program, self.inputs, updates)
        executable = backend(*self._parts, self.stages)
        self.own_references = UNSHARED_REFERENCES + executable.holds_inputs
        self._gather = self._compile_gather()
        return executable

    @property
    def source(self) -> str:
        """The program as Python that calls NumPy, whichever backend runs it."""
        return str(getattr(self.executable, "source", None) or SourceWriter(*self._parts).source)

    # ---- running

    def forget_inputs(self) -> None:
        """Make the next call pass all inputs again, since the executable was given others."""
        self.known[:] = [UNKNOWN] * len(self.known)

    def _forget_arguments(self) -> None:
        """Make the fast path pass the arguments again, since the slow path has passed others."""
        for i, source in enumerate(self.input_sources):
            if isinstance(source, Argument):
                self.known[i] = UNKNOWN

    def _forget_copied_inputs(self) -> None:
        """Pass the inputs again of which the executable has only copies."""
        for i in self.executable.copied_inputs:
            self.known[i] = UNKNOWN

    def _compile_gather(self) -> Callable[[Specialization, Sequence[Any]], list[Any]]:
        """Return a function that reads all inputs; it does not refer to the program itself."""
        space: dict[str, Any] = {"known": self.known, "UNKNOWN": UNKNOWN}
        space["references"] = sys.getrefcount
        lines, inputs = [], []
        computed = {i: f"h{k}" for k, (i, _) in enumerate(self.hosts)}
        for i, source in enumerate(self.input_sources):
            if isinstance(source, Argument):
                inputs.append(f"leaves[{source.position}]")
                continue
            space[f"p{i}"] = source.value if isinstance(source, ValueData) else source
            if isinstance(source, HostInput):
                inputs.append(computed[i])
                continue
            read = f"p{i}._content" if isinstance(source, ValueData) else f"p{i}.read()"
            if self.replaces(i):
                lines.append(f"    if references(known[{i}]) > {self.own_references}:")
                lines.append(f"        known[{i}] = UNKNOWN")
            lines += [f"    x{i} = {read}", f"    if x{i} is not known[{i}]:"]
            lines.append(f"        x{i} = program._accept({i}, x{i})")
            inputs.append(f"x{i}")
        for k, (_, host) in enumerate(self.hosts):  # last: a program that is stale must not draw
            space[f"compute{k}"] = host.compute
            lines.append(f"    h{k} = compute{k}(0)")
        text = "\n".join(
            ["def gather(program, leaves):", *lines, f"    return [{', '.join(inputs)}]"]
        )
        exec(compile(text, "<gather>", "exec"), space)
        made = space.pop("gather")  # else the function and its globals would refer to each other
        return cast("Callable[[Specialization, Sequence[Any]], list[Any]]", made)

    def replaces(self, i: int) -> bool:
        """Return True if the program updates an array that eager code would replace.

        It must be copied if others hold it. An optimiser updates the data of a Value in place in
        eager code too, once the user has it, and its own state is given away in copies only.
        """
        source = self.input_sources[i]
        if i not in self.updated or not self.inputs[i].shape:
            return False
        if isinstance(source, ValueData):
            return i in self.reassigned
        return not (isinstance(source, Attribute) and isinstance(source.owner, Optimizer))

    def _accept(self, i: int, x: Any) -> Any:
        """Return an input that has been replaced since the last call, or that others hold.

        An array that the program updates is copied, since others may refer to it, unless it is what
        `Value.data` returned, or in a tuple, and so changes in place. Raises `StaleProgram` for
        another shape or dtype.
        """
        like, source = self.inputs[i], self.input_sources[i]
        if like.weak:
            if type(x) not in {float, int, bool}:
                raise StaleProgram
            return x
        if not isinstance(x, (np.ndarray, np.generic)) or x.shape != like.shape:
            raise StaleProgram
        if x.dtype != like.dtype:
            raise StaleProgram
        if isinstance(x, np.ndarray):
            self.require_apart(i, x)
            keep = x.flags.c_contiguous and x.flags.aligned
            if i in self.updated:
                is_gradient = isinstance(source, Gradient)
                in_place = not is_gradient and not self.replaces(i)
                if in_place and isinstance(source, ValueData):
                    in_place = source.value._data_shared
                if not in_place or not (x.flags.carray and x.flags.owndata):
                    x = np.array(x, like.dtype, order="C")
                source.write((x,) if is_gradient else x)  # `.grad` copies what is in a tuple
                x = source.read()  # an entry of a tuple cannot be replaced
                keep = True
            elif self._is_part_of_updated(x):  # machine code copies it at each call
                keep = False
            self.known[i] = x if keep else UNKNOWN
        return x

    def require_apart(self, i: int, x: Any) -> Any:
        """Return an input; raise `TraceError` if the program reads it after updating its memory."""
        if i not in self.late or not isinstance(x, np.ndarray):
            return x
        for j in self.updated:
            source = self.input_sources[j]
            if isinstance(source, ValueData) and j not in self.reassigned:
                data = source.value._content
                if isinstance(data, np.ndarray) and np.may_share_memory(x, data):
                    code, line = self.late[i]
                    wrong, cure = overlap("an array that is read here")
                    raise trace_error(code, line, wrong, cure)
        return x

    def _is_part_of_updated(self, x: Any) -> bool:
        """Return True if an array may be, or be a part of, one that the program updates."""
        updated = [self.input_sources[i].read() for i in self.updated]
        return any(
            x is other or (not x.flags.owndata and np.may_share_memory(x, other))
            for other in updated
        )

    @property
    def is_running(self) -> bool:
        """True in a function that the program calls: its memory is in use."""
        return self.thread == threading.get_ident()

    @contextlib.contextmanager
    def _marked_as_running(self) -> Iterator[None]:
        if self.is_running:
            raise GraphError(f"{self.program.name}.loop: must not be called while it runs")
        self.thread = threading.get_ident()
        try:
            yield
        finally:
            self.thread = 0

    def run(self, leaves: Sequence[Any]) -> Any:
        """Run the program once; return what the function returns."""
        with self.lock:
            self._forget_arguments()
            found = self._run_step(self._inputs(leaves))
        return self.build_result(found)

    def _inputs(self, leaves: Sequence[Any]) -> list[Any]:
        """Return what the program reads; `leaves` are the arguments."""
        inputs = self._gather(self, leaves)
        for i in self.late:
            self.require_apart(i, inputs[i])
        return inputs

    def _run_step(self, inputs: list[Any]) -> Sequence[Any]:
        """Run the program once on its inputs, with its updates; return the other results."""
        for i, check in self.input_checks:
            check(inputs[i])
        for number in self.number_checks:
            number([inputs[i] for i in number.positions])
        with self._marked_as_running():
            found = self.executable(inputs)
        self._forget_copied_inputs()
        if self.updated_numbers or self.returned_updates or self.cleared or self.counters:
            return self._commit(found, 1)
        return found

    def run_as_node(self, leaves: Sequence[Any]) -> Any:
        """Run the program once, on arguments that may be Values; return nodes of their graph.

        The nodes keep the numbers of the inputs that derivatives need.
        """
        if not self.is_differentiable or not RECORDING.get():
            return self.run(list(map(unwrap, leaves)))
        with self.lock:
            self._forget_arguments()
            inputs = self._inputs(list(map(unwrap, leaves)))
            operands, numbers = list(inputs), list(inputs)
            for i in self.kept:
                operands[i] = self._find_operand(i, leaves, inputs[i])
                numbers[i] = keep_numbers(operands[i])
                if i not in self.updated:
                    inputs[i] = numbers[i]  # results may be views of them
            found = self._run_step(inputs)
        nodes: dict[OutputGraph | None, Any] = {}
        for graph, places, number in zip(self.graphs, self.operands, found, strict=True):
            if graph is not None:
                chosen = [operands[i] for i in places], [numbers[i] for i in places]
                nodes[graph] = graph.make_result(number, *chosen)
        return self.build_result(
            [
                own_array(x, numbers) if graph is None else nodes[graph]
                for graph, x in zip(self.graphs, found, strict=True)
            ]
        )

    def _find_operand(self, i: int, leaves: Sequence[Any], number: Any) -> Any:
        """Return an input as an operand of a node: a Value if one holds it."""
        source = self.input_sources[i]
        if isinstance(source, ValueData):
            return source.value
        return leaves[source.position] if isinstance(source, Argument) else number

    def loop(
        self, leaves: Sequence[Any], steps: int, stacked: dict[int, Any] | None = None
    ) -> tuple[list[Any], int]:
        """Run the program up to `steps` times; return what the function returns at each, stacked.

        The number of steps comes second. It's smaller if a step changes what the program was traced
        with, such as a count that the function compares, so that the next one needs another.
        `stacked` has, for some arguments, the arrays of all steps along a first axis. Ctrl-C is
        answered between two calls of the executable, each of a fraction of a second, and leaves
        what whole steps have done.
        """
        stacked = stacked or {}
        drawn = sum(self.inputs[i].nbytes for i, host in self.hosts if host.changes and i >= 0)
        most = max(1, MAX_DRAWN_BYTES // drawn) if drawn else max(1, steps)
        if any(map(self._is_part_of_updated, self._unstacked_arrays(leaves, stacked))):
            most = 1
        parts: list[list[Any]] = []
        first, interrupt = 0, DeferredInterrupt()
        with self.lock, interrupt.installed():
            self._forget_arguments()
            while first < steps:
                chunk = min(self._chunk, most) if self._repeats else 1
                last, began = min(first + chunk, steps), time.perf_counter()
                part = {position: x[first:last] for position, x in stacked.items()}
                with interrupt:
                    parts.append(self._run_chunk(leaves, last - first, part))
                per_step = (time.perf_counter() - began) / (last - first)
                first, self._chunk = last, max(1, int(MAX_CHUNK_SECONDS / per_step))
                self._repeats = self._repeats or self.guards.hold()
                if not self._repeats:
                    break
        if not parts:
            return [np.empty((0, *x.shape), x.dtype) for x in self.program.results], 0
        return join_steps(parts), first

    def _unstacked_arrays(self, leaves: Sequence[Any], stacked: Mapping[int, Any]) -> list[Any]:
        """Return the arrays that all steps of a loop read, and don't update."""
        found = [x for i, x in enumerate(leaves) if i not in stacked]
        for i, source in enumerate(self.input_sources):
            if i not in self.updated and not isinstance(source, (Argument, HostInput)):
                found.append(source.read())
        return [x for x in found if isinstance(x, np.ndarray)]

    def _run_chunk(self, leaves: Sequence[Any], steps: int, stacked: dict[int, Any]) -> list[Any]:
        """Run some steps; what Python computes for them is computed before."""
        inputs = self._inputs(leaves)
        changing: dict[int, list[Any]] = {
            i: [inputs[i]] for i, host in self.hosts if host.changes and i >= 0
        }
        for step in range(1, steps):
            for i, host in self.hosts:
                if host.changes:
                    computed = host.compute(step)
                    if i >= 0:
                        changing[i].append(computed)
        given = {i: np.stack(x) for i, x in changing.items()}
        for i, source in enumerate(self.input_sources):
            if isinstance(source, Argument) and source.position in stacked:
                given[i] = self.require_apart(i, stacked[source.position])
        for i, check in self.input_checks:
            if i in given and isinstance(check, BoundCheck) and check.holds(given[i]):
                continue  # those of all steps at once
            for x in self._column(i, given, inputs, steps):
                check(x)
        for number in self.number_checks:
            columns = [self._column(i, given, inputs, steps) for i in number.positions]
            for row in zip(*columns, strict=True):
                number(row)
        with self._marked_as_running():
            rows, carried = self.executable.loop(inputs, steps, given)
        self._forget_copied_inputs()
        self._commit([*(row[-1] for row in rows), *carried], steps)
        return [np.asarray(row) for row in rows[: len(rows) - len(self.returned_updates)]]

    def _column(
        self, i: int, given: Mapping[int, Any], inputs: Sequence[Any], steps: int
    ) -> Sequence[Any]:
        """Return what an input is in each step that runs; once, if it is an array that stays."""
        if i in given:
            return given[i].tolist() if self.inputs[i].weak else list(given[i])
        return [inputs[i]] * (steps if self.inputs[i].weak else 1)

    def _commit(self, found: Sequence[Any], steps: int) -> Sequence[Any]:
        """Write updates that aren't made in place, count the steps; return the other results."""
        end = len(found) - len(self.updated_numbers)
        for i, number in zip(self.updated_numbers, found[end:], strict=True):
            like = self.inputs[i]
            self.input_sources[i].write(float(number) if like.weak else like.dtype.type(number))
        start = end - len(self.returned_updates)
        for (source, weak), number in zip(self.returned_updates, found[start:end], strict=True):
            source.write(float(number) if weak else number)
        for source in self.cleared:
            source.write(None)
        for owner, name, increment in self.counters:
            setattr(owner, name, getattr(owner, name) + increment * steps)
        return found[:start]

    def returns_as(self, other: Specialization) -> bool:
        """Return True if results of both programs can be stacked: only arrays differ."""

        def describe(program: Specialization) -> tuple[Any, ...]:
            leaves = [x for x in tree.leaves([program.structure]) if not isinstance(x, ResultSlot)]
            forms = [(x.shape, str(x.dtype)) for x in program.program.results]
            nest = tree.map_leaves(lambda _: "...", program.structure)
            return (repr(nest), tuple(forms), tuple(leaves))

        return is_same(describe(self), describe(other))

    def build_result(self, found: Sequence[Any], plain: bool = False) -> Any:
        """Return results in the structure that the function returned; plain arrays if `plain`."""
        return build_result(self.structure, found, plain)


def join_steps(parts: Sequence[list[Any]]) -> list[Any]:
    """Return stacked results, of which each part has those of some steps."""
    return parts[0] if len(parts) == 1 else list(map(np.concatenate, zip(*parts, strict=True)))


class NumberCheck:
    """A check of what is computed from numbers alone: it is made before the program runs.

    `positions` are those of its numbers among the inputs.
    """

    def __init__(
        self, x: Instruction, look: Callable[[Any], object], positions: Mapping[Any, int]
    ) -> None:
        inputs = Program("number", [x]).inputs()
        self.sources = [source for source, _ in inputs]
        self.positions = [positions[source.key()] for source in self.sources]
        self.look = look
        writer = SourceWriter(Program("number", [x]), [x for _, x in inputs], [])
        exec(compile(writer.source, "<number>", "exec"), writer.namespace)
        self._compute = writer.namespace[writer.name]

    def __call__(self, numbers: Sequence[Any]) -> None:
        """Raise the error of the check, if there is one."""
        self.look(self._compute(*numbers)[0])


def depends_on_numbers(x: Instruction) -> bool:
    """Return True if an instruction is arithmetic on Python numbers, which are inputs."""
    steps = topological_order([x])
    return any(y.operation == "input" for y in steps) and all(
        y.weak and not y.shape and (y.operation in UFUNCS or y.operation in {"input", "constant"})
        for y in steps
    )


def build_result(structure: Any, found: Sequence[Any], plain: bool = False) -> Any:
    """Return results in a structure with a `ResultSlot` for each; plain arrays if `plain`."""

    def fill(x: Any, number: Any) -> Any:
        if plain or not x.is_value or isinstance(number, Value):
            return number
        return make_value(number.copy() if x.is_view else number, None)

    if isinstance(structure, ResultSlot):
        return fill(structure, found[0])
    numbers = iter(found)
    return tree.map_leaves(
        lambda x: fill(x, next(numbers)) if isinstance(x, ResultSlot) else x, structure
    )


def keep_numbers(operand: Any) -> Any:
    """Return the numbers of a node's operand: a copy of an array that others may write to."""
    if isinstance(operand, Value):
        return snapshot(operand)
    if not isinstance(operand, np.ndarray):
        return operand
    if not operand.flags.writeable and operand.base is None:
        return operand
    kept = operand.copy(order="K")
    kept.flags.writeable = False
    return kept


def own_array(x: Any, numbers: Sequence[Any]) -> Any:
    """Return a result as an array that shares no memory with the numbers of a node."""
    is_shared = isinstance(x, np.ndarray) and (x.base is not None or any(x is n for n in numbers))
    return x.copy() if is_shared else x
