"""The rows that the page shows, and a summary of each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import losses
from ..data import Standardizer
from ..errors import ArgumentError, ShapeError
from ..linear import Line, closed_form
from ..nn import Module
from ..support.abstract_array import Array
from ..support.files import printable
from ..support.validation import check_instance, check_list
from ..train.inputs import as_inputs, as_targets, model_dtype
from .document import round_digits
from .schema import Column, DataPayload

MAX_ROWS, MAX_NUMBERS = 2000, 40_000  # that go into the file
MAX_WORK = 2_000_000  # rows times parameters, for each loss that the page computes itself
MAX_OUTPUT_ROWS = 300  # where the page has outputs only
MAX_COLUMNS = 500  # of which the rows go into the file
MAX_SUMMARIES = 12  # columns that are summarised
MAX_EXACT = 4000  # numbers, above which they are rounded to nine digits


@dataclass(frozen=True, eq=False)
class Data:
    """The data of a run: x (n, ...) and y (n, ...) in the model's scale, and the scalings.

    - `labels`: names of the classes, if y has labels; `parameters`: the number of parameters
    - `x_scaling`, `y_scaling`: the Standardizers that x and y went through, if any
    """

    x: Array
    y: Array
    x_names: tuple[str, ...]
    y_name: str
    labels: tuple[str, ...]
    x_scaling: Standardizer | None
    y_scaling: Standardizer | None
    parameters: int

    @property
    def shown(self) -> Array:
        """The rows to write to the file: all, or as many as fit, evenly spread."""
        room = MAX_OUTPUT_ROWS
        if self.tabular:
            room = min(MAX_ROWS, MAX_NUMBERS // self.x.shape[1], MAX_WORK // self.parameters)
            room = max(room, 100)
        count = min(len(self.x), room)
        return np.linspace(0, len(self.x) - 1, count).round().astype(int)

    @property
    def tabular(self) -> bool:
        """True if a row of x is a row of numbers that fits into the file."""
        return self.x.ndim == 2 and self.x.dtype.kind == "f" and self.x.shape[1] <= MAX_COLUMNS

    def original(self) -> tuple[Array, Array]:
        """The data in their own units."""
        x, y = np.asarray(self.x, np.float64), np.asarray(self.y, np.float64)
        if self.x_scaling is not None:
            x = x * np.asarray(self.x_scaling.scale) + np.asarray(self.x_scaling.mean)
        if self.y_scaling is not None:
            y = y * np.asarray(self.y_scaling.scale) + np.asarray(self.y_scaling.mean)
        return x, y

    def line(self) -> Line | None:
        """The closed form in original units, for one output and a few columns."""
        if not self.tabular or self.x.shape[1] > 50 or self.labels:
            return None
        x, y = self.original()
        try:
            return closed_form(x, y.reshape(len(y)), names=self.x_names)
        except (ArgumentError, ValueError):
            return None

    def with_labels(self, outputs: int) -> Data:
        """Return the data with a label for each output of the model, a number if it has none."""
        if not self.labels:
            return self
        more = map(str, range(len(self.labels), outputs))
        return replace(self, labels=(*self.labels, *more))

    def as_payload(self) -> DataPayload:
        """Return the data for the page: rows in the model's scale, with the scaling to undo."""
        rows = self.shown
        shift, size = _scales(self.y_scaling, 1)
        payload: DataPayload = {
            "rows": len(self.x),
            "features": int(self.x[0].size),
            "x_names": self.x_names,
            "y_name": self.y_name,
            "labels": self.labels,
            "columns": self._summarize_columns(),
            "x_mean": None,
            "y_mean": float(shift[0]),
            "y_scale": float(size[0]),
        }
        if self.tabular:
            payload["x"] = _shorten(self.x[rows])
            payload["x_mean"], payload["x_scale"] = _scales(self.x_scaling, self.x.shape[1])
        if self.y[0].size == 1:
            payload["y"] = _shorten(self.y[rows].reshape(len(rows)))
            payload["row_numbers"] = rows + 1
        return payload

    def _summarize_columns(self) -> list[Column]:
        """Return mean, deviation and range of the first columns and the target, in their units."""
        x, y = self.original()
        columns = list(zip(self.x_names, x.T[:MAX_SUMMARIES], strict=False)) if x.ndim == 2 else []
        if y[0].size == 1 and not self.labels:
            columns.append((self.y_name, y.reshape(len(y))))
        with np.errstate(all="ignore"):
            return [
                {
                    "name": name,
                    "mean": column.mean(),
                    "deviation": column.std(),
                    "low": column.min(),
                    "high": column.max(),
                }
                for name, column in columns
            ]


def prepare_data(
    where: str,
    model: Module,
    loss: Any,
    x: Any,
    y: Any,
    x_names: str | Sequence[str] | None,
    y_name: str,
    labels: Sequence[str] | None,
    x_scaling: Standardizer | None,
    y_scaling: Standardizer | None,
) -> Data:
    """Return the data, checked as in `fit`, with a name for each column."""
    features = as_inputs(where, model, x)
    targets = as_targets(where, y, model_dtype(model), len(features))
    columns = features.shape[1] if features.ndim == 2 else 1
    numbered = [f"x{i}" for i in range(1, columns + 1)] if columns > 1 else ["x"]
    names = [x_names] if isinstance(x_names, str) else numbered
    if x_names is not None and not isinstance(x_names, str):
        names = check_list(where, "x_names", x_names, "a list of names")
    if labels is not None:
        labels = check_list(where, "labels", labels, "a list of names")
    if features.ndim == 2 and len(names) != columns:
        raise ShapeError(
            f"{where}: x_names must have a name for each of the {columns} columns of x, "
            f"got {len(names)}"
        )
    _check_scaling(where, "x_scaling", x_scaling, columns)
    _check_scaling(where, "y_scaling", y_scaling, 1)
    classes = targets.ndim == 1 and targets.dtype.kind in "iu" and targets.min() >= 0
    if classes and labels is None and loss is not losses.mse:
        labels = [str(i) for i in range(int(targets.max()) + 1)]
    if classes and labels is not None and len(labels) <= targets.max():
        raise ShapeError(
            f"{where}: labels must have a label for each class from 0 to {targets.max()}, "
            f"got {len(labels)}"
        )
    return Data(
        *(features, targets, _make_printable(names), printable(str(y_name))),
        _make_printable(labels or ()) if classes else (),
        *(x_scaling, y_scaling, sum(parameter.size for parameter in model.parameters())),
    )


def _make_printable(names: Sequence[object]) -> tuple[str, ...]:
    """Return names on one line each, without characters that could move the text after them."""
    return tuple(printable(str(name)) for name in names)


def _check_scaling(where: str, name: str, scaling: Standardizer | None, columns: int) -> None:
    """Raise `ShapeError` unless the scaling was fitted to this many columns."""
    if scaling is None:
        return
    check_instance(where, name, scaling, Standardizer, "a tg.data.Standardizer")
    shape = np.shape(scaling.mean) if hasattr(scaling, "mean") else None
    if shape not in {(), (columns,)}:
        given = "one that isn't fitted" if shape is None else f"one with means of shape {shape}"
        raise ShapeError(
            f"{where}: {name} must be a Standardizer fitted to {columns} columns, got {given}"
        )


def _scales(scaling: Standardizer | None, columns: int) -> tuple[Array, Array]:
    """Return the mean and the scale of each column."""
    if scaling is None:
        return np.zeros(columns), np.ones(columns)
    mean, scale = (np.asarray(part, np.float64) for part in (scaling.mean, scaling.scale))
    return np.broadcast_to(mean, (columns,)), np.broadcast_to(scale, (columns,))


def _shorten(array: Array) -> Array:
    """Return few numbers in full, many in nine digits."""
    return array if array.size <= MAX_EXACT else round_digits(array, 9)
