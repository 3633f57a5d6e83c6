// The offer: what, where, how far, how long to answer; two big buttons.
import { useState } from "preact/hooks";
import { html } from "/static/lib/html.js";
import { now_s } from "/static/lib/clock.js";
import { countdown, duration } from "/static/lib/format.js";
import { t } from "/static/lib/i18n.js";
import { Icon } from "/static/lib/icons.js";
import { What } from "/static/phone/what.js";
import { answer, pending, site } from "/static/phone/store.js";

const REASONS = ["busy", "too_far", "not_fit", "no_equipment", "other"];

export function BigButton({ icon, kind = "", why = "", busy = false, testid, onClick, children }) {
  const off = Boolean(why) || busy || Boolean(pending.value);
  return html`<div class="big-wrap"><button type="button" class=${`big ${kind}`} data-testid=${testid} aria-disabled=${off ? "true" : null}
      aria-busy=${busy ? "true" : null} aria-describedby=${why ? `${testid}-why` : null}
    onClick=${() => { if (!off) onClick(); }}><${Icon} name=${busy ? "spinner" : icon} /><span>${children}</span></button>${why && html`<small id=${`${testid}-why`} class="why">${why}</small>`}</div>`;
}

/** Numbered reasons under a question; `onPick(code)`. */
export function Reasons({ title, codes, prefix, onPick, onBack }) {
  return html`<section class="card reasons" aria-label=${title}><h2>${title}</h2>
    ${codes.map((code) => html`<button type="button" class="big plain" key=${code} data-testid=${`${prefix}-reason-${code}`}
      onClick=${() => onPick(code)}>${t(`${prefix}.${code}`)}</button>`)}
    <button type="button" class="big quiet" onClick=${onBack}>${t("back")}</button></section>`;
}

export function Offer({ assignment: a, incident }) {
  const [declining, setDeclining] = useState(false);
  const left_s = a.answer_by_s - now_s.value;
  const whole_s = Math.max(1, a.answer_by_s - a.offered_at_s, site.value?.offer_timeout_s ?? 1);
  const over = left_s <= 0 ? t("phone.too_late") : "";
  if (declining) return html`<${Reasons} title=${t("phone.decline.why")} codes=${REASONS} prefix="decline"
      onPick=${(code) => { setDeclining(false); answer("decline", code); }} onBack=${() => setDeclining(false)} />`;
  return html`<section class="card offer" aria-label=${t("phone.offer")}><header class="offer-head"><span>${t("phone.offer")}</span>
    <b class="num" data-testid="offer-left" role="timer">${countdown(left_s)}</b></header>
    <meter class="left" min="0" max=${whole_s} low=${whole_s / 3} value=${Math.max(0, left_s)} aria-hidden="true"></meter>
    <${What} incident=${incident} assignment=${a} />
    <p class="eta"><${Icon} name="clock" /><span>${t("phone.eta")}</span><b class="num">${a.eta_s == null ? "–" : duration(a.eta_s)}</b></p>
    <div class="pair"><${BigButton} testid="offer-decline" icon="x" kind="plain" why=${over} busy=${pending.value === "decline"} onClick=${() => setDeclining(true)}>${t("phone.decline")}<//>
      <${BigButton} testid="offer-accept" icon="check" kind="primary" why=${over} busy=${pending.value === "accept"} onClick=${() => answer("accept")}>${t("phone.accept")}<//></div></section>`;
}
