"""The fast path of a call: one Python function, generated for one program.

A call of a small program spends its time in Python, checking what was checked at the last call.
The function generated here checks no more than it must, and returns `MISSED` where anything has
changed since; `Compiled.__call__` then takes the slow path. Names of the user's are objects that
the function refers to, never part of its text.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.value import make_value
from ..ir.checks import BoundCheck
from ..ir.sources import (
    Argument,
    Attribute,
    Entry,
    Gradient,
    HostInput,
    Source,
    ValueData,
)
from ..tracing.guards import GONE
from ..tracing.trace_function import ResultSlot
from .specialization import Specialization, build_result

MISSED = type("Missed", (), {})()


class FastCallWriter:
    """Writes the function's source, and collects the objects that it refers to."""

    def __init__(self, program: Specialization) -> None:
        self.program = program
        self.space: dict[str, Any] = {
            "MISSED": MISSED,
            "GONE": GONE,
            "ndarray": np.ndarray,
            "known": program.known,
            "lock": program.lock,
            "value_of": make_value,
        }
        self.lines: list[str] = []
        self.given: dict[int, str] = {}  # the expression for each input

    def name(self, prefix: str, x: Any) -> str:
        """Return a name for an object that the source refers to."""
        name = f"{prefix}{len(self.space)}"
        self.space[name] = x
        return name

    def build(self) -> Callable[..., Any]:
        """Return the function, which takes the tuple of arguments."""
        program = self.program
        arguments = len(program.argument_kinds)
        names = [f"a{k}" for k in range(arguments)]
        for position, source in enumerate(program.input_sources):
            if not isinstance(source, HostInput):
                self._pass_input(position, source)
        read = {x.position for x in program.input_sources if isinstance(x, Argument)}
        for position, kind in enumerate(program.argument_kinds):
            if position not in read:
                self._check_kind(f"a{position}", kind)
        for position, host in program.hosts:  # last: a call that is missed must not draw
            number = f"{self.name('h', host.compute)}(0)"
            if position < 0:
                self.lines.append(number)
            else:
                self.lines += program.executable.pass_number(self, position, number)
        check = program.guards.expression(self.space)
        checks = self._check_numbers()
        head = [f"if len(args) != {arguments}:", "    return MISSED"]
        head += [f"{', '.join(names)}{',' * (arguments == 1)} = args"] if names else []
        head += ["try:", f"    if not ({check}):", "        return MISSED"]
        head += ["except GONE:", "    return MISSED"]
        run = program.executable.run_lines(self)
        body = [*head, *self.lines, *checks, *run, *self._commit_lines(), self._return_line()]
        text = "\n".join(
            ["def fast_call(args):", "    with lock:", *(f"        {line}" for line in body)]
        )
        exec(compile(text, f"<fast call of {program.program.name}>", "exec"), self.space)
        # the space keeps no reference to the function, so that both are freed with the program
        made: Callable[..., Any] = self.space.pop("fast_call")
        return made

    def _pass_input(self, i: int, source: Source) -> None:
        """Add the lines that read an input and pass it to the program."""
        program, like = self.program, self.program.inputs[i]
        if isinstance(source, Argument):
            a = self.given[i] = f"a{source.position}"
            if like.weak:
                self.lines += [f"if type({a}) is not float:", "    return MISSED"]
                self.lines += program.executable.pass_number(self, i, a)
                return
            dtype, shape = self.name("d", like.dtype), repr(like.shape)
            self.lines += [
                f"if {a} is not known[{i}]:",
                f"    if type({a}) is not ndarray or {a}.shape != {shape} or {a}.dtype != {dtype}:",
                "        return MISSED",
                *self._apart_lines(i, a),
                f"    known[{i}] = {program.executable.pass_array(self, i, a)}",
                f"elif {a}.shape != {shape} or {a}.dtype is not {dtype} and {a}.dtype != {dtype}:",
                "    return MISSED",
            ]
            return
        x = self.given[i] = f"x{i}"
        if program.replaces(i):
            self.space["references"] = sys.getrefcount
            held = f"references(known[{i}]) > {program.own_references}"
            self.lines += [f"if {held}:", "    return MISSED"]
        self.lines.append(f"{x} = {self.read(source)}")
        if like.shape or isinstance(source.read(), np.ndarray):
            self.lines += [f"if {x} is not known[{i}]:", "    return MISSED"]
            return
        if like.weak:
            self.lines += [f"if type({x}) is not float:", "    return MISSED"]
        self.lines += program.executable.pass_number(self, i, x)

    def _check_kind(self, a: str, kind: Any) -> None:
        """Add the lines that check an argument which the program doesn't read."""
        if kind is float:
            self.lines += [f"if type({a}) is not float:", "    return MISSED"]
            return
        shape, dtype = kind
        wrong = f"type({a}) is not ndarray or {a}.shape != {shape!r} or {a}.dtype != "
        self.lines += [f"if {wrong}{self.name('d', dtype)}:", "    return MISSED"]

    def _apart_lines(self, i: int, a: str) -> list[str]:
        """Return the lines that refuse a new array in memory that the program updates."""
        if i not in self.program.late:
            return []
        method = weakref.WeakMethod(self.program.require_apart)  # a cycle would keep the program
        return [f"    {self.name('z', method)}()({i}, {a})"]

    def _check_numbers(self) -> list[str]:
        """Return the lines that raise what Python raises for the numbers among the arguments."""
        program, lines = self.program, []
        for i, look in program.input_checks:
            lines.append(f"{self.name('c', look)}({self.given[i]})")
        for check in program.number_checks:
            given = ", ".join(self.given[i] for i in check.positions)
            lines.append(f"{self.name('c', check)}(({given},))")
        return lines

    def read(self, source: Source) -> str:
        """Return the expression that reads a source."""
        if isinstance(source, ValueData):
            return f"{self.name('p', source.value)}._content"
        if isinstance(source, Attribute):
            held = self.name("o", vars(source.owner))
            return held + "".join(f"[{self.name('k', step)}]" for step in source.path)
        if isinstance(source, Entry):
            return f"{self.name('n', source.holder)}[{self.name('k', source.entry)}]"
        return f"{self.name('q', source)}.read()"

    def write(self, source: Source, new: str) -> str:
        """Return the line that writes to a source."""
        if isinstance(source, ValueData):
            return f"{self.name('p', source.value)}._content = {new}"
        if isinstance(source, Gradient):
            return f"{self.name('p', source.value)}._grad = {new}"
        if isinstance(source, Attribute) and not isinstance(source.holder(), tuple):
            return f"{self.read(source)} = {new}"
        return f"{self.name('q', source)}.write({new})"

    def _commit_lines(self) -> list[str]:
        program, lines = self.program, []
        for i in program.updated_numbers:
            like = program.inputs[i]
            number = program.executable.updated_number(self, i)
            new = number if like.weak else f"{self.name('t', like.dtype.type)}({number})"
            lines.append(self.write(program.input_sources[i], new))
        count = len(program.program.results)
        for k, (source, weak) in enumerate(program.returned_updates, count):
            found = program.executable.result_expression(self, k)
            lines.append(self.write(source, f"float({found})" if weak else found))
        lines += [self.write(source, "None") for source in program.cleared]
        for owner, name, increment in program.counters:
            held, key = self.name("o", vars(owner)), self.name("k", name)
            lines.append(f"{held}[{key}] += {increment}")
        return lines

    def _return_line(self) -> str:
        program = self.program
        if program.returns_one and isinstance(program.structure, ResultSlot):
            found = program.executable.result_expression(self, 0)
            if program.structure.is_view:
                found += ".copy()"
            return (
                f"return value_of({found}, None)"
                if program.structure.is_value
                else (f"return {found}")
            )
        count = len(program.program.results)
        found = ", ".join(program.executable.result_expression(self, k) for k in range(count))
        build = functools.partial(build_result, program.structure)
        return f"return {self.name('r', build)}([{found}])"


def write_fast_call(program: Specialization) -> Callable[..., Any] | None:
    """Return the fast path of a program; None if it has none."""
    if getattr(program.executable, "calls", None):
        return None  # calls of Python take longer than the slow path
    draws = any(host.changes for _, host in program.hosts)
    if draws and getattr(program.executable, "may_fail", False):
        return None  # the slow path, which raises the error, would draw again
    if program.is_differentiable or program.has_nested_arguments:
        return None
    if None in program.argument_kinds:
        return None  # an object, which is compared by its key
    if program.identities is not None or any(
        not isinstance(source, Argument)
        for check in program.number_checks
        for source in check.sources
    ):
        return None
    if any(
        program.inputs[i].shape and not isinstance(check, BoundCheck)
        for i, check in program.input_checks
    ):
        return None  # these take longer than the slow path
    sources = zip(program.inputs, program.input_sources, strict=True)
    if any(isinstance(source, HostInput) and not x.weak for x, source in sources):
        return None  # random arrays
    return FastCallWriter(program).build()
