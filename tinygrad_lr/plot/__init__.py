"""Pictures of what a descent did; they need the extra `plot` (matplotlib).

Each function takes what `fit` was given and what it returned, and gives back a matplotlib figure:
`figure.savefig("out.png")`, or .svg, or .pdf. With `dark=True` it is for a dark page. Names are
shown literally, colours have one meaning everywhere (blue: what was learnt, grey: data and closed
form, vermilion and sky blue: a positive and a negative slope, green: a step), and neither the
model nor any global state of matplotlib is touched.
"""

from __future__ import annotations

from .boundary import decision_boundary as decision_boundary
from .classes import classification_figure as classification_figure
from .contours import loss_contours as loss_contours
from .course import fit_course as fit_course
from .depth import gradient_by_depth as gradient_by_depth
from .descent import descent_figure as descent_figure
from .graph_picture import GraphPicture as GraphPicture
from .graph_picture import computation_graph as computation_graph
from .hill import loss_over_weight as loss_over_weight
from .landscape import loss_landscape as loss_landscape
from .learning import learning_curves as learning_curves
from .network_drawing import network as network
from .rates import learning_rates as learning_rates
from .replay import loss_of as loss_of
from .weight_slice import loss_slice as loss_slice

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
