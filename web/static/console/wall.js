// The wall: every camera that this account may see, people covered, each with what it is doing and since when.
import { useEffect, useRef, useState } from "preact/hooks";
import { html, cx } from "/static/lib/html.js";
import { pick, pickText, t } from "/static/lib/i18n.js";
import { byUrgency, FINISHED, incidentTone, shows, WAITING_FOR_US } from "/static/lib/phases.js";
import { Ago, Chip } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { HealthChip, NoPicture } from "/static/console/camera_health.js";
import { LiveView } from "/static/console/live_view.js";
import { Overlay } from "/static/console/overlay.js";
import { cameras, hazardText, incidents, may, select, view } from "/static/console/store.js";

/** Whether the element is on the screen: only what is seen is streamed. */
function useSeen() {
  const ref = useRef(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => setSeen(entry.isIntersecting), { rootMargin: "100px" });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, seen];
}

function Tile({ camera }) {
  const [ref, seen] = useSeen();
  const [video, setVideo] = useState(null);
  const here = [...incidents.value.values()].filter((i) => i.camera === camera.id && !FINISHED.has(i.state)).sort(byUrgency);
  const alarm = here.some((i) => WAITING_FOR_US.has(i.state));
  const incident = here[0];
  const open = () => { if (incident) { select(incident.id); view.value = "desk"; } };
  return html`<article ref=${ref} class=${cx("tile", alarm && "alarm")}
      data-testid=${`tile-${camera.id}`} data-health=${camera.health?.state ?? "unknown"}>
    <header><b>${pick(camera)}</b><${HealthChip} health=${camera.health} />${camera.health?.since_s && html`<span class="dim">
      <${Ago} at=${camera.health.since_s} /></span>`}</header>
    <div class="screen">${shows(camera.health) && may("live.wall")
      ? seen && html`<${LiveView} url=${`/whep/wall/${encodeURIComponent(camera.id)}`} label=${t("live.label", { camera: pick(camera) })}
          testid=${`wall-video-${camera.id}`} onVideo=${setVideo}>
          <${Overlay} element=${video} camera=${camera} incident=${incident} live /><//>`
      : html`<${NoPicture} health=${camera.health} />`}</div>
    ${incident && html`<button type="button" class="tile-incident" onClick=${open}>
      <${Chip} tone=${incidentTone(incident.state)[0]} icon=${incident.kind}>${pickText(hazardText(incident.kind))} · ${t(`state.${incident.state}`)}
      <//></button>`}
  </article>`;
}

export function Wall() {
  const rows = [...cameras.value.values()].sort((a, b) => a.id.localeCompare(b.id));
  const working = rows.filter((c) => shows(c.health)).length;
  const columns = rows.length <= 1 ? 1 : rows.length <= 4 ? 2 : rows.length <= 9 ? 3 : 4;
  return html`<main class="panel wall" aria-label=${t("wall")}><header class="panel-head"><h2>${t("wall")}</h2><${Chip} icon="covered">
    ${t("covered.chip")}<//><span class="dim num">${t("wall.working", { n: working, all: rows.length })}</span></header>
    ${rows.length === 0 && html`<div class="empty" data-testid="wall-empty"><${Icon} name="camera" /><p>${t("wall.none")}</p></div>`}
    <div class=${`tiles cols-${columns}`}>${rows.map((camera) => html`<${Tile} key=${camera.id} camera=${camera} />`)}</div></main>`;
}
