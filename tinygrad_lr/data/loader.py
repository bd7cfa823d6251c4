"""`DataLoader`: batches of rows, reshuffled each epoch, that can resume in the middle of one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError, ShapeError
from ..support.random_state import Seed, as_generator, generator_in_state, plain_state
from ..support.validation import check_flag, check_integer, check_mapping
from .batches import Batches, BatchIterator, Epoch
from .sources import WHERE, Indexed, as_source

__all__ = ["DataLoader"]


class DataLoader:
    """Batches of rows: each iteration is an epoch, which uses every row once.

    `arrays` must have the same number of rows. They can be arrays or lists; memory-mapped files
    (`numpy.load(..., mmap_mode="r")`, `numpy.memmap`) and objects that are indexed like them
    (h5py's data sets), whose rows are read when their batch is needed; or sequences of samples
    (anything with `__len__` and `__getitem__`, or a list of tuples as the only argument), which are
    stacked field by field. A batch is a tuple with an array for each of these, of the same dtype
    and read-only, so that graphs need no copy. The last batch may be smaller; `drop_last` skips it.
    A batch of all the rows, in order, is the arrays themselves.

    With `shuffle`, each epoch draws `generator.permutation(rows)` from `generator`, a NumPy
    Generator or a seed (default: 0): another order in each epoch, the same in each run.

    A background thread makes `prefetch` batches ahead: the same batches, bit for bit. An error is
    raised at the batch that caused it. The thread ends with the epoch, or when the iterator is
    closed (`close()`) or garbage-collected.

    `transform(*batch)` returns an array or a tuple of arrays that replaces the batch. If it has a
    parameter `generator`, it gets one for this batch alone, derived from the loader's generator,
    the epoch and the batch: its draws depend neither on prefetching nor on where training was
    resumed.

    `state_dict()` returns the position, and after `load_state_dict` the next iteration continues
    there, in the middle of the epoch, with the same bits.

    Raises `ArgumentError` if there are no rows, if the batch size is 0 or above the number of rows,
    or if another number is out of range; `ShapeError` if arrays have different lengths or ragged
    rows; `DtypeError` for a Value, a masked array, or objects other than numbers and text.

    Source: `torch.utils.data.DataLoader`, here without worker processes.

    >>> x, y = np.arange(10.0).reshape(5, 2), np.array([0, 1, 0, 1, 1])
    >>> loader = DataLoader(x, y, batch_size=2, shuffle=True, generator=0)
    >>> loader
    DataLoader(5 rows, 3 batches of 2, shuffled)
    >>> for features, labels in loader:
    ...     print(features.tolist(), labels.tolist())
    [[4.0, 5.0], [8.0, 9.0]] [0, 1]
    [[6.0, 7.0], [0.0, 1.0]] [1, 0]
    [[2.0, 3.0]] [1]
    """

    def __init__(
        self,
        *arrays: ArrayLike | Indexed,
        batch_size: int = 32,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: Seed = None,
        prefetch: int = 0,
        transform: Callable[..., ArrayLike | tuple[ArrayLike, ...]] | None = None,
    ) -> None:
        if not arrays:
            raise ArgumentError(f"{WHERE}: data must be at least one array, got none")
        alone = len(arrays) == 1
        sources = tuple(as_source(place, x, alone) for place, x in enumerate(arrays, 1))
        lengths = [source.rows for source in sources]
        if len(set(lengths)) > 1:
            raise ShapeError(f"{WHERE}: arrays must have the same number of rows, got {lengths}")
        self.rows = lengths[0]
        self.batch_size = check_integer(WHERE, "batch_size", batch_size, 1)
        if self.batch_size > self.rows:
            raise ArgumentError(
                f"{WHERE}: batch_size must be at most {self.rows}, the number of rows, got "
                f"{batch_size}"
            )
        self.shuffle = check_flag(WHERE, "shuffle", shuffle)
        self.drop_last = check_flag(WHERE, "drop_last", drop_last)
        self.prefetch = check_integer(WHERE, "prefetch", prefetch, 0)
        self.generator = as_generator(WHERE, 0 if generator is None else generator)
        self._batches = Batches(sources, self.rows, self.batch_size, transform)
        self._epochs = 0  # started so far
        self._epoch: Epoch | None = None  # the one started last
        self._resumed: Epoch | None = None  # the one to continue

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self.rows // self.batch_size if self.drop_last else -(-self.rows // self.batch_size)

    def __iter__(self) -> BatchIterator:
        """Return an iterator over the next epoch; after `load_state_dict`, the rest of that one."""
        epoch, self._resumed = self._resumed, None
        if epoch is None:
            start = plain_state(self.generator.bit_generator.state)
            epoch = Epoch(self._epochs, start, self._order(self.generator), len(self))
            self._epochs += 1
        self._epoch = epoch
        return BatchIterator(self._batches, epoch, self.prefetch)

    @property
    def epoch(self) -> int:
        """The number of completed epochs before the current position."""
        return self._epochs if self._epoch is None or self._epoch.over else self._epoch.number

    @property
    def batch(self) -> int:
        """The number of batches returned so far in the current epoch: 0 between epochs."""
        return 0 if self._epoch is None or self._epoch.over else self._epoch.batch

    def state_dict(self) -> dict[str, Any]:
        """Return the position, as JSON-compatible data, for `load_state_dict` of an equal loader.

        Batches count when they are returned, however many were prefetched. The position is that
        of the last iterator. Between the last batch and the end of the iteration the epoch is
        not over: a loader that resumes there has no batches left in it.

        >>> loader = DataLoader(np.arange(6), batch_size=2, shuffle=True)
        >>> batches = iter(loader)
        >>> first, state = next(batches), loader.state_dict()
        >>> state["epoch"], state["batch"]
        (0, 1)
        >>> other = DataLoader(np.arange(6), batch_size=2, shuffle=True)
        >>> other.load_state_dict(state)
        >>> [x.tolist() for x, in other] == [x.tolist() for x, in batches]
        True
        """
        under_way = self._epoch is not None and not self._epoch.over
        return {
            **self._settings(),
            "epoch": self.epoch,
            "batch": self.batch,
            "epoch_generator": copy.deepcopy(self._epoch.start)  # before the order was drawn
            if self._epoch is not None and under_way
            else None,
            "generator": plain_state(self.generator.bit_generator.state),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to the position that `state_dict` returned, and restore the generator.

        Raises `ArgumentError`, and changes nothing, if the position is that of a loader with
        another number of rows, batch size, shuffling or kind of generator.
        """
        self._go_to(*self.check_state_dict(state))

    def check_state_dict(
        self, state: dict[str, Any]
    ) -> tuple[np.random.Generator, int, Epoch | None]:
        """Return the generator, the epochs completed and the one to continue; change nothing.

        Raises the errors of `load_state_dict`.
        """
        where = "DataLoader.load_state_dict"
        check_mapping(where, "state", state, "what state_dict() returned")
        for name, own in self._settings().items():
            given = state.get(name)
            if type(given) is not type(own) or given != own:
                raise ArgumentError(
                    f"{where}: state must have {name} {own!r}, got {given!r:.60}; build the "
                    "loader with the same settings"
                )
        names = {"epoch", "batch", "epoch_generator", "generator"}
        if unknown := sorted(map(str, state.keys() - names - self._settings().keys())):
            raise ArgumentError(
                f"{where}: state must have the keys of state_dict(), got {unknown[0]!r:.60} too"
            )
        if missing := sorted(names - state.keys()):
            raise ArgumentError(
                f"{where}: state must have the keys of state_dict(), got one without "
                f"{', '.join(missing)}"
            )
        number = check_integer(where, "epoch", state["epoch"], 0)
        batch = check_integer(where, "batch", state["batch"], 0)
        start = state["epoch_generator"]
        if batch > (len(self) if start is not None else 0):
            expected = f"from 0 to {len(self)}" if start is not None else "0 between epochs"
            raise ArgumentError(f"{where}: batch must be {expected}, got {batch}")
        now = generator_in_state(where, self.generator, state["generator"], "generator")
        resumed = None
        if start is not None:
            random = generator_in_state(where, self.generator, start, "epoch_generator")
            before = plain_state(random.bit_generator.state)
            resumed = Epoch(number, before, self._order(random), len(self), batch)
        return now, number, resumed

    def _go_to(self, now: np.random.Generator, number: int, resumed: Epoch | None) -> None:
        """Continue from what `check_state_dict` returned."""
        self.generator.bit_generator.state = now.bit_generator.state
        self._epoch = self._resumed = resumed
        self._epochs = number + (resumed is not None)

    def fingerprint(self) -> str:
        """Return a short text that differs for other data, settings, or a transform of other name.

        Arrays and lists are read whole, files at some of their rows; of a data set object only the
        number of samples is known.
        """
        transform = self._batches.transform
        name = getattr(transform, "__name__", type(transform).__name__)
        parts = [source.fingerprint() for source in self._batches.sources]
        return " ".join([repr(self), *parts, *([name] if transform is not None else [])])

    def _settings(self) -> dict[str, Any]:
        """Return what a state and the loader that loads it must have in common."""
        names = ("rows", "batch_size", "shuffle", "drop_last")
        return {name: getattr(self, name) for name in names}

    def _order(self, generator: np.random.Generator) -> NDArray[np.int64] | None:
        return generator.permutation(self.rows) if self.shuffle else None

    def __repr__(self) -> str:
        batches = "1 batch" if len(self) == 1 else f"{len(self)} batches"
        order = ", shuffled" if self.shuffle else ""
        return f"DataLoader({self.rows} rows, {batches} of {self.batch_size}{order})"
