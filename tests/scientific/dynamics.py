"""Filters, Markov chains, differential equations and mechanics, step by step and in place."""

import numpy as np
from scipy import integrate, linalg

RNG = np.random.default_rng(2)
SERIES = np.cumsum(RNG.normal(size=8))
LETTERS = np.array([0, 1, 1, 2, 0, 2])
TIMES = np.linspace(0.0, 2.0, 6)


def kalman_filter(theta):
    """Position and velocity: filter, log likelihood, and the Rauch-Tung-Striebel smoother."""
    q, r = np.exp(theta)
    F = np.array([[1.0, 1.0], [0.0, 1.0]])
    H = np.array([[1.0, 0.0]])
    Q, R = q * np.eye(2), np.array([[r]])
    n = len(SERIES)
    m, P = np.zeros(2), np.eye(2) * 10
    means, covs = np.zeros((n, 2)), np.zeros((n, 2, 2))
    loglik = 0.0
    for t in range(n):
        m, P = F @ m, F @ P @ F.T + Q
        S = H @ P @ H.T + R
        K = P @ H.T @ np.linalg.inv(S)
        v = SERIES[t] - H @ m
        m = m + K @ v
        P = (np.eye(2) - K @ H) @ P
        means[t], covs[t] = m, P
        loglik += -0.5 * (np.log(2 * np.pi * np.linalg.det(S)) + v @ np.linalg.solve(S, v))
    smooth = means.copy()
    for t in range(n - 2, -1, -1):
        ahead = F @ covs[t] @ F.T + Q
        G = np.linalg.solve(ahead, F @ covs[t]).T
        smooth[t] += G @ (smooth[t + 1] - F @ means[t])
    return loglik + np.sum(smooth[:, 0] ** 2)


def hidden_markov_forward(logits, emission):
    A = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    B = np.exp(emission) / np.exp(emission).sum(axis=1, keepdims=True)
    alpha = np.zeros((len(LETTERS), 2))
    alpha[0] = 0.5 * B[:, LETTERS[0]]
    scale = np.ones(len(LETTERS))
    for t in range(1, len(LETTERS)):
        for j in range(2):
            alpha[t, j] = np.sum(alpha[t - 1] * A[:, j]) * B[j, LETTERS[t]]
        scale[t] = alpha[t].sum()
        alpha[t] /= scale[t]
    return -np.log(scale).sum()


def viterbi(logits):
    score = np.full((len(LETTERS), 2), -np.inf)
    score[0] = 0.0
    for t in range(1, len(LETTERS)):
        score[t] = np.max(score[t - 1][:, None] + logits[:, :2], axis=0) + logits[:, LETTERS[t]]
    return score[-1].max()


def soft_edit_distance(cost):
    """A table of dynamic programming, with a soft minimum."""
    a, b = [0, 1, 2, 1], [0, 2, 1]
    D = np.zeros((len(a) + 1, len(b) + 1))
    D[:, 0] = np.arange(len(a) + 1) * cost[0]
    D[0, :] = np.arange(len(b) + 1) * cost[1]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            choices = np.array(
                [
                    D[i - 1, j] + cost[0],
                    D[i, j - 1] + cost[1],
                    D[i - 1, j - 1] + cost[2] * (a[i - 1] != b[j - 1]),
                ]
            )
            D[i, j] = -0.5 * np.log(np.sum(np.exp(-choices / 0.5)))
    return D[-1, -1]


def stationary_distribution(logits):
    """Of a Markov chain: by eig, by solve and by lstsq."""
    P = np.exp(logits) / np.sum(np.exp(logits), axis=1, keepdims=True)
    n = len(P)
    w, v = np.linalg.eig(P.T)
    one = np.argmin(np.abs(w - 1))
    pi = np.real(v[:, one])
    pi = pi / pi.sum()
    A = np.vstack([P.T - np.eye(n), np.ones(n)])
    b = np.zeros(n + 1)
    b[-1] = 1
    other, *_ = np.linalg.lstsq(A, b, rcond=None)
    return -np.sum(pi * np.log(other)) + np.sum((pi - 0.2) ** 3)


def absorption(logits):
    P = np.exp(logits)
    P[-1] = [0, 0, 0, 1]
    P /= P.sum(axis=1)[:, None]
    Q, R = P[:-1, :-1], P[:-1, -1:]
    N = np.linalg.inv(np.eye(3) - Q)
    return (N @ np.ones(3)).sum() + np.squeeze(N @ R)[0]


def generator(rates):
    """A Markov process in continuous time: expm of its generator."""
    G = np.zeros((3, 3))
    G[0, 1], G[1, 0], G[1, 2], G[2, 1] = rates
    G -= np.diag(G.sum(axis=1))
    p = np.array([1.0, 0.0, 0.0])
    loglik = 0.0
    for dt, state in [(0.5, 1), (1.2, 2), (0.3, 0)]:
        p = p @ linalg.expm(G * dt)
        loglik += np.log(p[state])
        p = np.eye(3)[state]
    return loglik


def heat_equation(k):
    u = np.zeros(12)
    u[4:8] = 1.0
    for _ in range(10):
        u[1:-1] += 0.2 * k * (u[2:] - 2 * u[1:-1] + u[:-2])
        u[0], u[-1] = u[1], u[-2]
    return np.sum(np.gradient(u) ** 2) + u[6]


def heat_of_initial_state(u):
    """Steps in place on the argument itself."""
    for _ in range(5):
        u[1:-1] = u[1:-1] + 0.2 * np.diff(u, 2)
    u[u < 0] *= 0.5
    return np.sum(u**2 * np.arange(len(u)))


def wave_equation(c):
    """Two dimensions, leapfrog, speeds on a grid."""
    old = np.zeros((6, 6))
    old[2, 3] = 1.0
    now, dt = old.copy(), 0.3
    for _ in range(6):
        lap = np.zeros_like(now)
        lap[1:-1, 1:-1] = (
            now[2:, 1:-1] + now[:-2, 1:-1] + now[1:-1, 2:] + now[1:-1, :-2] - 4 * now[1:-1, 1:-1]
        )
        new = 2 * now - old + (c * dt) ** 2 * lap
        new[[0, -1], :] = 0
        new[:, [0, -1]] = 0
        old, now = now, new
    return np.sum(now[3:5] ** 2)


def advection(v):
    u = np.exp(-((np.arange(10) - 4.0) ** 2))
    for _ in range(4):
        left = u - np.roll(u, 1)
        right = np.roll(u, -1) - u
        u = u - 0.3 * (np.maximum(v, 0) * left + np.minimum(v, 0) * right)
    return np.sum(u * np.sin(np.arange(10)))


def burgers_limiter(u):
    """Upwind with a minmod limiter, by masks and slices."""
    for _ in range(3):
        a, b = u[1:-1] - u[:-2], u[2:] - u[1:-1]
        slope = np.zeros_like(u)
        slope[1:-1] = np.where(a * b > 0, np.sign(a) * np.minimum(abs(a), abs(b)), 0)
        flux = 0.5 * (u + 0.5 * slope) ** 2
        u[1:] -= 0.1 * np.diff(flux)
    return np.linalg.norm(u) + u[3]


def runge_kutta(theta):
    a, b, c, d = theta

    def rhs(y):
        return np.array([a * y[0] - b * y[0] * y[1], c * y[0] * y[1] - d * y[1]])

    y, h = np.array([1.0, 0.8]), 0.2
    path = np.empty((11, 2))
    path[0] = y
    for i in range(10):
        k1 = rhs(y)
        k2 = rhs(y + h / 2 * k1)
        k3 = rhs(y + h / 2 * k2)
        k4 = rhs(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path[i + 1] = y
    return np.mean((path - 1) ** 2)


def fit_of_an_ode(theta):
    def rhs(y, t, beta, gamma):
        s, i = y
        return [-beta * s * i, beta * s * i - gamma * i]

    path = integrate.odeint(rhs, [0.99, 0.01 * theta[2]], TIMES, args=(theta[0], theta[1]))
    return np.sum((path[:, 1] - 0.05) ** 2) * 100


def pendulum(theta):
    def rhs(t, y):
        return np.array([y[1], -theta[0] * np.sin(y[0]) - theta[1] * y[1]])

    sol = integrate.solve_ivp(rhs, (0, 2), np.array([1.0, 0.0]), t_eval=TIMES, rtol=1e-9, atol=1e-9)
    return np.sum(sol.y[0] ** 2)


def neural_ode(weights):
    W1, W2 = weights[:8].reshape(4, 2), weights[8:].reshape(2, 4)
    y = np.array([[1.0, 0.0], [0.0, 1.0]])
    for _ in range(5):
        y += 0.1 * np.tanh(y @ W1.T) @ W2.T
    return np.mean((y - 1) ** 2)


def n_body(x):
    m = np.array([1.0, 2.0, 0.5, 1.5])
    d = x[:, None, :] - x[None, :, :]
    r = np.sqrt((d**2).sum(-1) + 1e-2)
    i, j = np.triu_indices(4, 1)
    return -np.sum(m[i] * m[j] / r[i, j])


def leapfrog(x):
    """Molecular dynamics in place: forces added pair by pair."""
    pos, vel = x.copy(), np.zeros_like(x)
    for _ in range(3):
        force = np.zeros_like(pos)
        for i in range(len(pos)):
            for j in range(i + 1, len(pos)):
                r = pos[j] - pos[i]
                f = r / (np.dot(r, r) + 0.1) ** 1.5
                force[i] += f
                force[j] -= f
        vel += 0.1 * force
        pos += 0.1 * vel
    return 0.5 * np.sum(vel**2) + np.linalg.norm(pos, axis=1).sum()


def rigid_body(angles):
    a, b, c = angles
    Rz = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    Ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    k = np.array([[0, -c, 0.1], [c, 0, -0.2], [-0.1, 0.2, 0]])
    rotation = Rz @ Ry @ linalg.expm(k)
    points = np.arange(12.0).reshape(4, 3) / 5
    moved = points @ rotation.T
    moved -= moved.mean(axis=0)
    inertia = np.sum(moved**2) * np.eye(3) - moved.T @ moved
    omega = np.linalg.solve(inertia + np.eye(3), np.cross(moved[0], [1.0, 2.0, 3.0]))
    return omega @ inertia @ omega + np.arctan2(rotation[1, 0], rotation[0, 0])


def ising_mean_field(theta):
    J, h = theta
    m = 0.1 * np.ones((3, 3))
    for _ in range(20):
        around = sum(np.roll(m, s, axis) for s in (-1, 1) for axis in (0, 1))
        m = np.tanh(J * around + h)
    return m.mean()


def ising_transfer(theta):
    J, h = theta
    T = np.array([[np.exp(J + h), np.exp(-J)], [np.exp(-J), np.exp(J - h)]])
    return np.log(np.trace(np.linalg.matrix_power(T, 8))) + np.log(np.linalg.eigvalsh(T)[-1])


PROGRAMS = [
    (kalman_filter, [np.array([-0.5, 0.2])]),
    (hidden_markov_forward, [RNG.normal(size=(2, 2)), RNG.normal(size=(2, 3))]),
    (viterbi, [RNG.normal(size=(2, 3))]),
    (soft_edit_distance, [np.array([1.0, 1.2, 1.6])]),
    (stationary_distribution, [RNG.normal(size=(4, 4))]),
    (absorption, [RNG.normal(size=(4, 4))]),
    (generator, [np.array([0.5, 1.0, 0.7, 0.4])]),
    (heat_equation, [np.array(0.9)]),
    (heat_of_initial_state, [RNG.normal(size=9)]),
    (wave_equation, [1 + 0.1 * RNG.normal(size=(6, 6))]),
    (advection, [RNG.normal(size=10)]),
    (burgers_limiter, [RNG.normal(size=8)]),
    (runge_kutta, [np.array([1.1, 0.4, 0.3, 0.9])]),
    (fit_of_an_ode, [np.array([3.0, 1.0, 1.5])]),
    (pendulum, [np.array([2.0, 0.3])]),
    (neural_ode, [RNG.normal(size=16)]),
    (n_body, [RNG.normal(size=(4, 3))]),
    (leapfrog, [RNG.normal(size=(3, 2))]),
    (rigid_body, [np.array([0.3, 0.5, 0.7])]),
    (ising_mean_field, [np.array([0.2, 0.1])]),
    (ising_transfer, [np.array([0.4, 0.1])]),
]
