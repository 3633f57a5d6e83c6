// Who should go: the suitable units by arrival time, and why a nearer one was passed over.
import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { html, cx } from "/static/lib/html.js";
import { get } from "/static/lib/api.js";
import { distance, duration, listed } from "/static/lib/format.js";
import { pick, pickText, t, word } from "/static/lib/i18n.js";
import { activeAssignments, FINISHED } from "/static/lib/phases.js";
import { Ago, Button, Chip } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { isPending, offer } from "/static/console/commands.js";
import { choosing, startChoosing, stopChoosing } from "/static/console/dialogs.js";
import { whyNot } from "/static/console/actions.js";
import { may, selected, units } from "/static/console/store.js";

const REFRESH_S = 10;
const SOON_MS = 700;

/** {id, data} or {id, problem} of the chosen incident. */
export const recommendation = signal(null);
export const chosenUnit = signal(null);

export const current = () => (recommendation.value?.id === selected.value?.id ? recommendation.value?.data : null) ?? null;
export const suitable = () => (current()?.candidates ?? []).filter((c) => c.suitable);
/** The unit that Enter would send: the operator's choice, else the recommended one that is not yet sent. */
export function toSend() {
  const list = suitable();
  return list.find((c) => c.unit === chosenUnit.value) ?? list.find((c) => current().chosen.includes(c.unit)) ?? list[0] ?? null;
}

let asking = "";
export async function refresh() {
  const incident = selected.value;
  if (!incident || FINISHED.has(incident.state) || !may("recommendation.read")) { recommendation.value = null; return; }
  if (asking === incident.id) return;
  asking = incident.id;
  try {
    recommendation.value = { id: incident.id, data: await get(`/api/v1/incidents/${incident.id}/recommendation`, { headers: {} }) };
  } catch (problem) {
    recommendation.value = { id: incident.id, problem };
  } finally {
    if (asking === incident.id) asking = "";
  }
}
let before = "";
effect(() => {
  const incident = selected.value;
  const key = incident ? `${incident.id}:${incident.state}:${incident.assignments.map((a) => a.state).join()}` : "";
  if (key === before) return;
  if (!before.startsWith(`${incident?.id}:`)) { chosenUnit.value = null; stopChoosing(); }
  before = key;
  setTimeout(refresh);
});
setInterval(() => { if (!document.hidden) refresh(); }, REFRESH_S * 1000);

let freeBefore = "";
let soon = 0;
/** A unit that comes free or is taken changes the answer. */
effect(() => {
  const free = [...units.value.values()].map((u) => `${u.id}${u.state}${u.committed_to ?? ""}`).join();
  if (free === freeBefore) return;
  freeBefore = free;
  clearTimeout(soon);
  soon = setTimeout(refresh, SOON_MS);
});

export async function send() {
  const incident = selected.value;
  const candidate = toSend();
  if (!incident || !candidate || whyNot(incident, "dispatch")) return;
  if (!await offer(incident, candidate.unit, pick(candidate))) return;
  chosenUnit.value = null;
  stopChoosing();
  const list = document.querySelector(".candidates");
  if (list?.contains(document.activeElement)) document.activeElement.blur();
  list?.scrollTo({ top: 0 });
  refresh();
}

export function move(step) {
  const list = suitable();
  const at = list.indexOf(toSend());
  chosenUnit.value = list[Math.max(0, Math.min(list.length - 1, at + step))]?.unit ?? null;
}

function Candidate({ candidate: c, on }) {
  const ref = useRef(null);
  const unit = units.value.get(c.unit);
  const inChoice = choosing.value && on;
  useEffect(() => { if (inChoice) { ref.current.focus(); ref.current.scrollIntoView({ block: "nearest" }); } }, [inChoice]);
  const advised = current().chosen.includes(c.unit);
  return html`<li role="none"><button type="button" ref=${ref} role="radio" aria-checked=${on} aria-disabled=${c.suitable ? null : "true"}
      data-testid=${`candidate-${c.unit}`}
      class=${cx("candidate", on && "on", !c.suitable && "passed")} onClick=${() => { if (c.suitable) chosenUnit.value = c.unit; }}>
    <span class="rank num">${c.suitable ? c.rank : html`<${Icon} name="x" title=${t("passed_over")} />`}</span>
    <span class="candidate-main"><span class="candidate-name"><${Icon} name=${unit?.mode ?? "foot"} /><b>${pick(c)}</b>${advised && html`<${Chip}
        tone="accent" icon="check">${t("recommended")}<//>`}</span>
      <span class="reasons">${c.reasons.map((reason) => html`<span key=${reason.code}>${pickText(reason)}</span>`)}</span></span>
    <span class="candidate-eta"><b class="num">${c.eta_s == null ? "–" : duration(c.eta_s)}</b><span class="dim num">${distance(c.distance_m)}</span></span></button></li>`;
}

function Footer({ incident, data, best, why }) {
  const sent = activeAssignments(incident).length;
  const wanted = choosing.value === incident.id || sent < data.needed.count;
  return html`<footer>
    <span class="dim">${why || (sent ? t("sent_already", { n: sent, of: data.needed.count }) : html`<${Ago} at=${data.computed_at_s} />`)}</span>
    <${Button} testid="send" icon="send" kind=${!why && wanted ? "primary" : ""} hotkey=${choosing.value ? "Enter" : undefined}
      pending=${isPending(`offer:${incident.id}`)} why=${why} onClick=${send}>${t("send_to", { unit: pick(best) })}<//></footer>`;
}

export function Recommendation() {
  const incident = selected.value;
  const entry = recommendation.value?.id === incident?.id ? recommendation.value : null;
  if (!incident || FINISHED.has(incident.state)) return null;
  const data = entry?.data;
  const best = toSend();
  const lacking = data && !best && data.candidates.length > 0 && activeAssignments(incident).length < data.needed.count;
  const why = whyNot(incident, "dispatch");
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); event.stopPropagation(); startChoosing(incident); move(step); }
    if (event.key === "Enter" && event.target.matches(".candidate")) { event.preventDefault(); event.stopPropagation(); if (!why) send(); }
  };
  return html`<section class=${cx("panel recommendation", choosing.value === incident.id && "choosing")} aria-label=${t("recommendation")}
      data-testid="recommendation">
    <header class="panel-head"><h2>${t("recommendation")}</h2>${data && html`<span class="dim">
      ${t("needed", { n: data.needed.count, skills: listed(data.needed.skills.map((s) => word("skill", s))) || t("skill.any") })}</span>`}</header>
    ${entry?.problem && html`<p class="note wait"><${Icon} name="alert" />${entry.problem.message}</p>`}
    ${data?.router === "great_circle_degraded" && html`<p class="note wait"><${Icon} name="alert" />${t("router.degraded")}</p>`}
    ${lacking && html`<p class="note wait" data-testid="no-unit"><${Icon} name="alert" />
      ${t("recommendation.none")}</p>`}
    ${data && (data.candidates.length ? html`<ol class="candidates" role="radiogroup" aria-label=${t("recommendation")} onKeyDown=${onKeyDown}>
        ${data.candidates.map((c) => html`<${Candidate} key=${c.unit} candidate=${c} on=${best?.unit === c.unit} />`)}</ol>`
      : html`<div class="empty"><${Icon} name="alert" /><p>${t("recommendation.none")}</p></div>`)}
    ${data && best && html`<${Footer} incident=${incident} data=${data} best=${best} why=${why} />`}
    ${!entry && html`<div class="empty"><${Icon} name="spinner" /><p>${t("recommendation.computing")}</p></div>`}
  </section>`;
}
