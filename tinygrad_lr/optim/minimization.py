"""`minimize`: SciPy's optimisers with exact gradients and Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.autodiff import Leaf, PyTree, hvp, value_and_grad
from ..core.node import unwrap
from ..core.value import Value
from ..errors import ArgumentError, import_extra
from ..support import pytree as tree
from ..support.abstract_array import Array
from ..support.validation import check_callable, check_instance, float_array

__all__ = ["minimize"]

WITHOUT_GRADIENT = {"nelder-mead", "powell", "cobyla", "cobyqa"}
WITH_HESSIAN = {"dogleg", "trust-exact"}
WITH_PRODUCT = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}


def minimize(
    f: Callable[[Any], Leaf], x0: PyTree, *, method: str = "BFGS", **arguments: Any
) -> Any:
    """Minimise a function of arrays, starting at `x0`, with `scipy.optimize.minimize`.

    `f` takes Values in the structure of `x0` (an array, a number, or nested lists, tuples and dicts
    of them) and returns a Value with one entry. The derivatives that the method needs are computed:
    the gradient; for Newton-CG, trust-ncg, trust-krylov and trust-constr also Hessian-vector
    products; for dogleg and trust-exact also the Hessian. Nelder-Mead, Powell, COBYLA and COBYQA
    use none.

    Other `arguments` (bounds, constraints, tol, callback, options) are passed on to SciPy, where x
    is one vector of the entries of x0 in order.

    Returns SciPy's OptimizeResult, with `x` and, if there is one, `jac` in the structure of x0.

    Raises `MissingExtraError` if SciPy isn't installed, `ArgumentError` if a derivative is passed
    or x0 has no entries, `GraphError` if f doesn't return one number.

    >>> def rosenbrock(p):
    ...     return (1 - p["x"]) ** 2 + 100 * (p["y"] - p["x"] ** 2) ** 2
    >>> found = tg.optim.minimize(rosenbrock, {"x": -1.0, "y": 2.0})
    >>> found.success, {name: round(x, 4) for name, x in found.x.items()}
    (True, {'x': 1.0, 'y': 1.0})
    """
    check_callable("minimize", "f", f)
    check_instance("minimize", "method", method, str, "the name of a method of SciPy")
    for name in ("fun", "jac", "hess", "hessp", "args"):
        if name in arguments:
            cure = "wrap f in a lambda" if name == "args" else "it computes derivatives itself"
            raise ArgumentError(
                "minimize: arguments must be options of SciPy such as bounds and tol, "
                f"got {name}; {cure}"
            )
    likes = [float_array("minimize", "x0", unwrap(leaf)) for leaf in tree.leaves(x0)]
    if not sum(like.size for like in likes):
        raise ArgumentError(f"minimize: x0 must have at least one entry, got {x0!r:.60}")
    numbers = [isinstance(unwrap(leaf), (int, float)) for leaf in tree.leaves(x0)]
    ends = np.cumsum([like.size for like in likes])[:-1]

    def unflatten(x: Array) -> Any:
        """Return a vector in the structure of x0."""
        pieces = zip(np.split(x, ends), likes, numbers, strict=True)
        leaves = [
            float(piece[0]) if number else piece.reshape(like.shape).astype(like.dtype)
            for piece, like, number in pieces
        ]
        return tree.unflatten(x0, leaves)

    def flatten(nest: Any) -> Array:
        """Return a structure like x0 as a vector."""
        leaves = [np.ravel(np.asarray(unwrap(leaf), np.float64)) for leaf in tree.leaves(nest)]
        return np.concatenate(leaves)

    with_gradient = value_and_grad(f)

    def value(x: Array) -> float:
        return float(unwrap(f(tree.map_leaves(Value, unflatten(x)))))

    def both(x: Array) -> tuple[float, Array]:
        found, gradient = with_gradient(unflatten(x))
        return float(found), flatten(gradient)

    def product(x: Array, direction: Array) -> Array:
        return flatten(hvp(f, (unflatten(x),), (unflatten(np.asarray(direction, np.float64)),))[0])

    def hessian(x: Array) -> Array:
        return np.stack([product(x, unit) for unit in np.eye(len(x))])

    name = method.lower()
    if name in WITH_PRODUCT:
        arguments["hessp"] = product
    elif name in WITH_HESSIAN:
        arguments["hess"] = hessian
    graded = name not in WITHOUT_GRADIENT
    start = np.concatenate([np.ravel(like).astype(np.float64) for like in likes])
    scipy = import_extra("scipy.optimize", "scipy")
    found = scipy.minimize(
        both if graded else value, start, method=method, jac=True if graded else None, **arguments
    )
    found.x = unflatten(found.x)
    if isinstance(found.get("jac"), np.ndarray) and found.jac.size == len(start):
        found.jac = unflatten(found.jac)
    return found
