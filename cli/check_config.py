"""`callout check-config FILE`: says what is wrong in a settings file before anything is started with it."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.preflight import check_settings
from configs import settings


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path)


def run(args: argparse.Namespace) -> int:
    site = settings.load(args.file)
    check_settings(args.file, site)
    print(f"{args.file}: good. {len(site.camera)} cameras, {len(site.unit)} units, {len(site.account)} accounts.")
    return 0
