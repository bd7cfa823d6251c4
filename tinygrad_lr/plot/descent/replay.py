"""A model as it was at any step: a copy of it, put back into the weights that were recorded."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ... import losses
from ...core.grad_mode import no_grad
from ...core.value import Value
from ...errors import ArgumentError, DtypeError, ShapeError, refuse
from ...nn import Module
from ...support.abstract_array import Array
from .loss_slice import Run

Loss = Callable[[Any, Any], Value]

ROWS_AT_ONCE = 4096
NAMES = {"mse": "mean squared error", "mae": "mean absolute error", "<lambda>": "loss"}


class Replay:
    """A copy of a model, in evaluation mode, with the weights of any step.

    Buffers (a running mean) are those that the model has now: a history has none. The copy can
    compute in another dtype: curvatures, which are small differences of losses, want float64.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64)
    >>> replay = Replay(line)
    >>> replay.at({"weight": np.array([[2.0]]), "bias": np.array([1.0])}).predict([3.0])
    array([[7.]])
    """

    def __init__(self, model: Module, dtype: Any = None) -> None:
        self.twin = copy.deepcopy(model).eval()
        if dtype is not None:
            self.twin.astype(dtype)
        self._state = self.twin.state_dict()
        self.dtype = np.result_type(*(parameter.dtype for parameter in self.twin.parameters()))
        self._whole = any(module.takes_integers for module in self.twin.modules())

    def at(self, weights: Mapping[str, Array]) -> Replay:
        """Put the copy into these weights."""
        own = {name: array.astype(self._state[name].dtype) for name, array in weights.items()}
        self.twin.load_state_dict({**self._state, **own})
        return self

    def inputs(self, x: ArrayLike) -> Array:
        """Rows as `fit` hands them to the model: (n,) is one feature."""
        array = np.asarray(x)
        array = array if self._whole and array.dtype.kind in "iu" else array.astype(self.dtype)
        return array[:, None] if array.ndim == 1 and not self._whole else array

    def predict(self, x: ArrayLike) -> Array:
        """What the model gives for the rows, so many at once that they fit in memory."""
        rows = self.inputs(x)
        with no_grad(), np.errstate(all="ignore"):
            starts = range(0, max(len(rows), 1), ROWS_AT_ONCE)
            parts = [self.twin(rows[i : i + ROWS_AT_ONCE]) for i in starts]
        arrays = [p.numpy() if isinstance(p, Value) else np.asarray(p) for p in parts]
        return np.concatenate(arrays)

    def loss(
        self, x: ArrayLike, y: ArrayLike, loss: Loss
    ) -> Callable[[Mapping[str, Array]], float]:
        """The loss as a function of the weights by name."""
        if not callable(loss):
            wrong, expected = "loss is no function", "a loss such as tg.losses.mse"
            refuse(ArgumentError, "loss", wrong, expected=expected, given=f"{loss!r:.60}")
        features = self.inputs(x)
        target = np.asarray(y)
        target = target.astype(self.dtype) if target.dtype.kind == "f" else target

        def loss_at(weights: Mapping[str, Array]) -> float:
            self.at(weights)
            with no_grad(), np.errstate(all="ignore"):
                prediction = self.twin(features)
                column = target.ndim == 1 and prediction.shape == (len(target), 1)
                return float(loss(prediction, target[:, None] if column else target))

        return loss_at


def loss_of(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    loss: Loss = losses.mse,
) -> Callable[[Mapping[str, Array]], float]:
    """The loss as a function of the weights by name, as in `state_dict`; the model stays as it is.

    Shapes: those of `fit`; x (n,) or (n, features), y as the model's output or (n,).

    >>> line = tg.nn.Linear(1, 1)
    >>> loss_at = loss_of(line, [1.0, 2.0], [2.0, 5.0])
    >>> loss_at({"weight": np.float32([[2.0]]), "bias": np.float32([0.0])})
    0.5
    """
    return Replay(model).loss(x, y, loss)


def loss_name(loss: Loss) -> str:
    """What a loss is called on an axis.

    >>> loss_name(tg.losses.mse), loss_name(tg.losses.cross_entropy)
    ('mean squared error', 'cross entropy')
    """
    name = getattr(loss, "__name__", "loss")
    return NAMES.get(name, name.replace("_", " "))


def real_numbers(where: str, name: str, given: Any) -> Array:
    """The numbers as float64. Raises `DtypeError` for anything else."""
    wrong, expected = f"{name} is not made of real numbers", "integers or floats"
    try:
        array = np.asarray(given)
    except ValueError:  # rows of different lengths
        refuse(DtypeError, where, wrong, expected=expected, given=f"{given!r:.60}")
    if array.dtype.kind not in "fiub":
        refuse(DtypeError, where, wrong, expected=expected, given=f"dtype {array.dtype}")
    return array.astype(np.float64)


def checked_rows(where: str, model: Any, x: Any, y: Any) -> tuple[Array, Array]:
    """Inputs and targets of a model, a row of y for each of x.

    Raises `ArgumentError` for what is no module (they come in another order), `ShapeError` where x
    and y do not fit together, `DtypeError` for what is no real number.
    """
    if not isinstance(model, Module):
        cure = f"{where}(model, x, y, ...): the model comes first"
        refuse(ArgumentError, where, "model is no module", expected="a tg.nn.Module",
               given=type(model).__name__, cure=cure)  # fmt: skip
    inputs, targets = np.asarray(x), np.asarray(y)
    for name, array in (("x", inputs), ("y", targets)):
        real_numbers(where, name, array[:1] if array.ndim else array)
    if not inputs.ndim or not targets.ndim or len(inputs) != len(targets) or not len(inputs):
        refuse(
            ShapeError,
            where,
            "x and y do not fit together",
            expected="x (n,) or (n, features), and a row of y for each row of x",
            given=f"x {inputs.shape}, y {targets.shape}",
        )
    return inputs, targets


def one_feature(where: str, x: Array, cure: str) -> Array:
    """The feature, (n,). Raises `ShapeError` where there are several."""
    if x.size != len(x):
        wrong = "a line can be drawn over one feature only"
        refuse(ShapeError, where, wrong, expected="x (n,) or (n, 1)", given=x.shape, cure=cure)
    return x.reshape(len(x)).astype(np.float64)


def checked_history(where: str, model: Module, history: Run) -> Mapping[str, Array]:
    """The weights of a history, which must be those of the model.

    Raises `ArgumentError` for a history without weights, or of another model.
    """
    weights: Mapping[str, Array] = getattr(history, "weights", {})
    cure = "pass what fit returned for this model"
    if not any(len(records) for records in weights.values()):
        wrong, expected = "the history has no weights", "those of a model with parameters"
        refuse(ArgumentError, where, wrong, expected=expected, given=f"{history!r:.80}", cure=cure)
    wanted = {name: parameter.shape for name, parameter in model.named_parameters()}
    given = {name: records.shape[1:] for name, records in weights.items()}
    if wanted != given:
        told = [", ".join(f"{n} {s}" for n, s in list(d.items())[:6]) for d in (wanted, given)]
        wrong = "the history is of another model"
        refuse(ArgumentError, where, wrong, expected=told[0], given=told[1], cure=cure)
    return weights


def record(weights: Mapping[str, Array], i: int) -> dict[str, Array]:
    """The weights of one record, by name."""
    return {name: records[i] for name, records in weights.items()}


def names_of(where: str, x: Array, names: str | Sequence[str], default: str = "x") -> list[str]:
    """A name for each feature of x. Raises `ShapeError` where their number differs."""
    columns = int(np.prod(x.shape[1:], dtype=int))
    given = [names] if isinstance(names, str) else [str(name) for name in names]
    if columns > 1 and given == [default]:
        return [f"{default}[{i}]" for i in range(columns)]
    if len(given) != columns:
        expected, told = f"{columns}, one for each feature of x", f"{len(given)} names"
        refuse(ShapeError, where, "the names do not fit x", expected=expected, given=told)
    return given
