"""Operations and their rules in words: what a tracer says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..primitive import TABLE, Primitive
from .numbers import MOST, array_text, shape_text, summary_text

WIDE = 48
"""Numbers longer than this are elided, and left out of the middle of an equation."""

WIDEST = 64
"""Arrays whose ends are longer than this are said in a few figures."""

FORMULAS = {
    "add": "{x} + {y}",
    "subtract": "{x} − {y}",
    "multiply": "{x} · {y}",
    "divide": "{x} / {y}",
    "power": "{x}^{y}",
    "matmul": "{x} @ {y}",
    "affine": "{x} @ {weight} + {bias}",
    "chain": "{g} · {d}",
    "negative": "−{x}",
    "square": "{x}²",
    "abs": "|{x}|",
    "positive": "{x}",
    "alias": "{x}",
}
"""How operations are written that are not written as calls."""

LINEAR: Mapping[str, Sequence[str]] = {
    "add": ("1", "1"),
    "subtract": ("1", "−1"),
    "multiply": ("{y}", "{x}"),
    "divide": ("1/{y}",),
    "negative": ("−1",),
    "positive": ("1",),
    "alias": ("1",),
    "chain": ("{d}", "{g}"),
}
"""How much the result grows where an operand grows by 1, by operand."""

LOCAL: Mapping[str, Sequence[str]] = {
    "divide": ("", "−{out}/{y}"),
    "power": ("{y} · {x}^({y} − 1)", "{out} · ln {x}"),
    "square": ("2 · {x}",),
    "exp": ("{out}",),
    "expm1": ("{out} + 1",),
    "log": ("1/{x}",),
    "log1p": ("1/(1 + {x})",),
    "sqrt": ("1/(2 · {out})",),
    "reciprocal": ("−{out}²",),
    "tanh": ("1 − {out}²",),
    "sigmoid": ("{out} · (1 − {out})",),
    "sin": ("cos {x}",),
    "cos": ("−sin {x}",),
    "tan": ("1 + {out}²",),
    "sinh": ("cosh {x}",),
    "cosh": ("sinh {x}",),
}
"""How many times as much the result grows where an operand grows a little, by operand."""

SIDES = {
    "relu": "grows as much where {x} > 0, and not at all elsewhere",
    "abs": "grows as much where {x} > 0, and falls as much where {x} < 0",
}
"""How a result that has a kink answers where its operand grows a little."""

SCALED: Mapping[str, Sequence[tuple[str, str]]] = {
    "matmul": (
        ("{g} @ {y}ᵀ", "each entry of {x} reaches {out} through a row of {y}, and the ways add up"),
        ("{x}ᵀ @ {g}", "each entry of {y} multiplies a column of {x}, and the rows add up"),
    ),
    "affine": (
        (
            "{g} @ {weight}ᵀ",
            "each entry of {x} reaches {out} through a row of {weight}, and the ways add up",
        ),
        ("{x}ᵀ @ {g}", "each entry of {weight} multiplies a column of {x}, and the rows add up"),
        ("Σ {g}", "{bias} is added to every row, so what the rows get adds up"),
    ),
    "sum": (("{g}, for each entry", "where an entry of {x} grows by 1, its sum grows by 1"),),
    "mean": (("{g} / {n}, for each entry", "each of {n} entries counts 1/{n} in their mean"),),
    "mean_square": (
        (
            "{g} · 2 · {x} / {n}",
            "a square grows 2 · {x} times as much, and each of {n} counts 1/{n}",
        ),
    ),
    **dict.fromkeys(
        ("reshape_to", "transpose_to"), (("{g}, in the shape of {x}", "the same numbers, moved"),)
    ),
    "broadcast_to": (("Σ {g}", "what the copies of {x} get adds up"),),
    "getitem_at": (("{g}, put back where it was taken", "what was not taken gets 0"),),
    "alias": (("{g}", "the same numbers under another name"),),
    "concatenate_all": (("its part of {g}", "what was joined is taken apart"),),
}
"""Rules of whole arrays: the formula, and why; {n} is how many entries count in one."""

SUFFIX = re.compile(r"_(to|all|between|by|along|at|of|columns|constant)$")


def formula(operation: Primitive, texts: Sequence[str], options: Mapping[str, Any]) -> str:
    """An operation on operands that are written so, with the options that are not the usual ones.

    >>> from tinygrad_lr.primitive import TABLE
    >>> formula(TABLE["multiply"], ["w", "−3"], {}), formula(TABLE["power"], ["u", "2"], {})
    ('w · (−3)', 'u²')
    >>> formula(TABLE["sum"], ["h₁"], {"axis": 0, "keepdims": False})
    'sum(h₁, axis=0)'
    """
    template = FORMULAS.get(operation.name)
    if template is not None:
        if operation.name == "power":
            template = {"2": "{x}²", "3": "{x}³"}.get(texts[1], template)
        return template.format(**dict(zip(operation.operands, map(enclosed, texts), strict=True)))
    if operation.name == "getitem_at":
        return f"{texts[0]}[{index_text(options['index'])}]"
    told = [
        f"{k}={option_text(k, x)}"
        for k, x in options.items()
        if not usual(x, operation.defaults.get(k))
    ]
    listed = ", ".join(shortened(texts))
    inner = f"[{listed}]" if operation.variadic and operation.name in TABLE else listed
    return f"{SUFFIX.sub('', operation.name)}({', '.join([inner, *told])})"


def index_text(index: Any) -> str:
    """An index as it is written.

    >>> index_text((slice(1, None), None, ..., slice(None, 6, 2), 0, np.array([2, 0])))
    '1:, None, …, :6:2, 0, [2, 0]'
    """
    if isinstance(index, tuple):
        return ", ".join(map(index_text, index))
    if isinstance(index, slice):
        ends = ["" if x is None else str(x) for x in (index.start, index.stop)]
        return ":".join(ends if index.step is None else [*ends, str(index.step)])
    return "…" if index is ... else "None" if index is None else array_text(index)


def option_text(name: str, given: Any) -> str:
    """An option in few characters."""
    if name == "index":
        return f"[{index_text(given)}]"
    return array_text(given) if isinstance(given, np.ndarray) else f"{given!r:.30}"


def usual(given: Any, default: Any) -> bool:
    """Whether an option is what it is when nobody says anything."""
    return given is default or (type(given) is type(default) and bool(np.all(given == default)))


def shortened(texts: Sequence[str]) -> Sequence[str]:
    """A few operands, where there are many."""
    return texts if len(texts) <= MOST else [*texts[: MOST - 1], "…", texts[-1]]


def enclosed(text: str) -> str:
    """An operand as it stands beside a sign: a negative number in brackets."""
    return f"({text})" if text.startswith("−") or "/" in text else text


def derivative(of: str, by: str) -> str:
    """d(of)/d(by).

    >>> derivative("L", "w"), derivative("dL/dw", "w")
    ('dL/dw', 'd(dL/dw)/dw')
    """
    return f"d{enclosed(of)}/d{enclosed(by)}"


def numbers_text(numbers: Any) -> str:
    """A number, or an array with its shape; in a few figures where it is long.

    >>> numbers_text(0.25), numbers_text(np.ones((2, 1)))
    ('0.25', '[[1], [1]] (2 × 1)')
    >>> numbers_text(np.arange(60.0).reshape(20, 3))
    '[[0, 1, 2], … [57, 58, 59]] (20 × 3)'
    >>> numbers_text(np.linspace(-1 / 3, 2 / 3, 200).reshape(20, 10))
    'mean 0.1667, from −0.3333 to 0.6667 (20 × 10)'
    """
    if numbers is None:  # what is left out, such as a bound of clip
        return "None"
    array = np.asarray(numbers)
    text = array_text(array)
    if array.ndim == 0 or (array.ndim == 1 and array.size <= MOST and len(text) <= WIDE):
        return text
    if len(text) > WIDE and len(array) > 2:
        text = f"[{array_text(array[0])}, … {array_text(array[-1])}]"
    if len(text) > WIDEST:
        text = summary_text(array)
    return f"{text} ({shape_text(array.shape)})"


def product(*factors: Any) -> str:
    """Numbers that are multiplied: 0.5 · (−2)."""
    return " · ".join(enclosed(numbers_text(x)) for x in factors)


def equation(name: str, formula: str, with_numbers: str, result: str) -> str:
    """name = formula = with numbers = result, where these say different things.

    >>> equation("z", "w · x", "2 · 3", "6"), equation("c", "a", "", "2")
    ('z = w · x = 2 · 3 = 6', 'c = a = 2')
    """
    sides = [name, formula]
    if with_numbers not in {"", formula, result} and len(with_numbers) <= WIDE:
        sides.append(with_numbers)
    return " = ".join([*sides, result])


def reason(
    operation: Primitive, position: int, names: Mapping[str, str], local: Any, text: str
) -> str:
    """Why an operand's derivative is what it is, in words.

    `names` has those of the operands and of the result ("out"), `local` is the local derivative
    if that is one number for each entry, and `text` is the operation written out.
    """
    operand = operation.operands[min(position, len(operation.operands) - 1)]
    x, out = names[operand], names["out"]
    of, to = (f"an entry of {x}", f"that of {out}") if np.ndim(local) else (x, out)
    linear = LINEAR.get(operation.name, ())[position:][:1]
    if linear:
        by = linear[0].format(**names)
        grows = f"falls by {by[1:]}" if by.startswith("−") else f"grows by {by}"
        return f"{text}: where {of} grows by 1, {to} {grows}"
    if operation.name in SIDES:
        return f"{text}: where {of} grows a little, {to} {SIDES[operation.name].format(**names)}"
    factor = dict(enumerate(LOCAL.get(operation.name, ()))).get(position, "").format(**names)
    if operation.name == "power" and position == 0:
        factor = power_rule(x, names["y"]) or factor
    if not factor and local is not None and not np.ndim(local):
        factor = array_text(local)
    if factor:
        return f"{text}: where {of} grows a little, {to} grows {factor} times as much"
    return text if local is None else f"{text}: each entry of {x} moves its own entry of {out}"


def power_rule(x: str, exponent: str) -> str:
    """The derivative of a power with a number above, or "".

    >>> power_rule("u", "2"), power_rule("u", "3"), power_rule("u", "−0.5"), power_rule("u", "y")
    ('2 · u', '3 · u²', '−0.5 · u^(−1.5)', '')
    """
    try:
        y = float(exponent.replace("−", "-"))
    except ValueError:
        return ""
    above = {1.0: "", 2.0: "²"}.get(y - 1, f"^{enclosed(array_text(y - 1))}")
    return f"{exponent} · {x}{above}"
