"""The chain rule along a graph: `backward`, reverse mode (pull-back), forward mode (push-forward).

All three walk over nodes and read the record that evaluation left in them. Rules run on plain
arrays; if the result is itself to be differentiated, the same rules run on Values and are recorded.

The cotangent g of a complex number z stands for the change Re(g·dz) of the loss: within a walk
nothing is conjugated, and a rule g·f'(z) is the same as for real numbers. The gradient that users
see, dL/dRe z + i dL/dIm z, is its conjugate; `gradient_of` is applied where a walk begins and ends.
This module is below `value.py`, whose `Value.backward` calls `backward` here: the walks know a
graph's nodes, and not which class they are instances of.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from heapq import heapify, heappop, heappush
from typing import Any, TypeVar

import numpy as np

from ..errors import DtypeError, GraphError, NotDifferentiableError, ShapeError
from ..support.abstract_array import AbstractArray, same_numbers
from ..support.errstate import ignore_float_errors
from .batching import current_level, inside_batch, require_graph_inside
from .conversion import FLOAT64, as_data
from .grad_mode import RECORDING, WatchedPass, watcher, without_watcher
from .graph import topological_order
from .graph_memory import explain_memory
from .node import Node, ShapeOnly, resolve_operands, unwrap
from .primitive import (
    LEVELS,
    PRIMITIVES,
    Primitive,
    Rule,
    chain,
    innermost_level,
    is_complex,
    zero_product,
)

SomeNode = TypeVar("SomeNode", bound=Node)


def backward(root: Node, gradient: Any = None) -> None:
    """Fill `.grad` of every Value that `root` was computed from (see `Value.backward`)."""
    root = root._current()
    if LEVELS:
        require_graph_inside(root)
    if not root.requires_grad:
        raise GraphError(
            "backward: the Value must depend on a leaf that requires a gradient; it was made under "
            "no_grad, by detach, with requires_grad=False, or from constants only"
        )
    start = seed("backward", root, unwrap(gradient))
    cotangents = pull_back({root: start if type(start) is float else gradient_of(start)})
    for value, c in cotangents.items():
        adds_up = value._record is None and value._grad is not None  # leaves accumulate
        if type(c) is float:
            value._grad = accumulated(value, c) if adds_up else c
        else:
            own = c if c.dtype is FLOAT64 else gradient_of(c)
            value._grad = (accumulated(value, own) if adds_up else own,)  # copied when it is read


def accumulated(value: Node, gradient: Any) -> Any:
    """Return the sum of a leaf's gradient and that of this pass."""
    total = value._gradient + gradient
    if (seen_by := watcher()) is not None:
        seen_by.on_accumulate(value, value._gradient, total)
    return total


def gradient_of(c: Any) -> Any:
    """Return the gradient for the cotangent of a complex number, its conjugate, or the reverse."""
    dtype = getattr(c, "dtype", FLOAT64)
    return np.conj(c) if dtype is not FLOAT64 and dtype.kind == "c" else c


def seed(where: str, output: Any, gradient: Any = None) -> Any:
    """Return the cotangent that a backward pass starts with, checked against its output."""
    like = unwrap(output)
    if gradient is None and isinstance(like, (float, np.floating)):
        return type(like)(1.0)
    if gradient is None and is_complex(like):
        raise DtypeError(
            f"{where}: the output must be real, got {like.dtype}; take np.real, np.imag or np.abs "
            "of it, or pass its cotangent to backward or tg.vjp"
        )
    if gradient is not None:
        given = gradient if isinstance(gradient, Node) else as_data(gradient)
        if np.shape(unwrap(given)) != np.shape(like):
            raise ShapeError(
                f"{where}: the cotangent must have the shape of the output, {np.shape(like)}, "
                f"got {np.shape(unwrap(given))}"
            )
        if is_complex(unwrap(given)) and not is_complex(like):
            raise DtypeError(
                f"{where}: the cotangent or tangent of a real number must be real, got "
                f"{given.dtype}"
            )
        return match_shape(given, like)
    if np.size(like) != 1:
        raise GraphError(
            f"{where}: the output must be a scalar, got shape {np.shape(like)}; "
            "reduce it with sum() or mean(), or pass the cotangent"
        )
    return match_shape(1.0, like)


@explain_memory
@ignore_float_errors
def pull_back(
    seeds: Mapping[SomeNode, Any],
    wanted: Set[SomeNode] | None = None,
    recording: bool = False,
    since: int = 0,
) -> dict[SomeNode, Any]:
    """Reverse mode: from the cotangents of the outputs to those of all they were computed from.

    A cotangent of exactly 0 stays 0, also where a slope is infinite or nan: so the branch that
    `where` did not take reaches no gradient. In NumPy 0·inf is nan, and nan travels to where the
    walk ends. If there is one, the walk is repeated with an eye on the zeros; this costs other
    walks one look at each end. Values older than `since` are ends, too.
    """
    seen_by = watcher()
    watch = None if seen_by is None else seen_by.on_backward(seeds)
    for output in seeds:
        if is_abstract(output._content):
            fading = {value for value in seeds if value.shape}
            return walk_back(seeds, wanted, recording, None, watch, fading, since)
    if watch is None:
        ends: list[SomeNode] = []
        cotangents = walk_back(seeds, wanted, recording, ends, since=since)
        for end in ends:
            if has_nan(unwrap(cotangents[end]) if recording else cotangents[end]):
                break
        else:
            return cotangents
    return walk_back(seeds, wanted, recording, None, watch, since=since)


def has_nan(number: Any) -> bool:
    """Return True if a number or an array has a nan; False for one without numbers."""
    if isinstance(number, AbstractArray):
        number = number.numbers
    if type(number) is np.ndarray:
        number = number.ravel("K")
        number = number.dot(number)  # nan only if an entry is; a third of the time of np.isnan
    return number != number  # type: ignore[no-any-return]  # noqa: PLR0124


def walk_back(
    seeds: Mapping[SomeNode, Any],
    wanted: Set[SomeNode] | None,
    recording: bool,
    ends: list[SomeNode] | None,
    watch: WatchedPass | None = None,
    fading: set[SomeNode] | None = None,
    since: int = 0,
) -> dict[SomeNode, Any]:
    """Walk from the outputs to all they were computed from, and enter where it ends into `ends`.

    Without `ends`, zeros stay zeros. While tracing there are no numbers to look at, and a guard
    costs time in each call: only the rules of Values whose cotangents may have zeros, which are
    `fading`, get one. A Value is visited after all its readers: operands are older than their
    results, so the youngest Value that waits is always next. What requires no gradient, or is not
    among the `wanted`, gets no cotangent, and rules that only it would need are not run.
    """
    cotangents: dict[SomeNode, Any] = dict(seeds)
    kind: type[Any] = type(next(iter(seeds), None))  # Value: other operands are constants
    so_far = cotangents.get
    waiting = [(-value._serial, value) for value in seeds if value._record is not None]
    heapify(waiting)
    in_place = ends is not None and not recording and not LEVELS
    quick = wanted is None and in_place
    owned: set[Any] = set()  # whose cotangent is an array that nothing else refers to
    while waiting:
        value = heappop(waiting)[1]
        if value._serial < since:
            if ends is not None:
                ends.append(value)
            continue
        g = cotangents[value]
        operation, operands, numbers, options = value._record  # type: ignore[misc]
        out, arguments = value._content, numbers
        rules: list[Any] = operation.rules
        if quick and type(g) is float and operation.binary:
            # Two numbers: the loop below, written out. It is most of a scalar graph's time.
            a, b = numbers
            x, y = operands
            try:
                c = rules[0](g, out, a, b) if type(x) is kind else 0.0
                d = rules[1](g, out, a, b) if type(y) is kind else 0.0
            except ArithmeticError:
                pass  # to the loop, which knows what to do
            else:
                if type(x) is kind and x.requires_grad:
                    c = c if type(c) is float else float(c)
                    total = so_far(x)
                    if total is not None:
                        cotangents[x] = total + c
                    else:
                        cotangents[x] = c
                        if x._record is not None:
                            heappush(waiting, (-x._serial, x))
                        else:
                            ends.append(x)  # type: ignore[union-attr]
                if type(y) is kind and y.requires_grad:
                    d = d if type(d) is float else float(d)
                    total = so_far(y)
                    if total is not None:
                        cotangents[y] = total + d
                    else:
                        cotangents[y] = d
                        if y._record is not None:
                            heappush(waiting, (-y._serial, y))
                        else:
                            ends.append(y)  # type: ignore[union-attr]
                continue
        if (
            operation.pull_entries is not None
            and in_place
            and isinstance(numbers[0], np.ndarray)
            and not isinstance(g, AbstractArray)
        ):
            if type(out) is ShapeOnly:
                del cotangents[value]  # else each write to a table would keep a gradient of all
            for x, c in pull_entries(value, g, so_far, owned):
                if wanted is not None and x not in wanted:
                    ends.append(value)  # type: ignore[union-attr]
                    continue
                if x not in cotangents:
                    if x._record is not None:
                        heappush(waiting, (-x._serial, x))
                    else:
                        ends.append(x)  # type: ignore[union-attr]
                cotangents[x] = c
            continue
        if recording:
            operands = resolve_operands(value)
            out, arguments = value, require_unmodified(operation, operands, numbers)
        pulled = None
        if operation.variadic and rules[0] is not None:
            pulled = rules[0](g, out, *arguments, **options)
            rules = rules * len(operands)
        count = 0 if options else len(arguments)
        position = -1  # counted by hand: this loop is most of a small graph's time
        for x in operands:
            position += 1
            if type(x) is not kind:
                if not isinstance(x, Node):
                    continue
                resolve_operands(value)
                x = x._first()  # noqa: PLW2901 - it was written to since
            if not x.requires_grad:
                continue
            if wanted is not None and x not in wanted:
                if ends is not None:
                    ends.append(value)
                continue
            rule, number = rules[position], numbers[position]
            if rule is None:
                raise no_derivative_error(operation, position)
            try:
                if pulled is not None:
                    c = pulled(position)
                elif count == 2:  # the same call, written out because it is faster
                    c = rule(g, out, arguments[0], arguments[1])
                elif count == 3:
                    c = rule(g, out, arguments[0], arguments[1], arguments[2])
                elif count == 1:
                    c = rule(g, out, arguments[0])
                else:
                    c = rule(g, out, *arguments, **options)
            except ArithmeticError:  # Python's floats raise where NumPy gives inf and nan
                c = rule(*map(as_numpy_float, (g, out, *arguments)), **options)
            if ends is None:
                steep, drops = True, True
                if fading is not None:
                    steep, drops = slope_facts(operation, position, as_constants(arguments))
                    if drops or value in fading:
                        fading.add(x)
                if c is not g and (steep or value in fading):  # type: ignore[operator]
                    c = keep_zeros(operation, position, rule, c, g, out, arguments, options)
            if type(c) is float:
                if type(number) is not float:
                    c = match_shape(c, number)
            elif (
                type(number) is float
                or getattr(c, "shape", None) != number.shape
                or c.dtype is not number.dtype
            ):
                c = match_shape(c, number)
            total = so_far(x)
            if watch is not None:
                watch.on_rule(value, position, g, c, total)
            if total is not None:
                cotangents[x] = total + c
            else:
                cotangents[x] = c
                if x._record is not None:
                    heappush(waiting, (-x._serial, x))
                elif ends is not None:
                    ends.append(x)
    return cotangents


def pull_entries(
    value: Node, g: Any, so_far: Callable[[Any], Any], owned: set[Any]
) -> list[tuple[Any, Any]]:
    """Return the cotangents of the operands of an index, in all, changed in place where possible.

    Else a loop that reads or writes one entry at a time would take the time of the whole array for
    each of them. `owned` are the Values whose cotangents nothing else refers to.
    """
    operation, _, numbers, options = value._record  # type: ignore[misc]
    x, *written = resolve_operands(value)
    assert operation.pull_entries is not None
    if not written:
        total = so_far(x)
        if total is None:
            total = np.zeros(numbers[0].shape, numbers[0].dtype)
        elif x not in owned:
            total = np.array(total)
        owned.add(x)
        operation.pull_entries(total, g, **options)
        return [(x, total)]
    g = g if value in owned and type(value._content) is ShapeOnly else np.array(g)
    g, c = operation.pull_entries(g, *numbers, **options)
    found = []
    if isinstance(x, Node) and x.requires_grad:
        total = so_far(x)
        found.append((x, g if total is None else total + g))
        owned.add(x)
    (v,) = written
    if isinstance(v, Node) and v.requires_grad:
        c = match_shape(c, numbers[1])
        total = found[0][1] if v is x else so_far(v)
        found.append((v, c if total is None else total + c))
    return found


def keep_zeros(
    operation: Primitive,
    position: int,
    rule: Rule,
    c: Any,
    g: Any,
    out: Any,
    arguments: Sequence[Any],
    options: Mapping[str, Any],
) -> Any:
    """Return a rule's result c with 0 where it depends on entries of g that are exactly 0.

    In a product the terms are added up already: those of zeros are what the rule gives where
    infinities and nan among the other operands count, less what it gives where they don't.
    """
    number = unwrap(c)
    traced, recorded = isinstance(number, AbstractArray), isinstance(c, Node)
    if operation.kind == "elementwise":
        if (traced or recorded) and keeps_zero(operation, rule, not (traced and recorded)):
            return c  # a mask of `where` must not become a slope: pulled back, 0·inf is nan
        if recorded:
            return chain(g, rule(1.0, out, *arguments, **options))
        return np.where(unwrap(g) == 0, 0.0, c)[()]
    if not traced and np.isfinite(number).all():
        return c
    zero, where = unwrap(g) == 0, PRIMITIVES["where"]
    if operation.reach is not None:
        dead = ~operation.reach(~zero, *map(unwrap, arguments), **options)
    elif traced:
        return c
    elif np.all(zero) or not (operation.kind == "multilinear" or operation.matrix_product):
        dead = np.all(zero)
    else:

        def evaluate(g: Any, arguments: Sequence[Any]) -> Any:
            pulled = rule(g, out, *arguments, **options)
            return pulled(position) if operation.variadic else pulled

        finite = [np.isfinite(unwrap(x)) for x in arguments]
        numbered = list(enumerate(finite))
        terms = [
            evaluate(1.0 - zero, [1.0 - f if i == j else np.ones(f_j.shape) for j, f_j in numbered])
            for i, f in numbered
            if i != position and not f.all()
        ]
        plain = evaluate(g, [where(f, x, 0.0) for f, x in zip(finite, arguments, strict=True)])
        return where(sum(terms) > 0, c, plain)
    if not isinstance(c, Node):
        return np.where(dead, 0.0, c)[()]
    dead = dead & ~np.isfinite(number)
    unknown = chain(PRIMITIVES["sum"](where(zero, g, 0.0)), np.nan)  # 0, whose slope is nan
    return where(dead, unknown, c)


def as_constants(arguments: Sequence[Any]) -> tuple[float | None, ...]:
    """Return the operands that are Python numbers, such as the 2 of x**2, and None for others."""
    return tuple(x if type(x) is float else None for x in arguments)


def slope_facts(
    operation: Primitive, position: int, constants: tuple[float | None, ...]
) -> tuple[bool, bool]:
    """Return what tracing must know of a rule; of one call's own operation, that it doesn't know.

    What is known of an operation is kept, and its rules with it: not those of a single call.
    """
    return known_slopes(operation, position, constants) if operation.examples else (True, True)


@functools.cache
def known_slopes(
    operation: Primitive, position: int, constants: tuple[float | None, ...]
) -> tuple[bool, bool]:
    """Return what tracing must know of a rule, tried on a few numbers.

    It is steep if a slope is infinite where operand and result are finite, as that of a root is at
    0. It drops if a cotangent of 1 becomes 0, as in `where`, `tanh` of 1000 and an index. A product
    with an operand of 0 is left out: what is infinite beside it made the result nan, unless it is
    one in which zeros stay zeros.
    """
    rules = operation.rules * len(constants) if operation.variadic else operation.rules
    steep = drops = False
    try:
        for numbers, options in trial_operands(operation, rules, constants):
            out = operation.forward(*numbers, **options)
            c = rules[position](np.ones(np.shape(out)), out, *numbers, **options)  # type: ignore[misc]
            if operation.kind == "elementwise":
                ordinary = nonzero = np.isfinite(out)
                guarded = operation in (chain, zero_product)
                for x, rule, constant in zip(numbers, rules, constants, strict=True):
                    ordinary = ordinary & np.isfinite(x)
                    nonzero = nonzero & (x != 0 or rule is None or constant is not None or guarded)
                steep = steep or bool(np.any(~np.isfinite(c) & ordinary))
                drops = drops or bool(np.any((c == 0) & nonzero))
            else:
                c = c(position % len(numbers)) if operation.variadic else c
                drops = drops or not np.all(c)
    except Exception:  # an operation that is declared elsewhere may refuse these numbers
        return True, True
    return steep, drops


def trial_operands(
    operation: Primitive, rules: Sequence[Rule | None], constants: Sequence[float | None]
) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Yield operands and options to try an operation on: numbers, or those of its example."""
    if operation.kind == "elementwise":
        tried = [0.0, 0.5, 1.0, -1.0, 2.0, -2.0, 1000.0, -1000.0, np.inf, -np.inf]
        axes = [
            [x] if x is not None else [0.0, 1.0] if rule is None else tried
            for x, rule in zip(constants, rules, strict=True)
        ]
        for numbers in itertools.product(*axes):
            yield [np.float64(x) for x in numbers], operation.defaults
        return
    *shapes, last = operation.examples[0]
    options = {**operation.defaults, **(last if isinstance(last, dict) else {})}
    shapes += [] if isinstance(last, dict) else [last]
    for low, high in ((1.0, 2.0), (-1000.0, 1200.0)):
        yield [np.linspace(low, high, math.prod(n)).reshape(n) for n in shapes], options


@functools.cache
def keeps_zero(operation: Primitive, rule: Rule, with_nan: bool) -> bool:
    """Return True if a rule gives 0 for 0 at infinite operands too (and at nan), as a sum's does.

    A compiled second derivative looks at infinities only: guards take half of its time.
    """
    numbers = [0.0, 1.0, np.inf, -np.inf, *([np.nan] if with_nan else [])]
    edges = np.meshgrid(*[numbers] * len(operation.operands))
    try:
        out = operation.forward(*edges, **operation.defaults)
        return not np.any(rule(np.zeros(np.shape(out)), out, *edges, **operation.defaults))
    except Exception:  # an operation that is declared elsewhere may refuse these numbers
        return False


def as_numpy_float(x: Any) -> Any:
    """Return a Python number as NumPy's, whose arithmetic gives inf and nan."""
    if type(x) is complex:
        return np.complex128(x)
    return np.float64(x) if type(x) is float else x


@ignore_float_errors
def push_forward(
    order: Sequence[SomeNode], seeds: Mapping[SomeNode, Any], recording: bool = False
) -> dict[SomeNode, Any]:
    """Forward mode: from the tangents of the inputs to those of all Values in `order`."""
    tangents = dict(seeds)
    owned: set[Any] = set()  # whose tangent is an array that nothing else refers to
    kind: type[Any] = type(next(iter(seeds), None))
    seen_by = watcher()
    for value in reversed(order):
        if value._record is None or value in seeds:
            continue
        operation, operands, numbers, options = value._record
        given = [tangents.get(x) if type(x) is kind else None for x in operands]
        if all(t is None for t in given):
            continue
        out, arguments = value._content, numbers
        plain = isinstance(out, np.ndarray) and seen_by is None and not recording
        in_arrays = not any(isinstance(t, AbstractArray) for t in given)
        if operation.push_entries is not None and plain and in_arrays:
            whole = given[0]
            if whole is None:
                whole = np.zeros(out.shape, out.dtype)
            elif operands[0] not in owned or type(operands[0]._content) is not ShapeOnly:
                whole = np.array(whole)  # else nothing reads a version after the next write
            owned.add(value)
            tangents[value] = operation.push_entries(whole, given[1], **options)
            continue
        if recording:
            out, arguments = value, require_unmodified(operation, operands, numbers)
        total = None
        for position, t in enumerate([given] if operation.variadic else given):
            if t is None:
                continue
            rule = operation.tangent_rules[position]
            if rule is None:
                rule = transpose_rule(operation, position, kind)
            try:
                part = rule(t, out, *arguments, **options)
            except ArithmeticError:
                part = rule(*map(as_numpy_float, (t, out, *arguments)), **options)
            traced = is_abstract(unwrap(part))
            constants = as_constants(arguments) if traced else ()
            steep = (
                slope_facts(operation, position, constants)[0] if traced else has_nan(unwrap(part))
            )
            if operation.kind == "elementwise" and part is not t and steep:
                part = keep_zeros(operation, position, rule, part, t, out, arguments, options)
            part = match_shape(part, value._content)
            total = part if total is None else total + part
        tangents[value] = total
        if owned and isinstance(total, np.ndarray):  # which may be a view of an operand's
            pairs = zip(operands, given, strict=True)
            owned.difference_update(x for x, t in pairs if t is not None)
        if seen_by is not None:
            seen_by.on_tangent(value, total, given)
    return tangents


def is_abstract(x: Any) -> bool:
    """Return True for an array without numbers."""
    return isinstance(x, AbstractArray) and x.numbers is None


def transpose_rule(
    operation: Primitive, position: int, kind: Callable[[Any], Any]
) -> Callable[..., Any]:
    """Return a forward rule made from the reverse rule, which is linear in g: its own pull-back.

    `kind` makes a Value.
    """

    def rule(t: Any, out: Any, *operands: Any, **options: Any) -> Any:
        reverse = operation.rules[position]
        if reverse is None:
            raise no_derivative_error(operation, position)

        numbers = [unwrap(x) for x in (out, *operands)]
        level = current_level()
        plain = level is not None and innermost_level(numbers) is not level
        with level.suspended() if level and plain else contextlib.nullcontext():
            # The reverse rule is linear in g, so any g will do.
            start = kind(inside_batch(np.ones_like(unwrap(out))))
            token = RECORDING.set(True)  # without the watcher
            try:
                found = reverse(start, out, *operands, **options)
            finally:
                RECORDING.reset(token)
        seeds: dict[Node, Any] = {}
        given = t if operation.variadic else [t]
        for i, part in enumerate(given):
            if part is not None:
                c = found(i) if operation.variadic else found
                like = unwrap(operands[i if operation.variadic else position])
                c = match_shape(c, like)
                if isinstance(c, Node) and c.requires_grad:
                    seeds[c] = seeds[c] + part if c in seeds else part  # of x + y it is g twice
        wanted = set(topological_order(seeds, since=start._serial))
        recording = any(isinstance(x, Node) for x in (*given, *operands))
        with without_watcher():
            return pull_back(seeds, wanted, recording).get(start, 0.0)

    return rule


def match_shape(c: Any, like: Any) -> Any:
    """Return a cotangent in the shape and dtype of its operand.

    It is summed over axes that broadcasting added, and broadcast over axes that were reduced. A
    real operand gets the real part of a complex one: Re(g·dx) = Re(g)·dx.
    """
    shape, given = getattr(like, "shape", ()), getattr(c, "shape", ())
    if getattr(c, "dtype", None) is not FLOAT64 and is_complex(c) and not is_complex(like):
        c = PRIMITIVES["real"](c)
    if given != shape:
        if not given and not isinstance(c, Node) and not (LEVELS and innermost_level((c,))):
            if isinstance(like, AbstractArray):
                return like.full_like(c)
            out = np.empty(shape, like.dtype)
            out.fill(c)
            return out
        extra = len(given) - len(shape)
        if extra > 0:
            c = np.add.reduce(c, axis=0 if extra == 1 else tuple(range(extra)))
        elif extra < 0:
            c = np.reshape(c, (1,) * -extra + given)
        if c.shape != shape:
            pairs = enumerate(zip(c.shape, shape, strict=True))
            stretched = tuple(i for i, (length, own) in pairs if own == 1 != length)
            c = np.add.reduce(c, axis=stretched, keepdims=True) if stretched else c
        if c.shape != shape:
            c = PRIMITIVES["broadcast_to"].evaluate((c,), {"shape": shape})
    if isinstance(c, Node):
        cast = type(like) is not float and c.dtype != like.dtype
        return c.astype(like.dtype) if cast else c  # type: ignore[attr-defined]
    if isinstance(c, AbstractArray):
        return c.cast_like(like)
    if isinstance(like, AbstractArray) and not shape:
        return like.full_like(c)
    if type(like) is float:
        return float(c)
    if type(c) is np.ndarray and c.dtype is like.dtype:
        return c
    return np.asarray(c, like.dtype) if shape else like.dtype.type(c)


def require_unmodified(
    operation: Primitive, operands: Iterable[Any], numbers: Iterable[Any]
) -> list[Any]:
    """The operands as Values for a recorded rule; their numbers must still be the recorded ones."""
    arguments = []
    for x, number in zip(operands, numbers, strict=True):
        if not isinstance(x, Node):
            arguments.append(number)
        elif x._content is number or type(number) is ShapeOnly or same_numbers(x._content, number):
            arguments.append(x)
        else:
            raise GraphError(
                f"data of an operand of {operation.name} was changed after the operation ran: "
                "take the gradient first, or run the function again"
            )
    return arguments


def no_derivative_error(operation: Primitive, position: int) -> NotDifferentiableError:
    """Return the error for an operand without a rule."""
    name = operation.operands[min(position, len(operation.operands) - 1)]
    return NotDifferentiableError(
        f"{operation.name} has no derivative with respect to {name}: pass a plain array, or "
        "value.detach()"
    )
