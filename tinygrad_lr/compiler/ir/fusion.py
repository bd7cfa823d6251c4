"""Fusion: group instructions into kernels, so that intermediate results stay in registers.

A `Loop` runs over an iteration space: rows (the outer axes) and, within a row, columns (the last
axis). Its members are elementwise instructions and reductions. A member that varies along the
columns is computed for each entry. One that doesn't, such as the sum of a row, is computed once
per row, and later members may use it in the same row: a softmax is one loop. A `Product` is a
matrix product, or a batch of them, with an epilogue of elementwise instructions. An `Indexed`
kernel is a gather or a scatter, a `RowUpdate` adds to some rows of a table. A `Call` calls back
into Python.

The pass is greedy. Instructions are visited in topological order, and each joins the last kernel
that it fits into and that doesn't run before its operands' kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from .cost import code_size
from .instruction import PRODUCTS, REDUCTIONS, VIEWS, Instruction, Shape
from .program import topological_order

MAX_LOOP_CODE = 600  # operations of a processor in a loop: the time to compile grows faster
MAX_LOOKBACK = 256  # kernels that an instruction may join, so that fusing takes linear time

Axes = tuple[int | None, ...]
"""The axis of the iteration space that each axis of an instruction is; None for length 1."""


@dataclass(eq=False)
class Kernel:
    """A part of the program that runs as a whole."""

    members: list[Instruction] = field(default_factory=list)

    @property
    def last(self) -> Instruction:
        """The instruction added last."""
        return self.members[-1]


@dataclass(eq=False)
class Loop(Kernel):
    """Members over one iteration space, each with its axes."""

    shape: Shape = ()
    axes: dict[Instruction, Axes] = field(default_factory=dict)

    @property
    def inner(self) -> int:
        """The axis of the columns: the last one that is longer than 1, or -1 if there is none."""
        return max((i for i, n in enumerate(self.shape) if n > 1), default=-1)

    def is_full(self, x: Instruction) -> bool:
        """Return True if a member has a value for each column, not one per row."""
        return self.inner >= 0 and self.inner in self.varying_axes(x)

    def varying_axes(self, x: Instruction) -> set[int]:
        """Return the axes of the iteration space along which a member varies."""
        return {i for i in self.axes[x] if i is not None and self.shape[i] > 1}

    def is_available_in_row(self, x: Instruction) -> bool:
        """Return True if other members can use x in the same row.

        An elementwise result is known at once, the sum of a row at the end of the row, and a sum
        over rows only after the loop.
        """
        if x.operation not in REDUCTIONS:
            return True
        outer = {i for i, n in enumerate(self.shape) if n > 1 and i != self.inner}
        return self.varying_axes(x) == outer and not (self.inner < 0)


@dataclass(eq=False)
class Product(Loop):
    """Matrix products, and the elementwise epilogue for each finished entry."""


class Indexed(Kernel):
    """A gather or a scatter. It ends the program if an index is out of range."""

    @property
    def may_fail(self) -> bool:
        """True if it has arrays of indices."""
        return len(self.last.inputs) > 1


class RowUpdate(Kernel):
    """A sum of a table and multiples of what is scattered, which changes only some of its rows."""


@dataclass(eq=False)
class Call(Kernel):
    """A call of a Python function."""


class NativeLoop(Kernel):
    """A loop whose body is another program of machine code, which this one calls."""


def fuse(roots: Iterable[Instruction], is_native: Callable[[Instruction], bool]) -> list[Kernel]:
    """Return kernels in an order in which they can run.

    `is_native` returns True for instructions that kernels can compute without calling Python.
    """
    order = [x for x in topological_order(roots) if x.operation not in VIEWS]
    return Fusion(order, is_native).kernels


class Fusion:
    """The state of the fusion: kernels so far, and the kernel of each instruction."""

    def __init__(
        self, order: Sequence[Instruction], is_native: Callable[[Instruction], bool]
    ) -> None:
        self.kernels: list[Kernel] = []
        self.home: dict[Instruction, int] = {}  # the index of an instruction's kernel
        self.code: dict[Kernel, int] = {}  # the size of its code
        for x in order:
            if x.operation in {"input", "constant", "part"}:
                continue
            if x.operation == "join":
                self.home[x] = max(self.home[y] for y in x.inputs) + 1  # after all its parts
                continue
            if getattr(x.options.get("function"), "is_native", False):
                self._start(x, NativeLoop([x]))
            elif not is_native(x):
                self._start(x, Call([x]))
            elif x.operation in {"gather", "scatter"}:
                self._start(x, Indexed([x]))
            elif x.operation == "update_rows":
                self._start(x, RowUpdate([x]))
            elif x.operation in PRODUCTS:
                shape = x.shape
                self._start(x, Product([x], shape, {x: tuple(range(len(shape)))}))
            elif not self._join_kernel(x):
                shape = x.inputs[0].shape if x.operation in REDUCTIONS else x.shape
                axes = reduce_axes(x, tuple(range(len(shape))))
                self._start(x, Loop([x], shape, {x: axes}))

    def _start(self, x: Instruction, kernel: Kernel) -> None:
        self.home[x] = len(self.kernels)
        self.kernels.append(kernel)
        self.code[kernel] = code_size(x)

    def _join_kernel(self, x: Instruction) -> bool:
        """Add an instruction to the last kernel that it fits into; return False if none does."""
        needed = [self.home[base_of(y)] for y in x.inputs if base_of(y) in self.home]
        earliest = max(needed, default=0)  # it cannot run before its operands' kernels
        earliest = max(earliest, len(self.kernels) - MAX_LOOKBACK)
        for position in range(len(self.kernels) - 1, earliest - 1, -1):
            kernel = self.kernels[position]
            if not isinstance(kernel, Loop):
                continue
            axes = self._find_axes(kernel, x)
            if axes is not None:
                kernel.members.append(x)
                kernel.axes[x] = axes
                self.home[x] = position
                self.code[kernel] += code_size(x)
                return True
        return False

    def _find_axes(self, kernel: Loop, x: Instruction) -> Axes | None:
        """Return the axes that an instruction has in a loop, or None if it doesn't fit."""
        iterated = x.inputs[0].shape if x.operation in REDUCTIONS else x.shape
        if isinstance(kernel, Product) and (x.operation in REDUCTIONS or iterated != kernel.shape):
            return None
        if self.code[kernel] + code_size(x) > MAX_LOOP_CODE:
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
            if self._operands_match(kernel, x, iterated, mapping):
                return reduce_axes(x, mapping)
        return None

    def _operands_match(self, kernel: Loop, x: Instruction, iterated: Shape, mapping: Axes) -> bool:
        """Return True if operands that the loop computes are known in the same turn."""
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
                return False  # it reads nothing that this loop computes
        for y in x.inputs:
            base = base_of(y)
            if base in kernel.axes:
                wanted = backward_axes(y, mapping[len(mapping) - len(y.shape) :])
                have = kernel.axes[base]
                if wanted is None or not kernel.is_available_in_row(base):
                    return False
                if x.operation in REDUCTIONS and kernel.inner in mine - kernel.varying_axes(base):
                    return False  # a row would be added up from one number
                pairs = zip(base.shape, wanted, have, strict=True)
                if any(n > 1 and a != b for n, a, b in pairs):
                    return False
        return True


def base_of(x: Instruction) -> Instruction:
    """Return the instruction behind a chain of views, or the call behind a part."""
    while x.operation in VIEWS or x.operation == "part":
        x = x.inputs[0]
    return x


def reduce_axes(x: Instruction, axes: Axes) -> Axes:
    """Return the axes of x, given those of its operand: a reduction loses some."""
    if x.operation not in REDUCTIONS:
        return axes
    gone, kept = x.options["axis"], x.options["keepdims"]
    return tuple(
        None if i in gone else axis for i, axis in enumerate(axes) if kept or i not in gone
    )


def forward_axes(kernel: Loop, y: Instruction) -> Axes | None:
    """Return the axes of an operand that is a view of a member; None if it isn't one."""
    views = []
    base = y
    while base.operation in VIEWS:
        views.append(base)
        base = base.inputs[0]
    if base not in kernel.axes:
        return None
    axes: Axes | None = kernel.axes[base]
    for view in reversed(views):
        axes = None if axes is None else view_axes(view, axes)
    return axes


def view_axes(view: Instruction, axes: Axes) -> Axes | None:
    """Return the axes of a view, given those of its operand."""
    shape, inner = view.shape, view.inputs[0].shape
    if view.operation == "transpose":
        return tuple(axes[i] for i in view.options["axes"])
    if view.operation == "broadcast":
        extra = len(shape) - len(inner)
        if any(n != m for n, m in zip(shape[extra:], inner, strict=True)) or extra:
            return None  # the result has entries that the member doesn't have
        return axes
    if view.operation == "reshape":
        left = [axis for n, axis in zip(inner, axes, strict=True) if n > 1]
        if [n for n in shape if n > 1] != [n for n in inner if n > 1]:
            return None
        rest = iter(left)
        return tuple(next(rest) if n > 1 else None for n in shape)
    return None


def backward_axes(y: Instruction, axes: Axes) -> Axes | None:
    """Return the axes that the member behind a view must have for the view to have `axes`."""
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
