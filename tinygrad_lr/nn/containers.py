"""Containers of layers: `Sequential`, `Residual` and `MLP`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value, ValueLike
from ..errors import ArgumentError, ShapeError
from ..support.random_state import Seed, as_generator
from ..support.validation import as_input, check_integer, check_list, describe_type, short_repr
from .activations import Function, as_layer
from .linear import Linear
from .module import Module

__all__ = ["MLP", "Residual", "Sequential"]


class Sequential(Module):
    """Layers in sequence: the output of each is the input of the next.

    A layer is a module or a function of one Value. Raises `ArgumentError` for anything else; an
    error inside a layer names that layer.

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
                cure = "; pass Sequential(*layers)" if isinstance(layer, (list, tuple)) else ""
                given = describe_type(layer) or f"{short_repr(layer)}{cure}"
                raise ArgumentError(
                    f"{type(self).__name__}: layer {position} must be a module or a function, "
                    f"got {given}"
                )
        self.layers = [x if isinstance(x, Module) else Function(x) for x in layers]

    def forward(self, x: Any) -> Any:
        """Return the output of the last layer."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    # Any: which class a layer has, and so its attributes, is not known; network[0].weight is
    @overload
    def __getitem__(self, position: int) -> Any: ...
    @overload
    def __getitem__(self, position: slice) -> list[Any]: ...
    def __getitem__(self, position: int | slice) -> Any:
        return self.layers[position]


class Residual(Sequential):
    """x + layers(x): the layers learn only the change to x.

    Raises `ShapeError` if they change the shape of x, and the errors of `Sequential`.

    Source: He et al., "Deep Residual Learning for Image Recognition", 2015.

    >>> block = tg.nn.Residual(tg.nn.Linear(2, 2), tg.nn.Tanh())
    >>> block
    Residual: 6 parameters
      layers.0  Linear(weight (2, 2), bias (2,))
      layers.1  Tanh()
    >>> tg.nn.Residual(np.exp)(Value([0.0, 1.0])).tolist()[0]
    1.0
    """

    def forward(self, x: ValueLike) -> Any:
        """Return x + layers(x)."""
        data = as_input("Residual", "x", x)
        change, shape = super().forward(data), data.shape
        if np.shape(change) != shape:
            raise ShapeError(
                f"Residual: the layers must keep the shape of x, {shape}, got {np.shape(change)}; "
                "add a layer that restores it"
            )
        return np.add(data, change)


class MLP(Sequential):
    """A multi-layer perceptron: Linear layers with an activation between them.

    `hidden` lists the widths of the layers between input and output (an empty list leaves a single
    Linear layer); `activation` is the name of an activation in `tg.nn` ("relu", "tanh", "gelu",
    ...), a function such as `np.tanh`, or a module. The last layer has no activation. `dtype` and
    `generator` are as in `Linear`; all layers draw from the same generator.

    Shapes: x (..., in_features) gives (..., out_features). Parameters are `layers.0.weight`,
    `layers.0.bias`, `layers.2.weight`, ...: activations count as layers, as in PyTorch.

    Raises `ArgumentError` if a size is below 1 or the activation is unknown (and suggests the
    nearest name).

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
        cure = f"; pass [{short_repr(hidden)}]" if isinstance(hidden, int) else ""
        widths = check_list("MLP", "hidden", hidden, "a list of widths", cure)
        random = as_generator("MLP", generator)
        widths = [
            check_integer("MLP", "in_features", in_features, low=1),
            *(check_integer("MLP", f"hidden[{i}]", width, low=1) for i, width in enumerate(widths)),
            check_integer("MLP", "out_features", out_features, low=1),
        ]
        layers: list[Module] = []
        for inputs, outputs in pairwise(widths):
            if layers:
                between = as_layer("MLP", activation)
                layers.append(between.astype(dtype) if isinstance(activation, str) else between)
            layers.append(Linear(inputs, outputs, dtype=dtype, generator=random))
        as_layer("MLP", activation)  # raises even if no layer needs it
        super().__init__(*layers)

    if TYPE_CHECKING:

        def forward(self, x: ValueLike) -> Value:
            """Return the output of the last layer, which is linear."""
