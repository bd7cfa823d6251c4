"""Read the user's variables, and the modules that are running, from the call stack."""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple

from ...core.chain_rule import pull_back, push_forward
from ...nn import Module
from ...support.files import PACKAGE
from .naming import is_readable_name, names_by_id

ENTRY_FILES = frozenset(
    os.path.join(PACKAGE, "core", name) for name in ("value.py", "primitive.py")
)
"""The files that a call of a single operation passes through; others may call several."""

CHAIN_RULE_CODE = frozenset(inspect.unwrap(f).__code__ for f in (pull_back, push_forward))

STORE_OPCODES = frozenset(
    {"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"}
    | {"STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST"}
)


class Caller(NamedTuple):
    """The place in the user's program that called an operation.

    - `modules`: the modules whose forward is running, the outermost first
    - `names`: the names of objects by their id, from the variables of the user's function and file
    - `assigned`: the variable that the result will be assigned to, or ""
    - `rules`: the number of passes of the chain rule that are running, nested in each other
    """

    modules: Sequence[Module]
    names: Mapping[int, str]
    assigned: str
    rules: int


def visible_variables(frame: FrameType) -> dict[str, Any]:
    """Return the variables that a function can see: local ones first, then those of its file."""
    local = frame.f_locals
    return {**local, **{name: x for name, x in frame.f_globals.items() if name not in local}}


def find_caller() -> Caller:
    """Find the user's function that called the current operation."""
    frame: FrameType | None = sys._getframe(1)
    user: FrameType | None = None
    direct, rules, modules = True, 0, []
    while frame is not None:
        code = frame.f_code
        if code is Module.__call__.__code__:
            modules.append(frame.f_locals["self"])
        rules += code in CHAIN_RULE_CODE
        if user is None:
            file = code.co_filename
            if not file.startswith(PACKAGE):
                user = frame
            elif file not in ENTRY_FILES and not file.startswith(f"{PACKAGE}explain{os.sep}"):
                direct = False
        frame = frame.f_back
    if user is None:
        return Caller(modules[::-1], {}, "", rules)
    assigned = assigned_names(user.f_code).get(user.f_lasti, "") if direct else ""
    return Caller(modules[::-1], names_by_id(visible_variables(user)), assigned, rules)


@functools.lru_cache(maxsize=1000)
def assigned_names(code: CodeType) -> Mapping[int, str]:
    """Return the names that results are assigned to, by the offset of the instruction."""
    found = {}
    steps = list(dis.get_instructions(code))
    for step, following in itertools.pairwise(steps):
        if following.opname in STORE_OPCODES:
            name = following.argval
            found[step.offset] = name[0] if isinstance(name, tuple) else str(name)
    return {offset: name for offset, name in found.items() if is_readable_name(name)}
