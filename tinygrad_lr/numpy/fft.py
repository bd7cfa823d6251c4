"""The names of `numpy.fft`, whose functions take Values."""

from __future__ import annotations

from typing import Any as _Any

from numpy import fft as _fft

from . import lists as _lists


def __getattr__(name: str) -> _Any:
    if name == "__all__":
        return __dir__()
    if name.startswith("_") or not hasattr(_fft, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(_fft, name)
    if _lists.is_dispatched(found):
        found = globals()[name] = _lists.taking_lists(found)
    return found


def __dir__() -> list[str]:
    return sorted(name for name in dir(_fft) if not name.startswith("_"))
