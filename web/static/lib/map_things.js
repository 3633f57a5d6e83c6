// What stands on the map, as GeoJSON, and the pictures it is drawn with. Pure but for the canvas of the pictures.
import { PATHS } from "/static/lib/icons.js";
import { MAP_COLOURS as C } from "/static/lib/map_style.js";

const METRES_PER_DEGREE = 111_320;
const VIEW_RANGE_M = 45; // how far a camera's wedge is drawn when nothing is known of what it sees
const VIEW_HALF_ANGLE_DEG = 28;

const feature = (geometry, properties = {}) => ({ type: "Feature", geometry, properties });
export const collection = (features) => ({ type: "FeatureCollection", features });
export const point = (lon, lat, properties) => feature({ type: "Point", coordinates: [lon, lat] }, properties);
export const line = (coordinates, properties) => feature({ type: "LineString", coordinates }, properties);

/** The place `metres` from (lat, lon) in direction `bearing_deg`; good for some kilometres. */
export function offset(lat, lon, bearing_deg, metres) {
  const a = (bearing_deg * Math.PI) / 180;
  return [lon + (Math.sin(a) * metres) / (METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180)), lat + (Math.cos(a) * metres) / METRES_PER_DEGREE];
}

export function circle(lat, lon, metres, properties) {
  const ring = Array.from({ length: 49 }, (_, i) => offset(lat, lon, i * 7.5, metres));
  return feature({ type: "Polygon", coordinates: [ring] }, properties);
}

/** What a camera sees: its calibrated footprint, else a wedge along its heading. */
export function footprint(camera, on) {
  const [lat, lon] = camera.position;
  const ring = camera.footprint?.length
    ? camera.footprint.map(([y, x]) => [x, y])
    : [[lon, lat], ...[-1, -0.5, 0, 0.5, 1].map((k) => offset(lat, lon, camera.heading_deg + k * VIEW_HALF_ANGLE_DEG, VIEW_RANGE_M))];
  return feature({ type: "Polygon", coordinates: [[...ring, ring[0]]] }, { id: camera.id, on });
}

/** The middle of a line, by length. */
export function midway(coordinates) {
  const lengths = coordinates.slice(1).map(([x, y], i) => Math.hypot(x - coordinates[i][0], y - coordinates[i][1]));
  let left = lengths.reduce((sum, l) => sum + l, 0) / 2;
  const at = lengths.findIndex((l) => (left -= l) <= 0);
  return coordinates[Math.max(0, at)] ?? coordinates[0];
}

const SIZE = 56;
/** A round badge with one of our icons; `ring` is its colour, `fill` its ground. */
export function badge(icon, { ring, fill = "#0d131a", ink = ring, square = false }) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const ctx = canvas.getContext("2d");
  ctx.beginPath();
  if (square) ctx.roundRect(4, 4, SIZE - 8, SIZE - 8, 12);
  else ctx.arc(SIZE / 2, SIZE / 2, SIZE / 2 - 4, 0, Math.PI * 2);
  ctx.fillStyle = fill;
  ctx.fill();
  ctx.lineWidth = 5;
  ctx.strokeStyle = ring;
  ctx.stroke();
  ctx.translate(11, 11);
  ctx.scale((SIZE - 22) / 24, (SIZE - 22) / 24);
  ctx.lineWidth = 2.1;
  ctx.lineCap = ctx.lineJoin = "round";
  ctx.strokeStyle = ink;
  ctx.stroke(new Path2D(PATHS[icon] ?? PATHS.hazard));
  return ctx.getImageData(0, 0, SIZE, SIZE);
}

const TONES = { good: C.good, wait: C.wait, work: C.work, bad: C.bad, done: C.done };

/** Adds every badge that the layers name: unit-<mode>-<tone>, camera-<tone>, hazard-<kind>-<tone>. */
export function addBadges(map, kinds) {
  const add = (name, picture) => { if (!map.hasImage(name)) map.addImage(name, picture, { pixelRatio: 2 }); };
  for (const [tone, colour] of Object.entries(TONES)) {
    for (const mode of ["foot", "bicycle", "car"]) add(`unit-${mode}-${tone}`, badge(mode, { ring: colour }));
    add(`camera-${tone}`, badge("camera", { ring: colour === C.good ? "#5d6f81" : colour, ink: "#c4d0db", square: true }));
    for (const kind of kinds) add(`hazard-${kind}-${tone}`, badge(kind, { ring: "#ffffff", fill: colour, ink: "#0a0e13" }));
  }
}
