"""What must be as it was for a program to hold, asked quickly: at every call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .captured import MISSING, Cell

PLAIN = frozenset({bool, int, float, str, bytes, tuple, type(None)})


class Guards:
    """A list of questions, each with the answer that it had: names, attributes, Values.

    `hold()` asks whether nothing has changed; `changed()` what has, in words.
    """

    def __init__(self) -> None:
        self._names: list[tuple[Any, str, Any]] = []
        self._attributes: list[tuple[Any, str, Any]] = []
        self._lists: list[tuple[list[Any], list[Any]]] = []
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
        lists = {id(was): was for *_, was in self._attributes if type(was) is list}
        self._lists += [(items, list(items)) for items in lists.values()]
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
        for i, (items, was) in enumerate(self._lists):
            space[f"gl{i}"] = items
            parts.append(f"len(gl{i}) == {len(was)}")
            for k, item in enumerate(was):
                space[f"gi{i}_{k}"] = item
                parts.append(f"gl{i}[{k}] is gi{i}_{k}")
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
        for items, held in self._lists:
            if len(items) != len(held) or any(a is not b for a, b in zip(items, held, strict=True)):
                return "a list of modules"
        if any(value._grad is not None for value in self._absent):
            return "a gradient, which was None"
        if any(value._grad is None for value in self._present):
            return "a gradient, which is None now"
        return None


def _different(found: Sequence[tuple[Any, str, Any]]) -> list[tuple[Any, str, Any]]:
    return list({(id(owner), name): (owner, name, was) for owner, name, was in found}.values())


def _equal(now: Any, was: Any) -> bool:
    return type(now) is type(was) and type(now) in PLAIN and bool(now == was)
