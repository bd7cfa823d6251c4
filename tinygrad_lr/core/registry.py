"""The tables of operations: what they seem to lack is imported before they say so.

The files of `ops` enter their operations when they are imported. The usual ones are imported at the
start; the others, such as those of `np.fft`, take longer than they are worth to most programs.
"""

from __future__ import annotations

import importlib
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any, TypeVar

from ..support.lazy_imports import modules_of

ROOT = __name__.partition(".")[0]

Key = TypeVar("Key")
Entry = TypeVar("Entry")
T = TypeVar("T")


class Registry(dict[Key, Entry]):
    """A dict whose missing keys, and whose list of keys, are looked for in every file of `ops`.

    A key that is there is found as quickly as in any dict. Files read and write the entries of
    others as they are imported, so these must be of the usual files or of files that they import.

    >>> from tinygrad_lr.core.primitive import PRIMITIVES
    >>> PRIMITIVES["fft_over"], PRIMITIVES.get("no such name")
    (<primitive fft_over(x)>, None)
    """

    loaded = dict.get
    """Return the entry of a key if its file has been imported, else None, as quickly as a dict."""

    def __missing__(self, key: Key) -> Entry:
        import_operations()
        found = self.loaded(key)
        if found is None:
            raise KeyError(key)
        return found

    def get(self, key: Any, default: Any = None) -> Entry | Any:
        """Return the entry of a key, or the default."""
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None

    def __iter__(self) -> Iterator[Key]:
        import_operations()
        return super().__iter__()

    def __len__(self) -> int:
        import_operations()
        return super().__len__()

    def keys(self) -> KeysView[Key]:  # type: ignore[override]
        """Return the keys of all files."""
        import_operations()
        return super().keys()

    def values(self) -> ValuesView[Entry]:  # type: ignore[override]
        """Return the entries of all files."""
        import_operations()
        return super().values()

    def items(self) -> ItemsView[Key, Entry]:  # type: ignore[override]
        """Return the keys and entries of all files."""
        import_operations()
        return super().items()


_incomplete = [f"{ROOT}.ops"]  # the packages whose files may not have been imported yet


def import_operations() -> None:
    """Import every file of `ops` that isn't there yet.

    Several threads may do so at once, and a file that is being imported may ask for an entry: the
    import system lets each wait for the others, so there is no lock here, and the note that nothing
    is left to do is made last.
    """
    for package in _incomplete:
        for name in modules_of(package):
            importlib.import_module(name)
    _incomplete.clear()
