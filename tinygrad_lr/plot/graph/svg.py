"""Render a drawing of a graph as SVG: no script, no requests, for light and dark pages."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from ..style import MODEL, clean_name
from .boxes import Box, Drawing, Row
from .layout import Layout, Point, lay_out

SANS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif"
MARGIN, PADDING, LINE_HEIGHT = 20.0, 10.0, 17.0
LARGE, SMALL, SLOPE_SIZE = 13.5, 12.0, 11.0  # px
MAX_SHORT = 10  # characters of a number
MIN_BOX_WIDTH, MIN_WIDTH = 64.0, 340.0  # the width of a box, of a picture
SIGNS = {1: "▲", -1: "▼"}

STYLE = f"""
.tg-graph {{ font: {SMALL}px {SANS}; font-variant-numeric: tabular-nums }}
.tg-graph {{ background: #ffffff; color-scheme: light dark }}
.tg-graph .tg-paper {{ fill: #ffffff }}
.tg-graph text {{ fill: #222222; font-size: {SMALL}px }}
.tg-graph .tg-name {{ font-size: {LARGE}px; font-weight: 600 }}
.tg-graph .tg-faint {{ fill: #5f5f5f }}
.tg-graph .tg-box {{ fill: #ffffff; stroke: #8a8a8a; stroke-width: 1.2 }}
.tg-graph .tg-behind {{ fill: #f1f1f1; stroke: #8a8a8a; stroke-width: 1 }}
.tg-graph .tg-parameter .tg-box {{ stroke: {MODEL} }}
.tg-graph .tg-parameter .tg-bar {{ fill: {MODEL} }}
.tg-graph .tg-data .tg-box {{ fill: #ececec; stroke: #8a8a8a }}
.tg-graph .tg-more .tg-box {{ stroke-dasharray: 5 4 }}
.tg-graph .tg-slope {{ stroke: #ffffff; stroke-width: 3; paint-order: stroke }}
.tg-graph .tg-slope {{ font-size: {SLOPE_SIZE}px }}
.tg-graph .tg-frame {{ fill: #f6f8fa; stroke: #c4c9ce }}
.tg-graph .tg-heading {{ stroke: #f6f8fa; stroke-width: 4; paint-order: stroke }}
.tg-graph .tg-edge {{ fill: none; stroke: #8a8a8a; stroke-width: 1.2 }}
.tg-graph .tg-head {{ fill: #6f6f6f }}
.tg-graph text.tg-up {{ fill: #b34a00 }}
.tg-graph text.tg-down {{ fill: #1f6f9f }}
@media screen and (prefers-color-scheme: dark) {{
.tg-graph {{ background: #15181c }}
.tg-graph .tg-paper {{ fill: #15181c }}
.tg-graph text {{ fill: #e9e7e3 }}
.tg-graph .tg-faint {{ fill: #a9adb3 }}
.tg-graph .tg-box {{ fill: #20252b; stroke: #858b93 }}
.tg-graph .tg-behind {{ fill: #1a1e23; stroke: #6c727a }}
.tg-graph .tg-parameter .tg-box {{ stroke: #56a8e0 }}
.tg-graph .tg-parameter .tg-bar {{ fill: #56a8e0 }}
.tg-graph .tg-data .tg-box {{ fill: #2f353c; stroke: #858b93 }}
.tg-graph .tg-slope {{ stroke: #15181c }}
.tg-graph .tg-frame {{ fill: #1a1e23; stroke: #454b53 }}
.tg-graph .tg-heading {{ stroke: #1a1e23 }}
.tg-graph .tg-edge {{ stroke: #858b93 }}
.tg-graph .tg-head {{ fill: #a9adb3 }}
.tg-graph text.tg-up {{ fill: #ff8f45 }}
.tg-graph text.tg-down {{ fill: #7cc7f5 }}
}}
"""

KEY = (
    ("parameter", "parameter"),
    ("data", "data"),
    ("result", "result"),
    ("folded", "folded: several results in one box"),
    ("more", "more of the same in one box"),
)


def render_svg(drawing: Drawing) -> str:
    """Return the picture as the text of an SVG file or element.

    Ids begin with a digest of the content, so that pictures on one page don't share them.
    """
    sizes = [box_size(box) for box in drawing.boxes]
    layout = lay_out(
        sizes,
        [(a, b) for a, b, _ in drawing.edges],
        [box.layer for box in drawing.boxes],
        sorted(drawing.frames),
    )
    key, legend_height = _draw_key(drawing, max(layout.width, MIN_WIDTH))
    shift = MARGIN + max(0.0, MIN_WIDTH - layout.width) / 2
    width = max(layout.width, MIN_WIDTH) + 2 * MARGIN
    height = layout.height + legend_height + 2 * MARGIN
    parts = [
        *_draw_frames(layout, shift),
        *_draw_edges(drawing, layout, shift),
        *_draw_slopes(drawing, layout, sizes, shift),
        *_draw_headings(drawing, layout, shift),
        *(
            line
            for box, (x, y), size in zip(drawing.boxes, layout.places, sizes, strict=True)
            for line in _draw_box(box, x + shift, y + MARGIN, *size)
        ),
        f'<g transform="translate({_px(MARGIN)} {_px(layout.height + 2 * MARGIN)})">',
        *key,
        "</g>",
    ]
    body = "\n".join(parts)
    title, description = escape(drawing.title), escape(describe(drawing))
    mark = "g" + hashlib.sha256((title + body).encode()).hexdigest()[:10]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="tg-graph" role="img" '
            f'aria-labelledby="{mark}-1 {mark}-2" width="{_px(width)}" height="{_px(height)}" '
            f'viewBox="0 0 {_px(width)} {_px(height)}">',
            f'<title id="{mark}-1">{title}</title>',
            f'<desc id="{mark}-2">{description}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="tg-paper" width="{_px(width)}" height="{_px(height)}"/>',
            body,
            "</svg>\n",
        ]
    )


def describe(drawing: Drawing) -> str:
    """Describe the picture in a sentence or two, for screen readers."""
    last = drawing.boxes[-1]
    said = ", ".join(f"{row.label} {row.text}" for row in last.rows)
    count = len(drawing.boxes)
    return (
        f"{count} boxes joined by {len(drawing.edges)} arrows, from the inputs at the top to "
        f"{clean_name(last.name)} at the bottom: {said}. {'. '.join(drawing.notes)}"
    )


def text_width(text: str, size: float = SMALL) -> float:
    """Estimate the width of a text, without a font; rather too wide than too narrow."""
    total = 0.0
    for c in text:
        if unicodedata.combining(c):
            continue
        if unicodedata.east_asian_width(c) in {"W", "F"}:
            total += 1.05
        elif c in "ijlft.,:;'|![]()·I ":
            total += 0.38
        elif c in "mwMW—@…%":
            total += 0.98
        elif c.isupper() or c in "+−=×<>Σ▲▼":
            total += 0.8
        else:
            total += 0.64
    return total * size


def box_size(box: Box) -> tuple[float, float]:
    """Return the width and height that a box needs for its lines."""
    first, *more = box.heading
    widths = [text_width(first, LARGE) * 1.04]
    if box.shape:
        widths[0] += 14 + text_width(box.shape)
    widths += [text_width(line) for line in more]
    widths += [end for line in _arrange_rows(box) for _, _, end, _ in line]
    widths += [text_width(box.note)] if box.note else []
    lines = len(box.heading) + len(_arrange_rows(box)) + bool(box.note)
    return max(MIN_BOX_WIDTH, *widths) + 2 * PADDING, lines * LINE_HEIGHT + 2 * PADDING - 4


def _arrange_rows(box: Box) -> list[list[tuple[float, float, float, Row]]]:
    """Return the rows by line, each with the start of its label and text, and its end.

    Data and gradient are one below the other, or side by side if both are short.
    """
    if len(box.rows) == 2 and all(len(row.text) <= MAX_SHORT for row in box.rows):
        line, x = [], 0.0
        for row in box.rows:
            at = x + text_width(row.label) + 6
            line.append((x, at, at + text_width(_text_with_sign(row)), row))
            x = line[-1][2] + 14
        return [line]
    aside = max((text_width(row.label) for row in box.rows), default=0.0) + 8
    return [[(0.0, aside, aside + text_width(_text_with_sign(row)), row)] for row in box.rows]


def _text_with_sign(row: Row) -> str:
    return f"{SIGNS[row.sign]} {row.text}" if row.sign else row.text


def _draw_box(box: Box, x: float, y: float, width: float, height: float) -> Iterator[str]:
    """Yield a box: the outline of its kind, the name, and a line for each row."""
    yield f'<g class="tg-{box.look}" transform="translate({_px(x)} {_px(y)})">'
    rows = [f"{row.label}: {row.text}" for row in box.rows]
    whole = [line for line in (box.name, box.formula, box.shape, *rows, box.note) if line]
    yield f"<title>{escape(chr(10).join(whole))}</title>"
    yield from _draw_outline(box.look, width, height)
    at = PADDING + 10
    first, *more = box.heading
    yield _draw_text(PADDING, at, first, "name")
    if box.shape:
        yield _draw_text(width - PADDING, at, box.shape, "faint", anchor="end")
    for line in more:
        at += LINE_HEIGHT
        yield _draw_text(PADDING, at, line)
    for columns in _arrange_rows(box):
        at += LINE_HEIGHT
        for start, aside, _, row in columns:
            yield _draw_text(PADDING + start, at, row.label, "faint")
            left = PADDING + aside
            if row.sign:
                yield _draw_text(left, at, SIGNS[row.sign], "up" if row.sign > 0 else "down")
                left += text_width("▲ ")
            yield _draw_text(left, at, row.text)
    if box.note:
        yield _draw_text(PADDING, at + LINE_HEIGHT, box.note, "faint")
    yield "</g>"


def _draw_outline(look: str, width: float, height: float) -> Iterator[str]:
    """Yield the outline: rounded, with a bar for parameters, or a stack for folded results."""
    size = f'width="{_px(width)}" height="{_px(height)}"'
    if look == "folded":
        yield f'<rect class="tg-behind" x="5" y="5" rx="5" {size}/>'
    yield f'<rect class="tg-box" rx="{0 if look == "data" else 5}" {size}/>'
    if look == "parameter":
        yield f'<rect class="tg-bar" width="5" height="{_px(height)}" rx="2.5"/>'


def _draw_frames(layout: Layout, shift: float) -> Iterator[str]:
    for x, y, width, height in layout.frames:
        yield (
            f'<rect class="tg-frame" x="{_px(x + shift)}" y="{_px(y + MARGIN)}" rx="8" '
            f'width="{_px(width)}" height="{_px(height)}"/>'
        )


def _draw_headings(drawing: Drawing, layout: Layout, shift: float) -> Iterator[str]:
    """Yield the names of the frames, each in the upper corner that fewer edges enter."""
    for band, (x, y, width, _) in zip(sorted(drawing.frames), layout.frames, strict=True):
        name = clean_name(drawing.frames[band])
        reach = text_width(name, LARGE) + 24
        entering = [
            q[0] - x
            for route in layout.routes
            for p, q in pairwise(route)
            if p[1] <= y < q[1] and x <= q[0] <= x + width
        ]
        left = sum(at < reach for at in entering)
        right = sum(at > width - reach for at in entering)
        at, anchor = (x + width - 12, "end") if right < left else (x + 12, "")
        yield _draw_text(at + shift, y + MARGIN + 21, name, "name faint heading", anchor)


def _draw_edges(drawing: Drawing, layout: Layout, shift: float) -> Iterator[str]:
    """Yield edges: lines within rows, curves between them, an arrowhead at the reader, ×2."""
    for (a, b, times), route in zip(drawing.edges, layout.routes, strict=True):
        points = [(x + shift, y + MARGIN) for x, y in route]
        x, y = points[-1]
        yield f'<path class="tg-edge" d="{edge_path([*points[:-1], (x, y - 5)])}"/>'
        yield f'<path class="tg-head" d="M{_px(x)} {_px(y)}l-4 -8h8z"/>'
        single = {drawing.boxes[a].look, drawing.boxes[b].look}.isdisjoint({"folded", "more"})
        if times > 1 and single:
            yield _draw_text(x + 8, y - 7, f"×{times}", "faint")


def _draw_slopes(
    drawing: Drawing, layout: Layout, sizes: Sequence[tuple[float, float]], shift: float
) -> Iterator[str]:
    """Yield the derivatives beside the arrows, where there is room: at the start or at the end."""
    boxes = zip(layout.places, sizes, strict=True)
    taken = [(x, y, x + width, y + height) for (x, y), (width, height) in boxes]
    ends = [route[-1] for route in layout.routes]
    taken += [(x - 4, y - 13, x + 4, y) for x, y in ends]  # arrowheads
    curves = [point for route in layout.routes for point in _points_along(route)]
    leaving = Counter(a for a, _, _ in drawing.edges)
    arrows = zip(drawing.edges, drawing.slopes, layout.routes, strict=True)
    for (a, _, _), slope, route in arrows:
        text = clean_name(slope) if slope else ""
        if not text:
            continue
        free = []
        for x, y, left in _places_beside(route, leaving[a] > 1):
            start = x - text_width(text, SLOPE_SIZE) if left else x
            rectangle = (start, y - 10, start + text_width(text, SLOPE_SIZE), y + 2)
            if start > -MARGIN / 2 and all(_is_apart(rectangle, other) for other in taken):
                crossed = sum(not _is_apart(rectangle, (*p, *p)) for p in curves)
                free.append((crossed, x, y, left, rectangle))
        if free:
            _, x, y, left, rectangle = min(free, key=lambda place: place[0])
            taken.append(rectangle)
            yield _draw_text(x + shift, y + MARGIN, text, "faint slope", "end" if left else "")


def _points_along(route: Sequence[Point]) -> Iterator[Point]:
    """Yield points of an edge, near to each other."""
    for k, ((x, y), (to, end)) in enumerate(pairwise(route)):
        for i in range(13):
            t = i / 12
            bend = t * t * (3 - 2 * t) if k % 2 else t  # of the cubic between two rows
            rise = 1.5 * t - 1.5 * t * t + t**3 if k % 2 else t
            yield x + (to - x) * bend, y + (end - y) * rise


def _places_beside(route: Sequence[Point], shared: bool) -> Iterator[tuple[float, float, bool]]:
    """Yield places for a label beside an arrow, the best first: x, y, and if it ends there."""
    (x, y), (end, bottom) = route[0], route[-1]
    first = end > x + 1  # the side that the arrow leaves free
    starts = [(x - 6 if left else x + 6, y + 13, left) for left in (first, not first)]
    heads = [(end - 7 if left else end + 7, bottom - 3, left) for left in (not first, first)]
    middles = [
        (p[0] + (-6 if left else 6), (p[1] + q[1]) / 2, left)
        for p, q in pairwise(route[1:-1])
        if p[0] == q[0]
        for left in (True, False)
    ]
    yield from [*heads, *middles[::-1], *starts] if shared else [*starts, *heads, *middles]


def _is_apart(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    """Return True if two rectangles (left, top, right, bottom) don't overlap."""
    across = one[2] <= other[0] or other[2] <= one[0]
    return across or one[3] <= other[1] or other[3] <= one[1]


def edge_path(points: Sequence[Point]) -> str:
    """Return the path of an edge: a line down, then alternately a curve and a line down.

    >>> edge_path([(0, 0), (0, 5), (20, 25), (20, 30)])
    'M0 0V5C0 15 20 15 20 25V30'
    """
    (x, y), (_, end), *rest = points
    parts = [f"M{_px(x)} {_px(y)}V{_px(end)}"]
    y = end
    for (to, top), (_, bottom) in zip(rest[::2], rest[1::2], strict=True):
        middle = (y + top) / 2
        if abs(to - x) < 0.05:
            parts.append(f"V{_px(bottom)}")
        else:
            bend = f"C{_px(x)} {_px(middle)} {_px(to)} {_px(middle)} {_px(to)} {_px(top)}"
            parts.append(f"{bend}V{_px(bottom)}")
        x, y = to, bottom
    return "".join(parts)


def _draw_key(drawing: Drawing, width: float) -> tuple[list[str], float]:
    """Return the key to outlines and signs, with the notes, wrapped at the width."""
    parts: list[str] = []
    x, y = 0.0, 10.0
    looks: set[str] = {box.look for box in drawing.boxes}
    entries = [(look, text) for look, text in KEY if look in looks]
    signs = {row.sign for box in drawing.boxes for row in box.rows}
    said = {1: "gradient above zero", -1: "gradient below zero"}
    entries += [(SIGNS[s], said[s]) for s in (1, -1) if s in signs]
    for look, text in entries:
        need = 30 + text_width(text) + 18
        if x and x + need > width:
            x, y = 0.0, y + LINE_HEIGHT + 3
        if look in SIGNS.values():
            parts.append(_draw_text(x + 9, y + 2, look, "up" if look == SIGNS[1] else "down"))
        else:
            parts.append(f'<g class="tg-{look}" transform="translate({_px(x)} {_px(y - 8)})">')
            parts += [*_draw_outline(look, 22, 11), "</g>"]
        parts.append(_draw_text(x + 33, y + 2, text, "faint"))
        x += need
    y += LINE_HEIGHT + 7
    for note in drawing.notes:
        for line in _wrap(note, width):
            parts.append(_draw_text(0, y, line, "faint"))
            y += LINE_HEIGHT
    return parts, y


def _wrap(text: str, width: float) -> Iterator[str]:
    line = ""
    for word in text.split():
        if line and text_width(f"{line} {word}") > width:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line


def _draw_text(x: float, y: float, text: str, kind: str = "", anchor: str = "") -> str:
    names = " ".join(f"tg-{name}" for name in kind.split())  # of no other part of a page
    kind = f' class="{names}"' if kind else ""
    anchor = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{_px(x)}" y="{_px(y)}"{kind}{anchor}>{escape(text)}</text>'


def _px(number: float) -> str:
    """Return a coordinate in tenths of a pixel."""
    return f"{number:.1f}".removesuffix(".0")
