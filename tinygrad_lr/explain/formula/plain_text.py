"""Convert LaTeX formulas to plain text: ŷ, Σ, ², dL/dw."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

WORDS = {
    "cdot": "·",
    "sum": "Σ",
    "prod": "Π",
    "odot": "⊙",
    "times": "×",
    "ldots": "…",
    "infty": "∞",
    "le": "≤",
    "ge": "≥",
    "ne": "≠",
    "sim": "~",
    "wedge": "^",
    "backslash": "\\",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "lceil": "⌈",
    "rceil": "⌉",
    "lVert": "‖",
    "rVert": "‖",
    "star": "⋆",
    "bmod": " mod ",
    "partial": "∂",
    "Sigma": "Σ",
    "Gamma": "Γ",
    "Phi": "Φ",
    "int": "∫",
    "mid": " | ",
    "mathcal": "",
    "left": "",
    "right": "",
    "mathsf": "",
    "mathrm": "",
    "langle": "",
    "rangle": "",
    "imath": "i",
    "jmath": "j",
    "ss": "ß",
    "ae": "æ",
    "AE": "Æ",
    "oe": "œ",
    "OE": "Œ",
    **dict(
        zip(
            ["Delta", "Theta", "Lambda", "Xi", "Pi", "Upsilon", "Psi", "Omega"],
            "ΔΘΛΞΠΥΨΩ",
            strict=True,
        )
    ),
    "text": "",
}
GREEK = dict(
    zip(
        [
            *("alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda", "mu", "nu"),
            *("pi", "rho", "sigma", "tau", "phi", "omega", "psi", "zeta"),
            *("iota", "kappa", "xi", "upsilon", "chi"),
        ],
        "αβγδεηθλμνπρστφωψζικξυχ",
        strict=True,
    )
)
SYMBOLS = {",": " ", "\\": "; ", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł"}
"""Commands of one character."""
ACCENTS = {
    "\u0300": "grave",
    "\u0301": "acute",
    "\u0302": "hat",
    "\u0303": "tilde",
    "\u0304": "bar",
    "\u0306": "breve",
    "\u0307": "dot",
    "\u0308": "ddot",
    "\u030a": "mathring",
    "\u030c": "check",
}
"""The LaTeX of an accent in a formula, by its combining mark."""
MARKS = {command: mark for mark, command in ACCENTS.items()}
SUPERSCRIPTS = str.maketrans("0123456789−T()+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵀ⁽⁾⁺")
SUBSCRIPTS = str.maketrans("0123456789,njti", "₀₁₂₃₄₅₆₇₈₉,ₙⱼₜᵢ")
APPLICATION = (
    "\N{FUNCTION APPLICATION}"  # between a function and what it is applied to, for a while
)
INDEX = r"_\w+(?:\.\d+)?|_\((?:[^()]|\([^()]*\))*\)|[ₙₜⱼᵢ₀-₉⁰¹²³⁴-⁹⁻,]*"
LISTS = r"\[(?:[^\[\]]|\[(?:[^\[\]]|\[(?:[^\[\]]|\[[^\[\]]*\])*\])*\])*\]"
TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}^_&]|\s+|[^\\{}^_&\s]")


def plain_text(latex: str) -> str:
    r"""Return a formula of this package as plain text.

    >>> plain_text(r"\frac{dL}{d\hat{y}} = \frac{2u}{N}"), plain_text(r"\frac{1}{N} \sum u^{2}")
    ('dL/dŷ = 2u/N', '(1/N) Σ u²')
    >>> plain_text(r"\begin{cases} 1 & z_{1} > 0 \\ 0 & \text{otherwise} \end{cases}")
    '(1 if z₁ > 0, else 0)'
    """
    text = _parse(iter(TOKEN.findall(latex)), None)
    text = re.sub(r" +", " ", text)
    text = re.sub(r"(1/\w+) (?=Σ)", r"(\1) ", text)
    text = re.sub(rf"{APPLICATION}({INDEX}|{LISTS}) *\(", r"\1(", text)  # tanh(x), but cos x
    text = re.sub(rf"{APPLICATION}({INDEX}) *", r"\1 ", text)
    return re.sub(r"([(⌊⌈]) | ([)⌋⌉,])", r"\1\2", text).strip()


def _parse(tokens: Iterator[str], until: str | None) -> str:
    """Return the text up to the closing token."""
    out = ""
    for token in tokens:
        if token == until:
            return out
        if token == "{":
            out += _parse(tokens, "}")
        elif token == "^":
            out += _superscript(_argument(tokens))
        elif token == "_":
            out += _subscript(_argument(tokens))
        elif token == r"\frac":
            above, below = _argument(tokens), _argument(tokens)
            below = _bracket(below)
            below = f"({below})" if re.match(r"\d[\d.]*[^\W\d]", below) else below  # 1/(2h)
            out += f"{_bracket(above)}/{below}"
        elif token == r"\binom":
            out += f"binom({_argument(tokens)}, {_argument(tokens)})"
        elif token == r"\overline":
            out += f"conj({_argument(tokens)})"
        elif token == r"\sqrt":
            out += _root(tokens)
        elif token == r"\operatorname":
            out += _argument(tokens) + APPLICATION
        elif token[1:] in MARKS:
            out += unicodedata.normalize("NFC", _argument(tokens) + MARKS[token[1:]])
        elif token == r"\mathtt":  # characters by their numbers
            out += "".join(chr(int(code, 16)) for code in _argument(tokens).split("."))
        elif token == r"\begin":
            out += _matrix(tokens) if _argument(tokens) == "pmatrix" else _cases(tokens)
        elif token.startswith("\\") and len(token) == 2:
            out += SYMBOLS.get(token[1], token[1])
        elif token.startswith("\\"):
            word = token[1:]
            out += WORDS.get(word, GREEK.get(word, word + APPLICATION))
        else:
            out += " " if token.isspace() else token.replace("-", "−")
    return out


def _argument(tokens: Iterator[str]) -> str:
    """Return the argument of a command: a group, or one token."""
    for token in tokens:
        if token == "{":
            return _parse(tokens, "}")
        if not token.isspace():
            return _parse(iter([token]), None)
    return ""


def _root(tokens: Iterator[str]) -> str:
    for token in tokens:
        if token == "[":
            degree = ""
            for inner in tokens:
                if inner == "]":
                    break
                degree += inner
            return {"3": "∛"}.get(degree, f"{degree}√") + _bracket(_argument(tokens))
        if token == "{":
            inner = _parse(tokens, "}")
            return "√" + (f"({inner})" if re.match(r"\d[\d.]*[^\W\d]", inner) else _bracket(inner))
    return "√"


def _matrix(tokens: Iterator[str]) -> str:
    """Return a matrix in brackets: [1, 2; 3, 4]."""
    inner = ""
    for token in tokens:
        if token == r"\end":
            _argument(tokens)
            break
        if token in {"&", r"\\"}:
            inner += ", " if token == "&" else "; "
        elif token == r"\begin":
            inner += _matrix(tokens) if _argument(tokens) == "pmatrix" else _cases(tokens)
        else:
            inner += _parse(_take_group(token, tokens), None)
    inner = re.sub(r" *([,;]) *", r"\1 ", inner).strip()
    return f"[{inner}]"


def _cases(tokens: Iterator[str]) -> str:
    """Return two cases in brackets: (a if condition, else b)."""
    inner, first = "", True
    for token in tokens:
        if token == r"\end":
            _argument(tokens)
            break
        if token == r"\begin":
            inner += _matrix(tokens) if _argument(tokens) == "pmatrix" else _cases(tokens)
        elif token == "&":
            inner += " if "
        elif token == r"\\":
            inner += ", else " if first else ", "
            first = False
        else:
            inner += _parse(_take_group(token, tokens), None)
    inner = re.sub(r"\s*if\s+otherwise\s*", "", re.sub(r"\s+", " ", inner))
    return f"({inner.strip()})".replace(" ,", ",")


def _take_group(token: str, tokens: Iterator[str]) -> Iterator[str]:
    """Yield a token and the groups that belong to it."""
    yield token
    needs = {r"\frac": 2, r"\hat": 1, r"\text": 1, r"\operatorname": 1, r"\mathrm": 1, r"\sqrt": 1,
             r"\mathsf": 1, "^": 1, "_": 1}.get(token, int(token == "{") and -1)  # fmt: skip
    depth = int(needs == -1)
    while needs > 0 or depth:
        inner = next(tokens, None)
        if inner is None:
            return
        yield inner
        depth += (inner == "{") - (inner == "}")
        if depth == 0 and not inner.isspace():
            needs -= 1


def _superscript(text: str) -> str:
    return (
        text.translate(SUPERSCRIPTS)
        if re.fullmatch(r"−?\d+|\(\d+\)|[T+]", text.strip())
        else f"^{_bracket(text)}"
    )


def _subscript(text: str) -> str:
    if re.fullmatch(r"[\d,]+|[njti](,[njti])*", text):
        return text.translate(SUBSCRIPTS)
    return text if text.startswith("[") else f"_{_bracket(text)}"


def _is_one_word(text: str) -> bool:
    inner = text.strip()
    while (shorter := re.sub(r"\([^()]*\)", "", inner)) != inner:  # what is in brackets is closed
        inner = shorter
    return re.fullmatch(r"∂|[√∂]?[\w.,ŷ]+", inner) is not None


def _bracket(text: str) -> str:
    """Return the text in brackets, unless it is one word."""
    return text.strip() if _is_one_word(text) else f"({text.strip()})"
