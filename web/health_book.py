"""The newest health of each camera, as the workers publish it, and what silence means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SILENT_AFTER_S = 20.0  # workers report at least every few seconds; longer silence is itself a fault

FIELDS = (
    "camera", "state", "since_s", "reason", "reason_zh", "fps", "inferred_per_s", "width", "height", "codec", "at_s",
)  # fmt: skip


class HealthBook:
    """`put` what came over the bus, `of` to read it. Only the known fields are kept."""

    def __init__(self) -> None:
        self._newest: dict[str, dict[str, Any]] = {}

    def put(self, message: Mapping[str, Any]) -> str | None:
        """The camera whose health changed, or None when the message is older than what is known (or no health)."""
        camera, at_s = message.get("camera"), message.get("at_s")
        if not isinstance(camera, str) or not isinstance(at_s, int | float):
            return None
        known = self._newest.get(camera)
        if known is not None and known["at_s"] > at_s:
            return None
        self._newest[camera] = {name: message.get(name) for name in FIELDS}
        return camera

    def of(self, camera: str, now_s: float) -> dict[str, Any]:
        """The camera's health now. Without a report, or after too long a silence, it says so."""
        known = self._newest.get(camera)
        if known is None:
            return {
                **dict.fromkeys(FIELDS),
                "camera": camera,
                "state": "connecting",
                "since_s": None,
                "reason": "No stream worker has reported on this camera yet.",
                "reason_zh": "尚无视频进程报告该摄像机的状态。",
                "at_s": now_s,
            }
        silent_s = now_s - known["at_s"]
        if silent_s > SILENT_AFTER_S and known["state"] != "paused":
            return {
                **known,
                "state": "stalled",
                "since_s": known["at_s"],
                "reason": f"Its stream worker has not reported for {silent_s:.0f} s.",
                "reason_zh": f"其视频进程已 {silent_s:.0f} 秒未报告状态。",
            }
        return dict(known)

    def silent(self, now_s: float) -> list[str]:
        return [camera for camera, known in self._newest.items() if now_s - known["at_s"] > SILENT_AFTER_S]

    def states(self, now_s: float) -> dict[str, int]:
        """How many cameras are in which state."""
        counts: dict[str, int] = {}
        for camera in self._newest:
            state = str(self.of(camera, now_s)["state"])
            counts[state] = counts.get(state, 0) + 1
        return counts
