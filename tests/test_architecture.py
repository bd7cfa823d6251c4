"""The house: layers, the order inside compiler and explain, no import circle, no hidden module."""

import ast
import importlib
import inspect
from graphlib import CycleError, TopologicalSorter
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
        "schedules",
    ],
    ["compiler", "explain"],
    ["interop", "plot", "train"],
    ["report_page"],
    ["lesson"],
    ["cli"],
    ["__main__"],
]
"""A room imports only from rooms of the layers above it in this list."""

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


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_from_lower_layers(name):
    level = rank(LAYERS)
    others = {other for other in IMPORTS[name] if room_of(other) != room_of(name)}
    assert {o for o in others if not o or level[room_of(o)] > level[room_of(name)]} == set()


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


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("ops.")])
def test_operations_import_nothing_but_the_registry_and_each_other(name):
    allowed = {"errors", "core.primitive", "support.abstract_array", "support.lazy_imports"}
    allowed |= {"support.validation"}
    assert {o for o in IMPORTS[name] if room_of(o) != "ops"} <= allowed


@pytest.mark.parametrize("name", [name for name in MODULES if name != "__main__"])
def test_no_module_is_hidden_by_a_function_of_its_name(name):
    full = f"tinygrad_lr.{name}"
    if name.startswith("compiler.llvm"):
        pytest.importorskip("llvmlite")
    importlib.import_module(full)
    parent, _, leaf = full.rpartition(".")
    assert inspect.ismodule(getattr(importlib.import_module(parent), leaf))


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
    own = {x for x in listed if getattr(getattr(module, x), "__module__", full) is not None}
    foreign = {
        x
        for x in own
        if not str(getattr(getattr(module, x), "__module__", full)).startswith("tinygrad_lr")
        and callable(getattr(module, x))
    }
    assert foreign == set()
