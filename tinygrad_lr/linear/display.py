"""What notebooks show of a fitted line."""

from __future__ import annotations

import numpy as np

from ..support.html import Html, ends, table, title, together
from ..support.text_format import number_text
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
            rows.append((line.names[i], number_text(slopes[i], 6), spread(errors[i])))
    rows.append(("intercept", number_text(line.intercept, 6), spread(line.intercept_error)))
    explained = f"R² {number_text(line.r_squared)}"
    about = [
        explained,
        f"MSE {number_text(line.mse)}",
        f"{line.degrees_of_freedom:,} degrees of freedom",
    ]
    body = table(["", "coefficient", "standard error"], rows, numeric=[1, 2])
    return together(title("Line", *about), body)


def spread(error: float) -> str:
    """A standard error; "-" where there are as many coefficients as rows."""
    return "-" if np.isnan(error) else f"± {number_text(error, 2)}"
