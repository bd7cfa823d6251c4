"""What a function finds outside of itself: arrays become inputs, the rest is watched for changes.

A program is right as long as what it was made from stays. Every global name and every variable of
a closure that the function (or a function that it names) refers to is remembered. An array under
such a name is an input that was not written down; for anything else the program is traced anew
once the name means something else.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ...core.value import Value
from ...errors import TraceError
from ...nn import Module
from ...optim import ExponentialMovingAverage, Optimizer
from .random_draws import TracedGenerator
from .sources import Name
from .trace import Trace
from .trace_errors import OWN
from .traced_array import Traced

MISSING = type("Missing", (), {})()
SEEN_OTHERWISE = (Value, Module, Optimizer, ExponentialMovingAverage)


class Cell(Mapping[str, Any]):
    """A variable of a closure, as a namespace of one name."""

    def __init__(self, name: str, cell: types.CellType) -> None:
        self.name, self.cell = name, cell

    def __getitem__(self, name: str) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:
            return MISSING

    def __iter__(self) -> Iterator[str]:
        return iter((self.name,))

    def __len__(self) -> int:
        return 1


class Captured:
    """The outside of a function: `function` is the same one, with traced arrays in their places.

    - `guards`: (namespace, name, what it meant); `objects`: (owner, attribute, what it was)
    """

    def __init__(self, original: Callable[..., Any], trace: Trace) -> None:
        self.trace = trace
        self.guards: list[tuple[Mapping[str, Any], str, Any]] = []
        self.objects: list[tuple[Any, str, Any]] = []
        self._known: dict[int, Any] = {}
        self._spaces: list[tuple[str, Mapping[str, Any], dict[str, Any], dict[str, Any]]] = []
        self._cells: list[tuple[str, types.CellType, Any]] = []
        self.function: Callable[..., Any] = self._callable(original)

    def _callable(self, f: Any) -> Any:
        if isinstance(f, types.FunctionType):
            return self._rebuilt(f)
        if isinstance(f, types.MethodType) and isinstance(f.__func__, types.FunctionType):
            self._found({"self": f.__self__}, "self", f.__self__, f.__func__.__code__)
            return types.MethodType(self._rebuilt(f.__func__), f.__self__)
        if isinstance(f, Module):
            self._found({"self": f}, "self", f, code=_nothing.__code__)
        return f

    def _rebuilt(self, f: types.FunctionType) -> types.FunctionType:
        if id(f) in self._known:
            known: types.FunctionType = self._known[id(f)]
            return known
        own = f.__code__.co_filename.startswith(OWN)
        names = {} if own else f.__globals__
        seen = dict(names)
        cells = tuple(types.CellType() for _ in f.__closure__ or ())
        made = types.FunctionType(
            f.__code__, seen or f.__globals__, f.__name__, f.__defaults__, cells
        )
        made.__kwdefaults__ = f.__kwdefaults__
        made.__module__, made.__qualname__ = f.__module__, f.__qualname__
        self._known[id(f)] = made
        for name in sorted(code_names(f.__code__)) if not own else ():
            if name in names:
                seen[name] = self._found(names, name, names[name], f.__code__)
        if not own:
            self._spaces.append((f.__name__, names, seen, dict(seen)))
        for name, old, new in zip(f.__code__.co_freevars, f.__closure__ or (), cells, strict=True):
            space = Cell(name, old)
            content = space[name]
            if content is not MISSING:
                new.cell_contents = self._found(space, name, content, f.__code__)
                self._cells.append((name, new, new.cell_contents))
        return made

    def _found(self, names: Mapping[str, Any], name: str, x: Any, code: types.CodeType) -> Any:
        if isinstance(x, np.ndarray) and type(x) is np.ndarray and x.dtype.kind in "fiub":
            return Traced(self.trace.input(Name(names, name), x, name), place=f"the array {name!r}")
        if isinstance(x, np.random.Generator):
            self.guards.append((names, name, x))
            return TracedGenerator(x, self.trace)
        if not name.startswith("__"):
            self.guards.append((names, name, x))
        if isinstance(x, (types.FunctionType, types.MethodType)):
            path = getattr(x, "__code__", None)
            closed = getattr(x, "__closure__", None)
            if path is not None and path.co_filename.startswith(OWN) and not closed:
                return x
            return self._callable(x)
        if isinstance(x, Module):
            self._classes(x)
        self._object(x, code)
        return x

    def _classes(self, model: Module) -> None:
        """The names that the user's own kinds of modules refer to."""
        for kind in {type(module): None for module in model.modules()}:
            for base in kind.__mro__:
                for f in vars(base).values():
                    if not isinstance(f, types.FunctionType) or id(f) in self._known:
                        continue
                    if f.__code__.co_filename.startswith(OWN):
                        continue
                    self._known[id(f)] = f
                    self.guards.append((vars(base), f.__name__, f))
                    for name in sorted(code_names(f.__code__)):
                        held = f.__globals__.get(name, MISSING)
                        if held is not MISSING and not name.startswith("__"):
                            self.guards.append((f.__globals__, name, held))

    def _object(self, x: Any, code: types.CodeType, depth: int = 0) -> None:
        """Plain attributes of a user's object (or module) that the function's code names."""
        skipped = isinstance(x, (type, *SEEN_OTHERWISE)) or depth > 2
        if skipped or id(x) in self._known or not hasattr(x, "__dict__"):
            return
        if isinstance(x, types.ModuleType) and (getattr(x, "__file__", None) or "").startswith(OWN):
            return
        self._known[id(x)] = x
        for name in sorted(code_names(code)):
            held = vars(x).get(name, MISSING)
            kinds = (bool, int, float, str, type(None), tuple, list, dict, np.ndarray, Value)
            if isinstance(held, kinds):
                self.objects.append((x, name, held))
            elif held is not MISSING and not callable(held):
                self._object(held, code, depth + 1)

    def modules(self) -> list[tuple[str, Any]]:
        """The models that the function names, each once."""
        found = {id(x): (name, x) for _, name, x in reversed(self.guards) if isinstance(x, Module)}
        return list(reversed(found.values()))

    def check_kept(self) -> None:
        """Raise `TraceError` where the function has set a global name or an outer variable."""
        for function, _, seen, began in self._spaces:
            for name, now in seen.items():
                if now is not began.get(name, MISSING) and name != "__builtins__":
                    self._refuse(function, name)
        for name, cell, began in self._cells:
            if cell.cell_contents is not began:
                self._refuse("the function", name)

    @staticmethod
    def _refuse(function: str, name: str) -> None:
        raise TraceError(
            f"compile: {function} sets the outer variable {name!r}, which a compiled program "
            "cannot do; return the result instead"
        )


def _nothing() -> None:
    """Code that names nothing."""


def code_names(code: types.CodeType) -> set[str]:
    """The names that a function and the functions within it refer to."""
    names = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= code_names(inner)
    return names
