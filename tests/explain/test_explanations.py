"""Explanations of small programs, in every form, are those that were read and written down."""

from __future__ import annotations

import pytest
from explanations import WRITTEN

EXPECTED = WRITTEN.expected()


@pytest.mark.parametrize("name", WRITTEN.functions)
def test_an_explanation_is_as_written_down_in_text_latex_and_html(name):
    assert WRITTEN.found(name) == EXPECTED[name]  # python tests/explanations.py writes the file


def test_the_file_has_the_programs_and_nothing_else():
    assert list(EXPECTED) == list(WRITTEN.functions)
