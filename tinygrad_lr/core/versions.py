"""Values that are written to: `v[i] = w`, `v += w`, and the views that see it.

Records never change. The first write to a Value moves what it was into a new plain Value, its first
version, and the object becomes a `WrittenValue`, which stands for its newest version. Each write
makes another version: the result of `set_item`, recorded as all operations are. Records made after
the first write hold versions only; one made before it holds the object, and means the first version
(`resolve_operands`).

A view, such as `v[1:]`, is a Value of its own with a record of its own, and knows what it is a
view of. Writing to a view writes to the Value that owns the memory; every view reads the newest
version of its base.

The array of a version that nobody else holds is written to in place. The old version keeps the
shape and the dtype (`ShapeOnly`), which is all that the rules of `set_item` and of views need.
"""

from __future__ import annotations

import sys
import weakref
from typing import Any

import numpy as np

from ..errors import ArgumentError, GraphError, NotDifferentiableError, ShapeError
from ..support.abstract_array import AbstractArray
from ..support.indexing import is_basic
from .conversion import as_constant
from .grad_mode import RECORDING
from .node import Node, PackedRecord, next_serial, shape_only
from .primitive import LEVELS, PRIMITIVES, Primitive, innermost_level

OVERLAP = (
    "the new entries must not share memory with the array that they are written to, since NumPy "
    "writes some of them before it has read all"
)
COPY_OF_OVERLAP = "write new.copy()"

Path = tuple[tuple[Primitive, dict[str, Any]], ...]
"""The views that lead from an array to a part of it, each an operation with its options."""


class Memory:
    """The state that a Value shares with others.

    - of a view: its `base`, the operation and the options that make it of the base, and the version
      of the base from which it was computed last (`seen`). `unsure` while tracing, where only the
      layout in memory would say if it is a view
    - of the owner of the memory: its `views`, those not yet written to, in order of age
    - of a Value that was written to: its `first` and `current` versions
    - `writable`: an input of a transform, which may be written to though it is a leaf
    """

    base: Any = None
    operation: Any = None
    options: Any = None
    unsure = False
    seen: Any = None
    first: Any = None
    current: Any = None
    views: Any = ()
    limit = 8
    writable = False


def memory_of(value: Node) -> Memory:
    """Return what a Value shares with others, at first nothing."""
    memory: Memory | None = getattr(value, "_memory", None)
    if memory is None:
        memory = value._memory = Memory()
    return memory


def link_view(
    value: Node, base: Node, number: Any, operation: Primitive, options: dict[str, Any]
) -> None:
    """Enter that a result is a view of its operand, whose numbers are given, if it is one."""
    out, unsure = value._content, False
    if isinstance(out, AbstractArray):
        shares = out.shares_memory
        if shares is False and operation.view not in {"read-only", "part"}:
            return
        unsure = shares is None
    elif operation.view != "read-only" and not shares_memory(out, base, number, operation, options):
        return
    value._memory = own = Memory()
    own.base, own.operation, own.options = base, operation, options
    if unsure:
        own.unsure = True
    memory = memory_of(base)
    while memory.base is not None:
        memory = memory_of(memory.base)
    if not memory.views:
        memory.views = [weakref.ref(value)]
        return
    memory.views.append(weakref.ref(value))
    if len(memory.views) > memory.limit:
        memory.views = [view for view in memory.views if view() is not None]
        memory.limit = 2 * len(memory.views) + 8


def shares_memory(
    out: Any, base: Node, number: Any, operation: Primitive, options: dict[str, Any]
) -> bool:
    """Return True if NumPy's result would be a view of the operand, not a copy."""
    if type(out) is not np.ndarray or type(number) is not np.ndarray:
        return False
    if operation.view == "by layout":
        owner, path = owner_of(base)
        if path:  # the operand's own array may be a copy where NumPy has a view
            array = owner._content
            for view, given in path:
                array = view.as_view(array, **given)
            return np.may_share_memory(operation.forward(array, **options), array)
    holder = out.base
    return holder is not None and (holder is number or holder is number.base)


def current_version(value: Node) -> Any:
    """Return the plain Value that one that was written to stands for now."""
    memory: Memory = value._memory
    if memory.base is None:
        return memory.current
    now = memory.base._current()
    if memory.seen is not now:
        if memory.unsure:
            now._content.refuse_layout()
        token = RECORDING.set(True)  # it is kept, whether or not whoever reads it now records
        try:
            made = memory.operation.evaluate((now,), memory.options)
            memory.current = forget_numbers(made)
        finally:
            RECORDING.reset(token)
        memory.seen = now
    return memory.current


def forget_numbers(value: Any) -> Any:
    """Return the result of an operation on versions, without the arrays its rules don't need.

    They could not be written to in place while a record holds them. A small view becomes a copy
    for the same reason.
    """
    record: PackedRecord | None = value._record
    if record is None:
        return value
    operation, operands, numbers, options = record
    if operation.reads_shapes:
        kept = [
            shape_only(n.shape, n.dtype) if type(n) is np.ndarray and is_overwritable(x) else n
            for x, n in zip(operands, numbers, strict=True)
        ]
        value._record = (operation, operands, kept, options)
        out, whole = value._content, numbers[0]
        if type(out) is np.ndarray and out.base is not None and 2 * out.size <= whole.size:
            value._content = out.copy(order="K")
    return value


def is_overwritable(x: Any) -> bool:
    """Return True for a version whose array may be written to, since its operands make it again."""
    return isinstance(x, Node) and x._record is not None and x._record[0].name == "set_item"


# ---- writing


def is_array(content: Any) -> bool:
    """Return True for an array, which can be written to, False for a number, which cannot."""
    return isinstance(content, np.ndarray) or (
        isinstance(content, AbstractArray) and content.is_array
    )


def owner_of(value: Node) -> tuple[Any, Path]:
    """Return the Value that owns the memory of another, and the views from it to the other."""
    path: list[Any] = []
    memory: Memory | None = getattr(value, "_memory", None)
    while memory is not None and memory.base is not None:
        path.append((memory.operation, memory.options))
        value = memory.base
        memory = getattr(value, "_memory", None)
    return value, tuple(reversed(path))


def require_apart(where: str, target: Any, *sources: Any) -> None:
    """Raise an error for new entries in the memory that NumPy writes them to one after another."""
    owner = owner_of_memory(target)
    for x in sources:
        if np.size(x) > 1 and owner_of_memory(x) is owner:
            content = target._content if isinstance(target, Node) else target
            if isinstance(content, AbstractArray) and content.level is None:
                content.refuse_overlap(where)
            raise ArgumentError(f"{where}: {OVERLAP}; {COPY_OF_OVERLAP}")


def owner_of_memory(x: Any) -> Any:
    """Return the Value or the abstract array whose memory another is a part of."""
    if isinstance(x, Node):
        return owner_of(x)[0]
    return x.memory_owner if isinstance(x, AbstractArray) else x


def is_fixed_leaf(value: Node) -> bool:
    """Return True for a leaf that requires a gradient, unless it is the input of a transform."""
    return value.requires_grad and value._record is None and not memory_of(value).writable


def begin_write(value: Node, where: str) -> tuple[Any, Path]:
    """Check that a Value may be written to; make versions of it and of its views.

    Return the Value that owns the memory, and the views that lead from it to this one.
    """
    content = value._content
    if not is_array(content):
        raise ArgumentError(
            f"{where}: the Value must be an array, got a number, which cannot be changed in "
            "place; write value = new"
        )
    owner, path = owner_of(value)
    if any(operation.view == "read-only" for operation, _ in path):
        raise ArgumentError(
            f"{where}: the destination is read-only, as NumPy's broadcast arrays and "
            "diagonals are; write to value.copy()"
        )
    if is_fixed_leaf(owner):
        raise NotDifferentiableError(
            f"{where}: a leaf that requires a gradient cannot be written to, since its "
            "gradient belongs to the numbers it has; write to y = value.copy(), or change the "
            "numbers outside the graph with value.data[...] = new"
        )
    if owner.requires_grad and not RECORDING.get():
        raise GraphError(
            f"{where}: a Value that requires a gradient cannot be written to under "
            "no_grad, since its gradient would be lost; write to value.detach()"
        )
    if isinstance(content, AbstractArray):
        content.require_made_inside(owner._first()._serial)
    make_versions(owner)
    memory: Memory = owner._memory
    for reference in memory.views:
        view = reference()
        if view is not None:
            make_versions(view)
    memory.views = ()
    return owner, path


def make_versions(value: Any) -> None:
    """Move what a Value is to its first version, for which it stands from now on."""
    if value.written:
        return
    memory = memory_of(value)
    kind = type(value)
    first = object.__new__(kind)
    first._serial = value._serial
    first._content, first._data_shared = value._content, value._data_shared
    first._grad, first._record = value._grad, value._record
    first.name, first.requires_grad = value.name, value.requires_grad
    if memory.writable:
        memory_of(first).writable = True
    memory.first = memory.current = first
    memory.seen = None if memory.base is None else memory.base._current()
    value._content = value._record = value._grad = None
    value.__class__ = kind.written_kind


def assign(value: Node, index: Any, new: Any) -> None:
    """Write to the entries that an index chooses, as `value[index] = new` does in NumPy."""
    if isinstance(new, Node) and new.written and is_part(new, value, index):
        return  # the end of value[index] += other, which has written to the part already
    if LEVELS:
        require_inside(value, (value._content, new, index))
    owner, path = begin_write(value, "item assignment")
    version = owner._current()
    operation = PRIMITIVES["set_item"]
    options = {"index": index, "path": path} if path else {"index": index, "path": ()}
    if new is None:
        raise ArgumentError("item assignment: the new entries must be numbers, got None")
    if isinstance(new, Node):
        new = new._current()
    recording = RECORDING.get()
    recorded = version.requires_grad or (isinstance(new, Node) and new.requires_grad)
    record = version._record
    in_place = (
        (recording is True or recording is False)
        and type(version._content) is np.ndarray
        and not isinstance(new._content if isinstance(new, Node) else new, AbstractArray)
        and not has_abstract(index)
    )
    if in_place and recorded:
        in_place = record is not None and record[0] is operation
    if in_place and count_holders(version) == ALONE and version._content.flags.writeable:
        owner._memory.current = overwrite(version, new, operation, options, recorded)
    else:
        made = type(version).__apply__(operation, (version, new), options)
        if recording is True:
            forget_numbers(made)
        owner._memory.current = made


def require_inside(value: Node, given: Any) -> None:
    """Raise `BatchError` if a Value from outside a batch is to hold arrays of its entries."""
    level = innermost_level([x._content if isinstance(x, Node) else x for x in given])
    if level is not None:
        level.require_inside(owner_of(value)[0])


def is_part(new: Node, value: Node, index: Any) -> bool:
    """Return True if a Value is the view `value[index]`."""
    memory: Memory = new._memory
    if memory.base is not value or memory.operation.name != "getitem_at":
        return False
    own = memory.options["index"]
    return own is index or (is_basic(index) and is_basic(own) and bool(own == index))


def overwrite(
    version: Any, new: Any, operation: Primitive, options: dict[str, Any], recorded: bool
) -> Any:
    """Return the next version, which takes over the array of this one."""
    array = version._content
    if isinstance(new, Node):
        number = new._content
        if new._data_shared:
            number = number.copy(order="K")
    else:
        number = as_constant(new, operation)
    part = array
    for view, given in options["path"]:
        part = view.forward(part, **given)
    try:
        part[options["index"]] = number
    except ValueError as error:
        raise ShapeError(
            f"item assignment: the new entries must have a shape that fits, got {np.shape(number)} "
            f"({error})"
        ) from error
    blank = version._content = shape_only(array.shape, array.dtype)
    made = object.__new__(type(version))
    made._serial = next_serial()
    made._content = array
    made._grad = made.name = made._record = None
    made._data_shared = False
    made.requires_grad = recorded
    if recorded:
        if type(number) is np.ndarray and is_overwritable(new):
            number = shape_only(number.shape, number.dtype)
        made._record = (operation, (version, new), (blank, number), options)
    return made


def has_abstract(index: Any) -> bool:
    """Return True if an array without numbers is in an index."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(x, AbstractArray) for x in parts)


def count_holders(value: Node) -> int:
    """Return how many hold the array of a Value, counted in the same way each time."""
    return sys.getrefcount(value._content)


def count_of_one_holder() -> int:
    """Return what `count_holders` returns for a Value that alone holds its array."""
    value = object.__new__(Node)
    value._content = np.empty(1)
    return count_holders(value)


ALONE = count_of_one_holder()


def replace_entries(value: Any, new: Any, where: str = "in-place arithmetic") -> None:
    """Write all entries, those of a fresh result of the same shape, as `value += w` does."""
    content, own = value._content, new._content
    if new.shape != value.shape:
        raise ArgumentError(
            f"{where}: the result must have the shape of the Value, {value.shape}, "
            f"got {new.shape}; write value = value + other"
        )
    if new.dtype != value.dtype:
        if not np.can_cast(new.dtype, value.dtype, "same_kind"):
            raise ArgumentError(
                f"{where}: the result must fit the dtype {value.dtype}, got {new.dtype}"
            )
        new = new.astype(value.dtype)
        own = new._content
    if LEVELS:
        require_inside(value, (content, own))
    owner, path = begin_write(value, where)
    if path or (isinstance(own, AbstractArray) and not own.is_array):
        assign(value, Ellipsis, new)
        return
    if type(own) is np.ndarray and own.strides != content.strides:
        new._content = np.empty_like(content)  # views rely on the layout
        new._content[...] = own
    elif type(own) is not np.ndarray and isinstance(own, np.generic):
        new._content = np.array(own)
    owner._memory.current = new
