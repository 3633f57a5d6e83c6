// Parts of the record: the facts of one entry in words, and the table of who watched.
import { html } from "/static/lib/html.js";
import { dateTime, duration } from "/static/lib/format.js";
import { t, word } from "/static/lib/i18n.js";
import { At, Chip } from "/static/lib/ui.js";

const SKIP = new Set(["incident"]);

function shown(name, value) {
  if (value === null || value === "") return null;
  if (typeof value === "number" && /_s$/.test(name) && value > 1e9) return dateTime(value);
  if (typeof value === "number" && /_s$/.test(name)) return duration(value);
  if (name === "from" || name === "to") return word("state", value) === String(value).replaceAll("_", " ") ? word("assignment", value) : word("state", value);
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

/** What changed: "Received → Confirmed", then the other facts as name and value. */
export function Details({ entry }) {
  const { from, to, ...rest } = entry.detail ?? {};
  const pairs = Object.entries(rest).filter(([name, value]) => !SKIP.has(name) && shown(name, value) !== null);
  return html`<span class="details">${to ? html`<span class="change">${from ? html`${shown("from", from)} → ` : ""}<b>${shown("to", to)}</b></span>` : from ? html`<span class="change">${shown("from", from)} →</span>` : ""}
    ${pairs.map(([name, value]) => html`<span class="pair" key=${name}><span class="dim">${word("audit.field", name)}</span> ${shown(name, value)}</span>`)}</span>`;
}

const WATCH = /^(view|watch|live|grant|clip|media)/;
export const isWatching = (entry) => WATCH.test(entry.action);

/** One row a viewing: the entries of one session, joined from the first to the last. */
export function viewings(entries) {
  const rows = new Map();
  for (const entry of entries.filter(isWatching)) {
    const detail = entry.detail ?? {};
    const key = detail.session || detail.grant || entry.entity || String(entry.seq);
    const row = rows.get(key) ?? { key, actor: entry.actor, role: entry.role, camera: "", view: "", from_s: entry.at_s, to_s: null, how: entry.action };
    row.camera ||= detail.camera ?? "";
    row.view ||= detail.view ?? (entry.action.startsWith("grant") || entry.action.startsWith("clip") ? "clear" : "");
    if (/(ended|end|closed|expired|gone|stopped)$/.test(entry.action)) row.to_s = entry.at_s;
    if (detail.from_s) row.from_s = detail.from_s;
    if (detail.to_s) row.to_s = detail.to_s;
    if (detail.expires_at_s) row.until_s = detail.expires_at_s;
    rows.set(key, row);
  }
  return [...rows.values()];
}

export function Watched({ entries, cameraName }) {
  const rows = viewings(entries);
  if (!rows.length) return html`<p class="dim" data-testid="nobody-watched">${t("audit.nobody_watched")}</p>`;
  return html`<div class="table"><table><thead><tr><th>${t("audit.actor")}</th><th>${t("audit.camera")}</th><th>${t("audit.view")}</th><th>${t("audit.from")}</th><th>${t("audit.to")}</th></tr></thead><tbody>
    ${rows.map((row) => html`<tr key=${row.key} data-testid="watched-row" data-view=${row.view}><td>${row.actor} <span class="dim">${word("role", row.role)}</span></td><td>${cameraName(row.camera)}</td>
      <td><${Chip} tone=${row.view === "clear" ? "wait" : ""} icon=${row.view === "clear" ? "eye" : "covered"}>${word("audit.view", row.view || "wall")}<//> <span class="dim">${word("audit.action", row.how)}</span></td>
      <td><${At} at=${row.from_s} date /></td><td>${row.to_s ? html`<${At} at=${row.to_s} date />` : row.until_s ? html`<span class="dim">${t("audit.until")}</span> <${At} at=${row.until_s} date />` : "–"}</td></tr>`)}</tbody></table></div>`;
}
