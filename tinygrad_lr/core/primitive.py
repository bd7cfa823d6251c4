r"""An operation is one declaration, and everything else reads it.

A `Primitive` holds the forward function, one rule per operand, and what the readers of the registry
(evaluation, both modes of differentiation, the compiler, the explanations, the tests) need.

    @primitive(np.tanh, latex=r"\tanh\left(<x>\right)", examples=[((2, 3),), ((),)])
    def tanh(x):
        return np.tanh(x)

    tanh.vjp(x=lambda g, out, x: g * (1 - out * out))
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar, overload

import numpy as np

from ..errors import ArgumentError
from ..support.abstract_array import AbstractArray, as_single_call
from ..support.type_names import ArrayLike
from ..support.validation import as_input, check_callable, check_choice, require_unmasked
from .registry import ROOT, Registry, import_operations

Rule = Callable[..., Any]
Kind = Literal["elementwise", "linear", "multilinear"]
View = Literal["writable", "by layout", "part", "read-only"]
Example = tuple[Any, ...]
Result_co = TypeVar("Result_co", covariant=True)


class Operand(Protocol[Result_co]):
    """An object that evaluates operations itself: a Value, whose results are Values."""

    @staticmethod
    def __apply__(operation: Primitive, operands: Any, options: dict[str, Any]) -> Result_co:
        """Evaluate an operation."""
        ...


NUMBERS = (float, int, complex)

PRIMITIVES: Registry[str, Primitive] = Registry()
"""Every declared operation by name."""

NUMPY_IMPLS: Registry[Callable[..., Any], Callable[..., Any]] = Registry()
"""The implementation of a NumPy function that is called with a `Value` among its arguments."""

LATE_IMPLS = {"scipy.special": "tinygrad_lr.scipy.special"}
"""Modules whose functions our module implements: it is imported when one of them meets a Value."""

METHOD_IMPLS: Registry[str, Callable[..., Any]] = Registry()
"""The implementation of a method of `Value`: a primitive or a composed function, by name."""

LEVELS: list[Any] = []
"""The batches that are open, in all threads: see `batching.py`. Empty except inside `vmap`."""

FLAT: set[Callable[..., Any]] = set()
"""The primitives and composed functions whose derivative is 0 wherever they have one."""


class Primitive:
    """An operation: its forward function, a rule per operand, and how it is written.

    Parameters without a default are operands, the others are options. A rule takes the cotangent
    `g` of the result, the result `out`, the operands and the options, and returns the cotangent
    of its operand; it is plain NumPy, so that it runs on arrays and on Values alike. Broadcasting
    is undone by whoever calls the rule. A rule of a `*variadic` operand returns a function of the
    position.

    `reach(live, *operands, **options)` is for operations that aren't elementwise: it returns which
    entries of the operand a mask of the result's entries depends on, to be broadcast.

    `view` is for those whose result shares memory with the operand in NumPy: "writable" if writing
    to it writes to the operand, "read-only" if that is an error, "by layout" if NumPy makes a copy
    for some layouts in memory. `as_view` is then the function that makes NumPy's own view.
    """

    __name__: str
    __module__: str
    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        forward: Callable[..., Any],
        *,
        numpy: Sequence[Callable[..., Any]] = (),
        latex: str | None = None,
        onnx: str | None = None,
        examples: Iterable[Example] = (),
        domain: Mapping[str, tuple[float, float]] | None = None,
        kind: Kind | None = None,
        scalar: Callable[..., float] | None = None,
        whole: bool | Callable[..., Any] = False,
        sentence: str = "",
        identity: bool = False,
        entrywise: bool | None = None,
        additive: bool = False,
        matrix_product: bool = False,
        selects: bool = False,
        kinked: bool | Callable[..., Any] = False,
        takes_complex: bool = False,
        flat: bool = False,
        max_slope: float | None = None,
        gain: float | Callable[[float], float] | None = None,
    ) -> None:
        functools.update_wrapper(self, forward)
        operands, starred, self.defaults = parameters_of(forward)
        if kind is None and numpy and isinstance(numpy[0], np.ufunc) and not numpy[0].signature:
            kind = "elementwise"
        self.name = forward.__name__
        expand = whole if callable(whole) else None
        self.forward = as_single_call(forward, expand) if whole else forward
        self.scalar = scalar
        self.numpy = tuple(numpy)
        self.latex = latex
        self.onnx = onnx
        self.examples = tuple(examples)
        self.domain = dict(domain or {})
        self.kind = kind
        self.sentence = sentence
        self.identity = identity
        self.entrywise = kind == "elementwise" if entrywise is None else entrywise
        self.additive = additive
        self.matrix_product = matrix_product
        self.selects = selects
        self.kinked = kinked
        self.takes_complex = takes_complex
        self.max_slope = max_slope
        self.gain = gain
        self.variadic = starred
        self.operands = operands
        self.reach: Callable[..., Any] | None = None
        self.batch_rule: Callable[..., Any] | None = None
        self.batches_mixed = self.batches_in_steps = self.batches_options = False
        self.view: View | None = None
        self.as_view: Callable[..., Any] = self.forward
        # entries meet along the option `axis` alone: known of the package's own operations
        own = str(forward.__module__).partition(".")[0] == __name__.partition(".")[0]
        self.along_axis = own and len(operands) == 1 and "axis" in self.defaults
        self.runs_user_code = not own  # in its rules, which may read whatever is outside
        self.moves = False  # each entry of the result is one of the operands', 0, or a sum of some
        self.reads_shapes = False  # the rules need of the operands' numbers their shapes alone
        # of an index, in place: see `pull_entries` and `push_forward` in chain_rule.py
        self.pull_entries: Callable[..., Any] | None = None
        self.push_entries: Callable[..., Any] | None = None
        self.binary = False  # two operands with rules, no options: most nodes of small graphs
        self.rules: list[Rule | None] = [None] * len(self.operands)
        self.tangent_rules: list[Rule | None] = [None] * len(self.operands)
        self.textbook_rules: dict[int, Rule] = {}
        if flat:
            FLAT.add(self)
            self.vjp(**dict.fromkeys(operands, lambda g, *_: g * 0.0))
        self._check_declaration()

    def _check_declaration(self) -> None:
        """Raise `ArgumentError` if the declaration contradicts the parameters of the function."""
        where, names = f"primitive {self.name}", ", ".join(self.operands)
        check_choice(where, "kind", self.kind, (None, "elementwise", "linear", "multilinear"))
        holes = set(re.findall(r"<(\w+)>", self.latex or ""))
        self.shown_options = [x for x in holes if x in self.defaults]
        if unknown := holes - {*self.operands, *self.defaults}:
            raise ArgumentError(
                f"{where}: the holes of latex must be operands ({names}) or options, "
                f"got <{min(unknown)}>"
            )
        if unknown := self.domain.keys() - {*self.operands}:
            raise ArgumentError(
                f"{where}: the keys of domain must be operands ({names}), got {min(unknown)!r}"
            )
        for example in self.examples:
            last = example[-1] if example else ()
            options, shapes = (last, example[:-1]) if isinstance(last, dict) else ({}, example)
            count = len(shapes) if self.variadic else len(self.operands)
            fits = len(shapes) == count and all(isinstance(shape, tuple) for shape in shapes)
            if not fits or not options.keys() <= self.defaults.keys():
                raise ArgumentError(
                    f"{where}: an example must be a tuple of one shape for each operand ({names}), "
                    f"with a dict of options ({', '.join(self.defaults)}) at its end if there are "
                    f"any, got {example!r:.60}"
                )
        try:
            self.sentence.format(x="", v="", g="")
        except (LookupError, ValueError):
            raise ArgumentError(
                f"{where}: the holes of sentence must be {{x}}, {{v}} and {{g}}, "
                f"got {self.sentence!r:.60}"
            ) from None

    def __repr__(self) -> str:
        operands = ", ".join(("*" if self.variadic else "") + name for name in self.operands)
        return f"<primitive {self.name}({operands})>"

    def __reduce__(self) -> str:
        return self.__name__

    def pieces(self, operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Return a number for the smooth piece that each entry of the result lies on."""
        if callable(self.kinked):
            return np.asarray(self.kinked(*operands, **options))
        return np.asarray(operands[0]) > 0

    def vjp(self, **rules: Rule) -> None:
        """Declare the reverse rules by operand: `name=lambda g, out, *operands, **options: ...`."""
        for position, rule in self._checked(rules):
            self.rules[position] = rule
            self.binary = len(self.rules) == 2 and None not in self.rules and not self.defaults
            if self.kind == "elementwise":  # a diagonal Jacobian is its own transpose
                self.tangent_rules[position] = rule
            elif self.kind is not None:
                self.tangent_rules[position] = functools.partial(self._replaced, position)

    def jvp(self, **rules: Rule) -> None:
        """Declare forward rules: as in `vjp`, with the operand's tangent in the place of `g`.

        A `*variadic` operand's rule takes the list of all its tangents, None where one is zero.
        An operation without forward rules is differentiated forward by transposing its `vjp`.
        """
        for position, rule in self._checked(rules):
            self.tangent_rules[position] = rule

    def textbook(self, **rules: Rule) -> None:
        """Declare rules as textbooks write them, for explanations: as in `vjp`, without its guards.

        A rule that guards against 0/0, loops or branches has no formula that one would read. Where
        the numbers of the rule declared here are the same, its formula is shown instead.
        """
        self.textbook_rules.update(self._checked(rules))

    def batch(
        self,
        rule: Callable[..., Any] | None = None,
        mixed: bool = False,
        steps: bool = False,
        options: bool = False,
    ) -> None:
        """Declare how `vmap` computes many entries at once; elementwise operations need no rule.

        The rule takes the operands and the options, each operand with the entries along a new
        first axis, and returns the results along the first axis. `mixed` rules take a list of
        booleans first, one for each operand: those that are False have no such axis, and all
        entries have the same. A rule may return NotImplemented for what it can't do. `steps`
        says that the function is composed of other operations, which are batched then. `options`
        says that the rule takes options that differ from entry to entry, such as an index; without
        it the operation runs for each entry then.
        """
        self.batch_rule, self.batches_mixed, self.batches_in_steps = rule, mixed, steps
        self.batches_options = options

    def _replaced(self, position: int, t: Any, out: Any, *operands: Any, **options: Any) -> Any:
        """Apply the forward rule of a function that is linear in this operand."""
        return self(*operands[:position], t, *operands[position + 1 :], **options)

    def _checked(self, rules: Mapping[str, Rule]) -> Iterable[tuple[int, Rule]]:
        takes = 2 + len(self.operands) + len(self.defaults)
        for name, rule in rules.items():
            if name not in self.operands:
                raise ArgumentError(
                    f"{self.name}: a rule must be for an operand ({', '.join(self.operands)}), "
                    f"got {name!r}"
                )
            code = getattr(rule, "__code__", None)
            if code is not None and not code.co_flags & (
                inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
            ):
                given = code.co_argcount + code.co_kwonlyargcount
                if given != takes and not self.variadic:
                    takes_names = ", ".join(["g", "out", *self.operands, *self.defaults])
                    raise ArgumentError(
                        f"{self.name}: the rule for {name!r} must take ({takes_names}), "
                        f"got {given} parameters"
                    )
            yield self.operands.index(name), rule

    def _signature(self) -> str:
        return f"({', '.join([*self.operands, *self.defaults])})"

    def bind(
        self, args: tuple[Any, ...], keywords: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Sort the arguments of a call into operands and options, complete with the defaults."""
        count = len(args) if self.variadic else len(self.operands)
        if len(args) == count:
            if not keywords:
                return args, self.defaults
            if keywords.keys() <= self.defaults.keys():
                return args, {**self.defaults, **keywords}
        operands, options = list(args[:count]), dict(self.defaults)
        options.update(zip(self.defaults, args[count:], strict=False))
        for name, value in keywords.items():
            if name in options:
                options[name] = value
            elif name in self.operands[len(operands) :][:1] and not self.variadic:
                operands.append(value)
            else:
                raise TypeError(
                    f"{self.name}: arguments must be {self._signature()}, got {name}={value!r:.60}"
                )
        if len(operands) != count or len(args) > count + len(self.defaults):
            raise TypeError(
                f"{self.name}: arguments must be {self._signature()}, got {len(args)} positional"
            )
        return tuple(operands), options

    @overload
    def __call__(
        self, operand: Operand[Result_co], /, *more: Any, **keywords: Any
    ) -> Result_co: ...
    @overload
    def __call__(
        self, first: ArrayLike, operand: Operand[Result_co], /, *more: Any, **keywords: Any
    ) -> Result_co: ...
    @overload
    def __call__(self, *args: Any, **keywords: Any) -> Any: ...
    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Evaluate the operation on arrays, or on Values if one is among the operands."""
        if keywords or len(args) != len(self.operands) or self.variadic:
            return self.evaluate(*self.bind(args, keywords))
        for operand in args:  # as in `evaluate`, one call less
            apply = getattr(type(operand), "__apply__", None)
            if apply is not None:
                return apply(self, args, self.defaults)
        return self.evaluate(args, self.defaults)

    def evaluate(self, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Return the result for operands that may be Values, and complete options."""
        for operand in operands:
            apply = getattr(type(operand), "__apply__", None)
            if apply is not None:
                return apply(self, operands, options)
        if LEVELS and (level := innermost_level(operands, options)) is not None:
            return level.evaluate(self, operands, options)
        if self.scalar is not None and type(operands[0]) is float is type(operands[-1]):
            return self.on_numbers(*operands)
        try:
            return self.forward(*map(as_array, operands), **options)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            names = self.operands * len(operands) if self.variadic else self.operands
            for name, operand in zip(names, operands, strict=False):
                if operand is not None or isinstance(error, (TypeError, AttributeError)):
                    as_input(self.name, name, operand, self.takes_complex)  # what isn't a number
                if isinstance(operand, (int, float)) and isinstance(error, AttributeError):
                    raise ArgumentError(
                        f"{self.name}: {name} must be an array, got {operand!r:.60}"
                    ) from None
            if isinstance(error, OverflowError):
                raise ArgumentError(
                    f"{self.name}: an integer must be < 2**63; pass a float"
                ) from None
            raise

    def on_numbers(self, *numbers: Any) -> Any:
        """Return the value on Python numbers: overflow gives inf, 0/0 nan; nothing is raised."""
        if complex in map(type, numbers):
            with np.errstate(all="ignore"):
                return self.forward(*map(np.complex128, numbers))
        if self.scalar is not None:
            try:
                return self.scalar(*numbers)
            except (ArithmeticError, ValueError):
                pass
        with np.errstate(all="ignore"):
            return float(self.forward(*map(np.float64, numbers)))


def innermost_level(operands: Iterable[Any], options: Mapping[str, Any] | None = None) -> Any:
    """Return the innermost open batch that one of the operands or options belongs to, or None."""
    found = None
    for x in (*operands, *(options.values() if options else ())):
        if isinstance(x, AbstractArray):
            level = x.level
        elif isinstance(x, (tuple, list)):
            level = innermost_level(x)
        else:
            continue
        if level is not None and (found is None or level.depth > found.depth):
            found = level
    return found


def parameters_of(
    forward: Callable[..., Any],
) -> tuple[tuple[str, ...], bool, dict[str, Any]]:
    """Return the operands of a function, True if they are one `*variadic`, and its options.

    Reads the code object, which is ten times as fast as `inspect.signature`.
    """
    code, defaults = forward.__code__, forward.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    plain = names[: len(names) - len(defaults)]
    options = dict(zip(names[len(plain) :], defaults, strict=True)) | (forward.__kwdefaults__ or {})
    if code.co_flags & inspect.CO_VARARGS:
        return (code.co_varnames[code.co_argcount + code.co_kwonlyargcount],), True, options
    return plain, False, options


def as_array(x: Any) -> Any:
    """Return lists as arrays; numbers, arrays and None stay. A masked array is refused."""
    if type(x) is np.ndarray or x is None or isinstance(x, (np.generic, *NUMBERS, AbstractArray)):
        return x
    require_unmasked("as_array", "an argument", x)
    return np.asarray(x)


def is_complex(x: Any) -> bool:
    """Return True for a complex number, an array or a Value of them."""
    dtype = getattr(x, "dtype", None)
    return dtype.kind == "c" if dtype is not None else type(x) is complex


def is_view(value: Any) -> bool:
    """Return True for a Value that shares the memory of another one; see `versions.py`."""
    memory = getattr(value, "_memory", None)
    if memory is not None and memory.unsure:
        value._content.refuse_layout()
    return memory is not None and memory.base is not None


def numbers_of(x: Any) -> Any:
    """Return the number or array in a Value, and anything else as it is."""
    return x._content if hasattr(type(x), "__apply__") else x


@overload
def primitive(function: types.FunctionType, /) -> Primitive: ...
@overload
def primitive(
    *numpy: Callable[..., Any],
    latex: str | None = None,
    onnx: str | None = None,
    examples: Iterable[Example] = (),
    domain: Mapping[str, tuple[float, float]] | None = None,
    kind: Kind | None = None,
    scalar: Callable[..., float] | None = None,
    whole: bool | Callable[..., Any] = False,
    sentence: str = "",
    identity: bool = False,
    entrywise: bool | None = None,
    additive: bool = False,
    matrix_product: bool = False,
    selects: bool = False,
    kinked: bool | Callable[..., Any] = False,
    takes_complex: bool = False,
    flat: bool = False,
    max_slope: float | None = None,
    gain: float | Callable[[float], float] | None = None,
) -> Callable[[Callable[..., Any]], Primitive]: ...
def primitive(*numpy: Any, **declared: Any) -> Any:
    """Declare an operation; the function below becomes the `Primitive`.

    - `numpy`: the NumPy functions that it implements for Values.
    - `latex`: its formula, with a hole `<x>` for each operand, and for options that it shows.
    - `onnx`: the ONNX operator that computes the same from the operands, with the options as
      attributes of the same names.
    - `examples`: shapes of operands (and a dict of options), from which the tests are generated.
    - `domain`: the interval from which the tests draw an operand: {"x": (0.5, 2.0)}.
    - `kind`: "elementwise", "linear" (in all operands together) or "multilinear" (in each):
      the forward mode then follows from the declaration.
    - `takes_complex`: True if the function and its rules hold for complex operands, too; other
      operations refuse them. Rules don't conjugate: the cotangent g of a complex number x stands
      for the change Re(g·dx) of a real loss, so the rules of functions with a complex derivative,
      such as exp, are the same as for real numbers.
    - `scalar`: the same function on Python numbers, when it is quicker.
    - `whole`: True if the compiler must call the function instead of tracing it, because it loops
      over entries or writes into arrays of its own; or a function of the same arguments that
      computes the same in steps that can be traced, or returns None.
    - `flat`: its derivative is 0 wherever it has one, as that of `floor`; these are the rules.

    The rest are facts that derivations, influences and initialisers read; none changes a result.

    - `sentence`: what happens at this operation, for the text of a derivation, where its
      derivative has no short formula; with holes {x} (the operand), {v} (the result), {g}
      (the gradient of the result).
    - `identity`: the result has the operand's entries in their order, in another shape or dtype;
      formulas leave it out.
    - `entrywise`: each entry of the result depends on one entry of the operand, up to broadcasting;
      by default this is so for `kind="elementwise"`.
    - `additive`: a parameter that enters through it is an offset, such as a bias.
    - `matrix_product`: it multiplies by a matrix, its second operand.
    - `selects`: the result is one of the operand's entries, as in `max`.
    - `kinked`: True if its slope jumps where the first operand is 0, as that of `relu`; if it jumps
      elsewhere, a function of operands and options that numbers the smooth pieces, such as
      `lambda x, y: x > y`.
    - `max_slope`: the largest size of its slope, anywhere.
    - `gain`: the factor on initial weights before it, as `tg.nn.init.calculate_gain` returns it, or
      a function of the slope for negative inputs.

    >>> import numpy as np, tinygrad_lr as tg
    >>> @tg.primitive(latex="<x>^3", examples=[((2, 3),)])
    ... def cube(x):
    ...     return x * x * x
    >>> cube.vjp(x=lambda g, out, x: g * 3 * x * x)
    >>> tg.grad(cube)(2.0), tg.grad(tg.grad(cube))(2.0)
    (12.0, 12.0)
    """
    if len(numpy) == 1 and not declared and isinstance(numpy[0], types.FunctionType):
        return declare(Primitive(numpy[0]))

    for function in numpy:
        check_callable("primitive", "numpy", function, "NumPy functions")

    def decorate(forward: Callable[..., Any]) -> Primitive:
        return declare(Primitive(forward, numpy=numpy, **declared))

    return decorate


def declare(operation: Primitive) -> Primitive:
    """Enter an operation into the registry; two modules can't share a name."""
    if str(operation.__module__).partition(".")[0] != ROOT:
        import_operations()  # a user's operation: the name may be taken in a file of ours
    known = PRIMITIVES.loaded(operation.name)
    if known is not None and known.__module__ != operation.__module__:
        raise ArgumentError(
            f"primitive: the name of an operation must be new, got {operation.name!r}, which "
            f"{known.__module__} declares already"
        )
    PRIMITIVES[operation.name] = METHOD_IMPLS[operation.name] = operation
    for function in operation.numpy:
        NUMPY_IMPLS[function] = operation
    return operation


def implements(
    *numpy: Callable[..., Any], name: str | None = None, flat: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Export a function composed of operations; it implements NumPy functions and a method.

    `flat` says that its derivative is 0 wherever it has one.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if flat:
            FLAT.add(function)
        METHOD_IMPLS[name or function.__name__] = function
        for instead in numpy:
            NUMPY_IMPLS[instead] = function
        return function

    return decorate


def implementation_of(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return what stands for a function of NumPy or SciPy on Values, or None."""
    for theirs, ours in list(LATE_IMPLS.items()):
        if function not in NUMPY_IMPLS and theirs in sys.modules:
            importlib.import_module(ours)
            del LATE_IMPLS[theirs]
    return NUMPY_IMPLS.get(function)


def is_operation(x: object) -> bool:
    """Return True for a primitive, and for a function declared with `implements`."""
    entered = dict.values(METHOD_IMPLS)  # enough: the file that made x has been imported
    return isinstance(x, Primitive) or (callable(x) and any(x is f for f in entered))


def declared_operations(module: types.ModuleType) -> list[str]:
    """Return the public names of the operations that a module declares."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and is_operation(value)
    ]


INTEGERS = {"e": np.int16, "f": np.int32, "d": np.int64}
"""Integers as wide as floats, by the characters of their dtypes."""


def where_true(condition: Any, x: Any) -> Any:
    """Return x where the condition holds, else 0: for inf and nan too.

    A product of bits, as quick as one of numbers: the branch in `np.where` can't be guessed.
    """
    if type(x) is np.ndarray and type(condition) is np.ndarray and x.dtype.char in INTEGERS:
        return (x.view(INTEGERS[x.dtype.char]) * condition).view(x.dtype)
    return np.where(condition, x, 0.0)


@primitive(
    kind="elementwise",
    latex=r"<g> \cdot <d>",
    examples=[((2, 3), (3,))],
    scalar=lambda g, d: g * d if g else 0.0,
    takes_complex=True,
)
def chain(g, d):  # type: ignore[no-untyped-def]
    """The chain rule's product g·d, in which an exact zero of g stays zero.

    A plain product would make nan of 0·inf, and so let the branch that `where` did not take
    reach the gradient: where(x > 1, exp(x), x) has the gradient 1 at x = 1000.

    >>> float(chain(0.0, np.inf))
    0.0
    """
    return g * where_true(g != 0, d)


@primitive(
    kind="elementwise", latex=r"<g> \cdot <d>", examples=[((2, 3), (3,))], takes_complex=True
)
def zero_product(g, d):  # type: ignore[no-untyped-def]
    """The product g·d, in which an exact zero of either factor gives zero.

    It is the derivative of `chain` with respect to its slope d, which counts for nothing where g
    is 0.

    >>> float(zero_product(np.inf, 0.0))
    0.0
    """
    return np.where((g == 0) | (d == 0), 0.0, g * d)


chain.vjp(g=lambda h, out, g, d: chain(h, d), d=lambda h, out, g, d: zero_product(h, g))
zero_product.vjp(
    g=lambda h, out, g, d: zero_product(h, d), d=lambda h, out, g, d: zero_product(h, g)
)
