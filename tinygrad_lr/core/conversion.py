"""Convert what users pass to the numbers that a graph holds: inexact, and owned by the graph."""

from __future__ import annotations

import contextvars
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, NotDifferentiableError
from ..support.abstract_array import AbstractArray
from ..support.validation import as_input, is_masked
from .grad_mode import RECORDING
from .primitive import Primitive

FLOAT64 = np.dtype(np.float64)
COMPLEX = frozenset({np.dtype(np.complex64), np.dtype(np.complex128)})
READING_LISTS: contextvars.ContextVar[bool] = contextvars.ContextVar("READING_LISTS", default=False)
"""True while NumPy reads a list: it is not to read the Values in it, which `join` does."""


def as_data(data: Any) -> Any:
    """Return the data of a Value: a copy of what is given, in native byte order.

    Floats and complex numbers keep their precision; integers and booleans become float64.
    """
    if type(data) is float or type(data) is int:
        return as_float("Value", data)
    if isinstance(data, AbstractArray):
        return data.copy() if data.dtype.kind in "fc" else data.cast_like(FLOAT64.type())
    if hasattr(type(data), "__apply__"):
        raise DtypeError(
            "Value: data must be numbers, got a Value; use it as it is, or value.detach() to leave "
            "the graph"
        )
    if is_masked(data):
        raise DtypeError(
            "Value: data must not be a masked array; fill it first, with data.filled(...)"
        )
    try:
        array = np.array(np.asarray(data), order="K")
    except NotDifferentiableError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(
            "Value: data must be a number, an array or nested lists of equal lengths, got "
            f"{type(data).__name__} ({error})"
        ) from error
    kind = array.dtype.kind
    if kind not in "fiub" and array.dtype.newbyteorder("=") not in COMPLEX:
        raise DtypeError(
            "Value: data must contain floats, complex numbers, integers or booleans, got "
            f"{type(data).__name__} of dtype {array.dtype}"
        )
    # np.dtype(char) is NumPy's one object for a dtype: the chain rule compares dtypes by identity
    dtype = np.dtype(array.dtype.char) if kind in "fc" else FLOAT64
    array = array.astype(dtype, copy=False) if array.dtype is not dtype else array
    return array[()] if isinstance(data, (np.generic, complex)) else array


def as_float(where: str, number: float) -> float:
    """Return a Python number as a float. Raises `ArgumentError` for too large an integer."""
    try:
        return float(number)
    except OverflowError:
        bits = number.bit_length()  # type: ignore[attr-defined]
        raise ArgumentError(
            f"{where}: an integer must be below 1.8e308, got one of {bits} bits"
        ) from None


def as_constant(x: Any, operation: Primitive) -> Any:
    """Return an operand that is not a Value: a number, None, or an array that nobody writes to."""
    if type(x) is int:
        return as_float(operation.name, x)
    if type(x) is not np.ndarray:
        if x is None or isinstance(x, (bool, int, float)):
            return x
        if type(x) is complex and operation.takes_complex:
            return x
        if isinstance(x, AbstractArray):
            return x.copy()
        if not isinstance(x, np.generic):
            x = as_input(operation.name, "an operand", x, allow_complex=operation.takes_complex)
    if x.dtype.kind not in "fiub" and not (operation.takes_complex and x.dtype in COMPLEX):
        raise DtypeError(
            f"{operation.name}: operands must be Values, numbers or arrays of floats, integers or "
            f"booleans, got {type(x).__name__} of dtype {x.dtype}"
        )
    shared = x.flags.writeable or x.base is not None  # a read-only view changes with its base
    return x.copy(order="K") if shared and RECORDING.get() else x


def has_value(nest: Any) -> bool:
    """Return True if a Value is in nested lists and tuples."""
    if isinstance(nest, (list, tuple)):
        return any(map(has_value, nest))
    return hasattr(type(nest), "__apply__")


def has_array(nest: Any) -> bool:
    """Return True if a Value or an array without numbers is in nested lists and tuples."""
    if isinstance(nest, (list, tuple)):
        return any(map(has_array, nest))
    return isinstance(nest, AbstractArray) or hasattr(type(nest), "__apply__")


def join(nest: Any) -> Any:
    """Return nested lists with Values in them as one Value, stacked level by level."""
    if not isinstance(nest, (list, tuple)):
        return nest
    return np.stack([join(x) for x in nest]) if has_array(nest) else np.asarray(nest)
