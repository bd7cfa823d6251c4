"""A tracer for teaching: each operation as it runs, and each rule as the chain rule applies it."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from ...core.grad_mode import RECORDING, Watched, WatchedPass, Watcher, watcher
from ...core.node import Record, unwrap
from ...core.value import Value
from ...errors import TraceError
from ...nn import Module
from ...support.abstract_array import AbstractArray
from ...support.text_format import factor_text, number_text
from ..derivations.prose import as_a_whole, entry_by_entry
from ..formula.expression import Expression, Name, derivative, differential, product, summed, total
from ..formula.symbol import Symbol
from ..graphs.call_stack import Caller, caller
from ..graphs.naming import latex_of
from .live_names import SpokenNames, chain_name
from .narration import Telling, equation, in_numbers, numbers_text, options_text


class trace(Watcher):  # noqa: N801 - a context manager, in the manner of no_grad
    """Print what happens, in words and numbers: a context manager.

    Within the block, every operation on Values is printed when it has run, by the names that the
    program gives things; then every rule that the chain rule applies (`backward`, `tg.grad` and
    what is like it), with the local derivative, why it is so, and what it adds to. So are the
    modules that run, and the steps of optimisers. Formulas are those that the rules themselves
    write, as in `derivation`. Results are the same numbers as without it.

    - `lines`: what was printed
    - `text()`: the same as one text

    It holds for this thread (and asynchronous task) only, ends with an exception too, and may be
    nested: the inner one prints, and both keep its lines. What runs in a compiled function is
    not seen: the function is one operation. Raises `TraceError` where it is used inside one.

    >>> w, x = Value(2.0), Value(3.0)
    >>> with tg.trace() as t:
    ...     z = w * x
    ...     u = z - 7
    ...     L = u**2
    ...     L.backward()
    z = w · x = 2 · 3 = 6
    u = z − 7 = 6 − 7 = −1
    L = u² = (−1)² = 1
    backward from L: dL/dL = 1
      dL/du = 2u = 2 · (−1) = −2  (L = u². When u grows by 1, L grows by 2u, for small changes.)
      dL/dz = dL/du · du/dz = (−2) · 1 = −2  (u = z − 7. u rises one for one with z.)
      dL/dw = dL/dz · dz/dw = (−2) · 3 = −6  (z = w · x. When w grows by 1, z grows by x.)
      dL/dx = dL/dz · dz/dx = (−2) · 2 = −4  (z = w · x. When x grows by 1, z grows by w.)
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
        record = Record(*record)
        if any(isinstance(x, AbstractArray) for x in (value._content, *record.numbers)):
            raise TraceError(
                "tg.trace must not be used inside a function that is being compiled, where there "
                "are no numbers to print: put tg.trace() around the call of the function instead, "
                "before it is compiled"
            )
        by = caller()
        deep = self._enter_modules(by)
        given = self._given(record, by)
        self._say_legend(deep)
        out = Symbol(Name(latex_of(self._names.give(value, by.assigned))), value._content)
        told = Telling(record, out, given)
        formula = self._names.counting(told.forward)
        self._say_legend(deep)
        text = formula.text + options_text(record.operation, record.options)
        result = numbers_text(value._content)
        self._say(equation(out.expression.text, [text], told.with_numbers(formula), result), deep)

    def pulling(self, seeds: Mapping[Any, Any]) -> Pass:
        """The chain rule sets out."""
        self._modules = ()
        return Pass(self, seeds)

    def pushed(self, value: Any, tangent: Any, given: Sequence[Any]) -> None:
        """A tangent was found, in forward mode."""
        by = caller()
        told = self._telling(value, by)
        self._say_legend(2 * by.rules - 1)
        parts: list[Expression] = []
        numbers: dict[Expression, Any] = {}
        for i, t in enumerate(given):
            if t is not None:
                rate = replace(told.local_name(i), instead_of=str(i))  # x/x has two of one name
                moved = differential(told.operands[i].expression)
                parts.append(product(rate, moved))
                local = told.local(i)
                numbers[rate] = None if local is None else local[0].number
                numbers[moved] = unwrap(t)
        formula = total(*parts)
        name, result = differential(told.out.expression).text, numbers_text(unwrap(tangent))
        line = equation(name, [formula.text], in_numbers(formula, numbers), result)
        self._say(f"{line}  ({self._forward(told)})", 2 * by.rules - 1)

    def kept(self, leaf: Any, before: Any, total: Any) -> None:
        """A gradient was added to one of before."""
        name = self._names.of(leaf, caller()).text
        self._say(
            f"{name}.grad was {numbers_text(before)} before, and is now {numbers_text(total)}"
        )

    def moving(self, optimizer: Any, parts: Sequence[Any]) -> None:
        """An optimiser makes a step."""
        by = caller()
        self._modules = ()
        self._say(f"{type(optimizer).__name__}, step {optimizer.steps + 1}:")
        for _, rate, moves in parts:
            for _, parameter, new, _ in moves:
                old, gradient = parameter._content, parameter._gradient
                name = self._names.of(parameter, by).text
                with np.errstate(all="ignore"):
                    plain_step = np.array_equal(np.asarray(old - rate * gradient), np.asarray(new))
                now = numbers_text(new)
                if plain_step:
                    by_rate = f"− {number_text(rate)} ·"
                    moved = f"{name} {by_rate} {name}.grad"
                    if not np.ndim(old):
                        moved += f" = {number_text(old)} {by_rate} {factor_text(gradient)}"
                    self._say(f"{name} ← {moved} = {now}", 1)
                else:
                    self._say(f"{name} ← {now}, from {numbers_text(old)}", 1)

    # ---- how it is said

    def _given(self, record: Record, by: Caller) -> list[Any]:
        """The operands of an operation, by name."""
        return [
            self._names.operand(x, n, by)
            for x, n in zip(record.operands, record.numbers, strict=True)
        ]

    def _telling(self, value: Any, by: Caller) -> Telling:
        """What a Value was computed by."""
        out = Symbol(self._names.of(value, by), value._content)
        record = value.record
        return Telling(record, out, self._given(record, by))

    def _forward(self, told: Telling) -> str:
        """The equation of an operation that ran before."""
        return f"{told.out.expression.text} = {self._names.counting(told.forward).text}"

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
        self.came: dict[Expression, list[str]] = {}
        names = [of._names.of(x, self.by) for x in seeds]
        only = next(iter(seeds.values()), None) if len(seeds) == 1 else None
        self.head = Name("S")
        self.single = only is not None and np.size(unwrap(only)) == 1 and bool(unwrap(only) == 1)
        if self.single:
            self.head = names[0]
            told = f"backward from {self.head.text}: {derivative(self.head, self.head).text} = 1"
        else:
            parts = " + ".join(f"Σ g · {x.text}" for x in names) or "0"
            told = f"backward from {', '.join(x.text for x in names)}, with S = {parts}"
        of._say_legend(self.deep - 1)
        of._say(told, self.deep - 1)
        if not self.single:
            for x, c in zip(names, seeds.values(), strict=True):
                of._say(
                    f"{derivative(self.head, x).text} = g = {numbers_text(unwrap(c))}", self.deep
                )

    def pulled(self, value: Any, position: int, g: Any, c: Any, before: Any) -> None:
        """A rule ran."""
        names = self.trace._names
        told = self.trace._telling(value, self.by)
        name = told.operands[position].expression
        own = derivative(self.head, name)
        formulas, with_numbers, why = self._handed(told, position, unwrap(g))
        if type(c) is Value and not names.known(c):
            names.give(c, own.text)
        line = equation(own.text, formulas, with_numbers, numbers_text(unwrap(c)))
        if before is not None:
            came = ", ".join(dict.fromkeys(self.came.get(name, []))) or "before"
            earlier = f"the {numbers_text(unwrap(before))} that came from {came}"
            line += f", which adds to {earlier}: {numbers_text(unwrap(before) + unwrap(c))}"
        self.came.setdefault(name, []).append(told.out.expression.text)
        operands = value.record.operands
        uses = sum(x is operands[position] for x in operands)
        one = f" This is one of {uses} uses of {name.text}." if uses > 1 else ""
        line += f"  ({self.trace._forward(told)}.{one} {why})"
        self.trace._say_legend(self.deep)
        self.trace._say(line, self.deep)

    def _handed(self, told: Telling, position: int, g: Any) -> tuple[list[str], str, str]:
        """What an operand gets: the formulas that it equals, one with numbers, and the why."""
        counting = self.trace._names.counting
        v, x, rate = told.out.expression, told.operands[position], told.local_name(position)
        above = derivative(self.head, v)
        ndims = [np.ndim(z) for z in told.record.numbers]
        whole = as_a_whole(told.record.operation.name, position, v, x.expression, above, ndims)
        found = told.local(position)
        if found is None:
            return [counting(told.share(position, above, g)).text], "", whole
        local, spread = found
        slope, through = counting(local.expression), product(above, rate)
        if self.single and v == self.head:  # its own gradient, 1, need not be said
            formulas, with_numbers = [rate, slope], told.with_numbers(slope)
        else:
            with_numbers = in_numbers(through, {above: g, rate: local.number})
            formulas = [through] if with_numbers else [through, product(above, slope)]
        texts = [(summed(formula) if spread > 1 else formula).text for formula in formulas]
        if slope == rate:  # a rule without a formula
            return texts, with_numbers, whole
        sizes = np.size(told.out.number), np.size(x.number)
        return texts, with_numbers, entry_by_entry(slope, v, x.expression, sizes, spread)
