"""NumPy's polynomials: vectors of coefficients, the highest power first."""

import functools

import numpy as np

from ..core.primitive import implements, is_complex, numbers_of
from ..errors import ArgumentError, ShapeError, TraceError
from ..support.abstract_array import AbstractArray, check_numbers
from ..support.validation import as_input, check_integer, require_memory
from .decompositions import eigvals, lstsq
from .index import put_at
from .linear_algebra import inv, matmul, outer, vander


def as_coefficients(name, argument, p):
    """Return p as a vector of coefficients."""
    p = np.atleast_1d(as_input(name, argument, p, allow_complex=True))
    if np.ndim(p) != 1:
        raise ShapeError(f"{name}: {argument} must be a vector, got shape {np.shape(p)}")
    return p


def without_leading_zeros(p):
    """The coefficients from the first that isn't 0 on, as NumPy's poly1d has them.

    One that requires a gradient counts: at 0 it has one.
    """
    if getattr(p, "requires_grad", False):
        return p
    numbers = numbers_of(p)
    if isinstance(numbers, AbstractArray):
        check_numbers(numbers, _require_degree)
        return p
    if not len(numbers) or numbers[0] != 0:
        return p
    nonzero = np.flatnonzero(numbers)
    return p[int(nonzero[0]) if len(nonzero) else len(numbers) - 1 :]


def _require_degree(numbers):
    if numbers[0] == 0:
        raise ArgumentError(
            "polymul: the first coefficient must not be 0 in a compiled function, since the length "
            "of the result depends on it; leave it out"
        )


def refuse_tracing(name, argument, x):
    """Raise `TraceError` in a compiled function: the result's length depends on numbers."""
    if isinstance(numbers_of(x), AbstractArray):
        raise TraceError(
            f"{name}: {argument} must not be traced, since the shape or dtype of the result depends"
            " on its numbers; call it outside the compiled function"
        )


def multiply_coefficients(a, b):
    """The coefficients of a product: sums of products along the diagonals of a matrix."""
    (m,), (n,) = np.shape(a), np.shape(b)
    require_memory("polymul", "the products", (m, n))
    power = np.add.outer(np.arange(m), np.arange(n))
    return put_at(outer(a, b), index=power, shape=(m + n - 1,))


@implements(np.polyval)
def polyval(p, x):
    """The value of a polynomial at each x, by Horner's rule.

    >>> np.polyval(Value([1.0, 0.0, 2.0]), 3.0)
    Value(data=11.0, grad=None)
    """
    p = as_coefficients("polyval", "p", p)
    x = as_input("polyval", "x", x, allow_complex=True)
    y = x * 0.0
    for i in range(np.shape(p)[0]):
        y = y * x + p[i]
    return y


@implements(np.polymul)
def polymul(a1, a2):
    """The coefficients of the product of two polynomials.

    A leading coefficient that requires a gradient counts even if it is 0; NumPy leaves it out.

    >>> np.polymul(Value([1.0, 1.0]), [1.0, -1.0]).tolist()
    [1.0, 0.0, -1.0]
    """
    a = without_leading_zeros(as_coefficients("polymul", "a1", a1))
    return multiply_coefficients(a, without_leading_zeros(as_coefficients("polymul", "a2", a2)))


@implements(np.polyadd)
def polyadd(a1, a2):
    """The coefficients of the sum of two polynomials.

    >>> np.polyadd(Value([1.0, 1.0]), [1.0]).tolist()
    [1.0, 2.0]
    """
    a, b = as_coefficients("polyadd", "a1", a1), as_coefficients("polyadd", "a2", a2)
    length = max(np.shape(a)[0], np.shape(b)[0])
    a, b = (np.pad(x, (length - np.shape(x)[0], 0)) for x in (a, b))
    return a + b


@implements(np.polysub)
def polysub(a1, a2):
    """The coefficients of the difference of two polynomials.

    >>> np.polysub(Value([1.0, 1.0]), [1.0]).tolist()
    [1.0, 0.0]
    """
    return polyadd(a1, -as_coefficients("polysub", "a2", a2))


@implements(np.polydiv)
def polydiv(u, v):
    """The coefficients of the quotient and of the remainder of two polynomials.

    Leading zeros of the remainder are left out, as in NumPy; so it cannot be compiled.

    >>> [part.tolist() for part in np.polydiv(Value([1.0, 0.0, -1.0]), [1.0, 1.0])]
    [[1.0, -1.0], [0.0]]
    """
    u, v = as_coefficients("polydiv", "u", u), as_coefficients("polydiv", "v", v)
    refuse_tracing("polydiv", "u", u)
    refuse_tracing("polydiv", "v", v)
    (m,), (n,) = np.shape(u), np.shape(v)
    rest, quotient = u + v[0] * 0.0, []
    for _ in range(m - n + 1):
        quotient.append(rest[0] / v[0])
        head = rest[1:n] - quotient[-1] * v[1:]
        rest = np.concatenate([head, rest[n:]])
    if not np.shape(rest)[0]:
        rest = u[:1] * 0.0
    numbers, start = numbers_of(rest), 0
    while start < len(numbers) - 1 and np.allclose(numbers[start], 0, rtol=1e-14):
        start += 1
    return np.stack(quotient) if quotient else u[:1] * 0.0, rest[start:]


@implements(np.polyder)
def polyder(p, m=1):
    """The coefficients of the m-th derivative of a polynomial with respect to its variable.

    >>> np.polyder(Value([1.0, 1.0, 1.0])).tolist()
    [2.0, 1.0]
    """
    p = as_coefficients("polyder", "p", p)
    for _ in range(check_integer("polyder", "m", m, low=0)):
        p = p[:-1] * np.arange(np.shape(p)[0] - 1, 0, -1)
    return p


@implements(np.polyint)
def polyint(p, m=1, k=None):
    """The coefficients of the m-th integral of a polynomial, with the constants k.

    >>> np.polyint(Value([2.0, 1.0])).tolist()
    [1.0, 1.0, 0.0]
    """
    p = as_coefficients("polyint", "p", p)
    m = check_integer("polyint", "m", m, low=0)
    k = np.zeros(m) if k is None else as_coefficients("polyint", "k", k)
    if np.shape(k) == (1,):
        k = np.broadcast_to(k, (max(m, 1),))
    if np.shape(k)[0] < m:
        raise ArgumentError(f"polyint: k must be one number or {m}, got {np.shape(k)[0]}")
    for i in range(m):
        p = np.concatenate([p / np.arange(np.shape(p)[0], 0, -1), k[i : i + 1]])
    return p


@implements(np.polyfit)
def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    """The coefficients of the polynomial of a degree that fits points best, by least squares.

    With `full`, also squared errors, rank, singular values and rcond; with `cov`, also the
    covariances of the coefficients. The points and the weights may be Values.

    >>> np.round(np.polyfit([0.0, 1.0, 2.0], Value([1.0, 3.0, 5.0]), 1), 12).tolist()
    [2.0, 1.0]
    """
    x = as_coefficients("polyfit", "x", x) + 0.0
    y = as_input("polyfit", "y", y, allow_complex=True) + 0.0
    order = check_integer("polyfit", "deg", deg, low=0) + 1
    (count,) = np.shape(x)
    if not count or np.ndim(y) not in {1, 2} or np.shape(y)[0] != count:
        raise ShapeError(
            "polyfit: y must have as many rows as x has entries, which are one or more, got shapes "
            f"{np.shape(x)} and {np.shape(y)}"
        )
    if rcond is None:
        rcond = count * float(np.finfo(np.result_type(x)).eps)
    left, right = vander(x, order), y
    if w is not None:
        w = as_coefficients("polyfit", "w", w) + 0.0
        left = left * np.expand_dims(w, -1)
        right = y * (np.expand_dims(w, -1) if np.ndim(y) == 2 else w)
    scale = np.sqrt(np.sum(left * left, axis=0))
    found, errors, rank, values = lstsq(left / scale, right, rcond)
    found = found / (np.expand_dims(scale, -1) if np.ndim(found) == 2 else scale)
    if full:
        return found, errors, rank, values, rcond
    if not cov:
        return found
    scaled = left / scale
    base = inv(matmul(np.transpose(scaled), scaled)) / outer(scale, scale)
    if np.ndim(y) == 2:
        base = np.expand_dims(base, -1)
    if cov == "unscaled":
        return found, base
    if count <= order:
        raise ArgumentError(
            f"polyfit: x must have more than {order} entries with cov=True, got {count}"
        )
    return found, base * (errors / (count - order))


def eigenvalues_as_roots(companion):
    """The eigenvalues of a matrix of a polynomial: real if all of them are."""
    refuse_tracing("roots", "the polynomial", companion)
    found = eigvals(companion)
    if is_complex(companion) or np.imag(numbers_of(found)).any():
        return found
    return np.real(found)


@implements(np.roots)
def roots(p):
    """The roots of a polynomial: real if all of them are.

    The gradient is nan at a repeated root, which moves by a root of the change.

    >>> sorted(np.round(np.roots(Value([1.0, -3.0, 2.0])), 12).tolist())
    [1.0, 2.0]
    """
    p = as_coefficients("roots", "p", p)
    refuse_tracing("roots", "p", p)
    nonzero = np.flatnonzero(numbers_of(p))
    if not len(nonzero):
        return np.zeros(0)
    first, last = int(nonzero[0]), int(nonzero[-1])
    at_zero = np.shape(p)[0] - 1 - last
    p = p[first : last + 1]
    size = np.shape(p)[0] - 1
    if size < 1:
        return np.zeros(at_zero)
    companion = np.concatenate(
        [np.expand_dims(-p[1:] / p[0], 0), np.eye(size)[:-1].astype(np.result_type(p))]
    )
    found = eigenvalues_as_roots(companion)
    return np.concatenate([found, np.zeros(at_zero, found.dtype)]) if at_zero else found


@implements(np.poly)
def poly(seq_of_zeros):
    """The coefficients of the polynomial with these roots, or with a matrix's eigenvalues.

    >>> np.poly(Value([1.0, 2.0])).tolist()
    [1.0, -3.0, 2.0]
    """
    zeros = np.atleast_1d(as_input("poly", "seq_of_zeros", seq_of_zeros, allow_complex=True))
    shape = np.shape(zeros)
    if len(shape) == 2 and shape[0] == shape[1] != 0:
        zeros = eigvals(zeros)
    elif len(shape) != 1:
        raise ShapeError(
            f"poly: seq_of_zeros must be a vector or a square matrix, got shape {shape}"
        )
    if not np.shape(zeros)[0]:
        return 1.0
    factors = [np.stack([1.0 + 0.0 * zero, -zero]) for zero in zeros]
    found = functools.reduce(multiply_coefficients, factors)
    numbers = numbers_of(zeros)
    if not is_complex(numbers):
        return found
    refuse_tracing("poly", "seq_of_zeros", numbers)
    in_pairs = np.array_equal(np.sort(numbers), np.sort(np.conj(numbers)))
    return np.real(found) if in_pairs else found
