"""Convolution and pooling as functions: what each window holds, by loops over the definition."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr import Value, ops
from tinygrad_lr.errors import ArgumentError, ShapeError
from tinygrad_lr.ops.windows import convolution, unrolled
from tinygrad_lr.support import machine_code

numbers = np.random.default_rng(0).normal


def windows(x, size, stride, padding, dilation, fill):
    """Yield the place of each window and its entries: (..., *size)."""
    axes = len(size)
    x = np.pad(x, ((0, 0),) * (x.ndim - axes) + tuple(padding), constant_values=fill)
    spans = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    counts = [
        (n - span) // s + 1 for n, span, s in zip(x.shape[-axes:], spans, stride, strict=True)
    ]
    for place in np.ndindex(*counts):
        cut = [
            slice(i * s, i * s + span, d)
            for i, s, span, d in zip(place, stride, spans, dilation, strict=True)
        ]
        yield place, x[(..., *cut)]


def by_window(f, x, size, stride, padding, dilation, fill=0.0):
    """Apply f to each window, and put the results (...) in place: (..., *counts)."""
    found = {p: f(part) for p, part in windows(x, size, stride, padding, dilation, fill)}
    counts = [max(p[axis] for p in found) + 1 for axis in range(len(size))]
    first = next(iter(found.values()))
    out = np.empty((*first.shape, *counts))
    for place, value in found.items():
        out[(..., *place)] = value
    return out


@st.composite
def geometries(draw, dilated=True):
    """Length, size, stride, padding and dilation of one or two axes in which windows fit."""
    axes = []
    for _ in range(draw(st.integers(1, 2))):
        size, stride, dilation = (draw(st.integers(1, 3)) for _ in range(3))
        dilation = dilation if dilated else 1
        padding = draw(st.tuples(st.integers(0, size // 2), st.integers(0, size // 2)))
        least = max(dilation * (size - 1) + 1 - sum(padding), 1)
        axes.append((draw(st.integers(least, least + 3)), size, stride, padding, dilation))
    return tuple(zip(*axes, strict=True))


def named(name, axes):
    return getattr(ops, f"{name}{axes}d")


def same_everywhere(f, x, expected):
    """Values, in whatever type they are given, and both modes of differentiation."""
    np.testing.assert_allclose(f(Value(x)).data, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(f(x), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(f(x.tolist()), expected, rtol=1e-12, atol=1e-12)
    tg.check_gradients(f, x, order=1)


@contextlib.contextmanager
def small_work_in_machine_code(taps=512, entries=1 << 14):
    """Call the functions in machine code for everything, in pieces of that size."""
    kernels = pytest.importorskip("tinygrad_lr.compiler.llvm.window_kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine_code, "MIN_WORK", 0)
        patch.setattr(convolution, "MIN_RUN", 1)
        patch.setattr(kernels, "MAX_TAPS", taps)
        patch.setattr(kernels, "RUN_ENTRIES", entries)
        called = []
        call = kernels.call
        patch.setattr(kernels, "call", lambda name, calls: (called.append(name), call(name, calls)))
        yield called


@settings(max_examples=15)
@given(geometries(), st.integers(1, 2), st.integers(1, 2), st.booleans())
def test_a_convolution_in_machine_code_adds_up_the_same(geometry, batch, groups, biased):
    check = test_a_convolution_adds_up_the_products_of_kernels_and_windows.hypothesis.inner_test
    with small_work_in_machine_code(taps=5, entries=3) as called:
        check(geometry, batch, groups, biased)
    assert {"correlate", "kernels"} <= set(called)


@settings(max_examples=25)
@given(
    geometries(),
    st.sampled_from([1, 2, 7, 16, 50]),
    st.sampled_from([1, 2, 4, 8, 13]),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([1, 3]),
    st.sampled_from([np.float32, np.float64]),
)
def test_machine_code_multiplies_windows_as_numpy_does(
    geometry, batch, out, channels, groups, dtype
):
    length, size, stride, padding, dilation = geometry
    steps = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x = numbers(size=(batch, channels * groups, *length)).astype(dtype)
    weight = numbers(size=(out * groups, channels, *size)).astype(dtype)
    wide = x.astype(np.float64), weight.astype(np.float64)
    counts = ops.cross_correlation(*wide, **steps).shape[2:]
    g = numbers(size=(batch, out * groups, *counts)).astype(dtype)

    def three(x, weight, g):
        return [
            ops.cross_correlation(x, weight, **steps),
            ops.cross_correlation_transposed(g, weight, length=length, **steps),
            ops.cross_correlation_kernel(x, g, size=size, **steps),
        ]

    theirs = three(*wide, g.astype(np.float64))
    with small_work_in_machine_code(taps=11, entries=40):
        ours = three(x, weight, g)
    for found, right in zip(ours, theirs, strict=True):
        assert found.dtype == dtype
        bound = np.finfo(dtype).eps * 8 * max(1, np.sqrt(found.size)) * max(1, abs(right).max())
        np.testing.assert_allclose(found, right, atol=bound)


@pytest.mark.parametrize(("out", "batch"), [(5, 3), (16, 20), (33, 7)])
def test_threads_change_no_bit(monkeypatch, out, batch):
    kernels = pytest.importorskip("tinygrad_lr.compiler.llvm.window_kernels")
    steps = {"stride": (1, 1), "padding": ((1, 1), (1, 0)), "dilation": (1, 1)}
    x, weight = numbers(size=(batch, 3, 9, 10)), numbers(size=(out, 3, 3, 2))
    g = numbers(size=(batch, out, 9, 10))
    found = []
    with small_work_in_machine_code():
        for count in (1, 2, 3):
            monkeypatch.setattr(kernels.THREADS, "count", count)
            monkeypatch.setattr(kernels, "MIN_THREADED_WORK", 0)
            parts = ops.cross_correlation(x, weight, **steps)
            back = ops.cross_correlation_transposed(g, weight, length=(9, 10), **steps)
            own = ops.cross_correlation_kernel(x, g, size=(3, 2), **steps)
            found.append([parts.tobytes(), back.tobytes(), own.tobytes()])
    assert found[0] == found[1] == found[2]


def test_an_infinite_entry_reaches_only_the_windows_that_hold_it():
    x, weight = np.ones((17, 2, 9)), np.ones((5, 2, 3))
    x[3, 1, 4] = np.inf
    with small_work_in_machine_code():
        out = ops.conv1d(x, weight)
    expected = np.full((17, 5, 7), 6.0)
    expected[3, :, 2:5] = np.inf
    np.testing.assert_array_equal(out, expected)


@settings(max_examples=15)
@given(geometries(), st.integers(1, 2), st.integers(1, 2), st.booleans())
def test_a_convolution_adds_up_the_products_of_kernels_and_windows(geometry, batch, groups, biased):
    length, size, stride, padding, dilation = geometry
    x, weight = numbers(size=(batch, 2 * groups, *length)), numbers(size=(3 * groups, 2, *size))
    bias = numbers(size=len(weight)) if biased else None
    axes = tuple(range(1, len(size) + 2))

    def product(part):  # (N, C, *size) gives (N, out)
        group = lambda o: part[:, 2 * (o // 3) : 2 * (o // 3) + 2]
        columns = [(group(o) * kernel).sum(axis=axes) for o, kernel in enumerate(weight)]
        return np.stack(columns, axis=1) + (0.0 if bias is None else bias)

    expected = by_window(product, x, size, stride, padding, dilation)
    conv = named("conv", len(size))
    same_everywhere(lambda x: conv(x, weight, bias, stride, padding, dilation, groups), x, expected)
    tg.check_gradients(
        lambda w: conv(x, w, bias, stride, padding, dilation, groups), weight, order=1
    )


@quick
@given(geometries())
def test_max_pooling_takes_the_largest_entry_of_each_window(geometry):
    length, size, stride, padding, dilation = geometry
    x = np.random.default_rng(1).permutation(2 * int(np.prod(length))).reshape(1, 2, *length) / 9
    largest = lambda part: part.max(axis=tuple(range(2, part.ndim)))
    expected = by_window(largest, x, size, stride, padding, dilation, -np.inf)
    pool = named("max_pool", len(size))
    same_everywhere(lambda x: pool(x, size, stride, padding, dilation), x, expected)


@quick
@given(geometries(dilated=False), st.booleans())
def test_average_pooling_takes_the_mean_of_each_window(geometry, counted):
    length, size, stride, padding, ones = geometry
    x = numbers(size=(2, 1, *length))
    axes = tuple(range(2, len(size) + 2))
    mean = lambda part: (
        (part if counted else np.nan_to_num(part)).sum(axis=axes)
        / (np.prod(size) if counted else (~np.isnan(part)).sum(axis=axes))
    )
    fill = 0.0 if counted else np.nan
    expected = by_window(mean, x, size, stride, padding, ones, fill)
    pool = named("avg_pool", len(size))
    same_everywhere(lambda x: pool(x, size, stride, padding, counted), x, expected)


@pytest.mark.parametrize("length", [(4,), (7,), (6, 4), (5, 7)])
@pytest.mark.parametrize("counts", [1, 2, 3, (3, 2), (None, 3), (9, 2)])
def test_adaptive_pooling_takes_the_means_of_parts_of_each_axis(length, counts):
    axes = len(length)
    asked = counts if isinstance(counts, tuple) else (counts,) * axes
    if len(asked) != axes:
        asked, counts = asked[:1], asked[:1]
    asked = [n if k is None else k for n, k in zip(length, asked, strict=True)]
    x = numbers(size=(2, 3, *length))
    expected = np.empty((2, 3, *asked))
    for place in np.ndindex(*asked):
        parts = zip(place, length, asked, strict=True)
        cut = [slice(i * n // k, -(-(i + 1) * n // k)) for i, n, k in parts]
        expected[(..., *place)] = x[(..., *cut)].mean(axis=tuple(range(2, axes + 2)))
    pool = named("adaptive_avg_pool", axes)
    same_everywhere(lambda x: pool(x, counts), x, expected)


@pytest.mark.parametrize("axes", [1, 2])
def test_windows_are_side_by_side_without_a_border_unless_asked(axes):
    x, kernel = numbers(size=(2, 2, *(5, 6)[:axes])), numbers(size=(1, 2, *(2, 2)[:axes]))
    ones, twos, none = (1,) * axes, (2,) * axes, ((0, 0),) * axes
    inner = tuple(range(2, axes + 2))
    for name, reduce in (("max_pool", np.max), ("avg_pool", np.mean)):
        expected = by_window(lambda p, f=reduce: f(p, axis=inner), x, twos, twos, none, ones)
        np.testing.assert_allclose(named(name, axes)(x, 2), expected, rtol=1e-14)
    product = lambda part: (part * kernel[0]).sum(axis=(1, *inner))[:, None]
    expected = by_window(product, x, twos, ones, none, ones)
    np.testing.assert_allclose(named("conv", axes)(x, kernel), expected, rtol=1e-13, atol=1e-14)
    padded = named("avg_pool", axes)(np.ones_like(x), 2, None, 1)
    assert padded[(0, 0, *(0,) * axes)] == 0.5**axes  # the zeros of a border are counted


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_border_same_leaves_the_length_and_is_longer_at_the_end(size, dilation):
    x, kernel = numbers(size=(1, 1, 8)), numbers(size=(1, 1, size))
    extra = dilation * (size - 1)
    before = extra // 2
    wide = np.pad(x, ((0, 0), (0, 0), (before, extra - before)))
    found = ops.conv1d(x, kernel, None, 1, "same", dilation)
    assert found.shape == x.shape
    np.testing.assert_array_equal(found, ops.conv1d(wide, kernel, dilation=dilation))
    np.testing.assert_array_equal(
        ops.conv1d(x, kernel, padding="valid"), ops.conv1d(x, kernel, padding=0)
    )


@pytest.mark.parametrize("slab", [1, 300, 1 << 22])
@pytest.mark.parametrize("out", [1, 2])
def test_columns_made_in_parts_give_the_same(monkeypatch, slab, out):
    x, weight = numbers(size=(3, 4, 7, 6)), numbers(size=(2 * out, 2, 3, 2))
    conv = lambda x, weight: ops.conv2d(x, weight, None, (2, 1), ((1, 0), (0, 1)), (1, 2), 2)
    monkeypatch.setattr(convolution, "SLAB_BYTES", slab)
    out, pullback = tg.vjp(conv, x, weight)
    g = numbers(size=out.shape)
    of_x, of_weight = pullback(g)
    for found, given_, f in (
        (of_x, x, lambda x: conv(x, weight)),
        (of_weight, weight, lambda w: conv(x, w)),
    ):
        t = numbers(size=given_.shape)
        assert np.vdot(found, t) == pytest.approx(np.vdot(g, f(t)), rel=1e-10)


IMAGE, SIGNAL = np.ones((1, 4, 5, 6)), np.ones((1, 4, 5))
KERNEL, TWIN = np.ones((2, 4, 2, 3)), np.ones((2, 2, 2, 2))
REFUSED = {
    "conv2d: x must have a shape (N, 4, H, W), got (4, 5, 6); write x[None]": (
        lambda: ops.conv2d(IMAGE[0], KERNEL)
    ),
    "conv2d: x must have a shape (N, 4, H, W), got (1, 5, 6, 4); write np.moveaxis(x, -1, 1)": (
        lambda: ops.conv2d(np.moveaxis(IMAGE, 1, -1), KERNEL)
    ),
    "conv2d: x must have a shape (N, 2, H, W), got (1, 4, 5, 6)": (
        lambda: ops.conv2d(IMAGE, KERNEL[:, :2])
    ),
    "conv2d: x must have a shape (N, 4, H, W), got (1, 2, 5, 6)": (
        lambda: ops.conv2d(IMAGE[:, :2], TWIN, groups=2)
    ),
    "conv2d: weight must have a shape (out, in / groups, k, k) with out a multiple of groups=1": (
        lambda: ops.conv2d(IMAGE, KERNEL[0])
    ),
    "conv1d: weight must have a shape (out, in / groups, k) with out a multiple of groups=3": (
        lambda: ops.conv1d(SIGNAL, KERNEL[..., 0], groups=3)
    ),
    "conv2d: bias must have shape (2,), got (1,)": lambda: ops.conv2d(IMAGE, KERNEL, np.ones(1)),
    "conv2d: groups must be an integer >= 1, got 0": lambda: ops.conv2d(IMAGE, KERNEL, groups=0),
    "conv2d: x must be at least as long as a window, (2, 7), got (5, 6)": (
        lambda: ops.conv2d(IMAGE, KERNEL, dilation=(1, 3))
    ),
    "conv2d: x must be at least as long as a window, (9, 3), got (5, 6), with its padding (7, 8)": (
        lambda: ops.conv2d(IMAGE, KERNEL, padding=1, dilation=(8, 1))
    ),
    "conv2d: stride must be an integer >= 1, or 2 such integers, got (1, 0)": (
        lambda: ops.conv2d(IMAGE, KERNEL, stride=(1, 0))
    ),
    "conv1d: stride must be an integer >= 1, got (1, 1)": (
        lambda: ops.conv1d(SIGNAL, KERNEL[..., 0], stride=(1, 1))
    ),
    "conv1d: stride must be an integer >= 1, got True": (
        lambda: ops.conv1d(SIGNAL, KERNEL[..., 0], stride=True)
    ),
    "conv2d: stride must be 1 for padding 'same', got (1, 2)": (
        lambda: ops.conv2d(IMAGE, KERNEL, stride=(1, 2), padding="same")
    ),
    "conv1d: padding must be an integer >= 0, one pair ((before, after),), 'same' or 'valid'": (
        lambda: ops.conv1d(SIGNAL, KERNEL[..., 0], padding=((1, 2, 3),))
    ),
    "conv2d: padding must be an integer >= 0, 2 numbers or pairs, 'same' or 'valid', got (1, -1)": (
        lambda: ops.conv2d(IMAGE, KERNEL, padding=(1, -1))
    ),
    "conv2d: padding must be an integer >= 0, 2 numbers or pairs, 'same' or 'valid', got (1,)": (
        lambda: ops.conv2d(IMAGE, KERNEL, padding=(1,))
    ),
    "max_pool2d: padding must be at most half of kernel_size, (1, 1), got ((0, 2), (0, 0))": (
        lambda: ops.max_pool2d(IMAGE, (3, 2), padding=((0, 2), 0))
    ),
    "avg_pool1d: padding must be at most half of kernel_size, (1,), got ((2, 2),)": (
        lambda: ops.avg_pool1d(SIGNAL, 2, padding=2)
    ),
    "avg_pool1d: x must have a shape (N, C, L), got (1, 4, 5, 6)": (
        lambda: ops.avg_pool1d(IMAGE, 2)
    ),
    "max_pool1d: x must be at least as long as a window, (6,), got (5,)": (
        lambda: ops.max_pool1d(SIGNAL, 6)
    ),
    "adaptive_avg_pool2d: x must have a shape (N, C, H, W), got (1, 4, 5); write x[None]": (
        lambda: ops.adaptive_avg_pool2d(SIGNAL, 2)
    ),
    "adaptive_avg_pool2d: output_size must be an integer >= 1, or 2 such integers, got (2,)": (
        lambda: ops.adaptive_avg_pool2d(IMAGE, (2,))
    ),
    "adaptive_avg_pool1d: output_size must be an integer >= 1, got (0,)": (
        lambda: ops.adaptive_avg_pool1d(SIGNAL, 0)
    ),
}


@pytest.mark.parametrize(("told", "call"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_does_not_fit_is_refused_in_a_sentence(told, call):
    with pytest.raises((ArgumentError, ShapeError)) as caught:
        call()
    assert str(caught.value).startswith(told)


def test_the_most_that_is_allowed_is_accepted():
    assert ops.max_pool1d(SIGNAL, 5).shape == (1, 4, 1)
    assert ops.max_pool1d(SIGNAL, 2, padding=1).shape == (1, 4, 3)
    assert ops.conv1d(SIGNAL, np.ones((1, 4, 3)), dilation=2).shape == (1, 1, 1)
    assert ops.conv1d(SIGNAL, np.ones((4, 1, 1)), groups=4).shape == (1, 4, 5)
    assert ops.adaptive_avg_pool1d(SIGNAL, 1).shape == (1, 4, 1)


NARROWER = """
import os, sys, tempfile
os.environ["TINYGRAD_LR_CACHE"] = tempfile.mkdtemp()
from tinygrad_lr.compiler.llvm import vectors
width, registers = map(int, sys.argv[1:])
vectors.vector_bytes, vectors.vector_registers = lambda: width, lambda: registers
import numpy as np
from tinygrad_lr import ops
from tinygrad_lr.compiler.llvm import table_functions, window_kernels
from tinygrad_lr.ops.windows import convolution
from tinygrad_lr.support import machine_code
assert table_functions.vector_bytes() == width and vectors.lanes("float64") == width // 8
convolution.MIN_RUN = 1
random = np.random.default_rng(0).normal
steps = {"stride": (1, 1), "padding": ((1, 1), (1, 0)), "dilation": (1, 1)}
for out in 1, 6, 8, 13:
    x, weight = random(size=(7, 3, 6, 6)), random(size=(out, 3, 3, 2))
    g, found = random(size=(7, out, 6, 6)), []
    for machine_code.MIN_WORK in 0, 1 << 60:
        found.append([
            ops.cross_correlation(x, weight, **steps),
            ops.cross_correlation_transposed(g, weight, length=(6, 6), **steps),
            ops.cross_correlation_kernel(x, g, size=(3, 2), **steps),
        ])
    for ours, numpys in zip(*found):
        np.testing.assert_allclose(ours, numpys, atol=1e-12)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "registers"), [(32, 16), (16, 16), (16, 32)])
def test_processors_with_narrower_vectors_compute_the_same(width, registers):
    pytest.importorskip("llvmlite")
    command = [sys.executable, "-c", NARROWER, str(width), str(registers)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


FRESH = """
import numpy as np, tinygrad_lr as tg
x, weight = np.ones((20, 4, 16, 16), "f4"), np.ones((16, 4, 3, 3), "f4")
f = tg.compile(lambda x, weight, s: np.sum(tg.ops.conv2d(x, weight)) * s)
print(float(f(x, weight, 2.0)))
g = tg.compile(lambda s: np.sum(tg.ops.conv2d(x, weight)) * s)
print(float(g(2.0)))
"""


def test_a_trace_may_be_the_first_to_load_machine_code():
    pytest.importorskip("llvmlite")
    run = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True)
    assert list(map(float, run.stdout.split())) == [20 * 16 * 14 * 14 * 36 * 2.0] * 2


def test_a_compiled_program_calls_machine_code_for_large_convolutions(monkeypatch):
    monkeypatch.setattr(unrolled, "MAX_COPIED", 0)
    x, weight = numbers(size=(5, 2, 6, 7)), numbers(size=(3, 2, 2, 3))
    slopes = lambda x, w: tg.grad(lambda x, w: np.sum(ops.conv2d(x, w) ** 3), argnums=(0, 1))(x, w)
    monkeypatch.setattr(machine_code, "MIN_WORK", 0)
    compiled = tg.compile(slopes, backend="llvm")
    found = compiled(x, weight)
    assert str(compiled.explain()).count("convolution.cross_correlation") == 3
    for ours, theirs in zip(found, slopes(x, weight), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)
