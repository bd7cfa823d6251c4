"""`network`: draw a network as units and weights, and highlight one weight's paths to the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from ..style import SMALL, TEXT, blend, clean_name, get_colors, make_figure, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["network"]

Places = Sequence[tuple[int, int]]  # edges, as (unit before, unit after)

ACROSS, DOWN, RADIUS = 1.9, 0.56, 0.215  # inches between layers, between units, of a unit
MAX_UNITS = 10  # of a layer that are drawn
THICKEST, THINNEST = 4.0, 0.4  # points: the largest weight, the least
LEFT, RIGHT, ABOVE, BELOW = 0.62, 0.5, 1.62, 0.78  # inches around the units
THINNEST_LIT = 1.6  # points: the chosen weight, however small
DIM_STRENGTH = 0.3  # how much of an edge is left that is on no path


@dataclass(frozen=True, eq=False)
class Column:
    """The units of a layer to draw, and their positions."""

    title: str
    labels: Sequence[str]
    shown: Sequence[int]
    x: float
    y: Array

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
    layer only the units with the largest shares are drawn, and the others are counted.

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
    right, half = ACROSS * len(columns), DOWN * (max(tall, 3) - 1) / 2
    width, height = LEFT + right + RIGHT, BELOW + 2 * half + ABOVE
    figure = make_figure(width, height, dark=dark)
    figure.set_layout_engine("none")  # an inch of the drawing is an inch of the figure
    edge = 0.25  # inches left of the title
    tall_enough = (BELOW + 2 * half + ABOVE - 1.0) / height
    ax = figure.add_axes((edge / width, 0, 1 - edge / width, tall_enough))
    ax.set_xlim(edge - LEFT, right + RIGHT)
    ax.set_ylim(-half - BELOW, half + ABOVE - 1.0)
    ax.set_axis_off()
    with np.errstate(all="ignore"):
        thick, top = (
            max(float(np.abs(numbers).max(initial=0.0)) for numbers in of_all)
            for of_all in ([x.weights for x in edges], [x.gradients for x in edges])
        )
        _draw_edges(ax, lit, edges, own, columns, thick, top)
        _draw_units(ax, influence, lit, own, columns)
    title = "The network, and the paths from one weight to the loss"
    style_axes(ax, title, _describe(lit), "", "", lines=3)
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
    return [
        _build_column(i, *parts)
        for i, parts in enumerate(zip(titles, labels, importance, strict=True))
    ]


def _build_column(place: int, title: str, labels: Sequence[str], importance: Array) -> Column:
    """Return the most important units of a layer, in order, around the middle."""
    count = len(labels)
    kept = count if count <= MAX_UNITS else MAX_UNITS - 1
    order = np.argsort(-np.nan_to_num(importance, nan=0.0, posinf=np.inf), kind="stable")
    shown = sorted(int(i) for i in order[:kept])
    rows = kept + (count > kept)
    y = DOWN * ((rows - 1) / 2 - np.arange(kept))
    return Column(title, labels, shown, ACROSS * place, y)


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
    for i, e in enumerate(edges):
        before, after = columns[i], columns[i + 1]
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
                [before.x + RADIUS, after.x - RADIUS],
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
        ax.plot([last.x + RADIUS, last.x + ACROSS - RADIUS], [y, 0.0], lw=0.8,
                color=colors.rule, zorder=1)  # fmt: skip


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
    offset = len(columns) - len(lit.through)
    ends = {(i, row) for i, places in enumerate(own) for row, _ in places}
    ends |= {(i + 1, column) for i, places in enumerate(own) for _, column in places}
    for i, column in enumerate(columns):
        part = lit.through[i - offset].contributions if i >= offset else None
        for unit, y in zip(column.shown, column.y, strict=True):
            amount = 0.0 if part is None or not lit.gradient else part[unit] / lit.gradient
            bright = abs(amount) >= 0.005 or (i, unit) in ends
            edge = colors.ink if bright else colors.rule
            ax.add_patch(circle((column.x, y), RADIUS, facecolor=colors.paper, edgecolor=edge,
                                lw=1.3 if bright else 0.9, zorder=3))  # fmt: skip
            label = column.labels[unit]  # h₁[3], or a scalar's own name
            number = label.rpartition("[")[2].rstrip("]") if label.endswith("]") else label[:4]
            if bright and part is not None:
                percent = _format_percent(amount)
                below = 0.055 if number else 0.0
                _write_centered(ax, column.x, y - below, percent, size=SMALL - 1.6)
                _write_centered(ax, column.x, y + 0.085, number, color=colors.truth, size=SMALL - 3)
            else:
                _write_centered(ax, column.x, y, number, color=colors.truth, size=SMALL - 2)
        _write_centered(
            ax, column.x, top, clean_name(column.title, 14), va="bottom", size=TEXT, weight="bold"
        )
        if column.hidden:
            rest = f"… {group_digits(column.hidden)} more"
            if part is not None and lit.gradient:
                hidden = np.delete(part, column.shown).sum()
                rest += f": {_format_percent(hidden / lit.gradient)}"
            _write_centered(ax, column.x, column.gap, rest)
    x = columns[-1].x + ACROSS
    ax.add_patch(circle((x, 0.0), RADIUS, facecolor=colors.paper, edgecolor=colors.ink, lw=1.3,
                        zorder=3))  # fmt: skip
    _write_centered(ax, x, 0.0, "L", weight="bold")
    _write_centered(ax, x, -RADIUS - 0.1, number_text(influence.loss), va="top")


def _format_percent(share: float) -> str:
    """Return a share as a whole percentage."""
    return f"{number_text(np.round(100 * share), 15)}%"


def _write_centered(ax: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Write text centered at a point."""
    size = options.pop("size", SMALL)
    options = {"va": "center", "color": get_colors(ax).ink, "zorder": 4, **options}
    ax.text(x, y, text, ha="center", fontsize=size, parse_math=False, **options)


def _describe(lit: WeightInfluence) -> list[str]:
    """Describe the weight, its gradient, and the effect of a nudge."""
    sign = "negative" if lit.gradient < 0 else "positive" if lit.gradient > 0 else "zero"
    sign = sign if lit.gradient == lit.gradient else "not a number"
    goes = {"negative": ", so a step makes it larger", "positive": ", so a step makes it smaller"}
    where = f" ({clean_name(lit.path)})" if lit.path else ""
    return [
        f"{clean_name(lit.name)}{where} = {number_text(lit.value)}: "
        f"dL/dw = {number_text(lit.gradient)} is {sign}{goes.get(sign, '')}",
        f"w + {number_text(lit.nudge)}: the gradient predicts {number_text(lit.predicted)}, "
        f"the loss changed by {number_text(lit.seen)}",
        "in a unit: its number, and the share of dL/dw that passes through it",
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
