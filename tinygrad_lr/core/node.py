"""A node of the graph: its numbers, its gradient, and the record of the operation."""

from __future__ import annotations

import contextvars
import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, NoReturn, Self, SupportsIndex, cast

import numpy as np

from ..errors import (
    ArgumentError,
    BatchError,
    DtypeError,
    GraphError,
    NotDifferentiableError,
    ShapeError,
)
from ..support.abstract_array import AbstractArray, Array
from ..support.type_names import ArrayLike
from ..support.validation import check_flag, check_text
from .conversion import FLOAT64, as_data
from .grad_mode import RECORDING
from .numpy_dispatch import way_out_of_library
from .primitive import Primitive


class Record(NamedTuple):
    """The operation that computed a Value, and what it was called with.

    `operands` are Values and constants; `numbers` are what they held when the operation ran;
    `options` are complete, with the defaults.
    """

    operation: Primitive
    operands: tuple[Any, ...]
    numbers: Sequence[Any]
    options: dict[str, Any]


PackedRecord = tuple[Primitive, tuple[Any, ...], Sequence[Any], dict[str, Any]]
"""A `Record` as it is stored: building a plain tuple takes a tenth of the time."""

next_serial = itertools.count().__next__
"""Return the serial number of a new node: it is larger than those of its operands."""

IN_TRANSFORM: contextvars.ContextVar[bool] = contextvars.ContextVar("in_transform", default=False)
"""True while `grad`, `vjp` or another transform runs the function that it differentiates."""


class ShapeOnly(np.ndarray):
    """The shape and dtype of an array whose numbers nobody needs; it takes no memory."""


@functools.lru_cache(maxsize=256)
def shape_only(shape: tuple[int, ...], dtype: np.dtype[Any]) -> ShapeOnly:
    """Return an array of a shape and dtype without numbers."""
    return np.ndarray.__new__(ShapeOnly, shape, dtype, b"\0" * dtype.itemsize, 0, (0,) * len(shape))


class Node:
    """The state of a Value: data, gradient and record. `Value` adds arithmetic.

    The slots: the number or array; the gradient (in a tuple while others may share it); the
    record of the operation that made it, None for a leaf; its age; whether the caller holds the
    array, so that a graph must copy it; and of Values that are written to, have views or are
    views, the `Memory` that they share (`versions.py`), unset for all others.
    """

    __slots__ = (
        "__weakref__",
        "_content",
        "_data_shared",
        "_grad",
        "_memory",
        "_record",
        "_serial",
        "name",
        "requires_grad",
    )
    _content: Any  # a Python float, a NumPy floating or complex number, or an array
    _record: PackedRecord | None
    _memory: Any
    name: str | None
    requires_grad: bool
    written: ClassVar[bool] = False  # True for those that were written to: see `versions.py`

    def __init__(
        self, data: ArrayLike, name: str | None = None, requires_grad: bool = True
    ) -> None:
        self._content = data if type(data) is float else as_data(data)
        self._grad: Any = None
        self._record = None
        self._serial = next_serial()
        self._data_shared = False
        self.name = None if name is None else check_text("Value", "name", name)
        self.requires_grad = requires_grad is True or check_flag(
            "Value", "requires_grad", requires_grad
        )

    @property
    def record(self) -> Record | None:
        """The operation that computed this, with operands, numbers and options; None for a leaf."""
        if self._record is None:
            return None
        restore_numbers(self)
        return Record(*self._record)

    # ---- what it holds

    @property
    def data(self) -> Any:
        """The number or the array. A leaf's array may be changed in place; a result's may not.

        A graph remembers the numbers that it was computed from: changing them afterwards does
        not change its gradients.
        """
        data = self._content
        if type(data) is np.ndarray and not self._data_shared:
            if self._record is None:  # graphs keep the old array, the caller may write to this one
                data = self._content = data.copy(order="K")
                self._data_shared = True
            else:
                data = data.view()
                data.flags.writeable = False
        elif isinstance(data, AbstractArray):
            data = data.as_data_of(self)
        return data

    @data.setter
    def data(self, new: Any) -> None:
        if self._record is not None:
            raise GraphError(
                f"data of a Value that {self._record[0].name} computed cannot be assigned: "
                "assign to a leaf of the graph, or build a new Value"
            )
        if new is self._content:  # value.data -= step worked in place
            return
        if type(new) is float is type(self._content):
            self._content = new
            return
        data = as_data(new)
        self._require_real("data", data)
        if np.shape(data) != self.shape:
            raise ShapeError(
                f"Value.data: the data must have shape {self.shape}, got {np.shape(data)}"
            )
        # the kind of number stays: float64 on the way does not widen a float32 parameter
        if isinstance(data, AbstractArray):
            if data.level is not None:
                raise BatchError(
                    "Value.data: the data must not depend on the entry under vmap; return the new "
                    "numbers instead"
                )
            if getattr(new, "copy_of", None) is not self._content:  # as value.data -= step is
                self._data_shared = False
            self._content = data.cast_like(self._content)
            if isinstance(new, AbstractArray):
                new.written_back()
        elif isinstance(self._content, AbstractArray):
            self._content, self._data_shared = self._content.full_like(0.0) + data, False
        elif type(self._content) is np.ndarray:
            self._content, self._data_shared = np.asarray(data, self.dtype), False
        else:
            self._content = type(self._content)(data)

    @property
    def grad(self) -> Any:
        """dL/d(this) after `backward`, in the shape and dtype of `data`, or None; see `Value`."""
        grad = self._grad
        if type(grad) is tuple:  # a cotangent that others may share: copied when it is asked for
            if isinstance(grad[0], AbstractArray):
                return grad[0].copy()
            grad = np.array(grad[0], dtype=self.dtype)
            self._grad = grad = grad if type(self._content) is np.ndarray else grad[()]
        return grad

    @grad.setter
    def grad(self, new: Any) -> None:
        if type(self._content) is float and (type(new) is float or type(new) is int):
            self._grad = float(new)
            return
        if new is not None:
            new = as_data(new)
            self._require_real("grad", new)
            if isinstance(new, AbstractArray) or isinstance(self._content, AbstractArray):
                new = np.broadcast_to(new, self.shape) if np.ndim(new) == 0 else new
                new = new.cast_like(self._content) if isinstance(new, AbstractArray) else new
            elif np.ndim(new) == 0 and type(self._content) is not np.ndarray:
                new = type(self._content)(new)
            elif np.ndim(new) == 0:
                new = np.full(self.shape, new, self.dtype)
            elif np.shape(new) != self.shape:
                raise ShapeError(
                    f"Value.grad: the gradient must have shape {self.shape}, got {np.shape(new)}"
                )
            else:
                new = new.astype(self.dtype, copy=False)
        self._grad = new

    def _require_real(self, name: str, new: Any) -> None:
        """Raise `DtypeError` for complex numbers if this Value is real: they would lose a part."""
        if getattr(new, "dtype", FLOAT64).kind == "c" and self.dtype.kind != "c":
            raise DtypeError(
                f"Value.{name}: the {name} of a Value of dtype {self.dtype} must be real, got "
                f"{new.dtype}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes; () for a scalar."""
        return getattr(self._content, "shape", ())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The floating or complex type; float64 for a Python number."""
        return cast("np.dtype[Any]", getattr(self._content, "dtype", FLOAT64))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(getattr(self._content, "size", 1))

    def item(self, *args: SupportsIndex) -> float | complex:
        """Return the only entry, or the one at a position, as a Python number, without gradient."""
        if args:
            number = np.asarray(self._content).item(*args)
            return number if self.dtype.kind == "c" else float(number)
        if self.size != 1:
            raise ArgumentError(f"item: the Value must have one entry, got shape {self.shape}")
        number = np.asarray(self._content).reshape(())[()]
        return complex(number) if self.dtype.kind == "c" else float(number)

    def numpy(self) -> Array:
        """Return a copy of the data as a NumPy array. No gradient flows through it."""
        return np.array(self._content)

    def tolist(self) -> Any:
        """Return the data as nested lists of Python floats. No gradient flows through it."""
        return np.asarray(self._content).tolist()

    def detach(self) -> Self:
        """Return a constant with the same data: no gradient flows through it."""
        kind, content = self._kind_of_copies(), self._content
        if isinstance(content, AbstractArray):
            content = content.detach()
        return cast(Self, kind(content, name=self.name, requires_grad=False))

    def __float__(self) -> float:
        return self._leave_graph("float")  # type: ignore[no-any-return]

    def __int__(self) -> int:
        return int(self._leave_graph("int"))

    __trunc__ = __int__

    def __complex__(self) -> complex:
        return complex(self._leave_graph("complex"))

    def __index__(self) -> NoReturn:
        raise NotDifferentiableError(
            "an index or a size must be an integer, got a Value; write int(value.item())"
        )

    def _leave_graph(self, where: str) -> Any:
        """Return the number for Python, NumPy and `math`, unless a gradient may yet be wanted.

        Recorded numbers are free once `backward` has filled `.grad`, for logs, but not inside a
        transform, whose own pass comes after this.
        """
        waits = self._grad is None or IN_TRANSFORM.get()
        if waits and self.requires_grad and RECORDING.get():
            cure = way_out_of_library() or (
                "np.exp(value) for math.exp(value), make an array that Values are written into "
                "with tg.zeros, tg.full or tg.array"
            )
            raise NotDifferentiableError(
                f"{where} of a Value would lose its gradient: write {cure}, or write value.item() "
                "to leave the graph"
            )
        if where != "complex" and self.dtype.kind == "c":
            raise TypeError(
                f"{where}: the Value must be real, got {self.dtype}; take np.real first"
            )
        return self.item()

    def __bool__(self) -> bool:
        return bool(self._content)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len: the Value must have at least one axis, got a scalar")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Value(data={self._content}, grad={self.grad})"

    def _repr_html_(self) -> str:
        """Return the display in a notebook: data and gradient as tables, and its origin."""
        from ..support.html import SIDE_BY_SIDE, array_table, element, join_parts, title
        from ..support.text_format import shape_text

        data, grad = self._content, self._gradient
        shape = shape_text(self.shape) if self.shape else ""
        about = title(self.name, "Value", shape, self.dtype.name, self._made())
        tables = [array_table(data, "data")]
        if grad is not None:
            tables.append(array_table(grad, "gradient"))
        return join_parts(about, element("div", *tables, style=SIDE_BY_SIDE))

    def _made(self) -> str:
        """Describe where it comes from."""
        if self._record is None:
            waiting = ", no gradient yet" if self._grad is None else ""
            return f"a leaf{waiting}" if self.requires_grad else "requires no gradient"
        resolve_operands(self)
        operation, operands, *_ = self._record
        read = [x for x in operands if isinstance(x, Node)]
        named = [x.name or "a Value" for x in read[:3]]
        more = f" and {len(read) - 3} more" if len(read) > 3 else ""
        return f"{operation.name} of {' and '.join(named)}{more}"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    @property
    def _gradient(self) -> Any:
        """`grad` without a copy, for readers that neither keep nor change it."""
        grad = self._grad
        return grad[0] if type(grad) is tuple else grad

    def _replace(self, new: Any) -> None:
        """Take new data, of the same shape and dtype and owned by nobody else.

        In place if the user holds `.data`; else a graph that recorded the old array keeps it.
        """
        if self._data_shared:
            self._content[...] = new
        else:
            self._content = new

    # ---- copies and versions

    def _current(self) -> Any:
        """Return the plain Value that this one stands for: itself, unless it was written to."""
        return self

    def _first(self) -> Any:
        """Return the plain Value that records made before the first write mean."""
        return self

    def _kind_of_copies(self) -> Any:
        """Return the class of copies."""
        return type(self)

    def __copy__(self) -> Self:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        rebuild, state = self.__reduce__()
        memo[id(self)] = twin = cast(Self, rebuild(*state))
        return twin

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        if self._record is not None:
            raise GraphError(
                f"a Value computed by {self._record[0].name} cannot be copied or pickled: "
                "its graph would go with it; use value.numpy() or value.detach()"
            )
        state = (self._content, self.name, self.requires_grad, self.grad)
        return rebuilt, (self._kind_of_copies(), *state)


def current_versions(operands: Iterable[Any]) -> tuple[Any, ...]:
    """Return operands as a record needs them: of Values that were written to, the versions now."""
    return tuple(x._current() if isinstance(x, Node) else x for x in operands)


def resolve_operands(value: Node) -> tuple[Any, ...]:
    """Return the operands of a recorded Value; those that were written to since, as they were.

    A record holds an object that was written to only if it is older than the first write, so it
    means the first version. This is entered into the record: else a Value that was computed from
    another and written into it would keep itself alive.
    """
    operation, operands, numbers, options = value._record  # type: ignore[misc]
    if any(isinstance(x, Node) and x.written for x in operands):
        operands = tuple(x._first() if isinstance(x, Node) else x for x in operands)
        value._record = (operation, operands, numbers, options)
    return operands


def restore_numbers(value: Node) -> None:
    """Complete the record of a Value: operands as they were, and their numbers computed again."""
    operation, _, numbers, options = value._record  # type: ignore[misc]
    operands = resolve_operands(value)
    for x in operands:
        if isinstance(x, Node):
            restore_content(x)
    if any(type(n) is ShapeOnly for n in numbers):
        pairs = zip(operands, numbers, strict=True)
        numbers = tuple(x._content if type(n) is ShapeOnly else n for x, n in pairs)
        value._record = (operation, operands, numbers, options)


def restore_content(version: Node) -> None:
    """Compute again what a version held before its array was written to in place."""
    waiting = [version]
    while waiting:
        node = waiting[-1]
        if type(node._content) is not ShapeOnly:
            waiting.pop()
            continue
        operation, operands, numbers, options = node._record  # type: ignore[misc]
        missing = [x for x in operands if isinstance(x, Node) and type(x._content) is ShapeOnly]
        waiting += missing
        if not missing:
            pairs = zip(operands, numbers, strict=True)
            given = (x._content if type(n) is ShapeOnly else n for x, n in pairs)
            node._content = operation.forward(*given, **options)


def rebuilt(kind: type[Node], data: Any, name: str | None, requires_grad: bool, grad: Any) -> Node:
    """Rebuild a copied or unpickled leaf."""
    node = kind(data, name, requires_grad)
    node.grad = grad
    return node


def unwrap(x: Any) -> Any:
    """Return the number or array in a Value, and in each Value of a list or tuple."""
    if isinstance(x, Node):
        return x._content
    return type(x)(map(unwrap, x)) if type(x) in {list, tuple} else x
