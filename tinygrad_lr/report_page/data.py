"""The rows that the page shows, and what there is to say of each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import losses
from ..data import Standardizer
from ..errors import ArgumentError, ShapeError, refuse
from ..linear import Line, closed_form
from ..nn import Module
from ..support.abstract_array import Array
from ..support.files import printable
from ..train.inputs import as_inputs, as_targets, model_dtype
from .document import plain, rounded

MOST_ROWS, MOST_NUMBERS = 2000, 40_000  # that go into the file
MOST_WORK = 2_000_000  # rows times parameters, for each loss that the page computes itself
MOST_OUTPUTS = 300  # rows that outputs alone are told of
MOST_COLUMNS = 500  # of which the rows go into the file
MOST_TOLD = 12  # columns that are summed up
EXACT = 4000  # numbers, above which they are rounded to nine digits


@dataclass(frozen=True, eq=False)
class Data:
    """What the run saw: x (n, ...) and y (n, ...) in the model's scale, and the scales.

    - `labels`: of the classes, where y holds such; `parameters`: how many the model has
    - `x_scaling`, `y_scaling`: what brought x and y to the model's scale, None for nothing
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
        """Which rows go into the file: all, or as many as there is room for, evenly spread."""
        room = MOST_OUTPUTS
        if self.tabular:
            room = min(MOST_ROWS, MOST_NUMBERS // self.x.shape[1], MOST_WORK // self.parameters)
            room = max(room, 100)
        count = min(len(self.x), room)
        return np.linspace(0, len(self.x) - 1, count).round().astype(int)

    @property
    def tabular(self) -> bool:
        """Whether a row of x is a row of numbers, few enough to go into the file."""
        return self.x.ndim == 2 and self.x.dtype.kind == "f" and self.x.shape[1] <= MOST_COLUMNS

    def original(self) -> tuple[Array, Array]:
        """x and y in the units that they came in."""
        x, y = np.asarray(self.x, np.float64), np.asarray(self.y, np.float64)
        if self.x_scaling is not None:
            x = x * np.asarray(self.x_scaling.scale) + np.asarray(self.x_scaling.mean)
        if self.y_scaling is not None:
            y = y * np.asarray(self.y_scaling.scale) + np.asarray(self.y_scaling.mean)
        return x, y

    def line(self) -> Line | None:
        """The closed form in original units, where one number follows from a few columns."""
        if not self.tabular or self.x.shape[1] > 50 or self.labels:
            return None
        x, y = self.original()
        try:
            return closed_form(x, y.reshape(len(y)), names=self.x_names)
        except (ArgumentError, ValueError):
            return None

    def as_json(self) -> dict[str, Any]:
        """The data as the page takes them; rows in the model's scale, with the way back."""
        x, y = self.original()
        rows = self.shown
        found: dict[str, Any] = {
            "rows": len(self.x),
            "features": int(self.x[0].size),
            "x_names": self.x_names,
            "y_name": self.y_name,
            "labels": self.labels,
            "columns": self._columns(x, y),
            "x_mean": None,
        }
        if self.tabular:
            columns = self.x.shape[1]
            one = (np.zeros(columns), np.ones(columns))
            mean, scale = one if self.x_scaling is None else _scales(self.x_scaling, columns)
            found |= {"x": _told(self.x[rows]), "x_mean": mean, "x_scale": scale}
        shift, size = (
            (np.zeros(1), np.ones(1)) if self.y_scaling is None else _scales(self.y_scaling, 1)
        )
        found |= {"y_mean": float(shift[0]), "y_scale": float(size[0])}
        if self.y[0].size == 1:
            found |= {"y": _told(self.y[rows].reshape(len(rows))), "row_numbers": rows + 1}
        return found

    def _columns(self, x: Array, y: Array) -> list[dict[str, Any]]:
        """Mean, deviation and range of the first columns, and of the target."""
        told = []
        if x.ndim == 2:
            told = [*zip(self.x_names, x.T[:MOST_TOLD], strict=False)]
        if y[0].size == 1 and not self.labels:
            told.append((self.y_name, y.reshape(len(y))))
        with np.errstate(all="ignore"):
            found = [
                {
                    "name": name,
                    "mean": column.mean(),
                    "deviation": column.std(),
                    "low": column.min(),
                    "high": column.max(),
                }
                for name, column in told
            ]
        return [plain(column) for column in found]


def gathered(
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
    """The data, checked as `fit` checks them, with a name for each column."""
    features = as_inputs(where, model, x)
    targets = as_targets(where, y, model_dtype(model), len(features))
    columns = features.shape[1] if features.ndim == 2 else 1
    several = [f"x{i}" for i in range(1, columns + 1)] if columns > 1 else ["x"]
    names = several if x_names is None else [x_names] if isinstance(x_names, str) else [*x_names]
    if features.ndim == 2 and len(names) != columns:
        refuse(
            ShapeError,
            where,
            "x_names does not fit x",
            expected=f"{columns} names, one for each column",
            given=f"{len(names)}",
        )
    _check_scaling(where, "x_scaling", x_scaling, columns)
    _check_scaling(where, "y_scaling", y_scaling, 1)
    classes = targets.ndim == 1 and targets.dtype.kind in "iu" and targets.min() >= 0
    if classes and labels is None and loss is not losses.mse:
        labels = [str(i) for i in range(int(targets.max()) + 1)]
    if classes and labels is not None and len(labels) <= targets.max():
        wrong, expected = "labels do not fit y", f"a label for each class up to {targets.max()}"
        refuse(ShapeError, where, wrong, expected=expected, given=f"{len(labels)}")
    return Data(
        *(features, targets, _shown(names), printable(str(y_name))),
        _shown(labels or ()) if classes else (),
        *(x_scaling, y_scaling, sum(parameter.size for parameter in model.parameters())),
    )


def _shown(names: Sequence[object]) -> tuple[str, ...]:
    """Names on one line each, without marks that could move what follows."""
    return tuple(printable(str(name)) for name in names)


def _check_scaling(where: str, name: str, scaling: Standardizer | None, columns: int) -> None:
    """Raise `ShapeError` for a scaling of other columns, or of none yet."""
    if scaling is None:
        return
    shape = np.shape(scaling.mean) if hasattr(scaling, "mean") else None
    if shape not in {(), (columns,)}:
        wrong, expected = f"{name} does not fit", f"a Standardizer fitted to {columns} columns"
        given = "one before fit" if shape is None else f"one fitted to {shape}"
        refuse(ShapeError, where, wrong, expected=expected, given=given)


def _scales(scaling: Standardizer, columns: int) -> tuple[Array, Array]:
    mean, scale = (np.asarray(part, np.float64) for part in (scaling.mean, scaling.scale))
    return np.broadcast_to(mean, (columns,)), np.broadcast_to(scale, (columns,))


def _told(array: Array) -> Any:
    """The numbers in full where they are few, else in nine digits; labels as they are."""
    if array.dtype.kind in "iu" or array.size <= EXACT:
        return array
    return rounded(array, 9)
