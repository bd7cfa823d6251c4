"""`descent_figure`: the data and what was learnt, the loss by step, the hill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...errors import ArgumentError, ShapeError
from ...linear import Line
from ...support.abstract_array import Array
from ...support.type_names import Figure
from ...support.validation import check_callable, check_instance, check_list, check_text, short_repr
from ..style import clean_name, make_panels
from .arguments import as_real_numbers
from .curves import draw_losses
from .frame_selection import HistoryLike
from .loss_curve import draw_slice
from .loss_slice import LossSlice
from .panels import draw_model, draw_predictions

__all__ = ["descent_figure"]


def descent_figure(
    x: ArrayLike,
    y: ArrayLike,
    *,
    predict: Callable[[Any], ArrayLike],
    history: HistoryLike,
    loss_at: Callable[[Mapping[str, Array]], float],
    x_name: str | Sequence[str] = "x",
    y_name: str = "y",
    closed_form: Line | None = None,
    w_label: str | None = None,
    dark: bool = False,
) -> Figure:
    """Draw three panels about a descent, ready to save: `figure.savefig("out.png")`.

    1. The data and the model: points, the learnt line or curve, the closed form. For several
       features: predicted against observed.
    2. The loss by step, with the loss of the closed form for reference. The scale is logarithmic
       if the loss spans two decades.
    3. The loss over one weight w, with the slope at the start and the path of w. All other
       weights are held where they ended (after a divergence, at the recorded step with the
       smallest loss). w is the weight, not a bias, that moved furthest: for a line, the only one.
       The path is drawn on this one slice of the loss. For a line through a standardised feature,
       the slice is the same parabola at every bias, apart from its height. Otherwise the curve
       moves with the other weights, and the path shows where w was, not how high the loss was.

    - `x` (n,) or (n, features) and `y` (n,), in the units of the axes
    - `predict`: maps x, in the shape and units given here, to ŷ of shape (m,) or (m, 1)
    - `history`: what `fit` returned
    - `loss_at`: maps weights by name to the loss that was minimised: `loss_of(model, x, y)`, with
      the arguments of `fit`
    - `x_name` (a list for several features) and `y_name`: names for the axes, with units
    - `closed_form`: the least-squares line of x and y. Its mse is the reference for the loss, so
      leave it out if another loss, or another scale of y, was minimised
    - `w_label`: the label of w's axis, with units
    - `dark`: use colours for a dark page, not for print

    Rows and losses that are not finite, or beyond 1e150, are not drawn, and the panel says how
    many. Neither pyplot nor any global state of matplotlib is changed.

    Raises `ShapeError` if the shapes of x, y, their names and the predictions don't match,
    `DtypeError` unless they are real numbers, `ArgumentError` for a history without weights,
    `MissingExtraError` without matplotlib.

    >>> x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0])
    >>> line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> history = tg.fit(line, x, y, learning_rate=0.1)
    >>> figure = descent_figure(
    ...     x,
    ...     y,
    ...     predict=lambda x: line(x[:, None]).numpy(),
    ...     history=history,
    ...     loss_at=tg.plot.loss_of(line, x, y),
    ... )
    >>> [panel.get_ylabel() for panel in figure.axes]
    ['y', 'loss', 'loss']
    """
    where = "descent_figure"
    w_label = None if w_label is None else check_text(where, "w_label", w_label)
    check_callable(where, "predict", predict)
    check_callable(where, "loss_at", loss_at)
    if closed_form is not None:
        check_instance(where, "closed_form", closed_form, Line, "what closed_form returned")
    features = as_real_numbers(where, "x", x)
    target = as_real_numbers(where, "y", y)
    given = [x_name] if isinstance(x_name, str) else check_list(where, "x_name", x_name, "names")
    names = [clean_name(str(name)) for name in given]
    columns = features.shape[1] if features.ndim == 2 else 1
    if (
        features.ndim not in {1, 2}
        or target.shape != features.shape[:1]
        or len(names) != columns
        or not target.size
    ):
        raise ShapeError(
            f"{where}: x must have shape (n,) or (n, features), y (n,), and x_name a name for each "
            f"feature, got x {features.shape}, y {target.shape}, {len(names)} names"
        )
    if not any(len(records) for records in getattr(history, "weights", {}).values()):
        raise ArgumentError(
            f"{where}: history must be what fit returned for a model with parameters, "
            f"got {short_repr(history)}"
        )

    def predicted(rows: Array) -> Array:
        found = as_real_numbers(where, "the output of predict", predict(rows))
        if found.shape not in {(len(rows),), (len(rows), 1)}:
            raise ShapeError(
                f"{where}: predict must return {(len(rows),)} or {(len(rows), 1)}, "
                f"got {found.shape}"
            )
        return found.reshape(len(rows))

    figure, panels = make_panels(3, dark=dark)
    with np.errstate(all="ignore"):
        if columns == 1:
            draw_model(panels[0], features, target, predicted, closed_form, names[0], y_name)
        else:
            draw_predictions(panels[0], features, target, predicted, closed_form, y_name)
        draw_losses(panels[1], history, closed_form)
        y_name = "mean squared error" if closed_form is not None else "loss"
        draw_slice(panels[2], LossSlice(history, loss_at, names), y_name, w_label)
    return figure
