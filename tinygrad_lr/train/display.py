"""What notebooks show of a history: why it ended, the curve of its loss, and its evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from ..support.html import MOST_COLUMNS, MOST_ROWS, Html, element, ends, table, title, together
from ..support.text_format import number_text
from .history import History, count_of
from .sparkline_svg import curves


def history_page(history: History) -> Html:
    """The display of a history."""
    parts: list[object] = [title("History", history.message or count_of(history.steps, "step"))]
    losses = [(float(i), float(x)) for i, x in enumerate(history.losses)]
    held = [
        (float(row["step"]), float(row["validation_loss"]))
        for row in history.evaluations
        if "validation_loss" in row
    ]
    if sum(math.isfinite(x) for _, x in losses) > 1:
        parts.append(curves(losses, held))
    parts.append(table([], list(settings(history)), numeric=[1]))
    if history.evaluations:
        parts.append(evaluations(history.evaluations))
    told = [element("li", x) for x in history.warnings[:MOST_ROWS] if x != history.message]
    if told:
        parts.append(element("ul", *told, style="margin: 0.3em 0"))
    return together(*parts)


def settings(history: History) -> Iterable[tuple[str, str]]:
    """What is said of a history beside its sentence."""
    if history.losses:
        yield "first loss", number_text(history.losses[0], 6)
        yield "last loss", number_text(history.losses[-1], 6)
    yield "learning rate", number_text(history.learning_rate, 6)
    if history.learning_rate_limit is not None:
        yield "largest stable rate", number_text(history.learning_rate_limit, 6)
    if history.best_step is not None:
        yield "best step", f"{history.best_step:,}"


def evaluations(rows: Sequence[Mapping[str, float]]) -> Html:
    """The first evaluations and the last, with their first columns."""
    names = list(dict.fromkeys(name for row in (rows[0], rows[-1]) for name in row))
    shown = names[:MOST_COLUMNS]
    more = f", {len(names) - len(shown):,} more columns" if len(names) > len(shown) else ""
    body: list[list[str]] = []
    for i in ends(len(rows), MOST_ROWS):
        if i is None:
            body.append(["…"] * len(shown))
            continue
        row = rows[i]
        body.append(
            [
                f"{row[name]:,.0f}"
                if name in {"step", "epoch"} and name in row
                else number_text(row[name])
                if name in row
                else ""
                for name in shown
            ]
        )
    heads = [name.replace("_", " ") for name in shown]
    caption = f"{count_of(len(rows), 'evaluation')}{more}"
    return table(heads, body, caption=caption, numeric=range(len(heads)))
