"""From outbox rows to messages for the consoles, rendered as things stand when they are taken."""

from __future__ import annotations

from dispatch.roster import Roster
from dispatch.show import Show
from dispatch.store import Reader
from dispatch.views import OutboxRow


def take(reader: Reader, show: Show, roster: Roster, limit: int) -> list[OutboxRow]:
    """The oldest first; of several rows about one thing, one message under the newest number."""
    newest = {(row["kind"], row["entity"]): int(row["seq"]) for row in reader.outbox(limit)}
    return [
        _message(reader, show, roster, kind, entity, seq)
        for (kind, entity), seq in sorted(newest.items(), key=lambda item: item[1])
    ]


def _message(  # noqa: PLR0917  # one private call
    reader: Reader, show: Show, roster: Roster, kind: str, entity: str, seq: int
) -> OutboxRow:
    if kind == "unit":
        known = roster.settings(entity) is not None  # it may have been taken out of the settings since
        return OutboxRow(seq, {"type": "unit", "unit": roster.view(entity).as_json()} if known else {}, unit=entity)
    if kind == "grant_ended":  # for web itself, which closes the sessions that were opened under it
        row = reader.grant(entity)
        camera = "" if row is None else str(row["camera"])
        return OutboxRow(seq, {"type": "grant_ended", "grant": entity, "camera": camera}, camera)
    if kind == "assignment":
        held = reader.assignment(entity)
        parent = None if held is None else reader.incident(held.incident)
        if held is None or parent is None:
            return OutboxRow(seq, {})
        message = {"type": "assignment", "assignment": show.assignment(held).as_json()}
        return OutboxRow(seq, message, parent.camera, held.unit)
    found = reader.incident(entity)
    if found is None:
        return OutboxRow(seq, {})
    shown = show.incidents(reader, [found])[0]
    if kind == "alert":
        alert = None if shown.alert is None else shown.alert.as_json()
        return OutboxRow(seq, {"type": "alert", "incident": entity, "number": shown.number, "alert": alert}, shown.camera)
    return OutboxRow(seq, {"type": "incident", "incident": shown.as_json()}, shown.camera)
