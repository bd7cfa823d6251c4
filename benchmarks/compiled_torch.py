"""The workloads of `compiled_peers.py` as a user of PyTorch would write them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from compiled_peers import Function, Peer, Settings, Training, make_our_parts
from peers import RATE

from tinygrad_lr.interop.torch import to_torch_state


def make_converter(dtype: str) -> Callable[[Any], Any]:
    return lambda array: torch.from_numpy(array).to(getattr(torch, dtype))


def identity(f: Any) -> Any:
    return f


def backward_twice(f: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the Hessian-vector product in its fastest form without a compiler."""

    def product(x: Any, v: Any) -> Any:
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(f(x), x, create_graph=True)
        return torch.autograd.grad(gradient, x, v)[0]

    return product


def jvp_of_gradient(f: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the Hessian-vector product in a form that can be compiled."""
    gradient = torch.func.grad(f)
    return lambda x, v: torch.func.jvp(gradient, (x,), (v,))[1]


def make_peer(
    workload: Training | Function, settings: Settings, wrap: Callable[[Any], Any]
) -> Peer:
    """Return the peer of a step or function, whose compilable part is wrapped."""
    torch.set_num_threads(settings.threads)
    numbers = list(map(make_converter(settings.dtype), workload.numbers(settings.dtype)))
    if isinstance(workload, Function):
        f = workload.build(torch, make_converter(settings.dtype))
        if workload.hessian:
            f = backward_twice(f) if wrap is identity else jvp_of_gradient(f)
        g = wrap(f)
        return (lambda: g(*numbers)), 1
    parts = [part.to(getattr(torch, settings.dtype)) for part in workload.parts(torch.nn)]
    for part, source in zip(parts, make_our_parts(workload, settings.dtype), strict=True):
        state = to_torch_state(source)
        part.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    optimizer = torch.optim.SGD([p for part in parts for p in part.parameters()], lr=RATE)
    x, y = numbers
    loss_of = wrap(lambda: torch.nn.functional.mse_loss(workload.forward(parts, x), y))

    def step() -> Any:
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # slower if compiled: it is one fused operation already
        return loss.detach()

    return step, 1


def eager(workload: Training | Function, settings: Settings) -> Peer:
    return make_peer(workload, settings, identity)


def compiled(workload: Training | Function, settings: Settings) -> Peer:
    torch._logging.set_logs(all=logging.ERROR)
    torch._dynamo.reset()
    return make_peer(workload, settings, torch.compile)
