// Sign in, then go where the role works (or back to where one came from).
import { signal } from "@preact/signals";
import { html, mount } from "/static/lib/html.js";
import { request, setCsrf } from "/static/lib/api.js";
import { t } from "/static/lib/i18n.js";
import { LanguageToggle } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";

const HOMES = { responder: "/r", auditor: "/audit" };
const state = signal({ busy: false, problem: null });

/** Only a path of this site: `next` comes from the address bar. */
function wantedPath() {
  const next = new URLSearchParams(location.search).get("next") ?? "";
  try {
    const url = new URL(next, location.origin);
    return next.startsWith("/") && url.origin === location.origin && url.pathname !== "/login" ? url.pathname + url.search : "";
  } catch {
    return "";
  }
}

function destination(me) {
  const home = HOMES[me.role] ?? (me.may?.includes("incident.read") ? "/" : "/public");
  const wanted = wantedPath();
  return wanted && wanted !== "/" ? wanted : home;
}

async function submit(event) {
  event.preventDefault();
  if (state.value.busy) return;
  const form = new FormData(event.currentTarget);
  state.value = { busy: true, problem: null };
  try {
    const me = await request("POST", "/api/v1/session", { body: { name: form.get("name").trim(), password: form.get("password") }, signIn: false });
    setCsrf(me.csrf);
    location.assign(destination(me));
  } catch (problem) {
    state.value = { busy: false, problem };
    document.querySelector("[name=password]").select();
  }
}

function Login() {
  const { busy, problem } = state.value;
  return html`<div class="login"><header class="login-bar"><${LanguageToggle} /></header>
    <main class="login-card"><img src="/static/icon.svg" alt="" width="56" height="56" /><h1>Callout</h1><p class="dim">${t("login.more")}</p>
      <form onSubmit=${submit} aria-busy=${busy}>
        <label><span>${t("login.name")}</span><input name="name" autocomplete="username" autocapitalize="none" spellcheck=${false} required autofocus data-testid="login-name" /></label>
        <label><span>${t("login.password")}</span><input name="password" type="password" autocomplete="current-password" required data-testid="login-password" /></label>
        ${problem && html`<p class="note wait" role="alert" data-testid="login-error"><${Icon} name="alert" /><span>
          ${problem.detail || problem.message}</span></p>`}
        <button class="btn primary wide" type="submit" data-testid="login-submit" aria-disabled=${busy ? "true" : null}><${Icon} name=${busy ? "spinner" : "lock"} /><span>${t(busy ? "login.busy" : "login.submit")}</span></button></form>
      <p class="dim small-text">${t("login.record")}</p><p><a href="/public">${t("login.public")}</a></p></main></div>`;
}

mount(html`<${Login} />`);
