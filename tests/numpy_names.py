"""All of NumPy's functions by class, and the page docs/operations.md, which lists them.

`python tests/numpy_names.py` writes the page.
"""

from __future__ import annotations

import inspect
import re
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from operands import OPERATIONS, Case

from tinygrad_lr.core.numpy_dispatch import NOT_DISPATCHED, PLAIN, REFUSED
from tinygrad_lr.core.primitive import FLAT, METHOD_IMPLS, NUMPY_IMPLS, PRIMITIVES, Primitive
from tinygrad_lr.explain.formula.expression import Name
from tinygrad_lr.explain.formula.symbol import Symbol

PAGE = Path(__file__).parent.parent / "docs" / "operations.md"
NAMESPACES = {"": np, "linalg.": np.linalg, "fft.": np.fft}

DIFFERENTIABLE, ZERO, NONE, WITHOUT = (
    "derivative",
    "derivative 0",
    "plain result",
    "takes no Value",
)
NOT = "refused"


def is_dispatched(function: Any) -> bool:
    """Return True if NumPy asks the arguments of a function for an implementation."""
    return isinstance(function, (np.ufunc, type(np.sum)))


def numpy_names() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield NumPy's public functions with their names in `np`; classes are none."""
    for prefix, namespace in NAMESPACES.items():
        for name in sorted(dir(namespace)):
            if name.startswith("_"):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function = getattr(namespace, name)
            if callable(function) and not isinstance(function, (type, types.ModuleType)):
                yield prefix + name, function


def classes_of(name: str, function: Callable[..., Any]) -> list[str]:
    """Return the classes that the registry and the tables put a function in: there must be one."""
    implementation = NUMPY_IMPLS.get(function)
    found = {
        DIFFERENTIABLE: implementation is not None and implementation not in FLAT,
        ZERO: implementation in FLAT,
        NONE: function in PLAIN,
        NOT: function in REFUSED,
        WITHOUT: name in NOT_DISPATCHED and not is_dispatched(function),
    }
    return [kind for kind, holds in found.items() if holds]


# ---- the page


def rule_of(operation: Primitive) -> str:
    """Return the rules of an operation as formulas, written by the rules themselves.

    Return "" for a long formula, and for one that shows an index, a size or an option of the
    example that it is written from.
    """
    case = Case(operation, operation.examples[0])
    out = case.forward(*case.inputs)
    names = operation.operands * len(case.arrays) if operation.variadic else operation.operands
    operands = [Symbol(Name(n), x) for n, x in zip(names, case.arrays, strict=True)]
    options = {**operation.defaults, **case.options}
    rules = []
    for name, rule in zip(operation.operands, operation.rules, strict=True):
        if rule is None:
            continue
        try:
            found = rule(
                Symbol(Name("g"), np.ones(np.shape(out))),
                Symbol(Name("out"), out),
                *operands,
                **options,
            )
            found = found(0) if operation.variadic else found
            text = found.expression.text
        except Exception:  # rules that loop or branch have no formula
            return ""
        rules.append(f"d{name} = {text}")
    text = "; ".join(rules)
    of_example = {*operation.shown_options, "size", "spans"} & case.options.keys()
    shown = of_example and r"\star" not in (operation.latex or "")
    return "" if len(text) > 120 or shown or re.search(r"\[\d", text) else text


def describe(implementation: Callable[..., Any]) -> str:
    """Return the first sentence of the docstring."""
    return " ".join((inspect.getdoc(implementation) or "").split("\n\n")[0].split())


def cell(text: str) -> str:
    """Return text that stands in a cell of a table."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def row(name: str, function: Callable[..., Any]) -> str:
    """Return the line of a function in the page."""
    kind = (classes_of(name, function) or ["not sorted yet"])[0]
    implementation = NUMPY_IMPLS.get(function)
    what, rule = "", ""
    behind = PRIMITIVES.get({"amax": "max", "amin": "min"}.get(name, name))
    if behind is not None and behind.__doc__ == getattr(implementation, "__doc__", None):
        implementation = behind  # NumPy's options around an operation
    if isinstance(implementation, Primitive):
        what, rule = describe(implementation), rule_of(implementation)
    elif implementation is not None:
        what, rule = describe(implementation), "composed"
    elif function in REFUSED:
        what = REFUSED[function]
    return f"| `np.{name}` | {kind} | {cell(what)} | {cell(rule)} |"


HEAD = """# What NumPy's functions do with a Value

Written by `python tests/numpy_names.py`; a test holds it. `g` is dL/d(out), and `dx` what a rule
returns, dL/dx. *Composed* functions are made of other operations, whose rules do the rest.

- **derivative**: an operation with rules, or composed of them
- **derivative 0**: constant between its jumps, such as rounding
- **plain result**: integers, booleans and the like, as plain arrays: nothing to differentiate
- **refused**: an error that says why and what to write instead
- **takes no Value**: settings, files, and arrays made of plain numbers; NumPy calls these without
  asking what they are given, and a Value among it raises an error

Of `np.polynomial`, all functions and classes have derivatives in `tinygrad_lr.numpy.polynomial`.
NumPy's own raise an error that says so, or take Values where they need no arrays of their own:
`polyval` of plain coefficients.
"""

NAMES_HEAD = """
| function | class | meaning | rule |
| --- | --- | --- | --- |
"""

OWN_HEAD = """
## Operations that NumPy doesn't have

They are in `tg.ops`.

| operation | meaning | rule |
| --- | --- | --- |
"""


def own_rows() -> list[str]:
    """Return the lines of the operations that stand for no function of NumPy."""
    known = {id(implementation) for implementation in NUMPY_IMPLS.values()}
    rows = []
    for name, implementation in sorted(METHOD_IMPLS.items()):
        module = getattr(implementation, "__module__", "")
        if id(implementation) in known or not module.startswith("tinygrad_lr.ops"):
            continue
        primitive = isinstance(implementation, Primitive)
        if primitive and implementation not in OPERATIONS:
            continue
        rule = rule_of(implementation) if primitive else "composed"
        rows.append(f"| `{name}` | {cell(describe(implementation))} | {cell(rule)} |")
    return rows


def page() -> str:
    """Return the text of docs/operations.md."""
    names = "\n".join(row(*entry) for entry in numpy_names())
    return HEAD + NAMES_HEAD + names + "\n" + OWN_HEAD + "\n".join(own_rows()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
