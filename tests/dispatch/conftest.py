"""Desks that are closed when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configs.schema import Settings
from dispatch.eta import Router
from dispatch.service import Desk
from tests.dispatch.dispatch_kit import open_desk

Desks = Callable[..., Desk]


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    """`desks(settings?, router?, folder?)` opens one; a test that wants to open it again closes it first."""
    opened: list[Desk] = []

    def one(given: Settings | None = None, router: Router | None = None, folder: Path | None = None) -> Desk:
        opened.append(open_desk(folder or tmp_path, given, router))
        return opened[-1]

    yield one
    for desk in opened:
        desk.close()


@pytest.fixture
def desk(desks: Desks) -> Desk:
    return desks()
