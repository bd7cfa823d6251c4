"""Guards of a program: checks, at every call, that nothing has changed since tracing."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .captures import MISSING, Cell

MAX_DEPTH, MAX_ENTRIES = 4, 1000  # of lists and dicts whose entries are guarded
COMPARED_TYPES = frozenset({bool, int, float, str, bytes, tuple, type(None)})


class Guards:
    """The state that a program depends on: names, attributes, entries of lists and dicts (of at
    most a thousand, four levels deep), and whether a Value has a gradient.

    `hold()` returns True if nothing has changed, `describe_change()` what has.
    """

    def __init__(self) -> None:
        self._names: list[tuple[Any, str, Any]] = []
        self._attributes: list[tuple[Any, str, Any]] = []
        self._containers: list[tuple[Any, list[tuple[Any, Any]]]] = []
        self._without_gradient: list[Any] = []
        self._with_gradient: list[Any] = []
        self.hold: Callable[[], bool] = lambda: True

    def add(
        self,
        names: Sequence[tuple[Any, str, Any]],
        attributes: Sequence[tuple[Any, str, Any]],
        without_gradient: Sequence[Any],
        with_gradient: Sequence[Any],
    ) -> None:
        """Add what names and attributes were, and Values that had no gradient, or one."""
        self._names += _deduplicate(names)
        self._attributes += _deduplicate(attributes)
        known: dict[int, Any] = {}
        for *_, was in (*self._names, *self._attributes):
            _collect_containers(was, known)
        self._containers += [(x, list(_entries(x))) for x in known.values()]
        self._without_gradient += without_gradient
        self._with_gradient += with_gradient
        self.hold = self._compile()

    def expression(self, space: dict[str, Any]) -> str:
        """Return the guards as one Python expression; the names that it uses go to `space`.

        It may be False although nothing has changed, and may raise if something has.
        """
        space["MISSING"] = MISSING
        parts = []
        for i, (names, name, was) in enumerate(self._names):
            space[f"gn{i}"], space[f"gw{i}"] = names, was
            if isinstance(names, Cell):
                space[f"gn{i}"] = names.cell
                parts.append(f"gn{i}.cell_contents is gw{i}")
            elif type(names) is dict:
                parts.append(f"gn{i}.get({name!r}, MISSING) is gw{i}")
            else:
                parts.append(f"gn{i}[{name!r}] is gw{i}")
        for i, (owner, name, was) in enumerate(self._attributes):
            space[f"go{i}"], space[f"gs{i}"], space[f"gv{i}"] = owner, name, was
            attribute = f"go{i}.{name}" if _is_plain(name) else f"getattr(go{i}, gs{i})"
            parts.append(f"{attribute} is gv{i}")
        for i, (container, items) in enumerate(self._containers):
            space[f"gl{i}"] = container
            parts.append(f"len(gl{i}) == {len(items)}")
            for k, (key, item) in enumerate(items):
                space[f"gk{i}_{k}"], space[f"gi{i}_{k}"] = key, item
                parts.append(f"gl{i}[gk{i}_{k}] is gi{i}_{k}")
        for i, value in enumerate(self._without_gradient):
            space[f"ga{i}"] = value
            parts.append(f"ga{i}._grad is None")
        for i, value in enumerate(self._with_gradient):
            space[f"gp{i}"] = value
            parts.append(f"gp{i}._grad is not None")
        return " and ".join(parts) or "True"

    def _compile(self) -> Callable[[], bool]:
        space: dict[str, Any] = {}
        code = compile("lambda: " + self.expression(space), "<guards>", "eval")
        check: Callable[[], bool] = eval(code, space)

        def hold() -> bool:
            try:
                return check() or self.describe_change() is None
            except (AttributeError, KeyError, ValueError):
                return False

        return hold

    def describe_change(self) -> str | None:
        """Return what has changed since tracing, None if nothing has."""
        for names, name, was in self._names:
            now = names.get(name, MISSING)
            if now is not was and not _is_equal(now, was):
                return f"the outer variable {name!r}"
        for owner, name, was in self._attributes:
            now = getattr(owner, name, MISSING)
            if now is not was and not _is_equal(now, was):
                return f"{type(owner).__name__}.{name}"
        for container, items in self._containers:
            now_held = dict(_entries(container))
            if len(now_held) != len(items) or any(
                now_held.get(key, MISSING) is not was
                and not _is_equal(now_held.get(key, MISSING), was)
                for key, was in items
            ):
                return f"an entry of a {type(container).__name__} that the function reads"
        if any(value._grad is not None for value in self._without_gradient):
            return "a gradient that was None"
        if any(value._grad is None for value in self._with_gradient):
            return "a gradient that is None now"
        return None


def _entries(container: Any) -> Iterable[tuple[Any, Any]]:
    """Return the entries of a list or dict with their indices or keys."""
    return container.items() if isinstance(container, dict) else enumerate(container)


def _collect_containers(x: Any, known: dict[int, Any], depth: int = 0) -> None:
    """Add x, if it is a list or dict, and the lists and dicts inside it to `known`."""
    if type(x) not in {list, dict, tuple} or id(x) in known:
        return
    if depth > MAX_DEPTH or len(x) > MAX_ENTRIES:
        return
    if type(x) is not tuple:
        known[id(x)] = x
    for _, inner in _entries(x):
        _collect_containers(inner, known, depth + 1)


def _deduplicate(found: Sequence[tuple[Any, str, Any]]) -> list[tuple[Any, str, Any]]:
    return list({(id(owner), name): (owner, name, was) for owner, name, was in found}.values())


def _is_plain(name: str) -> bool:
    """Return True if a name may be part of code: an ASCII identifier that means itself."""
    return (
        type(name) is str and name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
    )


def _is_equal(now: Any, was: Any) -> bool:
    return type(now) is type(was) and type(now) in COMPARED_TYPES and bool(now == was)
