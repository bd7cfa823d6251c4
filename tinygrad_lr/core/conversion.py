"""What may be differentiated: real numbers, checked and brought into one form."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import (
    ArgumentError,
    DtypeError,
    NotDifferentiableError,
    bad_argument,
)
from ..support.abstract_array import AbstractArray
from .grad_mode import RECORDING
from .primitive import Primitive

FLOAT64 = np.dtype(np.float64)


def as_data(data: Any) -> Any:
    """What a Value holds for what it is given: a copy, in native byte order, of floats."""
    if type(data) is float or type(data) is int:
        return as_float("Value", data)
    if isinstance(data, AbstractArray):
        return data.fresh() if data.dtype.kind == "f" else data.in_form_of(FLOAT64.type())
    if hasattr(type(data), "__apply__"):
        raise DtypeError(
            "Value: data is already a Value; use it as it is, or value.detach() to leave the graph"
        )
    if isinstance(data, np.ma.MaskedArray):
        raise DtypeError("Value: data is a masked array; fill it first, with data.filled(...)")
    try:
        array = np.array(np.asarray(data), order="K")
    except NotDifferentiableError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(
            bad_argument(
                "Value",
                "data does not make an array",
                expected="a number, or nested lists of equal lengths",
                given=f"{type(data).__name__} ({error})",
            )
        ) from error
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            bad_argument(
                "Value",
                "data is not made of real numbers",
                expected="floats, integers or booleans",
                given=f"{type(data).__name__} of dtype {array.dtype}",
            )
        )
    # np.dtype(char) is NumPy's one object for a dtype: the chain rule compares dtypes by identity
    dtype = np.dtype(array.dtype.char) if array.dtype.kind == "f" else FLOAT64
    array = array.astype(dtype, copy=False) if array.dtype is not dtype else array
    return array[()] if isinstance(data, np.generic) else array


def as_float(where: str, number: float) -> float:
    """A Python number as a float, unless it is an integer that no float can hold."""
    try:
        return float(number)
    except OverflowError:
        raise ArgumentError(
            bad_argument(
                where,
                "an integer is too large",
                expected="below 1.8e308",
                given=f"an integer of {number.bit_length()} bits",  # type: ignore[attr-defined]
            )
        ) from None


def constant(x: Any, operation: Primitive) -> Any:
    """An operand that is not a Value: a number, None, or an array that nobody else writes to."""
    if type(x) is int:
        return as_float(operation.name, x)
    if type(x) is not np.ndarray:
        if x is None or isinstance(x, (bool, int, float)):
            return x
        if isinstance(x, AbstractArray):
            return x.fresh()
        if isinstance(x, np.ma.MaskedArray):
            raise DtypeError(f"{operation.name}: a masked array; fill it first, with filled(...)")
        x = x if isinstance(x, np.generic) else np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise DtypeError(
            bad_argument(
                operation.name,
                "an operand is not made of real numbers",
                expected="a Value, a number or an array of floats, integers or booleans",
                given=f"{type(x).__name__} of dtype {x.dtype}",
            )
        )
    return x.copy(order="K") if x.flags.writeable and RECORDING.get() else x
