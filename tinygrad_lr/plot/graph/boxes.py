"""Build the boxes of a graph picture: names, formulas, shapes, data and gradients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...core.value import Value
from ...explain.graphs.layers import Layer
from ...support.text_format import HEAD_ENTRIES, number_text, shape_text, summary_text
from ..style import clean_name
from .folding import Folding, Group
from .reading import INPUTS, Graph

Look = Literal["parameter", "data", "result", "folded", "more"]

MAX_LINE = 40  # characters of a line
DIGITS = 3  # in the summary of an array
MAX_FORMULAS = 200  # results of a layer whose formulas are compared


@dataclass(frozen=True)
class Row:
    """A line of a box: a label, a text, and the sign of the numbers."""

    label: str
    text: str
    sign: int = 0


@dataclass(frozen=True)
class Box:
    """A box: a Value or constant, or many folded into one.

    - `look`: "parameter", "data", "result", "folded" or "more"
    - `name`, `formula`, `shape`: those of the Value, or what folded results have in common
    - `rows`: data and gradient; for a layer, those of its parameters too
    - `note`: counts of what is folded into it
    - `things`: the Values and constants in it, operands before readers
    - `layer`: the index of its layer, -1 for data that enters before the first
    """

    look: Look
    name: str
    formula: str
    shape: str
    rows: tuple[Row, ...]
    note: str
    things: tuple[Any, ...]
    layer: int

    @property
    def heading(self) -> Sequence[str]:
        """The name with the formula, on one line or two."""
        if not self.formula:
            return [clean_name(self.name, MAX_LINE)]
        whole = f"{self.name} = {self.formula}"
        if self.look in {"folded", "more"} or len(whole) > 30:
            lead = "" if self.look in {"folded", "more"} else "= "
            return [clean_name(self.name, MAX_LINE), clean_name(lead + self.formula, MAX_LINE)]
        return [whole]


@dataclass(frozen=True)
class Drawing:
    """Boxes, the edges between them (from, to, how often), and the layers that get a frame.

    `slopes` has the derivative of the reader along each edge, "" where it has no short formula.
    """

    boxes: Sequence[Box]
    edges: Sequence[tuple[int, int, int]]
    slopes: Sequence[str]
    frames: Mapping[int, str]
    title: str
    notes: Sequence[str]


def build_drawing(
    graph: Graph,
    open: Collection[int],
    gradients: Mapping[Value, Any] | None,
    notes: Sequence[str],
    around: int | None = None,
    unfolded: int | None = None,
) -> Drawing:
    """Build the drawing of a graph with some layers open.

    With `around`, only that layer and its neighbours; with `unfolded`, the result of a folded
    expression, only the parts of that expression.
    """
    folding = Folding(graph, open, unfolded)
    kept = list(range(len(folding.groups)))
    edges = folding.edges
    if around is not None:
        own = {i for i in kept if folding.groups[i].layer == around}
        own = {folding.group_of[i] for i in folding.shown} or own
        edges = [edge for edge in edges if own & {edge[0], edge[1]}]
        kept = sorted(own.union(*({a, b} for a, b, _ in edges)))
    boxes = [build_box(folding, folding.groups[i], gradients) for i in kept]
    place = {number: i for i, number in enumerate(kept)}
    several = Counter(b.layer for b in boxes)
    frames = {
        k: layer.name
        for k, layer in enumerate(graph.layers)
        if k in folding.open and several[k] > 1 and len(graph.layers) > 2
    }
    whole = f"computation graph of {graph.names.text(graph.loss)}"
    title = whole
    if around is not None:
        inside = (
            graph.layers[around].name
            if unfolded is None
            else graph.names.text(graph.things[unfolded])
        )
        title = f"{inside}, opened"
    slopes = ["" if not gradients else _slope(folding, a, b) for a, b, _ in edges]
    edges = [(place[a], place[b], times) for a, b, times in edges]
    return Drawing(boxes, edges, slopes, frames, title, notes)


def _slope(folding: Folding, a: int, b: int) -> str:
    """Return the derivative along the edge between two boxes of one Value each."""
    before, after = folding.groups[a], folding.groups[b]
    if {before.kind, after.kind} != {"single"}:
        return ""
    return folding.formulas.slope(after.vertices[0], before.vertices[0])


def build_box(folding: Folding, group: Group, gradients: Mapping[Value, Any] | None) -> Box:
    """Build the box of a group."""
    graph = folding.graph
    things = tuple(graph.things[i] for i in group.vertices)
    if group.kind == "single":
        (i,) = group.vertices
        look: Look = "result"
        if i < graph.leaves:
            look = "parameter" if graph.is_trained(i) else "data"
        rows = _build_rows(graph, [i], gradients)
        name, shape = graph.label(i), _describe_shape(graph, i)
        return Box(look, name, folding.formulas.alone(i), shape, rows, "", things, group.layer)
    outputs = _find_outputs(graph, group)
    parameters = [i for i in group.vertices if graph.is_trained(i)]
    results = [i for i in outputs if i >= graph.leaves]
    rows = _build_rows(graph, results or outputs, gradients)
    if results and parameters and group.kind != "expression":
        rows += _build_rows(graph, parameters, gradients, "parameters", "their gradient")
    alone = len(outputs) == 1
    return Box(
        "more" if group.kind == "more" else "folded",
        graph.label(outputs[0]) if group.kind == "expression" else group.title,
        _describe_formulas(folding, group, results),
        _describe_shape(graph, outputs[0]) if alone else "",
        rows,
        _describe_sharing(graph, group),
        things,
        group.layer,
    )


def describe_layer(layer: Layer) -> str:
    """Describe a layer in one line."""
    count = sum(parameter.size for parameter in layer.parameters)
    parts = [counted(count, "parameter")] if count else []
    return f"{layer.name}: " + ", ".join([*parts, counted(len(layer.results), "operation")])


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "parameter"), counted(1200, "parameter")
    ('1 parameter', '1,200 parameters')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _find_outputs(graph: Graph, group: Group) -> list[int]:
    """Return the members of a group that others read, or the loss."""
    inside = set(group.vertices)
    last = len(graph.things) - 1
    return [
        i
        for i in group.vertices
        if i == last or any(reader not in inside for reader in graph.readers[i])
    ]


def _build_rows(
    graph: Graph,
    vertices: Sequence[int],
    gradients: Mapping[Value, Any] | None,
    data: str = "data",
    gradient: str = "gradient",
) -> tuple[Row, ...]:
    numbers = [graph.numbers(i) for i in vertices]
    rows = [Row(data, summarize(numbers))]
    values = [graph.things[i] for i in vertices if type(graph.things[i]) is Value]
    if gradients and any(x.requires_grad for x in values):
        found = [gradients[x] for x in values if x in gradients]
        rows.append(
            Row(gradient, summarize(found), common_sign(found)) if found else Row(gradient, "none")
        )
    return tuple(rows)


def summarize(arrays: Sequence[Any]) -> str:
    """Summarize numbers in a few digits; those that are not finite are counted.

    >>> summarize([2.0]), summarize([1.0, 3.0, 5.0, 7.0])
    ('2', 'mean 4, from 1 to 7')
    >>> summarize([np.array([1.0, np.nan, 2.0, 3.0])])
    '1 of 4 not finite'
    """
    numbers = concatenate(arrays)
    if numbers.ndim == 0:
        return number_text(float(numbers))
    if numbers.size > HEAD_ENTRIES:
        wrong = numbers.size - int(np.count_nonzero(np.isfinite(numbers)))
        if wrong:
            return f"{wrong:,} of {numbers.size:,} not finite"
    return summary_text(numbers, DIGITS)


def common_sign(arrays: Sequence[Any]) -> int:
    """Return 1 if no number is negative and some are positive, -1 for the opposite, else 0."""
    numbers = concatenate(arrays)
    if not numbers.size:
        return 0
    with np.errstate(invalid="ignore"):
        low, high = float(numbers.min()), float(numbers.max())
    return int(low >= 0 and high > 0) - int(high <= 0 and low < 0)


def concatenate(arrays: Sequence[Any]) -> Any:
    """Return one array as it is, several as one flat array."""
    if len(arrays) == 1:
        return np.asarray(arrays[0])
    return (
        np.concatenate([np.ravel(np.asarray(x, float)) for x in arrays]) if arrays else np.ones(0)
    )


def _describe_shape(graph: Graph, i: int) -> str:
    shape = np.shape(graph.numbers(i))
    return shape_text(shape) if shape else ""


def _describe_formulas(folding: Folding, group: Group, results: Sequence[int]) -> str:
    """Return the formula that the results of a group share: 48 × tanh(Σ w · x + b)."""
    if not results:
        return ""
    part_of = {part[-1]: part for part in folding.expressions(group.vertices)}
    seen = results[:MAX_FORMULAS]
    forms = Counter(folding.formulas.folded(i, set(part_of.get(i, (i,)))) for i in seen)
    (form, _), *others = forms.most_common()
    if others and len(results) == len(seen):
        return f"{len(results):,} results, {forms[form]:,} × {form}" if forms[form] > 1 else ""
    count = f"{len(results):,} × " if len(results) > 1 else ""
    if group.kind == "more" and len(form) > MAX_LINE:
        return ""
    return count + form + (", …" if others else "")


def _describe_sharing(graph: Graph, group: Group) -> str:
    """Describe in one line how much is folded."""
    count = sum(graph.things[i].size for i in group.vertices if graph.is_trained(i))
    operations = sum(1 for i in group.vertices if i >= graph.leaves)
    parts = [counted(count, "parameter")] if count else []
    parts += [counted(operations, "operation")] if operations else []
    if group.layer == INPUTS or not parts:
        parts = [counted(len(group.vertices), "array")]
    return ", ".join(parts)
