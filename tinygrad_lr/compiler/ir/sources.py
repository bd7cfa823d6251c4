"""Sources of a program's inputs: where the numbers come from, and where updates are written to."""

from __future__ import annotations

import contextvars
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...core.value import Value


class StaleProgram(Exception):  # noqa: N818 - no error: a reason to trace again
    """Something that the program was traced with has changed."""


class Source:
    """Something outside the program that holds an array or a number."""

    def read(self) -> Any:
        """Return what it holds now."""
        raise NotImplementedError

    def write(self, new: Any) -> None:
        """Replace what it holds."""
        raise NotImplementedError

    def key(self) -> tuple[Any, ...]:
        """Return a key that is equal for the same source alone."""
        raise NotImplementedError


class Argument(Source):
    """An array or a number that the function is called with, by its position among the leaves."""

    def __init__(self, position: int) -> None:
        self.position = position

    def key(self) -> tuple[Any, ...]:
        """Return the position."""
        return ("argument", self.position)


class ValueData(Source):
    """The data of a leaf Value: a parameter; `reassigned` if the function assigns to `.data`."""

    def __init__(self, value: Value, reassigned: bool = False) -> None:
        self.value, self.reassigned = value, reassigned

    def key(self) -> tuple[Any, ...]:
        """Return the Value's identity."""
        return ("content", id(self.value))

    def read(self) -> Any:
        """Return its number, or its array, which the program may keep."""
        return self.value._content

    def write(self, new: Any) -> None:
        """Replace its array or number. Other graphs must copy the array."""
        self.value._content = new
        self.value._data_shared = isinstance(new, np.ndarray)


class Gradient(Source):
    """The gradient of a leaf Value."""

    def __init__(self, value: Value) -> None:
        self.value = value

    def key(self) -> tuple[Any, ...]:
        """Return the Value's identity."""
        return ("gradient", id(self.value))

    def read(self) -> Any:
        """Return the array or number, or None."""
        grad = self.value._grad
        return grad[0] if type(grad) is tuple else grad

    def write(self, new: Any) -> None:
        """Set the gradient to an array that nothing else refers to."""
        self.value._grad = new


class Attribute(Source):
    """An object's attribute, or an entry of a list or dict in that attribute."""

    def __init__(self, owner: Any, path: tuple[Any, ...]) -> None:
        self.owner, self.path = owner, path

    def key(self) -> tuple[Any, ...]:
        """Return the object's identity and the path from it."""
        return ("attribute", id(self.owner), *self.path)

    def holder(self) -> Any:
        """Return what it is an attribute or an entry of: a dict, list or tuple."""
        holder = vars(self.owner)
        for step in self.path[:-1]:
            holder = holder[step]
        return holder

    def read(self) -> Any:
        """Return the array or the number."""
        return self.holder()[self.path[-1]]

    def write(self, new: Any) -> None:
        """Replace it in its object, list or dict; in a tuple, write into the array."""
        holder = self.holder()
        if isinstance(holder, tuple):
            self.read()[...] = new
        else:
            holder[self.path[-1]] = new


MISSING = type("Missing", (), {})()


class Namespace:
    """Something that holds objects by name, though it isn't a dict."""

    owner: Any


class Cell(Namespace):
    """A variable of a closure, as a namespace with one name."""

    def __init__(self, cell: types.CellType) -> None:
        self.owner = cell

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def get(self, name: str, default: Any = MISSING) -> Any:
        """Return what the variable is, or the default while it has no content."""
        try:
            return self.owner.cell_contents
        except ValueError:
            return default


class Context(Namespace):
    """A context variable, as a namespace with one name."""

    def __init__(self, owner: contextvars.ContextVar[Any]) -> None:
        self.owner = owner

    def get(self, name: str, default: Any = MISSING) -> Any:
        """Return what the variable is in this context, or the default."""
        return self.owner.get(default)


class Slots(Namespace):
    """An object's slots, as a namespace."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __getitem__(self, name: str) -> Any:
        return getattr(self.owner, name)

    def get(self, name: str, default: Any = MISSING) -> Any:
        """Return the content of a slot, or the default while it has none."""
        return getattr(self.owner, name, default)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the slots: name and descriptor."""
        for base in type(self.owner).__mro__:
            for name, slot in list(vars(base).items()):  # other threads may redirect it
                if isinstance(slot, types.MemberDescriptorType) and name[:2] != "__":
                    yield name, slot


def identity(holder: Any) -> int:
    """Return an identity of a holder, the same for each `Namespace` of the same object."""
    return id(holder.owner if isinstance(holder, Namespace) else holder)


class Entry(Source):
    """An array under a name, or in an attribute, a list or a dict, outside the function."""

    def __init__(self, holder: Any, entry: Any) -> None:
        self.holder, self.entry = holder, entry

    def key(self) -> tuple[Any, ...]:
        """Return the holder's identity and the name or the position."""
        return ("entry", identity(self.holder), self.entry)

    def read(self) -> Any:
        """Return what is there now."""
        return self.holder[self.entry]


class CapturedArray(Source):
    """An array that the trace came across: the program reads it at each call."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def key(self) -> tuple[Any, ...]:
        """Return the array's identity."""
        return ("captured", id(self.array))

    def read(self) -> Any:
        """Return the array."""
        return self.array


class HostInput(Source):
    """Numbers that Python computes before each step: random draws, a schedule's learning rate.

    `compute` is called with 0 for the next step, with 1 for the one after it. `changes` is False
    for what stays the same from one step of a loop to the next.
    """

    def __init__(self, compute: Callable[[int], Any], label: str, changes: bool = True) -> None:
        self.compute, self.label, self.changes = compute, label, changes

    def key(self) -> tuple[Any, ...]:
        """Return its own identity."""
        return ("host", id(self))
