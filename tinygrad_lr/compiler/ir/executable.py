"""What a writer makes of a program: something that can be run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ...support.abstract_array import Array
from .instruction import Instruction
from .program import Program

Moved = Sequence[tuple[int, Instruction]]


class Executable(Protocol):
    """A program that can be run.

    It is given the numbers of the program's inputs, in their order. Arrays of inputs that the
    program moves are changed in place; numbers that it moves come back after the results.
    """

    backend: str

    def __call__(self, inputs: list[Any]) -> list[Any]:
        """The results, then the numbers that were moved."""

    def loop(
        self, inputs: list[Any], steps: int, changing: dict[int, Array]
    ) -> tuple[list[Any], list[Any]]:
        """So many steps: the results of each, stacked, and the numbers moved.

        `changing` has for some inputs the numbers of every step.
        """

    # ---- parts of the quick way through a call: lines and expressions of Python

    def set_number(self, writing: Any, i: int, number: str) -> list[str]:
        """The lines that give a number to the program."""

    def set_array(self, writing: Any, i: int, name: str) -> str:
        """The expression that gives an array to the program, and says whether it is kept."""

    def quick(self, writing: Any) -> list[str]:
        """The lines that run the program."""

    def found(self, writing: Any, k: int) -> str:
        """The expression for a result, after that."""

    def moved_number(self, writing: Any, i: int) -> str:
        """The expression for a number that was moved."""


Writer = Callable[[Program, Sequence[Instruction], Moved], Executable]
"""How a program becomes executable: given its inputs, and what some of them are to hold then."""
