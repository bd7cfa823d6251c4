"""The passes between tracing a function and generating code for it; the lists are read downwards.

A pass is a function from `Program` to `Program` in a file of its own. To add one, write the file
and put one line into the list below that says what it may change: nothing at all
(`EXACT_PASSES`), rounding (`FAST_MATH_PASSES`), or where arrays are stored (`LAYOUT_PASSES`).
Dead code needs no pass: instructions that nothing refers to are not visited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..program import Program
from .algebra import simplify_algebra
from .common_subexpressions import merge_common_subexpressions
from .concatenate_in_place import inline_concatenations
from .constant_folding import fold_constants
from .expansion import expand_calls
from .fast_math import apply_fast_math
from .loop_results import extend_loops
from .product_copies import insert_product_copies
from .reshape_copies import insert_reshape_copies
from .row_updates import update_named_rows
from .vector_products import lower_vector_products

Pass = Callable[[Program], Program]


class PassResult(NamedTuple):
    """The number of instructions before and after a pass, under the name of its function."""

    name: str
    before: int
    after: int


EXACT_PASSES: list[Pass] = [
    fold_constants,  # first: what follows then sees numbers
    simplify_algebra,
    extend_loops,  # before equal loops are merged
    merge_common_subexpressions,
    update_named_rows,  # last: it looks for the form of an update
]
"""Passes that change no bit of any result. Both backends run them."""


FAST_MATH_PASSES: list[Pass] = [
    expand_calls,  # first: the expansion is simplified with everything else
    lower_vector_products,  # before apply_fast_math: it produces ones and transposes
    apply_fast_math,
]
"""Passes that may change rounding and the order of sums. Only the LLVM backend runs them."""


LAYOUT_PASSES: list[Pass] = [
    insert_reshape_copies,
    insert_product_copies,  # of views that can be located
    inline_concatenations,  # last: a pass after it could simplify its copies away
]
"""Passes that decide where arrays are stored. They come last: they add copies on purpose."""


def run_passes(
    program: Program, passes: list[Pass] = EXACT_PASSES
) -> tuple[Program, list[PassResult]]:
    """Run passes in order; return the new program, and one `PassResult` for each pass."""
    results, before = [], len(program.instructions())
    for run in passes:
        program = run(program)
        after = len(program.instructions())
        results.append(PassResult(run.__name__, before, after))
        before = after
    return program, results
