"""`callout check`: format, lint, types and layers, as CI runs them."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from configs.settings import ROOT

BIN = Path(sys.executable).parent

CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("format", [str(BIN / "ruff"), "format", "--check", "."]),
    ("lint", [str(BIN / "ruff"), "check", "."]),
    ("types", [str(BIN / "mypy")]),
    ("layers", [str(BIN / "lint-imports")]),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "only", nargs="*", choices=[[], *(name for name, _ in CHECKS)], metavar="CHECK", help="format lint types layers"
    )


def run(args: argparse.Namespace) -> int:
    failed = []
    for name, command in CHECKS:
        if args.only and name not in args.only:
            continue
        print(f"== {name}", flush=True)
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    print(f"checks failed: {', '.join(failed)}" if failed else "checks passed")
    return 1 if failed else 0
