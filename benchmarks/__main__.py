"""`python -m benchmarks [NAME ...]`: run the named measurements, or all of them, one after another."""

from __future__ import annotations

import argparse
import importlib
import sys

NAMES = ("plane", "launch", "startup")


def main() -> None:
    """Run what is named; each writes benchmarks/results/NAME.json and prints its figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(NAMES)}; default: all")
    parser.add_argument("--path", default="demo/corpus", help="documents to measure on")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in options.names or NAMES:
        importlib.import_module(f"benchmarks.{name}").main(["--path", options.path])


if __name__ == "__main__":
    main()
