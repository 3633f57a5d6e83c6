// Parts of the record: the facts of one entry in words, and the table of who watched.
import { html } from "/static/lib/html.js";
import { dateTime, duration } from "/static/lib/format.js";
import { measured, ruleName } from "/static/lib/evidence.js";
import { t, word } from "/static/lib/i18n.js";
import { At, Chip } from "/static/lib/ui.js";

const SKIP = new Set(["incident", "session", "started_at_s", "ended_at_s"]);
const HASH = /^[0-9a-f]{32,}$/;
const SHORT = 12;

function shown(name, value) {
  if (value === null || value === "") return null;
  if (typeof value === "number" && /_s$/.test(name) && value > 1e9) return dateTime(value);
  if (typeof value === "number" && /_s$/.test(name)) return duration(value);
  if (name === "from" || name === "to") return word(["state", "assignment", "unit"].find((prefix) => word(prefix, value) !== String(value).replaceAll("_", " ")) ?? "state", value);
  if (name === "rule") return value.includes("/") ? ruleName(value) : word("audit.rule", value);
  if (name === "reason" && value === "retention") return t("audit.retention");
  if (Array.isArray(value)) return value.join(", ") || null;
  if (typeof value === "object") return Object.entries(value).map(([key, inner]) => `${word("measured", key)} ${measured(key, inner)}`).join(", ") || null;
  return HASH.test(value) ? html`<code title=${value}>${value.slice(0, SHORT)}…</code>` : String(value);
}

/** What changed: "Received → Confirmed", then the other facts as name and value. */
export function Details({ entry }) {
  const { from, to = from && entry.action.split(".").at(-1), ...rest } = entry.detail ?? {}; // "unit.available" names what it became
  const pairs = Object.entries(rest).filter(([name, value]) => !SKIP.has(name) && shown(name, value) !== null);
  return html`<span class="details">${to ? html`<span class="change">${from ? html`${shown("from", from)} → ` : ""}<b>${shown("to", to)}</b>
    </span>` : ""}
    ${pairs.map(([name, value]) => html`<span class="pair" key=${name}><span class="dim">${word("audit.field", name)}</span> ${shown(name, value)}
      </span>`)}</span>`;
}

const isWatching = (entry) => /^(watched|live\.|clip\.watched)/.test(entry.action);

/** Viewings of the incident's camera while it was open, out of the whole record: a wall is watched for no one incident. */
export function meanwhile(entries, incident) {
  const end_s = incident.updated_at_s;
  return viewings(entries).filter((row) => row.camera === incident.camera && row.from_s <= end_s && (row.to_s ?? Infinity) >= incident.first_seen_s);
}

/** One row a viewing: the entries of one session, joined from the first to the last. */
export function viewings(entries) {
  const rows = new Map();
  for (const entry of entries.filter(isWatching)) {
    const detail = entry.detail ?? {};
    const key = detail.session || String(entry.seq);
    const row = rows.get(key) ?? { key, actor: entry.actor, role: entry.role, camera: "", clip: "", view: "", from_s: entry.at_s, to_s: null };
    row.camera ||= detail.camera ?? "";
    row.clip ||= detail.clip ?? "";
    row.view ||= detail.view ?? (detail.clip ? "clip" : "");
    if (entry.action === "live.ended") {
      row.from_s = detail.started_at_s ?? row.from_s;
      row.to_s = detail.ended_at_s ?? entry.at_s;
    }
    rows.set(key, row);
  }
  return [...rows.values()];
}

export function Watched({ rows, cameraName }) {
  if (!rows.length) return html`<p class="dim" data-testid="nobody-watched">${t("audit.nobody_watched")}</p>`;
  return html`<div class="table" tabindex="0"><table><thead><tr><th>${t("audit.actor")}</th><th>${t("audit.camera")}</th><th>${t("audit.view")}</th>
    <th>${t("audit.from")}</th><th>${t("audit.to")}</th></tr></thead><tbody>
    ${rows.map((row) => html`<tr key=${row.key} data-testid="watched-row" data-view=${row.view}><td>${row.actor} <span class="dim">
      ${word("role", row.role)}</span></td><td title=${row.clip || null}>${cameraName(row.camera || row.clip.replace(/-\d+$/, ""))}</td>
      <td><${Chip} tone=${row.view === "wall" ? "" : "wait"} icon=${row.view === "wall" ? "covered" : "eye"}>${word("audit.view", row.view)}<//></td>
      <td><${At} at=${row.from_s} date /></td><td>${row.to_s ? html`<${At} at=${row.to_s} date />` : row.view === "clip" ? "–" : t("audit.still")}
        </td></tr>`)}</tbody></table></div>`;
}
