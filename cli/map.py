"""`callout map build FILE.osm.pbf`: the road graph and the base map of an OSM extract."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from dispatch import roads


def arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", required=True)
    build = commands.add_parser("build", help="build the road graph and the base map from an OpenStreetMap extract")
    build.add_argument("file", type=Path, metavar="FILE.osm.pbf")
    build.add_argument("--out", type=Path, default=Path("var/map"), help="folder to build into (default var/map)")


def run(args: argparse.Namespace) -> int:
    began = time.monotonic()
    try:
        roads.build(args.file, args.out)
        built = roads.Roads.load(args.out)
    except roads.MapError as error:
        print(f"callout: {error}", file=sys.stderr)
        return 1
    counts = ", ".join(f"{mode} {count['nodes']} nodes and {count['edges']} edges" for mode, count in built.meta.counts.items())
    print(f"{args.out}: {counts}; {time.monotonic() - began:.1f} s")
    return 0
