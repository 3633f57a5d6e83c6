"""A small site for the tests of dispatch: one camera in central Helsinki, a handful of units, the shipped map."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from configs.schema import Camera, Dispatch, Settings, Unit
from configs.settings import ROOT
from dispatch import plan, roads
from dispatch.eta import GreatCircle, Router
from dispatch.service import Desk
from dispatch.views import Actor
from vision.sighting import Evidence, Ground, HazardKind, Sighting

NOW_S = 1_700_000_000.0
HELSINKI = ROOT / "configs" / "demo" / "helsinki.osm.pbf"
PLACE = (60.1705, 24.9440)
OPERATOR = Actor("olga", "operator")
COMMANDER = Actor("kim", "commander")
CAMERA = Camera("cam-1", "Square", "", (60.1710, 24.9430), "safety on the square", name_zh="广场")
OTHER_CAMERA = Camera("cam-2", "Bridge", "", (60.1750, 24.9480), "safety on the bridge", name_zh="桥")


def unit(number: int, **fields: Any) -> Unit:
    mode = ("foot", "bicycle", "car")[number % 3]
    given: dict[str, Any] = {
        "id": f"u{number}",
        "name": f"Unit {number}",
        "name_zh": f"单元{number}",
        "base": (60.1655 + 0.0012 * number, 24.9400 + 0.0007 * number),
        "skills": ("first_aid", "crowd_control", "traffic"),
        "mode": mode,
        "turnout_s": 10.0,
        "account": f"r{number}",
    }
    return Unit(**(given | fields))


def settings(count: int = 5, units: tuple[Unit, ...] | None = None, **dispatch: float) -> Settings:
    chosen = tuple(unit(k) for k in range(count)) if units is None else units
    return Settings(camera=(CAMERA, OTHER_CAMERA), unit=chosen, dispatch=Dispatch(**dispatch))


@cache
def helsinki() -> Path:
    """The map folder of the shipped extract, built once for the whole run."""
    folder = Path(tempfile.gettempdir()) / "callout-tests-helsinki"
    roads.build(HELSINKI, folder)
    return folder


@cache
def helsinki_roads() -> roads.Roads:
    return roads.Roads.load(helsinki())


def open_desk(path: Path, given: Settings | None = None, router: Router | None = None) -> Desk:
    return Desk.open(path / "callout.db", given or settings(), router or GreatCircle(), plan.load())


def responder(unit_id: str) -> Actor:
    return Actor("r" + unit_id[1:], "responder")


def on_duty(desk: Desk, now_s: float = NOW_S, *units: str) -> None:
    """These units (or all) go on duty and say that they are at their base."""
    for view in desk.units():
        if not units or view.id in units:
            desk.unit_state(view.id, "available", actor=responder(view.id), now_s=now_s)
            desk.position(view.id, *view.base, 5.0, None, now_s)


def sighting(number: int = 1, at_s: float = NOW_S, **fields: Any) -> Sighting:
    given: dict[str, Any] = {
        "id": f"s{number}",
        "kind": HazardKind.INTRUSION,
        "camera": "cam-1",
        "zone": "tracks",
        "at_s": at_s,
        "began_at_s": at_s - 1,
        "score": 0.8,
        "box": (0.1, 0.1, 0.2, 0.4),
        "ground": Ground(*PLACE, 3.0),
        "evidence": Evidence("m" * 64, "intrusion-1", (("dwell_s", 1.0),), (("dwell_s", 1.4),), "t" * 64),
        "clip": "clip-1",
    }
    return Sighting(**(given | fields))


def confirmed(desk: Desk, number: int = 1, now_s: float = NOW_S, **fields: Any) -> str:
    """The id of a new, confirmed incident."""
    shown = desk.receive(sighting(number, now_s, **fields), now_s)
    return desk.act(shown.id, "confirm", actor=OPERATOR, now_s=now_s).id
