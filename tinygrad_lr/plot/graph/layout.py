"""Lay out the boxes of a graph in layers, so that all edges point down.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical
system structures", IEEE Trans. SMC 11 (1981) 109-125: rows; a place in each row
for edges that pass it; the order in a row by barycentres, so that few edges cross; positions. Each
row is placed as close as possible to the wishes of its items, by isotonic regression.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Point = tuple[float, float]
Edge = tuple[int, int]

BOX_GAP, ROW_GAP, FRAME_PADDING = 22.0, 32.0, 16.0  # between boxes, between rows, inside a frame
HEADING_HEIGHT = 22.0  # room for a frame's title
EDGE_WIDTH = 12.0  # what an edge takes that passes a row
SWEEPS = 12
INFINITE = float("inf")
HANGING = 0.1
STRAIGHT = 1.0, 2.0, 8.0  # the pull of an edge between two boxes, at and within a long edge


@dataclass(frozen=True)
class Layout:
    """The upper left corner of each box, the points of each edge, and the frames.

    An edge is a list of points, two for each row that it leaves, passes or enters: vertical lines
    within the rows, to be joined by curves between them, where no box is.
    """

    places: Sequence[Point]
    routes: Sequence[Sequence[Point]]
    frames: Sequence[tuple[float, float, float, float]]
    width: float
    height: float


def lay_out(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[Edge],
    bands: Sequence[int] | None = None,
    framed: Sequence[int] = (),
) -> Layout:
    """Arrange boxes of the given sizes (width, height) in rows, with all edges pointing down.

    Long edges from one box run together until they branch off, or those to one box once they meet.
    `bands` are numbers: all boxes of a band are above those of a higher one, and no edge leads to
    a lower band. Bands in `framed` get a frame, which long edges avoid.

    >>> layout = lay_out([(60, 20), (60, 20), (60, 20)], [(0, 2), (1, 2)])
    >>> layout.places
    [(0.0, 0.0), (82.0, 0.0), (41.0, 55.0)]
    """
    bands = bands or [0] * len(sizes)
    rank = assign_ranks(len(sizes), edges, bands)
    rows = _Rows(sizes, edges, rank, bands, set(framed))
    rows.untangle()
    rows.place()
    return rows.finish(framed)


def assign_ranks(count: int, edges: Sequence[Edge], bands: Sequence[int]) -> list[int]:
    """Return the row of each box: below everything it reads in its band; sources near a reader."""
    into: list[list[int]] = [[] for _ in range(count)]
    out: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        if bands[a] == bands[b]:
            into[b].append(a)
            out[a].append(b)
    rank = [0] * count
    missing = [len(x) for x in into]
    order = [i for i in range(count) if not missing[i]]
    for i in order:
        for reader in out[i]:
            rank[reader] = max(rank[reader], rank[i] + 1)
            missing[reader] -= 1
            if not missing[reader]:
                order.append(reader)
    for i in reversed(order):
        if out[i] and len(into[i]) < len(out[i]):  # down, where that shortens edges
            rank[i] = min(rank[reader] for reader in out[i]) - 1
        elif out[i] and len(into[i]) == 1 == len(out[i]):
            rank[i] = max(rank[i], min(rank[reader] for reader in out[i]) - 1)
    start, first = 0, {}
    for band in sorted(set(bands)):
        first[band] = start
        start += 1 + max(rank[i] for i in range(count) if bands[i] == band)
    return [rank[i] + first[bands[i]] for i in range(count)]


def space_out(
    wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]
) -> list[float]:
    """Return the positions nearest to the wanted ones (least squares) that keep the gaps.

    Isotonic regression by pooling adjacent violators (Ayer et al., Ann. Math. Stat. 26 (1955)).

    >>> space_out([0.0, 0.0, 9.0], [1.0, 1.0, 1.0], [2.0, 2.0])
    [-1.0, 1.0, 9.0]
    """
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, members = want - offset, weight, 1
        while pools and pools[-1][0] >= mean:
            above, more, others = pools.pop()
            mean = (mean * total + above * more) / (total + more)
            total, members = total + more, members + others
        pools.append((mean, total, members))
    means = (mean for mean, _, members in pools for _ in range(members))
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def count_crossings(count: int, pairs: Sequence[Edge]) -> int:
    """Count the crossings between two rows; pairs are a place above (of `count`) and one below."""
    tree = [0] * (count + 1)  # a Fenwick tree: how many ends so far at or left of a place
    total = 0
    for so_far, (upper, _) in enumerate(sorted(pairs, key=lambda pair: (pair[1], pair[0]))):
        at, left = upper + 1, 0
        while at:
            left += tree[at]
            at &= at - 1
        total += so_far - left
        at = upper + 1
        while at < len(tree):
            tree[at] += 1
            at += at & -at
    return total


@dataclass
class _Rows:
    """The rows while they are being ordered: boxes by number, then places of passing edges."""

    sizes: Sequence[tuple[float, float]]
    edges: Sequence[Edge]
    rank: list[int]
    bands: Sequence[int]
    framed: set[int]
    chains: list[list[int]] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = len(self.sizes)
        self.width = [w for w, _ in self.sizes]
        self.aside = [False] * count  # passes a frame to which it does not belong
        self.bundle: list[tuple[str, int]] = [("", i) for i in range(count)]
        passing: dict[tuple[tuple[str, int], int, bool], int] = {}
        long = [(a, b) for a, b in self.edges if self.rank[b] > self.rank[a] + 1]
        leaving, entering = Counter(a for a, _ in long), Counter(b for _, b in long)
        self.up: list[list[int]] = [[] for _ in range(count)]
        self.down: list[list[int]] = [[] for _ in range(count)]
        band_of = {self.rank[i]: self.bands[i] for i in range(count)}
        self.band_of_row = [band_of[row] for row in range(len(band_of))]
        self.rows = [[] for _ in self.band_of_row]
        for a, b in self.edges:
            chain = [a]
            bundle = ("from", a) if leaving[a] >= entering[b] else ("to", b)
            for row in range(self.rank[a] + 1, self.rank[b]):
                band = band_of[row]
                aside = band in self.framed and band not in {self.bands[a], self.bands[b]}
                item = passing.setdefault((bundle, row, aside), len(self.rank))
                chain.append(item)
                if item < len(self.rank):
                    continue
                self.aside.append(aside)
                self.bundle.append(bundle)
                self.rank.append(row)
                self.width.append(EDGE_WIDTH)
                self.up.append([])
                self.down.append([])
            chain.append(b)
            self.chains.append(chain)
            for upper, lower in pairwise(chain):
                if lower not in self.down[upper]:
                    self.down[upper].append(lower)
                    self.up[lower].append(upper)
        self._first_order(count)

    def _first_order(self, count: int) -> None:
        """Order the rows depth first from the last box upwards, so that related boxes are close."""
        seen = [False] * len(self.rank)
        for end in sorted(range(count), key=lambda i: (-self.rank[i], i)):
            waiting = [end]
            while waiting:
                item = waiting.pop()
                if not seen[item]:
                    seen[item] = True
                    self.rows[self.rank[item]].append(item)
                    waiting.extend(reversed(self.up[item]))
        for row in self.rows:
            row.sort(key=lambda i: self.aside[i])

    # ---- the order in the rows

    def untangle(self) -> None:
        """Order the rows so that few edges cross: the best of some sweeps down and up."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for sweep in range(SWEEPS):
            if not fewest:
                break
            down = sweep % 2 == 0
            inner = range(1, len(self.rows)) if down else range(len(self.rows) - 2, -1, -1)
            for number in inner:
                self._by_barycentres(number, down, tie=sweep % 4 >= 2)
            found = self._crossings()
            if found < fewest:
                best, fewest = [list(row) for row in self.rows], found
        self.rows = best

    def _by_barycentres(self, number: int, down: bool, tie: bool) -> None:
        fixed = self.rows[number - 1 if down else number + 1]
        place = {item: i for i, item in enumerate(fixed)}
        near = self.up if down else self.down
        row = self.rows[number]
        scale = len(fixed) / len(row)
        wish = [
            sum(place[x] for x in near[item]) / len(near[item]) if near[item] else i * scale
            for i, item in enumerate(row)
        ]
        order = sorted(
            range(len(row)), key=lambda i: (self.aside[row[i]], wish[i], -i if tie else i)
        )
        self.rows[number] = [row[i] for i in order]

    def _crossings(self) -> int:
        total = 0
        for above, below in pairwise(self.rows):
            place = {item: i for i, item in enumerate(above)}
            pairs = [(place[x], i) for i, item in enumerate(below) for x in self.up[item]]
            total += count_crossings(len(above), pairs)
        return total

    # ---- positions

    def place(self) -> None:
        """Compute the centers, in sweeps: each row moves to the means of its neighbours."""
        self.x = [0.0] * len(self.rank)
        for row in self.rows:
            for i, gap in enumerate(self._gaps(row)):
                self.x[row[i + 1]] = self.x[row[i]] + gap
        if not any(self.up):
            return
        for sweep in range(4 * SWEEPS):
            both, down = sweep >= 2 * SWEEPS, sweep % 2 == 0
            for row in self.rows if down else self.rows[::-1]:
                wanted, weights = [], []
                for item in row:
                    near = self.up[item] if down else self.down[item]
                    near = [*self.up[item], *self.down[item]] if both or not near else near
                    pull = [self._pull(item, x) for x in near]
                    at = sum(p * self.x[x] for p, x in zip(pull, near, strict=True))
                    wanted.append(at / sum(pull) if near else self.x[item])
                    weights.append(sum(pull) or 0.1)
                for item, x in zip(row, space_out(wanted, weights, self._gaps(row)), strict=True):
                    self.x[item] = x
        self._straighten()
        for band in self.framed:
            self._aside_of(band)

    def _pull(self, item: int, other: int) -> float:
        """Return the pull of an edge on its ends; it is weak for a leaf, and where it branches off.

        So boxes that follow each other stand below each other, and don't move towards a shared way.
        """
        count = len(self.sizes)
        upper, lower = sorted((item, other), key=lambda x: self.rank[x])
        if upper >= count > lower and len(self.down[upper]) > 1:
            return HANGING
        if lower >= count > upper and len(self.up[lower]) > 1:
            return HANGING
        if any(not self.up[x] and len(self.down[x]) == 1 for x in (item, other)):
            return HANGING
        return STRAIGHT[(item >= count) + (other >= count)]

    def _straighten(self) -> None:
        """Straighten long edges, as far as their neighbours leave room."""
        place = {item: (row, i) for row in self.rows for i, item in enumerate(row)}
        for chain in sorted(self.chains, key=len):  # the longest has the last word
            wish = self.x[chain[0]]
            run: list[int] = []
            low, high = -INFINITE, INFINITE
            for item in [x for x in chain[1:-1] if not self.aside[x]]:
                row, i = place[item]
                gaps = self._gaps(row[max(0, i - 1) : i + 2])
                left = self.x[row[i - 1]] + gaps[0] if i else -INFINITE
                right = self.x[row[i + 1]] - gaps[-1] if i + 1 < len(row) else INFINITE
                if max(low, left) > min(high, right):  # no line through all of them
                    wish = self._line(run, wish, low, high)
                    run, low, high = [], -INFINITE, INFINITE
                run.append(item)
                low, high = max(low, left), min(high, right)
            self._line(run, wish, low, high)

    def _line(self, run: Sequence[int], wish: float, low: float, high: float) -> float:
        """Align the places of an edge vertically, as near to the wanted position as possible."""
        at = min(max(wish, low), high)
        for item in run:
            self.x[item] = at
        return at

    def _gaps(self, row: Sequence[int]) -> list[float]:
        """Return the smallest distances between the centers of a row's items."""
        return [
            (self.width[a] + self.width[b]) / 2
            + BOX_GAP
            + (2 * FRAME_PADDING if self.aside[a] != self.aside[b] else 0.0)
            for a, b in pairwise(row)
        ]

    def _aside_of(self, band: int) -> None:
        """Move the edges that pass a frame to the right of everything in it."""
        own = [row for row, b in zip(self.rows, self.band_of_row, strict=True) if b == band]
        inside = [i for row in own for i in row if not self.aside[i]]
        right = max(self.x[i] + self.width[i] / 2 for i in inside) + FRAME_PADDING + BOX_GAP
        lanes = [self.bundle[i] for i in own[0] if self.aside[i]]
        for row in own:
            for item in row:
                if self.aside[item]:
                    self.x[item] = right + lanes.index(self.bundle[item]) * (EDGE_WIDTH + BOX_GAP)

    def finish(self, framed: Sequence[int]) -> Layout:
        """Return the coordinates, with the upper left corner of the layout at (0, 0)."""
        count = len(self.sizes)
        tops, bottoms, y = [], [], 0.0
        for number, row in enumerate(self.rows):
            band = self.band_of_row[number]
            before = self.band_of_row[number - 1] if number else None
            if before is not None:
                y += ROW_GAP + min(40.0, 1.5 * sum(len(self.up[i]) for i in row))
            if band != before:
                y += FRAME_PADDING * (before in self.framed) + (FRAME_PADDING + HEADING_HEIGHT) * (
                    band in self.framed
                )
            tops.append(y)
            y += max((self.sizes[i][1] for i in row if i < count), default=0.0)
            bottoms.append(y)
        frames = []
        for band in framed:
            own = [n for n, b in enumerate(self.band_of_row) if b == band]
            inside = [i for n in own for i in self.rows[n] if not self.aside[i]]
            left = min(self.x[i] - self.width[i] / 2 for i in inside) - FRAME_PADDING
            right = max(self.x[i] + self.width[i] / 2 for i in inside) + FRAME_PADDING
            top, bottom = (
                tops[own[0]] - FRAME_PADDING - HEADING_HEIGHT,
                bottoms[own[-1]] + FRAME_PADDING,
            )
            frames.append((left, top, right - left, bottom - top))
        lefts = [self.x[i] - self.width[i] / 2 for i in range(len(self.rank))]
        left = min([*lefts, *(x for x, _, _, _ in frames)])
        rights = [self.x[i] + self.width[i] / 2 for i in range(len(self.rank))]
        right = max([*rights, *(x + w for x, _, w, _ in frames)])
        bottom = max([y, *(top + h for _, top, _, h in frames)])
        places = [
            (lefts[i] - left, (tops[self.rank[i]] + bottoms[self.rank[i]] - self.sizes[i][1]) / 2)
            for i in range(count)
        ]
        return Layout(
            places,
            self._routes(places, left, tops, bottoms),
            [(x - left, top, w, h) for x, top, w, h in frames],
            right - left,
            bottom,
        )

    def _routes(
        self, places: Sequence[Point], left: float, tops: list[float], bottoms: list[float]
    ) -> list[list[Point]]:
        """Return the points of the edges; those that enter a box share its upper side."""
        port: dict[tuple[int, int], float] = {}
        enter: dict[int, set[int]] = {}
        for chain in self.chains:
            enter.setdefault(chain[-1], set()).add(chain[-2])
        for box, above in enter.items():
            arriving = sorted(above, key=lambda item: (self.x[item], item))
            side = min(0.7 * self.width[box], 18.0 * (len(arriving) - 1))
            for i, item in enumerate(arriving):
                share = i / (len(arriving) - 1) - 0.5 if len(arriving) > 1 else 0.0
                port[item, box] = self.x[box] - left + share * side
        routes = []
        for chain in self.chains:
            start, end = chain[0], chain[-1]
            at = self.x[start] - left
            points = [
                (at, places[start][1] + self.sizes[start][1]),
                (at, bottoms[self.rank[start]]),
            ]
            for item in chain[1:-1]:
                at = self.x[item] - left
                points += [(at, tops[self.rank[item]]), (at, bottoms[self.rank[item]])]
            at = port[chain[-2], end]
            routes.append([*points, (at, tops[self.rank[end]]), (at, places[end][1])])
        return routes
