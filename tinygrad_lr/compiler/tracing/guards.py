"""Guards of a program: what it was traced with, checked at every call.

A program is valid as long as everything that the function read outside itself is what it was. So
whatever it reaches is watched, at the moment when its code first runs: global names and variables
of closures, entries of lists, dicts and sets, attributes of objects and classes, numbers of arrays.
Arrays that are inputs of the program aren't watched, since it reads them at each call.

Of objects, classes and modules those attributes are watched whose names the code contains, as it
ran; all of an object of the user's if it asks for attributes by computed names, as with `getattr`.
"""

from __future__ import annotations

import _random
import abc
import builtins
import contextlib
import contextvars
import dis
import functools
import io
import operator
import random
import sys
import types
import weakref
from array import array
from collections import deque
from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    ValuesView,
)
from pathlib import PurePath
from typing import Any

import numpy as np

from ...core.custom import CustomDerivative
from ...core.node import Node
from ...core.primitive import Primitive
from ...support.abstract_array import AbstractArray
from ..ir.sources import MISSING, Cell, Context, Slots, Source, identity
from .call_stack import is_library, is_standard_library
from .interception import INTERCEPTED_TYPES, call_alone
from .trace_errors import OWN_PACKAGE, OWN_PACKAGES, STANDARD_LIBRARY

ATOMS = (
    *(bool, int, float, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented)),
    *(range, slice, np.generic, np.dtype, np.ufunc, types.CodeType, types.CellType, PurePath),
)
VIEWS = (KeysView, ValuesView, ItemsView)
CONTAINERS = (list, dict, set, deque, bytearray, array, types.MappingProxyType, *VIEWS)
LOG_NAMES = frozenset({"level", "disabled"})
"""The attributes of a log that results may depend on."""
CTYPES = frozenset({"_SimpleCData", "Structure", "Union", "Array", "_Pointer"})
PLAIN = (bool, int, float, complex, str, bytes, type(None), tuple, np.ndarray, *CONTAINERS)
GLOBAL_READS = ("LOAD_GLOBAL", "LOAD_NAME")
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)
GETTERS = (operator.attrgetter, operator.methodcaller)
WITH_RULES = (CustomDerivative, Primitive)
STATEFUL = (
    io.IOBase,
    _random.Random,
    np.random.Generator,
    np.random.RandomState,
    np.random.BitGenerator,
    np.random.SeedSequence,
)
DYNAMIC = frozenset(
    {
        *("getattr", "setattr", "hasattr", "delattr", "vars", "dir", "eval", "exec", "attrgetter"),
        *("getmembers", "__dict__", "__getattribute__", "__slots__", "__reduce_ex__"),
        "__getstate__",
    }
)
"""Names in code that may read any attribute."""
READERS = tuple(getattr(builtins, name) for name in sorted(DYNAMIC & vars(builtins).keys()))


OPERATORS = frozenset(
    {
        *(n for kind in (float, list, dict, set, object) for n in vars(kind) if n[:2] == "__"),
        *("__bool__", "__call__", "__getattr__", "__enter__", "__exit__"),
    }
) - {"__doc__", "__class__", "__new__", "__init__", "__init_subclass__"}
"""Methods that Python calls without a name in code, so that a class may get them unseen."""

FEW = 8  # names or entries that are compared one by one
SPELT = frozenset(
    {"__class__", "__dict__", "__code__", "__defaults__", "__kwdefaults__", "requires_grad"}
)
"""Attributes that guards spell out: a name of the user's may not be one in code."""
GONE = (LookupError, AttributeError)
"""What guards raise for an entry or an attribute that is gone."""

HEAP_TYPE = 1 << 9  # of classes written in Python, in the flags of a class
UNSUITABLE = frozenset({"__new__", "__getattribute__", "__del__"})
"""Methods of a class that keep its objects from being copied."""


class Check:
    """One condition: `what` is the same as it was."""

    what: str

    def expression(self, name: Callable[[Any], str]) -> str:
        """Return the condition as Python; `name` returns an identifier for an object.

        It may be False, or raise one of `GONE`, although nothing has changed, but it may not be
        True if something has.
        """
        raise NotImplementedError

    def holds(self) -> bool:
        """Return True if the condition holds, also for other objects that are equal."""
        raise NotImplementedError

    def objects(self) -> Iterable[Any]:
        """Return the objects that code finds there now, if it may ask which they are."""
        return ()


class SameEntry(Check):
    """A name, an attribute or an entry is the same object, or an equal number or text."""

    def __init__(self, what: str, holder: Any, key: Any, was: Any) -> None:
        self.what, self.holder, self.key, self.was = what, holder, key, was

    def expression(self, name: Callable[[Any], str]) -> str:
        """Compare identities."""
        if isinstance(self.holder, Cell):
            return f"{name(self.holder)}.get(None) is {name(self.was)}"
        if isinstance(self.holder, (list, deque)):
            return f"{name(self.holder)}[{self.key}] is {name(self.was)}"
        if type(self.holder) in {dict, types.MappingProxyType}:  # no code of the user's runs
            if self.was is MISSING:
                return f"{name(self.key)} not in {name(self.holder)}"
            return f"{name(self.holder)}[{name(self.key)}] is {name(self.was)}"
        return f"{name(self.holder)}.get({name(self.key)}, {name(MISSING)}) is {name(self.was)}"

    def holds(self) -> bool:
        """Compare, plain data by what they are equal to."""
        return all(is_same(x, self.was) for x in self.objects())

    def objects(self) -> Iterable[Any]:
        """Return what is there."""
        if isinstance(self.holder, (list, deque)):
            return (self.holder[self.key] if len(self.holder) > self.key else MISSING,)
        return (self.holder.get(self.key, MISSING),)


class SameEntries(Check):
    """A list, dict or set has the same entries, in the same order."""

    def __init__(self, what: str, container: Any, only_length: bool = False) -> None:
        self.what, self.container, self.count = what, container, len(container)
        maps = isinstance(container, Mapping)
        self.keys = list(container) if maps or not only_length else []
        self.values = list(container.values()) if maps and not only_length else None

    def expression(self, name: Callable[[Any], str]) -> str:
        """Compare the lengths and the identities."""
        x, same = name(self.container), f"all({name(map)}({name(operator.is_)}, "
        parts = [f"len({x}) == {self.count}"]
        if type(self.container) is list and len(self.keys) <= FEW:
            parts += [f"{x}[{i}] is {name(key)}" for i, key in enumerate(self.keys)]
            return " and ".join(parts)
        parts += [f"{same}{x}, {name(self.keys)}))"] if self.keys else []
        parts += [f"{same}{x}.values(), {name(self.values)}))"] if self.values else []
        return " and ".join(parts)

    def holds(self) -> bool:
        """Compare, plain data by what they are equal to."""
        if len(self.container) != self.count:
            return False
        same = all(map(is_same, self.container, self.keys)) if self.keys else True
        if same and self.values:
            return all(map(is_same, self.container.values(), self.values))
        return same

    def objects(self) -> Iterable[Any]:
        """Return the entries, or the keys and the values."""
        maps = isinstance(self.container, Mapping)
        return [*self.container, *(self.container.values() if maps else ())]


class SameNumbers(Check):
    """An array has the same numbers."""

    def __init__(self, what: str, array: np.ndarray[Any, Any]) -> None:
        self.what, self.array, self.was = what, array, array.copy()
        self.was.flags.writeable = False

    def expression(self, name: Callable[[Any], str]) -> str:
        """Compare the bits."""
        return f"{name(has_same_bits)}({name(self.array)}, {name(self.was)})"

    def holds(self) -> bool:
        """Compare the bits."""
        return has_same_bits(self.array, self.was)


class NoNewNames(Check):
    """An object has none of some attributes, which its class has or nothing has."""

    def __init__(self, what: str, held: Mapping[str, Any]) -> None:
        self.what, self.held = what, held
        self.names: frozenset[str] = frozenset()

    def expression(self, name: Callable[[Any], str]) -> str:
        """Compare the sets."""
        if len(self.names) <= FEW and type(self.held) is dict:
            held = name(self.held)
            return " and ".join(f"{name(x)} not in {held}" for x in sorted(self.names)) or "True"
        return f"{name(self.names)}.isdisjoint({name(self.held)})"

    def holds(self) -> bool:
        """Compare the sets."""
        return self.names.isdisjoint(self.held)


class SameAttribute(Check):
    """An attribute that isn't in a dict is the same object, or an equal number or text."""

    def __init__(self, what: str, owner: Any, name: str) -> None:
        self.what, self.owner, self.name = what, owner, name
        self.was = getattr(owner, name, MISSING)

    def expression(self, name: Callable[[Any], str]) -> str:
        """Compare identities."""
        if self.name in SPELT and self.was is not MISSING:
            return f"{name(self.owner)}.{self.name} is {name(self.was)}"
        return (
            f"getattr({name(self.owner)}, {name(self.name)}, {name(MISSING)}) is {name(self.was)}"
        )

    def holds(self) -> bool:
        """Compare, plain data by what they are equal to."""
        return all(is_same(x, self.was) for x in self.objects())

    def objects(self) -> Iterable[Any]:
        """Return the attribute."""
        return (getattr(self.owner, self.name, MISSING),)


class SameResult(Check):
    """A function with a cache gives the same object."""

    def __init__(self, what: str, function: Callable[[], Any], was: Any) -> None:
        self.what, self.function, self.was = what, function, was

    def expression(self, name: Callable[[Any], str]) -> str:
        """Compare identities."""
        return f"{name(self.function)}() is {name(self.was)}"

    def holds(self) -> bool:
        """Compare, plain data by what they are equal to."""
        return all(is_same(x, self.was) for x in self.objects())

    def objects(self) -> Iterable[Any]:
        """Return the result."""
        return (self.function(),)


class SameSettings(Check):
    """Settings that a function returns are equal."""

    def __init__(self, what: str, read: Callable[[], Any]) -> None:
        self.what, self.read, self.was = what, read, read()

    def expression(self, name: Callable[[Any], str]) -> str:
        """Compare the settings."""
        return f"{name(self.read)}() == {name(self.was)}"

    def holds(self) -> bool:
        """Compare the settings."""
        return bool(self.read() == self.was)


class SameForm(Check):
    """An array that the function has looked at, but that the program doesn't read, has its form."""

    def __init__(self, source: Source) -> None:
        self.what, self.source = "the shape or the dtype of an array", source
        self.was = form_of(source.read())

    def expression(self, name: Callable[[Any], str]) -> str:
        """Compare the forms."""
        return f"{name(self)}.holds()"

    def holds(self) -> bool:
        """Compare the forms."""
        try:
            return bool(form_of(self.source.read()) == self.was)
        except (LookupError, AttributeError):
            return False


def form_of(x: Any) -> Any:
    """Return what a trace knows of an array, or of a number: all but the numbers."""
    return (x.shape, x.dtype) if isinstance(x, (np.ndarray, np.generic)) else type(x)


class Presence(Check):
    """A Value has a gradient, or has none, as it was."""

    def __init__(self, value: Any, present: bool) -> None:
        self.value, self.present = value, present
        self.what = "a gradient that is None now" if present else "a gradient that was None"

    def expression(self, name: Callable[[Any], str]) -> str:
        """Compare with None."""
        return f"{name(self.value)}._grad is {'not ' if self.present else ''}None"

    def holds(self) -> bool:
        """Compare with None."""
        return (self.value._grad is not None) is self.present


class Guards:
    """The state that a program depends on. `hold()` returns True if nothing has changed.

    `refuse(wrong, cure)` is called for what can be read but not watched, `need_itself(x)` for what
    is found by its identity.

    Code reaches an object either through its stand-in, whose arrays are inputs of the program, or
    directly; then its arrays are watched too. `self._direct` says which, for what is watched now.
    """

    def __init__(
        self, refuse: Callable[[str, str], None], need_itself: Callable[[Any], None]
    ) -> None:
        self.refuse, self.need_itself = refuse, need_itself
        self.hold: Callable[[], bool] = lambda: True
        self._checks: dict[Any, Check] = {}
        self._watched: dict[tuple[int, bool], Any] = {}
        self._objects: dict[tuple[int, bool], tuple[Any, str]] = {}
        self._direct = self._busy = False
        self._waiting: list[tuple[Any, str, bool]] = []
        self._names: dict[str, set[str]] = {"user": set(), "python": set(), "own": set()}
        self._everything = False  # all attributes are watched
        self._inputs: set[tuple[int, Any]] = set()  # (id of a holder, key)
        self._states: dict[int, tuple[Any, Any]] = {}  # of random generators and files
        self._library_states = {name: read() for name, read in library_generators()}
        self.ignore(sys.modules)  # which grows with every import
        self.watch(np.random.mtrand._rand, "np.random")
        self.watch(random._inst, "random")

    # ---- what is watched

    def add(self, check: Check, *key: Any) -> None:
        """Add a check, unless there is one for this key."""
        self._checks.setdefault((type(check), *key), check)

    def entry(self, what: str, holder: Any, key: Any, was: Any) -> None:
        """Watch a name, an attribute or an entry, and what is in it."""
        if not isinstance(holder, tuple):
            self.add(SameEntry(what, holder, key, was), identity(holder), key)
        self.watch(was, what)

    @contextlib.contextmanager
    def direct(self) -> Iterator[None]:
        """Watch what code reads that runs without stand-ins, for the block."""
        before, self._direct = self._direct, True
        try:
            yield
        finally:
            self._direct = before

    def attribute(self, what: str, owner: Any, name: str) -> None:
        """Watch an attribute that isn't in a dict."""
        self.add(SameAttribute(what, owner, name), id(owner), name)

    def result(self, what: str, function: Callable[[], Any], was: Any) -> None:
        """Watch the result of a function with a cache."""
        self.add(SameResult(what, function, was), id(function))
        self.watch(was, what)

    def settings(self, what: str, read: Callable[[], Any]) -> None:
        """Watch that a function returns equal settings."""
        self.add(SameSettings(what, read), read)

    def length(self, what: str, container: Any) -> None:
        """Watch how many entries there are, and the keys of a dict."""
        self.add(SameEntries(what, container, only_length=True), id(container), "length")

    def input(self, holder: Any, key: Any) -> None:
        """Leave out an entry that is an input of the program: stand-ins read it there."""
        self._inputs.add((identity(holder), key))

    def numbers(self, what: str, holder: Any, key: Any, x: np.ndarray[Any, Any]) -> Any:
        """Watch an array and its numbers; return a copy that can't be written to."""
        with self.direct():
            self.entry(what, holder, key, x)
        check = self._checks[SameNumbers, id(x)]
        assert isinstance(check, SameNumbers)
        return check.was

    def cover(self, x: Any) -> None:
        """Leave out what an object holds: its stand-in guards it."""
        self._watched[id(x), False] = x

    def ignore(self, made: Any) -> None:
        """Leave out an object of the trace's own."""
        self._watched[id(made), False] = self._watched[id(made), True] = made

    def absent(self, what: str, held: Mapping[str, Any], names: Iterable[str]) -> None:
        """Watch that an object has no attributes of some names."""
        check = self._checks.setdefault((NoNewNames, id(held)), NoNewNames(what, held))
        assert isinstance(check, NoNewNames)
        check.names = check.names.union(names)

    def forget_absence(self, held: Mapping[str, Any], name: str) -> None:
        """Let an object have an attribute that it didn't have when it was watched."""
        check = self._checks.get((NoNewNames, id(held)))
        if isinstance(check, NoNewNames):
            check.names -= {name}

    def missing_globals(self, code: types.CodeType, names: Mapping[str, Any]) -> None:
        """Watch that there are no globals of the names that code finds among the builtins.

        Watch what is there too, unless it is Python's own.
        """
        held = vars(builtins)
        for name in sorted(read_globals(code) - names.keys()):
            what, x = f"the outer variable {name!r}", held.get(name, MISSING)
            self.entry(what, names, name, MISSING)
            if not (isinstance(x, (*FUNCTIONS, type)) and root_of(x) in STANDARD_LIBRARY):
                self.entry(what, held, name, x)

    def watch(self, x: Any, what: str) -> None:
        """Watch everything in an object that code may read."""
        skipped: tuple[type, ...] = (*ATOMS, Node, AbstractArray, *INTERCEPTED_TYPES)
        if x is MISSING or (isinstance(x, skipped) and not isinstance(x, np.void)):
            return
        if (id(x), self._direct) in self._watched or (id(x), True) in self._watched:
            return
        self._watched[id(x), self._direct] = x
        if root_of(x) == "decimal":
            self.settings("the context of decimal numbers", decimal_settings)
        self._waiting.append((x, what, self._direct))
        if self._busy:
            return
        self._busy, before = True, self._direct
        try:
            while self._waiting:  # a loop: objects may be nested a million deep
                x, what, self._direct = self._waiting.pop()
                self._watch_inside(x, what)
        finally:
            self._busy, self._direct = False, before

    def watch_key(self, x: Any, what: str) -> None:
        """Watch a key of a dict, or an entry of a set, which code may find by its identity."""
        for inner in inner_objects((x,)):
            self.need_itself(inner)
        self.watch(x, what)

    def _watch_inside(self, x: Any, what: str) -> None:
        if isinstance(x, (np.ndarray, memoryview)):
            self._watch_array(np.asanyarray(x), what)
        elif isinstance(x, np.void):
            self.refuse(f"{what} is a record, whose changes cannot be seen", "pass its fields")
        elif isinstance(x, STATEFUL):
            self._states[id(x)] = (x, state_of(x))
        elif any(x is reader for reader in READERS):
            self.watch_names([x.__name__], computes=True)
        elif is_bound_builtin(x):
            self.watch(x.__self__, what)
        elif isinstance(x, (types.FunctionType, types.MethodType, functools.partial)):
            self._watch_callable(x, what)
        elif isinstance(x, (property, staticmethod, classmethod, functools.cached_property)):
            names = ("fget", "__func__", "func")
            self.watch(next(f for name in names if (f := getattr(x, name, None))), what)
        elif isinstance(x, contextvars.ContextVar):
            self.entry(f"the context variable {x.name!r}", Context(x), None, x.get(MISSING))
        elif isinstance(x, weakref.ref):
            self.watch_key(x(), what)
        elif isinstance(x, GETTERS):
            self.watch_names(str(x.__reduce__()[1]).replace("'", ".").split("."))
        elif is_foreign(type(x)) and hasattr(x, "__wrapped__"):  # compiled, or with a cache
            self.watch(x.__wrapped__, what)
            if isinstance(x, WITH_RULES):
                self.watch_object(x, what)
        else:
            self._watch_entries(x, what)
            self.watch_object(x, what)

    def reads(self, name: str) -> bool:
        """Return True if the user's code names an attribute."""
        return name in self._names["user"]

    def knows(self, x: Any) -> bool:
        """Return True for an object from outside."""
        return (id(x), False) in self._watched or (id(x), True) in self._watched

    def watch_names(self, names: Iterable[str], by: str = "user", computes: bool = True) -> None:
        """Watch the attributes that code names, of every object that it may reach.

        `by` says whose code it is: the user's, Python's own ("python") or this package's ("own").
        `computes` is False for code that doesn't read attributes of the user's objects by computed
        names.
        """
        new = set(names) - self._names[by]
        self._names[by] |= new
        if computes and not new.isdisjoint(DYNAMIC):
            self._everything = True
        if not new:
            return
        before = self._direct
        for (_, direct), (x, what) in list(self._objects.items()):
            if by in _readers_of(x):
                self._direct = direct
                self._watch_names_of(x, what, new)
        self._direct = before

    def watch_object(self, x: Any, what: str) -> None:
        """Watch the attributes of an object, a class or a module, as far as code names them."""
        is_object = not isinstance(x, (type, types.ModuleType))
        kind = type(x) if is_object else x
        root = root_of(kind)
        of_users = not (is_foreign(kind) or is_installed(root))
        if is_object and hasattr(kind, "__next__") and not of_users and root != OWN_PACKAGE:
            self.refuse(f"{what} is an iterator, which a trace uses up", "pass a list or an array")
        elif is_object and hasattr(kind, "__array__") and root not in OWN_PACKAGES:
            self.refuse(
                f"{what} is a {kind.__name__}, whose changes cannot be seen",
                "convert it with np.asarray outside the function, and pass the array",
            )
        elif is_object and any(
            base.__name__ in CTYPES and root_of(base) == "_ctypes" for base in kind.__mro__
        ):
            self.refuse(
                f"{what} is an object of ctypes, whose changes cannot be seen",
                "read it outside the function, and pass the number or the array",
            )
        own = root in OWN_PACKAGES
        if is_foreign(kind) and not is_object and (own or isinstance(x, type)):
            return
        self._objects[id(x), self._direct] = (x, what)
        if isinstance(x, abc.ABCMeta) and is_users(x):
            self.settings("the classes registered with abstract ones", abc.get_cache_token)
        if isinstance(x, type) and type(x) is not type:
            self.watch(type(x), type(x).__name__)
        if is_object:
            self.watch(kind, kind.__name__)
            self.attribute(f"the class of {what}", x, "__class__")
            if isinstance(getattr(x, "__dict__", None), dict):
                self.attribute(f"{what}.__dict__", x, "__dict__")
        self._watch_names_of(x, what, set().union(*(self._names[by] for by in _readers_of(x))))

    def _watch_entries(self, x: Any, what: str) -> None:
        if isinstance(x, CONTAINERS):
            self.add(SameEntries(f"an entry of {what}", x), id(x))
        if isinstance(x, (*CONTAINERS, tuple, frozenset)) and not isinstance(x, (bytearray, array)):
            keyed = not isinstance(x, (list, tuple, deque, ValuesView, ItemsView))
            for inner in list(x):
                (self.watch_key if keyed else self.watch)(inner, what)
            if isinstance(x, (dict, types.MappingProxyType)):
                for inner in list(x.values()):
                    self.watch(inner, what)

    def _watch_array(self, x: Any, what: str) -> None:
        if x.dtype.hasobject:
            self.refuse(
                f"arrays must hold numbers, {what} holds objects", "use a list of the objects"
            )
        else:
            self.add(SameNumbers(what, x), id(x))

    def _watch_callable(self, x: Any, what: str) -> None:
        if isinstance(x, functools.partial):
            for inner in (x.func, x.args, x.keywords):
                self.watch(inner, what)
        elif isinstance(x, types.MethodType):
            self.watch(x.__func__, what)
            self.watch(x.__self__, what)
        elif not is_library(x.__code__) or x.__closure__:
            with self.direct():
                for name in ("__code__", "__defaults__", "__kwdefaults__"):
                    self.attribute(f"{x.__name__}.{name}", x, name)
                    self.watch(getattr(x, name), f"the defaults of {x.__name__}")
                if not is_standard_library(x.__code__):
                    self.watch(vars(x), f"the attributes of {x.__name__}")
                for name, cell in zip(x.__code__.co_freevars, x.__closure__ or (), strict=True):
                    held = Cell(cell)
                    if name == "dispatch_cache" and root_of(x) == "functools":
                        continue  # of a `singledispatch`, which fills it
                    self.entry(f"the outer variable {name!r}", held, None, held.get(name))

    def _watch_names_of(self, x: Any, what: str, names: set[str]) -> None:
        if isinstance(x, type):
            self._watch_class(x, names)
            return
        held = getattr(x, "__dict__", None)
        if isinstance(x, types.ModuleType):
            everything = self._everything and is_users(x)
            plain = {name for name, held in vars(x).items() if isinstance(held, PLAIN)}
            self._watch_held(vars(x), x.__name__, names | plain if everything else names)
            return
        whose, root = type(x).__name__, root_of(type(x))
        everything = self._everything and not (root in OWN_PACKAGES or is_installed(root))
        everything = everything or root == "numpy"  # whose code isn't looked at
        if root == "logging":
            everything, names = False, names & LOG_NAMES
        if isinstance(held, dict):
            if everything:
                self.length(f"an attribute of {whose}", held)
            self._watch_held(held, whose, names, everything)
            self.absent(f"an attribute of {whose}", held, names - held.keys())
        slots = Slots(x)
        for name, _ in slots.items():
            if everything or name in names:
                self._watch_attribute(f"{whose}.{name}", slots, name, slots.get(name))

    def _watch_class(self, x: type, names: set[str]) -> None:
        bases = [base for base in x.__mro__ if not is_foreign(base)]
        everything = self._everything and is_users(x)
        missing = names.difference(*map(vars, x.__mro__))
        if bases:
            self.attribute(f"the bases of {x.__name__}", x, "__mro__")
        if "__subclasses__" in names:
            list_them = functools.partial(_subclasses, x)
            self.result(f"the subclasses of {x.__name__}", list_them, list_them())
        with self.direct():  # as its functions run
            for i, base in enumerate(bases):
                held = vars(base)
                called = {name for name in held if name.startswith("__") and callable(held[name])}
                for name in names & held.keys():
                    if has_unseen_cache(x, held[name]):
                        self.refuse(
                            f"{base.__name__}.{name} has a cache whose changes cannot be seen",
                            "use a function with a cache, outside the class",
                        )
                self._watch_held(held, base.__name__, names | called, everything)
                if everything:
                    self.length(f"an attribute of {base.__name__}", held)
                if is_users(base):
                    self.absent(f"an operator of {base.__name__}", held, OPERATORS - held.keys())
                    self.absent(f"an attribute of {base.__name__}", held, missing)
                for name in names & held.keys():  # which a class before it may get
                    for earlier in bases[:i]:
                        if name not in vars(earlier):
                            what = f"{earlier.__name__}.{name}"
                            self.add(
                                SameEntry(what, vars(earlier), name, MISSING), id(earlier), name
                            )

    def _watch_held(
        self, held: Mapping[str, Any], whose: str, names: set[str], everything: bool = False
    ) -> None:
        for name in list(held) if everything else names & held.keys():
            x = held[name]
            if isinstance(x, (*FUNCTIONS, type, types.ModuleType)):
                if root_of(x) in STANDARD_LIBRARY:
                    continue
            elif name.startswith("__"):
                continue
            self._watch_attribute(f"{whose}.{name}", held, name, x)

    def _watch_attribute(self, what: str, holder: Any, name: str, x: Any) -> None:
        if self._direct or (identity(holder), name) not in self._inputs:
            self.entry(what, holder, name, x)

    # ---- checking

    def expression(self, space: dict[str, Any]) -> str:
        """Return the guards as one Python expression; the objects that it names go to `space`.

        It may be False, or raise one of `GONE`, although nothing has changed.
        """
        names: dict[int, str] = {}

        def name(x: Any) -> str:
            if id(x) not in names:
                names[id(x)] = f"g{len(names)}"
                space[names[id(x)]] = x
            return names[id(x)]

        return " and ".join(check.expression(name) for check in self._checks.values()) or "True"

    def compile(self) -> None:
        """Write `hold`, after everything has been added, and let go of the trace."""
        self.refuse = _refuse_nothing
        self.need_itself = _need_nothing
        self._watched, self._objects, self._states, self._inputs = {}, {}, {}, set()
        space: dict[str, Any] = {}
        code = compile("lambda: " + self.expression(space), "<guards>", "eval")
        check: Callable[[], bool] = eval(code, space)

        def hold() -> bool:
            try:
                found = check()
            except GONE:
                found = False
            return found or self.describe_change() is None

        self.hold = hold

    def describe_change(self) -> str | None:
        """Return what has changed since tracing, None if nothing has."""
        return next((x.what for x in list(self._checks.values()) if not x.holds()), None)

    def of_objects(self) -> list[Check]:
        """Return the checks of objects of which code may ask if they are others.

        Functions, classes and modules can't be: an argument is never equal to one.
        """
        plain = (*FUNCTIONS, type, types.ModuleType, bool, type(None))
        return [
            check
            for check in self._checks.values()
            if not all(isinstance(x, plain) for x in inner_objects(check.objects()))
        ]

    def describe_overlap(self, updated: Any) -> str | None:
        """Return which array, whose numbers are guarded, shares memory with another; else None."""
        arrays = [x for x in self._checks.values() if isinstance(x, SameNumbers)]
        if not isinstance(updated, np.ndarray):
            return None
        return next((x.what for x in arrays if np.may_share_memory(x.array, updated)), None)

    def describe_draw(self) -> str | None:
        """Return what has drawn random numbers since tracing began, None if nothing has."""
        names = {id(np.random.mtrand._rand): "np.random", id(random._inst): "random"}
        for x, was in self._states.values():
            now = state_of(x)
            same = now == was if isinstance(was, tuple) else is_same(now, was)  # of 625 integers
            if not same:
                return names.get(id(x), f"a {type(x).__name__}")
        for name, read in library_generators():
            if self._library_states.get(name, MISSING) not in {MISSING, read()}:
                return f"the generator of {name}"
        return None


def is_same(now: Any, was: Any) -> bool:
    """Return True for the same object, and for equal numbers and texts of the same type."""
    if now is was:
        return True
    kind = type(was)
    if type(now) is not kind:
        return False
    if kind in {float, complex} or issubclass(kind, np.generic):
        return repr(now) == repr(was)  # nan is nan, -0.0 is not 0.0
    if kind is tuple:
        return len(now) == len(was) and all(map(is_same, now, was))
    if kind is np.ndarray:
        return has_same_bits(now, was)
    if kind is dict:
        same_keys = len(now) == len(was) and all(map(is_same, now, was))
        return same_keys and all(map(is_same, now.values(), was.values()))
    return kind in {bool, int, str, bytes, range, types.CodeType} and bool(now == was)


def inner_objects(nest: Iterable[Any]) -> Iterator[Any]:
    """Iterate over objects, and over those in the tuples among them."""
    for x in nest:
        yield x
        if isinstance(x, tuple):
            yield from inner_objects(x)


def has_same_bits(now: np.ndarray[Any, Any], was: np.ndarray[Any, Any]) -> bool:
    """Return True if two arrays have the same dtype, shape and bits."""
    if now.dtype != was.dtype or now.shape != was.shape:
        return False
    if now.dtype.kind in "biu":
        return bool(np.array_equal(now, was))
    return now.tobytes() == was.tobytes()


def library_generators() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Iterate over the global generators of other libraries: name and a function of the state."""
    torch = sys.modules.get("torch")
    if hasattr(torch, "get_rng_state"):
        # PyTorch waits for a lock of its own without letting other threads run Python, and runs
        # Python while it holds it: two threads would wait for each other for ever.
        read: Callable[[], Any] = torch.get_rng_state  # type: ignore[union-attr]
        yield "torch", lambda: bytes(call_alone(read).numpy())


def changed_variable(before: contextvars.Context) -> str | None:
    """Return the context variable that has another content than before, None if none has."""
    for variable, x in contextvars.copy_context().items():
        try:
            was = before.run(variable.get)
        except LookupError:
            was = MISSING
        if not is_same(x, was) and not (
            # whoever asks for the context of decimals makes one
            root_of(type(x)) == "decimal"
            and decimal_settings(x) == decimal_settings(None if was is MISSING else was)
        ):
            return f"the context variable {variable.name!r}"
    return None


def decimal_settings(x: Any = MISSING) -> tuple[Any, ...]:
    """Return what arithmetic with a context of decimal numbers depends on.

    By default it is that of this thread, for None the one that a thread begins with.
    """
    import decimal

    x = decimal.getcontext() if x is MISSING else x or decimal.DefaultContext
    traps = tuple(signal for signal, is_on in x.traps.items() if is_on)
    return (x.prec, x.rounding, x.Emin, x.Emax, x.capitals, x.clamp, traps)


def can_copy(kind: type) -> bool:
    """Return True for classes whose objects are no more than their attributes."""
    if kind is types.SimpleNamespace:
        return True
    return (
        not is_foreign(kind)
        and not is_installed(root_of(kind))
        and all(
            base is object or (base.__flags__ & HEAP_TYPE and UNSUITABLE.isdisjoint(vars(base)))
            for base in kind.__mro__
        )
    )


def state_of(x: Any) -> Any:
    """Return the state of a random generator or a file, None if it has none."""
    if isinstance(x, io.IOBase):
        return x.tell() if not x.closed and x.readable() and x.seekable() else None
    if isinstance(x, np.random.RandomState):
        return x.get_state(legacy=False)
    if isinstance(x, _random.Random):
        return None if isinstance(x, random.SystemRandom) else x.getstate()
    if isinstance(x, np.random.SeedSequence):
        return x.n_children_spawned
    return getattr(x, "bit_generator", x).state


def _readers_of(x: Any) -> tuple[str, ...]:
    """Return whose code may read an object's attributes."""
    if isinstance(x, types.ModuleType):
        return ("user",)
    return ("user", "own") if root_of(type(x)) in OWN_PACKAGES else ("user", "python")


def _refuse_nothing(wrong: str, cure: str) -> None:
    """Do nothing: the trace is over."""


def _need_nothing(x: Any) -> None:
    """Do nothing: the trace is over."""


def root_of(x: Any) -> str:
    """Return the name of the top package that a function, a class or a module belongs to."""
    name = x.__name__ if isinstance(x, types.ModuleType) else getattr(x, "__module__", None)
    return str(name).partition(".")[0]


@functools.cache
def is_installed(root: str) -> bool:
    """Return True for a package that isn't the user's own."""
    file = getattr(sys.modules.get(root), "__file__", None) or ""
    return "-packages" in file


@functools.lru_cache(maxsize=1024)
def read_globals(code: types.CodeType) -> frozenset[str]:
    """Return the global names that code and the functions inside it read, also builtins."""
    names = {str(x.argval) for x in dis.get_instructions(code) if x.opname in GLOBAL_READS}
    inner = (x for x in code.co_consts if isinstance(x, types.CodeType))
    return frozenset(names).union(*map(read_globals, inner))


def is_bound_builtin(x: Any) -> bool:
    """Return True for a method of an object that is bound to it and isn't written in Python."""
    if isinstance(x, types.MethodType):
        return not isinstance(x.__func__, types.FunctionType) and hasattr(x.__func__, "__name__")
    kinds = (types.BuiltinMethodType, types.MethodWrapperType)
    return isinstance(x, kinds) and not isinstance(
        x.__self__, (type, types.ModuleType, types.NoneType)
    )


def is_users(x: Any) -> bool:
    """Return True for classes and modules that are neither Python's nor installed."""
    return not is_foreign(x) and not is_installed(root_of(x))


def has_unseen_cache(kind: type, x: Any) -> bool:
    """Return True for a function with a cache in a class whose objects have no stand-in for it."""
    cached = functools._lru_cache_wrapper
    if isinstance(x, (staticmethod, classmethod)):
        return isinstance(x.__func__, cached)
    stands_in = kind.__dictoffset__ and can_copy(kind)
    return isinstance(x, cached) and not (stands_in or issubclass(kind, INTERCEPTED_TYPES))


def _subclasses(x: type) -> tuple[type, ...]:
    return tuple(type.__subclasses__(x))


def is_foreign(x: Any) -> bool:
    """Return True for classes and modules of this package, NumPy and Python itself."""
    root = root_of(x)
    return root in OWN_PACKAGES or root in STANDARD_LIBRARY
