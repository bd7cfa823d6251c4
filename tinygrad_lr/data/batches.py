"""One epoch of batches, made on demand or ahead in a thread."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..support.abstract_array import Array
from .prefetch import Prefetcher
from .sources import EVERYTHING, WHERE, Rows, Source, freeze

__all__ = ["BatchIterator"]

Batch: TypeAlias = tuple[Any, ...]


@dataclass(eq=False)
class Epoch:
    """One pass over the rows, and the position in it."""

    number: int
    start: dict[str, Any]  # the generator's state before the order was drawn
    order: NDArray[np.int64] | None  # of the rows; None: as they come
    batches: int
    batch: int = 0  # returned so far
    over: bool = False  # the end was reached, not only the last batch


class Batches:
    """Makes batches; each depends only on the epoch and its number."""

    def __init__(
        self, sources: tuple[Source, ...], rows: int, size: int, transform: Any = None
    ) -> None:
        self.sources, self.rows, self.size = sources, rows, size
        self.transform: Callable[..., Any] | None = transform
        self.draws = transform is not None and _takes_generator(transform)

    def make(
        self, number: int, start: dict[str, Any], order: NDArray[np.int64] | None, batch: int
    ) -> Batch:
        """Return batch number `batch` of the epoch with that number, start and order."""
        rows: Rows = slice(batch * self.size, min((batch + 1) * self.size, self.rows))
        if order is not None:
            rows = order[rows]
        elif self.size == self.rows:
            rows = EVERYTHING
        taken = tuple(array for source in self.sources for array in source.take(rows))
        if self.transform is None:
            return taken
        random = {"generator": _generator_for(start, number, batch)} if self.draws else {}
        made = self.transform(*taken, **random)
        return tuple(map(_as_read_only, made if isinstance(made, tuple) else (made,)))


class BatchIterator(Iterator[Batch]):
    """The batches of one epoch. `close()` ends it, and the thread that prefetches."""

    def __init__(self, batches: Batches, epoch: Epoch, prefetch: int) -> None:
        number, start, order = epoch.number, epoch.start, epoch.order

        def make(batch: int) -> Batch:  # refers not to this iterator, so that it can be dropped
            return batches.make(number, start, order, batch)

        self._make, self._epoch, self._closed = make, epoch, False
        self._prefetcher: Prefetcher[Batch] | None = None
        if prefetch and epoch.batch < epoch.batches:
            self._prefetcher = Prefetcher(make, epoch.batch, epoch.batches, prefetch)

    def __next__(self) -> Batch:
        epoch = self._epoch
        if not self._closed and epoch.batch == epoch.batches:
            epoch.over = True
            self.close()
        if self._closed:
            raise StopIteration
        try:
            batch = self._prefetcher.next_item() if self._prefetcher else self._make(epoch.batch)
        except StopIteration as error:  # would end the epoch in silence
            self.close()
            raise RuntimeError("DataLoader: the data raised StopIteration") from error
        except BaseException:
            self.close()
            raise
        epoch.batch += 1
        return batch

    def close(self) -> None:
        """End the iteration here: its thread has ended when this returns. The position stays."""
        self._closed = True
        if self._prefetcher is not None:
            self._prefetcher.close()


def _takes_generator(transform: Any) -> bool:
    """Return True if the transform, which must be a function, has a parameter `generator`."""
    if not callable(transform):
        given = type(transform).__name__
        raise ArgumentError(
            f"{WHERE}: transform must be a function of the batch's arrays, got {given}"
        )
    try:
        return "generator" in inspect.signature(transform).parameters
    except (TypeError, ValueError):  # a function written in C may have no signature
        return False


def _generator_for(start: dict[str, Any], number: int, batch: int) -> np.random.Generator:
    """Return a generator that follows from the loader's before the epoch, epoch and batch."""
    import hashlib  # here: only a transform that draws needs it

    digest = hashlib.sha256(repr(start).encode()).digest()
    return np.random.default_rng([int.from_bytes(digest), number, batch])


def _as_read_only(array: Any) -> Array:
    """Return the array read-only: a copy if somebody else may write to it."""
    given = np.asarray(array)
    return freeze(given.copy(order="K")) if given.flags.writeable else given
