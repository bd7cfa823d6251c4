"""Attention: for each query, a mean of the values, weighted by how well their keys match it."""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..core.node import unwrap
from ..core.value import Value, ValueLike
from ..errors import ArgumentError, DtypeError, ShapeError
from ..ops.activation import softmax
from ..ops.shape import join_heads, split_heads
from ..support.abstract_array import AbstractArray, check_numbers
from ..support.random_state import Seed, as_generator
from ..support.validation import (
    as_input,
    check_finite,
    check_flag,
    check_fraction,
    check_integer,
    float_array,
)
from . import init
from .linear import Linear
from .module import Module

__all__ = ["MultiHeadAttention", "scaled_dot_product_attention"]


@overload
def scaled_dot_product_attention(
    query: Value,
    key: ValueLike,
    value: ValueLike,
    mask: ValueLike | None = None,
    causal: bool = False,
    dropout: float = 0.0,
    scale: float | None = None,
    *,
    generator: Seed = None,
) -> Value: ...
@overload
def scaled_dot_product_attention(
    query: ValueLike,
    key: ValueLike,
    value: ValueLike,
    mask: ValueLike | None = None,
    causal: bool = False,
    dropout: float = 0.0,
    scale: float | None = None,
    *,
    generator: Seed = None,
) -> Any: ...
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    causal: bool = False,
    dropout: float = 0.0,
    scale: float | None = None,
    *,
    generator: Seed = None,
) -> Any:
    """softmax(query @ keyᵀ·scale) @ value: for each query, a weighted mean of the values.

    Shapes: query (..., queries, features), key (..., keys, features), value (..., keys, width) give
    (..., queries, width); the leading axes broadcast. `scale` defaults to 1/√features.

    `mask` broadcasts to (..., queries, keys). A boolean mask is True where the query may attend to
    the key. A mask of floats (an array, or a trainable Value) is added to the scores; -inf forbids
    attention. With `causal=True`, no query attends to a key after its own position. A query that
    may attend to nothing gets zeros, never nan. `dropout` is the probability of dropping a weight;
    it always applies, so pass 0 in evaluation.

    Raises `ShapeError` if the shapes don't match, `DtypeError` if the mask has an integer dtype,
    `ArgumentError` if dropout is not between 0 and 1.

    Source: Vaswani et al., "Attention Is All You Need", 2017;
    `torch.nn.functional.scaled_dot_product_attention`, where masks have the same meaning.

    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> tg.nn.scaled_dot_product_attention(Value(x), x, x, causal=True).tolist()[0]
    [1.0, 0.0]
    """
    where = "scaled_dot_product_attention"
    dropout = check_fraction(where, "dropout", dropout)
    weights = attention_weights(where, query, key, mask, causal, scale)
    value = as_numbers(where, "value", value)
    if value.ndim < 2 or value.shape[-2] != weights.shape[-1]:
        raise ShapeError(
            f"{where}: value must have shape (..., {weights.shape[-1]}, width), one row for each "
            f"key, got {value.shape}"
        )
    random = None if generator is None else as_generator(where, generator)
    if dropout:
        kept = as_generator(where, random).random(weights.shape) >= dropout
        larger = 1 / (1 - dropout) if dropout < 1 else 0.0
        weights = weights * (kept * larger).astype(weights.dtype)
    return np.matmul(weights, value)


def attention_weights(
    where: str, query: Any, key: Any, mask: Any, causal: bool, scale: float | None
) -> Any:
    """Return the weight of each key for each query: (..., queries, keys), rows of sum 1 or 0."""
    query, key = as_numbers(where, "query", query), as_numbers(where, "key", key)
    if query.ndim < 2 or key.ndim < 2 or query.shape[-1] != key.shape[-1]:
        raise ShapeError(
            f"{where}: query and key must have shapes (..., queries, features) and "
            f"(..., keys, features), got {query.shape} and {key.shape}"
        )
    causal = check_flag(where, "causal", causal)
    if scale is None:
        query = query / math.sqrt(max(query.shape[-1], 1))
    else:
        query = query * check_finite(where, "scale", scale)
    scores = name_result("S", np.matmul(query, np.swapaxes(key, -1, -2)))
    allowed, added = read_mask(where, mask, scores.shape)
    if causal:
        past = np.tri(*scores.shape[-2:], dtype=np.bool_)
        allowed = past if allowed is None else allowed & past
    if added is not None:
        scores = scores + added
    if allowed is None:
        return name_result("A", softmax(scores))
    # far below every score, and finite: e^-inf of a whole row would be 0/0
    forbidden = np.array(np.finfo(scores.dtype).min / 2, scores.dtype)
    weights = softmax(np.where(allowed, scores, forbidden))
    if isinstance(allowed, AbstractArray) or not allowed.any(axis=-1).all():
        weights = np.where(allowed, weights, np.array(0, scores.dtype))
    return name_result("A", weights)


def name_result(name: str, x: Any) -> Any:
    """Name a result as the paper does, for explanations."""
    if type(x) is Value and x.record is not None and x.name is None:
        x.name = name
    return x


def read_mask(where: str, mask: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return where a mask allows attention, and what it adds to the scores; None for neither."""
    if mask is None:
        return None, None
    mask = as_input(where, "mask", mask)
    if mask.dtype.kind not in "bf":
        raise DtypeError(
            f"{where}: mask must be boolean (True where a query may attend) or floats to add to "
            f"the scores, got dtype {mask.dtype}; pass mask.astype(bool)"
        )
    require_fit(where, mask, shape)
    if mask.dtype.kind == "b":
        return mask, None
    check_numbers(unwrap(mask), lambda now: require_below_infinity(where, now))
    allowed = mask > -np.inf
    allowed = np.array(allowed) if isinstance(allowed, bool) else allowed
    if isinstance(mask, Value):
        return allowed, mask
    return allowed, np.where(allowed, mask, 0).astype(mask.dtype)


def require_fit(where: str, mask: Any, shape: tuple[int, ...]) -> None:
    """Raise `ShapeError` for a mask that doesn't broadcast to a shape."""
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"{where}: mask must have a shape that broadcasts to {shape}, got {mask.shape}"
        )


def require_below_infinity(where: str, mask: Any) -> None:
    """Raise `ArgumentError` for a mask with an entry that is nan or +inf."""
    bad = ~(np.asarray(mask) < np.inf)
    if bad.any():
        raise ArgumentError(
            f"{where}: mask must be finite, or -inf where attention is forbidden, "
            f"got {np.asarray(mask)[bad].flat[0]}"
        )


def as_numbers(where: str, name: str, x: Any) -> Any:
    """Return Values and arrays of floats as they are, lists and integers as arrays of floats."""
    return x if isinstance(x, Value) else float_array(where, name, x)


class MultiHeadAttention(Module):
    """Attention by several heads side by side, each with its own projections.

    Queries, keys and values are projected by the Linear layers `query`, `key` and `value`; each
    head attends with its own share of the features, embed_dim / num_heads; the results of the heads
    are concatenated and passed through the Linear layer `out`.

    Shapes: query (batch, queries, embed_dim), key (batch, keys, key_dim), value (batch, keys,
    value_dim), or all without batch, give (..., queries, embed_dim). The key defaults to the query
    (self-attention), and the value to the key. `key_dim` and `value_dim` default to embed_dim.
    Weights are initialised by `init.xavier_uniform`, biases to 0.

    Masks, `causal` and queries that may attend to nothing are as in `scaled_dot_product_attention`:
    `mask` has a shape that broadcasts to (batch, num_heads, queries, keys), or (batch, queries,
    keys) for all heads; `key_mask` (batch, keys) is True for keys that take part, the opposite of
    PyTorch's key_padding_mask. `dropout` is the probability of dropping an attention weight in
    training.

    Raises `ArgumentError` if a size is below 1 or num_heads doesn't divide embed_dim, `ShapeError`
    or `DtypeError` if inputs and masks don't match.

    Source: Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.MultiheadAttention` with
    batch_first=True. Its `in_proj_weight` stacks the transposes of `query.weight`, `key.weight` and
    `value.weight` (`in_proj_bias` likewise), and its `out_proj` is `out`.

    >>> attention = tg.nn.MultiHeadAttention(8, 2)
    >>> attention(np.ones((5, 7, 8)), causal=True).shape
    (5, 7, 8)
    >>> [name for name, _ in attention.named_parameters()][:2]
    ['query.weight', 'query.bias']
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        key_dim: int | None = None,
        value_dim: int | None = None,
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        from .dropout import Dropout

        width = check_integer("MultiHeadAttention", "embed_dim", embed_dim, low=1)
        heads = check_integer("MultiHeadAttention", "num_heads", num_heads, low=1)
        where = f"MultiHeadAttention({width}, {heads})"
        if width % heads:
            raise ArgumentError(
                f"{where}: embed_dim must be a multiple of num_heads, got {width} and {heads}"
            )
        random = as_generator(where, generator)
        inputs = {
            "query": width,
            "key": width if key_dim is None else check_integer(where, "key_dim", key_dim, low=1),
            "value": width
            if value_dim is None
            else check_integer(where, "value_dim", value_dim, low=1),
            "out": width,
        }
        self.num_heads = heads
        for name, features in inputs.items():
            layer = Linear(features, width, bias, dtype=dtype, generator=random)
            setattr(self, name, init.reset(layer, init.xavier_uniform, generator=random))
        self.dropout = Dropout(check_fraction(where, "dropout", dropout), generator=random)

    query: Linear
    key: Linear
    value: Linear
    out: Linear

    def forward(
        self,
        query: ValueLike,
        key: ValueLike | None = None,
        value: ValueLike | None = None,
        mask: ValueLike | None = None,
        key_mask: ArrayLike | None = None,
        causal: bool = False,
        need_weights: bool = False,
    ) -> Value | Any:
        """Return the attended values; with `need_weights` also the weights of each head.

        The weights have the shape (batch, num_heads, queries, keys), before dropout.
        """
        key = query if key is None else key
        value = key if value is None else value
        where = f"MultiHeadAttention({self.out.out_features}, {self.num_heads})"
        given = {"query": query, "key": key, "value": value}
        inputs = [as_numbers(where, name, x) for name, x in given.items()]
        need_weights = check_flag(where, "need_weights", need_weights)
        self._check_shapes(where, *inputs)
        layers = (self.query, self.key, self.value)
        several = self.num_heads > 1
        q, k, v = (
            name_result(name, split_heads(layer(x), count=self.num_heads) if several else layer(x))
            for name, layer, x in zip("QKV", layers, inputs, strict=True)
        )
        *batch, queries, _ = inputs[0].shape
        shape = (*batch, self.num_heads, queries, k.shape[-2])
        merged = self._merge_masks(where, mask, key_mask, shape)
        if merged is not None and not several:
            require_fit(where, merged, shape)
            merged = merged[..., 0, :, :] if merged.ndim > 2 else merged
        weights = attention_weights(where, q, k, merged, causal, None)
        found = np.matmul(self.dropout(weights), v)
        out = self.out(join_heads(found) if several else found)
        weights = weights if several else np.expand_dims(weights, -3)
        return (out, weights) if need_weights else out

    def _merge_masks(self, where: str, mask: Any, key_mask: Any, shape: tuple[int, ...]) -> Any:
        """Return both masks as one that broadcasts to (batch, heads, queries, keys)."""
        mask = None if mask is None else as_input(where, "mask", mask)
        if mask is not None and mask.ndim == 3 and len(shape) == 4:
            mask = mask[:, None]
        if key_mask is None:
            return mask
        keys = as_input(where, "key_mask", key_mask)
        expected = (*shape[:-3], shape[-1])
        if keys.shape != expected or keys.dtype.kind != "b":
            error = ShapeError if keys.shape != expected else DtypeError
            raise error(
                f"{where}: key_mask must be a boolean array of shape {expected}, "
                f"got {keys.dtype} of shape {keys.shape}"
            )
        keys = np.expand_dims(keys, (-2, -3))  # (batch, 1, 1, keys)
        if mask is None:
            return keys
        allowed, added = read_mask(where, mask, shape)
        if added is None:
            return allowed & keys
        return np.where(allowed & keys, added, np.array(-np.inf, added.dtype))

    def _check_shapes(self, where: str, query: Any, key: Any, value: Any) -> None:
        """Raise `ShapeError` for inputs whose shapes don't match."""
        batches = {x.shape[:-2] for x in (query, key, value)}
        if len(batches) > 1 or query.ndim not in {2, 3} or key.shape[-2] != value.shape[-2]:
            raise ShapeError(
                f"{where}: query, key and value must have shapes (batch, queries, features), "
                "(batch, keys, features) and (batch, keys, features), "
                f"got {query.shape}, {key.shape} and {value.shape}"
            )
