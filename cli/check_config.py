"""`callout check-config FILE`: says what is wrong in a settings file before anything is started with it."""

from __future__ import annotations

import argparse
from pathlib import Path

from configs import settings


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path)


def run(args: argparse.Namespace) -> int:
    site = settings.load(args.file)
    osm = settings.resolve(args.file, site.map.osm) if site.map.osm else None
    if osm is not None and not osm.is_file():
        print(f"{args.file}: [map] osm = {site.map.osm}: there is no file {osm}")
        return 2
    print(f"{args.file}: good. {len(site.camera)} cameras, {len(site.unit)} units, {len(site.account)} accounts.")
    return 0
