"""How a product is cut into tiles: chosen from its shape alone, by a count of cycles."""

import functools
from dataclasses import dataclass

from .vectors import ITEM_SIZES, lanes, vector_registers

SUMS = 24  # vectors that a tile has at most
UNROLLED = 4  # steps of the depth that are written out, without a loop
LATENCY = 4  # cycles from one sum to the next in the same register
PORTS = 2  # products of vectors, and loads, begun in a cycle
LOAD = 0.1  # cycles by which each load slows a step down
FETCH = 1.6  # cycles for a line from the second cache
OVERHEAD = 12  # cycles to begin and end a tile
CACHE_SETS, CACHE_WAYS, LINE = 64, 8, 64  # the first cache, at the least
CACHE = CACHE_SETS * CACHE_WAYS * LINE
SMALL, LARGE = 2**22, 2**25  # products of numbers: below, compilation counts; above, caches do
FEW = 6  # rows for which vectors along the depth are better than turning B


@dataclass(frozen=True)
class Product:
    """C = A @ B: its shape and how its operands lie.

    C has `rows` x `columns` numbers, each a sum of `depth` products, all at least 1. a_strides
    are A's from row to row and along the depth, b_strides B's along the depth and from column to
    column, in elements: (1, M) is A transposed, (1, K) is B transposed.
    """

    rows: int
    columns: int
    depth: int
    dtype: str
    a_strides: tuple[int, int]
    b_strides: tuple[int, int]

    @property
    def transposed(self) -> "Product":
        """Cᵀ = Bᵀ @ Aᵀ: the better way to a single column, which lies in memory as a row does."""
        return Product(
            self.columns,
            self.rows,
            self.depth,
            self.dtype,
            (self.b_strides[1], self.b_strides[0]),
            (self.a_strides[1], self.a_strides[0]),
        )

    @property
    def work(self) -> int:
        """How many products of two numbers are added up."""
        return self.rows * self.columns * self.depth


@functools.lru_cache(maxsize=1024)
def chosen_tile(product: Product) -> tuple[int, int]:
    """(R, J): tiles of R rows x J vectors of columns."""
    vectors = -(-product.columns // lanes(product.dtype))
    widths = [J for J in range(1, min(vectors, 8) + 1) if _most_rows(J)]
    J = min(widths, key=lambda J: _cycles(product, vectors, J))
    return rows_for(product, J), J


def rows_for(product: Product, J: int) -> int:
    """R: how many rows a tile has that is J vectors wide."""
    most = max(1, _most_rows(J) // (2 if product.depth <= UNROLLED else 1))  # its code is as long
    most = min(most, product.rows)
    return min(range(1, most + 1), key=lambda R: _rows_cycles(product, R, J))


def chains_for(rows: int, vectors: int, depth: int) -> int:
    """How many sets of sums keep the processor busy: more than one only for small tiles."""
    chains = 1
    while chains * rows * vectors < LATENCY * PORTS and chains * 4 <= depth and chains < 8:
        chains *= 2
    return chains


def _most_rows(J: int) -> int:
    """What fits in the registers, with a row of B and a number of A beside the sums."""
    registers = vector_registers()
    spare = 3 if registers > 16 else 1
    return min(SUMS, registers - spare - J) // J


def _cycles(product: Product, vectors: int, J: int) -> float:
    """All columns' cycles: full blocks of J vectors, and the rest."""
    whole = product.columns // lanes(product.dtype) // J
    rest = vectors - whole * J
    total = 0.0
    for count, width in ((whole, J), (1, rest)):
        if count and width:
            total += count * _rows_cycles(product, rows_for(product, width), width)
    return total * (_another_body(product) if whole and rest else 1.0)


def _rows_cycles(product: Product, R: int, J: int) -> float:
    """One block of columns' cycles: full tiles of R rows, and the rest."""
    total = product.rows // R * _tile_cycles(R, J, product.depth)
    if product.rows % R:
        total += _tile_cycles(product.rows % R, J, product.depth)
        total *= _another_body(product)
    return total


def _tile_cycles(R: int, J: int, depth: int) -> float:
    busy = max(R * J, R + J) / PORTS + LOAD * (R + J)
    if depth * J * LINE > CACHE // 2:  # then B comes from the second cache
        busy = max(busy, J * FETCH)
    step = max(busy, LATENCY / chains_for(R, J, depth))
    return depth * step + OVERHEAD + R * J


def _another_body(product: Product) -> float:
    """What one more body of code must win, to be worth its compilation."""
    return 1.03 if product.work < SMALL else 1.0


@functools.lru_cache(maxsize=1024)
def packs_columns(product: Product) -> bool:
    """Whether tiles read B from strips.

    They must where B's columns don't lie side by side, and should where the lines of a block fall
    on few places of the cache, and are read often enough.
    """
    stride, along = product.b_strides
    if product.columns > 1 and along != 1:
        return True
    bytes_apart = stride * ITEM_SIZES[product.dtype]
    block = chosen_tile(product)[1] * lanes(product.dtype)
    if product.rows < 64 or block >= product.columns:
        return False
    lines = -(-block * ITEM_SIZES[product.dtype] // LINE)
    places = {k * bytes_apart // LINE % CACHE_SETS for k in range(min(product.depth, 4096))}
    reached = min(len(places) * lines, CACHE_SETS)
    return product.depth * lines > reached * CACHE_WAYS


def packs_rows(product: Product) -> bool:
    """Whether tiles read A from strips: where it is transposed and its lines lie far apart."""
    return product.a_strides[0] == 1 < product.rows and product.work >= LARGE


def rows_scratch(product: Product) -> int:
    """How many elements A's strips take, to the next whole vector."""
    if not packs_rows(product):
        return 0
    rows, width = chosen_tile(product)[0], lanes(product.dtype)
    return -(-(-(-product.rows // rows) * rows * product.depth) // width) * width


def dots_are_better(product: Product) -> bool:
    """Whether B's columns lie along memory and too few rows would pay for turning them."""
    along = product.a_strides[1] == 1 or product.depth == 1
    far = product.columns * product.depth * ITEM_SIZES[product.dtype] > 8 * CACHE
    few = product.rows <= (2 * FEW if far else FEW)
    return few and along and product.b_strides[0] == 1 != product.b_strides[1]
