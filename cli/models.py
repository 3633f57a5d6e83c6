"""`callout models list|fetch|verify`: which models there are, and whether their files are the right ones."""

from __future__ import annotations

import argparse
import sys

from configs.settings import ROOT, environment
from models import manifest, store
from models.errors import ModelError

CACHE = ROOT / "var" / "models"


def arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", required=True)
    commands.add_parser("list", help="all models of models/manifest.toml, and whether they are here")
    commands.add_parser("verify", help="the same; exit 1 when a shipped model is missing or a file has a wrong hash")
    fetch = commands.add_parser("fetch", help="bring a model from its official release")
    fetch.add_argument("name")


def run(args: argparse.Namespace) -> int:
    assets = environment().assets
    if args.what == "fetch":
        try:
            found = store.fetch(args.name, CACHE, assets=assets, progress=None)
        except ModelError as error:
            print(f"callout: {error}", file=sys.stderr)
            return 1
        print(f"{args.name}: {found.path}, sha256 {found.sha256}")
        return 0
    wrong = 0
    shipped = {entry.name for entry in manifest.load().models if any(source.kind == "shipped" for source in entry.sources)}
    for status in store.list_models(assets, cache=CACHE):
        where = f"{status.path}  sha256 {status.sha256[:16]}…" if status.state == "ready" else status.problem
        print(f"{status.name:<22} {status.state:<11} {status.licence:<12} {where}")
        wrong += status.state == "wrong_hash" or (status.state == "missing" and status.name in shipped)
    return 1 if wrong and args.what == "verify" else 0
