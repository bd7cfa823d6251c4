"""The incomplete gamma and beta functions, with derivatives in all of their arguments.

With respect to a shape, d/da ∫₀ˣ t^(a-1) e^(-t) dt = ∫₀ˣ t^(a-1) e^(-t) ln t dt. So the derivatives
of every order are moments of ln t (and of ln(1 - t) for the beta function), and one operation with
an order, `log_moment_of_gamma` or `log_moments_of_beta`, is closed under differentiation. Above the
mean of the distribution the moments are those from x upwards, with a minus sign: they differ from
those below x by a number without x, so they have the same derivatives, and no digits cancel where
the function is nearly 1.

The integrals are computed by the double exponential formula (Takahasi and Mori, 1974): after the
substitution y = e^(u - e^(-u)), the trapezoidal rule in u.
"""

import math

import numpy as np
import scipy.special as sc

from ...core.primitive import chain, implements, primitive
from .gamma_functions import beta, betaln, digamma, gammaln, xlog1py, xlogy

PIECE = 512  # entries whose nodes fit in the processor's cache
NODES = 320
POSITIVE = (0.5, 3.0)
UNIT = (0.1, 0.9)
SHAPES = [((2, 3), (3,)), ((), ()), ((0,), ())]
THREE_SHAPES = [((2, 3), (3,), ()), ((), (), ()), ((0,), (), ())]


def _evaluate(function, arguments):
    """Evaluate a function of equally long vectors on arrays that broadcast, a piece at a time."""
    kind = np.result_type(*arguments)
    kind = kind if kind.kind == "f" else np.dtype(np.float64)
    arrays = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in arguments))
    out = np.empty(arrays[0].shape)
    flat, into = [x.ravel() for x in arrays], out.reshape(-1)
    with np.errstate(all="ignore"):
        for start in range(0, into.size, PIECE):
            piece = slice(start, start + PIECE)
            into[piece] = function(*(x[piece] for x in flat))
    return out.astype(kind)[()]


def _mean(of, exponent, largest):
    """The mean of of(y) on (0, ∞) under weights e^exponent(y), negligible beyond `largest`."""
    low, high = -4.0, np.log(largest)
    u = low + (high - low) * np.linspace(0, 1, NODES)
    y = np.exp(u - np.exp(-u))
    weights = np.exp(exponent(y)) * (y * (1 + np.exp(-u)))
    return np.sum(weights * of(y), axis=1) / np.sum(weights, axis=1)


def _below_of_gamma(a, x, order):
    a, x = a[:, None], x[:, None]  # t = x e^(-y/a)
    return _mean(
        lambda y: (np.log(x) - y / a) ** order,
        lambda y: -y - x * np.expm1(-y / a),
        60 + 12 * np.sqrt(a),
    )


def _above_of_gamma(a, x, order):
    a, x = a[:, None], x[:, None]  # t = x + y
    return _mean(
        lambda y: np.log(x + y) ** order,
        lambda y: (a - 1) * np.log1p(y / x) - y,
        60 + 12 * np.sqrt(a),
    )


def _moment_of_gamma(a, x, order):
    out = np.where(x <= a, sc.gammainc(a, x), -sc.gammaincc(a, x))
    inside = (a > 0) & (x > 0) & (x < np.inf) & (a < np.inf) & (order > 0)
    for side, mean in ((inside & (x <= a), _below_of_gamma), (inside & (x > a), _above_of_gamma)):
        if np.any(side):
            out[side] *= mean(a[side], x[side], order)
    return out


def _below_of_beta(a, b, x, rest, orders):
    a, b, x, rest = a[:, None], b[:, None], x[:, None], rest[:, None]  # t = x e^(-y/a)
    j, k = orders
    return _mean(
        lambda y: (np.log(x) - y / a) ** j * np.log(rest - x * np.expm1(-y / a)) ** k,
        lambda y: -y + (b - 1) * np.log1p(-x * np.expm1(-y / a) / rest),
        60 + 12 * np.sqrt(a / rest),
    )


def _moment_of_beta(a, b, x, orders):
    below = x * (a + b) <= a
    out = np.where(below, sc.betainc(a, b, x), -sc.betainc(b, a, 1 - x))
    inside = (a > 0) & (b > 0) & (x > 0) & (x < 1) & (a < np.inf) & (b < np.inf)
    inside &= sum(orders) > 0
    if np.any(side := inside & below):
        out[side] *= _below_of_beta(a[side], b[side], x[side], 1 - x[side], orders)
    if np.any(side := inside & ~below):
        out[side] *= _below_of_beta(b[side], a[side], 1 - x[side], x[side], orders[::-1])
    return out


def _power_of_log(x, order):
    return np.log(x) ** order if order else 1.0


@primitive(
    kind="elementwise",
    latex=r"\int_0^{<x>} \frac{t^{<a> - 1} \cdot e^{-t}}{\Gamma\left(<a>\right)}"
    r" \cdot \ln^{<order>} t \, dt",
    domain={"a": POSITIVE, "x": POSITIVE},
    examples=[*SHAPES, ((), (), {"order": 1})],
    whole=True,
)
def log_moment_of_gamma(a, x, *, order=0):
    """∫₀ˣ t^(a-1) e^(-t) (ln t)^order dt/Γ(a) for x ≤ a, and minus ∫ₓ^∞ of the same for x > a.

    Order 0 is `gammainc`, or `gammainc` - 1 for x > a.

    >>> round(float(log_moment_of_gamma(1.0, 0.5)), 12), float(log_moment_of_gamma(1.0, np.inf))
    (0.393469340287, -0.0)
    """
    return _evaluate(lambda a, x: _moment_of_gamma(a, x, order), (a, x))


def _density_of_gamma(a, x):
    return np.exp(xlogy(a - 1, x) - x - gammaln(a))


log_moment_of_gamma.vjp(
    a=lambda g, out, a, x, order: (
        g * (log_moment_of_gamma(a, x, order=order + 1) - digamma(a) * out)
    ),
    x=lambda g, out, a, x, order: g * (_density_of_gamma(a, x) * _power_of_log(x, order)),
)


@primitive(
    kind="elementwise",
    latex=r"\int_0^{<x>} \frac{t^{<a> - 1} \cdot (1 - t)^{<b> - 1}}"
    r"{B\left(<a>, <b>\right)} \cdot \ln^{<j>} t \cdot \ln^{<k>}(1 - t) \, dt",
    domain={"a": POSITIVE, "b": POSITIVE, "x": UNIT},
    examples=[*THREE_SHAPES, ((), (), (), {"j": 1})],
    whole=True,
)
def log_moment_of_beta(a, b, x, *, j=0, k=0):
    """∫₀ˣ t^(a-1) (1-t)^(b-1) (ln t)^j (ln(1-t))^k dt/B(a, b) for x ≤ a/(a+b), else minus ∫ₓ¹.

    With j = k = 0 it is `betainc`, or `betainc` - 1 for x > a/(a + b).

    >>> float(log_moment_of_beta(1.0, 1.0, 0.25)), float(log_moment_of_beta(1.0, 1.0, 0.75))
    (0.25, -0.25)
    """
    return _evaluate(lambda a, b, x: _moment_of_beta(a, b, x, (j, k)), (a, b, x))


def _density_of_beta(a, b, x):
    return np.exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b))


log_moment_of_beta.vjp(
    a=lambda g, out, a, b, x, j, k: (
        g * (log_moment_of_beta(a, b, x, j=j + 1, k=k) - (digamma(a) - digamma(a + b)) * out)
    ),
    b=lambda g, out, a, b, x, j, k: (
        g * (log_moment_of_beta(a, b, x, j=j, k=k + 1) - (digamma(b) - digamma(a + b)) * out)
    ),
    x=lambda g, out, a, b, x, j, k: (
        g * (_density_of_beta(a, b, x) * _power_of_log(x, j) * _power_of_log(1 - x, k))
    ),
)


def _slope_of_gammainc(a, x):
    return log_moment_of_gamma(a, x, order=1) - digamma(a) * log_moment_of_gamma(a, x)


def _slope_of_betainc(a, b, x):
    moment = log_moment_of_beta(a, b, x, j=1)
    return moment - (digamma(a) - digamma(a + b)) * log_moment_of_beta(a, b, x)


@primitive(
    sc.gammainc,
    latex=r"P\left(<a>, <x>\right)",
    domain={"a": POSITIVE, "x": POSITIVE},
    examples=SHAPES,
    whole=True,
)
def gammainc(a, x):
    """The regularised lower incomplete gamma function P(a, x) = ∫₀ˣ t^(a-1) e^(-t) dt/Γ(a).

    >>> round(float(gammainc(1.0, Value(0.5)).data), 12)
    0.393469340287
    """
    return sc.gammainc(a, x)


gammainc.vjp(
    a=lambda g, out, a, x: g * _slope_of_gammainc(a, x),
    x=lambda g, out, a, x: g * _density_of_gamma(a, x),
)


@primitive(
    sc.gammaincc,
    latex=r"Q\left(<a>, <x>\right)",
    domain={"a": POSITIVE, "x": POSITIVE},
    examples=SHAPES,
    whole=True,
)
def gammaincc(a, x):
    """1 - `gammainc`(a, x), to all digits where that is nearly 1.

    >>> float(gammaincc(1.0, Value(0.5)).data)
    0.6065306597126334
    """
    return sc.gammaincc(a, x)


gammaincc.vjp(
    a=lambda g, out, a, x: g * -_slope_of_gammainc(a, x),
    x=lambda g, out, a, x: g * -_density_of_gamma(a, x),
)


@primitive(
    sc.gammaincinv,
    latex=r"P^{-1}\left(<a>, <y>\right)",
    domain={"a": POSITIVE, "y": UNIT},
    examples=SHAPES,
    whole=True,
)
def gammaincinv(a, y):
    """The x at which `gammainc`(a, x) is y.

    >>> float(gammaincinv(1.0, Value(0.0)).data)
    0.0
    """
    return sc.gammaincinv(a, y)


gammaincinv.vjp(
    a=lambda g, out, a, y: g * (-_slope_of_gammainc(a, out) / _density_of_gamma(a, out)),
    y=lambda g, out, a, y: g * (1 / _density_of_gamma(a, out)),
)


@primitive(
    sc.betainc,
    latex=r"I_{<x>}\left(<a>, <b>\right)",
    domain={"a": POSITIVE, "b": POSITIVE, "x": UNIT},
    examples=THREE_SHAPES,
    whole=True,
)
def betainc(a, b, x):
    """The regularised incomplete beta function I(a, b, x) = ∫₀ˣ t^(a-1) (1-t)^(b-1) dt/B(a, b).

    >>> float(betainc(1.0, 1.0, Value(0.25)).data)
    0.25
    """
    return sc.betainc(a, b, x)


betainc.vjp(
    a=lambda g, out, a, b, x: g * _slope_of_betainc(a, b, x),
    b=lambda g, out, a, b, x: g * -_slope_of_betainc(b, a, 1 - x),
    x=lambda g, out, a, b, x: g * _density_of_beta(a, b, x),
)


@primitive(
    sc.betaincinv,
    latex=r"I^{-1}_{<y>}\left(<a>, <b>\right)",
    domain={"a": POSITIVE, "b": POSITIVE, "y": UNIT},
    examples=THREE_SHAPES,
    whole=True,
)
def betaincinv(a, b, y):
    """The x at which `betainc`(a, b, x) is y.

    >>> float(betaincinv(1.0, 1.0, Value(0.25)).data)
    0.25
    """
    return sc.betaincinv(a, b, y)


betaincinv.vjp(
    a=lambda g, out, a, b, y: g * (-_slope_of_betainc(a, b, out) / _density_of_beta(a, b, out)),
    b=lambda g, out, a, b, y: g * (_slope_of_betainc(b, a, 1 - out) / _density_of_beta(a, b, out)),
    y=lambda g, out, a, b, y: g * (1 / _density_of_beta(a, b, out)),
)


@implements(*([sc.betaincc] if hasattr(sc, "betaincc") else []))  # SciPy 1.11
def betaincc(a, b, x):
    """1 - `betainc`(a, b, x), to all digits where that is nearly 1.

    >>> float(betaincc(1.0, 1.0, Value(0.75)).data)
    0.25
    """
    return betainc(b, a, 1 - x)


@implements(sc.chdtr)
def chdtr(df, x):
    """The distribution function of χ² with `df` degrees of freedom."""
    return gammainc(df / 2, x / 2)


@implements(sc.chdtrc)
def chdtrc(df, x):
    """The survival function of χ² with `df` degrees of freedom."""
    return gammaincc(df / 2, x / 2)


@implements(sc.gdtr)
def gdtr(a, b, x):
    """The distribution function of the gamma distribution of rate a and shape b."""
    return gammainc(b, a * x)


@implements(sc.gdtrc)
def gdtrc(a, b, x):
    """The survival function of the gamma distribution of rate a and shape b."""
    return gammaincc(b, a * x)


@implements(sc.pdtr)
def pdtr(k, m):
    """The distribution function of a Poisson number with mean m."""
    return gammaincc(np.floor(k) + 1, m)


@implements(sc.pdtrc)
def pdtrc(k, m):
    """The survival function of a Poisson number with mean m."""
    return gammainc(np.floor(k) + 1, m)


@implements(sc.fdtr)
def fdtr(dfn, dfd, x):
    """The distribution function of F with dfn and dfd degrees of freedom."""
    return betainc(dfn / 2, dfd / 2, dfn * x / (dfd + dfn * x))


@implements(sc.fdtrc)
def fdtrc(dfn, dfd, x):
    """The survival function of F with dfn and dfd degrees of freedom."""
    return betainc(dfd / 2, dfn / 2, dfd / (dfd + dfn * x))


@implements(sc.bdtr)
def bdtr(k, n, p):
    """The distribution function of a binomial number of n draws with probability p."""
    return betaincc(np.floor(k) + 1, n - np.floor(k), p)


@implements(sc.bdtrc)
def bdtrc(k, n, p):
    """The survival function of a binomial number of n draws with probability p."""
    return betainc(np.floor(k) + 1, n - np.floor(k), p)


@implements(sc.nbdtr)
def nbdtr(k, n, p):
    """The distribution function of the failures before the n-th success of probability p."""
    return betainc(n, k + 1, p)


@implements(sc.nbdtrc)
def nbdtrc(k, n, p):
    """The survival function of the failures before the n-th success of probability p."""
    return betaincc(n, k + 1, p)


def _density_of_t(df, t):
    size = gammaln(0.5 * (df + 1)) - gammaln(0.5 * df)
    return np.exp(size - 0.5 * (df + 1) * np.log1p(t * t / df)) / np.sqrt(np.pi * df)


def _textbook_slope_of_stdtr(df, t):
    """The slope for t ≠ 0."""
    a, z = df / 2, df / (df + t * t)
    density = z**a * np.sqrt(1 - z) / (df * beta(a, 0.5))
    return -np.sign(t) * (_slope_of_betainc(a, 0.5, z) / 4 + density / 2)


def _slope_of_stdtr(df, t):
    size = np.where(t == 0, 1.0, np.abs(t))
    z = df / (df + size * size)
    density = _density_of_beta(0.5 * df, 0.5, z) * ((1 - z) * z / df)
    slope = -0.5 * np.sign(t) * (0.5 * _slope_of_betainc(0.5 * df, 0.5, z) + density)
    return np.where(t == 0, chain(t, math.nan), slope)  # 0, of an unknown slope in t


@primitive(
    sc.stdtr,
    latex=r"F_{<df>}\left(<t>\right)",
    domain={"df": (1.0, 5.0)},
    examples=SHAPES,
    whole=True,
)
def stdtr(df, t):
    """The distribution function of Student's t with `df` degrees of freedom.

    >>> float(stdtr(1.0, Value(0.0)).data)
    0.5
    """
    return sc.stdtr(df, t)


stdtr.vjp(
    df=lambda g, out, df, t: g * _slope_of_stdtr(df, t),
    t=lambda g, out, df, t: g * _density_of_t(df, t),
)
stdtr.textbook(df=lambda g, out, df, t: g * _textbook_slope_of_stdtr(df, t))


@primitive(
    sc.stdtrit,
    latex=r"F_{<df>}^{-1}\left(<p>\right)",
    domain={"df": (1.0, 5.0), "p": UNIT},
    examples=SHAPES,
    whole=True,
)
def stdtrit(df, p):
    """The t at which `stdtr`(df, t) is p.

    >>> round(float(stdtrit(1.0, Value(0.75)).data), 9)
    1.0
    """
    return sc.stdtrit(df, p)


stdtrit.vjp(
    df=lambda g, out, df, p: g * (-_slope_of_stdtr(df, out) / _density_of_t(df, out)),
    p=lambda g, out, df, p: g * (1 / _density_of_t(df, out)),
)
stdtrit.textbook(
    df=lambda g, out, df, p: (
        -g
        * _textbook_slope_of_stdtr(df, out)
        * (np.sqrt(df) * beta(df / 2, 0.5) * (1 + out * out / df) ** ((df + 1) / 2))
    )
)
