"""A tracer for teaching: each operation as it runs, and each rule as the chain rule applies it."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from ..chain_rule import widened
from ..errors import TraceError
from ..nn import Module
from ..primitive import Primitive
from ..recording import RECORDING, Watched, WatchedPass, Watcher, unwatched, watcher
from ..silence import silent
from ..stand_in import StandIn
from ..value import Value, plain
from .callers import Caller, caller
from .speaking import SpokenNames, chain_name
from .telling import SCALED, derivative, enclosed, equation, formula, numbers_text, product, reason


class trace(Watcher):  # noqa: N801 - a context manager, in the manner of no_grad
    """Print what happens, in words and numbers: a context manager.

    Within the block, every operation on Values is printed when it has run, by the names that the
    program gives things; then every rule that the chain rule applies (`backward`, `tg.grad` and
    what is like it), with the local derivative, why it is so, and what it adds to. So are the
    modules that run, and the steps of optimisers. Results are the same numbers as without it.

    - `lines`: what was printed
    - `text()`: the same as one text

    It holds for this thread (and asynchronous task) only, ends with an exception too, and may be
    nested: the inner one prints, and both keep its lines. What runs in a compiled function is
    not seen: the function is one operation. Raises `TraceError` where it is used inside one.

    >>> w, x = Value(2.0), Value(3.0)
    >>> with tg.trace() as t:
    ...     z = w * x
    ...     L = (z - 7) ** 2
    ...     L.backward()
    z = w · x = 2 · 3 = 6
    v₁ = z − 7 = 6 − 7 = −1
    L = v₁² = (−1)² = 1
    backward from L: dL/dL = 1
      dL/dv₁ = dL/dL · dL/dv₁ = 1 · (−2) = −2  (L = v₁²: where v₁ grows a little, L grows \
2 · v₁ times as much)
      dL/dz = dL/dv₁ · dv₁/dz = (−2) · 1 = −2  (v₁ = z − 7: where z grows by 1, v₁ grows by 1)
      dL/dw = dL/dz · dz/dw = (−2) · 3 = −6  (z = w · x: where w grows by 1, z grows by x)
      dL/dx = dL/dz · dz/dx = (−2) · 2 = −4  (z = w · x: where x grows by 1, z grows by w)
    >>> len(t.lines)
    8
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names = SpokenNames()
        self._outer: trace | None = None
        self._modules: Sequence[Module] = ()
        self._tokens: list[tuple[contextvars.Token[bool | Watched], trace | None]] = []

    def __enter__(self) -> Self:
        around = watcher()
        if isinstance(around, trace) and around is not self:
            self._outer, self._names = around, around._names
        token = RECORDING.set(Watched(bool(RECORDING.get()), self))
        self._tokens.append((token, self._outer))
        return self

    def __exit__(self, *_: object) -> None:
        token, _outer = self._tokens.pop()
        RECORDING.reset(token)
        if not self._tokens:
            self._outer, self._modules = None, ()

    def text(self) -> str:
        """What was printed, as one text."""
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"<trace: {len(self.lines)} line{'s' * (len(self.lines) != 1)}>"

    # ---- what is told while it happens (see `recording.Watcher`)

    def computed(self, value: Any, record: tuple[Any, ...]) -> None:
        """An operation ran."""
        operation, operands, numbers, options = record
        if any(isinstance(x, StandIn) for x in (value._content, *numbers)):
            raise TraceError(
                "trace: a function that is being compiled has no numbers to print: put tg.trace() "
                "around the call of the function, before it is compiled"
            )
        by = caller()
        deep = self._enter_modules(by)
        texts = [self._names.of(x, by) for x in operands]
        self._say_legend(deep)
        name = self._names.give(value, by.assigned)
        now = [numbers_text(x) for x in numbers]
        with_numbers = "" if any(map(np.ndim, numbers)) else formula(operation, now, options)
        written = formula(operation, texts, options)
        self._say(equation(name, written, with_numbers, numbers_text(value._content)), deep)

    def pulling(self, seeds: Mapping[Any, Any]) -> Pass:
        """The chain rule sets out."""
        self._modules = ()
        return Pass(self, seeds)

    def pushed(self, value: Any, tangent: Any, given: Sequence[Any]) -> None:
        """A tangent was found, in forward mode."""
        by = caller()
        operation, operands, numbers, options = value._record
        out = self._names.of(value, by)
        texts = [self._names.of(x, by) for x in operands]
        self._say_legend(2 * by.rules - 1)
        moved = [(i, plain(t)) for i, t in enumerate(given) if t is not None]
        parts = " + ".join(f"{derivative(out, texts[i])} · d{enclosed(texts[i])}" for i, _ in moved)
        factors = [
            (local_derivative(operation, i, value._content, numbers, options), t) for i, t in moved
        ]
        numeric = not any(x is None or np.ndim(x) or np.ndim(t) for x, t in factors)
        with_numbers = " + ".join(product(x, t) for x, t in factors) if numeric else ""
        line = equation(f"d{enclosed(out)}", parts, with_numbers, numbers_text(plain(tangent)))
        self._say(f"{line}  ({out} = {formula(operation, texts, options)})", 2 * by.rules - 1)

    def kept(self, leaf: Any, before: Any, total: Any) -> None:
        """A gradient was added to one of before."""
        name = self._names.of(leaf, caller())
        self._say(
            f"{name}.grad had {numbers_text(before)} from before, and is now {numbers_text(total)}"
        )

    def moving(self, optimizer: Any, parts: Sequence[Any]) -> None:
        """An optimiser makes a step."""
        by = caller()
        self._modules = ()
        self._say(f"{type(optimizer).__name__}, step {optimizer.steps + 1}:")
        for _, rate, moves in parts:
            for _, parameter, new, _ in moves:
                old, gradient = parameter._content, parameter._gradient
                name = self._names.of(parameter, by)
                with np.errstate(all="ignore"):
                    plain_step = np.array_equal(np.asarray(old - rate * gradient), np.asarray(new))
                now = numbers_text(new)
                if plain_step:
                    moved = f"{name} − {numbers_text(rate)} · {name}.grad"
                    if not np.ndim(old):
                        moved += f" = {numbers_text(old)} − {product(rate, gradient)}"
                    self._say(f"{name} ← {moved} = {now}", 1)
                else:
                    self._say(f"{name} ← {now}, from {numbers_text(old)}", 1)

    # ---- how it is said

    def _enter_modules(self, by: Caller) -> int:
        """Say which modules have begun to run; how deep they are in each other."""
        before, self._modules = self._modules, tuple(by.modules)
        same = 0
        for x, y in zip(before, by.modules, strict=False):
            if x is not y:
                break
            same += 1
        for depth in range(same, len(by.modules)):
            self._say(chain_name(by.modules, depth), depth)
        return len(by.modules) + 2 * by.rules

    def _say_legend(self, deep: int) -> None:
        for line in self._names.legend:
            self._say(line, deep)
        self._names.legend.clear()

    def _say(self, line: str, deep: int = 0) -> None:
        line = "  " * deep + line
        around: trace | None = self
        while around is not None:
            around.lines.append(line)
            around = around._outer
        try:
            print(line)
        except UnicodeEncodeError:  # a terminal that does not know ₁ gets what it can show
            encoding = sys.stdout.encoding or "ascii"
            print(line.encode(encoding, "replace").decode(encoding))


class Pass(WatchedPass):
    """What is said of one pass of the chain rule."""

    def __init__(self, of: trace, seeds: Mapping[Any, Any]) -> None:
        self.trace, self.by = of, caller()
        self.deep = 2 * self.by.rules - 1
        self.came: dict[int, list[str]] = {}
        names = [self.name(x) for x in seeds]
        only = next(iter(seeds.values()), None) if len(seeds) == 1 else None
        if only is not None and np.size(plain(only)) == 1 and float(np.ravel(plain(only))[0]) == 1:
            self.head = names[0]
            told = f"backward from {self.head}: {derivative(self.head, self.head)} = 1"
        else:
            self.head = "S"
            parts = " + ".join(f"Σ g · {enclosed(x)}" for x in names)
            told = f"backward from {', '.join(names)}, with S = {parts or 0}"
        of._say_legend(self.deep - 1)
        of._say(told, self.deep - 1)
        for x, c in seeds.items():
            if self.head == "S":
                text = numbers_text(plain(c))
                of._say(f"{derivative('S', self.name(x))} = g = {text}", self.deep)

    def name(self, x: Any) -> str:
        """What a Value is called."""
        return self.trace._names.of(x, self.by)

    def pulled(self, value: Any, position: int, g: Any, c: Any, before: Any) -> None:
        """A rule ran."""
        operation, operands, numbers, options = value._record
        x, out = operands[position], self.name(value)
        texts = [self.name(y) for y in operands]
        name = texts[position]
        names = {"out": out, "x": name}
        if not operation.variadic:
            names |= dict(zip(operation.operands, texts, strict=True))
        else:
            names[operation.operands[0]] = name
        written = f"{out} = {formula(operation, texts, options)}"
        above, own = derivative(self.head, out), derivative(self.head, name)
        local = local_derivative(operation, position, value._content, numbers, options)
        why = reason(operation, position, names, local, written)
        with_numbers = ""
        if local is not None:
            spread = "Σ " if np.shape(plain(c)) != np.shape(plain(g)) else ""
            through = f"{spread}{above} · {derivative(out, name)}"
            if not np.ndim(local):
                with_numbers = product(plain(g), local)
            if spread:
                why += f"; {name} is used in several entries, and what they get adds up"
        elif operation.name in SCALED and flat(operation, numbers):
            scaled = SCALED[operation.name]
            through, because = scaled[min(position, len(scaled) - 1)]
            count = max(np.size(numbers[0]) // max(np.size(value._content), 1), 1)
            names |= {"g": above, "n": str(count)}
            through, why = through.format(**names), f"{why}: {because.format(**names)}"
        else:
            through = f"{above}, pulled back through {operation.name}"
        if type(c) is Value and not self.trace._names.known(c):
            self.trace._names.give(c, own)
        line = equation(own, through, with_numbers, numbers_text(plain(c)))
        if before is not None:
            came = ", ".join(dict.fromkeys(self.came.get(id(x), []))) or "before"
            earlier = f"the {numbers_text(plain(before))} that came from {came}"
            total = numbers_text(plain(before) + plain(c))
            line += f", which adds to {earlier}: {total}"
        self.came.setdefault(id(x), []).append(out)
        self.trace._say_legend(self.deep)
        self.trace._say(f"{line}  ({why})", self.deep)


@silent
def local_derivative(
    operation: Primitive, position: int, out: Any, numbers: Sequence[Any], options: Any
) -> Any:
    """The derivative of each entry of the result by its own entry of an operand, or None."""
    scalars = all(type(x) is float for x in (out, *numbers))
    if operation.variadic or not (scalars or operation.kind == "elementwise"):
        return None
    rule: Any = operation.rules[position]
    one = 1.0 if type(out) is float else np.ones_like(out)
    with unwatched():
        try:
            return rule(one, out, *numbers, **options)
        except ArithmeticError:
            return rule(*map(widened, (one, out, *numbers)), **options)


def flat(operation: Primitive, numbers: Sequence[Any]) -> bool:
    """Whether a product is one of two matrices, whose rules are written with a transpose."""
    products = operation.name in {"matmul", "affine"}
    return not products or all(np.ndim(x) == 2 for x in numbers[:2])
