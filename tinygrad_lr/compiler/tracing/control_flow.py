"""scan, while_loop and cond in a trace: a body runs once, and becomes one loop.

The body runs on inputs of its own (`BodyRun`). What it computes from them is a closed program;
what it computes from other things alone happens once, outside the loop, and is one of its operands.
The graph of its Values, on the same instructions, gives the loops of derivatives (`loop_rules.py`).
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from ...core.control_flow import as_predicate, read_carry, read_step
from ...core.graph import topological_order as order_of_graph
from ...core.node import next_serial, unwrap
from ...core.value import Value
from ...errors import TraceError
from ...support import pytree as tree
from ..ir.control_flow import (
    Body,
    BodyCall,
    BodyInput,
    LoopFamily,
    make_body_input,
)
from ..ir.instruction import SERIALS, VIEWS, Instruction, replace_operands
from ..ir.passes.common_subexpressions import make_hashable
from ..ir.program import topological_order
from ..ir.sources import HostInput, Source
from .guards import root_of
from .interception import bypass_trace
from .loop_rules import TracedBranch, TracedLoop, TracedWhile
from .python_calls import Call
from .trace_errors import OWN_PACKAGES, raise_trace_error, trace_error
from .traced_array import CHECKS, Check, Traced, as_instruction, cast_to
from .traced_graph import TracedGraph

CARRY = "return it in the carry instead"
LEAVES = frozenset({"input", "constant"})
LEFT_BY_BODY = (
    "an array computed in the body of a loop or a branch must not be used outside it, or in its "
    "next step",
    "return it from the body, in the carry or as a result",
)


class Trace(Protocol):
    """What a trace must do for the bodies in it."""

    inputs: dict[tuple[Any, ...], tuple[Source, Instruction]]

    def inside_body(
        self, where: str, inputs: Sequence[Instruction]
    ) -> contextlib.AbstractContextManager[list[Check]]:
        """Refuse to change what is outside a body, for the block; collect the body's checks."""

    def active_inputs(self) -> set[Source]:
        """Return the inputs of the bodies that are running."""

    def add_host_input(self, compute: Callable[[int], Any], like: Any, label: str) -> Traced:
        """Return an input whose numbers Python computes before each step."""


class TracedControlFlow:
    """The three functions, in a trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def scan(
        self,
        f: Callable[..., Any],
        init: Any,
        start: Sequence[Any],
        xs: Any,
        slices: Sequence[Any],
        steps: int,
        reverse: bool,
    ) -> tuple[Any, Any]:
        """Return the last carry and the stacked results."""
        start, slices = list(map(strengthen, start)), list(map(strengthen, slices))
        count = len(start)

        def run(given: Sequence[Any]) -> tuple[list[Any], Any]:
            carry, x = tree.unflatten(init, given[:count]), tree.unflatten(xs, given[count:])
            carried, y = read_step(f(carry, x), init, given[:count])
            return [*carried, *tree.leaves(y)], y

        rows = [row_of(x) for x in slices]
        likes = [*(as_instruction(unwrap(x)) for x in start), *rows]
        run_, y = settle_body("scan", self.trace, f, run, likes, [*start, *slices], count)
        drawn = self._draw_for_all_steps(run_, steps, reverse)
        captured = Captured()
        loop = run_.close(f, steps, reverse, count, len(slices) + len(drawn), captured)
        found = loop.apply([*start, *slices, *drawn, *captured.operands])
        carried = tree.unflatten(init, found[:count])
        return carried, tree.unflatten(y, found[count:])

    def _draw_for_all_steps(self, run: BodyRun, steps: int, reverse: bool) -> list[Traced]:
        """Let what Python computes for a step be computed for all, in the order of the steps."""
        trace, made = self.trace, []
        rows: list[list[Any]] = []
        sources = [x.options["source"] for x in run.draws]

        def compute_all(ahead: int) -> Any:
            rows[:] = [[source.compute(ahead) for source in sources] for _ in range(steps)]
            if reverse:
                rows.reverse()
            return column(0)

        def column(position: int) -> Any:
            return np.stack([row[position] for row in rows])

        for i, x in enumerate(run.draws):
            del trace.inputs[x.options["source"].key()]
            like = np.broadcast_to(np.zeros((), x.dtype), (steps, *x.shape))
            compute = (lambda ahead, i=i: column(i)) if i else compute_all
            made.append(trace.add_host_input(compute, like, x.options["source"].label))
        return made

    def while_loop(
        self,
        cond_fun: Callable[..., Any],
        body_fun: Callable[..., Any],
        init: Any,
        start: Sequence[Any],
    ) -> Any:
        """Return what is left of the value at the end of the loop."""
        start = list(map(strengthen, start))
        count = len(start)

        def check(value: Any) -> Any:
            goes_on = as_predicate("while_loop", "cond_fun", cond_fun(value))
            return Traced(cast_to(as_instruction(unwrap(goes_on)), np.dtype(bool), False))

        def run(given: Sequence[Any]) -> tuple[list[Any], Any]:
            new = read_carry("while_loop", body_fun(tree.unflatten(init, given)), init, given)
            new = list(map(strengthen, new))
            return [*new, check(tree.unflatten(init, new))], None

        both = (cond_fun, body_fun)
        likes = [as_instruction(unwrap(x)) for x in start]
        run_, _ = settle_body("while_loop", self.trace, both, run, likes, start, count)
        run_.require_no_draws("while_loop")
        captured = Captured(stays=True)
        loop = run_.close(body_fun, 1, False, count, 0, captured)
        starts = check(tree.unflatten(init, start))
        found = TracedWhile(loop).apply([starts, *start, *captured.operands])
        return tree.unflatten(init, found)

    def cond(
        self,
        pred: Any,
        true_fun: Callable[..., Any],
        false_fun: Callable[..., Any],
        operands: Sequence[Any],
    ) -> Any:
        """Return what the branch that the predicate chooses returns."""
        chosen = as_instruction(unwrap(pred))
        if chosen.is_constant:
            return true_fun(*operands) if chosen.value else false_fun(*operands)
        runs, shown = [], []
        for f in (true_fun, false_fun):

            def run(given: Sequence[Any], f: Callable[..., Any] = f) -> tuple[list[Any], Any]:
                found = f(*operands)
                return list(tree.leaves(found)), found

            run_, found = settle_body("cond", self.trace, f, run, [], [], 0)
            run_.require_no_draws("cond")
            runs.append(run_)
            shown.append(found)
        tree.match_leaves("cond", shown[1], shown[0])
        for x, y in zip(runs[0].results, runs[1].results, strict=True):
            if (x.shape, x.dtype) != (y.shape, y.dtype):
                raise_trace_error(
                    "both branches of cond must return the same shapes and dtypes, got "
                    f"{x.dtype} {x.shape} and {y.dtype} {y.shape}",
                    "convert them with .astype() and np.broadcast_to",
                )
        captured = Captured(stays=True)
        branches = [
            run.close(f, 1, False, 0, 0, captured)
            for run, f in zip(runs, (true_fun, false_fun), strict=True)
        ]
        found = TracedBranch(branches, captured.places).apply([pred, *captured.operands])
        return tree.unflatten(shown[0], found)


def strengthen(x: Any) -> Any:
    """Return an operand whose dtype is that of an array, not of a Python number."""
    content = unwrap(x)
    if isinstance(x, Value):
        weak = isinstance(content, Traced) and content.instruction.weak
        return x * np.float64(1.0) if weak or type(content) is float else x
    made = as_instruction(x)
    return Traced(cast_to(made, made.dtype, weak=False)) if made.weak else x


def row_of(x: Any) -> Instruction:
    """Return an instruction like one slice."""
    made = as_instruction(unwrap(x))
    return Instruction("input", (), {}, made.shape[1:], made.dtype, False, made.name)


# ---- a body that runs while tracing


def kind_of(x: Any) -> int:
    """Return 0 for an array, 1 for a Value, 2 for one that requires a gradient."""
    return 1 + bool(x.requires_grad) if isinstance(x, Value) else 0


def settle_body(
    where: str,
    trace: Trace,
    f: Any,
    run: Callable[[Sequence[Any]], tuple[list[Any], Any]],
    likes: Sequence[Instruction],
    given: Sequence[Any],
    carried: int,
) -> tuple[BodyRun, Any]:
    """Run a body until what it carries stays a Value, or an array; and once more, as a second step.

    Both must compute the same: else the body has changed something that it reads.
    """
    kinds = [kind_of(x) for x in given]
    before: BodyRun | None = None
    state = outer_state(f)
    while True:
        now = BodyRun(where, trace, likes, kinds, before)
        shown = now.run(run)
        found = [kind_of(x) for x in now.found[:carried]]
        new = [*map(max, kinds, found), *kinds[carried:]]
        if before is not None and new == kinds:
            if now.code() != before.code() or outer_state(f) != state:
                raise_trace_error(
                    f"the body of {where} must not change what is outside it, or compute something "
                    "else in its second step",
                    CARRY,
                )
            return now, shown
        before = now if new == kinds else None
        if before is None:
            now.forget_draws()
        kinds = new


class BodyRun:
    """One run of a body: its inputs, its results, and what it read and drew."""

    def __init__(
        self,
        where: str,
        trace: Trace,
        likes: Sequence[Instruction],
        kinds: Sequence[int],
        before: BodyRun | None,
    ) -> None:
        self.where, self.trace, self.kinds = where, trace, kinds
        if before is not None:
            before.forget_draws()
        self.inputs = [make_body_input(x) for x in likes]
        self.draws: list[Instruction] = []

    def run(self, function: Callable[[Sequence[Any]], tuple[list[Any], Any]]) -> Any:
        """Run the body; return what shows the structure of its results."""
        trace, self.since = self.trace, next_serial()
        self.first = next(SERIALS)
        known = set(trace.inputs)
        with trace.inside_body(self.where, self.inputs) as checks:
            given = [make_given(x, kind) for x, kind in zip(self.inputs, self.kinds, strict=True)]
            self.given = [x for x in given if isinstance(x, Value)]
            found, shown = function(given)
            self.found = list(map(strengthen, found))
            self.contents = [unwrap(x) for x in self.found]
        self.results = list(map(as_instruction, self.contents))
        self.checks = list(checks)
        self.draws = [
            x
            for key, (source, x) in trace.inputs.items()
            if key not in known and isinstance(source, HostInput) and source.changes
        ]
        return shown

    def forget_draws(self) -> None:
        """Let the program make no draws for a run that isn't used."""
        for x in self.draws:
            self.trace.inputs.pop(x.options["source"].key(), None)

    def require_no_draws(self, where: str) -> None:
        """Refuse random numbers in a body that runs an unknown number of times."""
        if self.draws:
            raise_trace_error(
                f"random numbers must not be drawn in {where}, whose numbers decide what runs",
                "draw them before, or use tg.scan",
            )

    def code(self) -> list[Any]:
        """Return what the body computes, equal for equal runs."""
        return describe_code([*self.results, *(x for x, _ in self.checks)], self.own)

    @property
    def own(self) -> list[Instruction]:
        """The inputs of the body and its draws."""
        return [*self.inputs, *self.draws]

    def close(
        self,
        f: Any,
        steps: int,
        reverse: bool,
        carried: int,
        sliced: int,
        captured: Captured,
    ) -> TracedLoop:
        """Return the body as a loop: a closed program, with a graph of its own."""
        wanted = [x for x in self.found if isinstance(x, Value) and x.requires_grad]
        outer = [
            x
            for x in order_of_graph(wanted, self.since)
            if x._serial < self.since and not any(x is y for y in self.given)
        ]
        for value in outer:
            captured.add_value(value)
        inputs = {
            value: x
            for x, value in zip(
                [x for x, kind in zip(self.inputs, self.kinds, strict=True) if kind],
                self.given,
                strict=True,
            )
        }
        inputs |= {value: captured.of_values[value] for value in outer}
        with bypass_trace():
            graph = TracedGraph(wanted, inputs, self.since)
        checked = [x for x, _ in self.checks]
        roots = [*self.results, *checked, *graph.instructions]
        closed = captured.close(self.own, roots, self.trace.active_inputs(), self.first)
        count = len(self.results)
        graph.replace(closed[count + len(checked) :])
        places = captured.places
        checks = zip(closed[count : count + len(checked)], (y for _, y in self.checks), strict=True)
        name = getattr(f, "__name__", self.where)
        body = Body(name, (*self.own, *places), tuple(closed[:count]), tuple(checks))
        twins = iter(graph.outputs)
        outputs = [
            next(twins) if isinstance(x, Value) and x.requires_grad else None for x in self.found
        ]
        family = LoopFamily(body, carried, sliced, steps, reverse)
        are_values = [isinstance(x, Value) for x in self.found]
        return TracedLoop(family, graph.leaves, outputs, are_values)


def make_given(x: Instruction, kind: int) -> Any:
    """Return an input of a body, as the function gets it."""
    if kind:
        return Value(Traced(x), requires_grad=kind == 2)
    return Traced(x, kind="array" if x.shape else "scalar")


def require_closed(
    roots: Sequence[Instruction], created: Sequence[tuple[Any, types.CodeType, int]]
) -> None:
    """Raise `TraceError` if a program uses what the body of a loop has left outside it."""
    lost = {x for x in topological_order(roots) if isinstance(x.options.get("source"), BodyInput)}
    if not lost:
        return
    for ref, code, line in created:
        x = ref()
        if x is not None and not lost.isdisjoint(topological_order([x.instruction])):
            raise trace_error(code, line, *LEFT_BY_BODY)
    wrong, cure = LEFT_BY_BODY
    raise TraceError(f"compile: {wrong}; {cure}")


class Captured:
    """What bodies read from outside: operands of the loop, each with an input in the body."""

    def __init__(self, stays: bool = False) -> None:
        self.stays = stays
        self.places: list[Instruction] = []
        self.operands: list[Any] = []
        self.of_values: dict[Any, Instruction] = {}
        self._known: dict[Instruction, Instruction] = {}

    def add_value(self, value: Value) -> None:
        """Let a Value be an operand, with a gradient."""
        if value not in self.of_values:
            made = as_instruction(unwrap(value))
            self.of_values[value] = self._add(made, value)
            self._known.setdefault(made, self.of_values[value])

    def _add(self, x: Instruction, operand: Any) -> Instruction:
        place = make_body_input(x)
        self.places.append(place)
        self.operands.append(operand)
        return place

    def take(self, x: Instruction) -> Instruction:
        """Return what a body has in the place of something computed outside it."""
        if x in self._known:
            return self._known[x]
        if x.is_constant and not is_changeable(x.value):
            return x
        if x.operation in VIEWS:
            self._known[x] = replace_operands(x, [self.take(x.inputs[0])])
        else:
            self._known[x] = self._add(x, Traced(x))
        return self._known[x]

    def close(
        self,
        own: Sequence[Instruction],
        roots: Sequence[Instruction],
        active: set[Source],
        since: int,
    ) -> list[Instruction]:
        """Return the roots as they are computed from the inputs of a body alone.

        What was made before `since` is computed outside, and so is what doesn't depend on the
        body's inputs, unless `stays`: a body that may not run at all must raise no error.
        """
        order = topological_order(roots)
        inside: dict[Instruction, Instruction] = {x: x for x in (*own, *self.places)}
        for x in order:
            source = x.options.get("source")
            if isinstance(source, BodyInput) and x not in inside and source not in active:
                raise_trace_error(*LEFT_BY_BODY)
            made_here = self.stays and x.serial >= since and x.operation not in LEAVES
            if made_here or any(y in inside for y in x.inputs):
                operands = [inside[y] if y in inside else self.take(y) for y in x.inputs]
                inside[x] = replace_operands(x, operands)
        return [inside[x] if x in inside else self.take(x) for x in roots]


def is_changeable(value: Any) -> bool:
    """Return True for an array that others may write to."""
    return isinstance(value, np.ndarray) and (value.flags.writeable or value.base is not None)


def describe_code(roots: Sequence[Instruction], own: Sequence[Instruction]) -> list[Any]:
    """Return what is computed from a body's inputs and others, equal for equal programs."""
    place: dict[Instruction, Any] = {x: ("own", i) for i, x in enumerate(own)}
    code: list[Any] = []
    for x in topological_order(roots):
        if x in place:
            continue
        if x.operation == "input":
            place[x] = id(x)
        elif x.is_constant:
            place[x] = (x.dtype, x.shape, x.weak, np.asarray(x.value).tobytes())
        else:
            options = [(k, describe_option(v)) for k, v in sorted(x.options.items())]
            code.append((x.operation, [place[y] for y in x.inputs], options, x.shape, x.dtype))
            place[x] = ("step", len(code))
    return [*code, [place[x] for x in roots]]


def describe_option(option: Any) -> Any:
    """Return an option of an instruction, equal for equal ones: bodies by their code."""
    if isinstance(option, BodyCall):
        return [describe_code(x.results, x.inputs) for x in option.bodies]
    return repr(option) if isinstance(option, Call) else make_hashable(option)


def outer_state(f: Any) -> list[Any]:
    """Return what a function could change outside, as far as its closure holds it."""
    found: list[Any] = []
    waiting, seen = [f], set()
    while waiting:
        x = waiting.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, types.ModuleType):  # guards watch what is read of it
            continue
        if isinstance(x, functools.partial):
            waiting += [x.func, x.args, x.keywords]
        elif isinstance(x, types.MethodType):
            waiting += [x.__func__, x.__self__]
        elif isinstance(x, types.FunctionType):
            for cell in x.__closure__ or ():
                try:
                    content = cell.cell_contents
                except ValueError:
                    content = None
                found.append(id(content))
                waiting.append(content)
        elif isinstance(x, (list, tuple, set, frozenset)):
            inner = list(x)
            found.append([id(y) for y in inner])
            waiting += inner
        elif isinstance(x, dict):
            found.append([(id(k), id(y)) for k, y in x.items()])
            waiting += x.values()
        elif root_of(type(x)) not in OWN_PACKAGES and isinstance(
            held := getattr(x, "__dict__", None), dict
        ):
            waiting.append(held)
    return found


BODIES_OF_RULES: contextvars.ContextVar[tuple[Instruction, ...]] = contextvars.ContextVar(
    "bodies_of_rules", default=()
)
"""The inputs of the bodies that run in rules outside a trace."""


class Rules:
    """What stands for the trace where a rule runs on traced arrays outside it."""

    def __init__(self) -> None:
        self.inputs: dict[tuple[Any, ...], tuple[Source, Instruction]] = {}

    @contextlib.contextmanager
    def inside_body(self, where: str, inputs: Sequence[Instruction]) -> Iterator[list[Check]]:
        """Collect the checks of a body."""
        checks: list[Check] = []
        token, running = CHECKS.set(checks), BODIES_OF_RULES.set((*BODIES_OF_RULES.get(), *inputs))
        try:
            yield checks
        finally:
            BODIES_OF_RULES.reset(running)
            CHECKS.reset(token)

    def active_inputs(self) -> set[Source]:
        """Return the inputs of the bodies that are running."""
        return {x.options["source"] for x in BODIES_OF_RULES.get()}

    def add_host_input(self, compute: Callable[[int], Any], like: Any, label: str) -> Traced:
        """Never called: rules draw nothing."""
        raise NotImplementedError


def control_flow_of_rules(_: Traced) -> TracedControlFlow:
    """Return what takes the three functions over in rules."""
    return TracedControlFlow(Rules())


Traced.control_flow = property(control_flow_of_rules)
