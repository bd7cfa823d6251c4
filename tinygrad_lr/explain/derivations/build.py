"""Derive a gradient step by step, with every formula and number: `derivation`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.chain_rule import pull_back, seed
from ...core.graph import topological_order
from ...core.value import Value
from ...errors import ArgumentError, GraphError
from ...nn import Module
from ...support.files import quote
from ...support.validation import check_integer, check_number, short_repr
from ..formula.expression import Expression
from ..formula.notation import explain_derivatives, explain_notation
from ..graphs.call_stack import visible_variables
from ..graphs.layers import require_real_graph
from ..graphs.naming import Names
from ..graphs.written_out import write_out
from .local_derivatives import Given, GraphFormulas
from .model import DerivationData
from .path_counting import PathGraph, dependents_of, visible_values
from .render_markup import derivation_html, derivation_latex, html_or_text
from .render_text import derivation_text
from .steps import Step, build_steps, copy_array


@dataclass(frozen=True, eq=False, repr=False)
class Derivation(DerivationData):
    """The result of `derivation`: show it with `text()`, `latex()` or `html()`.

    - `steps`: a `Step` for each Value, from the loss down
    - `wrt`: the Values that the loss was differentiated by; `gradient`: their gradients (one array
      for one Value, a tuple for several)
    - `paths`: the number of paths from the loss to each of them
    - `path`: the Values of the one path that is followed, from the loss down, or None for all
    - `at`: the entry that is followed, or None
    - `forward`: a line for each input, weight, and result of the forward pass; `notation`: what the
      signs in the formulas mean
    - `apart`: paths of the model's parameters that no gradient reaches, unused or frozen

    All numbers are those that the loss was computed with, even if a leaf was assigned to later.
    """

    def text(self, width: int = 80) -> str:
        """Return the derivation as text for a terminal, wrapped at `width` columns."""
        return derivation_text(self, check_integer("text", "width", width, low=1))

    def latex(self) -> str:
        """Return the formulas with their numbers, as an `aligned` environment of LaTeX.

        pdfLaTeX sets it with amsmath alone. Letters of names that it lacks are written by their
        numbers in Unicode: вес is ⟨432.435.441⟩.
        """
        return derivation_latex(self)

    def html(self) -> str:
        """Return a fragment of HTML with MathML: no script, no style sheet, no outside resource.

        Raises `MissingExtraError` without the extra `explain` (latex2mathml).
        """
        return derivation_html(self)

    def __repr__(self) -> str:
        names = ", ".join(self.names.text(x) for x in self.wrt)
        loss = self.names.text(self.loss)
        return f"Derivation(of {loss} by {names}: {len(self.steps)} steps; .text() shows them)"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """Return the same for a notebook; a sentence and the text where the extra is missing."""
        return html_or_text(self.html, self.text)

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"


def derivation(
    loss: Value,
    wrt: Value | Module | Sequence[Value] | None = None,
    *,
    at: int | Sequence[int] | None = None,
    path: int | None = None,
    learning_rate: float | None = None,
    model: Module | None = None,
) -> Derivation:
    """Explain how a loss depends on a weight: the chain rule from one to the other, step by step.

    Each Value on the path is shown with the formula that computed it, the local derivative of its
    reader, the chain so far, its shape, its numbers, and a sentence on what happens there. If
    several paths lead to a Value, their shares are shown, and their sum. The formulas of
    derivatives are not stored anywhere: they come from running the gradient rules on symbols.

    - `wrt`: a Value, several Values, or a Module (its parameters that a gradient reaches);
      default: all leaves of the graph
    - `at`: the entry of the one Value `wrt` to follow, such as (row, column)
    - `path`: the number of the one path to follow, from 0; the gradient shown is that path's share
    - `learning_rate`: for the update at the end, w_new = w_old - learning rate · slope
    - `model`: the module that the loss was computed with, to name the layers

    Names are those of the Values (`Value(2.0, name="w")`), else those of the caller's variables,
    else the lesson's (L, u, ŷ), with z₁, h₁, ... for layers. A Value without a name is written out
    where it is used. Nothing is changed: no `.grad` is written.

    Raises `GraphError` if the loss is not a scalar, has no graph, or does not depend on `wrt`;
    `ArgumentError` for an entry or a path that does not exist, or a learning rate that is not a
    positive number.

    >>> w, b = Value(0.5, name="w"), Value(0.0, name="b")
    >>> x, y = np.array([1.0, 2.0]), np.array([2.0, 4.0])
    >>> u = w * x + b - y
    >>> print(tg.derivation(np.mean(u**2), wrt=w, learning_rate=0.1))
    How L depends on w
       N = 2.
       Notation: ∂z/∂x is the derivative of the formula of z alone, all else in it
       held fixed; dL/dx counts all paths from L to x.
    <BLANKLINE>
    Forward, from the data to L
       w              = 0.5
       x              = [1, 2]   (2)
       b              = 0
       y              = [2, 4]   (2)
       ŷ = w · x + b  = [0.5, 1]   (2)
       u = ŷ − y      = [−1.5, −3]   (2)
       L = (1/N) Σ u² = 5.625
    <BLANKLINE>
    Back, from L to w, by the chain rule
    <BLANKLINE>
       dL/du = 2u/N
             = [−1.5, −3]   (2)
       L changes 2u/N times as fast as that entry of u.
    <BLANKLINE>
       ∂u/∂ŷ = 1
       dL/dŷ = dL/du · ∂u/∂ŷ = 2u/N
             = [−1.5, −3]   (2)
       u rises one for one with ŷ.
    <BLANKLINE>
       ∂ŷ/∂w = x
       dL/dw = dL/dŷ · ∂ŷ/∂w = Σ dL/dŷ · x
             = −7.5
       Each entry of ŷ changes x times as fast as w. The same w enters 2 entries of
       ŷ, so its effects add up.
    <BLANKLINE>
    The update: new = old − learning rate · slope
       dL/dw is negative: L falls as w grows, so w goes up.
       w = 0.5 − 0.1 · (−7.5) = 1.25
    <BLANKLINE>
    """
    variables = visible_variables(sys._getframe(1))
    _check(loss)
    if learning_rate is not None:
        learning_rate = check_number("derivation", "learning_rate", learning_rate, positive=True)
    model = wrt if model is None and isinstance(wrt, Module) else model
    targets, single = _targets(loss, wrt), isinstance(wrt, Value)
    written = write_out(loss)
    loss, targets = written.loss, [written.now.get(x, x) for x in targets]
    names = written.make_names(model, variables)
    factors = [factor for _, factor in written.factors]
    cotangents = pull_back({loss: seed("derivation", loss)})
    apart: list[str] = []
    if isinstance(wrt, Module):
        apart = [names.path(x) for x in targets if x not in cotangents]
        targets = [x for x in targets if x in cotangents] or targets
    for target in targets:
        if target not in cotangents:
            raise GraphError(
                f"derivation: {names.text(loss)} does not depend on {_name_of(target, names)}"
            )
    entry = _entry(at, targets)
    visible = visible_values(names, loss, targets)
    on_the_way = dependents_of(names, targets)
    while True:
        names.renumber(visible)
        formulas = GraphFormulas(loss, names, visible, factors)
        graph = PathGraph(loss, names, visible, on_the_way)
        steps = build_steps(formulas, cotangents, on_the_way & visible, None, graph.before)
        if formulas.unreadable <= visible:
            break
        visible |= formulas.unreadable  # a long formula in shorter steps
    counts, followed = graph.counts(), None
    if path is not None:
        if len(targets) != 1:
            raise ArgumentError(
                f"derivation: wrt must be a single Value with path=, got {len(targets)} Values"
            )
        followed = graph.select_path(targets[0], path)
        formulas = GraphFormulas(loss, names, visible, factors)
        steps = build_steps(formulas, cotangents, on_the_way & visible, followed, graph.before)
    forward = formulas.forward_pass(_formulas(steps, ()))
    return Derivation(
        steps=tuple(steps),
        wrt=tuple(targets),
        gradients=tuple(copy_array(cotangents[target]) for target in targets),
        names=names,
        forward=forward,
        notation=(
            explain_derivatives(names.text(loss), one_path=followed is not None),
            *explain_notation(_formulas(steps, forward)),
        ),
        paths=tuple(counts[target] for target in targets),
        path=followed,
        at=entry,
        learning_rate=learning_rate,
        single=single,
        apart=tuple(apart),
    )


def _formulas(steps: Sequence[Step], forward: Sequence[Given]) -> Iterator[Expression]:
    """Yield the formulas that a derivation shows."""
    yield from (x.formula for x in forward if x.formula is not None)
    for step in steps:
        yield step.closed
        for share in step.shares:
            yield from (share.pull.formula, share.chain)
            if share.pull.local is not None:
                yield share.pull.local


def _check(loss: Any) -> None:
    """Raise `GraphError` unless `loss` is a computed Value with one entry."""
    if not isinstance(loss, Value) or loss.record is None:
        given = "a leaf" if isinstance(loss, Value) else type(loss).__name__
        raise GraphError(
            "derivation: loss must be a Value that was computed from the weights, as in "
            f"derivation(loss, wrt=w), got {given}"
        )
    if loss.size != 1:
        raise GraphError(
            f"derivation: loss must have one entry, got shape {loss.shape}; reduce it with sum() "
            "or mean()"
        )
    require_real_graph("derivation", loss)


def _name_of(target: Value, names: Names) -> str:
    """Return the name of a Value that may not be in the graph."""
    if id(target) in names.known:
        return names.text(target)
    return names.path(target) or quote(target.name or f"a Value of shape {target.shape}")


def _targets(loss: Value, wrt: Any) -> list[Value]:
    """Return the Values to differentiate by, without duplicates."""
    if wrt is None:
        leaves = [x for x in topological_order([loss]) if x.record is None]
        return sorted(leaves, key=lambda x: x._serial)
    if isinstance(wrt, Value):
        found = [wrt]
    elif isinstance(wrt, Module):
        found = wrt.parameters()
    else:
        several = isinstance(wrt, Iterable) and not isinstance(wrt, np.ndarray)
        found = list(wrt) if several else [wrt]
    if isinstance(wrt, Module) and not found:
        raise ArgumentError(
            "derivation: wrt must be a Value, Values, or a Module with parameters, got a "
            f"{type(wrt).__name__} without parameters"
        )
    if not found or not all(isinstance(x, Value) for x in found):
        raise ArgumentError(
            f"derivation: wrt must be a Value, Values, or a Module, got {short_repr(wrt)}"
        )
    return list(dict.fromkeys(found))


def _entry(at: Any, targets: Sequence[Value]) -> tuple[int, ...] | None:
    """Return the entry of the single target to follow, or None."""
    if at is None:
        return None
    shape = targets[0].shape
    index = tuple(at) if isinstance(at, (tuple, list)) else (at,)
    integers = all(isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in index)
    if len(targets) != 1:
        raise ArgumentError(
            f"derivation: wrt must be a single Value with at=, got {len(targets)} Values"
        )
    fits = integers and len(index) == len(shape)
    if not fits or not all(-n <= i < n for i, n in zip(index, shape, strict=True)):
        raise ArgumentError(
            f"derivation: at must be an entry of a Value of shape {shape}, got {short_repr(at)}"
        )
    return tuple(int(i) % n for i, n in zip(index, shape, strict=True))
