"""Every operation of the table, compiled: what eager code computes, on each backend."""

from __future__ import annotations

import numpy as np
import pytest
from operands import FIRST, LAYOUTS, NUMBERS, cotangent, each_case, each_case_in_turn
from programs import assert_equal, backends, needs

import tinygrad_lr as tg

on_llvm = each_case_in_turn("backend", ["llvm"], needs, FIRST.values())
mostly_on_numpy = each_case_in_turn("backend", ["numpy", "numpy", "numpy", "llvm"], needs)


def derived(case):
    """The function that gives an operation's value, its gradients and its second derivatives."""

    def scalar(*inputs):
        out = case(*inputs)
        return np.sum(out * cotangent(0, out))

    def f(*inputs):
        out, pullback = tg.vjp(case, *inputs)
        tangents = tuple(cotangent(i + 1, x) for i, x in enumerate(inputs))
        return out, pullback(cotangent(0, out)), tg.hvp(scalar, inputs, tangents)

    return f


def assert_compiled_is_eager(case, inputs, backend):
    f = derived(case)
    compiled = tg.compile(f, backend=backend)
    # eager code differentiates det(a)·a⁻ᵀ again, a program the cofactors
    wide = inputs[0].dtype == np.float64 and backend == "numpy"
    tolerance = {"rtol": 1e-14} if case.operation.name == "det" and wide else None
    for moved in (inputs, [np.flip(x).copy() for x in inputs]):
        assert_equal(compiled(*moved), f(*moved), backend, tolerance)


@each_case
def test_values_gradients_and_second_derivatives_are_those_of_eager_code(case):
    assert_compiled_is_eager(case, case.inputs, "numpy")


@on_llvm
def test_those_of_machine_code_are_too(case, backend):
    assert_compiled_is_eager(case, case.inputs, backend)


@pytest.mark.slow
@mostly_on_numpy
def test_those_of_float32_are_too(case, backend):
    assert_compiled_is_eager(case, [x.astype(np.float32) for x in case.inputs], backend)


@mostly_on_numpy
def test_a_value_alone_is_right_in_any_layout_and_operands_are_not_written_to(case, backend):
    compiled = tg.compile(case.__call__, backend=backend)
    expected = case(*case.inputs)
    assert_equal(compiled(*case.inputs), expected, backend)
    for layout in LAYOUTS.values():
        inputs = [layout(x) for x in case.inputs]
        for x in inputs:
            x.flags.writeable = False
        np.testing.assert_allclose(compiled(*inputs), expected, rtol=1e-12, atol=1e-13)


@backends()
@pytest.mark.parametrize("case", NUMBERS, ids=repr)
def test_python_numbers_give_python_numbers(case, backend):
    numbers = [float(x) for x in case.inputs]
    compiled = tg.compile(lambda *xs: tg.vjp(case, *xs)[1](1.0), backend=backend)
    expected = tg.vjp(case, *numbers)[1](1.0)
    found = compiled(*numbers)
    assert [float(x) for x in found] == pytest.approx([float(x) for x in expected], rel=1e-13)
    assert all(type(x) is type(y) for x, y in zip(found, expected, strict=True))
