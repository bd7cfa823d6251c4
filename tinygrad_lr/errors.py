"""The exceptions and warnings of this package.

TinygradError
├── ArgumentError (ValueError)      an argument has a value outside its range
│   ├── LabelError (IndexError)     a class label is out of range
│   └── ShapeError                  shapes don't match
├── DtypeError (TypeError)          data must be real numbers and isn't
├── NotDifferentiableError (TypeError)   a function has no derivative here
├── GraphError (RuntimeError)       the graph doesn't hold what was asked for
├── TraceError (TypeError)          a function can't be compiled as written
├── BatchError (TypeError)          a function can't be vectorised as written
├── GradientCheckError (AssertionError)  a derivative disagrees with finite differences
├── DivergenceError (ArithmeticError)    an optimization diverged
├── DataFileError (ValueError)      a file can't be read, or can't be written
└── MissingExtraError (ImportError) an optional package isn't installed

TrainingWarning (UserWarning)       training is going wrong: divergence, dead units, and so on
CompileWarning (UserWarning)        a compiled function is slower than it could be
BatchWarning (UserWarning)          an operation under vmap runs for one entry after the other

A bad argument is reported as "where: argument must be X, got Y", followed by "; cure" if that isn't
obvious. `support/validation.py` has the common checks.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = [
    "ArgumentError",
    "BatchError",
    "BatchWarning",
    "CompileWarning",
    "DataFileError",
    "DivergenceError",
    "DtypeError",
    "GradientCheckError",
    "GraphError",
    "LabelError",
    "MissingExtraError",
    "NotDifferentiableError",
    "ShapeError",
    "TinygradError",
    "TraceError",
    "TrainingWarning",
]


def __dir__() -> list[str]:
    return __all__


class TinygradError(Exception):
    """The base class of every exception that this package raises on purpose."""

    module: Any = None
    """The module of a network in which the error was raised, if there is one."""

    sentence: str = ""
    """The message of that module, without its name in the model."""


class ArgumentError(TinygradError, ValueError):
    """An argument has a value that the function doesn't accept."""


class ShapeError(ArgumentError):
    """Shapes don't match."""


class LabelError(ArgumentError, IndexError):
    """A class label is out of range."""


class DtypeError(TinygradError, TypeError):
    """Data has a dtype that the function doesn't accept; most accept real numbers only."""


class NotDifferentiableError(TinygradError, TypeError):
    """A function has no derivative here, or none is declared."""


class GraphError(TinygradError, RuntimeError):
    """A computation graph doesn't hold what was asked for."""


class TraceError(TinygradError, TypeError):
    """A function can't be compiled: it depends on numbers that aren't known while tracing."""


class BatchError(TinygradError, TypeError):
    """A function can't be vectorised by `vmap` as it is written."""


class GradientCheckError(TinygradError, AssertionError):
    """A derivative disagrees with central differences."""


class DivergenceError(TinygradError, ArithmeticError):
    """An optimization diverged: its numbers are no longer finite."""


class DataFileError(TinygradError, ValueError):
    """A file can't be read as the format that it should have, or can't be written."""


class MissingExtraError(TinygradError, ImportError):
    """An optional package isn't installed."""


class TrainingWarning(UserWarning):
    """Training is going wrong: the loss diverges, gradients vanish, units are dead."""


class CompileWarning(UserWarning):
    """A compiled function is slower than it could be."""


class BatchWarning(UserWarning):
    """An operation under `vmap` runs for one entry after the other."""


def import_extra(module: str, extra: str) -> Any:
    """Import an optional package, or raise `MissingExtraError` with the exact pip line."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{package} is not installed; run: pip install 'tinygrad_lr[{extra}]'"
        ) from error
