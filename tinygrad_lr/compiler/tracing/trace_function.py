"""Trace a function: find its program, and everything that the program depends on."""

from __future__ import annotations

import gc
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

import numpy as np

from ...core.grad_mode import RECORDING
from ...core.node import unwrap
from ...core.value import Value
from ...errors import TraceError
from ...support import pytree as tree
from ..ir.instruction import Instruction
from ..ir.program import Program
from ..ir.sources import Argument, CapturedArray, Gradient, HostInput, Source, ValueData
from . import numpy_calls  # noqa: F401 - implements NumPy's functions for traced arrays
from .frames import LineFinder, Observer, observe
from .guards import Guards
from .naming import argument_names, name_parameters
from .trace import Trace
from .traced_array import Kind, Traced, as_instruction
from .traced_graph import TracedGraph

MAX_OWN_REFERENCES = 3  # to an array that only its instruction holds: that, ours, and the call's
MAX_COLLECTIONS, COLLECTION_PAUSE = 500, 0.001  # tries while another thread collects; seconds


RESULTS = (Traced, Value, np.ndarray)


class ResultSlot:
    """The position of an array, or of a Value, in what the function returned.

    `is_view` is True for a Value that may share memory with an input of the program.
    """

    is_view: bool = False

    def __init__(self, is_value: bool) -> None:
        self.is_value = is_value


class Static:
    """A static argument: another value needs another program."""

    def __init__(self, value: Any) -> None:
        self.value = value


@dataclass
class TracedFunction:
    """A traced function.

    - `structure`: what it returned, with a `ResultSlot` for each array and each Value
    - `requires_grad`: for each result, True if it is a Value that depends on Values that require a
      gradient; False in a training step, which updates such Values
    - `graph`: the graph of the results that require a gradient
    - `counters`: integers that grow with each call: (owner, name, increment)
    - `generators`: those that it draws from
    - `hosts`: what Python computes for each step, in order
    - `created`: every traced array, with the user's line that created it
    """

    program: Program
    structure: Any
    requires_grad: list[bool]
    graph: TracedGraph
    guards: Guards
    counters: list[tuple[Any, str, int]]
    generators: list[np.random.Generator]
    hosts: list[HostInput]
    created: list[tuple[weakref.ref[Traced], CodeType, int]]

    def require_released(self) -> None:
        """Raise `TraceError` for the first traced array that something outside still holds."""
        kept_by_cycles = any(ref() is not None for ref, _, _ in self.created)
        if kept_by_cycles and not collect_garbage():
            self.created.clear()
        for ref, code, line in self.created:
            kept = ref()
            if kept is None:
                continue
            owners: list[Any] = [x for x in gc.get_referrers(kept) if isinstance(x, Value)]
            holders = gc.get_referrers(*(owners or [kept]))
            kinds = {type(x).__name__ for x in holders} - {"Value", "frame", "list_iterator"}
            where = " or ".join(sorted(kinds)) or "variable"
            self.created.clear()
            raise TraceError(
                f"{code.co_filename}, line {line}, in {code.co_name}: compile: the array computed "
                f"here must not be stored outside the function (a {where} still refers to it), "
                "since its values are unknown while tracing; return it, and store what the "
                "compiled function returns"
            )
        self.created.clear()


def trace_function(
    function: Callable[..., Any],
    name: str,
    parameters: Sequence[str],
    args: Sequence[Any],
    settings: Sequence[tuple[Any, str, Any]] = (),
    changed: tuple[str, str] | None = None,
    needed: frozenset[tuple[Any, ...]] = frozenset(),
) -> TracedFunction:
    """Run a function on traced arrays; the last of its arguments is the dict of its keywords.

    `settings` are further attributes to guard: (owner, attribute, object). `changed` says what
    the function is known to change: the error names the line.
    `needed` are the keys of outer arrays whose numbers it needs.
    """
    trace = Trace(needed)
    finder = None if changed is None else LineFinder(trace)
    captures, guards = trace.captures, trace.guards
    for owner, attribute, _ in settings:
        guards.attribute(f"{type(owner).__name__}.{attribute}", owner, attribute)
    labels = argument_names(parameters, args, is_dynamic)
    count = iter(range(len(labels)))
    inputs: dict[Value, Instruction] = {}  # those that Values hold

    def as_traced(x: Any) -> Any:
        if not is_dynamic(x):
            return captures.stand_in(x.value if isinstance(x, Static) else x, "an argument")
        position, content = next(count), unwrap(x)
        like = content if type(content) is float else np.asarray(content)
        made = trace.input(Argument(position), like, labels[position])
        if isinstance(x, Value):
            value = Value(Traced(made), requires_grad=x.requires_grad)
            inputs[value] = made
            return value
        if type(x) is float:
            return Traced(made, kind="number")
        kind: Kind = "scalar" if isinstance(x, np.generic) else "array"
        return Traced(made, kind=kind, outer_name=f"the argument {made.name!r}")

    observer = Observer(trace)
    token = RECORDING.set(True)  # whether a call records is asked when it is made
    try:
        stand_in = captures.stand_in(function, name)
        given = tree.map_leaves(as_traced, list(args))
        with observe(observer, finder):
            returned = trace.run(lambda: stand_in(*given[:-1], **given[-1]))
        results = [x for x in tree.leaves(returned) if isinstance(x, RESULTS)]
        contents = trace.run(lambda: list(map(unwrap, results)))
    except Exception as error:
        if not trace.needed <= needed:
            return trace_function(
                function, name, parameters, args, settings, changed, needed | trace.needed
            )
        raise trace.refusal or find_trace_error(error) from None
    finally:
        RECORDING.reset(token)
    if not trace.needed <= needed:  # and the refusal was caught
        needed |= trace.needed
        return trace_function(function, name, parameters, args, settings, changed, needed)
    change = changed or trace.describe_change()
    if change is not None and trace.refusal is None:
        if finder is None:  # run it once more, to find the line
            return trace_function(function, name, parameters, args, settings, change, needed)
        if finder.found is None:
            raise TraceError(f"compile: {change[0]}; {change[1]}")
        trace.refuse_at(*finder.found, *change)
    if trace.refusal is not None:
        raise trace.refusal
    require_unmodified_arguments(inputs)
    returned = tree.map_leaves(captures.returned, returned)
    updates = trace.updates()
    is_step = any(map(is_trained, updates))
    requires_grad = [isinstance(x, Value) and x.requires_grad and not is_step for x in results]
    observer.name_instructions()
    name_parameters(captures.models, trace)
    outer_values = trace.leaves()
    for value in outer_values:
        guards.attribute("Value.requires_grad", value, "requires_grad")
        if guards.reads("name"):
            guards.attribute("Value.name", value, "name")
        source = ValueData(value).key()
        if source in trace.inputs:
            inputs[value] = trace.inputs[source][1]
    guards.compile()
    outputs: Any = [x for x, needed in zip(results, requires_grad, strict=True) if needed]
    return TracedFunction(
        program=Program(name, list(map(as_instruction, contents)), updates, trace.checks),
        structure=tree.map_leaves(
            lambda x: ResultSlot(isinstance(x, Value)) if isinstance(x, RESULTS) else x,
            returned,
        ),
        requires_grad=requires_grad,
        graph=TracedGraph(outputs, inputs, trace.since),
        guards=guards,
        counters=trace.counters(),
        generators=trace.generators,
        hosts=[source for source, _ in trace.inputs.values() if isinstance(source, HostInput)],
        created=trace.created,
    )


def is_trained(update: tuple[Source, Instruction | None]) -> bool:
    """Return True for an update that trains a Value: of its data, or of its gradient."""
    source, new = update
    if not isinstance(source, (ValueData, Gradient)):
        return False
    return source.value.requires_grad and new is not None


def require_unmodified_arguments(inputs: Mapping[Value, Instruction]) -> None:
    """Raise `TraceError` if the function has changed a Value that it was called with."""
    for value, x in inputs.items():
        changed = "data" if as_instruction(value._content) is not x else "gradient"
        if changed == "data" or value._grad is not None:
            raise TraceError(
                f"compile: the function must not set the {changed} of its argument {x.name!r}, "
                "since a compiled program cannot; use the Value from outside the function, or pass "
                "an array"
            )


def collect_garbage() -> bool:
    """Free what only refers to itself; return False if the collector stays busy.

    `gc.collect()` returns 0 at once while another thread collects, or if a finalizer calls it. A
    cycle that is made before makes it return more if it has run.
    """
    for _ in range(MAX_COLLECTIONS):
        cycle: list[Any] = []
        cycle.append(cycle)
        del cycle
        if gc.collect():
            return True
        time.sleep(COLLECTION_PAUSE)
    return False


def find_trace_error(error: Exception) -> Exception:
    """Return the `TraceError` behind an error that NumPy or Python has put in its place, if any."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, TraceError):
        inner = inner.__cause__ or inner.__context__
    return error if inner is None else inner


def is_dynamic(x: Any) -> bool:
    """Return True if an argument's numbers may change from call to call."""
    return type(x) is float or isinstance(x, (np.ndarray, np.generic, Value))


def read_arrays_live(program: Program) -> Program:
    """Turn constant arrays that others may write to into inputs, which are read at each call."""
    inputs_of: dict[int, Instruction] = {}

    def change(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        if not x.is_constant or not isinstance(x.value, np.ndarray):
            if all(a is b for a, b in zip(inputs, x.inputs, strict=True)):
                return x
            return Instruction(x.operation, inputs, x.options, x.shape, x.dtype, x.weak, x.name)
        array = x.value
        if not array.flags.writeable and array.base is None:
            return x
        if array.base is None and sys.getrefcount(array) <= MAX_OWN_REFERENCES:
            array.flags.writeable = False  # created during the trace
            return x
        if id(array) not in inputs_of:
            name = x.name or "array"
            source = {"source": CapturedArray(array)}
            inputs_of[id(array)] = Instruction("input", (), source, x.shape, x.dtype, False, name)
        return inputs_of[id(array)]

    return program.rewrite(change)
