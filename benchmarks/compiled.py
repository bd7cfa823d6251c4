"""Compiled steps compared with other libraries: µs per step, all measured in one run.

    python benchmarks/compiled.py                   # 13 minutes; the tables for the README
    python benchmarks/compiled.py --quick           # a minute or two; rough, one configuration
    python benchmarks/compiled.py --only 2-16 GRU   # workloads whose names contain these
    python benchmarks/compiled.py --threads 2 --dtype float64
    python benchmarks/compiled.py --json out.json --plot out.png

Training steps (forward, backward, SGD; mean squared error) of networks from 1-1 to 1024-1024-1024,
of convolutions and of a GRU; a chain of elementwise operations; a Hessian-vector product; graphs of
scalars. Each is measured with `tg.compile`, by loop and by call, eager tinygrad_lr, JAX by scan and
by call, PyTorch, `torch.compile` and micrograd, where installed. The limit is the time of the
matrix products alone in NumPy (OpenBLAS) or, for the chain, of reading its inputs and writing its
output once. Then the time from process start to the first loss, and peak memory.

Each number of threads and each dtype has a process of its own, pinned to as many cores as threads.
Before anything is timed, all must agree on the losses of the third step and of the last step of a
loop. Rounds are interleaved, so that a busy machine affects all alike; each figure is the median of
the rounds. Two threads need two idle cores: the threads of OpenBLAS and PyTorch spin while they
wait for each other, so on a busy core they measure the other load.
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
from eager import ROOT, THREADS, describe_machine

HERE = Path(__file__).parent
CONFIGURATIONS = [(1, "float32"), (1, "float64"), (2, "float32"), (2, "float64")]
SECOND_TABLE = [figures.SMALL, figures.MIDDLE, figures.LARGE, figures.SQUARE]
PACKAGES = {"tinygrad_lr": "numpy", "JAX": "jax", "PyTorch": "torch", "torch.compile": "torch"}


def make_environment(threads: int, dtype: str) -> dict[str, str]:
    """Return the variables that NumPy, JAX and PyTorch read when they are imported."""
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


def measure_configuration(settings: dict[str, Any]) -> dict[str, Any]:
    """Measure one configuration, in a process of its own with a core for each thread."""
    threads, dtype = settings["threads"], settings["dtype"]
    print(f"{figures.describe_configuration(settings)}:", file=sys.stderr)
    pinned = getattr(os, "sched_setaffinity", None)  # Linux only
    own = os.sched_getaffinity(0) if pinned else set()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figures.json")
        command = [sys.executable, str(HERE / "compiled_worker.py"), json.dumps(settings)]
        if pinned:
            pinned(0, sorted(own)[-threads:])  # inherited by the new process
        try:
            run = subprocess.run(
                [*command, str(file)], check=False, env=make_environment(threads, dtype)
            )
        finally:
            if pinned:
                pinned(0, own)
        if run.returncode:
            raise SystemExit(f"{figures.describe_configuration(settings)}: no figures, see above")
        found = json.loads(file.read_text(encoding="utf-8"))
    return {"threads": threads, "dtype": dtype, **found}


def measure_start(peer: str, rounds: int) -> dict[str, dict[str, float]]:
    """Time a first loss, with nothing cached and with the cache left behind; medians of rounds."""
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
                if turn or not rounds:  # the first round compiles bytecode and warms the disk cache
                    found.append(json.loads(run.stdout.splitlines()[-1]))
    return {
        when: {what: statistics.median(f[what] for f in found) for what in found[0]}
        for when, found in times.items()
    }


def measure_starts(without: list[str], rounds: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the first losses of installed peers, and why the others are missing."""
    found, missing = {}, {}
    print("first losses", file=sys.stderr)
    for peer, package in PACKAGES.items():
        if peer in without:
            missing[peer] = "left out of this run"
        elif find_spec(package) is None:
            missing[peer] = f"{package} is not installed"
        else:
            try:
                found[peer] = measure_start(peer, rounds)
            except RuntimeError as error:
                missing[peer] = f"not available: {error}"[:200]
    return found, missing


def format_versions(*packages: str) -> str:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)


def explain_missing(result: dict[str, Any]) -> list[str]:
    """Return a line for each missing peer: why, and in which workloads."""
    where: dict[tuple[str, str], list[str]] = {}
    for run in result["runs"]:
        for name, missing in run["missing"].items():
            for peer, why in missing.items():
                where.setdefault((peer, why), []).append(
                    f"{name} ({figures.describe_configuration(run)})"
                )
    for peer, why in result["no_start"].items():
        where.setdefault((peer, why), []).append("the first loss")
    return [
        f"{peer}: {why}; not measured: {names[0]}"
        + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        for (peer, why), names in where.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds, rough figures")
    parser.add_argument("--json", metavar="FILE", help="also write the figures to a JSON file")
    parser.add_argument("--plot", metavar="FILE.png", help="plot the figures of the first table")
    parser.add_argument(
        "--threads", type=int, choices=(1, 2), help="measure only this number of threads"
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), help="measure only this dtype")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="measure only workloads whose names contain NAME"
    )
    options = parser.parse_args()
    rounds, seconds, starts = (3, 0.004, 0) if options.quick else (15, 0.05, 5)
    without = [figures.TORCH_COMPILE] if options.quick else []  # it takes minutes to compile

    chosen = options.only or [""]
    names = [
        name for name in (*figures.NAMES, *figures.SCALARS) if any(part in name for part in chosen)
    ]
    if not names:
        parser.error(f"no workload name contains {' or '.join(chosen)}")
    asked = options.threads or options.dtype
    wanted = [(options.threads or 1, options.dtype or "float32")] if asked else CONFIGURATIONS
    common = {"rounds": rounds, "seconds": seconds, "without": without}
    runs = []
    for threads, dtype in wanted[:1] if options.quick else wanted:
        some = [name for name in names if name in SECOND_TABLE] if runs else names
        if some:
            request = {"threads": threads, "dtype": dtype, "names": some, **common}
            runs.append(measure_configuration(request))
    missing = [name for name in figures.SCALARS if name not in runs[0]["figures"]]
    first = figures.SMALL in names
    found, no_start = measure_starts(without, starts) if first else ({}, {})
    described = describe_machine().replace(", 1 thread used", "")  # the tables say how many
    result: dict[str, Any] = {
        "machine": f"{described}, {format_versions('jax', 'llvmlite')}",
        "runs": runs,
        "start": found,
        "no_start": no_start,
    }
    result["targets"] = figures.format_targets(result)

    print(result["machine"])
    print("all agree on the losses of the third step and of the last step of a loop; ", end="")
    print(f"medians of {rounds} rounds\n")
    print("\n\n".join(figures.format_tables(result)) + "\n")
    print("\n".join(result["targets"]))
    print("\n".join(explain_missing(result)))
    if missing and set(missing) & set(names):
        print("micrograd: not installed; graphs of scalars not measured")
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if options.plot:
        figures.draw_plot(result, options.plot)


if __name__ == "__main__":
    main()
