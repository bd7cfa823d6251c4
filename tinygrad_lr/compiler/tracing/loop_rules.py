"""Loops and branches on traced arrays, with the loops of their derivatives.

A `TracedLoop` is a compiled loop and the graph of its body. The chain rule along that graph, on
traced arrays, is the body of the loop of a derivative (`Backward`, `Forward`). It runs on what the
loop itself has kept of each step (`Residuals`); or, to be differentiated again, as a `TracedLoop`
over the carries, whose body computes each step again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...core.batching import by_rows
from ...core.chain_rule import match_shape, push_forward, walk_back
from ...core.custom import is_recorded
from ...core.grad_mode import RECORDING
from ...core.graph import topological_order as order_of_graph
from ...core.node import current_versions, unwrap
from ...core.primitive import Primitive
from ...core.value import Value, make_value
from ...errors import GraphError
from ..ir.control_flow import (
    Body,
    BranchCall,
    LoopFamily,
    WhileCall,
    add_body_call,
    make_body_input,
)
from ..ir.instruction import VIEWS, Instruction, constant, replace_operands
from ..ir.program import topological_order
from .traced_array import Traced, as_instruction
from .traced_graph import make_leaf, run_rules, runs_user_code

Pull = Callable[[Any, Sequence[Any]], Sequence[Any]]
"""A rule of a loop: from cotangents or tangents of one end, and the operands, to the other's."""


def make_results(
    name: str,
    parts: Sequence[Traced],
    outputs: Sequence[Value | None],
    operands: Sequence[Any],
    pull: Pull,
    are_values: Sequence[bool],
    push: Pull | None = None,
    runs_rules: bool = False,
) -> list[Any]:
    """Return the results of a call, those of a graph as nodes.

    `runs_rules` is True if derivatives may run rules of the user's.
    """
    found: list[Any] = list(parts)
    graded = [i for i, x in enumerate(outputs) if x is not None]
    recorded = any(isinstance(x, Value) and x.requires_grad for x in operands)
    if graded and recorded and RECORDING.get():
        nodes = make_nodes(name, [parts[i] for i in graded], operands, pull, push, runs_rules)
        found = [nodes.pop(0) if i in graded else x for i, x in enumerate(parts)]
    return [
        Value(x, requires_grad=False) if is_value and not isinstance(x, Value) else x
        for x, is_value in zip(found, are_values, strict=True)
    ]


def make_nodes(
    name: str,
    parts: Sequence[Traced],
    operands: Sequence[Any],
    pull: Pull,
    push: Pull | None,
    runs_rules: bool,
) -> list[Value]:
    """Return results as Values of the graph: one, with all entries in a row, and its parts.

    The rule holds instructions, not traced arrays: those of a trace must not outlive it.
    """
    likes = [x.instruction for x in parts]
    operands = current_versions(operands)
    numbers = [unwrap(x) for x in operands]
    given_likes = list(map(as_instruction, numbers))
    ends = np.cumsum([0, *(x.size for x in likes)]).tolist()

    def split(row: Any) -> list[Any]:
        if len(likes) == 1:
            return [row]
        pairs = zip(likes, ends, strict=False)
        found = [np.reshape(row[end : end + x.size], x.shape) for x, end in pairs]
        return [
            x if x.dtype == y.dtype else x.astype(y.dtype)
            for x, y in zip(found, likes, strict=True)
        ]

    @by_rows
    def rule(g: Any, out: Any, *given: Any, **_: Any) -> Callable[[int], Any]:
        pairs = zip(split(g), likes, strict=True)
        cotangents = pull([match_shape(x, Traced(like)) for x, like in pairs], given)
        return lambda position: match_shape(cotangents[position], Traced(given_likes[position]))

    def pack(found: Sequence[Any]) -> Any:
        single = len(found) == 1
        return found[0] if single else np.concatenate([np.reshape(x, (-1,)) for x in found])

    @by_rows
    def tangent_rule(tangents: Any, out: Any, *given: Any, **_: Any) -> Any:
        assert push is not None
        pairs = zip(push(tangents, given), likes, strict=True)
        return pack([match_shape(x, Traced(like)) for x, like in pairs])

    operation = Primitive(_forward)
    operation.name = name
    operation.rules[0] = rule
    operation.runs_user_code = runs_rules
    if push is not None:
        operation.tangent_rules[0] = tangent_rule
    packed = pack(parts)
    node = make_value(packed.copy(), (operation, operands, numbers, {}))
    return split(node)


def _forward(*operands: Any) -> Any:
    raise NotImplementedError("a loop evaluates itself")


def pull_back_all(
    outputs: Sequence[Value | None], cotangents: Mapping[int, Any], recording: bool
) -> dict[Value, Any]:
    """Return the cotangents of all that outputs were computed from, for theirs by position."""
    seeds: dict[Value, Any] = {}
    for i, g in cotangents.items():
        out = outputs[i]
        if out is not None:
            seeds[out] = seeds[out] + g if out in seeds else g
    # a seed may be 0, also one that is a number, unlike that of a loss
    return walk_back(seeds, None, recording, None, fading=set(seeds)) if seeds else {}


def zeros(like: Instruction) -> Instruction:
    """Return zeros like an instruction's result."""
    array = np.zeros(like.shape, like.dtype)
    array.flags.writeable = False
    return constant(array)


class TracedLoop:
    """A loop on traced arrays, with the graph of its body.

    - `leaves`: by the key of an input of the body, the Value that holds it in the graph
    - `outputs`: for each result of the body its Value in the graph, None for a constant
    - `are_values`: for each result, True if the function returns a Value
    """

    def __init__(
        self,
        family: LoopFamily,
        leaves: Mapping[Any, Value],
        outputs: Sequence[Value | None],
        are_values: Sequence[bool],
    ) -> None:
        self.family, self.outputs = family, list(outputs)
        self.are_values = list(are_values)
        self.inputs = family.body.inputs
        held = [leaves.get(x.options["source"].key()) for x in self.inputs]
        order = order_of_graph([x for x in outputs if x is not None])
        reached = set(order)
        self.leaves = [x if x in reached else None for x in held]
        self.runs_user_code = runs_user_code(order)

    def apply(self, operands: Sequence[Any]) -> list[Any]:
        """Return the last carry and the stacked results for operands, Values or traced arrays."""
        numbers = [as_instruction(unwrap(x)) for x in operands]
        parts = [Traced(x) for x in add_body_call(self.family.call(), numbers)]
        name = self.family.body.name
        rules = self.pull, self.are_values, self.push, self.runs_user_code
        return make_results(name, parts, self.outputs, operands, *rules)

    def pull(self, g: Sequence[Any], given: Sequence[Any]) -> Sequence[Any]:
        """Return the cotangents of all operands, for those of the results that have a node."""
        shares = iter(g)
        cotangents = [None if x is None else next(shares) for x in self.outputs]
        return self._follow(Backward, cotangents, given, is_recorded(g, given))

    def push(self, tangents: Sequence[Any], given: Sequence[Any]) -> Sequence[Any]:
        """Return the tangents of the results that have a node, for those of the operands."""
        recorded = is_recorded([t for t in tangents if t is not None], given)
        found = self._follow(Forward, tangents, given, recorded)
        return [x for x, out in zip(found, self.outputs, strict=True) if out is not None]

    def _follow(
        self,
        kind: type[Backward | Forward],
        moved: Sequence[Any],
        given: Sequence[Any],
        recording: bool,
    ) -> list[Any]:
        """Run the loop of a derivative, for what it begins with, and the loop's own operands."""
        rule: Backward | Forward = run_rules(lambda: kind(self, moved, recording))
        found = self._with_values(rule, given) if recording else self._with_numbers(rule, given)
        return rule.arrange(found)

    def _with_numbers(self, rule: Backward | Forward, given: Sequence[Any]) -> list[Any]:
        """Run it on what the loop itself has kept of each step."""
        numbers, family = list(map(as_instruction, given)), self.family
        split = Residuals(self, [*rule.carried, *rule.seeds, *rule.extra], numbers)
        results = [split.rewrite(as_instruction(x)) for x in rule.results]
        kept = add_body_call(family.call(len(family.residuals)), numbers)
        body = Body(
            f"{family.body.name}_{rule.name}",
            (*rule.carried, *rule.seeds, *split.slices, *rule.extra, *split.outer),
            tuple(results),
        )
        sliced = len(rule.seeds) + len(split.slices)
        reverse = family.reverse != rule.turns
        loop = LoopFamily(body, len(rule.carried), sliced, family.steps, reverse)
        operands = [
            *map(as_instruction, rule.given_carries()),
            *map(as_instruction, rule.given_seeds()),
            *(numbers[x] if of_operand else kept[x] for of_operand, x in split.stacks),
            *map(as_instruction, rule.given_extra()),
            *split.operands,
        ]
        return [Traced(x) for x in add_body_call(loop.call(), operands)]

    def _with_values(self, rule: Backward | Forward, given: Sequence[Any]) -> list[Any]:
        """Run it as a node: a loop over the carries, whose body computes each step again."""
        family, count = self.family, self.family.carried
        end = count + family.sliced
        whole = self._with_carries().apply(given)
        own = [*self.inputs[count:end], *self.inputs[:count]]
        body = Body(
            f"{family.body.name}_{rule.name}",
            (*rule.carried, *rule.seeds, *own, *rule.extra, *self.inputs[end:]),
            tuple(as_instruction(unwrap(x)) for x in rule.results),
        )
        sliced, reverse = len(rule.seeds) + len(own), family.reverse != rule.turns
        again = LoopFamily(body, len(rule.carried), sliced, family.steps, reverse)
        outputs = [x if isinstance(x, Value) and x.requires_grad else None for x in rule.results]
        loop = TracedLoop(
            again, self.values_by_input() | rule.leaves, outputs, [False] * len(outputs)
        )
        return loop.apply(
            [
                *rule.given_carries(),
                *rule.given_seeds(),
                *given[count:end],
                *whole[len(family.body.results) :],
                *rule.given_extra(),
                *given[end:],
            ]
        )

    def values_by_input(self) -> dict[Any, Value]:
        """Return the Values that hold inputs of the body, by the keys of these."""
        pairs = zip(self.inputs, self.leaves, strict=True)
        return {x.options["source"].key(): leaf for x, leaf in pairs if leaf is not None}

    def _with_carries(self) -> TracedLoop:
        """Return the loop that also stacks what it carries into each step."""
        family, body = self.family, self.family.body
        count = family.carried
        more = Body(body.name, body.inputs, (*body.results, *body.inputs[:count]), body.checks)
        whole = LoopFamily(more, count, family.sliced, family.steps, family.reverse)
        outputs = [*self.outputs, *self.leaves[:count]]
        return TracedLoop(
            whole, self.values_by_input(), outputs, [*self.are_values, *[False] * count]
        )


class Rule:
    """The body of a derivative's loop: the chain rule along the graph of a loop's body.

    - `carried`, `seeds`, `extra`: its inputs: what it carries, slices, and reads at each step
    - `leaves`: for each of them by its key the Value that holds it, if the rule is recorded
    - `results`: the new `carried`, then what is stacked
    """

    name = ""
    turns = False  # True if its steps run in the other order than the loop's

    def __init__(self, loop: TracedLoop, recording: bool) -> None:
        self.loop, self.recording = loop, recording
        self.count = loop.family.carried
        self.end = self.count + loop.family.sliced
        self.carried: list[Instruction] = []
        self.seeds: list[Instruction] = []
        self.extra: list[Instruction] = []
        self.leaves: dict[Any, Value] = {}
        self.results: list[Any] = []

    def hold(self, x: Instruction) -> Any:
        """Return an input as the chain rule gets it."""
        if not self.recording:
            return Traced(x)
        leaf = self.leaves[x.options["source"].key()] = make_leaf(Traced(x))
        return leaf


class Backward(Rule):
    """Reverse mode: it carries the cotangents of what the loop carries, and sums of the others."""

    name, turns = "backward", True

    def __init__(self, loop: TracedLoop, given: Sequence[Any], recording: bool) -> None:
        super().__init__(loop, recording)
        self.given = given
        count, end = self.count, self.end
        results = loop.family.body.results
        self.positions = [
            i for i in range(count) if loop.outputs[i] is not None or loop.leaves[i] is not None
        ]
        self.stacked = [i for i in range(count, len(results)) if loop.outputs[i] is not None]
        places = [make_body_input(results[i], "g") for i in self.positions]
        self.seeds = [make_body_input(results[i], "g") for i in self.stacked]
        held = map(self.hold, [*places, *self.seeds])
        seeds = dict(zip([*self.positions, *self.stacked], held, strict=True))
        found = pull_back_all(loop.outputs, seeds, recording)

        def share(i: int) -> Any:
            leaf = loop.leaves[i]
            return None if leaf is None else found.get(leaf)

        for i in self.positions:
            x = share(i)
            self.results.append(Traced(zeros(loop.inputs[i])) if x is None else x)
        self.summed = [i for i in range(end, len(loop.inputs)) if share(i) is not None]
        sums = [make_body_input(zeros(loop.inputs[i]), "sum") for i in self.summed]
        self.results += [self.hold(x) + share(i) for x, i in zip(sums, self.summed, strict=True)]
        self.sliced = [i for i in range(count, end) if share(i) is not None]
        self.results += [share(i) for i in self.sliced]
        self.carried = [*places, *sums]

    def given_carries(self) -> list[Any]:
        """Return what the loop begins with."""
        likes = self.loop.family.body.results
        found = [
            Traced(zeros(likes[i])) if self.given[i] is None else self.given[i]
            for i in self.positions
        ]
        return [*found, *(Traced(zeros(self.loop.inputs[i])) for i in self.summed)]

    def given_seeds(self) -> list[Any]:
        """Return the stacked cotangents of what all steps returned."""
        return [self.given[i] for i in self.stacked]

    def given_extra(self) -> list[Any]:
        """Return nothing: each step gets its own."""
        return []

    def arrange(self, found: Sequence[Any]) -> list[Any]:
        """Return the cotangents of the loop's operands."""
        shares: list[Any] = [0.0] * len(self.loop.inputs)
        for i, x in zip([*self.positions, *self.summed, *self.sliced], found, strict=True):
            shares[i] = x
        return shares


class Forward(Rule):
    """Forward mode: it carries the tangents of what the loop carries."""

    name = "tangent"

    def __init__(self, loop: TracedLoop, given: Sequence[Any], recording: bool) -> None:
        super().__init__(loop, recording)
        count, end = self.count, self.end
        self.given = given
        moving = [
            i
            for i, (t, leaf) in enumerate(zip(given, loop.leaves, strict=True))
            if t is not None and leaf is not None
        ]
        self.sliced = [i for i in moving if count <= i < end]
        self.outer = [i for i in moving if i >= end]
        self.seeds = [make_body_input(loop.inputs[i], "t") for i in self.sliced]
        self.extra = [make_body_input(loop.inputs[i], "t") for i in self.outer]
        self.positions = [i for i, t in enumerate(given[:count]) if t is not None]
        held = list(map(self.hold, [*self.seeds, *self.extra]))
        order = order_of_graph([x for x in loop.outputs if x is not None])
        while True:
            self.carried = [make_body_input(loop.inputs[i], "t") for i in self.positions]
            carried = list(map(self.hold, self.carried))
            places = [*self.positions, *self.sliced, *self.outer]
            pairs = zip(places, [*carried, *held], strict=True)
            tangents = {x: t for i, t in pairs if (x := loop.leaves[i]) is not None}
            found = push_forward(order, tangents, recording) if tangents else {}
            shares = [None if x is None else found.get(x) for x in loop.outputs]
            reached = {i for i in range(count) if shares[i] is not None}
            if reached <= set(self.positions):
                break
            self.positions = sorted({*reached, *self.positions})
        for i in self.positions:
            t = shares[i]
            self.results.append(Traced(zeros(loop.inputs[i])) if t is None else t)
        self.stacked = [i for i in range(count, len(shares)) if shares[i] is not None]
        self.results += [shares[i] for i in self.stacked]

    def given_carries(self) -> list[Any]:
        """Return what the loop begins with."""
        return [
            Traced(zeros(self.loop.inputs[i])) if self.given[i] is None else self.given[i]
            for i in self.positions
        ]

    def given_seeds(self) -> list[Any]:
        """Return the stacked tangents of slices."""
        return [self.given[i] for i in self.sliced]

    def given_extra(self) -> list[Any]:
        """Return the tangents of what all steps read."""
        return [self.given[i] for i in self.outer]

    def arrange(self, found: Sequence[Any]) -> list[Any]:
        """Return the tangents of all results."""
        likes = self.loop.family.call().likes()
        shares: list[Any] = [Traced(zeros(x)) for x in likes]
        for i, x in zip([*self.positions, *self.stacked], found, strict=True):
            shares[i] = x
        return shares


class Residuals:
    """The parts of a derivative's body that don't depend on its inputs: kept by the loop itself.

    What depends on neither, such as a transposed weight, is computed once outside.
    """

    def __init__(
        self, loop: TracedLoop, moving: Sequence[Instruction], numbers: Sequence[Instruction]
    ) -> None:
        family = loop.family
        end = family.carried + family.sliced
        self.family, self.numbers = family, numbers
        self.own = {x: i for i, x in enumerate(loop.inputs)}
        self.varying = set(loop.inputs[:end])
        self.moving: set[Instruction] = set(moving)
        self.slices: list[Instruction] = []
        self.stacks: list[tuple[bool, int]] = []  # of an operand, or of a result of the loop
        self.outer: list[Instruction] = []
        self.operands: list[Instruction] = []
        self._known: dict[Instruction, Instruction] = {x: x for x in self.moving}
        self._outside: dict[Instruction, Instruction] = dict(
            zip(loop.inputs[end:], numbers[end:], strict=True)
        )
        self.first_slice, self.end = family.carried, end

    def rewrite(self, x: Instruction) -> Instruction:
        """Return an instruction in the body of the gradient's loop."""
        for y in topological_order([x]):
            if any(z in self.varying for z in y.inputs):
                self.varying.add(y)
            if any(z in self.moving for z in y.inputs):
                self.moving.add(y)
                operands = [self._take(z) for z in y.inputs]
                self._known.setdefault(y, replace_operands(y, operands))
        return self._take(x)

    def _take(self, x: Instruction) -> Instruction:
        if x not in self._known:
            self._known[x] = self._find(x)
        return self._known[x]

    def _find(self, x: Instruction) -> Instruction:
        if x.is_constant:
            return x
        if x.operation in VIEWS:
            return replace_operands(x, [self._take(x.inputs[0])])
        if x not in self.varying:
            place = make_body_input(x)
            self.outer.append(place)
            self.operands.append(self._hoist(x))
            return place
        place = make_body_input(x)
        self.slices.append(place)
        i = self.own.get(x, -1)
        if self.first_slice <= i < self.end:
            self.stacks.append((True, i))
        else:
            self.stacks.append((False, self.family.keep(x)))
        return place

    def _hoist(self, x: Instruction) -> Instruction:
        """Return what is computed from operands alone, outside the loop."""
        for y in topological_order([x]):
            if y not in self._outside:
                self._outside[y] = replace_operands(y, [self._outside[z] for z in y.inputs])
        return self._outside[x]


class TracedWhile:
    """A loop of an unknown number of steps on traced arrays, with forward mode.

    `loop` has the graph of its body, whose last result is whether it goes on.
    """

    def __init__(self, loop: TracedLoop) -> None:
        self.loop, self.count = loop, loop.family.carried

    def apply(self, operands: Sequence[Any]) -> list[Any]:
        """Return the last carry; the first operand is whether the loop runs at all."""
        loop, count = self.loop, self.count
        call = WhileCall(loop.family.body, count, f"while_loop of {loop.family.body.name}")
        numbers = [as_instruction(unwrap(x)) for x in operands]
        parts = [Traced(x) for x in add_body_call(call, numbers)]
        outputs, are_values = loop.outputs[:count], loop.are_values[:count]
        rules = refuse_reverse, are_values, self.push, loop.runs_user_code
        return make_results("while_loop", parts, outputs, operands, *rules)

    def push(self, tangents: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        """Return the tangents of the results that have a node, for those of the operands.

        They are carried by a loop that computes each step again.
        """
        loop, count, body = self.loop, self.count, self.loop.family.body
        recorded = is_recorded([t for t in tangents if t is not None], given)
        rule: Forward = run_rules(lambda: Forward(loop, tangents[1:], recorded))
        *carry, goes_on = body.results
        moved = list(map(as_instruction, map(unwrap, rule.results)))
        both = Body(
            f"{body.name}_{rule.name}",
            (*body.inputs[:count], *rule.carried, *body.inputs[count:], *rule.extra),
            (*carry, *moved, goes_on),
            body.checks,
        )
        graded = [x if isinstance(x, Value) and x.requires_grad else None for x in rule.results]
        outputs = [*loop.outputs[:count], *graded, None]
        family = LoopFamily(both, count + len(moved), 0, 1, False)
        again = TracedLoop(
            family, loop.values_by_input() | rule.leaves, outputs, [False] * len(outputs)
        )
        end = 1 + count
        operands = [*given[:end], *rule.given_carries(), *given[end:], *rule.given_extra()]
        found = rule.arrange(TracedWhile(again).apply(operands)[count:])
        return [x for x, out in zip(found, loop.outputs, strict=True) if out is not None]


def refuse_reverse(g: Any, given: Sequence[Any]) -> Any:
    """Raise `GraphError`: the steps of a loop that depend on data aren't kept."""
    raise GraphError(
        "while_loop: has no gradient in a compiled function, where the number of its steps isn't "
        "known, and no forward mode in a branch of tg.cond; use tg.jvp outside branches, or "
        "tg.scan with a fixed number of steps"
    )


class TracedBranch:
    """A choice between two bodies, on traced arrays, with their graphs."""

    def __init__(self, branches: Sequence[TracedLoop], inputs: Sequence[Instruction]) -> None:
        first, second = branches
        self.branches = branches
        self.inputs = tuple(inputs)
        self.outputs = [
            x if x is not None else y for x, y in zip(first.outputs, second.outputs, strict=True)
        ]
        self.are_values = [x or y for x, y in zip(first.are_values, second.are_values, strict=True)]
        bodies = [
            Body(x.family.body.name, self.inputs, x.family.body.results, x.family.body.checks)
            for x in branches
        ]
        self.bodies = (bodies[0], bodies[1])

    def apply(self, operands: Sequence[Any]) -> list[Any]:
        """Return the results; the first operand is the predicate."""
        call = BranchCall(self.bodies, f"cond of {self.bodies[0].name}")
        numbers = [as_instruction(unwrap(x)) for x in operands]
        parts = [Traced(x) for x in add_body_call(call, numbers)]
        rules = self.pull, self.are_values, None, any(x.runs_user_code for x in self.branches)
        return make_results("cond", parts, self.outputs, operands, *rules)

    def pull(self, g: Sequence[Any], given: Sequence[Any]) -> Sequence[Any]:
        """Return the cotangents of the operands: a choice between the gradients' bodies."""
        return self._pull(list(g), given, is_recorded(g, given))

    def _pull(self, g: list[Any], given: Sequence[Any], recording: bool) -> list[Any]:
        results = self.bodies[0].results
        graded = [i for i, x in enumerate(self.outputs) if x is not None]
        seeds = [make_body_input(results[i], "g") for i in graded]
        leaves: dict[Any, Any] = run_rules(
            lambda: {
                x.options["source"].key(): make_leaf(Traced(x)) if recording else Traced(x)
                for x in seeds
            }
        )
        shares = [self._shares(x, graded, list(leaves.values()), recording) for x in self.branches]
        moved = [i for i in range(len(self.inputs)) if any(x[i] is not None for x in shares)]
        made = []
        for branch, share in zip(self.branches, shares, strict=True):
            found = [Traced(zeros(self.inputs[i])) if share[i] is None else share[i] for i in moved]
            body = Body(
                f"{branch.family.body.name}_backward",
                (*seeds, *self.inputs),
                tuple(as_instruction(unwrap(x)) for x in found),
            )
            own = {
                x.options["source"].key(): leaf
                for x, leaf in zip(branch.inputs, branch.leaves, strict=True)
                if leaf is not None
            }
            own |= leaves if recording else {}
            outputs = [x if isinstance(x, Value) and x.requires_grad else None for x in found]
            family = LoopFamily(body, 0, 0, 1, False)
            made.append(TracedLoop(family, own, outputs, [False] * len(found)))
        found = TracedBranch(made, [*seeds, *self.inputs]).apply([given[0], *g, *given[1:]])
        result: list[Any] = [0.0] * len(given)
        for i, x in zip(moved, found, strict=True):
            result[1 + i] = x
        return result

    def _shares(
        self, branch: TracedLoop, graded: Sequence[int], held: Sequence[Any], recording: bool
    ) -> list[Any]:
        """Return the cotangent of each operand in one branch, None for 0."""
        found = run_rules(
            lambda: pull_back_all(branch.outputs, dict(zip(graded, held, strict=True)), recording)
        )
        leaf_of = dict(zip(branch.inputs, branch.leaves, strict=True))
        shares: list[Any] = []
        for x in self.inputs:
            leaf = leaf_of.get(x)
            shares.append(None if leaf is None else found.get(leaf))
        return shares
