// The top bar: where we are, what time it is, whether we are connected, what waits, who we are.
import { html, cx } from "/static/lib/html.js";
import { signOut } from "/static/lib/api.js";
import { deviceNow_s, now_s } from "/static/lib/clock.js";
import { clock, utc } from "/static/lib/format.js";
import { pick, t } from "/static/lib/i18n.js";
import { link } from "/static/lib/socket.js";
import { sound, toggleSound } from "/static/lib/sound.js";
import { LanguageToggle } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { shows } from "/static/lib/phases.js";
import { ask } from "/static/console/dialogs.js";
import { cameras, me, may, site, unacknowledged, units, view } from "/static/console/store.js";

const Count = ({ icon, n, of, word, tone, testid }) => html`<span class=${cx("count", tone)} data-testid=${testid} title=${word}>
  
  <${Icon} name=${icon} /><b class="num">${n}${of != null ? `/${of}` : ""}</b><span class="count-word">${word}</span></span>`;

function Connection() {
  const { state } = link.value;
  return html`<span class=${cx("connection", state)} role="status" data-testid="connection" data-state=${state}>
    <${Icon} name=${state === "open" ? "link" : state === "lost" ? "unlink" : "spinner"} /><span>${t(`link.${state}`)}</span></span>`;
}

/** An icon alone, with its words for those who hover or listen. */
const IconButton = ({ icon, label, ...rest }) => html`<button type="button" class="btn quiet icon-only" aria-label=${label} title=${label} ...${rest}>
  <${Icon} name=${icon} /></button>`;

function Sound() {
  const { wanted, ready } = sound.value;
  const label = t(wanted ? (ready ? "sound.on" : "sound.waiting") : "sound.off");
  return html`<${IconButton} icon=${wanted ? "bell" : "bell_off"} label=${label} data-testid="sound" aria-pressed=${wanted} onClick=${toggleSound} />`;
}

function Counts() {
  const cams = [...cameras.value.values()];
  const free = [...units.value.values()].filter((u) => u.state === "available" && !u.committed_to).length;
  const waiting = unacknowledged.value;
  return html`<span class="counts">
    <${Count} testid="count-waiting" icon="alert" n=${waiting} word=${t("count.waiting")} tone=${waiting ? "bad" : ""} />
    <${Count} icon="camera" n=${cams.filter((c) => shows(c.health)).length} of=${cams.length} word=${t("count.cameras")} />
    <${Count} icon="foot" n=${free} of=${units.value.size} word=${t("count.units")} /></span>`;
}

function Account() {
  const { display, name, role } = me.value;
  return html`<span class="account" title=${t(`role.${role}`)}><${Icon} name="user" />
    <span><b>${display || name}</b><span class="dim">${t(`role.${role}`)}</span></span></span>`;
}

export function TopBar() {
  const wall = view.value === "wall";
  return html`<header class="topbar">
    <a class="brand" href="/"><img src="/static/icon.svg" alt="" /><b>${site.value ? pick(site.value) : "Callout"}</b></a>
    <time class="now num" title=${utc(now_s.value)}>${clock(now_s.value)}</time><${Connection} /><${Counts} /><span class="gap"></span>
    <button type="button" class=${cx("btn quiet", wall && "on")} data-testid="wall" aria-pressed=${wall}
      onClick=${() => { view.value = wall ? "desk" : "wall"; }}>
      <${Icon} name=${wall ? "list" : "grid"} /><span>${t(wall ? "desk" : "wall")}</span><kbd>G</kbd></button>
    <${Sound} /><${IconButton} icon="help" label=${t("help.title")} data-testid="help-button" onClick=${() => ask("help")} />
    ${may("audit.read") && html`<a class="btn quiet" href="/audit" title=${t("audit")} aria-label=${t("audit")}>
      <${Icon} name="shield" /><span class="wide-only">${t("audit")}</span></a>`}
    <${LanguageToggle} /><${Account} /><${IconButton} icon="out" label=${t("sign_out")} data-testid="sign-out" onClick=${signOut} /></header>`;
}

export function OfflineBanner({ retry, synced_at_s }) {
  const { state, retry_at_s, since_s } = link.value;
  const tick_s = now_s.value; // makes the count-down tick; the time to retry is on this device's clock
  if (state !== "lost" || !synced_at_s || !tick_s) return null;
  const in_s = Math.max(0, Math.ceil(retry_at_s - deviceNow_s()));
  return html`<div class="offline" role="alert" data-testid="offline"><${Icon} name="unlink" />
    <span><b>${t("offline")}</b> ${t("offline.more", { at: clock(since_s) })} ${in_s ? t("offline.retry", { s: in_s }) : t("offline.now")}</span>
    <button type="button" class="btn small" onClick=${retry}>${t("retry")}</button></div>`;
}
