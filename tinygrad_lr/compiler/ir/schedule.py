"""In which order kernels run, what they keep in memory, and where: the plan of a native program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .fusion import Call, Kernel, Loop, Product, base_of, fused
from .instruction import Instruction, make
from .layout import contiguous, located
from .program import in_order

ALIGNMENT = 64


@dataclass(frozen=True)
class Storage:
    """A piece of memory: an input's, a result's, a constant's, or one of the program's own."""

    kind: str  # "input", "result", "constant", "own"
    number: int


@dataclass
class Schedule:
    """Kernels in order, and where each instruction that is kept lies.

    - `stored`: what each kernel leaves in memory
    - `places`: for what lies within another's memory, its first entry and its strides
    - `own`: for each piece of the program's own memory, its offset and its length in bytes
    - `total`: the bytes of all these together
    """

    kernels: list[Kernel]
    storage: dict[Instruction, Storage]
    constants: list[Instruction]
    stored: dict[Kernel, list[Instruction]] = field(default_factory=dict)
    places: dict[Instruction, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    own: list[tuple[int, int]] = field(default_factory=list)
    total: int = 0
    separate: int = 0


def scheduled(
    inputs: Sequence[Instruction],
    results: Sequence[Instruction],
    moved: Sequence[tuple[int, Instruction]],
    native: Callable[[Instruction], bool],
) -> Schedule:
    """The plan for a program that returns `results` and moves inputs."""
    returned = [make("copy", [x]) for x in results]
    targets = [(i, make("copy", [new])) for i, new in moved]
    kernels = fused([*returned, *(x for _, x in targets)], native)
    home = {x: kernel for kernel in kernels for x in kernel.members}
    edges = dependencies(kernels, home)
    in_place: dict[Instruction, int] = {}
    late: list[tuple[int, Instruction]] = []
    calls = [kernel for kernel in kernels if isinstance(kernel, Call)]
    for i, x in targets:
        writer = home[x]
        before = [k for k in kernels if k is not writer and inputs[i] in roots_read(k)]
        if reads_alike(writer, inputs[i], x) and added(edges, [*before, *calls], writer):
            in_place[x] = i
        else:
            late.append((i, x))
    for i, x in late:
        again = make("copy", [x])
        kernel = Loop([again], x.shape, {again: tuple(range(len(x.shape)))})
        edges[kernel] = [*kernels]
        kernels.append(kernel)
        home[again] = kernel
        in_place[again] = i
    plan = Schedule(in_order(kernels, edges.__getitem__), {}, [])
    for number, x in enumerate(inputs):
        plan.storage[x] = Storage("input", number)
    for number, x in enumerate(returned):
        plan.storage[x] = Storage("result", number)
    for x, i in in_place.items():
        plan.storage[x] = Storage("input", i)
    _place(plan, home)
    return plan


def roots_read(kernel: Kernel) -> set[Instruction]:
    """The instructions whose memory a kernel reads."""
    own = set(kernel.members)
    return {base_of(y) for x in kernel.members for y in x.inputs if base_of(y) not in own}


def dependencies(
    kernels: Sequence[Kernel], home: dict[Instruction, Kernel]
) -> dict[Kernel, list[Kernel]]:
    """For each kernel, those that must run before it."""
    return {
        kernel: [maker for x in roots_read(kernel) for maker in makers(x, home)]
        for kernel in kernels
    }


def makers(root: Instruction, home: dict[Instruction, Kernel]) -> list[Kernel]:
    """The kernels that write an instruction's memory: several for arrays that are joined."""
    if root.operation == "join":
        return [home[copy] for copy in root.inputs]
    found = home.get(base_of(root))
    return [] if found is None else [found]


def added(edges: dict[Kernel, list[Kernel]], before: Sequence[Kernel], after: Kernel) -> bool:
    """Let kernels run before another, unless one of them needs it; whether that was possible."""
    fresh = [k for k in before if k is not after]
    for kernel in fresh:
        if needs(edges, kernel, after):
            return False
    edges[after] = [*edges[after], *fresh]
    return True


def needs(edges: dict[Kernel, list[Kernel]], kernel: Kernel, other: Kernel) -> bool:
    """Whether a kernel can only run after another."""
    seen, waiting = set(), [kernel]
    while waiting:
        k = waiting.pop()
        if k is other:
            return True
        if k not in seen:
            seen.add(k)
            waiting += edges[k]
    return False


def reads_alike(kernel: Kernel, state: Instruction, target: Instruction) -> bool:
    """Whether a kernel may write `target` over `state`: it reads each entry where it writes it."""
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
            where = located(y)
            mapping = kernel.axes.get(x)
            if x.operation in {"dot"} or mapping is None:
                return False
            if y.shape == state.shape == target.shape and not where.offset:
                same = where.strides == located(state).strides or state.size == 1
                aligned = _axes_of_operand(kernel, x, y)
                if same and aligned == kernel.axes[target]:
                    continue
            if state.size == 1:
                continue
            return False
    return True


def _axes_of_operand(kernel: Loop, x: Instruction, y: Instruction) -> tuple[int | None, ...]:
    from .instruction import REDUCTIONS

    axes = kernel.axes[x]
    if x.operation in REDUCTIONS:
        return tuple(range(len(y.shape)))
    return axes[len(axes) - len(y.shape) :]


def place_of(plan: Schedule, x: Instruction) -> tuple[int, tuple[int, ...]]:
    """Where an instruction's entries lie in its memory: the first one, and the strides."""
    return plan.places.get(x) or (0, contiguous(x.shape))


def _place(plan: Schedule, home: dict[Instruction, Kernel]) -> None:
    """Find memory for all that one kernel leaves for another, by lifetime."""
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
            born.setdefault(min(position[k] for k in makers(x, home)), []).append(x)
    free: list[tuple[int, int]] = []
    ending: dict[int, list[tuple[int, int]]] = {}
    for i, kernel in enumerate(plan.kernels):
        for x in born.get(i, ()):
            size = max(ALIGNMENT, -(-x.nbytes // ALIGNMENT) * ALIGNMENT)
            plan.separate += size
            offset = _taken(free, size)
            if offset is None:
                offset, plan.total = plan.total, plan.total + size
            plan.storage[x] = Storage("own", len(plan.own))
            plan.own.append((offset, x.nbytes))
            if x.operation == "join":
                _share(plan, x)
            ending.setdefault(until[x], []).append((offset, size))
        free += ending.pop(i, ())
        free.sort()
        kept = {x for x in plan.storage if home.get(base_of(x)) is kernel}
        plan.stored[kernel] = [x for x in kernel.members if x in kept] + [
            x for x in kept if x.operation == "part"
        ]


def _share(plan: Schedule, join: Instruction) -> None:
    """Let the copies that are joined be parts of the whole's memory."""
    strides, axis, before = contiguous(join.shape), join.options["axis"], 0
    for copy in join.inputs:
        plan.storage[copy] = plan.storage[join]
        plan.places[copy] = (before * strides[axis], strides)
        before += copy.shape[axis]


def root_of(y: Instruction) -> Instruction:
    """What lies in memory behind a view; a part of a call's result lies for itself."""
    return located(y).root


def _taken(free: list[tuple[int, int]], size: int) -> int | None:
    """The smallest free piece that is large enough, cut to size."""
    fitting = [piece for piece in free if piece[1] >= size]
    if not fitting:
        return None
    best = min(fitting, key=lambda piece: piece[1])
    free.remove(best)
    if best[1] > size:
        free.append((best[0] + size, best[1] - size))
    return best[0]
