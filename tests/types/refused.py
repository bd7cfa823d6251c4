"""Lines that type checkers refuse: each of these lines is an error, or its comment would be one."""

import numpy

import tinygrad_lr as tg
import tinygrad_lr.numpy as np
from tinygrad_lr import Value

v = Value([1.0, 2.0])


@tg.compile
def double(x: Value) -> Value:
    """Return 2x."""
    return x * 2.0


double()  # type: ignore[call-arg]
double(v, v)  # type: ignore[call-arg]
double(v).nothing  # type: ignore[attr-defined]
np.mean(v).nothing  # type: ignore[attr-defined]
np.mean(v, axis="rows")  # type: ignore[arg-type]
np.no_such_function(v)  # type: ignore[attr-defined]
plain: numpy.ndarray = np.exp(v)  # type: ignore[assignment]
tg.zeros(3).nothing  # type: ignore[attr-defined]
tg.nn.Linear(2, 1)(v, v)  # type: ignore[call-arg]
tg.nn.Linear(2, 1)(v).nothing  # type: ignore[attr-defined]
tg.nn.Linear(2, 1).nothing  # type: ignore[attr-defined]
tg.nn.GRU(2, 3)(v, states=v)  # type: ignore[call-arg]
tg.losses.mse(v, v).nothing  # type: ignore[attr-defined]
tg.losses.mse(v, v, reduction=1)  # type: ignore[call-overload]
tg.metrics.accuracy(tg, v)  # type: ignore[arg-type]
tg.fit(tg.nn.Linear(2, 1), tg, v)  # type: ignore[arg-type]
tg.scipy.signal.hilbert(v).nothing  # type: ignore[attr-defined]
tg.scipy.linalg.solve(v)  # type: ignore[call-overload]
tg.scipy.special.gammaln(v, v)  # type: ignore[call-overload]
tg.scipy.stats.norm.logpdf(v).nothing  # type: ignore[attr-defined]
tg.scipy.interpolate.CubicSpline(v, v)(0.5).nothing  # type: ignore[attr-defined]
np.polynomial.polynomial.polyval(v, v).nothing  # type: ignore[attr-defined]
