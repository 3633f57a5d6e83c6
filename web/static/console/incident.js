// The chosen incident: what, where, live and clip, what to do, and what has happened so far.
import { html } from "/static/lib/html.js";
import { pick, pickText, t } from "/static/lib/i18n.js";
import { incidentTone } from "/static/lib/phases.js";
import { Ago, Chip } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { Actions } from "/static/console/actions.js";
import { ClipPane } from "/static/console/clip_pane.js";
import { Facts, Journal } from "/static/console/facts.js";
import { LivePane } from "/static/console/live_pane.js";
import { hazardText, selected, selectedCamera, staleNote } from "/static/console/store.js";

function Head({ incident, camera }) {
  const [tone, icon] = incidentTone(incident.state);
  const zone = camera?.zones?.find((z) => z.id === incident.zone);
  return html`<header class="incident-head"><span class=${`kind ${tone}`}><${Icon} name=${incident.kind} /></span>
    <div><h1>${pickText(hazardText(incident.kind))} <span class="dim num">${t("number", { n: incident.number })}</span></h1>
      <p class="dim">${camera ? pick(camera) : incident.camera}${zone && pick(zone) ? html` · ${pick(zone)}` : ""} · <${Ago} at=${incident.first_seen_s} /></p></div>
    <${Chip} tone=${`${tone} big`} icon=${icon} testid="state">${t(`state.${incident.state}`)}<//></header>`;
}

function Notes({ incident }) {
  const stale = staleNote.value?.id === incident.id ? staleNote.value : null;
  return html`${incident.alert && html`<p class="note bad" role="alert" data-testid="incident-alert"><${Icon} name="alert" />
    ${pickText(incident.alert)}</p>`}
    ${stale && html`<p class="note wait" role="alert" data-testid="stale-note"><${Icon} name="info" />
      ${t("stale", { by: stale.by || "–", from: t(`state.${stale.from}`), to: t(`state.${stale.to}`) })} <${Ago} at=${stale.at_s} />
      <button type="button" class="btn quiet small" onClick=${() => { staleNote.value = null; }}>${t("close")}</button></p>`}`;
}

export function Incident() {
  const incident = selected.value;
  const camera = selectedCamera.value;
  if (!incident) {
    return html`<main class="panel incident"><div class="empty tall"><${Icon} name="shield" /><h1>${t("calm")}</h1><p class="dim">${t("calm.more")}
      </p></div></main>`;
  }
  return html`<main class="panel incident" key=${incident.id} data-incident=${incident.id}>
    <${Head} incident=${incident} camera=${camera} /><${Notes} incident=${incident} />
    ${camera ? html`<div class="panes"><${LivePane} incident=${incident} camera=${camera} /><${ClipPane} incident=${incident} camera=${camera} />
      </div>` : html`<p class="note">${t("camera.unknown", { camera: incident.camera })}</p>`}
    <${Actions} incident=${incident} />
    <div class="below"><${Facts} incident=${incident} camera=${camera} /><${Journal} incident=${incident} /></div>
  </main>`;
}
