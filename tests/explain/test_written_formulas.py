"""Every printed formula, read literally, gives its printed numbers, and each symbol is shown."""

from __future__ import annotations

import functools
import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import CASES, examples, marks_of
from written_formulas import UnreadableFormula, agree, read_formula

import tinygrad_lr as tg
from tinygrad_lr import Value, losses, nn
from tinygrad_lr.explain.derivations.render_text import counts_in

rng = np.random.default_rng


def check_formulas(derivation):
    """Read each formula of a derivation with nothing but the arrays that it shows."""
    shown = {line.name.latex: line.data for line in derivation.forward}
    shown |= {step.derivative.latex: step.gradient for step in derivation.steps}
    counts = {n for step in derivation.steps for n in counts_in(step)}
    assert len(counts) <= 1  # N has one meaning
    shown |= dict.fromkeys(["N"] * len(counts), float(max(counts, default=0)))
    failed = []

    def check(name, formula, numbers):
        try:
            found = read_formula(formula.latex, shown, np.shape(numbers))
        except UnreadableFormula as error:
            failed.append(f"{name} = {formula.latex}: {error}")
            return
        if not agree(found, numbers, 2e-3):
            failed.append(f"{name} = {formula.latex}: {found} for {numbers}")

    for line in derivation.forward:
        if line.formula is not None:
            check(line.name.latex, line.formula, line.data)
    for step in derivation.steps[1:]:
        for share in step.shares:
            if share.pull.formula.latex == share.chain.latex:
                failed.append(f"{share.local_name.latex} has no formula")
                continue
            if len(step.shares) == 1:
                check(step.derivative.latex, step.closed, step.gradient)
            check(f"share of {step.derivative.latex}", share.pull.formula, share.pull.number)
            if share.pull.local is not None:
                check(share.local_name.latex, share.pull.local, share.pull.local_number)
        if len(step.shares) > 1:
            total = sum(np.reshape(share.pull.number, step.value.shape) for share in step.shares)
            np.testing.assert_allclose(total, step.gradient, rtol=1e-6, atol=1e-12)
    assert not failed, "\n".join(failed)


def linear(inputs, outputs, seed=0, **options):
    return nn.Linear(inputs, outputs, dtype=np.float64, generator=rng(seed), **options)


def layer(kind, *arguments, **options):
    return kind(*arguments, dtype=np.float64, generator=rng(0), **options)


X, Y = rng(0).normal(size=(5, 2)), rng(1).normal(size=(5, 1))
SEQUENCES = rng(2).normal(size=(2, 5, 4))
IMAGES = rng(3).normal(size=(2, 1, 6, 5))
LABELS = np.array([0, 1, 2, 3, 1])


def between(middle):
    """A layer between two linear ones, with the mean squared error."""
    model = nn.Sequential(linear(2, 3), middle, linear(3, 1, 1))
    return losses.mse(model(X), Y), model


def activated(kind):
    return functools.partial(lambda: between(kind()))


ACTIVATIONS = {
    kind.__name__: activated(kind)
    for kind in (
        nn.Tanh, nn.ReLU, nn.Sigmoid, nn.GELU, nn.SiLU, nn.Softplus, nn.ELU, nn.LeakyReLU,
        nn.Softmax, nn.Softsign,
    )
}  # fmt: skip


def classes(loss, output, target, **options):
    model = nn.Sequential(linear(2, 3), nn.Tanh(), linear(3, output, 1))
    return loss(model(X), target, **options), model


def attention(heads, **options):
    model = layer(nn.MultiHeadAttention, 4, heads)
    return np.mean(model(SEQUENCES, **options) ** 2), model


def recurrent(kind, steps=3, **options):
    model = layer(kind, 4, 3, **options)
    states, last = model(SEQUENCES[:, :steps])
    last = last[0] if isinstance(last, tuple) else last
    return np.mean(states**2) + np.sum(last), model


def alone(model, x):
    return np.mean(model(x) ** 2), model


def pooled():
    convolution = layer(nn.Conv2d, 1, 3, 2)
    model = nn.Sequential(convolution, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), linear(12, 1))
    return alone(model, IMAGES)


def pooled_rows(pool):
    convolution, x = layer(nn.Conv1d, 1, 3, 3), rng(3).normal(size=(2, 1, 8))
    return alone(nn.Sequential(convolution, nn.ReLU(), pool, nn.Flatten(), linear(9, 1)), x)


GEOMETRIES = ("stride=2", "padding=1", "dilation=2", "groups=2", "stride=2, padding=(1, 2)")
POOLS = ("2, stride=1", "3, padding=1", "(2, 1), stride=(1, 2)")


def convolved(options):
    """Two convolutions, the second of many channels: the first needs the gradient of its result."""
    options = eval(f"dict({options})")
    model = nn.Sequential(
        layer(nn.Conv2d, 1, 4, 2), nn.Tanh(), layer(nn.Conv2d, 4, 2, (3, 2), **options)
    )
    return alone(model, rng(3).normal(size=(3, 1, 7, 6)))


def pooled_by(options):
    arguments = eval(f"dict(kernel_size={options})")
    kinds = nn.MaxPool2d(**arguments), nn.AvgPool2d(**arguments)
    model = nn.Sequential(layer(nn.Conv2d, 1, 3, 2), kinds[0], layer(nn.Conv2d, 3, 5, 2), kinds[1])
    return alone(model, rng(3).normal(size=(2, 1, 10, 9)))


def batches():
    return between(nn.BatchNorm1d(3, dtype=np.float64))


NETWORKS = {
    **ACTIVATIONS,
    "LayerNorm": lambda: between(nn.LayerNorm(3, dtype=np.float64)),
    "BatchNorm1d": batches,
    "cross entropy": lambda: classes(losses.cross_entropy, 4, LABELS),
    "smooth labels": lambda: classes(losses.cross_entropy, 4, LABELS, label_smoothing=0.1),
    "probabilities": lambda: classes(losses.cross_entropy, 4, np.full((5, 4), 0.25)),
    "binary cross entropy": lambda: classes(losses.binary_cross_entropy, 1, 1.0 * (Y > 0)),
    "mae": lambda: classes(losses.mae, 4, rng(4).normal(size=(5, 4))),
    "huber": lambda: classes(losses.huber, 4, rng(4).normal(size=(5, 4))),
    "one head": lambda: attention(1),
    "two heads": lambda: attention(2),
    "causal": lambda: attention(2, causal=True),
    "attention with a mask": lambda: attention(1, mask=rng(5).random((2, 1, 5, 5)) > 0.3),
    "attention with an added mask": lambda: attention(1, mask=rng(5).normal(size=(5, 5))),
    "attention to others": lambda: attention(2, key=rng(5).normal(size=(2, 3, 4))),
    "attention without a batch": lambda: alone(layer(nn.MultiHeadAttention, 4, 1), SEQUENCES[0]),
    "RNN": lambda: recurrent(nn.RNN),
    "GRU": lambda: recurrent(nn.GRU),
    "LSTM": lambda: recurrent(nn.LSTM),
    "two layers of RNN": lambda: recurrent(nn.RNN, num_layers=2),
    "RNN in both directions": lambda: recurrent(nn.RNN, bidirectional=True),
    "Conv2d": lambda: alone(layer(nn.Conv2d, 1, 3, 2), IMAGES),
    "MaxPool2d": pooled,
    "Conv1d": lambda: pooled_rows(nn.MaxPool1d(2)),
    "AvgPool1d": lambda: pooled_rows(nn.AvgPool1d(2)),
    "two layers of Conv1d": lambda: alone(
        nn.Sequential(layer(nn.Conv1d, 5, 3, 2), nn.Tanh(), layer(nn.Conv1d, 3, 2, 2)), SEQUENCES
    ),
    **{f"Conv2d {options}": functools.partial(convolved, options) for options in GEOMETRIES},
    **{f"pool {options}": functools.partial(pooled_by, options) for options in POOLS},
    "sequences": lambda: alone(nn.Sequential(linear(4, 3), nn.Tanh(), linear(3, 1)), SEQUENCES),
    "one row": lambda: alone(nn.Sequential(linear(2, 3), nn.Tanh(), linear(3, 1)), X[0]),
    "Embedding": lambda: alone(
        nn.Sequential(layer(nn.Embedding, 6, 3), linear(3, 2)), np.array([1, 4, 1])
    ),
}


SQUARE = rng(6).normal(size=(3, 3)) + 3 * np.eye(3)
POSITIVE = SQUARE @ SQUARE.T
C = rng(7).normal(size=(3, 3))


def _read(factors):
    """A loss that reads each entry of some factors in its own way, and no sign of a vector."""
    constants = (rng(8 + i).normal(size=np.shape(x)) for i, x in enumerate(factors))
    return sum(np.sum(x * x * c) for x, c in zip(factors, constants, strict=True))


def lu(a):
    return importlib.import_module("tinygrad_lr.scipy.linalg").lu(a)


OF_MATRICES = {
    "inv": lambda A: np.sum(np.linalg.inv(A) * C),
    "solve": lambda A: np.sum(np.linalg.solve(A, C[:, :2]) ** 2),
    "det": lambda A: np.linalg.det(A) ** 2,
    "slogdet": lambda A: np.linalg.slogdet(A)[1] ** 2,
    "cholesky": lambda A: np.sum(np.linalg.cholesky(A) * C),
    "eigvalsh": lambda A: np.sum(np.linalg.eigvalsh(A) ** 3),
    "svdvals": lambda A: np.sum(np.linalg.svd(A[:, :2], compute_uv=False) ** 3),
    "nuclear norm": lambda A: np.linalg.norm(A, "nuc"),
    "eigenvectors": lambda A: np.sum(np.linalg.eigh(A)[1] ** 2 * C),
    "eigenvalues and eigenvectors": lambda A: _read(np.linalg.eigh(A)),
    "factors by singular values": lambda A: _read(np.linalg.svd(A * C)),
    "those of a tall matrix": lambda A: _read(np.linalg.svd(A[:, :2], full_matrices=False)),
    "those of a wide matrix": lambda A: _read(np.linalg.svd(A[:2], full_matrices=False)),
    "qr": lambda A: _read(np.linalg.qr(A)),
    "qr of a tall matrix": lambda A: _read(np.linalg.qr(A[:, :2])),
    "qr of a wide matrix": lambda A: _read(np.linalg.qr(A[:2])),
    "lu": lambda A: _read(lu(A)),
    "lu of a tall matrix": lambda A: _read(lu(A[:, :2])),
    "lu of a wide matrix": lambda A: _read(lu(A[:2])),
    "pinv": lambda A: np.sum(np.linalg.pinv(A[:, :2]) * C[:2]),
    "lstsq": lambda A: np.sum(np.linalg.lstsq(A[:, :2], C, rcond=None)[0] ** 2),
    "a power": lambda A: np.sum(np.linalg.matrix_power(A, 3) * C),
    "einsum": lambda A: np.sum(np.einsum("ij,jk->ik", A, C) ** 2),
    "a trace": lambda A: np.einsum("ii->", A) ** 2,
    "a bilinear form": lambda A: np.sum(np.einsum("bi,ij,bj->b", C[:2], A, C[1:]) ** 2),
    "sums of rows": lambda A: np.sum(np.einsum("ij->i", A) ** 2),
    "a diagonal": lambda A: np.sum(np.einsum("ii->i", A) ** 3),
    "reciprocals": lambda A: np.sum((A**2 + 1) ** -1.0),
}


@pytest.mark.parametrize("name", OF_MATRICES)
def test_the_formulas_of_linear_algebra_give_their_numbers(name):
    found = tg.derivation(OF_MATRICES[name](Value(POSITIVE, name="A")))
    assert "by the rule of" not in found.text()
    np.testing.assert_allclose(found.gradients[0], tg.grad(OF_MATRICES[name])(POSITIVE))
    check_formulas(found)


def test_a_long_array_of_indices_has_a_name_and_is_shown():
    x, rows = Value(rng(1).normal(size=(30, 2)), name="x"), rng(2).permutation(30)[:20]
    found = tg.derivation(np.sum(x[rows, 1] ** 3))
    check_formulas(found)
    assert "x[index, 1]" in found.text()
    (line,) = (line for line in found.forward if line.name.text == "index")
    assert line.data.tolist() == rows.tolist()


def test_repeated_entries_are_written_as_repeated():
    x = Value(rng(1).normal(size=(2, 3)), name="x")
    for loss in (np.sum(np.tile(x, 2) ** 3), np.sum(np.cumsum(x[0] + np.zeros((5, 1)), 0))):
        check_formulas(tg.derivation(loss))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_formulas_of_a_network_give_their_numbers(name):
    loss, model = NETWORKS[name]()
    check_formulas(tg.derivation(loss, model))


@pytest.mark.parametrize(
    ("heads", "lines"),
    [
        (
            1,
            """Q = X W_query + b_query
               K = X W_key + b_key
               V = X W_value + b_value
               S = (Q Kᵀ)/2
               A = softmax(S)
               h₁ = A V
               dL/dA = dL/dh₁ Vᵀ
               dL/dV = Aᵀ dL/dh₁
               dL/dS = A ⊙ (dL/dA − (Σⱼ dL/dA ⊙ A))
               dL/dQ = (dL/dS K)/2
               dL/dK = ((dL/dS)ᵀ Q)/2
               dL/dW_query = Σₙ Xᵀ dL/dQ""",
        ),
        (
            2,
            """Q = heads₂(X W_query + b_query)
               K = heads₂(X W_key + b_key)
               V = heads₂(X W_value + b_value)
               S = (Q Kᵀ)/√2
               A = softmax(S)
               h₁ = concat(A V)
               dL/dA = heads₂(dL/dh₁) Vᵀ
               dL/dV = Aᵀ heads₂(dL/dh₁)
               dL/dS = A ⊙ (dL/dA − (Σⱼ dL/dA ⊙ A))
               dL/dQ = (dL/dS K)/√2
               dL/dK = ((dL/dS)ᵀ Q)/√2
               dL/dW_query = Σₙ Xᵀ concat(dL/dQ)""",
        ),
    ],
)
def test_attention_reads_as_in_its_paper(heads, lines):
    model, X = layer(nn.MultiHeadAttention, 4, heads), SEQUENCES
    found = tg.derivation(np.mean(model(X) ** 2), model)
    shown = [f"{x.name.text} = {x.formula.text}" for x in found.forward if x.formula is not None]
    shown += [f"{step.derivative.text} = {step.closed.text}" for step in found.steps]
    assert [line.strip() for line in lines.splitlines() if line.strip() not in shown] == []


def test_the_formulas_of_one_weight_show_what_they_use():
    for name in ("Tanh", "two heads", "LSTM", "MaxPool2d"):
        loss, model = NETWORKS[name]()
        for weight in model.parameters():
            check_formulas(tg.derivation(loss, weight, model=model))


def test_the_options_of_a_layer_are_in_its_formula():
    kinds = [nn.LeakyReLU(0.1), nn.LeakyReLU(0.2), nn.ELU(0.5), nn.CELU(2.0), nn.Hardtanh(-2, 1)]
    model = nn.Sequential(*(x for i, kind in enumerate(kinds) for x in (linear(2, 2, i), kind)))
    found = tg.derivation(np.mean(model(X) ** 2), model)
    check_formulas(found)
    names = ("leaky relu_0.1(", "leaky relu_0.2(", "elu(z₃; 0.5)", "celu(z₄; 2)", "clip(z₅, −2, 1)")
    assert [name for name in names if name not in found.text()] == []


def test_the_windows_of_a_convolution_and_of_a_pool_are_in_the_formula():
    x = rng(3).normal(size=(2, 4, 7, 5))
    model = nn.Sequential(
        layer(nn.Conv2d, 4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        nn.MaxPool2d(2, stride=1),
        nn.AvgPool2d((2, 1), padding=(1, 0)),
    )
    found = tg.derivation(np.mean(model(x) ** 2), model)
    check_formulas(found)
    assert "x ⋆_(stride 2 × 1, padding 1 × 0, dilation 1 × 2, groups 2) W" in found.text()
    assert "windowmax_(2 × 2)" in found.text() and "windowsum_(2 × 1, stride 2 × 1)" in found.text()


def test_a_value_called_n_is_not_taken_for_a_count():
    N = Value(np.array([1.0, 2.0, 4.0]), name="N")
    found = tg.derivation(np.mean((N * 2.0 - 1.0) ** 2))
    assert found.forward[-1].formula.text == "(1/3) Σ u²"
    check_formulas(found)


@pytest.mark.parametrize("name", NETWORKS)
def test_d_stands_for_all_paths_and_the_other_sign_for_one_formula(name):
    loss, model = NETWORKS[name]()
    found = tg.derivation(loss, model)
    assert found.notation[0].startswith("∂z/∂x is the derivative of the formula of z alone")
    for step in found.steps:
        assert step.derivative.text.startswith("dL/d")
        for share in step.shares:
            assert share.local_name.text.startswith("∂")


def test_a_local_derivative_holds_fixed_what_else_its_formula_has():
    a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    c = a * b
    d = c * c + a
    found = tg.derivation(np.tanh(d / 64) * c + d * a - c)
    lines = {line.name.latex: line for line in found.forward}
    shown = {name: float(line.data) for name, line in lines.items()}
    for step in found.steps[1:]:
        for share in step.shares:
            reader, x = found.step(share.reader).name.latex, step.name.latex
            assert share.local_name.latex == rf"\frac{{\partial{{{reader}}}}}{{\partial{{{x}}}}}"
            above, below = (
                read_formula(lines[reader].formula.latex, {**shown, x: shown[x] + h}, ())
                for h in (1e-6, -1e-6)
            )
            assert share.pull.local_number == pytest.approx((above - below) / 2e-6, rel=1e-6)
    assert float(found.step(a).gradient) != found.step(a).shares[0].pull.number  # of several paths


# ---- every operation

UNREADABLE = {
    "cofactors": "of the second derivative of a determinant only",
    "first_order": "the same, of eigenvalues",
    "symmetric_eigen": "written as its factors; the cases here aren't symmetric",
    "singular_factors": "the same; tested with matrices above",
    "windows_of": "NumPy's sliding windows: their axes have no notation",
    "window_sum": "with a mask, of the second derivative of a pool only",
    "window_spread": "the same",
    "integral": "Python's function that is integrated has no formula",
    "ode_solution": "the same, of a slope",
    "banded_solution": "the matrix is shown by its diagonals, as SciPy takes it",
    "recursive_filter": "b/a * x, a filter: signal processing's own sign",
    "irfft_along": "of complex numbers",
    "log_moment_of_gamma": "of derivatives of the incomplete gamma function only",
    "log_moment_of_beta": "the same, of the beta function",
    "voigt_of": "the parts of Faddeeva's function have no notation",
    "wofz_part": "the same",
    "eval_gegenbauer": "more digits would be needed than are shown",
    "eval_chebyu": "the same",
    "betaincinv": "the same",
}
"""The operations whose formulas aren't read, and why."""


def is_read(case):
    if case.operation.name in UNREADABLE:
        return False
    result = case.operation(*case.arrays, **case.options)
    return np.size(result) and not np.iscomplexobj(result)


READ = [case for case in CASES if is_read(case)]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=repr(case), marks=marks_of(case)) for case in READ]
)
def test_the_formulas_of_an_operation_give_their_numbers(case):
    operands = [Value(x, name=n) for n, x in zip("xyzuvwpq", case.inputs, strict=False)]
    result = case.operation(*case.operands(operands), **case.options)
    result.name = "r"
    factors = rng(5).normal(size=result.shape)
    found = tg.derivation(np.sum(result * factors))
    assert "by the rule of" not in found.text()
    check_formulas(found)


# ---- random graphs

SIZES = {"n": 5, "d": 3, "h": 4}  # all different, so that a formula tells which axis it means

UNARY = {
    "tanh": np.tanh,
    "exp": lambda x: np.exp(x * 0.3),
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
    "negative": np.negative,
    "sigmoid": tg.sigmoid,
    "relu": tg.relu,
    "sqrt": lambda x: np.sqrt(x**2 + 1),
    "log": lambda x: np.log(x**2 + 1),
    "sin": np.sin,
    "abs": np.abs,
    "half": lambda x: x / 2,
    "reciprocal": lambda x: 1 / (x**2 + 1),
    "arctan": np.arctan,
    "clip": lambda x: np.clip(x, -0.5, 0.7),
    "where": lambda x: np.where(x > 0.1, x, 0.3 * x),
    "power": lambda x: np.abs(x) ** 1.5,
}
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": lambda x, y: x / (y**2 + 1),
    "maximum": np.maximum,
    "arctan2": lambda x, y: np.arctan2(x, y),
}
REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "var": np.var,
    "std": np.std,
    "prod": np.prod,
    "logsumexp": tg.logsumexp,
}
BY_ROWS = {"softmax": tg.softmax, "log_softmax": tg.log_softmax}


@st.composite
def graphs(draw):
    """A loss of random operations on x (n, d), W (d, h), b (h) and a number c, and their names."""
    seed = draw(st.integers(0, 10**6))
    leaves = [
        Value(rng(seed + i).normal(size=shape), name=name)
        for i, (name, shape) in enumerate([("x", (5, 3)), ("W", (3, 4)), ("b", (4,)), ("c", ())])
    ]
    values = list(leaves)
    for _ in range(draw(st.integers(2, 7))):
        x = draw(st.sampled_from(values))
        kind = draw(
            st.sampled_from(["unary", "binary", "product", "reduce", "rows", "turn", "item"])
        )
        fitting = [y for y in values if _broadcasts(x.shape, y.shape)]
        inner = [y for y in values if x.ndim and y.ndim == 2 and y.shape[0] == x.shape[-1]]
        if kind == "binary":
            y = draw(st.sampled_from(fitting))
            values.append(draw(st.sampled_from(list(BINARY.values())))(x, y))
        elif kind == "product" and inner:
            values.append(x @ draw(st.sampled_from(inner)))
        elif kind == "reduce" and x.ndim:
            axis = draw(st.sampled_from([None, *range(x.ndim)]))
            keep = draw(st.booleans()) if axis is not None else False
            reduce = draw(st.sampled_from(list(REDUCTIONS.values())))
            values.append(reduce(x, axis=axis, keepdims=keep))
        elif kind == "rows" and x.ndim:
            axis = draw(st.sampled_from(range(x.ndim)))
            values.append(draw(st.sampled_from(list(BY_ROWS.values())))(x, axis=axis))
        elif kind == "turn" and x.ndim == 2:
            values.append(x.T)
        elif kind == "item" and x.ndim:
            values.append(x[draw(st.integers(0, x.shape[0] - 1))])
        else:
            values.append(draw(st.sampled_from(list(UNARY.values())))(x))
    used = [v for v in values[4:] if np.isfinite(v.data).all() and np.abs(v.data).max() < 1e4]
    loss = sum((np.sum(v * v) for v in used[-2:]), start=np.sum(leaves[0] ** 2))
    return loss, [x for x in leaves if x is leaves[0]]


def _broadcasts(first, second):
    """Whether shapes broadcast in one way only: sizes tell which axes belong together."""
    try:
        shape = np.broadcast_shapes(first, second)
    except ValueError:
        return False
    return shape in {first, second}


@examples(60, thorough=2000)
@given(graphs())
def test_the_formulas_of_random_graphs_give_their_numbers(graph):
    loss, _ = graph
    check_formulas(tg.derivation(loss))
