"""Why a camera gives no pictures: a closed list, with a text for people in both languages. Never with a password. Pure."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    UNREACHABLE = "unreachable"
    UNAUTHORISED = "unauthorised"
    NOT_FOUND = "not_found"
    NOT_VIDEO = "not_video"
    UNSUPPORTED_CODEC = "unsupported_codec"
    B_FRAMES = "b_frames"
    STALLED = "stalled"
    ENDED = "ended"
    FAILED = "failed"


_TEXTS: dict[Why, tuple[str, str]] = {
    Why.UNREACHABLE: (
        "{place} does not answer ({detail}). Check that the camera has power and network, and its address and port.",
        "无法连接 {place}（{detail}）。请检查摄像机的电源和网络，以及地址和端口。",
    ),
    Why.UNAUTHORISED: (
        "{place} refuses the user name or the password. Correct them in the camera's url.",
        "{place} 拒绝了用户名或密码。请在摄像机的 url 中更正。",
    ),
    Why.NOT_FOUND: (
        "{place} answers, but has no such stream. Check the path in the camera's url.",
        "{place} 有应答，但没有这个视频流。请检查摄像机 url 中的路径。",
    ),
    Why.NOT_VIDEO: (
        "{place} sends no video ({detail}). Check that the url is that of the camera's video stream.",
        "{place} 没有发送视频（{detail}）。请检查 url 是否为摄像机的视频流。",
    ),
    Why.UNSUPPORTED_CODEC: (
        "{place} sends {detail}. Callout takes H.264: set the camera's stream to H.264.",
        "{place} 发送的是 {detail}。Callout 使用 H.264：请将摄像机的码流设为 H.264。",
    ),
    Why.B_FRAMES: (
        "{place} sends B-frames, which cannot be shown live. Set the camera's H.264 profile to Baseline, or B-frames to 0.",
        "{place} 的码流含 B 帧，无法实时显示。请将摄像机的 H.264 档次设为 Baseline，或将 B 帧数设为 0。",
    ),
    Why.STALLED: (
        "{place} is connected but sends nothing any more ({detail}).",
        "{place} 已连接，但不再发送数据（{detail}）。",
    ),
    Why.ENDED: (
        "{place} ended the connection ({detail}).",
        "{place} 中断了连接（{detail}）。",
    ),
    Why.FAILED: (
        "Callout failed on what {place} sent ({detail}). It connects again; the worker's log has the details.",
        "Callout 处理 {place} 的数据时出错（{detail}）。正在重新连接；详情见工作进程日志。",
    ),
}


class SourceError(Exception):
    """`why` is from the closed list; `text` and `text_zh` are for people; `place` is the redacted address."""

    def __init__(self, why: Why, place: str, detail: str = "") -> None:
        english, chinese = _TEXTS[why]
        self.why, self.place = why, place
        self.text = english.format(place=place, detail=detail or "no details")
        self.text_zh = chinese.format(place=place, detail=detail or "无详情")
        super().__init__(self.text)
