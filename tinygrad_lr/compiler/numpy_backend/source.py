"""Write a program as Python that calls NumPy with preallocated output arrays.

It calls what eager mode would have called, without the calls that aren't needed. Every bit is the
same, except where a sum is taken in another order.
"""

from __future__ import annotations

import itertools
import linecache
import weakref
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...support.abstract_array import Array
from ...support.errstate import ignore_float_errors
from ..ir.buffers import BufferAssignment, assign_buffers
from ..ir.control_flow import bind_bodies
from ..ir.cost import FREE, count_bytes_moved
from ..ir.executable import Updates
from ..ir.instruction import PRODUCTS, PYTHON_TYPES, REDUCTIONS, UFUNCS, VIEWS, Hole, Instruction
from ..ir.passes import Pass, PassResult, run_passes
from ..ir.program import Program, make_identifier, unique_name
from ..ir.stages import Stages
from .row_updates import find_new_rows
from .scalar_arithmetic import number_function, where

_files = itertools.count(1)
OPERATORS = {"add": "+", "subtract": "-", "multiply": "*"}
COMPARISONS = {
    **{"less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="},
    **{"equal": "==", "not_equal": "!="},
}
SAME_SIZE_INTEGERS = {"float16": "np.int16", "float32": "np.int32", "float64": "np.int64"}


class NumpyExecutable:
    """A program as a Python function that calls NumPy."""

    backend = "numpy"
    holds_inputs = False
    copied_inputs: Collection[int] = ()

    def __init__(
        self, program: Program, inputs: Sequence[Instruction], updates: Updates, stages: Stages
    ) -> None:
        program, updates = apply_pass(lambda x: bind_bodies(x, compile_body), program, updates)
        with stages.measure("write Python"):
            writer = SourceWriter(program, inputs, updates)
        self.source, self.memory = writer.source, writer.memory
        self.done: list[PassResult] = []
        calls = (x.options["function"] for x in writer.order if x.operation == "call")
        self.calls = [call for call in calls if call.is_foreign]
        self.kernel_names = [x.operation for x in writer.order if x.operation not in FREE]
        self.bytes_moved = count_bytes_moved(writer.order)
        self._inputs, self._results = len(inputs), len(program.results)
        self._weak = [x.weak for x in inputs]
        self._updated_numbers = [i for i, _ in updates if writer.is_number(writer.inputs[i])]
        filename = f"<{writer.name} compiled by tinygrad_lr, {next(_files)}>"
        lines = self.source.splitlines(keepends=True)
        linecache.cache[filename] = (len(self.source), None, lines, filename)
        weakref.finalize(self, linecache.cache.pop, filename, None).atexit = False
        with stages.measure("compile Python"):
            exec(compile(self.source, filename, "exec"), writer.namespace)
        self._function = ignore_float_errors(writer.namespace[writer.name])

    def __call__(self, inputs: list[Any]) -> list[Any]:
        """Run the program once; return the results, then the updated numbers."""
        found: list[Any] = self._function(*inputs)
        return found

    # ---- for reports

    @property
    def memory_bytes(self) -> tuple[int, int]:
        """The bytes of intermediate results if each had its own memory, and as they share it."""
        return self.memory.unshared_bytes, sum(self.memory.sizes)

    # ---- source code for `runtime.fast_call`

    def pass_number(self, writer: Any, i: int, number: str) -> list[str]:
        """Return the lines that pass a number to the program."""
        writer.given[i] = f"n{i}"
        return [f"n{i} = {number}"]

    def pass_array(self, writer: Any, i: int, name: str) -> str:
        """Return the expression that passes an array to the program, which is the array."""
        return name

    def updated_number(self, writer: Any, i: int) -> str:
        """Return the expression for an updated number."""
        return f"found[{self._results + self._updated_numbers.index(i)}]"

    def result_expression(self, writer: Any, k: int) -> str:
        """Return the expression for a result."""
        return f"found[{k}]"

    def run_lines(self, writer: Any) -> list[str]:
        """Return the line that runs the program."""
        given = ", ".join(writer.given.get(i, f"known[{i}]") for i in range(self._inputs))
        return [f"found = {writer.name('function', self._function)}({given})"]

    def loop(
        self, inputs: list[Any], steps: int, changing: dict[int, Array], reverse: bool = False
    ) -> tuple[list[Any], list[Any]]:
        """Run the program `steps` times; return the stacked results, and the updated numbers."""
        inputs, function = list(inputs), self._function
        rows: list[list[Any]] = []
        carried: list[Any] = []
        for step in reversed(range(steps)) if reverse else range(steps):
            for position, values in changing.items():
                inputs[position] = values[step].item() if self._weak[position] else values[step]
            found = function(*inputs)
            carried = found[self._results :]
            for position, number in zip(self._updated_numbers, carried, strict=False):
                inputs[position] = number
            rows.append(found[: self._results])
        if reverse:
            rows.reverse()
        return [np.stack(column) for column in zip(*rows, strict=True)], carried

    def repeat(self, inputs: list[Any]) -> None:
        """Run the program, which updates its inputs, as long as its only result is true."""
        while self._function(*inputs)[0]:
            pass


def compile_body(
    program: Program, inputs: Sequence[Instruction], updates: Updates, stages: Stages
) -> NumpyExecutable:
    """Compile the body of a loop, which no pass has seen yet."""
    program, updates = apply_pass(lambda x: run_passes(x)[0], program, updates)
    return NumpyExecutable(program, inputs, updates, stages)


def apply_pass(run: Pass, program: Program, updates: Updates) -> tuple[Program, Updates]:
    """Return a program and its updates after a pass over both."""
    count = len(program.results)
    whole = run(replace(program, results=[*program.results, *(new for _, new in updates)]))
    final = list(zip([i for i, _ in updates], whole.results[count:], strict=True))
    return replace(whole, results=whole.results[:count]), final


class SourceWriter:
    """Writes the source of a program, and collects the objects that it refers to."""

    def __init__(self, program: Program, inputs: Sequence[Instruction], updates: Updates) -> None:
        targets = [new for _, new in updates]
        self.program, self.updates = program, updates
        whole = Program(program.name, [*inputs, *program.results, *targets], [], program.checks)
        self.order = whole.instructions()
        self.names = whole.names()
        self.name = unique_name(make_identifier(program.name), {"np", *self.names.values()})
        self.inputs = list(inputs)
        self.namespace: dict[str, Any] = {"np": np}
        self.returned = {view_owner(x) for x in program.results}
        self.memory: BufferAssignment = assign_buffers(
            self.order, [*program.results, *targets], self.has_buffer
        )
        self.taken = {*self.names.values(), self.name, "np"}
        self.head: list[str] = []
        self.body: list[str] = []
        self.source = self._write()

    @staticmethod
    def is_number(x: Instruction) -> bool:
        """Return True if x is a number in the source, not an array."""
        return not x.shape and (
            x.weak or "source" not in x.options or not isinstance(read_input(x), np.ndarray)
        )

    def has_buffer(self, x: Instruction) -> bool:
        """Return True if x is written into a preallocated array."""
        if not x.shape or x in self.returned or not x.size:
            return False
        return x.operation in UFUNCS or x.operation in REDUCTIONS or x.operation in BUFFERED

    def _write(self) -> str:
        checks: dict[Instruction, list[str]] = {}
        for i, (x, check) in enumerate(self.program.checks):
            name = unique_name(f"check_{i}", self.taken)
            self.namespace[name] = check
            checks.setdefault(x, []).append(name)
        arrays: dict[int, tuple[str, Instruction]] = {}
        for x in self.order:
            if x in self.memory.buffer:
                self._allocate(x, arrays)
            if x.is_constant:
                self._constant(x)
            elif x.operation != "input":
                self.body += self._lines(x)
            for name in checks.get(x, ()):
                self.body.append(f"{name}({self._format(x)})")
        results = [self._result(x) for x in self.program.results]
        numbers = self._commit()
        self.body.append(f"return [{', '.join([*results, *numbers])}]")
        arguments = ", ".join(self.names[x] for x in self.inputs)
        head = [f"# {line}" for line in self._title()]
        lines = [*head, *self.head, "", "", f"def {self.name}({arguments}):"]
        return "\n".join(lines + [f"    {line}" for line in self.body]) + "\n"

    def _result(self, x: Instruction) -> str:
        """Return the expression for a result, which shares memory with nothing else."""
        owner, source = view_owner(x), self._format(x)
        if x.weak and not x.shape:
            return source
        if owner in self.returned and owner.operation not in {"input", "constant"}:
            self.returned.remove(owner)  # the other results that share its array are copies
            return source
        kept = unique_name(f"{self.names[x]}_copy", self.taken)
        self.body.append(f"{kept} = np.array({source})" if x.shape else f"{kept} = {source}[()]")
        return kept

    def _title(self) -> list[str]:
        kinds = [
            f"{self.names[x]}: {'number' if x.weak else f'{x.dtype} {x.shape}'}"
            for x in self.inputs
        ]
        return [f"{self.name}, compiled by tinygrad_lr for", *(f"  {kind}" for kind in kinds)]

    def _allocate(self, x: Instruction, arrays: dict[int, tuple[str, Instruction]]) -> None:
        name, buffer = self.names[x], self.memory.buffer[x]
        kind = f"{x.dtype} {x.shape}"
        if buffer not in arrays:
            arrays[buffer] = (name, x)
            self.head.append(f"{name} = np.empty({x.shape}, np.{x.dtype})  # {kind}")
            return
        first, like = arrays[buffer]
        again = first
        if like.dtype != x.dtype:
            again += f".reshape(-1).view(np.{x.dtype})"
        if like.shape != x.shape or like.dtype != x.dtype:
            again += f".reshape({x.shape})"
        self.head.append(f"{name} = {again}  # {kind}, the memory of {first}")

    def _constant(self, x: Instruction) -> None:
        if x.shape or not x.weak:
            self.namespace[self.names[x]] = x.value if x.shape else x.value[()]
            self.head.append(f"# {self.names[x]}: a constant, {x.dtype} {x.shape}")

    def _format(self, x: Instruction) -> str:
        if x.is_constant and x.weak:
            if isinstance(x.value, float) and not np.isfinite(x.value):
                return (
                    f"np.{x.value}"
                    if x.value == x.value and x.value > 0
                    else ("-np.inf" if x.value == x.value else "np.nan")
                )
            if isinstance(x.value, complex):
                return f"complex({x.value.real!r}, {x.value.imag!r})".replace(
                    "inf", "np.inf"
                ).replace("nan", "np.nan")
            return repr(x.value) if x.value == 0 or x.value > 0 else f"({x.value!r})"
        return self.names[x]

    # ---- instructions

    def _lines(self, x: Instruction) -> list[str]:
        name, inputs = self.names[x], [self._format(y) for y in x.inputs]
        if x.weak and not x.shape and x.operation not in {"call", "part"}:
            return [f"{name} = {self._format_arithmetic(x, inputs)}"]
        out = f", out={name}" if x in self.memory.buffer else ""
        set_to = "" if out else f"{name} = "
        operation, options = x.operation, x.options
        if operation == "where":
            return self._where(x, inputs)
        if operation in UFUNCS:
            both = all(not y.shape for y in x.inputs) and operation in {**OPERATORS, "divide": "/"}
            if both and not out:
                sign = {**OPERATORS, "divide": "/"}[operation]
                return [f"{name} = {inputs[0]} {sign} {inputs[1]}"]
            return [f"{set_to}np.{operation}({', '.join(inputs)}{out})"]
        if operation == "cast":
            if out:
                return [f'np.copyto({name}, {inputs[0]}, casting="unsafe")']
            if x.inputs[0].weak and x.dtype == x.inputs[0].dtype:
                return [f"{name} = np.{x.dtype}({inputs[0]})"]
            return [f"{name} = np.asarray({inputs[0]}).astype(np.{x.dtype})[()]"]
        if operation in REDUCTIONS:
            whole = len(options["axis"]) == len(x.inputs[0].shape)
            axis = options["axis"]
            axes = "None" if whole else axis[0] if len(axis) == 1 else axis
            kept = ", keepdims=True" if options["keepdims"] else ""
            kind = f", dtype=np.{options['dtype']}" if options["dtype"] is not None else ""
            ufunc = REDUCTIONS[operation].__name__
            return [f"{set_to}np.{ufunc}.reduce({inputs[0]}, axis={axes}{kept}{kind}{out})"]
        if operation in PRODUCTS:
            return [f"{set_to}np.{operation}({', '.join(inputs)}{out})"]
        if operation == "concatenate":
            joined = f"[{', '.join(inputs)}], axis={options['axis']}"
            return [f"{set_to}np.concatenate({joined}{out})"]
        if operation == "broadcast":
            if out:
                return [f"{name}[...] = {inputs[0]}"]
            return [f"{name} = np.full({x.shape}, {inputs[0]}, np.{x.dtype})"]
        return self._move(x, name, inputs, bool(out))

    def _format_arithmetic(self, x: Instruction, inputs: list[str]) -> str:
        if x.operation in OPERATORS:
            return f"{inputs[0]} {OPERATORS[x.operation]} {inputs[1]}"
        if x.operation in COMPARISONS:
            return f"{inputs[0]} {COMPARISONS[x.operation]} {inputs[1]}"
        if x.operation == "negative":
            return f"-{inputs[0]}"
        if x.operation == "cast":
            return f"{PYTHON_TYPES[x.dtype.kind].__name__}({inputs[0]})"
        if x.operation == "where":
            self.namespace.setdefault("number_where", where)
            return f"number_where({', '.join(inputs)})"
        if x.operation in VIEWS or x.operation in REDUCTIONS:
            return inputs[0]
        self.namespace.setdefault(f"number_{x.operation}", number_function(x.operation))
        return f"number_{x.operation}({', '.join(inputs)})"

    def _where(self, x: Instruction, inputs: list[str]) -> list[str]:
        name = self.names[x]
        condition, first, second = x.inputs
        if x not in self.memory.buffer:
            return [f"{name} = np.where({', '.join(inputs)})[()]"]
        plain_zero = second.is_constant and not second.shape and str(second.value) == "0.0"
        alike = condition.shape == first.shape == x.shape and first.dtype == x.dtype
        if plain_zero and alike and str(x.dtype) in SAME_SIZE_INTEGERS:
            bits = f".view({SAME_SIZE_INTEGERS[str(x.dtype)]})"  # its bits times 0 or 1: no branch
            return [f"np.multiply({inputs[1]}{bits}, {inputs[0]}, out={name}{bits})"]
        lines = []
        mine = self.memory.buffer[x]
        if self.memory.buffer.get(first) == mine:  # y goes where the condition does not hold
            return [f"np.copyto({name}, {inputs[2]}, where=~{inputs[0]})"]
        if self.memory.buffer.get(second) != mine:
            lines.append(f"{name}[...] = {inputs[2]}")
        return [*lines, f"np.copyto({name}, {inputs[1]}, where={inputs[0]})"]

    def _move(self, x: Instruction, name: str, inputs: list[str], out: bool) -> list[str]:
        options = x.options
        if x.operation == "reshape":
            return (
                [f"{name} = {inputs[0]}.reshape({x.shape})"]
                if x.inputs[0].shape
                else [f"{name} = np.reshape({inputs[0]}, {x.shape})"]
            )
        if x.operation == "transpose":
            axes = options["axes"]
            turned = ".T" if axes == (1, 0) else f".transpose({axes})"
            return [f"{name} = {inputs[0]}{turned}"]
        if x.operation in {"slice", "gather"}:
            entries = f"{inputs[0]}[{format_index(options['index'], inputs[1:])}]"
            view = x.operation == "gather" and x.shape and not any(y.shape for y in x.inputs[1:])
            return [f"{name} = np.array({entries})" if view else f"{name} = {entries}"]
        if x.operation == "scatter":
            index = format_index(options["index"], inputs[1:])
            start = f"{name}[...] = 0" if out else f"{name} = np.zeros({x.shape}, np.{x.dtype})"
            return [start, f"np.add.at({name}, np.index_exp[{index}], {inputs[0]})"]
        if x.operation == "assign":
            ordered = [f"np.asarray({i}, order='C')" for i in inputs[2:]]
            index = format_index(options["index"], ordered)
            start = f"{name}[...] = {inputs[0]}" if out else f"{name} = np.array({inputs[0]})"
            return [start, f"{name}[{index}] = {inputs[1]}"]
        if x.operation == "update_rows":
            self.namespace.setdefault("find_new_rows", find_new_rows)
            return [f"{name} = find_new_rows({', '.join(inputs)})"]
        if x.operation == "call":
            function = unique_name(make_identifier(options["function"].name), self.taken)
            self.namespace[function] = options["function"]
            self.head.append(f"# {function}: {options['function'].name}")
            self.namespace.setdefault("copy_results", copy_results)
            return [f"{name} = copy_results({function}({', '.join(inputs)}))"]
        if x.operation == "part":
            return [f"{name} = {inputs[0]}[{options['position']}]"]
        raise NotImplementedError(x.operation)

    # ---- the end

    def _commit(self) -> list[str]:
        """Add the updates, all at the end. Each of these lines may run twice without harm."""
        ready, lines, numbers = [], [], []
        for position, new in self.updates:
            old = self.inputs[position]
            source = self._format(new)
            owner = view_owner(new)
            if (owner.operation == "input" and owner is not old) or (
                owner is old and new is not old
            ):
                copy = unique_name(f"new_{self.names[old]}", self.taken)
                ready.append(f"{copy} = np.array({source})")
                source = copy
            if self.is_number(old):
                numbers.append(source)
            elif new.operation == "update_rows":
                lines.append(f"{self.names[old]}[{source}[0]] = {source}[1]")
            else:
                lines.append(f"np.copyto({self.names[old]}, {source})")
        if lines:
            once = [f"    {line}" for line in lines]
            self.body += [*ready, "try:", *once]
            self.body += ["except BaseException:  # all is moved, or nothing", *once, "    raise"]
        else:
            self.body += ready
        return numbers


BUFFERED = frozenset(
    {"where", "cast", "dot", "matmul", "concatenate", "broadcast", "scatter", "assign"}
)


def view_owner(x: Instruction) -> Instruction:
    """Return the instruction whose array a view shares; x itself if it's not a view."""
    while x.operation in VIEWS - {"broadcast"}:  # what is broadcast is a copy here
        x = x.inputs[0]
    return x


def copy_results(results: Sequence[Any]) -> list[Any]:
    """Return copies of what a call returned: views of its operands, or arrays that it keeps."""
    return [np.array(x) if isinstance(x, np.ndarray) else x for x in results]


def read_input(x: Instruction) -> Any:
    """Return what an input's source holds now; something like it for arguments."""
    try:
        return x.options["source"].read()
    except NotImplementedError:
        return np.empty(0) if not x.weak else 0.0


def format_index(index: Sequence[Any], arrays: Sequence[str]) -> str:
    """Return an index as Python source."""
    parts = []
    for x in index:
        if isinstance(x, Hole):
            parts.append(arrays[x.position])
        elif isinstance(x, slice):
            ends = ["" if end is None else str(end) for end in (x.start, x.stop)]
            parts.append(":".join(ends) + ("" if x.step is None else f":{x.step}"))
        else:
            parts.append("..." if x is Ellipsis else repr(x))
    return ", ".join(parts) or "()"
