"""`callout child ROLE`: one process of a site, started by the supervisor. Not for people."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import structlog

from cli import logs
from cli.site import SiteError, open_site
from configs.errors import ConfigError
from dispatch.bus import BusError
from dispatch.errors import StoreFailed
from dispatch.roads_build import MapError
from models.errors import ModelError
from streams.supervisor import HOPELESS
from web.accounts_store import AccountsStoreError
from web.serve import ServeError

log = structlog.get_logger()


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", choices=("web", "live", "worker", "responders"))
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--acceptance", type=float, default=0.85)
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    """The last line of the log says why it ended, in words: the parent shows it."""
    logs.to_file()
    try:
        return _run(args)
    except (ConfigError, SiteError, ModelError, MapError, StoreFailed, BusError, ServeError, AccountsStoreError) as error:
        print(f"callout: {error}", file=sys.stderr)
        return HOPELESS
    except OSError as error:  # a full disk, a folder that is gone: it may get better
        log.exception("child.failed", role=args.role)
        print(f"callout: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        log.exception("child.failed", role=args.role)
        print(f"callout: {type(error).__name__}: {error}. This is a defect; its trace stands above.", file=sys.stderr)
        return 1


def _run(args: argparse.Namespace) -> int:
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
