"""Derivatives: the chain rule applied along the graph, in reverse and forward mode.

Both modes read the record that evaluation left behind. Rules run on plain arrays; where the result
is itself to be differentiated (a gradient inside a gradient, or a function that uses Values from
outside), the same rules run on Values and are recorded.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from . import tree
from .errors import (
    ArgumentError,
    GraphError,
    NotDifferentiableError,
    ShapeError,
    bad_argument,
)
from .graph import ordered
from .primitive import Primitive, implements, primitive
from .value import RECORDING, Value, age_now, apply, as_data, plain

Function = TypeVar("Function", bound=Callable[..., Any])


@primitive(latex="<x>", kind="linear", examples=[((2, 3),), ((),)])
def alias(x):  # type: ignore[no-untyped-def]
    """The same Value under a new identity: the point at which a derivative is taken."""
    return x


alias.vjp(x=lambda g, out, x: g)


# ---- the chain rule along a graph


def pull_back(
    order: Sequence[Value], seeds: Mapping[Value, Any], recording: bool = False
) -> dict[Value, Any]:
    """Reverse mode: from the cotangents of the outputs to those of all Values in `order`.

    `order` has every Value after its readers, as `graph.ordered` gives it; what is not in it gets
    no cotangent, and rules that only it would need are not run.
    """
    cotangents: dict[Value, Any] = dict.fromkeys(order)
    cotangents.update(seeds)
    with np.errstate(all="ignore"):
        for value in order:
            record, g = value._record, cotangents[value]
            if record is None or g is None:
                continue
            operation, operands, numbers, options = record
            out, arguments = value._data, numbers
            if recording:
                out, arguments = value, unchanged(operation, operands, numbers)
            for position, x in enumerate(operands):
                if type(x) is not Value or x not in cotangents:
                    continue
                rule = operation.rules[position] if not operation.variadic else operation.rules[0]
                if rule is None:
                    raise no_derivative(operation, position)
                try:
                    c = rule(g, out, *arguments, **options)
                except ArithmeticError:  # Python's floats raise where NumPy gives inf and nan
                    c = rule(np.float64(g), np.float64(out), *map(np.float64, arguments))
                if operation.variadic:
                    c = c(position)
                number = numbers[position]
                if type(number) is float:
                    if type(c) is not float:
                        c = fitted(c, number)
                elif getattr(c, "shape", None) != number.shape or c.dtype is not number.dtype:
                    c = fitted(c, number)
                total = cotangents[x]
                cotangents[x] = c if total is None else total + c
    return cotangents


def push_forward(
    order: Sequence[Value], seeds: Mapping[Value, Any], recording: bool = False
) -> dict[Value, Any]:
    """Forward mode: from the tangents of the inputs to those of all Values in `order`."""
    tangents = dict(seeds)
    with np.errstate(all="ignore"):
        for value in reversed(order):
            if value._record is None or value in seeds:
                continue
            operation, operands, numbers, options = value._record
            given = [tangents.get(x) if type(x) is Value else None for x in operands]
            if all(t is None for t in given):
                continue
            out, arguments = value._data, numbers
            if recording:
                out, arguments = value, unchanged(operation, operands, numbers)
            total = None
            for position, t in enumerate([given] if operation.variadic else given):
                if t is None:
                    continue
                rule = operation.tangent_rules[position]
                if rule is None:
                    rule = transposed(operation, position)
                part = fitted(rule(t, out, *arguments, **options), value._data)
                total = part if total is None else total + part
            tangents[value] = total
    return tangents


def transposed(operation: Primitive, position: int) -> Callable[..., Any]:
    """A forward rule made of the reverse rule, which is linear in g: its own pull-back."""

    def rule(t: Any, out: Any, *operands: Any, **options: Any) -> Any:
        reverse = operation.rules[position]
        if reverse is None:
            raise no_derivative(operation, position)

        def pulled(g: Any) -> Any:
            if not operation.variadic:
                return reverse(g, out, *operands, **options)
            parts = reverse(g, out, *operands, **options)
            return [parts(i) for i, given in enumerate(t) if given is not None]

        given = [part for part in t if part is not None] if operation.variadic else t
        return vjp(pulled, np.zeros(np.shape(plain(out)), getattr(out, "dtype", float)))[1](given)[
            0
        ]

    return rule


def fitted(c: Any, like: Any) -> Any:
    """A cotangent in its operand's shape and dtype: what broadcasting spread is added up."""
    shape = getattr(like, "shape", ())
    given = getattr(c, "shape", ())
    if given != shape:
        extra = len(given) - len(shape)
        if extra > 0:
            c = np.add.reduce(c, axis=tuple(range(extra)))
        stretched = tuple(
            i
            for i, (length, own) in enumerate(zip(given[max(extra, 0) :], shape, strict=False))
            if own == 1 != length
        )
        if stretched:
            c = np.add.reduce(c, axis=stretched, keepdims=True)
        if getattr(c, "shape", ()) != shape:
            c = np.broadcast_to(c, shape)
    if isinstance(c, Value):
        return c if type(like) is float or c.dtype == like.dtype else c.astype(like.dtype)
    if type(like) is float:
        return float(c)
    return np.asarray(c, like.dtype) if shape else like.dtype.type(c)


def unchanged(operation: Primitive, operands: Iterable[Any], numbers: Iterable[Any]) -> list[Any]:
    """The operands as Values for a recorded rule; their numbers must still be the recorded ones."""
    arguments = []
    for x, number in zip(operands, numbers, strict=True):
        if type(x) is not Value:
            arguments.append(number)
        elif x._data is number or np.array_equal(x._data, number, equal_nan=True):
            arguments.append(x)
        else:
            raise GraphError(
                f"data of an operand of {operation.name} was changed after the operation ran: "
                "take the gradient first, or run the function again"
            )
    return arguments


def no_derivative(operation: Primitive, position: int) -> NotDifferentiableError:
    name = operation.operands[min(position, len(operation.operands) - 1)]
    return NotDifferentiableError(
        f"{operation.name} has no derivative with respect to {name}: pass a plain array, or "
        "value.detach()"
    )


# ---- Value.backward


@implements()
def backward(root: Value, gradient: Any = None) -> None:
    """Fill `.grad` of all that `root` was computed from (see `Value.backward`)."""
    if not root.requires_grad:
        raise GraphError(
            "backward: the Value depends on nothing that requires a gradient: it was made by "
            "no_grad, detach or requires_grad=False, or of constants only"
        )
    order = ordered([root])
    cotangents = pull_back(order, {root: seed("backward", root, gradient)})
    for value in order:
        c = cotangents[value]
        if value._record is None and value._grad is not None:
            value._grad = value.grad + c  # leaves accumulate
        else:
            value._grad = (c,) if type(c) is np.ndarray else c  # copied when it is read


def seed(where: str, output: Any, gradient: Any = None) -> Any:
    """The cotangent that a backward pass starts with, checked against its output."""
    like = plain(output)
    if gradient is not None:
        if isinstance(gradient, Value):
            given = gradient
        else:
            given = as_data(gradient)
        if np.shape(plain(given)) != np.shape(like):
            raise ShapeError(
                bad_argument(
                    where,
                    "the cotangent does not have the shape of the output",
                    expected=np.shape(like),
                    given=np.shape(plain(given)),
                )
            )
        return fitted(given, like)
    if np.size(like) != 1:
        raise GraphError(
            bad_argument(
                where,
                "the output is not a scalar",
                expected="one entry, or an explicit cotangent",
                given=f"shape {np.shape(like)}",
                cure="reduce it with sum() or mean(), or pass the cotangent",
            )
        )
    return fitted(1.0, like)


# ---- functions of arrays


class Trace:
    """One run of a function on watched inputs: the graph between them and the outputs."""

    def __init__(self, f: Callable[[], Any], inputs: Sequence[Value], since: int) -> None:
        keep = RECORDING.get()
        token = RECORDING.set(True)
        try:
            self.output = f()
        finally:
            RECORDING.reset(token)
        self.inputs = inputs
        self.outputs = list(tree.leaves(self.output))
        values = [value for value in self.outputs if isinstance(value, Value)]
        order = ordered(values, since)
        self.recording = keep and any(value._age < since for value in order)
        reached = set(inputs)
        for value in reversed(order):
            if value._record is not None and not reached.isdisjoint(
                x for x in value._record[1] if type(x) is Value
            ):
                reached.add(value)
        self.order = [value for value in order if value in reached]

    def result(self) -> Any:
        """The outputs: plain arrays, unless they depend on Values from outside."""
        return tree.rebuilt(self.output, [self.released(out) for out in self.outputs])

    def released(self, x: Any) -> Any:
        if self.recording:
            return x if isinstance(x, Value) else Value(x, requires_grad=False)
        data = plain(x)
        return data.copy() if isinstance(data, np.ndarray) else data

    def pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """The cotangents of the inputs for those of the outputs."""
        seeds: dict[Value, Any] = {}
        recording = self.recording or any(isinstance(c, Value) for c in cotangents)
        for out, c in zip(self.outputs, cotangents, strict=True):
            if isinstance(out, Value) and out.requires_grad:
                seeds[out] = seeds[out] + c if out in seeds else c
        found = pull_back(self.order, seeds, recording)
        return [self._plain_or_value(x, found.get(x), recording) for x in self.inputs]

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """The tangents of the outputs for those of the inputs."""
        recording = self.recording or any(isinstance(t, Value) for t in tangents)
        found = push_forward(self.order, dict(zip(self.inputs, tangents, strict=True)), recording)
        return [
            self._plain_or_value(out, found.get(out) if isinstance(out, Value) else None, recording)
            for out in self.outputs
        ]

    @staticmethod
    def _plain_or_value(like: Any, c: Any, recording: bool) -> Any:
        data = plain(like)
        if c is None:  # not reached: the derivative is zero
            c = fitted(0.0, data) if isinstance(data, (float, np.generic)) else np.zeros_like(data)
        if recording:
            return c if isinstance(c, Value) else Value(c, requires_grad=False)
        return np.array(c) if isinstance(c, np.ndarray) else c


def trace(f: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int], **kw: Any) -> Trace:
    """Run `f` with the leaves of the chosen arguments watched."""
    since = age_now()
    inputs: list[Value] = []

    def watched(x: Any) -> Value:
        outer = isinstance(x, Value) and x.requires_grad and RECORDING.get()
        inputs.append(apply(alias, (x,), {}) if outer else Value(plain(x)))
        return inputs[-1]

    given = [tree.mapped(watched, a) if i in argnums else a for i, a in enumerate(args)]
    return Trace(lambda: f(*given, **kw), inputs, since)


def positions(argnums: int | Sequence[int], args: Sequence[Any]) -> list[int]:
    chosen = [argnums] if isinstance(argnums, int) else list(argnums)
    if not all(-len(args) <= i < len(args) for i in chosen):
        raise ArgumentError(
            bad_argument(
                "argnums",
                "there is no such argument",
                expected=f"positions below {len(args)}",
                given=argnums,
            )
        )
    return [i % len(args) for i in chosen]


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0
) -> Callable[..., tuple[Any, Any]]:
    """The function that returns f(...) and its gradient.

    `argnums` says for which positional arguments (one position, or several for a tuple of
    gradients). Arguments are numbers, arrays, Values, or nested lists, tuples and dicts of them;
    the gradient has the same structure. It is made of plain arrays, or of Values where `f` was
    given Values or uses some from outside, so that gradients of gradients follow. An argument
    that the result does not depend on has the gradient 0. Raises `GraphError` when the result
    has more than one entry.

    >>> value_and_grad(lambda w, x: (w * x - 1) ** 2)(2.0, 3.0)
    (25.0, 30.0)
    """

    def run(*args: Any, **keywords: Any) -> tuple[Any, Any]:
        chosen = positions(argnums, args)
        traced = trace(f, args, chosen, **keywords)
        if len(traced.outputs) != 1:
            raise GraphError(
                bad_argument(
                    "grad",
                    "the function does not return one scalar",
                    expected="a Value with one entry",
                    given=f"{type(traced.output).__name__} of {len(traced.outputs)} entries",
                )
            )
        found = iter(traced.pull([seed("grad", traced.outputs[0])]))
        ascending = {i: tree.mapped(lambda _: next(found), args[i]) for i in sorted(set(chosen))}
        gradients = tuple(ascending[i] for i in chosen)
        return traced.result(), gradients[0] if isinstance(argnums, int) else gradients

    return run


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that returns the gradient of f(...); see `value_and_grad`.

    >>> grad(lambda x: x**3)(2.0), grad(grad(lambda x: x**3))(2.0)
    (12.0, 12.0)
    """
    with_value = value_and_grad(f, argnums)
    return lambda *args, **keywords: with_value(*args, **keywords)[1]


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """f(*primals) and its pull-back: cotangent of the output -> cotangents of the primals (gᵀJ).

    Structures may be nested. Raises `ShapeError` for a cotangent that does not fit the output.

    >>> out, pullback = vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> out, pullback(1.0)
    (12.0, (4.0, 3.0))
    """
    traced = trace(f, primals, range(len(primals)))

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        given = checked_leaves("vjp", cotangent, traced.outputs)
        return tuple(tree.rebuilt(list(primals), traced.pull(given)))

    return traced.result(), pullback


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f(*primals) and its derivative in the direction of the tangents (J·t), by forward mode.

    >>> jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 0.0))
    (12.0, 4.0)
    """
    traced = trace(f, primals, range(len(primals)))
    given = checked_leaves("jvp", tangents, traced.inputs)
    return traced.result(), tree.rebuilt(traced.output, traced.push(given))


def checked_leaves(where: str, given: Any, likes: Sequence[Any]) -> list[Any]:
    leaves = list(tree.leaves(given))
    if len(leaves) != len(likes):
        raise ArgumentError(
            bad_argument(
                where,
                "the structures differ",
                expected=f"{len(likes)} arrays",
                given=f"{len(leaves)}",
            )
        )
    return [seed(where, like, leaf) for like, leaf in zip(likes, leaves, strict=True)]


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The product of the Hessian of a scalar function with the tangents, without the Hessian.

    Forward mode over reverse mode: the derivative of the gradient in the direction of the
    tangents. A tuple (or list) in, the same out.

    >>> hvp(lambda x: x**3, (2.0,), (10.0,))
    (120.0,)
    """
    gradient = grad(f, argnums=range(len(primals)))
    return type(primals)(jvp(gradient, primals, tangents)[1])  # type: ignore[call-arg]


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that returns the Jacobian ∂f/∂x, of shape (shape of f, shape of x).

    One backward pass for each entry of the output. Nested outputs and arguments give nested
    Jacobians: the output's structure outside, the argument's inside.

    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """

    def run(*args: Any, **keywords: Any) -> Any:
        chosen = positions(argnums, args)
        traced = trace(f, args, sorted(set(chosen)), **keywords)
        structure = {i: args[i] for i in sorted(set(chosen))}

        def rows(out: int) -> Any:
            likes = [plain(leaf) for leaf in traced.outputs]
            shape = np.shape(likes[out])
            pulled = []
            for entry in range(int(np.prod(shape))):
                seeds = [fitted(0.0, like) for like in likes]
                unit = np.zeros(shape, getattr(likes[out], "dtype", float))
                unit.reshape(-1)[entry] = 1
                seeds[out] = fitted(unit, likes[out])
                pulled.append(traced.pull(seeds))
            blocks = [
                np.reshape(np.stack([row[k] for row in pulled]), shape + x.shape)
                if pulled and shape
                else pulled[0][k]
                if pulled
                else np.zeros(shape + x.shape)
                for k, x in enumerate(traced.inputs)
            ]
            found = tree.rebuilt(structure, blocks)
            picked = tuple(found[i] for i in chosen)
            return picked[0] if isinstance(argnums, int) else picked

        return tree.rebuilt(traced.output, [rows(i) for i in range(len(traced.outputs))])

    return run


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that returns the matrix of second derivatives, of shape (x.shape, x.shape).

    >>> hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0])).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    return jacobian(grad(f, argnums), argnums)


class no_grad:  # noqa: N801 - a context manager, spelt as in PyTorch
    """Evaluate without recording: a context manager and a decorator.

    It holds for this thread (and asynchronous task) only, ends with an exception too, may be
    nested, and around a generator function it is off whenever the generator is suspended.

    >>> x = Value(3.0)
    >>> with no_grad():
    ...     (x * x).requires_grad
    False
    """

    def __init__(self) -> None:
        self._tokens: list[contextvars.Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(RECORDING.set(False))

    def __exit__(self, *_: object) -> None:
        RECORDING.reset(self._tokens.pop())

    def __call__(self, function: Function) -> Function:
        """Decorate a function or a generator function."""

        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            with no_grad():
                return function(*args, **keywords)

        @functools.wraps(function)
        def generate(*args: Any, **keywords: Any) -> Generator[Any, Any, Any]:
            generator = function(*args, **keywords)
            with contextlib.closing(generator):
                advance: Callable[[], Any] = functools.partial(next, generator)
                while True:
                    try:
                        with no_grad():
                            item = advance()
                    except StopIteration as stop:
                        return stop.value
                    try:
                        sent = yield item
                        advance = functools.partial(generator.send, sent)
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        advance = functools.partial(generator.throw, error)

        return cast(Function, generate if inspect.isgeneratorfunction(function) else call)
