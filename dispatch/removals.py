"""Clips and thumbnails that go on schedule: which they are by the store, and the proof of each in the record.

First the proof and the row are committed together, then the caller takes the file away. A crash in between leaves a file
whose name stands in `deletion`: the next run takes it away without a second proof.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from configs.schema import Retention
from dispatch.event import Event
from dispatch.retention import CLIPS, THUMBNAILS, Doomed, Holder, OnDisk, due
from dispatch.store import Reader
from dispatch.work import Work


@dataclass(frozen=True, slots=True)
class Removable:
    """`left_over`: proved to be deleted already, but the file is still there."""

    due: tuple[Doomed, ...]
    left_over: tuple[str, ...]


def removable(reader: Reader, found: Iterable[OnDisk], settings: Retention, now_s: float, heard_s: float) -> Removable:
    """What has had its time, of the files that are there."""
    on_disk = {one.file: one for one in found}
    gone = {file: (float(row["at_s"]), str(row["how"])) for file, row in reader.deletions(on_disk).items()}
    left_over = tuple(
        file for file, (at_s, how) in gone.items() if how == "deleted" and on_disk[file].changed_at_s <= at_s
    )  # a younger file of that name is another one, with a proof of its own
    asked = [one for one in on_disk.values() if one.file not in left_over]
    chosen = (*_clips(reader, [o for o in asked if o.file.startswith(CLIPS)], gone), *_thumbnails(reader, asked))
    return Removable(_judged(chosen, settings, now_s, heard_s), left_over)


def missing(reader: Reader, files: Collection[str], settings: Retention, now_s: float, heard_s: float) -> tuple[Doomed, ...]:
    """Clips whose time has come and whose file is not among `files`: somebody else took it away, or it never played."""
    chosen = []
    for row in reader.clips_not_deleted():
        if CLIPS + row["file"] not in files:
            ended_at_s = float(row["started_at_s"] if row["ended_at_s"] is None else row["ended_at_s"])
            chosen.append(_candidate(reader, _facts(row) | {"present": False}, ended_at_s, None))
    return _judged(chosen, settings, now_s, heard_s)


def remove(work: Work, doomed: Doomed, settings: Retention, heard_s: float) -> bool:
    """The proof and the row of one, if its time has still come (an incident may have been reopened meanwhile)."""
    holders = _holders(work.tx, doomed)
    ended_at_s = doomed.ended_at_s if doomed.ended_at_s is not None else doomed.due.since_s
    still = due(ended_at_s, holders, settings, work.now_s, heard_s=heard_s)
    if still is None:
        return False
    incidents = [one.incident for one in holders]
    kind = "clip" if doomed.clip else "thumbnail"
    how = "deleted" if doomed.present else "missing"
    facts = {
        "file": PurePosixPath(doomed.file).name,
        "camera": doomed.camera,
        "sha256": doomed.sha256,
        "bytes": doomed.bytes if doomed.present else None,
        "started_at_s": doomed.started_at_s,
        "ended_at_s": doomed.ended_at_s if doomed.clip else None,
        "reason": "retention",
        "rule": still.rule,
        "limit_s": still.limit_s,
        "kept_since_s": still.since_s,
        "shared_with": incidents[1:] or None,
    }
    entity = doomed.clip or PurePosixPath(doomed.file).stem
    event = Event(f"{kind}.{how}", entity, work.now_s, work.actor, {k: v for k, v in facts.items() if v not in (None, "")})
    work.say([event], incidents[0] if incidents else "")
    for other in incidents[1:]:
        work.tx.add_journal(other, event)
    work.tx.put_deletion(doomed.file, work.now_s, how)
    for incident in incidents:
        work.tell("incident", incident)
    return True


@dataclass(frozen=True, slots=True)
class _Candidate:
    doomed: Mapping[str, Any]
    ended_at_s: float
    holders: tuple[Holder, ...]
    being_written: bool


def _judged(candidates: Iterable[_Candidate], settings: Retention, now_s: float, heard_s: float) -> tuple[Doomed, ...]:
    out = []
    for one in candidates:
        found = due(one.ended_at_s, one.holders, settings, now_s, heard_s=heard_s, being_written=one.being_written)
        if found is not None:
            out.append(Doomed(due=found, incidents=tuple(h.incident for h in one.holders), **one.doomed))
    return tuple(out)


def _clips(reader: Reader, on_disk: Iterable[OnDisk], gone: Mapping[str, tuple[float, str]]) -> Iterator[_Candidate]:
    there = {one.file.removeprefix(CLIPS): one for one in on_disk}
    rows = {str(row["file"]): row for row in reader.clips_by_file(there)}
    for name, file in there.items():
        row = rows.get(name)
        if row is None:  # the recorder's message never came: the rule is the same
            yield _candidate(
                reader, {"file": file.file, "clip": PurePosixPath(name).stem, "bytes": file.bytes}, file.changed_at_s, file
            )
            continue
        again = file.file in gone  # deleted once, and a new file of that name: its row tells of the old one
        ended_at_s = file.changed_at_s if again or row["ended_at_s"] is None else float(row["ended_at_s"])
        doomed = _facts(row) | {"bytes": file.bytes, "sha256": "" if again else row["sha256"], "ended_at_s": ended_at_s}
        yield _candidate(reader, doomed, ended_at_s, file)


def _facts(row: Any) -> dict[str, Any]:
    return {
        "file": CLIPS + row["file"], "clip": row["id"], "camera": row["camera"], "sha256": row["sha256"],
        "bytes": row["bytes"], "started_at_s": row["started_at_s"], "ended_at_s": row["ended_at_s"],
    }  # fmt: skip


def _candidate(reader: Reader, doomed: dict[str, Any], ended_at_s: float, file: OnDisk | None) -> _Candidate:
    held = _ended(reader, reader.incidents_of_clip(doomed["clip"]))
    return _Candidate({"ended_at_s": ended_at_s, **doomed}, ended_at_s, held, file is not None and file.being_written)


def _thumbnails(reader: Reader, on_disk: Iterable[OnDisk]) -> Iterator[_Candidate]:
    for one in on_disk:
        if one.file.startswith(THUMBNAILS):
            sha256 = PurePosixPath(one.file).stem
            doomed = {"file": one.file, "sha256": sha256, "bytes": one.bytes, "ended_at_s": one.changed_at_s}
            held = _ended(reader, reader.incidents_of_thumbnail(sha256))
            yield _Candidate(doomed, one.changed_at_s, held, one.being_written)


def _holders(reader: Reader, doomed: Doomed) -> tuple[Holder, ...]:
    if doomed.clip:
        return _ended(reader, reader.incidents_of_clip(doomed.clip))
    return _ended(reader, reader.incidents_of_thumbnail(PurePosixPath(doomed.file).stem))


def _ended(reader: Reader, incidents: Iterable[str]) -> tuple[Holder, ...]:
    return tuple(Holder(id_, reader.incident_ended_at_s(id_)) for id_ in incidents)
