"""Discrete Fourier transforms: linear maps, each of which is a transposed one of the others.

A transform from complex to complex numbers is a symmetric matrix F, so its pull-back is the same
transform. That of real numbers keeps half of the spectrum, since the other half is its conjugate:
its pull-back is the transform back, in which the entries that stand for two count as one.
"""

import numpy as np

from ..core.primitive import implements, primitive
from ..errors import ArgumentError
from ..support.indexing import shift_axis
from ..support.validation import as_input, check_choice, check_integer
from .reduce import refuse_out

TRANSFORMS = [((4,),), ((2, 3), {"axes": (0,)}), ((2, 3), {"axes": (1, 0), "norm": "ortho"})]
SWAPPED = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The norm with which the transform back has the factor that one forth has with the given norm."""


@primitive(
    latex=r"\mathcal{F}\left(<x>\right)",
    kind="linear",
    examples=TRANSFORMS,
    takes_complex=True,
)
def fft_over(x, axes=(-1,), norm=None):
    """The discrete Fourier transform along some axes, Σⱼ xⱼ e^(-2πijk/n).

    >>> fft_over(Value([1.0, 0.0])).tolist()
    [(1+0j), (1+0j)]
    """
    return np.fft.fftn(x, axes=axes, norm=norm)


@primitive(
    latex=r"\mathcal{F}^{-1}\left(<x>\right)",
    kind="linear",
    examples=TRANSFORMS,
    takes_complex=True,
)
def ifft_over(x, axes=(-1,), norm=None):
    """The inverse transform along some axes, (1/n) Σₖ xₖ e^(2πijk/n).

    >>> ifft_over(Value([1.0, 1.0])).tolist()
    [(1+0j), 0j]
    """
    return np.fft.ifftn(x, axes=axes, norm=norm)


fft_over.vjp(x=lambda g, out, x, axes, norm: fft_over(g, axes=axes, norm=norm))
ifft_over.vjp(x=lambda g, out, x, axes, norm: ifft_over(g, axes=axes, norm=norm))


def _over_entries(operation):
    def rule(x, axes, norm):
        return operation(x, axes=shift_axis(tuple(axes), np.ndim(x) - 1), norm=norm)

    operation.batch(rule)


_over_entries(fft_over)
_over_entries(ifft_over)


@primitive(
    latex=r"\mathcal{F}_{\ge 0}\left(<x>\right)",
    kind="linear",
    examples=[((4,),), ((5,),), ((4, 2), {"axis": 0, "norm": "ortho"})],
)
def rfft_along(x, axis=-1, norm=None):
    """The n // 2 + 1 entries of the transform of real numbers that determine it.

    >>> rfft_along(Value([1.0, 0.0])).tolist()
    [(1+0j), (1+0j)]
    """
    return np.fft.rfft(x, axis=axis, norm=norm)


@primitive(
    latex=r"\mathcal{F}_{\ge 0}^{-1}\left(<x>\right)",
    kind="linear",
    examples=[
        ((3,), {"n": 4}),
        ((3,), {"n": 5}),
        ((1,), {"n": 1}),
        ((3, 2), {"n": 4, "axis": 0, "norm": "ortho"}),
    ],
    takes_complex=True,
)
def irfft_along(x, n=1, axis=-1, norm=None):
    """The n real numbers whose transform has the n // 2 + 1 entries x.

    The imaginary parts of x₀, and of the last entry if n is even, count for nothing.

    >>> irfft_along(Value([1 + 0j, 1 + 0j]), n=2).tolist()
    [1.0, 0.0]
    """
    return np.fft.irfft(x, n=n, axis=axis, norm=norm)


def _multiplicity(n, like, axis):
    """Return how often each entry of a half spectrum stands in the whole one: 1 or 2."""
    counts = np.full(n // 2 + 1, 2.0)
    counts[0] = 1.0
    if n % 2 == 0:
        counts[-1] = 1.0
    shape = [1] * np.ndim(like)
    shape[axis] = len(counts)
    return counts.reshape(shape)


def _rfft_rule(g, out, x, axis, norm):
    n = np.shape(x)[axis]
    half = np.conj(g) / _multiplicity(n, g, axis)
    return irfft_along(half, n=n, axis=axis, norm=SWAPPED[norm])


def _irfft_rule(g, out, x, n, axis, norm):
    spectrum = rfft_along(g, axis=axis, norm=SWAPPED[norm])
    return np.conj(spectrum) * _multiplicity(n, spectrum, axis)


rfft_along.vjp(x=_rfft_rule)
irfft_along.vjp(x=_irfft_rule)


# ---- NumPy's own signatures


def resize(name, a, n, axis):
    """The array cut, or filled with zeros at the end, to n entries along an axis."""
    length = np.shape(a)[axis]
    n = length if n is None else check_integer(name, "n", n, low=1)
    if n < length:
        return a[(slice(None),) * (axis % np.ndim(a)) + (slice(n),)]
    if n > length:
        widths = [(0, 0)] * np.ndim(a)
        widths[axis] = (0, n - length)
        return np.pad(a, widths)
    return a


def lengths_and_axes(name, a, s, axes):
    """The lengths and axes of a transform over several axes, as NumPy reads its arguments."""
    if axes is None:
        axes = range(np.ndim(a)) if s is None else range(-len(s), 0)
    axes = tuple(int(axis) for axis in axes)
    if s is None:
        return [np.shape(a)[axis] for axis in axes], axes
    if len(s) != len(axes):
        raise ArgumentError(f"{name}: s must have {len(axes)} lengths, one for each axis, got {s}")
    return [np.shape(a)[i] if n in {None, -1} else n for n, i in zip(s, axes, strict=True)], axes


def transform_lines(operation, name, a, n, axis, norm, out):
    """One transform along one axis, in n points."""
    refuse_out(name, out)
    a = as_input(name, "a", a, allow_complex=True)
    return operation(resize(name, a, n, axis), axes=(axis,), norm=norm)


def transform_blocks(operation, name, a, s, axes, norm, out):
    """One transform along each of several axes, in s points."""
    refuse_out(name, out)
    a = as_input(name, "a", a, allow_complex=True)
    lengths, axes = lengths_and_axes(name, a, s, axes)
    for n, axis in zip(lengths, axes, strict=True):
        a = resize(name, a, n, axis)
    return operation(a, axes=axes, norm=norm)


@implements(np.fft.fft)
def fft(a, n=None, axis=-1, norm=None, out=None):
    """The discrete Fourier transform along an axis, of n entries.

    >>> np.fft.fft(Value([1.0, 1.0])).tolist()
    [(2+0j), 0j]
    """
    return transform_lines(fft_over, "fft", a, n, axis, norm, out)


@implements(np.fft.ifft)
def ifft(a, n=None, axis=-1, norm=None, out=None):
    """The inverse of `fft`.

    >>> np.fft.ifft(Value([2.0, 0.0])).tolist()
    [(1+0j), (1+0j)]
    """
    return transform_lines(ifft_over, "ifft", a, n, axis, norm, out)


@implements(np.fft.fftn)
def fftn(a, s=None, axes=None, norm=None, out=None):
    """The discrete Fourier transform along several axes, of s entries each.

    >>> np.fft.fftn(Value(np.eye(2)))[0].tolist()
    [(2+0j), 0j]
    """
    return transform_blocks(fft_over, "fftn", a, s, axes, norm, out)


@implements(np.fft.ifftn)
def ifftn(a, s=None, axes=None, norm=None, out=None):
    """The inverse of `fftn`.

    >>> np.fft.ifftn(Value(np.ones((2, 2))))[0].tolist()
    [(1+0j), 0j]
    """
    return transform_blocks(ifft_over, "ifftn", a, s, axes, norm, out)


@implements(np.fft.fft2)
def fft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    """The discrete Fourier transform of matrices."""
    return transform_blocks(fft_over, "fft2", a, s, axes, norm, out)


@implements(np.fft.ifft2)
def ifft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    """The inverse of `fft2`."""
    return transform_blocks(ifft_over, "ifft2", a, s, axes, norm, out)


@implements(np.fft.rfft)
def rfft(a, n=None, axis=-1, norm=None, out=None):
    """The half of the transform of real numbers that determines it: n // 2 + 1 entries.

    >>> np.fft.rfft(Value([1.0, 0.0, 0.0])).tolist()
    [(1+0j), (1+0j)]
    """
    refuse_out("rfft", out)
    a = resize("rfft", as_input("rfft", "a", a), n, axis)
    return rfft_along(a, axis=axis, norm=norm)


@implements(np.fft.irfft)
def irfft(a, n=None, axis=-1, norm=None, out=None):
    """The inverse of `rfft`: n real numbers, by default 2(m - 1) for m entries.

    >>> np.fft.irfft(Value([1.0, 1.0])).tolist()
    [1.0, 0.0]
    """
    refuse_out("irfft", out)
    a = as_input("irfft", "a", a, allow_complex=True)
    n = 2 * (np.shape(a)[axis] - 1) if n is None else n
    n = check_integer("irfft", "n", n, low=1)
    return irfft_along(resize("irfft", a, n // 2 + 1, axis), n=n, axis=axis, norm=norm)


@implements(np.fft.rfftn)
def rfftn(a, s=None, axes=None, norm=None, out=None):
    """The transform of real numbers along several axes; the last of them keeps half its entries.

    >>> np.fft.rfftn(Value(np.ones((2, 3)))).shape
    (2, 2)
    """
    refuse_out("rfftn", out)
    a = as_input("rfftn", "a", a)
    lengths, axes = lengths_and_axes("rfftn", a, s, axes)
    half = rfft(a, lengths[-1], axes[-1], norm)
    return fftn(half, lengths[:-1], axes[:-1], norm) if axes[1:] else half


@implements(np.fft.irfftn)
def irfftn(a, s=None, axes=None, norm=None, out=None):
    """The inverse of `rfftn`; the last axis has 2(m - 1) entries by default.

    >>> np.fft.irfftn(Value(np.ones((1, 2)))).tolist()
    [[1.0, 0.0]]
    """
    refuse_out("irfftn", out)
    a = as_input("irfftn", "a", a, allow_complex=True)
    lengths, axes = lengths_and_axes("irfftn", a, s, axes)
    last = lengths[-1] if s is not None else None
    whole = ifftn(a, lengths[:-1], axes[:-1], norm) if axes[1:] else a
    return irfft(whole, last, axes[-1], norm)


@implements(np.fft.rfft2)
def rfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    """The transform of real matrices; the last axis keeps half its entries."""
    return rfftn(a, s, axes, norm, out)


@implements(np.fft.irfft2)
def irfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    """The inverse of `rfft2`."""
    return irfftn(a, s, axes, norm, out)


@implements(np.fft.hfft)
def hfft(a, n=None, axis=-1, norm=None, out=None):
    """The real transform of n numbers of which a is one half, the other its conjugate.

    >>> np.fft.hfft(Value([1.0, 1.0])).tolist()
    [2.0, 0.0]
    """
    check_choice("hfft", "norm", norm, tuple(SWAPPED))
    return irfft(np.conj(a), n, axis, SWAPPED[norm], out)


@implements(np.fft.ihfft)
def ihfft(a, n=None, axis=-1, norm=None, out=None):
    """The inverse of `hfft`.

    >>> np.fft.ihfft(Value([2.0, 0.0])).tolist()
    [(1-0j), (1-0j)]
    """
    check_choice("ihfft", "norm", norm, tuple(SWAPPED))
    return np.conj(rfft(a, n, axis, SWAPPED[norm], out))


def roll_by_halves(x, axes, sign):
    """The entries moved by half the length of each axis."""
    axes = range(np.ndim(x)) if axes is None else np.atleast_1d(axes).tolist()
    lengths = np.shape(x)
    return np.roll(x, [sign * (lengths[axis] // 2) for axis in axes], tuple(axes))


@implements(np.fft.fftshift)
def fftshift(x, axes=None):
    """The frequency 0 in the middle.

    >>> np.fft.fftshift(Value([0.0, 1.0, -1.0])).tolist()
    [-1.0, 0.0, 1.0]
    """
    return roll_by_halves(x, axes, 1)


@implements(np.fft.ifftshift)
def ifftshift(x, axes=None):
    """The inverse of `fftshift`.

    >>> np.fft.ifftshift(Value([-1.0, 0.0, 1.0])).tolist()
    [0.0, 1.0, -1.0]
    """
    return roll_by_halves(x, axes, -1)
