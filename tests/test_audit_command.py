"""`callout audit verify` says what it found, also when all is well."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from cli import audit
from dispatch.store import Store


def test_a_whole_record_is_said_to_be_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "site.toml"
    osm = Path(__file__).resolve().parents[1] / "configs" / "demo" / "helsinki.osm.pbf"
    settings.write_text(f'[site]\nname = "Here"\n[data]\nfolder = "data"\n[map]\nosm = "{osm}"\n', encoding="utf-8")
    (tmp_path / "data").mkdir()
    Store(tmp_path / "data" / "callout.db").close()
    assert audit.run(Namespace(config=settings)) == 0
    assert "0 entries, unbroken; the newest hash is" in capsys.readouterr().out
