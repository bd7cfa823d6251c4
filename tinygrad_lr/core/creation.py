"""New arrays for Values: NumPy's `zeros`, `full`, `array` and their kin, which can be written to.

NumPy cannot ask a Value what `np.zeros` should return, or what `np.array([value, 1.0])` is, so
these have names here. Arrays of floats are constants, Values that require no gradient, until
something that does is written into them; arrays of integers, booleans and others are plain.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, overload

import numpy as np

from ..errors import ArgumentError, DtypeError, NotDifferentiableError, TinygradError
from ..support.abstract_array import AbstractArray, Array
from ..support.type_names import DTypeLike
from ..support.validation import (
    as_input,
    check_choice,
    check_dtype,
    check_flag,
    check_integer,
    require_unmasked,
)
from .conversion import READING_LISTS, has_array, has_value, join
from .node import unwrap
from .primitive import NUMPY_IMPLS
from .value import Value

Shape = int | Sequence[int]
if TYPE_CHECKING:
    Nest: TypeAlias = "complex | np.generic | Array | Value | Sequence[Nest]"
    Plain: TypeAlias = "complex | np.generic | Array | Sequence[Plain]"
else:  # the names in a string are looked up in the module of whoever has it in an annotation
    Nest = complex | np.generic | Array | Value | Sequence[Any]
    Plain = complex | np.generic | Array | Sequence[Any]
IntegerArray: TypeAlias = "np.ndarray[Any, np.dtype[np.integer[Any] | np.bool]]"
Integers: TypeAlias = "int | IntegerArray | Sequence[Integers]"
FloatDtype: TypeAlias = "type[complex | np.inexact[Any]] | np.dtype[np.inexact[Any]]"
IntegerScalar: TypeAlias = "np.integer[Any] | np.bool"
IntegerDtype: TypeAlias = "type[int | IntegerScalar] | np.dtype[IntegerScalar]"
ORDERS = (None, "C", "F", "A", "K")
DEVICES = (None, "cpu")
MAKING_ERRORS = (TypeError, ValueError, OverflowError, MemoryError, AttributeError, SyntaxError)

MISTAKEN_ERRORS = (NotDifferentiableError, AttributeError, TypeError, ValueError)  # of a list


def make_array(where: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return what NumPy makes, for floats a constant Value; its errors and texts are refused."""
    check_choice(where, "device", options.pop("device", None), DEVICES)
    given = {name: x for name, x in options.items() if x is not None}
    for x in args:
        require_unmasked(where, "an argument", x)
    if "dtype" in given:
        given["dtype"] = check_dtype(where, given["dtype"], "fciub")
    if "order" in given:
        check_choice(where, "order", given["order"], ORDERS)
    try:
        made = function(*args, **given)
    except TinygradError:
        raise
    except MAKING_ERRORS as error:
        raise ArgumentError(f"{where}: {error}") from error
    if made.dtype.kind not in "fciub":
        raise DtypeError(f"{where}: arrays must be of numbers, got dtype {made.dtype}")
    return as_constant_value(made)


def as_constant_value(array: Any) -> Any:
    """Return an array of floats as a constant Value that owns it, others as they are."""
    if type(array) is np.ndarray or isinstance(array, AbstractArray):
        return Value(cast(Array, array), requires_grad=False) if array.dtype.kind in "fc" else array
    return array


def require_numbers(where: str, fill_value: Any, kinds: str = "fciub") -> None:
    """Raise `DtypeError` for text, which NumPy reads as a number where it can."""
    kind = as_input(where, "fill_value", fill_value, allow_complex="c" in kinds).dtype
    if kind.kind not in kinds:
        raise DtypeError(f"{where}: fill_value must be a number or an array of them, got {kind}")


@overload
def zeros(
    shape: Shape, dtype: IntegerDtype, order: str | None = None, *, device: str | None = None
) -> Array: ...
@overload
def zeros(
    shape: Shape,
    dtype: FloatDtype | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Value: ...
@overload
def zeros(
    shape: Shape, dtype: DTypeLike, order: str | None = None, *, device: str | None = None
) -> Value | Any: ...
def zeros(
    shape: Shape,
    dtype: DTypeLike | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Any:
    """Return zeros, to be written to: `buffer[i] = value` keeps the gradient of `value`.

    It is a Value that requires no gradient until something that does is written into it; for
    dtypes without gradients, such as int, it is a plain array.

    >>> x = Value([1.0, 2.0])
    >>> buffer = zeros(3)
    >>> buffer[1:] = x * x
    >>> buffer.sum().backward()
    >>> buffer.data.tolist(), x.grad.tolist()
    ([0.0, 1.0, 4.0], [2.0, 4.0])
    """
    return make_array("zeros", np.zeros, shape, dtype=dtype, order=order, device=device)


@overload
def ones(
    shape: Shape, dtype: IntegerDtype, order: str | None = None, *, device: str | None = None
) -> Array: ...
@overload
def ones(
    shape: Shape,
    dtype: FloatDtype | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Value: ...
@overload
def ones(
    shape: Shape, dtype: DTypeLike, order: str | None = None, *, device: str | None = None
) -> Value | Any: ...
def ones(
    shape: Shape,
    dtype: DTypeLike | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Any:
    """Return ones, to be written to; see `zeros`.

    >>> ones(2)
    Value(data=[1. 1.], grad=None)
    """
    return make_array("ones", np.ones, shape, dtype=dtype, order=order, device=device)


@overload
def empty(
    shape: Shape, dtype: IntegerDtype, order: str | None = None, *, device: str | None = None
) -> Array: ...
@overload
def empty(
    shape: Shape,
    dtype: FloatDtype | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Value: ...
@overload
def empty(
    shape: Shape, dtype: DTypeLike, order: str | None = None, *, device: str | None = None
) -> Value | Any: ...
def empty(
    shape: Shape,
    dtype: DTypeLike | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Any:
    """Return an array without meaningful entries, all of which are to be written to; see `zeros`.

    >>> empty((2, 3)).shape
    (2, 3)
    """
    return make_array("empty", np.empty, shape, dtype=dtype, order=order, device=device)


@overload
def full(
    shape: Shape,
    fill_value: Value,
    dtype: FloatDtype | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Value: ...
@overload
def full(
    shape: Shape,
    fill_value: Nest,
    dtype: IntegerDtype,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Array: ...
@overload
def full(
    shape: Shape,
    fill_value: Nest,
    dtype: FloatDtype,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Value: ...
@overload
def full(
    shape: Shape,
    fill_value: Integers,
    dtype: None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Array: ...
@overload
def full(
    shape: Shape,
    fill_value: complex,
    dtype: None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Value: ...
@overload
def full(
    shape: Shape,
    fill_value: Nest,
    dtype: DTypeLike | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Value | Any: ...
def full(
    shape: Shape,
    fill_value: Any,
    dtype: DTypeLike | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
) -> Any:
    """Return an array filled with a number, a Value, or what broadcasts to the shape; see `zeros`.

    >>> w = Value(2.0)
    >>> full(3, w * w).sum().backward()
    >>> w.grad
    12.0
    """
    fill_value = join(fill_value) if has_value(fill_value) else fill_value
    if not isinstance(fill_value, Value):
        require_numbers("full", fill_value)
        return make_array(
            "full", np.full, shape, fill_value, dtype=dtype, order=order, device=device
        )
    own = fill_value.dtype if dtype is None else dtype
    out = make_array("full", np.empty, shape, dtype=own, order=order, device=device)
    if isinstance(out, Value):
        out[...] = fill_value
        return out
    raise ArgumentError(f"full: dtype must be floating for a Value, got {np.dtype(dtype)}")


class Like(Protocol):
    """The signature of `zeros_like` and its kin."""

    __name__: str
    __qualname__: str

    @overload
    def __call__(
        self,
        a: Value,
        dtype: FloatDtype | None = None,
        order: str | None = None,
        subok: bool = True,
        shape: Shape | None = None,
        *,
        device: str | None = None,
    ) -> Value: ...
    @overload
    def __call__(
        self,
        a: Nest,
        dtype: IntegerDtype,
        order: str | None = None,
        subok: bool = True,
        shape: Shape | None = None,
        *,
        device: str | None = None,
    ) -> Array: ...
    @overload
    def __call__(
        self,
        a: Nest,
        dtype: FloatDtype,
        order: str | None = None,
        subok: bool = True,
        shape: Shape | None = None,
        *,
        device: str | None = None,
    ) -> Value: ...
    @overload
    def __call__(
        self,
        a: Nest,
        dtype: DTypeLike | None = None,
        order: str | None = None,
        subok: bool = True,
        shape: Shape | None = None,
        *,
        device: str | None = None,
    ) -> Value | Any: ...


def _like(where: str, make: Callable[..., Any]) -> Like:
    def create(
        a: Nest,
        dtype: DTypeLike | None = None,
        order: str | None = "K",
        subok: bool = True,
        shape: Shape | None = None,
        *,
        device: str | None = None,
    ) -> Any:
        check_flag(where, "subok", subok)
        check_choice(where, "order", order, ORDERS)
        given = None if order == "K" else order
        return make_array(
            where, make, unwrap(a), dtype=dtype, order=given, shape=shape, device=device
        )

    create.__name__ = create.__qualname__ = where
    return cast("Like", create)


zeros_like = _like("zeros_like", np.zeros_like)
zeros_like.__doc__ = """Return zeros of the shape and dtype of an array or a Value; see `zeros`.

    >>> np.zeros_like(Value([1.0, 2.0]))
    Value(data=[0. 0.], grad=None)
    """
ones_like = _like("ones_like", np.ones_like)
ones_like.__doc__ = """Return ones of the shape and dtype of an array or a Value; see `zeros`.

    >>> np.ones_like(Value([1.0, 2.0]))
    Value(data=[1. 1.], grad=None)
    """
empty_like = _like("empty_like", np.empty_like)
empty_like.__doc__ = """Return an array like another, all entries to be written to; see `zeros`.

    >>> np.empty_like(Value([1.0, 2.0])).shape
    (2,)
    """


def full_like(
    a: Any,
    fill_value: Any,
    dtype: DTypeLike | None = None,
    order: str | None = "K",
    subok: bool = True,
    shape: Shape | None = None,
    *,
    device: str | None = None,
) -> Any:
    """Return an array like another, filled with a number or a Value; see `zeros`.

    >>> np.full_like(Value([1.0, 2.0]), 3.0)
    Value(data=[3. 3.], grad=None)
    """
    fill_value = join(fill_value) if has_value(fill_value) else fill_value
    if not isinstance(fill_value, Value):
        check_flag("full_like", "subok", subok)
        own = getattr(unwrap(a), "dtype", None) if dtype is None else None
        if dtype is not None:
            own = check_dtype("full_like", dtype, "fciub")
        require_numbers(
            "full_like", fill_value, "fciub" if own is not None and own.kind == "c" else "fiub"
        )
        given = {"dtype": dtype, "order": order, "shape": shape, "device": device}
        return make_array("full_like", np.full_like, unwrap(a), fill_value, **given)
    out = empty_like(a, dtype, order, subok, shape, device=device)
    if isinstance(out, Value):
        out[...] = fill_value
        return out
    raise ArgumentError(f"full_like: dtype must be floating for a Value, got {out.dtype}")


@overload
def array(  # type: ignore[overload-overlap]  # an int is a number, too
    object: Integers,
    dtype: None = None,
    *,
    copy: bool | None = True,
    order: str | None = None,
    subok: bool = False,
    ndmin: int = 0,
) -> Array: ...
@overload
def array(
    object: Nest,
    dtype: IntegerDtype,
    *,
    copy: bool | None = True,
    order: str | None = None,
    subok: bool = False,
    ndmin: int = 0,
) -> Value | Array: ...
@overload
def array(
    object: Value | complex | Sequence[Value] | Sequence[Sequence[Value]],
    dtype: FloatDtype | None = None,
    *,
    copy: bool | None = True,
    order: str | None = None,
    subok: bool = False,
    ndmin: int = 0,
) -> Value: ...
@overload
def array(
    object: Nest,
    dtype: FloatDtype | None = None,
    *,
    copy: bool | None = True,
    order: str | None = None,
    subok: bool = False,
    ndmin: int = 0,
) -> Value: ...
@overload
def array(
    object: Any,
    dtype: DTypeLike | None = None,
    *,
    copy: bool | None = True,
    order: str | None = None,
    subok: bool = False,
    ndmin: int = 0,
) -> Value | Any: ...
def array(
    object: Any,
    dtype: DTypeLike | None = None,
    *,
    copy: bool | None = True,
    order: str | None = "K",
    subok: bool = False,
    ndmin: int = 0,
) -> Any:
    """Return an array of nested lists of numbers, arrays and Values, with the Values' gradients.

    It is a Value, constant where there is no Value among the entries. Raises `ShapeError` for
    lists of unequal lengths.

    >>> w = Value(3.0)
    >>> array([[w, 1.0], [0.0, w * w]]).sum().backward()
    >>> w.grad
    7.0
    """
    check_flag("array", "copy", bool(copy) if copy is None else copy)
    check_flag("array", "subok", subok)
    check_integer("array", "ndmin", ndmin, low=0)
    if isinstance(object, AbstractArray):
        joined: Any = object.copy() if copy else object
    elif has_array(object):
        joined = join(object)
        joined = joined.copy(order or "K") if joined is object and copy else joined
    else:
        given = {"dtype": dtype, "copy": copy or None, "order": order, "ndmin": ndmin}
        return make_array("array", np.array, object, **given)
    if dtype is not None and np.dtype(dtype) != joined.dtype:
        joined = joined.astype(dtype)
    joined = joined if joined.ndim >= ndmin else joined[(None,) * (ndmin - joined.ndim)]
    return as_constant_value(joined)


@functools.cache
def accept_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of NumPy that also takes nested lists with Values, as `array` reads them.

    NumPy doesn't ask lists what a function should be, and refuses the Values in them; then it is
    called again with arrays. The methods of a ufunc take lists too.

    >>> accept_lists(np.mean)([Value(1.0), 2.0])
    Value(data=1.5, grad=None)
    """

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if not any(isinstance(x, (list, tuple)) for x in (*args, *options.values())):
            return function(*args, **options)
        token = READING_LISTS.set(True)
        try:
            return _call_with_lists(function, args, options)
        finally:
            READING_LISTS.reset(token)

    if isinstance(function, np.ufunc):
        call.__module__ = "numpy"  # which ufuncs say themselves since NumPy 2.3
        for name in dir(function):
            if not name.startswith("_"):
                part = getattr(function, name)
                setattr(call, name, accept_lists(part) if callable(part) else part)
    return call


def _call_with_lists(function: Callable[..., Any], args: Any, options: dict[str, Any]) -> Any:
    try:
        return function(*args, **options)
    except MISTAKEN_ERRORS:
        if not any(map(_is_list, (*args, *options.values()))):
            raise
    with suppress(*MISTAKEN_ERRORS):  # np.concatenate wants arrays in its list, np.mean numbers
        return function(*map(_join_inner, args), **_join_options(_join_inner, options))
    return function(*map(_join_list, args), **_join_options(_join_list, options))


def _is_list(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and has_value(x)


def _join_list(x: Any) -> Any:
    return array(x) if _is_list(x) else x


def _join_inner(x: Any) -> Any:
    return [_join_list(part) for part in x] if _is_list(x) else x


def _join_options(join_one: Callable[[Any], Any], options: dict[str, Any]) -> dict[str, Any]:
    return {name: x if name == "out" else join_one(x) for name, x in options.items()}


class Rows:
    """NumPy's `np.r_` or `np.c_`, whose parts may be Values.

    >>> Rows(np.r_)[Value([1.0, 2.0]), 0, 3:5]
    Value(data=[1. 2. 0. 3. 4.], grad=None)
    """

    def __init__(self, concatenator: Any) -> None:
        self._numpy = concatenator

    def __getitem__(self, key: Any) -> Any:
        parts = list(key) if isinstance(key, tuple) else [key]
        if not any(isinstance(x, Value) or _is_list(x) for x in parts):
            return as_constant_value(self._numpy[key])
        directive = parts[:1] if isinstance(parts[0], str) else []
        if directive in (["r"], ["c"]):
            raise ArgumentError(
                f"r_: the text must be axes such as '0,2' for Values, got {parts[0]!r}, which "
                "makes a np.matrix; write np.r_['1,2,0', ...] for columns"
            )
        arrays = [_as_part(x) for x in parts[len(directive) :]]
        # NumPy arranges the positions of the entries, which are integers
        ends = np.cumsum([np.size(x) for x in arrays])
        positions = [
            np.arange(end - np.size(x), end).reshape(np.shape(x))
            for x, end in zip(arrays, ends, strict=True)
        ]
        dtype = np.result_type(*map(unwrap, arrays))
        entries = np.concatenate([np.ravel(x) for x in arrays])
        taken = entries[self._numpy[(*directive, *positions)]]
        return taken if taken.dtype == dtype else taken.astype(dtype)


def _as_part(x: Any) -> Any:
    """Return one part between the brackets of `np.r_` as an array, or a number as it is."""
    if isinstance(x, slice):
        return np.r_[x]
    return array(x) if isinstance(x, (list, tuple)) else x


NUMPY_IMPLS.update(
    {
        np.zeros_like: zeros_like,
        np.ones_like: ones_like,
        np.empty_like: empty_like,
        np.full_like: full_like,
    }
)
