"""Random programs in a world that changes: compiled code gives eager code's numbers, or refuses."""

from __future__ import annotations

import machine
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operands import examples, quick
from programs import has_llvmlite

pytestmark = pytest.mark.skipif(not has_llvmlite(), reason="programs run on both backends")
many = settings(quick, suppress_health_check=list(HealthCheck), deadline=None)


@examples(25, 400, parent=many)
@given(seed=st.integers(0, 2**32))
def test_compiled_programs_do_what_eager_programs_do(seed):
    machine.check(seed)


@pytest.mark.slow
@examples(15, 600, parent=many)
@given(seed=st.integers(0, 2**32))
def test_many_compiled_programs_do_what_eager_programs_do(seed):
    machine.check(seed)


def test_the_machine_makes_programs_of_every_kind():
    programs = [machine.Program(seed) for seed in range(900)]
    assert {p.mode for p in programs} == set(machine.MODES)
    assert {p.dtype for p in programs} == set(machine.DTYPES)
    assert {change for p in programs for change in p.changes} == set(machine.CHANGES)
    steps = {name for p in programs for name, _, _ in p.steps}
    known = {*machine.READS, *machine.DRAWS, *machine.ANY_DTYPE, *machine.ARGUMENTS}
    assert len(steps) > 0.9 * len(known)


def test_the_machine_finds_a_number_that_is_wrong():
    program = next(p for p in map(machine.Program, range(100)) if p.mode == "plain")
    one, other = (machine.outcome(program, lambda f: f)[0] for _ in range(2))
    assert all(map(machine.is_alike, one[0], other[0]))
    assert not machine.is_alike(one[0][0], one[0][0].astype(complex))
