"""Reductions that leave nan out: the entries that are there get the derivative, nan entries 0."""

import math

import numpy as np

from ..core.primitive import implements, is_complex, primitive
from ..support.abstract_array import AbstractArray
from ..support.validation import as_input
from .differences import cumprod
from .reduce import (
    AXES,
    cumsum,
    declare_weighted,
    numpy_reduction,
    restore_axes,
    share_of_ties,
)


def fill_nan(where, a, number):
    """Return the array with a number in the place of nan, and no derivative there."""
    a = as_input(where, "a", a)
    nan = np.isnan(a)
    if not isinstance(nan, AbstractArray) and not np.any(nan):
        return a
    return np.where(nan, number, a)


@implements(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """The entries with numbers in the place of nan and infinities, which get no derivative.

    Infinities become the largest and the smallest number of the dtype, unless others are given.

    >>> np.nan_to_num(Value([1.0, np.nan, np.inf]), posinf=9.0)
    Value(data=[1. 0. 9.], grad=None)
    """
    x = as_input("nan_to_num", "x", x, allow_complex=True)
    options = {"nan": nan, "posinf": posinf, "neginf": neginf}
    if not copy:
        x[...] = nan_to_num(x, **options)
        return x
    if is_complex(x):
        return nan_to_num(np.real(x), **options) + 1j * nan_to_num(np.imag(x), **options)
    largest = float(np.finfo(x.dtype).max)
    x = fill_nan("nan_to_num", x, nan)
    x = np.where(np.isposinf(x), largest if posinf is None else posinf, x)
    return np.where(np.isneginf(x), -largest if neginf is None else neginf, x)


@implements(np.nansum)
def nansum(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    """The sum of the entries that aren't nan.

    >>> np.nansum(Value([1.0, np.nan, 2.0]))
    Value(data=3.0, grad=None)
    """
    options = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims}
    return np.sum(fill_nan("nansum", a, 0.0), initial=initial or 0.0, where=where, **options)


@implements(np.nanprod)
def nanprod(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    """The product of the entries that aren't nan.

    >>> np.nanprod(Value([3.0, np.nan, 2.0]))
    Value(data=6.0, grad=None)
    """
    options = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims, "where": where}
    product = np.prod(fill_nan("nanprod", a, 1.0), **options)
    return product if initial is None else product * initial


@implements(np.nancumsum)
def nancumsum(a, axis=None, dtype=None, out=None):
    """The sums of all entries up to each one, nan counted as 0.

    >>> np.nancumsum(Value([1.0, np.nan, 2.0]))
    Value(data=[1. 1. 3.], grad=None)
    """
    return cumsum(fill_nan("nancumsum", a, 0.0), axis, dtype, out)


@implements(np.nancumprod)
def nancumprod(a, axis=None, dtype=None, out=None):
    """The products of all entries up to each one, nan counted as 1.

    >>> np.nancumprod(Value([3.0, np.nan, 2.0]))
    Value(data=[3. 3. 6.], grad=None)
    """
    return cumprod(fill_nan("nancumprod", a, 1.0), axis, dtype, out)


def _numbers(a, where):
    """Return the mask of the entries that count: those of `where` that aren't nan."""
    nan = np.isnan(a)
    if where is True and not isinstance(nan, AbstractArray) and not np.any(nan):
        return True
    return ~nan if where is True else where & ~nan


@implements(np.nanmean)
def nanmean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    """The mean of the entries that aren't nan; nan where all are.

    >>> np.nanmean(Value([1.0, np.nan, 2.0]))
    Value(data=1.5, grad=None)
    """
    a = as_input("nanmean", "a", a)
    options = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims}
    return np.mean(a, where=_numbers(a, where), **options)


@implements(np.nanvar)
def nanvar(
    a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, correction=None
):
    """The variance of the entries that aren't nan.

    >>> np.nanvar(Value([1.0, np.nan, 3.0]))
    Value(data=1.0, grad=None)
    """
    a = as_input("nanvar", "a", a)
    options = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims}
    ddof = ddof if correction is None else correction
    return np.var(a, ddof=ddof, where=_numbers(a, where), **options)


@implements(np.nanstd)
def nanstd(
    a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, correction=None
):
    """The standard deviation of the entries that aren't nan.

    >>> np.nanstd(Value([1.0, np.nan, 3.0]))
    Value(data=1.0, grad=None)
    """
    a = as_input("nanstd", "a", a)
    options = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims}
    ddof = ddof if correction is None else correction
    return np.std(a, ddof=ddof, where=_numbers(a, where), **options)


def _is_present_extreme(out, x, axis, keepdims):
    """1/k at the k entries that are equal to the result, else 0."""
    extreme = x == restore_axes(out, x, axis, keepdims)
    return extreme / np.maximum(np.sum(extreme, axis=axis, keepdims=True), 1)


@primitive(
    latex=r"\operatorname{nanmax}\left(<x>\right)",
    examples=AXES,
    selects=True,
    sentence="{v} depends only on the largest entries of {x}: they share {g}.",
)
def nanmax(x, axis=None, keepdims=False):
    """The largest entry that isn't nan. Equal ones share the derivative equally.

    >>> np.nanmax(Value([1.0, np.nan, 3.0]))
    Value(data=3.0, grad=None)
    """
    return np.fmax.reduce(x, axis=axis, keepdims=keepdims)


@primitive(
    latex=r"\operatorname{nanmin}\left(<x>\right)",
    examples=AXES,
    selects=True,
    sentence="{v} depends only on the smallest entries of {x}: they share {g}.",
)
def nanmin(x, axis=None, keepdims=False):
    """The smallest entry that isn't nan. Equal ones share the derivative equally.

    >>> np.nanmin(Value([1.0, np.nan, 3.0]))
    Value(data=1.0, grad=None)
    """
    return np.fmin.reduce(x, axis=axis, keepdims=keepdims)


for _extreme in (nanmax, nanmin):
    declare_weighted(
        _extreme,
        _is_present_extreme,
        textbook=lambda out, x, size, axis: share_of_ties(x == out, axis),
    )
numpy_reduction(np.nanmax, "nanmax", -math.inf, np.fmax)
numpy_reduction(np.nanmin, "nanmin", math.inf, np.fmin)
