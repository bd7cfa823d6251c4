"""The data of a training: brought to the model's dtype, checked, and left alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, ShapeError, bad_argument
from ..nn import Module
from ..support.abstract_array import Array


def model_dtype(model: Module) -> np.dtype[Any]:
    """The dtype of the model's parameters, the widest where they differ; float64 without any."""
    dtypes = {parameter.dtype for parameter in model.parameters()}
    return np.result_type(*dtypes) if dtypes else np.dtype(np.float64)


def as_inputs(where: str, model: Module, x: Any) -> Array:
    """x with its rows, in the model's dtype; whole numbers stay whole for one that embeds them."""
    return Intake(model).inputs(where, x)


class Intake:
    """What a model makes of data: it is asked once for many batches."""

    def __init__(self, model: Module) -> None:
        self.dtype = model_dtype(model)
        self.whole = any(module.takes_integers for module in model.modules())

    def inputs(self, where: str, x: Any) -> Array:
        """x with its rows, in the model's dtype; whole numbers stay whole for an embedding."""
        array = checked_array(where, "x", x, self.dtype, whole=self.whole)
        return frozen(array[:, None]) if array.ndim == 1 and array.dtype.kind == "f" else array

    def batch(self, where: str, batch: Any) -> tuple[Array, Array]:
        """The inputs and targets of a loader's batch; raises what arrays as a whole would."""
        if not isinstance(batch, tuple) or len(batch) != 2:
            given = f"{len(batch)} arrays" if isinstance(batch, tuple) else type(batch).__name__
            wrong, expected = "the loader's batch is no pair", "inputs and targets"
            raise ArgumentError(bad_argument(where, wrong, expected=expected, given=given))
        inputs = self.inputs(where, batch[0])
        return inputs, as_targets(where, batch[1], self.dtype, len(inputs))


def as_targets(where: str, y: Any, dtype: np.dtype[Any], rows: int) -> Array:
    """y with as many rows as x; whole numbers, such as labels, stay whole."""
    array = checked_array(where, "y", y, dtype, whole=True)
    if len(array) != rows:
        raise ShapeError(
            bad_argument(
                where,
                "x and y have different numbers of rows",
                expected=f"{rows} row{'s' * (rows != 1)} in y, as in x",
                given=f"{len(array)}",
            )
        )
    return array


def checked_array(where: str, name: str, given: Any, dtype: np.dtype[Any], *, whole: bool) -> Array:
    """A read-only array that graphs can share: floats in the dtype, copied if writeable."""
    masked = isinstance(given, np.ma.MaskedArray)
    try:
        raw = np.asarray(given)
    except ValueError:
        raw = np.array(None)
    if masked or raw.dtype.kind not in "fiub":
        raise DtypeError(
            bad_argument(
                where,
                f"{name} is not made of real numbers",
                expected="an array of floats or integers",
                given="a masked array" if masked else f"{type(given).__name__} of {raw.dtype}",
                cure="fill it first, with filled(...)" if masked else "",
            )
        )
    if not raw.ndim or not len(raw):
        raise ShapeError(
            bad_argument(where, f"{name} has no rows", expected="one or more", given=raw.shape)
        )
    with np.errstate(all="ignore"):
        kind = raw.dtype if whole and raw.dtype.kind != "f" else dtype
        ours = raw is given and raw.dtype == kind and not raw.flags.writeable
        array = raw if ours else np.array(raw, kind, order="C")
    require_finite_rows(where, name, array, raw)
    return frozen(array)


def require_finite_rows(where: str, name: str, array: Array, given: Array) -> None:
    """Raise `ArgumentError` for nan and inf, with row, column and the number as it was given."""
    finite = np.isfinite(array)
    if finite.all():
        return
    row, *column = (int(i) for i in np.unravel_index(np.argmin(finite), array.shape))
    place = f"row {row}" + (f", column {', '.join(map(str, column))}" if column else "")
    raise ArgumentError(
        bad_argument(
            where,
            f"{name} is not finite in {place}",
            expected=f"finite numbers of {array.dtype}",
            given=given[(row, *column)],
            cure="leave that row out or fill it in",
        )
    )


def frozen(array: Array) -> Array:
    """The array, read-only: graphs then need no copy of it."""
    array.flags.writeable = False
    return array
