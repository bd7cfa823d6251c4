"""Labels of classes as the columns of a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..errors import ArgumentError, refuse
from ..support.abstract_array import Array
from ..support.validation import class_labels, integers
from .sources import whole_number


def one_hot(
    labels: ArrayLike, classes: int | None = None, *, dtype: DTypeLike = np.float32
) -> Array:
    """A row for each label, with 1 in the column of its class and 0 elsewhere.

    out[..., k] = 1 if labels[...] = k, else 0. `classes` is the largest label + 1 unless given;
    give it where a class may be missing from these labels.

    Shapes: labels (...) to (..., classes).

    Raises `LabelError` (an IndexError) for a label below 0 or not below `classes`, `DtypeError`
    for labels that are not integers, `ArgumentError` for no labels without `classes`.

    As torch.nn.functional.one_hot, in floats.

    >>> one_hot([2, 0], classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    where = "one_hot"
    array = integers(where, labels)
    if classes is None:
        if not array.size:
            wrong, cure = "no labels to count the classes of", "pass classes"
            refuse(ArgumentError, where, wrong, expected="a label or more", given="0", cure=cure)
        classes = max(int(array.max()) + 1, 1)
    count = whole_number(where, "classes", classes, 1)
    columns = class_labels(where, array, array.shape, count)
    out = np.zeros((array.size, count), dtype)
    out[np.arange(array.size), columns.reshape(-1)] = 1
    return out.reshape(*array.shape, count)
