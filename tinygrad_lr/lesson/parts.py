"""The parts of a lesson as data: numbers and text, before anything is printed."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column in figures; its standard deviation is √(Σ (x - mean)² / n)."""

    name: str
    meaning: str
    mean: float
    standard_deviation: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Data:
    """The rows and columns of a regression."""

    source: str
    rows: int
    features: tuple[Column, ...]
    target: Column
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ClosedForm:
    """The least-squares line, with standard errors; see `tg.linear.Line`."""

    names: tuple[str, ...]
    slopes: tuple[float, ...]
    slope_errors: tuple[float, ...]
    intercept: float
    intercept_error: float
    r_squared: float
    mse: float
    residual_standard_deviation: float


@dataclass(frozen=True)
class Snapshot:
    """The loss after a number of steps, and the weights of a line."""

    step: int
    loss: float
    weights: tuple[float, ...] = ()
    bias: float | None = None


@dataclass(frozen=True)
class Descent:
    """Gradient descent to the line; `slopes` and `intercept` are in the columns' own units.

    The weights in `course` are those of standardised features if `standardized`. `agrees` is True
    if each coefficient equals the closed form's to six digits.
    """

    standardized: bool
    means: tuple[float, ...]
    scales: tuple[float, ...]
    learning_rate: float
    learning_rate_limit: float
    batch_size: int | None
    steps: int
    reason: str
    message: str
    course: tuple[Snapshot, ...]
    slopes: tuple[float, ...]
    intercept: float
    loss: float
    agrees: bool
    closed_form: ClosedForm


@dataclass(frozen=True)
class Trial:
    """A learning rate and the descent with it."""

    learning_rate: float
    steps: int
    loss: float
    reason: str
    remark: str


@dataclass(frozen=True)
class Trials:
    """Learning rates on one scale of the features.

    `condition` is the ratio of the loss's largest curvature to its smallest.
    """

    standardized: bool
    limit: float
    condition: float
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class LearningRates:
    """Learning rates that are too small, right and too large, on standardised and raw features."""

    names: tuple[str, ...]
    rows: int
    tables: tuple[Trials, ...]


@dataclass(frozen=True)
class Slope:
    """A weight's derivative, and the update it leads to."""

    name: str
    old: float
    slope: float
    new: float


@dataclass(frozen=True)
class Row:
    """A row of the data in the first step; `shares` are dL/dŷ · x, one for each feature."""

    number: int
    features: tuple[float, ...]
    target: float
    prediction: float
    u: float
    slope_of_u: float
    slope_of_prediction: float
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Derivation:
    """The first step by the chain rule, with the gradients that `backward()` computed."""

    names: tuple[str, ...]
    standardized: bool
    count: int
    loss: float
    learning_rate: float
    rows: tuple[Row, ...]
    weights: tuple[Slope, ...]
    bias: Slope


@dataclass(frozen=True)
class Prediction:
    """A prediction with its spread, the standard deviation of one new observation there.

    `within` of the `rows` are no further from the model than its `typical` error.
    """

    names: tuple[str, ...]
    at: tuple[float, ...]
    target: str
    value: float
    spread: float
    typical: float
    within: int
    rows: int
    outside: bool


@dataclass(frozen=True)
class Trained:
    """A model that was trained, and how."""

    names: tuple[str, ...]
    target: str
    hidden: tuple[int, ...]
    activation: str
    parameters: int
    standardized: bool
    learning_rate: float
    batch_size: int | None
    seed: int
    steps: int
    reason: str
    message: str
    course: tuple[Snapshot, ...]


@dataclass(frozen=True)
class Network(Trained):
    """A network beside the least-squares line, both measured on the training rows."""

    mse: float
    r_squared: float
    line: ClosedForm | None


@dataclass(frozen=True)
class Written:
    """A file that the lesson wrote."""

    what: str
    path: str


@dataclass(frozen=True)
class Classes:
    """The rows and columns of a classification; `counts` has the rows of each of the `labels`."""

    source: str
    target: str
    rows: int
    trained_on: int
    held_out: int
    features: tuple[Column, ...]
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ClassRow:
    """A row at the initial weights: p = softmax(z), and dL/dz from `backward()`."""

    number: int
    label: str
    probabilities: tuple[float, ...]
    slopes: tuple[float, ...]


@dataclass(frozen=True)
class FirstSlopes:
    """The chain rule through softmax and cross entropy, at the initial weights."""

    labels: tuple[str, ...]
    count: int
    loss: float
    rows: tuple[ClassRow, ...]


@dataclass(frozen=True)
class Classification(Trained):
    """A trained classifier, and how often it is right.

    `baseline` is the accuracy of always predicting the `commonest` class. It and `confusion` (rows
    true, columns predicted) are measured on the held-out rows, or on all if there are none.
    """

    labels: tuple[str, ...]
    optimizer: str
    trained_on: int
    accuracy: float
    held_out: int
    held_out_accuracy: float | None
    commonest: str
    baseline: float
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ClassPrediction:
    """The probability of each class at one point."""

    names: tuple[str, ...]
    at: tuple[float, ...]
    target: str
    label: str
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    outside: bool


Part = (
    Data
    | ClosedForm
    | Descent
    | LearningRates
    | Derivation
    | Prediction
    | Network
    | Written
    | Classes
    | FirstSlopes
    | Classification
    | ClassPrediction
)


def as_json(part: Any) -> Any:
    """Return a part as dicts, lists, text and finite numbers; nan and infinities become None.

    >>> as_json(Snapshot(3, math.inf, (0.5,)))
    {'step': 3, 'loss': None, 'weights': [0.5], 'bias': None}
    """
    return _plain(dataclasses.asdict(part))


def as_object(parts: Iterable[Any]) -> dict[str, Any]:
    """Return all parts as one object, by their kind; the written files as a list.

    >>> as_object([Written("the line", "a.safetensors")])
    {'written': [{'what': 'the line', 'path': 'a.safetensors'}]}
    """
    found: dict[str, Any] = {}
    for part in parts:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(part).__name__).lower()
        if isinstance(part, Written):
            found.setdefault(name, []).append(as_json(part))
        else:
            found[name] = as_json(part)
    return found


def _plain(x: Any) -> Any:
    if isinstance(x, dict):
        return {name: _plain(entry) for name, entry in x.items()}
    if isinstance(x, (list, tuple)):
        return [_plain(entry) for entry in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x
