"""Likelihoods, losses and estimators, as statisticians write them in NumPy and SciPy."""

import numpy as np
from scipy import special, stats

RNG = np.random.default_rng(1)
TIMES = np.array([0.7, 2.1, 1.3, 4.0, 3.2, 0.4])
EVENT = np.array([1, 1, 0, 1, 0, 1], dtype=bool)
DESIGN = np.column_stack([np.ones(6), np.array([0.2, -1.1, 0.5, 1.4, -0.3, 0.8])])
COUNTS = np.array([1, 0, 2, 5, 1, 3])
TRIALS = np.array([4, 3, 6, 7, 5, 5])
RATINGS = np.array([0, 0, 1, 2, 1, 2])
SAMPLE = np.array([-1.2, 0.3, 2.5, 0.9, -0.4, 1.7, 3.1, -2.0])


def weibull_survival(theta):
    """Censored Weibull regression: density for events, survival for the others."""
    beta, log_shape = theta[:2], theta[2]
    shape = np.exp(log_shape)
    scale = np.exp(DESIGN @ beta)
    z = (TIMES / scale) ** shape
    log_hazard = np.log(shape / scale) + (shape - 1) * np.log(TIMES / scale)
    return -(np.sum(log_hazard[EVENT]) - z.sum())


def weibull_by_scipy(theta):
    """The same by scipy.stats."""
    shape, scale = np.exp(theta[2]), np.exp(DESIGN @ theta[:2])
    dist = stats.weibull_min(shape, scale=scale)
    return -np.where(EVENT, dist.logpdf(TIMES), dist.logsf(TIMES)).sum()


def beta_binomial(theta):
    a, b = np.exp(theta)
    choose = -np.log(TRIALS + 1) - special.betaln(TRIALS - COUNTS + 1, COUNTS + 1)
    loglik = choose + special.betaln(COUNTS + a, TRIALS - COUNTS + b) - special.betaln(a, b)
    return -loglik.mean()


def negative_binomial_regression(theta):
    mu = np.exp(DESIGN.dot(theta[:-1]))
    alpha = np.exp(theta[-1])
    n = 1 / alpha
    return -stats.nbinom.logpmf(COUNTS, n, n / (n + mu)).sum()


def zero_inflated_poisson(theta):
    mu, p = np.exp(DESIGN @ theta[:2]), special.expit(theta[2])
    zero = COUNTS == 0
    out = np.zeros(len(COUNTS))
    out[zero] = np.log(p + (1 - p) * np.exp(-mu[zero]))
    out[~zero] = np.log1p(-p) + special.xlogy(COUNTS, mu)[~zero] - mu[~zero]
    out[~zero] -= special.gammaln(COUNTS[~zero] + 1)
    return -out.sum()


def ordinal_probit(theta):
    cuts = np.concatenate([[-np.inf], np.cumsum([theta[0], np.exp(theta[1])]), [np.inf]])
    eta = DESIGN[:, 1] * theta[2]
    upper, lower = cuts[RATINGS + 1] - eta, cuts[RATINGS] - eta
    return -np.log(special.ndtr(upper) - special.ndtr(lower)).sum()


def softmax_regression(weights):
    logits = DESIGN @ weights
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    one_hot = np.eye(3)[RATINGS]
    return -np.mean(np.log(p[np.arange(len(RATINGS)), RATINGS])) + 0.1 * ((p - one_hot) ** 2).sum()


def mixture_log_likelihood(theta):
    weights = special.softmax(theta[:2])
    parts = []
    for k in range(2):
        parts.append(
            np.log(weights[k]) + stats.norm.logpdf(SAMPLE, theta[2 + k], np.exp(theta[4 + k]))
        )
    return -special.logsumexp(np.array(parts), axis=0).sum()


def em_steps(theta):
    """Two steps of EM for a mixture of two normal distributions, then its likelihood."""
    mu, sigma, pi = theta[:2].copy(), np.exp(theta[2:4]), np.array([0.5, 0.5])
    for _ in range(2):
        density = pi * np.exp(-0.5 * ((SAMPLE[:, None] - mu) / sigma) ** 2) / sigma
        resp = density / density.sum(axis=1, keepdims=True)
        n = resp.sum(axis=0)
        mu[:] = resp.T @ SAMPLE / n
        sigma = np.sqrt((resp * (SAMPLE[:, None] - mu) ** 2).sum(0) / n)
        pi = n / n.sum()
    return np.sum(np.log(density.sum(axis=1)))


def mahalanobis(data):
    centered = data - data.mean(axis=0)
    cov = np.cov(data, rowvar=False)
    d2 = np.einsum("ij,jk,ik->i", centered, np.linalg.inv(cov), centered)
    sign, logdet = np.linalg.slogdet(cov)
    return np.sqrt(d2).max() + sign * logdet


def student_t_regression(theta):
    resid = TIMES - DESIGN @ theta[:2]
    return -np.sum(stats.t.logpdf(resid, df=np.exp(theta[2]), scale=np.exp(theta[3])))


def cvar(weights):
    """Expected loss beyond a quantile of a portfolio's losses, with pinball loss."""
    returns = np.outer(SAMPLE, [0.4, 0.1, -0.2]) + np.array([0.1, 0.2, 0.3])
    returns[:, 1] += SAMPLE[::-1] ** 2
    losses = np.sort(-returns @ weights)[::-1]
    var = np.quantile(losses, 0.7)
    tail = losses[losses >= var]
    u = losses - weights[0]
    pinball = np.maximum(0.9 * u, (0.9 - 1) * u)
    return tail.mean() + np.percentile(losses, 30) + pinball.mean()


def wasserstein(x):
    a, b = np.sort(x), np.sort(SAMPLE)
    rank = np.argsort(x)
    return np.abs(a - b).mean() + (x[rank] * np.arange(8)).sum() + np.median(x)


def missing_data(x):
    """Columns with gaps: centred, scaled, filled, correlated."""
    data = x.copy()
    data[0, 1] = np.nan
    data[3, 0] = np.nan
    mean = np.nanmean(data, axis=0)
    sd = np.nanstd(data, axis=0, ddof=1)
    z = (data - mean) / sd
    mask = np.isnan(z)
    z[mask] = 0.0
    both = ~mask.any(axis=1)
    filled = np.where(np.isnan(data), mean, data)
    total = np.nansum(data[both]) + np.nanmax(data) - np.nanmedian(data)
    return np.sum(z**3) + total + np.prod(filled[0]) + np.corrcoef(filled.T)[0, 1]


def autoregressive(phi):
    y = SAMPLE
    resid = np.zeros_like(y)
    for t in range(2, len(y)):
        resid[t] = y[t] - phi[0] * y[t - 1] - phi[1] * y[t - 2] - phi[2] * resid[t - 1]
    s2 = np.mean(resid[2:] ** 2)
    return 0.5 * np.log(s2)


def garch(theta):
    omega, alpha, beta = np.exp(theta)
    h = np.empty(len(SAMPLE))
    h[0] = SAMPLE.var()
    for t in range(1, len(SAMPLE)):
        h[t] = omega + alpha * SAMPLE[t - 1] ** 2 + beta * h[t - 1]
    return 0.5 * np.sum(np.log(h) + SAMPLE**2 / h)


def portfolio(weights):
    w = np.exp(weights) / np.exp(weights).sum()
    returns = np.stack([SAMPLE, SAMPLE[::-1], np.roll(SAMPLE, 3)])
    sigma = np.cov(returns)
    risk = np.sqrt(w @ sigma @ w)
    contribution = w * (sigma @ w) / risk
    return risk - 0.3 * w @ returns.mean(axis=1) + np.var(contribution)


def weighted_histogram(weights):
    p, edges = np.histogram(SAMPLE, bins=4, range=(-3, 4), weights=weights)
    p = p / p.sum()
    entropy = -np.sum(special.xlogy(p, p))
    counts = np.bincount(RATINGS, weights=weights[:6], minlength=3)
    return entropy + np.log(counts).sum() + edges[0]


def kernel_density(x):
    """A kernel density at its own points, without the diagonal."""
    d = x[:, np.newaxis] - x
    k = np.exp(-0.5 * d**2)
    np.fill_diagonal(k, 0)
    i, j = np.triu_indices(len(x), k=1)
    return np.log(k.sum(axis=1)).sum() + np.tanh(d[i, j]).mean()


def cox(beta):
    """Cox's partial likelihood: risk sets by a cumulative sum from the end."""
    order = np.argsort(TIMES)
    eta = (DESIGN[:, 1:] @ beta)[order]
    risk = np.log(np.cumsum(np.exp(eta)[::-1])[::-1])
    return -np.sum((eta - risk)[EVENT[order]])


PROGRAMS = [
    (weibull_survival, [np.array([0.3, 0.2, 0.1])]),
    (weibull_by_scipy, [np.array([0.3, 0.2, 0.1])]),
    (beta_binomial, [np.array([0.3, 0.8])]),
    (negative_binomial_regression, [np.array([0.4, 0.3, -0.5])]),
    (zero_inflated_poisson, [np.array([0.4, 0.3, -0.5])]),
    (ordinal_probit, [np.array([-0.5, 0.1, 0.6])]),
    (softmax_regression, [RNG.normal(size=(2, 3))]),
    (mixture_log_likelihood, [np.array([0.1, -0.2, -1.0, 1.5, 0.1, 0.2])]),
    (em_steps, [np.array([-1.0, 1.5, 0.1, 0.2])]),
    (mahalanobis, [RNG.normal(size=(6, 3))]),
    (student_t_regression, [np.array([1.0, 0.4, 1.1, 0.2])]),
    (cvar, [np.array([0.5, 0.3, 0.2])]),
    (wasserstein, [RNG.normal(size=8)]),
    (missing_data, [RNG.normal(size=(5, 2))]),
    (autoregressive, [np.array([0.4, -0.2, 0.3])]),
    (garch, [np.array([-1.0, -1.5, -0.5])]),
    (portfolio, [np.array([0.1, 0.2, -0.1])]),
    (weighted_histogram, [np.arange(1.0, 9.0)]),
    (kernel_density, [SAMPLE * 0.5]),
    (cox, [np.array([0.4])]),
]
