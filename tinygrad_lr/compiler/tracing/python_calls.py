"""Calls back into Python: a function that isn't an instruction runs as it is, at each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import TraceError
from ...support import pytree as tree
from ..ir.instruction import Hole, Instruction
from .trace_errors import raise_trace_error

KNOWN_PACKAGES = frozenset({"numpy", __name__.partition(".")[0]})
"""Packages whose functions keep no references to their operands, and call no compiled function."""


class Call:
    """A function with its arguments, in which holes mark the arrays that come at run time."""

    many = True
    tried: bool | None = None
    expand: Call | None = None  # the same function as instructions, for machine code

    def __init__(self, function: Callable[..., Any], template: Any) -> None:
        self.function, self.template = function, template
        owner = getattr(function, "__module__", None) or type(function).__name__
        name = getattr(function, "__qualname__", None) or getattr(
            function, "__name__", repr(function)
        )
        self.name = f"{owner}.{name}".replace("numpy.", "np.", 1)
        self.is_foreign = owner.partition(".")[0] not in KNOWN_PACKAGES

    def __call__(self, *arrays: Any) -> Any:
        """Return the result, or a tuple or list of several; a single one comes in a tuple."""
        if self.is_foreign:  # it may keep its operands, whose memory is used again
            arrays = tuple(np.array(x) if isinstance(x, np.ndarray) else x for x in arrays)
        args, options = _map_leaves(
            lambda x: arrays[x.position] if isinstance(x, Hole) else x, self.template
        )
        found = self.function(*args, **options)
        return found if self.tried is None or self.many else (found,)

    def __repr__(self) -> str:
        return self.name


def add_call(
    function: Callable[..., Any],
    args: Any,
    options: Any,
    expand: Callable[..., Any] | None = None,
) -> Any:
    """Return the instructions of a call back into Python, nested as its results are.

    The traced arrays among the arguments are instructions. The shapes and dtypes of the results
    are found by calling the function once on sample inputs. `expand` returns the instruction that
    computes the same, or None.
    """
    traced = [x for x in tree.leaves((args, options)) if isinstance(x, Instruction)]
    inputs = list(dict.fromkeys(traced))
    holes = {x: Hole(i) for i, x in enumerate(inputs)}
    template = _map_leaves(
        lambda x: holes[x] if isinstance(x, Instruction) else x, (list(args), dict(options))
    )
    call = Call(function, template)
    try:
        with np.errstate(all="ignore"):
            found = call(*[sample_input(x) for x in inputs])
    except TraceError:
        raise
    except Exception as error:
        raise_trace_error(
            f"{call.name} raised {type(error).__name__} on the sample inputs that tracing uses to "
            f"find the result's shape ({error})",
            "call it outside the compiled function",
            needed=inputs,
        )
    many = isinstance(found, (tuple, list))
    likes = [np.asarray(x) for x in (found if many else [found])]
    if any(x.dtype.kind not in "fiubc" for x in likes):
        raise_trace_error(
            f"{call.name} must return numeric arrays", "call it outside the compiled function"
        )
    call.many, call.tried = many, True
    call.expand = None if expand is None else Call(expand, template)
    whole = Instruction(
        "call",
        inputs,
        {"function": call, "likes": [(x.shape, x.dtype) for x in likes]},
        likes[0].shape,
        likes[0].dtype,
    )
    parts = [
        Instruction("part", (whole,), {"position": i}, x.shape, x.dtype)
        for i, x in enumerate(likes)
    ]
    if not many:
        return parts[0]
    return type(found)(*parts) if hasattr(found, "_fields") else type(found)(parts)


def sample_input(x: Instruction) -> Any:
    """Return numbers to find a shape or a time with. A matrix among them is invertible."""
    if x.operation == "constant":
        return x.value
    if x.weak and not x.shape:
        return x.dtype.type(1).item()
    if x.dtype.kind in "iub":
        return np.zeros(x.shape, x.dtype)
    made = np.full(x.shape, 0.25, x.dtype)
    if len(x.shape) >= 2:
        made[...] += np.eye(*x.shape[-2:], dtype=x.dtype)
    return made


def _map_leaves(change: Callable[[Any], Any], nest: Any) -> Any:
    """Return nested lists, tuples and dicts with other leaves. Runs at each call, so in one pass.

    A None is a leaf here, unlike in `pytree`.
    """
    if isinstance(nest, (list, tuple)):
        inner = [_map_leaves(change, branch) for branch in nest]
        return type(nest)(*inner) if hasattr(nest, "_fields") else type(nest)(inner)
    if isinstance(nest, dict):
        return {key: _map_leaves(change, branch) for key, branch in nest.items()}
    return change(nest)
