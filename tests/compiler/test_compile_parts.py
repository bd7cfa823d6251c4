"""Small parts of the compiler, each alone."""

from __future__ import annotations

import os
import queue
import types
from types import SimpleNamespace

import numpy as np
import pytest
from programs import backends

import tinygrad_lr as tg
from tinygrad_lr.compiler.ir.instruction import constant, make
from tinygrad_lr.compiler.ir.passes.constant_folding import fold_constants
from tinygrad_lr.compiler.ir.program import Program, topological_sort
from tinygrad_lr.compiler.ir.schedule import _take_free, runs_on_one_thread
from tinygrad_lr.compiler.llvm.threads import ThreadSettings
from tinygrad_lr.compiler.tracing.frames import imported_modules
from tinygrad_lr.compiler.tracing.traced_int import TracedInt

X = np.linspace(-1.0, 1.0, 6)


def test_imports_inside_a_function_are_told_with_their_dots():
    text = "import a.b\nfrom ..c import d, e\nfrom . import f\nfrom g import h as i\nimport k as l"
    function = types.FunctionType(compile(text, "code", "exec"), {})
    assert imported_modules(function.__code__) == ["a.b", "..c", ".", "g", "k"]


def test_a_count_is_a_guard_once_it_matters():
    guarded = []
    count = TracedInt(3, guarded.append)
    grown = count + 1, 1 + count, count + 1 + 1
    assert guarded == [] and [int(x) for x in grown] == [4, 4, 5]
    assert (count + 1).incremented and not count.incremented
    assert bool(count) and guarded == []  # whatever it is later, it is above 0
    assert count + 0.5 == 3.5 and guarded == [3]
    assert not TracedInt(0, guarded.append) and guarded == [3, 0]
    assert bool(TracedInt(0, guarded.append) + 1) and guarded == [3, 0, 0]


def test_whatever_else_is_done_with_a_count_is_a_guard():
    for use in (
        *(lambda n: n > 2, lambda n: n <= 2, lambda n: n == 3, lambda n: n - 1, lambda n: 2 * n),
        *(lambda n: 1 / n, lambda n: n % 2, lambda n: 2**n, float, str, hash, lambda n: -n),
        lambda n: f"{n:03d}",
    ):
        guarded = []
        count = TracedInt(2, guarded.append) + 1
        found = use(count)
        assert found == use(3) and type(found) is type(use(3)) and guarded == [2]


def test_memory_is_taken_from_the_smallest_piece_that_fits():
    free = [(0, 64), (128, 32), (256, 96)]
    assert _take_free(free, 32) == 128 and sorted(free) == [(0, 64), (256, 96)]
    assert _take_free(free, 65) == 256 and sorted(free) == [(0, 64), (321, 31)]
    assert _take_free(free, 65) is None and len(free) == 2
    assert _take_free(free, 31) == 321 and free == [(0, 64)]


def test_what_is_needed_comes_first_however_deep():
    needs = {i: [i - 1, 0] if i else [] for i in range(50_000)}
    assert topological_sort([49_999, 3], needs.__getitem__) == list(range(50_000))
    assert topological_sort("db", {"d": "ba", "b": "c", "c": "", "a": "c"}.get) == list("cbad")


@backends()
def test_the_program_that_ran_last_is_the_one_that_is_shown(backend):
    f = tg.compile(lambda x: np.tanh(x) * 2, backend=backend)
    shown = []
    for rows in (2, 3, 2, 3):
        f(np.ones(rows))
        shown.append((str(f.source), f._fast_call is f._last.fast_call is not None))
    assert shown[0] == shown[2] != shown[1] == shown[3]
    assert all(fast for _, fast in shown)


@backends()
@pytest.mark.parametrize("kind", ["number", "method", "property"])
def test_what_a_class_gets_later_hides_what_it_had_from_its_base(kind, backend):
    def attribute(number):
        return {
            "number": number,
            "method": lambda self: number,
            "property": property(lambda self: number),
        }[kind]

    class Base:
        scale = attribute(2.0)

    class Middle(Base):
        pass

    class Last(Middle):
        pass

    thing = Last()
    f = tg.compile(
        (lambda x: x * thing.scale()) if kind == "method" else (lambda x: x * thing.scale),
        backend=backend,
    )
    np.testing.assert_array_equal(f(X), 2 * X)
    for owner, number in ((Middle, 3.0), (Last, 5.0)):
        owner.scale = attribute(number)
        np.testing.assert_array_equal(f(X), number * X)
    del Last.scale
    np.testing.assert_array_equal(f(X), 3 * X)


def test_programs_may_use_the_cores_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5, 6}, raising=False)
    assert ThreadSettings().count == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert ThreadSettings().count == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert ThreadSettings().count == 1


@backends()
def test_a_report_tells_how_long_compiling_took(backend):
    f = tg.compile(np.tanh, backend=backend)
    f(X)
    found = f.explain()
    assert found.compile_seconds > 0 and f"in {found.compile_seconds:.3f} s" in str(found)


def test_what_still_holds_an_array_of_a_trace_is_told():
    kept = queue.SimpleQueue()

    def keep(x):
        kept.put(x * 2)
        return x

    with pytest.raises(tg.errors.TraceError, match=r"\(a (list|SimpleQueue or tuple) still"):
        tg.compile(keep, backend="numpy")(X)


def folded(x):
    return fold_constants(Program("program", [x])).results[0].is_constant


def read_only(*shape):
    array = np.ones(shape)
    array.flags.writeable = False
    return constant(array)


def test_large_constants_are_folded_only_where_that_takes_no_memory():
    small, large = read_only(64, 64), read_only(64, 65)
    assert folded(make("negative", [small])) and not folded(make("negative", [large]))
    assert folded(make("transpose", [large], axes=(1, 0)))
    assert folded(make("reshape", [large], shape=(4160,)))
    assert folded(make("sum", [large], axis=(0, 1), keepdims=False))
    assert not folded(make("broadcast", [read_only(1, 65)], shape=(64, 65)))
    assert folded(make("broadcast", [read_only(1, 64)], shape=(64, 64)))


def test_threads_do_not_share_a_loop_of_one_entry_or_with_a_sum_of_everything():
    def runs_alone(shape, *sums):
        members = [make("sum", [constant(np.ones(shape))], axis=axis, keepdims=0) for axis in sums]
        return runs_on_one_thread(SimpleNamespace(shape=shape, members=members))

    assert runs_alone((1, 1)) and runs_alone((3, 2), (0, 1)) and runs_alone((3, 2), (1,), (0, 1))
    assert not runs_alone((2, 1)) and not runs_alone((3, 2)) and not runs_alone((2, 3), (1,))


def test_what_replaces_an_instruction_takes_over_its_name_unless_it_has_one():
    x = make("exp", [constant(np.ones(3))])
    x.name = "scale"
    program = Program("program", [x])

    def result(name):
        new = make("negative", [constant(np.ones(3))])
        new.name = name
        return program.rewrite(lambda old, inputs: new if old is x else old).results[0].name

    assert (result(None), result("own")) == ("scale", "own")
    assert program.rewrite(lambda old, inputs: constant(1.0)).results[0].name is None
