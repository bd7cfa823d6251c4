"""A floor imports only from floors below it; neighbours on a floor do not import each other."""

import ast
from pathlib import Path

import pytest

import tinygrad_lr

PACKAGE = Path(tinygrad_lr.__file__).parent

FLOORS = [
    ["errors", "exports", "recording", "silence", "stand_in"],
    ["files", "generators", "labels", "primitive", "readable", "tree"],
    ["markup", "numpy_functions", "real_numbers"],
    ["node"],
    ["ops", "value"],
    ["graph"],
    ["chain_rule"],
    ["autodiff"],
    [
        *("checkpoint", "data", "datasets", "gradient_check", "linear", "losses", "metrics", "nn"),
        *("optim", "schedules", "table"),
    ],
    ["compiler", "explain"],
    ["interop", "plot", "train"],
    ["page"],
    ["lesson"],
    ["cli"],
    ["__main__"],
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def house(path):
    """The module or package, directly below tinygrad_lr, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """The modules and packages of tinygrad_lr that a file imports, inside functions too."""
    package = ["tinygrad_lr", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            names = [".".join([*module, alias.name]) for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "tinygrad_lr" and parts[1] in FLOOR_OF:
                yield parts[1]


def test_every_module_has_its_floor():
    houses = {house(path) for path in FILES} - {"__init__"}
    assert houses == set(FLOOR_OF)


@pytest.mark.parametrize(
    "path", [p for p in FILES if p != PACKAGE / "__init__.py"], ids=lambda p: p.stem
)
def test_imports_go_down_only(path):
    above = [n for n in imported(path) if n != house(path) and FLOOR_OF[n] >= FLOOR_OF[house(path)]]
    assert above == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "ops").glob("*.py")), ids=lambda p: p.stem)
def test_operations_know_the_table_and_each_other_and_nothing_else(path):
    assert set(imported(path)) <= {"errors", "exports", "ops", "primitive", "stand_in"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_no_file_is_longer_than_four_hundred_lines(path):
    assert len(path.read_text().splitlines()) <= 400
