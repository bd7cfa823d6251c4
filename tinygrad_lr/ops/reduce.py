"""Reductions along axes: `axis`, `keepdims`, `where`, `dtype`, `initial` mean what NumPy says."""

import math

import numpy as np

from ..core.primitive import PRIMITIVES, implements, is_complex, primitive
from ..errors import ArgumentError
from .shape import astype

AXES = [
    ((2, 3),),
    ((2, 3), {"axis": 0}),
    ((2, 3), {"axis": -1, "keepdims": True}),
    ((2, 3, 2), {"axis": (0, 2)}),
    ((),),
]
SPREADS = [*AXES[:4], ((5,), {"ddof": 1})]


def restore_axes(g, x, axis, keepdims):
    """G with the reduced axes put back, of length 1."""
    if keepdims or axis is None or not np.ndim(x):  # NumPy takes axis=0 of a number
        return g
    shape = list(np.shape(x))
    for i in axis if isinstance(axis, tuple) else (axis,):
        shape[i] = 1
    return np.reshape(g, tuple(shape))


def reduced_size(x, axis):
    """Return the number of entries of x that are reduced to one entry of the result."""
    if axis is None or not np.ndim(x):
        return getattr(x, "size", 1)
    shape = np.shape(x)
    return math.prod(shape[i] for i in (axis if isinstance(axis, tuple) else (axis,)))


def declare_weighted(operation, weight, textbook=None):
    """Declare both modes of a reduction whose derivative with respect to each entry is `weight`.

    `textbook` is the same without guards, from (out, x, entries reduced, axis, **options).
    """

    def reverse(g, out, x, axis, keepdims, **options):
        return restore_axes(g, x, axis, keepdims) * weight(out, x, axis, keepdims, **options)

    def forward(t, out, x, axis, keepdims, **options):
        return sum(t * weight(out, x, axis, keepdims, **options), axis=axis, keepdims=keepdims)

    operation.vjp(x=reverse)
    operation.jvp(x=forward)
    if textbook is not None:
        operation.textbook(
            x=lambda g, out, x, axis, keepdims, **options: (
                restore_axes(g, x, axis, keepdims)
                * textbook(
                    restore_axes(out, x, axis, keepdims), x, reduced_size(x, axis), axis, **options
                )
            )
        )
    operation.reach = reach_reduced


def reach_reduced(live, x, axis, keepdims, **_):
    """The entries of x that were reduced to live entries of the result."""
    return restore_axes(live, x, axis, keepdims)


@primitive(
    latex=r"\sum <x>",
    kind="linear",
    examples=[*AXES, ((0, 3),)],
    sentence="Every entry of {x} is a term of one entry of {v}, and gets its whole {g}.",
    takes_complex=True,
)
def sum(x, axis=None, keepdims=False):
    """The sum along the axis, or of all entries.

    >>> np.sum(Value([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Value(data=[4. 6.], grad=None)
    """
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


sum.vjp(
    x=lambda g, out, x, axis, keepdims: restore_axes(g, x, axis, keepdims)
)  # spread by the walk


@primitive(
    latex=r"\frac{1}{N} \sum <x>",
    kind="linear",
    examples=AXES,
    sentence="The entries of {x} count equally in their mean: each gets an equal share of {g}.",
    takes_complex=True,
)
def mean(x, axis=None, keepdims=False):
    """The mean along the axis, or of all entries; nan where there are none.

    >>> np.mean(Value([[1.0, 2.0], [3.0, 4.0]]))
    Value(data=2.5, grad=None)
    """
    if getattr(x, "dtype", None) == np.float16:  # it adds up in float32
        return np.mean(x, axis=axis, keepdims=keepdims)
    return np.add.reduce(x, axis=axis, keepdims=keepdims) / reduced_size(x, axis)


def _mean_rule(g, out, x, axis, keepdims):
    g, size = restore_axes(g, x, axis, keepdims), reduced_size(x, axis)
    if getattr(g, "dtype", None) == np.float16:  # in which a size may be inf
        return g * (1 / size)
    return g / size


mean.vjp(x=_mean_rule)


@primitive(
    latex=r"\frac{1}{N} \sum {<x>}^2",
    examples=[((2, 3),), ((4,),), ((),)],
    takes_complex=True,
)
def mean_square(x):
    """The mean of the squares of all entries, the lesson's (1/N) Σu². Its derivative is 2u/N.

    >>> mean_square(Value([1.0, 3.0]))
    Value(data=5.0, grad=None)
    """
    return mean.forward(x * x)


mean_square.vjp(x=lambda g, out, x: x * (g * (2.0 / np.size(x))))
mean_square.jvp(x=lambda t, out, x: mean(2.0 * x * t))
mean_square.batch(lambda x: mean(x * x, axis=tuple(range(1, np.ndim(x)))))


def _is_extreme(x, out, axis, keepdims):
    """1/k at the k entries that are equal to the result, else 0; nan counts as equal to nan."""
    extreme = (x == restore_axes(out, x, axis, keepdims)) | (x != x)  # noqa: PLR0124
    return extreme / np.maximum(np.sum(extreme, axis=axis, keepdims=True), 1)


def _winner(x, reached, axis):
    """The place of the entry that each result is, in flat order; the last of equal ones."""
    place = np.arange(np.size(x)).reshape(np.shape(x))
    return np.max(np.where(x == reached, place, -1), axis=axis)


def share_of_ties(equal, axis):
    """1/k at k entries of which k are equal; the sum isn't written where each is alone."""
    count = np.sum(equal, axis=axis, keepdims=True)
    return equal if (getattr(count, "number", count) == 1).all() else equal / count


@primitive(
    latex=r"\max <x>",
    examples=AXES,
    selects=True,
    kinked=lambda x, axis, keepdims: _winner(x, np.max(x, axis=axis, keepdims=True), axis),
    sentence="{v} depends only on the largest entries of {x}: they share {g}.",
    takes_complex=True,
)
def max(x, axis=None, keepdims=False):
    """The largest entry. Equal ones share the derivative equally.

    Raises `ArgumentError` for an empty array.

    >>> np.max(Value([1.0, 3.0, 2.0]))
    Value(data=3.0, grad=None)
    """
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


declare_weighted(
    max,
    lambda out, x, axis, keepdims: _is_extreme(x, out, axis, keepdims),
    textbook=lambda out, x, size, axis: share_of_ties(x == out, axis),
)


@primitive(
    latex=r"\min <x>",
    examples=AXES,
    selects=True,
    kinked=lambda x, axis, keepdims: _winner(x, np.min(x, axis=axis, keepdims=True), axis),
    sentence="{v} depends only on the smallest entries of {x}: they share {g}.",
    takes_complex=True,
)
def min(x, axis=None, keepdims=False):
    """The smallest entry. Equal ones share the derivative equally.

    Raises `ArgumentError` for an empty array.

    >>> np.min(Value([1.0, 3.0, 2.0]))
    Value(data=1.0, grad=None)
    """
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims)


declare_weighted(
    min,
    lambda out, x, axis, keepdims: _is_extreme(x, out, axis, keepdims),
    textbook=lambda out, x, size, axis: share_of_ties(x == out, axis),
)


@primitive(
    latex=r"\prod <x>",
    examples=AXES,
    takes_complex=True,
)
def prod(x, axis=None, keepdims=False):
    """The product along the axis, or of all entries.

    The derivative is the product of the others, found without division: (2, 0, 3) has (0, 6, 0).

    >>> np.prod(Value([2.0, 3.0]))
    Value(data=6.0, grad=None)
    """
    return np.multiply.reduce(x, axis=axis, keepdims=keepdims)


def products_before(x):
    """Along the last axis: the product of all earlier entries, by doubling the reach."""
    length = x.shape[-1]
    product = np.concatenate([np.ones_like(x[..., :1]), x[..., :-1]], axis=-1)
    reach = 1
    while reach < length:
        longer = product[..., reach:] * product[..., :-reach]
        product = np.concatenate([product[..., :reach], longer], axis=-1)
        reach *= 2
    return product


def _product_of_others(out, x, axis, keepdims):
    shape = np.shape(x)
    if reduced_size(x, axis) == 0:
        return np.ones(shape)
    axes = range(len(shape)) if axis is None or not shape else np.atleast_1d(axis)
    reduced = sorted(i % len(shape) for i in axes)
    order = [i for i in range(len(shape)) if i not in reduced] + reduced
    lead = tuple(shape[i] for i in order[: len(order) - len(reduced)])
    moved = np.transpose(x, order) if shape else x
    line = np.reshape(moved, (*lead, reduced_size(x, axis)))
    others = products_before(line) * products_before(line[..., ::-1])[..., ::-1]
    back = np.reshape(others, tuple(shape[i] for i in order))
    return np.transpose(back, tuple(np.argsort(order))) if shape else back


declare_weighted(prod, _product_of_others, textbook=lambda out, x, size, axis: out / x)


def _over_freedom(x, axis, ddof):
    n = reduced_size(x, axis) - ddof
    deviations = (x - mean(x, axis=axis, keepdims=True)) / (n if n > 0 else math.nan)
    return np.conj(deviations) if is_complex(x) else deviations


@primitive(
    latex=r"\operatorname{var}\left(<x>; <ddof>\right)",
    examples=SPREADS,
    takes_complex=True,
)
def var(x, axis=None, ddof=0, keepdims=False):
    """The variance Σ(x - mean)²/(n - ddof), in two passes; nan where ddof ≥ n.

    >>> np.var(Value([1e8, 1e8 + 1]))
    Value(data=0.25, grad=None)
    """
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims)


declare_weighted(
    var,
    lambda out, x, axis, keepdims, ddof: 2 * _over_freedom(x, axis, ddof),
    textbook=lambda out, x, size, axis, ddof: (
        2 * (x - mean(x, axis=axis, keepdims=True)) / (size - ddof)
    ),
)


@primitive(
    latex=r"\operatorname{std}\left(<x>; <ddof>\right)",
    examples=SPREADS,
    takes_complex=True,
)
def std(x, axis=None, ddof=0, keepdims=False):
    """The standard deviation √var. Its derivative is 0 where all entries are equal.

    >>> np.std(Value([1.0, 3.0]))
    Value(data=1.0, grad=None)
    """
    return np.std(x, axis=axis, ddof=ddof, keepdims=keepdims)


def _std_weight(out, x, axis, keepdims, ddof):
    spread = restore_axes(out, x, axis, keepdims)
    return _over_freedom(x, axis, ddof) / np.where(spread == 0, 1.0, spread)


declare_weighted(
    std,
    _std_weight,
    textbook=lambda out, x, size, axis, ddof: (
        (x - mean(x, axis=axis, keepdims=True)) / ((size - ddof) * out)
    ),
)


@primitive(
    latex=r"\operatorname{cumsum}\left(<x>\right)",
    kind="linear",
    examples=[((4,),), ((2, 3), {"axis": 0}), ((2, 3), {"axis": -1})],
    takes_complex=True,
)
def cumsum_along(x, axis=0):
    """The sums of all entries up to each one, along the axis.

    >>> cumsum_along(Value([1.0, 2.0, 3.0]))
    Value(data=[1. 3. 6.], grad=None)
    """
    return np.cumsum(x, axis=axis)


cumsum_along.vjp(x=lambda g, out, x, axis: np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis))


# ---- NumPy's own signatures


@implements(np.cumsum)
def cumsum(a, axis=None, dtype=None, out=None):
    """The sums of all entries up to each one; of the flattened array where axis is None."""
    refuse_out("cumsum", out)
    a = a if dtype is None else astype(a, dtype)
    return cumsum_along(np.ravel(a), 0) if axis is None else cumsum_along(a, axis)


def refuse_out(name, out):
    """Raise where NumPy's out= was given: an array cannot hold a Value."""
    if out is not None:
        raise ArgumentError(
            f"{name}: out must be None, since an array can't hold a Value; use the result"
        )


def apply_where(a, where, instead):
    """The entries that `where` leaves in, others replaced by what changes nothing."""
    return a if where is True else np.where(where, a, instead)


def numpy_reduction(numpy, name, nothing, join):
    """NumPy's options around a reduction: dtype, initial and where."""
    reduction = PRIMITIVES[name]

    @implements(numpy, name=name)
    def reduce(a, axis=None, *, dtype=None, out=None, keepdims=False, initial=None, where=True):
        refuse_out(name, out)
        a = apply_where(a if dtype is None else astype(a, dtype), where, nothing)
        axis = tuple(axis) if isinstance(axis, list) else axis
        if initial is None:
            if where is not True and not math.isfinite(nothing):
                raise ArgumentError(f"{name}: initial must be given with where, as in NumPy")
            return reduction.evaluate((a,), {"axis": axis, "keepdims": keepdims})
        if np.size(a) == 0:  # the sum of no entries
            return sum(a, axis=axis, keepdims=keepdims) + initial
        return join(reduction(a, axis=axis, keepdims=keepdims), initial)

    reduce.__doc__ = reduction.__doc__


numpy_reduction(np.sum, "sum", 0.0, np.add)
numpy_reduction(np.prod, "prod", 1.0, np.multiply)
for function in (np.max, np.amax):
    numpy_reduction(function, "max", -math.inf, np.maximum)
for function in (np.min, np.amin):
    numpy_reduction(function, "min", math.inf, np.minimum)


def numpy_moment(numpy, name):
    """NumPy's options around mean, var and std: dtype, ddof and where."""
    moment = PRIMITIVES[name]

    def reduce(
        a, axis=None, *, dtype=None, out=None, ddof=0, correction=None, keepdims=False, where=True
    ):
        refuse_out(name, out)
        a = a if dtype is None else astype(a, dtype)
        ddof = ddof if correction is None else correction
        if where is True:
            options = {"axis": axis, "keepdims": keepdims}
            return moment.evaluate((a,), options if name == "mean" else options | {"ddof": ddof})
        if np.result_type(a) == np.float16:  # adds up in float32
            wide = reduce(astype(a, np.float32), axis, ddof=ddof, keepdims=keepdims, where=where)
            return astype(wide, np.float16)
        entries = np.sum(
            np.broadcast_to(where, np.shape(a)), axis=axis, keepdims=True, dtype=np.result_type(a)
        )
        centre = sum(apply_where(a, where, 0.0), axis=axis, keepdims=True) / entries
        if name != "mean":
            deviations = apply_where(a - centre, where, 0.0)
            squares = deviations * np.conj(deviations) if is_complex(a) else deviations * deviations
            centre = sum(np.real(squares), axis=axis, keepdims=True) / np.real(entries - ddof)
        if name == "std":  # where the spread is 0, so is the derivative
            centre = np.sqrt(np.where(centre == 0, 0.0, centre))
        return centre if keepdims else np.squeeze(centre, axis)

    def reduce_mean(a, axis=None, *, dtype=None, out=None, keepdims=False, where=True):
        return reduce(a, axis, dtype=dtype, out=out, keepdims=keepdims, where=where)

    public = implements(numpy, name=name)(reduce_mean if name == "mean" else reduce)
    public.__doc__ = moment.__doc__


numpy_moment(np.mean, "mean")
numpy_moment(np.var, "var")
numpy_moment(np.std, "std")
