"""Which writer makes a program run."""

from __future__ import annotations

import functools
import importlib.util
import warnings

from ...errors import ArgumentError, CompileWarning, import_extra, refuse
from ..ir.executable import Backend
from ..numpy_backend.source import NumpyExecutable

BACKENDS = ("llvm", "numpy")


def chosen_writer(backend: str | None) -> tuple[Backend, str]:
    """The writer that is asked for, or the quickest that is there, and its name."""
    if backend is None:
        backend = "llvm" if has_llvm() else "numpy"
    if backend not in BACKENDS:
        expected = "'llvm', 'numpy' or None"
        refuse(ArgumentError, "compile", "unknown backend", expected=expected, given=repr(backend))
    if backend == "numpy":
        return NumpyExecutable, backend
    import_extra("llvmlite", "jit")
    from ..llvm.executable import LlvmExecutable

    return LlvmExecutable, backend


@functools.cache
def has_llvm() -> bool:
    """Whether llvmlite is installed; where it is not, a hint appears, once."""
    if importlib.util.find_spec("llvmlite") is not None:
        return True
    warnings.warn(
        "llvmlite is not installed, so compiled functions call NumPy, which is several times "
        "slower than machine code; run: pip install 'tinygrad_lr[jit]'",
        CompileWarning,
        stacklevel=5,
    )
    return False
