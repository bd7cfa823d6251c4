"""Operands for the tests of operations, made from the examples in the table: the one source."""

from __future__ import annotations

import importlib.util
import pkgutil

import numpy as np
import pytest
from hypothesis import settings

from tinygrad_lr import ops
from tinygrad_lr.core.primitive import PRIMITIVES

for module in pkgutil.walk_packages(ops.__path__, f"{ops.__name__}."):  # the lazy ones too
    importlib.import_module(module.name)

if importlib.util.find_spec("scipy"):
    for name in ("fft", "integrate", "linalg", "signal", "special"):
        importlib.import_module(f"tinygrad_lr.scipy.{name}")

GAP = 2e-3  # far more than a step of central differences, so that no difference crosses a kink

quick = settings(max_examples=25)
"""A quarter of Hypothesis's usual examples, for what takes long; conftest.py says the rest."""

THOROUGH = settings.default.max_examples > 100
"""True with --hypothesis-profile=thorough, which has what is too long for every run."""


def examples(count, thorough=None, **options):
    """Settings for this many examples, and ten times as many or as told in the thorough run."""
    return settings(**options, max_examples=(thorough or 10 * count) if THOROUGH else count)


def in_turn(choices, i):
    """All choices in the thorough run; in every run the i-th alone, counted round and round."""
    return [*dict.fromkeys(choices)] if THOROUGH else [choices[i % len(choices)]]


NO_RULE = {"complex_digamma"}
"""Tested in tests/scipy."""

OPERATIONS = [
    o
    for o in PRIMITIVES.values()
    if o.__module__.startswith("tinygrad_lr") and o.name not in NO_RULE
]


def numbers(seed, *shapes, domains=()):
    """Arrays without ties among all their entries and without whole or half numbers."""
    rng = np.random.default_rng(seed)
    taken: list[float] = []

    def draw(low, high):
        while True:
            x = rng.uniform(low, high)
            clear = abs(2 * x - round(2 * x)) > 2 * GAP
            if clear and all(abs(x - other) > GAP for other in taken):
                taken.append(x)
                return x

    arrays = []
    for i, shape in enumerate(shapes):
        domain = domains[i] if i < len(domains) else (-2.0, 2.0)
        count = int(np.prod(shape))
        arrays.append(np.array([draw(*domain) for _ in range(count)]).reshape(shape))
    return arrays


def positive_definite(x):
    """A positive definite matrix."""
    return x @ np.swapaxes(x, -1, -2) + np.eye(x.shape[-1])


def increasing(x):
    """Numbers that increase, such as times."""
    return np.cumsum(np.abs(x), axis=-1)


MADE = dict.fromkeys(("cholesky_factor", "logm", "sqrtm"), positive_definite)
MADE["ode_solution"] = increasing
"""Functions that make operands of the numbers drawn, by operation."""


def real_parts(out):
    """Real results as they are; complex ones as real and imaginary parts, along a new axis."""
    return np.stack([np.real(out), np.imag(out)]) if np.iscomplexobj(out) else out


class Case:
    """One example of an operation: its operands as arrays, its options, and what varies."""

    def __init__(self, operation, example, seed=0):
        self.operation = operation
        self.options = example[-1] if isinstance(example[-1], dict) else {}
        shapes = example[:-1] if isinstance(example[-1], dict) else example
        names = operation.operands * len(shapes) if operation.variadic else operation.operands
        domains = [operation.domain.get(name, (-2.0, 2.0)) for name in names]
        self.arrays = numbers(seed, *shapes, domains=domains)
        if operation.name in MADE:
            self.arrays = [*map(MADE[operation.name], self.arrays)]
        rules = operation.rules * len(shapes) if operation.variadic else operation.rules
        self.varying = [i for i, rule in enumerate(rules) if rule is not None]
        for i, name in enumerate(names):
            if name == "condition":
                self.arrays[i] = self.arrays[i] > 0.5
        self.inputs = [self.arrays[i] for i in self.varying]

    def __call__(self, *inputs):
        """The operation as a function of the operands that have a derivative."""
        return real_parts(self.operation(*self.operands(inputs), **self.options))

    def forward(self, *inputs):
        """The forward function on plain arrays, with nothing of the package in between."""
        options = {**self.operation.defaults, **self.options}
        return real_parts(self.operation.forward(*self.operands(inputs), **options))

    def operands(self, inputs):
        """All operands; those without a derivative are as wide as the given ones."""
        dtype = np.result_type(*(getattr(x, "dtype", float) for x in inputs))
        dtype = np.zeros(0, dtype).real.dtype  # an operand without a derivative stays real
        operands = [x.astype(dtype) if x.dtype.kind == "f" else x for x in self.arrays]
        for i, x in zip(self.varying, inputs, strict=True):
            operands[i] = x
        return operands

    def __repr__(self):
        shapes = " ".join(str(x.shape).replace(" ", "") for x in self.arrays)
        options = " ".join(
            f"{k}={getattr(v, '__name__', v)}".replace("\n", "").replace(" ", "")
            for k, v in self.options.items()
        )
        return f"{self.operation.name} {shapes} {options}".strip()


CASES = [Case(operation, example) for operation in OPERATIONS for example in operation.examples]

FIRST = {case.operation: case for case in reversed(CASES)}
"""The first example of each operation."""


def marks_of(case):
    """The mark that leaves all but an operation's first example out of the default run."""
    return [] if FIRST[case.operation] is case else [pytest.mark.slow]


each_case = pytest.mark.parametrize(
    "case", [pytest.param(case, id=repr(case), marks=marks_of(case)) for case in CASES]
)
"""A test for each example; the default run takes the first of each operation."""


def each_case_in_turn(name, choices, marks, cases=CASES):
    """A test for each example with one of the choices, in turn; with all in the thorough run."""
    return pytest.mark.parametrize(
        ("case", name),
        [
            pytest.param(
                *(case, choice),
                id=f"{case!r}-{choice}",
                marks=[*marks_of(case), *marks(choice)],
            )
            for i, case in enumerate(CASES if THOROUGH else cases)
            for choice in in_turn(choices, i)
        ],
    )


def cotangent(seed, like):
    """An array of the shape and dtype of `like`, for the place of dL/d(out)."""
    rng = np.random.default_rng([seed, 1])
    return rng.uniform(0.5, 1.5, np.shape(like)).astype(getattr(like, "dtype", float))


def frozen(layer):
    """The layer as a function of its inputs alone: its parameters require no gradient."""
    for parameter in layer.parameters():
        parameter.requires_grad = False
    return layer


LAYOUTS = {
    "transposed": lambda x: np.ascontiguousarray(x.T).T if x.ndim else x,
    "fortran": lambda x: np.array(x, order="F"),
    "reversed": lambda x: x[..., ::-1].copy()[..., ::-1] if x.ndim else x,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x,
    "offset": lambda x: (
        np.concatenate([x.ravel()[:1], x.ravel()])[-x.size :].reshape(x.shape) if x.size else x
    ),
}

NUMBERS = [
    case
    for case in CASES
    if case.operation.kind == "elementwise"
    and not any(x.ndim for x in case.arrays)
    and len(case.varying) == len(case.arrays)
    and not np.ndim(case.forward(*case.inputs))  # that of complex numbers is two real ones
]
