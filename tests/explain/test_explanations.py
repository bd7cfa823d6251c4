"""Explanations of small programs, in every form, are those that were read and written down."""

from __future__ import annotations

import pytest
from explanations import FILE, PROGRAMS, written_of

WRITTEN = dict(
    part.partition("\n")[::2] for part in FILE.read_text(encoding="utf-8").split("==== ")[1:]
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_explanation_is_as_written_down_in_text_latex_and_html(name):
    title, _, text = written_of(name).removeprefix("==== ").partition("\n")
    assert text == WRITTEN[title]  # python tests/explanations.py writes the file


def test_the_file_has_the_programs_and_nothing_else():
    assert list(WRITTEN) == [name.replace("_", " ") for name in PROGRAMS]
