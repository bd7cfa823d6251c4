"""tinygrad_lr: automatic differentiation on NumPy that shows its work.

    import tinygrad_lr as tg

    w = tg.Value(2.0)
    loss = (w * 3.0 - 1.0) ** 2
    loss.backward()
    w.grad  # 30.0

NumPy functions work on Values: np.exp(w), np.sum(w, axis=0), w @ x. What NumPy does not have is
here (`tg.relu`, `tg.softmax`), and every operation is in `tg.ops`.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import errors as errors
from . import ops as ops
from .core.autodiff import grad as grad
from .core.autodiff import hvp as hvp
from .core.autodiff import jvp as jvp
from .core.autodiff import linearize as linearize
from .core.autodiff import stop_gradient as stop_gradient
from .core.autodiff import value_and_grad as value_and_grad
from .core.autodiff import vjp as vjp
from .core.creation import array as array
from .core.creation import empty as empty
from .core.creation import empty_like as empty_like
from .core.creation import full as full
from .core.creation import full_like as full_like
from .core.creation import ones as ones
from .core.creation import ones_like as ones_like
from .core.creation import zeros as zeros
from .core.creation import zeros_like as zeros_like
from .core.grad_mode import no_grad as no_grad
from .core.primitive import primitive as primitive
from .core.value import Value as Value
from .ops.activation import elu as elu
from .ops.activation import gelu as gelu
from .ops.activation import leaky_relu as leaky_relu
from .ops.activation import log_softmax as log_softmax
from .ops.activation import logsumexp as logsumexp
from .ops.activation import relu as relu
from .ops.activation import sigmoid as sigmoid
from .ops.activation import silu as silu
from .ops.activation import softmax as softmax
from .ops.activation import softplus as softplus
from .support.lazy_imports import lazy_names as _lazy_names
from .support.moved_modules import install_finder as _install_finder
from .support.version import __version__ as __version__

if _TYPE_CHECKING:
    from . import checkpoint as checkpoint
    from . import compiler as compiler
    from . import data as data
    from . import datasets as datasets
    from . import explain as explain
    from . import interop as interop
    from . import linear as linear
    from . import losses as losses
    from . import metrics as metrics
    from . import nn as nn
    from . import numpy as numpy
    from . import optim as optim
    from . import plot as plot
    from . import schedules as schedules
    from . import scipy as scipy
    from . import train as train
    from .compiler import compile as compile
    from .compiler import set_threads as set_threads
    from .core.control_flow import cond as cond
    from .core.control_flow import scan as scan
    from .core.control_flow import while_loop as while_loop
    from .core.custom import custom_jvp as custom_jvp
    from .core.custom import custom_vjp as custom_vjp
    from .core.custom import fixed_point as fixed_point
    from .core.custom import remat as remat
    from .core.custom import root as root
    from .core.gradient_check import check_gradients as check_gradients
    from .core.jacobians import hessian as hessian
    from .core.jacobians import jacobian as jacobian
    from .core.vmap import vmap as vmap
    from .explain import derivation as derivation
    from .explain import influence as influence
    from .explain import quiz as quiz
    from .explain import trace as trace
    from .report_page import report as report
    from .train import History as History
    from .train import fit as fit

__all__ = [
    "History",
    "Value",
    "__version__",
    "array",
    "check_gradients",
    "checkpoint",
    "compile",
    "compiler",
    "cond",
    "custom_jvp",
    "custom_vjp",
    "data",
    "datasets",
    "derivation",
    "elu",
    "empty",
    "empty_like",
    "errors",
    "explain",
    "fit",
    "fixed_point",
    "full",
    "full_like",
    "gelu",
    "grad",
    "hessian",
    "hvp",
    "influence",
    "interop",
    "jacobian",
    "jvp",
    "leaky_relu",
    "linear",
    "linearize",
    "log_softmax",
    "logsumexp",
    "losses",
    "metrics",
    "nn",
    "no_grad",
    "numpy",
    "ones",
    "ones_like",
    "ops",
    "optim",
    "plot",
    "primitive",
    "quiz",
    "relu",
    "remat",
    "report",
    "root",
    "scan",
    "schedules",
    "scipy",
    "set_threads",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "stop_gradient",
    "trace",
    "train",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
    "zeros",
    "zeros_like",
]
_LAZY = {
    **dict.fromkeys(("checkpoint", "compiler", "data", "datasets", "explain", "interop"), ""),
    **dict.fromkeys(("linear", "losses", "metrics", "nn", "numpy", "optim", "plot"), ""),
    **dict.fromkeys(("schedules", "scipy", "train"), ""),
    **dict.fromkeys(("compile", "set_threads"), "compiler"),
    **dict.fromkeys(("derivation", "influence", "quiz", "trace"), "explain"),
    **dict.fromkeys(("History", "fit"), "train"),
    **dict.fromkeys(("cond", "scan", "while_loop"), "core.control_flow"),
    **dict.fromkeys(("custom_jvp", "custom_vjp", "fixed_point", "remat", "root"), "core.custom"),
    **dict.fromkeys(("hessian", "jacobian"), "core.jacobians"),
    "check_gradients": "core.gradient_check",
    "report": "report_page",
    "vmap": "core.vmap",
}
__getattr__, _ = _lazy_names(__name__, _LAZY)
_install_finder()  # for pickles of earlier versions


def __dir__() -> list[str]:
    return __all__
