"""Plots of a descent, of influences, and of computation graphs.

`computation_graph` has no dependencies; the others need the extra `plot` (matplotlib). They take
the arguments and the result of `fit`, or an `Influence`, and return a matplotlib figure, which
`figure.savefig("out.png")` saves, also as .svg or .pdf. `dark=True` is for a dark page. Names are
shown literally. Each colour has one meaning everywhere: blue is what was learnt, grey the data and
the closed form, vermilion and sky blue a positive and a negative slope, green a step. Neither the
model nor any global state of matplotlib is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import lazy_modules as _lazy_modules

if _TYPE_CHECKING:
    from .descent.arguments import *
    from .descent.boundary import *
    from .descent.classes import *
    from .descent.contours import *
    from .descent.figure import *
    from .descent.fit_progress import *
    from .descent.landscape import *
    from .descent.learning import *
    from .descent.loss_curve import *
    from .descent.rates import *
    from .graph.picture import *
    from .influence.gradient_flow import *
    from .influence.loss_slice import *
    from .influence.network_drawing import *

__getattr__, __dir__ = _lazy_modules(__name__)
