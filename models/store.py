"""Finds, fetches and verifies the files of the models that the manifest names.

A model is asked for by name. Its sources are tried in the manifest's order: the shipped file, the assets folder, the
cache of an earlier download. The first file that is there is it: with a wrong hash it is refused, not passed over, for
somebody put it there and believes it to be in use. Nothing is downloaded but by `fetch`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.download import Progress, download, file_name
from models.errors import FetchFailed, ModelError, ModelMissing, WrongHash
from models.manifest import FOLDER, Manifest, ModelEntry, Source, SourceKind, load

CACHE = FOLDER.parent / "var" / "models"  # of the checkout, shared by its sites; git ignores it

State = Literal["ready", "missing", "wrong_hash"]


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model's verified file. `sha256` goes into the evidence of what it saw."""

    entry: ModelEntry
    path: Path
    sha256: str
    source: SourceKind


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One line of `callout models list` and `verify`. `problem` is the error's text when the state is not ready."""

    name: str
    title: str
    licence: str
    state: State
    path: Path | None
    sha256: str
    source: SourceKind | None
    problem: str


def find(name: str, assets: Path | None = None, *, cache: Path | None = CACHE, manifest: Manifest | None = None) -> FoundModel:
    """The verified file of one model.

    `assets` is the folder of further assets (`configs.settings.environment().assets`), `cache` the folder that `fetch`
    writes to; None: not looked at. Raises UnknownModel, ModelMissing (where it looked, what to do) or WrongHash.
    """
    known = manifest or load()
    entry = known.entry(name)
    looked_at: list[str] = []
    for source in entry.sources:
        path = _path(source, entry, known, assets, cache)
        if path is None:
            looked_at.append(_unset(source))
        elif path.is_file():
            return FoundModel(entry=entry, path=path, sha256=check(entry, path), source=source.kind)
        else:
            looked_at.append(str(path))
    raise ModelMissing(name, looked_at, _remedy(entry))


def check(entry: ModelEntry, path: Path) -> str:
    """The file's sha256 when the manifest accepts it; WrongHash, with both hashes, when not."""
    with path.open("rb") as file:
        return _accept(entry, path, hashlib.file_digest(file, "sha256").hexdigest())


def read(entry: ModelEntry, path: Path) -> tuple[bytes, str]:
    """The file's bytes and sha256, hashed from the very bytes that are handed on. Raises ModelMissing, WrongHash."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelMissing(entry.name, [f"{path} ({error.strerror})"], _remedy(entry)) from None
    return content, _accept(entry, path, hashlib.sha256(content).hexdigest())


def list_models(
    assets: Path | None = None, *, cache: Path | None = CACHE, manifest: Manifest | None = None
) -> tuple[ModelStatus, ...]:
    """The state of every model in the manifest, in its order. Reads every file."""
    known = manifest or load()
    return tuple(verify(entry.name, assets, cache=cache, manifest=known) for entry in known.models)


def verify(name: str, assets: Path | None = None, *, cache: Path | None = CACHE, manifest: Manifest | None = None) -> ModelStatus:
    """The state of one model; only an unknown name raises."""
    known = manifest or load()
    entry = known.entry(name)
    try:
        found = find(name, assets, cache=cache, manifest=known)
    except WrongHash as error:
        return ModelStatus(name, entry.title, entry.licence, "wrong_hash", error.path, error.found, None, str(error))
    except ModelMissing as error:
        return ModelStatus(name, entry.title, entry.licence, "missing", None, "", None, str(error))
    return ModelStatus(name, entry.title, entry.licence, "ready", found.path, found.sha256, found.source, "")


def fetch(
    name: str,
    cache: Path = CACHE,
    *,
    assets: Path | None = None,
    manifest: Manifest | None = None,
    progress: Progress | None = None,
    ca_file: Path | None = None,
) -> FoundModel:
    """Makes sure that the model is here: what is already found is kept, else its https sources are tried in order.

    The download is hashed on its way into a temporary file in `cache` and takes its name only when the hash is right.
    Raises UnknownModel, WrongHash (also for a file that is here already), FetchFailed, ModelMissing (no https source).
    """
    known = manifest or load()
    entry = known.entry(name)
    try:
        return find(name, assets, cache=cache, manifest=known)
    except ModelMissing as missing:
        failure: ModelError = missing
    for source in entry.sources:
        if source.kind != "https":
            continue
        target = cache / file_name(entry.name)
        try:
            digest = download(entry, source, target, progress=progress, ca_file=ca_file)
        except FetchFailed as error:
            failure = error
        else:
            return FoundModel(entry=entry, path=target, sha256=digest, source="https")
    raise failure


def _accept(entry: ModelEntry, path: Path, digest: str) -> str:
    if digest not in entry.sha256:
        raise WrongHash(entry.name, path, digest, entry.sha256)
    return digest


def _path(source: Source, entry: ModelEntry, manifest: Manifest, assets: Path | None, cache: Path | None) -> Path | None:
    if source.kind == "shipped":
        return manifest.folder / source.where
    if source.kind == "assets":
        return None if assets is None else assets / source.where
    return None if cache is None else cache / file_name(entry.name)


def _unset(source: Source) -> str:
    if source.kind == "assets":
        return f"{source.where} in the assets folder (there is none: CALLOUT_ASSETS is not set)"
    return f"{source.where} (not fetched)"


def _remedy(entry: ModelEntry) -> str:
    kinds = {source.kind for source in entry.sources}
    if "shipped" in kinds:
        return "It ships with Callout: restore it with `git checkout -- models/files`."
    by_hand = "or set CALLOUT_ASSETS to a folder that has it" if "assets" in kinds else ""
    return f"Run `./callout models fetch {entry.name}`{', ' if by_hand else ''}{by_hand}."
