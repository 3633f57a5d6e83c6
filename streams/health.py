"""What a camera's tile says: state, since when and why. Pure: events in, a new Health out.

connecting ──▶ live ◀──▶ degraded      pictures come, all well / not all well (losses, frozen picture, disk full)
    ▲            │
    └── failures ┴─▶ stalled | unauthorised | unreachable      paused: switched off by a person
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from streams.source_errors import SourceError, Why

STALLED_AFTER_S = 5.0  # no packet for so long
FROZEN_AFTER_S = 10.0
CORRUPT_SHARE = 0.05  # of the last pictures, above which the camera's network is to be looked at
CORRUPT_MEMORY = 200  # pictures


class State(StrEnum):
    CONNECTING = "connecting"
    LIVE = "live"
    DEGRADED = "degraded"
    STALLED = "stalled"
    UNAUTHORISED = "unauthorised"
    UNREACHABLE = "unreachable"
    PAUSED = "paused"


_STATE_OF: dict[Why, State] = {
    Why.UNAUTHORISED: State.UNAUTHORISED,
    Why.STALLED: State.STALLED,
    Why.ENDED: State.CONNECTING,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong while pictures come. `code` names it, the texts are for people."""

    code: str
    text: str
    text_zh: str


@dataclass(frozen=True, slots=True)
class Health:
    """`since_s` is when the present state began (not its reason). Times in unix seconds."""

    state: State = State.CONNECTING
    since_s: float = 0.0
    reason: str = ""
    reason_zh: str = ""
    last_packet_s: float | None = None
    corrupt_share: float = 0.0
    problems: tuple[Problem, ...] = field(default=())


def _to(health: Health, state: State, now_s: float, reason: str, reason_zh: str) -> Health:
    since_s = health.since_s if state is health.state else now_s
    return replace(health, state=state, since_s=since_s, reason=reason, reason_zh=reason_zh)


def connecting(now_s: float) -> Health:
    """A camera at its very start."""
    return Health(State.CONNECTING, now_s, "connecting", "正在连接")


def paused(health: Health, now_s: float) -> Health:
    return _to(replace(health, problems=()), State.PAUSED, now_s, "switched off", "已停用")


def failed(health: Health, error: SourceError, now_s: float) -> Health:
    """The connection failed, or never came up. While it is tried again the state stays, so that a tile does not flicker."""
    state = _STATE_OF.get(error.why, State.UNREACHABLE)
    still_away = health.state in {State.UNREACHABLE, State.STALLED, State.UNAUTHORISED}
    if state is State.CONNECTING and still_away:
        state = health.state
    return _to(replace(health, problems=(), corrupt_share=0.0), state, now_s, error.text, error.text_zh)


def packet(health: Health, now_s: float) -> Health:
    """A packet came."""
    if health.state is State.PAUSED:
        return health
    return _flowing(replace(health, last_packet_s=now_s), now_s)


def decoded(health: Health, now_s: float, *, corrupt: bool) -> Health:
    """A picture was decoded, whole or damaged: a moving share over about the last CORRUPT_MEMORY pictures."""
    share = health.corrupt_share + (float(corrupt) - health.corrupt_share) / CORRUPT_MEMORY
    health = replace(health, corrupt_share=share)
    was = any(p.code == "losses" for p in health.problems)
    if share > CORRUPT_SHARE or (was and share > CORRUPT_SHARE / 2):  # it must halve before it counts as well again
        text = f"{share:.0%} of the pictures are damaged: packets are lost between the camera and here"
        return with_problem(health, Problem("losses", text, f"{share:.0%} 的画面受损：摄像机与服务器之间有丢包"), now_s)
    return without_problem(health, "losses", now_s) if was else health


def with_problem(health: Health, problem: Problem, now_s: float) -> Health:
    """Something is wrong while pictures come (disk full, frozen, losses). The same code again replaces the text."""
    others = tuple(p for p in health.problems if p.code != problem.code)
    return _with(health, (*others, problem), now_s)


def without_problem(health: Health, code: str, now_s: float) -> Health:
    return _with(health, tuple(p for p in health.problems if p.code != code), now_s)


def tick(health: Health, now_s: float, *, stalled_after_s: float = STALLED_AFTER_S) -> Health:
    """Time passed: a live camera that sent nothing for a while is stalled, even if its connection still stands."""
    if health.state not in {State.LIVE, State.DEGRADED} or health.last_packet_s is None:
        return health
    if now_s - health.last_packet_s <= stalled_after_s:
        return health
    text = f"no picture for {stalled_after_s:g} s"
    return _to(health, State.STALLED, now_s, text, f"已有 {stalled_after_s:g} 秒没有画面")


def _flowing(health: Health, now_s: float) -> Health:
    """Pictures come: live, or degraded while there are problems."""
    if not health.problems:
        return health if health.state is State.LIVE else _to(health, State.LIVE, now_s, "", "")
    reason, reason_zh = "; ".join(p.text for p in health.problems), "；".join(p.text_zh for p in health.problems)
    return _to(health, State.DEGRADED, now_s, reason, reason_zh)


def _with(health: Health, problems: tuple[Problem, ...], now_s: float) -> Health:
    health = replace(health, problems=problems)
    return _flowing(health, now_s) if health.state in {State.LIVE, State.DEGRADED} else health


@dataclass(frozen=True, slots=True)
class Facts:
    """The measured part of a camera's health message."""

    fps: float = 0.0
    inferred_per_s: float = 0.0
    width: int = 0
    height: int = 0
    codec: str = ""


def to_json(camera: str, health: Health, facts: Facts, at_s: float) -> str:
    """The message for the bus (`callout:health`)."""
    return json.dumps(
        {
            "camera": camera,
            "state": health.state.value,
            "since_s": health.since_s,
            "reason": health.reason,
            "reason_zh": health.reason_zh,
            **asdict(facts),
            "at_s": at_s,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    digest: int = 0
    since_s: float = 0.0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Freeze:
    """Whether the picture stands still in a way that no scene does: the very same luma again and again.

    A live sensor has noise, so its key frames never repeat to the bit. A camera (or an attacker) that repeats an old one does.
    Two runs are kept: over all pictures (a stream that repeats "no change") and over key frames (one that codes the same again).
    """

    every: _Run = field(default_factory=_Run)
    keys: _Run = field(default_factory=_Run)


def _run(run: _Run, digest: int, now_s: float) -> _Run:
    return _Run(run.digest, run.since_s, run.count + 1) if run.count and run.digest == digest else _Run(digest, now_s, 1)


def look(freeze: Freeze, digest: int, now_s: float, *, key: bool) -> Freeze:
    """`digest` is any hash of the decoded luma (or of its thumbnail)."""
    return Freeze(_run(freeze.every, digest, now_s), _run(freeze.keys, digest, now_s) if key else freeze.keys)


def frozen_since(freeze: Freeze, now_s: float, *, after_s: float = FROZEN_AFTER_S) -> float | None:
    """Since when (unix seconds) the picture is frozen; None while it is not, or not for `after_s` yet."""
    since = [run.since_s for run in (freeze.every, freeze.keys) if run.count >= 3 and now_s - run.since_s >= after_s]
    return min(since, default=None)


def frozen_problem(since_s: float, now_s: float) -> Problem:
    seconds = f"{now_s - since_s:.0f}"
    return Problem(
        "frozen", f"the picture has been exactly the same for {seconds} s: frozen?", f"画面已有 {seconds} 秒毫无变化：是否卡住？"
    )
