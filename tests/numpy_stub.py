"""The types of `tinygrad_lr.numpy`: `python tests/numpy_stub.py` writes its stubs.

A function that has a derivative gets overloads for Values, made from its signature, before NumPy's
own, which are copied from the stubs of the installed NumPy; all others are NumPy's.
"""

# ruff: noqa: E501 - declarations of stubs are long

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_lr.numpy as namespace
from tinygrad_lr.core.primitive import NUMPY_IMPLS

STUBS = Path(np.__file__).parent
FOLDER = Path(namespace.__file__ or "").parent
VERSION = ".".join(np.__version__.split(".")[:2])
MODULES = {"__init__": np, "linalg": np.linalg, "fft": np.fft}

HEAD = '''\
"""{doc}

Written by `python tests/numpy_stub.py` from the stubs of NumPy {version}: do not edit.
"""

# ruff: noqa
# mypy: disable-error-code="overload-overlap,overload-cannot-match,override,misc,type-arg,explicit-any"
# pyright: reportOverlappingOverload=false, reportMissingTypeArgument=false

{imports}

_Axis: _TypeAlias = "int | tuple[int, ...] | None"
_Operand: _TypeAlias = "_Value | _ArrayLike"
_Plain: _TypeAlias = (
    "complex | _np.generic | _np.ndarray[_Any, _np.dtype[_Any]] | _Sequence[_Plain]"
)
_Nest: _TypeAlias = "_Value | _Sequence[_Nest]"
_Mixed: _TypeAlias = "_Value | _Plain | _Sequence[_Mixed]"
_Array: _TypeAlias = "_np.ndarray[_Any, _np.dtype[_Any]]"
'''
IMPORTS = """\
from builtins import bool as _bool
from collections.abc import Callable as _Callable, Sequence as _Sequence
from typing import Any as _Any, Literal as _Literal, NamedTuple as _NamedTuple
from typing import TypeAlias as _TypeAlias
from typing import overload as _overload
import numpy as _np
from numpy.typing import ArrayLike as _ArrayLike, DTypeLike as _DTypeLike
from tinygrad_lr.core.value import Value as _Value"""

UFUNCS = """
class _Unary(_np.ufunc):
    @_overload
    def __call__(self, x: _Value, /, out: _Value | None = None, *, where: _Operand = ...) -> _Value: ...
    @_overload
    def __call__(self, x: complex | _np.generic, /, out: None = None, *, where: _ArrayLike = ..., dtype: _DTypeLike | None = None) -> _Any: ...
    @_overload
    def __call__(self, x: _ArrayLike, /, out: _Array | tuple[_Array] | None = None, *, where: _ArrayLike = ..., dtype: _DTypeLike | None = None, casting: str = ..., order: str = ..., subok: _bool = ...) -> _Array: ...

class _Binary(_np.ufunc):
    @_overload
    def __call__(self, x: _Value, y: _Operand, /, out: _Value | None = None, *, where: _Operand = ..., axis: int = ...) -> _Value: ...
    @_overload
    def __call__(self, x: _Operand, y: _Value, /, out: _Value | None = None, *, where: _Operand = ..., axis: int = ...) -> _Value: ...
    @_overload
    def __call__(self, x: complex | _np.generic, y: complex | _np.generic, /, out: None = None, *, where: _ArrayLike = ..., dtype: _DTypeLike | None = None) -> _Any: ...
    @_overload
    def __call__(self, x: _Array, y: complex | _np.generic, /, out: _Array | tuple[_Array] | None = None, *, where: _ArrayLike = ..., dtype: _DTypeLike | None = None, casting: str = ..., order: str = ..., subok: _bool = ..., axis: int = ...) -> _Array: ...
    @_overload
    def __call__(self, x: complex | _np.generic, y: _Array, /, out: _Array | tuple[_Array] | None = None, *, where: _ArrayLike = ..., dtype: _DTypeLike | None = None, casting: str = ..., order: str = ..., subok: _bool = ..., axis: int = ...) -> _Array: ...
    @_overload
    def __call__(self, x: _ArrayLike, y: _ArrayLike, /, out: _Array | tuple[_Array] | None = None, *, where: _ArrayLike = ..., dtype: _DTypeLike | None = None, casting: str = ..., order: str = ..., subok: _bool = ..., axis: int = ...) -> _Any: ...
    @_overload
    def reduce(self, array: _Value, /, axis: _Axis = 0, dtype: None = None, out: _Value | None = None, keepdims: _bool = False, initial: _Operand = ..., where: _ArrayLike = ...) -> _Value: ...
    @_overload
    def reduce(self, array: _ArrayLike, /, axis: _Axis = 0, dtype: _DTypeLike | None = None, out: _Array | None = None, keepdims: _bool = False, initial: _Any = ..., where: _ArrayLike = ...) -> _Any: ...
    @_overload
    def accumulate(self, array: _Value, /, axis: int = 0, dtype: None = None, out: _Value | None = None) -> _Value: ...
    @_overload
    def accumulate(self, array: _ArrayLike, /, axis: int = 0, dtype: _DTypeLike | None = None, out: _Array | None = None) -> _Array: ...
    @_overload
    def outer(self, A: _Value, B: _Operand, /) -> _Value: ...
    @_overload
    def outer(self, A: _Operand, B: _Value, /) -> _Value: ...
    @_overload
    def outer(self, A: _ArrayLike, B: _ArrayLike, /, **options: _Any) -> _Any: ...
    @_overload
    def reduceat(self, array: _Value, /, indices: _ArrayLike, axis: int = 0, dtype: None = None, out: _Value | None = None) -> _Value: ...
    @_overload
    def reduceat(self, array: _ArrayLike, /, indices: _ArrayLike, axis: int = 0, dtype: _DTypeLike | None = None, out: _Array | None = None) -> _Array: ...

class _Modf(_np.ufunc):
    @_overload
    def __call__(self, x: _Value, /) -> tuple[_Value, _Value]: ...
    @_overload
    def __call__(self, x: _ArrayLike, /, **options: _Any) -> tuple[_Any, _Any]: ...

class _Frexp(_np.ufunc):
    @_overload
    def __call__(self, x: _Value, /) -> tuple[_Value, _Any]: ...
    @_overload
    def __call__(self, x: _ArrayLike, /, **options: _Any) -> tuple[_Any, _Any]: ...

class _Divmod(_np.ufunc):
    @_overload
    def __call__(self, x: _Value, y: _Operand, /) -> tuple[_Value, _Value]: ...
    @_overload
    def __call__(self, x: _Operand, y: _Value, /) -> tuple[_Value, _Value]: ...
    @_overload
    def __call__(self, x: _ArrayLike, y: _ArrayLike, /, **options: _Any) -> tuple[_Any, _Any]: ...
"""
DECOMPOSITIONS = """
class _Eigen(_NamedTuple):
    eigenvalues: _Value
    eigenvectors: _Value

class _QR(_NamedTuple):
    Q: _Value
    R: _Value

class _Slogdet(_NamedTuple):
    sign: _Value
    logabsdet: _Value

class _SVD(_NamedTuple):
    U: _Value
    S: _Value
    Vh: _Value
"""
OWN = """
from tinygrad_lr.core.creation import array as array, empty as empty, empty_like as empty_like
from tinygrad_lr.core.creation import full as full, full_like as full_like, ones as ones
from tinygrad_lr.core.creation import ones_like as ones_like, zeros as zeros
from tinygrad_lr.core.creation import zeros_like as zeros_like
from tinygrad_lr.core.creation import FloatDtype as _FloatDtype, Integers as _Integers
from tinygrad_lr.core.creation import IntegerDtype as _IntegerDtype, Nest as _Numbers
from tinygrad_lr.numpy import fft as fft, linalg as linalg, polynomial as polynomial
from numpy import __array_api_version__ as __array_api_version__
from numpy import __array_namespace_info__ as __array_namespace_info__

_AnArray = _TypeVar("_AnArray", bound=_Array)

@_overload
def asarray(a: _Value, dtype: _FloatDtype | None = None, order: str | None = None, *, device: str | None = None, copy: _bool | None = None) -> _Value: ...
@_overload
def asarray(a: _AnArray, dtype: None = None, order: str | None = None, *, device: str | None = None, copy: _bool | None = None) -> _AnArray: ...
@_overload
def asarray(a: _Array, dtype: _DTypeLike | None = None, order: str | None = None, *, device: str | None = None, copy: _bool | None = None) -> _Array: ...
@_overload
def asarray(a: _Integers, dtype: None = None, order: str | None = None, *, device: str | None = None, copy: _bool | None = None) -> _Array: ...
@_overload
def asarray(a: _Numbers, dtype: _IntegerDtype, order: str | None = None, *, device: str | None = None, copy: _bool | None = None) -> _Value | _Array: ...
@_overload
def asarray(a: _Numbers, dtype: _FloatDtype | None = None, order: str | None = None, *, device: str | None = None, copy: _bool | None = None) -> _Value: ...
@_overload
def asarray(a: _Any, dtype: _DTypeLike | None = None, order: str | None = None, *, device: str | None = None, copy: _bool | None = None) -> _Any: ...
asanyarray = asarray
@_overload
def from_dlpack(x: _Value, /, *, device: str | None = None, copy: None = None) -> _Value: ...
@_overload
def from_dlpack(x: _Any, /, *, device: str | None = None, copy: _bool | None = None) -> _Any: ...
@_overload
def sort(a: _Value, axis: int | None = -1, kind: str | None = None, order: None = None, *, stable: _bool | None = None, descending: _bool | None = None) -> _Value: ...
@_overload
def sort(a: _AnArray, axis: int = -1, kind: str | None = None, order: str | _Sequence[str] | None = None, *, stable: _bool | None = None, descending: _bool | None = None) -> _AnArray: ...
@_overload
def sort(a: _Any, axis: int | None = -1, kind: str | None = None, order: str | _Sequence[str] | None = None, *, stable: _bool | None = None, descending: _bool | None = None) -> _Any: ...
def argsort(a: _Operand, axis: int | None = -1, kind: str | None = None, order: str | _Sequence[str] | None = None, *, stable: _bool | None = None, descending: _bool | None = None) -> _np.ndarray[_Any, _np.dtype[_np.intp]]: ...
@_overload
def ascontiguousarray(a: _Value, dtype: _FloatDtype | None = None) -> _Value: ...
@_overload
def ascontiguousarray(a: _Array, dtype: _DTypeLike | None = None) -> _Array: ...
@_overload
def ascontiguousarray(a: _Any, dtype: _DTypeLike | None = None) -> _Any: ...
asfortranarray = ascontiguousarray
@_overload
def copy(a: _Integers, order: str | None = "K", subok: _bool = False) -> _Array: ...
@_overload
def copy(a: _Numbers, order: str | None = "K", subok: _bool = False) -> _Value: ...
@_overload
def arange(start: int, /, stop: int | None = None, step: int = 1, dtype: None = None) -> _np.ndarray[tuple[int], _np.dtype[_np.int_]]: ...
@_overload
def arange(start: float, /, stop: float | None = None, step: float = 1, *, dtype: _IntegerDtype) -> _Array: ...
@_overload
def arange(start: float, /, stop: float | None = None, step: float = 1, dtype: _FloatDtype | None = None) -> _Value: ...
@_overload
def arange(*args: _Any, **options: _Any) -> _Any: ...
def bartlett(M: float) -> _Value: ...
def blackman(M: float) -> _Value: ...
def hamming(M: float) -> _Value: ...
def hanning(M: float) -> _Value: ...
@_overload
def kaiser(M: float, beta: _Operand) -> _Value: ...
@_overload
def kaiser(M: float, beta: float) -> _Value: ...
@_overload
def eye(N: int, M: int | None = None, k: int = 0, *, order: str = "C") -> _Value: ...
@_overload
def eye(N: int, M: int | None = None, k: int = 0, *, dtype: _IntegerDtype, order: str = "C") -> _Array: ...
@_overload
def eye(N: int, M: int | None = None, k: int = 0, dtype: _FloatDtype | None = None, order: str = "C") -> _Value: ...
@_overload
def identity(n: int, dtype: _IntegerDtype) -> _Array: ...
@_overload
def identity(n: int, dtype: _FloatDtype | None = None) -> _Value: ...
@_overload
def tri(N: int, M: int | None = None, k: int = 0, *, dtype: _IntegerDtype) -> _Array: ...
@_overload
def tri(N: int, M: int | None = None, k: int = 0, dtype: _FloatDtype | None = None) -> _Value: ...
@_overload
def linspace(start: _Operand, stop: _Operand, num: int = 50, endpoint: _bool = True, retstep: _Literal[False] = False, dtype: _FloatDtype | None = None, axis: int = 0) -> _Value: ...
@_overload
def linspace(start: _Operand, stop: _Operand, num: int = 50, endpoint: _bool = True, *, retstep: _Literal[True], dtype: _FloatDtype | None = None, axis: int = 0) -> tuple[_Value, _Any]: ...
@_overload
def linspace(start: _Operand, stop: _Operand, num: int = 50, endpoint: _bool = True, retstep: _bool = False, dtype: _DTypeLike | None = None, axis: int = 0) -> _Any: ...
def geomspace(start: _Operand, stop: _Operand, num: int = 50, endpoint: _bool = True, dtype: _FloatDtype | None = None, axis: int = 0) -> _Value: ...
def logspace(start: _Operand, stop: _Operand, num: int = 50, endpoint: _bool = True, base: _Operand = 10.0, dtype: _FloatDtype | None = None, axis: int = 0) -> _Value: ...
def frombuffer(*args: _Any, **options: _Any) -> _Value | _Any: ...
def fromfile(*args: _Any, **options: _Any) -> _Value | _Any: ...
def fromfunction(*args: _Any, **options: _Any) -> _Any: ...
def fromiter(*args: _Any, **options: _Any) -> _Value | _Any: ...
def fromstring(*args: _Any, **options: _Any) -> _Value | _Any: ...
def genfromtxt(*args: _Any, **options: _Any) -> _Value | _Any: ...
def loadtxt(*args: _Any, **options: _Any) -> _Value | _Any: ...
"""

# ---- results and parameters that a signature does not tell

VALUES = "tuple[_Value, ...]"
RESULTS = {
    **dict.fromkeys(("array_split", "split", "hsplit", "vsplit", "dsplit"), "list[_Value]"),
    **dict.fromkeys(("broadcast_arrays", "meshgrid", "unstack"), VALUES),
    **dict.fromkeys(("copyto", "fill_diagonal", "place", "put", "put_along_axis"), "None"),
    "putmask": "None",
    **dict.fromkeys(("astype", "average", "gradient", "intersect1d"), "_Value | _Any"),
    **dict.fromkeys(("polyfit", "unique"), "_Value | _Any"),
    **dict.fromkeys(("histogram", "histogram2d", "histogramdd"), "tuple[_Any, ...]"),
    "polydiv": "tuple[_Value, _Value]",
    **dict.fromkeys(("unique_all", "unique_counts", "unique_inverse"), "_Any"),
    "lstsq": "tuple[_Value, _Any, _Any, _Value]",
    "matrix_rank": "_Any",
    "eig": "_Eigen",
    "eigh": "_Eigen",
    "qr": "_QR",
    "slogdet": "_Slogdet",
    "svd": "_SVD",
}
"""Return types of functions of Values that return something else than a Value."""

CHOICES = {
    "average": ("returned", {"False": "_Value", "True": "tuple[_Value, _Any]"}),
    "svd": ("compute_uv", {"True": RESULTS["svd"], "False": "_Value"}),
    "qr": ("mode", {"'reduced'": RESULTS["qr"], "'complete'": RESULTS["qr"], "'r'": "_Value"}),
}
"""Options that decide about what a function returns."""

SEQUENCES = {
    *("block", "column_stack", "concat", "concatenate", "dstack", "hstack", "multi_dot", "stack"),
    "vstack",
}
"""Functions of a list of arrays."""

VARIADIC = {"atleast_1d", "atleast_2d", "atleast_3d"}

NOT_OPERANDS = {
    *("N", "axes", "axis", "axis1", "axis2", "condition", "decimals", "deg", "destination"),
    *("func", "func1d", "funclist", "condlist", "ind", "indices", "indices_or_sections", "kth"),
    *("mask", "n", "new_shape", "obj", "pad_width", "q", "reps", "repeats", "shape", "shift"),
    *("source", "dtype"),
}
"""Required parameters that decide about positions."""

OPTIONAL_OPERANDS = {
    "average": ("weights",),
    "bincount": ("weights",),
    "clip": ("a_min", "a_max", "min", "max"),
    "corrcoef": ("y",),
    "cov": ("y", "fweights", "aweights"),
    "diff": ("prepend", "append"),
    "ediff1d": ("to_end", "to_begin"),
    "histogram": ("weights",),
    "interp": ("left", "right"),
    "polyfit": ("w",),
    "select": ("default",),
    "trapezoid": ("x", "dx"),
    "where": ("x", "y"),
}
"""Parameters with a default that have a derivative."""

NAMED = {
    "axis": "_Axis",
    "dtype": "_DTypeLike | None",
    "out": "_Value | None",
    "keepdims": "_bool",
    "order": "str | None",
    "funclist": "_Sequence[_Any]",
    "func": "_Callable[..., _Any]",
    "func1d": "_Callable[..., _Any]",
    "condlist": "_Sequence[_Any]",
    "obj": "_Any",  # a slice or integers
    "range": "_Sequence[_Any] | None",
    "choicelist": "_Sequence[_Operand]",
    "choices": "_Operand | _Sequence[_Operand]",
    "posinf": "_Operand | None",
    "neginf": "_Operand | None",
    "dx": "_Operand",
    "device": "str | None",
}


def type_of(parameter: inspect.Parameter) -> str:
    """Return the type of a parameter that isn't the Value of an overload."""
    if parameter.name in NAMED:
        return NAMED[parameter.name]
    kinds = {bool: "_bool", int: "int", float: "float", str: "str"}
    if parameter.default is parameter.empty:
        return "_Operand"
    return kinds.get(type(parameter.default), "_Operand | None")


def write_parameters(
    parameters: list[inspect.Parameter], chosen: dict[str, str], required: str | None = None
) -> str:
    """Return the parameters of an overload, with chosen types; `required` loses its default.

    Parameters after a required one that stand before it in the function must be keywords.
    """
    written: list[str] = []
    starred = seen_default = False
    last_positional = max(
        (i for i, p in enumerate(parameters) if p.kind is p.POSITIONAL_ONLY), default=-1
    )
    for i, p in enumerate(parameters):
        kind = chosen.get(p.name, type_of(p))
        if p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD}:
            stars = "*" if p.kind is p.VAR_POSITIONAL else "**"
            starred = starred or p.kind is p.VAR_POSITIONAL
            kind = chosen.get(p.name, "_Any")
            written.append(f"{stars}{p.name}: {kind}")
            continue
        needs_value = p.default is p.empty or p.name == required
        if not starred and (p.kind is p.KEYWORD_ONLY or (needs_value and seen_default)):
            written.append("*")
            starred = True
        seen_default = seen_default or not needs_value
        written.append(f"{p.name}: {kind}" + ("" if needs_value else " = ..."))
        if i == last_positional:
            written.append("/")
    return ", ".join(written)


def value_overloads(name: str, function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """Yield parameters and results of a function that is called with Values."""
    parameters = list(inspect.signature(function).parameters.values())
    result = RESULTS.get(name, "_Value")
    if name in VARIADIC:
        yield "x: _Value, /", "_Value"
        yield "x: _Value, y: _Operand, /, *more: _Operand", VALUES
        return
    if name in SEQUENCES:
        first, *options = parameters
        for kind in ("_Sequence[_Value]", "_Value", "tuple[_Value, *tuple[_Operand, ...]]"):
            yield write_parameters([first, *options], {first.name: kind}), result
        if name == "block":
            yield write_parameters(parameters, {first.name: "_Nest"}), result
        return
    if name == "einsum":
        yield "subscripts: str, x: _Value, /, *operands: _Operand, optimize: _Any = ...", result
        yield (
            "subscripts: str, x: _Operand, y: _Value, /, *operands: _Operand, optimize: _Any = ...",
            result,
        )
        yield (
            "subscripts: str, x: _Operand, y: _Operand, z: _Value, /, *operands: _Operand, optimize: _Any = ...",
            result,
        )
        yield (
            "x: _Value, indices: _Sequence[_Any], /, *operands: _Any, optimize: _Any = ...",
            result,
        )
        return
    for p in parameters:
        wanted = p.default is p.empty and p.name not in NOT_OPERANDS and p.kind is not p.VAR_KEYWORD
        if p.kind is p.VAR_POSITIONAL:
            wanted = name in {"broadcast_arrays", "meshgrid"}
        optional = p.name in OPTIONAL_OPERANDS.get(name, ())
        if not wanted and not optional:
            continue
        kind = "_Value"
        if p.name in {"choices", "choicelist"}:
            kind = "_Sequence[_Value]"
        if p.name == "sample":
            kind = "_Value | _Sequence[_Value]"
        if name == "where":  # where(c, x, y): both or none
            both = [q.replace(default=q.empty) for q in parameters]
            yield write_parameters(both, {p.name: kind}), result
            continue
        option, choices = CHOICES.get(name, ("", {}))
        if not choices:
            yield write_parameters(parameters, {p.name: kind}, p.name), result
        for i, (choice, chosen) in enumerate(choices.items()):
            types_of = {p.name: kind, option: f"_Literal[{choice}]"}
            yield (
                write_parameters(parameters, types_of, option if i else p.name),
                chosen,
            )


# ---- NumPy's own stubs


@functools.cache
def parse(module: str) -> tuple[ast.Module, bool]:
    """Return the syntax of a stub of NumPy, and whether it is a package's."""
    folder = STUBS.joinpath(*module.split(".")[1:])
    package = folder / "__init__.pyi"
    path = package if package.exists() else folder.with_suffix(".pyi")
    return ast.parse(path.read_text(encoding="utf-8")), package.exists()


@functools.cache
def imports_of(module: str) -> dict[str, tuple[str, str | None]]:
    """Return what a stub imports: the module and the name there, None for a module itself."""
    tree, package = parse(module)
    found: dict[str, tuple[str, str | None]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                found[item.asname or item.name.partition(".")[0]] = (item.name, None)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            base = parts[: len(parts) - node.level + package] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for item in node.names:
                found[item.asname or item.name] = (source, item.name)
    return found


def definitions(module: str, name: str) -> tuple[str, list[ast.FunctionDef]]:
    """Return the module in which a function is declared, and its overloads."""
    tree, _ = parse(module)
    found = [x for x in tree.body if isinstance(x, ast.FunctionDef) and x.name == name]
    if found:
        return module, found
    for node in tree.body:
        names = [getattr(x, "id", None) for x in getattr(node, "targets", [])]
        if name in names and isinstance(value := getattr(node, "value", None), ast.Name):
            return definitions(module, value.id)
    source, original = imports_of(module).get(name, ("", None))
    if source.startswith("numpy") and original is not None:
        return definitions(source, original)
    return module, []


class Copier(ast.NodeTransformer):
    """Give the names in a declaration of NumPy's the names under which we import them."""

    def __init__(self, module: str, imports: dict[tuple[str, str | None], str]) -> None:
        self.module, self.imports = module, imports

    def visit_Name(self, node: ast.Name) -> ast.Name:
        known = imports_of(self.module)
        source: tuple[str, str | None]
        if node.id in known:
            source = known[node.id]
        elif self.declares(node.id):
            source = (self.module, node.id)
        else:
            return ast.Name("_bool", node.ctx) if node.id == "bool" else node  # a builtin
        taken = self.imports.setdefault(source, f"_{len(self.imports)}_{(source[1] or 'module')}")
        return ast.Name(taken, node.ctx)

    def declares(self, name: str) -> bool:
        for node in parse(self.module)[0].body:
            names = [getattr(node, "name", None)]
            names += [getattr(t, "id", None) for t in getattr(node, "targets", [])]
            names.append(getattr(getattr(node, "target", None), "id", None))
            if name in names:
                return True
        return False


def numpy_overloads(
    module: str, name: str, imports: dict[tuple[str, str | None], str]
) -> Iterator[tuple[str, str]]:
    """Yield the parameters and results of NumPy's own declarations of a function."""
    home, found = definitions(module, name)
    for declared in found:
        node = Copier(home, imports).visit(ast.parse(ast.unparse(declared)).body[0])
        yield ast.unparse(node.args), ast.unparse(node.returns)
    if not found:
        yield "*args: _Any, **options: _Any", "_Any"


# ---- the files


def write_function(name: str, overloads: list[tuple[str, str]]) -> Iterator[str]:
    for parameters, result in overloads:
        if len(overloads) > 1:
            yield "@_overload"
        yield f"def {name}({parameters}) -> {result}: ..."


def write_stub(file: str) -> str:
    """Return the text of one stub."""
    module, imports = MODULES[file], {}
    lines: list[str] = []
    own = (
        {*namespace._OWN, *namespace._MAKING, *namespace._SORTING} if file == "__init__" else set()
    )
    own |= {x for x in vars(namespace) if not x.startswith("_")} if own else set()
    plain = []
    for name in sorted(x for x in dir(module) if not x.startswith("_")):
        if name in own or (file == "__init__" and name in {"fft", "linalg", "polynomial"}):
            continue
        function = getattr(module, name)
        if file != "__init__" and (isinstance(function, types.ModuleType) or name == "test"):
            continue  # NumPy's stubs leave them out
        if isinstance(function, np.ufunc) and function in NUMPY_IMPLS:
            pairs = {"modf": "_Modf", "frexp": "_Frexp", "divmod": "_Divmod"}
            kind = pairs.get(function.__name__, "_Unary" if function.nin == 1 else "_Binary")
            lines.append(f"{name}: {kind}")
        elif callable(function) and not isinstance(function, type) and function in NUMPY_IMPLS:
            ours = list(value_overloads(name, function))
            theirs = list(numpy_overloads(module.__name__, name, imports))
            if name in SEQUENCES:
                ours += mixed_sequences(name, function)
                theirs = []
            lines += write_function(name, ours + theirs)
        else:
            plain.append(name)
    head = [IMPORTS]
    if file == "__init__":
        head += ["from typing import TypeVar as _TypeVar"]
    head += [
        f"import {source} as {taken}" if name is None else f"from {source} import {name} as {taken}"
        for (source, name), taken in imports.items()
    ]
    head += [f"from {module.__name__} import {name} as {name}" for name in plain]
    doc = (inspect.getdoc(namespace) or "").splitlines()[0]
    if file != "__init__":
        doc = f"The types of `tinygrad_lr.numpy.{file}`."
    text = HEAD.format(doc=doc, version=VERSION, imports="\n".join(head))
    made = {"__init__": UFUNCS + OWN, "linalg": DECOMPOSITIONS}.get(file, "")
    parts = [text, made, "\n".join(lines), ""]
    return "\n".join(parts)


def mixed_sequences(name: str, function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """Yield the overloads of a function of a list that has no Value, or some."""
    parameters = list(inspect.signature(function).parameters.values())
    first = parameters[0].name
    for kind, result in (("_Plain", "_Array"), ("_Mixed", "_Value")):
        array = {"out": "_Array | None"} if result == "_Array" else {}
        kind = kind if name == "block" else f"_Sequence[{kind}]"
        yield write_parameters(parameters, {first: kind, **array}), result


def main() -> None:
    for file in MODULES:
        (FOLDER / f"{file}.pyi").write_text(write_stub(file), encoding="utf-8")


if __name__ == "__main__":
    main()
