"""Scientific programs as people write them: right values, gradients, second order, compiled.

The programs import NumPy and SciPy. Here `tinygrad_lr.numpy` and `tinygrad_lr.scipy` take their
places, and nothing else changes; `AS_WRITTEN` are those that run on NumPy itself.
"""

from __future__ import annotations

import linecache
import types
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.errors import TraceError
from tinygrad_lr.support import pytree as tree

pytest.importorskip("scipy")
FIELDS = ("statistics", "dynamics", "signals", "applications")
STEP = 1e-6


def load(field, numpy="numpy", scipy="scipy"):
    """Run a file of programs with other imports, and return them with their arguments."""
    text = (Path(__file__).parent / f"{field}.py").read_text(encoding="utf-8")
    text = text.replace("import numpy as np", f"import {numpy} as np")
    text = text.replace("from scipy import", f"from {scipy} import")
    module, file = types.ModuleType(field), f"<{field} on {numpy} and {scipy}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), vars(module))
    return module.PROGRAMS


ARGUMENTS = {f.__name__: args for field in FIELDS for f, args in load(field)}
PLAIN, DISPATCHED, OWN = (
    {f.__name__: f for field in FIELDS for f, _ in load(field, *imports)}
    for imports in (
        (),
        ("numpy", "tinygrad_lr.scipy"),
        ("tinygrad_lr.numpy", "tinygrad_lr.scipy"),
    )
)

AS_WRITTEN = [
    *("weibull_survival", "weibull_by_scipy", "beta_binomial", "softmax_regression", "em_steps"),
    *("mahalanobis", "student_t_regression", "cvar", "wasserstein", "missing_data", "portfolio"),
    *("weighted_histogram", "kernel_density", "cox", "stationary_distribution", "absorption"),
    *("heat_of_initial_state", "wave_equation", "advection", "burgers_limiter", "n_body"),
    *("leapfrog", "ising_mean_field", "gaussian_process", "matern_process", "power_spectrum"),
    *("phase_retrieval", "filter_design", "convolution", "principal_components", "sinkhorn"),
    *("independent_components", "least_squares", "roots_of_a_polynomial", "spline"),
    *("interpolation", "b_spline_basis", "special_field", "bellman_iteration", "pchip_fit"),
    *("map_coords", "dct_compress", "lorenz_voigt", "spectrogram_loss", "kde_entropy"),
    "kaplan_meier_weighted",
]
REFUSED_BY_THE_COMPILER = {
    "cvar": "must not depend on the numbers",
    "missing_data": "must not depend on the numbers",
    "cox": "must not depend on the numbers",
    "heat_of_initial_state": "must not depend on the numbers",
    "roots_of_a_polynomial": "roots: p must not be traced",
    "pendulum": "must not depend on a traced number",
}
"""Masks select as many entries as their numbers say, which a program can't know."""
if np.lib.NumpyVersion(np.__version__) < "2.5.0":
    REFUSED_BY_THE_COMPILER["stationary_distribution"] = "eig: a must be complex"


def differences(f, args):
    """Return central differences of a scalar function, one entry at a time."""
    found = []
    for k, x in enumerate(args):
        slopes = np.zeros(np.shape(x))
        for i in np.ndindex(np.shape(x)):
            ends = []
            for step in (STEP, -STEP):
                moved = [np.array(y) for y in args]
                moved[k][i] += step
                ends.append(float(f(*moved)))
            slopes[i] = (ends[0] - ends[1]) / (2 * STEP)
        found.append(slopes)
    return found


def assert_close(found, expected, tolerance):
    for x, y in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def gradient(f, args):
    return tg.value_and_grad(f, tuple(range(len(args))))(*args)


@pytest.mark.parametrize("name", PLAIN)
def test_a_program_has_numpys_value_and_the_gradient_of_central_differences(name):
    plain, own, args = PLAIN[name], OWN[name], ARGUMENTS[name]
    value, found = gradient(own, args)
    np.testing.assert_allclose(value, plain(*map(np.array, args)), rtol=1e-10)
    assert_close(found, differences(plain, args), 1e-5)


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_a_program_that_numpy_dispatches_needs_no_other_import(name):
    args = ARGUMENTS[name]
    assert_close(gradient(DISPATCHED[name], args), gradient(OWN[name], args), 1e-12)


@pytest.mark.parametrize("name", PLAIN)
def test_arguments_are_not_written_to(name):
    f, args = OWN[name], ARGUMENTS[name]
    before = [np.array(x) for x in args]
    gradient(f, args)
    assert_close(args, before, 0)


@pytest.mark.parametrize("name", PLAIN)
def test_second_derivatives_are_differences_of_the_gradient(name):
    f, args = OWN[name], ARGUMENTS[name]
    direction = [np.cos(np.arange(x.size)).reshape(x.shape) for x in args]
    _, found = tg.jvp(lambda *given: gradient(f, given)[1], args, direction)
    ends = [
        gradient(f, [x + step * d for x, d in zip(args, direction, strict=True)])[1]
        for step in (STEP, -STEP)
    ]
    expected = [(x - y) / (2 * STEP) for x, y in zip(*ends, strict=True)]
    assert_close(tg.hvp(f, args, direction), expected, 1e-5)
    assert_close(found, expected, 1e-5)


@pytest.mark.parametrize("name", PLAIN)
def test_compiled_gradients_are_those_of_eager_code_or_refused(name):
    f, args = OWN[name], ARGUMENTS[name]
    compiled = tg.compile(tg.grad(f, tuple(range(len(args)))), backend="numpy")
    if name in REFUSED_BY_THE_COMPILER:
        with pytest.raises(TraceError, match=REFUSED_BY_THE_COMPILER[name]):
            compiled(*args)
        return
    assert_close(compiled(*args), gradient(f, args)[1], 1e-9)
