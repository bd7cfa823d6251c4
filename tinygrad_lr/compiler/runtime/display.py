"""What notebooks show of a compiled function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...support.html import Html, code, details, ends, table, title, together
from ...support.text_format import shape_text

if TYPE_CHECKING:
    from .compiled import Compiled

MOST_INPUTS = 12


def compiled_page(compiled: Compiled) -> Html:
    """The signature of the last call, what it changes, and the source, folded.

    How long a call takes is not here, since it would have to be measured: `explain()` does.
    """
    count = sum(map(len, compiled._programs.values()))
    programs = f"{count} program{'s' * (count != 1)}"
    about = title(compiled.__name__, "compiled", programs, f"{compiled.backend} writer")
    last = compiled._last
    if last is None:
        return together(about, "It is compiled for the shapes that it is first called with.")
    inputs = [x for _, x in last.program.inputs()]
    names = last.program.names()
    rows: list[tuple[str, str, str]] = []
    for i in ends(len(inputs), MOST_INPUTS):
        if i is None:
            rows.append((f"… {len(inputs) - MOST_INPUTS + 1:,} more", "", ""))
            continue
        x = inputs[i]
        number = x.weak or not x.shape
        kind = "number" if x.weak else x.dtype.name
        rows.append((names[x], kind, "" if number else shape_text(x.shape)))
    signature = table(["reads", "dtype", "shape"], rows)
    source = details("its source, as Python that calls NumPy", code(compiled.source))
    return together(about, signature, source)
