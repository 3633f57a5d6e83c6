"""Where things lie in a data folder. Pure paths; `make()` alone touches the disk."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_MAX = 80  # a unix socket's path may have 107 bytes; the names below need 27


@dataclass(frozen=True, slots=True)
class Layout:
    root: Path

    @property
    def store(self) -> Path:
        return self.root / "callout.db"

    @property
    def clips(self) -> Path:
        return self.root / "media" / "clips"

    @property
    def thumbnails(self) -> Path:
        return self.root / "media" / "thumbnails"

    @property
    def map(self) -> Path:
        return self.root / "map"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def bus(self) -> Path:
        return self.root / "bus"

    @property
    def run(self) -> Path:
        """The folder of the sockets: inside the data folder, or in the temporary one where that path is too long."""
        inside = self.root.resolve() / "run"
        if len(str(inside)) <= SOCKET_PATH_MAX:
            return inside
        return Path(tempfile.gettempdir()) / f"callout-{hashlib.sha256(str(inside).encode()).hexdigest()[:12]}"

    @property
    def live_socket(self) -> Path:
        return self.run / "live.sock"

    @property
    def bus_socket(self) -> Path:
        return self.run / "valkey.sock"

    def feed_socket(self, worker: int) -> Path:
        return self.run / f"feed-{worker}.sock"

    def make(self) -> None:
        for folder in (self.root, self.clips, self.thumbnails, self.map, self.cache, self.bus, self.run):
            folder.mkdir(parents=True, exist_ok=True)
        for private in (self.root, self.run):  # clear clips and the record are for this account alone
            private.chmod(0o700)
