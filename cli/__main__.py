"""The command line: `./callout COMMAND`. Each command's module is loaded when it is asked for, so that help stays quick."""

from __future__ import annotations

import argparse
import importlib
import sys
from dataclasses import dataclass

from cli.site import SiteError
from configs.errors import ConfigError
from models.errors import ModelError


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    module: str  # has `arguments(parser)` and `run(args) -> int`
    help: str


COMMANDS = (
    Command("demo", "cli.demo", "run the whole job on this machine with real video: cameras, console, responders"),
    Command("serve", "cli.serve", "run a site from its settings file"),
    Command("test", "cli.tests", "run the tests, bringing what they need"),
    Command("check", "cli.check", "run the checks: ruff, mypy, import-linter"),
    Command("check-config", "cli.check_config", "read a settings file and say what is wrong in it"),
    Command("camera", "cli.camera", "play files as a virtual camera; check a camera's URL"),
    Command("map", "cli.map", "build the road graph and the base map from an OSM extract"),
    Command("models", "cli.models", "list, fetch and verify models"),
    Command("user", "cli.user", "add people who work with Callout, set their passwords"),
    Command("audit", "cli.audit", "verify the record without trusting the server"),
    Command("bench", "cli.bench", "measure, against a bound"),
    Command("child", "cli.child", argparse.SUPPRESS),
)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="callout", description="Cameras see a hazard, a person confirms it, the nearest suitable responder gets there."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for command in COMMANDS:
        if command.help is argparse.SUPPRESS:
            if command.name != wanted:
                continue
            sub = commands.add_parser(command.name)
        else:
            sub = commands.add_parser(command.name, help=command.help, description=command.help)
        if command.name == wanted:
            module = importlib.import_module(command.module)
            module.arguments(sub)
            sub.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except ConfigError as error:
        print(f"callout: {error}", file=sys.stderr)
        return 2
    except (SiteError, ModelError) as error:
        print(f"callout: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:  # no room, no right, no such folder: the system's words and the file say all
        print(f"callout: {error.filename or parsed.command}: {error.strerror or error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
