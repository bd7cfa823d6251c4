"""NumPy's functions that don't ask their arguments what to do: called when the program runs.

`np.vectorize` and the functions of `np.polynomial` turn everything into arrays first. They are
redirected while a function is traced, as Values and modules are.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import (
    chebyshev,
    hermite,
    hermite_e,
    laguerre,
    legendre,
    polynomial,
    polyutils,
)

from ...support import pytree as tree
from .interception import CURRENT_TRACE, REDIRECTED_METHODS, RESTORED_METHODS
from .traced_array import Traced, call_at_run_time

BASES = (polynomial, chebyshev, legendre, hermite, hermite_e, laguerre, polyutils)


def is_traced(nest: Any) -> bool:
    """Return True if there are traced arrays among arguments, in a trace."""
    return CURRENT_TRACE.get() is not None and any(isinstance(x, Traced) for x in tree.leaves(nest))


def redirect(function: types.FunctionType) -> Callable[..., Any]:
    """Return a function of np.polynomial that is called at each step, for traced arrays.

    One that evaluates a polynomial is traced itself if its coefficients are known.
    """
    names = list(inspect.signature(function).parameters)
    position = names.index("c") if "c" in names else 0  # of the coefficients, after the points

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        coefficients = (
            [*args[position : position + 1], options.get("c")] if position else [args, options]
        )
        if not is_traced((args, options)) or not is_traced(coefficients):
            return function(*args, **options)
        return call_at_run_time(function, args, options)

    return call


def call_vectorized(self: Any, /, *args: Any, **options: Any) -> Any:
    """Stand in for the call of an `np.vectorize`."""
    if not is_traced((args, options)):
        return CALL(self, *args, **options)

    def run(*args: Any, **options: Any) -> Any:
        return CALL(self, *args, **options)

    run.__module__ = str(getattr(self.pyfunc, "__module__", None))  # it may keep its arguments
    run.__qualname__ = f"np.vectorize({getattr(self.pyfunc, '__name__', 'function')})"
    return call_at_run_time(run, args, options)


CALL: Any = np.vectorize.__call__
REDIRECTED: dict[int, Callable[..., Any]] = {}  # by the ids of the functions

for _basis in BASES:
    for _name in _basis.__all__:
        _function = getattr(_basis, _name)
        if isinstance(_function, types.FunctionType):
            _own = REDIRECTED.setdefault(id(_function), redirect(_function))
            REDIRECTED_METHODS.setdefault(_basis, {})[_name] = _own
            RESTORED_METHODS.setdefault(_basis, {})[_name] = _function
REDIRECTED_METHODS[np.vectorize] = {"__call__": call_vectorized}
RESTORED_METHODS[np.vectorize] = {"__call__": CALL}
