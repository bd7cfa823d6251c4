"""`Dropout`: zero random entries in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.node import unwrap
from ..core.value import ValueLike
from ..ops.arithmetic import multiply
from ..support.random_state import Seed, as_generator
from ..support.validation import as_input, check_fraction
from .module import Weightless

__all__ = ["Dropout"]


class Dropout(Weightless):
    """Zero each entry with probability p in training; divide the others by 1 - p.

    This preserves the mean. After `eval()` the layer does nothing. p = 0 changes nothing and p = 1
    leaves zeros. Entries are drawn with `generator` (a NumPy Generator or a seed); checkpoints save
    its state, so training resumes bit for bit.

    Raises `ArgumentError` if p is not between 0 and 1.

    Source: Srivastava et al., "Dropout", 2014; `torch.nn.Dropout`.

    >>> layer = tg.nn.Dropout(0.5, generator=0)
    >>> layer
    Dropout(p=0.5)
    >>> layer(Value(np.ones(5))).tolist(), layer.eval()(Value(np.ones(2))).tolist()
    ([2.0, 2.0, 2.0, 0.0, 0.0], [1.0, 1.0])
    """

    def __init__(self, p: float = 0.5, generator: Seed = None) -> None:
        self.p = check_fraction("Dropout", "p", p)
        self.generator = as_generator("Dropout", generator)

    def forward(self, x: ValueLike) -> Any:
        """Return x, with random entries zeroed in training."""
        if not self.training or self.p == 0:
            return x
        data = as_input(f"Dropout(p={self.p})", "x", x)
        dtype = np.result_type(unwrap(data))
        # float32 draws: half the time, and the same entries for every dtype of x
        kept = self.generator.random(np.shape(data), np.float32) >= self.p
        scale = 1 / (1 - self.p) if self.p < 1 else 0.0
        return multiply(data, kept * (dtype if dtype.kind == "f" else np.dtype(float)).type(scale))
