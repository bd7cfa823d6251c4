"""One compiled form of a function: for one signature, and for what it found outside of itself."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from ...core.node import Node
from ...core.value import Value, result
from ...support import pytree as tree
from ..ir.executable import Backend, Executable
from ..ir.instruction import Instruction
from ..ir.passes import PassResult, run_passes
from ..ir.program import Program
from ..numpy_backend.source import Writing
from ..tracing.python_calls import made_up
from ..tracing.sources import Argument, Changed, Content, Host, Place
from ..tracing.trace_function import Result, recorded, with_live_arrays
from ..tracing.traced_array import cast_to, fit
from .fast_call import quick_way
from .report import best_of

AT_ONCE = 64 << 20  # bytes of random draws that are made before the steps that use them


class Specialization:
    """A function traced once: its program, how to run it, and what must stay as it was.

    - `traced`, `program`: before and after the passes that serve every writer, listed in `done`
    - `sources`: the leaf Values, other than arguments, on which a result may depend
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        parameters: Sequence[str],
        args: Sequence[Any],
        write: Backend,
        bound: Sequence[Value] = (),
    ) -> None:
        began = time.perf_counter()
        self.backward: Any = None  # the compiled backward, once somebody asks for it
        self.lock = threading.RLock()
        seen = recorded(function, name, parameters, args, bound)
        seen.check_released()
        self.traced, self.guards = seen.program, seen.guards
        self.structure, self.required = seen.structure, seen.required
        self.single = isinstance(seen.structure, Result)
        self.nested = [isinstance(x, (list, tuple, dict)) for x in args[:-1]] + [bool(args[-1])]
        self.connected, self.sources, self.counters = seen.connected, seen.sources, seen.counters
        self.generators = seen.generators
        self.done: list[PassResult]
        self.program, self.done = run_passes(with_live_arrays(self.traced))
        inputs = self.program.inputs()
        self.places = [place for place, _ in inputs]
        keys = [place.key() for place in self.places]
        self.hosts = [  # what Python makes for each step, and for which input: -1 for none
            (keys.index(host.key()) if host.key() in keys else -1, host) for host in seen.hosts
        ]
        self.inputs = [x for _, x in inputs]
        self.executable = self._written(write)
        self.quick = quick_way(self)
        self.seconds = time.perf_counter() - began

    def _written(self, write: Backend) -> Executable:
        """The program made executable, its updates sorted into those of inputs and the rest."""
        positions = {place.key(): i for i, place in enumerate(self.places)}
        self.moved: list[int] = []  # inputs that are changed
        self.returned: list[tuple[Place, bool]] = []  # places that get what comes back
        self.cleared: list[Place] = []
        moved: list[tuple[int, Instruction]] = []
        results = list(self.program.results)
        for place, new in self.program.updates:
            position = positions.get(place.key())
            if new is None:
                self.cleared.append(place)
            elif position is not None:
                like = self.inputs[position]
                moved.append((position, fit(cast_to(new, like.dtype, like.weak), like.shape)))
                self.moved.append(position)
            else:
                self.returned.append((place, new.weak))
                results.append(new)
        self.numbers = [i for i in self.moved if not isinstance(self.places[i].read(), np.ndarray)]
        self.known: list[Any] = [None] * len(self.places)
        self._gather = self._gathering()
        self.checks = [
            (self.places.index(x.options["place"]), look)
            for x, look in self.program.checks
            if x.operation == "input"
        ]
        checks = [(x, look) for x, look in self.program.checks if x.operation != "input"]
        program = Program(self.program.name, results, [], checks)
        self._parts = (program, self.inputs, moved)
        return write(*self._parts)

    @property
    def source(self) -> str:
        """The program as Python that calls NumPy, whatever runs it."""
        return str(getattr(self.executable, "source", None) or Writing(*self._parts).source)

    # ---- running

    def _forget_arguments(self) -> None:
        """The quick way is to take arguments anew: the long way has given others."""
        for i, place in enumerate(self.places):
            if isinstance(place, Argument):
                self.known[i] = None

    def _gathering(self) -> Callable[[Sequence[Any]], list[Any]]:
        """A function that finds the present numbers of all inputs."""
        space: dict[str, Any] = {"known": self.known, "taken": self._taken}
        lines, spelt = [], []
        for k, (_, host) in enumerate(self.hosts):  # in the order in which the function asks
            space[f"make{k}"] = host.make
            lines.append(f"    h{k} = make{k}(0)")
        made = {i: f"h{k}" for k, (i, _) in enumerate(self.hosts)}
        for i, place in enumerate(self.places):
            if isinstance(place, Argument):
                spelt.append(f"leaves[{place.position}]")
                continue
            space[f"p{i}"] = place.value if isinstance(place, Content) else place
            if isinstance(place, Host):
                spelt.append(made[i])
                continue
            read = f"p{i}._content" if isinstance(place, Content) else f"p{i}.read()"
            lines += [f"    x{i} = {read}", f"    if x{i} is not known[{i}]:"]
            lines.append(f"        x{i} = taken({i}, x{i})")
            spelt.append(f"x{i}")
        text = "\n".join(["def gather(leaves):", *lines, f"    return [{', '.join(spelt)}]"])
        exec(compile(text, "<gather>", "exec"), space)
        return cast("Callable[[Sequence[Any]], list[Any]]", space["gather"])

    def _taken(self, i: int, x: Any) -> Any:
        """An array or number that was not there at the last call.

        An array that the program changes becomes its own, and stays. Raises `Changed` for another
        shape or dtype.
        """
        like, place = self.inputs[i], self.places[i]
        if like.weak:
            if type(x) not in {float, int, bool}:
                raise Changed
            return x
        if not isinstance(x, (np.ndarray, np.generic)) or x.shape != like.shape:
            raise Changed
        if x.dtype != like.dtype:
            raise Changed
        if isinstance(x, np.ndarray):
            keep = x.flags.c_contiguous and x.flags.aligned
            if i in self.moved:
                shared = isinstance(place, Content) and not place.value._data_shared
                if shared or not (x.flags.carray and x.flags.owndata):
                    x = np.array(x, like.dtype, order="C")
                place.write(x)
                keep = True
            if keep:
                self.known[i] = x
        return x

    def run(self, leaves: Sequence[Any]) -> Any:
        """What the function returns."""
        with self.lock:
            self._forget_arguments()
            inputs = self._gather(leaves)
            for i, look in self.checks:
                look(inputs[i])
            found = self.executable(inputs)
            if self.numbers or self.returned or self.cleared or self.counters:
                found = list(self._settled(found, 1))
        return self.result(found)

    def loop(
        self, leaves: Sequence[Any], steps: int, stacked: dict[int, Any] | None = None
    ) -> list[Any]:
        """What the function returns at each of so many steps, stacked.

        `stacked` has, for some arguments, the arrays of all steps along a first axis.
        """
        stacked = stacked or {}
        drawn = sum(self.inputs[i].nbytes for i, host in self.hosts if host.changes and i >= 0)
        most = max(1, AT_ONCE // drawn) if drawn else max(1, steps)
        parts: list[list[Any]] = []
        with self.lock:
            self._forget_arguments()
            for first in range(0, steps, most):
                last = min(first + most, steps)
                part = {position: x[first:last] for position, x in stacked.items()}
                parts.append(self._some_steps(leaves, last - first, part))
        if not parts:
            return [np.empty((0, *x.shape), x.dtype) for x in self.program.results]
        return parts[0] if len(parts) == 1 else list(map(np.concatenate, zip(*parts, strict=True)))

    def _some_steps(self, leaves: Sequence[Any], steps: int, stacked: dict[int, Any]) -> list[Any]:
        """So many steps at once, what Python makes for them having been made before."""
        inputs = self._gather(leaves)
        changing: dict[int, list[Any]] = {
            i: [inputs[i]] for i, host in self.hosts if host.changes and i >= 0
        }
        for step in range(1, steps):
            for i, host in self.hosts:
                if host.changes:
                    made = host.make(step)
                    if i >= 0:
                        changing[i].append(made)
        given = {i: np.stack(x) for i, x in changing.items()}
        for i, place in enumerate(self.places):
            if isinstance(place, Argument) and place.position in stacked:
                given[i] = stacked[place.position]
        for i, look in self.checks:
            for x in given.get(i, inputs[i : i + 1]):
                look(x)
        rows, carried = self.executable.loop(inputs, steps, given)
        self._settled([*(row[-1] for row in rows), *carried], steps)
        return [np.asarray(row) for row in rows[: len(rows) - len(self.returned)]]

    def timed(self) -> float:
        """The seconds of a step, on numbers that are made up: no place is read or written.

        nan where a call refuses them.
        """
        numbers = [made_up(x) for x in self.inputs]
        with self.lock, np.errstate(all="ignore"):
            try:
                return best_of(lambda: self.executable(numbers))
            except Exception:  # a matrix that can't be inverted, or what an operation asks of users
                return math.nan
            finally:
                self.known[:] = [None] * len(self.known)

    def _settled(self, found: Sequence[Any], steps: int) -> Sequence[Any]:
        """Put back what is not changed in place, count the steps; the results of the function."""
        end = len(found) - len(self.numbers)
        for i, number in zip(self.numbers, found[end:], strict=True):
            like = self.inputs[i]
            self.places[i].write(float(number) if like.weak else like.dtype.type(number))
        start = end - len(self.returned)
        for (place, weak), number in zip(self.returned, found[start:end], strict=True):
            place.write(float(number) if weak else number)
        for place in self.cleared:
            place.write(None)
        for owner, name, by in self.counters:
            setattr(owner, name, getattr(owner, name) + by * steps)
        return found[:start]

    def result(self, found: Sequence[Any], plain: bool = False) -> Any:
        """The results in the structure that the function returned."""
        if self.single:
            x = self.structure
            return (
                self._released(x, found[0])
                if isinstance(x, Result) and not plain
                else (found[0] if isinstance(x, Result) else x)
            )
        numbers = iter(found)

        def released(x: Any) -> Any:
            if not isinstance(x, Result):
                return x
            number = next(numbers)
            return number if plain else self._released(x, number)

        return tree.mapped(released, self.structure)

    @staticmethod
    def _released(x: Result, number: Any) -> Any:
        if not x.is_value or isinstance(number, Node):
            return number
        return result(number, None)
