"""Tests that need more than the repository holds (`@pytest.mark.needs(…)`) are collected only where that is there.

They are further cases beside the shipped ones, never the only test of something: so they are said to be left, not skipped.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from configs.settings import environment

LEFT = pytest.StashKey[dict[str, int]]()


def there(need: str) -> bool:
    """`program:NAME` on the path, or a file or folder inside the assets folder (CALLOUT_ASSETS)."""
    kind, _, name = need.rpartition(":")
    if kind == "program":
        return shutil.which(name) is not None
    assets = environment().assets
    return assets is not None and (Path(assets) / name).exists()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = config.stash.setdefault(LEFT, {})
    kept, gone = [], []
    for item in items:
        missing = next((n for mark in item.iter_markers("needs") for n in mark.args if not there(n)), None)
        if missing is None:
            kept.append(item)
            continue
        gone.append(item)
        left[missing] = left.get(missing, 0) + 1
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for need, count in sorted(config.stash.get(LEFT, {}).items()):
        terminalreporter.write_line(f"{count} further cases need {need}, which is not here (CALLOUT_ASSETS)")
