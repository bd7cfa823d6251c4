"""Lines: the closed form of least squares, and the largest stable learning rate."""

from __future__ import annotations

from .least_squares import Line as Line
from .least_squares import closed_form as closed_form
from .stability import learning_rate_limit as learning_rate_limit

__all__ = ["Line", "closed_form", "learning_rate_limit"]


def __dir__() -> list[str]:
    return __all__
