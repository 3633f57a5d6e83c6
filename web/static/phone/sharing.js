// Sharing where this phone is, while somebody wants it to: every 5 s when moving, every 20 s when still. And the wake lock.
import { signal } from "@preact/signals";
import { post } from "/static/lib/api.js";
import { deviceNow_s } from "/static/lib/clock.js";

const KEY = "callout_share";
const MOVING_S = 5;
const STILL_S = 20;
const MOVED_DEG = 0.0001;

/** off | asking | on | denied | unavailable | failed */
export const sharing = signal({ state: "off", at_s: 0, here: null });
let watch = null;
let last = null;

const remember = (on) => { try { localStorage.setItem(KEY, on ? "on" : "off"); } catch { /* for this page only */ } };
export const wanted = () => { try { return localStorage.getItem(KEY) === "on"; } catch { return false; } };

async function report(where) {
  const { latitude: lat, longitude: lon, accuracy } = where.coords;
  const now = deviceNow_s();
  const moved = !last || Math.hypot(lat - last.lat, lon - last.lon) > MOVED_DEG;
  if (last && now - last.at_s < (moved ? MOVING_S : STILL_S)) return;
  last = { lat, lon, at_s: now };
  try {
    await post("/api/v1/units/me/position", { lat, lon, accuracy_m: Math.max(1, accuracy ?? 50), client_time_s: where.timestamp / 1000 });
    if (watch !== null) sharing.value = { state: "on", at_s: now, here: { lat, lon, accuracy } };
  } catch {
    last = null;
    if (watch !== null) sharing.value = { ...sharing.value, state: "failed" };
  }
}

export function startSharing() {
  if (watch !== null) return;
  if (!("geolocation" in navigator) || !isSecureContext) { sharing.value = { state: "unavailable", at_s: 0, here: null }; return; }
  remember(true);
  sharing.value = { ...sharing.value, state: "asking" };
  watch = navigator.geolocation.watchPosition(report, (error) => {
    if (error.code === error.PERMISSION_DENIED) { stopSharing(); sharing.value = { state: "denied", at_s: 0, here: null }; }
    else sharing.value = { ...sharing.value, state: "failed" };
  }, { enableHighAccuracy: true, maximumAge: 2000, timeout: 20_000 });
}

export function stopSharing() {
  if (watch !== null) navigator.geolocation.clearWatch(watch);
  watch = null;
  last = null;
  remember(false);
  sharing.value = { state: "off", at_s: 0, here: null };
}

let lock = null;
/** Keeps the screen on while there is a job; harmless where the browser cannot. */
export async function keepAwake(on) {
  try {
    if (on && !lock && document.visibilityState === "visible") {
      lock = await navigator.wakeLock?.request("screen");
      lock?.addEventListener("release", () => { lock = null; });
    } else if (!on && lock) await lock.release();
  } catch { lock = null; }
}
