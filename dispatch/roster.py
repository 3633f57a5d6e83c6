"""The units as they stand, in memory, as columns: what the recommendation looks at. Rebuilt from the store at every start.

Not thread-safe: the desk holds its lock around it. `fleet()` is a copy that may be used without the lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from configs.schema import Unit as UnitSettings
from dispatch import unit
from dispatch.eta import MODES, Router, Snaps
from dispatch.plan import TIERS
from dispatch.recommend import STATES, Fleet
from dispatch.unit import Unit
from dispatch.views import PositionView, UnitView


@dataclass(frozen=True, slots=True)
class Position:
    lat: float
    lon: float
    accuracy_m: float
    at_s: float


class Roster:
    def __init__(
        self,
        settings: Iterable[UnitSettings],
        router: Router,
        *,
        units: Mapping[str, Unit],
        positions: Mapping[str, Position],
        committed: Mapping[str, str],
        skills: Iterable[str],
    ) -> None:
        self._settings = tuple(settings)
        self._router = router
        self.row = {u.id: i for i, u in enumerate(self._settings)}
        self._units = [units.get(u.id, Unit(u.id)) for u in self._settings]
        self._positions: list[Position | None] = [positions.get(u.id) for u in self._settings]
        self.committed = dict(committed)  # unit -> incident
        names = list(dict.fromkeys([*skills, *(s for u in self._settings for s in u.skills)]))
        bits = {name: 1 << k for k, name in enumerate(names)}
        n = len(self._settings)
        where = [
            p if p is not None else Position(*u.base, 0.0, 0.0) for u, p in zip(self._settings, self._positions, strict=True)
        ]
        lat, lon = np.array([p.lat for p in where], np.float64), np.array([p.lon for p in where], np.float64)
        self._fleet = Fleet(
            units=self._settings,
            lat=lat,
            lon=lon,
            position_at_s=np.array([p.at_s for p in where], np.float64),
            known=np.array([p is not None for p in self._positions], bool),
            contact_at_s=np.array([u.contact_at_s for u in self._units], np.float64),
            state=np.array([STATES.index(u.state) for u in self._units], np.int8),
            committed=np.array([u.id in self.committed for u in self._settings], bool),
            skills=np.array([sum({bits[s] for s in u.skills}) for u in self._settings], np.int64),
            tier=np.array([TIERS.index(u.tier) for u in self._settings], np.int8),
            mode=np.array([MODES.index(u.mode) for u in self._settings], np.int8),
            turnout_s=np.array([u.turnout_s for u in self._settings], np.float64),
            snaps=Snaps(np.full(n, -1, np.int64), np.zeros(n), np.full(n, np.inf)),
            skill_bits=bits,
        )
        for mode, name in enumerate(MODES):
            rows = np.flatnonzero(self._fleet.mode == mode)
            if len(rows):
                self._put_snaps(rows, router.snap(name, lat[rows], lon[rows]))

    def _put_snaps(self, rows: np.typing.NDArray[np.intp], snaps: Snaps) -> None:
        kept = self._fleet.snaps
        kept.edge[rows], kept.along[rows], kept.off_m[rows] = snaps.edge, snaps.along, snaps.off_m

    def fleet(self) -> Fleet:
        f = self._fleet
        snaps = Snaps(f.snaps.edge.copy(), f.snaps.along.copy(), f.snaps.off_m.copy())
        columns = ("lat", "lon", "position_at_s", "known", "contact_at_s", "state", "committed")
        return replace(f, snaps=snaps, **{name: getattr(f, name).copy() for name in columns})

    def settings(self, unit_id: str) -> UnitSettings | None:
        row = self.row.get(unit_id)
        return None if row is None else self._settings[row]

    def unit(self, unit_id: str) -> Unit:
        return self._units[self.row[unit_id]]

    def place(self, unit_id: str) -> tuple[float, float]:
        row = self.row[unit_id]
        return (float(self._fleet.lat[row]), float(self._fleet.lon[row]))

    def put_unit(self, changed: Unit) -> None:
        row = self.row.get(changed.id)
        if row is not None:
            self._units[row] = changed
            self._fleet.state[row] = STATES.index(changed.state)
            self._fleet.contact_at_s[row] = changed.contact_at_s

    def put_position(self, unit_id: str, position: Position | None) -> None:
        """None: forgotten; the unit is then taken to be at its base."""
        row = self.row[unit_id]
        settings, f = self._settings[row], self._fleet
        self._positions[row] = position
        lat, lon = settings.base if position is None else (position.lat, position.lon)
        f.lat[row], f.lon[row], f.known[row] = lat, lon, position is not None
        f.position_at_s[row] = 0.0 if position is None else position.at_s
        self._put_snaps(np.array([row]), self._router.snap(settings.mode, f.lat[row : row + 1], f.lon[row : row + 1]))

    def position(self, unit_id: str) -> Position | None:
        return self._positions[self.row[unit_id]]

    def commit(self, unit_id: str, incident: str | None) -> None:
        if incident is None:
            self.committed.pop(unit_id, None)
        else:
            self.committed[unit_id] = incident
        if unit_id in self.row:
            self._fleet.committed[self.row[unit_id]] = incident is not None

    def silent(self, now_s: float, lost_contact_s: float) -> list[str]:
        f = self._fleet
        late = (f.state == STATES.index(unit.State.AVAILABLE)) & (now_s - f.contact_at_s >= lost_contact_s)
        return [self._settings[i].id for i in np.flatnonzero(late)]

    def next_silence_s(self, lost_contact_s: float) -> float | None:
        here = self._fleet.contact_at_s[self._fleet.state == STATES.index(unit.State.AVAILABLE)]
        return float(here.min()) + lost_contact_s if len(here) else None

    def views(self) -> list[UnitView]:
        return [self.view(u.id) for u in self._settings]

    def view(self, unit_id: str) -> UnitView:
        row = self.row[unit_id]
        u, at = self._settings[row], self._positions[row]
        return UnitView(
            id=u.id,
            name=u.name,
            name_zh=u.name_zh,
            skills=u.skills,
            mode=u.mode,
            tier=u.tier,
            state=str(self._units[row].state),
            position=None if at is None else PositionView(at.lat, at.lon, at.at_s, at.accuracy_m),
            committed_to=self.committed.get(u.id),
            base=u.base,
        )
