"""Trace a function: find its program, and everything that the program depends on."""

from __future__ import annotations

import functools
import gc
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from types import CodeType
from typing import Any

import numpy as np

from ...core.chain_rule import pull_back
from ...core.grad_mode import RECORDING
from ...core.graph import topological_order
from ...core.node import unwrap
from ...core.value import Value
from ...core.versions import memory_of
from ...errors import TraceError
from ...support import pytree as tree
from ..ir.instruction import Instruction
from ..ir.program import Program
from ..ir.sources import (
    Argument,
    Attribute,
    CapturedArray,
    Gradient,
    HostInput,
    Source,
    ValueData,
)
from . import numpy_calls  # noqa: F401 - implements NumPy's functions for traced arrays
from .call_stack import user_line
from .control_flow import require_closed
from .frames import LineFinder, Observer, observe
from .guards import Guards, inner_objects
from .interception import bypass_trace
from .naming import argument_names, name_parameters
from .trace import Trace
from .trace_errors import overlap, raise_trace_error, trace_error
from .traced_array import Kind, Traced, as_instruction
from .traced_graph import TracedGraph, runs_user_code

MAX_OWN_REFERENCES = 3  # to an array that only its instruction holds: that, ours, and the call's
MAX_COLLECTIONS, COLLECTION_PAUSE = 500, 0.001  # tries while another thread collects; seconds


COMPARED_TRUTH = (
    "a traced boolean may be compared by `is` here, which is unknown while tracing",
    "use it as it is, as in np.where(flag, a, b), or compare outside the compiled function",
)
SAME_OBJECTS = (
    "an array or a number from outside is compared with another name of the same object, which a "
    "trace can't tell apart",
    "compare outside the function, and pass what follows from it as a static argument",
)
SHARED_STATE = (
    "two attributes or Values share memory, and the function updates one of them",
    "let one of them be a copy, or a view that the function makes of the other",
)
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


class Identities:
    """Arguments and objects from outside that are the same object.

    - `is_shared`: one that stands for another object in the trace is given twice
    - `is_outer_shared`: such a one is the same as an object from outside, which a trace can't tell
    """

    def __init__(self, args: Sequence[Any], sources: Iterable[Source], guards: Guards) -> None:
        self._outer = [x for x in sources if not isinstance(x, (Argument, HostInput))]
        self._guards = guards.of_objects()
        self._pattern = self._find(args)
        given = list(nested_objects(args))
        count = len(given)
        read = range(count, count + len(self._outer))  # inputs of the program
        stands = {i for i, x in enumerate(given) if stands_for_another(x)}.union(read)
        groups: dict[int, list[int]] = {}
        for i, first in enumerate(self._pattern):
            groups.setdefault(first, []).append(i)
        shared = [x for x in groups.values() if len(x) > 1 and not stands.isdisjoint(x)]
        self.is_shared = any(x[1] < count for x in shared)
        self.is_outer_shared = any(x[-1] >= count for x in shared)

    def _find(self, args: Sequence[Any]) -> list[int]:
        objects = [x.value if isinstance(x, Static) else x for x in nested_objects(args)]
        objects += [source.read() for source in self._outer]
        for check in self._guards:
            objects += inner_objects(check.objects())
        first: dict[int, int] = {}
        return [first.setdefault(id(x), i) for i, x in enumerate(objects)]

    def hold(self, args: Sequence[Any]) -> bool:
        """Return True for arguments of which the same are the same object."""
        return self._find(args) == self._pattern


def stands_for_another(x: Any) -> bool:
    """Return True for an argument that is another object in the trace."""
    return isinstance(x, (list, tuple, dict)) or is_dynamic(x)


def list_arguments(args: Sequence[Any]) -> list[Any]:
    """Return arguments by position and by name, of which the dict comes last, in one list."""
    return [*args[:-1], *args[-1].values()]


def nested_objects(args: Iterable[Any]) -> Iterator[Any]:
    """Iterate over nested arguments and the lists, tuples and dicts that they are in."""
    for x in args:
        yield x
        if isinstance(x, (list, tuple, dict)):
            yield from nested_objects([*x, *x.values()] if isinstance(x, dict) else x)


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
    - `identities`: what must be the same objects as in the trace, if it compares objects
    - `late`: the inputs that it reads after an update, by the keys of their sources, with the line
    - `sources`: whatever it has read outside as an array or a number, also if only its form
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
    identities: Identities | None
    late: dict[tuple[Any, ...], tuple[CodeType, int]]
    sources: list[Source]

    def require_released(self) -> None:
        """Raise `TraceError` for the first traced array that something outside still holds."""
        # Cycles of the trace are young; a look at all objects takes long in a large process.
        for generation in range(3):
            kept_by_cycles = any(ref() is not None for ref, _, _ in self.created)
            if kept_by_cycles and not collect_garbage(generation):
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
    shared: bool = False,
) -> TracedFunction:
    """Run a function on traced arrays; the last of its arguments is the dict of its keywords.

    `settings` are further attributes to guard: (owner, attribute, object). `changed` says what
    the function is known to change: the error names the line.
    `needed` are the keys of outer arrays whose numbers it needs. If `shared`, an argument that is
    given twice is one object in the trace too.
    """
    trace = Trace(needed)
    again = functools.partial(trace_function, function, name, parameters, args, settings)
    finder = None if changed is None else LineFinder(trace, changed)
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
            memory_of(value).writable = True  # so that a write to it is seen, and refused
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
        given = map_nest(as_traced, list(args), {} if shared else None)
        captures.watch_arguments(given)
        with observe(observer, finder):
            returned = trace.run(lambda: stand_in(*given[:-1], **given[-1]))
            results = [x for x in tree.leaves(returned) if isinstance(x, RESULTS)]
            trace.run(lambda: read_rules(results, trace))
        contents = trace.run(lambda: read_contents(results))
    except Exception as error:
        if not trace.needed <= needed:
            return again(changed, needed | trace.needed, shared)
        raise trace.refusal or find_trace_error(error) from None
    finally:
        RECORDING.reset(token)
    if not trace.needed <= needed:  # and the refusal was caught
        return again(changed, needed | trace.needed, shared)
    change = changed or trace.describe_change()
    if change is not None and trace.refusal is None:
        if finder is None:  # run it once more, to find the line
            return again(change, needed, shared)
        if finder.found is None:
            raise TraceError(f"compile: {change[0]}; {change[1]}")
        trace.refuse_at(*finder.found, *change)
    if trace.refusal is not None:
        raise trace.refusal
    require_unmodified_arguments(inputs)
    trace.require_assigned()
    returned = tree.map_leaves(captures.returned, returned)
    identities = None
    compared = trace.describe_identity()
    if compared is not None:
        raise trace_error(*compared, *COMPARED_TRUTH)
    if trace.compares_at is not None:
        sources = [source for source, _ in trace.inputs.values()]
        identities = Identities(list_arguments(args), sources, guards)
        if identities.is_outer_shared:
            raise trace_error(*trace.compares_at, *SAME_OBJECTS)
        if identities.is_shared and not shared:
            return again(changed, needed, True)
    updates = trace.updates()
    read = [*map(as_instruction, contents), *(x for _, x in updates if x is not None)]
    require_closed([*read, *(x for x, _ in trace.checks)], trace.created)
    require_apart(updates, trace)
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
    traced = TracedFunction(
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
        identities=identities,
        late=trace.late,
        sources=[source for source, _ in trace.inputs.values()],
    )
    trace.release()
    return traced


def read_rules(results: Iterable[Any], trace: Trace) -> None:
    """Run the rules of the user's in the graph of results, so that what they read is guarded.

    The derivatives of a node are traced when they are first asked for, where nothing is watched.
    """
    outputs = [x for x in results if isinstance(x, Value) and x.requires_grad]
    order = topological_order(outputs, trace.since)
    if not runs_user_code(order) or any(map(is_trained, trace.updates())):
        return
    before = len(trace.inputs)
    pull_back({x: np.ones_like(x._content) for x in outputs}, since=trace.since)
    if any(isinstance(source, HostInput) for source, _ in [*trace.inputs.values()][before:]):
        raise_trace_error(
            "the rule of a derivative must not draw random numbers or call Python at each step",
            "draw in the function itself, and pass on what is drawn as a residual",
        )


def read_contents(results: Iterable[Any]) -> list[Any]:
    """Return the arrays and numbers that results hold, which can't be read for some (an error)."""
    contents = list(map(unwrap, results))
    for x in contents:
        if isinstance(x, Traced):
            as_instruction(x)
    return contents


def map_nest(change: Callable[[Any], Any], nest: Any, known: dict[int, Any] | None) -> Any:
    """Return nested arguments with other leaves; what `known` has by its identity stays one."""
    made: Any
    if type(nest) is dict:
        made = {key: map_nest(change, x, known) for key, x in nest.items()}
    elif type(nest) in {list, tuple}:
        made = type(nest)(map_nest(change, x, known) for x in nest)
    elif isinstance(nest, tuple) and hasattr(nest, "_fields"):
        made = type(nest)(*(map_nest(change, x, known) for x in nest))
    else:
        made = None if nest is None else change(nest)
    if known is None or not stands_for_another(nest):
        return made
    return known.setdefault(id(nest), made)


def require_apart(updates: Sequence[tuple[Source, Any]], trace: Trace) -> None:
    """Raise `TraceError` if the function reads what it updates under another name."""
    updated = {source.key() for source, new in updates if new is not None}
    sources = [*(source for source, _ in trace.inputs.values()), *(source for source, _ in updates)]
    state = {source.key(): source for source in sources}
    with bypass_trace():
        spans = sorted(filter(None, map(memory_span, state.values())), key=itemgetter(0))
    end, is_updated = 0, False  # of the array that reaches furthest
    for (start, after), key in spans:
        if start < end and (is_updated or key in updated):
            raise trace_error(*(trace.updated_at or user_line()), *SHARED_STATE)
        if after > end:
            end, is_updated = after, key in updated
    for source, new in updates:
        if isinstance(source, ValueData) and new is not None and trace.updated_at is not None:
            with bypass_trace():
                what = trace.guards.describe_overlap(source.read())
            if what is not None:
                raise trace_error(*trace.updated_at, *overlap(what))


def memory_span(source: Source) -> tuple[tuple[int, int], Any] | None:
    """Return where the array of a Value or an attribute begins and ends, and the source's key."""
    if not isinstance(source, (ValueData, Attribute)):
        return None
    try:
        x = source.read()
    except LookupError:  # an attribute that the function sets first
        return None
    bounds = np.lib.array_utils.byte_bounds(x) if isinstance(x, np.ndarray) and x.size else None
    return None if bounds is None else (bounds, source.key())


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
                "since a compiled program cannot; compute a new Value (x = x + 1 instead of "
                "x += 1), or use the Value from outside the function"
            )


def collect_garbage(generation: int) -> bool:
    """Free the young objects that only refer to themselves; return False if Python stays busy.

    `gc.collect()` returns 0 at once while another thread collects, or if a finalizer calls it. A
    cycle that is made before makes it return more if it has run.
    """
    for _ in range(MAX_COLLECTIONS):
        cycle: list[Any] = []
        cycle.append(cycle)
        del cycle
        if gc.collect(generation):
            return True
        time.sleep(COLLECTION_PAUSE)
    return False


def find_trace_error(error: Exception) -> Exception:
    """Return the `TraceError` behind an error that NumPy or Python has put in its place, if any."""
    inner: BaseException | None = error
    seen: set[int] = set()  # SciPy makes chains that end in themselves
    while inner is not None and id(inner) not in seen:
        if isinstance(inner, TraceError):
            return inner
        seen.add(id(inner))
        inner = inner.__cause__ or inner.__context__
    return error


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
