"""Which incident a thumbnail belongs to, so that a picture's address alone opens nothing. Bounded, in memory."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

KEEP = 20_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Thumbnails:
    """Learns from every incident that is shown (nobody knows a thumbnail's address before that)."""

    def __init__(self) -> None:
        self._incident_of: OrderedDict[str, str] = OrderedDict()

    def learn(self, incident: Mapping[str, Any]) -> None:
        found = _SHA256.search(incident.get("thumbnail") or "")
        if found:
            self._incident_of[found.group()] = str(incident["id"])
            self._incident_of.move_to_end(found.group())
            if len(self._incident_of) > KEEP:
                self._incident_of.popitem(last=False)

    def incident_of(self, sha256: str) -> str | None:
        return self._incident_of.get(sha256)


def is_sha256(text: str) -> bool:
    return _SHA256.fullmatch(text) is not None
