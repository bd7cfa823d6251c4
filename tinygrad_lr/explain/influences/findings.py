"""What the numbers of an influence mean, in sentences: vanishing, exploding, dead units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...support.text_format import number_text
from .model import InfluenceData, LayerInfluence

VANISHES, EXPLODES = 1e-3, 1e3
"""dL/dh of the first layer over that of the last one: where it is called vanishing, exploding."""

MOST_NAMED = 8  # dead units that are named one by one


def describe_findings(influence: InfluenceData) -> tuple[str, ...]:
    """The sentences: what becomes of the gradient on its way, which units are dead, what mixes."""
    return (*_course(influence), *_dead(influence), *_mixed(influence), *_bounded(influence))


def course_of(influence: InfluenceData) -> str:
    """What becomes of the gradient from the last layer to the first one.

    "vanishes" below a thousandth, "explodes" above a thousand times, "stays" between; "is zero",
    "is not finite"; "" where there is one layer only.
    """
    if len(influence.layers) < 2:
        return ""
    norms = [layer.cotangent_norm for layer in influence.layers]
    if not np.isfinite(norms).all():
        return "is not finite"
    if not norms[-1] or not norms[0]:
        return "is zero"
    ratio = norms[0] / norms[-1]
    return "vanishes" if ratio < VANISHES else "explodes" if ratio > EXPLODES else "stays"


def _course(influence: InfluenceData) -> Iterator[str]:
    """From how large to how large, and what made it so."""
    course = course_of(influence)
    if not course:
        return
    first, last = influence.layers[0], influence.layers[-1]
    low, high = first.cotangent_norm, last.cotangent_norm
    ends = f"from {number_text(high, 2)} at {last.output} to {number_text(low, 2)} at"
    if course == "is not finite":
        layer = next(x for x in influence.layers[::-1] if not np.isfinite(x.cotangent_norm))
        yield f"The gradient is not finite, first at {layer.output} on the way down from the loss."
    elif course == "is zero":
        zero = next(x for x in influence.layers[::-1] if not x.cotangent_norm)
        yield (
            f"The gradient is exactly 0 from {zero.output} down: nothing there affects this loss, "
            "so the weights before it do not learn."
        )
    else:
        steps = len(influence.layers) - 1
        rate = number_text((low / high) ** (1 / steps), 2)
        over = f"over {steps} layer{'s' * (steps > 1)}"
        each = f", by a factor of {rate} per layer" if steps > 1 else ""
        verb = "grows" if low > high else "shrinks"
        told = f"The gradient {verb} {ends} {first.output} {over}{each}"
        if course == "stays":
            yield f"{told}: it neither vanishes nor explodes."
        else:
            yield f"{told}: it {course}. {' '.join(_why(influence))}"
            yield (
                "A step hardly moves the first layers. What helps: relu, normalisation, skip "
                "connections, or larger initial weights (tg.nn.init)."
                if course == "vanishes"
                else "A step moves the first layers much too far. What helps: smaller initial "
                "weights (tg.nn.init), normalisation, or clip_norm= in tg.fit."
            )


def _why(influence: InfluenceData) -> Iterator[str]:
    """The slopes of the activations and the sizes of the weights that were multiplied."""
    above = influence.layers[1:]  # whose factors are in the product
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
    """Units that pass no gradient, by name."""
    rows = "" if influence.batch is None else f" in all {influence.batch} rows"
    for layer in influence.layers:
        for activation in layer.activations:
            dead = activation.dead
            if dead:
                named = ", ".join(map(str, dead[:MOST_NAMED]))
                more = f" and {len(dead) - MOST_NAMED} more" if len(dead) > MOST_NAMED else ""
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
    """Layers whose rows mix, so that there is one Jacobian for the whole batch."""
    mixed = [x for x in influence.layers if x.factor and x.factor.rows is None]
    if influence.batch is not None and mixed:
        yield (
            f"In {_listed(mixed)} the rows of the batch mix (as in batch normalisation), or have "
            "an axis of their own: the Jacobian there is that of the whole batch."
        )


def _bounded(influence: InfluenceData) -> Iterator[str]:
    """Layers whose Jacobians were too large to write out."""
    bounded = [
        x
        for x in influence.layers
        if any(j is not None and not j.exact for j in (x.factor, x.product))
    ]
    if bounded:
        yield (
            f"At {_listed(bounded)} a Jacobian is too large to write out: the largest singular "
            "values are found by matrix-vector products, and the Frobenius norm is an estimate (≈)."
        )


def _listed(layers: list[LayerInfluence]) -> str:
    return ", ".join(layer.name for layer in layers)
