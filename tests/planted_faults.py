"""Plant faults in copies of the package and count how many the tests find.

python tests/planted_faults.py --count 100 --seed 0 --room ops --room optim

A fault is one change in one place: a flipped sign, swapped operands, another comparison, a number
that is off by one, a statement left out. The quick tests of its room run until one fails, then its
slow ones, then the quick tests of all rooms. A fault that survives is a change without an effect,
or a test that is missing.
"""

from __future__ import annotations

import argparse
import ast
import copy
import functools
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import cache_from_source
from itertools import accumulate, chain, islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

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
STAGES = ("the room's quick tests", "the room's slow tests", "the quick tests of all rooms")


class Fault(NamedTuple):
    """Other text for the bytes from `start` to `end` of a file."""

    path: Path  # relative to the root
    start: int
    end: int
    text: str

    @property
    def room(self) -> str:
        return self.path.with_suffix("").parts[1]

    def planted(self) -> bytes:
        source = (ROOT / self.path).read_bytes()
        return source[: self.start] + self.text.encode() + source[self.end :]

    def __str__(self) -> str:
        source = (ROOT / self.path).read_bytes()
        line = source.count(b"\n", 0, self.start) + 1
        before = " ".join(source[self.start : self.end].decode().split())
        return f"{self.path}:{line}: {before[:90]}  ->  {self.text[:90]}"


def faults_of(path: Path) -> Iterator[Fault]:
    """Yield every fault that can be planted in a file."""
    source = (ROOT / path).read_bytes()
    lines = [0, *accumulate(map(len, source.splitlines(keepends=True)))]
    for node in parts(ast.parse(source)):
        for other in alternatives(node):
            text = f"({ast.unparse(other)})" if isinstance(other, ast.expr) else "pass"
            start = lines[node.lineno - 1] + node.col_offset
            yield Fault(path, start, lines[node.end_lineno - 1] + node.end_col_offset, text)


def parts(node: ast.AST) -> Iterator[Any]:
    """Yield the nodes of a tree whose change can change a result."""
    yield node
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
                yield from parts(child)


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


@functools.cache
def tests_of(room: str) -> list[str]:
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    own = [x for x in files if x.parent.name == room or x.stem.startswith(f"test_{room}")]
    return [str(x.relative_to(ROOT)) for x in own]


def run_tests(tree: Path, module: Path, stage: int, seconds: float) -> str:
    """Return "passed", "failed" or "timeout" for a stage of the tests of a module."""
    files = [*tests_of(module.with_suffix("").parts[1]), str(module)] if stage < 2 else ["tests"]
    mark = "slow" if stage == 1 else "not slow"
    # A fault may ask for all the memory there is.
    limited = ["sh", "-c", 'ulimit -v 12000000; exec "$0" "$@"', sys.executable]
    pytest = ["-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", "-m", mark, *files]
    process = subprocess.Popen(
        [*limited, *pytest],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return "passed" if process.wait(seconds) in {0, 5} else "failed"  # 5: none has the mark
    except subprocess.TimeoutExpired:
        return "timeout"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Judge:
    """Copies of the tree, one for each job, in which faults are planted and the tests run."""

    def __init__(self, folder: str, jobs: int, seconds: float) -> None:
        self.seconds, self.sound = seconds, set[tuple[str, int]]()
        self.trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", "node_modules", ".*_cache")
        for job in range(jobs):
            self.trees.put(Path(shutil.copytree(ROOT, Path(folder, str(job)), ignore=ignored)))

    def __call__(self, fault: Fault) -> str:
        """Return "survived", or which tests found a fault."""
        tree, source = self.trees.get(), (ROOT / fault.path).read_bytes()
        try:
            for stage, name in enumerate(STAGES):
                if (fault.room, stage) not in self.sound:
                    if run_tests(tree, fault.path, stage, 3 * self.seconds) != "passed":
                        raise SystemExit(f"{name} must pass without a fault: {fault.room}")
                    self.sound.add((fault.room, stage))
                write(tree / fault.path, fault.planted())
                result = run_tests(tree, fault.path, stage, self.seconds)
                write(tree / fault.path, source)
                if result != "passed":
                    return f"{'found' if result == 'failed' else result} by {name}"
            return "survived"
        finally:
            self.trees.put(tree)


def write(module: Path, source: bytes) -> None:
    module.write_bytes(source)
    Path(cache_from_source(str(module))).unlink(missing_ok=True)  # it may look up to date


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=150, help="number of faults (default: 150)")
    parser.add_argument("--seed", type=int, default=0, help="which faults are drawn (default: 0)")
    parser.add_argument("--room", action="append", choices=ROOMS, help="repeatable; default: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="default: one a core")
    parser.add_argument("--timeout", type=float, default=600, help="seconds a stage (default: 600)")
    given = parser.parse_args()
    faults = draw(given.room or ROOMS, given.count, given.seed)
    counts: Counter[str] = Counter()
    survivors = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        judge = Judge(folder, given.jobs, given.timeout)
        for fault, result in zip(faults, pool.map(judge, faults), strict=True):
            print(f"{result}: {fault}", flush=True)
            counts[result.partition(" ")[0]] += 1
            if result == "survived":
                survivors.append(fault)
    print(f"\n{len(faults) - len(survivors)} of {len(faults)} found: {dict(counts)}")
    print(*survivors, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
