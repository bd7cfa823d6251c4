"""Micrograd's programs run unchanged: its README, its tests, its networks, with its numbers.

The programs are those of Andrej Karpathy's micrograd (MIT licence).
"""

from __future__ import annotations

import math
import random

import pytest

from tinygrad_lr import Value


def readme(Value):
    a = Value(-4.0)
    b = Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    return g, a, b


def sanity(Value):
    x = Value(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    return y, x


def more_operations(Value):
    a = Value(-4.0)
    b = Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    return g, a, b


def signs(Value):
    a, b = Value(3), Value(-2.5)
    c = -a - b + 2 - (1 - a) * (0.5 / b) - b**-2 + a / b / 3
    d = sum([c, a, b, 1]) * c.relu() + (a * 2) ** 3 / (b - 4)
    d.backward()
    return d, c, a, b


PROGRAMS = [readme, sanity, more_operations, signs]


def test_the_readme_prints_its_numbers():
    g, a, b = readme(Value)
    assert f"{g.data:.4f}" == "24.7041"
    assert f"{a.grad:.4f}" == "138.8338"
    assert f"{b.grad:.4f}" == "645.5773"


def test_the_sanity_check_has_its_numbers():
    y, x = sanity(Value)
    assert (y.data, x.grad) == (-20.0, 46.0)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_micrograd_gives_the_same_numbers(program):
    engine = pytest.importorskip("micrograd.engine")
    for ours, theirs in zip(program(Value), program(engine.Value), strict=True):
        assert ours.data == pytest.approx(theirs.data, rel=1e-15)
        assert ours.grad == pytest.approx(theirs.grad, rel=1e-14)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_numbers_are_python_floats(program):
    assert all(type(v.data) is type(v.grad) is float for v in program(Value))


# ---- its networks: micrograd/nn.py, with our Value


class Module:
    def zero_grad(self):
        for p in self.parameters():
            p.grad = 0

    def parameters(self):
        return []


def networks(Value):
    class Neuron(Module):
        def __init__(self, nin, nonlin=True):
            self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
            self.b = Value(0)
            self.nonlin = nonlin

        def __call__(self, x):
            act = sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b)
            return act.relu() if self.nonlin else act

        def parameters(self):
            return [*self.w, self.b]

    class Layer(Module):
        def __init__(self, nin, nout, **kwargs):
            self.neurons = [Neuron(nin, **kwargs) for _ in range(nout)]

        def __call__(self, x):
            out = [n(x) for n in self.neurons]
            return out[0] if len(out) == 1 else out

        def parameters(self):
            return [p for n in self.neurons for p in n.parameters()]

    class MLP(Module):
        def __init__(self, nin, nouts):
            sz = [nin, *nouts]
            last = len(nouts) - 1
            self.layers = [Layer(sz[i], sz[i + 1], nonlin=i != last) for i in range(len(nouts))]

        def __call__(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

        def parameters(self):
            return [p for layer in self.layers for p in layer.parameters()]

    return MLP


POINTS = [(1.0, 0.2), (-0.9, 0.4), (0.1, -0.5), (1.9, 0.3), (0.0, 1.0), (0.5, -0.4)]
LABELS = [1, -1, 1, 1, -1, 1]


def demo(Value, MLP, steps):
    """The loss of micrograd's demo: SVM max-margin with L2 regularisation, descended by SGD."""
    random.seed(1337)
    model = MLP(2, [8, 8, 1])
    losses = []
    for k in range(steps):
        inputs = [list(map(Value, row)) for row in POINTS]
        scores = list(map(model, inputs))
        margins = [(1 + -yi * s).relu() for yi, s in zip(LABELS, scores, strict=True)]
        data_loss = sum(margins) * (1.0 / len(margins))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        total = data_loss + reg_loss
        model.zero_grad()
        total.backward()
        rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= rate * p.grad
        losses.append(total.data)
    return losses, [p.data for p in model.parameters()], [p.grad for p in model.parameters()]


@pytest.mark.slow
def test_its_network_trains_to_the_same_numbers():
    engine = pytest.importorskip("micrograd.engine")
    nn = pytest.importorskip("micrograd.nn")
    for ours, theirs in zip(
        demo(Value, networks(Value), 12), demo(engine.Value, nn.MLP, 12), strict=True
    ):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-14)


@pytest.mark.slow
def test_its_network_learns():
    losses, _, _ = demo(Value, networks(Value), 30)
    assert losses[-1] < 0.1 * losses[0]


def test_zeroed_gradients_do_not_accumulate():
    model = networks(Value)(2, [3, 1])
    for _ in range(2):
        model.zero_grad()
        (model([1.0, -2.0]) ** 2).backward()
    twice = [p.grad for p in model.parameters()]
    model.zero_grad()
    (model([1.0, -2.0]) ** 2).backward()
    assert [p.grad for p in model.parameters()] == twice


# ---- its habits


def test_a_value_prints_its_data_and_gradient():
    x = Value(2.0)
    y = x * 3
    assert repr(y) == str(y) == "Value(data=6.0, grad=None)"
    y.backward()
    assert repr(x) == "Value(data=2.0, grad=3.0)"
    assert f"{y}" == "Value(data=6.0, grad=1.0)" and f"{y:.2f}" == "6.00"


def test_values_are_hashed_by_identity():
    a, b = Value(1.0), Value(1.0)
    assert len({a, b, a}) == 2 and {a: 1}[a] == 1 and hash(a) != hash(b)


def test_adding_in_place_rebinds():
    a = b = Value(1.0)
    b += 2
    assert (a.data, b.data) == (1.0, 3.0) and a is not b


def test_data_and_gradient_can_be_assigned():
    p = Value(2.0)
    (p * p).backward()
    p.data += -0.1 * p.grad
    p.grad = 0
    assert (p.data, p.grad) == (1.6, 0.0)
    (p * p).backward()
    assert p.grad == 3.2


@pytest.mark.parametrize("power", [2, 3, 0.5, -1, 0, 1])
def test_powers_by_numbers_have_the_slope_of_micrograd(power):
    x = Value(1.7)
    (x**power).backward()
    assert x.grad == pytest.approx(power * math.pow(1.7, power - 1), rel=1e-15)


@pytest.mark.parametrize(("x", "value", "slope"), [(-3, 0.0, 0.0), (0, 0.0, 0.0), (2, 2.0, 1.0)])
def test_relu_is_the_method_of_micrograd(x, value, slope):
    x = Value(x)
    y = x.relu()
    y.backward()
    assert (y.data, x.grad) == (value, slope)


def test_the_lecture_s_neuron_has_its_numbers():
    x1, x2, w1, w2 = Value(2.0), Value(0.0), Value(-3.0), Value(1.0)
    b = Value(6.8813735870195432)
    o = (x1 * w1 + x2 * w2 + b).tanh()
    o.backward()
    assert o.data == pytest.approx(0.7071, abs=5e-5)
    assert [v.grad for v in (x1, w1, x2, w2)] == pytest.approx([-1.5, 1.0, 0.5, 0.0])


def test_tanh_by_exponentials_has_the_gradient_of_tanh():
    n = Value(0.8814)
    e = (2 * n).exp()
    ((e - 1) / (e + 1)).backward()
    assert n.grad == pytest.approx(1 - math.tanh(0.8814) ** 2)
