"""The layered layout of graph pictures: rows, no overlaps, every edge down and around the boxes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lr.plot.graph.layout import assign_ranks, count_crossings, lay_out, space_out


@st.composite
def graphs(draw):
    """Sizes, edges from a lower number to a higher one, bands that never go down, framed ones."""
    count = draw(st.integers(1, 16))
    pairs = list(itertools.combinations(range(count), 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30)) if pairs else []
    sizes = [(draw(st.integers(20, 200)), draw(st.integers(10, 90))) for _ in range(count)]
    bands = sorted(draw(st.integers(0, 3)) for _ in range(count))
    framed = [band for band in sorted(set(bands)) if draw(st.booleans())]
    return sizes, edges, bands, framed


def boxes(sizes, layout):
    return [(x, y, x + w, y + h) for (x, y), (w, h) in zip(layout.places, sizes, strict=True)]


def apart(a, b, slack=1e-6):
    """Return True if two boxes (left, top, right, bottom) do not overlap."""
    across = a[2] <= b[0] + slack or b[2] <= a[0] + slack
    return across or a[3] <= b[1] + slack or b[3] <= a[1] + slack


@pytest.mark.slow
@settings(max_examples=150)
@given(graphs())
def test_no_two_boxes_overlap_and_all_are_in_the_picture(graph):
    sizes, edges, bands, framed = graph
    layout = lay_out(sizes, edges, bands, framed)
    placed = boxes(sizes, layout)
    assert all(apart(a, b) for a, b in itertools.combinations(placed, 2))
    whole = (-1e-6, -1e-6, layout.width + 1e-6, layout.height + 1e-6)
    for left, top, right, bottom in placed:
        assert whole[0] <= left and whole[1] <= top
        assert right <= whole[2] and bottom <= whole[3]


@pytest.mark.slow
@settings(max_examples=150)
@given(graphs())
def test_every_edge_leads_down_from_its_operand_to_its_reader(graph):
    sizes, edges, bands, framed = graph
    layout = lay_out(sizes, edges, bands, framed)
    placed = boxes(sizes, layout)
    for (a, b), route in zip(edges, layout.routes, strict=True):
        (x, y), *_, (end, last) = route
        assert placed[a][3] == y and placed[a][0] <= x <= placed[a][2]
        assert abs(placed[b][1] - last) < 1e-9 and placed[b][0] <= end <= placed[b][2]
        assert all(q[1] >= p[1] for p, q in itertools.pairwise(route))
        assert placed[a][3] < placed[b][1]


@pytest.mark.slow
@settings(max_examples=150)
@given(graphs())
def test_no_edge_runs_through_a_box(graph):
    sizes, edges, bands, framed = graph
    layout = lay_out(sizes, edges, bands, framed)
    placed = boxes(sizes, layout)
    for (a, b), route in zip(edges, layout.routes, strict=True):
        for k, (p, q) in enumerate(itertools.pairwise(route)):
            left, right = min(p[0], q[0]), max(p[0], q[0])
            hit = [i for i, box in enumerate(placed) if not apart((left, p[1], right, q[1]), box)]
            assert set(hit) <= {a, b}, k


@pytest.mark.slow
@settings(max_examples=150)
@given(graphs())
def test_frames_hold_their_own_boxes_and_no_others(graph):
    sizes, edges, bands, framed = graph
    layout = lay_out(sizes, edges, bands, framed)
    for band, (x, y, width, height) in zip(framed, layout.frames, strict=True):
        for i, box in enumerate(boxes(sizes, layout)):
            frame = (x, y, x + width, y + height)
            inside = x < box[0] and y < box[1] and box[2] < frame[2] and box[3] < frame[3]
            assert inside if bands[i] == band else apart(frame, box)


@pytest.mark.slow
@settings(max_examples=50)
@given(graphs())
def test_a_layout_is_the_same_each_time(graph):
    assert lay_out(*graph) == lay_out(*graph)


def test_an_edge_that_passes_a_frame_goes_around_it():
    sizes = [(60, 20)] * 5
    layout = lay_out(sizes, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)], [0, 1, 1, 1, 2], [1])
    ((left, top, width, height),) = layout.frames
    passing = [x for x, y in layout.routes[4] if top + 25 < y < top + height - 10]
    assert passing and all(x > left + width for x in passing)


def test_edges_from_one_box_run_together_and_those_to_one_box_meet():
    sizes = [(60, 20)] * 6
    chain = [(i, i + 1) for i in range(5)]
    layout = lay_out(sizes, [*chain, (0, 2), (0, 3), (0, 4), (0, 5)])
    ways = [{x for x, _ in route[2:-2]} for route in layout.routes[5:]]
    assert all(len(way) == 1 for way in ways) and len(set.union(*ways)) == 1
    layout = lay_out(sizes, [*chain, (0, 5), (1, 5), (2, 5), (3, 5)])
    ways = [{x for x, _ in route[2:-2]} for route in layout.routes[5:]]
    assert all(len(way) == 1 for way in ways) and len(set.union(*ways)) == 1
    middles = [x + 30 for x, _ in layout.places[1:]]
    assert max(middles) - min(middles) < 60


def test_a_chain_is_a_straight_line_down():
    layout = lay_out([(60, 20), (90, 30), (40, 20)], [(0, 1), (1, 2)])
    assert {x for route in layout.routes for x, _ in route} == {45.0}


def test_a_tree_has_no_crossings():
    edges = [(i, 8 + i // 2) for i in (0, 7, 3, 4, 1, 6, 2, 5)]
    edges += [(8 + i, 12 + i // 2) for i in range(4)] + [(12, 14), (13, 14)]
    layout = lay_out([(60, 20)] * 15, edges)
    ends = [(route[0][0], route[-1][0], route[0][1]) for route in layout.routes]
    for (a, b, row), (c, d, other) in itertools.combinations(ends, 2):
        assert row != other or (a - c) * (b - d) >= 0


def test_a_source_stands_above_its_first_reader():
    assert assign_ranks(5, [(0, 1), (1, 2), (2, 3), (4, 3)], [0] * 5) == [0, 1, 2, 3, 2]


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(0.1, 5)), min_size=1, max_size=8),
    st.floats(0, 10),
)
def test_positions_keep_their_gaps_and_no_small_move_is_better(wishes, gap):
    wanted, weights = map(np.array, zip(*wishes, strict=True))
    x = np.array(space_out(list(wanted), list(weights), [gap] * (len(wanted) - 1)))
    assert (np.diff(x) >= gap - 1e-9).all()
    cost = (weights * (x - wanted) ** 2).sum()
    for first, last in itertools.combinations(range(len(x) + 1), 2):
        for step in (1e-3, -1e-3):
            moved = x.copy()
            moved[first:last] += step
            if (np.diff(moved) >= gap).all():
                assert (weights * (moved - wanted) ** 2).sum() >= cost - 1e-9


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_crossings_are_those_that_pairs_of_edges_make(pairs):
    crossing = [(a - c) * (b - d) < 0 for (a, b), (c, d) in itertools.combinations(pairs, 2)]
    assert count_crossings(6, pairs) == sum(crossing)
