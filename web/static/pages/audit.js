// The record of one incident: every step with its actor and time, who watched, and whether the chain holds.
import { computed, signal } from "@preact/signals";
import { html, cx, mount } from "/static/lib/html.js";
import { get, signOut, whoAmI } from "/static/lib/api.js";
import { dateTime, utc } from "/static/lib/format.js";
import { lang, pick, pickText, t, word } from "/static/lib/i18n.js";
import { incidentTone } from "/static/lib/phases.js";
import { Button, Chip, LanguageToggle } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { Details, meanwhile, viewings, Watched } from "/static/pages/audit_parts.js";

const me = signal(null);
const site = signal(null);
const cameras = signal(new Map());
const incidents = signal(null);
const chosen = signal(new URLSearchParams(location.search).get("incident"));
const record = signal(null); // {entries, verified, verdict}
const problem = signal(null);
const wanted = signal("");
const whole = signal(null); // auditors: the whole record's entries, for who watched the camera meanwhile
const everything = signal(false);
const REPEATED = "sighting.joined";
const WHOLE_LIMIT = 5000;

const kindText = (kind) => pickText(site.value?.hazards?.find((h) => h.kind === kind) ?? { en: kind, zh: kind });
const cameraName = (id) => pick(cameras.value.get(id) ?? { name: id });
const listed = computed(() => {
  const text = wanted.value.trim().toLowerCase();
  const all = [...(incidents.value ?? [])].sort((a, b) => b.opened_at_s - a.opened_at_s);
  return text ? all.filter((i) => `${i.number} ${kindText(i.kind)} ${cameraName(i.camera)} ${t(`state.${i.state}`)}`.toLowerCase().includes(text)) : all;
});

async function open(id) {
  chosen.value = id;
  record.value = null;
  problem.value = null;
  history.replaceState(null, "", id ? `/audit?incident=${encodeURIComponent(id)}` : "/audit");
  if (!id && me.value.role !== "auditor") return;
  try {
    const answer = await get(id ? `/api/v1/audit?incident=${encodeURIComponent(id)}` : "/api/v1/audit");
    if (chosen.value === id) record.value = answer;
    if (me.value.role === "auditor") whole.value = (await get(`/api/v1/audit?limit=${WHOLE_LIMIT}`)).entries;
  } catch (failure) {
    problem.value = failure;
  }
}

function Picker() {
  return html`<nav class="panel picker" aria-label=${t("audit.pick")}><header class="panel-head"><h2>${t("audit.pick")}</h2></header>
    <label class="search"><span class="only-heard">${t("audit.search")}</span><input type="search" placeholder=${t("audit.search")} value=${wanted.value} onInput=${(event) => { wanted.value = event.target.value; }} data-testid="audit-search" /></label>
    <ol class="rows">${me.value?.role === "auditor" && html`<li>
      <button type="button" class=${cx("row", !chosen.value && "on")} onClick=${() => open(null)} data-testid="audit-everything">
      <span class="row-main"><b>${t("audit.everything")}</b></span></button></li>`}
    ${listed.value.map((i) => { const [tone, icon] = incidentTone(i.state); return html`<li key=${i.id}>
      <button type="button" class=${cx("row", i.id === chosen.value && "on")} aria-current=${i.id === chosen.value ? "true" : null}
        data-testid="audit-incident" data-incident=${i.id} onClick=${() => open(i.id)}>
      <span class="row-main"><span class="row-title"><${Icon} name=${i.kind} /><b>${kindText(i.kind)}</b><span class="dim num">${t("number", { n: i.number })}</span></span><span class="row-where">${cameraName(i.camera)}</span>
      <span class="row-foot"><${Chip} tone=${tone} icon=${icon}>${t(`state.${i.state}`)}<//><span class="dim num">${dateTime(i.opened_at_s)}</span></span></span></button></li>`; })}</ol></nav>`;
}

function Verdict() {
  const { verified, verdict, entries } = record.value;
  return html`<p class=${cx("verdict", verified ? "good" : "bad")} role="status" data-testid="audit-verified" data-verified=${verified}>
    <${Icon} name=${verified ? "shield" : "alert"} />
    <span><b>${t(verified ? "audit.verified" : "audit.broken")}</b> <span>${(!verified && verdict && pickText(verdict)) || t(verified ? "audit.verified.more" : "audit.broken.more", { n: verdict?.entries ?? entries.length })} </span>
    ${verdict?.head && html`<code class="hash" title=${verdict.head}>${t("audit.head")} ${verdict.head.slice(0, 16)}…</code>`}</span></p>`;
}

const Row = ({ entry }) => html`<tr data-testid="audit-row" data-action=${entry.action}><td class="num">
  <time datetime=${new Date(entry.at_s * 1000).toISOString()} title=${utc(entry.at_s)}>${dateTime(entry.at_s)}</time></td>
  <td><b>${word("audit.action", entry.action)}</b></td><td>${entry.actor} <span class="dim">${word("role", entry.role)}</span></td><td><${Details} entry=${entry} /></td><td class="num dim"><span title=${entry.hash}>#${entry.seq}</span> <code class="hash" title=${entry.hash}>${entry.hash.slice(0, 8)}</code></td></tr>`;

function Record() {
  const incident = incidents.value?.find((i) => i.id === chosen.value);
  if (problem.value) return html`<main class="panel record"><p class="note wait" role="alert"><${Icon} name="alert" />${problem.value.message}</p>
    </main>`;
  if (!chosen.value && !record.value) return html`<main class="panel record"><div class="empty tall"><${Icon} name="shield" /><h1>
    ${t("audit.choose")}</h1></div></main>`;
  if (!record.value) return html`<main class="panel record"><div class="empty"><${Icon} name="spinner" /><p>${t("loading")}</p></div></main>`;
  const steps = record.value.entries;
  const repeated = steps.filter((entry) => entry.action === REPEATED).length;
  const shown = everything.value ? steps : steps.filter((entry) => entry.action !== REPEATED);
  const own = viewings(steps);
  const watched = incident && whole.value ? [...new Map([...own, ...meanwhile(whole.value, incident)].map((row) => [row.key, row])).values()].sort((a, b) => a.from_s - b.from_s) : own;
  return html`<main class="panel record"><header class="record-head"><div><h1>${incident ? html`${kindText(incident.kind)} <span class="num">
    ${t("number", { n: incident.number })}</span>` : t("audit.everything")}</h1>
      ${incident && html`<p class="dim">${cameraName(incident.camera)} · ${dateTime(incident.opened_at_s)} · ${t(`state.${incident.state}`)}</p>`}
        </div>
      <${Button} icon="print" testid="print" onClick=${() => print()}>${t("audit.print")}<//></header><${Verdict} />
    <h2>${t("audit.who_watched")}</h2><${Watched} rows=${watched} cameraName=${cameraName} />${incident && !whole.value && html`<p
        class="dim small-text">${t("audit.walls_elsewhere")}</p>`}
    <div class="steps-head"><h2>${t("audit.steps")} <span class="dim num">${steps.length}</span></h2>
      ${repeated > 0 && html`<label class="check"><input type="checkbox" checked=${everything.value} onChange=${(event) => { everything.value = event.target.checked; }} data-testid="audit-repeated" /> ${t("audit.repeated", { n: repeated })}</label>`}</div>
    <div class="table" tabindex="0"><table><thead><tr><th>${t("audit.when")}</th><th>${t("audit.what")}</th><th>${t("audit.actor")}</th><th>${t("audit.details")}</th><th>${t("audit.entry")}</th></tr></thead>
      <tbody>${shown.map((entry) => html`<${Row} key=${entry.seq} entry=${entry} />`)}</tbody></table></div></main>`;
}

function App() {
  document.title = `${t("audit")} · ${site.value ? pick(site.value) : "Callout"}`;
  return html`<header class="topbar"><a class="brand" href="/"><img src="/static/icon.svg" alt="" /><b>${site.value ? pick(site.value) : "Callout"}
    </b></a><h1 class="page-name">${t("audit")}</h1><span class="gap"></span>
      ${me.value?.role !== "auditor" && html`<a class="btn quiet" href="/"><${Icon} name="list" /><span>${t("desk")}</span></a>`}
        <${LanguageToggle} /><span class="account"><${Icon} name="user" /><span><b>${me.value?.display || me.value?.name}</b><span class="dim">
        ${word("role", me.value?.role)}</span></span></span>
      <button type="button" class="btn quiet icon-only" aria-label=${t("sign_out")} title=${t("sign_out")} onClick=${signOut}><${Icon} name="out" /></button></header>
    <div class="audit-page" lang=${lang.value === "zh" ? "zh-CN" : "en"}><${Picker} /><${Record} /></div>`;
}

async function start() {
  me.value = await whoAmI();
  const may = (permission) => me.value.may?.includes(permission);
  const [place, list, cams] = await Promise.all([get("/api/v1/site"), get("/api/v1/incidents?state=all"), may("camera.read") ? get("/api/v1/cameras") : { cameras: [] }]);
  site.value = place;
  cameras.value = new Map(cams.cameras.map((c) => [c.id, c]));
  incidents.value = list.incidents;
  mount(html`<${App} />`);
  if (chosen.value || me.value.role === "auditor") await open(chosen.value);
}

start().catch((failure) => { if (failure.status !== 401) document.getElementById("app").textContent = `${t("load.failed")} ${failure.message}`; });
