"""Compiled steps beside those of others: µs a step, all measured in the same run.

    python benchmarks/compiled.py                   # ten minutes; the tables for the README
    python benchmarks/compiled.py --quick           # a minute or two; rough, one configuration
    python benchmarks/compiled.py --only 2-16 GRU   # workloads whose name has this in it
    python benchmarks/compiled.py --threads 2 --dtype float64
    python benchmarks/compiled.py --json out.json --plot out.png

Training steps (forward, backward, SGD; mean squared error) of networks from 1-1 to 1024-1024-1024,
of convolutions and of a GRU; a chain of elementwise operations; a Hessian-vector product; graphs of
single numbers: by `tg.compile`, by loop and by call, beside eager code here, JAX by scan and by
call, PyTorch, `torch.compile` and micrograd, as far as they are installed. The limit is what NumPy
takes for the matrix products alone (OpenBLAS), for the chain to read its inputs and write its
output once. Then how long a process takes to its first loss, and its peak memory.

Each number of threads and each dtype has a process of its own, held on as many cores as it has
threads. Before anything is timed, all must agree on the losses of the third step and of the last
step of a loop. Rounds are interleaved, so that a busy machine disturbs all alike; a figure is the
median of the rounds. Two threads need two cores that nobody else uses: those of OpenBLAS and of
PyTorch wait for one another by spinning, and where a core is taken they measure who took it.
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
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import compiled_figures as figures
from compiled_figures import CACHED, COLD
from eager import ROOT, THREADS, machine

HERE = Path(__file__).parent
CONFIGURATIONS = [(1, "float32"), (1, "float64"), (2, "float32"), (2, "float64")]
AGAIN = [figures.SMALL, figures.MIDDLE, figures.LARGE, figures.SQUARE]  # in the second table
PACKAGES = {"tinygrad_lr": "numpy", "JAX": "jax", "PyTorch": "torch", "torch.compile": "torch"}


def environment(threads: int, dtype: str) -> dict[str, str]:
    """What NumPy, JAX and PyTorch read when they are loaded."""
    eigen = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    return {
        **os.environ,
        **dict.fromkeys(THREADS, str(threads)),
        "XLA_FLAGS": f"{eigen} intra_op_parallelism_threads={threads}",
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": str(int(dtype == "float64")),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }


def measure(settings: dict[str, Any]) -> dict[str, Any]:
    """One configuration, in a process of its own that has a core for each thread."""
    threads, dtype = settings["threads"], settings["dtype"]
    print(f"{figures.configuration(settings)}:", file=sys.stderr)
    pinned = getattr(os, "sched_setaffinity", None)  # Linux has it
    own = os.sched_getaffinity(0) if pinned else set()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figures.json")
        command = [sys.executable, str(HERE / "compiled_worker.py"), json.dumps(settings)]
        if pinned:
            pinned(0, sorted(own)[-threads:])  # the process that is started inherits it
        try:
            run = subprocess.run(
                [*command, str(file)], check=False, env=environment(threads, dtype)
            )
        finally:
            if pinned:
                pinned(0, own)
        if run.returncode:
            raise SystemExit(f"{figures.configuration(settings)}: no figures, see above")
        found = json.loads(file.read_text(encoding="utf-8"))
    return {"threads": threads, "dtype": dtype, **found}


def start(peer: str, rounds: int) -> dict[str, dict[str, float]]:
    """A first loss with nothing cached, then with the cache that it left; the median of rounds."""
    times: dict[str, list[dict[str, float]]] = {COLD: [], CACHED: []}
    given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    paths = [str(ROOT), os.environ.get("PYTHONPATH")]
    for turn in range(rounds + 1):
        with tempfile.TemporaryDirectory() as cache:
            settings = {
                "TINYGRAD_LR_CACHE": cache,
                "TORCHINDUCTOR_CACHE_DIR": cache,
                "JAX_COMPILATION_CACHE_DIR": cache,
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
                "JAX_PLATFORMS": "cpu",
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            }
            for found in times.values():
                command = [sys.executable, str(HERE / "compiled_start.py"), peer]
                run = subprocess.run(
                    [*command, str(time.monotonic())],
                    capture_output=True,
                    check=False,
                    encoding="utf-8",
                    env={**given, **settings},
                )
                if run.returncode:
                    last = next(reversed(run.stderr.strip().splitlines()), "no message")
                    raise RuntimeError(last)
                if turn or not rounds:  # the first one compiles to bytecode, and warms the disk
                    found.append(json.loads(run.stdout.splitlines()[-1]))
    return {
        when: {what: statistics.median(f[what] for f in found) for what in found[0]}
        for when, found in times.items()
    }


def all_starts(without: list[str], rounds: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The first losses of all that are installed, and why others are not there."""
    found, missing = {}, {}
    print("first losses", file=sys.stderr)
    for peer, package in PACKAGES.items():
        if peer in without:
            missing[peer] = "left out of this run"
        elif find_spec(package) is None:
            missing[peer] = f"{package} is not installed"
        else:
            try:
                found[peer] = start(peer, rounds)
            except RuntimeError as error:
                missing[peer] = f"not available: {error}"[:200]
    return found, missing


def versions(*packages: str) -> str:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)


def reasons(result: dict[str, Any]) -> list[str]:
    """A line for each peer that is missing, with the workloads where it is, and why."""
    where: dict[tuple[str, str], list[str]] = {}
    for run in result["runs"]:
        for name, missing in run["missing"].items():
            for peer, why in missing.items():
                where.setdefault((peer, why), []).append(f"{name} ({figures.configuration(run)})")
    for peer, why in result["no_start"].items():
        where.setdefault((peer, why), []).append("the first loss")
    return [
        f"{peer}: {why}; so not measured: {names[0]}"
        + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        for (peer, why), names in where.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds: rough figures")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the figures of the first table")
    parser.add_argument("--threads", type=int, choices=(1, 2), help="only with so many threads")
    parser.add_argument("--dtype", choices=("float32", "float64"), help="only with this precision")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only what has this in its name")
    options = parser.parse_args()
    rounds, seconds, starts = (3, 0.004, 0) if options.quick else (15, 0.05, 5)
    without = [figures.TORCH_COMPILE] if options.quick else []  # it compiles for minutes

    chosen = options.only or [""]
    names = [
        name for name in (*figures.NAMES, *figures.SCALARS) if any(part in name for part in chosen)
    ]
    if not names:
        parser.error(f"no workload has {' or '.join(chosen)} in its name")
    asked = options.threads or options.dtype
    wanted = [(options.threads or 1, options.dtype or "float32")] if asked else CONFIGURATIONS
    common = {"rounds": rounds, "seconds": seconds, "without": without}
    runs = []
    for threads, dtype in wanted[:1] if options.quick else wanted:
        some = [name for name in names if name in AGAIN] if runs else names
        if some:
            told = {"threads": threads, "dtype": dtype, "names": some, **common}
            runs.append(measure(told))
    missing = [name for name in figures.SCALARS if name not in runs[0]["figures"]]
    first = figures.SMALL in names
    found, no_start = all_starts(without, starts) if first else ({}, {})
    described = machine().replace(", 1 thread used", "")  # the tables say how many
    result: dict[str, Any] = {
        "machine": f"{described}, {versions('jax', 'llvmlite')}",
        "runs": runs,
        "start": found,
        "no_start": no_start,
    }
    result["targets"] = figures.targets(result)

    print(result["machine"])
    print("all agree on the losses of the third step and of a loop's last; ", end="")
    print(f"medians of {rounds} rounds\n")
    print("\n\n".join(figures.tables(result)) + "\n")
    print("\n".join(result["targets"]))
    print("\n".join(reasons(result)))
    if missing and set(missing) & set(names):
        print("micrograd: it is not installed, so its graphs were not measured")
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if options.plot:
        figures.plot(result, options.plot)


if __name__ == "__main__":
    main()
