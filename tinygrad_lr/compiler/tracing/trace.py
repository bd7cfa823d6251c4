"""The trace: all reads and writes of a function while it runs once on traced arrays."""

from __future__ import annotations

import contextlib
import contextvars
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from types import CodeType
from typing import Any

import numpy as np

from ...core.control_flow import TRACED_CONTROL_FLOW
from ...core.node import Node, next_serial
from ...core.value import Value
from ...errors import TraceError
from ...optim import Optimizer
from ..ir.instruction import WEAK_DTYPES, Instruction
from ..ir.program import topological_order
from ..ir.sources import (
    MISSING,
    Attribute,
    Entry,
    Gradient,
    HostInput,
    Source,
    StaleProgram,
    ValueData,
)
from .call_stack import user_line
from .captures import Captures, can_be_copied, is_plain_array, key_of
from .control_flow import CARRY, TracedControlFlow
from .guards import Guards, Presence, changed_variable, root_of
from .interception import RAW_SLOTS, bypass_trace, intercept
from .random_draws import TracedGenerator
from .trace_errors import OWN_PACKAGES, raise_trace_error, trace_error
from .traced_array import CHECKS, Check, Traced, as_instruction
from .traced_int import TracedInt


class RunningBody:
    """The body of a loop that runs: its inputs, and what is made in it."""

    def __init__(self, where: str, inputs: Sequence[Instruction], since: int) -> None:
        self.where, self.inputs, self.since = where, inputs, since
        self.checks: list[Check] = []
        self.created: dict[int, Traced] = {}


class StandIn:
    """The stand-in of an attribute that the function can't replace."""

    def __init__(self, x: Any) -> None:
        self.x = x


GUARDED_TYPES = (bool, int, float, str, bytes, type(None), np.dtype, type)
RATE_ATTRIBUTE = "_learning_rate"


class Trace:
    """The reads and writes of a function while it runs: its inputs, and their updates.

    - `inputs`: for each source, its instruction
    - `updates`: what the sources hold in the end, where that differs
    - `guards`: what the function read that isn't an input
    - `captures`: what stands for outer objects
    - `needed`: the keys of outer arrays whose numbers the function needs while it is traced, and
      of objects that it finds by their identity
    - `refusal`: the first `TraceError`, also if the function caught it
    - `counters`: integers that grow with each call: (owner, name, increment)
    - `created`: every traced array, with the user's line that created it
    - `compares_at`: the line at which it asks whether two objects are the same, if it does
    - `compares_truth_at`: the line at which it asks whether something is True or False by `is`
    - `truths`: the kinds of the traced booleans that it makes, "number" and "scalar"
    - `updated_at`: the line at which it first changes an array in place, if it does
    - `late`: the inputs that it reads after that, by the keys of their sources, with the line
    """

    def __init__(self, needed: Collection[tuple[Any, ...]] = ()) -> None:
        self.since = next_serial()
        self.inputs: dict[tuple[Any, ...], tuple[Source, Instruction]] = {}
        self.refusal: Exception | None = None
        self.guards = Guards(self.refuse, self.need_itself)
        self.captures = Captures(self.guards, self.input, self.trace_generator, needed)
        self.needed: set[tuple[Any, ...]] = set()
        self.generators: list[np.random.Generator] = []
        self.checks: list[Check] = []
        self._nodes: dict[tuple[int, str], tuple[Value, Any]] = {}
        self._initial_slots: dict[tuple[int, str], Any] = {}
        self._attributes: dict[tuple[int, str], tuple[Any, Any]] = {}
        self.created: list[tuple[weakref.ref[Traced], CodeType, int]] = []
        self.compares_at: tuple[CodeType, int] | None = None
        self.compares_truth_at: tuple[CodeType, int] | None = None
        self.truths: set[str] = set()
        self.updated_at: tuple[CodeType, int] | None = None
        self.late: dict[tuple[Any, ...], tuple[CodeType, int]] = {}
        self._context: contextvars.Context | None = None  # as it was, while the function runs
        self._data: list[Traced] = []  # what stands for the data of Values
        self._variable: str | None = None  # the context variable that the function has changed
        self.bodies: list[RunningBody] = []
        self._overwritten: set[int] = set()  # Values whose gradient was set before it was read
        self._reassigned = Counter[int]()  # Values whose data was set, not updated in place

    def run(self, function: Callable[[], Any]) -> Any:
        """Return what the function returns, with all reads and writes redirected to this trace."""
        token, loops = CHECKS.set(self.checks), TRACED_CONTROL_FLOW.set(TracedControlFlow(self))
        try:
            return intercept(self, lambda: self._watch_context(function))
        finally:
            CHECKS.reset(token)
            TRACED_CONTROL_FLOW.reset(loops)

    @contextlib.contextmanager
    def inside_body(self, where: str, inputs: Sequence[Instruction]) -> Iterator[list[Check]]:
        """Refuse to change what is outside a body, for the block; collect the body's checks."""
        body = RunningBody(where, inputs, next_serial())
        self.bodies.append(body)
        token = CHECKS.set(body.checks)
        try:
            yield body.checks
        finally:
            CHECKS.reset(token)
            self.bodies.pop()

    def active_inputs(self) -> set[Source]:
        """Return the inputs of the bodies that are running."""
        return {x.options["source"] for body in self.bodies for x in body.inputs}

    def require_own(self, what: str, is_own: bool) -> None:
        """Raise `TraceError` if the body of a loop changes what is outside it."""
        if self.bodies and not is_own:
            raise_trace_error(
                f"the body of {self.bodies[-1].where} must not change {what} outside it", CARRY
            )

    def _watch_context(self, function: Callable[[], Any]) -> Any:
        """Call a function; remember the context variable that it leaves with another content.

        It runs in a copy of the context, so whatever it sets is lost.
        """
        self._context = contextvars.copy_context()
        try:
            return function()
        finally:
            self._variable = self._variable or changed_variable(self._context)
            self._context = None

    def refuse(self, wrong: str, cure: str) -> None:
        """Let the trace fail at its end, with the line at which the user's function is now."""
        self.refuse_at(*user_line(), wrong, cure)

    def refuse_at(self, code: CodeType, line: int, wrong: str, cure: str) -> None:
        """Let the trace fail at its end, with a line of the user's code."""
        self.refusal = self.refusal or trace_error(code, line, wrong, cure)

    def describe_change(self) -> tuple[str, str] | None:
        """Return what the function has changed outside itself, and the cure; None if nothing.

        A program would not change it, or draw the same numbers at each call.
        """
        draw = self.guards.describe_draw()
        if draw is not None:
            return f"the function must not draw from {draw}", (
                "use a NumPy Generator (np.random.default_rng) from outside or among the "
                "arguments: the program draws from it at each step"
            )
        change = self._variable or self.captures.describe_change() or self.guards.describe_change()
        if change is None:
            return None
        return f"the function must not change {change}, since a compiled program cannot", (
            "return the result instead, or keep it in a tg.Value or in a module's buffer"
        )

    def has_changed(self, what: tuple[str, str]) -> bool:
        """Return True if the function, which still runs, has changed something by now.

        `what` is its change as it was described before; it may set other context variables for a
        while.
        """
        now = None if self._context is None else changed_variable(self._context)
        return (now is not None and now in what[0]) or self.describe_change() is not None

    def need_numbers(self, instructions: Iterable[Instruction]) -> None:
        """Remember that the function needs numbers, as far as they come from outer arrays alone.

        It is then traced again with these arrays, which become guards.
        """
        for x in instructions:
            inputs = [y for y in topological_order([x]) if y.operation == "input"]
            sources = [y.options["source"] for y in inputs]
            if all(isinstance(source, Entry) for source in sources):
                self.needed.update(source.key() for source in sources)

    def need_itself(self, x: Any) -> None:
        """Remember that code may find an object by its identity, which a copy doesn't have."""
        if can_be_copied(x):
            self.needed.add(key_of(x))

    def identity_of(self, x: Any) -> int:
        """Return the `id` of what x is outside the trace."""
        if isinstance(x, Traced) and x.outer_name and x.instruction.operation == "input":
            if isinstance(x.instruction.options["source"], Entry):
                raise_trace_error(
                    f"id() of {x.outer_name} isn't known while tracing",
                    "find it by its name or its position",
                )
            return id(x)
        outer = self.captures.outer(x)
        self.need_itself(outer)
        return id(outer)

    def note_update(self, x: Any = None) -> None:
        """Remember the line of the first update in place, of a traced array if it is given."""
        if self.bodies and x is not None:
            self.require_own("an array", id(x) in self.bodies[-1].created)
        self.updated_at = self.updated_at or user_line()

    def add_data(self, made: Traced) -> None:
        """Remember what stands for the data of a Value."""
        self._data.append(made)

    def reassignments(self, node: Node) -> int:
        """Return how often a Value's data was replaced, not updated in place."""
        return self._reassigned[id(node)]

    def require_assigned(self) -> None:
        """Raise `TraceError` if a Value's data was written to, but not assigned."""
        for made in self._data:
            if made.written_at is not None:
                code, line = made.written_at
                raise trace_error(
                    code,
                    line,
                    "the data of a Value is written to by index or under another name",
                    "assign it: data = value.data; data[0] = 1.0; value.data = data",
                )

    def note_truth(self, kind: str) -> None:
        """Remember that a traced boolean is made that is a number or a scalar."""
        self.truths.add(kind)

    def describe_identity(self) -> tuple[CodeType, int] | None:
        """Return the line at which a traced boolean may be compared by `is`; None if there is none.

        In eager code it's one of four objects: True and False, or NumPy's, which are others.
        """
        line = self.compares_truth_at if "number" in self.truths else None
        return line or (self.compares_at if "scalar" in self.truths else None)

    def note_read(self, x: Instruction) -> None:
        """Remember the line at which an input is read after an update in place."""
        if self.updated_at is not None:
            self.late.setdefault(x.options["source"].key(), user_line())

    def stand_in(self, x: Any) -> Any:
        """Return what stands for an outer object in this trace."""
        return self.captures.stand_in(x)

    def add_created(self, created: Traced, code: CodeType, line: int) -> None:
        """Remember a new traced array, and the user's line that created it."""
        self.created.append((weakref.ref(created), code, line))
        for body in self.bodies:
            body.created[id(created)] = created

    def input(self, source: Source, like: Any, name: str | None = None) -> Instruction:
        """Return the input instruction of a source, which holds something like `like`."""
        key = source.key()
        if key not in self.inputs:
            kind = type(like)
            weak = kind in WEAK_DTYPES
            dtype = WEAK_DTYPES[kind] if weak else like.dtype
            if not dtype.isnative:
                dtype = dtype.newbyteorder("=")
            shape = () if weak else like.shape
            made = Instruction("input", (), {"source": source}, shape, dtype, weak, name)
            self.inputs[key] = (source, made)
        return self.inputs[key][1]

    # ---- Values

    def get(self, node: Node, slot: str) -> Any:
        """Return the content of a Value's slot in this trace."""
        raw = RAW_SLOTS[slot].__get__(node)
        if node._serial >= self.since:
            return raw
        key = (id(node), slot)
        if key in self._nodes:
            return self._nodes[key][1]
        assert isinstance(node, Value)
        if slot == "_data_shared":
            traced: Any = False
        elif slot == "_content":
            traced = Traced(self.input(ValueData(node), raw, node.name))
        elif raw is None:
            traced = None
            self.guards.add(Presence(node, False), id(node))
        else:
            grad = raw[0] if type(raw) is tuple else raw
            self.guards.add(Presence(node, True), id(node))
            traced = (Traced(self.input(Gradient(node), grad)),)
        self._nodes[key] = (node, traced)
        self._initial_slots[key] = traced
        return traced

    def require_unwritten(self, memory: Any) -> None:
        """Refuse an outer Value that was written to: the program could not see the next write."""
        if memory.first._serial < self.since:
            self.refuse(
                "a Value that was written to by index or in place is read in a compiled function",
                "pass it as an argument, or read a copy: value = value.copy() outside",
            )

    def set(self, node: Node, slot: str, new: Any) -> None:
        """Set a Value's slot in this trace."""
        try:
            own = node._serial >= self.since
        except AttributeError:  # a Value that is being created
            own = True
        if self.bodies and slot in {"_content", "_grad"}:
            is_new = not hasattr(node, "_serial") or node._serial >= self.bodies[-1].since
            self.require_own("a Value", is_new)
        if own:
            RAW_SLOTS[slot].__set__(node, new)
            return
        assert isinstance(node, Value)
        key = (id(node), slot)
        if slot == "_grad" and key not in self._nodes:
            self._overwritten.add(id(node))
        if slot == "_data_shared":
            self._reassigned[id(node)] += 1
        if slot == "_content":
            self.note_update()
        self._nodes[key] = (node, new)

    # ---- modules and optimisers

    def get_attribute(self, owner: Any, name: str) -> Any:
        """Return an object's attribute in this trace."""
        key = (id(owner), name)
        if key in self._attributes:
            return self._attributes[key][1]
        if name == "_rate_of":
            return lambda step: self._trace_schedule(owner)
        for special in ("__class__", "__dict__"):
            self.guards.attribute(f"{type(owner).__name__}.{special}", owner, special)
        real = object.__getattribute__(owner, name)
        held = object.__getattribute__(owner, "__dict__")
        if name not in held:  # of the class: a method, or a default such as `training`
            return self._class_attribute(owner, name, real, held)
        traced = self._trace_attribute(owner, name, real, held)
        if traced is not real and not isinstance(traced, StandIn):
            self._attributes[key] = (owner, traced)
        return traced.x if isinstance(traced, StandIn) else traced

    def get_attributes(self, owner: Any) -> dict[str, Any]:
        """Return all of an object's attributes in this trace, for code that asks for its dict."""
        what, held = f"an attribute of {type(owner).__name__}", vars(owner)
        self.guards.length(what, held)
        return self.captures.watch_copy(
            what, {name: known_count(self.get_attribute(owner, name)) for name in held}
        )

    def _class_attribute(self, owner: Any, name: str, real: Any, held: dict[str, Any]) -> Any:
        self.guards.absent(f"{type(owner).__name__}.{name}", held, {name})
        for base in type(owner).__mro__:
            if name in vars(base):
                if root_of(base) in OWN_PACKAGES and not isinstance(real, GUARDED_TYPES):
                    return real
                what, x = f"{base.__name__}.{name}", vars(base)[name]
                if x is real:
                    return self.captures.take(what, vars(base), name, x, name)
                self.guards.entry(what, vars(base), name, x)
                return self.captures.stand_in(real, name)
            self.guards.entry(f"{base.__name__}.{name}", vars(base), name, MISSING)
        return real  # of __getattr__

    def _trace_attribute(self, owner: Any, name: str, real: Any, held: dict[str, Any]) -> Any:
        if name == RATE_ATTRIBUTE and isinstance(owner, Optimizer):
            return real if callable(real) else self._trace_rate(owner)
        if isinstance(owner, Optimizer) and name == "rate":
            return real
        if type(real) is int and name in {"steps", "updates"} and not hasattr(owner, "forward"):
            what = f"{type(owner).__name__}.{name}"
            return TracedInt(real, lambda value: self.guards.entry(what, held, name, value))
        if is_plain_array(real) or (isinstance(real, np.generic) and real.dtype.kind in "fiubc"):
            return Traced(self.input(Attribute(owner, (name,)), real, name))
        if isinstance(real, np.random.Generator):
            self.guards.entry(f"{type(owner).__name__}.{name}", held, name, real)
            return self.trace_generator(real)
        if isinstance(real, (list, dict)) and _holds_arrays(real):
            return self._trace_nest(owner, (name,), real)
        return StandIn(self.captures.take(f"{type(owner).__name__}.{name}", held, name, real, name))

    def _trace_nest(self, owner: Any, path: tuple[Any, ...], real: Any) -> Any:
        if isinstance(real, (list, tuple)):
            return type(real)(self._trace_nest(owner, (*path, i), x) for i, x in enumerate(real))
        if isinstance(real, dict):
            return {key: self._trace_nest(owner, (*path, key), x) for key, x in real.items()}
        if isinstance(real, (np.ndarray, np.generic, float)):
            return Traced(self.input(Attribute(owner, path), real, str(path[-1])))
        return real

    def _trace_rate(self, optimizer: Optimizer) -> Traced:
        """Return the learning rate, read again at each call."""
        attributes = vars(optimizer)

        def read(ahead: int) -> float:
            if callable(attributes[RATE_ATTRIBUTE]):
                raise StaleProgram
            return float(attributes[RATE_ATTRIBUTE])

        traced = Traced(
            self.input(HostInput(read, "learning_rate", changes=False), 1.0, "learning_rate")
        )
        self._attributes[id(optimizer), RATE_ATTRIBUTE] = (optimizer, traced)
        return traced

    def _trace_schedule(self, optimizer: Optimizer) -> Traced:
        """Return the learning rate of a schedule, computed for each step."""

        def compute(ahead: int) -> float:
            return float(type(optimizer)._rate_of(optimizer, optimizer.steps + ahead))

        return self.add_host_input(compute, 1.0, "learning_rate")

    def trace_generator(self, generator: np.random.Generator) -> TracedGenerator:
        """Return a generator whose draws are made at each step, in the order of the trace."""
        if not any(generator is known for known in self.generators):
            self.generators.append(generator)
        return TracedGenerator(lambda: generator, self.add_host_input)

    def set_attribute(self, owner: Any, name: str, new: Any) -> None:
        """Set an object's attribute in this trace."""
        self.require_own(f"{type(owner).__name__}.{name}", is_own=False)
        self._attributes[id(owner), name] = (owner, new)

    def add_host_input(self, compute: Callable[[int], Any], like: Any, label: str) -> Traced:
        """Return an input whose numbers Python computes before each step."""
        return Traced(self.input(HostInput(compute, label), like, label))

    # ---- what the function changes

    def updates(self) -> list[tuple[Source, Instruction | None]]:
        """Return what each source holds in the end (None for nothing), where it has changed.

        A gradient is kept if the function reads it before it sets it (so that it accumulates), or
        if it doesn't change the Value itself. Else an optimiser has used it up.
        """
        found: list[tuple[Source, Instruction | None]] = []
        moved = set()
        for (owner, slot), (node, now) in self._nodes.items():
            if slot == "_content":
                start = self._initial_slots.get((owner, slot))
                new = as_instruction(now)
                if start is None or new is not self._initial_instruction(start, owner):
                    moved.add(owner)
                    found.append((ValueData(node, owner in self._reassigned), new))
        for (owner, slot), (node, now) in self._nodes.items():
            if slot != "_grad":
                continue
            start = self._initial_slots.get((owner, slot))
            grad = now[0] if type(now) is tuple else now
            if grad is None:
                if start is not None or owner in self._overwritten:
                    found.append((Gradient(node), None))
            elif owner in self._overwritten and owner in moved:
                found.append((Gradient(node), None))
            elif start is None or as_instruction(grad) is not self.inputs["gradient", owner][1]:
                found.append((Gradient(node), as_instruction(grad)))
        for (_, name), (owner, now) in self._attributes.items():
            with bypass_trace():
                real = getattr(owner, name, None)
            found += self._attribute_updates(owner, (name,), real, now)
        return found

    def _initial_instruction(self, start: Traced, owner: int) -> Instruction:
        """Return the instruction that a Value began with, despite writes to its array since."""
        known = self.inputs.get(("content", owner))
        return start.instruction if known is None else known[1]

    def _attribute_updates(
        self, owner: Any, path: tuple[Any, ...], real: Any, now: Any
    ) -> list[tuple[Source, Instruction | None]]:
        """Return the updates of an attribute, or of an entry in it, that is `real` outside."""
        if isinstance(now, (TracedInt, TracedGenerator)):
            return []
        if isinstance(now, Traced):
            source = Attribute(owner, path)
            known = self.inputs.get(source.key())
            if path[-1] == RATE_ATTRIBUTE or (known is not None and known[1] is now.instruction):
                return []
            return [(source, now.instruction)]
        entries: dict[Any, Any] | None = None  # outside
        if isinstance(now, dict) and isinstance(real, dict) and now.keys() >= real.keys():
            entries = {key: real.get(key, MISSING) for key in now}
        elif any(isinstance(now, kind) and isinstance(real, kind) for kind in (list, tuple)):
            entries = dict(enumerate(real)) if len(now) == len(real) else None
        if entries is not None:
            return [
                update
                for key, old in entries.items()
                for update in self._attribute_updates(owner, (*path, key), old, now[key])
            ]
        if now is not real and not _is_equal(now, real):
            told = isinstance(now, GUARDED_TYPES)
            given = f"{now!r:.40}" if told else f"a {type(now).__name__}"
            name = f"{type(owner).__name__}.{path[0]}" + "".join(f"[{x!r}]" for x in path[1:])
            raise TraceError(
                f"compile: the function must not set {name} to {given}, "
                "since a compiled program cannot; return it, or set it outside the function"
            )
        return []

    def bind(self, values: Sequence[Value], numbers: Sequence[Traced]) -> None:
        """Let Values hold arguments of the function instead of their own data."""
        for value, number in zip(values, numbers, strict=True):
            key = (id(value), "_content")
            self._nodes[key], self._initial_slots[key] = (value, number), number

    def release(self) -> None:
        """Forget the traced arrays: the trace is part of cycles, and would keep them alive."""
        for known in (self._nodes, self._initial_slots, self._attributes):
            known.clear()
        self._data.clear()
        self.captures.release()

    def leaves(self) -> list[Value]:
        """Return the leaf Values from outside that the function used."""
        return list({id(node): node for node, _ in self._nodes.values()}.values())

    def final_slots(self) -> Iterator[tuple[Value, str, Instruction]]:
        """Iterate over what Values from outside hold in the end: (Value, slot, instruction)."""
        for (_, slot), (node, now) in self._nodes.items():
            content = now[0] if type(now) is tuple else now
            if isinstance(content, Traced):
                yield node, slot, content.instruction

    def counters(self) -> list[tuple[Any, str, int]]:
        """Return the integers that have grown, such as `steps`: (owner, name, increment)."""
        return [
            (owner, name, int(now) - int(vars(owner)[name]))
            for (_, name), (owner, now) in self._attributes.items()
            if isinstance(now, TracedInt) and now.incremented
        ]


def known_count(x: Any) -> Any:
    """Return a count as the user's code gets it; whatever else as it is."""
    return x.known() if isinstance(x, TracedInt) else x


def _holds_arrays(nest: Any) -> bool:
    """Return True if nested lists and dicts hold arrays or floats, and nothing else."""
    leaves = _leaves(nest)
    return (
        bool(leaves)
        and all(is_plain_array(x) or isinstance(x, (np.generic, float)) for x in leaves)
        and any(not isinstance(x, float) or isinstance(nest, list) for x in leaves)
    )


def _leaves(nest: Any) -> list[Any]:
    """Return the leaves of nested lists and dicts; a None is one, unlike in `pytree`."""
    if isinstance(nest, (list, tuple)):
        return [leaf for branch in nest for leaf in _leaves(branch)]
    if isinstance(nest, dict):
        return [leaf for branch in nest.values() for leaf in _leaves(branch)]
    return [nest]


def _is_equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and isinstance(a, (*GUARDED_TYPES, tuple)) and bool(a == b)
