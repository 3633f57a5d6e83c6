"""Ground points against a synthetic pinhole camera: the true place lies within about three of the stated sigmas."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from configs.schema import CalibrationPoint, Camera
from vision.ground import CAMERA_SIGMA_M, BadCalibration, LocalFrame, ground_model

LAT, LON = 60.1711, 24.9442
FRAME = LocalFrame(LAT, LON)
ASPECT = 16 / 9


@dataclass(frozen=True)
class Pinhole:
    """A camera `height_m` over flat ground, looking down by `pitch_deg`, with a horizontal field of view."""

    height_m: float
    pitch_deg: float
    heading_deg: float
    fov_deg: float

    def ground(self, x: float, y: float) -> tuple[float, float] | None:
        """Metres east and north of a place in the picture; None above the horizon."""
        half = math.tan(math.radians(self.fov_deg) / 2)
        right, down = (2 * x - 1) * half, (2 * y - 1) * half / ASPECT
        pitch, heading = math.radians(self.pitch_deg), math.radians(self.heading_deg)
        ahead, sink = math.cos(pitch) - down * math.sin(pitch), math.sin(pitch) + down * math.cos(pitch)
        if sink < 0.02:
            return None
        forward, aside = self.height_m * ahead / sink, self.height_m * right / sink
        east = forward * math.sin(heading) + aside * math.cos(heading)
        north = forward * math.cos(heading) - aside * math.sin(heading)
        return east, north

    def horizon(self) -> float:
        return 0.5 - math.tan(math.radians(self.pitch_deg)) * ASPECT / (2 * math.tan(math.radians(self.fov_deg) / 2))


def usable(pinhole: Pinhole) -> Pinhole:
    """With calibration points within 90 m, as a person would choose them."""
    top = max(0.1, pinhole.horizon() + 0.22)
    places = [pinhole.ground(x, top) for x in (0.08, 0.92)]
    assume(all(p is not None and math.hypot(*p) < 90 for p in places))
    return pinhole


PINHOLES = st.builds(
    Pinhole,
    height_m=st.floats(3, 12),
    pitch_deg=st.floats(12, 50),
    heading_deg=st.floats(0, 360),
    fov_deg=st.floats(45, 95),
).map(usable)


def calibrated(pinhole: Pinhole, error_m: np.ndarray | None = None, click: np.ndarray | None = None) -> Camera:
    """Four calibration points well below the horizon, with errors of the map (metres) and of the click (fractions)."""
    top = max(0.1, pinhole.horizon() + 0.22)
    corners = [(0.08, top), (0.92, top), (0.95, 0.95), (0.05, 0.95)]
    points = []
    for i, (x, y) in enumerate(corners):
        place = pinhole.ground(x, y)
        assert place is not None
        e, n = place if error_m is None else (place[0] + error_m[i, 0], place[1] + error_m[i, 1])
        dx, dy = (0.0, 0.0) if click is None else click[i]
        points.append(CalibrationPoint((x + dx, y + dy), FRAME.to_lat_lon(e, n)))
    return Camera("gate", "Gate", "rtsp://x", (LAT, LON), "test", calibration=tuple(points), heading_deg=pinhole.heading_deg)


@given(st.floats(-400, 400), st.floats(-400, 400))
def test_the_local_frame_returns(east_m: float, north_m: float) -> None:
    assert FRAME.to_metres(FRAME.to_lat_lon(east_m, north_m)) == pytest.approx((east_m, north_m), abs=1e-6)


def test_a_degree_is_as_long_as_on_the_ellipsoid() -> None:
    """Against the standard tables: at 60° north 111.412 km (latitude) and 55.800 km (longitude)."""
    assert LocalFrame(60, 25).to_metres((61, 26)) == pytest.approx((55_800, 111_412), rel=2e-4)


@settings(max_examples=150, deadline=None)
@given(PINHOLES, st.floats(0.05, 0.95), st.floats(0, 0.9))
def test_exact_calibration_places_exactly(pinhole: Pinhole, x: float, down: float) -> None:
    horizon = max(0.0, pinhole.horizon())
    y = horizon + 0.12 + down * (1 - horizon - 0.12)
    true = pinhole.ground(x, y)
    placed = ground_model(calibrated(pinhole)).place((x, y))
    if placed is None:
        return  # honest refusals are tested below
    assert true is not None
    assert math.dist(FRAME.to_metres((placed.lat, placed.lon)), true) < 0.01 + 1e-3 * math.hypot(*true)


def error_in_sigmas(pinhole: Pinhole, x: float, down: float, rng: np.random.Generator) -> float | None:
    """One placing with errors as the model assumes them (foot 1 %, click 0.4 %, map 0.5 m)."""
    camera = calibrated(pinhole, rng.normal(0, 0.5, (4, 2)), rng.normal(0, 0.004, (4, 2)) / (ASPECT, 1.0))
    try:
        model = ground_model(camera)
    except BadCalibration:
        return None  # the errors brought three of them into a line
    top = max(0.0, pinhole.horizon()) + 0.15
    y = top + down * (1 - top)
    true = pinhole.ground(x, y)
    assert true is not None
    foot_x, foot_y = rng.normal(0, 0.01, 2)
    placed = model.place((x + foot_x / ASPECT, y + foot_y))
    if placed is None:
        return None
    return math.dist(FRAME.to_metres((placed.lat, placed.lon)), true) / placed.sigma_m


@settings(max_examples=150, deadline=None)
@given(PINHOLES, st.floats(0.05, 0.95), st.floats(0, 1), st.integers(0, 2**16))
def test_the_true_place_lies_near_by_the_stated_uncertainty(pinhole: Pinhole, x: float, down: float, seed: int) -> None:
    """However hard one looks for a bad case: errors of many sigmas do not happen."""
    error = error_in_sigmas(pinhole, x, down, np.random.default_rng(seed))
    assert error is None or error < 6


def test_the_stated_uncertainty_is_neither_too_small_nor_too_large() -> None:
    """600 random cameras and places: at least 98 % within three sigma, and sigma is not padded (half are beyond 0.4)."""
    rng = np.random.default_rng(7)
    errors = []
    while len(errors) < 600:
        pinhole = Pinhole(rng.uniform(3, 12), rng.uniform(12, 50), rng.uniform(0, 360), rng.uniform(45, 95))
        top = pinhole.ground(0.08, max(0.1, pinhole.horizon() + 0.22))
        if top is None or math.hypot(*top) >= 90:
            continue
        error = error_in_sigmas(pinhole, rng.uniform(0.05, 0.95), rng.uniform(0, 1), rng)
        if error is not None:
            errors.append(error)
    print(f"within 1, 2, 3 sigma: {[round(float(np.mean(np.array(errors) < k)), 3) for k in (1, 2, 3)]}")
    assert np.mean(np.array(errors) < 3) >= 0.98
    assert np.median(errors) > 0.4


@settings(max_examples=60, deadline=None)
@given(PINHOLES)
def test_uncertainty_grows_towards_the_horizon_and_nothing_is_placed_above_it(pinhole: Pinhole) -> None:
    model = ground_model(calibrated(pinhole))
    assert model.place((0.5, pinhole.horizon() - 0.02)) is None
    top = max(0.05, pinhole.horizon() + 0.2)
    sigmas = [placed.sigma_m for y in np.linspace(1.0, top, 8) if (placed := model.place((0.5, float(y)))) is not None]
    assert all(s < CAMERA_SIGMA_M for s in sigmas)
    assert sigmas == [] or sigmas[-1] >= 0.99 * sigmas[0]


@settings(max_examples=60, deadline=None)
@given(PINHOLES)
def test_the_footprint_lies_ahead_of_the_camera(pinhole: Pinhole) -> None:
    model = ground_model(calibrated(pinhole))
    corners = model.footprint()
    assert corners is not None
    metres = [FRAME.to_metres(c) for c in corners]
    near, far = metres[:2], metres[2:]
    assert all(math.hypot(*m) <= 80.1 for m in far)
    assert max(math.hypot(*m) for m in near) <= max(math.hypot(*m) for m in far) + 1e-6
    assert (model.heading_difference_deg(pinhole.heading_deg) or 0) < 25
    assert (model.heading_difference_deg(pinhole.heading_deg + 180) or 0) > 150


def test_without_calibration_only_the_camera_is_known() -> None:
    model = ground_model(Camera("gate", "Gate", "rtsp://x", (LAT, LON), "test"))
    assert not model.calibrated
    assert model.place((0.5, 0.9)) is None
    assert model.footprint() is None
    assert model.camera_position().sigma_m == CAMERA_SIGMA_M


def test_a_zones_area_on_the_ground() -> None:
    pinhole = Pinhole(8, 35, 90, 60)
    model = ground_model(calibrated(pinhole))
    zone = ((0.2, 0.5), (0.8, 0.5), (0.8, 0.9), (0.2, 0.9))
    corners = [pinhole.ground(*p) for p in zone]
    metres = [c for c in corners if c is not None]
    true = abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(metres, metres[1:] + metres[:1], strict=True))) / 2
    assert model.area_m2(zone) == pytest.approx(true, rel=1e-6)


PICTURE = [(0.1, 0.4), (0.9, 0.4), (0.95, 0.95), (0.05, 0.95)]
METRES = [(-15.0, 30.0), (15.0, 30.0), (5.0, 6.0), (-5.0, 6.0)]


def with_points(picture: list[tuple[float, float]], metres: list[tuple[float, float]]) -> Camera:
    points = tuple(CalibrationPoint(p, FRAME.to_lat_lon(*m)) for p, m in zip(picture, metres, strict=True))
    return Camera("gate", "Gate", "rtsp://x", (LAT, LON), "test", calibration=points)


@pytest.mark.parametrize(
    ("camera", "says"),
    [
        (with_points(PICTURE[:3], METRES[:3]), "exactly 4 points"),
        (with_points([*PICTURE[:2], (0.5, 0.4), PICTURE[3]], METRES), "points 1, 2 and 3 lie in one line on the picture"),
        (with_points(PICTURE, [*METRES[:2], (0.0, 30.0), METRES[3]]), "points 1, 2 and 3 lie in one line on the map"),
        (with_points(PICTURE, [METRES[1], METRES[0], *METRES[2:]]), "crossed order"),
        (with_points(PICTURE, [METRES[2], METRES[3], METRES[0], METRES[1]]), "near and far points are in crossed order"),
        (with_points(PICTURE, [(-e, n) for e, n in METRES]), "crossed order"),
        (with_points(PICTURE, [*METRES[:3], (4e5, 0.0)]), "are they swapped"),
        (with_points([*PICTURE[:3], (40.0, 95.0)], METRES), "not fractions from 0 to 1"),
    ],
)
def test_a_bad_calibration_is_refused_by_name(camera: Camera, says: str) -> None:
    with pytest.raises(BadCalibration) as refused:
        ground_model(camera)
    assert says in str(refused.value)
    assert "camera 'gate'" in str(refused.value)


def test_the_order_of_the_pairs_does_not_matter() -> None:
    shuffled = [2, 0, 3, 1]
    one = ground_model(with_points(PICTURE, METRES)).place((0.5, 0.7))
    other = ground_model(with_points([PICTURE[i] for i in shuffled], [METRES[i] for i in shuffled])).place((0.5, 0.7))
    assert one is not None
    assert other is not None
    assert (one.lat, one.lon, one.sigma_m) == pytest.approx((other.lat, other.lon, other.sigma_m))
