// The queue of incidents: newest unacknowledged first.
import { useEffect, useRef } from "preact/hooks";
import { html, cx } from "/static/lib/html.js";
import { percent } from "/static/lib/format.js";
import { pick, pickText, t } from "/static/lib/i18n.js";
import { incidentTone, WAITING_FOR_US } from "/static/lib/phases.js";
import { Ago, Chip } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { cameras, filter, hazardText, queue, resync, select, selectedId, synced_at_s } from "/static/console/store.js";

function Row({ incident }) {
  const ref = useRef(null);
  const on = incident.id === selectedId.value;
  const [tone, icon] = incidentTone(incident.state);
  const camera = cameras.value.get(incident.camera);
  useEffect(() => { if (on) ref.current.scrollIntoView({ block: "nearest" }); }, [on]);
  return html`<li><button type="button" ref=${ref} class=${cx("row", tone, on && "on", WAITING_FOR_US.has(incident.state) && "unack")}
      data-testid="incident-row" data-incident=${incident.id}
      aria-current=${on ? "true" : null} onClick=${() => select(incident.id)}>
    <span class="row-left"><span class="thumb">${incident.thumbnail ? html`<img src=${incident.thumbnail} alt="" loading="lazy" />` : html`<${Icon} name=${incident.kind} />`}</span>
      <span class="row-figures dim num"><span title=${t("score.title")}>${percent(incident.score)}</span>${incident.sightings > 1 && html`<span
          title=${t("sightings.title", { n: incident.sightings })}><${Icon} name="stack" />${incident.sightings}</span>`}</span></span>
    <span class="row-main"><span class="row-title"><${Icon} name=${incident.kind} /><b>${pickText(hazardText(incident.kind))}</b><span class="num dim row-number">${t("number", { n: incident.number })}</span></span>
      <span class="row-where">${camera ? pick(camera) : incident.camera}</span>
      <span class="row-foot"><${Chip} tone=${tone} icon=${icon}>${t(`state.${incident.state}`)}<//><${Ago} at=${incident.opened_at_s} short /></span></span>
  </button></li>`;
}

const setFilter = (next) => { filter.value = next; resync(); };

export function Queue() {
  const rows = queue.value;
  return html`<nav class="panel queue" aria-label=${t("queue")}>
    <header class="panel-head"><h2>${t("queue")}</h2><span class="segments" role="group" aria-label=${t("queue.filter")}>
      ${["open", "all"].map((name) => html`<button type="button" key=${name} class=${cx("seg", filter.value === name && "on")}
          aria-pressed=${filter.value === name} data-testid=${`filter-${name}`} onClick=${() => setFilter(name)}>${t(`queue.${name}`)}</button>`)}
        </span></header>
    ${rows.length ? html`<ol class="rows">${rows.slice(0, 200).map((incident) => html`<${Row} key=${incident.id} incident=${incident} />`)}</ol>`
      : html`<div class="empty"><${Icon} name=${synced_at_s.value ? "check" : "spinner"} /><p>${t(synced_at_s.value ? "queue.empty" : "loading")}</p>
        </div>`}
  </nav>`;
}
