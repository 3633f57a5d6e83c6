"""`callout test`: brings what the tests need where it may, says what it leaves out and why, runs pytest.

With CALLOUT_TEST_STRICT=1, as in CI, a test that is left out is a failure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

from configs.settings import ROOT, environment


@dataclass(frozen=True, slots=True)
class Need:
    """A program that some tests use, and the Debian package that brings it."""

    program: str
    package: str
    marker: str  # the tests that are left out without it


NEEDS = (Need("chromium", "chromium", "browser"),)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--nightly", action="store_true", help="also what is too slow for the suite")
    parser.add_argument("pytest", nargs=argparse.REMAINDER, help="passed on to pytest, after --")


def run(args: argparse.Namespace) -> int:
    strict = environment().strict_tests
    missing = [need for need in NEEDS if not _have(need)]
    for need in missing:
        print(
            f"left out: tests marked `{need.marker}` need {need.program}, which is not here and could not be installed",
            flush=True,
        )
    if missing and strict:
        print("CALLOUT_TEST_STRICT=1: a left-out test is a failure.")
        return 1
    leave_out = [need.marker for need in missing] + ([] if args.nightly else ["nightly"])
    command = [sys.executable, "-m", "pytest", "-q", "-m", " and ".join(f"not {marker}" for marker in leave_out) or ""]
    command += [word for word in args.pytest if word != "--"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _have(need: Need) -> bool:
    if shutil.which(need.program):
        return True
    if not shutil.which("apt-get"):
        return False
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        return False
    print(f"bringing {need.package} through apt", flush=True)
    for step in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", need.package]):
        subprocess.run([*prefix, *step], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return shutil.which(need.program) is not None
