"""Render a drawing of a graph as text: a tree for the terminal, or DOT for Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from ..style import clean_name
from .boxes import Box, Drawing

SIGNS = {1: "▲", -1: "▼", 0: ""}
MAX_DEPTH = 12  # levels that are indented
SHAPES = {"parameter": "box", "data": "box", "result": "box", "folded": "box3d", "more": "box"}


def render_tree(drawing: Drawing, width: int = 78) -> str:
    """Return the graph from its result to its leaves; each box is printed once, then referred to.

    Data and gradient are in columns beside it (for large arrays, the mean). No line is longer than
    `width`.
    """
    reads: dict[int, list[int]] = {}
    for a, b, _ in drawing.edges:
        reads.setdefault(b, []).append(a)
    lines: list[tuple[str, str, str]] = []
    ends = {a for a, _, _ in drawing.edges}
    roots = [i for i in range(len(drawing.boxes)) if i not in ends]
    known: set[int] = set()
    waiting = [(root, "", "") for root in roots]
    while waiting:
        number, lead, below = waiting.pop()
        box = drawing.boxes[number]
        if number in known:
            again = " ⤴" if reads.get(number) else ""
            lines.append((f"{lead}{clean_name(box.name, width)}{again}", "", ""))
            continue
        known.add(number)
        lines.append((lead + _describe_box(box), *_columns(box)))
        operands = reads.get(number, [])
        flat = len(below) >= 3 * MAX_DEPTH
        for i, operand in enumerate(reversed(operands)):
            last = i == 0  # they are taken from the end
            branch, stem = ("└─ ", "   ") if last else ("├─ ", "│  ")
            cut = below[3:] if flat else below
            waiting.append((operand, cut + branch, cut + stem))
    lines.insert(0, ("value", "data", "gradient" if any(line[2] for line in lines) else ""))
    data = min(max(len(line[1]) for line in lines), max(8, width // 4))
    gradient = min(max(len(line[2]) for line in lines), max(8, width // 4))
    text = min(max(len(line[0]) for line in lines), max(4, width - data - gradient - 4))
    return "\n".join(
        f"{_cut(a, text):{text}}  {_cut(b, data):{data}}  {_cut(c, gradient)}".rstrip()
        for a, b, c in lines
    )


def _describe_box(box: Box) -> str:
    shape = f" [{box.shape}]" if box.shape else ""
    note = f" ({box.note.partition(', ')[0]})" if box.note else ""
    between = ": " if box.look in {"folded", "more"} else " = "
    return clean_name(box.name) + shape + (between + box.formula if box.formula else "") + note


def _columns(box: Box) -> tuple[str, str]:
    """Return the columns: data, gradient."""
    brief = [(SIGNS[row.sign], row.text.partition(", from")[0]) for row in box.rows[:2]]
    rows = [f"{sign} {text}".strip() for sign, text in brief]
    return rows[0], rows[1] if len(rows) > 1 else ""


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def render_dot(drawing: Drawing) -> str:
    """Return the graph in the DOT language (https://graphviz.org/doc/info/lang.html)."""
    return "\n".join([*_dot_lines(drawing), ""])


def _dot_lines(drawing: Drawing) -> Iterator[str]:
    yield "digraph computation {"
    yield f"  label={quote(drawing.title)}; labelloc=t; rankdir=TB;"
    yield '  node [shape=box, fontname="Helvetica", fontsize=11];'
    framed: dict[int, list[int]] = {}
    for number, box in enumerate(drawing.boxes):
        if box.layer in drawing.frames:
            framed.setdefault(box.layer, []).append(number)
        else:
            yield f"  {_dot_node(number, box)}"
    for count, (layer, numbers) in enumerate(sorted(framed.items())):
        yield f"  subgraph cluster_{count} {{"
        yield f"    label={quote(drawing.frames[layer])};"
        for number in numbers:
            yield f"    {_dot_node(number, drawing.boxes[number])}"
        yield "  }"
    for a, b, times in drawing.edges:
        single = {drawing.boxes[a].look, drawing.boxes[b].look}.isdisjoint({"folded", "more"})
        label = f' [label="×{times}"]' if times > 1 and single else ""
        yield f"  n{a} -> n{b}{label};"
    yield "}"


def _dot_node(number: int, box: Box) -> str:
    first, *more = box.heading
    lines = [f"{first}   {box.shape}" if box.shape else first, *more]
    lines += [f"{row.label} {SIGNS[row.sign]} {row.text}".replace("  ", " ") for row in box.rows]
    lines += [box.note] if box.note else []
    style = {"parameter": ', color="#0072B2", penwidth=2', "data": ", style=filled"}.get(
        box.look, ""
    )
    if box.look == "more":
        style = ", style=dashed"
    return f"n{number} [shape={SHAPES[box.look]}{style}, label={quote(*lines)}];"


def quote(*lines: str) -> str:
    r"""Return lines as one quoted string of DOT, aligned to the left.

    >>> print(quote('a "b" \\'))
    "a \"b\" \\"
    """
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return f'"{escaped[0]}"' if len(lines) == 1 else '"' + "\\l".join([*escaped, ""]) + '"'
