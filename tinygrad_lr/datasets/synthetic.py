"""Generated data sets: points in the plane that no line separates, and a noisy sine."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from ..support.abstract_array import Array
from ..support.random_state import Seed, as_generator
from ..support.validation import (
    check_dtype,
    check_finite,
    check_integer,
    check_number,
    require_memory,
)
from .examples import Examples, read_only_examples

__all__ = ["circles", "moons", "sine", "spirals", "xor"]


def moons(
    n: int = 100, *, noise: float = 0.1, dtype: DTypeLike = np.float32, generator: Seed = None
) -> Examples:
    """Return two interleaved half circles of radius 1, class 0 above and class 1 below.

    Class 0 is (cos t, sin t), class 1 is (1 - cos t, 1/2 - sin t), for t from 0 to π in equal
    steps; then the points are shuffled, and normal noise of standard deviation `noise` is added to
    them.

    `generator` is a NumPy Generator or a seed. The default is a seeded generator that the package
    shares, so a second call returns other points. The same seed gives the same points, rounded to
    `dtype`.

    Shapes: x (n, 2), y (n,) of int64; class 1 has one more if n is odd.

    Raises `ArgumentError` if n is below 2 or noise is below 0, `DtypeError` if dtype isn't
    floating.

    Source: `sklearn.datasets.make_moons`.

    >>> x, y = moons(4, noise=0, generator=0)
    >>> x[y == 0].round(3).tolist(), y.tolist()
    ([[1.0, 0.0], [-1.0, 0.0]], [1, 0, 0, 1])
    """
    where = "moons"
    count = _check_rows(where, n, low=2)
    upper, lower = np.linspace(0, math.pi, count // 2), np.linspace(0, math.pi, count - count // 2)
    above = np.column_stack([np.cos(upper), np.sin(upper)])
    below = np.column_stack([1 - np.cos(lower), 0.5 - np.sin(lower)])
    return _shuffle(where, [above, below], noise, dtype, generator)


def circles(
    n: int = 100,
    *,
    noise: float = 0.05,
    factor: float = 0.5,
    dtype: DTypeLike = np.float32,
    generator: Seed = None,
) -> Examples:
    """Return a circle of radius 1, class 0, around one of radius `factor`, class 1.

    The points are at equal angles from 0 on; shuffling, noise, generator, shapes and errors are
    those of `moons`. Also raises `ArgumentError` if factor is not between 0 and 1.

    Source: `sklearn.datasets.make_circles`, where factor is 0.8 by default.

    >>> circles(200, generator=0)
    Examples(x: (200, 2) float32, y: (200,) int64)
    """
    where = "circles"
    count = _check_rows(where, n, low=2)
    radius = check_number(where, "factor", factor, positive=True, below=1)
    outer, inner = (
        np.linspace(0, 2 * math.pi, rows, endpoint=False)
        for rows in (count // 2, count - count // 2)
    )
    around = np.column_stack([np.cos(outer), np.sin(outer)])
    inside = radius * np.column_stack([np.cos(inner), np.sin(inner)])
    return _shuffle(where, [around, inside], noise, dtype, generator)


def spirals(
    n: int = 300,
    classes: int = 3,
    *,
    turns: float = 0.75,
    noise: float = 0.02,
    dtype: DTypeLike = np.float32,
    generator: Seed = None,
) -> Examples:
    """Return arms that wind out from the origin to radius 1, one for each class.

    Arm k is r · (sin φ, cos φ) with φ = 2π (k / classes + turns · r), for r in equal steps from 0
    (left out) to 1. Shuffling, noise, generator, shapes and errors are those of `moons`; the last
    arms have one point more if n does not divide evenly.

    Source: the spirals of Stanford's CS231n, here with noise on the points.

    >>> x, y = spirals(300, classes=3, generator=0)
    >>> np.bincount(y)
    array([100, 100, 100])
    """
    where = "spirals"
    arms = check_integer(where, "classes", classes, low=1)
    count, winding = _check_rows(where, n, low=arms), check_finite(where, "turns", turns)
    bounds = np.arange(arms + 1) * count // arms
    points = []
    for arm, rows in enumerate(np.diff(bounds).tolist()):
        r = np.arange(1, rows + 1) / rows
        angle = 2 * math.pi * (arm / arms + winding * r)
        points.append(np.column_stack([r * np.sin(angle), r * np.cos(angle)]))
    return _shuffle(where, points, noise, dtype, generator)


def xor(
    n: int = 4, *, noise: float = 0.0, dtype: DTypeLike = np.float32, generator: Seed = None
) -> Examples:
    """Return the four corners of the unit square, class 1 where exactly one coordinate is 1.

    More than four points repeat the corners, with normal noise of standard deviation `noise`; each
    keeps the class of its corner. Generator, shapes and errors are those of `moons`.

    >>> x, y = xor()
    >>> x.tolist(), y.tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    where = "xor"
    corner = np.arange(_check_rows(where, n, low=1)) % 4
    x = np.column_stack([corner // 2, corner % 2]).astype(np.float64)
    y = (corner // 2) ^ (corner % 2)
    return read_only_examples(_add_noise(where, x, noise, dtype, as_generator(where, generator)), y)


def sine(
    n: int = 100, *, noise: float = 0.1, dtype: DTypeLike = np.float32, generator: Seed = None
) -> Examples:
    """Return points along y = sin x, for regression: x uniform from -π to π, y with normal noise.

    `noise` is the standard deviation of the noise in y; generator and errors are those of `moons`.

    Shapes: x (n, 1), y (n,), both of `dtype`.

    >>> x, y = sine(3, noise=0, generator=0)
    >>> bool(np.allclose(np.sin(x[:, 0]), y))
    True
    """
    where = "sine"
    random = as_generator(where, generator)
    x = random.uniform(-math.pi, math.pi, _check_rows(where, n, low=1))
    return read_only_examples(
        x[:, None].astype(check_dtype(where, dtype)),
        _add_noise(where, np.sin(x), noise, dtype, random),
    )


def _check_rows(where: str, n: int, low: int) -> int:
    """Return the number of points, from `low` to what fits in memory."""
    count = check_integer(where, "n", n, low=low)
    require_memory(where, "x", (count, 2), itemsize=64)  # 8 arrays on the way
    return count


def _shuffle(
    where: str, points: list[Array], noise: float, dtype: DTypeLike, generator: Seed
) -> Examples:
    """Return the points of class 0, class 1, ... in a random order, with noise."""
    random = as_generator(where, generator)
    labels = np.repeat(np.arange(len(points)), [len(x) for x in points])
    order = random.permutation(len(labels))
    return read_only_examples(
        _add_noise(where, np.concatenate(points)[order], noise, dtype, random), labels[order]
    )


def _add_noise(
    where: str, x: Array, noise: float, dtype: DTypeLike, random: np.random.Generator
) -> Array:
    """Add normal noise: drawn in float64 and then rounded, so that a seed means one data set."""
    deviation, kind = check_number(where, "noise", noise), check_dtype(where, dtype)
    noisy: Array = (x + deviation * random.standard_normal(x.shape)).astype(kind)
    return noisy
