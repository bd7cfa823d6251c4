"""The parts of a classification, as numbers and words, before anybody prints them."""

from __future__ import annotations

from dataclasses import dataclass

from .parts import Column, Trained


@dataclass(frozen=True)
class Classes:
    """What there is to learn from; `counts` are the rows of each of the `labels`."""

    source: str
    target: str
    rows: int
    trained_on: int
    held_out: int
    features: tuple[Column, ...]
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ClassRow:
    """One row at the first weights: p = softmax(z), and dL/dz as `backward()` left it."""

    number: int
    label: str
    probabilities: tuple[float, ...]
    slopes: tuple[float, ...]


@dataclass(frozen=True)
class FirstSlopes:
    """The chain rule through softmax and cross entropy, at the first weights."""

    labels: tuple[str, ...]
    count: int
    loss: float
    rows: tuple[ClassRow, ...]


@dataclass(frozen=True)
class Classification(Trained):
    """What was learnt, and how often it is right.

    `baseline` is the accuracy of always saying the `commonest` class; it and `confusion` (rows
    true, columns predicted) are of the rows that were held out, or of all where none were.
    """

    labels: tuple[str, ...]
    optimizer: str
    trained_on: int
    accuracy: float
    held_out: int
    held_out_accuracy: float | None
    commonest: str
    baseline: float
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ClassPrediction:
    """The probability of each class at one place."""

    names: tuple[str, ...]
    at: tuple[float, ...]
    target: str
    label: str
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    outside: bool
