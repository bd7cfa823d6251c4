"""Run gradient rules on symbols: a `Symbol` is numbers together with their formula.

The rules of operations are plain NumPy: run on Symbols, a rule writes its own formula while it
computes. So a derivative needs no second declaration to be explained.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from ...core.numpy_dispatch import PLAIN, REDUCTIONS
from ...core.primitive import NUMPY_IMPLS, PRIMITIVES, Primitive, implementation_of
from ...errors import TraceError
from ...support.text_format import MAX_ENTRIES, number_latex
from .expression import (
    AXES,
    ONE,
    ZERO,
    Call,
    Count,
    Expression,
    Name,
    Number,
    Product,
    axes_letters,
    call,
    index_template,
    negative,
    power,
    product,
    quotient,
    summation,
    total,
)

MAX_INDICES = 16  # in an array of indices that is written out
MAX_CONSTANT = 4  # rows and columns of a constant that is written out
MAX_OPERATIONS = ContextVar("MAX_OPERATIONS", default=60)
"""The most operations in one formula: a longer one explains nothing."""
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

    __slots__ = ("expression", "length", "number", "written_shape")
    __apply__: ClassVar[Callable[..., Any]]  # how a Primitive evaluates itself on Symbols
    __array_priority__ = 1000.0

    def __init__(self, expression: Expression, number: Any, length: int = 1) -> None:
        self.expression = expression
        self.number = number
        self.length = length  # about the number of operations in the formula
        self.written_shape = np.shape(number)  # formulas leave out axes of one entry

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
        return self.with_number(np.asarray(self.number).astype(dtype))

    def with_number(self, number: Any) -> Symbol:
        """Return the same formula with other numbers."""
        found = Symbol(self.expression, number, self.length)
        found.written_shape = self.written_shape
        return found

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
    if length > MAX_OPERATIONS.get():
        raise TraceError("the formula is too long to read")
    if out is None:
        numbers = tuple(number_of(x) for x in operands)
        out = operation.evaluate(numbers, dict(options))
    found = Symbol(operation_formula(operation, operands, options, out), out, length)
    if operation.entrywise or (
        operation.identity and squeezed_shape(out) == squeezed_shape(number_of(operands[0]))
    ):
        shapes = [x.written_shape if isinstance(x, Symbol) else np.shape(x) for x in operands]
        found.written_shape = _joint_shape(shapes, operands, out)
    return found


def _joint_shape(
    shapes: Sequence[tuple[int, ...]], operands: Sequence[Any], out: Any
) -> tuple[int, ...]:
    """Return the shape that the formula of an entrywise operation has."""
    whole = all(
        math.prod(shape) == np.size(number_of(x)) for shape, x in zip(shapes, operands, strict=True)
    )
    try:
        found = np.broadcast_shapes(*shapes)
    except ValueError:  # some lack axes
        found = max(shapes, key=len)
    outer = whole and len(shapes) > 1 and math.prod(found) != np.size(out)  # a column times a row
    return np.shape(out) if outer else found


def rank_of(number: Any) -> int:
    """Return 0 for a number, also in an array of one entry; 1 for a list; 2 for other arrays."""
    return min(len(squeezed_shape(number)), 2)


Symbol.__apply__ = staticmethod(apply_symbolically)


def operation_formula(
    operation: Primitive, operands: Sequence[Any], options: Mapping[str, Any], out: Any
) -> Expression:
    """Return the formula of an operation: by algebra if there is a rule, else by its template."""
    found = _formula(operation, operands, options, out)
    if not isinstance(found, Call):
        return found
    rank = rank_of(out)
    if operation.entrywise:  # ln 2 is a number, however often it is repeated
        rank = min(rank, max(x.rank for x in found.parts))
    return replace(found, rank=rank)


def _formula(
    operation: Primitive, operands: Sequence[Any], options: Mapping[str, Any], out: Any
) -> Expression:
    entrywise = operation.entrywise or operation.identity
    shape = np.shape(out) if entrywise else None
    x = [with_axes(operand, shape) for operand in operands]
    name = operation.name
    if not entrywise or name == "reshape_to":
        x = [_repeated(z, of) for z, of in zip(x, operands, strict=True)]
    if operation.identity:
        same = squeezed_shape(number_of(operands[0])) == squeezed_shape(out)
        spread = name != "reshape_to" or isinstance(x[0], (Number, Count))
        return x[0] if same or spread else _reshape(x[0], np.shape(out))
    if name in {"multiply", "chain", "zero_product"}:
        return _outer_product(operands[0], operands[1], out) or product(*x)
    if name in ALGEBRA:
        return ALGEBRA[name](*x)
    letters = _letters_of(operation, operands, options)
    if isinstance(x[0], Number) and name in {"getitem_at", "sum"}:  # every entry is this number
        return x[0] if name == "getitem_at" else times(x[0], np.size(number_of(operands[0])), out)
    if name == "sum" and not x[0].rank:
        return times(x[0], np.size(number_of(operands[0])), out)
    if name == "sum":
        return summation(x[0], letters)
    if name == "transpose_to":
        return _transpose(x[0], np.ndim(out), options.get("axes"))
    if operation.matrix_product:
        found = _matrix_product(x[0], x[1], number_of(operands[0]), number_of(operands[1]), out)
        return total(found, x[2]) if len(x) > 2 else found
    if name in {"getitem_at", "put_at"} and not _reads_entries(options["index"], operands[0], out):
        return x[0]
    if name == "put_at":
        index, lengths = index_latex(options["index"]), r" \times ".join(map(str, np.shape(out)))
        head = rf"\operatorname{{scatter}}_{{[{index}]}}"
        return call(rf"{head}\left(<x>, {lengths}\right)", {"x": x[0]})
    if name == "set_item":
        head = rf"\operatorname{{set}}_{{{_written_place(**options)}}}"
        return call(rf"{head}\left(<x>, <v>\right)", {"x": x[0], "v": x[1]})
    if name == "getitem_at" and _is_scattered(x[0], options["index"]):
        return x[0].parts[0]
    if name == "getitem_at":
        return call(rf"{{<x>}}_{{[{index_latex(options['index'])}]}}", {"x": x[0]})
    if name == "where" and isinstance(number_of(operands[0]), np.ndarray) and x[1] == x[2]:
        return x[1]
    if name == "where" and x[0] in {ZERO, ONE}:
        return x[1] if x[0] == ONE else x[2]
    if name == "where" and x[1] == ZERO and (word := _triangle(number_of(operands[0]))):
        return call(rf"\operatorname{{{word}}}\left(<x>\right)", {"x": x[2]})
    if name == "triangular_solution" and not options["unit_diagonal"]:
        word = "lower" if options["lower"] else "upper"
        inner: Expression = call(rf"\operatorname{{{word}}}\left(<x>\right)", {"x": x[0]})
        inner = transpose(inner) if options["trans"] else inner
        return call(r"{<x>}^{-1} <y>", {"x": inner, "y": x[1]})
    count = 0
    if name in {"mean", "mean_square"}:
        count = int(np.size(number_of(operands[0])) // max(np.size(out), 1))
    if options.get("average"):  # the mean of the rows' losses
        template = r"-\frac{1}{N} \sum \ln\operatorname{softmax}_y\left(<x>\right)"
        return call(template, {"x": x[0]}, int(np.size(options["labels"])))
    if name == "concatenate_all":
        return _concatenate(x, operands, options["axis"], out)
    if name == "einsum_of":
        return _sum_of_products(x, operands, options["subscripts"], out)
    if operation.variadic:
        x = x if len(x) <= MAX_ENTRIES else [*x[: MAX_ENTRIES - 1], Name(r"\ldots"), x[-1]]
        return call(operation.latex or _by_name(operation), {operation.operands[0]: x}, count)
    if name in NORMS and letters:
        powers = {"x": x[0], "p": expression_of(options.get("order", 2.0))}
        return call(index_template(NORMS[name], letters), powers)
    x = [y if z is not None else Name(r"\cdot") for y, z in zip(x, operands, strict=True)]
    if not entrywise:
        x = [_repeated(z, of, numbers=True) for z, of in zip(x, operands, strict=True)]
    found = _template_call(operation, x, options, count)
    template = index_settings(index_template(found.template, letters), options)
    if rank_of(out) == 2 and all(y.matrix for _, hole in found.holes for y in hole):
        template = template.replace(r"\cdot", r"\odot")
    return replace(found, template=template)


NORMS = {
    "euclidean_norm": r"\sqrt{\sum {<x>}^{2}}",
    "norm_of_order": r"{\left(\sum {\left|<x>\right|}^{<p>}\right)}^{\frac{1}{<p>}}",
}
"""Those along some axes; the norm of all entries has bars."""


def index_settings(template: str, options: Mapping[str, Any]) -> str:
    r"""Return a template with the options of its windows, and of a padding, as an index.

    >>> index_settings(r"<x> \star <w>", {"stride": (2, 2), "padding": ((1, 1), (1, 1))})
    '<x> \\star_{\\text{stride } 2, \\text{padding } 1} <w>'
    """
    settings = []
    if "size" in options and r"\star" not in template:
        settings.append(_by_axis(options["size"], always=True))
    if "widths" in options:
        settings.append(_by_axis(options["widths"]))
    settings += [
        rf"\text{{{name} }} {_by_axis(options[name])}"
        for name, usual in USUAL_WINDOWS.items()
        if name in options and any(z != usual for z in np.ravel(options[name]))
    ]
    if not settings:
        return template
    index = ", ".join(settings)
    if r"\star_{n}" in template:
        return template.replace(r"\star_{n}", rf"\star_{{n, {index}}}")
    return SIGN_OF_WINDOWS.sub(lambda found: rf"{found[0]}_{{{index}}}", template, 1)


USUAL_WINDOWS = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
SIGN_OF_WINDOWS = re.compile(r"\\star(?:\^\{\\mathsf\{T\}\})?|\\operatorname\{[^}]*\}")


def _by_axis(setting: Any, always: bool = False) -> str:
    """Return a setting by axes, as one number where it is the same for all unless `always`."""
    parts = [setting] if np.ndim(setting) == 0 else list(setting)
    words = [
        str(z) if np.ndim(z) == 0 else str(z[0]) if z[0] == z[1] else f"({z[0]}, {z[1]})"
        for z in parts
    ]
    words = words if always or len(set(words)) > 1 else words[:1]
    return r" \times ".join(words)


def _concatenate(
    x: Sequence[Expression], operands: Sequence[Any], axis: int, out: Any
) -> Expression:
    """Return arrays joined: stack(a, b) if each is written without the axis, a new first one."""
    stacked = axis % np.ndim(out) == 0 and all(
        isinstance(z, Symbol) and len(z.written_shape) == np.ndim(out) - 1 for z in operands
    )
    if stacked:
        x = [expression_of(z) for z in operands]
    if (blocks := _blocks(x, axis, np.ndim(out))) is not None:
        return blocks
    letters = "" if stacked else axes_letters(np.ndim(out), (axis,))
    name = r"\operatorname{stack}" if stacked else r"\operatorname{concatenate}"
    x = x if len(x) <= MAX_ENTRIES else [*x[: MAX_ENTRIES - 1], Name(r"\ldots"), x[-1]]
    return call(index_template(rf"{name}\left(<arrays>\right)", letters), {"arrays": x})


def _triangle(mask: Any) -> str:
    """Return which triangle is left where this mask is not: "upper", "lower", or ""."""
    if np.ndim(mask) != 2 or not np.any(mask):
        return ""
    ones = np.ones(np.shape(mask), bool)
    kinds = {"upper": np.tril(ones, -1), "lower": np.triu(ones, 1)}
    return next((word for word, cut in kinds.items() if np.array_equal(mask, cut)), "")


def _blocks(x: Sequence[Expression], axis: int, ndim: int) -> Expression | None:
    """Return rows of blocks as a matrix of them, or None if the rows aren't joined from blocks."""
    beside = index_template(r"\operatorname{concatenate}\left(<arrays>\right)", "j")
    if ndim != 2 or axis % ndim or any(getattr(z, "template", "") != beside for z in x):
        return None
    rows = [z.parts for z in x]
    holes = {f"b{i}{k}": one for i, row in enumerate(rows) for k, one in enumerate(row)}
    cells = r" \\ ".join(
        " & ".join(f"<b{i}{k}>" for k in range(len(row))) for i, row in enumerate(rows)
    )
    return call(rf"\begin{{pmatrix}} {cells} \end{{pmatrix}}", holes)


def _written_place(index: Any, path: Sequence[tuple[Primitive, Mapping[str, Any]]]) -> str:
    """Return which entries of an array are written to: an index, or those of views in turn."""
    if any(operation.name != "getitem_at" for operation, _ in path):
        return r"\mathrm{view}"
    indices = [options["index"] for _, options in path]
    indices += [] if path and index is Ellipsis else [index]
    return "".join(f"[{index_latex(one)}]" for one in indices)


def _is_scattered(x: Expression, index: Any) -> bool:
    """Return whether an array has entries of another, and zeros, and these entries are taken."""
    place = index_latex(index)
    if "[" in place or r"\cdot" in place:  # an array may name an entry twice
        return False
    head = rf"\operatorname{{scatter}}_{{[{place}]}}\left("
    return isinstance(x, Call) and x.template.startswith(head)


def _sum_of_products(
    x: Sequence[Expression], operands: Sequence[Any], subscripts: str, out: Any
) -> Expression:
    r"""Return a sum of products with all indices: [Σⱼ A_ij B_jk]_ik is the array of these entries.

    Ones are left out, and identity matrices are written δ.
    """
    inputs, _, output = subscripts.partition("->")
    holes: dict[str, Expression] = {}
    factors: list[str] = []
    for i, (one, of, letters) in enumerate(zip(x, operands, inputs.split(","), strict=True)):
        if one == ONE:
            continue
        if (
            not isinstance(of, Symbol)
            and np.ndim(of) == 2
            and np.array_equal(of, np.eye(*np.shape(of)))
        ):
            factors.append(rf"\delta_{{{letters}}}")
        else:
            holes[f"x{i}"] = one
            factor = f"<x{i}>" if isinstance(one, Name) else rf"\left(<x{i}>\right)"
            factors.append(rf"{{<x{i}>}}_{{{letters}}}" if letters else factor)
    summed = dict.fromkeys(c for c in inputs if c.isalpha() and c not in output)
    entry = r" \, ".join(factors) or "1"
    if summed:
        entry = rf"\sum_{{{','.join(summed)}}} {entry}"
    found = call(rf"\left[{entry}\right]_{{{output}}}" if output else entry, holes)
    return replace(found, rank=rank_of(out))


def _outer_product(x: Any, y: Any, out: Any) -> Expression | None:
    """Return the product of a column with a row as x yᵀ, or None for other products.

    That of arrays that have no axis in common, of more than two together, is written by entries.
    """
    if np.ndim(out) > 2 and isinstance(x, Symbol) and isinstance(y, Symbol):
        letters = "bijklmnop"[: np.ndim(out)]
        axes = [
            "".join(c for c, n in zip(letters[-np.ndim(z.number) :], z.shape, strict=True) if n > 1)
            for z in (x, y)
        ]
        whole = [squeezed_shape(z.number) == list(z.written_shape) for z in (x, y)]
        if all(axes) and all(whole) and not set(axes[0]) & set(axes[1]):
            return _sum_of_products(
                [x.expression, y.expression],
                [x, y],
                f"{axes[0]},{axes[1]}->" + "".join(c for c in letters if c in axes[0] + axes[1]),
                out,
            )
    of_x, of_y = np.shape(number_of(x)), np.shape(number_of(y))
    column = len(of_x) == 2 and of_x[0] > of_x[1] == 1
    row = of_y[-1:] > (1,) and of_y[:-1] in {(), (1,)}
    left, right = expression_of(x), expression_of(y)
    if not (column and row) or any(isinstance(z, (Number, Count)) for z in (left, right)):
        return None
    if not isinstance(y, Symbol):
        return None
    right = right if len(y.written_shape) > 1 else transpose(right)
    return call(PRIMITIVES["matmul"].latex or "", {"x": left, "y": right})


def _reads_entries(index: Any, x: Any, out: Any) -> bool:
    """Return whether an index does more than drop or add axes of one entry."""
    parts = index if isinstance(index, tuple) else (index,)
    whole = all(
        z is Ellipsis or z is None or z == 0 or z == slice(None)
        for z in parts
        if not isinstance(z, np.ndarray)
    )
    arrays = any(isinstance(z, np.ndarray) for z in parts)
    return arrays or not whole or np.size(number_of(x)) != np.size(out)


def times(x: Expression, terms: int, out: Any) -> Expression:
    """Return the sum of equal terms for each entry of the result."""
    return product(Number(terms / max(np.size(out), 1)), x)


def squeezed_shape(x: Any) -> list[int]:
    """Return a shape without axes of length 1."""
    return [n for n in np.shape(x) if n != 1]


def with_axes(x: Any, entrywise: tuple[int, ...] | None = None) -> Expression:
    """Return the formula of an operand; reshaped, if it lacks axes that one would miss.

    An entrywise operation, with results of a shape, misses them only where the entries would be
    repeated along another axis.
    """
    if not isinstance(x, Symbol) or len(x.written_shape) == np.ndim(x.number):
        return expression_of(x)
    if entrywise is None:
        whole = np.ndim(x.number) <= 2
    else:
        lead = (1,) * (np.ndim(x.number) - len(x.written_shape))
        try:
            fits = np.broadcast_shapes(x.written_shape, entrywise) == entrywise
        except ValueError:
            fits = False
        whole = (
            not fits or (*lead, *x.written_shape) == np.shape(x.number) or np.size(x.number) == 1
        )
        whole = whole or squeezed_shape(x.number) == squeezed_shape(np.empty(entrywise))
    return x.expression if whole else _reshape(x.expression, np.shape(x.number))


def _reshape(x: Expression, shape: tuple[int, ...]) -> Expression:
    lengths = r" \times ".join(map(str, shape))
    return call(rf"\operatorname{{reshape}}\left(<x>, {lengths}\right)", {"x": x})


def _repeated(x: Expression, of: Any, numbers: bool = False) -> Expression:
    """Return the formula of an operand that is written with fewer entries than it has.

    With `numbers`, that of a number that stands for an array of equal ones, too.
    """
    if not isinstance(of, Symbol):
        return x
    size = np.size(of.number)
    written = math.prod(of.written_shape) if x.rank else 1 if numbers else size
    if written == size:
        return x
    lengths = r" \times ".join(map(str, np.shape(of.number)))
    return call(rf"\operatorname{{broadcast}}\left(<x>, {lengths}\right)", {"x": x})


BY_ROWS = {"softmax", "log_softmax", "standardize", "rms_normalize"}
"""Operations along the last axis, unless their formula has an index."""


def _letters_of(operation: Primitive, operands: Sequence[Any], options: Mapping[str, Any]) -> str:
    """Return the letters of the axes that an operation runs along, "" for all or the usual ones."""
    axis, ndim = options.get("axis", ()), np.ndim(number_of(operands[0]))
    if axis is None and operation.name in BY_ROWS and ndim in AXES:
        return ",".join(AXES[ndim])
    if axis is None or axis == () or not ndim:
        return ""
    axes = tuple(np.atleast_1d(axis))
    if operation.name in BY_ROWS and {int(i) % ndim for i in axes} == {ndim - 1}:
        return ""
    return axes_letters(ndim, axes)


def _template_call(
    operation: Primitive, x: Sequence[Expression], options: Mapping[str, Any], count: int = 0
) -> Call:
    """Return an operation's template with the operands and the options that it shows."""
    template, shown = operation.latex or _by_name(operation), {}
    for name in operation.shown_options:
        if f"; <{name}>" in template and np.array_equal(options[name], operation.defaults[name]):
            template = template.replace(f"; <{name}>", "")  # behind a semicolon, if it is unusual
        else:
            shown[name] = expression_of(options[name])
    return call(template, dict(zip(operation.operands, x, strict=True)) | shown, count)


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


class NamedIndex(np.ndarray[Any, np.dtype[Any]]):
    """An array of indices that formulas write as a name."""

    spelt: str


def name_indices(index: Any, latex: Callable[[Any], str]) -> Any:
    """Return an index whose long arrays are written by their names."""
    if isinstance(index, tuple):
        return tuple(name_indices(part, latex) for part in index)
    if not is_long_index(index):
        return index
    found = index.view(NamedIndex)
    found.spelt = latex(index)
    return found


def is_long_index(index: Any) -> bool:
    """Return whether this is an array of too many indices to be written out."""
    return isinstance(index, np.ndarray) and index.dtype != np.bool_ and index.size > MAX_INDICES


def index_latex(index: Any) -> str:
    r"""Return an index as LaTeX; a large or masking array is a dot.

    >>> index_latex((slice(None), 0)), index_latex(slice(1, 3)), index_latex(np.array([1, 2]))
    (':, 0', '1:3', '[1, 2]')
    """
    if isinstance(index, tuple):
        return ", ".join(map(index_latex, index))
    if isinstance(index, slice):
        ends = ("" if x is None else str(x) for x in (index.start, index.stop, index.step))
        return ":".join(ends).removesuffix(":")
    if isinstance(index, NamedIndex):
        return index.spelt
    if index is Ellipsis:
        return r"\ldots"
    if isinstance(index, np.ndarray) and index.dtype == np.bool_ and index.ndim:
        return ", ".join(index_latex(places) for places in np.nonzero(index))
    if isinstance(index, np.ndarray) and index.ndim and index.size <= MAX_INDICES:
        return str(index.tolist())
    if index is None:
        return r"\mathrm{new}"
    return str(index) if isinstance(index, (int, np.integer)) else r"\cdot"


def transpose(x: Expression) -> Expression:
    """Return xᵀ, or x for xᵀ."""
    template = PRIMITIVES["transpose_to"].latex or ""
    if isinstance(x, Call) and x.template == template:
        return x.holes[0][1][0]
    if isinstance(x, Call) and x.template == PRIMITIVES["matmul"].latex:
        ((_, (left,)), (_, (right,))) = x.holes
        if template in {getattr(z, "template", "") for z in (left, right)}:  # (Xᵀ Y)ᵀ = Yᵀ X
            return replace(x, holes=(("x", (transpose(right),)), ("y", (transpose(left),))))
    number, rest = _without_number(x)
    if number != ONE:
        return product(number, transpose(rest))
    return x if isinstance(x, (Number, Count)) else call(template, {"x": x})


def _transpose(x: Expression, ndim: int, axes: Any) -> Expression:
    """Return xᵀ where the last two axes are exchanged, else the order of the axes, from 0."""
    order = [axis % ndim for axis in axes] if axes is not None else [*range(ndim)][::-1]
    if order == [*range(ndim)] or isinstance(x, (Number, Count)):
        return x
    if order == [*range(ndim - 2), ndim - 1, ndim - 2]:
        return transpose(x)
    numbers = ",".join(map(str, order))
    return call(rf"\operatorname{{transpose}}_{{{numbers}}}\left(<x>\right)", {"x": x})


ALGEBRA: dict[str, Callable[..., Expression]] = {
    "add": total,
    "subtract": lambda x, y: total(x, negative(y)),
    "negative": negative,
    "divide": quotient,
    "reciprocal": lambda x: quotient(ONE, x),
    "square": lambda x: product(x, x),
    "power": power,
}


def _matrix_product(x: Expression, y: Expression, of_x: Any, of_y: Any, out: Any) -> Expression:
    """Return a matrix product; as w·x if a factor is a single number, Σ w·x of two vectors."""
    if np.size(of_x) == 1 or np.size(of_y) == 1:
        one, other = (y, x) if np.size(of_y) == 1 else (x, y)
        return product(_column(one), other)
    rows = np.ndim(of_x) == 1 or np.shape(of_x)[:-1] == (1,)
    columns = np.ndim(of_y) == 1 or np.shape(of_y)[1:] == (1,)
    if np.size(out) == 1 and rows and columns and np.ndim(of_x) == np.ndim(of_y) == 1:
        return summation(product(y, x))
    if ZERO in {x, y}:
        return ZERO
    if isinstance(x, Number) or isinstance(y, Number):
        raise TraceError("a matrix of equal entries cannot be written as a factor")
    (first, x), (second, y) = _without_number(x), _without_number(y)
    return product(first, second, call(PRIMITIVES["matmul"].latex or "", {"x": x, "y": y}))


def _without_number(x: Expression) -> tuple[Expression, Expression]:
    """Return the number that a product or a quotient is multiplied by, and what is multiplied."""
    if not isinstance(x, Product):
        return ONE, x
    over, under = (
        tuple(y for y in part if not isinstance(y, (Number, Count))) for part in (x.over, x.under)
    )
    if not over:
        return ONE, x
    number = product(Number(x.coefficient), *(y for y in x.over if isinstance(y, (Number, Count))))
    for y in x.under:
        if isinstance(y, (Number, Count)):
            number = quotient(number, y)
    return number, product(*over, Product(1.0, (), under) if under else ONE)


def _column(x: Expression) -> Expression:
    """Return a vector without its transpose."""
    template = PRIMITIVES["transpose_to"].latex
    return transpose(x) if isinstance(x, Call) and x.template == template else x


def compare(ufunc: Callable[..., Any], template: str, x: Any, y: Any) -> Symbol:
    """Return a condition as a Symbol; a test for nan beside it is left out."""
    holes = {"x": expression_of(x), "y": expression_of(y)}
    found: Expression = call(template, holes)
    numbers = ufunc(number_of(x), number_of(y))
    found = replace(found, rank=rank_of(numbers))  # type: ignore[type-var]
    if ufunc is np.equal and not np.any(numbers):  # a case that doesn't occur
        found = ZERO
    if ufunc is np.not_equal and np.all(numbers):
        found = ONE
    if template == CONNECTIVES[operator.or_]:
        parts = [z for z in holes.values() if not _asks_for_nan(z)]
        found = parts[0] if len(parts) == 1 else found
    if template == CONNECTIVES[operator.and_]:
        parts = [z for z in holes.values() if z != ONE]  # 1 decides nothing, 0 everything
        found = ZERO if ZERO in parts else found if len(parts) == 2 else parts[0] if parts else ONE
    return Symbol(found, numbers)


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
    if isinstance(x, str):
        return Name(x)
    if isinstance(x, tuple) and x and all(type(z) is int for z in x):
        return Name(", ".join(map(str, x)))
    array = np.asarray(x if x is not None else np.nan)
    if array.size and array.dtype.kind in "fiub":
        first = array.reshape(-1)[0]
        if (array == first).all():
            return Number(float(first))
        zeros_and_ones = array.ndim > 1 and bool(np.isin(array, (0, 1)).all())
        if zeros_and_ones and (array.sum(axis=-1) == 1).all():
            return Name(r"\operatorname{onehot}\left(y\right)")
        if 0 < array.ndim < 3 and max(array.shape) <= MAX_CONSTANT:
            rows = (" & ".join(map(number_latex, row)) for row in np.atleast_2d(array).tolist())
            written = r" \\ ".join(rows)
            return Name(rf"\begin{{pmatrix}} {written} \end{{pmatrix}}", rank=rank_of(array))
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
