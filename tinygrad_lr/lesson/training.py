"""Train on a problem: turn the settings into a model and a learning rate, and call `fit`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..data import Standardizer
from ..errors import ArgumentError, DivergenceError
from ..support.abstract_array import Array
from ..support.files import printable
from ..support.text_format import round_down
from ..support.validation import memory_size
from ..train import History, fit
from ..train.history import count_of
from .condensed import Condensed
from .predictor import Description, Predictor
from .problem import Problem

COPIES = 4  # of the weights and of a step's activations: values, gradients, updates, temporaries


@dataclass(frozen=True)
class Settings:
    """The settings of a training. Those that are None are chosen to suit the data.

    - `learning_rate`: 0.1, or half the stable limit if that is less
    - `steps`, `tolerance`, `batch_size`: as in `tg.fit`
    - `seed`: for initial weights and batch order
    - `standardize`: scale features (and a network's target) to mean 0 and standard deviation 1
    - `hidden`, `activation`: of a network's hidden layers; no layers make a line
    - `at`: the features to make a prediction for; their medians if None
    """

    learning_rate: float | None = None
    steps: int = 1000
    tolerance: float = 1e-12
    batch_size: int | None = None
    seed: int = 0
    standardize: bool = True
    hidden: tuple[int, ...] = ()
    activation: str = "tanh"
    at: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Training:
    """A finished training.

    `rate` is the learning rate, `limit` the largest stable one of a line (a network's changes as
    it learns).
    """

    predictor: Predictor
    problem: Problem
    history: History
    rate: float
    limit: float | None

    @property
    def features(self) -> Array:
        """The features of all rows (rows, features), in the model's scale."""
        return self.predictor.features(self.problem.x)

    @property
    def targets(self) -> Array:
        """The targets of all rows (rows,), in the model's scale."""
        description = self.predictor.description
        return np.asarray((self.problem.y - description.y_mean) / description.y_scale)


def describe_model(
    problem: Problem, settings: Settings, condensed: Condensed | None = None
) -> Description:
    """Return the description of the model for the settings, with the scaling of the data."""
    features = len(problem.x_names)
    x_mean, x_scale = np.zeros(features), np.ones(features)
    y_mean, y_scale = 0.0, 1.0
    if settings.standardize and condensed is not None:
        x_mean, x_scale = condensed.x_mean, condensed.x_scale
    elif settings.standardize:
        scaling = Standardizer().fit(problem.x)
        x_mean, x_scale = np.asarray(scaling.mean), np.asarray(scaling.scale)
        if settings.hidden:
            target = Standardizer().fit(problem.y)
            y_mean, y_scale = float(target.mean), float(target.scale)
    return Description(
        x_names=problem.x_names,
        y_name=problem.y_name,
        hidden=settings.hidden,
        activation=settings.activation,
        x_mean=tuple(x_mean.tolist()),
        x_scale=tuple(x_scale.tolist()),
        y_mean=y_mean,
        y_scale=y_scale,
    )


def check_batch(path: str, rows: int, settings: Settings) -> None:
    """Raise `ArgumentError` for a batch larger than the data."""
    if settings.batch_size is not None and settings.batch_size > rows:
        raise ArgumentError(
            f"--batch-size must be at most {rows}, the number of training rows in "
            f"{printable(path)}, got {settings.batch_size}"
        )


def check_memory(path: str, rows: int, description: Description, settings: Settings) -> None:
    """Raise `ArgumentError` if a step takes more memory than the machine has."""
    weights = sum(math.prod(shape) for shape in description.shapes().values())
    widths = (len(description.x_names), *description.hidden, description.outputs)
    batch = settings.batch_size or rows
    needed, available = 8 * COPIES * (weights + batch * sum(widths)), memory_size()
    if needed > available:
        cure = "choose fewer or narrower --hidden layers"
        if batch * sum(widths) > weights:
            cure = "pass a smaller --batch-size"
        raise ArgumentError(
            f"{printable(path)}: a step must fit into memory, {available / 1e9:.3g} GB, but "
            f"{batch} rows and {weights} weights need about {needed / 1e9:.3g} GB; {cure}"
        )


def train(problem: Problem, settings: Settings, condensed: Condensed | None = None) -> Training:
    """Train a line from w = 0 and b = 0, or a network from initial weights that the seed draws.

    A line descends on the condensed rows if there are some, unless it takes batches: on those each
    step is the step on all rows.

    Raises `DivergenceError` if the learning rate was too large, naming the largest stable one, and
    `ArgumentError` if the features are too large for any.
    """
    description = describe_model(problem, settings, condensed)
    if settings.hidden:
        check_memory(problem.path, problem.rows, description, settings)
    predictor = Predictor(description, description.build_model(settings.seed))
    if condensed is None or settings.batch_size is not None:
        features = predictor.features(problem.x)
        targets = (problem.y - description.y_mean) / description.y_scale
    else:
        features, targets = condensed.x, condensed.y * condensed.y_scale + condensed.y_mean
        if not settings.standardize:
            features = features * condensed.x_scale + condensed.x_mean
    limit = None if settings.hidden else stable_rate(features)
    if limit is not None and not limit > 0:
        raise ArgumentError(
            f"{printable(problem.path)}: --no-standardize needs features below about 1e153 in "
            f"size, got up to {abs(problem.x).max():.3g}; leave it out"
        )
    rate = settings.learning_rate
    if rate is None:
        rate = 0.1 if settings.standardize else 0.001
        rate = rate if limit is None else default_rate(limit)
    history = fit(
        predictor.model,
        features,
        targets,
        learning_rate=rate,
        steps=settings.steps,
        batch_size=settings.batch_size,
        tolerance=settings.tolerance,
        generator=settings.seed,
        progress=None if settings.hidden else False,
        warn=False,
    )
    if history.reason == "diverged":
        raise divergence_error(history, settings, limit)
    return Training(predictor, problem, history, rate, limit)


def stable_rate(features: Array) -> float:
    """Return the largest stable learning rate of a line, 2/λmax; nan or 0 beyond float64.

    The Hessian of the mean squared error is 2/n [1, x]'[1, x], so λmax is at least 2.
    """
    with np.errstate(all="ignore"):
        sums = features.sum(axis=0)
        hessian = np.empty((len(sums) + 1, len(sums) + 1))
        hessian[0, 0] = len(features)
        hessian[0, 1:] = hessian[1:, 0] = sums
        hessian[1:, 1:] = features.T @ features
        hessian *= 2 / len(features)
        if not np.isfinite(hessian).all():
            return math.nan
        return float(2 / np.linalg.eigvalsh(hessian)[-1])


def default_rate(limit: float) -> float:
    """Return 0.1, or half the limit if that is less, to one digit.

    >>> default_rate(1.0), default_rate(9.19e-05)
    (0.1, 5e-05)
    """
    return 0.1 if limit >= 0.2 else float(f"{limit / 2:.0e}")


def divergence_error(history: History, settings: Settings, limit: float | None) -> DivergenceError:
    """Return the error of a descent that diverged, with the flag to change."""
    stable = history.learning_rate_limit if limit is None else limit
    cure = f"lower --learning-rate, now {history.learning_rate:g}"
    if stable is not None and math.isfinite(stable) and stable < history.learning_rate:
        cure += f", below {round_down(stable, 5):g}, the largest stable rate"
    if not settings.standardize:
        cure += ", or leave out --no-standardize"
    first, last = history.losses[0], history.losses[-1]
    steps = count_of(history.steps, "step")
    return DivergenceError(
        f"the descent diverged after {steps}: the loss went from {first:.4g} to {last:.4g}; {cure}"
        "; no files were written"
    )
