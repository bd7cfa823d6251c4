"""The schema of the page's data, which Python writes and the scripts in `browser/` read.

`Payload` is the whole object. Mypy checks it in Python. `typescript_declarations` writes the same
types for the scripts, to `browser/payload.d.ts`. A test compares that file, and the data of pages,
with this schema.

Numbers that are not finite become null in JSON. Arrays become nested lists. The first axis of
everything "by frame" has one entry for each shown step of the run.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from ..support.abstract_array import Array

Nullable = Annotated[float, "number | null"]
Vector = Annotated[Array | Sequence[float], "number[]"]
Matrix = Annotated[Array | Sequence[Sequence[float]], "number[][]"]
NullableVector = Annotated[Array | Sequence[float], "(number | null)[]"]
NullableMatrix = Annotated[Array | Sequence[Sequence[float]], "(number | null)[][]"]
Counts = Annotated[Array | Sequence[int], "number[]"]
Confusion = Annotated[Array, "number[][]"]

Task = Literal["regression", "classes", "other"]
Verdict = Literal["too small", "right", "large", "too large"]
FunctionName = Literal["tanh", "relu", "sigmoid", "softplus", "silu", "leaky_relu", "elu"]


class Layer(TypedDict):
    """An affine layer and the function after it; offsets are into the flat parameters."""

    weight: int
    bias: int | None
    inputs: int
    outputs: int
    function: FunctionName | None
    slope: float


class Column(TypedDict):
    """A column of the data, in its own units."""

    name: str
    mean: Nullable
    deviation: Nullable
    low: Nullable
    high: Nullable


class DataPayload(TypedDict):
    """The data: rows in the model's scale, with the scaling back to their original units."""

    rows: int
    features: int
    x_names: Sequence[str]
    y_name: str
    labels: Sequence[str]
    columns: Sequence[Column]
    x_mean: Vector | None
    x_scale: NotRequired[Vector]
    x: NotRequired[Matrix]
    y_mean: float
    y_scale: float
    y: NotRequired[Vector]
    row_numbers: NotRequired[Counts]


class Parameter(TypedDict):
    """A parameter of the model."""

    name: str
    shape: Sequence[int]
    size: int


class LineSurface(TypedDict):
    """The loss over w and b of a line: `losses[i][j]` at (a[j], b[i])."""

    kind: Literal["line"]
    a: Vector
    b: Vector
    losses: NullableMatrix
    path: Matrix
    minimum: Vector


class PrincipalSurface(TypedDict):
    """The loss over the first two principal directions of the path."""

    kind: Literal["principal"]
    a: Vector
    b: Vector
    losses: NullableMatrix
    path: Matrix
    share: float


class Trial(TypedDict):
    """A descent at another learning rate: its first losses, its last, and a weight's path."""

    rate: float
    steps: int
    reason: str
    message: str
    losses: NullableVector
    path: NullableVector
    verdict: Verdict


class Trials(TypedDict):
    """Descents around the largest stable learning rate."""

    limit: float
    exact: bool
    rows: int
    trials: Sequence[Trial]


class ClosedForm(TypedDict):
    """The least-squares line, in the units of the data."""

    slope: Vector
    intercept: float
    mse: float
    r_squared: Nullable
    slope_error: NullableVector


class Curve(TypedDict):
    """The loss by step."""

    steps: Counts
    losses: NullableVector


class Run(TypedDict):
    """The result of the run."""

    steps: int
    reason: str
    message: str
    limit: Nullable | None
    best_step: int | None
    warnings: Sequence[str]


class Payload(TypedDict):
    """All data of a page.

    - `line`: the model is one affine layer; `open`: the page can compute the model by itself
    - `losses`: of the run, by frame; `full`: on the rows of the page, by frame
    - `plain`: the updates are w_new = w_old - learning rate · gradient on these rows
    - `dropped`: recorded steps whose weights are too large to be shown
    - `sizes`: root mean square of the gradient of each parameter, by frame
    - `chosen`: the offset of the weight that is selected first
    - `weights`, `gradients`, `next` (weights one update later): flat, by frame, if `open`
    - `outputs`: of the model, by frame, if not `open`; `confusion`: true by predicted, by frame
    """

    task: Task
    line: bool
    open: bool
    loss: str
    layers: Sequence[Layer] | None
    data: DataPayload
    rows_used: int
    same_rows: bool
    parameters: Sequence[Parameter]
    steps: Counts
    losses: NullableVector
    full: NullableVector
    rates: Vector
    plain: bool
    dropped: int
    sizes: NullableMatrix
    chosen: int
    surface: LineSurface | PrincipalSurface | None
    trials: Trials | None
    closed_form: ClosedForm | None
    curve: Curve
    evaluations: Sequence[Mapping[str, Nullable]]
    run: Run
    versions: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]
    command: str | None
    weights: NotRequired[Matrix]
    gradients: NotRequired[NullableMatrix]
    next: NotRequired[NullableMatrix | None]
    outputs: NotRequired[NullableMatrix]
    confusion: NotRequired[Sequence[Confusion]]


def typescript_declarations() -> str:
    """Return the schema as TypeScript declarations, for the type checker of the scripts."""
    found: dict[str, str] = {}
    _declare(Payload, found)
    head = "// Generated from report_page/schema.py by typescript_declarations(); don't edit.\n"
    return head + "".join(f"\n{text}" for text in found.values())


def _declare(record: Any, found: dict[str, str]) -> str:
    """Add a record to `found`, after those inside it; return its name."""
    name = str(record.__name__)
    if name not in found:
        fields = ""
        for key, hint in get_type_hints(record, include_extras=True).items():
            optional = get_origin(hint) is NotRequired
            inner = get_args(hint)[0] if optional else hint
            fields += f"  {key}{'?' * optional}: {_typescript(inner, found)};\n"
        found[name] = f"interface {name} {{\n{fields}}}\n"
    return name


def _typescript(hint: Any, found: dict[str, str]) -> str:
    """Return a type of the schema in TypeScript."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return _declare(hint, found)
    if origin is None:
        return {int: "number", float: "number", str: "string", bool: "boolean"}.get(hint, "null")
    if origin is Annotated:
        return str(hint.__metadata__[0])
    if origin is Literal:
        return " | ".join(f'"{x}"' for x in arguments)
    inner = [_typescript(x, found) for x in arguments]
    if origin in {Union, types.UnionType}:
        return " | ".join(dict.fromkeys(" | ".join(inner).split(" | ")))
    if origin is tuple:
        return f"[{', '.join(inner)}]"
    if issubclass(origin, Mapping):
        return f"{{ [name: string]: {inner[1]} }}"
    return f"{inner[0]}[]"  # a Sequence
