"""The house: layers, the order inside compiler and explain, no import circle, no hidden module."""

import ast
import importlib
import re
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

import tinygrad_lr as tg

ROOT = Path(tg.__file__).parent

LAYERS = [
    ["errors"],
    ["support"],
    ["core"],
    ["ops"],
    [
        *("checkpoint", "data", "datasets", "linear", "losses", "metrics", "nn", "optim"),
        *("schedules", "scipy"),
    ],
    ["compiler", "explain", "numpy"],
    ["interop", "train"],
    ["plot"],
    ["report_page"],
    ["lesson"],
    ["cli"],
    ["__main__"],
]
"""A room imports only from the layers above its own in this list: not from its neighbours."""

ROOMS = {
    "compiler": [["ir"], ["tracing"], ["llvm", "numpy_backend"], ["runtime"]],
    "explain": [["formula"], ["graphs"], ["derivations"], ["influences"], ["live"]],
}
"""The same inside two packages."""


def module_name(path):
    """The dotted name of a file, relative to the package: "core.value"; "" for the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
MODULES = [name for name in FILES if name]


def imported_modules(name):
    """The modules that a file imports: inside functions and for type checkers too."""
    path = FILES[name]
    package = ["tinygrad_lr", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            candidates = [(alias.name, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            candidates = [(f"{module}.{alias.name}", module) for alias in node.names]
        else:
            continue
        for full, module in candidates:
            for found in (full, module):
                root, _, rest = found.partition(".")
                if root == "tinygrad_lr" and rest in FILES:
                    yield rest
                    break


IMPORTS = {name: set(imported_modules(name)) - {name} for name in FILES}


def rank(layers):
    return {room: level for level, rooms in enumerate(layers) for room in rooms}


def room_of(name, depth=0):
    return name.split(".")[depth] if name.count(".") >= depth else ""


def test_every_room_has_its_layer():
    assert {room_of(name) for name in MODULES} == set(rank(LAYERS))


def test_modules_import_only_from_the_layers_above_theirs_in_the_list():
    level = {**rank(LAYERS), "": len(LAYERS)}  # nothing imports the package itself
    pairs = [(n, o) for n in MODULES for o in IMPORTS[n] if room_of(n) != room_of(o)]
    assert [(n, o) for n, o in pairs if level[room_of(o)] >= level[room_of(n)]] == []


@pytest.mark.parametrize("package", ROOMS)
def test_inside_a_package_imports_keep_the_order_of_its_rooms(package):
    level = rank(ROOMS[package])
    inside = [name for name in MODULES if name.startswith(f"{package}.")]
    rooms = {name: room_of(name, 1) for name in inside}
    assert set(rooms.values()) == set(level)
    upward = [
        (name, other)
        for name in inside
        for other in IMPORTS[name] & set(inside)
        if rooms[other] != rooms[name] and level[rooms[other]] >= level[rooms[name]]
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle():
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_operations_import_only_the_registry_support_and_each_other():
    found = {o for name in MODULES if room_of(name) == "ops" for o in IMPORTS[name]}
    assert {o for o in found if room_of(o) not in {"ops", "errors", "support"}} == {
        "core.control_flow",  # a recurrence is a loop
        "core.numpy_dispatch",
        "core.primitive",
    }


def test_no_module_is_hidden_by_a_function_of_its_name():
    hidden = []
    for name in MODULES:
        if name != "__main__" and (find_spec("llvmlite") or not name.startswith("compiler.llvm")):
            module = importlib.import_module(f"tinygrad_lr.{name}")
            parent, _, leaf = module.__name__.rpartition(".")
            if getattr(importlib.import_module(parent), leaf) is not module:
                hidden.append(name)
    assert hidden == []


PUBLIC = [
    *("tinygrad_lr", "checkpoint", "compiler", "data", "datasets", "errors", "explain", "interop"),
    *("linear", "losses", "metrics", "nn", "nn.init", "ops", "optim", "plot", "report_page"),
    *("schedules", "train"),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_dir_lists_public_names_of_the_package_only(name):
    full = name if name == "tinygrad_lr" else f"tinygrad_lr.{name}"
    module = importlib.import_module(full)
    dunders = {"__version__"}
    listed = set(dir(module))
    assert listed == set(module.__all__)
    assert {x for x in listed if x.startswith("_")} <= dunders


# ---- data classes


def data_classes():
    """Yield the name of each data class, its options, and the types of its fields."""
    for name, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            for made in node.decorator_list if isinstance(node, ast.ClassDef) else ():
                if ast.unparse(made).startswith("dataclass"):
                    fields = [x.annotation for x in node.body if isinstance(x, ast.AnnAssign)]
                    words = re.findall(r"\w+", " ".join(map(ast.unparse, fields)))
                    stated = {x.arg: x.value.value for x in getattr(made, "keywords", ())}
                    yield f"{name}.{node.name}", stated, set(words)


CHANGING = {
    *("compiler.ir.buffers.BufferAssignment", "compiler.ir.fusion.Call"),
    *("compiler.ir.fusion.Kernel", "compiler.ir.fusion.Loop", "compiler.ir.fusion.Product"),
    *("compiler.ir.program.Program", "compiler.ir.schedule.Schedule"),
    *("compiler.llvm.loop_plan.Access", "compiler.llvm.row_kernel.LoopContext"),
    *("compiler.llvm.work_split.Share", "compiler.tracing.trace_function.TracedFunction"),
    *("data.batches.Epoch", "interop.torch.Entry", "plot.graph.layout._Rows"),
    *("train.checkpoints.Checkpoints", "train.history.History", "train.monitors.EarlyStopping"),
    *("train.state.FitConfig", "train.state.Moment"),
}
"""Data classes that are changed after they are made."""

OBJECTS = {
    *("explain.derivations.build.Derivation", "explain.influences.measure.Influence"),
    "explain.derivations.local_derivatives.Given",
    *("explain.influences.model.InfluenceData", "datasets.students.Students"),
    *("lesson.predictor.Predictor", "lesson.training.Training"),
}
"""Frozen data classes that hold arrays inside other objects."""


def test_data_classes_are_frozen_except_those_that_change():
    assert {name for name, options, _ in data_classes() if not options.get("frozen")} == CHANGING


def test_data_classes_with_arrays_are_compared_as_objects():
    """Else `==` asks whether an array is true, and `hash` fails."""
    for name, options, words in data_classes():
        arrays = name in OBJECTS or bool(words & {"Array", "NDArray", "Value"})
        compared = options.get("eq", True)
        assert not (compared and arrays), name
        assert compared or arrays or name in CHANGING, name
