"""The tables, targets and plot of `compiled.py`, from its figures alone."""

from __future__ import annotations

import math
from typing import Any

EAGER, LOOP, CALL, NUMPY_BACKEND = "eager", "loop", "by call", "NumPy backend"
JAX_SCAN, JAX_CALL, TORCH, TORCH_COMPILE = "JAX scan", "JAX jit", "PyTorch", "torch.compile"
LIMIT, MICROGRAD = "limit", "micrograd"
PEERS = [LOOP, CALL, NUMPY_BACKEND, EAGER, JAX_SCAN, JAX_CALL, TORCH, TORCH_COMPILE, LIMIT]

ONE, SMALL, MIDDLE = "1-1, 1000 rows", "2-16-16-1 tanh, 100 rows", "64-128-10 relu, 64 rows"
LARGE, SQUARE = "784-256-128-10 relu, 128 rows", "1024-1024-1024 relu, 512 rows"
DEEP, CHAIN = "12 layers of width 32 relu, 64 rows", "chain of 12 operations, 10⁷ entries"
IMAGES, STEPS = "convolutions, 32 images", "GRU 16-64, 32 rows of 16 steps"
CURVATURE = "Hessian-vector product, 64-32-1 tanh"
NAMES = [ONE, SMALL, MIDDLE, LARGE, SQUARE, DEEP, IMAGES, STEPS, CHAIN, CURVATURE]
SCALARS = ["micrograd's README expression", "micrograd's MLP(3, [4, 4, 1])"]
COLD, CACHED = "nothing cached", "cached"

Figures = dict[str, float]


# ---- tables


def best_time(figures: Figures, *peers: str) -> float | None:
    """Return the shortest time of the given peers, as far as they were measured."""
    return min((figures[peer] for peer in peers if peer in figures), default=None)


def our_time(figures: Figures) -> float | None:
    """Return the time of our compiled step, by loop where it has one."""
    return best_time(figures, LOOP, CALL)


def format_number(figure: float) -> str:
    """Format a number with three digits and no exponent."""
    return f"{figure:.3g}" if figure < 1000 else f"{figure:.0f}"


def format_table(title: str, head: list[str], rows: dict[str, Figures]) -> str:
    """Return a Markdown table: µs per step, and in brackets the ratio to our best."""
    lines = [f"| {title} | " + " | ".join(head) + " |", "| --- |" + " ---: |" * len(head)]
    for name, figures in rows.items():
        base, cells = our_time(figures), []
        for peer in head:
            if (figure := figures.get(peer)) is None:
                cells.append("")
            elif peer in (LOOP, CALL) or base is None:
                cells.append(format_number(figure))
            else:
                cells.append(f"{format_number(figure)} ({format_number(figure / base)}×)")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def format_tables(result: dict[str, Any]) -> list[str]:
    """Return the tables of all that was measured."""
    first, *others = result["runs"]
    networks = {name: first["figures"][name] for name in NAMES if name in first["figures"]}
    scalars = {name: first["figures"][name] for name in SCALARS if name in first["figures"]}
    found = []
    if networks:
        found.append(format_table(f"µs per step, {describe_configuration(first)}", PEERS, networks))
    if scalars:
        found.append(
            format_table("µs per step, Python's floats", [LOOP, CALL, EAGER, MICROGRAD], scalars)
        )
    rows = {
        f"{name}, {describe_configuration(run)}": figures
        for name in NAMES
        for run in others
        if (figures := run["figures"].get(name))
    }
    if rows:
        found.append(format_table("µs per step", PEERS, rows))
    if result["start"]:
        found.append(format_starts(result["start"]))
    return found


def describe_configuration(run: dict[str, Any]) -> str:
    return f"{run['dtype']}, {run['threads']} thread{'s' * (run['threads'] > 1)}"


def format_starts(start: dict[str, dict[str, Figures]]) -> str:
    """Return the table of first losses: time, and peak memory."""
    head = [
        *("first loss, s", "of that after imports", "cached, s", "of that after imports"),
        "peak memory, MiB",
    ]
    lines = [
        f"| the first step of {SMALL} | " + " | ".join(head) + " |",
        "| --- |" + " ---: |" * len(head),
    ]
    for peer, found in start.items():
        figures = [
            f"{found[when][what]:.2f}" for when in (COLD, CACHED) for what in ("first", "after")
        ]
        lines.append(f"| {peer} | {' | '.join(figures)} | {found[COLD]['peak']:.0f} |")
    return "\n".join(lines)


# ---- targets


def ratio(theirs: float | None, mine: float | None) -> float | None:
    """Return theirs / mine; None without theirs, and NaN, which meets no target, without mine."""
    if mine is None:
        return math.nan
    return None if theirs is None else theirs / mine


def measure_targets(result: dict[str, Any]) -> list[tuple[str, float | None, str, float]]:
    """Return the targets for one thread and float32: description, measured, sign, bound."""
    figures: dict[str, Figures] = result["runs"][0]["figures"]
    found: list[tuple[str, float | None, str, float]] = []

    def times(name: str, theirs: tuple[str, ...], mine: tuple[str, ...], least: float) -> None:
        if (measured := figures.get(name)) is not None:
            value = ratio(best_time(measured, *theirs), best_time(measured, *mine))
            what = f"{' or '.join(theirs)} / {' or '.join(mine)}, {name}"
            found.append((what, value, ">=", least))

    for name, bound in ((ONE, 3), (SMALL, 3), (MIDDLE, 1.4), (LARGE, 1.05), (SQUARE, 1.05)):
        times(name, (JAX_SCAN, JAX_CALL), (LOOP,), bound)
    for name in (LARGE, SQUARE):
        times(name, (LIMIT,), (LOOP,), 1)
    for name in (ONE, SMALL):
        times(name, (JAX_CALL,), (CALL,), 5)
    for name in (ONE, SMALL, MIDDLE):
        times(name, (TORCH,), (LOOP,), 20)
    if CHAIN in figures:
        mine, least = figures[CHAIN].get(CALL), figures[CHAIN][LIMIT]
        value = math.nan if mine is None else mine / least
        found.append((f"{CALL} / reading and writing memory once, {CHAIN}", value, "<=", 1.3))
    for name in SCALARS:
        times(name, (MICROGRAD,), (LOOP,), 100)
    for name in (ONE, SMALL):
        times(name, (EAGER,), (NUMPY_BACKEND,), 2)
    times(SMALL, (JAX_CALL,), (NUMPY_BACKEND,), 1)
    if start := result["start"].get("tinygrad_lr"):
        first, after = start[COLD]["first"], start[CACHED]["after"]
        found.append(("first loss after process start, nothing cached, s", first, "<=", 0.6))
        found.append(("first loss after the imports, cached, s", after, "<=", 0.2))
    return found


def format_targets(result: dict[str, Any]) -> list[str]:
    """Return a line for each target: met, MISSED, or not measured where a peer is missing."""
    lines = []
    for what, found, sign, bound in measure_targets(result):
        if found is None:
            lines.append(f"-       {what}: not measured (target {sign} {bound})")
            continue
        met = found <= bound if sign == "<=" else found >= bound
        text = f"{found:.2f} (target {sign} {bound})"
        lines.append(f"{'met   ' if met else 'MISSED'}  {what}: {text}")
    return lines


# ---- plot

GREEN = "#009e73"
MARKS = {  # peer: colour, marker, label; Okabe and Ito's colour-blind safe palette
    CALL: (GREEN, "o", "tinygrad_lr, by call"),
    NUMPY_BACKEND: ("#56b4e9", "o", "tinygrad_lr, NumPy backend"),
    EAGER: ("#000000", "o", "tinygrad_lr, eager"),
    JAX_SCAN: ("#d55e00", "D", JAX_SCAN),
    JAX_CALL: ("#e69f00", "D", JAX_CALL),
    MICROGRAD: ("#b8a800", "^", MICROGRAD),
    TORCH: ("#0072b2", "s", TORCH),
    TORCH_COMPILE: ("#cc79a7", "s", TORCH_COMPILE),
    LIMIT: ("#888888", "|", "limit: matrix products, or memory"),
}


def draw_plot(result: dict[str, Any], file: str) -> None:
    """Plot the time of each peer relative to ours, a row for each workload."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    run = result["runs"][0]
    rows = [
        (n, run["figures"][n]) for n in (*NAMES, *SCALARS) if our_time(run["figures"].get(n, {}))
    ]
    figure, axes = plt.subplots(figsize=(9, 1.3 + 0.42 * len(rows)), layout="constrained")
    for peer, (colour, marker, label) in MARKS.items():
        points = [
            (found[peer] / (our_time(found) or math.nan), height)
            for height, (_, found) in enumerate(rows)
            if peer in found
        ]
        if points:
            size = 130 if peer == LIMIT else 42
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, size, colour, marker, label=label, zorder=3, linewidths=1.5)
    axes.axvline(1, color=GREEN, linewidth=2, zorder=2, label="tinygrad_lr, compiled")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}×")
    axes.set_yticks(
        range(len(rows)), [f"{name}  {format_number(our_time(f) or 0)} µs" for name, f in rows]
    )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", which="major", color="#dddddd")
    axes.grid(axis="y", color="#f0f0f0")
    axes.tick_params(length=0, which="both")
    axes.spines[:].set_visible(False)
    lengths = [found[peer] / (our_time(found) or math.nan) for _, found in rows for peer in found]
    axes.set_xlim(min(lengths, default=1) / 1.4, max(lengths, default=1) * 1.4)
    axes.set_xlabel(
        f"time of a step / time of tinygrad_lr compiled ({describe_configuration(run)})"
    )
    figure.legend(loc="outside upper left", ncols=4, columnspacing=1.2, frameon=False)
    figure.savefig(file, dpi=150, facecolor="white")
    plt.close(figure)
