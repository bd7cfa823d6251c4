"""The command on a large CSV file, beside pandas with scikit-learn: time and peak memory.

Each runs in a process of its own, on one thread, in turn; the table has the medians of the rounds.
`fit` reads the file, solves the line, descends to it and explains; the peers read and solve.
`predict` reads the file and writes it with a column of predictions; the peers fit first.

    python benchmarks/command.py                    5 000 000 rows of three columns
    python benchmarks/command.py --rows 100000 --rounds 1
    python benchmarks/command.py --peer-python other/bin/python    where pandas is installed
"""

from __future__ import annotations

import argparse
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

OWN = [sys.executable, "-m", "tinygrad_lr"]
PEER = """
import sys, json
import pandas, sklearn.linear_model
rows = pandas.read_csv(sys.argv[1])
line = sklearn.linear_model.LinearRegression().fit(rows[["a", "b"]], rows["y"])
if len(sys.argv) > 2:
    rows["predicted_y"] = line.predict(rows[["a", "b"]])
    rows.to_csv(sys.argv[2], index=False)
print(json.dumps(line.coef_.tolist()))
"""


def write_rows(path: Path, rows: int) -> None:
    """Write random rows with all their digits."""
    random = np.random.default_rng(0)
    with open(path, "w", encoding="utf-8") as file:
        file.write("a,b,y\n")
        for begin in range(0, rows, 100_000):
            count = min(100_000, rows - begin)
            a, b = random.normal(0, 1, count), random.normal(3, 2, count)
            y = 2 * a - b + random.normal(0, 1, count)
            cells = zip(a.tolist(), b.tolist(), y.tolist(), strict=True)
            file.writelines(f"{p!r},{q!r},{r!r}\n" for p, q, r in cells)


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


def measure(folder: Path, rows: int, rounds: int, peer_python: str) -> dict[str, Any]:
    """Return the medians of each command, and of the peers where they are installed."""
    file, model, out = (str(folder / name) for name in ("rows.csv", "line.safetensors", "out.csv"))
    write_rows(Path(file), rows)
    fit = [*OWN, "fit", file, "--x", "a,b", "--y", "y", "--json", "--save", model]
    probe = [peer_python, "-c", "import pandas, sklearn"]
    peers = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    commands = {"fit": fit, "predict": [*OWN, "predict", model, file, "--out", out]}
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
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable)
    arguments = parser.parse_args()
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), arguments.rows, arguments.rounds, arguments.peer_python)
    print(f"{arguments.rows} rows of three columns, one thread, median of {arguments.rounds}\n")
    print("| command | seconds | of the processor | peak, MB |\n| --- | --- | --- | --- |")
    for name, x in table.items():
        cells = f"{x['seconds']:.2f} | {x['processor']:.2f} | {x['megabytes']:.0f}"
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    main()
