"""Take factorisations of matrices apart: each factor is a Value with a formula of its own.

A factorisation is one operation, whose result has all factors in one row. Here each factor is an
operation, whose rule is the textbook's, in terms of the factors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.primitive import Primitive
from ...ops.index import put_at
from ..formula.expression import call
from ..formula.symbol import Symbol, number_of, rank_of


@dataclass(frozen=True)
class Factor:
    """A factor: its letter, its shape by that of the matrix, and the textbook's rule.

    The rule takes the gradient of the factor, all factors by their letters, and the matrix.
    """

    letter: str
    shape: Callable[[int, int], tuple[int, ...]]
    rule: Callable[[Any, Mapping[str, Any], Any], Any]


def split_factors(operation: Primitive, a: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the factors of a matrix, each computed by an operation of its own, by their letters.

    `operation` is a factorisation in `FACTORS`.
    """
    parts = _operations(operation, tuple(options.items()))
    return {letter: part(a) for letter, part in parts.items()}


def factor_slices(operation: Primitive, a: Any) -> dict[str, tuple[slice, tuple[int, ...]]]:
    """Return where each factor is in the row of all, and its shape."""
    found, start = {}, 0
    m, n = np.shape(a)[-2:]
    for factor in FACTORS[operation.name]:
        shape = factor.shape(m, n)
        end = start + int(np.prod(shape))
        found[factor.letter] = slice(start, end), (*np.shape(a)[:-2], *shape)
        start = end
    return found


@functools.lru_cache(maxsize=64)
def _operations(operation: Primitive, options: tuple[tuple[str, Any], ...]) -> dict[str, Primitive]:
    """Return an operation for each factor."""
    parts: dict[str, Primitive] = {}
    word = FUNCTIONS[operation.name]

    def add(factor: Factor) -> None:
        def part(a: Any) -> Any:
            place, shape = factor_slices(operation, a)[factor.letter]
            return np.reshape(operation.forward(a, **dict(options))[..., place], shape)

        def rule(g: Any, out: Any, a: Any) -> Any:
            row = np.array(operation.forward(a, **dict(options)))
            back = np.zeros_like(row)
            place, _ = factor_slices(operation, a)[factor.letter]
            back[..., place] = np.reshape(g, back[..., place].shape)
            return operation.rules[0](back, row, a, **dict(options))  # type: ignore[misc]

        def textbook(g: Any, out: Any, a: Any) -> Any:
            known = {
                letter: out if letter == factor.letter else one(a) for letter, one in parts.items()
            }
            return factor.rule(g, known, a)

        latex = rf"\operatorname{{{word}}}_{{{LETTERS.get(factor.letter, factor.letter)}}}"
        parts[factor.letter] = found = Primitive(part, latex=rf"{latex}\left(<a>\right)")
        found.vjp(a=rule)
        found.textbook(a=textbook)

    for factor in FACTORS[operation.name]:
        add(factor)
    return parts


# ---- functions of matrices in the rules, as formulas


def _function(name: str, compute: Callable[[Any], Any]) -> Callable[[Any], Symbol]:
    def on(x: Any) -> Symbol:
        numbers = compute(number_of(x))
        formula = call(rf"\operatorname{{{name}}}\left(<x>\right)", {"x": x.expression})
        return Symbol(replace(formula, rank=rank_of(numbers)), numbers, x.length + 1)

    return on


def _of_gaps(x: Any) -> Any:
    """Return 1/(x_j - x_i) off the diagonal, and 0 on it."""
    gaps = x[..., None, :] - x[..., :, None]
    itself = np.eye(x.shape[-1], dtype=bool)
    return np.where(itself, 0.0, 1.0 / np.where(itself, 1.0, gaps))


def _mirror(x: Any) -> Any:
    upper = np.triu(x)
    return upper + np.swapaxes(np.triu(x, 1), -1, -2)


_gaps = _function("F", _of_gaps)
_sym = _function("sym", lambda x: (x + np.swapaxes(x, -1, -2)) / 2)
_mirrored = _function("mirror", _mirror)
_upper = _function("upper", np.triu)
_below = _function("below", lambda x: np.tril(x, -1))
_diag = _function("diag", lambda x: x[..., None] * np.eye(x.shape[-1]))


def _t(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


# ---- the textbook's rules


def _of_u(g: Any, f: Mapping[str, Any], a: Any) -> Any:
    u, s, v = f["U"], f["s"], f["V"]
    turn = _gaps(s * s) * (_t(u) @ g - _t(g) @ u)
    found = u @ turn @ _diag(s) @ v
    m, n = np.shape(a)[-2:]
    return found + (g - u @ _t(u) @ g) @ _diag(1 / s) @ v if m > n else found


def _of_v(g: Any, f: Mapping[str, Any], a: Any) -> Any:
    u, s, v = f["U"], f["s"], f["V"]
    turn = _gaps(s * s) * (v @ _t(g) - g @ _t(v))
    found = u @ _diag(s) @ turn @ v
    m, n = np.shape(a)[-2:]
    return found + u @ _diag(1 / s) @ (g - g @ _t(v) @ v) if n > m else found


def _leading(x: Any, k: int) -> Any:
    """Return the first k rows and columns."""
    return x if np.shape(x)[-2:] == (k, k) else x[..., :k, :k]


def _with_zeros(x: Any, a: Any) -> Any:
    """Return an array as large as a, with zeros below or to the right."""
    if np.shape(x) == np.shape(a):
        return x
    index = (Ellipsis, *(slice(n) for n in np.shape(x)[-2:]))
    return put_at(x, index=index, shape=np.shape(a))


def _of_lower(g: Any, f: Mapping[str, Any], a: Any) -> Any:
    p, lower, upper = f["P"], f["L"], f["U"]
    m, n = np.shape(a)[-2:]
    k = min(m, n)
    right = np.linalg.inv(_t(_leading(upper, k)))
    if m > n:
        inner = np.linalg.inv(_t(_leading(lower, k))) @ _upper(_t(lower) @ g) @ right
        return p @ (g @ right - _with_zeros(inner, a))
    inner = np.linalg.inv(_t(lower)) @ _below(_t(lower) @ g) @ right
    return p @ _with_zeros(inner, a)


def _of_upper(g: Any, f: Mapping[str, Any], a: Any) -> Any:
    p, lower, upper = f["P"], f["L"], f["U"]
    m, n = np.shape(a)[-2:]
    k = min(m, n)
    left, right = np.linalg.inv(_t(_leading(lower, k))), np.linalg.inv(_t(_leading(upper, k)))
    if n > m:
        inner = left @ _below(g @ _t(upper)) @ right
        return p @ (left @ g - _with_zeros(inner, a))
    return p @ _with_zeros(left @ _upper(g @ _t(upper)) @ right, a)


FACTORS: Mapping[str, tuple[Factor, ...]] = {
    "symmetric_eigen": (
        Factor("λ", lambda m, n: (n,), lambda g, f, a: f["V"] @ _diag(g) @ _t(f["V"])),
        Factor(
            "V",
            lambda m, n: (n, n),
            lambda g, f, a: _sym(f["V"] @ (_gaps(f["λ"]) * (_t(f["V"]) @ g)) @ _t(f["V"])),
        ),
    ),
    "singular_factors": (
        Factor("U", lambda m, n: (m, min(m, n)), _of_u),
        Factor("s", lambda m, n: (min(m, n),), lambda g, f, a: f["U"] @ _diag(g) @ f["V"]),
        Factor("V", lambda m, n: (min(m, n), n), _of_v),
    ),
    "orthogonal_factors": (
        Factor(
            "Q",
            lambda m, n: (m, n),
            lambda g, f, a: (g - f["Q"] @ _mirrored(_t(f["Q"]) @ g)) @ np.linalg.inv(_t(f["R"])),
        ),
        Factor(
            "R",
            lambda m, n: (n, n),
            lambda g, f, a: f["Q"] @ _mirrored(g @ _t(f["R"])) @ np.linalg.inv(_t(f["R"])),
        ),
    ),
    "triangular_factors": (
        Factor("P", lambda m, n: (m, m), lambda g, f, a: 0.0 * a),
        Factor("L", lambda m, n: (m, min(m, n)), _of_lower),
        Factor("U", lambda m, n: (min(m, n), n), _of_upper),
    ),
}
FUNCTIONS = {
    "symmetric_eigen": "eigh",
    "singular_factors": "svd",
    "orthogonal_factors": "qr",
    "triangular_factors": "lu",
}
LETTERS = {"λ": r"\lambda"}
