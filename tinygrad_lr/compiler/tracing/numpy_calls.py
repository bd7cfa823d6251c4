"""NumPy's functions on traced arrays: those that are instructions, or composed of such."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from ...core.primitive import NUMPY_IMPLS
from ...errors import TraceError
from ..ir.instruction import Instruction, constant, make, placeholder_array
from .python_calls import called
from .trace_errors import refuse_numbers
from .traced_array import Traced, as_instruction, cast_to, elementwise, fit, product, reduced
from .views import View

Own = TypeVar("Own", bound=Callable[..., Any])

DIRECT: dict[Callable[..., Any], Callable[..., Any]] = {}
COMPOSING: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar("composing", default=())
SHAPES = frozenset({np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj})


def function(asked: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """A NumPy function of traced arrays: an instruction, a composition of them, or a call."""
    if options.get("out") is not None:
        refuse_numbers(
            f"np.{asked.__name__} would write into an array",
            "leave out= away and use the result",
        )
    direct = DIRECT.get(asked)
    if direct is not None:
        return direct(*args, **options)
    if asked in SHAPES:
        return asked(*_emptied(args), **options)
    composed = NUMPY_IMPLS.get(asked)
    if composed is not None and asked not in COMPOSING.get():
        token = COMPOSING.set((*COMPOSING.get(), asked))
        try:
            return composed(*args, **options)
        finally:
            COMPOSING.reset(token)
    return called(asked, args, options)


def _emptied(args: Any) -> list[Any]:
    """Arguments for functions that look at shapes and dtypes alone."""
    return [
        (float(1) if x.instruction.weak and not x.shape else placeholder_array(x.instruction))
        if isinstance(x, Traced)
        else x
        for x in args
    ]


# ---- functions that are instructions


def direct(*asked: Callable[..., Any]) -> Callable[[Own], Own]:
    """Let a function below stand for NumPy's."""

    def decorate(own: Own) -> Own:
        DIRECT.update(dict.fromkeys(asked, own))
        return own

    return decorate


def _traced(operation: str, *inputs: Any, **options: Any) -> Traced:
    return Traced(make(operation, [as_instruction(x) for x in inputs], **options))


@direct(np.where)
def where(condition: Any, x: Any, y: Any) -> Traced:
    """x where the condition holds, else y."""
    test = as_instruction(condition)
    if test.dtype.kind != "b":
        test = make("cast", [test], dtype=np.dtype(bool))
    return Traced(make("where", [test, as_instruction(x), as_instruction(y)]))


@direct(np.reshape)
def reshape(a: Any, shape: Any, order: str = "C", **_: Any) -> Traced:
    """The same entries in another shape."""
    if order == "F":
        return transpose(reshape(transpose(a), _reversed(shape)))
    if order not in {"C", "K"}:
        refuse_numbers(
            f"order={order!r} depends on how an array lies in memory", 'write order="C" or "F"'
        )
    x = as_instruction(a)
    wanted = hollow_shape(x.shape, shape)

    def reshaped(now: Instruction, shape: tuple[int, ...] = wanted) -> Instruction:
        return now if shape == now.shape else make("reshape", [now], shape=shape)

    if not isinstance(a, Traced):
        return Traced(reshaped(x))
    if [n for n in wanted if n != 1] != [n for n in x.shape if n != 1]:
        return Traced(reshaped(x), View(a, None, None))
    return Traced(reshaped(x), View(a, reshaped, lambda now, new: reshaped(new, now.shape)))


def _reversed(shape: Any) -> tuple[int, ...]:
    return tuple(np.atleast_1d(shape).tolist())[::-1]


def _shape_of(own: tuple[int, ...], asked: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = np.broadcast_to(np.zeros(()), own).reshape(asked).shape
    return shape


def hollow_shape(own: tuple[int, ...], asked: Any) -> tuple[int, ...]:
    """The shape that is meant, with its -1 filled in."""
    return _shape_of(own, asked if isinstance(asked, int) else tuple(int(n) for n in asked))


@direct(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Traced:
    """The axes in another order."""
    x = as_instruction(a)
    ndim = len(x.shape)
    np.transpose(np.empty((1,) * ndim), axes)  # raises what NumPy raises
    order = range(ndim)[::-1] if axes is None else [int(i) % ndim for i in axes]

    def permuted(now: Instruction, order: Sequence[int] = tuple(order)) -> Instruction:
        return now if list(order) == list(range(ndim)) else make("transpose", [now], axes=order)

    if not isinstance(a, Traced):
        return Traced(permuted(x))
    back = tuple(np.argsort(order).tolist())
    return Traced(permuted(x), View(a, permuted, lambda _, new: permuted(new, back)))


def _wrapped(x: Instruction) -> Traced:
    return Traced(x)


@direct(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Traced:
    """Two axes exchanged."""
    order = list(range(len(as_instruction(a).shape)))
    np.swapaxes(np.empty((1,) * len(order)), axis1, axis2)  # raises what NumPy raises
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(a, order)


@direct(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Traced:
    """Axes moved to other places."""
    ndim = len(as_instruction(a).shape)
    marked = np.moveaxis(np.empty(tuple(range(ndim))), source, destination).shape
    return transpose(a, marked)


@direct(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Traced:
    """New axes of length 1."""
    return reshape(a, np.expand_dims(placeholder_array(as_instruction(a)), axis).shape)


@direct(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Traced:
    """Axes of length 1 taken away."""
    return reshape(a, np.squeeze(placeholder_array(as_instruction(a)), axis).shape)


@direct(np.ravel)
def ravel(a: Any, order: str = "C") -> Traced:
    """All entries along one axis."""
    return reshape(a, -1, order)


@direct(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Traced:
    """The entries repeated."""
    x = as_instruction(array)
    wanted = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    shared = View(array, lambda now: fit(now, wanted), None) if isinstance(array, Traced) else None
    return Traced(fit(x, wanted), shared)


@direct(np.concatenate, np.concat)
def concatenate(arrays: Any, axis: int | None = 0, out: None = None, **options: Any) -> Traced:
    """Arrays joined along an axis."""
    if options:
        raise TraceError("compile: np.concatenate takes no dtype= or casting= here")
    if axis is None:
        arrays, axis = [reshape(a, -1) for a in arrays], 0
    parts = [as_instruction(a) for a in arrays]
    dtype = np.result_type(*(x.dtype for x in parts))
    parts = [cast_to(x, dtype, weak=False) for x in parts]
    ndim = len(parts[0].shape)
    place = np.lib.array_utils.normalize_axis_index(axis, ndim)
    return Traced(make("concatenate", parts, axis=place))


@direct(np.stack)
def stack(arrays: Any, axis: int = 0, out: None = None, **options: Any) -> Traced:
    """Arrays joined along a new axis."""
    return concatenate([expand_dims(a, axis) for a in arrays], axis, **options)


@direct(np.dot)
def dot(a: Any, b: Any, *, out: None = None) -> Traced:
    """NumPy's dot."""
    x, y = as_instruction(a), as_instruction(b)
    if not x.shape or not y.shape:
        return elementwise("multiply", a, b)
    if len(y.shape) == 1 or (len(x.shape) <= 2 and len(y.shape) <= 2):
        return product("dot", a, b)
    found: Traced = NUMPY_IMPLS[np.tensordot](a, b, axes=(-1, -2))
    return found


def _full(like: Any, number: Any, dtype: Any, shape: Any) -> Traced:
    x = as_instruction(like)
    wanted = x.shape if shape is None else tuple(np.atleast_1d(shape).tolist())
    kind = x.dtype if dtype is None else np.dtype(dtype)
    if x.weak and dtype is None and not wanted:
        return _wrapped(constant(float(number)))
    return _traced("broadcast", constant(np.asarray(number, kind)), shape=wanted)


@direct(np.zeros_like, np.empty_like)
def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Traced:
    """Zeros in the shape and dtype of another array."""
    return _full(a, 0, dtype, shape)


@direct(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Traced:
    """Ones in the shape and dtype of another array."""
    return _full(a, 1, dtype, shape)


@direct(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    **_: Any,
) -> Traced:
    """One number in the shape and dtype of another array."""
    x = as_instruction(a)
    kind = x.dtype if dtype is None else np.dtype(dtype)
    wanted = x.shape if shape is None else tuple(np.atleast_1d(shape).tolist())
    return Traced(
        make("broadcast", [cast_to(as_instruction(fill_value), kind, weak=False)], shape=wanted)
    )


@direct(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Traced:
    """The same numbers."""
    return _wrapped(as_instruction(a))


@direct(np.all)
def all_(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Whether all entries hold."""
    return reduced("all", a, axis=axis, keepdims=keepdims)


@direct(np.any)
def any_(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Whether any entry holds."""
    return reduced("any", a, axis=axis, keepdims=keepdims)


@direct(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """The entries held between two bounds, of which the upper one wins."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    found = a if low is None else np.maximum(a, low)
    return found if high is None else np.minimum(found, high)
