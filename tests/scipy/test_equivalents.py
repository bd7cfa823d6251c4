"""Functions of tg.scipy that take SciPy's place: its results, and their derivatives, a line a case.

Of plain numbers they are SciPy's own; what has no derivative is refused with the cure.
"""

from __future__ import annotations

import operator

import numpy as np
import pytest
from programs import BACKENDS
from scipy_results import assert_like

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError, DtypeError, NotDifferentiableError

scipy = pytest.importorskip("scipy")
for module in ("fft", "integrate", "linalg", "ndimage", "signal", "stats"):
    pytest.importorskip(f"scipy.{module}")
integrate, linalg, signal = tg.scipy.integrate, tg.scipy.linalg, tg.scipy.signal
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 2))
POSITIVE = A @ A.T + np.eye(3)
C, D = A + 1j * RNG.normal(size=(3, 3)), B + 1j * RNG.normal(size=(3, 2))
HERMITIAN = C @ C.conj().T + np.eye(3)
X, Y = np.cumsum(RNG.uniform(0.2, 1, (2, 6)), axis=1), RNG.normal(size=(2, 6))
b, a = np.array([0.4, 0.3, 0.2]), np.array([1.5, -0.4, 0.3])  # coefficients of a stable filter
LONG = RNG.normal(size=11)
SOS = np.array([[0.3, 0.2, 0.1, 1.0, -0.5, 0.2], [0.5, 0.1, 0.4, 1.0, 0.3, -0.1]])
STFT = scipy.signal.stft(LONG, nperseg=4)[2] + 0.1
POINTS = np.array([[0.2, 0.7, -0.3, 1.4], [0.3, 2.2, 4.6, 5.3]])
SHARES = RNG.uniform(0.5, 2, (3, 4))

CHECKED = {  # name: arguments and options, in real numbers and in complex ones where they differ
    "linalg.circulant": [([A[0]], {}), ([C[0]], {})],
    "linalg.cosm": [([A], {}), ([C], {})],
    "linalg.coshm": [([A], {})],
    "linalg.det": [([C], {})],
    "linalg.eig": [([A], {}), ([POSITIVE], {}), ([C], {}), ([A], {"right": False})],
    "linalg.eigvals": [([A], {}), ([A, POSITIVE], {}), ([C], {})],
    "linalg.expm_frechet": [([A, POSITIVE], {})],
    "linalg.fractional_matrix_power": [([POSITIVE, 0.3], {}), ([HERMITIAN, 0.3], {})],
    "linalg.hankel": [([A[0], A[1]], {}), ([A[0]], {})],
    "linalg.inv": [([C], {})],
    "linalg.khatri_rao": [([A, A + 1], {})],
    "linalg.lstsq": [([B, A[0]], {}), ([B, A], {}), ([B.T, B[:2, 0]], {}), ([D, C], {})],
    "linalg.lu": [([x], {"permute_l": True}) for x in (A, A[:2], B, C, np.stack([A, POSITIVE]))],
    "linalg.matmul_toeplitz": [([A[0], B], {})],
    "linalg.norm": [([A], {}), ([A], {"ord": 2}), ([A], {"ord": 1, "axis": 0}), ([C], {})],
    "linalg.polar": [
        *[([x], {"side": side}) for x in (A, B, B.T, C) for side in ("right", "left")],
        ([D], {}),
        ([D.T], {}),
    ],
    "linalg.pinv": [([B], {}), ([B.T], {"rtol": 1e-5}), ([D], {})],
    "linalg.qr": [
        ([A], {}),
        ([B.T], {}),
        ([B], {"mode": "economic"}),
        ([B], {"mode": "r"}),
        ([C], {}),
    ],
    "linalg.sinhm": [([A], {})],
    "linalg.sinm": [([A], {}), ([C], {})],
    "linalg.solve": [([C, D], {"assume_a": "her"}), ([A, B], {"transposed": True})],
    "linalg.solve_continuous_lyapunov": [([A, POSITIVE], {}), ([C, HERMITIAN], {})],
    "linalg.solve_discrete_lyapunov": [
        ([C, HERMITIAN], {"method": method}) for method in (None, "direct", "bilinear")
    ],
    "linalg.solve_toeplitz": [([A[0], A[1]], {})],
    "linalg.svd": [([A], {"compute_uv": False})],
    "linalg.svdvals": [([A], {}), ([C], {})],
    "linalg.tanhm": [([A], {})],
    "linalg.tanm": [([A], {})],
    "linalg.toeplitz": [([A[0], B[:2, 0]], {}), ([C[0]], {})],
    "integrate.trapezoid": [([Y, X], {}), ([Y[0]], {"dx": 0.5}), ([Y, X[0, :2]], {"axis": 0})],
    "integrate.cumulative_trapezoid": [
        ([Y, X], {}),
        ([Y[0]], {"dx": 0.5, "initial": 0}),
        ([Y, X[0, :2]], {"axis": 0}),
    ],
    "integrate.simpson": [
        *[([Y[:, :n], X[:, :n]], {}) for n in (1, 2, 3, 4, 5, 6)],
        ([Y, X[0]], {}),
        ([Y], {"dx": 0.3}),
        ([Y.T], {"axis": 0}),
        ([C[0]], {}),
    ],
    "integrate.cumulative_simpson": [
        *[([Y[:, :n]], {"dx": 0.5}) for n in (2, 3, 4, 5, 6)],
        ([Y], {"x": X}),
        ([Y.T], {"axis": 0, "initial": 0.5}),
    ],
    "signal.savgol_filter": [
        *[([LONG, 5, 2], {"mode": m}) for m in ("interp", "mirror", "nearest", "wrap", "constant")],
        ([Y.T, 5, 3], {"axis": 0, "deriv": 1, "delta": 0.5}),
        ([Y, 1, 0], {}),
    ],
    "signal.welch": [
        ([LONG], {"nperseg": 6}),
        ([LONG], {"nperseg": 5, "noverlap": 1, "nfft": 8, "fs": 2.0, "detrend": "linear"}),
        ([Y.T], {"axis": 0, "nperseg": 4, "window": "boxcar", "scaling": "spectrum"}),
        ([LONG], {"nperseg": 4, "detrend": False, "window": ("kaiser", 3.0)}),
    ],
    "signal.periodogram": [([LONG], {}), ([Y.T], {"axis": 0, "window": "hann", "fs": 3.0})],
    "signal.convolve": [
        *[([X[0], a], {"mode": mode}) for mode in ("full", "same", "valid")],
        *[([a, X[0]], {"mode": mode}) for mode in ("full", "same", "valid")],
        *[([A, B], {"mode": mode}) for mode in ("full", "same", "valid")],
        ([C, A], {}),
        ([C[0], A[0]], {}),
    ],
    "signal.fftconvolve": [
        ([Y, X], {"axes": 1}),
        ([Y, X[:, :3]], {"axes": [-1], "mode": "valid"}),
        ([C, D], {"mode": "same"}),
    ],
    "signal.oaconvolve": [([Y, X[:, :3]], {"axes": 1, "mode": "same"})],
    "signal.correlate": [
        *[([X[0], a], {"mode": mode}) for mode in ("full", "same", "valid")],
        *[([a, X[0]], {"mode": mode}) for mode in ("full", "same", "valid")],
        ([C, D], {"mode": "same"}),
        ([C[0], D[:, 0]], {}),
    ],
    "signal.lfilter": [
        ([b, a, Y], {}),
        ([b, a, Y], {"axis": 0}),
        ([b, a[:1], Y], {}),
        ([b[:1], a, Y], {}),
        ([b + 0.1j, a + 0.1j, Y], {}),
        ([b, a, Y, -1, Y[:, :2]], {}),
        ([b, a, Y[:, :1], -1, Y[:, :2]], {}),
        ([b, a, Y.T, 0, Y.T[:2]], {}),
        ([b[:1], a[:1], Y, -1, Y[:, :0]], {}),
    ],
    "signal.lfilter_zi": [([b, a], {}), ([b[:1], a], {}), ([b, a[:1]], {})],
    "signal.filtfilt": [
        *[([b, a, LONG], {"padtype": kind}) for kind in ("odd", "even", "constant", None)],
        ([b, a, Y.T], {"padlen": 3, "axis": 0}),
    ],
    "signal.detrend": [
        ([Y], {}),
        ([Y], {"type": "constant", "axis": 0}),
        ([Y.T], {"axis": 0, "bp": [2]}),
    ],
    "signal.convolve2d": [
        *[([A, B], {"mode": mode}) for mode in ("full", "same", "valid")],
        *[([Y, B[:2]], {"boundary": kind, "mode": "same"}) for kind in ("wrap", "symm")],
        ([A, B], {"fillvalue": 0.5}),
        ([C, D], {"boundary": "wrap"}),
    ],
    "signal.correlate2d": [
        *[([Y, B[:2]], {"mode": mode}) for mode in ("full", "same", "valid")],
        ([C, D], {"boundary": "symm", "mode": "same"}),
    ],
    "signal.sosfilt": [
        ([SOS, Y], {}),
        ([SOS, Y.T], {"axis": 0}),
        ([SOS, Y[0], -1, SOS[:, :2]], {}),
    ],
    "signal.freqz": [([b, a], {"worN": 5}), ([b], {"worN": [0.1, 0.4], "fs": 3.0})],
    "signal.csd": [([LONG, np.cos(LONG)], {"nperseg": 6}), ([Y, X], {"nperseg": 4, "nfft": 7})],
    "signal.coherence": [([LONG, np.cos(LONG)], {"nperseg": 4})],
    "signal.stft": [
        ([LONG], {"nperseg": 6}),
        ([LONG], {"nperseg": 5, "noverlap": 2, "nfft": 7, "fs": 2.0, "boundary": None}),
        ([Y.T], {"axis": 0, "nperseg": 4, "scaling": "psd", "detrend": "constant"}),
        ([LONG], {"nperseg": 4, "padded": False}),
    ],
    "signal.istft": [
        ([STFT], {"nperseg": 4}),
        ([STFT], {"nperseg": 4, "noverlap": 3, "scaling": "psd", "fs": 2.0, "window": "hamming"}),
    ],
    "signal.resample": [
        *[([Y, n], {"axis": 1}) for n in (1, 3, 4, 6, 7, 8)],
        *[([LONG, n], {}) for n in (8, 11, 14)],
        ([LONG, 5], {"t": np.arange(11.0)}),
    ],
    "linalg.companion": [([A[0]], {}), ([C[0]], {})],
    "linalg.convolution_matrix": [
        ([Y[0], n], {"mode": mode}) for n in (3, 8) for mode in ("full", "same", "valid")
    ],
    "linalg.leslie": [([A[0], B[0]], {})],
    "linalg.fiedler": [([A[0]], {})],
    "linalg.eigh_tridiagonal": [([A[0], B[0]], {"eigvals_only": True})],
    "fft.dct": [
        ([Y], {"type": type, "norm": norm, "orthogonalize": ortho})
        for type in (1, 2, 3, 4)
        for norm, ortho in ((None, None), ("ortho", None), ("forward", True), ("ortho", False))
    ],
    "fft.idct": [([Y.T], {"type": type, "axis": 0, "n": 4}) for type in (1, 2, 3, 4)],
    "fft.dst": [([Y], {"type": type, "orthogonalize": type == 2}) for type in (1, 2, 3, 4)],
    "fft.idst": [([Y], {"type": type, "norm": "forward"}) for type in (1, 2, 3, 4)],
    "fft.dctn": [([A], {}), ([C], {"axes": 0}), ([A], {"s": (2, 4), "norm": "ortho"})],
    "fft.idctn": [([A], {"type": 3})],
    "fft.dstn": [([A], {"type": 1})],
    "fft.idstn": [([A], {"s": 4})],
    **{
        f"fft.{name}": [([A], {}), ([A], {"norm": "ortho"})]
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "fft2", "ifft2", "rfft2", "irfft2")
    },
    **{f"fft.{name}": [([A], {})] for name in ("fftn", "ifftn", "rfftn", "irfftn", "ihfft")},
    "fft.fftshift": [([Y], {"axes": 1})],
    "fft.ifftshift": [([Y[:, :5]], {})],
    "ndimage.map_coordinates": [
        ([Y, POINTS], {"order": order, "mode": mode, "cval": 0.3})
        for order in (0, 1, 2, 3)
        for mode in ("constant", "nearest", "mirror", "reflect", "grid-wrap")
    ],
    "ndimage.shift": [
        ([Y, np.array([0.3, -1.2])], {"order": 1}),
        ([Y[0], 0.7], {"mode": "mirror"}),
    ],
    "ndimage.affine_transform": [
        ([Y, np.array([[0.9, 0.1], [-0.2, 1.1]]), np.array([0.3, 0.1])], {"order": 1}),
        (
            [Y, np.array([[0.9, 0.1], [-0.2, 1.1]])],
            {"offset": 0.35, "output_shape": (3, 2), "mode": "reflect"},
        ),
    ],
    **{
        f"ndimage.{name}": [
            *[([Y, B[:2]], {"mode": mode}) for mode in ("reflect", "nearest", "mirror", "wrap")],
            ([Y, B[:2]], {"mode": "constant", "cval": 0.5, "origin": (0, -1)}),
        ]
        for name in ("correlate", "convolve")
    },
    **{
        f"ndimage.{name}": [([Y, b], {}), ([Y.T, LONG[:4]], {"axis": 0, "origin": 1})]
        for name in ("correlate1d", "convolve1d")
    },
    "ndimage.gaussian_filter": [
        ([Y], {"sigma": (1.0, 0.5), "mode": ("wrap", "constant"), "cval": 0.5}),
        ([Y], {"sigma": 0.7, "order": (1, 0)}),
    ],
    "ndimage.gaussian_filter1d": [([Y.T], {"sigma": 0.8, "axis": 0, "truncate": 2.0})],
    "ndimage.uniform_filter": [([Y], {"size": (1, 3), "mode": "mirror"})],
    "ndimage.uniform_filter1d": [([Y], {"size": 4, "origin": 1})],
    "ndimage.laplace": [([Y], {"mode": "nearest"})],
    "ndimage.sobel": [([Y], {"axis": 0})],
    **{
        f"stats.{name}": [([SHARES], {}), ([SHARES], {"axis": 1})]
        for name in ("zscore", "gmean", "hmean", "variation", "sem", "entropy", "skew", "kurtosis")
    },
    "stats.moment": [([Y, 3], {"axis": 1}), ([Y[0], 2], {"center": 0.3})],
    "stats.rankdata": [([Y], {"axis": 1}), ([np.round(Y)], {"method": "min"})],
    "signal.hilbert": [([Y], {}), ([Y[:, :5]], {}), ([Y], {"N": 4, "axis": 0})],
}
CASES = [(name, *case) for name, cases in CHECKED.items() for case in cases]


def as_value(x):
    """Arrays as Values; numbers, such as an axis, as they are."""
    return Value(x) if isinstance(x, np.ndarray) else x


def parts(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.filterwarnings("ignore:You are passing x:DeprecationWarning")  # SciPy 1.13's simpson
@pytest.mark.parametrize(
    ("name", "args", "options"), CASES, ids=lambda x: x if type(x) is str else ""
)
def test_a_function_has_scipys_results_and_derivatives_of_them(name, args, options):
    function = operator.attrgetter(name)(tg.scipy)
    found = function(*map(as_value, args), **options)
    expected = operator.attrgetter(name)(scipy)(*args, **options)
    if name == "linalg.lstsq":  # since version 1.18 SciPy's squared errors may be complex
        expected = (expected[0], np.real(expected[1]), *expected[2:])
    assert_like(found, expected)
    smooth = [i for i, x in enumerate(parts(found)) if isinstance(x, Value)]
    if not smooth:
        return
    where = [i for i, x in enumerate(args) if not isinstance(x, int)]

    def varying(*arrays):
        given = [*args]
        for i, x in zip(where, arrays, strict=True):
            given[i] = x
        result = parts(function(*given, **options))
        return [result[i] for i in smooth]

    tg.check_gradients(varying, *[args[i] for i in where], order=2)


COMPILED = ["fft.dct", "ndimage.map_coordinates", "signal.stft", "stats.entropy"]
COMPILED += [
    "integrate.simpson",
    "linalg.lu",
    "linalg.eigvals",
    "signal.convolve",
    "signal.lfilter",
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_gradients_are_those_of_eager_code(name, backend):
    args, options = CHECKED[name][0]
    function = operator.attrgetter(name)(tg.scipy)

    def loss(*args):
        return sum(np.sum(np.abs(x)) for x in parts(function(*args, **options)))

    slopes = tg.grad(loss, tuple(range(len(args))))
    compiled = tg.compile(slopes, backend=backend)
    for found, expected in zip(compiled(*args), slopes(*args), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_results_are_explained():
    x = Value(Y[0], name="x")
    told = str(tg.derivation(np.sum(tg.scipy.signal.lfilter(b, a, x) ** 2)))
    assert "(dL/dz)[…, ::−1])[…, ::−1]" in told  # the filter backwards


def test_plain_numbers_have_all_of_scipys_options_and_names():
    mine = tg.scipy.linalg
    assert mine.hilbert is scipy.linalg.hilbert
    assert tg.scipy.signal.butter is scipy.signal.butter
    assert tg.scipy.stats.iqr is scipy.stats.iqr
    assert_like(mine.qr(A, pivoting=True), scipy.linalg.qr(A, pivoting=True))
    assert_like(mine.inv(A, check_finite=False), scipy.linalg.inv(A))
    assert_like(mine.inv(Value(A), False, check_finite=False), scipy.linalg.inv(A))
    rows = [Value(A[0]), A[1], A[2]]
    assert_like(mine.det(rows), scipy.linalg.det(A))


@pytest.mark.parametrize("module", tg.scipy.__all__)
def test_an_unknown_name_is_reported_as_by_scipy(module):
    with pytest.raises(AttributeError, match=f"scipy.{module}' has no attribute 'nothing'"):
        getattr(tg.scipy, module).nothing


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda a: linalg.qr(a, pivoting=True),
            "qr: with Values the arguments must be among a, mode",
        ),
        (lambda a: linalg.qr(a[:, :2]), "qr: mode must be 'economic' or 'r' for shape"),
        (lambda a: linalg.svd(a[:2]), "svd: full_matrices must be False for"),
        (lambda a: linalg.eig(a, A), "eig: b must be None for Values"),
        (lambda a: linalg.eig(a, left=True), "eig: left must be False for Values"),
        (lambda a: linalg.pinv(a, atol=0.1), "pinv: atol must be 0 for Values"),
        (lambda a: linalg.solve(a), "solve: arguments must fit: missing"),
        (lambda a: signal.lfilter(a[0], [0.0, 1.0], a), r"lfilter: a\[0\] must not be 0"),
        (lambda a: signal.lfilter(a, 1.0, a), "lfilter: b and a must be vectors"),
        (lambda a: signal.lfilter(a[0], 1.0, a, zi=a), r"lfilter: zi must have shape \(3, 2\)"),
        (lambda a: signal.convolve(a, a[0]), "convolve: in1 and in2 must have equally many axes"),
        (lambda a: signal.convolve(a[:0], a), "convolve: in1 and in2 must not be empty"),
        (lambda a: signal.convolve(a[:2], a[:, :2], "valid"), "must be at least as long as the"),
        (lambda a: signal.filtfilt([1.0], [1.0], a), "filtfilt: x must be longer than padlen, 3"),
        (lambda a: signal.filtfilt([1.0], [1.0], a, method="gust"), "filtfilt: method must be"),
        (lambda a: signal.detrend(a, bp=9), "detrend: bp must be positions from 0 to 3"),
        (lambda a: integrate.simpson(a, x=a[0, :2]), "simpson: x must have 3 points along"),
        (lambda a: integrate.cumulative_trapezoid(a, initial=1.0), "initial must be None or 0"),
        (lambda a: signal.hilbert(a + 1j), "x must be real"),
    ],
)
def test_what_has_no_derivative_is_refused_with_the_cure(call, told):
    with pytest.raises((ArgumentError, DtypeError, NotDifferentiableError), match=told):
        call(Value(A))


@pytest.mark.parametrize("name", ["lu", "polar"])
def test_factors_that_are_not_determined_have_no_derivative(name):
    def f(a):
        return sum(np.sum(x**3) for x in getattr(linalg, name)(a))

    for dependent in ([[0.1, 0.3], [0.2, 0.6]], [[0.0, 0.0], [0.0, 0.0]]):
        with pytest.raises(np.linalg.LinAlgError, match=r"must (be independent|have one solution)"):
            tg.grad(f)(np.array(dependent))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x: signal.savgol_filter(x, 4, 2), "window_length must be odd for Values, got 4"),
        (lambda x: signal.savgol_filter(x, 13, 2), "x must have window_length = 13 entries"),
        (lambda x: signal.welch(x, nperseg=12), "x must have nperseg = 12 entries or more, got 11"),
        (lambda x: signal.welch(x, nperseg=4, noverlap=4), "noverlap must be below nperseg"),
        (lambda x: signal.welch(x, average="median"), "welch: average must be"),
        (lambda x: linalg.polar(x), "polar: a must be matrices"),
    ],
)
def test_bad_arguments_of_filters_and_spectra_get_one_sentence(call, told):
    with pytest.raises(ArgumentError, match=told):
        call(Value(LONG))
