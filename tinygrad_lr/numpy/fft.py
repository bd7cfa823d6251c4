"""The names of `numpy.fft`, whose functions take Values."""

from __future__ import annotations

from typing import Any as _Any

from numpy import fft as _fft

from ..core.creation import accept_lists as _accept_lists


def __getattr__(name: str) -> _Any:
    if name == "__all__":
        return __dir__()
    if name.startswith("_") or not hasattr(_fft, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(_fft, name)
    return _accept_lists(found) if isinstance(found, type(_fft.fft)) else found


def __dir__() -> list[str]:
    return sorted(name for name in dir(_fft) if not name.startswith("_"))
