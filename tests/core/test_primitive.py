"""Declaring an operation from outside the package, and what NumPy functions do with Values."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.primitive import METHOD_IMPLS, NUMPY_IMPLS, PRIMITIVES
from tinygrad_lr.errors import ArgumentError, NotDifferentiableError, ShapeError

X = np.array([[0.5, -1.5, 2.0], [1.0, 0.3, -0.7]])


@pytest.fixture(autouse=True)
def table():
    """Forget after a test what it has declared."""
    kept = [(mapping, dict(mapping)) for mapping in (PRIMITIVES, METHOD_IMPLS, NUMPY_IMPLS)]
    yield PRIMITIVES
    for mapping, before in kept:
        mapping.clear()
        mapping.update(before)


# ---- an operation in five lines


def test_an_operation_of_five_lines_has_both_modes_and_higher_derivatives():
    @tg.primitive
    def cube(x):
        return x * x * x

    cube.vjp(x=lambda g, out, x: g * 3 * x * x)
    assert cube(2.0) == 8.0 and cube(Value(2.0)).data == 8.0
    tg.check_gradients(cube, X, order=3, tolerance=1e-5)
    assert tg.jvp(cube, (2.0,), (1.0,)) == (8.0, 12.0)


@pytest.mark.parametrize(
    "shapes", [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (3,)), ((1, 1), (2,))]
)
def test_broadcasting_is_undone_for_the_rules_of_others_too(shapes):
    @tg.primitive
    def weighed(x, y):
        return x * x * y

    weighed.vjp(x=lambda g, out, x, y: g * 2 * x * y, y=lambda g, out, x, y: g * x * x)
    rng = np.random.default_rng(0)
    tg.check_gradients(weighed, *(rng.normal(size=shape) for shape in shapes))


def test_a_rule_that_passes_nothing_on_gives_the_tangent_zero():
    @tg.primitive
    def whole_part(x):
        return np.floor(x)

    whole_part.vjp(x=lambda g, out, x: np.zeros_like(x))
    assert tg.jvp(whole_part, (X,), (X,))[1].tolist() == np.zeros_like(X).tolist()


@pytest.mark.parametrize("edge", [0.0, -1.0])
def test_compiled_code_finds_where_the_slope_of_anothers_operation_is_infinite(edge):
    @tg.primitive(kind="elementwise", examples=[((2,),)])
    def root(x):
        return np.sqrt(x - edge)

    root.vjp(x=lambda g, out, x: g * 0.5 / out)
    gradient = tg.grad(lambda x: np.sum(np.where(x > edge, root(x), x * x)))
    x = np.array([edge, edge + 4.0])
    with np.errstate(divide="ignore"):
        found = [gradient(x), tg.compile(gradient, backend="numpy")(x)]
    assert [g.tolist() for g in found] == [[2 * edge, 0.25]] * 2


def test_the_facts_of_a_declaration_reach_derivations_influences_and_initialisers():
    @tg.primitive(
        kind="elementwise", examples=[((2,),)], kinked=True, max_slope=2.0, gain=lambda slope: 3.0
    )
    def twice_positive(x):
        return np.where(x > 0, 2 * x, 0.0)

    twice_positive.vjp(x=lambda g, out, x: g * np.where(x > 0, 2.0, 0.0))

    @tg.primitive(sentence="{v} is {x} sorted, and so is {g}.")
    def sorted_entries(x):
        return np.sort(x)

    sorted_entries.vjp(x=lambda g, out, x: np.sort(g) * 1.0)
    assert tg.nn.init.calculate_gain("twice_positive") == 3.0
    w = Value(X[0], name="w")
    loss = np.mean((twice_positive(w * X) - 1.0) ** 2)
    found = tg.influence(None, loss, weight=(w, 1), nudge=2.0)
    assert found.weights[0].switched == 2
    assert [x.most for layer in found.layers for x in layer.activations] == [2.0]
    text = tg.derivation(np.sum(sorted_entries(w) * X[1]), wrt=w).text()
    assert "is w sorted, and so is dL/d" in " ".join(text.split())


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"kind": "element-wise"}, "kind must be .*did you mean 'elementwise'"),
        ({"latex": "<x> + <z>"}, r"holes of latex must be operands \(x, y\) or options, got <z>"),
        ({"domain": {"z": (0, 1)}}, r"keys of domain must be operands \(x, y\), got 'z'"),
        ({"examples": [(2, 3)]}, r"one shape for each operand \(x, y\).*got \(2, 3\)"),
        ({"examples": [((2,), (2,), {"axis": 0})]}, r"options \(scale\).*'axis'"),
        ({"sentence": "{w} grows"}, r"must be \{x\}, \{v\} and \{g\}, got"),
    ],
)
def test_a_declaration_that_contradicts_its_function_is_an_error(declared, told):
    with pytest.raises(ArgumentError, match=f"primitive joined: .*{told}"):

        @tg.primitive(**declared)
        def joined(x, y, scale=1.0):
            return x + y * scale


def test_an_operation_may_have_options():
    @tg.primitive
    def scaled(x, factor=2.0, *, shift=0.0):
        return x * factor + shift

    scaled.vjp(x=lambda g, out, x, factor, shift: g * factor)
    assert scaled(3.0) == 6.0 and scaled(3.0, 4.0) == 12.0 and scaled(3.0, shift=1.0) == 7.0
    tg.check_gradients(lambda x: scaled(x, factor=5.0, shift=2.0), X)


def test_an_operation_in_pure_python_overflows_to_inf_as_numpys_do():
    @tg.primitive
    def cube_over_square(x, y):
        return x**3 / y**2

    cube_over_square.vjp(
        x=lambda g, out, x, y: g * 3 * x**2 / y**2, y=lambda g, out, x, y: -2 * g * out / y
    )
    for x, y, expected in ((1e200, 1.0, np.inf), (1.0, 0.0, np.inf), (0.0, 0.0, np.nan)):
        out = cube_over_square(Value(x), Value(y)).data
        assert type(out) is float
        np.testing.assert_equal(out, expected)


@pytest.mark.parametrize(("number", "shape"), [(2.0, ""), (np.ones((2, 3)), "2 × 3")])
def test_the_display_of_a_value_begins_with_its_name_and_shape(number, shape):
    shown = re.sub("<[^>]*>", " ", Value(number, name="weight")._repr_html_())
    words = " ".join(shown.split())
    assert ("2 × 3" in words) == bool(shape) and "weight" in words and "float64" in words


def test_an_operation_may_take_any_number_of_operands():
    @tg.primitive
    def product(*factors):
        return np.prod(np.stack(factors), axis=0)

    product.vjp(factors=lambda g, out, *factors: lambda i: g * out / factors[i])
    tg.check_gradients(product, X + 3, X + 4, X + 5)


def test_an_operation_may_reduce_and_be_differentiated_forward_by_transposition():
    @tg.primitive
    def energy(x, w):
        return np.sum(w * x * x)

    energy.vjp(x=lambda g, out, x, w: g * 2 * w * x, w=lambda g, out, x, w: g * x * x)
    tg.check_gradients(energy, X, X[0])


def test_an_operand_may_be_left_without_a_rule():
    @tg.primitive
    def pick(x, mask):
        return np.where(mask, x, 0.0)

    pick.vjp(x=lambda g, out, x, mask: np.where(mask, g, 0.0))
    mask = np.array([1.0, 0.0, 1.0])
    np.testing.assert_array_equal(tg.grad(lambda x: pick(x, mask).sum())(X[0]), mask)
    with pytest.raises(NotDifferentiableError, match=r"pick has no derivative.*mask"):
        tg.grad(lambda m: pick(X[0], m).sum())(mask)
    with pytest.raises(NotDifferentiableError, match=r"pick has no derivative.*mask"):
        tg.jvp(lambda m: pick(X[0], m), (mask,), (mask,))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_zeros_stay_zero_in_compiled_code_beside_an_operation_that_takes_no_single_numbers():
    @tg.primitive(kind="elementwise")
    def root_of_rows(x):
        return np.sqrt(x[..., :])

    @tg.primitive(kind="elementwise")
    def positive_rows(x):
        return np.where(x[..., :] > 0, x, 0.0)

    root_of_rows.vjp(x=lambda g, out, x: g * (0.5 / out))
    positive_rows.vjp(x=lambda g, out, x: g * np.where(x > 0, 1.0, 0.0))
    cases = [  # at 1 the slope of the root is infinite, at 1000 that of exp
        (lambda x: (root_of_rows(x - 1) * np.array([0.0, 1.0])).sum(), [1.0, 2.0], [0, 0.5]),
        (lambda x: positive_rows(2 - np.exp(x)).sum(), [1000.0, 0.0], [0, -1]),
    ]
    for f, x, expected in cases:
        for gradient in (tg.grad(f), tg.compile(tg.grad(f), backend="numpy")):
            np.testing.assert_allclose(gradient(np.array(x)), expected, rtol=1e-14)


@pytest.mark.parametrize("slope", [0, 0.0, 2, True, np.float32(1), np.ones(3)], ids=repr)
def test_a_rule_may_return_any_number(slope):
    @tg.primitive
    def odd(x):
        return x * 1.0

    odd.vjp(x=lambda g, out, x: slope)
    for x in (Value(2.0), Value(np.ones(3)), Value(np.ones(3, np.float32))):
        if np.ndim(slope) <= x.ndim:
            odd(x).sum().backward()
            np.testing.assert_array_equal(x.grad, np.full(x.shape, slope, float))
            assert np.asarray(x.grad).dtype == x.dtype


def test_a_rule_whose_cotangent_cannot_fit_its_operand_is_an_error():
    @tg.primitive
    def odd(x):
        return x * 1.0

    odd.vjp(x=lambda g, out, x: np.ones(5))
    with pytest.raises(ValueError, match="5"):
        odd(Value(np.ones(3))).sum().backward()


def test_an_operation_without_rules_is_refused_when_it_is_differentiated():
    @tg.primitive
    def opaque(x):
        return x + 1

    assert opaque(Value(1.0)).data == 2.0
    with pytest.raises(NotDifferentiableError, match="opaque has no derivative"):
        opaque(Value(1.0)).backward()


def test_an_operation_stands_for_the_numpy_function_that_it_names():
    @tg.primitive(np.cbrt)
    def cube_root(x):
        return np.cbrt(x)

    cube_root.vjp(x=lambda g, out, x: g / (3 * out * out))
    assert tg.grad(np.cbrt)(8.0) == pytest.approx(1 / 12)
    assert np.cbrt(Value([8.0])).data.tolist() == [2.0] and np.cbrt(8.0) == 2.0


@pytest.mark.parametrize("kind", ["linear", "multilinear", "elementwise"])
def test_the_forward_mode_follows_from_a_declared_kind(kind):
    @tg.primitive(kind=kind)
    def scaled(x):
        return x * 4.0

    scaled.vjp(x=lambda g, out, x: g * 4.0)
    assert scaled.tangent_rules[0] is not None
    tg.check_gradients(scaled, X)


def test_an_operation_keeps_its_name_docstring_and_module():
    @tg.primitive
    def described(x, *, scale=1.0):
        """What it does."""
        return x * scale

    assert (described.__name__, described.__doc__, described.__module__) == (
        *("described", "What it does.", __name__),
    )
    assert repr(described) == "<primitive described(x)>"


# ---- declarations that cannot be right fail at once


@pytest.fixture
def product():
    @tg.primitive
    def product_of(x, y, scale=1.0):
        return x * y * scale

    return product_of


@pytest.mark.parametrize("declare", ["vjp", "jvp"])
def test_a_rule_for_an_operand_that_is_not_there_fails_at_once(product, declare):
    with pytest.raises(ArgumentError, match=r"a rule must be for an operand \(x, y\), got 'z'"):
        getattr(product, declare)(z=lambda g, out, x, y, scale: g)


@pytest.mark.parametrize("declare", ["vjp", "jvp"])
@pytest.mark.parametrize(
    "rule", [lambda g: g, lambda g, out, x, y: g, lambda g, out, x, y, s, t: g]
)
def test_a_rule_of_the_wrong_number_of_parameters_fails_at_once(product, declare, rule):
    with pytest.raises(ArgumentError, match=r"must take \(g, out, x, y, scale\)"):
        getattr(product, declare)(x=rule)


def test_a_rule_may_gather_its_parameters(product):
    product.vjp(x=lambda g, out, *xy, **options: g * xy[1] * options["scale"])
    product.vjp(y=lambda g, out, x, *rest, **options: g * x * options["scale"])
    tg.check_gradients(lambda x, y: product(x, y, scale=3.0), X, X[0])


def test_two_modules_cannot_declare_one_name():
    with pytest.raises(ArgumentError, match=r"must be new, got 'tanh', which tinygrad_lr"):

        @tg.primitive
        def tanh(x):
            return x

    assert tg.grad(np.tanh)(0.0) == 1.0


def test_a_module_may_declare_its_operation_again():
    for factor in (2.0, 3.0):

        @tg.primitive
        def again(x):
            return x * factor  # noqa: B023

        again.vjp(x=lambda g, out, x: g * factor)  # noqa: B023
    assert tg.grad(again)(1.0) == 3.0


@pytest.mark.parametrize("call", [lambda f: f(), lambda f: f(1.0), lambda f: f(1.0, 2.0, 3.0, 4.0)])
def test_a_call_with_the_wrong_number_of_arguments_is_an_error(product, call):
    with pytest.raises(TypeError, match="product_of"):
        call(lambda *args: product(*map(Value, args)))


def test_a_call_with_an_unknown_option_is_an_error_that_names_it(product):
    with pytest.raises(TypeError, match=r"arguments must be \(x, y, scale\), got size=3"):
        product(Value(1.0), 2.0, size=3)
    assert product(Value(2.0), y=3.0).data == 6.0


# ---- NumPy on Values

UNSUPPORTED = {
    "ufunc": (np.frompyfunc(lambda x: x, 1, 1), "np.<lambda> (vectorized) "),
}


@pytest.mark.parametrize(("f", "name"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_a_function_without_a_derivative_is_refused_by_name_with_the_ways_out(f, name):
    with pytest.raises(NotDifferentiableError, match=re.escape(name)) as error:
        f(Value(X))
    assert isinstance(error.value, TypeError)
    assert "tg.primitive" in str(error.value) and "value.numpy()" in str(error.value)


PLAIN = {
    "argmax": np.argmax,
    "argmax of an axis": lambda v: np.argmax(v, axis=1),
    "argmin": np.argmin,
    "argsort": np.argsort,
    "argwhere": lambda v: np.argwhere(v > 0),
    "nonzero": lambda v: np.nonzero(v)[0],
    "count_nonzero": np.count_nonzero,
    "isnan": np.isnan,
    "isfinite": np.isfinite,
    "signbit": np.signbit,
    "less": lambda v: np.less(v, 1.0),
    "equal": lambda v: np.equal(1.0, v),
    "logical_and": lambda v: np.logical_and(v, v > 0),
    "isclose": lambda v: np.isclose(v, v),
    "allclose": lambda v: np.allclose([v, v], v),
    "array_equal": lambda v: np.array_equal(v, v),
    "any": lambda v: np.any(v > 0),
    "all": np.all,
    "shape": np.shape,
    "ndim": np.ndim,
    "size": np.size,
    "result_type": lambda v: np.result_type(v, np.float32),
    "full shape": lambda v: np.zeros(v.shape),
    "searchsorted": lambda v: np.searchsorted(np.arange(3.0), v),
    "digitize": lambda v: np.digitize(v, np.arange(3.0)),
    "argpartition": lambda v: np.argpartition(v, 1),
}


@pytest.mark.parametrize("f", PLAIN.values(), ids=PLAIN)
def test_a_function_without_a_derivative_to_lose_gives_plain_arrays(f):
    found, expected = f(Value(X)), f(X)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected)


def test_the_methods_of_the_largest_and_smallest_positions_give_plain_integers():
    assert Value(X).argmax() == 2 and Value(X).argmin(axis=1).tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_like_a_value_have_its_dtype(dtype):
    v = Value(X.astype(dtype))
    assert np.zeros_like(v).dtype == np.ones_like(v).dtype == dtype


FORBIDDEN = {
    "np.exp(v, out=a)": r"np\.exp.*out=",
    "np.add(a, v, out=a)": r"np\.add.*out=",
    "np.multiply(2.0, 3.0, out=v)": r"np\.multiply.*out=",
    "a.__iadd__(v)": r"array = array \+ value",
    "a.__imul__(v)": r"array = array \+ value",
    "np.asarray(v)": r"value\.numpy\(\)",
    "np.array([v, v])": r"np\.stack",
    "np.array(v, dtype=np.float32)": r"value\.numpy\(\)",
    "np.add.at(a, 0, v)": r"np\.add\.at",
}


@pytest.mark.parametrize(("line", "message"), FORBIDDEN.items(), ids=FORBIDDEN)
def test_a_value_never_becomes_an_array_by_accident(line, message):
    with pytest.raises(NotDifferentiableError, match=message):
        eval(line, {"np": np, "v": Value(X), "a": np.ones_like(X)})


def test_the_errors_of_numpy_name_the_operation():
    with pytest.raises(
        ShapeError, match=r"add: operands must have shapes that fit, got \(2, 3\) and \(2,\)"
    ):
        Value(X) + np.ones(2)
    with pytest.raises(ArgumentError, match="reshape"):
        Value(X).reshape(4)


METHOD_CALLS = {
    "v.abs()": "np.abs(a)",
    "v.exp()": "np.exp(a)",
    "(v * v).sqrt()": "np.sqrt(a * a)",
    "(v * v).log()": "np.log(a * a)",
    "v.tanh()": "np.tanh(a)",
    "v.clip(-1, 1)": "a.clip(-1, 1)",
    "v.sum(axis=0)": "a.sum(axis=0)",
    "v.sum(0)": "a.sum(0)",
    "v.mean(1, keepdims=True)": "a.mean(1, keepdims=True)",
    "v.max()": "a.max()",
    "v.min(axis=(0, 1))": "a.min(axis=(0, 1))",
    "v.prod(axis=-1)": "a.prod(axis=-1)",
    "v.var(ddof=1)": "a.var(ddof=1)",
    "v.std(axis=0)": "a.std(axis=0)",
    "v.cumsum()": "a.cumsum()",
    "v.dot(a.T)": "a.dot(a.T)",
    "v @ v.T": "a @ a.T",
    "v.trace()": "a.trace()",
    "v.diagonal(1)": "a.diagonal(1)",
    "v.reshape(3, 2)": "a.reshape(3, 2)",
    "v.reshape((3, -1))": "a.reshape((3, -1))",
    "v.reshape(-1)": "a.reshape(-1)",
    "v.ravel()": "a.ravel()",
    "v.flatten()": "a.flatten()",
    "v.transpose()": "a.transpose()",
    "v.transpose(1, 0)": "a.transpose(1, 0)",
    "v.transpose((1, 0))": "a.transpose((1, 0))",
    "v.swapaxes(0, 1)": "a.swapaxes(0, 1)",
    "v[:, None].squeeze()": "a[:, None].squeeze()",
    "v.repeat(2, axis=0)": "a.repeat(2, axis=0)",
    "v.astype('float32')": "a.astype('float32')",
    "abs(v) + +v - -v": "abs(a) + +a - -a",
    "2 ** v": "2 ** a",
    "v.relu()": "np.maximum(a, 0)",
    "v.sigmoid()": "1 / (1 + np.exp(-a))",
}


@pytest.mark.parametrize(("method", "expected"), METHOD_CALLS.items(), ids=METHOD_CALLS)
def test_the_methods_are_those_of_arrays(method, expected):
    names = {"np": np, "v": Value(X), "a": X}
    found, expected = eval(method, names), eval(expected, names)
    assert found.shape == np.shape(expected) and found.dtype == expected.dtype
    np.testing.assert_allclose(found.data, expected, rtol=1e-14)


def test_pythons_round_rounds_a_number_and_keeps_no_slope():
    x = Value(1.26)
    rounded = round(x, 1)
    rounded.backward()
    assert (rounded.data, x.grad) == (1.3, 0.0)


# ---- what help(Value) shows


METHODS = [
    name for name, x in vars(Value).items() if inspect.isfunction(x) and "__wrapped__" in vars(x)
]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_shows_the_signature_of_its_operation(name):
    operations = {
        **{"flatten": "ravel", "conjugate": "conj"},
        **{"__neg__": "negative", "__pos__": "positive"},
    }
    operation = METHOD_IMPLS[operations.get(name, name.strip("_"))]
    shown = list(inspect.signature(getattr(Value, name)).parameters.values())[1:]
    known = dict(list(inspect.signature(operation).parameters.items())[1:])
    assert all(x.name in known and x.default == known[x.name].default for x in shown)
    required = {x.name for x in known.values() if x.default is x.empty}
    assert required <= {x.name for x in shown}
    assert getattr(Value, name).__doc__.endswith(".")


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: x.reshape(4, 4), "reshape"),
        (lambda x: x.transpose(0, 0), "transpose"),
        (lambda x: np.concatenate([x, x[0]]), "concatenate"),
        (lambda x: x + np.ones(5), "add"),
        (lambda x: np.max(x[:, :0]), "max"),
    ],
)
def test_an_error_names_the_function_that_was_called(call, name):
    with pytest.raises(ArgumentError, match=f"^{name}: "):
        call(Value(np.ones((2, 3))))


def test_an_error_in_an_operation_of_ones_own_has_its_own_name():
    @tg.primitive
    def reshape_twice(x):
        return np.reshape(np.asarray(x), (5, 7))

    with pytest.raises(ArgumentError, match=r"^reshape_twice: "):
        reshape_twice(Value(np.ones((2, 3))))


@pytest.mark.parametrize("given", [2.0, 3, X, Value(2.0), Value(X)], ids=lambda x: type(x).__name__)
@pytest.mark.parametrize(
    "kind", [ValueError, TypeError, AttributeError, ZeroDivisionError, KeyError]
)
def test_an_operation_that_fails_by_itself_says_why_itself(kind, given):
    """Only an attribute that a number lacks is told as what it means: an array was expected."""

    @tg.primitive
    def failing(x):
        raise kind("its own sentence")

    lacking = kind is AttributeError and isinstance(given, (int, float))
    with pytest.raises(ArgumentError if lacking else kind) as info:
        failing(given)
    assert ("must be an array, got" if lacking else "its own sentence") in str(info.value)
