"""Divide a graph into what a picture frames: layers, and steps in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from ...core.value import Value
from ...explain.graphs.layers import Layer
from ...explain.graphs.naming import Names
from ...explain.graphs.written_out import WrittenOut

Place: TypeAlias = tuple[int, int, int]
"""Where a result stands: its layer; 0 before, 1 in, 2 behind a step in time; the recurrence."""


def divide(names: Names, written: WrittenOut) -> tuple[Sequence[Layer], Mapping[Value, int]]:
    """Return the sections of a graph, and that of each result; no edge leads to an earlier one.

    A section is a layer, or a step in time: of a recurrent layer that was written out, or of a loop
    that uses the same weights again. What a loop computes from the input of a step ahead of it
    belongs to that step.
    """
    results = [x for x in names.order if x.record is not None]
    reads = {value: _values_read(value) for value in results}
    readers: dict[Value, list[Value]] = {}
    for value in results:
        for x in reads[value]:
            readers.setdefault(x, []).append(value)
    level = {x: k for k, layer in enumerate(names.layers) for x in layer.results}
    steps = _steps_in_time(written)
    key: dict[Value, Place] = {}
    for value in results:
        if value in steps:
            chain, _, last = steps[value]
            key[value] = (level[last], 1, chain)
            continue
        behind = [key[x] for x in reads[value] if x in key]
        late = any(place[:2] >= (level[value], 1) for place in behind)
        key[value] = (level[value], 2 if late else 0, 0)
    for value in reversed(results):
        if value not in steps:
            key[value] = _when_used(value, key, level, reads, readers)
    places = sorted(set(key.values()))
    members: dict[Place, list[Value]] = {place: [] for place in places}
    for value in results:
        members[key[value]].append(value)
    sections = []
    for number, place in enumerate(places):
        own = members[place]
        read = dict.fromkeys(x for v in own for x in reads[v] if x not in reads)
        name = names.layers[place[0]].name
        if place[1] == 1:
            chain, step, _ = steps[own[0]]
            weight, operation, _ = written.chains[chain]
            name = names.path(weight).rpartition(".")[0] or operation.removesuffix("_states")
            name = f"{name}, step {step}"
        elif place[1] == 2 and not read:
            name = f"{name}, all steps"
        sections.append(Layer(number + 1, name, tuple(read), tuple(own)))
    index = {place: number for number, place in enumerate(places)}
    return _number_steps(sections), {value: index[place] for value, place in key.items()}


def _steps_in_time(written: WrittenOut) -> Mapping[Value, tuple[int, int, Value]]:
    """Return the chain, the step from 1 and the step's state for each result within a step."""
    found: dict[Value, tuple[int, int, Value]] = {}
    outside = set(written.now) | set(written.now.values())
    for chain, (_, _, states) in enumerate(written.chains):
        for step, state in enumerate(states):
            waiting = [state]
            while waiting:
                value = waiting.pop()
                if value.record is None or value in found or value in outside:
                    continue
                found[value] = (chain, step + 1, state)
                waiting += _values_read(value)
    return found


def _when_used(
    value: Value,
    key: Mapping[Value, Place],
    level: Mapping[Value, int],
    reads: Mapping[Value, Sequence[Value]],
    readers: Mapping[Value, Sequence[Value]],
) -> Place:
    """Return where a result is needed, if its weights are used again and its readers wait anyway.

    They wait for a result of a later layer, which they read too. So do those of what only collects
    the states of a recurrence.
    """
    weights = [x for x in reads[value] if x not in reads]
    reading = readers.get(value, ())
    if not weights and len(reading) == 1 and _is_normalized(value, reading[0], level):
        return key[reading[0]]
    again = all(len(readers[x]) > 1 for x in weights) if weights else key[value][1] == 2
    if not again or not reading:
        return key[value]
    wait = all(max(level.get(x, 0) for x in reads[r]) > level[value] for r in reading)
    return min(key[r] for r in reading) if wait else key[value]


def _is_normalized(value: Value, reader: Value, level: Mapping[Value, int]) -> bool:
    """Return True for numbers made from each other that a parameter of the next layer scales."""
    assert value.record is not None and reader.record is not None
    made, scaled = value.record.operation, reader.record.operation
    mixed = not (made.entrywise or made.identity or made.matrix_product or made.additive)
    return mixed and scaled.entrywise and level[reader] == level[value] + 1


def _number_steps(sections: Sequence[Layer]) -> Sequence[Layer]:
    """Number sections that follow each other and use the same weights as steps in time."""
    named = list(sections)
    start = 0
    for k in range(1, len(sections) + 1):
        same = k < len(sections) and _is_next_step(sections[k - 1], sections[k])
        if not same:
            for step, section in enumerate(sections[start:k] if k - start > 1 else ()):
                base = "" if section.name.startswith("layer ") else f"{section.name}, "
                named[start + step] = replace(section, name=f"{base}step {step + 1}")
            start = k
    return named


def _is_next_step(before: Layer, after: Layer) -> bool:
    """Return True if one of two layers uses all the weights of the other, and neither is a step."""
    one, other = set(before.parameters), set(after.parameters)
    numbered = ", step " in before.name + after.name
    return bool(one and other) and (one <= other or other <= one) and not numbered


def _values_read(value: Value) -> list[Value]:
    """Return the operands of a result that have a gradient."""
    assert value.record is not None
    return [x for x in value.record.operands if type(x) is Value and x.requires_grad]
