"""Operations that move entries without changing them: linear, each the transpose of another."""

import functools

import numpy as np

from ..core.primitive import as_array, implements, is_complex, is_view, numbers_of, primitive
from ..errors import ArgumentError, NotDifferentiableError
from ..support.abstract_array import AbstractArray
from ..support.indexing import shift_axis
from ..support.validation import as_input, check_choice


@primitive(
    latex=r"\operatorname{reshape}\left(<x>\right)",
    kind="linear",
    examples=[
        ((2, 3), {"shape": (3, 2)}),
        ((2, 3), {"shape": (-1,), "copy": True}),
        ((), {"shape": (1, 1)}),
    ],
    identity=True,
    sentence="{v} is {x} in another shape, and so is its gradient.",
    takes_complex=True,
)
def reshape_to(x, shape=(), copy=False):
    """The same entries in another shape; one length may be -1.

    A view where the layout in memory allows it, as in NumPy. `copy` is True for a copy always, and
    "strided" for a copy of what is not contiguous, as `np.ravel` makes it.

    >>> np.reshape(Value([1.0, 2.0]), (2, 1)).shape
    (2, 1)
    """
    if copy == "strided":
        return np.ravel(x)
    x = np.reshape(x, shape)
    return x.copy() if copy else x


reshape_to.view, reshape_to.reads_shapes, reshape_to.moves = "by layout", True, True


def _reshape_rule(g, out, x, shape, copy):
    g = np.reshape(g, np.shape(x))
    if type(g) is np.ndarray is type(x) and x.ndim > 2 and g.flags.c_contiguous:
        # before a convolution x has the batch last in memory: the rules before it, which combine
        # g with arrays like x, are quick if g has, too
        laid = np.empty_like(x, g.dtype)
        if laid.strides != g.strides:
            np.copyto(laid, g)
            return laid
    return g


reshape_to.vjp(x=_reshape_rule)


def _reshape_entries(x, shape, copy):
    size, *own = np.shape(x)
    shape = np.broadcast_to(0, own).reshape(shape).shape  # which knows the length for -1
    return reshape_to(x, shape=(size, *shape), copy=copy is True)


reshape_to.batch(_reshape_entries)


def line_up(varies, *operands):
    """The operands of a batch with axes of length 1, so that they broadcast as those of one entry.

    Those for which `varies` is True have the entries along their first axis.
    """
    pairs = list(zip(operands, varies, strict=True))
    axes = max(np.ndim(x) - given for x, given in pairs)
    return [
        np.reshape(x, (np.shape(x)[0], *(1,) * (axes + 1 - np.ndim(x)), *np.shape(x)[1:]))
        if given
        else x
        for x, given in pairs
    ]


@implements(np.reshape)
def reshape(a, shape, order="C", *, copy=None):
    """The same entries in another shape, read and laid in C or Fortran order.

    A view where the layout in memory allows it. `copy` is True for a copy always, and False for an
    error where a view isn't possible.

    >>> np.reshape(Value([[1.0, 2.0], [3.0, 4.0]]), 4, order="F")
    Value(data=[1. 3. 2. 4.], grad=None)
    """
    check_choice("reshape", "copy", copy, (None, True, False))
    if _is_fortran("reshape", order):
        return np.transpose(reshape(np.transpose(a), np.atleast_1d(shape)[::-1], copy=copy))
    lengths = shape if isinstance(shape, int) else tuple(shape)
    out = reshape_to(a, shape=lengths, copy=True) if copy else reshape_to(a, shape=lengths)
    if copy is False and not is_view(out):
        raise ArgumentError(
            f"reshape: copy must be None or True for this layout in memory, got False; shape "
            f"{np.shape(a)} has no view of shape {shape}"
        )
    return out


def _is_fortran(where, order):
    """Return True for Fortran's order. Raises `ArgumentError` for one that is not fixed."""
    if order not in {"C", "F"}:
        raise ArgumentError(f"{where}: order must be 'C' or 'F', got {order!r:.60}")
    return order == "F"


@implements(np.ravel)
def ravel(a, order="C"):
    """All entries along one axis.

    >>> np.ravel(Value([[1.0], [2.0]])).shape
    (2,)
    """
    a = np.transpose(a) if _is_fortran("ravel", order) else a
    return reshape_to(a, shape=(-1,), copy="strided")


@implements()
def flatten(a, order="C"):
    """All entries along one axis, in memory of their own."""
    a = np.transpose(a) if _is_fortran("flatten", order) else a
    return reshape_to(a, shape=(-1,), copy=True)


@primitive(
    latex=r"{<x>}^{\mathsf{T}}",
    kind="linear",
    examples=[((2, 3),), ((2, 3, 4), {"axes": (1, 2, 0)}), ((),)],
    sentence="{v} is {x} with its axes in another order, and so is its gradient.",
    takes_complex=True,
)
def transpose_to(x, axes=None):
    """The axes in another order, reversed where none is given.

    >>> np.transpose(Value([[1.0, 2.0]])).shape
    (2, 1)
    """
    return np.transpose(x, axes)


def _back(axes):
    return None if axes is None else tuple(np.argsort([i % len(axes) for i in axes]))


transpose_to.view, transpose_to.reads_shapes, transpose_to.moves = "writable", True, True
transpose_to.vjp(x=lambda g, out, x, axes: np.transpose(g, _back(axes)))


def _transpose_entries(x, axes):
    ndim = np.ndim(x) - 1
    axes = range(ndim)[::-1] if axes is None else axes
    return transpose_to(x, axes=(0, *shift_axis(tuple(axes), ndim)))


transpose_to.batch(_transpose_entries)


@implements(np.transpose, np.permute_dims)
def transpose(a, axes=None):
    """The axes in another order, reversed where none is given."""
    return transpose_to(a, axes=None if axes is None else tuple(axes))


@implements(np.matrix_transpose)
def matrix_transpose(x):
    """The last two axes exchanged."""
    return swapaxes(x, -1, -2)


@primitive(
    latex=r"\operatorname{heads}_{<count>}\left(<x>\right)",
    kind="linear",
    examples=[((3, 4), {"count": 2}), ((2, 3, 4), {"count": 4})],
    sentence="{v} is {x} with its columns in groups, and so is its gradient.",
    takes_complex=True,
)
def split_heads(x, count=1):
    """The columns (..., rows, count·size) in groups, one for each head: (..., count, rows, size).

    >>> split_heads(np.array([[1.0, 2.0, 3.0, 4.0]]), count=2).tolist()
    [[[1.0, 2.0]], [[3.0, 4.0]]]
    """
    return np.swapaxes(np.reshape(x, (*np.shape(x)[:-1], count, -1)), -2, -3)


@primitive(
    latex=r"\operatorname{concat}\left(<x>\right)",
    kind="linear",
    examples=[((2, 3, 2),), ((2, 4, 3, 1),)],
    sentence="{v} has the columns of all heads of {x} side by side, and so has its gradient.",
    takes_complex=True,
)
def join_heads(x):
    """The columns of all heads side by side: (..., rows, count·size), the inverse of `split_heads`.

    >>> join_heads(np.array([[[1.0, 2.0]], [[3.0, 4.0]]])).tolist()
    [[1.0, 2.0, 3.0, 4.0]]
    """
    turned = np.swapaxes(x, -2, -3)
    return np.reshape(turned, (*np.shape(turned)[:-2], -1))


split_heads.vjp(x=lambda g, out, x, count: join_heads(g))
join_heads.vjp(x=lambda g, out, x: split_heads(g, count=np.shape(x)[-3]))
for _operation in (split_heads, join_heads):
    _operation.view, _operation.reads_shapes, _operation.moves = "by layout", True, True
    _operation.batch(_operation)


def order_of_axes(ndim, move):
    """The order that `move` gives to axes: NumPy moves an empty array whose lengths are numbers."""
    return move(np.empty(tuple(range(ndim)))).shape


@implements(np.swapaxes)
def swapaxes(a, axis1, axis2):
    """Two axes exchanged.

    >>> np.swapaxes(Value([[1.0, 2.0]]), 0, 1).shape
    (2, 1)
    """
    order = order_of_axes(np.ndim(a), lambda axes: np.swapaxes(axes, axis1, axis2))
    return transpose_to(a, axes=order)


@implements(np.moveaxis)
def moveaxis(a, source, destination):
    """Axes moved to other places, the rest in their order.

    >>> np.moveaxis(Value(np.zeros((2, 3, 4))), 0, -1).shape
    (3, 4, 2)
    """
    order = order_of_axes(np.ndim(a), lambda axes: np.moveaxis(axes, source, destination))
    return transpose_to(a, axes=order)


@implements(np.expand_dims)
def expand_dims(a, axis):
    """New axes of length 1.

    >>> np.expand_dims(Value([1.0, 2.0]), 0).shape
    (1, 2)
    """
    shape = np.expand_dims(np.empty(np.shape(a)), axis).shape
    return reshape_to(a, shape=shape)


@implements(np.squeeze)
def squeeze(a, axis=None):
    """Axes of length 1 taken away.

    >>> np.squeeze(Value([[1.0, 2.0]])).shape
    (2,)
    """
    shape = np.squeeze(np.empty(np.shape(a)), axis).shape
    return reshape_to(a, shape=shape)


@primitive(
    latex=r"\operatorname{broadcast}\left(<x>\right)",
    kind="linear",
    examples=[((3,), {"shape": (2, 3)}), ((2, 1), {"shape": (2, 3)}), ((), {"shape": (2,)})],
    identity=True,
    entrywise=True,
    takes_complex=True,
)
def broadcast_to(x, shape=()):
    """The entries repeated along new axes and along axes of length 1; the derivative adds up.

    >>> np.broadcast_to(Value([1.0, 2.0]), (3, 2)).shape
    (3, 2)
    """
    if isinstance(x, AbstractArray):
        return x.broadcast_to(shape)
    out = np.empty(shape, np.result_type(x))  # filled: np.broadcast_to is slow, and would alias x
    out[...] = x
    return out


broadcast_to.view, broadcast_to.reads_shapes = "read-only", True
broadcast_to.as_view = np.broadcast_to
broadcast_to.vjp(x=lambda g, out, x, shape: g)  # the walk adds up what was spread


def _broadcast_entries(x, shape):
    size, *own = np.shape(x)
    spread = np.reshape(x, (size, *(1,) * (len(shape) - len(own)), *own))
    return broadcast_to(spread, shape=(size, *shape))


broadcast_to.batch(_broadcast_entries)


@implements(np.broadcast_to)
def numpy_broadcast_to(array, shape, subok=False):
    """The entries repeated along new axes and along axes of length 1."""
    return broadcast_to(array, shape=tuple(np.atleast_1d(shape).tolist()))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args, subok=False):
    """All arrays in their common shape; plain ones of any dtype stay plain."""
    shape = np.broadcast_shapes(*map(np.shape, args))
    plain = [numbers_of(a) is a for a in args]
    return tuple(
        np.broadcast_to(a, shape) if b else broadcast_to(a, shape=shape)
        for a, b in zip(args, plain, strict=True)
    )


def each_array(function):
    """Return the function of one array, or the tuple of its results for several."""

    @functools.wraps(function)
    def call(*arys):
        found = tuple(map(function, arys))
        return found[0] if len(found) == 1 else found

    return call


@implements(np.atleast_1d)
@each_array
def atleast_1d(a):
    """An array with one axis or more; a tuple of them for several.

    >>> np.atleast_1d(Value(2.0)).shape
    (1,)
    """
    return reshape_to(a, shape=np.shape(a) or (1,))


@implements(np.atleast_2d)
@each_array
def atleast_2d(a):
    """An array with two axes or more; a tuple of them for several.

    >>> np.atleast_2d(Value(2.0)).shape
    (1, 1)
    """
    return reshape_to(a, shape=(1,) * (2 - np.ndim(a)) + np.shape(a))


@implements(np.atleast_3d)
@each_array
def atleast_3d(a):
    """An array with three axes or more, vectors and matrices in front; a tuple for several.

    >>> np.atleast_3d(Value([1.0, 2.0])).shape
    (1, 2, 1)
    """
    shape = np.shape(a)
    if len(shape) < 3:
        shape = ((1, 1, 1), (1, *shape, 1), (*shape, 1))[len(shape)]
    return reshape_to(a, shape=shape)


@implements(np.rollaxis)
def rollaxis(a, axis, start=0):
    """An axis moved in front of another one, the rest in their order.

    >>> np.rollaxis(Value(np.zeros((2, 3, 4))), 2).shape
    (4, 2, 3)
    """
    order = order_of_axes(np.ndim(a), lambda axes: np.rollaxis(axes, axis, start))
    return transpose_to(a, axes=order)


@primitive(
    latex="<x>",
    kind="linear",
    examples=[((2, 3), {"dtype": "float64"})],
    identity=True,
    entrywise=True,
    takes_complex=True,
)
def cast(x, dtype="float64", order="K"):
    """The same numbers in another floating dtype; the derivative comes back in the old one.

    >>> Value([1.0]).astype("float32").dtype
    dtype('float32')
    """
    x = as_array(x)
    if is_complex(x) and np.dtype(dtype).kind != "c":
        raise ArgumentError(
            f"astype: dtype must be complex for complex numbers, got {np.dtype(dtype)}; take "
            "np.real first"
        )
    return x.astype(dtype, order=order) if hasattr(x, "astype") else np.dtype(dtype).type(x)


cast.vjp(x=lambda g, out, x, dtype, order: g)  # the walk restores the dtype
cast.batch(cast)


@implements(np.astype)
def astype(x, dtype, copy=True, *, device=None):
    """The same numbers in another dtype; x itself if it has that already and `copy` is False.

    Integers and booleans are a plain array: there is nothing to differentiate.

    >>> np.floor(Value([1.0, 2.5])).astype(int)
    array([1, 2])
    """
    check_choice("astype", "device", device, (None, "cpu"))
    kind = np.dtype(dtype).kind
    if kind in "iu" and is_complex(x):
        raise ArgumentError(f"astype: dtype must be complex for complex numbers, got {dtype}")
    if kind in "iub":
        numbers = numbers_of(x)
        return np.dtype(dtype).type(numbers) if type(numbers) is float else numbers.astype(dtype)
    if kind not in "fc":
        raise NotDifferentiableError(
            f"astype: dtype must be a dtype of numbers, got {np.dtype(dtype)}; "
            "use value.numpy().astype(...) to leave the graph"
        )
    if not copy and np.dtype(dtype) == x.dtype:
        return x
    return cast(x, dtype=np.dtype(dtype).name)


@implements(np.copy)
def copy(a, order="K", subok=False):
    """The same numbers in memory of their own."""
    a = as_input("copy", "a", a, allow_complex=True)
    return cast(a, dtype=a.dtype.name, order=order)
