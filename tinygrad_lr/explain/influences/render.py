"""An influence as tables: in text, and in HTML for a notebook."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from ...support.text_format import array_text, number_text, shape_text
from .jacobians import Jacobian, length
from .model import InfluenceData, LayerInfluence
from .weight import WeightInfluence

MOST_WEIGHTS = 3  # whose paths are told
MOST_PATHS_SHOWN = MOST_UNITS_SHOWN = 4  # of each of them
MOST_PARAMETERS, MOST_LAYERS = 6, 40  # of a layer, and layers, that are listed
MOST_STATIONS = 12  # of a path
COLUMNS = 100


@dataclass(frozen=True)
class Table:
    """A title, a sentence, headings, and cells; the first `named` columns are words."""

    title: str
    told: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    named: int

    def text(self) -> str:
        """Columns of equal width, numbers to the right."""
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
        return "\n".join([self.title, *([self.told] if self.told else []), "", lines[0], rule,
                          *lines[1:]])  # fmt: skip

    def html(self) -> str:
        """A table with a caption; all text is escaped."""
        told = "".join(f"<br>{escape(line)}" for line in self.told.splitlines())
        look = "font-variant-numeric:tabular-nums;border-collapse:collapse;margin:1em 0"
        return (
            f'<table style="{look}">'
            f'<caption style="text-align:left"><b>{escape(self.title)}</b>{told}</caption>'
            f'<thead style="border-bottom:1px solid">{self._row("th", self.headings)}</thead>'
            f"<tbody>{''.join(self._row('td', row) for row in self.rows)}</tbody></table>"
        )

    def _row(self, kind: str, cells: Sequence[str]) -> str:
        """A row of cells, words to the left and numbers to the right."""
        sides = ["left" if i < self.named else "right" for i in range(len(cells))]
        return "<tr>{}</tr>".format(
            "".join(
                f'<{kind} style="text-align:{side};padding:.15em 1.2em .15em 0">'
                f"{escape(cell)}</{kind}>"
                for side, cell in zip(sides, cells, strict=True)
            )
        )


def influence_text(influence: InfluenceData, findings: Sequence[str]) -> str:
    """The findings and the tables as text."""
    told = [textwrap.fill(sentence, COLUMNS) for sentence in findings]
    return "\n\n".join([_headline(influence), *told, *(x.text() for x in tables(influence))])


def influence_html(influence: InfluenceData, findings: Sequence[str]) -> str:
    """The same for a notebook: no script, all names escaped."""
    told = [f"<p>{escape(sentence)}</p>" for sentence in findings]
    parts = [table.html() for table in tables(influence)]
    return "".join([f"<p>{escape(_headline(influence))}</p>", *told, *parts])


def tables(influence: InfluenceData) -> Iterator[Table]:
    """By layer, the chain, by weight, and the paths of the first weights."""
    if influence.layers:
        yield _gradients(influence)
        yield _chain(influence)
    if influence.weights:
        yield _weights(influence)
    for weight in influence.weights[:MOST_WEIGHTS]:
        if weight.through:
            yield _paths(weight)
        if not weight.paths_complete:
            yield _units(weight)


def _headline(influence: InfluenceData) -> str:
    rows = "" if influence.batch is None else f", {influence.batch} rows"
    return f"What affects the loss, L = {number_text(influence.loss)}{rows}"


def _gradients(influence: InfluenceData) -> Table:
    """Each parameter's gradient."""
    rows: list[tuple[str, ...]] = []
    told: set[str] = set()
    for layer in influence.layers:
        if _left_out(layer, influence):
            continue
        shown = layer.parameters[:MOST_PARAMETERS]
        for i, x in enumerate(shown):
            name, shape = "" if i else layer.name, shape_text(x.data.shape)
            if x.name in told:  # a shared parameter has one gradient
                rows.append((name, x.name, shape, "as above", "", ""))
                continue
            told.add(x.name)
            at = f"{x.name}[{', '.join(map(str, x.largest))}]" if x.largest else x.name
            largest = number_text(float(x.gradient[x.largest]))
            rows.append((name, x.name, shape, number_text(x.norm), largest, at))
        rest = layer.parameters[len(shown) :]
        if rest:
            norm = number_text(length(np.array([x.norm for x in rest])))
            top = max(rest, key=lambda x: abs(float(x.gradient[x.largest])))
            largest = number_text(float(top.gradient[top.largest]))
            rows.append(("", f"… {len(rest)} more", "", norm, largest, top.name))
    headings = ("layer", "parameter", "shape", "‖dL/d·‖", "largest entry", "at")
    return Table("Gradients by layer", _left_out_text(influence), headings, rows, 3)


def _chain(influence: InfluenceData) -> Table:
    """The factors from the loss down, and their products."""
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
    told = _left_out_text(influence)
    if looked_at is not None and len(layers) > 1:
        told += "; " if told else ""
        told += f"Jacobians J at row{'s' * (len(looked_at) > 1)} {', '.join(map(str, looked_at))}"
        told += " (means over them)" if len(looked_at) > 1 else ""
    headings = ("", "J", "‖J‖₂", "‖J‖F", "singular values", "‖product‖₂", "‖dL/d·‖")
    return Table("The chain, from the loss down", told, headings, rows, 1)


def _left_out(layer: LayerInfluence, influence: InfluenceData) -> bool:
    """Whether a layer in the middle of very many is not in the tables."""
    ends = influence.layers[: MOST_LAYERS // 2] + influence.layers[-(MOST_LAYERS // 2) :]
    return len(influence.layers) > MOST_LAYERS and layer not in ends


def _left_out_text(influence: InfluenceData) -> str:
    """How many layers are not in the tables."""
    count = len(influence.layers) - MOST_LAYERS
    return f"{count} layers in the middle are left out" if count > 0 else ""


def _figures(jacobian: Jacobian) -> tuple[str, str, str, str]:
    """Shape, spectral and Frobenius norm, and the spectrum of a factor."""
    spectrum = jacobian.singular_values.mean(axis=0)
    none = np.finfo(np.float64).eps * max(jacobian.shape) * spectrum[0]  # rounding: 0 to the eye
    spectrum = np.where(spectrum > none, spectrum, 0.0) if np.isfinite(none) else spectrum
    told = array_text(spectrum, 3)[1:-1]
    return (
        shape_text(jacobian.shape),
        number_text(_mean(jacobian.spectral)),
        ("" if jacobian.exact else "≈ ") + number_text(_mean(jacobian.frobenius)),
        told if jacobian.exact else f"{told}, …",
    )


def _weights(influence: InfluenceData) -> Table:
    """Value, derivatives, and the nudge of each chosen weight."""
    rows = []
    for w in influence.weights:
        numbers = (w.value, w.gradient, w.curvature, w.predicted, w.predicted_with_curvature)
        rows.append((w.name, w.path, *map(number_text, numbers), seen_text(w)))
    nudge = number_text(influence.weights[0].nudge)
    switched = [(w.name, w.switched) for w in influence.weights]
    told = f"The change of the loss when w moves by {nudge}: "
    told += "predicted by g·δ and g·δ + ½·h·δ², and seen"
    for name, count in switched:
        if count:
            ways = f"{count} activation{'s' * (count > 1)}"
            told += f"\n({name}: {ways} switch{'es' * (count == 1)} on or off on the way, "
            told += "which no derivative predicts)"
    headings = ("weight", "path", "w", "g = dL/dw", "h = d²L/dw²", "g·δ", "with ½·h·δ²", "seen")
    return Table("Weights", told, headings, rows, 2)


def seen_text(weight: WeightInfluence) -> str:
    """The change that was seen, or that it is too small to be told from rounding."""
    rounding = np.finfo(np.float64).eps * abs(weight.loss)
    if abs(weight.seen) <= 8 * rounding and weight.predicted:
        return f"below rounding, {number_text(float(rounding), 1)}"
    return number_text(weight.seen)


def _paths(weight: WeightInfluence) -> Table:
    """The strongest paths with their shares, and sums through units where paths are many."""
    rows = []
    for path in weight.paths[:MOST_PATHS_SHOWN]:
        labels = path.labels
        if len(labels) > MOST_STATIONS:
            labels = (*labels[:4], "…", *labels[-4:])
        way = " → ".join([weight.name, *labels, "L"])
        rows.append((way, number_text(path.contribution), share(path.contribution, weight)))
    more = len(weight.paths) - MOST_PATHS_SHOWN
    if weight.paths_complete and more > 0:
        rest = sum(path.contribution for path in weight.paths[MOST_PATHS_SHOWN:])
        rows.append((f"{more} more", number_text(rest), share(rest, weight)))
    later = weight.through[0].later
    if later:
        rows.append(("read again in later layers", number_text(later), share(later, weight)))
    rows.append(
        (f"dL/d{weight.name}", number_text(weight.gradient), share(weight.gradient, weight))
    )
    told = (
        "" if weight.paths_complete else "Too many to follow them all: the strongest of those found"
    )
    return Table(f"Paths from {weight.name} to the loss", told, ("", "part", "share"), rows, 1)


def _units(weight: WeightInfluence) -> Table:
    """For each layer, the units through which most of dL/dw goes: sums over all paths."""
    rows = []
    parts = weight.through[1:]
    parts = parts if len(parts) <= MOST_LAYERS else parts[-MOST_LAYERS:]
    for part in parts:
        order = np.argsort(-np.abs(part.contributions), kind="stable")
        cells = [
            f"{part.units[unit]} {share(float(part.contributions[unit]), weight)}"
            for unit in order[:MOST_UNITS_SHOWN]
        ]
        if len(order) > MOST_UNITS_SHOWN:
            rest = float(part.contributions[order[MOST_UNITS_SHOWN:]].sum())
            cells.append(f"{len(order) - MOST_UNITS_SHOWN} more {share(rest, weight)}")
        if part.later:
            cells.append(f"read again later {share(part.later, weight)}")
        rows.append((part.layer, ", ".join(cells)))
    title = f"The units that dL/d{weight.name} comes through"
    told = "Sums over all paths"
    told += f", in the last {MOST_LAYERS} layers" if len(parts) < len(weight.through) - 1 else ""
    return Table(title, told, ("layer", "units, and their share"), rows, 2)


def share(amount: float, weight: WeightInfluence) -> str:
    """A part of dL/dw in per cent of it."""
    if not weight.gradient:
        return ""
    return f"{100 * amount / weight.gradient:.0f} %".replace("-", "−")


def _bound(layer: LayerInfluence) -> str:
    """The output's name, in brackets where there are several."""
    return f"({layer.output})" if "," in layer.output else layer.output


def _mean(x: np.ndarray) -> float:
    return float(np.mean(x))


def _width(text: str) -> int:
    """How many columns a text takes: marks above a letter take none."""
    return sum(not unicodedata.combining(c) for c in text)
