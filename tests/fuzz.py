"""Run random programs of the compiler for some minutes: python tests/fuzz.py --minutes 60.

Prints every program whose compiled form gives other numbers than eager code, with its seed, and
exits with status 1 if there was one.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import time

import machine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--first", type=int, help="the first seed (default: a random one)")
    given = parser.parse_args()
    seed = random.randrange(2**40) if given.first is None else given.first
    counts: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + 60 * given.minutes
    print(f"from seed {seed}")
    while time.monotonic() < end:
        try:
            counts[machine.check(seed)] += 1
        except AssertionError as error:
            counts["wrong"] += 1
            print(error, flush=True)
        seed += 1
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
