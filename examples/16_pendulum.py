"""A loop of 1,000 steps, differentiated and compiled: which pendulum swings like this?

`tg.scan` carries the angle and the speed from step to step, as `jax.lax.scan`. Compiled, its body
is traced once and becomes one loop of machine code, with another one for the gradient, so the time
to compile doesn't depend on the number of steps. `tg.while_loop` stops when the data say so.

Run it: python examples/16_pendulum.py
"""

import time
from typing import Any

import numpy as np

import tinygrad_lr as tg

STEPS, DT = 1000, 0.01
START = (np.array(1.2), np.array(0.0))  # the angle, and how fast it grows
TRUE = np.array([9.81 / 0.7, 0.35])  # g / length, friction


def step(state: Any, parameters: Any) -> Any:
    """Return the angle and the speed a moment later."""
    angle, speed = state
    speed = speed - DT * (parameters[0] * np.sin(angle) + parameters[1] * speed)
    return angle + DT * speed, speed


def swing(parameters: Any) -> Any:
    """Return the angles of all steps: (STEPS,)."""
    return tg.scan(lambda s, _: (step(s, parameters), s[0]), START, length=STEPS)[1]


def loss(parameters: Any) -> Any:
    """Return how far the angles are from the measured ones."""
    return np.mean((swing(parameters) - measured) ** 2)


measured = swing(TRUE) + np.random.default_rng(0).normal(0, 0.01, STEPS)
fast, parameters = tg.compile(tg.value_and_grad(loss)), np.array([12.5, 0.6])
times, scale = [], np.array([1.0, 0.02])  # the angles depend on friction more steeply
for now in range(400):
    began = time.perf_counter()
    value, gradient = fast(parameters)
    times.append(time.perf_counter() - began)
    if now == 0:
        assert np.allclose(gradient, tg.grad(loss)(parameters), rtol=1e-8)
    parameters = parameters - scale * gradient
print(f"first call {times[0]:.2f} s, then {np.median(times) * 1e6:.0f} µs for 1,000 steps")
print(f"g / length {parameters[0]:.2f}, friction {parameters[1]:.3f}; true: {TRUE.round(3)}")
assert np.allclose(parameters, TRUE, rtol=0.02)

moving = lambda s: s[2] * (1 - np.cos(s[0])) + 0.5 * s[1] ** 2 > 1e-4  # its energy
rest = tg.compile(
    lambda p: tg.while_loop(moving, lambda s: (*step(s[:2], p), s[2], s[3] + 1), (*START, p[0], 0))
)
print(f"at rest after {int(rest(parameters)[3]) * DT:.1f} s")
