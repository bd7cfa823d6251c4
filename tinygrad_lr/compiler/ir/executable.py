"""The interface of a backend: it turns a program into an `Executable`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from ...support.abstract_array import Array
from .instruction import Instruction
from .program import Program
from .stages import Stages

Updates = Sequence[tuple[int, Instruction]]
"""Inputs, by position, and the values that they hold after the program has run."""


class Executable(Protocol):
    """A compiled program.

    It is called with the values of the program's inputs, in order. Inputs that are arrays are
    updated in place; updated numbers are returned after the results. Results share memory with
    nothing else.
    """

    backend: str
    holds_inputs: bool  # those of the last call

    @property
    def copied_inputs(self) -> Collection[int]:
        """The inputs, by position, of which the program used a copy in the last call."""

    def __call__(self, inputs: list[Any]) -> list[Any]:
        """Run the program once; return the results, then the updated numbers."""

    def loop(
        self, inputs: list[Any], steps: int, changing: dict[int, Array], reverse: bool = False
    ) -> tuple[list[Any], list[Any]]:
        """Run the program `steps` times; return the stacked results, and the updated numbers.

        `changing` has, for some inputs, the values of all steps along a first axis. With `reverse`
        the steps run from its last entries to its first.
        """

    def repeat(self, inputs: list[Any]) -> None:
        """Run the program, which updates its inputs, as long as its only result is true."""

    # ---- source code for `runtime.fast_call`, which writes one function for the whole call

    def pass_number(self, writer: Any, i: int, number: str) -> list[str]:
        """Return the lines that pass a number to the program."""

    def pass_array(self, writer: Any, i: int, name: str) -> str:
        """Return the expression that passes an array to the program.

        Its value is the array, if the same object need not be passed again, or None.
        """

    def run_lines(self, writer: Any) -> list[str]:
        """Return the lines that run the program."""

    def result_expression(self, writer: Any, k: int) -> str:
        """Return the expression for a result, after the program has run."""

    def updated_number(self, writer: Any, i: int) -> str:
        """Return the expression for an updated number."""


Backend = Callable[[Program, Sequence[Instruction], Updates, Stages], Executable]
"""Compiles a program, given its inputs and the updates of some of them; `Stages` are timed."""
