"""Nested lists, tuples and dicts of arrays: taken apart into leaves and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any


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
    remaining = iter(values)

    def build(branch: Any) -> Any:
        if isinstance(branch, tuple) and hasattr(branch, "_fields"):
            return type(branch)(*map(build, branch))
        if isinstance(branch, (list, tuple)):
            return type(branch)(map(build, branch))
        if isinstance(branch, dict):
            return {key: build(inner) for key, inner in branch.items()}
        return None if branch is None else next(remaining)

    return build(tree)


def mapped(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The structure with `function` of the leaves, taken from all the trees together.

    >>> mapped(lambda w, g: w - 0.1 * g, [1.0, (2.0,)], [10.0, (10.0,)])
    [0.0, (1.0,)]
    """
    return rebuilt(tree, map(function, *(list(leaves(t)) for t in (tree, *others))))
