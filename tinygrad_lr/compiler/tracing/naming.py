"""Names for instructions: those of the user's variables and of the model's parameters."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from ...core.value import Value
from ...nn import Module
from ..ir.instruction import Instruction
from .sources import Attribute, Content, Gradient
from .trace import Trace
from .trace_errors import OWN
from .traced_array import Traced


class Names:
    """What local variables of the user's functions were called when the functions returned."""

    def __init__(self) -> None:
        self.found: dict[Instruction, str] = {}

    def see(self, frame: FrameType, event: str, _: Any) -> None:
        """A profiler: at the end of a function that is not this package's, note its variables."""
        if event != "return" or frame.f_code.co_filename.startswith(OWN):
            return
        for name, x in frame.f_locals.items():
            content = x._content if type(x) is Value else x
            if type(content) is Traced and not name.startswith("."):
                self.found.setdefault(content.instruction, name)

    def apply(self) -> None:
        """Name the instructions that have no name."""
        for x, name in self.found.items():
            if x.name is None and not x.is_constant:
                x.name = name


@contextlib.contextmanager
def watch_names() -> Iterator[Names]:
    """Note the variables of the user's functions, while they run; a profiler goes before."""
    names = Names()
    if sys.getprofile() is not None:
        yield names
        return
    sys.setprofile(names.see)
    try:
        yield names
    finally:
        sys.setprofile(None)


def name_parameters(modules: Iterable[tuple[str, Any]], trace: Trace) -> None:
    """Name parameters by the paths that they have in their model, and what becomes of them."""
    paths: dict[int, str] = {}
    found = [(name, x) for name, x in modules if isinstance(x, Module)]
    for name, module in found:
        for path, parameter in module.named_parameters():
            paths.setdefault(id(parameter), f"{name}.{path}" if len(found) > 1 else path)
    for value, slot, x in trace.held():
        if x.name is None and not x.is_constant:
            kind = "gradient" if slot == "_grad" else "new"
            x.name = f"{kind}_{paths.get(id(value), value.name or 'value')}"
    for place, x in trace.inputs.values():
        if isinstance(place, Content):
            x.name = paths.get(id(place.value), place.value.name) or x.name or "value"
        elif isinstance(place, Gradient):
            x.name = f"gradient_{paths.get(id(place.value), place.value.name or 'value')}"
        elif isinstance(place, Attribute):
            kind = type(place.owner).__name__.lower()
            x.name = "_".join([kind, *map(str, place.path)])


def argument_names(names: Iterable[str], args: Any, dynamic: Any) -> list[str]:
    """A name for each array that a function is called with: its parameter's, and the way inside."""
    labels: list[str] = []

    def walk(name: str, x: Any) -> None:
        if isinstance(x, (list, tuple)):
            for i, inner in enumerate(x):
                walk(f"{name}_{i}", inner)
        elif isinstance(x, dict):
            for key, inner in x.items():
                walk(f"{name}_{key}", inner)
        elif x is not None and dynamic(x):
            labels.append(name)

    for name, x in zip(names, args, strict=True):
        walk(name, x)
    return labels
