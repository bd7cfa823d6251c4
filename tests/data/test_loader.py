"""DataLoader: every row once an epoch, the same bits however it is run, and on from anywhere."""

from __future__ import annotations

import contextlib
import copy
import gc
import json
import subprocess
import sys
import threading
import traceback
import weakref
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick

from tinygrad_lr.data import DataLoader
from tinygrad_lr.data.prefetch import Prefetcher

rows = st.integers(1, 40)
seeds = st.integers(0, 2**32)


@st.composite
def loaders(draw, **fixed):
    """A loader over the numbers of its rows, beside their squares, and another one like it."""
    n = draw(rows)
    size, shuffle, drop = draw(st.integers(1, n)), draw(st.booleans()), draw(st.booleans())
    settings = {"batch_size": size, "shuffle": shuffle, "drop_last": drop, **fixed}
    seed, x = draw(seeds), np.arange(n)
    return lambda **other: DataLoader(x, x * x, **settings, generator=seed, **other)


def epoch(loader):
    return [[array.tolist() for array in batch] for batch in loader]


def background():
    return [t for t in threading.enumerate() if t.name.startswith("tinygrad_lr")]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    if background():
        gc.collect()
    for thread in background():
        thread.join(10)
    assert background() == []


class Squares:
    """A data set of samples: i and [i, i²]; reading 3 fails if it is told to."""

    def __init__(self, length=5, fails=None):
        self.length, self.fails, self.read = length, fails, []

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.read.append(index)
        if index == 3 and self.fails:
            raise self.fails
        return index, np.array([index, index**2], np.float32)


@quick
@given(loaders(drop_last=False), st.integers(0, 3))
def test_an_epoch_has_every_row_exactly_once(make, prefetch):
    loader = make(prefetch=prefetch)
    batches = list(loader)
    x, squares = (np.concatenate(column) for column in zip(*batches, strict=True))
    assert len(batches) == len(loader)
    assert sorted(x) == list(range(loader.rows)) and (squares == x * x).all()
    assert [len(x) for x, _ in batches[:-1]] == [loader.batch_size] * (len(loader) - 1)


@quick
@given(loaders(drop_last=True))
def test_dropping_the_last_leaves_whole_batches_of_different_rows(make):
    loader = make()
    batches = [x for x, _ in loader]
    assert len(batches) == len(loader) == loader.rows // loader.batch_size
    assert {len(x) for x in batches} == {loader.batch_size}
    assert len(set(np.concatenate(batches))) == len(loader) * loader.batch_size


@pytest.mark.slow
@quick
@given(loaders(), st.integers(1, 4))
def test_prefetching_changes_no_bit_over_epochs(make, prefetch):
    plain, ahead = make(), make(prefetch=prefetch)
    for _ in range(3):
        assert epoch(plain) == epoch(ahead)
    assert plain.state_dict() == ahead.state_dict()


@pytest.mark.slow
@quick
@given(loaders(), st.data(), st.sampled_from([(0, 0), (2, 2), (0, 3), (3, 0)]))
def test_from_any_position_the_rest_is_the_same(make, data, prefetch):
    loader, other = make(prefetch=prefetch[0]), make(prefetch=prefetch[1])
    for _ in range(data.draw(st.integers(0, 2))):
        list(loader)
    batches = iter(loader)
    for _ in range(data.draw(st.integers(0, len(loader)))):
        next(batches)
    other.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    assert (other.epoch, other.batch) == (loader.epoch, loader.batch)
    assert epoch(other) == epoch(batches)
    assert epoch(other) == epoch(loader) and other.state_dict() == loader.state_dict()


def test_between_epochs_the_next_one_begins_as_it_would_have():
    loader, other = (DataLoader(range(7), batch_size=2, shuffle=True) for _ in range(2))
    other.load_state_dict(loader.state_dict())
    assert epoch(other) == epoch(loader) and (loader.epoch, loader.batch) == (1, 0)
    other.load_state_dict(loader.state_dict())
    assert epoch(other) == epoch(loader) and loader.epoch == 2


def test_a_generator_shared_with_others_is_set_to_where_it_was():
    loader, other = (
        DataLoader(range(6), batch_size=2, shuffle=True, generator=np.random.default_rng(s))
        for s in (1, 2)
    )
    batches = iter(loader)
    next(batches)
    loader.generator.random(5)  # dropout draws
    other.load_state_dict(loader.state_dict())
    assert epoch(other) == epoch(batches)
    assert other.generator.random() == loader.generator.random()


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_every_generator_of_numpy_goes_on_from_json(kind):
    def make(seed):
        generator = np.random.Generator(getattr(np.random, kind)(seed))
        return DataLoader(range(9), batch_size=2, shuffle=True, generator=generator)

    loader, other = make(1), make(2)
    batches = iter(loader)
    next(batches)
    other.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    assert epoch(other) == epoch(batches) and epoch(other) == epoch(loader)


def test_the_order_differs_by_epoch_and_repeats_with_the_seed():
    loader, again = (DataLoader(range(50), batch_size=7, shuffle=True, generator=3) for _ in "12")
    first, second = epoch(loader), epoch(loader)
    assert first != second and [epoch(again), epoch(again)] == [first, second]
    assert epoch(DataLoader(range(50), batch_size=7, shuffle=True, generator=4)) != first


def test_an_epoch_draws_one_permutation():
    loader = DataLoader(range(10), batch_size=3, shuffle=True, generator=5, prefetch=2)
    random = np.random.default_rng(5)
    for _ in range(2):
        assert np.concatenate([x for (x,) in loader]).tolist() == random.permutation(10).tolist()
    assert loader.generator.random() == random.random()


@pytest.mark.slow
def test_another_process_sees_the_same_bits():
    code = (
        "import numpy as np; from tinygrad_lr.data import DataLoader;"
        "l = DataLoader(range(20), batch_size=6, shuffle=True, generator=9, prefetch=2);"
        "print([[x.tolist() for x in b] for b in l]); it = iter(l); next(it)"  # left open at exit
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    here = DataLoader(range(20), batch_size=6, shuffle=True, generator=9)
    assert (run.stdout, run.stderr, run.returncode) == (f"{epoch(here)}\n", "", 0)


def test_numpys_global_state_is_left_alone():
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    list(DataLoader(range(9), batch_size=2, shuffle=True))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_are_fresh_read_only_and_of_the_dtype(shuffle):
    x, y = np.zeros((5, 2), np.float16), np.arange(5, dtype=np.int8)
    for features, labels in DataLoader(x, y, batch_size=2, shuffle=shuffle):
        assert (features.dtype, labels.dtype) == (np.float16, np.int8)
        assert not (features.flags.writeable or labels.flags.writeable)
        assert not (np.shares_memory(features, x) or np.shares_memory(labels, y))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_one_batch_of_all_rows_is_the_arrays_themselves(prefetch):
    x, y = np.arange(6.0).reshape(3, 2), np.arange(3)
    for _ in range(2):
        ((features, labels),) = DataLoader(x, y, batch_size=3, prefetch=prefetch)
        assert features is x and labels is y


def test_what_is_trained_on_is_what_the_arrays_held_then():
    x = np.arange(4.0)
    loader = DataLoader(x, batch_size=2)
    batches = iter(loader)
    (first,) = next(batches)
    x[:] = -1
    assert first.tolist() == [0, 1] and next(batches)[0].tolist() == [-1, -1]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("prefetch", [0, 2])
def test_files_mapped_to_memory_give_what_arrays_give(tmp_path, shuffle, prefetch):
    x = np.random.default_rng(0).normal(size=(23, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    settings = {"batch_size": 5, "shuffle": shuffle, "generator": 1}
    for here, there in zip(
        DataLoader(x, **settings), DataLoader(mapped, **settings, prefetch=prefetch), strict=True
    ):
        assert type(there[0]) is np.ndarray and not there[0].flags.writeable
        np.testing.assert_array_equal(here[0], there[0], strict=True)


class Indexed:
    """As h5py's data sets: indexed by increasing row numbers, and never read whole."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, []

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        if not isinstance(index, slice):
            assert (np.diff(index) > 0).all()
        self.read.append(self.array[index])
        return self.read[-1]


@pytest.mark.parametrize("shuffle", [False, True])
def test_rows_on_disk_are_read_in_order_and_only_when_due(shuffle):
    x = np.arange(20.0).reshape(10, 2)
    file = Indexed(x)
    settings = {"batch_size": 4, "shuffle": shuffle, "generator": 2}
    loader = DataLoader(file, **settings)
    assert file.read == []
    here = iter(DataLoader(x, **settings))
    for number, (there,) in enumerate(loader, 1):
        assert (there == next(here)[0]).all() and len(file.read) == number
    assert sum(map(len, file.read)) == 10


def test_samples_are_stacked_field_by_field():
    batches = list(DataLoader(Squares(), batch_size=2))
    assert [index.tolist() for index, _ in batches] == [[0, 1], [2, 3], [4]]
    index, pair = batches[1]
    assert pair.tolist() == [[2, 4], [3, 9]] and pair.dtype == np.float32
    assert not index.flags.writeable and not pair.flags.writeable


def test_a_list_of_tuples_is_samples_and_other_lists_are_arrays():
    ((x, y),) = DataLoader([(np.zeros(3), 1), (np.ones(3), 0)], batch_size=2)
    assert x.tolist() == [[0, 0, 0], [1, 1, 1]] and y.tolist() == [1, 0]
    ((x, y),) = DataLoader([(0, 1), (2, 3)], ["a", "b"], batch_size=2)
    assert x.tolist() == [[0, 1], [2, 3]] and y.tolist() == ["a", "b"]


def test_samples_stand_beside_arrays():
    ((index, pair, y),) = DataLoader(Squares(2), [5, 6], batch_size=2)
    assert (index.tolist(), pair.tolist(), y.tolist()) == ([0, 1], [[0, 0], [1, 1]], [5, 6])


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("error", [OSError("disk gone"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_comes_at_its_batch_with_its_traceback(prefetch, error):
    loader = DataLoader(Squares(fails=error), batch_size=1, prefetch=prefetch)
    batches, seen = iter(loader), []
    with pytest.raises(type(error)) as caught:
        seen.extend(batches)  # extend keeps nothing on an error
    assert caught.value is error and loader.batch == 3
    assert "__getitem__" in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert list(batches) == [] and background() == []


class Followed(Exception):
    """An error of which weak references are kept."""

    known: ClassVar = []

    def __init__(self):
        self.known.append(weakref.ref(self))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_that_was_handled_is_freed_at_once(prefetch):
    def fail(x):
        raise Followed

    loader = DataLoader(range(4), batch_size=1, prefetch=prefetch, transform=fail)
    gc.disable()
    try:
        with contextlib.suppress(Followed):
            list(loader)
        assert Followed.known.pop()() is None  # not in a cycle, which waits for a collection
    finally:
        gc.enable()


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_data_set_that_raises_stop_iteration_does_not_end_the_epoch_in_silence(prefetch):
    loader = DataLoader(Squares(fails=StopIteration()), batch_size=1, prefetch=prefetch)
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        list(loader)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_transform_that_raises_stop_iteration_is_an_error_of_the_loader(prefetch):
    end = iter(())
    loader = DataLoader(
        np.arange(4), batch_size=1, prefetch=prefetch, transform=lambda x: next(end)
    )
    batches = iter(loader)
    with pytest.raises(RuntimeError, match="DataLoader: the data raised StopIteration"):
        next(batches)
    assert list(batches) == []


class Frame:
    """A table of another library, which gives the array that it works on."""

    def __init__(self):
        self.cells = np.arange(6.0).reshape(3, 2)

    def __array__(self, dtype=None, copy=None):
        return self.cells.copy() if copy else self.cells

    def __len__(self):
        return 3


def test_an_array_that_another_object_works_on_is_copied_and_stays_writable():
    frame = Frame()
    loader = DataLoader(frame, np.arange(3), batch_size=3)
    frame.cells[:] = -1.0
    assert next(iter(loader))[0].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_no_more_batches_are_made_ahead_than_asked_for():
    squares = Squares(20)
    made = threading.Semaphore(0)
    loader = DataLoader(squares, batch_size=1, prefetch=3, transform=lambda *x: made.release() or x)
    batches = iter(loader)
    for _ in range(3):
        made.acquire()
    assert squares.read == [0, 1, 2]
    next(batches)
    made.acquire()
    assert squares.read == [0, 1, 2, 3] and loader.batch == 1
    batches.close()


def test_the_thread_ends_with_the_epoch_when_closed_and_when_dropped():
    loader = DataLoader(np.arange(100), batch_size=1, prefetch=2)
    list(loader)
    assert background() == []
    batches = iter(loader)
    next(batches)
    batches.close()
    assert background() == [] and list(batches) == [] and loader.batch == 1
    for _ in loader:
        (thread,) = background()
        break
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("end", ["all read", "closed", "error", "StopIteration"])
def test_however_an_epoch_ends_its_thread_is_waited_for(end, monkeypatch):
    closed = []
    close = Prefetcher.close
    monkeypatch.setattr(Prefetcher, "close", lambda self: closed.append(self) or close(self))
    fails = {"error": OSError("disk gone"), "StopIteration": StopIteration()}.get(end)

    def make(x):
        if fails and x == 1:
            raise fails
        return x

    batches = iter(DataLoader(np.arange(3), batch_size=1, prefetch=1, transform=make))
    next(batches)
    if end == "closed":
        batches.close()
    with pytest.raises((OSError, RuntimeError)) if fails else contextlib.nullcontext():
        list(batches)
    assert closed and not closed[0].thread.is_alive()


def test_two_iterators_are_two_epochs_and_the_later_one_is_the_position():
    loader = DataLoader(range(6), batch_size=2, shuffle=True, prefetch=1)
    first, second = iter(loader), iter(loader)
    pairs = list(zip(first, second, strict=True))
    assert sorted(np.concatenate([x for (x,), _ in pairs])) == list(range(6))
    assert sorted(np.concatenate([x for _, (x,) in pairs])) == list(range(6))
    assert loader.epoch == 2


def test_a_transform_takes_the_place_of_the_batch():
    x = np.arange(4.0)
    loader = DataLoader(x, x, batch_size=4, transform=lambda a, b: (a * 2, a + b, a))
    ((double, total, same),) = loader
    assert double.tolist() == [0, 2, 4, 6] and total.tolist() == [0, 2, 4, 6]
    assert not (double.flags.writeable or same.flags.writeable) and x.flags.writeable
    ((only,),) = DataLoader(x, batch_size=4, transform=np.negative)
    assert only.tolist() == [0, -1, -2, -3]


def flip(x, generator):
    return x * generator.choice([-1, 1], size=x.shape)


@pytest.mark.parametrize("shuffle", [False, True])
def test_what_a_transform_draws_depends_on_neither_prefetching_nor_resuming(shuffle):
    settings = {"batch_size": 8, "shuffle": shuffle, "transform": flip}
    loader = DataLoader(np.arange(64), **settings)
    other = DataLoader(np.arange(64), **settings, prefetch=3)
    first = epoch(loader)
    assert epoch(other) == first != epoch(loader)
    batches = iter(loader)
    next(batches)
    other.load_state_dict(loader.state_dict())
    assert epoch(other) == epoch(batches)


def test_the_callers_error_state_holds_in_the_thread():
    loader = DataLoader(np.zeros(2), batch_size=1, prefetch=1, transform=lambda x: 1 / x)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        list(loader)
    with np.errstate(divide="ignore"):
        assert [x.tolist() for (x,) in loader] == [[np.inf], [np.inf]]


def test_a_loader_that_prefetches_can_be_copied_between_epochs():
    loader = DataLoader(range(6), batch_size=2, shuffle=True, prefetch=2)
    list(loader)
    assert epoch(copy.deepcopy(loader)) == epoch(loader)


def test_loaders_print_in_one_line():
    assert repr(DataLoader(range(5), batch_size=5)) == "DataLoader(5 rows, 1 batch of 5)"
    shown = repr(DataLoader(range(5), batch_size=2, shuffle=True))
    assert shown == "DataLoader(5 rows, 3 batches of 2, shuffled)"
