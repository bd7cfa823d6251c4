"""A few rows in place of many: those with the same means, variances and covariances.

The mean squared error of a line depends on the rows through these alone. So at any weights the
loss, its gradient and its curvature are the same on the few rows as on all of them, up to rounding:
the closed form and the descent are too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..data import Standardizer
from ..linear import Line, closed_form
from ..support.abstract_array import Array
from .problem import Problem

MAX_NUMBERS = 2**15  # in the columns of a problem that is not condensed
BLOCK_NUMBERS = 2**18
MAX_CONDITION = 1e6  # beyond, the closed form uses all rows: rounding would show


@dataclass(frozen=True, eq=False)
class Condensed:
    """The rows that stand for all `rows`: features + 2 of them, standardised.

    `x` (features + 2, features) and `y` (features + 2,) are (x - x_mean) / x_scale and
    (y - y_mean) / y_scale.
    """

    rows: int
    x: Array
    y: Array
    condition: float  # of x
    x_mean: Array
    x_scale: Array
    y_mean: float
    y_scale: float


def condense(problem: Problem) -> Condensed | None:
    """Return the rows that stand for those of a large problem; None for a small one.

    R of the QR factorisation Z = QR of the columns Z = [1, x, y] has the same sums of products,
    R'R = Z'Z. So has HR for an orthogonal H, and one that makes the first column constant gives a 1
    to each row.
    """
    rows, features = problem.x.shape
    if rows * (features + 1) <= MAX_NUMBERS:
        return None
    scalings = [Standardizer().fit(column) for column in (*problem.x.T, problem.y)]
    mean, scale = np.array([(float(x.mean), float(x.scale)) for x in scalings]).T
    width = features + 2
    r = np.empty((0, width))
    step = max(4 * width, BLOCK_NUMBERS // width)
    for begin in range(0, rows, step):
        block = slice(begin, begin + step)
        z = (np.column_stack([problem.x[block], problem.y[block]]) - mean) / scale
        r = np.asarray(np.linalg.qr(np.vstack([r, np.insert(z, 0, 1.0, axis=1)]), mode="r"))
    v = np.full(width, -1 / math.sqrt(width))
    v[0] += 1.0
    few = (r - np.outer(v, 2 * (v @ r) / (v @ v))) * math.copysign(math.sqrt(width / rows), r[0, 0])
    return Condensed(
        *(rows, few[:, 1:-1], few[:, -1], float(np.linalg.cond(r[1:-1, 1:-1]))),
        *(mean[:-1], scale[:-1], float(mean[-1]), float(scale[-1])),
    )


def condensed_line(condensed: Condensed, names: tuple[str, ...]) -> Line:
    """Return the closed form of all rows, in the columns' own units."""
    line = closed_form(condensed.x, condensed.y, names=names)
    few, features = condensed.x.shape
    freedom = condensed.rows - features - 1
    slope = np.asarray(line.slope) * (condensed.y_scale / condensed.x_scale)
    intercept = condensed.y_mean + line.intercept * condensed.y_scale
    intercept -= math.fsum((slope * condensed.x_mean).tolist())
    center = condensed.x_mean + line._center * condensed.x_scale
    root = line._root * math.sqrt(few / condensed.rows)
    root[1:] /= condensed.x_scale[:, None]
    mse = line.mse * condensed.y_scale**2
    deviation = math.sqrt(mse * condensed.rows / freedom)
    errors = deviation * np.linalg.norm(root, axis=1)
    at_zero = root[0] - center @ root[1:]
    one = features == 1
    return replace(
        line,
        slope=float(slope[0]) if one else slope,
        intercept=intercept,
        mse=mse,
        residual_standard_deviation=deviation,
        slope_error=float(errors[1]) if one else errors[1:],
        intercept_error=float(deviation * np.linalg.norm(at_zero)),
        degrees_of_freedom=freedom,
        _center=center,
        _root=root,
    )
