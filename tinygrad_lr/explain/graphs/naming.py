"""What the Values and constants of a graph are called, in text and in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np

from ...core.graph import topological_order
from ...core.value import Value
from ...nn import Module
from ...support.files import printable
from ...support.text_format import number_latex, number_text
from .layers import Layer, layers_of, parameter_paths

SPOKEN = {
    "loss": "L",
    **dict.fromkeys(("y_hat", "yhat", "y_pred", "prediction", "predicted", "pred"), "ŷ"),
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "eta": "η",
    "theta": "θ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "phi": "φ",
    "omega": "ω",
}
"""Names that programs spell out because their letters are hard to type."""

GREEK = {letter: rf"\{name}" for name, letter in SPOKEN.items() if len(name) > 1 and letter > "Ͱ"}
LATEX = {**GREEK, "ŷ": r"\hat{y}", "Σ": r"\Sigma"}
SUBSCRIPT = str.maketrans("0123456789,", "₀₁₂₃₄₅₆₇₈₉,")
LONGEST = 40  # letters of a name; the end of a longer one is left out
LAYERED = {"weight": "W", "bias": "b"}
"""Parameters of layers: a letter, and the layer's number below it."""


class Names:
    """A name for every Value and constant of the graph of a loss.

    In this order: the name that the user gave (`Value(..., name="w")`); the letter of a layer's
    weight or bias (W₁, b₁; w and b in a single line of one input); the variable of the caller that
    holds it (`variables`, name -> object); its part in the lesson: L for the loss, ŷ and y for
    what a residual compares, u for the residual, z and h for what a layer computes before and
    after its activation; v₁, v₂, ... for the rest. No two have the same name.

    >>> w, b = Value(2.0, name="w"), Value(1.0, name="b")
    >>> loss = np.mean((w * np.array([1.0, 2.0]) + b - np.array([2.0, 4.0])) ** 2)
    >>> names = Names(loss)
    >>> [names.text(value) for value in names.order]
    ['w', 'b', 'v₁', 'ŷ', 'u', 'v₂', 'L']
    """

    def __init__(
        self,
        loss: Value,
        model: Module | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        self.loss = loss
        self.layers = layers_of(loss, model)
        self._layer = {x: layer for layer in self.layers for x in layer.results}
        self.order = sorted(
            topological_order([loss]), key=lambda x: (x.record is not None, x._serial)
        )
        self.paths = parameter_paths(model)
        self._names: dict[int, str] = {}
        self._taken: dict[str, int] = {}  # a name, and up to which number it is given
        self._kept: list[Any] = [*self.order]  # so that no id is used twice
        leaves = [x for x in self.order if x.record is None]
        results = [x for x in self.order if x.record is not None]
        held = held_by(variables or {})
        for value in self.order:
            self._give(value, given_name(value))
        self._name_parameters(leaves)
        for value in self.order:
            self._give(value, held.get(id(value)))
        self._name_parts(loss, results, held)
        unnamed = [x for x in results if id(x) not in self._names]
        for i, value in enumerate(unnamed):
            self._give(value, f"v{i + 1}")
        self.numbered = set(unnamed)  # results that are called v₁, v₂ for want of a name
        for i, value in enumerate(x for x in leaves if id(x) not in self._names):
            self._give(value, f"p{i + 1}")
        self._name_constants(results, held)

    def text(self, x: Any) -> str:
        """The name of a Value or constant as text; a number is itself.

        >>> Names(Value(2.0, name="w1") * 3.0).text(3.0)
        '3'
        """
        name = self._names.get(id(x))
        if name is None:
            return _unnamed(x)
        return text_of(name)

    def latex(self, x: Any) -> str:
        r"""The name as LaTeX; a number is itself.

        >>> names = Names(Value(2.0, name="w1") * 3.0)
        >>> names.latex(names.order[0])
        'w_{1}'
        """
        name = self._names.get(id(x))
        if name is None:
            return number_latex(float(x)) if np.ndim(x) == 0 else r"\mathrm{constant}"
        return latex_of(name)

    def path(self, x: Value) -> str:
        """Where a parameter is in the model, or "" for anything else."""
        return self.paths.get(x, "")

    def legend(self) -> Iterator[tuple[str, str]]:
        """The names of parameters that have a path in the model, with that path."""
        for value in self.order:
            path = self.paths.get(value)
            if path and path != self._names[id(value)]:
                yield self.text(value), path

    @property
    def words(self) -> dict[str, str]:
        """The LaTeX of names that are words, and the words."""
        letters = (_parts(name)[0] for name in self._taken)
        return {_spelt(x): x for x in letters if _spelt(x).startswith(r"\mathrm")}

    def renumber(self, visible: Set[Value]) -> None:
        """Call the visible ones of those without a name v₁, v₂, ... in their order."""
        for value in self.numbered:
            self._taken.pop(self._names.pop(id(value)), None)
        ordered = [x for x in self.order if x in self.numbered]
        for i, value in enumerate(sorted(ordered, key=lambda x: x not in visible)):
            self._give(value, f"v{i + 1}")

    def layer_of(self, value: Value) -> Layer | None:
        """The layer that a result belongs to."""
        return self._layer.get(value)

    @property
    def known(self) -> Set[int]:
        """The identities of all that has a name."""
        return self._names.keys()

    def _give(self, x: Any, name: str | None) -> None:
        """Name what has no name yet; a name that is taken gets a number."""
        if not name or id(x) in self._names:
            return
        name = spoken(name)
        unique, count = name, self._taken.get(name, 1)
        while unique in self._taken:
            count += 1
            unique = f"{name}_{count}" if name[-1:].isdigit() else f"{name}{count}"
        self._taken[unique] = 1
        self._taken[name] = count
        self._names[id(x)] = unique
        self._kept.append(x)

    def _name_parameters(self, leaves: list[Value]) -> None:
        """W₁ and b₁ for the weight and bias of layer 1; w and b where there is but one number."""
        counted = [layer for layer in self.layers if layer.parameters]
        for layer in counted:
            below = "" if len(counted) == 1 else str(layer.number)
            for value in layer.parameters:
                own = (self.paths.get(value) or value.name or "").rpartition(".")[2]
                self._give(value, parameter_name(own, value, below))

    def _name_parts(self, loss: Value, results: list[Value], held: Mapping[int, str]) -> None:
        """The lesson's names for what stands in a loss and in a layer."""
        self._give(loss, "L")
        for layer in self.layers[-1:]:
            for value in layer.results:
                operation, operands, _, _ = value.record  # type: ignore[misc]
                if operation.name == "subtract" and type(operands[0]) is Value:
                    prediction, target = operands
                    if type(target) is Value and target.record is not None:
                        continue  # a difference of two results is no residual
                    self._give(value, "u")
                    if prediction.record is not None:
                        self._give(prediction, "ŷ")
                    if np.ndim(target) and id(target) not in held:
                        self._give(target, "y")
        counted = len(self.layers) > 2
        for layer in self.layers[:-1]:
            below = str(layer.number) if counted else ""
            readers = [x for x in layer.results if not layer.parameters or layer.reads(x)]
            if readers:
                self._give(readers[-1], f"z{below}")
            if not (readers and layer.output is readers[-1]):
                self._give(layer.output, f"h{below}")

    def _name_constants(self, results: list[Value], held: Mapping[int, str]) -> None:
        """Arrays that are no Values: the caller's name, x for what a parameter multiplies, c."""
        first = True
        for value in results:
            _, operands, numbers, _ = value.record  # type: ignore[misc]
            for x, number in zip(operands, numbers, strict=True):
                if type(x) is Value and x.requires_grad:
                    continue
                if np.ndim(number) == 0 and type(x) is not Value:
                    continue
                self._give(x, held.get(id(x)))
                if id(x) not in self._names and type(x) is Value and x.name:
                    self._give(x, x.name)
                parametric = any(type(y) is Value and y.record is None for y in operands)
                self._give(x, "x" if parametric and first else "c")
                first = False


def given_name(x: Value) -> str:
    """The name that the user gave, or ""; weight and bias are those that layers have."""
    return x.name if x.name and (x.record is not None or x.name not in LAYERED) else ""


def parameter_name(own: str, x: Value, number: str) -> str:
    """What a layer's parameter is called, by its own name and the number of the layer, or ""."""
    letter = LAYERED.get(own, f"{own}_" if own and number else own)
    return "w" if letter == "W" and not number and x.size == 1 else letter and letter + number


def spoken(name: str) -> str:
    """A name with its letter: y_hat as ŷ; on one line, and cut, whatever is in it."""
    shown = SPOKEN.get(name, printable(name))
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def held_by(variables: Mapping[str, Any]) -> dict[int, str]:
    """The name of each object, by its identity; where several variables hold it, the first."""
    return {id(x): name for name, x in reversed(list(variables.items())) if speaks(name)}


def speaks(name: str) -> bool:
    """Whether a variable's name is one that its author chose for a reader."""
    return not name.startswith("_") and name not in {"self", "value", "out", "In", "Out"}


def text_of(name: str) -> str:
    """A name as people write it.

    >>> text_of("w1"), text_of("w_1"), text_of("rate")
    ('w₁', 'w₁', 'rate')
    """
    letter, below = _parts(name)
    return letter + below.translate(SUBSCRIPT)


def latex_of(name: str) -> str:
    r"""A name as LaTeX.

    >>> latex_of("w1"), latex_of("ŷ"), latex_of("rate")
    ('w_{1}', '\\hat{y}', '\\mathrm{rate}')
    """
    letter, below = _parts(name)
    spelt = _spelt(letter)
    return f"{spelt}_{{{below}}}" if below else spelt


def _parts(name: str) -> tuple[str, str]:
    """A name as its letters and the number that stands below them: w1 and w_1 are w with 1."""
    found = re.fullmatch(r"(.*?[^\d_])_?(\d+(?:_\d+)*)", name)
    if not found:
        return name, ""
    return found[1], found[2].replace("_", ",")


def _spelt(letters: str) -> str:
    """A name without its number, as LaTeX."""
    plain = len(letters) == 1 and letters.isalpha()
    return LATEX.get(letters, letters if plain else word(letters))


def word(text: str) -> str:
    """Letters that are a word, upright, with what LaTeX would read as a command escaped."""
    special = {
        "\\": r"\backslash{}",
        "{": r"\{",
        "}": r"\}",
        "^": r"\wedge{}",
        "~": r"\sim{}",
        " ": r"\ ",
    }
    escaped = "".join(special.get(c, f"\\{c}" if c in "_$%&#" else c) for c in text)
    return rf"\mathrm{{{escaped}}}"


def _unnamed(x: Any) -> str:
    """A number as itself, anything else as what it is."""
    if isinstance(x, Value):
        x = x._content
    return number_text(float(x)) if np.ndim(x) == 0 else "constant"
