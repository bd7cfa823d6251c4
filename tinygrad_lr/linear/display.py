"""What notebooks show of a fitted line."""

from __future__ import annotations

import numpy as np

from ..markup import Html, ends, figure, table, title, together
from .least_squares import Line

MOST_FEATURES = 30


def line_table(line: Line) -> Html:
    """The coefficients of a line with their standard errors, and how well it fits."""
    slopes, errors = np.atleast_1d(line.slope), np.atleast_1d(line.slope_error)
    rows: list[tuple[object, str, str]] = []
    for i in ends(len(line.names), MOST_FEATURES):
        if i is None:
            rows.append((f"… {len(line.names) - MOST_FEATURES + 1:,} more", "", ""))
        else:
            rows.append((line.names[i], figure(slopes[i], 6), spread(errors[i])))
    rows.append(("intercept", figure(line.intercept, 6), spread(line.intercept_error)))
    explained = f"R² {figure(line.r_squared)}"
    about = [
        explained,
        f"MSE {figure(line.mse)}",
        f"{line.degrees_of_freedom:,} degrees of freedom",
    ]
    body = table(["", "coefficient", "standard error"], rows, numeric=[1, 2])
    return together(title("Line", *about), body)


def spread(error: float) -> str:
    """A standard error; "-" where there are as many coefficients as rows."""
    return "-" if np.isnan(error) else f"± {figure(error, 2)}"
