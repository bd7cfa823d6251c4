"""NumPy's functions on traced arrays, as instructions or composed of instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from ...core.primitive import NUMPY_IMPLS
from ..ir.instruction import Instruction, constant, make, placeholder_array
from .trace_errors import raise_trace_error
from .traced_array import (
    TRACED_IMPLS,
    Traced,
    View,
    apply_ufunc,
    as_instruction,
    broadcast,
    call_at_run_time,
    cast_to,
    multiply_matrices,
    reduce_axes,
    strengthen,
)

Function = TypeVar("Function", bound=Callable[..., Any])


def implements(*functions: Callable[..., Any]) -> Callable[[Function], Function]:
    """Register a function below as NumPy's on traced arrays."""

    def decorate(own: Function) -> Function:
        TRACED_IMPLS.update(dict.fromkeys(functions, own))
        return own

    return decorate


@implements(np.where)
def where(condition: Any, x: Any, y: Any) -> Traced:
    """Return x where the condition holds, else y."""
    test = as_instruction(condition)
    if test.dtype.kind != "b":
        test = make("cast", [test], dtype=np.dtype(bool))
    return Traced(make("where", [test, as_instruction(x), as_instruction(y)]))


@implements(np.reshape)
def reshape(a: Any, shape: Any, order: str = "C", copy: bool | None = None) -> Traced:
    """Return the same entries in another shape."""
    if copy:
        return reshape(a, shape, order).copy()
    if copy is False:
        raise_trace_error(
            "copy=False needs the layout of an array in memory, which is unknown while tracing",
            "drop copy=False",
        )
    if order == "F":
        return transpose(reshape(transpose(a), tuple(np.atleast_1d(shape).tolist())[::-1]))
    if order not in {"C", "K"}:
        raise_trace_error(
            f"order must be 'C' or 'F', got {order!r}",
            "other orders depend on the memory layout, which is unknown while tracing",
        )
    x = as_instruction(a)
    wanted = resolve_shape(x.shape, shape)

    def apply_reshape(now: Instruction, shape: tuple[int, ...] = wanted) -> Instruction:
        return now if shape == now.shape else make("reshape", [now], shape=shape)

    if not isinstance(a, Traced):
        return Traced(apply_reshape(x))
    if [n for n in wanted if n != 1] != [n for n in x.shape if n != 1]:
        return Traced(apply_reshape(x), View(a, None, None))
    return Traced(
        apply_reshape(x), View(a, apply_reshape, lambda now, new: apply_reshape(new, now.shape))
    )


def resolve_shape(own: tuple[int, ...], new: Any) -> tuple[int, ...]:
    """Return the new shape of an array, with its -1 filled in. Raises what NumPy raises."""
    lengths = new if isinstance(new, int) else tuple(int(n) for n in new)
    shape: tuple[int, ...] = np.broadcast_to(np.zeros(()), own).reshape(lengths).shape
    return shape


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Traced:
    """Return the axes in another order."""
    x = as_instruction(a)
    ndim = len(x.shape)
    np.transpose(np.empty((1,) * ndim), axes)  # raises what NumPy raises
    order = range(ndim)[::-1] if axes is None else [int(i) % ndim for i in axes]

    def apply_transpose(now: Instruction, order: Sequence[int] = tuple(order)) -> Instruction:
        return now if list(order) == list(range(ndim)) else make("transpose", [now], axes=order)

    if not isinstance(a, Traced):
        return Traced(apply_transpose(x))
    back = tuple(np.argsort(order).tolist())
    return Traced(
        apply_transpose(x), View(a, apply_transpose, lambda _, new: apply_transpose(new, back))
    )


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Traced:
    """Exchange two axes."""
    order = list(range(len(as_instruction(a).shape)))
    np.swapaxes(np.empty((1,) * len(order)), axis1, axis2)  # raises what NumPy raises
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(a, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Traced:
    """Move axes to other positions."""
    ndim = len(as_instruction(a).shape)
    marked = np.moveaxis(np.empty(tuple(range(ndim))), source, destination).shape
    return transpose(a, marked)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Traced:
    """Add axes of length 1."""
    return reshape(a, np.expand_dims(placeholder_array(as_instruction(a)), axis).shape)


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Traced:
    """Remove axes of length 1."""
    return reshape(a, np.squeeze(placeholder_array(as_instruction(a)), axis).shape)


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Traced:
    """Return all entries along one axis."""
    return reshape(a, -1, order)


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Traced:
    """Repeat the entries to a shape."""
    x = as_instruction(array)
    wanted = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    shared = (
        View(array, lambda now: broadcast(now, wanted), None) if isinstance(array, Traced) else None
    )
    return Traced(broadcast(x, wanted), shared)


@implements(np.concatenate, np.concat)
def concatenate(arrays: Any, axis: int | None = 0, out: None = None, **options: Any) -> Traced:
    """Join arrays along an axis."""
    if options:
        raise_trace_error(
            f"np.concatenate must not have {' or '.join(f'{x}=' for x in options)} in a compiled "
            "function",
            "convert the result with .astype()",
        )
    if axis is None:
        arrays, axis = [reshape(a, -1) for a in arrays], 0
    parts = [as_instruction(a) for a in arrays]
    dtype = np.result_type(*(x.dtype for x in parts))
    parts = [cast_to(x, dtype, weak=False) for x in parts]
    ndim = len(parts[0].shape)
    position = np.lib.array_utils.normalize_axis_index(axis, ndim)
    return Traced(make("concatenate", parts, axis=position))


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, out: None = None, **options: Any) -> Traced:
    """Join arrays along a new axis."""
    return concatenate([expand_dims(a, axis) for a in arrays], axis, **options)


@implements(np.dot)
def dot(a: Any, b: Any, *, out: None = None) -> Traced:
    """Return the dot product."""
    x, y = strengthen(as_instruction(a)), strengthen(as_instruction(b))
    if not x.shape or not y.shape:
        return apply_ufunc("multiply", Traced(x), Traced(y))
    if len(y.shape) == 1 or (len(x.shape) <= 2 and len(y.shape) <= 2):
        return multiply_matrices("dot", a, b)
    found: Traced = NUMPY_IMPLS[np.tensordot](a, b, axes=(-1, -2))
    return found


def _full(like: Any, number: Any, dtype: Any, shape: Any) -> Traced:
    x = as_instruction(like)
    wanted = x.shape if shape is None else tuple(np.atleast_1d(shape).tolist())
    kind = x.dtype if dtype is None else np.dtype(dtype)
    if x.weak and dtype is None and not wanted:
        return Traced(constant(float(number)))
    return Traced(make("broadcast", [constant(np.asarray(number, kind))], shape=wanted))


@implements(np.zeros_like, np.empty_like)
def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Traced:
    """Return zeros in the shape and dtype of another array."""
    return _full(a, 0, dtype, shape)


@implements(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Traced:
    """Return ones in the shape and dtype of another array."""
    return _full(a, 1, dtype, shape)


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    **_: Any,
) -> Traced:
    """Return one number in the shape and dtype of another array."""
    x = as_instruction(a)
    kind = x.dtype if dtype is None else np.dtype(dtype)
    wanted = x.shape if shape is None else tuple(np.atleast_1d(shape).tolist())
    return Traced(
        make("broadcast", [cast_to(as_instruction(fill_value), kind, weak=False)], shape=wanted)
    )


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Traced:
    """Return the same numbers."""
    return Traced(as_instruction(a))


@implements(np.shares_memory, np.may_share_memory)
def refuse_question_of_memory(*_: Any, **__: Any) -> NoReturn:
    """Raise `TraceError`: where arrays are in memory is settled when the program is complete."""
    raise_trace_error(
        "whether arrays share memory isn't known while tracing",
        "ask outside the compiled function, and pass the answer as a static argument",
    )


@implements(np.all)
def all_(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Test whether all entries are true."""
    return reduce_axes("all", a, axis=axis, keepdims=keepdims)


@implements(np.any)
def any_(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Test whether any entry is true."""
    return reduce_axes("any", a, axis=axis, keepdims=keepdims)


@implements(np.sum)
def sum_(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """Add the entries."""
    return reduce_axes("sum", a, axis=axis, dtype=dtype, keepdims=keepdims)


@implements(np.prod)
def prod(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """Multiply the entries."""
    return reduce_axes("prod", a, axis=axis, dtype=dtype, keepdims=keepdims)


@implements(np.max, np.amax)
def max_(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Return the largest entry."""
    return reduce_axes("max", a, axis=axis, keepdims=keepdims)


@implements(np.min, np.amin)
def min_(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Return the smallest entry."""
    return reduce_axes("min", a, axis=axis, keepdims=keepdims)


@implements(np.mean)
def mean(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Return the mean: of integers and booleans, that of their floats."""
    x = as_instruction(a)
    if x.dtype in {np.dtype(np.float16), np.dtype(np.complex64), np.dtype(np.complex128)}:
        return call_at_run_time(np.mean, (a,), {"axis": axis, "keepdims": keepdims})
    dtype = None if x.dtype.kind == "f" else np.float64
    total = reduce_axes("sum", a, axis=axis, dtype=dtype, keepdims=keepdims)
    return total / (x.size // max(total.size, 1))


@implements(np.clip)
def clip(a: Any, *bounds: Any, **options: Any) -> Any:
    """Limit the entries to two bounds, of which the upper one wins."""
    if "where" in options:
        raise_trace_error(
            "np.clip(..., where=...) leaves entries without a number",
            "use np.where(mask, result, other)",
        )
    if not bounds and options.keys() <= {"min", "max"}:
        bounds, options = (options.get("min"), options.get("max")), {}
    elif not bounds and options.keys() == {"a_min", "a_max"}:
        bounds, options = (options["a_min"], options["a_max"]), {}
    if as_instruction(a).dtype.kind != "f" or options or len(bounds) != 2:
        return call_at_run_time(np.clip, (a, *bounds), options)
    low, high = bounds
    found = np.copy(a) if low is None else np.maximum(a, low)
    return found if high is None else np.minimum(found, high)


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, *args: Any, **options: Any) -> Any:
    """Replace nan and infinities by numbers."""
    found = call_at_run_time(np.nan_to_num, (x, True, *args), options)
    return found if copy or not isinstance(x, Traced) else x.become(found)
