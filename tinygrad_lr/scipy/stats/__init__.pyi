"""The types of `tinygrad_lr.scipy.stats`.

Written by `python tests/equivalent_stubs.py` from the signatures of SciPy 1.17: do not edit.
"""

# ruff: noqa
# mypy: disable-error-code="overload-overlap,override"
# pyright: reportOverlappingOverload=false

from collections.abc import Sequence as _Sequence
from typing import Any as _Any, Literal as _Literal
from typing import overload as _overload
import numpy as _np
from numpy.typing import DTypeLike as _DTypeLike
from tinygrad_lr.core.creation import Nest as _Nest, Plain as _Plain
from tinygrad_lr.core.primitive import Primitive as _Primitive
from tinygrad_lr.core.value import Index as _Index, Value as _Value
from tinygrad_lr.support.abstract_array import Array as _Array
from .distributions import *
from .multivariate import *
from .summaries import *

def __getattr__(name: str) -> _Any: ...  # SciPy's own
alpha: Distribution
anglit: Distribution
arcsine: Distribution
argus: Distribution
bernoulli: Distribution
beta: Distribution
betabinom: Distribution
betanbinom: Distribution
betaprime: Distribution
binom: Distribution
boltzmann: Distribution
bradford: Distribution
burr: Distribution
burr12: Distribution
cauchy: Distribution
chi: Distribution
chi2: Distribution
cosine: Distribution
crystalball: Distribution
dgamma: Distribution
dlaplace: Distribution
dpareto_lognorm: Distribution
dweibull: Distribution
erlang: Distribution
expon: Distribution
exponnorm: Distribution
exponpow: Distribution
exponweib: Distribution
f: Distribution
fatiguelife: Distribution
fisk: Distribution
foldcauchy: Distribution
foldnorm: Distribution
gamma: Distribution
gausshyper: Distribution
genexpon: Distribution
genextreme: Distribution
gengamma: Distribution
genhalflogistic: Distribution
genhyperbolic: Distribution
geninvgauss: Distribution
genlogistic: Distribution
gennorm: Distribution
genpareto: Distribution
geom: Distribution
gibrat: Distribution
gompertz: Distribution
gumbel_l: Distribution
gumbel_r: Distribution
halfcauchy: Distribution
halfgennorm: Distribution
halflogistic: Distribution
halfnorm: Distribution
hypergeom: Distribution
hypsecant: Distribution
invgamma: Distribution
invgauss: Distribution
invweibull: Distribution
irwinhall: Distribution
jf_skew_t: Distribution
johnsonsb: Distribution
johnsonsu: Distribution
kappa3: Distribution
kappa4: Distribution
ksone: Distribution
kstwo: Distribution
kstwobign: Distribution
landau: Distribution
laplace: Distribution
laplace_asymmetric: Distribution
levy: Distribution
levy_l: Distribution
levy_stable: Distribution
loggamma: Distribution
logistic: Distribution
loglaplace: Distribution
lognorm: Distribution
logser: Distribution
loguniform: Distribution
lomax: Distribution
maxwell: Distribution
mielke: Distribution
moyal: Distribution
nakagami: Distribution
nbinom: Distribution
ncf: Distribution
nchypergeom_fisher: Distribution
nchypergeom_wallenius: Distribution
nct: Distribution
ncx2: Distribution
nhypergeom: Distribution
norm: Distribution
norminvgauss: Distribution
pareto: Distribution
pearson3: Distribution
planck: Distribution
poisson: Distribution
poisson_binom: Distribution
powerlaw: Distribution
powerlognorm: Distribution
powernorm: Distribution
randint: Distribution
rayleigh: Distribution
rdist: Distribution
recipinvgauss: Distribution
reciprocal: Distribution
rel_breitwigner: Distribution
rice: Distribution
semicircular: Distribution
skellam: Distribution
skewcauchy: Distribution
skewnorm: Distribution
studentized_range: Distribution
t: Distribution
trapezoid: Distribution
triang: Distribution
truncexpon: Distribution
truncnorm: Distribution
truncpareto: Distribution
truncweibull_min: Distribution
tukeylambda: Distribution
uniform: Distribution
vonmises: Distribution
vonmises_line: Distribution
wald: Distribution
weibull_max: Distribution
weibull_min: Distribution
wrapcauchy: Distribution
yulesimon: Distribution
zipf: Distribution
zipfian: Distribution
