"""Loops and branches that depend on data: scan, while_loop and cond, named as in `jax.lax`.

Eagerly they are Python's own `for`, `while` and `if` on whatever they are given, so gradients of
every order, batches and forward mode are those of their steps. A trace of the compiler takes their
calls over (`TRACED_CONTROL_FLOW`): it runs a body once, and compiles it as one loop.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, ShapeError
from ..support import pytree as tree
from ..support.abstract_array import AbstractArray
from ..support.validation import as_input, check_callable, check_flag, check_integer
from .autodiff import PyTree
from .batching import Batched, current_level
from .node import unwrap
from .value import Value, ValueLike

TRACED_CONTROL_FLOW: contextvars.ContextVar[Any] = contextvars.ContextVar(
    "traced_control_flow", default=None
)
"""What takes the three functions over while this thread traces a function: their namesakes."""


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: PyTree,
    xs: PyTree = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Return the last carry of a loop over the slices of xs, and the results of all its steps.

    With carry₀ = init, step t computes (carryₜ₊₁, yₜ) = f(carryₜ, xₜ); the result is the last carry
    and the yₜ, stacked. The carry, xs and y are arrays, numbers or Values, or nested lists, tuples
    and dicts of them; xₜ has the t-th entry of each array in xs along its first axis, and is None
    if xs is, where `length` is the number of steps. With `reverse` the steps run from the last
    slice to the first, and y stands in the order of xs.

    The carry must keep its structure, shapes and dtypes from step to step. Python numbers in it
    become NumPy's (float64, int64); give an `np.float32` for another dtype. In a compiled function
    the body is run once, while tracing, and compiled as one loop with one for its gradient,
    however many steps there are; it must change nothing outside itself.

    Raises `ArgumentError`, `ShapeError` or `DtypeError` if xs, its length or the carry don't fit.

    >>> carry, ys = tg.scan(lambda c, x: (c + x, c * x), 0.0, np.arange(4.0))
    >>> float(carry), ys.tolist()
    (6.0, [0.0, 0.0, 2.0, 9.0])
    """
    check_callable("scan", "f", f)
    check_flag("scan", "reverse", reverse)
    slices = [as_slices(x) for x in tree.leaves(xs)]
    steps = count_steps(slices, length)
    start = [as_carried("scan", x) for x in tree.leaves(init)]
    traced = find_traced([*start, *slices])
    if traced is not None:
        found: tuple[Any, Any] = traced.scan(f, init, start, xs, slices, steps, reverse)
        return found
    carried, rows = start, []
    for t in reversed(range(steps)) if reverse else range(steps):
        given = tree.unflatten(xs, [x[t] for x in slices])
        carried, y = read_step(f(tree.unflatten(init, carried), given), init, carried)
        rows.append(y)
    if reverse:
        rows.reverse()
    columns = zip(*(tree.match_leaves("scan", y, rows[0]) for y in rows), strict=True)
    stacked = [stack_rows(column) for column in columns]
    return tree.unflatten(init, carried), tree.unflatten(rows[0], stacked)


def while_loop(
    cond_fun: Callable[[Any], ValueLike], body_fun: Callable[[Any], PyTree], init_val: PyTree
) -> Any:
    """Return what is left of a value after `value = body_fun(value)` while `cond_fun(value)` holds.

    The value is an array, a number or a Value, or a nested list, tuple or dict of them, and must
    keep its structure, shapes and dtypes, as the carry of `scan`. `cond_fun` returns one boolean.
    In a compiled function both run once, while tracing, and are compiled as one loop, which has
    forward mode there (`jvp`) but no gradient: the number of its steps isn't known. Under `vmap`
    the entries whose condition no longer holds keep their value until the last one has finished.

    >>> float(tg.while_loop(lambda x: x < 100.0, lambda x: 2.0 * x, 3.0))
    192.0
    """
    check_callable("while_loop", "cond_fun", cond_fun)
    check_callable("while_loop", "body_fun", body_fun)
    carried = [as_carried("while_loop", x) for x in tree.leaves(init_val)]
    traced = find_traced(carried)
    if traced is not None:
        return traced.while_loop(cond_fun, body_fun, init_val, carried)
    while True:
        value = tree.unflatten(init_val, carried)
        goes_on = as_predicate("while_loop", "cond_fun", cond_fun(value))
        batch = unwrap(goes_on)
        if not np.any(unwrap(batch.content) if isinstance(batch, Batched) else batch):
            return value
        new = read_carry("while_loop", body_fun(value), init_val, carried)
        if isinstance(batch, Batched):
            new = [np.where(goes_on, x, y) for x, y in zip(new, carried, strict=True)]
        carried = new


def cond(
    pred: ValueLike,
    true_fun: Callable[..., Any],
    false_fun: Callable[..., Any],
    *operands: PyTree,
) -> Any:
    """Return true_fun(*operands) if pred holds, else false_fun(*operands).

    `pred` is one boolean or number. In a compiled function both branches are traced, the numbers
    decide at each call which one runs, and both must return the same structure, shapes and dtypes;
    they must change nothing outside themselves. Under `vmap` with a predicate that varies, both run
    and `np.where` chooses.

    >>> tg.grad(lambda x: tg.cond(x > 0.0, np.sin, np.cos, x))(0.0)
    -0.0
    """
    check_callable("cond", "true_fun", true_fun)
    check_callable("cond", "false_fun", false_fun)
    pred = as_predicate("cond", "pred", pred)
    traced = find_traced([pred])
    if traced is not None:
        return traced.cond(pred, true_fun, false_fun, operands)
    if not isinstance(unwrap(pred), Batched):
        return true_fun(*operands) if unwrap(pred) else false_fun(*operands)
    first, second = true_fun(*operands), false_fun(*operands)
    pairs = zip(tree.leaves(first), tree.match_leaves("cond", second, first), strict=True)
    return tree.unflatten(first, [np.where(pred, x, y) for x, y in pairs])


# ---- what goes in and comes out


def find_traced(leaves: Sequence[Any]) -> Any:
    """Return what takes over in a trace, or for its arrays outside it; None in eager code."""
    if current_level() is not None:
        return None
    traced = TRACED_CONTROL_FLOW.get()
    if traced is None:
        for x in map(unwrap, leaves):
            if isinstance(x, AbstractArray):
                return x.control_flow
    return traced


def as_slices(x: Any) -> Any:
    """Return one leaf of xs as an array or a Value with an axis of steps."""
    given = as_input("scan", "xs", x, allow_complex=True)
    if not given.shape:
        raise ShapeError("scan: each array in xs must have an axis of steps, got a number")
    return given


def count_steps(slices: Sequence[Any], length: Any) -> int:
    """Return the number of steps of a scan, at least one."""
    found = {len(x) for x in slices}
    if length is not None:
        found.add(check_integer("scan", "length", length, low=1))
    if len(found) != 1:
        wrong = "length or xs must be given" if not found else f"got {sorted(found)}"
        raise ArgumentError(
            f"scan: the arrays in xs must have one length along the first axis, {wrong}"
        )
    (steps,) = found
    if not steps:
        raise ShapeError("scan: xs must have at least one step, got 0")
    return steps


def as_carried(where: str, x: Any) -> Any:
    """Return one leaf of a carry, a Python number as NumPy's, which keeps its dtype."""
    if isinstance(x, Value):
        return x * np.float64(1.0) if type(x._content) is float else x
    given = as_input(where, "the carry", x, allow_complex=True)
    return given if given.shape or isinstance(given, AbstractArray) else given[()]


def read_carry(where: str, new: Any, pattern: Any, before: Sequence[Any]) -> list[Any]:
    """Return the leaves of a new carry, which must be like those before."""
    found = [as_carried(where, x) for x in tree.match_leaves(where, new, pattern)]
    for x, like in zip(found, before, strict=True):
        kinds = [(np.shape(y), unwrap(y).dtype) for y in (x, like)]
        if kinds[0] != kinds[1]:
            (shape, dtype), (old_shape, old_dtype) = kinds
            error = ShapeError if shape != old_shape else DtypeError
            raise error(
                f"{where}: the carry must keep its shapes and dtypes, {old_dtype} {old_shape}, "
                f"got {dtype} {shape} from the body"
            )
    return found


def read_step(found: Any, init: Any, carried: Sequence[Any]) -> tuple[list[Any], Any]:
    """Return the leaves of the carry that a step of a scan returns, and its y."""
    if not isinstance(found, tuple) or len(found) != 2:
        raise ArgumentError(f"scan: f must return a pair (carry, y), got {tree.describe(found)}")
    return read_carry("scan", found[0], init, carried), found[1]


def stack_rows(column: Sequence[Any]) -> Any:
    """Return the results of all steps as one array."""
    kinds = {(np.shape(x), getattr(unwrap(x), "dtype", None)) for x in column}
    if len(kinds) > 1:
        raise ShapeError("scan: y must have the same shapes and dtypes at each step")
    return np.stack(column)


def as_predicate(where: str, name: str, x: Any) -> Any:
    """Return a condition, which must be one boolean or number."""
    given = as_input(where, name, x)
    if given.shape:
        raise ShapeError(f"{where}: {name} must be one boolean, got shape {given.shape}")
    return given
