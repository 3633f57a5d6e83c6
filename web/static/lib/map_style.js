// The dark base map, from our own GeoJSON: no tile server, no glyph server (MapLibre draws the letters from system fonts).
export const MAP_COLOURS = {
  ground: "#0d131a", water: "#10283d", green: "#10211a",
  building: "#1b2631", outline: "#2b3947", road: "#344454", main: "#4a5d70", rail: "#39424f",
  name: "#93a4b5", halo: "#0d131a",
  good: "#4fd08f", wait: "#ffc24d", work: "#7cc0ff", bad: "#ff6b63", done: "#8494a5", accent: "#58a8ff",
};
const C = MAP_COLOURS;
const FONT = ["Noto Sans", "Noto Sans CJK SC", "system-ui", "sans-serif"];
const layerIs = (name) => ["==", ["get", "layer"], name];
const MAIN = ["motorway", "trunk", "primary", "secondary", "tertiary"];
const isMain = ["in", ["get", "class"], ["literal", MAIN]];
const width = (small, large) => ["interpolate", ["exponential", 1.6], ["zoom"], 11, small, 18, large];

const fill = (name, paint) => ({ id: name, type: "fill", source: "base", filter: layerIs(name), paint });
const stroke = (id, filter, paint) => ({ id, type: "line", source: "base", filter, layout: { "line-cap": "round", "line-join": "round" }, paint });

export function mapStyle(basemapUrl, attribution) {
  return {
    version: 8,
    sources: { base: { type: "geojson", data: basemapUrl, attribution, maxzoom: 16 } },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": C.ground } },
      fill("water", { "fill-color": C.water }),
      fill("green", { "fill-color": C.green }),
      { ...fill("building", { "fill-color": C.building, "fill-outline-color": C.outline }), minzoom: 13 },
      stroke("rail", layerIs("rail"), { "line-color": C.rail, "line-width": width(0.5, 2.5), "line-dasharray": [4, 2] }),
      stroke("road", ["all", layerIs("road"), ["!", isMain]], { "line-color": C.road, "line-width": width(0.4, 8) }),
      stroke("main", ["all", layerIs("road"), isMain], { "line-color": C.main, "line-width": width(1, 16) }),
      {
        id: "names",
        type: "symbol",
        source: "base",
        filter: ["all", layerIs("road"), ["has", "name"]],
        minzoom: 13.5,
        layout: {
          "symbol-placement": "line", "symbol-spacing": 320, "text-field": ["get", "name"], "text-font": FONT, "text-padding": 8,
          "text-size": ["interpolate", ["linear"], ["zoom"], 13.5, 10, 18, 14],
        },
        paint: { "text-color": C.name, "text-halo-color": C.halo, "text-halo-width": 1.6 },
      },
    ],
  };
}
export const MAP_FONT = FONT;
