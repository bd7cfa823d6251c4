"""Type checkers accept programs of users, and know the types in them."""

import ast
import doctest
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy_stub
import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = [*(ROOT / "tests" / "types").glob("*.py"), *(ROOT / "examples").glob("*.py")]
HEAD = "import numpy as np\nimport tinygrad_lr as tg\nfrom tinygrad_lr import Value\n\n"
UNTYPED = {"08_line_with_value", "11_networks_that_classify"}
"""For pyright, a gradient that was set to None stays None, whatever `loss.backward()` does; and for
NumPy's stubs, `np.log(value)` is an array."""


@pytest.fixture
def programs(tmp_path):
    """A folder with the programs, the examples, and each page's program."""
    folder = tmp_path / "programs"
    (folder / "pages").mkdir(parents=True)
    (folder / "pages" / "__init__.py").touch()
    for program in PROGRAMS:
        shutil.copy(program, folder / f"program_{program.name}")
    for page in PAGES:
        if page.stem in UNTYPED:
            continue
        lines = []
        for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            if ">>>" in block:
                lines += [example.source for example in doctest.DocTestParser().get_examples(block)]
            elif page.parent.name != "howto":  # there, parts of files of the package
                lines.append(block)
        program = folder / "pages" / f"{page.parent.name.replace('-', '_')}_{page.stem}.py"
        program.write_text(HEAD + "".join(lines), encoding="utf-8")
    return folder


def check(folder, *command):
    """Run a type checker in a folder."""
    run = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        check=False,
        cwd=folder,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        timeout=600,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]


@pytest.mark.slow
def test_mypy_accepts_the_programs_strictly_with_the_types_that_they_assert(programs, tmp_path):
    pytest.importorskip("mypy")
    (programs / "mypy.ini").write_text(
        "[mypy]\nstrict = True\n"  # pages are typed at a prompt, and read from top to bottom
        "[mypy-pages.*]\nallow_redefinition = True\nallow_untyped_defs = True\n"
        "allow_untyped_calls = True\ndisable_error_code = no-redef, import-untyped\n"
    )
    check(programs, "mypy", "--cache-dir", str(tmp_path / "cache"), ".")


@pytest.mark.slow
@pytest.mark.skipif(
    not (importlib.util.find_spec("pyright") and shutil.which("node")),
    reason="pyright is not installed, or node, on which it runs",
)
def test_pyright_accepts_the_programs_with_the_types_that_they_assert(programs):
    check(programs, "pyright", "--pythonpath", sys.executable)


@pytest.mark.parametrize("name", numpy_stub.MODULES)
def test_the_stubs_of_the_namespace_are_what_their_script_writes(name):
    written = (numpy_stub.FOLDER / f"{name}.pyi").read_text(encoding="utf-8")
    if f"the stubs of NumPy {numpy_stub.VERSION}:" not in written:
        pytest.skip("they were written from the stubs of another NumPy")
    program = f"import numpy_stub, sys; sys.stdout.write(numpy_stub.write_stub({name!r}))"
    run = subprocess.run(  # in a process of its own: other tests declare operations
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
    )
    assert written == run.stdout, "python tests/numpy_stub.py"


@pytest.mark.parametrize("name", numpy_stub.MODULES)
def test_the_stubs_have_every_public_name_of_the_namespace(name):
    tree = ast.parse((numpy_stub.FOLDER / f"{name}.pyi").read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            found |= {item.asname for item in node.names}
        for target in [node, *getattr(node, "targets", []), getattr(node, "target", None)]:
            found |= {getattr(target, "name", None), getattr(target, "id", None)}
    module = numpy_stub.MODULES[name]
    names = {x for x in dir(module) if not x.startswith("_")}
    modules = {x for x in names if isinstance(getattr(module, x), type(np))}
    assert names - found - modules <= {"test"}
