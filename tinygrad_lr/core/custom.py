"""Functions with derivatives of their own: custom_vjp, custom_jvp, remat, and implicit functions.

Each call is one node of the graph. Its operands are the Values among the arguments, and those that
the function reads from outside where they are found by running it (`outer_values`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from ..errors import ArgumentError, BatchError, DivergenceError, GraphError, ShapeError
from ..support import pytree as tree
from ..support.abstract_array import AbstractArray, same_numbers
from ..support.validation import (
    as_input,
    check_callable,
    check_integer,
    check_list,
    check_number,
)
from .autodiff import PyTree, record_call, stop_gradient, vjp
from .batching import Batched, by_rows, current_level, inside_batch
from .chain_rule import match_shape, pull_back
from .grad_mode import RECORDING, Watched, no_grad
from .graph import topological_order
from .jacobians import jacobian
from .node import PackedRecord, current_versions, next_serial, unwrap
from .primitive import Primitive
from .value import Value, ValueLike, make_value, notify_watcher

P = ParamSpec("P")
R = TypeVar("R")
Rule = TypeVar("Rule", bound=Callable[..., Any])
Pull = Callable[[Any, Sequence[Any], Any], Sequence[Any]]
"""A rule: from the cotangents of the results, the operands, and what the call has kept for it, to
the cotangents of the operands. It holds no arrays itself: a trace must know of all of them."""


def make_node(
    name: str, found: Any, operands: Sequence[Any], pull: Pull, residuals: Any = None
) -> Any:
    """Return nested results of a call as Values whose gradients `pull` computes.

    `found` holds numbers. Several results are one Value in the graph, their entries in a row, of
    which each is a part.
    """
    operands = current_versions(operands)
    numbers = [unwrap(x) for x in operands]
    recorded = any(isinstance(x, Value) and x.requires_grad for x in operands)
    recording = RECORDING.get()
    results = [np.asarray(x) if isinstance(x, (int, bool)) else x for x in tree.leaves(found)]
    if not recorded or not recording:
        return tree.unflatten(found, [Value(x, requires_grad=False) for x in results])
    single = len(results) == 1
    packed = results[0] if single else np.concatenate([np.reshape(x, (-1,)) for x in results])
    ends = np.cumsum([0, *(np.size(x) for x in results)])
    likes, pattern = list(map(as_placeholder, results)), as_pattern(found)

    def parts(row: Any) -> list[Any]:
        if single:
            return [row]
        pairs = zip(likes, ends, strict=False)
        return [np.reshape(row[end : end + np.size(x)], np.shape(x)) for x, end in pairs]

    @by_rows
    def rule(g: Any, out: Any, *given: Any, residuals: Any = None) -> Callable[[int], Any]:
        shares = [match_shape(part, x) for part, x in zip(parts(g), likes, strict=True)]
        cotangents = pull(tree.unflatten(pattern, shares), given, residuals)
        return lambda position: match_shape(cotangents[position], unwrap(given[position]))

    operation = Primitive(_forward)
    operation.name = name
    operation.rules[0] = rule
    operation.runs_user_code = True
    options = {} if residuals is None else {"residuals": residuals}
    record: PackedRecord = (operation, operands, numbers, options)
    content = packed if isinstance(packed, (float, np.generic)) else as_owned(packed)
    level = current_level()
    if any(isinstance(x, Batched) and x.level is level for x in numbers):
        content = inside_batch(content)  # its gradient varies, if its numbers don't
    if isinstance(recording, Watched):
        value = notify_watcher(recording, content, True, record)
    else:
        value = make_value(content, record)
    return tree.unflatten(found, parts(value))


def as_placeholder(x: Any) -> Any:
    """Return what has the shape and the dtype of an array alone; a number as it is."""
    if isinstance(x, AbstractArray) and not x.shape and not x.is_array:
        return 1.0
    if isinstance(x, (np.ndarray, AbstractArray)):
        return np.broadcast_to(np.zeros((), x.dtype), x.shape)
    return x


def as_pattern(nest: Any) -> Any:
    """Return nested arguments without what they hold."""
    return tree.map_leaves(lambda _: 0.0, nest)


def as_owned(x: Any) -> Any:
    """Return an array that nobody else writes to."""
    return x.copy() if isinstance(x, (np.ndarray, AbstractArray)) else x


def _forward(*operands: Any) -> Any:
    raise NotImplementedError("a function with derivatives of its own evaluates itself")


def has_gradient(where: str, leaves: Sequence[Any]) -> bool:
    """Return True if a call with these arguments must be recorded.

    Raises `BatchError` under `vmap` for an argument that is part of a graph around the batch.
    """
    if not RECORDING.get():
        return False
    require_derivative_inside(where, leaves)
    return any(isinstance(x, Value) and x.requires_grad for x in leaves)


def require_derivative_inside(where: str, leaves: Sequence[Any]) -> None:
    """Raise `BatchError` under `vmap` for what is part of a graph around the batch."""
    for x in leaves:
        content = unwrap(x)
        while isinstance(content, Batched):
            held, content = content.content, unwrap(content.content)
            if isinstance(held, Value) and held.requires_grad:
                raise BatchError(
                    f"{where}: the derivative of a function with a rule of its own must be taken "
                    "inside vmap, as in vmap(grad(f)), not around it; call it on whole arrays there"
                )


def require_no_outer(where: str, found: Any) -> None:
    """Raise `GraphError` if results of constants require a gradient: they depend on more."""
    require_derivative_inside(where, list(tree.leaves(found)))
    if any(isinstance(x, Value) and x.requires_grad for x in tree.leaves(found)):
        raise GraphError(
            f"{where}: the function must take all Values that require a gradient as arguments, "
            "since the rule has no derivative for those that it reads from outside"
        )


def plain(x: Any, recording: bool) -> Any:
    """Return the numbers of a Value, unless the walk records."""
    return x if recording else unwrap(x)


class CustomDerivative:
    """A function whose derivative is declared: what `custom_vjp` and `custom_jvp` share."""

    kind = ""
    declare = ""

    def __init__(self, f: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        check_callable(self.kind, "f", f)
        check_list(self.kind, "nondiff_argnums", nondiff_argnums, "a tuple of positions")
        self.f = f
        self.nondiff_argnums = tuple(
            check_integer(self.kind, "nondiff_argnums", i) for i in nondiff_argnums
        )
        functools.update_wrapper(cast("Callable[..., Any]", self), f)

    def _require_declared(self, rule: Any) -> None:
        """Raise `GraphError` if there is no rule yet."""
        if rule is None:
            raise GraphError(
                f"{self.kind}: {self.f.__name__} must have a derivative before it is called; "
                f"declare it with {self.f.__name__}.{self.declare}(...)"
            )

    def _split(self, args: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Return the arguments without a derivative, and the others."""
        fixed = [x for i, x in enumerate(args) if i in self.nondiff_argnums]
        return fixed, [x for i, x in enumerate(args) if i not in self.nondiff_argnums]

    def _join(
        self, fixed: Sequence[Any], pattern: Sequence[Any], leaves: Sequence[Any]
    ) -> list[Any]:
        """Return the arguments, of those that `_split` returns, the others by their leaves."""
        own, moved = iter(fixed), iter(tree.unflatten(pattern, leaves))
        count = len(fixed) + len(pattern)
        return [next(own if i in self.nondiff_argnums else moved) for i in range(count)]


class custom_vjp(CustomDerivative):  # noqa: N801 - a decorator, spelt as in JAX
    """A function with a reverse rule of its own, in the place of the chain rule through its steps.

    `f.defvjp(forward, backward)` declares it: `forward` takes the arguments of `f` and returns its
    result and what the rule needs (residuals, of any kind); `backward` takes the residuals and the
    cotangent of the result, and returns a tuple of the cotangents of the arguments, None for 0.
    `nondiff_argnums` are positions of arguments without a derivative, such as functions; `backward`
    takes them first. Higher derivatives are those of `forward` and `backward`; forward mode is the
    transpose of the rule. Called on plain arrays, `f` itself runs.

    >>> @tg.custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, g: (np.clip(g, -1.0, 1.0),))
    >>> tg.grad(lambda x: 100.0 * clip_gradient(x))(2.0)
    1.0
    """

    kind, declare = "custom_vjp", "defvjp"

    def __init__(self, f: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(f, nondiff_argnums)
        self.forward: Callable[..., Any] | None = None
        self.backward: Callable[..., Any] | None = None

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Declare the rule."""
        check_callable("defvjp", "forward", forward)
        check_callable("defvjp", "backward", backward)
        self.forward, self.backward = forward, backward

    def __call__(self, *args: Any) -> Any:
        """Return f(*args)."""
        self._require_declared(self.forward)
        fixed, primals = self._split(args)
        leaves = list(tree.leaves(primals))
        if not has_gradient(self.kind, leaves):
            return self.f(*args)
        pattern = as_pattern(primals)
        found, kept = self._run(fixed, pattern, stop_gradient(leaves))
        require_no_outer(self.kind, found)

        def pull(g: Any, given: Sequence[Any], residuals: Any) -> list[Any]:
            recording = is_recorded(g, given)
            if recording:  # for a derivative of the derivative
                residuals = self._run(fixed, pattern, given)[1]
            made = self.backward(*fixed, residuals, g)  # type: ignore[misc]
            return [plain(x, recording) for x in self._cotangents(made, pattern, given)]

        return make_node(self.f.__name__, tree.map_leaves(unwrap, found), leaves, pull, kept)

    def _run(self, fixed: Sequence[Any], pattern: Sequence[Any], leaves: Sequence[Any]) -> Any:
        found = self.forward(*self._join(fixed, pattern, leaves))  # type: ignore[misc]
        if not isinstance(found, tuple) or len(found) != 2:
            raise ArgumentError(
                f"custom_vjp: forward must return (result, residuals), got {tree.describe(found)}"
            )
        return found

    def _cotangents(self, made: Any, primals: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        if not isinstance(made, (tuple, list)) or len(made) != len(primals):
            raise ArgumentError(
                f"custom_vjp: backward must return a tuple of {len(primals)} cotangents, one for "
                f"each argument, got {tree.describe(made)}"
            )
        likes = iter(given)
        found: list[Any] = []
        for cotangent, primal in zip(made, primals, strict=True):
            own = [next(likes) for _ in tree.leaves(primal)]
            shares = (
                [0.0] * len(own)
                if cotangent is None
                else tree.match_leaves("custom_vjp", cotangent, primal)
            )
            for share, like in zip(shares, own, strict=True):
                try:
                    np.broadcast_shapes(np.shape(share), np.shape(like))
                except ValueError:
                    raise ShapeError(
                        "custom_vjp: a cotangent of backward must have the shape of its argument, "
                        f"{np.shape(like)}, or broadcast with it, got {np.shape(share)}"
                    ) from None
            found += shares
        return found


class custom_jvp(CustomDerivative):  # noqa: N801 - a decorator, spelt as in JAX
    """A function with a forward rule of its own, in the place of the chain rule through its steps.

    `f.defjvp(rule)` declares it: `rule` takes a tuple of the arguments and one of their tangents,
    and returns the result and its tangent, which is linear in the tangents. Reverse mode is its
    transpose. `nondiff_argnums` are positions of arguments without a derivative; `rule` takes them
    first. It may be used as a decorator: `@f.defjvp`. Called on plain arrays, `f` itself runs.

    >>> @tg.custom_jvp
    ... def softplus(x):
    ...     return np.log1p(np.exp(x))
    >>> @softplus.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return softplus(x), t / (1 + np.exp(-x))
    >>> tg.grad(softplus)(0.0)
    0.5
    """

    kind, declare = "custom_jvp", "defjvp"

    def __init__(self, f: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(f, nondiff_argnums)
        self.rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Rule) -> Rule:
        """Declare the rule, and return it."""
        check_callable("defjvp", "rule", rule)
        self.rule = rule
        return rule

    def __call__(self, *args: Any) -> Any:
        """Return f(*args)."""
        self._require_declared(self.rule)
        fixed, primals = self._split(args)
        leaves = list(tree.leaves(primals))
        if not has_gradient(self.kind, leaves):
            return self.f(*args)
        pattern = as_pattern(primals)
        found = self.f(*self._join(fixed, pattern, stop_gradient(leaves)))
        require_no_outer(self.kind, found)

        def pull(g: Any, given: Sequence[Any], _: Any) -> list[Any]:
            def tangent(*tangents: Any) -> Any:
                at, along = (tuple(tree.unflatten(pattern, x)) for x in (given, tangents))
                made = self.rule(*fixed, at, along)  # type: ignore[misc]
                if not isinstance(made, tuple) or len(made) != 2:
                    raise ArgumentError(
                        "custom_jvp: the rule must return (result, tangent), got "
                        f"{tree.describe(made)}"
                    )
                return made[1]

            zeros, recording = [match_shape(0.0, unwrap(x)) for x in given], is_recorded(g, given)
            shares = vjp(tangent, *zeros)[1](tree.map_leaves(conjugate, g))  # vjp takes gradients
            return [plain(conjugate(x), recording) for x in shares]

        return make_node(self.f.__name__, tree.map_leaves(unwrap, found), leaves, pull)


def conjugate(x: Any) -> Any:
    """Return the cotangent of a gradient, or the gradient of a cotangent (see `gradient_of`)."""
    return np.conj(x) if np.iscomplexobj(unwrap(x)) else x


def is_recorded(g: Any, given: Sequence[Any]) -> bool:
    """Return True if a rule runs on Values, for a derivative of the derivative."""
    return any(isinstance(x, Value) for x in (*tree.leaves(g), *given))


# ---- functions that run again


class Rerun:
    """A function at its arguments, to be run again on others, with what it reads from outside."""

    def __init__(self, where: str, f: Callable[..., Any], args: Sequence[Any]) -> None:
        self.where, self.f, self.args = where, f, args
        since = next_serial()
        traced = record_call(where, f, stop_gradient(list(args)), range(len(args)))
        values = [x for x in traced.outputs if isinstance(x, Value)]
        require_derivative_inside(where, values)
        self.found = tree.map_leaves(unwrap, traced.output)
        inputs = set(traced.inputs)
        self.outer = [
            x for x in topological_order(values, since) if x._serial < since and x not in inputs
        ]
        self.leaves = [*tree.leaves(args), *self.outer]

    def pull(self, g: Any, given: Sequence[Any], _: Any = None) -> list[Any]:
        """Return the cotangents of arguments and outer Values, along a graph that is made anew."""
        count = len(given) - len(self.outer)
        args = tree.unflatten(list(self.args), given[:count])
        since = next_serial()
        traced = record_call(self.where, self.f, args, range(len(args)))
        since = max((x._serial + 1 for x in traced.inputs), default=since)  # the walk ends there
        shown = tree.map_leaves(unwrap, traced.output)
        pairs = zip(tree.leaves(shown), tree.leaves(self.found), strict=True)
        if not all(same_numbers(x, y) for x, y in pairs):
            raise GraphError(
                f"{self.where}: the function must give the same result when it runs again; draw "
                "random numbers outside it, and change nothing that it reads"
            )
        recording = is_recorded(g, given)
        seeds: dict[Value, Any] = {}
        shares = tree.match_leaves(self.where, g, traced.output)
        for out, c in zip(traced.outputs, shares, strict=True):
            if isinstance(out, Value) and out.requires_grad:
                seeds[out] = seeds[out] + c if out in seeds else c
        wanted = set(topological_order(seeds, since))
        found = pull_back(seeds, wanted, recording, since) if seeds else {}
        return [found.get(x, 0.0) for x in (*traced.inputs, *self.outer)]


def remat(f: Callable[P, R]) -> Callable[P, R]:
    """Return the same function, which is run again for its gradient instead of being remembered.

    A graph keeps the numbers of all its operations. Of a call of this function it keeps the
    arguments and the results only: less memory, for one more run of `f`. Values that `f` reads from
    outside get their gradients too. `f` must give the same result again: the gradient raises
    `GraphError` if it drew random numbers, for instance. (`tg.checkpoint` is the module of files.)

    >>> f = tg.remat(lambda x: np.sin(np.sin(x)))
    >>> tg.grad(f)(1.0) == tg.grad(lambda x: np.sin(np.sin(x)))(1.0)
    True
    """
    check_callable("remat", "f", f)

    @functools.wraps(f)
    def call(*args: P.args, **keywords: P.kwargs) -> Any:
        leaves = map(unwrap, tree.leaves((args, keywords)))
        abstract = any(isinstance(x, AbstractArray) for x in leaves)
        if not RECORDING.get() or abstract or current_level() is not None:
            return f(*args, **keywords)  # compiled code and batches arrange their memory themselves
        again = Rerun("remat", functools.partial(f, **keywords) if keywords else f, args)
        return make_node(getattr(f, "__name__", "remat"), again.found, again.leaves, again.pull)

    return call


# ---- functions that are defined by an equation


def root(
    f: Callable[..., Any],
    x0: ValueLike,
    *args: PyTree,
    tolerance: float = 1e-12,
    limit: int = 100,
) -> Any:
    """Return the x near x0 with f(x, *args) = 0, by Newton's method, with derivatives.

    The derivative with respect to the arguments, and to what `f` reads from outside, follows from
    the equation and not from the steps: dx = -(∂f/∂x)⁻¹ ∂f/∂a da. That with respect to x0 is 0. x
    and f(x) are numbers or arrays of one shape. `tolerance` is the largest step, relative to x, at
    which x counts as found. Raises `DivergenceError` if that takes more than `limit` steps.

    >>> round(root(lambda x, a: x * x - a, 1.0, 2.0), 12)
    1.414213562373
    >>> tg.grad(lambda a: root(lambda x, a: x * x - a, 1.0, a))(4.0)
    0.25
    """
    check_callable("root", "f", f)

    def step(x: Any, args: Sequence[Any]) -> Any:
        value = f(x, *args)
        _require_shape("root", x, value)
        return x - _solve(jacobian(f)(x, *args), value)

    return _implicit("root", f, step, x0, args, tolerance, limit)


def fixed_point(
    f: Callable[..., Any],
    x0: ValueLike,
    *args: PyTree,
    tolerance: float = 1e-12,
    limit: int = 1000,
) -> Any:
    """Return the x with f(x, *args) = x that the iteration from x0 leads to, with derivatives.

    The derivative follows from the equation and not from the steps, as that of `root`:
    dx = (1 - ∂f/∂x)⁻¹ ∂f/∂a da. x and f(x) are numbers or arrays of one shape. `tolerance` is the
    largest step, relative to x, at which x counts as found. Raises `DivergenceError` if that takes
    more than `limit` steps.

    >>> round(fixed_point(np.cos, 1.0), 12)
    0.739085133215
    >>> heron = lambda x, a: 0.5 * (x + a / x)
    >>> tg.grad(lambda a: fixed_point(heron, 1.0, a))(4.0)
    0.25
    """
    check_callable("fixed_point", "f", f)

    def residual(x: Any, *args: Any) -> Any:
        return f(x, *args) - x

    return _implicit("fixed_point", residual, lambda x, a: f(x, *a), x0, args, tolerance, limit)


def _require_shape(where: str, x: Any, value: Any) -> None:
    if np.shape(value) != np.shape(x):
        raise ShapeError(
            f"{where}: f(x) must have the shape of x, {np.shape(x)}, got {np.shape(value)}"
        )


def _solve(matrix: Any, side: Any) -> Any:
    """Return the solution of a Jacobian of shape (shape of x, shape of x) for a side like x."""
    shape = np.shape(side)
    size = int(np.prod(shape))
    square = np.reshape(matrix, (size, size))
    try:
        return np.reshape(np.linalg.solve(square, np.reshape(side, (size,))), shape)
    except np.linalg.LinAlgError:
        raise DivergenceError(
            "root: ∂f/∂x must be invertible at each step, got a singular one; start nearer to the "
            "solution"
        ) from None


def largest(x: Any) -> Any:
    """Return the size of the largest entry, of all entries of a batch."""
    numbers = x.numbers if isinstance(x, AbstractArray) and x.level is not None else x
    return np.max(np.abs(numbers), initial=0.0)


def _implicit(
    where: str,
    residual: Callable[..., Any],
    step: Callable[[Any, Sequence[Any]], Any],
    x0: Any,
    args: Sequence[Any],
    tolerance: float,
    limit: int,
) -> Any:
    """Return the x with residual(x, *args) = 0 to which the steps lead, as a node of the graph."""
    check_number(where, "tolerance", tolerance)
    check_integer(where, "limit", limit, low=1)
    given = stop_gradient(list(args))
    x: Any = as_input(where, "x0", unwrap(x0), allow_complex=True)
    x = float(x) if isinstance(x0, (int, float)) else x
    with no_grad():
        for _ in range(limit):
            new = unwrap(step(x, given))
            _require_shape(where, x, new)
            moved, size = largest(new - x), largest(new)
            x = new
            if not moved > tolerance * max(1.0, size):
                break
        else:
            moved = np.nan
    if not np.isfinite(moved):
        raise DivergenceError(
            f"{where}: the steps must settle within {limit}, got no x that stays; start nearer to "
            "the solution"
        )
    x = float(x) if type(x0) in {int, float} and isinstance(x, np.floating) else x
    again = Rerun(where, lambda *args: residual(x, *args), args)
    if not has_gradient(where, again.leaves):
        return x
    level = current_level()
    if level is not None:  # a Value from outside is none of the batch: it takes part as it is
        outside = [x for x in again.leaves if isinstance(x, Value) and x.requires_grad]
        require_derivative_inside(where, level.adopt(outside, [*map(unwrap, outside)])[1])
    count = len(again.leaves) - len(again.outer)

    def pull(g: Any, values: Sequence[Any], _: Any) -> list[Any]:
        at = tree.unflatten(list(args), values[:count])
        if is_recorded(g, values):  # for a derivative of the derivative: x as a node again
            return pull_at(g, at, _implicit(where, residual, lambda x, _: x, x, at, tolerance, 1))
        with no_grad():
            return pull_at(g, at, x)

    def pull_at(g: Any, at: Any, solution: Any) -> list[Any]:
        size = int(np.size(x))
        slopes = np.reshape(jacobian(residual)(solution, *at), (size, size))
        solved = np.linalg.solve(np.transpose(slopes), np.reshape(g, (size,)))
        share = plain(np.reshape(-solved, np.shape(x)), is_recorded(g, [solution]))
        more = Rerun(where, lambda *args: residual(solution, *args), at)
        found = more.pull(
            share, more.leaves if isinstance(share, Value) else [*map(unwrap, more.leaves)]
        )
        outer = dict(zip(more.outer, found[count:], strict=True))
        return [*found[:count], *(outer.get(x, 0.0) for x in again.outer)]

    return make_node(where, x, again.leaves, pull)
