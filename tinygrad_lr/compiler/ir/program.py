"""A program: inputs, instructions in the order in which they run, and what they are for."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..tracing.sources import Place
from .instruction import Instruction

Item = TypeVar("Item")


@dataclass
class Program:
    """What a function does to arrays.

    - `results`: what it returns, in the order of the leaves of what it returned
    - `updates`: places, and the instructions whose numbers they hold afterwards (None: nothing)
    - `checks`: instructions whose numbers a function looks at before anything is changed
    """

    name: str
    results: list[Instruction]
    updates: list[tuple[Place, Instruction | None]] = field(default_factory=list)
    checks: list[tuple[Instruction, Callable[[object], object]]] = field(default_factory=list)

    @property
    def roots(self) -> list[Instruction]:
        """The instructions that are wanted for themselves."""
        checked = [x for x, _ in self.checks]
        return [*self.results, *(x for _, x in self.updates if x is not None), *checked]

    def instructions(self) -> list[Instruction]:
        """All that the roots need, operands first: inputs and constants too."""
        return ordered(self.roots)

    def inputs(self) -> list[tuple[Place, Instruction]]:
        """The places that it reads, and the instructions that stand for their numbers."""
        found = [x for x in self.instructions() if x.operation == "input"]
        return [(x.options["place"], x) for x in found]

    def rewritten(
        self, change: Callable[[Instruction, Sequence[Instruction]], Instruction]
    ) -> Program:
        """The program with every instruction made anew from its operands, these first.

        `change` is given an instruction and its new operands; what it returns stands for it.
        """
        new: dict[Instruction, Instruction] = {}
        for x in self.instructions():
            inputs = [new[y] for y in x.inputs]
            made = change(x, inputs)
            if made.name is None and x.name is not None and not made.is_constant:
                made.name = x.name
            new[x] = made
        return replace(
            self,
            results=[new[x] for x in self.results],
            updates=[(place, None if x is None else new[x]) for place, x in self.updates],
            checks=[(new[x], look) for x, look in self.checks],
        )

    def names(self) -> dict[Instruction, str]:
        """A name for every instruction: plain identifiers, no two alike, none of Python's."""
        given: dict[Instruction, str] = {}
        taken = {"np", "self", "float", "int", "bool", "buffers", "constants", "functions"}
        for x in self.instructions():
            given[x] = different(identifier(x.name or x.operation), taken)
        return given

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
            inputs = [spelt(y, names) for y in x.inputs]
            options = [
                f"{key}={_short(option)}"
                for key, option in x.options.items()
                if option is not None and key != "likes"
            ]
            lines.append(f"{names[x]}: {kind} = {x.operation} {', '.join([*inputs, *options])}")
        for place, new in self.updates:
            what = "nothing" if new is None else spelt(new, names)
            lines.append(f"{described(place, names, self)} <- {what}")
        lines.append("return " + ", ".join(spelt(x, names) for x in self.results))
        return "\n".join(lines)


def spelt(x: Instruction, names: dict[Instruction, str]) -> str:
    """An operand as the listing writes it: its name, or the number that it is."""
    return f"{x.value}" if x.is_constant and not x.shape else names[x]


def described(place: Place, names: dict[Instruction, str], program: Program) -> str:
    """The name of a place: that of the input which reads it."""
    for other, x in program.inputs():
        if other.key() == place.key():
            return names[x]
    return " ".join(str(part) for part in place.key() if not isinstance(part, int))


def _short(option: object) -> str:
    text = " ".join(repr(option).split())
    return text if len(text) <= 60 else text[:57] + "..."


def ordered(roots: Iterable[Instruction]) -> list[Instruction]:
    """The roots and all they are computed from, operands first."""
    return in_order(roots, lambda x: x.inputs)


def in_order(roots: Iterable[Item], needs: Callable[[Item], Sequence[Item]]) -> list[Item]:
    """The roots and all that they need, what is needed first. A loop, never recursion."""
    done: dict[Item, None] = {}
    waiting = [(x, False) for x in reversed(list(roots))]
    while waiting:
        x, ready = waiting.pop()
        if x in done:
            continue
        if ready:
            done[x] = None
            continue
        waiting.append((x, True))
        waiting.extend((y, False) for y in reversed(needs(x)) if y not in done)
    return list(done)


def identifier(text: str) -> str:
    """A plain ASCII identifier that resembles a name which may be anything."""
    plain = re.sub(r"[^0-9A-Za-z_]+", "_", text.encode("ascii", "ignore").decode()).strip("_")
    plain = plain[:60] or "x"
    if plain[0].isdigit():
        plain = f"x{plain}"
    return f"{plain}_" if keyword.iskeyword(plain) or keyword.issoftkeyword(plain) else plain


def different(name: str, taken: set[str]) -> str:
    """The name, with a number if it is taken already."""
    chosen, count = name, 1
    while chosen in taken or chosen in BUILTINS:
        count += 1
        chosen = f"{name}_{count}"
    taken.add(chosen)
    return chosen


BUILTINS = frozenset(dir(__import__("builtins")))
