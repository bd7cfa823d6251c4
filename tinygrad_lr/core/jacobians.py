"""Jacobians and Hessians: all rows in one backward pass, or all columns in one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from ..errors import NotDifferentiableError
from ..support import pytree as tree
from ..support.abstract_array import check_numbers
from ..support.validation import check_callable, check_flag
from .autodiff import AuxiliaryCall, RecordedCall, grad, normalize_argnums, record_call
from .batching import Batched, Level
from .chain_rule import has_nan, match_shape
from .node import unwrap
from .primitive import PRIMITIVES, is_complex
from .sparsity import dependence, width


def jacobian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian ∂f/∂x, of shape (shape of f, shape of x).

    All rows are computed in one backward pass, or all columns in one forward pass where there are
    fewer of them; in parts where they would need much memory. Nested outputs and arguments give
    nested Jacobians: the output's structure outside, the argument's inside. With `has_aux`, `f`
    returns (result, more), and the new function (Jacobian, more).

    A real output has the derivatives that `grad` gives, a complex output the complex derivative.
    Raises `NotDifferentiableError` where there is none, as for z* or |z|·z of a complex z.

    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    check_callable("jacobian", "f", f)
    check_flag("jacobian", "has_aux", has_aux)
    return partial_derivatives("jacobian", f, argnums, has_aux, forward=None)


def partial_derivatives(
    where: str,
    f: Callable[..., Any],
    argnums: int | Sequence[int],
    has_aux: bool,
    forward: bool | None,
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian, in forward mode or not; None is the cheaper."""

    def run(*args: Any, **keywords: Any) -> Any:
        chosen = normalize_argnums(where, argnums, args)
        positions = sorted(set(chosen))
        call = AuxiliaryCall(where, f) if has_aux else f
        traced = record_call(where, call, args, positions, **keywords)
        ins, outs = ([unwrap(x) for x in xs] for xs in (traced.inputs, traced.outputs))
        real = not any(map(is_complex, (*ins, *outs)))
        rows, columns = (sum(map(np.size, likes)) for likes in (outs, ins))
        ahead = real and (columns < rows if forward is None else forward)
        blocks = None
        if real and forward is not False:
            blocks = banded_jacobian(traced, ins, outs, min(rows, columns))
        if blocks is None and ahead:
            blocks = jacobian_columns(traced, ins, outs)
        if blocks is None or any(has_nan(unwrap(x)) for x in tree.leaves(blocks)):
            blocks = jacobian_rows(traced, ins, outs)  # where zeros stay zeros in all operations
        structure = {i: args[i] for i in positions}

        def of_output(out: int) -> Any:
            found = tree.unflatten(structure, blocks[out])
            picked = tuple(found[i] for i in chosen)
            return picked[0] if isinstance(argnums, int) else picked

        found = tree.unflatten(traced.output, [of_output(i) for i in range(len(outs))])
        return (found, call.released(traced)) if isinstance(call, AuxiliaryCall) else found

    return run


MOST_NUMBERS = 1 << 22
"""The most numbers of one kind that a Jacobian's passes hold at a time."""


def jacobian_rows(traced: RecordedCall, ins: Sequence[Any], outs: Sequence[Any]) -> list[list[Any]]:
    """Return the blocks of a Jacobian, for each output one for each input, by backward passes."""

    def pull(seeds: list[Any]) -> list[Any]:
        return traced.pull(seeds)

    found = in_batches(pull, outs, ins, traced.largest)
    if any(map(is_complex, outs)):
        turned = in_batches(pull, outs, ins, traced.largest, 1j)
        found = [
            [*map(complex_derivative, row, more)] if is_complex(out) else row
            for out, row, more in zip(outs, found, turned, strict=True)
        ]
    return found


def jacobian_columns(
    traced: RecordedCall, ins: Sequence[Any], outs: Sequence[Any]
) -> list[list[Any]]:
    """Return the blocks of a Jacobian, for each output one for each input, by forward passes."""
    columns = in_batches(traced.push, ins, outs, traced.largest)
    return [
        [
            np.moveaxis(columns[i][k], range(np.ndim(x)), range(-np.ndim(x), 0))
            for i, x in enumerate(ins)
        ]
        for k in range(len(outs))
    ]


def banded_jacobian(
    traced: RecordedCall, ins: Sequence[Any], outs: Sequence[Any], passes: int
) -> list[list[Any]] | None:
    """Return the blocks of a Jacobian by few forward passes, or None if they would be as many.

    None too if a number is nan: a column could have got it from another one in its pass.
    """
    if passes < FEWEST_PASSES:
        return None
    intervals = [dependence(traced.order, x, traced.outputs) for x in traced.inputs]
    widths = [width(found) for found in intervals]
    if 2 * sum(widths) > passes:
        return None
    columns: list[list[Any]] = []
    for position, (like, count) in enumerate(zip(ins, widths, strict=True)):
        size = int(np.size(like))
        units = np.zeros((max(1, count), size), np.result_type(getattr(like, "dtype", float)))
        units[np.arange(size) % max(1, count), np.arange(size)] = 1.0
        seeds = [match_shape(0.0, x) for x in ins]
        with Level(len(units)) as level:
            seeds[position] = Batched(units.reshape(len(units), *np.shape(like)), level)
            made = [level.expanded(content_of(x, level)) for x in traced.push(seeds)]
        if any(has_nan(unwrap(x)) for x in made):
            return None
        columns.append(
            [
                spread_band(x, first.reshape(-1), stop.reshape(-1), np.shape(out) + np.shape(like))
                for x, (first, stop), out in zip(made, intervals[position], outs, strict=True)
            ]
        )
    return [[columns[i][k] for i in range(len(ins))] for k in range(len(outs))]


FEWEST_PASSES = 16
"""The number of passes from which on it pays to look if fewer do."""


def spread_band(made: Any, first: Any, stop: Any, shape: tuple[int, ...]) -> Any:
    """Return a block of a Jacobian of which each row was computed within its interval."""
    count, rows = np.shape(made)[0], len(first)
    columns = first[:, None] + np.arange(count)
    row, place = np.nonzero(columns < stop[:, None])
    column = columns[row, place]
    entries = np.reshape(made, (count, rows))[column % count, row]
    full = (rows, int(np.prod(shape)) // max(1, rows))
    if isinstance(entries, np.ndarray):
        out = np.zeros(full, entries.dtype)
        out[row, column] = entries
    else:
        out = PRIMITIVES["put_at"](entries, index=(row, column), shape=full)
    return np.reshape(out, shape)


def in_batches(
    transform: Callable[[list[Any]], list[Any]],
    sources: Sequence[Any],
    targets: Sequence[Any],
    largest: int,
    number: complex = 1.0,
) -> list[list[Any]]:
    """Apply a linear transform of cotangents or tangents to all units, many at a time.

    Return for each source and each target the results, of the shapes of both. They are done one by
    one where a result has a nan: so zeros stay zeros in all operations.
    """
    step = max(1, MOST_NUMBERS // max(1, largest, *map(np.size, targets)))
    zeros = [match_shape(0.0, like) for like in sources]
    found = []
    for position, like in enumerate(sources):

        def apply_to(units: Any, position: int = position) -> list[Any]:
            return transform([*zeros[:position], units, *zeros[position + 1 :]])

        shape = np.shape(like)
        if not shape:
            found.append(apply_to(match_shape(number, like)))
            continue
        size = int(np.size(like))
        units = (number * np.eye(size)).astype(like.dtype).reshape(size, *shape)
        parts = [results_of(apply_to, units[i : i + step]) for i in range(0, len(units), step)]
        parts = parts or [[np.zeros((0, *np.shape(x))) for x in targets]]
        found.append(
            [
                np.reshape(x[0] if len(x) == 1 else np.concatenate(x), shape + np.shape(target))
                for x, target in zip(zip(*parts, strict=True), targets, strict=True)
            ]
        )
    return found


def results_of(apply_to: Callable[[Any], list[Any]], units: Any) -> list[Any]:
    """Apply a linear transform to units, together if no result has a nan."""
    if len(units) > 1:
        with Level(len(units)) as level:
            made = apply_to(Batched(units, level))
            several = [level.expanded(content_of(x, level)) for x in made]
        if not any(has_nan(unwrap(x)) for x in several):
            return several
    return [np.stack(rows) for rows in zip(*map(apply_to, units), strict=True)]


def content_of(x: Any, level: Level) -> Any:
    """Return the array of one entry that a Value holds, and anything else as it is."""
    content = unwrap(x)
    return content if getattr(content, "level", None) is level else x


def complex_derivative(one: Any, i: Any) -> Any:
    """Return the derivative of a complex output from the gradients for its cotangents 1 and i.

    Those are Re f' and Im f' for a real argument, f'* and i f'* for a complex one.
    """
    if not is_complex(one):
        return one + 1j * i
    numbers = unwrap(one)

    def look(error: Any) -> None:
        if np.max(error, initial=0.0) > np.sqrt(np.finfo(np.asarray(error).dtype).eps):
            raise NotDifferentiableError(
                "jacobian: a function from complex to complex numbers must have a complex "
                "derivative (be holomorphic), which this one has not; use vjp or jvp, or return "
                "np.real(...) and np.imag(...) as two outputs"
            )

    check_numbers(np.abs(unwrap(i) - 1j * numbers) / (1 + np.abs(numbers)), look)
    return np.conj(one)


@overload
def hessian(
    f: Callable[..., Any], argnums: int = 0, has_aux: bool = False
) -> Callable[..., Any]: ...
@overload
def hessian(
    f: Callable[..., Any], argnums: Sequence[int], has_aux: bool = False
) -> Callable[..., tuple[tuple[Any, ...], ...]]: ...
def hessian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the second derivatives, of shape (x.shape, x.shape).

    It is the Jacobian of the gradient: the gradient is recorded once, and all columns are pushed
    through it together, or a few for each other where the Hessian has a band. With `has_aux`, `f`
    returns (result, more), and the new function (Hessian, more). For a complex argument the
    gradient seldom has a complex derivative: `jacobian` then raises `NotDifferentiableError`, and
    `hvp` does what is meant.

    >>> hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0])).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    check_callable("hessian", "f", f)
    check_flag("hessian", "has_aux", has_aux)
    gradient = grad(f, argnums, has_aux)
    return partial_derivatives("hessian", gradient, argnums, has_aux, forward=True)
