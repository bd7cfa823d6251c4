"""The types of packages whose functions stand for SciPy's and NumPy's, made from signatures.

`python tests/equivalent_stubs.py` writes the stubs of `tg.ops`, of `tg.scipy.special`, `linalg` and
`stats`, and of `tinygrad_lr.numpy.polynomial`. A function gets two overloads: one for plain numbers, for which
it is SciPy's own and takes all of SciPy's options, and one for Values.
"""

# ruff: noqa: E501 - declarations of stubs are long

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats

import tinygrad_lr.scipy
from tinygrad_lr import ops
from tinygrad_lr.core.primitive import NUMPY_IMPLS, Primitive, implementation_of
from tinygrad_lr.numpy import polynomial
from tinygrad_lr.scipy.equivalents import HINTS
from tinygrad_lr.scipy.stats.distributions import distribution_of
from tinygrad_lr.support.lazy_imports import modules_of

ROOMS = ("ops", "scipy.special", "scipy.linalg", "scipy.stats")
POLYNOMIALS = {
    "polynomial": "poly",
    "chebyshev": "cheb",
    "legendre": "leg",
    "hermite": "herm",
    "hermite_e": "herme",
    "laguerre": "lag",
    "polyutils": "",
}
"""NumPy's modules of polynomials, and what the names of their functions begin with."""
NUMPY_MODULES = {"numpy", "numpy.linalg", "numpy.fft"}
"""NumPy's modules whose functions have types in `tinygrad_lr.numpy`."""
MADE = {"gauss", "format_float"}
"""Functions of polynomials that take no arrays."""
ROOMS += ("numpy.polynomial", *(f"numpy.polynomial.{module}" for module in POLYNOMIALS))
SOURCES = {  # by the first part of a room's name
    "ops": f"NumPy {'.'.join(np.__version__.split('.')[:2])}",
    "scipy": f"SciPy {'.'.join(scipy.__version__.split('.')[:2])}",
    "numpy": f"NumPy {'.'.join(np.__version__.split('.')[:2])}",
}

HEAD = '''\
"""{doc}

Written by `python tests/equivalent_stubs.py` from the signatures of {source}: do not edit.
"""

# ruff: noqa
# mypy: disable-error-code="overload-overlap,override"
# pyright: reportOverlappingOverload=false

from collections.abc import Sequence as _Sequence
from typing import Any as _Any, Literal as _Literal
from typing import overload as _overload
import numpy as _np
from numpy.typing import DTypeLike as _DTypeLike
from tinygrad_lr.core.creation import Nest as _Nest, Plain as _Plain
from tinygrad_lr.core.primitive import Primitive as _Primitive
from tinygrad_lr.core.value import Index as _Index, Value as _Value
from tinygrad_lr.support.abstract_array import Array as _Array
{more}
'''
OTHERS = "def __getattr__(name: str) -> _Any: ...  # SciPy's own\n"
POLYNOMIAL = """\
class {name}(_{name}):
    coef: _Any
    def __init__(self, coef: _Nest, domain: _Nest | None = ..., window: _Nest | None = ..., symbol: str = ...) -> None: ...
    @_overload
    def __call__(self, arg: _Value) -> _Value: ...
    @_overload
    def __call__(self, arg: _Plain | _ABCPolyBase) -> _Any: ...

"""
UFUNC = """\
class _Ufunc{inputs}{outputs}:
    @_overload
    def __call__(self, {numbers}, /) -> {number}: ...
    @_overload
    def __call__(self, {plain}, /, out: _Array | None = ..., *, where: _Plain = ..., dtype: _DTypeLike | None = ...) -> {array}: ...
    @_overload
    def __call__(self, {nest}, /) -> {value}: ...

"""
FORMS = sorted({(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (1, 4), (2, 4)})

# ---- what a signature does not tell: <R> stands for a Value or an array, <O> for what gives one

NUMBERS = {"det", "norm", "logsumexp", "comb", "factorial", "perm", "multigammaln", "zeta"}
NUMBERS |= {"mapdomain", "val", "val2d", "val3d", "valfromroots", "weight"}
NUMBERS |= {"getitem", "hardsigmoid", "hardswish", "log_sigmoid", "mish", "normal_cdf"}
NUMBERS |= {"normal_pdf", "relu6", "selu"}
NUMBERS |= {"polygamma", "sph_harm_y", "ivp", "jvp", "kvp", "yvp", "lambertw"}
"""Functions that return a number for some plain arguments, an array for others."""

RESULTS = {
    **dict.fromkeys(("div", "mapparms", "polar"), "tuple[<R>, <R>]"),
    "as_series": "list[<R>]",
    "cho_factor": "tuple[<R>, bool]",
    "lstsq": "tuple[<R>, _Any, _Any, <R>]",
    "lu_factor": "tuple[<R>, _Array]",
}
CHOICES = {
    "eigh": ("eigvals_only", {"False": "tuple[<R>, <R>]", "True": "<R>"}),
    "eigh_tridiagonal": ("eigvals_only", {"False": "tuple[<R>, <R>]", "True": "<R>"}),
    "eig": ("right", {"True": "tuple[<R>, <R>]", "False": "<R>"}),
    "expm_frechet": ("compute_expm", {"True": "tuple[<R>, <R>]", "False": "<R>"}),
    "fit": ("full", {"False": "<R>", "True": "tuple[<R>, list[_Any]]"}),
    "logsumexp": ("return_sign", {"False": "<R>", "True": "tuple[<R>, <R>]"}),
    "lu": ("permute_l", {"False": "tuple[<R>, <R>, <R>]", "True": "tuple[<R>, <R>]"}),
    "qr": (
        "mode",
        {
            "'full'": "tuple[<R>, <R>]",
            "'economic'": "tuple[<R>, <R>]",
            "'r'": "tuple[<R>]",
        },
    ),
    "svd": ("compute_uv", {"True": "tuple[<R>, <R>, <R>]", "False": "<R>"}),
}
"""Options that decide about what a function returns, the first choice by default."""

CHANGING = {"disp", "exact", "homogeneous_eigvals", "left", "p_indices", "pivoting", "return_rank"}
"""Options of SciPy's that change what it returns."""

TYPES = {
    "c_and_lower": "tuple[<O>, bool]",
    "lu_and_piv": "tuple[<O>, _Plain]",
    "l_and_u": "tuple[int, int]",
    "c_or_cr": "<O> | tuple[<O>, <O>]",
    ("convolution_matrix", "n"): "int",
    ("multigammaln", "d"): "int",
    ("polygamma", "n"): "_Plain",
    ("sph_harm_y", "n"): "_Plain",
    ("sph_harm_y", "m"): "_Plain",
    ("lambertw", "k"): "_Plain",
    **{(name, "n"): "int" for name in ("ivp", "jvp", "kvp", "yvp")},
    **dict.fromkeys(
        ("dilation", "kernel_size", "output_size", "window_shape"), "int | tuple[int, ...]"
    ),
    **dict.fromkeys(("index", "indices"), "_Index"),
    "padding": "int | str | tuple[int | tuple[int, int], ...]",
    "stride": "int | tuple[int, ...] | None",
    "alist": "_Sequence[<O>]",
    "deg": "int",
    ("fit", "deg"): "int | _Sequence[int]",
    **{(name, "deg"): "_Sequence[int]" for name in ("vander2d", "vander3d")},
    **{("int", name): "<O>" for name in ("k", "lbnd")},
    "maxpower": "int | None",
    "pow": "int",
    "rcond": "float | None",
    "scl": "<O>",
    "tol": "float",
    "ord": "float | str | None",
    "axis": "int | tuple[int, ...] | None",
    "assume_a": "str | None",
    "method": "str | None",
    "trans": "int | str",
    "subset_by_index": "tuple[int, int] | None",
    "left": "_Literal[False]",
}
"""Types of parameters, by their name or by that of the function too."""

OPTIONS = {
    "assume_a": "str | None",
    "blocksize": "int",
    "out": "_Array | None",
    "lwork": "int | None",
    "workers": "int | None",
    **dict.fromkeys(("driver", "lapack_driver", "method"), "str | None"),
    **dict.fromkeys(("select_range", "subset_by_value"), "tuple[float, float] | None"),
}
"""Types of options of SciPy's that a default doesn't tell."""


def type_of(name: str, parameter: inspect.Parameter) -> str:
    """Return the type of a parameter of a function, with <O> for operands."""
    for key in ((name, parameter.name), parameter.name):
        if key in TYPES:
            return TYPES[key]
    kinds = {bool: "bool", int: "int", str: "str"}
    if parameter.default is parameter.empty or isinstance(parameter.default, float):
        return "<O>"
    return kinds.get(type(parameter.default), "<O> | None")


def write_parameters(
    name: str,
    parameters: list[inspect.Parameter],
    options: list[str],
    choice: dict[str, str],
    required: bool = False,
) -> str:
    """Return the parameters of an overload, one of them with the type of a choice."""
    written, starred = [], False
    for p in parameters:
        if p.kind is p.VAR_POSITIONAL:
            written.append(f"*{p.name}: {type_of(name, p)}")
            starred = True
            continue
        needed = p.default is p.empty or (required and p.name in choice)
        if not starred and (p.kind is p.KEYWORD_ONLY or (needed and p.name in choice)):
            written.append("*")
            starred = True
        kind = choice.get(p.name, type_of(name, p))
        written.append(f"{p.name}: {kind}" + ("" if needed else " = ..."))
    if options and not starred:
        written.append("*")
    return ", ".join([*written, *options])


def overloads(
    name: str, known_as: str, ours: Callable[..., Any], theirs: Callable[..., Any]
) -> Iterator[str]:
    """Yield the declarations of a function that SciPy has too; the tables have what it's known as."""
    parameters = [p for p in inspect.signature(ours).parameters.values() if not is_hint(p)]
    known = {p.name for p in parameters}
    extra = [p for p in inspect.signature(theirs).parameters.values() if p.name not in known]
    extra = [p for p in extra if p.default is not p.empty]
    hints = [f"{p.name}: {option_type(p)} = ..." for p in extra if is_hint(p)]
    harmless = [f"{p.name}: {option_type(p)} = ..." for p in extra if p.name not in CHANGING]
    changing = [p.name for p in [*parameters, *extra] if p.name in CHANGING]
    option, results = CHOICES.get(known_as, ("", {"": RESULTS.get(known_as, "<R>")}))
    for operand, array, options in (
        ("_Plain", "_Any" if known_as in NUMBERS else "_Array", harmless),
        ("_Nest", "_Value", hints),
    ):
        for i, (choice, result) in enumerate(results.items()):
            choices = {option: f"_Literal[{choice}]"}
            text = write_parameters(known_as, parameters, options, choices, required=i > 0)
            yield declaration(name, text, result, operand, array)
        for given in changing if operand == "_Plain" else ():
            more = [] if given in known else [f"{given}: bool"]
            choices = {given: "bool"}
            text = write_parameters(known_as, parameters, [*more, *options], choices, required=True)
            yield declaration(name, text, "_Any", operand, array)


def is_hint(parameter: inspect.Parameter) -> bool:
    """Return True for an option that doesn't change what a result is."""
    return parameter.name in HINTS or parameter.name.startswith("overwrite_")


def declaration(name: str, parameters: str, result: str, operand: str, array: str) -> str:
    text = f"@_overload\ndef {name}({parameters}) -> {result}: ..."
    return text.replace("<O>", operand).replace("<R>", array)


def option_type(parameter: inspect.Parameter) -> str:
    """Return the type of an option of SciPy's that we don't have."""
    kinds = {bool: "bool", int: "int", float: "float", str: "str"}
    return OPTIONS.get(parameter.name) or kinds.get(type(parameter.default), "_Any")


def ufunc_class(inputs: int, outputs: int) -> str:
    names = [f"x{i + 1}" for i in range(inputs)]

    def operands(kind: str) -> str:
        return ", ".join(f"{name}: {kind}" for name in names)

    def results(kind: str) -> str:
        return kind if outputs == 1 else f"tuple[{', '.join([kind] * outputs)}]"

    return UFUNC.format(
        inputs=inputs,
        outputs="" if outputs == 1 else f"To{outputs}",
        numbers=operands("complex | _np.generic"),
        plain=operands("_Plain"),
        nest=operands("_Nest"),
        number=results("_Any"),
        array=results("_Array"),
        value=results("_Value"),
    )


def write_stub(room: str) -> str:
    """Return the text of one stub."""
    home, _, name = room.partition(".")
    more, parts = "", []
    if room == "scipy.stats":
        modules = ("distributions", "multivariate", "summaries")
        more = "".join(f"from .{module} import *\n" for module in modules)
        parts = [f"{x}: Distribution\n" for x in scipy.stats.__all__ if distribution_of(x)]
    elif room == "ops":
        more, parts = operation_parts()
    elif home == "scipy":
        parts = scipy_parts(name)
    elif room == "numpy.polynomial":
        more = "".join(f"from . import {module} as {module}\n" for module in POLYNOMIALS)
        more += "from numpy.polynomial import set_default_printstyle as set_default_printstyle\n"
        kinds = [x for x in dir(polynomial) if isinstance(getattr(polynomial, x), type)]
        parts = [f"from .{module_of(x)} import {x} as {x}\n" for x in kinds]
    else:
        more, parts = polynomial_parts(name.rpartition(".")[2])
    parts = [OTHERS, *parts] if home == "scipy" else parts
    head = HEAD.format(doc=f"The types of `tinygrad_lr.{room}`.", source=SOURCES[home], more=more)
    return head + "".join(parts)


def scipy_parts(room: str) -> list[str]:
    """Return the declarations of a room of SciPy's functions."""
    ours = getattr(tinygrad_lr.scipy, room)
    theirs = importlib.import_module(f"scipy.{room}")
    parts = [ufunc_class(*form) for form in FORMS] if room == "special" else []
    own = set(ours.__dir__())
    for name in sorted({x for x in theirs.__all__ if is_covered(theirs, x)} | own):
        original = getattr(theirs, name, None)
        if isinstance(original, np.ufunc):
            outputs = "" if original.nout == 1 else f"To{original.nout}"
            parts.append(f"{name}: _Ufunc{original.nin}{outputs}\n")
        elif original is None:  # an operation behind the functions
            parts.append(f"{name}: _Primitive\n")
        else:
            parts += [f"{text}\n" for text in overloads(name, name, getattr(ours, name), original)]
    return parts


def operation_parts() -> tuple[str, list[str]]:
    """Return the imports and the declarations of the operations.

    Those composed of others have the types of the functions of `tinygrad_lr.numpy` for which they
    stand.
    """
    more = "".join(
        f"from . import {module} as {module}\n"
        for module in sorted({x.split(".")[2] for x in modules_of("tinygrad_lr.ops")})
    )
    parts = []
    operations = {name: getattr(ops, name) for name in dir(ops)}  # which loads them all
    instead = {id(ours): theirs for theirs, ours in reversed(NUMPY_IMPLS.items())}
    for name, operation in operations.items():
        theirs = instead.get(id(operation))
        if isinstance(operation, Primitive):
            parts.append(f"{name}: _Primitive\n")
        elif theirs is not None and theirs.__module__ in NUMPY_MODULES:
            module = f"tinygrad_lr.{theirs.__module__}"
            more += f"from {module} import {theirs.__name__} as {name}\n"
        else:
            parts += [f"{text}\n" for text in overloads(name, name, operation, operation)]
    return more, parts


def is_covered(module: Any, name: str) -> bool:
    """Return True for a ufunc of SciPy that takes Values."""
    function = getattr(module, name)
    return isinstance(function, np.ufunc) and implementation_of(function) is not None


def module_of(kind: str) -> str:
    return str(getattr(np.polynomial, kind).__module__).rpartition(".")[2]


def polynomial_parts(module: str) -> tuple[str, list[str]]:
    """Return the imports and the declarations of one of NumPy's modules of polynomials."""
    ours, prefix = getattr(polynomial, module), POLYNOMIALS[module]
    source = f"numpy.polynomial.{module}"
    more, parts = "from numpy.polynomial._polybase import ABCPolyBase as _ABCPolyBase\n", []
    for name in sorted(ours.__all__):
        item, short = getattr(ours, name), name.removeprefix(prefix)
        if isinstance(item, type):
            more += f"from {source} import {name} as _{name}\n"
            parts.append(POLYNOMIAL.format(name=name))
        elif isinstance(item, np.ndarray) or {"npts", "func"} & signature_of(item) or short in MADE:
            more += f"from {source} import {name} as {name}\n"
        else:
            parts += [f"{text}\n" for text in overloads(name, short, item, item)]
    return more, parts


def signature_of(function: Callable[..., Any]) -> set[str]:
    return {*inspect.signature(function).parameters}


def path_of(room: str) -> Path:
    module = importlib.import_module(f"tinygrad_lr.{room}")
    package = Path(tinygrad_lr.__path__[0]).joinpath(*room.split("."))
    return package / "__init__.pyi" if hasattr(module, "__path__") else package.with_suffix(".pyi")


def main() -> None:
    for room in ROOMS:
        path_of(room).write_text(write_stub(room), encoding="utf-8")


if __name__ == "__main__":
    main()
