"""Give a function of Values the whole signature of SciPy's: plain numbers go to SciPy's own.

So `from tinygrad_lr.scipy import linalg` can take the place of SciPy's import: each call without a
Value is SciPy's, with all of its options, and every other name of the module is SciPy's, too.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

import numpy as np

from ..core.conversion import has_value
from ..core.creation import array
from ..core.primitive import declared_operations, is_complex
from ..errors import ArgumentError, DtypeError, NotDifferentiableError, TinygradError
from ..support.abstract_array import AbstractArray, take_rows
from ..support.lazy_imports import lazy_modules
from ..support.validation import as_input
from .closures import is_differentiable

UNCHECKED = (AttributeError, NameError, KeyError, ZeroDivisionError, RuntimeError)
"""Errors that SciPy's code runs into with arguments that it doesn't check."""
HINTS = {"check_finite", "lapack_driver", "driver", "method", "workers"}
"""Options that change how a result is computed, not what it is; so do all of `overwrite_...`."""


def equivalent(
    theirs: Callable[..., Any],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function of Values stand for one of SciPy, whose arguments it is called with.

    Without a Value among the arguments, SciPy's function is called. With one, options that our
    function doesn't have are refused with `NotDifferentiableError`, unless they are HINTS or have
    their default.

    >>> import scipy.linalg
    >>> @equivalent(scipy.linalg.inv)
    ... def inverse(a):
    ...     return np.linalg.inv(a)
    >>> inverse(Value([[2.0]]), check_finite=False).tolist(), inverse([[2.0]]).tolist()
    ([[0.5]], [[0.5]])
    """
    signature = inspect.signature(theirs)
    defaults = {name: p.default for name, p in signature.parameters.items()}

    def decorate(ours: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(ours)
        known = own.parameters

        def run(function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
            try:
                return function(*args, **keywords)
            except UNCHECKED as error:
                if isinstance(error, TinygradError):
                    raise
                raise ArgumentError(
                    f"{ours.__name__}: arguments must be numbers, arrays or options: {error}"
                ) from None

        def bind(args: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
            try:
                return signature.bind(*args, **keywords).arguments
            except TypeError as error:
                with suppress(TypeError):  # older versions of SciPy take some by their names only
                    return own.bind(*args, **keywords).arguments
                raise ArgumentError(f"{ours.__name__}: arguments must fit: {error}") from None

        @functools.wraps(ours)
        def call(*args: Any, **keywords: Any) -> Any:
            if not any(map(is_differentiable, (*args, *keywords.values()))):
                return run(theirs, *args, **keywords)
            given = bind(args, keywords)
            for name, value in given.items():
                if (
                    value is None
                    and name in known
                    and known[name].default is inspect.Parameter.empty
                ):
                    raise ArgumentError(f"{ours.__name__}: {name} must be an array, got None")
            for name in [name for name in given if name not in known]:
                value = given.pop(name)
                default = defaults[name]
                changed = value is not default and (type(value), value) != (type(default), default)
                if changed and name not in HINTS and not name.startswith("overwrite_"):
                    raise NotDifferentiableError(
                        f"{ours.__name__}: with Values the arguments must be among "
                        f"{', '.join(known)}, got {name}"
                    )
            return run(ours, **{name: _as_array(value) for name, value in given.items()})

        return call

    return decorate


def _as_array(x: Any) -> Any:
    return array(x) if isinstance(x, list) and has_value(x) else x


def as_real(where: str, name: str, x: Any) -> Any:
    """Return an array of real numbers, a Value of them, or one in a trace; lists are stacked."""
    if isinstance(x, (list, tuple)) and is_differentiable(x):
        x = array(x)
    x = x if isinstance(x, AbstractArray) else as_input(where, name, x)
    if is_complex(x):
        raise DtypeError(f"{where}: {name} must be real, got {np.result_type(x)}")
    return x


def as_complex(found: Any, *like: Any) -> Any:
    """Return complex numbers of the precision of some arrays; Python's numbers are float64."""
    dtypes = [getattr(x, "dtype", np.float64) for x in like]
    return np.asarray(found).astype(np.result_type(np.complex64, *dtypes), copy=False)[()]


def zeros_of(shape: tuple[int, ...], like: Any) -> Any:
    """Return zeros of the dtype of an array or a Value."""
    return np.zeros(shape, np.result_type(like))


def take(table: Any, i: Any) -> Any:
    """Return rows of a table, which may be a plain array though the index is not."""
    return take_rows(table, i) if isinstance(table, np.ndarray) else table[i]


def names_of(theirs: ModuleType, ours: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module of ours whose other names are those of SciPy's module.

    >>> import scipy.linalg
    >>> names_of(scipy.linalg, "tinygrad_lr.scipy.linalg")("hilbert") is scipy.linalg.hilbert
    True
    """

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name != "__all__" and name in theirs.__all__:
            return getattr(theirs, name)
        raise AttributeError(f"module {ours!r} has no attribute {name!r}")

    return __getattr__


def names_of_package(
    theirs: ModuleType, ours: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` of a package: its files' names, then SciPy's.

    A file's public names are its `__all__`, or else the operations that it declares.
    """
    own, names = lazy_modules(
        ours, lambda module: getattr(module, "__all__", None) or declared_operations(module)
    )
    other = names_of(theirs, ours)

    def __getattr__(name: str) -> Any:  # noqa: N807
        return own(name) if name == "__all__" or name in names() else other(name)

    return __getattr__, names
