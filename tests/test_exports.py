"""The public names: explicit, sorted, documented, and without side effects."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_lr as tg
from tinygrad_lr.core.primitive import PRIMITIVES

PUBLIC = sorted(name for name in vars(tg) if not name.startswith("_"))
PROMISED = [
    *("Value", "check_gradients", "fit", "grad", "hessian", "hvp", "jacobian", "jvp", "no_grad"),
    *("primitive", "value_and_grad", "vjp", "nn", "losses", "optim", "data", "datasets", "linear"),
    *("checkpoint", "plot", "train", "metrics", "schedules", "interop", "compile", "compiler"),
    *("set_threads", "derivation", "influence", "report", "trace"),
]
LAZY = [tg, tg.nn, tg.ops, tg.losses, tg.optim, tg.data, tg.datasets, tg.train, tg.interop]
LAZY.append(tg.compiler)


def explicit(module):
    """The names that an __init__ imports under their own names, at once or at first use."""
    tree = ast.parse(Path(module.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return [alias.asname for node in imports for alias in node.names if node.module != "__future__"]


@pytest.mark.parametrize("name", PROMISED)
def test_the_promised_names_are_public(name):
    assert hasattr(tg, name)


@pytest.mark.parametrize("module", [tg, tg.ops, tg.nn], ids=lambda m: m.__name__)
def test_exports_are_explicit_and_there_once(module):
    names = explicit(module)
    assert None not in names and len(set(names)) == len(names)


def test_nothing_but_exports_and_submodules_is_public():
    unexpected = set(PUBLIC) - set(explicit(tg))
    assert all(inspect.ismodule(getattr(tg, name)) for name in unexpected)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name):
    assert inspect.getdoc(getattr(tg, name))


def test_every_operation_of_the_table_is_exported():
    own = {
        name
        for name, operation in PRIMITIVES.items()
        if str(operation.__module__).startswith("tinygrad_lr.ops")
    }
    assert own <= {name for name in dir(tg.ops) if getattr(tg.ops, name) is PRIMITIVES.get(name)}


@pytest.mark.parametrize("module", LAZY, ids=lambda m: m.__name__)
def test_every_name_that_waits_for_its_first_use_is_there(module):
    names = [name for name in dir(module) if not name.startswith("_")]
    assert all(getattr(module, name) is not None for name in names)
    assert set(getattr(module, "__all__", ())) <= set(names)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing


def test_the_import_is_silent_and_brings_no_extra():
    extras = ["llvmlite", "matplotlib", "pandas", "safetensors", "scipy", "sklearn", "tqdm"]
    code = f"import sys, tinygrad_lr; print([m for m in {extras} if m in sys.modules])"
    command = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_the_package_says_that_it_is_typed():
    assert (Path(tg.__file__).parent / "py.typed").exists()
