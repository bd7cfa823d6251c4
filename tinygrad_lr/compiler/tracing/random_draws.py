"""Random numbers in a trace: drawn by the same generator, before each step of the program."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .interception import bypass_trace
from .trace_errors import raise_trace_error
from .traced_array import Traced

AddHostInput = Callable[[Callable[[int], Any], Any, str], Traced]


FILLING = frozenset({"random", "standard_normal", "standard_exponential", "standard_gamma"})
"""The methods of a generator that take `out`, which they fill without asking for its class."""

OWN_METHODS = frozenset({"_find", "_add_host_input", "_copy", "shuffle", "spawn"})


class TracedGenerator(np.random.Generator):
    """A NumPy generator whose draws are made when the program runs, in the order of the trace.

    `find` returns the generator that draws, which may be another one at each step.
    `add_host_input` adds an input whose numbers Python computes before each step.
    """

    __stands_for__ = np.random.Generator

    def __init__(
        self, find: Callable[[], np.random.Generator], add_host_input: AddHostInput
    ) -> None:
        super().__init__(np.random.PCG64(0))  # not drawn from
        self._find, self._add_host_input = find, add_host_input

    def __getattribute__(self, name: str) -> Any:
        if name in OWN_METHODS or name.startswith("__"):
            return super().__getattribute__(name)
        if name.startswith("_") or not callable(getattr(self._find(), name)):
            raise_trace_error(
                f"Generator.{name} cannot be used in a compiled function",
                "read it outside the compiled function",
            )

        find = self._find  # what draws must not keep the trace

        def draw(*args: Any, **options: Any) -> Any:
            filled = (*args[2:], options.get("out")) if name in FILLING else ()
            if any(isinstance(x, Traced) for x in filled):
                raise_trace_error(
                    f"Generator.{name} must not draw into a traced array (out=)",
                    "draw a new array, and write it into the other: x[...] = rng.random(x.shape)",
                )
            like = getattr(self._copy(), name)(*args, **options)
            if not isinstance(like, (np.ndarray, float, np.generic)):
                raise_trace_error(
                    f"Generator.{name} must return an array or a number in a compiled function, "
                    f"got {type(like).__name__}",
                    "draw outside the compiled function and pass the result as an argument",
                )
            return self._add_host_input(
                lambda ahead: getattr(find(), name)(*args, **options), like, f"{name}_draw"
            )

        return draw

    def _copy(self) -> np.random.Generator:
        """Return a copy of the generator, so that tracing uses no draws up."""
        with bypass_trace():
            return copy.deepcopy(self._find())

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Reorder an array along an axis in place."""
        if not isinstance(x, Traced) or x.ndim == 0:
            raise_trace_error(
                f"Generator.shuffle would change a {type(x).__name__} only once, while tracing",
                "use x[rng.permutation(len(x))]",
            )
        find, count = self._find, x.shape[axis]

        def draw(ahead: int) -> Any:
            order = np.arange(count)
            find().shuffle(order)
            return order

        order = self._add_host_input(draw, np.arange(count), "shuffle_draw")
        x[...] = np.take(x, order, axis=axis)

    def spawn(self, n_children: int) -> list[np.random.Generator]:
        """Return new generators, which are made anew at each step."""
        find, children = self._find, self._copy().spawn(n_children)

        def spawn(ahead: int) -> float:
            children[:] = find().spawn(n_children)
            return 0.0

        self._add_host_input(spawn, 0.0, "spawn")
        return [
            TracedGenerator(functools.partial(children.__getitem__, i), self._add_host_input)
            for i in range(n_children)
        ]
