"""Keeps passwords out of every log line, whatever hands them in."""

from __future__ import annotations

import re
from typing import Any

_IN_URL = re.compile(r"([a-z][a-z0-9+.-]*://)([^/\s:@]*):([^/\s@]*)@", re.IGNORECASE)
_NAMES = ("password", "secret", "token", "cookie", "csrf")


def redact(text: str) -> str:
    """`rtsp://user:word@host` becomes `rtsp://***:***@host`."""
    return _IN_URL.sub(r"\1***:***@", text)


def redact_event(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    for key, value in event.items():
        if any(name in key.lower() for name in _NAMES):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = redact(value)
    return event
