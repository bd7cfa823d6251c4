"""Names of types that annotations read, for what is too slow to import for them.

Type checkers see the types; at run time, `typing.get_type_hints` finds Any in their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, DTypeLike
else:
    ArrayLike = DTypeLike = Figure = Any

__all__ = ["ArrayLike", "DTypeLike", "Figure"]
