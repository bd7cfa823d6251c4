"""Read formulas as they are printed, and compute them: the numbers of LaTeX, by its own rules.

The rules are those that a reader knows: A B is a product of matrices, ᵀ swaps the last two axes,
⊙ and · multiply entry by entry, Σ without an index adds up all entries, Σₙ along the axis n. An
array is repeated along the axes that it lacks. Nothing here knows the operations of the package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special

AXES = {1: "n", 2: "nj", 3: "ntj", 4: "ncij", 5: "nctij"}
"""The names of the axes of an array, by how many it has."""


class UnreadableFormula(Exception):
    """A formula that isn't written in the notation, or has a symbol that isn't defined."""


def _squeezed(x: Any) -> list[int]:
    return [n for n in x.shape if n > 1]


def fit(x: Any, y: Any) -> tuple[Any, Any]:
    """Return two arrays that broadcast; one that lacks axes is repeated along them.

    Which ones it lacks is told by the sizes, which differ in the tests.
    """
    x, y = (np.asanyarray(z.x if isinstance(z, Transposed) else z) for z in (x, y))
    if x.shape != y.shape and _squeezed(x) == _squeezed(y) and x.size > 1:
        shape = max(x.shape, y.shape, key=len)  # what kept its axes, and what dropped them
        return x.reshape(shape), y.reshape(shape)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        kept = x.ndim == y.ndim
        x, y = (x.squeeze(), y) if kept and x.size < y.size else (x, y.squeeze() if kept else y)
        short, long = (x, y) if x.ndim < y.ndim else (y, x)
        shape, rest = [], list(short.shape)
        for size in long.shape:
            shape.append(rest.pop(0) if rest and rest[0] == size else 1)
        if rest:
            raise UnreadableFormula(f"shapes {x.shape} and {y.shape} don't fit") from None
        short = short.reshape(shape)
        return (short, long) if x.ndim < y.ndim else (long, short)
    return x, y


class Kept(np.ndarray):
    """What a sum along some axes leaves, with the axes that it added up, of length 1."""


def _drop(x: Any) -> Any:
    """Return an array without axes that a sum has kept."""
    vector = isinstance(x, Kept) and len(_squeezed(x)) < 2
    return np.asarray(x).squeeze() if vector else x


class Transposed:
    """A vector that is written with ᵀ: a row."""

    def __init__(self, x: Any) -> None:
        self.x = x


def matrix_product(x: Any, y: Any) -> Any:
    x, y = _drop(x), _drop(y)
    if isinstance(y, Transposed):
        return np.multiply.outer(x, y.x)
    if isinstance(x, Transposed):
        x = x.x
        if np.ndim(y) == 1 != np.ndim(x) or np.shape(x) != np.shape(y)[:1]:
            return np.multiply.outer(x, np.squeeze(y))  # a column times a row
    if np.ndim(x) == 1 and np.ndim(y) == 2 and len(y) == 1:
        return np.multiply.outer(x, y[0])  # a column times a row
    if not np.ndim(x) or not np.ndim(y):
        raise UnreadableFormula("a matrix product of a number")
    try:
        return np.matmul(x, y)
    except ValueError as error:
        raise UnreadableFormula(str(error)) from None


def _windows(x: Any, lengths: tuple[int, ...]) -> tuple[Any, str, str]:
    """Return the windows over the last axes, and the letters of their places and of their own."""
    axes = tuple(range(2, np.ndim(x)))
    windows = np.lib.stride_tricks.sliding_window_view(x, lengths, axis=axes)
    return windows, "ijk"[: len(axes)], "abd"[: len(axes)]


def _correlate(x: Any, weight: Any) -> Any:
    """z[n, o, i, j] = Σ x[n, c, i + a, j + b] w[o, c, a, b]."""
    windows, at, own = _windows(x, weight.shape[2:])
    return np.einsum(f"nc{at}{own},oc{own}->no{at}", windows, weight)


def _correlate_all(x: Any, g: Any) -> Any:
    """dW[o, c, a, b] = Σ x[n, c, i + a, j + b] g[n, o, i, j]."""
    windows, own, at = _windows(x, g.shape[2:])
    return np.einsum(f"nc{own}{at},no{at}->oc{own}", windows, g)


def _spread(g: Any, weight: Any) -> Any:
    """dx[n, c, i + a, j + b] = Σ g[n, o, i, j] w[o, c, a, b]."""
    padded = np.pad(g, [(0, 0), (0, 0), *((n - 1, n - 1) for n in weight.shape[2:])])
    axes = tuple(range(2, weight.ndim))
    return _correlate(padded, np.flip(weight, axes).swapaxes(0, 1))


def _blocks(x: Any) -> Any:
    """Return the windows of two by two entries, side by side, along the last axes."""
    axes = tuple(range(2, np.ndim(x)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (2,) * len(axes), axis=axes)
    return windows[(..., *(slice(None, None, 2),) * len(axes), *(slice(None),) * len(axes))]


def _pool(x: Any) -> Any:
    return _blocks(x).max(axis=tuple(range(np.ndim(x), 2 * np.ndim(x) - 2)))


def _pool_sum(x: Any) -> Any:
    return _blocks(x).sum(axis=tuple(range(np.ndim(x), 2 * np.ndim(x) - 2)))


def _to_largest(g: Any, x: Any) -> Any:
    out = np.zeros_like(x)
    for at in np.ndindex(g.shape):
        window = (*at[:2], *(slice(2 * i, 2 * i + 2) for i in at[2:]))
        largest = x[window] == x[window].max()
        out[window] += g[at] * largest / largest.sum()
    return out


def _diag(x: Any) -> Any:
    """Return the diagonal of a matrix, or the matrix with a diagonal."""
    return np.diagonal(x) if np.ndim(x) == 2 else np.diag(x)


def _softmax(x: Any, axes: Any) -> Any:
    e = np.exp(x - np.max(x, axis=axes, keepdims=True))
    return e / np.sum(e, axis=axes, keepdims=True)


def _var(x: Any, axes: Any) -> Any:
    return np.mean((x - np.mean(x, axis=axes, keepdims=True)) ** 2, axis=axes, keepdims=True)


def _standardize(x: Any, axes: Any) -> Any:
    return (x - np.mean(x, axis=axes, keepdims=True)) / np.sqrt(_var(x, axes) + 1e-5)


ENTRYWISE: dict[str, Callable[..., Any]] = {
    "tanh": np.tanh, "exp": np.exp, "ln": np.log, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "arcsin": np.arcsin, "arccos": np.arccos,
    "arctan": np.arctan, "arsinh": np.arcsinh, "arcosh": np.arccosh, "artanh": np.arctanh,
    "sigma": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.where(x > 0, x, 0 * x),
    "sign": np.sign, "erf": scipy.special.erf, "erfc": scipy.special.erfc,
    "softplus": lambda x: np.logaddexp(0, x), "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x * (1 + scipy.special.erf(x / np.sqrt(2))) / 2,
    "softsign": lambda x: x / (1 + np.abs(x)), "round": np.round,
    "Phi": scipy.special.ndtr, "leakyrelu": lambda x: np.where(x > 0, x, 0.01 * x),
    "windowmax": _pool, "windowsum": _pool_sum, "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
}  # fmt: skip
TWO: dict[str, Callable[..., Any]] = {
    "min": np.minimum, "max": np.maximum, "atan2": np.arctan2, "clip": np.clip,
    "toargmax": _to_largest, "fmin": np.fmin, "fmax": np.fmax, "copysign": np.copysign,
}  # fmt: skip
ALONG: dict[str, Callable[..., Any]] = {
    "softmax": _softmax, "var": _var, "standardize": _standardize,
    "std": lambda x, axes: np.sqrt(_var(x, axes)),
    "cumsum": lambda x, axes: np.cumsum(x, axis=axes if axes is None else axes[0]),
}  # fmt: skip
OF_MATRICES: dict[str, Callable[..., Any]] = {
    "chol": np.linalg.cholesky, "det": np.linalg.det, "expm": scipy.linalg.expm,
    "sqrtm": scipy.linalg.sqrtm, "logm": scipy.linalg.logm,
    "F": lambda x: np.divide(
        1.0, x[..., None, :] - x[..., :, None],
        where=~np.eye(x.shape[-1], dtype=bool), out=np.zeros((*x.shape, x.shape[-1])),
    ),
    "sym": lambda a: (a + np.swapaxes(a, -1, -2)) / 2, "upper": np.triu,
    "mirror": lambda a: np.triu(a) + np.swapaxes(np.triu(a, 1), -1, -2),
    "below": lambda a: np.tril(a, -1), "diag": lambda x: _diag(np.asarray(_drop(x))),
    "slogdet": lambda a: np.array(np.linalg.slogdet(a)),
}  # fmt: skip
FACTORS: dict[str, Callable[..., Any]] = {
    "eigh": lambda a: dict(zip([r"\lambda", "V"], np.linalg.eigh(a), strict=True)),
    "svd": lambda a: dict(zip("UsV", np.linalg.svd(a, full_matrices=False), strict=True)),
    "qr": lambda a: dict(zip("QR", np.linalg.qr(a), strict=True)),
    "lu": lambda a: dict(zip("PLU", scipy.linalg.lu(a), strict=True)),
}
LARGE: dict[str, Callable[..., Any]] = {
    "sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min,
}  # fmt: skip
RELATIONS: dict[str, Callable[..., Any]] = {
    "<": np.less, ">": np.greater, "=": np.equal, r"\le": np.less_equal,
    r"\ge": np.greater_equal, r"\ne": np.not_equal,
}  # fmt: skip

TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|\s+|.")


class Reader:
    """A recursive-descent reader of one formula, with the arrays of its names."""

    def __init__(self, latex: str, names: Mapping[str, Any], shape: tuple[int, ...]) -> None:
        self.latex = latex
        self.names = names
        self.shape = shape
        self.tokens = self._tokens(latex)
        self.at = 0

    def _tokens(self, latex: str) -> list[tuple[str, str]]:
        """Return (kind, text): names are found first, the longest first."""
        ordered = sorted(self.names, key=len, reverse=True)
        found, at = [], 0
        while at < len(latex):
            name = next((n for n in ordered if latex.startswith(n, at)), None)
            if name is not None:
                found.append(("name", name))
                at += len(name)
                continue
            token = TOKEN.match(latex, at)
            assert token
            if not token[0].isspace() and token[0] not in {r"\left", r"\right", r"\,"}:
                found.append(("token", token[0]))
            at = token.end()
        return found

    def next(self) -> str:
        """Return the token that comes, or "" at the end; a name is "name"."""
        if self.at == len(self.tokens):
            return ""
        kind, text = self.tokens[self.at]
        return "name" if kind == "name" else text

    def take(self, expected: str = "") -> str:
        found = self.tokens[self.at][1] if self.at < len(self.tokens) else ""
        if expected and found != expected:
            raise UnreadableFormula(f"{expected} expected in {self.latex}, got {found!r}")
        self.at += 1
        return found

    def read(self) -> Any:
        """Return the numbers of the whole formula."""
        found = self.sum()
        if self.next():
            raise UnreadableFormula(f"{self.next()!r} is left over in {self.latex}")
        return found.x if isinstance(found, Transposed) else found

    def sum(self) -> Any:
        sign = self.next() == "-" and self.take()
        found = self.product()
        found = np.negative(found) if sign else found
        while self.next() in {"+", "-"}:
            minus = self.take() == "-"
            x, y = fit(found, self.product())
            found = x - y if minus else x + y
        return found

    def product(self) -> Any:
        if self.next() in {r"\sum", r"\prod"} or (
            self.next() in {r"\max", r"\min"} and self._is_large()
        ):
            return self.large()
        found = self.juxtaposed()
        while self.next() in {r"\cdot", r"\odot", r"\star"}:
            if self.next() == r"\star":
                found = self.windows(found)
                continue
            self.take()
            large = self.next() in {r"\sum", r"\prod"} or (
                self.next() in {r"\max", r"\min"} and self._is_large()
            )
            other = self.large() if large else self.juxtaposed()
            x, y = fit(found, other)
            found = x * y
        return found

    def _is_large(self) -> bool:
        """Return whether a max or min runs over entries: it has one argument."""
        depth, at = 0, self.at + 1
        if self.tokens[at][1] != "(":
            return True
        while True:
            depth += {"(": 1, ")": -1}.get(self.tokens[at][1], 0)
            if depth == 0:
                return True
            if depth == 1 and self.tokens[at][1] == ",":
                return False
            at += 1

    def large(self) -> Any:
        """Read Σ, Π, max and min, with or without an index; the axes are kept."""
        start = self.at
        if self.next() == r"\sum":
            try:
                return self.entry("")
            except UnreadableFormula:
                self.at = start
        reduce = LARGE[self.take()[1:]]
        letters = self.index()
        x = np.asarray(self.product())
        if not letters:
            return reduce(x)
        return reduce(x, axis=self.axes(letters, x), keepdims=True).view(Kept)

    def entry(self, output: str) -> Any:
        """Read Σ_j A_ij B_jk, an entry of an array whose axes have the letters of `output`."""
        if self.next() == r"\sum":
            self.take()
            self.index()
        arrays: list[Any] = []
        names: list[str] = []
        sizes: dict[str, int] = dict(zip(output, self.shape, strict=False))
        while self._begins_atom() or self.next() == r"\delta":
            delta = self.next() == r"\delta"
            x = self.take() if delta else np.asarray(self.atom())
            letters = self.index()
            if not delta and len(letters) != np.ndim(x):
                raise UnreadableFormula(f"{np.ndim(x)} axes with the indices {letters!r}")
            arrays.append(x)
            names.append(letters)
            sizes |= {} if delta else dict(zip(letters, np.shape(x), strict=True))
        if not any(names):
            raise UnreadableFormula("entries without an index")
        arrays = [
            np.eye(sizes[name[0]]) if isinstance(x, str) else x
            for x, name in zip(arrays, names, strict=True)
        ]
        missing = [a for a in output if a not in "".join(names)]
        arrays += [np.ones(sizes[a]) for a in missing]
        return np.einsum(f"{','.join([*names, *missing])}->{output}", *arrays)

    def ahead_of_bracket(self) -> str:
        """Return the letters behind the bracket that opens here, "" if there are none."""
        depth, at = 0, self.at
        while at < len(self.tokens):
            depth += {"[": 1, "]": -1}.get(self.tokens[at][1], 0)
            at += 1
            if depth == 0:
                break
        rest = [text for _, text in self.tokens[at:]]
        if rest[:2] != ["_", "{"] or rest[2] == "[":
            return ""
        return "".join(rest[2 : rest.index("}")])

    def index(self) -> str:
        if self.next() != "_":
            return ""
        self.take()
        if self.next() != "{":
            return self.take()
        self.take()
        letters = ""
        while self.next() != "}":
            letters += self.take()
        self.take("}")
        return letters.replace(",", "")

    def axes(self, letters: str, x: Any) -> tuple[int, ...]:
        names = AXES.get(np.ndim(x), "")
        if not set(letters) <= set(names):
            raise UnreadableFormula(f"an array of {np.ndim(x)} axes has no axis {letters!r}")
        return tuple(names.index(letter) for letter in letters)

    def windows(self, x: Any) -> Any:
        """Read one of the three products with windows."""
        self.take(r"\star")
        if self.next() == "_":
            self.index()
            return _correlate_all(x, self.juxtaposed())
        if self.next() == "^":
            self.take()
            self.take("{")
            self.take(r"\mathsf")
            for mark in "{T}}":
                self.take(mark)
            return _spread(x, self.juxtaposed())
        return _correlate(x, self.juxtaposed())

    def juxtaposed(self) -> Any:
        """Read factors next to each other: a number times a name, or matrices."""
        found, plain = self.power()
        while self._begins_atom():
            other, number = self.power()
            if plain and not number:
                x, y = fit(found, other)
                found, plain = x * y, False
            elif number:
                raise UnreadableFormula(f"a number behind a factor in {self.latex}")
            else:
                found = matrix_product(found, other)
        return found

    def _begins_atom(self) -> bool:
        token = self.next()
        if token in {"name", "(", "{", "|", "[", r"\lVert"} or re.match(r"\d", token):
            return token != "|" or not self.inside_bars
        return token in {r"\sum", r"\frac", r"\sqrt", r"\operatorname", r"\ln", "e"} or (
            token.startswith("\\") and token[1:] in {*ENTRYWISE, "max", "min", "begin", "sigma"}
        )

    inside_bars = False

    def power(self) -> tuple[Any, bool]:
        """Return an atom with its powers, and whether it is a plain number."""
        number = bool(re.match(r"\d|\\frac", self.next()))
        if self.next() == r"\sum":
            return self.large(), False
        found = self.atom()
        number = number and np.ndim(found) == 0
        while self.next() in {"^", "_"}:
            if self.take() == "_":
                found, number = self.entries(found), False
                continue
            number = False
            if self.next() == "{" and self.tokens[self.at + 1][1] == r"\mathsf":
                self.at += 2
                for mark in "{T}}":
                    self.take(mark)
                found = self.transposed(found)
                continue
            if self.next() == "{" and self.tokens[self.at + 1][1] == "+":
                self.at += 3
                found = np.linalg.pinv(found)
                continue
            exponent = self.group()
            if isinstance(found, Transposed):
                found = found.x
            if np.ndim(found) == 2 and np.ndim(exponent) == 0 and exponent == -1:
                found = np.linalg.inv(found)
                continue
            x, y = fit(found, exponent)
            found = np.asarray(x, float) ** y
        return found, number

    def latex_ahead(self, start: str) -> bool:
        """Return whether these marks come next, and then a name."""
        marks = [text for _, text in self.tokens[self.at : self.at + len(start)]]
        after = self.tokens[self.at + len(start) : self.at + len(start) + 1]
        return "".join(marks) == start and bool(after) and after[0][0] == "name"

    def probability(self, label: str) -> Any:
        """Read softmax_y(z): of each row the entry of its label."""
        (z,) = self.bracketed()
        rows = _softmax(z, (np.ndim(z) - 1,))
        return np.take_along_axis(rows, np.asarray(self.names[label])[..., None], -1)[..., 0]

    def entries(self, x: Any) -> Any:
        return np.asarray(_drop(x))[self.place()]

    def place(self) -> Any:
        """Read an index in brackets, counted from 0."""
        if self.next() == "_":
            self.take()
        text = ""
        self.take("{")
        while self.next() != "}":
            text += self.take()
        self.take("}")
        return eval(f"np.s_{text}".replace(r"\ldots", "..."), {"np": np})

    def transposed(self, x: Any) -> Any:
        if isinstance(x, Transposed):
            return x.x
        x = _drop(x)
        return Transposed(x) if np.ndim(x) == 1 else np.swapaxes(x, -1, -2) if np.ndim(x) else x

    def group(self) -> Any:
        if self.next() != "{":
            return self.atom()
        self.take("{")
        found = self.sum()
        self.take("}")
        return found

    def bracketed(self) -> list[Any]:
        """Read arguments in brackets."""
        self.take("(")
        found = [self.sum()]
        while self.next() == ",":
            self.take()
            found.append(self.sum())
        self.take(")")
        return found

    def atom(self) -> Any:
        token = self.next()
        if token == "name":
            return self.names[self.take()]
        if token == "(":
            (found,) = self.bracketed()
            return found.x if isinstance(found, Transposed) else found
        if token == "{":
            return self.group()
        if re.match(r"\d", token):
            return self.number()
        if token == "e":
            self.take()
            return np.e
        if token == "[" and (letters := self.ahead_of_bracket()):
            self.take()
            found = self.entry(letters)
            self.take("]")
            self.index()
            return found
        if token == "[":
            self.take()
            found = self.condition()
            self.take("]")
            return np.asarray(found, float)
        if token == "|":
            self.take()
            self.inside_bars, before = True, self.inside_bars
            found = np.abs(self.sum())
            self.inside_bars = before
            self.take("|")
            return found
        if token == r"\lVert":
            self.take()
            x = self.sum()
            self.take(r"\rVert")
            return np.sqrt(np.sum(np.square(x)))
        if token == r"\lfloor":
            self.take()
            x = self.sum()
            self.take(r"\rfloor")
            return np.floor(x)
        if token == r"\frac":
            self.take()
            x, y = fit(self.group(), self.group())
            return x / y
        if token == r"\sqrt":
            self.take()
            return np.sqrt(self.group())
        if token == r"\begin" and self.tokens[self.at + 2][1] == "p":
            return self.matrix()
        if token == r"\begin":
            return self.cases()
        if token == r"\infty":
            self.take()
            return np.inf
        return self.function()

    def number(self) -> float:
        found = float(self.take())
        if [text for _, text in self.tokens[self.at : self.at + 3]] == [r"\cdot", "10", "^"]:
            self.at += 3
            found *= 10.0 ** self.group()
        return found

    def function(self) -> Any:
        token = self.take()
        name = token[1:] if token.startswith("\\") else token
        if token == r"\operatorname":
            self.take("{")
            name = ""
            while self.next() != "}":
                name += self.take()
            self.take("}")
        if name == "reshape":
            return np.reshape(*self.with_shape())
        if name == "windowspread":
            spread = self.argument()
            for axis in range(2, np.ndim(spread)):
                spread = np.repeat(spread, 2, axis)
            return spread
        if name in FACTORS:
            letter = self.index()
            return FACTORS[name](self.argument())[letter]
        if name in OF_MATRICES:
            return OF_MATRICES[name](self.argument())
        if name == "heads":
            count = int(self.index())
            (x,) = self.bracketed()
            return np.stack(np.split(np.asarray(x), count, axis=-1), axis=-3)
        if name == "concat":
            (x,) = self.bracketed()
            return np.concatenate(np.moveaxis(x, -3, 0), axis=-1)
        if name == "stack":
            return np.stack(self.bracketed())
        if name == "concatenate":
            letters = self.index() if self.next() == "_" else ""
            parts = self.bracketed()
            return np.concatenate(parts, axis=self.axes(letters or "n", parts[0])[0])
        if name == "transpose":
            order = [int(n) for n in self.index()]
            (x,) = self.bracketed()
            return np.transpose(x, order)
        if name == "onehot":
            (labels,) = self.bracketed()
            return np.asarray(labels)[..., None] == np.arange(self.shape[-1])
        if name == "scatter":
            place = self.place()
            x, shape = self.with_shape()
            out = np.zeros(shape)
            shape = out[place].shape
            np.add.at(out, place, np.reshape(x, shape) if np.size(x) > 1 else np.squeeze(x))
            return out
        if name == "softmax" and self.next() == "_" and self.tokens[self.at + 1][0] == "name":
            self.take()
            return self.probability(self.take())
        if name == "softmax" and self.latex_ahead("_{"):
            self.at += 2
            label = self.take()
            self.take("}")
            return self.probability(label)
        letters = self.index() if self.next() == "_" else ""
        if name in ALONG:
            (x,) = self.bracketed()
            x = np.atleast_1d(_drop(x)) if not letters else x
            usual = None if name in {"var", "std"} else (np.ndim(x) - 1,)
            if name in {"var", "std"} and letters:
                return ALONG[name](x, self.axes(letters, x)).view(Kept)
            return ALONG[name](x, self.axes(letters, x) if letters else usual)
        if name == "log" and letters in {"2", "10"}:
            return {"2": np.log2, "10": np.log10}[letters](self.argument())
        if name in TWO and self.next() == "(":
            found = self.bracketed()
            while len(found) > 2 and name != "clip":
                raise UnreadableFormula(f"{name} of {len(found)} arguments")
            return TWO[name](*found)
        if name in ENTRYWISE:
            exponent = None
            if self.next() == "^":
                self.take()
                exponent = self.group()
            found = ENTRYWISE[name](self.argument())
            return found if exponent is None else found**exponent
        raise UnreadableFormula(f"{name!r} is not defined, in {self.latex}")

    def argument(self) -> Any:
        if self.next() == "(":
            (found,) = self.bracketed()
            return found
        if self.next() in {r"\sum", r"\prod"}:
            return self.large()
        return self.power()[0]

    def with_shape(self) -> tuple[Any, list[int]]:
        """Read (x, 3 × 4)."""
        self.take("(")
        x = self.sum()
        self.take(",")
        shape = [int(self.number())]
        while self.next() == r"\times":
            self.take()
            shape.append(int(self.number()))
        self.take(")")
        return x, shape

    def matrix(self) -> Any:
        """Read an array that is written out; one of a single row is a list."""
        while self.take() != "}":
            pass
        rows: list[list[float]] = [[]]
        while self.next() != r"\end":
            if self.next() in {"&", r"\\"}:
                rows += [[]] if self.take() != "&" else []
            else:
                rows[-1].append(self.sum())
        while self.take() != "}":
            pass
        return np.squeeze(rows, 0) if len(rows) == 1 else np.array(rows)

    def cases(self) -> Any:
        self.take(r"\begin")
        for mark in "{cases}":
            self.take(mark)
        first = self.sum()
        self.take("&")
        condition = self.condition()
        self.take(r"\\")
        second = self.sum()
        self.take("&")
        while self.take() != r"\end":
            pass
        for mark in "{cases}":
            self.take(mark)
        condition, first = fit(condition, first)
        first, second = fit(first, second)
        return np.where(condition, first, second)

    def comparison(self) -> Any:
        x = self.sum()
        if self.next() not in RELATIONS:
            return np.asarray(x, bool)  # a name of truths
        return RELATIONS[self.take()](*fit(x, self.sum()))

    def condition(self) -> Any:
        found = self.comparison()
        while self.next() == r"\text":
            word = ""
            self.take()
            self.take("{")
            while self.next() != "}":
                word += self.take()
            self.take("}")
            other = self.comparison()
            found = (np.logical_and if word.strip() == "and" else np.logical_or)(found, other)
        return found


def read_formula(latex: str, names: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
    """Return the numbers of a formula in LaTeX, as it is written; what is computed has a shape."""
    try:
        return Reader(latex, names, shape).read()
    except (IndexError, KeyError, ValueError, TypeError) as error:
        raise UnreadableFormula(f"{type(error).__name__}: {error}") from None


def agree(found: Any, expected: Any, tolerance: float) -> bool:
    """Return whether numbers agree, in the shape that is shown or with kept axes of one entry."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    if found.size > expected.size:
        return False
    try:
        found, expected = fit(found.reshape(()) if found.size == 1 else found, expected)
    except UnreadableFormula:
        return False
    scale = max(np.max(np.abs(expected), initial=0.0), 1e-12)
    return bool(np.allclose(found, expected, atol=tolerance * scale, rtol=tolerance))
