"""How long the stages of a compilation take, for `explain()`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Stages:
    """The seconds of each stage, in the order in which they first run; a stage may run again."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
