"""`callout audit verify`: checks the record's chain from the store's file, without trusting a running server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cli.site import open_site
from dispatch.errors import StoreFailed
from dispatch.store import read_audit


def arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", required=True)
    verify = commands.add_parser("verify", help="walk the chain and name the first place that does not fit")
    verify.add_argument("--config", type=Path, required=True, metavar="SITE.toml")


def run(args: argparse.Namespace) -> int:
    site = open_site(args.config)
    try:
        verdict = read_audit(site.layout.store)
    except StoreFailed as error:
        print(f"callout: {error}", file=sys.stderr)
        return 1
    print(f"{site.layout.store}: {verdict}")
    return 0 if verdict.verified else 1
