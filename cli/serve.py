"""`callout serve`: starts a site's processes and keeps them alive: the bus, the web, live video, one stream worker per core."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from cli import logs, maps
from cli.site import Site, SiteError, claim, open_site
from dispatch.embedded import EmbeddedError, EmbeddedValkey
from streams.supervisor import Child, Supervisor

READY_WITHIN_S = 60.0

log = structlog.get_logger()


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="SITE.toml")
    parser.add_argument("--role", choices=("all", "web", "streams"), default="all", help="which processes to run here")


def run(args: argparse.Namespace) -> int:
    site = open_site(args.config)
    logs.to_terminal()
    try:
        return serve(
            site, role=args.role, announce=lambda address: print(f"Callout serves {site.settings.site.name} at {address}")
        )
    except SiteError as error:
        print(f"callout: {error}", file=sys.stderr)
        return 1


def children(site: Site, role: str) -> list[Child]:
    """The processes of a role. `live` and the workers share the data folder's sockets; `web` speaks to both."""
    workers = [child(site, f"worker-{index}", "worker", "--index", str(index)) for index in range(site.workers) if site.cameras]
    web = [child(site, "live", "live"), child(site, "web", "web")]
    return {"all": [*workers, *web], "web": web, "streams": workers}[role]


def child(site: Site, name: str, *words: str) -> Child:
    argv = (sys.executable, "-m", "cli", "child", *words, "--config", str(site.path))
    return Child(name, argv, site.layout.root / "logs" / f"{name}.log")


def serve(
    site: Site,
    *,
    role: str = "all",
    before: tuple[Child, ...] = (),
    after: tuple[Child, ...] = (),
    announce: Callable[[str], None],
    stop: threading.Event | None = None,
) -> int:
    """Runs until `stop` or a signal. `before` and `after` are further children: the demo's cameras and responders."""
    stop = stop or threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    handle = claim(site.layout)
    os.set_inheritable(handle, True)
    bus = None
    try:
        maps.prepare(site)
        if not site.settings.bus.url and role != "streams":
            bus = EmbeddedValkey(site.layout)
            bus.start()
        supervisor = Supervisor([*before, *children(site, role), *after], pass_fds=(handle,), environ=_environment())
        supervisor.start()
        try:
            late = supervisor.wait_ready([c.name for c in children(site, role)], READY_WITHIN_S)
            if "web" in late or len(late) == len(children(site, role)):
                raise SiteError(_why_late(site, late))
            if late:  # the rest goes on: its cameras are black, and say why
                print(f"callout: {_why_late(site, late)}", file=sys.stderr)
            if role != "streams":
                announce(str((supervisor.ready("web") or {}).get("address", "")))
            supervisor.run(stop)
        finally:
            supervisor.close()
    except EmbeddedError as error:
        raise SiteError(str(error)) from error
    finally:
        if bus is not None:
            bus.stop()
        os.close(handle)
    return 0


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # one thread per worker: FACTS of the detector


def _why_late(site: Site, names: list[str]) -> str:
    said = []
    for name in names:
        file = site.layout.root / "logs" / f"{name}.log"
        last = file.read_text(errors="replace").strip().splitlines()[-3:] if file.exists() else []
        said.append(f"{name} did not start. Its log {file} ends with:\n    " + "\n    ".join(last or ["(nothing)"]))
    return "\n".join(said)
