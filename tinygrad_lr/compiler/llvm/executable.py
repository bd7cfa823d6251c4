"""The LLVM backend: a program as machine code, with callbacks into Python for the rest.

Machine code knows its arrays by a table of addresses. An input is passed by storing its address in
the table, and stays bound until another object is passed in its place. An input that is not
contiguous, not aligned, or shares memory with an array that the program updates is copied first.
"""

from __future__ import annotations

import bisect
import ctypes
import sys
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any, NoReturn

import numpy as np

from ...support.abstract_array import Array
from ..ir.control_flow import bind_bodies
from ..ir.cost import count_bytes_moved
from ..ir.executable import Updates
from ..ir.fusion import Call, Indexed, Kernel, NativeLoop, RowUpdate
from ..ir.instruction import Instruction, execute, make, replace_operands
from ..ir.layout import contiguous_strides, locate
from ..ir.passes import EXACT_PASSES, FAST_MATH_PASSES, LAYOUT_PASSES, run_passes
from ..ir.program import Program
from ..ir.schedule import Schedule, Storage, find_operand_roots, make_schedule
from ..ir.stages import Stages
from .engine import NativeCode
from .module import ENTRY, ModuleWriter, is_native, make_title
from .threads import THREADS, run_together

MIN_REUSED_BYTES = 1 << 16  # memory of results this large is reused once the caller drops it
UNSHARED_REFERENCES = 2  # of an array that only this object holds: its list, and getrefcount's
CELL_TYPES = {
    np.dtype(np.float64): ctypes.c_double,
    np.dtype(np.float32): ctypes.c_float,
    np.dtype(np.int64): ctypes.c_int64,
}
Callback = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


class LlvmExecutable:
    """A program as machine code."""

    backend = "llvm"
    holds_inputs = True

    def __init__(
        self,
        program: Program,
        inputs: Sequence[Instruction],
        updates: Updates,
        stages: Stages,
        threads: int | None = None,
    ) -> None:
        returned = [*program.results, *(make_check(x, look) for x, look in program.checks)]
        whole = Program(program.name, [*inputs, *returned, *(x for _, x in updates)])
        with stages.measure("passes"):
            passes = [*FAST_MATH_PASSES, *EXACT_PASSES, *LAYOUT_PASSES]
            whole, self.done = run_passes(whole, passes)
        whole = copy_loop_operands(bind_bodies(whole, compile_body))
        count, self._result_count = len(inputs), len(program.results)
        self.inputs = whole.results[:count]
        results = whole.results[count : count + len(returned)]
        targets = list(
            zip([i for i, _ in updates], whole.results[count + len(results) :], strict=True)
        )
        with stages.measure("fuse"):
            self.plan: Schedule = make_schedule(self.inputs, results, targets, is_native)
            threads = THREADS.count if threads is None else threads
            writer = ModuleWriter(program.name, self.plan, count, len(results), threads)
        self.threads = writer.threads
        self._writer, self._called = writer, writer.calls
        self.calls = [kernel for kernel in writer.calls if isinstance(kernel, Call)]
        self.native = NativeCode(writer.key, lambda: writer.text, ENTRY, stages)
        self._results = results
        self._updated = [i for i, _ in updates]
        self._updated_set = frozenset(self._updated)
        # inputs that are updated are bound first: the others may be parts of their arrays
        self._binding_order = sorted(range(count), key=lambda i: i not in self._updated_set)
        self._slots = writer.slots
        self._allocate(writer.scratch)

    def _allocate(self, scratch: int) -> None:
        slots = self._slots
        self._table = (ctypes.c_void_p * slots.count)()
        self._strides = (ctypes.c_int64 * slots.count)()
        self._memory = allocate_aligned(self.plan.total_bytes)
        self._scratch = allocate_aligned(scratch)
        self._table[slots.own] = address_of(self._memory)
        self._table[slots.own + 1] = address_of(self._scratch)
        self._constants = []
        for number, x in enumerate(self.plan.constants):
            array = np.ascontiguousarray(x.value).reshape(x.shape)
            self._constants.append(array)
            self._table[slots[Storage("constant", number)]] = address_of(array)
        call_back = weakref.WeakMethod(self._call_back)  # a cycle would keep the machine code

        def run_call(number: int, step: int) -> int:
            method = call_back()
            assert method is not None
            return method(number, step)

        self._callback = Callback(run_call)
        self._table[slots.callback] = ctypes.cast(self._callback, ctypes.c_void_p).value
        self._cells = {i: np.zeros((), x.dtype) for i, x in enumerate(self.inputs) if not x.shape}
        self._first_result = slots[Storage("result", 0)] if self._results else 0
        self._bound: list[Any] = [None] * len(self.inputs)
        self._numbers = [
            (k, np.zeros((), x.dtype)) for k, x in enumerate(self._results) if not x.shape
        ]
        for k, cell in self._numbers:
            self._table[self._first_result + k] = address_of(cell)
        self._last_results: list[Any] = [None] * len(self._results)
        self._copies: dict[int, Array] = {}
        self._updated_ranges: list[tuple[int, int]] | None = None  # of addresses, in order
        self._descriptors = [describe_loop(kernel, self.plan) for kernel in self._writer.loops]
        for n, found in enumerate(self._descriptors):
            self._table[slots.loops + n] = address_of(found[0])
        self._barrier = allocate_aligned(128).view(np.int64)  # counter [0], failure flag [8]
        self._table[slots.barrier] = address_of(self._barrier)
        self._error: BaseException | None = None
        self._call_arrays: list[Any] = []
        self._addresses = (ctypes.addressof(self._table), ctypes.addressof(self._strides))

    @property
    def copied_inputs(self) -> Collection[int]:
        """The inputs, by position, of which the program used a copy in the last call."""
        return self._copies

    def __call__(self, inputs: list[Any]) -> list[Any]:
        """Run the program once; return the results, then the updated numbers."""
        table, bound = self._table, self._bound
        for i in self._binding_order:
            if inputs[i] is not bound[i]:
                self._bind_input(i, inputs[i])
        results: list[Any] = [None] * len(self._results)
        for k, x in enumerate(self._results):
            if x.shape:
                small = x.nbytes < MIN_REUSED_BYTES
                array = np.empty(x.shape, x.dtype) if small else self._reuse_result(k)
                results[k] = array
                table[self._first_result + k] = address_of(array)
        for k, cell in self._numbers:
            results[k] = cell
        self._run_steps(1, inputs, results)
        for k, cell in self._numbers:
            results[k] = cell.item() if self._results[k].weak else cell[()]
        return [*results[: self._result_count], *self._read_updated_numbers(inputs)]

    def _read_updated_numbers(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the updated inputs that are numbers, not arrays."""
        return [self._cells[i][()] for i in self._updated_numbers(inputs)]

    def _updated_numbers(self, inputs: Sequence[Any]) -> list[int]:
        return [
            i for i in self._updated if i in self._cells and not isinstance(inputs[i], np.ndarray)
        ]

    def _bind_input(self, i: int, x: Any) -> Any:
        """Pass an input to the program; return the array if it is bound itself, not a copy."""
        slot = i
        if not isinstance(x, np.ndarray):
            cell = self._cells[i]
            cell[...] = x
            self._bound[i] = None
            self._table[slot] = address_of(cell)
            return None
        like = self.inputs[i]
        fits = x.flags.c_contiguous and x.flags.aligned and x.dtype == like.dtype
        if i in self._updated_set:  # the others are bound afterwards
            self._updated_ranges = None
            self._bound = [y if j in self._updated_set else None for j, y in enumerate(self._bound)]
        if fits and (i in self._updated_set or not self._overlaps_updated(x)):
            self._bound[i] = x
            self._table[slot] = address_of(x)
            self._copies.pop(i, None)
        else:
            copy = np.array(x, like.dtype, order="C")
            self._bound[i] = None
            self._copies[i] = copy
            self._table[slot] = address_of(copy)
        return self._bound[i]

    def _reuse_result(self, k: int) -> Array:
        """Return an array for a large result: the last one, if nobody else holds it any more.

        Who held it may have changed its shape, dtype or flags in place.
        """
        last, x = self._last_results, self._results[k]
        if last[k] is not None and sys.getrefcount(last[k]) <= UNSHARED_REFERENCES:
            array: Array = last[k]
            if array.shape == x.shape and array.dtype == x.dtype and array.flags.carray:
                return array
        last[k] = array = np.empty(x.shape, x.dtype)
        return array

    def _overlaps_updated(self, x: Array) -> bool:
        """Return True if an array shares memory with one that the program updates."""
        if self._updated_ranges is None:
            arrays = [self._bound[i] for i in self._updated if self._bound[i] is not None]
            self._updated_ranges = sorted(byte_bounds(array) for array in arrays)
        if not self._updated_ranges:
            return False
        first, end = byte_bounds(x)
        before = bisect.bisect_left(self._updated_ranges, (end, 0))
        return before > 0 and self._updated_ranges[before - 1][1] > first

    def _run_steps(self, steps: int, inputs: list[Any], results: Sequence[Any]) -> None:
        self._call_arrays = [inputs, results]
        failed = self._run_native(steps) < 0
        self._call_arrays = []
        if failed:
            self._raise_error()

    def _run_native(self, steps: int) -> int:
        """Run steps in machine code, on all threads; return -1 if a callback failed."""
        table, strides = self._addresses
        function = self.native.function
        if self.threads == 1:
            return int(function(table, strides, steps, 0))
        self._barrier[8] = 0
        return run_together(self.threads, lambda part: function(table, strides, steps, part))

    @property
    def is_callable(self) -> bool:
        """True if other machine code can call this program: it asks nothing of Python."""
        return not self.may_fail and self.threads == 1

    def prepare_calls(
        self, carried: Sequence[int], sliced: range, reverse: bool
    ) -> tuple[tuple[int, int, int], list[Array]]:
        """Return addresses of the function, its table and strides, for a loop that passes arrays.

        Those that it carries have memory here, for a caller that doesn't keep them.
        """
        own = [np.zeros(self.inputs[i].shape, self.inputs[i].dtype) for i in carried]
        for i, array in zip(carried, own, strict=True):
            self._table[i] = address_of(array)
        sizes = {i: self.inputs[i].nbytes for i in sliced}
        sizes |= {self._first_result + k: x.nbytes for k, x in enumerate(self._results)}
        for slot, size in sizes.items():
            self._strides[slot] = -size if reverse else size
        function = ctypes.cast(self.native.function, ctypes.c_void_p).value or 0
        return (function, *self._addresses), own

    def pass_address(self, i: int, address: int) -> None:
        """Let an input be what is at an address, and stays there."""
        self._table[i] = address

    @property
    def first_result(self) -> int:
        """The slot of the first result in the table."""
        return self._first_result

    @property
    def may_fail(self) -> bool:
        """True if a call may end with an error, before it has changed anything."""
        return bool(self._called)

    # ---- source code for `runtime.fast_call`

    def pass_number(self, writer: Any, i: int, number: str) -> list[str]:
        """Return the lines that pass a number to the program."""
        cell = CELL_TYPES[self.inputs[i].dtype].from_address(address_of(self._cells[i]))
        self._table[i] = address_of(self._cells[i])
        return [f"{writer.name('cell', cell)}.value = {number}"]

    def updated_number(self, writer: Any, i: int) -> str:
        """Return the expression for an updated number."""
        cell = CELL_TYPES[self.inputs[i].dtype].from_address(address_of(self._cells[i]))
        return f"{writer.name('cell', cell)}.value"

    def pass_array(self, writer: Any, i: int, name: str) -> str:
        """Return the expression that passes an array to the program."""
        return f"{writer.name('bind', self._bind_input)}({i}, {name})"

    def result_expression(self, writer: Any, k: int) -> str:
        """Return the expression for a result, after the program has run."""
        if self._results[k].shape:
            return f"result{k}"
        cell = next(cell for number, cell in self._numbers if number == k)
        if self._results[k].weak and cell.dtype in CELL_TYPES:
            number = CELL_TYPES[cell.dtype].from_address(address_of(cell))
            return f"{writer.name('cell', number)}.value"
        return f"{writer.name('cell', cell)}[()]"

    def run_lines(self, writer: Any) -> list[str]:
        """Return the lines that run the program."""
        lines, table = [], writer.name("table", self._table)
        for k, x in enumerate(self._results):
            if not x.shape:
                continue
            slot = f"{table}[{self._first_result + k}]"
            store = f"{slot} = result{k}.__array_interface__['data'][0]"
            if x.nbytes < MIN_REUSED_BYTES:
                empty, dtype = writer.name("empty", np.empty), writer.name("d", x.dtype)
                lines += [f"result{k} = {empty}({x.shape}, {dtype})", store]
            else:
                reuse = writer.name("reuse", self._reuse_result)
                lines += [f"result{k} = {reuse}({k})", store]
        if self.threads > 1:
            run = f"{writer.name('run', self._run_native)}(1)"
        else:
            function = writer.name("native", self.native.function)
            run = f"{function}({self._addresses[0]}, {self._addresses[1]}, 1, 0)"
        if self.may_fail:
            return [*lines, f"if {run} < 0:", "    return MISSED"]
        return [*lines, run]

    def _raise_error(self) -> NoReturn:
        """Raise the error that a callback raised."""
        error, self._error = self._error, None
        assert error is not None
        raise error

    def loop(
        self, inputs: list[Any], steps: int, changing: dict[int, Array], reverse: bool = False
    ) -> tuple[list[Any], list[Any]]:
        """Run `steps` steps in one call of machine code."""
        for i in self._binding_order:
            self._bind_input(i, inputs[i])
        if any(self._overlaps_updated(inputs[i]) for i in self.copied_inputs):
            return self._loop_by_calls(inputs, steps, changing, reverse)
        rows = [np.empty((steps, *x.shape), x.dtype) for x in self._results]
        stacks = {i: np.ascontiguousarray(x, self.inputs[i].dtype) for i, x in changing.items()}
        for i, stack in stacks.items():
            self._pass_stack(i, stack, steps, reverse)
            self._bound[i] = None
        for k, row in enumerate(rows):
            self._pass_stack(self._first_result + k, row, steps, reverse)
        given, order = [stacks.get(i, x) for i, x in enumerate(inputs)], -1 if reverse else 1
        try:
            self._run_steps(
                steps,
                [x[::order] if i in stacks else x for i, x in enumerate(given)],
                [row[::order] for row in rows],
            )
        finally:
            for i in stacks:
                self._strides[i] = 0
                if i in self._cells:
                    self._table[i] = address_of(self._cells[i])
            for k in range(len(rows)):
                self._strides[self._first_result + k] = 0
            for k, cell in self._numbers:
                self._table[self._first_result + k] = address_of(cell)
        return rows[: self._result_count], self._read_updated_numbers(inputs)

    def _pass_stack(self, slot: int, stack: Array, steps: int, reverse: bool) -> None:
        """Let a slot of the table move along a stack of all steps, from its end if `reverse`."""
        size = stack.nbytes // steps
        self._table[slot] = address_of(stack) + (steps - 1) * size * reverse
        self._strides[slot] = -size if reverse else size

    def repeat(self, inputs: list[Any]) -> None:
        """Run the program, which updates its inputs, as long as its only result is true."""
        for i in self._binding_order:
            self._bind_input(i, inputs[i])
        cells = dict(self._numbers)
        results = [cells.get(k, np.empty(x.shape, x.dtype)) for k, x in enumerate(self._results)]
        for k, array in enumerate(results):  # a check is a result too
            self._table[self._first_result + k] = address_of(array)
        while True:
            self._run_steps(1, inputs, results)
            if not cells[0]:
                return

    def _loop_by_calls(
        self, inputs: Sequence[Any], steps: int, changing: dict[int, Array], reverse: bool
    ) -> tuple[list[Any], list[Any]]:
        """Run `steps` steps one by one, since an update changes what the next step is given."""
        inputs, rows, numbers = list(inputs), [], []
        for step in reversed(range(steps)) if reverse else range(steps):
            for i, stack in changing.items():
                inputs[i] = stack[step]
            found = self(inputs)
            rows.append(found[: self._result_count])
            numbers = found[self._result_count :]
            for i, number in zip(self._updated_numbers(inputs), numbers, strict=True):
                inputs[i] = number
        rows = rows[::-1] if reverse else rows
        columns = zip(self._results, zip(*rows, strict=True), strict=False)
        return [np.array(column, x.dtype) for x, column in columns], numbers

    # ---- for reports

    @property
    def memory_bytes(self) -> tuple[int, int]:
        """The size of intermediate results without and with sharing memory, in bytes."""
        return self.plan.unshared_bytes, self.plan.total_bytes

    @property
    def kernel_names(self) -> list[str]:
        """The names of the kernels: of a result they store, or of the function they call."""
        names = []
        for kernel in self.plan.kernels:
            function = kernel.last.options.get("function")
            name = function.name if function else make_title(kernel, self.plan)
            names.append(f"call of {name}" if isinstance(kernel, Call) else name)
        return names

    @property
    def llvm(self) -> str:
        """The module as LLVM IR."""
        return self._writer.text

    @property
    def bytes_moved(self) -> int:
        """The bytes that the kernels read and write, each array once per kernel."""
        return sum(
            count_bytes_moved(k.members)
            if isinstance(k, (Indexed, RowUpdate))
            else sum(x.nbytes for x in (*find_operand_roots(k), *self.plan.stored[k]))
            for k in self.plan.kernels
        )

    # ---- callbacks into Python

    def _call_back(self, number: int, step: int) -> int:
        """Run a kernel for machine code; return 1 if it raised an error, else 0."""
        if not self._call_arrays:
            return 1  # in a fast call, which leaves this to the slow path
        try:
            self._run_call(self._called[number], step)
        except BaseException as error:  # raised again by _raise_error
            self._error = error
            return 1
        return 0

    def _run_call(self, kernel: Kernel, step: int) -> None:
        x = kernel.members[0]
        with np.errstate(all="ignore"):
            result = execute(x, [self._operand_array(y, step) for y in x.inputs])
        if x.operation != "call":
            self._store(x, result, step)
            return
        for part in self.plan.stored[kernel]:
            if part.operation == "part":
                self._store(part, result[part.options["position"]], step)

    def _operand_array(self, y: Instruction, step: int) -> Any:
        """Return an operand as an array or a number, for Python."""
        where = locate(y)
        root = where.root
        if root.is_constant:
            whole = np.ascontiguousarray(root.value)
        else:
            whole = self._storage_array(self.plan.storage[root], root, step)
        if root.weak and not y.shape:
            return whole[()].item()
        flat = np.ascontiguousarray(whole).reshape(-1)[where.offset :]
        bytes_apart = [s * root.dtype.itemsize for s in where.strides]
        return np.lib.stride_tricks.as_strided(flat, y.shape, bytes_apart, writeable=False)

    def _storage_array(self, storage: Storage, x: Instruction, step: int) -> Array:
        if storage.kind == "own":
            offset, size = self.plan.own_memory[storage.number]
            whole = self._memory[offset : offset + size].view(x.dtype)
            if x not in self.plan.placements:
                return whole.reshape(x.shape)
            start, strides = self.plan.placements[x]
            bytes_apart = [s * x.dtype.itemsize for s in strides]
            return np.lib.stride_tricks.as_strided(whole[start:], x.shape, bytes_apart)
        if storage.kind == "constant":
            return self._constants[storage.number]
        inputs, results = self._call_arrays
        slot = self._slots[storage]
        array = (inputs if storage.kind == "input" else results)[storage.number]
        if self._strides[slot]:
            return np.asarray(array[step : step + 1]).reshape(x.shape)  # a view, of a number too
        if storage.kind == "input" and not x.shape and not isinstance(array, np.ndarray):
            return self._cells[storage.number]
        return np.asarray(array, x.dtype)

    def _store(self, x: Instruction, value: Any, step: int) -> None:
        self._storage_array(self.plan.storage[x], x, step)[...] = value


def compile_body(
    program: Program, inputs: Sequence[Instruction], updates: Updates, stages: Stages
) -> LlvmExecutable:
    """Compile the body of a loop, which one thread runs."""
    return LlvmExecutable(program, inputs, updates, stages, threads=1)


def copy_loop_operands(program: Program) -> Program:
    """Copy what a loop in machine code is given, unless it's in C order in one piece."""

    def change(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        if getattr(x.options.get("function"), "is_native", False):
            inputs = [y if is_in_order(y) else make("copy", [y]) for y in inputs]
        return replace_operands(x, inputs)

    return program.rewrite(change)


def is_in_order(y: Instruction) -> bool:
    """Return True for a constant, and for what is stored in C order in one piece."""
    where = locate(y)
    pairs = zip(where.strides, contiguous_strides(y.shape), y.shape, strict=True)
    return where.root.is_constant or not y.size or all(a == b or n == 1 for a, b, n in pairs)


def describe_loop(kernel: NativeLoop, plan: Schedule) -> tuple[Array, list[Array]]:
    """Return what machine code reads of a loop: addresses; and the arrays that are there.

    These are its body's function, table and strides, and the constants among what it begins with.
    """
    x, loop = kernel.last, kernel.last.options["function"]
    family, executable = loop.family, loop.executable
    sliced = range(family.carried, family.carried + family.sliced)
    addresses, kept = executable.prepare_calls(loop.carried, sliced, family.reverse)
    found = list(addresses)
    for i, y in enumerate(x.inputs):
        if not locate(y).root.is_constant:
            continue
        array = np.array(constant_value(y), executable.inputs[i].dtype, order="C", ndmin=0)
        kept.append(array)
        if i in loop.carried:
            found.append(address_of(array))
        elif i >= family.carried:
            start = (len(array) - 1) * array[0].nbytes if i in sliced and family.reverse else 0
            executable.pass_address(i, address_of(array) + start)
    return np.array(found, np.int64), kept


def constant_value(y: Instruction) -> Any:
    """Return the numbers of a constant, or of a view of one."""
    return y.value if y.is_constant else execute(y, [constant_value(y.inputs[0])])


def make_check(x: Instruction, look: Callable[[Any], object]) -> Instruction:
    """Return a check as a call instruction: a hidden result that is 0, unless the check raises."""

    def function(numbers: Any) -> tuple[Array]:
        look(numbers)
        return (np.zeros(1),)

    options = {"function": function, "likes": []}
    call = Instruction("call", [x], options, (1,), np.dtype(np.float64))
    return Instruction("part", [call], {"position": 0}, (1,), np.dtype(np.float64))


def allocate_aligned(size: int) -> Array:
    """Allocate bytes at an address that is a multiple of 64."""
    whole = np.zeros(size + 64, np.uint8)
    start = -whole.__array_interface__["data"][0] % 64
    return whole[start : start + max(size, 1)]


def byte_bounds(array: Array) -> tuple[int, int]:
    """Return the addresses of an array's first byte, and of the one after its last."""
    if not array.flags.c_contiguous:
        return np.lib.array_utils.byte_bounds(array)
    first = address_of(array)
    return first, first + array.nbytes


def address_of(array: Array) -> int:
    """Return the address of an array's first entry."""
    address: int = array.__array_interface__["data"][0]
    return address
