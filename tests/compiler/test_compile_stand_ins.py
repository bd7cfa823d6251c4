"""A compiled function can't tell what stands for its arguments from the arguments, or refuses.

Each case makes a function and the arguments of its calls, with what changes before each of them.
"""

from __future__ import annotations

import copy
import dataclasses
import decimal
import functools
import operator
import os
import random
import sys
import types
from collections.abc import Hashable, Iterable

import numpy as np
import pytest
from numpy.polynomial import Polynomial, polynomial
from programs import assert_equal, backends, enter_into

import tinygrad_lr as tg
from tinygrad_lr import Value, nn
from tinygrad_lr.errors import TraceError
from tinygrad_lr.support import pytree as tree

X = np.linspace(-1.0, 1.0, 6)
CASES, REFUSED, RAISED = {}, {}, {}
case = enter_into(CASES)
refused = enter_into(REFUSED)
raised = enter_into(RAISED)


def calls(f, *args):
    """A function and its calls, with no change before them."""
    return f, [(lambda: None, one) for one in args]


def changing(f, *changes):
    """A function of X that is called before and after each change."""
    return f, [(change, (X,)) for change in (lambda: None, *changes)]


# ---- the class of what it is given


@case
def the_type_of_an_array_and_a_number():
    f = lambda x, k: x * k if type(x) is np.ndarray and type(k) is float else x
    return calls(f, (X, 2.0), (X, 3.0))


@case
def the_names_of_types():
    return calls(lambda x, k: x * len(type(x).__name__ + type(k).__qualname__), (X, 2.0))


@case
def the_types_of_what_is_computed():
    def f(x):
        found = type(x[0]), type(x.sum()), type(x + 1), type(x.shape), type(x > 0)
        return x * (found == (np.float64, np.float64, np.ndarray, tuple, np.ndarray))

    return calls(f, (X,))


@case
def types_by_other_names():
    kind = type
    f = lambda x, k, ask=type: x * (kind(k) is float) * (ask(x) is np.ndarray) * 2
    return calls(f, (X, 2.0))


@case
def types_of_many():
    return calls(lambda x, k: x * (list(map(type, [x, k])) == [np.ndarray, float]), (X, 2.0))


@case
def the_type_of_a_type():
    def f(x, k):
        class Meta(type):
            pass

        made = Meta("A", (), {})
        is_type = type(type(k)) is type and type(type(x)) is type and type(type) is type
        is_made = isinstance(made, type) and issubclass(Meta, type) and type(made) is Meta
        named = type("B", (), {"k": 2.0})
        return x * (is_type and is_made and {type: 1}[type(named)]) * named.k

    return calls(f, (X, 2.0))


@case
def the_types_of_a_generator_and_a_module():
    rng = np.random.default_rng(0)
    module = types.ModuleType("a_module")
    f = lambda x: x * (type(rng) is np.random.Generator) * (type(module) is types.ModuleType)
    return calls(f, (X,))


@case
def types_in_a_layer():
    class Layer(nn.Module):
        def forward(self, x):
            return x * (2 if type(x) is np.ndarray else 3)

    layer = Layer()
    return calls(lambda x: layer(x), (X,))


@case
def the_type_of_an_object_in_its_method():
    class Scaling:
        k = 2.0

        def __init__(self):
            self.w = np.ones(6)

        def scale(self, x):
            return x * type(self).k * self.w * len(type(self).__name__)

    scaling = Scaling()
    f, first = lambda x: scaling.scale(x), (lambda: None, (X,))
    return f, [first, (lambda: setattr(Scaling, "k", 3.0), (X,))]


@refused
def the_type_of_an_array_in_a_method():
    class Scaling:
        def scale(self, x):
            return x * (2 if type(x) is np.ndarray else 3)

    return calls(lambda x: Scaling().scale(x), (X,))


@refused
def the_type_of_what_a_method_computes():
    class Scaling:
        def scale(self, x):
            y = x * 2
            return x * (2 if type(y) is np.ndarray else 3)

    return calls(lambda x: Scaling().scale(x), (X,))


@case
def abstract_classes():
    f = lambda x, k: x * (1 + isinstance(k, Iterable) + 2 * isinstance(x, Iterable))
    g = lambda x, k: f(x, k) * (1 + isinstance(k, Hashable) + 2 * isinstance(x, Hashable))
    return calls(g, (X, 2.0))


@case
def a_match_of_classes():
    def f(x, k):
        match k:
            case float():
                return x * 2
            case _:
                return x * 3

    return calls(f, (X, 2.0), (X, np.float64(2)), (X, X))


@case
def an_argument_of_which_only_the_class_is_read():
    f = lambda x, k, y: x * y * (2 if isinstance(k, float) else 3 if k is None else 4)
    return calls(f, (X, 1.0, X), (X, 3, X), (X, None, X), (X, X, X), (X, 1.0, X))


@case
def an_argument_that_is_left_out():
    f = lambda x, k="a", y=2.0: x * y * len(k)
    return calls(f, (X, "ab", X), (X, "abc"), (X,), (X, "ab", X))


@refused
def a_list_that_it_is_called_with_and_changes():
    def f(x, held):
        held.append(1.0)
        return x * len(held)

    return calls(f, (X, [X]))


@refused
def a_dict_in_a_list_that_it_is_called_with_and_changes():
    def f(x, held):
        held[0]["k"] = 1.0
        return x * held[0]["k"]

    return calls(f, (X, [{"k": 2.0}]))


# ---- its attributes


@case
def the_attributes_of_a_number():
    def f(x, k):
        found = [hasattr(k, name) for name in ("shape", "dtype", "is_integer", "instruction")]
        return x * sum(2**i * is_there for i, is_there in enumerate(found)) * getattr(k, "ndim", 7)

    return calls(f, (X, 2.0), (X, np.float64(2)))


@case
def an_attribute_of_a_number_that_is_missing():
    def f(x, k):
        try:
            return x * len(k.shape)
        except AttributeError:
            return x * 5

    return calls(f, (X, 2.0), (X, X))


@case
def the_attributes_of_an_array():
    names = "__array_interface__", "__iadd__", "__array_finalize__", "kind", "instruction", "T"
    f = lambda x: x * sum(2**i * hasattr(x, name) for i, name in enumerate(names))
    return calls(f, (X,))


@case
def attributes_in_a_method():
    class Asking:
        def ask(self, x, k):
            return x * (2 if hasattr(k, "shape") else 3) * (2 if "shape" in dir(x) else 3)

    return calls(lambda x, k: Asking().ask(x, k), (X, 2.0))


@refused
def an_attribute_of_an_array_in_a_method():
    class Asking:
        def ask(self, x):
            return x * (2 if hasattr(x, "__array_interface__") else 3)

    return calls(lambda x: Asking().ask(x), (X,))


@case
def classes_that_python_asks_for_by_other_means():
    kind = functools.singledispatch(lambda x: 3.0)
    kind.register(np.ndarray)(lambda x: 2.0)
    kind.register(float)(lambda x: 5.0)
    ask = operator.attrgetter("__class__")
    is_known = lambda x, cls: getattr(x, "__class__", None) is cls and ask(x) is cls
    f = lambda x, k: (
        x
        * kind(x)
        * kind(k)
        * (2 if is_known(x, np.ndarray) else 3)
        * (5 if is_known(k, float) else 7)
    )
    return calls(f, (X, 2.0))


# ---- identity


@case
def one_array_for_two_arguments():
    f = lambda x, y: x * 2 if x is y else x * 3
    return calls(f, (X, X.copy()), (X, X), (X, X.copy()), (X, X))


@case
def one_array_first():
    f = lambda x, y: x * 2 if x is not y else x * 3
    return calls(f, (X, X), (X, X.copy()), (X, X))


@case
def one_value_for_two_arguments():
    v, w = Value(X, requires_grad=False), Value(X, requires_grad=False)
    return calls(lambda x, y: (x * y * (2 if x is y else 3)).data, (v, w), (v, v), (v, w))


@case
def one_list_for_two_arguments():
    held = [X, 2.0]
    f = lambda a, b: a[0] * a[1] * (2 if a is b else 3) * (2 if a[0] is b[0] else 3)
    return calls(f, (held, held), (held, [X, 3.0]), (held, [X.copy(), 3.0]), (held, held))


@case
def one_list_twice_in_another_and_a_keyword():
    held = [X]
    f = lambda a, k: a[0][0] * (2 if a[0] is a[1] else 3) * k
    return calls(f, ([held, held], 2.0), ([held, [X]], 2.0))


@case
def other_names_of_is():
    import operator

    f = lambda x, y: x * (2 if operator.is_(x, y) else 3) * (2 if id(x) == id(y) else 3)
    return calls(f, (X, X.copy()), (X, X))


@refused
def an_argument_that_is_an_array_from_outside():
    w = X.copy()
    return calls(lambda x: x * w * (2 if x is w else 3), (w,))


@case
def an_argument_that_is_not_an_array_from_outside():
    w = X.copy()
    return calls(lambda x: x * w * (2 if x is w else 3), (X,), (X.copy(),))


@refused
def two_names_of_an_array():
    owner = types.SimpleNamespace(a=X, b=X)
    return calls(lambda x: x * owner.a * (2 if owner.a is owner.b else 3), (X,))


K, COUNT, TEXT = 0.75, 1000, "a text of some length"


@dataclasses.dataclass(frozen=True)
class Options:
    k: float = 1.0


@case
def numbers_that_are_given_twice():
    f = lambda x, a, b: x * (2 if a is b else 3) * a
    k, same, scalar = 0.5, float("0.5"), np.float32(2.0)
    given = [(k, k), (k, same), (k, k), (scalar, scalar), (scalar, np.float32(2.0))]
    return calls(f, *((X, *pair) for pair in given))


@case
def numbers_that_are_given_twice_in_lists_and_dicts():
    f = lambda a, b: X * (2 if a[0] is b["k"] else 3)
    k = 0.5
    return calls(f, ([k], {"k": k}), ([k], {"k": float("0.5")}))


@case
def equal_constants_that_are_others():
    options = Options()
    f = lambda x, a: x * (2 if a is COUNT or a is TEXT or a is options else 3)
    given = [COUNT, int("1000"), TEXT, "".join([*TEXT]), options, Options(), COUNT]
    return calls(f, *((X, one) for one in given))


@case
def a_sentinel_beside_a_number():
    nothing = object()
    f = lambda x, k, other=nothing: x * k if other is nothing else x * other
    return calls(f, (X, 0.5), (X, 0.5, 0.25), (X, 0.5))


@case
def a_number_is_itself_as_python_has_it():
    f = lambda x, k: x * (2 if +k is k else 3) * (4 if k.real is k else 5) * (6 if -k is k else 7)
    return calls(f, (X, 0.5), (X, 0.25))


@case
def a_flag_that_is_true_beside_a_comparison():
    f = lambda x, flag: x * (2 if flag is True else 3) * np.where(x.max() > 0.5, 1, 2)
    return calls(f, (X, True), (X, False), (X / 4, True))


@refused
def a_number_from_outside():
    owner = types.SimpleNamespace(k=(0.5, K))
    return calls(lambda x, k: x * (2 if k is owner.k[1] else 3), (X, K))


@refused
def a_default_that_is_given():
    def f(x, k, other=K):
        return x * (2 if k is other else 3)

    return calls(f, (X, K))


@refused
def a_list_from_outside():
    held = [X, 2.0]
    return calls(lambda a: a[1] * (2 if a is held else 3), (held,))


@refused
def a_comparison_of_numbers_that_is_true():
    return calls(lambda x, k: x * (2 if (k > 0.1) is True else 3), (X, 0.5))


@refused
def a_comparison_of_arrays_that_is_another():
    return calls(lambda x: x * (2 if np.any(x) is np.all(x > -2) else 3), (X,))


# ---- what is elsewhere


def new_module(k):
    module = types.ModuleType("a_module_of_numbers")
    module.k = k
    sys.modules["a_module_of_numbers"] = module
    return module


@case
def a_module_in_the_table_of_modules():
    module = new_module(2.0)
    f = lambda x: x * sys.modules["a_module_of_numbers"].k
    return changing(f, lambda: setattr(module, "k", 3.0), lambda: new_module(4.0))


@case
def a_module_of_a_computed_name():
    module, name = new_module(2.0), "_".join(["a_module", "of_numbers"])
    return changing(lambda x: x * sys.modules[name].k, lambda: setattr(module, "k", 3.0))


@case
def the_precision_of_decimal_numbers():
    decimal.getcontext().prec = 28
    one, three = decimal.Decimal(1), decimal.Decimal(3)
    set_precision = lambda: setattr(decimal.getcontext(), "prec", 3)
    return changing(lambda x: x * float(one / three), set_precision)


@case
def a_decimal_context_of_the_function():
    def f(x):
        with decimal.localcontext() as context:
            context.prec = 4
            return x * float(decimal.Decimal(1) / decimal.Decimal(3))

    return changing(f, lambda: setattr(decimal.getcontext(), "prec", 3))


def with_cached_methods(**attributes):
    class Table:
        def __init__(self):
            self.k = 2.0
            self.__dict__.update(attributes)

        @functools.lru_cache  # noqa: B019
        def scaled(self, n):
            return self.k * n

    table = Table()
    return table, [lambda: setattr(table, "k", 5.0), lambda: Table.scaled.cache_clear()]


@case
def a_method_with_a_cache():
    table, changes = with_cached_methods()
    return changing(lambda x: x * table.scaled(3), *changes)


@case
def a_method_with_a_cache_beside_an_array():
    table, changes = with_cached_methods(w=np.ones(6))
    return changing(lambda x: x * table.scaled(3) * table.w, *changes)


@case
def a_bound_method_with_a_cache():
    table, changes = with_cached_methods()
    scaled = table.scaled
    return changing(lambda x: x * scaled(3), *changes)


@refused
def a_static_method_with_a_cache():
    class Table:
        @staticmethod
        @functools.lru_cache
        def scaled(n):
            return 2.0 * n

    return calls(lambda x: x * Table.scaled(3), (X,))


@refused
def draws_of_torch():
    torch = pytest.importorskip("torch")
    return calls(lambda x: x * float(torch.rand(())), (X,))


@refused
def draws_of_the_generator_below_random():
    import _random

    generator = _random.Random(0)
    return calls(lambda x: x * generator.random(), (X,))


@refused
def the_number_of_the_process():
    return calls(lambda x: x * os.getpid(), (X,))


# ---- memory that a parameter shares


def training_step(parameter, after):
    """One step of training, and then what is read after it."""
    optimizer = tg.optim.SGD([parameter], 0.1)

    def f(x):
        before = x * 1.0
        optimizer.zero_grad()
        (parameter * x).sum().backward()
        optimizer.step()
        return after(x) if after else before

    return f


@refused
def a_view_of_a_parameter_after_the_step():
    w = Value(np.ones((2, 6)))
    row = w.data[0]
    return calls(training_step(w, lambda x: row * 1.0), (X,))


@refused
def the_data_of_a_parameter_after_the_step():
    w = Value(np.ones(6))
    whole = w.data
    return calls(training_step(w, lambda x: whole * 1.0), (X,))


@refused
def the_data_of_a_parameter_that_a_method_reads():
    w = Value(np.ones(6))
    globals()["DATA"] = w.data

    class Reading:
        def read(self):
            return DATA * 1.0  # noqa: F821

    return calls(training_step(w, lambda x: x * Reading().read()), (X,))


@case
def a_view_of_a_parameter_before_the_step():
    w = Value(np.ones((2, 6)))
    row = w.data[0]
    step = training_step(w, None)
    return calls(lambda x: step(row * x), (X,), (X,))


@case
def the_data_of_a_parameter_that_is_assigned():
    w = Value(np.ones(6))
    before = w.data

    def f(x):
        w.data = w.data + x
        return before * x

    return calls(f, (X,), (X,))


@backends()
def test_an_argument_that_a_step_has_updated_is_refused_as_well(backend):
    w = Value(np.ones(6))
    step = tg.compile(training_step(w, lambda x: x * 1.0), backend=backend)
    assert_equal(step(X), X, backend)
    for array in (w.data, w.data[:], w.data.reshape(6)):
        with pytest.raises(TraceError, match=r"line \d+, in .*shares memory with a parameter"):
            step(array)
    assert_equal(step(X), X, backend)


# ---- arithmetic of Python numbers


@raised
def a_number_divided_by_zero():
    return lambda x, k: x * (1.0 / k), (X, 2.0), (X, 0.0)


@raised
def a_number_divided_by_a_difference():
    return lambda x, k: x + k / (k - 2.0), (X, 3.0), (X, 2.0)


@raised
def a_remainder_of_zero():
    return lambda x, k: x * (5.0 % k), (X, 2.0), (X, 0.0)


@raised
def a_floor_division_by_zero():
    return lambda x, k: x * (5.0 // k), (X, 2.0), (X, 0.0)


@raised
def a_quotient_and_a_remainder():
    return lambda x, k: divmod(k, k - 2.0), (X, 3.5), (X, 2.0)


@raised
def a_quotient_of_truths():
    return lambda x, k: x / ((k > 0) / (k > 1)), (X, 2.0), (X, 0.5)


@raised
def a_negative_power_of_zero():
    return lambda x, k: x * k**-1, (X, 2.0), (X, 0.0)


@raised
def a_power_that_is_too_large():
    return lambda x, k: x * 10.0**k, (X, 2.0), (X, 400.0)


@raised
def a_square_that_is_too_large():
    return lambda x, k: x * k**2, (X, 2.0), (X, 1e200)


@backends()
@pytest.mark.parametrize("make", RAISED.values(), ids=RAISED)
def test_python_numbers_raise_what_they_raise_in_eager_code(make, backend):
    f, good, bad = make()
    compiled = tg.compile(f, backend=backend)
    for _ in range(3):
        assert_equal(compiled(*good), f(*good), backend)
        with pytest.raises(ArithmeticError) as eager:
            f(*bad)
        with pytest.raises(type(eager.value)):
            compiled(*bad)
    stacked = np.array([good[1], good[1], bad[1]])
    with pytest.raises(type(eager.value)):
        compiled.run_steps((X, float(good[1])), 3, {1: stacked})


@backends()
@pytest.mark.parametrize("power", [lambda k: k**0.5, lambda k: k**k, lambda k: (k - 1.0) ** 1.5])
def test_a_power_that_is_complex_is_refused(power, backend):
    f = tg.compile(lambda x, k: x * power(k), backend=backend)
    for _ in range(2):
        assert_equal(f(X, 2.0), X * power(2.0), backend)
        with pytest.raises(TraceError, match=r"line \d+, in .* is a complex number; use np.power"):
            f(X, -1.5)


def test_a_division_by_zero_changes_nothing():
    w = Value(np.ones(6))

    def f(x, k):
        w.data = w.data + x
        return x * (1.0 / (k * k))

    step = tg.compile(f, backend="numpy")
    step(X, 1.0)
    before = w.numpy()
    with pytest.raises(ZeroDivisionError):
        step(X, 0.0)
    np.testing.assert_array_equal(w.data, before)


def test_numbers_of_numpy_and_of_values_divide_by_zero_as_ever():
    for zero in (np.float64(0.0), Value(0.0), np.zeros(())):
        with np.errstate(divide="ignore"):
            found = tg.compile(lambda x: 1.0 / x, backend="numpy")(zero)
        assert np.isinf(getattr(found, "data", found))


# ---- copies, and NumPy's functions written in Python


@dataclasses.dataclass
class Table:
    w: object
    k: float = 2.0


@case
def a_deep_copy_of_an_object_with_arrays():
    table = Table(X.copy())

    def f(x):
        other = copy.deepcopy(table)
        other.w[0], other.k = 5.0, 3.0
        return x * other.w * other.k + table.w * table.k

    return changing(f, lambda: setattr(table, "k", 4.0), lambda: table.w.fill(2.0))


@case
def another_of_a_dataclass():
    table = Table(X.copy())
    f = lambda x: x * dataclasses.replace(table, k=4.0).w * dataclasses.asdict(table)["w"]
    return changing(f, lambda: table.w.fill(2.0))


@case
def copies_of_arrays_in_containers():
    held = {"a": [X.copy(), 2.0]}
    f = lambda x: x * copy.deepcopy(held)["a"][0] * copy.copy(held)["a"][1] * copy.copy(x)
    return changing(f, lambda: held["a"].__setitem__(1, 3.0))


@case
def polynomials():
    p = Polynomial([1.0, 2.0, 3.0])
    f = lambda x: p(x) + polynomial.polyval(0.5, x) + polynomial.polyder(x).sum()
    return calls(f, (X,), (X + 1,))


@case
def a_vectorized_function():
    limit = [0.0]
    f = np.vectorize(lambda v: v * 2 if v > limit[0] else v)
    return changing(lambda x: f(x) + np.vectorize(abs)(x), lambda: limit.__setitem__(0, 0.5))


@case
def a_gradient_through_a_polynomial():
    return calls(tg.grad(lambda x: np.sum(polynomial.polyval(x, [1.0, 2.0, 3.0]))), (X,))


@case
def a_shuffle_and_new_generators():
    rng = np.random.default_rng(random.Random(0).randrange(99))

    def f(x, rows):
        x, rows = x.copy(), rows.copy()
        rng.shuffle(x)
        rng.shuffle(rows, axis=1)
        one, other = rng.spawn(2)
        return x * one.normal(), rows, other.normal(size=3), rng.normal()

    return calls(f, *[(X, np.arange(12.0).reshape(3, 4))] * 3)


@refused
def a_shuffle_of_a_list():
    rng = np.random.default_rng(0)

    def f(x):
        order = [0, 1, 2]
        rng.shuffle(order)
        return x[order]

    return calls(f, (X,))


@case
def a_determinant_of_singular_matrices():
    f = tg.grad(lambda x: np.sum(np.linalg.det(x)))
    regular = np.array([[2.0, 1.0], [0.0, 1.0]])
    return calls(f, (np.ones((2, 2)),), (regular,), (np.zeros((2, 2)),))


# ---- all of them


@backends()
@pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.CompileWarning")
@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_compiled_code_finds_what_eager_code_finds(make, backend, monkeypatch):
    monkeypatch.setitem(sys.modules, "a_module_of_numbers", None)  # is removed afterwards
    expected = []
    with decimal.localcontext():
        f, given = make()
        for change, args in given:
            change()
            expected.append(copy.deepcopy(f(*args)))
    with decimal.localcontext():
        f, given = make()
        compiled = tg.compile(f, backend=backend)
        for (change, args), right in zip(given, expected, strict=True):
            change()
            found = compiled(*args)
            pairs = zip(tree.leaves([found]), tree.leaves([right]), strict=True)
            for one, other in pairs:
                assert_equal(one, other, backend)


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_apart_is_refused_with_its_line(make):
    f, ((_, args),) = make()
    compiled = tg.compile(f, backend="numpy")
    with pytest.raises(TraceError, match=r", line \d+, in .*; "):
        compiled(*args)
