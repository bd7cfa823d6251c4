"""The ways of NumPy's functions with a `Value` where no operation stands for them.

A function of NumPy is in exactly one class, which `tests/ops/test_every_name.py` holds:

- an operation or a composition of operations stands for it (`NUMPY_IMPLS` in `primitive.py`);
- it returns a plain result and has no derivative to lose: `PLAIN`;
- it is refused, with a sentence that says why and what to write instead: `REFUSED`;
- NumPy calls it without asking its arguments, so no class can stand in for it: it makes arrays of
  what it is given, which `Value.__array__` refuses, or takes no array at all: `NOT_DISPATCHED`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from .registry import Registry

Function = Callable[..., Any]
ROOT = __name__.partition(".")[0]


def numpy_functions(*names: str) -> tuple[Function, ...]:
    """Return NumPy's functions of these names, without those that this version doesn't have.

    >>> numpy_functions("add", "linalg.no_such_function")
    (<ufunc 'add'>,)
    """
    found = []
    for name in names:
        place: Any = np
        for part in name.split("."):
            place = getattr(place, part, None)
        if place is not None:
            found.append(place)
    return tuple(found)


REDUCTIONS: dict[np.ufunc, Function] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
}

UFUNC_METHODS: Registry[str, Function] = Registry()
"""Functions of the ufunc for `np.add.outer`, `.accumulate` and so on, on Values."""

PLAIN: frozenset[Function] = frozenset(
    numpy_functions(
        *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
        *("isnan", "isinf", "isfinite", "signbit", "isposinf", "isneginf", "isreal", "iscomplex"),
        *("logical_and", "logical_or", "logical_not", "logical_xor", "isclose", "allclose"),
        *("array_equal", "array_equiv", "all", "any", "count_nonzero", "isin", "in1d"),
        *("argmax", "argmin", "nanargmax", "nanargmin", "argsort", "argpartition", "lexsort"),
        *("argwhere", "flatnonzero", "nonzero", "searchsorted", "digitize"),
        *("shape", "ndim", "size", "result_type", "can_cast", "isrealobj", "iscomplexobj"),
        *("common_type", "min_scalar_type", "shares_memory", "may_share_memory", "einsum_path"),
        *("diag_indices_from", "tril_indices_from", "triu_indices_from"),
        *("array_repr", "array_str", "array2string", "save", "savetxt", "savez"),
        "savez_compressed",
    )
)
"""NumPy functions without a derivative to lose: they return plain arrays."""

REFUSED: dict[Function, str] = {
    function: sentence
    for sentence, names in {
        "a Value holds floats, and this takes integers or booleans: write "
        "value.numpy().astype(int) to leave the graph": (
            *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_invert"),
            *("bitwise_left_shift", "bitwise_right_shift", "bitwise_count", "invert"),
            *("left_shift", "right_shift", "gcd", "lcm", "packbits", "unpackbits", "ix_"),
            *("ravel_multi_index", "unravel_index"),
        ),
        "a Value holds floats, and this takes dates: write value.numpy() to leave the graph": (
            *("isnat", "is_busday", "busday_offset", "busday_count", "datetime_as_string"),
        ),
        "its result is complex and sorted by real parts: write np.sort(value) for real numbers": (
            "sort_complex",
        ),
    }.items()
    for function in numpy_functions(*names)
}
"""NumPy functions that a Value can't be given, with the end of the error's sentence."""

NOT_DISPATCHED: frozenset[str] = frozenset(
    {
        # settings, files, versions and help
        *("base_repr", "binary_repr", "fromfile", "fromregex", "fromstring", "genfromtxt"),
        *("get_include", "get_printoptions", "getbufsize", "geterr", "geterrcall", "info"),
        *("load", "loadtxt", "printoptions", "set_printoptions", "setbufsize", "seterr"),
        *("seterrcall", "show_config", "show_runtime", "test", "linalg.test", "fft.test"),
        *("format_float_positional", "format_float_scientific"),
        # new arrays, and what np.asarray is called on: tinygrad_lr.numpy has these for Values
        *("arange", "array", "asanyarray", "asarray", "asarray_chkfinite", "ascontiguousarray"),
        *("asfortranarray", "asmatrix", "bmat", "empty", "eye", "from_dlpack", "frombuffer"),
        *("fromfunction", "fromiter", "full", "identity", "ones", "require", "zeros"),
        # dtypes
        *("datetime_data", "isdtype", "issubdtype", "mintypecode", "promote_types", "typename"),
        # arrays made of integers: positions, shapes, windows
        *("bartlett", "blackman", "hamming", "hanning", "kaiser", "indices", "diag_indices"),
        *("tril_indices", "triu_indices", "mask_indices", "tri", "broadcast_shapes"),
        *("fft.fftfreq", "fft.rfftfreq"),
        # Python's view of an object
        *("isfortran", "isscalar", "iterable", "frompyfunc", "nested_iters"),
        # an old name, which warns and then calls the new one
        *("row_stack", "trapz"),
    }
)
"""Names that NumPy calls without asking the classes of the arguments, and that make no gradient."""


def way_out_of_library() -> str | None:
    """Return what to write where a function of SciPy or `np.polynomial` asks a Value for numbers.

    None if other code asks. The function is that of the frames above the caller's.
    """
    frame: FrameType | None = sys._getframe(1)
    path = None
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("numpy.polynomial."):
            return f"tinygrad_lr.{'.'.join(module.split('.')[:2])} for np.polynomial"
        if module.startswith("scipy."):
            public = ".".join(module.split(".")[:2])
            if hasattr(sys.modules.get(public), frame.f_code.co_name):
                path = f"{public}.{frame.f_code.co_name}"
        elif path or not module.startswith((f"{ROOT}.", "numpy.")):
            break
        frame = frame.f_back
    if path is None:
        return None
    module, _, name = path.rpartition(".")
    try:
        ours = importlib.import_module(f"{ROOT}.{module}")
    except ImportError:
        ours = sys.modules[module]
    if getattr(ours, name) is not getattr(sys.modules[module], name):
        return f"tg.{path} for {path}"
    of_solution = " or tg.root, for the derivative of a solution," if "optimize" in module else ""
    return f"a function of your own{of_solution} for {path}, which takes plain numbers"
