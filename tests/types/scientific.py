"""SciPy's functions in `tg.scipy` return Values for Values, arrays or numbers for plain arrays."""

from typing import Any, assert_type

import numpy
from numpy.typing import NDArray

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.scipy import (
    fft,
    integrate,
    interpolate,
    linalg,
    ndimage,
    signal,
    special,
    stats,
)

v = Value([1.0, 2.0])
m = Value([[2.0, 1.0], [1.0, 3.0]])
array: NDArray[numpy.float64] = numpy.ones(2)
matrix: NDArray[numpy.float64] = numpy.eye(2)
Array = numpy.ndarray[Any, numpy.dtype[Any]]

# special functions
assert_type(special.gammaln(v), Value)
assert_type(special.gammaln(array), Array)
assert_type(special.erf(v), Value)
assert_type(special.xlogy(array, v), Value)
assert_type(special.betainc(array, v, 0.5), Value)
assert_type(special.logsumexp(v, axis=0), Value)
assert_type(special.logsumexp(v, return_sign=True), tuple[Value, Value])
assert_type(special.softmax(v, axis=-1), Value)
assert_type(special.polygamma(1, v), Value)
assert_type(special.fresnel(v), tuple[Value, Value])
assert_type(tg.scipy.special.expit(v), Value)
number: float = special.gammaln(2.0)

# distributions
assert_type(stats.norm.logpdf(v), Value)
assert_type(stats.norm.logpdf(array, 0.0, v), Value)
assert_type(stats.gamma.cdf(array, v, scale=2.0), Value)
assert_type(stats.poisson.logpmf(numpy.array([1, 2]), v), Value)
assert_type(stats.norm(v, 1.0).logpdf(array), Value)
assert_type(stats.norm(0.0, 1.0).logpdf(v), Value)
assert_type(stats.multivariate_normal.logpdf(array, v, m), Value)
assert_type(stats.dirichlet.logpdf(array / 2, v), Value)
assert_type(stats.zscore(v), Value)
assert_type(stats.zscore(array, nan_policy="omit"), Array)
assert_type(stats.gmean(v), Value)
assert_type(stats.rankdata(v), Array)
assert_type(stats.gaussian_kde(v)(array), Value)
assert_type(stats.norm.pdf(0.0), float)
assert_type(stats.norm.ppf(array), Array)

# linear algebra
assert_type(linalg.solve(m, array), Value)
assert_type(linalg.solve(matrix, array, assume_a="pos", check_finite=False), Array)
assert_type(linalg.cholesky(m, lower=True), Value)
assert_type(linalg.cho_solve(linalg.cho_factor(m), array), Value)
assert_type(linalg.solve_triangular(m, v, lower=True), Value)
assert_type(linalg.expm(m), Value)
assert_type(linalg.eigh(m), tuple[Value, Value])
assert_type(linalg.eigh(m, eigvals_only=True), Value)
assert_type(linalg.svd(m), tuple[Value, Value, Value])
assert_type(linalg.svd(m, compute_uv=False), Value)
assert_type(linalg.qr(m, mode="economic"), tuple[Value, Value])
assert_type(linalg.lu(m), tuple[Value, Value, Value])
assert_type(linalg.block_diag(m, matrix), Value)
assert_type(linalg.toeplitz(v), Value)
assert_type(linalg.toeplitz(array), Array)
assert_type(linalg.det(m), Value)
assert_type(linalg.lstsq(m, array)[0], Value)

# integrals and differential equations
assert_type(integrate.quad(lambda x, w: w * x, 0.0, v[0], (v[1],)), tuple[Value, float])
area: float = integrate.quad(numpy.cos, 0.0, 1.0)[0]
assert_type(integrate.simpson(v, x=array), Value)
assert_type(integrate.cumulative_trapezoid(v, initial=0), Value)
assert_type(integrate.odeint(lambda y, t: -y, v, array), Value)
assert_type(integrate.solve_ivp(lambda t, y: -y, (0.0, 1.0), v, rtol=1e-8).y, Value)

# curves
spline = interpolate.CubicSpline(array, v, bc_type="natural")
assert_type(spline, interpolate.CubicSpline[Value])
assert_type(spline(0.5), Value)
assert_type(interpolate.CubicSpline(array, array)(v), Value)
assert_type(interpolate.interp1d(array, v, kind="cubic", fill_value=(0.0, 1.0))(array), Value)
assert_type(interpolate.PchipInterpolator(array, array)(0.5, nu=1), Any)
assert_type(interpolate.make_interp_spline(array, v)(0.5), Value)
assert_type(interpolate.RegularGridInterpolator((array, array), m)(array), Value)

# signals and images
assert_type(signal.fftconvolve(v, array, mode="same"), Value)
assert_type(signal.fftconvolve(array, v), Value)
assert_type(signal.convolve(array, array, method="fft"), Array)
assert_type(signal.lfilter([1.0], [1.0, -0.5], v), Value)
assert_type(signal.lfilter([1.0], [1.0, -0.5], array, zi=v), tuple[Value, Value])
assert_type(signal.lfilter([1.0], [1.0, -0.5], array), Array)
assert_type(signal.welch(v, window=("kaiser", 4.0)), tuple[Array, Value])
assert_type(signal.stft(v), tuple[Array, Array, Value])
assert_type(signal.resample(v, 4), Value)
assert_type(signal.hilbert(v), Value)
assert_type(ndimage.gaussian_filter(m, (1.0, 2.0)), Value)
assert_type(ndimage.gaussian_filter(matrix, 1.0), Array)
assert_type(ndimage.correlate1d(v, array), Value)
assert_type(ndimage.shift(m, v), Value)
assert_type(fft.rfft(v), Value)
assert_type(fft.rfft(array, workers=2), Array)
assert_type(fft.dct(v, 2, norm="ortho"), Value)
assert_type(fft.fftn(m), Value)
assert_type(fft.fftshift(v), Value)
