"""`callout child ROLE`: one process of a site, started by the supervisor. Not for people."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli import logs
from cli.site import open_site


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", choices=("web", "live", "worker", "responders"))
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--acceptance", type=float, default=0.85)
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    logs.to_file()
    site = open_site(args.config)
    if args.role == "web":
        from cli import child_web

        return child_web.run(site)
    if args.role == "live":
        from cli import child_live

        return child_live.run(site)
    if args.role == "worker":
        from cli import child_worker

        return child_worker.run(site, args.index)
    from cli import demo_responders

    return demo_responders.run(site, args)
