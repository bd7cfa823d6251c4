"""Parts of complex numbers: real, imaginary, conjugate, angle.

These functions have no complex derivative. Their rules take a cotangent g to the cotangent h with
Re(h·dz) = Re(g·df), and the walk takes the real part where an operand or a result is real; so each
rule is one for both modes (see `tinygrad_lr.core.chain_rule`).
"""

import numpy as np

from ..core.primitive import implements, is_complex, numbers_of, primitive
from ..errors import TraceError
from ..support.abstract_array import AbstractArray

ONE = [((2, 3),), ((),)]


@primitive(
    kind="elementwise",
    latex=r"\operatorname{Re}\left(<x>\right)",
    examples=ONE,
    takes_complex=True,
)
def real(x):
    """The real part; the number itself if it is real.

    >>> np.real(Value(1 + 2j))
    Value(data=1.0, grad=None)
    """
    return np.real(x) if is_complex(x) else x


real.vjp(x=lambda g, out, x: g)
real.view = "part"


@primitive(
    kind="elementwise",
    latex=r"\operatorname{Im}\left(<x>\right)",
    examples=ONE,
    takes_complex=True,
)
def imag(x):
    """The imaginary part; 0 for real numbers.

    >>> np.imag(Value(1 + 2j))
    Value(data=2.0, grad=None)
    """
    if is_complex(x) or type(x) is float:
        return np.imag(x)
    return np.zeros_like(x)[()]


imag.vjp(x=lambda g, out, x: g * -1j if is_complex(x) else g * 0.0)
imag.view = "part"


@primitive(np.conj, latex=r"\overline{<x>}", examples=ONE, takes_complex=True)
def conj(x):
    """The complex conjugate.

    >>> np.conj(Value(1 + 2j))
    Value(data=(1-2j), grad=None)
    """
    return np.conj(x) if is_complex(x) else x


conj.vjp(x=lambda g, out, x: np.conj(g) if is_complex(x) else g)


def _angle_slope(x):
    """-i/x, of which the walk takes the real part of its product; 0 at 0."""
    zero = x == 0
    return np.where(zero, 0.0, -1j / np.where(zero, 1.0, x))


@primitive(
    kind="elementwise",
    latex=r"\arg\left(<x>\right)",
    examples=ONE,
    takes_complex=True,
)
def angle_of(x):
    """The angle of a complex number in radians; its derivative at 0 is 0.

    >>> angle_of(Value(1j)).item() == np.pi / 2
    True
    """
    return np.arctan2(np.imag(x), np.real(x)) if is_complex(x) else np.arctan2(0.0, x)


angle_of.vjp(x=lambda g, out, x: g * _angle_slope(x) if is_complex(x) else g * 0.0)


# ---- NumPy's own signatures


@implements(np.real, name="real")
def numpy_real(val):
    """The real part; the number itself if it is real, which a write reaches so."""
    return real(val) if is_complex(val) else val


@implements(np.imag, name="imag")
def numpy_imag(val):
    """The imaginary part; 0 for real numbers."""
    return imag(val)


@implements(np.angle)
def angle(z, deg=False):
    """The angle of a complex number in radians, or in degrees; its derivative at 0 is 0.

    >>> np.angle(Value(1j), deg=True)
    Value(data=90.0, grad=None)
    """
    found = angle_of(z)
    return found * (180 / np.pi) if deg else found


@implements(np.real_if_close)
def real_if_close(a, tol=100):
    """The real part if every imaginary part is below `tol` (times eps if above 1); else a itself.

    >>> np.real_if_close(Value([1 + 1e-15j]))
    Value(data=[1.], grad=None)
    """
    numbers = numbers_of(a)
    if not is_complex(numbers):
        return a
    if isinstance(numbers, AbstractArray):
        raise TraceError(
            "real_if_close: a must not be complex in a compiled function, since the dtype of the "
            "result depends on its numbers; take np.real"
        )
    return a if np.iscomplexobj(np.real_if_close(numbers, tol)) else real(a)


def unit_slope(g, out, x):
    """The pull-back of z/|z|: only turning z changes it. 0 at 0."""
    length = np.abs(x)
    return 1j * np.conj(out) * imag(g * out) / np.where(length == 0, 1.0, length)


def unit_tangent(t, out, x):
    """The push-forward of z/|z|."""
    length = np.abs(x)
    return 1j * out * imag(np.conj(out) * t) / np.where(length == 0, 1.0, length)
