"""Save and load weights as safetensors files: arrays by name and text metadata, no code.

Files are read as data: nothing in them is executed or imported, and a bad file raises
`DataFileError` with its path, in one line. Files written here have a seal in their metadata: the
version of the format, and checksums of the texts and of the arrays, so that damage is detected.
Files without a seal, such as PyTorch's, load without that check.

Reading needs the package safetensors, which comes with the extra `cli`; writing does not.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

from .core.value import Value
from .errors import ArgumentError, DataFileError, DtypeError, TinygradError, import_extra
from .support.abstract_array import Array
from .support.files import check_regular, printable, quote, replace_file
from .support.validation import check_mapping, check_path, describe_type, require_unmasked

__all__ = ["load_file", "load_metadata", "load_model", "save_file", "save_model"]


def __dir__() -> list[str]:
    return __all__


Result = TypeVar("Result")
Shapes = dict[str, tuple[str, tuple[int, ...]]]

METADATA = "__metadata__"  # the one name that the format reserves
SEAL, VERSION = "tinygrad_lr_checkpoint", 1  # the entry with the checksums, and its format
SEAL_PREFIX = f'{{"{SEAL}":'  # how its text begins: it identifies a seal whose name is damaged
TRAINING = "training/"  # the prefix of what a training stores beside the model's own state
MAX_HEADER_BYTES = 100_000_000  # safetensors refuses a longer one
KINDS = {"f": "F", "i": "I", "u": "U"}  # NumPy's letter of a dtype, and that of safetensors


class Stateful(Protocol):
    """A model, or anything else with a state dict."""

    def state_dict(self) -> dict[str, Array]:
        """Return the arrays by name."""

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Load arrays by name, all of them or none."""


def save_file(
    tensors: Mapping[str, Any],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Save arrays (or Values) by name, with metadata, to a safetensors file.

    The file is replaced atomically: after any failure, even a kill, the old one is intact. The
    same arrays and metadata give the same bytes.

    Raises `DtypeError` if an array doesn't contain numbers, `ArgumentError` if a name or metadata
    is not text, `DataFileError` if the file can't be written.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "line.safetensors")
    >>> weight = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.checkpoint.save_file({"weight": weight.T}, file, {"made by": "a lesson"})
    >>> tg.checkpoint.load_file(file)["weight"].tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    >>> tg.checkpoint.load_metadata(file)
    {'made by': 'a lesson'}
    """
    check_mapping("save_file", "tensors", tensors, "a dict of arrays by name")
    check_path("save_file", "path", path)
    arrays = {name: _to_array(name, tensor) for name, tensor in tensors.items()}
    given = {} if metadata is None else metadata
    texts = dict(check_mapping("save_file", "metadata", given, "a dict of text by text"))
    if not all(isinstance(text, str) for text in (*texts, *texts.values())):
        raise ArgumentError(f"save_file: metadata must be a dict of str to str, got {texts!r:.80}")
    if taken := _seals(texts):
        raise ArgumentError(
            f"save_file: metadata must not have the key {taken[0]!r}, "
            "which is reserved for the checksum"
        )
    largest_first = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))  # aligned
    try:
        header = _header({name: arrays[name] for name in largest_first}, texts)
    except UnicodeError as error:
        raise ArgumentError(
            f"save_file: names and metadata must be valid Unicode, got {error!s:.200}"
        ) from error
    if len(header) > MAX_HEADER_BYTES:
        raise ArgumentError(
            f"save_file: names and metadata must take at most {MAX_HEADER_BYTES} bytes, "
            f"got {len(header)}"
        )
    data = (arrays[name].tobytes() for name in largest_first)
    replace_file(path, (chunk for chunks in ([header], data) for chunk in chunks))


def load_file(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Load the arrays of a safetensors file, by name; each owns its data and is writeable.

    Raises `DataFileError` if the file is missing, damaged, not a safetensors file, or written by a
    newer version of the package; `MissingExtraError` if safetensors isn't installed.
    """
    return load_all(path)[0]


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Load the metadata saved with the arrays, without reading the arrays.

    Raises the errors of `load_file`, except for damaged arrays.
    """
    return _read(path, lambda file: _metadata(os.fspath(path), file)[0])


def load_all(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """Load arrays and metadata in one read, so that both come from the same version of the file.

    Raises the errors of `load_file`.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "line.safetensors")
    >>> tg.checkpoint.save_file({"bias": np.zeros(1)}, file, {"step": "30"})
    >>> tg.checkpoint.load_all(file)
    ({'bias': array([0.])}, {'step': '30'})
    """

    def read_all(file: Any) -> tuple[dict[str, Array], dict[str, str]]:
        metadata, checksum = _metadata(os.fspath(path), file)
        arrays: dict[str, Array] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if checksum is not None and checksum != _digest_of_arrays(arrays):
            raise _damaged(os.fspath(path), "arrays don't match their checksum")
        return arrays, metadata

    return _read(path, read_all)


def load_shapes(path: str | os.PathLike[str]) -> Shapes:
    """Load each array's dtype, as safetensors spells it, and shape, without reading the arrays.

    Both are checked against the size of the file. Raises the errors of `load_metadata`.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "line.safetensors")
    >>> tg.checkpoint.save_file({"bias": np.zeros(3)}, file)
    >>> tg.checkpoint.load_shapes(file)
    {'bias': ('F64', (3,))}
    """

    def read_shapes(file: Any) -> Shapes:
        _metadata(os.fspath(path), file)
        return _shapes(file)

    return _read(path, read_shapes)


def save_model(
    model: Stateful, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Save a model's parameters and buffers, with metadata, to a safetensors file.

    Raises `ArgumentError` if the model has no `state_dict`, and the errors of `save_file`.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "line.safetensors")
    >>> line, other = (tg.nn.Linear(2, 1, generator=seed) for seed in (0, 1))
    >>> tg.checkpoint.save_model(line, file)
    >>> tg.checkpoint.load_model(other, file)
    >>> bool((other.weight.data == line.weight.data).all())
    True
    """
    _check_model("save_model", model)
    save_file(model.state_dict(), path, metadata)


def load_model(model: Stateful, path: str | os.PathLike[str]) -> None:
    """Load parameters and buffers from a file into a model of the same architecture.

    Training state in the file, under `training/`, is ignored.

    Raises `ArgumentError` if the model has no `load_state_dict`, the errors of `load_file`, and
    `DataFileError`, naming every entry that is missing, unknown, or of another shape or dtype; the
    model is then unchanged.
    """
    _check_model("load_model", model)
    found = load_file(path)
    state = {name: array for name, array in found.items() if not name.startswith(TRAINING)}
    try:
        model.load_state_dict(state)
    except TinygradError as error:
        raise DataFileError(f"{printable(os.fspath(path))}: {error}") from error


def _check_model(where: str, model: object) -> None:
    """Raise `ArgumentError` if the model has no state, such as a path in its place."""
    stateful = hasattr(model, "state_dict") and hasattr(model, "load_state_dict")
    if isinstance(model, type) or not stateful:
        given = describe_type(model) if stateful else type(model).__name__
        cure = "" if stateful else "; the arguments are (model, path)"
        raise ArgumentError(f"{where}: model must be a tg.nn.Module, got {given}{cure}")


def _header(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes before the arrays: their length, then names, dtypes, shapes and offsets."""
    shapes = {name: (_dtype(array.dtype), array.shape) for name, array in arrays.items()}
    numbers = _digest_of_arrays(arrays)
    texts = _digest_of_texts(metadata, shapes, numbers)
    seal = _json({SEAL: VERSION, "header": texts, "numbers": numbers})
    entries: dict[str, Any] = {METADATA: dict(sorted({**metadata, SEAL: seal}.items()))}
    end = 0
    for name, (dtype, shape) in shapes.items():
        begin, end = end, end + arrays[name].nbytes
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = _json(entries).encode()
    text += b" " * (-len(text) % 8)  # so that the arrays begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text


def _metadata(path: str, file: Any) -> tuple[dict[str, str], str | None]:
    """Return the metadata of an open file, checked against its seal, and its arrays' checksum."""
    texts = dict(file.metadata() or {})
    seals = _seals(texts)
    if not seals:
        return texts, None
    if seals != [SEAL]:
        raise _damaged(path, f"its checksum has the name {seals[0]!r:.80}")
    try:
        seal = json.loads(texts.pop(SEAL))
        version = seal[SEAL]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise _damaged(path, "its checksum can't be read") from error
    if version is True or version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        cure = "upgrade tinygrad_lr, which is older than the file" if newer else "save it again"
        given = printable(f"{version!r:.40}")
        raise _bad_file(path, f"checkpoint format must be {VERSION}, got {given}; {cure}")
    numbers = str(seal.get("numbers"))
    header = _digest_of_texts(texts, _shapes(file), numbers)
    if seal != {SEAL: VERSION, "header": header, "numbers": numbers}:
        raise _damaged(path, "names, shapes or metadata don't match their checksum")
    return texts, numbers


def _seals(texts: Mapping[str, str]) -> list[str]:
    """Return the names of the entries that are a seal, by their name or by their text."""
    return [name for name, text in texts.items() if name == SEAL or text.startswith(SEAL_PREFIX)]


def _digest_of_arrays(arrays: Mapping[str, Array]) -> str:
    """Return a checksum of all arrays, in the order of their names."""
    return _digest(arrays[name].reshape(-1) for name in sorted(arrays))


def _digest_of_texts(metadata: Mapping[str, str], shapes: Shapes, numbers: str) -> str:
    """Return a checksum of the rest: metadata, names, shapes, dtypes, and the arrays' checksum."""
    rest = [VERSION, sorted(metadata.items()), sorted(shapes.items()), numbers]
    return _digest([_json(rest).encode()])


def _digest(chunks: Iterable[Any]) -> str:
    """Return the SHA-256 of the bytes, in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _shapes(file: Any) -> Shapes:
    """Return the dtype and the shape of each array of an open file."""
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    return {name: (str(x.get_dtype()), tuple(x.get_shape())) for name, x in slices.items()}


def _read(path: str | os.PathLike[str], read: Callable[[Any], Result]) -> Result:
    """Return what `read` makes of the open file, whose header safetensors has checked."""
    name = check_path("load_file", "path", path)
    library = import_extra("safetensors", "cli")
    try:
        check_regular(name)
        with library.safe_open(name, framework="numpy") as file:
            _require_distinct_names(name)
            return read(file)
    except DataFileError:
        raise
    except OSError as error:
        reason = error.strerror or printable(str(error))
        cure = "check the path and its permissions"
        raise _bad_file(name, f"cannot be read: {reason}; {cure}") from error
    except _safetensors_error() as error:
        reason = printable(f"{error!s:.200}")
        raise _bad_file(name, f"must be a complete safetensors file: {reason}") from error
    except (TypeError, ValueError, AttributeError, KeyError) as error:  # a dtype NumPy lacks
        reason = printable(f"{error!s:.200}")
        raise _bad_file(name, f"arrays must be of a dtype that NumPy has: {reason}") from error


def _require_distinct_names(path: str) -> None:
    """Raise `DataFileError` for a name that stands twice in a header, which safetensors accepts."""
    with open(path, "rb") as file:
        header = file.read(int.from_bytes(file.read(8), "little"))

    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            twice = next(name for name in counts if counts[name] > 1)
            raise _bad_file(
                path, f"names must be distinct, got {quote(twice)} twice; save it again"
            )
        return entries

    json.loads(header, object_pairs_hook=check)


def _bad_file(path: str, problem: str) -> DataFileError:
    where = printable(path) or "''"
    return DataFileError(f"{where}: {problem}")


def _damaged(path: str, reason: str) -> DataFileError:
    return _bad_file(path, f"damaged file: {printable(reason)}; save it again")


def _to_array(name: object, tensor: Any) -> Array:
    """Return the tensor as an array whose bytes can be written: C order, little-endian."""
    if not isinstance(name, str) or name == METADATA:
        raise ArgumentError(
            f"save_file: names must be text other than {METADATA!r}, got {name!r:.80}"
        )
    require_unmasked("save_file", f"{name!r:.80}", tensor)
    array = np.asarray(tensor.numpy() if isinstance(tensor, Value) else tensor, order="C")
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise DtypeError(
            f"save_file: {name!r:.80} must have floats, integers or booleans of at most 64 bits, "
            f"got dtype {array.dtype}"
        )
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _dtype(dtype: np.dtype[Any]) -> str:
    """Return a dtype as safetensors spells it: F64, U8, BOOL."""
    return "BOOL" if dtype.kind == "b" else f"{KINDS[dtype.kind]}{8 * dtype.itemsize}"


def _safetensors_error() -> type[Exception]:
    kind: type[Exception] = import_extra("safetensors", "cli").SafetensorError
    return kind
