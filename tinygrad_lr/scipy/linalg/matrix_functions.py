"""Functions of a square matrix: exponential, root, logarithm, and what they give.

A function f has the derivative that stands in the corner of f([[A, E], [0, A]]) (Mathias, 1996).
"""

import threading

import numpy as np
import scipy.linalg

from ...core.primitive import is_complex, primitive
from ...errors import ArgumentError
from ..equivalents import equivalent

__all__ = [
    "coshm",
    "cosm",
    "expm",
    "expm_frechet",
    "fractional_matrix_power",
    "logm",
    "sinhm",
    "sinm",
    "sqrtm",
    "tanhm",
    "tanm",
]

SQUARE = [((3, 3),), ((1, 1),)]
DRAWING = threading.Lock()
MAX_ROUNDING = 1e-13
"""An imaginary part below it, relative to the largest entry, is none."""


def _derivative(function, a, e):
    """The derivative of a function of the matrix a in the direction e."""
    n = np.shape(a)[-1]
    both = np.concatenate(
        [np.concatenate([a, e], axis=-1), np.concatenate([0 * a, a], axis=-1)], axis=-2
    )
    return function(both)[..., :n, n:]


@primitive(
    latex=r"\operatorname{expm}\left(<a>\right)", examples=SQUARE, whole=True, takes_complex=True
)
def expm(a):
    """The matrix exponential Σ aⁿ/n!, of a square matrix.

    Source: `scipy.linalg.expm`.

    >>> expm(Value([[0.0, 1.0], [0.0, 0.0]]))
    Value(data=[[1. 1.]
     [0. 1.]], grad=None)
    """
    return scipy.linalg.expm(a)


expm.batch(expm)


@primitive(
    latex=r"\operatorname{sqrtm}\left(<a>\right)", examples=SQUARE, whole=True, takes_complex=True
)
def sqrtm(a):
    """The principal square root of a square matrix without negative eigenvalues.

    Source: `scipy.linalg.sqrtm`. Raises `ArgumentError` where the root isn't real.

    >>> sqrtm(Value([[4.0, 0.0], [0.0, 9.0]]))
    Value(data=[[2. 0.]
     [0. 3.]], grad=None)
    """
    return _in_float64("sqrtm", scipy.linalg.sqrtm, a)


@primitive(
    latex=r"\operatorname{logm}\left(<a>\right)", examples=SQUARE, whole=True, takes_complex=True
)
def logm(a):
    """The principal logarithm of a square matrix without eigenvalues <= 0.

    Source: `scipy.linalg.logm`. Raises `ArgumentError` where the logarithm isn't real.

    >>> logm(Value([[1.0, 1.0], [0.0, 1.0]]))
    Value(data=[[0. 1.]
     [0. 0.]], grad=None)
    """
    return _in_float64("logm", _repeatable_logm, a)


def _repeatable_logm(a):
    """SciPy's logm, which estimates norms by numbers drawn from np.random: here always the same.

    np.random is left as it was, so that a program that draws from it isn't changed by a logarithm.
    Another thread that draws from np.random meanwhile gets numbers of this seed, since SciPy takes
    no generator; numbers of a Generator are never changed.
    """
    with DRAWING:
        state = np.random.get_state()  # noqa: NPY002 - SciPy draws from it
        try:
            np.random.seed(0)  # noqa: NPY002
            return scipy.linalg.logm(a)
        finally:
            np.random.set_state(state)  # noqa: NPY002


def _in_float64(name, function, a):
    a = np.asarray(a)
    wide = a.astype(np.result_type(a, np.float64))
    if a.ndim > 2 and a.size:  # SciPy takes stacks since version 1.16
        matrices = wide.reshape(-1, *a.shape[-2:])
        result = np.stack([function(x) for x in matrices]).reshape(a.shape)
    else:
        result = function(wide)
    if np.isrealobj(a) and np.iscomplexobj(result):
        rounding = MAX_ROUNDING * np.max(np.abs(result), initial=0.0)
        if np.max(np.abs(np.imag(result)), initial=0.0) <= rounding:
            return np.real(result).astype(a.dtype)  # SciPy's until 1.17, of complex eigenvalues
        raise ArgumentError(
            f"{name}: the result must be real, got complex numbers; pass a complex a"
        )
    return result.astype(a.dtype)


def _declare_rules(function):
    function.vjp(a=lambda g, out, a: _derivative(function, np.swapaxes(a, -1, -2), g))
    function.jvp(a=lambda t, out, a: _derivative(function, a, t))


for _function in (expm, sqrtm, logm):
    _declare_rules(_function)


@equivalent(scipy.linalg.expm_frechet)
def expm_frechet(A, E, compute_expm=True):
    """Return e^A and its derivative in the direction E, as `scipy.linalg.expm_frechet`.

    >>> [x.tolist() for x in expm_frechet(Value([[0.0]]), np.array([[2.0]]))]
    [[[1.0]], [[2.0]]]
    """
    slope = _derivative(expm, A, E)
    return (expm(A), slope) if compute_expm else slope


@equivalent(scipy.linalg.cosm)
def cosm(A):
    """Return the cosine of a matrix, as `scipy.linalg.cosm`."""
    return np.real(expm(1j * A)) if not is_complex(A) else 0.5 * (expm(1j * A) + expm(-1j * A))


@equivalent(scipy.linalg.sinm)
def sinm(A):
    """Return the sine of a matrix, as `scipy.linalg.sinm`."""
    return np.imag(expm(1j * A)) if not is_complex(A) else -0.5j * (expm(1j * A) - expm(-1j * A))


@equivalent(scipy.linalg.tanm)
def tanm(A):
    """Return the tangent of a matrix, (cos A)⁻¹ sin A, as `scipy.linalg.tanm`."""
    return np.linalg.solve(cosm(A), sinm(A))


@equivalent(scipy.linalg.coshm)
def coshm(A):
    """Return the hyperbolic cosine of a matrix, as `scipy.linalg.coshm`."""
    return 0.5 * (expm(A) + expm(-A))


@equivalent(scipy.linalg.sinhm)
def sinhm(A):
    """Return the hyperbolic sine of a matrix, as `scipy.linalg.sinhm`."""
    return 0.5 * (expm(A) - expm(-A))


@equivalent(scipy.linalg.tanhm)
def tanhm(A):
    """Return the hyperbolic tangent of a matrix, as `scipy.linalg.tanhm`."""
    return np.linalg.solve(coshm(A), sinhm(A))


@equivalent(scipy.linalg.fractional_matrix_power)
def fractional_matrix_power(A, t):
    """Return A^t = e^(t ln A), as `scipy.linalg.fractional_matrix_power`; see `logm`.

    A power whose exponent is a whole number is a product of matrices, or of inverses.

    >>> fractional_matrix_power(Value([[4.0]]), 0.5).round(9).tolist()
    [[2.0]]
    """
    if isinstance(t, (int, float, np.integer, np.floating)) and float(t).is_integer():
        return np.linalg.matrix_power(A, int(t))
    return expm(t * logm(A))
