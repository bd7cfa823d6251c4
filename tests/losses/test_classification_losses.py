"""Losses of classes: values, gradients and options as PyTorch's, finite for any logits, strict."""

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
from tinygrad_lr import losses
from tinygrad_lr.errors import ArgumentError, DtypeError, LabelError, ShapeError

LOGITS = np.random.default_rng(0).normal(size=(5, 3)) * 2
LABELS = np.array([2, 0, 1, 1, 2])
P = np.random.default_rng(1).dirichlet(np.ones(3), size=5)
YES = np.array([1.0, 0.0, 1.0, 0.0, 0.5])
WEIGHTS = np.array([0.5, 2.0, 1.0])
HUGE = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, -1e4, 1e4]])

REDUCTIONS = ["mean", "sum", "none"]
OF_LABELS = [
    {},
    {"weights": WEIGHTS},
    {"ignore_index": 1},
    {"ignore_index": 1, "weights": WEIGHTS},
    {"label_smoothing": 0.2},
    {"label_smoothing": 0.2, "weights": WEIGHTS, "ignore_index": 1},
]
OF_P = [
    {},
    {"weights": WEIGHTS},
    {"label_smoothing": 0.2},
    {"label_smoothing": 0.2, "weights": WEIGHTS},
]
each_option = pytest.mark.parametrize("options", OF_LABELS, ids=lambda o: "+".join(o) or "plain")
each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)

ALL = {
    "labels": lambda x, **o: losses.cross_entropy(x, LABELS, **o),
    "labels with all options": lambda x, **o: losses.cross_entropy(x, LABELS, **OF_LABELS[-1], **o),
    "weights and ignored": lambda x, **o: losses.cross_entropy(x, LABELS, **OF_LABELS[3], **o),
    "all ignored": lambda x, **o: losses.cross_entropy(x, [1] * 5, ignore_index=1, **o),
    "probabilities": lambda x, **o: losses.cross_entropy(x, P, **OF_P[-1], **o),
    "nll": lambda x, **o: losses.nll(tg.log_softmax(x), LABELS, weights=WEIGHTS, **o),
    "kl": lambda x, **o: losses.kl_divergence(x, P, **o),
    "kl of logits": lambda x, **o: losses.kl_divergence(x, LOGITS[::-1], log_target=True, **o),
    "binary": lambda x, **o: losses.binary_cross_entropy(x[:, 0], YES, **o),
    "binary weighted": lambda x, **o: losses.binary_cross_entropy(
        x[:, 0], YES, weights=P[:, 0], pos_weight=3.0, **o
    ),
    "hinge": lambda x, **o: losses.hinge(x, LABELS, **o),
    "hinge of sides": lambda x, **o: losses.hinge(x[:, 0], np.sign(P[:, 0] - 0.3), **o),
}
each_loss = pytest.mark.parametrize("loss", ALL.values(), ids=ALL)


# ---- closed forms


def test_cross_entropy_is_the_logarithm_of_the_right_classs_probability():
    powers = np.exp(LOGITS)
    right = (powers / powers.sum(1, keepdims=True))[np.arange(5), LABELS]
    found = losses.cross_entropy(LOGITS, LABELS, reduction="none")
    np.testing.assert_allclose(found, -np.log(right), rtol=1e-14)


def test_its_derivative_is_softmax_less_the_one_hot_label():
    x = tg.Value(LOGITS)
    losses.cross_entropy(x, LABELS, reduction="sum").backward()
    np.testing.assert_allclose(x.grad, tg.softmax(LOGITS) - np.eye(3)[LABELS], atol=1e-15)


def test_one_hot_labels_are_probabilities():
    expected = losses.cross_entropy(LOGITS, LABELS)
    assert losses.cross_entropy(LOGITS, np.eye(3, dtype=int)[LABELS]) == pytest.approx(expected)


def rows_by_hand(p, weights=(1.0, 1.0, 1.0), label_smoothing=0.0):
    """-Σ w_k ((1 - ε) p_k + ε/C) ln softmax_k of each row, a number at a time."""
    rows = []
    for x, shares in zip(LOGITS, p, strict=True):
        normalizer = math.log(sum(math.exp(entry) for entry in x))
        smooth = [(1 - label_smoothing) * share + label_smoothing / 3 for share in shares]
        rows.append(
            -sum(w * q * (e - normalizer) for w, q, e in zip(weights, smooth, x, strict=True))
        )
    return np.array(rows)


@pytest.mark.parametrize("options", OF_P, ids=lambda o: "+".join(o) or "plain")
def test_smoothing_and_weights_of_probabilities_are_those_of_the_docstring(options):
    rows = rows_by_hand(P, **options)
    for reduction, expected in [("none", rows), ("sum", rows.sum()), ("mean", rows.mean())]:
        found = losses.cross_entropy(LOGITS, P, reduction=reduction, **options)
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@each_option
def test_smoothing_weights_and_ignored_labels_are_those_of_the_docstring(options):
    kept = ~np.isin(LABELS, options.get("ignore_index", -1))
    plain = {name: x for name, x in options.items() if name != "ignore_index"}
    rows = rows_by_hand(np.eye(3)[LABELS], **plain) * kept
    mass = (options.get("weights", np.ones(3))[LABELS] * kept).sum()
    for reduction, expected in [("none", rows), ("sum", rows.sum()), ("mean", rows.sum() / mass)]:
        found = losses.cross_entropy(LOGITS, LABELS, reduction=reduction, **options)
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        (shape, axis)
        for shape in [(3,), (2, 3), (3, 3, 3)]
        for axis in range(-len(shape), len(shape))
    ],
)
def test_probabilities_of_any_shape_on_any_axis_are_the_rows_one_by_one(shape, axis):
    random = np.random.default_rng(len(shape))
    x, p = random.normal(size=(2, *shape))
    p = np.exp(p) / np.exp(p).sum(axis, keepdims=True)
    both = [np.moveaxis(array, axis, -1).reshape(-1, shape[axis]) for array in (x, p)]
    for loss in (losses.cross_entropy, losses.kl_divergence):
        found = loss(x, p, axis=axis, reduction="none")
        expected = [loss(row, target) for row, target in zip(*both, strict=True)]
        np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_the_likelihoods_of_sequences_are_those_of_the_logits_on_any_axis(axis):
    x = np.random.default_rng(0).normal(size=(3, 3, 3))
    labels = np.random.default_rng(1).integers(0, 3, (3, 3))
    logarithms = x - np.log(np.exp(x).sum(axis, keepdims=True))
    found = losses.nll(logarithms, labels, axis=axis, reduction="none")
    rows = -np.take_along_axis(np.moveaxis(logarithms, axis, -1), labels[..., None], -1)[..., 0]
    np.testing.assert_allclose(found, rows, rtol=1e-14)
    assert losses.nll(logarithms, labels, axis=axis) == pytest.approx(rows.mean())


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes():
    assert losses.cross_entropy(np.ones((4, 7)), [0, 3, 6, 2]) == pytest.approx(np.log(7))
    assert losses.binary_cross_entropy(np.zeros(3), [0, 1, 0.5]) == pytest.approx(np.log(2))


def test_binary_cross_entropy_is_the_cross_entropy_of_two_classes():
    x = LOGITS[:, 0]
    two = np.stack([np.zeros(5), x], axis=1)
    expected = losses.cross_entropy(two, np.stack([1 - YES, YES], axis=1), reduction="none")
    found = losses.binary_cross_entropy(x, YES, reduction="none")
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_the_divergence_of_a_distribution_from_itself_is_zero_and_flat():
    x = tg.Value(LOGITS)
    loss = losses.kl_divergence(x, LOGITS, log_target=True)
    loss.backward()
    assert abs(loss.item()) < 1e-15 and np.abs(x.grad).max() < 1e-15


def test_logits_and_their_log_probabilities_have_the_same_divergence():
    found = losses.kl_divergence(tg.log_softmax(LOGITS), P)
    assert found == pytest.approx(losses.kl_divergence(LOGITS, P), rel=1e-13)


def test_a_class_of_probability_zero_adds_nothing_to_the_divergence():
    assert losses.kl_divergence([[0.0, 0.0]], [[1.0, 0.0]]) == pytest.approx(np.log(2))


@quick
@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=4, max_side=3), st.integers(0, 99))
def test_any_shape_on_any_axis_is_the_rows_one_by_one(data, shape, seed):
    random = np.random.default_rng(seed)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = random.normal(size=shape)
    labels = random.integers(0, shape[axis], np.delete(shape, axis))
    found = losses.cross_entropy(x, labels, axis=axis, reduction="none")
    rows = np.moveaxis(x, axis, -1).reshape(-1, shape[axis])
    expected = [losses.cross_entropy(r, y) for r, y in zip(rows, labels.ravel(), strict=True)]
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-12, atol=1e-14)
    assert np.shape(found) == labels.shape
    tg.check_gradients(lambda x: losses.cross_entropy(x, labels, axis=axis), x, order=1)


# ---- derivatives


@each_reduction
@each_loss
def test_derivatives_agree_with_differences_to_second_order(loss, reduction):
    tg.check_gradients(lambda x: loss(x, reduction=reduction), LOGITS, order=2)


@each_reduction
@each_loss
def test_a_compiled_loss_and_its_gradient_are_those_of_eager_code(loss, reduction):
    f = tg.value_and_grad(lambda x: np.sum(loss(x, reduction=reduction)))
    compiled = tg.compile(f, backend="numpy")
    for x in (LOGITS, LOGITS[::-1].copy()):
        for found, expected in zip(compiled(x), f(x), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.kl_divergence])
def test_a_target_that_is_a_value_of_probabilities_has_derivatives_too(loss):
    tg.check_gradients(lambda x, z: loss(x, tg.softmax(z)), LOGITS, LOGITS[::-1], order=2)


def test_the_hinge_is_flat_at_its_bend():
    x = tg.Value([1.0, -1.0])
    losses.hinge(x, [1, -1]).backward()
    assert x.grad.tolist() == [0.0, 0.0]


@each_loss
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_of_the_logits_stays(loss, dtype):
    x = tg.Value(LOGITS.astype(dtype))
    result = loss(x)
    result.backward()
    assert result.dtype == dtype == x.grad.dtype


@each_loss
def test_plain_logits_give_plain_numbers(loss):
    assert not isinstance(loss(LOGITS), tg.Value)
    assert loss(LOGITS) == pytest.approx(loss(tg.Value(LOGITS)).data, rel=1e-15)


# ---- logits of any size


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "loss",
    [
        *(functools.partial(losses.cross_entropy, **options) for options in OF_LABELS),
        losses.hinge,
        lambda x, y: losses.nll(tg.log_softmax(x), y),
        lambda x, y: losses.cross_entropy(x, np.eye(3)[y]),
        lambda x, y: losses.kl_divergence(x, np.eye(3)[y]),
        lambda x, y: losses.kl_divergence(x, -x.detach(), log_target=True),
        lambda x, y: losses.binary_cross_entropy(x, np.eye(3)[y]),
        lambda x, y: losses.binary_cross_entropy(x, np.eye(3)[y], pos_weight=2.0, weights=3.0),
    ],
)
def test_huge_logits_have_finite_losses_and_gradients(loss, dtype):
    for labels in ([0, 1, 2], [1, 0, 0], [2, 2, 1]):
        x = tg.Value(HUGE.astype(dtype))
        with np.errstate(all="raise", under="ignore"):
            result = loss(x, np.array(labels))
            result.backward()
        assert np.isfinite(result.data) and np.isfinite(x.grad).all()


def test_huge_logits_have_the_right_loss_and_the_right_gradient():
    x = tg.Value(np.array([[1e4, -1e4, 1e4]], np.float32))
    loss = losses.cross_entropy(x, [1])
    loss.backward()
    assert loss.item() == pytest.approx(2e4 + np.log(2)) and x.grad.tolist() == [[0.5, -1.0, 0.5]]
    y = tg.Value([-1000.0])
    loss = losses.binary_cross_entropy(y, [1])
    loss.backward()
    assert (loss.item(), y.grad.tolist()) == (1000.0, [-1.0])  # N6


def test_a_sure_and_right_prediction_has_a_small_loss_to_all_digits():
    found = losses.binary_cross_entropy(np.array([40.0, -40.0]), [1, 0], reduction="none")
    np.testing.assert_allclose(found, np.log1p(np.exp(-40.0)), rtol=1e-14)


def test_a_class_that_is_ruled_out_by_minus_infinity_has_no_gradient():
    x = tg.Value([[0.0, -np.inf, 0.0]])
    losses.cross_entropy(x, [0]).backward()
    assert x.grad.tolist() == [[-0.5, 0.0, 0.5]]


def test_nan_travels():
    assert np.isnan(losses.cross_entropy([[np.nan, 0.0]], [1]))
    assert np.isnan(losses.binary_cross_entropy([np.nan], [1]))


# ---- options


def test_the_hinge_of_labels_on_any_number_of_axes_is_that_of_the_rows_one_by_one():
    x, labels = LOGITS[:4].reshape(2, 2, 3), LABELS[:4].reshape(2, 2)
    found = losses.hinge(x, labels, reduction="none")
    rows = [
        sum(max(0.0, 1 - row[y] + row[k]) for k in range(3) if k != y) / 3
        for row, y in zip(LOGITS[:4], LABELS[:4], strict=True)
    ]
    np.testing.assert_allclose(found, np.reshape(rows, (2, 2)), rtol=1e-14)
    assert losses.hinge(LOGITS[0], LABELS[0]) == pytest.approx(rows[0], rel=1e-14)
    assert losses.hinge(x[:, :1], labels[:, :1]) == pytest.approx((rows[0] + rows[2]) / 2)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_where_all_rows_are_ignored_loss_and_gradient_are_zero(reduction, smoothing):
    x = tg.Value(LOGITS)
    options = {"ignore_index": 9, "label_smoothing": smoothing, "reduction": reduction}
    loss = losses.cross_entropy(x, np.full(5, 9), **options)
    loss.backward()
    assert loss.item() == 0 and not x.grad.any()


def test_ignored_rows_change_nothing_whatever_is_in_them():
    x = np.concatenate([LOGITS, [[np.nan, np.inf, 0.0]]])
    found = losses.cross_entropy(x, [*LABELS, -100], ignore_index=-100)
    assert found == pytest.approx(losses.cross_entropy(LOGITS, LABELS), rel=1e-14)


def test_a_loss_with_options_is_handed_over_as_a_function_of_two():
    loss = functools.partial(losses.cross_entropy, ignore_index=1, weights=WEIGHTS)
    assert loss(LOGITS, LABELS) == losses.cross_entropy(
        LOGITS, LABELS, ignore_index=1, weights=WEIGHTS
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64, bool])
def test_labels_may_be_integers_of_any_kind_and_lists(dtype):
    labels = np.array([0, 1, 1, 0, 1], dtype)
    assert losses.cross_entropy(LOGITS, labels) == losses.cross_entropy(LOGITS, [0, 1, 1, 0, 1])


def test_labels_that_are_changed_afterwards_do_not_change_the_gradient():
    x, labels = tg.Value(LOGITS), LABELS.copy()
    loss = losses.cross_entropy(x, labels, reduction="sum")
    labels[:] = 0
    loss.backward()
    np.testing.assert_allclose(x.grad, tg.softmax(LOGITS) - np.eye(3)[LABELS], atol=1e-15)


# ---- what is refused


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.nll, losses.hinge])
@pytest.mark.parametrize("bad", [3, -1, 2**40])
def test_a_label_that_is_no_class_is_named_with_its_row(loss, bad):
    expected = rf"labels must be from 0 to 2 \(3 classes\), got {bad} in row 2"
    with pytest.raises(LabelError, match=expected) as caught:
        loss(tg.Value(LOGITS), [0, 1, bad, 2, 7])
    assert isinstance(caught.value, IndexError) and isinstance(caught.value, ValueError)


def test_labels_that_begin_at_one_and_a_single_logit_are_told_the_cure():
    with pytest.raises(LabelError, match="number the classes from 0: pass target - 1"):
        losses.cross_entropy(LOGITS, LABELS + 1)
    with pytest.raises(LabelError, match="for one logit per row use binary_cross_entropy"):
        losses.cross_entropy(LOGITS[:, :1], [0, 1, 0, 1, 0])
    with pytest.raises(ArgumentError, match="one logit per row use binary_cross_entropy"):
        losses.cross_entropy(LOGITS[:, :1], [[0], [1], [0], [1], [0]])


def test_the_place_of_a_bad_label_in_a_sequence_and_ignored_ones_is_told():
    logits = np.zeros((2, 4, 3))
    labels = np.array([[0, 1, -100, 2], [0, 0, 5, 0]])
    with pytest.raises(LabelError, match=r"or ignore_index -100, got 5 at \[1, 2\]"):
        losses.cross_entropy(logits, labels, ignore_index=-100)
    with pytest.raises(LabelError, match=r"got -100 at \[0, 2\]"):
        losses.cross_entropy(logits, labels)


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.nll, losses.hinge])
@pytest.mark.parametrize(
    "labels", [[0.0, 1, 2, 0, 1], list("abcab"), tg.Value(np.ones(5)), np.ma.masked_all(5, int)]
)
def test_labels_that_are_no_integers_are_a_type_error(loss, labels):
    with pytest.raises(DtypeError, match="labels must be integers, got") as caught:
        loss(tg.Value(LOGITS), labels)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("labels", "cure"),
    [(LABELS[:, None], r"pass target\[\.\.\., 0\]"), (LABELS[:4], ""), (LABELS[None], "")],
)
@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.nll, losses.hinge])
def test_labels_of_another_shape_are_refused(loss, labels, cure):
    with pytest.raises(ShapeError, match=rf"labels must have shape \(5,\), got .*{cure}"):
        loss(tg.Value(LOGITS), labels)


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.kl_divergence])
@pytest.mark.parametrize(
    "row", [[0.5, 0.4, 0.0], [1.2, -0.2, 0.0], [np.nan, 0.5, 0.5], [2.0, 1.0, 0.0]]
)
def test_probabilities_are_not_below_zero_and_add_up_to_one(loss, row):
    p = P.copy()
    p[3] = row
    with pytest.raises(ArgumentError, match=r"target row 3 must be prob.*add up to 1, got minimum"):
        loss(tg.Value(LOGITS), p)


def test_probabilities_of_float16_and_rounded_ones_pass():
    assert losses.cross_entropy(LOGITS, P.astype(np.float16)) > 0
    assert losses.cross_entropy(LOGITS.astype(np.float16), P) > 0
    assert losses.cross_entropy(LOGITS[:1], [[0.33333, 0.33333, 0.33333]]) > 0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"weights": [1.0, 2.0]},
            r"weights must have shape \(3,\), one for each class, got \(2,\)",
        ),
        ({"weights": [1.0, -2.0, 0.0]}, "weights must be finite numbers >= 0"),
        ({"weights": [1.0, np.inf, 0.0]}, "weights must be finite"),
        ({"label_smoothing": 1.5}, "label_smoothing must be a number from 0 to 1"),
        ({"label_smoothing": -0.5}, "label_smoothing must be"),
        ({"label_smoothing": "a"}, "label_smoothing must be"),
        ({"reduction": "batchmean"}, "reduction must be 'mean', 'sum' or 'none', got 'batchmean'"),
        ({"reduction": "avg", "weights": WEIGHTS}, "reduction must be"),
        ({"axis": 2}, "axis must be an integer from -2 to 1, got 2"),
        ({"ignore_index": 1.5}, "ignore_index must be an integer, got 1.5"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    with pytest.raises(ArgumentError, match=f"cross_entropy: {match}"):
        losses.cross_entropy(tg.Value(LOGITS), LABELS, **options)


def test_probabilities_have_no_label_to_ignore_and_a_number_has_no_classes():
    with pytest.raises(ArgumentError, match="target must be labels with ignore_index"):
        losses.cross_entropy(LOGITS, P, ignore_index=0)
    with pytest.raises(ShapeError, match=r"prediction must have shape \(\.\.\., classes"):
        losses.cross_entropy(tg.Value(1.0), 0)


@pytest.mark.parametrize("bad", [1.2, -0.1, np.nan, -1])
def test_a_binary_target_is_a_probability(bad):
    with pytest.raises(ArgumentError, match=r"target\[1\] must be from 0 to 1, got"):
        losses.binary_cross_entropy(tg.Value([0.0, 1.0]), [0.5, bad])


@pytest.mark.parametrize("loss", [losses.binary_cross_entropy, losses.kl_divergence])
def test_shapes_that_only_broadcast_are_refused_with_the_cure(loss):
    with pytest.raises(ShapeError, match=r"pass target\[\.\.\., None\]"):
        loss(tg.Value(np.zeros((4, 1))), np.ones(4))
    with pytest.raises(ShapeError, match=r"pass target\[\.\.\., 0\]"):
        loss(tg.Value(np.zeros(4)), np.ones((4, 1)))


@pytest.mark.parametrize("name", ["weights", "pos_weight"])
def test_binary_weights_fit_the_entries_or_the_columns_and_are_not_below_zero(name):
    x, t = np.zeros((5, 3)), np.ones((5, 3))
    for fits in (2.0, np.full(3, 2.0), np.full((5, 3), 2.0)):
        assert losses.binary_cross_entropy(x, t, **{name: fits}) == pytest.approx(2 * np.log(2))
    with pytest.raises(ShapeError, match=f"{name} must be a number or have shape"):
        losses.binary_cross_entropy(x, t, **{name: np.ones(5)})
    with pytest.raises(ArgumentError, match=f"{name} must be finite numbers >= 0, got -1"):
        losses.binary_cross_entropy(x, t, **{name: -1.0})


@pytest.mark.parametrize(("target", "cure"), [([0, 1], "pass 2 . target - 1"), ([0.5, 1], "")])
def test_the_sides_of_a_hinge_are_minus_one_and_one(target, cure):
    with pytest.raises(ArgumentError, match=f"hinge: target must be -1 or 1, got .*{cure}"):
        losses.hinge(tg.Value([0.0, 1.0]), target)


def test_the_hinge_refuses_a_column_beside_a_row_and_a_margin_of_zero():
    with pytest.raises(ShapeError, match=r"pass target\[\.\.\., None\]"):
        losses.hinge(np.zeros((4, 1)), np.ones(4, int))
    with pytest.raises(ArgumentError, match="hinge: margin must be a finite number > 0"):
        losses.hinge(np.zeros(4), np.ones(4), 0)


def test_fit_learns_three_classes_from_integer_labels():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 60)
    x = np.eye(3)[labels] + 0.1 * random.normal(size=(60, 3))
    model = tg.nn.Linear(3, 3, dtype=np.float64, generator=0)
    history = tg.fit(model, x, labels, loss=losses.cross_entropy, learning_rate=1.0, steps=100)
    assert history.losses[-1] < 0.1 * history.losses[0]


# ---- PyTorch


def functional(name):
    torch = pytest.importorskip("torch")
    return torch, getattr(torch.nn.functional, name)


def agree(ours, theirs, x, dtype):
    """The same values, and the same gradients of the sum of the entries."""
    import torch

    a, b = tg.Value(x.astype(dtype)), torch.tensor(x.astype(dtype), requires_grad=True)
    found, expected = ours(a), theirs(b)
    found.sum().backward()
    expected.sum().backward()
    close = {"rtol": 1e-12, "atol": 1e-14} if dtype is np.float64 else {"rtol": 3e-6, "atol": 3e-7}
    np.testing.assert_allclose(found.data, expected.detach().numpy(), **close)
    np.testing.assert_allclose(a.grad, b.grad.numpy(), **close)


def torch_options(torch, options, dtype):
    names = {"weights": "weight"}
    arrays = {k: torch.tensor(v.astype(dtype)) for k, v in options.items() if np.ndim(v)}
    return {names.get(k, k): v for k, v in (options | arrays).items()}


each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.mark.torch
@each_dtype
@each_reduction
@each_option
def test_cross_entropy_of_labels_equals_pytorchs(options, reduction, dtype):
    torch, theirs = functional("cross_entropy")
    plain = torch_options(torch, options, dtype) | {"reduction": reduction}
    agree(
        lambda x: losses.cross_entropy(x, LABELS, reduction=reduction, **options),
        lambda x: theirs(x, torch.tensor(LABELS), **plain),
        LOGITS,
        dtype,
    )


@pytest.mark.torch
@each_dtype
@each_reduction
@pytest.mark.parametrize("options", OF_P)
def test_cross_entropy_of_probabilities_equals_pytorchs(options, reduction, dtype):
    torch, theirs = functional("cross_entropy")
    plain = torch_options(torch, options, dtype) | {"reduction": reduction}
    agree(
        lambda x: losses.cross_entropy(x, P, reduction=reduction, **options),
        lambda x: theirs(x, torch.tensor(P.astype(dtype)), **plain),
        LOGITS,
        dtype,
    )


@pytest.mark.torch
@each_reduction
@each_option
def test_cross_entropy_of_images_on_axis_one_equals_pytorchs(options, reduction):
    torch, theirs = functional("cross_entropy")
    random = np.random.default_rng(2)
    x, labels = random.normal(size=(2, 3, 4, 5)), random.integers(0, 3, (2, 4, 5))
    plain = torch_options(torch, options, np.float64) | {"reduction": reduction}
    agree(
        lambda x: losses.cross_entropy(x, labels, axis=1, reduction=reduction, **options),
        lambda x: theirs(x, torch.tensor(labels), **plain),
        x,
        np.float64,
    )


@pytest.mark.torch
@each_dtype
@each_reduction
@pytest.mark.parametrize("options", OF_LABELS[:4])
def test_nll_equals_pytorchs(options, reduction, dtype):
    torch, theirs = functional("nll_loss")
    plain = torch_options(torch, options, dtype) | {"reduction": reduction}
    agree(
        lambda x: losses.nll(x, LABELS, reduction=reduction, **options),
        lambda x: theirs(x, torch.tensor(LABELS), **plain),
        LOGITS,
        dtype,
    )


@pytest.mark.torch
@each_dtype
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize(("ours", "name"), [("mean", "batchmean"), ("sum", "sum")])
def test_kl_divergence_equals_pytorchs_of_log_softmax(ours, name, log_target, dtype):
    torch, theirs = functional("kl_div")
    q = torch.tensor((np.log(P) if log_target else P).astype(dtype))
    agree(
        lambda x: losses.kl_divergence(x, q.numpy(), log_target=log_target, reduction=ours),
        lambda x: theirs(x.log_softmax(-1), q, log_target=log_target, reduction=name),
        LOGITS,
        dtype,
    )


@pytest.mark.torch
@each_dtype
@each_reduction
@pytest.mark.parametrize("weights", [None, P])
@pytest.mark.parametrize("pos_weight", [None, WEIGHTS])
def test_binary_cross_entropy_equals_pytorchs(weights, pos_weight, reduction, dtype):
    torch, theirs = functional("binary_cross_entropy_with_logits")
    tensor = lambda a: None if a is None else torch.tensor(a.astype(dtype))
    given = {"weights": weights, "pos_weight": pos_weight, "reduction": reduction}
    plain = {"weight": tensor(weights), "pos_weight": tensor(pos_weight), "reduction": reduction}
    agree(
        lambda x: losses.binary_cross_entropy(x, P[::-1], **given),
        lambda x: theirs(x, tensor(P[::-1]), **plain),
        LOGITS,
        dtype,
    )


@pytest.mark.torch
@each_dtype
@each_reduction
@pytest.mark.parametrize("margin", [1.0, 0.3])
def test_the_hinge_of_classes_equals_pytorchs(margin, reduction, dtype):
    torch, theirs = functional("multi_margin_loss")
    agree(
        lambda x: losses.hinge(x, LABELS, margin, reduction=reduction),
        lambda x: theirs(x, torch.tensor(LABELS), margin=margin, reduction=reduction),
        LOGITS,
        dtype,
    )


@pytest.mark.torch
@each_dtype
@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_huge_logits_have_pytorchs_losses_and_gradients(scale, dtype):
    torch, theirs = functional("cross_entropy")
    agree(
        lambda x: losses.cross_entropy(x * scale, LABELS),
        lambda x: theirs(x * scale, torch.tensor(LABELS)),
        LOGITS,
        dtype,
    )


# ---- masked classes: a logit of -inf, a probability of 0

MASKED = np.array([[0.0, -np.inf, 1.0], [-np.inf, 2.0, 1.0]])
SHARES = np.array([[0.5, 0.0, 0.5], [0.0, 0.25, 0.75]])
LOSSES_OF_MASKED = {
    "labels": lambda z: tg.losses.cross_entropy(z, [0, 1]),
    "probabilities": lambda z: tg.losses.cross_entropy(z, SHARES),
    "one probability of 1": lambda z: tg.losses.cross_entropy(z, [[1.0, 0, 0], [0, 0, 1.0]]),
    "class weights": lambda z: tg.losses.cross_entropy(z, [0, 1], weights=[1.0, 2.0, 3.0]),
    "weights of probabilities": lambda z: tg.losses.cross_entropy(z, SHARES, weights=[1, 2, 3]),
    "KL": lambda z: tg.losses.kl_divergence(z, SHARES),
    "KL of logits": lambda z: tg.losses.kl_divergence(z, MASKED * 2, log_target=True),
    "KL of its own logits": lambda z: tg.losses.kl_divergence(MASKED * 2, z, log_target=True),
}


@pytest.mark.parametrize("loss", LOSSES_OF_MASKED.values(), ids=LOSSES_OF_MASKED)
def test_a_masked_class_counts_as_one_that_is_very_unlikely(loss):
    finite = np.where(np.isinf(MASKED), -800.0, MASKED)
    value, gradient = tg.value_and_grad(loss)(MASKED)
    expected, expected_gradient = tg.value_and_grad(loss)(finite)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-12)
    np.testing.assert_array_equal(gradient[np.isinf(MASKED)], 0.0)
    forward = tg.jvp(loss, (MASKED,), (np.ones((2, 3)),))[1]
    np.testing.assert_allclose(forward, np.sum(gradient), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["numpy", "llvm"])
@pytest.mark.parametrize("loss", LOSSES_OF_MASKED.values(), ids=LOSSES_OF_MASKED)
def test_compiled_losses_of_masked_classes_are_those_of_eager_code(loss, backend):
    found = tg.compile(tg.value_and_grad(loss), backend=backend)(MASKED)
    expected = tg.value_and_grad(loss)(MASKED)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_a_label_that_is_masked_has_an_infinite_loss_unless_its_weight_is_zero():
    assert tg.losses.cross_entropy(MASKED, [1, 1]) == np.inf
    value, gradient = tg.value_and_grad(
        lambda z: tg.losses.cross_entropy(z, [1, 1], weights=[1.0, 0.0, 1.0])
    )(MASKED)
    assert value == 0.0 and not gradient.any()


@pytest.mark.parametrize("options", [{}, {"weights": 2.0}, {"pos_weight": 3.0}], ids=str)
def test_an_infinite_logit_on_the_side_of_its_target_costs_nothing(options):
    target = [1.0, 0.0, 0.5]
    loss = lambda z: tg.losses.binary_cross_entropy(z, target, **options)
    value, gradient = tg.value_and_grad(loss)(np.array([np.inf, -np.inf, 1.0]))
    expected, expected_gradient = tg.value_and_grad(loss)(np.array([800.0, -800.0, 1.0]))
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-12)


def test_an_infinite_logit_against_its_target_costs_infinitely_much():
    assert tg.losses.binary_cross_entropy([np.inf, 0.0], [0.0, 1.0]) == np.inf
    assert tg.losses.binary_cross_entropy([-np.inf, 0.0], [0.5, 1.0]) == np.inf


def test_an_entry_of_weight_zero_costs_nothing_even_if_its_loss_is_infinite():
    loss = lambda z: tg.losses.binary_cross_entropy(z, [0.0, 1.0], weights=[0.0, 1.0])
    value, gradient = tg.value_and_grad(loss)(np.array([np.inf, 0.0]))
    np.testing.assert_allclose(value, np.log(2) / 2)
    np.testing.assert_array_equal(gradient, [0.0, -0.25])


@pytest.mark.parametrize(("target", "place"), [([1, 0, 2], 2), ([0, 1, -0.5], 2), ([1, np.nan], 1)])
def test_the_first_target_that_is_no_probability_is_named(target, place):
    told = rf"target\[{place}\] must be from 0 to 1, got {target[place]}"
    with pytest.raises(ArgumentError, match=told):
        losses.binary_cross_entropy(np.zeros(len(target)), np.array(target, float))
