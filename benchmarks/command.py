"""The command on large CSV files, beside pandas with scikit-learn: time and peak memory.

Each runs in a process of its own, on one thread, in turn; the table has the medians of the rounds.
`fit` reads the file, solves the line, descends to it and explains; the peers read and solve.
`predict` reads the file and writes it with a column of predictions; the peers fit first. Where
polars is installed the files are read a second time without it.

    python benchmarks/command.py       5 000 000 rows of 2 features, and 100 000 rows of 10
    python benchmarks/command.py --rows 100000 --features 10 --rounds 1
    python benchmarks/command.py --peer-python other/bin/python    where pandas is installed
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FILES = ((5_000_000, 2), (100_000, 10))  # rows, features
OWN = [sys.executable, "-m", "tinygrad_lr"]
WITHOUT_POLARS = (
    "import sys; sys.modules['polars'] = None; from tinygrad_lr.cli import main; main()"
)
PEER = """
import sys, json
import pandas, sklearn.linear_model
rows = pandas.read_csv(sys.argv[1])
x = rows.drop(columns="y")
line = sklearn.linear_model.LinearRegression().fit(x, rows["y"])
if len(sys.argv) > 2:
    rows["predicted_y"] = line.predict(x)
    rows.to_csv(sys.argv[2], index=False)
print(json.dumps(line.coef_.tolist()))
"""


def write_rows(path: Path, rows: int, names: list[str]) -> None:
    """Write random features of these names and a target y, with all their digits."""
    random = np.random.default_rng(0)
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join([*names, "y"]) + "\n")
        for begin in range(0, rows, 100_000):
            x = random.normal(1, 2, (min(100_000, rows - begin), len(names)))
            y = x @ np.arange(1.0, len(names) + 1) + random.normal(0, 1, len(x))
            cells = np.column_stack([x, y]).tolist()
            file.writelines(",".join(map(repr, row)) + "\n" for row in cells)


def run(command: list[str]) -> tuple[dict[str, float], str]:
    """Run a command; return its seconds, on the clock and of the processor, its peak and output."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"failed: {' '.join(command)}")
        out.seek(0)
        text = out.read().decode()
    unit = 1 if sys.platform == "darwin" else 1024
    figures = {
        "seconds": time.perf_counter() - begin,
        "processor": used.ru_utime + used.ru_stime,
        "megabytes": used.ru_maxrss * unit / 2**20,
    }
    return figures, text


def measure(
    folder: Path, rows: int, features: int, rounds: int, peer_python: str
) -> dict[str, Any]:
    """Return the medians of each command, and of the peers where they are installed."""
    file, model, out = (str(folder / name) for name in ("rows.csv", "line.safetensors", "out.csv"))
    names = [f"x{i}" for i in range(1, features + 1)]
    write_rows(Path(file), rows, names)
    fit = ["fit", file, "--x", ",".join(names), "--y", "y", "--json", "--save", model]
    predict = ["predict", model, file, "--out", out]
    probe = [peer_python, "-c", "import pandas, sklearn"]
    peers = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    commands = {"fit": [*OWN, *fit], "predict": [*OWN, *predict]}
    if importlib.util.find_spec("polars"):
        without = [sys.executable, "-c", WITHOUT_POLARS]
        commands["fit without polars"] = [*without, *fit]
        commands["predict without polars"] = [*without, *predict]
    if peers:
        commands["peers: fit"] = [peer_python, "-c", PEER, file]
        commands["peers: fit and predict"] = [peer_python, "-c", PEER, file, out]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    texts = {}
    for _ in range(rounds):
        for name, command in commands.items():
            figures, texts[name] = run(command)
            found[name].append(figures)
    if peers:
        slopes = json.loads(texts["fit"])["closed_form"]["slopes"]
        np.testing.assert_allclose(slopes, json.loads(texts["peers: fit"]), rtol=1e-9)
    return {
        name: {figure: statistics.median(x[figure] for x in measured) for figure in measured[0]}
        for name, measured in found.items()
    }


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, help="of one file, with --features")
    parser.add_argument("--features", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable)
    arguments = parser.parse_args()
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS")
    os.environ |= dict.fromkeys(threads, "1")
    rounds = arguments.rounds
    for rows, features in [(arguments.rows, arguments.features)] if arguments.rows else FILES:
        with tempfile.TemporaryDirectory() as folder:
            table = measure(Path(folder), rows, features, rounds, arguments.peer_python)
        print(f"{rows} rows of {features} features, one thread, median of {rounds}\n")
        print("| command | seconds | of the processor | peak, MB |\n| --- | --- | --- | --- |")
        for name, x in table.items():
            cells = f"{x['seconds']:.2f} | {x['processor']:.2f} | {x['megabytes']:.0f}"
            print(f"| {name} | {cells} |")
        print()


if __name__ == "__main__":
    main()
