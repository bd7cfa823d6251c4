"""Trace a function: find its program, and everything that the program depends on."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Sequence
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
from ..ir.sources import Argument, CapturedArray, HostInput
from . import numpy_calls  # noqa: F401 - implements NumPy's functions for traced arrays
from .captures import Captures
from .guards import Guards
from .naming import argument_names, collect_names, name_parameters
from .trace import Trace
from .traced_array import Traced, as_instruction

MAX_OWN_REFERENCES = 3  # to an array that only its instruction holds: that, ours, and the call's


class ResultSlot:
    """The position of an array, or of a Value, in what the function returned."""

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
    - `requires_grad`: for each Value among the results, whether it required a gradient
    - `is_differentiable`: True if results depend on Values that require a gradient and nothing is
      updated: the results are then nodes of a graph
    - `differentiable_values`: the outer Values that require a gradient
    - `counters`: integers that grow with each call: (owner, name, increment)
    - `generators`: those that it draws from
    - `hosts`: what Python computes for each step, in order
    - `created`: every traced array, with the user's line that created it
    """

    program: Program
    structure: Any
    requires_grad: list[bool]
    is_differentiable: bool
    differentiable_values: list[Value]
    guards: Guards
    counters: list[tuple[Any, str, int]]
    generators: list[np.random.Generator]
    hosts: list[HostInput]
    created: list[tuple[weakref.ref[Traced], CodeType, int]]

    def require_released(self) -> None:
        """Raise `TraceError` for the first traced array that something outside still holds."""
        if any(ref() is not None for ref, _, _ in self.created):
            gc.collect()  # what only refers to itself is no leak
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
) -> TracedFunction:
    """Run a function on traced arrays; the last of its arguments is the dict of its keywords.

    `settings` are further attributes to guard: (owner, attribute, object).
    """
    trace = Trace()
    captures = Captures(function, trace)
    labels = argument_names(parameters, args, is_dynamic)
    count = iter(range(len(labels)))

    def as_traced(x: Any) -> Any:
        if not is_dynamic(x):
            return x.value if isinstance(x, Static) else x
        position, content = next(count), unwrap(x)
        like = content if type(content) is float else np.asarray(content)
        made = trace.input(Argument(position), like, labels[position])
        if isinstance(x, Value):
            return Value(Traced(made), requires_grad=x.requires_grad)
        if type(x) is float:
            return Traced(made, kind="number")
        return Traced(made, outer_name=f"the argument {made.name!r}")

    given = tree.map_leaves(as_traced, list(args))
    token = RECORDING.set(True)  # whether a call records is asked when it is made
    try:
        with collect_names() as names:
            returned = trace.run(lambda: captures.function(*given[:-1], **given[-1]))
    except Exception as error:
        raise find_trace_error(error) from None
    finally:
        RECORDING.reset(token)
    captures.require_unmodified()
    results = [x for x in tree.leaves(returned) if isinstance(x, (Traced, Value))]
    values = [x for x in results if isinstance(x, Value)]
    updates = trace.updates()
    names.apply()
    name_parameters(captures.modules(), trace)
    guards, outer_values = Guards(), trace.leaves()
    attributes = [
        *trace.guards,
        *captures.attributes,
        *((value, "requires_grad", value.requires_grad) for value in outer_values),
        *settings,
    ]
    guards.add(captures.guards, attributes, trace.without_gradient, trace.with_gradient)
    instructions = [
        as_instruction(x._content) if isinstance(x, Value) else x.instruction for x in results
    ]
    return TracedFunction(
        program=Program(name, instructions, updates, trace.checks),
        structure=tree.map_leaves(
            lambda x: ResultSlot(type(x) is Value) if isinstance(x, (Traced, Value)) else x,
            returned,
        ),
        requires_grad=[x.requires_grad and not updates for x in values],
        is_differentiable=not updates and any(x.requires_grad for x in values),
        differentiable_values=[x for x in outer_values if x.requires_grad],
        guards=guards,
        counters=trace.counters(),
        generators=trace.generators,
        hosts=[source for source, _ in trace.inputs.values() if isinstance(source, HostInput)],
        created=trace.created,
    )


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
