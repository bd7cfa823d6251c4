"""What the page can compute by itself: a line, or affine layers with functions between them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .. import nn
from ..core.primitive import NUMPY_IMPLS, PRIMITIVES, Primitive
from ..nn import Module
from ..nn.activations import Function

FUNCTIONS = frozenset({"tanh", "relu", "sigmoid", "softplus", "silu"})
"""The operations that `browser/network.js` computes, by their names in the registry."""

MOST_PARAMETERS = 5000  # of a model that the page computes: every moment's go into the file


def layers_of(model: Module) -> list[dict[str, Any]] | None:
    """The affine layers with the function after each, or None for any other model.

    Of each: where its weight and its bias begin among all parameters laid end to end (a bias of
    None is none), its inputs and outputs, the name of its function, that function's slope.

    >>> layers_of(tg.nn.MLP(2, [3], 1, "tanh"))[0]["function"]
    'tanh'
    """
    begins: dict[int, int] = {}
    end = 0
    for parameter in model.parameters():
        begins[id(parameter)] = end
        end += parameter.size
    found: list[dict[str, Any]] = []
    for module in _flat(model):
        if type(module) is nn.Linear:
            bias = None if module.bias is None else begins[id(module.bias)]
            found.append(
                {
                    "weight": begins[id(module.weight)],
                    "bias": bias,
                    "inputs": module.in_features,
                    "outputs": module.out_features,
                    "function": None,
                    "slope": 0.0,
                }
            )
            continue
        name, slope = _function(module)
        if name is None or not found or found[-1]["function"] is not None:
            return None
        found[-1] |= {"function": name, "slope": slope}
    fits = all(a["outputs"] == b["inputs"] for a, b in pairwise(found))
    own = sum(layer["inputs"] * layer["outputs"] for layer in found)
    own += sum(layer["outputs"] for layer in found if layer["bias"] is not None)
    return found if found and fits and own == end else None


def _flat(model: Module) -> list[Module]:
    """The layers of a chain of layers, in order; any other module as itself."""
    if isinstance(model, nn.Sequential) and type(model) in {nn.Sequential, nn.MLP}:
        return [inner for layer in model.layers for inner in _flat(layer)]
    return [] if type(model) is nn.Identity else [model]


def _function(module: Module) -> tuple[str | None, float]:
    """The name of an activation that the page knows, with its slope or alpha."""
    if isinstance(module, Function):
        return _known(NUMPY_IMPLS.get(module.function, module.function)), 0.0
    if isinstance(module, nn.LeakyReLU):
        return "leaky_relu", module.slope
    if isinstance(module, nn.ELU):
        return "elu", module.alpha
    own = getattr(nn, type(module).__name__, None) is type(module)
    return (_known(PRIMITIVES.get(type(module).__name__.lower())) if own else None), 0.0


def _known(operation: Any) -> str | None:
    """The name of an operation, if the page can compute it."""
    known = isinstance(operation, Primitive) and operation.name in FUNCTIONS
    return operation.name if known and PRIMITIVES[operation.name] is operation else None
