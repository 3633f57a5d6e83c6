"""No password gets into a log: whatever it looks like, wherever in an event it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cli.secrets import redact, redact_event
from streams.redact import HIDDEN

ROOT = Path(__file__).resolve().parents[2]
_word = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=20)
_host = st.from_regex(r"[a-z][a-z0-9.-]{0,15}(:[0-9]{2,5})?", fullmatch=True)


@given(st.sampled_from(["rtsp", "rtsps", "redis", "http"]), _word, _host)
def test_a_password_in_a_url_is_hidden_whatever_it_holds(scheme: str, word: str, host: str) -> None:
    said = redact(f"cannot open {scheme}://admin:{word}@{host}/cam1 at all")
    assert said == f"cannot open {scheme}://{HIDDEN}@{host}/cam1 at all"


@given(st.text(max_size=60).filter(lambda text: ":/" not in text))
def test_a_text_without_a_url_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


@given(_word)
def test_in_an_event_it_is_hidden_at_any_depth(word: str) -> None:
    secret = f"Zq9{word}9qZ"
    url = f"rtsp://admin:{secret}@cam/1"
    event = redact_event(None, "info", {
        "event": f"lost {url}", "password": secret, "Session_Token": secret, "camera": {"url": url, "csrf": secret},
        "rows": [url, (url, 1)], "error": ValueError(url), "path": Path(url), "other": object(), "count": 3, "none": None,
    })  # fmt: skip
    said = json.dumps(event, default=repr, ensure_ascii=False)
    assert secret not in said
    assert (event["count"], event["none"]) == (3, None)
    assert event["camera"]["url"] == f"rtsp://{HIDDEN}@cam/1"


_TALKER = """
import logging, sys
import structlog
from cli import logs
getattr(logs, sys.argv[1])()
url = "rtsp://admin:Tr0ub4dor@cam/1"
log = structlog.get_logger()
try:
    raise ValueError(f"cannot open {url}")
except ValueError:
    log.exception("camera.failed", url=url)
    logging.getLogger("library").exception("failed on %s", url)
logging.getLogger("library").warning("again %s", url)
"""


def test_the_logs_themselves_hide_it_in_exceptions_and_in_what_libraries_say() -> None:
    for style in ("to_file", "to_terminal"):
        done = subprocess.run(
            [sys.executable, "-c", _TALKER, style], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
        assert "camera.failed" in done.stderr
        assert "ValueError" in done.stderr
        lines = done.stderr.splitlines()
        if style == "to_file":
            assert "Tr0ub4dor" not in done.stderr
            events = [json.loads(line) for line in lines]  # every line is one event, also a library's
            assert [event["event"] for event in events] == ["camera.failed", "library", "library"]
            assert f"rtsp://{HIDDEN}@cam/1" in events[0]["exception"]
        else:
            ours = done.stderr[: done.stderr.index("failed on")]
            assert "Tr0ub4dor" not in ours
