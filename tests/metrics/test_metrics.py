"""Metrics: by hand, by closed forms, and as scikit-learn's; what they decide, what they refuse."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr import losses, metrics
from tinygrad_lr.errors import ArgumentError, DtypeError, LabelError, ShapeError

LOGITS = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 2.0], [5.0, 1.0, 4.0]])
LABELS = np.array([0, 1, 2, 2])
OF_LABELS = [
    *(metrics.accuracy, metrics.precision, metrics.recall, metrics.f1),
    *(metrics.confusion_matrix, metrics.top_k(2)),
]
FIGURES = [metrics.precision, metrics.recall, metrics.f1]
OF_NUMBERS = [metrics.mse, metrics.rmse, metrics.mae, metrics.r2]
labels_of = lambda classes: hnp.arrays(np.int64, 12, elements=st.integers(0, classes - 1))
numbers = hnp.arrays(np.float64, 6, elements=st.floats(-100, 100))


# ---- classes, by hand


def test_accuracy_takes_the_largest_logit():
    assert metrics.accuracy(LOGITS, LABELS) == 0.75
    assert metrics.accuracy(tg.softmax(LOGITS), LABELS) == 0.75
    assert metrics.accuracy(tg.Value(LOGITS), LABELS.astype(float)) == 0.75


def test_accuracy_of_one_logit_a_row_is_that_of_its_sign():
    for logits in (np.array([-1.0, 0.5, 0.0, 2.0]), np.array([[-1.0], [0.5], [0.0], [2.0]])):
        assert metrics.accuracy(logits, [0, 1, 1, 1]) == 0.75
        assert metrics.accuracy(logits, [-1, 1, 1, 1]) == 0.75
    assert metrics.accuracy([[-1.0], [0.5]], [[0.0], [1.0]]) == 1.0


@pytest.mark.parametrize("metric", [*OF_LABELS[:5]], ids=lambda f: f.__name__)
@quick
@given(hnp.arrays(np.float64, 8, elements=st.floats(0.01, 0.99)), labels_of(2))
def test_probabilities_are_decided_at_one_half_or_refused(metric, probabilities, labels):
    logits, labels = np.log(probabilities) - np.log1p(-probabilities), labels[:8]
    expected = np.asarray(metric(logits, labels, threshold=0.0))
    for column in (probabilities, probabilities[:, None], tg.Value(probabilities)):
        assert (np.asarray(metric(column, labels, threshold=0.5)) == expected).all()
        if (probabilities > 0.5).all():  # positive either way
            assert (np.asarray(metric(column, labels)) == expected).all()
        else:
            with pytest.raises(ArgumentError, match=r"pass threshold=0\.5 for probabilities"):
                metric(column, labels)


def test_a_threshold_is_a_number_and_decides_one_score_a_row():
    assert metrics.ConfusionMatrix.of([0.2, 0.9], [0, 1], threshold=0.5).accuracy == 1
    assert metrics.accuracy([-3.0, -1.0], [0, 1], threshold=-2) == 1
    for wrong in (math.nan, math.inf, "0.5", True):
        with pytest.raises(ArgumentError, match="threshold must be a finite number or None"):
            metrics.accuracy([0.5], [1], threshold=wrong)
    for scores, labels in ((LOGITS, LABELS), (LABELS, LABELS)):
        with pytest.raises(ArgumentError, match="threshold must be None for"):
            metrics.accuracy(scores, labels, threshold=0.5)


@pytest.mark.parametrize("metric", [*metrics.BY_NAME.values()], ids=metrics.BY_NAME)
def test_masked_arrays_are_refused(metric):
    logits, labels = np.zeros((4, 6)), np.array([0, 1, 2, 2])
    numbers = metric.__name__ in {"mae", "mse", "rmse", "r2"}
    target = logits if numbers else labels
    for pair in [(np.ma.array(logits), target), (logits, np.ma.array(target))]:
        with pytest.raises(DtypeError, match="masked"):
            metric(*pair)


def test_accuracy_of_labels_is_how_many_are_equal():
    assert metrics.accuracy([0, 1, 2, 2], [0, 1, 1, 2]) == 0.75
    assert metrics.accuracy(LOGITS > 1, LOGITS > 2) == pytest.approx(10 / 12)


def test_accuracy_of_sequences_counts_every_place():
    logits = np.stack([LOGITS, LOGITS[::-1]])
    assert metrics.accuracy(logits, np.stack([LABELS, LABELS[::-1]])) == 0.75


def test_top_k_counts_the_k_largest_and_the_first_of_equal_ones():
    assert metrics.top_k(2)(LOGITS, LABELS) == 1.0
    assert metrics.top_k(2)(np.zeros((3, 3)), [0, 1, 2]) == pytest.approx(2 / 3)
    assert metrics.top_k(5).__name__ == "top_5"


@quick
@given(hnp.arrays(np.float64, (12, 4), elements=st.integers(-2, 2)), labels_of(4))
def test_top_one_is_accuracy_and_top_all_is_one(logits, labels):
    found = [metrics.top_k(k)(logits, labels) for k in (1, 2, 3, 4)]
    assert found[0] == metrics.accuracy(logits, labels) and found[3] == 1.0
    assert found == sorted(found)


def test_the_confusion_matrix_has_the_true_classes_as_rows():
    expected = [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert metrics.confusion_matrix(LOGITS, LABELS).tolist() == expected
    assert metrics.confusion_matrix([0.5, -0.5, 0.5], [1, 1, 0]).tolist() == [[0, 1], [1, 1]]
    assert metrics.confusion_matrix([0, 1], [1, 1], classes=3).shape == (3, 3)


@quick
@given(labels_of(4), labels_of(4))
def test_its_diagonal_is_the_accuracy_and_its_margins_count_the_labels(predicted, true):
    matrix = metrics.confusion_matrix(predicted, true, classes=4)
    assert np.trace(matrix) / 12 == metrics.accuracy(predicted, true)
    np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(true, minlength=4))
    np.testing.assert_array_equal(matrix.sum(axis=0), np.bincount(predicted, minlength=4))


@pytest.mark.slow
@quick
@given(labels_of(2), labels_of(2))
def test_f1_is_the_harmonic_mean_of_precision_and_recall(predicted, true):
    p, r = metrics.precision(predicted, true), metrics.recall(predicted, true)
    expected = 2 * p * r / (p + r) if p + r else 0.0
    assert metrics.f1(predicted, true) == pytest.approx(expected)


def test_precision_and_recall_of_two_classes_are_those_of_class_one():
    predicted, true = [1, 1, 1, 0, 0], [1, 1, 0, 1, 0]
    assert metrics.precision(predicted, true) == metrics.recall(predicted, true)
    assert metrics.precision([1, 1, 1, 0], [1, 0, 0, 1]) == pytest.approx(1 / 3)
    assert metrics.recall([1, 1, 1, 0], [1, 0, 0, 1]) == 0.5
    assert [f([0, 0], [0, 0]) for f in FIGURES] == [0.0, 0.0, 0.0]


def test_of_more_classes_they_are_the_mean_over_the_classes():
    assert metrics.recall(LOGITS, LABELS) == pytest.approx((1 + 1 + 0.5) / 3)
    assert metrics.precision(LOGITS, LABELS) == pytest.approx((0.5 + 1 + 1) / 3)
    assert metrics.recall(LOGITS, LABELS, average="weighted") == 0.75


def test_the_mean_over_the_classes_leaves_out_those_that_never_occur():
    assert metrics.recall([0, 2], [0, 2], average="macro") == 1.0
    assert metrics.recall([0, 0], [0, 1], average="macro") == 0.5
    assert metrics.precision([0, 3, 3], [0, 0, 3], average="macro") == 0.75


def test_top_k_looks_along_the_last_axis_and_refuses_masked_scores():
    scores = LOGITS.reshape(2, 2, 3)
    for k in (1, 2):
        best = np.argsort(-LOGITS, axis=1)[:, :k]
        expected = np.mean([y in row for y, row in zip(LABELS, best, strict=True)])
        assert metrics.top_k(k)(scores, LABELS.reshape(2, 2)) == expected
    with pytest.raises(DtypeError, match="top_2: prediction must"):
        metrics.top_k(2)(np.ma.masked_less(LOGITS, 1.0), LABELS)


@pytest.mark.parametrize("metric", [*OF_LABELS[:4], metrics.top_k(1)])
def test_without_rows_and_with_nan_there_is_no_figure(metric):
    assert math.isnan(metric(np.zeros((0, 3)), np.zeros(0, int)))
    assert math.isnan(metric([[np.nan, 0.0], [0.0, 1.0]], [0, 1]))


# ---- the table


def test_a_confusion_matrix_prints_as_a_table():
    matrix = metrics.ConfusionMatrix.of(LOGITS, LABELS, labels=["ant", "bee", "wasp"])
    lines = str(matrix).splitlines()
    assert lines[0].split() == ["true", "\\", "predicted", "ant", "bee", "wasp", "recall"]
    assert lines[3].split() == ["wasp", "1", "0", "1", "0.500"]
    assert lines[4].split() == ["precision", "0.500", "1.000", "1.000"]
    assert matrix.accuracy == 0.75


def test_classes_without_names_are_numbered_from_zero_and_names_may_be_any_objects():
    assert metrics.ConfusionMatrix.of([2, 0], [2, 1]).labels == ("0", "1", "2")
    assert metrics.ConfusionMatrix.of([1, 0], [1, 1], labels=[3.5, None]).labels == ("3.5", "None")
    assert metrics.ConfusionMatrix.of([1, 0], [1, 1], labels=[*"abc"]).counts.shape == (3, 3)


def test_a_class_that_never_occurs_has_no_figure_in_the_table():
    lines = str(metrics.ConfusionMatrix.of([0, 0], [0, 0], labels=["a", "b"])).splitlines()
    assert lines[2].split() == ["b", "0", "0", "-"] and lines[3].split()[-1] == "-"


def test_labels_in_the_table_cannot_move_a_cursor_or_run_wide():
    names = ["a\x1b[31m\nb", "\u202eevil", "x" * 500]
    text = str(metrics.ConfusionMatrix(np.eye(3, dtype=int), tuple(names)))
    assert len(text.splitlines()) == 5 and max(map(len, text.splitlines())) < 100
    assert all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize(
    ("counts", "labels", "match"),
    [
        (np.ones((2, 3), int), "ab", r"shape \(classes, classes\), got \(2, 3\)"),
        (np.eye(2), "ab", "counts must be integers, got dtype float64"),
        (-np.eye(2, dtype=int), "ab", "counts must be >= 0, got -1"),
        (np.eye(2, dtype=int), "a", "labels must be 2, one for each class, got 1"),
    ],
)
def test_a_confusion_matrix_is_a_square_of_counts_with_a_label_each(counts, labels, match):
    with pytest.raises(ArgumentError, match=match):
        metrics.ConfusionMatrix(counts, tuple(labels))


# ---- numbers


@quick
@given(numbers, numbers)
def test_errors_of_numbers_are_those_of_the_losses(prediction, target):
    assert metrics.mse(prediction, target) == pytest.approx(losses.mse(prediction, target))
    assert metrics.mae(prediction, target) == pytest.approx(losses.mae(prediction, target))
    assert metrics.rmse(prediction, target) ** 2 == pytest.approx(metrics.mse(prediction, target))


def test_r2_is_one_for_the_target_zero_for_its_mean_and_less_beyond():
    y = np.array([1.0, 2.0, 4.0, 5.0])
    assert metrics.r2(y, y) == 1.0 and metrics.r2(np.full(4, 3.0), y) == 0.0
    assert metrics.r2(y[::-1], y) == pytest.approx(-3.0)


def test_r2_of_columns_is_their_mean_and_of_a_constant_zero_or_one():
    y = np.array([[1.0, 0.1], [2.0, 0.1], [3.0, 0.1]])
    assert metrics.r2(y, y) == 1.0
    assert metrics.r2(y + np.array([0.0, 1.0]), y) == 0.5
    assert math.isnan(metrics.r2([1.0], [1.0])) and math.isnan(metrics.r2(1.0, 1.0))


def test_large_numbers_in_float32_are_computed_in_float64():
    y = np.array([1e4, 1e4 + 1, 1e4 + 2], np.float32)
    assert metrics.r2(y + np.float32(1), y) == -0.5
    assert metrics.mse(np.full(9, 3e19, np.float32), np.zeros(9)) == pytest.approx(9e38)


@pytest.mark.parametrize("metric", OF_NUMBERS)
def test_without_entries_there_is_no_figure_and_nan_travels(metric):
    assert math.isnan(metric(np.zeros(0), np.zeros(0)))
    assert math.isnan(metric([np.nan, 1.0], [0.0, 1.0]))


@pytest.mark.parametrize("metric", [*metrics.BY_NAME.values()], ids=metrics.BY_NAME)
def test_a_metric_is_a_python_float_of_arrays_and_of_values(metric):
    x, y = np.eye(6), np.arange(6)
    y = np.eye(6)[::-1] if metric in OF_NUMBERS else y
    assert type(metric(x, y)) is float and metric(tg.Value(x), y) == metric(x, y)
    assert metric.__doc__


def test_the_named_metrics_have_their_names():
    assert {name: f.__name__ for name, f in metrics.BY_NAME.items()} == {
        name: name for name in metrics.BY_NAME
    }
    assert functools.partial(metrics.f1, average="weighted")(LOGITS, LABELS) > 0


# ---- what is refused


@pytest.mark.parametrize("metric", OF_LABELS, ids=lambda f: f.__name__)
def test_a_label_that_is_no_class_is_refused(metric):
    with pytest.raises(LabelError, match=r"from 0 to 2 .*got 3 in row 1"):
        metric(LOGITS, [0, 3, 1, 2])


@pytest.mark.parametrize("metric", OF_LABELS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("target", [[0.5, 1, 0, 1], [np.nan, 1, 0, 1], list("abca")])
def test_a_target_that_is_no_label_is_refused(metric, target):
    with pytest.raises(DtypeError, match="target must be integer labels, got "):
        metric(LOGITS, target)


@pytest.mark.parametrize("metric", OF_LABELS[:5], ids=lambda f: f.__name__)
def test_shapes_that_do_not_belong_together_are_refused_with_the_cure(metric):
    with pytest.raises(ShapeError, match=r"pass target\[\.\.\., 0\]"):
        metric(LOGITS, LABELS[:, None])
    with pytest.raises(ShapeError, match=r"one-hot rows pass target.argmax\(-1\)"):
        metric(LOGITS, np.eye(3)[LABELS])
    with pytest.raises(ShapeError, match=r"must be labels of shape \(4,\), got shape \(3,\)"):
        metric(LOGITS, LABELS[:3])


def test_one_logit_a_row_has_two_classes():
    with pytest.raises(LabelError, match=r"labels must be 0 and 1, or -1 and 1, .*, got 2"):
        metrics.accuracy(LOGITS[:, 0], LABELS)


@pytest.mark.parametrize("metric", OF_NUMBERS)
def test_numbers_of_shapes_that_only_broadcast_are_refused(metric):
    with pytest.raises(ShapeError, match=r"pass target\[\.\.\., None\]"):
        metric(np.ones((4, 1)), np.ones(4))
    with pytest.raises(DtypeError, match="target must contain integers or floats"):
        metric(np.ones(2), ["a", "b"])


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3"])
def test_k_is_a_whole_number_from_one(k):
    with pytest.raises(ArgumentError, match="top_k: k must be an integer >= 1"):
        metrics.top_k(k)


def test_k_and_the_averages_and_classes_fit():
    with pytest.raises(ArgumentError, match="top_4: prediction must have at least 4 classes"):
        metrics.top_k(4)(LOGITS, LABELS)
    with pytest.raises(ArgumentError, match="average must be 'binary', 'macro'"):
        metrics.f1(LOGITS, LABELS, average="micro")
    with pytest.raises(ArgumentError, match="must be 'macro' or 'weighted' for 3 classes"):
        metrics.f1(LOGITS, LABELS, average="binary")
    with pytest.raises(LabelError, match=r"labels must be from 0 to 1 .*, got 2"):
        metrics.confusion_matrix(LABELS, LABELS, classes=2)
    with pytest.raises(ArgumentError, match="prediction must not contain nan"):
        metrics.confusion_matrix([np.nan, 1.0], [0, 1])


# ---- scikit-learn


def sklearn():
    return pytest.importorskip("sklearn.metrics")


RANDOM = np.random.default_rng(0)
TRUE, GUESSED = RANDOM.integers(0, 4, 60), RANDOM.integers(0, 4, 60)
SCORES = RANDOM.normal(size=(60, 4))


@pytest.mark.slow
def test_the_confusion_matrix_and_accuracy_equal_scikit_learns():
    peer, guess = sklearn(), SCORES.argmax(axis=1)
    expected = peer.confusion_matrix(TRUE, guess)
    np.testing.assert_array_equal(metrics.confusion_matrix(SCORES, TRUE), expected)
    assert metrics.accuracy(SCORES, TRUE) == pytest.approx(peer.accuracy_score(TRUE, guess))
    for k in (1, 2, 3):
        expected = peer.top_k_accuracy_score(TRUE, SCORES, k=k)
        assert metrics.top_k(k)(SCORES, TRUE) == pytest.approx(expected)


@pytest.mark.parametrize("metric", FIGURES)
@pytest.mark.parametrize("average", ["binary", "macro", "weighted"])
@pytest.mark.parametrize("absent", [False, True])
def test_precision_recall_and_f1_equal_scikit_learns(metric, average, absent):
    function = getattr(sklearn(), f"{metric.__name__}_score")
    true, guessed = (TRUE % 2, GUESSED % 2) if average == "binary" else (TRUE, GUESSED)
    if absent:  # class 1 is never predicted
        guessed = np.where(guessed == 1, 0, guessed)
    expected = function(true, guessed, average=average, zero_division=0)
    assert metric(guessed, true, average) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(30,), (30, 3)])
def test_figures_of_numbers_equal_scikit_learns(shape):
    peer, y, x = sklearn(), RANDOM.normal(size=shape), RANDOM.normal(size=shape)
    assert metrics.r2(x, y) == pytest.approx(peer.r2_score(y, x))
    assert metrics.mse(x, y) == pytest.approx(peer.mean_squared_error(y, x))
    assert metrics.mae(x, y) == pytest.approx(peer.mean_absolute_error(y, x))
    constant = np.full(shape, 0.5)  # of 0.1, whose mean is rounded, scikit-learn makes -1e33
    assert metrics.r2(x, constant) == peer.r2_score(constant, x) == 0.0
    assert metrics.r2(constant, constant) == peer.r2_score(constant, constant) == 1.0


# ---- how a prediction is decided


@pytest.mark.parametrize("negative", [0, -1])
@pytest.mark.parametrize("shape", [(5,), (5, 1)])
@pytest.mark.parametrize("threshold", [None, 0.0, 0.5, -1.5])
def test_a_score_is_positive_above_the_threshold_and_not_at_it(negative, shape, threshold):
    border = threshold or 0.0
    scores = np.array([border - 2.0, border - 1e-9, border, border + 1e-9, border + 2.0])
    labels = np.array([negative, negative, negative, 1, 1])
    options = {} if threshold is None else {"threshold": threshold}
    assert metrics.accuracy(scores.reshape(shape), labels, **options) == 1.0
    matrix = metrics.confusion_matrix(scores.reshape(shape), labels, **options)
    assert matrix.tolist() == [[3, 0], [0, 2]]
    assert math.isnan(metrics.accuracy(np.where(labels == 1, math.nan, scores), labels, **options))


@pytest.mark.parametrize(
    ("scores", "certain"),
    [
        ([0.6, 0.9], True),
        ([0.0, 0.9], True),
        ([0.0, 0.5], False),
        ([0.4, 0.9], False),
        ([0.0, 1.0], True),
        ([-1e-9, 0.4], True),
        ([0.4, 1.0 + 1e-9], True),
        ([1.0, 0.5], False),
    ],
)
def test_numbers_from_0_to_1_are_taken_where_both_readings_decide_alike(scores, certain):
    if certain:
        expected = np.mean((np.array(scores) > 0) == [0, 1])
        assert metrics.accuracy(scores, [0, 1]) == expected
    else:
        with pytest.raises(ArgumentError, match="may be probabilities"):
            metrics.accuracy(scores, [0, 1])


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        (np.zeros((2, 3)), np.zeros((2, 2), int), "labels of shape (2,), got shape (2, 2)"),
        (np.zeros((2, 3)), np.zeros((2, 1), int), "(2,), got shape (2, 1); pass target[..., 0]"),
        (np.zeros((2, 3)), np.eye(3, dtype=int)[:2], "(2, 3); for one-hot rows pass target.argmax"),
        (0.5, [0, 1], "target must be one label, got shape (2,)"),
        (np.zeros((2, 3, 1)), np.zeros((2, 2), int), "labels of shape (2, 3), got shape (2, 2)"),
        ([0.5, 0.5], [[0], [1]], "got shape (2, 1)"),
    ],
)
def test_labels_of_another_shape_are_refused_with_the_cure(prediction, target, expected):
    with pytest.raises(ShapeError) as caught:
        metrics.accuracy(prediction, target)
    assert expected in str(caught.value)
    if "; " not in expected:
        assert str(caught.value).endswith(expected)


@pytest.mark.parametrize(
    ("labels", "bad"), [([0, 2], 2), ([-1, 0], 0), ([-1, 2], 2), ([-2, 1], -2), ([1, 3], 3)]
)
def test_one_score_a_row_has_two_labels(labels, bad):
    with pytest.raises(LabelError, match=rf"0 and 1, or -1 and 1, .* got {bad};"):
        metrics.accuracy([-0.5, 2.0], labels)


def test_labels_may_be_floats_that_are_integers_below_two_to_the_53():
    assert metrics.accuracy([3, 2**53 - 1], [3.0, 2.0**53 - 1]) == 1.0
    for target, bad in (([0.0, 0.5], "0.5"), ([2.0**53, 0.0], "9007199254740992")):
        with pytest.raises(DtypeError, match=f"integer labels, got {bad}"):
            metrics.accuracy([0, 1], target)


def test_the_counts_of_a_matrix_reach_its_last_class():
    matrix = metrics.confusion_matrix([0, 3], [3, 3])
    assert matrix.shape == (4, 4) and (matrix[3, 0], matrix[3, 3], matrix.sum()) == (1, 1, 2)
    none = np.zeros(0, int)
    assert metrics.confusion_matrix(none, none).shape == (0, 0)
    for labels, bad in (([0, 3], 3), ([-1, 0], -1)):
        with pytest.raises(LabelError, match=rf"from 0 to 2 \(3 classes\), got {bad}"):
            metrics.confusion_matrix([0, 1], labels, classes=3)
    with pytest.raises(ArgumentError, match="must not contain nan"):
        metrics.confusion_matrix([[math.nan, 1.0]], [0])


def test_a_matrix_that_no_memory_holds_is_refused_before_it_is_made():
    for options in ({"classes": 10**9}, {}):
        with pytest.raises(ArgumentError, match=r"the matrix must fit in memory, .* GB, got shape"):
            metrics.confusion_matrix([0], [10**9 - 1], **options)
    assert metrics.confusion_matrix([0, 0], [0, 0], classes=1).tolist() == [[2]]


def test_matrices_are_compared_and_hashed_as_objects():
    one, other = (metrics.ConfusionMatrix.of([0, 1], [0, 1]) for _ in range(2))
    assert one == one and one != other and len({one, other}) == 2


def test_a_label_is_cut_at_twenty_characters():
    for length, shown in ((20, "a" * 20), (21, "a" * 17 + "...")):
        text = str(metrics.ConfusionMatrix.of([0, 1], [0, 1], labels=["a" * length, "b"]))
        assert text.splitlines()[1].split()[0] == shown


@pytest.mark.parametrize("k", [1, 3])
def test_top_k_names_itself_and_the_classes_it_needs(k):
    assert metrics.top_k(k)(np.zeros((1, k)), [0]) == 1.0
    words = rf"top_{k}: prediction must have at least {k} classes, got shape \(1, {k - 1}\)"
    with pytest.raises(ArgumentError, match=words):
        metrics.top_k(k)(np.zeros((1, k - 1)), [0])
    with pytest.raises(ArgumentError, match=r"classes, got shape \(\)"):
        metrics.top_k(k)(1.0, 0)
    assert math.isnan(metrics.top_k(k)([[math.nan] * 3], [0]))


def test_two_classes_of_three_columns_are_averaged_and_binary_is_refused():
    assert metrics.recall([[2.0, 1.0, 0.0]], [0]) == 1.0
    with pytest.raises(ArgumentError, match="'macro' or 'weighted' for 3 classes, got 'binary'"):
        metrics.recall([0, 1, 2], [0, 1, 2], average="binary")
    assert metrics.recall([0, 1, 1], [0, 1, 0], average="binary") == 1.0
    assert metrics.recall([0, 1, 1], [0, 1, 0], average="macro") == 0.75
    assert metrics.recall([0, 1, 1], [0, 1, 0], average="weighted") == pytest.approx(2 / 3)


def test_r2_of_two_rows_and_of_one():
    assert metrics.r2([1.0, 3.0], [1.0, 3.0]) == 1.0 and math.isnan(metrics.r2([1.0], [1.0]))
    assert math.isnan(metrics.r2(1.0, 1.0)) and math.isnan(
        metrics.r2(np.ones((2, 0)), np.ones((2, 0)))
    )
    assert metrics.r2([2.0, 2.0], [1.0, 1.0]) == 0.0 == metrics.r2([1.0, 2.0], [1.0, 1.0])
