// The job after accepting: one next step at a time, in order, and a way out.
import { useState } from "preact/hooks";
import { html, cx } from "/static/lib/html.js";
import { duration } from "/static/lib/format.js";
import { t } from "/static/lib/i18n.js";
import { At } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { BigButton, Reasons } from "/static/phone/offer.js";
import { PhoneMap } from "/static/phone/phone_map.js";
import { answer, pending, unit } from "/static/phone/store.js";
import { Picture, What } from "/static/phone/what.js";

const UNABLE = ["breakdown", "blocked", "injured", "recalled", "other"];
const STEPS = [["accept", "accepted", "accepted_at_s"], ["en_route", "en_route", "en_route_at_s"], ["on_scene", "on_scene", "on_scene_at_s"], ["clear", "cleared", "cleared_at_s"]];
const TESTIDS = { en_route: "en-route", on_scene: "on-scene", clear: "cleared" };
const ICONS = { en_route: "route", on_scene: "pin", clear: "check" };

function Steps({ assignment: a }) {
  const now = STEPS.findIndex(([, state]) => state === a.state);
  return html`<ol class="steps" aria-label=${t("phone.steps")}>
    ${STEPS.map(([action, state, at], i) => html`<li key=${state} class=${cx(i <= now && "past", i === now && "now")}
      aria-current=${i === now ? "step" : null}><span class="dot">${i <= now && html`<${Icon} name="check" />`}</span><span>
    ${t(`assignment.${state}`)}</span>${a[at] ? html`<${At} at=${a[at]} />` : html`<span class="dim">–</span>`}</li>`)}</ol>`;
}

/** Why a step cannot be taken yet: the one before it is missing. */
function whyNotYet(a, action) {
  if (a.next.includes(action)) return "";
  const at = STEPS.findIndex(([name]) => name === action);
  const now = STEPS.findIndex(([, state]) => state === a.state);
  return at <= now ? t("phone.already") : t("phone.first", { step: t(`phone.${STEPS[at - 1][0]}`) });
}

export function Task({ assignment: a, incident }) {
  const [unable, setUnable] = useState(false);
  const now = STEPS.findIndex(([, state]) => state === a.state);
  const next = STEPS[now + 1]?.[0];
  const later = STEPS.slice(now + 2).map(([action]) => action);
  const step = (action, kind) => html`<${BigButton} key=${action} testid=${TESTIDS[action]} icon=${ICONS[action]} kind=${kind}
      why=${whyNotYet(a, action)} busy=${pending.value === action} onClick=${() => answer(action)}>${t(`phone.${action}`)}<//>`;
  if (unable) return html`<${Reasons} title=${t("phone.unable.why")} codes=${UNABLE} prefix="unable"
      onPick=${(code) => { setUnable(false); answer("unable", code); }} onBack=${() => setUnable(false)} />`;
  return html`<section class="card task"><${What} incident=${incident} assignment=${a} />
    ${!a.on_scene_at_s && a.eta_s != null && html`<p class="eta"><${Icon} name="clock" /><span>${t("phone.eta_given")}</span><b class="num">
      ${duration(a.eta_s)}</b></p>`}<${Steps} assignment=${a} /></section>
    <${PhoneMap} incident=${incident} assignment=${a} unit=${unit.value} /><${Picture} incident=${incident} />
    <section class="dock" aria-label=${t("actions")}>${next && step(next, "primary")}<div class="others">${later.map((action) => step(action, "plain small"))}
    <${BigButton} testid="unable" icon="x" kind="quiet small" why=${a.next.includes("unable") ? "" : t("phone.already")} busy=${pending.value === "unable"} onClick=${() => setUnable(true)}>${t("phone.unable")}<//></div></section>`;
}
