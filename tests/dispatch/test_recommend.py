"""The recommendation: the quickest suitable unit by an independent computation, and for every other one the reason."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from cli.brute_routes import BruteRoutes
from configs.schema import Unit
from dispatch import plan
from dispatch.eta import MODES
from dispatch.service import Desk
from dispatch.views import Candidate, Recommendation
from tests.dispatch.conftest import Desks
from tests.dispatch.dispatch_kit import (
    COMMANDER,
    HELSINKI,
    NOW_S,
    PLACE,
    confirmed,
    helsinki_roads,
    on_duty,
    responder,
    settings,
    unit,
)
from vision.sighting import Ground, HazardKind


def of(answer: Recommendation, unit_id: str) -> Candidate:
    return next(c for c in answer.candidates if c.unit == unit_id)


def codes(answer: Recommendation, unit_id: str) -> set[str]:
    return {r.code for r in of(answer, unit_id).reasons}


def test_the_recommended_unit_is_the_quickest_by_an_independent_computation(desks: Desks) -> None:
    rng = np.random.default_rng(11)
    (south, west), (north, east) = helsinki_roads().meta.bounds
    units = tuple(
        unit(
            k,
            base=(float(rng.uniform(south, north)), float(rng.uniform(west, east))),
            turnout_s=float(rng.uniform(0, 60)),
            skills=("first_aid",) if k % 3 else (),
            tier=("professional", "auxiliary", "volunteer")[k % 4 % 3],
        )
        for k in range(60)
    )
    desk = desks(settings(units=units), helsinki_roads())
    on_duty(desk)
    brute = {mode: BruteRoutes(HELSINKI, mode) for mode in MODES}
    need = plan.load().of("intrusion")
    for n, place in enumerate([(60.1705, 24.9440), (60.1662, 24.9401), (60.1755, 24.9500)]):
        incident = confirmed(desk, n, zone=f"z{n}", ground=Ground(*place, 3.0))
        answer = desk.recommend(incident, NOW_S + 1)
        expected = sorted(
            (brute[u.mode].travel_s(u.base, place) + u.turnout_s, u.id)
            for u in units
            if set(need.skills) <= set(u.skills) and u.tier in need.tiers
        )
        assert answer.router == "osm"
        assert answer.chosen == (expected[0][1],)
        ranked = [c for c in answer.candidates if c.suitable]
        assert [c.unit for c in ranked] == [i for _, i in expected[: len(ranked)]]
        for candidate, (eta_s, _) in zip(ranked, expected, strict=False):
            assert candidate.eta_s == pytest.approx(eta_s, abs=0.1)
        for passed in (c for c in answer.candidates if not c.suitable):
            assert passed.rank == 0
            assert {r.code for r in passed.reasons} & {"lacks_skill", "wrong_tier"}
            eta_s = brute[next(u for u in units if u.id == passed.unit).mode].travel_s(desk.unit(passed.unit).base, place)
            assert passed.travel_s == pytest.approx(eta_s, abs=0.1)


def test_turnout_counts_and_the_straight_line_does_not_decide(desks: Desks) -> None:
    near, far = unit(0, base=PLACE, mode="foot", turnout_s=300.0), unit(1, base=(60.1690, 24.9440), mode="car", turnout_s=5.0)
    desk = desks(settings(units=(near, far)), helsinki_roads())
    on_duty(desk)
    answer = desk.recommend(confirmed(desk), NOW_S + 1)
    assert answer.chosen == ("u1",)
    assert of(answer, "u0").travel_s == pytest.approx(0, abs=60)
    assert of(answer, "u0").eta_s == pytest.approx(300, abs=60)
    assert of(answer, "u1").turnout_s == 5.0


def _pass_over(desk: Desk, why: str) -> float:
    """Makes u0, the nearest, unsuitable; returns when to ask."""
    if why == "off_duty":
        desk.unit_state("u0", "off_duty", actor=responder("u0"), now_s=NOW_S + 1)
    elif why == "out_of_service":
        desk.unit_state("u0", "out_of_service", actor=responder("u0"), now_s=NOW_S + 1)
    elif why == "committed":
        desk.offer(confirmed(desk, 50, zone="elsewhere"), "u0", actor=COMMANDER, now_s=NOW_S + 1)
    elif why in ("lost_contact", "position_stale"):
        desk.position("u1", *desk.unit("u1").base, 5.0, None, NOW_S + 150)
        if why == "position_stale":
            desk.unit_state(
                "u0", "available", actor=responder("u0"), now_s=NOW_S + 150
            )  # it speaks, but does not say where it is
        return NOW_S + 151
    return NOW_S + 2


@pytest.mark.parametrize(
    "why", ["off_duty", "out_of_service", "committed", "lost_contact", "position_stale", "lacks_skill", "wrong_tier"]
)
def test_why_the_nearer_unit_was_passed_over(desks: Desks, why: str) -> None:
    changes: dict[str, dict[str, Any]] = {"lacks_skill": {"skills": ("traffic",)}, "wrong_tier": {"tier": "volunteer"}}
    special = changes.get(why, {})
    units = (unit(0, base=PLACE, **special), unit(1, base=(60.1750, 24.9480)))
    desk = desks(settings(units=units), helsinki_roads())
    on_duty(desk)
    incident = confirmed(desk)
    answer = desk.recommend(incident, _pass_over(desk, why))
    assert answer.chosen == ("u1",)
    assert not of(answer, "u0").suitable
    assert {why, "nearer"} <= codes(answer, "u0")
    for reason in of(answer, "u0").reasons:
        assert not re.search(r"[{}]|None|nan|inf", reason.en + reason.zh)
        assert re.search(r"[\u4e00-\u9fff]", reason.zh)
        assert not re.search(r"[\u4e00-\u9fff]", reason.en)


def test_beyond_the_limit_and_away_from_any_road(desks: Desks) -> None:
    units = (unit(0, mode="foot"), unit(1, base=(60.1780, 24.9450), mode="foot"), unit(2, base=(61.0, 25.0)))
    desk = desks(settings(units=units, travel_limit_s=120.0), helsinki_roads())
    on_duty(desk)
    answer = desk.recommend(confirmed(desk, ground=Ground(60.1660, 24.9403, 3.0)), NOW_S + 1)
    assert answer.chosen == ("u0",)
    assert "beyond_limit" in codes(answer, "u1") | codes(answer, "u2")
    assert "no_road" in codes(answer, "u2")
    assert of(answer, "u2").eta_s is None


def test_an_incident_off_the_map_is_answered_by_straight_lines_and_says_so(desks: Desks) -> None:
    desk = desks(router=helsinki_roads())
    on_duty(desk)
    answer = desk.recommend(confirmed(desk, ground=Ground(60.20, 24.944, 3.0)), NOW_S + 1)
    assert answer.router == "great_circle_degraded"
    assert answer.chosen
    assert all("straight_line" in codes(answer, c.unit) for c in answer.candidates if c.eta_s is not None)


def test_a_unit_that_never_said_where_it_is_is_taken_to_be_at_its_base_and_says_so(desks: Desks) -> None:
    desk = desks(router=helsinki_roads())
    desk.unit_state("u0", "available", actor=responder("u0"), now_s=NOW_S)
    answer = desk.recommend(confirmed(desk), NOW_S + 1)
    assert answer.chosen == ("u0",)
    assert "at_base_assumed" in codes(answer, "u0")


def test_as_many_as_the_plan_asks_for_less_those_on_their_way(desks: Desks) -> None:
    desk = desks(router=helsinki_roads())
    on_duty(desk)
    incident = confirmed(desk, kind=HazardKind.CROWDING)
    first = desk.recommend(incident, NOW_S + 1)
    assert (first.needed.count, len(first.chosen)) == (2, 2)
    desk.offer(incident, first.chosen[0], actor=COMMANDER, now_s=NOW_S + 1)
    second = desk.recommend(incident, NOW_S + 2)
    assert second.chosen == (first.chosen[1],)
    assert "committed" in codes(second, first.chosen[0])


def test_the_route_leads_from_the_unit_to_the_hazard(desks: Desks) -> None:
    desk = desks(router=helsinki_roads())
    on_duty(desk)
    best = desk.recommend(confirmed(desk), NOW_S + 1).candidates[0]
    assert best.route is not None
    base = desk.unit(best.unit).base
    assert best.route[0] == (round(base[1], 6), round(base[0], 6))
    assert best.route[-1] == (PLACE[1], PLACE[0])
    assert best.distance_m is not None
    assert best.distance_m > 0


def test_equal_units_are_ranked_the_same_way_every_time(desks: Desks) -> None:
    same = tuple(unit(k, base=PLACE, mode="foot") for k in (3, 1, 2))
    desk = desks(settings(units=same), helsinki_roads())
    on_duty(desk)
    incident = confirmed(desk)
    assert [c.unit for c in desk.recommend(incident, NOW_S + 1).candidates] == ["u1", "u2", "u3"]


def test_nobody_at_all(desks: Desks) -> None:
    desk = desks(settings(units=()), helsinki_roads())
    answer = desk.recommend(confirmed(desk), NOW_S + 1)
    assert (answer.chosen, answer.candidates) == ((), ())


def test_skills_of_units_are_checked_when_the_desk_opens(desks: Desks) -> None:
    bad = Unit("u0", "Unit", PLACE, skills=("fier",))
    with pytest.raises(Exception, match="fier"):
        desks(settings(units=(bad,)))
