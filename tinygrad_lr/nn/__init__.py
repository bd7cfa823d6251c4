"""Networks: modules that hold parameters and compute with them.

`Module` is the base; `Linear` is the line x @ weight + bias; `Sequential` and `MLP` stack layers;
the rest are activation functions as layers.
"""

from __future__ import annotations

from . import init as init
from .activation import ELU as ELU
from .activation import GELU as GELU
from .activation import LeakyReLU as LeakyReLU
from .activation import ReLU as ReLU
from .activation import Sigmoid as Sigmoid
from .activation import SiLU as SiLU
from .activation import Softplus as Softplus
from .activation import Tanh as Tanh
from .containers import MLP as MLP
from .containers import Sequential as Sequential
from .linear import Linear as Linear
from .module import Module as Module

__all__ = [
    "ELU",
    "GELU",
    "MLP",
    "LeakyReLU",
    "Linear",
    "Module",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "init",
]
