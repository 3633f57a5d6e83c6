// What a camera is doing, in words and since when. A camera without a picture says so instead of showing an old one.
import { html, cx } from "/static/lib/html.js";
import { pick, t } from "/static/lib/i18n.js";
import { healthTone } from "/static/lib/phases.js";
import { Ago, At, Chip } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";

export function HealthChip({ health }) {
  const state = health?.state ?? "unknown";
  const [tone, icon] = healthTone(state);
  return html`<${Chip} tone=${tone} icon=${icon} title=${pick(health, "reason")}>${t(`health.${state}`)}<//>`;
}

export function NoPicture({ health }) {
  const state = health?.state ?? "unknown";
  const [tone, icon] = healthTone(state);
  return html`<div class=${cx("no-picture", tone)} data-testid="no-picture"><${Icon} name=${icon} /><strong>${t(`health.${state}`)}</strong>
    ${health?.since_s && html`<span>${t(state === "stalled" ? "stale_since" : "since")} <${At} at=${health.since_s} /> · <${Ago} at=${health.since_s} /></span>`}
    ${health?.reason && html`<p class="dim">${pick(health, "reason")}</p>`}</div>`;
}
