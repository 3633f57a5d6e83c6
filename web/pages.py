"""The pages and their parts: static HTML, styles and modules. They hold no data; what they show comes through the API."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from web.deps import requires
from web.media import read_inside
from web.policy import Permission
from web.problems import Text, not_found
from web.security import page_policy

router = APIRouter(tags=["pages"])

STATIC = Path(__file__).resolve().parent / "static"
PAGES: Mapping[str, str] = {
    "/": "index.html",
    "/r": "phone.html",
    "/audit": "audit.html",
    "/public": "public.html",
    "/login": "login.html",
}
# Only what is named here is served; `.mjs` as JavaScript, or browsers refuse the module.
TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".mp3": "audio/mpeg",
    ".map": "application/json",
}
PACKED = frozenset({".html", ".css", ".js", ".mjs", ".json", ".svg", ".map"})
NO_FILE = Text("This address", "该地址")


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    packed: bytes | None
    media_type: str
    etag: str
    policy: str | None  # pages only


def _page(name: str) -> None:
    path = next(path for path, file in PAGES.items() if file == name)

    @router.get(
        path, summary=f"Page {path}", name=f"page {path}", dependencies=[requires(Permission.PAGE_READ)], include_in_schema=True
    )
    async def page(request: Request) -> Response:
        return await _answer(request, name)


for _name in PAGES.values():
    _page(_name)


@router.get(
    "/static/{path:path}", summary="Styles, modules and pictures of the pages", dependencies=[requires(Permission.PAGE_READ)]
)
async def static(path: str, request: Request) -> Response:
    """Revalidated by ETag at each load, so that an update is seen at once."""
    return await _answer(request, path)


@router.get("/favicon.ico", summary="The icon", dependencies=[requires(Permission.PAGE_READ)])
async def favicon(request: Request) -> Response:
    """The icon of the pages, for browsers that ask for it here."""
    return await _answer(request, "icon.svg")


async def _answer(request: Request, path: str) -> Response:
    try:
        file = await asyncio.to_thread(load, STATIC, path)
    except OSError:
        raise not_found(NO_FILE) from None
    headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if file.policy is not None:
        headers["Content-Security-Policy"] = file.policy
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type=file.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(file.body, media_type=file.media_type, headers=headers)


def load(root: Path, path: str) -> File:
    """A file below the root, as it is now (read again when it changed). Raises OSError for everything else: hidden files,
    unknown types, `..`, links that lead out of the root."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        raise FileNotFoundError(path)
    file = root.joinpath(*parts)
    if file.suffix not in TYPES or not file.resolve(strict=True).is_relative_to(root.resolve()):
        raise FileNotFoundError(path)
    stat = file.stat()
    return _load(file, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _load(file: Path, _mtime_ns: int, _size: int) -> File:
    body = read_inside(file.parent, file.name)
    packed = gzip.compress(body, compresslevel=6, mtime=0) if file.suffix in PACKED and len(body) > 1000 else None
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return File(body, packed, TYPES[file.suffix], etag, page_policy(body) if file.suffix == ".html" else None)
