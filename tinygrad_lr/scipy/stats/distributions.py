"""SciPy's distributions on Values: densities, distribution functions and quantiles.

`scipy.stats.gamma.logpdf` converts its arguments with np.asarray, so it takes no Values. But the
formulas beneath it (`_logpdf`, `_cdf`, ..., the methods that a subclass of `rv_continuous`
overrides) are NumPy and scipy.special, which do. `tg.scipy.stats.gamma` is SciPy's own
distribution, called through these; a few formulas that take no Values either are written here.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, cast, overload

import numpy as np
import scipy.special as sc
import scipy.stats

from ...core.creation import Nest, Plain
from ...core.node import unwrap
from ...core.primitive import chain
from ...core.value import Value
from ...errors import ArgumentError, DtypeError, NotDifferentiableError
from ...support.abstract_array import AbstractArray, Array, as_single_call

__all__ = ["Distribution", "Frozen"]

LOG_2_PI = math.log(2 * math.pi)
NEWTON_STEPS = 3  # derivatives of a quantile are exact up to the order 2^3 - 1
R_co = TypeVar("R_co", covariant=True)  # Value if a parameter is one

if TYPE_CHECKING:
    Number: TypeAlias = float | np.generic

    class Method(Protocol):
        """A method of a distribution: SciPy's own on plain numbers."""

        @overload
        def __call__(self, x: Number, *args: Number, **keywords: Number) -> float: ...
        @overload
        def __call__(self, x: Plain, *args: Plain, **keywords: Plain) -> Array: ...
        @overload
        def __call__(self, x: Nest, *args: Nest, **keywords: Nest) -> Value: ...

    class FrozenMethod(Protocol[R_co]):
        """A method of a distribution with fixed parameters."""

        @overload
        def __call__(self, x: Plain) -> R_co: ...
        @overload
        def __call__(self, x: Nest) -> Value: ...


def _logpdf_of_t(x: Any, df: Any) -> Any:
    size = sc.gammaln(0.5 * (df + 1)) - sc.gammaln(0.5 * df) - 0.5 * np.log(math.pi * df)
    return size - 0.5 * (df + 1) * np.log1p(x * x / df)


def _logpdf_of_genextreme(x: Any, c: Any) -> Any:
    power = _shifted_log(x, c)
    return -np.exp(power) + power - c * power


def _shifted_log(x: Any, c: Any) -> Any:
    """ln(1 - c x)/c, and -x at c = 0."""
    far = np.greater(np.abs(c * x), 0.5)
    near = -x * sc.hyp2f1(1.0, 1.0, 2.0, np.where(far, 0.0, c * x))  # without 0/0 at c = 0
    near = np.where(np.isinf(x), -x, near)
    return np.where(far, np.log1p(-c * x) / np.where(far, c, 1.0), near)


def _log_mass(a: Any, b: Any) -> Any:
    """ln(Φ(b) - Φ(a)), with all digits on either side."""
    left = np.less_equal(a + b, 0)
    low, high = np.where(left, a, -b), np.where(left, b, -a)
    larger = sc.log_ndtr(high)
    return larger + np.log(-np.expm1(sc.log_ndtr(low) - larger))


def _cdf_of_truncnorm(x: Any, a: Any, b: Any) -> Any:
    return np.exp(_log_mass(a, x) - _log_mass(a, b))


FORMULAS: dict[tuple[str, str], Callable[..., Any]] = {
    ("t", "_logpdf"): _logpdf_of_t,
    ("cauchy", "_logpdf"): lambda x: -math.log(math.pi) - np.log1p(x * x),
    ("lognorm", "_logpdf"): lambda x, s: (
        -0.5 * (np.log(x) / s) ** 2 - np.log(s * x) - 0.5 * LOG_2_PI
    ),
    ("gibrat", "_logpdf"): lambda x: -0.5 * np.log(x) ** 2 - np.log(x) - 0.5 * LOG_2_PI,
    ("burr", "_logpdf"): lambda x, c, d: (
        np.log(c * d) - (c + 1) * np.log(x) - (d + 1) * np.log1p(x**-c)
    ),
    ("fisk", "_logpdf"): lambda x, c: np.log(c) - (c + 1) * np.log(x) - 2 * np.log1p(x**-c),
    ("gengamma", "_logpdf"): lambda x, a, c: (
        np.log(np.abs(c)) + sc.xlogy(c * a - 1, x) - x**c - sc.gammaln(a)
    ),
    ("genextreme", "_logpdf"): _logpdf_of_genextreme,
    ("genextreme", "_cdf"): lambda x, c: np.exp(-np.exp(_shifted_log(x, c))),
    ("genextreme", "_sf"): lambda x, c: -np.expm1(-np.exp(_shifted_log(x, c))),
    ("genpareto", "_logpdf"): lambda x, c: (1 + c) * _shifted_log(x, -c),
    ("genpareto", "_cdf"): lambda x, c: -np.expm1(_shifted_log(x, -c)),
    ("genpareto", "_sf"): lambda x, c: np.exp(_shifted_log(x, -c)),
    ("skewnorm", "_logpdf"): lambda x, a: (
        math.log(2) - 0.5 * (LOG_2_PI + x * x) + sc.log_ndtr(a * x)
    ),
    ("truncnorm", "_logpdf"): lambda x, a, b: -0.5 * (LOG_2_PI + x * x) - _log_mass(a, b),
    ("truncnorm", "_cdf"): _cdf_of_truncnorm,
    ("truncnorm", "_sf"): lambda x, a, b: _cdf_of_truncnorm(-x, -b, -a),
    ("triang", "_logpdf"): lambda x, c: np.log(
        np.where(np.less(x, c), 2 * x / c, 2 * (1 - x) / (1 - c))
    ),
    ("triang", "_cdf"): lambda x, c: np.where(np.less(x, c), x * x / c, 1 - (1 - x) ** 2 / (1 - c)),
    ("vonmises", "_logpdf"): lambda x, kappa: (
        kappa * (np.cos(x) - 1) - LOG_2_PI - np.log(sc.i0e(kappa))
    ),
    ("loggamma", "_cdf"): lambda x, c: sc.gammainc(c, np.exp(x)),
    ("loggamma", "_sf"): lambda x, c: sc.gammaincc(c, np.exp(x)),
    ("beta", "_cdf"): lambda x, a, b: sc.betainc(a, b, x),  # as SciPy since 1.14
    ("beta", "_sf"): lambda x, a, b: sc.betaincc(a, b, x),
    ("betaprime", "_cdf"): lambda x, a, b: sc.betainc(a, b, x / (1 + x)),
    ("betaprime", "_sf"): lambda x, a, b: sc.betainc(b, a, 1 / (1 + x)),
    ("genextreme", "_logcdf"): lambda x, c: -np.exp(_shifted_log(x, c)),
    ("genpareto", "_logsf"): lambda x, c: _shifted_log(x, -c),
    ("skewnorm", "_cdf"): lambda x, a: sc.ndtr(x) - 2 * sc.owens_t(x, a),
    ("skewnorm", "_sf"): lambda x, a: sc.ndtr(-x) + 2 * sc.owens_t(x, a),
    ("truncnorm", "_logcdf"): lambda x, a, b: _log_mass(a, x) - _log_mass(a, b),
    ("truncnorm", "_logsf"): lambda x, a, b: _log_mass(x, b) - _log_mass(a, b),
    # SciPy's formulas with sign(x) or |x| have a derivative of 0 at x = 0
    ("dgamma", "_cdf"): lambda x, a: np.where(
        np.greater(x, 0), 0.5 + 0.5 * sc.gammainc(a, x), 0.5 * sc.gammaincc(a, -x)
    ),
    ("dgamma", "_sf"): lambda x, a: np.where(
        np.greater(x, 0), 0.5 * sc.gammaincc(a, x), 0.5 + 0.5 * sc.gammainc(a, -x)
    ),
    ("dweibull", "_cdf"): lambda x, c: np.where(
        np.greater(x, 0), 1 - 0.5 * np.exp(-(x**c)), 0.5 * np.exp(-((-x) ** c))
    ),
    ("dweibull", "_sf"): lambda x, c: np.where(
        np.greater(x, 0), 0.5 * np.exp(-(x**c)), 1 - 0.5 * np.exp(-((-x) ** c))
    ),
    ("gennorm", "_cdf"): lambda x, beta: np.where(
        np.greater(x, 0),
        1 - 0.5 * sc.gammaincc(1 / beta, x**beta),
        0.5 * sc.gammaincc(1 / beta, (-x) ** beta),
    ),
    ("gennorm", "_sf"): lambda x, beta: np.where(
        np.greater(x, 0),
        0.5 * sc.gammaincc(1 / beta, x**beta),
        1 - 0.5 * sc.gammaincc(1 / beta, (-x) ** beta),
    ),
    ("logistic", "_logpdf"): lambda x: sc.log_expit(x) + sc.log_expit(-x),
    ("genlogistic", "_logpdf"): lambda x, c: np.log(c) + sc.log_expit(-x) + c * sc.log_expit(x),
    ("bernoulli", "_cdf"): lambda k, p: sc.bdtr(np.floor(k), 1, p),
    ("bernoulli", "_sf"): lambda k, p: sc.bdtrc(np.floor(k), 1, p),
    ("binom", "_cdf"): lambda k, n, p: sc.bdtr(np.floor(k), n, p),
    ("binom", "_sf"): lambda k, n, p: sc.bdtrc(np.floor(k), n, p),
    ("nbinom", "_cdf"): lambda k, n, p: sc.nbdtr(np.floor(k), n, p),
    ("nbinom", "_sf"): lambda k, n, p: sc.nbdtrc(np.floor(k), n, p),
}
"""Formulas for which SciPy's code takes no Values, on standardised x."""


LOOPING = {"kstwo"}
"""Distributions whose formulas hand arrays to `np.nditer`, which Values crash in NumPy 2.0."""


def _differentiable(x: Any) -> bool:
    return isinstance(x, AbstractArray) or hasattr(type(x), "__apply__")


def _as_operand(x: Any) -> Any:
    """Return a list as an array."""
    return np.asarray(x) if isinstance(x, (list, tuple)) else x


class Distribution:
    """A distribution of `scipy.stats` whose methods take Values for x, shapes, loc and scale.

    `logpdf`, `pdf`, `cdf`, `sf`, `logcdf`, `logsf`, `ppf` and `isf`, or `logpmf` and `pmf`, with
    SciPy's arguments. On plain numbers they are SciPy's own, as are all other methods. Where a
    formula of SciPy takes no Values they raise `NotDifferentiableError`. Quantiles have exact
    derivatives up to order 7.

    >>> import tinygrad_lr as tg
    >>> tg.grad(lambda scale: tg.scipy.stats.norm.logpdf(1.0, 0.0, scale))(1.0)
    0.0
    """

    if TYPE_CHECKING:
        logpdf: Method
        pdf: Method
        logpmf: Method
        pmf: Method
        cdf: Method
        sf: Method
        logcdf: Method
        logsf: Method
        ppf: Method
        isf: Method

    def __init__(self, distribution: Any) -> None:
        self._scipy = distribution
        self.name: str = distribution.name

    def __repr__(self) -> str:
        return f"tg.scipy.stats.{self.name}"

    def __getattr__(self, method: str) -> Any:
        if method not in COMPUTED or not hasattr(self._scipy, method):
            return getattr(self._scipy, method)

        def evaluate(x: Any, *args: Any, **keywords: Any) -> Any:
            if not any(map(_differentiable, (x, *args, *keywords.values()))):
                return getattr(self._scipy, method)(x, *args, **keywords)
            x, args = _as_operand(x), tuple(map(_as_operand, args))
            keywords = {name: _as_operand(given) for name, given in keywords.items()}
            try:
                shapes, loc, scale = self._scipy._parse_args(*args, **keywords)
            except TypeError as error:
                told = str(error).removeprefix("_parse_args() ")
                names = f"{self._scipy.shapes}, " if self._scipy.shapes else ""
                raise ArgumentError(
                    f"{self!r}.{method}: the parameters must be {names}loc and scale: {told}"
                ) from None
            try:
                with np.errstate(all="ignore"):
                    return COMPUTED[method](self, x, shapes, loc, scale)
            except (NotDifferentiableError, DtypeError, TypeError) as error:
                raise NotDifferentiableError(
                    f"{self!r}.{method}: SciPy's formula takes no Values ({error})"
                ) from error

        evaluate.__name__ = method
        return evaluate

    @overload
    def __call__(self, *args: Plain, **keywords: Plain) -> Frozen[Any]: ...
    @overload
    def __call__(self, *args: Nest, **keywords: Nest) -> Frozen[Value]: ...
    def __call__(self, *args: Any, **keywords: Any) -> Frozen[Any]:
        """Return the distribution with fixed parameters."""
        return Frozen(self, args, keywords)

    def _formula(self, method: str) -> Callable[..., Any]:
        own = FORMULAS.get((self.name, method))
        if own is not None:
            return own
        if self.name in LOOPING:
            raise NotDifferentiableError("it loops over plain numbers")
        inherited = getattr(scipy.stats.rv_continuous, method, None)
        if getattr(type(self._scipy), method) in {inherited, _of_discrete(method)}:
            match method:
                case "_logcdf" | "_logsf":
                    plain = self._formula(method.replace("log", ""))
                    return lambda *given: np.log(plain(*given))
                case "_sf":
                    below = self._formula("_cdf")
                    return lambda *given: 1 - below(*given)
        return cast("Callable[..., Any]", getattr(self._scipy, method))

    def _valid(self, shapes: Any, scale: Any) -> Any:
        """Return where the parameters are allowed."""

        def check(scale: Any, *shapes: Any) -> Any:
            return np.logical_and(self._scipy._argcheck(*shapes), np.greater(scale, 0))

        return as_single_call(check)(unwrap(scale), *map(unwrap, shapes))

    def _support(self, shapes: Any) -> tuple[Any, Any]:
        """Return the bounds of x, which is only compared with them: they need no derivatives."""

        def bounds(*shapes: Any) -> Any:
            return np.stack(np.broadcast_arrays(*self._scipy._get_support(*shapes)))

        found = as_single_call(bounds)(*map(unwrap, shapes))
        return found[0], found[1]

    def _log_density(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        z = (x - loc) / scale
        low, high = self._support(shapes)
        mask = getattr(type(self._scipy), "_support_mask", None)
        reaches = np.less if mask is scipy.stats.rv_continuous._open_support_mask else np.less_equal
        inside = np.logical_and(reaches(low, z), reaches(z, high))
        out = self._formula("_logpdf")(z, *shapes) - np.log(scale)
        return self._finish(np.where(inside, out, -np.inf), z, shapes, scale)

    def _log_mass(self, k: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        k = k - loc
        low, high = self._support(shapes)
        inside = np.logical_and(np.less_equal(low, k), np.less_equal(k, high))
        inside = np.logical_and(inside, np.equal(np.floor(k), k))
        out = np.where(inside, self._formula("_logpmf")(k, *shapes), -np.inf)
        return self._finish(out, k, shapes, scale)

    def _tail(self, method: str, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        z = (x - loc) / scale
        low, high = self._support(shapes)
        below, above = (0.0, 1.0) if method.endswith("cdf") else (1.0, 0.0)
        if "log" in method:
            below, above = (0.0 if below else -np.inf), (0.0 if above else -np.inf)
        out = self._formula(method)(z, *shapes)
        out = np.where(np.less_equal(high, z), above, out)
        starts = np.less if self._discrete else np.less_equal
        return self._finish(np.where(starts(z, low), below, out), z, shapes, scale)

    def _finish(self, out: Any, z: Any, shapes: Any, scale: Any) -> Any:
        allowed = np.logical_and(self._valid(shapes, scale), np.logical_not(np.isnan(z)))
        return np.where(allowed, out, np.nan)

    @property
    def _discrete(self) -> bool:
        return isinstance(self._scipy, scipy.stats.rv_discrete)

    def _quantile(self, method: str, q: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        def solve(q: Any, loc: Any, scale: Any, *shapes: Any) -> Any:
            return getattr(self._scipy, method)(q, *shapes, loc=loc, scale=scale)

        if self._discrete:
            raise NotDifferentiableError("a quantile of whole numbers has no derivative")
        x = as_single_call(solve)(*map(unwrap, (q, loc, scale, *shapes)))
        # Newton's steps from the solution, with a residual of exactly 0: they change no number,
        # and each doubles the order up to which derivatives are exact.
        tail, sign = ("_cdf", 1.0) if method == "ppf" else ("_sf", -1.0)
        for _ in range(NEWTON_STEPS):
            density = np.exp(self._log_density(x, shapes, loc, scale))
            residual = self._tail(tail, x, shapes, loc, scale) - q
            step = chain(residual - unwrap(residual), sign / density)
            x = np.where(np.isfinite(unwrap(x)), x - step, unwrap(x))
        return x


def _of_discrete(method: str) -> Any:
    return getattr(scipy.stats.rv_discrete, method, None)


class Frozen(Generic[R_co]):
    """A `Distribution` with fixed parameters, which may be Values: its methods take x alone."""

    if TYPE_CHECKING:
        logpdf: FrozenMethod[R_co]
        pdf: FrozenMethod[R_co]
        logpmf: FrozenMethod[R_co]
        pmf: FrozenMethod[R_co]
        cdf: FrozenMethod[R_co]
        sf: FrozenMethod[R_co]
        logcdf: FrozenMethod[R_co]
        logsf: FrozenMethod[R_co]
        ppf: FrozenMethod[R_co]
        isf: FrozenMethod[R_co]

    def __init__(self, distribution: Any, args: Any, keywords: Any) -> None:
        self.dist, self.args, self.kwds = distribution, args, keywords

    def __getattr__(self, method: str) -> Any:
        if method in COMPUTED:
            called = getattr(self.dist, method)
            return lambda x: called(x, *self.args, **self.kwds)
        return getattr(self.dist._scipy(*self.args, **self.kwds), method)


COMPUTED: dict[str, Callable[..., Any]] = {
    "logpdf": Distribution._log_density,
    "pdf": lambda *given: np.exp(Distribution._log_density(*given)),
    "logpmf": Distribution._log_mass,
    "pmf": lambda *given: np.exp(Distribution._log_mass(*given)),
    "cdf": lambda it, *given: it._tail("_cdf", *given),
    "sf": lambda it, *given: it._tail("_sf", *given),
    "logcdf": lambda it, *given: it._tail("_logcdf", *given),
    "logsf": lambda it, *given: it._tail("_logsf", *given),
    "ppf": lambda it, *given: it._quantile("ppf", *given),
    "isf": lambda it, *given: it._quantile("isf", *given),
}


@functools.cache
def distribution_of(name: str) -> Distribution | None:
    """Return SciPy's distribution of a name, or None if there is none."""
    found = getattr(scipy.stats, name, None)
    known = isinstance(found, (scipy.stats.rv_continuous, scipy.stats.rv_discrete))
    return Distribution(found) if known else None
