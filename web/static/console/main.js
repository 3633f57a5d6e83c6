// The console: sign-in, first load, the socket, and the layout.
import { effect, signal } from "@preact/signals";
import { html, mount } from "/static/lib/html.js";
import { whoAmI } from "/static/lib/api.js";
import { pick, pickText, t } from "/static/lib/i18n.js";
import { connect } from "/static/lib/socket.js";
import { chime } from "/static/lib/sound.js";
import { Toasts } from "/static/lib/toast.js";
import { Icon } from "/static/lib/icons.js";
import { closeClear, grant } from "/static/console/commands.js";
import { now_s } from "/static/lib/clock.js";
import { Dialogs } from "/static/console/dialogs.js";
import { Incident } from "/static/console/incident.js";
import { listen } from "/static/console/keys.js";
import { MapPanel } from "/static/console/map_panel.js";
import { Queue } from "/static/console/queue.js";
import { Recommendation } from "/static/console/recommendation.js";
import {
  cameras, hazardText, incidents, loadFailed, me, may, resync, selected, site, synced_at_s, takeMessage, unacknowledged, view, whenNew,
} from "/static/console/store.js";
import { OfflineBanner, TopBar } from "/static/console/topbar.js";
import { UnitsBoard } from "/static/console/units_board.js";
import { Wall } from "/static/console/wall.js";

const HOMES = { responder: "/r", auditor: "/audit" };
const announcement = signal("");
let socket = null;

const Failed = () => loadFailed.value && html`<div class="offline" role="alert"><${Icon} name="alert" /><span><b>${t("load.failed")}
  </b> ${loadFailed.value.message}</span><button type="button" class="btn small" onClick=${resync}>${t("retry")}</button></div>`;

function Desk() {
  return html`<div class="desk"><${Queue} /><${Incident} /><aside class="side"><${MapPanel} /><${Recommendation} /><${UnitsBoard} /></aside></div>`;
}

function App() {
  return html`<${TopBar} /><div class="banners"><${OfflineBanner} retry=${() => socket?.retry()} synced_at_s=${synced_at_s.value} /><${Failed} />
    </div>
    ${view.value === "wall" ? html`<${Wall} />` : html`<${Desk} />`}
    <${Dialogs} /><${Toasts} /><p class="only-heard" role="alert" aria-live="assertive" data-testid="announcement">${announcement.value}</p>`;
}

function announce(incident) {
  chime();
  announcement.value = t("announce", { kind: pickText(hazardText(incident.kind)), camera: pick(cameras.peek().get(incident.camera)) || incident.camera, n: incident.number });
}

/** The boxes that the page needs now: the chosen camera's, or every camera's of the wall. */
function watched() {
  if (view.value === "wall") return [...cameras.value.keys()];
  return selected.value ? [selected.value.camera] : [];
}

async function start() {
  me.value = await whoAmI();
  const home = HOMES[me.value.role];
  if (home) { location.replace(home); return; }
  if (!may("incident.read")) { location.replace("/public"); return; }
  whenNew(announce);
  mount(html`<${App} />`);
  listen();
  await resync();
  socket = connect({ onMessage: takeMessage, onOpen: resync });
  let watching = "";
  effect(() => {
    const list = watched();
    if (list.join() !== watching) { watching = list.join(); socket.watch(list); }
  });
  effect(() => { document.title = `${unacknowledged.value ? `(${unacknowledged.value}) ` : ""}${site.value ? pick(site.value) : "Callout"}`; });
  // A grant ends by itself, when another incident is opened, or with the page: nobody looks on by accident.
  effect(() => { if (grant.value && (grant.value.expires_at_s <= now_s.value || grant.value.incident !== selected.value?.id)) queueMicrotask(closeClear); });
  addEventListener("visibilitychange", () => { if (!document.hidden && incidents.peek().size === 0) resync(); });
}

start().catch((problem) => {
  if (problem.status === 401) return; // on the way to the sign-in page
  document.getElementById("app").textContent = `${t("load.failed")} ${problem.message}`;
  setTimeout(() => location.reload(), 5000);
});
