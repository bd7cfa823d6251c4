"""Programs of scientists, typed: what they return is known to be a Value."""

import itertools
from collections.abc import Callable
from typing import assert_type

import numpy
from numpy.typing import NDArray

import tinygrad_lr.numpy as np
from tinygrad_lr import Value
from tinygrad_lr.scipy import integrate, interpolate, linalg, signal, special, stats

Floats = NDArray[numpy.float64]
rng = numpy.random.default_rng(0)

# survival: Weibull regression with censoring
times: Floats = rng.weibull(1.5, 30) * 2.0
died: NDArray[numpy.bool] = rng.random(30) < 0.7
covariates: Floats = rng.normal(size=(30, 2))


def weibull(theta: Value) -> Value:
    """Return the negative log likelihood."""
    shape = np.exp(theta[0])
    scale = np.exp(theta[1] + covariates @ theta[2:])
    logs = stats.weibull_min.logpdf(times, shape, scale=scale)
    tails = stats.weibull_min.logsf(times, shape, scale=scale)
    return -np.sum(np.where(died, logs, tails))


# Gaussian process with a Matern kernel
sites: Floats = numpy.sort(rng.uniform(0, 3, 12))
heights: Floats = numpy.sin(2 * sites) + 0.1 * rng.normal(size=12)


def matern(theta: Value) -> Value:
    """Return the negative log marginal likelihood."""
    length, amplitude, noise = np.exp(theta)
    r = 3**0.5 / length * np.abs(sites[:, None] - sites[None, :])
    covariance = amplitude * (1 + r) * np.exp(-r) + noise * np.eye(len(sites))
    factor, lower = linalg.cho_factor(covariance, lower=True)
    assert_type(factor, Value)
    weights = linalg.cho_solve((factor, lower), heights)
    return 0.5 * weights @ heights + np.sum(np.log(np.diag(factor)))


# Kalman filter of a local level with a slope and missing data
series: Floats = numpy.cumsum(rng.normal(size=20))
series[[3, 7]] = numpy.nan


def kalman(theta: Value) -> Value:
    """Return the negative log likelihood, skipping what is missing."""
    q, r = np.exp(theta[:2])
    state, spread = np.zeros(2), 10.0 * np.eye(2)
    step = np.array([[1.0, 1.0], [0.0, 1.0]])
    total = np.zeros(())
    for y in series:
        state, spread = step @ state, step @ spread @ step.T + q * np.eye(2)
        if numpy.isnan(y):
            continue
        error, variance = y - state[0], spread[0, 0] + r
        gain = spread[:, 0] / variance
        total += 0.5 * (np.log(2 * np.pi * variance) + error**2 / variance)
        state = state + gain * error
        spread = spread - np.outer(gain, spread[0])
    return total


# heat equation in place, with a conductivity for each cell
def heat(theta: Value) -> Value:
    """Return how far the final temperature is from a target."""
    u = np.zeros(len(theta) + 2)
    u[1:-1] = 1.0
    u[0] = theta[0]
    k = np.exp(theta)
    for _ in range(15):
        u[1:-1] += 0.2 * k * (u[2:] - 2 * u[1:-1] + u[:-2])
        u[-1] = u[-2]
    return np.mean((u - 0.3) ** 2)


# alignment by a table filled in loops, with a soft minimum
first: Floats = rng.normal(size=6)
second: Floats = rng.normal(size=5)


def soft_dtw(theta: Value) -> Value:
    """Return the soft distance of two series."""
    x, y, gamma = theta[0] * first, second + theta[1], np.exp(theta[2])
    table = np.full((len(first) + 1, len(second) + 1), 1e6)
    table[0, 0] = 0.0
    for i in range(1, len(first) + 1):
        for j in range(1, len(second) + 1):
            before = np.stack([table[i - 1, j], table[i, j - 1], table[i - 1, j - 1]])
            table[i, j] = (x[i - 1] - y[j - 1]) ** 2 - gamma * special.logsumexp(-before / gamma)
    return table[-1, -1]


# spectrum: a Whittle likelihood of an autoregression
noise: Floats = rng.normal(size=64)
lengths, power = signal.periodogram(noise)


def whittle(theta: Value) -> Value:
    """Return the Whittle likelihood, negative."""
    coefficients = np.tanh(theta[:2]) * 0.5
    omega = 2 * np.pi * lengths[1:-1]
    transfer = 1 - coefficients[0] * np.exp(-1j * omega) - coefficients[1] * np.exp(-2j * omega)
    model = np.exp(theta[2]) / np.abs(transfer) ** 2
    return np.sum(np.log(model) + np.divide(power[1:-1], model))


# fit of an equation: Lotka and Volterra
observed: Floats = numpy.array([[1.2, 0.9], [1.4, 0.6], [1.8, 0.5]])


def predators(theta: Value) -> Value:
    """Return the error of predator and prey at three times."""
    a, b, c, d = np.exp(theta)

    def slope(y: Value, t: float, a: Value, b: Value, c: Value, d: Value) -> Value:
        return np.stack([a * y[0] - b * y[0] * y[1], c * y[0] * y[1] - d * y[1]])

    found = integrate.odeint(
        slope, np.array([1.0, 1.0]), numpy.linspace(0, 1.5, 4), (a, b, c, d), rtol=1e-10, atol=1e-10
    )
    return np.sum((found[1:] - observed) ** 2)


# sorted and quantile losses: pinball, trimmed mean and a Wasserstein distance
sample: Floats = rng.normal(size=15)


def robust(theta: Value) -> Value:
    """Return three losses added."""
    moved = theta[0] * sample + theta[1] * sample**2
    pinball = np.mean(np.maximum(0.9 * (moved - theta[2]), 0.1 * (theta[2] - moved)))
    trimmed = np.mean(np.sort(moved)[2:-2])
    target = stats.norm.ppf((numpy.arange(15) + 0.5) / 15)
    return pinball + trimmed**2 + np.mean(np.abs(np.sort(moved) - target)) + np.quantile(moved, 0.3)


# a spline within an integral: the distance to a redshift
def distance(theta: Value) -> Value:
    """Return the integral of an interpolated curve."""
    nodes = numpy.linspace(0.0, 1.0, 6)
    curve = interpolate.CubicSpline(nodes, np.exp(theta), bc_type="natural")

    def height(z: float, knots: Value) -> Value:
        return 1 / interpolate.CubicSpline(nodes, knots, bc_type="natural")(z)

    area, _ = integrate.quad(height, 0.0, 0.8, (np.exp(theta),))
    fine = curve(numpy.linspace(0, 1, 21))
    return area + integrate.simpson(fine, dx=0.05) + curve(0.33, 1)


# Markov chain: stationary distribution and the likelihood of a path
path = [0, 1, 1, 2, 0, 2, 1, 0]


def chain(theta: Value) -> Value:
    """Return the negative log likelihood of a path."""
    matrix = special.softmax(np.reshape(theta, (3, 3)), axis=1)
    equations = np.concatenate([matrix.T - np.eye(3), np.ones((1, 3))])
    stationary = np.linalg.lstsq(equations, np.array([0.0, 0.0, 0.0, 1.0]), rcond=None)[0]
    total = np.log(stationary[path[0]])
    for i, j in itertools.pairwise(path):
        total += np.log(matrix[i, j])
    powers = np.linalg.matrix_power(matrix, 5)
    decay = linalg.expm(matrix - np.eye(3))
    return -total + np.sum(powers[0] * stationary) + np.trace(decay)


PROGRAMS: list[tuple[Callable[[Value], Value], Floats]] = [
    (weibull, numpy.array([0.2, 0.5, 0.1, -0.2])),
    (matern, numpy.array([0.1, 0.2, -2.0])),
    (kalman, numpy.array([-1.0, -0.5])),
    (heat, rng.normal(size=6) * 0.3),
    (soft_dtw, numpy.array([1.1, 0.2, 0.1])),
    (whittle, numpy.array([0.4, -0.3, 0.1])),
    (predators, numpy.array([0.1, -0.1, -0.2, 0.2])),
    (robust, numpy.array([1.2, 0.3, 0.4])),
    (distance, rng.normal(size=6) * 0.3),
    (chain, rng.normal(size=9)),
]
