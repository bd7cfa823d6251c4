"""A scheduled program as one LLVM module: a function for each kernel, and one that runs them."""

from __future__ import annotations

import functools
import math
import os
import re
from typing import Any, NamedTuple

from llvmlite import ir

from ..ir.fusion import Call, Kernel, Loop, Product
from ..ir.instruction import Instruction
from ..ir.program import make_identifier, unique_name
from ..ir.schedule import Schedule, Storage, placement_of
from .arithmetic import NATIVE, can_emit
from .kernel_key import Uses, form_of
from .loop_kernels import LoopEmission
from .memory import Memory
from .product_kernels import ProductEmission, divides, scratch_bytes
from .vectors import vector_bytes
from .work_split import Share, barrier

POINTER, I64, I32 = ir.PointerType(), ir.IntType(64), ir.IntType(32)
ENTRY = "run"
WORTH_A_MEETING = 200_000  # operations of a kernel that is shared: some microseconds
WORTH_THREADS = 20_000_000  # operations of a step that wakes other threads: some hundreds of them


def native(x: Instruction) -> bool:
    """Whether loops and products can compute an instruction."""
    if x.operation in {"call", "gather", "scatter", "assign", "concatenate", "matmul"}:
        return False
    if x.dtype not in NATIVE or any(y.dtype not in NATIVE for y in x.inputs):
        return False
    if x.operation == "dot":
        matrices = all(len(y.shape) == 2 and y.size for y in x.inputs)
        return matrices and x.dtype.kind == "f" and x.size > 0
    if x.operation in {"sum", "prod", "max", "min", "all", "any"}:
        return x.size > 0 and x.inputs[0].size > 0
    return can_emit(x) and x.size > 0


def work_of(kernel: Kernel) -> int:
    """The operations on numbers of a kernel, or what its reading and writing is worth."""
    first = kernel.members[0]
    if isinstance(kernel, Product):
        return 2 * first.size * first.inputs[0].shape[1]
    if isinstance(kernel, Loop):
        return math.prod(kernel.shape) * (len(kernel.members) + 4)
    return 0


def shares(kernel: Kernel, threads: int) -> bool:
    """Whether threads share a kernel: it can be divided, and is worth a meeting."""
    if not isinstance(kernel, Loop) or work_of(kernel) < WORTH_A_MEETING:
        return False
    if isinstance(kernel, Product):
        return divides(kernel, threads)
    return LoopEmission(None, kernel, [], Memory({})).divides


def pays(plan: Schedule, threads: int) -> bool:
    """Whether a program is large enough for several threads."""
    shared = sum(work_of(kernel) for kernel in plan.kernels if shares(kernel, threads))
    return shared >= WORTH_THREADS


class Slots:
    """The table of pointers that the program is given: where each piece of memory begins."""

    def __init__(self, inputs: int, results: int, constants: int) -> None:
        self.first = {"input": 0, "result": inputs, "constant": inputs + results}
        self.own = inputs + results + constants  # the program's own memory, then scratch
        self.callback = self.own + 2
        self.meeting = self.own + 3  # where threads meet
        self.count = self.own + 4

    def __getitem__(self, storage: Storage) -> int:
        return self.first[storage.kind] + storage.number


class ModuleWriter:
    """The text of a module, and what is called back."""

    def __init__(
        self, name: str, plan: Schedule, inputs: int, results: int, threads: int = 1
    ) -> None:
        self.name, self.plan = name, plan
        self.slots = Slots(inputs, results, len(plan.constants))
        several = threads > 1 and os.name == "posix"  # whose threads can yield to each other
        self.threads = threads if several and pays(plan, threads) else 1
        self.scratch = max(
            [scratch_bytes(k, self.threads) for k in plan.kernels if isinstance(k, Product)],
            default=0,
        )
        self.calls = [kernel for kernel in plan.kernels if isinstance(kernel, Call)]
        self.parts = [self._part(kernel) for kernel in plan.kernels]

    @property
    def form(self) -> str:
        """A text that is equal for programs with the same code, long before there is any."""
        parts = [None if part is None else part[:4] for part in self.parts]
        return repr((parts, self.plan.own_memory, vars(self.slots), self.threads))

    @functools.cached_property
    def text(self) -> str:
        """The module in LLVM's language."""
        self.module = ir.Module(make_identifier(self.name))
        self.taken: set[str] = {ENTRY, "barrier"}
        self.written: dict[Any, Any] = {}
        self._entry()
        wide = ' "prefer-vector-width"="512"' if vector_bytes() == 64 else ""
        return re.sub(r"(?m)^(define .*\))", rf"\1{wide}", str(self.module))

    # ---- kernels

    def _part(self, kernel: Kernel) -> Part | None:
        if not isinstance(kernel, Loop):
            return None
        uses = Uses(kernel, self.plan)
        scratch = isinstance(kernel, Product) and scratch_bytes(kernel) > 0
        shared = self.threads > 1 and shares(kernel, self.threads)
        far = [
            (storage, first * root.dtype.itemsize)
            for (storage, first), root in zip(uses.arguments, uses.names, strict=True)
        ]
        return Part(form_of(kernel, self.plan, uses), far, scratch, shared, kernel, uses)

    def _function(self, part: Part) -> Any:
        """A kernel's function: that of an earlier kernel, where it does the same elsewhere."""
        key = (part.form, part.shared)
        if key not in self.written:
            self.written[key] = self._emitted(part)
        return self.written[key]

    def _emitted(self, part: Part) -> Any:
        kernel, uses, scratch, shared = part.kernel, part.uses, part.scratch, part.shared
        kind = "product" if isinstance(kernel, Product) else "loop"
        title = unique_name(f"{make_identifier(title_of(kernel, self.plan))}.{kind}", self.taken)
        kinds = [POINTER] * (len(uses.arguments) + scratch) + [I64] * shared
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), kinds), title)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        for argument, root in zip(function.args, uses.names, strict=False):
            argument.add_attribute("noalias")
            argument.name = make_identifier(root.name or root.operation)
        memory = Memory(
            {x: function.args[k] for x, k in uses.position.items()},
            {x: uses.arguments[k][1] for x, k in uses.position.items()},
            lambda x: self.plan.storage[x].kind == "input",
            lambda x: placement_of(self.plan, x),
        )
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        first = builder.append_basic_block("start")
        builder.position_at_end(first)
        share = Share(function.args[-1], self.threads) if shared else None
        stored = self.plan.stored[kernel]
        if isinstance(kernel, Product):
            last = function.args[len(uses.arguments)] if scratch else None
            if last is not None:
                last.add_attribute("noalias")
            ProductEmission(builder, kernel, stored, memory, last, share).emit()
        else:
            LoopEmission(builder, kernel, stored, memory, share).emit()
        builder.ret_void()
        builder.position_at_end(function.entry_basic_block)
        builder.branch(first)
        return function

    # ---- running them

    def _entry(self) -> None:
        """`run(table, strides, steps, part)`: so many steps; how many were finished, or -1."""
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
        pointers = Pointers(b, self.plan, self.slots, (table, strides), step)
        given: list[list[Any]] = [
            [] if part is None else self._arguments(pointers, part) for part in self.parts
        ]
        meet = barrier(self.module, self.threads) if self.threads > 1 else None
        counter = pointers.at(self.slots.meeting, moving=False) if meet else None
        calls = iter(range(len(self.calls)))
        for part, arguments in zip(self.parts, given, strict=True):
            if part is None:
                self._call_back(b, pointers, (next(calls), step, number), failed)
            elif part.shared or not meet:
                function = self._function(part)
                b.call(function, [*arguments, number] if part.shared else arguments)
            else:
                with b.if_then(b.icmp_signed("==", number, I64(0))):
                    b.call(self._function(part), arguments)
            if meet:
                b.call(meet, [counter])
            if meet and part is None:
                self._unless_failed(b, pointers, failed)
        following = b.add(step, I64(1))
        step.add_incoming(following, b.block)
        b.branch(head)
        b.position_at_end(failed)
        b.ret(I64(-1))
        b.position_at_end(done)
        b.ret(steps)

    def _arguments(self, pointers: Pointers, part: Part) -> list[Any]:
        """The pointers that a kernel is given."""
        found = [pointers.to(storage, far) for storage, far in part.bytes_from]
        if part.scratch:
            found.append(pointers.at(self.slots.own + 1, moving=False))
        return found

    def _call_back(
        self, b: Any, pointers: Pointers, call: tuple[int, Any, Any], failed: Any
    ) -> None:
        """Ask Python for a call; of several threads the first one does."""
        which, step, number = call
        asked = ir.FunctionType(I64, [I64, I64])
        whole = b.ptrtoint(pointers.at(self.slots.callback, moving=False), I64)
        function = b.inttoptr(whole, asked.as_pointer())
        if self.threads == 1:
            answer = b.call(function, [I64(which), step])
            good = b.append_basic_block("good")
            b.cbranch(b.icmp_signed("==", answer, I64(0)), good, failed)
            b.position_at_end(good)
            return
        with b.if_then(b.icmp_signed("==", number, I64(0))):
            answer = b.call(function, [I64(which), step])
            b.store(answer, self._failure(b, pointers), align=8)

    def _failure(self, b: Any, pointers: Pointers) -> Any:
        """Where it says that a call has failed: after the counter of meetings."""
        counter = pointers.at(self.slots.meeting, moving=False)
        return b.gep(counter, [I64(8)], source_etype=I64)

    def _unless_failed(self, b: Any, pointers: Pointers, failed: Any) -> None:
        """All threads leave where a call has failed."""
        answer = b.load(self._failure(b, pointers), typ=I64, align=8)
        good = b.append_basic_block("good")
        b.cbranch(b.icmp_signed("==", answer, I64(0)), good, failed)
        b.position_at_end(good)


class Part(NamedTuple):
    """A kernel, what its code does, and what that is given: memory, and how far into it."""

    form: Any
    bytes_from: list[tuple[Storage, int]]
    scratch: bool
    shared: bool  # among threads
    kernel: Loop
    uses: Uses


class Pointers:
    """The pointers of a step, each computed once, at its beginning."""

    def __init__(
        self, b: Any, plan: Schedule, slots: Slots, given: tuple[Any, Any], step: Any
    ) -> None:
        self.b, self.plan, self.slots, self.step = b, plan, slots, step
        self.table, self.strides = given
        self.loaded: dict[int, Any] = {}
        for slot in range(slots.own):
            self.at(slot, moving=True)
        for slot in range(slots.own, slots.count):
            self.at(slot, moving=False)

    def at(self, slot: int, moving: bool) -> Any:
        """The pointer in a slot of the table, moved on by its stride with each step."""
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
        """The pointer to a place in a piece of memory, so many bytes from its beginning."""
        if storage.kind == "own":
            far += self.plan.own_memory[storage.number][0]
            pointer = self.at(self.slots.own, moving=False)
        else:
            pointer = self.at(self.slots[storage], moving=True)
        if not far:
            return pointer
        return self.b.gep(pointer, [I64(far)], source_etype=ir.IntType(8))


def title_of(kernel: Kernel, plan: Schedule) -> str:
    """A name for a kernel's function: that of what it leaves behind."""
    stored = [x for x in plan.stored[kernel] if x in kernel.members] or [kernel.last]
    kept = next((x for x in stored if x.name), stored[0])
    while kept.operation == "copy" and not kept.name:
        kept = kept.inputs[0]
    return kept.name or kept.operation
