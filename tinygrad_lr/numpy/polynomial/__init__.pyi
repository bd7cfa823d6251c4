"""The types of `tinygrad_lr.numpy.polynomial`.

Written by `python tests/equivalent_stubs.py` from the signatures of NumPy 2.4: do not edit.
"""

# ruff: noqa
# mypy: disable-error-code="overload-overlap,override"
# pyright: reportOverlappingOverload=false

from collections.abc import Sequence as _Sequence
from typing import Any as _Any, Literal as _Literal
from typing import overload as _overload
import numpy as _np
from numpy.typing import DTypeLike as _DTypeLike
from tinygrad_lr.core.creation import Nest as _Nest, Plain as _Plain
from tinygrad_lr.core.primitive import Primitive as _Primitive
from tinygrad_lr.core.value import Index as _Index, Value as _Value
from tinygrad_lr.support.abstract_array import Array as _Array
from . import polynomial as polynomial
from . import chebyshev as chebyshev
from . import legendre as legendre
from . import hermite as hermite
from . import hermite_e as hermite_e
from . import laguerre as laguerre
from . import polyutils as polyutils
from numpy.polynomial import set_default_printstyle as set_default_printstyle

from .chebyshev import Chebyshev as Chebyshev
from .hermite import Hermite as Hermite
from .hermite_e import HermiteE as HermiteE
from .laguerre import Laguerre as Laguerre
from .legendre import Legendre as Legendre
from .polynomial import Polynomial as Polynomial
