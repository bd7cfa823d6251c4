"""Networks: modules that hold parameters and compute with them.

`Module` is the base; `Linear` is the line x @ weight + bias; `Sequential`, `Residual` and `MLP`
stack layers. What those are not made of is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import at_first_use as _at_first_use
from .activations import ELU as ELU
from .activations import GELU as GELU
from .activations import Identity as Identity
from .activations import LeakyReLU as LeakyReLU
from .activations import ReLU as ReLU
from .activations import Sigmoid as Sigmoid
from .activations import SiLU as SiLU
from .activations import Softplus as Softplus
from .activations import Tanh as Tanh
from .containers import MLP as MLP
from .containers import Residual as Residual
from .containers import Sequential as Sequential
from .linear import Linear as Linear
from .module import Module as Module

if _TYPE_CHECKING:
    from . import init as init
    from .activations import CELU as CELU
    from .activations import GLU as GLU
    from .activations import SELU as SELU
    from .activations import Hardsigmoid as Hardsigmoid
    from .activations import Hardswish as Hardswish
    from .activations import Hardtanh as Hardtanh
    from .activations import LogSigmoid as LogSigmoid
    from .activations import LogSoftmax as LogSoftmax
    from .activations import Mish as Mish
    from .activations import PReLU as PReLU
    from .activations import ReLU6 as ReLU6
    from .activations import Softmax as Softmax
    from .activations import Softsign as Softsign
    from .attention import MultiHeadAttention as MultiHeadAttention
    from .attention import scaled_dot_product_attention as scaled_dot_product_attention
    from .cells import GRUCell as GRUCell
    from .cells import LSTMCell as LSTMCell
    from .cells import RNNCell as RNNCell
    from .convolution import Conv1d as Conv1d
    from .convolution import Conv2d as Conv2d
    from .dropout import Dropout as Dropout
    from .embedding import Embedding as Embedding
    from .hooks import observed as observed
    from .linear import Bilinear as Bilinear
    from .normalization import BatchNorm1d as BatchNorm1d
    from .normalization import BatchNorm2d as BatchNorm2d
    from .normalization import LayerNorm as LayerNorm
    from .normalization import RMSNorm as RMSNorm
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
    from .summaries import Summary as Summary
    from .summaries import summary as summary

__getattr__, __dir__ = _at_first_use(
    __name__,
    {
        "AdaptiveAvgPool1d": "pooling",
        "AdaptiveAvgPool2d": "pooling",
        "AvgPool1d": "pooling",
        "AvgPool2d": "pooling",
        "BatchNorm1d": "normalization",
        "BatchNorm2d": "normalization",
        "Bilinear": "linear",
        "CELU": "activations",
        "Conv1d": "convolution",
        "Conv2d": "convolution",
        "Dropout": "dropout",
        "Embedding": "embedding",
        "Flatten": "pooling",
        "GLU": "activations",
        "GRU": "recurrent",
        "GRUCell": "cells",
        "Hardsigmoid": "activations",
        "Hardswish": "activations",
        "Hardtanh": "activations",
        "LSTM": "recurrent",
        "LSTMCell": "cells",
        "LayerNorm": "normalization",
        "LogSigmoid": "activations",
        "LogSoftmax": "activations",
        "MaxPool1d": "pooling",
        "MaxPool2d": "pooling",
        "Mish": "activations",
        "MultiHeadAttention": "attention",
        "PReLU": "activations",
        "RMSNorm": "normalization",
        "RNN": "recurrent",
        "RNNCell": "cells",
        "ReLU6": "activations",
        "SELU": "activations",
        "Softmax": "activations",
        "Softsign": "activations",
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
