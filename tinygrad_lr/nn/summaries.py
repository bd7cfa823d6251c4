"""`summary`: a table of the layers of a model with output shapes and numbers of parameters."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..core.grad_mode import no_grad
from ..core.value import Value
from ..errors import ArgumentError
from ..support.notebook import DisplayPart, Heading, Table, notebook_display
from ..support.validation import check_instance, require_memory, short_repr
from .hooks import observed
from .module import MAX_SHOWN_LAYERS, Module, walk

__all__ = ["Summary", "summary"]

HEADINGS = ("layer", "kind", "output", "parameters")


@dataclass(frozen=True)
class Row:
    """A layer: its path, its class, the shape of its output, and its own parameters."""

    name: str
    kind: str
    output: str
    parameters: int
    calls: int


@dataclass(frozen=True, repr=False)
class Summary:
    """The result of `summary`: a `Row` for each layer, and totals. It prints as a table."""

    kind: str
    rows: tuple[Row, ...]
    output: str
    parameters: int
    trainable: int
    buffers: int
    bytes: int

    @property
    def frozen(self) -> int:
        """The number of parameters with `requires_grad=False`."""
        return self.parameters - self.trainable

    @notebook_display
    def _repr_html_(self) -> Iterator[DisplayPart]:
        """Show the same table, only the first and last layers if it is long."""
        yield Heading(
            self.kind,
            [
                f"{self.trainable:,} trainable",
                f"{self.frozen:,} frozen",
                f"{self.buffers:,} in buffers" if self.buffers else "",
                format_bytes(self.bytes),
            ],
        )
        rows = [(x.name, x.kind, x.output, f"{x.parameters:,}") for x in self.rows if x.name]
        foot = [self.kind, "", self.output, f"{self.parameters:,}"]
        yield Table(HEADINGS, rows, numeric=[3], foot=foot, max_rows=MAX_SHOWN_LAYERS)

    def __repr__(self) -> str:
        body = [(x.name, x.kind, x.output, f"{x.parameters:,}") for x in self.rows if x.name]
        table = [HEADINGS, *body, (self.kind, "", self.output, f"{self.parameters:,}")]
        widths = [max(len(row[i]) for row in table) for i in range(len(HEADINGS))]
        align = ("<", "<", "<", ">")
        lines = [
            "  ".join(f"{x:{a}{w}}" for x, a, w in zip(row, align, widths, strict=True))
            for row in table
        ]
        rule = "─" * len(lines[0])
        totals = f"{self.trainable:,} trainable, {self.frozen:,} frozen"
        kept = f", {self.buffers:,} in buffers" if self.buffers else ""
        inner = [*lines[1:-1], rule] if body else []
        last = f"{totals}{kept}; {format_bytes(self.bytes)}"
        return "\n".join([lines[0], rule, *inner, lines[-1], last])


def summary(
    model: Module,
    input_shape: Sequence[int] | Sequence[Sequence[int]],
    *,
    dtype: DTypeLike | Sequence[DTypeLike] = np.float32,
) -> Summary:
    """Return a table of the layers: path, class, output shape and number of parameters; and totals.

    `input_shape` includes the batch axis, as in torchinfo: (32, 784), or (1, 3, 28, 28). For a
    model with several inputs, pass a list of shapes. `dtype` is the dtype of the input, such as int
    for an Embedding, or a list of dtypes. The model runs once on zeros, in evaluation mode and
    without recording a graph; its mode, buffers, generators and attributes are restored afterwards.

    For a layer that is called more than once, the last output is shown; for one that isn't called,
    "-". A shared parameter counts once. The number of bytes includes parameters and buffers.

    Raises `ArgumentError` unless `model` is a Module and `input_shape` a shape, and whatever the
    layers raise.

    Source: `torchinfo.summary`, `keras.Model.summary`.

    >>> tg.nn.summary(tg.nn.MLP(2, [16], 1), (32, 2))
    layer     kind    output    parameters
    ──────────────────────────────────────
    layers.0  Linear  (32, 16)          48
    layers.1  ReLU    (32, 16)           0
    layers.2  Linear  (32, 1)           17
    ──────────────────────────────────────
    MLP               (32, 1)           65
    65 trainable, 0 frozen; 260 bytes
    """
    check_instance("summary", "model", model, Module, "a tg.nn.Module")
    inputs = make_inputs(input_shape, dtype)
    seen: dict[str, tuple[int, Any]] = {}

    def see(name: str, _: Module, __: tuple[Any, ...], output: Any) -> None:
        seen[name] = (seen.get(name, (0, None))[0] + 1, format_shapes(output))

    with preserve_state(model), observed(model, see), no_grad():
        model.eval()(*inputs)
    own: dict[str, int] = {}
    parameters = trainable = buffers = memory = 0
    for found in walk(model):
        if isinstance(found.item, Value):
            own[found.owner] = own.get(found.owner, 0) + found.item.size
            parameters += found.item.size
            trainable += found.item.size if found.item.requires_grad else 0
            memory += np.asarray(found.item.data).nbytes
        elif found.is_buffer:
            buffers += found.item.size
            memory += found.item.nbytes
    rows = [
        Row(
            name,
            module._title(),
            seen[name][1] if name in seen else "-",
            own.get(name, 0),
            seen.get(name, (0,))[0],
        )
        for name, module in model.named_modules()
    ]
    first, *inner = rows
    sizes = (parameters, trainable, buffers, memory)
    return Summary(first.kind, tuple(inner or rows), first.output, *sizes)


def make_inputs(input_shape: Any, dtype: Any) -> list[Any]:
    """Return an array of zeros for each shape."""
    given = list(input_shape) if isinstance(input_shape, (tuple, list)) else [input_shape]
    several = bool(given) and all(isinstance(x, (tuple, list)) for x in given)
    listed = given if several else [given]
    types = list(dtype) if isinstance(dtype, (tuple, list)) else [dtype] * len(listed)
    if len(types) != len(listed):
        raise ArgumentError(
            f"summary: dtype must have one dtype for each of {len(listed)} inputs, got {len(types)}"
        )
    try:
        for shape in listed:
            require_memory("summary", "an input", tuple(shape))
        return [np.zeros(tuple(x), kind) for x, kind in zip(listed, types, strict=True)]
    except ArgumentError:
        raise
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            "summary: input_shape must be a shape with the batch axis such as (32, 784), or a list "
            f"of shapes, got {short_repr(input_shape)} with dtype {short_repr(dtype)} ({error})"
        ) from error


def format_shapes(output: Any) -> str:
    """Return the shapes of an output, however nested, as text."""
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, (tuple, list)):
        return ", ".join(map(format_shapes, output))
    return str(np.shape(output)) if hasattr(output, "shape") else type(output).__name__


def format_bytes(count: int) -> str:
    """Return a number of bytes as text: 260 bytes, 1.2 MB."""
    if count < 10**3:
        return f"{count} bytes"
    power = 1 + (count >= 10**6) + (count >= 10**9)
    return f"{count / 1000**power:.1f} {('kB', 'MB', 'GB')[power - 1]}"


@contextlib.contextmanager
def preserve_state(model: Module) -> Iterator[None]:
    """Restore the attributes, buffers and generators of a model after the block."""
    attributes = [(module, dict(vars(module))) for module in model.modules()]
    buffers = [(x.item, np.array(x.item)) for x in walk(model) if x.is_buffer]
    states = [(g, copy.deepcopy(g.bit_generator.state)) for g in model.generators()]
    try:
        yield
    finally:
        for module, before in attributes:
            vars(module).clear()
            vars(module).update(before)
        for buffer, numbers in buffers:
            if isinstance(buffer, np.ndarray) and buffer.flags.writeable:
                buffer[...] = numbers
        for generator, state in states:
            generator.bit_generator.state = state
