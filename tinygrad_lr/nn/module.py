"""`Module`: holds parameters, finds them by name, and computes with them."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    NamedTuple,
    ParamSpec,
    Protocol,
    Self,
    SupportsIndex,
    TypeGuard,
    TypeVar,
    overload,
)

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..core.value import Value
from ..errors import ArgumentError, TinygradError
from ..support.abstract_array import Array
from ..support.notebook import DisplayPart, Heading, Table, notebook_display
from ..support.text_format import shape_text
from ..support.validation import check_dtype, check_flag, require_unmasked, short_repr

__all__ = ["Module"]

MAX_SHOWN_LAYERS = 20  # in a notebook
MAX_SHOWN_PARAMETERS = 6  # of one layer
MAX_NESTED_LEVELS = 10  # of modules that are copied or pickled by recursion
PICKLE_PROTOCOL = 4  # by which copies are made, as in the copy module

if TYPE_CHECKING:
    P = ParamSpec("P")
    R_co = TypeVar("R_co", covariant=True)

    class HasForward(Protocol[P, R_co]):
        """A module as type checkers see it: a call takes what its `forward` takes."""

        def forward(self, *inputs: P.args, **options: P.kwargs) -> R_co:
            """Compute the output."""

        def _locate(self, error: TinygradError) -> None:
            """Prefix an error with the name of the module that raised it."""


class Module:
    """A part of a network: parameters are attributes, the computation is `forward`.

    The parameters are the Values among its attributes and those of the modules among them, also
    inside lists, tuples and dicts, in the order in which they were set. A Value computed by an
    operation is a result, not a parameter. There is nothing to register, and nothing to call in
    `__init__`.

    Buffers are saved with the weights but not trained, such as a running mean: they are the NumPy
    arrays found in the same way, except those under a name that begins with `_`.

    >>> class Line(tg.nn.Module):
    ...     def __init__(self):
    ...         self.w, self.b = Value(2.0), Value(1.0)
    ...
    ...     def forward(self, x):
    ...         return self.w * x + self.b
    >>> line = Line()
    >>> line(3.0).data, [name for name, _ in line.named_parameters()]
    (7.0, ['w', 'b'])
    >>> line
    Line(w (), b ()): 2 parameters
    """

    training: bool = True

    takes_integers: bool = False
    """True if inputs may be integers that must stay integers: indices, not measurements."""

    least_rows: int = 1
    """The minimum number of rows in a training batch."""

    # Any: a subclass may take and return anything, as in PyTorch; calls have the types it declares
    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output. Every subclass defines this method."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, x)")

    def __call__(self: HasForward[P, R_co], *inputs: P.args, **options: P.kwargs) -> R_co:
        """Call `forward`. An error in a layer is reported with the layer's name."""
        try:
            return self.forward(*inputs, **options)
        except TinygradError as error:
            self._locate(error)
            raise

    def _locate(self, error: TinygradError) -> None:
        """Prefix an error with the name, seen from here, of the module that raised it."""
        if error.module is None:
            error.module, error.sentence = self, str(error)
        else:
            names = {id(module): name for name, module in self.named_modules()}
            if names.get(id(error.module)):
                error.args = (f"{names[id(error.module)]}: {error.sentence}",)

    def parameters(self) -> list[Value]:
        """Return the parameters in the order of their attributes; a shared one once."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_parameters(self) -> list[tuple[str, Value]]:
        """Return the parameters with their names; a shared one has the first of its names.

        Raises `ArgumentError` if two parameters have the same name, or one is in a set.

        >>> model = tg.nn.MLP(2, [3], 1)
        >>> [name for name, _ in model.named_parameters()]
        ['layers.0.weight', 'layers.0.bias', 'layers.2.weight', 'layers.2.bias']
        """
        return self._require_unique(
            [(x.name, x.item) for x in walk(self) if isinstance(x.item, Value)]
        )

    def named_buffers(self) -> list[tuple[str, Array]]:
        """Return the buffers with their names: arrays that are saved, and not trained.

        >>> model = tg.nn.Linear(1, 1)
        >>> model.mean_of_inputs = np.zeros(1)
        >>> model.named_buffers()
        [('mean_of_inputs', array([0.]))]
        """
        return self._require_unique(
            [(x.name, np.asarray(x.item)) for x in walk(self) if x.is_buffer]
        )

    def generators(self) -> list[np.random.Generator]:
        """Return the generators that the modules draw from, such as those of Dropout, each once."""
        return [x.item for x in walk(self) if x.is_generator]

    def _require_unique(self, found: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Return what was found. Raises `ArgumentError` if two have the same name."""
        if len({name for name, _ in found}) < len(found):
            names = [name for name, _ in found]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ArgumentError(
                f"{type(self).__name__}: parameters must have different names, "
                f"got {', '.join(twice)} twice; rename a key of the dict that holds them"
            )
        return found

    def modules(self) -> list[Module]:
        """Return the module itself and all those inside it, each once."""
        return [module for _, module in self.named_modules()]

    def named_modules(self) -> list[tuple[str, Module]]:
        """Return the modules with their names; the module itself has the name ""."""
        return [(x.name, x.item) for x in walk(self) if isinstance(x.item, Module)]

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of every parameter and buffer as a plain array, by name.

        >>> tg.nn.Linear(2, 1, generator=0).state_dict()["bias"]
        array([-0.64916146], dtype=float32)
        """
        weights = {name: parameter.numpy() for name, parameter in self.named_parameters()}
        return weights | {name: np.array(buffer) for name, buffer in self.named_buffers()}

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Load parameters and buffers from arrays by name, as returned by `state_dict`.

        Raises `ArgumentError`, naming every entry that is missing, unknown, or of another shape or
        dtype; the model is then unchanged. Lists and numbers get the model's dtype.

        >>> line = tg.nn.Linear(1, 1)
        >>> line.load_state_dict({"weight": [[2.0]], "bias": [1.0]})
        >>> line(np.float32([[3.0]])).tolist()
        [[7.0]]
        """
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, Mapping):
            raise ArgumentError(
                f"{where}: state must be a dict of arrays by name, got {type(state).__name__}"
            )
        kept = {x.name: x for x in walk(self) if x.is_buffer or isinstance(x.item, Value)}
        for name in kept:
            require_unmasked(where, f"{name!r:.80}", state.get(name))
        arrays = {name: _as_array(state[name]) for name in kept if name in state}
        wrong = [f"{name} is missing" for name in kept if name not in state]
        wrong += [f"{short_repr(name)} is unknown" for name in state if name not in kept]
        for name, array in arrays.items():
            shape, dtype = np.shape(kept[name].item), kept[name].item.dtype
            if array.shape != shape:
                wrong.append(f"{name} has shape {array.shape}, not {shape}")
            stated = hasattr(state[name], "dtype")
            if array.dtype.kind not in "fiub" or (
                stated and array.dtype.newbyteorder("=") != dtype
            ):
                wrong.append(f"{name} has dtype {array.dtype}, not {dtype}")
        if wrong:
            raise ArgumentError(
                f"{where}: state must have the names, shapes and dtypes of state_dict(): "
                f"{'; '.join(wrong)}"
            )
        owned = {name: np.array(arrays[name], x.item.dtype) for name, x in kept.items()}
        for name, x in kept.items():
            x.put(owned[name])

    def astype(self, dtype: DTypeLike) -> Self:
        """Convert the parameters, and the buffers of floats, to another floating dtype in place.

        An optimiser keeps its parameters, but its state has the old dtype, so create it afterwards.
        Raises `DtypeError` if the dtype can't hold a gradient.

        Source: `torch.nn.Module.to`.

        >>> tg.nn.Linear(2, 1).astype(np.float64).weight.dtype
        dtype('float64')
        """
        kind = check_dtype(f"{type(self).__name__}.astype", dtype)
        for found in walk(self):
            if isinstance(found.item, Value):
                found.item._replace(np.asarray(found.item._content).astype(kind))
                found.item.grad = None
            elif found.is_buffer and found.item.dtype.kind == "f":
                found.put(np.asarray(found.item).astype(kind))
        return self

    def train(self, training: bool = True) -> Self:
        """Set this module and those inside it to training mode (evaluation mode for False)."""
        training = check_flag(f"{type(self).__name__}.train", "training", training)
        for module in self.modules():
            module.training = training
        return self

    def eval(self) -> Self:
        """Set this module and those inside it to evaluation mode."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None."""
        for parameter in self.parameters():
            parameter.grad = None

    # ---- copies and pickles, of which the innermost modules come first: neither may nest deeply

    def __copy__(self) -> Self:
        reduced = super().__reduce_ex__(PICKLE_PROTOCOL)
        twin: Self = copy._reconstruct(self, None, *reduced)  # type: ignore[attr-defined]
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        reduced = super().__reduce_ex__(PICKLE_PROTOCOL)
        if not self._has_plain_state(reduced):
            twin: Self = copy._reconstruct(self, memo, *reduced)  # type: ignore[attr-defined]
            return twin
        rebuild, args, state = reduced[:3]
        memo[id(self)] = twin = rebuild(*copy.deepcopy(args, memo))
        inner = [copy.deepcopy(module, memo) for module in _inner_modules(self)]
        _set_state(twin, (inner, copy.deepcopy(state, memo)))
        return twin

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        reduced, inner = super().__reduce_ex__(protocol), _inner_modules(self)
        if not inner or not self._has_plain_state(reduced):
            return reduced
        rebuild, args, state = reduced[:3]
        return rebuild, args, (inner, state), None, None, _set_state

    def _has_plain_state(self, reduced: Any) -> TypeGuard[tuple[Any, ...]]:
        """Return True if `object.__reduce_ex__` gave all there is: the class does not define it."""
        return type(self).__reduce__ is object.__reduce__ and not any(reduced[3:])

    def _title(self) -> str:
        """Return the name in a `repr`: that of the class."""
        return type(self).__name__

    @notebook_display
    def _repr_html_(self) -> Iterator[DisplayPart]:
        """Show the layers: path, kind, parameters with their shapes, and how many numbers."""
        own: dict[str, list[str]] = {}  # the parameters of each layer
        sizes: dict[str, int] = {}
        total = trainable = 0
        for name, owner, item, *_ in walk(self):
            if isinstance(item, Value):
                shape = shape_text(item.shape) if item.shape else ""
                short = name.removeprefix(owner).lstrip(".")
                own.setdefault(owner, []).append(f"{short} {shape}".rstrip())
                sizes[owner] = sizes.get(owner, 0) + item.size
                total += item.size
                trainable += item.size if item.requires_grad else 0
        layers = self.named_modules()
        rows = [
            (
                name or "(itself)",
                x._kind(),
                _list_names(own.get(name, [])),
                f"{sizes.get(name, 0):,}",
            )
            for name, x in layers
            if name or sizes.get("") or len(layers) == 1
        ]
        yield Heading(
            type(self).__name__,
            [
                f"{total:,} parameter{'s' * (total != 1)}",
                f"{total - trainable:,} frozen" if trainable < total else "",
                "in training mode" if self.training else "in evaluation mode",
            ],
        )
        head, foot = ["layer", "kind", "parameters", "count"], ["all", "", "", f"{total:,}"]
        yield Table(head, rows, numeric=[3], foot=foot, max_rows=MAX_SHOWN_LAYERS)

    def _kind(self) -> str:
        """Its class, with the settings that it was made with."""
        settings = ", ".join(_settings(self))
        return f"{self._title()}({settings})" if settings else self._title()

    def __repr__(self) -> str:
        own: dict[str, list[str]] = {name: [] for name, _ in self.named_modules()}
        total = 0
        for name, owner, item, *_ in walk(self):
            if isinstance(item, Value):
                own[owner].append(f"{name.removeprefix(owner).lstrip('.')} {item.shape}")
                total += item.size
        parts = {
            name: f"{module._title()}({', '.join(_settings(module) + own[name])})"
            for name, module in self.named_modules()
        }
        count = f"{total} parameter{'s' * (total != 1)}"
        first = parts.pop("")
        if not parts:
            return f"{first}: {count}" if total else first
        width = max(map(len, parts))
        lines = [f"  {name:{width}}  {part}" for name, part in parts.items()]
        return "\n".join([f"{first.removesuffix('()')}: {count}", *lines])


if TYPE_CHECKING:

    class Weightless(Module):
        """A layer without parameters: it returns a Value for a Value, an array for an array."""

        @overload
        def __call__(self, x: Value) -> Value: ...
        @overload
        def __call__(self, x: ArrayLike) -> Any: ...
        def __call__(self, x: Any) -> Any:
            """Call `forward`."""

else:
    Weightless = Module


class Found(NamedTuple):
    """A module or something it holds: its name, the name of its owner, and where it is stored."""

    name: str
    owner: str
    item: Any
    holder: Any
    key: Any

    @property
    def is_buffer(self) -> bool:
        """True for an array that the module keeps."""
        return isinstance(self.item, (np.ndarray, np.generic))

    @property
    def is_generator(self) -> bool:
        """True for a generator of random numbers."""
        drawing = "numpy.random" in sys.modules  # importing it takes 10 ms
        return drawing and isinstance(self.item, np.random.Generator)

    def now(self) -> Any:
        """Return what is stored there now: a buffer may have been replaced since."""
        in_module = isinstance(self.holder, Module)
        return getattr(self.holder, self.key) if in_module else self.holder[self.key]

    def put(self, array: Array) -> None:
        """Replace the numbers by an array of the same shape and dtype, in the form stored there."""
        if isinstance(self.item, Value):
            put(self.item, array)
        elif isinstance(self.holder, Module):
            setattr(self.holder, self.key, array)
        elif isinstance(self.holder, tuple):
            self.item[...] = array
        else:
            self.holder[self.key] = array


def walk(root: Module) -> Iterator[Found]:
    """Yield every module, parameter, buffer and generator below the root, once.

    This is a loop with a stack and a set of what was seen, so a module may hold its parent.
    """
    seen: set[int] = set()
    waiting: list[tuple[Found, bool]] = [(Found("", "", root, None, ""), False)]
    while waiting:
        found, private = waiting.pop()
        name, owner, item, *_ = found
        branches: Iterable[tuple[Any, Any]] = ()
        if isinstance(item, Module):
            branches, owner = list(vars(item).items()), name  # other threads may add attributes
        elif isinstance(item, dict):
            branches = list(item.items())
        elif isinstance(item, (list, tuple)):
            branches = enumerate(item)
        elif isinstance(item, (set, frozenset)):
            if any(isinstance(x, (Module, Value)) for x in item):
                raise ArgumentError(
                    f"{type(root).__name__}: {name} must be a list, a tuple or a dict to hold "
                    f"parameters, got a {type(item).__name__}, which has no order"
                )
            continue
        elif isinstance(item, Value):
            if item.record is not None:
                continue
        elif private or not (found.is_buffer or found.is_generator):
            continue
        if id(item) in seen:
            continue
        seen.add(id(item))
        if not isinstance(item, (dict, list, tuple)):
            yield found
        within = isinstance(item, Module)
        inner = [
            (
                Found(f"{name}.{key}" if name else str(key), owner, x, item, key),
                str(key).startswith("_") if within else private,
            )
            for key, x in branches
        ]
        waiting.extend(reversed(inner))


def module_levels(root: Module) -> list[list[Module]]:
    """Return the modules by how deep they are: the root, those that it holds, those in these."""
    seen, levels = {id(root)}, [[root]]
    while levels[-1]:
        inner: list[Module] = []
        waiting: list[Any] = [vars(module) for module in reversed(levels[-1])]
        while waiting:
            x = waiting.pop()
            if isinstance(x, (dict, list, tuple, Module)):
                if id(x) in seen:
                    continue
                seen.add(id(x))
                if isinstance(x, Module):
                    inner.append(x)
                else:
                    waiting.extend(reversed(x.values() if isinstance(x, dict) else x))
        levels.append(inner)
    return levels[:-1]


def _inner_modules(root: Module) -> list[Module]:
    """Return the modules of each tenth level, the innermost first.

    What copies or pickles them in this order never goes down more than ten levels.
    """
    levels = module_levels(root)[MAX_NESTED_LEVELS::MAX_NESTED_LEVELS]
    return [module for level in reversed(levels) for module in level]


def _set_state(module: Module, given: tuple[list[Module], Any]) -> None:
    """Set the state of a copied or unpickled module as `pickle` does, after its inner modules."""
    _, state = given
    if hasattr(module, "__setstate__"):
        module.__setstate__(state)
        return
    state, slots = state if isinstance(state, tuple) else (state, None)
    vars(module).update(state or {})
    for name, x in (slots or {}).items():
        setattr(module, name, x)


def put(parameter: Value, array: Array) -> None:
    """Replace the data of a parameter by an array of the same shape and dtype."""
    data = parameter._content
    kind = type(data)
    parameter._replace(
        float(array) if kind is float else array if kind is np.ndarray else array[()]
    )


def _as_array(given: Any) -> Array:
    """Return an entry of a state as an array; lists of unequal lengths as one of objects."""
    try:
        return np.asarray(given)
    except ValueError:
        return np.asarray(None)


def _list_names(parameters: Sequence[str]) -> str:
    """Return the first parameters of a layer as text."""
    more = len(parameters) - MAX_SHOWN_PARAMETERS
    shown = [*parameters[:MAX_SHOWN_PARAMETERS], *([f"{more:,} more"] if more > 0 else [])]
    return ", ".join(shown)


def _settings(module: Module) -> list[str]:
    """Return the settings of a module for its `repr`: numbers and texts, without the mode."""
    plain = (bool, int, float, str)
    return [
        f"{name}={setting!r}"
        for name, setting in list(vars(module).items())
        if name != "training" and not name.startswith("_")
        if isinstance(setting, plain)
        or (isinstance(setting, tuple) and setting and all(isinstance(x, plain) for x in setting))
    ]
