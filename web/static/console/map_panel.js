// The map beside the incident: cameras, units, the place with its uncertainty, the way there.
import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { html } from "/static/lib/html.js";
import { duration } from "/static/lib/format.js";
import { pick, t } from "/static/lib/i18n.js";
import { MAP_COLOURS as C } from "/static/lib/map_style.js";
import { circle, footprint, line, midway, point } from "/static/lib/map_things.js";
import { activeAssignments, FINISHED, healthTone, incidentTone } from "/static/lib/phases.js";
import { Icon } from "/static/lib/icons.js";
import { cameras, hazardText, incidents, select, selected, selectedId, site, units } from "/static/console/store.js";
import { recommendation, toSend } from "/static/console/recommendation.js";
import { doing } from "/static/console/units_board.js";
import { pickText } from "/static/lib/i18n.js";

const view = signal(null);
export const flyTo = (lonLat) => view.peek()?.map.easeTo({ center: lonLat, zoom: Math.max(15.5, view.peek().map.getZoom()) });

/** The ways to draw: of those who are sent, else of the one who would be. */
function routes(incident) {
  if (!incident || FINISHED.has(incident.state)) return [];
  const sent = activeAssignments(incident)
    .filter((a) => a.route?.length > 1 && a.state !== "on_scene")
    .map((a) => ({ route: a.route, eta_s: a.eta_s, planned: a.state === "offered", colour: a.state === "offered" ? C.wait : C.work }));
  if (sent.length || activeAssignments(incident).length) return sent;
  const would = recommendation.value?.id === incident.id ? toSend() : null;
  return would?.route?.length > 1 ? [{ route: would.route, eta_s: would.eta_s, planned: true, colour: C.accent }] : [];
}

const isOpen = (i) => !FINISHED.has(i.state);

function incidentPoint(i, chosen) {
  const on = i.id === chosen?.id;
  return point(i.place.lon, i.place.lat, {
    id: i.id,
    icon: `hazard-${i.kind}-${incidentTone(i.state)[0]}`,
    size: on ? 1.1 : 0.8,
    order: on ? 1 : 0,
    opacity: on || !chosen ? 1 : 0.75,
    name: on ? pickText(hazardText(i.kind)) : "",
  });
}

/** Where a unit was last heard of; pale at its base when it has not said where it is. */
function unitPoint(u, chosen) {
  return point(u.position?.lon ?? u.base[1], u.position?.lat ?? u.base[0], {
    id: u.id,
    icon: `unit-${u.mode}-${doing(u).tone || "done"}`,
    opacity: u.position ? 1 : 0.5,
    order: chosen && u.committed_to === chosen.id ? 1 : 0,
    name: pick(u),
  });
}

function placeCircle({ place, state }) {
  return circle(place.lat, place.lon, Math.max(4, 2 * place.sigma_m), { colour: C[incidentTone(state)[0]] ?? C.bad });
}

function etaLabel(way) {
  const [lon, lat] = midway(way.route);
  return point(lon, lat, { text: t("eta", { d: duration(way.eta_s) }) });
}

function paint(map) {
  const incident = selected.value;
  const ways = routes(incident);
  const onMap = [...incidents.value.values()].filter((i) => isOpen(i) || i.id === incident?.id);
  const cams = [...cameras.value.values()];
  map.set("footprints", cams.map((c) => footprint(c, c.id === incident?.camera)));
  map.set("cameras", cams.map((c) => point(c.position[1], c.position[0], { id: c.id, icon: `camera-${healthTone(c.health?.state)[0]}` })));
  map.set("places", incident ? [placeCircle(incident)] : []);
  map.set("incidents", onMap.map((i) => incidentPoint(i, incident)));
  map.set("units", [...units.value.values()].filter((u) => u.state !== "off_duty" || u.committed_to).map((u) => unitPoint(u, incident)));
  map.set("routes", ways.map((w) => line(w.route, { planned: w.planned, colour: w.colour })));
  map.set("labels", ways.filter((w) => w.eta_s != null).map(etaLabel));
}

/** What to look at: the incident and the ways to it, or the camera's surroundings. */
function look(map) {
  const incident = selected.peek();
  if (!incident) return;
  map.fit([[incident.place.lon, incident.place.lat], ...routes(incident).flatMap((w) => w.route)]);
}

const onPick = (layer, id) => {
  if (layer === "incidents") select(id);
  const unit = layer === "units" ? units.peek().get(id) : null;
  if (unit?.committed_to && incidents.peek().has(unit.committed_to)) select(unit.committed_to);
};

export function MapPanel() {
  const ref = useRef(null);
  const place = site.value;
  useEffect(() => {
    if (!place) return undefined;
    const kinds = (place.hazards ?? []).map((h) => h.kind);
    let gone = false; // the wall may be opened before the map's code is here
    const made = import("/static/lib/map_view.js").then(({ makeMap }) => (gone ? null : makeMap(ref.current, { site: place, kinds, onPick })));
    const stops = [];
    made.then((map) => {
      if (!map) return;
      view.value = map;
      let looked = "";
      stops.push(effect(() => paint(map)));
      stops.push(effect(() => {
        const way = routes(selected.value).map((w) => w.route.length).join();
        const key = `${selectedId.value}|${way ? "way" : ""}|${activeAssignments(selected.value).length}`;
        if (key !== looked) { looked = key; queueMicrotask(() => look(map)); }
      }));
    });
    return () => {
      gone = true;
      made.then((map) => {
        for (const stop of stops) stop();
        map?.remove();
        if (map && view.peek() === map) view.value = null;
      });
    };
  }, [place]);
  return html`<section class="panel map" aria-label=${t("map")}><div class="map-canvas" ref=${ref} data-testid="map"
      data-ways=${routes(selected.value).length}></div>
    <button type="button" class="btn small map-fit" onClick=${() => view.value && look(view.value)} title=${t("map.fit")} aria-label=${t("map.fit")}><${Icon} name="pin" /></button></section>`;
}
