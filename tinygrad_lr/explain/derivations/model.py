"""The data of a derivation: its steps, what was asked for, and the names used in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...core.value import Value
from ...support.validation import check_instance, short_repr
from ..graphs.naming import Names
from .local_derivatives import Given
from .prose import describe_shares
from .steps import Share, Step


@dataclass(frozen=True, eq=False, repr=False)
class DerivationData:
    """The chain rule from a loss to some Values, as the renderers read it.

    `Derivation` adds the renderers as methods, and documents the fields.
    """

    steps: tuple[Step, ...]
    wrt: tuple[Value, ...]
    gradients: tuple[Any, ...]
    names: Names
    forward: tuple[Given, ...]
    notation: tuple[str, ...]
    paths: tuple[int, ...]
    path: tuple[Value, ...] | None = None
    at: tuple[int, ...] | None = None
    learning_rate: float | None = None
    single: bool = True
    apart: tuple[str, ...] = ()

    @property
    def gradient(self) -> Any:
        """The gradient dL/dw of all paths together, whichever is followed."""
        return self.gradients[0] if self.single else self.gradients

    @property
    def loss(self) -> Value:
        """The Value that is differentiated."""
        return self.steps[0].value

    def step(self, value: Value) -> Step:
        """Return the step of a Value. Raises `KeyError` if the derivation has none for it."""
        check_instance("step", "value", value, Value, "a Value")
        if value not in self._step_of:
            raise KeyError(f"{short_repr(value)} is not a step of this derivation")
        return self._step_of[value]

    @cached_property
    def words(self) -> dict[str, str]:
        """The LaTeX of names that are words, and the words."""
        return self.names.words

    @cached_property
    def sentences(self) -> Mapping[Share, str]:
        """The sentence on each share, or ""."""
        return describe_shares(self.steps, self.names)

    @cached_property
    def _step_of(self) -> dict[Value, Step]:
        return {step.value: step for step in self.steps}
