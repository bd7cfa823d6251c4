"""Random numbers in a trace: drawn by the same generator, before each step of the program."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import TraceError

if TYPE_CHECKING:
    from .trace import Trace


class TracedGenerator:
    """A NumPy generator whose draws are made when the program runs, in the order of the trace."""

    def __init__(self, generator: np.random.Generator, trace: Trace) -> None:
        self._generator, self._trace = generator, trace
        if not any(generator is known for known in trace.generators):
            trace.generators.append(generator)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._generator, name)
        if name.startswith("_") or not callable(method):
            raise TraceError(f"compile: Generator.{name} cannot be used in a compiled function")

        def draw(*args: Any, **options: Any) -> Any:
            trial = copy.deepcopy(self._generator)  # so that tracing uses no draws up
            like = getattr(trial, name)(*args, **options)
            if not isinstance(like, (np.ndarray, float, np.generic)):
                raise TraceError(f"compile: Generator.{name} gives no array: draw outside")
            return self._trace.host(lambda ahead: method(*args, **options), like, f"{name}_draw")

        return draw
