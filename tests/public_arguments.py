"""The arguments of public functions: their defaults, and the least numbers that they take.

`python tests/public_arguments.py` writes public_arguments.txt. A test holds the file, so that a
default or a bound that changes is seen in a review.
"""

from __future__ import annotations

import os
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from test_bad_arguments import ENTRIES, PUBLIC, is_of_numpy, kind_of, outcome, parameters_of

FILE = Path(__file__).absolute().with_suffix(".txt")
DRAWS = ("plot.", "report")


def default_text(default: Any) -> str:
    """Return a default; a function or a dtype by its name."""
    return getattr(default, "__name__", "") or repr(default)


def signature_lines() -> Iterator[str]:
    """Yield a line for each public function with arguments that may be left out."""
    for path, function in sorted(PUBLIC.items()):
        found = [p for p in parameters_of(function) if p.default is not p.empty]
        if found and not path.startswith("Value."):
            shown = ", ".join(f"{p.name}={default_text(p.default)}" for p in found)
            yield textwrap.fill(f"{path}({shown})", 100, subsequent_indent="    ")


def bound_lines() -> Iterator[str]:
    """Yield a line for each number that can't be -1, with what the refusal says of it."""
    for path, name in ENTRIES:
        parameter = next(p for p in parameters_of(PUBLIC[path]) if p.name == name)
        if is_of_numpy(path, PUBLIC[path]) or path.startswith(DRAWS):
            continue
        if kind_of(parameter)[0] in {"int", "float"} and (error := outcome(path, name, "-1")):
            yield f"{path}: {str(error).partition(', got')[0].rpartition(': ')[2]}"


def text() -> str:
    """Return the text of the file."""
    return "\n".join([*signature_lines(), "", *bound_lines()]) + "\n"


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())  # some calls write files
    FILE.write_text(text(), encoding="utf-8")
