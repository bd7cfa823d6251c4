"""Set-up for every test and doctest: one thread each, no code cache, names for docstrings."""

import gc
import os
import signal
import tempfile
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small products are slower on two threads
os.environ.setdefault("OMP_NUM_THREADS", "1")  # PyTorch's too: its threads wait in busy loops
os.environ["TINYGRAD_LR_CACHE"] = ""  # tests that want a code cache make their own

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import settings

import tinygrad_lr as tg

settings.register_profile("every run", deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", settings.get_profile("every run"), max_examples=1000)
settings.load_profile("every run")  # the same examples each time, however busy the machine is

# A shell starts background jobs deaf to Ctrl-C, which some tests send to themselves or a child.
signal.signal(signal.SIGINT, signal.default_int_handler)

collect_ignore_glob = ["tests/types/*"]  # programs for type checkers
if not find_spec("llvmlite"):
    collect_ignore_glob += ["tinygrad_lr/compiler/llvm/*"]
if not find_spec("scipy"):
    collect_ignore_glob += ["tinygrad_lr/scipy/*"]


def asked_for_files(config):
    """Return True if single files or tests were asked for: python -m pytest tests/ops/test_x.py."""
    paths = [Path(argument.partition("::")[0]) for argument in config.args]
    return all(path.suffix == ".py" for path in paths)


def pytest_xdist_auto_num_workers(config):
    """Run single files in this process: workers take longer to start than the tests."""
    return 0 if asked_for_files(config) else None


def pytest_configure(config):
    """Run all tests of a single file, and doctests if it is a module of the package."""
    chosen = any(str(x).startswith("-m") for x in config.invocation_params.args)
    if asked_for_files(config) and not chosen:
        config.option.markexpr = ""
    tests = Path(__file__).parent / "tests"
    if asked_for_files(config) and all(tests in Path(x).absolute().parents for x in config.args):
        config.option.doctestmodules = False


def pytest_collection_finish():
    """Keep the garbage collector from going through 18 000 collected tests again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def temporary_directory(request):
    """Let the folders that docstrings make with `tempfile` be removed with pytest's own."""
    if isinstance(request.node, pytest.DoctestItem):
        folder = request.getfixturevalue("tmp_path")
        request.getfixturevalue("monkeypatch").setattr(tempfile, "tempdir", str(folder))


@pytest.fixture(autouse=True, scope="session")
def docstring_names(doctest_namespace):
    """Let docstrings use np, tg and Value without importing them."""
    doctest_namespace.update(np=np, tg=tg, Value=tg.Value)
