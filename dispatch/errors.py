"""What dispatch refuses, and in whose words: every refusal has a stable `code` and its sentence in English and Chinese.

web turns them into problem+json (`code`, `text(language)`, `facts()`); the command line prints `str(error)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dispatch.views import IncidentView

Language = Literal["en", "zh"]


class Refusal(Exception):
    """Something that was asked for and will not be done. `code` is stable; `en`/`zh` are for the person who asked."""

    code = "refused"

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh

    def text(self, language: Language = "en") -> str:
        return self.zh if language == "zh" else self.en

    def facts(self) -> dict[str, Any]:
        """Further JSON members of the problem document."""
        return {}


class NotFound(Refusal):
    """There is no such incident, assignment, unit, camera or grant (or it has ended)."""

    code = "not_found"

    def __init__(self, what: str, key: str) -> None:
        zh = {"incident": "警情", "assignment": "派遣", "unit": "处置单元", "camera": "摄像机", "grant": "授权"}.get(what, what)
        super().__init__(f"There is no {what} “{key}”.", f"没有编号为“{key}”的{zh}。")
        self.what, self.key = what, key


class Stale(Refusal):
    """Somebody else changed the incident first. `current` is how it stands now."""

    code = "stale"

    def __init__(self, current: IncidentView, expected: int) -> None:
        super().__init__(
            f"Incident {current.number} was changed meanwhile (version {current.version}, you saw {expected}). "
            "Look again, then decide.",
            f"警情 {current.number} 已被他人更改（当前版本 {current.version}，您看到的是 {expected}）。请重新查看后再决定。",
        )
        self.current = current

    def facts(self) -> dict[str, Any]:
        return {"current": self.current.as_json()}


class Impossible(Refusal):
    """The state machine has no such step from here. `possible` are the steps that it has."""

    code = "impossible"

    def __init__(self, action: str, state: str, possible: tuple[str, ...], because: tuple[str, str] = ("", "")) -> None:
        steps = ", ".join(possible) or "nothing"
        steps_zh = "、".join(possible) or "无"
        why, why_zh = (f" {because[0]}", because[1]) if because[0] else ("", "")
        super().__init__(
            f"“{action}” is not possible in state “{state}”.{why} Possible now: {steps}.",
            f"状态“{state}”下不能执行“{action}”。{why_zh}当前可执行：{steps_zh}。",
        )
        self.action, self.state, self.possible = action, state, possible

    def facts(self) -> dict[str, Any]:
        return {"action": self.action, "state": self.state, "possible": list(self.possible)}


class Taken(Refusal):
    """The unit already holds an active assignment (of incident `by`): nobody is booked twice."""

    code = "taken"

    def __init__(self, unit: str, by: str) -> None:
        super().__init__(
            f"Unit “{unit}” is already committed to incident {by}. Choose another unit, or withdraw it there first.",
            f"处置单元“{unit}”已派往警情 {by}。请另选单元，或先在该警情中撤回。",
        )
        self.unit, self.by = unit, by

    def facts(self) -> dict[str, Any]:
        return {"unit": self.unit, "by": self.by}


class Forbidden(Refusal):
    """A responder may answer for the own unit alone."""

    code = "forbidden"

    def __init__(self, unit: str) -> None:
        super().__init__(f"You do not carry unit “{unit}”.", f"您不是处置单元“{unit}”的携带者。")
        self.unit = unit


class BadInput(Refusal):
    """A field has a value that cannot be meant. `field` names it, `why` says what would be right."""

    code = "bad_input"

    def __init__(self, field: str, why: str, why_zh: str = "") -> None:
        super().__init__(f"{field}: {why}", f"{field}：{why_zh or why}")
        self.field, self.why = field, why

    def facts(self) -> dict[str, Any]:
        return {"field": self.field}


class StoreFailed(Refusal):
    """The disk is full or the store cannot be written. Nothing of the command was kept."""

    code = "store_failed"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path}: could not be written ({why}). Nothing of this step was kept. "
            "Free space or repair the disk, then repeat it.",
            f"{path}：无法写入（{why}）。本次操作未保存任何内容。请释放磁盘空间或修复磁盘后重试。",
        )
        self.path = path
