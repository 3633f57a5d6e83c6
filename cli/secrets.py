"""Keeps passwords out of every log line, whatever hands them in."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from pathlib import PurePath
from typing import Any

from streams.redact import HIDDEN, redact_url

# To the next blank: what cannot be split safely is hidden. One slash: a URL that went through a Path has lost the other.
_URL = re.compile(r"[a-z][a-z0-9+.-]*://?\S+", re.IGNORECASE)
_NAMES = ("password", "secret", "token", "cookie", "csrf")
_AS_IT_IS = ("exc_info", "_record", "_from_structlog")  # structlog's own


def redact(text: str) -> str:
    """`rtsp://user:word@host` becomes `rtsp://***@host`, wherever it stands in the text."""
    return _URL.sub(lambda found: redact_url(found.group()), text) if ":/" in text else text


def redact_event(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor. It stands behind the one that makes exceptions into text."""
    for key, value in event.items():
        if key not in _AS_IT_IS:
            event[key] = HIDDEN if _is_secret(key) else _clean(value)
    return event


def _is_secret(key: object) -> bool:
    return isinstance(key, str) and any(name in key.lower() for name in _NAMES)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {key: HIDDEN if _is_secret(key) else _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    said = str(value) if isinstance(value, BaseException | PurePath) else repr(value)
    return redact(said)
