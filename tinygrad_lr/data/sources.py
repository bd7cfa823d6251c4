"""Where the rows of a batch come from: arrays, files that are read when asked, and samples."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, DtypeError, ShapeError, refuse

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Rows: TypeAlias = "NDArray[np.int64] | slice"

WHERE = "DataLoader"
EVERYTHING = slice(None)


class Source(Protocol):
    """Something with rows: `take` gives some of them, as one array or several."""

    rows: int

    def take(self, rows: Rows) -> tuple[Array, ...]:
        """The rows, in that order, as read-only arrays; for EVERYTHING the source as it is."""


class InMemory:
    """An array: its rows are copied out, all of them at once are the array itself."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.rows = len(array)

    def take(self, rows: Rows) -> tuple[Array, ...]:
        """As the protocol says."""
        if rows is EVERYTHING:
            return (self.array,)
        taken = self.array[rows]
        return (freeze(taken.copy() if isinstance(rows, slice) else taken),)


class OnDisk:
    """A memory-mapped file, or what is indexed like one (h5py, zarr): read in the file's order."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.rows = len(file)

    def take(self, rows: Rows) -> tuple[Array, ...]:
        """As the protocol says."""
        if isinstance(rows, slice):
            if rows is EVERYTHING and isinstance(self.file, np.memmap):
                return (self.file,)
            return (freeze(np.array(self.file[rows])),)
        forwards = np.argsort(rows, kind="stable")
        read = np.asarray(self.file[rows[forwards]])
        taken = np.empty_like(read, subok=False)
        taken[forwards] = read
        return (freeze(taken),)


class Samples:
    """A sequence of samples, each an array or a number, or a tuple of them: stacked."""

    def __init__(self, samples: Any) -> None:
        self.samples = samples
        self.rows = len(samples)

    def take(self, rows: Rows) -> tuple[Array, ...]:
        """As the protocol says."""
        indices = range(self.rows)[rows] if isinstance(rows, slice) else rows.tolist()
        return stacked([self.samples[index] for index in indices], indices)


def stacked(samples: list[Any], indices: Iterable[int]) -> tuple[Array, ...]:
    """The samples side by side: one array for each of their fields.

    Raises `ShapeError` for a sample of other fields or shapes than the first, `DtypeError` for
    one that is no array.
    """
    fields = [sample if isinstance(sample, tuple) else (sample,) for sample in samples]
    arrays = [tuple(map(_field, sample)) for sample in fields]
    shapes = [[array.shape for array in sample] for sample in arrays]
    for index, shape in zip(indices, shapes, strict=True):
        if shape != shapes[0]:
            refuse(
                ShapeError,
                WHERE,
                f"sample {index} does not stack with the others of its batch",
                expected=f"the shapes {shapes[0]}, one for each field",
                given=f"{shape}",
                cure="crop or pad the samples in the data set's __getitem__",
            )
    return tuple(freeze(np.stack(column)) for column in zip(*arrays, strict=True))


def _field(entry: Any) -> Array:
    """One field of a sample as an array."""
    array = _converted(WHERE, "a sample", entry)
    if array.dtype.kind == "O":
        refuse(
            DtypeError,
            WHERE,
            "a sample is not made of numbers or text",
            expected="an array or a number, or a tuple of them",
            given=f"{type(entry).__name__}",
        )
    return array


def as_source(position: int, given: Any, alone: bool) -> Source:
    """What a `DataLoader` was given, as rows. Raises what `DataLoader` raises."""
    name = f"argument {position}"
    source: Source
    if isinstance(given, np.memmap) or (not isinstance(given, np.ndarray) and _like_a_file(given)):
        source = OnDisk(_with_rows(WHERE, name, given))
    elif _of_samples(given, alone):
        source = Samples(given)
    else:
        source = InMemory(as_rows(WHERE, name, given))
    if not source.rows:
        refuse(ArgumentError, WHERE, f"{name} has no rows", expected="one or more", given="0")
    return source


def as_rows(where: str, name: str, given: Any) -> Array:
    """An array with rows: itself, or a read-only one made of what was given.

    Raises `ShapeError` for a number and for ragged rows, `DtypeError` for a Value, a masked array
    and objects that are no numbers or text.
    """
    if hasattr(type(given), "__apply__"):
        expected, cure = "an array", "pass its array, value.data"
        refuse(DtypeError, where, f"{name} is a Value", expected=expected, given="Value", cure=cure)
    if isinstance(given, np.ma.MaskedArray):
        expected, cure = "an array", "fill it first, with filled(...)"
        wrong, kind = f"{name} is a masked array", "MaskedArray"
        refuse(DtypeError, where, wrong, expected=expected, given=kind, cure=cure)
    own = not isinstance(given, np.ndarray)
    array = _converted(where, name, given, copy=own or None)
    _with_rows(where, name, array)
    return freeze(array) if own else array


def _like_a_file(given: Any) -> bool:
    """Whether this is indexed by row numbers like an array, without being one (h5py, zarr)."""
    if hasattr(given, "iloc") or hasattr(type(given), "__apply__"):
        return False  # pandas indexes by label, and a Value would record
    indexed = hasattr(given, "__getitem__") and hasattr(given, "__len__")
    return indexed and isinstance(getattr(given, "dtype", None), np.dtype)


def _of_samples(given: Any, alone: bool) -> bool:
    """Whether this is a sequence of samples rather than an array written as a list."""
    if isinstance(given, (list, tuple)):
        return alone and len(given) > 0 and isinstance(given[0], tuple)
    if isinstance(given, (str, bytes, range)) or hasattr(given, "__array__"):
        return False
    return hasattr(given, "__len__") and hasattr(given, "__getitem__")


def _with_rows(where: str, name: str, array: Any) -> Any:
    """The array, if it has rows of numbers or text."""
    if not len(array.shape):
        given, cure = "shape ()", "pass one entry per row"
        wrong, expected = f"{name} has no rows", "an array of one dimension or more"
        refuse(ShapeError, where, wrong, expected=expected, given=given, cure=cure)
    if np.dtype(array.dtype).kind == "O":
        wrong, expected = f"{name} is not made of numbers or text", "an array, or a list of rows"
        refuse(DtypeError, where, wrong, expected=expected, given=f"dtype {array.dtype}")
    return array


def _converted(where: str, name: str, value: Any, copy: bool | None = None) -> Array:
    """The value as an array; a copy if it must be, or has to."""
    try:
        return np.array(value, copy=copy)
    except ValueError as error:
        refuse(
            ShapeError,
            where,
            f"{name} has rows of different lengths",
            expected="rows of one length",
            given=f"{type(value).__name__} ({error})",
            cure="pad them to one length",
        )


def freeze(array: Array) -> Array:
    """The array, read-only: graphs then need no copy of it."""
    array.flags.writeable = False
    return array


def whole_number(where: str, name: str, given: Any, low: int) -> int:
    """A whole number from `low`. Raises `ArgumentError` for anything else, truth values too."""
    try:
        number = operator.index(given)
    except TypeError:
        number = low - 1
    if isinstance(given, (bool, np.bool_)) or number < low:
        wrong, expected = f"{name} is out of range", f"a whole number from {low}"
        refuse(ArgumentError, where, wrong, expected=expected, given=repr(given))
    return number
