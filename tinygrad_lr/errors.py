"""What can go wrong, as a tree of exceptions, and the one phrasing of a bad argument.

TinygradError
├── ArgumentError (ValueError)      a value that a function cannot take
│   ├── LabelError (IndexError)     a class label that is no class
│   └── ShapeError                  shapes that do not fit together
├── DtypeError (TypeError)          data that is not made of real numbers
├── NotDifferentiableError (TypeError)   a function without a derivative here
├── GraphError (RuntimeError)       a graph asked for what it cannot give
├── TraceError (TypeError)          a function that cannot be compiled as it is written
├── GradientCheckError (AssertionError)  a derivative that disagrees with differences
├── DivergenceError (ArithmeticError)    a descent that left the finite numbers
├── DataFileError (ValueError)      a file that cannot be read as what it should be
└── MissingExtraError (ImportError) an optional package that is not installed

TrainingWarning (UserWarning)       a training that goes wrong, while it can still be mended
CompileWarning (UserWarning)        a compiled function that is slower than it could be
"""

from __future__ import annotations

import importlib
from typing import Any, NoReturn


class TinygradError(Exception):
    """The root: catch it to catch everything that this package raises on purpose."""

    module: Any = None
    """The module of a network in which it arose, where it did."""

    sentence: str = ""
    """What that module said, without its name in the model."""


class ArgumentError(TinygradError, ValueError):
    """An argument has a value that the function cannot take."""


class ShapeError(ArgumentError):
    """Shapes do not fit together."""


class LabelError(ArgumentError, IndexError):
    """A label of a class that does not exist."""


class DtypeError(TinygradError, TypeError):
    """Data is not made of real numbers."""


class NotDifferentiableError(TinygradError, TypeError):
    """A function has no derivative here, or none is declared."""


class GraphError(TinygradError, RuntimeError):
    """A computation graph was asked for something that it cannot give."""


class TraceError(TinygradError, TypeError):
    """A function does what cannot be compiled: it looks at numbers that are only known later."""


class GradientCheckError(TinygradError, AssertionError):
    """A derivative disagrees with central differences."""


class DivergenceError(TinygradError, ArithmeticError):
    """A descent left the finite numbers."""


class DataFileError(TinygradError, ValueError):
    """A file cannot be read as what it should be."""


class MissingExtraError(TinygradError, ImportError):
    """An optional package is not installed."""


class TrainingWarning(UserWarning):
    """A training goes wrong: the loss diverges, gradients vanish, units are dead."""


class CompileWarning(UserWarning):
    """A compiled function is slower than it could be."""


def bad_argument(where: str, wrong: str, *, expected: str, given: object, cure: str = "") -> str:
    """The one phrasing: where, what was wrong, what was expected, what was given, what to do.

    >>> bad_argument("SGD", "learning_rate is not positive", expected="a number > 0", given=-1)
    'SGD: learning_rate is not positive; expected a number > 0, given -1'
    """
    sentence = f"{where}: {wrong}; expected {expected}, given {given}"
    return f"{sentence}; {cure}" if cure else sentence


def refuse(kind: type[Exception], where: str, wrong: str, **told: Any) -> NoReturn:
    """Raise what was wrong, phrased by `bad_argument`."""
    raise kind(bad_argument(where, wrong, **told))


def import_extra(module: str, extra: str) -> Any:
    """Import an optional package, or raise `MissingExtraError` with the exact pip line."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{package} is not installed; run: pip install 'tinygrad_lr[{extra}]'"
        ) from error
