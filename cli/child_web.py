"""The child process of the web side: joins dispatch, the bus and live video to the routes."""

from __future__ import annotations

import threading

from cli import childhood
from cli.maps import router
from cli.site import Site
from configs.settings import ROOT
from dispatch import plan
from dispatch.bus import AsyncBus
from dispatch.service import Desk
from web.app import create_app
from web.live_client import LiveClient
from web.serve import run_web


def run(site: Site) -> int:
    stop, pulse = threading.Event(), childhood.Pulse()
    childhood.grow_up(stop, alive=pulse.alive)
    desk = Desk.open(site.layout.store, site.settings, router(site), plan.load(ROOT / "configs" / "response_plans.toml"))
    try:
        app = create_app(site.settings, site.layout, desk, AsyncBus(site.bus_url), LiveClient(site.layout.live_socket))
        web = site.settings.web
        ready = lambda address: childhood.ready(address=address.url)  # noqa: E731  # a name for what it is
        run_web(app, web.host, web.port, ready, stop, on_tick=pulse.beat)
    finally:
        desk.close()
    return 0
