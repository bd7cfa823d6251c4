"""Statistics of a sample, and the density of one by kernels."""

from __future__ import annotations

import math
from typing import Any, Generic, TypeVar, overload

import numpy as np
import scipy.stats

from ...core.creation import Nest, Plain
from ...core.node import unwrap
from ...core.value import Value
from ...errors import ArgumentError, ShapeError
from ...ops.activation import as_floats, logsumexp
from ...support.abstract_array import Array, as_single_call
from ...support.type_names import DTypeLike
from ...support.validation import as_input, check_flag, check_integer, check_number
from ..equivalents import as_real, equivalent

__all__ = [
    "entropy",
    "gaussian_kde",
    "gmean",
    "hmean",
    "kurtosis",
    "moment",
    "rankdata",
    "sem",
    "skew",
    "variation",
    "zscore",
]

R_co = TypeVar("R_co", covariant=True)  # of a density: Value if its sample is one


def _sample(where: str, a: Any) -> Any:
    return as_floats(as_real(where, "a", a))


def _central(a: Any, order: int, axis: int | None) -> Any:
    return np.mean((a - np.mean(a, axis=axis, keepdims=True)) ** order, axis=axis)


def _count(a: Any, axis: int | None) -> int:
    return int(np.size(a) if axis is None else np.shape(a)[axis])


@overload
def zscore(a: Plain, axis: int | None = 0, ddof: int = 0, *, nan_policy: str = ...) -> Array: ...
@overload
def zscore(a: Nest, axis: int | None = 0, ddof: int = 0) -> Value: ...
@equivalent(scipy.stats.zscore)
def zscore(a: Any, axis: int | None = 0, ddof: int = 0) -> Any:
    """Return a less its mean, over its standard deviation, as `scipy.stats.zscore`.

    >>> zscore(Value([1.0, 3.0])).tolist()
    [-1.0, 1.0]
    """
    a = _sample("zscore", a)
    centred = a - np.mean(a, axis=axis, keepdims=True)
    return centred / np.std(a, axis=axis, ddof=ddof, keepdims=True)


@overload
def moment(
    a: Plain,
    order: int = 1,
    axis: int | None = 0,
    *,
    center: Plain | None = None,
    nan_policy: str = ...,
    keepdims: bool = ...,
) -> Any: ...
@overload
def moment(
    a: Nest, order: int = 1, axis: int | None = 0, *, center: Nest | None = None
) -> Value: ...
@equivalent(scipy.stats.moment)
def moment(a: Any, order: int = 1, axis: int | None = 0, *, center: Any = None) -> Any:
    """Return the mean of (a - center) to a whole power, as `scipy.stats.moment`.

    `center` is the mean by default.

    >>> moment(Value([1.0, 3.0]), 2).item()
    1.0
    """
    a, order = _sample("moment", a), check_integer("moment", "order", order)
    if center is None:
        return _central(a, order, axis)
    return np.mean((a - center) ** order, axis=axis)


@overload
def skew(
    a: Plain,
    axis: int | None = 0,
    bias: bool = True,
    *,
    nan_policy: str = ...,
    keepdims: bool = ...,
) -> Any: ...
@overload
def skew(a: Nest, axis: int | None = 0, bias: bool = True) -> Value: ...
@equivalent(scipy.stats.skew)
def skew(a: Any, axis: int | None = 0, bias: bool = True) -> Any:
    """Return the third central moment over the cube of the deviation, as `scipy.stats.skew`.

    >>> skew(Value([0.0, 0.0, 3.0])).round(6).item()
    0.707107
    """
    a = _sample("skew", a)
    found, n = _central(a, 3, axis) / _central(a, 2, axis) ** 1.5, _count(a, axis)
    if check_flag("skew", "bias", bias) or n < 3:
        return found
    return math.sqrt(n * (n - 1.0)) / (n - 2.0) * found


@overload
def kurtosis(
    a: Plain,
    axis: int | None = 0,
    fisher: bool = True,
    bias: bool = True,
    *,
    nan_policy: str = ...,
    keepdims: bool = ...,
) -> Any: ...
@overload
def kurtosis(a: Nest, axis: int | None = 0, fisher: bool = True, bias: bool = True) -> Value: ...
@equivalent(scipy.stats.kurtosis)
def kurtosis(a: Any, axis: int | None = 0, fisher: bool = True, bias: bool = True) -> Any:
    """Return the fourth central moment over the square of the variance, less 3 if `fisher`.

    As `scipy.stats.kurtosis`.

    >>> kurtosis(Value([1.0, 3.0])).item()
    -2.0
    """
    a = _sample("kurtosis", a)
    found, n = _central(a, 4, axis) / _central(a, 2, axis) ** 2, _count(a, axis)
    if not check_flag("kurtosis", "bias", bias) and n > 3:
        found = ((n * n - 1.0) * found - 3.0 * (n - 1.0) ** 2) / ((n - 2.0) * (n - 3.0)) + 3.0
    return found - 3.0 if check_flag("kurtosis", "fisher", fisher) else found


@overload
def sem(
    a: Plain, axis: int | None = 0, ddof: int = 1, *, nan_policy: str = ..., keepdims: bool = ...
) -> Any: ...
@overload
def sem(a: Nest, axis: int | None = 0, ddof: int = 1) -> Value: ...
@equivalent(scipy.stats.sem)
def sem(a: Any, axis: int | None = 0, ddof: int = 1) -> Any:
    """Return the standard error of the mean, as `scipy.stats.sem`.

    >>> sem(Value([1.0, 3.0])).item()
    1.0
    """
    a = _sample("sem", a)
    return np.std(a, axis=axis, ddof=ddof) / math.sqrt(_count(a, axis))


@overload
def variation(
    a: Plain, axis: int | None = 0, *, ddof: int = 0, nan_policy: str = ..., keepdims: bool = ...
) -> Any: ...
@overload
def variation(a: Nest, axis: int | None = 0, *, ddof: int = 0) -> Value: ...
@equivalent(scipy.stats.variation)
def variation(a: Any, axis: int | None = 0, *, ddof: int = 0) -> Any:
    """Return the standard deviation over the mean, as `scipy.stats.variation`."""
    a = _sample("variation", a)
    return np.std(a, axis=axis, ddof=ddof) / np.mean(a, axis=axis)


@overload
def gmean(
    a: Plain,
    axis: int | None = 0,
    weights: Plain | None = None,
    *,
    dtype: DTypeLike | None = ...,
    nan_policy: str = ...,
    keepdims: bool = ...,
) -> Any: ...
@overload
def gmean(a: Nest, axis: int | None = 0, weights: Nest | None = None) -> Value: ...
@equivalent(scipy.stats.gmean)
def gmean(a: Any, axis: int | None = 0, weights: Any = None) -> Any:
    """Return the geometric mean, as `scipy.stats.gmean`.

    >>> gmean(Value([1.0, 4.0])).round(9).item()
    2.0
    """
    return np.exp(np.average(np.log(_sample("gmean", a)), axis=axis, weights=weights))


@overload
def hmean(
    a: Plain,
    axis: int | None = 0,
    *,
    weights: Plain | None = None,
    dtype: DTypeLike | None = ...,
    nan_policy: str = ...,
    keepdims: bool = ...,
) -> Any: ...
@overload
def hmean(a: Nest, axis: int | None = 0, *, weights: Nest | None = None) -> Value: ...
@equivalent(scipy.stats.hmean)
def hmean(a: Any, axis: int | None = 0, *, weights: Any = None) -> Any:
    """Return the harmonic mean, as `scipy.stats.hmean`."""
    return 1.0 / np.average(1.0 / _sample("hmean", a), axis=axis, weights=weights)


@overload
def entropy(
    pk: Plain,
    qk: Plain | None = None,
    base: float | None = None,
    axis: int = 0,
    *,
    nan_policy: str = ...,
    keepdims: bool = ...,
) -> Any: ...
@overload
def entropy(
    pk: Nest, qk: Nest | None = None, base: float | None = None, axis: int = 0
) -> Value: ...
@equivalent(scipy.stats.entropy)
def entropy(pk: Any, qk: Any = None, base: float | None = None, axis: int = 0) -> Any:
    """Return -Σ p ln p, or Σ p ln(p/q) with `qk`, of shares scaled to add up to 1.

    As `scipy.stats.entropy`.

    >>> entropy(Value([1.0, 1.0]), base=2).item()
    1.0
    """
    p = as_floats(as_real("entropy", "pk", pk))
    p = p / np.sum(p, axis=axis, keepdims=True)
    if qk is None:
        out = np.sum(scipy.special.entr(p), axis=axis)
    else:
        q = as_floats(as_real("entropy", "qk", qk))
        out = np.sum(scipy.special.rel_entr(p, q / np.sum(q, axis=axis, keepdims=True)), axis=axis)
    if base is None:
        return out
    return out / math.log(check_number("entropy", "base", base, positive=True))


@overload
def rankdata(
    a: Plain, method: str = "average", *, axis: int | None = None, nan_policy: str = ...
) -> Array: ...
@overload
def rankdata(a: Nest, method: str = "average", *, axis: int | None = None) -> Array: ...
@equivalent(scipy.stats.rankdata)
def rankdata(a: Any, method: str = "average", *, axis: int | None = None) -> Any:
    """Return plain ranks, which have no derivative, as `scipy.stats.rankdata`.

    >>> rankdata(Value([3.0, 1.0])).tolist()
    [2.0, 1.0]
    """

    def ranks(x: Any) -> Any:
        return scipy.stats.rankdata(x, method, axis=axis)

    return as_single_call(ranks)(unwrap(as_input("rankdata", "a", a)))


class gaussian_kde(Generic[R_co]):  # noqa: N801  # SciPy's name
    """The density Σ wᵢ·N(x; xᵢ, h²C) of a sample with covariance C, as `scipy.stats.gaussian_kde`.

    `dataset` has shape (n,), or (d, n) for points of d dimensions; `bw_method`, for h, is "scott"
    (the default), "silverman" or a number. Differentiable in the sample, the weights, the number,
    and where it is evaluated.

    >>> gaussian_kde(Value([0.0, 1.0]), 1.0)(0.5).round(6).tolist()
    [0.439391]
    """

    @overload
    def __init__(
        self: gaussian_kde[Any],
        dataset: Plain,
        bw_method: str | Plain | None = None,
        weights: Plain | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: gaussian_kde[Value],
        dataset: Nest,
        bw_method: str | Nest | None = None,
        weights: Nest | None = None,
    ) -> None: ...
    def __init__(self, dataset: Any, bw_method: Any = None, weights: Any = None) -> None:
        where = "gaussian_kde"
        dataset = np.atleast_2d(as_floats(as_real(where, "dataset", dataset)))
        self.d, self.n = np.shape(dataset)
        if np.ndim(dataset) != 2 or self.n < 2:
            raise ShapeError(
                f"{where}: dataset must have two points or more, got shape {np.shape(dataset)}"
            )
        self.dataset = dataset
        weights = np.ones(self.n) if weights is None else as_real(where, "weights", weights)
        if np.shape(weights) != (self.n,):
            raise ShapeError(
                f"{where}: weights must have shape {(self.n,)}, got {np.shape(weights)}"
            )
        self.weights = weights / np.sum(weights)
        self.neff = 1.0 / np.sum(self.weights**2)
        if isinstance(bw_method, str) or bw_method is None:
            if bw_method not in {None, "scott", "silverman"}:
                raise ArgumentError(
                    f"{where}: bw_method must be 'scott', 'silverman' or a number, got "
                    f"{bw_method!r:.60}"
                )
            base = self.neff * (self.d + 2) / 4 if bw_method == "silverman" else self.neff
            self.factor = base ** (-1.0 / (self.d + 4))
        else:
            self.factor = as_real(where, "bw_method", bw_method)
        mean = dataset @ self.weights
        centred = dataset - mean[:, None]
        spread = (centred * self.weights) @ centred.T / (1.0 - np.sum(self.weights**2))
        self.covariance = spread * self.factor**2

    @overload
    def logpdf(self, x: Plain) -> R_co: ...
    @overload
    def logpdf(self, x: Nest) -> Value: ...
    def logpdf(self, x: Any) -> Any:
        """Return the logarithm of the density at points x, of shape (m,) or (d, m)."""
        x = np.atleast_2d(as_floats(as_real("gaussian_kde.logpdf", "x", x)))
        if np.shape(x)[0] != self.d:
            if self.d == 1 or np.shape(x) != (1, self.d):
                raise ShapeError(
                    f"gaussian_kde.logpdf: x must have shape ({self.d}, m), got {np.shape(x)}"
                )
            x = np.reshape(x, (self.d, 1))  # one point
        root = np.linalg.cholesky(self.covariance)
        apart = np.linalg.solve(
            root, np.reshape(self.dataset[:, :, None] - x[:, None], (self.d, -1))
        )
        energy = 0.5 * np.sum(np.reshape(apart, (self.d, self.n, -1)) ** 2, axis=0)
        size = 0.5 * self.d * math.log(2 * math.pi) + np.sum(np.log(np.diagonal(root)))
        return logsumexp(np.log(self.weights)[:, None] - energy, axis=0) - size

    @overload
    def pdf(self, x: Plain) -> R_co: ...
    @overload
    def pdf(self, x: Nest) -> Value: ...
    def pdf(self, x: Any) -> Any:
        """Return the density at points x, of shape (m,) or (d, m)."""
        return np.exp(self.logpdf(x))

    evaluate = __call__ = pdf
