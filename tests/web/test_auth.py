"""Signing in and out, cookies, CSRF, Origin, and the brake on guessing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Account
from tests.web.web_kit import CHEAP, NOW_S, ORIGIN, PASSWORD, house, problem
from web.accounts import IDLE_S, AccountError, Accounts, make_password, session_id
from web.auth import COOKIE, Throttle

LOGIN = {"name": "operator", "password": PASSWORD}


def test_sign_in_tells_who_one_is_and_sets_a_strict_cookie(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            answer = await h.browser().post("/api/v1/session", json=LOGIN)
            me = answer.json()
            assert me | {"csrf": "", "may": [], "expires_at_s": 0} == {
                "name": "operator", "display": "Olga", "role": "operator", "jurisdiction": "city", "groups": ["square"],
                "csrf": "", "unit": None, "may": [], "expires_at_s": 0,
            }  # fmt: skip
            cookie = answer.headers["set-cookie"].lower()
            assert "httponly" in cookie
            assert "samesite=strict" in cookie
            assert "secure" not in cookie
            assert "path=/" in cookie
            assert (await (await h.signed_in("responder")).get("/api/v1/session")).json()["unit"] == "patrol"

    asyncio.run(run())


def test_the_cookie_is_secure_behind_https(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, public_origins=("https://callout.example",)) as h:
            browser = h.browser()
            answer = await browser.post("/api/v1/session", json=LOGIN, headers={"Origin": "https://callout.example"})
            assert answer.status_code == 200
            assert "secure" in answer.headers["set-cookie"].lower()
            assert answer.headers["strict-transport-security"]

    asyncio.run(run())


def test_the_store_holds_neither_password_nor_token(tmp_path: Path) -> None:
    async def run() -> str:
        async with house(tmp_path) as h:
            client = await h.signed_in("operator")
            token = client.cookies[COOKIE]
            assert h.services.accounts.store.session(session_id(token)) is not None
        return token

    token = asyncio.run(run())
    files = list(tmp_path.glob("accounts.db*"))
    assert files
    for file in files:
        assert file.stat().st_mode & 0o077 == 0, file
        data = file.read_bytes()
        assert token.encode() not in data
        assert PASSWORD.encode() not in data


def test_a_session_that_the_browser_brings_along_is_not_taken_over(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            browser = h.browser()
            browser.cookies.set(COOKIE, "planted-by-an-attacker")
            await browser.post("/api/v1/session", json=LOGIN)
            first = browser.cookies.get(COOKIE, domain="callout.test")
            assert first != "planted-by-an-attacker"
            browser.cookies.delete(COOKIE, domain="")
            await browser.post("/api/v1/session", json=LOGIN)
            second = browser.cookies.get(COOKIE, domain="callout.test")
            assert second not in (None, first)
            assert h.services.accounts.find_session(first or "", h.clock()) is None, "the old one ends at the new sign-in"

    asyncio.run(run())


def test_signing_out_ends_session_sockets_and_pictures(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            client = await h.signed_in("operator")
            sdp = {"Content-Type": "application/sdp"}
            assert (await client.post("/whep/wall/gate", content="v=0\r\n", headers=sdp)).status_code == 201
            token = client.cookies[COOKIE]
            answer = await client.delete("/api/v1/session")
            assert answer.status_code == 204
            assert h.live.open == {}
            assert len(h.services.watching) == 0
            client.cookies.set(COOKIE, token)
            problem(await client.get("/api/v1/session"), 401, "not_signed_in")

    asyncio.run(run())


def test_sessions_end_when_idle_and_at_their_term(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            idle = await h.signed_in("operator")
            h.clock.advance(IDLE_S + 1)
            problem(await idle.get("/api/v1/session"), 401, "not_signed_in")
            busy = await h.signed_in("operator")
            for _ in range(11):
                h.clock.advance(3600)
                assert (await busy.get("/api/v1/session")).status_code == 200
            h.clock.advance(3601)
            problem(await busy.get("/api/v1/session"), 401, "not_signed_in")

    asyncio.run(run())


def test_a_new_password_ends_the_sessions_and_a_new_role_works_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            client = await h.signed_in("operator")
            h.services.accounts.ensure(Account("operator", "auditor", "", "city"))
            assert (await client.get("/api/v1/session")).json()["role"] == "auditor"
            h.services.accounts.set_password("operator", "an entirely new one")
            problem(await client.get("/api/v1/session"), 401, "not_signed_in")

    asyncio.run(run())


def test_wrong_passwords_and_unknown_names_get_the_same_answer_for_the_same_work(tmp_path: Path) -> None:
    class Counting(PasswordHasher):
        verified = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]  # noqa: A002
            Counting.verified += 1
            return super().verify(hash, password)

    accounts = Accounts.open(tmp_path, hasher=Counting(time_cost=1, memory_cost=8, parallelism=1))
    accounts.ensure(Account("known", "operator"), PASSWORD)
    accounts.ensure(Account("without-password", "operator"))
    for name in ("known", "unknown", "without-password"):
        before = Counting.verified
        assert accounts.verify(name, "not the password") is None
        assert Counting.verified == before + 1, name
    assert accounts.verify("without-password", "") is None
    accounts.close()

    async def run() -> None:
        async with house(tmp_path / "site") as h:
            wrong = await h.browser().post("/api/v1/session", json={"name": "operator", "password": "not the password"})
            unknown = await h.browser().post("/api/v1/session", json={"name": "nobody", "password": "not the password"})
            assert problem(wrong, 401, "wrong_password") == problem(unknown, 401, "wrong_password")
            assert "set-cookie" not in wrong.headers
            noted = [(e.actor, e.role) for e in h.desk.audit() if e.action == "session.refused"]
            assert noted == [("operator", "operator"), ("?", "unknown")], "a name that nobody has is not kept, and has no role"

    asyncio.run(run())


def test_guessing_is_slowed_down_and_says_for_how_long(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            bad = {"name": "operator", "password": "a wrong guess"}
            for _ in range(5):
                problem(await h.browser().post("/api/v1/session", json=bad), 401, "wrong_password")
            refused = await h.browser(**{"Accept-Language": "zh-CN"}).post("/api/v1/session", json=LOGIN)
            body = problem(refused, 429, "too_many")
            assert int(refused.headers["retry-after"]) == body["retry_after_s"] >= 1
            assert "秒" in body["detail"]
            other = await h.browser().post("/api/v1/session", json={"name": "auditor", "password": PASSWORD})
            assert other.status_code == 200, "nobody else is locked out"
            h.clock.advance(5)
            assert (await h.browser().post("/api/v1/session", json=LOGIN)).status_code == 200

    asyncio.run(run())


def test_parallel_guesses_do_not_slip_through(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            bad = {"name": "operator", "password": "a wrong guess"}
            answers = await asyncio.gather(*(h.browser().post("/api/v1/session", json=bad) for _ in range(20)))
            assert sorted({answer.status_code for answer in answers}) == [401, 429]
            assert sum(answer.status_code == 401 for answer in answers) == 5

    asyncio.run(run())


@given(st.lists(st.tuples(st.floats(0, 2000), st.booleans()), max_size=60))
def test_throttle_never_waits_longer_than_its_window_and_forgives(steps: list[tuple[float, bool]]) -> None:
    throttle, now_s = Throttle(), 0.0
    for gap_s, right in steps:
        now_s += gap_s
        wait_s = throttle.begin("a", "host", now_s)
        assert 0 <= wait_s <= Throttle.WINDOW_S
        if wait_s == 0 and right:
            throttle.succeeded("a", "host")
            assert throttle.begin("a", "host", now_s) == 0
            throttle.succeeded("a", "host")
    assert throttle.begin("a", "host", now_s + Throttle.WINDOW_S) == 0


def test_unsafe_requests_need_the_token_of_the_session(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            incident = await h.opened()
            client, other = await h.signed_in("operator"), await h.signed_in("commander")
            path = f"/api/v1/incidents/{incident['id']}/note"
            for token in ("", "x" * 32, other.headers["X-Callout-CSRF"]):
                problem(await client.post(path, json={"note": "n"}, headers={"X-Callout-CSRF": token}), 403, "wrong_csrf")
            problem(await client.delete("/api/v1/session", headers={"X-Callout-CSRF": ""}), 403, "wrong_csrf")
            sdp = {"Content-Type": "application/sdp", "X-Callout-CSRF": ""}
            problem(await client.post("/whep/wall/gate", content="v=0\r\n", headers=sdp), 403, "wrong_csrf")
            assert (await client.post(path, json={"note": "n"})).status_code == 200

    asyncio.run(run())


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://callout.test.evil.example"},
    {"Origin": "http://callout.test:81"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    {},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_what_comes_from_elsewhere_is_refused_at_every_unsafe_door(tmp_path: Path, headers: dict[str, str]) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            client = await h.signed_in("operator")
            del client.headers["Origin"]
            client.headers.update(headers)
            sdp = {"Content-Type": "application/sdp"}
            problem(await client.post("/api/v1/session", json=LOGIN), 403, "wrong_origin")
            problem(await client.post("/api/v1/incidents/x/note", json={"note": "n"}), 403, "wrong_origin")
            problem(await client.post("/whep/wall/gate", content="v=0\r\n", headers=sdp), 403, "wrong_origin")
            problem(await client.delete("/whep/session/x"), 403, "wrong_origin")
            assert h.live.open == {}
            assert (await client.get("/api/v1/session")).status_code == 200, "reading is the browser's own business (CORS)"

    asyncio.run(run())


def test_our_own_pages_and_listed_origins_come_through(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, public_origins=("https://callout.example",)) as h:
            for headers in (
                {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"},
                {"Origin": "https://callout.example", "Sec-Fetch-Site": "cross-site"},
            ):
                assert (await h.browser(**headers).post("/api/v1/session", json=LOGIN)).status_code == 200
            bare = h.browser(**{"Sec-Fetch-Site": "same-origin"})
            del bare.headers["Origin"]
            assert (await bare.post("/api/v1/session", json=LOGIN)).status_code == 200

    asyncio.run(run())


def test_accounts_of_the_command_line(tmp_path: Path) -> None:
    accounts = Accounts.open(tmp_path, hasher=CHEAP)
    person = Account("anna", "operator", "Anna", "city", ("square",))
    accounts.add(person, PASSWORD)
    assert accounts.list() == [person]
    with pytest.raises(AccountError, match="already"):
        accounts.add(person, PASSWORD)
    with pytest.raises(AccountError, match="10 to 256"):
        accounts.set_password("anna", "short")
    with pytest.raises(AccountError, match="no account"):
        accounts.set_password("nobody", PASSWORD)
    with pytest.raises(AccountError, match="role"):
        accounts.add(Account("bob", "king"), PASSWORD)  # type: ignore[arg-type]
    assert accounts.verify("anna", PASSWORD) == person
    listed = Account("carl", "auditor")
    assert accounts.ensure(listed, PASSWORD)
    assert not accounts.ensure(listed, make_password()), "the password is set once; ensure does not replace it"
    assert accounts.verify("carl", PASSWORD) == listed
    accounts.ensure_all([listed])
    assert {one.name for one in accounts.list()} == {"anna", "carl"}
    carls = accounts.open_session(listed, NOW_S)
    accounts.ensure_all([])
    assert [one.name for one in accounts.list()] == ["anna"], "taken out of the settings: gone; added by hand: kept"
    assert accounts.session(carls.session.id, NOW_S) is None
    opened = accounts.open_session(person, NOW_S)
    accounts.store.remove("anna")
    assert accounts.session(opened.session.id, NOW_S) is None
    accounts.close()


def test_made_passwords_are_long_and_differ() -> None:
    made = {make_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(word) == 23 for word in made)


def test_a_disk_without_room_is_said_at_the_sign_in(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            pages = h.services.accounts.store._sql.execute("PRAGMA page_count").fetchone()[0]
            h.services.accounts.store._sql.execute(f"PRAGMA max_page_count = {pages}")  # as full as a disk can be
            h.services.accounts.store._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            answers = [await h.browser().post("/api/v1/session", json=LOGIN) for _ in range(40)]
            full = next(answer for answer in answers if answer.status_code != 200)
            assert problem(full, 507, "store_failed")["detail"].startswith("accounts.db: could not be written (the disk is full)")

    asyncio.run(run())
