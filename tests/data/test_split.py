"""split and one_hot: nothing twice, nothing lost, and the classes in their proportions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr.data import one_hot, split
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError


@st.composite
def shares(draw):
    """Shares that add up to 1."""
    weights = np.array(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)), float)
    return (weights / weights.sum()).tolist()


@quick
@given(st.integers(4, 60), shares(), st.booleans(), st.integers(0, 99))
def test_a_split_is_a_partition(n, sizes, shuffle, seed):
    assume(min(sizes) * n >= 1)
    x = np.arange(n)
    parts = split(x, -x, sizes=sizes, shuffle=shuffle, generator=seed)
    mine, others = parts[: len(sizes)], parts[len(sizes) :]
    assert sorted(np.concatenate(mine)) == list(range(n))
    assert all((a == -b).all() for a, b in zip(mine, others, strict=True))
    assert all(abs(len(part) - share * n) < 1 for part, share in zip(mine, sizes, strict=True))


@quick
@given(st.lists(st.integers(5, 30), min_size=1, max_size=6), st.floats(0.2, 0.8))
def test_a_stratified_split_has_every_class_within_a_row_of_its_share(sizes, share):
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = np.arange(len(y))
    train, test, y_train, y_test = split(rows, y, test=share, stratify=y)
    assert sorted([*train, *test]) == rows.tolist() and (y[test] == y_test).all()
    fair = np.array(sizes) * len(test) / len(y)
    assert (abs(np.bincount(y_test, minlength=len(sizes)) - fair) < 1).all()
    assert abs(len(test) - share * len(y)) <= 0.5 and len(y_train) + len(y_test) == len(y)


@pytest.mark.parametrize("sizes", [(6, 4), (4, 3, 3)])
def test_a_class_needs_one_row_for_each_part_and_no_more(sizes):
    y = np.repeat(["rare", "often"], [len(sizes), 10 - len(sizes)])
    for part in split(y, sizes=sizes, stratify=y):
        assert np.count_nonzero(part == "rare") == 1
    y[0] = "often"
    with pytest.raises(ArgumentError, match=f"at least {len(sizes)} rows, .* of class 'rare'"):
        split(y, sizes=sizes, stratify=y)


def test_three_parts_are_stratified_too_and_labels_may_be_text():
    y = np.repeat(["a", "b", "c"], [50, 30, 20])
    parts = split(y, sizes=(0.6, 0.2, 0.2), stratify=y, generator=1)
    counts = [np.unique(part, return_counts=True)[1].tolist() for part in parts]
    assert counts == [[30, 18, 12], [10, 6, 4], [10, 6, 4]]


def test_numbers_of_rows_say_the_same_as_shares():
    x = np.arange(20)
    for a, b, c in zip(split(x, test=0.25), split(x, test=5), split(x, sizes=(15, 5)), strict=True):
        assert a.tolist() == b.tolist() == c.tolist()
    assert [len(part) for part in split(x)] == [16, 4]


def test_a_tenth_of_thirty_is_three():
    assert [len(part) for part in split(np.arange(30), test=0.1)] == [27, 3]


def test_rows_in_order_stay_in_order():
    train, test = split(np.arange(10), test=0.3, shuffle=False)
    assert (train.tolist(), test.tolist()) == (list(range(7)), [7, 8, 9])


def test_the_seed_decides_and_none_is_a_seed_of_its_own():
    x = np.arange(30)
    first, again, other = (split(x, generator=s)[1].tolist() for s in (0, 0, 1))
    assert first == again != other and split(x)[1].tolist() == first
    assert split(x, generator=np.random.default_rng(1))[1].tolist() == other


def test_parts_are_arrays_of_their_own_with_shape_and_dtype():
    x = np.zeros((10, 3, 2), np.float32)
    train, test, words, _ = split(x, list("abcdefghij"), test=0.5)
    assert (train.shape, test.dtype) == ((5, 3, 2), np.float32) and words.dtype.kind == "U"
    train[:] = 1
    assert not x.any()


SPLITS = {
    "nothing": ((), {}, ArgumentError, "data must be at least one array"),
    "lengths": (([1, 2], [1]), {}, ShapeError, r"the same number of rows, got \[2, 1\]"),
    "one row": (([1],), {}, ArgumentError, r"each part must have .*, got \[1, 0\] of 1"),
    "no row": (([],), {}, ArgumentError, "each part must have at least one row"),
    "share": (([1, 2],), {"test": 1.0}, ArgumentError, "test must be a share between .*, got 1.0"),
    "rows": (([1, 2],), {"test": 2}, ArgumentError, "from 1 to 1 rows, got 2"),
    "nan": (([1, 2],), {"test": np.nan}, ArgumentError, "test must be .*, got nan"),
    "both": (
        ([1, 2],),
        {"test": 1, "sizes": (1, 1)},
        ArgumentError,
        "must be given by test or sizes, got both",
    ),
    "sum": (([1, 2],), {"sizes": (0.5, 0.4)}, ArgumentError, "add up to 1, or numbers.*to 2"),
    "nested": (([1, 2],), {"sizes": [(0.5,), 0.5]}, ArgumentError, "sizes must be shares"),
    "none": (([1, 2],), {"sizes": ()}, ArgumentError, "sizes must be shares"),
    "value": ((tg.Value([1.0, 2.0]),), {}, DtypeError, "a Value"),
    "alone": (
        ([0, 0, 0, 1],),
        {"test": 0.5, "stratify": [0, 0, 0, 1]},
        ArgumentError,
        "each class must have at least 2 rows, one for each part, got 1 of class 1; merge",
    ),
    "labels": (
        ([1, 2],),
        {"stratify": [0], "test": 1},
        ShapeError,
        r"stratify must have shape \(2,\), a label",
    ),
    "ordered": (
        ([1, 2],),
        {"stratify": [0, 0], "shuffle": False, "test": 1},
        ArgumentError,
        "shuffle must be True for stratify, got False",
    ),
}


@pytest.mark.parametrize(("data", "settings", "kind", "told"), SPLITS.values(), ids=SPLITS)
def test_what_cannot_be_split_is_answered_in_one_sentence(data, settings, kind, told):
    with pytest.raises(kind, match=told) as caught:
        split(*data, **settings)
    assert str(caught.value).startswith("split: ") and "\n" not in str(caught.value)


@quick
@given(arrays(np.int64, array_shapes(min_dims=0, max_dims=3), elements=st.integers(0, 8)))
def test_one_hot_is_one_in_the_column_of_the_label_alone(labels):
    out = one_hot(labels, 9)
    assert out.shape == (*labels.shape, 9) and out.dtype == np.float32
    assert (out.argmax(axis=-1) == labels).all() and (out.sum(axis=-1) == 1).all()
    assert ((out == 0) | (out == 1)).all()
    np.testing.assert_array_equal(one_hot(labels), out[..., : labels.max() + 1])


@pytest.mark.torch
def test_one_hot_is_pytorchs():
    torch = pytest.importorskip("torch")
    labels = np.array([[0, 3], [2, 1]])
    expected = torch.nn.functional.one_hot(torch.tensor(labels), 5).numpy()
    np.testing.assert_array_equal(one_hot(labels, 5, dtype=np.int64), expected)


def test_no_labels_have_no_rows():
    assert one_hot(np.zeros(0, int), 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "classes", "kind", "told"),
    [
        ([0, 3], 3, IndexError, "from 0 to 2 .*, got 3 in row 1"),
        ([0, -1], None, ArgumentError, "labels must be .*got -1 in row 1"),
        ([-2], None, IndexError, "labels must be .*got -2 in row 0"),
        ([0.5], 3, DtypeError, "labels must be integers"),
        ([], None, DtypeError, "labels must be integers"),
        (np.zeros(0, int), None, ArgumentError, "classes must be given if there are no labels"),
        ([0], 0, ArgumentError, "classes must be an integer >= 1, got 0"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels, classes, kind, told):
    with pytest.raises(kind, match=f"one_hot: .*{told}|one_hot: {told}"):
        one_hot(labels, classes)
