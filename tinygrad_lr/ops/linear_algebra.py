"""Products of vectors and matrices, parts of matrices, linear systems, and Einstein's notation."""

import functools
import math
from typing import Any

import numpy as np

from ..core.primitive import implements, primitive
from ..errors import ArgumentError, ShapeError
from ..support.abstract_array import AbstractArray
from ..support.validation import as_input, check_integer, require_memory
from .index import put_at
from .reduce import declare_weighted, refuse_out, restore_axes

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
    if n == 2:  # (..., i, j) @ (j, k): the rows of all matrices together
        return np.dot(np.reshape(x, (-1, x.shape[-1])).T, np.reshape(g, (-1, g.shape[-1])))
    return np.matmul(np.swapaxes(x, -1, -2), g)


matmul.vjp(x=_matmul_rule_of_x, y=_matmul_rule_of_y)


@primitive(
    latex="<x> <weight> + <bias>",
    examples=[((2, 3), (3, 4), (4,)), ((3,), (3, 4), (4,)), ((5, 2, 3), (3, 4), (4,))],
    matrix_product=True,
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
    """The sum of products of all entries, read in C order.

    >>> np.vdot(Value([[1.0, 2.0]]), [[3.0, 4.0]])
    Value(data=11.0, grad=None)
    """
    return matmul(np.ravel(a), np.ravel(b))


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
    """The Kronecker product of two matrices: every entry of a times the whole of b.

    >>> np.kron(Value([[1.0, 2.0]]), [[3.0], [4.0]]).shape
    (2, 2)
    """
    if np.ndim(a) != 2 or np.ndim(b) != 2:
        raise ShapeError(f"kron: a and b must have 2 axes each, got {np.ndim(a)} and {np.ndim(b)}")
    (rows_a, columns_a), (rows_b, columns_b) = np.shape(a), np.shape(b)
    blocks = np.reshape(a, (rows_a, 1, columns_a, 1)) * np.reshape(b, (1, rows_b, 1, columns_b))
    return np.reshape(blocks, (rows_a * rows_b, columns_a * columns_b))


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
    a, b = as_input("tensordot", "a", a), as_input("tensordot", "b", b)
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


# ---- parts of a matrix


def _diagonal_index(rows, columns, offset):
    """Return the rows and the columns of the entries on a diagonal."""
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    steps = np.arange(length)
    return steps - min(offset, 0), steps + max(offset, 0)


@primitive(
    latex=r"\operatorname{diag}\left(<x>\right)",
    kind="linear",
    examples=[((3, 3),), ((2, 3, 4), {"offset": 1})],
    sentence="{v} is a diagonal of {x}: the gradient goes back there, and all other entries get 0.",
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
    return np.where(_below(np.shape(m), k), m, 0.0)


@implements(np.triu)
def triu(m, k=0):
    """The upper triangle; zeros below diagonal k.

    >>> np.triu(Value([[1.0, 2.0], [3.0, 4.0]]))
    Value(data=[[1. 2.]
     [0. 4.]], grad=None)
    """
    return np.where(_below(np.shape(m), k - 1), 0.0, m)


@primitive(
    latex=r"\left\lVert <x> \right\rVert",
    examples=[((2, 3),), ((2, 3), {"axis": 0}), ((2, 3), {"axis": 1, "keepdims": True})],
)
def euclidean_norm(x, axis=None, keepdims=False):
    """The length √Σx² along the axis, or of all entries. Its derivative at the zero vector is 0.

    >>> np.linalg.norm(Value([3.0, 4.0]))
    Value(data=5.0, grad=None)
    """
    return np.sqrt(np.add.reduce(x * x, axis=axis, keepdims=keepdims))


def _unit(out, x, axis, keepdims):
    length = restore_axes(out, x, axis, keepdims)
    return x / np.where(length == 0, 1.0, length)


declare_weighted(euclidean_norm, _unit)


@implements(np.linalg.vector_norm)
def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """The length of the vectors along the axis (of all entries where it is None): 2, 1 or inf.

    >>> np.linalg.vector_norm(Value([3.0, -4.0]), ord=1)
    Value(data=7.0, grad=None)
    """
    if ord == 2:
        return euclidean_norm(x, axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    if ord == np.inf:
        return np.max(np.abs(x), axis=axis, keepdims=keepdims)
    raise ArgumentError(f"norm: ord must be None, 2, 1 or inf, got {ord!r:.60}")


@implements(np.linalg.norm)
def norm(x, ord=None, axis=None, keepdims=False):
    """The Euclidean (or Frobenius) norm; for vectors also the norms of order 1 and inf."""
    if ord is None or ord == "fro":
        return euclidean_norm(x, axis=axis, keepdims=keepdims)
    if np.ndim(x) == 1 if axis is None else np.size(axis) == 1:
        return vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
    raise ArgumentError(f"norm: ord must be None or 'fro' for a matrix, got {ord!r:.60}")


# ---- inverses, linear systems and determinants, of one matrix or of a batch


SQUARE = [((2, 2),), ((3, 2, 2),)]


def _transposed(x):
    return np.swapaxes(x, -1, -2)


@primitive(np.linalg.inv, latex="{<a>}^{-1}", examples=SQUARE)
def inv(a):
    """The inverse of a matrix. With out = a⁻¹: dL/da = -outᵀ g outᵀ.

    Raises `numpy.linalg.LinAlgError` for a singular one.

    >>> np.linalg.inv(Value([[2.0, 0.0], [0.0, 4.0]]))
    Value(data=[[0.5  0.  ]
     [0.   0.25]], grad=None)
    """
    return np.linalg.inv(a)


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


@primitive(latex="{<a>}^{-1} <b>", examples=[((2, 2), (2, 3)), ((3, 2, 2), (2, 1))])
def solve_columns(a, b):
    """The solution of a @ x = b for every column of b.

    >>> solve_columns(Value([[2.0]]), np.array([[6.0]]))
    Value(data=[[3.]], grad=None)
    """
    return np.linalg.solve(a, b)


solve_columns.vjp(
    a=lambda g, out, a, b: -np.matmul(solve_columns(_transposed(a), g), _transposed(out)),
    b=lambda g, out, a, b: solve_columns(_transposed(a), g),
)
solve_columns.jvp(
    a=lambda t, out, a, b: -solve_columns(a, np.matmul(t, out)),
    b=lambda t, out, a, b: solve_columns(a, np.broadcast_to(t, np.shape(out))),
)


@primitive(np.linalg.det, latex=r"\det <a>", onnx="Det", examples=SQUARE)
def det(a):
    """The determinant of a matrix. Its derivative are the cofactors, of a singular one too.

    >>> np.linalg.det(Value([[2.0]]))
    Value(data=2.0, grad=None)
    """
    return np.linalg.det(a)


def _det_slope(out, a):
    """The cofactors: det(a)·a⁻ᵀ where that exists, which can be differentiated without end."""
    regular = out != 0
    if isinstance(regular, AbstractArray) or np.all(regular):
        return np.expand_dims(out, (-2, -1)) * _transposed(np.linalg.inv(a))
    return cofactors(a)


det.vjp(a=lambda g, out, a: np.expand_dims(g, (-2, -1)) * _det_slope(out, a))
det.jvp(a=lambda t, out, a: np.sum(_det_slope(out, a) * t, axis=(-2, -1)))
det.reach = lambda live, a: live[..., None, None]


@primitive(latex=r"\operatorname{cof} <a>", examples=[*SQUARE, ((3, 3),)], whole=True)
def cofactors(a):
    """The derivative of the determinant of a matrix, which may be singular.

    With the singular values s and a = u s vᵀ, these are det(u v)·u p vᵀ, where each p is the
    product of all other singular values.

    >>> cofactors(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12).tolist()
    [[4.0, -2.0], [-2.0, 1.0]]
    """
    finite = np.isfinite(a).all(axis=(-2, -1), keepdims=True)
    u, s, v = np.linalg.svd(np.where(finite, a, 0.0))
    sign = np.round(np.linalg.det(u) * np.linalg.det(v))[..., None, None]
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


@implements(np.einsum)
def einsum(subscripts, /, *operands, out=None, optimize=False):
    """Sums of products in Einstein's notation; implicit output and "..." are understood.

    >>> np.einsum("ij,jk", Value([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    Value(data=[[11.]], grad=None)
    """
    if not isinstance(subscripts, str) or out is not None:
        raise ArgumentError(
            'einsum: subscripts must be a string such as "ij,jk->ik", and out must be None'
        )
    return einsum_of(
        *operands, subscripts=make_explicit(subscripts, [np.ndim(x) for x in operands])
    )


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
