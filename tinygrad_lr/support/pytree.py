"""Nested lists, tuples and dicts of arrays: taken apart into leaves and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import ArgumentError


def leaves(tree: Any) -> Iterator[Any]:
    """The arrays, numbers and Values of a nested structure, in order (dicts by insertion).

    >>> list(leaves({"layers": [(1.0, 2.0), 3.0]}))
    [1.0, 2.0, 3.0]
    """
    if isinstance(tree, (list, tuple)):
        for branch in tree:
            yield from leaves(branch)
    elif isinstance(tree, dict):
        for branch in tree.values():
            yield from leaves(branch)
    elif tree is not None:
        yield tree


def rebuilt(tree: Any, values: Iterable[Any]) -> Any:
    """The same structure with other leaves, taken in order.

    >>> rebuilt({"layers": [(1.0, 2.0), 3.0]}, [4, 5, 6])
    {'layers': [(4, 5), 6]}
    """
    return _built(tree, iter(values))


def _built(branch: Any, remaining: Iterator[Any]) -> Any:
    # no function within a function, which would refer to itself and keep the leaves alive
    if isinstance(branch, (list, tuple)):
        inner = [_built(x, remaining) for x in branch]
        return type(branch)(*inner) if hasattr(branch, "_fields") else type(branch)(inner)
    if isinstance(branch, dict):
        return {key: _built(x, remaining) for key, x in branch.items()}
    return None if branch is None else next(remaining)


def mapped(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The structure with `function` of the leaves, taken from all the trees together.

    >>> mapped(lambda w, g: w - 0.1 * g, [1.0, (2.0,)], [10.0, (10.0,)])
    [0.0, (1.0,)]
    """
    columns = [matched("mapped", other, tree) for other in others]
    return rebuilt(tree, map(function, leaves(tree), *columns))


def matched(where: str, tree: Any, pattern: Any) -> list[Any]:
    """The leaves of a tree that is nested like the pattern, in the pattern's order.

    Lists and tuples stand for each other; dicts match by key. Raises `ArgumentError` elsewhere.

    >>> matched("jvp", {"b": 1.0, "a": [2.0]}, {"a": (0.0,), "b": 0.0})
    [2.0, 1.0]
    """
    if isinstance(pattern, dict):
        if isinstance(tree, dict) and tree.keys() == pattern.keys():
            return [x for key in pattern for x in matched(where, tree[key], pattern[key])]
    elif isinstance(pattern, (list, tuple)):
        if isinstance(tree, (list, tuple)) and len(tree) == len(pattern):
            pairs = zip(tree, pattern, strict=True)
            return [x for inner, outer in pairs for x in matched(where, inner, outer)]
    elif pattern is None:
        if tree is None:
            return []
    elif not isinstance(tree, (dict, list, tuple, type(None))):
        return [tree]
    raise ArgumentError(
        f"{where}: the structure must be {described(pattern)}, got {described(tree)}"
    )


def described(tree: Any) -> str:
    """One level of a structure in words."""
    if isinstance(tree, dict):
        return f"a dict of {', '.join(map(repr, tree))}"
    if isinstance(tree, (list, tuple)):
        return f"a {type(tree).__name__} of {len(tree)}"
    return "None" if tree is None else "an array or a number"
