"""What a child says of itself: that it turns, or that it does not."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from cli.childhood import Pulse

ROOT = Path(__file__).resolve().parents[2]

_CHILD = """
import sys, threading, time
from cli import childhood
stop = threading.Event()
childhood.grow_up(stop, grace_s=float(sys.argv[1]))
childhood.ready(number=7)
stop.wait()
print("leaving", flush=True)
if sys.argv[2] == "hang":
    time.sleep(60)
"""


def _child(grace_s: float, manner: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _CHILD, str(grace_s), manner]
    return subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_pulse_stops_when_the_loop_does_and_comes_back_with_it() -> None:
    now_s = [100.0]
    pulse = Pulse(15.0, lambda: now_s[0])
    now_s[0] += 1000
    assert pulse.alive()  # still starting
    pulse.beat()
    now_s[0] += 15
    assert pulse.alive()
    now_s[0] += 0.1
    assert not pulse.alive()
    pulse.beat()
    assert pulse.alive()


def test_the_protocol_and_an_end_in_order() -> None:
    with _child(20, "leave") as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == 'CALLOUT READY {"number": 7}\n'
        assert child.stdout.readline() == "CALLOUT BEAT\n"
        child.send_signal(signal.SIGINT)  # Ctrl-C reaches the whole group: the parent decides
        assert child.stdout.readline() == "CALLOUT BEAT\n"
        child.stdin.close()
        assert child.stdout.readline() == "leaving\n"
        assert child.wait(10) == 0


def test_who_hangs_in_his_end_is_gone_when_his_grace_is_over() -> None:
    with _child(0.5, "hang") as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.terminate()
        began_s = time.monotonic()
        assert child.wait(10) == 3
        assert time.monotonic() - began_s < 5


def test_a_parent_that_no_longer_listens_ends_it() -> None:
    with _child(20, "hang") as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.wait(10) == 1
