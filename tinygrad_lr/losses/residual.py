"""What losses share: two things of one shape, their residual, and its reduction."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.primitive import as_array
from ..core.value import Value
from ..errors import ArgumentError, DtypeError, bad_argument
from ..ops import reduce
from ..support.abstract_array import AbstractArray
from ..support.validation import shape_mismatch


def residual(where: str, prediction: Any, target: Any) -> Any:
    """The difference ŷ - y of two things of one shape; see the package for the dtype."""
    prediction, target = matched(where, prediction, target)
    return prediction - target


def matched(where: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Prediction and target, of one shape; a plain target in the dtype of the prediction."""
    if not isinstance(prediction, Value):
        prediction = real_numbers(where, "prediction", prediction)
    number = type(target) is float or type(target) is int  # such a one never widens anything
    if not isinstance(target, Value) and not (number and prediction.shape == ()):
        if not isinstance(target, (np.ndarray, AbstractArray)) or target.dtype != prediction.dtype:
            target = real_numbers(where, "target", target).astype(prediction.dtype)
            if isinstance(target, np.ndarray):
                target.flags.writeable = False  # nobody else has it: no graph needs a copy
        if prediction.shape != target.shape:
            raise shape_mismatch(where, prediction.shape, target.shape)
    elif not number and prediction.shape != target.shape:
        raise shape_mismatch(where, prediction.shape, target.shape)
    return prediction, target


def reduced(where: str, entries: Any, reduction: str) -> Any:
    """The mean or the sum of the entries, or the entries."""
    if reduction == "mean":
        return reduce.mean(entries)
    if reduction == "sum":
        return reduce.sum(entries)
    if reduction == "none":
        return entries
    raise ArgumentError(
        bad_argument(
            where,
            "reduction is unknown",
            expected="'mean', 'sum' or 'none'",
            given=f"{reduction!r:.60}",
        )
    )


def real_numbers(where: str, name: str, given: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """An array of real numbers. Raises `DtypeError` for anything else, masked arrays too."""
    array = as_array(given)
    if isinstance(array, (float, int)) or array is None:
        array = np.asarray(array)
    if array.dtype.kind not in "fiub" or isinstance(given, np.ma.MaskedArray):
        masked = isinstance(given, np.ma.MaskedArray)
        raise DtypeError(
            bad_argument(
                where,
                f"{name} is not made of real numbers",
                expected="an array of floats or integers",
                given="a masked array" if masked else f"dtype {array.dtype}",
                cure="fill it first, with filled(...)" if masked else "",
            )
        )
    found: np.ndarray[Any, np.dtype[Any]] = (
        array if array.dtype.kind == "f" else array.astype(np.float64)
    )
    return found
