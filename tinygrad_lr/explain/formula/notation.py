"""What the signs and functions in formulas mean, one short sentence for each that is used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.primitive import PRIMITIVES
from .expression import HOLE, MATRIX_PRODUCT, Call, Expression, Name, call
from .plain_text import plain_text

FUNCTIONS = {
    r"\sigma": "σ(x) = 1/(1 + e⁻ˣ)",
    "relu": "relu(x) = max(x, 0)",
    r"leaky\,relu": "leaky relu with a number s is x if x > 0, else s · x",
    "elu": "elu(x; a) = x if x > 0, else a · (eˣ − 1), with a = 1 if it isn't shown",
    "celu": "celu(x; a) = x if x > 0, else a · (e^(x/a) − 1), with a = 1 if it isn't shown",
    "prelu": "prelu(x, a) = x if x > 0, else a x",
    "clip": "clip(x, a, b) is x held between a and b",
    "softplus": "softplus(x) = ln(1 + eˣ)",
    "softsign": "softsign(x) = x/(1 + |x|)",
    "silu": "silu(x) = x σ(x), with σ(x) = 1/(1 + e⁻ˣ)",
    "gelu": "gelu(x) = x Φ(x)",
    r"\Phi": "Φ is the distribution function of the standard normal distribution",
    "softmax": "softmax(x) = eˣ/Σ eˣ, along the last axis unless it has an index",
    "standardize": "standardize(x; ε) = (x − mean)/√(variance + ε), along the last axis unless it "
    "has an index",
    r"rms\,normalize": "rms normalize(x; ε) = x/√(mean of x² + ε), along the last axis unless it "
    "has an index",
    "var": "var(x; d) adds up the squares of the deviations from the mean, and divides by their "
    "number less d, where d is 0 if it isn't shown",
    "std": "std(x; d) = √var(x; d): the squares of the deviations from the mean added up, over "
    "their number less d, where d is 0 if it isn't shown",
    "cumsum": "cumsum(x) holds the sums of the entries up to each one",
    "sign": "sign(x) is −1, 0 or 1",
    "atan2": "atan2(y, x) is the angle of the point (x, y)",
    "onehot": "onehot(y) has a 1 at the label of each row, else 0",
    "broadcast": "broadcast(x, shape) repeats x along the axes that it lacks",
    "reshape": "reshape(x, shape) has the same entries in another shape",
    "transpose": "transpose with numbers puts the axes in that order, counted from 0",
    "scatter": "scatter[i](x, shape) has x at the entries [i], else 0",
    "set": "set[i](x, v) is x with v at the entries [i]",
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
    "lower": "lower(A) is the lower triangle of A, with 0 elsewhere",
    "below": "below(A) is the part of A below its diagonal, with 0 elsewhere",
    "diag": "diag(x) is the diagonal matrix of a vector x, and the diagonal of a matrix x; "
    "diag(x; k) the k-th diagonal above it",
    "slogdet": "slogdet(A) holds the sign of det A and ln |det A|",
    "expm": "expm(A) is the exponential of a matrix, I + A + A A/2 + …",
    "logm": "logm(A) is the matrix with expm(logm(A)) = A",
    "sqrtm": "sqrtm(A) is the matrix R with R R = A",
    "triangle": "triangle(A) is a triangle of A, with ones on its diagonal and 0 elsewhere",
    "stack": "stack(a, b, …) has a, b, … along a new first axis",
    "concatenate": "concatenate(a, b, …) has a, b, … one after the other",
    "windowmax": "windowmax(x) holds the largest entry of each window of x, of the size told",
    r"to\,argmax": "to argmax(g, x) has each entry of g at the largest entry of x that it belongs "
    "to, else 0",
    "windowsum": "windowsum(x) holds the sum of each window of x, of the size told",
    "windowspread": "windowspread(g; l) adds each entry of g at all places of its window, in axes "
    "of length l",
    "windows": "windows(x) has the windows of x, of the size told, the places in a window along "
    "new first axes",
    "overlap": "overlap(g; l) adds up windows where they come from, in axes of length l",
    "pad": "pad(x; c) has c (0 if it isn't shown) around x: as often as the index says, axis by "
    "axis, or (before, behind)",
    "roll": "roll(x; k) moves the entries k places on, and those at the end to the beginning",
    "nanmax": "nanmax(x) is the largest entry that isn't nan",
    "nanmin": "nanmin(x) is the smallest entry that isn't nan",
    "cof": "cof A is the matrix of cofactors, det A · (A⁻¹)ᵀ",
    "C": "C_k(x) is the cosine transform of type k along the last axis, scaled to be orthogonal",
    "S": "S_k(x) is the sine transform of type k along the last axis, scaled to be orthogonal",
    "H": "H(x, y) is 0 if x < 0, 1 if x > 0, and y at 0",
    "fmod": "fmod(x, y) is the remainder of x/y with the sign of x",
    "trunc": "trunc(x) is x without its digits behind the point",
    "fraction": "fraction(x) = x − trunc(x)",
    "next": "next(x, y) is the floating-point number after x towards y",
    "spacing": "spacing(x) is the distance from x to the next floating-point number",
    "fmin": "fmin(x, y) is the smaller one, fmax(x, y) the larger one, of those that aren't nan",
    "fmax": "fmin(x, y) is the smaller one, fmax(x, y) the larger one, of those that aren't nan",
    "copysign": "copysign(x, y) is |x| with the sign of y",
    "erf": "erf is the error function, and erfc(x) = 1 − erf(x)",
    "erfc": "erf is the error function, and erfc(x) = 1 − erf(x)",
    "sinc": "sinc(x) = sin(π x)/(π x)",
    "polar": "polar(A) is the U of A = U P, with orthonormal columns and P symmetric",
    "sylvester": "sylvester(A, B, C) is the X with A X + X B = C",
}
SIGNS = {
    r"\\star(?!\^|_\{n)": "x ⋆ W multiplies each window of x by the kernel W and adds up",
    r"\\star\^": "g ⋆ᵀ W adds W, times each entry of g, at the window of that entry",
    r"\\star_\{n": "x ⋆ₙ g adds up the windows of x, each times its entry of g, over all examples",
    r"\\text\{stride \}": "stride s: windows begin s entries apart, else 1",
    r"\\text\{padding \}": "padding p: p zeros are before and behind x, (a, b): a before, b behind",
    r"\\text\{dilation \}": "dilation d: the entries of a window are d apart",
    r"\\text\{groups \}": "groups h: the channels are in h equal groups, each with its own kernels",
    r"> \* <": "x * y is the list of all sums Σ xᵢ yⱼ with the same i + j",
    r"\\bmod": "x mod y = x − y ⌊x/y⌋",
    r"\\Gamma|\\psi": "Γ is the gamma function, ψ⁽⁰⁾ the derivative of ln Γ, ψ⁽ⁿ⁾ its n-th "
    "derivative",
}
"""The meanings of signs, by the pattern that finds them."""
SCIPY = ".scipy."
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
    formulas: Iterable[Expression],
) -> list[str]:
    r"""Return a sentence for each sign and function of the formulas that isn't elementary.

    >>> from tinygrad_lr.explain.formula.expression import Name, call
    >>> formula = call(r"\operatorname{relu}\left(<x>\right)", {"x": Name("z")})
    >>> explain_notation([formula])
    ['relu(x) = max(x, 0)']
    """
    known = list(dict.fromkeys(formulas))
    latex = [x.latex for x in known]
    return list(dict.fromkeys(_sentences(known, "\n".join(latex))))


def _sentences(formulas: list[Expression], latex: str) -> Iterator[str]:
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
    templates = "\n".join(x.template for x in parts if isinstance(x, Call))
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
    if r"\begin{pmatrix}" in latex and any(
        x.template.startswith(r"\begin{pmatrix}") for x in parts if isinstance(x, Call)
    ):
        yield "a matrix of matrices has these as blocks, 0 a block of zeros"
    if re.search(r"_\{\[", latex):
        yield "entries are counted from 0"
    if found := re.search(r"softmax\}_(?:\{([^}]*)\}|(\w))\\left", latex):
        label = found[1] or found[2]
        if label not in "nctij" and "," not in label:
            yield f"softmax_{plain_text(label)} is the entry of softmax at the label of each row"
    yield from (text for sign, text in SIGNS.items() if re.search(sign, templates))
    for found in OPERATOR.finditer(latex):
        name = found[1] or found[2]
        if name in FUNCTIONS:
            yield FUNCTIONS[name]
    yield from _special_functions(parts)


def _special_functions(parts: Iterable[Expression]) -> Iterator[str]:
    """Yield what the functions are that are letters, by the docstrings of their operations."""
    operations = [*PRIMITIVES.values()][::-1]  # of several with one formula the first
    known = {o.latex: o for o in operations if SCIPY in str(o.__module__) and o.latex}
    for template in dict.fromkeys(x.template for x in parts if isinstance(x, Call)):
        named = {x[1] or x[2] for x in OPERATOR.finditer(template)}
        if (operation := known.get(template)) is None or named & FUNCTIONS.keys():
            continue
        names = {hole: Name(hole) for hole in HOLE.findall(template)}
        if re.search(r"\\Gamma|\\psi", template):
            continue  # letters that are explained above
        words = (operation.__doc__ or "").partition("\n")[0].partition(". ")[0].rstrip(".")
        words = words.replace("`", "")
        yield f"{call(template, names).text} is {words[:1].lower()}{words[1:]}"


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
