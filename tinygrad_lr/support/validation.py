"""Check arguments: numbers, integers, flags, choices, dtypes, sizes, arrays, class labels.

Every sentence has one form: "where: argument must be X, got Y", then "; cure" if it isn't obvious.
"""

from __future__ import annotations

import functools
import math
import numbers
import operator
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

import numpy as np

from ..errors import ArgumentError, DtypeError, LabelError, ShapeError
from .abstract_array import AbstractArray, Array
from .type_names import DTypeLike

T = TypeVar("T")


def short_repr(value: object) -> str:
    """Return what an error message shows of a value: one line of at most 60 characters.

    >>> short_repr(np.zeros((2, 2))), short_repr(10**5000)
    ('array([[0., 0.], [0., 0.]])', 'int without a repr')
    """
    try:
        return " ".join(repr(value).split())[:60]
    except Exception:  # Python doesn't write integers of more than 4300 digits
        return f"{type(value).__name__} without a repr"


def check_number(
    where: str, name: str, given: Any, *, positive: bool = False, below: float = math.inf
) -> float:
    """Return a finite number >= 0 (or > 0) as a float. Raises `ArgumentError` for anything else.

    >>> check_number("Adam", "eps", 0, positive=True)
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: Adam: eps must be a finite number > 0, got 0
    """
    number = as_finite(given)
    if (number > 0 if positive else number >= 0) and number < below:
        return number
    bounds = "> 0" if positive else ">= 0"
    expected = (
        f"a finite number {bounds}" if below == math.inf else f"a number {bounds} and < {below:g}"
    )
    raise ArgumentError(f"{where}: {name} must be {expected}, got {short_repr(given)}")


def check_finite(where: str, name: str, given: Any) -> float:
    """Return a finite number of any sign as a float. Raises `ArgumentError` for anything else.

    >>> check_finite("normal", "mean", -2)
    -2.0
    """
    number = as_finite(given)
    if math.isnan(number):
        raise ArgumentError(f"{where}: {name} must be a finite number, got {short_repr(given)}")
    return number


def as_finite(given: Any) -> float:
    """Return a finite real number as a float, and nan for anything else, booleans too."""
    if isinstance(given, numbers.Real) and not isinstance(given, (bool, np.bool_)):
        try:
            number = float(given)
        except OverflowError:
            return math.nan
        return number if math.isfinite(number) else math.nan
    return math.nan


def check_integer(where: str, name: str, given: Any, low: int | None = 0) -> int:
    """Return an integer >= `low` (any for None) as an int. Raises `ArgumentError` otherwise.

    An integer that NumPy can't hold is refused too: nothing has 2^63 rows or steps.

    >>> check_integer("Cosine", "steps", 100, low=1)
    100
    """
    try:
        count = operator.index(given)
    except TypeError:
        count = sys.maxsize + 1
    least = -sys.maxsize if low is None else low
    if not least <= count <= sys.maxsize or isinstance(given, (bool, np.bool_)):
        bounds = "" if low is None else f" >= {low}"
        bounds += " and < 2**63" if isinstance(given, int) and count > sys.maxsize else ""
        raise ArgumentError(f"{where}: {name} must be an integer{bounds}, got {short_repr(given)}")
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
        raise ArgumentError(f"{where}: {name} must be a number, got {short_repr(given)}")
    found: bool | int | float = given
    return found


def check_flag(where: str, name: str, given: Any) -> bool:
    """Return True or False. Raises `ArgumentError` for anything else, such as "no" or None.

    >>> check_flag("Linear", "bias", "no")
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: Linear: bias must be True or False, got 'no'
    """
    if isinstance(given, (bool, np.bool_)):
        return bool(given)
    raise ArgumentError(f"{where}: {name} must be True or False, got {short_repr(given)}")


def check_callable(where: str, name: str, given: Any, expected: str = "a function") -> Any:
    """Return something that can be called. Raises `ArgumentError` for anything else.

    >>> check_callable("minimize", "f", 3)
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: minimize: f must be a function, got 3
    """
    if callable(given):
        return given
    raise ArgumentError(f"{where}: {name} must be {expected}, got {short_repr(given)}")


def check_path(where: str, name: str, given: Any) -> str:
    """Return a path as text. Raises `ArgumentError` for anything that isn't one.

    >>> check_path("load_file", "path", None)
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: load_file: path must be text or a pathlib.Path, got None
    """
    path = os.fspath(given) if isinstance(given, (str, os.PathLike)) else None
    if isinstance(path, str) and path:
        return path
    raise ArgumentError(f"{where}: {name} must be text or a pathlib.Path, got {short_repr(given)}")


def check_text(where: str, name: str, given: Any) -> str:
    """Return text. Raises `ArgumentError` for anything else.

    >>> check_text("report", "title", 3)
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: report: title must be text, got 3
    """
    if isinstance(given, str):
        return given
    raise ArgumentError(f"{where}: {name} must be text, got {short_repr(given)}")


def check_mapping(where: str, name: str, given: Any, expected: str) -> Mapping[Any, Any]:
    """Return a dict. Raises `ArgumentError` for anything else.

    >>> check_mapping("save_file", "tensors", [1.0], "a dict of arrays by name")
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: save_file: tensors must be a dict of arrays by name, got list
    """
    return check_instance(where, name, given, Mapping, expected)


def check_list(where: str, name: str, given: Any, expected: str, cure: str = "") -> list[Any]:
    """Return the entries of a list, a tuple or another iterable but text and dicts, as a list.

    >>> check_list("Joined", "boundaries", 3, "a list of steps")
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: Joined: boundaries must be a list of steps, got 3
    """
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping, type)):
        try:
            return list(given)
        except TypeError:  # an array or a Value without axes
            pass
    raise ArgumentError(f"{where}: {name} must be {expected}, got {short_repr(given)}{cure}")


def check_dtype(where: str, dtype: DTypeLike, kinds: str = "f") -> np.dtype[Any]:
    """Return a floating dtype, or one of other kinds. Raises `DtypeError` for anything else.

    >>> check_dtype("a layer", "float32")
    dtype('float32')
    """
    if isinstance(dtype, (str, type, np.dtype)):  # NumPy reads the dtype of anything that has one
        try:
            chosen = np.dtype(dtype)
        except (TypeError, DeprecationWarning):
            chosen = np.dtype(object)
        if chosen.kind in kinds:
            return chosen.newbyteorder("=")
    expected = "a floating dtype" if kinds == "f" else "a dtype of real numbers"
    raise DtypeError(
        f"{where}: dtype must be {expected} such as numpy.float32, got {short_repr(dtype)}"
    )


def require_memory(where: str, name: str, shape: tuple[int, ...], itemsize: int = 8) -> None:
    """Raise `ArgumentError` for an array that is larger than the memory of this machine.

    >>> require_memory("Linear", "weight", (10**9, 10**9))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: Linear: weight must fit in memory, ... GB, got shape \
(1000000000, 1000000000) of 8e+09 GB
    """
    needed, installed = min(math.prod(shape) * itemsize, 10**300), memory_size()
    if needed > installed:
        raise ArgumentError(
            f"{where}: {name} must fit in memory, {installed / 1e9:.3g} GB, "
            f"got shape {short_repr(shape)} of {needed / 1e9:.3g} GB"
        )


def allocate(
    where: str, name: str, shape: tuple[int, ...], make: Callable[[tuple[int, ...]], Array]
) -> Array:
    """Return make(shape). Raises `ArgumentError` if the array doesn't fit in memory.

    >>> allocate("a layer", "weight", (2,), np.ones)
    array([1., 1.])
    """
    require_memory(where, name, shape)
    try:
        return make(shape)
    except MemoryError as error:
        raise ArgumentError(f"{where}: {name} must fit in memory, got shape {shape}") from error


@functools.cache
def memory_size() -> int:
    """Return the size of this machine's memory in bytes, or of what NumPy can address."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not every system says
        return sys.maxsize


def check_fraction(where: str, name: str, given: Any) -> float:
    """Return a number from 0 to 1 as a float. Raises `ArgumentError` for anything else.

    >>> check_fraction("Dropout", "p", 0.5)
    0.5
    """
    number = as_finite(given)
    if not 0 <= number <= 1:
        raise ArgumentError(
            f"{where}: {name} must be a number from 0 to 1, got {short_repr(given)}"
        )
    return number


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
    raise ArgumentError(f"{where}: {name} must be {expected}, got {short_repr(given)}{cure}")


def check_instance(
    where: str,
    name: str,
    given: Any,
    kind: type[T] | tuple[type[T], ...],
    expected: str,
    cure: str = "",
) -> T:
    """Return an instance of `kind`. Raises `ArgumentError` for anything else, such as its class.

    >>> check_instance("fit", "model", "mlp", dict, "a tg.nn.Module")
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: fit: model must be a tg.nn.Module, got str
    """
    if isinstance(given, kind):
        return given
    found = describe_type(given, kind) or f"{type(given).__name__}{'; ' * bool(cure)}{cure}"
    raise ArgumentError(f"{where}: {name} must be {expected}, got {found}")


def describe_type(given: Any, kind: type | tuple[type, ...] = object) -> str:
    """Return the words for a class in an error, with the cure for one of some kind; else ""."""
    if not isinstance(given, type):
        return ""
    cure = f"; write {given.__name__}(...)" if issubclass(given, kind) else ""
    return f"the class {given.__name__}{cure}"


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
    """Return the value as an array of floats, integers as float64; see `real_array`."""
    data = real_array(where, name, value)
    return data if data.dtype.kind == "f" else data.astype(np.float64)


def as_input(where: str, name: str, value: Any, allow_complex: bool = False) -> Any:
    """Return a Value as it is, anything else as an array of real numbers; see `real_array`."""
    return (
        value
        if hasattr(type(value), "__apply__")
        else real_array(where, name, value, allow_complex)
    )


def shape_of(where: str, name: str, value: Any) -> tuple[int, ...]:
    """Return the shape of a Value, an array or a list. Raises `ShapeError` if rows differ."""
    try:
        return np.shape(value)
    except ValueError:
        raise ShapeError(
            f"{where}: {name} must have rows of equal length, got a {type(value).__name__} "
            "whose rows differ"
        ) from None


def real_array(where: str, name: str, value: Any, allow_complex: bool = False) -> Array:
    """Return the value as an array of floats, integers or booleans, or of complex numbers too.

    Raises `DtypeError` for other entries, a masked array and a Value, `ShapeError` for rows whose
    lengths differ.
    """
    require_unmasked(where, name, value)
    if hasattr(type(value), "__apply__"):
        raise DtypeError(f"{where}: {name} must be a plain array, got a Value; pass value.numpy()")
    if not isinstance(value, (np.ndarray, AbstractArray)):
        shape_of(where, name, value)
    array: Any = value if isinstance(value, AbstractArray) else np.asarray(value)
    if array.dtype.kind not in ("fiubc" if allow_complex else "fiub"):
        found = f"{short_repr(value)}" if not array.shape else f"dtype {array.dtype}"
        raise DtypeError(
            f"{where}: {name} must contain integers or floats, got {found}; "
            f"convert {name} to floats first"
        )
    return array  # type: ignore[no-any-return]


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

        def look(now: Any) -> object:  # vmap looks at the labels of all entries at once
            return class_labels(where, now, np.shape(now), classes, ignore_index)

        given.check(look, classes if ignore_index is None else None)
        if given.shape != shape:
            class_labels(where, np.zeros(given.shape, int), shape, classes, ignore_index)
        return given.cast_like(np.intp(0))  # type: ignore[no-any-return]
    array = integers(where, given)
    if ignore_index is not None:
        check_integer(where, "ignore_index", ignore_index, low=None)
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
        shape_of(where, "labels", given)
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
