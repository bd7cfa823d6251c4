"""Name instructions after the model's parameters and the function's arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...nn import Module
from ..ir.sources import Attribute, Gradient, ValueData
from .trace import Trace


def name_parameters(modules: Sequence[tuple[str, Module]], trace: Trace) -> None:
    """Name parameters and their updates after their paths in the model."""
    paths: dict[int, str] = {}
    for name, module in modules:
        for path, parameter in module.named_parameters():
            paths.setdefault(id(parameter), f"{name}.{path}" if len(modules) > 1 else path)
    for value, slot, x in trace.final_slots():
        if x.name is None and not x.is_constant:
            kind = "gradient" if slot == "_grad" else "new"
            x.name = f"{kind}_{paths.get(id(value), value.name or 'value')}"
    for source, x in trace.inputs.values():
        if isinstance(source, ValueData):
            x.name = paths.get(id(source.value), source.value.name) or x.name or "value"
        elif isinstance(source, Gradient):
            x.name = f"gradient_{paths.get(id(source.value), source.value.name or 'value')}"
        elif isinstance(source, Attribute):
            kind = type(source.owner).__name__.lower()
            x.name = "_".join([kind, *map(str, source.path)])


def argument_names(names: Iterable[str], args: Any, is_dynamic: Any) -> list[str]:
    """Return a name for each array among the arguments: its parameter's, with the path inside."""
    labels: list[str] = []

    def walk(name: str, x: Any) -> None:
        if isinstance(x, (list, tuple)):
            for i, inner in enumerate(x):
                walk(f"{name}_{i}", inner)
        elif isinstance(x, dict):
            for key, inner in x.items():
                walk(f"{name}_{key}", inner)
        elif x is not None and is_dynamic(x):
            labels.append(name)

    for name, x in zip(names, args, strict=True):
        walk(name, x)
    return labels
