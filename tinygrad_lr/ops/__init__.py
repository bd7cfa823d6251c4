"""The operations: `tinygrad_lr.ops.softmax(x)`, and NumPy's names on Values.

Importing this fills the table. A NumPy function called on a Value finds its operation here. What
no NumPy function stands for, and few programs need, comes into the table when it is first used.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import at_first_use as _at_first_use
from .activation import elu as elu
from .activation import gelu as gelu
from .activation import leaky_relu as leaky_relu
from .activation import log_softmax as log_softmax
from .activation import logsumexp as logsumexp
from .activation import relu as relu
from .activation import sigmoid as sigmoid
from .activation import silu as silu
from .activation import softmax as softmax
from .activation import softplus as softplus
from .arithmetic import abs as abs
from .arithmetic import add as add
from .arithmetic import divide as divide
from .arithmetic import maximum as maximum
from .arithmetic import minimum as minimum
from .arithmetic import multiply as multiply
from .arithmetic import negative as negative
from .arithmetic import positive as positive
from .arithmetic import power as power
from .arithmetic import sign as sign
from .arithmetic import subtract as subtract
from .arrangement import append as append
from .arrangement import array_split as array_split
from .arrangement import column_stack as column_stack
from .arrangement import concatenate as concatenate
from .arrangement import concatenate_all as concatenate_all
from .arrangement import flip as flip
from .arrangement import fliplr as fliplr
from .arrangement import flipud as flipud
from .arrangement import hsplit as hsplit
from .arrangement import hstack as hstack
from .arrangement import pad as pad
from .arrangement import pad_constant as pad_constant
from .arrangement import repeat as repeat
from .arrangement import roll as roll
from .arrangement import roll_by as roll_by
from .arrangement import rot90 as rot90
from .arrangement import split as split
from .arrangement import stack as stack
from .arrangement import tile as tile
from .arrangement import vsplit as vsplit
from .arrangement import vstack as vstack
from .differences import average as average
from .differences import cumprod as cumprod
from .differences import diff as diff
from .differences import ptp as ptp
from .differences import trapezoid as trapezoid
from .elementwise import arccos as arccos
from .elementwise import arccosh as arccosh
from .elementwise import arcsin as arcsin
from .elementwise import arcsinh as arcsinh
from .elementwise import arctan as arctan
from .elementwise import arctan2 as arctan2
from .elementwise import arctanh as arctanh
from .elementwise import cos as cos
from .elementwise import cosh as cosh
from .elementwise import exp as exp
from .elementwise import expm1 as expm1
from .elementwise import hypot as hypot
from .elementwise import log as log
from .elementwise import log1p as log1p
from .elementwise import log2 as log2
from .elementwise import log10 as log10
from .elementwise import logaddexp as logaddexp
from .elementwise import reciprocal as reciprocal
from .elementwise import sin as sin
from .elementwise import sinh as sinh
from .elementwise import sqrt as sqrt
from .elementwise import square as square
from .elementwise import tan as tan
from .elementwise import tanh as tanh
from .index import getitem as getitem
from .index import getitem_at as getitem_at
from .index import put_at as put_at
from .index import sort as sort
from .index import take as take
from .index import take_along_axis as take_along_axis
from .linear_algebra import affine as affine
from .linear_algebra import cross as cross
from .linear_algebra import diag as diag
from .linear_algebra import diagonal as diagonal
from .linear_algebra import dot as dot
from .linear_algebra import euclidean_norm as euclidean_norm
from .linear_algebra import inner as inner
from .linear_algebra import kron as kron
from .linear_algebra import matmul as matmul
from .linear_algebra import norm as norm
from .linear_algebra import outer as outer
from .linear_algebra import tensordot as tensordot
from .linear_algebra import trace as trace
from .linear_algebra import tril as tril
from .linear_algebra import triu as triu
from .linear_algebra import vdot as vdot
from .linear_algebra import vector_norm as vector_norm
from .powers import cbrt as cbrt
from .powers import deg2rad as deg2rad
from .powers import exp2 as exp2
from .powers import rad2deg as rad2deg
from .reduce import cumsum as cumsum
from .reduce import cumsum_along as cumsum_along
from .reduce import max as max
from .reduce import mean as mean
from .reduce import mean_square as mean_square
from .reduce import min as min
from .reduce import prod as prod
from .reduce import std as std
from .reduce import sum as sum
from .reduce import var as var
from .rounding import ceil as ceil
from .rounding import floor as floor
from .rounding import remainder as remainder
from .rounding import rint as rint
from .rounding import round as round
from .rounding import trunc as trunc
from .selection import clip as clip
from .selection import clip_between as clip_between
from .selection import where as where
from .shape import astype as astype
from .shape import atleast_1d as atleast_1d
from .shape import atleast_2d as atleast_2d
from .shape import broadcast_arrays as broadcast_arrays
from .shape import broadcast_to as broadcast_to
from .shape import cast as cast
from .shape import copy as copy
from .shape import expand_dims as expand_dims
from .shape import matrix_transpose as matrix_transpose
from .shape import moveaxis as moveaxis
from .shape import numpy_broadcast_to as numpy_broadcast_to
from .shape import ravel as ravel
from .shape import reshape as reshape
from .shape import reshape_to as reshape_to
from .shape import squeeze as squeeze
from .shape import swapaxes as swapaxes
from .shape import transpose as transpose
from .shape import transpose_to as transpose_to
from .solving import det as det
from .solving import inv as inv
from .solving import solve as solve
from .solving import solve_columns as solve_columns
from .summation import einsum as einsum
from .summation import einsum_of as einsum_of

if _TYPE_CHECKING:
    from .cross_entropy import sigmoid_cross_entropy as sigmoid_cross_entropy
    from .cross_entropy import softmax_cross_entropy as softmax_cross_entropy
    from .error_function import erf as erf
    from .error_function import erfc as erfc
    from .error_function import normal_cdf as normal_cdf
    from .error_function import normal_pdf as normal_pdf
    from .gated import gru_states as gru_states
    from .gated import lstm_states as lstm_states
    from .normalization import rms_normalize as rms_normalize
    from .normalization import standardize as standardize
    from .piecewise import celu as celu
    from .piecewise import hardsigmoid as hardsigmoid
    from .piecewise import hardswish as hardswish
    from .piecewise import hardtanh as hardtanh
    from .piecewise import prelu as prelu
    from .piecewise import relu6 as relu6
    from .piecewise import selu as selu
    from .recurrence import rnn_states as rnn_states
    from .smooth import glu as glu
    from .smooth import log_sigmoid as log_sigmoid
    from .smooth import mish as mish
    from .smooth import softsign as softsign
    from .windows.convolution import conv1d as conv1d
    from .windows.convolution import conv2d as conv2d
    from .windows.convolution import cross_correlation as cross_correlation
    from .windows.convolution import cross_correlation_kernel as cross_correlation_kernel
    from .windows.convolution import cross_correlation_transposed as cross_correlation_transposed
    from .windows.geometry import overlap_add as overlap_add
    from .windows.geometry import sliding_windows as sliding_windows
    from .windows.pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
    from .windows.pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
    from .windows.pooling import avg_pool1d as avg_pool1d
    from .windows.pooling import avg_pool2d as avg_pool2d
    from .windows.pooling import max_pool1d as max_pool1d
    from .windows.pooling import max_pool2d as max_pool2d
    from .windows.window_reductions import window_max as window_max
    from .windows.window_reductions import window_spread as window_spread
    from .windows.window_reductions import window_sum as window_sum

__getattr__, __dir__ = _at_first_use(
    __name__,
    {
        "adaptive_avg_pool1d": "windows.pooling",
        "adaptive_avg_pool2d": "windows.pooling",
        "avg_pool1d": "windows.pooling",
        "avg_pool2d": "windows.pooling",
        "celu": "piecewise",
        "conv1d": "windows.convolution",
        "conv2d": "windows.convolution",
        "cross_correlation": "windows.convolution",
        "cross_correlation_kernel": "windows.convolution",
        "cross_correlation_transposed": "windows.convolution",
        "erf": "error_function",
        "erfc": "error_function",
        "glu": "smooth",
        "gru_states": "gated",
        "hardsigmoid": "piecewise",
        "hardswish": "piecewise",
        "hardtanh": "piecewise",
        "log_sigmoid": "smooth",
        "lstm_states": "gated",
        "max_pool1d": "windows.pooling",
        "max_pool2d": "windows.pooling",
        "mish": "smooth",
        "normal_cdf": "error_function",
        "normal_pdf": "error_function",
        "overlap_add": "windows.geometry",
        "prelu": "piecewise",
        "relu6": "piecewise",
        "rms_normalize": "normalization",
        "rnn_states": "recurrence",
        "selu": "piecewise",
        "sigmoid_cross_entropy": "cross_entropy",
        "sliding_windows": "windows.geometry",
        "softmax_cross_entropy": "cross_entropy",
        "softsign": "smooth",
        "standardize": "normalization",
        "window_max": "windows.window_reductions",
        "window_spread": "windows.window_reductions",
        "window_sum": "windows.window_reductions",
    },
)
