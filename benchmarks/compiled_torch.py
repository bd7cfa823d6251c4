"""The workloads of `compiled_peers.py` as a user of PyTorch would write them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from compiled_peers import Function, Peer, Settings, Training, our_parts
from peers import RATE

from tinygrad_lr.interop.torch import to_torch_state


def own(dtype: str) -> Callable[[Any], Any]:
    return lambda array: torch.from_numpy(array).to(getattr(torch, dtype))


def as_it_is(f: Any) -> Any:
    return f


def backward_twice(f: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """The product of the Hessian with a vector, as is fastest without a compiler."""

    def product(x: Any, v: Any) -> Any:
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(f(x), x, create_graph=True)
        return torch.autograd.grad(gradient, x, v)[0]

    return product


def jvp_of_gradient(f: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """The same, as can be compiled."""
    gradient = torch.func.grad(f)
    return lambda x, v: torch.func.jvp(gradient, (x,), (v,))[1]


def made(workload: Training | Function, settings: Settings, wrap: Callable[[Any], Any]) -> Peer:
    """A step, or the function, with what there is to compile in a wrapper."""
    torch.set_num_threads(settings.threads)
    numbers = list(map(own(settings.dtype), workload.numbers(settings.dtype)))
    if isinstance(workload, Function):
        f = workload.given(torch, own(settings.dtype))
        if workload.hessian:
            f = backward_twice(f) if wrap is as_it_is else jvp_of_gradient(f)
        g = wrap(f)
        return (lambda: g(*numbers)), 1
    parts = [part.to(getattr(torch, settings.dtype)) for part in workload.parts(torch.nn)]
    for part, source in zip(parts, our_parts(workload, settings.dtype), strict=True):
        state = to_torch_state(source)
        part.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    optimizer = torch.optim.SGD([p for part in parts for p in part.parameters()], lr=RATE)
    x, y = numbers
    loss_of = wrap(lambda: torch.nn.functional.mse_loss(workload.forward(parts, x), y))

    def step() -> Any:
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # compiled too, it takes longer: it is one fused operation already
        return loss.detach()

    return step, 1


def eager(workload: Training | Function, settings: Settings) -> Peer:
    return made(workload, settings, as_it_is)


def compiled(workload: Training | Function, settings: Settings) -> Peer:
    torch._logging.set_logs(all=logging.ERROR)
    torch._dynamo.reset()
    return made(workload, settings, torch.compile)
