"""Which unit to send, and why: suitable units → road ETA → ranked, each with its reasons in words and numbers. Pure.

One bounded search outwards from the incident for each way of travelling answers for all units at once; what is not shown
is never looked at twice, so 20,000 units cost a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.schema import Unit as UnitSettings
from dispatch.eta import MODES, Bools, Floats, Reach, Router, Snaps, distance_m
from dispatch.plan import TIERS, Plan, Skill
from dispatch.texts import duration, length, reason
from dispatch.unit import State
from dispatch.views import Candidate, Needed, Reason, Recommendation, RouterName

STATES: tuple[State, ...] = tuple(State)
SHOWN = 6  # suitable units, best first
PASSED_OVER = 8  # unsuitable ones, nearest first


@dataclass(frozen=True, slots=True)
class Fleet:
    """All units as columns of equal length. `known`: it has reported a position (else it is taken to be at its base).

    `snaps` are for each unit's own mode; `skills` are bits in the order of `skill_bits`."""

    units: tuple[UnitSettings, ...]
    lat: Floats
    lon: Floats
    position_at_s: Floats
    known: Bools
    contact_at_s: Floats
    state: NDArray[np.int8]
    committed: Bools
    skills: NDArray[np.int64]
    tier: NDArray[np.int8]
    mode: NDArray[np.int8]
    turnout_s: Floats
    snaps: Snaps
    skill_bits: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Request:
    """`active` units already work on the incident; `tried` maps units to how their last offer of it ended."""

    incident: str
    lat: float
    lon: float
    plan: Plan
    skill_names: Mapping[str, Skill]
    travel_limit_s: float
    lost_contact_s: float
    active: int = 0
    tried: Mapping[str, str] | None = None


def recommend(request: Request, fleet: Fleet, router: Router, now_s: float) -> Recommendation:
    """Ranks by ETA (turnout + travel), then by unit id, so that the same question has the same answer."""
    reaches = {
        m: router.reach(MODES[m], request.lat, request.lon, request.travel_limit_s) for m in np.unique(fleet.mode).tolist()
    }
    travel = _travel(fleet, reaches)
    eta = travel + fleet.turnout_s
    suitable = _suitable(request, fleet, now_s) & np.isfinite(eta)
    ranked = _smallest(eta, np.flatnonzero(suitable), SHOWN, fleet)
    chosen = ranked[: max(request.plan.count - request.active, 0)]
    near = np.where(np.isfinite(eta), eta, 1e9 + distance_m(fleet.lat, fleet.lon, request.lat, request.lon))
    passed = _smallest(near, np.flatnonzero(~suitable), PASSED_OVER, fleet)

    answer = _Answer(request, fleet, reaches, travel, now_s)
    best = float(eta[ranked[0]]) if ranked else None
    candidates = [answer.fit(i, rank, best) for rank, i in enumerate(ranked, start=1)]
    candidates += [answer.unfit(i, best) for i in passed]
    used = {reaches[int(fleet.mode[i])].name for i in (ranked or passed)} or {r.name for r in reaches.values()}
    name: RouterName = "great_circle_degraded" if "great_circle_degraded" in used else "osm"
    return Recommendation(
        incident=request.incident,
        computed_at_s=now_s,
        router=name,
        needed=Needed(request.plan.skills, request.plan.count),
        chosen=tuple(fleet.units[i].id for i in chosen),
        candidates=tuple(candidates),
    )


def _travel(fleet: Fleet, reaches: Mapping[int, Reach]) -> Floats:
    travel = np.full(len(fleet.units), np.inf)
    for mode, reach in reaches.items():
        rows = np.flatnonzero(fleet.mode == mode)
        snaps = Snaps(fleet.snaps.edge[rows], fleet.snaps.along[rows], fleet.snaps.off_m[rows])
        travel[rows] = reach.travel(snaps, fleet.lat[rows], fleet.lon[rows])
    return travel


def _need(plan: Plan, fleet: Fleet) -> int:
    bits = 0
    for skill in plan.skills:
        bits |= fleet.skill_bits[skill]
    return bits


def _suitable(request: Request, fleet: Fleet, now_s: float) -> Bools:
    need = _need(request.plan, fleet)
    tiers = np.array([TIERS.index(t) for t in request.plan.tiers])
    ok = ((fleet.skills & need) == need) & np.isin(fleet.tier, tiers)
    ok &= (fleet.state == STATES.index(State.AVAILABLE)) & ~fleet.committed
    ok &= now_s - fleet.contact_at_s < request.lost_contact_s
    ok &= ~fleet.known | (now_s - fleet.position_at_s < request.lost_contact_s)
    if request.tried:
        tried = request.tried
        ok &= np.array([u.id not in tried for u in fleet.units]) if len(tried) > 64 else ~_rows(fleet, tried)
    return np.asarray(ok, bool)


def _rows(fleet: Fleet, ids: Mapping[str, str]) -> Bools:
    out = np.zeros(len(fleet.units), bool)
    for i, unit in enumerate(fleet.units):
        if unit.id in ids:
            out[i] = True
    return out


def _smallest(key: Floats, rows: NDArray[np.intp], count: int, fleet: Fleet) -> list[int]:
    """The rows with the smallest keys, in order; equal keys by unit id. Without sorting them all."""
    if len(rows) > 4 * count:
        edge = np.partition(key[rows], count)[count]
        rows = rows[key[rows] <= edge][: 64 * count]
    return sorted(rows.tolist(), key=lambda i: (key[i], fleet.units[i].id))[:count]


@dataclass(frozen=True, slots=True)
class _Answer:
    """Puts one row into words."""

    request: Request
    fleet: Fleet
    reaches: Mapping[int, Reach]
    travel: Floats
    now_s: float

    def fit(self, i: int, rank: int, best_s: float | None) -> Candidate:
        fleet, unit = self.fleet, self.fleet.units[i]
        travel_s, turnout_s = float(self.travel[i]), float(fleet.turnout_s[i])
        eta_s = travel_s + turnout_s
        reach = self.reaches[int(fleet.mode[i])]
        leg = reach.leg(float(fleet.lat[i]), float(fleet.lon[i]))
        parts = {"eta": eta_s, "turnout": turnout_s, "travel": travel_s}
        times = {f"{k}_en": duration(v, "en") for k, v in parts.items()} | {
            f"{k}_zh": duration(v, "zh") for k, v in parts.items()
        }
        metres = leg.distance_m if leg is not None else None
        times |= {"way_en": length(metres, "en"), "way_zh": length(metres, "zh")}
        reasons = [reason("quickest" if rank == 1 else "eta", **times)]
        if rank > 1 and best_s is not None:
            gap = eta_s - best_s
            reasons.append(reason("slower", gap_en=duration(gap, "en"), gap_zh=duration(gap, "zh")))
        reasons.append(self._has_skills())
        reasons += self._caveats(i, reach)
        route = leg.line if leg is not None else None
        return self._candidate(unit, i, True, rank, reasons, metres, route)

    def unfit(self, i: int, best_s: float | None) -> Candidate:
        unit = self.fleet.units[i]
        reasons = self._why_not(i)
        eta_s = float(self.travel[i] + self.fleet.turnout_s[i])
        if best_s is not None and eta_s < best_s:
            gap = best_s - eta_s
            reasons.insert(0, reason("nearer", gap_en=duration(gap, "en"), gap_zh=duration(gap, "zh")))
        reach = self.reaches[int(self.fleet.mode[i])]
        if np.isfinite(eta_s):
            reasons += self._caveats(i, reach)
        return self._candidate(unit, i, False, 0, reasons, None, None)

    def _candidate(  # noqa: PLR0917  # one private call per kind of row
        self,
        unit: UnitSettings,
        i: int,
        suitable: bool,
        rank: int,
        reasons: list[Reason],
        metres: float | None,
        route: tuple[tuple[float, float], ...] | None,
    ) -> Candidate:
        travel_s, turnout_s = float(self.travel[i]), float(self.fleet.turnout_s[i])
        near = bool(np.isfinite(travel_s))
        return Candidate(
            unit=unit.id,
            name=unit.name,
            name_zh=unit.name_zh,
            eta_s=round(travel_s + turnout_s, 3) if near else None,
            turnout_s=turnout_s,
            travel_s=round(travel_s, 3) if near else None,
            distance_m=None if metres is None else round(metres, 1),
            suitable=suitable,
            rank=rank,
            reasons=tuple(reasons),
            route=route,
        )

    def _names(self, skills: list[str]) -> dict[str, str]:
        known = self.request.skill_names
        return {
            "skills_en": ", ".join(known[s].name for s in skills),
            "skills_zh": "、".join(known[s].name_zh for s in skills),
        }

    def _has_skills(self) -> Reason:
        return reason("has_skills", **self._names(list(self.request.plan.skills)))

    def _caveats(self, i: int, reach: Reach) -> list[Reason]:
        out = []
        if reach.name == "great_circle_degraded":
            out.append(reason("straight_line"))
        if not self.fleet.known[i]:
            out.append(reason("at_base_assumed"))
        return out

    def _why_not(self, i: int) -> list[Reason]:
        fleet, request, now_s = self.fleet, self.request, self.now_s
        unit, state = fleet.units[i], STATES[fleet.state[i]]
        out: list[Reason] = []
        silent = now_s - float(fleet.contact_at_s[i])
        if state in (State.OFF_DUTY, State.OUT_OF_SERVICE):
            out.append(reason(str(state)))
        elif state is State.LOST_CONTACT or silent >= request.lost_contact_s:
            out.append(reason("lost_contact", age_en=duration(silent, "en"), age_zh=duration(silent, "zh")))
        elif fleet.known[i] and now_s - fleet.position_at_s[i] >= request.lost_contact_s:
            age = now_s - float(fleet.position_at_s[i])
            out.append(reason("position_stale", age_en=duration(age, "en"), age_zh=duration(age, "zh")))
        if fleet.committed[i]:
            out.append(reason("committed"))
        if request.tried and unit.id in request.tried:
            out.append(reason(f"tried_{request.tried[unit.id]}"))
        lacking = [s for s in request.plan.skills if s not in unit.skills]
        if lacking:
            out.append(reason("lacks_skill", **self._names(lacking)))
        if unit.tier not in request.plan.tiers:
            out.append(
                reason(
                    "wrong_tier",
                    tier_en=unit.tier,
                    tier_zh={"volunteer": "志愿者", "auxiliary": "辅助力量"}.get(unit.tier, "专业力量"),
                )
            )
        if not np.isfinite(self.travel[i]):
            reach = self.reaches[int(fleet.mode[i])]
            if fleet.snaps.edge[i] < 0 and reach.name == "osm":
                out.append(reason("no_road"))
            else:
                limit = request.travel_limit_s
                out.append(reason("beyond_limit", limit_en=duration(limit, "en"), limit_zh=duration(limit, "zh")))
        return out
