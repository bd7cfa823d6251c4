"""`vmap`: a function of one entry becomes a function of a whole batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from ..errors import ArgumentError, BatchError, ShapeError
from ..support import pytree as tree
from ..support.abstract_array import AbstractArray
from ..support.validation import as_input, check_callable
from .batching import Batched, Level
from .node import unwrap
from .value import Value

Axes: TypeAlias = "int | tuple[Axes, ...] | list[Axes] | dict[Any, Axes] | None"


def vmap(f: Callable[..., Any], in_axes: Axes = 0, out_axes: Axes = 0) -> Callable[..., Any]:
    """Return a function that does for a batch what `f` does for one entry, all entries at once.

    `in_axes` says which axis of an argument goes over the entries: one number for all arguments, or
    a tuple with one for each; None for an argument that all entries share. In place of a number, a
    nested tuple, list or dict gives the axes in a nested argument. Keyword arguments are mapped
    along their first axis. `out_axes` says in the same way where the axis stands in the results;
    None is for results that don't depend on the entry.

    `f` sees Values (or arrays, of integers and booleans) without that axis, and may use grad, jvp,
    hessian and vmap; vmap itself may stand in all of these and in `compile`. `if` and `while` must
    not depend on an entry's numbers: use np.where. Random numbers that `f` draws are the same for
    all entries: pass them as an argument to have others. Results are Values where arguments are, or
    where `f` uses Values that require a gradient, else plain arrays.

    Raises `ShapeError` if the axes differ in length, and `BatchError` where `f` can't be run once
    for all entries. An operation that has to run for each entry emits a `BatchWarning`.

    >>> vmap(lambda x, w: x @ w, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0])).tolist()
    [3.0, 4.0]
    >>> square = lambda w, x: (w * x) ** 2
    >>> vmap(tg.grad(square), in_axes=(None, 0))(1.0, np.array([1.0, 2.0])).tolist()
    [2.0, 8.0]
    """
    check_callable("vmap", "f", f)

    @functools.wraps(f)
    def run(*args: Any, **keywords: Any) -> Any:
        axes = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ArgumentError(
                f"vmap: in_axes must have one entry for each of the {len(args)} positional "
                f"arguments, got {len(axes)}"
            )
        arguments = (list(args), keywords)
        spread = (list(axes), dict.fromkeys(keywords, 0))
        pairs = list(leaves_with_axes("in_axes", arguments, spread))
        moved = [(x if axis is None else batch_first(x, axis), axis) for x, axis in pairs]
        sizes = {np.shape(x)[0] for x, axis in moved if axis is not None}
        if len(sizes) != 1:
            got = " and ".join(map(str, sorted(sizes))) if sizes else "no axis"
            raise ShapeError(
                f"vmap: the axes of in_axes must have one length in all arguments, got {got}"
            )
        with Level(sizes.pop(), warns=True) as level:
            entries = [one_entry(x, level, axis is not None) for x, axis in moved]
            given, named = tree.unflatten(arguments, entries)
            out = f(*given, **named)
            placed = leaves_with_axes("out_axes", out, out_axes)
            return tree.unflatten(out, [whole_batch(x, axis, level) for x, axis in placed])

    return run


def leaves_with_axes(name: str, structure: Any, axes: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the leaves of a structure, each with its axis: one for a branch is for all below."""
    if axes is None or (isinstance(axes, (int, np.integer)) and not isinstance(axes, bool)):
        yield from ((x, axes) for x in tree.leaves(structure))
        return
    if isinstance(axes, dict) and isinstance(structure, dict) and axes.keys() == structure.keys():
        for key, branch in structure.items():
            yield from leaves_with_axes(name, branch, axes[key])
        return
    nested = isinstance(axes, (tuple, list)) and isinstance(structure, (tuple, list))
    if not nested or len(axes) != len(structure):
        raise ArgumentError(
            f"vmap: {name} must be integers or None, nested like the arguments or results, got "
            f"{tree.describe(axes) if isinstance(axes, (tuple, list, dict)) else repr(axes)} for "
            f"{tree.describe(structure)}"
        )
    for branch, inner in zip(structure, axes, strict=True):
        yield from leaves_with_axes(name, branch, inner)


def batch_first(x: Any, axis: int) -> Any:
    """Return an argument with the axis of the batch in front."""
    if not isinstance(x, (np.ndarray, AbstractArray, Value)):
        x = as_input("vmap", "an argument", x, allow_complex=True)
    if not -np.ndim(x) <= axis < np.ndim(x):
        raise ShapeError(
            f"vmap: in_axes must be axes of the arguments, got {axis} for one of shape "
            f"{np.shape(x)}; use None for an argument that all entries share"
        )
    return x if axis == 0 else np.moveaxis(x, axis, 0)


def one_entry(x: Any, level: Level, varies: bool) -> Any:
    """Return what stands for one entry of an argument."""
    if not varies and not isinstance(x, np.ndarray):
        return x
    entry = Batched(x, level, varies, view="read-only")
    return Value(entry, requires_grad=False) if entry.dtype.kind in "fc" else entry


def whole_batch(x: Any, axis: int | None, level: Level) -> Any:
    """Return a result of all entries, with the axis of the batch in its place."""
    number = unwrap(x)
    own = isinstance(number, Batched) and number.level is level
    if axis is None:
        if own and number.varies:
            raise BatchError("vmap: out_axes must not be None for a result that varies, got None")
        return number.content if own else x
    if not own:
        known = isinstance(x, (np.ndarray, AbstractArray, Value))
        number = x if known else as_input("vmap", "a result", x, allow_complex=True)
    content = level.expanded(number)
    if not -np.ndim(content) <= axis < np.ndim(content):
        raise ShapeError(
            f"vmap: out_axes must be an axis of the result of shape {np.shape(content)}, got {axis}"
        )
    content = content if axis == 0 else np.moveaxis(content, 0, axis)
    shared = isinstance(content, np.ndarray) and content.base is not None
    return content.copy() if shared else content
