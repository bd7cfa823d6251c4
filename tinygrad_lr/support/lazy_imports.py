"""Exports of packages: names that are imported on first use, so that `import` stays quick."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from types import ModuleType
from typing import Any

Exports = tuple[Callable[[str], object], Callable[[], list[str]]]


def lazy_names(package: str, places: Mapping[str, str]) -> Exports:
    """Return the `__getattr__` and `__dir__` of a package with a fixed list of public names.

    `places` maps each name to the module that defines it, relative to the package:
    {"fit": "train.loop"}. A module that is itself public has the place "".

    >>> import types
    >>> shop = sys.modules["shop"] = types.ModuleType("shop")
    >>> getter, lister = lazy_names("shop", {"Bread": "bakery"})
    >>> lister()
    ['Bread']
    >>> getter("Milk")
    Traceback (most recent call last):
        ...
    AttributeError: module 'shop' has no attribute 'Milk'
    >>> del sys.modules["shop"]
    """

    def __getattr__(name: str) -> object:  # noqa: N807
        if name == "__all__":
            return sorted(places)
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not places[name]:
            return importlib.import_module(f"{package}.{name}")
        found: object = getattr(importlib.import_module(f"{package}.{places[name]}"), name)
        setattr(sys.modules[package], name, found)  # the next look finds it without us
        return found

    return __getattr__, lambda: sorted(places)


def listed_names(module: ModuleType) -> Collection[str]:
    """Return the public names of a module: its `__all__`, or none."""
    names: Collection[str] = vars(module).get("__all__", ())
    return names


def lazy_modules(
    package: str,
    public: Callable[[ModuleType], Collection[str]] = listed_names,
    modules: Collection[str] = (),
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` of a package that exports what its modules list.

    There is no list of names in the package: whatever one of its modules has in its `__all__` is
    public, so that a new optimiser or layer touches only its own file. A name that isn't loaded
    yet is looked for in one module after the other. `public` returns the public names of a module;
    `modules` names the modules that are public as such (`tg.nn.init`). For type checkers, a name
    that the package doesn't import under TYPE_CHECKING is an Any.
    """

    def names_by_module() -> Iterator[tuple[ModuleType, Collection[str]]]:
        paths = sorted(modules_of(package), key=lambda path: path not in sys.modules)
        for path in paths:  # those that are loaded already come first
            if path.removeprefix(f"{package}.") not in modules:
                module = importlib.import_module(path)
                yield module, public(module)

    def all_names() -> list[str]:
        found = {name for _, names in names_by_module() for name in names}
        return sorted({*found, *modules})

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name == "__all__":
            return all_names()
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        if not name.startswith("_"):
            for module, names in names_by_module():
                if name in names:
                    found: object = getattr(module, name)
                    setattr(sys.modules[package], name, found)
                    return found
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__, all_names


@functools.cache  # listing a folder takes half a millisecond, once for each name looked up
def modules_of(package: str) -> list[str]:
    """Return the full names of the modules of a package and of its packages, in order."""
    import pkgutil  # here: it takes a millisecond, for a first use only

    found: list[str] = []
    path: Any = sys.modules[package].__path__
    for module in pkgutil.iter_modules(path):
        full = f"{package}.{module.name}"
        if module.ispkg:
            importlib.import_module(full)
            found += modules_of(full)
        else:
            found.append(full)
    return found
