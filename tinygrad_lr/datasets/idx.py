"""IDX, the format of the MNIST files: arrays behind a short header, often compressed."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from ..errors import ArgumentError
from ..errors import refuse as refuse_argument
from ..support.abstract_array import Array
from ..support.files import check_regular, listed, refuse
from .examples import Examples, examples

Path: TypeAlias = "str | os.PathLike[str]"

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
DENSEST = 1032  # bytes that one byte of deflate can stand for, at most
CURE = "download the file again"


def read_idx(path: Path, *, largest: int = 2**30) -> Array:
    """The array in an IDX file, plain or compressed by gzip, in native byte order.

    The header is checked against the size of the file before anything is allocated, and what a
    compressed file holds is read up to the size that its header tells. `largest` bounds that
    size, in bytes (1 GiB).

    Raises `DataFileError`, with the path, for a file that is not there or is none of IDX, is
    shorter or longer than its header tells, damaged, or larger than `largest`.

    Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database, on the file format.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "labels-idx1-ubyte")
    >>> _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3]) + bytes([5, 0, 4]))
    >>> read_idx(file)
    array([5, 0, 4], dtype=uint8)
    """
    name = os.fspath(path)
    try:
        check_regular(name)
        with open(name, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if file.peek(2)[:2] != b"\x1f\x8b":
                return _read(name, file, size, largest)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(name, unpacked, size * DENSEST, largest)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        refuse(name, "damaged", "a whole gzip file", f"{error}", CURE)
    except OSError as error:
        reason, cure = str(error.strerror or error), "check the path and its permissions"
        refuse(name, "cannot be read", "an IDX file", reason, cure)


def idx_images(folder: Path, part: str = "train") -> Examples:
    """Images and labels of MNIST, or of a data set in its format, from a folder of IDX files.

    `part` is "train" (train-images-idx3-ubyte, train-labels-idx1-ubyte) or "test" (t10k-...);
    the names may have '.' in the place of '-' before idx, and may end in .gz. Fashion-MNIST,
    KMNIST and MNIST itself come in such files.

    Shapes: x (n, height, width) of float32 from 0 (background) to 1, y (n,) of int64.

    Raises `DataFileError` for a file that is not there, that `read_idx` refuses, or that does
    not hold images or their labels; `ArgumentError` for another part.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> image, label = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255]), bytes([7])
    >>> _ = (folder / "train-images-idx3-ubyte").write_bytes(image)
    >>> _ = (folder / "train-labels.idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 7]))
    >>> idx_images(folder).x.tolist(), idx_images(folder).y.tolist()
    ([[[0.0, 1.0]]], [7])
    """
    if part not in {"train", "test"}:
        wrong, expected = "part is unknown", "'train' or 'test'"
        refuse_argument(ArgumentError, "idx_images", wrong, expected=expected, given=repr(part))
    stem = "train" if part == "train" else "t10k"
    images, labels = (
        _found(os.fspath(folder), f"{stem}-{kind}", f"idx{dimensions}-ubyte")
        for kind, dimensions in (("images", 3), ("labels", 1))
    )
    x, y = _of_bytes(images, 3), _of_bytes(labels, 1)
    if len(x) != len(y):
        given, cure = f"{len(y)} labels", "take both files from one data set"
        refuse(labels, "other labels than images", f"{len(x)}, one for each image", given, cure)
    return examples(x.astype(np.float32) / np.float32(255), y.astype(np.int64))


def _read(name: str, file: Any, size: int, largest: int) -> Array:
    """The array in an open file that holds so many bytes at most."""
    dtype, shape, header = _header(name, file)
    length = math.prod(shape) * dtype.itemsize
    told = f"{length} bytes after its header, for an array of shape {shape}"
    if length > largest:
        cure = "pass largest= if you trust the file"
        refuse(name, "too large", f"at most {largest} bytes", f"{length}", cure)
    if length > size - header:
        refuse(name, "too short", told, f"{size - header} at most", CURE)
    content = bytearray(length)
    view, read = memoryview(content), 0
    while read < length and (count := file.readinto(view[read : read + 2**20])):
        read += count
    if read < length:
        refuse(name, "too short", told, f"{read}", CURE)
    if file.read(1):
        refuse(name, "too long", told, "more", CURE)
    array = np.frombuffer(content, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(name: str, file: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Type and shape of the array, and the length of the header."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES or not 1 <= magic[3] <= 8:
        expected = "00 00, a type from 08 to 0e, and 1 to 8 dimensions"
        given = magic.hex(" ") or "an empty file"
        refuse(name, "not an IDX file", expected, given, "check what the file is")
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        expected, given = f"{4 * magic[3]} bytes of header", f"{len(lengths)}"
        refuse(name, "too short", expected, given, CURE)
    shape = tuple(np.frombuffer(lengths, ">u4").tolist())
    if not all(shape):
        refuse(name, "without items", "1 or more in each dimension", f"shape {shape}", CURE)
    return np.dtype(DTYPES[magic[2]]), shape, 4 + len(lengths)


def _found(folder: str, stem: str, suffix: str) -> str:
    """The file of that name in the folder, whichever way it is spelt."""
    names = [f"{stem}{dot}{suffix}{end}" for end in ("", ".gz") for dot in "-."]
    for name in names:
        if os.path.isfile(os.path.join(folder, name)):
            return os.path.join(folder, name)
    try:
        there = sorted(os.listdir(folder))
    except (OSError, ValueError) as error:
        refuse(folder, "no such folder", "a folder of IDX files", f"{error}", "check the path")
    given = listed(there) if there else "an empty folder"
    refuse(folder, "a file is missing", f"one of {listed(names)}", given, "check the folder")


def _of_bytes(path: str, dimensions: int) -> Array:
    """An IDX file that holds unsigned bytes in so many dimensions."""
    array = read_idx(path)
    if array.ndim != dimensions or array.dtype != np.uint8:
        expected = f"unsigned bytes in {dimensions} dimension{'s' * (dimensions > 1)}"
        given = f"{array.dtype} in {array.ndim}"
        refuse(path, "other contents", expected, given, "check which file it is")
    return array
