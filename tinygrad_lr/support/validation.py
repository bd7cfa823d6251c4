"""Check arguments: numbers, integers, arrays of floats, class labels."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, LabelError, ShapeError, bad_argument, refuse
from .abstract_array import AbstractArray, Array


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


def check_number(
    where: str, name: str, given: Any, *, positive: bool = False, below: float = math.inf
) -> float:
    """A finite number from 0, or above 0. Raises `ArgumentError` for anything else.

    >>> check_number("Adam", "eps", 0, positive=True)
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


def check_integer(where: str, name: str, given: Any, low: int = 0) -> int:
    """A whole number from `low`. Raises `ArgumentError` for anything else.

    >>> check_integer("Cosine", "steps", 100, low=1)
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


def shape_mismatch(where: str, prediction: tuple[int, ...], target: tuple[int, ...]) -> ShapeError:
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


def class_labels(
    where: str, given: Any, shape: tuple[int, ...], classes: int, ignore_index: int | None = None
) -> Array:
    """The labels as an array of their own, of that shape and of integers from 0 to classes - 1.

    Raises `DtypeError` (a TypeError) for what is not integers, `ShapeError` for another shape,
    `LabelError` (an IndexError) for the first label that is no class and not `ignore_index`, and
    `ArgumentError` for an `ignore_index` that is no integer.

    >>> class_labels("cross_entropy", [2, 0, 3], (3,), 3)
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.LabelError: cross_entropy: label 3 in row 2 is no class; expected 0 to 2 \
(3 classes), given 3
    """
    if isinstance(given, AbstractArray):
        if given.dtype.kind not in "iub":
            integers(where, np.empty(0, given.dtype))
        given.check(lambda now: class_labels(where, now, shape, classes, ignore_index))
        if given.shape != shape:
            class_labels(where, np.zeros(given.shape, int), shape, classes, ignore_index)
        return given.in_form_of(np.intp(0))  # type: ignore[no-any-return]
    array = integers(where, given)
    if ignore_index is not None and not isinstance(ignore_index, (int, np.integer)):
        wrong, found = "ignore_index is no label", f"{ignore_index!r:.60}"
        refuse(ArgumentError, where, wrong, expected="an integer", given=found)
    if array.shape != shape:
        wrong, cure = "the labels do not fit the prediction", ""
        if array.shape == (*shape, 1):
            cure = "pass target[..., 0]"
        refuse(ShapeError, where, wrong, expected=f"shape {shape}", given=array.shape, cure=cure)
    labels = array.astype(np.intp)
    if labels.size and labels.view(np.uintp).max() >= classes:  # a negative one is huge there
        bad = labels.view(np.uintp) >= classes
        if ignore_index is not None:
            bad &= labels != ignore_index
        if bad.any():
            _refuse_label(where, array, bad, classes, ignore_index)
    return labels


def integers(where: str, given: Any) -> Array:
    """Labels as an array of integers or booleans. Raises `DtypeError` for anything else."""
    if hasattr(type(given), "__apply__"):
        found, cure = "a Value", "pass a plain array of integers"
    elif isinstance(given, np.ma.MaskedArray):
        found, cure = "a masked array", "fill it, and name what you filled it with in ignore_index"
    else:
        array = np.asarray(given)
        if array.dtype.kind in "iub":
            return array
        found = f"dtype {array.dtype}"
        cure = "number the classes first, with np.unique(labels, return_inverse=True)"
        if array.dtype.kind == "f":
            cure = "pass target.astype(int), or probabilities in the shape of the prediction"
    refuse(DtypeError, where, "labels are no integers", expected="integers", given=found, cure=cure)


def _refuse_label(
    where: str, array: Array, bad: Array, classes: int, ignore_index: int | None
) -> None:
    """Raise for the first bad label."""
    place = np.argwhere(bad)[0].tolist()
    label = array[tuple(place)]
    row = f" in row {place[0]}" if len(place) == 1 else f" at {place}" if place else ""
    noun = "class" if classes == 1 else "classes"
    expected = f"0 to {classes - 1} ({classes} {noun})"
    if ignore_index is not None:
        expected += f" or ignore_index {ignore_index}"
    cure = ""
    if classes == 1:
        cure = "for one logit a row use binary_cross_entropy"
    elif array.min() == 1 and array.max() == classes:
        cure = "number the classes from 0: pass target - 1"
    refuse(
        LabelError,
        where,
        f"label {label}{row} is no class",
        expected=expected,
        given=label,
        cure=cure,
    )
