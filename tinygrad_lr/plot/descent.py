"""`descent_figure`: the data with the fitted line, the loss by step, and the hill that was descended.

CONTRACT (the body follows within minutes; the signature stands):

    from tinygrad_lr.plot import descent_figure, loss_of       # import lazily; needs extra `plot`
    figure = descent_figure(
        students.sat_sum, students.fy_gpa,                      # in the units of the data
        predict=lambda x: model(scaling.transform(x)).numpy(),  # same units; x is (m,) or (m, k) as
                                                                # yours was; may return (m,) or (m, 1)
        history=history,                                        # of tg.fit
        loss_at=loss_of(model, z, y),                           # what fit was given: model, z, y, loss
        x_name="sat_sum", y_name="fy_gpa",                      # several features: x_name=["a", "b"]
        closed_form=line,                                       # a linear.Line fitted to x, y; or None
        w_label="w, fy_gpa per standard deviation of sat_sum",  # optional label of the third axis
    )
    figure.savefig("out.png")                                   # .svg and .pdf too
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import losses
from ..linear import Line
from ..nn import Module
from ..train import History
from ..value import Value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, np.dtype[Any]]


def descent_figure(
    x: ArrayLike,
    y: ArrayLike,
    *,
    predict: Callable[[Any], ArrayLike],
    history: History,
    loss_at: Callable[[Mapping[str, Array]], float],
    x_name: str | Sequence[str] = "x",
    y_name: str = "y",
    closed_form: Line | None = None,
    w_label: str | None = None,
) -> Figure:
    raise NotImplementedError


def loss_of(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    loss: Callable[[Any, Any], Value] = losses.mse,
) -> Callable[[Mapping[str, Array]], float]:
    raise NotImplementedError
