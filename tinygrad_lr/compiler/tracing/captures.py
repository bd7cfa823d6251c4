"""Stand-ins, in a trace, for the objects that a function finds outside itself.

Arrays become inputs of the program, generators draw at each step, and functions run with such
stand-ins in place of their global names and the variables of their closures. Lists, dicts and
objects that hold any of these are copied, with stand-ins inside. Everything else is the object
itself, and is guarded.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from ...core.value import Value
from ...errors import TraceError
from ...nn import Module
from ..ir.instruction import Instruction
from ..ir.sources import MISSING, Cell, Entry, Slots, Source
from .call_stack import is_library, is_standard_library
from .eager_classes import BY_ID, STAND_INS
from .guards import (
    ATOMS,
    WITH_RULES,
    Guards,
    can_copy,
    is_bound_builtin,
    is_foreign,
    read_globals,
    root_of,
)
from .interception import INTERCEPTED_TYPES, bypass_trace
from .trace_errors import OWN_PACKAGES
from .traced_array import Traced
from .traced_int import TracedInt
from .undispatched import REDIRECTED

SEQUENCES, MAPPINGS = (list, deque), (dict, OrderedDict, defaultdict)
COMPUTED = frozenset({"globals", "eval", "exec"})


def raw_names(module: types.ModuleType) -> dict[str, Any]:
    """Return the dict of a module or its stand-in."""
    names: dict[str, Any] = vars(types.ModuleType)["__dict__"].__get__(module)
    return names


class ModuleStandIn(types.ModuleType):
    """A Python module in a trace: its names are captured as they are read."""

    __stands_for__ = types.ModuleType

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """All names, for code that asks for the dict."""
        read: Callable[[], dict[str, Any]] = raw_names(self)["__read_all__"]
        return read()


class Captures:
    """The outer objects that a function finds, each with its stand-in.

    - `models`: the models that it names, as (name, model)
    - `spaces`: the ids of the global names that functions with stand-ins run with
    - `needed`: the keys of the arrays whose numbers the function needs while it is traced, and of
      the objects that it finds by their identity (`key_of`), which have no stand-in
    - `inner_codes`: the ids of the code of functions that others make in the trace
    """

    def __init__(
        self,
        guards: Guards,
        make_input: Callable[[Source, Any, str], Instruction],
        trace_generator: Callable[[np.random.Generator], Any],
        needed: Collection[tuple[Any, ...]],
    ) -> None:
        self.guards, self._make_input, self._trace_generator = guards, make_input, trace_generator
        self.needed = needed
        self.models: list[tuple[str, Module]] = []
        self.spaces: set[int] = set()
        self.inner_codes: set[int] = set()
        self._known: dict[int, tuple[Any, Any]] = {}  # by id: an object and its stand-in
        self._contents: list[tuple[str, Any, dict[Any, Any]]] = []  # of copies, as they were made

    def take(self, what: str, holder: Any, key: Any, x: Any, name: str) -> Any:
        """Return the stand-in of what a namespace or a container holds, and guard that it stays."""
        if is_plain_array(x):
            return self._array(what, holder, key, x, name)
        made = self.stand_in(x, name)  # before it is guarded, since a copy guards its own entries
        self.guards.entry(what, holder, key, x)
        return made

    def stand_in(self, x: Any, name: str = "function") -> Any:
        """Return what stands for an outer object in the trace."""
        if id(x) not in self._known:
            self._known[id(x)] = x, x  # an object that refers to itself finds this
            made = self._make(x, name)
            self._known[id(x)] = x, made
            self._known.setdefault(id(made), (made, made))
            if made is not x:
                self.guards.ignore(made)
        return self._known[id(x)][1]

    def watch_copy(self, what: str, copied: dict[str, Any]) -> dict[str, Any]:
        """Return a copy of a dict, which the function must not change."""
        self._contents.append((what, copied, dict(copied)))
        return copied

    def watch_arguments(self, nest: Any) -> None:
        """Watch that the function doesn't change the lists and dicts that it is called with."""
        for x in nest.values() if isinstance(nest, dict) else nest:
            if isinstance(x, (list, tuple, dict)):
                self._contents.append(
                    (f"a {type(x).__name__} that it is called with", x, contents(x))
                )
                self.watch_arguments(x)

    def fill_cache(self, made: Any, cached: functools.cached_property[Any]) -> None:
        """Let the object behind a copy compute a cached property, and keep it, as in eager code."""
        real, name = self.outer(made), cached.attrname
        if real is made or name is None or name in vars(made):
            return
        with contextlib.suppress(Exception), bypass_trace():  # the copy raises it again
            computed = getattr(real, name)
            self.guards.forget_absence(vars(real), name)
            what = f"{type(real).__name__}.{name}"
            vars(made)[name] = self.take(what, vars(real), name, computed, name)

    def release(self) -> None:
        """Forget the stand-ins, which hold traced arrays."""
        self._known.clear()
        self._contents.clear()

    def describe_change(self) -> str | None:
        """Return what the function has changed outside itself, None if nothing."""
        for what, copied, before in self._contents:
            now = contents(copied)
            for key in now.keys() | before.keys():
                if now.get(key, MISSING) is not before.get(key, MISSING):
                    return what or _variable(key)
        return None

    def returned(self, x: Any) -> Any:
        """Return what a leaf of the function's result stands for.

        Raises `TraceError` for an object that eager code would make anew at each call.
        """
        if isinstance(x, TracedInt):
            return x.known()
        if isinstance(x, (*ATOMS, Traced, Value, np.ndarray, *INTERCEPTED_TYPES)):
            return x
        outer = self.outer(x)
        if outer is not x:
            return outer
        if not self.guards.knows(x):
            raise TraceError(
                f"compile: the function must return arrays, numbers, texts, or lists, tuples and "
                f"dicts of them, got a {type(x).__name__}, which a compiled program would make "
                "only once; return what it is made of, and make it outside"
            )
        return x

    def outer(self, x: Any) -> Any:
        """Return the object that x is the stand-in of, else x."""
        outer = (outer for outer, made in self._known.values() if made is x and outer is not x)
        return next(outer, x)

    def _array(self, what: str, holder: Any, key: Any, x: Any, name: str) -> Any:
        """Return an input of the program; a copy of an array whose numbers the function needs."""
        source = Entry(holder, key)
        if source.key() in self.needed:
            return self.guards.numbers(what, holder, key, x)
        self.guards.input(holder, key)
        return Traced(self._make_input(source, x, name), outer_name=f"the array {name!r}")

    def _make(self, x: Any, name: str) -> Any:
        if id(x) in BY_ID:
            self.guards.watch(x, name)
            return BY_ID[id(x)]
        if isinstance(x, np.random.Generator):
            return self._trace_generator(x)
        if id(x) in REDIRECTED:
            return REDIRECTED[id(x)]
        if isinstance(x, types.FunctionType):
            if id(x.__globals__) in self.spaces or id(x.__code__) in self.inner_codes:
                return x  # made in the trace
            if can_rebuild(x):
                return self._rebuild(x)
            self.guards.watch(x, x.__name__)
            return x
        if is_bound_builtin(x):
            owner = x.__self__ if is_plain_array(x.__self__) else self.stand_in(x.__self__, name)
            if owner is not x.__self__:
                return getattr(owner, x.__name__)
            self.guards.watch(x, f"{name!r}")
            return x
        if isinstance(x, types.MethodType):
            if isinstance(x.__func__, functools._lru_cache_wrapper):
                return self._stand_in_for_cached(x, name)
            return types.MethodType(self.stand_in(x.__func__), self.stand_in(x.__self__, name))
        if isinstance(x, functools.partial):
            args, keywords = self.stand_in(x.args, name), self.stand_in(x.keywords, name)
            return functools.partial(self.stand_in(x.func), *args, **keywords)
        if isinstance(x, WITH_RULES):  # with rules, which may be replaced
            self.guards.watch(x, name)
            return x
        if root_of(type(x)) in OWN_PACKAGES and hasattr(x, "__wrapped__"):
            self.guards.cover(x)  # a compiled function, which asks for a stand-in
            return x
        if isinstance(x, functools._lru_cache_wrapper):
            return self._stand_in_for_cached(x, name)
        if isinstance(x, types.ModuleType) and not is_foreign(x):
            return self._stand_in_for_module(x)
        if isinstance(x, Module):
            self.models.append((name, x))
        if isinstance(x, INTERCEPTED_TYPES):  # which the trace reads itself
            return x
        if not holds_inputs(x) or key_of(x) in self.needed:
            self.guards.watch(x, f"{name!r}")
            return x
        self.guards.cover(x)
        made = self._copy_object(x) if can_copy(type(x)) else self._copy_container(x, name)
        self._contents.append((f"{name!r}", made, contents(made)))
        return made

    # ---- functions

    def _rebuild(self, f: types.FunctionType) -> types.FunctionType:
        """Return the function with stand-ins for what its code names."""
        outer = {} if is_library(f.__code__) else f.__globals__
        names = dict(outer)
        cells = tuple(types.CellType() for _ in f.__closure__ or ())
        made = types.FunctionType(f.__code__, names or f.__globals__, f.__name__, None, cells)
        self._known[id(f)] = f, made
        self.guards.cover(f)
        for attribute in ("__code__", "__defaults__", "__kwdefaults__"):
            self.guards.attribute(f"{f.__name__}.{attribute}", f, attribute)
        made.__defaults__ = self.stand_in(f.__defaults__, f"the defaults of {f.__name__}")
        made.__kwdefaults__ = self.stand_in(f.__kwdefaults__, f"the defaults of {f.__name__}")
        made.__module__, made.__qualname__ = f.__module__, f.__qualname__
        self.guards.length(f"an attribute of {f.__name__}", vars(f))
        for name, inner in vars(f).items():
            vars(made)[name] = self.take(f"{f.__name__}.{name}", vars(f), name, inner, name)
        self._contents.append((f"an attribute of {f.__name__}", vars(made), dict(vars(made))))
        if outer and not code_names(f.__code__).isdisjoint(COMPUTED):
            self.guards.length("a global variable", outer)
        for name in sorted(global_names(f.__code__, outer)):
            if name != "__builtins__":
                names[name] = self.take(_variable(name), outer, name, outer[name], name)
        if outer:
            asked = read_globals(f.__code__) & STAND_INS.keys() - outer.keys()
            names.update((name, STAND_INS[name]) for name in asked)
            self.spaces.add(id(names))
            self._contents.append(("", names, dict(names)))
            self.guards.missing_globals(f.__code__, outer)
        for name, old, new in zip(f.__code__.co_freevars, f.__closure__ or (), cells, strict=True):
            held = Cell(old)
            content = held.get(name)
            if content is not MISSING:
                new.cell_contents = self.take(_variable(name), held, name, content, name)
                self._contents.append((_variable(name), Cell(new), {None: new.cell_contents}))
        return made

    def _stand_in_for_cached(self, f: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return a function that gives what the cache gives, and guards that it stays."""

        def call(*args: Any, **options: Any) -> Any:
            for x in (*args, *options.values()):
                if isinstance(x, Traced):
                    x.require_hashable()
                self.guards.need_itself(self.outer(x))
            result = f(*args, **options)
            self.guards.result(
                f"the result of {name!r}", functools.partial(f, *args, **options), result
            )
            return result

        return call

    # ---- modules, containers and objects

    def _stand_in_for_module(self, module: types.ModuleType) -> ModuleStandIn:
        made, what = ModuleStandIn(module.__name__), f"the module {module.__name__}"
        names, read = raw_names(made), {}

        def read_name(name: str) -> Any:
            x = getattr(module, name)
            names[name] = read[name] = self.take(
                f"{module.__name__}.{name}", vars(module), name, x, name
            )
            return names[name]

        def read_all() -> dict[str, Any]:
            self.guards.length(what, vars(module))
            return self.watch_copy(
                what, {name: getattr(made, name) for name in vars(module) if name[:2] != "__"}
            )

        names.update(__getattr__=read_name, __read_all__=read_all)
        read.update(names)
        self._contents.append((what, names, read))
        return made

    def _copy_container(self, x: Any, name: str) -> Any:
        """Return a list, tuple or dict with stand-ins inside."""
        what = f"an entry of {name!r}"
        if isinstance(x, tuple):  # which can't change
            made = [self.take(what, x, i, inner, f"{name}_{i}") for i, inner in enumerate(x)]
            return type(x)(*made) if hasattr(x, "_fields") else tuple(made)
        copied = copy.copy(x)
        self._known[id(x)] = x, copied
        self.guards.length(what, x)
        pairs = x.items() if isinstance(x, dict) else enumerate(x)
        for key, inner in list(pairs):
            self.guards.watch_key(key, what)
            copied[key] = self.take(what, x, key, inner, f"{name}_{key}")
        return copied

    def _copy_object(self, x: Any) -> Any:
        """Return an object of the same class with stand-ins in its attributes.

        The attributes that the code names are guarded, by `Guards`; the others don't matter.
        """
        made = type(x)() if type(x) is types.SimpleNamespace else object.__new__(type(x))
        self._known[id(x)] = x, made
        held, what = getattr(x, "__dict__", {}), f"{type(x).__name__}."
        for name, inner in held.items():
            if is_plain_array(inner):
                made.__dict__[name] = self._array(what + name, held, name, inner, name)
            else:
                made.__dict__[name] = self.stand_in(inner, name)
        for name in cached_methods(type(x)):
            made.__dict__.setdefault(name, self._stand_in_for_cached(getattr(x, name), name))
        slots = Slots(x)
        for name, slot in slots.items():
            inner = slots.get(name)
            if is_plain_array(inner):
                slot.__set__(made, self._array(what + name, slots, name, inner, name))
            elif inner is not MISSING:
                slot.__set__(made, self.stand_in(inner, name))
        self.guards.watch_object(x, type(x).__name__)
        return made


def key_of(x: Any) -> tuple[str, int]:
    """Return the key of an object that is found by its identity."""
    return "identity", id(x)


def can_be_copied(x: Any) -> bool:
    """Return True if the stand-in of an object is a copy, which has another identity."""
    return can_copy(type(x)) and not isinstance(x, INTERCEPTED_TYPES) and holds_inputs(x)


def is_plain_array(x: Any) -> bool:
    """Return True for arrays of numbers that can be inputs of a program."""
    return type(x) is np.ndarray and x.dtype.kind in "fiubc"


def can_rebuild(f: types.FunctionType) -> bool:
    """Return True for functions of the user's, and of this package if they refer to such."""
    own = is_library(f.__code__)
    return bool(f.__closure__) if own else not is_standard_library(f.__code__)


def holds_inputs(x: Any) -> bool:
    """Return True if x, or what it holds, must have a stand-in."""
    seen, waiting = set(), [x]
    while waiting:
        x = waiting.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if is_plain_array(x) or isinstance(
            x, (np.random.Generator, types.MethodType, functools.partial)
        ):
            return True
        if id(x) in BY_ID or id(x) in REDIRECTED:
            return True
        if isinstance(x, types.FunctionType) and can_rebuild(x):
            return True
        if is_bound_builtin(x):
            waiting.append(x.__self__)
        kind = type(x)
        if kind in SEQUENCES or kind is tuple or (isinstance(x, tuple) and hasattr(x, "_fields")):
            waiting += x
        elif kind in MAPPINGS:
            waiting += x.values()
        elif can_copy(kind) and not isinstance(x, INTERCEPTED_TYPES):
            if cached_methods(kind):
                return True
            slots = Slots(x)
            waiting += [*getattr(x, "__dict__", {}).values()]
            waiting += [slots.get(name) for name, _ in slots.items()]
    return False


def cached_methods(kind: type) -> list[str]:
    """Return the names of the methods that have a cache."""
    names = dir(kind) if kind.__dictoffset__ else []
    found = ((name, inspect.getattr_static(kind, name, None)) for name in names)
    return [name for name, x in found if isinstance(x, functools._lru_cache_wrapper)]


def contents(x: Any) -> dict[Any, Any]:
    """Return what a copy holds: entries, names or attributes."""
    if isinstance(x, (list, tuple, deque)):
        return dict(enumerate(x))
    if isinstance(x, dict):
        return dict(x)
    if isinstance(x, Cell):
        return {None: x.get("")}
    slots = Slots(x)
    held = {name: slots.get(name) for name, _ in slots.items()}
    kind = type(x)
    for name, inner in getattr(x, "__dict__", {}).items():
        if not isinstance(getattr(kind, name, None), functools.cached_property):
            held[name] = inner
    return held


def code_names(code: types.CodeType) -> set[str]:
    """Return the names that a function and the functions inside it refer to."""
    names = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= code_names(inner)
    return names


def global_names(code: types.CodeType, names: dict[str, Any]) -> set[str]:
    """Return those of the global names that code may read: all, if it asks for computed ones."""
    read = code_names(code)
    return set(names) if not read.isdisjoint(COMPUTED) else read & names.keys()


def _variable(name: str) -> str:
    return f"the outer variable {name!r}"
