"""Names for Values while the program runs: before anybody knows what they will lead to."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.value import Value
from ...nn import Module
from ...support.files import printable
from ...support.text_format import array_text, shape_text
from ..formula.expression import Expression, Name
from ..formula.rewriting import count_of, counting
from ..formula.symbol import Symbol
from ..graphs.call_stack import Caller
from ..graphs.naming import given_name, latex_of, parameter_name, spoken, text_of, word

SHORT = 24  # characters of an array as an operand


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
        """What is yet to be said about names: "W₁ is layers.0.weight", "ŷ is v₃", "N is 20"."""
        self._count = 0  # what N stands for: the first count that a formula has

    def counting(self, formula: Expression) -> Expression:
        """The formula with one meaning of N."""
        if not self._count and (count := count_of(formula)):
            self._count = count
            self.legend.append(f"N is {count}")
        return counting(formula, self._count)

    def operand(self, x: Any, number: Any, caller: Caller) -> Any:
        """An operand of a formula: a Value or array by its name, a number as itself."""
        if isinstance(x, Value) and (self._called(x, caller) or x.record or x.requires_grad):
            return Symbol(self.of(x, caller), number)
        if np.ndim(number) == 0:
            return number
        held = caller.held.get(id(x))
        return Symbol(Name(latex_of(spoken(held)) if held else word(brief(number))), number)

    def known(self, x: Value) -> str:
        """The name that a Value has, or ""."""
        found = self._names.get(id(x))
        return found[1] if found is not None and found[0]() is x else ""

    def of(self, x: Value, caller: Caller) -> Name:
        """The name of a Value."""
        return Name(latex_of(self._called(x, caller) or self.give(x, "")))

    def _called(self, x: Value, caller: Caller) -> str:
        """The best name that there is for a Value, or ""."""
        name = self.known(x)
        temporary = self._plain.get(id(x))
        if name and (temporary is None or temporary() is not x):
            return name
        for model in caller.modules[:1]:
            self._meet(model)
        better = given_name(x) or caller.held.get(id(x), "")
        if better:
            before, name = name, self.give(x, better)
            if before:
                self.legend.append(f"{text_of(name)} is {text_of(before)}")
        return self.known(x)

    def give(self, x: Value, name: str) -> str:
        """Name a Value; without a name it gets a number."""
        if not name:
            self._plain[id(x)] = weakref.ref(x)
        else:
            self._plain.pop(id(x), None)
        unique = self._unique(spoken(name) if name else "v", numbered=not name)
        self._names[id(x)] = (weakref.ref(x), unique)
        return unique

    def _unique(self, name: str, numbered: bool = False) -> str:
        """The name, with a number where it is taken."""
        comma = "_" if name[-1:].isdigit() else ""
        unique = "" if numbered else name
        while not unique or text_of(unique) in self._taken:
            count = self._counts.get(name, int(not numbered)) + 1
            self._counts[name] = count
            unique = f"{name}{comma}{count}"
        self._taken.add(text_of(unique))
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
                if self.known(x) or given_name(x):
                    continue
                below = str(number) if len(owners) > 1 else ""
                name = self.give(x, parameter_name(own, x, below))
                path = f"{owner}.{own}" if owner else own
                shape = f", {shape_text(x.shape)}" if x.shape else ""
                self.legend.append(f"{text_of(name)} is {printable(path)}{shape}")


def brief(numbers: Any) -> str:
    """An array without a name as an operand: its numbers, or where it is large its shape.

    >>> brief(np.ones(2)), brief(np.ones((20, 10)))
    ('[1, 1]', 'array (20 × 10)')
    """
    text = array_text(numbers)
    return text if len(text) <= SHORT else f"array ({shape_text(np.shape(numbers))})"


def chain_name(modules: Sequence[Module], depth: int) -> str:
    """A module that runs, by its place in the model and its kind: "layers.0: Linear"."""
    module, kind = modules[depth], type(modules[depth]).__name__
    names = {id(x): name for name, x in modules[0].named_modules()}
    path = names.get(id(module), "")
    return f"{printable(path)}: {kind}" if path else kind
