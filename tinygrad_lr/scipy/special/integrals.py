"""Exponential and elliptic integrals, hypergeometric functions, the zeta function.

Derivatives with respect to the parameters of a hypergeometric function have no closed form: they
are refused.
"""

import functools
import math

import numpy as np
import scipy.special as sc

from ...core.primitive import implements, primitive
from ...errors import NotDifferentiableError
from ...support.validation import check_integer
from ..equivalents import as_complex, equivalent

ONE = [((2, 3),), ((),), ((0,),)]
TWO = [((2, 3), (3,)), ((), ())]
THREE = [((2, 3), (3,), ()), ((), (), ())]
FOUR = [((2, 3), (3,), (), (2, 1)), ((), (), (), ())]
POSITIVE = (0.5, 3.0)
INSIDE = (-0.9, 0.9)


KNOWS_COMPLEX_HYP1F1 = bool(abs(sc.hyp1f1(0.5, 1.0, 1j) - np.exp(0.5j) * sc.j0(0.5)) < 1e-9)
"""False for SciPy before version 1.14, which drops the fractions of a and b beside a complex z."""

MAX_SIZE = 1e5  # SciPy's series for larger arguments may take for ever, or divide by 0


def _bounded(function, *arguments):
    """The function where all arguments are at most MAX_SIZE in size, else nan."""
    inside = functools.reduce(np.logical_and, [np.abs(x) <= MAX_SIZE for x in arguments])
    found = function(*(np.where(inside, x, 0.5).astype(np.result_type(x)) for x in arguments))
    return np.where(inside, found, np.nan).astype(found.dtype)[()]


@primitive(sc.exprel, latex=r"\frac{e^{<x>} - 1}{<x>}", examples=ONE, whole=True)
def exprel(x):
    """(e^x - 1)/x, with 1 at 0.

    >>> float(exprel(Value(0.0)).data)
    1.0
    """
    return sc.exprel(x)


@primitive(
    sc.spence,
    latex=r"\operatorname{Li}_2\left(1 - <x>\right)",
    domain={"x": POSITIVE},
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def spence(x):
    """Spence's function ∫₁ˣ ln t/(1 - t) dt.

    >>> float(spence(Value(1.0)).data)
    0.0
    """
    return sc.spence(x)


@primitive(
    sc.exp1,
    latex=r"E_1\left(<x>\right)",
    domain={"x": POSITIVE},
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def exp1(x):
    """The exponential integral ∫ₓ^∞ e^(-t)/t dt.

    >>> round(float(exp1(Value(1.0)).data), 9)
    0.219383934
    """
    return sc.exp1(x)


exp1.vjp(x=lambda g, out, x: g * (-np.exp(-x) / x))


@primitive(
    sc.expi,
    latex=r"\operatorname{Ei}\left(<x>\right)",
    domain={"x": POSITIVE},
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def expi(x):
    """The exponential integral Ei(x) = ∫ e^t/t dt up to x.

    >>> round(float(expi(Value(1.0)).data), 9)
    1.895117816
    """
    return sc.expi(x)


expi.vjp(x=lambda g, out, x: g * (np.exp(x) / x))


@primitive(
    kind="elementwise",
    latex=r"E_{<order>}\left(<x>\right)",
    domain={"x": POSITIVE},
    examples=[((2, 3),), ((), {"order": 2})],
    whole=True,
)
def expn_of(x, *, order=1):
    """The exponential integral Eₙ(x) = ∫₁^∞ e^(-xt)/tⁿ dt of an integer order n >= 0.

    >>> float(expn_of(Value(0.0), order=2).data)
    1.0
    """
    return np.asarray(sc.expn(order, x), getattr(x, "dtype", float))[()]


expn_of.vjp(x=lambda g, out, x, order: g * -_lower_expn(order, x))


def _lower_expn(order, x):
    lowest = np.exp(-x) * (1 / x + 1 / (x * x))
    if np.ndim(order) == 0:
        return expn_of(x, order=order - 1) if order > 0 else lowest
    below = expn_of(x, order=np.maximum(np.subtract(order, 1), 0))
    return np.where(np.equal(order, 0), lowest, below)


@implements(sc.expn)
def expn(n, x):
    """The exponential integral Eₙ(x) of an integer order n, as `scipy.special.expn`."""
    if hasattr(type(n), "__apply__"):
        raise NotDifferentiableError(
            "expn: n must be plain integers, got a Value: there is no derivative in the order"
        )
    return expn_of(x, order=n)


@primitive(
    sc.hyp0f1,
    latex=r"{}_0F_1\left(<b>; <z>\right)",
    domain={"b": POSITIVE},
    examples=TWO,
    whole=True,
    takes_complex=True,
)
def hyp0f1(b, z):
    """The confluent hypergeometric limit function ₀F₁(b; z); nan above 1e5 in size.

    >>> float(hyp0f1(1.0, Value(0.0)).data)
    1.0
    """
    return _bounded(sc.hyp0f1, b, z)


hyp0f1.vjp(z=lambda g, out, b, z: g * (hyp0f1(b + 1, z) / b))


@primitive(
    sc.hyp1f1,
    latex=r"{}_1F_1\left(<a>; <b>; <z>\right)",
    domain={"a": POSITIVE, "b": POSITIVE},
    examples=THREE,
    whole=True,
    takes_complex=KNOWS_COMPLEX_HYP1F1,
)
def hyp1f1(a, b, z):
    """The confluent hypergeometric function ₁F₁(a; b; z); nan for arguments above 1e5 in size.

    >>> float(hyp1f1(1.0, 1.0, Value(0.0)).data)
    1.0
    """
    return _bounded(sc.hyp1f1, a, b, z)


hyp1f1.vjp(z=lambda g, out, a, b, z: g * (a / b * hyp1f1(a + 1, b + 1, z)))


@primitive(
    sc.hyp2f1,
    latex=r"{}_2F_1\left(<a>, <b>; <c>; <z>\right)",
    domain={"a": POSITIVE, "b": POSITIVE, "c": POSITIVE, "z": (-0.9, 0.9)},
    examples=FOUR,
    whole=True,
    takes_complex=True,
)
def hyp2f1(a, b, c, z):
    """The Gauss hypergeometric function ₂F₁(a, b; c; z); nan for arguments above 1e5 in size.

    >>> float(hyp2f1(1.0, 1.0, 1.0, Value(0.0)).data)
    1.0
    """
    return _bounded(sc.hyp2f1, a, b, c, z)


hyp2f1.vjp(z=lambda g, out, a, b, c, z: g * (a * b / c * hyp2f1(a + 1, b + 1, c + 1, z)))


@primitive(
    sc.ellipe, latex=r"E\left(<m>\right)", domain={"m": (-0.9, 0.9)}, examples=ONE, whole=True
)
def ellipe(m):
    """The complete elliptic integral of the second kind.

    >>> float(ellipe(Value(1.0)).data)
    1.0
    """
    return sc.ellipe(m)


ellipe.vjp(m=lambda g, out, m: g * (-math.pi / 8 * hyp2f1(0.5, 1.5, 2.0, m)))


@primitive(
    sc.ellipk, latex=r"K\left(<m>\right)", domain={"m": (-0.9, 0.9)}, examples=ONE, whole=True
)
def ellipk(m):
    """The complete elliptic integral of the first kind.

    >>> float(ellipk(Value(1.0)).data)
    inf
    """
    return sc.ellipk(m)


ellipk.vjp(m=lambda g, out, m: g * (math.pi / 8 * hyp2f1(1.5, 1.5, 2.0, m)))


def _root(phi, m):
    return np.sqrt(1 - m * np.sin(phi) ** 2)


@primitive(
    sc.ellipeinc,
    latex=r"E\left(<phi> \mid <m>\right)",
    domain={"m": (0.1, 0.8)},
    examples=TWO,
    whole=True,
)
def ellipeinc(phi, m):
    """The incomplete elliptic integral of the second kind, ∫₀^φ √(1 - m sin²θ) dθ.

    >>> float(ellipeinc(Value(1.0), 0.0).data)
    1.0
    """
    return sc.ellipeinc(phi, m)


@primitive(
    sc.ellipkinc,
    latex=r"F\left(<phi> \mid <m>\right)",
    domain={"m": (0.1, 0.8), "phi": (-1.2, 1.2)},
    examples=TWO,
    whole=True,
)
def ellipkinc(phi, m):
    """The incomplete elliptic integral of the first kind, ∫₀^φ 1/√(1 - m sin²θ) dθ.

    >>> float(ellipkinc(Value(1.0), 0.0).data)
    1.0
    """
    return sc.ellipkinc(phi, m)


ellipeinc.vjp(
    phi=lambda g, out, phi, m: g * _root(phi, m),
    m=lambda g, out, phi, m: g * ((out - ellipkinc(phi, m)) / (2 * m)),
)
ellipkinc.vjp(
    phi=lambda g, out, phi, m: g * (1 / _root(phi, m)),
    m=lambda g, out, phi, m: g * _slope_of_ellipkinc(phi, m, out),
)


def _slope_of_ellipkinc(phi, m, value):
    both = ellipeinc(phi, m) / m - np.sin(2 * phi) / (2 * _root(phi, m))
    return both / (2 * (1 - m)) - value / (2 * m)


@primitive(
    kind="elementwise",
    latex=r"\zeta\left(<order>, <q>\right)",
    domain={"order": (1.5, 4.0), "q": POSITIVE},
    examples=TWO,
    whole=True,
)
def hurwitz_zeta(order, q):
    """The Hurwitz zeta function Σ 1/(k + q)^order, summed over k = 0, 1, 2, ....

    >>> round(float(hurwitz_zeta(2.0, Value(1.0)).data), 6)
    1.644934
    """
    return sc.zeta(order, q)


hurwitz_zeta.vjp(q=lambda g, out, order, q: g * (-order * hurwitz_zeta(order + 1, q)))


@implements()
def zeta(x, q=1.0):
    """The Hurwitz zeta function, as `scipy.special.zeta`; differentiable in q."""
    return hurwitz_zeta(x, q)


@primitive(
    kind="elementwise",
    latex=r"\operatorname{Si}\left(<x>\right)",
    examples=ONE,
    whole=True,
)
def sine_integral(x):
    """The sine integral ∫₀ˣ sin t/t dt.

    >>> float(sine_integral(Value(0.0)).data)
    0.0
    """
    return sc.sici(x)[0]


@primitive(
    kind="elementwise",
    latex=r"\operatorname{Ci}\left(<x>\right)",
    domain={"x": POSITIVE},
    examples=ONE,
    whole=True,
)
def cosine_integral(x):
    """The cosine integral γ + ln x + ∫₀ˣ (cos t - 1)/t dt.

    >>> float(cosine_integral(Value(np.inf)).data)
    0.0
    """
    return sc.sici(x)[1]


sine_integral.vjp(x=lambda g, out, x: g * np.sinc(x / math.pi))
cosine_integral.vjp(x=lambda g, out, x: g * (np.cos(x) / x))


@implements(sc.sici)
def sici(x):
    """The sine and the cosine integral, as `scipy.special.sici`."""
    return sine_integral(x), cosine_integral(x)


@primitive(
    kind="elementwise", latex=r"S\left(<x>\right)", examples=ONE, whole=True, takes_complex=True
)
def fresnel_sine(x):
    """The Fresnel integral ∫₀ˣ sin(π t²/2) dt.

    >>> float(fresnel_sine(Value(0.0)).data)
    0.0
    """
    return sc.fresnel(x)[0]


@primitive(
    kind="elementwise", latex=r"C\left(<x>\right)", examples=ONE, whole=True, takes_complex=True
)
def fresnel_cosine(x):
    """The Fresnel integral ∫₀ˣ cos(π t²/2) dt.

    >>> float(fresnel_cosine(Value(0.0)).data)
    0.0
    """
    return sc.fresnel(x)[1]


fresnel_sine.vjp(x=lambda g, out, x: g * np.sin(0.5 * math.pi * x * x))
fresnel_cosine.vjp(x=lambda g, out, x: g * np.cos(0.5 * math.pi * x * x))


@implements(sc.fresnel)
def fresnel(x):
    """The two Fresnel integrals S and C, as `scipy.special.fresnel`."""
    return fresnel_sine(x), fresnel_cosine(x)


@implements(sc.boxcox)
def boxcox(x, lmbda):
    """(x^λ - 1)/λ, and ln x at λ = 0, as `scipy.special.boxcox`."""
    log = np.log(x)
    return log * exprel(lmbda * log)


@implements(sc.boxcox1p)
def boxcox1p(x, lmbda):
    """((1 + x)^λ - 1)/λ, and ln(1 + x) at λ = 0, as `scipy.special.boxcox1p`."""
    log = np.log1p(x)
    return log * exprel(lmbda * log)


@primitive(
    sc.hyperu,
    latex=r"U\left(<a>, <b>, <x>\right)",
    domain={"a": POSITIVE, "b": POSITIVE, "x": POSITIVE},
    examples=THREE,
    whole=True,
)
def hyperu(a, b, x):
    """Tricomi's confluent hypergeometric function U(a, b, x).

    >>> float(hyperu(1.0, 2.0, Value(2.0)).data)
    0.5
    """
    return sc.hyperu(a, b, x)


hyperu.vjp(x=lambda g, out, a, b, x: g * (-a * hyperu(a + 1, b + 1, x)))


@primitive(
    sc.wrightomega,
    latex=r"\omega\left(<z>\right)",
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def wrightomega(z):
    """Wright's omega, the ω with ω + ln ω = z.

    >>> float(wrightomega(Value(1.0)).data)
    1.0
    """
    return sc.wrightomega(z)


wrightomega.vjp(z=lambda g, out, z: g * (out / (1 + out)))


@primitive(
    kind="elementwise",
    latex=r"W_{<k>}\left(<z>\right)",
    domain={"z": POSITIVE},
    examples=[((2, 3),), ((), {"k": 1})],
    whole=True,
    takes_complex=True,
)
def lambert(z, *, k=0):
    """The branch k of Lambert's W, the w with w·e^w = z: complex numbers.

    >>> complex(lambert(Value(np.e)).data)
    (1+0j)
    """
    return as_complex(sc.lambertw(z, k), z)


lambert.vjp(z=lambda g, out, z, k: g * (np.exp(-out) / (1 + out)))


@implements()
@equivalent(sc.lambertw)
def lambertw(z, k=0):
    """The branch k of Lambert's W, as `scipy.special.lambertw`: complex numbers."""
    return lambert(z, k=check_integer("lambertw", "k", k, low=None))


@primitive(
    kind="elementwise",
    latex=r"\operatorname{am}\left(<u> \mid <m>\right)",
    domain={"m": (0.1, 0.8)},
    examples=TWO,
    whole=True,
)
def amplitude(u, m):
    """Jacobi's amplitude, the φ with F(φ | m) = u.

    >>> float(amplitude(Value(1.0), 0.0).data)
    1.0
    """
    return sc.ellipj(u, m)[3]


amplitude.vjp(
    u=lambda g, out, u, m: g * _root(out, m),
    m=lambda g, out, u, m: g * (-_root(out, m) * _slope_of_ellipkinc(out, m, u)),
)


@implements(sc.ellipj)
def ellipj(u, m):
    """Jacobi's functions sn, cn, dn, and the amplitude, as `scipy.special.ellipj`."""
    phi = amplitude(u, m)
    return np.sin(phi), np.cos(phi), _root(phi, m), phi


# ---- rules that refer to operations further down


def _slope_of_exprel(x):
    near = np.less(np.abs(x), 1)  # the series without cancellation; SciPy's is endless at 1e300
    far = np.where(near, 1.0, x)
    return np.where(
        near,
        0.5 * hyp1f1(2.0, 3.0, np.where(near, x, 0.0)),
        (np.exp(far) * (far - 1) + 1) / (far * far),
    )


exprel.vjp(x=lambda g, out, x: g * _slope_of_exprel(x))
exprel.textbook(x=lambda g, out, x: g * (np.exp(x) - out) / x)


spence.vjp(x=lambda g, out, x: g * -hyp2f1(1.0, 1.0, 2.0, 1 - x))
