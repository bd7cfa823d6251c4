"""Arithmetic without floating-point warnings, for code in which inf and nan are results."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])


def ignore_float_errors(function: Function) -> Function:
    """Decorate a function to run under `np.errstate(all="ignore")`.

    `np.errstate` builds a new state on each entry, which is a twentieth of the time of a small
    graph's backward pass. NumPy keeps the state in a context variable: if that is found, one
    state built at import is put there; else this is `np.errstate`.
    """
    state = STATE
    if state is None:
        return np.errstate(all="ignore")(function)

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        token = state.set(IGNORE)
        try:
            return function(*args, **options)
        finally:
            state.reset(token)

    return cast(Function, call)


STATE: Any = None
IGNORE: Any = None
try:
    from numpy._core import umath as _umath

    IGNORE = _umath._make_extobj(all="ignore")
    STATE = _umath._extobj_contextvar
except (ImportError, AttributeError):  # another NumPy: errstate serves
    pass
