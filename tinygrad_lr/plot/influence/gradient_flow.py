"""`gradient_by_depth`: the size of the gradient in each layer, and its causes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError, import_extra
from ...explain import Influence
from ...explain.influences.findings import EXPLODES, VANISHES, gradient_trend
from ...explain.influences.jacobians import euclidean_norm
from ...explain.influences.measure import check_influence
from ...explain.influences.model import LayerInfluence
from ...support.text_format import number_text
from ...support.type_names import Figure
from ..style import TEXT, clean_name, draw_key, get_colors, make_panels, style_axes, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["gradient_by_depth"]

MAX_NAMED = 14  # layers with room for their names
LINE_HEIGHT = 0.2  # inches for a line of text


def gradient_by_depth(influence: Influence, *, dark: bool = False) -> Figure:
    """Draw the size of the gradient in each layer on a log scale, with the loss at the right.

    The left panel shows the norm of dL/dz for each layer, before its activation, and of dL/dW for
    its parameters. Bands mark vanishing gradients (below a thousandth of the last layer's) and
    exploding ones (above a thousand times). The right panel shows the causes: the largest factor
    by which a layer can multiply a gradient (the largest singular value of its Jacobian: median
    and range over the rows), and the mean slope of its activation. Above 1 gradients can grow,
    below 1 they shrink. The text below says what the numbers mean.

    Raises `ArgumentError` if there are fewer than two layers, `MissingExtraError` without
    matplotlib.

    >>> model = tg.nn.MLP(2, [8, 8, 8], 1, activation="sigmoid", generator=0)
    >>> loss = tg.losses.mse(model(np.ones((4, 2))), np.ones((4, 1)))
    >>> figure = gradient_by_depth(tg.influence(model, loss))
    >>> [panel.get_yscale() for panel in figure.axes]
    ['log', 'log']
    """
    if len(check_influence("gradient_by_depth", influence).layers) < 2:
        raise ArgumentError(
            f"gradient_by_depth: influence must have at least two layers, "
            f"got {len(influence.layers)}"
        )
    words = textwrap.wrap(" ".join(influence.findings[:1]), 150)
    height = 4.6 + LINE_HEIGHT * len(words)
    figure, (sizes, factors) = make_panels(2, panel=(5.4, height), dark=dark)
    below = (LINE_HEIGHT * len(words) + 0.1) / height
    layout: Any = figure.get_layout_engine()
    layout.set(rect=(0.0, below, 1.0, 1.0 - below))
    with np.errstate(all="ignore"):
        _draw_sizes(sizes, influence)
        _draw_factors(factors, influence)
    figure.text(
        0.16 / figure.get_figwidth(), below - 0.02, "\n".join(words), va="top", fontsize=TEXT,
        color=get_colors(sizes).ink, linespacing=1.4, parse_math=False,
    )  # fmt: skip
    return figure


def _draw_sizes(ax: Axes, influence: Influence) -> None:
    """Draw ‖dL/dz‖ and ‖dL/dW‖ by layer."""
    colors = get_colors(ax)
    layers = influence.layers
    places = np.arange(1, len(layers) + 1)
    hidden = np.array([layer.delta_norm for layer in layers])
    owned = np.array(
        [euclidean_norm(np.array([p.norm for p in layer.parameters])) or np.nan for layer in layers]
    )
    seen = [x for x in (*hidden, *owned) if np.isfinite(x) and x > 0]
    ax.set_yscale("log")
    ax.set_xlim(_x_limits(layers))
    low, high = (min(seen), max(seen)) if seen else (0.1, 1.0)
    room = (high / low) ** 0.08 * 1.4
    last = hidden[-1] if hidden[-1] > 0 else high
    course = gradient_trend(influence)
    bottom, top = low / room, high * room
    if course == "vanishes":
        ax.axhspan(bottom, last * VANISHES, color=colors.down, alpha=0.16, lw=0)
        write(ax, _x_limits(layers)[1], bottom, "vanishing: below a thousandth of the last",
              (-5, 5), ha="right", bbox=None)  # fmt: skip
    if course == "explodes":
        ax.axhspan(last * EXPLODES, top, color=colors.up, alpha=0.14, lw=0)
        write(ax, _x_limits(layers)[1], top, "exploding: beyond 1000 times the last",
              (-5, -5), va="top", ha="right", bbox=None)  # fmt: skip
    ax.set_ylim(bottom, top)
    (line,) = ax.plot(places, _hide_nonpositive(hidden), "o-", color=colors.model, lw=2.2, ms=5)
    (other,) = ax.plot(places, _hide_nonpositive(owned), "s--", color=colors.truth, lw=1.2, ms=4)
    _label_ends(ax, layers)
    style_axes(ax, f"The gradient {course} through depth" if course != "stays"
          else "The gradient keeps its size", [], "layer, from the data to the loss",
          "norm of the gradient")  # fmt: skip
    draw_key(
        ax,
        [
            (line, "‖dL/dz‖ of the layer, before its activation"),
            (other, "‖dL/dW‖ of its parameters"),
        ],
    )
    _label_layers(ax, layers, [x.before_activation for x in layers])


def _draw_factors(ax: Axes, influence: Influence) -> None:
    """Draw the factor by which each layer multiplies a gradient."""
    colors = get_colors(ax)
    layers = influence.layers
    places, middle, least, most = [], [], [], []
    for place, layer in enumerate(layers, 1):
        if layer.factor is not None and np.isfinite(layer.factor.spectral).all():
            places.append(place)
            middle.append(float(np.median(layer.factor.spectral)))
            least.append(float(layer.factor.spectral.min()))
            most.append(float(layer.factor.spectral.max()))
    slopes = [
        (place, activation.mean)
        for place, layer in enumerate(layers, 1)
        for activation in layer.activations[-1:]
    ]
    ax.set_yscale("log")
    ax.set_xlim(_x_limits(layers))
    ax.axhline(1.0, color=colors.rule, lw=1.0, zorder=0)
    entries = []
    if places:
        (points,) = ax.plot(
            places, _hide_nonpositive(middle), "o", color=colors.model, ms=6, zorder=3
        )
        ax.vlines(
            places, _hide_nonpositive(least), _hide_nonpositive(most), color=colors.model, lw=2
        )
        entries.append((points, "at most: largest singular value of its Jacobian"))
    if slopes:
        (dots,) = ax.plot(*zip(*slopes, strict=True), "D", color=colors.step, ms=4.5, zorder=2)
        names = dict.fromkeys(a.operation for x in layers for a in x.activations[-1:])
        entries.append((dots, f"mean slope of {clean_name(', '.join(names))}"))
    numbers = [x for x in (*least, *most, *(s for _, s in slopes), 1.0) if x > 0]
    low, high = min(numbers), max(numbers)
    room = (high / low) ** 0.1 * 1.3
    ax.set_ylim(low / room, high * room)
    write(ax, _x_limits(layers)[1], 1.0, "1: neither grows nor shrinks", (-4, 3), ha="right")
    style_axes(ax, "What each layer multiplies it by", [], "layer, from the data to the loss",
          "factor")  # fmt: skip
    if entries:
        draw_key(ax, entries)
    _label_layers(ax, layers, [x.output for x in layers])


def _hide_nonpositive(numbers: object) -> np.ndarray:
    """Return the numbers for a logarithmic axis, nan unless positive and finite."""
    array = np.asarray(numbers, np.float64)
    return np.where((array > 0) & np.isfinite(array), array, np.nan)


def _x_limits(layers: tuple[LayerInfluence, ...]) -> tuple[float, float]:
    """Return the limits of the axis of layers, with room for a number on either side."""
    room = 0.4 + 0.2 * len(layers)
    return 1 - room, len(layers) + room


def _label_ends(ax: Axes, layers: tuple[LayerInfluence, ...]) -> None:
    """Write the size at both ends as numbers."""
    for place, layer in ((1, layers[0]), (len(layers), layers[-1])):
        size = layer.delta_norm
        if np.isfinite(size) and size > 0:
            side = ("right", -8) if place == 1 else ("left", 8)
            text = number_text(size, 2)
            write(ax, place, size, text, (side[1], 0), ha=side[0], va="center", bbox=None)


def _label_layers(ax: Axes, layers: tuple[LayerInfluence, ...], labels: Sequence[str]) -> None:
    """Label the layers, and the other axis with a few round numbers."""
    ticker = import_extra("matplotlib.ticker", "plot")
    step = -(-len(layers) // MAX_NAMED)
    names = [clean_name(label, 8) for label in labels[::step]]
    ax.set_xticks(range(1, len(layers) + 1, step), names)
    for text in ax.get_xticklabels():
        text.set_parse_math(False)
    bottom, top = ax.get_ylim()
    few = (1, 2, 5) if top / bottom < 1e3 else (1,)
    ax.yaxis.set_major_locator(ticker.LogLocator(subs=few, numticks=9))
    ax.yaxis.set_minor_locator(ticker.NullLocator())
    if top / bottom < 1e3:
        ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
