"""`loss_slice`: the loss over one weight, the tangent that its gradient predicts, and the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...explain import Influence
from ...explain.influences.measure import check_influence
from ...explain.influences.weight import WeightInfluence
from ...support.text_format import group_digits, number_text
from ...support.type_names import Figure
from ...support.validation import check_number
from ..descent.loss_slice import sample_loss
from ..style import clean_name, get_colors, is_drawable, make_panels, pad_limits, style_axes, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["loss_slice"]


FAR = 3.0  # the bottom of the parabola is shown up to this many (|w| + 1) away


def loss_slice(
    influence: Influence,
    weight: int = 0,
    *,
    learning_rate: float | None = None,
    dark: bool = False,
) -> Figure:
    """Draw the loss over one weight of an influence, the others held: predicted and actual.

    The curve is the loss itself, computed from the recorded graph at 121 points. The tangent has
    the slope dL/dw (vermilion if positive, sky blue if negative); the dotted parabola adds the
    curvature. With a learning rate, the green arrow is the step to w - learning rate · dL/dw, of
    this weight alone: the ring is the loss that the tangent predicts there, the dot the actual
    loss.

    - `weight`: the index in `influence.weights`
    - `learning_rate`: learning rate of the step; no step is drawn without it
    - `dark`: use colours for a dark page, not for print

    Raises `ArgumentError` for a weight that the influence doesn't have and a learning rate that
    isn't positive; `MissingExtraError` without matplotlib.

    >>> w = Value(0.0, name="w")
    >>> loss = np.mean((w * np.array([1.0, 2.0]) - np.array([2.0, 4.0])) ** 2)
    >>> figure = loss_slice(tg.influence(None, loss), learning_rate=0.1)
    >>> print(figure.axes[0].texts[-1].get_text())
    slope at w = 0: dL/dw = −10 is negative, so w moves right
    learning rate 0.1: w = 0 → 1, the tangent predicts L = 0, actual 2.5
    no other weight
    """
    check_influence("loss_slice", influence, weight)
    if learning_rate is not None:
        learning_rate = check_number("loss_slice", "learning_rate", learning_rate, positive=True)
    chosen = influence.weights[weight]
    figure, (ax,) = make_panels(1, panel=(7.2, 5.2), dark=dark)
    with np.errstate(all="ignore"):
        step = None if learning_rate is None else -learning_rate * chosen.gradient
        _draw_curve(ax, chosen, step)
        if step:
            _draw_step(ax, chosen, step)
        told = _describe(influence, chosen, learning_rate)
    symbol, path = _name_weight(chosen), f", {clean_name(chosen.path, 40)}" if chosen.path else ""
    name = symbol if symbol != "w" or not chosen.index else f"w = {clean_name(chosen.name)}{path}"
    style_axes(ax, "The loss over one weight", told, name, "loss", lines=3)
    return figure


def _draw_curve(ax: Axes, w: WeightInfluence, step: float | None) -> None:
    """Draw the loss, the tangent, and the parabola of the curvature."""
    colors = get_colors(ax)
    reach = _choose_reach(w, step)
    places, losses = sample_loss(w.loss_at, w.value, reach)
    seen = is_drawable(losses)
    if not seen.any():
        return
    ax.plot(places[seen], losses[seen], color=colors.truth, lw=1.8, zorder=2)
    landing = [] if not step else [w.loss + w.gradient * step, w.loss_at(w.value + step)]
    bottom, top = pad_limits(np.array([*losses[seen], *landing]), margin=0.09)
    ax.set_xlim(pad_limits(places, margin=0.02))
    ax.set_ylim(bottom, top)
    tangent = np.array([-reach, reach])
    if w.gradient:
        fits = 0.6 * (top - bottom) / abs(w.gradient)  # how far it goes before it leaves
        tangent = np.clip(tangent, -max(fits, abs(step or 0.0)), max(fits, abs(step or 0.0)))
    color = colors.up if w.gradient > 0 else colors.down if w.gradient < 0 else colors.rule
    ax.plot(w.value + tangent, w.loss + w.gradient * tangent, color=color, lw=2.4, zorder=3)
    moved = places - w.value
    parabola = w.loss + w.gradient * moved + 0.5 * w.curvature * moved**2
    inside = (parabola > bottom) & (parabola < top)
    ax.plot(places, np.where(inside, parabola, np.nan), ":", color=colors.model, lw=1.8, zorder=2.5)
    ax.plot(w.value, w.loss, "o", color=colors.step, ms=8, mec=colors.paper, mew=1.2, zorder=6)
    side = -1 if (step or -w.gradient) > 0 else 1  # away from the step, below the tangent
    write(ax, w.value, w.loss, f"slope {number_text(w.gradient)}", (9 * side, -5), va="top",
          ha="right" if side < 0 else "left", zorder=7)  # fmt: skip
    right = w.gradient < 0  # the upper corner that the hill leaves free
    write(ax, 0.98 if right else 0.02, 0.96, "dotted: slope and curvature", (0, 0),
          inside=False, color=colors.model, ha="right" if right else "left", va="top")  # fmt: skip


def _name_weight(w: WeightInfluence) -> str:
    """Return the label of the weight: its own name if it is a scalar, else w."""
    return "w" if w.index else clean_name(w.name)


def _choose_reach(w: WeightInfluence, step: float | None) -> float:
    """Return half the width: room for the step, and for the bottom of the parabola if near."""
    size = abs(w.value) + 1.0
    bottom = abs(w.gradient / w.curvature) if w.curvature > 0 else 0.0
    near = 1.35 * bottom if bottom <= FAR * size else 0.0
    return max(near, 1.9 * abs(step or 0.0), 0.5 * size)


def _draw_step(ax: Axes, w: WeightInfluence, step: float) -> None:
    """Draw the step as an arrow, with the predicted and the actual loss at its end."""
    colors = get_colors(ax)
    end, promised = w.value + step, w.loss + w.gradient * step
    found = w.loss_at(end)
    if not is_drawable(np.array([end, promised, found])).all():
        return
    arrow = {"arrowstyle": "-|>", "color": colors.step, "lw": 1.6, "shrinkA": 4, "shrinkB": 4,
             "mutation_scale": 13}  # fmt: skip
    ax.annotate("", (end, found), (w.value, w.loss), arrowprops=arrow, zorder=5)
    ax.plot([end, end], [promised, found], color=colors.rule, lw=1.0, zorder=1)
    ax.plot(end, found, "o", color=colors.step, ms=7, mec=colors.paper, mew=1.0, zorder=6)
    ax.plot(end, promised, "o", mfc=colors.paper, mec=colors.ink, ms=7, mew=1.3, zorder=6)
    ahead, behind, aside = ("left", "right", 9) if step > 0 else ("right", "left", -9)
    rises = w.loss_at(end + 0.1 * step) > found  # the curve takes the side above the label
    write(ax, end, found, f"actual {number_text(found)}", (aside, -4 if rises else 4),
          ha=ahead, va="top" if rises else "bottom")  # fmt: skip
    if abs(found - promised) > 0.05 * float(np.ptp(ax.get_ylim())):
        write(ax, end, promised, f"predicted {number_text(promised)}", (-aside, -4),
              ha=behind, va="top")  # fmt: skip


def _describe(influence: Influence, w: WeightInfluence, learning_rate: float | None) -> list[str]:
    """Describe the slope, the step, and what is held."""
    sign = "negative" if w.gradient < 0 else "positive" if w.gradient > 0 else "zero"
    goes = {"negative": "moves right", "positive": "moves left", "zero": "stays"}[sign]
    symbol = _name_weight(w)
    told = [
        f"slope at {symbol} = {number_text(w.value)}: dL/d{symbol} = {number_text(w.gradient)} is "
        f"{sign}, so {symbol} {goes}"
    ]
    if learning_rate is not None:
        end = w.value - learning_rate * w.gradient
        promised = w.loss - learning_rate * w.gradient**2
        told.append(
            f"learning rate {number_text(learning_rate)}: {symbol} = {number_text(w.value)} → "
            f"{number_text(end)}, the tangent predicts L = {number_text(promised)}, actual "
            f"{number_text(w.loss_at(end))}"
        )
    others = sum(p.data.size for layer in influence.layers for p in layer.parameters) - 1
    held = f"{group_digits(others)} other weight{'s' * (others > 1)} held as they are"
    return [*told, held.replace("they are", "it is") if others == 1 else held if others > 0 else
            "no other weight"]  # fmt: skip
