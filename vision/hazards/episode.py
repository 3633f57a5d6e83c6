"""What all hazard rules share: when an event begins, how often it is told, when it ends, and time that misbehaves. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vision.detections import Observation, Track

REPEAT_S = 5.0  # a lasting event is told again this often at the most
GAP_S = 60.0  # a camera that was away for longer cannot say that an event lasted
LATE_S = 1.0  # a frame up to this much older than the last counts as the last's time; more is a clock that was set back
ALARM_SCORE = 0.48  # people and vehicles: the best recent track score that an alarm needs (measured: vision/cards)
STAY_SCORE = 0.25  # enough to keep an event going that ALARM_SCORE has opened: one presence, one event
RECENT_S = 3.0  # what "recent" means for that score


@dataclass(frozen=True, slots=True)
class Episode:
    """One rule's events in one zone. `event` counts the events begun; `began_s` is None between events."""

    event: int = 0
    began_s: float | None = None
    last_s: float = 0.0  # when the hazard was last evident
    told_s: float | None = None

    @property
    def active(self) -> bool:
        return self.began_s is not None

    def shifted(self, by_s: float) -> Episode:
        if self.began_s is None:
            return self
        return replace(
            self,
            began_s=self.began_s + by_s,
            last_s=self.last_s + by_s,
            told_s=None if self.told_s is None else self.told_s + by_s,
        )


NONE_YET = Episode()


def advance(episode: Episode, *, since_s: float | None, evident: bool, now_s: float, leave_s: float) -> tuple[Episode, bool]:
    """One step. `since_s` is when the hazard began if it has lasted long enough to be an event (else None); `evident` whether
    the weaker condition of staying in the event holds now. Returns the new episode and whether a finding is due.

    Between events only `since_s` opens one; during an event `evident` keeps it, and it ends after leave_s without.
    """
    if episode.active and now_s - episode.last_s > max(leave_s, GAP_S):
        episode = Episode(episode.event)
    if not episode.active:
        if since_s is None:
            return episode, False
        return Episode(episode.event + 1, since_s, now_s, now_s), True
    if evident or since_s is not None:
        due = episode.told_s is None or now_s - episode.told_s >= REPEAT_S
        return replace(episode, last_s=now_s, told_s=now_s if due else episode.told_s), due
    if now_s - episode.last_s > leave_s:
        return Episode(episode.event), False
    return episode, False


def settle_clock(last_s: float | None, now_s: float) -> tuple[float, float]:
    """(time to use, seconds to add to every time in the state). A frame that is a little late gets the last frame's time;
    a clock set back takes the state with it, so that what has lasted ten seconds still has.
    """
    if last_s is None or now_s >= last_s:
        return now_s, 0.0
    if last_s - now_s <= LATE_S:
        return last_s, 0.0
    return now_s, now_s - last_s


def seen_now(observation: Observation, labels: frozenset[str]) -> list[Track]:
    """The tracks of these labels that were seen in this very frame, by number: the tracker also hands on those it only
    remembers, with the box where they were last."""
    fresh = (t for t in observation.tracks if t.label in labels and t.last_seen_s >= observation.at_s - 1e-3)
    return sorted(fresh, key=lambda t: t.id)


def score_of(track: Track) -> float:
    """How sure the detector was of the track's newest box. Not `track.score`, the best ever: a street sign that once took over a
    passer-by's track would count as a person for as long as the detector faintly sees it (measured: three too many on vtest.avi).
    """
    return track.score if track.newest_score is None else track.newest_score


@dataclass(frozen=True, slots=True)
class Best:
    """The best score of the last RECENT_S seconds, roughly: it is replaced by the newest once it is older."""

    score: float
    at_s: float

    def seen(self, score: float, now_s: float) -> Best:
        return Best(score, now_s) if score >= self.score or now_s - self.at_s > RECENT_S else self

    def shifted(self, by_s: float) -> Best:
        return Best(self.score, self.at_s + by_s)
