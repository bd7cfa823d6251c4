"""The style that all plots share: one meaning per colour, plain axes, names shown literally."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, import_extra
from ..support.abstract_array import Array
from ..support.type_names import Figure
from ..support.validation import check_flag, short_repr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text


MODEL = "#0072B2"  # blue: what was learnt
TRUTH = "#444444"  # dark grey: data and the closed form
UP, DOWN = "#D55E00", "#56B4E9"  # a positive gradient, a negative one
STEP = "#009E73"  # green: an accepted step
INK, RULE = "#222222", "#BBBBBB"

TITLE, TEXT, SMALL = 12.0, 9.5, 9.0  # points
LEFT_OF_AXES = 50.0  # points that ticks and labels take beside a panel
WIDTH_OF_CHARACTER = 0.56  # of the size of a font, on average
FIRST_WIDE = "\u2e80"  # from here on, characters are Chinese, Japanese or Korean
WIDE_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei"),
    *("Droid Sans Fallback", "PingFang SC", "Hiragino Sans", "Microsoft YaHei", "Yu Gothic"),
    *("Malgun Gothic", "Arial Unicode MS"),
)
DRAWABLE = 1e150  # beyond this, differences of numbers overflow


@dataclass(frozen=True)
class Colors:
    """A colour for each meaning: those of Okabe and Ito, or lighter ones for a dark page.

    `classes` and `other` can be distinguished with any colour vision. `other` is for a second
    curve beside the model's, such as validation data.
    """

    paper: str
    ink: str
    rule: str
    model: str
    truth: str
    up: str
    down: str
    step: str
    classes: tuple[str, ...]

    @property
    def other(self) -> str:
        """The colour of a second curve."""
        return self.classes[1]


PRINT = Colors(
    *("white", INK, RULE, MODEL, TRUTH, UP, DOWN, STEP),
    classes=(MODEL, UP, STEP, "#CC79A7", "#E69F00", DOWN, "#F0E442", TRUTH),
)
DARK = Colors(
    *("#15181D", "#E8E8E8", "#666B73", "#4A9FE8", "#C4C7CC", "#FF7F3F", "#A6DBFF", "#2CC295"),
    classes=(
        *("#4A9FE8", "#FF7F3F", "#2CC295", "#E39AC4", "#F2B233", "#A6DBFF", "#F0E442", "#C4C7CC"),
    ),
)


def make_panels(
    count: int,
    *,
    columns: int | None = None,
    panel: tuple[float, float] = (4.6, 4.7),
    dark: bool = False,
) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with panels in `columns`; `panel` is the size of each in inches."""
    columns = min(columns or count, count)
    rows = -(-count // columns)
    figure = make_figure(panel[0] * columns, panel[1] * rows, dark=dark)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in grid[count:]:
        unused.remove()
    return figure, grid[:count]


def make_figure(width: float, height: float, *, dark: bool = False) -> Figure:
    """Return a figure of this size in inches, on white or dark paper, made without pyplot."""
    dark = check_flag("a plot", "dark", dark)
    engine = import_extra("matplotlib.layout_engine", "plot")
    layout = engine.ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, wspace=0.05)
    figure: Any = import_extra("matplotlib.figure", "plot").Figure(
        figsize=(width, height),
        dpi=100,
        facecolor=(DARK if dark else PRINT).paper,
        layout=layout,
    )
    figure._repr_png_ = partial(
        render_png, figure
    )  # notebooks show a Figure only once pyplot is there
    drawn: Figure = figure
    return drawn


def render_png(figure: Figure) -> bytes:
    """Return the figure as the bytes of a PNG file, the same for the same figure."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def get_colors(ax: Axes) -> Colors:
    """Return the colours for the paper of a panel."""
    paper: Any = ax.figure.get_facecolor()
    red, green, blue, *_ = paper
    return DARK if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5 else PRINT


def size_in_points(ax: Axes) -> tuple[float, float]:
    """Return the width and height of a panel's figure in points."""
    figure: Any = ax.figure
    width, height = figure.get_size_inches()
    return float(width * 72), float(height * 72)


def blend(paper: str, color: str | Array, strength: Any) -> Array:
    """Blend a colour onto paper, (..., 3): the paper at strength 0, the colour at 1."""
    to_rgb = import_extra("matplotlib.colors", "plot").to_rgb
    ground = np.array(to_rgb(paper))
    above = np.array(to_rgb(color)) if isinstance(color, str) else color
    return np.asarray(ground + np.asarray(strength)[..., None] * (above - ground))


def style_axes(
    ax: Axes,
    title: str,
    details: Sequence[str],
    x_name: str,
    y_name: str,
    *,
    whole: bool = False,
    lines: int = 2,
) -> None:
    """Write the title and details above the panel, label its axes, and remove the box.

    There is room for `lines` of details or of a key, and more for details that are too long for
    the panel and wrapped. With `whole`, the ticks of the x axis are integers.
    """
    details = wrap_to_panel(ax, details)
    lines = max(lines, len(details))
    ticker = import_extra("matplotlib.ticker", "plot")
    colors = get_colors(ax)
    ax.set_facecolor(colors.paper)
    for side, spine in ax.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(colors.rule)
        spine.set_linewidth(0.8)
    ticks: dict[str, Any] = {"labelsize": SMALL, "color": colors.rule, "length": 3, "width": 0.8}
    ax.tick_params(labelcolor=colors.ink, direction="out", **ticks)
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "linear":
            integer = whole and axis is ax.xaxis
            steps = [1, 2, 5, 10] if integer else [1, 2, 2.5, 5, 10]
            axis.set_major_locator(ticker.MaxNLocator(5, steps=steps, integer=integer))
            axis.set_major_formatter(ticker.FuncFormatter(lambda number, _: _format_tick(number)))
        axis.offsetText.set_visible(False)
    ax.grid(False)
    look: dict[str, Any] = {"color": colors.ink, "fontsize": TEXT}
    heading: dict[str, Any] = {"color": colors.ink, "fontsize": TITLE, "fontweight": "bold"}
    show_literally(
        ax.set_xlabel(x_name, **look),
        ax.set_ylabel(y_name, **look),
        ax.set_title(title, loc="left", pad=12 + 14 * lines, y=1.0, **heading),
    )
    if details:
        write(ax, 0, 1, "\n".join(details), (0, 7), va="bottom", linespacing=1.45, inside=False)


def wrap_to_panel(ax: Axes, details: Sequence[str]) -> list[str]:
    """Return the details in lines that fit above a panel."""
    spec = ax.get_subplotspec()
    columns = spec.get_gridspec().ncols if spec is not None else 1
    return wrap_lines(details, size_in_points(ax)[0] / columns - LEFT_OF_AXES)


def wrap_lines(texts: Sequence[str], width: float) -> list[str]:
    """Return texts in lines of at most this width in points."""
    most = max(int(width / (SMALL * WIDTH_OF_CHARACTER)), 20)
    return [line for text in texts for line in textwrap.wrap(text, most) or [""]]


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
    """Write text at a point of the data (with inside=False: of the panel), offset in points."""
    colors = get_colors(ax)
    if inside:
        options.setdefault("bbox", {"facecolor": colors.paper, "alpha": 0.8, "pad": 1.5, "lw": 0})
    options = {"color": colors.ink, "fontsize": SMALL, "in_layout": False, **options}
    written = ax.annotate(
        text,
        (x, y),
        offset,
        xycoords="data" if inside else "axes fraction",
        textcoords="offset points",
        annotation_clip=False,
        **options,
    )
    show_literally(written)


def show_literally(*texts: Text) -> None:
    """Show texts literally: no mathematics in $...$, and a font that has the characters."""
    for text in texts:
        text.set_parse_math(False)
        text.set_usetex(False)
        if max(text.get_text(), default="") >= FIRST_WIDE:
            text.set_fontfamily([*text.get_fontfamily(), *_find_wide_fonts()])


def _find_wide_fonts() -> list[str]:
    """Return the installed fonts with Chinese, Japanese and Korean characters."""
    manager = import_extra("matplotlib.font_manager", "plot").fontManager
    installed = {font.name for font in manager.ttflist}
    return [name for name in WIDE_FONTS if name in installed]


def draw_key(ax: Axes, entries: Sequence[tuple[Any, str]]) -> None:
    """Draw the key to the lines of a panel, above it and below its title."""
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
        labelcolor=get_colors(ax).ink,
    )
    show_literally(*legend.get_texts())
    legend.set_in_layout(False)


def note_hidden(ax: Axes, hidden: int, thing: str) -> None:
    """Write how many values are not drawn."""
    if hidden:
        plural = {"loss": "losses"}.get(thing, f"{thing}s") if hidden != 1 else thing
        ax.text(
            0.98,
            0.98,
            f"{hidden} {plural} not finite or beyond 1e150: not drawn",
            transform=ax.transAxes,
            ha="right",
            va="top",
            fontsize=SMALL,
            color=get_colors(ax).truth,
            wrap=True,
            in_layout=False,
        )


def spread_out(places: Sequence[float], gap: float) -> list[float]:
    """Return positions for labels near these, in the same order, at least the gap apart.

    >>> spread_out([0.0, 0.1, 3.0], 1.0)
    [-0.45, 0.55, 3.0]
    """
    order = np.argsort(places, kind="stable")
    groups: list[list[float]] = []  # sum of (place - offset), number of labels
    for i in order:
        groups.append([float(places[i]), 1])
        while len(groups) > 1:
            (above, many), (below, few) = groups[-1], groups[-2]
            if below / few + gap * few <= above / many:  # a group begins at its mean start
                break
            groups[-2:] = [[below + above - gap * few * many, few + many]]
    found = [0.0] * len(places)
    position = iter(order)
    for total, count in groups:
        for i in range(int(count)):
            found[next(position)] = total / count + gap * i
    return found


def clean_name(name: object, longest: int = 30) -> str:
    """Return a name on one line, without unprintable characters, shortened in the middle."""
    if not isinstance(name, str):
        raise ArgumentError(f"a plot: a name must be text, got {short_repr(name)}")
    text = "".join(c if c.isprintable() else " " for c in str(name))
    text = " ".join(text.split()) or "?"
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}…{text[-(longest - longest // 2 - 1) :]}"


def _format_tick(tick: float) -> str:
    """Format the number of a tick in full, or as a power of ten if that is long."""
    text = f"{tick:,.10g}" if abs(tick) < 1e7 else f"{tick:.4g}"
    return text.replace(",", "\u2009").replace("-", "−", 1)


def is_drawable(*arrays: Array) -> Array:
    """Return True for the entries where all arrays are finite and at most 1e150."""
    with np.errstate(invalid="ignore"):
        sizes = [np.abs(np.asarray(array, np.float64)) for array in arrays]
        return np.asarray(np.all([size < DRAWABLE for size in sizes], axis=0))


def pad_limits(*arrays: Array, margin: float = 0.05) -> tuple[float, float]:
    """Return the range of the numbers, widened by a margin; never empty."""
    numbers = np.concatenate([np.ravel(array) for array in arrays])
    numbers = numbers[is_drawable(numbers)]
    if not numbers.size:
        return 0.0, 1.0
    low, high = float(numbers.min()), float(numbers.max())
    room = margin * (high - low)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # one number, to the eye
        room = 0.5 * max(abs(low), abs(high)) or 1.0
    return low - room, high + room
