"""Nested lists, tuples and dicts of arrays: flattened to leaves and rebuilt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import ArgumentError


def leaves(tree: Any) -> Iterator[Any]:
    """Yield the arrays, numbers and Values of a nested structure, in order (dicts by insertion).

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


def unflatten(tree: Any, values: Iterable[Any]) -> Any:
    """Return the same structure with other leaves, taken in order.

    >>> unflatten({"layers": [(1.0, 2.0), 3.0]}, [4, 5, 6])
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


def map_leaves(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Return the structure with `function` applied to the leaves of all trees together.

    >>> map_leaves(lambda w, g: w - 0.1 * g, [1.0, (2.0,)], [10.0, (10.0,)])
    [0.0, (1.0,)]
    """
    columns = [match_leaves("mapped", other, tree) for other in others]
    return unflatten(tree, map(function, leaves(tree), *columns))


def match_leaves(where: str, tree: Any, pattern: Any) -> list[Any]:
    """Return the leaves of a tree that is nested like the pattern, in the pattern's order.

    A list matches a tuple; dicts match by key. Raises `ArgumentError` if the structures differ.

    >>> match_leaves("jvp", {"b": 1.0, "a": [2.0]}, {"a": (0.0,), "b": 0.0})
    [2.0, 1.0]
    """
    if isinstance(pattern, dict):
        if isinstance(tree, dict) and tree.keys() == pattern.keys():
            return [x for key in pattern for x in match_leaves(where, tree[key], pattern[key])]
    elif isinstance(pattern, (list, tuple)):
        if isinstance(tree, (list, tuple)) and len(tree) == len(pattern):
            pairs = zip(tree, pattern, strict=True)
            return [x for inner, outer in pairs for x in match_leaves(where, inner, outer)]
    elif pattern is None:
        if tree is None:
            return []
    elif not isinstance(tree, (dict, list, tuple, type(None))):
        return [tree]
    raise ArgumentError(f"{where}: the structure must be {describe(pattern)}, got {describe(tree)}")


def describe(tree: Any) -> str:
    """Describe one level of a structure."""
    if isinstance(tree, dict):
        return f"a dict of {', '.join(map(repr, tree))}"
    if isinstance(tree, (list, tuple)):
        return f"a {type(tree).__name__} of {len(tree)}"
    return "None" if tree is None else "an array or a number"
