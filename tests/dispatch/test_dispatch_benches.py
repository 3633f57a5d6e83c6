"""The benches of dispatch, small: they pass as things are, and each planted defect makes them fail."""

from __future__ import annotations

import json

import pytest

from cli import bench_recommend, bench_store
from tests.dispatch.dispatch_kit import HELSINKI


def figures(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return found


RECOMMEND = ["--units", "600", "--rounds", "10", "--osm", str(HELSINKI), "--json"]


def test_recommend(capsys: pytest.CaptureFixture[str]) -> None:
    code = bench_recommend.run(RECOMMEND)
    found = figures(capsys)
    assert {"p50_ms", "p99_ms", "units", "checked"} <= found.keys()
    assert (found["units"], found["disagreements"]) == (600, 0)
    assert isinstance(found["checked"], int)
    assert found["checked"] > 30
    assert code == (0 if found["passed"] else 1)


def test_recommend_tells_a_wrong_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_recommend.run([*RECOMMEND, "--break", "wrong"]) == 1
    assert figures(capsys)["disagreements"] != 0


def test_recommend_tells_a_slow_answer(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [a if a != "600" else "3000" for a in RECOMMEND]
    assert bench_recommend.run([*arguments, "--break", "slow"]) == 1
    assert figures(capsys)["passed"] is False


def test_recommend_names_a_file_that_is_no_map(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_recommend.run(["--osm", "nowhere.osm.pbf"]) == 2
    assert "nowhere.osm.pbf" in capsys.readouterr().err


def test_store(capsys: pytest.CaptureFixture[str]) -> None:
    code = bench_store.run(["--transactions", "200", "--rounds", "3", "--json"])
    found = figures(capsys)
    assert {"tx_per_s", "ratio", "ratio_spread"} <= found.keys()
    assert code == (0 if found["passed"] else 1)


def test_store_tells_a_slow_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_store.run(["--rounds", "2", "--json", "--break", "slow"]) == 1
    assert figures(capsys)["passed"] is False
