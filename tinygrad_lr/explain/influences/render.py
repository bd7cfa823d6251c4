"""Render an influence as tables: as text, and as HTML for a notebook."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from ...support.text_format import (
    array_text,
    count_text,
    factor_text,
    index_text,
    number_text,
    shape_text,
)
from .jacobians import Jacobian, euclidean_norm
from .model import InfluenceData, LayerInfluence
from .weight import WeightInfluence

MAX_WEIGHTS = 3  # whose paths are listed
MAX_PATHS_SHOWN = MAX_UNITS_SHOWN = 4  # for each of them
MAX_PARAMETERS, MAX_LAYERS = 6, 40  # parameters of a layer, and layers
MAX_UNITS_IN_PATH = 12  # of a path
COLUMNS = 100


@dataclass(frozen=True)
class Table:
    """A title, a note, headings, and cells; the first `named` columns are text."""

    title: str
    note: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    named: int

    def text(self) -> str:
        """Return aligned columns, with numbers to the right."""
        cells = [self.headings, *self.rows]
        widths = [max(_width(row[i]) for row in cells) for i in range(len(self.headings))]
        lines = [
            "  ".join(
                cell + pad if i < self.named else pad + cell
                for i, cell in enumerate(row)
                for pad in [" " * (widths[i] - _width(cell))]
            ).rstrip()
            for row in cells
        ]
        rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
        return "\n".join([self.title, *([self.note] if self.note else []), "", lines[0], rule,
                          *lines[1:]])  # fmt: skip

    def html(self) -> str:
        """Return a table with a caption; all text is escaped."""
        note = "".join(f"<br>{escape(line)}" for line in self.note.splitlines())
        look = "font-variant-numeric:tabular-nums;border-collapse:collapse;margin:1em 0"
        return (
            f'<table style="{look}">'
            f'<caption style="text-align:left"><b>{escape(self.title)}</b>{note}</caption>'
            f'<thead style="border-bottom:1px solid">{self._row("th", self.headings)}</thead>'
            f"<tbody>{''.join(self._row('td', row) for row in self.rows)}</tbody></table>"
        )

    def _row(self, kind: str, cells: Sequence[str]) -> str:
        """Return a row of cells, text to the left and numbers to the right."""
        sides = ["left" if i < self.named else "right" for i in range(len(cells))]
        return "<tr>{}</tr>".format(
            "".join(
                f'<{kind} style="text-align:{side};padding:.15em 1.2em .15em 0">'
                f"{escape(cell)}</{kind}>"
                for side, cell in zip(sides, cells, strict=True)
            )
        )


@dataclass(frozen=True)
class Lines:
    """A title and lines of text under it."""

    title: str
    lines: Sequence[str]

    def text(self) -> str:
        """Return the lines, indented."""
        return "\n".join([self.title, "", *self.lines])

    def html(self) -> str:
        """Return the lines; all text is escaped."""
        return f"<p><b>{escape(self.title)}</b></p>" + "".join(
            f'<p style="white-space:pre-wrap">{escape(line)}</p>' for line in self.lines
        )


def influence_text(influence: InfluenceData, findings: Sequence[str], detail: bool = False) -> str:
    """Return the findings and the tables as text."""
    note = [textwrap.fill(sentence, COLUMNS) for sentence in findings]
    shown = [x.text() for x in tables(influence, detail)]
    return "\n\n".join([_headline(influence), *note, *shown])


def influence_html(influence: InfluenceData, findings: Sequence[str]) -> str:
    """Return the same for a notebook: no script, all names escaped."""
    note = [f"<p>{escape(sentence)}</p>" for sentence in findings]
    parts = [table.html() for table in tables(influence)]
    return "".join([f"<p>{escape(_headline(influence))}</p>", *note, *parts])


def tables(influence: InfluenceData, detail: bool = False) -> Iterator[Table | Lines]:
    """Yield the tables: by layer, the recursion, by weight, and the paths of the first weights."""
    if influence.layers:
        yield _gradients(influence)
        yield _recursion(influence)
    if influence.layers and detail:
        yield _chain(influence)
    if influence.weights:
        yield _weights(influence)
    for weight in influence.weights[:MAX_WEIGHTS]:
        if weight.through:
            yield _paths(weight)
        if (factors := _factors(weight)) is not None:
            yield factors
        if not weight.paths_complete:
            yield _units(weight)


def _headline(influence: InfluenceData) -> str:
    rows = "" if influence.batch is None else f", {count_text(influence.batch, 'row')}"
    return f"What affects the loss, L = {number_text(influence.loss)}{rows}"


def _gradients(influence: InfluenceData) -> Table:
    """Return the table of gradients by parameter."""
    rows: list[tuple[str, ...]] = []
    note: set[str] = set()
    for layer in influence.layers:
        if _left_out(layer, influence):
            continue
        shown = layer.parameters[:MAX_PARAMETERS]
        for i, x in enumerate(shown):
            name, shape = "" if i else layer.name, shape_text(x.data.shape)
            if x.name in note:  # a shared parameter has one gradient
                rows.append((name, x.name, shape, "as above", "", ""))
                continue
            note.add(x.name)
            at = x.name + index_text(x.largest)
            largest = number_text(float(x.gradient[x.largest]))
            rows.append((name, x.name, shape, number_text(x.norm), largest, at))
        rest = layer.parameters[len(shown) :]
        if rest:
            norm = number_text(euclidean_norm(np.array([x.norm for x in rest])))
            top = max(rest, key=lambda x: abs(float(x.gradient[x.largest])))
            largest = number_text(float(top.gradient[top.largest]))
            rows.append(("", f"… {len(rest)} more", "", norm, largest, top.name))
    headings = ("layer", "parameter", "shape", "‖dL/d·‖", "largest entry", "at")
    return Table("Gradients by layer", _left_out_text(influence), headings, rows, 3)


def _recursion(influence: InfluenceData) -> Table:
    """Return the table of δ = dL/dz by layer, from the loss down, with its first row."""
    rows = []
    for layer in reversed(influence.layers):
        if not _left_out(layer, influence):
            first = layer.delta[0]
            shown = array_text(first, 3) if len(first) <= MAX_UNITS_IN_PATH else ""
            rows.append((layer.recursion, number_text(layer.delta_norm), shown))
    note = "δ = dL/dz, z being what a layer's activation reads; dL/dW = hᵀ δ, with its input h"
    left_out = _left_out_text(influence)
    note += f"\n{left_out}" if left_out else ""
    one = "δ" if influence.batch is None else "δ in row 0"
    return Table("The recursion, from the loss down", note, ("", "‖δ‖", one), rows, 1)


def _factors(weight: WeightInfluence) -> Lines | None:
    """Return the factors of the strongest paths in one row, and what they add up to."""
    lines: list[str] = []
    if not weight.paths or len(weight.paths[0].labels) > MAX_UNITS_IN_PATH:
        return None
    for path in weight.paths[:MAX_PATHS_SHOWN]:
        rows = 1 if path.by_row is None else len(path.by_row)
        row = 0 if path.by_row is None else int(np.argmax(np.abs(path.by_row)))
        found = weight.factors(path, row)
        if found is None:
            return None
        lines.append(" → ".join([weight.name, *path.labels, "L"]))
        lines.append(f"   {' · '.join(found.names)}")
        numbers = " · ".join(factor_text(x) for x in found.numbers)
        where = f" in row {found.row}" if rows > 1 else ""
        lines.append(f"   = {numbers} = {number_text(found.product)}{where}")
        if rows > 1:
            part = number_text(path.contribution)
            lines.append(f"   the {rows} rows together: {part}, {share(path.contribution, weight)}")
    lines.append(
        f"All paths together: dL/d{weight.name} = {number_text(weight.gradient)}. For a nudge of "
        f"{number_text(weight.nudge)} that promises {number_text(weight.predicted)}; seen: "
        f"{seen_text(weight)}."
    )
    return Lines(f"The factors of each path from {weight.name}", lines)


def _chain(influence: InfluenceData) -> Table:
    """Return the table of factors from the loss down, and of their products."""
    rows = []
    layers = influence.layers
    for i in range(len(layers) - 1, -1, -1):
        layer, after = layers[i], layers[i + 1] if i + 1 < len(layers) else None
        if _left_out(layer, influence):
            continue
        name = f"dL/d{_bound(layer)}"
        figures = ("", "", "", "", "")
        if after is not None and after.factor is not None and layer.product is not None:
            name += f" = (∂{_bound(after)}/∂{_bound(layer)})ᵀ·dL/d{_bound(after)}"
            product = number_text(_mean(layer.product.spectral))
            figures = (*_figures(after.factor), product)
        rows.append((name, *figures, number_text(layer.cotangent_norm)))
    looked_at = next((x.factor.rows for x in layers if x.factor and x.factor.rows), None)
    note = _left_out_text(influence)
    if looked_at is not None and len(layers) > 1:
        note += "; " if note else ""
        note += f"Jacobians J at row{'s' * (len(looked_at) > 1)} {', '.join(map(str, looked_at))}"
        note += " (means over them)" if len(looked_at) > 1 else ""
    headings = ("", "J", "‖J‖₂", "‖J‖F", "singular values", "‖product‖₂", "‖dL/d·‖")
    return Table("The chain, from the loss down", note, headings, rows, 1)


def _left_out(layer: LayerInfluence, influence: InfluenceData) -> bool:
    """Return whether a layer is left out of the tables, as one in the middle of many."""
    ends = influence.layers[: MAX_LAYERS // 2] + influence.layers[-(MAX_LAYERS // 2) :]
    return len(influence.layers) > MAX_LAYERS and layer not in ends


def _left_out_text(influence: InfluenceData) -> str:
    """Return the note on the layers that are left out of the tables."""
    count = len(influence.layers) - MAX_LAYERS
    told = f"{count_text(count, 'layer')} in the middle {'is' if count == 1 else 'are'} left out"
    return told if count > 0 else ""


def _figures(jacobian: Jacobian) -> tuple[str, str, str, str]:
    """Return shape, spectral and Frobenius norm, and singular values of a factor."""
    spectrum = jacobian.singular_values.mean(axis=0)
    none = np.finfo(np.float64).eps * max(jacobian.shape) * spectrum[0]  # rounding: shown as 0
    spectrum = np.where(spectrum > none, spectrum, 0.0) if np.isfinite(none) else spectrum
    note = array_text(spectrum, 3)[1:-1]
    return (
        shape_text(jacobian.shape),
        number_text(_mean(jacobian.spectral)),
        ("" if jacobian.exact else "≈ ") + number_text(_mean(jacobian.frobenius)),
        note if jacobian.exact else f"{note}, …",
    )


def _weights(influence: InfluenceData) -> Table:
    """Return the table of value, derivatives and nudge of each chosen weight."""
    rows = []
    for w in influence.weights:
        numbers = (w.value, w.gradient, w.curvature, w.predicted, w.predicted_with_curvature)
        rows.append((w.name, w.path, *map(number_text, numbers), seen_text(w)))
    nudge = number_text(influence.weights[0].nudge)
    switched = [(w.name, w.switched) for w in influence.weights]
    note = f"The change of the loss when w moves by {nudge}: "
    note += "predicted by g·ε and g·ε + ½·h·ε², and seen"
    for name, count in switched:
        if count:
            activations = f"{count} activation{'s' * (count > 1)}"
            note += f"\n({name}: {activations} switch{'es' * (count == 1)} on or off on the way, "
            note += "which no derivative predicts)"
    if any(w.chosen for w in influence.weights):
        note += "\n(seen with the choices of this run, as in np.where of plain booleans; give the "
        note += "loss as a function, influence(model, lambda: ...), to run the program again)"
    headings = ("weight", "path", "w", "g = dL/dw", "h = d²L/dw²", "g·ε", "with ½·h·ε²", "seen")
    return Table("Weights", note, headings, rows, 2)


def seen_text(weight: WeightInfluence) -> str:
    """Return the change that was seen, or a note that it is below rounding."""
    if abs(weight.seen) <= 8 * weight.rounding and weight.predicted:
        return f"below rounding, {number_text(float(weight.rounding), 1)}"
    return number_text(weight.seen)


def _paths(weight: WeightInfluence) -> Table:
    """Return the table of the strongest paths with their shares."""
    rows = []
    for path in weight.paths[:MAX_PATHS_SHOWN]:
        labels = path.labels
        if len(labels) > MAX_UNITS_IN_PATH:
            labels = (*labels[:4], "…", *labels[-4:])
        way = " → ".join([weight.name, *labels, "L"])
        rows.append((way, number_text(path.contribution), share(path.contribution, weight)))
    more = len(weight.paths) - MAX_PATHS_SHOWN
    if weight.paths_complete and more > 0:
        rest = sum(path.contribution for path in weight.paths[MAX_PATHS_SHOWN:])
        rows.append((f"{more} more", number_text(rest), share(rest, weight)))
    later = weight.through[0].later
    if later:
        rows.append(("read again in later layers", number_text(later), share(later, weight)))
    rows.append(
        (f"dL/d{weight.name}", number_text(weight.gradient), share(weight.gradient, weight))
    )
    note = (
        "" if weight.paths_complete else "Too many to follow them all: the strongest of those found"
    )
    return Table(f"Paths from {weight.name} to the loss", note, ("", "part", "share"), rows, 1)


def _units(weight: WeightInfluence) -> Table:
    """Return the table of the units of each layer with the largest shares of dL/dw."""
    rows = []
    parts = weight.through[1:]
    parts = parts if len(parts) <= MAX_LAYERS else parts[-MAX_LAYERS:]
    for part in parts:
        order = np.argsort(-np.abs(part.contributions), kind="stable")
        cells = [
            f"{part.units[unit]} {share(float(part.contributions[unit]), weight)}"
            for unit in order[:MAX_UNITS_SHOWN]
        ]
        if len(order) > MAX_UNITS_SHOWN:
            rest = float(part.contributions[order[MAX_UNITS_SHOWN:]].sum())
            cells.append(f"{len(order) - MAX_UNITS_SHOWN} more {share(rest, weight)}")
        if part.later:
            cells.append(f"read again later {share(part.later, weight)}")
        rows.append((part.layer, ", ".join(cells)))
    title = f"The units that dL/d{weight.name} comes through"
    note = "Sums over all paths"
    note += f", in the last {MAX_LAYERS} layers" if len(parts) < len(weight.through) - 1 else ""
    return Table(title, note, ("layer", "units, and their share"), rows, 2)


def share(amount: float, weight: WeightInfluence) -> str:
    """Return a part of dL/dw as a percentage."""
    if not weight.gradient:
        return ""
    return f"{100 * amount / weight.gradient:z.0f} %".replace("-", "−")


def _bound(layer: LayerInfluence) -> str:
    """Return the output's name, in brackets if there are several."""
    return f"({layer.output})" if "," in layer.output else layer.output


def _mean(x: np.ndarray) -> float:
    return float(np.mean(x))


def _width(text: str) -> int:
    """Return the width of a text in columns: combining marks take none."""
    return sum(not unicodedata.combining(c) for c in text)
