"""Write tests/explain/explanations.txt: what is explained of small programs, in every form.

python tests/explanations.py

The numbers of the programs are small fractions, so that no BLAS changes what is printed. Read the
differences before you commit them: the file is what a reader sees.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
from pathlib import Path
from unittest import mock

import numpy as np
from written import Written

import tinygrad_lr as tg
from tinygrad_lr import Value, nn
from tinygrad_lr.explain.derivations import render_markup

WRITTEN = Written(Path(__file__).parent / "explain" / "explanations.txt")


def grid(*shape, start=-3, by=4):
    """Return fractions that differ, some of them negative."""
    count = int(np.prod(shape))
    return np.reshape([(start + 3 * i % (count + 2)) / by for i in range(count)], shape)


def network(*layers):
    """Return the model with fractions for its weights."""
    model = nn.Sequential(*layers)
    for i, x in enumerate(model.parameters()):
        x.data = grid(*x.shape, start=-2 - i % 2, by=2 + i)
    return model


def affine(inputs, outputs, **options):
    return nn.Linear(inputs, outputs, dtype=np.float64, generator=0, **options)


def brief(page):
    return re.sub(r' style="[^"]*"', "", page)


def forms(explanation):
    """Yield an explanation in all its forms, with LaTeX where a browser gets MathML."""
    if isinstance(explanation, str):
        yield explanation
        return
    if hasattr(explanation, "latex"):
        yield repr(explanation)
        yield explanation.latex()
    yield explanation.text()
    with mock.patch.object(render_markup, "as_mathml", lambda latex, words: f"${latex}$"):
        page = explanation._repr_html_()
    yield re.sub(r"(?<=>)(?=<(?!/))", "\n", brief(page))


def explained(program):
    """Enter a program that returns explanations, or text."""

    @WRITTEN
    @functools.wraps(program)
    def texts():
        return [x for explanation in program() for x in forms(explanation)]

    return texts


# ---- derivations

X, Y = np.array([1.0, 2.0, -1.0, 0.5]), np.array([2.0, 4.0, -0.5, 1.0])


@explained
def a_line():
    w, b = Value(0.5, name="w"), Value(-0.25, name="b")
    u = w * X + b - Y
    loss = np.mean(u**2)
    return [
        tg.derivation(loss, wrt=w),
        tg.derivation(loss, learning_rate=0.5),
        tg.derivation(loss, wrt=[b, w], learning_rate=0.125),
    ]


@explained
def a_weight_that_is_used_twice():
    a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    c = a * b
    d = c * c + a
    e = np.tanh(d / 64) - c
    L = e * e
    M = (b + 1) ** 2 * np.exp(b * 0.25 + c) * np.sin(d * a)
    found = [tg.derivation(L, wrt=a, learning_rate=0.25)]
    for i in range(found[0].paths[0]):  # the names of variables are found here, in a loop
        found.append(tg.derivation(L, wrt=a, path=i))
    found.append(tg.derivation(L))
    found.append(tg.derivation(M, wrt=a, path=0).text())
    found.append(tg.derivation(M, wrt=a, path=2).text())
    return found


@explained
def numbers_of_every_sign():
    made = []
    for start in (-2.0, 0.0, 3.0):
        w = Value(start, name="w")
        L = (w - 1.0) ** 2 + 0.0 * w
        made.append(tg.derivation(L, wrt=w, learning_rate=0.5))
    w = Value(1.0, name="w")
    return [*made, tg.derivation((w - 1.0) ** 2, wrt=w, learning_rate=0.5)]


@explained
def a_layer_by_an_entry():
    W, b = Value(grid(2, 3), name="W"), Value(grid(3), name="b")
    x = grid(5, 2, start=-1)
    h = np.tanh(x @ W + b)
    L = np.sum(h * h) / 2
    return [
        tg.derivation(L, wrt=W, at=(0, 2), learning_rate=0.5),
        tg.derivation(L, wrt=b, at=-1),
        tg.derivation(L, wrt=W),
    ]


@explained
def an_entry_of_many_rows_and_of_a_product_of_numbers():
    w, v = Value(grid(2), name="w"), Value(0.5, name="v")
    L = np.mean((grid(40, 2) @ w - 1) ** 2)
    M = np.sum(v * w * np.array([2.0, -1.0]))
    return [
        tg.derivation(L, wrt=w, at=0),
        tg.derivation(M, wrt=w, at=1),
        tg.derivation(M, wrt=v, at=()),
    ]


@explained
def operations_of_many_kinds():
    x, y = Value(grid(2, 3), name="x"), Value(grid(3, start=1), name="y")
    lines = {
        "arithmetic": lambda: np.sum((x - y) / (y + 2) - 3 * x * y + x / 4),
        "powers": lambda: np.sum(x**3) + np.sum(np.sqrt(y + 1)) - np.sum(2.0**x),
        "exponentials": lambda: np.mean(np.exp(x) * np.log(y + 2)) - np.sum(np.log1p(y * y)),
        "choices": lambda: np.sum(np.where(x > 0, x * x, -x)) + np.max(x) - np.min(y),
        "bounds": lambda: np.sum(np.maximum(x, y)) + np.sum(np.clip(x, -0.5, 0.5)),
        "activations": lambda: np.sum(tg.relu(x) + tg.sigmoid(x) - tg.softplus(y)),
        "angles": lambda: np.sum(np.sin(x) * np.cos(y)) + np.sum(np.arctan2(x, y + 1)),
        "sums along an axis": lambda: np.sum(np.mean(x, axis=0) * np.sum(x, axis=0)),
        "entries": lambda: x[1, 2] * y[0] + np.sum(x[:, 1]) + np.sum(x.T[0] * 2),
        "arrangement": lambda: np.sum(np.concatenate([y, y * y]) * grid(6)) + x.reshape(6)[3],
        "softmax": lambda: np.sum(tg.softmax(x) * grid(2, 3)) + np.sum(tg.logsumexp(x, axis=-1)),
        "norms": lambda: np.linalg.norm(y) + np.var(y) + np.std(x),
        "products": lambda: np.prod(y + 2) + np.sum(np.cumsum(y)) + x[0] @ y,
        "matrices": lambda: np.sum(x @ x.T) + np.sum(np.outer(y, y)) + np.trace(x[:, :2]),
        "remainders": lambda: np.sum(np.remainder(x, y) * 2) - np.sum(x // 2 * y),
        "atoms": lambda: np.sum(abs(x) ** 3 * np.floor(y) ** 2) - np.sum(np.mod(x, 2) ** 2) / 4,
        "negated": lambda: -np.sum(np.negative(-x)) + np.sum(abs(x)),
    }
    return [tg.derivation(line()).text() for line in lines.values()]


@explained
def losses_of_classes():
    W = Value(grid(2, 3), name="W")
    x, labels = grid(4, 2, start=-1), np.array([0, 2, 1, 2])
    return [
        tg.derivation(tg.losses.cross_entropy(x @ W, labels), wrt=W, at=(1, 0)),
        tg.derivation(tg.losses.hinge(x @ W[:, 0], np.array([1.0, -1.0, 1.0, -1.0])), W),
        tg.derivation(tg.losses.mae(x @ W, grid(4, 3, start=2)), wrt=W),
        tg.derivation(tg.losses.huber(x @ W, grid(4, 3, start=2), delta=0.5), wrt=W),
    ]


@explained
def names():
    alpha, w_1, named = Value(1.5), Value(-0.5), Value(2.0, name="learning factor")
    w_hat = Value(0.5, name="x_12")
    unused = [Value(float(i)) for i in range(2)]
    loss = alpha * w_1 + np.exp(named * w_hat) - unused[0] * unused[1] * alpha
    return [tg.derivation(loss), repr(tg.derivation(loss, wrt=[alpha, named]))]


@explained
def a_network():
    model = network(affine(2, 3), nn.Tanh(), affine(3, 2, bias=False), nn.ReLU(), affine(2, 1))
    x, y = grid(3, 2), grid(3, 1, start=1)
    loss = tg.losses.mse(model(x), y)
    first = model[0].weight
    return [
        tg.derivation(loss, model, learning_rate=0.5),
        tg.derivation(loss, first, at=(0, 1), model=model).text(),
    ]


@explained
def long_arrays_and_large_and_small_numbers():
    v = Value(np.arange(40.0) / 8 - 1, name="v")
    t = Value(np.array([1e-9, 1e9, -1e300, 0.1]), name="t")
    return [tg.derivation(np.sum(v * v)), tg.derivation(np.sum(t * 3) + np.sum(t / 1e5))]


# ---- influences


@explained
def influences_of_a_network():
    model = network(affine(2, 3), nn.Tanh(), affine(3, 3), nn.Sigmoid(), affine(3, 1))
    loss = tg.losses.mse(model(grid(6, 2)), grid(6, 1, start=1))
    return [
        tg.influence(model, loss),
        tg.influence(model, loss, weight="layers.0.weight", at=(1, 2), nudge=-0.25, rows=[5, 0]),
        tg.influence(model, loss, weight=[model[2].bias, ("layers.4.weight", (2, 0))]),
    ]


@explained
def influences_across_kinks_and_dead_units():
    model = network(affine(2, 4), nn.ReLU(), affine(4, 2), nn.ReLU(), affine(2, 1))
    model[0].bias.data = np.array([-9.0, 0.5, -9.0, 0.25])
    loss = tg.losses.mse(model(grid(4, 2)), grid(4, 1, start=2))
    wide = tg.influence(model, loss, weight="layers.0.weight", at=(0, 1), nudge=2.0)
    return [wide, tg.influence(model, loss, weight="layers.0.weight", at=(0, 0)).text()]


@explained
def influences_that_vanish_and_explode():
    found = []
    for factor in (0.125, 8.0):
        layers = [x for _ in range(6) for x in (affine(2, 2), nn.Tanh())]
        model = nn.Sequential(*layers, affine(2, 1))
        for x in model.parameters():
            x.data = factor * np.eye(*x.shape) if x.ndim == 2 else np.zeros(x.shape)
        loss = tg.losses.mse(model(np.full((2, 2), 1 / 64)), np.ones((2, 1)))
        found.append(tg.influence(model, loss).text())
    return found


@explained
def influences_without_a_model():
    w, b = Value(0.5, name="w"), Value(-0.25, name="b")
    h = np.tanh(w * 2 + b)
    L = (h * w - 1) ** 2
    one = Value(3.0, name="one")
    return [tg.influence(None, L), tg.influence(None, one * one)]


def numbers_of(found, depth=0):
    """Yield the fields of data with numbers, one a line, with the fields of data in them."""
    for name in sorted(vars(found)):
        x = getattr(found, name)
        if name[0] == "_" or name in {"paths", "journey"} or isinstance(x, Value | list):
            continue
        items = x if isinstance(x, tuple) and x and hasattr(x[0], "__dict__") else [x]
        for item in items:
            if hasattr(item, "__dict__"):
                yield "  " * depth + name
                yield from numbers_of(item, depth + 1)
            elif isinstance(item, np.ndarray | float):
                yield "  " * depth + f"{name} = {(np.round(item + 0.0, 5) + 0).tolist()}"
            else:
                yield "  " * depth + f"{name} = {item}"


@explained
def numbers_of_influences():
    x, y = grid(3, 2), grid(3, 2, start=1)
    W, V, b = Value(grid(2, 2), name="W"), Value(grid(2, 2, start=1), name="V"), Value(0.5)
    h = np.tanh(x @ W + b)
    skipped = np.mean((np.tanh(h @ V.T) + h - y) ** 2)
    model = network(affine(2, 2), nn.ReLU(), nn.LayerNorm(2, dtype=np.float64), affine(2, 1))
    image = grid(2, 1, 3, 3)
    conv = network(nn.Conv2d(1, 2, 2, dtype=np.float64, generator=0), nn.Tanh(), nn.Flatten())
    conv_loss = np.mean(np.sum(conv(image), axis=1) ** 2)
    a, c, d = (Value(v, name=n) for v, n in ((0.5, "a"), (-1.5, "c"), (2.0, "d")))
    unit = np.tanh(a * 2.0 + c * -1.0)
    scalars = (d * unit - 1.0) ** 2
    found = [
        tg.influence(None, skipped, weight=W, at=(0, 1), rows=[2, 0]),
        tg.influence(model, tg.losses.mse(model(x), y[:, :1]), weight="layers.0.weight"),
        tg.influence(conv, conv_loss, rows=[1]),
        tg.influence(None, scalars, weight=[a, d]),
    ]
    for weight in (w for x in found for w in x.weights):
        assert weight.through and weight.paths  # they are computed when they are asked for
    return ["\n".join(numbers_of(x)) for x in found]


def shortened(text):
    """Return the lines of a text that say what is left out, and how many lines it has."""
    lines = text.splitlines()
    kept = [x for x in lines if "more" in x or "→ … →" in x]
    return "\n".join([*kept, f"{len(lines)} lines"])


def influence_of(model):
    loss = tg.losses.mse(model(np.ones((1, 1))), np.zeros((1, 1)))
    return shortened(tg.influence(model, loss, weight="layers.0.weight").text())


@explained
def lists_at_their_bounds():
    made = []
    for n in (6, 7):
        w, v = Value(grid(2, 2), name="w"), Value(grid(n), name="v")
        made.append(tg.derivation(np.sum(np.tanh(grid(n, 2) @ w)), wrt=w, at=(0, 1)).text())
        made.append(tg.derivation(np.sum(v * v)).text())
    for n in (30, 31):
        leaves = [Value(i / 4, name=f"w{i}") for i in range(n)]
        made.append(shortened(tg.derivation(sum(x * x for x in leaves)).text()))
        model = network(*(affine(1, 1, bias=i == 0) for i in range(n - 1)))
        made.append(shortened(tg.derivation(np.sum(model(np.ones((1, 1)))), model).text()))
    for n in (78, 79, 80, 81):
        x = Value(0.5, name="x")
        chain = x
        for i in range(n):
            chain = np.tanh(chain)
            chain.name = f"c{i}"
        made.append(shortened(tg.derivation(chain, wrt=x).text()))
    for units in (4, 5, 8, 9):
        model = network(affine(2, units), nn.ReLU(), affine(units, 1))
        model[0].bias.data = np.full(units, -9.0)
        loss = tg.losses.mse(model(grid(4, 2)), grid(4, 1, start=2))
        made.append(tg.influence(model, loss).findings[-1])
        model[0].bias.data = np.full(units, 9.0)
        loss = tg.losses.mse(model(grid(4, 2)), grid(4, 1, start=2))
        weights = [*model.parameters()][: units - 1]
        made.append(shortened(tg.influence(model, loss, weight=weights).text()))
        between = [affine(units, units) for _ in range(5)]  # so that paths are not listed
        made.append(influence_of(network(affine(1, units), *between, affine(units, 1))))
        deep = network(affine(1, units), nn.Tanh(), affine(units, units), affine(units, 1))
        made.append(influence_of(deep))
    for n in (40, 41):
        deep = network(*(affine(1, 1, bias=False) for _ in range(n)))
        loss = tg.losses.mse(deep(np.ones((1, 1))), np.zeros((1, 1)))
        made.append(shortened(tg.influence(deep, loss).text()))
    return made


# ---- Values


@explained
def displays_of_values():
    w, v = Value(2.0, name="w"), Value(grid(2, 3), name="v")
    plain = [Value(grid(2)), Value(1.5, requires_grad=False), Value(1 - 2j), Value(np.float32(3))]
    made = [w * v, w + 1.0, np.sum(v), np.concatenate([v[0], v[1]]), np.stack([w, w * 2, w, w, w])]
    joined = np.stack([Value(float(i), name=f"x{i}") for i in range(5)])
    empty, large = Value(np.zeros((0, 3))), Value(np.arange(2000.0).reshape(40, 50))
    np.sum(w * v).backward()
    written = tg.zeros(3)
    written[1] = w
    values = [w, v, *plain, *made, joined, np.stack([w, w, w]), empty, large, written]
    return [f"{x!r}\n{brief(x._repr_html_())}" for x in values]


# ---- traces


def traced(run):
    with contextlib.redirect_stdout(io.StringIO()) as out, tg.trace() as t:
        run()
    assert t.text() == out.getvalue().removesuffix("\n")
    return t.text()


@explained
def traces():
    w, b = Value(0.5, name="w"), Value(-0.25, name="b")
    v = Value(grid(3), name="v")
    model = network(affine(2, 2), nn.ReLU(), affine(2, 1))
    optimizer = tg.optim.SGD(model.parameters(), learning_rate=0.5)
    adam = tg.optim.Adam([w], learning_rate=0.25)

    def line():
        u = w * X + b - Y
        loss = np.mean(u**2)
        loss.backward()
        adam.step()

    def twice():
        s = v * v + v.sum()
        (s * 2 - s).sum().backward()
        np.sum(v).backward()

    def step():
        loss = tg.losses.mse(model(grid(2, 2)), grid(2, 1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def again():
        one = network(affine(2, 1, bias=False))
        named = network(affine(2, 1), nn.Tanh(), affine(1, 1))
        named[0].weight.name, bias = "kernel", named[2].bias
        (bias * 2.0 + one(grid(1, 2)) + named(grid(1, 2)) + named(grid(1, 2))).sum().backward()

    def writes():
        z, s = tg.zeros(3), Value(0.75, name="s")
        z[0] = s * 2
        z[1:] += v[0]
        y = z[::-1]
        y *= s
        z.sum().backward()
        table = tg.zeros(3)
        for i in range(3):
            table[i] = s
        table.sum().backward()

    def functions():
        tg.grad(lambda x: np.exp(x) / x)(2.0)
        tg.jvp(lambda x, y: x * y + np.sin(x), (1.0, 2.0), (1.0, -1.0))
        tg.hvp(lambda x: x**3, (2.0,), (1.0,))
        with tg.no_grad():
            w * 2

    def options():
        p = np.clip(v, -0.5, None)
        q = tg.leaky_relu(p, slope=0.25)
        np.sum(q, axis=0, keepdims=True).backward(np.array([2.0]))

    return [traced(run) for run in (line, twice, step, again, writes, functions, options)]


if __name__ == "__main__":
    WRITTEN.write()
