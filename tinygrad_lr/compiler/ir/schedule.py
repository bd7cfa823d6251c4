"""The schedule of a native program: the order of its kernels, and the memory of their results.

Two things are subtle. An update may be written over the input that it replaces only by a kernel
that reads each old entry where it writes the new one, and that runs after all other readers of
the input; otherwise it goes to memory of its own and is copied at the end. And intermediate
results share one block of memory by lifetime, best fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .fusion import Call, Indexed, Kernel, Loop, Product, RowUpdate, base_of, fuse
from .instruction import PRODUCTS, REDUCTIONS, Instruction, make
from .layout import contiguous_strides, locate
from .program import topological_sort

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


@dataclass(frozen=True)
class Storage:
    """A piece of memory: of an input, a result, a constant, or of an intermediate result (own)."""

    kind: str  # "input", "result", "constant", "own"
    number: int


@dataclass
class Schedule:
    """Kernels in the order in which they run, and where results are stored.

    - `stored`: the results that each kernel writes to memory
    - `placements`: the first entry and the strides of what is stored within another's memory
    - `own_memory`: offset and size in bytes of each piece of the program's own memory
    - `total_bytes`: the size of the program's own memory
    - `unshared_bytes`: what it would be if no results shared memory
    """

    kernels: list[Kernel]
    storage: dict[Instruction, Storage]
    constants: list[Instruction]
    stored: dict[Kernel, list[Instruction]] = field(default_factory=dict)
    placements: dict[Instruction, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    own_memory: list[tuple[int, int]] = field(default_factory=list)
    total_bytes: int = 0
    unshared_bytes: int = 0


def make_schedule(
    inputs: Sequence[Instruction],
    results: Sequence[Instruction],
    updates: Sequence[tuple[int, Instruction]],
    is_native: Callable[[Instruction], bool],
) -> Schedule:
    """Return the schedule of a program that returns `results` and updates inputs.

    `is_native` returns True for instructions that kernels can compute without calling Python.
    """
    # a copy of each result and update, which fusion puts into the kernel that computes it
    returned = [make("copy", [x]) for x in results]
    targets = [
        (i, new if new.operation == "update_rows" else make("copy", [new])) for i, new in updates
    ]
    kernels = fuse([*returned, *(x for _, x in targets)], is_native)
    home = {x: kernel for kernel in kernels for x in kernel.members}
    edges = find_dependencies(kernels, home)
    order = {kernel: i for i, kernel in enumerate(kernels)}
    readers: dict[Instruction, list[Kernel]] = {}
    for kernel in kernels:
        for root in find_operand_roots(kernel):
            readers.setdefault(root, []).append(kernel)
    in_place: dict[Instruction, int] = {}
    late: list[tuple[int, Instruction]] = []
    # updates run after all that may raise an error, since inputs must be unchanged then
    calls = [kernel for kernel in kernels if may_fail(kernel)]
    for i, x in targets:
        writer = home[x]
        before = [*readers.get(inputs[i], ()), *calls]
        if can_write_over(writer, inputs[i], x) and add_dependencies(edges, order, before, writer):
            in_place[x] = i
        else:
            late.append((i, x))
    for i, x in late:  # copied to the input after all kernels
        again = make("copy", [x])
        kernel = Loop([again], x.shape, {again: tuple(range(len(x.shape)))})
        edges[kernel] = [*kernels]
        kernels.append(kernel)
        home[again] = kernel
        in_place[again] = i
    plan = Schedule(topological_sort(kernels, edges.__getitem__), {}, [])
    for number, x in enumerate(inputs):
        plan.storage[x] = Storage("input", number)
    for number, x in enumerate(returned):
        plan.storage[x] = Storage("result", number)
    for x, i in in_place.items():
        plan.storage[x] = Storage("input", i)
    _allocate(plan, home)
    return plan


def may_fail(kernel: Kernel) -> bool:
    """Return True if a kernel may end the program with an error."""
    return isinstance(kernel, Call) or (isinstance(kernel, Indexed) and kernel.may_fail)


def find_operand_roots(kernel: Kernel) -> set[Instruction]:
    """Return the instructions whose memory a kernel reads."""
    own = set(kernel.members)
    return {base_of(y) for x in kernel.members for y in x.inputs if base_of(y) not in own}


def find_dependencies(
    kernels: Sequence[Kernel], home: dict[Instruction, Kernel]
) -> dict[Kernel, list[Kernel]]:
    """Return, for each kernel, the kernels that must run before it."""
    return {
        kernel: [maker for x in find_operand_roots(kernel) for maker in find_producers(x, home)]
        for kernel in kernels
    }


def find_producers(root: Instruction, home: dict[Instruction, Kernel]) -> list[Kernel]:
    """Return the kernels that write an instruction's memory: several for a join."""
    if root.operation == "join":
        return [home[copy] for copy in root.inputs]
    found = home.get(base_of(root))
    return [] if found is None else [found]


def add_dependencies(
    edges: dict[Kernel, list[Kernel]],
    order: dict[Kernel, int],
    before: Sequence[Kernel],
    after: Kernel,
) -> bool:
    """Make kernels run before another; return False if one of them depends on it.

    `order` is one in which all can run. It is only changed if the others come later in it, which
    is rare, so that many updates take linear time.
    """
    new = [k for k in before if k is not after]
    later = [k for k in new if order[k] > order[after]]
    if depend_on(edges, order, later, after):
        return False
    edges[after] += new
    if later:
        order.update(
            (kernel, i) for i, kernel in enumerate(topological_sort(order, edges.__getitem__))
        )
    return True


def depend_on(
    edges: dict[Kernel, list[Kernel]],
    order: dict[Kernel, int],
    kernels: Sequence[Kernel],
    other: Kernel,
) -> bool:
    """Return True if one of the kernels can only run after another."""
    seen, waiting = set(), list(kernels)
    while waiting:
        k = waiting.pop()
        if k is other:
            return True
        if k not in seen and order[k] > order[other]:
            seen.add(k)
            waiting += edges[k]
    return False


def can_write_over(kernel: Kernel, state: Instruction, target: Instruction) -> bool:
    """Return True if a kernel may write `target` over `state`.

    It must read each entry of `state` only in the turn in which it writes that entry.
    """
    if isinstance(kernel, RowUpdate):
        table, *others = target.inputs
        return table is state and all(base_of(y) is not state for y in others)
    if not isinstance(kernel, Loop):
        return False
    if isinstance(kernel, Product):
        operands = kernel.members[0].inputs
        if any(base_of(y) is state for y in operands):
            return False
    for x in kernel.members:
        for y in x.inputs:
            if base_of(y) is not state:
                continue
            where = locate(y)
            mapping = kernel.axes.get(x)
            if x.operation in PRODUCTS or mapping is None:
                return False
            if y.shape == state.shape == target.shape and not where.offset:
                same = where.strides == locate(state).strides or state.size == 1
                aligned = operand_axes(kernel, x, y)
                if same and aligned == kernel.axes[target]:
                    continue
            if state.size == 1 and runs_on_one_thread(kernel):
                continue
            return False
    return True


def runs_on_one_thread(kernel: Loop) -> bool:
    """Return True if threads can't share a loop: one could read what another has written."""
    sums = (x for x in kernel.members if x.operation in REDUCTIONS)
    return math.prod(kernel.shape) == 1 or any(x.size == 1 for x in sums)


def operand_axes(kernel: Loop, x: Instruction, y: Instruction) -> tuple[int | None, ...]:
    """Return the axes of the iteration space that the axes of an operand of x are."""
    axes = kernel.axes[x]
    if x.operation in REDUCTIONS:
        return tuple(range(len(y.shape)))
    return axes[len(axes) - len(y.shape) :]


def placement_of(plan: Schedule, x: Instruction) -> tuple[int, tuple[int, ...]]:
    """Return the first entry and the strides of an instruction within its memory."""
    return plan.placements.get(x) or (0, contiguous_strides(x.shape))


def _allocate(plan: Schedule, home: dict[Instruction, Kernel]) -> None:
    """Allocate memory for what one kernel leaves for another, by lifetime."""
    position = {kernel: i for i, kernel in enumerate(plan.kernels)}
    until: dict[Instruction, int] = {}
    constants: dict[Instruction, None] = {}
    for i, kernel in enumerate(plan.kernels):
        for x in kernel.members:
            for y in x.inputs:
                root = root_of(y)
                if root.is_constant:
                    if root.shape or not root.weak:
                        constants[root] = None
                elif root not in kernel.members or isinstance(kernel, Call):
                    until[root] = max(until.get(root, 0), i)
    for number, x in enumerate(constants):
        plan.storage[x] = Storage("constant", number)
    plan.constants = list(constants)
    born: dict[int, list[Instruction]] = {}
    for x in until:
        if x not in plan.storage:
            born.setdefault(min(position[k] for k in find_producers(x, home)), []).append(x)
    free: list[tuple[int, int]] = []
    ending: dict[int, list[tuple[int, int]]] = {}
    for i in range(len(plan.kernels)):
        for x in born.get(i, ()):
            size = max(ALIGNMENT, -(-x.nbytes // ALIGNMENT) * ALIGNMENT)
            plan.unshared_bytes += size
            offset = _take_free(free, size)
            if offset is None:
                offset, plan.total_bytes = plan.total_bytes, plan.total_bytes + size
            plan.storage[x] = Storage("own", len(plan.own_memory))
            plan.own_memory.append((offset, x.nbytes))
            if x.operation == "join":
                _place_parts(plan, x)
            ending.setdefault(until[x], []).append((offset, size))
        free += ending.pop(i, ())
        free.sort()
    parts: dict[Kernel, list[Instruction]] = {}
    for x in plan.storage:
        if x.operation == "part" and (maker := home.get(base_of(x))) is not None:
            parts.setdefault(maker, []).append(x)
    for kernel in plan.kernels:
        kept = [x for x in kernel.members if x in plan.storage]
        plan.stored[kernel] = [*kept, *parts.get(kernel, ())]


def _place_parts(plan: Schedule, join: Instruction) -> None:
    """Place the copies of a join within its memory."""
    strides, axis, before = contiguous_strides(join.shape), join.options["axis"], 0
    for copy in join.inputs:
        plan.storage[copy] = plan.storage[join]
        plan.placements[copy] = (before * strides[axis], strides)
        before += copy.shape[axis]


def root_of(y: Instruction) -> Instruction:
    """Return what a view is stored as. A part of a call's result has memory of its own."""
    return locate(y).root


def _take_free(free: list[tuple[int, int]], size: int) -> int | None:
    """Take memory from the smallest free piece that is large enough (best fit)."""
    fitting = [piece for piece in free if piece[1] >= size]
    if not fitting:
        return None
    best = min(fitting, key=lambda piece: piece[1])
    free.remove(best)
    if best[1] > size:
        free.append((best[0] + size, best[1] - size))
    return best[0]
