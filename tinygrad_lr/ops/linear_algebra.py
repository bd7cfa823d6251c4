"""Products of vectors and matrices, parts of matrices, linear systems, and Einstein's notation."""

import builtins
import functools
import math
from typing import Any

import numpy as np

from ..core.primitive import implements, is_complex, numbers_of, primitive
from ..errors import ArgumentError, ShapeError
from ..support.abstract_array import AbstractArray
from ..support.validation import as_input, check_integer, require_memory
from .index import put_at
from .reduce import declare_weighted, refuse_out, restore_axes
from .shape import line_up

ARRAYS: Any = (np.ndarray, AbstractArray)
PRODUCTS = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((2, 2, 3), (3, 4)),
    ((2, 2, 3), (2, 3, 4)),
    ((2, 1, 2, 3), (5, 3, 4)),
    ((3,), (2, 3, 4)),
    ((2, 4, 3), (3,)),
    ((0, 3), (3, 2)),
]


@primitive(
    np.matmul,
    latex="<x> <y>",
    onnx="MatMul",
    kind="multilinear",
    examples=PRODUCTS,
    matrix_product=True,
    takes_complex=True,
)
def matmul(x, y):
    """The matrix product x @ y in all of NumPy's shapes: vectors, matrices, batches of them.

    With out = x @ y: dL/dx = g @ yᵀ and dL/dy = xᵀ @ g.

    >>> Value([[1.0, 2.0]]) @ np.array([[3.0], [4.0]])
    Value(data=[[11.]], grad=None)
    """
    return _product(x, y)


def _product(x, y):
    if isinstance(x, ARRAYS) and isinstance(y, ARRAYS) and x.ndim == 2 == y.ndim:
        return np.dot(x, y)  # the same product, quicker to call
    return np.matmul(x, y)


def _matmul_rule_of_x(g, out, x, y, *_):
    m, n = x.ndim, y.ndim
    if m == 2 == n:
        return np.dot(g, y.T)
    if n == 1:  # (..., i, j) @ (j,) -> (..., i); for m = 1, () times (j,)
        return np.expand_dims(g, -1) * y
    if m == 1:  # (j,) @ (..., j, k) -> (..., k)
        return np.matmul(y, np.expand_dims(g, -1))[..., 0]
    return np.matmul(g, np.swapaxes(y, -1, -2))


def _matmul_rule_of_y(g, out, x, y, *_):
    m, n = x.ndim, y.ndim
    if m == 2 == n:
        return np.dot(x.T, g)
    if m == 1:  # (j,) @ (..., j, k) -> (..., k); for n = 1, () times (j,)
        return np.expand_dims(x, -1) * np.expand_dims(g, -2) if n > 1 else x * g
    if n == 1:  # (..., i, j) @ (j,) -> (..., i)
        return np.matmul(np.swapaxes(x, -1, -2), np.expand_dims(g, -1))[..., 0]
    if n == 2 and g.shape[-1] * x.shape[-1]:  # (..., i, j) @ (j, k): all rows together
        return np.dot(np.reshape(x, (-1, x.shape[-1])).T, np.reshape(g, (-1, g.shape[-1])))
    return np.matmul(np.swapaxes(x, -1, -2), g)


def _textbook_rule_of_y(g, out, x, y, *_):
    if x.ndim > 2 == y.ndim:  # Σ over all matrices
        products = np.matmul(np.swapaxes(x, -1, -2), g)
        return np.sum(products, axis=tuple(range(x.ndim - 2)))
    return _matmul_rule_of_y(g, out, x, y)


matmul.vjp(x=_matmul_rule_of_x, y=_matmul_rule_of_y)
matmul.textbook(y=_textbook_rule_of_y)


def _product_of_entries(varies, x, y):
    """Return the product of each entry: one product of all rows where the matrix is shared."""
    m, n = np.ndim(x) - varies[0], np.ndim(y) - varies[1]
    if m == 0 or n == 0:
        np.matmul(np.empty(np.shape(x)[varies[0] :]), np.empty(np.shape(y)[varies[1] :]))  # raises
    if not varies[1] and n <= 2:
        return matmul(x, y)
    if not varies[0] and m == 2 and n == 1:
        return matmul(y, np.transpose(x))
    if not varies[0] and m == 2 and n == 2 and np.shape(y)[2] == 1:
        return np.expand_dims(matmul(y[..., 0], np.transpose(x)), -1)
    left = np.expand_dims(x, -2) if m == 1 else x
    right = np.expand_dims(y, -1) if n == 1 else y
    left, right = line_up(varies, left, right)
    out = matmul(left, right)
    dropped = tuple(axis for axis, one in ((-2, m == 1), (-1, n == 1)) if one)
    return np.squeeze(out, dropped) if dropped else out


matmul.batch(_product_of_entries, mixed=True)


@primitive(
    latex="<x> <weight> + <bias>",
    examples=[((2, 3), (3, 4), (4,)), ((3,), (3, 4), (4,)), ((5, 2, 3), (3, 4), (4,))],
    matrix_product=True,
    takes_complex=True,
)
def affine(x, weight, bias):
    """The line x @ weight + bias: what a linear layer computes, as one operation.

    >>> affine(Value([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([5.0]))
    Value(data=[[16.]], grad=None)
    """
    out = _product(x, weight)
    if type(out) is np.ndarray is type(bias) and out.dtype is bias.dtype and bias.ndim < out.ndim:
        out += bias  # in place: nobody else has it
        return out
    return out + bias


@functools.lru_cache(maxsize=64)
def _ones(length, dtype):
    ones = np.ones(length, dtype)
    ones.flags.writeable = False
    return ones


def _column_sums(g, out, x, weight, bias):
    """g added up over its rows: as a product with ones, a third of the time of NumPy's sum."""
    if not hasattr(g, "__apply__") and g.ndim == 2 and g.dtype.char in "fd":
        return np.dot(_ones(len(g), g.dtype.char), g)
    return g  # the walk adds up what was spread


affine.vjp(x=_matmul_rule_of_x, weight=_matmul_rule_of_y, bias=_column_sums)
affine.textbook(weight=_textbook_rule_of_y)


def _affine_of_entries(varies, x, weight, bias):
    if not varies[1] and not varies[2]:
        return affine(x, weight, bias)
    if not varies[0] and not varies[1]:
        out, varies = np.expand_dims(matmul(x, weight), 0), [True, False, True]
    else:
        out = _product_of_entries(varies[:2], x, weight)
    return np.add(*line_up((varies[0] or varies[1], varies[2]), out, bias))


affine.batch(_affine_of_entries, mixed=True)
affine.jvp(
    x=lambda t, out, x, weight, bias: _product(t, weight),
    weight=lambda t, out, x, weight, bias: _product(x, t),
    bias=lambda t, out, x, weight, bias: t,
)


@implements(np.dot)
def dot(a, b, out=None):
    """NumPy's dot: a product of numbers, vectors or matrices; of last with second-last axes.

    >>> np.dot(Value([1.0, 2.0]), [3.0, 4.0])
    Value(data=11.0, grad=None)
    """
    refuse_out("dot", out)
    if not np.ndim(a) or not np.ndim(b):
        return np.multiply(a, b)
    if np.ndim(b) <= 2:
        return matmul(a, b)
    return np.tensordot(a, b, axes=(-1, -2))


@implements(np.vdot)
def vdot(a, b, /):
    """The sum of products of all entries, read in C order; those of a complex a conjugated.

    >>> np.vdot(Value([[1.0, 2.0]]), [[3.0, 4.0]])
    Value(data=11.0, grad=None)
    """
    return matmul(np.conj(np.ravel(a)) if np.iscomplexobj(a) else np.ravel(a), np.ravel(b))


@implements(np.inner)
def inner(a, b, /):
    """The sum of products over the last axes.

    >>> np.inner(Value([1.0, 2.0]), [3.0, 4.0])
    Value(data=11.0, grad=None)
    """
    if not np.ndim(a) or not np.ndim(b):
        return np.multiply(a, b)
    return np.tensordot(a, b, axes=(-1, -1))


@implements(np.outer)
def outer(a, b, out=None):
    """All products of an entry of a with one of b, flattened: shape (size of a, size of b).

    >>> np.outer(Value([1.0, 2.0]), [3.0])
    Value(data=[[3.]
     [6.]], grad=None)
    """
    refuse_out("outer", out)
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


@implements(np.kron)
def kron(a, b):
    """The Kronecker product: every entry of a times the whole of b, along each axis.

    >>> np.kron(Value([1.0, 2.0]), [3.0, 4.0]).tolist()
    [3.0, 4.0, 6.0, 8.0]
    """
    if not np.ndim(a) or not np.ndim(b):
        return np.multiply(a, b)
    axes = max(np.ndim(a), np.ndim(b))
    of_a, of_b = ((1,) * (axes - np.ndim(x)) + np.shape(x) for x in (a, b))
    spread_a = np.reshape(a, [n for length in of_a for n in (length, 1)])
    spread_b = np.reshape(b, [n for length in of_b for n in (1, length)])
    return np.reshape(spread_a * spread_b, [m * n for m, n in zip(of_a, of_b, strict=True)])


@implements(np.cross)
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The vector at right angles to two vectors of three entries.

    >>> np.cross(Value([1.0, 0.0, 0.0]), [0.0, 1.0, 0.0])
    Value(data=[0. 0. 1.], grad=None)
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if not np.shape(a)[-1] == 3 == np.shape(b)[-1]:
        given = f"{np.shape(a)[-1]} and {np.shape(b)[-1]}"
        raise ShapeError(f"cross: a and b must have 3 entries along the axis, got {given}")
    turned = a[..., [1, 2, 0]] * b[..., [2, 0, 1]] - a[..., [2, 0, 1]] * b[..., [1, 2, 0]]
    return np.moveaxis(turned, -1, axisc)


@implements(np.tensordot)
def tensordot(a, b, axes=2):
    """The sum of products over pairs of axes.

    >>> np.tensordot(Value(np.ones((2, 3))), np.ones((3, 4)), axes=1).shape
    (2, 4)
    """
    a = as_input("tensordot", "a", a, allow_complex=True)
    b = as_input("tensordot", "b", b, allow_complex=True)
    if isinstance(axes, int):
        if not 0 <= axes <= min(a.ndim, b.ndim):
            raise ArgumentError(
                f"tensordot: axes must be from 0 to the number of axes of a and b, got {axes}"
            )
        axes = (range(np.ndim(a) - axes, np.ndim(a)), range(axes))
    over_a, over_b = (
        [int(i) % n for i in np.atleast_1d(chosen)]
        for chosen, n in zip(axes, (np.ndim(a), np.ndim(b)), strict=True)
    )
    free_a = [i for i in range(np.ndim(a)) if i not in over_a]
    free_b = [i for i in range(np.ndim(b)) if i not in over_b]
    shape_a, shape_b = np.shape(a), np.shape(b)
    if [shape_a[i] for i in over_a] != [shape_b[i] for i in over_b]:
        raise ShapeError(
            f"tensordot: the axes {over_a} of a and {over_b} of b must have equal lengths, got "
            f"shapes {shape_a} and {shape_b}"
        )
    rows, columns = [shape_a[i] for i in free_a], [shape_b[i] for i in free_b]
    inner_size = math.prod(shape_a[i] for i in over_a)
    left = np.reshape(np.transpose(a, free_a + over_a), (math.prod(rows), inner_size))
    right = np.reshape(np.transpose(b, over_b + free_b), (inner_size, math.prod(columns)))
    return np.reshape(matmul(left, right), (*rows, *columns))


def since_numpy_2_2(name):
    """The NumPy function of that name, in a list that is empty where NumPy is older."""
    return [getattr(np, name)] if hasattr(np, name) else []


@implements(np.vecdot)
def vecdot(x1, x2, /, axis=-1):
    """The sum of products along an axis; the entries of a complex x1 conjugated.

    >>> np.vecdot(Value([[1.0, 2.0], [3.0, 4.0]]), [1.0, 1.0]).tolist()
    [3.0, 7.0]
    """
    first, second = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    if np.shape(first)[-1] != np.shape(second)[-1]:
        raise ShapeError(
            "vecdot: x1 and x2 must be equally long along the axis, got shapes "
            f"{np.shape(x1)} and {np.shape(x2)}"
        )
    first = np.conj(first) if np.iscomplexobj(first) else first
    return np.sum(np.multiply(first, second), axis=-1)


@implements(*since_numpy_2_2("matvec"))
def matvec(x1, x2, /):
    """The product of matrices and vectors, of each of a batch.

    >>> matvec(np.eye(2), Value([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """
    return matmul(x1, np.expand_dims(x2, -1))[..., 0]


@implements(*since_numpy_2_2("vecmat"))
def vecmat(x1, x2, /):
    """The product of vectors, conjugated if they are complex, and matrices, of each of a batch.

    >>> vecmat(Value([1.0, 2.0]), np.eye(2)).tolist()
    [1.0, 2.0]
    """
    rows = np.conj(x1) if np.iscomplexobj(x1) else x1
    return matmul(np.expand_dims(rows, -2), x2)[..., 0, :]


@implements(np.vander)
def vander(x, N=None, increasing=False):
    """The powers of each entry, as the columns of a matrix, falling by default.

    >>> np.vander(Value([1.0, 2.0]), 3).tolist()
    [[1.0, 1.0, 1.0], [4.0, 2.0, 1.0]]
    """
    if np.ndim(x) != 1:
        raise ShapeError(f"vander: x must be a vector, got shape {np.shape(x)}")
    count = np.shape(x)[0] if N is None else check_integer("vander", "N", N, low=0)
    x = np.astype(x, np.promote_types(np.result_type(x), int))
    columns = [x * 0.0 + 1.0, x][:count]
    while len(columns) < count:
        columns.append(columns[-1] * x)
    if not count:
        return x[:, None][:, :0]
    return np.stack(columns if increasing else columns[::-1], axis=-1)


@implements(np.linalg.multi_dot)
def multi_dot(arrays, *, out=None):
    """The product of several matrices, in the order that costs least.

    The first and the last may be vectors.

    >>> np.linalg.multi_dot([Value([1.0, 2.0]), np.eye(2), [3.0, 4.0]])
    Value(data=11.0, grad=None)
    """
    refuse_out("multi_dot", out)
    arrays = [as_input("multi_dot", "arrays", x, allow_complex=True) for x in arrays]
    if len(arrays) < 2:
        raise ArgumentError(f"multi_dot: arrays must be two or more, got {len(arrays)}")
    first = np.shape(arrays[0])
    lengths = [1 if len(first) == 1 else first[0], first[-1]]
    lengths += [np.shape(x)[-1] if np.ndim(x) == 2 else 1 for x in arrays[1:]]

    @functools.cache
    def cheapest(i, j):
        """The cost of the product of the arrays from i to j, and where to split it."""
        if i == j:
            return 0, i
        return builtins.min(
            (
                cheapest(i, k)[0]
                + cheapest(k + 1, j)[0]
                + lengths[i] * lengths[k + 1] * lengths[j + 1],
                k,
            )
            for k in range(i, j)
        )

    def product(i, j):
        if i == j:
            return arrays[i]
        split = cheapest(i, j)[1]
        return matmul(product(i, split), product(split + 1, j))

    return product(0, len(arrays) - 1)


@implements(np.linalg.matrix_power)
def matrix_power(a, n):
    """The product of n times the same square matrix, or |n| times its inverse.

    >>> np.linalg.matrix_power(Value([[2.0]]), 3).tolist()
    [[8.0]]
    """
    n = check_integer("matrix_power", "n", n, low=None)
    if np.ndim(a) < 2 or np.shape(a)[-1] != np.shape(a)[-2]:
        raise ShapeError(f"matrix_power: a must be square matrices, got shape {np.shape(a)}")
    if n == 0:
        return np.where(False, a, np.eye(np.shape(a)[-1], dtype=np.result_type(a)))
    power, square = None, a if n > 0 else inv(a)
    n = n if n > 0 else -n
    while n:
        if n % 2:
            power = square if power is None else matmul(power, square)
        n //= 2
        square = matmul(square, square) if n else square
    return power


@implements(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    """The covariances of variables, which are the rows of m (and of y); observations are columns.

    The derivative with respect to `aweights` is known, too; `fweights` are plain.

    >>> np.cov(Value([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    rows = [_variables("cov", x, rowvar, dtype) for x in (m, y) if x is not None]
    x = np.concatenate(rows, axis=0) if y is not None else rows[0]
    count = np.shape(x)[1]
    ddof = (0 if bias else 1) if ddof is None else ddof
    if fweights is None and aweights is None:
        deviations = x - np.mean(x, axis=1, keepdims=True)
        weighted, freedom = deviations, count - ddof
    else:
        weights = 1.0 if fweights is None else np.asarray(numbers_of(fweights), float)
        own = weights if aweights is None else weights * aweights
        total = np.sum(own)
        deviations = x - np.sum(x * own, axis=1, keepdims=True) / total
        weighted = deviations * own
        freedom = total - ddof
        if ddof and aweights is not None:
            freedom = total - ddof * np.sum(own * aweights) / total
    found = matmul(weighted, _adjoint(deviations)) / np.maximum(freedom, 0.0)
    return np.squeeze(found)


def _variables(name, x, rowvar, dtype):
    """The observations as a matrix with a row for each variable."""
    x = as_input(name, "m", x, allow_complex=True)
    if np.ndim(x) > 2:
        raise ShapeError(f"{name}: m must have at most 2 axes, got {np.ndim(x)}")
    x = np.astype(x, np.result_type(x, np.float64) if dtype is None else dtype)
    x, single = np.atleast_2d(x), np.ndim(x) < 2
    return x if rowvar or single else np.transpose(x)


def _adjoint(x):
    return np.conj(_transposed(x)) if np.iscomplexobj(x) else _transposed(x)


@implements(np.corrcoef)
def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    """The correlations of variables: their covariances over both standard deviations.

    >>> np.round(np.corrcoef(Value([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])), 12).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    covariance = cov(x, y, rowvar, dtype=dtype)
    if not np.ndim(covariance):
        return covariance / covariance
    variances = diagonal(covariance)
    deviations = np.sqrt(np.real(variances) if np.iscomplexobj(variances) else variances)
    return covariance / np.expand_dims(deviations, -1) / deviations


# ---- parts of a matrix


def _diagonal_index(rows, columns, offset):
    """Return the rows and the columns of the entries on a diagonal."""
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    steps = np.arange(length)
    return steps - min(offset, 0), steps + max(offset, 0)


@primitive(
    latex=r"\operatorname{diag}\left(<x>; <offset>\right)",
    kind="linear",
    examples=[((3, 3),), ((2, 3, 4), {"offset": 1})],
    sentence="{v} is a diagonal of {x}: the gradient goes back there, and all other entries get 0.",
    takes_complex=True,
)
def diagonal_of(x, offset=0):
    """The entries on a diagonal of the last two axes, as the last axis; read-only, as in NumPy.

    >>> diagonal_of(Value([[1.0, 2.0], [3.0, 4.0]]), offset=1)
    Value(data=[2.], grad=None)
    """
    return x[_last_diagonal(x, offset)]


def _last_diagonal(x, offset):
    """Return the index of a diagonal of the last two axes."""
    height, width = np.shape(x)[-2:]
    return (..., *_diagonal_index(height, width, offset))


diagonal_of.moves = True
diagonal_of.batch(diagonal_of)
diagonal_of.vjp(
    x=lambda g, out, x, offset: put_at(g, index=_last_diagonal(x, offset), shape=np.shape(x))
)
diagonal_of.view, diagonal_of.reads_shapes = "read-only", True
diagonal_of.as_view = lambda x, offset: np.diagonal(x, offset, -2, -1)


@implements(np.diagonal)
def diagonal(a, offset=0, axis1=0, axis2=1):
    """The entries on a diagonal of the first two axes, or of the axes given, as the last axis.

    >>> np.diagonal(Value([[1.0, 2.0], [3.0, 4.0]]))
    Value(data=[1. 4.], grad=None)
    """
    offset = check_integer("diagonal", "offset", offset, low=None)
    moved = np.moveaxis(a, (axis1, axis2), (-2, -1))
    return diagonal_of(moved, offset=offset)


@implements(np.trace)
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    """The sum of the diagonal.

    >>> np.trace(Value([[1.0, 2.0], [3.0, 4.0]]))
    Value(data=5.0, grad=None)
    """
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype, out=out)


@implements(np.diag)
def diag(v, k=0):
    """The diagonal of a matrix, or the matrix with a vector on its diagonal.

    >>> np.diag(Value([1.0, 2.0]))
    Value(data=[[1. 0.]
     [0. 2.]], grad=None)
    """
    if np.ndim(v) == 2:
        return diagonal(v, k)
    if np.ndim(v) != 1:
        raise ArgumentError(f"diag: v must have 1 or 2 axes, got {np.ndim(v)}")
    k = check_integer("diag", "k", k, low=None)
    size = np.shape(v)[0] + abs(k)
    require_memory("diag", "the result", (size, size))
    return put_at(v, index=_diagonal_index(size, size, k), shape=(size, size))


def _below(shape, k):
    """Return a mask of the entries on diagonal k or below."""
    return np.tri(shape[-2], shape[-1], k, dtype=bool)


@implements(np.tril)
def tril(m, k=0):
    """The lower triangle; zeros above diagonal k.

    >>> np.tril(Value([[1.0, 2.0], [3.0, 4.0]]))
    Value(data=[[1. 0.]
     [3. 4.]], grad=None)
    """
    m = np.broadcast_to(m, np.shape(m) * 2) if np.ndim(m) == 1 else m
    return np.where(_below(np.shape(m), k), m, 0.0)


@implements(np.triu)
def triu(m, k=0):
    """The upper triangle; zeros below diagonal k.

    >>> np.triu(Value([[1.0, 2.0], [3.0, 4.0]]))
    Value(data=[[1. 2.]
     [0. 4.]], grad=None)
    """
    m = np.broadcast_to(m, np.shape(m) * 2) if np.ndim(m) == 1 else m
    return np.where(_below(np.shape(m), k - 1), 0.0, m)


@primitive(
    latex=r"\left\lVert <x> \right\rVert",
    examples=[((2, 3),), ((2, 3), {"axis": 0}), ((2, 3), {"axis": 1, "keepdims": True})],
    takes_complex=True,
)
def euclidean_norm(x, axis=None, keepdims=False):
    """The length √Σx² along the axis, or of all entries. Its derivative at the zero vector is 0.

    >>> np.linalg.norm(Value([3.0, 4.0]))
    Value(data=5.0, grad=None)
    """
    squares = np.real(x * np.conj(x)) if is_complex(x) else x * x
    return np.sqrt(np.add.reduce(squares, axis=axis, keepdims=keepdims))


def _unit(out, x, axis, keepdims):
    length = restore_axes(out, x, axis, keepdims)
    return (np.conj(x) if is_complex(x) else x) / np.where(length == 0, 1.0, length)


declare_weighted(euclidean_norm, _unit, textbook=lambda out, x, size, axis: x / out)


@primitive(
    latex=r"\left\lVert <x> \right\rVert_{<order>}",
    examples=[
        ((2, 3), {"order": 3.0}),
        ((2, 3), {"order": 1.5, "axis": 0}),
        ((2, 3), {"order": -2.0, "axis": (1,), "keepdims": True}),
    ],
    takes_complex=True,
)
def norm_of_order(x, order=2.0, axis=None, keepdims=False):
    """(Σ|x|ᵖ)^(1/p) with p = order along the axis, or of all entries; at zero its derivative is 0.

    >>> norm_of_order(Value([1.0, 2.0]), order=3.0).item() == 9 ** (1 / 3)
    True
    """
    if not order:
        raise ArgumentError("norm_of_order: order must not be 0; use np.linalg.norm")
    powers = np.add.reduce(np.abs(x) ** order, axis=axis, keepdims=keepdims)
    return powers ** (1.0 / order)


def _share_of_norm(out, x, axis, keepdims, order):
    length = restore_axes(out, x, axis, keepdims)
    ratio = np.abs(x) / np.where(length == 0, 1.0, length)
    sign = np.conj(np.sign(x)) if is_complex(x) else np.sign(x)
    still = (length == 0) | (x == 0) & (order > 1)
    return np.where(still, 0.0, sign * np.where(still, 1.0, ratio) ** (order - 1.0))


declare_weighted(
    norm_of_order,
    _share_of_norm,
    textbook=lambda out, x, size, axis, order: np.sign(x) * (np.abs(x) / out) ** (order - 1.0),
)


@implements(np.linalg.vector_norm)
def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """The norm (Σ|x|ᵖ)^(1/p) along the axis, or of all entries, where p is `ord`.

    `ord` is a number: inf is the largest, -inf the smallest |x|, 0 the number of entries that
    aren't 0, whose derivative is 0. At the zero vector, the derivative is 0.

    >>> np.linalg.vector_norm(Value([3.0, -4.0]), ord=1)
    Value(data=7.0, grad=None)
    """
    axis = tuple(axis) if isinstance(axis, list) else axis
    if ord is None or ord == 2:
        return euclidean_norm(x, axis=axis, keepdims=keepdims)
    if isinstance(ord, str) or np.ndim(ord):
        raise ArgumentError(f"norm: ord must be a number for a vector, got {ord!r:.60}")
    if ord == 0:
        return np.sum(np.where(x != 0, 1.0, np.abs(x) * 0.0), axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    if np.isinf(ord):
        return (np.max if ord > 0 else np.min)(np.abs(x), axis=axis, keepdims=keepdims)
    return norm_of_order(x, order=float(ord), axis=axis, keepdims=keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """The norm of each matrix: "fro" (all entries), "nuc" (the sum of its singular values), 2 or -2
    (the largest or smallest of them), 1 or -1 (columns), inf or -inf (rows).

    Equal largest ones share the derivative equally; that of a singular value of 0 is 0.

    >>> np.linalg.matrix_norm(Value([[3.0, 0.0], [0.0, 4.0]]), ord="nuc").item()
    7.0
    """
    if ord in (None, "fro", "f"):
        return euclidean_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord == "nuc" or ord in (2, -2):
        over = np.sum if ord == "nuc" else np.max if ord == 2 else np.min
        found = over(np.linalg.svdvals(x), axis=-1)
        return np.expand_dims(found, (-2, -1)) if keepdims else found
    if ord not in (1, -1, np.inf, -np.inf):
        raise ArgumentError(
            "norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf for a matrix, got "
            f"{ord!r:.60}"
        )
    lines = np.sum(np.abs(x), axis=-2 if abs(ord) == 1 else -1, keepdims=True)
    return (np.max if ord > 0 else np.min)(lines, axis=(-2, -1), keepdims=keepdims)


@implements(np.linalg.norm)
def norm(x, ord=None, axis=None, keepdims=False):
    """The norm of vectors (one axis) or matrices (two axes); see `vector_norm`, `matrix_norm`.

    Without `ord`, it is the length √Σ|x|² of all entries.

    >>> np.linalg.norm(Value([[3.0, 0.0], [0.0, 4.0]]), 2).item()
    4.0
    """
    axes = tuple(range(np.ndim(x))) if axis is None else tuple(np.atleast_1d(axis).tolist())
    if ord is None and (axis is None or len(axes) <= 2):
        return euclidean_norm(x, axis=axis if axis is None else axes, keepdims=keepdims)
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=ord)
    if len(axes) != 2:
        raise ArgumentError(f"norm: axis must name one or two axes, got {axis!r:.60}")
    found = matrix_norm(np.moveaxis(x, axes, (-2, -1)), ord=ord)
    return np.expand_dims(found, axes) if keepdims else found


@implements(np.linalg.cond)
def cond(x, p=None):
    """The condition number |x|·|x⁻¹| of matrices, in the norm p; by default that of p = 2.

    >>> np.linalg.cond(Value([[2.0, 0.0], [0.0, 4.0]])).item()
    2.0
    """
    if p is None or p in (2, -2):
        s = np.linalg.svdvals(x)
        first, last = s[..., 0], s[..., -1]
        return last / first if p == -2 else first / last
    return matrix_norm(x, ord=p) * matrix_norm(inv(x), ord=p)


@implements(np.linalg.matrix_rank)
def matrix_rank(A, *args, **options):
    """The rank of matrices, as plain integers: it has no derivative."""
    return np.linalg.matrix_rank(numbers_of(A), *args, **options)


# ---- numpy.linalg's own forms of functions above


@implements(np.linalg.matmul, name="linalg_matmul")
def linalg_matmul(x1, x2, /):
    """The matrix product, as `np.matmul`."""
    return matmul(x1, x2)


@implements(np.linalg.outer, name="linalg_outer")
def linalg_outer(x1, x2, /):
    """All products of an entry of one vector with one of the other."""
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        given = f"{np.shape(x1)} and {np.shape(x2)}"
        raise ShapeError(f"outer: x1 and x2 must be vectors, got shapes {given}")
    return outer(x1, x2)


@implements(np.linalg.vecdot, name="linalg_vecdot")
def linalg_vecdot(x1, x2, /, *, axis=-1):
    """The sum of products along an axis, as `np.vecdot`."""
    return vecdot(x1, x2, axis=axis)


@implements(np.linalg.cross, name="linalg_cross")
def linalg_cross(x1, x2, /, *, axis=-1):
    """The vector at right angles to two vectors of three entries."""
    return cross(x1, x2, axis=axis)


@implements(np.linalg.tensordot, name="linalg_tensordot")
def linalg_tensordot(x1, x2, /, *, axes=2):
    """The sum of products over pairs of axes, as `np.tensordot`."""
    return tensordot(x1, x2, axes=axes)


@implements(np.linalg.diagonal, name="linalg_diagonal")
def linalg_diagonal(x, /, *, offset=0):
    """The entries on a diagonal of each matrix."""
    return diagonal(x, offset, axis1=-2, axis2=-1)


@implements(np.linalg.trace, name="linalg_trace")
def linalg_trace(x, /, *, offset=0, dtype=None):
    """The sum of the diagonal of each matrix."""
    return trace(x, offset, axis1=-2, axis2=-1, dtype=dtype)


@implements(np.linalg.matrix_transpose, name="linalg_matrix_transpose")
def linalg_matrix_transpose(x, /):
    """The last two axes exchanged."""
    return _transposed(x)


# ---- inverses, linear systems and determinants, of one matrix or of a batch


SQUARE = [((2, 2),), ((3, 2, 2),)]
MAX_MINORS = 16  # rows of a matrix whose minors are computed all at once


def _transposed(x):
    return np.swapaxes(x, -1, -2)


@primitive(
    np.linalg.inv,
    latex="{<a>}^{-1}",
    examples=SQUARE,
    takes_complex=True,
)
def inv(a):
    """The inverse of a matrix. With out = a⁻¹: dL/da = -outᵀ g outᵀ.

    Raises `numpy.linalg.LinAlgError` for a singular one.

    >>> np.linalg.inv(Value([[2.0, 0.0], [0.0, 4.0]]))
    Value(data=[[0.5  0.  ]
     [0.   0.25]], grad=None)
    """
    return np.linalg.inv(a)


inv.batch(inv)
inv.vjp(a=lambda g, out, a: -np.matmul(np.matmul(_transposed(out), g), _transposed(out)))
inv.jvp(a=lambda t, out, a: -np.matmul(np.matmul(out, t), out))


@implements(np.linalg.solve)
def solve(a, b):
    """The solution x of a @ x = b, for a vector b or the columns of a matrix.

    With out = a⁻¹b: dL/db = a⁻ᵀ g and dL/da = -(a⁻ᵀ g) outᵀ.

    >>> np.linalg.solve(Value([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 2.0]))
    Value(data=[1.  0.5], grad=None)
    """
    if np.ndim(b) == 1:
        return solve_columns(a, np.expand_dims(b, -1))[..., 0]
    return solve_columns(a, b)


@implements(np.linalg.tensorinv)
def tensorinv(a, ind=2):
    """The inverse with respect to `tensordot` over the first `ind` axes.

    >>> np.linalg.tensorinv(Value(np.eye(4).reshape(2, 2, 4)), ind=2).shape
    (4, 2, 2)
    """
    ind = check_integer("tensorinv", "ind", ind, low=1)
    shape = np.shape(a)
    size = math.prod(shape[:ind])
    if size != math.prod(shape[ind:]):
        raise ShapeError(
            f"tensorinv: the first {ind} axes of a must have as many entries as the others, got "
            f"shape {shape}"
        )
    return np.reshape(inv(np.reshape(a, (size, size))), (*shape[ind:], *shape[:ind]))


@implements(np.linalg.tensorsolve)
def tensorsolve(a, b, axes=None):
    """The x with tensordot(a, x, x.ndim) = b; `axes` of a are moved to its end first.

    >>> np.linalg.tensorsolve(Value(2.0 * np.eye(4).reshape(2, 2, 4)), np.ones((2, 2))).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    if axes is not None:
        order = [i for i in range(np.ndim(a)) if i not in axes] + list(axes)
        a = np.transpose(a, order)
    b = as_input("tensorsolve", "b", b, allow_complex=True)
    size, shape = np.size(b), np.shape(a)[np.ndim(b) :]
    if math.prod(np.shape(a)) != size * size:
        raise ShapeError(
            f"tensorsolve: a must have {size * size} entries for b of shape {np.shape(b)}, got "
            f"shape {np.shape(a)}"
        )
    return np.reshape(solve(np.reshape(a, (size, size)), np.reshape(b, (size,))), shape)


@primitive(
    latex="{<a>}^{-1} <b>",
    examples=[((2, 2), (2, 3)), ((3, 2, 2), (2, 1))],
    takes_complex=True,
)
def solve_columns(a, b):
    """The solution of a @ x = b for every column of b.

    >>> solve_columns(Value([[2.0]]), np.array([[6.0]]))
    Value(data=[[3.]], grad=None)
    """
    return np.linalg.solve(a, b)


def _systems(varies, a, b):
    """Return the solutions of each entry: of one system with all right sides if it is shared."""
    if varies[0] or np.ndim(a) > 2 or np.ndim(b) != 3:
        return solve_columns(*line_up(varies, a, b))
    size, rows, columns = np.shape(b)
    together = np.reshape(np.transpose(b, (1, 0, 2)), (rows, size * columns))
    found = np.reshape(solve_columns(a, together), (rows, size, columns))
    return np.transpose(found, (1, 0, 2))


solve_columns.batch(_systems, mixed=True)
solve_columns.vjp(
    a=lambda g, out, a, b: -np.matmul(solve_columns(_transposed(a), g), _transposed(out)),
    b=lambda g, out, a, b: solve_columns(_transposed(a), g),
)
solve_columns.jvp(
    a=lambda t, out, a, b: -solve_columns(a, np.matmul(t, out)),
    b=lambda t, out, a, b: solve_columns(a, np.broadcast_to(t, np.shape(out))),
)


@primitive(
    np.linalg.det,
    latex=r"\det <a>",
    onnx="Det",
    examples=SQUARE,
    takes_complex=True,
)
def det(a):
    """The determinant of a matrix. Its derivative are the cofactors, of a singular one too.

    >>> np.linalg.det(Value([[2.0]]))
    Value(data=2.0, grad=None)
    """
    return np.linalg.det(a)


def _det_slope(out, a):
    """The cofactors: det(a)·a⁻ᵀ if a is well conditioned, which is quicker.

    A program can't ask whether it is: `cofactors` asks when it runs. Their own derivative takes the
    minors, which large matrices have too many of; of these a singular one raises.
    """
    numbers = numbers_of(a)
    if isinstance(numbers, AbstractArray):
        if np.shape(a)[-1] <= MAX_MINORS:
            return cofactors(a)
        return np.expand_dims(out, (-2, -1)) * _transposed(np.linalg.inv(a))
    # the derivative of det(a)·a⁻ᵀ, a difference of products of the inverse, loses twice the digits
    if np.all(numbers_of(out) != 0):
        inverse = np.linalg.inv(numbers)
        if _keeps_digits(numbers, inverse, 1.0 if numbers is a else 0.5):
            inverse = inverse if numbers is a else np.linalg.inv(a)
            return np.expand_dims(out, (-2, -1)) * _transposed(inverse)
    return cofactors(a)


def _keeps_digits(a, inverse, share):
    """Return True if the condition numbers leave digits, of the given share of all."""
    squares = (np.abs(a) ** 2).sum((-2, -1)) * (np.abs(inverse) ** 2).sum((-2, -1))
    return np.all(squares < float(np.finfo(inverse.dtype).eps) ** -share)


det.batch(det)
det.vjp(a=lambda g, out, a: np.expand_dims(g, (-2, -1)) * _det_slope(out, a))
det.textbook(a=lambda g, out, a: np.expand_dims(g * out, (-2, -1)) * _transposed(inv(a)))
det.jvp(a=lambda t, out, a: np.sum(_det_slope(out, a) * t, axis=(-2, -1)))
det.reach = lambda live, a: live[..., None, None]


@primitive(
    latex=r"\operatorname{cof} <a>", examples=[*SQUARE, ((3, 3),)], whole=True, takes_complex=True
)
def cofactors(a):
    """The derivative of the determinant of a matrix, which may be singular.

    These are det(a)·a⁻ᵀ of a regular matrix. With the singular values s and a = u s vᵀ, those of
    any are det(u v)·u p vᵀ, where each p is the product of all other singular values; u and v are
    conjugated if they are complex.

    >>> cofactors(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12).tolist()
    [[4.0, -2.0], [-2.0, 1.0]]
    """
    finite = np.isfinite(a).all(axis=(-2, -1), keepdims=True)
    out = np.linalg.det(a)
    if np.all(out != 0) and np.all(finite):
        inverse = np.linalg.inv(a)
        if _keeps_digits(a, inverse, 1.0):
            return np.expand_dims(out, (-2, -1)) * _transposed(inverse)
    u, s, v = np.linalg.svd(np.where(finite, a, 0.0))
    sign = (np.linalg.det(u) * np.linalg.det(v))[..., None, None]
    if is_complex(a):
        u, v = np.conj(u), np.conj(v)
    else:
        sign = np.round(sign)
    others = np.where(np.eye(a.shape[-1], dtype=bool), 1.0, np.expand_dims(s, -2)).prod(axis=-1)
    return np.where(finite, sign * np.matmul(u * np.expand_dims(others, -2), v), np.nan)


def _cofactor_rule(g, out, a):
    """Both modes, since second derivatives are symmetric: a cofactor is a minor's determinant."""
    size = np.shape(a)[-1]
    kept = np.nonzero(~np.eye(size, dtype=bool))[1].reshape(size, max(size - 1, 0))
    index = (..., kept[:, None, :, None], kept[None, :, None, :])
    parity = np.add.outer(np.arange(size), np.arange(size)) % 2
    weights = np.expand_dims(np.where(parity, -g, g), (-2, -1))
    return put_at(weights * cofactors(a[index]), index=index, shape=np.shape(a))


cofactors.batch(cofactors)
cofactors.vjp(a=_cofactor_rule)
cofactors.jvp(a=_cofactor_rule)
cofactors.reach = lambda live, a: live.any(axis=(-2, -1), keepdims=True)


# ---- sums of products in Einstein's notation


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@primitive(
    latex=r"\operatorname{einsum}\left(<operands>\right)",
    kind="multilinear",
    examples=[
        ((2, 3), (3, 4), {"subscripts": "ij,jk->ik"}),
        ((2, 3), {"subscripts": "ij->ji"}),
        ((2, 3), {"subscripts": "ij->j"}),
        ((3, 3), {"subscripts": "ii->i"}),
        ((3,), (4,), (3, 4), {"subscripts": "i,j,ij->"}),
        ((2, 5, 3), (2, 3, 4), {"subscripts": "aij,ajk->aik"}),
    ],
    takes_complex=True,
)
def einsum_of(*operands, subscripts=""):
    """Sums of products, in Einstein's notation, e.g. "ij,jk->ik" for the matrix product.

    >>> np.einsum("ij->j", Value([[1.0, 2.0], [3.0, 4.0]]))
    Value(data=[4. 6.], grad=None)
    """
    return np.einsum(subscripts, *operands, optimize=len(operands) > 2)


def _einsum_rule(g, out, *operands, subscripts):
    inputs, _, output = subscripts.partition("->")
    names = inputs.split(",")

    def rule(i):
        own, length = names[i], dict(zip(names[i], np.shape(operands[i]), strict=True))
        others = [
            (name, x) for k, (name, x) in enumerate(zip(names, operands, strict=True)) if k != i
        ]
        known = output + "".join(name for name, _ in others)
        # an axis that only this operand has was summed away: the cotangent is the same along it
        terms = [(output, g), *others]
        terms += [(a, np.ones(length[a])) for a in dict.fromkeys(own) if a not in known]
        # a letter twice in one operand reads a diagonal: the cotangent is written back to it
        unused = iter(a for a in LETTERS if a not in subscripts)
        target = ""
        for a in own:
            copy = next(unused) if a in target else a
            if copy != a:
                terms.append((a + copy, np.eye(length[a])))
            target += copy
        return einsum_of(
            *(x for _, x in terms), subscripts=",".join(name for name, _ in terms) + "->" + target
        )

    return rule


def _einsum_tangent(tangents, out, *operands, subscripts):
    parts = [
        einsum_of(*operands[:i], t, *operands[i + 1 :], subscripts=subscripts)
        for i, t in enumerate(tangents)
        if t is not None
    ]
    return functools.reduce(np.add, parts)


einsum_of.vjp(operands=_einsum_rule)
einsum_of.jvp(operands=_einsum_tangent)


def _einsum_of_entries(varies, *operands, subscripts):
    inputs, _, output = subscripts.partition("->")
    batch = next(a for a in LETTERS if a not in subscripts)
    names = [batch * v + name for v, name in zip(varies, inputs.split(","), strict=True)]
    return einsum_of(*operands, subscripts=",".join(names) + "->" + batch + output)


einsum_of.batch(_einsum_of_entries, mixed=True)
einsum_of.view = "writable"  # of one operand whose axes are exchanged, or that is read along one


@implements(np.einsum)
def einsum(subscripts, /, *operands, out=None, optimize=False):
    """Sums of products in Einstein's notation; implicit output and "..." are understood.

    The axes may be named by lists of integers, too: einsum(x, [0, 1], y, [1, 2], [0, 2]).

    >>> np.einsum("ij,jk", Value([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    Value(data=[[11.]], grad=None)
    """
    refuse_out("einsum", out)
    if not isinstance(subscripts, str):
        subscripts, operands = from_index_lists(subscripts, *operands)
    return einsum_of(
        *operands, subscripts=make_explicit(subscripts, [np.ndim(x) for x in operands])
    )


def from_index_lists(*arguments):
    """The subscripts as a string and the operands, of einsum(x, [0, 1], y, [1, 2], [0, 2])."""
    count = len(arguments) // 2

    def letters(axes):
        try:
            return "".join("..." if axis is Ellipsis else LETTERS[axis] for axis in axes)
        except (TypeError, IndexError):
            raise ArgumentError(
                'einsum: subscripts must be a string such as "ij,jk->ik", or after each operand '
                f"a list of integers from 0 to {len(LETTERS) - 1}, got {axes!r:.60}"
            ) from None

    inputs = ",".join(map(letters, arguments[1 : 2 * count : 2]))
    output = f"->{letters(arguments[-1])}" if len(arguments) % 2 else ""
    return inputs + output, arguments[: 2 * count : 2]


def make_explicit(subscripts, ndims):
    """The subscripts with an output, and with letters in the place of "..."."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    names = inputs.split(",")
    if len(names) != len(ndims):
        raise ShapeError(
            f"einsum: {subscripts!r} must come with {len(names)} operands, got {len(ndims)}"
        )
    if not arrow:
        letters = inputs.replace(",", "").replace("...", "")
        once = sorted(a for a in set(letters) if letters.count(a) == 1)
        output = ("..." if "..." in inputs else "") + "".join(once)
    batches = [n - len(name.replace("...", "")) for name, n in zip(names, ndims, strict=True)]
    unused = [a for a in LETTERS if a not in subscripts]
    batch = "".join(unused[: max([0, *batches])])  # aligned from the right, as in broadcasting
    names = [
        name.replace("...", batch[len(batch) - max(n, 0) :])
        for name, n in zip(names, batches, strict=True)
    ]
    return ",".join(names) + "->" + output.replace("...", batch)
