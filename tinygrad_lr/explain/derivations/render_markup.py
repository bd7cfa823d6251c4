"""Render a derivation as LaTeX, and as HTML with MathML."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import numpy as np

from ...errors import MissingExtraError
from ...support.errstate import ignore_float_errors
from ...support.text_format import index_text, number_latex, number_text, shape_text
from ..formula.mathml import as_mathml, mark_structure
from .model import DerivationData
from .render_text import (
    MAX_STEPS,
    describe_direction,
    equal_parts,
    fit_numbers,
    introduction,
    join_names,
    left_side,
    notation_text,
    omission_text,
    pick_entry,
    select_indices,
    select_rows,
    select_steps,
)
from .steps import Share, Step
from .terms import Terms, terms_of

LEFT_OUT = r"&\;\,\vdots"
ROOM = 60  # characters of numbers on a line
TABULAR = "font-variant-numeric: tabular-nums; overflow-x: auto"
CELL = "text-align: right; padding: 0 1em 0 0"


@ignore_float_errors
def derivation_latex(derivation: DerivationData) -> str:
    """Return all equations as one `aligned` environment, with numbers for single values."""
    computed = [
        (line.name.latex, [line.formula.latex], line.data)
        for line in derivation.forward
        if line.formula is not None
    ]
    lines = [
        LEFT_OUT if i is None else equation(*computed[i]) for i in select_indices(len(computed))
    ]
    for step in select_steps(derivation.steps[1:]):
        if step is None:
            lines.append(LEFT_OUT)
            continue
        for share in step.shares:
            lines.extend(local_equation(share, derivation))
        parts = (
            [" + ".join(share.chain.latex for share in step.shares)]
            if len(step.shares) > 1
            else equal_parts(step, step.shares[0], derivation)
        )
        lines.append(equation(step.derivative.latex, parts, step.shown))
    lines += [
        LEFT_OUT if i is None else update_equation(derivation, i)
        for i in select_indices(len(derivation.wrt))
    ]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


@ignore_float_errors
def derivation_html(derivation: DerivationData) -> str:
    """Return a fragment: a heading, the formulas from the data to the loss, and the steps."""
    return "".join(_html(derivation))


def html_or_text(html: Callable[[], str], text: Callable[[], str]) -> str:
    """Return the HTML for a notebook; where the extra is missing, one sentence and the text."""
    try:
        return mark_structure(html())
    except MissingExtraError as error:
        return f"<p>{escape(str(error))}</p><pre>{escape(text())}</pre>"


def equation(left: str, parts: list[str], numbers: Any, sign: str = "&=") -> str:
    """Return left = part = part, followed by the number if it is a single one."""
    single = np.size(numbers) == 1 and not isinstance(numbers, str)
    one = [number_latex(float(np.asarray(numbers).reshape(-1)[0]))] if single else []
    equals = [*parts, *(x for x in one if x not in parts)]
    return f"{left} {sign} " + " = ".join(equals)


def local_equation(share: Share, derivation: DerivationData) -> Iterator[str]:
    """Yield the local derivative, if it has a formula and is not the whole gradient."""
    if share.reader is not derivation.loss and share.pull.local is not None:
        yield f"{share.local_name.latex} &= {share.pull.local.latex}"


def update_equation(derivation: DerivationData, i: int) -> str:
    """Return the update of one Value by gradient descent."""
    x = derivation.wrt[i]
    name = derivation.names.latex(x)
    at = derivation.at
    found = derivation.step(x)
    old, slope = pick_entry(found.data, at), pick_entry(derivation.gradients[i], at)
    below = index_text(at or ())
    slope_name = found.derivative.latex
    rate = derivation.learning_rate
    step = r"\text{learning rate}" if rate is None else number_latex(rate)
    parts = [rf"{name}{below} - {step} \cdot {slope_name}{below}"]
    if rate is not None and np.size(slope) == 1 and not isinstance(slope, str):
        old, slope = (float(np.asarray(z).reshape(-1)[0]) for z in (old, slope))
        factor = number_latex(slope)
        factor = rf"\left({factor}\right)" if slope < 0 else factor
        parts += [rf"{number_latex(old)} - {step} \cdot {factor}", number_latex(old - rate * slope)]
    return rf"{name}{below}^{{\text{{new}}}} &= " + " = ".join(parts)


def _html(derivation: DerivationData) -> Iterator[str]:
    names = derivation.names
    loss, of = (
        escape(names.text(derivation.loss)),
        join_names([names.text(x) for x in derivation.wrt]),
    )
    yield f'<section style="{TABULAR}"><h3>How {loss} depends on {escape(of)}</h3>'
    text = introduction(derivation)
    yield f"<p>{escape(text)}</p>" if text else ""
    if derivation.notation:
        yield f"<p>{escape(notation_text(derivation))}</p>"
    yield f"<h4>Forward, from the data to {loss}</h4>"
    for i in select_indices(len(derivation.forward)):
        if i is None:
            yield f"<p>… {omission_text(derivation.forward)} …</p>"
            continue
        line = derivation.forward[i]
        yield _line(derivation, left_side(line, "latex"), line.data)
    yield f"<h4>Back, from {loss} to {escape(of)}, by the chain rule</h4><ol>"
    for step in select_steps(derivation.steps[1:]):
        yield "<li>"
        if step is None:
            yield f"… {omission_text(derivation.steps[1:])} …"
        else:
            yield from _step(step, derivation)
        yield "</li>"
    yield "</ol><h4>The update</h4>"
    for i in select_indices(len(derivation.wrt)):
        if i is None:
            yield f"<p>… {len(derivation.wrt) - MAX_STEPS} more …</p>"
            continue
        x = derivation.wrt[i]
        slope = pick_entry(derivation.gradients[i], derivation.at)
        if np.size(slope) == 1 and not isinstance(slope, str):
            text = describe_direction(derivation, x, float(np.asarray(slope).reshape(-1)[0]))
            yield f"<p>{escape(text)}</p>"
        yield f"<p>{_math(derivation, update_equation(derivation, i).replace('&=', '='))}</p>"
    yield "</section>"


def _step(step: Step, derivation: DerivationData) -> Iterator[str]:
    several = len(step.shares) > 1
    for share in step.shares:
        for local in local_equation(share, derivation):
            yield f"<p>{_math(derivation, local.replace('&=', '='))}</p>"
        parts = " = ".join(equal_parts(step, share, derivation))
        if several:
            by = escape(derivation.names.text(share.reader))
            yield f"<p>through {by}:</p>"
            yield _line(derivation, parts, share.pull.number)
        else:
            yield _line(derivation, f"{step.derivative.latex} = {parts}", step.shown)
        if derivation.sentences[share]:
            yield f"<p>{escape(derivation.sentences[share])}</p>"
    if several:
        yield _line(derivation, rf"{step.derivative.latex} = \text{{their sum}}", step.shown)
    if derivation.at is not None and step.value is derivation.wrt[0]:
        for share in step.shares:
            found = terms_of(share, derivation.at)
            if found is not None:
                yield from _table(found)


def _line(derivation: DerivationData, latex: str, numbers: Any) -> str:
    """Return a formula and its numbers."""
    if isinstance(numbers, str):  # a gap
        return f"<p>{_math(derivation, latex)}</p>"
    shape = f" ({shape_text(np.shape(numbers))})" if np.ndim(numbers) else ""
    return f"<p>{_math(derivation, latex)} = {escape(fit_numbers(numbers, ROOM) + shape)}</p>"


def _table(found: Terms) -> Iterator[str]:
    heads = "".join(
        f'<th style="{CELL}">{escape(x)}</th>' for x in (found.thing, *found.factors, "product")
    )
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for i in select_rows(found):
        if i is None:
            yield f'<tr><td style="{CELL}">…</td></tr>'
            continue
        numbers = [*(column[i] for column in found.columns), found.terms[i]]
        cells = "".join(
            f'<td style="{CELL}">{escape(x)}</td>'
            for x in (str(i), *(number_text(float(number)) for number in numbers))
        )
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table>"


def _math(derivation: DerivationData, latex: str) -> str:
    return as_mathml(latex, derivation.words)
