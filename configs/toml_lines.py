"""On which line of a TOML file a key stands. `tomllib` forgets it, and a person needs it."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_TABLE = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\-\s\"']+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-]+|\"[^\"]+\"|'[^']+')\s*(?:\.\s*[A-Za-z0-9_\-]+\s*)*=")


def key_lines(text: str) -> dict[Path, int]:
    """Maps each table and key to its line, counted from 1. Keys of inline tables are found under the key that holds them."""
    lines: dict[Path, int] = {}
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _TABLE.match(line):
            names = [part.strip().strip("\"'") for part in match[2].split(".")]
            path: Path = ()
            for position, name in enumerate(names):
                path = (*path, name)
                if position < len(names) - 1 and path in counts:
                    path = (*path, counts[path])
            if match[1] == "[[":
                counts[path] = counts.get(path, -1) + 1
                path = (*path, counts[path])
            table = path
            lines.setdefault(table, number)
        elif match := _KEY.match(line):
            lines.setdefault((*table, match[1].strip("\"'")), number)
    return lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of the path, or of the nearest thing around it; 1 when nothing is known."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1
