"""Calls back into Python: a function that isn't an instruction runs as it is, at each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ...errors import TraceError
from ...support import pytree as tree
from ..ir.instruction import SUPPORTED_DTYPES, WEAK_DTYPES, Hole, Instruction
from .call_stack import user_line

MAX_VARIED_ENTRIES = 1 << 16  # inputs with more are tried once, since that takes time
SAMPLE_SEED = 0
OUTSIDE = "call it outside the compiled function"


class CallRefusedError(Exception):
    """A function can't be called by a program: what is wrong, and the cure.

    `failed` is True if the function itself raised an error.
    """

    def __init__(self, wrong: str, cure: str = OUTSIDE, failed: bool = False) -> None:
        super().__init__(wrong)
        self.wrong, self.cure, self.failed = wrong, cure, failed


class Result(NamedTuple):
    """The shape and dtype of one result of a call; `weak` for a Python number."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    weak: bool


KNOWN_PACKAGES = frozenset({"numpy", __name__.partition(".")[0]})
"""Packages whose functions keep no references to their operands, and call no compiled function."""


class Call:
    """A function with its arguments, in which holes mark the arrays that come at run time.

    - `results`: what the function must return, once that is known
    - `expand`: the same function as instructions, for machine code
    - `arrays`: for each result if it is an array, which may be one without axes, not a scalar
    - `returns_views`: a result is a view of an argument, or an argument itself
    """

    many: bool
    arrays: Sequence[bool] = ()
    returns_views = False
    results: list[Result] | None = None
    expand: Call | None = None

    def __init__(self, function: Callable[..., Any], template: Any) -> None:
        self.function, self.template = function, template
        owner = getattr(function, "__module__", None) or type(function).__name__
        name = getattr(function, "__qualname__", None) or getattr(
            function, "__name__", repr(function)
        )
        self.name = f"{owner}.{name}".replace("numpy.", "np.", 1)
        self.is_foreign = owner.partition(".")[0] not in KNOWN_PACKAGES
        code, line = user_line()
        self.where = f"{code.co_filename}, line {line}, in {code.co_name}"

    def __call__(self, *arrays: Any) -> Any:
        """Return the result, or a tuple or list of several; a single one comes in a tuple."""
        if self.is_foreign:  # it may keep its operands, whose memory is used again
            arrays = tuple(np.array(x) if isinstance(x, np.ndarray) else x for x in arrays)
        args, options = _map_leaves(
            lambda x: arrays[x.position] if isinstance(x, Hole) else x, self.template
        )
        found = self.function(*args, **options)
        if self.results is None:
            return found
        found = found if self.many else (found,)
        given = [describe_result(x) for x in found]
        if given != self.results:
            raise TraceError(
                f"{self.where}: compile: {self.name} must return the shapes and dtypes of its "
                f"trace, {_format_results(self.results)}, got {_format_results(given)}; {OUTSIDE}"
            )
        return found

    def __repr__(self) -> str:
        return self.name


def add_call(
    function: Callable[..., Any],
    args: Any,
    options: Any,
    expand: Callable[..., Any] | None = None,
) -> Any:
    """Return the instructions of a call back into Python, nested as its results are.

    The traced arrays among the arguments are instructions. The shapes and dtypes of the results
    are found by calling the function on sample inputs; what depends on their numbers is refused.
    `expand` returns the instruction that computes the same, or None.

    Raises `CallRefusedError`.
    """
    traced = [x for x in tree.leaves((args, options)) if isinstance(x, Instruction)]
    inputs = list(dict.fromkeys(traced))
    holes = {x: Hole(i) for i, x in enumerate(inputs)}
    template = _map_leaves(
        lambda x: holes[x] if isinstance(x, Instruction) else x, (list(args), dict(options))
    )
    call = Call(function, template)
    found = call_on_samples(call, inputs)
    call.many = isinstance(found, (tuple, list))
    results = [describe_result(x) for x in (found if call.many else [found])]
    call.results = results
    call.expand = None if expand is None else Call(expand, template)
    likes = [(x.shape, x.dtype) for x in results]
    first = results[0] if results else Result((), np.dtype(bool), weak=False)
    whole = Instruction(
        "call", inputs, {"function": call, "likes": likes}, first.shape, first.dtype
    )
    parts = [
        Instruction("part", (whole,), {"position": i}, x.shape, x.dtype, x.weak)
        for i, x in enumerate(results)
    ]
    if not call.many:
        return parts[0]
    return type(found)(*parts) if hasattr(found, "_fields") else type(found)(parts)


def call_on_samples(call: Call, inputs: Sequence[Instruction]) -> Any:
    """Return a result of a function whose structure doesn't depend on the numbers it gets.

    Samples that the function raises an error for are left out, unless these are all.
    """
    varied = sum(x.size for x in inputs) <= MAX_VARIED_ENTRIES
    found: list[Any] = []
    first_error: Exception | None = None
    for sample in (sample_input, *((skewed_sample, zero_sample) if varied else ())):
        try:
            arrays = [sample(x) for x in inputs]
            with np.errstate(all="ignore"):
                found.append(call(*arrays))
            call.returns_views = call.returns_views or returns_views(found[-1], arrays)
            results = found[-1] if isinstance(found[-1], (tuple, list)) else [found[-1]]
            call.arrays = [isinstance(x, np.ndarray) for x in results]
        except TraceError:
            raise
        except Exception as error:
            first_error = first_error or error
    if not found:
        raise CallRefusedError(
            f"{call.name} raised {type(first_error).__name__} on the sample inputs that tracing "
            f"uses to find the result's shape ({first_error})",
            failed=True,
        )
    try:
        structures = [_describe(x) for x in found]
    except TypeError:
        raise CallRefusedError(
            f"{call.name} must return a numeric array, a number, or a tuple or list of these"
        ) from None
    for other in structures[1:]:
        if other != structures[0]:
            raise CallRefusedError(
                f"the shape or dtype of what {call.name} returns must not depend on the numbers it "
                "gets, which are unknown while tracing",
                "use np.where with a mask, or " + OUTSIDE,
            )
    return found[0]


def kind_of_part(part: Instruction) -> Literal["array", "scalar", "number"]:
    """Return what a result of a call is, as the function returned it for samples."""
    if part.weak:
        return "number"
    call: Call = part.inputs[0].options["function"]
    return "array" if call.arrays[part.options["position"]] else "scalar"


def returns_views(found: Any, arrays: Sequence[Any]) -> bool:
    """Return True if a result shares memory with one of some arrays."""
    results = [x for x in tree.leaves([found]) if isinstance(x, np.ndarray)]
    given = [x for x in arrays if isinstance(x, np.ndarray)]
    return any(np.may_share_memory(x, y) for x in results for y in given)


def _describe(found: Any) -> tuple[type | None, list[Result]]:
    """Return the container of the results, if any, and their descriptions."""
    many = isinstance(found, (tuple, list))
    results = [describe_result(x) for x in (found if many else [found])]
    if any(x.dtype not in SUPPORTED_DTYPES for x in results):
        raise TypeError
    return (type(found) if many else None), results


def describe_result(x: Any) -> Result:
    """Return the shape and dtype of a result. Raises `TypeError` if it isn't numeric."""
    if type(x) is np.ndarray or isinstance(x, np.generic):
        return Result(x.shape, x.dtype, weak=False)
    if type(x) in WEAK_DTYPES:
        return Result((), WEAK_DTYPES[type(x)], weak=True)
    raise TypeError(f"a result must be a numeric array or a number, got {type(x).__name__}")


def _format_results(results: Sequence[Result]) -> str:
    return " and ".join(f"{x.dtype} {x.shape}" for x in results) or "nothing"


# ---- sample inputs


def sample_input(x: Instruction) -> Any:
    """Return numbers to find a shape or a time with. A matrix among them is invertible."""
    if x.operation == "constant":
        return x.value
    if x.weak and not x.shape:
        return x.dtype.type(1).item()
    if x.dtype.kind in "iub":
        return np.zeros(x.shape, x.dtype)
    made = np.full(x.shape, 0.25, x.dtype)
    if len(x.shape) >= 2:
        made[...] += np.eye(*x.shape[-2:], dtype=x.dtype)
    return made


def skewed_sample(x: Instruction) -> Any:
    """Return numbers of which no two floats are equal. A matrix has complex eigenvalues."""
    if x.operation == "constant" or (x.weak and not x.shape):
        return sample_input(x)
    if x.dtype.kind in "iub":
        return (np.arange(x.size) % 2).astype(x.dtype).reshape(x.shape)
    made = np.random.default_rng(SAMPLE_SEED).standard_normal(x.shape)
    if len(x.shape) >= 2:
        made += 4 * (np.triu(np.ones(x.shape)) - np.tril(np.ones(x.shape)))
    return np.asarray(made, x.dtype)


def zero_sample(x: Instruction) -> Any:
    """Return floats that are 0, and integers that are 1."""
    if x.operation == "constant":
        return x.value
    number = x.dtype.type(x.dtype.kind in "iub")
    return number.item() if x.weak and not x.shape else np.full(x.shape, number)


def _map_leaves(change: Callable[[Any], Any], nest: Any) -> Any:
    """Return nested lists, tuples and dicts with other leaves. Runs at each call, so in one pass.

    A None is a leaf here, unlike in `pytree`.
    """
    if isinstance(nest, (list, tuple)):
        inner = [_map_leaves(change, branch) for branch in nest]
        return type(nest)(*inner) if hasattr(nest, "_fields") else type(nest)(inner)
    if isinstance(nest, dict):
        return {key: _map_leaves(change, branch) for key, branch in nest.items()}
    return change(nest)
