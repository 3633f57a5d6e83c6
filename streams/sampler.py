"""Which frames are looked at: at most `infer_per_s`, at least `still_infer_per_s` even when nothing moves. Pure.

Frames that are not chosen are dropped and counted, never queued.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sampler:
    infer_per_s: float
    still_infer_per_s: float
    due_s: float = 0.0  # when the cap allows the next frame
    chosen_s: float | None = None
    offered_s: float | None = None
    chosen: int = 0
    dropped: int = 0


def offer(sampler: Sampler, now_s: float, *, changed: bool) -> tuple[Sampler, bool]:
    """(next state, whether this frame is to be looked at). `changed` is what the gate says of it.

    The cap runs on a grid (`due_s`), so that 4 a second of 10 frames a second gives 4, not 3.3. The floor looks one frame ahead:
    a frame is taken when waiting for the next one would leave a longer gap than 1/still_infer_per_s.
    """
    interval_s, still_s = 1.0 / sampler.infer_per_s, 1.0 / min(sampler.still_infer_per_s, sampler.infer_per_s)
    frame_s = 0.0 if sampler.offered_s is None else max(0.0, now_s - sampler.offered_s)
    stepped_back = sampler.offered_s is not None and now_s < sampler.offered_s
    chosen_s = None if stepped_back else sampler.chosen_s
    due_s = now_s if stepped_back else sampler.due_s
    starving = chosen_s is None or now_s + min(frame_s, still_s / 2) >= chosen_s + still_s - 1e-9
    take = starving or (changed and now_s >= due_s - 1e-9)
    if not take:
        return _with(sampler, due_s, chosen_s, now_s, took=False), False
    due_s = due_s + interval_s if now_s - due_s < interval_s and due_s > 0 else now_s + interval_s
    return _with(sampler, due_s, now_s, now_s, took=True), True


def _with(sampler: Sampler, due_s: float, chosen_s: float | None, offered_s: float, *, took: bool) -> Sampler:
    return Sampler(
        sampler.infer_per_s,
        sampler.still_infer_per_s,
        due_s,
        chosen_s,
        offered_s,
        sampler.chosen + took,
        sampler.dropped + (not took),
    )
