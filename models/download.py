"""One file over https into a folder: bounded, hashed on the way, renamed only when it is right."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from models.errors import FetchFailed
from models.manifest import ModelEntry, Source

Progress = Callable[[int, int], None]  # bytes so far, bytes in all

CHUNK_BYTES = 1 << 16
TIMEOUT_S = 30.0


def file_name(name: str) -> str:
    """The name of a fetched model in the cache folder."""
    return f"{name}.onnx"


def download(
    entry: ModelEntry, source: Source, target: Path, *, progress: Progress | None = None, ca_file: Path | None = None
) -> str:
    """Brings `source` to `target` and returns its sha256. `ca_file` trusts one further authority (a proxy's, a test's).

    Raises FetchFailed (for a wrong hash with both hashes); then `target` is as it was and no part of the download is left.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _HttpsOnly())
    part: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with opener.open(source.where, timeout=TIMEOUT_S) as answer:
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
            part = Path(name)
            with os.fdopen(handle, "wb") as file:
                digest = _copy(answer, file, source.bytes, progress)
                file.flush()
                os.fsync(file.fileno())
        if digest not in entry.sha256:
            raise FetchFailed(
                entry.name, source.where, f"what came has the sha256 {digest}, the manifest accepts {' or '.join(entry.sha256)}"
            )
        part.chmod(0o644)
        part.replace(target)
    except (OSError, urllib.error.URLError, http.client.HTTPException, _TooLong) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the server's answer too, with a connection
        raise FetchFailed(entry.name, source.where, _why(error)) from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return digest


def _copy(answer: IO[bytes], file: IO[bytes], size: int, progress: Progress | None) -> str:
    digest, so_far = hashlib.sha256(), 0
    while chunk := answer.read(CHUNK_BYTES):
        so_far += len(chunk)
        if so_far > size:
            raise _TooLong(f"it is longer than the {size} bytes that the manifest expects")
        digest.update(chunk)
        file.write(chunk)
        if progress is not None:
            progress(so_far, size)
    return digest.hexdigest()


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


class _TooLong(Exception):
    pass


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """A redirect away from https is refused: the hash would catch a swapped file, but nobody need see what was asked for."""

    def redirect_request(  # noqa: PLR0917 - the standard library's signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != "https":
            fp.close()
            raise urllib.error.URLError(f"it redirects to {urlsplit(newurl).scheme}, not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
