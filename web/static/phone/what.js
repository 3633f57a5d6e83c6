// What has happened and where, as the responder sees it: kind, place, covered picture.
import { useState } from "preact/hooks";
import { html } from "/static/lib/html.js";
import { distance, position } from "/static/lib/format.js";
import { lang, pickText, t } from "/static/lib/i18n.js";
import { Ago, Chip } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { LiveView } from "/static/console/live_view.js";
import { me, site, unit } from "/static/phone/store.js";
import { sharing } from "/static/phone/sharing.js";

export const hazard = (kind) => site.value?.hazards?.find((h) => h.kind === kind) ?? { en: kind, zh: kind };

const EARTH_M = 6_371_000;
const rad = (deg) => (deg * Math.PI) / 180;
/** Great-circle metres: how far as the crow flies; the road's length is the route's. */
export function metresBetween(a, b) {
  const h = Math.sin(rad(b.lat - a.lat) / 2) ** 2 + Math.cos(rad(a.lat)) * Math.cos(rad(b.lat)) * Math.sin(rad(b.lon - a.lon) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.sqrt(h));
}
const routeMetres = (route) => route?.slice(1).reduce((sum, [lon, lat], i) => sum + metresBetween({ lat, lon }, { lat: route[i][1], lon: route[i][0] }), 0);

export function What({ incident, assignment }) {
  const here = sharing.value.here ?? unit.value?.position;
  const road_m = assignment.on_scene_at_s || assignment.en_route_at_s ? null : routeMetres(assignment.route);
  return html`<div class="what"><span class=${`kind ${assignment.state === "offered" ? "wait" : "work"}`}><${Icon} name=${incident.kind} /></span>
    <div><h1>${pickText(hazard(incident.kind))} <span class="dim num">${t("number", { n: incident.number })}</span></h1>
    <p>${t("phone.seen")} <${Ago} at=${incident.first_seen_s} /></p></div></div>
    <p class="where"><${Icon} name="pin" /><span>${road_m ? html`<b class="num">${t("phone.by_road", { d: distance(road_m) })}
      </b>` : here ? html`<b class="num">${t("phone.straight", { d: distance(metresBetween(here, incident.place)) })}</b>` : ""}
      <span class="dim num">${position(incident.place)} ± ${distance(incident.place.sigma_m)}</span></span></p>`;
}

/** The covered picture; the live wall where this account may watch it. */
export function Picture({ incident }) {
  const mayWatch = me.value?.may?.includes("live.wall");
  const [live, setLive] = useState(false);
  if (!incident.thumbnail && !mayWatch) return null;
  return html`<figure class="card picture"><div class="screen">
    ${live ? html`<${LiveView} url=${`/whep/wall/${encodeURIComponent(incident.camera)}`} label=${t("live")}
      testid="live-video" />` : incident.thumbnail ? html`<img src=${incident.thumbnail} alt=${t("thumb.alt", { n: incident.number })} lang=${lang.value} />` : ""}</div>
    <figcaption><${Chip} icon="covered">${t("covered.chip")}<//>${!live && incident.thumbnail && html`<span class="dim">
      <${Ago} at=${incident.last_seen_s} /></span>`}
      ${mayWatch && html`<button type="button" class="btn" data-testid="watch-live" onClick=${() => setLive(!live)}>
        ${t(live ? "phone.still" : "phone.live")}</button>`}</figcaption></figure>`;
}
