"""The workloads of `compiled_peers.py` as a user of JAX would write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from compiled_peers import Function, Peer, Settings, Training, initial_weights
from jax import lax
from peers import RATE

Forward = Callable[[tuple[Any, ...], Any], Any]


def mlp(activation: Callable[[Any], Any]) -> Forward:
    def forward(weights: tuple[Any, ...], x: Any) -> Any:
        for i in range(0, len(weights), 2):
            x = (activation(x) if i else x) @ weights[i] + weights[i + 1]
        return x

    return forward


def convolutions(weights: tuple[Any, ...], x: Any) -> Any:
    for weight, bias in (weights[:2], weights[2:4]):
        x = lax.conv_general_dilated(x, weight, (1, 1), "SAME") + bias[:, None, None]
        x = jax.nn.relu(x)
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return x.reshape(len(x), -1) @ weights[4] + weights[5]


def gru(weights: tuple[Any, ...], x: Any) -> Any:
    of_input, of_hidden, bias_input, bias_hidden, head, bias = weights

    def advance(h: Any, given: Any) -> tuple[Any, Any]:
        r, z, n = jnp.split(given, 3, axis=-1)
        r_h, z_h, n_h = jnp.split(h @ of_hidden + bias_hidden, 3, axis=-1)
        r, z = jax.nn.sigmoid(r + r_h), jax.nn.sigmoid(z + z_h)
        n = jnp.tanh(n + r * n_h)
        h = (1 - z) * n + z * h
        return h, h

    given = jnp.swapaxes(x @ of_input + bias_input, 0, 1)
    start = jnp.zeros((len(x), len(of_hidden)), x.dtype)
    _, states = lax.scan(advance, start, given, unroll=True)
    return jnp.swapaxes(states, 0, 1) @ head + bias


FORWARD = {"tanh": mlp(jnp.tanh), "relu": mlp(jax.nn.relu), "conv": convolutions, "gru": gru}


def make_training(workload: Training, dtype: str) -> tuple[Callable[..., Any], Any, Any, Any]:
    """Return the step (weights, x, y) → (weights, loss), and its initial arguments."""
    forward = FORWARD[workload.kind]

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        return jnp.mean((forward(weights, x) - y) ** 2)

    def step(weights: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(weights, x, y)
        return jax.tree.map(lambda w, g: w - RATE * g, weights, gradients), loss

    states = initial_weights(workload, dtype)
    weights = tuple(jnp.array(array) for state in states for array in state.values())
    x, y = map(jnp.array, workload.numbers(dtype))
    return step, weights, x, y


def by_call(workload: Training | Function, settings: Settings) -> Peer:
    if isinstance(workload, Function):
        return make_function(workload, settings)
    step, weights, x, y = make_training(workload, settings.dtype)
    jitted = jax.jit(step, donate_argnums=0)

    def run() -> Any:
        nonlocal weights
        weights, loss = jitted(weights, x, y)
        return loss.block_until_ready()

    return run, 1


def by_scan(workload: Training | Function, settings: Settings) -> Peer:
    if isinstance(workload, Function):
        return None
    step, weights, x, y = make_training(workload, settings.dtype)

    unroll = 4 if workload.loop >= 100 else 1  # fastest: 5 to 20 % better for small networks

    def steps(weights: Any, x: Any, y: Any) -> Any:
        every = workload.loop
        return lax.scan(lambda w, _: step(w, x, y), weights, None, length=every, unroll=unroll)

    jitted = jax.jit(steps, donate_argnums=0)

    def run() -> Any:
        nonlocal weights
        weights, losses = jitted(weights, x, y)
        return losses.block_until_ready()

    return run, workload.loop


def make_function(workload: Function, settings: Settings) -> Peer:
    f = workload.build(jnp, lambda array: jnp.array(array.astype(np.dtype(settings.dtype))))
    if workload.hessian:
        gradient = jax.grad(f)
        jitted = jax.jit(lambda x, v: jax.jvp(gradient, (x,), (v,))[1])
    else:
        jitted = jax.jit(f)
    numbers = [jnp.array(array) for array in workload.numbers(settings.dtype)]
    return (lambda: jitted(*numbers).block_until_ready()), 1
