"""The public names: explicit, sorted, documented, and without side effects."""

import importlib
import inspect
import subprocess
import sys
from collections import Counter
from pathlib import Path

import public_arguments
import pytest

import tinygrad_lr as tg
from tinygrad_lr.core.primitive import PRIMITIVES
from tinygrad_lr.support.lazy_imports import modules_of

PUBLIC = [name for name in tg.__all__ if not name.startswith("_")]
PROMISED = [
    *("Value", "check_gradients", "fit", "grad", "hessian", "hvp", "jacobian", "jvp", "no_grad"),
    *("primitive", "value_and_grad", "vjp", "nn", "losses", "optim", "data", "datasets", "linear"),
    *("checkpoint", "plot", "train", "metrics", "schedules", "interop", "compile", "compiler"),
    *("set_threads", "derivation", "influence", "report", "trace"),
]


FAMILIES = [tg.nn, tg.losses, tg.optim, tg.schedules, tg.data, tg.datasets, tg.plot]
PACKAGES = [tg, *FAMILIES, tg.ops, tg.metrics, tg.linear, tg.train, tg.explain, tg.interop]
PACKAGES += [tg.compiler, tg.checkpoint, tg.errors, tg.nn.init]


@pytest.mark.parametrize("name", PROMISED)
def test_the_promised_names_are_public(name):
    assert hasattr(tg, name)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name):
    assert inspect.getdoc(getattr(tg, name))


def test_defaults_and_bounds_of_public_arguments_are_the_written_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = public_arguments.FILE.read_text(encoding="utf-8")
    assert public_arguments.text() == written, "python tests/public_arguments.py"


def test_every_operation_of_the_table_is_exported():
    own = {
        name
        for name, operation in PRIMITIVES.items()
        if str(operation.__module__).startswith("tinygrad_lr.ops")
    }
    assert own <= {name for name in dir(tg.ops) if getattr(tg.ops, name) is PRIMITIVES.get(name)}


@pytest.mark.parametrize("module", PACKAGES, ids=lambda m: m.__name__)
def test_every_listed_name_is_there_and_no_other(module):
    assert all(getattr(module, name) is not None for name in dir(module))
    assert list(module.__all__) == sorted(set(module.__all__)) == sorted(dir(module))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing


@pytest.mark.parametrize("module", FAMILIES, ids=lambda m: m.__name__)
def test_no_two_files_of_a_package_export_the_same_name(module):
    files = [importlib.import_module(path) for path in modules_of(module.__name__)]
    homes = Counter(name for file in files for name in getattr(file, "__all__", ()))
    assert [name for name, count in homes.items() if count > 1] == []


@pytest.mark.parametrize("module", FAMILIES, ids=lambda m: m.__name__)
def test_no_file_has_the_name_of_something_public(module):
    """Else tg.losses.log_cosh would be the file losses/log_cosh.py as soon as it is imported."""
    files = {path.removeprefix(f"{module.__name__}.") for path in modules_of(module.__name__)}
    assert files & set(module.__all__) <= {"init"}


def test_the_import_is_silent_and_brings_no_extra():
    extras = ["llvmlite", "matplotlib", "pandas", "polars", "safetensors", "scipy"]
    extras += ["sklearn", "tqdm"]
    code = f"import sys, tinygrad_lr; print([m for m in {extras} if m in sys.modules])"
    command = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_the_package_says_that_it_is_typed():
    assert (Path(tg.__file__).parent / "py.typed").exists()
