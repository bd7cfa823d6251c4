"""Data sets that are made: points in the plane that no line separates, and a noisy sine."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..errors import ArgumentError, DtypeError, refuse
from ..support.abstract_array import Array
from ..support.random_state import Seed, as_generator
from .examples import Examples, examples


def moons(
    n: int = 100, *, noise: float = 0.1, dtype: DTypeLike = np.float32, generator: Seed = None
) -> Examples:
    """Two half circles of radius 1 that reach into each other, class 0 above and class 1 below.

    Class 0 is (cos t, sin t), class 1 is (1 - cos t, 1/2 - sin t), for t from 0 to π in equal
    steps; then the points are shuffled, and normal noise of deviation `noise` is added to them.

    `generator` is a numpy Generator or a seed; without it the common stream, so that a second
    call gives other points. The same seed gives the same points, rounded to `dtype`.

    Shapes: x (n, 2), y (n,) of int64; class 1 has one more where n is odd.

    Raises `ArgumentError` for n below 2 and noise below 0, `DtypeError` for a dtype not of floats.

    As sklearn.datasets.make_moons.

    >>> x, y = moons(4, noise=0, generator=0)
    >>> x[y == 0].round(3).tolist(), y.tolist()
    ([[1.0, 0.0], [-1.0, 0.0]], [1, 0, 0, 1])
    """
    where = "moons"
    count = _count(where, n, 2)
    upper, lower = np.linspace(0, math.pi, count // 2), np.linspace(0, math.pi, count - count // 2)
    above = np.column_stack([np.cos(upper), np.sin(upper)])
    below = np.column_stack([1 - np.cos(lower), 0.5 - np.sin(lower)])
    return _shuffled(where, [above, below], noise, dtype, generator)


def circles(
    n: int = 100,
    *,
    noise: float = 0.05,
    factor: float = 0.5,
    dtype: DTypeLike = np.float32,
    generator: Seed = None,
) -> Examples:
    """A circle of radius 1, class 0, around one of radius `factor`, class 1.

    The points lie at equal angles from 0 on; shuffling, noise, generator, shapes and errors are
    those of `moons`. Raises `ArgumentError` for a factor that is not between 0 and 1, too.

    As sklearn.datasets.make_circles (whose factor is 0.8).

    >>> circles(200, generator=0)
    Examples(x: (200, 2) float32, y: (200,) int64)
    """
    where = "circles"
    count = _count(where, n, 2)
    radius = _number(where, "factor", factor)
    if not 0 < radius < 1:
        wrong, expected = "factor is out of range", "a number between 0 and 1"
        refuse(ArgumentError, where, wrong, expected=expected, given=factor)
    outer, inner = (
        np.linspace(0, 2 * math.pi, rows, endpoint=False)
        for rows in (count // 2, count - count // 2)
    )
    around = np.column_stack([np.cos(outer), np.sin(outer)])
    inside = radius * np.column_stack([np.cos(inner), np.sin(inner)])
    return _shuffled(where, [around, inside], noise, dtype, generator)


def spirals(
    n: int = 300,
    classes: int = 3,
    *,
    turns: float = 0.75,
    noise: float = 0.02,
    dtype: DTypeLike = np.float32,
    generator: Seed = None,
) -> Examples:
    """Arms that wind out from the origin to radius 1, one for each class.

    Arm k is r · (sin φ, cos φ) with φ = 2π (k / classes + turns · r), for r in equal steps from 0
    (left out) to 1. Shuffling, noise, generator, shapes and errors are those of `moons`; the last
    arms have one point more where n does not divide evenly.

    As the spirals of Stanford's CS231n, with noise on the points.

    >>> x, y = spirals(300, classes=3, generator=0)
    >>> np.bincount(y)
    array([100, 100, 100])
    """
    where = "spirals"
    arms = _count(where, classes, 1, "classes")
    count, winding = _count(where, n, arms), _number(where, "turns", turns)
    bounds = np.arange(arms + 1) * count // arms
    points = []
    for arm, rows in enumerate(np.diff(bounds).tolist()):
        r = np.arange(1, rows + 1) / rows
        angle = 2 * math.pi * (arm / arms + winding * r)
        points.append(np.column_stack([r * np.sin(angle), r * np.cos(angle)]))
    return _shuffled(where, points, noise, dtype, generator)


def xor(
    n: int = 4, *, noise: float = 0.0, dtype: DTypeLike = np.float32, generator: Seed = None
) -> Examples:
    """The four corners of the unit square, class 1 where just one coordinate is 1.

    More than four are the corners over and over, with normal noise of deviation `noise`; each
    keeps its corner's class. Generator, shapes and errors are those of `moons`.

    >>> x, y = xor()
    >>> x.tolist(), y.tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    where = "xor"
    corner = np.arange(_count(where, n, 1)) % 4
    x = np.column_stack([corner // 2, corner % 2]).astype(np.float64)
    y = (corner // 2) ^ (corner % 2)
    return examples(_noisy(where, x, noise, dtype, as_generator(where, generator)), y)


def sine(
    n: int = 100, *, noise: float = 0.1, dtype: DTypeLike = np.float32, generator: Seed = None
) -> Examples:
    """Points along y = sin x, for regression: x uniform from -π to π, y with normal noise.

    `noise` is the deviation of what is added to y; generator and errors are those of `moons`.

    Shapes: x (n, 1), y (n,), both of `dtype`.

    >>> x, y = sine(3, noise=0, generator=0)
    >>> bool(np.allclose(np.sin(x[:, 0]), y))
    True
    """
    where = "sine"
    random = as_generator(where, generator)
    x = random.uniform(-math.pi, math.pi, _count(where, n, 1))
    return examples(
        x[:, None].astype(_floating(where, dtype)), _noisy(where, np.sin(x), noise, dtype, random)
    )


def _shuffled(
    where: str, points: list[Array], noise: float, dtype: DTypeLike, generator: Seed
) -> Examples:
    """The points of class 0, class 1, ... in a random order, with noise."""
    random = as_generator(where, generator)
    labels = np.repeat(np.arange(len(points)), [len(x) for x in points])
    order = random.permutation(len(labels))
    return examples(
        _noisy(where, np.concatenate(points)[order], noise, dtype, random), labels[order]
    )


def _noisy(
    where: str, x: Array, noise: float, dtype: DTypeLike, random: np.random.Generator
) -> Array:
    """With normal noise; drawn in float64 and then rounded, so that one seed means one data set."""
    deviation, kind = _number(where, "noise", noise), _floating(where, dtype)
    if deviation < 0:
        wrong = "noise is out of range"
        refuse(ArgumentError, where, wrong, expected="a number from 0", given=noise)
    noisy: Array = (x + deviation * random.standard_normal(x.shape)).astype(kind)
    return noisy


def _count(where: str, given: Any, low: int, name: str = "n") -> int:
    try:
        number = operator.index(given)
    except TypeError:
        number = low - 1
    if number < low or isinstance(given, (bool, np.bool_)):
        wrong, expected = f"{name} is out of range", f"a whole number from {low}"
        refuse(ArgumentError, where, wrong, expected=expected, given=repr(given))
    return number


def _number(where: str, name: str, given: Any) -> float:
    real = isinstance(given, (int, float, np.integer, np.floating)) and math.isfinite(given)
    if not real or isinstance(given, bool):
        wrong, expected = f"{name} is no number", "a finite number"
        refuse(ArgumentError, where, wrong, expected=expected, given=repr(given))
    return float(given)


def _floating(where: str, dtype: DTypeLike) -> np.dtype[Any]:
    try:
        chosen = np.dtype(dtype)
    except TypeError:
        chosen = np.dtype(object)
    if dtype is None or chosen.kind != "f":
        wrong, expected = "dtype is not a floating type", "numpy.float32 or numpy.float64"
        refuse(DtypeError, where, wrong, expected=expected, given=repr(dtype))
    return chosen
