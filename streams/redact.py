"""Camera addresses without their passwords: the only form that a log, a message or an API may see. Pure."""

from __future__ import annotations

import re

HIDDEN = "***"
# Cameras take credentials in the query and even in the path: ?user=admin&password=x, /user=admin_password=x_channel=1.
_SECRET = re.compile(
    r"(?i)((?:^|[?&;/_,.#-])(?:user(?:name)?|usr|login|pass(?:wd|word|phrase)?|pwd|psw|token|secret|auth|api_?key|key|sig(?:nature)?)=)"
    r"([^&;/#]*?)(?=_(?:[a-z]+)=|[&;/#]|$)"
)


def redact_url(url: str) -> str:
    """`rtsp://user:pass@host/path` → `rtsp://***@host/path`, whatever stands in the password.

    What cannot be split safely is hidden rather than shown: everything up to the last @ counts as credentials.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    credentials, at, place = rest.rpartition("@")
    if at and credentials:
        rest = f"{HIDDEN}@{place}"
    return scheme + mark + _SECRET.sub(lambda m: m.group(1) + HIDDEN, rest)
