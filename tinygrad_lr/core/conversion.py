"""What may be differentiated: real numbers, checked and brought into one form."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import numpy as np

from ..errors import (
    ArgumentError,
    DtypeError,
    NotDifferentiableError,
    ShapeError,
    bad_argument,
    refuse,
)
from ..support.abstract_array import StandIn
from .grad_mode import RECORDING
from .primitive import Primitive

FLOAT64 = np.dtype(np.float64)
Array = np.ndarray[Any, np.dtype[Any]]


def as_data(data: Any) -> Any:
    """What a Value holds for what it is given: a copy, in native byte order, of floats."""
    if type(data) is float or type(data) is int:
        return as_float("Value", data)
    if isinstance(data, StandIn):
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
        if isinstance(x, StandIn):
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


def float_array(where: str, name: str, value: Any) -> Array:
    """The value as an array of floats: integers as float64, a masked entry as nan."""
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.result_type(value.dtype, np.float16)), np.nan)
    try:
        data = np.asarray(value)
    except ValueError:
        wrong, given = f"{name} has rows of different lengths", type(value).__name__
        refuse(ShapeError, where, wrong, expected="rows of one length", given=given)
    if data.dtype.kind not in "fiub":
        wrong, cure = f"{name} is not made of real numbers", f"convert {name} to floats first"
        expected, given = "integers or floats", f"dtype {data.dtype}"
        refuse(DtypeError, where, wrong, expected=expected, given=given, cure=cure)
    return data if data.dtype.kind == "f" else data.astype(np.float64)


def require_finite(where: str, name: str, data: Array, labels: tuple[str, ...] = ()) -> None:
    """Names the first entry that is nan or infinite."""
    if np.isfinite(data).all():
        return
    index = tuple(np.argwhere(~np.isfinite(data))[0].tolist())
    entry = f"{name}{list(index)}" if index else name
    column = f", in column {labels[index[-1]]!r}," if labels and len(index) == 2 else ""
    wrong, cure = f"{entry}{column} is not finite", "leave that row out or fill it in"
    given = data[index]
    refuse(ArgumentError, where, wrong, expected="finite numbers", given=given, cure=cure)


def checked_number(
    where: str, name: str, given: Any, *, positive: bool = False, below: float = math.inf
) -> float:
    """A finite number from 0, or above 0. Raises `ArgumentError` for anything else.

    >>> checked_number("Adam", "eps", 0, positive=True)
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: Adam: eps is out of range; expected a finite number > 0, \
given 0
    """
    real = isinstance(given, numbers.Real) and not isinstance(given, (bool, np.bool_))
    if real and math.isfinite(given) and (given > 0 if positive else given >= 0) and given < below:
        return float(given)
    least = "> 0" if positive else ", 0 or more"
    expected = (
        f"a finite number{' ' * positive}{least}"
        if below == math.inf
        else (f"a number {'above' if positive else 'from'} 0, below {below:g}")
    )
    wrong = f"{name} is out of range" if real else f"{name} is no number"
    refuse(ArgumentError, where, wrong, expected=expected, given=f"{given!r:.60}")


def checked_whole(where: str, name: str, given: Any, low: int = 0) -> int:
    """A whole number from `low`. Raises `ArgumentError` for anything else.

    >>> checked_whole("Cosine", "steps", 100, low=1)
    100
    """
    try:
        count = operator.index(given)
    except TypeError:
        count = low - 1
    if count < low or isinstance(given, (bool, np.bool_)):
        wrong = f"{name} is no whole number in range"
        expected = f"a whole number, {low} or more"
        refuse(ArgumentError, where, wrong, expected=expected, given=f"{given!r:.60}")
    return count


def misfit(where: str, prediction: tuple[int, ...], target: tuple[int, ...]) -> ShapeError:
    """The error for a target of another shape, with the cure where the two would broadcast."""
    if prediction == (*target, 1):
        cure = "pass target[..., None], or prediction[..., 0]"
    elif target == (*prediction, 1):
        cure = "pass target[..., 0], or prediction[..., None]"
    elif target == prediction[:-1]:
        cure = "for class labels, take cross_entropy (and accuracy)"
    else:
        cure = f"bring both to one shape: {where} does not broadcast"
    return ShapeError(
        bad_argument(
            where,
            "prediction and target have different shapes",
            expected=f"a target of shape {prediction}",
            given=f"{target}",
            cure=cure,
        )
    )
