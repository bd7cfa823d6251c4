"""Networks: modules that hold parameters and compute with them.

`Module` is the base; `Linear` is the line x @ weight + bias; `Sequential`, `Residual` and `MLP`
stack layers. What those are not made of is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import lazy_names as _lazy_names
from .activation import ELU as ELU
from .activation import GELU as GELU
from .activation import Identity as Identity
from .activation import LeakyReLU as LeakyReLU
from .activation import ReLU as ReLU
from .activation import Sigmoid as Sigmoid
from .activation import SiLU as SiLU
from .activation import Softplus as Softplus
from .activation import Tanh as Tanh
from .containers import MLP as MLP
from .containers import Residual as Residual
from .containers import Sequential as Sequential
from .linear import Linear as Linear
from .module import Module as Module

if _TYPE_CHECKING:
    from . import init as init
    from .attention import MultiHeadAttention as MultiHeadAttention
    from .attention import scaled_dot_product_attention as scaled_dot_product_attention
    from .bilinear import Bilinear as Bilinear
    from .cells import GRUCell as GRUCell
    from .cells import LSTMCell as LSTMCell
    from .cells import RNNCell as RNNCell
    from .convolution import Conv1d as Conv1d
    from .convolution import Conv2d as Conv2d
    from .dropout import Dropout as Dropout
    from .embedding import Embedding as Embedding
    from .hooks import observed as observed
    from .normalization import BatchNorm1d as BatchNorm1d
    from .normalization import BatchNorm2d as BatchNorm2d
    from .normalization import LayerNorm as LayerNorm
    from .normalization import RMSNorm as RMSNorm
    from .piecewise import CELU as CELU
    from .piecewise import SELU as SELU
    from .piecewise import Hardsigmoid as Hardsigmoid
    from .piecewise import Hardswish as Hardswish
    from .piecewise import Hardtanh as Hardtanh
    from .piecewise import PReLU as PReLU
    from .piecewise import ReLU6 as ReLU6
    from .pooling import AdaptiveAvgPool1d as AdaptiveAvgPool1d
    from .pooling import AdaptiveAvgPool2d as AdaptiveAvgPool2d
    from .pooling import AvgPool1d as AvgPool1d
    from .pooling import AvgPool2d as AvgPool2d
    from .pooling import Flatten as Flatten
    from .pooling import MaxPool1d as MaxPool1d
    from .pooling import MaxPool2d as MaxPool2d
    from .recurrent import GRU as GRU
    from .recurrent import LSTM as LSTM
    from .recurrent import RNN as RNN
    from .smooth import GLU as GLU
    from .smooth import LogSigmoid as LogSigmoid
    from .smooth import LogSoftmax as LogSoftmax
    from .smooth import Mish as Mish
    from .smooth import Softmax as Softmax
    from .smooth import Softsign as Softsign
    from .summaries import Summary as Summary
    from .summaries import summary as summary

__getattr__, __dir__ = _lazy_names(
    __name__,
    {
        "AdaptiveAvgPool1d": "pooling",
        "AdaptiveAvgPool2d": "pooling",
        "AvgPool1d": "pooling",
        "AvgPool2d": "pooling",
        "BatchNorm1d": "normalization",
        "BatchNorm2d": "normalization",
        "Bilinear": "bilinear",
        "CELU": "piecewise",
        "Conv1d": "convolution",
        "Conv2d": "convolution",
        "Dropout": "dropout",
        "Embedding": "embedding",
        "Flatten": "pooling",
        "GLU": "smooth",
        "GRU": "recurrent",
        "GRUCell": "cells",
        "Hardsigmoid": "piecewise",
        "Hardswish": "piecewise",
        "Hardtanh": "piecewise",
        "LSTM": "recurrent",
        "LSTMCell": "cells",
        "LayerNorm": "normalization",
        "LogSigmoid": "smooth",
        "LogSoftmax": "smooth",
        "MaxPool1d": "pooling",
        "MaxPool2d": "pooling",
        "Mish": "smooth",
        "MultiHeadAttention": "attention",
        "PReLU": "piecewise",
        "RMSNorm": "normalization",
        "RNN": "recurrent",
        "RNNCell": "cells",
        "ReLU6": "piecewise",
        "SELU": "piecewise",
        "Softmax": "smooth",
        "Softsign": "smooth",
        "Summary": "summaries",
        "init": "",
        "observed": "hooks",
        "scaled_dot_product_attention": "attention",
        "summary": "summaries",
    },
)

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "MLP",
    "RNN",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Bilinear",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MaxPool1d",
    "MaxPool2d",
    "Mish",
    "Module",
    "MultiHeadAttention",
    "PReLU",
    "RMSNorm",
    "RNNCell",
    "ReLU",
    "ReLU6",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Summary",
    "Tanh",
    "init",
    "observed",
    "scaled_dot_product_attention",
    "summary",
]
