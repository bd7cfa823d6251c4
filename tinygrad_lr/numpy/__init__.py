"""NumPy's names, for programs whose arrays take up Values: `import tinygrad_lr.numpy as np`.

What NumPy's functions do with Values is NumPy's own dispatch: those here call them. It cannot ask
a Value what `np.zeros(3)` or `np.array([value, 1.0])` should be, so functions that make arrays are
others here: arrays of floats are constant Values, into which Values can be written; arrays of
integers and booleans are plain. Nor does it ask lists: all functions here take lists of Values,
`np.mean([v, w])`, and `np.r_` and `np.c_` take Values.

>>> import tinygrad_lr as tg, tinygrad_lr.numpy as np
>>> def cumulate(x):
...     total = np.zeros(3)
...     total[0] = x[0]
...     for i in range(1, 3):
...         total[i] = 0.5 * total[i - 1] + x[i]
...     return np.sum(total)
>>> tg.grad(cumulate)(np.array([1.0, 2.0, 3.0])).tolist()
[1.75, 1.5, 1.0]
"""

from __future__ import annotations

import functools as _functools
import importlib as _importlib
import inspect as _inspect
from collections.abc import Callable as _Callable
from typing import Any as _Any

import numpy as _numpy
from numpy.typing import DTypeLike as _DTypeLike

from ..core import creation as _creation
from ..core.node import unwrap as _unwrap
from ..core.value import Value as _Value
from ..errors import ArgumentError as _ArgumentError
from ..ops.index import falling_order as _falling_order
from ..support.abstract_array import AbstractArray as _AbstractArray
from ..support.validation import check_choice as _check_choice
from ..support.validation import check_dtype as _check_dtype
from ..support.validation import check_flag as _check_flag

_OWN = (
    *("array", "empty", "empty_like", "full", "full_like", "ones", "ones_like", "zeros"),
    "zeros_like",
)
_MAKING = (
    *("arange", "bartlett", "blackman", "eye", "frombuffer", "fromfile", "fromfunction"),
    *("fromiter", "fromstring", "genfromtxt", "geomspace", "hamming", "hanning", "identity"),
    *("kaiser", "linspace", "loadtxt", "logspace", "tri", "from_dlpack"),
)
"""NumPy's functions that make new arrays without being asked for one like another."""
_SORTING = ("argsort", "sort")
"""NumPy's functions that take `descending` here, as in the array API standard."""
_PLAIN_DUNDERS = ("__version__", "__array_namespace_info__", "__array_api_version__")
_DISPATCHED = (_numpy.ufunc, type(_numpy.mean))


def asarray(
    a: _Any,
    dtype: _DTypeLike | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
    copy: bool | None = None,
) -> _Any:
    """Return an array or a Value as it is, and lists as an array; see `tinygrad_lr.array`.

    A plain array stays plain, since writing to the result writes to it. With `copy=True` it is a
    new array always, with `copy=False` an error unless `a` is an array of this dtype.

    >>> import tinygrad_lr as tg, tinygrad_lr.numpy as np
    >>> np.asarray([tg.Value(1.0), 2.0]).shape
    (2,)
    """
    _check_choice("asarray", "order", order, _creation.ORDERS)
    _check_choice("asarray", "device", device, _creation.DEVICES)
    _check_choice("asarray", "copy", copy, (None, True, False))
    dtype = None if dtype is None else _check_dtype("asarray", dtype, "fciub")
    if copy is not True:
        if isinstance(a, _numpy.ndarray):
            plain: _Any = _numpy.asarray
            return plain(a, dtype, order, copy=copy)
        traced = isinstance(a, _AbstractArray) and a.is_array
        if (traced or isinstance(a, _Value)) and (dtype is None or dtype == a.dtype):
            found = _with_order(a, None, order) if order in {"C", "F"} and a.ndim else a
            if found is a or copy is None:
                return found
    if copy is False:
        raise _ArgumentError(
            "asarray: copy must be None or True unless an array of the dtype and order is given, "
            "got False"
        )
    if isinstance(a, _Value) and dtype is not None and dtype.kind not in "fc":
        return a.astype(dtype)
    return _creation.array(a, dtype, order=order or "K")


def asanyarray(
    a: _Any,
    dtype: _DTypeLike | None = None,
    order: str | None = None,
    *,
    device: str | None = None,
    copy: bool | None = None,
) -> _Any:
    """Return an array or a Value as it is, and lists as an array; see `asarray`."""
    return asarray(a, dtype, order, device=device, copy=copy)


def ascontiguousarray(a: _Any, dtype: _DTypeLike | None = None) -> _Any:
    """Return an array of one axis or more that is contiguous, a copy if need be; see `asarray`."""
    return _with_order(a, dtype, "C")


def asfortranarray(a: _Any, dtype: _DTypeLike | None = None) -> _Any:
    """Return an array in Fortran's order, a copy if need be; see `asarray`."""
    return _with_order(a, dtype, "F")


def _with_order(a: _Any, dtype: _Any, order: str) -> _Any:
    found = asarray(a, dtype)
    if not isinstance(found, _Value):
        return _numpy.array(found, order=order, copy=None, ndmin=1)  # type: ignore[call-overload]
    found = found if found.ndim else found.reshape(1)
    contiguous = found._content.flags["CONTIGUOUS" if order == "C" else "F_CONTIGUOUS"]
    return found if contiguous else found.copy(order)


def copy(a: _Any, order: str | None = "K", subok: bool = False) -> _Any:
    """Return a copy, which Values can be written into."""
    _check_flag("copy", "subok", subok)
    if isinstance(a, _Value):
        of_value: _Any = _numpy.copy
        return of_value(a, order)
    return _creation.array(a, order=order)


def _making(function: _Callable[..., _Any]) -> _Callable[..., _Any]:
    """Return a function of NumPy that makes arrays, with constant Values for those of floats."""

    @_functools.wraps(function)
    def make(*args: _Any, **options: _Any) -> _Any:
        found = function(*args, **options)
        if isinstance(found, tuple):  # linspace(retstep=True)
            return (_creation.as_constant_value(found[0]), *found[1:])
        if options.get("copy") is False:  # from_dlpack: in the memory of another array
            return found
        return _creation.as_constant_value(found)

    return make


def _sorting(function: _Callable[..., _Any]) -> _Callable[..., _Any]:
    """Return `np.sort` or `np.argsort` with `descending`; NumPy has it since version 2.5."""
    rising = _creation.accept_lists(function)

    @_functools.wraps(function)
    def call(
        a: _Any,
        axis: int | None = -1,
        *args: _Any,
        descending: bool | None = None,
        **options: _Any,
    ) -> _Any:
        if descending is None or not _check_flag(function.__name__, "descending", descending):
            return rising(a, axis, *args, **options)
        a, axis = (_numpy.ravel(asarray(a)), -1) if axis is None else (asarray(a), axis)
        order = _falling_order(_unwrap(a), axis)
        return _numpy.take_along_axis(a, order, axis) if function is _numpy.sort else order

    parameters = dict(_inspect.signature(function).parameters)
    parameters["descending"] = _inspect.Parameter(
        "descending", _inspect.Parameter.KEYWORD_ONLY, default=None
    )
    signature = _inspect.Signature([*parameters.values()])
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def __getattr__(name: str) -> _Any:
    if name == "__all__":
        return __dir__()
    if name in {"fft", "linalg", "polynomial"}:
        return _importlib.import_module(f"{__name__}.{name}")
    if name.startswith("_") and name not in _PLAIN_DUNDERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _OWN:
        found = getattr(_creation, name)
    else:
        try:
            found = getattr(_numpy, name)
        except AttributeError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
        if name in _MAKING:
            found = _making(found)
        elif name in _SORTING:
            found = _sorting(found)
        elif name in {"r_", "c_"}:
            found = _creation.Rows(found)
        elif isinstance(found, _DISPATCHED):
            found = _creation.accept_lists(found)
    globals()[name] = found  # the next look finds it without us
    return found


def __dir__() -> list[str]:
    return sorted(name for name in dir(_numpy) if not name.startswith("_"))
