// What the console knows, as signals. The server's word is the only truth: nothing here is guessed ahead of it.
import { batch, computed, effect, signal } from "@preact/signals";
import { get } from "/static/lib/api.js";
import { serverNow_s } from "/static/lib/clock.js";
import { byUrgency, FINISHED, WAITING_FOR_US } from "/static/lib/phases.js";

export const me = signal(null);
export const site = signal(null);
export const cameras = signal(new Map());
export const incidents = signal(new Map());
export const units = signal(new Map());
export const selectedId = signal(null);
export const view = signal("desk"); // desk | wall
export const filter = signal("open"); // open | all
export const synced_at_s = signal(0);
export const loadFailed = signal(null);
/** id → {by, from, to}: what changed under the operator's hand (after a refused, stale command). */
export const staleNote = signal(null);

export const selected = computed(() => incidents.value.get(selectedId.value) ?? null);
export const selectedCamera = computed(() => cameras.value.get(selected.value?.camera) ?? null);
export const queue = computed(() => {
  const all = [...incidents.value.values()];
  return (filter.value === "all" ? all : all.filter((i) => !FINISHED.has(i.state) || i.id === selectedId.value)).sort(byUrgency);
});
export const unacknowledged = computed(() => [...incidents.value.values()].filter((i) => WAITING_FOR_US.has(i.state)).length);
export const may = (permission) => !me.value?.may || me.value.may.includes(permission);

const boxSignals = new Map();
/** The newest boxes of one camera: {at_s, boxes} or null. */
export function boxesOf(camera) {
  if (!boxSignals.has(camera)) boxSignals.set(camera, signal(null));
  return boxSignals.get(camera);
}

const without = (map, key) => { const next = new Map(map); next.delete(key); return next; };
const withOne = (map, key, value) => new Map(map).set(key, value);

/** Takes an incident in, unless we already hold a newer version. Returns whether it is one that we had not seen. */
export function takeIncident(incident) {
  const had = incidents.value.get(incident.id);
  if (had && had.version > incident.version) return false;
  incidents.value = withOne(incidents.value, incident.id, incident);
  return !had;
}

export function takeAssignment(assignment) {
  const incident = incidents.value.get(assignment.incident);
  if (!incident) return;
  const others = incident.assignments.filter((a) => a.id !== assignment.id);
  const had = incident.assignments.find((a) => a.id === assignment.id);
  if (had && had.version > assignment.version) return;
  const at = incident.assignments.findIndex((a) => a.id === assignment.id);
  others.splice(at < 0 ? others.length : at, 0, assignment);
  incidents.value = withOne(incidents.value, incident.id, { ...incident, assignments: others });
}

const takers = {
  incident: (m) => takeIncident(m.incident),
  assignment: (m) => takeAssignment(m.assignment),
  unit: (m) => { units.value = withOne(units.value, m.unit.id, m.unit); },
  camera: (m) => {
    const camera = cameras.value.get(m.camera);
    if (camera) cameras.value = withOne(cameras.value, m.camera, { ...camera, health: m.health });
  },
  resync: () => { resync(); }, // we were too slow: the server dropped what we missed
  boxes: (m) => { boxesOf(m.camera).value = { at_s: m.at_s, boxes: m.boxes, heard_s: serverNow_s() }; },
};

let onNew = () => {};
export const whenNew = (handler) => { onNew = handler; };

export function takeMessage(message) {
  const fresh = takers[message.type]?.(message);
  if (message.type === "incident" && fresh && WAITING_FOR_US.has(message.incident.state)) onNew(message.incident);
}

const byId = (rows) => new Map(rows.map((row) => [row.id, row]));

/** Fetches everything again: at the start, after a lost connection, and when the filter changes. */
export async function resync() {
  const known = incidents.value;
  const first = synced_at_s.value === 0;
  try {
    const [place, cams, incs, uns] = await Promise.all([
      site.value ?? get("/api/v1/site"),
      may("camera.read") ? get("/api/v1/cameras") : { cameras: [] },
      may("incident.read") ? get(`/api/v1/incidents?state=${filter.value}`) : { incidents: [] },
      may("unit.read") ? get("/api/v1/units") : { units: [] },
    ]);
    batch(() => {
      site.value = place;
      cameras.value = byId(cams.cameras);
      units.value = byId(uns.units);
      const next = byId(incs.incidents);
      const kept = known.get(selectedId.value);
      if (kept && !next.has(kept.id)) next.set(kept.id, kept);
      incidents.value = next;
      synced_at_s.value = serverNow_s();
      loadFailed.value = null;
    });
    if (!first) for (const [id, incident] of incidents.value) if (!known.has(id) && WAITING_FOR_US.has(incident.state)) onNew(incident);
    const open = selectedId.value;
    if (open && !incs.incidents.some((i) => i.id === open)) get(`/api/v1/incidents/${open}`).then(takeIncident, () => { incidents.value = without(incidents.value, open); });
  } catch (problem) {
    loadFailed.value = problem;
  }
}

let chosenFinished = null; // a finished incident that somebody opened on purpose stays open

export function select(id) {
  chosenFinished = FINISHED.has(incidents.value.get(id)?.state) ? id : null;
  selectedId.value = id;
}

/** Nothing chosen, or the chosen one has just been finished and something new waits: choose the top of the queue. */
effect(() => {
  const top = queue.value[0];
  const now = selected.value;
  if (!top) return;
  if (!now || (FINISHED.has(now.state) && now.id !== chosenFinished && WAITING_FOR_US.has(top.state))) selectedId.value = top.id;
});

export const reasonText = (code) => site.value?.dismiss_reasons?.find((r) => r.code === code) ?? { en: code, zh: code };
export const hazardText = (kind) => site.value?.hazards?.find((h) => h.kind === kind) ?? { en: kind, zh: kind };
