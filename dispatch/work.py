"""One command at work: the transaction, who does it and when, and what memory must learn once it is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dispatch import incident, texts
from dispatch.assignment import Assignment
from dispatch.errors import NotFound
from dispatch.escalate import Deadline
from dispatch.event import Event
from dispatch.incident import Incident
from dispatch.roster import Roster
from dispatch.show import attached
from dispatch.store import Tx
from dispatch.unit import Unit
from dispatch.views import Actor


@dataclass(slots=True)
class Work:
    """Every event goes to the audit log; those that the journal has words for go there too."""

    tx: Tx
    roster: Roster
    actor: Actor
    now_s: float
    after: list[Callable[[], None]] = field(default_factory=list)

    def say(self, events: Iterable[Event], incident_id: str = "") -> None:
        for event in events:
            self.tx.add_audit(event, incident_id)
            if incident_id and event.code in texts.JOURNAL:
                self.tx.add_journal(incident_id, event)

    def tell(self, kind: str, entity: str) -> None:
        self.tx.add_outbox(kind, entity, self.now_s)

    def incident(self, id_: str) -> Incident:
        found = self.tx.incident(id_)
        if found is None:
            raise NotFound("incident", id_)
        return found

    def assignments(self, incident_id: str) -> list[Assignment]:
        return self.tx.assignments([incident_id]).get(incident_id, [])

    def put_incident(self, changed: Incident, events: Iterable[Event]) -> None:
        self.tx.put_incident(changed)
        self.say(events, changed.id)
        self.tell("incident", changed.id)

    def put_assignment(self, changed: Assignment, events: Iterable[Event]) -> None:
        self.tx.put_assignment(changed)
        self.say(events, changed.incident)
        if str(changed.state) != "offered":
            self.tx.end_deadline("answer", changed.id)
        if not changed.active:
            self.after.append(lambda: self.roster.commit(changed.unit, None))
        self.tell("assignment", changed.id)
        self.tell("unit", changed.unit)

    def add_assignment(self, new: Assignment, events: Iterable[Event]) -> None:
        """Raises Taken: the store's unique index decides."""
        self.tx.add_assignment(new)
        self.tx.put_deadline(Deadline("answer", new.id, new.answer_by_s))
        self.say(events, new.incident)
        self.after.append(lambda: self.roster.commit(new.unit, new.incident))
        self.tell("assignment", new.id)
        self.tell("unit", new.unit)

    def put_unit(self, changed: Unit, events: Iterable[Event]) -> None:
        self.tx.put_unit(changed)
        self.say(events, self.roster.committed.get(changed.id, ""))
        self.after.append(lambda: self.roster.put_unit(changed))
        self.tell("unit", changed.id)

    def follow(self, changed: Incident) -> Incident:
        """Lets the incident's state follow from its assignments, and keeps it."""
        out, events = incident.follow(changed, attached(self.assignments(changed.id)), self.now_s, actor=self.actor)
        self.put_incident(out, events)
        return out
