"""The demo's child process of simulated responders: one thread for each phone."""

from __future__ import annotations

import argparse
import json
import os
import random
import threading
from pathlib import Path

from cli import childhood
from cli.maps import router
from cli.responders import Manner, Phone, SimulatedResponder
from cli.site import Site

SECRETS = "phones.json"
HOME_LIMIT_S = 7200.0


def write_secrets(path: Path, passwords: dict[str, str]) -> None:
    """For the child alone: its folder is 0700, the file 0600, and a restarted child reads it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(passwords, file)


def run(site: Site, args: argparse.Namespace) -> int:
    stop = threading.Event()
    childhood.grow_up(stop)
    passwords: dict[str, str] = json.loads((site.layout.run / SECRETS).read_text())
    roads = router(site)

    def home(start: tuple[float, float], end: tuple[float, float], mode: str) -> tuple[list[tuple[float, float]], float] | None:
        leg = roads.reach(mode, end[0], end[1], HOME_LIMIT_S).leg(start[0], start[1])
        return None if leg is None else (list(leg.line), leg.travel_s)

    manner = Manner(acceptance=args.acceptance, pace=args.pace)
    origin = f"http://127.0.0.1:{site.settings.web.port}"
    threads = []
    for unit in site.settings.unit:
        if unit.account not in passwords:
            continue
        phone = Phone(unit.account, passwords[unit.account], unit.base, unit.mode, unit.turnout_s)
        responder = SimulatedResponder(
            phone,
            origin,
            manner,
            rng=random.Random(f"{args.seed}-{unit.id}"),  # noqa: S311  # manners, not secrets
            route_home=home,
        )
        threads.append(threading.Thread(target=responder.run, args=(stop,), name=unit.id, daemon=True))
    for thread in threads:
        thread.start()
    childhood.ready(phones=len(threads))
    stop.wait()
    for thread in threads:
        thread.join(2)
    return 0
