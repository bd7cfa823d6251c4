"""Names in any script survive LaTeX: pdfLaTeX sets them, and no two become the same symbol."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.explain.formula.plain_text import plain_text
from tinygrad_lr.explain.graphs.naming import name_latex

NAMES = [
    "вес", "重み", "θ", "naïve", "w_1^2", "a%b", "🙂", "w1", "w_1", "w₁", "w_max", "w_максимум",
    "$x$", "#1", "a&b", r"\input{x}", "{", "}}", "^^M", "~", "_", "a b", "a  b", "x'", "x''^2",
    "é", "É", "ő", "ß", "Straße", "Ærø", "łódź", "garçon", "ı", "İ", "ñ", "Å", "Ω", "ξ", "Α", "ο",
    "ά", "שלום", "وزن", "भार", "한글", "ﬁ", "x\u0301", "\u200b", "a\u202eb", "«q»", "½", "µ", "−a",
    "-a", "…", "`", '"', "<b>", "|", "[0]", "1a", "١", "L", "N", "e", "%", "alpha", "α", "y_hat",
    "ŷ", "", "-", "@", "a/b", "u"*60, "\\", "\\\\", "a\nb", "e\u0301", "\U0010ffff", "𝐱", "x_a_1",
    "θmax", "ωω", "Δx",
]  # fmt: skip

DOCUMENT = r"""\documentclass{article}
\usepackage{amsmath}
\begin{document}
%s
\end{document}
"""


def loss_of(names):
    """Return a loss of Values with these names."""
    leaves = [Value(0.5 + i, name=name) for i, name in enumerate(names)]
    total = leaves[0] * 2.0
    for leaf in leaves[1:]:
        total = total + leaf * 0.5
    return np.tanh(total / 100) ** 2, leaves


def test_two_names_never_become_the_same_symbol():
    loss, leaves = loss_of(NAMES)
    names = tg.derivation(loss).names
    spelt = [names.latex(x) for x in [*leaves, loss]]
    assert len({*spelt}) == len(spelt)
    assert len({plain_text(x) for x in spelt}) == len(spelt)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@quick
@given(texts, texts)
@example("w1", "w_1")
@example("⟨432⟩", "в")
@example("a-b", "a−b")
def test_any_two_names_are_told_apart(first, second):
    loss, leaves = loss_of([first, second])
    names = tg.derivation(loss).names
    assert len({plain_text(names.latex(x)) for x in [*leaves, loss]}) == 3
    assert len({names.latex(x) for x in [*leaves, loss]}) == 3


@quick
@given(texts)
@example("ØøŁłßÆæŒœ")
@example("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ")
def test_the_latex_of_a_name_is_ascii_and_reads_back_as_the_name(name):
    spelt = name_latex(name)
    assert spelt.isascii()
    if re.fullmatch(r"[^\W\d_]*", name):
        assert plain_text(spelt) == unicodedata.normalize("NFC", name)


def test_a_letter_that_pdflatex_lacks_is_written_by_its_number():
    assert name_latex("в") == r"\mathrm{\langle\mathtt{432}\rangle{}}"
    assert name_latex("θ") == r"\theta"
    assert name_latex("é") == r"\mathrm{\acute{e}}"


@pytest.mark.slow
def test_pdflatex_sets_a_derivation_with_names_in_any_script(tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is missing")
    few = [NAMES[i : i + 8] for i in range(0, len(NAMES), 8)]
    formulas = [rf"\[{tg.derivation(loss_of(names)[0]).latex()}\]" for names in few]
    (tmp_path / "names.tex").write_text(DOCUMENT % "\n".join(formulas))
    found = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "names.tex"],
        cwd=tmp_path, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    log = (tmp_path / "names.log").read_text("utf-8", "replace")
    assert found.returncode == 0, log[-2000:]
    assert not re.search("Missing character|invalid in math mode|undefined", log)
