// Draws what the detector said over a picture, in the browser: nothing is burned into the video.
// Places come as fractions of the picture; the picture sits letterboxed (object-fit: contain) in its element.
import { WAITING_FOR_US } from "/static/lib/phases.js";

const RELEVANT = {
  intrusion: ["person", "person-down"],
  crowding: ["person", "person-down", "head"],
  stopped_vehicle: ["car", "truck", "bus", "motorcycle", "bicycle", "train"],
  fire: ["fire", "smoke"],
};
const MOST_NAMED = 3; // more words than that would hide the picture
const COLOURS = { plain: "#9fd0ff", unacknowledged: "#ff6b63", known: "#ffc24d", zone: "#ffc24d" };

/** Where the picture lies inside the element: {x, y, w, h} in CSS pixels. */
export function pictureRect(element, width, height) {
  const { clientWidth: cw, clientHeight: ch } = element;
  if (!width || !height) return { x: 0, y: 0, w: cw, h: ch };
  const scale = Math.min(cw / width, ch / height);
  return { x: (cw - width * scale) / 2, y: (ch - height * scale) / 2, w: width * scale, h: height * scale };
}

export function inside(polygon, [px, py]) {
  let within = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > py !== yj > py && px < ((xj - xi) * (py - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}

export function overlap(a, b) {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (w <= 0 || h <= 0) return 0;
  const area = (c) => (c[2] - c[0]) * (c[3] - c[1]);
  return (w * h) / (area(a) + area(b) - w * h);
}

/** Does this live box belong to the hazard? Its class fits the kind and its foot stands in the incident's zone. */
export function isHazard([label, , x1, y1, x2, y2], incident, zone) {
  if (!incident || !RELEVANT[incident.kind]?.includes(label)) return false;
  if (zone) return inside(zone.polygon, [(x1 + x2) / 2, y2]);
  return incident.box ? overlap(incident.box, [x1, y1, x2, y2]) > 0.3 : true;
}

/** Makes the canvas as sharp as the screen; returns a context in CSS pixels. */
function prepare(canvas) {
  const ratio = devicePixelRatio || 1;
  const [w, h] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return ctx;
}

const size = (canvas) => Math.max(10, Math.min(24, canvas.clientWidth / 42)); // letters; lines are a part of it

function label(ctx, text, x, y, colour, font) {
  ctx.font = `600 ${font}px system-ui, "Noto Sans CJK SC", sans-serif`;
  const w = ctx.measureText(text).width + font * 0.7;
  const top = Math.max(0, y - font * 1.45);
  const left = Math.max(0, Math.min(x, ctx.canvas.clientWidth - w)); // never cut off at the edge
  ctx.fillStyle = colour;
  ctx.fillRect(left, top, w, font * 1.45);
  ctx.fillStyle = "#0a0e13";
  ctx.textBaseline = "middle";
  ctx.fillText(text, left + font * 0.35, top + font * 0.76);
}

function rectangle(ctx, rect, [x1, y1, x2, y2], colour, width) {
  ctx.strokeStyle = "rgba(5, 8, 12, .75)";
  ctx.lineWidth = width + 2;
  const box = [rect.x + x1 * rect.w, rect.y + y1 * rect.h, (x2 - x1) * rect.w, (y2 - y1) * rect.h];
  ctx.strokeRect(...box);
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.strokeRect(...box);
}

/**
 * @param canvas lies exactly over the picture's element
 * @param picture {width, height} of the video or image, in its own pixels
 * @param scene {boxes: [[label, score, x1, y1, x2, y2, track]], zones: [{polygon, name}], incident, zone, hazardBox, words}
 */
export function draw(canvas, picture, scene) {
  const ctx = prepare(canvas);
  const rect = pictureRect(canvas, picture.width, picture.height);
  const font = size(canvas);
  const alarm = WAITING_FOR_US.has(scene.incident?.state) ? COLOURS.unacknowledged : COLOURS.known;
  ctx.setLineDash([font / 2, font / 3]);
  for (const zone of scene.zones ?? []) {
    const mine = zone.id === scene.zone?.id;
    ctx.beginPath();
    zone.polygon.forEach(([x, y], i) => ctx[i ? "lineTo" : "moveTo"](rect.x + x * rect.w, rect.y + y * rect.h));
    ctx.closePath();
    ctx.fillStyle = mine ? "rgba(255, 194, 77, .10)" : "transparent";
    ctx.fill();
    ctx.strokeStyle = COLOURS.zone;
    ctx.globalAlpha = mine ? 1 : 0.55;
    ctx.lineWidth = font * (mine ? 0.17 : 0.1);
    ctx.stroke();
    ctx.globalAlpha = 1;
  }
  ctx.setLineDash([]);
  const named = (scene.boxes ?? []).filter((box) => isHazard(box, scene.incident, scene.zone)).length <= MOST_NAMED;
  for (const box of scene.boxes ?? []) {
    const hazard = isHazard(box, scene.incident, scene.zone);
    rectangle(ctx, rect, box.slice(2, 6), hazard ? alarm : COLOURS.plain, font * (hazard ? 0.22 : 0.12));
    if (hazard && named) label(ctx, `${scene.words?.(box[0]) ?? box[0]} ${Math.round(box[1] * 100)} %`, rect.x + box[2] * rect.w, rect.y + box[3] * rect.h, alarm, font);
  }
  if (scene.hazardBox) {
    rectangle(ctx, rect, scene.hazardBox, alarm, font * 0.22);
    if (scene.hazardLabel) label(ctx, scene.hazardLabel, rect.x + scene.hazardBox[0] * rect.w, rect.y + scene.hazardBox[1] * rect.h, alarm, font);
  }
}
