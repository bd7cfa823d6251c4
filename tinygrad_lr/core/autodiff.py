"""Derivatives of functions: grad, vjp, jvp, jacobian, hessian and their products.

The results are plain arrays. If a function is given Values, or uses Values from outside (a gradient
inside a gradient), they are Values, which can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np

from ..errors import ArgumentError, DtypeError, GraphError, NotDifferentiableError
from ..support import pytree as tree
from ..support.abstract_array import Array, check_numbers
from ..support.validation import check_callable, check_instance
from .batching import Batched, Level, current_level
from .chain_rule import (
    gradient_of,
    has_nan,
    match_shape,
    pull_back,
    push_forward,
    seed,
)
from .grad_mode import RECORDING, set_recording
from .graph import topological_order
from .node import IN_TRANSFORM, next_serial, unwrap
from .primitive import PRIMITIVES, is_complex, primitive
from .sparsity import dependence, width
from .value import Value, apply
from .versions import memory_of

Leaf: TypeAlias = "Value | Array | np.generic | complex | None"
PyTree: TypeAlias = "Leaf | Sequence[PyTree] | Mapping[Any, PyTree]"
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
        except ValueError as error:
            if isinstance(error.__cause__, NotDifferentiableError):  # array[i] = value, in NumPy
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

    level = current_level()

    def watched(x: Any) -> Value:
        content = unwrap(x)
        if level is not None and getattr(content, "level", None) is not level:
            content = Batched(x, level, varies=False)  # its gradient may vary over the batch
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


@overload
def value_and_grad(f: Callable[..., Any], argnums: int = 0) -> Callable[..., tuple[Any, Any]]: ...
@overload
def value_and_grad(
    f: Callable[..., Any], argnums: Sequence[int]
) -> Callable[..., tuple[Any, tuple[Any, ...]]]: ...
def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0
) -> Callable[..., tuple[Any, Any]]:
    """Return a function that computes f(...) and its gradient.

    `argnums` chooses the positional arguments: one position, or several for a tuple of
    gradients. Arguments are numbers, arrays, Values, or nested lists, tuples and dicts of them;
    the gradient has the same structure. Its leaves are plain arrays, or Values if `f` was given
    Values or uses some from outside, so that gradients of gradients follow. An argument
    that the result does not depend on has the gradient 0. The gradient with respect to a complex
    number z is dL/dRe z + i dL/dIm z. Raises `GraphError` when the result has more than one entry,
    and `DtypeError` when it is complex.

    >>> value_and_grad(lambda w, x: (w * x - 1) ** 2)(2.0, 3.0)
    (25.0, 30.0)
    """
    check_callable("grad", "f", f)

    def run(*args: Any, **keywords: Any) -> tuple[Any, Any]:
        chosen = normalize_argnums("grad", argnums, args)
        traced = record_call("grad", f, args, chosen, **keywords)
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
        return traced.result(), gradients[0] if isinstance(argnums, int) else gradients

    return run


@overload
def grad(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]: ...
@overload
def grad(f: Callable[..., Any], argnums: Sequence[int]) -> Callable[..., tuple[Any, ...]]: ...
def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that computes the gradient of f(...); see `value_and_grad`.

    >>> grad(lambda x: x**3)(2.0), grad(grad(lambda x: x**3))(2.0)
    (12.0, 12.0)
    """
    with_value = value_and_grad(f, argnums)
    return lambda *args, **keywords: with_value(*args, **keywords)[1]


def vjp(f: Callable[..., Any], *primals: PyTree) -> tuple[Any, Callable[[PyTree], tuple[Any, ...]]]:
    """Return f(*primals) and its pullback: cotangent of the output -> those of the primals (gᵀJ).

    Structures may be nested. Cotangents of complex numbers are gradients, as in PyTorch: with g the
    gradient dL/dRe f + i dL/dIm f of a loss, the pullback returns that of the primals, which is
    g·(df/dz)* for a function with a complex derivative. Raises `ShapeError` for a cotangent that
    does not fit the output, and `DtypeError` for a complex one of a real output.

    >>> out, pullback = vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> out, pullback(1.0)
    (12.0, (4.0, 3.0))
    """
    check_callable("vjp", "f", f)
    traced = record_call("vjp", f, primals, range(len(primals)))

    def pullback(cotangent: PyTree) -> tuple[Any, ...]:
        given = check_leaves("vjp", cotangent, traced.output, traced.outputs)
        return tuple(tree.unflatten(list(primals), traced.pull(given)))

    return traced.result(), pullback


def jvp(
    f: Callable[..., Any], primals: Sequence[PyTree], tangents: Sequence[PyTree]
) -> tuple[Any, Any]:
    """Return f(*primals) and its derivative along the tangents (J·t), by forward mode.

    Tangents of complex arguments are complex: those along 1 and i are ∂f/∂Re z and ∂f/∂Im z.

    >>> jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 0.0))
    (12.0, 4.0)
    """
    check_callable("jvp", "f", f)
    check_instance("jvp", "primals", primals, (tuple, list), "a tuple of arguments")
    traced = record_call("jvp", f, primals, range(len(primals)))
    given = check_leaves("jvp", tangents, primals, traced.inputs)
    return traced.result(), tree.unflatten(traced.output, traced.push(given))


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


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that computes the Jacobian ∂f/∂x, of shape (shape of f, shape of x).

    All rows are computed in one backward pass, or all columns in one forward pass where there are
    fewer of them; in parts where they would need much memory. Nested outputs and arguments give
    nested Jacobians: the output's structure outside, the argument's inside.

    A real output has the derivatives that `grad` gives, a complex output the complex derivative.
    Raises `NotDifferentiableError` where there is none, as for z* or |z|·z of a complex z.

    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    check_callable("jacobian", "f", f)
    return partial_derivatives("jacobian", f, argnums, forward=None)


def partial_derivatives(
    where: str, f: Callable[..., Any], argnums: int | Sequence[int], forward: bool | None
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian, by forward mode if `forward` or if cheaper."""

    def run(*args: Any, **keywords: Any) -> Any:
        chosen = normalize_argnums(where, argnums, args)
        positions = sorted(set(chosen))
        traced = record_call(where, f, args, positions, **keywords)
        ins, outs = ([unwrap(x) for x in xs] for xs in (traced.inputs, traced.outputs))
        real = not any(map(is_complex, (*ins, *outs)))
        rows, columns = (sum(map(np.size, likes)) for likes in (outs, ins))
        ahead = real and (columns < rows if forward is None else forward)
        blocks = banded_jacobian(traced, ins, outs, min(rows, columns)) if real else None
        if blocks is None and ahead:
            blocks = jacobian_columns(traced, ins, outs)
        if blocks is None or any(has_nan(unwrap(x)) for x in tree.leaves(blocks)):
            blocks = jacobian_rows(traced, ins, outs)  # where zeros stay zeros in all operations
        structure = {i: args[i] for i in positions}

        def of_output(out: int) -> Any:
            found = tree.unflatten(structure, blocks[out])
            picked = tuple(found[i] for i in chosen)
            return picked[0] if isinstance(argnums, int) else picked

        return tree.unflatten(traced.output, [of_output(i) for i in range(len(outs))])

    return run


MOST_NUMBERS = 1 << 22
"""The most numbers of one kind that a Jacobian's passes hold at a time."""


def jacobian_rows(traced: RecordedCall, ins: Sequence[Any], outs: Sequence[Any]) -> list[list[Any]]:
    """Return the blocks of a Jacobian, for each output one for each input, by backward passes."""

    def pull(seeds: list[Any]) -> list[Any]:
        return traced.pull(seeds)

    found = in_batches(pull, outs, ins, traced.largest)
    if any(map(is_complex, outs)):
        turned = in_batches(pull, outs, ins, traced.largest, 1j)
        found = [
            [*map(complex_derivative, row, more)] if is_complex(out) else row
            for out, row, more in zip(outs, found, turned, strict=True)
        ]
    return found


def jacobian_columns(
    traced: RecordedCall, ins: Sequence[Any], outs: Sequence[Any]
) -> list[list[Any]]:
    """Return the blocks of a Jacobian, for each output one for each input, by forward passes."""
    columns = in_batches(traced.push, ins, outs, traced.largest)
    return [
        [
            np.moveaxis(columns[i][k], range(np.ndim(x)), range(-np.ndim(x), 0))
            for i, x in enumerate(ins)
        ]
        for k in range(len(outs))
    ]


def banded_jacobian(
    traced: RecordedCall, ins: Sequence[Any], outs: Sequence[Any], passes: int
) -> list[list[Any]] | None:
    """Return the blocks of a Jacobian by few forward passes, or None if they would be as many.

    None too if a number is nan: a column could have got it from another one in its pass.
    """
    if passes < FEWEST_PASSES:
        return None
    intervals = [dependence(traced.order, x, traced.outputs) for x in traced.inputs]
    widths = [width(found) for found in intervals]
    if 2 * sum(widths) > passes:
        return None
    columns: list[list[Any]] = []
    for position, (like, count) in enumerate(zip(ins, widths, strict=True)):
        size = int(np.size(like))
        units = np.zeros((max(1, count), size), np.result_type(getattr(like, "dtype", float)))
        units[np.arange(size) % max(1, count), np.arange(size)] = 1.0
        seeds = [match_shape(0.0, x) for x in ins]
        with Level(len(units)) as level:
            seeds[position] = Batched(units.reshape(len(units), *np.shape(like)), level)
            made = [level.expanded(content_of(x, level)) for x in traced.push(seeds)]
        if any(has_nan(unwrap(x)) for x in made):
            return None
        columns.append(
            [
                spread_band(x, first.reshape(-1), stop.reshape(-1), np.shape(out) + np.shape(like))
                for x, (first, stop), out in zip(made, intervals[position], outs, strict=True)
            ]
        )
    return [[columns[i][k] for i in range(len(ins))] for k in range(len(outs))]


FEWEST_PASSES = 16
"""The number of passes from which on it pays to look if fewer do."""


def spread_band(made: Any, first: Any, stop: Any, shape: tuple[int, ...]) -> Any:
    """Return a block of a Jacobian of which each row was computed within its interval."""
    count, rows = np.shape(made)[0], len(first)
    columns = first[:, None] + np.arange(count)
    row, place = np.nonzero(columns < stop[:, None])
    column = columns[row, place]
    entries = np.reshape(made, (count, rows))[column % count, row]
    full = (rows, int(np.prod(shape)) // max(1, rows))
    if isinstance(entries, np.ndarray):
        out = np.zeros(full, entries.dtype)
        out[row, column] = entries
    else:
        out = PRIMITIVES["put_at"](entries, index=(row, column), shape=full)
    return np.reshape(out, shape)


def in_batches(
    transform: Callable[[list[Any]], list[Any]],
    sources: Sequence[Any],
    targets: Sequence[Any],
    largest: int,
    number: complex = 1.0,
) -> list[list[Any]]:
    """Apply a linear transform of cotangents or tangents to all units, many at a time.

    Return for each source and each target the results, of the shapes of both. They are done one by
    one where a result has a nan: so zeros stay zeros in all operations.
    """
    step = max(1, MOST_NUMBERS // max(1, largest, *map(np.size, targets)))
    zeros = [match_shape(0.0, like) for like in sources]
    found = []
    for position, like in enumerate(sources):

        def apply_to(units: Any, position: int = position) -> list[Any]:
            return transform([*zeros[:position], units, *zeros[position + 1 :]])

        shape = np.shape(like)
        if not shape:
            found.append(apply_to(match_shape(number, like)))
            continue
        size = int(np.size(like))
        units = (number * np.eye(size)).astype(like.dtype).reshape(size, *shape)
        parts = [results_of(apply_to, units[i : i + step]) for i in range(0, len(units), step)]
        parts = parts or [[np.zeros((0, *np.shape(x))) for x in targets]]
        found.append(
            [
                np.reshape(x[0] if len(x) == 1 else np.concatenate(x), shape + np.shape(target))
                for x, target in zip(zip(*parts, strict=True), targets, strict=True)
            ]
        )
    return found


def results_of(apply_to: Callable[[Any], list[Any]], units: Any) -> list[Any]:
    """Apply a linear transform to units, together if no result has a nan."""
    if len(units) > 1:
        with Level(len(units)) as level:
            made = apply_to(Batched(units, level))
            several = [level.expanded(content_of(x, level)) for x in made]
        if not any(has_nan(unwrap(x)) for x in several):
            return several
    return [np.stack(rows) for rows in zip(*map(apply_to, units), strict=True)]


def content_of(x: Any, level: Level) -> Any:
    """Return the array of one entry that a Value holds, and anything else as it is."""
    content = unwrap(x)
    return content if getattr(content, "level", None) is level else x


def complex_derivative(one: Any, i: Any) -> Any:
    """Return the derivative of a complex output from the gradients for its cotangents 1 and i.

    Those are Re f' and Im f' for a real argument, f'* and i f'* for a complex one.
    """
    if not is_complex(one):
        return one + 1j * i
    numbers = unwrap(one)

    def look(error: Any) -> None:
        if np.max(error, initial=0.0) > np.sqrt(np.finfo(np.asarray(error).dtype).eps):
            raise NotDifferentiableError(
                "jacobian: a function from complex to complex numbers must have a complex "
                "derivative (be holomorphic), which this one has not; use vjp or jvp, or return "
                "np.real(...) and np.imag(...) as two outputs"
            )

    check_numbers(np.abs(unwrap(i) - 1j * numbers) / (1 + np.abs(numbers)), look)
    return np.conj(one)


@overload
def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]: ...
@overload
def hessian(
    f: Callable[..., Any], argnums: Sequence[int]
) -> Callable[..., tuple[tuple[Any, ...], ...]]: ...
def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that computes the second derivatives, of shape (x.shape, x.shape).

    It is the Jacobian of the gradient, which for a complex argument seldom has a complex
    derivative: `jacobian` then raises `NotDifferentiableError`, and `hvp` does what is meant.

    >>> hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0])).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    check_callable("hessian", "f", f)
    return partial_derivatives("hessian", grad(f, argnums), argnums, forward=True)
