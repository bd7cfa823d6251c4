"""How threads share a program: each takes its part of a kernel, and all wait for each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

I64, I32 = ir.IntType(64), ir.IntType(32)
PATIENCE = 2000  # looks at the others before the processor is offered to somebody else


@dataclass
class Share:
    """One thread's part of a kernel: `part`, an i64 value, of `parts`."""

    part: Any
    parts: int

    def bounds(self, b: Any, count: int) -> tuple[Any, Any]:
        """From which of so many rows this thread goes, and to which."""
        first = b.sdiv(b.mul(self.part, I64(count)), I64(self.parts))
        following = b.add(self.part, I64(1))
        return first, b.sdiv(b.mul(following, I64(count)), I64(self.parts))

    def is_last(self, b: Any) -> Any:
        """Whether this is the thread with the last part."""
        return b.icmp_signed("==", self.part, I64(self.parts - 1))


def barrier(module: Any, parts: int) -> Any:
    """The function `barrier(counter)`: it returns when all threads have called it.

    The counter only grows: the n-th meeting is over when it has reached n times the threads.
    """
    kind = ir.FunctionType(ir.VoidType(), [ir.PointerType()])
    function = ir.Function(module, kind, "barrier")
    function.linkage = "internal"
    function.attributes.add("noinline")
    counter = function.args[0]
    yielding = ir.Function(module, ir.FunctionType(I32, []), "sched_yield")
    entry, look = function.append_basic_block("entry"), function.append_basic_block("look")
    again, offer = function.append_basic_block("again"), function.append_basic_block("offer")
    done = function.append_basic_block("done")
    b = ir.IRBuilder(entry)
    came = b.atomic_rmw("add", counter, I64(1), "seq_cst")
    goal = b.mul(b.add(b.sdiv(came, I64(parts)), I64(1)), I64(parts))
    b.branch(look)
    b.position_at_end(look)
    looks = b.phi(I64)
    now = b.load_atomic(counter, "seq_cst", 8, typ=I64)
    b.cbranch(b.icmp_signed(">=", now, goal), done, again)
    b.position_at_end(again)
    more = b.add(looks, I64(1))
    b.cbranch(b.icmp_signed(">", more, I64(PATIENCE)), offer, look)
    b.position_at_end(offer)
    b.call(yielding, [])
    b.branch(look)
    looks.add_incoming(I64(0), entry)
    looks.add_incoming(more, again)
    looks.add_incoming(I64(0), offer)
    b.position_at_end(done)
    b.ret_void()
    return function
