"""SciPy's Fourier, cosine and sine transforms on Values.

`scipy.fft` converts its arguments with np.asarray, so it takes no Values: these have the same names
and arguments. Fourier transforms are NumPy's operations. A cosine or sine transform is an
orthogonal matrix between two diagonal ones, so its derivative is a transform of the other kind.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, overload

import numpy as np
import scipy.fft

from ..core.creation import Nest, Plain
from ..core.primitive import is_complex, primitive
from ..core.value import Value
from ..ops.activation import as_floats
from ..ops.fourier import resize
from ..support.abstract_array import Array
from ..support.validation import as_input, check_choice, check_integer
from .equivalents import equivalent, names_of

TRANSPOSED = {1: 1, 2: 3, 3: 2, 4: 4}
"""The type of the transposed transform, which for an orthogonal one is the inverse too."""
NORMS = (None, "backward", "ortho", "forward")

Axes: TypeAlias = int | Sequence[int] | None

if TYPE_CHECKING:

    class OneAxis(Protocol):
        """A cosine or sine transform along an axis."""

        @overload
        def __call__(
            self,
            x: Plain,
            type: int = 2,
            n: int | None = None,
            axis: int = -1,
            norm: str | None = None,
            orthogonalize: bool | None = None,
            *,
            overwrite_x: bool = ...,
            workers: int | None = ...,
        ) -> Array: ...
        @overload
        def __call__(
            self,
            x: Nest,
            type: int = 2,
            n: int | None = None,
            axis: int = -1,
            norm: str | None = None,
            orthogonalize: bool | None = None,
            *,
            overwrite_x: bool = ...,
            workers: int | None = ...,
        ) -> Value: ...

    class ManyAxes(Protocol):
        """A cosine or sine transform along several axes."""

        @overload
        def __call__(
            self,
            x: Plain,
            type: int = 2,
            s: Axes = None,
            axes: Axes = None,
            norm: str | None = None,
            orthogonalize: bool | None = None,
            *,
            overwrite_x: bool = ...,
            workers: int | None = ...,
        ) -> Array: ...
        @overload
        def __call__(
            self,
            x: Nest,
            type: int = 2,
            s: Axes = None,
            axes: Axes = None,
            norm: str | None = None,
            orthogonalize: bool | None = None,
            *,
            overwrite_x: bool = ...,
            workers: int | None = ...,
        ) -> Value: ...

    class Fourier(Protocol):
        """A Fourier transform along an axis."""

        @overload
        def __call__(
            self,
            x: Plain,
            n: int | None = None,
            axis: int = -1,
            norm: str | None = None,
            *,
            overwrite_x: bool = ...,
            workers: int | None = ...,
        ) -> Array: ...
        @overload
        def __call__(
            self,
            x: Nest,
            n: int | None = None,
            axis: int = -1,
            norm: str | None = None,
            *,
            overwrite_x: bool = ...,
            workers: int | None = ...,
        ) -> Value: ...

    class FourierOfAxes(Protocol):
        """A Fourier transform along axes."""

        @overload
        def __call__(
            self,
            x: Plain,
            s: Axes = None,
            axes: Axes = ...,
            norm: str | None = None,
            *,
            overwrite_x: bool = ...,
            workers: int | None = ...,
        ) -> Array: ...
        @overload
        def __call__(
            self,
            x: Nest,
            s: Axes = None,
            axes: Axes = ...,
            norm: str | None = None,
            *,
            overwrite_x: bool = ...,
            workers: int | None = ...,
        ) -> Value: ...


@primitive(
    latex=r"\operatorname{<family>}_{<kind>}\left(<x>\right)",
    kind="linear",
    examples=[
        *[((4,), {"family": family, "kind": kind}) for family in "CS" for kind in (2, 1, 3, 4)],
        ((2, 3), {"kind": 3}),
    ],
    whole=True,
)
def orthogonal_transform(x: Any, family: str = "C", kind: int = 2) -> Any:
    """The cosine (C) or sine (S) transform along the last axis, scaled to an orthogonal matrix.

    >>> orthogonal_transform(np.array([1.0, 1.0])).round(6).tolist()
    [1.414214, 0.0]
    """
    transform = scipy.fft.dct if family == "C" else scipy.fft.dst
    return transform(x, type=kind, axis=-1, norm="ortho", orthogonalize=True)


orthogonal_transform.vjp(
    x=lambda g, out, x, family, kind: orthogonal_transform(g, family=family, kind=TRANSPOSED[kind])
)
orthogonal_transform.batch(orthogonal_transform)  # along the last axis


BEFORE = {("C", 1): (0, -1), ("C", 3): (0,), ("S", 3): (-1,)}
AFTER = {("C", 1): (0, -1), ("C", 2): (0,), ("S", 2): (-1,)}
"""The entries that a transform divides by √2 first, and multiplies by it in the end."""
PERIODS = {("C", 1): -2, ("S", 1): 2}
"""What the period of the continued input has beside twice its length; 0 for the other types."""


def _scale(x: Any, entries: tuple[int, ...], factor: float) -> Any:
    if not entries:
        return x
    factors = np.ones(np.shape(x)[-1], np.result_type(x))
    factors[[*entries]] = factor
    return x * factors


def _along(
    where: str, x: Any, n: Any, axis: int, norm: str | None, ortho: bool | None, kind: Any
) -> Any:
    """Transform along one axis, for a kind: a family and a type."""
    x = resize(where, x, n, axis)
    out = _scale(np.moveaxis(x, axis, -1), () if ortho else BEFORE.get(kind, ()), 0.5**0.5)
    period = 2 * np.shape(x)[axis] + PERIODS.get(kind, 0)
    if is_complex(out):
        real, imag = (orthogonal_transform(part, *kind) for part in (np.real(out), np.imag(out)))
        out = real + 1j * imag
    else:
        out = orthogonal_transform(out, *kind)
    out = _scale(out, () if ortho else AFTER.get(kind, ()), 2.0**0.5)
    if norm != "ortho":
        out = out * period ** (-0.5 if norm == "forward" else 0.5)
    return np.moveaxis(out, -1, axis)


OPPOSITE = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _transform(
    where: str, x: Any, type: int, sizes: Any, axes: Any, norm: str | None, ortho: bool | None
) -> Any:
    """Transform along some axes; `where`, the name, says of which family, and whether back."""
    check_choice(where, "type", type, (1, 2, 3, 4))
    check_choice(where, "norm", norm, NORMS)
    x = as_floats(as_input(where, "x", x, allow_complex=True))
    ortho = norm == "ortho" if ortho is None else ortho
    if where.startswith("i"):
        type, norm = TRANSPOSED[type], OPPOSITE[norm]
    if axes is None:
        axes = range(np.ndim(x)) if sizes is None else range(-np.size(sizes), 0)
    axes = [check_integer(where, "axes", axis, low=-np.ndim(x)) for axis in np.atleast_1d(axes)]
    sizes = [None] * len(axes) if sizes is None else np.atleast_1d(sizes).tolist()
    kind = "C" if "c" in where else "S", type
    for n, axis in zip(sizes, axes, strict=True):
        x = _along(where, x, n, axis, norm, ortho, kind)
    return x


def _named(
    ours: Callable[..., Any], theirs: Callable[..., Any], meaning: str
) -> Callable[..., Any]:
    """Give one of several functions of a pattern its name, docstring and SciPy's signature."""
    ours.__name__ = ours.__qualname__ = theirs.__name__
    ours.__doc__ = f"Return {meaning}, as `scipy.fft.{theirs.__name__}`."
    return equivalent(theirs)(ours)


def _one_axis(theirs: Callable[..., Any], meaning: str) -> OneAxis:
    name = theirs.__name__

    def transform(
        x: Nest,
        type: int = 2,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        orthogonalize: bool | None = None,
    ) -> Any:
        sizes = None if n is None else [n]
        return _transform(name, x, type, sizes, [axis], norm, orthogonalize)

    return _named(transform, theirs, f"{meaning} along an axis")


def _many_axes(theirs: Callable[..., Any], meaning: str) -> ManyAxes:
    name = theirs.__name__

    def transform(
        x: Nest,
        type: int = 2,
        s: Axes = None,
        axes: Axes = None,
        norm: str | None = None,
        orthogonalize: bool | None = None,
    ) -> Any:
        return _transform(name, x, type, s, axes, norm, orthogonalize)

    return _named(transform, theirs, f"{meaning} along several axes")


def _fourier(theirs: Callable[..., Any], numpys: Callable[..., Any]) -> Fourier:
    def transform(x: Nest, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
        return numpys(x, n, axis, norm)

    return _named(transform, theirs, "NumPy's Fourier transform of this name along an axis")


def _fourier_of_axes(theirs: Callable[..., Any], numpys: Callable[..., Any]) -> FourierOfAxes:
    axes_of = inspect.signature(theirs).parameters["axes"].default

    def transform(x: Nest, s: Axes = None, axes: Axes = axes_of, norm: str | None = None) -> Any:
        return numpys(x, s, axes, norm)

    return _named(transform, theirs, "NumPy's Fourier transform of this name along axes")


dct = _one_axis(scipy.fft.dct, "the discrete cosine transform of type 1 to 4")
idct = _one_axis(scipy.fft.idct, "the inverse of the discrete cosine transform of type 1 to 4")
dst = _one_axis(scipy.fft.dst, "the discrete sine transform of type 1 to 4")
idst = _one_axis(scipy.fft.idst, "the inverse of the discrete sine transform of type 1 to 4")
dctn = _many_axes(scipy.fft.dctn, "the discrete cosine transform of type 1 to 4")
idctn = _many_axes(scipy.fft.idctn, "the inverse of the discrete cosine transform of type 1 to 4")
dstn = _many_axes(scipy.fft.dstn, "the discrete sine transform of type 1 to 4")
idstn = _many_axes(scipy.fft.idstn, "the inverse of the discrete sine transform of type 1 to 4")

fft = _fourier(scipy.fft.fft, np.fft.fft)
ifft = _fourier(scipy.fft.ifft, np.fft.ifft)
rfft = _fourier(scipy.fft.rfft, np.fft.rfft)
irfft = _fourier(scipy.fft.irfft, np.fft.irfft)
hfft = _fourier(scipy.fft.hfft, np.fft.hfft)
ihfft = _fourier(scipy.fft.ihfft, np.fft.ihfft)
fft2 = _fourier_of_axes(scipy.fft.fft2, np.fft.fft2)
ifft2 = _fourier_of_axes(scipy.fft.ifft2, np.fft.ifft2)
rfft2 = _fourier_of_axes(scipy.fft.rfft2, np.fft.rfft2)
irfft2 = _fourier_of_axes(scipy.fft.irfft2, np.fft.irfft2)
fftn = _fourier_of_axes(scipy.fft.fftn, np.fft.fftn)
ifftn = _fourier_of_axes(scipy.fft.ifftn, np.fft.ifftn)
rfftn = _fourier_of_axes(scipy.fft.rfftn, np.fft.rfftn)
irfftn = _fourier_of_axes(scipy.fft.irfftn, np.fft.irfftn)


@overload
def fftshift(x: Plain, axes: int | Sequence[int] | None = None) -> Array: ...
@overload
def fftshift(x: Nest, axes: int | Sequence[int] | None = None) -> Value: ...
@equivalent(scipy.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """Return x with the frequency 0 in the middle, as `scipy.fft.fftshift`."""
    return np.fft.fftshift(x, axes)


@overload
def ifftshift(x: Plain, axes: int | Sequence[int] | None = None) -> Array: ...
@overload
def ifftshift(x: Nest, axes: int | Sequence[int] | None = None) -> Value: ...
@equivalent(scipy.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """Return what `fftshift` has shifted, as `scipy.fft.ifftshift`."""
    return np.fft.ifftshift(x, axes)


__getattr__ = names_of(scipy.fft, __name__)
