"""The types of `tinygrad_lr.numpy.polynomial.polyutils`.

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
from numpy.polynomial._polybase import ABCPolyBase as _ABCPolyBase
from numpy.polynomial.polyutils import format_float as format_float

@_overload
def as_series(alist: _Sequence[_Plain], trim: bool = ...) -> list[_Array]: ...
@_overload
def as_series(alist: _Sequence[_Nest], trim: bool = ...) -> list[_Value]: ...
@_overload
def getdomain(x: _Plain) -> _Array: ...
@_overload
def getdomain(x: _Nest) -> _Value: ...
@_overload
def mapdomain(x: _Plain, old: _Plain, new: _Plain) -> _Any: ...
@_overload
def mapdomain(x: _Nest, old: _Nest, new: _Nest) -> _Value: ...
@_overload
def mapparms(old: _Plain, new: _Plain) -> tuple[_Array, _Array]: ...
@_overload
def mapparms(old: _Nest, new: _Nest) -> tuple[_Value, _Value]: ...
@_overload
def trimcoef(c: _Plain, tol: float = ...) -> _Array: ...
@_overload
def trimcoef(c: _Nest, tol: float = ...) -> _Value: ...
@_overload
def trimseq(seq: _Plain) -> _Array: ...
@_overload
def trimseq(seq: _Nest) -> _Value: ...
