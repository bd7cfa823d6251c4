"""What every test and doctest sees: one BLAS thread, no cache of code, the usual names."""

import gc
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small products are slower on two threads
os.environ["TINYGRAD_LR_CACHE"] = ""  # tests that want a cache of code make their own

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import settings

import tinygrad_lr as tg

settings.register_profile("every run", deadline=None, derandomize=True, database=None)
settings.load_profile("every run")  # the same examples each time, however busy the machine is

collect_ignore_glob = [] if find_spec("llvmlite") else ["tinygrad_lr/compiler/llvm/*"]


def pytest_collection_finish():
    """The tests themselves stay: the collector of garbage need not look at them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def usual_names(doctest_namespace):
    """Docstrings use np, tg and Value without importing them."""
    doctest_namespace.update(np=np, tg=tg, Value=tg.Value)
