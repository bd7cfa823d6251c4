"""Where the numbers of a program's inputs come from, and where what it changes goes back to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...core.value import Value


class Changed(Exception):  # noqa: N818 - no error: a reason to begin again
    """What a program was made from is no longer as it was: it must be traced anew."""


class Place:
    """Somewhere outside of the program that holds an array or a number."""

    state = False
    """Whether the program may change what lies there."""

    def read(self) -> Any:
        """What lies there now."""
        raise NotImplementedError

    def write(self, new: Any) -> None:
        """Put something else there."""
        raise NotImplementedError

    def key(self) -> tuple[Any, ...]:
        """What tells this place from others."""
        raise NotImplementedError


class Argument(Place):
    """An array or a number that the function is called with, by its position among the leaves."""

    def __init__(self, position: int) -> None:
        self.position = position

    def key(self) -> tuple[Any, ...]:
        """Its position."""
        return ("argument", self.position)


class Content(Place):
    """The data of a leaf Value: a parameter."""

    state = True

    def __init__(self, value: Value) -> None:
        self.value = value

    def key(self) -> tuple[Any, ...]:
        """The Value."""
        return ("content", id(self.value))

    def read(self) -> Any:
        """Its array, which this program may keep a hold of, or its number."""
        return self.value._content

    def write(self, new: Any) -> None:
        """Its array or number replaced; other graphs must copy the array."""
        self.value._content = new
        self.value._data_shared = isinstance(new, np.ndarray)


class Gradient(Place):
    """The gradient of a leaf Value."""

    state = True

    def __init__(self, value: Value) -> None:
        self.value = value

    def key(self) -> tuple[Any, ...]:
        """The Value."""
        return ("gradient", id(self.value))

    def read(self) -> Any:
        """The array or number, None where there is none."""
        grad = self.value._grad
        return grad[0] if type(grad) is tuple else grad

    def write(self, new: Any) -> None:
        """A gradient that nobody else holds."""
        self.value._grad = new


class Attribute(Place):
    """What an object keeps under a name, or within a list or dict of that name."""

    state = True

    def __init__(self, owner: Any, path: tuple[Any, ...]) -> None:
        self.owner, self.path = owner, path

    def key(self) -> tuple[Any, ...]:
        """The object and the way from it."""
        return ("attribute", id(self.owner), *self.path)

    def _holder(self) -> Any:
        holder = vars(self.owner)
        for step in self.path[:-1]:
            holder = holder[step]
        return holder

    def read(self) -> Any:
        """The array or the number."""
        return self._holder()[self.path[-1]]

    def write(self, new: Any) -> None:
        """Replaced in its list, dict or object."""
        holder = self._holder()
        if isinstance(holder, tuple):
            self.read()[...] = new
        else:
            holder[self.path[-1]] = new


class Name(Place):
    """An array that the function finds under a global name or in its closure."""

    def __init__(self, names: Mapping[str, Any], name: str) -> None:
        self.names, self.name = names, name

    def key(self) -> tuple[Any, ...]:
        """The namespace and the name."""
        return ("name", id(self.names), self.name)

    def read(self) -> Any:
        """What it means now."""
        return self.names[self.name]


class Captured(Place):
    """An array that was met in the trace: the program reads it anew each time."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def key(self) -> tuple[Any, ...]:
        """The array."""
        return ("captured", id(self.array))

    def read(self) -> Any:
        """The array."""
        return self.array


class Host(Place):
    """What Python makes before each step: random draws, the learning rate of a schedule.

    `make` is given 0 for the next step, 1 for the one after it.
    """

    def __init__(self, make: Callable[[int], Any], label: str, changes: bool = True) -> None:
        self.make, self.label = make, label
        self.changes = changes  # from one step of a loop to the next

    def key(self) -> tuple[Any, ...]:
        """Itself: no two are the same."""
        return ("host", id(self))
