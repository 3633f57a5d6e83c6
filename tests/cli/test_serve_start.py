"""A site that cannot be started says why, in a line, soon, and leaves nothing running; one that can ends in order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from cli.serve import _why_late, children
from cli.site import claim, open_site, release
from configs.layout import Layout
from tests.cli.test_commands import _callout, _is_for_people
from tests.configs.test_settings import GOOD
from tests.streams.worker_kit import eventually

ROOT = Path(__file__).resolve().parents[2]


def _site(tmp_path: Path, *, cameras: bool = False, port: int = 0, more: str = "") -> Path:
    text = GOOD if cameras else '[site]\nname = "Nowhere"\n'
    path = tmp_path / "site.toml"
    path.write_text(text + f'\n[data]\nfolder = "{tmp_path / "data"}"\n[web]\nport = {port}\n{more}')
    return path


def _left(tmp_path: Path) -> list[str]:
    """Command lines of processes that have to do with this test's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(tmp_path) in words:
            found.append(words)
    return found


def test_a_port_that_is_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        began_s = time.monotonic()
        done = _callout("serve", "--config", str(_site(tmp_path, port=port)))
    assert done.returncode == 1
    said = next(line for line in done.stderr.splitlines() if line.startswith("callout: "))
    assert f"web did not start: port {port} on 127.0.0.1 is in use by another program" in said
    assert "[web] port" in said
    assert _is_for_people(done.stderr)
    assert time.monotonic() - began_s < 40
    assert _left(tmp_path) == []
    release(claim(Layout(tmp_path / "data"), wait_s=0))


def test_a_model_that_is_not_the_right_one(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    (assets / "models").mkdir(parents=True)
    (assets / "models" / "yolox_nano_416.onnx").write_bytes(b"not the model")
    config = _site(tmp_path, cameras=True, more='[detector]\nmodel = "yolox_nano_416"\n')
    done = _callout("serve", "--config", str(config), CALLOUT_ASSETS=str(assets))
    assert done.returncode == 1
    assert done.stderr.startswith("callout: ")
    assert "is not the model 'yolox_nano_416'" in done.stderr
    assert _is_for_people(done.stderr)
    config = _site(tmp_path, cameras=True, more='[detector]\nmodel = "no_such"\n')
    done = _callout("serve", "--config", str(config))
    assert done.returncode == 1
    assert "There is no model 'no_such'" in done.stderr


def test_a_map_that_is_no_map_and_rules_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "city.osm.pbf").write_bytes(b"not a map")
    done = _callout("serve", "--config", str(_site(tmp_path, more='[map]\nosm = "city.osm.pbf"\n')))
    assert done.returncode == 1
    assert "city.osm.pbf" in done.stderr
    assert _is_for_people(done.stderr)
    config = _site(tmp_path, cameras=True)
    config.write_text(config.read_text().replace("[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]", "[[0.1, 0.1], [0.9, 0.1], [0.5, 0.1]]"))
    done = _callout("serve", "--config", str(config))
    assert done.returncode == 2
    assert f"{config}:" in done.stderr
    assert _is_for_people(done.stderr)


def test_another_database_in_the_place_of_the_store(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    layout.make()
    layout.store.write_bytes(b"this is no database" * 100)
    done = _callout("serve", "--config", str(_site(tmp_path)), "--role", "web")
    assert done.returncode == 1
    assert "web did not start" in done.stderr
    assert str(layout.store) in done.stderr
    assert _is_for_people(done.stderr)
    assert _left(tmp_path) == []


def test_a_worker_that_cannot_start_is_told_with_the_last_words_of_its_log(tmp_path: Path) -> None:
    site = open_site(_site(tmp_path))
    logs = site.layout.root / "logs"
    logs.mkdir(parents=True)
    (logs / "web.log").write_text('{"event": "child.failed", "exception": "Traceback ..."}\ncallout: the disk is full\n')
    assert _why_late(site, ["web"]) == f"web did not start: the disk is full  (log: {logs / 'web.log'})"
    (logs / "live.log").write_text("")
    assert "(nothing)" in _why_late(site, ["live"])
    assert [child.name for child in children(site, "all")] == ["live", "web"]  # no cameras, no workers


def test_a_site_whose_terminal_is_closed_ends_in_order_with_nothing_left(tmp_path: Path) -> None:
    url = "rtsp://127.0.0.1:9/nobody"
    config = _site(tmp_path, cameras=True)
    config.write_text(config.read_text().replace("rtsp://127.0.0.1:554/x", url))
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "serve", "--config", str(config)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    ) as serving:  # fmt: skip
        assert serving.stdout is not None
        assert serving.stderr is not None
        line = serving.stdout.readline()
        assert "Callout serves Here at http://127.0.0.1:" in line, serving.stderr.read()
        assert len(_left(tmp_path)) >= 4
        serving.send_signal(signal.SIGHUP)
        assert serving.wait(20) == 0
        assert _is_for_people(serving.stderr.read())
    eventually(lambda: _left(tmp_path) == [])
