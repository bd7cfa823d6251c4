"""A trained line, network or classifier with its columns and scaling, in memory and in a file."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np

from .. import nn
from ..checkpoint import load_file, load_metadata, load_shapes, save_file
from ..core.grad_mode import no_grad
from ..core.value import Value
from ..errors import DataFileError, import_extra
from ..ops import softmax
from ..support.abstract_array import Array
from ..support.csv_files import (
    Block,
    cell_error,
    check_column,
    csv_row,
    is_number,
    no_rows_error,
    open_blocks,
)
from ..support.files import place_in_file, printable, quote, quote_names

ENTRY, VERSION = "tinygrad_lr", 1  # the metadata key of the description, and its format
ACTIVATIONS = ("tanh", "relu")
MAX_FEATURES, MAX_LAYERS, MAX_WIDTH = 100_000, 100, 2**20
MAX_LABELS = 1000
BLOCK_NUMBERS = 2**20  # in the widest layer at a time


@dataclass(frozen=True)
class Description:
    """A predictor without its weights.

    Without `hidden` layers it is a line. The model's input is (x - x_mean) / x_scale, and the
    prediction is its output times y_scale plus y_mean; with `labels`, the outputs are the logits
    of those classes instead.
    """

    x_names: tuple[str, ...]
    y_name: str
    hidden: tuple[int, ...]
    activation: str
    x_mean: tuple[float, ...]
    x_scale: tuple[float, ...]
    y_mean: float = 0.0
    y_scale: float = 1.0
    labels: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """The number of outputs for a row."""
        return len(self.labels) or 1

    def build_model(self, seed: int = 0) -> nn.Module:
        """Build the line at w = 0 and b = 0, or the network with initial weights from the seed."""
        features = len(self.x_names)
        if self.hidden:
            kind = self.activation
            outputs = self.outputs
            return nn.MLP(features, self.hidden, outputs, kind, dtype=np.float64, generator=seed)
        line = nn.Linear(features, self.outputs, dtype=np.float64, generator=seed)
        line.load_state_dict({name: np.zeros(shape) for name, shape in self.shapes().items()})
        return line

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight by name."""
        widths = [len(self.x_names), *self.hidden, self.outputs]
        found: dict[str, tuple[int, ...]] = {}
        for layer, (inputs, outputs) in enumerate(pairwise(widths)):
            prefix = f"layers.{2 * layer}." if self.hidden else ""
            found |= {f"{prefix}weight": (inputs, outputs), f"{prefix}bias": (outputs,)}
        return found

    def as_json(self) -> str:
        """Return the description as JSON, for the file of the weights."""
        return json.dumps(
            {
                "version": VERSION,
                "architecture": "mlp" if self.hidden else "line",
                "x": self.x_names,
                "y": self.y_name,
                "hidden": self.hidden,
                "activation": self.activation,
                "x_mean": self.x_mean,
                "x_scale": self.x_scale,
                "y_mean": self.y_mean,
                "y_scale": self.y_scale,
                **({"labels": self.labels} if self.labels else {}),
            }
        )


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained model with its description."""

    description: Description
    model: nn.Module

    def features(self, x: Array) -> Array:
        """Scale rows of x for the model."""
        scaled = (x - np.array(self.description.x_mean)) / np.array(self.description.x_scale)
        return np.asarray(scaled, np.float64)

    def predict(self, x: Array) -> Array:
        """Predict (rows,), in the target's units, for rows of x (rows, features)."""
        with np.errstate(all="ignore"):
            answer = self._outputs(x, lambda outputs: outputs.numpy()[:, 0])
            return np.asarray(answer * self.description.y_scale + self.description.y_mean)

    def probabilities(self, x: Array) -> Array:
        """Return the probability of each class (rows, classes) for rows of x (rows, features)."""
        with np.errstate(all="ignore"):
            return self._outputs(x, lambda outputs: softmax(outputs).numpy())

    def _outputs(self, x: Array, read: Callable[[Value], Array]) -> Array:
        """Return what `read` makes of the model's outputs, block by block: memory is bounded."""
        description = self.description
        widest = max(x.shape[1], *description.hidden, description.outputs)
        step = max(1, BLOCK_NUMBERS // widest)
        with no_grad():
            parts = [
                read(self.model(self.features(x[begin : begin + step])))
                for begin in range(0, max(1, len(x)), step)
            ]
        return np.concatenate(parts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save weights and description to a safetensors file; raises what `save_file` raises."""
        save_file(self.model.state_dict(), path, {ENTRY: self.description.as_json()})


def check_model_path(path: str) -> None:
    """Check, before training, that a model can be saved to the path.

    Raises `DataFileError` for another extension, `MissingExtraError` without safetensors.
    """
    check_extension(path, ["safetensors"])
    import_extra("safetensors.numpy", "cli")


def check_extension(path: str, allowed: Sequence[str]) -> None:
    """Raise `DataFileError` unless the path ends in one of the extensions."""
    extension = os.path.splitext(path)[1]
    if extension.lower().removeprefix(".") not in allowed:
        names = " or ".join(f".{name}" for name in allowed)
        given = f"{extension!r:.60}" if extension else "none"
        raise DataFileError(f"{place_in_file(path)}: extension must be {names}, got {given}")


def load_predictor(path: str | os.PathLike[str]) -> Predictor:
    """Load what `Predictor.save` saved.

    The description and all shapes are checked before any weight is read: a file can only describe
    a line or a network of bounded size. Raises `DataFileError`, in one line, for any other file;
    `MissingExtraError` without safetensors.
    """
    name = os.fspath(path)
    text = load_metadata(name).get(ENTRY)
    if text is None:
        raise _model_file_error(name, f"must have the metadata {ENTRY!r}, got none")
    description = _parse_description(name, text)
    expected = {key: ("F64", shape) for key, shape in description.shapes().items()}
    shapes = load_shapes(name)
    if shapes != expected:
        odd = sorted({*shapes} ^ {*expected}) or [k for k in expected if shapes[k] != expected[k]]
        raise _model_file_error(
            name, f"weights must match their description, got a difference in {quote_names(odd)}"
        )
    weights = load_file(name)
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise _model_file_error(name, "weights must be finite, got nan or inf")
    model = description.build_model()
    model.load_state_dict(weights)
    return Predictor(description, model)


def predict_file(
    predictor: Predictor,
    path: str | os.PathLike[str],
    progress: Callable[[int], object] | None = None,
) -> Iterator[str]:
    """Yield the lines of a CSV file with a last column `predicted_<target>`, many in a string.

    For a classifier that is the most probable label, and `probability_<target>` follows. `progress`
    is called with the number of bytes that were read.

    Raises `DataFileError` for a file that `read_table` can't read, a missing feature, a column
    that already has the name of a new one, and a prediction that is not finite.
    """
    description = predictor.description
    new = [f"predicted_{description.y_name}"]
    new += [f"probability_{description.y_name}"] if description.labels else []
    with open_blocks(path, progress) as (file, head, names):
        for name in new:
            if name in names:
                raise DataFileError(
                    f"{printable(file.path)}: columns must not have the name of the predictions, "
                    f"got {quote(name)}; rename that column"
                )
        index = {name: i for i, name in enumerate(names)}
        for name in description.x_names:
            check_column(file.path, name, names)
        features = {name: index[name] for name in description.x_names}
        yield csv_row([*names, *new]) + "\n"
        line = head
        for block in file.blocks(names):
            line = block.lines[0]
            x = _read_features(file.path, block, features)
            rows = block.texts() or map(csv_row, block.rows())
            columns = _predict_cells(predictor, x, file.path, block.lines)
            cells = map(",".join, zip(rows, *columns, strict=True))
            yield "\n".join(cells) + "\n"
    if line == head:
        raise no_rows_error(file.path, head)


def _read_features(path: str, block: Block, features: dict[str, int]) -> Array:
    """Return the features of a block (rows, features)."""
    values = block.numbers(list(features.values()))
    if values is None:
        row, name, cell = next(
            (row, name, cell)
            for name, column in features.items()
            for row, cell in enumerate(block.cells(column))
            if not is_number(cell)
        )
        raise cell_error(path, block.lines[row], name, cell)
    return values.T


def _predict_cells(
    predictor: Predictor, x: Array, path: str, lines: Sequence[int]
) -> list[Iterable[str]]:
    """Return the cells of the new columns."""
    labels = predictor.description.labels
    values = predictor.probabilities(x) if labels else predictor.predict(x)
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        raise DataFileError(
            f"{printable(path)}, line {lines[int(np.argmin(finite))]}: the prediction must be "
            "finite, got nan or inf: the features are far from those in training; correct the row"
        )
    if not labels:
        return [map(repr, values.tolist())]
    names = [csv_row([label]) for label in labels]
    return [
        [names[i] for i in values.argmax(axis=1).tolist()],
        map(repr, values.max(axis=1).tolist()),
    ]


def _parse_description(path: str, text: str) -> Description:
    """Parse the description in a file and check every entry."""
    try:
        entries = json.loads(
            text, parse_constant=_raise_for_constant, object_pairs_hook=_require_unique_names
        )
    except (ValueError, RecursionError) as error:
        raise _model_file_error(path, f"description can't be read: {error!s:.200}") from error
    if not isinstance(entries, dict):
        raise _model_file_error(
            path, f"description must be a JSON object, got {type(entries).__name__}"
        )
    version = entries.get("version")
    if version is True or version != VERSION:
        raise _model_file_error(
            path, f"description must be of version {VERSION}, got {version!r:.80}"
        )
    x_names = _read_list(path, entries, "x", str, 1, MAX_FEATURES)
    y_name = entries.get("y")
    hidden = _read_list(path, entries, "hidden", int, 0, MAX_LAYERS)
    x_mean = _read_list(path, entries, "x_mean", float, len(x_names), len(x_names))
    x_scale = _read_list(path, entries, "x_scale", float, len(x_names), len(x_names))
    labels = _read_list(path, entries, "labels", str, 2, MAX_LABELS) if "labels" in entries else ()
    y_mean, y_scale = _read_list(
        path, {"y": [entries.get("y_mean"), entries.get("y_scale")]}, "y", float, 2
    )
    checks = {
        "architecture": entries.get("architecture") == ("mlp" if hidden else "line"),
        "x": len({*x_names}) == len(x_names) and all(map(_is_name, x_names)),
        "y": isinstance(y_name, str) and _is_name(y_name),
        "hidden": all(1 <= width <= MAX_WIDTH for width in hidden),
        "activation": entries.get("activation") in ACTIVATIONS,
        "x_scale": all(scale > 0 for scale in x_scale),
        "y_scale": y_scale > 0,
        "labels": len({*labels}) == len(labels) and all(map(_is_name, labels)),
    }
    for entry, right in checks.items():
        if not right:
            raise _entry_error(path, entry, entries.get(entry))
    return Description(
        *(x_names, str(y_name), hidden, entries["activation"], x_mean, x_scale, y_mean, y_scale),
        labels=labels,
    )


def _read_list(
    path: str, entries: dict[str, Any], entry: str, kind: type, low: int, high: int | None = None
) -> tuple[Any, ...]:
    """Return a list in a description, of values of one kind, finite if they are numbers."""
    given = entries.get(entry)
    kinds = {int, float} if kind is float else {kind}
    if (
        not isinstance(given, list)
        or not low <= len(given) <= (low if high is None else high)
        or not all(type(x) in kinds for x in given)
        or not all(abs(x) <= sys.float_info.max for x in given if kind is float)
    ):
        raise _entry_error(path, entry, given)
    return tuple(map(kind, given))


def _is_name(text: str) -> bool:
    """Return True for text that a CSV file can contain: some, without lone surrogates and NUL."""
    return bool(text) and not re.search("[\ud800-\udfff\0]", text)


def _entry_error(path: str, entry: str, given: object) -> DataFileError:
    return _model_file_error(
        path, f"description must have a valid entry {quote(entry)}, got {given!r:.80}"
    )


def _model_file_error(path: str, problem: str) -> DataFileError:
    cure = "pass a file written by tinygrad-lr fit --save"
    return DataFileError(f"{printable(path)}: {printable(problem)}; {cure}")


def _raise_for_constant(text: str) -> NoReturn:
    raise ValueError(f"numbers must be finite, got {text}")


def _require_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raise if a name occurs twice."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("names must be unique")
    return entries
