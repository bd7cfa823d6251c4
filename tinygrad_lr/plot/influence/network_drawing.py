"""`network`: draw a network as units and weights, and highlight one weight's paths to the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError, import_extra
from ...explain import Influence
from ...explain.influences.edge_weights import Connections
from ...explain.influences.measure import check_influence
from ...explain.influences.weight import WeightInfluence
from ...support.abstract_array import Array
from ...support.text_format import group_digits, number_text
from ...support.type_names import Figure
from ..style import (
    LEFT_OF_AXES,
    SMALL,
    TEXT,
    blend,
    clean_name,
    get_colors,
    make_figure,
    style_axes,
    wrap_lines,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["network"]

Places = Sequence[tuple[int, int]]  # edges, as (unit before, unit after)

ACROSS, DOWN, RADIUS = 1.9, 0.56, 0.215  # inches between layers, between units, of a unit
MAX_UNITS = 10  # of a layer that are drawn
MAX_COLUMNS = 8  # drawn large; of more, the first, the last and the weight's own are
FIRST, LAST = 2, 3  # columns that are always large
DENSE, SMALL_RADIUS, SMALL_WIDTH = 1.6, 0.1, 5.6  # inches, where there are small columns
MIN_SPACING, HEADING = 0.16, 0.42  # inches between small columns, for the name of one
MAX_SMALL = 40  # columns; more are left out, and counted
THICKEST, THINNEST = 4.0, 0.4  # points: the largest weight, the least
LEFT, RIGHT, ABOVE, BELOW = 0.62, 0.5, 1.62, 0.78  # inches around the units
MIN_WIDTH = 6.2  # inches, for the title
THINNEST_LIT = 1.6  # points: the chosen weight, however small
DIM_STRENGTH = 0.3  # how much of an edge is left that is on no path


@dataclass(frozen=True, eq=False)
class Column:
    """The units of a layer to draw, and their positions."""

    place: int  # 0 for the inputs, k for layer k
    title: str
    labels: Sequence[str]
    shown: Sequence[int]
    x: float
    y: Array
    radius: float

    @property
    def small(self) -> bool:
        """True if there is no room for text in the units."""
        return self.radius < RADIUS

    @property
    def hidden(self) -> int:
        """The number of units that are not drawn."""
        return len(self.labels) - len(self.shown)

    @property
    def gap(self) -> float:
        """The height of the note on hidden units, below the last one."""
        return float(self.y[-1]) - DOWN


def network(influence: Influence, weight: int = 0, *, dark: bool = False) -> Figure:
    """Draw the network of an influence: units in columns, a line for each weight.

    The width of a line is |w|, on one scale for all, and its colour is dL/dw: vermilion if
    positive, sky blue if negative, grey at zero. The colour grows with √|dL/dw|, so that small
    gradients are visible. The paths from one of the influence's weights to the loss are
    highlighted, and each unit on them shows the share of dL/dw that passes through it. The shares
    add up to 100 % in every layer, and are negative for paths with the opposite sign. In a wide
    layer only the units with the largest shares are drawn, and the others are counted. Of more than
    8 columns, those in the middle are small, and their units are shaded by the size of their share;
    of many more, the middle ones are left out, and counted.

    - `influence`: what `tg.influence` returned
    - `weight`: the index in `influence.weights` of the weight to highlight
    - `dark`: use colours for a dark page, not for print

    Raises `ArgumentError` for a layer without a weight for each pair of units (a convolution),
    and a weight that the influence doesn't have; `MissingExtraError` without matplotlib.

    >>> model = tg.nn.MLP(2, [3], 1, generator=0)
    >>> loss = tg.losses.mse(model(np.ones((4, 2))), np.ones((4, 1)))
    >>> figure = network(tg.influence(model, loss))
    >>> len(figure.axes[0].lines)
    13
    """
    check_influence("network", influence, weight)
    if not influence.layers:
        raise ArgumentError(
            "network: influence must be of a loss with layers, got one with parameters only"
        )
    missing = [layer.name for layer in influence.layers if layer.connections is None]
    if missing:
        raise ArgumentError(
            "network: each layer must have a single weight between two units, as dense layers, "
            f"scales and graphs of scalars do, got {', '.join(missing)}; print the influence, or "
            "draw gradient_by_depth"
        )
    edges = [x.connections for x in influence.layers if x.connections is not None]
    lit = influence.weights[weight]
    own = [x.edges_of(lit.parameter, lit.index) for x in edges]  # the edges of the weight, by layer
    columns = _build_columns(influence, lit, edges, own)
    tall = max(len(column.shown) + (column.hidden > 0) for column in columns)
    right, half = columns[-1].x + _distance_to_loss(columns), DOWN * (max(tall, 3) - 1) / 2
    small, edge = any(column.small for column in columns), 0.25  # inches left of the title
    width = max(LEFT + right + RIGHT, MIN_WIDTH)
    about = wrap_lines(_describe(lit, small), 72 * width - LEFT_OF_AXES)
    above = ABOVE + 14 / 72 * max(len(about) - 3, 0)  # for lines that are wrapped
    height = BELOW + 2 * half + above
    figure = make_figure(width, height, dark=dark)
    figure.set_layout_engine("none")  # an inch of the drawing is an inch of the figure
    panel = BELOW + 2 * half + 0.62
    ax = figure.add_axes((edge / width, 0, 1 - edge / width, panel / height))
    ax.set_xlim(edge - LEFT, width - LEFT)
    ax.set_ylim(-half - BELOW, panel - half - BELOW)
    ax.set_axis_off()
    with np.errstate(all="ignore"):
        thick, top = (
            max(float(np.abs(numbers).max(initial=0.0)) for numbers in of_all)
            for of_all in ([x.weights for x in edges], [x.gradients for x in edges])
        )
        _draw_edges(ax, lit, edges, own, columns, thick, top)
        _draw_units(ax, influence, lit, own, columns)
    title = "The network, and the paths from one weight to the loss"
    style_axes(ax, title, about, "", "", lines=3)
    _draw_key(ax, thick, top, -half - 0.55)
    return figure


def _build_columns(
    influence: Influence,
    lit: WeightInfluence,
    edges: Sequence[Connections],
    own: Sequence[Places],
) -> list[Column]:
    """Return the inputs and the layers, each with the units to draw."""
    titles = ["x", *(x.name if "," in x.output else x.output for x in influence.layers)]
    labels = [edges[0].before, *(x.after for x in edges)]
    importance = [np.abs(edges[0].gradients).sum(axis=1)]
    importance += [np.abs(x.gradients).sum(axis=0) for x in edges]
    offset = len(titles) - len(lit.through)
    for i, part in enumerate(lit.through):
        if np.count_nonzero(part.contributions) > 1:
            importance[offset + i] = np.abs(part.contributions)
    for i, places in enumerate(own):
        for row, column in places:
            importance[i][row] = importance[i + 1][column] = np.inf
    large = _select_large(len(titles), own)
    return [
        _build_column(i, titles[i], labels[i], importance[i], x, RADIUS if i in large else radius)
        for i, x, radius in _arrange(len(titles), large)
    ]


def _select_large(count: int, own: Sequence[Places]) -> set[int]:
    """Return the columns in which units have text: all if they are few."""
    if count <= MAX_COLUMNS:
        return set(range(count))
    ends = {*range(FIRST), *range(count - LAST, count)}
    first = next((i for i, places in enumerate(own) if places), 0)  # a weight may be shared
    return ends | {first, first + 1}


def _arrange(count: int, large: set[int]) -> Iterator[tuple[int, float, float]]:
    """Yield the columns that are drawn, with their positions and the radius of small units."""
    small = [i for i in range(count) if i not in large]
    left_out = set(small[MAX_SMALL // 2 : len(small) - MAX_SMALL // 2])
    spacing = max(SMALL_WIDTH / (len(small) - len(left_out) + 1), MIN_SPACING)
    spacing = min(spacing, DENSE / 2)
    radius = min(SMALL_RADIUS, 0.3 * spacing)
    wide, x, before = DENSE if small else ACROSS, 0.0, 0
    for i in range(count):
        if i in left_out:
            continue
        if i:
            one_small = spacing if {i, before} <= set(small) else max(spacing, DENSE / 2)
            x += DENSE if i > before + 1 else wide if {i, before} <= large else one_small
        yield i, x, radius
        before = i


def _distance_to_loss(columns: Sequence[Column]) -> float:
    """Return the distance between the last layer and the loss."""
    return DENSE if any(column.small for column in columns) else ACROSS


def _build_column(
    place: int, title: str, labels: Sequence[str], importance: Array, x: float, radius: float
) -> Column:
    """Return the most important units of a layer, in order, around the middle."""
    count = len(labels)
    kept = count if count <= MAX_UNITS else MAX_UNITS - 1
    order = np.argsort(-np.nan_to_num(importance, nan=0.0, posinf=np.inf), kind="stable")
    shown = sorted(int(i) for i in order[:kept])
    rows = kept + (count > kept)
    y = DOWN * ((rows - 1) / 2 - np.arange(kept))
    return Column(place, title, labels, shown, x, y, radius)


def _draw_edges(
    ax: Axes,
    lit: WeightInfluence,
    edges: Sequence[Connections],
    own: Sequence[Places],
    columns: Sequence[Column],
    thick: float,
    top: float,
) -> None:
    """Draw a line for each weight between units that are drawn."""
    colors = get_colors(ax)
    first = len(edges) - len(lit.through)  # the first layer that is reached
    for before, after in pairwise(columns):
        i = before.place
        if after.place != i + 1:
            continue
        e = edges[i]
        flows = lit.edges[i - 1 - first] if i > first else None
        largest = 0.0 if flows is None else float(np.abs(flows).max(initial=0.0))
        for (row, y0), (column, y1) in _pair_units(before, after):
            if not e.there[row, column]:
                continue
            chosen = (row, column) in own[i]
            share = 1.0 if chosen else 0.0
            if flows is not None and largest:
                share = max(share, np.sqrt(abs(flows[row, column]) / largest))
            line = THINNEST + (THICKEST - THINNEST) * abs(e.weights[row, column]) / (thick or 1.0)
            color = _gradient_color(colors, e.gradients[row, column], top)
            ax.plot(
                [before.x + before.radius, after.x - after.radius],
                [y0, y1],
                lw=max(line, THINNEST_LIT) if chosen else line,
                color=blend(
                    colors.paper, color, DIM_STRENGTH + (1 - DIM_STRENGTH) * min(1.0, share)
                ),
                solid_capstyle="butt",
                zorder=1 + share,
            )
    last = columns[-1]
    for y in last.y:
        end = last.x + _distance_to_loss(columns) - RADIUS
        ax.plot([last.x + RADIUS, end], [y, 0.0], lw=0.8, color=colors.rule, zorder=1)


def _pair_units(
    before: Column, after: Column
) -> Iterator[tuple[tuple[int, float], tuple[int, float]]]:
    """Yield all pairs of units that are drawn, with their heights."""
    for one in zip(before.shown, before.y, strict=True):
        for other in zip(after.shown, after.y, strict=True):
            yield one, other


def _gradient_color(colors: Any, gradient: float, top: float) -> Array:
    """Return a colour from grey at zero to vermilion or sky blue at the largest gradient."""
    if not np.isfinite(gradient) or not top:
        return blend(colors.rule, colors.rule, 0.0)
    return blend(
        colors.rule, colors.up if gradient > 0 else colors.down, np.sqrt(abs(gradient) / top)
    )


def _draw_units(
    ax: Axes,
    influence: Influence,
    lit: WeightInfluence,
    own: Sequence[Places],
    columns: Sequence[Column],
) -> None:
    """Draw circles with the shares of the highlighted paths, layer names, and the loss."""
    circle = import_extra("matplotlib.patches", "plot").Circle
    colors = get_colors(ax)
    top = max(float(column.y[0]) for column in columns) + RADIUS + 0.16
    offset = len(influence.layers) + 1 - len(lit.through)
    ends = {(i, row) for i, places in enumerate(own) for row, _ in places}
    ends |= {(i + 1, column) for i, places in enumerate(own) for _, column in places}
    named = -np.inf  # where the last heading stands
    for column in columns:
        i = column.place
        part = lit.through[i - offset].contributions if i >= offset else None
        for unit, y in zip(column.shown, column.y, strict=True):
            amount = 0.0 if part is None or not lit.gradient else part[unit] / lit.gradient
            bright = abs(amount) >= 0.005 or (i, unit) in ends
            edge = colors.ink if bright else colors.rule
            dark = min(1.0, abs(amount)) if column.small and np.isfinite(amount) else 0.0
            ax.add_patch(circle((column.x, y), column.radius, edgecolor=edge,
                                facecolor=blend(colors.paper, colors.ink, dark),
                                lw=1.3 if bright else 0.9, zorder=3))  # fmt: skip
            if not column.small:
                label = column.labels[unit]  # h₁[3], or a scalar's own name
                percent = _format_percent(amount) if bright and part is not None else ""
                _label_unit(ax, column.x, y, label, percent)
        if not column.small or column.x - named >= HEADING:
            look = {"size": SMALL - 1} if column.small else {"size": TEXT, "weight": "bold"}
            name = clean_name(column.title, 6 if column.small else 14)
            _write_centered(ax, column.x, top, name, va="bottom", **look)
            named = column.x
        if column.hidden and column.small:
            _write_centered(ax, column.x, column.gap, "⋮")
        elif column.hidden:
            rest = f"… {group_digits(column.hidden)} more"
            if part is not None and lit.gradient:
                hidden = np.delete(part, column.shown).sum()
                rest += f": {_format_percent(hidden / lit.gradient)}"
            _write_centered(ax, column.x, column.gap, rest)
    for before, after in pairwise(columns):
        if left_out := after.place - before.place - 1:
            text = f"… {group_digits(left_out)} more\nlayers …"
            _write_centered(ax, (before.x + after.x) / 2, 0.0, text)
    x = columns[-1].x + _distance_to_loss(columns)
    ax.add_patch(circle((x, 0.0), RADIUS, facecolor=colors.paper, edgecolor=colors.ink, lw=1.3,
                        zorder=3))  # fmt: skip
    _write_centered(ax, x, 0.0, "L", weight="bold")
    _write_centered(ax, x, -RADIUS - 0.1, number_text(influence.loss), va="top")


def _label_unit(ax: Axes, x: float, y: float, label: str, percent: str) -> None:
    """Write the number of a unit, or the name of a scalar, and its share if it has one."""
    number = label.rpartition("[")[2].rstrip("]") if label.endswith("]") else label[:4]
    grey = get_colors(ax).truth
    if percent:
        _write_centered(ax, x, y - (0.055 if number else 0.0), percent, size=SMALL - 1.6)
        _write_centered(ax, x, y + 0.085, number, color=grey, size=SMALL - 3)
    else:
        _write_centered(ax, x, y, number, color=grey, size=SMALL - 2)


def _format_percent(share: float) -> str:
    """Return a share as a whole percentage."""
    return f"{number_text(np.round(100 * share), 15)}%"


def _write_centered(ax: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Write text centered at a point."""
    size = options.pop("size", SMALL)
    options = {"va": "center", "color": get_colors(ax).ink, "zorder": 4, **options}
    ax.text(x, y, text, ha="center", fontsize=size, parse_math=False, **options)


def _describe(lit: WeightInfluence, small: bool) -> list[str]:
    """Describe the weight, its gradient, and the effect of a nudge."""
    sign = "negative" if lit.gradient < 0 else "positive" if lit.gradient > 0 else "zero"
    sign = sign if lit.gradient == lit.gradient else "not a number"
    goes = {"negative": ", so a step raises it", "positive": ", so a step lowers it"}
    where = f" ({clean_name(lit.path)})" if lit.path else ""
    return [
        f"{clean_name(lit.name)}{where} = {number_text(lit.value)}: "
        f"dL/dw = {number_text(lit.gradient)} is {sign}{goes.get(sign, '')}",
        f"w + {number_text(lit.nudge)}: the gradient predicts {number_text(lit.predicted)}, "
        f"the loss changed by {number_text(lit.seen)}",
        "in a unit: its number, and the share of dL/dw that passes through it"
        + ("; small units are shaded by its size" if small else ""),
    ]


def _draw_key(ax: Axes, thick: float, top: float, y: float) -> None:
    """Draw the key to the colours and widths of lines."""
    colors = get_colors(ax)
    numbers = np.linspace(-1, 1, 121)
    strip = np.stack([_gradient_color(colors, x, 1.0) for x in numbers])[None]
    ax.imshow(strip, aspect="auto", extent=(0.0, 1.8, y - 0.05, y + 0.05), zorder=3)
    for x, text in ((0.0, number_text(-top)), (0.9, "0"), (1.8, number_text(top))):
        _write_centered(ax, x, y - 0.1, text, va="top", size=SMALL - 1)
    _write_centered(ax, 0.9, y + 0.1, "colour: dL/dw", va="bottom", size=SMALL - 1)
    for x, part in ((2.6, 0.0), (3.2, 0.5), (3.8, 1.0)):
        line = THINNEST + (THICKEST - THINNEST) * part
        ax.plot([x, x + 0.4], [y, y], lw=line, color=colors.truth, solid_capstyle="butt")
        _write_centered(ax, x + 0.2, y - 0.1, number_text(part * thick), va="top", size=SMALL - 1)
    _write_centered(ax, 3.4, y + 0.1, "width: |w|", va="bottom", size=SMALL - 1)
