"""Compute Jacobians between the layers of a graph: matrices by row of the batch, and spectra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...core.value import Value
from ...support.abstract_array import Array
from ...support.errstate import ignore_float_errors
from .float64_graph import Segment

Product = Callable[[Array], Array]

MAX_PASSES = 512  # passes for one Jacobian; a wider one is not computed in full
MAX_ENTRIES = 1 << 24  # in all matrices of one Jacobian
LEADING, LANCZOS_STEPS, PROBES = 6, 60, 64  # singular values of a wider one, and effort


@dataclass(frozen=True, eq=False)
class Jacobian:
    """The derivative of one layer's output with respect to another's, at rows of the batch.

    - `shape`: (outputs, inputs) of one row; of the whole batch if its rows mix
    - `rows`: the rows of the batch that were computed; None if rows mix, so that there is one
      matrix for all of them
    - `matrices`: (rows, *shape), or None if it is too large: beyond 512 passes, or 2²⁴ entries
    - `singular_values`: (rows, all or the 6 largest ones), the largest first; beyond the bound
      computed by 60 steps of Golub-Kahan-Lanczos bidiagonalisation with full
      reorthogonalisation, which only needs products with the matrix
    - `frobenius`: (rows,); beyond the bound estimated by 64 random products (Hutchinson), with an
      error of about a tenth

    Sources: Golub and Kahan, "Calculating the singular values and pseudo-inverse of a matrix",
    SIAM J. Numer. Anal. B 2 (1965); Hutchinson, Commun. Stat. Simul. 18 (1989).
    """

    shape: tuple[int, int]
    rows: tuple[int, ...] | None
    matrices: Array | None
    singular_values: Array
    frobenius: Array

    @property
    def exact(self) -> bool:
        """Return whether the matrices were computed in full."""
        return self.matrices is not None

    @property
    def spectral(self) -> Array:
        """The largest singular value of each row: the largest factor on a gradient."""
        return self.singular_values[:, 0]


class Layout:
    """The numbers of a cut as a matrix with a row for each row of the batch, or with one row.

    If there are rows, numbers without an axis of rows that bypass all layers (a penalty on the
    weights) are left out.
    """

    def __init__(self, members: Sequence[Value], batch: int | None) -> None:
        self.shapes = [x.shape for x in members]
        self.batch = batch
        self.kept = [batch is None or shape[:1] == (batch,) for shape in self.shapes]
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        self.rows = batch or 1
        self.widths = [
            n // self.rows if keep else 0 for n, keep in zip(sizes, self.kept, strict=True)
        ]
        self.width = sum(self.widths)

    def join(self, arrays: Sequence[Any]) -> Array:
        """Join the members' arrays into a matrix (rows, width)."""
        parts = [
            np.reshape(np.asarray(x, np.float64), (self.rows, width))
            for x, width, keep in zip(arrays, self.widths, self.kept, strict=True)
            if keep
        ]
        return np.concatenate(parts, axis=1)

    def split(self, matrix: Array) -> list[Any]:
        """Split a matrix (rows, width) into the members' arrays."""
        ends = np.cumsum(self.widths)
        return [
            np.reshape(matrix[:, end - width : end], shape)[()] if keep else np.zeros(shape)[()]
            for end, width, shape, keep in zip(
                ends, self.widths, self.shapes, self.kept, strict=True
            )
        ]


class Factor:
    """One factor of the chain rule, dL/dh = (∂h⁺/∂h)ᵀ·dL/dh⁺, as products by rows.

    `batch` is the number of rows, None if the results share no axis of rows.
    """

    def __init__(self, segment: Segment, batch: int | None) -> None:
        self.segment = segment
        self._batch = batch

    @cached_property
    def mixes(self) -> bool:
        """Return whether a row of the outputs depends on other rows of the inputs."""
        if self._batch is None:
            return True
        before, after = self.layouts(self._batch)
        passing = set(self.segment.before) & set(self.segment.after)
        both = [*zip(self.segment.before, before.kept, strict=True)]
        both += zip(self.segment.after, after.kept, strict=True)
        if not all(keep or x in passing for x, keep in both) or not before.width:
            return True
        random = np.random.default_rng(0)
        for row in dict.fromkeys((0, self._batch // 2, self._batch - 1)):
            start = np.zeros((after.rows, after.width))
            start[row] = random.uniform(1, 2, after.width)
            reached = before.join(self.segment.pull(after.split(start)))
            if np.delete(reached, row, axis=0).any():
                return True
        return False

    def layouts(self, batch: int | None) -> tuple[Layout, Layout]:
        """Return the layouts of inputs and outputs as matrices."""
        return Layout(self.segment.before, batch), Layout(self.segment.after, batch)


class Chain:
    """The product of consecutive factors, by rows if none of them mixes rows."""

    def __init__(self, factors: Sequence[Factor], batch: int | None) -> None:
        mixes = batch is None or any(factor.mixes for factor in factors)
        self.batch = None if mixes else batch
        layouts = [factor.layouts(self.batch) for factor in factors]
        self._factors = list(zip(factors, layouts, strict=True))
        self.before, self.after = layouts[0][0], layouts[-1][1]

    def pull(self, matrix: Array) -> Array:
        """Return Jᵀ·g for each row: (rows, outputs) to (rows, inputs)."""
        for factor, (before, after) in reversed(self._factors):
            matrix = before.join(factor.segment.pull(after.split(matrix)))
        return matrix

    def push(self, matrix: Array) -> Array:
        """Return J·t for each row."""
        for factor, (before, after) in self._factors:
            matrix = after.join(factor.segment.push(before.split(matrix)))
        return matrix

    @ignore_float_errors
    def jacobian(self, rows: Sequence[int]) -> Jacobian:
        """Return the Jacobians at these rows of the batch, in full unless they are too large."""
        chosen = list(rows) if self.batch is not None else [0]
        shape = (self.after.width, self.before.width)
        named = tuple(rows) if self.batch is not None else None
        fits = min(shape) <= MAX_PASSES and len(chosen) * shape[0] * shape[1] <= MAX_ENTRIES
        if not fits:
            return Jacobian(shape, named, None, *self._leading(chosen))
        matrices = self.matrices(chosen)
        return Jacobian(shape, named, matrices, *spectrum(matrices))

    @ignore_float_errors
    def matrices(self, chosen: Sequence[int]) -> Array:
        """Return (rows, outputs, inputs), by one pass for each of the smaller of the two."""
        pushing = self.before.width < self.after.width
        start, product = (self.before, self.push) if pushing else (self.after, self.pull)
        units = []
        for unit in range(start.width):
            seeds = np.zeros((start.rows, start.width))
            seeds[list(chosen), unit] = 1.0
            units.append(product(seeds)[list(chosen)])
        if not units:
            return np.zeros((len(chosen), self.after.width, self.before.width))
        found = np.stack(units, axis=1)  # (rows, units, the other side)
        return found.transpose(0, 2, 1) if pushing else found

    def _leading(self, chosen: Sequence[int]) -> tuple[Array, Array]:
        """Return the largest singular values, and an estimate of the Frobenius norm."""

        def only(product: Product, layout: Layout) -> Product:
            def call(x: Array) -> Array:
                full = np.zeros((layout.rows, layout.width))
                full[list(chosen)] = x
                return product(full)[list(chosen)]

            return call

        push, pull = only(self.push, self.before), only(self.pull, self.after)
        random = np.random.default_rng(0)
        start = random.standard_normal((len(chosen), self.before.width))
        squares = [
            np.sum(push(random.choice([-1.0, 1.0], start.shape)) ** 2, axis=1)
            for _ in range(PROBES)
        ]
        frobenius = np.sqrt(np.mean(squares, axis=0))
        return leading_singular_values(push, pull, start)[:, :LEADING], frobenius


@ignore_float_errors
def multiply(after: Jacobian, before: Jacobian) -> Jacobian | None:
    """Return the product of two full Jacobians at the same rows, or None for any others."""
    if after.matrices is None or before.matrices is None or after.rows != before.rows:
        return None
    product = after.matrices @ before.matrices
    return Jacobian((after.shape[0], before.shape[1]), after.rows, product, *spectrum(product))


def spectrum(matrices: Array) -> tuple[Array, Array]:
    """Return the singular values (rows, k) and the Frobenius norms (rows,) of matrices.

    >>> values, frobenius = spectrum(np.array([[[3.0, 0.0], [0.0, 4.0]]]))
    >>> values.tolist(), frobenius.tolist()
    ([[4.0, 3.0]], [5.0])
    """
    if not matrices.size:  # the empty map has the norm 0
        values = np.zeros((len(matrices), 1))
    elif not np.isfinite(matrices).all():
        values = np.full((len(matrices), min(matrices.shape[1:])), np.nan)
    else:
        values = np.linalg.svd(matrices, compute_uv=False)
    return values, np.sqrt(np.sum(matrices**2, axis=(1, 2)))


def leading_singular_values(
    push: Product, pull: Product, start: Array, steps: int = LANCZOS_STEPS
) -> Array:
    """Return the singular values of linear maps x -> push(x), one map for each row of `start`.

    Golub-Kahan-Lanczos: A·V = U·B with B bidiagonal, whose singular values approximate those of A,
    the largest ones best. Shape (rows, steps).

    >>> a = np.diag([5.0, 2.0, 1.0])
    >>> values = leading_singular_values(lambda x: x @ a.T, lambda x: x @ a, np.ones((1, 3)), 3)
    >>> np.round(values, 9).tolist()
    [[5.0, 2.0, 1.0]]
    """
    count = len(start)
    steps = min(steps, start.shape[1])
    right = [normalize_rows(start)[0]]  # orthonormal vectors of each row
    left: list[Array] = []
    bidiagonal = np.zeros((count, steps, steps))
    for j in range(steps):
        u, bidiagonal[:, j, j] = normalize_rows(orthogonalize(push(right[j]), left))
        left.append(u)
        if j + 1 < steps:
            v, bidiagonal[:, j, j + 1] = normalize_rows(orthogonalize(pull(u), right))
            right.append(v)
    if not np.isfinite(bidiagonal).all():
        return np.full((count, steps), np.nan)
    return np.asarray(np.linalg.svd(bidiagonal, compute_uv=False))


def orthogonalize(x: Array, basis: Sequence[Array]) -> Array:
    """Remove from each row its part along the vectors of the basis; twice, against rounding."""
    for _ in range(2):
        for b in basis:
            x = x - np.sum(x * b, axis=1, keepdims=True) * b
    return x


def normalize_rows(x: Array) -> tuple[Array, Array]:
    """Divide each row by its norm, and return both; a row of zeros stays zero."""
    euclidean_norm = np.linalg.norm(x, axis=1)
    tiny = euclidean_norm <= 1e-300
    return x / np.where(tiny, 1.0, euclidean_norm)[:, None], np.where(tiny, 0.0, euclidean_norm)


@ignore_float_errors
def euclidean_norm(numbers: Array) -> float:
    """Return the root of the sum of squares, even if the squares overflow or underflow.

    >>> [euclidean_norm(np.array([0.0, x])) for x in (3e200, 4e-200, 0.0)]
    [3e+200, 4e-200, 0.0]
    """
    largest = float(np.max(np.abs(numbers), initial=0.0))
    if not largest or not np.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(np.ravel(numbers / largest)))
