"""The file of a page: markup, style, scripts and data, with a policy that blocks the network."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import math
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from ..support.abstract_array import Array
from .schema import Payload

ENTRY = "main"  # the module that starts the page and imports the others
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:function|const|class) )", re.MULTILINE)
ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def fill_page(payload: Payload, *, title: str, lead: str, graph: str, derivation: str) -> str:
    """Fill in the page of a run.

    `title` and `lead` are escaped, the fragments of HTML are not. Inline styles are allowed, since
    the graph has its own; of scripts only the page's.
    """
    script = _script()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": policy,
        "title": html.escape(title, quote=True),
        "lead": html.escape(lead, quote=True),
        "style": _read("page.css"),
        "script": script,
        "data": as_json(payload),
        "graph": _fold("graph", "The computation graph, at the first step", graph),
        "derivation": _fold("derivation", "The first step, derived", derivation),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda hole: parts[hole[1]], _read("page.html"))


def as_json(payload: Mapping[str, Any]) -> str:
    r"""Return the data as JSON that is safe inside HTML; nan and infinities become null.

    >>> as_json({"name": "</script>", "loss": math.inf})
    '{"name":"\\u003c/script\\u003e","loss":null}'
    """
    types = to_json_types(payload)
    text = json.dumps(types, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(ESCAPES)


def to_json_types(x: Any) -> Any:
    """Return arrays as lists, NumPy's numbers as Python's, nan and infinities as None."""
    if isinstance(x, np.ndarray):
        return to_json_types(x.tolist())
    if isinstance(x, Mapping):
        return {str(name): to_json_types(entry) for name, entry in x.items()}
    if isinstance(x, (list, tuple)):
        return [to_json_types(entry) for entry in x]
    if isinstance(x, np.generic):
        return to_json_types(x.item())
    return None if isinstance(x, float) and not math.isfinite(x) else x


def round_digits(array: Any, digits: int = 6) -> Array:
    """Return the numbers rounded to significant digits."""
    numbers = np.asarray(array, np.float64)
    flat = [float(f"{x:.{digits}g}") for x in numbers.ravel().tolist()]
    return np.array(flat).reshape(numbers.shape)


def _fold(name: str, title: str, fragment: str) -> str:
    """Return a fragment of HTML or SVG, folded below a title."""
    return f'<details id="{name}"><summary>{title}</summary><div>{fragment}</div></details>'


def _hash(text: str) -> str:
    """Return the hash by which a policy allows an inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache
def _read(name: str) -> str:
    return files(__package__).joinpath("browser", name).read_text(encoding="utf-8")


@functools.cache
def _script() -> str:
    """Return the page's script, in a function of its own: the page has no global names."""
    return f'(function () {{\n"use strict";\n{join_modules(ENTRY)}\n}})();\n'


def join_modules(entry: str) -> str:
    """Join a JavaScript module and those that it imports into one text."""
    modules = (_read(f"{name}.js") for name in module_order(entry))
    return "\n".join(EXPORT.sub("", IMPORT.sub("", module)) for module in modules)


def module_order(entry: str) -> list[str]:
    """Return the names of a JavaScript module and those that it imports, imported ones first."""
    order: list[str] = []

    def visit(name: str) -> None:
        for other in IMPORT.findall(_read(f"{name}.js")):
            if other not in order:
                visit(other)
        order.append(name)

    visit(entry)
    return order
