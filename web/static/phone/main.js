// The responder's page: who I am, what is asked of me, what I do next.
import { effect } from "@preact/signals";
import { html, mount } from "/static/lib/html.js";
import { get, signOut, whoAmI } from "/static/lib/api.js";
import { now_s } from "/static/lib/clock.js";
import { ago, clock } from "/static/lib/format.js";
import { pick, t } from "/static/lib/i18n.js";
import { ASSIGNMENT_ENDED, assignmentTone } from "/static/lib/phases.js";
import { chime } from "/static/lib/sound.js";
import { connect } from "/static/lib/socket.js";
import { Toasts } from "/static/lib/toast.js";
import { LanguageToggle } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { BigButton, Offer } from "/static/phone/offer.js";
import { PhoneMap } from "/static/phone/phone_map.js";
import { keepAwake, sharing, startSharing, stopSharing, wanted } from "/static/phone/sharing.js";
import { assignment, heard_s, incident, lost, me, mine, pending, poll, setState, site, startPolling, unit } from "/static/phone/store.js";
import { Task } from "/static/phone/task.js";
import { Picture } from "/static/phone/what.js";

const OLD_S = 6;
const STATES = ["available", "out_of_service", "off_duty"];

/** One word for what I am doing: the job's state, else my own. */
function now() {
  const own = assignment.value;
  if (own && !ASSIGNMENT_ENDED.has(own.state)) { const [tone, icon] = assignmentTone(own.state); return { tone, icon, word: t(`mine.${own.state}`), code: own.state }; }
  const state = unit.value?.state ?? "off_duty";
  return { tone: state === "available" ? "good" : state === "lost_contact" ? "wait" : "done", icon: state === "available" ? "check" : "pause", word: t(`unit.${state}`), code: state };
}

function Banner() {
  if (!lost.value && now_s.value - heard_s.value < OLD_S) return null;
  return html`<div class="offline" role="alert" data-testid="offline"><${Icon} name="unlink" /><span><b>${t("phone.reconnecting")}
    </b> ${heard_s.value ? t("offline.more", { at: clock(heard_s.value) }) : ""} ${lost.value?.message ?? ""}</span></div>`;
}

function Sharing() {
  const { state, at_s } = sharing.value;
  const on = state === "on" || state === "asking" || state === "failed";
  return html`<section class="card sharing" data-testid="sharing" data-state=${state}><div><b><${Icon} name="pin" /> ${t("share")}</b><p class="dim">
    ${t(`share.${state}`, { ago: at_s ? ago(at_s) : "" })}</p></div>
    <button type="button" class="btn" data-testid="share-position" aria-pressed=${on} onClick=${on ? stopSharing : startSharing}>${t(on ? "share.stop" : "share.start")}</button></section>`;
}

function Free() {
  const state = unit.value?.state;
  return html`<section class="card free"><${Icon} name=${state === "available" ? "shield" : "pause"} /><h1>
    ${t(state === "available" ? "phone.waiting" : "phone.not_available")}</h1><p class="dim">
    ${t(state === "available" ? "phone.waiting.more" : "phone.not_available.more")}</p></section>
    <section class="dock">${STATES.filter((next) => next !== state).map((next) => html`<${BigButton} key=${next} testid=${`set-${next}`}
        icon=${next === "available" ? "check" : "pause"} kind=${next === "available" ? "primary" : "plain small"}
      busy=${pending.value === next} onClick=${() => setState(next)}>${t(`set.${next}`)}<//>`)}</section>`;
}

function Body() {
  const own = assignment.value;
  const what = incident.value;
  if (!mine.value) return html`<p class="boot">${t("loading")}</p>`;
  if (!own || !what || ASSIGNMENT_ENDED.has(own.state)) return html`<${Free} />`;
  if (own.state === "offered") return html`<${Offer} key=${own.id} assignment=${own} incident=${what} />
    <${PhoneMap} incident=${what} assignment=${own} unit=${unit.value} /><${Picture} incident=${what} />`;
  return html`<${Task} key=${own.id} assignment=${own} incident=${what} />`;
}

const SignOut = () => html`<button type="button" class="btn quiet icon-only" data-testid="sign-out" aria-label=${t("sign_out")} onClick=${signOut}><${Icon} name="out" /></button>`;

/** Somebody else's page, or a responder to whom nobody gave a unit: it says so, and lets them leave. */
const NoUnit = () => html`<header class="phone-head"><div><b>${me.value.display || me.value.name}</b></div><${LanguageToggle} /><${SignOut} /></header>
  <main><section class="card free" data-testid="no-unit"><${Icon} name="unlink" /><p>${t("phone.no_unit", { name: me.value.display || me.value.name })}</p></section></main>`;

function App() {
  const { tone, icon, word, code } = now();
  const shareFirst = ["accepted", "en_route"].includes(code) && sharing.value.state === "off"; // the control room looks for it now
  return html`<header class="phone-head"><div><b>${pick(unit.value ?? {}) || me.value?.display}</b><span class="dim">
    ${site.value ? pick(site.value) : "Callout"}</span></div><${LanguageToggle} /><${SignOut} /></header>
    <${Banner} /><p class=${`my-state ${tone}`} role="status" data-testid="state" data-state=${code}><${Icon} name=${icon} /><span>${word}</span></p>
    <main>${shareFirst && html`<${Sharing} />`}<${Body} />${!shareFirst && html`<${Sharing} />`}</main><${Toasts} />`;
}

async function start() {
  me.value = await whoAmI();
  if (!me.value.unit) {
    mount(html`<${NoUnit} />`);
    return;
  }
  mount(html`<${App} />`);
  get("/api/v1/site").then((place) => { site.value = place; });
  await poll();
  startPolling();
  if (me.value.may?.includes("events.receive")) connect({ onMessage: (m) => { if (m.type !== "boxes") poll(); }, onOpen: poll });
  if (wanted()) startSharing();
  addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  let last = null;
  effect(() => {
    const own = assignment.value;
    const busy = Boolean(own && !ASSIGNMENT_ENDED.has(own.state));
    keepAwake(busy);
    if (busy && own.state === "offered" && own.id !== last) { last = own.id; chime(); if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([300, 150, 300]); }
  });
}

start().catch((problem) => {
  if (problem.status === 401) return;
  document.getElementById("app").textContent = `${t("load.failed")} ${problem.message}`;
  setTimeout(() => location.reload(), 5000);
});
