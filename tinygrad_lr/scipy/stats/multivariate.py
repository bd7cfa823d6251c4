"""Distributions of vectors: normal, Dirichlet, multinomial."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import scipy.special as sc
import scipy.stats

from ...core.creation import Nest, Plain
from ...core.node import unwrap
from ...core.value import Value
from ...errors import ArgumentError
from ...support.abstract_array import check_numbers
from ...support.validation import check_flag
from ..equivalents import as_real
from .distributions import LOG_2_PI, Frozen

__all__ = [
    "Dirichlet",
    "Multinomial",
    "MultivariateNormal",
    "dirichlet",
    "multinomial",
    "multivariate_normal",
]

SIMPLEX_TOLERANCE = 1e-5  # of the sum of shares, which may be float32


class _Multivariate:
    """A distribution of vectors; the methods that are not written out are SciPy's own."""

    def __init__(self, distribution: Any) -> None:
        self._scipy = distribution

    def __getattr__(self, method: str) -> Any:
        return getattr(self._scipy, method)

    @overload
    def __call__(self, *args: Plain, **keywords: Plain) -> Frozen[Any]: ...
    @overload
    def __call__(self, *args: Nest, **keywords: Nest) -> Frozen[Value]: ...
    def __call__(self, *args: Any, **keywords: Any) -> Frozen[Any]:
        """Return the distribution with fixed parameters."""
        return Frozen(self, args, keywords)


class MultivariateNormal(_Multivariate):
    """The multivariate normal distribution, as `scipy.stats.multivariate_normal`."""

    _where = "multivariate_normal.logpdf"

    @overload
    def logpdf(
        self, x: Plain, mean: Plain | None = None, cov: Plain = 1.0, allow_singular: bool = False
    ) -> Any: ...
    @overload
    def logpdf(
        self, x: Nest, mean: Nest | None = None, cov: Nest = 1.0, allow_singular: bool = False
    ) -> Value: ...
    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1.0, allow_singular: bool = False) -> Any:
        """Return -(n ln 2π + ln det C + (x - m)ᵀ C⁻¹ (x - m))/2 for each row of x.

        `mean` has shape (n,) or is a number; `cov` has shape (n, n), or (n,) for a diagonal matrix,
        or is a number. In one dimension, x may be numbers of any shape (k,). Raises
        `ArgumentError` for shapes that don't fit, and unless `cov` is positive definite, and for
        `allow_singular=True`.

        >>> round(float(multivariate_normal.logpdf(np.zeros(2), np.zeros(2), np.eye(2))), 6)
        -1.837877
        """
        if check_flag(self._where, "allow_singular", allow_singular):
            raise ArgumentError(
                f"{self._where}: allow_singular must be False, got True; a density on a subspace "
                "has no derivative across it, so write x in coordinates of it"
            )
        mean = 0.0 if mean is None else mean
        x, mean = as_real(self._where, "x", x), as_real(self._where, "mean", mean)
        cov = as_real(self._where, "cov", cov)
        n = max(np.size(mean), np.shape(cov)[-1] if np.ndim(cov) else 1)
        if n == 1 and np.ndim(x) < 2:  # points, not coordinates
            x = np.expand_dims(x, -1)
        if np.ndim(mean) > 1 or np.shape(mean)[:1] not in {(), (n,)}:
            raise ArgumentError(f"{self._where}: mean must have shape ({n},), got {np.shape(mean)}")
        if np.ndim(cov) > 2 or {*np.shape(cov)} - {n}:
            raise ArgumentError(
                f"{self._where}: cov must have shape ({n}, {n}), got {np.shape(cov)}"
            )
        if np.shape(x)[-1:] != (n,):
            raise ArgumentError(f"{self._where}: x must have shape (..., {n}), got {np.shape(x)}")
        centred = x - mean
        cov = cov * np.eye(n) if np.ndim(cov) < 2 else cov
        check_numbers(unwrap(cov), _require_positive_definite)
        solved = np.linalg.solve(cov, np.swapaxes(np.atleast_2d(centred), -1, -2))
        square = np.sum(np.swapaxes(solved, -1, -2) * centred, axis=-1)
        square = square[0] if np.ndim(centred) == 1 else square
        size = np.shape(centred)[-1] * LOG_2_PI + np.linalg.slogdet(cov)[1]
        return -0.5 * (size + square)

    @overload
    def pdf(
        self, x: Plain, mean: Plain | None = None, cov: Plain = 1.0, allow_singular: bool = False
    ) -> Any: ...
    @overload
    def pdf(
        self, x: Nest, mean: Nest | None = None, cov: Nest = 1.0, allow_singular: bool = False
    ) -> Value: ...
    def pdf(self, x: Any, mean: Any = None, cov: Any = 1.0, allow_singular: bool = False) -> Any:
        """Return the density, e^logpdf."""
        return np.exp(self.logpdf(x, mean, cov, allow_singular))

    @overload
    def entropy(self, mean: Plain | None = None, cov: Plain = 1.0) -> Any: ...
    @overload
    def entropy(self, mean: Nest | None = None, cov: Nest = 1.0) -> Value: ...
    def entropy(self, mean: Any = None, cov: Any = 1.0) -> Any:
        """Return (n (1 + ln 2π) + ln det C)/2 for `cov` of shape (n, n), whatever the mean.

        >>> float(np.round(multivariate_normal.entropy(cov=np.eye(2)), 6))
        2.837877
        """
        mean = 0.0 if mean is None else as_real("multivariate_normal.entropy", "mean", mean)
        cov = as_real("multivariate_normal.entropy", "cov", cov)
        if np.ndim(cov) > 2 or len({*np.shape(cov)}) > 1 or not np.size(cov):
            raise ArgumentError(
                f"multivariate_normal.entropy: cov must be a square matrix, got {np.shape(cov)}"
            )
        n = max(np.size(mean), np.shape(cov)[-1] if np.ndim(cov) else 1)
        cov = cov * np.eye(n) if np.ndim(cov) < 2 else cov
        check_numbers(unwrap(cov), _require_positive_definite)
        return 0.5 * (np.shape(cov)[-1] * (1 + LOG_2_PI) + np.linalg.slogdet(cov)[1])


def _require_positive_definite(cov: Any) -> None:
    if not np.allclose(cov, cov.T) or not np.all(np.linalg.eigvalsh(cov) > 0):
        raise ArgumentError("multivariate_normal: cov must be symmetric and positive definite")


def _sizes(alpha: Any) -> tuple[int, int]:
    return np.size(alpha), np.size(alpha) - 1


def _require_simplex(x: Any) -> None:
    if np.any(x < 0) or np.any(np.abs(np.sum(x, axis=0) - 1) > SIMPLEX_TOLERANCE):
        raise ArgumentError("dirichlet.logpdf: x must be shares >= 0 that add up to 1")


def _require_positive(alpha: Any) -> None:
    if np.any(alpha <= 0):
        raise ArgumentError(f"dirichlet.logpdf: alpha must be > 0, got {np.min(alpha):.6g}")


def _require_probabilities(p: Any) -> None:
    if np.any(np.abs(np.sum(p, axis=-1) - 1) > SIMPLEX_TOLERANCE):
        raise ArgumentError("multinomial.logpmf: p must add up to 1 along the last axis")


class Dirichlet(_Multivariate):
    """The Dirichlet distribution, as `scipy.stats.dirichlet`."""

    @overload
    def logpdf(self, x: Plain, alpha: Plain) -> Any: ...
    @overload
    def logpdf(self, x: Nest, alpha: Nest) -> Value: ...
    def logpdf(self, x: Any, alpha: Any) -> Any:
        """Return Σ (αᵢ - 1) ln xᵢ + ln Γ(Σ αᵢ) - Σ ln Γ(αᵢ), for x of shape (k,) or (k, n).

        With one entry less than α, the last is 1 - Σ xᵢ. Raises `ArgumentError` unless x has shares
        that add up to 1 and α > 0.

        >>> float(np.round(dirichlet.logpdf(np.array([0.2, 0.8]), np.array([1.0, 1.0])), 12)) + 0.0
        0.0
        """
        x = as_real("dirichlet.logpdf", "x", x)
        alpha = as_real("dirichlet.logpdf", "alpha", alpha)
        if np.ndim(alpha) != 1 or not np.ndim(x) or np.shape(x)[0] not in _sizes(alpha):
            raise ArgumentError(
                "dirichlet.logpdf: alpha must be a vector with an entry for each of x, got shapes "
                f"{np.shape(alpha)} and {np.shape(x)}"
            )
        if np.shape(x)[0] < np.size(alpha):
            x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
        check_numbers(unwrap(x), _require_simplex)
        check_numbers(unwrap(alpha), _require_positive)
        terms = sc.xlogy(np.transpose(alpha - 1), np.transpose(x))
        size = sc.gammaln(np.sum(alpha)) - np.sum(sc.gammaln(alpha))
        return np.sum(terms, axis=-1) + size

    @overload
    def pdf(self, x: Plain, alpha: Plain) -> Any: ...
    @overload
    def pdf(self, x: Nest, alpha: Nest) -> Value: ...
    def pdf(self, x: Any, alpha: Any) -> Any:
        """Return the density, e^logpdf."""
        return np.exp(self.logpdf(x, alpha))


class Multinomial(_Multivariate):
    """The multinomial distribution, as `scipy.stats.multinomial`."""

    @overload
    def logpmf(self, x: Plain, n: Plain, p: Plain) -> Any: ...
    @overload
    def logpmf(self, x: Nest, n: Nest, p: Nest) -> Value: ...
    def logpmf(self, x: Any, n: Any, p: Any) -> Any:
        """Return ln n! + Σ (xᵢ ln pᵢ - ln xᵢ!) over the last axis; -inf unless Σ xᵢ is n.

        It is -inf also where x isn't whole. Raises `ArgumentError` unless p adds up to 1.

        >>> round(float(multinomial.logpmf(np.array([1, 1]), 2, np.array([0.5, 0.5]))), 6)
        -0.693147
        """
        where = "multinomial.logpmf"
        x, n, p = as_real(where, "x", x), as_real(where, "n", n), as_real(where, "p", p)
        if np.shape(x)[-1:] != np.shape(p)[-1:]:
            raise ArgumentError(
                f"{where}: x must have a count for each of p, got shapes {np.shape(x)} and "
                f"{np.shape(p)}"
            )
        check_numbers(unwrap(p), _require_probabilities)
        out = sc.gammaln(n + 1) + np.sum(sc.xlogy(x, p) - sc.gammaln(np.add(x, 1)), axis=-1)
        counts = np.logical_and(np.greater_equal(x, 0), np.equal(np.floor(x), x))
        valid = np.logical_and(np.equal(np.sum(x, axis=-1), n), np.all(counts, axis=-1))
        return np.where(valid, out, -np.inf)[()]

    @overload
    def pmf(self, x: Plain, n: Plain, p: Plain) -> Any: ...
    @overload
    def pmf(self, x: Nest, n: Nest, p: Nest) -> Value: ...
    def pmf(self, x: Any, n: Any, p: Any) -> Any:
        """Return the probability, e^logpmf."""
        return np.exp(self.logpmf(x, n, p))


multivariate_normal = MultivariateNormal(scipy.stats.multivariate_normal)
dirichlet = Dirichlet(scipy.stats.dirichlet)
multinomial = Multinomial(scipy.stats.multinomial)
