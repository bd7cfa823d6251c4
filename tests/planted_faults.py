"""Plant faults in copies of the package and count how many the tests find.

python tests/planted_faults.py --count 100 --seed 0 --room ops --room optim

A fault is one change in one place: a flipped sign, swapped operands, another comparison, a number
that is off by one, a statement left out. The quick tests of its room run until one fails. With
--stages 3, what survives goes to the room's slow tests, then to the quick tests of all rooms. A
fault that survives is a change without an effect, or a test that is missing.

The first run of a stage has no fault. This file is its plugin and notes which functions each test
calls, so that a fault runs only the files whose tests reach it, those tests first.
"""

from __future__ import annotations

import argparse
import ast
import copy
import faulthandler
import functools
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import cache_from_source
from itertools import accumulate, chain, islice, repeat, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = [
    *("ops", "core", "optim", "losses", "nn", "train", "checkpoint", "compiler", "explain"),
    *("report_page", "lesson", "metrics", "data", "linear", "schedules"),
]
OTHER_OPERATOR = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult},
    **{ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv},
    **{ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In},
}
ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Pow, ast.MatMult)  # operands that can't be swapped
DROPPED = (ast.Expr, ast.AugAssign, ast.Raise, ast.Delete, ast.Continue)
# These change no result: types, the inputs of tests, lists of names.
LEFT_ALONE = {"annotation", "returns", "examples", "domain", "__all__", "__slots__"}
STAGES = [
    ("the room's quick tests", "not slow"),
    ("the room's slow tests", "slow"),
    ("the quick tests of all rooms", "not slow"),
]


class Fault(NamedTuple):
    """Other text for the bytes from `start` to `end` of a file."""

    path: Path  # relative to the root
    start: int
    end: int
    text: str
    function: int  # the first line of the function around it, 0 outside functions
    told: str

    @property
    def room(self) -> str:
        return self.path.with_suffix("").parts[1]

    def planted_in(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]


def faults_of(path: Path) -> Iterator[Fault]:
    """Yield every fault that can be planted in a file."""
    source = (ROOT / path).read_bytes()
    lines = [0, *accumulate(map(len, source.splitlines(keepends=True)))]
    for node, function in nodes_of(ast.parse(source)):
        for other in alternatives(node):
            text = f"({ast.unparse(other)})" if isinstance(other, ast.expr) else "pass"
            start = lines[node.lineno - 1] + node.col_offset
            end = lines[node.end_lineno - 1] + node.end_col_offset
            before = " ".join(source[start:end].decode().split())
            told = f"{path}:{node.lineno}: {before:.90}  ->  {text:.90}"
            yield Fault(path, start, end, text, function, told)


def nodes_of(node: ast.AST, function: int = 0) -> Iterator[tuple[Any, int]]:
    """Yield the nodes of a tree whose change can change a result, each with its function."""
    yield node, function
    match node:
        case ast.FunctionDef(decorator_list=[first, *_]):
            own = first.lineno
        case ast.FunctionDef() | ast.Lambda():
            own = node.lineno
        case _:
            own = function
    for field, children in ast.iter_fields(node):
        for child in children if isinstance(children, list) else [children]:
            match child:
                case ast.Expr(value=ast.Constant()) | ast.JoinedStr():  # a docstring, a message
                    continue
                case ast.keyword(arg=name) | ast.Assign(targets=[ast.Name(id=name)]):
                    skip = name in LEFT_ALONE
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    continue
                case _:
                    skip = False
            if isinstance(child, ast.AST) and field not in LEFT_ALONE and not skip:
                yield from nodes_of(child, own if field == "body" else function)


def alternatives(node: Any) -> Iterator[ast.AST]:
    """Yield what a node may be replaced by."""
    changed = functools.partial(replace_fields, node)
    match node:
        case ast.BinOp() | ast.BoolOp() if type(node.op) in OTHER_OPERATOR:
            yield changed(op=OTHER_OPERATOR[type(node.op)]())
        case ast.Compare():
            yield changed(ops=[OTHER_OPERATOR[type(node.ops[0])](), *node.ops[1:]])
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield node.operand
        case ast.IfExp():
            yield changed(body=node.orelse, orelse=node.body)
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield ast.Constant(node.value + 1 if abs(node.value) < 1e15 else 2 * node.value)
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
    if isinstance(node, ast.BinOp) and isinstance(node.op, ORDERED):
        yield changed(left=node.right, right=node.left)
    if isinstance(node, DROPPED):
        yield ast.Pass()


def replace_fields(node: ast.AST, **fields: Any) -> ast.AST:
    other = copy.copy(node)
    vars(other).update(fields)
    return other


def draw(rooms: list[str], count: int, seed: int) -> list[Fault]:
    """Draw faults, equally many from each room as far as it has them."""
    shuffled = []
    for room in rooms:
        folder = ROOT / "tinygrad_lr" / room
        files = sorted(folder.rglob("*.py")) or [folder.with_suffix(".py")]
        faults = [fault for path in files for fault in faults_of(path.relative_to(ROOT))]
        random.Random(f"{seed} {room}").shuffle(faults)
        shuffled.append(faults)
    in_turn = filter(None, chain.from_iterable(zip_longest(*shuffled)))
    return list(islice(in_turn, count))


def tests_of(room: str) -> tuple[str, ...]:
    """Return the files with the tests of a room, or of all rooms for ""."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    own = [x for x in files if room in ("", x.parent.name) or x.stem.startswith(f"test_{room}")]
    package = ROOT / "tinygrad_lr" / room  # for its docstrings
    own.append(package if package.is_dir() else package.with_suffix(".py"))
    return tuple(str(x.relative_to(ROOT)) for x in own)


# ---- the plugin: which functions does each test call, in which order shall tests run?

IMPORTS = -1  # stands for a test where functions are called before the first one
PROCESSES = "processes"  # stands for a function where a test starts or forks a process
SLACK = 30.0  # seconds that tests may take beyond three times what they take without a fault


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", help="the file that gets the functions that each test calls")
    parser.addoption("--order", help="the file that has the tests, in order, with their seconds")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    given = early_config.known_args_namespace
    if given.record:  # before a conftest imports the package
        early_config.pluginmanager.register(Recorder(Path(given.record)))
    elif given.order:
        early_config.pluginmanager.register(Order(Path(given.order)))


class Order:
    """Sorts the tests, and ends the process at a test that takes too long."""

    def __init__(self, file: Path) -> None:
        self.seconds = dict(json.loads(file.read_text()))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        place = {name: i for i, name in enumerate(self.seconds)}
        items.sort(key=lambda item: place.get(item.nodeid, len(place)))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        limit = 3 * self.seconds.get(item.nodeid, 0.0) + SLACK
        faulthandler.dump_traceback_later(limit, exit=True)
        result = yield
        faulthandler.cancel_dump_traceback_later()
        return result  # type: ignore[return-value]


class Recorder:
    """Notes how long each test takes and which functions of the package it calls."""

    def __init__(self, file: Path) -> None:
        self.file, self.package = file, str(Path("tinygrad_lr").absolute())
        self.tests: list[tuple[str, float]] = []
        self.calls = defaultdict[str, list[int]](list)
        self.called = set[tuple[str, int]]()
        sys.addaudithook(self.hear)
        # The compiler asks for a tracer, and sets one of its own: it must not notice this one.
        own, set_trace, get_trace = self.trace, sys.settrace, sys.gettrace
        sys.settrace = lambda function: set_trace(function or own)
        sys.gettrace = lambda: None if get_trace() is own else get_trace()
        threading.settrace(own)
        set_trace(own)

    def trace(self, frame: Any, event: str, _: Any) -> None:
        self.called.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

    def hear(self, event: str, _: Any) -> None:
        if event in {"subprocess.Popen", "os.fork"}:
            self.called.add((PROCESSES, 0))

    def note(self, test: int) -> None:
        for file, line in self.called.copy():
            if file == PROCESSES:
                self.calls[PROCESSES].append(test)
            elif file.startswith(self.package):
                self.calls[f"{os.path.relpath(file)}:{line}"].append(test)
        self.called.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if not self.tests:
            self.note(IMPORTS)
        start = time.perf_counter()
        result = yield
        self.note(len(self.tests))
        self.tests.append((item.nodeid, time.perf_counter() - start))
        return result  # type: ignore[return-value]

    def pytest_sessionfinish(self) -> None:
        self.file.write_text(json.dumps([self.tests, self.calls]))


# ---- the judge


class Record(NamedTuple):
    """Notes of a run without a fault."""

    tests: list[tuple[str, float]]  # with their seconds
    calls: dict[str, list[int]]  # the numbers of the tests that call a function
    overhead: float  # seconds beyond the tests


def record(files: tuple[str, ...], mark: str, tree: Path) -> Record:
    with tempfile.TemporaryDirectory() as folder:
        file, start = Path(folder, "record"), time.monotonic()
        if not pass_tests(tree, [*files, "-m", mark, "--record", str(file)], 3600):
            print((tree / OUTPUT).read_text()[-3000:])
            raise SystemExit(f"must pass without a fault: {mark}, {' '.join(files)}")
        tests, calls = json.loads(file.read_text())
    seconds = time.monotonic() - start
    return Record(tests, calls, seconds - sum(seconds for _, seconds in tests))


class Stage:
    """Tests, of which those that reach a fault are run."""

    def __init__(self, mark: str) -> None:
        self.mark, self.overhead = mark, 0.0
        self.tests: list[tuple[str, float]] = []
        self.calls = defaultdict[str, list[int]](list)

    def add(self, part: Record) -> None:
        before = len(self.tests)
        self.tests += part.tests
        for name, numbers in part.calls.items():
            self.calls[name] += [i if i == IMPORTS else before + i for i in numbers]
        self.overhead = max(self.overhead, part.overhead)

    def tests_for(self, fault: Fault) -> list[tuple[str, float]]:
        """Return the tests that may find a fault, the quickest way to it first."""
        everywhere = range(len(self.tests))
        if fault.function:
            reached = set(self.calls.get(f"{fault.path}:{fault.function}", ()))
        else:  # whatever its file does may be another thing
            own = (x for name, x in self.calls.items() if name.startswith(f"{fault.path}:"))
            reached = {IMPORTS}.union(*own)
        chosen = everywhere if IMPORTS in reached else reached | set(self.calls.get(PROCESSES, ()))
        files = {file_of(self.tests[i][0]) for i in chosen}
        cost = Counter[str]()
        for i in reached - {IMPORTS}:
            cost[file_of(self.tests[i][0])] += self.tests[i][1]
        order = [
            (i not in reached, cost[file_of(name)], seconds, name)
            for i, (name, seconds) in enumerate(self.tests)
            if file_of(name) in files
        ]
        return [(name, seconds) for *_, seconds, name in sorted(order)]

    def finds(self, fault: Fault, tree: Path) -> bool:
        tests = self.tests_for(fault)
        if not tests:
            return False
        limit = 3 * (self.overhead + sum(seconds for _, seconds in tests)) + SLACK
        module = tree / fault.path
        source = module.read_bytes()
        write(module, fault.planted_in(source))
        try:
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(tests, file)
                file.flush()
                files = dict.fromkeys(file_of(name) for name, _ in tests)
                options = ["-m", self.mark, "--order", file.name]
                return not pass_tests(tree, [*files, *options], limit)
        finally:
            write(module, source)


OUTPUT = "pytest.txt"


def file_of(test: str) -> str:
    return test.partition("::")[0]


def pass_tests(tree: Path, arguments: list[str], seconds: float) -> bool:
    """Return True if the tests pass in time; what pytest printed is kept in the tree."""
    # A fault may ask for all the memory there is.
    limited = ["sh", "-c", 'ulimit -v 12000000; exec "$0" "$@"', sys.executable]
    options = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "-p", Path(__file__).stem]
    path = os.pathsep.join([str(tree), str(tree / "tests")])
    with (tree / OUTPUT).open("wb") as output:
        process = subprocess.Popen(
            [*limited, "-m", "pytest", *options, *arguments],
            cwd=tree,
            env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            return process.wait(seconds) in {0, 5}  # 5: there are no such tests
        except subprocess.TimeoutExpired:
            return False
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def write(module: Path, source: bytes) -> None:
    module.write_bytes(source)
    Path(cache_from_source(str(module))).unlink(missing_ok=True)  # it may look up to date


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=150, help="number of faults (default: 150)")
    parser.add_argument("--seed", type=int, default=0, help="which faults are drawn (default: 0)")
    parser.add_argument("--room", action="append", choices=ROOMS, help="repeatable; default: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="default: one a core")
    parser.add_argument(
        "--stages", type=int, default=1, choices=[1, 2, 3], help="default: the room's quick tests"
    )
    given = parser.parse_args()
    faults = draw(given.room or ROOMS, given.count, given.seed)
    trees: queue.SimpleQueue[Path] = queue.SimpleQueue()

    def in_a_tree(work: Callable[..., Any], *arguments: Any) -> Any:
        tree = trees.get()
        try:
            return work(*arguments, tree)
        finally:
            trees.put(tree)

    left = faults
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", "node_modules", ".*_cache")
        for job in range(given.jobs):
            trees.put(Path(shutil.copytree(ROOT, Path(folder, str(job)), ignore=ignored)))
        for number, (name, mark) in enumerate(STAGES[: given.stages]):
            tests = [tests_of(fault.room if number < 2 else "") for fault in left]
            stages = {files: Stage(mark) for files in tests}
            parts = [(x, x[i :: given.jobs]) for x in stages for i in range(given.jobs) if x[i:]]
            records = pool.map(in_a_tree, repeat(record), [x for _, x in parts], repeat(mark))
            for (files, _), part in zip(parts, records, strict=True):
                stages[files].add(part)
            judges = [stages[files].finds for files in tests]
            survivors = []
            for fault, found in zip(left, pool.map(in_a_tree, judges, left), strict=True):
                if not found:
                    survivors.append(fault)
                print(f"{'found by' if found else 'survived'} {name}: {fault.told}", flush=True)
            left = survivors
    print(f"\n{len(faults) - len(left)} of {len(faults)} found; survivors:")
    print(*(fault.told for fault in left), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
