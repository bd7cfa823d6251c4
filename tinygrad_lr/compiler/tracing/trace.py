"""The trace: a function is run once on traced arrays, and what it does becomes a program."""

from __future__ import annotations

import numbers
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import Any

import numpy as np

from ...core.node import Node, next_serial
from ...core.value import Value
from ...errors import TraceError
from ...optim import Optimizer
from ..ir.instruction import WEAK_DTYPES, Instruction
from .interception import RAW, unwatched, watched
from .random_draws import TracedGenerator
from .sources import Attribute, Changed, Content, Gradient, Host, Place
from .traced_array import CHECKS, Check, Traced, as_instruction
from .traced_int import Counted

PLAIN = (bool, int, float, str, bytes, type(None), np.dtype, type)
RATE = "_learning_rate"


class Trace:
    """What was seen while a function ran: its inputs, and what it leaves in them.

    - `inputs`: for each place, the instruction that stands for its numbers
    - `updates`: what the places hold in the end, where that differs
    - `guards`: plain Python values that the function saw: (owner, name, value)
    - `counters`: whole numbers that grow with each call: (owner, name, by how much)
    """

    def __init__(self) -> None:
        self.since = next_serial()
        self.inputs: dict[tuple[Any, ...], tuple[Place, Instruction]] = {}
        self.guards: list[tuple[Any, str, Any]] = []
        self.absent: list[Value] = []  # Values that were seen to have no gradient
        self.present: list[Value] = []  # and that were seen to have one
        self.generators: list[np.random.Generator] = []
        self.checks: list[Check] = []
        self._nodes: dict[tuple[int, str], tuple[Value, Any]] = {}
        self._started: dict[tuple[int, str], Any] = {}
        self._attributes: dict[tuple[int, str], tuple[Any, Any]] = {}
        self._began: dict[tuple[int, str], Any] = {}
        self.made: list[tuple[weakref.ref[Traced], CodeType, int]] = []
        self._forgotten: set[int] = set()  # Values whose gradient was set before it was read

    def run(self, function: Callable[[], Any]) -> Any:
        """What the function returns, everything that it holds being seen through this trace."""
        token = CHECKS.set(self.checks)
        try:
            with watched(self):
                return function()
        finally:
            CHECKS.reset(token)

    def note(self, made: Traced, code: CodeType, line: int) -> None:
        """Take note of a traced array, and of the user's line that made it."""
        self.made.append((weakref.ref(made), code, line))

    def input(self, place: Place, like: Any, name: str | None = None) -> Instruction:
        """The instruction that stands for the numbers of a place."""
        key = place.key()
        if key not in self.inputs:
            kind = type(like)
            weak = kind in WEAK_DTYPES
            dtype = WEAK_DTYPES[kind] if weak else like.dtype
            if not dtype.isnative:
                dtype = dtype.newbyteorder("=")
            shape = () if weak else like.shape
            made = Instruction("input", (), {"place": place}, shape, dtype, weak, name)
            self.inputs[key] = (place, made)
        return self.inputs[key][1]

    # ---- Values

    def get(self, node: Node, slot: str) -> Any:
        """What a slot holds, in this trace."""
        raw = RAW[slot].__get__(node)
        if node._serial >= self.since or node._record is not None:
            return raw
        key = (id(node), slot)
        if key in self._nodes:
            return self._nodes[key][1]
        assert isinstance(node, Value)
        if slot == "_data_shared":
            seen: Any = False
        elif slot == "_content":
            seen = Traced(self.input(Content(node), raw, node.name))
        elif raw is None:
            seen = None
            self.absent.append(node)
        else:
            grad = raw[0] if type(raw) is tuple else raw
            self.present.append(node)
            traced = Traced(self.input(Gradient(node), grad))
            seen = (traced,)
        self._nodes[key] = (node, seen)
        self._started[key] = seen
        return seen

    def set(self, node: Node, slot: str, new: Any) -> None:
        """Let a slot hold something else, in this trace."""
        try:
            own = node._serial >= self.since or node._record is not None
        except AttributeError:  # a Value that is being made
            own = True
        if own:
            RAW[slot].__set__(node, new)
            return
        assert isinstance(node, Value)
        key = (id(node), slot)
        if slot == "_grad" and key not in self._nodes:
            self._forgotten.add(id(node))
        self._nodes[key] = (node, new)

    # ---- modules and optimisers

    def get_attribute(self, owner: Any, name: str) -> Any:
        """What an attribute is, in this trace."""
        key = (id(owner), name)
        if key in self._attributes:
            return self._attributes[key][1]
        if name == "_rate_of":
            return lambda step: self._rate(owner, 0)
        real = object.__getattribute__(owner, name)
        held = object.__getattribute__(owner, "__dict__")
        if name not in held:  # of the class: a method, or a default such as `training`
            if isinstance(real, PLAIN) and not isinstance(real, type):
                self.guards.append((owner, name, real))
            return real
        seen = self._seen(owner, name, real)
        if seen is not real:
            self._attributes[key] = (owner, seen)
            self._began[key] = _copied(seen)
        return seen

    def _seen(self, owner: Any, name: str, real: Any) -> Any:
        if name == RATE and isinstance(owner, Optimizer):
            return real if callable(real) else self._rate(owner, None)
        if isinstance(owner, Optimizer) and name == "rate":
            return real
        if type(real) is int and name in {"steps", "updates"} and not hasattr(owner, "forward"):
            return Counted(real, lambda value: self.guards.append((owner, name, value)))
        if isinstance(real, (np.ndarray, np.generic)) and real.dtype.kind in "fiub":
            return Traced(self.input(Attribute(owner, (name,)), real, name))
        if isinstance(real, np.random.Generator):
            return TracedGenerator(real, self)
        if isinstance(real, (list, dict)) and _holds_arrays(real):
            return self._nested(owner, (name,), real)
        if _is_plain(real):
            self.guards.append((owner, name, real))
        return real

    def _nested(self, owner: Any, path: tuple[Any, ...], real: Any) -> Any:
        if isinstance(real, (list, tuple)):
            return type(real)(self._nested(owner, (*path, i), x) for i, x in enumerate(real))
        if isinstance(real, dict):
            return {key: self._nested(owner, (*path, key), x) for key, x in real.items()}
        if isinstance(real, (np.ndarray, np.generic, float)):
            return Traced(self.input(Attribute(owner, path), real, str(path[-1])))
        return real

    def _rate(self, optimizer: Optimizer, step: int | None) -> Traced:
        """The learning rate of the next step, as Python finds it when the program runs."""
        key = (id(optimizer), RATE)
        if step is None:
            held = vars(optimizer)

            def present(ahead: int) -> float:
                if callable(held[RATE]):
                    raise Changed
                return float(held[RATE])

            place = Host(present, "learning_rate", changes=False)
        else:
            whole = optimizer

            def now(ahead: int) -> float:
                return float(type(whole)._rate_of(whole, whole.steps + ahead))

            place = Host(now, "learning_rate")
        seen = Traced(self.input(place, 1.0, "learning_rate"))
        if step is None:
            self._attributes[key] = (optimizer, seen)
            self._began[key] = seen
        return seen

    def set_attribute(self, owner: Any, name: str, new: Any) -> None:
        """Let an attribute be something else, in this trace."""
        self._attributes[id(owner), name] = (owner, new)

    def host(self, make: Callable[[int], Any], like: Any, label: str) -> Traced:
        """Numbers that Python makes before each step."""
        return Traced(self.input(Host(make, label), like, label))

    # ---- what the function leaves behind

    def updates(self) -> list[tuple[Place, Instruction | None]]:
        """What the places hold in the end, None for nothing, where that is not what they held.

        Gradients are kept if the function reads them before it sets them (so that they add up),
        or leaves the Value itself alone; else they were only a means.
        """
        found: list[tuple[Place, Instruction | None]] = []
        moved = set()
        for (owner, slot), (node, now) in self._nodes.items():
            if slot == "_content":
                start = self._started.get((owner, slot))
                new = as_instruction(now)
                if start is None or new is not self._first(start, owner):
                    moved.add(owner)
                    found.append((Content(node), new))
        for (owner, slot), (node, now) in self._nodes.items():
            if slot != "_grad":
                continue
            start = self._started.get((owner, slot))
            grad = now[0] if type(now) is tuple else now
            if grad is None:
                if start is not None or owner in self._forgotten:
                    found.append((Gradient(node), None))
            elif owner in self._forgotten and owner in moved:
                found.append((Gradient(node), None))
            elif start is None or as_instruction(grad) is not self.inputs["gradient", owner][1]:
                found.append((Gradient(node), as_instruction(grad)))
        for key, (owner, now) in self._attributes.items():
            found += self._changed(owner, (key[1],), self._began.get(key), now)
        return found

    def _first(self, start: Traced, owner: int) -> Instruction:
        """The instruction with which a Value began, whatever its array was changed into since."""
        known = self.inputs.get(("content", owner))
        return start.instruction if known is None else known[1]

    def _changed(
        self, owner: Any, path: tuple[Any, ...], before: Any, now: Any
    ) -> list[tuple[Place, Instruction | None]]:
        if isinstance(now, (Counted, TracedGenerator)):
            return []
        if isinstance(now, (list, tuple)):
            befores = before if isinstance(before, (list, tuple)) else [None] * len(now)
            pairs = zip(befores, now, strict=True) if len(befores) == len(now) else ()
            return [
                x
                for i, (old, new) in enumerate(pairs)
                for x in self._changed(owner, (*path, i), old, new)
            ]
        if isinstance(now, dict):
            return [
                x
                for key, new in now.items()
                for x in self._changed(
                    owner, (*path, key), before.get(key) if isinstance(before, dict) else None, new
                )
            ]
        if isinstance(now, Traced):
            place = Attribute(owner, path)
            known = self.inputs.get(place.key())
            if path[-1] == RATE or (known is not None and known[1] is now.instruction):
                return []
            return [(place, now.instruction)]
        with unwatched():
            real = vars(owner).get(path[0])
        if len(path) == 1 and now is not real and not _same(now, real):
            kept = "a Value" if isinstance(now, Value) else f"{now!r:.40}"
            raise TraceError(
                f"compile: {type(owner).__name__}.{path[0]} is set to {kept} while the function "
                "runs, which a compiled program cannot do; return it instead, or set it outside"
            )
        return []

    def bind(self, values: Sequence[Value], numbers: Sequence[Traced]) -> None:
        """Let Values hold numbers that the function is given, in the place of their own."""
        for value, number in zip(values, numbers, strict=True):
            key = (id(value), "_content")
            self._nodes[key], self._started[key] = (value, number), number

    def leaves(self) -> list[Value]:
        """The leaf Values that were seen, of those that were there before."""
        return list({id(node): node for node, _ in self._nodes.values()}.values())

    def held(self) -> Iterator[tuple[Value, str, Instruction]]:
        """What Values that were there before hold in the end: numbers and gradients."""
        for (_, slot), (node, now) in self._nodes.items():
            content = now[0] if type(now) is tuple else now
            if isinstance(content, Traced):
                yield node, slot, content.instruction

    def release(self) -> None:
        """Forget what was seen, so that no graph stays alive."""
        for held in (self._nodes, self._started, self._attributes, self._began):
            held.clear()

    def counters(self) -> list[tuple[Any, str, int]]:
        """Whole numbers that have grown: optimisers' steps."""
        return [
            (owner, name, int(now) - int(vars(owner)[name]))
            for (_, name), (owner, now) in self._attributes.items()
            if isinstance(now, Counted) and now.grown
        ]


def _copied(nest: Any) -> Any:
    """A copy of nested lists and dicts, which may be changed while the original is compared."""
    if isinstance(nest, list):
        return [_copied(x) for x in nest]
    return {k: _copied(x) for k, x in nest.items()} if isinstance(nest, dict) else nest


def _holds_arrays(nest: Any) -> bool:
    """Whether nested lists and dicts hold arrays or floats, and nothing but such."""
    leaves = _leaves_of(nest)
    kinds = (np.ndarray, np.generic, float)
    return (
        bool(leaves)
        and all(isinstance(x, kinds) for x in leaves)
        and any(not isinstance(x, float) or isinstance(nest, list) for x in leaves)
    )


def _leaves_of(nest: Any) -> list[Any]:
    if isinstance(nest, (list, tuple)):
        return [leaf for branch in nest for leaf in _leaves_of(branch)]
    if isinstance(nest, dict):
        return [leaf for branch in nest.values() for leaf in _leaves_of(branch)]
    return [nest]


def _is_plain(x: Any) -> bool:
    if isinstance(x, tuple):
        return all(map(_is_plain, x))
    return isinstance(x, (*PLAIN, numbers.Number, Value, list, dict)) or callable(x)


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and isinstance(a, (*PLAIN, tuple)) and bool(a == b)
