"""Who may do what, in ONE table; and what an account may see: jurisdiction and camera groups. Pure.

A permission says *what* (the table), the scope functions say *on which* (cameras, incidents, assignments).
No role sees every camera: each account lists its camera groups, and there is no group that means "all" (SCOPE).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from configs.schema import Account, Camera, Role, Settings

OPERATOR, COMMANDER, RESPONDER = "operator", "commander", "responder"
AUDITOR, INTEGRATOR, ADMINISTRATOR = "auditor", "integrator", "administrator"

ROLES: tuple[Role, ...] = ("operator", "commander", "responder", "auditor", "integrator", "administrator")


class Permission(StrEnum):
    """One name for everything that a route lets somebody do. `may` of GET /session lists those of the account."""

    PUBLIC_READ = "public.read"
    PAGE_READ = "page.read"
    HEALTH_READ = "health.read"
    METRICS_READ = "metrics.read"
    API_READ = "api.read"
    SESSION_CREATE = "session.create"
    SESSION_READ = "session.read"
    SESSION_END = "session.end"
    SITE_READ = "site.read"
    CAMERA_READ = "camera.read"
    INCIDENT_READ = "incident.read"
    INCIDENT_ACT = "incident.act"
    RECOMMENDATION_READ = "recommendation.read"
    ASSIGNMENT_OFFER = "assignment.offer"
    ASSIGNMENT_WITHDRAW = "assignment.withdraw"
    ASSIGNMENT_ANSWER = "assignment.answer"
    UNIT_READ = "unit.read"
    UNIT_SELF = "unit.self"
    UNIT_REPORT = "unit.report"
    GRANT_OPEN = "grant.open"
    GRANT_END = "grant.end"
    LIVE_WALL = "live.wall"
    LIVE_CLEAR = "live.clear"
    LIVE_END = "live.end"
    MEDIA_THUMBNAIL = "media.thumbnail"
    MEDIA_CLIP = "media.clip"
    EVENTS_RECEIVE = "events.receive"
    AUDIT_READ = "audit.read"
    AUDIT_VERIFY = "audit.verify"


ANYONE: frozenset[str] = frozenset({"anyone"})
SIGNED_IN: frozenset[str] = frozenset(ROLES)
DECIDERS: frozenset[str] = frozenset({OPERATOR, COMMANDER})

# The table. A permission without a row refuses everybody; a route without a permission stops the start (and a test).
RULES: Mapping[Permission, frozenset[str]] = {
    Permission.PUBLIC_READ: ANYONE,
    Permission.PAGE_READ: ANYONE,  # pages hold no data: what they show comes through the API
    Permission.HEALTH_READ: ANYONE,
    Permission.SESSION_CREATE: ANYONE,
    Permission.METRICS_READ: frozenset({INTEGRATOR, ADMINISTRATOR}),  # and this machine itself, see health.py
    Permission.API_READ: SIGNED_IN,
    Permission.SESSION_READ: SIGNED_IN,
    Permission.SESSION_END: SIGNED_IN,
    Permission.SITE_READ: SIGNED_IN,
    Permission.CAMERA_READ: frozenset({OPERATOR, COMMANDER, AUDITOR, INTEGRATOR, ADMINISTRATOR}),
    Permission.INCIDENT_READ: frozenset({OPERATOR, COMMANDER, RESPONDER, AUDITOR, INTEGRATOR}),
    Permission.INCIDENT_ACT: DECIDERS,
    Permission.RECOMMENDATION_READ: DECIDERS,
    Permission.ASSIGNMENT_OFFER: DECIDERS,
    Permission.ASSIGNMENT_WITHDRAW: DECIDERS,
    Permission.ASSIGNMENT_ANSWER: frozenset({RESPONDER}),
    Permission.UNIT_READ: frozenset({OPERATOR, COMMANDER, INTEGRATOR}),
    Permission.UNIT_SELF: frozenset({RESPONDER}),
    Permission.UNIT_REPORT: frozenset({RESPONDER}),
    Permission.GRANT_OPEN: DECIDERS,
    Permission.GRANT_END: DECIDERS,
    Permission.LIVE_WALL: DECIDERS,
    Permission.LIVE_CLEAR: DECIDERS,
    Permission.LIVE_END: DECIDERS,
    Permission.MEDIA_THUMBNAIL: frozenset({OPERATOR, COMMANDER, RESPONDER, AUDITOR}),
    Permission.MEDIA_CLIP: DECIDERS,
    Permission.EVENTS_RECEIVE: frozenset({OPERATOR, COMMANDER, RESPONDER, INTEGRATOR}),
    Permission.AUDIT_READ: frozenset({AUDITOR, COMMANDER, OPERATOR}),  # operators and commanders: incidents in their scope
    Permission.AUDIT_VERIFY: frozenset({AUDITOR, COMMANDER, OPERATOR}),
}


def may(role: str | None, permission: Permission) -> bool:
    """Whether the role (None: nobody signed in) has the permission."""
    allowed = RULES.get(permission, frozenset())
    return "anyone" in allowed or (role is not None and role in allowed)


def permissions(role: str) -> list[str]:
    return sorted(permission.value for permission in Permission if may(role, permission))


@dataclass(frozen=True, slots=True)
class Scope:
    """What the settings say about places: which jurisdiction lies in which, which camera lies where."""

    parents: Mapping[str, str]
    cameras: Mapping[str, Camera]
    units_of: Mapping[str, str]  # account → its unit
    unit_places: Mapping[str, str] = field(default_factory=dict)  # unit → its jurisdiction

    @classmethod
    def of(cls, settings: Settings) -> Scope:
        return cls(
            parents={place.id: place.parent for place in settings.jurisdiction},
            cameras={camera.id: camera for camera in settings.camera},
            units_of={unit.account: unit.id for unit in settings.unit if unit.account},
            unit_places={unit.id: unit.jurisdiction for unit in settings.unit},
        )

    def covers(self, jurisdiction: str, place: str) -> bool:
        """Whether `place` is `jurisdiction` or lies in it. An account without one covers only places without one."""
        seen: set[str] = set()
        while place != jurisdiction and place in self.parents and place not in seen:
            seen.add(place)
            place = self.parents[place]
        return place == jurisdiction and (jurisdiction != "" or not seen)

    def sees_camera(self, account: Account, camera_id: str) -> bool:
        """Both must fit: the camera's group is on the account's list, and its jurisdiction covers the camera."""
        camera = self.cameras.get(camera_id)
        return camera is not None and camera.group in account.groups and self.covers(account.jurisdiction, camera.jurisdiction)

    def sees_unit(self, account: Account, unit: str) -> bool:
        """Units answer across borders: an account sees those of its jurisdiction, those above it and those without one."""
        place = self.unit_places.get(unit)
        if not place:
            return place is not None
        return self.covers(account.jurisdiction, place) or self.covers(place, account.jurisdiction)

    def sees_incident(self, account: Account, incident: Mapping[str, Any]) -> bool:
        """Responder: their own running assignment's. Auditor: their jurisdiction's (text, no picture). Others: their cameras'."""
        camera_id = str(incident["camera"])
        if account.role == RESPONDER:
            unit = self.units_of.get(account.name)
            return unit is not None and any(running_for(one, unit) for one in incident["assignments"])
        if account.role == AUDITOR:
            camera = self.cameras.get(camera_id)
            return camera is not None and self.covers(account.jurisdiction, camera.jurisdiction)
        return self.sees_camera(account, camera_id)

    def incident_for(self, account: Account, incident: Mapping[str, Any]) -> dict[str, Any]:
        """The incident as this account may read it: a responder gets no other unit's business and no clear clips."""
        if account.role != RESPONDER:
            return dict(incident)
        unit = self.units_of.get(account.name)
        own = [one for one in incident["assignments"] if one["unit"] == unit]
        journal = [entry for entry in incident["journal"] if entry["actor"] == account.name]
        return {**incident, "assignments": own, "clips": [], "journal": journal, "next": [], "alert": None}


ENDED_ASSIGNMENT: frozenset[str] = frozenset({"cleared", "declined", "timed_out", "withdrawn", "preempted", "unable"})


def running_for(assignment: Mapping[str, Any], unit: str) -> bool:
    return assignment["unit"] == unit and assignment["state"] not in ENDED_ASSIGNMENT
