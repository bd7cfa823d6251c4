"""The first step of the descent, derived: every factor of the chain rule, with its numbers."""

from __future__ import annotations

import numpy as np

from ..core.value import Value
from .parts import Derivation, Row, Slope
from .problem import Problem
from .training import Training

SHOWN = 3  # rows


def first_step(problem: Problem, training: Training) -> Derivation:
    """The chain rule at w = 0, b = 0 over all rows; the numbers are those of `backward()`.

    u = ŷ - y, L = (1/N) Σ u², so dL/du = 2u/N, dL/dŷ = dL/du, dL/dw = Σ dL/dŷ · x and
    dL/db = Σ dL/dŷ.
    """
    x, y, rate = training.features, training.targets, training.rate
    w = Value(np.zeros(x.shape[1]), name="w")
    b = Value(0.0, name="b")
    yhat: Value = np.matmul(x, w) + b
    u = yhat - y
    loss = (u**2).mean()
    loss.backward()
    of_u, of_yhat = u.grad, yhat.grad
    rows = tuple(
        Row(
            number=i + 1,
            features=tuple(map(float, x[i])),
            target=float(y[i]),
            prediction=float(yhat.data[i]),
            u=float(u.data[i]),
            slope_of_u=float(of_u[i]),
            slope_of_prediction=float(of_yhat[i]),
            shares=tuple(map(float, of_yhat[i] * x[i])),
        )
        for i in range(min(SHOWN, len(y)))
    )
    slopes = [float(slope) for slope in w.grad]
    names = ("w",) if len(slopes) == 1 else tuple(f"w{i}" for i in range(1, len(slopes) + 1))
    return Derivation(
        names=problem.x_names,
        standardized=set(training.predictor.description.x_scale) != {1.0},
        count=len(y),
        loss=float(loss.data),
        learning_rate=rate,
        rows=rows,
        weights=tuple(
            Slope(name, 0.0, slope, 0.0 - rate * slope)
            for name, slope in zip(names, slopes, strict=True)
        ),
        bias=Slope("b", 0.0, float(b.grad), 0.0 - rate * float(b.grad)),
    )
