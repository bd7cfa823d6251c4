"""`tg.compile`: a function that is traced once for each signature, and then runs as a program."""

from __future__ import annotations

import functools
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ...core.value import Value, plain
from ...errors import ArgumentError, CompileWarning, refuse
from ...support.notebook import DisplayPart, FoldedCode, Heading, Table, notebook_display
from ...support.random_state import Seed, as_generator
from ...support.text_format import shape_text
from ...support.validation import check_integer
from ..tracing.interception import TRACE
from ..tracing.sources import Changed
from ..tracing.trace_function import Static
from .backends import chosen_writer
from .differentiable import as_node, pulled
from .fast_call import MISSED
from .report import Report, report
from .signature import key_of, parameters_of
from .specialization import Specialization

KEPT = 16  # signatures of one function whose programs are kept
VARIANTS = 4  # programs of one signature, for what was found outside of the function
MAX_SHOWN_INPUTS = 12  # in a notebook
OFTEN = 8  # traces after which a warning says why


class Compiled:
    """A compiled function, as `tg.compile` makes it: it is called as the function itself."""

    __name__: str

    def __init__(
        self, function: Callable[..., Any], backend: str | None, static: Iterable[str]
    ) -> None:
        if not callable(function):
            expected, given = "a function", type(function).__name__
            refuse(ArgumentError, "compile", "nothing to compile", expected=expected, given=given)
        self.function = function
        functools.update_wrapper(self, function, updated=())
        name = getattr(function, "__name__", type(function).__name__)
        self.__name__ = name if name.isidentifier() else "program"
        self._parameters = parameters_of(function)
        self._static = frozenset([static] if isinstance(static, str) else static)
        for missing in sorted(self._static - set(self._parameters)):
            refuse(
                ArgumentError,
                "compile",
                f"static names no argument of {self.__name__}",
                expected=f"some of {', '.join(self._parameters) or 'none'}",
                given=repr(missing),
            )
        self._write, self.backend = chosen_writer(backend)
        self._programs: OrderedDict[Any, list[Specialization]] = OrderedDict()
        self._bound: OrderedDict[int, tuple[Any, Any]] = OrderedDict()  # methods, by their object
        self._lock = threading.RLock()
        self._last: Specialization | None = None
        self._quick: Callable[..., Any] | None = None
        self._traces = 0

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
            yield "It is compiled for the shapes of its first call."
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

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a method: one program for each object."""
        if instance is None:
            return self
        known, bound = self._bound.get(id(instance), (None, None))
        if known is not instance:
            bound = Compiled(self.function.__get__(instance, owner), self.backend, self._static)
            self._bound[id(instance)] = (instance, bound)
            while len(self._bound) > KEPT:
                self._bound.popitem(last=False)
        return bound

    def __reduce__(self) -> Any:
        return Compiled, (self.function, self.backend, tuple(self._static))

    # ---- running

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """What the function returns."""
        if TRACE.get() is not None:  # within another program: a part of that
            return self.function(*args, **keywords)
        if self._quick is not None and not keywords:
            try:
                found = self._quick(args)
                if found is not MISSED:
                    return found
            except Changed:
                pass  # the long way finds out what has
        leaves: list[Any] = []
        key, values = self._key(args, keywords, leaves)
        while True:
            program = self._found(key, args, keywords, values)
            try:
                if program.connected or values:
                    return as_node(self, program, (*self._kept(args), self._kept(keywords)), leaves)
                return program.run(leaves)
            except Changed:
                self._forget(key, program)

    def loop(self, *args: Any, steps: int, **keywords: Any) -> Any:
        """Call it so many times on the same arguments: what it returned each time, stacked.

        The whole loop runs in compiled code. Parameters, optimisers and generators go on from
        step to step as they would by calls, and so does a learning rate that is a function of the
        step. Shapes: (steps, ...) for each array that one call returns. Raises `ArgumentError` for
        steps that are no whole number.

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
        leaves = [plain(x) for x in leaves]
        while True:
            program = self._found(key, args, keywords, False)
            try:
                return program.result(program.loop(leaves, count), plain=True)
            except Changed:
                self._forget(key, program)

    def epochs(
        self,
        *arrays: Any,
        batch_size: int,
        epochs: int,
        generator: Seed = None,
        shuffle: bool = True,
        drop_last: bool = False,
    ) -> Any:
        """Call it on batches of rows, epoch after epoch: what it returned at each step, stacked.

        Every epoch takes each row once, in an order drawn from `generator` (a numpy Generator or
        a seed, 0 unless given) as `tg.data.DataLoader` draws it, so the batches are those of that
        loader and of `tg.fit`. The last batch may be smaller, unless `drop_last`; it has a program
        of its own. The steps of an epoch run in compiled code.

        Raises `ShapeError` for arrays of different lengths, `ArgumentError` for a batch_size or
        epochs out of range.

        >>> w = Value(0.0)
        >>> @tg.compile
        ... def step(x):
        ...     w.data = w.data + np.sum(x)
        ...     return w.data * 1.0
        >>> step.epochs(np.ones(5), batch_size=2, epochs=1).tolist()
        [2.0, 4.0, 5.0]
        """
        from .epochs import run_epochs

        where = f"{self.__name__}.epochs"
        return run_epochs(
            self,
            where,
            arrays,
            batch_size=check_integer(where, "batch_size", batch_size, low=1),
            epochs=check_integer(where, "epochs", epochs),
            random=as_generator(where, 0 if generator is None else generator),
            shuffle=shuffle,
            drop_last=drop_last,
        )

    def looped(self, leaves: Sequence[Any], steps: int, stacked: dict[int, Any]) -> list[Any]:
        """So many steps on arguments of which some have the rows of every step; the results."""
        key, _ = self._key(tuple(leaves), {}, [])
        while True:
            program = self._found(key, tuple(leaves), {}, False)
            try:
                return program.loop(leaves, steps, stacked)
            except Changed:
                self._forget(key, program)

    def backward(self, program: Specialization, args: Sequence[Any], outputs: int) -> Compiled:
        """The compiled function of cotangents and operands that gives the operands' cotangents."""
        made: Compiled | None = program.backward
        if made is None:
            function = pulled(self.function, args, program.sources)
            made = Compiled(function, self.backend, ())
            made.__name__ = f"{self.__name__}_backward"
            program.backward = made
        return made

    # ---- finding the program

    def _key(
        self, args: tuple[Any, ...], keywords: dict[str, Any], leaves: list[Any]
    ) -> tuple[Any, bool]:
        """The signature of a call; its arrays and numbers go to `leaves`."""
        if self._static:
            named = zip(self._parameters, args, strict=False)
            parts = [
                (Static, type(x), x) if name in self._static else key_of(self.__name__, x, leaves)
                for name, x in named
            ]
            parts += [key_of(self.__name__, x, leaves) for x in args[len(parts) :]]
        else:
            parts = [key_of(self.__name__, x, leaves) for x in args]
        for name, x in keywords.items():
            static = name in self._static
            parts.append(
                (name, (Static, type(x), x) if static else key_of(self.__name__, x, leaves))
            )
        return tuple(parts), any(type(x) is Value for x in leaves)

    def _kept(self, args: Any) -> Any:
        """Arguments with the static ones marked."""
        if isinstance(args, dict):
            return {k: Static(x) if k in self._static else x for k, x in args.items()}
        if not self._static:
            return args
        names = (*self._parameters, *[""] * len(args))
        return [Static(x) if n in self._static else x for n, x in zip(names, args, strict=False)]

    def _found(self, key: Any, args: Any, keywords: Any, values: bool) -> Specialization:
        program = self._holding(key)
        if program is None:
            with self._lock:  # another thread may have been quicker
                program = self._holding(key) or self._trace(key, args, keywords)
        return program

    def _holding(self, key: Any) -> Specialization | None:
        """The program that there is for a signature, if it holds still."""
        for program in list(self._programs.get(key, ())):
            if program.guards.hold():
                self._shown_last(program)
                return program
        return None

    def _forget(self, key: Any, program: Specialization) -> None:
        with self._lock:
            programs = self._programs.get(key, [])
            if program in programs:
                programs.remove(program)

    def _trace(self, key: Any, args: Any, keywords: Any) -> Specialization:
        labels = [*self._parameters[: len(args)]]
        labels += [f"x{i}" for i in range(len(labels), len(args))]
        given = [*self._kept(args), self._kept(keywords)]
        made = Specialization(self.function, self.__name__, [*labels, ""], given, self._write)
        self._traces += 1
        if self._traces == OFTEN:
            self._warn(key)
        programs = self._programs.setdefault(key, [])
        programs.insert(0, made)
        del programs[VARIANTS:]
        self._programs.move_to_end(key)
        while len(self._programs) > KEPT:
            self._programs.popitem(last=False)
        self._shown_last(made)
        return made

    def _shown_last(self, program: Specialization) -> None:
        self._last = program
        self._quick = None if self._static else program.quick

    def _warn(self, key: Any) -> None:
        """Say why a function was traced so often."""
        reasons = {p.guards.changed() for programs in self._programs.values() for p in programs}
        named = sorted(filter(None, reasons))
        why = f"{named[0]} changes" if named else "its arguments differ in shape, dtype or value"
        warnings.warn(
            f"{self.__name__} was compiled {OFTEN} times: {why}; pass what changes as an array or "
            "a float, and keep to a few shapes",
            CompileWarning,
            stacklevel=4,
        )

    # ---- what can be read

    def _shown(self) -> Specialization:
        if self._last is None:
            raise ArgumentError(
                f"{self.__name__}: there is no program yet; call it once, since it is compiled "
                "for the shapes that it is called with"
            )
        return self._last

    @property
    def source(self) -> str:
        """The program of the last call as Python that calls NumPy, under the user's names."""
        return self._shown().source

    @property
    def program(self) -> str:
        """The program of the last call, an instruction a line."""
        return str(self._shown().program)

    @property
    def generators(self) -> list[np.random.Generator]:
        """The generators from which the program of the last call draws."""
        return list(self._shown().generators)

    @property
    def llvm(self) -> str:
        """The native code of the last call, in LLVM's language. Raises `ArgumentError` without."""
        text = getattr(self._shown().executable, "llvm", None)
        if text is None:
            raise ArgumentError(
                f"{self.__name__} runs by the numpy writer, which has no native code; "
                "pip install 'tinygrad_lr[jit]'"
            )
        return str(text)

    def explain(self) -> Report:
        """What the passes removed, the memory, the work and the time: a report that prints itself.

        The time is that of the program of the last call, on numbers that are made up; nothing that
        the function holds is changed.
        """
        return report(self._shown())


def compile(
    function: Callable[..., Any] | None = None,
    *,
    backend: str | None = None,
    static: Iterable[str] = (),
) -> Any:
    """Compile a function of arrays: a forward pass, a gradient, or a whole training step.

    The function is traced once for each signature (shapes and dtypes of arrays, values of other
    arguments), with everything in it: loss, backward, the optimiser's update, random draws. What
    was traced runs from then on as a program: machine code with the extra `jit` (llvmlite), else
    Python that calls NumPy into arrays that are there already. Models and optimisers are used
    just as in eager code, and are changed as they would be.

    - `backend`: "llvm", "numpy", or None for the quickest that is there.
    - `static`: names of arguments that make another program when their value changes; integers,
      booleans, texts and other objects always do, floats and arrays never else.

    The result is a `Compiled`: `.loop(..., steps=n)` and `.epochs(...)` run many steps in
    compiled code; `.source`, `.program`, `.llvm` and `.explain()` show the program. Called on
    Values it is one node of their graph, with a compiled backward.

    What the function finds outside of itself (global names, attributes of modules) is watched, and
    it is traced anew when that changes. A gradient that an optimiser used up within the function
    is not kept: `.grad` is then None.

    Raises `TraceError`, with the line, for what a program cannot do: a branch on a number that is
    only known later, `float()` or `.item()` of one, writing into an array from outside, results
    kept outside. Raises `ArgumentError` for a backend or static names that do not exist,
    `MissingExtraError` for backend="llvm" without llvmlite.

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
