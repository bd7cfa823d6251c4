"""Modules made of modules: layers one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..errors import ArgumentError, ShapeError, bad_argument, refuse
from ..support.random_state import Seed, as_generator
from .activation import Function, as_layer
from .linear import Linear, as_size
from .module import Module


class Sequential(Module):
    """Layers one after the other: the result of each is the input of the next.

    A layer is a module or a function of one Value. Raises `ArgumentError` for anything else; a
    error in a layer says which layer it was.

    >>> model = tg.nn.Sequential(tg.nn.Linear(2, 3), np.tanh, tg.nn.Linear(3, 1))
    >>> model
    Sequential: 13 parameters
      layers.0  Linear(weight (2, 3), bias (3,))
      layers.1  tanh()
      layers.2  Linear(weight (3, 1), bias (1,))
    >>> model(np.ones((5, 2))).shape
    (5, 1)
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for position, layer in enumerate(layers):
            if not callable(layer) or isinstance(layer, type):
                unpacked = isinstance(layer, (list, tuple))
                raise ArgumentError(
                    bad_argument(
                        type(self).__name__,
                        f"layer {position} is no layer",
                        expected="a module or a function",
                        given=f"{layer!r:.60}",
                        cure="write Sequential(*layers)"
                        if unpacked
                        else f"write {layer.__name__}()"
                        if isinstance(layer, type)
                        else "",
                    )
                )
        self.layers = [x if isinstance(x, Module) else Function(x) for x in layers]

    def forward(self, x: Any) -> Any:
        """The last layer of ... of the first layer of x."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __getitem__(self, position: int) -> Module:
        return self.layers[position]


class Residual(Sequential):
    """x + layers(x): layers that only have to learn by how much x is to change.

    Raises `ShapeError` where they change the shape of x, `ArgumentError` for what is no layer.

    Source: He et al., "Deep Residual Learning for Image Recognition", 2015.

    >>> block = tg.nn.Residual(tg.nn.Linear(2, 2), tg.nn.Tanh())
    >>> block
    Residual: 6 parameters
      layers.0  Linear(weight (2, 2), bias (2,))
      layers.1  Tanh()
    >>> tg.nn.Residual(np.exp)(Value([0.0, 1.0])).tolist()[0]
    1.0
    """

    def forward(self, x: Any) -> Any:
        """x plus what the layers make of it."""
        change, shape = super().forward(x), np.shape(x)
        if np.shape(change) != shape:
            wrong, cure = "the layers change the shape of x", "add a layer that restores it"
            given = f"shape {np.shape(change)}"
            refuse(ShapeError, "Residual", wrong, expected=f"{shape}", given=given, cure=cure)
        return np.add(x, change)


class MLP(Sequential):
    """A multi-layer perceptron: Linear layers with an activation between them.

    `hidden` lists the widths of the layers between input and output (an empty list leaves one
    line); `activation` is a name ("relu", "tanh", "sigmoid", "leaky_relu", "elu", "gelu", "silu",
    "softplus"), a function such as `np.tanh`, or a module. There is none after the last layer.
    `dtype` and `generator` are those of `Linear`; one seed serves all layers, each with its own
    draws.

    Shapes: x (..., in_features) gives (..., out_features). Parameters are `layers.0.weight`,
    `layers.0.bias`, `layers.2.weight`, ...: activations count as layers, as in PyTorch.

    Raises `ArgumentError` for sizes below 1 and for an unknown activation (with the nearest name).

    >>> tg.nn.MLP(2, [16, 16], 1, activation="tanh")
    MLP: 337 parameters
      layers.0  Linear(weight (2, 16), bias (16,))
      layers.1  Tanh()
      layers.2  Linear(weight (16, 16), bias (16,))
      layers.3  Tanh()
      layers.4  Linear(weight (16, 1), bias (1,))
    """

    def __init__(
        self,
        in_features: int,
        hidden: Iterable[int],
        out_features: int,
        activation: str | Callable[[Any], Any] = "relu",
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        if isinstance(hidden, (str, bytes, dict)) or not isinstance(hidden, Iterable):
            raise ArgumentError(
                bad_argument(
                    "MLP",
                    "hidden is no list of widths",
                    expected="a list of whole numbers from 1",
                    given=repr(hidden),
                    cure=f"write [{hidden}]" if isinstance(hidden, int) else "",
                )
            )
        random = as_generator("MLP", generator)
        widths = [
            as_size("MLP", "in_features", in_features),
            *(as_size("MLP", f"hidden[{i}]", width) for i, width in enumerate(hidden)),
            as_size("MLP", "out_features", out_features),
        ]
        layers: list[Module] = []
        for inputs, outputs in pairwise(widths):
            if layers:
                between = as_layer("MLP", activation)
                layers.append(between.astype(dtype) if isinstance(activation, str) else between)
            layers.append(Linear(inputs, outputs, dtype=dtype, generator=random))
        as_layer("MLP", activation)  # refused even where no layer needs it
        super().__init__(*layers)
