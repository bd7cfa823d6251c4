"""Sources of rows for batches: arrays, files that are read on demand, and samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, DtypeError, ShapeError
from ..support.abstract_array import Array
from ..support.validation import require_unmasked

Rows: TypeAlias = "NDArray[np.int64] | slice"

WHERE = "DataLoader"
EVERYTHING = slice(None)
MAX_FINGERPRINT_ROWS = 1000  # of a file


class Indexed(Protocol):
    """Something with rows or samples, such as a file that is read on demand, or a data set."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, index: Any, /) -> Any:
        """Return a row, or several."""


class Source(Protocol):
    """Something with rows: `take` returns some of them, as one array or several."""

    rows: int

    def take(self, rows: Rows) -> tuple[Array, ...]:
        """Return the rows, in that order, as read-only arrays; for EVERYTHING the source itself."""

    def fingerprint(self) -> str:
        """Return a short text that differs for other rows."""


class InMemory:
    """An array: some rows are copied, all rows are the array itself."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.rows = len(array)

    def take(self, rows: Rows) -> tuple[Array, ...]:
        """Return the rows, as `Source.take` says."""
        if rows is EVERYTHING:
            return (self.array,)
        taken = self.array[rows]
        return (freeze(taken.copy() if isinstance(rows, slice) else taken),)

    def fingerprint(self) -> str:
        """Return a short text that differs for other rows."""
        return fingerprint(self.array)


class OnDisk:
    """A memory-mapped file, or anything indexed like one (h5py, zarr), read in file order."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.rows = len(file)

    def take(self, rows: Rows) -> tuple[Array, ...]:
        """Return the rows, as `Source.take` says."""
        if isinstance(rows, slice):
            if rows is EVERYTHING and isinstance(self.file, np.memmap):
                return (self.file,)
            return (freeze(np.array(self.file[rows])),)
        forwards = np.argsort(rows, kind="stable")
        read = np.asarray(self.file[rows[forwards]])
        taken = np.empty_like(read, subok=False)
        taken[forwards] = read
        return (freeze(taken),)

    def fingerprint(self) -> str:
        """Return a short text for its shape and some of its rows: a file may be larger than memory.

        Every row of a short file counts.
        """
        rows = np.unique(np.linspace(0, self.rows - 1, MAX_FINGERPRINT_ROWS).astype(np.int64))
        return f"{tuple(self.file.shape)} {fingerprint(*self.take(rows))}"


class Samples:
    """A sequence of samples, each an array or a number, or a tuple of them: stacked."""

    def __init__(self, samples: Any) -> None:
        self.samples = samples
        self.rows = len(samples)

    def take(self, rows: Rows) -> tuple[Array, ...]:
        """Return the rows, as `Source.take` says."""
        indices = range(self.rows)[rows] if isinstance(rows, slice) else rows.tolist()
        return stack([self.samples[index] for index in indices], indices)

    def fingerprint(self) -> str:
        """Return a short text for a list; a data set object may draw, so it is not read."""
        if not isinstance(self.samples, (list, tuple)):
            return str(self.rows)
        return fingerprint(*(_field(x) for sample in self.samples for x in _fields(sample)))


def stack(samples: list[Any], indices: Iterable[int]) -> tuple[Array, ...]:
    """Stack the samples: return one array for each of their fields.

    Raises `ShapeError` if a sample has other fields or shapes than the first, `DtypeError` if one
    is not an array of numbers or text.
    """
    fields = [_fields(sample) for sample in samples]
    arrays = [tuple(map(_field, sample)) for sample in fields]
    shapes = [[array.shape for array in sample] for sample in arrays]
    for index, shape in zip(indices, shapes, strict=True):
        if shape != shapes[0]:
            raise ShapeError(
                f"{WHERE}: sample {index} must have the shapes of the others in its batch, "
                f"{shapes[0]}, got {shape}; crop or pad the samples in the data set's __getitem__"
            )
    return tuple(freeze(np.stack(column)) for column in zip(*arrays, strict=True))


def _fields(sample: Any) -> tuple[Any, ...]:
    return sample if isinstance(sample, tuple) else (sample,)


def _field(entry: Any) -> Array:
    """Return one field of a sample as an array."""
    require_unmasked(WHERE, "a sample", entry)
    array = _convert(WHERE, "a sample", entry)
    if array.dtype.kind == "O":
        raise DtypeError(
            f"{WHERE}: a sample must be an array, a number or text, or a tuple of them, got "
            f"{type(entry).__name__}"
        )
    return array


def as_source(position: int, given: Any, alone: bool) -> Source:
    """Return an argument of `DataLoader` as a source of rows. Raises the errors of `DataLoader`."""
    name = f"argument {position}"
    source: Source
    if isinstance(given, np.memmap) or (not isinstance(given, np.ndarray) and _is_file_like(given)):
        source = OnDisk(_require_rows(WHERE, name, given))
    elif _is_samples(given, alone):
        source = Samples(given)
    else:
        source = InMemory(as_rows(WHERE, name, given))
    if not source.rows:
        raise ArgumentError(f"{WHERE}: {name} must have at least one row, got none")
    return source


def as_rows(where: str, name: str, given: Any) -> Array:
    """Return an array itself, or a read-only one of the rows that were given.

    Raises `ShapeError` for a number and for ragged rows, `DtypeError` for a Value, a masked array
    and objects that are neither numbers nor text.
    """
    if hasattr(type(given), "__apply__"):
        raise DtypeError(f"{where}: {name} must be an array, got a Value; pass value.data")
    require_unmasked(where, name, given)
    own = not isinstance(given, np.ndarray)
    array = _convert(where, name, given, copy=own or None)
    _require_rows(where, name, array)
    return freeze(array) if own else array


def _is_file_like(given: Any) -> bool:
    """Return True if an object is indexed by row numbers like an array but isn't one (h5py)."""
    if hasattr(given, "iloc") or hasattr(type(given), "__apply__"):
        return False  # pandas indexes by label, and a Value would record
    indexed = hasattr(given, "__getitem__") and hasattr(given, "__len__")
    return indexed and isinstance(getattr(given, "dtype", None), np.dtype)


def _is_samples(given: Any, alone: bool) -> bool:
    """Return True for a sequence of samples, and not an array written as a list."""
    if isinstance(given, (list, tuple)):
        return alone and len(given) > 0 and isinstance(given[0], tuple)
    if isinstance(given, (str, bytes, range, type)) or hasattr(given, "__array__"):
        return False
    return hasattr(given, "__len__") and hasattr(given, "__getitem__")


def _require_rows(where: str, name: str, array: Any) -> Any:
    """Return the array, if it has rows of numbers or text."""
    if not len(array.shape):
        raise ShapeError(
            f"{where}: {name} must have rows, got shape (); pass one entry for each row"
        )
    if np.dtype(array.dtype).kind == "O":
        raise DtypeError(
            f"{where}: {name} must be an array, or a list of rows, of numbers or text, got dtype "
            f"{array.dtype}"
        )
    return array


def _convert(where: str, name: str, value: Any, copy: bool | None = None) -> Array:
    """Return the value as an array; `copy` is that of `numpy.array`."""
    try:
        return np.array(value, copy=copy)
    except ValueError as error:
        raise ShapeError(
            f"{where}: {name} must have rows of equal length, got {type(value).__name__} "
            f"({error}); pad them to one length"
        ) from error


def fingerprint(*arrays: Array) -> str:
    """Return a short text that differs for other data."""
    import hashlib  # here: few loaders need it

    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def freeze(array: Array) -> Array:
    """Make the array read-only, and return it: graphs then need no copy of it."""
    array.flags.writeable = False
    return array
