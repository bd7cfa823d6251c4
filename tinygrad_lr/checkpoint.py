"""Weights in and out of files, as safetensors: numbers by name and text about them, no code.

A file that is read is data: nothing in it is executed or imported, and a bad one raises
`DataFileError` with its path in one line. Among the texts of a file that is written here stands a
seal: the version of the format, and checksums of the texts and the numbers, by which a file that
was damaged is told from a whole one. Files without a seal, such as PyTorch's, load without it.

Reading needs the package safetensors, which comes with the extra `cli`; writing does not.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, Protocol, TypeVar

import numpy as np

from .core.value import Value
from .errors import ArgumentError, DataFileError, DtypeError, TinygradError, import_extra
from .errors import refuse as refuse_argument
from .support.abstract_array import Array
from .support.files import check_regular, printable, refuse, replace_file

Result = TypeVar("Result")
Shapes = dict[str, tuple[str, tuple[int, ...]]]

METADATA = "__metadata__"  # the one name that the format keeps for itself
SEAL, VERSION = "tinygrad_lr_checkpoint", 1  # the entry with the checksums, and how it is written
OPENING = f'{{"{SEAL}":'  # how its text begins: it is known again when its name is damaged
TRAINING = "training/"  # before the names of what a training keeps beside the model's own
LONGEST_HEADER = 100_000_000  # bytes; safetensors reads no longer one
KINDS = {"f": "F", "i": "I", "u": "U"}  # NumPy's letters, and those of safetensors


class Stateful(Protocol):
    """A model, or whatever else gives its numbers by name and takes them back."""

    def state_dict(self) -> dict[str, Array]:
        """The numbers by name."""

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Take numbers by name, all of them or none."""


def save_file(
    tensors: Mapping[str, Any],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays (or Values) by name, and text by name about them, to a safetensors file.

    The file is replaced at once and whole: after any failure, a kill too, the old one stands as
    it was. The same arrays and texts give the same bytes.

    Raises `DtypeError` for what is no array of numbers, `ArgumentError` for names or metadata that
    are not text, `DataFileError` where the file cannot be written.

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
        wrong, expected, given = "metadata is not text", "a dict of str to str", f"{texts!r:.80}"
        refuse_argument(ArgumentError, "save_file", wrong, expected=expected, given=given)
    if taken := _seals(texts):
        wrong, given = "metadata has the name that the checksum has", repr(taken[0])
        refuse_argument(ArgumentError, "save_file", wrong, expected="another", given=given)
    largest_first = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))  # aligned
    try:
        header = _header({name: arrays[name] for name in largest_first}, texts)
    except UnicodeError as error:
        wrong, given = "a name or a text cannot be written", f"{error!s:.200}"
        refuse_argument(ArgumentError, "save_file", wrong, expected="Unicode", given=given)
    if len(header) > LONGEST_HEADER:
        expected, given = f"at most {LONGEST_HEADER} bytes", f"{len(header)}"
        wrong = "the names and texts are too long"
        refuse_argument(ArgumentError, "save_file", wrong, expected=expected, given=given)
    data = (arrays[name].tobytes() for name in largest_first)
    replace_file(path, (chunk for chunks in ([header], data) for chunk in chunks))


def load_file(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The arrays of a safetensors file, by name, each its own and writeable.

    Raises `DataFileError` for any other file, and for one that was damaged or that a newer
    version of the package wrote; `MissingExtraError` without safetensors.
    """
    return load_all(path)[0]


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The text that was saved with the arrays; the arrays are not read.

    Raises what `load_file` raises, other than for damage among the arrays.
    """
    return _read(path, lambda file: _metadata(os.fspath(path), file)[0])


def load_all(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """What `load_file` and `load_metadata` give, out of one reading.

    They belong together then, whoever replaces the file meanwhile. Raises what `load_file` raises.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "line.safetensors")
    >>> tg.checkpoint.save_file({"bias": np.zeros(1)}, file, {"step": "30"})
    >>> tg.checkpoint.load_all(file)
    ({'bias': array([0.])}, {'step': '30'})
    """

    def everything(file: Any) -> tuple[dict[str, Array], dict[str, str]]:
        metadata, checksum = _metadata(os.fspath(path), file)
        arrays: dict[str, Array] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if checksum is not None and checksum != _digest_of_arrays(arrays):
            _refuse_damaged(os.fspath(path), "numbers that differ from their checksum")
        return arrays, metadata

    return _read(path, everything)


def load_shapes(path: str | os.PathLike[str]) -> Shapes:
    """Each array's dtype, as safetensors spells it, and its shape; the arrays are not read.

    They were checked against the size of the file. Raises what `load_metadata` raises.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "line.safetensors")
    >>> tg.checkpoint.save_file({"bias": np.zeros(3)}, file)
    >>> tg.checkpoint.load_shapes(file)
    {'bias': ('F64', (3,))}
    """

    def shapes(file: Any) -> Shapes:
        _metadata(os.fspath(path), file)
        return _shapes(file)

    return _read(path, shapes)


def save_model(
    model: Stateful, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a model's parameters and buffers, and text by name about them, to a safetensors file.

    Raises what `save_file` raises.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "line.safetensors")
    >>> line, other = (tg.nn.Linear(2, 1, generator=seed) for seed in (0, 1))
    >>> tg.checkpoint.save_model(line, file)
    >>> tg.checkpoint.load_model(other, file)
    >>> bool((other.weight.data == line.weight.data).all())
    True
    """
    save_file(model.state_dict(), path, metadata)


def load_model(model: Stateful, path: str | os.PathLike[str]) -> None:
    """Give a model of the same architecture the parameters and buffers that a file has.

    What a training keeps in the file beside them, under `training/`, is left aside.

    Raises what `load_file` raises, and `DataFileError` that names every entry which is missing,
    unknown, or of another shape or dtype; the model is then as it was.
    """
    found = load_file(path)
    state = {name: array for name, array in found.items() if not name.startswith(TRAINING)}
    try:
        model.load_state_dict(state)
    except TinygradError as error:
        raise DataFileError(f"{printable(os.fspath(path))}: {error}") from error


def _header(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """What stands before the numbers: its length, and where each array lies, as JSON."""
    shapes = {name: (_dtype(array.dtype), array.shape) for name, array in arrays.items()}
    numbers = _digest_of_arrays(arrays)
    words = _digest_of_texts(metadata, shapes, numbers)
    seal = _json({SEAL: VERSION, "header": words, "numbers": numbers})
    told: dict[str, Any] = {METADATA: dict(sorted({**metadata, SEAL: seal}.items()))}
    end = 0
    for name, (dtype, shape) in shapes.items():
        begin, end = end, end + arrays[name].nbytes
        told[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = _json(told).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text


def _metadata(path: str, file: Any) -> tuple[dict[str, str], str | None]:
    """The texts of an opened file, checked against its seal, and the checksum of its arrays."""
    texts = dict(file.metadata() or {})
    seals = _seals(texts)
    if not seals:
        return texts, None
    if seals != [SEAL]:
        _refuse_damaged(path, f"its checksum under the name {seals[0]!r:.80}")
    try:
        seal = json.loads(texts.pop(SEAL))
        version = seal[SEAL]
    except (ValueError, RecursionError, KeyError, TypeError):
        _refuse_damaged(path, "a checksum that cannot be read")
    if version is True or version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        wrong = "written by a newer version of tinygrad_lr" if newer else "of an unknown version"
        cure = "install a newer one" if newer else "save it again"
        refuse(path, wrong, f"format {VERSION}", printable(f"format {version!r:.40}"), cure)
    numbers = str(seal.get("numbers"))
    words = _digest_of_texts(texts, _shapes(file), numbers)
    if seal != {SEAL: VERSION, "header": words, "numbers": numbers}:
        _refuse_damaged(path, "names, shapes or texts that differ from their checksum")
    return texts, numbers


def _seals(texts: Mapping[str, str]) -> list[str]:
    """The names of the entries that are a seal, by their name or by their text."""
    return [name for name, text in texts.items() if name == SEAL or text.startswith(OPENING)]


def _digest_of_arrays(arrays: Mapping[str, Array]) -> str:
    """A checksum of the numbers of all the arrays, in the order of their names."""
    return _digest(arrays[name].reshape(-1) for name in sorted(arrays))


def _digest_of_texts(metadata: Mapping[str, str], shapes: Shapes, numbers: str) -> str:
    """A checksum of all the rest: the texts, the names, shapes and dtypes, and that checksum."""
    rest = [VERSION, sorted(metadata.items()), sorted(shapes.items()), numbers]
    return _digest([_json(rest).encode()])


def _digest(chunks: Iterable[Any]) -> str:
    """A checksum of bytes: SHA-256, which processors have, in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _json(told: object) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _shapes(file: Any) -> Shapes:
    """The dtype and the shape of each array of an opened file."""
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    return {name: (str(x.get_dtype()), tuple(x.get_shape())) for name, x in slices.items()}


def _read(path: str | os.PathLike[str], read: Callable[[Any], Result]) -> Result:
    """What a reader makes of the opened file, whose header safetensors has checked."""
    name = os.fspath(path)
    library = import_extra("safetensors", "cli")
    expected, cure = "a whole safetensors file", "save it again"
    try:
        check_regular(name)
        with library.safe_open(name, framework="numpy") as file:
            return read(file)
    except DataFileError:
        raise
    except OSError as error:
        reason = error.strerror or printable(str(error))
        refuse(name, "cannot be read", expected, reason, "check the path and its permissions")
    except _error_of_safetensors() as error:
        refuse(name, "not a safetensors file", expected, printable(f"{error!s:.200}"), cure)
    except (TypeError, ValueError, AttributeError, KeyError) as error:  # a dtype without NumPy's
        wrong, given = "an array that NumPy cannot hold", printable(f"{error!s:.200}")
        refuse(name, wrong, "float or integer arrays", given, cure)


def _refuse_damaged(path: str, given: str) -> NoReturn:
    refuse(path, "damaged", "the file that was saved", printable(given), "save it again")


def _array(name: object, tensor: Any) -> Array:
    """The tensor as an array that its bytes can be taken from: in C order, little-endian."""
    if not isinstance(name, str) or name == METADATA:
        expected = f"text other than {METADATA!r}"
        wrong, given = "a name is no name", repr(name)
        refuse_argument(ArgumentError, "save_file", wrong, expected=expected, given=given)
    array = np.asarray(tensor.numpy() if isinstance(tensor, Value) else tensor, order="C")
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        expected, given = "floats, integers or booleans of at most 64 bits", f"dtype {array.dtype}"
        wrong = f"{name!r:.80} is no array that safetensors can hold"
        refuse_argument(DtypeError, "save_file", wrong, expected=expected, given=given)
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _dtype(dtype: np.dtype[Any]) -> str:
    """A dtype as safetensors spells it: F64, U8, BOOL."""
    return "BOOL" if dtype.kind == "b" else f"{KINDS[dtype.kind]}{8 * dtype.itemsize}"


def _error_of_safetensors() -> type[Exception]:
    kind: type[Exception] = import_extra("safetensors", "cli").SafetensorError
    return kind
