"""Public names that are imported when they are first used, so that `import` stays quick."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping


def at_first_use(
    package: str, places: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package whose names wait in its modules.

    `places` says for each name in which module of the package it is: {"Conv2d": "convolution"};
    a module itself has the place "".

    >>> import types
    >>> shop = sys.modules["shop"] = types.ModuleType("shop")
    >>> getter, lister = at_first_use("shop", {"Bread": "bakery"})
    >>> lister()[0]
    'Bread'
    >>> getter("Milk")
    Traceback (most recent call last):
        ...
    AttributeError: module 'shop' has no attribute 'Milk'
    >>> del sys.modules["shop"]
    """

    def __getattr__(name: str) -> object:  # noqa: N807
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        place = places[name]
        if not place:
            return importlib.import_module(f"{package}.{name}")
        found: object = getattr(importlib.import_module(f"{package}.{place}"), name)
        setattr(sys.modules[package], name, found)  # the next look finds it without us
        return found

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*vars(sys.modules[package]), *places})

    return __getattr__, __dir__
