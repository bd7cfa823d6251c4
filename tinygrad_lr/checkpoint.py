"""Weights in and out of files, as safetensors: numbers by name and text about them, no code.

A file that is read is data: nothing in it is executed or imported, and a bad one raises
`DataFileError` with its path in one line. The package safetensors comes with the extra `cli`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from .errors import ArgumentError, DtypeError, bad_argument, import_extra
from .files import check_regular, printable, refuse, replace_file
from .value import Value

Array = np.ndarray[Any, np.dtype[Any]]
Result = TypeVar("Result")

METADATA = "__metadata__"  # the one name that the format keeps for itself


def save_file(
    tensors: Mapping[str, Any],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays (or Values) by name, and text by name about them, to a safetensors file.

    The file is replaced at once and whole: after any failure the old one stands as it was.

    Raises `DtypeError` for what is no array of numbers, `ArgumentError` for names or metadata that
    are not text, `DataFileError` where the file cannot be written, `MissingExtraError` without
    safetensors.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "line.safetensors")
    >>> weight = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.checkpoint.save_file({"weight": weight.T}, file, {"made by": "a lesson"})
    >>> tg.checkpoint.load_file(file)["weight"].tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    >>> tg.checkpoint.load_metadata(file)
    {'made by': 'a lesson'}
    """
    arrays = {name: _array(name, tensor) for name, tensor in tensors.items()}
    texts = dict(metadata or {})
    if not all(isinstance(text, str) for text in (*texts, *texts.values())):
        wrong, expected = "metadata is not text", "a dict of str to str"
        raise ArgumentError(
            bad_argument("save_file", wrong, expected=expected, given=f"{texts!r:.80}")
        )
    library = import_extra("safetensors.numpy", "cli")
    try:
        encoded: bytes = library.save(arrays, texts or None)
    except (UnicodeError, _error_of_safetensors()) as error:
        wrong, given = "the names cannot be written", f"{error!s:.200}"
        raise ArgumentError(
            bad_argument("save_file", wrong, expected="text in Unicode", given=given)
        ) from error
    replace_file(path, [encoded])


def load_file(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The arrays of a safetensors file, by name, each its own and writeable.

    Raises `DataFileError` for any other file, `MissingExtraError` without safetensors.
    """
    return _read(path, lambda file: {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The text that was saved with the arrays; the arrays are not read.

    Raises what `load_file` raises.
    """
    return _read(path, lambda file: dict(file.metadata() or {}))


def load_shapes(path: str | os.PathLike[str]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Each array's dtype, as safetensors spells it, and its shape; the arrays are not read.

    They were checked against the size of the file. Raises what `load_file` raises.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "line.safetensors")
    >>> tg.checkpoint.save_file({"bias": np.zeros(3)}, file)
    >>> tg.checkpoint.load_shapes(file)
    {'bias': ('F64', (3,))}
    """

    def shapes(file: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        return {name: (str(x.get_dtype()), tuple(x.get_shape())) for name, x in slices.items()}

    return _read(path, shapes)


def _read(path: str | os.PathLike[str], read: Callable[[Any], Result]) -> Result:
    """What a reader makes of the opened file, whose header safetensors has checked."""
    name = os.fspath(path)
    library = import_extra("safetensors", "cli")
    expected, cure = "a whole safetensors file", "save it again"
    try:
        check_regular(name)
        with library.safe_open(name, framework="numpy") as file:
            return read(file)
    except OSError as error:
        reason = error.strerror or printable(str(error))
        refuse(name, "cannot be read", expected, reason, "check the path and its permissions")
    except _error_of_safetensors() as error:
        refuse(name, "not a safetensors file", expected, printable(f"{error!s:.200}"), cure)
    except (TypeError, ValueError, AttributeError, KeyError) as error:  # a dtype without NumPy's
        wrong, given = "an array that NumPy cannot hold", printable(f"{error!s:.200}")
        refuse(name, wrong, "float or integer arrays", given, cure)


def _array(name: object, tensor: Any) -> Array:
    """The tensor as an array in C order: safetensors writes others wrongly, without a word."""
    if not isinstance(name, str) or name == METADATA:
        expected = f"text other than {METADATA!r}"
        raise ArgumentError(
            bad_argument("save_file", "a name is no name", expected=expected, given=repr(name))
        )
    array = np.asarray(tensor.numpy() if isinstance(tensor, Value) else tensor, order="C")
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        expected, given = "floats, integers or booleans of at most 64 bits", f"dtype {array.dtype}"
        wrong = f"{name!r:.80} is no array that safetensors can hold"
        raise DtypeError(bad_argument("save_file", wrong, expected=expected, given=given))
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _error_of_safetensors() -> type[Exception]:
    kind: type[Exception] = import_extra("safetensors", "cli").SafetensorError
    return kind
