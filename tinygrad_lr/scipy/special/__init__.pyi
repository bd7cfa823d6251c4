"""The types of `tinygrad_lr.scipy.special`.

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

def __getattr__(name: str) -> _Any: ...  # SciPy's own
class _Ufunc1:
    @_overload
    def __call__(self, x1: complex | _np.generic, /) -> _Any: ...
    @_overload
    def __call__(self, x1: _Plain, /, out: _Array | None = ..., *, where: _Plain = ..., dtype: _DTypeLike | None = ...) -> _Array: ...
    @_overload
    def __call__(self, x1: _Nest, /) -> _Value: ...

class _Ufunc1To2:
    @_overload
    def __call__(self, x1: complex | _np.generic, /) -> tuple[_Any, _Any]: ...
    @_overload
    def __call__(self, x1: _Plain, /, out: _Array | None = ..., *, where: _Plain = ..., dtype: _DTypeLike | None = ...) -> tuple[_Array, _Array]: ...
    @_overload
    def __call__(self, x1: _Nest, /) -> tuple[_Value, _Value]: ...

class _Ufunc1To4:
    @_overload
    def __call__(self, x1: complex | _np.generic, /) -> tuple[_Any, _Any, _Any, _Any]: ...
    @_overload
    def __call__(self, x1: _Plain, /, out: _Array | None = ..., *, where: _Plain = ..., dtype: _DTypeLike | None = ...) -> tuple[_Array, _Array, _Array, _Array]: ...
    @_overload
    def __call__(self, x1: _Nest, /) -> tuple[_Value, _Value, _Value, _Value]: ...

class _Ufunc2:
    @_overload
    def __call__(self, x1: complex | _np.generic, x2: complex | _np.generic, /) -> _Any: ...
    @_overload
    def __call__(self, x1: _Plain, x2: _Plain, /, out: _Array | None = ..., *, where: _Plain = ..., dtype: _DTypeLike | None = ...) -> _Array: ...
    @_overload
    def __call__(self, x1: _Nest, x2: _Nest, /) -> _Value: ...

class _Ufunc2To4:
    @_overload
    def __call__(self, x1: complex | _np.generic, x2: complex | _np.generic, /) -> tuple[_Any, _Any, _Any, _Any]: ...
    @_overload
    def __call__(self, x1: _Plain, x2: _Plain, /, out: _Array | None = ..., *, where: _Plain = ..., dtype: _DTypeLike | None = ...) -> tuple[_Array, _Array, _Array, _Array]: ...
    @_overload
    def __call__(self, x1: _Nest, x2: _Nest, /) -> tuple[_Value, _Value, _Value, _Value]: ...

class _Ufunc3:
    @_overload
    def __call__(self, x1: complex | _np.generic, x2: complex | _np.generic, x3: complex | _np.generic, /) -> _Any: ...
    @_overload
    def __call__(self, x1: _Plain, x2: _Plain, x3: _Plain, /, out: _Array | None = ..., *, where: _Plain = ..., dtype: _DTypeLike | None = ...) -> _Array: ...
    @_overload
    def __call__(self, x1: _Nest, x2: _Nest, x3: _Nest, /) -> _Value: ...

class _Ufunc4:
    @_overload
    def __call__(self, x1: complex | _np.generic, x2: complex | _np.generic, x3: complex | _np.generic, x4: complex | _np.generic, /) -> _Any: ...
    @_overload
    def __call__(self, x1: _Plain, x2: _Plain, x3: _Plain, x4: _Plain, /, out: _Array | None = ..., *, where: _Plain = ..., dtype: _DTypeLike | None = ...) -> _Array: ...
    @_overload
    def __call__(self, x1: _Nest, x2: _Nest, x3: _Nest, x4: _Nest, /) -> _Value: ...

airy: _Ufunc1To4
airy_of: _Primitive
amplitude: _Primitive
bdtr: _Ufunc3
bdtrc: _Ufunc3
beta: _Ufunc2
betainc: _Ufunc3
betaincc: _Ufunc3
betaincinv: _Ufunc3
betaln: _Ufunc2
binom: _Ufunc2
boxcox: _Ufunc2
boxcox1p: _Ufunc2
cbrt: _Ufunc1
chdtr: _Ufunc2
chdtrc: _Ufunc2
@_overload
def comb(N: _Plain, k: _Plain, *, repetition: bool = ...) -> _Any: ...
@_overload
def comb(N: _Plain, k: _Plain, *, exact: bool, repetition: bool = ...) -> _Any: ...
@_overload
def comb(N: _Nest, k: _Nest) -> _Value: ...
complex_digamma: _Primitive
complex_erf: _Primitive
complex_erfc: _Primitive
cosine_integral: _Primitive
dawsn: _Ufunc1
digamma: _Ufunc1
ellipe: _Ufunc1
ellipeinc: _Ufunc2
ellipj: _Ufunc2To4
ellipk: _Ufunc1
ellipkinc: _Ufunc2
entr: _Ufunc1
erf: _Ufunc1
erfc: _Ufunc1
erfcinv: _Ufunc1
erfcx: _Ufunc1
erfi: _Ufunc1
erfinv: _Ufunc1
eval_chebyt: _Ufunc2
eval_chebyu: _Ufunc2
eval_gegenbauer: _Ufunc3
eval_genlaguerre: _Ufunc3
eval_hermite: _Ufunc2
eval_hermitenorm: _Ufunc2
eval_jacobi: _Ufunc4
eval_laguerre: _Ufunc2
eval_legendre: _Ufunc2
exp1: _Ufunc1
exp2: _Ufunc1
expi: _Ufunc1
expit: _Ufunc1
expm1: _Ufunc1
expn: _Ufunc2
expn_of: _Primitive
exprel: _Ufunc1
@_overload
def factorial(n: _Plain, *, extend: str = ...) -> _Any: ...
@_overload
def factorial(n: _Plain, *, exact: bool, extend: str = ...) -> _Any: ...
@_overload
def factorial(n: _Nest) -> _Value: ...
fdtr: _Ufunc3
fdtrc: _Ufunc3
fresnel: _Ufunc1To2
fresnel_cosine: _Primitive
fresnel_sine: _Primitive
gamma: _Ufunc1
gammainc: _Ufunc2
gammaincc: _Ufunc2
gammaincinv: _Ufunc2
gammaln: _Ufunc1
gammasgn: _Ufunc1
gdtr: _Ufunc3
gdtrc: _Ufunc3
hankel1: _Ufunc2
hankel2: _Ufunc2
hermite_norm_of: _Primitive
hermite_of: _Primitive
huber: _Ufunc2
hurwitz_zeta: _Primitive
hyp0f1: _Ufunc2
hyp1f1: _Ufunc3
hyp2f1: _Ufunc4
hyperu: _Ufunc3
i0: _Ufunc1
i0e: _Ufunc1
i1: _Ufunc1
i1e: _Ufunc1
iv: _Ufunc2
ive: _Ufunc2
@_overload
def ivp(v: _Plain, z: _Plain, n: int = ...) -> _Any: ...
@_overload
def ivp(v: _Nest, z: _Nest, n: int = ...) -> _Value: ...
j0: _Ufunc1
j1: _Ufunc1
jn: _Ufunc2
jv: _Ufunc2
@_overload
def jvp(v: _Plain, z: _Plain, n: int = ...) -> _Any: ...
@_overload
def jvp(v: _Nest, z: _Nest, n: int = ...) -> _Value: ...
k0: _Ufunc1
k0e: _Ufunc1
k1: _Ufunc1
k1e: _Ufunc1
kl_div: _Ufunc2
kn: _Ufunc2
kv: _Ufunc2
kve: _Ufunc2
@_overload
def kvp(v: _Plain, z: _Plain, n: int = ...) -> _Any: ...
@_overload
def kvp(v: _Nest, z: _Nest, n: int = ...) -> _Value: ...
lambert: _Primitive
@_overload
def lambertw(z: _Plain, k: _Plain = ..., *, tol: float = ...) -> _Any: ...
@_overload
def lambertw(z: _Nest, k: _Plain = ...) -> _Value: ...
log1p: _Ufunc1
log_expit: _Ufunc1
log_moment_of_beta: _Primitive
log_moment_of_gamma: _Primitive
log_ndtr: _Ufunc1
@_overload
def log_softmax(x: _Plain, axis: int | tuple[int, ...] | None = ...) -> _Array: ...
@_overload
def log_softmax(x: _Nest, axis: int | tuple[int, ...] | None = ...) -> _Value: ...
loggamma: _Ufunc1
logit: _Ufunc1
@_overload
def logsumexp(a: _Plain, axis: int | tuple[int, ...] | None = ..., b: _Plain | None = ..., keepdims: bool = ..., return_sign: _Literal[False] = ...) -> _Any: ...
@_overload
def logsumexp(a: _Plain, axis: int | tuple[int, ...] | None = ..., b: _Plain | None = ..., keepdims: bool = ..., *, return_sign: _Literal[True]) -> tuple[_Any, _Any]: ...
@_overload
def logsumexp(a: _Nest, axis: int | tuple[int, ...] | None = ..., b: _Nest | None = ..., keepdims: bool = ..., return_sign: _Literal[False] = ...) -> _Value: ...
@_overload
def logsumexp(a: _Nest, axis: int | tuple[int, ...] | None = ..., b: _Nest | None = ..., keepdims: bool = ..., *, return_sign: _Literal[True]) -> tuple[_Value, _Value]: ...
@_overload
def multigammaln(a: _Plain, d: int) -> _Any: ...
@_overload
def multigammaln(a: _Nest, d: int) -> _Value: ...
nbdtr: _Ufunc3
nbdtrc: _Ufunc3
ndtr: _Ufunc1
ndtri: _Ufunc1
ndtri_exp: _Ufunc1
owens_t: _Ufunc2
pdtr: _Ufunc2
pdtrc: _Ufunc2
@_overload
def perm(N: _Plain, k: _Plain) -> _Any: ...
@_overload
def perm(N: _Plain, k: _Plain, *, exact: bool) -> _Any: ...
@_overload
def perm(N: _Nest, k: _Nest) -> _Value: ...
poch: _Ufunc2
@_overload
def polygamma(n: _Plain, x: _Plain) -> _Any: ...
@_overload
def polygamma(n: _Plain, x: _Nest) -> _Value: ...
polygamma_of: _Primitive
pseudo_huber: _Ufunc2
psi: _Ufunc1
rel_entr: _Ufunc2
rgamma: _Ufunc1
sici: _Ufunc1To2
sine_integral: _Primitive
@_overload
def softmax(x: _Plain, axis: int | tuple[int, ...] | None = ...) -> _Array: ...
@_overload
def softmax(x: _Nest, axis: int | tuple[int, ...] | None = ...) -> _Value: ...
spence: _Ufunc1
@_overload
def sph_harm_y(n: _Plain, m: _Plain, theta: _Plain, phi: _Plain) -> _Any: ...
@_overload
def sph_harm_y(n: _Plain, m: _Plain, theta: _Nest, phi: _Nest) -> _Value: ...
spherical_harmonic: _Primitive
stdtr: _Ufunc2
stdtrit: _Ufunc2
struve: _Ufunc2
voigt_of: _Primitive
voigt_profile: _Ufunc3
wofz: _Ufunc1
wofz_part: _Primitive
wrightomega: _Ufunc1
xlog1py: _Ufunc2
xlogy: _Ufunc2
y0: _Ufunc1
y1: _Ufunc1
yn: _Ufunc2
yv: _Ufunc2
@_overload
def yvp(v: _Plain, z: _Plain, n: int = ...) -> _Any: ...
@_overload
def yvp(v: _Nest, z: _Nest, n: int = ...) -> _Value: ...
@_overload
def zeta(x: _Plain, q: _Plain = ..., *, out: _Array | None = ...) -> _Any: ...
@_overload
def zeta(x: _Nest, q: _Nest = ...) -> _Value: ...
