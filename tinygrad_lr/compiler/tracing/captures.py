"""Captures of a function: outer arrays become inputs, everything else is guarded.

A program is valid as long as what it was traced with stays the same. Every global name and every
closure variable that the function (or a function that it names) refers to is remembered. An array
under such a name becomes an input; for anything else the function is traced again once the name
means something else.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ...core.value import Value
from ...errors import TraceError
from ...nn import Module
from ..ir.sources import OuterName
from .interception import INTERCEPTED_TYPES
from .trace import Trace
from .trace_errors import LIBRARIES
from .traced_array import Traced

MISSING = type("Missing", (), {})()
MAX_ATTRIBUTE_DEPTH = 2  # of objects within objects whose attributes are guarded
ATTRIBUTE_TYPES = (bool, int, float, str, type(None), tuple, list, dict, np.ndarray, Value)


class Cell(Mapping[str, Any]):
    """A closure variable, as a namespace with one name."""

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


class Captures:
    """The outer names and attributes that a function refers to.

    - `function`: the same function, with traced arrays in place of the outer arrays
    - `guards`: (namespace, name, object) for each outer name
    - `attributes`: (owner, attribute, object) for attributes that the function's code names
    """

    def __init__(self, original: Callable[..., Any], trace: Trace) -> None:
        self.trace = trace
        self.guards: list[tuple[Mapping[str, Any], str, Any]] = []
        self.attributes: list[tuple[Any, str, Any]] = []
        self._known: dict[int, Any] = {}
        self._spaces: list[tuple[str, Mapping[str, Any], dict[str, Any], dict[str, Any]]] = []
        self._cells: list[tuple[str, types.CellType, Any]] = []
        self.function: Callable[..., Any] = self._rebuild_callable(original)

    def _rebuild_callable(self, f: Any) -> Any:
        if isinstance(f, types.FunctionType):
            return self._rebuild(f)
        if isinstance(f, types.MethodType) and isinstance(f.__func__, types.FunctionType):
            self._capture({"self": f.__self__}, "self", f.__self__, f.__func__.__code__)
            return types.MethodType(self._rebuild(f.__func__), f.__self__)
        if isinstance(f, Module):
            self._capture({"self": f}, "self", f, code=_no_names.__code__)
        return f

    def _rebuild(self, f: types.FunctionType) -> types.FunctionType:
        if id(f) in self._known:
            known: types.FunctionType = self._known[id(f)]
            return known
        own = f.__code__.co_filename.startswith(LIBRARIES)
        names = {} if own else f.__globals__
        new_globals = dict(names)
        cells = tuple(types.CellType() for _ in f.__closure__ or ())
        made = types.FunctionType(
            f.__code__, new_globals or f.__globals__, f.__name__, f.__defaults__, cells
        )
        made.__kwdefaults__ = f.__kwdefaults__
        made.__module__, made.__qualname__ = f.__module__, f.__qualname__
        self._known[id(f)] = made
        for name in sorted(code_names(f.__code__)) if not own else ():
            if name in names:
                new_globals[name] = self._capture(names, name, names[name], f.__code__)
        if not own:
            self._spaces.append((f.__name__, names, new_globals, dict(new_globals)))
        for name, old, new in zip(f.__code__.co_freevars, f.__closure__ or (), cells, strict=True):
            space = Cell(name, old)
            content = space[name]
            if content is not MISSING:
                new.cell_contents = self._capture(space, name, content, f.__code__)
                self._cells.append((name, new, new.cell_contents))
        return made

    def _capture(self, names: Mapping[str, Any], name: str, x: Any, code: types.CodeType) -> Any:
        if isinstance(x, np.ndarray) and type(x) is np.ndarray and x.dtype.kind in "fiub":
            source = OuterName(names, name)
            return Traced(self.trace.input(source, x, name), outer_name=f"the array {name!r}")
        if isinstance(x, np.random.Generator):
            self.guards.append((names, name, x))
            return self.trace.trace_generator(x)
        if not name.startswith("__"):
            self.guards.append((names, name, x))
        if isinstance(x, (types.FunctionType, types.MethodType)):
            path = getattr(x, "__code__", None)
            closed = getattr(x, "__closure__", None)
            if path is not None and path.co_filename.startswith(LIBRARIES) and not closed:
                return x
            return self._rebuild_callable(x)
        if isinstance(x, Module):
            self._guard_methods(x)
        self._guard_attributes(x, code)
        return x

    def _guard_methods(self, model: Module) -> None:
        """Guard the methods of the user's own module classes, and the names that they refer to."""
        for kind in {type(module): None for module in model.modules()}:
            for base in kind.__mro__:
                for f in list(vars(base).values()):  # other threads may redirect `Module`
                    if not isinstance(f, types.FunctionType) or id(f) in self._known:
                        continue
                    if f.__code__.co_filename.startswith(LIBRARIES):
                        continue
                    self._known[id(f)] = f
                    self.guards.append((vars(base), f.__name__, f))
                    for name in sorted(code_names(f.__code__)):
                        held = f.__globals__.get(name, MISSING)
                        if held is not MISSING and not name.startswith("__"):
                            self.guards.append((f.__globals__, name, held))

    def _guard_attributes(self, x: Any, code: types.CodeType, depth: int = 0) -> None:
        """Guard the attributes of an object that the function's code names."""
        skipped = isinstance(x, (type, Value, *INTERCEPTED_TYPES)) or depth > MAX_ATTRIBUTE_DEPTH
        if skipped or id(x) in self._known or not hasattr(x, "__dict__"):
            return
        file = getattr(x, "__file__", None) if isinstance(x, types.ModuleType) else None
        if (file or "").startswith(LIBRARIES):
            return
        self._known[id(x)] = x
        for name in sorted(code_names(code)):
            held = vars(x).get(name, MISSING)
            if isinstance(held, ATTRIBUTE_TYPES):
                self.attributes.append((x, name, held))
            elif held is not MISSING and not callable(held):
                self._guard_attributes(held, code, depth + 1)

    def modules(self) -> list[tuple[str, Any]]:
        """Return the models that the function names, each once, as (name, model)."""
        found = {id(x): (name, x) for _, name, x in reversed(self.guards) if isinstance(x, Module)}
        return list(reversed(found.values()))

    def require_unmodified(self) -> None:
        """Raise `TraceError` if the function has set a global name or an outer variable."""
        for function, _, new_globals, initial in self._spaces:
            for name, now in new_globals.items():
                if now is not initial.get(name, MISSING) and name != "__builtins__":
                    self._raise_modified(function, name)
        for name, cell, initial in self._cells:
            if cell.cell_contents is not initial:
                self._raise_modified("the function", name)

    @staticmethod
    def _raise_modified(function: str, name: str) -> None:
        raise TraceError(
            f"compile: {function} must not set the outer variable {name!r}, since a compiled "
            "program cannot; return the result instead"
        )


def _no_names() -> None:
    """Do nothing: a function whose code refers to no names."""


def code_names(code: types.CodeType) -> set[str]:
    """Return the names that a function and the functions inside it refer to."""
    names = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= code_names(inner)
    return names
