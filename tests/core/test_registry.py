"""Operations whose files are imported when they are first asked for: none is ever missed."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tinygrad_lr.core.primitive import METHOD_IMPLS, NUMPY_IMPLS, PRIMITIVES
from tinygrad_lr.support.lazy_imports import modules_of

NAMESPACES = {"": np, "linalg.": np.linalg, "fft.": np.fft}
PUBLIC = {
    prefix + name: getattr(module, name)
    for prefix, module in NAMESPACES.items()
    for name in dir(module)
    if not name.startswith("_") and callable(getattr(module, name))
}
OF_NUMPY = {name: NUMPY_IMPLS[f] for name, f in PUBLIC.items() if f in NUMPY_IMPLS}

PREPARED = """
import sys
import numpy as np
import tinygrad_lr as tg
v, file = tg.Value([1.0, 2.0, 3.0]), "tinygrad_lr.ops.differences"
assert file not in sys.modules
"""


def run(code, stdin=None, **variables):
    """What a new process prints that has just imported the package."""
    command = [sys.executable, "-W", "error", "-c", PREPARED + code]
    environment = os.environ | variables
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment)
    assert not done.stderr, done.stderr
    return done.stdout.strip()


def test_only_the_usual_files_are_imported_at_the_start():
    late = run("print(*[m for m in sys.modules if m.startswith('tinygrad_lr.ops.')])").split()
    assert {"tinygrad_lr.ops.arithmetic", "tinygrad_lr.ops.reduce"} <= {*late}
    assert len(late) < len(modules_of("tinygrad_lr.ops")) / 2


@pytest.mark.parametrize("table", ["PRIMITIVES", "METHOD_IMPLS", "NUMPY_IMPLS"])
def test_a_table_lists_what_is_not_imported_yet(table):
    early = f"from tinygrad_lr.core.primitive import {table} as table\nprint(dict.__len__(table), "
    for count in (
        "len(table)",
        "len([*table])",
        "len(table.keys())",
        "len(table.values())",
        "len(table.items())",
        "len(dict(table))",
    ):
        before, counted, after = run(f"{early}{count}, dict.__len__(table))").split()
        assert int(before) < int(counted) == int(after), count


EACH_ALONE = """
import json, os
from tinygrad_lr.core.primitive import METHOD_IMPLS, PRIMITIVES

def finds(kind, name):
    if kind != "numpy":
        return name in {"method": METHOD_IMPLS, "primitive": PRIMITIVES}[kind]
    function = np
    for part in name.split("."):
        function = getattr(function, part)
    try:
        if isinstance(function, np.ufunc):
            v.__array_ufunc__(function, "__call__", *[v] * function.nin)
        else:
            v.__array_function__(function, (tg.Value,), (v,), {})
    except Exception as error:  # what the implementation raises for these arguments
        return "has no derivative in tinygrad_lr" not in str(error)
    return True

for kind, name in json.loads(input()):
    child = os.fork()
    if child == 0:
        with np.errstate(all="ignore"):
            os._exit(0 if finds(kind, name) else 1)
    if os.waitpid(child, 0)[1]:
        print(kind, name)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process for each name")
def test_every_name_is_found_where_it_is_the_first_to_be_asked_for(tmp_path):
    early = run("print(*sys.modules)").split()
    tables = {"numpy": OF_NUMPY, "method": METHOD_IMPLS, "primitive": PRIMITIVES}
    names = [
        (kind, name)
        for kind, table in tables.items()
        for name, x in table.items()
        if x.__module__.startswith("tinygrad_lr.ops.") and x.__module__ not in early
    ]
    assert len(names) > 300
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    assert run(EACH_ALONE, json.dumps(names), **kept) == ""


FIRST_USES = {
    "a function of NumPy": "print(np.cumprod(v).tolist())",
    "a function of a constant": "print(np.cumprod(tg.Value(v.data, requires_grad=False)).tolist())",
    "a method": "print(v.cumprod().tolist())",
    "an operation": "print(tg.ops.cumprod(v).tolist())",
    "the namespace": "import tinygrad_lr.numpy as xp; print(xp.cumprod([*v]).tolist())",
    "reverse mode": "print(tg.vjp(np.cumprod, v.data)[0].tolist())",
    "forward mode": "print(tg.jvp(np.cumprod, (v.data,), (v.data,))[0].tolist())",
    "compiled code": "print(tg.compile(lambda x: np.cumprod(x))(v.data).tolist())",
    "a compiled gradient": "f = tg.compile(tg.grad(lambda x: np.sum(np.cumprod(x * [1, 1, 0]))))\n"
    "print((f(v.data) + [-2, 1, 6]).tolist())",
    "a derivation": "u = v * 1.0\ny = np.cumprod(u)\nloss = np.sum(y)\n"
    "print(y.tolist() if tg.derivation(loss, wrt=v).text() else '')",
    "a trace": "with tg.trace():\n    x = np.cumprod(v)\nprint(x.tolist())",
    "a pickle": "import pickle\nf = pickle.loads(b'ctinygrad_lr.ops.differences\\ncumprod\\n.')\n"
    "print(f(v).tolist())",
    "a module": "print(tg.nn.Sequential(np.cumprod)(v).tolist())",
    "without recording": "with tg.no_grad(): print(np.cumprod(v).tolist())",
}


@pytest.mark.parametrize("code", FIRST_USES.values(), ids=FIRST_USES)
def test_the_first_use_may_be(code):
    assert run(code).splitlines()[-1] == "[1.0, 2.0, 6.0]"


def test_methods_of_ufuncs_are_found():
    assert run("print(np.add.outer(v, v).shape)") == "(3, 3)"


def test_many_threads_may_ask_first():
    code = """
import threading
uses = [lambda: np.cumprod(v)[0], lambda: np.fft.fft(v)[0].real, lambda: np.kron(v, v)[0],
        lambda: np.linalg.svd(np.outer(v, v))[1][0], lambda: np.histogram(v, weights=v)[0][0],
        lambda: np.convolve(v, v)[0], lambda: tg.ops.conv2d, lambda: np.polyval(v, 1.0)]
start, found = threading.Barrier(len(uses)), []
def ask(use):
    start.wait()
    use()
    found.append(use)
threads = [threading.Thread(target=ask, args=(use,)) for use in uses]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(found) == len(uses))
"""
    assert run(code) == "True"


def test_an_import_that_is_interrupted_is_made_by_the_next_use():
    code = """
class Interrupt:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == file:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt)
try:
    np.cumprod(v)
except KeyboardInterrupt:
    print("interrupted")
sys.meta_path.remove(Interrupt)
print(np.cumprod(v).tolist())
"""
    assert run(code).split("\n") == ["interrupted", "[1.0, 2.0, 6.0]"]


def test_a_new_operation_may_not_take_a_name_that_is_not_imported_yet():
    code = """
try:
    @tg.primitive
    def fft_over(x):
        return x
except tg.errors.ArgumentError as error:
    print(error)
"""
    assert "must be new, got 'fft_over'" in run(code)


def test_a_new_operation_stays_what_numpy_means():
    code = """
@tg.primitive(np.cumprod)
def own(a):
    return -a
print(np.cumprod(v).tolist(), np.kron(v, v).shape, np.cumprod(v).tolist())
"""
    assert run(code) == "[-1.0, -2.0, -3.0] (9,) [-1.0, -2.0, -3.0]"


def test_a_name_that_nobody_has_is_missing():
    assert "no such name" not in PRIMITIVES
    assert PRIMITIVES.get("no such name", 5) == 5
    with pytest.raises(KeyError, match="no such name"):
        PRIMITIVES["no such name"]
