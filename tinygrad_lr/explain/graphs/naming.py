"""Name the Values and constants of a graph, in text and in LaTeX."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np

from ...core.graph import topological_order
from ...core.value import Value
from ...nn import Module
from ...support.files import printable
from ...support.text_format import number_latex, number_text
from ..formula.plain_text import ACCENTS, plain_text
from ..formula.symbol import is_long_index
from .layers import Layer, layers_of, parameter_paths

LETTERS = {
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
"""Letters for names that programs spell out because the letters are hard to type."""

CAPITALS = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
SMALL = "zeta iota kappa xi upsilon chi psi"
COMMANDS = {
    **{letter: rf"\{name}" for name, letter in LETTERS.items() if letter > "Ͱ"},
    **{c: rf"\{x}" for c, x in zip("ΓΔΘΛΞΠΣΥΦΨΩ", CAPITALS.split(), strict=True)},
    **{c: rf"\{x}" for c, x in zip("ζικξυχψ", SMALL.split(), strict=True)},
    "ß": r"\text{\ss}", "æ": r"\text{\ae}", "Æ": r"\text{\AE}", "œ": r"\text{\oe}",
    "Œ": r"\text{\OE}", "ø": r"\text{\o}", "Ø": r"\text{\O}", "ł": r"\text{\l}", "Ł": r"\text{\L}",
    "\\": r"\backslash{}", "{": r"\{", "}": r"\}", "^": r"\wedge{}", "~": r"\sim{}", " ": r"\ ",
    **{c: f"\\{c}" for c in "_$%&#"},
}  # fmt: skip
"""The LaTeX of characters, in a formula. Others are ASCII, have an accent, or are numbers."""
SUBSCRIPT = str.maketrans("0123456789,", "₀₁₂₃₄₅₆₇₈₉,")
MAX_NAME_LENGTH = 40  # characters; a longer name is cut
PARAMETER_LETTERS = {"weight": "W", "bias": "b"}
"""Letters for the parameters of layers; the layer's number is their subscript."""


class Names:
    """A name for every Value and constant of the graph of a loss.

    In this order: the name that the user gave (`Value(..., name="w")`); the letter of a layer's
    weight or bias (W₁, b₁; w and b for a line with one input); the caller's variable that holds it
    (`variables`, name -> object); its letter in the lesson: L for the loss, ŷ and y for the two
    sides of a residual, u for the residual, z and h for a layer's result before and after its
    activation; v₁, v₂, ... for the rest. No two have the same name.

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
        self._taken: dict[str, int] = {}  # the last number used for each name, as it is shown
        self.labels = ""  # the LaTeX of the name of the labels that a loss compares with
        self._kept: list[Any] = [
            *self.order
        ]  # keeps every named object alive, so that no id is reused
        leaves = [x for x in self.order if x.record is None]
        results = [x for x in self.order if x.record is not None]
        held = names_by_id(variables or {})
        for value in self.order:
            self._give(value, user_name(value))
        self._name_parameters()
        for value in self.order:
            self._give(value, held.get(id(value)))
        self._name_parts(loss, results, held)
        unnamed = [x for x in results if id(x) not in self._names]
        for i, value in enumerate(unnamed):
            self._give(value, f"v{i + 1}")
        self.numbered = set(unnamed)  # results without a name of their own: v₁, v₂, ...
        for i, value in enumerate(x for x in leaves if id(x) not in self._names):
            self._give(value, f"p{i + 1}")
        self._name_constants(results, held)

    def text(self, x: Any) -> str:
        """Return the name of a Value or constant as text; a number is itself.

        >>> Names(Value(2.0, name="w1") * 3.0).text(3.0)
        '3'
        """
        name = self._names.get(id(x))
        if name is None:
            return _unnamed(x)
        return name_text(name)

    def latex(self, x: Any) -> str:
        r"""Return the name as LaTeX; a number is itself.

        >>> names = Names(Value(2.0, name="w1") * 3.0)
        >>> names.latex(names.order[0])
        'w_{1}'
        """
        name = self._names.get(id(x))
        if name is None:
            return number_latex(float(x)) if np.ndim(x) == 0 else r"\mathrm{constant}"
        return name_latex(name)

    def path(self, x: Value) -> str:
        """Return the path of a parameter in the model, or "" for anything else."""
        return self.paths.get(x, "")

    def legend(self) -> Iterator[tuple[str, str]]:
        """Yield the names of parameters that have a path in the model, with that path."""
        for value in self.order:
            path = self.paths.get(value)
            if path and path != self._names[id(value)]:
                yield self.text(value), path

    @property
    def words(self) -> dict[str, str]:
        """The words among the names, by their LaTeX."""
        parts = (part for name in self._names.values() for part in _split_name(name))
        letters = [part for part in parts if part and not part[0].isdigit()]
        return {_letters_latex(x): x for x in letters if _letters_latex(x).startswith(r"\mathrm")}

    def has(self, latex: str) -> bool:
        """Return whether a Value or constant has this name in formulas."""
        return plain_text(latex) in self._taken

    def add(self, x: Value, name: str) -> None:
        """Name a Value that may be beside the graph of the loss; a name that it has stays."""
        self._give(x, name)

    def renumber(self, visible: Set[Value]) -> None:
        """Number the Values without a name again, so that the visible ones are v₁, v₂, ..."""
        for value in self.numbered:
            self._taken.pop(_shown(self._names.pop(id(value))), None)
        ordered = [x for x in self.order if x in self.numbered]
        for i, value in enumerate(sorted(ordered, key=lambda x: x not in visible)):
            self._give(value, f"v{i + 1}")

    def layer_of(self, value: Value) -> Layer | None:
        """Return the layer that a result belongs to, or None."""
        return self._layer.get(value)

    @property
    def known(self) -> Set[int]:
        """The ids of all objects that have a name."""
        return self._names.keys()

    def _give(self, x: Any, name: str | None) -> None:
        """Name an object that has no name yet; a name that is taken gets a number."""
        if not name or id(x) in self._names:
            return
        name = display_name(name)
        unique, count = name, self._taken.get(_shown(name), 1)
        while _shown(unique) in self._taken:
            count += 1
            unique = f"{name}_{count}" if name[-1:].isdigit() else f"{name}{count}"
        self._taken[_shown(unique)] = 1
        self._taken[_shown(name)] = count
        self._names[id(x)] = unique
        self._kept.append(x)

    def _name_parameters(self) -> None:
        """Name the weight and bias of layer 1 W₁ and b₁; a single number is w or b.

        Those of modules side by side have the names of these: W_query, W_key.
        """
        counted = [layer for layer in self.layers if layer.parameters]
        for layer in counted:
            below = "" if len(counted) == 1 else str(layer.number)
            owns = self._owns(layer)
            for value in layer.parameters:
                *above, own = (self.paths.get(value) or value.name or "").split(".")
                side_by_side = f"{PARAMETER_LETTERS[own]}_{above[-1]}" if owns[own] > 1 else ""
                self._give(value, side_by_side or parameter_name(own, value, below))

    def _owns(self, layer: Layer) -> Counter[str]:
        """Return how often the parameters of a layer's modules are called weight and bias."""
        paths = (self.paths.get(x, "").rpartition(".") for x in layer.parameters)
        return Counter(own for above, _, own in paths if above and own in PARAMETER_LETTERS)

    def _name_parts(self, loss: Value, results: list[Value], held: Mapping[int, str]) -> None:
        """Give the lesson's names to the parts of a loss and of a layer."""
        self._give(loss, "L")
        for layer in self.layers[-1:]:
            for value in layer.results:
                operation, operands, _, _ = value.record  # type: ignore[misc]
                if operation.name == "subtract" and type(operands[0]) is Value:
                    prediction, target = operands
                    if type(target) is Value and target.record is not None:
                        continue  # a difference of two results is not a residual
                    self._give(value, "u")
                    if prediction.record is not None:
                        self._give(prediction, "ŷ")
                    if np.ndim(target) and id(target) not in held:
                        self._give(target, "y")
        counted = len(self.layers) > 2
        for layer in self.layers[:-1]:
            below = str(layer.number) if counted else ""
            readers = _readers(layer)
            output = _computed(layer.output)
            if readers and not any(n > 1 for n in self._owns(layer).values()):
                self._give(readers[-1], f"z{below}")
            if not (readers and output is readers[-1]):
                self._give(output, f"h{below}")

    def _name_constants(self, results: list[Value], held: Mapping[int, str]) -> None:
        """Name plain arrays: by the caller's variable, x if a parameter multiplies it, else c."""
        first = True
        for value in results:
            operation, operands, numbers, options = value.record  # type: ignore[misc]
            if "labels" in options:
                self._give(options["labels"], held.get(id(options["labels"]), "y"))
                self.labels = self.labels or self.latex(options["labels"])
            for index in long_indices(options):
                self._give(index, held.get(id(index), "index"))
            names = operation.operands * (len(operands) if operation.variadic else 1)
            for x, number, operand in zip(operands, numbers, names, strict=True):
                if type(x) is Value and x.requires_grad:
                    continue
                if np.ndim(number) == 0 and type(x) is not Value:
                    continue
                self._give(x, held.get(id(x)))
                if id(x) not in self._names and type(x) is Value and x.name:
                    self._give(x, x.name)
                parametric = any(type(y) is Value and y.record is None for y in operands)
                if operand == "target":
                    self._give(x, "y")
                if operand == "condition":
                    self._give(x, "mask")
                self._give(x, "x" if parametric and first else "c")
                first = False


def long_indices(options: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the arrays of indices among an operation's options that are too long to write out."""
    index = options.get("index")
    parts = index if isinstance(index, tuple) else (index,)
    yield from (part for part in parts if is_long_index(part))


def _computed(value: Value) -> Value:
    """Return what a result is another shape of, or the result itself."""
    while value.record is not None and value.record.operation.identity:
        operand = value.record.operands[0]
        if type(operand) is not Value or operand.record is None:
            break
        value = operand
    return value


def _readers(layer: Layer) -> list[Value]:
    """Return the results that read a parameter of a layer, itself or in another shape."""
    if not layer.parameters:
        return [*layer.results]
    shapes: set[Value] = {*layer.parameters}
    found = []
    for value in layer.results:
        operation, operands, _, _ = value.record  # type: ignore[misc]
        if any(type(x) is Value and x in shapes for x in operands):
            if operation.identity:
                shapes.add(value)
            else:
                found.append(value)
    return found


def user_name(x: Value) -> str:
    """Return the name that the user gave, or ""; "weight" and "bias" come from layers."""
    return x.name if x.name and (x.record is not None or x.name not in PARAMETER_LETTERS) else ""


def parameter_name(own: str, x: Value, number: str) -> str:
    """Return the name of a layer's parameter from its own name and the layer's number, or ""."""
    letter = PARAMETER_LETTERS.get(own, f"{own}_" if own and number else own)
    return "w" if letter == "W" and not number and x.size == 1 else letter and letter + number


def display_name(name: str) -> str:
    """Return a name as it is shown: y_hat as ŷ, control characters escaped, cut if long."""
    shown = LETTERS.get(name, re.sub(" +", " ", printable(name)).strip())
    return shown if len(shown) <= MAX_NAME_LENGTH else f"{shown[:MAX_NAME_LENGTH]}…"


def names_by_id(variables: Mapping[str, Any]) -> dict[int, str]:
    """Return the name of each object by its id; the first of several variables."""
    return {id(x): name for name, x in reversed(list(variables.items())) if is_readable_name(name)}


def is_readable_name(name: str) -> bool:
    """Return whether a variable's name is meant for a reader."""
    return not name.startswith("_") and name not in {"self", "value", "out", "In", "Out"}


def name_text(name: str) -> str:
    """Return a name as text, with subscripts.

    >>> name_text("w1"), name_text("w_1"), name_text("rate"), name_text("w_max")
    ('w₁', 'w₁', 'rate', 'w_max')
    """
    letter, below = _split_name(name)
    return f"{letter}_{below}" if below[:1].isalpha() else letter + below.translate(SUBSCRIPT)


def name_latex(name: str) -> str:
    r"""Return a name as LaTeX.

    >>> name_latex("w1"), name_latex("ŷ"), name_latex("rate"), name_latex("w_max")
    ('w_{1}', '\\hat{y}', '\\mathrm{rate}', 'w_{\\mathrm{max}}')
    """
    letter, below = _split_name(name)
    below = upright_latex(below) if below[:1].isalpha() else below
    spelt = _letters_latex(letter)
    return f"{spelt}_{{{below}}}" if below else spelt


def _shown(name: str) -> str:
    """Return a name as formulas show it."""
    return plain_text(name_latex(name))


def _split_name(name: str) -> tuple[str, str]:
    """Split a name into letters and subscript: w1 and w_1 are w with 1, w_max is w with max."""
    if word := re.fullmatch(r"([^\W\d_])_([^\W\d_]\w*)", name):
        return word[1], word[2]
    found = re.fullmatch(r"(.*?[^0-9_])_?([0-9]+(?:_[0-9]+)*)", name, re.DOTALL)
    if not found:
        return name, ""
    return found[1], found[2].replace("_", ",")


def _letters_latex(letters: str) -> str:
    """Return a name without its number as LaTeX."""
    plain = len(letters) == 1 and letters.isascii() and letters.isalpha()
    if letters == "ŷ":
        return r"\hat{y}"
    greek = letters > "Ͱ" and letters in COMMANDS
    return COMMANDS[letters] if greek else letters if plain else upright_latex(letters)


def upright_latex(text: str) -> str:
    r"""Return a word as upright LaTeX that pdfLaTeX sets with no packages but amsmath.

    Characters that it doesn't know are numbers of Unicode in angle brackets, which no other name
    has.

    >>> upright_latex("naïve"), upright_latex("a%b"), upright_latex("вес")[8:-1]
    ('\\mathrm{na\\ddot{\\imath}ve}', '\\mathrm{a\\%b}', '\\langle\\mathtt{432.435.441}\\rangle{}')
    """
    spelt = ""
    for known, run in itertools.groupby(text, lambda c: _character_latex(c) is not None):
        codes = [*run]
        if known:
            spelt += "".join(_character_latex(c) or "" for c in codes)
        else:
            spelt += rf"\langle\mathtt{{{'.'.join(f'{ord(c):X}' for c in codes)}}}\rangle{{}}"
    return rf"\mathrm{{{spelt}}}"


def _character_latex(c: str) -> str | None:
    """Return the LaTeX of a character, or None if plain pdfLaTeX has none."""
    if c in COMMANDS:
        return COMMANDS[c] + "{}" * COMMANDS[c][-1].isalpha()
    if c.isascii():
        return c
    parts = unicodedata.normalize("NFD", c)
    letter, marks = parts[0], parts[1:]
    if len(marks) != 1 or marks[0] not in ACCENTS or not (letter.isascii() and letter.isalpha()):
        return None
    base = {"i": r"\imath", "j": r"\jmath"}.get(letter, letter)
    return rf"\{ACCENTS[marks[0]]}{{{base}}}"


def _unnamed(x: Any) -> str:
    """Return a number as text, anything else as "constant"."""
    if isinstance(x, Value):
        x = x._content
    return number_text(float(x)) if np.ndim(x) == 0 else "constant"
