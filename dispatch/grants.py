"""Clear pictures: opened from an incident for a written purpose, for a bounded time, on the record."""

from __future__ import annotations

import secrets

from dispatch import incident
from dispatch.errors import BadInput, Impossible, NotFound
from dispatch.escalate import Deadline
from dispatch.event import Event
from dispatch.incident import ENDED
from dispatch.store import Reader
from dispatch.views import Grant, GrantClip
from dispatch.work import Work

PURPOSE_SHORTEST = 3


def open_grant(work: Work, incident_id: str, purpose: str, life_s: float) -> str:
    """The new grant's id. BadInput without a purpose, Impossible when the incident has ended."""
    purpose = purpose.strip()
    if len(purpose) < PURPOSE_SHORTEST:
        raise BadInput("purpose", "write why the clear picture is needed", "请写明查看清晰画面的目的")
    found = work.incident(incident_id)
    if found.state in ENDED:
        raise Impossible("grant", found.state, incident.possible(found))
    id_, until_s = secrets.token_urlsafe(18), work.now_s + life_s
    work.tx.add_grant((id_, incident_id, found.camera, work.actor.name, purpose, work.now_s, until_s))
    work.tx.put_deadline(Deadline("grant", id_, until_s))
    facts = {"camera": found.camera, "purpose": purpose, "expires_at_s": until_s, "life_s": life_s}
    work.say([Event("grant.opened", short(id_), work.now_s, work.actor, facts)], incident_id)
    work.tell("incident", incident_id)
    return id_


def close_grant(work: Work, grant_id: str, code: str) -> None:
    """`code` is grant.ended or grant.expired. Closing twice changes nothing."""
    row = work.tx.grant(grant_id)
    if row is None:
        raise NotFound("grant", short(grant_id))
    work.tx.end_deadline("grant", grant_id)
    if row["ended_at_s"] is None:
        work.tx.end_grant(grant_id, work.now_s)
        work.say([Event(code, short(grant_id), work.now_s, work.actor, {"camera": row["camera"]})], row["incident"])
        work.tell("incident", row["incident"])
        work.tell("grant_ended", grant_id)


def living(reader: Reader, grant_id: str, now_s: float) -> Grant:
    """NotFound when it never was, ended or expired; also before it was opened: a clock that was set back gives no second life."""
    row = reader.grant(grant_id)
    if row is None or row["ended_at_s"] is not None or not row["opened_at_s"] <= now_s < row["expires_at_s"]:
        raise NotFound("grant", short(grant_id))
    clips = reader.clips([row["incident"]]).get(row["incident"], [])
    return Grant(
        grant=grant_id,
        camera=row["camera"],
        expires_at_s=row["expires_at_s"],
        whep=f"/whep/clear/{grant_id}",
        clips=tuple(
            GrantClip(c["id"], f"/media/clips/{c['id']}.mp4?grant={grant_id}") for c in clips if c["deleted_at_s"] is None
        ),
        incident=row["incident"],
        actor=row["actor"],
        purpose=row["purpose"],
    )


def short(secret: str) -> str:
    """A grant's id opens a picture: the record shows its first characters only."""
    return secret[:6] + "…"
