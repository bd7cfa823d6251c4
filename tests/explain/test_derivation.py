"""Derivations: every formula and number that they print is that of the graph."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError, GraphError
from tinygrad_lr.explain.derivations.terms import terms_of
from tinygrad_lr.support.text_format import number_text

LESSON = """\
How L depends on w and b
   N = 4.
   Notation: ∂z/∂x is the derivative of the formula of z alone, all else in it
   held fixed; dL/dx counts all paths from L to x.

Forward, from the data to L
   w              = 0.5
   x              = [0, 1, 2, 3]   (4)
   b              = 0
   y              = [1, 2.5, 2, 5.5]   (4)
   ŷ = w · x + b  = [0, 0.5, 1, 1.5]   (4)
   u = ŷ − y      = [−1, −2, −1, −4]   (4)
   L = (1/N) Σ u² = 5.5

Back, from L to w and b, by the chain rule

   dL/du = 2u/N
         = [−0.5, −1, −0.5, −2]   (4)
   L changes 2u/N times as fast as that entry of u.

   ∂u/∂ŷ = 1
   dL/dŷ = dL/du · ∂u/∂ŷ = 2u/N
         = [−0.5, −1, −0.5, −2]   (4)
   u rises one for one with ŷ.

   ∂ŷ/∂w = x
   dL/dw = dL/dŷ · ∂ŷ/∂w = Σ dL/dŷ · x
         = −8
   Each entry of ŷ changes x times as fast as w. The same w enters 4 entries of
   ŷ, so its effects add up.

   ∂ŷ/∂b = 1
   dL/db = dL/dŷ · ∂ŷ/∂b = Σ dL/dŷ
         = −4
   ŷ rises one for one with b. The same b enters 4 entries of ŷ, so its effects
   add up.

The update: new = old − learning rate · slope
   dL/dw is negative: L falls as w grows, so w goes up.
   w = 0.5 − 0.1 · (−8) = 1.3
   dL/db is negative: L falls as b grows, so b goes up.
   b = 0 − 0.1 · (−4) = 0.4
"""

X, Y = np.arange(4.0), np.array([1.0, 2.5, 2.0, 5.5])


def test_the_line_is_derived_as_in_the_lesson():
    x, y = X, Y
    w, b = Value(0.5, name="w"), Value(0.0, name="b")
    loss = np.mean((w * x + b - y) ** 2)
    assert tg.derivation(loss, [w, b], learning_rate=0.1).text() == LESSON


def written_otherwise():
    """The line of the lesson in the other ways that users write it."""
    w, b = Value(0.5, name="w"), Value(0.0, name="b")
    line = tg.nn.Linear(1, 1, dtype=np.float64)
    line.weight.data, line.bias.data = np.array([[0.5]]), np.array([0.0])
    return [
        pytest.param(np.square(w * X + b - Y).mean(), (w, b), id="square"),
        pytest.param(tg.losses.mse(w * X + b, Y), (w, b), id="mse"),
        pytest.param(tg.losses.mse(line(X[:, None]), Y[:, None]), line, id="module"),
    ]


@pytest.mark.parametrize(("loss", "wrt"), written_otherwise())
def test_the_lesson_does_not_depend_on_how_the_line_is_written(loss, wrt):
    text = tg.derivation(loss, wrt, learning_rate=0.1).text()
    text = text.replace("X", "x")  # the name that this file has for it
    formulas = [line.strip() for line in LESSON.splitlines() if re.match(r" +\S+ = ", line)]
    formulas = [f for f in formulas if not re.search(r"\[|− 0.1|^[LN] =|^[wb] +=", f)]
    assert len(formulas) == 7 and all(formula in text for formula in formulas)
    assert "u rises one for one with ŷ." in text and "(1/N) Σ u² = 5.5" in text


def test_a_leaf_among_the_outputs_of_a_replay_has_its_own_number_or_the_one_given():
    w, b = tg.Value(2.0), tg.Value([3.0, 4.0])
    loss = w * b
    replay = tg.explain.Replay(w, b, loss)
    now = replay.at({w: 5.0})
    assert (now[w], now[b].tolist(), now[loss].tolist()) == (5.0, [3.0, 4.0], [15.0, 20.0])
    assert tg.explain.Replay(w).at({w: 7.0}) == {w: 7.0}
    assert tg.explain.Replay(w).at({}) == {w: 2.0}
    with pytest.raises(GraphError, match=r"shape \(2,\) must have .* got \(3,\)"):
        replay.at({b: [1.0, 2.0, 3.0]})


def central(loss, value, step=1e-6):
    """dL/dvalue by central differences of the recorded graph, entry by entry."""
    replay = tg.explain.Replay(loss)
    data = np.asarray(value.data, np.float64)
    found = np.zeros(data.shape)
    for place in np.ndindex(data.shape):
        moved = [data.copy(), data.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = (float(np.asarray(replay.at({value: z})[loss]).sum()) for z in moved)
        found[place] = (up - down) / (2 * step)
    return found


OPERATIONS = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "subtract": lambda a, b: a - b,
    "divide": lambda a, b: a / (b * b + 1.5),
    "tanh": lambda a, b: np.tanh(a),
    "sigmoid": lambda a, b: tg.sigmoid(a + b),
    "sine": lambda a, b: np.sin(a) * b,
    "cube": lambda a, b: a**3,
    "softmax": lambda a, b: tg.softmax(a) * b if a.shape else a,
    "matrix": lambda a, b: a @ (b.T @ b) if a.ndim == 2 == b.ndim else a * b,
    "rows": lambda a, b: a - a.mean(axis=-1, keepdims=True) if a.ndim else a,
    "exponential": lambda a, b: np.exp(np.tanh(a)),
}
programs = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 9), st.integers(0, 9)),
    min_size=2,
    max_size=9,
)
shapes = st.sampled_from([((), ()), ((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), ()), ((2, 3), (3,))])


def graph(program, shape, named=True):
    """A random graph over two leaves, some of its Values named."""
    rng = np.random.default_rng(len(program))
    leaves = [Value(rng.uniform(-1, 1, s), name=n) for s, n in zip(shape, "vw", strict=True)]
    pool = list(leaves)
    for i, (kind, first, second) in enumerate(program):
        pool.append(OPERATIONS[kind](pool[first % len(pool)], pool[second % len(pool)]))
        if named and i % 2:
            pool[-1].name = f"r{i}"
    loss = sum((x * x).sum() for x in pool[-3:])
    return loss, leaves


@pytest.mark.slow
@quick
@given(programs, shapes)
def test_every_gradient_of_a_step_is_that_of_central_differences(program, shape):
    loss, _ = graph(program, shape)
    for step in tg.derivation(loss).steps:
        np.testing.assert_allclose(step.gradient, central(loss, step.value), rtol=2e-5, atol=2e-6)


@pytest.mark.slow
@quick
@given(programs, shapes)
def test_the_shares_of_a_step_add_up_to_its_gradient(program, shape):
    loss, _ = graph(program, shape)
    for step in tg.derivation(loss).steps[1:]:
        total = sum(share.pull.number for share in step.shares)
        np.testing.assert_allclose(total, step.gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@quick
@given(programs, shapes)
def test_the_shares_of_all_paths_add_up_to_the_gradient(program, shape):
    loss, leaves = graph(program, shape)
    whole = tg.derivation(loss, leaves[0])
    if whole.paths[0] > 12:
        return
    every = [tg.derivation(loss, leaves[0], path=i) for i in range(whole.paths[0])]
    shares = [one.steps[-1].gradient for one in every]
    np.testing.assert_allclose(sum(shares), whole.gradient, rtol=1e-9, atol=1e-12)
    assert len({tuple(map(id, one.path)) for one in every}) == len(every)


@pytest.mark.slow
@quick
@given(programs)
def test_every_number_in_the_text_is_that_of_central_differences(program):
    loss, _ = graph(program, ((), ()))
    found = tg.derivation(loss)
    text = found.text(width=400)
    for step in found.steps[1:]:
        name = found.names.text(step.value)
        last, following = re.search(rf"^   dL/d{name} = (.*)\n(.*)", text, re.M).groups()
        written = (following if following.lstrip().startswith("= ") else last).split("= ")[-1]
        number = float(written.replace("−", "-").replace("∞", "inf"))
        np.testing.assert_allclose(number, float(central(loss, step.value)), rtol=1e-3, atol=1e-5)
        forward = re.search(rf"^   {name}(?: =.*)? += (\S+)$", text, re.M)
        assert forward[1] == number_text(float(step.data))


@pytest.mark.slow
@quick
@given(programs, shapes)
def test_the_gradient_is_that_of_backward(program, shape):
    loss, leaves = graph(program, shape)
    reached = [x for x in leaves if any(x is y.value for y in tg.derivation(loss).steps)]
    found = tg.derivation(loss, reached).gradient
    loss.backward()
    for x, gradient in zip(reached, found, strict=True):
        np.testing.assert_array_equal(x.grad, gradient)


@pytest.mark.slow
@quick
@given(programs, shapes)
def test_nothing_is_changed(program, shape):
    loss, leaves = graph(program, shape)
    before = [x.numpy() for x in leaves]
    found = tg.derivation(loss)
    found.text(), found.latex()
    assert all(
        (x.numpy() == y).all() and x.grad is None for x, y in zip(leaves, before, strict=True)
    )
    assert loss.grad is None


@pytest.mark.slow
@quick
@given(programs, shapes, st.data())
def test_the_terms_of_an_entry_add_up_to_it(program, shape, data):
    loss, leaves = graph(program, shape)
    reached = [x for x in leaves if any(x is y.value for y in tg.derivation(loss).steps)]
    x = data.draw(st.sampled_from(range(len(reached)))) if reached else 0
    if not reached or not reached[x].ndim:
        return
    at = tuple(data.draw(st.integers(0, n - 1)) for n in reached[x].shape)
    step = tg.derivation(loss, reached[x], at=at).steps[-1]
    for share in step.shares:
        found = terms_of(share, at)
        if found is not None:
            np.testing.assert_allclose(found.terms.sum(), share.pull.number[at], atol=1e-12)
            if found.columns:
                np.testing.assert_allclose(np.prod(found.columns, axis=0), found.terms)


def network(dtype=np.float64, activation="relu"):
    model = tg.nn.MLP(2, [3, 3], 1, activation=activation, dtype=dtype, generator=0)
    x = np.random.default_rng(0).normal(size=(8, 2)).astype(dtype)
    return model, tg.losses.mse(model(x), np.ones((8, 1), dtype)), x


def test_an_entry_of_a_weight_is_input_times_gradient_of_the_unit_added_up_over_the_rows():
    model, loss, x = network()
    weight = model.parameters()[0]
    found = tg.derivation(loss, weight, at=(1, 2), model=model)
    terms = terms_of(found.steps[-1].shares[0], (1, 2))
    np.testing.assert_array_equal(terms.columns[0], x[:, 1])
    np.testing.assert_allclose(terms.terms.sum(), central(loss, weight)[1, 2], rtol=1e-6)
    total = number_text(terms.terms.sum(), 6)
    assert re.search(rf"is a sum over 8 rows:\n(.+\n)+ *dL/d.*\[1, 2\] = {total}\n", found.text())


def test_layers_have_the_names_of_their_modules():
    model, loss, _ = network()
    text = tg.derivation(loss, model).text()
    assert "W₁ is layers.0.weight" in text and "\n   layers.2\n" in text
    assert text.index("the loss\n") < text.index("layers.4\n") < text.index("layers.0\n")


def test_the_formulas_of_a_network_are_those_of_the_textbook():
    model, loss, _ = network(activation="tanh")
    text = tg.derivation(loss, model).text()
    for formula in (
        "z₁ = x W₁ + b₁",
        "h₁ = tanh(z₁)",
        "dL/dh₂ = dL/dŷ · ∂ŷ/∂h₂ = dL/dŷ W₃ᵀ",
        "∂h₂/∂z₂ = 1 − h₂²",
        "dL/dz₂ = dL/dh₂ ⊙ ∂h₂/∂z₂ = dL/dh₂ ⊙ (1 − h₂²)",
        "dL/dW₁ = dL/dz₁ · ∂z₁/∂W₁ = xᵀ dL/dz₁",
        "dL/db₂ = dL/dz₂ · ∂z₂/∂b₂ = Σₙ dL/dz₂",
    ):
        assert formula in text


def test_cross_entropy_is_softmax_less_the_labels():
    model = tg.nn.Linear(2, 3, dtype=np.float64, generator=0)
    loss = tg.losses.cross_entropy(model(np.eye(2)), np.array([2, 0]))
    text = tg.derivation(loss, model).text()
    assert "dL/dz = (softmax(z) − onehot(y))/N" in text


def test_float32_is_explained_in_its_own_numbers():
    model, loss, _ = network(np.float32, "tanh")
    found = tg.derivation(loss, model.parameters()[0])
    assert found.gradient.dtype == np.float32
    np.testing.assert_allclose(
        found.gradient, central(loss, model.parameters()[0], 1e-2), atol=2e-3
    )


def test_names_are_the_users_then_those_of_variables():
    rate, goal = Value(2.0), Value(3.0, name="target")
    miss = rate * 5.0 - goal
    text = tg.derivation(miss**2, rate).text()
    assert "miss = 5 · rate − target" in text.replace("rate · 5", "5 · rate").replace(
        "5rate", "5 · rate"
    )


def test_micrograds_example_is_explained_with_its_gradient():
    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + (b + a).relu()
    d = d + 3 * d + (b - a).relu()
    e = c - d
    g = e**2 / 2.0 + 10.0 / e**2
    found = tg.derivation(g, [a, b])
    np.testing.assert_allclose(found.gradient, [138.8338192419825, 645.5772594752186])


def test_a_rule_without_a_formula_is_told_by_its_name():
    x = Value([2.0, 3.0], name="x")
    text = tg.derivation(np.prod(x) * 1.0, x).text()
    np.testing.assert_allclose(tg.derivation(np.prod(x), x).gradient, [3.0, 2.0])
    assert "by" in text and "dx" in text


@pytest.mark.slow
def test_a_graph_of_thousands_of_steps_is_shown_in_part():
    value = Value(0.5, name="x")
    y = value
    for _ in range(3000):
        y = np.tanh(y * 1.001)
        y.name = "y"
    found = tg.derivation(y, value)
    assert len(found.steps) > 3000 and len(found.text().splitlines()) < 600
    assert "more steps, in .steps" in found.text()


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"onmouseover=',
    "</title>",
    "{{7*7}}",
    "</math><script>",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_escaped_in_html(name):
    pytest.importorskip("latex2mathml", reason="the extra `explain` is not installed")
    w = Value(0.5, name=name)
    markup = tg.derivation((w * X - Y).mean() ** 2, w, learning_rate=0.1).html()
    tree = ET.fromstring(markup)
    tags = {element.tag for element in tree.iter()}
    assert tags.isdisjoint({"img", "script", "title"}) and "math" in tags
    assert {k for element in tree.iter() for k in element.attrib}.isdisjoint(
        {"onmouseover", "onerror"}
    )
    assert name in "".join(tree.itertext())


def test_html_has_the_numbers_of_the_text():
    pytest.importorskip("latex2mathml", reason="the extra `explain` is not installed")
    model, loss, _ = network()
    found = tg.derivation(loss, model.parameters()[0], at=(0, 1), learning_rate=0.1)
    told = "".join(ET.fromstring(found.html()).itertext())
    terms = terms_of(found.steps[-1].shares[0], (0, 1))
    assert all(number_text(float(x)) in told for x in terms.terms[:3])
    hidden = r'<mtext style="display:none">[^<]*</mtext>'
    shown = ET.fromstring(re.sub(hidden, "", found._repr_html_()))
    assert "".join(shown.itertext()) == told


def test_without_the_converter_the_pip_line_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    w = Value(1.0)
    with pytest.raises(tg.errors.MissingExtraError, match=r"pip install 'tinygrad_lr\[explain\]'"):
        tg.derivation(w * w, w).html()


def test_latex_has_balanced_braces_and_environments():
    model, loss, _ = network()
    latex = tg.derivation(loss, model, learning_rate=0.1).latex()
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\begin") == latex.count(r"\end")
    assert latex.count(r"\left") == latex.count(r"\right")


def test_derivations_are_the_same_each_time():
    model, loss, _ = network()
    assert tg.derivation(loss, model).text() == tg.derivation(loss, model).text()


w, b = Value(2.0, name="w"), Value(1.0)
REFUSED = [
    (lambda: tg.derivation(2.0, w), GraphError, "must be a Value that was computed"),
    (lambda: tg.derivation(w, w), GraphError, "got a leaf"),
    (lambda: tg.derivation(w * X, w), GraphError, r"must have one entry, got shape \(4,\)"),
    (lambda: tg.derivation(w * w, b), GraphError, "does not depend on"),
    (lambda: tg.derivation(w * w, [2.0]), ArgumentError, r"wrt must be .*, got \[2\.0\]"),
    (lambda: tg.derivation(w * w, w).step("w"), ArgumentError, "step: value must be a Value"),
    (
        lambda: tg.derivation(w * w, w, at=(0,)),
        ArgumentError,
        r"at must be .* shape \(\), got \(0,\)",
    ),
    (lambda: tg.derivation(w * b, [w, b], at=0), ArgumentError, "wrt must be a single Value"),
    (lambda: tg.derivation(w * w, w, path=1), ArgumentError, "from 0 to 0"),
    (
        lambda: tg.derivation(w * b, [w, b], path=0),
        ArgumentError,
        "wrt must be a single Value with path=, got 2",
    ),
    (lambda: tg.derivation(w * w, w, learning_rate=-1.0), ArgumentError, "number > 0"),
    (lambda: tg.derivation(w * w, w, learning_rate="0.1"), ArgumentError, "number > 0"),
    (lambda: tg.derivation([w * w], w), GraphError, "computed from the weights.* got list"),
    (lambda: tg.derivation(w * w, 2.0), ArgumentError, "wrt must be a Value"),
    (lambda: tg.derivation(w * w, np.array(2.0)), ArgumentError, "wrt must be a Value"),
    (lambda: tg.derivation(w * w, tg.nn.ReLU()), ArgumentError, "got a ReLU without parameters"),
    (
        lambda: tg.derivation(w * w, w, model=5),
        ArgumentError,
        "model must be a tg.nn.Module or None, got 5",
    ),
    (lambda: tg.derivation(w * X @ X, w, at=(True,)), ArgumentError, "at must be an entry"),
    (lambda: tg.derivation(w * w, w, path=True), ArgumentError, "path must be an integer"),
    (
        lambda: tg.derivation(w * w, tg.nn.Linear(1, 1)),
        ArgumentError,
        "must be computed with this model",
    ),
]


@pytest.mark.parametrize(("call", "error", "sentence"), REFUSED)
def test_what_cannot_be_derived_is_refused_in_a_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


def test_numbers_of_numpy_and_lists_are_taken_as_python_numbers_and_tuples_are():
    v = Value([[1.0, 2.0]], name="v")
    as_numpy = {"at": [np.int64(0), 1], "path": np.int64(0), "learning_rate": np.float64(0.5)}
    found = tg.derivation((v * v).sum(), v, **as_numpy)
    assert found.at == (0, 1) and "= 2 − 0.5 · 4 = 0" in found.text()
    assert "The only path is followed: L ← v." in found.text()


def test_what_a_derivation_holds_is_its_own():
    w, v = Value(2.0, name="w"), Value(np.array([1.0, -2.0]), name="v")
    loss = np.sum((w * v + 1.0) ** 2) * w
    found = tg.derivation(loss)
    gradients = [step.gradient for step in found.steps] + [*found.gradients]
    arrays = [x for x in gradients if isinstance(x, np.ndarray)]
    assert arrays and all(x.ndim for x in arrays)  # numbers are no arrays
    held = [x._content for x in found.names.order]
    for i, x in enumerate(arrays):
        assert x.flags.writeable
        assert not any(np.shares_memory(x, y) for y in [*held, *arrays[:i]])


def test_a_number_without_a_name_is_itself_and_an_array_a_constant():
    w, v = Value(2.0, name="w"), Value(np.array([1.0, 2.0]), name="v")
    names = tg.derivation(np.sum(w * 3.0 * v)).names
    assert (names.latex(3.0), names.text(3.0), names.latex(-0.5)) == ("3", "3", "-0.5")
    assert "constant" in names.latex(np.ones(2)) and "constant" in names.text(np.ones((2, 2)))


@pytest.mark.parametrize(("operations", "lines"), [(4, 1), (9, 3), (10, 4), (18, 6), (19, 7)])
def test_a_long_formula_is_divided_into_steps_whose_derivatives_are_short(operations, lines):
    x = y = Value(0.3, name="x")
    for _ in range(operations):
        y = np.sin(y)
    found = tg.derivation(y, wrt=x)
    forward = found.text().partition("Forward")[2].partition("Back")[0]
    assert forward.count(" = sin") == lines and forward.count("sin") == operations
    assert all(share.pull.local is not None for step in found.steps for share in step.shares)


@pytest.mark.parametrize("scale", [1.0, 1234.5, 1e-7])
def test_no_line_with_numbers_is_wider_than_the_text(scale):
    W = tg.Value(np.arange(24.0).reshape(3, 8) * scale, name="W")
    x = np.linspace(-1.0, 1.0, 6).reshape(2, 3)
    found = tg.derivation(np.sum(np.tanh(x @ W)), wrt=W)
    for width in range(46, 130):
        assert max(map(len, found.text(width=width).splitlines())) <= width
