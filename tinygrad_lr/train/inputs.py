"""The data of a training run: converted to the model's dtype, checked, and split into batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from ..data import DataLoader
from ..data.sources import freeze
from ..errors import ArgumentError, DtypeError, ShapeError
from ..nn import Module
from ..support.abstract_array import Array
from ..support.validation import is_masked

Batch = tuple[Array, Array]


def model_dtype(model: Module) -> np.dtype[Any]:
    """Return the dtype of the model's parameters, the widest of several; float64 without any."""
    dtypes = {parameter.dtype for parameter in model.parameters()}
    return np.result_type(*dtypes) if dtypes else np.dtype(np.float64)


def as_inputs(where: str, model: Module, x: Any) -> Array:
    """Return x with its rows, in the model's dtype; integers stay integers for an embedding."""
    return InputConverter(model).inputs(where, x)


class InputConverter:
    """Converts data for one model, whose dtype and layers are looked up once for many batches."""

    def __init__(self, model: Module) -> None:
        self.dtype = model_dtype(model)
        self.takes_integers = any(module.takes_integers for module in model.modules())

    def inputs(self, where: str, x: Any) -> Array:
        """Return x with its rows, in the model's dtype; integers stay integers for an embedding."""
        array = as_model_array(where, "x", x, self.dtype, keep_integers=self.takes_integers)
        return freeze(array[:, None]) if array.ndim == 1 and array.dtype.kind == "f" else array

    def batch(self, where: str, batch: Any) -> Batch:
        """Return the inputs and targets of a loader's batch, checked as whole arrays are."""
        if not isinstance(batch, tuple) or len(batch) != 2:
            given = f"{len(batch)} arrays" if isinstance(batch, tuple) else type(batch).__name__
            raise ArgumentError(
                f"{where}: the loader's batch must be a pair of inputs and targets, got {given}"
            )
        inputs = self.inputs(where, batch[0])
        return inputs, as_targets(where, batch[1], self.dtype, len(inputs))


def as_targets(where: str, y: Any, dtype: np.dtype[Any], rows: int) -> Array:
    """Return y, which must have as many rows as x; integers, such as labels, stay integers."""
    array = as_model_array(where, "y", y, dtype, keep_integers=True)
    if len(array) != rows:
        raise ShapeError(f"{where}: y must have as many rows as x ({rows}), got {len(array)}")
    return array


def as_model_array(
    where: str, name: str, given: Any, dtype: np.dtype[Any], *, keep_integers: bool
) -> Array:
    """Return a read-only array that graphs can share: floats in the dtype, copied if writeable."""
    masked = is_masked(given)
    try:
        raw = np.asarray(given)
    except ValueError:  # ragged
        raw = np.array(None)
    if masked or raw.dtype.kind not in "fiub":
        found = "a masked array" if masked else f"{type(given).__name__} of {raw.dtype}"
        cure = "; fill it first, with filled(...)" if masked else ""
        raise DtypeError(f"{where}: {name} must be an array of real numbers, got {found}{cure}")
    if not raw.ndim or not len(raw):
        raise ShapeError(f"{where}: {name} must have at least one row, got shape {raw.shape}")
    with np.errstate(all="ignore"):
        kind = raw.dtype if keep_integers and raw.dtype.kind != "f" else dtype
        shareable = raw is given and raw.dtype == kind and not raw.flags.writeable
        array = raw if shareable else np.array(raw, kind, order="C")
    require_finite_rows(where, name, array, raw)
    return freeze(array)


def require_finite_rows(where: str, name: str, array: Array, given: Array) -> None:
    """Raise `ArgumentError` for nan and inf, with row, column and the number as it was given."""
    finite = np.isfinite(array)
    if finite.all():
        return
    row, *column = (int(i) for i in np.unravel_index(np.argmin(finite), array.shape))
    place = f"row {row}" + (f", column {', '.join(map(str, column))}" if column else "")
    raise ArgumentError(
        f"{where}: {name} must be finite in {array.dtype}, got {given[(row, *column)]} in {place}; "
        "leave that row out or fill it in"
    )


def largest_entry(array: Array) -> float:
    """Return the largest magnitude; 1 where there are only zeros, labels or indices."""
    return float(np.abs(array).max(initial=0)) or 1.0 if array.dtype.kind == "f" else 1.0


def weight_scale(inputs: Array, targets: Array) -> float:
    """Return the size below which a weight is as good as 0: min(1, |y|, |y| / |x|)."""
    x, y = largest_entry(inputs), largest_entry(targets)
    return min(1.0, y, y / x)


class StepBatches(Iterator[list[Batch]]):
    """The batches of each step, `accumulate` of them, epoch after epoch without end."""

    def __init__(
        self, model: Module, loader: DataLoader, arrays: Batch | None, accumulate: int
    ) -> None:
        self.model, self.loader, self.arrays, self.accumulate = model, loader, arrays, accumulate
        self.restart()

    def restart(self) -> None:
        """Continue from the loader's current position."""
        self._groups = self._epochs()

    def __next__(self) -> list[Batch]:
        return next(self._groups)

    def _epochs(self) -> Iterator[list[Batch]]:
        if self.arrays is not None and len(self.loader) == 1:
            while True:
                yield [self.arrays]  # in order: the loader has no position to keep
        converter = InputConverter(self.model)
        while True:
            batches = self._converted(converter) if self.arrays is None else iter(self.loader)
            while group := list(islice(batches, self.accumulate)):
                yield group

    def _converted(self, converter: InputConverter) -> Iterator[Batch]:
        """Yield one epoch of the caller's loader, its batches checked and converted."""
        for batch in self.loader:
            where = f"fit: batch {self.loader.batch - 1} of epoch {self.loader.epoch}"
            yield converter.batch(where, batch)
