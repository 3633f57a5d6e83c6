"""The closed registry of hazard rules. Each rule is `initial(zone) -> State` and `step(state, observation, now_s)`; a kind that
is not in HazardKind cannot be added by configuration (SCOPE).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from configs.schema import Zone
from vision.detections import Observation
from vision.hazards import crowding, fire, intrusion, stopped_vehicle
from vision.sighting import Finding, HazardKind

# Each rule has its own State; here they are opaque: a state goes back only into the rule it came from (vision.watch).
RuleState = Any


@dataclass(frozen=True, slots=True)
class Rule:
    name: str  # with its version: it stands in the evidence of each sighting
    initial: Callable[[Zone], RuleState]
    step: Callable[[RuleState, Observation, float], tuple[RuleState, tuple[Finding, ...]]]


RULES: Mapping[HazardKind, Rule] = MappingProxyType(
    {
        HazardKind.INTRUSION: Rule("intrusion/1", intrusion.initial, intrusion.step),
        HazardKind.CROWDING: Rule("crowding/1", crowding.initial, crowding.step),
        HazardKind.STOPPED_VEHICLE: Rule("stopped_vehicle/1", stopped_vehicle.initial, stopped_vehicle.step),
        HazardKind.FIRE: Rule("fire/1", fire.initial, fire.step),
    }
)
