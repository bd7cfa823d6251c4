"""Training steps of the networks in the examples, compared with PyTorch: µs per step, in one run.

    python benchmarks/layers.py                  # a minute; the table for the README
    python benchmarks/layers.py --quick          # seconds; rough

Cross entropy, Adam, float32, one thread. Both start from the same weights, converted by
`tg.interop.torch`, and must agree on the loss before and after a step. Rounds are interleaved; each
figure is their median.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any

from eager import (
    OURS,
    ROOT,
    Step,
    check_agreement,
    describe_machine,
    format_table,
    restart_with_one_thread,
    time_steps,
)

PEER = "PyTorch"


def make_networks(nn: Any, classes: int) -> dict[str, Any]:
    """Return the networks, which both libraries spell the same way."""
    return {
        "64-128-10 relu, 32 rows": nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, classes)
        ),
        "convolutions, 50 images of 28 × 28": nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(16 * 7 * 7, classes),
        ),
        "GRU 16-64, 32 texts of 32 letters": nn.GRU(16, 64, batch_first=True),
        "LSTM 16-64, 32 texts of 32 letters": nn.LSTM(16, 64, batch_first=True),
    }  # fmt: skip


def make_inputs(name: str) -> tuple[Any, Any]:
    """Return inputs and labels for a network."""
    import numpy as np

    random = np.random.default_rng(0)
    shapes = {"6": ((32, 64), (32,)), "c": ((50, 1, 28, 28), (50,))}
    shape, labels = shapes.get(name[0], ((32, 32, 16), (32, 32)))
    x = random.normal(size=shape).astype(np.float32)
    y = random.integers(0, 10, labels)
    x.flags.writeable = y.flags.writeable = False  # as tg.data.DataLoader yields them
    return x, y


def make_our_step(tg: Any, name: str, network: Any) -> Step:
    """Return a training step of tinygrad_lr."""
    x, y = make_inputs(name)
    head = tg.nn.Linear(64, 10, generator=1) if "texts" in name else None
    parts = [network, *([head] if head else [])]
    optimizer = tg.optim.Adam([p for part in parts for p in part.parameters()], 1e-3)

    def step() -> float:
        logits = head(network(x)[0]) if head else network(x)
        loss = tg.losses.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def make_their_step(tg: Any, torch: Any, name: str, network: Any, twin: Any) -> Step:
    """Return the same step of PyTorch, from the same weights."""

    def carry(module: Any, other: Any) -> None:
        state = tg.interop.torch.to_torch_state(module)
        other.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})

    x, y = (torch.from_numpy(array.copy()) for array in make_inputs(name))
    carry(network, twin)
    head = torch.nn.Linear(64, 10) if "texts" in name else None
    if head:
        carry(tg.nn.Linear(64, 10, generator=1), head)
    parts = [twin, *([head] if head else [])]
    optimizer = torch.optim.Adam([p for part in parts for p in part.parameters()], 1e-3)

    def step() -> float:
        logits = head(twin(x)[0]) if head else twin(x)
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 10), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds, rough figures")
    rounds, seconds = (3, 0.01) if parser.parse_args().quick else (15, 0.2)

    restart_with_one_thread()
    sys.path.insert(0, str(ROOT))
    tg, torch = importlib.import_module(OURS), importlib.import_module("torch")
    tg.set_threads(1)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows: dict[str, dict[str, float]] = {}
    twins = make_networks(torch.nn, 10)
    for name, network in make_networks(tg.nn, 10).items():
        steps = {
            OURS: make_our_step(tg, name, network),
            PEER: make_their_step(tg, torch, name, network, twins[name]),
        }
        check_agreement(name, dict(reversed(steps.items())), 1e-4)
        rows[name] = time_steps(steps, rounds, seconds)
    print(
        f"{describe_machine()}\nboth agree on the loss before and after a step; {rounds} rounds\n"
    )
    print(format_table([OURS, PEER], rows))


if __name__ == "__main__":
    main()
