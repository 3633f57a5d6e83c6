"""What dispatch shows: frozen views with exactly the JSON fields of the HTTP interface (`as_json()`).

Times are unix seconds, places WGS84; `route` is GeoJSON order [lon, lat]. Texts come in English and Chinese (`…_zh`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

LonLat = tuple[float, float]
PlaceSource = Literal["camera", "camera_position"]
RouterName = Literal["osm", "great_circle_degraded"]


class View:
    """A frozen dataclass whose fields are the JSON members."""

    __slots__ = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload,no-any-return]  # every subclass is a dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: an account's name and role. `SYSTEM` is Callout itself (time-outs, automatic next offers)."""

    name: str
    role: str


SYSTEM = Actor("callout", "system")


@dataclass(frozen=True, slots=True)
class PlaceView(View):
    """`sigma_m`: one standard deviation. `camera`: computed from the picture; `camera_position`: only where the camera hangs."""

    lat: float
    lon: float
    sigma_m: float
    source: PlaceSource


@dataclass(frozen=True, slots=True)
class ClipView(View):
    id: str
    state: str  # open | closed | deleted
    started_at_s: float
    ended_at_s: float | None
    deleted_at_s: float | None = None  # when it went on schedule


@dataclass(frozen=True, slots=True)
class EvidenceView(View):
    """Why the newest sighting was raised. `thresholds` and `measured` are (name, value), in the rule's own order."""

    rule: str
    model_sha256: str
    thresholds: tuple[tuple[str, float], ...]
    measured: tuple[tuple[str, float], ...]
    thumbnail: str | None  # URL of the covered picture


@dataclass(frozen=True, slots=True)
class JournalLine(View):
    at_s: float
    actor: str
    text: str
    text_zh: str
    code: str


@dataclass(frozen=True, slots=True)
class Alert(View):
    """Something on an incident that a person must look at now (`no_unit`: nobody is left to offer it to)."""

    code: str
    en: str
    zh: str
    at_s: float


@dataclass(frozen=True, slots=True)
class AssignmentView(View):
    id: str
    version: int
    incident: str
    unit: str
    unit_name: str
    unit_name_zh: str
    state: str
    offered_at_s: float
    answer_by_s: float
    accepted_at_s: float | None
    en_route_at_s: float | None
    on_scene_at_s: float | None
    cleared_at_s: float | None  # when the unit became free again, whatever the reason
    ended_reason: str
    eta_s: float | None  # as computed when it was offered
    route: tuple[LonLat, ...] | None
    next: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IncidentView(View):
    id: str
    number: int
    version: int
    kind: str
    state: str
    priority: int  # 1 is the most urgent
    camera: str
    zone: str
    place: PlaceView
    opened_at_s: float
    updated_at_s: float
    first_seen_s: float
    last_seen_s: float
    sightings: int
    score: float
    box: tuple[float, float, float, float] | None
    thumbnail: str | None  # URL of the covered picture
    clips: tuple[ClipView, ...]
    assignments: tuple[AssignmentView, ...]
    next: tuple[str, ...]
    dismiss_reason: str
    journal: tuple[JournalLine, ...]
    alert: Alert | None = None
    evidence: EvidenceView | None = None
    thumbnail_deleted_at_s: float | None = None  # when its picture went on schedule


@dataclass(frozen=True, slots=True)
class PositionView(View):
    lat: float
    lon: float
    at_s: float
    accuracy_m: float


@dataclass(frozen=True, slots=True)
class UnitView(View):
    id: str
    name: str
    name_zh: str
    skills: tuple[str, ...]
    mode: str
    tier: str
    state: str  # off_duty | available | out_of_service | lost_contact
    position: PositionView | None
    committed_to: str | None  # incident id
    base: tuple[float, float]  # lat, lon


@dataclass(frozen=True, slots=True)
class Mine(View):
    """What one responder's phone shows."""

    unit: UnitView
    assignment: AssignmentView | None
    incident: IncidentView | None


@dataclass(frozen=True, slots=True)
class Reason(View):
    code: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Candidate(View):
    """`rank` 1 is the best of the suitable ones; unsuitable ones have rank 0 and say why. ETA = turnout + travel."""

    unit: str
    name: str
    name_zh: str
    eta_s: float | None
    turnout_s: float
    travel_s: float | None
    distance_m: float | None
    suitable: bool
    rank: int
    reasons: tuple[Reason, ...]
    route: tuple[LonLat, ...] | None


@dataclass(frozen=True, slots=True)
class Needed(View):
    skills: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Recommendation(View):
    incident: str
    computed_at_s: float
    router: RouterName
    needed: Needed
    chosen: tuple[str, ...]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class GrantClip(View):
    id: str
    url: str


@dataclass(frozen=True, slots=True)
class Grant(View):
    """A bounded look at one camera's clear picture. `as_json()` is the HTTP body; `actor`, `incident` are for the checks."""

    grant: str
    camera: str
    expires_at_s: float
    whep: str
    clips: tuple[GrantClip, ...]
    incident: str = ""
    actor: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry(View):
    seq: int
    at_s: float
    actor: str
    role: str
    action: str
    entity: str
    detail: dict[str, Any]
    hash: str
    prev: str


@dataclass(frozen=True, slots=True)
class AuditVerdict(View):
    """`broken_at` is the first entry that does not fit; `what` is edited | removed | reordered."""

    verified: bool
    entries: int
    head: str
    broken_at: int | None = None
    what: str = ""
    en: str = ""
    zh: str = ""

    @property
    def ok(self) -> bool:
        return self.verified

    def __str__(self) -> str:
        return f"{self.entries} entries, unbroken; the newest hash is {self.head}" if self.verified else self.en


@dataclass(frozen=True, slots=True)
class OutboxRow(View):
    """One message for the WebSocket consoles: `message` is ready to send ({"type": "incident", "incident": {…}} …).

    Types: incident, assignment, unit, alert; `grant_ended` is for web itself (it closes the sessions of that grant).
    `camera` and `unit` let web choose who may receive it ("" where it does not apply). An empty message says nothing.
    """

    seq: int
    message: dict[str, Any]
    camera: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Change(View):
    """Something that `due()` did because its time had come."""

    code: str  # offer_timed_out | grant_expired | lost_contact
    entity: str
    facts: dict[str, Any] = field(default_factory=dict)
