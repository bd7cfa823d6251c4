"""Pictures of a descent, of influences, and of computation graphs.

`computation_graph` needs nothing more; the others need the extra `plot` (matplotlib). They take
what `fit` was given and what it returned, or an `Influence`, and give back a matplotlib figure:
`figure.savefig("out.png")`, or .svg, or .pdf. With `dark=True` it is for a dark page. Names are
shown literally, colours have one meaning everywhere (blue: what was learnt, grey: data and closed
form, vermilion and sky blue: a positive and a negative slope, green: a step), and neither the
model nor any global state of matplotlib is touched.
"""

from __future__ import annotations

from .descent.arguments import loss_of as loss_of
from .descent.boundary import decision_boundary as decision_boundary
from .descent.classes import classification_figure as classification_figure
from .descent.contours import loss_contours as loss_contours
from .descent.figure import descent_figure as descent_figure
from .descent.fit_progress import fit_course as fit_course
from .descent.landscape import loss_landscape as loss_landscape
from .descent.learning import learning_curves as learning_curves
from .descent.loss_curve import loss_over_weight as loss_over_weight
from .descent.rates import learning_rates as learning_rates
from .graph.picture import GraphPicture as GraphPicture
from .graph.picture import computation_graph as computation_graph
from .influence.gradient_flow import gradient_by_depth as gradient_by_depth
from .influence.loss_slice import loss_slice as loss_slice
from .influence.network_drawing import network as network

__all__ = [
    "GraphPicture",
    "classification_figure",
    "computation_graph",
    "decision_boundary",
    "descent_figure",
    "fit_course",
    "gradient_by_depth",
    "learning_curves",
    "learning_rates",
    "loss_contours",
    "loss_landscape",
    "loss_of",
    "loss_over_weight",
    "loss_slice",
    "network",
]
