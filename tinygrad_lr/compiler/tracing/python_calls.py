"""Calls back into Python: what is no instruction runs as a function, when its numbers are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import TraceError
from ..ir.instruction import Hole, Instruction
from .traced_array import Traced


def called(
    asked: Callable[..., Any],
    args: Any,
    options: Any,
    expand: Callable[..., Any] | None = None,
) -> Any:
    """A call back into NumPy (or into an operation's own code) at run time.

    The shape and dtype of its result are found by calling it once on numbers that were made up.
    """
    traced = [x for x in _leaves((args, options)) if isinstance(x, Traced)]
    inputs: list[Instruction] = []
    for x in traced:
        if x.instruction not in inputs:
            inputs.append(x.instruction)
    holes = {id(x): Hole(inputs.index(x.instruction)) for x in traced}
    template = _replaced((list(args), dict(options)), lambda x: holes.get(id(x), x))
    call = Call(asked, template)
    try:
        with np.errstate(all="ignore"):
            made = call(*[made_up(x) for x in inputs])
    except TraceError:
        raise
    except Exception as error:
        raise TraceError(
            f"compile: {call.name} could not be tried on made-up numbers ({error}); call it "
            "outside of the compiled function"
        ) from error
    many = isinstance(made, (tuple, list))
    likes = [np.asarray(x) for x in (made if many else [made])]
    if any(x.dtype.kind not in "fiubc" for x in likes):
        raise TraceError(f"compile: {call.name} gives no numbers; call it outside")
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
        Traced(Instruction("part", (whole,), {"position": i}, x.shape, x.dtype))
        for i, x in enumerate(likes)
    ]
    if not many:
        return parts[0]
    fields = getattr(type(made), "_fields", None)
    return type(made)(*parts) if fields else type(made)(parts)


class Call:
    """A function with its arguments, in which holes stand for the arrays that come."""

    many = True
    tried: bool | None = None
    expand: Call | None = None  # the same in steps, for machine code

    def __init__(self, asked: Callable[..., Any], template: Any) -> None:
        self.asked, self.template = asked, template
        owner = getattr(asked, "__module__", None) or type(asked).__name__
        name = getattr(asked, "__qualname__", None) or getattr(asked, "__name__", repr(asked))
        self.name = f"{owner}.{name}".replace("numpy.", "np.", 1)

    def __call__(self, *arrays: Any) -> Any:
        """The result, or a tuple or list of several; a single one comes in a tuple in the end."""
        args, options = _replaced(
            self.template, lambda x: arrays[x.position] if isinstance(x, Hole) else x
        )
        found = self.asked(*args, **options)
        return found if self.tried is None or self.many else (found,)

    def __repr__(self) -> str:
        return self.name


def made_up(x: Instruction) -> Any:
    """Numbers to find a shape or a time with: a matrix that can be inverted, for one."""
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


def _leaves(nest: Any) -> list[Any]:
    if isinstance(nest, (list, tuple)):
        return [leaf for branch in nest for leaf in _leaves(branch)]
    if isinstance(nest, dict):
        return [leaf for branch in nest.values() for leaf in _leaves(branch)]
    return [nest]


def _replaced(nest: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(nest, (list, tuple)):
        inner = [_replaced(branch, change) for branch in nest]
        return type(nest)(*inner) if hasattr(nest, "_fields") else type(nest)(inner)
    if isinstance(nest, dict):
        return {key: _replaced(branch, change) for key, branch in nest.items()}
    return change(nest)
