"""What notebooks show of a history: why it ended, the curve of its loss, and its evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from ..markup import MOST_COLUMNS, MOST_ROWS, Html, element, ends, figure, table, title, together
from .history import History, counted

WIDTH, HEIGHT = 460, 190
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 22, 34
MOST_POINTS = 200  # of a curve, the lowest and the highest of each stretch
DECADES = 2.0  # a loss that falls through so many is drawn on a scale of powers of ten
MODEL = "#0072B2"
ABOVE = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MOST_TICKS = 7
SHORT = 3  # digits of a power of ten

Point = tuple[float, float]


def history_page(history: History) -> Html:
    """The display of a history."""
    parts: list[object] = [title("History", history.message or counted(history.steps, "step"))]
    losses = [(float(i), float(x)) for i, x in enumerate(history.losses)]
    held = [
        (float(row["step"]), float(row["validation_loss"]))
        for row in history.evaluations
        if "validation_loss" in row
    ]
    if sum(math.isfinite(x) for _, x in losses) > 1:
        parts.append(curves(losses, held))
    parts.append(table([], list(settings(history)), numeric=[1]))
    if history.evaluations:
        parts.append(evaluations(history.evaluations))
    told = [element("li", x) for x in history.warnings[:MOST_ROWS] if x != history.message]
    if told:
        parts.append(element("ul", *told, style="margin: 0.3em 0"))
    return together(*parts)


def settings(history: History) -> Iterable[tuple[str, str]]:
    """What is said of a history beside its sentence."""
    if history.losses:
        yield "first loss", figure(history.losses[0], 6)
        yield "last loss", figure(history.losses[-1], 6)
    yield "learning rate", figure(history.learning_rate, 6)
    if history.learning_rate_limit is not None:
        yield "largest stable rate", figure(history.learning_rate_limit, 6)
    if history.best_step is not None:
        yield "best step", f"{history.best_step:,}"


def evaluations(rows: Sequence[Mapping[str, float]]) -> Html:
    """The first evaluations and the last, with their first columns."""
    names = list(dict.fromkeys(name for row in (rows[0], rows[-1]) for name in row))
    shown = names[:MOST_COLUMNS]
    more = f", {len(names) - len(shown):,} more columns" if len(names) > len(shown) else ""
    body: list[list[str]] = []
    for i in ends(len(rows), MOST_ROWS):
        if i is None:
            body.append(["…"] * len(shown))
            continue
        row = rows[i]
        body.append(
            [
                f"{row[name]:,.0f}"
                if name in {"step", "epoch"} and name in row
                else figure(row[name])
                if name in row
                else ""
                for name in shown
            ]
        )
    heads = [name.replace("_", " ") for name in shown]
    caption = f"{counted(len(rows), 'evaluation')}{more}"
    return table(heads, body, caption=caption, numeric=range(len(heads)))


# ---- the curve


def curves(losses: Sequence[Point], held: Sequence[Point]) -> Html:
    """The loss over the steps, and the one of validation data, as a picture."""
    finite = [y for _, y in [*losses, *held] if math.isfinite(y)]
    low, high = min(finite), max(finite)
    powers = low > 0 and math.log10(high) - math.log10(low) >= DECADES
    scaled = [stretched(thinned(points), powers) for points in (losses, held)]
    bottom, top = (math.log10(low), math.log10(high)) if powers else (low, high)
    if not top - bottom > 1e-12 * max(abs(top), abs(bottom)):
        room = abs(top) / 2 or 1.0
        bottom, top = bottom - room, top + room
    end = max(x for x, _ in [*losses, *held]) or 1.0

    def place(point: Point) -> tuple[str, str]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * point[0] / end
        share = (point[1] / 2 - bottom / 2) / (top / 2 - bottom / 2)  # halves: no overflow
        return f"{x:.1f}", f"{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share:.1f}"

    first, last = losses[0][1], losses[-1][1]
    finding = f"The loss over {len(losses) - 1} steps: from {figure(first)} to {figure(last)}."
    parts: list[object] = []
    for y in ticks(bottom, top, powers):
        label = power_of_ten(round(y)) if powers else figure(y)
        _, at = place((0.0, y))
        parts.append(
            element(
                "line",
                x1=LEFT,
                x2=WIDTH - RIGHT,
                y1=at,
                y2=at,
                stroke="currentColor",
                stroke_opacity="0.18",
            )
        )
        parts.append(words(label, LEFT - 6, float(at) + 4, "end"))
    for x in ticks(0.0, end, whole=True):
        at, _ = place((x, bottom))
        parts.append(words(f"{x:,.0f}", float(at), HEIGHT - BOTTOM + 16, "middle"))
    parts.append(words("step", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, "middle"))
    parts.append(words("loss" + (" (powers of ten)" if powers else ""), 4, 12, "start"))
    strokes = [(MODEL, ""), ("currentColor", "5 3")]
    for points, (colour, dash) in zip(scaled, strokes, strict=True):
        for piece in points:
            drawn = " ".join(",".join(place(point)) for point in piece)
            dashed = {"stroke_dasharray": dash} if dash else {}
            parts.append(
                element(
                    "polyline",
                    points=drawn,
                    fill="none",
                    stroke=colour,
                    stroke_width="2",
                    stroke_linejoin="round",
                    **dashed,
                )
            )
    if held:
        parts.append(words("solid: training, dashed: validation", WIDTH - RIGHT, 12, "end"))
    return element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
        aria_label=finding,
        style="max-width: 100%; height: auto; display: block; color: inherit",
    )


def words(text: str, x: float, y: float, anchor: str) -> Html:
    """Text in the picture."""
    return element(
        "text",
        text,
        x=f"{x:g}",
        y=f"{y:g}",
        text_anchor=anchor,
        fill="currentColor",
        font_size="11",
        font_family="inherit",
    )


def thinned(points: Sequence[Point]) -> Sequence[Point]:
    """The points, or of each stretch of many the lowest and the highest, first and last too.

    >>> thinned([(float(i), float(i % 2)) for i in range(100_000)])[:3]
    [(0.0, 0.0), (1.0, 1.0), (1000.0, 0.0)]
    """
    if len(points) <= MOST_POINTS:
        return points
    length = -(-len(points) // (MOST_POINTS // 2))
    kept = {0, len(points) - 1}
    for start in range(0, len(points), length):
        stretch = range(start, min(start + length, len(points)))
        finite = [i for i in stretch if math.isfinite(points[i][1])]
        kept |= (
            {min(finite, key=lambda i: points[i][1]), max(finite, key=lambda i: points[i][1])}
            if finite
            else {start}
        )
    return [points[i] for i in sorted(kept)]


def stretched(points: Sequence[Point], powers: bool) -> list[list[Point]]:
    """The pieces of a curve between numbers that are not finite, on the scale of the picture."""
    pieces: list[list[Point]] = [[]]
    for x, y in points:
        if math.isfinite(y):
            pieces[-1].append((x, math.log10(y) if powers else y))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def ticks(low: float, high: float, whole: bool) -> list[float]:
    """Round numbers between two ends, about five of them; whole ones if there are no others.

    >>> ticks(0.0, 97.0, True), ticks(-0.4, 0.9, False), ticks(0.0, 1.0, True)
    ([0.0, 20.0, 40.0, 60.0, 80.0], [-0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8], [0.0, 1.0])
    """
    width = high - low
    if not math.isfinite(width):
        return []
    size = 10.0 ** math.floor(math.log10(width / 3))
    step = next(size * k for k in (1, 2, 5, 10, 20) if width / (size * k) <= MOST_TICKS)
    step = max(1.0, float(round(step))) if whole else step
    return [
        float(figure(i * step).replace("−", "-"))
        for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def power_of_ten(exponent: int) -> str:
    """A power of ten, written out where it is short.

    >>> power_of_ten(-2), power_of_ten(3), power_of_ten(-12)
    ('0.01', '1000', '10⁻¹²')
    """
    if abs(exponent) <= SHORT:
        return figure(10.0**exponent)
    return f"10{str(exponent).translate(ABOVE)}"
