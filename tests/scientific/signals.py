"""Spectra, optics, kernels, factorisations, curves: fields of arrays and matrices."""

import numpy as np
from scipy import integrate, interpolate, linalg, signal, special

RNG = np.random.default_rng(3)
X = np.sort(RNG.uniform(0, 3, 7))
Y = np.sin(X)
SIGNAL = RNG.normal(size=16)


def gaussian_process(theta):
    """Marginal likelihood with an RBF kernel, by Cholesky."""
    length, amplitude, noise = np.exp(theta)
    d2 = (X[:, None] - X[None, :]) ** 2
    K = amplitude * np.exp(-0.5 * d2 / length**2)
    K[np.diag_indices_from(K)] += noise + 1e-6
    L = np.linalg.cholesky(K)
    alpha = linalg.solve_triangular(L.T, linalg.solve_triangular(L, Y, lower=True))
    return 0.5 * Y @ alpha + np.log(np.diag(L)).sum() + 0.5 * len(X) * np.log(2 * np.pi)


def matern_process(theta):
    length, amplitude = np.exp(theta[0]), np.exp(theta[1])
    r = np.sqrt(5) * np.abs(np.subtract.outer(X, X)) / length
    K = amplitude * (1 + r + r**2 / 3) * np.exp(-r) + 0.1 * np.identity(len(X))
    factor = linalg.cho_factor(K, lower=True)
    logdet = 2 * np.sum(np.log(np.diagonal(factor[0])))
    Ks = amplitude * np.exp(-np.abs(1.5 - X) / length)
    return 0.5 * Y @ linalg.cho_solve(factor, Y) + 0.5 * logdet + Ks @ linalg.cho_solve(factor, Y)


def power_spectrum(x):
    window = np.hanning(len(x))
    spectrum = np.abs(np.fft.rfft(x * window)) ** 2
    freq = np.fft.rfftfreq(len(x))
    centroid = np.sum(freq * spectrum) / spectrum.sum()
    return centroid + np.mean(10 * np.log10(spectrum + 1e-3))


def phase_retrieval(phase):
    field = np.exp(1j * phase)
    field[0, :] = 0
    far = np.fft.fftshift(np.fft.fft2(field, norm="ortho"))
    return np.mean((np.abs(far) - 0.5) ** 2)


def filter_design(taps):
    w = np.linspace(0, np.pi, 20)
    H = np.exp(-1j * np.outer(w, np.arange(len(taps)))) @ taps
    wanted = np.zeros(20)
    wanted[w < 1] = 1
    phase = np.unwrap(np.angle(H))
    return np.sum((abs(H) - wanted) ** 2) + 0.01 * np.sum(phase**2)


def fresnel_propagation(phase):
    n = len(phase)
    k = np.fft.fftfreq(n)
    kernel = np.exp(-1j * np.pi * 2.0 * (k[:, None] ** 2 + k**2))
    field = np.ones((n, n), dtype=complex)
    field *= np.exp(1j * phase)
    field = np.fft.ifft2(np.fft.fft2(field) * kernel)
    intensity = field.real**2 + field.imag**2
    return np.sum(intensity[1:3, 1:3] ** 2)


def thin_film(thickness):
    """Reflection of a stack of layers by transfer matrices."""
    n = [1.0, 2.3, 1.38, 2.3, 1.5 + 0.02j]
    total = 0.0
    for wavelength in [0.5, 0.6, 0.7]:
        M = np.eye(2, dtype=complex)
        for layer, index in zip(thickness, n[1:-1], strict=True):
            delta = 2 * np.pi * index * layer / wavelength
            M = M @ np.array(
                [
                    [np.cos(delta), -1j * np.sin(delta) / index],
                    [-1j * index * np.sin(delta), np.cos(delta)],
                ]
            )
        B, C = M @ np.array([1, n[-1]])
        r = (B - C) / (B + C)
        total += np.abs(r) ** 2
    return total


def convolution(kernel):
    y = np.convolve(SIGNAL, kernel, mode="same")
    z = np.correlate(y, kernel, "full")
    padded = np.pad(y, 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3)
    return np.sum(y**2) + z.max() + np.tanh(windows.mean(axis=-1)).sum()


def principal_components(data):
    centered = data - data.mean(0)
    U, s, Vt = np.linalg.svd(centered, full_matrices=False)
    explained = s**2 / np.sum(s**2)
    scores = centered @ Vt[:2].T
    return explained[0] + np.sum(np.abs(scores)) + np.linalg.norm(U[:, 0] ** 3)


def independent_components(W):
    """FastICA's contrast, W made orthogonal by its covariance."""
    mixed = np.vstack([np.sin(np.arange(12)), np.sign(np.cos(2 * np.arange(12)) + 0.1)])
    evals, evecs = np.linalg.eigh(W @ W.T)
    W = evecs @ np.diag(1 / np.sqrt(evals)) @ evecs.T @ W
    white = (mixed - mixed.mean(axis=1, keepdims=True)) / mixed.std(axis=1, keepdims=True)
    return np.mean(np.log(np.cosh(W @ white)))


def least_squares(x):
    """A ridge, a pseudo-inverse and a polynomial within an objective."""
    A = np.vander(x, 3)
    coef, residuals, rank, sv = np.linalg.lstsq(A, Y, rcond=None)
    ridge = np.linalg.solve(A.T @ A + 0.1 * np.eye(3), A.T @ Y)
    pinv = np.linalg.pinv(A) @ Y
    poly = np.polyfit(x, Y, 2)
    fitted = np.polyval(poly, x)
    return coef @ ridge + pinv.sum() + np.sum((fitted - Y) ** 2) + sv[0] + rank + residuals[0]


def roots_of_a_polynomial(p):
    r = np.roots(p)
    return np.max(np.abs(r)) + np.sum(np.real(r) ** 2) + np.polyval(np.polyder(p), 0.3)


def sinkhorn(cost):
    K = np.exp(-cost / 0.5)
    a, b = np.ones(4) / 4, np.array([0.1, 0.2, 0.3, 0.4])
    u = np.ones_like(a)
    for _ in range(10):
        v = b / (K.T @ u)
        u = a / (K @ v)
    plan = u[:, None] * K * v
    return np.sum(plan * cost)


def log_sinkhorn(x):
    """In logarithms, with potentials written in place."""
    C = (x[:, None] - np.linspace(0, 1, 5)) ** 2
    f, g = np.zeros(len(x)), np.zeros(5)
    for _ in range(5):
        f[:] = -0.2 * special.logsumexp((g - C) / 0.2, axis=1)
        g[:] = -0.2 * special.logsumexp((f[:, None] - C) / 0.2, axis=0)
    return f.mean() + g.mean()


def matrix_factorization(W):
    V = np.abs(np.outer(np.arange(1, 5), np.arange(1, 4)) + np.eye(4, 3))
    W = np.abs(W)
    H = np.ones((2, 3))
    for _ in range(3):
        H *= (W.T @ V) / (W.T @ W @ H)
        W *= (V @ H.T) / (W @ H @ H.T)
    return np.linalg.norm(V - W @ H, "fro")


def spline(y):
    curve = interpolate.CubicSpline(np.arange(6.0), y, bc_type="natural")
    t = np.linspace(0.1, 4.9, 9)
    return np.trapezoid(curve(t) ** 2, t) + np.sum(curve(t, 2) ** 2)


def interpolation(y):
    grid = np.linspace(0, 5, 6)
    t = np.array([0.3, 1.7, 4.2, 6.0])
    line = np.interp(t, grid, y)
    i = np.clip(np.searchsorted(grid, t) - 1, 0, 4)
    w = (t - grid[i]) / (grid[i + 1] - grid[i])
    by_hand = (1 - w) * y[i] + w * y[i + 1]
    inverse = np.interp(0.4, np.cumsum(np.abs(y)) / np.abs(y).sum(), grid)
    return np.sum(line * by_hand) + inverse


def b_spline_basis(coef):
    """Cox and de Boor's table, filled in loops."""
    knots = np.concatenate([[0] * 3, np.linspace(0, 1, 4), [1] * 3])
    x = np.linspace(0.05, 0.95, 6)
    B = np.zeros((len(knots) - 1, len(x)))
    for i in range(len(knots) - 1):
        B[i] = (knots[i] <= x) & (x < knots[i + 1])
    for k in range(1, 4):
        for i in range(len(knots) - 1 - k):
            left = right = 0
            if knots[i + k] > knots[i]:
                left = (x - knots[i]) / (knots[i + k] - knots[i]) * B[i]
            if knots[i + k + 1] > knots[i + 1]:
                right = (knots[i + k + 1] - x) / (knots[i + k + 1] - knots[i + 1]) * B[i + 1]
            B[i] = left + right
    return np.sum((coef @ B[: len(coef)]) ** 2)


def special_field(r):
    """An Airy pattern and an integral of a Bessel function."""
    airy = (2 * special.j1(r) / r) ** 2
    return np.trapezoid(airy, r) + np.sum(special.erf(r) * np.sinc(r)) + special.i0(r).mean()


def laplacian_spectrum(weights):
    A = np.zeros((4, 4))
    A[np.triu_indices(4, 1)] = weights
    A = A + A.T
    L = np.diag(A.sum(axis=0)) - A
    w, v = np.linalg.eigh(L)
    cut = v[:, 1] @ L @ v[:, 1]
    return w[1] + cut + np.log(w[1:]).sum() + np.trace(linalg.expm(-L))


def digital_filter(theta):
    """The coefficients of a recursive filter, fitted to the smoothed signal."""
    b, a = theta[:2], np.concatenate([np.ones(1), theta[2:]])
    smooth = signal.filtfilt(*signal.butter(1, 0.4), SIGNAL)
    filtered = signal.lfilter(b, a, SIGNAL)
    error = integrate.simpson((filtered - smooth) ** 2, dx=0.5)
    envelope = np.abs(signal.hilbert(signal.detrend(filtered)))
    echoes = signal.fftconvolve(filtered, signal.windows.hann(5), mode="same")
    return error + 0.1 * np.max(signal.correlate(echoes, SIGNAL)) + np.mean(envelope)


def state_space(k):
    """A damped chain of masses: how stable it is, how much noise moves it, its response."""
    A = np.zeros((4, 4))
    A[:2, 2:] = np.eye(2)
    A[2:, :2] = -linalg.toeplitz(k)
    A[2:, 2:] = -0.5 * np.eye(2)
    spread = linalg.solve_continuous_lyapunov(A, -np.eye(4))
    lu_and_piv = linalg.lu_factor(A)
    still = linalg.lu_solve(lu_and_piv, np.arange(1.0, 5.0))
    modes = linalg.eigvals(A)
    fitted = linalg.lstsq(linalg.circulant(k)[:, :1], np.ones(2))[0]
    return linalg.norm(spread) + np.max(modes.imag) + still @ still + fitted[0]


PROGRAMS = [
    (gaussian_process, [np.array([0.1, 0.2, -1.0])]),
    (matern_process, [np.array([0.3, 0.2])]),
    (power_spectrum, [RNG.normal(size=16)]),
    (phase_retrieval, [RNG.normal(size=(4, 4))]),
    (filter_design, [RNG.normal(size=5)]),
    (fresnel_propagation, [RNG.normal(size=(4, 4))]),
    (thin_film, [np.array([0.06, 0.1, 0.07])]),
    (convolution, [RNG.normal(size=5)]),
    (principal_components, [RNG.normal(size=(6, 3))]),
    (independent_components, [RNG.normal(size=(2, 2))]),
    (least_squares, [X.copy()]),
    (roots_of_a_polynomial, [np.array([1.0, -0.5, 2.0, 0.7])]),
    (sinkhorn, [RNG.uniform(size=(4, 4))]),
    (log_sinkhorn, [RNG.uniform(size=4)]),
    (matrix_factorization, [RNG.uniform(0.5, 1, size=(4, 2))]),
    (spline, [RNG.normal(size=6)]),
    (interpolation, [RNG.normal(size=6)]),
    (b_spline_basis, [RNG.normal(size=6)]),
    (special_field, [np.array([0.5, 1.0, 1.5, 2.5])]),
    (digital_filter, [np.array([0.4, 0.2, -0.3, 0.1])]),
    (state_space, [np.array([2.0, -0.7])]),
    (laplacian_spectrum, [np.array([1.0, 0.5, 0.7, 1.2, 0.3, 0.9])]),
]
