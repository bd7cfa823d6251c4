"""Choose the backend that compiles programs."""

from __future__ import annotations

import functools
import importlib.util
import warnings
from collections.abc import Sequence

from ...errors import CompileWarning, import_extra
from ...support.validation import check_choice
from ..ir.executable import Backend, Executable, Updates
from ..ir.instruction import Instruction
from ..ir.program import Program
from ..ir.stages import Stages
from ..numpy_backend.source import NumpyExecutable

BACKENDS = ("llvm", "numpy")


def choose_backend(backend: str | None) -> tuple[Backend, str]:
    """Return the backend of that name, or the fastest that is installed, and its name."""
    if backend is None:
        backend = "llvm" if has_llvm() else "numpy"
    check_choice("compile", "backend", backend, BACKENDS)
    if backend == "numpy":
        return NumpyExecutable, backend
    import_extra("llvmlite", "jit")
    return compile_native, backend


def compile_native(
    program: Program, inputs: Sequence[Instruction], updates: Updates, stages: Stages
) -> Executable:
    """Compile a program to machine code; one that LLVM can't compile calls NumPy instead."""
    with stages.measure("load llvmlite"):
        from ..llvm.engine import InvalidModule
        from ..llvm.executable import LlvmExecutable

    try:
        return LlvmExecutable(program, inputs, updates, stages)
    except InvalidModule:
        return NumpyExecutable(program, inputs, updates, stages)


@functools.cache
def has_llvm() -> bool:
    """Return True if llvmlite is installed. If not, warn once."""
    if importlib.util.find_spec("llvmlite") is not None:
        return True
    warnings.warn(
        "llvmlite is not installed, so compiled functions call NumPy, which is several times "
        "slower than machine code; run: pip install 'tinygrad_lr[jit]'",
        CompileWarning,
        stacklevel=5,
    )
    return False
