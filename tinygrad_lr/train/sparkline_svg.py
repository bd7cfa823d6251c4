"""The loss curve as a small SVG picture for notebooks, drawn without a library."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..support.html import Html, element
from ..support.text_format import number_text
from ..support.thinning import thin_curve

WIDTH, HEIGHT = 460, 190
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 22, 34
MAX_POINTS = 200  # of a curve: the lowest and the highest of each stretch
MIN_CHANGE = 1e-9  # of the largest loss: below, a curve is drawn flat, as rounding hides its labels
MIN_LOG_DECADES = 2.0  # a loss that falls by this or more is drawn on a logarithmic scale
MODEL = "#0072B2"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MAX_TICKS = 7
MAX_PLAIN_EXPONENT = 3  # above, a power of ten is written with an exponent

Point = tuple[float, float]


def draw_loss_curves(losses: Sequence[Point], held: Sequence[Point]) -> Html:
    """Draw the loss over the steps, and that of validation data."""
    finite = [y for _, y in [*losses, *held] if math.isfinite(y)]
    low, high = min(finite), max(finite)
    powers = low > 0 and math.log10(high) - math.log10(low) >= MIN_LOG_DECADES
    scaled = [split_at_gaps(thin_points(points), powers) for points in (losses, held)]
    bottom, top = (math.log10(low), math.log10(high)) if powers else (low, high)
    if not top - bottom > MIN_CHANGE * max(abs(top), abs(bottom)):
        room = abs(top) / 2 or 1.0
        bottom, top = bottom - room, top + room
    end = max(x for x, _ in [*losses, *held]) or 1.0

    def place(point: Point) -> tuple[str, str]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * point[0] / end
        share = (point[1] / 2 - bottom / 2) / (top / 2 - bottom / 2)  # halves: no overflow
        return f"{x:.1f}", f"{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share:.1f}"

    first, last = losses[0][1], losses[-1][1]
    begins, now = number_text(first), number_text(last)
    finding = f"The loss over {len(losses) - 1} steps: from {begins} to {now}."
    parts: list[object] = []
    heights = ticks(bottom, top, powers)
    digits = digits_of(heights)
    for y in heights:
        label = power_of_ten(round(y)) if powers else number_text(y, digits)
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
        parts.append(text_at(label, LEFT - 6, float(at) + 4, "end"))
    for x in ticks(0.0, end, whole=True):
        at, _ = place((x, bottom))
        parts.append(text_at(f"{x:,.0f}", float(at), HEIGHT - BOTTOM + 16, "middle"))
    parts.append(text_at("step", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, "middle"))
    parts.append(text_at("loss" + (" (powers of ten)" if powers else ""), 4, 12, "start"))
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
        parts.append(text_at("solid: training, dashed: validation", WIDTH - RIGHT, 12, "end"))
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


def text_at(text: str, x: float, y: float, anchor: str) -> Html:
    """Return text in the picture, on a line of its own where notebooks keep text alone."""
    drawn = element(
        "text",
        text,
        x=f"{x:g}",
        y=f"{y:g}",
        text_anchor=anchor,
        fill="currentColor",
        font_size="11",
        font_family="inherit",
    )
    return Html(f"{drawn}\n")


def thin_points(points: Sequence[Point]) -> Sequence[Point]:
    """Return the points, or of each stretch of many the lowest and the highest, and both ends.

    >>> thin_points([(float(i), float(i % 2)) for i in range(100_000)])[:3]
    [(0.0, 0.0), (1.0, 1.0), (1000.0, 0.0)]
    """
    if len(points) <= MAX_POINTS:
        return points
    length = -(-len(points) // (MAX_POINTS // 2))
    starts = range(0, len(points), length)
    return [points[i] for i in thin_curve([y for _, y in points], starts)]


def split_at_gaps(points: Sequence[Point], powers: bool) -> list[list[Point]]:
    """Split a curve at numbers that are not finite, and put it on the scale of the picture."""
    pieces: list[list[Point]] = [[]]
    for x, y in points:
        if math.isfinite(y):
            pieces[-1].append((x, math.log10(y) if powers else y))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def ticks(low: float, high: float, whole: bool) -> list[float]:
    """Return about five round numbers between two ends; integers if `whole`.

    >>> ticks(0.0, 97.0, True), ticks(-0.4, 0.9, False), ticks(0.0, 1.0, True)
    ([0.0, 20.0, 40.0, 60.0, 80.0], [-0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8], [0.0, 1.0])
    """
    width = high - low
    if not math.isfinite(width):
        return []
    size = 10.0 ** math.floor(math.log10(width / 3))
    step = next(size * k for k in (1, 2, 5, 10, 20) if width / (size * k) <= MAX_TICKS)
    step = max(1.0, float(round(step))) if whole else step
    count = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [float(f"{i * step:.12g}") for i in count]


def digits_of(heights: Sequence[float]) -> int:
    """Return the digits that distinguish numbers at equal distances: four or more.

    >>> digits_of([0.0, 0.5, 1.0]), digits_of([1000.001, 1000.002])
    (4, 7)
    """
    if len(heights) < 2 or not any(heights):
        return 4
    step = heights[1] - heights[0]
    first, last = (int(f"{x:.0e}".partition("e")[2]) for x in (max(map(abs, heights)), step))
    return max(4, first - last + 1)


def power_of_ten(exponent: int) -> str:
    """Return a power of ten as text, written out where it is short.

    >>> power_of_ten(-2), power_of_ten(3), power_of_ten(-12)
    ('0.01', '1000', '10⁻¹²')
    """
    if abs(exponent) <= MAX_PLAIN_EXPONENT:
        return number_text(10.0**exponent)
    return f"10{str(exponent).translate(SUPERSCRIPTS)}"
