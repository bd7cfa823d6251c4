"""Interpret the numbers of an influence in sentences: vanishing, exploding, dead units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...support.text_format import number_text
from .model import InfluenceData, LayerInfluence

VANISHES, EXPLODES = 1e-3, 1e3
"""Bounds on dL/dh of the first layer over that of the last: vanishing below, exploding above."""

MAX_NAMED = 8  # dead units listed one by one


def describe_findings(influence: InfluenceData) -> tuple[str, ...]:
    """Return sentences on the gradient through depth, dead units, and rows that mix."""
    return (
        *_describe_trend(influence),
        *_describe_time(influence),
        *_dead(influence),
        *_mixed(influence),
        *_too_large(influence),
    )


def gradient_trend(influence: InfluenceData) -> str:
    """Classify the change of the gradient from the last layer to the first one.

    Return "vanishes" below a thousandth, "explodes" above a thousand times, "stays" in between,
    "is zero", "is not finite", or "" for a single layer.
    """
    if len(influence.layers) < 2:
        return ""
    norms = [layer.delta_norm for layer in influence.layers]
    if not np.isfinite(norms).all():
        return "is not finite"
    if not norms[-1] or not norms[0]:
        return "is zero"
    ratio = norms[0] / norms[-1]
    return "vanishes" if ratio < VANISHES else "explodes" if ratio > EXPLODES else "stays"


def _describe_trend(influence: InfluenceData) -> Iterator[str]:
    """Yield the sizes of the gradient at both ends, the cause, and a cure."""
    trend = gradient_trend(influence)
    if not trend:
        return
    first, last = influence.layers[0], influence.layers[-1]
    low, high = first.delta_norm, last.delta_norm
    ends = f"from {number_text(high, 2)} at {last.before_activation} to {number_text(low, 2)} at"
    if trend == "is not finite":
        layer = next(x for x in influence.layers[::-1] if not np.isfinite(x.delta_norm))
        place = layer.before_activation
        yield f"The gradient is not finite, first at {place} on the way down from the loss."
    elif trend == "is zero":
        zero = next(x for x in influence.layers[::-1] if not x.delta_norm)
        yield (
            f"The gradient is exactly 0 from {zero.before_activation} down: nothing there affects "
            "this loss, so the weights before it do not learn."
        )
    else:
        steps = len(influence.layers) - 1
        rate = number_text((low / high) ** (1 / steps), 2)
        over = f"over {steps} layer{'s' * (steps > 1)}"
        each = f", by a factor of {rate} per layer" if steps > 1 else ""
        verb = "grows" if low > high else "shrinks"
        text = f"The gradient {verb} {ends} {first.before_activation} {over}{each}"
        if trend == "stays":
            yield f"{text}: it neither vanishes nor explodes."
        else:
            yield f"{text}: it {trend}. {' '.join(_why(influence))}"
            yield (
                "A step hardly moves the first layers. Try relu, normalisation, skip connections, "
                "or larger initial weights (tg.nn.init)."
                if trend == "vanishes"
                else "A step moves the first layers much too far. Try smaller initial weights "
                "(tg.nn.init), normalisation, or clip_norm= in tg.fit."
            )


def _describe_time(influence: InfluenceData) -> Iterator[str]:
    """Yield how the gradient of each recurrent layer changes along time."""
    for layer in influence.in_time:
        reached = np.flatnonzero(layer.norms)
        if len(layer.norms) < 2 or not np.isfinite(layer.norms).all() or not reached.size:
            continue
        last, steps = int(reached[-1]), len(layer.norms)
        early, late = float(layer.norms[0]), float(layer.norms[last])
        ends = (
            f"from {number_text(late, 2)} at step {last + 1} to {number_text(early, 2)} at step 1"
        )
        ratio = early / late
        if ratio < VANISHES:
            yield (
                f"Along time, the gradient of {layer.name} vanishes: ‖dL/dh‖ shrinks {ends} of "
                f"{steps}, so the first steps hardly count. Try "
                + ("an LSTM or GRU, or " if layer.kind == "rnn_states" else "")
                + "shorter sequences, or attention."
            )
        elif ratio > EXPLODES:
            yield (
                f"Along time, the gradient of {layer.name} explodes: ‖dL/dh‖ grows {ends} of "
                f"{steps}. Try clip_norm= in tg.fit, or smaller recurrent weights."
            )


def _why(influence: InfluenceData) -> Iterator[str]:
    """Yield the slopes of the activations and the sizes of the weights in the product."""
    above = influence.layers[1:]  # their factors are in the product
    slopes: dict[str, list[float]] = {}
    most: dict[str, float | None] = {}
    for layer in above:
        for activation in layer.activations:
            slopes.setdefault(activation.operation, []).append(activation.mean)
            most[activation.operation] = activation.most
    for operation, means in slopes.items():
        bound = most[operation]
        limit = (
            f"at most {'1/4' if bound == 0.25 else number_text(bound)}, here by " if bound else ""
        )
        mean = number_text(float(np.mean(means)), 2)
        yield f"Each {operation} multiplies it by {limit}{mean} on average."
    largest = [
        float(np.linalg.norm(x.data, 2))
        for layer in above
        for x in layer.parameters
        if x.data.ndim == 2 and np.isfinite(x.data).all()
    ]
    if largest:
        middle = number_text(float(np.median(largest)), 2)
        value = "their largest singular value"
        yield f"The weights of a layer multiply it by at most {middle} ({value})."
    jacobians = [float(np.median(layer.factor.spectral)) for layer in above if layer.factor]
    middle = number_text(float(np.median(jacobians)), 2)
    yield (
        f"As a whole, a layer multiplies it by at most {middle} (the largest singular value of its "
        "Jacobian; medians over the layers)."
    )


def _dead(influence: InfluenceData) -> Iterator[str]:
    """Yield a sentence on the units of each layer that pass no gradient."""
    rows = "" if influence.batch is None else f" in all {influence.batch} rows"
    for layer in influence.layers:
        for activation in layer.activations:
            dead = activation.dead
            if dead:
                named = ", ".join(map(str, dead[:MAX_NAMED]))
                more = f" and {len(dead) - MAX_NAMED} more" if len(dead) > MAX_NAMED else ""
                one = len(dead) == 1
                learns = (
                    f", and the weights into {_them(one)} do not learn"
                    if len(activation.stuck) == len(dead)
                    else ""
                )
                yield (
                    f"In {layer.name}, {len(dead)} of {activation.units} units "
                    f"{'is' if one else 'are'} dead ({named}{more}): the slope of {_its(one)} "
                    f"{activation.operation} is 0{rows}, so no path through {_them(one)} reaches "
                    f"the loss{learns}."
                )


def _its(one: bool) -> str:
    return "its" if one else "their"


def _them(one: bool) -> str:
    return "it" if one else "them"


def _mixed(influence: InfluenceData) -> Iterator[str]:
    """Yield the layers in which rows mix, so that the whole batch has one Jacobian."""
    mixed = [x for x in influence.layers if x.factor and x.factor.rows is None]
    if influence.batch is not None and mixed:
        yield (
            f"In {_join_names(mixed)}, rows of the batch mix (as in batch normalisation) or have "
            "an axis of their own: the Jacobian there is that of the whole batch."
        )


def _too_large(influence: InfluenceData) -> Iterator[str]:
    """Yield the layers whose Jacobians were too large to compute in full."""
    bounded = [
        x
        for x in influence.layers
        if any(j is not None and not j.exact for j in (x.factor, x.product))
    ]
    if bounded:
        yield (
            f"At {_join_names(bounded)}, a Jacobian is too large to compute in full: the largest "
            "singular values come from matrix-vector products, and the Frobenius norm is an "
            "estimate (≈)."
        )


def _join_names(layers: list[LayerInfluence]) -> str:
    return ", ".join(layer.name for layer in layers)
