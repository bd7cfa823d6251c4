"""Class labels: integers from 0 to the number of classes less one, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, LabelError, ShapeError, refuse
from .abstract_array import StandIn

Array = np.ndarray[Any, np.dtype[Any]]


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
    if isinstance(given, StandIn):
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
