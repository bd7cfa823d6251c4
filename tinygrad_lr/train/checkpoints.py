"""Checkpoints, written during training so that a later run resumes bit for bit."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checkpoint import TRAINING, load_all, save_file
from ..errors import ArgumentError
from ..support.abstract_array import Array
from ..support.files import check_writable, printable
from ..support.validation import check_integer, check_number, check_path

__all__ = ["Checkpoints"]

FORMAT = 1
OPTIONAL = {
    "model": None,
    "rows": None,
    "validation": None,
}  # settings that version 0.2.0 didn't write
MAX_DIFFERENCES = 8  # in an error


@dataclass
class Checkpoints:
    """The file that training state is saved to, and how often.

    - `path`: one safetensors file, replaced atomically each time; the model's parameters are stored
      under their own names, so that `tg.checkpoint.load_model` can read them
    - `steps`: save after every `steps` steps
    - `minutes`: save when `minutes` have passed; 5 if neither is given

    It is also saved at the end of training, unless the loss diverged.

    Raises `ArgumentError` if steps is not a positive integer or minutes is not positive.
    """

    path: str | os.PathLike[str]
    steps: int | None = None
    minutes: float | None = None
    saved: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        self.saved = time.monotonic()
        check_path("Checkpoints", "path", self.path)
        if self.steps is not None:
            check_integer("Checkpoints", "steps", self.steps, low=1)
        if self.minutes is not None:
            check_number("Checkpoints", "minutes", self.minutes, positive=True)
        if self.steps is None and self.minutes is None:
            self.minutes = 5

    def due(self, step: int) -> bool:
        """Return True if it is time to save."""
        if self.steps is not None and step % self.steps == 0:
            return True
        return self.minutes is not None and time.monotonic() - self.saved >= 60 * self.minutes

    def write(
        self,
        weights: Mapping[str, Array],
        tensors: Mapping[str, Array],
        numbers: Mapping[str, Any],
        settings: Mapping[str, Any],
    ) -> None:
        """Replace the file: the model's weights, the training's arrays, numbers and settings."""
        text = {"format": FORMAT, "settings": settings, **numbers}
        save_file(
            {**weights, **{f"{TRAINING}{k}": v for k, v in tensors.items()}},
            self.path,
            {"training": json.dumps(to_json(text), allow_nan=False, sort_keys=True)},
        )
        self.saved = time.monotonic()

    def read(
        self, settings: Mapping[str, Any]
    ) -> tuple[dict[str, Array], dict[str, Array], dict[str, Any]] | None:
        """Return weights, arrays and numbers, or None if there is no file yet.

        Raises `ArgumentError` if the file has no training state, or that of other settings.
        """
        if not os.path.exists(self.path):
            return None
        tensors, texts = load_all(self.path)
        text = texts.get("training", "")
        if not text:
            raise self.error("must be written by fit(checkpoint=...), got weights only")
        numbers = self._parse(text)
        if numbers.get("format") != FORMAT:
            raise self.error(f"must have format {FORMAT}, got format {numbers.get('format')!r:.60}")
        found = numbers.get("settings")
        if not isinstance(found, dict):
            raise self.error(f"must have a dict of settings, got {found!r:.60}")
        wrong = [x for name in found for x in differences(name, found[name], settings.get(name))]
        wrong += [f"no {name}" for name in settings if name not in found | OPTIONAL]
        if wrong:
            raise self.error(
                "must be of a run with the same data, model, loss, optimizer and batches, "
                f"got {'; '.join(wrong[:MAX_DIFFERENCES])}"
            )
        weights = {k: v for k, v in tensors.items() if not k.startswith(TRAINING)}
        rest = {k.removeprefix(TRAINING): v for k, v in tensors.items() if k.startswith(TRAINING)}
        return weights, rest, numbers

    def _parse(self, text: str) -> dict[str, Any]:
        """Return the numbers of the training state, or raise `ArgumentError`."""
        try:
            found = from_json(json.loads(text))
        except (ValueError, OverflowError, RecursionError) as error:
            reason = printable(f"{error!s:.100}")
            raise self.error(f"must have a readable training state, got {reason}") from error
        if not isinstance(found, dict):
            raise self.error(f"must have a dict as training state, got {type(found).__name__}")
        return found

    def check_writable(self) -> None:
        """Raise `DataFileError` if the file couldn't be written: before training, not after."""
        check_writable(self.path)

    def error(self, wrong: str) -> ArgumentError:
        """Return the error for a file that cannot be resumed from."""
        return ArgumentError(
            f"fit: the checkpoint {printable(os.fspath(self.path))} {wrong}; pass resume=False "
            "to start from scratch, or another path"
        )


def to_json(x: Any) -> Any:
    """Convert to what JSON has: arrays and infinite numbers become small dicts."""
    if isinstance(x, dict):
        return {str(key): to_json(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [to_json(value) for value in x]
    if isinstance(x, np.ndarray):
        return {"array": x.tolist(), "dtype": str(x.dtype)}
    if isinstance(x, np.generic):
        return to_json(x.item())
    if isinstance(x, float) and not math.isfinite(x):
        return {"float": repr(x)}
    return x


def from_json(x: Any) -> Any:
    """Convert back what `to_json` returned, tuples and arrays to lists; else `ValueError`.

    >>> from_json(to_json({"state": np.array([1, 2], np.uint32), "best": math.nan}))
    {'state': [1, 2], 'best': nan}
    """
    if isinstance(x, dict):
        if x.keys() == {"array", "dtype"}:
            return _read_array(x["array"], x["dtype"])
        if x.keys() == {"float"}:
            if x["float"] not in ("nan", "inf", "-inf"):
                raise ValueError(f"the float {x['float']!r:.60}")
            return float(x["float"])
        return {key: from_json(value) for key, value in x.items()}
    return [from_json(value) for value in x] if isinstance(x, list) else x


def _read_array(entries: Any, dtype: Any) -> list[int]:
    """Return an array of the state of a generator, integers without a sign, as a list."""
    most = {"uint32": 1 << 32, "uint64": 1 << 64}.get(dtype, 0) if isinstance(dtype, str) else 0
    right = isinstance(entries, list) and all(type(x) is int and 0 <= x < most for x in entries)
    if not right or not most:
        raise ValueError(f"an array of {dtype!r:.60}: {entries!r:.60}")
    return list(entries)


def differences(name: str, given: Any, own: Any) -> Iterator[str]:
    """Yield what differs between a setting of a file and that of a run, as text.

    >>> list(differences("model", {"layers.1": "Tanh()"}, {"layers.1": "ReLU()"}))
    ['model layers.1 Tanh(), not ReLU()']
    """
    if isinstance(given, dict) and isinstance(own, dict):
        for key in given | own:
            yield from differences(f"{name} {key}", given.get(key), own.get(key))
    elif given != own:
        yield printable(f"{name:.60} {given!s:.60}, not {own!s:.60}")
