"""Every public function of `numpy`, `numpy.linalg` and `numpy.fft` is in exactly one class.

A new function in a new NumPy fails here until somebody sorts it: see core/numpy_dispatch.py.
"""

import re

import numpy as np
import pytest
from numpy_names import (
    DIFFERENTIABLE,
    NOT,
    PAGE,
    WITHOUT,
    ZERO,
    classes_of,
    is_dispatched,
    numpy_names,
    page,
)

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.numpy_dispatch import NOT_DISPATCHED, PLAIN, REFUSED
from tinygrad_lr.core.primitive import FLAT, NUMPY_IMPLS
from tinygrad_lr.errors import NotDifferentiableError

NAMES = dict(numpy_names())
CLASSES = {name: classes_of(name, function) for name, function in NAMES.items()}
IN_CLASS = {kind: [n for n, k in CLASSES.items() if k == [kind]] for kind in (NOT, ZERO, WITHOUT)}


@pytest.mark.parametrize("name", NAMES)
def test_every_function_is_in_exactly_one_class(name):
    assert len(CLASSES[name]) == 1, (
        f"np.{name} is in {len(CLASSES[name])} classes: implement it with tg.primitive or "
        "implements(...), or add it to PLAIN, REFUSED or NOT_DISPATCHED in core/numpy_dispatch.py"
    )


def test_the_classes_of_the_tables_exclude_each_other():
    assert not PLAIN & REFUSED.keys()
    assert not NUMPY_IMPLS.keys() & (PLAIN | REFUSED.keys())


@pytest.mark.parametrize("name", IN_CLASS[NOT])
def test_a_refused_function_says_why_and_what_to_write(name):
    function = NAMES[name]
    count = function.nin if isinstance(function, np.ufunc) else 1
    if name in {"ravel_multi_index", "unravel_index", "busday_count", "busday_offset"}:
        count = 2
    with pytest.raises(NotDifferentiableError, match=r"a Value|write") as error:
        function(*[Value([1.0, 2.0])] * count)
    assert str(error.value).endswith(REFUSED[function])
    assert re.match(r"np\.\w+: ", str(error.value))


@pytest.mark.parametrize("name", sorted(NOT_DISPATCHED & NAMES.keys()))
def test_a_function_that_takes_no_value_is_none_that_numpy_dispatches(name):
    assert not is_dispatched(NAMES[name])


def test_numpy_dispatches_all_others():
    sorted_by_us = {n for n, k in CLASSES.items() if k and k != [WITHOUT]}
    assert all(is_dispatched(NAMES[name]) for name in sorted_by_us)


@pytest.mark.parametrize("name", IN_CLASS[ZERO])
def test_a_function_of_derivative_0_has_the_gradient_0(name):
    function = NAMES[name]
    count = getattr(function, "nin", 1)
    values = [Value([[0.3, 1.7], [-0.6, 2.2]]) for _ in range(count)]
    out = function(*values)
    out.backward(np.ones(out.shape))
    assert all(not value.grad.any() for value in values)


def test_a_flat_operation_is_no_other():
    assert all(x in NUMPY_IMPLS.values() for x in FLAT)


def lines(text):
    """The lines of a page's tables by their first cell."""
    return {line.split("|")[1].strip(): line for line in text.splitlines() if line[:3] == "| `"}


def test_the_page_of_operations_lists_what_the_registry_says():
    written, now = lines(PAGE.read_text(encoding="utf-8")), lines(page())
    stale = [name for name, line in now.items() if written.get(name, line) != line]
    assert not stale, "run python tests/numpy_names.py"
    version = np.lib.NumpyVersion(np.__version__)
    assert version < "2.4.0" or now.keys() <= written.keys(), "run python tests/numpy_names.py"
    gone = {"`np.row_stack`"} if version >= "2.5.0" else set()
    assert version < "2.4.0" or written.keys() - now.keys() == gone


# ---- lists of Values, and NumPy's objects that join


@pytest.mark.parametrize(
    "join",
    [
        lambda x, y: np.sin([x, y]),
        lambda x, y: np.add([x, y], 1.0),
        lambda x, y: np.mean([x, y]),
        lambda x, y: np.r_[x, y],
        lambda x, y: np.c_[x, y],
        lambda x, y: np.array([x, y]),
    ],
)
def test_a_list_of_values_that_numpy_does_not_pass_on_names_what_joins_them(join):
    with pytest.raises(NotDifferentiableError, match=r"np\.stack.*np\.concatenate.*np\.r_"):
        join(Value([1.0]), Value([2.0]))


# ---- options and methods of ufuncs


def test_where_without_a_result_for_the_other_entries_is_refused():
    with pytest.raises(NotDifferentiableError, match=r"np\.log: where=.*np\.where\(mask"):
        np.log(Value([1.0, 2.0]), where=np.array([True, False]))


def test_writing_at_positions_of_a_plain_array_names_what_makes_a_better_one():
    with pytest.raises(NotDifferentiableError, match=r"np\.add\.at: a Value cannot be written"):
        np.add.at(np.zeros(3), [0, 0], Value([1.0, 2.0]))


@pytest.mark.parametrize("method", ["reduce", "accumulate"])
@pytest.mark.parametrize(
    "ufunc", [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.subtract, np.fmin]
)
def test_methods_of_ufuncs_are_numpys_with_right_derivatives(ufunc, method):
    x = np.random.default_rng(0).uniform(-2, 2, (3, 4))
    f = lambda x: getattr(ufunc, method)(x, axis=1)
    np.testing.assert_allclose(f(Value(x)).data, f(x), rtol=1e-14)
    tg.check_gradients(f, x, order=2)


def test_comparisons_have_the_methods_of_ufuncs_too():
    x, y = Value([1.0, 2.0]), Value([1.5, 0.0])
    np.testing.assert_array_equal(np.less.outer(x, y), [[True, False], [False, False]])
    assert np.logical_and.reduce(x) and not np.logical_and.reduce(y)


def test_a_plain_result_takes_values_in_lists():
    keys = (Value([1.0, 0.0, 1.0]), Value([2.0, 2.0, 1.0]))
    np.testing.assert_array_equal(np.lexsort(keys), [2, 1, 0])


def test_a_derivative_is_the_only_class_that_the_registry_gives_to_exp():
    assert CLASSES["exp"] == [DIFFERENTIABLE]
