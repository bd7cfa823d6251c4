"""The looks that all pictures share: one meaning a colour, plain axes, names shown literally."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import import_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray[Any, np.dtype[Any]]

MODEL = "#0072B2"  # blue: what was learnt
TRUTH = "#444444"  # dark grey: data and the closed form
UP, DOWN = "#D55E00", "#56B4E9"  # a positive gradient, a negative one
STEP = "#009E73"  # green: an accepted step
INK, RULE = "#222222", "#BBBBBB"

TITLE, TEXT, SMALL = 12.0, 9.5, 9.0  # points
DRAWABLE = 1e150  # a picture has no room for numbers beyond: their differences overflow


def figure_with_panels(count: int) -> tuple[Figure, Sequence[Axes]]:
    """A white figure with panels side by side, made without pyplot."""
    engine = import_extra("matplotlib.layout_engine", "plot")
    layout = engine.ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, wspace=0.05)
    figure: Figure = import_extra("matplotlib.figure", "plot").Figure(
        figsize=(4.6 * count, 4.7), dpi=100, facecolor="white", layout=layout
    )
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def dress(
    ax: Axes,
    title: str,
    details: Sequence[str],
    x_name: str,
    y_name: str,
    *,
    whole: bool = False,
) -> None:
    """Title and two lines of details above the panel, names on its axes, no box.

    With `whole`, the ticks of the x axis are whole numbers.
    """
    ticker = import_extra("matplotlib.ticker", "plot")
    ax.set_facecolor("white")
    for side, spine in ax.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(RULE)
        spine.set_linewidth(0.8)
    ax.tick_params(colors=INK, labelsize=SMALL, color=RULE, length=3, width=0.8, direction="out")
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "linear":
            integer = whole and axis is ax.xaxis
            steps = [1, 2, 5, 10] if integer else [1, 2, 2.5, 5, 10]
            axis.set_major_locator(ticker.MaxNLocator(5, steps=steps, integer=integer))
            axis.set_major_formatter(ticker.FuncFormatter(lambda number, _: _round(number)))
        axis.offsetText.set_visible(False)
    ax.grid(False)
    ax.set_xlabel(x_name, color=INK, fontsize=TEXT, parse_math=False, usetex=False)
    ax.set_ylabel(y_name, color=INK, fontsize=TEXT, parse_math=False, usetex=False)
    ax.set_title(title, loc="left", color=INK, fontsize=TITLE, fontweight="bold", pad=40, y=1.0)
    if details:
        write(ax, 0, 1, "\n".join(details), (0, 7), va="bottom", linespacing=1.45, inside=False)


def write(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    offset: tuple[float, float],
    *,
    inside: bool = True,
    **options: Any,
) -> None:
    """Text at a point of the data (or, with inside=False, of the panel), moved by points."""
    if inside:
        options.setdefault("bbox", {"facecolor": "white", "alpha": 0.8, "pad": 1.5, "lw": 0})
    options = {"color": INK, "fontsize": SMALL, **options}
    ax.annotate(
        text,
        (x, y),
        offset,
        xycoords="data" if inside else "axes fraction",
        textcoords="offset points",
        annotation_clip=False,
        in_layout=False,
        parse_math=False,
        usetex=False,
        **options,
    )


def key(ax: Axes, entries: Sequence[tuple[Any, str]]) -> None:
    """What the lines of a panel are, above it and below its title."""
    legend = ax.legend(
        [handle for handle, _ in entries],
        [text for _, text in entries],
        loc="lower left",
        bbox_to_anchor=(0, 1.012),
        borderaxespad=0,
        borderpad=0,
        labelspacing=0.28,
        handlelength=1.6,
        handletextpad=0.6,
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
        text.set_usetex(False)
    legend.set_in_layout(False)


def literal(name: object, longest: int = 30) -> str:
    """A name as it is, on one line, without what cannot be printed, shortened in the middle."""
    text = "".join(c if c.isprintable() else " " for c in str(name))
    text = " ".join(text.split()) or "?"
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}…{text[-(longest - longest // 2 - 1) :]}"


def _round(tick: float) -> str:
    """A tick's number in full, its thousands apart, or in powers of ten where it is long."""
    text = f"{tick:,.10g}" if abs(tick) < 1e7 else f"{tick:.4g}"
    return text.replace(",", "\u2009").replace("-", "−", 1)


def short(number: float) -> str:
    """A number in four digits, with a minus sign that is one.

    >>> short(-0.66371), short(1234567.0), short(2.0)
    ('−0.6637', '1.235e+06', '2')
    """
    return f"{number:.4g}".replace("-", "−", 1) if math.isfinite(number) else str(number)


def drawable(*arrays: Array) -> Array:
    """Where all the arrays hold numbers that a picture has room for."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.all([np.abs(array) < DRAWABLE for array in arrays], axis=0))


def limits(*arrays: Array, margin: float = 0.05) -> tuple[float, float]:
    """The range of the numbers, wider by a margin; never empty."""
    numbers = np.concatenate([np.ravel(array) for array in arrays])
    numbers = numbers[drawable(numbers)]
    if not numbers.size:
        return 0.0, 1.0
    low, high = float(numbers.min()), float(numbers.max())
    room = margin * (high - low)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # one number, to the eye
        room = 0.5 * max(abs(low), abs(high)) or 1.0
    return low - room, high + room
