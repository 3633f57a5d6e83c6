"""`callout serve`: starts a site's processes and keeps them alive: the bus, the web, live video, one stream worker per core."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from cli import logs, maps, preflight
from cli.site import Role, Site, SiteError, claim, open_site, release
from configs.settings import ROOT
from dispatch.embedded import EmbeddedError, EmbeddedValkey
from streams.supervisor import Child, Supervisor

READY_WITHIN_S = 60.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="SITE.toml")
    parser.add_argument("--role", choices=("all", "web", "streams"), default="all", help="which processes to run here")


def run(args: argparse.Namespace) -> int:
    site = open_site(args.config)
    logs.to_terminal()
    return serve(site, role=args.role, announce=lambda address: print(_serving(site, address), flush=True))


def _serving(site: Site, address: str) -> str:
    cameras = f"{len(site.cameras)} cameras on {site.workers} stream workers"
    return f"Callout serves {site.settings.site.name} at {address}" if address else f"Callout runs {cameras}"


def children(site: Site, role: Role) -> list[Child]:
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
    role: Role = "all",
    before: tuple[Child, ...] = (),
    after: tuple[Child, ...] = (),
    announce: Callable[[str], None],
    claimed: tuple[int, ...] = (),
) -> int:
    """Runs until a signal. `before` and `after` are further children: the demo's cameras and responders. `claimed`: what `claim`
    gave, when the caller has it already. Raises SiteError, ConfigError, ModelError: then nothing is left running.
    """
    handles = claimed or claim(site.layout, role)
    bus = None
    try:
        preflight.check_settings(site.path, site.settings)
        if role != "web" and site.cameras:
            preflight.check_models(site.settings)
        if role != "streams":
            maps.prepare(site)
        stop = _until_signal()  # from here on: up to now Ctrl-C is a KeyboardInterrupt, and nothing has to be ended in order
        if not site.settings.bus.url and role != "streams":
            bus = EmbeddedValkey(site.layout)
            bus.start()
        supervisor = Supervisor([*before, *children(site, role), *after], pass_fds=handles, environ=_environment())
        try:
            supervisor.start()
            _run(site, role, supervisor, others=[child.name for child in before], announce=announce, stop=stop)
        finally:
            supervisor.close()
    except EmbeddedError as error:
        raise SiteError(str(error)) from error
    finally:
        if bus is not None:
            bus.stop()
        release(handles)
    return 0


def _run(
    site: Site, role: Role, supervisor: Supervisor, *, others: list[str], announce: Callable[[str], None], stop: threading.Event
) -> None:
    needed = [child.name for child in children(site, role)]
    late = supervisor.wait_ready([*others, *needed], READY_WITHIN_S, stop)
    if stop.is_set():
        return
    if "web" in late or set(needed) <= set(late):
        raise SiteError(_why_late(site, late))
    if late:  # the rest goes on: its cameras are black, and say why
        print(f"callout: {_why_late(site, late)}", file=sys.stderr)
    announce(str((supervisor.ready("web") or {}).get("address", "")) if role != "streams" else "")
    supervisor.run(stop)


def _until_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # SIGHUP: the terminal was closed
        signal.signal(number, lambda *_: stop.set())
    return stop


def _environment() -> dict[str, str]:
    """The children import this checkout, wherever it was started from; one thread each, since there is a worker per core."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    ours = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **ours}


def _why_late(site: Site, names: list[str]) -> str:
    said = []
    for name in names:
        file = site.layout.root / "logs" / f"{name}.log"
        last = file.read_text(errors="replace").strip().splitlines()[-3:] if file.exists() else []
        if last and last[-1].startswith("callout: "):
            said.append(f"{name} did not start: {last[-1].removeprefix('callout: ')}  (log: {file})")
        else:
            said.append(f"{name} did not start. Its log {file} ends with:\n    " + "\n    ".join(last or ["(nothing)"]))
    return "\n".join(said)
