"""The names of `numpy.polynomial`, whose functions and classes take Values.

NumPy's are plain Python on arrays, and NumPy makes arrays without asking a Value. So here the same
functions run with `tinygrad_lr.numpy` for `np`, where arrays take up Values; their derivatives are
those of the operations that they call. Calls without Values are NumPy's own.

A highest coefficient that requires a gradient counts even if it is 0, where NumPy leaves it out,
and so do those of compiled functions and batches: no length depends on their numbers.

>>> import tinygrad_lr as tg, tinygrad_lr.numpy as np
>>> integral = lambda c: np.polynomial.Chebyshev(c).integ(lbnd=-1)(1.0)
>>> np.round(tg.grad(integral)(np.array([1.0, 2.0, 3.0])), 9).tolist()
[2.0, 0.0, -0.666666667]
"""

from __future__ import annotations

import builtins as _builtins
import functools as _functools
import importlib as _importlib
import inspect as _inspect
import numbers as _numbers
import sys as _sys
import types as _types
from collections.abc import Callable as _Callable
from typing import Any as _Any

import numpy as _numpy
from numpy import polynomial as _theirs

from ...core import creation as _creation
from ...core.conversion import has_array as _has_array
from ...core.node import unwrap as _unwrap
from ...core.primitive import numbers_of as _numbers_of
from ...core.value import Value as _Value
from ...core.value import requires_gradient as _requires_gradient
from ...errors import TraceError as _TraceError
from ...ops import polynomials as _polynomials
from ...support.abstract_array import AbstractArray as _AbstractArray

_MODULES = (
    *("polyutils", "_polybase", "polynomial", "chebyshev", "legendre", "hermite", "hermite_e"),
    "laguerre",
)
"""NumPy's modules, each after those that it imports."""


class _NumPy:
    """The `np` of the functions: `tinygrad_lr.numpy`, with Values among the arrays."""

    ndarray = (_numpy.ndarray, _Value)  # for isinstance

    def __getattr__(self, name: str) -> _Any:
        return getattr(_importlib.import_module(__name__.rpartition(".")[0]), name)

    @property
    def linalg(self) -> _types.SimpleNamespace:
        return _types.SimpleNamespace(eigvals=_polynomials.eigenvalues_as_roots, lstsq=_lstsq)


class _Numbers(type):
    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, _numbers.Number) or (isinstance(x, _Value) and not x.ndim)


_NUMBERS = _types.SimpleNamespace(Number=_Numbers("Number", (), {}), Real=_numbers.Real)


def _is_abstract(x: _Any) -> bool:
    return isinstance(_numbers_of(x), _AbstractArray)


def _counts_if_0(given: _Any) -> bool:
    """Return True if an array among arguments requires a gradient, or has no numbers yet."""
    if isinstance(given, (list, tuple)):
        return any(map(_counts_if_0, given))
    return _is_abstract(given) or _requires_gradient(given)


def _trimseq(own: _Callable[..., _Any], seq: _Any) -> _Any:
    """Return coefficients without the zeros at the end that don't count."""
    return seq if _counts_if_0(seq) else own(seq)


def _line(own: _Callable[..., _Any], off: _Any, scl: _Any) -> _Any:
    """Return the coefficients of off + scl * x, also of a slope of 0 if it counts."""
    if not _counts_if_0(scl):
        return own(off, scl)
    return own(0.0, 1.0) * scl + _creation.array([off, 0.0])


def _with_second_coefficient(
    own: _Callable[..., _Any], c: _Any, *args: _Any, **options: _Any
) -> _Any:
    """Call a function that looks whether a single coefficient is 0 with another one beside it."""
    if not _counts_if_0([c, *args, *options.values()]):
        return own(c, *args, **options)
    axis = args[4] if len(args) > 4 else options.get("axis", 0)
    c = _numpy.atleast_1d(_creation.array(c))
    if c.shape[axis] != 1:
        return own(c, *args, **options)
    found = own(_numpy.concatenate([c, 0.0 * c], axis), *args, **options)
    return _numpy.delete(found, -1, axis)


def _div(own: _Callable[..., _Any], *args: _Any) -> _Any:
    """Divide polynomials, with a look at the highest coefficient of the divisor."""
    _polynomials.refuse_tracing("polynomial division", "the divisor", args[-1])
    return own(*args)


def _fit(own: _Callable[..., _Any], *args: _Any, **options: _Any) -> _Any:
    """Fit a polynomial. Without numbers, the rank that NumPy looks at is the full one."""
    given = _inspect.signature(own).bind(*args, **options).arguments
    if given.get("full") and any(map(_is_abstract, given.values())):
        raise _TraceError(
            "polynomial fit: full must be False in a compiled function or a batch; use "
            "np.linalg.lstsq for the statistics"
        )
    return own(*args, **options)


def _lstsq(a: _Any, b: _Any, rcond: _Any) -> tuple[_Any, ...]:
    found, errors, rank, values = _numpy.linalg.lstsq(a, b, rcond)
    return found, errors, min(a.shape) if _is_abstract(rank) else rank, values


_TEXTS = {"__repr__", "_generate_string", "_repr_latex_"}
_SPECIAL: dict[str, _Callable[..., _Any]] = {
    "trimseq": _trimseq,
    "line": _line,
    "mulx": _with_second_coefficient,
    "int": _with_second_coefficient,
    "_fit": _fit,
    "div": _div,
}
"""By the ends of their names: functions that branch on numbers, which may have a gradient."""


def _rebind(function: _Any, names: dict[str, _Any]) -> _Callable[..., _Any]:
    """Return a function with other globals."""
    function = getattr(function, "__wrapped__", function)
    rebound = _types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    return _functools.update_wrapper(rebound, function)


def _choosing(theirs: _Any, own: _Callable[..., _Any]) -> _Callable[..., _Any]:
    """Return a function that calls NumPy's without Values and our own with them."""

    @_functools.wraps(theirs)
    def call(*args: _Any, **options: _Any) -> _Any:
        if not _has_array([*args, *options.values()]):
            return theirs(*args, **options)
        try:
            return own(*args, **options)
        except ZeroDivisionError:
            raise ZeroDivisionError(
                f"{theirs.__name__}: the highest coefficient of the divisor must not be 0"
            ) from None

    return call


def _own(item: _Any, names: dict[str, _Any]) -> _Any:
    """Return what stands for an item of a module that has `names`."""
    if id(item) in _FOUND:
        return _FOUND[id(item)]
    if not callable(item) or not str(item.__module__).startswith(_theirs.__name__):
        return item
    if isinstance(item, type):
        own: _Any = _own_class(item, names)
    else:
        rebound: _Callable[..., _Any] = _rebind(item, names)
        for end, special in _SPECIAL.items():
            if item.__name__.endswith(end):
                rebound = _functools.partial(special, rebound)
        own = _choosing(item, rebound)
    own.__module__ = names["__name__"]
    _FOUND[id(item)] = own
    return own


def _own_class(theirs: type, names: dict[str, _Any]) -> type:
    """Return a subclass whose methods are rebound."""
    members: dict[str, _Any] = {"__doc__": theirs.__doc__}
    for name, member in vars(theirs).items():
        if getattr(member, "__isabstractmethod__", False):
            continue
        if isinstance(member, staticmethod):
            members[name] = staticmethod(_own(member.__func__, names))
        elif isinstance(member, classmethod):
            members[name] = classmethod(_rebind(member.__func__, names))
        elif isinstance(member, property):
            members[name] = property(_rebind(member.fget, names))
        elif name in _TEXTS:
            members[name] = _of_numbers(member)
        elif isinstance(member, _types.FunctionType):
            members[name] = _rebind(member, names)
    bases = [_FOUND[id(base)] for base in theirs.__bases__ if id(base) in _FOUND]
    return type(theirs)(theirs.__name__, (*bases, theirs), members)


def _of_numbers(method: _Callable[..., _Any]) -> _Callable[..., _Any]:
    """Return a method of a polynomial that reads the numbers of Values."""

    @_functools.wraps(method)
    def call(self: _Any, *args: _Any) -> _Any:
        plain = object.__new__(type(self))
        vars(plain).update({name: _unwrap(x) for name, x in vars(self).items()})
        return method(plain, *args)

    return call


def _own_module(name: str) -> _types.ModuleType:
    theirs = _importlib.import_module(f"{_theirs.__name__}.{name}")
    own = _types.ModuleType(f"{__name__}.{name}", theirs.__doc__)
    vars(own).update(__builtins__=_builtins, __package__=__name__)
    _FOUND[id(theirs)] = own
    for key, item in vars(theirs).items():
        if key == "__all__" or not key.startswith("__"):
            setattr(own, key, _own(item, vars(own)))
    _sys.modules[own.__name__] = own
    return own


_FOUND: dict[int, _Any] = {id(_numpy): _NumPy(), id(_numbers): _NUMBERS}
"""Our modules, functions and classes by the ids of NumPy's."""

for _name in _MODULES:
    globals()[_name] = _own_module(_name)


def __getattr__(name: str) -> _Any:
    if name == "__all__":
        return __dir__()
    if name.startswith("_") or not hasattr(_theirs, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(_theirs, name)
    return _FOUND.get(id(found), found)


def __dir__() -> list[str]:
    return sorted(name for name in dir(_theirs) if not name.startswith("_"))
