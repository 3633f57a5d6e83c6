"""What a step of a state machine did: the one record from which journal, audit entry and outbox message are made. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatch.views import Actor


@dataclass(frozen=True, slots=True)
class Event:
    """`code` names what happened (`incident.confirmed`), `entity` is its subject's id, `facts` is plain JSON data."""

    code: str
    entity: str
    at_s: float
    actor: Actor
    facts: Mapping[str, Any] = field(default_factory=dict)
