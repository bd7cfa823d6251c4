"""Convert LaTeX to MathML, which browsers show without a script."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from html import escape
from itertools import pairwise
from typing import cast

from ...errors import import_extra

PRIVATE_USE = 0xE000  # Unicode's private letters: one stands for each word while it is converted
MAX_WORDS = 6000
SIGNS: Mapping[str, tuple[str, ...]] = {
    "msup": ("^",), "msub": ("_",), "msubsup": ("_", "^"), "munder": ("_",),
    "munderover": ("_", "^"),
}  # fmt: skip
"""Signs before the second and third part of an element, where it is text on one line."""


def as_mathml(latex: str, words: Mapping[str, str] | None = None, display: str = "inline") -> str:
    r"""Return a formula as a `<math>` element.

    `words` maps the LaTeX of names to their text, whatever it is: each becomes one escaped
    identifier.

    Raises `MissingExtraError` without the extra `explain` (latex2mathml).

    >>> print(as_mathml(r"\mathrm{a<b}", {r"\mathrm{a<b}": "a<b"}))
    <math displaystyle="true" display="inline"><mrow><mi>a&lt;b</mi></mrow></math>
    """
    convert = import_extra("latex2mathml.converter", "explain").convert
    there = (word for word in (words or {}).items() if word[0] in latex)
    ordered = sorted(there, key=lambda word: -len(word[0]))[:MAX_WORDS]
    for i, (spelt, _) in enumerate(ordered):
        latex = latex.replace(spelt, chr(PRIVATE_USE + i))
    found = cast(str, convert(latex, display=display))
    found = found.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    found = found.replace("<math ", '<math displaystyle="true" ', 1)  # fractions in full size
    for i, (_, text) in enumerate(ordered):
        found = found.replace(chr(PRIVATE_USE + i), escape(text))
    return found


def mark_structure(html: str) -> str:
    """Return HTML in which each formula can be read where its tags are removed.

    Notebooks that aren't trusted keep only the text of MathML: 2u over N would be 2uN. Hidden signs
    make it 2u/N there, and are not seen anywhere else.

    >>> formula = "<mfrac><mi>u</mi><msup><mi>N</mi><mn>2</mn></msup></mfrac>"
    >>> re.sub("<[^>]+>", "", mark_structure(f"<math>{formula}</math>"))
    'u/(N^2)'
    """
    return re.sub("<math.*?</math>", lambda found: _mark_formula(found[0]), html, flags=re.DOTALL)


def _mark_formula(formula: str) -> str:
    root = ET.fromstring(formula)
    for element in list(root.iter()):
        parts = list(element)
        if element.tag == "mfrac":
            element[:] = [_enclose("", parts[0], "/"), _enclose("", parts[1], "")]
        elif element.tag in SIGNS:
            signs = zip(SIGNS[element.tag], parts[1:], strict=True)
            element[1:] = [_enclose(sign, part, "") for sign, part in signs]
        elif element.tag == "msqrt":
            element[:] = [_hide("√("), *parts, _hide(")")]
        elif element.tag in {"mtable", "mtr"}:
            for part in parts[:-1]:
                (part[-1] if element.tag == "mtable" else part).append(
                    _hide("; " if element.tag == "mtable" else ", ")
                )
        elif element.tag in {"math", "mrow", "mtd"}:
            for before, part in reversed([*pairwise(parts)]):
                if "=" in (before.text, part.text) or _is_product(before, part):
                    element.insert(parts.index(part), _hide(" "))
    return ET.tostring(root, encoding="unicode")


def _is_product(before: ET.Element, part: ET.Element) -> bool:
    """Return True for factors side by side, one of which has an index or the like: x W₁."""
    letters = {"mi", "mn", "mo", "mtext", "mspace"}
    operator = {before.tag, part.tag} & {"mo", "mtext", "mspace"}
    return not operator and not {before.tag, part.tag} <= letters and before.text not in {"d", "∂"}


def _enclose(before: str, part: ET.Element, after: str) -> ET.Element:
    """Return a part of a formula between hidden signs, in brackets if it is more than a letter."""
    several = sum(1 for x in part.iter() if x.text) > 1
    row = ET.Element("mrow")
    row[:] = [_hide(before + "(" * several), part, _hide(")" * several + after)]
    return row


def _hide(text: str) -> ET.Element:
    """Return text that isn't shown where styles are known."""
    sign = ET.Element("mtext", {"style": "display:none"})
    sign.text = text
    return sign
