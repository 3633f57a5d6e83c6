"""The fan-out: who receives what, what a slow console gets, and what a silent camera means."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Account
from tests.web.web_kit import NOW_S, settings
from web.health_book import SILENT_AFTER_S, HealthBook
from web.hub import QUEUE_MAX, Console, Hub
from web.policy import Scope
from web.watching import Viewing, Watching

SITE = settings()
ACCOUNTS = {account.name: account for account in SITE.account}


def consoles(hub: Hub, *names: str) -> dict[str, Console]:
    made = {name: Console(f"session-{name}", ACCOUNTS[name]) for name in names}
    for console in made.values():
        hub.join(console)
    return made


def waiting(console: Console) -> list[dict[str, Any]]:
    found = []
    while not console.queue.empty():
        text = console.queue.get_nowait()
        assert text is not None
        found.append(json.loads(text))
    return found


def incident(camera: str, *units: tuple[str, str]) -> dict[str, Any]:
    return {
        "id": "i1", "camera": camera, "next": ["confirm"], "clips": [{"id": "c"}], "alert": {"code": "no_unit"},
        "assignments": [{"unit": unit, "state": state} for unit, state in units],
        "journal": [{"actor": "operator", "text": "x"}, {"actor": "responder", "text": "y"}],
    }  # fmt: skip


def test_consoles_get_what_they_may_see() -> None:
    hub = Hub(Scope.of(SITE))
    there = consoles(
        hub, "operator", "depot-operator", "north-operator", "commander", "responder", "other-responder", "integrator"
    )
    hub.publish({"type": "incident", "incident": incident("gate", ("patrol", "accepted"), ("engine", "declined"))}, camera="gate")
    got = {name: waiting(console) for name, console in there.items()}
    assert {name for name, messages in got.items() if messages} == {
        "operator",
        "commander",
        "responder",
        "other-responder",
        "integrator",
    }
    assert got["operator"][0]["incident"]["next"] == ["confirm"]
    shown = got["responder"][0]["incident"]
    assert [one["unit"] for one in shown["assignments"]] == ["patrol"]
    assert (shown["clips"], shown["next"], shown["alert"]) == ([], [], None)
    assert [entry["actor"] for entry in shown["journal"]] == ["responder"]
    assert got["other-responder"] == [{"type": "incident_gone", "id": "i1"}], "the one who declined is told to forget it"


def test_units_and_assignments_reach_their_own_phone_and_the_control_room() -> None:
    hub = Hub(Scope.of(SITE))
    there = consoles(hub, "operator", "depot-operator", "responder", "other-responder", "integrator")
    hub.publish({"type": "assignment", "assignment": {"unit": "patrol"}}, camera="gate", unit="patrol")
    assert {name for name, console in there.items() if waiting(console)} == {"operator", "responder"}
    hub.publish({"type": "unit", "unit": {"id": "engine"}}, unit="engine")
    assert {name for name, console in there.items() if waiting(console)} == set(there) - {"responder"}
    hub.publish({"type": "unit", "unit": {"id": "northern"}}, unit="northern")
    assert {name for name, console in there.items() if waiting(console)} == set(), "a unit of another jurisdiction"


def test_boxes_go_to_those_who_watch() -> None:
    hub = Hub(Scope.of(SITE))
    there = consoles(hub, "operator", "commander")
    there["operator"].watch = frozenset({"gate"})
    hub.boxes("gate", {"type": "boxes", "camera": "gate", "boxes": []})
    hub.boxes("yard", {"type": "boxes", "camera": "yard", "boxes": []})
    assert [message["camera"] for message in waiting(there["operator"])] == ["gate"]
    assert waiting(there["commander"]) == []


@given(st.lists(st.sampled_from(["incident", "boxes", "read"]), max_size=700))
def test_a_slow_console_never_fills_the_memory_and_knows_that_it_missed_something(steps: list[str]) -> None:
    hub = Hub(Scope.of(SITE))
    slow = consoles(hub, "operator")["operator"]
    slow.watch = frozenset({"gate"})
    sent = received = 0
    told = False
    for step in steps:
        if step == "incident":
            sent += 1
            hub.publish({"type": "incident", "incident": incident("gate")}, camera="gate")
        elif step == "boxes":
            hub.boxes("gate", {"type": "boxes"})
        elif not slow.queue.empty():
            message = json.loads(slow.queue.get_nowait() or "")
            received += message["type"] == "incident"
            told |= message["type"] == "resync"
        assert slow.queue.qsize() <= QUEUE_MAX
    for message in waiting(slow):
        received += message["type"] == "incident"
        told |= message["type"] == "resync"
    assert told or received == sent


def test_a_slow_console_does_not_hold_up_the_others() -> None:
    hub = Hub(Scope.of(SITE))
    there = consoles(hub, "operator", "commander")
    for _ in range(QUEUE_MAX + 5):
        hub.publish({"type": "incident", "incident": incident("gate")}, camera="gate")
        waiting(there["commander"])
    assert hub.resyncs == 1
    assert waiting(there["operator"])[0] == {"type": "resync"}


def test_changed_accounts_and_ended_sessions_reach_open_consoles() -> None:
    hub = Hub(Scope.of(SITE))
    console = consoles(hub, "operator")["operator"]
    console.watch = frozenset({"gate"})
    hub.renew(console.session, Account("operator", "operator", "", "city", ("depot",)))
    assert console.watch == frozenset()
    hub.publish({"type": "incident", "incident": incident("gate")}, camera="gate")
    assert waiting(console) == []
    hub.end_session(console.session)
    assert console.queue.get_nowait() is None


def test_health_keeps_known_fields_and_the_newest() -> None:
    book = HealthBook()
    assert book.put({"camera": "gate", "at_s": NOW_S, "state": "live", "people": 4}) == "gate"
    assert book.put({"camera": "gate", "at_s": NOW_S - 1, "state": "stalled"}) is None
    assert book.put({"state": "live"}) is None
    assert book.of("gate", NOW_S)["state"] == "live"
    assert "people" not in book.of("gate", NOW_S)
    silent = book.of("gate", NOW_S + SILENT_AFTER_S + 1)
    assert silent["state"] == "stalled"
    assert silent["since_s"] == NOW_S
    assert silent["reason_zh"]
    assert book.states(NOW_S) == {"live": 1}


def test_viewings_that_are_young_are_not_taken_for_gone() -> None:
    watching = Watching()
    for number, started_at_s in enumerate((100.0, 195.0)):
        watching.add(Viewing(f"s{number}", "web", ACCOUNTS["operator"], "gate", "wall", None, None, started_at_s))
    assert [one.session for one in watching.gone([], started_before_s=170.0)] == ["s0"]
    assert watching.gone(["s0"], started_before_s=170.0) == []
    assert watching.end("s0") is not None
    assert watching.end("s0") is None
