"""One bed for every operation of the table: whatever is declared is tested here by its examples."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from operands import CASES, LAYOUTS, NUMBERS, OPERATIONS, cotangent, each_case, numbers, quick

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.chain_rule import match_shape, transpose_rule
from tinygrad_lr.core.primitive import PRIMITIVES

WITHOUT_DERIVATIVE = {
    ("where", "condition"),
    # of SciPy's: in an order, or in a parameter of a hypergeometric function
    *(
        (name, "order")
        for name in ("hankel1", "hankel2", "iv", "ive", "jv", "kv", "kve", "yv", "hurwitz_zeta")
    ),
    *(("hyp0f1", "b"), ("hyp1f1", "a"), ("hyp1f1", "b"), ("hyperu", "a"), ("hyperu", "b")),
    *(("struve", "order"), ("eval_jacobi", "alpha"), ("eval_jacobi", "beta")),
    *(("eval_gegenbauer", "alpha"), ("eval_genlaguerre", "alpha")),
    *((name, "n") for name in ("eval_jacobi", "eval_gegenbauer", "eval_genlaguerre")),
    *((f"eval_{name}", "n") for name in ("chebyt", "chebyu", "laguerre", "legendre")),
    *(("hyp2f1", "a"), ("hyp2f1", "b"), ("hyp2f1", "c")),
}

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)


def gradients(case, inputs, g=None):
    """The value and the gradients of all inputs."""
    out, pullback = tg.vjp(case, *inputs)
    return out, pullback(cotangent(0, out) if g is None else g)


# ---- what an operation declares


@each_operation
def test_an_operation_has_an_example(operation):
    assert operation.examples


@each_operation
def test_an_operation_is_documented_with_an_example_that_runs(operation):
    assert ">>>" in (operation.__doc__ or "")


@each_operation
def test_the_formula_has_a_hole_for_each_operand_and_no_other(operation):
    shown = {*operation.operands, *operation.shown_options}
    assert set(re.findall(r"<(\w+)>", operation.latex)) == shown


@each_operation
def test_the_formula_is_well_formed(operation):
    depth, text = 0, re.sub(r"\\[{}]", "", operation.latex)
    for character in text:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"\\left\b", text)) == len(re.findall(r"\\right\b", text))
    assert re.findall(r"\\begin{(\w+)}", text) == re.findall(r"\\end{(\w+)}", text)


@each_operation
def test_an_operation_has_a_rule_for_each_operand(operation):
    missing = {
        (operation.name, name)
        for name, rule in zip(operation.operands, operation.rules, strict=True)
        if rule is None
    }
    assert missing <= WITHOUT_DERIVATIVE, (
        f"declare {operation.name}.vjp(x=lambda g, out, ...: ...) for each operand"
    )


@each_operation
def test_an_operation_has_its_own_forward_mode(operation):
    missing = {
        (operation.name, name)
        for name, rule in zip(operation.operands, operation.tangent_rules, strict=True)
        if rule is None
    }
    assert missing <= WITHOUT_DERIVATIVE, (
        f"{operation.name} has no forward rule: declare @primitive(kind='elementwise') if each "
        "entry of the result depends on one entry of each operand, kind='linear' or "
        f"'multilinear' if that is so, or the rules themselves with {operation.name}.jvp(...)"
    )


@each_operation
def test_an_operation_stands_in_the_table_under_its_name(operation):
    assert PRIMITIVES[operation.name] is operation
    assert re.fullmatch(r"<primitive \w+\([\w, *]+\)>", repr(operation))


# ---- what an operation computes


@each_case
def test_values_compute_what_arrays_compute(case):
    expected = case.forward(*case.inputs)
    np.testing.assert_array_equal(case(*map(Value, case.inputs)).data, expected)
    np.testing.assert_array_equal(case(*case.inputs), expected)
    assert not isinstance(case(*case.inputs), Value)


@each_case
def test_first_and_second_derivatives_agree_with_central_differences(case):
    tg.check_gradients(case, *case.inputs, order=2)


@each_case
def test_gradients_have_the_shape_and_dtype_of_their_operand(case):
    for g, x in zip(gradients(case, case.inputs)[1], case.inputs, strict=True):
        assert np.shape(g) == x.shape
        assert g.dtype == x.dtype


@each_case
def test_backward_gives_the_gradients_of_vjp(case):
    values = [*map(Value, case.inputs)]
    out = case(*values)
    out.backward(cotangent(0, out.data))
    for value, g in zip(values, gradients(case, case.inputs)[1], strict=True):
        np.testing.assert_array_equal(value.grad, g)
        assert value.grad.shape == value.shape and value.grad.dtype == value.dtype


@each_case
def test_float32_stays_float32_and_agrees_with_float64(case):
    narrow = [x.astype(np.float32) for x in case.inputs]
    wide = [x.astype(np.float64) for x in narrow]
    out, found = gradients(case, narrow)
    expected_out, expected = gradients(case, wide, cotangent(0, out).astype(np.float64))
    assert out.dtype == case.options.get("dtype", np.float32)
    assert all(g.dtype == np.float32 for g in found)
    for a, b in zip([out, *found], [expected_out, *expected], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6)


@each_case
def test_float32_stays_float32_in_forward_mode(case):
    narrow = [x.astype(np.float32) for x in case.inputs]
    out, tangent = tg.jvp(case, narrow, [cotangent(i, x) for i, x in enumerate(narrow)])
    assert out.dtype == tangent.dtype == case.options.get("dtype", np.float32)
    assert out.shape == tangent.shape


@each_case
def test_the_layout_of_memory_does_not_matter(case):
    out, found = gradients(case, case.inputs)
    for name, layout in LAYOUTS.items():
        again, found_again = gradients(
            case, [layout(x) for x in case.inputs], layout(cotangent(0, out))
        )
        for a, b in zip([out, *found], [again, *found_again], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15, err_msg=name)


@each_case
def test_operands_and_cotangents_are_not_written_to(case):
    g = cotangent(0, case.forward(*case.inputs))
    for array in [*case.inputs, g]:
        array.flags.writeable = False
    try:
        gradients(case, case.inputs, g)
        tg.jvp(case, case.inputs, case.inputs)
    finally:
        for array in [*case.inputs, g]:
            array.flags.writeable = True


@each_case
def test_an_operand_alone_gets_the_gradient_that_it_gets_among_others(case):
    _, together = gradients(case, case.inputs)
    for i, expected in enumerate(together):
        alone = lambda x, i=i: case(*case.inputs[:i], x, *case.inputs[i + 1 :])
        out, pullback = tg.vjp(alone, case.inputs[i])
        np.testing.assert_array_equal(pullback(cotangent(0, out))[0], expected)


@each_case
def test_forward_mode_is_the_transpose_of_reverse_mode(case):
    tangents = [cotangent(i + 7, x) for i, x in enumerate(case.inputs)]
    out, tangent = tg.jvp(case, case.inputs, tangents)
    g = cotangent(0, out)
    _, found = gradients(case, case.inputs, g)
    sides = np.vdot(g, tangent), sum(map(np.vdot, found, tangents))
    assert sides[0] == pytest.approx(sides[1], rel=1e-12, abs=1e-12)


@each_case
def test_the_forward_rule_equals_the_transposed_reverse_rule(case):
    operation, options = case.operation, {**case.operation.defaults, **case.options}
    out = operation.forward(*case.arrays, **options)
    tangents = [cotangent(i, x) for i, x in enumerate(case.arrays)]
    for position in [0] if operation.variadic else case.varying:
        t = tangents if operation.variadic else tangents[position]
        arguments = (t, out, *case.arrays)
        forward = operation.tangent_rules[position]
        assert forward is not None, "see test_an_operation_has_its_own_forward_mode"
        declared = match_shape(forward(*arguments, **options), out)
        transpose = transpose_rule(operation, position, tg.Value)
        found = match_shape(transpose(*arguments, **options), out)
        tolerance = 1e-9 if operation.name == "ode_solution" else 1e-12  # that of its solver
        np.testing.assert_allclose(found, declared, rtol=tolerance, atol=1e-2 * tolerance)


@pytest.mark.parametrize("case", NUMBERS, ids=repr)
def test_python_numbers_give_python_numbers_and_the_same_gradients(case):
    given = [float(x) for x in case.inputs]
    values = [*map(Value, given)]
    out = case(*values)
    out.backward()
    assert type(out.data) is float and all(type(v.grad) is float for v in values)
    assert out.data == pytest.approx(float(case.forward(*case.inputs)), rel=1e-15)
    expected = tg.vjp(case, *case.inputs)[1](1.0)
    assert [v.grad for v in values] == pytest.approx([float(g) for g in expected], rel=1e-15)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.operation.kind == "elementwise" and len(c.varying) > 1], ids=repr
)
def test_a_python_number_beside_arrays_gets_the_gradient_of_an_array_without_axes(case):
    for i in case.varying:
        arrays = [
            np.full((3, 2, 2), x.mean()) if x.size else np.ones((3, 2, 2)) for x in case.arrays
        ]
        number = float(arrays[i][0, 0, 0])
        results = []
        for scalar in (number, np.array(number)):
            operands = [scalar if j == i else x for j, x in enumerate(arrays)]
            values = {j: Value(operands[j]) for j in case.varying}
            out = case.operation(
                *(values.get(j, x) for j, x in enumerate(operands)), **case.options
            )
            out.backward(cotangent(0, out.data))
            results.append([out.data, *(v.grad for v in values.values())])
            assert type(values[i].grad) is type(values[i].data)
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)


# ---- random shapes


BINARY = [
    operation
    for operation in OPERATIONS
    if len(operation.operands) == 2 and operation.numpy and operation.kind == "elementwise"
    if None not in operation.rules
]
REDUCTIONS = [np.sum, np.mean, np.max, np.min, np.prod, np.var, np.std, np.linalg.norm]
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=3)


@pytest.mark.parametrize("operation", BINARY, ids=lambda o: o.name)
@quick
@given(
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0),
    st.integers(0, 2**32),
)
def test_whatever_broadcasts_is_differentiated(operation, shapes, seed):
    domains = [operation.domain.get(name, (-2.0, 2.0)) for name in operation.operands]
    x, y = numbers(seed, *shapes.input_shapes, domains=domains)
    assert operation(Value(x), y).shape == shapes.result_shape
    tg.check_gradients(operation, x, y, order=1)


@pytest.mark.slow
@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda f: f.__name__)
@quick
@given(st.data(), SHAPES, st.booleans(), st.integers(0, 2**32))
def test_whatever_axes_are_reduced_the_derivative_is_right(reduction, data, shape, keepdims, seed):
    most = min(len(shape), 2) if reduction is np.linalg.norm else len(shape)
    axes = hnp.valid_tuple_axes(len(shape), min_size=1, max_size=most)
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1) | axes)
    (x,) = numbers(seed, shape)
    f = lambda x: reduction(x, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(f(Value(x)).data, f(x), rtol=1e-14)
    tg.check_gradients(f, x, order=1)


INDEXED = np.random.default_rng(0).uniform(-2, 2, (3, 1, 4))


@pytest.mark.slow
@quick
@given(hnp.basic_indices(INDEXED.shape, allow_newaxis=True, allow_ellipsis=True))
def test_basic_indexing_is_that_of_numpy(index):
    np.testing.assert_array_equal(Value(INDEXED)[index].data, INDEXED[index])
    tg.check_gradients(lambda x: x[index] * x[index], INDEXED, order=1)


@pytest.mark.slow
@quick
@given(hnp.integer_array_indices(INDEXED.shape, result_shape=hnp.array_shapes(max_dims=2)))
def test_indexing_by_integer_arrays_is_that_of_numpy(index):
    np.testing.assert_array_equal(Value(INDEXED)[index].data, INDEXED[index])
    tg.check_gradients(lambda x: x[index] * x[index], INDEXED, order=1)


@pytest.mark.slow
@quick
@given(hnp.arrays(bool, INDEXED.shape) | hnp.arrays(bool, INDEXED.shape[:1]))
def test_indexing_by_masks_is_that_of_numpy(mask):
    np.testing.assert_array_equal(Value(INDEXED)[mask].data, INDEXED[mask])
    tg.check_gradients(lambda x: x[mask] * x[mask], INDEXED, order=1)


@pytest.mark.slow
@quick
@given(
    hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3),
    st.integers(0, 2**32),
)
def test_products_of_all_shapes_are_those_of_numpy(shapes, seed):
    x, y = numbers(seed, *shapes.input_shapes)
    np.testing.assert_allclose((Value(x) @ y).data, x @ y, rtol=1e-14, atol=1e-15)
    tg.check_gradients(np.matmul, x, y, order=1)
