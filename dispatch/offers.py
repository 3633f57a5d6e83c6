"""Offer → accept, decline, no answer → the next: the part of the desk that moves units. One transaction for each step."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from configs.schema import Settings
from dispatch import assignment, incident
from dispatch import unit as unit_
from dispatch.assignment import ENDED_WITHOUT, Assignment
from dispatch.errors import Impossible, NotFound, Taken
from dispatch.escalate import next_offer
from dispatch.eta import Router
from dispatch.incident import OFFERABLE, Incident
from dispatch.plan import Plans
from dispatch.recommend import Request, recommend
from dispatch.views import SYSTEM, Actor
from dispatch.work import Work

TRY_AGAIN_S = 900.0  # who declined or did not answer is not recommended for the same incident for so long


@dataclass(frozen=True, slots=True)
class Offers:
    settings: Settings
    router: Router
    plans: Plans

    def request(self, found: Incident, assignments: list[Assignment], now_s: float) -> Request:
        """`tried` are those who lately declined, did not answer or had to give up."""
        tried = {
            a.unit: str(a.state)
            for a in assignments
            if a.state in ENDED_WITHOUT and a.cleared_at_s is not None and now_s - a.cleared_at_s < TRY_AGAIN_S
        }
        return Request(
            incident=found.id,
            lat=found.place.lat,
            lon=found.place.lon,
            plan=self.plans.of(found.kind),
            skill_names=self.plans.skills,
            travel_limit_s=self.settings.dispatch.travel_limit_s,
            lost_contact_s=self.settings.dispatch.lost_contact_s,
            active=sum(a.active for a in assignments),
            tried=tried,
        )

    def offer(self, work: Work, found: Incident, unit_id: str, facts: Mapping[str, str] | None = None) -> Assignment:
        """Raises NotFound, Impossible (the incident is not confirmed; the unit is not available), Taken."""
        if found.state not in OFFERABLE:
            raise Impossible("offer", found.state, incident.possible(found))
        settings = work.roster.settings(unit_id)
        if settings is None:
            raise NotFound("unit", unit_id)
        held = work.tx.active_of(unit_id)
        if held is not None:
            raise Taken(unit_id, str(work.incident(held.incident).number))
        unit = work.roster.unit(unit_id)
        if unit.state is not unit_.State.AVAILABLE or unit_.lost(unit, work.now_s, self.settings.dispatch.lost_contact_s):
            state = unit.state if unit.state is not unit_.State.AVAILABLE else unit_.State.LOST_CONTACT
            why = (f"Unit “{unit_id}” cannot be sent now.", f"处置单元“{unit_id}”当前不可派。")
            raise Impossible("offer", state, (), why)
        limit_s = max(self.settings.dispatch.travel_limit_s, 7200.0)  # a person chose it: show the way, however far
        leg = self.router.reach(settings.mode, found.place.lat, found.place.lon, limit_s).leg(*work.roster.place(unit_id))
        new = Assignment(
            id=secrets.token_hex(8),
            incident=found.id,
            unit=unit_id,
            offered_at_s=work.now_s,
            answer_by_s=work.now_s + self.settings.dispatch.offer_timeout_s,
            eta_s=None if leg is None else round(settings.turnout_s + leg.travel_s, 3),
            route=None if leg is None else leg.line,
        )
        new, events = assignment.offer(new, work.now_s, actor=work.actor, facts=dict(facts or {}))
        if facts:
            events = [replace(e, code="assignment.offered_next") for e in events]
        work.add_assignment(new, events)
        return new

    def step(self, work: Work, before: Assignment, action: str, *, reason: str, client_time_s: float | None) -> Assignment:
        """One answer, time-out or withdrawal, with all that follows from it for the incident, in the same transaction."""
        changed, events = assignment.apply(
            before, action, work.now_s, actor=work.actor, reason=reason, client_time_s=client_time_s
        )
        found = work.incident(before.incident)
        others = [a for a in work.assignments(before.incident) if a.id != before.id]
        work.put_assignment(changed, events)
        if changed.state in ENDED_WITHOUT and found.state in OFFERABLE:
            self._replace(work, found, others, changed)
        else:
            work.follow(found)
        return changed

    def _replace(self, work: Work, found: Incident, others: list[Assignment], ended: Assignment) -> None:
        """The commander has decided to send somebody: the next one is offered it, or the alert says that nobody is left."""
        request = self.request(found, [*others, ended], work.now_s)
        answer = recommend(request, work.roster.fleet(), self.router, work.now_s)
        active = sum(a.active for a in others)
        unit_id = next_offer(found.state, active, answer)
        system = replace(work, actor=SYSTEM)
        if unit_id is not None:
            self.offer(system, found, unit_id, {"cause": str(ended.state), "cause_unit": ended.unit})
            system.follow(incident.quiet(found))
            return
        out = system.follow(found)
        if active < answer.needed.count:
            out, events = incident.raise_alert(out, "no_unit", work.now_s, actor=SYSTEM)
            system.put_incident(out, events)
            system.tell("alert", out.id)

    def release(self, work: Work, found: Incident, reason: str) -> None:
        """Withdraws everybody who is still on an incident that has just been ended."""
        for held in work.assignments(found.id):
            if held.active:
                work.put_assignment(*assignment.apply(held, "withdraw", work.now_s, actor=work.actor, reason=reason))

    def withdraw(self, work: Work, before: Assignment, reason: str) -> Assignment:
        return self.step(work, before, "withdraw", reason=reason, client_time_s=None)


def may_answer(actor: Actor, account: str) -> bool:
    """A responder answers for the own unit alone; Callout itself and other roles are judged by web's policy."""
    return actor.role != "responder" or (account != "" and actor.name == account)
