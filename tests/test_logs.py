"""A log that cannot be written ends nobody: after a full disk everything goes on by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAY = """
import logging, structlog
from cli import logs
logs.{to}()
for n in range(200):
    try:
        raise OSError("disk")
    except OSError as error:
        structlog.get_logger("somebody").error("task.failed", reason=repr(error), exc_info=True)
    logging.getLogger("library").warning("something")
print("goes on")
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's disk that is always full")
@pytest.mark.parametrize("to", ["to_file", "to_terminal"])
def test_a_full_disk_under_the_log_ends_nobody(to: str) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        argv = [sys.executable, "-c", SAY.format(to=to)]
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=full, text=True, timeout=30, check=False, cwd=Path(__file__).resolve().parents[1]
        )
    assert done.stdout == "goes on\n"
