"""Sums of products in Einstein's notation."""

import functools

import numpy as np

from ..core.primitive import implements, primitive
from ..errors import ArgumentError, ShapeError

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@primitive(
    latex=r"\operatorname{einsum}\left(<operands>\right)",
    onnx="Einsum",
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
    return einsum_of(*operands, subscripts=explicit(subscripts, [np.ndim(x) for x in operands]))


def explicit(subscripts, ndims):
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
