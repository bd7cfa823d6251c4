"""`DataLoader`: batches of rows, shuffled anew each epoch, that can go on where they stopped."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, ShapeError, refuse
from ..support.random_state import Seed, as_generator
from .batches import Batches, BatchIterator, Epoch
from .sources import WHERE, as_source, whole_number


class DataLoader:
    """Batches of rows: each iteration is an epoch, that takes every row once.

    `arrays` are of as many rows: arrays, lists, memory-mapped files (`numpy.load(...,
    mmap_mode="r")`, `numpy.memmap`, and what is indexed like them, as h5py's data sets), whose
    rows are read when their batch is due, or sequences of samples (anything with `__len__` and
    `__getitem__`, and a list of tuples where it is the only argument), whose samples are stacked,
    a tuple's fields each on their own. A batch is a tuple with an array for each of them, of its
    dtype and read-only, so that a graph need not copy it. The last batch may be smaller, or with
    `drop_last` is left out. Where one batch is all the rows, in order, it is the arrays themselves.

    With `shuffle`, each epoch draws `generator.permutation(rows)` from `generator`, a numpy
    Generator or a seed (0 unless given): another order each epoch, the same in each run.

    `prefetch` batches are made ahead by a background thread: the same batches, bit for bit; an
    error is raised at its batch. The thread ends when the epoch does, when the iterator is closed
    (`close()`), or is no longer referred to.

    `transform(*batch)` gives what takes the batch's place, an array or a tuple of them. Where it
    has a parameter `generator`, it is given one for this batch alone, that follows from the
    loader's generator, the epoch and the batch: what it draws does not depend on prefetching or
    on where training was resumed.

    `state_dict()` tells the position, and `load_state_dict` makes the next iteration go on there,
    in the middle of the epoch, with the same bits.

    Raises `ArgumentError` for no rows, for a batch size of 0 or above the number of rows, and
    for other numbers out of range; `ShapeError` for arrays of different lengths and for ragged
    rows; `DtypeError` for a Value, a masked array, and objects that are not numbers or text.

    As torch.utils.data.DataLoader, without worker processes.

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
        *arrays: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: Seed = None,
        prefetch: int = 0,
        transform: Callable[..., Any] | None = None,
    ) -> None:
        if not arrays:
            refuse(ArgumentError, WHERE, "no data", expected="an array or more", given="none")
        alone = len(arrays) == 1
        sources = tuple(as_source(place, x, alone) for place, x in enumerate(arrays, 1))
        lengths = [source.rows for source in sources]
        if len(set(lengths)) > 1:
            wrong, given = "the arrays have different lengths", f"lengths {lengths}"
            refuse(ShapeError, WHERE, wrong, expected="as many rows in each", given=given)
        self.rows = lengths[0]
        self.batch_size = whole_number(WHERE, "batch_size", batch_size, 1)
        if self.batch_size > self.rows:
            wrong, cure = "batch_size is larger than the data", "take a smaller batch"
            expected, given = f"at most {self.rows}, the number of rows", str(batch_size)
            refuse(ArgumentError, WHERE, wrong, expected=expected, given=given, cure=cure)
        self.shuffle, self.drop_last = bool(shuffle), bool(drop_last)
        self.prefetch = whole_number(WHERE, "prefetch", prefetch, 0)
        self.generator = as_generator(WHERE, 0 if generator is None else generator)
        self._batches = Batches(sources, self.rows, self.batch_size, transform)
        self._epochs = 0  # begun so far
        self._epoch: Epoch | None = None  # the one begun last
        self._resumed: Epoch | None = None  # the one to go on with

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return self.rows // self.batch_size if self.drop_last else -(-self.rows // self.batch_size)

    def __iter__(self) -> BatchIterator:
        """The next epoch; after `load_state_dict` the rest of the epoch that it was in."""
        epoch, self._resumed = self._resumed, None
        if epoch is None:
            start = _state(self.generator)
            epoch = Epoch(self._epochs, start, self._order(self.generator), len(self))
            self._epochs += 1
        self._epoch = epoch
        return BatchIterator(self._batches, epoch, self.prefetch)

    @property
    def epoch(self) -> int:
        """The number of whole epochs before the present position."""
        return self._epochs if self._epoch is None or self._epoch.over else self._epoch.number

    @property
    def batch(self) -> int:
        """The number of batches that the present epoch has handed out: 0 between epochs."""
        return 0 if self._epoch is None or self._epoch.over else self._epoch.batch

    def state_dict(self) -> dict[str, Any]:
        """The position, as what JSON can hold, for `load_state_dict` of a loader like this one.

        Batches count as they are handed out, however many were made ahead. The position is that
        of the iterator made last. Between the last batch and the end of the iteration the epoch
        is not over: what goes on there has no batches left in it.

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
        going_on = self._epoch is not None and not self._epoch.over
        return {
            **self._settings(),
            "epoch": self.epoch,
            "batch": self.batch,
            "epoch_generator": copy.deepcopy(self._epoch.start)  # before the order was drawn
            if self._epoch is not None and going_on
            else None,
            "generator": _state(self.generator),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to the position that `state_dict` told; the generator is set to where it was then.

        Raises `ArgumentError`, and changes nothing, for the position of another loader: of other
        data (as far as its number of rows tells), batch size, shuffling or kind of generator.
        """
        where = "DataLoader.load_state_dict"
        for name, own in self._settings().items():
            given = state.get(name)
            if given != own:
                wrong, cure = f"the state has another {name}", "make the loader as it was then"
                refuse(ArgumentError, where, wrong, expected=own, given=given, cure=cure)
        names = {"epoch", "batch", "epoch_generator", "generator"}
        if missing := sorted(names - state.keys()):
            wrong, expected = f"the state lacks {', '.join(missing)}", "what state_dict() gave"
            refuse(ArgumentError, where, wrong, expected=expected, given=sorted(state))
        number = whole_number(where, "epoch", state["epoch"], 0)
        batch = whole_number(where, "batch", state["batch"], 0)
        start = state["epoch_generator"]
        if batch > (len(self) if start is not None else 0):
            expected = f"from 0 to {len(self)}" if start is not None else "0 between epochs"
            refuse(ArgumentError, where, "batch is out of range", expected=expected, given=batch)
        now = _generator(where, state["generator"])
        resumed = None
        if start is not None:
            drawing = _generator(where, start)
            resumed = Epoch(number, _state(drawing), self._order(drawing), len(self), batch)
        if type(now.bit_generator) is not type(self.generator.bit_generator):
            wrong, cure = "the state is of another generator", "pass a generator of that kind"
            own, given = (type(g.bit_generator).__name__ for g in (self.generator, now))
            refuse(ArgumentError, where, wrong, expected=own, given=given, cure=cure)
        self.generator.bit_generator.state = now.bit_generator.state
        self._epoch = self._resumed = resumed
        self._epochs = number + (resumed is not None)

    def _settings(self) -> dict[str, Any]:
        """What two loaders have in common if one can go on for the other."""
        names = ("rows", "batch_size", "shuffle", "drop_last")
        return {name: getattr(self, name) for name in names}

    def _order(self, generator: np.random.Generator) -> NDArray[np.int64] | None:
        return generator.permutation(self.rows) if self.shuffle else None

    def __repr__(self) -> str:
        batches = "1 batch" if len(self) == 1 else f"{len(self)} batches"
        order = ", shuffled" if self.shuffle else ""
        return f"DataLoader({self.rows} rows, {batches} of {self.batch_size}{order})"


def _state(generator: np.random.Generator) -> dict[str, Any]:
    """The generator's state as numbers, text, lists and dicts."""
    plain: dict[str, Any] = _plain(generator.bit_generator.state)
    return plain


def _plain(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _plain(inner) for key, inner in part.items()}
    return part.tolist() if isinstance(part, (np.ndarray, np.generic)) else part


def _generator(where: str, state: Any) -> np.random.Generator:
    """A generator of its own in that state. Raises `ArgumentError` for what is no state."""
    kinds = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
    try:
        kind = state["bit_generator"]
        if kind not in kinds:
            raise ValueError(kind)
        bits = getattr(np.random, kind)()
        bits.state = state
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        wrong, expected = "no state of a generator", f"one of {', '.join(kinds)}"
        given = type(state).__name__ if not isinstance(state, dict) else f"{error}"
        refuse(ArgumentError, where, wrong, expected=expected, given=given)
    return np.random.Generator(bits)
