"""Choose the boxes of a graph: one for each Value, or one for many folded together.

A folded box never closes a cycle: only the result of an expression is read outside it, layers and
the rows of a layer follow each other, and no edge leads to a leaf.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .formula import Formulas
from .reading import INPUTS, Graph

Kind = Literal["single", "expression", "layer", "more"]

MAX_BOXES = 30  # boxes that a reader takes in; beyond that there is folding
MAX_ROWS, MAX_IN_A_ROW = 9, 7  # of an open layer
MAX_LAYERS = 14
MAX_DATA = 4  # constants that a folded loss leaves outside


@dataclass(frozen=True)
class Group:
    """Vertices that share a box, in the order of the graph."""

    kind: Kind
    vertices: tuple[int, ...]
    layer: int
    """The place of their layer, or `INPUTS`."""

    title: str = ""
    """The name of a box that isn't a single result."""


class Folding:
    """The boxes of a graph and the edges between them, some layers open and the others folded.

    `open` are the indices of layers; `unfolded` is the result of an expression in one of them whose
    parts get their own boxes. `edges` are (source, target, times): how often vertices of the target
    read vertices of the source, in the order of the readers and their operands.

    >>> w = [tg.Value(0.1) for _ in range(40)]
    >>> loss = (sum(v * 2.0 for v in w) - 1.0) ** 2
    >>> [(group.kind, len(group.vertices)) for group in Folding(Graph(loss), {0, 1}).groups]
    [('expression', 120), ('single', 1), ('single', 1)]
    """

    def __init__(self, graph: Graph, open: Collection[int], unfolded: int | None = None) -> None:
        self.graph = graph
        self.open = frozenset(open)
        self.unfolded = unfolded
        self.shown: Sequence[int] = ()  # what was folded into it
        self.formulas = Formulas(graph)
        members: dict[int, list[int]] = {}
        for i, home in enumerate(graph.home):
            members.setdefault(home, []).append(i)
        groups: list[Group] = []
        for run in find_runs(len(graph.layers), self.open):
            if len(run) > 1:
                inside = sorted(i for k in run for i in members[k])
                steps = all(", step " in f", {graph.layers[k].name}" for k in run)
                title = f"… {len(run):,} more {'steps' if steps else 'layers'}"
                groups.append(Group("more", tuple(inside), run[0], title))
            elif run[0] in self.open:
                groups += self._open_layer(members[run[0]], run[0])
            else:
                groups += self._fold_layer(members[run[0]], run[0])
        groups += self._row([(i,) for i in members.get(INPUTS, [])], INPUTS)
        groups.sort(key=lambda group: (group.layer, group.vertices[-1]))
        self.groups: Sequence[Group] = groups
        self.group_of = [0] * len(graph.things)
        for number, group in enumerate(groups):
            for i in group.vertices:
                self.group_of[i] = number
        self.edges = self._edges()

    def _edges(self) -> Sequence[tuple[int, int, int]]:
        times: dict[tuple[int, int], int] = {}
        for i, operands in enumerate(self.graph.reads):
            for x in operands:
                edge = self.group_of[x], self.group_of[i]
                if edge[0] != edge[1]:
                    times[edge] = times.get(edge, 0) + 1
        return [(a, b, count) for (a, b), count in times.items()]

    def _fold_layer(self, members: Sequence[int], layer: int) -> Iterable[Group]:
        """Fold a layer into one box; the targets of the loss stay outside."""
        graph = self.graph
        targets = [i for i in members if i < graph.leaves and not graph.is_trained(i)]
        if layer < len(graph.layers) - 1 or len(targets) > MAX_DATA:
            targets = []
        yield from (Group("single", (i,), layer) for i in targets)
        inside = tuple(i for i in members if i not in targets)
        kind: Kind = "single" if len(inside) == 1 else "layer"
        yield Group(kind, inside, layer, graph.layers[layer].name)

    def _open_layer(self, members: Sequence[int], layer: int) -> Iterable[Group]:
        """Return the groups of an open layer, folded as far as needed to fit."""
        parts: list[tuple[int, ...]] = [(i,) for i in members]
        if not self._fits(parts):
            parts = self.expressions(members)
        if not self._fits(parts):
            groups = list(self._limit_rows(parts, layer))
        else:
            groups = [self._part(part, layer) for part in parts]
        unfolds = self.unfolded is not None and self.graph.home[self.unfolded] == layer
        return self._unfold(groups, layer) if unfolds else groups

    def _unfold(self, groups: Sequence[Group], layer: int) -> Iterable[Group]:
        """Return the groups of a layer, with the unfolded expression and its leaves one by one."""
        graph = self.graph
        for group in groups:
            if group.kind == "expression" and group.vertices[-1] == self.unfolded:
                read = {x for i in group.vertices for x in graph.reads[i] if x < graph.leaves}
                own = {x for x in read if graph.home[x] == layer}
                self.shown = sorted(own.union(group.vertices))
        taken = set(self.shown)
        yield from self._limit_rows([(i,) for i in self.shown], layer)
        for group in groups:
            left = tuple(i for i in group.vertices if i not in taken)
            if left:
                yield replace(group, vertices=left)

    def _part(self, part: tuple[int, ...], layer: int) -> Group:
        return Group("expression" if len(part) > 1 else "single", part, layer)

    def expressions(self, members: Sequence[int]) -> list[tuple[int, ...]]:
        """Return trees of results with one reader each, with the leaves that only they read."""
        graph = self.graph
        known = set(members)
        root: dict[int, int] = {}
        for i in reversed(members):
            readers = graph.readers[i]
            if i >= graph.leaves:
                alone = len(readers) == 1 and readers[0] in known
                root[i] = root[readers[0]] if alone else i
        for i in members:
            if i < graph.leaves:
                roots = {root.get(reader, -1) for reader in graph.readers[i]}
                root[i] = roots.pop() if len(roots) == 1 and -1 not in roots else i
        parts: dict[int, list[int]] = {}
        for i in members:
            parts.setdefault(root[i], []).append(i)
        return [tuple(part) for part in parts.values()]

    def _limit_rows(self, parts: Sequence[tuple[int, ...]], layer: int) -> Iterable[Group]:
        """Limit each row to what fits, and many rows to the first and the last."""
        rows = self._rows(parts)
        levels = sorted(rows)
        half = MAX_ROWS // 2
        hidden = set(levels[half : len(levels) - half]) if len(levels) > MAX_ROWS else set()
        for level in levels:
            if level == 0 and len(rows[0]) > MAX_IN_A_ROW:
                inside = sorted(i for part in rows[0] for i in part)
                title = "parameters" if all(map(self.graph.is_trained, inside)) else "leaves"
                yield Group("more", tuple(inside), layer, title)
            elif level not in hidden:
                yield from self._row(rows[level], layer)
        if hidden:
            inside = sorted(i for level in sorted(hidden) for part in rows[level] for i in part)
            yield Group("more", tuple(inside), layer, f"… {len(hidden)} more rows")

    def _rows(self, parts: Sequence[tuple[int, ...]]) -> dict[int, list[tuple[int, ...]]]:
        """Return the parts by depth: leaves at 0, results below all that they read in the layer."""
        graph = self.graph
        part_of = {i: number for number, part in enumerate(parts) for i in part}
        depth = [0] * len(parts)
        rows: dict[int, list[tuple[int, ...]]] = {}
        for number in sorted(range(len(parts)), key=lambda number: parts[number][-1]):
            above = [
                depth[part_of[x]]
                for i in parts[number]
                for x in graph.reads[i]
                if part_of.get(x, number) != number
            ]
            result = parts[number][-1] >= graph.leaves
            depth[number] = max(above, default=0) + 1 if result else 0
            rows.setdefault(depth[number], []).append(parts[number])
        return rows

    def _fits(self, parts: Sequence[tuple[int, ...]]) -> bool:
        """Return True if there is room for boxes of these parts."""
        few = len(parts) <= MAX_BOXES
        return few and all(len(row) <= MAX_IN_A_ROW for row in self._rows(parts).values())

    def _row(self, parts: Sequence[tuple[int, ...]], layer: int) -> Iterable[Group]:
        """Return the boxes of a row; if there are too many, the last ones share a box."""
        many = len(parts) > MAX_IN_A_ROW
        shown = parts[: MAX_IN_A_ROW - 1] if many else parts
        yield from (self._part(part, layer) for part in shown)
        if many:
            inside = sorted(i for part in parts[MAX_IN_A_ROW - 1 :] for i in part)
            count = len(parts) - len(shown)
            yield Group("more", tuple(inside), layer, f"… {count:,} more")


def find_runs(count: int, open: Collection[int]) -> Iterable[Sequence[int]]:
    """Return the layers one by one; of very many, the middle ones as one run, except open ones.

    >>> [list(run) for run in find_runs(3, ())], [len(run) for run in find_runs(1000, {500})][5:11]
    ([[0], [1], [2]], [1, 1, 493, 1, 492, 1])
    """
    half, kept = MAX_LAYERS // 2, open if len(open) <= MAX_LAYERS else ()
    waiting: list[int] = []
    for k in range(count):
        if count > MAX_LAYERS and half <= k < count - half and k not in kept:
            waiting.append(k)
            continue
        if waiting:
            yield waiting
            waiting = []
        yield [k]
    if waiting:
        yield waiting
