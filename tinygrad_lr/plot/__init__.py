"""Pictures of a descent, of influences, and of computation graphs.

`computation_graph` needs nothing more; the others need the extra `plot` (matplotlib). They take
what `fit` was given and what it returned, or an `Influence`, and give back a matplotlib figure:
`figure.savefig("out.png")`, or .svg, or .pdf. With `dark=True` it is for a dark page. Names are
shown literally, colours have one meaning everywhere (blue: what was learnt, grey: data and closed
form, vermilion and sky blue: a positive and a negative slope, green: a step), and neither the
model nor any global state of matplotlib is touched.
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
