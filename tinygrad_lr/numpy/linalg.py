"""The names of `numpy.linalg`, whose functions take Values."""

from __future__ import annotations

from typing import Any as _Any

from numpy import linalg as _linalg


def __getattr__(name: str) -> _Any:
    if name == "__all__":
        return __dir__()
    if name.startswith("_") or not hasattr(_linalg, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_linalg, name)


def __dir__() -> list[str]:
    return sorted(name for name in dir(_linalg) if not name.startswith("_"))
