"""Writing a program as machine code through LLVM: what fuses into loops, and calls for the rest."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from ...support.abstract_array import Array
from ..ir.executable import Updates
from ..ir.fusion import Call
from ..ir.instruction import Instruction, execute
from ..ir.layout import locate
from ..ir.passes import EXACT_PASSES, FAST_MATH_PASSES, LAYOUT_PASSES, run_passes
from ..ir.program import Program
from ..ir.schedule import Schedule, Storage, make_schedule, roots_read
from ..runtime.fast_call import CELLS
from ..runtime.threads import THREADS, run_together
from .engine import Native
from .module import ENTRY, ModuleWriter, native, title_of

LARGE = 1 << 16  # bytes of a result whose memory is used again
ALONE = 2  # references to an array that only the list of results holds: that, and the asking's
Callback = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


class LlvmExecutable:
    """A program as machine code."""

    backend = "llvm"

    def __init__(self, program: Program, inputs: Sequence[Instruction], moved: Updates) -> None:
        returned = [*program.results, *(looking(x, look) for x, look in program.checks)]
        whole = Program(program.name, [*inputs, *returned, *(x for _, x in moved)])
        whole, self.done = run_passes(whole, [*FAST_MATH_PASSES, *EXACT_PASSES, *LAYOUT_PASSES])
        count, self._shown = len(inputs), len(program.results)
        self.inputs = whole.results[:count]
        results = whole.results[count : count + len(returned)]
        targets = list(
            zip([i for i, _ in moved], whole.results[count + len(results) :], strict=True)
        )
        self.plan: Schedule = make_schedule(self.inputs, results, targets, native)
        writer = ModuleWriter(program.name, self.plan, count, len(results), THREADS.count)
        self.threads = writer.threads
        self._writer, self.calls = writer, writer.calls
        self.native = Native(writer.form, lambda: writer.text, ENTRY)
        self._results = results
        self._moved = [i for i, _ in moved]
        self._changed = frozenset(self._moved)
        self._order = sorted(range(count), key=lambda i: i not in self._changed)  # these first
        self._slots = writer.slots
        self._prepare(writer.scratch)

    def _prepare(self, scratch: int) -> None:
        slots = self._slots
        self._table = (ctypes.c_void_p * slots.count)()
        self._strides = (ctypes.c_int64 * slots.count)()
        self._memory = aligned(self.plan.total_bytes)
        self._scratch = aligned(scratch)
        self._table[slots.own] = address(self._memory)
        self._table[slots.own + 1] = address(self._scratch)
        self._constants = []
        for number, x in enumerate(self.plan.constants):
            array = np.ascontiguousarray(x.value).reshape(x.shape)
            self._constants.append(array)
            self._table[slots[Storage("constant", number)]] = address(array)
        self._callback = Callback(self._call)
        self._table[slots.callback] = ctypes.cast(self._callback, ctypes.c_void_p).value
        self._cells = {i: np.zeros((), x.dtype) for i, x in enumerate(self.inputs) if not x.shape}
        self._first_result = slots[Storage("result", 0)] if self._results else 0
        self._held: list[Any] = [None] * len(self.inputs)
        self._numbers = [
            (k, np.zeros((), x.dtype)) for k, x in enumerate(self._results) if not x.shape
        ]
        for k, cell in self._numbers:
            self._table[self._first_result + k] = address(cell)
        self._last: list[Any] = [None] * len(self._results)
        self._copies: dict[int, Array] = {}
        self._meeting = aligned(128).view(np.int64)  # a counter, and whether a call has failed
        self._table[slots.meeting] = address(self._meeting)
        self._error: BaseException | None = None
        self._arrays: list[Any] = []
        self._pointers = (ctypes.addressof(self._table), ctypes.addressof(self._strides))

    def __call__(self, inputs: list[Any]) -> list[Any]:
        """The results, then the numbers that were moved."""
        table, held = self._table, self._held
        for i in self._order:
            if inputs[i] is not held[i]:
                self._set(i, inputs[i])
        found: list[Any] = [None] * len(self._results)
        for k, x in enumerate(self._results):
            if x.shape:
                array = np.empty(x.shape, x.dtype) if x.nbytes < LARGE else self._spare(k)
                found[k] = array
                table[self._first_result + k] = address(array)
        for k, cell in self._numbers:
            found[k] = cell
        self._run(1, inputs, found)
        for k, cell in self._numbers:
            found[k] = cell.item() if self._results[k].weak else cell[()]
        return [*found[: self._shown], *self._moved_numbers(inputs)]

    def _moved_numbers(self, inputs: Sequence[Any]) -> list[Any]:
        """The numbers, other than arrays, that the program has moved."""
        return [
            self._cells[i][()]
            for i in self._moved
            if i in self._cells and not isinstance(inputs[i], np.ndarray)
        ]

    def _set(self, i: int, x: Any) -> Any:
        """Let an input be read from where its numbers lie; the array, if that is in itself."""
        slot = i
        if not isinstance(x, np.ndarray):
            cell = self._cells[i]
            cell[...] = x
            self._held[i] = None
            self._table[slot] = address(cell)
            return None
        like = self.inputs[i]
        fits = x.flags.c_contiguous and x.flags.aligned and x.dtype == like.dtype
        if fits and not (i not in self._changed and self._overlaps(x)):
            self._held[i] = x
            self._table[slot] = address(x)
        else:
            copy = np.array(x, like.dtype, order="C")
            self._held[i] = None
            self._copies[i] = copy
            self._table[slot] = address(copy)
        return self._held[i]

    def _spare(self, k: int) -> Array:
        """An array for a large result: the last one, if nobody holds it any more."""
        if self._last[k] is None or sys.getrefcount(self._last[k]) > ALONE:
            x = self._results[k]
            self._last[k] = np.empty(x.shape, x.dtype)
        found: Array = self._last[k]
        return found

    def _overlaps(self, x: Array) -> bool:
        """Whether an array lies in one that the program changes: it is then read from a copy."""
        owner: Any = x
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        return any(owner is self._held[i] for i in self._moved)

    def _run(self, steps: int, inputs: list[Any], found: Sequence[Any]) -> None:
        if self.calls:
            self._arrays = [inputs, found]
        if self._native(steps) < 0:
            self._fail()

    def _native(self, steps: int) -> int:
        """So many steps in machine code; -1 where a call of Python has failed."""
        table, strides = self._pointers
        function = self.native.function
        if self.threads == 1:
            return int(function(table, strides, steps, 0))
        self._meeting[8] = 0
        return run_together(self.threads, lambda part: function(table, strides, steps, part))

    # ---- the quick way through a call

    def set_number(self, writing: Any, i: int, number: str) -> list[str]:
        """The line that gives a number to the program."""
        cell = CELLS[self.inputs[i].dtype].from_address(address(self._cells[i]))
        self._table[i] = address(self._cells[i])
        return [f"{writing.name('cell', cell)}.value = {number}"]

    def moved_number(self, writing: Any, i: int) -> str:
        """The expression for a number that was moved."""
        cell = CELLS[self.inputs[i].dtype].from_address(address(self._cells[i]))
        return f"{writing.name('cell', cell)}.value"

    def set_array(self, writing: Any, i: int, name: str) -> str:
        """The expression that gives an array to the program, and says whether it is kept."""
        return f"{writing.name('set', self._set)}({i}, {name})"

    def found(self, writing: Any, k: int) -> str:
        """The expression for a result."""
        if self._results[k].shape:
            return f"found{k}"
        cell = next(cell for number, cell in self._numbers if number == k)
        if self._results[k].weak and cell.dtype in CELLS:
            number = CELLS[cell.dtype].from_address(address(cell))
            return f"{writing.name('cell', number)}.value"
        return f"{writing.name('cell', cell)}[()]"

    def quick(self, writing: Any) -> list[str]:
        """The lines that run the program."""
        lines, table = [], writing.name("table", self._table)
        for k, x in enumerate(self._results):
            if not x.shape:
                continue
            slot = f"{table}[{self._first_result + k}]"
            where = f"{slot} = found{k}.__array_interface__['data'][0]"
            if x.nbytes < LARGE:
                empty, dtype = writing.name("empty", np.empty), writing.name("d", x.dtype)
                lines += [f"found{k} = {empty}({x.shape}, {dtype})", where]
            else:
                spare = writing.name("spare", self._spare)
                lines += [f"found{k} = {spare}({k})", where]
        if self.threads > 1:
            return [*lines, f"{writing.name('run', self._native)}(1)"]
        function = writing.name("native", self.native.function)
        return [*lines, f"{function}({self._pointers[0]}, {self._pointers[1]}, 1, 0)"]

    def _fail(self) -> NoReturn:
        """Raise what was raised in Python, on the way."""
        error, self._error = self._error, None
        assert error is not None
        raise error

    def loop(
        self, inputs: list[Any], steps: int, changing: dict[int, Array]
    ) -> tuple[list[Any], list[Any]]:
        """So many steps in one call."""
        for i in self._order:
            self._set(i, inputs[i])
        stacks = {i: np.ascontiguousarray(x, self.inputs[i].dtype) for i, x in changing.items()}
        for i, stack in stacks.items():
            self._table[i] = address(stack)
            self._strides[i] = self.inputs[i].nbytes
            self._held[i] = None
        rows = [np.empty((steps, *x.shape), x.dtype) for x in self._results]
        for k, row in enumerate(rows):
            self._table[self._first_result + k] = address(row)
            self._strides[self._first_result + k] = self._results[k].nbytes
        try:
            self._run(steps, [stacks.get(i, x) for i, x in enumerate(inputs)], rows)
        finally:
            for i in stacks:
                self._strides[i] = 0
                if i in self._cells:
                    self._table[i] = address(self._cells[i])
            for k in range(len(rows)):
                self._strides[self._first_result + k] = 0
            for k, cell in self._numbers:
                self._table[self._first_result + k] = address(cell)
        return rows[: self._shown], self._moved_numbers(inputs)

    # ---- what a report tells

    @property
    def memory_bytes(self) -> tuple[int, int]:
        """The bytes of results on the way, each for itself, and as they share memory."""
        return self.plan.unshared_bytes, self.plan.total_bytes

    @property
    def kernel_names(self) -> list[str]:
        """What each loop and product leaves behind, and the calls."""
        names = []
        for kernel in self.plan.kernels:
            function = kernel.last.options.get("function")
            name = function.name if function else title_of(kernel, self.plan)
            names.append(f"call of {name}" if isinstance(kernel, Call) else name)
        return names

    @property
    def llvm(self) -> str:
        """The module in LLVM's language."""
        return self._writer.text

    @property
    def bytes_moved(self) -> int:
        """What the kernels read and write, each array once."""
        return sum(
            sum(x.nbytes for x in roots_read(k)) + sum(x.nbytes for x in self.plan.stored[k])
            for k in self.plan.kernels
        )

    # ---- going back to Python

    def _call(self, number: int, step: int) -> int:
        try:
            self._called(self.calls[number], step)
        except BaseException as error:  # raised again where Python called
            self._error = error
            return 1
        return 0

    def _called(self, kernel: Call, step: int) -> None:
        x = kernel.members[0]
        with np.errstate(all="ignore"):
            found = execute(x, [self._array(y, step) for y in x.inputs])
        if x.operation != "call":
            self._put(x, found, step)
            return
        for part in self.plan.stored[kernel]:
            if part.operation == "part":
                self._put(part, found[part.options["position"]], step)

    def _array(self, y: Instruction, step: int) -> Any:
        """An operand's numbers, as NumPy has them."""
        where = locate(y)
        root = where.root
        if root.is_constant:
            whole = np.ascontiguousarray(root.value)
        else:
            whole = self._whole(self.plan.storage[root], root, step)
        if root.weak and not y.shape:
            return whole[()].item()
        flat = np.ascontiguousarray(whole).reshape(-1)[where.offset :]
        bytes_apart = [s * root.dtype.itemsize for s in where.strides]
        return np.lib.stride_tricks.as_strided(flat, y.shape, bytes_apart, writeable=False)

    def _whole(self, storage: Storage, x: Instruction, step: int) -> Array:
        if storage.kind == "own":
            offset, size = self.plan.own_memory[storage.number]
            return self._memory[offset : offset + size].view(x.dtype).reshape(x.shape)
        if storage.kind == "constant":
            return self._constants[storage.number]
        inputs, results = self._arrays
        slot = self._slots[storage]
        array = (inputs if storage.kind == "input" else results)[storage.number]
        if self._strides[slot]:
            return np.asarray(array[step])
        if storage.kind == "input" and not x.shape and not isinstance(array, np.ndarray):
            return self._cells[storage.number]
        return np.asarray(array, x.dtype)

    def _put(self, x: Instruction, found: Any, step: int) -> None:
        self._whole(self.plan.storage[x], x, step)[...] = found


def looking(x: Instruction, look: Callable[[Any], object]) -> Instruction:
    """A call that looks at numbers, as a result that nobody is shown: it raises, or gives 0."""

    def function(numbers: Any) -> tuple[Array]:
        look(numbers)
        return (np.zeros(1),)

    options = {"function": function, "likes": []}
    call = Instruction("call", [x], options, (1,), np.dtype(np.float64))
    return Instruction("part", [call], {"position": 0}, (1,), np.dtype(np.float64))


def aligned(size: int) -> Array:
    """Memory that begins at a multiple of 64 bytes."""
    whole = np.zeros(size + 64, np.uint8)
    start = -whole.__array_interface__["data"][0] % 64
    return whole[start : start + max(size, 1)]


def address(array: Array) -> int:
    """Where an array begins."""
    found: int = array.__array_interface__["data"][0]
    return found
