"""What was learnt, ready to predict: a line or a network, with its columns and its scaling."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np

from .. import nn
from ..checkpoint import load_file, load_metadata, load_shapes, save_file
from ..core.grad_mode import no_grad
from ..errors import import_extra
from ..ops import softmax
from ..support.abstract_array import Array
from ..support.csv_files import read_table
from ..support.files import listed, printable, quoted, refuse

ENTRY, VERSION = "tinygrad_lr", 1  # where a file's description stands, and how it is written
ACTIVATIONS = ("tanh", "relu")
MOST_NAMES, MOST_LAYERS, WIDEST = 100_000, 100, 2**20
MOST_LABELS = 1000
LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Description:
    """All there is to know about a predictor but its weights.

    No `hidden` layers are a line. A row x becomes (x - x_mean) / x_scale before the model sees
    it, and its answer times y_scale plus y_mean is the prediction. With `labels`, its answers are
    the logits of those classes instead.
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
        """How many numbers the model gives for a row."""
        return len(self.labels) or 1

    def model(self, seed: int = 0) -> nn.Module:
        """The line at w = 0, b = 0, or the network with the weights that the seed draws."""
        features = len(self.x_names)
        if self.hidden:
            kind = self.activation
            outputs = self.outputs
            return nn.MLP(features, self.hidden, outputs, kind, dtype=np.float64, generator=seed)
        line = nn.Linear(features, self.outputs, dtype=np.float64, generator=seed)
        line.load_state_dict({name: np.zeros(shape) for name, shape in self.shapes().items()})
        return line

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each weight by name, without making any."""
        widths = [len(self.x_names), *self.hidden, self.outputs]
        found: dict[str, tuple[int, ...]] = {}
        for layer, (inputs, outputs) in enumerate(pairwise(widths)):
            prefix = f"layers.{2 * layer}." if self.hidden else ""
            found |= {f"{prefix}weight": (inputs, outputs), f"{prefix}bias": (outputs,)}
        return found

    def as_json(self) -> str:
        """The description as it stands in a file."""
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
        """What the model sees: rows of x, scaled."""
        scaled = (x - np.array(self.description.x_mean)) / np.array(self.description.x_scale)
        return np.asarray(scaled, np.float64)

    def predict(self, x: Array) -> Array:
        """The predictions (rows,), in the target's units, for rows of x (rows, features)."""
        with no_grad(), np.errstate(all="ignore"):
            answer = self.model(self.features(x)).numpy()[:, 0]
            return np.asarray(answer * self.description.y_scale + self.description.y_mean)

    def probabilities(self, x: Array) -> Array:
        """The probability of each class (rows, classes) for rows of x (rows, features)."""
        with no_grad(), np.errstate(all="ignore"):
            return np.asarray(softmax(self.model(self.features(x))).numpy())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights and description to a safetensors file; raises what `save_file` raises."""
        save_file(self.model.state_dict(), path, {ENTRY: self.description.as_json()})


def check_ending(path: str) -> None:
    """Refuse, before any work, to save to a file that is called something else.

    Raises `DataFileError` for another ending, `MissingExtraError` without safetensors.
    """
    ending = os.path.splitext(path)[1]
    if ending != ".safetensors":
        given = f"the ending {ending!r:.60}" if ending else "no ending"
        refuse(path, "no name for weights", "a name in .safetensors", given)
    import_extra("safetensors.numpy", "cli")


def load_predictor(path: str | os.PathLike[str]) -> Predictor:
    """What `Predictor.save` wrote.

    The description and all shapes are checked before any weight is read: the file decides
    between a line and a network of bounded size, and nothing else. Raises `DataFileError`, in one
    line, for any other file; `MissingExtraError` without safetensors.
    """
    name = os.fspath(path)
    text = load_metadata(name).get(ENTRY)
    if text is None:
        _refuse(name, "no line or network of this package", "nothing about itself")
    description = _described(name, text)
    expected = {key: ("F64", shape) for key, shape in description.shapes().items()}
    shapes = load_shapes(name)
    if shapes != expected:
        odd = sorted({*shapes} ^ {*expected}) or [k for k in expected if shapes[k] != expected[k]]
        _refuse(name, "the weights do not fit the description", f"a difference in {listed(odd)}")
    weights = load_file(name)
    if not all(np.isfinite(array).all() for array in weights.values()):
        _refuse(name, "a weight is not finite", "nan or inf")
    model = description.model()
    model.load_state_dict(weights)
    return Predictor(description, model)


def predict_file(
    predictor: Predictor, path: str | os.PathLike[str]
) -> tuple[list[str], list[list[str] | Array]]:
    """The columns of a CSV file and, at the end, `predicted_<target>`: names, and columns.

    Of a classifier that is the likeliest label; `probability_<target>` says how likely.

    Raises `DataFileError` for whatever `read_table` refuses, a feature that is not there, a
    column that has the new one's name already, and a row beyond float64.
    """
    description = predictor.description
    table = read_table(path)
    x = table.matrix(description.x_names)
    columns: dict[str, Any] = {}
    if description.labels:
        values = predictor.probabilities(x)
        likeliest = values.argmax(axis=1)
        columns[f"predicted_{description.y_name}"] = [description.labels[i] for i in likeliest]
        columns[f"probability_{description.y_name}"] = values.max(axis=1)
    else:
        columns[f"predicted_{description.y_name}"] = values = predictor.predict(x)
    for name in columns:
        if name in table.names:
            given, cure = f"{quoted(name)} in the header", "rename it"
            refuse(table.path, "a column has the name of the predictions", "another", given, cure)
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        line = int(table.lines[np.argmin(finite)])
        wrong, cure = "no prediction", "correct the row"
        refuse(table.path, wrong, "features such as it learnt from", "larger", cure, line)
    return [*table.names, *columns], [*map(table.cells, table.names), *columns.values()]


def _described(path: str, text: str) -> Description:
    """The description that a file gives of itself, every entry of it checked."""
    try:
        told = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        _refuse(path, "its description cannot be read", printable(f"{error!s:.200}"))
    if not isinstance(told, dict) or told.get("version") is True or told.get("version") != VERSION:
        version = told.get("version") if isinstance(told, dict) else type(told).__name__
        _refuse(path, f"not of version {VERSION}", printable(f"{version!r:.80}"))
    x_names = _list(path, told, "x", str, 1, MOST_NAMES)
    y_name = told.get("y")
    hidden = _list(path, told, "hidden", int, 0, MOST_LAYERS)
    x_mean = _list(path, told, "x_mean", float, len(x_names), len(x_names))
    x_scale = _list(path, told, "x_scale", float, len(x_names), len(x_names))
    labels = _list(path, told, "labels", str, 2, MOST_LABELS) if "labels" in told else ()
    y_mean, y_scale = _list(path, {"y": [told.get("y_mean"), told.get("y_scale")]}, "y", float, 2)
    checks = {
        "architecture": told.get("architecture") == ("mlp" if hidden else "line"),
        "x": len({*x_names}) == len(x_names) and all(x_names),
        "y": isinstance(y_name, str) and bool(y_name),
        "hidden": all(1 <= width <= WIDEST for width in hidden),
        "activation": told.get("activation") in ACTIVATIONS,
        "x_scale": all(scale > 0 for scale in x_scale),
        "y_scale": y_scale > 0,
        "labels": len({*labels}) == len(labels) and all(labels),
    }
    for entry, right in checks.items():
        if not right:
            _refuse_entry(path, entry, told.get(entry))
    return Description(
        *(x_names, str(y_name), hidden, told["activation"], x_mean, x_scale, y_mean, y_scale),
        labels=labels,
    )


def _list(
    path: str, told: dict[str, Any], entry: str, kind: type, least: int, most: int | None = None
) -> tuple[Any, ...]:
    """A list in a description, of entries of one kind, finite if they are numbers."""
    given = told.get(entry)
    kinds = {int, float} if kind is float else {kind}
    if (
        not isinstance(given, list)
        or not least <= len(given) <= (least if most is None else most)
        or not all(type(x) in kinds for x in given)
        or not all(abs(x) <= LARGEST for x in given if kind is float)
    ):
        _refuse_entry(path, entry, given)
    return tuple(map(kind, given))


def _refuse_entry(path: str, entry: str, given: object) -> NoReturn:
    _refuse(path, f"its entry {quoted(entry)} is wrong", printable(f"{given!r:.80}"))


def _refuse(path: str, wrong: str, given: str) -> NoReturn:
    expected = "a file that tinygrad-lr fit --save wrote"
    refuse(path, wrong, expected, given, "save it again")


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, whose names must differ."""
    told = dict(pairs)
    if len(told) < len(pairs):
        raise ValueError("one name twice")
    return told
