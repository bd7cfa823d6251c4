"""Where a classifier draws its borders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import SMALL, blend, colors_of, dress, limits, literal, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray[Any, np.dtype[Any]]

GRID = 160  # points along an axis, where the borders are looked for
MOST_POINTS = 2000


def draw_borders(
    ax: Axes,
    x: Array,
    y: Array,
    predict: Callable[[Array], Array],
    x_names: Sequence[str],
    y_name: str,
    labels: Sequence[str],
) -> None:
    """Each class's part of the plane in its colour, the stronger the surer, and the rows."""
    wide, high = limits(x[:, 0]), limits(x[:, 1])
    places = np.stack(
        np.meshgrid(np.linspace(*wide, GRID), np.linspace(*high, GRID)), axis=-1
    )  # (GRID, GRID, 2)
    p = predict(places.reshape(-1, 2)).reshape(GRID, GRID, -1)
    colors = colors_of(ax)
    shades = np.array([blend(color, color, 0.0) for color in colors.classes])
    sure = (p.max(axis=-1) - 1 / len(labels)) / (1 - 1 / len(labels))
    strength = 0.12 + 0.28 * np.clip(sure, 0, 1)[..., None]
    image = blend(colors.paper, shades[p.argmax(axis=-1)], strength[..., 0])
    ax.imshow(image, origin="lower", extent=(*wide, *high), aspect="auto", interpolation="nearest")
    step = -(-len(x) // MOST_POINTS)
    drawn = np.random.default_rng(0).permutation(len(x))[: -(-len(x) // step)]  # in no rhythm
    across = 3 if len(labels) <= 6 else 4  # names beside each other: two rows have room
    longest = 13 if across == 3 else 9
    for place, name in enumerate(labels):
        rows = x[drawn][y[drawn] == place]
        color, text = colors.classes[place], literal(name, longest)
        ax.scatter(
            rows[:, 0],
            rows[:, 1],
            s=14,
            color=color,
            edgecolor=colors.paper,
            linewidth=0.4,
            label=text,
        )
    if step > 1:
        write(ax, wide[1], high[0], f"one row in {step}", (-4, 4), ha="right", va="bottom")
    dress(ax, "Where it draws its borders", [], *(literal(name) for name in x_names))
    legend = ax.legend(
        title=literal(y_name) if len(labels) <= 3 else None, loc="lower left",
        bbox_to_anchor=(0, 1.0), borderaxespad=0.2, ncols=across, frameon=False, fontsize=SMALL,
        title_fontsize=SMALL, alignment="left", borderpad=0, handletextpad=0.1, columnspacing=0.8,
    )  # fmt: skip
    for written in (*legend.get_texts(), legend.get_title()):
        written.set_parse_math(False)
