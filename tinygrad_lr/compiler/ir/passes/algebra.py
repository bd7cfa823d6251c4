"""Algebraic simplifications that change no bit of a result; each function is one law.

A law takes an instruction and returns its replacement, or None where it does not apply. Its
docstring is the law.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..instruction import REDUCTIONS, Instruction, is_number, make, replace_operands
from ..program import Program

Law = Callable[[Instruction], Instruction | None]


def simplify_algebra(program: Program) -> Program:
    """Apply the laws once to each instruction, operands first."""

    def apply(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        new = replace_operands(x, inputs)
        for law in LAWS.get(new.operation, ()):
            simpler = law(new)
            if simpler is not None:
                return simpler
        return new

    return program.rewrite(apply)


def match_type(x: Instruction, like: Instruction) -> Instruction | None:
    """Return x if it has the shape, dtype and weakness of `like`, which it is to replace."""
    same = x.shape == like.shape and x.dtype == like.dtype and x.weak == like.weak
    return x if same else None


def times_one(x: Instruction) -> Instruction | None:
    """x·1 = x, 1·x = x, x/1 = x"""
    first, second = x.inputs
    if is_number(second, 1):
        return match_type(first, x)
    if x.operation == "multiply" and is_number(first, 1):
        return match_type(second, x)
    return None


def twice_negative(x: Instruction) -> Instruction | None:
    """-(-x) = x"""
    inner = x.inputs[0]
    return inner.inputs[0] if inner.operation == "negative" else None


def plus_negative(x: Instruction) -> Instruction | None:
    """x + (-y) = x - y, x - (-y) = x + y"""
    first, second = x.inputs
    if second.operation == "negative":
        other = "subtract" if x.operation == "add" else "add"
        return match_type(make(other, [first, second.inputs[0]]), x)
    return None


def same_cast(x: Instruction) -> Instruction | None:
    """cast(x, x.dtype) = x"""
    return match_type(x.inputs[0], x)


def reshape_of_reshape(x: Instruction) -> Instruction | None:
    """reshape(reshape(x)) = reshape(x), and reshape(x, x.shape) = x"""
    inner = x.inputs[0]
    while inner.operation == "reshape":
        inner = inner.inputs[0]
    if inner.shape == x.shape:
        return match_type(inner, x)
    if inner is not x.inputs[0]:
        return make("reshape", [inner], shape=x.shape)
    return None


def transpose_of_transpose(x: Instruction) -> Instruction | None:
    """xᵀᵀ = x"""
    inner, axes = x.inputs[0], x.options["axes"]
    if inner.operation == "transpose":
        both = tuple(inner.options["axes"][i] for i in axes)
        if both == tuple(range(len(both))):
            return inner.inputs[0]
        return make("transpose", [inner.inputs[0]], axes=both)
    return None


def broadcast_of_broadcast(x: Instruction) -> Instruction | None:
    """broadcast(broadcast(x)) = broadcast(x)"""
    inner = x.inputs[0]
    if inner.operation == "broadcast":
        return make("broadcast", [inner.inputs[0]], shape=x.shape)
    return None


def broadcast_of_operand(x: Instruction) -> Instruction | None:
    """f(broadcast(x), y) = f(x, y) where y has the shape of the result"""
    inputs = list(x.inputs)
    for i, y in enumerate(inputs):
        if y.operation == "broadcast" and y.inputs[0].weak == y.weak:
            rest = [z.shape for j, z in enumerate(inputs) if j != i]
            if rest and np.broadcast_shapes(y.inputs[0].shape, *rest) == x.shape:
                inputs[i] = y.inputs[0]
    if inputs != list(x.inputs):
        return match_type(Instruction(x.operation, inputs, x.options, x.shape, x.dtype, x.weak), x)
    return None


def same_branches(x: Instruction) -> Instruction | None:
    """where(c, x, x) = x"""
    _, first, second = x.inputs
    return match_type(first, x) if first is second else None


def reduction_of_one(x: Instruction) -> Instruction | None:
    """sum(x) = x over axes of length 1, and so for prod, max, min, all and any"""
    y = x.inputs[0]
    if any(y.shape[i] != 1 for i in x.options["axis"]):
        return None
    single = y if y.shape == x.shape else make("reshape", [y], shape=x.shape)
    return single if single.dtype == x.dtype else make("cast", [single], dtype=x.dtype, weak=x.weak)


LAWS: dict[str, list[Law]] = {
    "multiply": [times_one, broadcast_of_operand],
    "divide": [times_one, broadcast_of_operand],
    "add": [plus_negative, broadcast_of_operand],
    "subtract": [plus_negative, broadcast_of_operand],
    "maximum": [broadcast_of_operand],
    "minimum": [broadcast_of_operand],
    "negative": [twice_negative],
    "cast": [same_cast],
    "reshape": [reshape_of_reshape],
    "transpose": [transpose_of_transpose],
    "broadcast": [broadcast_of_broadcast],
    "where": [same_branches, broadcast_of_operand],
    **{name: [reduction_of_one] for name in REDUCTIONS},
}
