"""`tinygrad_lr.numpy.polynomial`: NumPy's six bases of polynomials, with gradients."""

from __future__ import annotations

import pickle

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import examples

import tinygrad_lr as tg
import tinygrad_lr.numpy as np
from tinygrad_lr import Value
from tinygrad_lr.compiler import runtime  # noqa: F401 - the compiler is loaded
from tinygrad_lr.errors import NotDifferentiableError, TraceError

BASES = {
    "polynomial": ("poly", "Polynomial"),
    "chebyshev": ("cheb", "Chebyshev"),
    "legendre": ("leg", "Legendre"),
    "hermite": ("herm", "Hermite"),
    "hermite_e": ("herme", "HermiteE"),
    "laguerre": ("lag", "Laguerre"),
}
BASIS = pytest.mark.parametrize("basis", BASES)
BACKENDS = ["numpy", "llvm"]
FLAT = numpy.linspace(-1.0, 1.0, 5)

# Of points x, coefficients c and d: `call` calls a function of the basis.
FUNCTIONS = {
    "val": lambda call, x, c, d: call("val", x, c),
    "val at one point": lambda call, x, c, d: call("val", x[0], c),
    "val of lists": lambda call, x, c, d: call("val", [x[0], 0.5], [c[0], 1.0, c[1]]),
    "val of columns": lambda call, x, c, d: call("val", x, np.outer(c, d)),
    "val of columns, one each": lambda call, x, c, d: call("val", d, np.outer(c, d), tensor=False),
    "val2d": lambda call, x, c, d: call("val2d", x, x * x, np.outer(c, d)),
    "grid2d": lambda call, x, c, d: call("grid2d", x, d, np.outer(c, d)),
    "val3d": lambda call, x, c, d: call(
        "val3d", x, x, x, np.outer(c, np.outer(d, x[:2]))[..., None]
    ),
    "vander": lambda call, x, c, d: call("vander", x, 4),
    "vander2d": lambda call, x, c, d: call("vander2d", x, x * x, [2, 1]),
    "vander3d": lambda call, x, c, d: call("vander3d", x, x * x, x, [1, 1, 2]),
    "add": lambda call, x, c, d: call("add", c, d),
    "sub": lambda call, x, c, d: call("sub", d, c),
    "mul": lambda call, x, c, d: call("mul", c, d),
    "mulx": lambda call, x, c, d: call("mulx", c),
    "mulx of a number": lambda call, x, c, d: call("mulx", c[0]),
    "int of a number": lambda call, x, c, d: call("int", c[0], 2),
    "pow": lambda call, x, c, d: call("pow", d, 3),
    "der": lambda call, x, c, d: call("der", c, 2, scl=x[0]),
    "der of columns": lambda call, x, c, d: call("der", np.outer(d, c), axis=1),
    "int": lambda call, x, c, d: call("int", c, 2, k=[d[0]], lbnd=x[0], scl=x[1]),
    "int of columns": lambda call, x, c, d: call("int", np.outer(c, d), k=d[0]),
    "line": lambda call, x, c, d: call("line", c[0], c[1]),
    "fromroots": lambda call, x, c, d: call("fromroots", x),
    "companion": lambda call, x, c, d: call("companion", c),
}
DIVISION = {
    "div, quotient": lambda call, x, c, d: call("div", c, d)[0],
    "div, remainder": lambda call, x, c, d: call("div", c, d)[1],
}
FITS = {
    "fit": lambda call, x, c, d: call("fit", FLAT + 0.1 * c[:1], np.append(c, d[0]), 2),
    "fit of some": lambda call, x, c, d: call("fit", FLAT, np.append(c, d[0]), [0, 2]),
    "fit of columns": lambda call, x, c, d: call("fit", FLAT[1:], np.outer(c, d), 1),
    "fit with weights": lambda call, x, c, d: call(
        "fit", FLAT[1:], c, 1, w=1.0 + x[:1] ** 2 + c**2
    ),
}
METHODS = {
    "call": lambda cls, x, c, d: cls(c)(x),
    "call in a domain": lambda cls, x, c, d: cls(c, domain=[d[0] - 3, d[1] + 3])(x),
    "sum": lambda cls, x, c, d: (cls(c) + cls(d) - x[0]).coef,
    "numbers": lambda cls, x, c, d: (x[0] * cls(c) + x[1] - cls(d) * x[2] / (3.0 + x[0])).coef,
    "product": lambda cls, x, c, d: (d * cls(c) * cls(d) ** 2 + 1.0).coef,
    "deriv": lambda cls, x, c, d: cls(c, window=[-3.0, x[0] + 3]).deriv()(x),
    "integ": lambda cls, x, c, d: cls(c, domain=[0.0, 2.0]).integ(2, k=[d[0]], lbnd=x[0])(x),
    "convert": lambda cls, x, c, d: cls(c).convert(kind=np.polynomial.Legendre).coef,
    "cast": lambda cls, x, c, d: np.polynomial.Polynomial.cast(cls(d)).coef,
    "cutdeg": lambda cls, x, c, d: cls(c).cutdeg(1).coef,
    "composition": lambda cls, x, c, d: cls(d)(cls(c)).coef,
    "fit": lambda cls, x, c, d: cls.fit(FLAT[1:], c, 2, domain=[-1.0, 2.0]).coef,
    "fit of points": lambda cls, x, c, d: cls.fit(np.append(x, 9.0), c, 1).coef,
    "fromroots": lambda cls, x, c, d: cls.fromroots(x, domain=[-2.0, 2.0]).coef,
    "identity": lambda cls, x, c, d: cls.identity(domain=[0.0, 3.0 + x[0]]).coef,
    "linspace": lambda cls, x, c, d: cls(c).linspace(3, domain=[0.0, 3.0 + x[0]])[1],
}

numbers = st.floats(0.2, 2.0) | st.floats(-2.0, -0.2)
bases = st.sampled_from(sorted(BASES))
vectors = lambda n: st.lists(numbers, min_size=n, max_size=n).map(numpy.array)
X, C, D = numpy.array([0.3, -0.8, 1.1]), numpy.array([1.0, -0.5, 0.7, 0.4]), numpy.array([0.6, 1.2])


def caller(namespace, basis):
    module = getattr(namespace.polynomial, basis)
    return lambda name, *args, **options: getattr(module, BASES[basis][0] + name)(*args, **options)


def class_of(namespace, basis):
    return getattr(namespace.polynomial, BASES[basis][1])


def compare(program, ours, theirs, *arrays):
    """Compare a program's numbers with NumPy's, and its derivatives with differences."""
    found = program(ours, *map(Value, arrays))
    expected = program(theirs, *arrays)
    assert isinstance(found, Value) and found.dtype == expected.dtype
    numpy.testing.assert_allclose(found.data, expected, rtol=1e-10, atol=1e-10)
    tg.check_gradients(lambda *values: program(ours, *values), *arrays, order=1)


@pytest.mark.parametrize("name", [*FUNCTIONS, *DIVISION, *FITS])
@examples(8)
@given(basis=bases, x=vectors(3), c=vectors(4), d=vectors(2))
def test_functions_have_the_numbers_of_numpy_and_their_gradients(basis, name, x, c, d):
    program = {**FUNCTIONS, **DIVISION, **FITS}[name]
    compare(program, caller(np, basis), caller(numpy, basis), x, c, d)


@pytest.mark.parametrize("name", METHODS)
@examples(8)
@given(basis=bases, x=vectors(3), c=vectors(4), d=vectors(2))
def test_methods_have_the_numbers_of_numpy_and_their_gradients(basis, name, x, c, d):
    program = METHODS[name]
    if name == "fit of points":
        x = x + numpy.array([0.0, 5.0, 10.0])
    compare(program, class_of(np, basis), class_of(numpy, basis), x, c, d)


@examples(20)
@given(basis=bases, roots=st.sets(st.integers(-2, 2), min_size=2, max_size=3))
def test_roots_move_with_the_coefficients(basis, roots):
    c = caller(numpy, basis)("fromroots", sorted(map(float, roots)))
    compare(lambda call, c: call("roots", c), caller(np, basis), caller(numpy, basis), c)
    compare(lambda cls, c: cls(c).roots(), class_of(np, basis), class_of(numpy, basis), c)


@pytest.mark.parametrize("name", ["val", "mul", "int", "fit", "fromroots"])
@examples(3)
@given(basis=bases)
def test_second_derivatives_are_right_too(basis, name):
    program = {**FUNCTIONS, **FITS}[name]
    tg.check_gradients(lambda *args: program(caller(np, basis), *args), X, C, D, order=2)


@pytest.mark.parametrize(
    "line",
    [
        "m.polynomial.polyvalfromroots(x, c)",
        "m.polynomial.polyvalfromroots(x, np.outer(c, x))",
        "m.polynomial.polyvalfromroots(x, np.outer(c, x), tensor=False)",
        "m.chebyshev.chebweight(x / 3)",
        "m.chebyshev.chebinterpolate(lambda t: t * x[0] + x[1], 4)",
        "m.polyutils.mapdomain(x, [x[0], 1.0], [0.0, 2.0])",
        "m.polyutils.getdomain(x)",
        "m.chebyshev.cheb2poly(c)",
        "m.laguerre.poly2lag(c)",
        "m.hermite.herm2poly(c)",
    ],
)
def test_functions_that_not_every_basis_has(line):
    program = eval(f"lambda m, x, c: {line}", {"np": np})
    compare(program, np.polynomial, numpy.polynomial, X, C)


def test_every_function_and_class_is_there():
    for name in ("polyutils", *BASES):
        own, theirs = (getattr(m.polynomial, name) for m in (np, numpy))
        for item in theirs.__all__:
            known = callable(getattr(theirs, item))
            assert known == (getattr(own, item) is not getattr(theirs, item)), item


# ---- coefficients that are 0


@BASIS
@pytest.mark.parametrize(
    "program",
    [
        lambda call, v: call("val", 0.7, call("mul", [1.0, v], [0.5, 1.0])),
        lambda call, v: call("val", 0.7, call("add", [1.0, 2.0], [0.5, v])),
        lambda call, v: call("val", 0.7, call("pow", [1.0, v], 2)),
        lambda call, v: call("val", 0.7, call("mulx", [v])),
        lambda call, v: call("val", 0.7, call("int", [v])),
        lambda call, v: call("val", 0.7, call("int", [[v]], 2, axis=1)[0]),
        lambda call, v: call("val", 0.7, call("int", [0.0], 2, [v])),
        lambda call, v: call("val", 0.7, call("line", 1.0, v)),
        lambda call, v: call("val", 0.7, call("der", [1.0, 2.0, v])),
    ],
)
def test_a_highest_coefficient_of_0_has_a_gradient(basis, program):
    tg.check_gradients(lambda v: program(caller(np, basis), v), 0.0)


def test_coefficients_of_0_without_a_gradient_are_left_out_as_in_numpy():
    polynomial = np.polynomial.polynomial
    assert polynomial.polyadd(np.array([1.0, 2.0]), [0.0, -2.0]).tolist() == [1.0]
    assert polynomial.polymul(Value([1.0, 2.0]), [2.0, 0.0, 0.0]).shape == (2,)
    assert polynomial.polytrim(Value([1.0, 2.0, 1e-9]), 1e-6).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("program", [np.polymul, lambda a, b: np.polymul(b, a)])
def test_a_leading_coefficient_of_0_of_polymul_has_a_gradient(program):
    tg.check_gradients(lambda v: np.polyval(program([v, 1.0], [1.0, 2.0]), 0.7), 0.0)


# ---- compiled, and in batches


@pytest.mark.slow
@pytest.mark.parametrize("basis", ["polynomial", "hermite", "laguerre"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [*FUNCTIONS, "fit", "fit of some", "fit with weights"])
def test_functions_are_compiled(basis, name, backend):
    program = {**FUNCTIONS, **FITS}[name]
    loss = lambda x, c, d: np.sum(program(caller(np, basis), x, c, d) ** 2)
    slopes = tg.grad(loss, argnums=(0, 1, 2))
    compiled, compiled_slopes = (tg.compile(f, backend=backend) for f in (loss, slopes))
    for shift in (0.0, 0.3):
        arrays = (X + shift, C + shift, D + shift)
        numpy.testing.assert_allclose(compiled(*arrays), loss(*map(Value, arrays)).data, rtol=1e-9)
        for a, b in zip(compiled_slopes(*arrays), slopes(*arrays), strict=True):
            numpy.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ["val", "mul", "der", "int", "fromroots"])
def test_functions_take_batches(name):
    program = FUNCTIONS[name]
    loss = lambda x, c, d: np.sum(program(caller(np, "legendre"), x, c, d) ** 2)
    batch = [numpy.stack([a, a + 0.3]) for a in (X, C, D)]
    for f in (loss, lambda *args: tg.grad(loss)(*args)):
        found = tg.vmap(f)(*batch)
        expected = [f(*map(Value, arrays)) for arrays in zip(*batch, strict=True)]
        for a, b in zip(found, expected, strict=True):
            numpy.testing.assert_allclose(a, getattr(b, "data", b), rtol=1e-12)


@pytest.mark.parametrize(
    "program",
    [
        lambda c: np.polynomial.polynomial.polyroots(c),
        lambda c: np.polynomial.polynomial.polydiv([1.0, 2.0, 1.0], c)[0],
        lambda c: np.polynomial.polynomial.polyfit(FLAT[1:], c, 1, full=True)[0],
    ],
)
def test_what_depends_on_numbers_is_refused_in_a_compiled_function(program):
    with pytest.raises(TraceError, match=r"must not be traced|full must be False"):
        tg.compile(program)(C)


# ---- the classes


@BASIS
def test_polynomials_of_values_print_as_those_of_numbers(basis):
    own, theirs = (class_of(m, basis) for m in (np, numpy))
    p, q = own(Value(C), domain=[Value(0.0), 2.0]), theirs(C, domain=[0.0, 2.0])
    assert (str(p), repr(p), f"{p:ascii}") == (str(q), repr(q), f"{q:ascii}")
    assert p._repr_latex_() == q._repr_latex_() and p.degree() == 3 and len(p) == 4
    assert isinstance(p, theirs) and p == p.copy() and p != own(C)


@BASIS
def test_polynomials_of_numbers_stay_plain(basis):
    own, theirs = (class_of(m, basis) for m in (np, numpy))
    p, q = own(C), theirs(C)
    assert type(p.coef) is numpy.ndarray and type(p(X)) is numpy.ndarray
    for found, expected in ((p, q), (p.deriv(), q.deriv()), (p * p + 1, q * q + 1)):
        assert type(found) is own and found.coef.tolist() == expected.coef.tolist()
    assert own.maxpower == theirs.maxpower and own.domain.tolist() == theirs.domain.tolist()


def test_a_pickle_keeps_class_and_coefficients():
    p = pickle.loads(pickle.dumps(np.polynomial.Legendre(C, symbol="z")))
    assert type(p) is np.polynomial.Legendre and p == np.polynomial.Legendre(C, symbol="z")


def test_the_way_of_printing_is_numpys_setting():
    p = np.polynomial.Polynomial([1.0, 2.0])
    np.polynomial.set_default_printstyle("ascii")
    try:
        assert str(p) == "1.0 + 2.0 x"
    finally:
        np.polynomial.set_default_printstyle("unicode")


def test_a_value_beside_a_polynomial_leaves_the_operator_to_it():
    p, v = np.polynomial.Polynomial([1.0, 2.0]), Value([1.0, 1.0])
    assert (v + p).coef.tolist() == [2.0, 3.0] and (2.0 * v[0] - p).coef.tolist() == [1.0, -2.0]
    total = Value([1.0, 1.0], requires_grad=False)
    total += p
    assert total.coef.tolist() == [2.0, 3.0]


# ---- NumPy's own


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("m.polynomial.polyval(v, M)", "polynomial.polyval"),
        ("m.chebyshev.chebval(v, M)", "chebyshev.chebval"),
        ("m.legendre.legval(v, M[:1])", "legendre.legval"),
        ("m.hermite.hermval(v, M[:2])", "hermite.hermval"),
        ("m.hermite_e.hermeval(v, M)", "hermite_e.hermeval"),
        ("m.laguerre.lagval(v, M)", "laguerre.lagval"),
        ("m.polynomial.polyvalfromroots(v, M[0])", "polynomial.polyvalfromroots"),
        ("m.polynomial.polyvalfromroots(v, M)", "polynomial.polyvalfromroots"),
        ("m.Polynomial(v)", ""),
        ("m.Polynomial([v[0], 1.0])", ""),
        ("m.Polynomial([1.0, 2.0])(v)", ""),
        ("m.polynomial.polymul(v, v)", ""),
        ("m.polynomial.polyroots(v)", ""),
        ("m.polynomial.polyvander(v, 2)", ""),
        ("m.polynomial.polyfit(v, v, 1)", ""),
        ("m.Polynomial.fit([0.0, 1.0, 2.0], v, 1)", ""),
        ("m.Polynomial([1.0, 2.0]) + v", "Polynomial"),
        ("v[0] * m.Chebyshev([1.0, 2.0])", "Chebyshev"),
    ],
)
def test_numpys_own_functions_refuse_values_with_the_name_to_write(line, name):
    """Most take a Value of many points for one point, which would be a wrong number."""
    scope = {"m": numpy.polynomial, "v": Value([1.0, 2.0, 3.0]), "M": numpy.ones((3, 3))}
    with pytest.raises(NotDifferentiableError, match=f"tinygrad_lr.numpy.polynomial[.]?{name}"):
        eval(line, scope)
    scope["m"] = np.polynomial
    eval(line, scope)


@pytest.mark.parametrize("tensor", [True, False])
def test_numpys_own_functions_are_right_where_they_take_values(tensor):
    x, c = Value(0.7) if tensor else Value([0.7, 0.3]), numpy.outer(C, D)
    found = numpy.polynomial.polynomial.polyval(x, c, tensor=tensor)
    numpy.testing.assert_allclose(
        found.data, numpy.polynomial.polynomial.polyval(x.data, c, tensor=tensor)
    )
    numpy.testing.assert_allclose(
        numpy.polynomial.chebyshev.chebval(Value(X), C).data,
        numpy.polynomial.chebyshev.chebval(X, C),
    )
