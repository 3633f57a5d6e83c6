"""The hazard kinds of the closed list in words for people."""

from __future__ import annotations

from collections.abc import Mapping

from vision.sighting import HazardKind
from web.problems import Text

HAZARD_NAMES: Mapping[HazardKind, Text] = {
    HazardKind.FIRE: Text("Suspected fire", "疑似火情"),
    HazardKind.INTRUSION: Text("Person in a danger zone", "人员进入危险区域"),
    HazardKind.CROWDING: Text("Crowding", "人群过密"),
    HazardKind.STOPPED_VEHICLE: Text("Stopped vehicle in a live lane", "行车道内车辆停驶"),
}
