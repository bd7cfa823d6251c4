"""The gamma and beta functions, their logarithms and derivatives, and entropy's terms."""

import numpy as np
import scipy.special as sc

from ...core.primitive import NUMPY_IMPLS, implements, is_complex, primitive
from ...errors import DtypeError
from ...ops.activation import sigmoid
from ...support.validation import check_integer
from ..equivalents import equivalent

ONE = [((2, 3),), ((),), ((0,),)]
TWO = [((2, 3), (3,)), ((), ())]
POSITIVE = (0.5, 3.0)
UNIT = (0.1, 0.9)


@primitive(
    kind="elementwise",
    latex=r"\psi^{(<n>)}\left(<x>\right)",
    domain={"x": POSITIVE},
    examples=[*ONE, ((), {"n": 1})],
    whole=True,
)
def polygamma_of(x, *, n=0):
    """The derivative of order n of the digamma function ψ; with n=0 ψ itself.

    >>> float(polygamma_of(1.0)) == -np.euler_gamma
    True
    """
    if n == 0:
        return sc.digamma(x)
    return np.asarray(sc.polygamma(n, x), getattr(x, "dtype", float))[()]


polygamma_of.vjp(x=lambda g, out, x, n: g * polygamma_of(x, n=n + 1))


@implements(sc.digamma)  # psi is the same ufunc
def digamma(x):
    """The digamma function ψ(x), the derivative of ln Γ(x). Differentiable if x is real.

    >>> float(digamma(1.0)) == -np.euler_gamma
    True
    """
    return complex_digamma(x) if is_complex(x) else polygamma_of(x)


@primitive(kind="elementwise", latex=r"\psi\left(<x>\right)", whole=True, takes_complex=True)
def complex_digamma(x):
    """The digamma function of complex numbers. SciPy has no derivative of it, so it has no rule.

    >>> np.allclose(complex_digamma(1 + 0j), -np.euler_gamma)
    True
    """
    return sc.digamma(x)


@implements()
def polygamma(n, x):
    """The derivative of order n of the digamma function, as `scipy.special.polygamma`.

    n is one integer >= 0. SciPy's own function takes no Values.
    """
    return polygamma_of(x, n=n)


def _ratio(x, y):
    return np.where(np.equal(x, 0), 0.0, x / y)


@primitive(
    sc.gamma,
    latex=r"\Gamma\left(<x>\right)",
    domain={"x": POSITIVE},
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def gamma(x):
    """The gamma function Γ(x), with Γ(n + 1) = n!.

    >>> float(gamma(Value(4.0)).data)
    6.0
    """
    return sc.gamma(x)


gamma.vjp(x=lambda g, out, x: g * (out * digamma(x)))


@primitive(
    sc.gammaln,
    latex=r"\ln\left|\Gamma\left(<x>\right)\right|",
    domain={"x": POSITIVE},
    examples=ONE,
    whole=True,
)
def gammaln(x):
    """The logarithm of |Γ(x)|.

    >>> float(gammaln(Value(2.0)).data)
    0.0
    """
    return sc.gammaln(x)


gammaln.vjp(x=lambda g, out, x: g * digamma(x))


@primitive(
    sc.gammasgn,
    latex=r"\operatorname{sign} \Gamma\left(<x>\right)",
    domain={"x": POSITIVE},
    examples=ONE,
    flat=True,
    whole=True,
)
def gammasgn(x):
    """The sign of Γ(x). Its derivative is 0.

    >>> float(gammasgn(Value(-0.5)).data)
    -1.0
    """
    return sc.gammasgn(x)


gammasgn.vjp(x=lambda g, out, x: g * 0.0)


@primitive(
    sc.rgamma,
    latex=r"\frac{1}{\Gamma\left(<x>\right)}",
    domain={"x": POSITIVE},
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def rgamma(x):
    """1/Γ(x).

    >>> float(rgamma(Value(3.0)).data)
    0.5
    """
    return sc.rgamma(x)


rgamma.vjp(x=lambda g, out, x: g * (-out * digamma(x)))


@primitive(
    sc.beta,
    latex=r"B\left(<a>, <b>\right)",
    domain={"a": POSITIVE, "b": POSITIVE},
    examples=TWO,
    whole=True,
)
def beta(a, b):
    """The beta function B(a, b) = Γ(a)Γ(b)/Γ(a + b).

    >>> float(beta(2.0, Value(2.0)).data)
    0.16666666666666666
    """
    return sc.beta(a, b)


beta.vjp(
    a=lambda g, out, a, b: g * (out * (digamma(a) - digamma(a + b))),
    b=lambda g, out, a, b: g * (out * (digamma(b) - digamma(a + b))),
)


@primitive(
    sc.betaln,
    latex=r"\ln\left|B\left(<a>, <b>\right)\right|",
    domain={"a": POSITIVE, "b": POSITIVE},
    examples=TWO,
    whole=True,
)
def betaln(a, b):
    """The logarithm of |B(a, b)|.

    >>> float(betaln(1.0, Value(1.0)).data)
    0.0
    """
    return sc.betaln(a, b)


betaln.vjp(
    a=lambda g, out, a, b: g * (digamma(a) - digamma(a + b)),
    b=lambda g, out, a, b: g * (digamma(b) - digamma(a + b)),
)


@primitive(
    sc.binom,
    latex=r"\binom{<n>}{<k>}",
    domain={"n": (3.2, 5.0), "k": (0.3, 2.0)},
    examples=TWO,
    whole=True,
)
def binom(n, k):
    """The binomial coefficient n over k, of real numbers.

    >>> float(binom(5.0, Value(2.0)).data)
    10.0
    """
    return sc.binom(n, k)


binom.vjp(
    n=lambda g, out, n, k: g * (out * (digamma(n + 1) - digamma(n - k + 1))),
    k=lambda g, out, n, k: g * (out * (digamma(n - k + 1) - digamma(k + 1))),
)


@primitive(
    sc.poch,
    latex=r"\operatorname{poch}\left(<z>, <m>\right)",
    domain={"z": POSITIVE, "m": POSITIVE},
    examples=TWO,
    whole=True,
)
def poch(z, m):
    """The Pochhammer symbol Γ(z + m)/Γ(z).

    >>> float(poch(2.0, Value(3.0)).data)
    24.0
    """
    return sc.poch(z, m)


poch.vjp(
    z=lambda g, out, z, m: g * (out * (digamma(z + m) - digamma(z))),
    m=lambda g, out, z, m: g * (out * digamma(z + m)),
)


@primitive(
    sc.logit, latex=r"\ln \frac{<x>}{1 - <x>}", domain={"x": (0.1, 0.9)}, examples=ONE, whole=True
)
def logit(x):
    """ln(x/(1 - x)), the inverse of the logistic function.

    >>> float(logit(Value(0.5)).data)
    0.0
    """
    return sc.logit(x)


logit.vjp(x=lambda g, out, x: g * (1 / (x * (1 - x))))


@primitive(sc.log_expit, latex=r"\ln \sigma\left(<x>\right)", examples=ONE, whole=True)
def log_expit(x):
    """The logarithm of the logistic function.

    >>> float(log_expit(Value(1000.0)).data)
    -0.0
    """
    return sc.log_expit(x)


log_expit.vjp(x=lambda g, out, x: g * sigmoid(-x))


@primitive(sc.entr, latex=r"-<x> \cdot \ln <x>", domain={"x": POSITIVE}, examples=ONE, whole=True)
def entr(x):
    """The entropy's term -x·ln x, with 0 at 0.

    >>> float(entr(Value(1.0)).data)
    -0.0
    """
    return sc.entr(x)


entr.vjp(x=lambda g, out, x: g * (-np.log(x) - 1))


@primitive(
    sc.xlogy,
    latex=r"<x> \cdot \ln <y>",
    domain={"x": POSITIVE, "y": POSITIVE},
    examples=TWO,
    whole=True,
    takes_complex=True,
)
def xlogy(x, y):
    """x·ln y, with 0 where x is 0.

    >>> float(xlogy(0.0, Value(0.0)).data)
    0.0
    """
    return sc.xlogy(x, y)


xlogy.vjp(x=lambda g, out, x, y: g * (np.log(y)), y=lambda g, out, x, y: g * _ratio(x, y))


@primitive(
    sc.xlog1py,
    latex=r"<x> \cdot \ln\left(1 + <y>\right)",
    domain={"x": POSITIVE, "y": POSITIVE},
    examples=TWO,
    whole=True,
    takes_complex=True,
)
def xlog1py(x, y):
    """x·ln(1 + y), with 0 where x is 0.

    >>> float(xlog1py(0.0, Value(-1.0)).data)
    0.0
    """
    return sc.xlog1py(x, y)


xlog1py.vjp(x=lambda g, out, x, y: g * (np.log1p(y)), y=lambda g, out, x, y: g * _ratio(x, 1 + y))


@primitive(
    sc.rel_entr,
    latex=r"<x> \cdot \ln \frac{<x>}{<y>}",
    domain={"x": POSITIVE, "y": POSITIVE},
    examples=TWO,
    whole=True,
)
def rel_entr(x, y):
    """The relative entropy's term x·ln(x/y), with 0 where x is 0.

    >>> float(rel_entr(0.0, Value(1.0)).data)
    0.0
    """
    return sc.rel_entr(x, y)


rel_entr.vjp(
    x=lambda g, out, x, y: g * (np.log(x / y) + 1), y=lambda g, out, x, y: g * -_ratio(x, y)
)


@primitive(
    sc.kl_div,
    latex=r"<x> \cdot \ln \frac{<x>}{<y>} - <x> + <y>",
    domain={"x": POSITIVE, "y": POSITIVE},
    examples=TWO,
    whole=True,
)
def kl_div(x, y):
    """x·ln(x/y) - x + y, the term of the Kullback-Leibler divergence.

    >>> float(kl_div(1.0, Value(1.0)).data)
    0.0
    """
    return sc.kl_div(x, y)


kl_div.vjp(
    x=lambda g, out, x, y: g * (np.log(x / y)), y=lambda g, out, x, y: g * (1 - _ratio(x, y))
)


@primitive(
    sc.loggamma,
    latex=r"\ln \Gamma\left(<x>\right)",
    domain={"x": POSITIVE},
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def loggamma(x):
    """The principal branch of ln Γ(x): nan for negative real numbers.

    >>> float(loggamma(Value(2.0)).data)
    0.0
    """
    return sc.loggamma(x)


loggamma.vjp(x=lambda g, out, x: g * digamma(x))


def _require_real(where, *operands):
    for x in operands:
        if is_complex(x):
            raise DtypeError(
                f"{where}: operands must be real, got {np.result_type(x)}; take np.real, np.imag "
                "or np.abs of complex numbers first"
            )


@implements(sc.huber)
def huber(delta, r):
    """Half of r² where |r| <= delta, else delta·(|r| - delta/2), as `scipy.special.huber`."""
    _require_real("huber", delta, r)
    size = np.abs(r)
    out = np.where(size <= delta, 0.5 * r * r, delta * (size - 0.5 * delta))
    return np.where(np.less(delta, 0), np.inf, out)


@implements(sc.pseudo_huber)
def pseudo_huber(delta, r):
    """The smooth loss delta²·(√(1 + (r/delta)²) - 1), as `scipy.special.pseudo_huber`."""
    _require_real("pseudo_huber", delta, r)
    return delta * delta * (np.sqrt(1 + (r / delta) ** 2) - 1)


@implements(sc.expit)
def expit(x):
    """The logistic function 1/(1 + e^-x), as `scipy.special.expit`."""
    return sigmoid(x)


@implements()
def multigammaln(a, d):
    """The logarithm of the multivariate gamma function of an integer dimension d.

    ln Γ_d(a) = d(d - 1)/4·ln π + Σ ln Γ(a - i/2), summed over i from 0 to d - 1.
    """
    d = check_integer("multigammaln", "d", d, low=1)
    terms = [gammaln(a - i / 2) for i in range(d)]
    return d * (d - 1) / 4 * np.log(np.pi) + sum(terms[1:], terms[0])


for _ufunc, _function in (
    (sc.cbrt, np.cbrt),
    (sc.exp2, np.exp2),
    (sc.expm1, np.expm1),
    (sc.log1p, np.log1p),
):
    NUMPY_IMPLS[_ufunc] = NUMPY_IMPLS[_function]


@implements()
@equivalent(sc.comb)
def comb(N, k):
    """The number of ways to choose k of N, as `scipy.special.comb`; 0 unless 0 <= k <= N.

    >>> comb(Value(5.0), 2).item()
    10.0
    """
    inside = np.logical_and(np.less_equal(k, N), np.greater_equal(k, 0))
    return np.where(inside, binom(np.where(inside, N, 1.0), np.where(inside, k, 0.0)), 0.0)


@implements()
@equivalent(sc.perm)
def perm(N, k):
    """The number of ordered choices of k of N, as `scipy.special.perm`; 0 unless 0 <= k <= N.

    >>> perm(Value(5.0), 2).item()
    20.0
    """
    inside = np.logical_and(np.less_equal(k, N), np.greater_equal(k, 0))
    N, k = np.where(inside, N, 1.0), np.where(inside, k, 0.0)
    return np.where(inside, poch(N - k + 1, k), 0.0)


@implements()
@equivalent(sc.factorial)
def factorial(n):
    """n! = Γ(n + 1), as `scipy.special.factorial`; 0 below 0.

    >>> factorial(Value([3.0, -1.0])).tolist()
    [6.0, 0.0]
    """
    inside = np.greater_equal(n, 0)
    return np.where(inside, gamma(np.where(inside, n, 0.0) + 1), 0.0)
