"""`tg.compile`: trace a function once for each signature, then run it as a program."""

from __future__ import annotations

import functools
import os
import threading
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

import numpy as np

from ...core.node import unwrap
from ...core.primitive import LEVELS, innermost_level
from ...core.value import Value
from ...errors import ArgumentError, CompileWarning, TraceError
from ...support import pytree as tree
from ...support.notebook import DisplayPart, FoldedCode, Heading, Table, notebook_display
from ...support.random_state import Seed, as_generator
from ...support.text_format import shape_text
from ...support.validation import check_flag, check_integer, check_list, check_text
from ..ir.sources import StaleProgram
from ..tracing.interception import CURRENT_TRACE
from ..tracing.trace_function import Static, list_arguments
from .backends import choose_backend
from .fast_call import MISSED, write_fast_call
from .report import Report, build_report
from .signature import is_nest, object_key, parameter_names, signature_key
from .specialization import Specialization, join_steps

P = ParamSpec("P")
R = TypeVar("R")
Owner = TypeVar("Owner")
Others = ParamSpec("Others")

MAX_SIGNATURES = 16  # of one function whose programs are kept; also objects of one method
MAX_VARIANTS = 4  # programs of one signature, for different outer objects
TRACES_BEFORE_WARNING = 8
MAX_SHOWN_INPUTS = 12  # in a notebook


ALL_COMPILED: weakref.WeakSet[Compiled[..., Any]] = weakref.WeakSet()


def _reset_after_fork() -> None:
    """Forget, in a child process, what threads that it does not have were doing."""
    for compiled in list(ALL_COMPILED):
        compiled.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def wrap_objects(x: Any, known: dict[int, Any]) -> Any:
    """Return nested arguments whose lists and dicts of other classes are single objects.

    A list, tuple or dict that is given twice is in `known`, and one object in the result too.
    """
    if not is_nest(x):
        return Static(x) if isinstance(x, (list, tuple, dict)) else x
    if id(x) not in known:
        pairs = list(x.items() if isinstance(x, dict) else enumerate(x))
        inner = {key: wrap_objects(part, known) for key, part in pairs}
        if isinstance(x, dict):
            known[id(x)] = inner
        else:
            parts = inner.values()
            known[id(x)] = type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
        if all(inner[key] is part for key, part in pairs):
            known[id(x)] = x  # of which the function may ask if it is an object from outside
    return known[id(x)]


class Compiled(Generic[P, R]):
    """A compiled function, as `tg.compile` returns it. It is called like the function itself."""

    __name__: str

    def __init__(
        self, function: Callable[P, R], backend: str | None, static: Iterable[str]
    ) -> None:
        if not callable(function):
            raise ArgumentError(
                f"compile: function must be callable, got {type(function).__name__}"
            )
        self.function = function
        functools.update_wrapper(self, function, updated=())
        name = getattr(function, "__name__", type(function).__name__)
        self.__name__ = name if name.isidentifier() else "program"
        self._parameters = parameter_names(function)
        given = [static] if isinstance(static, str) else static
        listed = check_list("compile", "static", given, "the names of parameters")
        self._static = frozenset(check_text("compile", "static", name) for name in listed)
        for missing in sorted(self._static - set(self._parameters)):
            raise ArgumentError(
                "compile: static must name some of the function's parameters "
                f"({', '.join(self._parameters) or 'none'}), got {missing!r:.60}"
            )
        self._compile_program, self.backend = choose_backend(backend)
        self._programs: dict[Any, list[Specialization]] = {}  # replaced, never changed: others read
        self._methods: OrderedDict[int, tuple[Any, Any]] = OrderedDict()  # by their object
        self._lock = threading.RLock()
        self._last: Specialization | None = None
        self._fast_call: Callable[..., Any] | None = None
        self._traces = 0
        ALL_COMPILED.add(self)

    def __repr__(self) -> str:
        count = sum(map(len, self._programs.values()))
        return f"<compiled {self.__name__}, {count} program{'s' * (count != 1)}, {self.backend}>"

    @notebook_display
    def _repr_html_(self) -> Iterator[DisplayPart]:
        """Show the signature of the last call, and the source, folded.

        How long a call takes is not shown: it would have to be measured, as `explain()` does.
        """
        count = sum(map(len, self._programs.values()))
        programs = f"{count} program{'s' * (count != 1)}"
        yield Heading(self.__name__, ["compiled", programs, f"{self.backend} backend"])
        if self._last is None:
            yield "The first call compiles it for the shapes of its arguments."
            return
        program = self._last.program
        names = program.names()
        rows = [
            (
                names[x],
                "number" if x.weak else x.dtype.name,
                shape_text(x.shape) if x.shape and not x.weak else "",
            )
            for _, x in program.inputs()
        ]
        yield Table(["reads", "dtype", "shape"], rows, max_rows=MAX_SHOWN_INPUTS)
        yield FoldedCode("source (Python that calls NumPy)", self.source)

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(
        self: Compiled[Concatenate[Owner, Others], R], instance: Owner, owner: type | None = None
    ) -> Compiled[Others, R]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind a method: each object has its own programs."""
        if instance is None:
            return self
        known, bound = self._methods.get(id(instance), (None, None))
        if known is instance:
            return bound
        with self._lock:
            known, bound = self._methods.get(id(instance), (None, None))
            if known is not instance:
                bound = Compiled(self.function.__get__(instance, owner), self.backend, self._static)
                self._methods[id(instance)] = (instance, bound)
                while len(self._methods) > MAX_SIGNATURES:
                    self._methods.popitem(last=False)
            return bound

    def __reduce__(self) -> Any:
        return Compiled, (self.function, self.backend, tuple(self._static))

    # ---- running

    def __call__(self, *args: P.args, **keywords: P.kwargs) -> R:
        """Run the function's program, tracing and compiling it first if there is none yet."""
        trace = CURRENT_TRACE.get()
        if trace is not None:  # inside another compiled function: part of its program
            return trace.stand_in(self.function)(*args, **keywords)  # type: ignore[no-any-return]
        if LEVELS and innermost_level(map(unwrap, tree.leaves((args, keywords)))) is not None:
            return self.function(*args, **keywords)  # under vmap: for all entries at once
        if self._fast_call is not None and not keywords:
            try:
                found = self._fast_call(args)
                if found is not MISSED:
                    return found  # type: ignore[no-any-return]
            except StaleProgram:
                pass  # the slow path traces again
        leaves: list[Any] = []
        key, has_values = self._key(args, keywords, leaves)
        while True:
            program = self._program_for(key, args, keywords)
            if program.is_running:
                return self.function(*args, **keywords)
            try:
                if program.is_differentiable or has_values:
                    return program.run_as_node(leaves)  # type: ignore[no-any-return]
                return program.run(leaves)  # type: ignore[no-any-return]
            except StaleProgram:
                self._discard(key, program)

    def loop(self, *args: Any, steps: int, **keywords: Any) -> Any:
        """Call the function `steps` times on the same arguments; return the stacked results.

        The whole loop runs in compiled code. Parameters, optimisers, generators and learning-rate
        schedules advance from step to step, as with separate calls. Shapes: (steps, ...) for each
        array that one call returns. Ctrl-C is answered within a fraction of a second, and leaves
        what whole steps have learnt. Raises `ArgumentError` if `steps` isn't an integer >= 0.

        >>> w = Value(0.0)
        >>> @tg.compile
        ... def step(x):
        ...     w.data = w.data + x
        ...     return w.data * 1.0
        >>> step.loop(0.5, steps=3).tolist()
        [0.5, 1.0, 1.5]
        """
        count = check_integer(f"{self.__name__}.loop", "steps", steps)
        leaves: list[Any] = []
        key, _ = self._key(args, keywords, leaves)
        program, found = self._run_steps(key, args, keywords, list(map(unwrap, leaves)), count, {})
        return program.build_result(found, plain=True)

    def epochs(
        self,
        *arrays: Any,
        batch_size: int,
        epochs: int,
        generator: Seed = None,
        shuffle: bool = True,
        drop_last: bool = False,
    ) -> Any:
        """Call the function on batches of rows, for some epochs; return the stacked results.

        Arguments are arrays, or nested lists, tuples and dicts of them, and results keep their
        structure. Each epoch uses every row once, in an order drawn from `generator` (a NumPy
        Generator or a seed; default: 0) as `tg.data.DataLoader` draws it, so the batches are those
        of that loader and of `tg.fit`. The last batch of an epoch may be smaller and then has its
        own program; `drop_last` skips it. The steps of an epoch run in compiled code. Ctrl-C is
        answered as in `loop`.

        Raises `ShapeError` if arrays have different lengths, `ArgumentError` if `batch_size` or
        `epochs` is out of range.

        >>> w = Value(0.0)
        >>> @tg.compile
        ... def step(x):
        ...     w.data = w.data + np.sum(x)
        ...     return w.data * 1.0
        >>> step.epochs(np.ones(5), batch_size=2, epochs=1).tolist()
        [2.0, 4.0, 5.0]
        """
        from .epochs import run_epochs

        def run(args: Sequence[Any], steps: int, stacked: dict[int, Any]) -> Any:
            leaves: list[Any] = []
            key, _ = self._key(tuple(args), {}, leaves)
            program, found = self._run_steps(key, tuple(args), {}, leaves, steps, stacked)
            return program.build_result(found, plain=True)

        where = f"{self.__name__}.epochs"
        return run_epochs(
            run,
            where,
            arrays,
            batch_size=check_integer(where, "batch_size", batch_size, low=1),
            epochs=check_integer(where, "epochs", epochs),
            random=as_generator(where, 0 if generator is None else generator),
            shuffle=check_flag(where, "shuffle", shuffle),
            drop_last=check_flag(where, "drop_last", drop_last),
        )

    def run_steps(self, args: Sequence[Any], steps: int, stacked: dict[int, Any]) -> list[Any]:
        """Run some steps; return the leaves of what the function returned, each stacked.

        `stacked` has, for some arrays among the arguments, those of all steps along a first axis.
        """
        leaves: list[Any] = []
        key, _ = self._key(tuple(args), {}, leaves)
        return self._run_steps(key, tuple(args), {}, leaves, steps, stacked)[1]

    def _run_steps(
        self,
        key: Any,
        args: Any,
        keywords: Any,
        leaves: list[Any],
        steps: int,
        stacked: dict[int, Any],
    ) -> tuple[Specialization, list[Any]]:
        """Return the stacked results of some steps, and the program of the last one."""
        parts: list[list[Any]] = []
        done, last = 0, None
        while True:
            program = self._program_for(key, args, keywords)
            rest = {position: x[done:] for position, x in stacked.items()}
            try:
                found, count = program.loop(leaves, steps - done, rest)
            except StaleProgram:
                self._discard(key, program)
                continue
            if last is not None and not program.returns_as(last):
                raise TraceError(
                    f"{self.__name__}: compile: in a loop the function must return the same "
                    "numbers, texts and kinds of objects at each step, except for arrays and "
                    "traced numbers; call it step by step"
                )
            parts, done, last = [*parts, found], done + count, program
            if done == steps:
                return program, join_steps(parts)

    # ---- finding the program

    def _key(
        self, args: tuple[Any, ...], keywords: dict[str, Any], leaves: list[Any]
    ) -> tuple[Any, bool]:
        """Return the signature of a call, and whether it has Values; its arrays go to `leaves`."""

        def key_of(name: str, x: Any) -> Any:
            if name in self._static:
                return (Static, object_key(x))
            return signature_key(self.__name__, x, leaves)

        if self._static:
            parts = [key_of(*pair) for pair in zip(self._parameters, args, strict=False)]
            parts += [signature_key(self.__name__, x, leaves) for x in args[len(parts) :]]
        else:
            parts = [signature_key(self.__name__, x, leaves) for x in args]
        parts += [(name, key_of(name, x)) for name, x in keywords.items()]
        return tuple(parts), any(type(x) is Value for x in leaves)

    def _mark_static(self, args: Any) -> Any:
        """Return arguments with each static one wrapped in `Static`."""
        if isinstance(args, dict):
            return {k: Static(x) if k in self._static else x for k, x in args.items()}
        if not self._static:
            return args
        names = (*self._parameters, *[""] * len(args))
        return [Static(x) if n in self._static else x for n, x in zip(names, args, strict=False)]

    def _program_for(self, key: Any, args: Any, keywords: Any) -> Specialization:
        """Return the program for a signature; trace the function if there is none."""
        program = self._find_program(key, args, keywords)
        if program is None:
            with self._lock:  # another thread may have been faster
                program = self._find_program(key, args, keywords)
                program = program or self._trace(key, args, keywords)
        return program

    def _find_program(self, key: Any, args: Any, keywords: Any) -> Specialization | None:
        """Return a program for a signature whose guards hold, None if there is none."""
        for program in self._programs.get(key, ()):
            same = program.identities
            if program.guards.hold() and (
                same is None or same.hold(list_arguments(self._given(args, keywords)))
            ):
                self._set_last(program)
                return program
        return None

    def _given(self, args: Any, keywords: Any) -> list[Any]:
        """Return the arguments as the trace gets them; the last is the dict of the keywords."""
        known: dict[int, Any] = {}
        given = [*self._mark_static(args), self._mark_static(keywords)]
        return [wrap_objects(x, known) for x in given]

    def _discard(self, key: Any, program: Specialization) -> None:
        with self._lock:
            left = [x for x in self._programs.get(key, ()) if x is not program]
            self._programs = {**self._programs, key: left}

    def _trace(self, key: Any, args: Any, keywords: Any) -> Specialization:
        labels = [*self._parameters[: len(args)]]
        labels += [f"x{i}" for i in range(len(labels), len(args))]
        given = self._given(args, keywords)
        program = Specialization(
            self.function, self.__name__, [*labels, ""], given, self._compile_program
        )
        program.fast_call = None if self._static else write_fast_call(program)
        self._traces += 1
        if self._traces == TRACES_BEFORE_WARNING:
            self._warn_of_traces()
        programs = dict(self._programs)
        programs[key] = [program, *programs.pop(key, [])][:MAX_VARIANTS]
        while len(programs) > MAX_SIGNATURES:
            del programs[next(iter(programs))]
        self._programs = programs
        self._set_last(program)
        return program

    def reset_after_fork(self) -> None:
        """Forget all programs if another thread was using one when this process was forked."""
        programs = [program for variants in self._programs.values() for program in variants]
        for lock in (self._lock, *(program.lock for program in programs)):
            if lock.acquire(blocking=False):
                lock.release()
                continue
            self._lock, self._programs, self._methods = threading.RLock(), {}, OrderedDict()
            self._last = self._fast_call = None
            return

    def _set_last(self, program: Specialization) -> None:
        self._last, self._fast_call = program, program.fast_call

    def _warn_of_traces(self) -> None:
        """Warn that the function was traced often, and why."""
        programs = [program for variants in self._programs.values() for program in variants]
        changes = sorted(filter(None, {x.guards.describe_change() for x in programs}))
        why = (
            f"{changes[0]} changes" if changes else "its arguments differ in shape, dtype or value"
        )
        warnings.warn(
            f"{self.__name__} was compiled {TRACES_BEFORE_WARNING} times: {why}; pass what changes "
            "as an array or a float, and use few different shapes",
            CompileWarning,
            stacklevel=4,
        )

    # ---- inspecting the program

    def _last_program(self) -> Specialization:
        if self._last is None:
            raise ArgumentError(
                f"{self.__name__} is not compiled yet; call it once, since it is compiled for the "
                "shapes of its arguments"
            )
        return self._last

    @property
    def source(self) -> str:
        """The program of the last call as Python that calls NumPy, with the user's names."""
        return self._last_program().source

    @property
    def program(self) -> str:
        """The program of the last call, an instruction a line."""
        return str(self._last_program().program)

    @property
    def generators(self) -> list[np.random.Generator]:
        """The generators that the program of the last call draws from."""
        return list(self._last_program().generators)

    @property
    def llvm(self) -> str:
        """The LLVM code of the last call's program. Raises `ArgumentError` with another backend."""
        text = getattr(self._last_program().executable, "llvm", None)
        if text is None:
            raise ArgumentError(
                f"{self.__name__} uses the numpy backend, which has no LLVM code; run: "
                "pip install 'tinygrad_lr[jit]'"
            )
        return str(text)

    def explain(self) -> Report:
        """Report on the program of the last call: its passes, memory, work and time.

        The time is measured on sample inputs; nothing that the function holds is changed.
        """
        return build_report(self._last_program())


@overload
def compile(
    function: Callable[P, R], *, backend: str | None = None, static: Iterable[str] = ()
) -> Compiled[P, R]: ...
@overload
def compile(
    function: None = None, *, backend: str | None = None, static: Iterable[str] = ()
) -> Callable[[Callable[P, R]], Compiled[P, R]]: ...
def compile(
    function: Callable[..., Any] | None = None,
    *,
    backend: str | None = None,
    static: Iterable[str] = (),
) -> Any:
    """Compile a function of arrays: a forward pass, a gradient, or a whole training step.

    The function is traced once for each signature (shapes and dtypes of arrays, values of other
    arguments), with everything in it: loss, backward, the optimiser's update, random draws. From
    then on it runs as a program: machine code with the extra `jit` (llvmlite), else Python that
    calls NumPy with preallocated arrays. Models and optimisers are used and updated as in eager
    code.

    - `backend`: "llvm", "numpy", or None for the fastest that is installed.
    - `static`: names of parameters; the function is compiled again for each new value of them.
      Integers, booleans, strings and other objects are always static; a float is static only if
      named.

    The result is a `Compiled`: `.loop(..., steps=n)` and `.epochs(...)` run many steps in
    compiled code; `.source`, `.program`, `.llvm` and `.explain()` show the program. Called on
    Values, or with parameters, it is one node of their graph, with compiled derivatives of every
    order. The node remembers what the call used: its draws, numbers, arrays, layers and their mode.

    Results share memory with nothing: where the function returns an argument or a view of one, the
    result is a copy. A function that its own program calls (from a primitive) runs as it is.

    Everything that the function reads from outside is guarded: when it changes, the function is
    traced again. A gradient that an optimiser in the function has used up is not kept: `.grad` is
    None afterwards.

    Raises `TraceError`, with the user's line, if the function does what a program can't: branch on
    a traced number, call `float()` or `.item()` on one, change anything outside, read a clock or a
    file, or draw from `np.random` or `random`. Raises `ArgumentError` if the backend or a static
    name is unknown, `MissingExtraError` if backend="llvm" and llvmlite isn't installed.

    >>> model = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> optimizer = tg.optim.SGD(model.parameters(), 0.25)
    >>> @tg.compile
    ... def step(x, y):
    ...     loss = tg.losses.mse(model(x), y)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> losses = step.loop(x, 2 * x + 1, steps=300)
    >>> model.weight.data.round(6).tolist(), model.bias.data.round(6).tolist()
    ([[2.0]], [1.0])
    """
    if function is None:
        return functools.partial(compile, backend=backend, static=static)
    return Compiled(function, backend, static)
