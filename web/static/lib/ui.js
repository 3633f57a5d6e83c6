// Small parts that every page shares.
import { useLayoutEffect, useRef } from "preact/hooks";
import { html, cx } from "/static/lib/html.js";
import { age, ago, clock, dateTime, utc } from "/static/lib/format.js";
import { lang, setLang, t } from "/static/lib/i18n.js";
import { Icon } from "/static/lib/icons.js";

const iso = (at_s) => new Date(at_s * 1000).toISOString();

/** "12 s ago", ticking; the local and UTC time on hover. `short` leaves out "ago" where the place says it. */
export const Ago = ({ at, short = false }) => (at == null ? null : html`<time class="num" datetime=${iso(at)}
    title=${`${dateTime(at)} · ${utc(at)}`}>${short ? age(at) : ago(at)}</time>`);

/** A local clock time; UTC on hover. */
export const At = ({ at, date = false }) =>
  at == null ? html`<span>–</span>` : html`<time class="num" datetime=${iso(at)} title=${utc(at)}>${date ? dateTime(at) : clock(at)}</time>`;

export const Key = ({ children }) => html`<kbd>${children}</kbd>`;

/** A button with its key, its pending state and, when disabled, its reason. */
export function Button({ children, icon, hotkey, pending = false, why = "", kind = "", testid, onClick, label, ...rest }) {
  const off = pending || Boolean(why);
  return html`<button type="button" class=${cx("btn", kind, pending && "pending")} data-testid=${testid} aria-disabled=${off ? "true" : null}
    aria-busy=${pending ? "true" : null} aria-label=${label} title=${why || label || null} aria-keyshortcuts=${hotkey} ...${rest}
    onClick=${(event) => { if (!off) onClick?.(event); }}>
    ${icon && html`<${Icon} name=${pending ? "spinner" : icon} />`}<span>${children}</span>${hotkey && html`<${Key}>${hotkey}<//>`}</button>`;
}

export const Chip = ({ tone = "", icon, children, title, testid }) =>
  html`<span class=${cx("chip", tone)} title=${title} data-testid=${testid}>${icon && html`<${Icon} name=${icon} />`}<span>${children}</span></span>`;

export function LanguageToggle() {
  const next = lang.value === "en" ? "zh" : "en";
  return html`<button type="button" class="btn quiet" data-testid="language" lang=${next === "zh" ? "zh-CN" : "en"} title=${t("lang.switch")}
    onClick=${() => setLang(next)}><${Icon} name="globe" /><span>${next === "zh" ? "中文" : "English"}</span></button>`;
}

/** A modal dialog: focus stays inside, Escape closes (both by the browser). */
export function Dialog({ title, onClose, children, testid, wide = false }) {
  const ref = useRef(null);
  useLayoutEffect(() => { // at once: the next key may already be meant for it
    const dialog = ref.current;
    dialog.showModal();
    return () => dialog.open && dialog.close();
  }, []);
  return html`<dialog ref=${ref} class=${cx("dialog", wide && "wide")} data-testid=${testid} aria-label=${title} onClose=${onClose}
    onClick=${(event) => { if (event.target === ref.current) ref.current.close(); }}>
    <div class="dialog-body"><header><h2>${title}</h2><button type="button" class="btn quiet icon-only" aria-label=${t("close")} onClick=${() => ref.current.close()}><${Icon} name="x" /></button></header>
    ${children}</div></dialog>`;
}
