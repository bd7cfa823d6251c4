"""The report of `explain()`: passes, memory, work, time, and the limit of the machine."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.cost import count_flops
from ..tracing.python_calls import sample_input
from .specialization import Specialization

CACHE_BYTES = 1 << 20  # what moves fewer bytes is taken to stay in the processor's cache


@dataclass(frozen=True)
class Report:
    """A report on a compiled program; `print` shows it.

    - `passes`: (name, instructions before, after)
    - `kernels`: what runs as a unit: loops, products, Python calls; or the lines of Python
    - `bytes_before`, `bytes_after`: memory for intermediate results if each had its own, and as
      they share it
    - `flops`: floating-point operations; `bytes_moved`: bytes read and written
    - `limit`: the least time in seconds that this machine needs for that, from the speeds of a
      matrix product and of adding arrays, measured now
    - `seconds`: the time of one step on sample inputs; nan if a call raises an error on them
    - `compile_seconds`: the time of tracing and compiling
    - `stages`: (name, seconds) of its parts; machine code that is in the cache isn't written again
    """

    name: str
    backend: str
    passes: tuple[tuple[str, int, int], ...]
    kernels: tuple[str, ...]
    bytes_before: int
    bytes_after: int
    flops: int
    bytes_moved: int
    limit: float
    seconds: float
    compile_seconds: float
    stages: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        rows = [f"  {name:<28} {before:>6} -> {after}" for name, before, after in self.passes]
        measured = "nothing, since a call raises an error on sample inputs"
        if not math.isnan(self.seconds):
            share = self.limit / max(self.seconds, 1e-9)
            measured = f"{format_seconds(self.seconds)} per step, {share:.0%} of the limit's speed"
        before, after = format_bytes(self.bytes_before), format_bytes(self.bytes_after)
        lines = [
            f"{self.name}: {self.backend} backend, compiled in {self.compile_seconds:.3f} s",
            ", ".join(f"{name} {format_seconds(seconds)}" for name, seconds in self.stages),
            "",
            "passes (instructions before -> after)",
            *rows,
            "",
            f"{len(self.kernels)} kernels: {', '.join(self.kernels)}"[:400],
            f"memory for intermediate results: {before} -> {after}",
            f"work per step: {self.flops:,} operations, {format_bytes(self.bytes_moved)} moved",
            f"limit of this machine, one thread: {format_seconds(self.limit)} per step",
            f"measured: {measured}",
        ]
        return "\n".join(lines)


def build_report(program: Specialization) -> Report:
    """Report on a program, and time it on sample inputs."""
    executable: Any = program.executable
    before, after = executable.memory_bytes
    flops = sum(map(count_flops, program.program.instructions()))
    moved = executable.bytes_moved
    return Report(
        name=program.program.name,
        backend=executable.backend,
        passes=tuple((d.name, d.before, d.after) for d in (*program.done, *executable.done)),
        kernels=tuple(executable.kernel_names),
        bytes_before=before,
        bytes_after=after,
        flops=flops,
        bytes_moved=moved,
        limit=max(
            flops / measure_flops_per_second(),
            moved / measure_bytes_per_second(moved <= CACHE_BYTES),
        ),
        seconds=time_step(program),
        compile_seconds=sum(program.stages.seconds.values()),
        stages=tuple(program.stages.seconds.items()),
    )


def time_step(program: Specialization) -> float:
    """Return the seconds of a step on sample inputs; nan if a call raises an error on them.

    Nothing that the function holds is read or written.
    """
    numbers = [sample_input(x) for x in program.inputs]
    with program.lock, np.errstate(all="ignore"):
        try:
            return best_of(lambda: program.executable(numbers))
        except Exception:  # a matrix that can't be inverted, or an operation of the user's
            return math.nan
        finally:
            program.forget_inputs()


def best_of(run: Callable[[], object], rounds: int = 7) -> float:
    """Return the seconds of the fastest of some rounds, each of at least a millisecond."""
    run()
    start = time.perf_counter()
    run()
    times = max(1, int(1e-3 / max(time.perf_counter() - start, 1e-9)))
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(times):
            run()
        found.append((time.perf_counter() - start) / times)
    return min(found)


@functools.cache
def measure_flops_per_second() -> float:
    """Return the speed of a matrix product on this machine (float32)."""
    a = np.ones((384, 384), np.float32)
    out = np.empty_like(a)
    return 2 * 384**3 / best_of(lambda: np.dot(a, a, out=out))


@functools.cache
def measure_bytes_per_second(in_cache: bool) -> float:
    """Return the speed of adding two arrays on this machine, small ones or large ones."""
    a = np.ones(1 << (14 if in_cache else 22), np.float32)
    out = np.empty_like(a)
    return 3 * a.nbytes / best_of(lambda: np.add(a, a, out=out), 5)


def format_bytes(count: float) -> str:
    """Return a number of bytes with a unit."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def format_seconds(seconds: float) -> str:
    """Return a time with a unit."""
    return f"{seconds * 1e6:.3g} µs" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"
