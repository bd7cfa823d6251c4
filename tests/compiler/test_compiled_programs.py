"""Compiled programs, with their passes, buffers and kernels, are those that were written down."""

from __future__ import annotations

import pytest

pytest.importorskip("llvmlite")

from compiled_programs import WRITTEN

EXPECTED = WRITTEN.expected()


@pytest.mark.parametrize("name", WRITTEN.functions)
def test_a_program_is_compiled_as_written_down(name):
    assert WRITTEN.found(name) == EXPECTED[name]  # python tests/compiled_programs.py writes it


def test_the_file_has_the_programs_and_nothing_else():
    assert list(EXPECTED) == list(WRITTEN.functions)
