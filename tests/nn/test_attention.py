"""Attention: PyTorch's numbers, masks that mean what they say, and no nan for those left out."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_lr.nn import MultiHeadAttention, scaled_dot_product_attention

WIDE = {"dtype": np.float64, "generator": 0}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def inputs(queries=4, keys=5, features=3, width=2, batch=(2, 3)):
    shapes = ((queries, features), (keys, features), (keys, width))
    return [numbers(*batch, *shape, seed=i) for i, shape in enumerate(shapes)]


def some(*shape, seed=9):
    """A mask in which every query may attend to the first key."""
    mask = np.random.default_rng(seed).random(shape) > 0.5
    mask[..., 0] = True
    return mask


def added(*shape):
    return np.where(some(*shape), numbers(*shape), -np.inf)


# ---- the function


MASKS = {
    "no mask": {},
    "causal": {"causal": True},
    "boolean": {"mask": some(4, 5)},
    "boolean of the batch": {"mask": some(2, 1, 4, 5)},
    "added": {"mask": added(4, 5)},
    "scale": {"scale": 0.3},
}


@pytest.mark.torch
@pytest.mark.parametrize("options", MASKS.values(), ids=MASKS)
def test_attention_gives_pytorchs_values_and_gradients(options):
    torch = pytest.importorskip("torch")
    mine = [tg.Value(x) for x in inputs()]
    other = [torch.tensor(x, requires_grad=True) for x in inputs()]
    given = {k: torch.tensor(v) if k == "mask" else v for k, v in options.items()}
    given = {{"mask": "attn_mask", "causal": "is_causal"}.get(k, k): v for k, v in given.items()}
    out = scaled_dot_product_attention(*mine, **options)
    expected = torch.nn.functional.scaled_dot_product_attention(*other, **given)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("options", MASKS.values(), ids=MASKS)
def test_derivatives_agree_with_central_differences(options):
    small = {k: v for k, v in options.items() if getattr(v, "ndim", 2) == 2}
    arrays = inputs(batch=())
    tg.check_gradients(lambda *x: scaled_dot_product_attention(*x, **small), *arrays, order=1)


def test_second_derivatives_agree_with_central_differences():
    arrays = inputs(2, 2, 2, 1, ())
    tg.check_gradients(lambda *x: scaled_dot_product_attention(*x, causal=True), *arrays)


def test_a_mask_of_floats_may_be_trained():
    bias, arrays = numbers(4, 5), inputs()
    f = lambda bias: scaled_dot_product_attention(*arrays, mask=bias)
    tg.check_gradients(lambda bias: np.sum(f(bias) ** 2), bias, order=1)
    np.testing.assert_allclose(f(tg.Value(bias)).data, f(bias), rtol=1e-14)


@pytest.mark.parametrize("mask", [np.zeros((4, 5), bool), np.full((4, 5), -np.inf)], ids=str)
def test_a_query_that_may_attend_to_nothing_gets_zeros_and_gives_zero_gradients(mask):
    mask[1:, :2] = True if mask.dtype == bool else 0.0
    values = [tg.Value(x) for x in inputs()]
    out = scaled_dot_product_attention(*values, mask=mask)
    assert (out.data[..., 0, :] == 0).all() and (out.data[..., 1:, :] != 0).all()
    out.sum().backward()
    assert all(np.isfinite(v.grad).all() for v in values)
    assert (values[0].grad[..., 0, :] == 0).all() and (values[1].grad[..., 2:, :] == 0).all()


def test_no_query_sees_a_later_key_under_causal_attention():
    query, key, value = inputs(5, 5)
    before = scaled_dot_product_attention(query, key, value, causal=True)
    key[..., 3:, :], value[..., 3:, :] = 7.0, 7.0
    after = scaled_dot_product_attention(query, key, value, causal=True)
    np.testing.assert_array_equal(before[..., :3, :], after[..., :3, :])
    assert not np.allclose(before[..., 3:, :], after[..., 3:, :])


def test_the_order_of_keys_does_not_matter():
    query, key, value = inputs()
    turned = scaled_dot_product_attention(query, key[..., ::-1, :], value[..., ::-1, :])
    np.testing.assert_allclose(scaled_dot_product_attention(query, key, value), turned, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_of_any_size_give_finite_results_of_their_dtype(dtype):
    arrays = [(1e4 * x).astype(dtype) for x in inputs()]
    values = [tg.Value(x) for x in arrays]
    out = scaled_dot_product_attention(*values, mask=some(4, 5))
    out.sum().backward()
    assert out.dtype == dtype and np.isfinite(out.data).all()
    assert all(v.grad.dtype == dtype and np.isfinite(v.grad).all() for v in values)


def test_dropout_drops_weights_and_keeps_their_mean():
    query, key, value = inputs(400, 50, width=1, batch=())
    one = np.ones_like(value)
    out = scaled_dot_product_attention(query, key, one, dropout=0.5, generator=0)
    assert out.mean() == pytest.approx(1, abs=0.05) and out.std() > 0.05
    again = scaled_dot_product_attention(query, key, one, dropout=0.5, generator=0)
    np.testing.assert_array_equal(out, again)
    assert (scaled_dot_product_attention(query, key, one, dropout=1) == 0).all()


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (
            {"key": np.ones((5, 4))},
            ShapeError,
            r"query and key .* got \(4, 3\) and \(5, 4\)",
        ),
        ({"query": np.ones(3)}, ShapeError, "query and key must have shapes"),
        ({"value": np.ones((4, 2))}, ShapeError, r"value must have shape \(\.\.\., 5, width"),
        ({"mask": np.ones((3, 5), bool)}, ShapeError, r"broadcasts to \(4, 5\), got \(3, 5\)"),
        ({"mask": np.ones((2, 4, 5), bool)}, ShapeError, "mask must have a shape"),
        ({"mask": np.ones((4, 5), int)}, DtypeError, r"got dtype int64; pass mask\.astype\(bool\)"),
        ({"dropout": 1.5}, ArgumentError, r"dropout must be a number from 0 to 1, got 1\.5"),
    ],
)
def test_bad_arguments_are_refused(change, error, told):
    given = dict(zip(("query", "key", "value"), inputs(batch=()), strict=True))
    with pytest.raises(error, match=told):
        scaled_dot_product_attention(**{**given, **change})


# ---- the layer


def into_torch(torch, ours, theirs):
    """Give PyTorch's layer our weights, as the docstring tells."""
    state = {name: torch.tensor(array.T) for name, array in ours.state_dict().items()}
    three = ("query", "key", "value")
    joined = {"in_proj_weight": torch.cat([state[f"{x}.weight"] for x in three])}
    joined["in_proj_bias"] = torch.cat([state[f"{x}.bias"] for x in three])
    joined |= {f"out_proj.{x}": state[f"out.{x}"] for x in ("weight", "bias")}
    theirs.load_state_dict(joined)
    return theirs


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("heads", [1, 3])
def test_the_layer_gives_pytorchs_values_weights_and_gradients(heads):
    torch = pytest.importorskip("torch")
    ours = MultiHeadAttention(6, heads, **WIDE)
    theirs = torch.nn.MultiheadAttention(6, heads, batch_first=True, dtype=torch.float64)
    into_torch(torch, ours, theirs)
    arrays, mask, keys = [numbers(2, n, 6, seed=n) for n in (4, 5, 5)], some(4, 5), some(2, 5)
    mine, other = map(tg.Value, arrays), [torch.tensor(x, requires_grad=True) for x in arrays]
    mine = list(mine)
    out, weights = ours(*mine, mask=mask, key_mask=keys, need_weights=True)
    hidden = {"attn_mask": torch.tensor(~mask), "key_padding_mask": torch.tensor(~keys)}
    expected, theirs_weights = theirs(*other, **hidden, average_attn_weights=False)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(weights.data, theirs_weights.detach().numpy(), rtol=1e-12)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-10, atol=1e-12)
    packed = np.concatenate([layer.weight.grad.T for layer in (ours.query, ours.key, ours.value)])
    np.testing.assert_allclose(packed, theirs.in_proj_weight.grad.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        ours.out.weight.grad.T, theirs.out_proj.weight.grad.numpy(), rtol=1e-10, atol=1e-12
    )


def test_the_layer_is_the_function_for_each_head():
    layer, x = MultiHeadAttention(6, 3, **WIDE), numbers(2, 4, 6)
    q, k, v = (part(x).data for part in (layer.query, layer.key, layer.value))
    cut = lambda a, i: a[..., 2 * i : 2 * i + 2]
    heads = [scaled_dot_product_attention(*(cut(a, i) for a in (q, k, v))) for i in range(3)]
    expected = layer.out(np.concatenate(heads, axis=-1))
    np.testing.assert_allclose(layer(x).data, expected.data, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("heads", [1, 2])
def test_keys_and_values_may_have_other_features_and_no_batch(heads):
    layer = MultiHeadAttention(6, heads, key_dim=3, value_dim=5, bias=False, **WIDE)
    query, key, value = numbers(4, 6), numbers(7, 3), numbers(7, 5)
    alone = layer(query, key, value, causal=True, key_mask=some(7))
    together = layer(query[None], key[None], value[None], causal=True, key_mask=some(7)[None])
    assert alone.shape == (4, 6) and layer.key.bias is None
    np.testing.assert_allclose(alone.data, together.data[0], rtol=1e-13)


@pytest.mark.parametrize("mask", [some(4, 4), some(2, 4, 4), some(2, 1, 4, 4), added(4, 4)])
@pytest.mark.parametrize("heads", [1, 2])
def test_both_masks_hold_together(mask, heads):
    layer, x, keys = MultiHeadAttention(4, heads, **WIDE), numbers(2, 4, 4), some(2, 4, seed=3)
    _, weights = layer(x, mask=mask, key_mask=keys, need_weights=True)
    allowed = mask if mask.dtype == bool else mask > -np.inf
    allowed = np.broadcast_to(allowed[:, None] if allowed.ndim == 3 else allowed, weights.shape)
    np.testing.assert_array_equal(weights.data > 0, allowed & keys[:, None, None])
    np.testing.assert_allclose(weights.data.sum(-1), 1, rtol=1e-14)


def test_a_batch_row_whose_keys_are_all_padding_gives_no_nan():
    layer, x = MultiHeadAttention(4, 2, **WIDE), tg.Value(numbers(2, 3, 4))
    out = layer(x, key_mask=np.array([[True] * 3, [False] * 3]))
    np.testing.assert_array_equal(out.data[1], np.broadcast_to(layer.out.bias.data, (3, 4)))
    out.sum().backward()
    assert np.isfinite(x.grad).all()


def test_a_short_input_equals_a_padded_and_masked_one():
    layer, x = MultiHeadAttention(4, 2, **WIDE), numbers(1, 5, 4)
    padded = layer(x, key_mask=np.array([[True, True, True, False, False]]))
    np.testing.assert_allclose(layer(x[:, :3]).data, padded.data[:, :3], rtol=1e-12)


@pytest.mark.parametrize("heads", [1, 2])
def test_derivatives_of_the_layer_agree_with_central_differences(heads):
    layer = MultiHeadAttention(4, heads, **WIDE)
    for p in layer.parameters():
        p.requires_grad = False
    tg.check_gradients(lambda q, k: layer(q, k), numbers(1, 2, 4), numbers(1, 3, 4), order=1)


def test_a_mask_for_more_heads_than_one_is_refused_by_one_head():
    mask = np.ones((2, 3, 4, 4), bool)
    with pytest.raises(ShapeError, match=r"broadcasts to \(2, 1, 4, 4\), got \(2, 3, 4, 4\)"):
        MultiHeadAttention(4, 1, **WIDE)(numbers(2, 4, 4), mask=mask)


def test_dropout_is_for_training_only_and_follows_the_seed():
    x = numbers(2, 4, 4)
    made = lambda: MultiHeadAttention(4, 2, dropout=0.5, **WIDE)
    np.testing.assert_array_equal(made()(x).data, made()(x).data)
    assert not np.allclose(made()(x).data, made().eval()(x).data)
    plain = MultiHeadAttention(4, 2, **WIDE)(x).data
    np.testing.assert_array_equal(made().eval()(x).data, plain)


def test_weights_begin_uniform_after_xavier_and_biases_zero():
    layer = MultiHeadAttention(32, 4, generator=0)
    for part in (layer.query, layer.key, layer.value, layer.out):
        assert 0.25 < abs(part.weight.data).max() <= (6 / 64) ** 0.5
        assert (part.bias.data == 0).all() and part.weight.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (
            {"query": np.ones((2, 4, 5))},
            ShapeError,
            r"query: Linear\(4, 4\): x must have shape",
        ),
        ({"key": np.ones((3, 4, 4))}, ShapeError, "query, key and value must have shapes"),
        ({"value": np.ones((2, 3, 4))}, ShapeError, r"got \(2, 4, 4\), .* and \(2, 3, 4\)"),
        ({"mask": np.ones((3, 4), bool)}, ShapeError, r"MultiHeadAttention\(4, 2\): mask must"),
        ({"mask": np.ones((4, 4), int)}, DtypeError, "must be boolean .* or floats"),
        ({"key_mask": np.ones((4, 2), bool)}, ShapeError, r"boolean array of shape \(2, 4\)"),
        ({"key_mask": np.ones((2, 4))}, DtypeError, "got float64 of shape"),
    ],
)
def test_inputs_that_do_not_fit_the_layer_are_refused(change, error, told):
    given = dict.fromkeys(("query", "key", "value"), np.ones((2, 4, 4)))
    with pytest.raises(error, match=told):
        MultiHeadAttention(4, 2)(**{**given, **change})


def test_bad_settings_are_refused():
    with pytest.raises(ArgumentError, match="embed_dim must be a multiple of num_heads"):
        MultiHeadAttention(4, 3)
    with pytest.raises(ArgumentError, match="MultiHeadAttention: num_heads "):
        MultiHeadAttention(4, 0)
    with pytest.raises(ArgumentError, match=r"MultiHeadAttention.*: key_dim "):
        MultiHeadAttention(4, 2, key_dim=0)


@pytest.mark.slow
def test_a_small_attention_model_learns_to_copy_the_first_token():
    rng, table = np.random.default_rng(0), np.eye(4, dtype=np.float32)
    layer, head = MultiHeadAttention(8, 2, generator=0), nn.Linear(8, 4, generator=1)
    position = rng.normal(size=(5, 4)).astype(np.float32)
    optimizer = tg.optim.SGD([*layer.parameters(), *head.parameters()], 0.3, momentum=0.9)
    for _ in range(200):
        tokens = rng.integers(4, size=(32, 5))
        parts = [table[tokens], np.broadcast_to(position, (32, 5, 4))]
        scores = head(layer(np.concatenate(parts, axis=-1))[:, -1])
        loss = -tg.log_softmax(scores)[np.arange(32), tokens[:, 0]].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


@pytest.mark.parametrize("mask", [math.nan, np.array([[0.0, math.nan, 0.0]])])
def test_nan_in_a_mask_is_refused(mask):
    x, layer, key_mask = numbers(1, 3, 4), MultiHeadAttention(4, 2, **WIDE), [[True, True, False]]
    for call in (
        lambda: scaled_dot_product_attention(x, x, x, mask=mask),
        lambda: layer(x, mask=mask),
        lambda: layer(x, mask=mask, key_mask=np.array(key_mask)),
    ):
        with pytest.raises(ArgumentError, match=r"mask must be finite, or -inf .* got nan"):
            call()
