"""The batches of each step, epoch after epoch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ..support.abstract_array import Array
from .inputs import Intake
from .state import Run

Batch = tuple[Array, Array]


class Groups(Iterator[list[Batch]]):
    """So many batches at a time, epoch after epoch, for ever."""

    def __init__(self, run: Run, size: int) -> None:
        self.run, self.size = run, size
        self.restart()

    def restart(self) -> None:
        """Go on from the position that the loader was put at."""
        self._groups = _every(self.run, self.size)

    def __next__(self) -> list[Batch]:
        return next(self._groups)


def _every(run: Run, size: int) -> Iterator[list[Batch]]:
    while run.everything is not None and len(run.loader) == 1:
        yield [run.everything]  # in order: the loader has no position to keep
    intake = Intake(run.model)
    while True:
        batches = _taken_in(run, intake) if run.everything is None else iter(run.loader)
        while group := list(islice(batches, size)):
            yield group


def _taken_in(run: Run, intake: Intake) -> Iterator[Batch]:
    """An epoch of a loader that was given: its batches checked, and in the model's dtype."""
    for batch in run.loader:
        where = f"fit: batch {run.loader.batch - 1} of epoch {run.loader.epoch}"
        yield intake.batch(where, batch)
