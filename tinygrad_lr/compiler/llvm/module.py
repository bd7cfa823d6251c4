"""A scheduled program as one LLVM module: a function for each kernel, and one that runs them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from ..fusion import Call, Kernel, Loop, Product
from ..instruction import Instruction
from ..layout import located
from ..program import different, identifier
from ..schedule import ALIGNMENT, Schedule, Storage
from .arithmetic import NATIVE, can_emit
from .loop_kernels import LoopEmission
from .memory import Memory
from .product_kernels import ProductEmission, scratch_bytes
from .vectors import vector_bytes

POINTER, I64, I32 = ir.PointerType(), ir.IntType(64), ir.IntType(32)
ENTRY = "run"


def native(x: Instruction) -> bool:
    """Whether loops and products can compute an instruction."""
    if x.operation in {"call", "gather", "scatter", "assign", "concatenate", "matmul"}:
        return False
    if x.dtype not in NATIVE or any(y.dtype not in NATIVE for y in x.inputs):
        return False
    if x.operation == "dot":
        return len(x.shape) == 2 and x.dtype.kind == "f" and x.size > 0 and x.inputs[0].size > 0
    if x.operation in {"sum", "prod", "max", "min", "all", "any"}:
        return x.size > 0 and x.inputs[0].size > 0
    return can_emit(x) and x.size > 0


class Slots:
    """The table of pointers that the program is given: where each piece of memory begins."""

    def __init__(self, inputs: int, results: int, constants: int) -> None:
        self.first = {"input": 0, "result": inputs, "constant": inputs + results}
        self.own = inputs + results + constants  # the program's own memory, then scratch
        self.callback = self.own + 2
        self.count = self.own + 3

    def __getitem__(self, storage: Storage) -> int:
        return self.first[storage.kind] + storage.number


class ModuleWriter:
    """The text of a module, and what is called back."""

    def __init__(self, name: str, plan: Schedule, inputs: int, results: int) -> None:
        self.plan, self.slots = plan, Slots(inputs, results, len(plan.constants))
        self.module = ir.Module(identifier(name))
        self.calls: list[Call] = []
        self.scratch = max(
            [scratch_bytes(k) for k in plan.kernels if isinstance(k, Product)], default=0
        )
        self.functions: list[tuple[Any, list[Storage], bool]] = []
        self.titles: dict[Kernel, str] = {}
        taken = {ENTRY}
        for kernel in plan.kernels:
            if isinstance(kernel, Call):
                self.calls.append(kernel)
            else:
                kind = "product" if isinstance(kernel, Product) else "loop"
                title = different(f"{identifier(title_of(kernel, plan))}.{kind}", taken)
                self.titles[kernel] = title
        self.parts = [self._kernel(kernel) for kernel in plan.kernels]
        self._entry()
        wide = ' "prefer-vector-width"="512"' if vector_bytes() == 64 else ""
        self.text = re.sub(r"(?m)^(define .*\))", rf"\1{wide}", str(self.module))

    # ---- kernels

    def _kernel(self, kernel: Kernel) -> Any:
        if not isinstance(kernel, Loop):
            return None
        touched: dict[Storage, Instruction] = {}
        by_root: dict[Instruction, Storage] = {}
        stored = self.plan.stored[kernel]
        members = set(kernel.members)
        for x in kernel.members:
            for y in x.inputs:
                root = located(y).root
                if root in members or (root.is_constant and root.size == 1):
                    continue
                by_root[root] = self.plan.storage[root]
        for x in stored:
            by_root[x] = self.plan.storage[x]
        for root, storage in by_root.items():
            touched.setdefault(storage, root)
        scratch = isinstance(kernel, Product) and scratch_bytes(kernel) > 0
        kinds = [POINTER] * (len(touched) + scratch)
        function = ir.Function(
            self.module, ir.FunctionType(ir.VoidType(), kinds), self.titles[kernel]
        )
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        for argument, root in zip(function.args, touched.values(), strict=False):
            argument.add_attribute("noalias")
            argument.name = identifier(root.name or root.operation)
        order = {storage: i for i, storage in enumerate(touched)}
        pointers = {root: function.args[order[storage]] for root, storage in by_root.items()}
        memory = Memory(pointers, lambda x: self.plan.storage[x].kind == "input")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        first = builder.append_basic_block("start")
        builder.position_at_end(first)
        if isinstance(kernel, Product):
            last = function.args[-1] if scratch else None
            if last is not None:
                last.add_attribute("noalias")
            ProductEmission(builder, kernel, stored, memory, last).emit()
        else:
            LoopEmission(builder, kernel, stored, memory).emit()
        builder.ret_void()
        builder.position_at_end(function.entry_basic_block)
        builder.branch(first)
        return function, list(touched), scratch

    # ---- running them

    def _entry(self) -> None:
        """`run(table, strides, steps)`: so many steps; how many were finished."""
        kind = ir.FunctionType(I64, [POINTER, POINTER, I64])
        entry = ir.Function(self.module, kind, ENTRY)
        table, strides, steps = entry.args
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
        loaded: dict[Any, Any] = {}

        def at(slot: int, moving: bool) -> Any:
            if slot not in loaded:
                pointer = b.load(
                    b.gep(table, [I64(slot)], source_etype=POINTER), typ=POINTER, align=8
                )
                if moving:
                    far = b.load(b.gep(strides, [I64(slot)], source_etype=I64), typ=I64, align=8)
                    pointer = b.gep(pointer, [b.mul(step, far)], source_etype=ir.IntType(8))
                loaded[slot] = pointer
            return loaded[slot]

        def pointer_to(storage: Storage) -> Any:
            if storage.kind == "own":
                offset = self.plan.own[storage.number][0]
                own = at(self.slots.own, moving=False)
                return b.gep(own, [I64(offset)], source_etype=ir.IntType(8))
            return at(self.slots[storage], moving=storage.kind in {"input", "result"})

        calls = iter(range(len(self.calls)))
        asked = ir.FunctionType(I64, [I64, I64])
        for part in self.parts:
            if part is None:
                whole = b.ptrtoint(at(self.slots.callback, moving=False), I64)
                typed = b.inttoptr(whole, asked.as_pointer())
                answer = b.call(typed, [I64(next(calls)), step])
                good = entry.append_basic_block("good")
                b.cbranch(b.icmp_signed("==", answer, I64(0)), good, failed)
                b.position_at_end(good)
                continue
            function, touched, scratch = part
            arguments = [pointer_to(storage) for storage in touched]
            if scratch:
                arguments.append(at(self.slots.own + 1, moving=False))
            b.call(function, arguments)
        following = b.add(step, I64(1))
        step.add_incoming(following, b.block)
        b.branch(head)
        b.position_at_end(failed)
        b.ret(I64(-1))
        b.position_at_end(done)
        b.ret(steps)


def title_of(kernel: Kernel, plan: Schedule) -> str:
    """A name for a kernel's function: that of what it leaves behind."""
    stored = [x for x in plan.stored[kernel] if x in kernel.members] or [kernel.last]
    kept = next((x for x in stored if x.name), stored[0])
    while kept.operation == "copy" and not kept.name:
        kept = kept.inputs[0]
    return kept.name or kept.operation


def described(plan: Schedule) -> Sequence[str]:
    """A line for each kernel."""
    return [title_of(kernel, plan) for kernel in plan.kernels]


__all__ = ["ALIGNMENT", "ModuleWriter", "native"]
