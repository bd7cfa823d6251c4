"""The operations, by file; importing this fills the table."""

from . import activation, arithmetic, elementwise, index, linear_algebra, reduce, shape
