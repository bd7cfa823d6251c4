"""What notebooks show of optimisers."""

from __future__ import annotations

from ..support.html import MOST_ROWS, Html, ends, table, title, together
from ..support.text_format import number_text
from .optimizer import Optimizer, hyperparameters


def optimizer_table(optimizer: Optimizer) -> Html:
    """The settings of an optimiser, or of each of its groups."""
    groups = optimizer.groups
    settings = hyperparameters(type(optimizer))
    rows: list[list[str]] = []
    for i in ends(len(groups), MOST_ROWS):
        if i is None:
            rows.append(["…", *[""] * (len(settings) + 1)])
            continue
        group = groups[i]
        numbers = sum(x.size for x in group.parameters)
        told = [said(getattr(group, name, "")) for name in settings]
        rows.append([str(i), *told, f"{numbers:,}"])
    head = ["group", *(name.replace("_", " ") for name in settings), "parameters"]
    count = f"{optimizer.steps:,} step{'s' * (optimizer.steps != 1)} made"
    body = table(head, rows, numeric=range(1, len(head)))
    return together(title(type(optimizer).__name__, count), body)


def said(setting: object) -> str:
    """A setting in few characters."""
    if isinstance(setting, bool) or not isinstance(setting, (int, float)):
        if isinstance(setting, tuple):
            return ", ".join(map(said, setting))
        name = getattr(setting, "__name__", None)
        return name or (type(setting).__name__ if callable(setting) else f"{setting}")
    return number_text(setting)
