"""Algebraic laws that change no bit of a result, each with the law beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..instruction import REDUCTIONS, Instruction, is_number, make
from ..program import Program
from .constant_folding import remade

Law = Callable[[Instruction], Instruction | None]


def algebra(program: Program) -> Program:
    """Apply the laws, operands first."""

    def applied(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        made = remade(x, inputs)
        for law in LAWS.get(made.operation, ()):
            found = law(made)
            if found is not None:
                return found
        return made

    return program.rewritten(applied)


def alike(x: Instruction, like: Instruction) -> Instruction | None:
    """x, if it has the shape and dtype of what it is to stand for."""
    same = x.shape == like.shape and x.dtype == like.dtype and x.weak == like.weak
    return x if same else None


def times_one(x: Instruction) -> Instruction | None:
    """x·1 = x, 1·x = x, x/1 = x"""
    first, second = x.inputs
    if is_number(second, 1):
        return alike(first, x)
    if x.operation == "multiply" and is_number(first, 1):
        return alike(second, x)
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
        return alike(make(other, [first, second.inputs[0]]), x)
    return None


def same_cast(x: Instruction) -> Instruction | None:
    """A cast to the dtype that it has already"""
    return alike(x.inputs[0], x)


def reshape_of_reshape(x: Instruction) -> Instruction | None:
    """reshape(reshape(x)) = reshape(x), and one to its own shape is x"""
    inner = x.inputs[0]
    while inner.operation == "reshape":
        inner = inner.inputs[0]
    if inner.shape == x.shape:
        return alike(inner, x)
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


def unspread(x: Instruction) -> Instruction | None:
    """f(broadcast(x), y) = f(x, y) where y has the shape of the result"""
    inputs = list(x.inputs)
    for i, y in enumerate(inputs):
        if y.operation == "broadcast" and y.inputs[0].weak == y.weak:
            rest = [z.shape for j, z in enumerate(inputs) if j != i]
            if rest and np.broadcast_shapes(y.inputs[0].shape, *rest) == x.shape:
                inputs[i] = y.inputs[0]
    if inputs != list(x.inputs):
        return alike(Instruction(x.operation, inputs, x.options, x.shape, x.dtype, x.weak), x)
    return None


def same_branches(x: Instruction) -> Instruction | None:
    """where(c, x, x) = x"""
    _, first, second = x.inputs
    return alike(first, x) if first is second else None


def of_one(x: Instruction) -> Instruction | None:
    """The sum (product, largest, ...) of one number is that number"""
    y = x.inputs[0]
    if any(y.shape[i] != 1 for i in x.options["axis"]):
        return None
    made = y if y.shape == x.shape else make("reshape", [y], shape=x.shape)
    return made if made.dtype == x.dtype else make("cast", [made], dtype=x.dtype, weak=x.weak)


LAWS: dict[str, list[Law]] = {
    "multiply": [times_one, unspread],
    "divide": [times_one, unspread],
    "add": [plus_negative, unspread],
    "subtract": [plus_negative, unspread],
    "maximum": [unspread],
    "minimum": [unspread],
    "negative": [twice_negative],
    "cast": [same_cast],
    "reshape": [reshape_of_reshape],
    "transpose": [transpose_of_transpose],
    "broadcast": [broadcast_of_broadcast],
    "where": [same_branches, unspread],
    **{name: [of_one] for name in REDUCTIONS},
}
