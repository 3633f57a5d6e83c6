"""How long to wait before the next attempt. Pure: chance is a parameter."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_S = 0.5
LONGEST_S = 30.0
STABLE_S = 20.0  # a connection that held this long was a good one


@dataclass(frozen=True, slots=True)
class Backoff:
    failures: int = 0


def failed(backoff: Backoff, *, held_s: float, chance: float, least_s: float = 0.0) -> tuple[Backoff, float]:
    """(next state, seconds to wait) after a connection that held `held_s` seconds (0: it never came up) failed.

    The ceiling doubles from 0.5 to 30 s; the wait is `chance` (0..1) between half of it and all of it, so that the cameras behind
    one switch do not all come back in the same instant. After a stable connection the ladder begins anew.
    `least_s` raises the ceiling: a refused password is not tried twice a second, since many cameras lock the account then.
    """
    failures = 0 if held_s >= STABLE_S else backoff.failures
    ceiling_s = min(LONGEST_S, max(least_s, FIRST_S * 2.0 ** min(failures, 16)))
    return Backoff(failures + 1), ceiling_s * (0.5 + 0.5 * chance)
