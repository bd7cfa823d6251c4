"""IDX, the format of the MNIST files: arrays after a short header, often compressed."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from ..errors import DataFileError
from ..support.abstract_array import Array
from ..support.files import check_regular, printable, quote_names
from ..support.validation import check_choice, check_integer, check_path
from .examples import Examples, read_only_examples

__all__ = ["idx_images", "read_idx"]

Path: TypeAlias = "str | os.PathLike[str]"

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_EXPANSION = 1032  # bytes that one byte of deflate can expand to
CURE = "download the file again"


def read_idx(path: Path, *, largest: int = 2**30) -> Array:
    """Read the array in an IDX file, plain or compressed by gzip, in native byte order.

    The header is checked against the size of the file before anything is allocated, and a
    compressed file is read up to the size in its header. `largest` bounds that size, in bytes
    (default: 1 GiB).

    Raises `DataFileError`, with the path, if the file is missing, damaged, not an IDX file, shorter
    or longer than its header says, or larger than `largest`.

    Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database, on the file format.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "labels-idx1-ubyte")
    >>> _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3]) + bytes([5, 0, 4]))
    >>> read_idx(file)
    array([5, 0, 4], dtype=uint8)
    """
    name = check_path("read_idx", "path", path)
    check_integer("read_idx", "largest", largest)
    try:
        check_regular(name)
        with open(name, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if file.peek(2)[:2] != b"\x1f\x8b":
                return _read(name, file, size, largest)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(name, unpacked, size * MAX_EXPANSION, largest)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise file_error(name, "be a complete gzip file", f"{error}", CURE) from error
    except OSError as error:
        reason, cure = str(error.strerror or error), "check the path and its permissions"
        raise file_error(name, "be a readable IDX file", reason, cure) from error


def idx_images(folder: Path, part: str = "train") -> Examples:
    """Read images and labels of MNIST, or of a data set in its format, from a folder.

    `part` is "train" (train-images-idx3-ubyte, train-labels-idx1-ubyte) or "test" (t10k-...);
    the names may have '.' instead of '-' before idx, and may end in .gz. Fashion-MNIST,
    KMNIST and MNIST itself come in such files.

    Shapes: x (n, height, width) of float32 from 0 (background) to 1, y (n,) of int64.

    Raises `DataFileError` if a file is missing, `read_idx` can't read it, or it doesn't contain
    images or their labels; `ArgumentError` if the part is unknown.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> image, label = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255]), bytes([7])
    >>> _ = (folder / "train-images-idx3-ubyte").write_bytes(image)
    >>> _ = (folder / "train-labels.idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 7]))
    >>> idx_images(folder).x.tolist(), idx_images(folder).y.tolist()
    ([[[0.0, 1.0]]], [7])
    """
    check_choice("idx_images", "part", part, ("train", "test"))
    place = check_path("idx_images", "folder", folder)
    stem = "train" if part == "train" else "t10k"
    images, labels = (
        _find_file(place, f"{stem}-{kind}", f"idx{dimensions}-ubyte")
        for kind, dimensions in (("images", 3), ("labels", 1))
    )
    x, y = _read_bytes(images, 3), _read_bytes(labels, 1)
    if len(x) != len(y):
        cure = "take both files from one data set"
        raise file_error(labels, f"have {len(x)} labels, one for each image", f"{len(y)}", cure)
    return read_only_examples(x.astype(np.float32) / np.float32(255), y.astype(np.int64))


def _read(name: str, file: Any, size: int, largest: int) -> Array:
    """Read the array in an open file of at most `size` bytes."""
    dtype, shape, header = _header(name, file)
    length = math.prod(shape) * dtype.itemsize
    must = f"have {length} bytes after its header, for an array of shape {shape}"
    if length > largest:
        cure = "pass largest= if you trust the file"
        raise file_error(name, f"have at most {largest} bytes of data", f"{length}", cure)
    if length > size - header:
        raise file_error(name, must, f"at most {size - header}", CURE)
    content = bytearray(length)
    view, read = memoryview(content), 0
    while read < length and (count := file.readinto(view[read : read + 2**20])):
        read += count
    if read < length:
        raise file_error(name, must, f"{read}", CURE)
    if file.read(1):
        raise file_error(name, must, "more", CURE)
    array = np.frombuffer(content, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(name: str, file: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Read the header: dtype and shape of the array, and the length of the header."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES or not 1 <= magic[3] <= 8:
        must = "be an IDX file: 00 00, a type from 08 to 0e, and 1 to 8 dimensions"
        given = magic.hex(" ") or "an empty file"
        raise file_error(name, must, given, "check what the file is")
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        must = f"have {4 * magic[3]} bytes of lengths in its header"
        raise file_error(name, must, f"{len(lengths)}", CURE)
    shape = tuple(np.frombuffer(lengths, ">u4").tolist())
    if not all(shape):
        raise file_error(name, "have at least 1 item in each dimension", f"shape {shape}", CURE)
    return np.dtype(DTYPES[magic[2]]), shape, 4 + len(lengths)


def _find_file(folder: str, stem: str, suffix: str) -> str:
    """Return the path of the file of that name in the folder, in any of its spellings."""
    names = [f"{stem}{dot}{suffix}{end}" for end in ("", ".gz") for dot in "-."]
    for name in names:
        if os.path.isfile(os.path.join(folder, name)):
            return os.path.join(folder, name)
    try:
        there = sorted(os.listdir(folder))
    except (OSError, ValueError) as error:
        raise file_error(
            folder, "be a folder of IDX files", f"{error}", "check the path"
        ) from error
    given = quote_names(there) if there else "an empty folder"
    raise file_error(folder, f"contain one of {quote_names(names)}", given, "check the folder")


def _read_bytes(path: str, dimensions: int) -> Array:
    """Read an IDX file, which must contain unsigned bytes in that number of dimensions."""
    array = read_idx(path)
    if array.ndim != dimensions or array.dtype != np.uint8:
        must = f"contain unsigned bytes in {dimensions} dimension{'s' * (dimensions > 1)}"
        raise file_error(path, must, f"{array.dtype} in {array.ndim}", "check which file it is")
    return array


def file_error(path: str, must: str, given: str, cure: str) -> DataFileError:
    """Return the error for a file: its path, what it must be, what it is, and the cure."""
    return DataFileError(f"{printable(path) or repr(path)} must {must}, got {given}; {cure}")
