// The dark base map, from our own GeoJSON: no tile server, no glyph server (MapLibre draws the letters from system fonts).
export const MAP_COLOURS = {
  ground: "#0d131a", water: "#10283d", green: "#10211a", building: "#1b2631", outline: "#2b3947", road: "#344454", main: "#4a5d70", rail: "#39424f", name: "#93a4b5", halo: "#0d131a",
  good: "#4fd08f", wait: "#ffc24d", work: "#7cc0ff", bad: "#ff6b63", done: "#8494a5", accent: "#58a8ff",
};
const C = MAP_COLOURS;
const FONT = ["Noto Sans", "Noto Sans CJK SC", "system-ui", "sans-serif"];
const layerIs = (name) => ["==", ["get", "layer"], name];
const MAIN = ["motorway", "trunk", "primary", "secondary", "tertiary"];
const isMain = ["in", ["get", "class"], ["literal", MAIN]];
const width = (small, large) => ["interpolate", ["exponential", 1.6], ["zoom"], 11, small, 18, large];

export function mapStyle(basemapUrl, attribution) {
  return {
    version: 8,
    sources: { base: { type: "geojson", data: basemapUrl, attribution, maxzoom: 16 } },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": C.ground } },
      { id: "water", type: "fill", source: "base", filter: layerIs("water"), paint: { "fill-color": C.water } },
      { id: "green", type: "fill", source: "base", filter: layerIs("green"), paint: { "fill-color": C.green } },
      { id: "building", type: "fill", source: "base", filter: layerIs("building"), minzoom: 13, paint: { "fill-color": C.building, "fill-outline-color": C.outline } },
      { id: "rail", type: "line", source: "base", filter: layerIs("rail"), paint: { "line-color": C.rail, "line-width": width(0.5, 2.5), "line-dasharray": [4, 2] } },
      { id: "road", type: "line", source: "base", filter: ["all", layerIs("road"), ["!", isMain]], layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": C.road, "line-width": width(0.4, 8) } },
      { id: "main", type: "line", source: "base", filter: ["all", layerIs("road"), isMain], layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": C.main, "line-width": width(1, 16) } },
      { id: "names", type: "symbol", source: "base", filter: ["all", layerIs("road"), ["has", "name"]], minzoom: 13.5,
        layout: { "symbol-placement": "line", "text-field": ["get", "name"], "text-font": FONT, "text-size": ["interpolate", ["linear"], ["zoom"], 13.5, 10, 18, 14], "symbol-spacing": 320, "text-padding": 8 },
        paint: { "text-color": C.name, "text-halo-color": C.halo, "text-halo-width": 1.6 } },
    ],
  };
}
export const MAP_FONT = FONT;
