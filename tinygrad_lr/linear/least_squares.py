"""The closed-form line: least squares solved at once, to the last digit that the data allow.

Gradient descent approaches the line that `closed_form` finds in one step, so this is what a
descent is checked against. Columns are scaled by powers of two (which rounds nothing) to about
unit norm, centred, factored by QR, and the answer is refined with residuals summed in twice
float64's precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError, ShapeError, refuse
from ..support.notebook import DisplayPart, Heading, Table, notebook_display
from ..support.text_format import number_text
from ..support.validation import float_array, require_finite

Array: TypeAlias = NDArray[np.float64]

ROUNDING = float(np.finfo(np.float64).eps)
MAX_SHOWN_ROWS = 30  # in a notebook


@dataclass(frozen=True, eq=False)
class Line:
    """A fitted line (or plane): y ≈ x @ slope + intercept, and how far to trust it.

    With n rows, p coefficients (the intercept is one) and RSS the sum of squared residuals:

    - `slope`: a float for one feature given as (n,), else an array of shape (features,)
    - `intercept`: a float, 0.0 where it was left out
    - `r_squared`: 1 - RSS / Σ(y - ȳ)², the share of the variation in y that is explained;
      without an intercept 1 - RSS / Σy², as NIST has it; nan where y does not vary (is all zero)
    - `mse`: RSS / n, the loss that gradient descent minimises
    - `residual_standard_deviation`: √(RSS / (n - p)); nan where n = p, since a line through every
      point says nothing about scatter; about 0 where a perfect fit has rows to spare
    - `slope_error`, `intercept_error`: standard errors; nan where n = p; the intercept's is 0.0
      where it was left out
    - `degrees_of_freedom`: n - p
    - `names`: a name for each feature
    """

    slope: float | Array
    intercept: float
    r_squared: float
    mse: float
    residual_standard_deviation: float
    slope_error: float | Array
    intercept_error: float
    degrees_of_freedom: int
    names: tuple[str, ...]
    _center: Array = field(repr=False)  # (features,)
    _root: Array = field(repr=False)  # (p, p): root @ root.T is the inverse of X'X, centred

    @notebook_display
    def _repr_html_(self) -> Iterator[DisplayPart]:
        """Show the coefficients with their standard errors, and the fit."""

        def spread(error: float) -> str:  # nan where there are as many coefficients as rows
            return "-" if np.isnan(error) else f"± {number_text(error, 2)}"

        yield Heading(
            "Line",
            [
                f"R² {number_text(self.r_squared)}",
                f"MSE {number_text(self.mse)}",
                f"{self.degrees_of_freedom:,} degrees of freedom",
            ],
        )
        slopes, errors = np.atleast_1d(self.slope), np.atleast_1d(self.slope_error)
        names = [*self.names, "intercept"]
        coefficients, spreads = [*slopes, self.intercept], [*errors, self.intercept_error]
        rows = [
            (name, number_text(coefficient, 6), spread(error))
            for name, coefficient, error in zip(names, coefficients, spreads, strict=True)
        ]
        head = ["", "coefficient", "standard error"]
        yield Table(head, rows, numeric=[1, 2], max_rows=MAX_SHOWN_ROWS)

    def predict(self, x: ArrayLike) -> float | Array:
        """The line's value at x: x @ slope + intercept.

        Shapes: for one feature a number or any (n,); for several (n, features), or (features,)
        for a single row. A single row gives a float, n rows an array (n,).

        Raises `ShapeError` where x has other features than the fit, `ArgumentError` for nan or inf,
        `DtypeError` for what is not a real number.

        >>> line = closed_form([0, 1, 2], [1, 3, 5])
        >>> round(line.predict(10), 12)
        21.0
        """
        rows, single = self._rows("Line.predict", x)
        return _one(rows @ np.atleast_1d(self.slope) + self.intercept, single)

    def prediction_spread(self, x: ArrayLike) -> float | Array:
        """The standard deviation of a new observation at x: give a prediction ± this.

        s √(1 + x₀' (X'X)⁻¹ x₀), with s the residual standard deviation and x₀ the row of the
        design at x (with its leading 1, where there is an intercept): the scatter of one point
        around the line, and the uncertainty of the line itself. nan where there are as many
        coefficients as rows. Shapes and errors are those of `predict`.

        Source: Draper and Smith, Applied Regression Analysis, 3rd ed., section 3.1.

        >>> line = closed_form([0, 1, 2, 3], [0, 1, 1, 2])
        >>> round(line.predict(10), 12), round(line.prediction_spread(10), 12)
        (6.1, 1.252996408614)
        """
        rows, single = self._rows("Line.prediction_spread", x)
        design = rows - self._center
        if len(self._root) > len(self._center):  # an intercept: its column of ones leads
            design = np.column_stack([np.ones(len(rows)), design])
        root = np.linalg.norm(design @ self._root, axis=1)
        return _one(self.residual_standard_deviation * np.hypot(1.0, root), single)

    def _rows(self, where: str, x: ArrayLike) -> tuple[Array, bool]:
        """x as rows, and whether it was a single row."""
        data = float_array(where, "x", x).astype(np.float64)
        features = len(self._center)
        one_feature = isinstance(self.slope, float)
        fits = data.ndim < 2 if one_feature else data.shape[-1:] == (features,) and data.ndim < 3
        if not fits:
            expected = "a number or (n,)" if one_feature else f"(n, {features}) or ({features},)"
            cure = "x[:, 0]" if data.shape[1:] == (1,) else "the columns that were fitted"
            wrong, given = "x does not fit the line", f"shape {data.shape}"
            refuse(ShapeError, where, wrong, expected=expected, given=given, cure=f"pass {cure}")
        require_finite(where, "x", data, self.names)
        return data.reshape(-1, features), data.ndim == (0 if one_feature else 1)


def closed_form(
    x: ArrayLike, y: ArrayLike, *, intercept: bool = True, names: Sequence[str] | None = None
) -> Line:
    """The line with the smallest mean squared error through the points, without any descent.

    Minimises Σ (y - x @ slope - intercept)²; where the columns are independent there is exactly
    one such line, X'X (intercept, slope) = X'y with X = [1, x]. That system is not formed (it
    squares the condition number): X is factored by QR, then the coefficients and the residuals
    are refined together. The coefficients are those of the numbers given, correct to float64's
    last digit or so; standard errors lose what the condition number takes.

    Shapes: x (n,) for one feature, or (n, features); y (n,). `names` names the features in errors
    and in the result; left out, they are "x", or "x[:, 0]", "x[:, 1]" and so on.

    Raises `ShapeError` where the shapes do not fit, y of shape (n, 1) among them; `DtypeError` for
    what is not a real number; `ArgumentError` for nan or inf (with its row and column), no rows,
    fewer rows than coefficients, columns that are combinations of others (with their names), and
    coefficients too large for float64.

    Source: Björck, Numerical Methods for Least Squares Problems (1996), section 2.9.2.

    >>> line = closed_form([1, 2, 3, 4], [2.1, 3.9, 6.2, 7.8])
    >>> round(line.slope, 12), round(line.intercept, 12), round(line.r_squared, 6)
    (1.94, 0.15, 0.995661)
    >>> closed_form([5, 5, 5], [1, 2, 3], names=["age"])
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: closed_form: 'age' is constant; expected independent \
columns that vary, given 1 of 1 that add nothing; leave out 'age'
    """
    columns, target, labels = _checked(x, y, intercept, names)
    scaled, exponents = _unit_columns(columns)
    goal, goal_exponent = _unit_columns(target[:, None])
    goal, rows = goal[:, 0], len(target)
    center = scaled.mean(axis=0) if intercept else np.zeros(scaled.shape[1])
    centred = scaled - center
    if intercept:
        scaled, centred = (np.column_stack([np.ones(rows), part]) for part in (scaled, centred))
    q, r = np.linalg.qr(centred)
    inverse = _inverse(r, scaled, labels, intercept)
    if intercept:  # back from centred columns: intercept = centred intercept - center · slope
        inverse_raw = inverse.copy()
        inverse_raw[0] -= center @ inverse[1:]
    else:
        inverse_raw = inverse

    high, low, residual = _refined(scaled, goal, q, inverse_raw)
    freedom = rows - scaled.shape[1]
    squares = math.fsum((residual * residual).tolist())
    deviation = math.sqrt(squares / freedom) if freedom else math.nan
    errors = deviation * np.linalg.norm(inverse_raw, axis=1)
    powers = goal_exponent - (np.append(0, exponents) if intercept else exponents)
    with np.errstate(over="ignore"):  # told by the check below
        coefficients = np.ldexp(high + low, powers)
        errors = np.ldexp(errors, powers)
        mse = float(np.ldexp(squares / rows, 2 * goal_exponent[0]))
        deviation = float(np.ldexp(deviation, goal_exponent[0]))
        root = np.ldexp(inverse, (powers - goal_exponent)[:, None])
    if not (np.isfinite(coefficients).all() and np.isfinite(root).all() and math.isfinite(mse)):
        wrong, expected = "the answer is outside float64", "magnitudes whose squares fit in float64"
        given = f"x up to {abs(columns).max():.3g}, y up to {abs(target).max():.3g}"
        refuse(
            ArgumentError, "closed_form", wrong, expected=expected, given=given, cure="rescale them"
        )
    first = int(intercept)
    one_feature = np.ndim(x) == 1
    return Line(
        slope=_one(coefficients[first:], one_feature),
        intercept=float(coefficients[0]) if intercept else 0.0,
        r_squared=_r_squared(goal, residual, intercept),
        mse=mse,
        residual_standard_deviation=deviation,
        slope_error=_one(errors[first:], one_feature),
        intercept_error=float(errors[0]) if intercept else 0.0,
        degrees_of_freedom=freedom,
        names=labels,
        _center=np.ldexp(center, exponents),
        _root=root,
    )


def _refined(design: Array, goal: Array, q: Array, inverse: Array) -> tuple[Array, Array, Array]:
    """Least squares, refined: coefficients as high + low, and residuals.

    Solves r + A c = y, A'r = 0 over and over for what the last answer leaves undone, which is
    summed in twice the precision. Q spans A's columns, and inverse @ Q' is A's pseudo-inverse.
    """
    high = inverse @ (q.T @ goal)
    low = np.zeros_like(high)
    residual = goal - design @ high
    for steps in range(20):
        undone = _residual_left(design, goal, residual, high, low)
        slant = inverse.T @ [_exact_dot(column, residual) for column in design.T]
        along = q.T @ undone + slant
        step = inverse @ along + low
        residual = residual + (undone - q @ along)
        high, low = _two_sum(high, step)
        if steps and abs(step).max() <= ROUNDING * abs(high).max():
            break
    return high, low, residual


def _residual_left(design: Array, goal: Array, residual: Array, high: Array, low: Array) -> Array:
    """Y - r - A (high + low), summed in twice the precision, rounded once."""
    total, rest = _two_sum(goal, -residual)
    for column, coefficient, tail in zip(design.T, high, low, strict=True):
        product, error = _two_product(column, coefficient)
        total, lost = _two_sum(total, -product)
        rest += lost - error - column * tail
    return total + rest


def _exact_dot(a: Array, b: Array) -> float:
    """The inner product, rounded once."""
    return math.fsum(np.concatenate(_two_product(a, b)).tolist())


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """A + b = sum + error exactly (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _two_product(a: Array, b: Array | np.float64) -> tuple[Array, Array]:
    """A × b = product + error exactly (Dekker), for numbers below 1e290."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = (_halves(a), _halves(b))
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _halves(a: Array | np.float64) -> tuple[Array | np.float64, Array | np.float64]:
    """A = high + low, each of 26 bits, so that products of halves are exact (Veltkamp)."""
    shifted = a * (2.0**27 + 1.0)
    high = shifted - (shifted - a)
    return high, a - high


def _unit_columns(columns: Array) -> tuple[Array, NDArray[np.intc]]:
    """Columns times powers of two, with root mean squares in [0.5, 1); and the exponents.

    Powers of two, not the norms themselves: the scaling then rounds nothing.
    """
    largest = np.frexp(abs(columns).max(axis=0))[1]
    below_one = np.ldexp(columns, -largest)
    size = np.frexp(np.sqrt((below_one * below_one).mean(axis=0)))[1]
    return np.ldexp(below_one, -size), largest + size


def _r_squared(goal: Array, residual: Array, intercept: bool) -> float:
    """Explained over total sum of squares; both sums are of squares, so nothing cancels."""
    if intercept:
        goal = goal - goal.mean()
        goal = goal - goal.mean()  # what rounding left of the mean
    total = math.fsum((goal * goal).tolist())
    if total == 0 or (intercept and np.ptp(goal) == 0):
        return math.nan
    fitted = goal - residual
    return min(1.0, math.fsum((fitted * fitted).tolist()) / total)


def _inverse(r: Array, design: Array, names: tuple[str, ...], intercept: bool) -> Array:
    """R's inverse, or an error naming the columns that are combinations of others.

    A column is one where rounding its entries, and theirs, in the last place could make it so:
    |R_jj| = ‖x_j - Σ c_k x_k‖ <= tolerance (‖x_j‖ + Σ |c_k| ‖x_k‖).
    """
    tolerance = 4.0 * ROUNDING
    sizes = np.linalg.norm(design, axis=0)
    sizes[sizes == 0] = 1.0
    r = r + np.diag(np.where(np.diag(r) == 0, 1e-100, 0.0))  # as good as zero, and invertible
    inverse = np.linalg.inv(r)  # its column j is (-c, 1) / R_jj
    independent = tolerance * (sizes @ abs(inverse)) < 1.0
    if independent.all():
        return np.asarray(inverse, dtype=np.float64)
    labels = ("the intercept", *map(repr, names)) if intercept else tuple(map(repr, names))
    means = design.mean(axis=0)
    lengths = np.linalg.norm(r, axis=0)
    kept: list[int] = []
    found: list[int] = []
    told: list[str] = []
    for j in range(len(sizes)):
        shares = np.linalg.lstsq(r[:, kept] / lengths[kept], r[:, j])[0]
        weights = shares / lengths[kept]
        rest = np.linalg.norm(r[:, j] - r[:, kept] @ weights)
        wanted = tolerance * (sizes[j] + abs(weights) @ sizes[kept])
        if j != np.argmin(independent) and rest > wanted:
            kept.append(j)
            continue
        found.append(j)
        counts = abs(shares) > 1e-8 * lengths[j] + 16 * tolerance * sizes[j]
        if intercept:  # centring hid its part, which shows in the means
            counts[0] = abs(means[j] - weights[1:] @ means[kept[1:]]) > 1e-8 * abs(means[j])
        parts = [labels[k] for k, count in zip(kept, counts, strict=True) if count]
        if intercept and counts[0]:
            parts.append(parts.pop(0))
        if intercept and parts == ["the intercept"]:
            told.append(f"{labels[j]} is constant")
        else:
            sum_of = f"a combination of {' and '.join(parts)}" if parts else "all zeros"
            told.append(f"{labels[j]} is {sum_of}")
    refuse(
        ArgumentError,
        "closed_form",
        ", and ".join(told),
        expected="independent columns" + (" that vary" if intercept else ""),
        given=f"{len(found)} of {len(names)} that add nothing",
        cure=f"leave out {', '.join(labels[j] for j in found)}",
    )


def _checked(
    x: ArrayLike, y: ArrayLike, intercept: bool, names: Sequence[str] | None
) -> tuple[Array, Array, tuple[str, ...]]:
    """Columns (n, features), target (n,) and the features' names, or the error."""
    where = "closed_form"
    data, target = (
        float_array(where, "x", x).astype(np.float64),
        float_array(where, "y", y).astype(np.float64),
    )
    given = f"x of shape {data.shape}, y of shape {target.shape}"
    if data.ndim not in {1, 2}:
        expected, cure = "x of shape (n,) or (n, features)", "pass one row for each y"
        refuse(ShapeError, where, "x is not a table", expected=expected, given=given, cure=cure)
    rows = len(data)
    if target.shape != (rows,):
        cure = "y[:, 0]" if target.shape[1:] == (1,) else "one y for each row of x"
        expected, cure = f"y of shape {(rows,)}", f"pass {cure}"
        refuse(ShapeError, where, "y does not fit x", expected=expected, given=given, cure=cure)
    columns = data[:, None] if data.ndim == 1 else data
    features = columns.shape[1]
    if features == 0 or rows < features + intercept:
        count = f"{features + intercept} rows, one for each coefficient"
        expected = f"at least {count}" if features else "at least one column"
        cure = "pass more rows or fewer columns" if features else "pass a column"
        refuse(ArgumentError, where, "x is too small", expected=expected, given=given, cure=cure)
    labels = (names,) if isinstance(names, str) else tuple(names or ())
    if not labels:
        labels = ("x",) if data.ndim == 1 else tuple(f"x[:, {j}]" for j in range(features))
    if len(labels) != features:
        expected = f"{features}, one for each column"
        refuse(ArgumentError, where, "names do not fit x", expected=expected, given=len(labels))
    require_finite(where, "x", data, labels)
    require_finite(where, "y", target)
    return columns, target, labels


def _one(values: Array, single: bool) -> float | Array:
    """The only entry as a float, or the array, read-only."""
    if single:
        return float(values[0])
    values.flags.writeable = False
    return values
