"""Elementary functions as LLVM code: errors within their bounds, special values as in NumPy."""

import ctypes
import os
from functools import cache

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from llvmlite import binding, ir

import tinygrad_lr as tg
from tinygrad_lr.compiler.llvm.elementary import EMITTERS, MAX_ULP_ERROR

UNARY = sorted(name for name in EMITTERS if getattr(np, name).nin == 1)
BINARY = sorted(set(EMITTERS) - set(UNARY))
FAST = ["exp", "log", "tanh", "expm1", "log1p", "sin", "cos"]
ELEMENT = {np.float32: ir.FloatType(), np.float64: ir.DoubleType()}
WIDER = {np.float32: np.float64, np.float64: np.longdouble}
FULL_VECTOR = {np.float32: 16, np.float64: 8}
BOTH = [np.float32, np.float64]
long_double_is_longer = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant, reason="nothing to compare with"
)


def loop(emit, dtype, lanes, count):
    """The LLVM text of a loop that stores emit of `count` arrays, `lanes` entries at a time."""
    element, i64 = ELEMENT[dtype], ir.IntType(64)
    vector = ir.VectorType(element, lanes) if lanes > 1 else element
    module = ir.Module()
    kinds = [element.as_pointer()] * (count + 1) + [i64]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "run")
    entry, body, end = (function.append_basic_block(name) for name in ("entry", "body", "end"))
    builder = ir.IRBuilder(entry)
    builder.branch(body)
    builder.position_at_end(body)
    place = builder.phi(i64)
    *sources, target, size = function.args
    values = []
    for source in sources:
        at = builder.bitcast(builder.gep(source, [place]), vector.as_pointer())
        values.append(builder.load(at, align=np.dtype(dtype).itemsize))
    at = builder.bitcast(builder.gep(target, [place]), vector.as_pointer())
    builder.store(emit(builder, *values), at, align=np.dtype(dtype).itemsize)
    assert builder.block is body  # so that the code can stand anywhere
    following = builder.add(place, i64(lanes))
    place.add_incoming(i64(0), entry)
    place.add_incoming(following, body)
    builder.cbranch(builder.icmp_signed("<", following, size), body, end)
    builder.position_at_end(end)
    builder.ret_void()
    return str(module).replace("\n{", ' "prefer-vector-width"="512"\n{', 1)


@cache
def compiled(name, dtype, lanes):
    """Compile the code of a function, as a function of arrays."""
    count = getattr(np, name).nin
    text = loop(EMITTERS[name], dtype, lanes, count)
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(
        opt=3,
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
    )
    module = binding.parse_assembly(text)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    kinds = [ctypes.c_void_p] * (count + 1) + [ctypes.c_int64]
    run = ctypes.CFUNCTYPE(None, *kinds)(engine.get_function_address("run"))

    def function(*arrays, engine=engine):
        size = arrays[0].size
        whole = -(-size // lanes) * lanes
        arrays = [np.resize(array, whole) for array in arrays]
        out = np.empty(whole, dtype)
        run(*(array.ctypes.data for array in arrays), out.ctypes.data, whole)
        return out[:size]

    return function


def truth(name, *arrays):
    """Evaluate NumPy's function in the next wider type."""
    with np.errstate(all="ignore"):
        wider = WIDER[arrays[0].dtype.type]
        return getattr(np, name)(*(array.astype(wider) for array in arrays))


def errors(out, true, scale=None):
    """Return errors in units in the last place; ∞ where only one of the two is finite."""
    kind = np.finfo(out.dtype)
    with np.errstate(all="ignore"):
        rounded = true.astype(out.dtype)
        scale = true if scale is None else scale
        exponent = np.maximum(np.frexp(np.abs(scale))[1], kind.minexp + 1) - kind.nmant - 1
        distance = np.abs(out.astype(true.dtype) - true) / np.ldexp(true.dtype.type(1), exponent)
    same = (out == rounded) | (np.isnan(out) & np.isnan(rounded))
    finite = np.isfinite(out) & np.isfinite(rounded)
    return np.where(same & ~finite, 0, np.where(finite, distance, np.inf))


def every_exponent(dtype, each, seed=0):
    """Numbers of both signs and every exponent, with the ends of each binade."""
    bits, significand, kind = (32, 23, np.uint32) if dtype is np.float32 else (64, 52, np.uint64)
    generator = np.random.default_rng(seed)
    ends = np.arange(1 << (bits - significand), dtype=kind)[:, None] << kind(significand)
    rests = generator.integers(0, 1 << significand, (ends.size, each), dtype=kind)
    rests[:, :4] = [0, 1, (1 << significand) - 1, 1 << (significand - 1)]
    return (ends | rests).ravel().view(dtype)


def usual(dtype, size=40000, seed=1):
    """Numbers as in real programs, and near the points where formulas change."""
    generator = np.random.default_rng(seed)
    spread = [generator.uniform(-width, width, size) for width in (0.5, 1, 2, 10, 100, 800)]
    turns = np.arange(-200, 200) * (np.pi / 4)
    near = [center + generator.normal(size=size // 8) * 1e-3 for center in (-1, 0, 1, np.log(2))]
    return np.concatenate([*spread, *near, turns]).astype(dtype)


def pairs(dtype):
    """Pairs of arguments of all sizes, similar and different."""
    x, y = every_exponent(dtype, 2000 if dtype is np.float32 else 100), usual(dtype)
    generator = np.random.default_rng(2)
    first = np.concatenate([x, y, y, np.abs(y), 1 + y * dtype(1e-6), y])
    second = [generator.permutation(x), generator.permutation(y), y + y * dtype(1e-3)]
    second += [generator.permutation(y), generator.permutation(y) * dtype(1e5), np.abs(y)]
    return first, np.concatenate(second)


def specials(dtype):
    kind = np.finfo(dtype)
    sizes = [0, kind.smallest_subnormal, kind.tiny, 0.5, 1, 1.5, 2, 3, 1e30, kind.max, np.inf]
    whole = [2.0**kind.nmant - 1, 2.0 ** (kind.nmant + 1) - 1, 2.0 ** (kind.nmant + 1)]
    sizes = np.array([*sizes, *whole, np.nan], dtype)
    return np.concatenate([sizes, -sizes])


def assert_limits_are_numpys(name, out, *arrays):
    """NaN, infinities and zeros are NumPy's, with their signs; other results are close."""
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(*arrays)
    ends = ~np.isfinite(expected) | (expected == 0)
    np.testing.assert_array_equal(out[ends], expected[ends])
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(out[zero]), np.signbit(expected[zero]))
    np.testing.assert_allclose(out[~ends], expected[~ends], rtol=4 * np.finfo(out.dtype).eps)


@pytest.mark.parametrize("name", UNARY)
def test_float32_is_within_the_stated_error_at_every_exponent(name):
    x = np.concatenate([every_exponent(np.float32, 2500), usual(np.float32)])
    assert errors(compiled(name, np.float32, 16)(x), truth(name, x)).max() <= MAX_ULP_ERROR[name][0]


@long_double_is_longer
@pytest.mark.parametrize("name", UNARY)
def test_float64_is_within_the_stated_error_at_every_exponent(name):
    x = np.concatenate([every_exponent(np.float64, 24), usual(np.float64, 8000)])
    assert errors(compiled(name, np.float64, 8)(x), truth(name, x)).max() <= MAX_ULP_ERROR[name][1]


@pytest.mark.slow
@long_double_is_longer
@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arguments_are_within_the_stated_error(name, dtype):
    x, y = pairs(dtype)
    true = truth(name, x, y)
    terms = np.fmax(np.abs(x), np.abs(y))  # the two may cancel, and leave what they lost
    scale = np.fmax(np.abs(true), terms) if name == "logaddexp" else None
    out = compiled(name, dtype, FULL_VECTOR[dtype])(x, y)
    assert errors(out, true, scale).max() <= MAX_ULP_ERROR[name][BOTH.index(dtype)]


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", UNARY)
def test_special_values_are_numpys(name, dtype):
    x = specials(dtype)
    assert_limits_are_numpys(name, compiled(name, dtype, FULL_VECTOR[dtype])(x), x)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", BINARY)
def test_special_pairs_are_numpys(name, dtype):
    x, y = (grid.ravel() for grid in np.meshgrid(specials(dtype), specials(dtype)))
    assert_limits_are_numpys(name, compiled(name, dtype, FULL_VECTOR[dtype])(x, y), x, y)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", UNARY)
def test_any_number_of_lanes_gives_the_same_bits(name, dtype):
    x = np.concatenate([every_exponent(dtype, 8), usual(dtype, 1000)])
    one = compiled(name, dtype, 1)(x)
    for lanes in (4, 8, 16):
        np.testing.assert_array_equal(compiled(name, dtype, lanes)(x), one)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", BINARY)
def test_any_number_of_lanes_gives_the_same_bits_of_pairs(name, dtype):
    x, y = (array[::97] for array in pairs(dtype))
    one = compiled(name, dtype, 1)(x, y)
    for lanes in (4, 8, 16):
        np.testing.assert_array_equal(compiled(name, dtype, lanes)(x, y), one)


@pytest.mark.parametrize("name", ["tanh", "sin", "cos"])
@pytest.mark.parametrize("dtype", BOTH)
def test_what_is_bounded_by_one_never_exceeds_it(name, dtype):
    x = np.concatenate([every_exponent(dtype, 30), usual(dtype)])
    assert np.nanmax(np.abs(compiled(name, dtype, FULL_VECTOR[dtype])(x))) == 1


def test_powers_of_two_and_their_logarithms_are_exact():
    n = np.arange(-149, 128).astype(np.float32)
    powers = np.ldexp(np.float32(1), np.arange(-149, 128))
    np.testing.assert_array_equal(compiled("exp2", np.float32, 16)(n), powers)
    np.testing.assert_array_equal(compiled("log2", np.float32, 16)(powers), n)


def test_every_function_states_its_error():
    assert set(MAX_ULP_ERROR) == set(EMITTERS)
    assert all(0.5 <= bound <= 4 for bounds in MAX_ULP_ERROR.values() for bound in bounds)


@pytest.mark.skipif(os.environ.get("TINYGRAD_LR_EVERY_FLOAT") != "1", reason="takes minutes")
@pytest.mark.parametrize("name", FAST)
def test_all_floats_are_within_the_stated_error(name):
    """Test every float32, if TINYGRAD_LR_EVERY_FLOAT=1 is set."""
    worst = 0.0
    for start in range(0, 1 << 32, 1 << 20):
        x = np.arange(start, start + (1 << 20), dtype=np.uint32).view(np.float32)
        worst = max(worst, errors(compiled(name, np.float32, 16)(x), truth(name, x)).max())
    assert worst <= MAX_ULP_ERROR[name][0]


def test_single_numbers_share_one_copy_of_a_functions_code():
    """Adam's bias corrections are powers of numbers, two for each parameter."""
    weights = [tg.Value(np.ones(3)) for _ in range(6)]
    optimizer = tg.optim.Adam(weights)

    @tg.compile(backend="llvm")
    def step(x):
        loss = sum(np.sum(w * x) for w in weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step(np.arange(3.0))
    text = step._last.executable.llvm
    assert text.count('define internal double @"power.double"') == 1
    assert text.count('call double @"power.double"') > 6
