"""Plant faults in copies of the package and count how many the tests find.

python tests/planted_faults.py --count 100 --seed 0 --room ops --room optim

A fault is one change in one place: a flipped sign, swapped operands, another comparison, a number
that is off by one, a statement left out. The quick tests of its room run until one fails. With
--stages 3, what survives goes to the room's slow tests, then to the quick tests of all rooms. A
fault that survives is a change without an effect, or a test that is missing. One that makes tests
hang survives too, and is told.

The first run of a stage has probes instead of faults and notes which tests reach them, so that a
fault runs only these. Each run is a fork of this process, which has imported the large libraries
but not the package, so a fault costs little more than its tests.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import copy
import faulthandler
import functools
import importlib
import json
import math
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
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
# These change no result: types (aliases in CamelCase too), the inputs of tests, lists of names.
LEFT_ALONE = {"annotation", "returns", "examples", "domain", "__all__", "__slots__"}
OF_ALL_ROOMS = {  # beds that go through several rooms
    *("test_architecture", "test_bad_arguments", "test_displays", "test_pickles"),
    *("test_compiled_programs", "test_explanations"),
}
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
    for node in nodes_of(ast.parse(source)):
        for other in alternatives(node):
            text = f"({ast.unparse(other)})" if isinstance(other, ast.expr) else "pass"
            start = lines[node.lineno - 1] + node.col_offset
            end = lines[node.end_lineno - 1] + node.end_col_offset
            before = " ".join(source[start:end].decode().split())
            told = f"{path}:{node.lineno}: {before:.90}  ->  {text:.90}"
            yield Fault(path, start, end, text, told)


def nodes_of(node: ast.AST) -> Iterator[Any]:
    """Yield the nodes of a tree whose change can change a result."""
    yield node
    for field, children in ast.iter_fields(node):
        for child in children if isinstance(children, list) else [children]:
            match child:
                case ast.Expr(value=ast.Constant()) | ast.JoinedStr():  # a docstring, a message
                    continue
                case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.pattern():
                    continue
                case ast.keyword(arg=name):
                    skip = name in LEFT_ALONE
                case ast.Assign(targets=[ast.Name(id=name)]):
                    skip = name in LEFT_ALONE or (name != name.upper() and name[0].isupper())
                case _:
                    skip = False
            if isinstance(child, ast.AST) and field not in LEFT_ALONE and not skip:
                yield from nodes_of(child)


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
    stems = OF_ALL_ROOMS | {f"test_{room}"}
    own = [x for x in files if room in ("", x.parent.name) or x.stem in stems]
    package = ROOT / "tinygrad_lr" / room  # for its docstrings
    own.append(package if package.is_dir() else package.with_suffix(".py"))
    return tuple(str(x.relative_to(ROOT)) for x in own)


# ---- in a fork of this process: which probes does each test reach, does a test fail?

IMPORTED = ["hypothesis", "numpy", "scipy.stats", "torch", "matplotlib", "llvmlite.binding"]
TREE = ROOT  # this process's copy of the tree
OUTPUT, LAST, RECORD = "pytest.txt", "last_test.txt", "record.json"  # files in it
START = Path("tinygrad_lr/__init__.py")  # is imported first
REACHED = "_reached_probes"  # the name of a set, next to Python's builtins
PROCESSES = -1  # stands for a probe where a test starts or forks a process
READERS = -2  # stands for a probe where a test reads the source
IMPORTS = -1  # stands for a test where a probe is reached before the first one
SLACK = 20.0  # seconds that a test may take beyond three times what it takes without a fault
PASSED, TIMED_OUT, FAILED = range(3)  # exit statuses; faulthandler's is 1


class Chosen:
    """Runs chosen tests in their order, and ends the process at one that takes too long."""

    def __init__(self, tests: list[tuple[str, float]]) -> None:
        self.seconds = dict(tests)
        faulthandler.dump_traceback_later(3 * SLACK, exit=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        from hypothesis import Phase, settings

        usual = settings.get_profile("every run")
        phases = Phase.explicit, Phase.generate  # nobody reads the example: it may be a large one
        settings.register_profile("first failure", usual, phases=phases, report_multiple_bugs=False)
        settings.load_profile("first failure")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        place = {name: i for i, name in enumerate(self.seconds)}
        chosen = [item for item in items if item.nodeid in place]
        items[:] = sorted(chosen, key=lambda item: place[item.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        (TREE / LAST).write_text(item.nodeid)
        faulthandler.dump_traceback_later(3 * self.seconds[item.nodeid] + SLACK, exit=True)
        result = yield
        faulthandler.cancel_dump_traceback_later()
        return result  # type: ignore[return-value]


class Recorder:
    """Notes how long each test takes, for ever if it fails, and which probes it reaches."""

    def __init__(self, reached: set[int]) -> None:
        self.now = vars(builtins)[REACHED] = reached
        self.tests: list[tuple[str, float]] = []
        self.failed = False
        self.reached = defaultdict[int, list[int]](list)
        sys.addaudithook(self.hear)

    def hear(self, event: str, _: Any) -> None:
        if event in {"subprocess.Popen", "os.fork"}:
            self.now.add(PROCESSES)

    def note(self, test: int) -> None:
        for number in self.now.copy():
            self.reached[number].append(test)
        self.now.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if not self.tests:
            self.note(IMPORTS)
        self.failed, start = False, time.perf_counter()
        result = yield
        self.note(len(self.tests))
        seconds = time.perf_counter() - start
        self.tests.append((item.nodeid, math.inf if self.failed else seconds))
        return result  # type: ignore[return-value]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed |= report.failed

    def pytest_sessionfinish(self) -> None:
        (TREE / RECORD).write_text(json.dumps([self.tests, list(self.reached.items())]))


def run_pytest(arguments: list[str], plugin: type, about: Any) -> int:
    """Run pytest in a fork; return PASSED, TIMED_OUT, or how else it ended."""
    child = FORK.Process(target=run_here, args=(arguments, plugin, about))
    child.start()
    child.join()
    with suppress(ProcessLookupError):  # of processes that tests have left behind
        os.killpg(child.pid or 0, signal.SIGKILL)
    return child.exitcode or PASSED


def run_here(arguments: list[str], plugin: type, about: Any) -> None:
    os.setsid()
    os.chdir(TREE)
    with Path(OUTPUT).open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    # A fault may ask for all the memory there is.
    resource.setrlimit(resource.RLIMIT_AS, (12_000_000_000, resource.RLIM_INFINITY))
    path = [str(TREE), str(TREE / "tests")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path)  # for the processes that tests start
    sys.path[:1] = path
    options = ["-q", "-n0", "--tb=short", "-pno:cacheprovider", "-pno:faulthandler"]
    ignored = "-Wignore:Module already imported"  # hypothesis, whose asserts stay as they are
    result = pytest.main([*options, ignored, *arguments], plugins=[plugin(about)])
    sys.stdout.flush()
    os._exit(PASSED if result in {0, 5} else FAILED)  # 5: there are no such tests


# ---- the judge

FORK = multiprocessing.get_context("fork")


class Record(NamedTuple):
    """Notes of a run with probes."""

    tests: list[tuple[str, float]]  # with their seconds
    reached: dict[int, list[int]]  # the numbers of the tests that reach a probe


def record(file: str, mark: str, faults: list[Fault]) -> Record:
    """Run the tests of a file with probes; those that fail are run again without."""
    with planted({path: with_probes(path, faults) for path in {START, *(x.path for x in faults)}}):
        tests, reached = recorded([file, "-m", mark])
    readers = [name for name, seconds in tests if seconds == math.inf]
    if readers:  # of the source: a probe may be in their way, and any fault may be seen
        again = dict(recorded(["-m", mark, *readers])[0])
        tests = [(name, again.get(name, seconds)) for name, seconds in tests]
        reached[READERS] = [i for i, (name, _) in enumerate(tests) if name in again]
        for name in readers:
            if again.get(name, math.inf) == math.inf:
                print(f"fails without a fault, left out: {name}", flush=True)
    return Record(tests, reached)


def recorded(arguments: list[str]) -> tuple[list[tuple[str, float]], dict[int, list[int]]]:
    (TREE / RECORD).unlink(missing_ok=True)
    run_pytest(arguments, Recorder, set())
    tests, reached = json.loads((TREE / RECORD).read_text())
    return tests, dict(reached)


def with_probes(path: Path, faults: list[Fault]) -> bytes:
    """Return a module in which the places of faults add the faults' numbers to a set."""
    source = (ROOT / path).read_bytes()
    inserted: list[tuple[int, int, str]] = []  # at a place, in this order, a text
    for number, fault in enumerate(faults):
        if fault.path == path:
            length, call = fault.end - fault.start, f"{REACHED}.add({number})"
            if fault.text == "pass":
                inserted.append((fault.start, -length, f"{call}; "))
            else:  # `add` returns None
                inserted.append((fault.start, -length, f"({call} or ("))
                inserted.append((fault.end, -sys.maxsize + length, "))"))
    if path == START:  # also for the processes that tests start
        first = next(
            x for x in ast.parse(source).body if isinstance(x, ast.Import | ast.ImportFrom)
        )
        start = sum(map(len, source.splitlines(keepends=True)[: first.lineno - 1]))
        own = f"__import__('builtins').__dict__.setdefault({REACHED!r}, set())\n"
        inserted.append((start, -sys.maxsize, own))
    for place, _, text in sorted(inserted, reverse=True):
        source = source[:place] + text.encode() + source[place:]
    return source


class Stage:
    """Tests, of which those that reach a fault are run."""

    def __init__(self) -> None:
        self.tests: list[tuple[str, float]] = []
        self.reached = defaultdict[int, list[int]](list)

    def add(self, part: Record) -> None:
        before = len(self.tests)
        self.tests += part.tests
        for number, tests in part.reached.items():
            self.reached[number] += [i if i == IMPORTS else before + i for i in tests]

    def tests_for(self, fault: int, seconds: float) -> list[tuple[str, float]]:
        """Return the tests that may find a fault, up to so many seconds of them.

        First one case of each test function, the quickest one, then the next of each.
        """
        reached = set(self.reached[fault])
        if IMPORTS in reached:  # whatever the package does may be another thing
            reached = set(range(len(self.tests)))
        unknown = {*self.reached[PROCESSES], *self.reached[READERS]}
        turns = Counter[str]()
        placed = []
        for name, cost in sorted((self.tests[i] for i in reached | unknown), key=lambda x: x[1]):
            function = name.partition("[")[0]
            placed.append((turns[function], cost, name))
            turns[function] += 1
        placed.sort()
        times = accumulate(cost for _, cost, _ in placed)
        return [(x[2], x[1]) for x, total in zip(placed, times, strict=True) if total < seconds]


def file_of(test: str) -> str:
    return test.partition("::")[0]


def judge(fault: Fault, tests: list[tuple[str, float]], mark: str) -> tuple[str, list[str]]:
    """Return the test that finds a fault, "" if none does, and those that it makes hang."""
    hung: list[str] = []
    with planted({fault.path: fault.planted_in((ROOT / fault.path).read_bytes())}):
        while tests:
            (TREE / LAST).write_text("")
            files = dict.fromkeys(file_of(name) for name, _ in tests)
            status = run_pytest(["-x", *files, "-m", mark], Chosen, tests)
            last = (TREE / LAST).read_text() or "imports"
            if status != TIMED_OUT:
                return ("" if status == PASSED else last), hung
            hung.append(last)
            names = [name for name, _ in tests]
            tests = tests[names.index(last) + 1 :] if last in names else []
    return "", hung


@contextmanager
def planted(changed: dict[Path, bytes]) -> Iterator[None]:
    """Let files of this process's tree have other contents."""
    for path, source in changed.items():
        write(path, source)
    try:
        yield
    finally:
        for path in changed:
            write(path, (ROOT / path).read_bytes())


def write(path: Path, source: bytes) -> None:
    (TREE / path).write_bytes(source)
    Path(cache_from_source(str(TREE / path))).unlink(missing_ok=True)  # it may look up to date


def take_tree(trees: Any) -> None:
    global TREE
    TREE = trees.get()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=150, help="number of faults (default: 150)")
    parser.add_argument("--seed", type=int, default=0, help="which faults are drawn (default: 0)")
    parser.add_argument("--room", action="append", choices=ROOMS, help="repeatable; default: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="default: one a core")
    parser.add_argument(
        "--stages", type=int, default=1, choices=[1, 2, 3], help="default: the room's quick tests"
    )
    parser.add_argument(
        "--seconds", type=float, default=60, help="of tests for each fault (default: 60)"
    )
    given = parser.parse_args()
    left = faults = draw(given.room or ROOMS, given.count, given.seed)
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    for name in IMPORTED:
        with suppress(ImportError):
            importlib.import_module(name)
    trees = FORK.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", "node_modules", ".*_cache")
        for job in range(given.jobs):
            trees.put(Path(shutil.copytree(ROOT, Path(folder, str(job)), ignore=ignored)))
        with ProcessPoolExecutor(given.jobs, FORK, take_tree, (trees,)) as pool:
            for number, (name, mark) in enumerate(STAGES[: given.stages]):
                files = [tests_of(fault.room if number < 2 else "") for fault in left]
                stages = {x: Stage() for x in files}
                parts = [(x, file) for x in stages for file in x]
                records = pool.map(record, [x for _, x in parts], repeat(mark), repeat(left))
                for (x, _), part in zip(parts, records, strict=True):
                    stages[x].add(part)
                tests = [stages[x].tests_for(i, given.seconds) for i, x in enumerate(files)]
                survivors = []
                verdicts = pool.map(judge, left, tests, repeat(mark))
                for fault, chosen, (finder, hung) in zip(left, tests, verdicts, strict=True):
                    told = f"found by {finder}" if finder else f"survived {len(chosen)} of {name}"
                    print(f"{fault.told}\n    {told}", *(f"(hung: {x})" for x in hung), flush=True)
                    if not finder:
                        survivors.append(fault)
                left = survivors
    print(f"\n{len(faults) - len(left)} of {len(faults)} found; survivors:")
    print(*(fault.told for fault in left), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
