"""The child process of live video."""

from __future__ import annotations

import threading

from cli import childhood
from cli.site import Site
from web.webrtc import run_live


def run(site: Site) -> int:
    stop, pulse = threading.Event(), childhood.Pulse()
    socket = site.layout.live_socket
    socket.unlink(missing_ok=True)

    def tell() -> None:
        while not socket.exists() and not stop.wait(0.05):
            pass
        if not stop.is_set():
            childhood.ready()

    childhood.grow_up(stop, alive=pulse.alive, alone=False)
    threading.Thread(target=tell, name="tell-ready", daemon=True).start()
    run_live(site.layout, site.worker_of, on_tick=pulse.beat)
    stop.set()
    return 0
