"""Observe the frames of a function while it is traced: the code that runs, and its variables.

Python calls the observer when a function begins and ends. So code is known before it can read
anything, however it was reached, and results are named after the user's variables.
"""

from __future__ import annotations

import builtins
import contextlib
import datetime
import dis
import functools
import gc
import importlib.util
import inspect
import os
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ...core.value import Value
from ...support.files import PACKAGE
from ..ir.instruction import Instruction
from ..ir.sources import MISSING
from .call_stack import is_library, is_standard_library
from .captures import global_names
from .guards import GLOBAL_READS, is_installed, is_users
from .interception import CURRENT_TRACE, bypass_trace, set_profiler
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
PROCESS = frozenset(
    {
        *("getpid", "getppid", "get_ident", "get_native_id", "gethostname", "getloadavg"),
        *("times", "getrusage", "cpu_count", "getrefcount", "get_count", "getrecursionlimit"),
    }
)
"""Functions that describe the process, refused where the user's own code calls them."""
OUTSIDE_NAMES = CLOCKS | READS | PROCESS
NUMPY_SETTINGS: dict[CodeType, Callable[[], Any]] = {
    inspect.unwrap(f).__code__: f for f in (np.geterr, np.geterrcall, np.get_printoptions)
}
"""Functions of NumPy that read what its other functions set, by their code."""
SOURCE_READERS = frozenset({"linecache.py", "tokenize.py"})  # for the text of a warning
FROM_OUTSIDE = (
    "a clock, a file, the process or the system's randomness would be read while tracing, and "
    "never again",
    "read it outside the compiled function, and pass the number or the array as an argument",
)


IDENTITY_NAMES = frozenset({"id", "is_", "is_not", "shares_memory", "may_share_memory"})
READS_OF_NAMES = frozenset({*GLOBAL_READS, "LOAD_ATTR", "LOAD_METHOD"})
CLASS_OF_A_STAND_IN = (
    "type() in a method may get a traced array or number, whose class isn't that of eager code",
    "use isinstance() or x.__class__, or ask in a function",
)


class Observer:
    """Watches the code that runs in a trace, and collects the variables of the user's functions."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.names: dict[Instruction, str] = {}
        self._codes: set[tuple[int, int]] = set()
        self._asking: set[tuple[int, int]] = set()  # those that ask for the class of a variable
        self._quiet: set[tuple[int, int]] = set()  # those of which later calls change nothing
        self._silent: set[int] = set()  # codes whose variables and imports don't matter
        self._kept: list[CodeType] = []  # so that ids stay theirs
        self._ignored = {id(getattr(f, "__code__", None)) for f in gc.callbacks}

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        """Observe one event, as `sys.setprofile` reports them: tens of thousands in a trace."""
        if event == "call":
            if (id(frame.f_code), id(frame.f_globals)) not in self._quiet:
                self.enter(frame)
        elif event == "c_call":
            if argument.__name__ in OUTSIDE_NAMES:
                self.call_builtin(frame, argument)
        elif event == "return" and id(frame.f_code) not in self._silent:
            if is_library(frame.f_code):
                self._kept.append(frame.f_code)
                self._silent.add(id(frame.f_code))
                return
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
            if key in self._asking:
                self._check_classes(frame)
            return
        if code.co_filename == inspect.__file__ and is_for_this_package(frame):
            return  # for the signature of a function, not for the user's numbers
        self._codes.add(key)
        self._kept.append(code)
        if code is not CACHED_PROPERTY and (is_library(code) or is_standard_library(code)):
            self._quiet.add(key)
        if id(code) in self._ignored:
            return
        if is_library(code):
            if code.co_filename.startswith(PACKAGE):
                self.trace.guards.watch_names(code.co_names, "own", computes=False)
            elif code in NUMPY_SETTINGS:
                self.trace.guards.settings("the settings of NumPy", NUMPY_SETTINGS[code])
            return
        standard = is_standard_library(code)
        computes = not standard or Path(code.co_filename).name in COMPUTING
        self.trace.guards.watch_names(all_names(code), "python" if standard else "user", computes)
        self.trace.captures.inner_codes.update(map(id, inner_codes(code)))
        if "environ" in code.co_names:
            with self.trace.guards.direct():
                self.trace.guards.watch(os.environ, "os.environ")
        if standard:
            return
        if "modules" in code.co_names:
            self._watch_modules(code)
        trace, (line, truth_line) = self.trace, identity_lines(code)
        if line is not None and trace.compares_at is None:
            trace.compares_at = code, line
        if truth_line is not None and trace.compares_truth_at is None:
            trace.compares_truth_at = code, truth_line
        if id(frame.f_globals) not in self.trace.captures.spaces:
            self._watch_outside(frame)

    def _check_classes(self, frame: FrameType) -> None:
        """Refuse `type(x)` where it gives the class of a stand-in."""
        for line, name in class_reads(frame.f_code):
            if name is not None and isinstance(frame.f_locals.get(name), Traced):
                self.trace.refuse_at(frame.f_code, line, *CLASS_OF_A_STAND_IN)

    def _watch_outside(self, frame: FrameType) -> None:
        """Watch what code reads that runs without stand-ins."""
        code, names = frame.f_code, frame.f_globals
        if "type" not in names and class_reads(code):
            self._asking.add((id(code), id(names)))
            self._check_classes(frame)
            for line, name in class_reads(code):
                if name is None and not is_installed(str(names.get("__name__")).partition(".")[0]):
                    self.trace.refuse_at(code, line, *CLASS_OF_A_STAND_IN)
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
            of_a_library = (is_library(code) or is_standard_library(code)) and (
                function.__name__ in CLOCKS | PROCESS  # for a log, or a lock
            )
            of_an_import = code.co_filename.startswith("<frozen importlib")
            of_a_library = of_a_library or of_an_import or name in SOURCE_READERS
            if not (of_a_library or is_for_this_package(frame)):
                self.trace.refuse(*FROM_OUTSIDE)

    def leave(self, frame: FrameType) -> None:
        """Collect a function's variables, and watch the modules that it has imported."""
        standard = is_standard_library(frame.f_code)
        package = frame.f_globals.get("__package__") or ""
        for spelt in () if standard else imported_modules(frame.f_code):
            name = importlib.util.resolve_name(spelt, package)
            module = sys.modules.get(name)
            if module is not None:
                self._watch_module(module)
            else:  # whose import has failed, or wasn't reached
                self.trace.guards.entry(f"the module {name}", sys.modules, name, MISSING)
        for name, x in frame.f_locals.items():
            content = x._content if isinstance(x, Value) else x
            if isinstance(content, Traced) and not name.startswith("."):
                with bypass_trace():  # to name an array isn't to read it
                    self.names.setdefault(content.instruction, name)

    def _watch_module(self, module: types.ModuleType) -> None:
        """Watch a module that the function has imported, and that imports will find it."""
        name, guards = module.__name__, self.trace.guards
        with guards.direct():
            if is_users(module) and sys.modules.get(name) is module:
                guards.entry(f"the module {name}", sys.modules, name, module)
            guards.watch(module, name)

    def _watch_modules(self, code: CodeType) -> None:
        """Watch the modules that code may find in `sys.modules`: the user's, and what it names."""
        texts = {x for x in code.co_consts if isinstance(x, str)}
        for name, module in list(sys.modules.items()):
            found = isinstance(module, types.ModuleType) and name == module.__name__
            if found and (is_users(module) or name in texts):
                self._watch_module(module)

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
    if name in READS or name in PROCESS:
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


@functools.lru_cache(maxsize=1024)
def class_reads(code: CodeType) -> list[tuple[int, str | None]]:
    """Return the calls of `type` with one argument: the line, and the parameter that it gets.

    The parameter is None for whatever else is given.
    """
    found: list[tuple[int, str | None]] = []
    if "type" not in code.co_names:
        return found
    steps = list(dis.get_instructions(code))
    changed = {x.argval for x in steps if x.opname in {"STORE_FAST", "STORE_DEREF"}}
    given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    line = code.co_firstlineno
    for i, x in enumerate(steps):
        line = (x.positions and x.positions.lineno) or line
        if x.opname != "LOAD_GLOBAL" or x.argval != "type":
            continue
        after = [y.argval for y in steps[i + 1 : i + 2] if y.opname.startswith("LOAD_FAST")]
        calls = any(y.opname in {"PRECALL", "CALL"} and y.arg == 1 for y in steps[i + 2 : i + 3])
        if after and calls and after[0] in given and after[0] not in changed:
            found.append((line, after[0]))
        elif is_pushed_to_call(x):
            found.append((line, None))
    return found


@functools.lru_cache(maxsize=1024)
def identity_lines(code: CodeType) -> tuple[int | None, int | None]:
    """Return the lines at which code asks whether two objects are the same, None if it doesn't.

    The first is of a comparison that isn't with a constant, such as None, or with a builtin, such
    as `float`; the second of one that may be with True or False.
    """
    line, before = code.co_firstlineno, None
    found: list[int | None] = [None, None]
    for x in dis.get_instructions(code):
        line = (x.positions and x.positions.lineno) or line
        known = before is not None and (
            before.opname == "LOAD_CONST"
            or (before.opname in GLOBAL_READS and hasattr(builtins, str(before.argval)))
        )
        compares = x.opname == "IS_OP"
        if (compares and not known) or (x.opname in READS_OF_NAMES and x.argval in IDENTITY_NAMES):
            return line, found[1] or line
        if compares and before is not None and isinstance(before.argval, bool):
            found[1] = found[1] or line
        before = x
    return found[0], found[1]


def is_pushed_to_call(x: dis.Instruction) -> bool:
    """Return True if a global name is loaded to be called next."""
    return "NULL" in x.argrepr


def all_names(code: CodeType) -> set[str]:
    """Return the names and the texts in code: an attribute may be read by either."""
    texts = {x for x in code.co_consts if isinstance(x, str) and x.isidentifier()}
    for x in code.co_consts:
        if isinstance(x, tuple):
            texts.update(inner for inner in x if isinstance(inner, str))
    return texts.union(code.co_names)


class LineFinder:
    """Finds the line of the user's code after which something outside has changed.

    `changed` is what `Trace.describe_change` says of it.
    """

    def __init__(self, trace: Trace, changed: tuple[str, str]) -> None:
        self.trace, self.changed = trace, changed
        self.found: tuple[CodeType, int] | None = None
        self._last: tuple[CodeType, int] | None = None
        self._apart = {getattr(x, "__code__", None) for x in gc.callbacks}  # run at any moment

    def follow(self, frame: FrameType, event: str, _: Any) -> Any:
        """Observe one event, as `sys.settrace` reports them."""
        code = frame.f_code
        if is_library(code) or is_standard_library(code) or code in self._apart:
            return None
        if self.found is None and self.trace.has_changed(self.changed):
            self.found = self._last
        if event == "line":
            self._last = code, frame.f_lineno
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
