"""A compiled form of a function: for one signature, and for the outer objects that it found."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np

from ...core.node import Node
from ...core.value import make_value
from ...errors import GraphError
from ...optim import Optimizer
from ...support import pytree as tree
from ..ir.executable import Backend, Executable
from ..ir.instruction import Instruction
from ..ir.passes import PassResult, run_passes
from ..ir.program import Program
from ..ir.sources import Argument, Attribute, HostInput, Source, StaleProgram, ValueData
from ..llvm.threads import THREADS
from ..numpy_backend.source import SourceWriter
from ..tracing.trace_function import ResultSlot, read_arrays_live, trace_function
from ..tracing.traced_array import broadcast, cast_to

UNSHARED_REFERENCES = 3  # of an array that nobody else holds: its source's, known's, getrefcount's
MAX_DRAWN_BYTES = 64 << 20  # of random draws that are made before the steps that use them


class Specialization:
    """A function traced once: its program, how to run it, and what must not change.

    - `traced`, `program`: before and after the passes of every backend, listed in `done`
    - `differentiable_values`: the Values, other than arguments, that a result may depend on
    - `inputs`, `input_sources`: the program's inputs, and where their numbers come from
    - `hosts`: what Python computes for each step, with the position of its input (-1: none)
    - `known`: for each input, the array that the executable was last given, or None
    - `fast_call`: the fast path of a call, if there is one; `Compiled` sets it
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        parameters: Sequence[str],
        args: Sequence[Any],
        backend: Backend,
    ) -> None:
        began = time.perf_counter()
        self.backward: Any = None  # the compiled backward, once it is needed
        self.fast_call: Callable[..., Any] | None = None
        self.lock = threading.RLock()
        self.thread = 0  # that runs it now
        settings = [(THREADS, "count", THREADS.count)]
        traced = trace_function(function, name, parameters, args, settings)
        traced.require_released()
        self.traced, self.guards = traced.program, traced.guards
        self.structure, self.requires_grad = traced.structure, traced.requires_grad
        self.returns_one = isinstance(traced.structure, ResultSlot)
        self.has_nested_arguments = bool(args[-1]) or any(
            isinstance(x, (list, tuple, dict)) for x in args[:-1]
        )
        self.is_differentiable = traced.is_differentiable
        self.differentiable_values = traced.differentiable_values
        self.counters, self.generators = traced.counters, traced.generators
        self.done: list[PassResult]
        self.program, self.done = run_passes(read_arrays_live(self.traced))
        inputs = self.program.inputs()
        self.input_sources = [source for source, _ in inputs]
        keys = [source.key() for source in self.input_sources]
        self.hosts = [
            (keys.index(host.key()) if host.key() in keys else -1, host) for host in traced.hosts
        ]
        self.inputs = [x for _, x in inputs]
        self.executable = self._build_executable(backend)
        self.seconds = time.perf_counter() - began

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
        self.known: list[Any] = [None] * len(self.input_sources)
        self.input_checks = [
            (self.input_sources.index(x.options["source"]), look)
            for x, look in self.program.checks
            if x.operation == "input"
        ]
        checks = [(x, look) for x, look in self.program.checks if x.operation != "input"]
        program = Program(self.program.name, results, [], checks)
        self._parts = (program, self.inputs, updates)
        executable = backend(*self._parts)
        self.own_references = UNSHARED_REFERENCES + executable.holds_inputs
        self._gather = self._compile_gather()
        return executable

    @property
    def source(self) -> str:
        """The program as Python that calls NumPy, whichever backend runs it."""
        return str(getattr(self.executable, "source", None) or SourceWriter(*self._parts).source)

    # ---- running

    def _forget_arguments(self) -> None:
        """Make the fast path pass the arguments again, since the slow path has passed others."""
        for i, source in enumerate(self.input_sources):
            if isinstance(source, Argument):
                self.known[i] = None

    def _forget_copied_inputs(self) -> None:
        """Pass the inputs again of which the executable has only copies."""
        for i in self.executable.copied_inputs:
            self.known[i] = None

    def _compile_gather(self) -> Callable[[Sequence[Any]], list[Any]]:
        """Return a function that reads all inputs."""
        space: dict[str, Any] = {"known": self.known, "accept": self._accept}
        space["references"] = sys.getrefcount
        lines, inputs = [], []
        for k, (_, host) in enumerate(self.hosts):  # in the order of the trace
            space[f"compute{k}"] = host.compute
            lines.append(f"    h{k} = compute{k}(0)")
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
                lines.append(f"        known[{i}] = None")
            lines += [f"    x{i} = {read}", f"    if x{i} is not known[{i}]:"]
            lines.append(f"        x{i} = accept({i}, x{i})")
            inputs.append(f"x{i}")
        text = "\n".join(["def gather(leaves):", *lines, f"    return [{', '.join(inputs)}]"])
        exec(compile(text, "<gather>", "exec"), space)
        return cast("Callable[[Sequence[Any]], list[Any]]", space["gather"])

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

        An array that the program updates is copied if something else may refer to it. Raises
        `StaleProgram` for another shape or dtype.
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
            keep = x.flags.c_contiguous and x.flags.aligned
            if i in self.updated:
                in_place = not self.replaces(i)
                if in_place and isinstance(source, ValueData):
                    in_place = source.value._data_shared
                if not in_place or not (x.flags.carray and x.flags.owndata):
                    x = np.array(x, like.dtype, order="C")
                source.write(x)
                x = source.read()  # an entry of a tuple cannot be replaced
                keep = True
            if keep:
                self.known[i] = x
        return x

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
            inputs = self._gather(leaves)
            for i, check in self.input_checks:
                check(inputs[i])
            with self._marked_as_running():
                found = self.executable(inputs)
            self._forget_copied_inputs()
            if self.updated_numbers or self.returned_updates or self.cleared or self.counters:
                found = list(self._commit(found, 1))
        return self.build_result(found)

    def loop(
        self, leaves: Sequence[Any], steps: int, stacked: dict[int, Any] | None = None
    ) -> list[Any]:
        """Run the program `steps` times; return what the function returns at each step, stacked.

        `stacked` has, for some arguments, the arrays of all steps along a first axis.
        """
        stacked = stacked or {}
        drawn = sum(self.inputs[i].nbytes for i, host in self.hosts if host.changes and i >= 0)
        most = max(1, MAX_DRAWN_BYTES // drawn) if drawn else max(1, steps)
        parts: list[list[Any]] = []
        with self.lock:
            self._forget_arguments()
            for first in range(0, steps, most):
                last = min(first + most, steps)
                part = {position: x[first:last] for position, x in stacked.items()}
                parts.append(self._run_chunk(leaves, last - first, part))
        if not parts:
            return [np.empty((0, *x.shape), x.dtype) for x in self.program.results]
        return parts[0] if len(parts) == 1 else list(map(np.concatenate, zip(*parts, strict=True)))

    def _run_chunk(self, leaves: Sequence[Any], steps: int, stacked: dict[int, Any]) -> list[Any]:
        """Run some steps; what Python computes for them is computed before."""
        inputs = self._gather(leaves)
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
                given[i] = stacked[source.position]
        for i, check in self.input_checks:
            for x in given.get(i, inputs[i : i + 1]):
                check(x)
        with self._marked_as_running():
            rows, carried = self.executable.loop(inputs, steps, given)
        self._forget_copied_inputs()
        self._commit([*(row[-1] for row in rows), *carried], steps)
        return [np.asarray(row) for row in rows[: len(rows) - len(self.returned_updates)]]

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

    def build_result(self, found: Sequence[Any], plain: bool = False) -> Any:
        """Return results in the structure that the function returned; plain arrays if `plain`."""

        def fill(x: Any, number: Any) -> Any:
            if plain or not x.is_value or isinstance(number, Node):
                return number
            return make_value(number, None)

        if self.returns_one:
            return fill(self.structure, found[0])
        numbers = iter(found)

        def complete(x: Any) -> Any:
            if isinstance(x, ResultSlot):
                return fill(x, next(numbers))
            return x.copy() if isinstance(x, np.ndarray) else x

        return tree.map_leaves(complete, self.structure)
