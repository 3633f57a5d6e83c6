"""`callout bench NAME`: each bench prints a table, with --json its last line is one JSON object; exit 1 when its bar is not met.

`--break NAME` plants the named defect: a bench that still passes then is no bench.
"""

from __future__ import annotations

import argparse
import importlib

BENCHES = {
    "pipeline": "cli.bench_pipeline",
    "recommend": "cli.bench_recommend",
    "store": "cli.bench_store",
    "detect": "cli.bench_detect",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=sorted(BENCHES))
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="the bench's own options; --help shows them")


def run(args: argparse.Namespace) -> int:
    return int(importlib.import_module(BENCHES[args.name]).run(args.rest))
