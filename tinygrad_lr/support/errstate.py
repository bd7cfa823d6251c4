"""Arithmetic without warnings, where inf and nan are answers and no accidents."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])


def silent(function: Function) -> Function:
    """Run a function as under `np.errstate(all="ignore")`, whatever the caller's settings are.

    `np.errstate` builds its state anew each time, which is a twentieth of the time of a small
    graph's backward pass. NumPy keeps the state in a context variable: where that is found,
    one state made at import is put there; else this is `np.errstate`.
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
