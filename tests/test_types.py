"""Type checkers accept programs of users, and know the types in them."""

import ast
import doctest
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import typing
import warnings
from pathlib import Path

import equivalent_stubs
import numpy as np
import numpy_stub
import pytest
from test_bad_arguments import PUBLIC, RESULTS, call, working_call

import tinygrad_lr as tg
from tinygrad_lr.core.primitive import Primitive

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = [*(ROOT / "tests" / "types").glob("*.py"), *(ROOT / "examples").glob("*.py")]
HEAD = "import numpy as np\nimport tinygrad_lr as tg\nfrom tinygrad_lr import Value\n\n"

OLDER_STUBS = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) >= "2.5.0",
    reason="for NumPy 2.5's stubs, np.mean of a Value is a float64",
)


@pytest.fixture
def programs(tmp_path):
    """A folder with the programs, the examples, and each page's program."""
    folder = tmp_path / "programs"
    (folder / "pages").mkdir(parents=True)
    (folder / "pages" / "__init__.py").touch()
    for program in PROGRAMS:
        shutil.copy(program, folder / f"program_{program.name}")
    for page in PAGES:
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
@OLDER_STUBS
def test_mypy_accepts_the_programs_strictly_with_the_types_that_they_assert(programs, tmp_path):
    pytest.importorskip("mypy")
    (programs / "mypy.ini").write_text(
        "[mypy]\nstrict = True\n"  # pages are typed at a prompt, and read from top to bottom
        "[mypy-pages.*]\nallow_redefinition = True\nallow_untyped_defs = True\n"
        "allow_untyped_calls = True\ndisable_error_code = no-redef, import-untyped\n"
    )
    check(programs, "mypy", "--cache-dir", str(tmp_path / "cache"), ".")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["namespace", "layers", "programs", "refused"])
def test_mypy_knows_the_types_of_the_namespace_with_every_numpy(name, tmp_path):
    pytest.importorskip("mypy")
    shutil.copy(ROOT / "tests" / "types" / f"{name}.py", tmp_path / f"program_{name}.py")
    check(tmp_path, "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), ".")


@pytest.mark.slow
@OLDER_STUBS
@pytest.mark.skipif(
    not (importlib.util.find_spec("pyright") and shutil.which("node")),
    reason="pyright is not installed, or node, on which it runs",
)
def test_pyright_accepts_the_programs_with_the_types_that_they_assert(programs):
    check(programs, "pyright", "--pythonpath", sys.executable)


def models():
    """Return the typed programs of scientists, with where their derivatives are taken."""
    path = ROOT / "tests" / "types" / "models.py"
    spec = importlib.util.spec_from_file_location("models", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {program.__name__: (program, start) for program, start in module.PROGRAMS}


@pytest.mark.parametrize("name", models())
def test_typed_programs_have_the_derivatives_of_central_differences(name):
    program, start = models()[name]
    steps = 1e-6 * np.eye(len(start))
    expected = [
        (program(tg.Value(start + step)) - program(tg.Value(start - step))).item() / 2e-6
        for step in steps
    ]
    assert np.allclose(tg.grad(program)(start), expected, rtol=1e-6, atol=1e-7)


TYPES = {"Value": tg.Value, "Array": np.ndarray, "Module": tg.nn.Module, "None": type(None)}
TYPES |= {kind.__name__: kind for kind in (float, int, bool, str)}
OPERANDS = {"Value", "Nest", "_Nest"}
"""The types of arguments with which an overload says that it returns Values."""


def signatures(function):
    """Return the signature of a function; of an overloaded one, those that say where a Value is."""
    stated = typing.get_overloads(function)
    found = [inspect.signature(x) for x in stated or [function]]
    return [x for x in found if not stated or OPERANDS & {*annotations(x).values()}]


def with_values(arguments, kinds):
    """Return arguments with Values where a parameter's type says that they are what counts."""

    def has_value(x):
        return isinstance(x, tg.Value) or (isinstance(x, (list, tuple)) and any(map(has_value, x)))

    return {
        name: tg.Value(x) if kinds.get(name) in OPERANDS and not has_value(x) else x
        for name, x in arguments.items()
    }


def annotations(signature):
    """Return the types of the parameters by name."""
    return {x.name: x.annotation for x in signature.parameters.values()}


def test_results_have_the_types_that_public_functions_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some calls write files
    owners = {path.rpartition(".")[0] for path in PUBLIC}
    checked = set()
    for path, function in PUBLIC.items():
        plain = inspect.isfunction(function) and path.rpartition(".")[0] not in RESULTS
        for signature in signatures(function) if plain and path not in owners else ():
            kind, kinds = TYPES.get(signature.return_annotation), annotations(signature)
            if kind and path != "schedules.Schedule.__call__":  # it is abstract
                target, arguments = working_call(path)
                given = with_values(arguments, kinds)
                needed = {x.name for x in signature.parameters.values() if x.default is x.empty}
                if needed - {*given, "self", "args", "keywords", "inputs", "options"}:
                    continue
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    assert isinstance(call(target, given), kind), path
                checked.add(path)
    assert {"losses.cross_entropy", "nn.Linear.forward", "scipy.signal.hilbert"} <= checked


def declared(room):
    """Return the declarations in a stub by name."""
    found = {}
    for node in ast.parse(equivalent_stubs.path_of(room).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
    return found


class Signature(typing.NamedTuple):
    """A function or one of its overloads, as type checkers see it."""

    parameters: dict[str, str]  # the types by name; "" where there is none
    result: str


def signatures_for_checkers(path, thing):
    """Return the signatures of a public function: those of its stub, or its overloads."""
    room, _, name = path.rpartition(".")
    if (ROOT / "tinygrad_lr" / room.replace(".", "/") / "__init__.pyi").exists():
        return [as_seen(node) for node in declared(room).get(name, [])]
    function = inspect.unwrap(thing.__init__ if inspect.isclass(thing) else thing)
    function = getattr(function, "__func__", function)
    if not inspect.isfunction(function):  # a class without a constructor of its own
        return []
    found = []
    for overload in typing.get_overloads(function) or [function]:
        signature = inspect.signature(overload)
        kinds = {name: as_text(kind) for name, kind in annotations(signature).items()}
        result = "" if inspect.isclass(thing) else as_text(signature.return_annotation)
        found.append(Signature({x: kinds[x] for x in kinds if x not in {"self", "cls"}}, result))
    return found


def as_text(kind):
    """Return an annotation as text."""
    if kind is inspect.Parameter.empty:
        return ""
    return kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))


def as_seen(node):
    """Return a signature of a stub."""
    a = node.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    kinds = {x.arg: ast.unparse(x.annotation).replace("_", "") for x in every}
    return Signature(kinds, ast.unparse(node.returns).replace("_", ""))


CALLABLES = {path: x for path, x in PUBLIC.items() if not isinstance(x, Primitive)}
"""Public functions; an operation is called by `Primitive.__call__`, with the types that it has."""

ANYTHING = {
    "what a function of the user takes": r"custom_[jv]\wp\.__call__|compiler\.Compiled\.\w+",
    "what a layer of the user takes": r"nn\.(Module|MLP)\.forward",
    "options that are passed on": r"nn\.(GRU|LSTM)|optim\.minimize|train\.EarlyStopping",
    "one state, or a nest of them": r"nn\.GRU(Cell)?\.forward",
    "nests, of text among others": r"array|full_like|numpy\.as\w*array|explain\.Quiz\.check",
    "nests of arrays": r"check_gradients",
    "curves by name, or a history": r"plot\.\w+",
    "a type checker sees a protocol": r"scipy\.ndimage\.(convolve|correlate)1d",
}
"""Functions with parameters of any type, by the reason."""

UNKNOWN = {
    "what a function of the user returns": r"custom_[jv]\wp\.__call__|compiler\.Compiled\.\w+|cond|"
    r"scan|while_loop|vmap|root|fixed_point",
    "arrays, or Values inside another derivative": r"grad|value_and_grad|hessian|jacobian|[jv]\wp|"
    r"linearize",
    "what is put in": r"stop_gradient|optim\.minimize|data\.original_units|explain\.Replay\.at",
    "a layer's call has other types than its forward": r"nn\.\w+\.forward",
    "layers of any class": r"nn\.MLP\.__getitem__",
    "numbers or arrays, by the shape": r"Value\.(searchsorted|tolist)",
    "numbers of other kinds beside the solution": r"scipy\.linalg\.lstsq",
    "states of every kind": r"\w+\.\w+\.state_dict",
    "a type checker sees a protocol": r"scipy\.ndimage\.(convolve|correlate)1d|scipy\.fft\.\w+|"
    r"\w+_like",
}
"""Functions of whose results nothing is known, by the reason."""


def unexplained(found, reasons):
    """Return the names for which no reason holds, and the reasons that hold for none."""
    left = {x for x in found if not any(re.fullmatch(y, x) for y in reasons.values())}
    return left | {y for y in reasons.values() if not any(re.fullmatch(y, x) for x in found)}


def test_parameters_of_public_functions_have_types():
    found = {
        path
        for path, thing in CALLABLES.items()
        for signature in signatures_for_checkers(path, thing)
        if {"", "Any"} & {*signature.parameters.values()}
    }
    assert unexplained(found, ANYTHING) == set()


def test_public_functions_state_what_they_return():
    found = {
        path
        for path, thing in CALLABLES.items()
        if (signatures := signatures_for_checkers(path, thing)) and not inspect.isclass(thing)
        if all(re.search(r"^$|\bAny\b", x.result) for x in signatures)
    }
    assert unexplained(found, UNKNOWN) == set()


@pytest.mark.parametrize("room", ["scipy.linalg", "scipy.special"])
def test_functions_of_scipy_return_for_values_what_their_stubs_say(room):
    for name, overloads in declared(room).items():
        if f"{room}.{name}" not in PUBLIC:  # another name of a function
            continue
        target, arguments = working_call(f"{room}.{name}")
        stated = next(x for x in overloads if "_Nest" in ast.unparse(x.args))
        kinds = {x.arg: ast.unparse(x.annotation) for x in stated.args.args}
        given = with_values(arguments, kinds)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = call(target, given)
        result = ast.unparse(stated.returns).replace("tuple[", "(").replace("]", ")")
        result = result.replace("_Array", "ndarray").replace(" bool", " Any").replace("_", "")
        if any(isinstance(x, tg.Value) for x in given.values()):
            pattern = re.escape(result).replace("Any", r"\w+")
            assert re.fullmatch(pattern, nesting(found)), name


def test_type_hints_of_public_functions_can_be_read():
    unread = {}
    for path, thing in PUBLIC.items():
        if inspect.isclass(thing) or inspect.isroutine(thing):
            try:
                typing.get_type_hints(thing)
            except Exception as error:
                unread[path] = error
    # the types of a module's call are those of `forward`, by a protocol for type checkers alone
    assert {*unread} == {path for path in PUBLIC if PUBLIC[path] is tg.nn.Module.__call__}, unread


@pytest.mark.parametrize("name", ["Tanh", "Softmax", "GLU", "Dropout", "Identity", "Flatten"])
def test_a_layer_without_parameters_returns_a_value_for_a_value_alone(name):
    layer, x = getattr(tg.nn, name)(), np.ones((2, 4))
    assert type(layer(tg.Value(x))) is tg.Value and type(layer(x)) is np.ndarray


@pytest.mark.parametrize("name", ["MaxPool1d", "AvgPool2d", "AdaptiveAvgPool1d"])
def test_a_layer_of_pooling_does_so_too(name):
    layer, x = getattr(tg.nn, name)(2), np.ones((2, 4, 4, 4)[: 3 + name.endswith("2d")])
    assert type(layer(tg.Value(x))) is tg.Value and type(layer(x)) is np.ndarray


NESTS = {
    **dict.fromkeys(["RNN", "GRU", "LSTMCell"], "(Value, Value)"),
    **dict.fromkeys(["RNNCell", "GRUCell"], "Value"),
    "LSTM": "(Value, (Value, Value))",
}


@pytest.mark.parametrize("name", NESTS)
def test_recurrent_layers_return_values_nested_as_stated(name):
    assert nesting(getattr(tg.nn, name)(2, 3)(np.ones((5, 2)))) == NESTS[name]


def nesting(x):
    """Return the classes in a nest of tuples as text."""
    return f"({', '.join(map(nesting, x))})" if isinstance(x, tuple) else type(x).__name__


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


@pytest.mark.parametrize("room", equivalent_stubs.ROOMS)
def test_the_stubs_of_equivalents_are_what_their_script_writes(room):
    written = equivalent_stubs.path_of(room).read_text(encoding="utf-8")
    if f"signatures of {equivalent_stubs.SOURCES[room.partition('.')[0]]}:" not in written:
        pytest.skip("they were written from the signatures of another version")
    assert written == equivalent_stubs.write_stub(room), "python tests/equivalent_stubs.py"


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
    assert names - found - modules <= {"test", "in1d", "trapz"}  # the last two until NumPy 2.4
