"""The parts of a lesson: what each has to say, as numbers and words, before anybody prints it."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column in figures; the standard deviation is √(Σ (x - mean)² / n)."""

    name: str
    meaning: str
    mean: float
    standard_deviation: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Data:
    """What there is to learn from."""

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
class Moment:
    """Where a descent stood after a number of steps: the loss, and a line's weights."""

    step: int
    loss: float
    weights: tuple[float, ...] = ()
    bias: float | None = None


@dataclass(frozen=True)
class Descent:
    """Gradient descent to the line; `slopes` and `intercept` are in the columns' own units.

    `course` has the weights as the descent saw them: of standardised features where
    `standardized`. `agrees`: each coefficient is the closed form's to six digits.
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
    course: tuple[Moment, ...]
    slopes: tuple[float, ...]
    intercept: float
    loss: float
    agrees: bool
    closed_form: ClosedForm


@dataclass(frozen=True)
class Trial:
    """One learning rate and what it did."""

    learning_rate: float
    steps: int
    loss: float
    reason: str
    remark: str


@dataclass(frozen=True)
class Trials:
    """Learning rates on one scale of the features.

    `condition`: how many times steeper the loss is in its steepest direction than in its flattest.
    """

    standardized: bool
    limit: float
    condition: float
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class LearningRates:
    """Too small, right and too large: on standardised features, and on the features as they are."""

    names: tuple[str, ...]
    rows: int
    of: int
    tables: tuple[Trials, ...]


@dataclass(frozen=True)
class Slope:
    """A weight's derivative, and the step that it asks for."""

    name: str
    old: float
    slope: float
    new: float


@dataclass(frozen=True)
class Row:
    """One row of the data in the first step; `shares` are dL/dŷ · x, one for each feature."""

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
    """The first step by the chain rule, as `backward()` left it in the graph."""

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
    """A prediction with its spread: the standard deviation of one new observation there.

    `within` of the `rows` lie no further from the model than its `typical` miss.
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
    course: tuple[Moment, ...]


@dataclass(frozen=True)
class Network(Trained):
    """A network beside the least-squares line, both on the rows that they learnt from."""

    mse: float
    r_squared: float
    line: ClosedForm | None


@dataclass(frozen=True)
class Written:
    """A file that the lesson left behind."""

    what: str
    path: str


Part = Data | ClosedForm | Descent | LearningRates | Derivation | Prediction | Network | Written


def as_json(part: Any) -> Any:
    """A part as dicts, lists, text and finite numbers; what is not finite becomes None.

    >>> as_json(Moment(3, math.inf, (0.5,)))
    {'step': 3, 'loss': None, 'weights': [0.5], 'bias': None}
    """
    return _plain(dataclasses.asdict(part))


def as_object(parts: Iterable[Any]) -> dict[str, Any]:
    """All parts as one object, by their kind; the files written as a list.

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
