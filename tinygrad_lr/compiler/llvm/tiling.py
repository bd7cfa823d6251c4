"""The choice of tiles for a matrix product, from its shape alone, by an estimate of cycles.

The estimate is that of a processor which starts two multiply-adds of vectors per cycle, each four
cycles long, and reads B from its first cache as long as a block of B fits into half of it. The
constants were fitted to measurements; only the ratio of two estimates matters. Nothing here
measures at run time: the same shape always gets the same tile, so results are reproducible.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

from .vectors import ITEM_SIZES, lanes, vector_registers

MAX_ACCUMULATORS = 24  # vectors of partial sums in a tile, with 32 registers
MAX_UNROLLED_DEPTH = 4  # products this shallow are written without a loop over the depth
FMA_LATENCY = 4  # cycles from one multiply-add to the next in the same register
FMA_PER_CYCLE = 2  # vector multiply-adds, and loads, started per cycle
LOAD_CYCLES = 0.1  # cycles by which each load slows a step down
L2_LINE_CYCLES = 1.6  # cycles for a cache line from the second-level cache
TILE_OVERHEAD = 12  # cycles to begin and end a tile
L1_SETS, L1_WAYS, CACHE_LINE = 64, 8, 64  # the first-level cache: 32 KiB, at the least
L1_BYTES = L1_SETS * L1_WAYS * CACHE_LINE
MIN_CACHE_BOUND_WORK = 2**22  # multiplications; below, compile time counts more than run time
MIN_ROW_PACKING_WORK = 2**25  # multiplications from which packing A pays
MAX_DOT_ROWS = 6  # rows up to which dot products beat transposing B


@dataclass(frozen=True)
class Product:
    """C = A @ B: its shape, and the strides of its operands.

    BLAS calls `rows`, `columns` and `depth` M, N and K; all are at least 1. `a_strides` are those
    of (row, depth) in A, `b_strides` those of (depth, column) in B, in elements: (1, M) is a
    transposed A, (1, K) a transposed B. A part of a product is given the `chains` of the whole.
    """

    rows: int
    columns: int
    depth: int
    dtype: str
    a_strides: tuple[int, int]
    b_strides: tuple[int, int]
    chains: int | None = None

    @property
    def transposed(self) -> "Product":
        """Cᵀ = Bᵀ @ Aᵀ, which is better for a single column: it is the same in memory as a row."""
        return Product(
            self.columns,
            self.rows,
            self.depth,
            self.dtype,
            (self.b_strides[1], self.b_strides[0]),
            (self.a_strides[1], self.a_strides[0]),
            self.chains,
        )

    @property
    def work(self) -> int:
        """The number of multiplications."""
        return self.rows * self.columns * self.depth


class Tiling(NamedTuple):
    """Tiles of `rows` x `vectors` of columns, summed in `chains` sets of accumulators.

    All tiles of a product, the smaller ones at its edges too, have the same chains: they decide in
    which order an entry is summed, so that threads which share a product give the bits of one.
    """

    rows: int
    vectors: int
    chains: int


@functools.lru_cache(maxsize=1024)
def choose_tiling(product: Product) -> Tiling:
    """Return the tiles that are estimated to be the fastest."""
    vectors = -(-product.columns // lanes(product.dtype))
    choices = [product.chains] if product.chains else _useful_chains(product.depth)
    found = [
        (_estimate_cycles(product, vectors, J, chains), J, chains)
        for chains in choices
        for J in range(1, min(vectors, 8) + 1)
        if _max_rows(J, chains)
    ]
    _, J, chains = min(found)
    return Tiling(choose_rows(product, J, chains), J, chains)


def choose_rows(product: Product, J: int, chains: int) -> int:
    """Return the rows of a tile that is J vectors wide."""
    # an unrolled depth makes the code of a tile longer: half the rows keep it as long as others
    shallow = product.depth <= MAX_UNROLLED_DEPTH
    most = max(1, _max_rows(J, chains) // (2 if shallow else 1))
    most = min(most, product.rows)
    return min(
        range(1, most + 1), key=lambda R: _estimate_row_cycles(product, Tiling(R, J, chains))
    )


def _useful_chains(depth: int) -> list[int]:
    """Return the sets of accumulators to choose from: more hide the latency of small tiles."""
    return [x for x in (1, 2, 4, 8) if x == 1 or 2 * x <= depth]


def _max_rows(J: int, chains: int) -> int:
    """Return the rows for which sums, J vectors of B and a broadcast of A fit in registers."""
    registers = vector_registers()
    spare = 3 if registers > 16 else 1
    return min(MAX_ACCUMULATORS, registers - spare - J) // (J * chains)


def _estimate_cycles(product: Product, vectors: int, J: int, chains: int) -> float:
    """Estimate the cycles of a product: full blocks of J vectors, and the rest."""
    whole = product.columns // lanes(product.dtype) // J
    rest = vectors - whole * J
    total = 0.0
    for count, width in ((whole, J), (1, rest)):
        if count and width:
            tiling = Tiling(choose_rows(product, width, chains), width, chains)
            total += count * _estimate_row_cycles(product, tiling)
    return total * (_code_size_penalty(product) if whole and rest else 1.0)


def _estimate_row_cycles(product: Product, tiling: Tiling) -> float:
    """Estimate the cycles of one block of columns: full tiles, and the rest of the rows."""
    rest = product.rows % tiling.rows
    total = product.rows // tiling.rows * _estimate_tile_cycles(tiling, product.depth)
    if rest:
        total += _estimate_tile_cycles(tiling._replace(rows=rest), product.depth)
        total *= _code_size_penalty(product)
    return total


def _estimate_tile_cycles(tiling: Tiling, depth: int) -> float:
    """Estimate the cycles of one tile: a step is bound by arithmetic, loads or latency."""
    R, J, chains = tiling
    busy = max(R * J, R + J) / FMA_PER_CYCLE + LOAD_CYCLES * (R + J)
    if depth * J * CACHE_LINE > L1_BYTES // 2:  # B comes from the second-level cache
        busy = max(busy, J * L2_LINE_CYCLES)
    step = max(busy, FMA_LATENCY / chains)
    return depth * step + TILE_OVERHEAD + R * J * chains


def _code_size_penalty(product: Product) -> float:
    """Return the factor by which a second tile size must be faster, to be worth compiling."""
    return 1.03 if product.work < MIN_CACHE_BOUND_WORK else 1.0


@functools.lru_cache(maxsize=1024)
def must_pack_columns(product: Product) -> bool:
    """Return True if tiles should read B from packed strips.

    They must where a row of B is not contiguous. They should where the lines of a block map to few
    sets of the first-level cache (strides that are powers of two), evict each other, and are read
    often enough.
    """
    stride, along = product.b_strides
    if product.columns > 1 and along != 1:
        return True
    bytes_apart = stride * ITEM_SIZES[product.dtype]
    block = choose_tiling(product).vectors * lanes(product.dtype)
    if product.rows < 64 or block >= product.columns:
        return False
    lines = -(-block * ITEM_SIZES[product.dtype] // CACHE_LINE)
    sets = {k * bytes_apart // CACHE_LINE % L1_SETS for k in range(min(product.depth, 4096))}
    reached = min(len(sets) * lines, L1_SETS)
    return product.depth * lines > reached * L1_WAYS


def must_pack_rows(product: Product) -> bool:
    """Return True if tiles should read A from packed strips: if it is transposed and large."""
    return product.a_strides[0] == 1 < product.rows and product.work >= MIN_ROW_PACKING_WORK


def row_strip_elements(product: Product) -> int:
    """Return the elements that A's strips take, rounded up to whole vectors."""
    if not must_pack_rows(product):
        return 0
    rows, width = choose_tiling(product).rows, lanes(product.dtype)
    return -(-(-(-product.rows // rows) * rows * product.depth) // width) * width


def prefers_dot_products(product: Product) -> bool:
    """Return True if B is transposed and there are too few rows to pay for transposing it back."""
    along = product.a_strides[1] == 1 or product.depth == 1
    far = product.columns * product.depth * ITEM_SIZES[product.dtype] > 8 * L1_BYTES
    few = product.rows <= (2 * MAX_DOT_ROWS if far else MAX_DOT_ROWS)
    return few and along and product.b_strides[0] == 1 != product.b_strides[1]
