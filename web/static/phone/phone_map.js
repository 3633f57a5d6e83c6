// The way there: the road from the recommendation, the place, this unit.
import { useEffect, useRef } from "preact/hooks";
import { html } from "/static/lib/html.js";
import { lang, pickText, t } from "/static/lib/i18n.js";
import { MAP_COLOURS as C } from "/static/lib/map_style.js";
import { circle, line, point } from "/static/lib/map_things.js";
import { site } from "/static/phone/store.js";
import { hazard } from "/static/phone/what.js";
import { sharing } from "/static/phone/sharing.js";

export function PhoneMap({ incident, assignment, unit }) {
  const ref = useRef(null);
  const view = useRef(null);
  const fitted = useRef("");
  const here = sharing.value.here ?? unit?.position;
  const paint = () => {
    const map = view.current;
    if (!map) return;
    const { place } = incident;
    map.set("places", [circle(place.lat, place.lon, Math.max(4, 2 * place.sigma_m), { colour: assignment.state === "offered" ? C.wait : C.work })]);
    map.set("incidents", [point(place.lon, place.lat, { id: incident.id, icon: `hazard-${incident.kind}-${assignment.state === "offered" ? "wait" : "work"}`, name: pickText(hazard(incident.kind)), size: 1.1 })]);
    map.set("routes", assignment.route?.length > 1 ? [line(assignment.route, { planned: assignment.state === "offered", colour: assignment.state === "offered" ? C.wait : C.work })] : []);
    map.set("units", here ? [point(here.lon, here.lat, { id: unit.id, icon: `unit-${unit.mode}-work` })] : []);
    const key = `${assignment.id}|${Boolean(here)}`;
    if (fitted.current !== key) {
      fitted.current = key;
      map.fit([[place.lon, place.lat], ...(here ? [[here.lon, here.lat]] : []), ...(assignment.route ?? [])]);
    }
  };
  useEffect(() => {
    let gone = false;
    import("/static/lib/map_view.js").then(({ makeMap }) => {
      if (gone) return;
      view.current = makeMap(ref.current, { site: site.value, kinds: [incident.kind], compact: true });
      paint();
    });
    return () => { gone = true; view.current?.remove(); view.current = null; fitted.current = ""; };
  }, [incident.id, Boolean(site.value)]);
  useEffect(paint, [incident.version, assignment.version, here?.lat, here?.lon, lang.value]);
  return html`<section class="card phone-map" aria-label=${t("map")}><div class="map-canvas" ref=${ref} data-testid="map"></div></section>`;
}
