// The incident's camera, live: people covered, or clear for as long as a grant lasts.
import { useState } from "preact/hooks";
import { html, cx } from "/static/lib/html.js";
import { now_s } from "/static/lib/clock.js";
import { countdown } from "/static/lib/format.js";
import { pick, t } from "/static/lib/i18n.js";
import { FINISHED, shows } from "/static/lib/phases.js";
import { Button, Chip } from "/static/lib/ui.js";
import { NoPicture } from "/static/console/camera_health.js";
import { closeClear, grant, isPending, openClear } from "/static/console/commands.js";
import { LiveView } from "/static/console/live_view.js";
import { Overlay } from "/static/console/overlay.js";
import { may } from "/static/console/store.js";

/** The grant that opens this incident's picture now, or null. */
export function grantFor(incident) {
  const held = grant.value;
  return held && held.incident === incident.id && held.expires_at_s > now_s.value ? held : null;
}

/** Why this incident opens no clear picture: "" when it does. */
export const whyNoClear = (incident) => (!may("grant.open") ? t("clear.not_allowed") : FINISHED.has(incident.state) ? t("why.finished") : "");

export function LivePane({ incident, camera }) {
  const [video, setVideo] = useState(null);
  const held = grantFor(incident);
  const url = held ? held.whep : `/whep/wall/${encodeURIComponent(camera.id)}?incident=${encodeURIComponent(incident.id)}`; // on the record of this incident
  return html`<figure class=${cx("pane", held && "is-clear")}>
    <figcaption><span class="pane-name" title=${pick(camera)}>${t("live")}</span>
      ${held ? html`<${Chip} tone="wait" icon="eye">${t("clear.chip")} <b class="num">${countdown(held.expires_at_s - now_s.value)}</b><//>`
             : html`<${Chip} icon="covered">${t("covered.chip")}<//>`}</figcaption>
    <div class="screen">${shows(camera.health)
      ? html`<${LiveView} key=${url} url=${url} label=${t("live.label", { camera: pick(camera) })} testid="live-video" onVideo=${setVideo}>
          <${Overlay} element=${video} camera=${camera} incident=${incident} live /><//>`
      : html`<${NoPicture} health=${camera.health} />`}</div>
    <div class="pane-foot">${held
      ? html`<span class="record">${t("clear.record")}</span>
        <${Button} testid="clear-end" icon="covered" kind="small" hotkey="V" onClick=${closeClear}>${t("clear.end")}<//>`
      : html`<span class="dim">${t("clear.hint")}</span><${Button} testid="clear-view" icon="eye" kind="small" hotkey="V"
          pending=${isPending(`grant:${incident.id}`)}
          why=${whyNoClear(incident)} onClick=${() => openClear(incident)}>${t("clear.open")}<//>`}</div>
  </figure>`;
}
