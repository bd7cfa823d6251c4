"""Running one program on several threads: each computes its share of a kernel, then all wait.

All threads run the same code. A kernel worth it is divided by rows or columns; every other kernel
is computed by the first thread. A barrier after each kernel makes its results visible to all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

I64, I32 = ir.IntType(64), ir.IntType(32)
MAX_SPINS = 2000  # checks of the barrier's counter before a thread yields the processor: some µs
MAX_YIELDS = 20  # of them before it sleeps: an array function runs, and may need all processors
SLEEP = 50  # µs


@dataclass
class Share:
    """One thread's share of a kernel: number `part` (an i64 value) of `parts`."""

    part: Any
    parts: int

    def bounds(self, b: Any, count: int) -> tuple[Any, Any]:
        """Return this thread's range of `count` rows: the first, and the one after the last."""
        first = b.sdiv(b.mul(self.part, I64(count)), I64(self.parts))
        following = b.add(self.part, I64(1))
        return first, b.sdiv(b.mul(following, I64(count)), I64(self.parts))

    def is_last(self, b: Any) -> Any:
        """Return an i1 that is true on the thread with the last part."""
        return b.icmp_signed("==", self.part, I64(self.parts - 1))


def emit_barrier(module: Any, parts: int) -> Any:
    """Return the function `barrier(counter)`, which returns when all threads have called it.

    The counter only grows: the n-th barrier opens when it reaches n times the number of threads, so
    nothing has to be reset. Threads spin first, since kernels take microseconds, then yield, then
    sleep: a convolution that one of them calls runs on threads of its own.
    """
    kind = ir.FunctionType(ir.VoidType(), [ir.PointerType()])
    function = ir.Function(module, kind, "barrier")
    function.linkage = "internal"
    function.attributes.add("noinline")
    counter = function.args[0]
    yield_ = ir.Function(module, ir.FunctionType(I32, []), "sched_yield")
    sleep = ir.Function(module, ir.FunctionType(I32, [I32]), "usleep")
    names = ("entry", "look", "again", "tired", "offer", "doze", "done")
    blocks = [function.append_basic_block(name) for name in names]
    entry, look, again, tired, offer, doze, done = blocks
    b = ir.IRBuilder(entry)
    came = b.atomic_rmw("add", counter, I64(1), "seq_cst")
    goal = b.mul(b.add(b.sdiv(came, I64(parts)), I64(1)), I64(parts))
    b.branch(look)
    b.position_at_end(look)
    looks, yields = b.phi(I64), b.phi(I64)
    now = b.load_atomic(counter, "seq_cst", 8, typ=I64)
    b.cbranch(b.icmp_signed(">=", now, goal), done, again)
    b.position_at_end(again)
    more = b.add(looks, I64(1))
    b.cbranch(b.icmp_signed(">", more, I64(MAX_SPINS)), tired, look)
    b.position_at_end(tired)
    b.cbranch(b.icmp_signed("<", yields, I64(MAX_YIELDS)), offer, doze)
    b.position_at_end(offer)
    b.call(yield_, [])
    next_yield = b.add(yields, I64(1))
    b.branch(look)
    b.position_at_end(doze)
    b.call(sleep, [I32(SLEEP)])
    b.branch(look)
    for source, numbers in {
        entry: (I64(0), I64(0)),
        again: (more, yields),
        offer: (I64(0), next_yield),
        doze: (I64(MAX_SPINS), yields),
    }.items():
        for phi, number in zip((looks, yields), numbers, strict=True):
            phi.add_incoming(number, source)
    b.position_at_end(done)
    b.ret_void()
    return function
