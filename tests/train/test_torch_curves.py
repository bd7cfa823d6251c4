"""The same weights, data and order: ten epochs on the digits give PyTorch's loss curve."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import losses, nn, optim
from tinygrad_lr.data import DataLoader
from tinygrad_lr.train import fit

pytest.importorskip("sklearn")
EPOCHS, BATCH = 10, 64


def digits():
    found = tg.datasets.digits()
    return found.x.reshape(-1, 64).astype(np.float64), found.y


def batches(x, y):
    return DataLoader(x, y, batch_size=BATCH, shuffle=True, generator=3)


def network():
    return nn.MLP(64, [64, 32], 10, "relu", dtype=np.float64, generator=0)


def torch_twin(torch, model):
    """The same network with the same weights, carried over."""
    layers = [torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 32), torch.nn.ReLU()]
    twin = torch.nn.Sequential(*layers, torch.nn.Linear(32, 10)).double()
    state = tg.interop.torch.to_torch_state(model)
    twin.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return twin


OPTIMIZERS = {
    "SGD with momentum": (
        lambda model: optim.SGD(model.parameters(), 0.05, momentum=0.9),
        lambda torch, twin: torch.optim.SGD(twin.parameters(), 0.05, momentum=0.9),
    ),
    "Adam": (
        lambda model: optim.Adam(model.parameters(), 0.001),
        lambda torch, twin: torch.optim.Adam(twin.parameters(), 0.001),
    ),
}


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_loss_curve_is_that_of_pytorch(name):
    torch = pytest.importorskip("torch")
    (x, y), model = digits(), network()
    ours, theirs = OPTIMIZERS[name]
    twin = torch_twin(torch, model)
    optimizer, curve, loader = theirs(torch, twin), [], batches(x, y)
    for _ in range(EPOCHS):
        for inputs, labels in loader:
            optimizer.zero_grad()
            logits = twin(torch.from_numpy(inputs.copy()))
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels.copy()))
            curve.append(loss.item())
            loss.backward()
            optimizer.step()
    history = fit(
        *(model, batches(x, y)),
        **{"loss": losses.cross_entropy, "optimizer": ours(model), "epochs": EPOCHS},
    )
    assert len(curve) == 290 and history.losses[-1] < 0.5
    assert history.losses[:-1] == pytest.approx(curve, rel=1e-10, abs=1e-10)
