"""Texts that were read, and written down in a file, so that a change of one shows in a review."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path


class Written:
    """A file of texts; each is made by a function, has its name, and begins with ====.

    Calling it enters a function that returns texts.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.functions: dict[str, Callable[[], Iterable[str]]] = {}

    def __call__(self, function: Callable[[], Iterable[str]]) -> Callable[[], Iterable[str]]:
        self.functions[function.__name__.replace("_", " ")] = function
        return function

    def found(self, name: str) -> str:
        """Return the text that a function makes now."""
        text = "\n\n".join(x.strip("\n") for x in self.functions[name]())
        return "".join(f"{line.rstrip()}\n" for line in ["", *text.splitlines(), ""])

    def expected(self) -> dict[str, str]:
        """Return the texts of the file by their names."""
        parts = self.file.read_text(encoding="utf-8").split("==== ")[1:]
        return {name: text for name, _, text in (part.partition("\n") for part in parts)}

    def write(self) -> None:
        """Write the file anew."""
        text = "".join(f"==== {name}\n{self.found(name)}" for name in self.functions)
        self.file.write_text(text, encoding="utf-8")
