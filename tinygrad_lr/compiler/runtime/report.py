"""What `explain()` tells of a program: passes, memory, work, time, and the limit of the machine."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ir.instruction import REDUCTIONS, VIEWS, Instruction

if TYPE_CHECKING:
    from .specialization import Specialization

CACHE = 1 << 20  # bytes: what is smaller is taken to lie in the processor's own memory
FREE = frozenset({"input", "constant", "part", "copy", *VIEWS})


@dataclass(frozen=True)
class Report:
    """A report on a program; it prints itself.

    - `passes`: (name, instructions before, after)
    - `kernels`: what runs as a piece: loops, products, calls of Python; or the lines of Python
    - `bytes_before`, `bytes_after`: what results on the way would take, each for itself, and take
    - `flops`: sums, products and functions of single numbers; `bytes_moved`: read and written
    - `limit`: the seconds that this machine needs at least for that, from what it reached just now
      in a product of matrices and in adding arrays
    - `seconds`: what a step takes, measured on numbers that are made up; nan if a call refuses them
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

    def __str__(self) -> str:
        rows = [f"  {name:<28} {before:>6} -> {after}" for name, before, after in self.passes]
        measured = "not on made-up numbers, which a call refuses"
        if not math.isnan(self.seconds):
            share = self.limit / max(self.seconds, 1e-9)
            measured = f"{duration(self.seconds)} a step, {share:.0%} of the limit's speed"
        lines = [
            f"{self.name}, by the {self.backend} writer; compiled in {self.compile_seconds:.3f} s",
            "",
            "passes, instructions before and after",
            *rows,
            "",
            f"{len(self.kernels)} kernels: {', '.join(self.kernels)}"[:400],
            f"memory of results on the way: {size(self.bytes_before)} -> {size(self.bytes_after)}",
            f"work: {self.flops:,} operations on numbers, {size(self.bytes_moved)} moved",
            f"limit of this machine, one thread: {duration(self.limit)}",
            f"measured: {measured}",
        ]
        return "\n".join(lines)


def report(program: Specialization) -> Report:
    """Look at a program, and time it on numbers that are made up."""
    executable: Any = program.executable
    order = program.program.instructions()
    before, after = executable.memory_bytes
    flops = sum(map(flops_of, order))
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
        limit=max(flops / flops_a_second(), moved / bytes_a_second(moved <= CACHE)),
        seconds=program.timed(),
        compile_seconds=program.seconds,
    )


def flops_of(x: Instruction) -> int:
    """How many operations on numbers an instruction is."""
    if x.operation in FREE or x.operation == "call":
        return 0
    if x.operation in {"dot", "matmul"}:
        return 2 * x.size * x.inputs[0].shape[-1]
    return x.inputs[0].size if x.operation in REDUCTIONS else x.size


def traffic(instructions: Sequence[Instruction]) -> int:
    """The bytes that are read and written if every instruction goes to memory."""
    return sum(
        x.nbytes + sum(y.nbytes for y in x.inputs) for x in instructions if x.operation not in FREE
    )


def best_of(run: Callable[[], object], rounds: int = 7) -> float:
    """The shortest of some runs, in seconds, of at least a millisecond each."""
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
def flops_a_second() -> float:
    """What a product of matrices reaches here (float32)."""
    a = np.ones((384, 384), np.float32)
    out = np.empty_like(a)
    return 2 * 384**3 / best_of(lambda: np.dot(a, a, out=out))


@functools.cache
def bytes_a_second(in_cache: bool) -> float:
    """What adding two arrays reaches here, small ones or large ones."""
    a = np.ones(1 << (14 if in_cache else 22), np.float32)
    out = np.empty_like(a)
    return 3 * a.nbytes / best_of(lambda: np.add(a, a, out=out), 5)


def size(count: int) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count = count / 1000  # type: ignore[assignment]
    return f"{count:.3g} GB"


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    return f"{seconds * 1e6:.3g} µs" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"
