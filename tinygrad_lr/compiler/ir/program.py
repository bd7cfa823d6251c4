"""Programs: the graph of instructions behind a function's results, updates and checks."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from .instruction import Instruction
from .sources import Source

Item = TypeVar("Item")


@dataclass
class Program:
    """A traced function as a graph of instructions.

    - `results`: the leaves of what the function returned, in order
    - `updates`: the sources that it writes to, each with its new value (None clears the source)
    - `checks`: values that a Python function inspects before anything is written
    """

    name: str
    results: list[Instruction]
    updates: list[tuple[Source, Instruction | None]] = field(default_factory=list)
    checks: list[tuple[Instruction, Callable[[object], object]]] = field(default_factory=list)

    @property
    def roots(self) -> list[Instruction]:
        """The instructions that the program is run for."""
        checked = [x for x, _ in self.checks]
        return [*self.results, *(x for _, x in self.updates if x is not None), *checked]

    def instructions(self) -> list[Instruction]:
        """Return everything that the roots depend on, operands first, with inputs and constants."""
        return topological_order(self.roots)

    def inputs(self) -> list[tuple[Source, Instruction]]:
        """Return the sources that the program reads, each with its input instruction."""
        inputs = [x for x in self.instructions() if x.operation == "input"]
        return [(x.options["source"], x) for x in inputs]

    def rewrite(
        self, change: Callable[[Instruction, Sequence[Instruction]], Instruction]
    ) -> Program:
        """Return the program with each instruction replaced by `change(x, new operands)`.

        Operands are replaced first. A replacement without a name takes over the name of x.
        """
        new: dict[Instruction, Instruction] = {}
        for x in self.instructions():
            inputs = [new[y] for y in x.inputs]
            replacement = change(x, inputs)
            if replacement.name is None and x.name is not None and not replacement.is_constant:
                replacement.name = x.name
            new[x] = replacement
        return replace(
            self,
            results=[new[x] for x in self.results],
            updates=[(source, None if x is None else new[x]) for source, x in self.updates],
            checks=[(new[x], look) for x, look in self.checks],
        )

    def names(self) -> dict[Instruction, str]:
        """Return a unique Python identifier for every instruction, none of them a builtin."""
        names: dict[Instruction, str] = {}
        taken = {"np", "self", "float", "int", "bool", "buffers", "constants", "functions"}
        for x in self.instructions():
            names[x] = unique_name(make_identifier(x.name or x.operation), taken)
        return names

    def __str__(self) -> str:
        names = self.names()
        lines = []
        for x in self.instructions():
            if x.is_constant and not x.shape:
                continue
            kind = f"{x.dtype}{list(x.shape)}" if not x.weak else "number"
            if x.operation == "input":
                lines.append(f"{names[x]}: {kind} = input")
                continue
            inputs = [format_operand(y, names) for y in x.inputs]
            options = [
                f"{key}={_shorten(option)}"
                for key, option in x.options.items()
                if option is not None and key != "likes"
            ]
            lines.append(f"{names[x]}: {kind} = {x.operation} {', '.join([*inputs, *options])}")
        for source, new in self.updates:
            what = "nothing" if new is None else format_operand(new, names)
            lines.append(f"{describe_source(source, names, self)} <- {what}")
        lines.append("return " + ", ".join(format_operand(x, names) for x in self.results))
        return "\n".join(lines)


def format_operand(x: Instruction, names: dict[Instruction, str]) -> str:
    """Return an operand as the listing shows it: a number, or a name."""
    return f"{x.value}" if x.is_constant and not x.shape else names[x]


def describe_source(source: Source, names: dict[Instruction, str], program: Program) -> str:
    """Return the name of a source: that of the input that reads it, if there is one."""
    for other, x in program.inputs():
        if other.key() == source.key():
            return names[x]
    return " ".join(str(part) for part in source.key() if not isinstance(part, int))


def _shorten(option: object) -> str:
    text = " ".join(repr(option).split())
    return text if len(text) <= 60 else text[:57] + "..."


def topological_order(roots: Iterable[Instruction]) -> list[Instruction]:
    """Return the roots and everything that they are computed from, operands first."""
    return topological_sort(roots, lambda x: x.inputs)


def topological_sort(roots: Iterable[Item], needs: Callable[[Item], Sequence[Item]]) -> list[Item]:
    """Return the roots and all that they need, dependencies first.

    This is a loop with its own stack: a graph may be a million instructions deep.
    """
    done: dict[Item, None] = {}
    waiting = list(roots)[::-1]
    while waiting:
        x = waiting[-1]
        if x in done:
            waiting.pop()
            continue
        missing = [y for y in needs(x) if y not in done]
        if missing:
            waiting += missing[::-1]
        else:
            done[waiting.pop()] = None
    return list(done)


def make_identifier(text: str) -> str:
    """Return an ASCII identifier that resembles a name, which may be any text."""
    plain = re.sub(r"[^0-9A-Za-z_]+", "_", text.encode("ascii", "ignore").decode()).strip("_")
    plain = plain[:60] or "x"
    if plain[0].isdigit():
        plain = f"x{plain}"
    return f"{plain}_" if keyword.iskeyword(plain) or keyword.issoftkeyword(plain) else plain


def unique_name(name: str, taken: set[str]) -> str:
    """Return the name, numbered if it is taken, and add it to `taken`."""
    unique, count = name, 1
    while unique in taken or unique in BUILTINS:
        count += 1
        unique = f"{name}_{count}"
    taken.add(unique)
    return unique


BUILTINS = frozenset(dir(__import__("builtins")))
