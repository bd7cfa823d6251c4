"""Bessel and Hankel functions. Their slopes are functions of the orders below and above.

Derivatives with respect to the order have no closed form: they are refused.
"""

import math

import numpy as np
import scipy.special as sc

from ...core.primitive import NUMPY_IMPLS, implements, primitive
from ...errors import NotDifferentiableError
from ...ops.elementwise import i0, i1
from ...support.validation import check_integer
from ..equivalents import as_complex, equivalent

ONE = [((2, 3),), ((),), ((0,),)]
TWO = [((2, 3), (3,)), ((), ())]
POSITIVE = (0.5, 3.0)


@primitive(
    sc.i0e,
    latex=r"e^{-\left|<x>\right|} \cdot I_0\left(<x>\right)",
    examples=ONE,
    kinked=True,
    whole=True,
)
def i0e(x):
    """e^(-|x|)·I₀(x).

    >>> float(i0e(Value(0.0)).data)
    1.0
    """
    return sc.i0e(x)


@primitive(
    sc.i1e, latex=r"e^{-\left|<x>\right|} \cdot I_1\left(<x>\right)", examples=ONE, whole=True
)
def i1e(x):
    """e^(-|x|)·I₁(x).

    >>> float(i1e(Value(0.0)).data)
    0.0
    """
    return sc.i1e(x)


@primitive(
    sc.iv,
    latex=r"I_{<order>}\left(<x>\right)",
    domain={"order": POSITIVE, "x": POSITIVE},
    examples=TWO,
    whole=True,
    takes_complex=True,
)
def iv(order, x):
    """The modified Bessel function of the first kind.

    >>> float(iv(0.0, Value(0.0)).data)
    1.0
    """
    return sc.iv(order, x)


@primitive(
    sc.ive,
    latex=r"e^{-\left|<x>\right|} \cdot I_{<order>}\left(<x>\right)",
    domain={"order": POSITIVE, "x": POSITIVE},
    examples=TWO,
    whole=True,
)
def ive(order, x):
    """e^(-|x|)·Iᵥ(x).

    >>> float(ive(0.0, Value(0.0)).data)
    1.0
    """
    return sc.ive(order, x)


@primitive(sc.k0, latex=r"K_0\left(<x>\right)", domain={"x": POSITIVE}, examples=ONE, whole=True)
def k0(x):
    """The modified Bessel function of the second kind of order 0.

    >>> float(k0(Value(1.0)).data)
    0.42102443824070823
    """
    return sc.k0(x)


@primitive(sc.k1, latex=r"K_1\left(<x>\right)", domain={"x": POSITIVE}, examples=ONE, whole=True)
def k1(x):
    """The modified Bessel function of the second kind of order 1.

    >>> float(k1(Value(1.0)).data)
    0.6019072301972346
    """
    return sc.k1(x)


@primitive(
    sc.k0e,
    latex=r"e^{<x>} \cdot K_0\left(<x>\right)",
    domain={"x": POSITIVE},
    examples=ONE,
    whole=True,
)
def k0e(x):
    """e^x·K₀(x).

    >>> float(k0e(Value(1.0)).data)
    1.1444630798068947
    """
    return sc.k0e(x)


@primitive(
    sc.k1e,
    latex=r"e^{<x>} \cdot K_1\left(<x>\right)",
    domain={"x": POSITIVE},
    examples=ONE,
    whole=True,
)
def k1e(x):
    """e^x·K₁(x).

    >>> float(k1e(Value(1.0)).data)
    1.636153486263258
    """
    return sc.k1e(x)


@primitive(
    sc.kv,
    latex=r"K_{<order>}\left(<x>\right)",
    domain={"order": POSITIVE, "x": POSITIVE},
    examples=TWO,
    whole=True,
    takes_complex=True,
)
def kv(order, x):
    """The modified Bessel function of the second kind.

    >>> float(kv(1.0, Value(1.0)).data)
    0.6019072301972346
    """
    return sc.kv(order, x)


@primitive(
    sc.kve,
    latex=r"e^{<x>} \cdot K_{<order>}\left(<x>\right)",
    domain={"order": POSITIVE, "x": POSITIVE},
    examples=TWO,
    whole=True,
    takes_complex=True,
)
def kve(order, x):
    """e^x·Kᵥ(x).

    >>> float(kve(1.0, Value(1.0)).data)
    1.636153486263258
    """
    return sc.kve(order, x)


@primitive(sc.j0, latex=r"J_0\left(<x>\right)", examples=ONE, whole=True)
def j0(x):
    """The Bessel function of the first kind of order 0.

    >>> float(j0(Value(0.0)).data)
    1.0
    """
    return sc.j0(x)


@primitive(sc.j1, latex=r"J_1\left(<x>\right)", examples=ONE, whole=True)
def j1(x):
    """The Bessel function of the first kind of order 1.

    >>> float(j1(Value(0.0)).data)
    0.0
    """
    return sc.j1(x)


@primitive(
    sc.jv,
    latex=r"J_{<order>}\left(<x>\right)",
    domain={"order": POSITIVE, "x": POSITIVE},
    examples=TWO,
    whole=True,
    takes_complex=True,
)
def jv(order, x):
    """The Bessel function of the first kind.

    >>> float(jv(0.0, Value(0.0)).data)
    1.0
    """
    return sc.jv(order, x)


@primitive(sc.y0, latex=r"Y_0\left(<x>\right)", domain={"x": POSITIVE}, examples=ONE, whole=True)
def y0(x):
    """The Bessel function of the second kind of order 0.

    >>> float(y0(Value(1.0)).data)
    0.08825696421567697
    """
    return sc.y0(x)


@primitive(sc.y1, latex=r"Y_1\left(<x>\right)", domain={"x": POSITIVE}, examples=ONE, whole=True)
def y1(x):
    """The Bessel function of the second kind of order 1.

    >>> float(y1(Value(1.0)).data)
    -0.7812128213002888
    """
    return sc.y1(x)


@primitive(
    sc.yv,
    latex=r"Y_{<order>}\left(<x>\right)",
    domain={"order": POSITIVE, "x": POSITIVE},
    examples=TWO,
    whole=True,
    takes_complex=True,
)
def yv(order, x):
    """The Bessel function of the second kind.

    >>> float(yv(0.0, Value(1.0)).data)
    0.088256964215677
    """
    return sc.yv(order, x)


@primitive(
    sc.hankel1,
    latex=r"H^{(1)}_{<order>}\left(<x>\right)",
    domain={"order": POSITIVE, "x": POSITIVE},
    examples=TWO,
    whole=True,
    takes_complex=True,
)
def hankel1(order, x):
    """The Hankel function of the first kind J + iY, a wave that runs outwards: complex.

    >>> round(complex(hankel1(0.5, Value(np.pi / 2)).data).real, 6)
    0.63662
    """
    return sc.hankel1(order, x)


@primitive(
    sc.hankel2,
    latex=r"H^{(2)}_{<order>}\left(<x>\right)",
    domain={"order": POSITIVE, "x": POSITIVE},
    examples=TWO,
    whole=True,
    takes_complex=True,
)
def hankel2(order, x):
    """The Hankel function of the second kind J - iY, a wave that runs inwards: complex.

    >>> round(complex(hankel2(0.5, Value(np.pi / 2)).data).real, 6)
    0.63662
    """
    return sc.hankel2(order, x)


def _declare_slope(family, weight, join, scaled=None):
    """Declare f' = weight·(f of the order below, joined with f of the order above) + scaled·f."""

    def rule(g, out, order, x):
        slope = weight * join(family(order - 1, x), family(order + 1, x))
        return g * (slope if scaled is None else slope + scaled(x) * out)

    family.vjp(x=rule)


def _declare_lowest(zero, one, family, weight, join, scaled=None):
    """Declare the same for the functions of orders 0 and 1; that of -1 is ± that of 1."""
    sign = 1.0 if weight > 0 and join is np.add else -1.0

    def rule_of_zero(g, out, x):
        return g * (sign * one(x) if scaled is None else sign * one(x) + scaled(x) * out)

    def rule_of_one(g, out, x):
        slope = weight * join(zero(x), family(2.0, x))
        return g * (slope if scaled is None else slope + scaled(x) * out)

    zero.vjp(x=rule_of_zero)
    one.vjp(x=rule_of_one)


RECURRENCES = [
    (jv, 0.5, np.subtract),
    (yv, 0.5, np.subtract),
    (iv, 0.5, np.add),
    (kv, -0.5, np.add),
    (ive, 0.5, np.add, lambda x: -np.sign(x)),
    (kve, -0.5, np.add, lambda x: 1.0),
    (hankel1, 0.5, np.subtract),
    (hankel2, 0.5, np.subtract),
]
LOWEST = {jv: (j0, j1), yv: (y0, y1), kv: (k0, k1), ive: (i0e, i1e), kve: (k0e, k1e)}
for _recurrence in RECURRENCES:
    _declare_slope(*_recurrence)
    if _recurrence[0] in LOWEST:
        _declare_lowest(*LOWEST[_recurrence[0]], *_recurrence)

NUMPY_IMPLS.update({sc.i0: i0, sc.i1: i1, sc.yn: yv, sc.kn: kv})


# ---- derivatives in x by name, and what solves equations like Bessel's


def _derivative_of(family, sign, v, z, n):
    """The derivative of order n: a sum over the orders v - n, v - n + 2, ..., v + n."""
    if check_integer(family.__name__, "n", n) == 0:
        return family(v, z)
    terms = [sign**k * math.comb(n, k) * family(v - n + 2 * k, z) for k in range(n + 1)]
    return sum(terms[1:], terms[0]) * 0.5**n


@implements()
@equivalent(sc.jvp)
def jvp(v, z, n=1):
    """The derivative of order n of `jv`, as `scipy.special.jvp`.

    >>> np.allclose(jvp(0.0, Value(1.0)).data, -sc.j1(1.0))
    True
    """
    return _derivative_of(jv, -1.0, v, z, n)


@implements()
@equivalent(sc.yvp)
def yvp(v, z, n=1):
    """The derivative of order n of `yv`, as `scipy.special.yvp`."""
    return _derivative_of(yv, -1.0, v, z, n)


@implements()
@equivalent(sc.ivp)
def ivp(v, z, n=1):
    """The derivative of order n of `iv`, as `scipy.special.ivp`."""
    return _derivative_of(iv, 1.0, v, z, n)


@implements()
@equivalent(sc.kvp)
def kvp(v, z, n=1):
    """The derivative of order n of `kv`, as `scipy.special.kvp`."""
    sign = -1.0 if isinstance(n, int) and n % 2 else 1.0
    return sign * _derivative_of(kv, 1.0, v, z, n)


@primitive(
    kind="elementwise",
    latex=r"\mathrm{Airy}_{<part>}\left(<z>\right)",
    examples=[((2, 3),), ((), {"part": 1}), ((), {"part": 2}), ((), {"part": 3})],
    whole=True,
    takes_complex=True,
)
def airy_of(z, *, part=0):
    """Ai(z), Ai'(z), Bi(z) or Bi'(z), for part = 0 to 3. Both functions solve f'' = z f.

    >>> round(float(airy_of(Value(0.0)).data), 6)
    0.355028
    """
    return sc.airy(z)[part]


def _airy_rule(g, out, z, part):
    first, slope = 2 * (part // 2), part % 2
    return g * (z * airy_of(z, part=first) if slope else airy_of(z, part=first + 1))


airy_of.vjp(z=_airy_rule)


@implements(sc.airy)
def airy(z):
    """Airy's functions Ai, Ai', Bi and Bi', as `scipy.special.airy`."""
    return tuple(airy_of(z, part=part) for part in range(4))


@primitive(
    sc.struve,
    latex=r"\operatorname{struve}_{<order>}\left(<x>\right)",
    domain={"order": POSITIVE, "x": POSITIVE},
    examples=TWO,
    whole=True,
)
def struve(order, x):
    """The Struve function.

    >>> float(struve(0.0, Value(0.0)).data)
    0.0
    """
    return sc.struve(order, x)


struve.vjp(x=lambda g, out, order, x: g * (struve(order - 1, x) - order / x * out))


# ---- spherical harmonics


@primitive(
    kind="elementwise",
    latex=r"Y_{<n>}^{<m>}\left(<theta>, <phi>\right)",
    examples=[((2, 3), (3,), {"n": 2, "m": 1}), ((), (), {"n": 3, "m": -2})],
    kinked=lambda theta, phi, n, m: (np.sin(theta) > 0) | (np.asarray(m) % 2 == 0),
    whole=True,
)
def spherical_harmonic(theta, phi, *, n=0, m=0):
    """The spherical harmonic of whole degree n and order m, at polar angle θ and azimuth φ.

    ∂Y/∂φ = imY and 2 ∂Y/∂θ = √((n-m)(n+m+1)) e^(-iφ) Yₙᵐ⁺¹ - √((n+m)(n-m+1)) e^(iφ) Yₙᵐ⁻¹.

    >>> round(complex(spherical_harmonic(Value(0.3), 0.0).data).real, 6)  # 1/√(4π)
    0.282095
    """
    if hasattr(sc, "sph_harm_y"):  # since SciPy 1.15
        found = sc.sph_harm_y(n, m, theta, phi)
    else:
        found = sc.sph_harm(m, n, phi, theta)
    return as_complex(np.where(np.abs(m) <= n, found, 0.0), theta, phi)


def _polar_rule(g, out, theta, phi, n, m):
    n, m = np.asarray(n), np.asarray(m)
    turn = np.exp(1j * phi)
    up, down = (n - m) * (n + m + 1.0), (n + m) * (n - m + 1.0)
    up, down = np.sqrt(np.maximum(up, 0)), np.sqrt(np.maximum(down, 0))  # no orders beyond n
    above = spherical_harmonic(theta, phi, n=n.tolist(), m=(m + 1).tolist())
    below = spherical_harmonic(theta, phi, n=n.tolist(), m=(m - 1).tolist())
    side = np.where(np.less(np.sin(theta), 0), -0.5, 0.5)  # SciPy's is the same for -θ and θ
    return g * (side * (up * np.conj(turn) * above - down * turn * below))


spherical_harmonic.vjp(
    theta=_polar_rule,
    phi=lambda g, out, theta, phi, n, m: g * (1j * np.asarray(m) * out),
)


@implements()
def sph_harm_y(n, m, theta, phi):
    """The spherical harmonic of whole degree n and order m, as `scipy.special.sph_harm_y`.

    `theta` is the polar angle, `phi` the azimuth.

    >>> round(sph_harm_y(1, 0, Value(0.0), 0.0).real.item(), 6)  # √(3/4π)
    0.488603
    """
    for name, x in (("n", n), ("m", m)):
        if hasattr(type(x), "__apply__") or np.asarray(x).dtype.kind not in "iu":
            raise NotDifferentiableError(
                f"sph_harm_y: {name} must be plain integers, got {x!r:.60}"
            )
    return spherical_harmonic(theta, phi, n=n, m=m)
