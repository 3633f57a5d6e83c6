// What is known of an incident, and its journal.
import { html } from "/static/lib/html.js";
import { distance, duration, percent, position } from "/static/lib/format.js";
import { pick, pickText, t, word } from "/static/lib/i18n.js";
import { measured, ruleName } from "/static/lib/evidence.js";
import { assignmentTone } from "/static/lib/phases.js";
import { At, Ago, Chip } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { reasonText } from "/static/console/store.js";

const Fact = ({ name, children }) => html`<div class="fact"><dt>${name}</dt><dd>${children}</dd></div>`;

const Figures = ({ pairs }) => pairs.map(([name, value]) => html`<span class="pair" key=${name}><span class="dim">
  ${word("measured", name)}</span> <b class="num">${measured(name, value)}</b></span>${" "}`);

/** Why the newest sighting was raised: the rule, what it measured, and from which values on it raises. */
const Evidence = ({ evidence }) => !evidence ? null : html`<${Fact} name=${t("fact.rule")}><span data-testid="rule">${ruleName(evidence.rule)}</span><//>
  ${evidence.measured?.length > 0 && html`<${Fact} name=${t("fact.measured")}><span class="details" data-testid="measured"><${Figures} pairs=${evidence.measured} /></span><//>`}
  ${evidence.thresholds?.length > 0 && html`<${Fact} name=${t("fact.thresholds")}><span class="details"><${Figures} pairs=${evidence.thresholds} /></span><//>`}
  ${evidence.model_sha256 && html`<${Fact} name=${t("fact.model")}><code class="hash" title=${evidence.model_sha256}>${evidence.model_sha256.slice(0, 12)}…</code><//>`}`;

export function Facts({ incident, camera }) {
  const { place } = incident;
  return html`<section class="facts" tabindex="0" aria-label=${t("facts")}><h2>${t("facts")}</h2><dl>
    <${Fact} name=${t("fact.where")}><span class="num">${position(place)}</span> <span class="num">± ${distance(place.sigma_m)}</span>${" "}<span class="dim">${t(`place.${place.source}`)}</span><//>
    <${Fact} name=${t("fact.seen")}><${At} at=${incident.first_seen_s} /> – <${At} at=${incident.last_seen_s} /> <span class="dim">${t("fact.for", { d: duration(incident.last_seen_s - incident.first_seen_s) })}</span><//>
    <${Fact} name=${t("fact.evidence")}><span class="num">${percent(incident.score)}</span> <span class="dim">${t("fact.sightings", { n: incident.sightings })}</span><//>
    <${Fact} name=${t("fact.priority")}><span class="num">${incident.priority}</span><//>
    ${camera && html`<${Fact} name=${t("fact.purpose")}>${pick(camera, "purpose")}<//>`}
    ${incident.dismiss_reason && html`<${Fact} name=${t("fact.dismissed")}>${pickText(reasonText(incident.dismiss_reason))}<//>`}
    <${Evidence} evidence=${incident.evidence} />
  </dl>${incident.assignments.length > 0 && html`<h2>${t("assigned")}</h2><ul class="assigned">
    ${incident.assignments.map((a) => html`<${Assigned} key=${a.id} assignment=${a} />`)}</ul>`}</section>`;
}

function Assigned({ assignment: a }) {
  const [tone, icon] = assignmentTone(a.state);
  const at = a.cleared_at_s ?? a.on_scene_at_s ?? a.en_route_at_s ?? a.accepted_at_s ?? a.offered_at_s;
  return html`<li data-testid=${`assignment-${a.unit}`} data-state=${a.state}><b>${pick(a, "unit_name")}</b><${Chip} tone=${tone} icon=${icon}>
    ${t(`assignment.${a.state}`)}<//>
    <span class="dim">${a.eta_s != null && !a.on_scene_at_s && !a.cleared_at_s ? t("eta", { d: duration(a.eta_s) }) : ""} <${Ago} at=${at} /></span></li>`;
}

export function Journal({ incident }) {
  const lines = [...(incident.journal ?? [])].reverse();
  return html`<section class="journal" tabindex="0" aria-label=${t("journal")}><h2>${t("journal")}</h2><ol>
    ${lines.map((line, i) => html`<li key=${`${line.at_s}-${lines.length - i}`} data-testid="journal-line"><${At} at=${line.at_s} />
      <span class="dot" aria-hidden="true"></span><span><bdi>${pick(line, "text")}</bdi> <span class="dim"><${Icon} name="user" />${line.actor}
      </span></span></li>`)}</ol></section>`;
}
