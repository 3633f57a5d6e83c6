"""Response plans: what each hazard needs. `parse` is pure; `load` reads the file. Errors name file and line."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import ConfigError
from configs.schema import Unit
from configs.toml_lines import key_lines, line_of
from vision.sighting import HazardKind

TIERS = ("volunteer", "auxiliary", "professional")
DEFAULT = Path(__file__).resolve().parent.parent / "configs" / "response_plans.toml"


@dataclass(frozen=True, slots=True)
class Skill:
    id: str
    name: str
    name_zh: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`skills`: a unit must have all of them. `count`: how many units. `priority` 1 is the most urgent."""

    kind: HazardKind
    name: str
    name_zh: str
    priority: int
    skills: tuple[str, ...]
    count: int
    tiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plans:
    skills: Mapping[str, Skill]
    plans: Mapping[HazardKind, Plan]

    def of(self, kind: str) -> Plan:
        return self.plans[HazardKind(kind)]

    def check_units(self, units: Iterable[Unit], where: str = "settings") -> None:
        """ConfigError for a unit with a skill that no plan file declares: it would never be chosen for it."""
        for unit in units:
            for skill in unit.skills:
                if skill not in self.skills:
                    raise ConfigError(where, f"unit “{unit.id}”: unknown skill “{skill}”.{_nearest(skill, self.skills)}")


def load(path: Path = DEFAULT) -> Plans:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"the response plans cannot be read: {error}") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Plans:
    """Raises ConfigError (`name:line`) for an unknown kind, skill, tier or key, and for a kind without a plan."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(name, f"not valid TOML: {error}") from None
    reader = _Reader(name, key_lines(text))
    reader.keys(raw, {"skill", "plan"}, ())
    skills: dict[str, Skill] = {}
    for index, table in enumerate(reader.tables(raw, "skill")):
        path = ("skill", index)
        reader.keys(table, {"id", "name", "name_zh"}, path)
        skill = Skill(reader.text(table, "id", path), reader.text(table, "name", path), reader.text(table, "name_zh", path))
        if skill.id in skills:
            raise reader.error((*path, "id"), f"the skill “{skill.id}” is declared twice")
        skills[skill.id] = skill
    plans: dict[HazardKind, Plan] = {}
    for index, table in enumerate(reader.tables(raw, "plan")):
        plan = _plan(reader, table, ("plan", index), skills)
        if plan.kind in plans:
            raise reader.error(("plan", index), f"a second plan for “{plan.kind}”")
        plans[plan.kind] = plan
    for kind in HazardKind:
        if kind not in plans:
            raise ConfigError(name, f"no [[plan]] for the hazard kind “{kind}”: a camera may raise it, so say what it needs")
    return Plans(skills, plans)


def _plan(reader: _Reader, table: dict[str, Any], path: tuple[str | int, ...], skills: Mapping[str, Skill]) -> Plan:
    reader.keys(table, {"kind", "name", "name_zh", "priority", "skills", "count", "tiers"}, path)
    kind = reader.text(table, "kind", path)
    kinds = [str(k) for k in HazardKind]
    if kind not in kinds:
        raise reader.error((*path, "kind"), f"unknown hazard kind “{kind}”.{_nearest(kind, kinds)} The list is closed")
    return Plan(
        kind=HazardKind(kind),
        name=reader.text(table, "name", path),
        name_zh=reader.text(table, "name_zh", path),
        priority=reader.whole(table, "priority", path, 1, 5),
        skills=reader.words(table, "skills", path, tuple(skills)),
        count=reader.whole(table, "count", path, 1, 20),
        tiers=reader.words(table, "tiers", path, TIERS),
    )


class _Reader:
    def __init__(self, name: str, lines: dict[tuple[str | int, ...], int]) -> None:
        self._name, self._lines = name, lines

    def error(self, path: tuple[str | int, ...], message: str) -> ConfigError:
        return ConfigError(f"{self._name}:{line_of(self._lines, path)}", message)

    def tables(self, raw: dict[str, Any], key: str) -> list[dict[str, Any]]:
        value = raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.error((key,), f"write [[{key}]] tables")
        return value

    def keys(self, table: Mapping[str, Any], known: set[str], path: tuple[str | int, ...]) -> None:
        for key in table:
            if key not in known:
                raise self.error((*path, key), f"unknown key “{key}”.{_nearest(key, known)}")

    def text(self, table: Mapping[str, Any], key: str, path: tuple[str | int, ...]) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error((*path, key), f"{key} is missing or empty; it must be a text")
        return value

    def whole(self, table: Mapping[str, Any], key: str, path: tuple[str | int, ...], low: int, high: int) -> int:
        value = table.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.error((*path, key), f"{key} must be a whole number from {low} to {high}")
        return value

    def words(self, table: Mapping[str, Any], key: str, path: tuple[str | int, ...], known: tuple[str, ...]) -> tuple[str, ...]:
        value = table.get(key)
        if not isinstance(value, list) or not value:
            raise self.error((*path, key), f"{key} must be a list of at least one of: {', '.join(known)}")
        for word in value:
            if word not in known:
                raise self.error((*path, key), f"unknown {key[:-1]} “{word}”.{_nearest(str(word), known)}")
        return tuple(value)


def _nearest(word: str, known: Iterable[str]) -> str:
    known = sorted(known)
    near = difflib.get_close_matches(word, known, 1)
    return f" Did you mean “{near[0]}”?" if near else f" Known: {', '.join(known)}."
