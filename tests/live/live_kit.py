"""A camera, a feed, the live process and a page to look at it with: what the tests of live video are made of.

The camera is real H.264 (encoded here, once) whose pictures carry their number as black and white squares, so that a test
can read off the screen which picture is shown, and so how old it is.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np

from configs.layout import Layout
from streams.fanout import Fanout
from streams.feed import Answer, Close, Message, Offer, Play, Refused, Status, encode, receive, view_of

ROOT = Path(__file__).resolve().parents[2]
FPS = 15
GOP = 30  # two seconds
COUNT = 120  # pictures until the clip begins anew
BITS = 7
SQUARE_PX = 32
SIZE = (320, 240)


def picture(number: int) -> av.VideoFrame:
    """A moving gradient with the number in squares along the top, least bit first."""
    width, height = SIZE
    y = ((np.add.outer(np.arange(height), np.arange(width)) + number * 5) % 128 + 64).astype(np.uint8)
    for bit in range(BITS):
        y[8 : 8 + SQUARE_PX, bit * (SQUARE_PX + 8) + 8 : (bit + 1) * (SQUARE_PX + 8)] = 235 if number >> bit & 1 else 16
    flat = np.concatenate([y.ravel(), np.full(width * height // 2, 128, np.uint8)])
    frame = av.VideoFrame.from_ndarray(flat.reshape(height * 3 // 2, width), format="yuv420p")
    frame.pts = number
    frame.time_base = Fraction(1, FPS)
    return frame


@cache
def clip(b_frames: int = 0, profile: str = "baseline") -> tuple[tuple[bytes, bool, int], ...]:
    """(Annex B access unit, key, pts in pictures) in decoding order."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height = SIZE
    codec.pix_fmt = "yuv420p"
    codec.time_base = Fraction(1, FPS)
    codec.framerate = Fraction(FPS)
    codec.gop_size = GOP
    codec.max_b_frames = b_frames
    codec.options = {"preset": "veryfast", "profile": profile, "x264-params": f"scenecut=0:repeat-headers=1:bframes={b_frames}"}
    packets = [packet for number in range(COUNT) for packet in codec.encode(picture(number))] + codec.encode(None)
    return tuple((bytes(packet), packet.is_keyframe, packet.pts or 0) for packet in packets)


@dataclass
class Camera:
    """Pushes the clip into a fanout in real time, over and over, from a thread of its own."""

    fanout: Fanout = field(default_factory=Fanout)
    units: tuple[tuple[bytes, bool, int], ...] = field(default_factory=clip)
    start_at: int = 0
    shown_at: dict[int, float] = field(default_factory=dict)  # picture number → unix time of its last push
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> Camera:
        self._stop.clear()
        self.fanout.reset()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        index = self.start_at
        while not self._stop.wait(max(0.0, began + (index - self.start_at) / FPS - time.monotonic())):
            data, key, number = self.units[index % COUNT]
            now = time.time()
            self.shown_at[number] = now
            self.fanout.push(data, (index // COUNT * COUNT + number) * 90_000 // FPS, key, now)
            index += 1


class Live:
    """The live process as `callout serve` starts it, over a data folder; ends with its stdin."""

    def __init__(self, layout: Layout, cameras: dict[str, int], prefix: tuple[str, ...] = ()) -> None:
        code = (
            "import sys, pathlib; from configs.layout import Layout; from web.webrtc import run_live; "
            f"run_live(Layout(pathlib.Path(sys.argv[1])), {cameras!r})"
        )
        self.layout = layout
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", code, str(layout.root)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(layout.live_socket.exists, "the live process made no socket", 20.0)

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def ask(self, message: Message) -> Message:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(15.0)
            sock.connect(str(self.layout.live_socket))
            sock.sendall(encode(message))
            reply = receive(sock)
        assert reply is not None, "the live process hung up"
        return reply

    def states(self) -> dict[str, str]:
        reply = self.ask(Status())
        return {row.session: row.state for row in getattr(reply, "sessions", ())}

    def stop(self) -> int:
        assert self.process.stdin is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()
        code = self.process.wait(timeout=15)
        self._reader.join(timeout=5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def until(condition: Callable[[], object], otherwise: str, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


PAGE = """<!doctype html><meta charset=utf-8><title>live</title><video id=v width=320 height=240></video>
<script type=module>
import { play } from "/lib/whep.js";
const video = document.getElementById("v");
window.states = [];
window.shown = [];
window.firstPictureMs = null;
let asked = 0;
const Native = RTCPeerConnection;
window.RTCPeerConnection = class extends Native { constructor(...a) { super(...a); window.peer = this; } };
const canvas = new OffscreenCanvas(320, 240).getContext("2d", { willReadFrequently: true });
function each(now, about) {
  const at = performance.timeOrigin + now;
  if (window.firstPictureMs === null) window.firstPictureMs = now - asked;
  canvas.drawImage(video, 0, 0, 320, 240);
  let number = 0;
  for (let bit = 0; bit < 7; bit++) number |= (canvas.getImageData(bit * 40 + 24, 24, 1, 1).data[0] > 128) << bit;
  window.shown.push([number, at / 1000]);
  video.requestVideoFrameCallback(each);
}
video.requestVideoFrameCallback(each);
window.start = (url) => {
  asked = performance.now();
  const onState = (state) => window.states.push({ ...state, at: Date.now() });
  window.player = play(video, url, { headers: () => ({ "X-Callout-CSRF": "t" }), onState });
};
window.facts = async () => {
  const out = { width: video.videoWidth, time: video.currentTime, states: window.states, shown: window.shown };
  out.first = window.firstPictureMs;
  const stats = window.peer ? [...(await window.peer.getStats()).values()] : [];
  const inbound = stats.find((s) => s.type === "inbound-rtp");
  if (inbound) {
    out.inbound = inbound;
    out.codec = stats.find((s) => s.id === inbound.codecId);
  }
  out.connection = window.peer && window.peer.connectionState;
  const pair = stats.find((s) => s.type === "candidate-pair" && s.nominated);
  if (pair) out.pair = [stats.find((s) => s.id === pair.localCandidateId), stats.find((s) => s.id === pair.remoteCandidateId)];
  return out;
};
</script>"""


class Site:
    """A page and a WHEP endpoint before the live process: what web/ does, without accounts."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.expires_at_s: float | None = None
        self.udp_blocked = False
        self.deleted: list[str] = []
        self.csrf: list[str | None] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path in ("/lib/whep.js", "/lib/feed_player.js"):
                    self.reply(200, (ROOT / "web/static" / self.path[1:]).read_bytes(), "text/javascript")
                elif self.path == "/":
                    self.reply(200, PAGE.encode(), "text/html")
                else:
                    self.reply(404, b"", "text/plain")

            def do_POST(self) -> None:
                site.csrf.append(self.headers.get("X-Callout-CSRF"))
                _, _, view, camera = self.path.split("/")
                sdp = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if site.expires_at_s is not None and time.time() >= site.expires_at_s:
                    self.problem(403, "grant_over")
                    return
                session = uuid.uuid4().hex
                if "application/vnd.callout.feed" in self.headers.get("Accept", ""):
                    self.feed(session, camera, view)
                    return
                try:
                    answer = site.live.ask(Offer(session, camera, view_of(view), sdp, site.expires_at_s))
                except (OSError, AssertionError):
                    self.problem(503, "live_away")
                    return
                if isinstance(answer, Answer):
                    lines = answer.sdp.splitlines(keepends=True)
                    kept = [line for line in lines if not (site.udp_blocked and line.startswith("a=candidate"))]
                    self.reply(201, "".join(kept).encode(), "application/sdp", f"/whep/session/{session}")
                else:
                    assert isinstance(answer, Refused), answer
                    self.problem({"no_camera": 404, "b_frames": 422, "bad_sdp": 400}.get(answer.code, 503), answer.code)

            def do_DELETE(self) -> None:
                session = self.path.rsplit("/", 1)[-1]
                site.deleted.append(session)
                site.live.ask(Close(session))
                self.reply(204, b"", "text/plain")

            def feed(self, session: str, camera: str, view: str) -> None:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                    sock.settimeout(20.0)
                    sock.connect(str(site.live.layout.live_socket))
                    sock.sendall(encode(Play(session, camera, view_of(view), site.expires_at_s)))
                    first = receive(sock)
                    if isinstance(first, Refused) or first is None:
                        self.problem(404 if first and first.code == "no_camera" else 503, first.code if first else "live_away")
                        return
                    self.send_response(200)
                    self.send_header("Content-Type", "application/vnd.callout.feed")
                    self.send_header("Location", f"/whep/session/{session}")
                    self.send_header("Connection", "close")
                    self.end_headers()
                    with suppress(OSError):  # the browser left
                        self.wfile.write(encode(first))
                        while data := sock.recv(1 << 16):
                            self.wfile.write(data)

            def problem(self, status: int, code: str) -> None:
                body = json.dumps({"status": status, "code": code, "title": code, "detail": code}).encode()
                self.reply(status, body, "application/problem+json")

            def reply(self, status: int, body: bytes, kind: str, location: str | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if location:
                    self.send_header("Location", location)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
