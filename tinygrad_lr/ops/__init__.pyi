"""The types of `tinygrad_lr.ops`.

Written by `python tests/equivalent_stubs.py` from the signatures of NumPy 2.4: do not edit.
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
from . import activation as activation
from . import arithmetic as arithmetic
from . import arrangement as arrangement
from . import assignment as assignment
from . import choices as choices
from . import complex_numbers as complex_numbers
from . import cross_entropy as cross_entropy
from . import decompositions as decompositions
from . import differences as differences
from . import elementwise as elementwise
from . import error_function as error_function
from . import fourier as fourier
from . import histograms as histograms
from . import index as index
from . import interpolation as interpolation
from . import linear_algebra as linear_algebra
from . import nan_functions as nan_functions
from . import normalization as normalization
from . import polynomials as polynomials
from . import recurrent as recurrent
from . import reduce as reduce
from . import rounding as rounding
from . import shape as shape
from . import signals as signals
from . import sorting as sorting
from . import ufunc_methods as ufunc_methods
from . import windows as windows
from tinygrad_lr.numpy import angle as angle
from tinygrad_lr.numpy import append as append
from tinygrad_lr.numpy import apply_along_axis as apply_along_axis
from tinygrad_lr.numpy import apply_over_axes as apply_over_axes
from tinygrad_lr.numpy import array_split as array_split
from tinygrad_lr.numpy import astype as astype
from tinygrad_lr.numpy import atleast_1d as atleast_1d
from tinygrad_lr.numpy import atleast_2d as atleast_2d
from tinygrad_lr.numpy import atleast_3d as atleast_3d
from tinygrad_lr.numpy import average as average
from tinygrad_lr.numpy import bincount as bincount
from tinygrad_lr.numpy import block as block
from tinygrad_lr.numpy import broadcast_arrays as broadcast_arrays
from tinygrad_lr.numpy import piecewise as by_pieces
from tinygrad_lr.numpy.linalg import cholesky as cholesky
from tinygrad_lr.numpy import choose as choose
from tinygrad_lr.numpy import clip as clip
from tinygrad_lr.numpy import column_stack as column_stack
from tinygrad_lr.numpy import compress as compress
from tinygrad_lr.numpy import concatenate as concatenate
from tinygrad_lr.numpy.linalg import cond as cond
from tinygrad_lr.numpy import convolve as convolve
from tinygrad_lr.numpy import copy as copy
from tinygrad_lr.numpy import copyto as copyto
from tinygrad_lr.numpy import corrcoef as corrcoef
from tinygrad_lr.numpy import correlate as correlate
from tinygrad_lr.numpy import cov as cov
from tinygrad_lr.numpy import cross as cross
from tinygrad_lr.numpy import cumprod as cumprod
from tinygrad_lr.numpy import cumsum as cumsum
from tinygrad_lr.numpy import cumulative_prod as cumulative_prod
from tinygrad_lr.numpy import cumulative_sum as cumulative_sum
from tinygrad_lr.numpy import deg2rad as deg2rad
from tinygrad_lr.numpy import delete as delete
from tinygrad_lr.numpy import diag as diag
from tinygrad_lr.numpy import diagflat as diagflat
from tinygrad_lr.numpy import diagonal as diagonal
from tinygrad_lr.numpy import diff as diff
from tinygrad_lr.numpy import divmod as divmod
from tinygrad_lr.numpy import dot as dot
from tinygrad_lr.numpy import dsplit as dsplit
from tinygrad_lr.numpy import dstack as dstack
from tinygrad_lr.numpy import ediff1d as ediff1d
from tinygrad_lr.numpy.linalg import eig as eig
from tinygrad_lr.numpy.linalg import eigh as eigh
from tinygrad_lr.numpy.linalg import eigvals as eigvals
from tinygrad_lr.numpy.linalg import eigvalsh as eigvalsh
from tinygrad_lr.numpy import einsum as einsum
from tinygrad_lr.numpy import expand_dims as expand_dims
from tinygrad_lr.numpy import extract as extract
from tinygrad_lr.numpy.fft import fft as fft
from tinygrad_lr.numpy.fft import fft2 as fft2
from tinygrad_lr.numpy.fft import fftn as fftn
from tinygrad_lr.numpy.fft import fftshift as fftshift
from tinygrad_lr.numpy import fill_diagonal as fill_diagonal
from tinygrad_lr.numpy import fix as fix
from tinygrad_lr.numpy import flip as flip
from tinygrad_lr.numpy import fliplr as fliplr
from tinygrad_lr.numpy import flipud as flipud
from tinygrad_lr.numpy import float_power as float_power
from tinygrad_lr.numpy import frexp as frexp
from tinygrad_lr.numpy import geomspace as geomspace
from tinygrad_lr.numpy import gradient as gradient
from tinygrad_lr.numpy.fft import hfft as hfft
from tinygrad_lr.numpy import histogram as histogram
from tinygrad_lr.numpy import histogram2d as histogram2d
from tinygrad_lr.numpy import histogram_bin_edges as histogram_bin_edges
from tinygrad_lr.numpy import histogramdd as histogramdd
from tinygrad_lr.numpy import hsplit as hsplit
from tinygrad_lr.numpy import hstack as hstack
from tinygrad_lr.numpy.fft import ifft as ifft
from tinygrad_lr.numpy.fft import ifft2 as ifft2
from tinygrad_lr.numpy.fft import ifftn as ifftn
from tinygrad_lr.numpy.fft import ifftshift as ifftshift
from tinygrad_lr.numpy.fft import ihfft as ihfft
from tinygrad_lr.numpy import inner as inner
from tinygrad_lr.numpy import insert as insert
from tinygrad_lr.numpy import interp as interp
from tinygrad_lr.numpy import intersect1d as intersect1d
from tinygrad_lr.numpy.fft import irfft as irfft
from tinygrad_lr.numpy.fft import irfft2 as irfft2
from tinygrad_lr.numpy.fft import irfftn as irfftn
from tinygrad_lr.numpy import kron as kron
from tinygrad_lr.numpy import ldexp as ldexp
from tinygrad_lr.numpy.linalg import cross as linalg_cross
from tinygrad_lr.numpy.linalg import diagonal as linalg_diagonal
from tinygrad_lr.numpy.linalg import matmul as linalg_matmul
from tinygrad_lr.numpy.linalg import matrix_transpose as linalg_matrix_transpose
from tinygrad_lr.numpy.linalg import outer as linalg_outer
from tinygrad_lr.numpy.linalg import tensordot as linalg_tensordot
from tinygrad_lr.numpy.linalg import trace as linalg_trace
from tinygrad_lr.numpy.linalg import vecdot as linalg_vecdot
from tinygrad_lr.numpy import linspace as linspace
from tinygrad_lr.numpy import logspace as logspace
from tinygrad_lr.numpy.linalg import lstsq as lstsq
from tinygrad_lr.numpy.linalg import matrix_norm as matrix_norm
from tinygrad_lr.numpy.linalg import matrix_power as matrix_power
from tinygrad_lr.numpy.linalg import matrix_rank as matrix_rank
from tinygrad_lr.numpy import matrix_transpose as matrix_transpose
from tinygrad_lr.numpy import matvec as matvec
from tinygrad_lr.numpy import median as median
from tinygrad_lr.numpy import meshgrid as meshgrid
from tinygrad_lr.numpy import modf as modf
from tinygrad_lr.numpy import moveaxis as moveaxis
from tinygrad_lr.numpy.linalg import multi_dot as multi_dot
from tinygrad_lr.numpy import nan_to_num as nan_to_num
from tinygrad_lr.numpy import nancumprod as nancumprod
from tinygrad_lr.numpy import nancumsum as nancumsum
from tinygrad_lr.numpy import nanmean as nanmean
from tinygrad_lr.numpy import nanmedian as nanmedian
from tinygrad_lr.numpy import nanpercentile as nanpercentile
from tinygrad_lr.numpy import nanprod as nanprod
from tinygrad_lr.numpy import nanquantile as nanquantile
from tinygrad_lr.numpy import nanstd as nanstd
from tinygrad_lr.numpy import nansum as nansum
from tinygrad_lr.numpy import nanvar as nanvar
from tinygrad_lr.numpy.linalg import norm as norm
from tinygrad_lr.numpy import broadcast_to as numpy_broadcast_to
from tinygrad_lr.numpy import imag as numpy_imag
from tinygrad_lr.numpy import real as numpy_real
from tinygrad_lr.numpy import outer as outer
from tinygrad_lr.numpy import pad as pad
from tinygrad_lr.numpy import partition as partition
from tinygrad_lr.numpy import percentile as percentile
from tinygrad_lr.numpy.linalg import pinv as pinv
from tinygrad_lr.numpy import place as place
from tinygrad_lr.numpy import poly as poly
from tinygrad_lr.numpy import polyadd as polyadd
from tinygrad_lr.numpy import polyder as polyder
from tinygrad_lr.numpy import polydiv as polydiv
from tinygrad_lr.numpy import polyfit as polyfit
from tinygrad_lr.numpy import polyint as polyint
from tinygrad_lr.numpy import polymul as polymul
from tinygrad_lr.numpy import polysub as polysub
from tinygrad_lr.numpy import polyval as polyval
from tinygrad_lr.numpy import ptp as ptp
from tinygrad_lr.numpy import put as put
from tinygrad_lr.numpy import put_along_axis as put_along_axis
from tinygrad_lr.numpy import putmask as putmask
from tinygrad_lr.numpy.linalg import qr as qr
from tinygrad_lr.numpy import quantile as quantile
from tinygrad_lr.numpy import rad2deg as rad2deg
from tinygrad_lr.numpy import ravel as ravel
from tinygrad_lr.numpy import real_if_close as real_if_close
from tinygrad_lr.numpy import repeat as repeat
from tinygrad_lr.numpy import reshape as reshape
from tinygrad_lr.numpy import resize as resize
from tinygrad_lr.numpy.fft import rfft as rfft
from tinygrad_lr.numpy.fft import rfft2 as rfft2
from tinygrad_lr.numpy.fft import rfftn as rfftn
from tinygrad_lr.numpy import roll as roll
from tinygrad_lr.numpy import rollaxis as rollaxis
from tinygrad_lr.numpy import roots as roots
from tinygrad_lr.numpy import rot90 as rot90
from tinygrad_lr.numpy import round as round
from tinygrad_lr.numpy import select as select
from tinygrad_lr.numpy import setdiff1d as setdiff1d
from tinygrad_lr.numpy import setxor1d as setxor1d
from tinygrad_lr.numpy.linalg import slogdet as slogdet
from tinygrad_lr.numpy.linalg import solve as solve
from tinygrad_lr.numpy import sort as sort
from tinygrad_lr.numpy import split as split
from tinygrad_lr.numpy import squeeze as squeeze
from tinygrad_lr.numpy import stack as stack
from tinygrad_lr.numpy.linalg import svd as svd
from tinygrad_lr.numpy.linalg import svdvals as svdvals
from tinygrad_lr.numpy import swapaxes as swapaxes
from tinygrad_lr.numpy import take as take
from tinygrad_lr.numpy import take_along_axis as take_along_axis
from tinygrad_lr.numpy import tensordot as tensordot
from tinygrad_lr.numpy.linalg import tensorinv as tensorinv
from tinygrad_lr.numpy.linalg import tensorsolve as tensorsolve
from tinygrad_lr.numpy import tile as tile
from tinygrad_lr.numpy import trace as trace
from tinygrad_lr.numpy import transpose as transpose
from tinygrad_lr.numpy import trapezoid as trapezoid
from tinygrad_lr.numpy import tril as tril
from tinygrad_lr.numpy import trim_zeros as trim_zeros
from tinygrad_lr.numpy import triu as triu
from tinygrad_lr.numpy import union1d as union1d
from tinygrad_lr.numpy import unique as unique
from tinygrad_lr.numpy import unique_all as unique_all
from tinygrad_lr.numpy import unique_counts as unique_counts
from tinygrad_lr.numpy import unique_inverse as unique_inverse
from tinygrad_lr.numpy import unique_values as unique_values
from tinygrad_lr.numpy import unstack as unstack
from tinygrad_lr.numpy import unwrap as unwrap
from tinygrad_lr.numpy import vander as vander
from tinygrad_lr.numpy import vdot as vdot
from tinygrad_lr.numpy import vecdot as vecdot
from tinygrad_lr.numpy import vecmat as vecmat
from tinygrad_lr.numpy.linalg import vector_norm as vector_norm
from tinygrad_lr.numpy import vsplit as vsplit
from tinygrad_lr.numpy import vstack as vstack

abs: _Primitive
@_overload
def adaptive_avg_pool1d(x: _Plain, output_size: int | tuple[int, ...]) -> _Array: ...
@_overload
def adaptive_avg_pool1d(x: _Nest, output_size: int | tuple[int, ...]) -> _Value: ...
@_overload
def adaptive_avg_pool2d(x: _Plain, output_size: int | tuple[int, ...]) -> _Array: ...
@_overload
def adaptive_avg_pool2d(x: _Nest, output_size: int | tuple[int, ...]) -> _Value: ...
add: _Primitive
@_overload
def add_at(a: _Plain, indices: _Index, b: _Plain) -> _Array: ...
@_overload
def add_at(a: _Nest, indices: _Index, b: _Nest) -> _Value: ...
affine: _Primitive
angle_of: _Primitive
arccos: _Primitive
arccosh: _Primitive
arcsin: _Primitive
arcsinh: _Primitive
arctan: _Primitive
arctan2: _Primitive
arctanh: _Primitive
@_overload
def avg_pool1d(x: _Plain, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., count_include_pad: bool = ...) -> _Array: ...
@_overload
def avg_pool1d(x: _Nest, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., count_include_pad: bool = ...) -> _Value: ...
@_overload
def avg_pool2d(x: _Plain, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., count_include_pad: bool = ...) -> _Array: ...
@_overload
def avg_pool2d(x: _Nest, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., count_include_pad: bool = ...) -> _Value: ...
bessel_i: _Primitive
broadcast_to: _Primitive
cast: _Primitive
cbrt: _Primitive
ceil: _Primitive
celu: _Primitive
cholesky_factor: _Primitive
clip_between: _Primitive
cofactors: _Primitive
concatenate_all: _Primitive
conj: _Primitive
@_overload
def conv1d(x: _Plain, weight: _Plain, bias: _Plain | None = ..., stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., dilation: int | tuple[int, ...] = ..., groups: int = ...) -> _Array: ...
@_overload
def conv1d(x: _Nest, weight: _Nest, bias: _Nest | None = ..., stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., dilation: int | tuple[int, ...] = ..., groups: int = ...) -> _Value: ...
@_overload
def conv2d(x: _Plain, weight: _Plain, bias: _Plain | None = ..., stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., dilation: int | tuple[int, ...] = ..., groups: int = ...) -> _Array: ...
@_overload
def conv2d(x: _Nest, weight: _Nest, bias: _Nest | None = ..., stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., dilation: int | tuple[int, ...] = ..., groups: int = ...) -> _Value: ...
convolve_full: _Primitive
copysign: _Primitive
cos: _Primitive
cosh: _Primitive
cross_correlation: _Primitive
cross_correlation_kernel: _Primitive
cross_correlation_transposed: _Primitive
cumsum_along: _Primitive
det: _Primitive
diagonal_of: _Primitive
divide: _Primitive
einsum_of: _Primitive
elu: _Primitive
erf: _Primitive
erfc: _Primitive
euclidean_norm: _Primitive
exp: _Primitive
exp2: _Primitive
expm1: _Primitive
fft_over: _Primitive
first_order: _Primitive
@_overload
def flatten(a: _Plain, order: str = ...) -> _Array: ...
@_overload
def flatten(a: _Nest, order: str = ...) -> _Value: ...
floor: _Primitive
floor_divide: _Primitive
fmax: _Primitive
fmin: _Primitive
fmod: _Primitive
fractional_part: _Primitive
gelu: _Primitive
general_eigen: _Primitive
@_overload
def getitem(x: _Plain, index: _Index) -> _Any: ...
@_overload
def getitem(x: _Nest, index: _Index) -> _Value: ...
getitem_at: _Primitive
@_overload
def glu(x: _Plain, axis: int | tuple[int, ...] | None = ...) -> _Array: ...
@_overload
def glu(x: _Nest, axis: int | tuple[int, ...] | None = ...) -> _Value: ...
gru_states: _Primitive
@_overload
def hardsigmoid(x: _Plain) -> _Any: ...
@_overload
def hardsigmoid(x: _Nest) -> _Value: ...
@_overload
def hardswish(x: _Plain) -> _Any: ...
@_overload
def hardswish(x: _Nest) -> _Value: ...
hardtanh: _Primitive
heaviside: _Primitive
hypot: _Primitive
i0: _Primitive
i1: _Primitive
ifft_over: _Primitive
imag: _Primitive
inv: _Primitive
irfft_along: _Primitive
join_heads: _Primitive
leaky_relu: _Primitive
least_squares: _Primitive
log: _Primitive
log10: _Primitive
log1p: _Primitive
log2: _Primitive
log_determinant: _Primitive
@_overload
def log_sigmoid(x: _Plain) -> _Any: ...
@_overload
def log_sigmoid(x: _Nest) -> _Value: ...
log_softmax: _Primitive
logaddexp: _Primitive
logaddexp2: _Primitive
logsumexp: _Primitive
lstm_states: _Primitive
matmul: _Primitive
max: _Primitive
@_overload
def max_pool1d(x: _Plain, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., dilation: int | tuple[int, ...] = ...) -> _Array: ...
@_overload
def max_pool1d(x: _Nest, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., dilation: int | tuple[int, ...] = ...) -> _Value: ...
@_overload
def max_pool2d(x: _Plain, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., dilation: int | tuple[int, ...] = ...) -> _Array: ...
@_overload
def max_pool2d(x: _Nest, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...] | None = ..., padding: int | str | tuple[int | tuple[int, int], ...] = ..., dilation: int | tuple[int, ...] = ...) -> _Value: ...
maximum: _Primitive
mean: _Primitive
mean_square: _Primitive
min: _Primitive
minimum: _Primitive
@_overload
def mish(x: _Plain) -> _Any: ...
@_overload
def mish(x: _Nest) -> _Value: ...
multiply: _Primitive
nanmax: _Primitive
nanmin: _Primitive
negative: _Primitive
nextafter: _Primitive
norm_of_order: _Primitive
@_overload
def normal_cdf(x: _Plain) -> _Any: ...
@_overload
def normal_cdf(x: _Nest) -> _Value: ...
@_overload
def normal_pdf(x: _Plain) -> _Any: ...
@_overload
def normal_pdf(x: _Nest) -> _Value: ...
orthogonal_factors: _Primitive
overlap_add: _Primitive
pad_constant: _Primitive
positive: _Primitive
power: _Primitive
prelu: _Primitive
prod: _Primitive
pseudo_inverse: _Primitive
put_at: _Primitive
real: _Primitive
reciprocal: _Primitive
relu: _Primitive
@_overload
def relu6(x: _Plain) -> _Any: ...
@_overload
def relu6(x: _Nest) -> _Value: ...
remainder: _Primitive
reshape_to: _Primitive
rfft_along: _Primitive
rint: _Primitive
rms_normalize: _Primitive
rnn_states: _Primitive
roll_by: _Primitive
@_overload
def selu(x: _Plain) -> _Any: ...
@_overload
def selu(x: _Nest) -> _Value: ...
set_item: _Primitive
sigmoid: _Primitive
sigmoid_cross_entropy: _Primitive
sign: _Primitive
silu: _Primitive
sin: _Primitive
sinc: _Primitive
singular_factors: _Primitive
sinh: _Primitive
@_overload
def sliding_window_view(x: _Plain, window_shape: int | tuple[int, ...], axis: int | tuple[int, ...] | None = ..., *, subok: bool = ..., writeable: bool = ...) -> _Array: ...
@_overload
def sliding_window_view(x: _Nest, window_shape: int | tuple[int, ...], axis: int | tuple[int, ...] | None = ..., *, subok: bool = ..., writeable: bool = ...) -> _Value: ...
sliding_windows: _Primitive
softmax: _Primitive
softmax_cross_entropy: _Primitive
softplus: _Primitive
softsign: _Primitive
solve_columns: _Primitive
spacing: _Primitive
split_heads: _Primitive
sqrt: _Primitive
square: _Primitive
standardize: _Primitive
std: _Primitive
subtract: _Primitive
sum: _Primitive
symmetric_eigen: _Primitive
tan: _Primitive
tanh: _Primitive
transpose_to: _Primitive
trunc: _Primitive
var: _Primitive
where: _Primitive
window_max: _Primitive
window_spread: _Primitive
window_sum: _Primitive
windows_of: _Primitive
