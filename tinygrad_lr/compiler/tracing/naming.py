"""Name instructions after the user's variables and the model's parameters."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from ...core.value import Value
from ...nn import Module
from ..ir.instruction import Instruction
from ..ir.sources import Attribute, Gradient, ValueData
from .trace import Trace
from .trace_errors import LIBRARIES
from .traced_array import Traced


class VariableNames:
    """The local variables of the user's functions, by their instructions."""

    def __init__(self) -> None:
        self.found: dict[Instruction, str] = {}

    def collect(self, frame: FrameType, event: str, _: Any) -> None:
        """Profile function: when a user's function returns, collect its variables."""
        if event != "return" or frame.f_code.co_filename.startswith(LIBRARIES):
            return
        for name, x in frame.f_locals.items():
            content = x._content if type(x) is Value else x
            if type(content) is Traced and not name.startswith("."):
                self.found.setdefault(content.instruction, name)

    def apply(self) -> None:
        """Name the instructions that have no name yet."""
        for x, name in self.found.items():
            if x.name is None and not x.is_constant:
                x.name = name


@contextlib.contextmanager
def collect_names() -> Iterator[VariableNames]:
    """Collect the variables of the user's functions, for the block; nothing under a profiler."""
    names = VariableNames()
    if sys.getprofile() is not None:
        yield names
        return
    sys.setprofile(names.collect)
    try:
        yield names
    finally:
        sys.setprofile(None)


def name_parameters(modules: Iterable[tuple[str, Any]], trace: Trace) -> None:
    """Name parameters and their updates after their paths in the model."""
    paths: dict[int, str] = {}
    found = [(name, x) for name, x in modules if isinstance(x, Module)]
    for name, module in found:
        for path, parameter in module.named_parameters():
            paths.setdefault(id(parameter), f"{name}.{path}" if len(found) > 1 else path)
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
