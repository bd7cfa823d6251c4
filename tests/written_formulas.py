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
import scipy.fft
import scipy.linalg
import scipy.special

AXES = {1: "n", 2: "nj", 3: "ntj", 4: "ncij", 5: "nctij"}
"""The names of the axes of an array, by how many it has."""


class UnreadableFormula(Exception):
    """A formula that isn't written in the notation, or has a symbol that isn't defined."""


def _squeezed(x: Any) -> list[int]:
    return [n for n in x.shape if n > 1]


class Shaped(np.ndarray):
    """An array written with a shape of its own, which is repeated as in NumPy."""


def fit(x: Any, y: Any) -> tuple[Any, Any]:
    """Return two arrays that broadcast; one that lacks axes is repeated along them.

    Which ones it lacks is told by the sizes, which differ in the tests.
    """
    x, y = (np.asanyarray(z.x if isinstance(z, Transposed) else z) for z in (x, y))
    shaped = isinstance(x, Shaped) or isinstance(y, Shaped)
    x, y = (np.asarray(z) if isinstance(z, Shaped) else z for z in (x, y))
    if x.shape != y.shape and _squeezed(x) == _squeezed(y) and x.size > 1 and not shaped:
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


def settings_of(index: str, axes: int) -> dict[str, Any]:
    """Read the settings in the index of a sign: 2 \\times 2, \\text{stride} 2."""
    found = {"stride": [1] * axes, "dilation": [1] * axes, "padding": [(0, 0)] * axes}
    found |= {"groups": 1, "size": []}
    words = re.sub(r"\\text\{(\w+)\}", r"\1 ", re.sub("^n,?", "", index))
    for part in re.split(r",(?![^(]*\))", words):
        name, _, value = part.rpartition(" ")
        entries = [eval(x) for x in value.split(r"\times")] if value else []
        if name == "groups":
            found["groups"] = entries[0]
        elif entries:
            found[name or "size"] = entries if len(entries) > 1 else entries * max(axes, 1)
    found["padding"] = [p if isinstance(p, tuple) else (p, p) for p in found["padding"]]
    return found


class Windows:
    """The windows over the last axes of arrays."""

    def __init__(self, index: str, size: tuple[int, ...]) -> None:
        self.size = size
        self.__dict__.update(settings_of(index, len(size)))
        self.size = tuple(self.size) or size
        self.groups: int = self.groups
        self.axes = len(self.size)

    def counts(self, length: Any) -> tuple[int, ...]:
        per_axis = zip(length, self.size, self.stride, self.padding, self.dilation, strict=True)
        return tuple((n + a + b - d * (k - 1) - 1) // s + 1 for n, k, s, (a, b), d in per_axis)

    def length(self, counts: Any) -> tuple[int, ...]:
        """Return the least length in which there are so many windows."""
        per_axis = zip(counts, self.size, self.stride, self.padding, self.dilation, strict=True)
        return tuple((n - 1) * s + d * (k - 1) + 1 - a - b for n, k, s, (a, b), d in per_axis)

    def pad(self, x: Any) -> Any:
        return np.pad(x, [(0, 0)] * (np.ndim(x) - self.axes) + list(self.padding))

    def inner(self, length: Any) -> Any:
        pairs = zip(self.padding, length, strict=True)
        return (..., *(slice(a, a + n) for (a, _), n in pairs))

    def taps(self, counts: Any) -> Any:
        """Each entry of a window, and where the windows have it in a padded array."""
        for tap in np.ndindex(*self.size):
            places = zip(tap, self.dilation, self.stride, counts, strict=True)
            yield tap, (..., *(slice(k * d, k * d + s * (n - 1) + 1, s) for k, d, s, n in places))

    def by_channel(self, weight: Any) -> Any:
        """Kernels of all channels, with 0 between different groups."""
        out, inside = weight.shape[:2]
        whole = np.zeros((out, inside * self.groups, *weight.shape[2:]))
        for k in range(self.groups):
            rows = slice(k * out // self.groups, (k + 1) * out // self.groups)
            whole[rows, k * inside : (k + 1) * inside] = weight[rows]
        return whole

    def of_groups(self, whole: Any) -> Any:
        out, channels = whole.shape[:2]
        inside = channels // self.groups
        rows = [o // (out // self.groups) * inside for o in range(out)]
        return np.stack([whole[o, c : c + inside] for o, c in enumerate(rows)])

    def correlate(self, x: Any, weight: Any) -> Any:
        whole, padded, counts = self.by_channel(weight), self.pad(x), self.counts(x.shape[2:])
        return sum(
            np.einsum("nc...,oc->no...", padded[at], whole[(..., *tap)])
            for tap, at in self.taps(counts)
        )

    def spread(self, g: Any, weight: Any, shape: tuple[int, ...]) -> Any:
        whole, counts = self.by_channel(weight), g.shape[2:]
        fits = shape[:2] == (len(g), whole.shape[1]) and self.counts(shape[2:]) == counts
        length = shape[2:] if fits else self.length(counts)
        out = self.pad(np.zeros((len(g), whole.shape[1], *length)))
        for tap, at in self.taps(counts):
            out[at] += np.einsum("no...,oc->nc...", g, whole[(..., *tap)])
        return out[self.inner(length)]

    def kernels(self, x: Any, g: Any) -> Any:
        padded, out = self.pad(x), np.zeros((g.shape[1], x.shape[1], *self.size))
        for tap, at in self.taps(g.shape[2:]):
            x_at, g_at = (z.reshape(*z.shape[:2], -1) for z in (padded[at], g))
            out[(..., *tap)] = np.einsum("ncp,nop->oc", x_at, g_at)
        return self.of_groups(out)

    def all(self, x: Any) -> Any:
        """All windows of an array, along new last axes."""
        counts = self.counts(np.shape(x)[-self.axes :])
        columns = [x[at] for _, at in self.taps(counts)]
        return np.stack(columns).reshape(*self.size, *columns[0].shape)

    def add_up(self, windows: Any, length: Any) -> Any:
        out = np.zeros((*windows.shape[self.axes : -self.axes], *length))
        for tap, at in self.taps(windows.shape[-self.axes :]):
            out[at] += windows[tap]
        return out

    def to_largest(self, g: Any, x: Any) -> Any:
        windows = self.all(x)
        inside = tuple(range(self.axes))
        largest = windows == np.max(windows, axis=inside, keepdims=True)
        shares = largest / np.sum(largest, axis=inside, keepdims=True)
        return self.add_up(shares * g, np.shape(x)[-self.axes :])


def _diag(x: Any, offset: float = 0.0) -> Any:
    """Return the diagonal of a matrix, or the matrix with a diagonal."""
    of_matrix = np.ndim(x) > 1
    return np.diagonal(x, int(offset), -2, -1) if of_matrix else np.diag(x)


def _softmax(x: Any, axes: Any) -> Any:
    e = np.exp(x - np.max(x, axis=axes, keepdims=True))
    return e / np.sum(e, axis=axes, keepdims=True)


def _var(x: Any, axes: Any, ddof: float = 0.0) -> Any:
    return np.var(x, axis=axes, keepdims=True, ddof=int(ddof))


def _standardize(x: Any, axes: Any, eps: float = 0.0) -> Any:
    return (x - np.mean(x, axis=axes, keepdims=True)) / np.sqrt(_var(x, axes) + eps)


def _roll(x: Any, axes: Any, *shift: float) -> Any:
    steps = tuple(int(n) for n in shift)
    axes = tuple(range(np.ndim(x))) if axes is None and len(steps) > 1 else axes
    return np.roll(x, steps[0] if axes is None else steps, axes)


def _pad(widths: str, x: Any, fill: float = 0.0) -> Any:
    pairs = [eval(n) for n in widths.split(r"\times")] * (1 if r"\times" in widths else np.ndim(x))
    return np.pad(x, [n if isinstance(n, tuple) else (n, n) for n in pairs], constant_values=fill)


ENTRYWISE: dict[str, Callable[..., Any]] = {
    "tanh": np.tanh, "exp": np.exp, "ln": np.log, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "arcsin": np.arcsin, "arccos": np.arccos,
    "arctan": np.arctan, "arsinh": np.arcsinh, "arcosh": np.arccosh, "artanh": np.arctanh,
    "sigma": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.where(x > 0, x, 0 * x),
    "sign": np.sign, "erf": scipy.special.erf, "erfc": scipy.special.erfc,
    "softplus": lambda x: np.logaddexp(0, x), "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x * (1 + scipy.special.erf(x / np.sqrt(2))) / 2,
    "softsign": lambda x: x / (1 + np.abs(x)), "round": np.round,
    "Phi": scipy.special.ndtr, "trunc": np.trunc, "fraction": lambda x: x - np.trunc(x),
    "Re": np.real, "Im": np.imag, "arg": np.angle, "spacing": np.spacing, "sinc": np.sinc,
    "erfi": scipy.special.erfi,
    "Ei": scipy.special.expi, "Si": lambda x: scipy.special.sici(x)[0],
    "Ci": lambda x: scipy.special.sici(x)[1], "Gamma": scipy.special.gamma,
    "omega": scipy.special.wrightomega,
}  # fmt: skip
TWO: dict[str, Callable[..., Any]] = {
    "min": np.minimum, "max": np.maximum, "atan2": np.arctan2, "clip": np.clip,
    "next": np.nextafter, "H": np.heaviside, "fmin": np.fmin, "fmax": np.fmax,
    "copysign": np.copysign,
}  # fmt: skip
ALONG: dict[str, Callable[..., Any]] = {
    "softmax": _softmax, "var": _var, "standardize": _standardize,
    "std": lambda x, axes, ddof=0.0: np.sqrt(_var(x, axes, ddof)), "roll": _roll,
    "rmsnormalize": lambda x, axes, eps=0.0: x / np.sqrt(
        np.mean(x * x, axis=axes, keepdims=True) + eps
    ),
    "nanmax": lambda x, axes: np.nanmax(x, axis=axes, keepdims=axes is not None),
    "nanmin": lambda x, axes: np.nanmin(x, axis=axes, keepdims=axes is not None),
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
    "lower": np.tril, "below": lambda a: np.tril(a, -1),
    "slogdet": lambda a: np.stack(np.linalg.slogdet(a), axis=-1),
}  # fmt: skip
FACTORS: dict[str, Callable[..., Any]] = {
    "eigh": lambda a: dict(zip([r"\lambda", "V"], np.linalg.eigh(a), strict=True)),
    "svd": lambda a: dict(zip("UsV", np.linalg.svd(a, full_matrices=False), strict=True)),
    "qr": lambda a: dict(zip("QR", np.linalg.qr(a), strict=True)),
    "lu": lambda a: dict(zip("PLU", scipy.linalg.lu(a), strict=True)),
}
INVERSES: dict[str, Callable[..., Any]] = {
    "erf": scipy.special.erfinv, "erfc": scipy.special.erfcinv, "Phi": scipy.special.ndtri,
}  # fmt: skip
WITH_INDEX: dict[str, Callable[..., Any]] = {
    "leakyrelu": lambda s, x: np.where(x > 0, x, float(s) * x),
    "elu": lambda _, x, a=1.0: np.where(x > 0, x, a * np.expm1(x)),
    "celu": lambda _, x, a=1.0: np.where(x > 0, x, a * np.expm1(x / a)),
    "prelu": lambda _, x, a: np.where(x > 0, x, a * x),
    "pad": _pad,
    "C": lambda k, x: scipy.fft.dct(x, int(k), norm="ortho", orthogonalize=True),
    "S": lambda k, x: scipy.fft.dst(x, int(k), norm="ortho", orthogonalize=True),
    "sylvester": lambda _, a, b, c: scipy.linalg.solve_sylvester(a, b, c),
    "polar": lambda _, a: scipy.linalg.polar(a)[0],
    "diag": lambda _, x, *offset: _diag(np.asarray(_drop(x)), *offset),
    "fmod": lambda _, x, y: np.fmod(x, y),
    "poch": lambda _, z, m: scipy.special.poch(z, m),
    "Li": lambda _, x: scipy.special.spence(1 - x),
}
"""Functions with an index that isn't an axis, as it is written."""
sc = scipy.special
LETTERS: dict[str, Callable[..., Any]] = {
    "J0": sc.jv, "Y0": sc.yv, "I0": sc.iv, "K0": sc.kv, "E0": lambda n, x: sc.expn(int(n), x),
    "K": sc.ellipk, "E": lambda x, *m: sc.ellipeinc(x, *m) if m else sc.ellipe(x),
    "F": sc.ellipkinc, "P": sc.gammainc, "P-": sc.gammaincinv, "Q": sc.gammaincc,
    "I0-": lambda x, a, b: sc.betaincinv(a, b, x), "F0": sc.stdtr, "F0-": sc.stdtrit,
    "P0": sc.eval_legendre, "T0": sc.eval_chebyt, "U0": sc.eval_chebyu,
    "struve0": sc.struve, "laguerre0": sc.eval_laguerre,
    "H0": lambda n, x: sc.eval_hermite(int(n), x), "U": sc.hyperu, "T": sc.owens_t,
    "He0": lambda n, x: sc.eval_hermitenorm(int(n), x),
    "P0^": lambda n, ab, x: sc.eval_jacobi(n, *ab, x), "S": lambda x: sc.fresnel(x)[0],
    "C0^": lambda n, a, x: sc.eval_gegenbauer(n, *a, x), "C": lambda x: sc.fresnel(x)[1],
    "laguerre0^": lambda n, a, x: sc.eval_genlaguerre(n, *a, x), "D": sc.dawsn,
    "V": sc.voigt_profile,
    "B": sc.beta, "zeta": lambda s, x: sc.zeta(s, x), "psi": sc.digamma,
    "psi^": lambda n, x: sc.polygamma(int(n[0]), x), "Airy0": lambda k, x: sc.airy(x)[int(k)],
}  # fmt: skip
"""Functions that are letters: 0 stands for an index, ^ for numbers in brackets above, - for the
inverse."""
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
            if re.match(r"t(?![a-z])", latex[at:]) and r"\int" in latex[:at]:
                name = "t"  # what an integral runs over
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
        while self.next() in {r"\cdot", r"\odot", r"\star", "*", r"\bmod"}:
            if self.next() == r"\star":
                found = self.windows(found)
                continue
            sign = self.take()
            if sign == "*":
                found = np.convolve(found, self.juxtaposed())
                continue
            if sign == r"\bmod":
                found = np.mod(*fit(found, self.juxtaposed()))
                continue
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
        turned = self.next() == "^"
        if turned:
            self.take()
            self.take("{")
            self.take(r"\mathsf")
            for mark in "{T}}":
                self.take(mark)
        index = self.raw_index()
        y = self.juxtaposed()
        if turned:
            return Windows(index, y.shape[2:]).spread(x, y, self.shape)
        if index.startswith("n"):
            windows = Windows(index, self.shape[2:])
            return windows.kernels(x, y)
        return Windows(index, y.shape[2:]).correlate(x, y)

    def raw_index(self) -> str:
        """Return the LaTeX of an index, without spaces."""
        if self.next() != "_":
            return ""
        self.take()
        self.take("{")
        text, depth = "", 1
        while True:
            token = self.take()
            depth += (token == "{") - (token == "}")
            if not depth:
                return text
            text += token

    def plain_index(self) -> str:
        """Return an index as it is written: of one character, or in brackets."""
        if self.next() != "_":
            return ""
        if self.tokens[self.at + 1][1] == "{":
            return self.raw_index()
        self.take()
        return self.take()

    def hypergeometric(self) -> Any:
        """Read {}_2F_1(a, b; c; x)."""
        for mark in "{}_":
            self.take(mark)
        above = int(self.take())
        self.take("F")
        self.take("_")
        self.take()
        function = {0: sc.hyp0f1, 1: sc.hyp1f1, 2: sc.hyp2f1}[above]
        return function(*self.bracketed())

    def integral(self) -> Any:
        r"""Read \int_0^{x} ... dt, whose integrand may be infinite at 0."""
        for mark in (r"\int", "_", "0", "^"):
            self.take(mark)
        end = np.asarray(self.group())
        begin, self.names = self.at, {**self.names, "t": 0.0}
        nodes, weights = np.polynomial.legendre.leggauss(200)
        total: Any = 0.0
        for u, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            self.at = begin
            self.names["t"] = end * u**8
            total = total + weight * 8 * u**7 * end * self.product()
        self.take("d")
        self.take("t")
        return total

    def letter(self) -> Any:
        """Read a function that is a letter, with what is below and above it."""
        name = self.take().lstrip("\\")
        if name == "mathrm":
            self.take("{")
            name = ""
            while self.next() != "}":
                name += self.take()
            self.take("}")
        return self.with_scripts(name)

    def with_scripts(self, name: str) -> Any:
        """Read what is below and above the letter of a function, and its arguments."""
        given: list[Any] = []
        above: list[Any] = []
        inverse = ""
        while self.next() in {"_", "^"}:
            if self.take() == "_":
                name, given = f"{name}0", [self.group()]
                continue
            self.take("{")
            if self.next() == "(":
                above.append(self.bracketed())
            else:
                self.sum()
                inverse = "-"
            self.take("}")
        name += "^" * len(above) + inverse
        if name not in LETTERS:
            raise UnreadableFormula(f"{name} is not defined")
        arguments = self.bracketed()
        if name == "I0" and len(arguments) == 2:
            return sc.betainc(*arguments, given[0])
        return LETTERS[name](*given, *above, *arguments)

    def of_windows(self, name: str) -> Any:
        """Read a function of windows, with its index."""
        index = self.raw_index()
        size = re.match(r"(?:\d+(?:\\times)?)*", index)
        assert size
        axes = len(size[0].split(r"\times"))
        x, *others = self.bracketed()
        if name == "overlap":
            return Windows(index, np.shape(x)[: len(others)]).add_up(x, tuple(map(int, others)))
        windows = Windows(index, (0,) * axes)
        if name == "toargmax":
            return windows.to_largest(x, others[0])
        length = tuple(int(n) for n in others)
        if name == "windowspread":
            return windows.add_up(x * np.ones((*windows.size, *np.shape(x))), length)
        found = windows.all(x)
        over = {"windowmax": np.max, "windowsum": np.sum}.get(name)
        return found if over is None else over(found, axis=tuple(range(axes)))

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
        if re.match(r"[A-Z]$|\\(psi|zeta|mathrm)$", token):
            return True
        if token in {"name", "(", "{", "|", "[", r"\lVert"} or re.match(r"\d", token):
            return token != "|" or not self.inside_bars
        return token in {r"\sum", r"\frac", r"\sqrt", r"\operatorname", r"\ln", "e"} or (
            token.startswith("\\")
            and token[1:]
            in {*ENTRYWISE, "max", "min", "begin", "sigma", "binom", "lfloor", "lceil"}
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
            if np.ndim(found) >= 2 and np.ndim(exponent) == 0 and exponent == -1:
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
        arrays: dict[str, Any] = {"np": np}
        text, depth = "", 0
        self.take("{")
        while depth or self.next() != "}":
            named = self.next() == "name"
            token = self.take()
            depth += (token == "{") - (token == "}")
            if named:
                arrays[f"array{len(arrays)}"] = self.names[token]
                token = f"array{len(arrays) - 1}"
            text += token
        self.take("}")
        text = text.replace(r"\ldots", "...").replace(r"\mathrm{new}", "None")
        return eval(f"np.s_{text}", arrays)

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
        while self.next() in {",", ";", r"\mid"}:
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
        if token == "{" and self.tokens[self.at + 1][1] == "}":
            return self.hypergeometric()
        if token == "{":
            return self.group()
        if token == r"\int":
            return self.integral()
        if token == r"\overline":
            self.take()
            return np.conj(self.group())
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
            order = 2.0
            if self.next() == "_":
                self.take()
                order = self.group()
            return np.sum(np.abs(x) ** order) ** (1 / order)
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
            if self.next() != "[":
                return np.sqrt(self.group())
            for mark in "[3]":
                self.take(mark)
            return np.cbrt(self.group())
        if token == r"\begin" and self.tokens[self.at + 2][1] == "p":
            return self.matrix()
        if token == r"\begin":
            return self.cases()
        if token == r"\infty":
            self.take()
            return np.inf
        if token == r"\pi":
            self.take()
            return np.pi
        if token == r"\lceil":
            self.take()
            x = self.sum()
            self.take(r"\rceil")
            return np.ceil(x)
        if token == r"\binom":
            self.take()
            return sc.binom(*fit(self.group(), self.group()))
        if re.fullmatch(r"[A-Z]|\\(psi|zeta|mathrm)", token):
            return self.letter()
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
            return np.reshape(*self.with_shape()).view(Shaped)
        if name == "broadcast":
            x, shape = self.with_shape()
            return np.broadcast_to(_drop(x), shape)
        if name in {"windowmax", "windowsum", "windowspread", "windows", "overlap", "toargmax"}:
            return self.of_windows(name)
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
        if name in {"struve", "laguerre"}:
            return self.with_scripts(name)
        if name in WITH_INDEX:
            index = self.plain_index()
            return WITH_INDEX[name](index, *self.bracketed())
        if name in INVERSES and self.next() == "^":
            self.take()
            self.group()
            return INVERSES[name](self.argument())
        if name == "am":
            phase, m = self.bracketed()
            return sc.ellipj(phase, m)[3]
        if name == "set":
            place = self.place()
            x, v = self.bracketed()
            out = np.array(x, float)
            out[place] = v
            return out
        if name == "lambda":
            raise UnreadableFormula("λ is not defined")
        letters = self.index() if self.next() == "_" else ""
        if name in ALONG:
            x, *more = self.bracketed()
            x = np.atleast_1d(_drop(x)) if not letters else x
            of_all = name in {"var", "std", "roll", "nanmax", "nanmin"}
            usual = None if of_all else (np.ndim(x) - 1,)
            if of_all and name != "roll" and letters:
                return ALONG[name](x, self.axes(letters, x), *more).view(Kept)
            return ALONG[name](x, self.axes(letters, x) if letters else usual, *more)
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
        rows: list[list[Any]] = [[]]
        while self.next() != r"\end":
            if self.next() in {"&", r"\\"}:
                rows += [[]] if self.take() != "&" else []
            else:
                rows[-1].append(self.sum())
        while self.take() != "}":
            pass
        arrays = [x for row in rows for x in row if np.ndim(x)]
        if arrays:  # blocks of one size, of which 0 is a block of zeros
            return np.block([[x * np.ones_like(arrays[0]) for x in row] for row in rows])
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
    except (ArithmeticError, AssertionError, AttributeError, LookupError) as error:
        raise UnreadableFormula(f"{type(error).__name__}: {error}") from None
    except (SyntaxError, NameError, ValueError, TypeError) as error:
        raise UnreadableFormula(f"{type(error).__name__}: {error}") from None


def agree(found: Any, expected: Any, tolerance: float) -> bool:
    """Return whether numbers agree, in the shape that is shown or with kept axes of one entry."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    if not expected.size:
        return True
    if found.size > expected.size:
        return False
    try:
        found, expected = fit(found.reshape(()) if found.size == 1 else found, expected)
    except UnreadableFormula:
        return False
    scale = max(np.max(np.abs(expected), initial=0.0), 1e-12)
    return bool(np.allclose(found, expected, atol=tolerance * scale, rtol=tolerance))
