"""Complex numbers: PyTorch's convention at the boundary, plain rules within."""

from __future__ import annotations

import importlib.util
import operator

import numpy as np
import pytest
from operands import CASES, numbers

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError, DtypeError, GraphError, NotDifferentiableError
from tinygrad_lr.ops.shape import cast

FIRST_ORDER = {"gamma", "loggamma", "rgamma"}  # SciPy has no polygamma of complex numbers
EXCEPTIONS = {"cast", "symmetric_eigen", "singular_factors"}  # phases of vectors: see below
if importlib.util.find_spec("scipy"):
    from tinygrad_lr.scipy.special.integrals import KNOWS_COMPLEX_HYP1F1

    if not KNOWS_COMPLEX_HYP1F1:  # and so SciPy's hyp2f1 is older, of 7 digits: too few
        EXCEPTIONS |= {"hyp1f1", "hyp2f1"}
each_complex_case = pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.operation.takes_complex and c.operation.name not in EXCEPTIONS],
    ids=repr,
)


def draw(seed, *shapes):
    """Arrays of complex numbers, off the axes and apart from each other."""
    halves = numbers(seed, *[(2, *shape) for shape in shapes])
    return [x[0] + 1j * x[1] for x in halves]


@each_complex_case
def test_the_rules_hold_for_complex_operands(case):
    inputs = [x + 0.7j * y for x, y in zip(case.inputs, draw_like(case), strict=True)]
    tg.check_gradients(case, *inputs, order=1 if case.operation.name in FIRST_ORDER else 2)


@each_complex_case
def test_a_real_operand_beside_complex_ones_gets_a_real_gradient(case):
    for i, x in enumerate(case.inputs):
        if (case.operation.name, i) == ("set_item", 0):
            continue  # complex numbers don't go into a real array
        mixed = [y + 0.7j * y for y in case.inputs]
        mixed[i] = x
        out, pullback = tg.vjp(case, *mixed)
        found = pullback(np.ones_like(out))[i]
        assert found.dtype == np.float64
        tg.check_gradients(
            lambda x, i=i, mixed=mixed: case(*mixed[:i], x, *mixed[i + 1 :]), x, order=1
        )


def draw_like(case):
    return numbers(5, *[x.shape for x in case.inputs])


# ---- the convention


def test_the_gradient_of_a_complex_number_is_that_of_its_parts():
    z = Value(3.0 + 4.0j)
    np.abs(z).backward()
    assert z.grad == pytest.approx(0.6 + 0.8j)
    assert type(z.grad) is np.complex128


def loss_of(z):
    return np.sum(np.abs(np.exp(z) * z + 1j) ** 2 + np.real(z * z) * np.imag(z))


@pytest.mark.parametrize("part", [1.0, 1j])
def test_it_is_what_central_differences_give_along_both_axes(part):
    (z,) = draw(0, (3,))
    gradient, step = tg.grad(loss_of)(z), 1e-6
    for i, unit in enumerate(np.eye(3) * part):
        slope = (loss_of(z + step * unit) - loss_of(z - step * unit)) / (2 * step)
        along = gradient[i].real if part == 1 else gradient[i].imag
        assert along == pytest.approx(slope, rel=1e-7)


def test_backward_grad_and_vjp_agree():
    (z,) = draw(1, (2, 2))
    value = Value(z)
    loss_of(value).backward()
    np.testing.assert_array_equal(value.grad, tg.grad(loss_of)(z))
    np.testing.assert_array_equal(value.grad, tg.vjp(loss_of, z)[1](1.0)[0])
    np.testing.assert_array_equal(value.grad, tg.jacobian(loss_of)(z))


def test_gradients_of_leaves_add_up_over_passes():
    (z,) = draw(1, (2,))
    value = Value(z)
    for _ in range(2):
        loss_of(value).backward()
    np.testing.assert_array_equal(value.grad, 2 * tg.grad(loss_of)(z))


def test_descent_along_the_gradient_lowers_the_loss():
    (z,) = draw(2, (3,))
    assert loss_of(z - 1e-4 * tg.grad(loss_of)(z)) < loss_of(z)


def test_forward_mode_is_the_inner_product_with_the_gradient():
    z, t = draw(3, (3,), (3,))
    out, tangent = tg.jvp(loss_of, (z,), (t,))
    assert out == loss_of(z)
    assert tangent == pytest.approx(np.vdot(tg.grad(loss_of)(z), t).real)


def test_the_pullback_takes_and_returns_gradients():
    (z,) = draw(4, (3,))
    inner, outer = lambda z: z * z * (1 + 2j), lambda w: np.sum(np.abs(w) ** 3)
    out, pullback = tg.vjp(inner, z)
    expected = tg.grad(lambda z: outer(inner(z)))(z)
    np.testing.assert_allclose(pullback(tg.grad(outer)(out))[0], expected)
    value = Value(z)
    inner(value).backward(tg.grad(outer)(out))
    np.testing.assert_allclose(value.grad, expected)


def test_second_derivatives_agree_with_differences_of_gradients():
    z, t = draw(5, (3,), (3,))
    step, gradient = 1e-6, tg.grad(loss_of)
    slope = (gradient(z + step * t) - gradient(z - step * t)) / (2 * step)
    np.testing.assert_allclose(tg.hvp(loss_of, (z,), (t,))[0], slope, rtol=1e-7)
    tg.check_gradients(loss_of, z, order=3)


def test_the_jacobian_of_a_function_with_a_complex_derivative_is_that_derivative():
    (z,) = draw(6, (3,))
    np.testing.assert_allclose(tg.jacobian(lambda z: z**3)(z), np.diag(3 * z**2))
    np.testing.assert_allclose(tg.jacobian(np.exp)(z[0]), np.exp(z[0]))
    np.testing.assert_allclose(tg.hessian(lambda z: np.sum(np.abs(z) ** 2))(z), 2 * np.eye(3))


def test_the_jacobian_of_a_complex_function_of_real_numbers_is_complex():
    x = np.array([0.5, 2.0])
    found = tg.jacobian(lambda x: np.exp(1j * x))(x)
    np.testing.assert_allclose(found, np.diag(1j * np.exp(1j * x)))
    assert tg.jacobian(lambda x: x * (2 + 1j))(3.0) == 2 + 1j


@pytest.mark.parametrize("f", [np.conj, lambda z: np.abs(z) * z, lambda z: np.real(z) + 0j])
def test_a_jacobian_that_does_not_exist_is_refused(f):
    with pytest.raises(NotDifferentiableError, match="vjp or jvp"):
        tg.jacobian(f)(1 + 2j)


def test_check_gradients_finds_a_rule_that_conjugates():
    @tg.primitive(latex="<x>", examples=[((),)], kind="elementwise", takes_complex=True)
    def wrongly_conjugated(x):
        return x * (1 + 2j)

    wrongly_conjugated.vjp(x=lambda g, out, x: g * (1 - 2j))
    try:
        with pytest.raises(tg.errors.GradientCheckError, match="imaginary part"):
            tg.check_gradients(lambda z: np.stack([np.real(z) ** 2, wrongly_conjugated(z)]), 1j)
    finally:
        for registry in (tg.core.primitive.PRIMITIVES, tg.core.primitive.METHOD_IMPLS):
            del registry["wrongly_conjugated"]


# ---- functions of their own


def test_real_imag_conj_and_angle_are_attributes_and_functions():
    (z,) = draw(7, (2, 3))
    v = Value(z)
    pairs = [(v.real, z.real), (v.imag, z.imag), (v.conj(), z.conj()), (v.conjugate(), z.conj())]
    for found, expected in [*pairs, (np.angle(v), np.angle(z)), (np.sign(v), np.sign(z))]:
        np.testing.assert_array_equal(found.data, expected)
    np.testing.assert_array_equal(np.angle(v, deg=True).data, np.angle(z, deg=True))


def test_of_real_numbers_they_are_what_numpy_says():
    x = Value([-1.5, 2.0])
    assert x.real.tolist() == x.conj().tolist() == [-1.5, 2.0]
    assert x.imag.tolist() == [0.0, 0.0]
    assert str(Value([-1.5, np.inf]).imag.data) == "[0. 0.]"  # not -0, not nan
    assert np.angle(x).tolist() == [np.pi, 0.0]
    for f in (np.real, np.imag, np.conj, np.angle):
        tg.check_gradients(f, x.data)


def test_real_if_close_is_real_where_numpys_is():
    assert np.real_if_close(Value([1 + 1e-15j])).dtype == np.float64
    assert np.real_if_close(Value([1 + 1e-3j])).dtype == np.complex128


@pytest.mark.parametrize("f", [np.abs, np.angle, np.sign, np.linalg.norm, np.std])
def test_at_zero_their_derivatives_are_zero(f):
    z = Value(np.zeros(2, complex))
    np.real(np.sum(f(z))).backward()
    assert z.grad.tolist() == [0, 0]


def float_power(z):
    return np.float_power(z + 4, 1.5)


def interpolate(z):
    return np.interp([0.2, 1.3, 2.7], [0.0, 1.0, 3.0], z)


def correlate(z):
    return np.correlate(z, z[1:] * 1j, "full")


def insert(z):
    return np.insert(z, 1, z[2] * 1j)


@pytest.mark.parametrize("f", [float_power, interpolate, correlate, insert, np.nan_to_num])
def test_no_function_drops_the_imaginary_part(f):
    (z,) = draw(8, (3,))
    np.testing.assert_allclose(f(Value(z)).data, f(z), rtol=1e-14)
    tg.check_gradients(f, z)


@pytest.mark.parametrize("f", [lambda z: np.bincount([0, 1, 1], z), lambda z: cast(z, "float64")])
def test_what_would_drop_it_is_refused(f):
    with pytest.raises(ValueError, match=r"complex numbers, got float64; take np\.real first"):
        f(Value(draw(8, (3,))[0]))


def test_vdot_conjugates_its_first_argument_as_in_numpy():
    z, w = draw(8, (2, 3), (2, 3))
    assert np.vdot(Value(z), w).item() == pytest.approx(np.vdot(z, w))
    tg.check_gradients(np.vdot, z, w)


def test_max_and_sort_follow_numpys_order():
    (z,) = draw(9, (5,))
    np.testing.assert_array_equal(np.sort(Value(z)).data, np.sort(z))
    assert np.max(Value(z)).item() == np.max(z)
    tg.check_gradients(lambda z: np.sort(z)[2] + np.max(z), z)


def test_comparisons_are_numpys():
    z = np.array([1j, 2.0])
    for compare in (operator.lt, operator.eq, operator.ge):
        assert compare(Value(z), 1.0).tolist() == compare(z, 1.0).tolist()


@pytest.mark.parametrize("compare", [operator.lt, operator.ge])
def test_pythons_own_complex_numbers_are_not_ordered(compare):
    with pytest.raises(TypeError):
        compare(1j, 2j)


def test_moments_with_a_mask_are_numpys():
    (z,) = draw(10, (2, 3))
    mask = np.array([[True, False, True], [True, True, False]])
    for f in (np.mean, np.var, np.std, np.sum):
        np.testing.assert_allclose(f(Value(z), where=mask).data, f(z, where=mask))
        tg.check_gradients(lambda z, f=f: f(z, where=mask), z)


def test_a_negative_real_base_has_a_complex_power():
    tg.check_gradients(lambda y: np.power(-2.0 + 0j, y), 0.5 + 1j)
    assert tg.grad(lambda y: np.real(np.array(-2.0) ** (y * 1j)))(0.5) == pytest.approx(
        np.real((-2 + 0j) ** 0.5j * np.log(-2 + 0j) * 1j)
    )


def test_division_by_zero_gives_nan_and_no_exception():
    with np.errstate(all="ignore"):
        for z in (Value(1 + 1j) / 0j, Value(1.0) / 0j, 1j / Value(0.0)):
            assert not np.isfinite(z.data)


# ---- numbers and dtypes


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_dtypes_stay(dtype):
    value = Value(np.array([1 + 2j], dtype))
    np.sum(np.abs(value * 2.0 + 1j)).backward()
    assert value.dtype == value.grad.dtype == dtype
    assert (value * 1j).dtype == dtype


def test_a_real_number_times_a_complex_one_keeps_its_precision():
    value = Value(np.array([1.0, 2.0], np.float32))
    out = np.sum(np.abs(value * 1j))
    out.backward()
    assert (out.dtype, value.grad.dtype) == (np.float32, np.float32)


def test_a_complex_number_leaves_the_graph_as_pythons():
    z = Value(1 + 2j)
    assert (z.item(), z.tolist(), z.detach().dtype) == (1 + 2j, 1 + 2j, np.complex128)
    assert repr(z) == "Value(data=(1+2j), grad=None)"
    with pytest.raises(TypeError, match="real"):
        float(Value(1 + 2j, requires_grad=False))
    assert complex(Value(1 + 2j, requires_grad=False)) == 1 + 2j


def test_long_complex_numbers_are_refused():
    with pytest.raises(DtypeError):
        Value(np.array([1j], np.clongdouble))


def test_a_real_value_takes_no_complex_data_or_gradient():
    x = Value([1.0])
    with pytest.raises(DtypeError, match="real"):
        x.data = np.array([1j])
    with pytest.raises(DtypeError, match="real"):
        x.grad = np.array([1j])
    with pytest.raises(ArgumentError, match=r"np\.real"):
        Value([1j]).astype(np.float64)
    assert x.astype(complex).dtype == np.complex128


# ---- what is refused


@pytest.mark.parametrize(
    "f",
    [tg.relu, tg.ops.sigmoid, np.floor, np.hypot, np.logaddexp, np.remainder, tg.ops.softmax],
    ids=lambda f: f.__name__,
)
def test_operations_of_real_numbers_refuse_complex_ones(f):
    operands = [Value(np.array([1j])), 2.0][: getattr(f, "nin", len(getattr(f, "operands", "x")))]
    with pytest.raises(DtypeError, match="must be real"):
        f(*operands)


def test_the_gradient_of_a_complex_output_is_refused():
    with pytest.raises(DtypeError, match="real"):
        (Value(1j) * 2).backward()
    with pytest.raises(DtypeError, match="real"):
        tg.grad(lambda z: z * 2)(1j)
    with pytest.raises(GraphError):
        tg.grad(lambda z: np.abs(z))(np.array([1j, 2]))


def test_a_complex_cotangent_or_tangent_of_a_real_number_is_refused():
    with pytest.raises(DtypeError, match="real"):
        Value(2.0).__mul__(3.0).backward(1j)
    with pytest.raises(DtypeError, match="real"):
        tg.jvp(np.exp, (1.0,), (1j,))


def test_explanations_are_about_real_graphs():
    z = Value(1 + 2j, name="z")
    for explain in (tg.derivation, lambda loss: tg.influence(None, loss)):
        with pytest.raises(DtypeError, match="two Values"):
            explain(np.abs(z * 2))


def test_complex_numbers_are_shown_in_a_notebook_and_while_they_are_computed(capsys):
    z = Value(np.array([1 - 2j, 0.5j]), name="z")
    with tg.trace():
        np.sum(np.abs(z * 2.0)).backward()
    assert "2 − 4i" in capsys.readouterr().out
    assert "1 − 2i" in z._repr_html_()


# ---- training and compiling


def train(optimizer, compiled=False):
    target = np.array([1 + 2j, -3j])
    w = Value(np.array([0.5j, 0.25]))
    learn = optimizer([w])

    def step(target):
        learn.zero_grad()
        loss = np.sum(np.abs(w * (1 + 1j) - target) ** 2)
        loss.backward()
        learn.step()
        return loss

    step = tg.compile(step) if compiled else step
    for _ in range(300):
        loss = step(target)
    return w.data, float(loss.item())


OPTIMIZERS = {
    "SGD": lambda p: tg.optim.SGD(p, 0.05, momentum=0.5),
    "Adam": lambda p: tg.optim.Adam(p, 0.1),
    "AdamW": lambda p: tg.optim.AdamW(p, 0.1, weight_decay=0.0),
}
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)


@each_optimizer
def test_complex_parameters_train(optimizer):
    w, loss = train(optimizer)
    assert loss < 1e-3
    np.testing.assert_allclose(w * (1 + 1j), [1 + 2j, -3j], atol=0.05)


@each_optimizer
def test_compiled_they_train_alike(optimizer):
    np.testing.assert_allclose(train(optimizer, compiled=True)[0], train(optimizer)[0], rtol=1e-9)


def test_an_optimizer_treats_them_as_pairs_of_real_numbers():
    z, x = Value(np.array([3 + 4j])), Value(np.array([3.0, 4.0]))
    z.grad, x.grad = np.array([0.5 - 2j]), np.array([0.5, -2.0])
    for value in (z, x):
        tg.optim.Adam([value], 0.1, weight_decay=0.1).step()
    np.testing.assert_array_equal([z.data[0].real, z.data[0].imag], x.data)


def test_what_has_no_complex_form_is_refused():
    z = Value(np.array([1j]))
    with pytest.raises(DtypeError, match="LBFGS"):
        tg.optim.LBFGS([z])
    z.grad = np.array([3j])
    with pytest.raises(DtypeError, match="clip_gradient_norm"):
        tg.optim.clip_gradient_value([z], 1.0)
    assert tg.optim.clip_gradient_norm([z], 1.0) == 3.0
    np.testing.assert_allclose(z.grad, [1j], rtol=1e-5)


PROGRAMS = {
    "gradient": lambda z: tg.grad(lambda z: np.sum(np.abs(z @ z) ** 2))(z),
    "parts": lambda z: tg.grad(lambda z: np.sum(z.imag * np.angle(z) * z.real))(z),
    "elementary": lambda z: tg.grad(lambda z: np.sum(np.real(np.sqrt(z) * np.log(z)) ** 2))(z),
    "powers": lambda z: tg.grad(lambda z: np.sum(np.abs(z**3 / (z + 1) + z**2)))(z),
    "moments": lambda z: tg.grad(lambda z: np.abs(np.mean(z)) * np.var(z) + np.std(z))(z),
    "choice": lambda z: tg.grad(lambda z: np.sum(np.abs(np.where(np.abs(z) > 1, z * z, 1j * z))))(
        z
    ),
    "systems": lambda z: tg.grad(
        lambda z: np.abs(np.linalg.det(z)) + np.sum(np.abs(np.linalg.inv(z)))
    )(z),
    "second order": lambda z: tg.hvp(lambda z: np.sum(np.abs(z) ** 3), (z,), (z * 1j,))[0],
    "Jacobian": lambda z: tg.jacobian(lambda z: z * z)(z[0]),
}


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_compiled_programs_give_the_same(program, backend):
    compiled = tg.compile(program, backend=backend)
    for seed in range(2):
        (z,) = draw(seed, (3, 3))
        np.testing.assert_allclose(compiled(z), program(z), rtol=1e-10, atol=1e-12)


def test_a_captured_complex_array_is_an_input():
    weights = np.array([1j, 2.0])
    compiled = tg.compile(lambda x: np.sum(np.abs(x * weights)))
    x = np.array([1.0, 2.0])
    assert compiled(x) == 5.0
    weights[0] = 3j
    assert compiled(x) == 7.0


def test_complex_numbers_are_not_written_into_a_real_array():
    real = tg.zeros(2)
    with pytest.raises(DtypeError, match=r"must be written into a complex array"):
        real[0] = Value(1j)
    both = tg.zeros(2, complex)
    both[0] = Value(1j)
    assert both.data.tolist() == [1j, 0]
