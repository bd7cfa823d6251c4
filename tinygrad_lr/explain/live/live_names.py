"""Name Values while the program runs, before the graph is complete."""

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
from ..formula.rewriting import first_count, resolve_counts
from ..formula.symbol import Symbol
from ..graphs.call_stack import Caller
from ..graphs.naming import (
    display_name,
    name_latex,
    name_text,
    parameter_name,
    upright_latex,
    user_name,
)

MAX_OPERAND_LENGTH = 24  # characters of an array as an operand


class LiveNames:
    """Names for Values as they appear: the user's, the caller's variable, or v₁, v₂, ...

    Parameters of modules are W₁ and b₁, numbered through the model that is running. No two Values
    have the same name: if a variable is assigned another Value, that one gets a number.
    """

    def __init__(self) -> None:
        self._names: dict[int, tuple[weakref.ref[Any], str]] = {}
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}
        self._models: set[int] = set()
        self._kept: list[Module] = []  # keeps models alive, so that no id is reused
        self._temporary: dict[int, weakref.ref[Any]] = {}
        """Values that have only a number, which a better name may replace."""
        self.legend: list[str] = []
        """Lines on names, not printed yet: "W₁ is layers.0.weight", "ŷ is v₃", "N is 20"."""
        self._count = 0  # the count written as N: the first one in a formula

    def resolve_counts(self, formula: Expression) -> Expression:
        """Return the formula with a single meaning of N."""
        if not self._count and (count := first_count(formula)):
            self._count = count
            self.legend.append(f"N is {count}")
        return resolve_counts(formula, self._count)

    def operand(self, x: Any, number: Any, caller: Caller) -> Any:
        """Return an operand of a formula: a Value or array by its name, or a number."""
        if isinstance(x, Value) and (self._find_name(x, caller) or x.record or x.requires_grad):
            return Symbol(self.of(x, caller), number)
        if np.ndim(number) == 0:
            return number
        name = caller.names.get(id(x))
        latex = name_latex(display_name(name)) if name else upright_latex(brief_text(number))
        return Symbol(Name(latex), number)

    def known(self, x: Value) -> str:
        """Return the name that a Value has, or ""."""
        found = self._names.get(id(x))
        return found[1] if found is not None and found[0]() is x else ""

    def of(self, x: Value, caller: Caller) -> Name:
        """Return the name of a Value, and give it one if it has none."""
        return Name(name_latex(self._find_name(x, caller) or self.give(x, "")))

    def _find_name(self, x: Value, caller: Caller) -> str:
        """Return the best name for a Value, or ""."""
        name = self.known(x)
        temporary = self._temporary.get(id(x))
        if name and (temporary is None or temporary() is not x):
            return name
        for model in caller.modules[:1]:
            self._name_parameters(model)
        better = user_name(x) or caller.names.get(id(x), "")
        if better:
            before, name = name, self.give(x, better)
            if before:
                self.legend.append(f"{name_text(name)} is {name_text(before)}")
        return self.known(x)

    def give(self, x: Value, name: str) -> str:
        """Name a Value; an empty name becomes v₁, v₂, ..."""
        if not name:
            self._temporary[id(x)] = weakref.ref(x)
        else:
            self._temporary.pop(id(x), None)
        unique = self._unique(display_name(name) if name else "v", numbered=not name)
        self._names[id(x)] = (weakref.ref(x), unique)
        return unique

    def _unique(self, name: str, numbered: bool = False) -> str:
        """Return the name, with a number if it is taken."""
        comma = "_" if name[-1:].isdigit() else ""
        unique = "" if numbered else name
        while not unique or name_text(unique) in self._taken:
            count = self._counts.get(name, int(not numbered)) + 1
            self._counts[name] = count
            unique = f"{name}{comma}{count}"
        self._taken.add(name_text(unique))
        return unique

    def _name_parameters(self, model: Module) -> None:
        """Name the parameters of a model when it runs for the first time."""
        if id(model) in self._models:
            return
        self._models.add(id(model))
        self._kept.append(model)
        owners: dict[str, list[tuple[str, Value]]] = {}
        for path, x in model.named_parameters():
            owner, _, own = path.rpartition(".")
            owners.setdefault(owner, []).append((own, x))
        for number, (owner, names) in enumerate(owners.items(), 1):
            for own, x in names:
                if self.known(x) or user_name(x):
                    continue
                below = str(number) if len(owners) > 1 else ""
                name = self.give(x, parameter_name(own, x, below))
                path = f"{owner}.{own}" if owner else own
                shape = f", {shape_text(x.shape)}" if x.shape else ""
                self.legend.append(f"{name_text(name)} is {printable(path)}{shape}")


def brief_text(numbers: Any) -> str:
    """Return an unnamed array as an operand: its numbers, or the shape of a large one.

    >>> brief_text(np.ones(2)), brief_text(np.ones((20, 10)))
    ('[1, 1]', 'array (20 × 10)')
    """
    text = array_text(numbers)
    return text if len(text) <= MAX_OPERAND_LENGTH else f"array ({shape_text(np.shape(numbers))})"


def module_label(modules: Sequence[Module], depth: int) -> str:
    """Return the path and the class of a running module: "layers.0: Linear"."""
    module, kind = modules[depth], type(modules[depth]).__name__
    names = {id(x): name for name, x in modules[0].named_modules()}
    path = names.get(id(module), "")
    return f"{printable(path)}: {kind}" if path else kind
