"""Display a compiled function in a notebook."""

from __future__ import annotations

from ...support.html import Html, code, details, ends, table, title, together
from ...support.text_format import shape_text
from .specialization import Specialization

MAX_INPUT_ROWS = 12


def compiled_html(name: str, backend: str, count: int, last: Specialization | None) -> Html:
    """Return the signature of the last call, what it reads, and its source, folded.

    The time of a call isn't shown, since it would have to be measured: `explain()` does.
    """
    programs = f"{count} program{'s' * (count != 1)}"
    about = title(name, "compiled", programs, f"{backend} backend")
    if last is None:
        return together(about, "The first call compiles it for the shapes of its arguments.")
    inputs = [x for _, x in last.program.inputs()]
    names = last.program.names()
    rows: list[tuple[str, str, str]] = []
    for i in ends(len(inputs), MAX_INPUT_ROWS):
        if i is None:
            rows.append((f"… {len(inputs) - MAX_INPUT_ROWS + 1:,} more", "", ""))
            continue
        x = inputs[i]
        number = x.weak or not x.shape
        kind = "number" if x.weak else x.dtype.name
        rows.append((names[x], kind, "" if number else shape_text(x.shape)))
    signature = table(["reads", "dtype", "shape"], rows)
    source = details("its source, as Python that calls NumPy", code(last.source))
    return together(about, signature, source)
