"""A whole Callout for the journey's tests: real processes, a real RTSP camera, real HTTP. Nothing is faked."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "configs" / "demo" / "campus.mp4"
EVENT_AT_S = 7.5  # by eye: a person comes round the corner onto the closed garden path

SETTINGS = """
[site]
name = "Journey"
[data]
folder = "data"
[web]
port = {port}
[map]
osm = "{root}/configs/demo/helsinki.osm.pbf"
[streams]
workers = 1
pre_roll_s = 6.0
post_roll_s = 8.0
clip_max_s = 30.0
[dispatch]
offer_timeout_s = {offer_timeout_s}
merge_quiet_s = 600.0

[[jurisdiction]]
id = "centre"
name = "Centre"
name_zh = "中心"

{camera}

[[account]]
name = "olga"
role = "operator"
display = "Olga Operator"
jurisdiction = "centre"
groups = ["city"]
[[account]]
name = "ada"
role = "auditor"
jurisdiction = "centre"
groups = ["city"]
[[account]]
name = "riku"
role = "responder"
display = "Riku"
jurisdiction = "centre"
[[account]]
name = "wanda"
role = "responder"
jurisdiction = "centre"
[[account]]
name = "karl"
role = "responder"
jurisdiction = "centre"

# The walker is nearest as the crow flies; by road the bicycle is there first.
[[unit]]
id = "walker"
name = "Walker"
name_zh = "步行者"
base = [60.17085, 24.94330]
skills = ["first_aid", "crowd_control"]
mode = "foot"
turnout_s = 20.0
jurisdiction = "centre"
account = "wanda"
[[unit]]
id = "bike"
name = "Bicycle"
name_zh = "自行车"
base = [60.16960, 24.94640]
skills = ["first_aid", "crowd_control"]
mode = "bicycle"
turnout_s = 10.0
jurisdiction = "centre"
account = "riku"
[[unit]]
id = "car"
name = "Car"
name_zh = "汽车"
base = [60.16690, 24.93890]
skills = ["first_aid", "crowd_control", "fire"]
mode = "car"
turnout_s = 60.0
jurisdiction = "centre"
account = "karl"
"""

PASSWORDS = {name: f"correct-horse-{name}-battery" for name in ("olga", "ada", "riku", "wanda", "karl")}
UNIT_OF = {"riku": "bike", "wanda": "walker", "karl": "car"}

_T = TypeVar("_T")


def until(what: str, look: Callable[[], _T | None], within_s: float = 20.0, every_s: float = 0.1) -> _T:
    """Looks again and again until something is there; fails with `what` when it is not in time."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(every_s)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Phone:
    """Somebody who is signed in: an HTTP client with session and CSRF, as the pages have them."""

    def __init__(self, origin: str, name: str) -> None:
        self.name, self._origin = name, origin
        self.http = httpx.Client(base_url=origin, timeout=10.0, headers={"Origin": origin, "Accept-Language": "en"})

    def sign_in(self) -> dict[str, Any]:
        me = self.post("/api/v1/session", {"name": self.name, "password": PASSWORDS[self.name]})
        self.http.headers["X-Callout-CSRF"] = me["csrf"]
        return me

    def get(self, path: str) -> Any:
        return self._read(self.http.get(path))

    def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
        return self._read(self.http.post(path, json=body or {}, headers=headers))

    def close(self) -> None:
        self.http.close()

    def _read(self, response: httpx.Response) -> Any:
        assert response.status_code < 400, f"{response.request.method} {response.request.url.path}: {response.text}"
        return response.json() if response.content else None


@dataclass
class RunningSite:
    """`start`, then `address`; `kill` is kill -9 of the parent alone; `stop` is Ctrl-C."""

    folder: Path
    offer_timeout_s: float = 60.0
    port: int = field(default_factory=free_port)
    camera_port: int = 0
    process: subprocess.Popen[str] | None = None
    camera: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Path:
        return self.folder / "site.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def prepare(self) -> None:
        """Settings, passwords and the camera, which shows each client the clip from its beginning."""
        argv = [sys.executable, "-m", "cli", "camera", "play", f"campus={CLIP}", "--port", "0", "--from-start"]
        self.camera = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
        assert self.camera.stdout is not None
        first = self.camera.stdout.readline()
        match = re.search(r":(\d+)/", first)
        assert match, f"the virtual camera said: {first!r}"
        self.camera_port = int(match[1])
        camera = (ROOT / "configs/demo/cameras/campus.toml").read_text(encoding="utf-8").replace("{port}", str(self.camera_port))
        camera = camera[: camera.index("# More than three people")]  # the journey follows one hazard
        text = SETTINGS.format(port=self.port, root=ROOT, camera=camera, offer_timeout_s=self.offer_timeout_s)
        self.settings.write_text(text, encoding="utf-8")
        for name, word in PASSWORDS.items():
            self.run("user", "password", "--config", str(self.settings), name, stdin=word + "\n")

    def run(self, *words: str, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words], input=stdin, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
        )
        assert done.returncode == 0, f"callout {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> None:
        log = (self.folder / "serve.log").open("a", encoding="utf-8")
        argv = [sys.executable, "-m", "cli", "serve", "--config", str(self.settings)]
        self.process = subprocess.Popen(argv, stdout=log, stderr=log, text=True, cwd=ROOT)
        log.close()
        until(f"the server answers; {self.folder / 'serve.log'}", self._answers, 60.0)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "serve.log").read_text()[-3000:]
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.address}/readyz", timeout=2.0).status_code == 200
        return False

    def kill(self) -> None:
        """kill -9, between any two steps. Its children must be gone by themselves."""
        assert self.process is not None
        family = descendants(self.process.pid)
        assert family, "a running site has children"
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        # The embedded Valkey may outlive its parent: the next start ends that orphan.
        until("the children notice that their parent is gone", lambda: not [p for p in family if alive(p) and not is_valkey(p)])

    def stop(self) -> None:
        for process in (self.process, self.camera):
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
                raise AssertionError("Callout did not end within 20 s of Ctrl-C") from None
        if self.camera is not None and self.camera.stdout is not None:
            self.camera.stdout.close()


@contextlib.contextmanager
def running(folder: Path, **options: Any) -> Iterator[RunningSite]:
    site = RunningSite(folder, **options)
    try:
        site.prepare()
        site.start()
        yield site
    finally:
        site.stop()


def descendants(pid: int) -> list[int]:
    """All living children, and theirs, from /proc."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def is_valkey(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "valkey" in Path(f"/proc/{pid}/cmdline").read_text()
    return False
