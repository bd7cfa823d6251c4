"""The facts that a declaration states beside its rules are true of the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from operands import CASES, OPERATIONS, cotangent

import tinygrad_lr as tg

UNARY = [o for o in OPERATIONS if o.kind == "elementwise" and len(o.operands) == 1]
FULL = [c for c in CASES if all(x.size for x in c.inputs)]
of = {operation: [c for c in FULL if c.operation is operation] for operation in OPERATIONS}
each_unary = pytest.mark.parametrize("operation", UNARY, ids=lambda o: o.name)
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)


def jacobians(case):
    """For each operand the derivatives of the result's entries: (entries of it, of the operand)."""
    found = tg.jacobian(case, tuple(range(len(case.inputs))))(*case.inputs)
    size = np.size(case.forward(*case.inputs))
    return [np.reshape(j, (size, x.size)) for j, x in zip(found, case.inputs, strict=True)]


def jumps(numbers, least):
    """Return where a sampled function jumps by more than `least` and far more than beside it."""
    steps = np.abs(np.diff(numbers))
    beside = np.maximum(np.append(0.0, steps[:-1]), np.append(steps[1:], 0.0))
    return (steps > least) & (steps > 20 * beside)


def along_a_line(case, i):
    """Values, slopes and smooth pieces of an operation as one operand goes through its domain."""
    operation = case.operation
    domain = operation.domain.get(operation.operands[i], (-2.0, 2.0))
    points = np.linspace(*domain, 8001)[:-1] + 1e-5
    operands = [np.ravel(x)[0] for x in case.arrays]
    line = lambda x: operation(*operands[:i], x, *operands[i + 1 :], **case.options)
    with np.errstate(all="ignore"):
        values, slopes = tg.jvp(line, (points,), (np.ones_like(points),))
    operands[i] = points
    options = {**operation.defaults, **case.options}
    pieces = operation.pieces(operands, options) if operation.kinked else np.zeros(points.shape)
    return values, slopes, np.broadcast_to(pieces, points.shape)


@pytest.mark.parametrize("case", [c for c in FULL if c.operation.kind == "elementwise"], ids=repr)
def test_an_operation_is_kinked_where_its_slope_jumps_and_its_value_does_not(case):
    for i in case.varying:
        values, slopes, pieces = along_a_line(case, i)
        kinks = jumps(slopes, 0.02) & ~jumps(values, 0.02)
        np.testing.assert_array_equal(kinks, np.diff(pieces) != 0)


@each_unary
def test_a_largest_slope_is_reached_and_never_passed(operation):
    if operation.max_slope is None:
        pytest.skip("declares none")
    slopes = tg.jvp(operation, (np.linspace(-9, 9, 18_001),), (np.ones(18_001),))[1]
    assert np.abs(slopes).max() == pytest.approx(operation.max_slope, rel=1e-12)


@each_operation
def test_what_is_entrywise_depends_on_one_entry_of_each_operand(operation):
    single = [
        (np.count_nonzero(jacobian, axis=1) <= 1).all()
        for case in of[operation]
        for jacobian in jacobians(case)
    ]
    assert not operation.entrywise or all(single)


def in_order(x, out):
    """Return True if a result has the operand's numbers in their order, or repeats all."""
    if x.size == out.size:
        return np.array_equal(x.ravel(), out.ravel())
    try:
        return np.array_equal(np.broadcast_to(x, out.shape), out)
    except ValueError:
        return False


@each_operation
def test_an_identity_gives_the_numbers_of_its_operand_in_their_order(operation):
    single = not operation.variadic and len(operation.operands) == 1
    results = [(c.inputs[0], np.asarray(c.forward(*c.inputs))) for c in of[operation]]
    if single and operation.takes_complex:
        turned = [
            (c.inputs[0] * (1 + 2j), c.options) for c in of[operation] if "dtype" not in c.options
        ]
        results += [(x, np.asarray(operation(x, **options))) for x, options in turned]
    kept = [in_order(x.astype(np.result_type(x, out)), out) for x, out in results]
    assert operation.identity == (single and all(kept))


@each_operation
def test_what_is_additive_adds_up_its_operands_or_their_negatives(operation):
    terms = operation.variadic or len(operation.operands) > 1
    for case in of[operation]:
        for jacobian in jacobians(case):
            terms = (
                terms and np.isin(jacobian, [-1.0, 0.0, 1.0]).all() and jacobian.any(axis=0).all()
            )
    assert operation.additive == terms


@pytest.mark.parametrize("name", ["max", "min", "sum", "mean", "prod", "var", "std", "logsumexp"])
def test_what_selects_gives_one_of_the_entries(name):
    operation = getattr(tg.ops, name)
    x = np.random.default_rng(0).normal(size=(4, 5)) + 3
    assert operation.selects == np.isin(operation(x, axis=1), x).all()


@each_operation
def test_a_matrix_product_is_linear_in_two_operands_that_it_contracts(operation):
    if not operation.matrix_product:
        return
    for case in of[operation]:
        x, y, *rest = case.inputs
        out, zero = (np.asarray(case.forward(a, y, *rest)) for a in (x, 0 * x))
        np.testing.assert_allclose(out - zero, np.matmul(x, y), rtol=1e-12, atol=1e-12)


@each_operation
def test_the_kind_of_an_operation_is_how_it_depends_on_its_operands(operation):
    if operation.kind not in {"linear", "multilinear"}:
        return
    for case in of[operation]:
        for i, x in enumerate(case.inputs):
            at = lambda v, i=i, c=case: np.asarray(c.forward(*c.inputs[:i], v, *c.inputs[i + 1 :]))
            other = cotangent(i, x)
            np.testing.assert_allclose(at(2 * x - other), 2 * at(x) - at(other), atol=1e-12)
