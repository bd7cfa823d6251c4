"""Run gradient rules on symbols: a `Symbol` is numbers together with their formula.

The rules of operations are plain NumPy: run on Symbols, a rule writes its own formula while it
computes. So a derivative needs no second declaration to be explained.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ...core.numpy_dispatch import PLAIN, REDUCTIONS
from ...core.primitive import NUMPY_IMPLS, PRIMITIVES, Primitive, implementation_of
from ...errors import TraceError
from ...support.text_format import MAX_ENTRIES
from .expression import (
    ONE,
    ZERO,
    Call,
    Count,
    Expression,
    Name,
    Number,
    call,
    negative,
    power,
    product,
    quotient,
    summation,
    total,
)

MAX_OPERATIONS = 60  # in one formula: a longer one explains nothing
CONDITIONS = {
    np.less: "<x> < <y>",
    np.less_equal: r"<x> \le <y>",
    np.greater: "<x> > <y>",
    np.greater_equal: r"<x> \ge <y>",
    np.equal: "<x> = <y>",
    np.not_equal: r"<x> \ne <y>",
}
CONNECTIVES = {operator.and_: r"<x> \text{ and } <y>", operator.or_: r"<x> \text{ or } <y>"}


class Symbol:
    r"""An array or a number, and its formula.

    >>> u = Symbol(Name("u"), np.array([1.0, -2.0]))
    >>> half = 2.0 * u / np.size(u)
    >>> half.expression.latex, half.number.tolist()
    ('\\frac{2u}{N}', [1.0, -2.0])
    """

    __slots__ = ("expression", "length", "number")
    __apply__: ClassVar[Callable[..., Any]]  # how a Primitive evaluates itself on Symbols
    __array_priority__ = 1000.0

    def __init__(self, expression: Expression, number: Any, length: int = 1) -> None:
        self.expression = expression
        self.number = number
        self.length = length  # about the number of operations in the formula

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the numbers."""
        return np.shape(self.number)

    @property
    def dtype(self) -> Any:
        """The floating type."""
        return np.asarray(self.number).dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return np.ndim(self.number)

    @property
    def size(self) -> Any:
        """The number of entries, written N if there are several."""
        count = int(np.size(self.number))
        return Symbol(Count(count), float(count)) if count > 1 else count

    @property
    def T(self) -> Any:
        """The transpose."""
        return np.transpose(self)  # type: ignore[call-overload]

    def astype(self, dtype: Any) -> Symbol:
        """Return the same Symbol in another dtype."""
        return Symbol(self.expression, np.asarray(self.number).astype(dtype), self.length)

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, index: Any) -> Any:
        return PRIMITIVES["getitem_at"].evaluate((self,), {"index": index})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "reduce" and ufunc in REDUCTIONS:
            return NUMPY_IMPLS[REDUCTIONS[ufunc]](*inputs, **{"axis": 0, **options})
        if method == "__call__" and not options:
            if (operation := implementation_of(ufunc)) is not None:
                return operation(*inputs)
            if ufunc in CONDITIONS:
                return compare(ufunc, CONDITIONS[ufunc], *inputs)
            if ufunc in PLAIN:
                return ufunc(*map(number_of, inputs))
        raise TraceError(f"np.{ufunc.__name__} cannot be written as a formula")

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, options: Any
    ) -> Any:
        if function is np.size and len(args) == 1:
            return args[0].size
        if function in NUMPY_IMPLS:
            return NUMPY_IMPLS[function](*args, **options)
        if function in PLAIN:
            return function(*map(number_of, args), **options)
        raise TraceError(f"{function.__name__} cannot be written as a formula")

    def __bool__(self) -> bool:
        raise TraceError("a formula has no truth value")

    __hash__ = None  # type: ignore[assignment]


def apply_symbolically(
    operation: Primitive, operands: Sequence[Any], options: Mapping[str, Any], out: Any = None
) -> Symbol:
    """Apply an operation to Symbols: its formula, and its numbers unless they are in `out`."""
    length = 1 + sum(x.length for x in flatten_operands(operands) if isinstance(x, Symbol))
    if length > MAX_OPERATIONS:
        raise TraceError("the formula is too long to read")
    if out is None:
        numbers = tuple(number_of(x) for x in operands)
        out = operation.evaluate(numbers, dict(options))
    return Symbol(operation_formula(operation, operands, options, out), out, length)


Symbol.__apply__ = staticmethod(apply_symbolically)


def operation_formula(
    operation: Primitive, operands: Sequence[Any], options: Mapping[str, Any], out: Any
) -> Expression:
    """Return the formula of an operation: by algebra if there is a rule, else by its template."""
    x = [expression_of(operand) for operand in operands]
    name = operation.name
    if operation.identity:
        return x[0]
    if name in {"multiply", "chain", "zero_product"}:
        return product(*x)
    if name in ALGEBRA:
        return ALGEBRA[name](*x)
    if operation.matrix_product:
        shapes = [np.shape(number_of(operand)) for operand in operands[:2]]
        found = _matrix_product(x[0], x[1], shapes, out) or call(
            PRIMITIVES["matmul"].latex or "", {"x": x[0], "y": x[1]}
        )
        return total(found, x[2]) if len(x) > 2 else found
    if name == "getitem_at":
        return call(rf"{{<x>}}_{{[{index_latex(options['index'])}]}}", {"x": x[0]})
    if name == "where" and isinstance(number_of(operands[0]), np.ndarray) and x[1] == x[2]:
        return x[1]
    if name == "where" and x[0] in {ZERO, ONE}:
        return x[1] if x[0] == ONE else x[2]
    count = 0
    if name in {"mean", "mean_square"}:
        count = int(np.size(number_of(operands[0])) // max(np.size(out), 1))
    if operation.variadic:
        x = x if len(x) <= MAX_ENTRIES else [*x[: MAX_ENTRIES - 1], Name("…"), x[-1]]
        return call(operation.latex or _by_name(operation), {operation.operands[0]: x}, count)
    x = [y if z is not None else Name(r"\cdot") for y, z in zip(x, operands, strict=True)]
    return _template_call(operation, x, options, count)


def _template_call(
    operation: Primitive, x: Sequence[Expression], options: Mapping[str, Any], count: int = 0
) -> Expression:
    """Return an operation's template with the operands and the options that it shows."""
    shown = {name: expression_of(options[name]) for name in operation.shown_options}
    fillings = dict(zip(operation.operands, x, strict=True)) | shown
    return call(operation.latex or _by_name(operation), fillings, count)


def explicit_formula(
    operation: Primitive, operands: Sequence[Any], options: Mapping[str, Any], out: Any
) -> Expression:
    """Return the formula of an operation that is shown by itself, even if it changes no number.

    >>> x, out = Symbol(Name("x"), np.ones(4)), np.ones((2, 2))
    >>> explicit_formula(PRIMITIVES["reshape_to"], [x], {"shape": (2, 2)}, out).text
    'reshape(x)'
    >>> explicit_formula(PRIMITIVES["multiply"], [x, 0.0], {}, np.zeros(4)).text
    'x · 0'
    """
    found = operation_formula(operation, operands, options, out)
    if operation.latex and (operation.identity or isinstance(found, Number)):
        return _template_call(operation, [*map(expression_of, operands)], options)
    return found


def index_latex(index: Any) -> str:
    r"""Return an index as LaTeX; anything but integers and slices is a dot.

    >>> index_latex((slice(None), 0)), index_latex(slice(1, 3)), index_latex(np.array([1, 2]))
    (':, 0', '1:3', '\\cdot')
    """
    if isinstance(index, tuple):
        return ", ".join(map(index_latex, index))
    if isinstance(index, slice):
        ends = ("" if x is None else str(x) for x in (index.start, index.stop, index.step))
        return ":".join(ends).removesuffix(":")
    return str(index) if isinstance(index, (int, np.integer)) else r"\cdot"


def transpose(x: Expression) -> Expression:
    """Return xᵀ, or x for xᵀ."""
    template = PRIMITIVES["transpose_to"].latex or ""
    if isinstance(x, Call) and x.template == template:
        return x.holes[0][1][0]
    return x if isinstance(x, (Number, Count)) else call(template, {"x": x})


ALGEBRA: dict[str, Callable[..., Expression]] = {
    "add": total,
    "subtract": lambda x, y: total(x, negative(y)),
    "negative": negative,
    "divide": quotient,
    "reciprocal": lambda x: quotient(ONE, x),
    "square": lambda x: product(x, x),
    "power": power,
    "sum": summation,
    "transpose_to": transpose,
}


def _matrix_product(x: Expression, y: Expression, shapes: Any, out: Any) -> Expression | None:
    """Return a matrix product as w·x or Σ w·x if a factor or the result is a single number."""
    entries = [int(np.prod(shape)) for shape in shapes]
    if entries[0] == 1 or entries[1] == 1:
        one, other = (y, x) if entries[1] == 1 else (x, y)
        return product(_column(one), other)
    if np.size(out) == 1:
        return summation(product(_column(y), _column(x)))
    return None


def _column(x: Expression) -> Expression:
    """Return a vector without its transpose."""
    template = PRIMITIVES["transpose_to"].latex
    return transpose(x) if isinstance(x, Call) and x.template == template else x


def compare(ufunc: Callable[..., Any], template: str, x: Any, y: Any) -> Symbol:
    """Return a condition as a Symbol; a test for nan beside it is left out."""
    holes = {"x": expression_of(x), "y": expression_of(y)}
    found: Expression = call(template, holes)
    if template == CONNECTIVES[operator.or_]:
        parts = [z for z in holes.values() if not _asks_for_nan(z)]
        found = parts[0] if len(parts) == 1 else found
    if template == CONNECTIVES[operator.and_]:
        parts = [z for z in holes.values() if z != ONE]  # 1 decides nothing, 0 everything
        found = ZERO if ZERO in parts else found if len(parts) == 2 else parts[0] if parts else ONE
    return Symbol(found, ufunc(number_of(x), number_of(y)))


def _asks_for_nan(x: Expression) -> bool:
    """Return whether a condition is x ≠ x."""
    if not isinstance(x, Call) or x.template != CONDITIONS[np.not_equal]:
        return False
    (_, left), (_, right) = x.holes
    return left == right


def flatten_operands(operands: Sequence[Any]) -> Iterator[Any]:
    """Yield the operands, and those inside lists."""
    for x in operands:
        yield from x if isinstance(x, (list, tuple)) else (x,)


def number_of(x: Any) -> Any:
    """Return the numbers of a Symbol, or anything else as it is."""
    if isinstance(x, Symbol):
        return x.number
    return type(x)(map(number_of, x)) if type(x) in {list, tuple} else x


def expression_of(x: Any) -> Expression:
    """Return the formula of a Symbol, a plain number, or a plain array."""
    if isinstance(x, Symbol):
        return x.expression
    array = np.asarray(x if x is not None else np.nan)
    if array.size and array.dtype.kind in "fiub":
        first = array.reshape(-1)[0]
        if (array == first).all():
            return Number(float(first))
        zeros_and_ones = array.ndim > 1 and bool(np.isin(array, (0, 1)).all())
        if zeros_and_ones and (array.sum(axis=-1) == 1).all():
            return Name(r"\operatorname{onehot}\left(y\right)")
    return Name(r"\mathrm{constant}")


def _by_name(operation: Primitive) -> str:
    """Return a template for an operation that has none: its name and its operands."""
    word = re.sub("[<>]", "", operation.name).replace("_", r"\_")
    holes = ", ".join(f"<{operand}>" for operand in operation.operands)
    return rf"\operatorname{{{word}}}\left({holes}\right)"


def _operator(name: str, reflected: bool = False) -> Callable[..., Any]:
    def on(self: Symbol, *other: Any) -> Symbol:
        operands = (*other, self) if reflected else (self, *other)
        return apply_symbolically(PRIMITIVES[name], operands, PRIMITIVES[name].defaults)

    return on


for _name, _operation in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "pow": "power",
    "matmul": "matmul",
    "mod": "remainder",
}.items():
    setattr(Symbol, f"__{_name}__", _operator(_operation))
    setattr(Symbol, f"__r{_name}__", _operator(_operation, reflected=True))
for _name, _operation in {"neg": "negative", "abs": "abs", "pos": "positive"}.items():
    setattr(Symbol, f"__{_name}__", _operator(_operation))
for _ufunc, _template in CONDITIONS.items():
    _name = {"less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge",
             "equal": "eq", "not_equal": "ne"}[_ufunc.__name__]  # fmt: skip
    setattr(
        Symbol,
        f"__{_name}__",
        lambda self, other, ufunc=_ufunc, template=_template: compare(ufunc, template, self, other),
    )
for _join, _template in CONNECTIVES.items():
    _name = {operator.and_: "and", operator.or_: "or"}[_join]
    for _prefix in ("", "r"):
        setattr(
            Symbol,
            f"__{_prefix}{_name}__",
            lambda self, other, join=_join, template=_template: compare(
                join, template, self, other
            ),
        )
