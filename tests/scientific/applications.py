"""Optics, mechanics, tables, lines of spectra and images: what other fields write."""

import numpy as np
from scipy import fft, interpolate, ndimage, signal, special, stats

RNG = np.random.default_rng(11)
T = np.array([3.0, 5.0, 1.5, 8.0, 2.2, 6.1, 4.4])
D = np.array([1, 0, 1, 1, 0, 1, 1])
Z = RNG.normal(size=(7, 2))


def jones_polarisation(angles):
    """Stokes parameters behind retarding plates."""

    def rot(t):
        c, s = np.cos(t), np.sin(t)
        return np.array([[c, s], [-s, c]])

    J = np.eye(2, dtype=np.complex128)
    for a, ret in zip(angles[::2], angles[1::2], strict=True):
        plate = np.diag(np.exp(1j * np.array([0, 1]) * ret))
        J = rot(-a) @ plate @ rot(a) @ J
    out = J @ np.array([1, 0])
    S = np.array(
        [
            np.abs(out[0]) ** 2 + np.abs(out[1]) ** 2,
            np.abs(out[0]) ** 2 - np.abs(out[1]) ** 2,
            2 * np.real(out[0] * out[1].conj()),
            -2 * np.imag(out[0] * np.conj(out[1])),
        ]
    )
    return S[1] + 0.5 * S[2] - 0.3 * S[3] ** 2


def square_root_kalman(theta):
    """A filter that carries the square root of a variance."""
    q, r, a = np.exp(theta[0]), np.exp(theta[1]), np.tanh(theta[2])
    y = np.cumsum(np.sin(np.arange(10)))
    x, S = 0.0, 1.0
    nll = 0.0
    innov = np.empty_like(y)
    for t, obs in enumerate(y):
        x = a * x
        S = np.hypot(a * S, np.sqrt(q))
        F = S * S + r
        innov[t] = obs - x
        nll += 0.5 * (np.log(F) + innov[t] ** 2 / F)
        K = S * S / F
        x += K * innov[t]
        S *= np.sqrt(1 - K)
    return nll + innov.std()


def needleman_wunsch_soft(params):
    """Alignment of two sequences by a table, with a soft maximum."""
    s, t = "GATTAC", "GCATG"
    match, mismatch, gap = params
    H = np.empty((len(s) + 1, len(t) + 1))
    H[:, 0] = gap * np.arange(len(s) + 1)
    H[0] = gap * np.arange(len(t) + 1)
    for i, a in enumerate(s, 1):
        for j, b in enumerate(t, 1):
            sc = match if a == b else mismatch
            H[i][j] = special.logsumexp(
                [H[i - 1, j - 1] + sc, H[i - 1, j] + gap, H[i, j - 1] + gap]
            )
    return H[-1, -1]


def bellman_iteration(r):
    """Values of a Markov decision process."""
    P = np.abs(np.sin(np.arange(18).reshape(2, 3, 3))) + 0.1
    P /= P.sum(axis=-1, keepdims=True)
    V = np.zeros(3)
    for _ in range(15):
        Q = r.T + 0.8 * np.einsum("asn,n->as", P, V)
        V = Q.max(axis=0)
    policy = Q.argmax(axis=0)
    return V.sum() + Q[policy, np.arange(3)].prod()


def floyd_warshall(w):
    """Shortest paths between all nodes of a graph."""
    n = 4
    D = np.full((n, n), np.inf)
    np.fill_diagonal(D, 0)
    D[[0, 1, 2, 3, 0], [1, 2, 3, 0, 2]] = np.abs(w)
    for k in range(n):
        D = np.minimum(D, D[:, k, None] + D[None, k, :])
    return D.sum()


def natural_spline_by_hand(y):
    """Second derivatives at the nodes by a system filled in place."""
    x = np.array([0.0, 1.0, 2.5, 3.0, 4.2])
    h = np.diff(x)
    n = len(x)
    A = np.zeros((n, n))
    r = np.zeros(n)
    A[0, 0] = A[-1, -1] = 1
    for i in range(1, n - 1):
        A[i, i - 1 : i + 2] = h[i - 1], 2 * (h[i - 1] + h[i]), h[i]
        r[i] = 6 * ((y[i + 1] - y[i]) / h[i] - (y[i] - y[i - 1]) / h[i - 1])
    M = np.linalg.solve(A, r)
    xx = np.linspace(0.1, 4.1, 7)
    i = np.digitize(xx, x) - 1
    t = xx - x[i]
    s = (
        y[i]
        + t * ((y[i + 1] - y[i]) / h[i] - h[i] * (2 * M[i] + M[i + 1]) / 6)
        + t**2 * M[i] / 2
        + t**3 * (M[i + 1] - M[i]) / (6 * h[i])
    )
    return np.sum(s**2)


def pchip_fit(y):
    """A monotone curve through values."""
    p = interpolate.PchipInterpolator(np.arange(5.0), y)
    return np.sum(p(np.linspace(0, 4, 9)) ** 2)


def map_coords(shift):
    """An image moved by parts of a pixel."""
    img = np.sin(np.arange(36.0)).reshape(6, 6)
    y, x = np.mgrid[1:5, 1:5].astype(float)
    v = ndimage.map_coordinates(img, [y + shift[0], x + shift[1]], order=1)
    return np.sum(v**2)


def dct_compress(x):
    """The cost of a signal in its cosine transform."""
    c = fft.dct(x, norm="ortho")
    return np.sum(np.abs(c[3:])) + fft.idct(c * np.arange(len(x)), norm="ortho")[2]


def lorenz_voigt(theta):
    """Least squares for a spectral line."""
    x = np.linspace(-3, 3, 21)
    amp, c, sg, gm = theta
    model = amp * special.voigt_profile(x - c, np.exp(sg), np.exp(gm))
    data = np.exp(-(x**2))
    return np.sum((data - model) ** 2)


def em_missing_gaussian(theta):
    """The likelihood of normal rows with missing entries."""
    mu = theta[:2].copy()
    S = np.array([[np.exp(theta[2]), theta[3]], [theta[3], np.exp(theta[4])]])
    X = Z.copy()
    X[[1, 4], 0] = np.nan
    ll = 0.0
    for row in X:
        o = ~np.isnan(row)
        r = row[o] - mu[o]
        Soo = S[np.ix_(o, o)]
        ll += -0.5 * (np.linalg.slogdet(Soo)[1] + r @ np.linalg.solve(Soo, r))
    return ll


def tight_binding(t):
    """The free energy of two bands."""
    k = np.linspace(-np.pi, np.pi, 7)
    H = np.zeros((len(k), 2, 2), dtype=complex)
    H[:, 0, 1] = t[0] + t[1] * np.exp(-1j * k)
    H[:, 1, 0] = np.conj(H[:, 0, 1])
    H[:, 0, 0], H[:, 1, 1] = t[2], -t[2]
    E = np.linalg.eigvalsh(H)
    return np.log(np.sum(np.exp(-E / 0.3)))


def truss(area):
    """The compliance of a truss, from stiffness added up by index."""
    nodes = np.array([[0, 0], [1, 0], [0.5, 1.0], [1.5, 1.0]])
    bars = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    K = np.zeros((8, 8))
    for (i, j), A in zip(bars, area, strict=True):
        d = nodes[j] - nodes[i]
        L = np.linalg.norm(d)
        u = d / L
        k = A / L * np.block([[np.outer(u, u), -np.outer(u, u)], [-np.outer(u, u), np.outer(u, u)]])
        dof = [2 * i, 2 * i + 1, 2 * j, 2 * j + 1]
        K[np.ix_(dof, dof)] += k
    free = [2, 4, 5, 6, 7]
    f = np.zeros(8)
    f[7] = -1
    u = np.linalg.solve(K[np.ix_(free, free)], f[free])
    return f[free] @ u


def spectrogram_loss(x):
    """Short-time spectra, and back."""
    f, _, S = signal.stft(x, nperseg=8)
    _, back = signal.istft(S * np.exp(-f[:, None]), nperseg=8)
    return np.sum(np.log(np.abs(S) ** 2 + 0.1)) + np.sum(back[: len(x)] * x)


def kde_entropy(x):
    """A density by kernels, of the sample."""
    kde = stats.gaussian_kde(x)
    return -np.mean(kde.logpdf(np.linspace(-1, 1, 5)))


def kaplan_meier_weighted(w):
    """Mean survival from weighted risk sets."""
    order = np.argsort(T)
    ws = w[order]
    at_risk = np.cumsum(ws[::-1])[::-1]
    hazard = ws * D[order] / at_risk
    S = np.cumprod(1 - hazard)
    area = np.sum(S[:-1] * np.diff(T[order]))
    return area + S[-1] ** 2


PROGRAMS = [
    (jones_polarisation, [np.array([0.2, 1.5, 0.7, 0.4])]),
    (square_root_kalman, [np.array([-0.5, -1.0, 0.8])]),
    (needleman_wunsch_soft, [np.array([1.0, -0.5, -0.7])]),
    (bellman_iteration, [RNG.normal(size=(3, 2))]),
    (floyd_warshall, [np.array([1.0, 2.0, 0.7, 1.1, 2.5])]),
    (natural_spline_by_hand, [RNG.normal(size=5)]),
    (pchip_fit, [np.array([0.1, 0.5, 0.3, 0.9, 1.0])]),
    (map_coords, [np.array([0.3, -0.2])]),
    (dct_compress, [RNG.normal(size=8)]),
    (lorenz_voigt, [np.array([1.0, 0.1, -0.5, -1.0])]),
    (em_missing_gaussian, [np.array([0.1, 0.2, 0.3, 0.2, -0.1])]),
    (tight_binding, [np.array([1.0, 0.6, 0.2])]),
    (truss, [np.array([1.0, 0.8, 1.2, 0.9, 1.1])]),
    (spectrogram_loss, [RNG.normal(size=20)]),
    (kde_entropy, [RNG.normal(size=6)]),
    (kaplan_meier_weighted, [np.array([1.0, 0.8, 1.3, 0.7, 1.1, 0.9, 1.2])]),
]
