"""The quick way through a call: one Python function, written for one program.

A call of a small program spends its time in Python, asking again what was asked at the last call.
The function written here asks no more than it must, line by line, and gives up (`MISSED`) where
anything is not as it was; the long way then finds out what to do.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.value import result
from ..tracing.sources import Argument, Attribute, Content, Gradient, Host, Name
from ..tracing.trace_function import Result

if TYPE_CHECKING:
    from .specialization import Specialization

MISSED = type("Missed", (), {})()
CELLS = {
    np.dtype(np.float64): ctypes.c_double,
    np.dtype(np.float32): ctypes.c_float,
    np.dtype(np.int64): ctypes.c_int64,
}


class Writing:
    """The text of the function, and what it refers to."""

    def __init__(self, program: Specialization) -> None:
        self.program = program
        self.space: dict[str, Any] = {
            "MISSED": MISSED,
            "ndarray": np.ndarray,
            "known": program.known,
            "lock": program.lock,
            "value_of": result,
        }
        self.lines: list[str] = []
        self.given: dict[int, str] = {}  # the expression for each input

    def name(self, prefix: str, x: Any) -> str:
        """A name for an object that the text refers to."""
        name = f"{prefix}{len(self.space)}"
        self.space[name] = x
        return name

    def written(self) -> Callable[..., Any]:
        """The function of the tuple of arguments."""
        program = self.program
        arguments = max(
            (p.position + 1 for p in program.places if isinstance(p, Argument)), default=0
        )
        names = [f"a{k}" for k in range(arguments)]
        for position, host in program.hosts:  # in the order in which the function asks
            number = f"{self.name('h', host.make)}(0)"
            if position < 0:
                self.lines.append(number)
            else:
                self.lines += program.executable.set_number(self, position, number)
        for position, place in enumerate(program.places):
            if not isinstance(place, Host):
                self._input(position, place)
        check = program.guards.expression(self.space)
        head = [f"if len(args) != {arguments}:", "    return MISSED"]
        head += [f"{', '.join(names)}{',' * (arguments == 1)} = args"] if names else []
        head += [f"if not ({check}):", "    return MISSED"]
        run = program.executable.quick(self)
        body = [*head, *self.lines, *run, *self._settled(), self._returned()]
        text = "\n".join(
            ["def quick(args):", "    with lock:", *(f"        {line}" for line in body)]
        )
        exec(compile(text, f"<quick way through {program.program.name}>", "exec"), self.space)
        made: Callable[..., Any] = self.space["quick"]
        return made

    def _input(self, i: int, place: Any) -> None:
        """The lines that find the numbers of an input, and give them to the program."""
        program, like = self.program, self.program.inputs[i]
        if isinstance(place, Argument):
            a = self.given[i] = f"a{place.position}"
            if like.weak:
                self.lines += [f"if type({a}) is not float:", "    return MISSED"]
                self.lines += program.executable.set_number(self, i, a)
                return
            dtype, shape = self.name("d", like.dtype), repr(like.shape)
            self.lines += [
                f"if {a} is not known[{i}]:",
                f"    if type({a}) is not ndarray or {a}.shape != {shape} or {a}.dtype != {dtype}:",
                "        return MISSED",
                f"    known[{i}] = {program.executable.set_array(self, i, a)}",
                f"elif {a}.shape != {shape}:",
                "    return MISSED",
            ]
            return
        x = self.given[i] = f"x{i}"
        self.lines.append(f"{x} = {self.read(place)}")
        if like.shape or isinstance(place.read(), np.ndarray):
            self.lines += [f"if {x} is not known[{i}]:", "    return MISSED"]
            return
        if like.weak:
            self.lines += [f"if type({x}) is not float:", "    return MISSED"]
        self.lines += program.executable.set_number(self, i, x)

    def read(self, place: Any) -> str:
        """The expression that reads a place."""
        if isinstance(place, Content):
            return f"{self.name('p', place.value)}._content"
        if isinstance(place, Attribute):
            return self.name("o", vars(place.owner)) + "".join(f"[{s!r}]" for s in place.path)
        if isinstance(place, Name):
            return f"{self.name('n', place.names)}[{place.name!r}]"
        return f"{self.name('q', place)}.read()"

    def write(self, place: Any, new: str) -> str:
        """The line that puts something in a place."""
        if isinstance(place, Content):
            return f"{self.name('p', place.value)}._content = {new}"
        if isinstance(place, Gradient):
            return f"{self.name('p', place.value)}._grad = {new}"
        if isinstance(place, Attribute):
            return f"{self.read(place)} = {new}"
        return f"{self.name('q', place)}.write({new})"

    def _settled(self) -> list[str]:
        program, lines = self.program, []
        for i in program.numbers:
            like = program.inputs[i]
            number = program.executable.moved_number(self, i)
            kept = number if like.weak else f"{self.name('t', like.dtype.type)}({number})"
            lines.append(self.write(program.places[i], kept))
        count = len(program.program.results)
        for k, (place, weak) in enumerate(program.returned, count):
            found = program.executable.found(self, k)
            lines.append(self.write(place, f"float({found})" if weak else found))
        lines += [self.write(place, "None") for place in program.cleared]
        for owner, name, by in program.counters:
            lines.append(f"{self.name('c', owner)}.{name} += {by}")
        return lines

    def _returned(self) -> str:
        program = self.program
        if program.single and isinstance(program.structure, Result):
            found = program.executable.found(self, 0)
            return (
                f"return value_of({found}, None)"
                if program.structure.is_value
                else (f"return {found}")
            )
        count = len(program.program.results)
        found = ", ".join(program.executable.found(self, k) for k in range(count))
        return f"return {self.name('r', program.result)}([{found}])"


def quick_way(program: Specialization) -> Callable[..., Any] | None:
    """The quick way through a program; None where there is none."""
    plain = all(
        isinstance(place, (Argument, Content, Gradient, Attribute, Name, Host))
        or place.key()[0] == "captured"
        for place in program.places
    )
    hosts = all(program.inputs[i].weak for i, p in enumerate(program.places) if isinstance(p, Host))
    nested = any(program.nested)
    if getattr(program.executable, "calls", None):
        return None  # calls of Python take longer than the long way
    if program.connected or program.checks or nested or not (plain and hosts):
        return None
    return Writing(program).written()
