"""The audit log's hash chain: hash = sha256(previous hash + the entry as canonical JSON). Pure.

Canonical JSON: keys sorted, no spaces, UTF-8 unescaped, numbers as Python's repr prints them (shortest that round-trips).
Anybody who has the entries can check them with these twenty lines, without trusting the server.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from dispatch.views import AuditEntry, AuditVerdict

GENESIS = "0" * 64


def canonical(value: Any) -> str:
    """Raises ValueError for what JSON cannot hold (nan, inf)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def entry_text(  # noqa: PLR0917  # one argument for each member, in the order of the canonical text
    action: str, actor: str, at_s: float, detail: str, entity: str, role: str, seq: int
) -> str:
    """The canonical text of one entry; `detail` is canonical JSON already."""
    return (
        f'{{"action":{canonical(action)},"actor":{canonical(actor)},"at_s":{canonical(float(at_s))},"detail":{detail},'
        f'"entity":{canonical(entity)},"role":{canonical(role)},"seq":{seq}}}'
    )


def link(prev: str, text: str) -> str:
    return hashlib.sha256(prev.encode() + text.encode()).hexdigest()


def hash_of(entry: AuditEntry) -> str:
    detail = canonical(entry.detail)
    return link(entry.prev, entry_text(entry.action, entry.actor, entry.at_s, detail, entry.entity, entry.role, entry.seq))


def verify(entries: Iterable[AuditEntry], last_seq: int | None = None, anchors: Mapping[int, str] | None = None) -> AuditVerdict:
    """Walks the chain from its first entry and names the first place that does not fit.

    `last_seq` is the number of the newest entry ever written (the store keeps it apart): a shorter chain was truncated.
    `anchors` are hashes noted elsewhere, by number: they also show a chain that was made anew from end to end."""
    entries = list(entries)
    known = {entry.hash for entry in entries}
    prev, expected = GENESIS, 1
    for entry in entries:
        if entry.seq != expected and entry.prev != prev:
            return _broken(entries, entry.seq, "removed", prev)
        if entry.prev != prev:
            return _broken(entries, entry.seq, "reordered" if entry.prev in known | {GENESIS} else "edited", prev)
        if hash_of(entry) != entry.hash or entry.seq != expected:
            return _broken(entries, entry.seq, "edited", prev)
        if anchors and anchors.get(entry.seq, entry.hash) != entry.hash:
            return _broken(entries, entry.seq, "edited", prev)
        prev, expected = entry.hash, expected + 1
    if last_seq is not None and last_seq >= expected:
        return _broken(entries, expected, "removed", prev)
    return AuditVerdict(True, len(entries), prev)


_WHAT = {
    "edited": ("Entry {n} was edited after it was written.", "第 {n} 条记录在写入后被修改。"),
    "removed": ("Entries are missing before or at number {n}.", "第 {n} 条处或之前有记录被删除。"),
    "reordered": ("Entry {n} does not follow the one before it: the order was changed.", "第 {n} 条与前一条不相接：顺序被更改。"),
}


def _broken(entries: list[AuditEntry], seq: int, what: str, head: str) -> AuditVerdict:
    en, zh = _WHAT[what]
    return AuditVerdict(False, len(entries), head, seq, what, en.format(n=seq), zh.format(n=seq))
