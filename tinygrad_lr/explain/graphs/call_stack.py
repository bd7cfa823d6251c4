"""Who calls: the user's variables and the modules that run, read off the stack of calls."""

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
from .naming import held_by, speaks

DIRECT = frozenset(os.path.join(PACKAGE, "core", name) for name in ("value.py", "primitive.py"))
"""Where a call goes through on its way to one operation; other files may compute several."""

RULES = frozenset(inspect.unwrap(f).__code__ for f in (pull_back, push_forward))

STORES = frozenset(
    {"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"}
    | {"STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST"}
)


class Caller(NamedTuple):
    """Where an operation was called.

    - `modules`: those whose forward is running, the outermost first
    - `held`: what the user's function (and below it its file) calls things, by their identity
    - `assigned`: the variable that the result is about to be assigned to, or ""
    - `rules`: how many passes of the chain rule are on the way, one within the other
    """

    modules: Sequence[Module]
    held: Mapping[int, str]
    assigned: str
    rules: int


def variables_of(frame: FrameType) -> dict[str, Any]:
    """What a function calls things, and below it its file: local names first."""
    local = frame.f_locals
    return {**local, **{name: x for name, x in frame.f_globals.items() if name not in local}}


def caller() -> Caller:
    """The user's function that runs, as seen from an operation."""
    frame: FrameType | None = sys._getframe(1)
    user: FrameType | None = None
    direct, rules, modules = True, 0, []
    while frame is not None:
        code = frame.f_code
        if code is Module.__call__.__code__:
            modules.append(frame.f_locals["self"])
        rules += code in RULES
        if user is None:
            file = code.co_filename
            if not file.startswith(PACKAGE):
                user = frame
            elif file not in DIRECT and not file.startswith(f"{PACKAGE}explain{os.sep}"):
                direct = False
        frame = frame.f_back
    if user is None:
        return Caller(modules[::-1], {}, "", rules)
    assigned = stores(user.f_code).get(user.f_lasti, "") if direct else ""
    return Caller(modules[::-1], held_by(variables_of(user)), assigned, rules)


@functools.lru_cache(maxsize=1000)
def stores(code: CodeType) -> Mapping[int, str]:
    """For the instructions whose result is assigned at once: the name it is assigned to."""
    found = {}
    steps = list(dis.get_instructions(code))
    for step, following in itertools.pairwise(steps):
        if following.opname in STORES:
            name = following.argval
            found[step.offset] = name[0] if isinstance(name, tuple) else str(name)
    return {offset: name for offset, name in found.items() if speaks(name)}
