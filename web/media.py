"""/media: thumbnails (people covered) and incident clips (clear, under a living grant, also while they are being written)."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from configs.schema import Account
from web.accounts_store import SessionRow
from web.clear import living_grant
from web.deps import Here, Services, requires
from web.policy import RESPONDER, Permission
from web.problems import Problem, Text, not_found

router = APIRouter(prefix="/media", tags=["media"])

CHUNK_BYTES = 256 * 1024
NO_PICTURE = Text("This picture", "该图片")
NO_CLIP = Text("This clip", "该录像片段")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CLIP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


@router.get("/thumbnails/{sha256}.jpg", summary="A covered still picture of an incident")
async def thumbnail(
    sha256: str, services: Here, session: Annotated[SessionRow, requires(Permission.MEDIA_THUMBNAIL)]
) -> Response:
    """Only of incidents that you may see, and of cameras in your groups (responders: of their own incident)."""
    if not _SHA256.fullmatch(sha256) or not await _may_see_picture(services, session.account, sha256):
        raise not_found(NO_PICTURE)
    try:
        body = await asyncio.to_thread(read_inside, services.layout.thumbnails, f"{sha256}.jpg")
    except OSError:
        raise not_found(NO_PICTURE) from None
    return Response(body, media_type="image/jpeg")


async def _may_see_picture(services: Services, account: Account, sha256: str) -> bool:
    """Of one of the incidents that the picture belongs to: its address alone opens nothing."""
    for view in await services.on_desk(services.desk.thumbnail_incidents, sha256):
        incident: dict[str, Any] = view.as_json()
        sees_camera = account.role == RESPONDER or services.scope.sees_camera(account, incident["camera"])
        if sees_camera and services.scope.sees_incident(account, incident):
            return True
    return False


@router.get("/clips/{clip}.mp4", summary="An incident's clip, under a grant")
async def clip(
    clip: str,
    request: Request,
    services: Here,
    session: Annotated[SessionRow, requires(Permission.MEDIA_CLIP)],
    grant: str = "",
) -> Response:
    """Clear video: 403 without a living grant of yours for the clip's incident. Takes Range; a clip that is still being
    written is served as far as it has come."""
    living = await living_grant(services, session, grant)
    incident = await services.on_desk(services.desk.incident, living.incident)
    state = next((one.state for one in incident.clips if one.id == clip), None)
    if state is None or not _CLIP_ID.fullmatch(clip):
        raise not_found(NO_CLIP)
    if state == "deleted":
        raise Problem("deleted", Text("The clip was deleted on schedule.", "该录像已按期删除。"))
    name = await services.on_desk(services.desk.clip_file, clip)
    try:
        file = await asyncio.to_thread(open_inside, services.layout.clips, name or "")
    except OSError:
        raise not_found(NO_CLIP) from None
    size = os.fstat(file.fileno()).st_size
    try:
        part = part_of(request.headers.get("range"), size)
        await _note(services, session.account, grant, clip, living.incident)
    except BaseException:
        file.close()
        raise
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(part.length), "X-Callout-Clip": state}
    if part.partial:
        headers["Content-Range"] = f"bytes {part.start}-{part.start + part.length - 1}/{size}"

    async def alive() -> bool:
        """Asked before each piece: a grant that was ended, and a sign-out, end a download that is under way."""
        now = services.accounts.session(session.id, services.now())
        try:
            return now is not None and await living_grant(services, now, grant) is not None
        except Problem:
            return False

    body = _stream(file, part, alive)
    return StreamingResponse(body, status_code=206 if part.partial else 200, media_type="video/mp4", headers=headers)


async def _note(services: Services, account: Account, grant: str, clip_id: str, incident: str) -> None:
    """Who watched a clip is on the record, once for each grant: a player asks for it in many pieces."""
    if (grant, clip_id) in services.clips_noted:
        return
    detail = {"clip": clip_id, "incident": incident}
    await services.on_desk(
        services.desk.record, services.actor(account), "clip.watched", clip_id, detail, services.now(), incident
    )
    services.clips_noted.add((grant, clip_id))
    if len(services.clips_noted) > 10_000:
        services.clips_noted.clear()  # at worst a clip is noted twice


@dataclass(frozen=True, slots=True)
class Part:
    start: int
    length: int
    partial: bool


def part_of(header: str | None, size: int) -> Part:
    """One byte range (RFC 9110 section 14): `a-b`, `a-` or `-last`. Several ranges, or another unit: the whole clip.

    Raises Problem 416 when the range begins behind the end.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found.group(1) == found.group(2) == "":
        return Part(0, size, partial=False)
    first, last = found.group(1), found.group(2)
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start >= size or end < start:
        raise Problem(
            "bad_range",
            Text(f"The clip has {size} bytes so far.", f"该片段目前共 {size} 字节。"),
            headers={"Content-Range": f"bytes */{size}"},
        )
    return Part(start, end - start + 1, partial=True)


async def _stream(file: BinaryIO, part: Part, alive: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
    """The bytes of the part; stops short (the connection breaks off) when the grant ends on the way."""
    left = part.length
    try:
        await asyncio.to_thread(file.seek, part.start)
        while left > 0 and await alive():
            data = await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))
            if not data:
                return  # the clip was deleted or cut meanwhile
            left -= len(data)
            yield data
    finally:
        file.close()


def open_inside(folder: Path, name: str) -> BinaryIO:
    """Opens a plain file that lies directly in the folder: no path in the name, no symbolic link. Raises OSError."""
    if not name or name != Path(name).name or name in (".", ".."):
        raise FileNotFoundError(name)
    handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    file = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        file.close()
        raise FileNotFoundError(name)
    return file


def read_inside(folder: Path, name: str) -> bytes:
    with open_inside(folder, name) as file:
        return file.read()
