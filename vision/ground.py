"""Where on the map an event in the picture is: a homography from four calibration points, with its uncertainty.

Ground is taken as flat around the camera. All sums run in float64 in a local frame: metres east and north of the camera.
The uncertainty is first-order propagation (Hartley & Zisserman, Multiple View Geometry, 2nd ed., section 5.2.6): the foot
point's error in the picture through the homography's Jacobian, plus the error of each calibration point, found by moving it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from configs.schema import CalibrationPoint, Camera, Fraction2, LatLon
from vision.sighting import Ground

Matrix = NDArray[np.float64]

FOOT_SIGMA = 0.01  # of the picture's height: how well a detector's lower box edge marks the foot
CLICK_SIGMA = 0.004  # of the picture's height: how well a person clicks a calibration point in the picture
MAP_SIGMA_M = 0.5  # and on the map
CAMERA_SIGMA_M = 50.0  # when only the camera's own position is known
RANGE_M = 300.0  # no event is placed further away than this
FOOTPRINT_RANGE_M = 80.0  # the drawn footprint ends here
FAR_M = 2000.0  # a calibration point further off is a slip: swapped latitude and longitude, another city
FLAT = 0.02  # three points are in a line when their triangle's height is under this share of its longest side
UPSIDE_DOWN = 0.05  # of the calibrated ground's mean depth, lost from the picture's top to its bottom
ASPECT = 16 / 9

_SEMI_MAJOR_M, _ECCENTRICITY2 = 6378137.0, 0.00669437999014  # WGS84


class BadCalibration(ValueError):
    """The four calibration points of a camera cannot be used; the text names the camera and the points."""


@dataclass(frozen=True, slots=True)
class LocalFrame:
    """Metres east and north of an origin; good to centimetres over the few hundred metres that a camera sees."""

    lat: float
    lon: float

    def _scale(self) -> tuple[float, float]:
        """Metres per degree of (longitude, latitude) on the WGS84 ellipsoid."""
        s2 = math.sin(math.radians(self.lat)) ** 2
        normal = _SEMI_MAJOR_M / math.sqrt(1 - _ECCENTRICITY2 * s2)
        meridian = normal * (1 - _ECCENTRICITY2) / (1 - _ECCENTRICITY2 * s2)
        return math.radians(normal) * math.cos(math.radians(self.lat)), math.radians(meridian)

    def to_metres(self, place: LatLon) -> tuple[float, float]:
        per_lon, per_lat = self._scale()
        return (place[1] - self.lon) * per_lon, (place[0] - self.lat) * per_lat

    def to_lat_lon(self, east_m: float, north_m: float) -> LatLon:
        per_lon, per_lat = self._scale()
        return self.lat + north_m / per_lat, self.lon + east_m / per_lon


@dataclass(frozen=True, slots=True)
class GroundModel:
    """One camera's picture-to-ground map. `homographies[0]` is the map itself (3×3, picture fractions → metres); the other
    sixteen have one coordinate of one calibration point moved by its standard deviation. Empty: the camera is not calibrated.
    """

    frame: LocalFrame
    homographies: tuple[Matrix, ...] = ()
    aspect: float = ASPECT

    @property
    def calibrated(self) -> bool:
        return bool(self.homographies)

    def place(self, point: Fraction2) -> Ground | None:
        """The ground point under a place in the picture; None when the camera is not calibrated, when the point is on or
        above the horizon, too far off, or so uncertain that the camera's own position says as much.
        """
        if not self.homographies:
            return None
        here = self._metres(point)
        if here is None or math.hypot(*here) > RANGE_M:
            return None
        covariance = np.zeros((2, 2))
        for dx, dy in ((FOOT_SIGMA / self.aspect, 0.0), (0.0, FOOT_SIGMA)):
            # Both ways and two steps: near the horizon a step up goes far further than the Jacobian says. The largest counts.
            steps = [(k, self._metres((point[0] + k * dx, point[1] + k * dy))) for k in (1.0, -1.0, 2.0, -2.0)]
            shifts = [np.subtract(there, here) / k for k, there in steps if there is not None]
            if len(shifts) < len(steps):
                return None
            largest = max(shifts, key=lambda shift: float(shift @ shift))
            covariance += np.outer(largest, largest)
        for moved in self.homographies[1:]:
            there = _apply(moved, point)
            if there is None:
                return None
            covariance += np.outer(np.subtract(there, here), np.subtract(there, here))
        sigma_m = math.sqrt(float(np.linalg.eigvalsh(covariance)[-1]))
        if not math.isfinite(sigma_m) or sigma_m >= CAMERA_SIGMA_M:
            return None
        lat, lon = self.frame.to_lat_lon(*here)
        return Ground(lat, lon, round(sigma_m, 2))

    def camera_position(self) -> Ground:
        """The fallback: the camera itself. Whoever uses it says so (an incident's place has a `source`)."""
        return Ground(self.frame.lat, self.frame.lon, CAMERA_SIGMA_M)

    def footprint(self) -> tuple[LatLon, LatLon, LatLon, LatLon] | None:
        """The ground that the camera sees, for the map: near left, near right, far right, far left as (lat, lon).

        The far corners come down the picture's sides until they are below the horizon and within FOOTPRINT_RANGE_M.
        """
        if not self.homographies:
            return None
        corners = [self._highest_seen(x) for x in (0.0, 1.0)]
        near = [self._metres((x, 1.0)) for x in (0.0, 1.0)]
        if corners[0] is None or corners[1] is None or near[0] is None or near[1] is None:
            return None
        to = self.frame.to_lat_lon
        return to(*near[0]), to(*near[1]), to(*corners[1]), to(*corners[0])

    def area_m2(self, polygon: tuple[Fraction2, ...]) -> float | None:
        """Ground area of a zone in square metres; None when a corner is not on the ground within range."""
        corners = [self._metres(p) for p in polygon] if self.homographies else []
        if not corners or any(c is None or math.hypot(*c) > RANGE_M for c in corners):
            return None
        metres = [c for c in corners if c is not None]
        return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(metres, metres[1:] + metres[:1], strict=True))) / 2

    def heading_difference_deg(self, heading_deg: float) -> float | None:
        """How far the calibrated view's middle lies from the heading in the settings, 0..180: above 60 one of them is wrong."""
        seen = self.footprint()
        if seen is None:
            return None
        metres = [self.frame.to_metres(p) for p in seen]
        bearing = math.degrees(math.atan2(sum(m[0] for m in metres), sum(m[1] for m in metres)))
        return abs((bearing - heading_deg + 180.0) % 360.0 - 180.0)

    def _metres(self, point: Fraction2) -> tuple[float, float] | None:
        return _apply(self.homographies[0], point)

    def _highest_seen(self, x: float) -> tuple[float, float] | None:
        """Up one side of the picture as far as the ground is seen, by halving; metres."""

        def near(y: float) -> tuple[float, float] | None:
            there = self._metres((x, y))
            return there if there is not None and math.hypot(*there) <= FOOTPRINT_RANGE_M else None

        if (best := near(1.0)) is None:
            return None
        if (top := near(0.0)) is not None:
            return top
        low, high = 1.0, 0.0
        for _ in range(30):
            middle = (low + high) / 2
            found = near(middle)
            if found is None:
                high = middle
            else:
                low, best = middle, found
        return best


def ground_model(camera: Camera, aspect: float = ASPECT) -> GroundModel:
    """The ground model of a camera in the settings. `aspect` is the picture's width over its height.

    Raises BadCalibration, naming the camera, when its calibration cannot be used.
    """
    frame = LocalFrame(*camera.position)
    if not camera.calibration:
        return GroundModel(frame, (), aspect)
    points = camera.calibration
    where = f"camera {camera.id!r}"
    if len(points) != 4:
        raise BadCalibration(f"{where}: calibration needs exactly 4 points (or none), has {len(points)}")
    picture = np.array([p.picture for p in points], dtype=np.float64)
    metres = np.array([frame.to_metres(p.ground) for p in points], dtype=np.float64)
    _check_points(where, points, metres)
    _check_triples(where, picture * (aspect, 1.0), metres)
    variants = [(picture, metres)]
    for i in range(4):
        for axis, sigma in ((0, CLICK_SIGMA / aspect), (1, CLICK_SIGMA)):
            variants.append((_moved(picture, i, axis, sigma), metres))
            variants.append((picture, _moved(metres, i, axis, MAP_SIGMA_M)))
    model = GroundModel(frame, tuple(_homography(p, m) for p, m in variants), aspect)
    if model.homographies[0][2, 1] < -UPSIDE_DOWN or _apply(model.homographies[0], (0.5, 1.0)) is None:
        raise BadCalibration(
            f"{where}: by its calibration the ground gets further away towards the picture's lower edge; "
            f"near and far points are in crossed order: check which picture point belongs to which map point"
        )
    return model


def _check_points(where: str, points: tuple[CalibrationPoint, ...], metres: Matrix) -> None:
    for i, point in enumerate(points, 1):
        if not all(math.isfinite(v) and 0.0 <= v <= 1.0 for v in point.picture):
            raise BadCalibration(f"{where}: calibration point {i} has picture {point.picture}, not fractions from 0 to 1")
        off_m = math.hypot(*metres[i - 1])
        if not off_m <= FAR_M:
            raise BadCalibration(
                f"{where}: calibration point {i} at {point.ground} is {off_m / 1000:.1f} km from the camera; "
                f"ground is [latitude, longitude]: are they swapped?"
            )


def _check_triples(where: str, picture: Matrix, metres: Matrix) -> None:
    """Three points in a line define no homography. And a view of the ground from above keeps the turning sense of every three
    points: a mirrored or crossed pairing does not. (The picture's y runs down and north runs up: the signs differ.)
    """
    for a, b, c in combinations(range(4), 3):
        names = f"{a + 1}, {b + 1} and {c + 1}"
        turns = []
        for space, points in (("picture", picture), ("map", metres)):
            p, q, r = points[a], points[b], points[c]
            turn = float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))
            longest = max(float(np.linalg.norm(q - p)), float(np.linalg.norm(r - p)), float(np.linalg.norm(r - q)))
            if longest == 0 or abs(turn) / longest**2 < FLAT:
                raise BadCalibration(f"{where}: calibration points {names} lie in one line on the {space}; move one aside")
            turns.append(turn)
        if turns[0] * turns[1] > 0:
            raise BadCalibration(
                f"{where}: calibration points {names} run clockwise on one of picture and map and anticlockwise on the other; "
                f"the points are in crossed order: check which picture point belongs to which map point"
            )


def _moved(points: Matrix, i: int, axis: int, by: float) -> Matrix:
    moved = points.copy()
    moved[i, axis] += by
    return moved


def _homography(picture: Matrix, metres: Matrix) -> Matrix:
    """The 3×3 homography through four pairs, scaled so that its third row is positive on the ground that is seen."""
    rows, right = [], []
    for (x, y), (u, v) in zip(picture, metres, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    h = np.append(np.linalg.solve(np.array(rows, dtype=np.float64), np.array(right, dtype=np.float64)), 1.0).reshape(3, 3)
    depth = float(h[2] @ np.append(picture.mean(axis=0), 1.0))
    return h / depth


def _apply(homography: Matrix, point: Fraction2) -> tuple[float, float] | None:
    """Metres (east, north) of a place in the picture; None on or above the horizon."""
    u, v, depth = homography @ np.array((point[0], point[1], 1.0))
    if depth <= 1e-6:
        return None
    return float(u / depth), float(v / depth)
