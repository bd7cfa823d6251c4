"""The descent itself: what the settings mean for a problem, and `fit` on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import losses
from ..data import Standardizer
from ..errors import ArgumentError, DivergenceError, bad_argument
from ..linear import learning_rate_limit
from ..support.abstract_array import Array
from ..support.files import printable
from ..train import History, fit
from ..train.history import count_of
from .predictor import Description, Predictor
from .problem import Problem


@dataclass(frozen=True)
class Settings:
    """How to learn. What is None is chosen to suit the data.

    - `learning_rate`: 0.1, or half of the stable limit where that is less
    - `steps`, `tolerance`, `batch_size`: those of `tg.fit`
    - `seed`: draws a network's first weights, and shuffles the batches
    - `standardize`: learn on features (and for a network a target) of mean 0 and deviation 1
    - `hidden`, `activation`: widths of a network's layers; none is a line
    - `at`: the features to predict for; the median of each if None
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
    """What the descent saw, did, and left behind.

    `features` (rows, features) and `targets` (rows,) are in the model's scale; `rate` is the
    learning rate, `limit` the largest stable one of a line (that of a network moves with it).
    """

    predictor: Predictor
    features: Array
    targets: Array
    history: History
    rate: float
    limit: float | None


def describe(problem: Problem, settings: Settings) -> Description:
    """The model that the settings ask for, scaled to the problem's data."""
    features = len(problem.x_names)
    x_mean, x_scale = np.zeros(features), np.ones(features)
    y_mean, y_scale = 0.0, 1.0
    if settings.standardize:
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
        wrong, expected = "fewer rows than one batch", f"--batch-size up to {rows}"
        given = f"--batch-size {settings.batch_size}"
        where = printable(path)
        raise ArgumentError(bad_argument(where, wrong, expected=expected, given=given))


def train(problem: Problem, settings: Settings) -> Training:
    """Descend, a line from w = 0 and b = 0, a network from the weights that the seed draws.

    Raises `DivergenceError` where the learning rate was too large, naming the largest stable one,
    and `ArgumentError` where the features are too large or too small for any.
    """
    description = describe(problem, settings)
    predictor = Predictor(description, description.model(settings.seed))
    features = predictor.features(problem.x)
    targets = (problem.y - description.y_mean) / description.y_scale
    limit = None if settings.hidden else stable_rate(features, targets)
    if limit is not None and not 0 < limit < math.inf:
        wrong, cure = "no learning rate suits the features as given", "leave out --no-standardize"
        expected = "features between about 1e-150 and 1e150"
        given = f"up to {abs(problem.x).max():.3g}"
        where = printable(problem.path)
        raise ArgumentError(bad_argument(where, wrong, expected=expected, given=given, cure=cure))
    rate = settings.learning_rate
    if rate is None:
        rate = 0.1 if settings.standardize else 0.001
        rate = rate if limit is None else chosen_rate(limit)
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
        raise divergence(history, settings, limit)
    return Training(predictor, features, targets, history, rate, limit)


def stable_rate(features: Array, targets: Array) -> float:
    """The largest stable learning rate, 2/λmax, of a line; nan, 0 or inf beyond float64."""
    x_names = tuple(map(str, range(features.shape[1])))
    line = Description(x_names, "y", (), "tanh", (), ()).model()
    with np.errstate(all="ignore"):
        return learning_rate_limit(line, losses.mse, features, targets[:, None])


def chosen_rate(limit: float) -> float:
    """0.1, or half the limit where that is less, in one digit.

    >>> chosen_rate(1.0), chosen_rate(9.19e-05)
    (0.1, 5e-05)
    """
    return 0.1 if limit >= 0.2 else float(f"{limit / 2:.0e}")


def divergence(history: History, settings: Settings, limit: float | None) -> DivergenceError:
    """What happened, and which flag to change, in a sentence."""
    stable = history.learning_rate_limit if limit is None else limit
    cure = f"lower --learning-rate, now {history.learning_rate:g}"
    if stable is not None and math.isfinite(stable) and stable < history.learning_rate:
        cure += f", below {stable:.5g}, the largest stable one"
    if not settings.standardize:
        cure += ", or leave out --no-standardize"
    first, last = history.losses[0], history.losses[-1]
    steps = count_of(history.steps, "step")
    return DivergenceError(
        f"the descent diverged after {steps}: the loss went from {first:.4g} to {last:.4g}; {cure}"
        "; nothing is saved"
    )
