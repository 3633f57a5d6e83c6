"""What the detector and the tracker hand on: plain frozen data, places in fractions of the picture."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[float, float, float, float]  # x1, y1, x2, y2 as fractions of width and height


@dataclass(frozen=True, slots=True)
class Detection:
    """One box of one frame. `label` is in `models.vocabulary.CLASSES`; `score` is 0..1."""

    label: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Track:
    """One object inside one camera's view, for the seconds that it is there; the number is then thrown away.

    `box` is the newest box, `first_seen_s`/`last_seen_s` unix seconds, `hits` the frames that it was seen in.
    `score` is the best that the object ever got, `newest_score` that of its newest box (None: not known, `score` stands for it).
    `foot` is the middle of the box's lower edge. `speed_per_s` is the foot's speed in picture widths a second.
    """

    id: int
    label: str
    score: float
    box: Box
    first_seen_s: float
    last_seen_s: float
    hits: int = 1
    speed_per_s: float = 0.0
    newest_score: float | None = None

    @property
    def foot(self) -> tuple[float, float]:
        return ((self.box[0] + self.box[2]) / 2, self.box[3])


@dataclass(frozen=True, slots=True)
class FireRegion:
    """A part of the picture that looks like flame: what `vision.fire_features` measured of it over the last seconds.

    `area` share of the picture, `colour` share of its time and pixels that are flame-coloured, `flicker` reversals of
    brightness a second and pixel over what a flame shows at this frame rate (1 is a flame), `texture` spread of brightness
    (0..1), `growth` area now over area when first seen, `glow` how far green over red rises with brightness (a flame's core
    is yellower than its rim, paint is not), `core` share of pixels whose red is near the sensor's limit, `unison` share of the
    changes in which all pixels go the same way (a lamp that blinks has 1), `restless` how much its flame-coloured area changes
    from frame to frame (a flag's does not), `residual` share of the change that moving the last frame's pixels about cannot
    explain; `explained` when the box of a person, or of a moving vehicle, covers most of it.
    """

    box: Box
    area: float
    colour: float
    flicker: float
    texture: float
    growth: float
    age_s: float
    explained: bool = False
    glow: float = 0.0
    core: float = 0.0
    unison: float = 1.0
    restless: float = 0.0
    residual: float = 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything the hazard rules see of one inferred frame. `at_s` is the capture time in unix seconds.

    `width`/`height` are the picture's pixels, so that rules can undo the aspect ratio.
    """

    at_s: float
    tracks: tuple[Track, ...] = ()
    fire_regions: tuple[FireRegion, ...] = ()
    width: int = 16
    height: int = 9
