"""The supervisor with real processes: what ends is restarted, what hangs is killed, nobody outlives the parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.supervisor import HOPELESS, Child, Limits, Supervisor, cap, restart_delay_s
from tests.streams.worker_kit import eventually

ROOT = Path(__file__).resolve().parents[2]

# The smallest child that keeps the protocol: beats, and ends when its standard input closes.
GOOD = """
import os, sys, threading, time
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
print('CALLOUT READY {"pid": %d}' % os.getpid(), flush=True)
while True:
    print("CALLOUT BEAT", flush=True)
    time.sleep(0.05)
"""
SILENT = GOOD.replace('print("CALLOUT BEAT", flush=True)', 'print("a library talks", flush=True)')
DEAF = GOOD.replace("sys.stdin.read(), os._exit(0)", "None")
# A child as Callout's own are, from `cli.childhood`.
GROWN = """
import threading, time
from cli import childhood
stop = threading.Event()
childhood.grow_up(stop, grace_s={grace})
childhood.ready()
{work}
"""


def _child(tmp_path: Path, code: str, name: str = "child", *, once: bool = False) -> Child:
    return Child(name, (sys.executable, "-c", code), tmp_path / "logs" / f"{name}.log", once)


@contextmanager
def _supervised(*children: Child, limits: Limits | None = None) -> Iterator[Supervisor]:
    supervisor = Supervisor(children, limits=limits, environ={**os.environ, "PYTHONPATH": str(ROOT)})
    stop = threading.Event()
    supervisor.start()
    watching = threading.Thread(target=supervisor.run, args=(stop,), daemon=True)
    watching.start()
    try:
        yield supervisor
    finally:
        stop.set()
        watching.join(5)
        supervisor.close(grace_s=2.0)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@given(st.integers(0, 200))
def test_the_delay_grows_to_its_longest_and_stays(failures: int) -> None:
    assert restart_delay_s(0) == 0
    assert restart_delay_s(failures) <= restart_delay_s(failures + 1) <= 15.0
    assert failures == 0 or restart_delay_s(failures) >= 0.5
    assert failures < 6 or restart_delay_s(failures) == 15.0


def test_a_killed_child_is_started_again_with_a_growing_delay(tmp_path: Path) -> None:
    gaps = []
    with _supervised(_child(tmp_path, GOOD)) as supervisor:
        for _ in range(2):
            eventually(lambda: supervisor.ready("child") is not None)
            pid = supervisor.pid("child")
            assert pid is not None
            assert supervisor.ready("child") == {"pid": pid}
            os.kill(pid, signal.SIGKILL)
            killed_s = time.monotonic()
            eventually(lambda: supervisor.ready("child") is None)  # it is not said to serve meanwhile
            eventually(lambda dead=pid: supervisor.pid("child") not in (None, dead))  # type: ignore[misc]  # bound now
            gaps.append(time.monotonic() - killed_s)
        eventually(lambda: supervisor.ready("child") is not None)
        assert supervisor.restarts("child") == 2
    assert 0.5 <= gaps[0] < gaps[1]
    assert gaps[1] >= 1.0


def test_after_a_stable_time_the_ladder_begins_anew(tmp_path: Path) -> None:
    with _supervised(_child(tmp_path, GOOD), limits=Limits(stable_after_s=0.2)) as supervisor:
        for count in (1, 2, 3):
            eventually(lambda: supervisor.ready("child") is not None)
            time.sleep(0.5)  # longer than stable_after_s: this is what is tested
            os.kill(supervisor.pid("child") or 0, signal.SIGKILL)
            began_s = time.monotonic()
            eventually(lambda want=count: supervisor.restarts("child") == want)  # type: ignore[misc]  # bound now
            eventually(lambda: supervisor.pid("child") is not None)
            assert time.monotonic() - began_s < 1.5  # the third would else wait two seconds


def test_a_child_that_hangs_is_killed_even_if_something_in_it_still_talks(tmp_path: Path) -> None:
    with _supervised(_child(tmp_path, SILENT), _child(tmp_path, GOOD, "other"), limits=Limits(wedged_after_s=0.6)) as supervisor:
        eventually(lambda: supervisor.pid("child") is not None)
        first, other = supervisor.pid("child") or 0, supervisor.pid("other")
        eventually(lambda: supervisor.restarts("child") >= 1)
        assert not _is_alive(first)
        assert supervisor.pid("other") == other  # who beats is left alone
        assert supervisor.restarts("other") == 0


def test_a_child_that_says_that_it_hangs_is_killed(tmp_path: Path) -> None:
    code = GROWN.format(grace=1, work="time.sleep(60)").replace("grace_s=1", "grace_s=1, alive=lambda: False")
    with _supervised(_child(tmp_path, code), limits=Limits(wedged_after_s=1.5)) as supervisor:
        eventually(lambda: supervisor.restarts("child") >= 1)


def test_once_means_that_an_end_is_no_failure(tmp_path: Path) -> None:
    done = _child(tmp_path, "print('CALLOUT READY')", "done", once=True)
    failed = _child(tmp_path, "raise SystemExit(3)", "failed", once=True)
    with _supervised(done, failed) as supervisor:
        eventually(lambda: supervisor.restarts("failed") >= 2)
        assert supervisor.restarts("done") == 0
        assert supervisor.pid("done") is None


def test_a_hopeless_start_is_not_tried_again_and_not_waited_for(tmp_path: Path) -> None:
    hopeless = _child(tmp_path, f"import sys; print('callout: port in use', file=sys.stderr); sys.exit({HOPELESS})", "hopeless")
    supervisor = Supervisor([hopeless, _child(tmp_path, GOOD, "good")])
    began_s = time.monotonic()
    supervisor.start()
    try:
        assert supervisor.wait_ready(["hopeless", "good"], 30) == ["hopeless"]
        assert time.monotonic() - began_s < 10
        assert supervisor.restarts("hopeless") == 0
    finally:
        supervisor.close()
    assert (tmp_path / "logs" / "hopeless.log").read_text() == "callout: port in use\n"


def test_hopeless_counts_at_the_start_only(tmp_path: Path) -> None:
    flag = tmp_path / "was-here"
    code = f"""
import sys
from pathlib import Path
print("CALLOUT READY", flush=True)
import time; time.sleep(0.3)
Path({str(flag)!r}).touch()
sys.exit({HOPELESS})
"""
    with _supervised(_child(tmp_path, code)) as supervisor:
        eventually(lambda: supervisor.restarts("child") >= 2)


def test_waiting_ends_when_a_person_stops_it(tmp_path: Path) -> None:
    supervisor, stop = Supervisor([_child(tmp_path, "import time; time.sleep(60)")]), threading.Event()
    supervisor.start()
    threading.Timer(0.2, stop.set).start()
    began_s = time.monotonic()
    try:
        assert supervisor.wait_ready(["child"], 30, stop) == ["child"]
        assert time.monotonic() - began_s < 5
    finally:
        supervisor.close(grace_s=0.1)


def test_close_ends_all_and_kills_who_does_not_listen(tmp_path: Path) -> None:
    supervisor = Supervisor([_child(tmp_path, DEAF, "deaf"), _child(tmp_path, GOOD, "good")])
    supervisor.start()
    assert supervisor.wait_ready(["deaf", "good"], 20) == []
    pids = [supervisor.pid(name) or 0 for name in ("deaf", "good")]
    began_s = time.monotonic()
    supervisor.close(grace_s=0.5)
    assert time.monotonic() - began_s < 3
    assert not any(_is_alive(pid) for pid in pids)
    supervisor.step()
    assert supervisor.pid("good") is None  # closed is closed


def test_a_program_that_is_not_there_is_a_failure_like_any_other(tmp_path: Path) -> None:
    supervisor = Supervisor([Child("gone", ("/no/such/program",), tmp_path / "gone.log")])
    supervisor.start()
    assert supervisor.wait_ready(["gone"], 0.8) == ["gone"]
    assert supervisor.restarts("gone") >= 2
    supervisor.close()


def test_what_a_child_says_wrongly_harms_nobody(tmp_path: Path) -> None:
    code = "import sys,time; sys.stdout.buffer.write(b'\\xff\\xfe\\nCALLOUT READY {oh\\n'); sys.stdout.flush(); time.sleep(60)"
    supervisor = Supervisor([_child(tmp_path, code)])
    supervisor.start()
    assert supervisor.wait_ready(["child"], 20) == []
    assert supervisor.ready("child") == {}
    supervisor.close(grace_s=0.1)


# -- nobody outlives the parent --------------------------------------------------------------------------------------------

_PARENT = """
import json, sys, threading
from pathlib import Path
from streams.supervisor import Child, Supervisor
codes = json.loads(sys.argv[2])
folder = Path(sys.argv[1])
children = [Child(name, (sys.executable, "-c", code), folder / (name + ".log")) for name, code in codes.items()]
supervisor = Supervisor(children)
supervisor.start()
assert supervisor.wait_ready(codes, 30) == []
print(json.dumps({name: supervisor.pid(name) for name in codes}), flush=True)
supervisor.run(threading.Event())
"""


def test_children_end_when_the_parent_is_killed(tmp_path: Path) -> None:
    orderly = GROWN.format(grace=5, work=f"stop.wait(); open({str(tmp_path / 'orderly')!r}, 'w').close()")
    hanging = GROWN.format(grace=1, work="time.sleep(600)")  # does not look at `stop`: it has its grace, no more
    codes = {"orderly": orderly, "hanging": hanging}
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path), json.dumps(codes)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        pids = json.loads(parent.stdout.readline())
        assert all(_is_alive(pid) for pid in pids.values())
        parent.kill()
    try:
        eventually(lambda: not any(_is_alive(pid) for pid in pids.values()), 6)
    finally:
        for pid in pids.values():
            if _is_alive(pid):
                os.kill(pid, signal.SIGKILL)
    assert (tmp_path / "orderly").exists()  # it had time for its own end


# -- logs ------------------------------------------------------------------------------------------------------------------


def test_a_log_does_not_grow_without_end_though_its_child_lives_long(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    with log.open("a") as held:  # as the child has it
        held.write("old\n" * 50)
        held.flush()
        cap(log, 1000)
        assert log.stat().st_size == 200
        cap(log, 100)
        held.write("new\n")
        held.flush()
        assert log.read_text() == "new\n"
    assert (tmp_path / "child.log.1").read_text() == "old\n" * 50
    cap(tmp_path / "never-was.log", 1)


def test_a_long_log_is_put_aside_when_its_child_starts(tmp_path: Path) -> None:
    child = _child(tmp_path, "import sys; print('callout: hello', file=sys.stderr)", once=True)
    child.log_file.parent.mkdir()
    child.log_file.write_text("x" * 5000)
    with _supervised(child, limits=Limits(log_most_bytes=1000)):
        eventually(lambda: child.log_file.read_text() == "callout: hello\n")
    assert child.log_file.with_name("child.log.1").stat().st_size == 5000


@pytest.mark.parametrize("content", ["", "CALLOUT READY"])
def test_a_child_without_facts_is_ready_all_the_same(tmp_path: Path, content: str) -> None:
    supervisor = Supervisor([_child(tmp_path, f"print({content!r}, flush=True); import time; time.sleep(60)")])
    supervisor.start()
    assert supervisor.wait_ready(["child"], 20 if content else 0.5) == ([] if content else ["child"])
    supervisor.close(grace_s=0.1)
