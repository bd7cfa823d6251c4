"""The closed-form line: least squares without iteration, to the last digit of the data.

Gradient descent approaches the line that `closed_form` computes, so this is the reference for
descents. Columns are scaled by powers of two (which rounds nothing) to about unit norm, centred and
factored by QR; the solution is refined with residuals summed in twice float64's precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError, ShapeError
from ..support.notebook import DisplayPart, Heading, Table, notebook_display
from ..support.text_format import number_text
from ..support.validation import (
    check_finite,
    check_flag,
    check_list,
    check_number,
    float_array,
    require_finite,
)

__all__ = ["Line", "closed_form"]

Array: TypeAlias = NDArray[np.float64]

ROUNDING = float(np.finfo(np.float64).eps)
MAX_SHOWN_ROWS = 30  # in a notebook


@dataclass(frozen=True, eq=False)
class Line:
    """A fitted line (or plane), y ≈ x @ slope + intercept, with its uncertainty.

    With n rows, p coefficients (the intercept is one) and RSS the sum of squared residuals:

    - `slope`: a float for one feature given as (n,), else an array of shape (features,)
    - `intercept`: a float, 0.0 if it was left out
    - `r_squared`: 1 - RSS / Σ(y - ȳ)², the fraction of the variation in y that is explained;
      without an intercept 1 - RSS / Σy², as NIST defines it; nan if y does not vary (is all zero)
    - `mse`: RSS / n, the loss that gradient descent minimises
    - `residual_standard_deviation`: √(RSS / (n - p)); nan if n = p, since a line through every
      point says nothing about scatter; about 0 for a perfect fit with n > p
    - `slope_error`, `intercept_error`: standard errors; nan if n = p; the intercept's is 0.0 if it
      was left out
    - `degrees_of_freedom`: n - p
    - `names`: a name for each feature
    """

    slope: float | Any  # an array for several columns
    intercept: float
    r_squared: float
    mse: float
    residual_standard_deviation: float
    slope_error: float | Any
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

    @overload
    def predict(self, x: float) -> float: ...
    @overload
    def predict(self, x: ArrayLike) -> Array | Any: ...  # a single row gives a float
    def predict(self, x: ArrayLike) -> float | Array:
        """Return the line's value at x: x @ slope + intercept.

        Shapes: for one feature a number or any (n,); for several (n, features), or (features,)
        for a single row. A single row gives a float, n rows an array (n,).

        Raises `ShapeError` if x has another number of features, `ArgumentError` if it contains nan
        or inf, `DtypeError` unless it contains real numbers.

        >>> line = closed_form([0, 1, 2], [1, 3, 5])
        >>> round(line.predict(10), 12)
        21.0
        """
        rows, single = self._rows("Line.predict", x)
        return _float_or_array(rows @ np.atleast_1d(self.slope) + self.intercept, single)

    @overload
    def prediction_spread(self, x: float) -> float: ...
    @overload
    def prediction_spread(self, x: ArrayLike) -> Array | Any: ...
    def prediction_spread(self, x: ArrayLike) -> float | Array:
        """Return the standard deviation of a new observation at x, around the prediction.

        s √(1 + x₀' (X'X)⁻¹ x₀), with s the residual standard deviation and x₀ the row of the design
        at x (with its leading 1, if there is an intercept): the scatter of one point around the
        line, and the uncertainty of the line itself. The result is nan if there are as many
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
        return _float_or_array(self.residual_standard_deviation * np.hypot(1.0, root), single)

    def agrees_with(self, slope: ArrayLike, intercept: float, tolerance: float = 1e-6) -> bool:
        """Return True if another line, such as one found by descent, has the same coefficients.

        Each must be within tolerance · (|c| + u / 1000) of this line's coefficient c, where u is
        its unit: the size of y for the intercept, and that over the spread of the feature for a
        slope. So an intercept of 1e-15 is 0 where y is about 1.

        Raises `ShapeError` if slope has another number of features, `ArgumentError` unless
        intercept is a number and tolerance a finite number >= 0.

        >>> closed_form([1, 2, 3], [2, 4, 6]).agrees_with(2.0000001, 1e-15)
        True
        """
        where = "Line.agrees_with"
        limit = check_number(where, "tolerance", tolerance)
        wanted = np.append(self.slope, self.intercept)
        found = np.atleast_1d(float_array(where, "slope", slope))
        if found.shape != np.atleast_1d(self.slope).shape:
            raise ShapeError(
                f"{where}: slope must have shape {np.shape(self.slope)}, got {found.shape}"
            )
        if not isinstance(intercept, (float, np.floating)):  # those may be nan, or infinite
            intercept = check_finite(where, "intercept", intercept)
        given = np.append(found, intercept)
        units = self._units()
        return bool((abs(given - wanted) <= limit * (abs(wanted) + 1e-3 * units)).all())

    def _units(self) -> Array:
        """Return the size of y over the spread of each feature, and the size of y."""
        slopes, root = np.atleast_1d(self.slope), self._root[-len(self._center) :]
        rows = self.degrees_of_freedom + len(self._root)
        with np.errstate(all="ignore"):  # nan where float64 has no such number: nothing is near it
            largest = abs(root).max(axis=1)
            spread = 1 / (largest * np.linalg.norm(root / largest[:, None], axis=1) * rows**0.5)
            middle = abs(float(self._center @ slopes) + self.intercept)
            size = max(middle, float(abs(slopes * spread).sum()), math.sqrt(self.mse)) or 1.0
            return np.append(size / spread, size)

    def _rows(self, where: str, x: ArrayLike) -> tuple[Array, bool]:
        """Return x as rows, and True if it was a single row."""
        data = float_array(where, "x", x).astype(np.float64)
        features = len(self._center)
        one_feature = isinstance(self.slope, float)
        fits = data.ndim < 2 if one_feature else data.shape[-1:] == (features,) and data.ndim < 3
        if not fits:
            expected = "() or (n,)" if one_feature else f"(n, {features}) or ({features},)"
            cure = "x[:, 0]" if data.shape[1:] == (1,) else "the columns that were fitted"
            raise ShapeError(
                f"{where}: x must have shape {expected}, got {data.shape}; pass {cure}"
            )
        require_finite(where, "x", data, self.names)
        return data.reshape(-1, features), data.ndim == (0 if one_feature else 1)


def closed_form(
    x: ArrayLike, y: ArrayLike, *, intercept: bool = True, names: Sequence[str] | None = None
) -> Line:
    """Fit the line with the smallest mean squared error, in closed form.

    Minimises Σ (y - x @ slope - intercept)²; if the columns are independent, there is exactly one
    such line, X'X (intercept, slope) = X'y with X = [1, x]. That system is not formed (it squares
    the condition number): X is factored by QR, then the coefficients and the residuals are refined
    together. The coefficients are correct to about the last digit of float64; standard errors lose
    accuracy with the condition number.

    Shapes: x (n,) for one feature, or (n, features); y (n,). `names` names the features in errors
    and in the result; the default is "x", or "x[:, 0]", "x[:, 1]" and so on.

    Raises `ShapeError` if the shapes don't match, such as y of shape (n, 1); `DtypeError` unless x
    and y are real numbers; `ArgumentError` if they contain nan or inf (with row and column), if
    there are no rows or fewer rows than coefficients, if a column is a combination of others (with
    their names), or if a coefficient is too large for float64.

    Source: Björck, Numerical Methods for Least Squares Problems (1996), section 2.9.2.

    >>> line = closed_form([1, 2, 3, 4], [2.1, 3.9, 6.2, 7.8])
    >>> round(line.slope, 12), round(line.intercept, 12), round(line.r_squared, 6)
    (1.94, 0.15, 0.995661)
    >>> closed_form([5, 5, 5], [1, 2, 3], names=["age"])
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: closed_form: x must have independent columns that vary, \
but 'age' is constant; leave out 'age'
    """
    columns, target, labels = _check(x, y, intercept, names)
    scaled, exponents = _scale_columns(columns)
    goal, goal_exponent = _scale_columns(target[:, None])
    goal, rows = goal[:, 0], len(target)
    center = scaled.mean(axis=0) if intercept else np.zeros(scaled.shape[1])
    centred = scaled - center
    if intercept:
        scaled, centred = (np.column_stack([np.ones(rows), part]) for part in (scaled, centred))
    q, r = np.linalg.qr(centred)
    inverse = _invert(r, scaled, labels, intercept)
    if intercept:  # back from centred columns: intercept = centred intercept - center · slope
        inverse_raw = inverse.copy()
        inverse_raw[0] -= center @ inverse[1:]
    else:
        inverse_raw = inverse

    high, low, residual = _solve_refined(scaled, goal, q, inverse_raw)
    freedom = rows - scaled.shape[1]
    squares = math.fsum((residual * residual).tolist())
    deviation = math.sqrt(squares / freedom) if freedom else math.nan
    errors = deviation * np.linalg.norm(inverse_raw, axis=1)
    powers = goal_exponent - (np.append(0, exponents) if intercept else exponents)
    with np.errstate(over="ignore"):  # checked below
        coefficients = np.ldexp(high + low, powers)
        errors = np.ldexp(errors, powers)
        mse = float(np.ldexp(squares / rows, 2 * goal_exponent[0]))
        deviation = float(np.ldexp(deviation, goal_exponent[0]))
        root = np.ldexp(inverse, (powers - goal_exponent)[:, None])
    if not (np.isfinite(coefficients).all() and np.isfinite(root).all() and math.isfinite(mse)):
        raise ArgumentError(
            "closed_form: x and y must have magnitudes whose squares fit in float64, got x up to "
            f"{abs(columns).max():.3g}, y up to {abs(target).max():.3g}; rescale them"
        )
    first = int(intercept)
    one_feature = np.ndim(x) == 1
    return Line(
        slope=_float_or_array(coefficients[first:], one_feature),
        intercept=float(coefficients[0]) if intercept else 0.0,
        r_squared=_r_squared(goal, residual, intercept),
        mse=mse,
        residual_standard_deviation=deviation,
        slope_error=_float_or_array(errors[first:], one_feature),
        intercept_error=float(errors[0]) if intercept else 0.0,
        degrees_of_freedom=freedom,
        names=labels,
        _center=np.ldexp(center, exponents),
        _root=root,
    )


def _solve_refined(
    design: Array, goal: Array, q: Array, inverse: Array
) -> tuple[Array, Array, Array]:
    """Solve least squares with refinement: coefficients as high + low, and residuals.

    Solves r + A c = y, A'r = 0 repeatedly for what the last solution left over, which is summed
    in twice the precision. Q spans A's columns, and inverse @ Q' is A's pseudo-inverse.
    """
    high = inverse @ (q.T @ goal)
    low = np.zeros_like(high)
    residual = goal - design @ high
    for steps in range(20):
        leftover = _leftover(design, goal, residual, high, low)
        slant = inverse.T @ [_exact_dot(column, residual) for column in design.T]
        along = q.T @ leftover + slant
        step = inverse @ along + low
        residual = residual + (leftover - q @ along)
        high, low = _two_sum(high, step)
        if steps and abs(step).max() <= ROUNDING * abs(high).max():
            break
    return high, low, residual


def _leftover(design: Array, goal: Array, residual: Array, high: Array, low: Array) -> Array:
    """Return y - r - A (high + low), summed in twice the precision, rounded once."""
    total, rest = _two_sum(goal, -residual)
    for column, coefficient, tail in zip(design.T, high, low, strict=True):
        product, error = _two_product(column, coefficient)
        total, lost = _two_sum(total, -product)
        rest += lost - error - column * tail
    return total + rest


def _exact_dot(a: Array, b: Array) -> float:
    """Return the inner product, rounded once."""
    return math.fsum(np.concatenate(_two_product(a, b)).tolist())


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return sum and error with a + b = sum + error exactly (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _two_product(a: Array, b: Array | np.float64) -> tuple[Array, Array]:
    """Return product and error with a × b = product + error exactly, below 1e290 (Dekker)."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = (_split_halves(a), _split_halves(b))
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _split_halves(a: Array | np.float64) -> tuple[Array | np.float64, Array | np.float64]:
    """Return a = high + low, each of 26 bits: products of halves are exact (Veltkamp)."""
    shifted = a * (2.0**27 + 1.0)
    high = shifted - (shifted - a)
    return high, a - high


def _scale_columns(columns: Array) -> tuple[Array, NDArray[np.intc]]:
    """Scale columns by powers of two to root mean squares in [0.5, 1); return the exponents too.

    Powers of two, not the norms themselves: the scaling then rounds nothing.
    """
    largest = np.frexp(abs(columns).max(axis=0))[1]
    below_one = np.ldexp(columns, -largest)
    size = np.frexp(np.sqrt((below_one * below_one).mean(axis=0)))[1]
    return np.ldexp(below_one, -size), largest + size


def _r_squared(goal: Array, residual: Array, intercept: bool) -> float:
    """Return explained over total sum of squares; nothing cancels in either sum."""
    if intercept:
        goal = goal - goal.mean()
        goal = goal - goal.mean()  # what rounding left of the mean
    total = math.fsum((goal * goal).tolist())
    if total == 0 or (intercept and np.ptp(goal) == 0):
        return math.nan
    fitted = goal - residual
    return min(1.0, math.fsum((fitted * fitted).tolist()) / total)


def _invert(r: Array, design: Array, names: tuple[str, ...], intercept: bool) -> Array:
    """Return R's inverse, or raise with the columns that are combinations of others.

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
    reasons: list[str] = []
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
            reasons.append(f"{labels[j]} is constant")
        else:
            sum_of = f"a combination of {' and '.join(parts)}" if parts else "all zeros"
            reasons.append(f"{labels[j]} is {sum_of}")
    vary = " that vary" if intercept else ""
    raise ArgumentError(
        f"closed_form: x must have independent columns{vary}, but {', and '.join(reasons)}; leave "
        f"out {', '.join(labels[j] for j in found)}"
    )


def _check(
    x: ArrayLike, y: ArrayLike, intercept: bool, names: Sequence[str] | None
) -> tuple[Array, Array, tuple[str, ...]]:
    """Return columns (n, features), target (n,) and the features' names."""
    where = "closed_form"
    check_flag(where, "intercept", intercept)
    data, target = (
        float_array(where, "x", x).astype(np.float64),
        float_array(where, "y", y).astype(np.float64),
    )
    if data.ndim not in {1, 2}:
        raise ShapeError(
            f"{where}: x must have shape (n,) or (n, features), got {data.shape}; pass one row for "
            "each y"
        )
    rows = len(data)
    if target.shape != (rows,):
        cure = "y[:, 0]" if target.shape[1:] == (1,) else "one y for each row of x"
        raise ShapeError(
            f"{where}: y must have shape {(rows,)}, as x has {rows} rows, got {target.shape}; "
            f"pass {cure}"
        )
    columns = data[:, None] if data.ndim == 1 else data
    features = columns.shape[1]
    if features == 0 or rows < features + intercept:
        least = f"{features + intercept} rows, one for each coefficient" if features else "1 column"
        cure = "; pass more rows or fewer columns" if features else ""
        raise ArgumentError(f"{where}: x must have at least {least}, got shape {data.shape}{cure}")
    labels: tuple[str, ...] = (names,) if isinstance(names, str) else ()
    if names is not None and not labels:
        labels = tuple(check_list(where, "names", names, "a list of text"))
    if not labels:
        labels = ("x",) if data.ndim == 1 else tuple(f"x[:, {j}]" for j in range(features))
    if len(labels) != features:
        raise ArgumentError(
            f"{where}: names must be {features}, one for each column, got {len(labels)}"
        )
    require_finite(where, "x", data, labels)
    require_finite(where, "y", target)
    return columns, target, labels


def _float_or_array(values: Array, single: bool) -> float | Array:
    """Return the only entry as a float, or the array, read-only."""
    if single:
        return float(values[0])
    values.flags.writeable = False
    return values
