"""Groups of parameters: each an optimiser of the same kind with hyperparameters of its own."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError, TinygradError, refuse
from .checks import checked_group, checked_parameters
from .optimizer import Optimizer


def grouped(whole: Optimizer, given: Sequence[Any]) -> tuple[list[Optimizer], list[Optimizer]]:
    """The groups that are meant, and those among them that have no learning rate of their own.

    What a group does not say is as in the whole, whose attributes have the names of its arguments.
    """
    kind, where = type(whole), type(whole).__name__
    own = {name: _setting(whole, name) for name in hyperparameters(kind)}
    groups, followers = [], []
    for position, stated in enumerate(given):
        title = f"{where}, group {position}"
        settings = checked_group(title, stated, list(own))
        settings["parameters"] = checked_parameters(title, settings["parameters"])
        try:
            group = kind(**{**own, **settings})
        except TinygradError as error:
            error.args = (str(error).replace(where, title, 1),)
            raise
        groups.append(group)
        if "learning_rate" not in stated:
            followers.append(group)
    return groups, followers


def hyperparameters(kind: type[Optimizer]) -> list[str]:
    """The names of the arguments of an optimiser, without the parameters."""
    names = list(inspect.signature(kind).parameters)
    return [name for name in names if name != "parameters"]


def _setting(whole: Optimizer, name: str) -> Any:
    if hasattr(whole, name):
        return getattr(whole, name)
    kind = type(whole).__name__
    refuse(
        ArgumentError,
        kind,
        f"its groups cannot take over {name}",
        expected=f"the argument {name} kept as an attribute of that name",
        given="no such attribute",
        cure=f"set self.{name} before super().__init__",
    )
