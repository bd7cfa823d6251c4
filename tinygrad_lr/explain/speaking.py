"""Names for Values while the program runs: before anybody knows what they will lead to."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..files import printable
from ..nn import Module
from ..value import Value
from .callers import Caller
from .naming import LAYERED, SPOKEN, SUBSCRIPT, _parts
from .numbers import shape_text
from .telling import numbers_text

SHORT = 24  # characters of a constant as an operand


class SpokenNames:
    """Names given as Values turn up: the user's, the caller's variable, or v₁, v₂, ...

    Parameters of modules are W₁ and b₁, numbered through the model that runs. No two Values have
    the same name: where a variable takes another Value, that one has a number.
    """

    def __init__(self) -> None:
        self._names: dict[int, tuple[weakref.ref[Any], str]] = {}
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}
        self._models: set[int] = set()
        self._kept: list[Module] = []  # so that no id is used twice
        self._plain: dict[int, weakref.ref[Any]] = {}
        """Values that have a number only, which a better name may replace."""
        self.legend: list[str] = []
        """What is yet to be said about names: "W₁ is layers.0.weight", "ŷ is v₃"."""

    def known(self, x: Value) -> str:
        """The name that a Value has, or ""."""
        found = self._names.get(id(x))
        return found[1] if found is not None and found[0]() is x else ""

    def of(self, x: Any, caller: Caller) -> str:
        """The name of a Value or array; a number is itself."""
        if not isinstance(x, Value):
            name = caller.name_of(x) if np.ndim(x) else ""
            return _spoken(name) if name else operand_text(x)
        name = self.known(x)
        temporary = self._plain.get(id(x))
        if name and (temporary is None or temporary() is not x):
            return name
        for model in caller.modules[:1]:
            self._meet(model)
        better = self._own(x) or caller.name_of(x)
        if better:
            before, name = name, self.give(x, better)
            if before:
                self.legend.append(f"{name} is {before}")
        elif not name and x._record is None and not x.requires_grad:
            return operand_text(x._content)  # a constant
        return self.known(x) or self.give(x, "")

    def give(self, x: Value, name: str) -> str:
        """Name a Value; without a name it gets a number."""
        if not name:
            self._plain[id(x)] = weakref.ref(x)
        else:
            self._plain.pop(id(x), None)
        spoken = self._unique(_spoken(name) if name else "v", numbered=not name)
        self._names[id(x)] = (weakref.ref(x), spoken)
        return spoken

    def _own(self, x: Value) -> str:
        """The name that the user gave."""
        layered = x.name in LAYERED and x._record is None
        return x.name if x.name and not layered else ""

    def _unique(self, name: str, numbered: bool = False) -> str:
        """The name, with a number where it is taken."""
        comma = "," if name[-1:].isdigit() else ""
        unique = "" if numbered else name
        while not unique or unique in self._taken:
            count = self._counts.get(name, int(not numbered)) + 1
            self._counts[name] = count
            unique = f"{name}{comma}{str(count).translate(SUBSCRIPT)}"
        self._taken.add(unique)
        return unique

    def _meet(self, model: Module) -> None:
        """Name the parameters of a model that runs for the first time."""
        if id(model) in self._models:
            return
        self._models.add(id(model))
        self._kept.append(model)
        owners: dict[str, list[tuple[str, Value]]] = {}
        for path, x in model.named_parameters():
            owner, _, own = path.rpartition(".")
            owners.setdefault(owner, []).append((own, x))
        for number, (owner, held) in enumerate(owners.items(), 1):
            for own, x in held:
                if self.known(x) or self._own(x):
                    continue
                letter = LAYERED.get(own, f"{own}_" if len(owners) > 1 else own)
                if len(owners) == 1 and letter == "W" and x.size == 1:
                    letter = "w"
                name = self.give(x, letter if len(owners) == 1 else f"{letter}{number}")
                path = f"{owner}.{own}" if owner else own
                shape = f", {' × '.join(map(str, x.shape))}" if x.shape else ""
                self.legend.append(f"{name} is {printable(path)}{shape}")


def operand_text(x: Any) -> str:
    """A constant as an operand: its numbers, or where it is large its shape.

    >>> operand_text(3.0), operand_text(None), operand_text(np.ones((20, 10)))
    ('3', 'None', 'array (20 × 10)')
    """
    text = numbers_text(x)
    return text if len(text) <= SHORT else f"array ({shape_text(np.shape(x))})"


def chain_name(modules: Sequence[Module], depth: int) -> str:
    """A module that runs, by its place in the model and its kind: "layers.0: Linear"."""
    module, kind = modules[depth], type(modules[depth]).__name__
    names = {id(x): name for name, x in modules[0].named_modules()}
    path = names.get(id(module), "")
    return f"{printable(path)}: {kind}" if path else kind


def _spoken(name: str) -> str:
    """A name as people write it: w1 as w₁, y_hat as ŷ."""
    letter, below = _parts(SPOKEN.get(name, printable(name)))
    return letter + below.translate(SUBSCRIPT)
