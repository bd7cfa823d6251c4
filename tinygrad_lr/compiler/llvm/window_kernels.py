"""Sums of products over sliding windows, in machine code: two functions for all convolutions.

Both read an array by offsets, so one function serves every shape, stride, dilation and number of
axes. A window is a list of taps: offsets, in entries, from its first entry. Windows that lie beside
each other in memory are a run, `length` long; the starts of runs are offsets too. Nothing is copied
into columns: entries of x are multiplied where they are.

- `correlate`: out[o, r, p] (+)= Σ_t weight[t, o] · x[source[r] + tap[t] + p]
- `kernels`: out[o, t] += Σ_r Σ_p g[o, target[r] + p] · x[source[r] + tap[t] + p]

The arguments are the entries of a table of 64-bit numbers, in the order of `CORRELATE` and
`KERNELS`. As in `gemm`, a tile of sums stays in registers. Operations find the functions through
`support/machine_code.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...support.abstract_array import Array
from .executable import address_of
from .loops import emit_loop
from .table_functions import TableFunction, load_function
from .threads import THREADS, run_together
from .vectors import (
    INDEX,
    constant_vector,
    load_scalar,
    multiply_add,
    splat,
    store_vector,
    sum_lanes,
    vector_registers,
)

CORRELATE = (
    *("x", "weight", "out", "taps", "sources", "targets"),
    *("tap_count", "run_count", "length", "plane", "wide_strips", "narrow_strips", "adds"),
)
KERNELS = (
    *("x", "g", "out", "taps", "sources", "targets"),
    *("tap_count", "first_run", "last_run", "length", "plane", "channels", "strips"),
)
POINTERS = 6  # of each table: the entries before the numbers

WIDE, NARROW = 8, 4  # channels of the result whose sums are in registers at once: a strip
PLENTY = 32  # registers, for which the larger tiles are


def tile_sizes() -> dict[int, int]:
    """Return how many vectors of a run the tile of each kind of strip has."""
    return {WIDE: 3, NARROW: 6} if vector_registers() == PLENTY else {NARROW: 3}


def taps_at_once() -> int:
    """Return the number of taps in a tile of `kernels`: their count must be a multiple of it."""
    return 6 if vector_registers() == PLENTY else 2


def emit_correlate(module: Any, dtype: str) -> None:
    """Emit `correlate`."""
    function = TableFunction(module, "correlate", CORRELATE, POINTERS, dtype)
    builder, given, width = function.builder, function.given, function.width
    adds = builder.icmp_signed("!=", given["adds"], INDEX(0))
    every = splat(builder, adds, width)
    zero = constant_vector(0.0, dtype)

    def tile(weight: Any, x: Any, out: Any, rows: int, masks: Sequence[Any]) -> None:
        """Emit the sums of a strip's channels, for the vectors of a run that begin at x."""

        def turn(tap: Any, *sums: Any) -> list[Any]:
            source = function.move(x, function.number_in(given["taps"], tap))
            line = function.move(weight, builder.mul(tap, INDEX(rows)))
            vectors = [
                function.load(function.move(source, k * width), mask)
                for k, mask in enumerate(masks)
            ]
            new: list[Any] = []
            for row in range(rows):
                number = load_scalar(builder, function.move(line, row), dtype)
                number = splat(builder, number, width)
                for vector in vectors:
                    new.append(multiply_add(builder, number, vector, sums[len(new)]))
            return new

        none = [zero] * (rows * len(masks))
        sums = emit_loop(builder, 0, given["tap_count"], 1, turn, none)
        for row in range(rows):
            line = function.move(out, builder.mul(INDEX(row), given["plane"]))
            for k, mask in enumerate(masks):
                at = function.move(line, k * width)
                before = function.load(at, every if mask is None else builder.and_(every, mask))
                total = builder.fadd(before, sums[row * len(masks) + k])
                store_vector(builder, total, at, mask)

    sizes = tile_sizes()
    counts = {WIDE: given["wide_strips"], NARROW: given["narrow_strips"]}

    def strips(weight: Any, x: Any, out: Any, rows: int) -> None:
        """Emit the sums of all strips of one kind, for a run that begins at x."""
        step = sizes[rows] * width

        def block(column: Any, whole: bool = True) -> None:
            left = builder.sub(given["length"], column)
            ends = [builder.sub(left, INDEX(first)) for first in range(0, step, width)]
            masks = [None if whole else function.mask_of(end) for end in ends]

            def strip(number: Any) -> None:
                first = builder.mul(number, INDEX(rows))
                own = function.move(weight, builder.mul(first, given["tap_count"]))
                line = function.move(out, builder.mul(first, given["plane"]), column)
                tile(own, function.move(x, column), line, rows, masks)

            emit_loop(builder, 0, counts[rows], 1, strip)

        end = builder.mul(builder.sdiv(given["length"], INDEX(step)), INDEX(step))
        emit_loop(builder, 0, end, step, block)
        rest: Callable[[Any], None] = lambda column: block(column, False)
        emit_loop(builder, end, given["length"], step, rest)

    def run(number: Any) -> None:
        x = function.move(given["x"], function.number_in(given["sources"], number))
        out = function.move(given["out"], function.number_in(given["targets"], number))
        weight = given["weight"]
        for rows, count in counts.items():
            if rows in sizes:
                strips(weight, x, out, rows)
                done = builder.mul(count, INDEX(rows))
                weight = function.move(weight, builder.mul(done, given["tap_count"]))
                out = function.move(out, builder.mul(done, given["plane"]))

    emit_loop(builder, 0, given["run_count"], 1, run)
    builder.ret(INDEX(0))


def emit_kernels(module: Any, dtype: str) -> None:
    """Emit `kernels`."""
    function = TableFunction(module, "kernels", KERNELS, POINTERS, dtype)
    builder, given, width = function.builder, function.given, function.width
    taps, last = taps_at_once(), builder.sub(given["channels"], INDEX(1))
    whole = builder.mul(builder.sdiv(given["length"], INDEX(width)), INDEX(width))
    mask = function.mask_of(builder.sub(given["length"], whole))

    def tile(first_tap: Any, first_row: Any) -> None:
        offsets = [
            function.number_in(given["taps"], builder.add(first_tap, INDEX(k))) for k in range(taps)
        ]
        rows = [builder.add(first_row, INDEX(k)) for k in range(NARROW)]
        rows = [builder.select(builder.icmp_signed("<", r, last), r, last) for r in rows]
        planes = [builder.mul(row, given["plane"]) for row in rows]  # beyond the last: it, again

        def run(number: Any, *sums: Any) -> list[Any]:
            x = function.move(given["x"], function.number_in(given["sources"], number))
            g = function.move(given["g"], function.number_in(given["targets"], number))
            inputs = [function.move(x, offset) for offset in offsets]
            lines = [function.move(g, plane) for plane in planes]

            def turn(column: Any, *sums: Any, mask: Any = None) -> list[Any]:
                vectors = [function.load(function.move(at, column), mask) for at in inputs]
                new: list[Any] = []
                for line in lines:
                    factor = function.load(function.move(line, column), mask)
                    for vector in vectors:
                        new.append(multiply_add(builder, factor, vector, sums[len(new)]))
                return new

            sums = tuple(emit_loop(builder, 0, whole, width, turn, sums))
            end: Any = lambda column, *sums: turn(column, *sums, mask=mask)
            return emit_loop(builder, whole, given["length"], width, end, sums)

        none = [constant_vector(0.0, dtype)] * (NARROW * taps)
        sums = emit_loop(builder, given["first_run"], given["last_run"], 1, run, none)
        for row in range(NARROW):
            line = builder.mul(builder.add(first_row, INDEX(row)), given["tap_count"])
            for k in range(taps):
                at = function.move(given["out"], line, builder.add(first_tap, INDEX(k)))
                total = sum_lanes(builder, sums[row * taps + k])
                builder.store(builder.fadd(load_scalar(builder, at, dtype), total), at)

    def tiles(tap: Any) -> None:
        strip: Any = lambda number: tile(tap, builder.mul(number, INDEX(NARROW)))
        emit_loop(builder, 0, given["strips"], 1, strip)

    emit_loop(builder, 0, given["tap_count"], taps, tiles)
    builder.ret(INDEX(0))


# ---- as operations call them


MAX_TAPS = 512  # of one call: their products stay in the cache until the next strip reads them
RUN_ENTRIES = 1 << 14  # added to a kernel's sums at a time, which bounds the rounding


MIN_THREADED_WORK = 1 << 24  # multiplications; half of them take some ten times a handover


def call(name: str, calls: Sequence[tuple[Sequence[Array], Sequence[int]]]) -> None:
    """Call a function with arguments that parts of the work have, each part in its own thread."""
    emit = {"correlate": emit_correlate, "kernels": emit_kernels}[name]
    run = load_function(name, calls[0][0][0].dtype.name, emit)
    tables = [np.array([*map(address_of, arrays), *rest], np.int64) for arrays, rest in calls]
    addresses = [address_of(table) for table in tables]
    if len(calls) == 1:
        run(addresses[0], 0, 0, 0)
    else:
        run_together(len(calls), lambda part: run(addresses[part], 0, 0, 0))


def split(count: int, work: int) -> list[slice]:
    """Return parts of a number of things to do: one for each thread, if there is enough work."""
    threads = min(THREADS.count, count) if work >= MIN_THREADED_WORK else 1
    ends = [count * part // threads for part in range(threads + 1)]
    return [slice(*pair) for pair in itertools.pairwise(ends)]


def correlate(
    x: Array, weight: Array, taps: Array, sources: Array, targets: Array, length: int
) -> Array:
    """Return the sums of `correlate`: (channels, runs · length), of weight (channels, taps).

    The offsets are int64; x is contiguous. `targets` are the starts of the runs in a result.
    """
    channels, plane = len(weight), len(targets) * length
    sizes = tile_sizes()
    wide = channels // WIDE if WIDE in sizes else 0
    narrow = -(-(channels - wide * WIDE) // NARROW)
    total = wide * WIDE + narrow * NARROW  # with some for nothing, so that each is in a strip
    out = np.empty((total, plane), x.dtype)
    padded = np.zeros((total, len(taps)), x.dtype)
    padded[:channels] = weight
    for first in range(0, len(taps), MAX_TAPS):
        part = slice(first, first + MAX_TAPS)
        count = len(taps[part])
        wide_rows = wide * WIDE
        wides = padded[:wide_rows, part].reshape(wide, WIDE, count).transpose(0, 2, 1)
        narrows = padded[wide_rows:, part].reshape(narrow, NARROW, count).transpose(0, 2, 1)
        strips = np.concatenate([wides.reshape(-1), narrows.reshape(-1)])
        calls = []
        for own in split(len(sources), total * count * plane):
            runs = sources[own], targets[own]
            numbers = (count, len(runs[0]), length, plane, wide, narrow, first > 0)
            calls.append(((x, strips, out, taps[part], *runs), numbers))
        call("correlate", calls)
    return out[:channels]


def kernels(x: Array, g: Array, taps: Array, sources: Array, targets: Array, length: int) -> Array:
    """Return the sums of `kernels`: (channels, taps), of contiguous x and g (channels, plane)."""
    channels, plane = g.shape
    missing = -len(taps) % taps_at_once()
    padded = np.concatenate([taps, np.repeat(taps[-1:], missing)])
    strips = -(-channels // NARROW)
    out = np.zeros((strips * NARROW, len(padded)), x.dtype)
    step = max(1, RUN_ENTRIES // length)
    for first in range(0, len(sources), step):
        last = min(first + step, len(sources))
        calls = []
        for own in split(strips, len(padded) * out.shape[0] * (last - first) * length):
            row = own.start * NARROW
            count = own.stop - own.start
            numbers = (len(padded), first, last, length, plane, channels - row, count)
            calls.append(((x, g[row:], out[row:], padded, sources, targets), numbers))
        call("kernels", calls)
    return out[:channels, : len(taps)]
