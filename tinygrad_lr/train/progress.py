"""The progress bar of training in a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping

from ..errors import import_extra
from .steps import Show


@contextlib.contextmanager
def progress_bar(limit: int, done: int, progress: bool | None) -> Iterator[Show]:
    """Yield what to call after each step, with its loss and the last evaluation."""
    shown = progress
    if shown is None:
        import importlib.util  # here: a program without a terminal does without it

        terminal = sys.stderr is not None and sys.stderr.isatty()
        shown = terminal and importlib.util.find_spec("tqdm") is not None
    if not shown:
        yield lambda loss, evaluation: None
        return
    tqdm = import_extra("tqdm", "cli").tqdm
    with tqdm(total=limit, initial=done, unit=" steps", file=sys.stderr) as bar:

        def show(loss: float, evaluation: Mapping[str, float]) -> None:
            bar.set_postfix_str(progress_text(loss, evaluation), refresh=False)
            bar.update()

        yield show


def progress_text(loss: float, evaluation: Mapping[str, float]) -> str:
    """Return the numbers that matter, in a line.

    >>> progress_text(0.25, {"step": 4, "epoch": 1, "loss": 0.5, "validation_accuracy": 0.975})
    'loss 0.25, validation_accuracy 0.975'
    """
    shown = {"loss": loss}
    shown |= {k: v for k, v in evaluation.items() if k not in {"step", "epoch", "loss"}}
    return ", ".join(f"{name} {value:.4g}" for name, value in shown.items())
