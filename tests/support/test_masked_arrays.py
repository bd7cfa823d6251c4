"""A masked array is refused wherever data enter: NumPy would read through its mask."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import data, linear, losses, nn, optim, train
from tinygrad_lr.errors import DtypeError
from tinygrad_lr.support.validation import is_masked

FLOATS, LABELS = np.array([1.0, 2.0, 3.0]), np.array([1, 2, 0])
MASK = [False, True, False]


def v():
    return tg.Value(FLOATS)


def line():
    return nn.Linear(1, 1, dtype=np.float64, generator=0)


def load(owner, name):
    """Load the state of something, with one of its entries masked."""

    def into(masked):
        state = {k: np.asarray(x) for k, x in owner.state_dict().items()}
        owner.load_state_dict({**state, name: np.ma.array(state[name])})

    return into


OF_FLOATS = {
    "Value": tg.Value,
    "data": lambda m: setattr(v(), "data", m),
    "grad": lambda m: setattr(v(), "grad", m),
    "backward": lambda m: v().exp().backward(m),
    "grad of a function": lambda m: tg.grad(lambda x: (x * x).sum())(m),
    "operator": lambda m: v() * m,
    "product": lambda m: v() @ m,
    "np.where": lambda m: np.where(m > 1, v(), 0.0),
    "np.add": lambda m: np.add(v(), m),
    "np.concatenate": lambda m: np.concatenate([v(), m]),
    "np.stack": lambda m: np.stack([v(), m]),
    "np.einsum": lambda m: np.einsum("i,i->", v(), m),
    "np.clip": lambda m: np.clip(v(), m, 5.0),
    "np.average": lambda m: np.average(v(), weights=m),
    "mse": lambda m: losses.mse(v(), m),
    "huber": lambda m: losses.huber(v(), m),
    "binary_cross_entropy": lambda m: losses.binary_cross_entropy(
        v(), np.ma.array(m.data / 4, mask=m.mask)
    ),
    "a layer": lambda m: nn.Linear(3, 1, dtype=np.float64)(m),
    "fit, x": lambda m: train.fit(line(), m, FLOATS),
    "fit, y": lambda m: train.fit(line(), FLOATS, m),
    "fit, validation": lambda m: train.fit(line(), FLOATS, FLOATS, validation=(m, FLOATS)),
    "predict": lambda m: train.predict(line(), m),
    "evaluate": lambda m: train.evaluate(line(), FLOATS, m),
    "find_learning_rate": lambda m: train.find_learning_rate(line(), FLOATS, m),
    "DataLoader": lambda m: data.DataLoader(m, batch_size=1),
    "samples": lambda m: list(data.DataLoader([(m, 1), (FLOATS, 2)], batch_size=2)),
    "split": data.split,
    "Standardizer.fit": lambda m: data.Standardizer().fit(m),
    "Standardizer.transform": lambda m: data.Standardizer().fit(FLOATS).transform(m),
    "original_units": lambda m: data.original_units(m, 0.0, data.Standardizer().fit(np.eye(3))),
    "closed_form, x": lambda m: linear.closed_form(m, FLOATS),
    "closed_form, y": lambda m: linear.closed_form(FLOATS, m),
    "Line.predict": lambda m: linear.closed_form(FLOATS, FLOATS).predict(m),
    "minimize": lambda m: optim.minimize(lambda x: (x * x).sum(), m),
    "save_file": lambda m: tg.checkpoint.save_file({"m": m}, "nowhere.safetensors"),
    "a model's state": load(line(), "weight"),
    "an optimiser's state": load(optim.SGD([v()], 0.1, momentum=0.9), "0.velocity"),
    "an average's state": load(optim.ExponentialMovingAverage([v()]), "0"),
    "jvp": lambda m: tg.jvp(np.tanh, (m,), (FLOATS,)),
    "jvp, tangent": lambda m: tg.jvp(np.tanh, (FLOATS,), (m,)),
    "vjp": lambda m: tg.vjp(np.tanh, m),
    "vjp, cotangent": lambda m: tg.vjp(np.tanh, FLOATS)[1](m),
    "hvp, direction": lambda m: tg.hvp(lambda x: (x**3).sum(), (FLOATS,), (m,)),
    "jacobian": lambda m: tg.jacobian(np.tanh)(m),
    "hessian": lambda m: tg.hessian(lambda x: (x**3).sum())(m),
    "check_gradients": lambda m: tg.check_gradients(np.tanh, m),
}
OF_INTEGERS = {
    "an index": lambda m: v()[m],
    "np.take": lambda m: np.take(v(), m),
    "np.take_along_axis": lambda m: np.take_along_axis(v(), m, axis=0),
    "cross_entropy": lambda m: losses.cross_entropy(tg.Value(np.ones((3, 4))), m),
    "one_hot": data.one_hot,
    "Embedding": lambda m: nn.Embedding(4, 2)(m),
    "split, stratify": lambda m: data.split(FLOATS, stratify=m),
}

NO_LISTS = {"np.where", "np.stack", "np.average", "binary_cross_entropy", "np.take_along_axis"}
NO_LISTS |= {"jvp, tangent", "vjp, cotangent", "hvp, direction"}


@pytest.mark.parametrize("form", ["masked", "nothing masked", "in a list"])
@pytest.mark.parametrize("name", [*OF_FLOATS, *OF_INTEGERS])
def test_every_entrance_refuses_a_masked_array(name, form):
    numbers, call = (FLOATS, OF_FLOATS) if name in OF_FLOATS else (LABELS, OF_INTEGERS)
    masked = np.ma.masked_array(numbers, MASK if form == "masked" else False)
    if form == "in a list":
        if name in NO_LISTS:
            return
        masked = [masked, masked]
    with pytest.raises(DtypeError, match="masked"):
        call[name](masked)


def test_a_list_that_holds_itself_ends():
    x = []
    x.append(x)
    assert not is_masked(x) and is_masked([[(1.0, [np.ma.masked])]])
