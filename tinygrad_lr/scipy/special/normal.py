"""Relatives of the error function and the normal distribution."""

import math

import numpy as np
import scipy.special as sc

from ...core.primitive import NUMPY_IMPLS, implements, is_complex, primitive
from ...errors import ArgumentError
from ...ops.error_function import SLOPE, erf, erfc, normal_cdf, normal_pdf
from ...support.validation import check_integer
from ..equivalents import as_complex

ONE = [((2, 3),), ((),), ((0,),)]
INSIDE = (-0.9, 0.9)
UNIT = (0.1, 0.9)
MAX_ORDER = 100  # of a derivative


@primitive(
    sc.erfcx,
    latex=r"e^{{<x>}^2} \cdot \operatorname{erfc}\left(<x>\right)",
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def erfcx(x):
    """e^(x²)·erfc(x), which neither overflows nor underflows for x > 0.

    >>> float(erfcx(Value(0.0)).data)
    1.0
    """
    return sc.erfcx(x)


erfcx.vjp(x=lambda g, out, x: g * (2 * x * out - SLOPE))


@primitive(
    sc.erfi,
    latex=r"\operatorname{erfi}\left(<x>\right)",
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def erfi(x):
    """The imaginary error function 2/√π·∫₀ˣ e^(t²) dt.

    >>> float(erfi(Value(0.0)).data)
    0.0
    """
    return sc.erfi(x)


erfi.vjp(x=lambda g, out, x: g * (SLOPE * np.exp(x * x)))


@primitive(sc.dawsn, latex=r"D\left(<x>\right)", examples=ONE, whole=True, takes_complex=True)
def dawsn(x):
    """Dawson's integral e^(-x²)·∫₀ˣ e^(t²) dt.

    >>> float(dawsn(Value(0.0)).data)
    0.0
    """
    return sc.dawsn(x)


dawsn.vjp(x=lambda g, out, x: g * (1 - 2 * x * out))


@primitive(
    sc.erfinv,
    latex=r"\operatorname{erf}^{-1}\left(<x>\right)",
    domain={"x": (-0.9, 0.9)},
    examples=ONE,
    whole=True,
)
def erfinv(x):
    """The inverse of erf; inf at 1.

    >>> float(erfinv(Value(0.0)).data)
    0.0
    """
    return sc.erfinv(x)


erfinv.vjp(x=lambda g, out, x: g * (np.exp(out * out) / SLOPE))


@primitive(
    sc.erfcinv,
    latex=r"\operatorname{erfc}^{-1}\left(<x>\right)",
    domain={"x": (0.1, 0.9)},
    examples=ONE,
    whole=True,
)
def erfcinv(x):
    """The inverse of erfc.

    >>> float(erfcinv(Value(1.0)).data)
    -0.0
    """
    return sc.erfcinv(x)


erfcinv.vjp(x=lambda g, out, x: g * (-np.exp(out * out) / SLOPE))


@primitive(
    sc.ndtri, latex=r"\Phi^{-1}\left(<x>\right)", domain={"x": (0.1, 0.9)}, examples=ONE, whole=True
)
def ndtri(x):
    """The quantile of the standard normal distribution.

    >>> float(ndtri(Value(0.5)).data)
    0.0
    """
    return sc.ndtri(x)


ndtri.vjp(x=lambda g, out, x: g * (math.sqrt(2 * math.pi) * np.exp(0.5 * out * out)))


@primitive(
    sc.ndtri_exp,
    latex=r"\Phi^{-1}\left(e^{<x>}\right)",
    domain={"x": (-3.0, -0.2)},
    examples=ONE,
    whole=True,
)
def ndtri_exp(x):
    """The quantile of the standard normal distribution at e^x.

    >>> float(ndtri_exp(Value(-1000.0)).data)
    -44.61574773196941
    """
    return sc.ndtri_exp(x)


ndtri_exp.vjp(x=lambda g, out, x: g * (math.sqrt(2 * math.pi) * np.exp(x + 0.5 * out * out)))


@primitive(
    sc.log_ndtr, latex=r"\ln \Phi\left(<x>\right)", examples=ONE, whole=True, takes_complex=True
)
def log_ndtr(x):
    """ln Φ(x), the logarithm of the normal distribution function, also far below 0.

    >>> float(log_ndtr(Value(-100.0)).data)
    -5005.524208694205
    """
    return sc.log_ndtr(x)


log_ndtr.vjp(x=lambda g, out, x: g * (np.exp(-0.5 * x * x - out) / math.sqrt(2 * math.pi)))


@primitive(
    sc.owens_t,
    latex=r"T\left(<h>, <a>\right)",
    examples=[((2, 3), (3,)), ((), ())],
    whole=True,
)
def owens_t(h, a):
    """Owen's function ∫₀ᵃ e^(-h²(1 + t²)/2)/(1 + t²) dt/(2π).

    >>> float(owens_t(Value(0.0), 1.0).data)
    0.125
    """
    return sc.owens_t(h, a)


owens_t.vjp(
    h=lambda g, out, h, a: g * (normal_pdf(h) * -0.5 * erf(a * h * math.sqrt(0.5))),
    a=lambda g, out, h, a: g * (np.exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a))),
)


@primitive(
    kind="elementwise",
    latex=r"\operatorname{erf}\left(<x>\right)",
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def complex_erf(x):
    """The error function of complex numbers. Source: `scipy.special.erf`.

    >>> complex(complex_erf(Value(1j)).data) == 1j * sc.erfi(1.0)
    True
    """
    return sc.erf(x)


@primitive(
    kind="elementwise",
    latex=r"\operatorname{erfc}\left(<x>\right)",
    examples=ONE,
    whole=True,
    takes_complex=True,
)
def complex_erfc(x):
    """1 - erf(x) of complex numbers, without cancellation. Source: `scipy.special.erfc`.

    >>> complex(complex_erfc(Value(0j)).data)
    (1-0j)
    """
    return sc.erfc(x)


complex_erf.vjp(x=lambda g, out, x: g * (SLOPE * np.exp(-x * x)))
complex_erfc.vjp(x=lambda g, out, x: g * (-SLOPE * np.exp(-x * x)))


@primitive(sc.wofz, latex=r"w\left(<z>\right)", examples=ONE, whole=True, takes_complex=True)
def wofz(z):
    """The Faddeeva function w(z) = e^(-z²)·erfc(-iz): complex, also of real z.

    >>> complex(wofz(Value(0.0)).data)
    (1+0j)
    """
    return as_complex(sc.wofz(z), z)


wofz.vjp(z=lambda g, out, z: g * (1j * SLOPE - 2 * z * out))


@primitive(
    kind="elementwise",
    latex=r"V\left(<x>, <sigma>, <gamma>\right)",
    domain={"sigma": (0.5, 2.0), "gamma": (0.5, 2.0)},
    examples=[((2, 3), (3,), ()), ((), (), ())],
    whole=True,
)
def voigt_of(x, sigma, gamma):
    """Voigt's profile: the density of a normal and a Cauchy number added, for σ > 0.

    V = Re w(z)/(σ√(2π)) with z = (x + iγ)/(σ√2), so ∂V/∂x = Re w'/(2σ²√π) and
    ∂V/∂γ = -Im w'/(2σ²√π). V solves the heat equation ∂V/∂σ = σ ∂²V/∂x².

    >>> round(float(voigt_of(Value(0.0), 1.0, 0.0).data), 6)
    0.398942
    """
    return sc.voigt_profile(x, sigma, gamma)


@primitive(
    kind="elementwise",
    latex=r"w_{<part>}^{(<order>)}\left(<x>, <sigma>, <gamma>\right)",
    domain={"sigma": (0.5, 2.0), "gamma": (0.5, 2.0)},
    examples=[((2, 3), (3,), ()), ((), (), (), {"order": 2, "part": 1})],
    whole=True,
)
def wofz_part(x, sigma, gamma, *, order=1, part=0):
    """The real (0) or imaginary (1) part of a derivative of `wofz` at z = (x + iγ)/(σ√2).

    w⁽ⁿ⁺¹⁾ = -2z w⁽ⁿ⁾ - 2n w⁽ⁿ⁻¹⁾ for n > 0, and w' = 2i/√π - 2z w. Raises `ArgumentError` for an
    order below 1 or above 100, or another part.

    >>> round(float(wofz_part(Value(0.0), 1.0, 0.0, part=1).data), 6)  # 2/√π
    1.128379
    """
    order, part = check_integer("wofz_part", "order", order, low=1), int(part)
    if order > MAX_ORDER or part not in {0, 1}:
        raise ArgumentError(
            f"wofz_part: order must be at most {MAX_ORDER} and part 0 or 1, got {order} and {part}"
        )
    z = (x + 1j * gamma) / (sigma * math.sqrt(2))
    below, found = sc.wofz(z), 1j * SLOPE - 2 * z * sc.wofz(z)
    for n in range(1, order):
        below, found = found, -2 * z * found - 2 * n * below
    return found.imag if part else found.real


def _parts(x, sigma, gamma, order):
    """The parts of the derivative of an order, which the slopes of that below consist of."""
    real, imag = (wofz_part(x, sigma, gamma, order=order, part=i) for i in (0, 1))
    return real, imag


def _turned(x, sigma, gamma, order, part):
    """The parts of w⁽ⁿ⁾ that stand beside dx and beside dγ: i w⁽ⁿ⁾ has the parts -Im and Re."""
    real, imag = _parts(x, sigma, gamma, order)
    return (imag, real) if part else (real, -imag)


def _wofz_part_of_sigma(g, out, x, sigma, gamma, order, part):
    along, across = _turned(x, sigma, gamma, order + 1, part)
    return g * (-(x * along + gamma * across) / (sigma * sigma * math.sqrt(2)))


wofz_part.vjp(
    x=lambda g, out, x, sigma, gamma, order, part: (
        g * (_turned(x, sigma, gamma, order + 1, part)[0] / (sigma * math.sqrt(2)))
    ),
    sigma=_wofz_part_of_sigma,
    gamma=lambda g, out, x, sigma, gamma, order, part: (
        g * (_turned(x, sigma, gamma, order + 1, part)[1] / (sigma * math.sqrt(2)))
    ),
)


def _voigt_slope(x, sigma, gamma, order, part, factor):
    return wofz_part(x, sigma, gamma, order=order, part=part) / (factor * sigma * sigma)


voigt_of.vjp(
    x=lambda g, out, x, sigma, gamma: (
        g * _voigt_slope(x, sigma, gamma, 1, 0, 2 * math.sqrt(math.pi))
    ),
    sigma=lambda g, out, x, sigma, gamma: (
        g * _voigt_slope(x, sigma, gamma, 2, 0, 2 * math.sqrt(2 * math.pi))
    ),
    gamma=lambda g, out, x, sigma, gamma: (
        g * -_voigt_slope(x, sigma, gamma, 1, 1, 2 * math.sqrt(math.pi))
    ),
)


@implements(sc.voigt_profile)
def voigt_profile(x, sigma, gamma):
    """Voigt's profile of a spectral line, as `scipy.special.voigt_profile`; see `voigt_of`.

    Derivatives are those for σ > 0.
    """
    return voigt_of(x, sigma, gamma)


FAR = 40.0
"""All three are 0, 1, 2 or -1 to the last bit there; beyond, and at infinity, slopes are 0."""


def _by_dtype(of_real, of_complex):
    def call(x):
        return of_complex(x) if is_complex(x) else of_real(np.clip(x, -FAR, FAR))

    return call


for _ufunc, _real, _complex in (
    (sc.erf, erf, complex_erf),
    (sc.erfc, erfc, complex_erfc),
    (sc.ndtr, normal_cdf, lambda x: 0.5 * complex_erfc(-math.sqrt(0.5) * x)),
):
    NUMPY_IMPLS[_ufunc] = _by_dtype(_real, _complex)
