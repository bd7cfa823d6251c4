"""Convert LaTeX to MathML, which browsers show without a script."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import cast

from ...errors import import_extra

PRIVATE_USE = 0xE000  # Unicode's private letters: one stands for each word while it is converted
MAX_WORDS = 6000


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
