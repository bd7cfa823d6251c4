"""What notebooks show of modules and of their summaries."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.value import Value
from ..support.html import Html, ends, table, title, together
from ..support.text_format import shape_text
from .module import Module, _settings, walk
from .summaries import Summary, format_bytes

MOST_LAYERS = 20
MOST_PARAMETERS = 6  # of one layer


def module_table(model: Module) -> Html:
    """The layers of a model: path, kind, parameters with their shapes, and how many numbers."""
    own: dict[str, list[Value]] = {}
    named: dict[str, list[str]] = {}
    total = trained = 0
    for found in walk(model):
        if isinstance(found.item, Value):
            own.setdefault(found.owner, []).append(found.item)
            name = found.name.removeprefix(found.owner).lstrip(".")
            shape = shape_text(found.item.shape) if found.item.shape else ""
            named.setdefault(found.owner, []).append(f"{name} {shape}".rstrip())
            total += found.item.size
            trained += found.item.size if found.item.requires_grad else 0
    layers = model.named_modules()
    rows = [
        (name or "(itself)", kind_of(module), listed(named.get(name, [])), counted(own.get(name)))
        for name, module in layers
        if name or own.get("") or len(layers) == 1
    ]
    count = f"{total:,} parameter{'s' * (total != 1)}"
    about = [count, f"{total - trained:,} frozen" if trained < total else ""]
    body = table(
        ["layer", "kind", "parameters", "count"],
        shortened(rows, 4),
        numeric=[3],
        foot=["all", "", "", f"{total:,}"],
    )
    mode = "in training mode" if model.training else "in evaluation mode"
    return together(title(type(model).__name__, *about, mode), body)


def summary_table(summary: Summary) -> Html:
    """The table of `tg.nn.summary`."""
    rows = [(x.name, x.kind, x.output, f"{x.parameters:,}") for x in summary.rows if x.name]
    kept = f"{summary.buffers:,} in buffers" if summary.buffers else ""
    about = [f"{summary.trainable:,} trainable", f"{summary.frozen:,} frozen", kept]
    body = table(
        ["layer", "kind", "output", "parameters"],
        shortened(rows, 4),
        numeric=[3],
        foot=[summary.kind, "", summary.output, f"{summary.parameters:,}"],
    )
    return together(title(summary.kind, *about, format_bytes(summary.bytes)), body)


def kind_of(module: Module) -> str:
    """The kind of a module, with the numbers that it was made with."""
    settings = ", ".join(_settings(module))
    return f"{module._title()}({settings})" if settings else module._title()


def listed(parameters: Sequence[str]) -> str:
    """The first parameters of a layer."""
    more = len(parameters) - MOST_PARAMETERS
    shown = [*parameters[:MOST_PARAMETERS], *([f"{more:,} more"] if more > 0 else [])]
    return ", ".join(shown)


def counted(parameters: Sequence[Value] | None) -> str:
    """How many numbers they are."""
    return f"{sum(x.size for x in parameters or ()):,}"


def shortened(rows: Sequence[Sequence[object]], columns: int) -> list[Sequence[object]]:
    """The first rows and the last, with how many are between them."""
    between = f"… {len(rows) - MOST_LAYERS + 1:,} more"
    return [
        (between, *[""] * (columns - 1)) if i is None else rows[i]
        for i in ends(len(rows), MOST_LAYERS)
    ]
