"""Compiled matrix products: NumPy's results in all shapes and strides, and no stray accesses."""

from __future__ import annotations

import ctypes
import mmap
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick

pytest.importorskip("llvmlite")

import llvmlite.binding as native
from llvmlite import ir

from tinygrad_lr.compiler.llvm import tiling, vectors
from tinygrad_lr.compiler.llvm.gemm import emit_product, scratch_elements
from tinygrad_lr.compiler.llvm.loops import emit_loop
from tinygrad_lr.compiler.llvm.product_kernels import share_product
from tinygrad_lr.compiler.llvm.tiling import Product, choose_tiling
from tinygrad_lr.compiler.llvm.vectors import (
    INDEX,
    constant_vector,
    element_at,
    element_type,
    first_lanes,
    lanes,
    load_vector,
    splat,
    store_vector,
    sum_lanes,
    sum_lanes_of_each,
    transpose_lanes,
)

STEP = [  # M, N, K and the form, as layers of a training step have them
    *[(100, 16, 2, "NN"), (100, 16, 16, "NN"), (16, 16, 100, "TN"), (100, 1, 16, "NN")],
    *[(1, 100, 16, "NT"), (2, 16, 100, "TN"), (100, 16, 16, "NT"), (16, 1, 100, "TN")],
    *[(64, 128, 64, "NN"), (64, 10, 128, "NN"), (128, 10, 64, "TN"), (64, 128, 10, "NT")],
    *[(128, 256, 784, "NN"), (784, 256, 128, "TN"), (128, 256, 128, "NT"), (32, 32, 128, "NN")],
    *[(256, 512, 320, "TN"), (130, 260, 300, "NT"), (17, 3, 5, "TT"), (100, 100, 100, "TT")],
    *[(1, 1, 1, "NN"), (3, 17, 1, "NT"), (1, 130, 40, "NN"), (5, 40, 33, "NT"), (2, 16, 7, "NT")],
]
each_width = pytest.mark.parametrize("width", [16, 32, 64])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
GUARD = 64  # elements on either side of what a kernel writes


@pytest.fixture
def of_width(monkeypatch):
    """Pretend that the processor's vectors have a given number of bytes."""

    def pretend(width):
        monkeypatch.setattr(vectors, "vector_bytes", lambda: width)
        monkeypatch.setattr(tiling, "vector_registers", lambda: 32 if width == 64 else 16)
        forget()

    yield pretend
    forget()


def forget():
    tiling.choose_tiling.cache_clear()
    tiling.must_pack_columns.cache_clear()


def compiled(emit, dtype, pointers):
    """Compile what `emit(builder, *pointers)` emits, as a function of arrays."""
    native.initialize_native_target()
    native.initialize_native_asmprinter()
    module = ir.Module("test")
    kind = ir.FunctionType(ir.VoidType(), [element_type(dtype).as_pointer()] * pointers)
    function = ir.Function(module, kind, "kernel")
    for argument in function.args:
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    emit(builder, *function.args)
    builder.ret_void()
    wide = re.sub(r"(?m)^(define .*\))", r'\1 "prefer-vector-width"="512"', str(module))
    parsed = native.parse_assembly(wide)
    parsed.verify()
    machine = native.Target.from_default_triple().create_target_machine(
        opt=2,
        cpu=native.get_host_cpu_name(),
        features=native.get_host_cpu_features().flatten(),
    )
    tuning = native.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_unrolling = tuning.loop_vectorization = tuning.slp_vectorization = False
    passes = native.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(parsed, passes)
    engine = native.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    address = engine.get_function_address("kernel")
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * pointers)(address)
    call.engine = engine  # which owns the code
    return lambda *arrays: call(*[array.ctypes.data for array in arrays])


def operands(M, N, K, form, dtype, seed=0):
    """Return A and B as stored, and their product: form TN is a transposed A."""
    numbers = np.random.default_rng(seed)
    a = numbers.normal(size=(K, M) if form[0] == "T" else (M, K)).astype(dtype)
    b = numbers.normal(size=(N, K) if form[1] == "T" else (K, N)).astype(dtype)
    strides = (1, M) if form[0] == "T" else (K, 1), (1, K) if form[1] == "T" else (N, 1)
    return a, b, Product(M, N, K, dtype, *strides)


def as_matrices(a, b, form):
    return (a.T if form[0] == "T" else a), (b.T if form[1] == "T" else b)


def make_epilogue(product, c, finish=lambda builder, vector, column, mask: vector):
    """Return an epilogue that writes C."""

    def epilogue(builder, vector, row, column, mask):
        at = builder.add(builder.mul(row, INDEX(product.columns)), column)
        vector = finish(builder, vector, column, mask)
        store_vector(builder, vector, element_at(builder, c, at, product.dtype), mask)

    return epilogue


def kernel(product, long=False):
    def emit(builder, a, b, c, scratch):
        emit_product(builder, product, a, b, scratch, make_epilogue(product, c), long)

    return compiled(emit, product.dtype, 4)


def guarded(size, dtype):
    """Return an array with guards around it, and a check that the guards are unchanged."""
    whole = np.full(size + 2 * GUARD, 7.5, dtype)

    def check():
        assert (whole[:GUARD] == 7.5).all() and (whole[GUARD + size :] == 7.5).all()

    return whole[GUARD : GUARD + size], check


def at_the_end_of_a_page(array):
    """Return a copy that ends at a page that must not be accessed."""
    pages = -(-array.nbytes // mmap.PAGESIZE) + 1
    memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
    start = np.frombuffer(memory, np.uint8).ctypes.data
    last = ctypes.c_void_p(start + (pages - 1) * mmap.PAGESIZE)
    assert ctypes.CDLL(None).mprotect(last, mmap.PAGESIZE, 0) == 0
    offset = (pages - 1) * mmap.PAGESIZE - array.nbytes
    copy = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
    copy[...] = array
    return copy


def product_of(a, b, product, long=False):
    """Return C, from a kernel that may write only C and its scratch."""
    c, check_c = guarded(product.rows * product.columns, product.dtype)
    scratch, check_scratch = guarded(scratch_elements(product), product.dtype)
    scratch[:] = np.nan  # what is read there must have been written
    kernel(product, long)(a, b, c, scratch)
    check_c()
    check_scratch()
    return c.reshape(product.rows, product.columns)


def assert_product(c, a, b):
    """Compare with the product in float64: one rounding error per addition at most."""
    exact = a.astype(np.float64) @ b.astype(np.float64)
    size = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    bound = (a.shape[1] + 2) * np.finfo(c.dtype).eps * size
    assert (np.abs(c - exact) <= bound).all()


@pytest.mark.slow
@each_dtype
@pytest.mark.parametrize("shape", STEP, ids=str)
def test_products_of_a_training_step_are_matmul(shape, dtype):
    a, b, product = operands(*shape, dtype)
    assert_product(product_of(a, b, product), *as_matrices(a, b, shape[3]))


@each_width
@pytest.mark.parametrize("shape", [(7, 19, 9, "NN"), (9, 21, 35, "TT"), (3, 11, 18, "NT")], ids=str)
def test_products_are_matmul_on_other_processors(shape, width, of_width):
    of_width(width)
    a, b, product = operands(*shape, "float32")
    assert_product(product_of(a, b, product), *as_matrices(a, b, shape[3]))


@pytest.mark.slow
@each_width
def test_a_transposed_operand_may_be_packed(width, of_width, monkeypatch):
    monkeypatch.setattr(tiling, "MIN_ROW_PACKING_WORK", 1)
    of_width(width)
    for rows, columns, depth in [(45, 13, 40), (29, 70, 19), (5, 200, 7)]:
        a, b, product = operands(rows, columns, depth, "TN", "float64")
        assert tiling.must_pack_rows(product)
        assert_product(product_of(a, b, product), a.T, b)


sizes = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 40, 63, 65, 100])


@pytest.mark.slow
@quick
@given(sizes, sizes, sizes, st.sampled_from(["NN", "NT", "TN", "TT"]), st.booleans())
def test_products_of_any_shape_are_matmul(M, N, K, form, long):
    a, b, product = operands(M, N, K, form, "float32")
    assert_product(product_of(a, b, product, long), *as_matrices(a, b, form))


@pytest.mark.slow
@quick
@given(
    st.sampled_from([1, 3, 8, 12, 16, 24, 26, 40, 64]),
    st.sampled_from([10, 16, 32, 48, 64, 80, 96, 160]),
    st.sampled_from([1, 3, 5, 8, 17, 40, 100, 200]),
    st.sampled_from(["NN", "NT", "TN", "TT"]),
    st.sampled_from(["float32", "float64"]),
    st.integers(2, 3),
)
def test_threads_that_share_a_product_give_the_bits_of_one(M, N, K, form, dtype, parts):
    a, b, product = operands(M, N, K, form, dtype)
    part = share_product(product, parts)
    assert (part == product) == (
        N % (parts * lanes(dtype)) != 0 and (M % parts != 0 or 8 * parts > M)
    )
    found = []
    for i in range(parts if part != product else 0):
        rows, columns = (part.rows < M) * part.rows * i, (part.columns < N) * part.columns * i
        moved = a.ravel()[rows * part.a_strides[0] :], b.ravel()[columns * part.b_strides[1] :]
        found.append(product_of(*moved, part))
    if found:
        joined = np.concatenate(found, axis=0 if part.rows < M else 1)
        assert joined.tobytes() == product_of(a, b, product).tobytes()


@pytest.mark.parametrize("strides", [((0, 1), (20, 1)), ((60, 2), (0, 1)), ((30, 1), (40, 2))])
def test_strides_may_be_anything(strides):
    memory = np.random.default_rng(0).normal(size=2000).astype(np.float32)
    M, N, K = 6, 18, 21
    a, b = (
        np.lib.stride_tricks.as_strided(memory, shape, [4 * s for s in each])
        for shape, each in zip([(M, K), (K, N)], strides, strict=True)
    )
    c = product_of(memory, memory, Product(M, N, K, "float32", *strides))
    assert_product(c, a, b)


@pytest.mark.parametrize(
    "shape", [(7, 10, 5, "NN"), (67, 130, 140, "TN"), (9, 23, 21, "NT"), (2, 19, 21, "NT")], ids=str
)
def test_nothing_is_read_beyond_the_operands(shape):
    a, b, product = operands(*shape, "float32")
    a, b = at_the_end_of_a_page(a), at_the_end_of_a_page(b)
    assert_product(product_of(a, b, product), *as_matrices(a, b, shape[3]))


@pytest.mark.slow
def test_nothing_is_read_beyond_a_large_transposed_operand():
    a, b, product = operands(130, 500, 520, "TN", "float32")
    assert tiling.must_pack_rows(product) and tiling.must_pack_columns(product)
    a, b = at_the_end_of_a_page(a), at_the_end_of_a_page(b)
    assert_product(product_of(a, b, product), a.T, b)


@pytest.mark.parametrize("form", ["NN", "TN", "NT", "TT"])
@pytest.mark.parametrize("rows", [2, 20])
def test_nan_and_infinity_propagate(form, rows):
    a, b, product = operands(rows, 20, 40, form, "float32")
    rows_of_a, columns_of_b = as_matrices(a, b, form)
    rows_of_a[0, 3], rows_of_a[1, 4], columns_of_b[5, 6] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected = rows_of_a @ columns_of_b
        c = product_of(a, b, product)
    np.testing.assert_array_equal(np.isnan(c), np.isnan(expected))
    np.testing.assert_array_equal(np.isposinf(c), np.isposinf(expected))
    np.testing.assert_array_equal(np.isneginf(c), np.isneginf(expected))


@pytest.mark.parametrize("long", [False, True])
def test_the_epilogue_may_add_a_bias_and_apply_relu(long):
    a, b, product = operands(50, 37, 20, "NN", "float32")
    bias = at_the_end_of_a_page(np.linspace(-3, 3, 37).astype(np.float32))
    zero = constant_vector(0.0, "float32")

    def finish(builder, bias, vector, column, mask):
        at = element_at(builder, bias, column, "float32")
        vector = builder.fadd(vector, load_vector(builder, at, mask, "float32"))
        return builder.select(builder.fcmp_unordered(">", vector, zero), vector, zero)

    def emit(builder, a, b, c, bias):
        line = make_epilogue(product, c, lambda builder, *place: finish(builder, bias, *place))
        emit_product(builder, product, a, b, None, line, long)

    assert scratch_elements(product) == 0
    c, check_guards = guarded(50 * 37, "float32")
    compiled(emit, "float32", 4)(a, b, c, bias)
    check_guards()
    np.testing.assert_allclose(c.reshape(50, 37), np.maximum(a @ b + bias, 0), atol=1e-5)


@pytest.mark.parametrize("shape", [(33, 45, 20, "NN"), (33, 45, 20, "NT"), (2, 45, 20, "NT")])
def test_every_vector_goes_to_the_epilogue_once(shape):
    a, b, product = operands(*shape, "float32")

    def counted(builder, c, row, column, mask):
        place = builder.add(builder.mul(row, INDEX(product.columns)), column)
        place = element_at(builder, c, place, "float32")
        seen = load_vector(builder, place, mask, "float32")
        one = constant_vector(1.0, "float32")
        store_vector(builder, builder.fadd(seen, one), place, mask)

    def emit(builder, a, b, c, scratch):
        line = lambda builder, vector, *place: counted(builder, c, *place)
        emit_product(builder, product, a, b, scratch, line)

    c = np.zeros(33 * 45, np.float32)
    compiled(emit, "float32", 4)(a, b, c, np.zeros(scratch_elements(product), np.float32))
    assert (c[: shape[0] * 45] == 1).all()


@pytest.mark.slow
def test_products_can_follow_each_other_in_loops():
    a, b, product = operands(3, 5, 20, "NT", "float32")
    batch = [operands(3, 5, 20, "NT", "float32", seed)[:2] for seed in range(4)]
    a, b = (np.stack(parts) for parts in zip(*batch, strict=True))

    def emit(builder, a, b, c, scratch):
        def one(n):
            at = lambda p, size: element_at(builder, p, builder.mul(n, INDEX(size)), "float32")
            line = make_epilogue(product, at(c, 15))
            emit_product(builder, product, at(a, 60), at(b, 100), scratch, line, True)

        emit_loop(builder, 0, 4, 1, one)

    c = np.zeros((4, 3, 5), np.float32)
    compiled(emit, "float32", 4)(a, b, c, np.zeros(scratch_elements(product), np.float32))
    np.testing.assert_allclose(c, a @ b.transpose(0, 2, 1), atol=1e-5)


WIDTHS = [  # features of a processor: bytes of a vector, number of vector registers
    ({"sse2": True, "avx2": True, "avx512f": True}, 64, 32),
    ({"sse2": True, "avx2": True, "avx512f": False}, 32, 16),
    ({"sse2": True, "avx2": False}, 16, 16),
    ({"neon": True}, 16, 32),
]


@pytest.mark.parametrize(("features", "width", "registers"), WIDTHS)
def test_vectors_fill_the_registers_of_the_processor(features, width, registers, monkeypatch):
    monkeypatch.setattr(native, "get_host_cpu_features", lambda: features)
    assert vectors.vector_bytes.__wrapped__() == width
    assert vectors.vector_registers.__wrapped__() == registers


@each_width
@pytest.mark.parametrize("vectors", [1, 2, 3, 5, 8, 64])
def test_a_tile_fits_in_the_registers(width, vectors, of_width):
    of_width(width)
    for rows in (1, 2, 7, 100, 1024):
        columns = vectors * lanes("float32")
        product = Product(rows, columns, 64, "float32", (64, 1), (columns, 1))
        R, J, chains = choose_tiling(product)
        assert 1 <= R <= rows and 1 <= J <= vectors
        needed = R * J * chains + J + 1
        assert needed <= (32 if width == 64 else 16)


@each_width
@each_dtype
def test_lanes_are_transposed_and_summed(width, dtype, of_width):
    of_width(width)
    side = lanes(dtype)

    def emit(builder, source, out):
        rows = [element_at(builder, source, n * side, dtype) for n in range(side)]
        rows = [load_vector(builder, row, None, dtype) for row in rows]
        sums = [sum_lanes_of_each(builder, rows), splat(builder, sum_lanes(builder, rows[1]), side)]
        for n, vector in enumerate(transpose_lanes(builder, rows) + sums):
            store_vector(builder, vector, element_at(builder, out, n * side, dtype))

    square = np.arange(side * side, dtype=dtype).reshape(side, side)
    out = np.zeros((side + 2, side), dtype)
    compiled(emit, dtype, 2)(square, out)
    np.testing.assert_array_equal(out[:side], square.T)
    np.testing.assert_array_equal(out[side], square.sum(1))
    np.testing.assert_array_equal(out[side + 1], square[1].sum())


@pytest.mark.parametrize(("start", "stop", "step"), [(0, 5, 1), (2, 9, 3), (4, 4, 1), (3, 4, 2)])
@pytest.mark.parametrize("known", [True, False])
def test_a_loop_counts_like_range(start, stop, step, known):
    def emit(builder, total, bounds):
        limit = builder.fptosi(builder.load(bounds), INDEX)
        add = lambda n, total: [builder.add(total, n)]
        (count,) = emit_loop(builder, start, stop if known else limit, step, add, [INDEX(0)])
        builder.store(builder.sitofp(count, ir.FloatType()), total)

    total = np.zeros(1, np.float32)
    compiled(emit, "float32", 2)(total, np.array([stop], np.float32))
    assert total[0] == sum(range(start, stop, step))


def test_masks_end_at_the_last_column():
    assert first_lanes(lanes("float32"), "float32") is None
    assert str(first_lanes(1, "float64")).count("i1 1") == 1
