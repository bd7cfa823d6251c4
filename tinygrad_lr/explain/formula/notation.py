"""What the signs and functions in formulas mean, one short sentence for each that is used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...support.text_format import number_text, shape_text
from .expression import MATRIX_PRODUCT, Call, Expression
from .plain_text import plain_text

FUNCTIONS = {
    r"\sigma": "σ(x) = 1/(1 + e⁻ˣ)",
    "relu": "relu(x) = max(x, 0)",
    r"leaky\,relu": "leaky relu(x) = x if x > 0, else {slope} · x",
    "elu": "elu(x) = x if x > 0, else {alpha} · (eˣ − 1)",
    "celu": "celu(x) = x if x > 0, else {alpha} · (e^(x/{alpha}) − 1)",
    "prelu": "prelu(x, a) = x if x > 0, else a x",
    "hardtanh": "hardtanh(x) is x held between {low} and {high}",
    "clip": "clip(x, a, b) is x held between a and b",
    "softplus": "softplus(x) = ln(1 + eˣ)",
    "softsign": "softsign(x) = x/(1 + |x|)",
    "silu": "silu(x) = x σ(x), with σ(x) = 1/(1 + e⁻ˣ)",
    "gelu": "gelu(x) = x Φ(x)",
    r"\Phi": "Φ is the distribution function of the standard normal distribution",
    "softmax": "softmax(x) = eˣ/Σ eˣ, along the last axis unless it has an index",
    "standardize": "standardize(x) = (x − mean)/√(variance + {eps}), along the last axis unless it "
    "has an index",
    r"rms\,normalize": "rms normalize(x) = x/√(mean of x² + {eps}), along the last axis unless it "
    "has an index",
    "var": "var is the mean square of the deviations from the mean",
    "std": "std is the root of the mean square of the deviations from the mean",
    "cumsum": "cumsum(x) holds the sums of the entries up to each one",
    "sign": "sign(x) is −1, 0 or 1",
    "atan2": "atan2(y, x) is the angle of the point (x, y)",
    "onehot": "onehot(y) has a 1 at the label of each row, else 0",
    "reshape": "reshape(x, shape) has the same entries in another shape",
    "transpose": "transpose with numbers puts the axes in that order, counted from 0",
    "scatter": "scatter[i](x, shape) has x at the entries [i], else 0",
    "set": "set(x, v) is x with some entries replaced by v",
    "heads": "heads with a number h puts the columns in h equal groups, one for each head, along "
    "a new axis before the rows",
    "concat": "concat(x) has the columns of all heads side by side",
    "chol": "chol(A) is the lower triangular L with L Lᵀ = A",
    "eigh": "eigh_λ(A) holds the eigenvalues of A, rising, and eigh_V(A) its eigenvectors, of "
    "length 1, as columns",
    "svd": "svd_U(A), svd_s(A) and svd_V(A) are the factors of A = U diag(s) V: orthonormal "
    "columns of U and rows of V, and s falling",
    "qr": "qr_Q(A) and qr_R(A) are the factors of A = Q R: orthonormal columns of Q, and R upper "
    "triangular",
    "lu": "lu_P(A), lu_L(A) and lu_U(A) are the factors of A = P L U: P exchanges rows, L is lower "
    "triangular with ones on its diagonal, U upper triangular",
    "F": "F(x) has 1/(x_j − x_i) at i, j, and 0 on its diagonal",
    "sym": "sym(A) = (A + Aᵀ)/2",
    "mirror": "mirror(A) is the symmetric matrix with the upper triangle of A",
    "upper": "upper(A) is the upper triangle of A, with 0 elsewhere",
    "below": "below(A) is the part of A below its diagonal, with 0 elsewhere",
    "diag": "diag(x) is the diagonal matrix of a vector x, and the diagonal of a matrix x",
    "slogdet": "slogdet(A) holds the sign of det A and ln |det A|",
    "expm": "expm(A) is the exponential of a matrix, I + A + A A/2 + …",
    "logm": "logm(A) is the matrix with expm(logm(A)) = A",
    "sqrtm": "sqrtm(A) is the matrix R with R R = A",
    "triangle": "triangle(A) is the lower or the upper triangle of A, with 0 elsewhere",
    "stack": "stack(a, b, …) has a, b, … along a new first axis",
    "concatenate": "concatenate(a, b, …) has a, b, … one after the other",
    "windowmax": "windowmax(x) holds the largest entry of each window of x{windows}",
    r"to\,argmax": "to argmax(g, x) has each entry of g at the largest entry of x that it belongs "
    "to, else 0",
    "windowsum": "windowsum(x) holds the sum of each window of x{windows}",
    "windowspread": "windowspread(g) adds each entry of g at all places of its window",
}
WINDOWS = {
    r"\star ": "x ⋆ W multiplies each window of x by the kernel W and adds up",
    r"\star^": "g ⋆ᵀ W adds W, times each entry of g, at the window of that entry",
    r"\star_": "x ⋆ₙ g adds up the windows of x, each times its entry of g, over all examples",
}
OPERATOR = re.compile(r"\\operatorname\{([^}]*)\}|(\\sigma|\\Phi)(?![a-zA-Z])")
OF_ENTRIES = re.compile(r">\}_\{[a-zA-Z]+\}|\\delta_\{|\\right\]_\{[a-zA-Z]")
INDEX_OF_AXES = re.compile(r"(?:\\sum|\\prod|\\max|\\min|\})_\{([nctij](?:,[nctij])*)\}")


def explain_derivatives(loss: str, one_path: bool = False) -> str:
    """Return what d and ∂ mean in the derivation of a loss, along all paths or the one followed.

    >>> explain_derivatives("L").partition("; ")[2]
    'dL/dx counts all paths from L to x'
    """
    return (
        "∂z/∂x is the derivative of the formula of z alone, all else in it held fixed; "
        f"d{loss}/dx counts {'the path' if one_path else 'all paths'} from {loss} to x"
    )


def explain_notation(
    formulas: Iterable[Expression], options: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    r"""Return a sentence for each sign and function of the formulas that isn't elementary.

    `options` are those of the operations that the formulas show, by the function's LaTeX.

    >>> from tinygrad_lr.explain.formula.expression import Name, call
    >>> formula = call(r"\operatorname{relu}\left(<x>\right)", {"x": Name("z")})
    >>> explain_notation([formula], {})
    ['relu(x) = max(x, 0)']
    """
    known = list(dict.fromkeys(formulas))
    latex = [x.latex for x in known]
    return list(dict.fromkeys(_sentences(known, "\n".join(latex), options)))


def _sentences(
    formulas: list[Expression], latex: str, options: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    parts = [part for formula in formulas for part in formula.walk()]
    if any(isinstance(x, Call) and x.template == MATRIX_PRODUCT for x in parts):
        turned = ", Aᵀ has rows and columns exchanged" if r"\mathsf{T}" in latex else ""
        yield f"A B is a product of matrices{turned}"
    if "}^{-1}" in latex:
        yield "A⁻¹ is the inverse matrix"
    if "}^{+}" in latex:
        yield "A⁺ is the pseudo-inverse matrix"
    if r"\odot" in latex:
        yield "⊙ multiplies entry by entry"
    along = "".join(
        x.template for x in parts if isinstance(x, Call) and not OF_ENTRIES.search(x.template)
    )
    if INDEX_OF_AXES.search(along):
        yield _axes({x for found in INDEX_OF_AXES.finditer(along) for x in found[1].split(",")})
    if any(isinstance(x, Call) and OF_ENTRIES.search(x.template) for x in parts):
        yield (
            "A_ij is the entry at i, j, and […]_ij the array of these entries; a sum of entries "
            "runs over its indices"
        )
        if r"\delta_{" in latex:
            yield "δ_ij is 1 where i = j, else 0"
    if re.search(r"\\left\[(?:(?!\\right\]).)*\\right\](?!_\{\w)", latex):
        yield "[a > b] is 1 where a > b, else 0"
    if re.search(r"_\{\[", latex):
        yield "entries are counted from 0"
    if found := re.search(r"softmax\}_(?:\{([^}]*)\}|(\w))\\left", latex):
        label = found[1] or found[2]
        if label not in "nctij" and "," not in label:
            yield f"softmax_{plain_text(label)} is the entry of softmax at the label of each row"
    yield from (text for sign, text in WINDOWS.items() if sign in latex)
    for found in OPERATOR.finditer(latex):
        name = found[1] or found[2]
        if name in FUNCTIONS:
            known = options.get(name, {})
            given = {k: _as_text(v) for k, v in known.items()} | {"windows": _windows(known)}
            yield FUNCTIONS[name].format_map(_Blank(given))


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return {"eps": "ε", "slope": "slope", "alpha": "α"}.get(key, key)


def _windows(options: Mapping[str, Any]) -> str:
    """Return how long the windows are and how far apart, "" if that isn't known."""
    if not {"size", "stride"} <= options.keys():
        return ""
    size, stride = (shape_text(options[key]) for key in ("size", "stride"))
    return f", of {size} entries, {stride} apart"


def _as_text(x: Any) -> str:
    return number_text(float(x)) if isinstance(x, (int, float)) else str(x)


def _axes(letters: set[str]) -> str:
    """Return which axes the letters at Σ are."""
    names = {
        "n": "n is the first axis",
        "j": "j the last",
        "t": "t the second of three",
        "c": "c the second of four",
        "i": "i the last but one",
    }
    parts = [text for letter, text in names.items() if letter in letters]
    return "of the indices at Σ, " + ", ".join(parts)
