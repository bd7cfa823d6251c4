"""Each pass alone: what it does to a short program, and that results stay the same."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.compiler.ir.buffers import assign_buffers
from tinygrad_lr.compiler.ir.fusion import Call, Loop, Product, fuse
from tinygrad_lr.compiler.ir.instruction import Instruction, constant, execute, make
from tinygrad_lr.compiler.ir.layout import locate
from tinygrad_lr.compiler.ir.passes import EXACT_PASSES, run_passes
from tinygrad_lr.compiler.ir.passes.algebra import LAWS, simplify_algebra
from tinygrad_lr.compiler.ir.passes.common_subexpressions import merge_common_subexpressions
from tinygrad_lr.compiler.ir.passes.concatenate_in_place import inline_concatenations
from tinygrad_lr.compiler.ir.passes.constant_folding import fold_constants
from tinygrad_lr.compiler.ir.passes.fast_math import apply_fast_math
from tinygrad_lr.compiler.ir.passes.reshape_copies import insert_reshape_copies
from tinygrad_lr.compiler.ir.passes.vector_products import lower_vector_products
from tinygrad_lr.compiler.ir.program import Program
from tinygrad_lr.compiler.ir.schedule import make_schedule
from tinygrad_lr.compiler.ir.sources import Argument


def given(position, *shape, dtype=np.float64):
    place = {"source": Argument(position)}
    return Instruction("input", (), place, shape, np.dtype(dtype), name=f"x{position}")


def program_of(*results):
    return Program("program", list(results))


def numbers(program, *arrays):
    """Evaluate a program, instruction by instruction."""
    known = {x: arrays[place.position] for place, x in program.inputs()}
    for x in program.instructions():
        if x not in known:
            known[x] = execute(x, [known[y] for y in x.inputs])
    return [known[x] for x in program.results]


def operations(program):
    return [x.operation for x in program.instructions() if x.operation not in {"input", "constant"}]


def arrays_of(*shapes):
    random = np.random.default_rng(0)
    return [random.uniform(0.5, 2.0, shape) for shape in shapes]


def unchanged(change, program, *shapes):
    """Return the program after a pass, and check that its results are the same."""
    changed, arrays = change(program), arrays_of(*shapes)
    for a, b in zip(numbers(program, *arrays), numbers(changed, *arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)
    return changed


def test_constants_are_folded():
    three = make("add", [constant(1.0), constant(2.0)])
    changed = unchanged(fold_constants, program_of(make("multiply", [given(0, 4), three])), (4,))
    assert operations(changed) == ["multiply"]
    assert changed.results[0].inputs[1].value == 3.0


def test_a_writable_array_is_not_folded():
    array = np.ones(3)
    program = program_of(make("negative", [constant(array)]))
    assert operations(fold_constants(program)) == ["negative"]
    array.flags.writeable = False
    assert operations(fold_constants(program)) == []


def test_common_subexpressions_are_computed_once():
    x = given(0, 4)
    twice = program_of(make("add", [make("exp", [x]), make("exp", [x])]))
    assert operations(unchanged(merge_common_subexpressions, twice, (4,))) == ["exp", "add"]


def test_zero_and_negative_zero_are_not_merged():
    x = given(0, 4)
    both = [make("add", [x, constant(zero)]) for zero in (0.0, -0.0)]
    assert len(set(merge_common_subexpressions(program_of(*both)).results)) == 2


LINES = {
    "x·1": lambda x: make("multiply", [x, constant(1.0)]),
    "x/1": lambda x: make("divide", [x, constant(1.0)]),
    "-(-x)": lambda x: make("negative", [make("negative", [x])]),
    "cast to its own dtype": lambda x: make("cast", [x], dtype=x.dtype),
    "reshape there and back": lambda x: make(
        "reshape", [make("reshape", [x], shape=(6,))], shape=(2, 3)
    ),
    "transposed twice": lambda x: make(
        "transpose", [make("transpose", [x], axes=(1, 0))], axes=(1, 0)
    ),
    "where(c, x, x)": lambda x: make("where", [make("less", [x, constant(1.0)]), x, x]),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_laws_remove_operations_without_effect(line):
    program = program_of(make("exp", [line(given(0, 2, 3))]))
    assert operations(unchanged(simplify_algebra, program, (2, 3))) == ["exp"]


def test_subtracting_a_negative_adds():
    x, y = given(0, 3), given(1, 3)
    program = program_of(make("subtract", [x, make("negative", [y])]))
    assert operations(unchanged(simplify_algebra, program, (3,), (3,))) == ["add"]


@pytest.mark.parametrize("laws", LAWS.values(), ids=LAWS)
def test_every_law_is_stated_in_its_docstring(laws):
    assert all(law.__doc__ for law in laws)


def test_dead_instructions_are_dropped():
    x = given(0, 3)
    make("exp", [x])
    assert operations(run_passes(program_of(make("negative", [x])), EXACT_PASSES)[0]) == [
        "negative"
    ]


def test_each_pass_counts_instructions_before_and_after():
    x = given(0, 3)
    program = program_of(make("multiply", [make("add", [constant(1.0), constant(0.0)]), x]))
    done = {d.name: (d.before, d.after) for d in run_passes(program, EXACT_PASSES)[1]}
    assert done["fold_constants"] == (5, 3) and done["simplify_algebra"] == (3, 1)


PRODUCTS = {
    "of depth 1": ((5, 1), (1, 4), "multiply"),
    "of one column": ((5, 3), (3, 1), "sum"),
    "of one row": ((1, 3), (3, 4), "sum"),
    "of matrices": ((5, 3), (3, 4), "dot"),
}


@pytest.mark.parametrize(("left", "right", "kind"), PRODUCTS.values(), ids=PRODUCTS)
def test_vector_products_become_loops(left, right, kind):
    program = program_of(make("dot", [given(0, *left), given(1, *right)]))
    assert kind in operations(unchanged(lower_vector_products, program, left, right))


def test_a_product_with_ones_is_a_sum():
    ones = np.ones((1, 5))
    ones.flags.writeable = False
    program = program_of(make("dot", [constant(ones), given(0, 5, 4)]))
    assert operations(unchanged(lower_vector_products, program, (5, 4))) == ["sum"]


def test_the_derivative_of_relu_reads_its_result():
    x = given(0, 4)
    rectified = make("maximum", [x, constant(0)])
    program = program_of(rectified, make("greater", [x, constant(0)]))
    changed = unchanged(apply_fast_math, program, (4,))
    assert changed.results[1].inputs[0] is changed.results[0]


def test_a_reshape_that_no_strides_express_gets_a_copy():
    turned = make("transpose", [given(0, 2, 3)], axes=(1, 0))
    program = program_of(make("reshape", [turned], shape=(6,)))
    assert operations(unchanged(insert_reshape_copies, program, (2, 3))) == [
        "transpose",
        "copy",
        "reshape",
    ]


@pytest.mark.parametrize("index", [(1,), (slice(None, None, -2), slice(1, 3)), (None, ..., 2)])
def test_a_slice_has_numpys_offset_and_strides(index):
    array = np.arange(20.0).reshape(4, 5)
    where = locate(make("slice", [given(0, 4, 5)], index=index))
    part = array[index]
    strides = [8 * s for s in where.strides]
    found = np.lib.stride_tricks.as_strided(array.ravel()[where.offset :], part.shape, strides)
    np.testing.assert_array_equal(found, part)


def test_concatenated_arrays_are_copies_within_the_result():
    program = program_of(make("concatenate", [given(0, 2, 3), given(1, 1, 3)], axis=0))
    changed = unchanged(inline_concatenations, program, (2, 3), (1, 3))
    assert operations(changed) == ["copy", "copy", "join"]


def test_results_with_disjoint_lifetimes_share_memory():
    x = given(0, 1000)
    chain = x
    for name in ("exp", "negative", "tanh", "square"):
        chain = make(name, [chain])
    program = program_of(make("sum", [chain], axis=(0,), keepdims=False))
    order = program.instructions()
    memory = assign_buffers(order, program.results, lambda y: y.operation != "input" and y.shape)
    assert memory.unshared_bytes == 4 * 8000 and sum(memory.sizes) == 8000


def test_a_softmax_is_one_loop():
    x = given(0, 8, 5)
    largest = make("max", [x], axis=(1,), keepdims=True)
    powers = make("exp", [make("subtract", [x, largest])])
    total = make("sum", [powers], axis=(1,), keepdims=True)
    kernels = fuse([make("divide", [powers, total])], lambda y: True)
    assert len(kernels) == 1 and len(kernels[0].members) == 5


def test_a_product_takes_bias_and_activation_as_its_epilogue():
    product = make("dot", [given(0, 8, 3), given(1, 3, 4)])
    hidden = make("tanh", [make("add", [product, given(2, 4)])])
    kernels = fuse([hidden], lambda y: True)
    assert [type(k) for k in kernels] == [Product] and len(kernels[0].members) == 3


def test_what_kernels_cannot_compute_is_a_call():
    sorting = make("gather", [given(0, 3), given(1, 3, dtype=np.int64)], index=(...,))
    kernels = fuse([make("exp", [sorting])], lambda y: y.operation != "gather")
    assert [type(k) for k in kernels] == [Call, Loop]


def test_an_update_runs_after_all_readers_of_the_old_values():
    weight, x = given(0, 4, 4), given(1, 4, 4)
    new = make("subtract", [weight, make("dot", [x, x])])
    reading = make("dot", [x, make("transpose", [weight], axes=(1, 0))])
    plan = make_schedule([weight, x], [reading], [(0, new)], lambda y: True)
    places = [[plan.storage[y] for y in plan.stored[k]] for k in plan.kernels]
    assert [place[0].kind for place in places] == ["result", "input"]


@pytest.mark.parametrize(
    "shaped", [lambda x: x[None], lambda x: np.reshape(x, (1,))], ids=["index", "reshape"]
)
def test_a_number_that_becomes_an_array_is_folded_as_one(shaped):
    slope = tg.grad(lambda x: (shaped(x) ** 2).sum())
    assert tg.compile(slope)(0.5) == slope(0.5) == 1.0
