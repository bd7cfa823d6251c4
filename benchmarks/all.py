"""All figures of the README, by one command: every benchmark, in the order of the README's tables.

    python benchmarks/all.py                     # half an hour
    python benchmarks/all.py --quick             # five minutes; rough
    python benchmarks/all.py eager layers        # some of them

Each runs in a process of its own, to its end, and prints its tables; one that fails is named at the
end, after the others have run. The picture of the compiled steps is written to `compiled.png`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
BENCHMARKS: dict[str, tuple[list[str], list[str]]] = {
    "compiled": (["--plot", "compiled.png"], ["--quick"]),
    "training": ([], ["--quick"]),
    "derivatives": ([], ["--quick"]),
    "scaling": ([], ["--quick"]),
    "eager": ([], ["--quick"]),
    "layers": ([], ["--quick"]),
    "numerics": ([], ["--quick"]),
    "command": ([], ["--rows", "50000", "--rounds", "1"]),
}
"""The options of each script, and those of a quick run."""


def run(name: str, quick: bool) -> int:
    """Run a benchmark; return its exit status."""
    given = BENCHMARKS[name][quick]
    print(f"\n## benchmarks/{name}.py {' '.join(given)}".rstrip() + "\n", flush=True)
    began = time.perf_counter()
    done = subprocess.run([sys.executable, str(FOLDER / f"{name}.py"), *given], check=False)
    print(f"\n({time.perf_counter() - began:.0f} s)", flush=True)
    return done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds, rough figures")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the benchmarks (all)")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"NAME must be one of {', '.join(BENCHMARKS)}, got {unknown[0]}")
    names = options.names or [*BENCHMARKS]
    failed = [name for name in names if run(name, options.quick)]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
