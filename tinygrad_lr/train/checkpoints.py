"""Checkpoints of a training: written now and then, so that a later run goes on bit for bit."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checkpoint import TRAINING, load_all, save_file
from ..errors import ArgumentError, bad_argument
from ..support.abstract_array import Array
from ..support.files import printable
from ..support.validation import check_integer, check_number
from .state import Run

FORMAT = 1


@dataclass
class Checkpoints:
    """Where a training is kept, and how often.

    - `path`: one safetensors file, replaced whole each time; the model's parameters stand in it
      under their own names, so that `tg.checkpoint.load_model` takes them
    - `steps`: write it every so many steps
    - `minutes`: write it when so many minutes have passed; 5 where neither is given

    It is also written when the training ends, unless it diverged.

    Raises `ArgumentError` for numbers that are not above 0, and for steps that are not whole.
    """

    path: str | os.PathLike[str]
    steps: int | None = None
    minutes: float | None = None
    saved: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        self.saved = time.monotonic()
        if self.steps is not None:
            check_integer("Checkpoints", "steps", self.steps, low=1)
        if self.minutes is not None:
            check_number("Checkpoints", "minutes", self.minutes, positive=True)
        if self.steps is None and self.minutes is None:
            self.minutes = 5

    def due(self, step: int) -> bool:
        """Whether it is time to write one."""
        if self.steps is not None and step % self.steps == 0:
            return True
        return self.minutes is not None and time.monotonic() - self.saved >= 60 * self.minutes

    def save(self, run: Run) -> None:
        """Write the run as it stands between two steps."""
        text = {"format": FORMAT, "settings": run.settings, **run.numbers()}
        save_file(
            run.model.state_dict() | {f"{TRAINING}{k}": v for k, v in run.tensors().items()},
            self.path,
            {"training": json.dumps(encoded(text), allow_nan=False, sort_keys=True)},
        )
        self.saved = time.monotonic()

    def resume(self, run: Run) -> None:
        """Bring a run to where the file left it, or raise what does not fit and change nothing.

        Where there is no file the run begins at its beginning.
        """
        if not os.path.exists(self.path):
            return
        tensors, texts = load_all(self.path)
        text = texts.get("training", "")
        if not text:
            self._refuse("holds no training", "what fit(checkpoint=...) wrote", "weights alone")
        numbers = decoded(json.loads(text))
        if numbers["format"] != FORMAT:
            self._refuse("another format", f"format {FORMAT}", f"format {numbers['format']}")
        wrong = [
            f"{name} {given}, not {run.settings.get(name)}"
            for name, given in numbers["settings"].items()
            if given != run.settings.get(name)
        ]
        if wrong:
            expected = "the data, loss, optimizer and batches that it was begun with"
            self._refuse("is of another training", expected, "; ".join(wrong))
        before = run.model.state_dict()
        weights = {k: v for k, v in tensors.items() if not k.startswith(TRAINING)}
        rest = {k.removeprefix(TRAINING): v for k, v in tensors.items() if k.startswith(TRAINING)}
        try:
            run.model.load_state_dict(weights)
            run.load(rest, numbers)
        except (ArgumentError, KeyError, ValueError) as error:
            run.model.load_state_dict(before)
            raise ArgumentError(f"fit: {printable(os.fspath(self.path))}: {error}") from error

    def _refuse(self, wrong: str, expected: str, given: str) -> None:
        raise ArgumentError(
            bad_argument(
                "fit",
                f"the checkpoint {printable(os.fspath(self.path))} {wrong}",
                expected=expected,
                given=given,
                cure="pass resume=False to begin anew, or another path",
            )
        )


def fingerprint(*arrays: Array) -> str:
    """A short text that differs for other data."""
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def encoded(x: Any) -> Any:
    """The same in what JSON has: arrays and infinite numbers as small dicts."""
    if isinstance(x, dict):
        return {str(key): encoded(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [encoded(value) for value in x]
    if isinstance(x, np.ndarray):
        return {"array": x.tolist(), "dtype": str(x.dtype)}
    if isinstance(x, np.generic):
        return encoded(x.item())
    if isinstance(x, float) and not math.isfinite(x):
        return {"float": repr(x)}
    return x


def decoded(x: Any) -> Any:
    """What `encoded` was given, tuples as lists.

    >>> decoded(encoded({"state": np.array([1, 2], np.uint32), "best": math.nan}))
    {'state': array([1, 2], dtype=uint32), 'best': nan}
    """
    if isinstance(x, dict):
        if x.keys() == {"array", "dtype"}:
            return np.array(x["array"], x["dtype"])
        if x.keys() == {"float"}:
            return float(x["float"])
        return {key: decoded(value) for key, value in x.items()}
    return [decoded(value) for value in x] if isinstance(x, list) else x
