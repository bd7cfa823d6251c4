"""Derivatives of functions: grad, vjp, jvp, jacobian, hessian and their products.

The results are plain arrays. If a function is given Values, or uses Values from outside (a gradient
inside a gradient), they are Values, which can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

import numpy as np

from ..errors import ArgumentError, DtypeError, GraphError, NotDifferentiableError
from ..support import pytree as tree
from ..support.abstract_array import Array
from ..support.validation import check_callable, check_flag, check_instance
from .batching import Batched, inside_batch
from .chain_rule import (
    gradient_of,
    match_shape,
    pull_back,
    push_forward,
    seed,
)
from .grad_mode import RECORDING, set_recording
from .graph import topological_order
from .node import IN_TRANSFORM, next_serial, unwrap
from .primitive import primitive
from .value import Value, apply
from .versions import memory_of

Leaf: TypeAlias = Value | Array | np.generic | complex | None
if TYPE_CHECKING:
    PyTree: TypeAlias = "Leaf | Sequence[PyTree] | Mapping[Any, PyTree]"
else:  # the names in a string are looked up in the module of whoever has it in an annotation
    PyTree = Leaf | Sequence[Any] | Mapping[Any, Any]
Primals = TypeVar("Primals", tuple[Any, ...], list[Any])

# Derivatives take other arguments than the function: arrays where it takes Values. And they return
# arrays where it returns Values, or Values inside another derivative. Type checkers know neither,
# but whether the result is a tuple.


@primitive(
    latex="<x>",
    kind="linear",
    examples=[((2, 3),), ((),)],
    identity=True,
    entrywise=True,
    takes_complex=True,
)
def alias(x):  # type: ignore[no-untyped-def]
    """Return the same Value under a new identity: the point at which a derivative is taken.

    >>> alias(Value(2.0))
    Value(data=2.0, grad=None)
    """
    return x


alias.vjp(x=lambda g, out, x: g)
alias.batch(alias)


# ---- functions of arrays


class RecordedCall:
    """One call of a function on new leaves: the graph between them and the outputs."""

    def __init__(
        self, where: str, f: Callable[[], Any], inputs: Sequence[Value], since: int
    ) -> None:
        keep = bool(RECORDING.get())
        token, inside = set_recording(True), IN_TRANSFORM.set(True)
        try:
            self.output = f()
            if any(isinstance(x, Value) and x.written for x in tree.leaves(self.output)):
                self.output = tree.map_leaves(detach_version, self.output)
        except (ValueError, SystemError) as error:  # array[i] = value in NumPy, callbacks in SciPy
            if isinstance(error.__cause__, NotDifferentiableError):
                raise error.__cause__ from None
            raise
        finally:
            IN_TRANSFORM.reset(inside)
            RECORDING.reset(token)
        self.inputs = [x._first() for x in inputs]  # it may have written to them
        self.outputs = list(tree.leaves(self.output))
        values = [value for value in self.outputs if isinstance(value, Value)]
        for out in self.outputs:
            given = getattr(out, "dtype", type(out).__name__)
            if not isinstance(out, (Value, float)) and getattr(given, "kind", "") not in {"f", "c"}:
                raise DtypeError(
                    f"{where}: the function must return floats, got {given}, which has no "
                    "derivative; leave it out of the result, or return it as a float"
                )
        order = topological_order(values, since)
        self.recording = keep and any(value._serial < since for value in order)
        self.reached = reached = set(self.inputs)
        for value in reversed(order):
            if value._record is not None and not reached.isdisjoint(
                x for x in value._record[1] if type(x) is Value
            ):
                reached.add(value)
        self.order = [value for value in order if value in reached]

    @property
    def largest(self) -> int:
        """The number of entries of the largest Value between the inputs and the outputs."""
        return max((value.size for value in self.order), default=1)

    def result(self) -> Any:
        """Return the outputs: plain arrays, unless they depend on Values from outside."""
        return tree.unflatten(self.output, [self.release(out) for out in self.outputs])

    def release(self, x: Any) -> Any:
        """Return one output for the caller."""
        if self.recording:
            return x if isinstance(x, Value) else Value(x, requires_grad=False)
        data = unwrap(x)
        if isinstance(data, Batched):
            return Value(data, requires_grad=False)
        return data.copy() if isinstance(data, np.ndarray) else data

    def pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """Return the gradients of the inputs for those of the outputs (see `gradient_of`)."""
        seeds: dict[Value, Any] = {}
        recording = self.recording or any(isinstance(c, Value) for c in cotangents)
        for out, c in zip(self.outputs, cotangents, strict=True):
            if isinstance(out, Value) and out in self.reached:
                own = gradient_of(c)
                seeds[out] = seeds[out] + own if out in seeds else own
        found = pull_back(seeds, self.reached, recording)
        return [self._plain_or_value(x, gradient_of(found.get(x)), recording) for x in self.inputs]

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """Return the tangents of the outputs for those of the inputs."""
        recording = self.recording or any(isinstance(t, Value) for t in tangents)
        found = push_forward(self.order, dict(zip(self.inputs, tangents, strict=True)), recording)
        return [
            self._plain_or_value(out, found.get(out) if isinstance(out, Value) else None, recording)
            for out in self.outputs
        ]

    @staticmethod
    def _plain_or_value(like: Any, c: Any, recording: bool) -> Any:
        data = unwrap(like)
        if c is None:  # not reached: the derivative is zero
            c = (
                match_shape(0.0, data)
                if isinstance(data, (float, np.generic))
                else np.zeros_like(data)
            )
        if recording or isinstance(c, Batched):
            return c if isinstance(c, Value) else Value(c, requires_grad=False)
        return np.array(c) if isinstance(data, np.ndarray) else c


def detach_version(x: Any) -> Any:
    """Return what the function returned, so that no later write to it changes it."""
    return apply(alias, (x,), {}) if isinstance(x, Value) and x.written else x


def record_call(
    where: str, f: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int], **kw: Any
) -> RecordedCall:
    """Call `f` with new leaves in place of those of the chosen arguments."""
    since = next_serial()
    inputs: list[Value] = []

    def watched(x: Any) -> Value:
        content = inside_batch(x)
        outer = isinstance(x, Value) and x.requires_grad and bool(RECORDING.get())
        as_result = outer and not (isinstance(content, Batched) and content.content is x)
        inputs.append(apply(alias, (x,), {}) if as_result else Value(content))
        memory_of(inputs[-1]).writable = True
        return inputs[-1]

    given = [tree.map_leaves(watched, a) if i in argnums else a for i, a in enumerate(args)]
    return RecordedCall(where, lambda: f(*given, **kw), inputs, since)


def normalize_argnums(where: str, argnums: int | Sequence[int], args: Sequence[Any]) -> list[int]:
    """Return `argnums` as a list of positions from the left."""
    chosen = [argnums] if isinstance(argnums, int) else list(argnums)
    if not all(-len(args) <= i < len(args) for i in chosen):
        raise ArgumentError(
            f"{where}: argnums must be positions below {len(args)}, the number of positional "
            f"arguments, got {argnums!r}"
        )
    return [i % len(args) for i in chosen]


class AuxiliaryCall:
    """A function that returns (result, more) as one that returns the result and keeps the rest."""

    def __init__(self, where: str, f: Callable[..., Any]) -> None:
        self.where, self.f = where, f
        self.more: Any = None

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Return the result, and keep the rest."""
        found = self.f(*args, **keywords)
        if not isinstance(found, tuple) or len(found) != 2:
            raise ArgumentError(
                f"{self.where}: with has_aux the function must return (result, more), got "
                f"{tree.describe(found)}"
            )
        out, self.more = found
        return out

    def released(self, traced: RecordedCall) -> Any:
        """Return what came beside the result, in plain arrays where the result is plain."""
        return tree.map_leaves(
            lambda x: traced.release(x) if isinstance(x, Value) else x, self.more
        )


@overload
def value_and_grad(
    f: Callable[..., Any], argnums: int = 0, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]: ...
@overload
def value_and_grad(
    f: Callable[..., Any], argnums: Sequence[int], has_aux: bool = False
) -> Callable[..., tuple[Any, tuple[Any, ...]]]: ...
def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """Return a function that computes f(...) and its gradient.

    `argnums` chooses the positional arguments: one position, or several for a tuple of
    gradients. Arguments are numbers, arrays, Values, or nested lists, tuples and dicts of them;
    the gradient has the same structure. Its leaves are plain arrays, or Values if `f` was given
    Values or uses some from outside, so that gradients of gradients follow. An argument
    that the result does not depend on has the gradient 0. The gradient with respect to a complex
    number z is dL/dRe z + i dL/dIm z. With `has_aux`, `f` returns (result, more), and so does the
    new function in the place of the result: `more` is anything, and isn't differentiated. Raises
    `GraphError` when the result has more than one entry, and `DtypeError` when it is complex.

    >>> value_and_grad(lambda w, x: (w * x - 1) ** 2)(2.0, 3.0)
    (25.0, 30.0)
    >>> value_and_grad(lambda w: (w * w, "a note"), has_aux=True)(3.0)
    ((9.0, 'a note'), 6.0)
    """
    check_callable("grad", "f", f)
    check_flag("grad", "has_aux", has_aux)

    def run(*args: Any, **keywords: Any) -> tuple[Any, Any]:
        chosen = normalize_argnums("grad", argnums, args)
        call = AuxiliaryCall("grad", f) if has_aux else f
        traced = record_call("grad", call, args, chosen, **keywords)
        if len(traced.outputs) != 1 or traced.outputs[0] is not traced.output:
            raise GraphError(
                "grad: the function must return one Value with one entry, got "
                f"{type(traced.output).__name__} with {len(traced.outputs)} leaves"
            )
        found = iter(traced.pull([seed("grad", traced.outputs[0])]))
        ascending = {
            i: tree.map_leaves(lambda _: next(found), args[i]) for i in sorted(set(chosen))
        }
        gradients = tuple(ascending[i] for i in chosen)
        result = traced.result()
        if isinstance(call, AuxiliaryCall):
            result = result, call.released(traced)
        return result, gradients[0] if isinstance(argnums, int) else gradients

    return run


@overload
def grad(f: Callable[..., Any], argnums: int = 0, has_aux: bool = False) -> Callable[..., Any]: ...
@overload
def grad(
    f: Callable[..., Any], argnums: Sequence[int], has_aux: bool = False
) -> Callable[..., tuple[Any, ...]]: ...
def grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the gradient of f(...); see `value_and_grad`.

    With `has_aux`, `f` returns (result, more), and the new function (gradient, more).

    >>> grad(lambda x: x**3)(2.0), grad(grad(lambda x: x**3))(2.0)
    (12.0, 12.0)
    """
    with_value = value_and_grad(f, argnums, has_aux)

    def run(*args: Any, **keywords: Any) -> Any:
        result, gradient = with_value(*args, **keywords)
        return (gradient, result[1]) if has_aux else gradient

    return run


@overload
def vjp(
    f: Callable[..., Any], *primals: PyTree, has_aux: Literal[False] = False
) -> tuple[Any, Callable[[PyTree], tuple[Any, ...]]]: ...
@overload
def vjp(f: Callable[..., Any], *primals: PyTree, has_aux: bool) -> tuple[Any, ...]: ...
def vjp(f: Callable[..., Any], *primals: PyTree, has_aux: bool = False) -> tuple[Any, ...]:
    """Return f(*primals) and its pullback: cotangent of the output -> those of the primals (gᵀJ).

    Structures may be nested. Cotangents of complex numbers are gradients, as in PyTorch: with g the
    gradient dL/dRe f + i dL/dIm f of a loss, the pullback returns that of the primals, which is
    g·(df/dz)* for a function with a complex derivative. With `has_aux`, `f` returns (result, more),
    and `vjp` the result, the pullback, and `more`. Raises `ShapeError` for a cotangent that doesn't
    fit the output, and `DtypeError` for a complex one of a real output.

    >>> out, pullback = vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> out, pullback(1.0)
    (12.0, (4.0, 3.0))
    """
    check_callable("vjp", "f", f)
    call = AuxiliaryCall("vjp", f) if check_flag("vjp", "has_aux", has_aux) else f
    traced = record_call("vjp", call, primals, range(len(primals)))

    def pullback(cotangent: PyTree) -> tuple[Any, ...]:
        given = check_leaves("vjp", cotangent, traced.output, traced.outputs)
        return tuple(tree.unflatten(list(primals), traced.pull(given)))

    if isinstance(call, AuxiliaryCall):
        return traced.result(), pullback, call.released(traced)
    return traced.result(), pullback


@overload
def jvp(
    f: Callable[..., Any],
    primals: Sequence[PyTree],
    tangents: Sequence[PyTree],
    has_aux: Literal[False] = False,
) -> tuple[Any, Any]: ...
@overload
def jvp(
    f: Callable[..., Any],
    primals: Sequence[PyTree],
    tangents: Sequence[PyTree],
    has_aux: bool,
) -> tuple[Any, ...]: ...
def jvp(
    f: Callable[..., Any],
    primals: Sequence[PyTree],
    tangents: Sequence[PyTree],
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """Return f(*primals) and its derivative along the tangents (J·t), by forward mode.

    Tangents of complex arguments are complex: those along 1 and i are ∂f/∂Re z and ∂f/∂Im z. With
    `has_aux`, `f` returns (result, more), and `jvp` the result, the derivative, and `more`.

    >>> jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 0.0))
    (12.0, 4.0)
    """
    check_callable("jvp", "f", f)
    check_instance("jvp", "primals", primals, (tuple, list), "a tuple of arguments")
    call = AuxiliaryCall("jvp", f) if check_flag("jvp", "has_aux", has_aux) else f
    traced = record_call("jvp", call, primals, range(len(primals)))
    given = check_leaves("jvp", tangents, primals, traced.inputs)
    pushed = tree.unflatten(traced.output, traced.push(given))
    if isinstance(call, AuxiliaryCall):
        return traced.result(), pushed, call.released(traced)
    return traced.result(), pushed


def linearize(f: Callable[..., Any], *primals: PyTree) -> tuple[Any, Callable[..., Any]]:
    """Return f(*primals) and its derivative there, a linear function of tangents.

    `f` runs once, however many tangents follow: each takes one pass of forward mode along its
    graph. The tangents are nested as the primals are.

    >>> out, derivative = linearize(lambda x, y: x * y, 3.0, 4.0)
    >>> out, derivative(1.0, 0.0), derivative(0.0, 1.0)
    (12.0, 4.0, 3.0)
    """
    check_callable("linearize", "f", f)
    traced = record_call("linearize", f, primals, range(len(primals)))

    def derivative(*tangents: PyTree) -> Any:
        given = check_leaves("linearize", tangents, primals, traced.inputs)
        return tree.unflatten(traced.output, traced.push(given))

    return traced.result(), derivative


def stop_gradient(x: PyTree) -> Any:
    """Return the same numbers as constants: no derivative flows through them, in any mode.

    Of nested lists, tuples and dicts, each Value; anything else stays as it is.

    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    3.0
    """
    return tree.map_leaves(lambda leaf: leaf.detach() if isinstance(leaf, Value) else leaf, x)


def check_leaves(where: str, given: Any, structure: Any, likes: Sequence[Any]) -> list[Any]:
    """Return the leaves of a structure of cotangents or tangents, each shaped like its Value."""
    leaves = tree.match_leaves(where, given, structure)
    return [seed(where, like, leaf) for like, leaf in zip(likes, leaves, strict=True)]


def hvp(f: Callable[..., Any], primals: Primals, tangents: Sequence[PyTree]) -> Primals:
    """Return the product of the Hessian of a scalar function with the tangents.

    Forward mode over reverse mode: the derivative of the gradient along the tangents; the Hessian
    itself is never built. A tuple (or list) in, the same out.

    >>> hvp(lambda x: x**3, (2.0,), (10.0,))
    (120.0,)
    """
    check_instance("hvp", "primals", primals, (tuple, list), "a tuple of arguments")
    gradient = grad(f, argnums=range(len(primals)))
    return type(primals)(jvp(gradient, primals, tangents)[1])
