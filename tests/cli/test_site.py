"""One Callout for each data folder; which worker serves which camera."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cli.site import Role, Site, SiteError, claim, release
from configs import schema
from configs.layout import Layout

ROOT = Path(__file__).resolve().parents[2]

_HOLDER = """
import subprocess, sys, time
from pathlib import Path
from cli.site import claim
from configs.layout import Layout
handles = claim(Layout(Path(sys.argv[1])), sys.argv[2])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=handles)
print(child.pid, flush=True)
time.sleep(60)
"""


@contextmanager
def _holding(folder: Path, role: str = "all") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that has claimed the folder, and its child that inherited the claim."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(folder), role], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        try:
            yield holder, child
        finally:
            holder.kill()
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def test_a_second_claim_is_refused_with_what_to_do_and_given_when_the_last_process_is_gone(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with _holding(tmp_path) as (holder, child):
        with pytest.raises(SiteError, match=r"another Callout runs on the data folder .*\[data\] folder") as caught:
            claim(layout, wait_s=0.2)
        assert str(tmp_path) in str(caught.value)
        holder.kill()
        holder.wait(5)
        with pytest.raises(SiteError):  # its child may still be writing
            claim(layout, wait_s=0.2)
        os.kill(child, signal.SIGKILL)
        release(claim(layout, wait_s=5))
    release(claim(layout, wait_s=0))


def test_a_claim_waits_for_the_children_of_a_killed_callout(tmp_path: Path) -> None:
    with _holding(tmp_path) as (holder, child):
        holder.kill()
        ending = subprocess.Popen(["sh", "-c", f"sleep 0.4; kill -9 {child}"])
        began_s = time.monotonic()
        release(claim(Layout(tmp_path), wait_s=10))
        assert 0.2 < time.monotonic() - began_s < 5
        ending.wait(5)


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [("web", "streams", True), ("streams", "web", True), ("web", "web", False), ("all", "web", False)],
)
def test_web_and_streams_may_run_apart_on_one_folder(tmp_path: Path, first: str, second: Role, together: bool) -> None:
    with _holding(tmp_path, first):
        if together:
            release(claim(Layout(tmp_path), second, wait_s=0))
        else:
            with pytest.raises(SiteError):
                claim(Layout(tmp_path), second, wait_s=0)


def test_a_refused_claim_leaves_nothing_claimed(tmp_path: Path) -> None:
    with _holding(tmp_path, "streams"):
        with pytest.raises(SiteError):
            claim(Layout(tmp_path), "all", wait_s=0)
        release(claim(Layout(tmp_path), "web", wait_s=0))


def _site(cameras: int, workers: int, *, off: int = 0) -> Site:
    made = tuple(schema.Camera(f"c{n}", f"C{n}", "rtsp://h/x", (60.0, 24.0), "a test", enabled=n >= off) for n in range(cameras))
    return Site(Path("site.toml"), schema.Settings(streams=schema.Streams(workers=workers), camera=made), Layout(Path("x")))


def test_every_camera_has_exactly_one_worker() -> None:
    site = _site(7, 3, off=2)
    served = [camera.id for worker in range(site.workers) for camera in site.cameras_of(worker)]
    assert sorted(served) == ["c2", "c3", "c4", "c5", "c6"]
    assert all(camera.id in {c.id for c in site.cameras_of(site.worker_of[camera.id])} for camera in site.cameras)
    assert _site(2, 8).workers == 2
    assert _site(0, 0).workers == 1
    assert 1 <= _site(64, 0).workers <= (os.cpu_count() or 1)
