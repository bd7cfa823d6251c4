"""The names of `numpy.linalg`, whose functions take Values."""

from __future__ import annotations

from typing import Any as _Any

from numpy import linalg as _linalg

from ..core.creation import accept_lists as _accept_lists


def __getattr__(name: str) -> _Any:
    if name == "__all__":
        return __dir__()
    if name.startswith("_") or not hasattr(_linalg, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(_linalg, name)
    return _accept_lists(found) if isinstance(found, type(_linalg.norm)) else found


def __dir__() -> list[str]:
    return sorted(name for name in dir(_linalg) if not name.startswith("_"))
