"""Tracing a function: what it does to arrays, and all that this rests on."""

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
from ...core.value import Value, plain
from ...errors import TraceError
from ...support import pytree as tree
from ..ir.instruction import Instruction
from ..ir.program import Program
from ..runtime.threads import THREADS
from .captures import Captured
from .guards import Guards
from .naming import argument_names, name_parameters, watch_names
from .sources import Argument, Host
from .sources import Captured as Met
from .trace import Trace
from .traced_array import Traced, as_instruction


class Result:
    """The place of an array, or of a Value, in what the function returned."""

    def __init__(self, is_value: bool) -> None:
        self.is_value = is_value


class Static:
    """An argument that is what it is: another one makes another program."""

    def __init__(self, value: Any) -> None:
        self.value = value


@dataclass
class Recorded:
    """A traced function.

    - `structure`: what it returned, with a `Result` for each array and each Value; `required`
      says for each Value in order whether it required a gradient
    - `connected`: whether the results depend on Values that require a gradient, `sources`, and
      nothing was moved: the results are then nodes of a graph
    - `generators`: those that it draws from; `hosts`: what Python makes for each step, in order
    - `counters`: whole numbers that grow with each call: (owner, name, by how much)
    """

    program: Program
    structure: Any
    required: list[bool]
    connected: bool
    sources: list[Value]
    guards: Guards
    counters: list[tuple[Any, str, int]]
    generators: list[np.random.Generator]
    hosts: list[Host]
    made: list[tuple[weakref.ref[Traced], CodeType, int]]

    def check_released(self) -> None:
        """Raise `TraceError` for the first traced array that somebody still holds."""
        if any(ref() is not None for ref, _, _ in self.made):
            gc.collect()  # what only refers to itself is no leak
        for ref, code, line in self.made:
            kept = ref()
            if kept is None:
                continue
            owners: list[Any] = [x for x in gc.get_referrers(kept) if isinstance(x, Value)]
            holders = gc.get_referrers(*(owners or [kept]))
            kinds = {type(x).__name__ for x in holders} - {"Value", "frame", "list_iterator"}
            where = " or ".join(sorted(kinds)) or "variable"
            self.made.clear()
            raise TraceError(
                f"{code.co_filename}, line {line}, in {code.co_name}: compile: what is computed "
                f"here is kept outside of the function (in a {where}), where it has no numbers; "
                "return it instead, and keep what the compiled function returns"
            )
        self.made.clear()


def recorded(
    function: Callable[..., Any],
    name: str,
    parameters: Sequence[str],
    args: Sequence[Any],
    bound: Sequence[Value] = (),
) -> Recorded:
    """Run a function on traced arrays; the last of its arguments are its keywords.

    `bound` are Values whose numbers are given too, as a list after the keywords.
    """
    trace = Trace()
    captured = Captured(function, trace)
    labels = argument_names(parameters, args, dynamic)
    count = iter(range(len(labels)))

    def stand_in(x: Any) -> Any:
        if not dynamic(x):
            return x.value if isinstance(x, Static) else x
        position, content = next(count), plain(x)
        like = content if type(content) is float else np.asarray(content)
        made = trace.input(Argument(position), like, labels[position])
        if isinstance(x, Value):
            return Value(Traced(made), requires_grad=x.requires_grad)
        return Traced(made, place="" if type(x) is float else f"the argument {made.name!r}")

    given = tree.mapped(stand_in, list(args))
    if bound:
        trace.bind(bound, given.pop())
    token = RECORDING.set(True)  # whether a call records is asked when it is made
    try:
        with watch_names() as names:
            returned = trace.run(lambda: captured.function(*given[:-1], **given[-1]))
    except Exception as error:
        raise refusal_within(error) from None
    finally:
        RECORDING.reset(token)
    captured.check_kept()
    results = [x for x in tree.leaves(returned) if isinstance(x, (Traced, Value))]
    values = [x for x in results if isinstance(x, Value)]
    updates = trace.updates()
    names.apply()
    name_parameters(captured.modules(), trace)
    guards, seen = Guards(), trace.leaves()
    required: list[tuple[Any, str, Any]] = [
        (value, "requires_grad", value.requires_grad) for value in seen
    ]
    required.append((THREADS, "count", THREADS.count))
    attributes = [*trace.guards, *captured.objects, *required]
    guards.add(captured.guards, attributes, trace.absent, trace.present)
    instructions = [
        as_instruction(x._content) if isinstance(x, Value) else x.instruction for x in results
    ]
    return Recorded(
        Program(name, instructions, updates, trace.checks),
        tree.mapped(
            lambda x: Result(type(x) is Value) if isinstance(x, (Traced, Value)) else x, returned
        ),
        [x.requires_grad and not updates for x in values],
        not updates and any(x.requires_grad for x in values),
        [x for x in seen if x.requires_grad and not any(x is y for y in bound)],
        guards,
        trace.counters(),
        trace.generators,
        [place for place, _ in trace.inputs.values() if isinstance(place, Host)],
        trace.made,
    )


def refusal_within(error: Exception) -> Exception:
    """The refusal behind an error, where NumPy or Python has put another in its place."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, TraceError):
        inner = inner.__cause__ or inner.__context__
    return error if inner is None else inner


def dynamic(x: Any) -> bool:
    """Whether an argument's numbers may be others at the next call."""
    return type(x) is float or isinstance(x, (np.ndarray, np.generic, Value))


def with_live_arrays(program: Program) -> Program:
    """Arrays that others may write to become inputs, read anew each time."""
    met: dict[int, Instruction] = {}

    def live(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        if not x.is_constant or not isinstance(x.value, np.ndarray):
            if all(a is b for a, b in zip(inputs, x.inputs, strict=True)):
                return x
            return Instruction(x.operation, inputs, x.options, x.shape, x.dtype, x.weak, x.name)
        array = x.value
        if not array.flags.writeable and array.base is None:
            return x
        if array.base is None and sys.getrefcount(array) <= ALONE:  # made within the trace
            array.flags.writeable = False
            return x
        if id(array) not in met:
            name = x.name or "array"
            place = {"place": Met(array)}
            met[id(array)] = Instruction("input", (), place, x.shape, x.dtype, False, name)
        return met[id(array)]

    return program.rewrite(live)


ALONE = 3  # references to an array that only its instruction holds: that, ours, and the asking's
