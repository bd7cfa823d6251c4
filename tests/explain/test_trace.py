"""The tracer says what happens, with the numbers of what happened, and changes none of them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import re
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import CASES, cotangent, quick

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.grad_mode import RECORDING
from tinygrad_lr.core.graph import topological_order
from tinygrad_lr.core.primitive import Primitive
from tinygrad_lr.errors import TraceError
from tinygrad_lr.explain.graphs.naming import display_name as spoken_name
from tinygrad_lr.explain.graphs.naming import name_text
from tinygrad_lr.support.text_format import number_text

UNARY = ["tanh", "exp", "sigmoid", "relu", "__neg__", "abs"]
BINARY = ["__add__", "__sub__", "__mul__", "__truediv__"]


@contextlib.contextmanager
def traced():
    """A tracer whose print nobody sees."""
    with contextlib.redirect_stdout(io.StringIO()), tg.trace() as t:
        yield t


def program(steps, leaves):
    """A straight program on numbers or Values: each step reads two of what there is so far."""
    made = list(leaves)
    for kind, first, second in steps:
        x, y = made[first % len(made)], made[second % len(made)]
        if kind < len(UNARY):
            made.append(getattr(x, UNARY[kind])())
        else:
            made.append(getattr(x, BINARY[kind - len(UNARY)])(y))
    return made


steps_of_programs = st.lists(
    st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=8,
)
leaves_of_programs = st.lists(st.floats(0.3, 1.7), min_size=2, max_size=3)


def equations(t):
    """The lines as (left side, last number): without what is said in brackets behind them."""
    for line in t.lines:
        if " is v" in line:  # a name that a variable gave later
            continue
        said = line.split("  (")[0] if line.startswith(" ") else line
        left, _, right = said.strip().partition(" = ")
        yield left, re.split(r" = |: ", right)[-1]


# ---- the numbers


@quick
@given(steps_of_programs, leaves_of_programs)
def test_every_operation_is_printed_once_with_its_value(steps, numbers):
    leaves = [Value(x, name=f"p{i}") for i, x in enumerate(numbers)]
    with traced() as t:
        made = program(steps, leaves)
    results = made[len(leaves) :]
    assert [x for _, x in equations(t)] == [number_text(v.data) for v in results]


@pytest.mark.slow
@quick
@given(steps_of_programs, leaves_of_programs)
def test_the_last_number_said_of_a_leaf_is_its_gradient(steps, numbers):
    leaves = [Value(x, name=f"p{i}") for i, x in enumerate(numbers)]
    with traced() as t:
        program(steps, leaves)[-1].backward()
    said = dict(equations(t))
    for i, leaf in enumerate(leaves):
        spoken = [x for left, x in said.items() if left.endswith(f"/dp{'₀₁₂'[i]}")]
        assert spoken == ([] if leaf.grad is None else [number_text(leaf.grad)])


@pytest.mark.slow
@quick
@given(steps_of_programs, leaves_of_programs)
def test_the_last_number_said_of_a_leaf_is_the_central_difference(steps, numbers):
    leaves = [Value(x, name=f"p{i}") for i, x in enumerate(numbers)]
    with traced() as t:
        loss = program(steps, leaves)[-1]
        loss.backward()
    said = dict(equations(t))

    def at(i, nudge):
        moved = [Value(x + nudge * (i == j)) for j, x in enumerate(numbers)]
        return program(steps, moved)[-1].data

    for i in range(len(leaves)):
        slopes = [(at(i, h) - at(i, -h)) / (2 * h) for h in (1e-5, 2e-5)]
        for left, x in said.items():
            near_a_kink = abs(slopes[0] - slopes[1]) > 1e-4 * (1 + abs(slopes[0]))
            if left.endswith(f"/dp{'₀₁₂'[i]}") and np.isfinite(slopes[0]) and not near_a_kink:
                found = float(x.replace("−", "-"))
                assert found == pytest.approx(slopes[0], rel=2e-3, abs=1e-6)


def read(text):
    """The number that a formula of numbers comes to, by Python."""
    raised = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda x: f"**({x[0].translate(raised)})", text)
    text = re.sub(r"\|(.*?)\|", r"abs(\1)", text.replace("−", "-").replace("·", "*"))
    known = {"e": math.e, "tanh": math.tanh, "σ": lambda x: 1 / (1 + math.exp(-x)), "sign": np.sign}
    known |= {"relu": lambda x: max(x, 0.0), "abs": abs, "__builtins__": {}}
    return eval(text.replace("^", "**").replace(", else", " else"), known)


@pytest.mark.slow
@quick
@given(steps_of_programs, leaves_of_programs)
def test_a_formula_with_numbers_in_it_comes_to_the_result(steps, numbers):
    leaves = [Value(x, name=f"p{i}") for i, x in enumerate(numbers)]
    with traced() as t:
        program(steps, leaves)[-1].backward()
    for line in t.lines:
        sides = re.split(r", which adds|  \(", line)[0].split(" = ")
        numeric = [x for x in sides[2:] if not re.search(r"[a-zŷ][₀₁₂₃₄₅₆₇₈₉]|nan|∞", x)]
        if len(numeric) > 1:
            formula, result = numeric
            assert read(formula) == pytest.approx(read(result), rel=0.01, abs=0.01)


@quick
@given(steps_of_programs, leaves_of_programs)
def test_every_rule_is_printed_once(steps, numbers):
    leaves = [Value(x, name=f"p{i}") for i, x in enumerate(numbers)]
    with traced() as t:
        loss = program(steps, leaves)[-1]
        forward = len(t.lines)
        loss.backward()
    reads = sum(
        sum(type(x) is Value for x in value.record.operands)
        for value in topological_order([loss])
        if value.record is not None
    )
    rules = [line for line in t.lines[forward:] if line.startswith("  d")]
    assert len(rules) == reads


@pytest.mark.slow
@quick
@given(steps_of_programs, leaves_of_programs)
def test_results_have_the_same_bits_with_and_without_it(steps, numbers):
    def run():
        leaves = [Value(x) for x in numbers]
        made = program(steps, leaves)
        made[-1].backward()
        return [(x.data, x.grad) for x in made]

    with traced():
        seen = run()
    assert repr(seen) == repr(run())


def test_the_chain_rule_is_said_as_the_lesson_says_it():
    w, x = Value(2.0, name="w"), Value(3.0, name="x", requires_grad=False)
    with traced() as t:
        z = w * x
        (z * 0.5).backward()
    assert t.lines == [
        "z = w · x = 2 · 3 = 6",
        "v₁ = 0.5z = 0.5 · 6 = 3",
        "backward from v₁: dv₁/dv₁ = 1",
        "  dv₁/dz = 0.5  (v₁ = 0.5z. v₁ changes 0.5 times as fast as z.)",
        "  dv₁/dw = dv₁/dz · ∂z/∂w = 0.5 · 3 = 1.5  (z = w · x. z changes x times as fast as w.)",
    ]


def told(t, name):
    """Return the formulas of a derivative and their reasons, without the numbers at the end."""
    line = next(line for line in t.lines if line.strip().startswith(f"{name} = "))
    formulas, _, why = line.strip().removesuffix(".)").partition("  (")
    return formulas.split(" = ")[1:-1], why


def test_the_formulas_of_a_network_are_those_of_its_derivation():
    model = tg.nn.MLP(2, [3], 1, activation="tanh", generator=0)
    x, y = np.random.default_rng(0).normal(size=(4, 2)), np.ones((4, 1))
    with traced() as t:
        y_hat = model(x)
        u = y_hat - y
        L = (u**2).mean()
        L.backward()
    assert t.lines.count("N is 4") == 1
    assert told(t, "dL/dW₁")[0] == ["xᵀ dL/dv₁"] and told(t, "dL/dv₂")[0] == ["dL/dŷ W₂ᵀ"]
    assert told(t, "dL/db₂")[0] == ["Σ dL/dŷ"]
    assert told(t, "dL/dv₁")[0] == ["dL/dv₂ · ∂v₂/∂v₁", "dL/dv₂ · (1 − v₂²)"]
    derived = tg.derivation(L, model, model=model).text(width=400)
    for name in ("dL/dŷ", "dL/dW₁", "dL/db₁", "dL/dW₂", "dL/db₂"):
        assert told(t, name)[1].partition(". ")[2] in derived


SLOPES = [
    (lambda z, w: z.relu(), ["(1 if z > 0, else 0)", "(1 if 2 > 0, else 0)"]),
    (lambda z, w: z**3, ["3z²", "3 · 2²"]),
    (lambda z, w: z / w, ["1/w", "1/(−4)"]),
    (lambda z, w: z * w, ["w"]),
    (lambda z, w: np.tanh(z), ["1 − v₁²", "1 − 0.964²"]),
    (lambda z, w: np.sqrt(z), ["1/(2v₁)", "1/(2 · 1.414)"]),
    (lambda z, w: w - z, []),
]


@pytest.mark.parametrize(("function", "formulas"), SLOPES)
def test_a_derivative_is_the_formula_that_its_rule_writes_with_the_numbers_put_in(
    function, formulas
):
    z, w = Value(2.0, name="z"), Value(-4.0, name="w")
    with traced() as t:
        function(z, w).backward()
    assert told(t, "dv₁/dz")[0] == formulas


def test_the_mean_of_squares_and_the_cross_entropy_are_told_as_in_the_textbook():
    u, z = Value([1.0, 2.0], name="u"), Value(np.eye(2), name="z")
    with traced() as t:
        L = tg.losses.mse(u, np.zeros(2))
        L.backward()
    assert "v₂ = (1/N) Σ v₁² = 2.5" in t.lines and told(t, "dL/dv₁")[0] == ["2v₁/N"]
    with traced() as t:
        C = tg.losses.cross_entropy(z, np.array([0, 1]))
        C.backward()
    assert told(t, "dC/dz")[0] == ["(softmax(z) − onehot(y))/N"]


def test_a_rule_without_a_formula_is_told_by_its_name_with_its_numbers():
    def rule(g, out, x):
        c = np.zeros_like(x)
        for i in range(len(x)):
            c[i] = (i + 1) * g[i]
        return c

    def ramp(x):
        return x * np.arange(1.0, 4.0)

    operation, w = Primitive(ramp), Value(np.ones(3), name="w")
    operation.vjp(x=rule)
    with traced() as t:
        s = operation(w)
        s.sum().backward()
    assert told(t, "dv₁/dw")[1].endswith("The gradient of s reaches w by the rule of ramp")
    assert w.grad.tolist() == [1.0, 2.0, 3.0]


def test_a_value_that_is_used_twice_by_one_operation_gets_two_shares():
    x = Value(3.0, name="x")
    with traced() as t:
        (x * x).backward()
    assert [line.count("This is one of 2 uses of x.") for line in t.lines[2:]] == [1, 1]
    assert "= 3, which adds to the 3 that came from v₁: 6" in t.lines[-1]


def test_equal_numbers_in_a_formula_stay_apart():
    x, y = Value(3.0, name="x"), Value(3.0, name="y")
    with traced() as t:
        x * y, x / y, x - y, x * 0.0
    assert t.lines == [
        "v₁ = x · y = 3 · 3 = 9",
        "v₂ = x/y = 3/3 = 1",
        "v₃ = x − y = 3 − 3 = 0",
        "v₄ = x · 0 = 3 · 0 = 0",
    ]


def test_the_mean_of_rows_counts_the_entries_of_one():
    with traced() as t:
        Value(np.ones((3, 2)), name="a").mean(axis=0)
    assert t.lines == ["N is 3", "v₁ = (1/N) Σₙ a (axis=0) = [1, 1]"]


names = st.text(st.characters(exclude_categories=["Cs", "Zs"]), min_size=1, max_size=8)


@pytest.mark.slow
@quick
@given(names)
def test_a_name_stands_in_a_formula_as_it_is_spoken(name):
    with traced() as t:
        np.tanh(Value(1.0, name=name))
    spoken = name_text(spoken_name(name)).replace("−", "-")
    assert t.lines[0].replace("−", "-").startswith(f"v₁ = tanh({spoken}) = ")


def test_what_several_readers_give_is_said_to_add_up():
    h = Value(2.0, name="h")
    with traced() as t:
        a, b = h * 3.0, h * 4.0
        c = a + b
        c.backward()
    assert "= 3, which adds to the 4 that came from b: 7  (" in t.lines[-1]


def test_a_gradient_of_before_is_said_to_be_added_to():
    w = Value(2.0, name="w")
    (w * 3.0).backward()
    with traced() as t:
        (w * 4.0).backward()
    assert t.lines[-1] == "w.grad was 3 before, and is now 7"
    assert w.grad == 7.0


def test_what_broadcasting_spread_is_said_to_add_up():
    b = Value(1.0, name="b")
    with traced() as t:
        s = (b + np.arange(3.0)).sum()
        s.backward()
    assert "ds/db = Σ ds/dv₁ · ∂v₁/∂b = Σ ds/dv₁ = 3" in t.lines[-1]
    assert t.lines[-1].endswith("The same b enters 3 entries of v₁, so its effects add up.)")


def test_long_arrays_are_elided_and_have_their_shape():
    x = np.linspace(0, 1, 100_000).reshape(-1, 100)
    with traced() as t:
        np.tanh(Value(x, name="x"))
    assert t.lines == ["v₁ = tanh(x) = mean 0.4338, from 0 to 0.7616 (1000 × 100)"]


def test_names_that_are_taken_get_a_number():
    with traced() as t:
        for _ in range(3):
            z = Value(1.0, name="z") * 2.0
            del z
    assert len({line.partition(" = ")[0] for line in t.lines}) == 3


def test_a_name_with_control_characters_is_printed_on_one_line():
    with traced() as t:
        Value(1.0, name="a\n\x1b[31m") * 2.0
    assert t.lines == ["v₁ = 2 · a\\n\\x1b[31m = 2 · 1 = 2"]


# ---- what is seen


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_every_operation_and_its_rule_can_be_told_and_gives_the_same_numbers(case):
    def run():
        out, pullback = tg.vjp(case, *case.inputs)
        found = [out, *pullback(cotangent(0, out))]
        if case.varying:
            found.append(tg.jvp(case, case.inputs, case.inputs)[1])
        return [np.asarray(x).tobytes() for x in found]

    with traced() as t:
        seen = run()
    assert seen == run()
    assert t.lines or not case.inputs


@pytest.mark.slow
def test_training_gives_the_same_weights():
    def weights():
        model = tg.nn.MLP(2, [4, 4], 1, activation="tanh", generator=0)
        optimizer = tg.optim.Adam(model.parameters(), 1e-2)
        x = np.random.default_rng(0).normal(size=(20, 2))
        for _ in range(3):
            optimizer.zero_grad()
            tg.losses.mse(model(x), x[:, :1]).backward()
            optimizer.step()
        return [x.tobytes() for x in model.state_dict().values()]

    with traced():
        seen = weights()
    assert seen == weights()


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
def test_fit_gives_the_same_losses(compiled):
    def losses():
        model = tg.nn.MLP(2, [4], 1, activation="tanh", generator=0)
        x = np.random.default_rng(0).normal(size=(20, 2))
        return tg.fit(model, x, x[:, :1], learning_rate=0.1, steps=5, compile=compiled).losses

    with traced():
        seen = losses()
    assert seen == losses()


@pytest.mark.parametrize("quiet", [tg.no_grad, contextlib.nullcontext])
def test_a_forward_pass_has_the_same_bits(quiet):
    model = tg.nn.MLP(2, [4], 1, activation="tanh", generator=0)
    x = np.random.default_rng(0).normal(size=(2, 20)).T  # another layout in memory

    def out():
        with quiet():
            return model(x).numpy().tobytes()

    with traced():
        seen = out()
    assert seen == out()


def test_the_module_that_runs_and_its_parameters_are_named():
    model = tg.nn.MLP(2, [3], 1, generator=0)
    x = np.ones((4, 2))
    with traced() as t:
        model(x)
    assert [line for line in t.lines if "=" not in line] == [
        "MLP",
        "  layers.0: Linear",
        "    W₁ is layers.0.weight, 2 × 3",
        "    b₁ is layers.0.bias, 3",
        "    W₂ is layers.2.weight, 3 × 1",
        "    b₂ is layers.2.bias, 1",
        "  layers.1: ReLU",
        "  layers.2: Linear",
    ]
    assert any(line.startswith("    v₁ = x W₁ + b₁ = ") for line in t.lines)


def test_the_step_of_an_optimiser_is_said():
    w = Value(2.0, name="w")
    w.grad = 1.5
    with traced() as t:
        tg.optim.SGD([w], 0.5).step()
    assert t.lines == ["SGD, step 1:", "  w ← w − 0.5 · w.grad = 2 − 0.5 · 1.5 = 1.25"]
    assert w.data == 1.25


def test_a_step_that_is_not_the_rate_times_the_gradient_is_said_as_a_move():
    w = Value(2.0, name="w")
    w.grad = 1.5
    with traced() as t:
        tg.optim.Adam([w], 0.5).step()
    assert t.lines == ["Adam, step 1:", "  w ← 1.5, from 2"]


def test_second_derivatives_are_seen_too():
    with traced() as t:
        assert tg.grad(tg.grad(lambda x: x**3))(2.0) == 12.0
    assert len([line for line in t.lines if "backward from" in line]) == 2


def test_a_bound_that_is_left_out_is_said():
    with traced() as t:
        Value(2.0, name="x").clip(0.0, None)
    assert t.lines == ["v₁ = clip(x, 0, ·) = clip(2, 0, ·) = 2"]


def test_a_cell_of_a_notebook_names_what_it_assigns():
    with traced() as t:
        exec("z = w * 2.0\ny = np.exp(z)", {"w": Value(0.5), "np": np})
    assert t.lines == ["z = 2w = 2 · 0.5 = 1", "y = e^z = e¹ = 2.718"]


def test_the_checks_of_the_framework_are_not_seen():
    with traced() as t:
        tg.check_gradients(lambda x: x.tanh(), 0.3)
    assert t.lines == []


def test_forward_mode_is_seen():
    with traced() as t:
        tg.jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 2.0))
    assert t.lines[-1] == ("  dv₁ = ∂v₁/∂x · dx + ∂v₁/∂y · dy = 4 · 1 + 3 · 2 = 10  (v₁ = x · y)")


def test_forward_mode_tells_two_uses_of_one_value_apart():
    with traced() as t:
        tg.jvp(lambda x: x / x, (2.0,), (1.0,))
    assert "= 0.5 · 1 + (−0.5) · 1 = 0  (" in t.lines[-1]


def test_what_requires_no_gradient_is_seen():
    x = Value(2.0, name="x", requires_grad=False)
    with traced() as t, tg.no_grad():
        y = x * Value(3.0, name="w")
        z = y + 1.0
    assert t.lines == ["y = x · w = 2 · 3 = 6", "z = y + 1 = 6 + 1 = 7"]
    assert not z.requires_grad


def test_a_tracer_inside_no_grad_records_nothing():
    with tg.no_grad(), traced() as t:
        z = Value(2.0) * 3.0
    assert not z.requires_grad and len(t.lines) == 1


# ---- compiled functions


def step(w):
    return (w * 3.0 - 1.0) ** 2


@pytest.mark.slow
def test_a_compiled_function_is_not_seen_inside():
    with traced() as t:
        assert tg.compile(step)(np.array([2.0])).tolist() == [25.0]
    assert t.lines == []


@pytest.mark.slow
def test_a_compiled_function_of_values_is_one_operation():
    w, compiled = Value([2.0], name="w"), tg.compile(step)
    with traced() as t:
        compiled(w).sum().backward()
    assert t.lines[0] == "v₁ = step(w) = [25]"
    assert w.grad.tolist() == [30.0]
    assert any("= [30]" in line and "by the rule of step.)" in line for line in t.lines)


def test_a_tracer_inside_a_compiled_function_is_refused():
    def inside(w):
        with traced():
            return Value(w) * 3.0

    with pytest.raises(TraceError, match=r"put tg\.trace\(\) around a call"):
        tg.compile(inside)(np.array([2.0]))


# ---- when it holds


def test_it_ends_with_the_block_and_with_an_exception():
    with pytest.raises(IndexError), traced() as t:
        (Value([1.0]) * 2.0)[1]
    assert RECORDING.get() is True
    Value(1.0) * 3.0
    assert len(t.lines) == 1


def test_of_nested_tracers_the_inner_one_prints_and_both_keep(capsys):
    w = Value(2.0, name="w")
    with tg.trace() as outer:
        a = w * 2.0
        with tg.trace() as inner:
            b = a * 2.0
        b * 2.0
    assert inner.lines == ["b = 2a = 2 · 4 = 8"]
    assert outer.lines == ["a = 2w = 2 · 2 = 4", *inner.lines, "v₁ = 2b = 2 · 8 = 16"]
    assert capsys.readouterr().out == outer.text() + "\n"


def test_another_thread_is_not_seen():
    with traced() as t:
        thread = threading.Thread(target=lambda: Value(1.0) * 2.0)
        thread.start()
        thread.join()
    assert t.lines == []


def test_another_task_is_not_seen():
    async def main():
        begun, done = asyncio.Event(), asyncio.Event()

        async def other():
            await begun.wait()
            Value(1.0) * 2.0
            done.set()

        async def watching():
            with tg.trace() as t:
                begun.set()
                await done.wait()
            return t.lines

        return (await asyncio.gather(other(), watching()))[1]

    assert asyncio.run(main()) == []


def test_no_graph_is_kept_alive():
    import weakref

    with traced():
        value = Value(1.0) * 2.0
        there = weakref.ref(value)
        del value
        assert there() is None


def test_a_terminal_that_knows_no_greek_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with tg.trace() as t:
        Value(-1.0, name="w") * 2.0
    assert t.lines == ["v₁ = 2w = 2 · (−1) = −2"]
    sys.stdout.flush()
    assert sys.stdout.buffer.getvalue().startswith(b"v? = 2w = 2 ? (?1)")


def test_a_negative_gradient_stands_in_brackets_behind_the_learning_rate():
    w = Value(2.0, name="w")
    (w * -3.0).backward()
    with tg.trace() as t:
        tg.optim.SGD([w], learning_rate=0.5).step()
    assert t.lines[-1].strip() == "w ← w − 0.5 · w.grad = 2 − 0.5 · (−3) = 3.5"


def test_a_seed_other_than_one_is_said_to_weigh_the_result():
    w = Value(2.0, name="w")
    L = w * 3.0
    with tg.trace() as t:
        L.backward(2.0)
    assert t.lines[0] == "backward from L, with S = Σ g · L" and "dS/dL = g = 2" in t.text()
    assert w.grad == 6.0
