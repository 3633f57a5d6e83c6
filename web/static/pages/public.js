// What anybody may know, without an account: which cameras film where and why, for what hazards, how long, how often in vain.
import { signal } from "@preact/signals";
import { html, mount } from "/static/lib/html.js";
import { get, setCsrf, signOut } from "/static/lib/api.js";
import { dateTime, listed, percent } from "/static/lib/format.js";
import { pick, pickText, t, word } from "/static/lib/i18n.js";
import { LanguageToggle } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";

const facts = signal(null);
const failed = signal(null);
const me = signal(null); // an administrator or integrator, who has no page of their own, is here signed in
const NEVER = ["faces", "track", "plates", "lists", "emotion", "conduct"];

const kindText = (kind) => pickText(facts.value.hazards.find((h) => h.kind === kind) ?? { en: kind, zh: kind });

function hours(n) {
  return n > 0 ? t("public.hours", { n }) : t("public.not_kept");
}

function Alarms({ alarms }) {
  const kinds = alarms?.kinds ?? {};
  const rows = Object.entries(kinds).map(([kind, row]) => ({ kind, ...row }));
  if (!rows.length) return html`<p class="dim">${t("public.no_alarms")}</p>`;
  return html`<div class="table" tabindex="0"><table><thead><tr><th>${t("public.hazard")}</th><th>${t("public.alarms")}</th><th>${t("public.false")}
    </th><th>${t("public.share")}</th></tr></thead><tbody>
    ${rows.map((row) => { const all = row.incidents; const wrong = row.false_alarms; return html`<tr key=${row.kind} data-testid="public-alarms"><td>
      <${Icon} name=${row.kind} /> ${kindText(row.kind)}</td><td class="num">${all}</td><td class="num">${wrong}</td><td class="num">
      ${all ? percent(wrong / all) : "–"}</td></tr>`; })}</tbody></table></div>`;
}

function Camera({ camera }) {
  return html`<article class="public-camera" data-testid="public-camera"><h3><${Icon} name="camera" /> ${pick(camera)}</h3><p>
    ${pick(camera, "purpose")}</p>
    <dl><div class="fact"><dt>${t("public.looks_for")}</dt><dd>${camera.hazards.length ? camera.hazards.map((kind) => html`<span
        class="chip" key=${kind}><${Icon} name=${kind} /><span>${kindText(kind)}</span></span>`) : t("public.nothing")}</dd></div>
    ${camera.zones.length > 0 && html`<div class="fact"><dt>${t("public.zones")}</dt><dd>
      ${listed(camera.zones.map((zone) => `${pick(zone)} (${kindText(zone.hazard)})`))}</dd></div>`}
    <div class="fact"><dt>${t("public.place")}</dt><dd class="num">${camera.position.map((n) => n.toFixed(5)).join(", ")}</dd></div></dl></article>`;
}

function Who() {
  if (!me.value) return html`<a class="btn quiet" href="/login"><${Icon} name="lock" /><span>${t("login.submit")}</span></a>`;
  const { display, name, role } = me.value;
  return html`<span class="account" data-testid="signed-in"><${Icon} name="user" /><span><b>${display || name}</b>
    <span class="dim">${word("role", role)}</span></span></span>
    <button type="button" class="btn quiet icon-only" data-testid="sign-out" aria-label=${t("sign_out")} title=${t("sign_out")} onClick=${signOut}><${Icon} name="out" /></button>`;
}

function Public() {
  const data = facts.value;
  document.title = `${t("public")} · ${data ? pick(data) : "Callout"}`;
  return html`<header class="topbar"><a class="brand" href="/public"><img src="/static/icon.svg" alt="" /><b>${data ? pick(data) : "Callout"}</b></a>
    <span class="gap"></span><${LanguageToggle} /><${Who} /></header>
    <main class="reading"><h1>${t("public.title")}</h1><p class="lead">${t("public.lead")}</p>
    ${failed.value && html`<p class="note wait" role="alert"><${Icon} name="alert" />${failed.value.message}</p>`}
    ${data && html`<section><h2>${t("public.kept")}</h2><dl class="big-facts"><div><dt>${t("public.outside")}</dt><dd>
      ${hours(data.retention.outside_incident_hours)}</dd></div><div><dt>${t("public.clips")}</dt><dd>
      ${t(data.retention.incident_clip_days === 1 ? "public.day" : "public.days", { n: data.retention.incident_clip_days })}</dd></div></dl></section>
      <section><h2>${t("public.wrong")}</h2><${Alarms} alarms=${data.alarms} /></section>
      <section><h2>${t("public.cameras", { n: data.cameras.length })}</h2><div class="public-cameras">${data.cameras.map((camera) => html`<${Camera} key=${camera.id} camera=${camera} />`)}</div></section>`}
    <section><h2>${t("public.never")}</h2><ul class="never">${NEVER.map((what) => html`<li key=${what}><${Icon} name="x" /><span>
      ${t(`public.never.${what}`)}</span></li>`)}</ul></section>
    <section><h2>${t("public.who")}</h2><p>${t("public.who.more")}</p></section>
    ${data?.at_s && html`<p class="dim small-text">${t("public.as_of", { at: dateTime(data.at_s) })}</p>`}</main>`;
}

mount(html`<${Public} />`);
get("/api/v1/public", { signIn: false }).then((data) => { facts.value = data; }, (problem) => { failed.value = problem; });
get("/api/v1/session", { signIn: false }).then((who) => { me.value = who; setCsrf(who.csrf); }, () => { /* nobody is signed in: nobody needs to be */ });
