"""A scheduled program as an LLVM module: a function for each kernel, and an entry that runs them.

The entry is `run(table, strides, steps, part)`. The table has a pointer for each piece of memory;
with each step, a pointer moves on by its stride, so that one call can run many training steps on
stacked inputs (a stride of 0 is an input that stays). With several threads, each calls the entry
with its own part. The entry returns the number of steps, or -1 if a callback into Python failed.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from ..ir.fusion import Call, Indexed, Kernel, Loop, NativeLoop, Product, RowUpdate
from ..ir.instruction import NATIVE_DTYPES, PRODUCTS, Instruction
from ..ir.layout import locate
from ..ir.program import make_identifier, unique_name
from ..ir.schedule import Schedule, Storage, may_fail, placement_of
from .arithmetic import can_emit, can_reduce
from .indexed import can_emit_indexed, emit_indexed
from .kernel_key import KernelArguments, make_kernel_key
from .loop_kernels import emit_loop_kernel
from .loop_plan import LoopPlan
from .memory import Memory
from .product_kernels import ProductKernelCode, can_share_product, scratch_bytes
from .row_updates import emit_row_update, row_scratch_bytes
from .vectors import vector_bytes
from .work_split import Share, emit_barrier

POINTER, I64, I32 = ir.PointerType(), ir.IntType(64), ir.IntType(32)
ENTRY = "run"
MAX_PART = 64  # kernels that one function calls: LLVM's time grows faster than its length
MIN_SHARED_WORK = 200_000  # operations from which dividing a kernel pays for a barrier: some µs
MIN_THREADED_WORK = 20_000_000  # operations from which a step pays for waking threads: 100s of µs


def is_native(x: Instruction) -> bool:
    """Return True if a loop or a product can compute an instruction without calling Python."""
    if x.operation in {"call", "assign", "concatenate"}:
        return False
    if x.operation in {"gather", "scatter"}:
        return can_emit_indexed(x)
    if x.operation == "update_rows":
        return True
    if x.dtype not in NATIVE_DTYPES or any(y.dtype not in NATIVE_DTYPES for y in x.inputs):
        return False
    if x.operation in PRODUCTS:
        matrices = all(len(y.shape) >= 2 and y.size for y in x.inputs)
        matrices = matrices and (x.operation == "matmul" or len(x.shape) == 2)
        return matrices and x.dtype.kind == "f" and x.size > 0
    if x.operation in {"sum", "prod", "max", "min", "all", "any"}:
        return x.size > 0 and x.inputs[0].size > 0 and can_reduce(x)
    return can_emit(x) and x.size > 0


def estimate_work(kernel: Kernel) -> int:
    """Estimate the work of a kernel, in operations; memory accesses of a loop count as four."""
    first = kernel.members[0]
    if isinstance(kernel, Product):
        return 2 * first.size * first.inputs[0].shape[-1]
    if isinstance(kernel, Loop):
        return math.prod(kernel.shape) * (len(kernel.members) + 4)
    return 0


def is_shared(kernel: Kernel, plan: Schedule, threads: int) -> bool:
    """Return True if threads share a kernel: it is divisible, and large enough for a barrier."""
    if not isinstance(kernel, Loop) or estimate_work(kernel) < MIN_SHARED_WORK:
        return False
    if isinstance(kernel, Product):
        return can_share_product(kernel, plan, threads)
    return LoopPlan(kernel, {}).can_be_shared


def find_scratch(kernel: Kernel, plan: Schedule, threads: int = 1) -> int:
    """Return the bytes of scratch memory that a kernel needs on some threads."""
    if isinstance(kernel, Product):
        return scratch_bytes(kernel, plan, threads)
    return row_scratch_bytes(kernel.last) if isinstance(kernel, RowUpdate) else 0


def pays_for_threads(plan: Schedule, threads: int) -> bool:
    """Return True if a program is large enough for several threads."""
    shared = sum(
        estimate_work(kernel) for kernel in plan.kernels if is_shared(kernel, plan, threads)
    )
    return shared >= MIN_THREADED_WORK


class Slots:
    """The layout of the table of pointers: the slot of each piece of memory."""

    def __init__(self, inputs: int, results: int, constants: int, loops: int = 0) -> None:
        self.first = {"input": 0, "result": inputs, "constant": inputs + results}
        self.own = (
            inputs + results + constants
        )  # the program's own memory; the next slot is scratch
        self.callback = self.own + 2
        self.barrier = self.own + 3  # the counter of the barrier, and whether a callback failed
        self.loops = self.own + 4  # addresses of each loop: see `describe_loop`
        self.count = self.loops + loops

    def __getitem__(self, storage: Storage) -> int:
        return self.first[storage.kind] + storage.number


class ModuleWriter:
    """Writes the text of a module; `calls` are the kernels that it calls back for, by number."""

    def __init__(
        self, name: str, plan: Schedule, inputs: int, results: int, threads: int = 1
    ) -> None:
        self.name, self.plan = name, plan
        self._text: str | None = None
        self.loops = [kernel for kernel in plan.kernels if isinstance(kernel, NativeLoop)]
        self.slots = Slots(inputs, results, len(plan.constants), len(self.loops))
        several = threads > 1 and os.name == "posix"  # sched_yield
        self.threads = threads if several and pays_for_threads(plan, threads) else 1
        self.scratch = max((find_scratch(k, plan, self.threads) for k in plan.kernels), default=0)
        self.calls = [kernel for kernel in plan.kernels if may_fail(kernel)]
        self.codes = [self._describe_kernel(kernel) for kernel in plan.kernels]

    @property
    def key(self) -> str:
        """A key that is equal for programs with the same code, known before the code is emitted."""
        codes = [None if code is None else code[:4] for code in self.codes]
        return repr((codes, self.plan.own_memory, vars(self.slots), self.threads))

    @property
    def text(self) -> str:
        """The module as LLVM IR.

        It isn't a `cached_property`, whose lock is one for all modules in Python 3.11: a forked
        child may find it held.
        """
        if self._text is None:
            self._text = self._write()
        return self._text

    def _write(self) -> str:
        self.module = ir.Module(make_identifier(self.name))
        self.taken: set[str] = {ENTRY, "barrier"}
        self.functions: dict[Any, Any] = {}
        self._emit_entry()
        wide = ' "prefer-vector-width"="512"' if vector_bytes() == 64 else ""
        return re.sub(r"(?m)^(define .*\))", rf"\1{wide}", str(self.module))

    # ---- kernels

    def _describe_kernel(self, kernel: Kernel) -> KernelCode | LoopCode | None:
        if isinstance(kernel, Call):
            return None
        if isinstance(kernel, NativeLoop):
            return describe_native_loop(kernel, self.plan, self.loops.index(kernel))
        arguments = KernelArguments(kernel, self.plan)
        scratch = find_scratch(kernel, self.plan) > 0
        shared = self.threads > 1 and is_shared(kernel, self.plan, self.threads)
        regions = [
            (storage, first * root.dtype.itemsize)
            for (storage, first), root in zip(arguments.regions, arguments.roots, strict=True)
        ]
        key = make_kernel_key(kernel, self.plan, arguments)
        return KernelCode(key, regions, scratch, shared, kernel, arguments)

    def _get_function(self, code: KernelCode) -> Any:
        """Return a kernel's function, which it shares with kernels that do the same elsewhere."""
        key = (code.key, code.shared)
        if key not in self.functions:
            self.functions[key] = self._emit_function(code)
        return self.functions[key]

    def _emit_function(self, code: KernelCode) -> Any:
        kernel, arguments, scratch, shared = code.kernel, code.arguments, code.scratch, code.shared
        kind = "product" if isinstance(kernel, Product) else "loop"
        if isinstance(kernel, (Indexed, RowUpdate)):
            kind = kernel.last.operation
        title = unique_name(f"{make_identifier(make_title(kernel, self.plan))}.{kind}", self.taken)
        kinds = [POINTER] * (len(arguments.regions) + scratch) + [I64] * shared
        result = I64 if may_fail(kernel) else ir.VoidType()
        function = ir.Function(self.module, ir.FunctionType(result, kinds), title)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        for argument, root in zip(function.args, arguments.roots, strict=False):
            argument.add_attribute("noalias")
            argument.name = make_identifier(root.name or root.operation)
        memory = Memory(
            {x: function.args[k] for x, k in arguments.position.items()},
            {x: arguments.regions[k][1] for x, k in arguments.position.items()},
            lambda x: self.plan.storage[x].kind == "input",
            lambda x: placement_of(self.plan, x),
        )
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        first = builder.append_basic_block("start")
        builder.position_at_end(first)
        share = Share(function.args[-1], self.threads) if shared else None
        last = function.args[len(arguments.regions)] if scratch else None
        if last is not None:
            last.add_attribute("noalias")
        if isinstance(kernel, Product):
            ProductKernelCode(builder, kernel, self.plan, memory, last, share).emit()
            builder.ret_void()
        elif isinstance(kernel, Loop):
            emit_loop_kernel(builder, kernel, self.plan.stored[kernel], memory, share)
            builder.ret_void()
        elif isinstance(kernel, RowUpdate):
            emit_row_update(builder, kernel.last, memory, last)
            builder.ret_void()
        else:
            emit_indexed(builder, kernel.last, memory)
            builder.ret(I64(0)) if may_fail(kernel) else builder.ret_void()
        builder.position_at_end(function.entry_basic_block)
        builder.branch(first)
        return function

    # ---- running them

    def _emit_entry(self) -> None:
        """Emit `run(table, strides, steps, part)`, which runs all kernels in each step."""
        kind = ir.FunctionType(I64, [POINTER, POINTER, I64, I64])
        entry = ir.Function(self.module, kind, ENTRY)
        table, strides, steps, number = entry.args
        before = entry.append_basic_block("entry")
        head, body = entry.append_basic_block("head"), entry.append_basic_block("step")
        done, failed = entry.append_basic_block("done"), entry.append_basic_block("failed")
        b = ir.IRBuilder(before)
        b.branch(head)
        b.position_at_end(head)
        step = b.phi(I64)
        step.add_incoming(I64(0), before)
        b.cbranch(b.icmp_signed("<", step, steps), body, done)
        b.position_at_end(body)
        barrier = emit_barrier(self.module, self.threads) if self.threads > 1 else None
        calls = iter(range(len(self.calls)))
        parts = [self.codes[i : i + MAX_PART] for i in range(0, len(self.codes), MAX_PART)]
        for number_of_part, codes in enumerate(parts):
            given = (table, strides, step, number)
            if len(parts) == 1:
                self._emit_kernels(b, given, codes, calls, barrier, failed)
                continue
            part = self._emit_part(f"part.{number_of_part}", codes, calls, barrier)
            good = b.append_basic_block("good")
            answer = b.call(part, given)
            b.cbranch(b.icmp_signed("==", answer, I64(0)), good, failed)
            b.position_at_end(good)
        following = b.add(step, I64(1))
        step.add_incoming(following, b.block)
        b.branch(head)
        b.position_at_end(failed)
        b.ret(I64(-1))
        b.position_at_end(done)
        b.ret(steps)

    def _emit_part(
        self,
        name: str,
        codes: Sequence[KernelCode | LoopCode | None],
        calls: Iterator[int],
        barrier: Any,
    ) -> Any:
        """Return a function that runs some kernels of a long program in one step."""
        kind = ir.FunctionType(I64, [POINTER, POINTER, I64, I64])
        function = ir.Function(self.module, kind, name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        b, failed = (
            ir.IRBuilder(function.append_basic_block("entry")),
            function.append_basic_block("failed"),
        )
        self._emit_kernels(b, function.args, codes, calls, barrier, failed)
        b.ret(I64(0))
        b.position_at_end(failed)
        b.ret(I64(-1))
        return function

    def _emit_kernels(
        self,
        b: Any,
        given: Sequence[Any],
        codes: Sequence[KernelCode | LoopCode | None],
        calls: Iterator[int],
        barrier: Any,
        failed: Any,
    ) -> None:
        """Emit calls of kernels, in order; `given` are the table, strides, step and part."""
        table, strides, step, number = given
        pointers = Pointers(b, self.plan, self.slots, (table, strides), step)
        found: list[list[Any]] = [
            self._find_pointers(pointers, code) if isinstance(code, KernelCode) else []
            for code in codes
        ]
        counter = pointers.at(self.slots.barrier, moving=False) if barrier else None
        for code in codes:
            if isinstance(code, LoopCode):
                code.load(pointers, self.slots)
        if any(code is None or may_fail(code.kernel) for code in codes):
            pointers.at(self.slots.callback, moving=False)
        for code, arguments in zip(codes, found, strict=True):
            fails = code is None or may_fail(code.kernel)
            if code is None or may_fail(code.kernel):
                assert not isinstance(code, LoopCode)
                run = None if code is None else (self._get_function(code), arguments)
                self._emit_callback(b, pointers, (next(calls), step, number), failed, run)
            elif isinstance(code, LoopCode):
                if barrier:
                    with b.if_then(b.icmp_signed("==", number, I64(0))):
                        code.emit(b, pointers, self.slots)
                else:
                    code.emit(b, pointers, self.slots)
            elif code.shared or not barrier:
                function = self._get_function(code)
                b.call(function, [*arguments, number] if code.shared else arguments)
            else:
                with b.if_then(b.icmp_signed("==", number, I64(0))):
                    b.call(self._get_function(code), arguments)
            if barrier:
                b.call(barrier, [counter])
            if barrier and fails:
                self._emit_failure_check(b, pointers, failed)

    def _find_pointers(self, pointers: Pointers, code: KernelCode) -> list[Any]:
        """Return the pointers that a kernel's function is called with."""
        found = [pointers.to(storage, far) for storage, far in code.regions]
        if code.scratch:
            found.append(pointers.at(self.slots.own + 1, moving=False))
        return found

    def _emit_callback(
        self,
        b: Any,
        pointers: Pointers,
        call: tuple[int, Any, Any],
        failed: Any,
        run: tuple[Any, list[Any]] | None,
    ) -> None:
        """Emit a callback into Python; of several threads only the first one calls.

        With `run`, a function and its arguments, Python is called only if it returns 1.
        """
        which, step, number = call
        asked = ir.FunctionType(I64, [I64, I64])

        def call_back() -> Any:
            whole = b.ptrtoint(pointers.at(self.slots.callback, moving=False), I64)
            return b.call(b.inttoptr(whole, asked.as_pointer()), [I64(which), step])

        def ask() -> Any:
            if run is None:
                return call_back()
            found, before = b.call(*run), b.block
            with b.if_then(b.icmp_signed("!=", found, I64(0)), likely=False):
                answer, after = call_back(), b.block
            merged = b.phi(I64)
            merged.add_incoming(I64(0), before)
            merged.add_incoming(answer, after)
            return merged

        if self.threads == 1:
            answer = ask()
            good = b.append_basic_block("good")
            b.cbranch(b.icmp_signed("==", answer, I64(0)), good, failed)
            b.position_at_end(good)
            return
        with b.if_then(b.icmp_signed("==", number, I64(0))):
            b.store(ask(), self._failure_flag(b, pointers), align=8)

    def _failure_flag(self, b: Any, pointers: Pointers) -> Any:
        """Return the pointer to the failure flag, a cache line after the barrier's counter."""
        counter = pointers.at(self.slots.barrier, moving=False)
        return b.gep(counter, [I64(8)], source_etype=I64)

    def _emit_failure_check(self, b: Any, pointers: Pointers, failed: Any) -> None:
        """Emit a jump to `failed` if a callback failed, on every thread."""
        answer = b.load(self._failure_flag(b, pointers), typ=I64, align=8)
        good = b.append_basic_block("good")
        b.cbranch(b.icmp_signed("==", answer, I64(0)), good, failed)
        b.position_at_end(good)


class KernelCode(NamedTuple):
    """A kernel, the key of its code, and the memory that its function is called with."""

    key: Any
    regions: list[tuple[Storage, int]]
    scratch: bool
    shared: bool  # divided among threads
    kernel: Kernel
    arguments: KernelArguments


class Passed(NamedTuple):
    """An array that a loop passes to its body: the slot of its address in the body's table.

    - `storage`, `far`: where it is; None for a constant, whose address is in the descriptor at
      `far`
    - `target`: where a carry is computed; None in memory of the body's own
    - `size`: the bytes to copy of a carry
    """

    slot: int
    storage: Storage | None
    far: int
    target: Storage | None = None
    size: int = 0


class LoopCode(NamedTuple):
    """The code of a loop: it passes arrays to its body, and calls it once for all steps."""

    kind: str
    steps: int
    passed: list[Passed]
    number: int  # among the loops of the program
    kernel: NativeLoop

    def load(self, pointers: Pointers, slots: Slots) -> None:
        """Load what all code of a step can use."""
        pointers.at(slots.loops + self.number, moving=False)
        for x in self.passed:
            for storage, far in ((x.storage, x.far), (x.target, 0)):
                if storage is not None:
                    pointers.to(storage, far)

    def emit(self, b: Any, pointers: Pointers, slots: Slots) -> None:
        """Emit the call."""
        descriptor = pointers.at(slots.loops + self.number, moving=False)

        def entry(i: int, kind: Any) -> Any:
            return b.load(b.gep(descriptor, [I64(i)], source_etype=I64), typ=kind, align=8)

        table, strides = entry(1, POINTER), entry(2, POINTER)
        for x in self.passed:
            place = b.gep(table, [I64(x.slot)], source_etype=POINTER)
            given = entry(x.far, POINTER) if x.storage is None else pointers.to(x.storage, x.far)
            if x.size:
                target = b.load(place, typ=POINTER, align=8)
                if x.target is not None:
                    target = pointers.to(x.target, 0)
                emit_copy(b, target, given, x.size)
                given = target
            b.store(given, place, align=8)
        kind = ir.FunctionType(I64, [POINTER, POINTER, I64, I64])
        function = b.inttoptr(entry(0, I64), kind.as_pointer())
        b.call(function, [table, strides, I64(self.steps), I64(0)])


def describe_native_loop(kernel: NativeLoop, plan: Schedule, number: int) -> LoopCode:
    """Return the code of a loop."""
    x, loop = kernel.last, kernel.last.options["function"]
    family, first_result = loop.family, loop.executable.first_result
    parts = {
        part.options["position"]: plan.storage[part]
        for part in plan.stored[kernel]
        if part.operation == "part"
    }
    end, passed, constants = family.carried + family.sliced, [], 3

    def last_row(whole: Instruction) -> int:
        return whole.nbytes // family.steps * (family.steps - 1) if family.reverse else 0

    for i, y in enumerate(x.inputs):
        where = locate(y)
        if i < family.carried and i not in loop.carried:
            continue
        storage, far = None, constants
        if where.root.is_constant:
            if i >= family.carried:
                continue  # its address stays
            constants += 1
        else:
            storage, far = plan.storage[where.root], where.offset * y.dtype.itemsize
        if i < family.carried:
            passed.append(Passed(i, storage, far, parts.get(i), y.nbytes))
        else:
            passed.append(Passed(i, storage, far + (last_row(y) if i < end else 0)))
    likes = {
        part.options["position"]: part for part in plan.stored[kernel] if part.operation == "part"
    }
    for k, position in enumerate(loop.kept):
        far = last_row(likes[position])
        passed.append(Passed(first_result + k, parts[position], far))
    return LoopCode("loop", family.steps, passed, number, kernel)


def emit_copy(b: Any, target: Any, source: Any, size: int) -> None:
    """Emit a copy of some bytes."""
    name = "llvm.memcpy.p0.p0.i64"
    copy = b.module.globals.get(name)
    if copy is None:
        kinds = [POINTER, POINTER, I64, ir.IntType(1)]
        copy = ir.Function(b.module, ir.FunctionType(ir.VoidType(), kinds), name)
    b.call(copy, [target, source, I64(size), ir.IntType(1)(0)])


class Pointers:
    """The pointers of a step, each computed once, where it's asked for first."""

    def __init__(
        self, b: Any, plan: Schedule, slots: Slots, given: tuple[Any, Any], step: Any
    ) -> None:
        self.b, self.plan, self.slots, self.step = b, plan, slots, step
        self.table, self.strides = given
        self.loaded: dict[int, Any] = {}

    def at(self, slot: int, moving: bool) -> Any:
        """Return the pointer in a slot of the table, moved by its stride in each step."""
        b = self.b
        if slot not in self.loaded:
            pointer = b.load(
                b.gep(self.table, [I64(slot)], source_etype=POINTER), typ=POINTER, align=8
            )
            if moving:
                place = b.gep(self.strides, [I64(slot)], source_etype=I64)
                far = b.mul(self.step, b.load(place, typ=I64, align=8))
                pointer = b.gep(pointer, [far], source_etype=ir.IntType(8))
            self.loaded[slot] = pointer
        return self.loaded[slot]

    def to(self, storage: Storage, far: int) -> Any:
        """Return the pointer `far` bytes into a piece of memory."""
        if storage.kind == "own":
            far += self.plan.own_memory[storage.number][0]
            pointer = self.at(self.slots.own, moving=False)
        else:
            pointer = self.at(self.slots[storage], moving=True)
        if not far:
            return pointer
        return self.b.gep(pointer, [I64(far)], source_etype=ir.IntType(8))


def make_title(kernel: Kernel, plan: Schedule) -> str:
    """Return a name for a kernel's function: that of a result it stores."""
    stored = [x for x in plan.stored[kernel] if x in kernel.members] or [kernel.last]
    kept = next((x for x in stored if x.name), stored[0])
    while kept.operation == "copy" and not kept.name:
        kept = kept.inputs[0]
    return kept.name or kept.operation
