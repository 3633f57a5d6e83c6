// Short messages at the foot of the page. Errors stay until dismissed; the rest go by themselves.
import { signal } from "@preact/signals";
import { html, cx } from "/static/lib/html.js";
import { t } from "/static/lib/i18n.js";
import { Icon } from "/static/lib/icons.js";

const STAY_MS = 6000;
const toasts = signal([]);
let last = 0;

const drop = (id) => { toasts.value = toasts.value.filter((toast) => toast.id !== id); };

export function toast(text, { tone = "info", detail = "" } = {}) {
  const id = ++last;
  const kept = toasts.value.filter((other) => other.tone === "bad" && (other.text !== text || other.detail !== detail)).slice(-2);
  toasts.value = [...kept, { id, text, detail, tone }]; // the newest, under failures that nobody has put away
  if (tone !== "bad") setTimeout(() => drop(id), STAY_MS);
}

/** Says a failure in the server's words, after ours. */
export function toastProblem(what, problem) {
  const detail = [problem.title, problem.detail].filter((part, i, all) => part && all.indexOf(part) === i).map((part) => (/[.!?。！？]$/.test(part) ? part : `${part}.`)).join(" ");
  toast(what, { tone: "bad", detail: detail || problem.message });
}

const ICONS = { info: "info", good: "check", bad: "alert", wait: "clock" };

export const Toasts = () => html`<div class="toasts" role="status" aria-live="polite">
  ${toasts.value.map((item) => html`<div key=${item.id} class=${cx("toast", item.tone)} data-testid="toast">
    <${Icon} name=${ICONS[item.tone]} /><div><strong>${item.text}</strong>${item.detail && html`<p>${item.detail}</p>`}</div>
    <button type="button" class="btn quiet icon-only" aria-label=${t("close")} onClick=${() => drop(item.id)}><${Icon} name="x" /></button></div>`)}</div>`;
