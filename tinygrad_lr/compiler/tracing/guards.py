"""What must be as it was for a program to hold, asked quickly: at every call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .captures import MISSING, Cell

DEPTH, MOST = 4, 1000  # of lists and dicts whose entries are watched
PLAIN = frozenset({bool, int, float, str, bytes, tuple, type(None)})


class Guards:
    """A list of questions, each with the answer that it had: names, attributes, entries of lists
    and dicts (of at most a thousand, four levels deep), gradients.

    `hold()` asks whether nothing has changed; `changed()` what has, in words.
    """

    def __init__(self) -> None:
        self._names: list[tuple[Any, str, Any]] = []
        self._attributes: list[tuple[Any, str, Any]] = []
        self._containers: list[tuple[Any, list[tuple[Any, Any]]]] = []
        self._absent: list[Any] = []
        self._present: list[Any] = []
        self.hold: Callable[[], bool] = lambda: True

    def add(
        self,
        names: Sequence[tuple[Any, str, Any]],
        attributes: Sequence[tuple[Any, str, Any]],
        absent: Sequence[Any],
        present: Sequence[Any],
    ) -> None:
        """What names and attributes meant, and which Values had no gradient, or one."""
        self._names += _different(names)
        self._attributes += _different(attributes)
        known: dict[int, Any] = {}
        for *_, was in (*self._names, *self._attributes):
            _containers_of(was, known)
        self._containers += [(x, list(items_of(x))) for x in known.values()]
        self._absent += absent
        self._present += present
        self.hold = self._written()

    def expression(self, space: dict[str, Any]) -> str:
        """The questions as one Python expression, whose names go to `space`.

        It may be false where nothing has changed, and may raise where something has.
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
            space[f"go{i}"], space[f"gv{i}"] = owner, was
            asked = f"go{i}.{name}" if name.isidentifier() else f"getattr(go{i}, {name!r})"
            parts.append(f"{asked} is gv{i}")
        for i, (container, items) in enumerate(self._containers):
            space[f"gl{i}"] = container
            parts.append(f"len(gl{i}) == {len(items)}")
            for k, (key, item) in enumerate(items):
                space[f"gk{i}_{k}"], space[f"gi{i}_{k}"] = key, item
                parts.append(f"gl{i}[gk{i}_{k}] is gi{i}_{k}")
        for i, value in enumerate(self._absent):
            space[f"ga{i}"] = value
            parts.append(f"ga{i}._grad is None")
        for i, value in enumerate(self._present):
            space[f"gp{i}"] = value
            parts.append(f"gp{i}._grad is not None")
        return " and ".join(parts) or "True"

    def _written(self) -> Callable[[], bool]:
        space: dict[str, Any] = {}
        code = compile("lambda: " + self.expression(space), "<guards>", "eval")
        quick: Callable[[], bool] = eval(code, space)

        def hold() -> bool:
            try:
                return quick() or self.changed() is None
            except (AttributeError, KeyError, ValueError):
                return False

        return hold

    def changed(self) -> str | None:
        """What is no longer as it was; None if nothing."""
        for names, name, was in self._names:
            now = names.get(name, MISSING)
            if now is not was and not _equal(now, was):
                return f"the outer variable {name!r}"
        for owner, name, was in self._attributes:
            now = getattr(owner, name, MISSING)
            if now is not was and not _equal(now, was):
                return f"{type(owner).__name__}.{name}"
        for container, items in self._containers:
            now_held = dict(items_of(container))
            if len(now_held) != len(items) or any(
                now_held.get(key, MISSING) is not was
                and not _equal(now_held.get(key, MISSING), was)
                for key, was in items
            ):
                return f"an entry of a {type(container).__name__} that the function reads"
        if any(value._grad is not None for value in self._absent):
            return "a gradient, which was None"
        if any(value._grad is None for value in self._present):
            return "a gradient, which is None now"
        return None


def items_of(container: Any) -> Iterable[tuple[Any, Any]]:
    """The entries of a list or dict with their places."""
    return container.items() if isinstance(container, dict) else enumerate(container)


def _containers_of(x: Any, known: dict[int, Any], depth: int = 0) -> None:
    """The lists and dicts that something is, or holds, if they are of a size to look through."""
    if type(x) not in {list, dict, tuple} or depth > DEPTH or len(x) > MOST or id(x) in known:
        return
    if type(x) is not tuple:
        known[id(x)] = x
    for _, inner in items_of(x):
        _containers_of(inner, known, depth + 1)


def _different(found: Sequence[tuple[Any, str, Any]]) -> list[tuple[Any, str, Any]]:
    return list({(id(owner), name): (owner, name, was) for owner, name, was in found}.values())


def _equal(now: Any, was: Any) -> bool:
    return type(now) is type(was) and type(now) in PLAIN and bool(now == was)
