"""Make what a function reads from outside its arguments: SciPy calls it with plain numbers.

`def rhs(t, y): return -rate * y`, with a Value `rate` of the function around it, becomes a function
of (t, y, rate) that a solver's adjoint can differentiate.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from ..core.conversion import has_value
from ..support.abstract_array import AbstractArray

Function = Callable[..., Any]


def is_differentiable(x: Any) -> bool:
    """Return True for a Value, what stands for an array in a trace, or a list of such."""
    if isinstance(x, (list, tuple)):
        return any(map(is_differentiable, x))
    return isinstance(x, AbstractArray) or has_value(x)


def hoist(function: Function) -> tuple[Function, list[Any]]:
    """Return a function and the Values that it reads from closures and defaults.

    The function takes these after its other arguments. Functions, lists, tuples and dicts that it
    reads are searched too.

    >>> w = Value(3.0)
    >>> moved, values = (lambda w: hoist(lambda x: w * x))(w)
    >>> moved(2.0, 5.0), values[0] is w
    (10.0, True)
    """
    found: dict[int, Any] = {}
    _search(function, found, set())
    if not found:
        return function, []
    count = len(found)

    def call(*args: Any) -> Any:
        own, outer = args[: len(args) - count], args[len(args) - count :]
        return _replace(function, dict(zip(found, outer, strict=True)), {})(*own)

    return call, list(found.values())


def _outside(function: types.FunctionType) -> list[Any]:
    """Return the contents of a function's cells that are filled, and its defaults."""
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    return [*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty one raises
    except ValueError:
        return False
    return True


def _search(x: Any, found: dict[int, Any], seen: set[int]) -> None:
    if isinstance(x, AbstractArray) or hasattr(type(x), "__apply__"):
        found.setdefault(id(x), x)
    elif id(x) not in seen and type(x) in {list, tuple, dict, types.FunctionType}:
        seen.add(id(x))
        inside = x.values() if type(x) is dict else x
        for y in _outside(x) if isinstance(x, types.FunctionType) else inside:
            _search(y, found, seen)


def _replace(x: Any, new: dict[int, Any], made: dict[int, Any]) -> Any:
    """Return a copy of what holds Values, with others in their places."""
    if id(x) in new:
        return new[id(x)]
    if id(x) in made:
        return made[id(x)]
    if type(x) in {list, tuple}:
        return type(x)(_replace(y, new, made) for y in x)
    if type(x) is dict:
        return {key: _replace(y, new, made) for key, y in x.items()}
    return _replace_outside(x, new, made) if isinstance(x, types.FunctionType) else x


def _replace_outside(f: types.FunctionType, new: dict[int, Any], made: dict[int, Any]) -> Any:
    inside: dict[int, Any] = {}
    _search(f, inside, set())
    if not inside:
        return f
    cells = [types.CellType() for _ in f.__closure__ or ()]
    twin = types.FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, tuple(cells))
    made[id(f)] = twin  # before its cells, which may hold the function itself
    for cell, old in zip(cells, f.__closure__ or (), strict=True):
        if _is_filled(old):
            cell.cell_contents = _replace(old.cell_contents, new, made)
    twin.__defaults__ = _replace(f.__defaults__, new, made)
    twin.__kwdefaults__ = _replace(f.__kwdefaults__, new, made)
    return twin
