"""Classify a run: its task, and whether the page can compute the model by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, get_args

from .. import losses, nn
from ..core.primitive import NUMPY_IMPLS, PRIMITIVES, Primitive
from ..nn import Module
from ..nn.activations import Function
from .data import Data
from .schema import FunctionName, Layer, Task

LOSSES: dict[Any, str] = {losses.mse: "mse", losses.cross_entropy: "cross_entropy"}
MAX_PARAMETERS = 5000  # of a model that the page computes: those of all frames go into the file


@dataclass(frozen=True)
class Kind:
    """The task of a run, and which parts of its model the page can compute.

    - `task`: "regression" of one number by mean squared error, "classes", or "other"
    - `loss`: its name
    - `layers`: the affine layers of a line or a plain network, else None
    - `line`: True if there is one such layer, and no function after it
    - `open`: True if the page can compute the model and its loss by itself, at any weights
    """

    task: Task
    loss: str
    layers: list[Layer] | None
    line: bool
    open: bool

    @property
    def parabola(self) -> bool:
        """True if the loss is a parabola over every weight, with the same curvature everywhere."""
        return self.line and self.task == "regression"


def classify_task(model: Module, data: Data, loss: Callable[[Any, Any], Any]) -> Kind:
    """Return the kind of a run, which decides what its page can show."""
    layers = describe_layers(model)
    name = LOSSES.get(loss)
    task: Task = "other"
    if data.y[0].size == 1 and name == "mse":
        task = "regression"
    elif data.labels:
        task = "classes"
    wanted = {"regression": "mse", "classes": "cross_entropy", "other": None}[task]
    fits = layers is not None and name == wanted
    fits = fits and (task == "classes" or layers is None or layers[-1]["outputs"] == 1)
    return Kind(
        task=task,
        loss=name or str(getattr(loss, "__name__", "loss")),
        layers=layers,
        line=layers is not None and len(layers) == 1 and layers[0]["function"] is None,
        open=fits and task != "other" and data.tabular and data.parameters <= MAX_PARAMETERS,
    )


def describe_layers(model: Module) -> list[Layer] | None:
    """Return the affine layers with the function after each, or None for any other model.

    >>> describe_layers(tg.nn.MLP(2, [3], 1, "tanh"))[0]["function"]
    'tanh'
    """
    begins: dict[int, int] = {}
    end = 0
    for parameter in model.parameters():
        begins[id(parameter)] = end
        end += parameter.size
    found: list[Layer] = []
    for module in _flatten(model):
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
        name, slope = _name_function(module)
        if name is None or not found or found[-1]["function"] is not None:
            return None
        found[-1]["function"], found[-1]["slope"] = name, slope
    fits = all(a["outputs"] == b["inputs"] for a, b in pairwise(found))
    own = sum(layer["inputs"] * layer["outputs"] for layer in found)
    own += sum(layer["outputs"] for layer in found if layer["bias"] is not None)
    return found if found and fits and own == end else None


def _flatten(model: Module) -> list[Module]:
    """Return the layers of a chain, in order; any other module is returned itself."""
    if isinstance(model, nn.Sequential) and type(model) in {nn.Sequential, nn.MLP}:
        return [inner for layer in model.layers for inner in _flatten(layer)]
    return [] if type(model) is nn.Identity else [model]


def _name_function(module: Module) -> tuple[FunctionName | None, float]:
    """Return the name of an activation that the page can compute, with its slope or alpha."""
    if isinstance(module, Function):
        return _name_operation(NUMPY_IMPLS.get(module.function, module.function)), 0.0
    if isinstance(module, nn.LeakyReLU):
        return "leaky_relu", module.slope
    if isinstance(module, nn.ELU):
        return "elu", module.alpha
    name = type(module).__name__
    own = getattr(nn, name, None) is type(module)
    return (_name_operation(PRIMITIVES.get(name.lower())) if own else None), 0.0


def _name_operation(operation: Any) -> FunctionName | None:
    """Return the name of an operation of one argument, if the page can compute it."""
    if not isinstance(operation, Primitive) or PRIMITIVES[operation.name] is not operation:
        return None
    names: tuple[FunctionName, ...] = get_args(FunctionName)
    return next((x for x in names if x == operation.name and x not in {"leaky_relu", "elu"}), None)
