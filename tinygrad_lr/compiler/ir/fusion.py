"""Fusion: which instructions share a loop, so that what one computes never goes to memory.

A `Loop` runs over an iteration space: rows (the outer axes) and, within a row, columns (the last
axis). Its members are elementwise instructions and reductions. A member that depends on the
columns is computed for each entry; one that does not, such as the sum of a row, once a row, and
may be used by what follows in the same row: a softmax is one loop. A `Product` is a matrix product
with the elementwise instructions that are its last line. A `Call` goes back to Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from .instruction import REDUCTIONS, VIEWS, Instruction, Shape
from .program import ordered

Axes = tuple[int | None, ...]
"""For each axis of an instruction, which axis of the iteration space it is; None for length 1."""


@dataclass(eq=False)
class Kernel:
    """A piece of the program that runs as a whole."""

    members: list[Instruction] = field(default_factory=list)

    @property
    def last(self) -> Instruction:
        """What it was made for."""
        return self.members[-1]


@dataclass(eq=False)
class Loop(Kernel):
    """Members over one iteration space, each with its axes."""

    shape: Shape = ()
    axes: dict[Instruction, Axes] = field(default_factory=dict)

    @property
    def inner(self) -> int:
        """The axis of the columns: the last one that is longer than 1, -1 if there is none."""
        return max((i for i, n in enumerate(self.shape) if n > 1), default=-1)

    def is_full(self, x: Instruction) -> bool:
        """Whether a member has a value for each column."""
        return self.inner >= 0 and self.inner in self.depends(x)

    def depends(self, x: Instruction) -> set[int]:
        """The axes on which a member's values depend."""
        return {i for i in self.axes[x] if i is not None and self.shape[i] > 1}

    def within(self, x: Instruction) -> bool:
        """Whether a member's value is there for others in the same turn."""
        if x.operation not in REDUCTIONS:
            return True
        outer = {i for i, n in enumerate(self.shape) if n > 1 and i != self.inner}
        return self.depends(x) == outer and not (self.inner < 0)


@dataclass(eq=False)
class Product(Loop):
    """A matrix product, and what is done with each entry as it is finished."""


@dataclass(eq=False)
class Call(Kernel):
    """What is done by a function of Python."""


def fused(roots: Iterable[Instruction], native: Callable[[Instruction], bool]) -> list[Kernel]:
    """Kernels in an order in which they can run; `native` says what they can compute without
    going back to Python.
    """
    order = [x for x in ordered(roots) if x.operation not in VIEWS]
    return Fusing(order, native).kernels


class Fusing:
    """Instructions being sorted into kernels, one after the other."""

    def __init__(self, order: Sequence[Instruction], native: Callable[[Instruction], bool]) -> None:
        self.kernels: list[Kernel] = []
        self.home: dict[Instruction, int] = {}  # in which kernel an instruction is computed
        for x in order:
            if x.operation in {"input", "constant", "part"}:
                continue
            if x.operation == "join":
                self.home[x] = max(self.home[y] for y in x.inputs) + 1  # after all its parts
                continue
            if not native(x):
                self._begin(x, Call([x]))
            elif x.operation == "dot":
                shape = x.shape
                self._begin(x, Product([x], shape, {x: tuple(range(len(shape)))}))
            elif not self._joined(x):
                shape = x.inputs[0].shape if x.operation in REDUCTIONS else x.shape
                axes = reduced_axes(x, tuple(range(len(shape))))
                self._begin(x, Loop([x], shape, {x: axes}))

    def _begin(self, x: Instruction, kernel: Kernel) -> None:
        self.home[x] = len(self.kernels)
        self.kernels.append(kernel)

    def _joined(self, x: Instruction) -> bool:
        """Put an instruction into a kernel that is there already, if it fits in one."""
        needed = [self.home[base_of(y)] for y in x.inputs if base_of(y) in self.home]
        earliest = max(needed, default=0)  # it cannot run before its operands' kernels
        for position in range(len(self.kernels) - 1, earliest - 1, -1):
            kernel = self.kernels[position]
            if not isinstance(kernel, Loop):
                continue
            axes = self._fitting(kernel, x)
            if axes is not None:
                kernel.members.append(x)
                kernel.axes[x] = axes
                self.home[x] = position
                return True
        return False

    def _fitting(self, kernel: Loop, x: Instruction) -> Axes | None:
        """The axes that an instruction would have in a loop, None if it does not fit."""
        iterated = x.inputs[0].shape if x.operation in REDUCTIONS else x.shape
        if isinstance(kernel, Product) and (x.operation in REDUCTIONS or iterated != kernel.shape):
            return None
        if len(kernel.members) >= MOST:
            return None
        candidates: list[Axes] = []
        for y in () if isinstance(kernel, Product) else x.inputs:
            derived = forward_axes(kernel, y)
            if derived is not None:
                padded = (None,) * (len(iterated) - len(derived)) + derived
                candidates.append(padded)
        if iterated == kernel.shape:
            candidates.append(tuple(range(len(iterated))))
        for mapping in candidates:
            if self._agrees(kernel, x, iterated, mapping):
                return reduced_axes(x, mapping)
        return None

    def _agrees(self, kernel: Loop, x: Instruction, iterated: Shape, mapping: Axes) -> bool:
        """Whether every operand that the loop computes is there, at the right index."""
        if len(mapping) != len(iterated):
            return False
        for n, i in zip(iterated, mapping, strict=True):
            if n > 1 and (i is None or kernel.shape[i] != n):
                return False
        mine = {i for n, i in zip(iterated, mapping, strict=True) if n > 1}
        long = {i for i, n in enumerate(kernel.shape) if n > 1}
        if mine != long:
            rows = long - {kernel.inner}
            whole_rows = mine == rows and (bool(rows) or kernel.inner >= 0)
            if not whole_rows or isinstance(kernel, Product):
                return False
            if not any(base_of(y) in kernel.axes for y in x.inputs):
                return False  # it has nothing to do with these rows
        for y in x.inputs:
            base = base_of(y)
            if base in kernel.axes:
                wanted = backward_axes(y, mapping[len(mapping) - len(y.shape) :])
                have = kernel.axes[base]
                if wanted is None or not kernel.within(base):
                    return False
                pairs = zip(base.shape, wanted, have, strict=True)
                if any(n > 1 and a != b for n, a, b in pairs):
                    return False
        return True


MOST = 600
"""Members of one loop: code that is longer compiles slowly."""


def base_of(x: Instruction) -> Instruction:
    """What a view looks at."""
    while x.operation in VIEWS or x.operation == "part":
        x = x.inputs[0]
    return x


def reduced_axes(x: Instruction, axes: Axes) -> Axes:
    """The axes of a reduction's result, given those of its operand; the same for other kinds."""
    if x.operation not in REDUCTIONS:
        return axes
    gone, kept = x.options["axis"], x.options["keepdims"]
    return tuple(
        None if i in gone else axis for i, axis in enumerate(axes) if kept or i not in gone
    )


def forward_axes(kernel: Loop, y: Instruction) -> Axes | None:
    """The axes of an operand that is a view of a member: None if the loop does not compute it."""
    views = []
    base = y
    while base.operation in VIEWS:
        views.append(base)
        base = base.inputs[0]
    if base not in kernel.axes:
        return None
    axes: Axes | None = kernel.axes[base]
    for view in reversed(views):
        axes = None if axes is None else through(view, axes)
    return axes


def through(view: Instruction, axes: Axes) -> Axes | None:
    """The axes of a view, given those of what it looks at."""
    shape, inner = view.shape, view.inputs[0].shape
    if view.operation == "transpose":
        return tuple(axes[i] for i in view.options["axes"])
    if view.operation == "broadcast":
        extra = len(shape) - len(inner)
        if any(n != m for n, m in zip(shape[extra:], inner, strict=True)) or extra:
            return None  # spread: the result has entries that the member has not
        return axes
    if view.operation == "reshape":
        left = [axis for n, axis in zip(inner, axes, strict=True) if n > 1]
        if [n for n in shape if n > 1] != [n for n in inner if n > 1]:
            return None
        rest = iter(left)
        return tuple(next(rest) if n > 1 else None for n in shape)
    return None


def backward_axes(y: Instruction, axes: Axes) -> Axes | None:
    """The axes that the member behind a view must have, for the view to have these."""
    found: Axes | None = axes
    while y.operation in VIEWS:
        inner = y.inputs[0]
        assert found is not None
        if y.operation == "transpose":
            order = y.options["axes"]
            placed: list[int | None] = [None] * len(order)
            for place, i in enumerate(order):
                placed[i] = found[place]
            found = tuple(placed)
        elif y.operation == "broadcast":
            extra = len(y.shape) - len(inner.shape)
            pairs = zip(inner.shape, found[extra:], strict=True)
            found = tuple(axis if n > 1 else None for n, axis in pairs)
        elif y.operation == "reshape":
            if [n for n in y.shape if n > 1] != [n for n in inner.shape if n > 1]:
                return None
            rest = iter([axis for n, axis in zip(y.shape, found, strict=True) if n > 1])
            found = tuple(next(rest) if n > 1 else None for n in inner.shape)
        else:
            return None
        y = inner
    return found
