"""Random programs with a world around them: compiled code must do what eager code does.

A program is a list of steps on arrays of any dtype. Its steps read, call and draw from a `World`,
which changes between calls. A run compares eager code and compiled code, each with a world of its
own, over a few calls: results, gradients, and what is left of the worlds. A program may be refused
with a `TraceError`; it may not give other numbers, or fail where eager code doesn't.
"""

from __future__ import annotations

import array
import builtins
import collections
import configparser
import contextvars
import copy
import dataclasses
import decimal
import enum
import functools
import logging
import os
import queue
import sys
import threading
import types
import typing
import warnings
import weakref
from unittest import mock

import numpy as np
from numpy.polynomial import polynomial

import tinygrad_lr as tg
from tinygrad_lr import Value, nn
from tinygrad_lr.compiler.ir.passes import row_updates
from tinygrad_lr.errors import CompileWarning, TraceError
from tinygrad_lr.support import pytree as tree

N = 4  # the last axis of most arrays
DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
DTYPES += ["float16", "float32", "float64"]
CALLS = 3
NUMBERS = [2.0, 0.5, 3, 0.0, -1.5, np.float64(0.0), np.float32(2.0), True]


MODULE, VARIABLE = "a_module_of_the_world", "A_VARIABLE_OF_THE_WORLD"
SCALE = [1.0]  # a list with the global number
CONTEXT = contextvars.ContextVar("context", default=0.5)
SET = contextvars.ContextVar("set", default=0.0)  # by programs
HALF = NUMBERS[1]


class Pair(typing.NamedTuple):
    """A tuple with names."""

    k: float
    w: object


@dataclasses.dataclass
class Record:
    """An object with fields."""

    w: object
    k: float = 1.5

    @property
    def twice(self):
        return self.k * 2

    @functools.cached_property
    def total(self):
        return float(np.sum(self.w)) * self.k

    @functools.lru_cache  # noqa: B019
    def scaled(self, n):
        return self.k * n

    def __hash__(self):
        return id(self)


class Slotted:
    """An object with slots."""

    __slots__ = ("k", "w")

    def __init__(self, k, w):
        self.k, self.w = k, w


def new_classes():
    """Classes whose attributes, bases and class change."""

    class Meta(type):
        @property
        def rate(cls):
            return 2.0

    class Base(metaclass=Meta):
        k = 0.5

    class Other(metaclass=Meta):
        k = -0.5

    class Left(Base):
        def scale(self, x):
            return x * self.k * type(self).k

    class Right(Base):
        def scale(self, x):
            return x + self.k

    class Kind(enum.Enum):
        LOW = [2.0]  # noqa: RUF012

    return types.SimpleNamespace(
        meta=Meta, base=Base, other=Other, left=Left, right=Right, kind=Kind
    )


def functions_with_rules(world):
    """Functions whose derivatives read what is outside."""
    by_vjp, by_jvp = tg.custom_vjp(np.sin), tg.custom_jvp(np.sin)
    by_vjp.defvjp(lambda x: (np.sin(x), x), lambda x, g: (g * np.cos(x) * world.number,))
    by_jvp.defjvp(lambda x, t: (np.sin(*x), t[0] * np.cos(*x) * world.record.w[0] * SCALE[0]))
    return by_vjp, by_jvp


class World:
    """The objects that programs find outside themselves."""

    scale = 0.75

    def __init__(self, seed):
        random = np.random.default_rng(seed)
        self.number, self.count, self.flag = 1.5, 3, True
        self.numbers = [0.5, -1.0, 2.0]
        self.array = random.uniform(-1, 1, N)
        self.integers = random.integers(-3, 4, N)
        self.tables = {"a": random.uniform(-1, 1, N).astype(np.float32), "b": [np.ones(N)]}
        self.function = lambda x: x * 2
        self.rng = np.random.default_rng(seed + 1)
        self.weight = Value(random.uniform(-1, 1, N), name="weight")
        layers = nn.Linear(N, N, dtype=np.float64, generator=seed), nn.Tanh()
        self.model = nn.Sequential(*layers, nn.BatchNorm1d(N, dtype=np.float64))
        self.dropout = nn.Dropout(0.5, generator=seed)
        self.vectors = Value(random.uniform(-1, 1, (7, N)), name="vectors")  # chosen by integers
        self.optimizer = tg.optim.SGD([self.weight, self.vectors], 0.125)
        self.average = tg.optim.ExponentialMovingAverage([self.weight], 0.5)
        self.row = self.weight.data[:]
        self.held = Value(random.uniform(-1, 1, N), requires_grad=False)
        self._more(random)

    def _more(self, random):
        """Read things in rarer ways."""
        self.settings = {"k": 1.25, "w": random.uniform(-1, 1, N)}
        self.get = self.settings.get
        self.pair = Pair(0.5, random.uniform(-1, 1, N))
        self.record = Record(random.uniform(-1, 1, N))
        self.plain_record = Record(0.5)
        self.slotted = Slotted(0.5, random.uniform(-1, 1, N))
        self.classes = new_classes()
        self.piece = self.classes.left()
        self.config = types.SimpleNamespace(a=2.0, b=0.5)
        self.module = types.ModuleType(MODULE)
        self.module.a, self.module.w = 0.75, random.uniform(-1, 1, N)
        sys.modules[MODULE] = self.module
        os.environ[VARIABLE] = "2"
        SCALE[0] = 1.0
        globals()["NUMBER"] = 1.5
        globals().pop("OTHER_NUMBER", None)
        for name in {"__bool__", "__call__"} & vars(Slotted).keys():
            delattr(Slotted, name)
        self.poly = np.poly1d([0.5, 2.0])
        CONTEXT.set(0.5)
        SET.set(0.0)
        np.set_printoptions(precision=8)
        decimal.getcontext().prec = 12
        self.decimals = decimal.Decimal(1), decimal.Decimal(3)
        self.deque, self.set = collections.deque([0.5, 2.0]), {1.0, 2.0}
        self.packed, self.bytes = array.array("d", [0.5, 2.0]), bytearray(b"ab")
        self.partial = functools.partial(lambda k, x: x * k, 0.5)
        self.table = functools.lru_cache(lambda n: n * self.number)
        self.key = Slotted(0.25, None)
        self.weak = weakref.WeakValueDictionary(a=self.record)
        self.event, self.queue = threading.Event(), queue.Queue()
        self.parser = configparser.ConfigParser()
        self.parser.read_string("[a]\nk = 2")
        self.log = logging.getLogger("a_log_of_the_world")
        self.log.setLevel(10)
        self.limit = [0.0]
        self.by_vjp, self.by_jvp = functions_with_rules(self)
        self.nodes = {Record(random.uniform(-1, 1, N), k): k for k in (0.5, 2.0)}
        if random.integers(2):  # an object that isn't a key may be copied by a trace
            self.nodes[self.record] = 1.5
        self.scaling = lambda x: x * self.scaling.k
        self.scaling.k = 0.5
        vars(builtins).pop("AN_ADDED_BUILTIN", None)
        self.vectorized = np.vectorize(lambda v: v * 2.0 if v > self.limit[0] else v * 1.0)

    def state(self):
        """Everything that a program may change."""
        drawn = self.rng.bit_generator.state["state"]["state"]
        buffers = [np.array(x) for _, x in self.model.named_buffers()]
        own = [self.array.copy(), self.integers.copy(), *map(np.array, self.tables.values())]
        own += [self.weight.numpy(), self.vectors.numpy(), self.held.numpy()]
        own += [self.record.w.copy(), self.module.w.copy()]
        own += [x for x in self.average.state_dict().values() if isinstance(x, np.ndarray)]
        return [np.array(drawn % 2**53), np.array(SET.get()), *buffers, *own]


CHANGES = {
    "nothing": lambda w, r: None,
    "number": lambda w, r: setattr(w, "number", float(r.integers(-2, 3))),
    "count": lambda w, r: setattr(w, "count", int(r.integers(1, 5))),
    "flag": lambda w, r: setattr(w, "flag", not w.flag),
    "numbers": lambda w, r: w.numbers.__setitem__(int(r.integers(3)), float(r.integers(-2, 3))),
    "append": lambda w, r: w.numbers.append(0.25),
    "array": lambda w, r: setattr(w, "array", r.uniform(-1, 1, N)),
    "array in place": lambda w, r: w.array.__setitem__(int(r.integers(N)), 0.125),
    "integers in place": lambda w, r: w.integers.__iadd__(1),
    "table": lambda w, r: w.tables.__setitem__("a", r.uniform(-1, 1, N).astype(np.float32)),
    "table in place": lambda w, r: w.tables["b"][0].__imul__(0.5),
    "function": lambda w, r: setattr(w, "function", lambda x: x - 1),
    "weight": lambda w, r: setattr(w.weight, "data", r.uniform(-1, 1, N)),
    "class": lambda w, r: setattr(w, "scale", 0.25),
    "train or eval": lambda w, r: w.model.train(not w.model.training),
    "a layer": lambda w, r: w.model.layers.__setitem__(1, nn.Sigmoid()),
    "draw": lambda w, r: w.rng.normal(),
    "no gradient": lambda w, r: setattr(w.weight, "grad", None),
    "vectors": lambda w, r: setattr(w.vectors, "data", r.uniform(-1, 1, (7, N))),
    "a vector": lambda w, r: w.vectors.data.__setitem__(int(r.integers(7)), 0.125),
    "a gradient": lambda w, r: setattr(w.weight, "grad", r.uniform(-1, 1, N)),
    "the count of steps": lambda w, r: setattr(w.optimizer, "steps", int(r.integers(4))),
    "a print option": lambda w, r: np.set_printoptions(precision=int(r.integers(4, 9))),
    "a longer array": lambda w, r: setattr(
        w, "array", r.uniform(-1, 1, (int(r.integers(1, 3)), N))
    ),
    "the dtype of a table": lambda w, r: w.tables.__setitem__("a", np.ones(N)),
    "an operator of a class": lambda w, r: setattr(Slotted, "__bool__", lambda self: False),
    "a call of a class": lambda w, r: setattr(Slotted, "__call__", lambda self: None),
    "a coefficient": lambda w, r: w.poly.__setitem__(0, float(r.integers(-2, 3))),
    "a new global": lambda w, r: globals().__setitem__("OTHER_NUMBER", 0.5),
    "a setting": lambda w, r: w.settings.__setitem__("k", float(r.integers(-2, 3))),
    "an array of the settings": lambda w, r: w.settings["w"].__imul__(-1),
    "a pair": lambda w, r: setattr(w, "pair", Pair(0.25, w.pair.w + 1)),
    "a record": lambda w, r: setattr(w.record, "k", float(r.integers(-2, 3))),
    "an array of a record": lambda w, r: w.record.w.__iadd__(1),
    "a plain record": lambda w, r: setattr(w.plain_record, "k", float(r.integers(-2, 3))),
    "the cache of a method": lambda w, r: Record.scaled.cache_clear(),
    "a cached property": lambda w, r: vars(w.record).pop("total", None),
    "a slot": lambda w, r: setattr(w.slotted, "k", float(r.integers(-2, 3))),
    "the class of an object": lambda w, r: setattr(w.piece, "__class__", w.classes.right),
    "the bases of a class": lambda w, r: setattr(w.classes.left, "__bases__", (w.classes.other,)),
    "an attribute of a base": lambda w, r: setattr(w.classes.base, "k", float(r.integers(3))),
    "a metaclass": lambda w, r: setattr(w.classes.meta, "rate", property(lambda cls: 3.0)),
    "a member of an enum": lambda w, r: w.classes.kind.LOW.value.__setitem__(0, 0.5),
    "a subclass": lambda w, r: w.__dict__.update(made=type("Made", (w.classes.base,), {"k": 3.0})),
    "an attribute of an object": lambda w, r: setattr(w.config, "c", 3.0),
    "a module": lambda w, r: setattr(w.module, "a", float(r.integers(-2, 3))),
    "an array of a module": lambda w, r: w.module.w.__iadd__(1),
    "the table of modules": lambda w, r: replace_module(w),
    "the environment": lambda w, r: os.environ.__setitem__(VARIABLE, str(r.integers(1, 4))),
    "a global": lambda w, r: globals().__setitem__("NUMBER", float(r.integers(-2, 3))),
    "a global list": lambda w, r: SCALE.__setitem__(0, float(r.integers(-2, 3))),
    "a context variable": lambda w, r: CONTEXT.set(float(r.integers(-2, 3))),
    "the context of decimals": lambda w, r: setattr(decimal.getcontext(), "prec", 3),
    "a deque": lambda w, r: w.deque.rotate(),
    "a set": lambda w, r: w.set.add(3.0),
    "a packed array": lambda w, r: w.packed.__setitem__(0, 3.0),
    "bytes": lambda w, r: w.bytes.append(1),
    "a partial": lambda w, r: setattr(w, "partial", functools.partial(lambda k, x: x + k, 2.0)),
    "the cache of a function": lambda w, r: w.table.cache_clear(),
    "an event": lambda w, r: w.event.set(),
    "a queue": lambda w, r: w.queue.put(1),
    "a parser": lambda w, r: w.parser.set("a", "k", "3"),
    "a table by objects": lambda w, r: w.nodes.__setitem__(w.record, float(r.integers(-2, 3))),
    "an attribute of a function": lambda w, r: setattr(w.scaling, "k", float(r.integers(-2, 3))),
    "an attribute that only a metaclass had": lambda w, r: setattr(w.classes.left, "rate", 0.5),
    "a builtin": lambda w, r: setattr(builtins, "AN_ADDED_BUILTIN", r.uniform(-1, 1, N)),
    "the level of a log": lambda w, r: w.log.setLevel(20),
    "the limit of a vectorized function": lambda w, r: w.limit.__setitem__(0, 0.5),
}


def replace_module(w):
    """Put another module in its place."""
    other = sys.modules[MODULE] = types.ModuleType(MODULE)
    other.a, other.w = 0.25, np.ones(N)


def import_within(w, x):
    """Import from a module of the world."""
    from a_module_of_the_world import a

    return x * a


def scale_by_all(w, x):
    """Read all attributes of an object."""
    for k in vars(w.config).values():
        x = x * k + 1
    return x


def copied_record(w, x):
    """Change a copy of an object with an array."""
    other = copy.deepcopy(w.record)
    other.w[0], other.k = 2.0, 0.5
    return x * other.w * other.k + w.record.w


def set_variable(w, x):
    """Set a context variable."""
    SET.set(SET.get() + 1)
    return x


def set_variable_for_a_while(w, x):
    """Set context variables, and set them back."""
    token = SET.set(w.number)
    with np.errstate(all="ignore"), tg.no_grad():
        y = x * SET.get()
    SET.reset(token)
    return y + SET.get()


def data_in_place(w, x):
    """Update a Value's data in place."""
    w.held.data -= 0.5
    return x * w.held.data


def write_data(w, x, data):
    """Write to a Value's data by index."""
    data[0] = 2.0
    return x * w.held.data


def data_assigned(w, x):
    """Write to a Value's data, and assign it."""
    data = w.held.data
    data[0] = 2.0
    w.held.data = data
    w.held.data = w.held.data * 0.5
    return x * w.held.data + data


def data_held(w, x):
    """Read what was a Value's data before an update in place."""
    data = w.held.data
    w.held.data += 1.0
    return x * data


def added_builtin():
    """Read a name that Python looks for among the builtins."""
    try:
        return AN_ADDED_BUILTIN
    except NameError:
        return 2.0


READS = {
    "a context variable that it sets": set_variable,
    "a context variable for a while": set_variable_for_a_while,
    "number": lambda w, x: x * w.number,
    "count": lambda w, x: x + w.count,
    "flag": lambda w, x: x * 2 if w.flag else x + 1,
    "loop": lambda w, x: sum((x * k for k in w.numbers), start=x),
    "array": lambda w, x: x * w.array,
    "array read by NumPy": lambda w, x: x + w.array.sum() + w.array[1] * 2,
    "integers": lambda w, x: x + w.integers,
    "index from outside": lambda w, x: x[..., np.abs(w.integers) % N],
    "tables": lambda w, x: x * w.tables["a"] + w.tables["b"][0] * 2,
    "function": lambda w, x: w.function(x),
    "by text": lambda w, x: x * getattr(w, "num" + "ber"),
    "class": lambda w, x: x * w.scale,
    "a bound method of a dict": lambda w, x: x * w.get("k") + w.get("w"),
    "a pair": lambda w, x: x * w.pair.k + w.pair.w,
    "a record": lambda w, x: x * w.record.twice + w.record.w,
    "a copy of a record": copied_record,
    "another record": lambda w, x: x * dataclasses.replace(w.record, k=3.0).w,
    "the fields of a record": lambda w, x: x * dataclasses.asdict(w.record)["w"],
    "a cached property": lambda w, x: x * w.record.total,
    "a method with a cache": lambda w, x: x * w.record.scaled(2),
    "a plain method with a cache": lambda w, x: x * w.plain_record.scaled(2),
    "a slot": lambda w, x: x * w.slotted.k + w.slotted.w,
    "a method": lambda w, x: w.piece.scale(x),
    "a metaclass": lambda w, x: x * w.classes.left.rate,
    "an enum": lambda w, x: x * w.classes.kind.LOW.value[0],
    "subclasses": lambda w, x: sum((x * c.k for c in w.classes.base.__subclasses__()), start=x),
    "all attributes": scale_by_all,
    "a module": lambda w, x: x * w.module.a + w.module.w,
    "the table of modules": lambda w, x: x * sys.modules[MODULE].a,
    "an import": import_within,
    "the environment": lambda w, x: x * float(os.environ[VARIABLE]),
    "a global": lambda w, x: x * NUMBER * SCALE[0],  # noqa: F821
    "a context variable": lambda w, x: x * CONTEXT.get(),
    "settings of NumPy": lambda w, x: x * np.get_printoptions()["precision"],
    "decimals": lambda w, x: x * float(w.decimals[0] / w.decimals[1]),
    "a deque": lambda w, x: x * w.deque[0] + len(w.deque),
    "a table by objects": lambda w, x: x * w.nodes.get(w.record, 3.0) * w.record.w,
    "objects that are keys": lambda w, x: sum((x * k.w * v for k, v in w.nodes.items()), start=x),
    "objects by id": lambda w, x: x * w.record.w * {id(k): 2 for k in w.nodes}.get(id(w.record), 3),
    "an attribute of a function": lambda w, x: w.scaling(x),
    "a builtin": lambda w, x: x * added_builtin(),
    "a set": lambda w, x: x * len(w.set) + sum(w.set),
    "a packed array": lambda w, x: x * w.packed[0] + len(w.bytes),
    "a partial": lambda w, x: w.partial(x),
    "a function with a cache": lambda w, x: x * w.table(2),
    "a weak dict": lambda w, x: x * w.weak["a"].k,
    "an event and a queue": lambda w, x: x * (2 if w.event.is_set() else 1) + w.queue.qsize(),
    "a parser and a log": lambda w, x: x * w.parser.getfloat("a", "k") * w.log.level,
    "a vectorized function": lambda w, x: w.vectorized(x),
    "a polynomial": lambda w, x: (
        polynomial.polyval(x, w.numbers) + polynomial.polyval(0.5, w.array)
    ),
    "a count of steps": lambda w, x: x * (2 if w.optimizer.steps > 1 else 3) + w.optimizer.steps,
    "data that it updates": data_in_place,
    "data that it writes to": lambda w, x: write_data(w, x, w.held.data),
    "data that it assigns": data_assigned,
    "data that it has held": data_held,
    "the shape of an array": lambda w, x: x * len(w.array) + w.array.shape[0],
    "the dtype of an array": lambda w, x: x * w.tables["a"].dtype.itemsize,
    "a variable of the environment": lambda w, x: x * float(os.getenv(VARIABLE, "1")),
    "a truth and a call of an object": lambda w, x: x * (2 if w.key else 3) + callable(w.key),
    "a polynomial from outside": lambda w, x: w.poly(x),
    "globals by text": lambda w, x: x * globals().get("OTHER_NUMBER", 4.0),
    "a view of the weight": lambda w, x: x * w.row,
    "the weight": lambda w, x: x * w.weight.data,
}
ARGUMENTS = {
    "type of a number": lambda a, x: x * 2 if type(a[1]) is float else x + 1,
    "type of an array": lambda a, x: x * 2 if type(a[2]) is type(a[0]) else x + 1,
    "name of a type": lambda a, x: x * len(type(a[1]).__name__),
    "isinstance": lambda a, x: x * 2 if isinstance(a[1], float) else x + 1,
    "match": lambda a, x: match_class(a[1], x),
    "hasattr": lambda a, x: x * 2 if hasattr(a[1], "shape") else x + 1,
    "hasattr of an array": lambda a, x: x * (1 + hasattr(a[2], "__array_interface__")),
    "getattr": lambda a, x: x * (1 + getattr(a[1], "ndim", 2)),
    "is": lambda a, x: x * 2 if a[0] is a[2] else x + 1,
    "is a number": lambda a, x: x * 2 if a[1] is HALF else x + 1,
    "is a number of a list": lambda a, x: x * 2 if a[1] is NUMBERS[0] else x + 1,
    "is itself": lambda a, x: x * (2 if +a[1] is a[1] else 3) + (1 if a[1].real is a[1] else 0),
    "is True": lambda a, x: x * 2 if (a[1] > 0.25) is True else x + 1,
    "is a boolean": lambda a, x: x * 2 if np.any(x) is np.all(a[0]) else x + 1,
    "id": lambda a, x: x * 2 if id(a[0]) != id(a[2]) else x + 1,
    "times a number": lambda a, x: x * a[1] + a[2],
    "reciprocal": lambda a, x: x * (1.0 / a[1]),
    "root": lambda a, x: x * a[1] ** 0.5,
    "power": lambda a, x: x * (2.0 ** a[1] + a[1] ** a[1]),
    "remainder": lambda a, x: x * (7.0 % a[1]) + 5.0 // (a[1] - 2.0),
    "copies": lambda a, x: x * copy.deepcopy(a[1]) + copy.copy(a[2]),
}


def match_class(k, x):
    """Match a number by its class."""
    match k:
        case float():
            return x * 2
        case int():
            return x * 3
    return x


def shuffled(w, x):
    """Shuffle a copy."""
    y = x.copy()
    w.rng.shuffle(y)
    return y


DRAWS = {
    "normal": lambda w, x: x + w.rng.normal(size=np.shape(x)),
    "a number": lambda w, x: x * w.rng.uniform(),
    "float32": lambda w, x: x + w.rng.random(N, dtype=np.float32),
    "permutation": lambda w, x: x[..., w.rng.permutation(N)],
    "integers": lambda w, x: x + w.rng.integers(0, 5, N),
    "shuffle": shuffled,
    "spawn": lambda w, x: x * w.rng.spawn(2)[1].normal(size=N),
}
ANY_DTYPE = {
    **{f"astype {t}": functools.partial(lambda t, w, x: x.astype(t), t) for t in DTYPES},
    "max": lambda w, x: np.max(x, axis=-1, keepdims=True) + x,
    "min": lambda w, x: np.min(x) + x,
    "ptp": lambda w, x: np.ptp(x, axis=0),
    "sum": lambda w, x: np.sum(x, axis=-1, keepdims=True) + x,
    "mean": lambda w, x: np.mean(x, axis=0),
    "var": lambda w, x: np.var(x, axis=-1, keepdims=True) * x,
    "average": lambda w, x: np.average(x, axis=0),
    "cumsum": lambda w, x: np.cumsum(x, axis=-1),
    "cumprod": lambda w, x: np.cumprod(x, axis=-1),
    "prod": lambda w, x: np.prod(x, axis=-1, keepdims=True) * x,
    "argmax": lambda w, x: np.argmax(x, axis=-1),
    "argsort": lambda w, x: np.argsort(x, axis=-1, kind="stable"),
    "sort": lambda w, x: np.sort(x, axis=-1),
    "round": lambda w, x: np.round(x, 1),
    "abs": lambda w, x: np.abs(x),
    "sign": lambda w, x: np.sign(x),
    "negative": lambda w, x: -x,
    "invert": lambda w, x: ~x,
    "floor_divide": lambda w, x: x // 3,
    "remainder": lambda w, x: x % 3,
    "divide": lambda w, x: x / 4,
    "power": lambda w, x: x**2,
    "shift": lambda w, x: x << 1,
    "less than 300": lambda w, x: x < 300,
    "equal -1": lambda w, x: x == -1,
    "greater": lambda w, x: (x > 0) + (x > 1),
    "greater of numbers": lambda w, x: np.greater(x, 0.5) * x,
    "any": lambda w, x: np.any(x, axis=-1, keepdims=True),
    "count_nonzero": lambda w, x: np.count_nonzero(x, axis=-1, keepdims=True) + x,
    "norm": lambda w, x: np.linalg.norm(x, axis=-1, keepdims=True) + x,
    "clip": lambda w, x: np.clip(x, None, 2),
    "where": lambda w, x: np.where(x > 0, x, 1),
    "concatenate": lambda w, x: np.concatenate([x, x], axis=-1)[..., 1 : N + 1],
    "stack": lambda w, x: np.stack([x, x + x])[1],
    "times True": lambda w, x: x * True,
    "plus a number": lambda w, x: x + 1,
    "times a float": lambda w, x: x * 0.5,
    "times float32": lambda w, x: x * np.float32(0.5),
    "tensordot": lambda w, x: np.tensordot(x, x, axes=([-1], [-1])),
    "matmul": lambda w, x: x @ np.swapaxes(x, -1, -2) if x.ndim > 1 else x @ x,
    "reversed": lambda w, x: x[..., ::-1],
    "transposed": lambda w, x: x.T,
    "part": lambda w, x: x[1:] if x.ndim > 1 else x,
    "a row": lambda w, x: x[0] + x,
    "reshaped": lambda w, x: x.reshape(-1)[:N],
    "diagonal": lambda w, x: np.diagonal(np.atleast_2d(x)[..., :1] + x),
    "einsum": lambda w, x: np.einsum("...i->i...", x),
    "indexed by itself": lambda w, x: x[..., np.argmax(x, axis=-1).max()],
    "repeat": lambda w, x: np.repeat(x, 2, axis=-1)[..., :N],
    "tanh": lambda w, x: np.tanh(x),
    "sigmoid": lambda w, x: tg.sigmoid(x),
    "relu": lambda w, x: tg.relu(x),
    "unique": lambda w, x: x * len(np.unique(x)),
    "nonzero": lambda w, x: np.flatnonzero(x),
}


@tg.custom_vjp
def sine_times(x, y):
    return np.sin(x) * y


sine_times.defvjp(
    lambda x, y: (np.sin(x) * y, (np.cos(x), {"x": x, "y": y})),
    lambda kept, g: (g * kept[0] * kept[1]["y"], g * np.sin(kept[1]["x"])),
)


@tg.custom_jvp
def softplus(x):
    return np.logaddexp(x, 0.0)


softplus.defjvp(
    lambda primals, tangents: (softplus(primals[0]), tangents[0] * tg.sigmoid(*primals))
)
DIFFERENTIABLE = {
    "tanh": lambda w, x: np.tanh(x),
    "square": lambda w, x: 0.25 * x**2,
    "power": lambda w, x: 2.0 ** np.tanh(x),
    "softmax": lambda w, x: tg.softmax(x, axis=-1),
    "mean": lambda w, x: np.mean(x, axis=-1, keepdims=True) - x,
    "max": lambda w, x: np.max(x, axis=-1, keepdims=True) * x,
    "cumsum": lambda w, x: np.cumsum(x, axis=-1),
    "reversed": lambda w, x: x[..., ::-1] * x,
    "gathered": lambda w, x: x[..., np.array([3, 0, 0, 1])],
    "matmul": lambda w, x: x @ np.outer(np.arange(N), np.ones(N)) / N,
    "where": lambda w, x: np.where(x > 0.1, x * 2, x),
    "clip": lambda w, x: np.clip(x, None, 0.8),
    "einsum": lambda w, x: np.einsum("...i,j->...j", x, np.ones(N)),
    "sort": lambda w, x: np.sort(x, axis=-1),
    "weight": lambda w, x: x * w.weight,
    "a rule that reads": lambda w, x: w.by_vjp(np.tanh(x)),
    "a rule of forward mode that reads": lambda w, x: w.by_jvp(np.tanh(x)),
    "custom_vjp": lambda w, x: sine_times(np.tanh(x), x * w.number),
    "custom_jvp": lambda w, x: softplus(x) * x,
    "weight twice": lambda w, x: x * w.weight + np.sum(w.weight**2),
    "model": lambda w, x: w.model(np.reshape(x, (-1, N))),
    "dropout": lambda w, x: w.dropout(x),
    "compiled": lambda w, x: tg.compile(lambda y: np.tanh(y) * w.number, backend="numpy")(x),
    "gradient": lambda w, x: tg.grad(lambda y: np.sum(np.sin(y) * w.number))(x),
}


def overlapping(write):
    """Write into a copy what is read from it, some of it through other views."""

    def step(w, x):
        y = x.copy()
        write(y, y[..., ::-1])
        return y

    return step


OVERLAPPING = {
    "flat": lambda y, z: setattr(y, "flat", z),
    "entries of flat": lambda y, z: y.flat.__setitem__(slice(None, None, 2), z),
    "setitem": lambda y, z: y.__setitem__(..., z),
    "setitem of a part": lambda y, z: y.__setitem__((..., slice(1, None)), y[..., :-1]),
    "setitem by positions": lambda y, z: y.__setitem__((..., np.arange(N)[::-1]), z),
    "copyto": lambda y, z: np.copyto(y, z),
    "a row": lambda y, z: y.__setitem__(..., z[:1]),
    "out of a ufunc": lambda y, z: np.add(y, z, out=y),
    "out of a function": lambda y, z: np.cumsum(z, axis=-1, dtype=y.dtype, out=y),
    "out of concatenate": lambda y, z: np.concatenate([z[1:], z[:1]], out=y),
    "out of stack": lambda y, z: np.stack([z[-1], *z[:-1]], out=y),
    "out of ptp": lambda y, z: np.ptp(y, axis=-1, out=y[..., -1]),
    "in place": lambda y, z: y.__iadd__(z),
    "put": lambda y, z: np.put(y, np.arange(y.size)[::-1], z),
    "place": lambda y, z: np.place(y, np.arange(y.size).reshape(y.shape) % 2 == 0, z),
    "put_along_axis": lambda y, z: np.put_along_axis(y, np.zeros_like(y, int), z, axis=-1),
    "fill_diagonal": lambda y, z: np.fill_diagonal(y, z[0]),
}


def written(x):
    """A copy of x that was written to, and has the numbers of 2 x, reversed."""
    y = x.copy()
    y[...] = y[..., ::-1]
    y += y
    return y


def in_place(w, x):
    """Write into a copy, and through views of it."""
    y = x.copy()
    view = y[..., ::2]
    y[..., 1:] = x[..., :1]
    view += view.dtype.type(1)
    turned = y.T
    turned *= turned.dtype.type(2)
    return y + x


ANY_DTYPE["in place"] = in_place
ANY_DTYPE.update((f"overlapping {name}", overlapping(f)) for name, f in OVERLAPPING.items())
DIFFERENTIABLE.update(
    (f"overlapping {name}", overlapping(OVERLAPPING[name]))
    for name in (
        *("setitem", "setitem of a part", "setitem by positions", "copyto", "a row"),
        *("out of a ufunc", "in place", "put", "put_along_axis"),  # others are refused for Values
    )
)
LOOPS = {
    "scan": lambda s, w, x: np.sum(
        tg.scan(lambda c, r: (c + 1, s(w, r * c)), 1, np.stack([x, x[..., ::-1], x]))[1], axis=0
    ),
    "scan back": lambda s, w, x: tg.scan(
        lambda c, r: (np.tanh(c * 0.5 + s(w, r)), c), x * 0.5, np.stack([x, x]), reverse=True
    )[0],
    "scan carry": lambda s, w, x: tg.scan(lambda c, _: (s(w, c), np.sum(c)), x, length=2)[0],
    "scan of written arrays": lambda s, w, x: tg.scan(
        lambda c, r: (s(w, written(c)) + r, np.sum(c)), written(x), np.stack([written(x), x])
    )[0],
    "scan both": lambda s, w, x: (
        lambda c, ys: np.sum(ys["x"], axis=0) * np.sum(c) + np.sum(ys["c"])
    )(*tg.scan(lambda c, r: (c + np.sum(s(w, r)), {"c": c, "x": s(w, r)}), 0.0, np.stack([x, x]))),
    "cond": lambda s, w, x: tg.cond(np.sum(x) > 1, lambda y: s(w, y), lambda y: s(w, y * y), x),
    "while": lambda s, w, x: tg.while_loop(
        lambda v: v[1] < 2, lambda v: (s(w, v[0]), v[1] + 1), (x, 0)
    )[0],
}
"""Functions of a step: it runs in the body of a loop, or in a branch.

A compiled `while_loop` has no gradient.
"""

PLAIN = ("plain", "arguments", "training", "accumulating", "loop", "accumulating loop")
MODES = (*PLAIN, "node", "grad of compiled", "compiled grad", "hvp", "nested")


class Program:
    """Some steps by name; `differentiable` ones are run with gradients, in one of the modes."""

    def __init__(self, seed):
        random = self.random = np.random.default_rng(seed)
        self.mode = str(random.choice(MODES))
        self.seed, plain = seed, self.mode in PLAIN
        kinds = [ANY_DTYPE, ANY_DTYPE, READS, DRAWS] if plain else [DIFFERENTIABLE, READS, DRAWS]
        kinds += [ARGUMENTS] * (2 * (self.mode == "arguments"))
        is_float = not plain or self.mode not in {"plain", "arguments"}
        self.dtype = "float64" if is_float else str(random.choice(DTYPES))
        self.shape = (3, N) if random.integers(2) else (N,)
        self.steps = []
        for _ in range(1 + int(random.integers(6))):
            kind = kinds[int(random.integers(len(kinds)))]
            name = str(random.choice(sorted(kind)))
            step = kind[name]
            if kind is not ARGUMENTS and not random.integers(5):
                loops = sorted(LOOPS) if plain else sorted(LOOPS.keys() - {"while"})
                loop = str(random.choice(loops))
                name, step = f"{name} in {loop}", functools.partial(LOOPS[loop], step)
            self.steps.append((name, step, kind is ARGUMENTS))
        self.numbers = [NUMBERS[int(i)] for i in random.integers(len(NUMBERS), size=CALLS)]
        self.twice = [bool(i) for i in random.integers(2, size=CALLS)]  # the argument is given
        self.keep = bool(random.integers(2))  # whether results in the middle come out too
        self.changes = [str(random.choice(sorted(CHANGES))) for _ in range(CALLS)]
        self.backend = str(random.choice(["numpy", "llvm"]))
        self.by_rows = bool(random.integers(2))  # whether only rows that are named are updated

    def __repr__(self):
        names = " | ".join(name for name, _, _ in self.steps)
        kind = f"{self.mode}, {self.dtype}{self.shape}, {self.backend}"
        return f"seed {self.seed}, {kind}: {names}; {self.changes}"

    def argument(self, call):
        """The argument of a call: small numbers of all kinds."""
        random = np.random.default_rng([self.seed, call])
        drawn = random.integers(-3, 9, self.shape) + random.choice([0.0, 0.25], self.shape)
        with np.errstate(all="ignore"):
            return drawn.astype(self.dtype) if self.dtype != "float64" else drawn / 4

    def body(self, world):
        """The function of one array, or of two and a number."""

        def f(x, *others):
            found = [x]
            for _, step, of_arguments in self.steps:
                around = (x, *others) if of_arguments else world
                found.append(step(around, found[-1]))
            return tuple(found[1:]) if self.keep else found[-1]

        return f

    def scalar(self, world):
        """The function of one array, as one number."""
        f = self.body(world)

        def total(x):
            found = f(x)
            parts = found if isinstance(found, tuple) else (found,)
            return sum(np.sum(part * (i + 1)) for i, part in enumerate(parts))

        return total

    def training(self, world):
        """The function of one array that trains the weight, and then does what `body` does."""
        f, optimizer = self.body(world), world.optimizer

        def step(x):
            optimizer.zero_grad()
            loss = np.sum(world.weight * x) + np.sum(world.vectors[world.integers] ** 2)
            loss.backward()
            optimizer.step()
            world.average.update()
            return f(x)

        def accumulate(x):
            np.sum(world.weight * x).backward()
            return f(x), world.weight.grad * 1

        return accumulate if self.mode.startswith("accumulating") else step

    def run(self, world, wrap):
        """Yield what each call gives, with gradients; `wrap` compiles, or does nothing."""
        if self.mode in {"plain", "arguments"}:
            f = wrap(self.body(world))
        elif self.mode in PLAIN:
            f = wrap(self.training(world))
        elif self.mode == "nested":
            inner = wrap(self.scalar(world))
            f = wrap(lambda x: inner(x) * 2)
        elif self.mode == "compiled grad":
            f = wrap(tg.value_and_grad(self.scalar(world)))
        elif self.mode == "hvp":
            g = wrap(self.scalar(world))
            f = lambda x: tg.hvp(g, (x,), (np.ones_like(x),))
        elif self.mode == "grad of compiled":
            f = tg.value_and_grad(wrap(self.scalar(world)))
        else:
            f = wrap(self.scalar(world))
        leaves = [world.weight, *world.model.parameters()]
        for call in range(CALLS):
            x = self.argument(call)
            before = x.copy()
            if self.mode == "node":
                v = Value(x)
                out = f(v)
                for leaf in leaves:
                    leaf.grad = None
                CHANGES[self.changes[call]](world, np.random.default_rng([self.seed, call, 1]))
                if isinstance(out, Value) and out.requires_grad:
                    out.backward()
                found = [out, v.grad, *(leaf.grad for leaf in leaves)]
            elif self.mode.endswith("loop"):
                found = [in_a_loop(f, x)]
                CHANGES[self.changes[call]](world, np.random.default_rng([self.seed, call, 1]))
            else:
                y = x if self.twice[call] else x.copy()
                found = [f(x, self.numbers[call], y) if self.mode == "arguments" else f(x)]
                CHANGES[self.changes[call]](world, np.random.default_rng([self.seed, call, 1]))
            assert np.array_equal(x, before, equal_nan=True), "the argument has changed"
            yield [*numbers_of(found), *world.state()]


def in_a_loop(f, x, steps=3):
    """The stacked results of some steps: in compiled code, or one after the other."""
    if hasattr(f, "loop"):
        return f.loop(x, steps=steps)
    return [np.stack(same) for same in zip(*(numbers_of(f(x)) for _ in range(steps)), strict=True)]


def numbers_of(nest):
    """Arrays of nested results, by themselves."""
    found = [x.data if isinstance(x, Value) else x for x in tree.leaves([nest])]
    return [np.array(x) for x in found]


def scale_of(arrays):
    """The size of the numbers of a call, to which rounding is relative."""
    floats = [x.astype(float) for x in arrays if x.dtype.kind == "f"]
    return max([1.0, *(np.max(abs(x), initial=1, where=np.isfinite(x)) for x in floats)])


def is_alike(found, expected, scale=1.0, coarsest=np.float64):
    """The same shape and dtype, and the same numbers up to rounding to the coarsest dtype."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return False
    if found.dtype.kind not in "fc":
        return np.array_equal(found, expected)
    eps = max(np.finfo(found.dtype).eps, np.finfo(coarsest).eps)
    relative, absolute = (
        min(300 * eps, 0.03),
        min(3000 * eps, 0.03) * scale,
    )  # eps of float16: 0.001
    return np.allclose(found, expected, rtol=relative, atol=absolute, equal_nan=True)


def outcome(program, wrap):
    """Return the results of each call of a program, up to its first error, and the error."""
    found, error = [], None
    with decimal.localcontext(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("ignore", CompileWarning)
        Record.scaled.cache_clear()
        try:
            for results in program.run(World(program.seed), wrap):
                found.append(results)
        except Exception as raised:
            error = raised
    return found, error


def check(seed):
    """Compare; return "same", "refused" or "impossible". A difference is an `AssertionError`."""
    program = Program(seed)
    expected, wrong = outcome(program, lambda f: f)
    if wrong is not None and not expected:
        return "impossible"  # for eager code too
    with mock.patch.object(row_updates, "pays", return_value=program.by_rows):
        found, error = outcome(program, lambda f: tg.compile(f, backend=program.backend))
    # A float64 result of a float32 program may be of numbers that were rounded to float32.
    coarsest = program.dtype if np.dtype(program.dtype).kind in "fc" else np.float64
    for call, (one, other) in enumerate(zip(found, expected, strict=False)):
        scale = scale_of(other)
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert is_alike(a, b, scale, coarsest), (
                f"{program!r}\ncall {call}, result {i}:\n{a!r}\n{b!r}"
            )
    if error is not None and wrong is None:
        assert isinstance(error, TraceError), f"{program!r}\n{type(error).__name__}: {error}"
        return "refused"
    assert (wrong is None) == (error is None), f"{program!r}\neager code raises {wrong!r}"
    return "same"
