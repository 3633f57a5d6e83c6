// One MapLibre map with our layers. Callers hand it GeoJSON per source; it draws. Used by the console and the phone.
import { AttributionControl, Map as MapLibre, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import { MAP_COLOURS as C, MAP_FONT, mapStyle } from "/static/lib/map_style.js";
import { addBadges, collection } from "/static/lib/map_things.js";

// A worker of a blob lives under this page's content security policy. Loaded by its own address it would live under the
// policy of that answer, which lets a file that is no page fetch nothing: not even the base map.
const WORKER = new URL("/static/vendor/maplibre-gl/maplibre-gl-worker.mjs", location.origin).href;
setWorkerUrl(URL.createObjectURL(new Blob([`import ${JSON.stringify(WORKER)};`], { type: "text/javascript" })));

const SOURCES = ["footprints", "places", "routes", "cameras", "units", "incidents", "labels"];
/** Letters and icons grow with the page's: maps count in pixels, pages in rem. */
const scale = () => Math.max(1, Math.min(2, parseFloat(getComputedStyle(document.documentElement).fontSize) / 14.5));
const ROUND = { "line-cap": "round", "line-join": "round" };

const symbol = (source, k, extra = {}) => ({
  id: source,
  type: "symbol",
  source,
  layout: {
    "icon-image": ["get", "icon"],
    "icon-size": ["*", k, ["coalesce", ["get", "size"], 0.85]],
    "icon-allow-overlap": true,
    "icon-ignore-placement": true,
    "symbol-sort-key": ["coalesce", ["get", "order"], 0],
    "text-field": ["coalesce", ["get", "name"], ""],
    "text-font": MAP_FONT,
    "text-size": 12 * k,
    "text-anchor": "top",
    "text-offset": [0, 1.1],
    "text-optional": true,
    ...extra,
  },
  paint: { "icon-opacity": ["coalesce", ["get", "opacity"], 1], "text-color": "#dbe5ee", "text-halo-color": C.halo, "text-halo-width": 1.8 },
});

const fill = (id, paint) => ({ id, type: "fill", source: id, paint });
const stroke = (id, source, paint, rest = {}) => ({ id, type: "line", source, paint, ...rest });

const layers = (k) => [
  fill("footprints", { "fill-color": C.accent, "fill-opacity": ["case", ["get", "on"], 0.22, 0.07] }),
  stroke("footprint-edges", "footprints", {
    "line-color": C.accent, "line-opacity": ["case", ["get", "on"], 0.7, 0.2], "line-width": 1, "line-dasharray": [2, 2],
  }),
  fill("places", { "fill-color": ["get", "colour"], "fill-opacity": 0.16 }),
  stroke("place-edges", "places", { "line-color": ["get", "colour"], "line-width": 1.6 }),
  stroke("route-casing", "routes", { "line-color": "#04080c", "line-width": 8 * k, "line-opacity": 0.8 }, { layout: ROUND }),
  stroke("routes", "routes", { "line-color": ["get", "colour"], "line-width": 4.5 * k }, { layout: ROUND, filter: ["!", ["get", "planned"]] }),
  stroke("routes-planned", "routes", { "line-color": ["get", "colour"], "line-width": 4 * k, "line-dasharray": [1.6, 1.1] }, { filter: ["get", "planned"] }),
  symbol("cameras", k, { "icon-size": ["interpolate", ["linear"], ["zoom"], 12, 0.45 * k, 16, 0.75 * k] }),
  symbol("units", k),
  symbol("incidents", k),
  {
    id: "labels",
    type: "symbol",
    source: "labels",
    layout: {
      "text-field": ["get", "text"], "text-font": MAP_FONT, "text-size": 14 * k, "text-allow-overlap": true, "text-padding": 6,
      "text-anchor": "bottom", "text-offset": [0, -0.4],
    },
    paint: { "text-color": "#ffffff", "text-halo-color": "#0a2340", "text-halo-width": 3 },
  },
];

/** @returns {set(source, features), fit(points, options), map, remove()} */
export function makeMap(container, { site, kinds, onPick, compact = false }) {
  const [[south, west], [north, east]] = site.map.bounds;
  const map = new MapLibre({
    container,
    style: mapStyle(site.map.basemap_url ? new URL(site.map.basemap_url, location.origin).href : collection([]), site.map.attribution),
    bounds: [[west, south], [east, north]],
    fitBoundsOptions: { padding: 12 },
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    fadeDuration: 0,
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disable(); // the arrows belong to the queue
  map.addControl(new AttributionControl({ compact: false }), "bottom-right");
  if (!compact) map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new ScaleControl({ maxWidth: 90 }), "bottom-left");
  const waiting = new Map();
  const drawn = new Map();
  let ready = false;
  map.on("load", () => {
    addBadges(map, kinds);
    for (const source of SOURCES) map.addSource(source, { type: "geojson", data: collection([]) });
    for (const layer of layers(scale())) map.addLayer(layer);
    ready = true;
    for (const [source, features] of waiting) map.getSource(source).setData(collection(features));
  });
  for (const layer of ["incidents", "units", "cameras"]) {
    map.on("click", layer, (event) => onPick?.(layer, event.features[0].properties.id));
    map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
    map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; });
  }
  const resize = new ResizeObserver(() => map.resize());
  resize.observe(container);
  return {
    map,
    set(source, features) {
      const text = JSON.stringify(features);
      if (drawn.get(source) === text) return; // drawing the same again makes the letters flicker
      drawn.set(source, text);
      if (ready) map.getSource(source).setData(collection(features));
      else waiting.set(source, features);
    },
    fit(points, { maxZoom = 16.5, padding = { top: 48, right: 52, bottom: 62, left: 52 } } = {}) {
      if (!points.length) return;
      const lons = points.map((p) => p[0]);
      const lats = points.map((p) => p[1]);
      map.fitBounds([[Math.min(...lons), Math.min(...lats)], [Math.max(...lons), Math.max(...lats)]], { padding, maxZoom, duration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 500 });
    },
    remove() { resize.disconnect(); map.remove(); },
  };
}
