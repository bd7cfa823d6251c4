"""Print each operation as it runs, and each rule as the chain rule applies it: `trace`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from ...core.grad_mode import (
    RECORDING,
    Watched,
    WatchedPass,
    Watcher,
    enter_mode,
    leave_mode,
    watcher,
)
from ...core.node import Record, unwrap
from ...core.value import Value
from ...errors import TraceError
from ...nn import Module
from ...support.abstract_array import AbstractArray
from ...support.text_format import factor_text, number_text
from ..derivations.prose import describe_entries, describe_operation
from ..formula.expression import (
    Expression,
    Name,
    derivative,
    differential,
    product,
    summation,
    total,
)
from ..formula.symbol import Symbol
from ..graphs.call_stack import Caller, find_caller
from ..graphs.naming import name_latex
from .live_names import LiveNames, module_label
from .narration import OperationFormulas, equation, numbers_text, numeric_text, options_text


class trace(Watcher):  # noqa: N801 - a context manager, in the manner of no_grad
    """Print what happens, with formulas and numbers: a context manager.

    Within the block, every operation on Values is printed after it has run, with the names of the
    program's variables. Then every rule that the chain rule applies (in `backward`, `tg.grad` and
    similar) is printed with its local derivative, the reason for it, and what it is added to. So
    are the modules that run, and the steps of optimisers. Formulas come from the rules themselves,
    as in `derivation`. All results are the same as without tracing.

    - `lines`: the printed lines
    - `text()`: the same as one string

    It applies only to the current thread (and asynchronous task), and ends after an exception too.
    If nested, the inner one prints, and both keep its lines. A compiled function is a single
    operation, whose inside is not traced. Raises `TraceError` if used inside one.

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
      dL/du = 2u = 2 · (−1) = −2  (L = u². L changes 2u times as fast as u.)
      dL/dz = dL/du · ∂u/∂z = (−2) · 1 = −2  (u = z − 7. u rises one for one with z.)
      dL/dw = dL/dz · ∂z/∂w = (−2) · 3 = −6  (z = w · x. z changes x times as fast as w.)
      dL/dx = dL/dz · ∂z/∂x = (−2) · 2 = −4  (z = w · x. z changes w times as fast as x.)
    >>> len(t.lines)
    8
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names = LiveNames()
        self._outer: trace | None = None
        self._modules: Sequence[Module] = ()
        self._entered = 0  # blocks of this object that are running

    def __enter__(self) -> Self:
        around = watcher()
        if isinstance(around, trace) and around is not self:
            self._outer, self._names = around, around._names
        self._entered += 1
        enter_mode(Watched(bool(RECORDING.get()), self))
        return self

    def __exit__(self, *_: object) -> None:
        leave_mode()
        self._entered -= 1
        if not self._entered:
            self._outer, self._modules = None, ()

    def text(self) -> str:
        """Return the printed lines as one string."""
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"<trace: {len(self.lines)} line{'s' * (len(self.lines) != 1)}>"

    # ---- called while it happens (see `grad_mode.Watcher`)

    def on_operation(self, value: Any, record: tuple[Any, ...]) -> None:
        """Print an operation that ran."""
        record = Record(*record)
        if any(isinstance(x, AbstractArray) for x in (value._content, *record.numbers)):
            raise TraceError(
                "tg.trace must not be used inside a function that is being compiled, where there "
                "are no numbers to print; put tg.trace() around a call of the function without "
                "tg.compile"
            )
        by = find_caller()
        depth = self._enter_modules(by)
        given = self._operands(record, by)
        self._say_legend(depth)
        out = Symbol(Name(name_latex(self._names.give(value, by.assigned))), value._content)
        op = OperationFormulas(record, out, given)
        formula = self._names.resolve_counts(op.forward)
        self._say_legend(depth)
        text = formula.text + options_text(record.operation, record.options)
        result = numbers_text(value._content)
        self._say(equation(out.expression.text, [text], op.with_numbers(formula), result), depth)

    def on_backward(self, seeds: Mapping[Any, Any]) -> TracedPass:
        """Start to print a pass of the chain rule."""
        self._modules = ()
        return TracedPass(self, seeds)

    def on_tangent(self, value: Any, tangent: Any, given: Sequence[Any]) -> None:
        """Print a tangent that forward mode computed."""
        by = find_caller()
        op = self._operation(value, by)
        self._say_legend(2 * by.rules - 1)
        parts: list[Expression] = []
        numbers: dict[Expression, Any] = {}
        for i, t in enumerate(given):
            if t is not None:
                rate = replace(op.local_name(i), instead_of=str(i))  # x/x has the same name twice
                moved = differential(op.operands[i].expression)
                parts.append(product(rate, moved))
                local = op.local(i)
                numbers[rate] = None if local is None else local[0].number
                numbers[moved] = unwrap(t)
        formula = total(*parts)
        name, result = differential(op.out.expression).text, numbers_text(unwrap(tangent))
        line = equation(name, [formula.text], numeric_text(formula, numbers), result)
        self._say(f"{line}  ({self._forward(op)})", 2 * by.rules - 1)

    def on_accumulate(self, leaf: Any, before: Any, total: Any) -> None:
        """Print a gradient that was added to an earlier one."""
        name = self._names.of(leaf, find_caller()).text
        self._say(
            f"{name}.grad was {numbers_text(before)} before, and is now {numbers_text(total)}"
        )

    def on_update(self, optimizer: Any, parts: Sequence[Any]) -> None:
        """Print the step of an optimiser."""
        by = find_caller()
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

    # ---- helpers

    def _operands(self, record: Record, by: Caller) -> list[Any]:
        """Return the operands of an operation by name."""
        return [
            self._names.operand(x, n, by)
            for x, n in zip(record.operands, record.numbers, strict=True)
        ]

    def _operation(self, value: Any, by: Caller) -> OperationFormulas:
        """Return the operation that computed a Value, as formulas."""
        out = Symbol(self._names.of(value, by), value._content)
        record = value.record
        return OperationFormulas(record, out, self._operands(record, by))

    def _forward(self, op: OperationFormulas) -> str:
        """Return the equation of an operation that ran before."""
        return f"{op.out.expression.text} = {self._names.resolve_counts(op.forward).text}"

    def _enter_modules(self, by: Caller) -> int:
        """Print the modules that started to run; return the depth of indentation."""
        before, self._modules = self._modules, tuple(by.modules)
        same = 0
        for x, y in zip(before, by.modules, strict=False):
            if x is not y:
                break
            same += 1
        for depth in range(same, len(by.modules)):
            self._say(module_label(by.modules, depth), depth)
        return len(by.modules) + 2 * by.rules

    def _say_legend(self, depth: int) -> None:
        for line in self._names.legend:
            self._say(line, depth)
        self._names.legend.clear()

    def _say(self, line: str, depth: int = 0) -> None:
        line = "  " * depth + line
        around: trace | None = self
        while around is not None:
            around.lines.append(line)
            around = around._outer
        try:
            print(line)
        except UnicodeEncodeError:  # a terminal that cannot show ₁
            encoding = sys.stdout.encoding or "ascii"
            print(line.encode(encoding, "replace").decode(encoding))


class TracedPass(WatchedPass):
    """Print one pass of the chain rule."""

    def __init__(self, of: trace, seeds: Mapping[Any, Any]) -> None:
        self.trace, self.by = of, find_caller()
        self.depth = 2 * self.by.rules - 1
        self.came: dict[Expression, list[str]] = {}
        names = [of._names.of(x, self.by) for x in seeds]
        only = next(iter(seeds.values()), None) if len(seeds) == 1 else None
        self.head = Name("S")
        self.single = only is not None and np.size(unwrap(only)) == 1 and bool(unwrap(only) == 1)
        if self.single:
            self.head = names[0]
            line = f"backward from {self.head.text}: {derivative(self.head, self.head).text} = 1"
        else:
            parts = " + ".join(f"Σ g · {x.text}" for x in names) or "0"
            line = f"backward from {', '.join(x.text for x in names)}, with S = {parts}"
        of._say_legend(self.depth - 1)
        of._say(line, self.depth - 1)
        if not self.single:
            for x, c in zip(names, seeds.values(), strict=True):
                of._say(
                    f"{derivative(self.head, x).text} = g = {numbers_text(unwrap(c))}", self.depth
                )

    def on_rule(self, value: Any, position: int, g: Any, c: Any, before: Any) -> None:
        """Print the result of a rule."""
        names = self.trace._names
        op = self.trace._operation(value, self.by)
        name = op.operands[position].expression
        own = derivative(self.head, name)
        formulas, with_numbers, why = self._apply_rule(op, position, unwrap(g))
        if type(c) is Value and not names.known(c):
            names.give(c, own.text)
        line = equation(own.text, formulas, with_numbers, numbers_text(unwrap(c)))
        if before is not None:
            came = ", ".join(dict.fromkeys(self.came.get(name, []))) or "before"
            earlier = f"the {numbers_text(unwrap(before))} that came from {came}"
            line += f", which adds to {earlier}: {numbers_text(unwrap(before) + unwrap(c))}"
        self.came.setdefault(name, []).append(op.out.expression.text)
        operands = value.record.operands
        uses = sum(x is operands[position] for x in operands)
        one = f" This is one of {uses} uses of {name.text}." if uses > 1 else ""
        line += f"  ({self.trace._forward(op)}.{one}{' ' * bool(why)}{why})"
        self.trace._say_legend(self.depth)
        self.trace._say(line, self.depth)

    def _apply_rule(
        self, op: OperationFormulas, position: int, g: Any
    ) -> tuple[list[str], str, str]:
        """Return the formulas of an operand's share, the one with numbers, and the reason."""
        resolve_counts = self.trace._names.resolve_counts
        v, x, rate = op.out.expression, op.operands[position], op.local_name(position)
        above = derivative(self.head, v)
        ndims = [np.ndim(z) for z in op.record.numbers]
        whole = describe_operation(
            op.record.operation.name, position, v, x.expression, above, ndims
        )
        found = op.local(position)
        if found is None:
            return [resolve_counts(op.share(position, above, g)).text], "", whole
        local, spread = found
        slope, through = resolve_counts(local.expression), product(above, rate)
        if self.single and v == self.head:  # its own gradient, 1, is left out
            formulas = [slope] if slope != rate else []
            with_numbers = op.with_numbers(slope)
        else:
            with_numbers = numeric_text(through, {above: g, rate: local.number})
            formulas = [through] if with_numbers else [through, product(above, slope)]
        texts = [(summation(formula) if spread > 1 else formula).text for formula in formulas]
        if slope == rate:  # the rule has no formula
            return texts, with_numbers, whole
        sizes = np.size(op.out.number), np.size(x.number)
        why = describe_entries(slope, v, x.expression, sizes, spread)
        return texts, with_numbers, why or whole * ("by the rule of" not in whole)
