"""Observe the frames of a function while it is traced: the code that runs, and its variables.

Python calls the observer when a function begins and ends. So code is known before it can read
anything, however it was reached, and results are named after the user's variables.
"""

from __future__ import annotations

import contextlib
import datetime
import dis
import functools
import gc
import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ...core.value import Value
from ...support.files import PACKAGE
from ..ir.instruction import Instruction
from .call_stack import is_library, is_standard_library
from .captures import global_names
from .guards import is_users
from .interception import CURRENT_TRACE, set_profiler
from .trace import Trace
from .traced_array import Traced

COMPUTING = frozenset({"copy.py", "dataclasses.py", "inspect.py", "operator.py", "json.py"})
"""Python's own modules that read all attributes of an object."""
CACHED_PROPERTY = functools.cached_property.__get__.__code__
CLOCKS = frozenset(
    {
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("process_time", "process_time_ns", "thread_time", "thread_time_ns", "clock_gettime"),
        *("clock_gettime_ns", "localtime", "gmtime", "ctime", "asctime", "strftime"),
        *("now", "today", "utcnow"),
    }
)
READS = frozenset(
    {"urandom", "getrandom", "open", "input", "fromfile", "listdir", "scandir", "stat", "lstat"}
)
"""Functions whose results come from outside Python."""
SOURCE_READERS = frozenset({"linecache.py", "tokenize.py"})  # for the text of a warning
FROM_OUTSIDE = (
    "a clock, a file or the system's randomness would be read while tracing, and never again",
    "read it outside the compiled function, and pass the number or the array as an argument",
)


class Observer:
    """Watches the code that runs in a trace, and collects the variables of the user's functions."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.names: dict[Instruction, str] = {}
        self._codes: set[tuple[int, int]] = set()
        self._kept: list[CodeType] = []  # so that ids stay theirs
        self._ignored = {id(getattr(f, "__code__", None)) for f in gc.callbacks}

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        """Observe one event, as `sys.setprofile` reports them."""
        if event == "call":
            self.enter(frame)
        elif event == "c_call":
            self.call_builtin(frame, argument)
        elif event == "return" and not is_library(frame.f_code):
            self.leave(frame)
            if isinstance(argument, types.ModuleType) and is_users(argument):  # `import_module`
                self._watch_module(argument)

    def enter(self, frame: FrameType) -> None:
        """Watch what a frame may read, when its code runs first."""
        code = frame.f_code
        if code is CACHED_PROPERTY:
            self.trace.captures.fill_cache(frame.f_locals["instance"], frame.f_locals["self"])
        key = (id(code), id(frame.f_globals))
        if key in self._codes:
            return
        self._codes.add(key)
        self._kept.append(code)
        if id(code) in self._ignored:
            return
        if is_library(code):
            if code.co_filename.startswith(PACKAGE):
                self.trace.guards.watch_names(code.co_names, "own", computes=False)
            return
        standard = is_standard_library(code)
        computes = not standard or Path(code.co_filename).name in COMPUTING
        self.trace.guards.watch_names(all_names(code), "python" if standard else "user", computes)
        self.trace.captures.inner_codes.update(map(id, inner_codes(code)))
        if standard:
            return
        if id(frame.f_globals) not in self.trace.captures.spaces:
            self._watch_outside(frame)

    def _watch_outside(self, frame: FrameType) -> None:
        """Watch what code reads that runs without stand-ins."""
        code, names = frame.f_code, frame.f_globals
        with self.trace.guards.direct():
            for name in global_names(code, names):
                if not name.startswith("__"):
                    what = f"the outer variable {name!r}"
                    self.trace.guards.entry(what, names, name, names[name])
            if code.co_name != "<module>":  # which defines them
                self.trace.guards.missing_globals(code, names)
            if code.co_freevars and id(code) not in self.trace.captures.inner_codes:
                for f in gc.get_referrers(code):
                    if isinstance(f, types.FunctionType) and f.__globals__ is names:
                        self.trace.guards.watch(f, f.__name__)

    def call_builtin(self, frame: FrameType, function: Any) -> None:
        """Refuse what gives another result at each call: clocks, files, the system's entropy."""
        ignored = CURRENT_TRACE.get() is None or id(frame.f_code) in self._ignored
        if not ignored and reads_outside(function):
            code, name = frame.f_code, Path(frame.f_code.co_filename).name
            of_a_log = function.__name__ in CLOCKS and (
                is_library(code) or is_standard_library(code)
            )
            of_an_import = code.co_filename.startswith("<frozen importlib")
            if not (
                of_a_log or of_an_import or name in SOURCE_READERS or is_for_this_package(frame)
            ):
                self.trace.refuse(*FROM_OUTSIDE)

    def leave(self, frame: FrameType) -> None:
        """Collect a function's variables, and watch the modules that it has imported."""
        for name in imported_modules(frame.f_code):
            package = frame.f_globals.get("__package__") or ""
            module = sys.modules.get(importlib.util.resolve_name(name, package))
            if module is not None and not is_standard_library(frame.f_code):
                self._watch_module(module)
        for name, x in frame.f_locals.items():
            content = x._content if isinstance(x, Value) else x
            if type(content) is Traced and not name.startswith("."):
                self.names.setdefault(content.instruction, name)

    def _watch_module(self, module: types.ModuleType) -> None:
        """Watch a module that the function has imported, and that imports will find it."""
        name, guards = module.__name__, self.trace.guards
        with guards.direct():
            if is_users(module) and sys.modules.get(name) is module:
                guards.entry(f"the module {name}", sys.modules, name, module)
            guards.watch(module, name)

    def name_instructions(self) -> None:
        """Name the instructions that have no name yet after the variables."""
        for x, name in self.names.items():
            if x.name is None and not x.is_constant:
                x.name = name


def is_for_this_package(frame: FrameType | None) -> bool:
    """Return True if this package calls, perhaps through Python's own modules."""
    while frame is not None and is_standard_library(frame.f_code):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(PACKAGE)


def reads_outside(function: Any) -> bool:
    """Return True for functions that give another result at each call."""
    name, owner = getattr(function, "__name__", ""), getattr(function, "__self__", None)
    if name in READS:
        return isinstance(function, types.BuiltinFunctionType)
    if name not in CLOCKS:
        return False
    if isinstance(owner, type):
        return issubclass(owner, datetime.date)
    return isinstance(owner, types.ModuleType) and owner.__name__ == "time"


def inner_codes(code: CodeType) -> Iterator[CodeType]:
    """Iterate over the code of all functions inside a function."""
    for x in code.co_consts:
        if isinstance(x, CodeType):
            yield x
            yield from inner_codes(x)


@functools.lru_cache(maxsize=1024)
def imported_modules(code: CodeType) -> list[str]:
    """Return the modules that a function imports, relative ones with their dots."""
    before = list(dis.get_instructions(code)) if code.co_names else []
    return [
        "." * before[i - 2].argval + str(x.argval)  # after its level and its list of names
        for i, x in enumerate(before)
        if x.opname == "IMPORT_NAME"
    ]


def all_names(code: CodeType) -> set[str]:
    """Return the names and the texts in code: an attribute may be read by either."""
    texts = {x for x in code.co_consts if isinstance(x, str) and x.isidentifier()}
    for x in code.co_consts:
        if isinstance(x, tuple):
            texts.update(inner for inner in x if isinstance(inner, str))
    return texts.union(code.co_names)


class LineFinder:
    """Finds the line of the user's code after which something outside has changed."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.found: tuple[CodeType, int] | None = None
        self._last: tuple[CodeType, int] | None = None

    def follow(self, frame: FrameType, event: str, _: Any) -> Any:
        """Observe one event, as `sys.settrace` reports them."""
        if is_library(frame.f_code) or is_standard_library(frame.f_code):
            return None
        if self.found is None and self.trace.describe_change() is not None:
            self.found = self._last
        if event == "line":
            self._last = frame.f_code, frame.f_lineno
        return self.follow


@contextlib.contextmanager
def observe(observer: Observer, finder: LineFinder | None = None) -> Iterator[None]:
    """Let the observer, and the finder, see this thread's frames, for the block.

    A profiler that is on stops for the block; a debugger goes on, and nothing is found.
    """
    profiler = sys.getprofile()
    follows = finder is not None and sys.gettrace() is None
    sys.setprofile(observer.profile)
    if finder is not None and follows:
        sys.settrace(finder.follow)
    try:
        yield
    finally:
        if follows:
            sys.settrace(None)
        set_profiler(profiler)
