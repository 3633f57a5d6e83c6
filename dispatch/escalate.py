"""What falls due: deadlines are rows that survive restarts; this says which are due and what follows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from dispatch.incident import OFFERABLE, State
from dispatch.views import Recommendation


@dataclass(frozen=True, slots=True)
class Deadline:
    """`kind` is `answer` (entity: an assignment) or `grant` (entity: a grant)."""

    kind: str
    entity: str
    due_at_s: float


def next_offer(state: State, active: int, recommendation: Recommendation) -> str | None:
    """The unit to offer to when one declined, did not answer or had to give up; None when nobody is needed or left.

    The commander has already decided to send `needed.count` units: Callout only replaces, it never adds."""
    if state not in OFFERABLE or active >= recommendation.needed.count:
        return None
    return recommendation.chosen[0] if recommendation.chosen else None
