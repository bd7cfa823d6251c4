"""Random numbers in a trace: drawn by the same generator, before each step of the program."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from .interception import bypass_trace
from .trace_errors import raise_trace_error
from .traced_array import Traced

AddHostInput = Callable[[Callable[[int], Any], Any, str], Traced]


class TracedGenerator(np.random.Generator):
    """A NumPy generator whose draws are made when the program runs, in the order of the trace.

    `add_host_input` adds an input whose numbers Python computes before each step.
    """

    __stands_for__ = np.random.Generator

    def __init__(self, generator: np.random.Generator, add_host_input: AddHostInput) -> None:
        super().__init__(np.random.PCG64(0))  # not drawn from
        self._generator, self._add_host_input = generator, add_host_input

    def __getattribute__(self, name: str) -> Any:
        if name in {"_generator", "_add_host_input"} or name.startswith("__"):
            return super().__getattribute__(name)
        method = getattr(self._generator, name)
        if name.startswith("_") or not callable(method):
            raise_trace_error(
                f"Generator.{name} cannot be used in a compiled function",
                "read it outside the compiled function",
            )

        def draw(*args: Any, **options: Any) -> Any:
            with bypass_trace():
                trial = copy.deepcopy(self._generator)  # so that tracing uses no draws up
            like = getattr(trial, name)(*args, **options)
            if not isinstance(like, (np.ndarray, float, np.generic)):
                raise_trace_error(
                    f"Generator.{name} must return an array or a number in a compiled function, "
                    f"got {type(like).__name__}",
                    "draw outside the compiled function and pass the result as an argument",
                )
            return self._add_host_input(
                lambda ahead: method(*args, **options), like, f"{name}_draw"
            )

        return draw
