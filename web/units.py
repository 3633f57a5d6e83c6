"""/api/v1/units: the unit board, and what a responder's phone says of its own unit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from web.accounts_store import SessionRow
from web.deps import Here, Services, requires
from web.policy import Permission
from web.problems import Problem, Text

router = APIRouter(prefix="/api/v1", tags=["units"])


class Position(BaseModel):
    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)
    accuracy_m: float = Field(default=50.0, ge=0, le=100_000, allow_inf_nan=False)
    client_time_s: float | None = Field(default=None, ge=0, le=1e11, allow_inf_nan=False)


class Duty(BaseModel):
    state: Literal["available", "out_of_service", "off_duty"]


@router.get("/units", summary="The unit board")
async def units(services: Here, session: Annotated[SessionRow, requires(Permission.UNIT_READ)]) -> dict[str, Any]:
    """Units of your jurisdiction, those above it and those without one: position, state, what they are committed to."""
    found = await services.on_desk(services.desk.units)
    return {"units": [unit.as_json() for unit in found if services.scope.sees_unit(session.account, unit.id)]}


@router.get("/units/me", summary="Your own unit, its assignment and that incident")
async def mine(services: Here, session: Annotated[SessionRow, requires(Permission.UNIT_SELF)]) -> dict[str, Any]:
    """What the phone shows. Asking counts as a sign of life: a phone that is open is not lost, whether it shares its
    position or not."""
    unit = own_unit(services, session)
    await services.on_desk(services.desk.heard, unit, actor=services.actor(session.account), now_s=services.now())
    found = (await services.on_desk(services.desk.mine, unit)).as_json()
    incident = found["incident"]
    if incident is not None:
        found["incident"] = services.scope.incident_for(session.account, incident)
    return found


@router.post("/units/me/position", summary="Where your unit is")
async def position(
    place: Position, services: Here, session: Annotated[SessionRow, requires(Permission.UNIT_REPORT)]
) -> dict[str, Any]:
    """A position replaces the one before; positions are not kept as a history."""
    view = await services.on_desk(
        services.desk.position,
        own_unit(services, session),
        place.lat,
        place.lon,
        place.accuracy_m,
        place.client_time_s,
        services.now(),
    )
    return view.as_json()


@router.post("/units/me/state", summary="On duty, off duty, out of service")
async def state(duty: Duty, services: Here, session: Annotated[SessionRow, requires(Permission.UNIT_REPORT)]) -> dict[str, Any]:
    """409 while the unit is committed."""
    view = await services.on_desk(
        services.desk.unit_state,
        own_unit(services, session),
        duty.state,
        actor=services.actor(session.account),
        now_s=services.now(),
    )
    return view.as_json()


def own_unit(services: Services, session: SessionRow) -> str:
    unit = services.scope.units_of.get(session.account.name)
    if unit is None:
        raise Problem(
            "not_found",
            Text(
                "No unit is carried by this account. Name it as `account` of a unit in the settings.",
                "该账户未关联任何处置单元。请在设置中将其填为某单元的 `account`。",
            ),
        )
    return unit
