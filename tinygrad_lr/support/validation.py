"""Check arguments: numbers, integers, choices, arrays of floats, class labels.

Every sentence has one form: "where: argument must be X, got Y", then "; cure" if it isn't obvious.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

import numpy as np

from ..errors import ArgumentError, DtypeError, LabelError, ShapeError
from .abstract_array import AbstractArray, Array

T = TypeVar("T")


def check_number(
    where: str, name: str, given: Any, *, positive: bool = False, below: float = math.inf
) -> float:
    """Return a finite number >= 0 (or > 0) as a float. Raises `ArgumentError` for anything else.

    >>> check_number("Adam", "eps", 0, positive=True)
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: Adam: eps must be a finite number > 0, got 0
    """
    real = isinstance(given, numbers.Real) and not isinstance(given, (bool, np.bool_))
    if real and math.isfinite(given) and (given > 0 if positive else given >= 0) and given < below:
        return float(given)
    bounds = "> 0" if positive else ">= 0"
    expected = (
        f"a finite number {bounds}" if below == math.inf else f"a number {bounds} and < {below:g}"
    )
    raise ArgumentError(f"{where}: {name} must be {expected}, got {given!r:.60}")


def check_integer(where: str, name: str, given: Any, low: int = 0) -> int:
    """Return an integer >= `low` as an int. Raises `ArgumentError` for anything else.

    >>> check_integer("Cosine", "steps", 100, low=1)
    100
    """
    try:
        count = operator.index(given)
    except TypeError:
        count = low - 1
    if count < low or isinstance(given, (bool, np.bool_)):
        raise ArgumentError(f"{where}: {name} must be an integer >= {low}, got {given!r:.60}")
    return count


def plain_number(where: str, name: str, given: Any) -> bool | int | float:
    """Return a number, NumPy's too, or an array of one, as Python has it.

    Raises `ArgumentError` for anything else.

    >>> plain_number("load", "steps", np.array(3))
    3
    """
    array = given if isinstance(given, (np.ndarray, np.generic)) else None
    if array is not None and array.ndim == 0 and array.dtype.kind in "fiub":
        given = array.item()
    if type(given) not in {bool, int, float}:
        raise ArgumentError(f"{where}: {name} must be a number, got {given!r:.60}")
    found: bool | int | float = given
    return found


def check_fraction(where: str, name: str, given: Any) -> float:
    """Return a number from 0 to 1 as a float. Raises `ArgumentError` for anything else.

    >>> check_fraction("Dropout", "p", 0.5)
    0.5
    """
    real = isinstance(given, numbers.Real) and not isinstance(given, (bool, np.bool_))
    if not real or not 0 <= given <= 1:
        raise ArgumentError(f"{where}: {name} must be a number from 0 to 1, got {given!r:.60}")
    return float(given)


def check_choice(where: str, name: str, given: T, choices: Iterable[T]) -> T:
    """Return one of the choices. Raises `ArgumentError` for anything else, with the nearest name.

    >>> check_choice("mse", "reduction", "men", ("mean", "sum", "none"))
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: mse: reduction must be 'mean', 'sum' or 'none', got 'men'; \
did you mean 'mean'?
    """
    options = tuple(choices)
    for option in options:  # by type first: an array or a Value compares entry by entry
        if given is option or (type(given) is type(option) and given == option):
            return option
    *first, last = map(repr, options)
    expected = f"{', '.join(first)} or {last}" if first else last
    import difflib  # a millisecond, for an error only

    names = [option for option in options if isinstance(option, str)]
    near = difflib.get_close_matches(given, names, 1) if isinstance(given, str) else []
    cure = f"; did you mean {near[0]!r}?" if near else ""
    raise ArgumentError(f"{where}: {name} must be {expected}, got {given!r:.60}{cure}")


def check_instance(
    where: str, name: str, given: Any, kind: type[T] | tuple[type[T], ...], expected: str
) -> T:
    """Return an instance of `kind`. Raises `ArgumentError` for anything else.

    >>> check_instance("fit", "model", "mlp", dict, "a tg.nn.Module")
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: fit: model must be a tg.nn.Module, got str
    """
    if isinstance(given, kind):
        return given
    found = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
    raise ArgumentError(f"{where}: {name} must be {expected}, got {found}")


def is_masked(given: Any, depth: int = 64) -> bool:
    """Return True for a masked array, and for lists that hold one: NumPy would drop the mask.

    >>> is_masked([np.ma.masked_array([1.0, 2.0], [True, False])])
    True
    """
    if depth and isinstance(given, (list, tuple)):  # NumPy has at most 64 dimensions
        for x in given:
            if type(x) is not float and type(x) is not int and is_masked(x, depth - 1):
                return True
        return False
    return isinstance(given, np.ma.MaskedArray)


def require_unmasked(where: str, name: str, given: Any) -> None:
    """Raise `DtypeError` for a masked array."""
    if is_masked(given):
        raise DtypeError(
            f"{where}: {name} must not be a masked array; fill it first, with filled(...)"
        )


def float_array(where: str, name: str, value: Any) -> Array:
    """Return the value as an array of floats: integers as float64. Refuses masked arrays."""
    require_unmasked(where, name, value)
    try:
        data = np.asarray(value)
    except ValueError:
        raise ShapeError(
            f"{where}: {name} must have rows of equal length, got a {type(value).__name__} "
            "whose rows differ"
        ) from None
    if data.dtype.kind not in "fiub":
        raise DtypeError(
            f"{where}: {name} must contain integers or floats, got dtype {data.dtype}; "
            f"convert {name} to floats first"
        )
    return data if data.dtype.kind == "f" else data.astype(np.float64)


def require_finite(where: str, name: str, data: Array, labels: tuple[str, ...] = ()) -> None:
    """Raise `ArgumentError` for the first entry that is nan or infinite."""
    if np.isfinite(data).all():
        return
    index = tuple(np.argwhere(~np.isfinite(data))[0].tolist())
    entry = f"{name}{list(index)}" if index else name
    column = f" (column {labels[index[-1]]!r})" if labels and len(index) == 2 else ""
    raise ArgumentError(
        f"{where}: {entry}{column} must be finite, got {data[index]}; "
        "leave that row out or fill it in"
    )


def shape_mismatch(where: str, prediction: tuple[int, ...], target: tuple[int, ...]) -> ShapeError:
    """Return the error for a target of another shape, with the cure where the two broadcast."""
    if prediction == (*target, 1):
        cure = "pass target[..., None], or prediction[..., 0]"
    elif target == (*prediction, 1):
        cure = "pass target[..., 0], or prediction[..., None]"
    elif target == prediction[:-1]:
        cure = "for class labels, use cross_entropy (and accuracy)"
    else:
        cure = f"reshape one of them: {where} does not broadcast"
    return ShapeError(
        f"{where}: target must have the shape of the prediction, {prediction}, got {target}; {cure}"
    )


def class_labels(
    where: str, given: Any, shape: tuple[int, ...], classes: int, ignore_index: int | None = None
) -> Array:
    """Return the labels as a new array of that shape, of integers from 0 to classes - 1.

    Raises `DtypeError` (a TypeError) unless they are integers, `ShapeError` for another shape,
    `LabelError` (an IndexError) for the first label that is out of range and not `ignore_index`,
    and `ArgumentError` unless `ignore_index` is an integer.

    >>> class_labels("cross_entropy", [2, 0, 3], (3,), 3)
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.LabelError: cross_entropy: labels must be from 0 to 2 (3 classes), \
got 3 in row 2
    """
    if isinstance(given, AbstractArray):
        if given.dtype.kind not in "iub":
            integers(where, np.empty(0, given.dtype))
        given.check(lambda now: class_labels(where, now, shape, classes, ignore_index))
        if given.shape != shape:
            class_labels(where, np.zeros(given.shape, int), shape, classes, ignore_index)
        return given.cast_like(np.intp(0))  # type: ignore[no-any-return]
    array = integers(where, given)
    if ignore_index is not None and not isinstance(ignore_index, (int, np.integer)):
        raise ArgumentError(
            f"{where}: ignore_index must be an integer or None, got {ignore_index!r:.60}"
        )
    if array.shape != shape:
        cure = "; pass target[..., 0]" if array.shape == (*shape, 1) else ""
        raise ShapeError(f"{where}: labels must have shape {shape}, got {array.shape}{cure}")
    labels = array.astype(np.intp)
    if labels.size and labels.view(np.uintp).max() >= classes:  # a negative one is huge there
        bad = labels.view(np.uintp) >= classes
        if ignore_index is not None:
            bad &= labels != ignore_index
        if bad.any():
            _refuse_label(where, array, bad, classes, ignore_index)
    return labels


def integers(where: str, given: Any) -> Array:
    """Return labels as an array of integers or booleans. Raises `DtypeError` for anything else."""
    if hasattr(type(given), "__apply__"):
        found, cure = "a Value", "pass a plain array of integers"
    elif is_masked(given):
        found, cure = "a masked array", "fill it, and pass the fill value as ignore_index"
    else:
        array = np.asarray(given)
        if array.dtype.kind in "iub":
            return array
        found = f"dtype {array.dtype}"
        cure = "number the classes first, with np.unique(labels, return_inverse=True)"
        if array.dtype.kind == "f":
            cure = "pass target.astype(int), or probabilities in the shape of the prediction"
    raise DtypeError(f"{where}: labels must be integers, got {found}; {cure}")


def _refuse_label(
    where: str, array: Array, bad: Array, classes: int, ignore_index: int | None
) -> NoReturn:
    """Raise `LabelError` for the first bad label."""
    index = np.argwhere(bad)[0].tolist()
    row = f" in row {index[0]}" if len(index) == 1 else f" at {index}" if index else ""
    expected = "0 (1 class)" if classes == 1 else f"from 0 to {classes - 1} ({classes} classes)"
    if ignore_index is not None:
        expected += f" or ignore_index {ignore_index}"
    cure = ""
    if classes == 1:
        cure = "; for one logit per row use binary_cross_entropy"
    elif array.min() == 1 and array.max() == classes:
        cure = "; number the classes from 0: pass target - 1"
    raise LabelError(f"{where}: labels must be {expected}, got {array[tuple(index)]}{row}{cure}")
