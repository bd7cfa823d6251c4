"""The file: markup, style, scripts and data in one, under a policy that forbids the network."""

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

SCRIPTS = [
    "numbers",
    "mathematics",
    "network",
    "chart",
    "state",
    "data_panel",
    "classes_panel",
    "hill_panel",
    "surface_panel",
    "rates_panel",
    "chain_nodes",
    "chain_panel",
    "network_panel",
    "depth_panel",
    "run_panel",
    "frame",
]
"""The scripts, in the order in which they are put together: later ones use earlier ones."""

ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def fill_page(payload: Payload, *, title: str, lead: str, graph: str, derivation: str) -> str:
    """Fill in the page of a run.

    `title` and `lead` are escaped; the fragments, which are ours, go in as they are. Style is
    allowed inline, since the graph brings its own; of scripts only the page's.
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
    r"""The data as JSON that no HTML parser takes for markup; what is not finite becomes null.

    >>> as_json({"name": "</script>", "loss": math.inf})
    '{"name":"\\u003c/script\\u003e","loss":null}'
    """
    types = to_json_types(payload)
    text = json.dumps(types, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(ESCAPES)


def to_json_types(x: Any) -> Any:
    """Arrays and tuples as lists, NumPy's numbers as Python's, what is not finite as None."""
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
    """The numbers rounded to significant digits."""
    numbers = np.asarray(array, np.float64)
    flat = [float(f"{x:.{digits}g}") for x in numbers.ravel().tolist()]
    return np.array(flat).reshape(numbers.shape)


def _fold(name: str, title: str, fragment: str) -> str:
    """A fragment of HTML or SVG below a line that opens it."""
    return f'<details id="{name}"><summary>{title}</summary><div>{fragment}</div></details>'


def _hash(text: str) -> str:
    """The hash by which a policy allows an inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache
def _read(name: str) -> str:
    return files(__package__).joinpath("browser", name).read_text(encoding="utf-8")


@functools.cache
def _script() -> str:
    """All scripts as one, in a function of its own: the page has no global names."""
    body = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    return f'(function () {{\n"use strict";\n{body}\n}})();\n'
