"""Synthetic tracks for the hazard rules: what a tracker would hand on, written down directly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import ModuleType

from configs.schema import Zone
from vision.detections import Box, FireRegion, Observation, Track
from vision.sighting import Finding

T0 = 1_700_000_000.0
HZ = 4.0
SQUARE = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7))


def person(number: int, x: float, y: float, *, at_s: float = T0, score: float = 0.7, seen: bool = True) -> Track:
    """Somebody whose foot is at (x, y). Not `seen`: the tracker only remembers them."""
    box = (x - 0.02, y - 0.15, x + 0.02, y)
    return Track(number, "person", score, box, at_s - 1, at_s if seen else at_s - 0.5)


def car(
    number: int, x: float, y: float, *, at_s: float = T0, score: float = 0.6, size: tuple[float, float] = (0.12, 0.1)
) -> Track:
    """A car whose box has its middle at (x, y)."""
    w, h = size
    return Track(number, "car", score, (x - w / 2, y - h / 2, x + w / 2, y + h / 2), at_s - 1, at_s)


def flame(box: Box = (0.4, 0.4, 0.5, 0.6), *, age_s: float = 5.0, **other: float) -> FireRegion:
    """A region as a real flame's was measured (medians of furg_house6)."""
    figures = {"colour": 0.5, "flicker": 1.0, "texture": 0.25, "growth": 1.2, "glow": 0.2, "core": 0.2, "unison": 0.3}
    figures |= {"restless": 0.1, "residual": 0.9, "area": 0.01} | other
    return FireRegion(box=box, age_s=age_s, **figures)


def seconds(duration_s: float, start_s: float = 0.0, hz: float = HZ) -> list[float]:
    return [T0 + start_s + i / hz for i in range(round(duration_s * hz) + 1)]


def run(
    rule: ModuleType,
    zone: Zone,
    times: Iterable[float],
    tracks: Callable[[float], Sequence[Track]],
    fire: Callable[[float], Sequence[FireRegion]] = lambda _: (),
) -> list[Finding]:
    """All findings of a rule over the given instants; `tracks` and `fire` take the seconds since T0."""
    state, found = rule.initial(zone), []
    first: dict[int, float] = {}
    for now_s in times:
        seen = [_at(t, now_s, first.setdefault(t.id, now_s)) for t in tracks(now_s - T0)]
        state, findings = rule.step(state, Observation(now_s, tuple(seen), tuple(fire(now_s - T0))), now_s)
        found.extend(findings)
    return found


def _at(track: Track, now_s: float, first_seen_s: float) -> Track:
    age_s = T0 - track.last_seen_s
    return replace(track, first_seen_s=first_seen_s, last_seen_s=now_s - age_s)


def events(findings: Iterable[Finding]) -> list[int]:
    return sorted({f.event for f in findings})
