"""`computation_graph`: the graph of a loss as a picture, a tree, a page or DOT text."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from html import escape

from ...core.value import Value
from ...errors import ArgumentError, import_extra
from ...explain.graphs.call_stack import visible_variables
from ...nn import Module
from ...support.files import printable, quote, quote_names, replace_file
from ...support.validation import check_flag, check_list, check_number, check_path, short_repr
from .boxes import Box, build_drawing, describe_layer
from .folding import MAX_BOXES, find_runs
from .reading import Graph
from .svg import render_svg
from .text import render_dot, render_tree

__all__ = ["GraphPicture", "computation_graph"]

TREE_WIDTH = 100  # columns of a tree in a file
MAX_PIXELS = 16_000  # of a side of a PNG
MAX_OPENED = 3  # expressions of a layer whose parts a page shows

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body>
{body}</body>
</html>
"""

STYLE = """<style>
.tg-graphs { font: 17px/1.5 system-ui, 'Segoe UI', Roboto, sans-serif; max-width: 100% }
.tg-graphs .scroll { overflow-x: auto; max-width: 100% }
.tg-graphs svg { display: block }
.tg-graphs details details { margin-left: 1.2em }
.tg-graphs summary { cursor: pointer; padding: 0.3em 0 }
.tg-graphs pre { overflow-x: auto; white-space: pre; font-size: 13px; line-height: 1.35 }
</style>"""


def computation_graph(
    loss: Value,
    *,
    model: Module | None = None,
    open: str | Iterable[str | int] | None = None,
    gradients: bool = True,
) -> GraphPicture:
    """Draw the graph that a loss was computed from, each Value with its data and gradient.

    - `loss`: the Value at the end of the graph
    - `model`: the module that names the layers and the parameters
    - `open`: the layers to draw in full, by name or by number from 1 (`["layers.0", 3]`), "all",
      or none (`()`). By default a small graph is drawn in full, and a large one with one box for
      each layer
    - `gradients`: if True, each box shows its gradient: from `.grad` if `backward()` has run, else
      computed for the picture and not stored

    A layer is a weight with its bias and activation (see `tg.explain.layers_of`). Recurrent layers
    are written out in time: each step is drawn as a layer, and so are those of a loop that uses the
    same weights again; `open` takes "cell, step 3", or "cell" for all of its steps. An open layer
    with many Values is folded too: results with only one reader become one formula, such as
    tanh(Σ w · x + b) for each neuron, and many in a row become "… 42 more". So graphs of any size
    have a readable picture.

    Raises `ArgumentError` if `loss` isn't a Value with a graph, or `open` names an unknown layer.

    >>> w, b = Value(2.0, name="w"), Value(1.0, name="b")
    >>> picture = computation_graph((w * 3.0 + b) ** 2)
    >>> picture
    <GraphPicture of L: 5 boxes for 5 Values, 4 edges>
    >>> print(picture.tree())
    value          data  gradient
    L = z²         49    ▲ 1
    └─ z = v₁ + b  7     ▲ 14
       ├─ v₁ = 3w  6     ▲ 14
       │  └─ w     2     ▲ 42
       └─ b        1     ▲ 14
    """
    if not isinstance(loss, Value):
        raise ArgumentError(
            f"computation_graph: loss must be a computed Value, got {type(loss).__name__}"
        )
    variables = visible_variables(sys._getframe(1))
    gradients = check_flag("computation_graph", "gradients", gradients)
    graph = Graph(loss, model, variables)
    return GraphPicture(graph, _select_open(graph, open), gradients)


def _select_open(graph: Graph, open: str | Iterable[str | int] | None) -> Collection[int]:
    """Return the indices of the layers to draw in full."""
    everything = range(len(graph.layers))
    if open is None:
        return everything if len(graph.things) <= MAX_BOXES else ()
    if isinstance(open, str) and open == "all":
        return everything
    listed = isinstance(open, Iterable) and not isinstance(open, str)
    wishes = check_list("computation_graph", "open", open, "a list of layers") if listed else [open]
    names = [layer.name for layer in graph.layers]
    chosen: set[int] = set()
    for wish in wishes:
        found = {k for k in everything if type(wish) is int and k + 1 == wish}
        if isinstance(wish, str):  # a layer, a step, or all steps of a layer
            found = {k for k in everything if wish in {names[k], names[k].partition(", step ")[0]}}
        if not found:
            known = dict.fromkeys(names)
            given = quote(wish) if isinstance(wish, str) else short_repr(wish)
            known_names = quote_names(list(known))
            raise ArgumentError(
                f"computation_graph: open must be 'all', or names of layers "
                f"({known_names}) or their numbers from 1, got {given}"
            )
        chosen |= found
    return chosen


def _wrap_scrolling(picture: str) -> str:
    """Return a picture in a box that scrolls horizontally, also with the arrow keys."""
    return f'<div class="scroll" tabindex="0">{picture}</div>'


class GraphPicture:
    """The picture of a computation graph, as returned by `computation_graph`.

    `boxes` are drawn, operands before their readers. `edges` are (from, to, times): the second box
    reads the first one so often. Data are the numbers that the loss was computed from. Gradients
    are those at the time of the call; later changes don't affect the picture.
    """

    def __init__(self, graph: Graph, open: Collection[int], gradients: bool = True) -> None:
        found, source = graph.gradients() if gradients else ({}, "")
        self._graph, self._open = graph, frozenset(open)
        self._gradients = found
        self._notes = [source] if source else []
        self._drawing = build_drawing(graph, self._open, found, self._notes)
        self.boxes: tuple[Box, ...] = tuple(self._drawing.boxes)
        self.edges: tuple[tuple[int, int, int], ...] = tuple(self._drawing.edges)

    def __repr__(self) -> str:
        name = self._graph.names.text(self._graph.loss)
        boxes, edges = len(self.boxes), len(self.edges)
        values = f"{len(self._graph.things):,} Values"
        return f"<GraphPicture of {name}: {boxes} boxes for {values}, {edges} edges>"

    def svg(self) -> str:
        """Return the picture as SVG: the text of a file, or an element for a page.

        It has no script and requests nothing. It follows the reader's light or dark theme.
        """
        return self._svg

    @cached_property
    def _svg(self) -> str:
        return render_svg(self._drawing)

    def html(self) -> str:
        """Return the picture as an HTML fragment, in which each folded layer can be opened.

        Below the picture are the inner graphs of the folded layers, closed at first, and the
        whole graph as text. There is no script.
        """
        graph = self._graph
        parts = ['<div class="tg-graphs">', STYLE, _wrap_scrolling(self.svg())]
        for run in find_runs(len(graph.layers), self._open):
            layer = graph.layers[run[0]]
            if len(run) > 1 or run[0] in self._open or len(layer.results) < 2:
                continue
            parts += self._draw_opened(run[0], describe_layer(layer))
        parts += [
            "<details><summary>The same as text</summary>",
            f"<pre>{escape(self.tree(TREE_WIDTH))}</pre></details>",
            "</div>",
        ]
        return "\n".join([*parts, ""])

    def _draw_opened(self, layer: int, said: str) -> Iterator[str]:
        """Yield the inner graph of a folded layer, with those of its first expressions."""
        given = self._graph, [layer], self._gradients, self._notes, layer
        inner = build_drawing(*given)
        yield f"<details><summary>{escape(printable(said))}</summary>"
        yield _wrap_scrolling(render_svg(inner))
        seen: dict[str, Box] = {}
        for box in inner.boxes:
            if box.layer == layer and box.look == "folded":
                seen.setdefault(box.formula, box)
        for box in list(seen.values())[:MAX_OPENED]:
            root = self._graph.number[id(box.things[-1])]
            yield f"<details><summary>{escape(f'{box.name}: {box.formula}')}</summary>"
            yield f"{_wrap_scrolling(render_svg(build_drawing(*given, unfolded=root)))}</details>"
        yield "</details>"

    def tree(self, width: int = 78) -> str:
        """Return the graph as a tree for the terminal, at most `width` columns wide.

        It begins with the loss; the operands of each result are below it. A Value with several
        readers is printed once, and then by name (⤴: see above).
        """
        if not isinstance(width, int) or width < 20:
            raise ArgumentError(f"tree: width must be an integer >= 20, got {short_repr(width)}")
        return render_tree(self._drawing, width)

    def dot(self) -> str:
        """Return the graph in the DOT language, for Graphviz; open layers are clusters."""
        return render_dot(self._drawing)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file, atomically: .svg, .png, .html, .dot or .txt.

        Raises `ArgumentError` for another extension, `DataFileError` if the file can't be written,
        `MissingExtraError` for .png without the extra `plot` (resvg-py).
        """
        ending = os.path.splitext(check_path("save", "path", path))[1].lower()
        title = escape(self._drawing.title)
        forms: dict[str, Callable[[], str]] = {
            ".svg": self.svg,
            ".html": lambda: PAGE.format(title=title, body=self.html()),
            ".dot": self.dot,
            ".txt": lambda: f"{self.tree(TREE_WIDTH)}\n",
            ".png": lambda: "",
        }
        if ending not in forms:
            raise ArgumentError(
                f"save: path must end in {', '.join(forms)}, got {printable(os.fspath(path))!r}"
            )
        replace_file(path, [self.png() if ending == ".png" else forms[ending]().encode()])

    def png(self, scale: float | None = None) -> bytes:
        """Return the picture as a PNG file, with `scale` pixels for each of the SVG's.

        By default 2, or as many as a file of 16 000 pixels has room for.

        Raises `MissingExtraError` without the extra `plot` (resvg-py).
        """
        svg = self.svg()
        side = max(map(float, re.findall(r' (?:width|height)="([\d.]+)"', svg[: svg.index(">")])))
        if scale is None:
            scale = min(2.0, MAX_PIXELS / side)
        elif check_number("png", "scale", scale, positive=True) * side > MAX_PIXELS:
            raise ArgumentError(
                f"png: scale must be at most {MAX_PIXELS / side:.1f} here, got {scale:g}"
            )
        draw = import_extra("resvg_py", "plot").svg_to_bytes
        fonts = import_extra("matplotlib", "plot").get_data_path()
        return bytes(
            draw(
                svg_string=svg,
                zoom=scale,
                font_dirs=[os.path.join(fonts, "fonts", "ttf")],
                sans_serif_family="DejaVu Sans",
            )
        )

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_svg_(self) -> str:
        return self.svg()
