"""The demo's settings are good ones, whatever is on the machine; a demo that runs is not disturbed by a second one."""

from __future__ import annotations

import argparse
import itertools
import os
import socket
import stat
from pathlib import Path

import pytest

from cli import demo, demo_responders
from cli.preflight import check_models, check_settings
from cli.site import SiteError, claim, release
from configs.layout import Layout

NAMES = [clip.camera for clip in demo.CLIPS]


@pytest.mark.parametrize("cameras", [list(c) for n in range(1, 5) for c in itertools.combinations(NAMES, n)], ids="-".join)
def test_every_set_of_cameras_gives_settings_that_are_good(tmp_path: Path, cameras: list[str]) -> None:
    site = demo.write_site(tmp_path, cameras, web_port=8080, camera_port=8554)
    check_settings(site.path, site.settings)
    assert [camera.id for camera in site.settings.camera] == cameras
    assert all(camera.zones and camera.purpose and camera.purpose_zh for camera in site.settings.camera)
    assert {camera.url for camera in site.cameras} == {f"rtsp://127.0.0.1:8554/{name}" for name in cameras}
    assert (site.settings.web.port, site.layout.root) == (8080, tmp_path)
    assert site.osm is not None
    assert site.osm.is_file()


def test_the_demo_needs_no_more_than_what_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLOUT_ASSETS", str(tmp_path / "none"))
    site = demo.write_site(tmp_path, ["campus"], web_port=0, camera_port=8554)
    check_models(site.settings)
    for clip in demo.CLIPS:
        assert clip.shipped is None or clip.shipped.is_file()


@pytest.mark.parametrize("name", ['a "quoted" folder', "back\\slash", "空间 und Ümläute", "{port} {data}"])
def test_a_data_folder_of_any_name_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    site = demo.write_site(folder, ["campus"], web_port=8080, camera_port=8554)
    assert site.layout.root == folder


def test_a_second_demo_leaves_the_first_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "__defaults__", ("all", 0.1))
    data = tmp_path / "demo"
    held = claim(Layout(data))
    demo.write_site(data, ["campus"], web_port=8080, camera_port=8554)
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    for fresh in (False, True):
        args = argparse.Namespace(
            data=data, port=0, fresh=fresh, shipped_only=True, no_responders=False, acceptance=0.5, pace=1.0
        )
        with pytest.raises(SiteError, match="another Callout runs"):
            demo._demo(args)
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before
    release(held)


def test_fresh_deletes_nothing_but_a_demo(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(SiteError, match="is not a demo's folder"):
        demo._own(tmp_path, fresh=True)
    assert (tmp_path / "thesis.txt").exists()
    data = tmp_path / "demo"
    release(demo._own(data, fresh=True))  # nothing there yet
    demo.write_site(data, ["campus"], web_port=8080, camera_port=8554)
    (data / "callout.db").write_bytes(b"old")
    release(demo._own(data, fresh=True))
    assert not (data / "callout.db").exists()


def test_passwords_of_people_are_made_once_and_those_of_phones_each_time(tmp_path: Path) -> None:
    site = demo.write_site(tmp_path, ["campus"], web_port=8080, camera_port=8554)
    phones = demo._phones(site)
    people = demo._passwords(site)
    assert set(people) == {"operator", "commander", "auditor", "admin", "responder"}
    assert demo._passwords(site) == {}
    again = demo._phones(site)
    assert set(again) == set(phones) == {unit.account for unit in site.settings.unit if unit.account.startswith("sim-")}
    assert all(again[name] != phones[name] for name in phones)


def test_the_phones_passwords_are_for_this_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "run" / "phones.json"
    demo_responders.write_secrets(file, {"sim-one": "word"})
    demo_responders.write_secrets(file, {"sim-one": "another"})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "another" in file.read_text()


def test_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SiteError, match=f"port {port} is in use.*--port"):
            demo._page_port(port)
        assert demo._free_port(port) > port
    assert demo._page_port(port) == port
    assert 0 < demo._page_port(0) <= 65535
    if os.geteuid() != 0:
        with pytest.raises(SiteError, match="above 1023"):
            demo._page_port(80)
