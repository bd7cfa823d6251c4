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
from collections.abc import Callable as _Callable
from typing import Any as _Any

import numpy as _numpy
from numpy.typing import DTypeLike as _DTypeLike

from ..core import creation as _creation
from ..core.value import Value as _Value
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
    *("kaiser", "linspace", "loadtxt", "logspace", "tri"),
)
"""NumPy's functions that make new arrays without being asked for one like another."""
_DISPATCHED = (_numpy.ufunc, type(_numpy.mean))


def asarray(
    a: _Any, dtype: _DTypeLike | None = None, order: str | None = None, **options: _Any
) -> _Any:
    """Return an array or a Value as it is, and lists as an array; see `tinygrad_lr.array`.

    A plain array stays plain, since writing to the result writes to it.

    >>> import tinygrad_lr as tg, tinygrad_lr.numpy as np
    >>> np.asarray([tg.Value(1.0), 2.0]).shape
    (2,)
    """
    _check_choice("asarray", "order", order, _creation.ORDERS)
    dtype = None if dtype is None else _check_dtype("asarray", dtype, "fciub")
    if isinstance(a, _Value):
        found = a if dtype is None or _numpy.dtype(dtype) == a.dtype else a.astype(dtype)
        if found is a and options.get("copy"):
            return a.copy(order or "K")
        return _with_order(found, None, order) if order in {"C", "F"} and a.ndim else found
    if isinstance(a, _numpy.ndarray):
        plain: _Any = _numpy.asarray
        return plain(a, dtype, order, **options)
    return _creation.array(a, dtype, order=order or "K")


def asanyarray(
    a: _Any, dtype: _DTypeLike | None = None, order: str | None = None, **options: _Any
) -> _Any:
    """Return an array or a Value as it is, and lists as an array; see `asarray`."""
    return asarray(a, dtype, order, **options)


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
        return _creation.as_constant_value(found)

    return make


def __getattr__(name: str) -> _Any:
    if name == "__all__":
        return __dir__()
    if name in {"linalg", "fft"}:
        return _importlib.import_module(f"{__name__}.{name}")
    if name.startswith("_") and name != "__version__":
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
        elif name in {"r_", "c_"}:
            found = _creation.Rows(found)
        elif isinstance(found, _DISPATCHED):
            found = _creation.accept_lists(found)
    globals()[name] = found  # the next look finds it without us
    return found


def __dir__() -> list[str]:
    return sorted(name for name in dir(_numpy) if not name.startswith("_"))
