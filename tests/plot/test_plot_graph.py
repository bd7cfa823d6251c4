"""Graph pictures: all of the graph is there once, with the Values' own numbers, safely written."""

from __future__ import annotations

import itertools
import math
import random
import re
import time
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError, DataFileError
from tinygrad_lr.plot import GraphPicture, computation_graph
from tinygrad_lr.plot.graph.boxes import common_sign
from tinygrad_lr.plot.graph.folding import Folding
from tinygrad_lr.plot.graph.reading import Graph
from tinygrad_lr.plot.graph.svg import text_width
from tinygrad_lr.support.text_format import number_text

SVG = "{http://www.w3.org/2000/svg}"
NASTY = [
    "<img src=x onerror=alert(1)>",
    '"onmouseover=',
    "</title>",
    "{{7*7}}",
    "a\\",
    "x\n\x1b[31m",
]
OPERATIONS = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: a - b * 0.5,
    lambda a, b: a.tanh() + b,
]


def scalar_network(sizes, samples, seed=1):
    """A network of scalars as micrograd builds it, and the loss of some samples."""
    rng = random.Random(seed)
    layers = [
        [([Value(rng.uniform(-1, 1)) for _ in range(n)], Value(0.1)) for _ in range(out)]
        for n, out in itertools.pairwise(sizes)
    ]
    losses = []
    for _ in range(samples):
        x = [rng.gauss(0, 1) for _ in range(sizes[0])]
        for k, layer in enumerate(layers):
            x = [sum((w * v for w, v in zip(ws, x, strict=True)), b) for ws, b in layer]
            x = [v.tanh() for v in x] if k < len(layers) - 1 else x
        losses.append((x[0] - 1.0) ** 2)
    return sum(losses) / samples


def network():
    model = tg.nn.MLP(2, [16, 16], 1, activation="tanh", dtype=np.float64, generator=0)
    x = np.random.default_rng(0).normal(size=(100, 2))
    return model, tg.losses.mse(model(x), x[:, :1] * x[:, 1:])


@st.composite
def graphs(draw):
    """Random graphs of scalars, with as many shared Values as there may be."""
    pool = [Value(0.3 * i - 1.0) for i in range(draw(st.integers(1, 6)))]
    for _ in range(draw(st.integers(1, 70))):
        operation = OPERATIONS[draw(st.integers(0, 3))]
        a, b = (pool[draw(st.integers(0, len(pool) - 1))] for _ in range(2))
        pool.append(operation(a, b))
    return pool[-1]


def closed(folding):
    """Return True if the boxes of a folding form a circle."""
    into = dict.fromkeys(range(len(folding.groups)), 0)
    for _, b, _ in folding.edges:
        into[b] += 1
    free = [i for i, count in into.items() if not count]
    for i in free:
        for a, b, _ in folding.edges:
            if a == i:
                into[b] -= 1
                if not into[b]:
                    free.append(b)
    return len(free) < len(folding.groups)


@pytest.mark.slow
@settings(max_examples=120)
@given(graphs(), st.data())
def test_every_vertex_and_every_edge_is_drawn_or_folded_once(loss, data):
    graph = Graph(loss)
    open = data.draw(st.sets(st.integers(0, len(graph.layers) - 1)))
    unfolded = data.draw(st.none() | st.integers(graph.leaves, len(graph.things) - 1))
    folding = Folding(graph, open, unfolded)
    drawn = [i for group in folding.groups for i in group.vertices]
    assert sorted(drawn) == list(range(len(graph.things)))
    inside = sum(
        folding.group_of[x] == folding.group_of[i]
        for i, reads in enumerate(graph.reads)
        for x in reads
    )
    assert inside + sum(times for _, _, times in folding.edges) == sum(map(len, graph.reads))
    assert not closed(folding)


@pytest.mark.slow
@settings(max_examples=60)
@given(graphs())
def test_boxes_hold_the_numbers_and_the_gradients_of_their_values(loss):
    picture = computation_graph(loss, open="all")
    loss.backward()
    for box in picture.boxes:
        if box.look in {"parameter", "result"}:
            (value,) = box.things
            data, gradient = box.rows
            assert data.text == number_text(value.data)
            assert gradient.text == number_text(value.grad)
            assert gradient.sign == (value.grad > 0) - (value.grad < 0)


def test_a_small_graph_is_drawn_in_full():
    a, b = Value(-4.0, name="a"), Value(2.0, name="b")
    picture = computation_graph((a * b + b**3) * a)
    assert [box.name for box in picture.boxes if not box.formula] == ["a", "b"]
    assert {box.formula for box in picture.boxes} >= {"a · b", "b³"} and len(picture.boxes) == 6
    assert all(len(box.things) == 1 for box in picture.boxes)


def test_a_value_that_is_read_twice_has_one_edge_with_its_count():
    x = Value(3.0, name="x")
    picture = computation_graph(x * x)
    assert picture.edges == ((0, 1, 2),)
    assert "×2" in picture.svg() and 'label="×2"' in picture.dot()


def test_gradients_are_those_of_backward_where_it_ran_and_are_said_to_be():
    w = Value(2.0, name="w")
    loss = (w * 3.0) ** 2
    loss.backward()
    w.grad = 7.0
    picture = computation_graph(loss)
    assert picture.boxes[0].rows[1].text == "7" and w.grad == 7.0
    assert "as left by backward()" in picture.svg()


def test_gradients_are_computed_and_written_nowhere_where_backward_did_not_run():
    model, loss = network()
    picture = computation_graph(loss, model=model)
    assert "computed for this picture" in picture.svg()
    assert all(p.grad is None for p in model.parameters()) and loss.grad is None
    box = next(box for box in picture.boxes if box.name == "b₃")
    loss.backward()
    assert box.rows[1].text == f"[{number_text(model.layers[4].bias.grad[0], 3)}]"


def test_without_gradients_there_are_none():
    model, loss = network()
    picture = computation_graph(loss, model=model, gradients=False)
    assert {row.label for box in picture.boxes for row in box.rows} == {"data"}
    assert "gradient" not in picture.svg() + picture.tree()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("image", [False, True])
def test_a_gradient_that_is_nothing_but_rounding_is_zero(dtype, image):
    """The bias before a batch normalisation has no effect; a mean over logits cancels."""
    nn, options = tg.nn, {"dtype": dtype, "generator": 0}
    first = nn.Conv2d(1, 3, 2, **options) if image else nn.Linear(4, 3, **options)
    norm = nn.BatchNorm2d(3, dtype=dtype) if image else nn.BatchNorm1d(3, dtype=dtype)
    last = nn.Linear(27 if image else 3, 3, **options)
    model = nn.Sequential(first, norm, nn.Flatten(), nn.Tanh(), last)
    x = np.random.default_rng(0).normal(size=(8, 1, 4, 4) if image else (8, 4)).astype(dtype)
    loss = tg.losses.cross_entropy(model(x), np.arange(8) % 3)
    for run in (lambda: None, loss.backward):
        run()
        picture = computation_graph(loss, model=model, open="all")
        rows = {box.name: box.rows[1].text for box in picture.boxes if len(box.rows) > 1}
        assert rows["b₁"] in {"[0, 0, 0]", "all 0"}
        assert rows["z₃"].startswith("mean 0, from −")
        assert "[0, 0, 0]" not in [text for name, text in rows.items() if name not in {"b₁", "v₂"}]


def test_a_gradient_that_is_not_finite_is_no_rounding():
    w, b = Value(np.array([1.0, 2.0]), name="w"), Value(0.0, name="b")
    rows = {x.name: x.rows for x in computation_graph(np.sum((w + b) * math.inf)).boxes}
    assert rows["w"][1].text == "[∞, ∞]" and rows["b"][1].text == "∞"


def test_a_graph_without_one_number_at_its_end_says_why_it_has_no_gradients():
    assert "no gradients: backward() has not run" in computation_graph(Value(np.ones(3)) * 2).svg()


def test_layers_fold_into_boxes_and_open_by_name_and_by_number():
    model, loss = network()
    folded = computation_graph(loss, model=model, open=())
    names = [box.name for box in folded.boxes]
    assert names == ["x", "layers.0", "layers.2", "layers.4", "y", "loss"]
    layer = folded.boxes[1]
    assert layer.formula == "tanh(x W₁ + b₁)" and layer.note == "48 parameters, 2 operations"
    assert [row.label for row in layer.rows] == ["data", "gradient", "parameters", "their gradient"]
    by_name = computation_graph(loss, model=model, open=["layers.2"])
    assert {"W₂", "b₂", "z₂", "h₂"} <= {box.name for box in by_name.boxes}
    assert by_name.svg() == computation_graph(loss, model=model, open=[2]).svg()


@pytest.mark.slow
def test_neurons_of_scalars_fold_into_their_formula():
    picture = computation_graph(scalar_network([2, 16, 16, 1], 3))
    assert "2,2" in repr(picture) and len(picture.boxes) == 4
    assert [box.formula for box in picture.boxes[:2]] == ["48 × tanh(Σ w · x + b)"] * 2
    opened = computation_graph(scalar_network([2, 16, 16, 1], 3), open=[2])
    neurons = [box for box in opened.boxes if box.formula == "tanh(Σ w · x + b)"]
    assert len(neurons) == 6 and neurons[0].note == "33 operations"
    assert any(box.name == "… 42 more" for box in opened.boxes)


@pytest.mark.slow
def test_two_thousand_nodes_take_less_than_two_seconds_and_stay_few_boxes():
    loss = scalar_network([2, 16, 16, 1], 3)
    start = time.process_time()
    picture = computation_graph(loss, open="all")
    picture.svg()
    assert time.process_time() - start < 2 and len(picture.boxes) < 40


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["chain", "layers", "leaves"])
def test_very_large_graphs_have_small_pictures(kind):
    x = Value(1.0)
    for i in range(20_000):
        x = x * 1.0001 if kind == "chain" else x.tanh() * Value(0.5) if kind == "layers" else x
        x = x + Value(float(i)) if kind == "leaves" else x
    for open in (None, "all"):
        picture = computation_graph(x, open=open)
        assert len(picture.boxes) < 60 and len(picture.svg()) < 60_000
    assert "more" in picture.svg() or kind == "leaves"


def test_the_tree_prints_each_box_once_and_fits_its_width():
    model, loss = network()
    for width in (40, 78):
        tree = computation_graph(loss, model=model).tree(width)
        assert max(map(len, tree.splitlines())) <= width
    a = Value(2.0, name="a")
    c = a.tanh()
    tree = computation_graph(c * c.exp()).tree()
    lines = [line for line in tree.splitlines() if "tanh" in line]
    assert len(lines) == 1 and tree.count("⤴") == 1


@pytest.mark.parametrize("name", NASTY)
def test_names_from_users_do_no_harm_anywhere(name):
    w = Value(np.ones((2, 2)), name=name)
    picture = computation_graph(np.sum(np.tanh(w @ np.ones((2, 3)))))
    root = ElementTree.fromstring(picture.svg())
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "g", "text", "path"),
    }
    for element in root.iter():
        assert not any(key.startswith("on") or "href" in key for key in element.attrib)
    html = picture.html()
    assert "<img" not in html and "\x1b" not in html + picture.tree() + picture.dot()
    check_dot(picture.dot())


def check_dot(text):
    """That a text has the grammar of DOT's statements that are used here; its nodes and edges."""
    quoted = r'"(?:[^"\\]|\\.)*"'
    value = rf"(?:{quoted}|[\w.#]+)"
    attributes = rf"\[\w+={value}(?:, ?\w+={value})*\]"
    forms = [
        *(r"digraph \w+ \{", r"\}", r"subgraph cluster_\d+ \{", rf"node {attributes};"),
        *(rf"(?:\w+={value}; ?)+", rf"n\d+ {attributes};", rf"n\d+ -> n\d+(?: {attributes})?;"),
    ]
    depth = 0
    for line in text.splitlines():
        assert any(re.fullmatch(form, line.strip()) for form in forms), line
        bare = re.sub(quoted, "", line)
        depth += bare.count("{") - bare.count("}")
    assert depth == 0
    nodes = re.findall(r"^ *n(\d+) \[", text, re.M)
    return nodes, re.findall(r"^ *n(\d+) -> n(\d+)", text, re.M)


def test_dot_has_each_box_and_edge_once_and_clusters_for_open_layers():
    model, loss = network()
    picture = computation_graph(loss, model=model, open=["layers.2"])
    nodes, edges = check_dot(picture.dot())
    assert sorted(map(int, nodes)) == list(range(len(picture.boxes)))
    assert [(int(a), int(b)) for a, b in edges] == [(a, b) for a, b, _ in picture.edges]
    assert picture.dot().count("subgraph cluster_") == 1


def test_the_page_opens_each_folded_layer_without_a_script():
    model, loss = network()
    html = computation_graph(loss, model=model, open=()).html()
    summaries = re.findall("<summary>(.*?)</summary>", html)
    assert summaries == [
        "layers.0: 48 parameters, 2 operations",
        "layers.2: 272 parameters, 2 operations",
        "loss: 2 operations",
        "The same as text",
    ]
    assert "<script" not in html and "http" not in html.replace("http://www.w3.org/2000/svg", "")
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"g[0-9a-f]{10}-\d", i) for i in ids)


def test_numbers_that_are_not_finite_break_no_picture():
    a = Value(np.array([1.0, math.nan, math.inf, 1e308, 2.0]), name="a")
    svg = computation_graph(np.sum(a * Value(math.inf))).svg()
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        for key in ("x", "y", "width", "height", "d", "transform"):
            assert not re.search("nan|inf|e", element.get(key, "").replace("translate", ""))
    assert "2 of 5 not finite" in svg


def test_two_runs_give_the_same_bytes():
    def written():
        model, loss = network()
        picture = computation_graph(loss, model=model, open=())
        return picture.svg(), picture.html(), picture.tree(), picture.dot()

    assert written() == written()


def test_pictures_follow_the_scheme_of_the_page_and_describe_themselves():
    picture = computation_graph(Value(2.0, name="w") * 3.0)
    root = ElementTree.fromstring(picture.svg())
    assert root.get("role") == "img"
    labels = root.get("aria-labelledby").split()
    texts = {e.get("id"): e.text for e in root.iter() if e.get("id")}
    assert texts[labels[0]] == "computation graph of L" and "data 6" in texts[labels[1]]
    assert "prefers-color-scheme: dark" in picture.svg()
    assert picture._repr_svg_() == picture.svg() and picture._repr_html_() == picture.html()


@pytest.mark.parametrize("ending", [".svg", ".html", ".dot", ".txt"])
def test_a_picture_is_saved_in_the_form_that_its_path_ends_in(tmp_path, ending):
    picture = computation_graph(Value(2.0, name="w") * 3.0)
    path = tmp_path / f"graph{ending}"
    picture.save(path)
    text = path.read_text(encoding="utf-8")
    form = {".svg": "svg", ".html": "html", ".dot": "dot", ".txt": "tree"}[ending]
    assert getattr(picture, form)().strip() in text
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    if ending == ".html":
        assert text.index("<meta charset") < text.index("default-src 'none'") < text.index("<body>")


def test_wrong_arguments_are_refused_in_a_sentence(tmp_path):
    loss = Value(2.0, name="w") * 3.0
    picture = computation_graph(loss)
    assert isinstance(picture, GraphPicture)
    with pytest.raises(ArgumentError, match="loss must be a computed Value, got float"):
        computation_graph(2.0)
    with pytest.raises(ArgumentError, match="loss must be a Value computed from others"):
        computation_graph(Value(2.0))
    with pytest.raises(ArgumentError, match=r"model must be a tg\.nn\.Module"):
        computation_graph(loss, model=3)
    with pytest.raises(ArgumentError, match=r"open must be 'all', or names of layers .* got 99"):
        computation_graph(loss, open=99)
    with pytest.raises(ArgumentError, match=r"names of layers .*'loss'"):
        computation_graph(loss, open=["layers.9"])
    with pytest.raises(ArgumentError, match="open must be 'all', or names of layers"):
        computation_graph(loss, open=[0])
    with pytest.raises(ArgumentError, match=r"path must end in \.svg, .*\.png, got"):
        picture.save(tmp_path / "graph.pdf")
    with pytest.raises(ArgumentError, match="width must be an integer >= 20, got 5"):
        picture.tree(5)
    with pytest.raises(DataFileError):
        picture.save(tmp_path / "missing" / "graph.svg")


def test_attention_and_convolutions_have_pictures_too():
    x = np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)
    model = tg.nn.MultiHeadAttention(8, 2, generator=0)
    picture = computation_graph(np.mean(model(x) ** 2), model=model, open="all")
    assert {"softmax", "heads₂", "concat"} <= {box.formula.split("(")[0] for box in picture.boxes}
    image = np.ones((1, 1, 6, 6), np.float32)
    layer = tg.nn.Conv2d(1, 2, 3, generator=0)
    assert " ⋆ " in computation_graph(np.mean(layer(image)), model=layer).svg()


def test_an_operation_of_many_operands_has_a_short_formula():
    picture = computation_graph(np.sum(np.stack([Value(float(i)) for i in range(1000)])))
    assert len(picture.svg()) < 6000 and "…" in picture.svg()


def test_a_layer_that_is_used_twice_opens_in_both_places():
    layer = tg.nn.Linear(3, 3, dtype=np.float64, generator=0)
    model = tg.nn.Sequential(layer, tg.nn.Tanh(), layer)
    loss = np.mean(model(np.ones((2, 3))) ** 2)
    picture = computation_graph(loss, model=model, open=["layers.0"])
    assert sum("W" in box.formula for box in picture.boxes if box.look == "result") == 2


def test_a_picture_keeps_its_numbers_when_training_goes_on():
    model, loss = network()
    loss.backward()
    before = computation_graph(loss, model=model, open=()).html()
    picture = computation_graph(loss, model=model, open=())
    tg.optim.SGD(model.parameters(), 0.1).step()
    late = computation_graph(loss, model=model, open=())
    loss.backward()
    assert picture.html() == before and late.html() == before


def test_a_result_belongs_to_one_layer_only():
    u, v, w = (Value(0.1 * k) for k in (1, 2, 3))
    x = np.array([1.0, 2.0])
    deep, shallow = np.tanh(v * np.tanh(w * x)), np.mean((u * x - 1.0 - x) ** 2)
    layers = Graph(np.mean((deep - x) ** 2) + shallow).layers
    results = [value for layer in layers for value in layer.results]
    assert len(set(results)) == len(results)


@pytest.mark.parametrize("name", NASTY)
def test_a_name_of_the_loss_does_no_harm_in_title_and_description(name):
    loss = Value(2.0, name="w") * 3.0
    loss.name = name
    picture = computation_graph(loss)
    root = ElementTree.fromstring(picture.svg())
    assert [e.tag for e in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert not len(root[0]) and not len(root[1])
    assert not re.search("<img|</title>[^<]*</title>", picture.html())


def chain(length, name=""):
    """The last of results that the next one reads twice, so that none is written out in another."""
    y = Value(0.5, name="w")
    for _ in range(length):
        y = y * np.tanh(y)
        y.name = name
    return y


@pytest.mark.parametrize("name", NASTY)
def test_names_of_folded_expressions_do_no_harm_where_they_open(name):
    html = computation_graph(chain(40, name), open=()).html()
    assert html.count("<details>") > 2
    assert not re.search(r"<img|\x1b|</title>[^<]*</title>", html)


def test_a_gradient_above_zero_points_up_in_its_colour_and_one_below_down():
    w = Value(2.0, name="w")
    picture = computation_graph(w * -3.0).svg()
    assert picture.count('tg-up">▲') == picture.count('tg-down">▼') == 2  # in a box and in the key
    assert 'tg-down">▲' not in picture and 'tg-up">▼' not in picture


def test_of_many_rows_the_first_and_last_four_are_drawn_and_the_others_counted():
    graph = Graph(chain(40))
    groups = [group for group in Folding(graph, {0, 1}).groups if group.layer == 0]
    rows = [group for group in groups if group.kind != "more"]
    (more,) = (group for group in groups if group.kind == "more")
    assert len(rows) == 8 and more.title == "… 32 more rows" and len(more.vertices) == 2 * 32
    assert [max(group.vertices) < min(more.vertices) for group in rows] == [True] * 4 + [False] * 4


def test_an_expression_is_left_by_its_result_alone():
    graph = Graph(chain(40))
    for part in Folding(graph, ()).expressions(range(len(graph.things))):
        for i in part[:-1]:
            assert set(graph.readers[i]) <= set(part)
        assert i < graph.leaves or len(part) == 1 or set(graph.readers[part[-1]]).isdisjoint(part)


def test_of_very_many_layers_those_in_the_middle_are_counted():
    model = tg.nn.MLP(1, [2] * 30, 1, generator=0)
    graph = Graph(tg.losses.mse(model(np.ones((2, 1))), np.ones((2, 1))), model)
    groups = Folding(graph, ()).groups
    (more,) = (group for group in groups if group.title.endswith("more layers"))
    drawn = {group.layer for group in groups if group.layer >= 0} - {more.layer}
    assert more.title == f"… {len(graph.layers) - len(drawn)} more layers"


def test_numbers_on_both_sides_of_zero_have_no_sign():
    assert common_sign([np.array([-1.0, 2.0])]) == 0
    assert [common_sign([np.array([0.0, x])]) for x in (1.0, -1.0, 0.0)] == [1, -1, 0]


def test_a_box_tells_the_shape_with_rows_first():
    w = Value(np.ones((2, 3)), name="w")
    shapes = {box.name: box.shape for box in computation_graph((w * 2.0).sum()).boxes}
    assert shapes["w"] == "2 × 3"


def test_a_graph_of_one_layer_has_no_frame_and_one_of_several_has():
    w = Value(np.ones((2, 2)), name="w")
    assert "tg-frame" not in computation_graph(np.tanh(w @ w).sum()).svg().split("</style>")[1]
    model = tg.nn.MLP(1, [2], 1, generator=0)
    loss = tg.losses.mse(model(np.ones((2, 1))), np.ones((2, 1)))
    assert "tg-frame" in computation_graph(loss, model=model, open="all").svg().split("</style>")[1]


def test_how_often_a_folded_box_is_read_is_not_said_as_if_one_value_were():
    w = Value(2.0, name="w")
    assert "×2" in computation_graph(w * w + 1.0).svg()
    assert "×" not in computation_graph(chain(40), open="all").svg().split("</style>")[1]


def test_results_of_the_form_that_most_have_are_counted():
    w = [Value(0.1 * i) for i in range(6)]
    inner = [v * 2.0 for v in w[:4]] + [np.tanh(v) for v in w[4:]]
    loss = sum(a * Value(1.0) for a in inner)
    formulas = [box.formula for box in computation_graph(loss, open=()).boxes]
    assert "6 results, 4 × w · x" in formulas


@pytest.mark.parametrize("name", [*NASTY, "\x00"])
def test_names_of_modules_do_no_harm_where_their_layers_open(name, tmp_path):
    model = tg.nn.Module()
    setattr(model, name, tg.nn.Linear(2, 1, generator=0))
    loss = tg.losses.mse(np.tanh(getattr(model, name)(np.ones((3, 2)))), np.zeros((3, 1)))
    loss.name = name
    computation_graph(loss, model=model, open=()).save(tmp_path / "graph.html")
    html = (tmp_path / "graph.html").read_text(encoding="utf-8")
    assert not re.search(r"<img|\x1b|\x00|</title>[^<]*</title>", html)
    assert html.count("<details>") == html.count("</summary>") > 1


def slopes_of(picture):
    """Return the derivative on each arrow, by the names of its ends."""
    drawing = picture._drawing
    names = [box.name for box in drawing.boxes]
    return {
        (names[a], names[b]): slope
        for (a, b, _), slope in zip(drawing.edges, drawing.slopes, strict=True)
        if slope
    }


def test_arrows_carry_the_local_derivatives_as_formulas_and_numbers():
    w, b = Value(0.5, name="w"), Value(-2.0, name="b")
    x, y = np.array([1.0, 2.0]), np.array([2.0, 4.0])
    u = w * x + b - y
    found = slopes_of(computation_graph(np.mean(u * u)))
    assert found[("w", "v₁")] == "x" and found[("v₁", "ŷ")] == found[("ŷ", "u")] == "1"
    assert found[("v₂", "L")] == "1/N = 0.5"
    c = np.tanh(w * b)
    c.name = "c"
    found = slopes_of(computation_graph(np.exp(c) * w))
    assert found[("w", "z")] == "b = −2" and found[("b", "z")] == "w = 0.5"
    assert found[("z", "c")] == f"1 − c² = {number_text(1 - float(c.data) ** 2, 3)}"


def test_arrows_of_matrix_products_say_what_the_gradient_is_multiplied_by():
    model = tg.nn.MLP(2, [3], 1, "tanh", dtype=np.float64, generator=0)
    x, y = np.ones((4, 2)), np.zeros((4, 1))
    found = slopes_of(computation_graph(tg.losses.mse(model(x), y), model=model))
    assert found[("W₁", "z₁")] == "xᵀ ·" and found[("h₁", "ŷ")] == "· W₂ᵀ"
    assert found[("z₁", "h₁")] == "1 − h₁²" and found[("b₂", "ŷ")] == "1"
    assert found[("u", "L")] == "2u/N"
    folded = computation_graph(tg.losses.mse(model(x), y), model=model, open=())
    assert not any(folded._drawing.slopes)
    assert "1 − h₁²" in computation_graph(tg.losses.mse(model(x), y), model=model).svg()


def test_variables_of_the_caller_name_what_has_no_name():
    scores = np.array([1.0, 2.0])
    slope = Value(2.0)
    picture = computation_graph(np.sum(slope * scores))
    assert {"scores", "slope"} <= {box.name for box in picture.boxes}


def test_a_picture_is_saved_as_png(tmp_path):
    pytest.importorskip("resvg_py", reason="the extra `plot` is not installed")
    picture = computation_graph(Value(2.0, name="w") ** 2)
    picture.save(tmp_path / "graph.png")
    data = (tmp_path / "graph.png").read_bytes()
    assert data.startswith(b"\x89PNG") and data == picture.png()
    width, height = (int.from_bytes(data[i : i + 4], "big") for i in (16, 20))
    given = re.search(r'width="([\d.]+)" height="([\d.]+)"', picture.svg())
    assert (width, height) == pytest.approx([2 * float(x) for x in given.groups()], abs=2)
    with pytest.raises(ArgumentError, match="scale must be a finite number > 0"):
        picture.png(scale=0)


class Recurrent(tg.nn.Module):
    """A recurrent layer, read at its last step."""

    def __init__(self, kind, layers=1):
        self.cell = getattr(tg.nn, kind)(2, 3, num_layers=layers, dtype=np.float64, generator=0)
        self.head = tg.nn.Linear(3, 1, dtype=np.float64, generator=1)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


def recurrent(kind, steps, layers=1):
    model, rng = Recurrent(kind, layers), np.random.default_rng(0)
    return model, tg.losses.mse(model(rng.normal(size=(5, steps, 2))), np.ones((5, 1)))


def loop(steps):
    """A recurrence as a loop over steps, without a module."""
    rng = np.random.default_rng(0)
    w, u = Value(rng.normal(size=(3, 3)), name="W"), Value(rng.normal(size=(2, 3)), name="U")
    h = np.zeros((1, 3))
    for _ in range(steps):
        h = np.tanh(rng.normal(size=(1, 2)) @ u + h @ w)
    return np.mean((h - 1.0) ** 2)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_recurrent_layer_has_a_box_for_each_step_in_time(kind):
    model, loss = recurrent(kind, 4)
    names = [box.name for box in computation_graph(loss, model=model, open=()).boxes]
    steps = [f"cell.cells.0, step {i}" for i in (1, 2, 3, 4)]
    assert names == ["x", "cell.cells.0", *steps, "cell.cells.0, all steps", "head", "y", "loss"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "loop"])
def test_a_recurrence_of_many_steps_stays_on_the_paper(kind):
    for layers, steps in ((1, 60), (1, 12), (2, 30)):
        model, loss = (None, loop(steps)) if kind == "loop" else recurrent(kind, steps, layers)
        picture = computation_graph(loss, model=model)
        width, height = map(
            float, re.search(r'width="(.+?)" height="(.+?)"', picture.svg()).groups()
        )
        assert width <= 900 and height <= 3000 and len(picture.boxes) < 30
        check_slopes(picture)
        if steps > 14:
            assert any(re.fullmatch("… .* more (steps|layers)", box.name) for box in picture.boxes)


def test_each_step_of_a_loop_has_its_own_input_and_is_called_a_step():
    picture = computation_graph(loop(3), open="all")
    frames = picture._drawing.frames
    assert list(frames.values()) == ["step 1", "step 2", "step 3", "loss"]
    inputs = [box.layer for box in picture.boxes if box.look == "data" and box.shape == "1 × 2"]
    assert inputs == [-1, 1, 2]
    folded = computation_graph(loop(5), open=())
    forms = [box.formula for box in folded.boxes if box.name.startswith("step")]
    assert len(forms) == 5 and all(form.startswith("tanh(") for form in forms)


def test_gradients_of_written_out_steps_are_those_of_the_recurrent_layer():
    model, loss = recurrent("RNN", 4)
    before = computation_graph(loss, model=model, open="all")
    loss.backward()
    after = computation_graph(loss, model=model, open="all")
    assert "within operations computed" in after.svg()
    assert [box.rows for box in before.boxes] == [box.rows for box in after.boxes]
    weight = next(box for box in after.boxes if box.things[0] is model.cell.cells[0].weight_hidden)
    assert weight.rows[1].text.startswith(f"mean {number_text(weight.things[0].grad.mean(), 3)}")


def test_steps_open_by_their_names_and_by_that_of_their_layer():
    model, loss = recurrent("RNN", 4)
    one = computation_graph(loss, model=model, open="cell.cells.0, step 2")
    assert len(one._drawing.frames) == 1
    assert len(computation_graph(loss, model=model, open="cell.cells.0")._drawing.frames) == 5


def test_a_normalisation_is_in_the_frame_of_its_own_module():
    for norm, axis in ((tg.nn.BatchNorm1d(3), "ₙ"), (tg.nn.LayerNorm(3), "")):
        first = tg.nn.Linear(2, 3, generator=0)
        model = tg.nn.Sequential(first, norm, tg.nn.ReLU(), tg.nn.Linear(3, 1, generator=1))
        loss = tg.losses.mse(model(np.ones((4, 2), np.float32)), np.zeros((4, 1), np.float32))
        picture = computation_graph(loss, model=model, open="all")
        (box,) = (x for x in picture.boxes if x.formula.startswith(f"standardize{axis}"))
        assert picture._drawing.frames[box.layer] == "layers.1"


def check_slopes(picture):
    """That no two derivatives on arrows overlap, and none lies on a box or beyond the picture."""
    root = ElementTree.fromstring(picture.svg())
    taken = []
    for group in root.iter(f"{SVG}g"):
        place = re.fullmatch(r"translate\((\S+) (\S+)\)", group.get("transform", ""))
        box = [x for x in group if x.get("class") == "tg-box" and float(x.get("width")) > 30]
        if place and box:
            x, y = map(float, place.groups())
            taken.append((x, y, x + float(box[0].get("width")), y + float(box[0].get("height"))))
    for text in root.iter(f"{SVG}text"):
        if "tg-slope" in text.get("class", ""):
            x, y, width = float(text.get("x")), float(text.get("y")), text_width(text.text, 11)
            x -= width if text.get("text-anchor") == "end" else 0
            own = (x, y - 10, x + width, y + 2)
            assert x >= 0 and x + width <= float(root.get("width"))
            for other in taken:
                across = own[2] <= other[0] + 0.2 or other[2] <= own[0] + 0.2
                assert across or own[3] <= other[1] + 0.2 or other[3] <= own[1] + 0.2, text.text
            taken.append(own)


@pytest.mark.slow
@settings(max_examples=40)
@given(graphs())
def test_derivatives_on_arrows_do_not_overlap(loss):
    check_slopes(computation_graph(loss, open="all"))


def test_derivatives_of_shared_weights_are_each_beside_an_arrow():
    picture = computation_graph(loop(3), open="all")
    check_slopes(picture)
    assert picture.svg().count("tg-slope") >= 20


def test_a_tall_picture_is_saved_with_fewer_pixels():
    pytest.importorskip("resvg_py", reason="the extra `plot` is not installed")
    data = computation_graph(loop(40), open=list(range(1, 41))).png()
    assert max(int.from_bytes(data[i : i + 4], "big") for i in (16, 20)) <= 16_000
